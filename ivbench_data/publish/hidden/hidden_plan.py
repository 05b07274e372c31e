"""Which splits of a plan are published without their answers: those asked for, and all that were hidden before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.hidden_record import HiddenRecord, check_revealed, digest_asked_question, read_hidden_record
from ivbench_data.publish.publication_record import PublishedVersion
from ivbench_data.workspace import Workspace


@dataclass(frozen=True)
class HiddenPlan:
    """The splits whose answers are kept back, and why."""

    names: tuple[str, ...]
    """The splits."""
    remembered: dict[str, dict[str, int]]
    """Splits that nobody asked to hide now: for each, how many of its questions were hidden before, in which split."""
    revealed: dict[str, int]
    """By split that they were hidden in: questions whose answers become public."""

    def describe_remembered(self) -> list[str]:
        """A sentence for each split that is hidden because some of its questions were hidden before."""
        return [
            f"The answers of {name} stay hidden: {sum(counts.values()):,} of its questions were hidden before, in "
            f"{' and '.join(counts)}. To publish them: --reveal-answers {' --reveal-answers '.join(counts)} --yes"
            for name, counts in self.remembered.items()
        ]

    def describe_revealed(self) -> list[str]:
        """A sentence for each split whose answers become public."""
        return [
            f"The answers of {name} become public, for good: those of {count:,} questions"
            for name, count in self.revealed.items()
        ]


def plan_hidden(
    dataset: Dataset,
    splits: Mapping[str, Sequence[str]],
    workspace: Workspace,
    earlier: PublishedVersion | None = None,
    hidden: Sequence[str] = (),
    revealed: Sequence[str] = (),
) -> HiddenPlan:
    """The splits of the plan whose answers are kept back.

    A split with one question whose answer was hidden before, whatever was published where, is hidden as a whole.

    Args:
        dataset: the questions.
        splits: ids of each planned split's questions.
        workspace: where the record of hidden answers is.
        earlier: the version that the new one follows.
        hidden: splits that are to be hidden.
        revealed: names of splits in which answers were hidden before, and are published now.

    Raises:
        UsageError: a split is to be hidden and to be revealed, or nothing was hidden in a split that is to be revealed.
        DatasetError: the record cannot be read.
    """
    record = _add_earlier(read_hidden_record(workspace), earlier, dataset)
    if both := [name for name in revealed if name in hidden]:
        raise UsageError(f"the answers of {both[0]!r} cannot be revealed: they are to be hidden too")
    check_revealed(record, revealed)
    hidden_in = {at: name for name, ids in record.find(dataset.questions, revealed).items() for at in ids}
    counted = {name: Counter(hidden_in[at] for at in ids if at in hidden_in) for name, ids in splits.items()}
    of_earlier = [name for name, split in earlier.splits.items() if split.hidden] if earlier is not None else []
    chosen = [*(name for name in of_earlier if name in splits and name not in revealed), *hidden]
    remembered = {name: dict(counts) for name, counts in counted.items() if counts and name not in chosen}
    return HiddenPlan(
        tuple(dict.fromkeys((*chosen, *remembered))), remembered, {name: len(record.splits[name]) for name in revealed}
    )


def _add_earlier(record: HiddenRecord, earlier: PublishedVersion | None, dataset: Dataset) -> HiddenRecord:
    """The record with what the earlier version hides, which another machine may have published."""
    if earlier is None:
        return record
    known = {question.question_id: digest_asked_question(question) for question in dataset.questions}
    return record.extend(
        {
            name: {question_id: known[question_id] for question_id in split.questions if question_id in known}
            for name, split in earlier.splits.items()
            if split.hidden
        }
    )
