"""What an attack on hidden answers takes, and what it returns.

An attack is a callable: it takes an `AttackInput` and yields `Guess`es, each one way of guessing over all questions
that it covers. Each guessed question has its own chance of being right where nothing leaks, so the hits are compared
with their exact distribution by chance, whatever the numbers of options.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ivbench_data.publish.selfcheck.published_answers import PublishedAnswers
from ivbench_data.publish.selfcheck.published_evidence import PublishedEvidence
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import Question


@dataclass(frozen=True)
class Guess:
    """One way of guessing, its hits and its chances.

    Example:
        >>> iv.Guess("the first option", hits=3, chances=(0.25, 0.25, 0.5, 0.5)).expected
        1.5
    """

    name: str
    """Where the guesses come from, in words that end the sentence "answers can be read from …"."""
    hits: int
    """Right guesses."""
    chances: tuple[float, ...]
    """For each guessed question: the probability of a hit where nothing leaks."""

    @property
    def expected(self) -> float:
        """Right guesses to be expected by chance."""
        return sum(self.chances)


@dataclass(frozen=True)
class AttackInput:
    """The hidden questions with their answers, in the order of the published rows, and all that was published.

    Example:
        >>> def guess_the_first(given: iv.AttackInput):
        ...     hits = sum(0 in question.correct_indices for question in given.questions)
        ...     yield iv.Guess("the first option", hits, (1 / 4,) * len(given.questions))
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> report = iv.check_published("data/published_hidden", answers, attacks={"first": guess_the_first})
        >>> report.attacks[0].hits
        0
    """

    questions: tuple[Question, ...]
    """The questions, with their answers and the published order of options."""
    evidence: PublishedEvidence
    """What the folder holds."""
    published_before: PublishedAnswers = field(default_factory=PublishedAnswers)
    """Answers that other publications of the dataset hold."""

    @cached_property
    def number_of(self) -> Mapping[str, int]:
        """The number of each question's row."""
        return {question.question_id: number for number, question in enumerate(self.questions)}

    @cached_property
    def chosen(self) -> tuple[int, ...]:
        """Numbers of the questions with at least two distinct options."""
        return tuple(number for number, question in enumerate(self.questions) if len(set(question.options)) > 1)

    @cached_property
    def halves(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """`chosen` in two halves, whole videos in each: one to learn from, the other to be tested on."""
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

    def guess_positions(self, name: str, slots: Mapping[int, int]) -> Guess:
        """The guess of one position for each of some questions, whatever the option there says.

        Positions beyond a question's options are left out.
        """
        possible = [(at, slot) for at, slot in slots.items() if 0 <= slot < len(self.questions[at].options)]
        numbers, chosen = [at for at, _ in possible], [slot for _, slot in possible]
        return Guess(name, int(self._right[numbers, chosen].sum()), tuple(self._chances[numbers].tolist()))

    def guess_learned(self, name: str, keys: Mapping[int, Hashable]) -> Iterator[Guess]:
        """Positions learned from one half of the videos and guessed on the other: for each key, the favoured one."""
        for half, learn, ask in (("first", 0, 1), ("second", 1, 0)):
            favoured: dict[Hashable, Counter[int]] = defaultdict(Counter)
            for number in self.halves[learn]:
                favoured[keys.get(number)].update(self.questions[number].correct_indices)
            slots = {
                number: max(counted.items(), key=lambda item: (item[1], -item[0]))[0]
                for number in self.halves[ask]
                if (counted := favoured.get(keys.get(number)))
            }
            yield self.guess_positions(f"{name}, learned from the {half} half of the videos", slots)


Attack = Callable[[AttackInput], Iterator[Guess]]
"""`attack(attack_input)` yields its guesses; their number must not depend on which answers are right."""
