"""Intervals that respect videos: thin over scipy.

Questions about one video are alike, so they are not independent draws: every interval here that takes `clusters` is
about videos drawn again, not about questions drawn again. With one question a video it equals the usual one.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Hashable, Mapping, Sequence
from types import ModuleType
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, FiniteFloat, NonNegativeInt

from ivbench_data.errors import MissingDependencyError, UsageError
from ivbench_data.schema import NonEmpty, Record

CONFIDENCE = 0.95
"""Coverage of the intervals, unless another is asked for."""

Probability = Annotated[float, Field(ge=0, le=1)]
Bounds = tuple[float, float]


class Estimate(Record):
    """A figure with its interval.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> overall = iv.score_results(dataset, results).overall
        >>> round(overall.accuracy.value, 3), overall.accuracy.n
        (0.667, 3)
    """

    value: FiniteFloat
    """The figure."""
    low: FiniteFloat
    """Lower end of the interval."""
    high: FiniteFloat
    """Upper end of the interval."""
    n: NonNegativeInt
    """Questions (or other units) behind it."""
    clusters: NonNegativeInt
    """Videos (or other groups) behind it; equal to `n` where nothing is grouped."""
    design_effect: Annotated[FiniteFloat, Field(ge=0)] = 1.0
    """How many times wider the variance is than that of `n` independent units."""
    method: NonEmpty
    """How the interval was made."""
    confidence: Probability = CONFIDENCE
    """Its coverage."""

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def holds(self, value: float) -> bool:
        """Whether the interval holds the value, ends included."""
        return self.low <= value <= self.high


# --- intervals --------------------------------------------------------------------------------------------------


def estimate_ratio(
    numerators: Sequence[float],
    denominators: Sequence[float],
    clusters: Sequence[Hashable],
    bounds: Bounds = (0.0, 1.0),
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The ratio of two sums, with an interval clustered by `clusters`, cut to `bounds`.

    With `R = Σa / Σb` and a cluster's total residual `u_g = Σ_{i in g} (a_i - R b_i)`, the variance is the linearised
    one of a ratio with the small-sample factor of CR1: `v = G/(G-1) · Σ u_g² / (Σb)²`, and the interval is
    `R ± t_{G-1} √v` (Cochran, *Sampling Techniques*, 3rd ed., 6.3; Cameron & Miller 2015, *A Practitioner's Guide to
    Cluster-Robust Inference*, II.A). A single cluster says nothing of the spread: the interval is then `bounds`. Where
    no cluster differs from any other, the share of clusters elsewhere that could is bounded by `1 - (α/2)^(1/G)`.

    Raises:
        UsageError: nothing to estimate from, unequal lengths, or denominators that sum to nothing.
    """
    a, b = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if not len(a) == len(b) == len(clusters) or not len(a):
        raise UsageError(f"cannot estimate from {len(a)} numerators, {len(b)} denominators, {len(clusters)} clusters")
    total = float(b.sum())
    if not total > 0:
        raise UsageError("cannot estimate a ratio whose denominators sum to nothing")
    value = float(a.sum()) / total
    of_cluster = number_clusters(clusters)
    count = int(of_cluster.max()) + 1
    residuals = np.bincount(of_cluster, weights=a - value * b, minlength=count)
    low, high = bounds
    variance = compute_clustered_variance(residuals, total)
    if count > 1 and variance > 0:
        half = _t_quantile(confidence, count - 1) * math.sqrt(variance)
        low, high = max(low, value - half), min(high, value + half)
    elif count > 1:
        others = 1 - ((1 - confidence) / 2) ** (1 / count)
        low, high = value - others * (value - low), value + others * (high - value)
    independent = float(((a - value * b) ** 2).sum()) / total**2
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        n=len(a),
        clusters=count,
        design_effect=variance / independent if independent > 0 and count > 1 else 1.0,
        method="CR1, t",
        confidence=confidence,
    )


def estimate_mean(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    bounds: Bounds = (0.0, 1.0),
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The mean of values that lie within `bounds`, with an interval clustered by `clusters`; see `estimate_ratio`.

    Raises:
        UsageError: no values, or unequal lengths.
    """
    return estimate_ratio(values, np.ones(len(values)).tolist(), clusters, bounds, confidence)


def estimate_share(
    hits: Sequence[float], clusters: Sequence[Hashable], confidence: float = CONFIDENCE, draws: int = 1
) -> Estimate:
    """The share of hits (each 0 to 1, such as right or wrong), with a Wilson interval clustered by `clusters`.

    Wilson's interval at the effective sample size `n* = p(1-p) / v`, with `v` the clustered variance of
    `estimate_ratio` and t with `G-1` degrees of freedom for z: it stays within 0 to 1, and keeps its coverage near both
    ends and with few clusters, where `p ± t√v` does not (Franco, Little, Louis & Slud 2019, *J. Survey Statistics and
    Methodology* 7(3)). `n*` is at most `n`, or `draws` times that if each hit is the mean of so many draws; with none
    or all hit it is the number of clusters, the cautious reading.

    Raises:
        UsageError: nothing to estimate from, unequal lengths, or a hit outside 0 to 1.
    """
    values = np.asarray(hits, dtype=np.float64)
    if not len(values) == len(clusters) or not len(values):
        raise UsageError(f"cannot estimate a share from {len(values)} hits in {len(clusters)} clusters")
    if values.min() < 0 or values.max() > 1:
        raise UsageError(f"a hit is between 0 and 1, not {values.min()} or {values.max()}")
    share = float(values.mean())
    of_cluster = number_clusters(clusters)
    count = int(of_cluster.max()) + 1
    residuals = np.bincount(of_cluster, weights=values - share, minlength=count)
    variance, spread = compute_clustered_variance(residuals, len(values)), share * (1 - share)
    if not spread > 1e-15:
        effective = float(count)
    elif variance > 0:
        effective = min(float(len(values) * draws), spread / variance)
    else:
        effective = float(len(values))
    return _surround(share, len(values), effective, count, "Wilson, clustered", confidence)


def _surround(share: float, n: int, effective: float, clusters: int, method: str, confidence: float) -> Estimate:
    """The share with its Wilson interval on `effective` hits; a single cluster says nothing of the spread."""
    low, high = _wilson(share, effective, _t_quantile(confidence, clusters - 1)) if clusters > 1 else (0.0, 1.0)
    return Estimate(
        value=share,
        low=min(low, share),
        high=max(high, share),
        n=n,
        clusters=clusters,
        design_effect=n / effective,
        method=method,
        confidence=confidence,
    )


def estimate_mean_of_strata(
    hits: Sequence[float],
    strata: Sequence[Hashable],
    weights: Mapping[Hashable, float],
    clusters: Sequence[Hashable],
    confidence: float = CONFIDENCE,
    draws: int = 1,
) -> Estimate:
    """The weighted mean `Σ W_s p_s` of the strata's shares, with a Wilson interval clustered by `clusters`.

    `weights` holds `W_s`, which sum to 1. A hit's residual is `W_s (y - p_s) / n_s`, clusters may cross strata. Strata
    that are each all hits or none show no spread: `n*` is then the number of clusters. The rest is as in
    `estimate_share`, which it is with one stratum.

    Raises:
        UsageError: as `estimate_share`, or a stratum has no weight, or a weight no hits.
    """
    if len(set(strata)) == 1 and len(hits) == len(strata):
        return estimate_share(hits, clusters, confidence, draws)
    values = np.asarray(hits, dtype=np.float64)
    if not len(values) == len(strata) == len(clusters) or not len(values):
        raise UsageError(f"cannot estimate from {len(values)} hits, {len(strata)} strata, {len(clusters)} clusters")
    if values.min() < 0 or values.max() > 1 or set(strata) != weights.keys():
        raise UsageError("a hit is between 0 and 1, and every stratum has a weight and hits")
    of_stratum, order = number_clusters(strata), list(dict.fromkeys(strata))
    sizes = np.bincount(of_stratum)
    shares = np.bincount(of_stratum, weights=values) / sizes
    weight = np.asarray([weights[name] for name in order])
    share = min(1.0, max(0.0, float((weight * shares).sum())))
    of_cluster = number_clusters(clusters)
    count = int(of_cluster.max()) + 1
    residuals = np.bincount(
        of_cluster, weights=(weight / sizes)[of_stratum] * (values - shares[of_stratum]), minlength=count
    )
    variance, spread = compute_clustered_variance(residuals, 1.0), share * (1 - share)
    is_spread = spread > 1e-15 and variance > 0
    effective = min(float(len(values) * draws), spread / variance) if is_spread else float(count)
    return _surround(share, len(values), effective, count, "Wilson, stratified, clustered", confidence)


def estimate_unclustered_share(
    hits: int, n: int, method: Literal["wilson", "clopper_pearson"] = "wilson", confidence: float = CONFIDENCE
) -> Estimate:
    """The share `hits / n` of independent units, with Wilson's interval or the exact one of Clopper and Pearson.

    Raises:
        UsageError: `n` is not positive, or `hits` is not between 0 and `n`.
    """
    if n < 1 or not 0 <= hits <= n:
        raise UsageError(f"{hits} hits of {n} is not a share")
    name = {"wilson": "wilson", "clopper_pearson": "exact"}[method]
    interval = import_scipy("stats").binomtest(hits, n).proportion_ci(confidence, method=name)
    value = hits / n
    return Estimate(
        value=value,
        low=min(float(interval.low), value),
        high=max(float(interval.high), value),
        n=n,
        clusters=n,
        method={"wilson": "Wilson", "clopper_pearson": "Clopper-Pearson"}[method],
        confidence=confidence,
    )


def find_sample_size(
    share: float,
    margin: float,
    design_effect: float = 1.0,
    cluster_size: float = 1.0,
    power: float = 0.8,
    confidence: float = CONFIDENCE,
) -> int:
    """How many units it takes for the upper bound of `estimate_share` to stay within `margin` above a true `share`.

    To do so in `power` of all samples: what is observed scatters around the true share with a standard error of
    `√(design_effect · p(1-p) / n)`, and the bound has `n / cluster_size - 1` degrees of freedom.

    Raises:
        UsageError: `share` or `margin` leaves no room below 1, or another value is out of range.
    """
    if not (0 <= share < 1 and 0 < margin < 1 - share and 0 < power < 1 and design_effect > 0 and cluster_size >= 1):
        raise UsageError(f"no sample can keep a bound within {margin} above a share of {share}")
    scatter = float(import_scipy("special").ndtri(power))

    def is_enough(n: int) -> bool:
        clusters = int(n / cluster_size)
        if clusters < 2:
            return False
        effective = n / max(1.0, design_effect)
        observed = min(1.0, share + scatter * math.sqrt(share * (1 - share) / effective))
        return _wilson(observed, effective, _t_quantile(confidence, clusters - 1))[1] <= share + margin

    enough = 2
    while not is_enough(enough):
        enough *= 2
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if is_enough(middle) else (middle, enough)
    return enough


# --- paired comparisons -----------------------------------------------------------------------------------------


# --- agreement --------------------------------------------------------------------------------------------------


# --- parts ------------------------------------------------------------------------------------------------------


def import_scipy(module: Literal["special", "stats"]) -> ModuleType:
    """The module `scipy.special`, or `scipy.stats`, which takes a second more to load.

    Raises:
        MissingDependencyError: scipy is not installed.
    """
    try:
        return importlib.import_module(f"scipy.{module}")
    except ImportError:
        raise MissingDependencyError("scipy", "score") from None


def _t_quantile(confidence: float, degrees: int) -> float:
    return float(import_scipy("special").stdtrit(degrees, (1 + confidence) / 2))


def number_clusters(clusters: Sequence[Hashable]) -> np.ndarray:
    """int64 [units]: the number of each unit's cluster, from 0 in order of appearance."""
    number_of: dict[Hashable, int] = {}
    return np.asarray([number_of.setdefault(cluster, len(number_of)) for cluster in clusters], dtype=np.int64)


def compute_clustered_variance(residuals: np.ndarray, total: float) -> float:
    """CR1 variance from each cluster's total residual; nothing but rounding counts as nothing."""
    count = len(residuals)
    if count < 2:
        return 0.0
    variance = count / (count - 1) * float((residuals**2).sum()) / total**2
    return variance if variance > 1e-24 else 0.0


def _wilson(share: float, n: float, quantile: float) -> tuple[float, float]:
    square = quantile**2 / n
    centre = (share + square / 2) / (1 + square)
    half = quantile / (1 + square) * math.sqrt(share * (1 - share) / n + square / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)
