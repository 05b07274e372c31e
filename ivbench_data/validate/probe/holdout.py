"""Training on some videos and asking about the others: the one way in which the probe ever scores an option."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ivbench_data.errors import MissingDependencyError
from ivbench_data.validate.probe.families import FAMILIES
from ivbench_data.validate.probe.features import CUES
from ivbench_data.validate.probe.option_table import (
    RATE_NAMES,
    OptionTable,
    count_answers,
    describe_context,
    sum_by_question,
)

Step = Callable[[str, int], None]
"""Called after each step with its name and the number of steps so far."""


@dataclass(frozen=True)
class Probing:
    """Which family, and which deal into folds."""

    family: str
    seed: int


@dataclass(frozen=True)
class HeldOut:
    """Held-out probabilities, float64 [rows]: with all cues, and of each cue without it and with it alone."""

    likely: np.ndarray
    without: dict[str, np.ndarray]
    alone: dict[str, np.ndarray]


@dataclass
class Steps:
    """Counts finished steps, and reports each."""

    report: Step | None = None
    done: int = 0

    def finish(self, name: str) -> None:
        """Count one more step, and report it."""
        self.done += 1
        if self.report is not None:
            self.report(name, self.done)


def hold_out(
    table: OptionTable, correct: np.ndarray, key: Probing, folds: int, steps: Steps, with_cues: bool = False
) -> HeldOut:
    """Probabilities of each option by models that have not seen its video.

    On one thread: it is as fast on tables this size, and adds in the same order on every machine.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingDependencyError("scikit-learn", "validate") from None
    _, context = describe_context(table)
    cue_of = [name.split(".")[0] for name in (*table.names, *RATE_NAMES)]
    columns = {cue: np.asarray([own == cue for own in cue_of]) for cue in (CUES if with_cues else ())}
    likely = np.zeros(len(correct))
    without = {cue: np.zeros(len(correct)) for cue in columns}
    alone = {cue: np.zeros(len(correct)) for cue in columns}
    with threadpool_limits(1):
        for learns in deal_folds(table, folds, key.seed):
            rows_learn = learns[table.question_of]
            if correct[rows_learn].all():  # one class only, nothing learnt: all options stay equally likely
                continue
            rows = np.hstack([table.values, count_answers(table, correct, learns)])
            score = FAMILIES[key.family](rows[rows_learn], context[rows_learn], correct[rows_learn], key.seed)
            asked, around = rows[~rows_learn], context[~rows_learn]
            likely[~rows_learn] = score(asked, around)
            # every feature is 0 where an option does not differ from its rivals: a cue set to 0 says nothing
            for cue, is_of_cue in columns.items():
                without[cue][~rows_learn] = score(np.where(is_of_cue, 0.0, asked), around)
                alone[cue][~rows_learn] = score(np.where(is_of_cue, asked, 0.0), around)
    steps.finish(f"{key.family}, seed {key.seed}")
    return HeldOut(
        choose_softly(table, likely),
        {cue: choose_softly(table, logits) for cue, logits in without.items()},
        {cue: choose_softly(table, logits) for cue, logits in alone.items()},
    )


def deal_folds(table: OptionTable, folds: int, seed: int) -> Iterator[np.ndarray]:
    """For each fold, bool [questions]: which may be learnt from. All questions on one video share a fold."""
    try:
        from sklearn.model_selection import GroupKFold
    except ImportError:
        raise MissingDependencyError("scikit-learn", "validate") from None
    splitter = GroupKFold(folds, shuffle=True, random_state=seed)
    for learnt, _ in splitter.split(table.cluster, groups=table.cluster):
        learns = np.zeros(len(table.questions), dtype=bool)
        learns[learnt] = True
        yield learns


def average(results: Iterable[HeldOut]) -> np.ndarray:
    """The mean probability of each option, float64 [rows]."""
    mean: np.ndarray = np.mean([result.likely for result in results], axis=0)
    return mean


def choose_softly(table: OptionTable, logits: np.ndarray) -> np.ndarray:
    """Softmax of the logits within each question."""
    peaks = np.maximum.reduceat(logits, table.starts[:-1])[table.question_of]
    weights = np.exp(logits - peaks)
    likely: np.ndarray = weights / sum_by_question(table, weights)[table.question_of]
    return likely


def find_picks(table: OptionTable, scores: np.ndarray) -> np.ndarray:
    """The best option of each question, bool [rows]; several where they are equal but for rounding."""
    best = np.maximum.reduceat(scores, table.starts[:-1])[table.question_of]
    picks: np.ndarray = scores >= best - 1e-9
    return picks


def score_picks(table: OptionTable, scores: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """float64 [questions]: the share of the best options that are right."""
    picks = find_picks(table, scores)
    shares: np.ndarray = sum_by_question(table, picks & correct) / sum_by_question(table, picks)
    return shares


def replace_answers(table: OptionTable, seed: int) -> np.ndarray:
    """Answers drawn at random, bool [rows]: in each question one option, and those equal to it."""
    generator = np.random.default_rng([seed, 0x6E756C6C])
    correct = np.zeros(len(table.correct), dtype=bool)
    for at, question in enumerate(table.questions):
        start = table.starts[at]
        drawn = int(generator.integers(table.sizes[at]))
        text = question.options[table.option_index[start + drawn]]
        for row in range(start, table.starts[at + 1]):
            correct[row] = question.options[table.option_index[row]] == text
    return correct
