"""Tests of significance: paired, clustered by video, exact; and Holm's correction. Thin over scipy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import NonNegativeInt

from ivbench_data.errors import UsageError
from ivbench_data.schema import Record
from ivbench_data.statistics import (
    CONFIDENCE,
    Estimate,
    Probability,
    compute_clustered_variance,
    estimate_mean,
    import_scipy,
    number_clusters,
)


class McNemar(Record):
    """McNemar's test of two classifiers on the same questions."""

    only_first: NonNegativeInt
    """Questions that only the first got right."""
    only_second: NonNegativeInt
    """Questions that only the second got right."""
    p_value: Probability
    """Two-sided: how often chance alone would part them this far."""
    method: Literal["exact", "mid_p", "chi_square"]
    """How it was computed."""


class PairedComparison(Record):
    """Two sets of answers to the same questions: who is right where the other is not."""

    difference: Estimate
    """Accuracy of the first minus that of the second, with the interval clustered by video."""
    mcnemar: McNemar
    """The test on discordant questions, as if questions were independent."""
    clustered_p_value: Probability
    """Two-sided p of the difference with videos as units (t, `clusters - 1` degrees of freedom)."""


def compute_mcnemar(
    only_first: int, only_second: int, method: Literal["auto", "exact", "mid_p", "chi_square"] = "auto"
) -> McNemar:
    """McNemar's two-sided test of two counts of discordant questions.

    `exact` is the binomial test; `mid_p` takes half of the observed outcome's probability off it, which is less timid
    (Fagerland, Lydersen & Laake 2013, *BMC Med. Res. Methodol.* 13:91); `chi_square` has the continuity correction.
    `auto` is exact up to 1,000 discordant questions, and chi-square beyond, where they agree.

    Raises:
        UsageError: a negative count.
    """
    if only_first < 0 or only_second < 0:
        raise UsageError(f"discordant counts cannot be negative: {only_first}, {only_second}")
    discordant, fewer = only_first + only_second, min(only_first, only_second)
    if method == "auto":
        method = "exact" if discordant <= 1000 else "chi_square"
    special = import_scipy("special")
    if not discordant:
        p_value = 1.0
    elif method == "chi_square":
        p_value = float(special.chdtrc(1, (abs(only_first - only_second) - 1) ** 2 / discordant))
    else:
        at_most = float(special.bdtr(fewer, discordant, 0.5))
        below = float(special.bdtr(fewer - 1, discordant, 0.5)) if fewer else 0.0
        p_value = at_most + (below if method == "mid_p" else at_most)
    return McNemar(only_first=only_first, only_second=only_second, p_value=min(1.0, p_value), method=method)


def compare_pairs(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable],
    method: Literal["auto", "exact", "mid_p", "chi_square"] = "auto",
    confidence: float = CONFIDENCE,
) -> PairedComparison:
    """How the first set of answers compares with the second on the same questions, in the same order.

    An answer is right (1) or wrong (0), or the share of several that are right.

    Raises:
        UsageError: no questions, or unequal lengths.
    """
    if not len(first) == len(second) == len(clusters):
        raise UsageError(f"cannot pair {len(first)} answers with {len(second)} in {len(clusters)} clusters")
    differences = [float(one) - float(other) for one, other in zip(first, second, strict=True)]
    difference = estimate_mean(differences, clusters, (-1.0, 1.0), confidence)
    return PairedComparison(
        difference=difference,
        mcnemar=compute_mcnemar(
            sum(value > 0 for value in differences), sum(value < 0 for value in differences), method
        ),
        clustered_p_value=compute_clustered_p_value(differences, clusters),
    )


def compute_clustered_p_value(
    differences: Sequence[float],
    clusters: Sequence[Hashable],
    alternative: Literal["two-sided", "greater"] = "two-sided",
    lowest: float = -1.0,
) -> float:
    """How often chance alone would put the mean of `differences` this far from 0, with clusters as units.

    The t of `estimate_mean` with `G-1` degrees of freedom, but not below what so few clusters can prove: a cluster
    whose mean is 0 in truth, and `lowest` at least, reaches `d` with a probability of `-lowest / (d - lowest)` at most
    (Markov), and all G of them with its G-th power. With `lowest` = -1 and all differences 1 that is the sign test.

    Raises:
        UsageError: nothing to test, or unequal lengths.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not len(values) == len(clusters) or not len(values):
        raise UsageError(f"cannot test {len(values)} differences in {len(clusters)} clusters")
    of_cluster = number_clusters(clusters)
    count = int(of_cluster.max()) + 1
    mean = float(values.mean())
    if mean == 0 or count < 2:
        return 1.0
    residuals = np.bincount(of_cluster, weights=values - mean, minlength=count)
    variance = compute_clustered_variance(residuals, len(values))
    tail = 0.0  # of the side on which the mean lies
    if variance > 0:
        tail = float(import_scipy("special").stdtr(count - 1, -abs(mean) / math.sqrt(variance)))
    means = np.bincount(of_cluster, weights=values, minlength=count) / np.bincount(of_cluster, minlength=count)
    farthest = float(np.abs(means).max())
    tail = min(1.0, max(tail, (-lowest / (farthest - lowest)) ** count))
    if alternative == "greater":
        return tail if mean > 0 else 1 - tail
    return min(1.0, 2 * tail)


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted by Holm's step-down method, in the order given: compare each with the level itself.

    Raises:
        UsageError: a value is not between 0 and 1.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise UsageError(f"p-values are between 0 and 1: {list(p_values)}")
    # statsmodels has this too, and collects all garbage first: 50 ms a call, and more with a model in memory
    ordered = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, dtype=np.float64)[ordered] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[ordered] = np.minimum(1.0, np.maximum.accumulate(steps))
    values: list[float] = adjusted.tolist()
    return values


def binomial_tail(n: int, hits: int, chance: float) -> float:
    """How often chance alone gives so many hits in n draws, or more."""
    if hits <= 0 or chance >= 1:
        return 1.0
    terms = (
        lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(chance) + (n - k) * log1p(-chance)
        for k in range(hits, n + 1)
    )
    return min(1.0, sum(map(exp, terms)))


def compute_poisson_binomial_tail(hits: int, chances: Sequence[float]) -> float:
    """The probability of that many hits or more, each of some guesses being right with its own chance, independently.

    The exact tail of the Poisson-binomial distribution, summed from the far end, so that small ones keep their digits.
    """
    if hits <= 0:
        return 1.0
    if hits > len(chances):
        return 0.0
    return min(1.0, float(_weigh_hits(tuple(sorted(Counter(chances).items())))[hits:][::-1].sum()))


@lru_cache(maxsize=256)
def _weigh_hits(counted: tuple[tuple[float, int], ...]) -> npt.NDArray[np.float64]:
    """Probabilities of 0, 1, … hits, of guesses given as chances and how many have each."""
    weights: npt.NDArray[np.float64] = np.ones(1)
    for chance, times in counted:
        weights = np.convolve(weights, _binomial_weights(times, min(1.0, max(0.0, chance))))
    return weights


def _binomial_weights(n: int, p: float) -> npt.NDArray[np.float64]:
    """Probabilities of 0 to n hits of n."""
    if p in (0.0, 1.0):
        certain: npt.NDArray[np.float64] = np.eye(1, n + 1, n if p else 0)[0]
        return certain
    counts = np.arange(1, n + 1)
    logs = np.cumsum(np.log((n - counts + 1) / counts)) + counts * (np.log(p) - np.log1p(-p))
    weights: npt.NDArray[np.float64] = np.exp(np.concatenate([[0.0], logs]) + n * np.log1p(-p))
    return weights
