"""Options that nothing else in a split says: where their words turn up, they are meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from ivbench_data.publish.selfcheck.text_finder import MIN_BYTES, TextFinder
from ivbench_data.schema import Question
from ivbench_data.text.folds import fold

Slot = tuple[str, int]
"""A question's id, and the position of one of its options."""


def find_distinctive_slots(questions: Sequence[Question]) -> frozenset[Slot]:
    """The options whose words stand in no other option and in no question."""
    shown = Counter(fold(option) for question in questions for option in set(question.options))
    once = [text for text, count in shown.items() if count == 1 and len(text.encode()) >= MIN_BYTES]
    everything = "\n".join(chain.from_iterable((fold(each.question), *_fold_distinct(each)) for each in questions))
    found = TextFinder(((text, text) for text in once), only_as_is=True).count(everything.encode())
    alone = {text for text in once if found[text] == 1}  # else it stands within another one, too
    return frozenset(
        (question.question_id, at)
        for question in questions
        for at, option in enumerate(question.options)
        if fold(option) in alone
    )


def _fold_distinct(question: Question) -> set[str]:
    return {fold(option) for option in question.options}
