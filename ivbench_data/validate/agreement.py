"""Agreement of reviewers beyond chance: Cohen's κ, by scikit-learn, and Krippendorff's α.

α is our own, since the package for it is under the GPL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ivbench_data.errors import MissingDependencyError


def compute_cohen_kappa(first: Mapping[str, str], second: Mapping[str, str]) -> float | None:
    """Cohen's κ of two reviewers over the items that both reviewed.

    None where it says nothing: no item in common, or only one decision used by both.
    """
    shared = sorted(first.keys() & second.keys())
    if len({first[item] for item in shared} | {second[item] for item in shared}) < 2:
        return None
    try:
        from sklearn.metrics import cohen_kappa_score
    except ImportError:
        raise MissingDependencyError("scikit-learn", "validate") from None
    return float(cohen_kappa_score([first[item] for item in shared], [second[item] for item in shared]))


def compute_krippendorff_alpha(reviews: Sequence[Mapping[str, str]]) -> float | None:
    """Krippendorff's α, nominal, of any number of reviewers (each item → decision), with items missing as they may be.

    One less the disagreement within items over that of decisions paired at random. An item with m decisions has m - 1
    as the weight of each pair (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, part D).

    None where it says nothing: no item reviewed twice, or only one decision among those that were.
    """
    items = dict.fromkeys(item for review in reviews for item in review)
    counts = [Counter(review[item] for review in reviews if item in review) for item in items]
    paired = [count for count in counts if count.total() > 1]
    totals = sum(paired, Counter[str]())
    if len(totals) < 2:
        return None
    observed = sum(_count_unlike_pairs(count) / (count.total() - 1) for count in paired)
    return 1 - observed * (totals.total() - 1) / _count_unlike_pairs(totals)


def _count_unlike_pairs(counts: Counter[str]) -> int:
    """Ordered pairs of two decisions that differ."""
    return int(counts.total() ** 2 - sum(count * count for count in counts.values()))
