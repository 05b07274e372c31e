"""What several samples of each question say together: their mean, their majority vote, and pass@k.

All three are means over units (a question, or a pair that counts together), with intervals clustered by video:

- the mean of the samples' points, which is what one reply is worth;
- the majority vote: the answer that most samples name. Where several are named equally often, each counts for its
  share. Samples that name nothing do not vote; without a vote the question is wrong.
- pass@k: how likely one of k samples at least has all points. Of n samples, c of them right, `1 - C(n-c, k) / C(n, k)`
  estimates it without bias (Chen et al. 2021, *Evaluating Large Language Models Trained on Code*, eq. 1).

A vote among guesses is right as often as one guess, since no option is preferred; k guesses pass with `1 - (1 - p)^k`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import comb

from ivbench_data.evaluate.metrics.means import MeanOf, Units, average, combine, estimate
from ivbench_data.evaluate.metrics.units import ScoredRow, Unit
from ivbench_data.evaluate.sampled_rows import Samples, split_rounds
from ivbench_data.schema import Record
from ivbench_data.statistics import Estimate, Probability


class SampledFigure(Record):
    """A figure that rests on several samples of each question.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> options = iv.AskOptions(grid=iv.FrameGrid(nframes=4, res=16), samples=4)
        >>> plans = []
        >>> rows = iv.evaluate_questions(dataset, model="baseline:random", options=options, on_plan=plans.append)
        >>> len(list(rows))
        12
        >>> card = iv.score_results(dataset, iv.read_results(plans[0].path))
        >>> round(card.overall.pass_at[4].chance, 3)
        0.684
    """

    accuracy: Estimate
    """The figure with its interval."""
    chance: Probability | None
    """What guessing gives, where known."""


Rounds = Sequence[tuple[str, tuple[Unit, ...]]]
"""Units with their tasks, once for each sample."""


def combine_rounds(sampled: Sequence[Samples]) -> Rounds:
    """The units of the questions with their tasks, as each sample scores them."""
    rounds = [combine(items) for items in split_rounds(sampled)]
    return [(group[0][0], tuple(unit for _, unit in group)) for group in zip(*rounds, strict=True)]


def average_rounds(rounds: Rounds) -> list[tuple[str, Unit]]:
    """The units with the mean of the samples' points; None where a sample cannot be scored."""
    return [(task, replace(units[0], points=_average_points(units))) for task, units in rounds]


def _average_points(units: Sequence[Unit]) -> float | None:
    points = [unit.points for unit in units if unit.points is not None]
    return sum(points) / len(points) if len(points) == len(units) else None


def compute_pass_share(n: int, right: int, k: int) -> float:
    """The unbiased estimate of pass@k from `n` samples, `right` of them right; `k` is at most `n`."""
    return 1 - comb(n - right, k) / comb(n, k)


def list_passes(samples: int) -> list[int]:
    """The k of pass@k to show for so many samples: 2, 4, 8, … and all of them; 1 is the mean."""
    powers = [1 << power for power in range(1, samples.bit_length()) if 1 << power < samples]
    return [*powers, samples]


def estimate_passes(rounds: Rounds, mean_of: MeanOf) -> dict[int, SampledFigure]:
    """By k, pass@k over the units that can be scored; empty with one sample, or without units."""
    counted = [
        (task, units[0], sum(unit.points == 1.0 for unit in units))
        for task, units in rounds
        if all(unit.points is not None for unit in units)
    ]
    samples = len(rounds[0][1]) if rounds else 1
    if samples < 2 or not counted:
        return {}
    figures = {}
    for k in list_passes(samples):
        units = [
            (task, replace(unit, points=compute_pass_share(samples, right, k), chance=_find_pass_chance(unit, k)))
            for task, unit, right in counted
        ]
        figures[k] = _estimate(units, mean_of, draws=samples // k)
    return figures


def _find_pass_chance(unit: Unit, k: int) -> float | None:
    """How often one of k guesses is right; None where the chance level is not that of a right guess."""
    if unit.chance is None or not all(item.question.options for item in unit.questions):
        return None
    return float(1 - (1 - unit.chance) ** k)


def estimate_majority(sampled: Sequence[Samples], rounds: Rounds, mean_of: MeanOf) -> SampledFigure | None:
    """The majority vote over the units that can be scored; None with one sample, or without units."""
    if not sampled or len(sampled[0]) < 2:
        return None
    winners_of = {samples[0].question.question_id: find_winners(samples) for samples in sampled}
    units = []
    for task, unit in average_rounds(rounds):
        if unit.points is not None:
            drawn = product(*(winners_of[item.question.question_id] for item in unit.questions))
            points = [one.points or 0.0 for items in drawn for one in items[0].metric.combine(items)]
            units.append((task, replace(unit, points=sum(points) / len(points))))
    return _estimate(units, mean_of) if units else None


def find_winners(samples: Samples) -> list[ScoredRow]:
    """A row for each answer that most samples name; the first row where none names any."""
    rows_of: dict[tuple[int | None, float | None], ScoredRow] = {}
    votes: Counter[tuple[int | None, float | None]] = Counter()
    for item in samples:
        row = item.row
        if row is None or row.status not in ("ok", "truncated") or (row.answer_index is None and row.value is None):
            continue
        votes[row.answer_index, row.value] += 1
        rows_of.setdefault((row.answer_index, row.value), item)
    most = max(votes.values(), default=0)
    return [rows_of[answer] for answer, count in votes.items() if count == most] or [_make_silent(samples[0])]


def _make_silent(item: ScoredRow) -> ScoredRow:
    """The question with a reply that names nothing."""
    return item if item.row is None else replace(item, row=item.row.model_copy(update={"status": "empty"}))


def _estimate(units: Units, mean_of: MeanOf, draws: int = 1) -> SampledFigure:
    known = [(task, unit) for task, unit in units if unit.chance is not None]
    accuracy = estimate(units, mean_of, draws)
    assert accuracy is not None  # there are units
    return SampledFigure(accuracy=accuracy, chance=average(known, [unit.chance or 0.0 for _, unit in known], mean_of))
