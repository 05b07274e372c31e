"""Coverage summed up by grid and task, and answers compared by whether their evidence was shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import FiniteFloat, NonNegativeInt

from ivbench_data.schema import NonEmpty, Record
from ivbench_data.significance import compute_clustered_p_value
from ivbench_data.statistics import Estimate, Probability, estimate_share
from ivbench_data.validate.coverage.evidence_coverage import EvidenceCoverage

OVERALL: Final = "Overall"
"""Name of the row over all tasks."""


class CoverageSummary(Record):
    """What one grid or selection shows of one task's evidence."""

    frames_of: NonEmpty
    """Identity of the grid, or name of the selector."""
    task: NonEmpty
    """The task, or `Overall`."""
    seen: Estimate | None
    """Share of decided questions whose evidence is seen; None where none could be decided."""
    recall: Probability | None
    """Mean share of evidence spans shown."""
    precision: Probability | None
    """Mean share of frames that show evidence."""
    questions: NonNegativeInt
    """All questions of the task."""
    excluded: dict[str, NonNegativeInt]
    """Questions that could not be decided, by reason."""
    time_sources: dict[str, NonNegativeInt]
    """Decided questions by where their frames' times come from."""


class AnswerCoverage(Record):
    """Answers set against what was shown: right with the evidence unseen is a leak, or a wrong location."""

    frames_of: NonEmpty
    """Identity of the grid, or name of the selector."""
    answers: NonEmpty
    """Name of the answers."""
    seen: Estimate | None
    """Accuracy where the evidence is seen."""
    unseen: Estimate | None
    """Accuracy where it is not."""
    difference: FiniteFloat | None
    """Seen minus unseen."""
    p_value: Probability | None
    """Two-sided, clustered by video, of the difference."""
    right_unseen: tuple[str, ...]
    """Questions answered right with their evidence unseen."""


def summarise_coverage(rows: Iterable[EvidenceCoverage]) -> list[CoverageSummary]:
    """A row for each grid or selector and task, `Overall` last of each."""
    groups: dict[str, dict[str, list[EvidenceCoverage]]] = {}
    for row in rows:
        groups.setdefault(row.frames_of, {}).setdefault(row.task, []).append(row)
    return [
        _summarise(frames_of, task, of_task)
        for frames_of, tasks in groups.items()
        for task, of_task in [*sorted(tasks.items()), (OVERALL, [row for rows in tasks.values() for row in rows])]
    ]


def _summarise(frames_of: str, task: str, rows: Sequence[EvidenceCoverage]) -> CoverageSummary:
    decided = [row for row in rows if row.is_seen is not None]
    count = len(decided)
    return CoverageSummary(
        frames_of=frames_of,
        task=task,
        seen=estimate_share([bool(row.is_seen) for row in decided], [row.video_id for row in decided])
        if decided
        else None,
        recall=sum(row.recall or 0.0 for row in decided) / count if count else None,
        precision=sum(row.precision or 0.0 for row in decided) / count if count else None,
        questions=len(rows),
        excluded=dict(Counter(row.reason for row in rows if row.reason is not None)),
        time_sources=dict(Counter(row.time_source for row in decided if row.time_source is not None)),
    )


def compare_answers(
    rows: Iterable[EvidenceCoverage], answers: Mapping[str, bool], name: str = "answers"
) -> list[AnswerCoverage]:
    """Accuracy on seen against unseen evidence for each grid or selector; questions without an answer are left out."""
    groups: dict[str, list[EvidenceCoverage]] = {}
    for row in rows:
        if row.is_seen is not None and row.question_id in answers:
            groups.setdefault(row.frames_of, []).append(row)
    return [_compare(frames_of, decided, answers, name) for frames_of, decided in groups.items()]


def _compare(
    frames_of: str, decided: Sequence[EvidenceCoverage], answers: Mapping[str, bool], name: str
) -> AnswerCoverage:
    parts = {
        is_seen: [(answers[row.question_id], row.video_id) for row in decided if row.is_seen is is_seen]
        for is_seen in (True, False)
    }
    seen, unseen = (
        estimate_share([right for right, _ in part], [video for _, video in part]) if part else None
        for part in (parts[True], parts[False])
    )
    return AnswerCoverage(
        frames_of=frames_of,
        answers=name,
        seen=seen,
        unseen=unseen,
        difference=seen.value - unseen.value if seen and unseen else None,
        p_value=_test_difference(parts[True], parts[False]),
        right_unseen=tuple(row.question_id for row in decided if row.is_seen is False and answers[row.question_id]),
    )


def _test_difference(seen: Sequence[tuple[bool, str]], unseen: Sequence[tuple[bool, str]]) -> float | None:
    """How often chance alone would part two shares this far; they may have videos in common (linearised, clustered)."""
    if not seen or not unseen:
        return None
    total = len(seen) + len(unseen)
    means = [sum(right for right, _ in part) / len(part) for part in (seen, unseen)]
    # each question's part in the difference: their mean is the difference, their clustered spread its variance
    parts = [
        *((means[0] - means[1] + (right - means[0]) * total / len(seen), video) for right, video in seen),
        *((means[0] - means[1] - (right - means[1]) * total / len(unseen), video) for right, video in unseen),
    ]
    return compute_clustered_p_value([value for value, _ in parts], [video for _, video in parts])
