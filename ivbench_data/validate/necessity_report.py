"""Result of the necessity assessment: its records, and the same as table rows and in words."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import NonNegativeInt, PositiveInt

from ivbench_data.schema import NonEmpty, Record
from ivbench_data.significance import McNemar
from ivbench_data.statistics import Estimate, Probability

OVERALL: Final = "Overall"
"""Name of the row over all tasks."""


FULL: Final = ("video_first", "image_first")
"""Conditions that show video and image; the first that is given counts as the full one."""


Label = Literal["image_needed", "image_not_shown_needed", "answerable_without_image", "answerable_from_text"]


Status = Literal["needs_image", "not_shown", "insufficient_n", "missing_condition"]


class QuestionNecessity(Record):
    """What the runs show of one question."""

    question_id: NonEmpty
    """The question."""
    task: NonEmpty
    """Its task."""
    label: Label
    """The first that holds: most text-only runs are right; most runs of some condition without the image are right;
    most full runs are right and most of every ablation are wrong; or none of these."""
    right: dict[str, Probability]
    """Share of runs that are right, by condition."""
    runs: dict[str, PositiveInt]
    """Models times seeds that answered it, by condition."""
    models: NonNegativeInt
    """Models that answered it under the full condition."""


class ConditionComparison(Record):
    """The full condition against another, on the questions and runs that both answered."""

    task: NonEmpty
    """The task, or `Overall`."""
    condition: NonEmpty
    """The other condition."""
    full: Probability
    """Accuracy under the full condition."""
    other: Probability
    """Accuracy under the other."""
    difference: Estimate
    """Full minus other, with an interval clustered by video."""
    mcnemar: McNemar
    """Test on questions that most runs got right under one of the two alone; exact when small."""
    clustered_p_value: Probability
    """Two-sided p of the difference with videos as units."""
    p_value: Probability
    """The larger of the two, Holm-adjusted over all tasks and ablations, or over all tasks and the other conditions:
    a control that was run besides must not unmake a claim."""


class TaskNecessity(Record):
    """Whether a task needs its images."""

    task: NonEmpty
    """The task, or `Overall`."""
    status: Status
    """`needs_image`: claimed. `not_shown`: not claimed. `insufficient_n`: too few questions for the text-only bound, or
    too few videos for any test. `missing_condition`: the full, video-only or text-only condition was not run."""
    reason: NonEmpty
    """Why, in a sentence."""
    questions: NonNegativeInt
    """Questions that the full condition answered."""
    chance: Probability
    """Mean over them of right options over options."""
    text_only: Estimate | None
    """Text-only accuracy of the model with the highest upper bound."""
    questions_needed: PositiveInt | None = None
    """Questions that would do for the bound in 80% of samples if text gave no answer away, and on how many videos a
    test can show anything, as many to a video as here; given with `insufficient_n`."""
    labels: dict[str, NonNegativeInt]
    """Questions of each label."""


class NecessityReport(Record):
    """What the answers under several conditions show."""

    full_condition: str | None
    """The condition that counts as the full one."""
    models: tuple[str, ...]
    """The models."""
    tasks: tuple[TaskNecessity, ...]
    """One row a task, `Overall` last."""
    comparisons: tuple[ConditionComparison, ...]
    """One row a task and condition."""
    questions: tuple[QuestionNecessity, ...]
    """One row a question with images that was answered under the full condition."""


TASK_COLUMNS: Final = ("task", "questions", "status", "chance %", "text-only %", "interval", "would do", "why")
"""Columns of `list_task_rows`."""


COMPARISON_COLUMNS: Final = (
    "task", "against", "questions", "full %", "other %", "difference", "right alone", "McNemar p", "p (Holm)",
)  # fmt: skip
"""Columns of `list_comparison_rows`."""


def list_task_rows(report: NecessityReport) -> list[tuple[object, ...]]:
    """One row a task for a table, `Overall` last."""
    return [
        (
            row.task,
            row.questions,
            row.status,
            f"{row.chance * 100:.1f}",
            "–" if row.text_only is None else f"{row.text_only.value * 100:.1f}",
            "–" if row.text_only is None else f"{row.text_only.low * 100:.1f}–{row.text_only.high * 100:.1f}",
            "–" if row.questions_needed is None else row.questions_needed,
            row.reason,
        )
        for row in report.tasks
    ]


def list_comparison_rows(report: NecessityReport) -> list[tuple[object, ...]]:
    """One row a task and condition for a table; `right alone` are the questions that McNemar's test counts."""
    return [
        (
            row.task,
            row.condition,
            row.difference.n,
            f"{row.full * 100:.1f}",
            f"{row.other * 100:.1f}",
            f"{row.difference.value * 100:+.1f} ({row.difference.low * 100:+.1f} to {row.difference.high * 100:+.1f})",
            f"{row.mcnemar.only_first} : {row.mcnemar.only_second}",
            f"{row.mcnemar.p_value:.2g}",
            f"{row.p_value:.2g}",
        )
        for row in report.comparisons
    ]


def describe_necessity(report: NecessityReport) -> str:
    """The report in a few sentences: of which models, what each question was found to be, what is claimed."""
    models = f"{len(report.models)} model{'' if len(report.models) == 1 else 's'}"
    if report.full_condition is None:
        return f"The answers of {models} hold no full condition ({' or '.join(FULL)}): nothing can be said."
    overall = report.tasks[-1]
    labels = ", ".join(f"{count:,} {label}" for label, count in sorted(overall.labels.items())) or "none"
    claimed = [row.task for row in report.tasks if row.status == "needs_image" and row.task != OVERALL]
    return (
        f"The answers of {models}; the full condition is {report.full_condition}. Of {overall.questions:,} questions: "
        f"{labels}. The claim that a task needs its images is made for {', '.join(claimed) or 'no single task'}; over "
        f"all of them: {overall.status}, {overall.reason}."
    )
