"""What a figure is the mean of: questions with their rows, and the units that a metric makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ivbench_data.schema import EvaluationResult, Question


@dataclass(frozen=True)
class Answer:
    """What is known of one reply, by whatever names the answer."""

    index: int | None = None
    """The option that it names, in stored order."""
    value: float | None = None
    """The number that it names."""
    verdict: str | None = None
    """What the judge said of it; None where none was asked."""


@dataclass(frozen=True)
class JudgeReplies:
    """What one judge said of the replies in one results file."""

    judge: str
    """The judge, as it was asked for."""
    replies: Mapping[str, str]
    """What it said, by question."""


@dataclass(frozen=True)
class Unit:
    """One thing that a figure is the mean of: a question, or several that count together."""

    questions: tuple[ScoredRow, ...]
    """What it is made of."""
    points: float | None
    """What it earned, 0 to 1; None where it cannot be scored."""
    chance: float | None = None
    """What guessing earns; None where nobody can say."""
    is_whole: bool = True
    """Whether all that it takes is in the dataset; half a pair can never be scored."""
    stratum: str = ""
    """Part of the task that is averaged for itself first; the figure is the mean of the parts."""

    @property
    def is_awaited(self) -> bool:
        """Whether it has no points since a question of it was not asked, though it applies."""
        rows = [item.row for item in self.questions]
        return self.points is None and self.is_whole and any(row is None or row.status == "missing" for row in rows)


@dataclass(frozen=True)
class Metric:
    """How the replies to a task's questions become its figure."""

    description: str
    """What is counted, in a sentence."""
    can_score: Callable[[Question], bool]
    """Whether the question, its answer known, can be scored at all."""
    earn: Callable[[Question, Answer], float | None]
    """What one reply earns, 0 to 1; None where the reply alone does not say."""
    guess: Callable[[Question], float | None]
    """What guessing earns; None where nobody can say."""
    combine: Callable[[Sequence[ScoredRow]], Iterator[Unit]]
    """The units of the questions of one task."""
    score_like_benchmark: Callable[[Sequence[ScoredRow]], float | None] = lambda judged: None
    """The task's figure, 0 to 1, as the benchmark's own code makes it of these replies; None where ours is the same."""
    write_judge_prompt: Callable[[Question, str], str] | None = None
    """What a judge is asked about a reply; None where no judge is needed."""


@dataclass(frozen=True)
class ScoredRow:
    """A question beside its row, judged by the answer that the dataset has today."""

    question: Question
    row: EvaluationResult | None
    metric: Metric = field(repr=False)
    verdict: str | None = None
    """What a judge said of the reply, where one was asked."""

    @property
    def is_evaluated(self) -> bool:
        """Whether it was answered, or failed."""
        return self.row is not None and self.row.status in ("ok", "failed")

    @property
    def points(self) -> float | None:
        """What the reply earned, 0 to 1; None where it was not asked, or where the reply alone does not say."""
        if self.row is None or not self.is_evaluated:
            return None
        if self.row.status == "failed":
            return 0.0
        return self.metric.earn(self.question, Answer(self.row.answer_index, self.row.value, self.verdict))

    @property
    def is_correct(self) -> bool:
        """Whether the reply earned everything: for a question with options, whether it names a right one."""
        return self.points == 1.0

    @property
    def is_parsed(self) -> bool:
        """Whether the reply itself names an option or a number; free text is what it is."""
        row = self.row
        if row is None or row.metadata.get("rule") == "drawn":
            return False
        return row.answer_index is not None or row.value is not None or self.question.question_type == "open"

    @property
    def chance(self) -> float | None:
        """What guessing earns."""
        return self.metric.guess(self.question)


def count_each_question(judged: Sequence[ScoredRow]) -> Iterator[Unit]:
    """A unit for each question."""
    for item in judged:
        yield Unit((item,), item.points, item.chance)
