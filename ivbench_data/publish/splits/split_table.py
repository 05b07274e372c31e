"""What a plan of splits gives: a row a split, and a table of tasks and shares, for the command line and the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from pydantic import NonNegativeInt

from ivbench_data.dataset import Dataset
from ivbench_data.evaluate.score_tables import Table, percent
from ivbench_data.publish.splits.split_plan import SplitPlan
from ivbench_data.schema import NonEmpty, Question, Record


class SplitRow(Record):
    """What one split holds, beside the whole."""

    name: NonEmpty
    """The split; `left out` for what is in none, `all` for the whole."""
    questions: NonNegativeInt
    """Questions in it."""
    target: NonNegativeInt | None
    """Questions that it should hold; None where nothing was asked for."""
    videos: NonNegativeInt
    """Videos that they are about."""
    images: NonNegativeInt
    """Query images that they show."""
    tasks: dict[str, NonNegativeInt]
    """Questions by task."""
    shares: dict[str, float]
    """The tasks' shares of the split, 0 to 1."""
    largest_deviation: float | None
    """How far at most a task's share here is from its share of the whole, 0 to 1; None where there is no question."""
    deviating_task: str | None
    """That task."""

    @property
    def off_by(self) -> int | None:
        """Questions too many, or below 0 too few."""
        return None if self.target is None else self.questions - self.target


def describe_splits(dataset: Dataset, plan: SplitPlan) -> list[SplitRow]:
    """A row for each split, one for what is left out if anything is, and one for the whole."""
    questions = {question.question_id: question for question in dataset.questions}
    whole = Counter(question.task for question in dataset.questions)
    groups: list[tuple[str, Sequence[str], int | None]] = [
        (name, ids, plan.targets[name]) for name, ids in plan.splits.items()
    ]
    if plan.left_out:
        groups.append(("left out", plan.left_out, None))
    groups.append(("all", tuple(questions), None))
    return [
        _describe(name, [questions[question_id] for question_id in ids], target, whole) for name, ids, target in groups
    ]


def _describe(name: str, questions: Sequence[Question], target: int | None, whole: Counter[str]) -> SplitRow:
    counted = Counter(question.task for question in questions)
    total, of_all = len(questions), whole.total()
    off = {task: abs(Fraction(counted[task], total) - Fraction(whole[task], of_all)) for task in whole} if total else {}
    worst = max(off, key=lambda task: (off[task], task), default=None)
    return SplitRow(
        name=name,
        questions=total,
        target=target,
        videos=len({question.video_id for question in questions if question.video_id is not None}),
        images=len({image_id for question in questions for image_id in question.image_ids}),
        tasks={task: counted[task] for task in sorted(whole)},
        shares={task: counted[task] / total if total else 0.0 for task in sorted(whole)},
        largest_deviation=float(off[worst]) if worst is not None else None,
        deviating_task=worst,
    )


def make_split_table(rows: Sequence[SplitRow]) -> Table:
    """The rows as a table for people: a column a split, a row a figure, then the tasks with counts and shares in %."""
    columns = ("", *(row.name for row in rows))

    def count(row: SplitRow, task: str) -> str:
        return f"{row.tasks[task]:,} ({100 * row.shares[task]:.1f}%)"

    def deviation(row: SplitRow) -> str | None:
        if row.name == "all" or row.largest_deviation is None:
            return None
        return f"{percent(row.largest_deviation)}%"

    def deviating(row: SplitRow) -> str | None:
        return row.deviating_task if row.name != "all" and row.largest_deviation else None

    return Table(
        columns,
        (
            ("questions", *(row.questions for row in rows)),
            ("asked for", *(row.target for row in rows)),
            ("off by", *(None if row.off_by is None else f"{row.off_by:+d}" for row in rows)),
            ("videos", *(row.videos for row in rows)),
            ("images", *(row.images for row in rows)),
            *((task, *(count(row, task) for row in rows)) for task in (rows[0].tasks if rows else ())),
            ("largest deviation", *map(deviation, rows)),
            ("of the share of", *map(deviating, rows)),
        ),
    )
