"""Results of ours as a submission: what `score --answers` takes from a participant."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from ivbench_data.atomic_files import write_atomically
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.results import Results
from ivbench_data.schema import EvaluationResult, Question

DEFAULT_PROFILE = "default"


@dataclass(frozen=True)
class ExportedSubmission:
    """What a submission holds.

    Example:
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> submission = iv.export_submission(iv.load_dataset("tiny"), results, "submission.jsonl")
        >>> submission.answered, submission.left_out
        (3, ())
    """

    path: Path
    """The file."""
    answered: int
    """Questions in it."""
    left_out: tuple[str, ...]
    """Questions without a reply or an option; the holder of the answers counts them as wrong."""


def export_submission(
    dataset: Dataset, results: Results, out: Path | str, hidden_only: bool = True
) -> ExportedSubmission:
    """Write the replies of a results file as a submission: a line a question, with its reply or its option's index.

    A reply goes as its text where the default rules read it, so that the holder of the answers reads it by theirs. What
    another parser, a model or a likelihood read goes as the option's index, which counts the options as published. Of
    several samples, the first goes.

    Args:
        dataset: the dataset that was asked, with its options in the published order.
        results: the results.
        out: the file to write.
        hidden_only: only questions whose answers are hidden, where there are any.

    Raises:
        UsageError: the results are of another dataset, or answer none of the questions.
        StorageError: the file cannot be written.

    Example:
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> _ = iv.export_submission(iv.load_dataset("tiny"), results, "submission.jsonl")
        >>> print(Path("submission.jsonl").read_text().splitlines()[0])
        {"question_id": "alpha_0", "reply": "D"}
    """
    if results.configuration.dataset != dataset.name:
        raise UsageError(f"{results.path} is of the dataset {results.configuration.dataset!r}, not of {dataset.name!r}")
    hidden = [question for question in dataset.questions if question.answers_hidden]
    questions = hidden if hidden and hidden_only else list(dataset.questions)
    lines = dict(_write_lines(questions, results))
    if not lines:
        raise UsageError(f"{results.path} answers none of the {len(questions):,} questions to submit")
    with write_atomically(Path(out)) as file:
        file.writelines(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines.values())
    left_out = tuple(question.question_id for question in questions if question.question_id not in lines)
    return ExportedSubmission(Path(out), len(lines), left_out)


def _write_lines(questions: list[Question], results: Results) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    profile = results.configuration.profile
    for question in questions:
        row = results.rows.get((question.question_id, 0))
        if row is None or row.status in ("missing", "inapplicable", "failed"):
            continue
        if row.reply is not None and (not question.options or _is_read_by_default(row, profile)):
            yield question.question_id, {"question_id": question.question_id, "reply": row.reply}
        elif row.answer_index is not None:
            yield question.question_id, {"question_id": question.question_id, "answer_index": row.answer_index}


def _is_read_by_default(row: EvaluationResult, profile: str) -> bool:
    """Whether the text of the reply, read by the default rules in the published order, says what the row says."""
    if profile != DEFAULT_PROFILE or "shown_order" in row.metadata:
        return False
    return row.status == "ok" and row.metadata.get("rule") not in ("model", "likelihood")
