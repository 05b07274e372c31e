"""How many replies were read, by rules or by a model, and what the others are; and what that leaves open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydantic import NonNegativeInt

from ivbench_data.evaluate.metrics.accuracy import read_number
from ivbench_data.evaluate.metrics.means import MeanOf, average
from ivbench_data.evaluate.metrics.units import ScoredRow
from ivbench_data.evaluate.reply_outcomes import FILTERED_WORDS, TRUNCATED_WORDS
from ivbench_data.evaluate.sample_figures import average_rounds, combine_rounds
from ivbench_data.evaluate.sampled_rows import Samples
from ivbench_data.schema import EvaluationResult, Question, Record
from ivbench_data.statistics import Probability

DOUBT_SHARE: Final = 0.02
"""From this share of unread and truncated replies on, a figure comes with a warning."""


class Readings(Record):
    """Counts of the replies behind an accuracy; each evaluated question is counted once a sample.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> readings = iv.score_results(dataset, results).readings
        >>> readings.by_rules, readings.unread
        (3, 0)
    """

    by_rules: NonNegativeInt
    """Read by the rules; free text and likelihoods, too."""
    by_model: NonNegativeInt
    """Read by a model, where the rules could not."""
    unread: NonNegativeInt
    """A text that names no option or number, as far as rules and model can tell."""
    truncated: NonNegativeInt
    """Cut off at the limit of tokens."""
    filtered: NonNegativeInt
    """Withheld by a content filter."""
    refused: NonNegativeInt
    """Refused, as the server says."""
    empty: NonNegativeInt
    """Without a text."""
    failed: NonNegativeInt
    """Asked without a reply."""
    lowest: Probability | None
    """Accuracy if all unread replies were wrong: those that name nothing, and truncated ones that were not read."""
    highest: Probability | None
    """Accuracy if all of them were right."""

    @property
    def doubtful_share(self) -> float:
        """Share of the evaluated questions whose reply is unread or truncated."""
        counts = self.model_dump(include=set(COUNTED))
        total = sum(counts.values())
        return (self.unread + self.truncated) / total if total else 0.0

    @property
    def is_doubtful(self) -> bool:
        """Whether that share is above 2 %."""
        return self.doubtful_share > DOUBT_SHARE


COUNTED: Final = ("by_rules", "by_model", "unread", "truncated", "filtered", "refused", "empty", "failed")


def name_outcome(question: Question, row: EvaluationResult) -> str:
    """What a row's reply is; `unasked` where there was no asking."""
    if row.status in ("missing", "inapplicable"):
        return "unasked"
    if row.status != "ok":
        return str(row.status)
    finish = str(row.metadata.get("finish_reason") or "").casefold()  # rows of 0.1.0 and of other programs' logs
    if finish in TRUNCATED_WORDS | FILTERED_WORDS:
        return "truncated" if finish in TRUNCATED_WORDS else "filtered"
    is_read = row.answer_index is not None or row.value is not None
    if "option_logprobs" in row.metadata:
        return "by_rules" if is_read else "unread"
    if not is_read and not (row.reply or "").strip():
        return "empty"
    if row.metadata.get("rule") == "model":
        return "by_model"
    is_read = (is_read and row.metadata.get("rule") != "drawn") or question.question_type == "open"
    return "by_rules" if is_read else "unread"


def count_readings(sampled: Sequence[Samples], mean_of: MeanOf) -> Readings:
    """The counts over some questions, and the bounds of their accuracy."""
    evaluated = [item for samples in sampled for item in samples if item.is_evaluated]
    counts = Counter(name_outcome(item.question, item.row) for item in evaluated if item.row is not None)
    return Readings(
        **{name: counts[name] for name in COUNTED},
        lowest=_average(sampled, mean_of, are_right=False),
        highest=_average(sampled, mean_of, are_right=True),
    )


def _average(sampled: Sequence[Samples], mean_of: MeanOf, are_right: bool) -> float | None:
    rounds = combine_rounds([tuple(_settle(item, are_right) for item in samples) for samples in sampled])
    scored = [(task, unit) for task, unit in average_rounds(rounds) if unit.points is not None]
    return average(scored, [unit.points or 0.0 for _, unit in scored], mean_of)


def _settle(item: ScoredRow, is_right: bool) -> ScoredRow:
    """The row, with an unread reply taken as right or as wrong."""
    question, row = item.question, item.row
    if row is None or name_outcome(question, row) not in ("unread", "truncated") or item.is_parsed:
        return item
    index = min(question.correct_indices, default=None) if is_right else None
    value = read_number(question) if is_right and not question.options else None
    # what the server cut off counts like an answer here
    return replace(item, row=row.model_copy(update={"status": "ok", "answer_index": index, "value": value}))
