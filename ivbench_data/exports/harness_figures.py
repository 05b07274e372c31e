"""Figures in a harness's own table: their names, and their values from the rows that the harness returns.

A harness calls its metrics with the questions that it asked, one figure at a time. The benchmark defines which
questions count together, so the values come from a scorecard of these questions and those that were not asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ivbench_data.evaluate.scores import Scorecard, score_results
from ivbench_data.exports.harness import Figure, HarnessOptions, gather_results
from ivbench_data.exports.harness_folder import load_questions
from ivbench_data.schema import EvaluationResult

MISSING, AS_WRONG = "missing", "overall with missing as wrong"
LOW, HIGH = "overall interval from", "overall interval to"
COUNTS = (MISSING, AS_WRONG, LOW, HIGH)
"""Names of the counts beside the figures; no figure has one of these names."""


def name_metrics(figures: Iterable[Figure]) -> dict[Figure, str]:
    """A unique metric name for each figure: `overall`, `group perception`, `task Counting`.

    Names have no commas (lmms-eval splits there), no underscores (it adds suffixes after one), no Markdown.
    """
    name_of: dict[Figure, str] = {}
    for figure in figures:
        plain = " ".join(re.sub(r"[^\w.&()+-]|_", " ", figure.name).split())
        name = figure.kind if figure.kind == "overall" else f"{figure.kind} {plain}"
        number = 2
        while name in name_of.values():
            name, number = f"{figure.kind} {plain} ({number})", number + 1
        name_of[figure] = name
    return name_of


def score_rows(source: Path | str, rows: Iterable[EvaluationResult]) -> Scorecard:
    """The scorecard of result rows to the questions of an exported folder or of a dataset's folder.

    Raises:
        DatasetNotFoundError: `source` is neither.
    """
    dataset = load_questions(source)
    return score_results(dataset, gather_results(dataset.name, rows, HarnessOptions()))


def find_value(card: Scorecard, figure: Figure) -> float | None:
    """A figure's accuracy; None if nothing could be scored."""
    scores = {"overall": {figure.name: card.overall}, "group": card.groups, "task": card.tasks}[figure.kind]
    found = scores.get(figure.name)
    return found.accuracy.value if found is not None and found.accuracy is not None else None


def find_counts(card: Scorecard) -> dict[str, float | None]:
    """The counts beside the figures, by name."""
    interval = card.overall.accuracy
    return {
        MISSING: card.overall.missing,
        AS_WRONG: card.overall_with_missing_as_wrong,
        LOW: interval.low if interval is not None else None,
        HIGH: interval.high if interval is not None else None,
    }
