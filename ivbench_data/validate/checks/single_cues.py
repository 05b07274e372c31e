"""Single cues: rules that pick an option without video, image or training, such as "always the longest option".

A rule picks one option of a question, or several that tie; a tie of k options that holds the answer scores 1/k. Where
nothing is given away, the answer is among the picked options with a probability of their share of the options, so the
number of questions in which it is has an exact (Poisson-binomial) distribution. Questions of one video are alike:
copies of a question count once, and the p-value is no smaller than that of a test with videos as units.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import NonNegativeInt

from ivbench_data.dataset import Dataset
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.questions.option_order import order_options
from ivbench_data.schema import Finding, NonEmpty, Question, Record
from ivbench_data.significance import adjust_holm, compute_clustered_p_value, compute_poisson_binomial_tail
from ivbench_data.statistics import Probability
from ivbench_data.text.folds import fold, read_value
from ivbench_data.validate.checks.context import CheckContext

SIGNIFICANCE: Final = 0.01
"""Level of the finding, one-sided, over all cues of a dataset together."""

GRAVE_EXCESS: Final = 0.15
"""Accuracy above chance from which on a rule gives answers away, and is no mere weakness of the wording."""

MIN_NUMBERS: Final = 3
"""Numbers that a question's options must be, for one of them to be in the middle."""

_WORD = re.compile(r"\w+")

Pick = Callable[[Sequence[str]], frozenset[str]]
"""Which of the distinct options of a question a rule picks; none where the rule does not apply."""


class SingleCue(Record):
    """How far one rule goes on a dataset."""

    cue: NonEmpty
    """Name of the rule."""
    questions: NonNegativeInt
    """Questions that it applies to, copies counted once."""
    accuracy: Probability
    """Share that it answers; a tie of k options that holds the answer counts 1/k."""
    chance: Probability
    """The same for a random option."""
    p_value: Probability
    """One-sided, Holm-adjusted over all cues."""
    is_claimed: bool
    """Whether it beats chance."""


@dataclass(frozen=True)
class Trial:
    """One rule on one question."""

    question: Question
    picked: frozenset[str]
    """The options that it picks, without copies."""
    options: int
    """Distinct options of the question."""

    @property
    def is_hit(self) -> bool:
        """Whether the answer is among the picked options."""
        return self.question.answer in self.picked


# --- the rules ------------------------------------------------------------------------------------------------------


def pick_longest(options: Sequence[str]) -> frozenset[str]:
    """The option with the most characters."""
    return _pick_highest(options, [len(option.strip()) for option in options])


def pick_shortest(options: Sequence[str]) -> frozenset[str]:
    """The option with the fewest characters."""
    return _pick_highest(options, [-len(option.strip()) for option in options])


def pick_most_specific(options: Sequence[str]) -> frozenset[str]:
    """The option with the most different words of four letters or more, and numbers: it says the most details."""
    details = [
        len({word for word in _WORD.findall(fold(option)) if len(word) > 3 or word.isdigit()}) for option in options
    ]
    return _pick_highest(options, details)


def pick_middle_number(options: Sequence[str]) -> frozenset[str]:
    """The number in the middle, where all options are numbers, times or lengths of time; two of an even count."""
    values = [read_value(option) for option in options]
    kinds = {value.kind if value is not None else None for value in values}
    if len(kinds) != 1 or kinds & {None, "ranges"}:
        return frozenset()
    amounts = [value.amounts for value in values if value is not None]
    ordered = sorted(set(amounts))
    if len(ordered) < MIN_NUMBERS:
        return frozenset()
    middle = {ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]}
    return frozenset(option for option, amount in zip(options, amounts, strict=True) if amount in middle)


RULES: Final[dict[str, Pick]] = {
    "longest": pick_longest,
    "shortest": pick_shortest,
    "most specific": pick_most_specific,
    "middle number": pick_middle_number,
}
"""Rules that look at the options' texts, by name. `key position` looks at their order, where the release has one."""

KEY_POSITION: Final = "key position"


def try_rule(questions: Sequence[Question], pick: Pick) -> list[Trial]:
    """The rule on every question that it applies to: some options are picked, and not all of them."""
    trials = []
    for question in questions:
        options = list(dict.fromkeys(question.options))
        picked = pick(options)
        if 0 < len(picked) < len(options):
            trials.append(Trial(question, picked, len(options)))
    return trials


# --- what they come to ----------------------------------------------------------------------------------------------


def measure_single_cues(questions: Iterable[Question]) -> list[SingleCue]:
    """Accuracy of each rule, in the order of `RULES`; rules that apply to no question are left out.

    Raises:
        MissingDependencyError: scipy is not installed.
    """
    questions = [question for question in questions if question.answer in question.options]
    measured: list[tuple[str, list[Trial], float]] = []
    for name, pick in RULES.items():
        trials = _drop_copies(try_rule(questions, pick))
        if trials:
            measured.append((name, trials, _compute_p_value(trials)))
    if has_own_order(questions):
        measured.extend(_try_positions(questions))
    adjusted = adjust_holm([p_value for _, _, p_value in measured])
    return [
        SingleCue(
            cue=name,
            questions=len(trials),
            accuracy=sum(trial.is_hit / len(trial.picked) for trial in trials) / len(trials),
            chance=sum(1 / trial.options for trial in trials) / len(trials),
            p_value=p_value,
            is_claimed=p_value < SIGNIFICANCE,
        )
        for (name, trials, _), p_value in zip(measured, adjusted, strict=True)
    ]


def has_own_order(questions: Sequence[Question]) -> bool:
    """Whether the options are in an order of the release: not in the one by digests that import can give them."""
    return any(question.options != order_options(question.question_id, question.options) for question in questions)


def check_single_cue(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Rules such as "always the longest option" that beat chance: one finding a rule, on the whole dataset.

    A `warning`, and an `error` where the rule is right 15 points more often than chance. One-sided exact tests at 1%,
    adjusted by Holm over the rules.
    """
    for row in measure_single_cues(dataset.questions):
        if not row.is_claimed:
            continue
        yield Finding(
            check="single_cue",
            severity="error" if row.accuracy - row.chance >= GRAVE_EXCESS else "warning",
            message=f"{describe_cue(row.cue)} answers {row.accuracy:.0%} of {row.questions:,} questions; "
            f"chance is {row.chance:.0%}",
            evidence={
                "cue": row.cue,
                "questions": row.questions,
                "accuracy": round(row.accuracy, 4),
                "chance": round(row.chance, 4),
                "p_value": row.p_value,
            },
        )


def describe_cue(name: str) -> str:
    """The rule in words, as the subject of a sentence."""
    if name.startswith(KEY_POSITION):
        return f"always choosing position {name.removeprefix(KEY_POSITION).strip()}"
    return {
        "longest": "always choosing the longest option",
        "shortest": "always choosing the shortest option",
        "most specific": "always choosing the option with the most details",
        "middle number": "always choosing the number in the middle",
    }[name]


# --- parts ----------------------------------------------------------------------------------------------------------


def _pick_highest(options: Sequence[str], scores: Sequence[int]) -> frozenset[str]:
    best = max(scores, default=0)
    return frozenset(option for option, score in zip(options, scores, strict=True) if score == best)


def _drop_copies(trials: Sequence[Trial]) -> list[Trial]:
    """One trial of those on the same options, answer and video: rotations of a question are no further evidence."""
    first: dict[tuple[object, ...], Trial] = {}
    for trial in trials:
        question = trial.question
        first.setdefault((cluster_of(question), frozenset(question.options), question.answer), trial)
    return list(first.values())


def _compute_p_value(trials: Sequence[Trial]) -> float:
    """How often chance alone would put the answer among the picked options so often."""
    chances = [len(trial.picked) / trial.options for trial in trials]
    exact = compute_poisson_binomial_tail(sum(trial.is_hit for trial in trials), chances)
    excess = [trial.is_hit - chance for trial, chance in zip(trials, chances, strict=True)]
    clusters = [cluster_of(trial.question) for trial in trials]
    return max(exact, compute_clustered_p_value(excess, clusters, "greater", -max(chances)))


def _try_positions(questions: Sequence[Question]) -> Iterator[tuple[str, list[Trial], float]]:
    """The position that holds most answers against chance, its p-value times the number of positions."""
    best: tuple[str, list[Trial], float] | None = None
    most = max((len(question.options) for question in questions), default=0)
    for position in range(most):
        trials = [
            Trial(question, frozenset({question.options[position]}), len(set(question.options)))
            for question in questions
            if position < len(question.options) and len(set(question.options)) > 1
        ]
        p_value = _compute_p_value(trials) if trials else 1.0
        if trials and (best is None or p_value < best[2]):
            letter = LETTERS[position] if position < len(LETTERS) else str(position + 1)
            best = (f"{KEY_POSITION} {letter}", trials, p_value)
    if best is not None:
        yield best[0], best[1], min(1.0, best[2] * most)
