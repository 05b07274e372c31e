"""Results files as answers under several conditions: what `validate.necessity` and `validate.coverage` take."""

from __future__ import annotations

from collections.abc import Sequence

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.results import Configuration, Results
from ivbench_data.evaluate.scores import pair_with_rows
from ivbench_data.validate.necessity import AnswerRun


def gather_answers(dataset: Dataset, results: Results, rotation: int = 0) -> dict[str, bool]:
    """Id of every question that was evaluated, and whether it was answered right, by the dataset's answers of today."""
    judged = pair_with_rows(dataset, results, rotation)
    return {item.question.question_id: item.is_correct for item in judged if item.points is not None}


def gather_runs(dataset: Dataset, results: Sequence[Results]) -> list[AnswerRun]:
    """A run for each results file and rotation: the file's pattern is its condition.

    Models pair up across files by everything but pattern and grid, for a condition without video has no grid.

    Raises:
        UsageError: a file is about another dataset, or two hold the same condition of the same model, as with two
            grids: which one is meant?
    """
    runs: list[AnswerRun] = []
    file_of: dict[tuple[str, str, int], Results] = {}
    for item in results:
        told = item.configuration
        for rotation in sorted({rotation for _, rotation in item.rows}):
            run = AnswerRun(told.pattern, gather_answers(dataset, item, rotation), _name_model(told), rotation)
            first = file_of.setdefault((run.condition, run.model, run.seed), item)
            if first is not item:
                raise UsageError(
                    f"{first.path} and {item.path} are both {told.model} under {told.pattern} "
                    f"({first.configuration.grid} and {told.grid}): name the one that is meant"
                )
            runs.append(run)
    return runs


def _name_model(told: Configuration) -> str:
    parts = [told.model, told.profile if told.profile != "default" else ""]
    parts += [f"{name}={value}" for name, value in sorted(told.model_options.items())]
    return " ".join(part for part in parts if part)
