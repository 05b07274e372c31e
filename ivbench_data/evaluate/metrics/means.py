"""Figures from units: means over questions or over tasks, their intervals, and the benchmark's own figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Literal

from ivbench_data.evaluate.metrics.units import ScoredRow, Unit
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.statistics import Estimate, estimate_mean_of_strata, estimate_share

MeanOf = Literal["questions", "tasks"]
"""Whether a figure over several tasks is a mean over questions, or over the tasks' figures."""

Units = Sequence[tuple[str, Unit]]
"""Units with their tasks."""


def combine(scored_rows: Sequence[ScoredRow]) -> list[tuple[str, Unit]]:
    """The units of the rows with their tasks, as the metrics group them, in the order of their first questions."""
    of_task: dict[str, list[ScoredRow]] = {}
    for item in scored_rows:
        of_task.setdefault(item.question.task, []).append(item)
    place = {item.question.question_id: at for at, item in enumerate(scored_rows)}
    units = [(task, unit) for task, items in of_task.items() for unit in items[0].metric.combine(items)]
    return sorted(units, key=lambda pair: place[pair[1].questions[0].question.question_id])


def _weigh_strata(units: Units, mean_of: MeanOf) -> dict[Hashable, float]:
    """Weight of each stratum: tasks by their number of units or equally, the strata of a task equally."""
    strata: dict[str, dict[str, int]] = {}
    for task, unit in units:
        counts = strata.setdefault(task, {})
        counts[unit.stratum] = counts.get(unit.stratum, 0) + 1
    return {
        (task, stratum): (1 / len(strata) if mean_of == "tasks" else sum(counts.values()) / len(units)) / len(counts)
        for task, counts in strata.items()
        for stratum in counts
    }


def _is_plain_mean(units: Units, mean_of: MeanOf) -> bool:
    return mean_of == "questions" and not any(unit.stratum for _, unit in units)


def average(units: Units, values: Sequence[float], mean_of: MeanOf) -> float | None:
    """The mean of the units' values, weighted like the accuracy; None without units."""
    if not units:
        return None
    if _is_plain_mean(units, mean_of):
        return sum(values) / len(values)
    weights = _weigh_strata(units, mean_of)
    size = Counter((task, unit.stratum) for task, unit in units)
    return sum(
        weights[task, unit.stratum] * value / size[task, unit.stratum]
        for (task, unit), value in zip(units, values, strict=True)
    )


def estimate(units: Units, mean_of: MeanOf, draws: int = 1) -> Estimate | None:
    """Accuracy: the mean of the units' points, with an interval clustered by the videos of their first questions.

    `draws` is the number of independent draws that a unit's points are the mean of.
    """
    if not units:
        return None
    points = [unit.points or 0.0 for _, unit in units]
    clusters = [cluster_of(unit.questions[0].question) for _, unit in units]
    if _is_plain_mean(units, mean_of):
        return estimate_share(points, clusters, draws=draws)
    strata = [(task, unit.stratum) for task, unit in units]
    return estimate_mean_of_strata(points, strata, _weigh_strata(units, mean_of), clusters, draws=draws)


def score_like_benchmark(scored_rows: Sequence[ScoredRow], mean_of: MeanOf) -> float | None:
    """Figure of the benchmark's own code for the replies; None where its rules are ours in all these tasks."""
    of_task: dict[str, list[ScoredRow]] = {}
    for item in scored_rows:
        of_task.setdefault(item.question.task, []).append(item)
    theirs = {task: items[0].metric.score_like_benchmark(items) for task, items in of_task.items()}
    if all(figure is None for figure in theirs.values()) or (len(theirs) > 1 and mean_of == "questions"):
        return None
    for task, figure in theirs.items():
        if figure is None:
            theirs[task] = average(
                units := _find_scored(of_task[task]), [unit.points or 0.0 for _, unit in units], "tasks"
            )
    figures = [figure for figure in theirs.values() if figure is not None]
    return sum(figures) / len(figures) if figures else None


def _find_scored(scored_rows: Sequence[ScoredRow]) -> list[tuple[str, Unit]]:
    return [(task, unit) for task, unit in combine(scored_rows) if unit.points is not None]


def score_with_missing_as_wrong(units: Units, mean_of: MeanOf) -> float | None:
    """The accuracy with 0 points for applicable units that were not asked, or only in part."""
    applicable = [(task, unit) for task, unit in units if unit.points is not None or unit.is_awaited]
    return average(applicable, [unit.points or 0.0 for _, unit in applicable], mean_of)
