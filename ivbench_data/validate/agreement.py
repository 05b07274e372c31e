"""Agreement of reviewers beyond chance: Cohen's κ and Krippendorff's α. Thin over scikit-learn and krippendorff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

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

    None where it says nothing: no item reviewed twice, or only one decision among those that were.
    """
    row_of = {item: at for at, item in enumerate(dict.fromkeys(item for review in reviews for item in review))}
    decisions = sorted({decision for review in reviews for decision in review.values()})
    counts = np.zeros((len(row_of), len(decisions)))
    for review in reviews:
        for item, decision in review.items():
            counts[row_of[item], decisions.index(decision)] += 1
    paired = counts[counts.sum(axis=1) > 1]
    if np.count_nonzero(paired.sum(axis=0)) < 2:
        return None
    try:
        import krippendorff
    except ImportError:
        raise MissingDependencyError("krippendorff", "validate") from None
    return float(krippendorff.alpha(value_counts=paired, level_of_measurement="nominal"))
