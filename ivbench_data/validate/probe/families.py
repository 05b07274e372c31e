"""The probe's families of models: each learns from options as rows and scores the options it has not seen.

A family is `fit(rows, context, right, seed) -> score`, where `score(rows, context)` gives a logit for each row;
softmaxed within the question it is a probability. Families differ in kind, so that what some chose others can certify.
One more is one more function and a line in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ivbench_data.errors import MissingDependencyError

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Logits, float64 [rows], of features float64 [rows, columns] and context float64 [rows, context columns]."""
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, int], Score]


def fit_boosting(rows: np.ndarray, context: np.ndarray, right: np.ndarray, seed: int) -> Score:
    """Gradient-boosted trees on features and context together."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError:
        raise MissingDependencyError("scikit-learn", "validate") from None
    model = HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=120,
        max_leaf_nodes=12,
        min_samples_leaf=20,
        l2_regularization=5.0,
        max_features=0.3,
        early_stopping=False,
        random_state=seed,
    )
    model.fit(np.hstack([rows, context]), right)

    def score(rows: np.ndarray, context: np.ndarray) -> np.ndarray:
        logits: np.ndarray = model.decision_function(np.hstack([rows, context]))
        return logits

    return score


def fit_logistic(rows: np.ndarray, context: np.ndarray, right: np.ndarray, seed: int) -> Score:
    """Logistic regression on the features, with a weight of its own for each feature in each task.

    The first column of the context is the task's number. Nothing is random here; folds differ with the seed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MissingDependencyError("scikit-learn", "validate") from None
    scale = rows.std(axis=0)
    scale[scale < 1e-9] = 1.0
    tasks = [task for task, count in zip(*np.unique(context[:, 0], return_counts=True), strict=True) if count >= 50]

    def spread(rows: np.ndarray, context: np.ndarray) -> np.ndarray:
        scaled = np.clip(rows / scale, -6, 6)
        of_task = [scaled * (context[:, :1] == task) for task in tasks]
        return np.hstack([scaled, *of_task]).astype(np.float32)

    model = LogisticRegression(C=0.02, solver="lbfgs", max_iter=2000, tol=1e-3)
    model.fit(spread(rows, context), right)

    def score(rows: np.ndarray, context: np.ndarray) -> np.ndarray:
        logits: np.ndarray = model.decision_function(spread(rows, context))
        return logits

    return score


def fit_forest(rows: np.ndarray, context: np.ndarray, right: np.ndarray, seed: int) -> Score:
    """Extremely randomised trees on features and context together."""
    try:
        from sklearn.ensemble import ExtraTreesClassifier
    except ImportError:
        raise MissingDependencyError("scikit-learn", "validate") from None
    model = ExtraTreesClassifier(n_estimators=40, min_samples_leaf=5, max_features=0.3, n_jobs=1, random_state=seed)
    model.fit(np.hstack([rows, context]), right)

    def score(rows: np.ndarray, context: np.ndarray) -> np.ndarray:
        share = np.clip(model.predict_proba(np.hstack([rows, context]))[:, 1], 1e-3, 1 - 1e-3)
        logits: np.ndarray = np.log(share / (1 - share))
        return logits

    return score


def fit_network(rows: np.ndarray, context: np.ndarray, right: np.ndarray, seed: int) -> Score:
    """A small neural network on features, context and one input a task."""
    try:
        from sklearn.neural_network import MLPClassifier
    except ImportError:
        raise MissingDependencyError("scikit-learn", "validate") from None
    mean, scale = np.hstack([rows, context]).mean(axis=0), np.hstack([rows, context]).std(axis=0)
    scale[scale < 1e-9] = 1.0
    tasks = np.unique(context[:, 0])

    def spread(rows: np.ndarray, context: np.ndarray) -> np.ndarray:
        scaled = np.clip((np.hstack([rows, context]) - mean) / scale, -6, 6)
        return np.hstack([scaled, context[:, :1] == tasks]).astype(np.float32)

    model = MLPClassifier((24,), alpha=1.0, batch_size=min(256, len(rows)), learning_rate_init=2e-3, random_state=seed)
    inputs = spread(rows, context)
    for _ in range(12):  # a fixed number of passes, chosen beforehand: nothing held out steers the training
        model.partial_fit(inputs, right, classes=[False, True])

    def score(rows: np.ndarray, context: np.ndarray) -> np.ndarray:
        share = np.clip(model.predict_proba(spread(rows, context))[:, 1], 1e-6, 1 - 1e-6).astype(np.float64)
        logits: np.ndarray = np.log(share / (1 - share))
        return logits

    return score


FAMILIES: Final[dict[str, Fit]] = {
    "boosting": fit_boosting,
    "logistic": fit_logistic,
    "forest": fit_forest,
    "network": fit_network,
}
"""Every family."""
