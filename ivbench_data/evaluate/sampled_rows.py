"""Questions with the rows of a results file: one reply each, or as many as there are samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.metrics import find_metric
from ivbench_data.evaluate.metrics.units import EVALUATED, ScoredRow
from ivbench_data.evaluate.results import Results
from ivbench_data.schema import EvaluationResult, Question, make_key

NO_JUDGE_REPLIES: Mapping[str, str] = MappingProxyType({})

Samples = tuple[ScoredRow, ...]
"""A question with the row of each of its samples."""


def is_scorable(question: Question) -> bool:
    """Whether the task's metric can score the question; False if its answer is hidden."""
    return not question.answers_hidden and find_metric(question).can_score(question)


def pair_with_samples(
    dataset: Dataset, results: Results, rotation: int = 0, judge_replies: Mapping[str, str] = NO_JUDGE_REPLIES
) -> list[Samples]:
    """Every question of the dataset that can be scored, with the rows of its samples under that rotation.

    A sample that is not there, of a question that was asked, has failed: so it counts as wrong. `judge_replies` are the
    texts of an LLM judge by question id, for tasks whose metric needs one.

    Raises:
        UsageError: the results are of another dataset, or a judge read one of several samples.
    """
    if results.configuration.dataset != dataset.name:
        raise UsageError(f"{results.path} is of the dataset {results.configuration.dataset!r}, not of {dataset.name!r}")
    if judge_replies and results.samples > 1:
        raise UsageError(f"{results.path} holds {results.samples} replies a question, and a judge reads one")
    return [
        tuple(
            ScoredRow(question, row, find_metric(question), judge_replies.get(question.question_id))
            for row in _list_rows(results, question.question_id, rotation)
        )
        for question in dataset.questions
        if is_scorable(question)
    ]


def pair_with_rows(dataset: Dataset, results: Results, rotation: int = 0, sample: int = 0) -> list[ScoredRow]:
    """Every question of the dataset that can be scored, with its row under that rotation, of that sample.

    Raises:
        UsageError: the results are of another dataset.
    """
    return [samples[sample] for samples in pair_with_samples(dataset, results, rotation)]


def _list_rows(results: Results, question_id: str, rotation: int) -> list[EvaluationResult | None]:
    """The row of each sample."""
    rows = [results.rows.get(make_key(question_id, rotation, sample)) for sample in range(results.samples)]
    if not any(row is not None and row.status in EVALUATED for row in rows):
        return rows
    return [
        row
        if row is not None and row.status in EVALUATED
        else EvaluationResult(
            question_id=question_id, rotation=rotation, sample=sample, status="failed", error="it was not asked"
        )
        for sample, row in enumerate(rows)
    ]


def split_rounds(sampled: Sequence[Samples]) -> list[tuple[ScoredRow, ...]]:
    """The questions with their first sample, the same questions with their second, and so on; one round at least."""
    return list(zip(*sampled, strict=True)) or [()]


def find_right_share(samples: Samples) -> float | None:
    """The share of a question's samples that are right; None if it was not asked, or a judge's reply is missing."""
    if any(item.points is None for item in samples):
        return None
    return sum(item.is_correct for item in samples) / len(samples)
