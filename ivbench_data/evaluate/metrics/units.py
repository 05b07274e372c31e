"""Questions with their rows, the units that a metric averages over, and the metric itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ivbench_data.schema import EvaluationResult, Question

EVALUATED = frozenset({"ok", "empty", "truncated", "filtered", "refused", "failed"})
"""Statuses of a question that was asked; those without an answer count as wrong."""


@dataclass(frozen=True)
class Answer:
    """The parsed answer of one reply."""

    index: int | None = None
    """The option that it names, in stored order."""
    value: float | None = None
    """The number that it names."""
    judge_reply: str | None = None
    """The LLM judge's reply about it; None without one."""


@dataclass(frozen=True)
class JudgeReplies:
    """The replies of one LLM judge about one results file.

    Example:
        >>> iv.JudgeReplies("openai:gpt-4o", {"q1": "yes"}).judge
        'openai:gpt-4o'
    """

    judge: str
    """The judge, as named by the user."""
    replies: Mapping[str, str]
    """The judge's texts, by question id."""


@dataclass(frozen=True)
class Unit:
    """One element of a mean: a question, or several that count together."""

    questions: tuple[ScoredRow, ...]
    """Its questions."""
    points: float | None
    """Points, 0 to 1; None if it cannot be scored."""
    chance: float | None = None
    """Chance level, 0 to 1; None if unknown."""
    is_whole: bool = True
    """Whether all its questions are in the dataset; half a pair can never be scored."""
    stratum: str = ""
    """Part of the task that is averaged first; the task's figure is the mean over its parts."""

    @property
    def is_awaited(self) -> bool:
        """Whether it has no points because one of its questions was not asked."""
        rows = [item.row for item in self.questions]
        return self.points is None and self.is_whole and any(row is None or row.status == "missing" for row in rows)


@dataclass(frozen=True)
class Metric:
    """How the replies to a task's questions are scored."""

    description: str
    """What is counted, in one phrase."""
    can_score: Callable[[Question], bool]
    """Whether the question can be scored, given its answer."""
    score_answer: Callable[[Question, Answer], float | None]
    """Points of one answer, 0 to 1; None where an LLM judge's reply is needed and missing."""
    find_chance: Callable[[Question], float | None]
    """Chance level of the question, 0 to 1; None if unknown."""
    combine: Callable[[Sequence[ScoredRow]], Iterator[Unit]]
    """The units of the questions of one task."""
    score_like_benchmark: Callable[[Sequence[ScoredRow]], float | None] = lambda rows: None
    """The task's figure, 0 to 1, by the rules of the benchmark's own code; None where they are ours."""
    write_judge_prompt: Callable[[Question, str], str] | None = None
    """The LLM judge's prompt about a reply; None where no judge is needed."""


@dataclass(frozen=True)
class ScoredRow:
    """A question with its row, scored by the dataset's current answer."""

    question: Question
    row: EvaluationResult | None
    metric: Metric = field(repr=False)
    judge_reply: str | None = None
    """The LLM judge's reply; None without one."""

    @property
    def is_evaluated(self) -> bool:
        """Whether it was asked: answered, or not."""
        return self.row is not None and self.row.status in EVALUATED

    @cached_property
    def points(self) -> float | None:
        """Points of the reply, 0 to 1; None if it was not asked, or needs a judge's reply."""
        if self.row is None or not self.is_evaluated:
            return None
        if self.row.status not in ("ok", "truncated"):
            return 0.0
        return self.metric.score_answer(self.question, Answer(self.row.answer_index, self.row.value, self.judge_reply))

    @property
    def is_correct(self) -> bool:
        """Whether the reply has all points: for a question with options, whether it names a right one."""
        return self.points == 1.0

    @property
    def is_parsed(self) -> bool:
        """Whether the reply names an option or a number; always True for free text."""
        row = self.row
        if row is None or row.metadata.get("rule") == "drawn":
            return False
        return row.answer_index is not None or row.value is not None or self.question.question_type == "open"

    @cached_property
    def chance(self) -> float | None:
        """Chance level of the question, 0 to 1; None if unknown."""
        return self.metric.find_chance(self.question)


def count_each_question(scored_rows: Sequence[ScoredRow]) -> Iterator[Unit]:
    """A unit for each question."""
    for item in scored_rows:
        yield Unit((item,), item.points, item.chance)
