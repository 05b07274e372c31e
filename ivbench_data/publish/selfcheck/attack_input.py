"""What an attack on hidden answers is given, and what it gives back.

An attack is a callable: it takes an `AttackInput` and yields `Guess`es, each one way of guessing, over all questions
that it covers. Each guess has its own chance of being right where nothing leaks, so that hits can be compared
with what they would be then, exactly, whatever the numbers of options.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ivbench_data.publish.selfcheck.published_evidence import PublishedEvidence
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import Question


@dataclass(frozen=True)
class Guess:
    """One way of guessing, and how it went."""

    name: str
    """Where the guesses come from, in words that end the sentence "answers can be had from …"."""
    hits: int
    """Right guesses."""
    chances: tuple[float, ...]
    """For each question that it has a guess for: how likely that one would be right, were nothing given away."""

    @property
    def expected(self) -> float:
        """Right guesses to be expected by chance."""
        return sum(self.chances)


@dataclass(frozen=True)
class AttackInput:
    """The hidden questions with their answers, in the order of the published rows, and all that was published."""

    questions: tuple[Question, ...]
    """The questions, with their answers and the published order of options."""
    found: PublishedEvidence
    """What the folder holds."""

    @cached_property
    def number_of(self) -> Mapping[str, int]:
        """The number of each question's row."""
        return {question.question_id: number for number, question in enumerate(self.questions)}

    @cached_property
    def chosen(self) -> tuple[int, ...]:
        """Numbers of the questions of which an option is to be chosen."""
        return tuple(number for number, question in enumerate(self.questions) if len(set(question.options)) > 1)

    @cached_property
    def halves(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The chosen ones in two halves, whole videos in each: to learn from one, and to be tested on the other."""
        first: list[int] = []
        second: list[int] = []
        for number in self.chosen:
            digest = hashlib.sha256(f"half\0{cluster_of(self.questions[number])}".encode()).digest()
            (first if digest[0] % 2 else second).append(number)
        return tuple(first), tuple(second)

    @cached_property
    def _right(self) -> npt.NDArray[np.bool_]:
        """Whether a position's option is right: `[questions, options]`."""
        most = max((len(question.options) for question in self.questions), default=0)
        right = np.zeros((len(self.questions), most), np.bool_)
        for number, question in enumerate(self.questions):
            right[number, list(question.correct_indices)] = True
        return right

    @cached_property
    def _chances(self) -> npt.NDArray[np.float64]:
        """How likely an option is right that was chosen by its position alone.

        Over all orders that a secret can give, equal options standing together, the answer stands at a position with a
        chance of its copies over the distinct options, or less.
        """
        copies = [len(question.correct_indices) / max(1, len(set(question.options))) for question in self.questions]
        return np.minimum(1.0, np.asarray(copies, dtype=np.float64))

    def try_slots(self, name: str, slots: Mapping[int, int]) -> Guess:
        """The try that guesses a position for each of some questions, not by what the option there says.

        Positions beyond a question's options are no guess.
        """
        meant = [(at, slot) for at, slot in slots.items() if 0 <= slot < len(self.questions[at].options)]
        numbers, chosen = [at for at, _ in meant], [slot for _, slot in meant]
        return Guess(name, int(self._right[numbers, chosen].sum()), tuple(self._chances[numbers].tolist()))


Attack = Callable[[AttackInput], Iterator[Guess]]
"""`attack(case)` yields its tries; how many there are must not depend on which answers are right."""
