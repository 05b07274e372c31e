"""Options that nothing else in a split says: where their words turn up, they are meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from ivbench_data.schema import Question

Slot = tuple[str, int]
"""A question's id, and the position of one of its options."""


def fold_text(text: str) -> str:
    """The text without differences of case and of space."""
    return " ".join(text.split()).casefold()


def find_special_slots(questions: Sequence[Question]) -> frozenset[Slot]:
    """The options whose words stand in no other option and in no question."""
    shown: Counter[str] = Counter(fold_text(option) for question in questions for option in set(question.options))
    everything = fold_text("\n".join(chain.from_iterable((each.question, *each.options) for each in questions)))
    once = {text for text, count in shown.items() if count == 1 and text}
    # a text that stands within another one is found again after its first place
    alone = {text for text in once if everything.find(text, everything.find(text) + 1) < 0}
    return frozenset(
        (question.question_id, at)
        for question in questions
        for at, option in enumerate(question.options)
        if fold_text(option) in alone
    )
