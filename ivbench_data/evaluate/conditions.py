"""Results files as answers by condition, the input of `validate.necessity` and `validate.coverage`."""

from __future__ import annotations

from collections.abc import Sequence

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.prompts.asking import MAX_ROTATIONS
from ivbench_data.evaluate.results import Results, RunConfiguration
from ivbench_data.evaluate.sampled_rows import pair_with_rows
from ivbench_data.validate.necessity import AnswerRun


def gather_answers(dataset: Dataset, results: Results, rotation: int = 0, sample: int = 0) -> dict[str, bool]:
    """For each evaluated question id, whether the answer is right by the dataset's current answers."""
    scored_rows = pair_with_rows(dataset, results, rotation, sample)
    return {item.question.question_id: item.is_correct for item in scored_rows if item.points is not None}


def gather_runs(dataset: Dataset, results: Sequence[Results]) -> list[AnswerRun]:
    """A run per results file, rotation and sample; the file's pattern is its condition.

    Files belong to the same model if they agree in everything but pattern and grid: a condition without video has no
    grid.

    Raises:
        UsageError: a file is of another dataset, or two files hold the same condition of the same model (with two
            grids).
    """
    runs: list[AnswerRun] = []
    file_of: dict[tuple[str, str, int], Results] = {}
    for item in results:
        configuration = item.configuration
        for sample, rotation in sorted({(row.sample, row.rotation) for row in item.rows.values()}):
            run = AnswerRun(
                configuration.pattern,
                gather_answers(dataset, item, rotation, sample),
                _name_model(configuration),
                rotation + sample * MAX_ROTATIONS,
            )
            first = file_of.setdefault((run.condition, run.model, run.seed), item)
            if first is not item:
                raise UsageError(
                    f"{first.path} and {item.path} are both {configuration.model} under {configuration.pattern} "
                    f"({first.configuration.grid} and {configuration.grid}): name only one of them"
                )
            runs.append(run)
    return runs


def _name_model(configuration: RunConfiguration) -> str:
    parts = [configuration.model, configuration.profile if configuration.profile != "default" else ""]
    parts += [f"{name}={value}" for name, value in sorted(configuration.model_options.items())]
    return " ".join(part for part in parts if part)
