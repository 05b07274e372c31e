"""What changed between two published versions, question by question, and which number the new one gets.

Versions are compared by ids and by digests of public rows alone, so nothing that is written here rests on a hidden
answer. The number says what a change does to results that were made with the version before (SemVer 2.0, for data):

- **major**: they no longer hold. Questions were removed or withdrawn, moved to another split, or something else counts
  as right: answer, options or their order, task, group; or a split's answers became hidden or public, which puts the
  options in another order.
- **minor**: they hold, and can be completed: questions were added.
- **patch**: they hold: texts were repaired, or what stands beside the question.

A smaller step than that is refused; a larger one is anybody's right.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from pydantic import Field, NonNegativeInt

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.publish.publication_record import PublishedVersion, digest_scored_fields
from ivbench_data.schema import NonEmpty, Record
from ivbench_data.withdrawals import Withdrawal, read_withdrawals

Bump = Literal["patch", "minor", "major"]

FIRST_VERSION: Final = "1.0.0"

_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True)
class Draft:
    """What is about to be published, as far as an earlier version can be compared with it."""

    splits: Mapping[str, Sequence[str]]
    """Ids of each split's questions."""
    question_digests: Mapping[str, str]
    """By question: `digest_public_question` of its public row."""
    score_digests: Mapping[str, str]
    """By question: `digest_scored_fields` of its public row."""
    hidden: Collection[str] = ()
    """Names of the splits whose answers are kept back."""
    withdrawn: Sequence[Withdrawal] = ()
    """Videos that were taken down."""


class MovedQuestions(Record):
    """Questions that are in another split now.

    Example:
        >>> iv.MovedQuestions(source="dev", target="test", question_ids=("q1",)).target
        'test'
    """

    source: NonEmpty
    """The split that they were in."""
    target: NonEmpty
    """The split that they are in."""
    question_ids: tuple[NonEmpty, ...]
    """The questions."""


class EditionChanges(Record):
    """What a new version changes, by question id.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> earlier = iv.read_earlier("data/published")
        >>> plan = iv.plan_splits(dataset, previous=earlier.record)
        >>> published = iv.publish_dataset(dataset, None, "out", plan, earlier=earlier)
        >>> published.changes.count(), published.changes.bump
        ({}, None)
    """

    earlier: str | None
    """The version before; None for the first one."""
    sizes: dict[str, NonNegativeInt]
    """Questions in each split of the new version."""
    added: dict[str, tuple[NonEmpty, ...]] = Field(default_factory=dict)
    """Questions that were not there, by split."""
    removed: tuple[NonEmpty, ...] = ()
    """Questions that are no longer there, but for those of withdrawn videos."""
    withdrawn: tuple[Withdrawal, ...] = ()
    """Videos of the version before that were taken down since, with those of their questions that were in it."""
    restored: tuple[NonEmpty, ...] = ()
    """Videos that were withdrawn in the version before and are not now."""
    moved: tuple[MovedQuestions, ...] = ()
    """Questions in another split."""
    rescored: tuple[NonEmpty, ...] = ()
    """Questions of which something else counts as right."""
    repaired: tuple[NonEmpty, ...] = ()
    """Questions with another public row, of which the same counts as right."""
    hidden: tuple[NonEmpty, ...] = ()
    """Splits whose answers were public, and are no longer."""
    revealed: tuple[NonEmpty, ...] = ()
    """Splits whose answers were hidden, and are public now."""

    @property
    def bump(self) -> Bump | None:
        """The least step of the version that is honest; None where nothing changed, or there is no version before."""
        if self.earlier is None:
            return None
        if self.removed or self.withdrawn or self.moved or self.rescored or self.hidden or self.revealed:
            return "major"
        if self.added:
            return "minor"
        return "patch" if self.repaired or self.restored else None

    def count(self) -> dict[str, int]:
        """Questions by kind of change; kinds without questions are left out."""
        counted = {
            "added": sum(map(len, self.added.values())),
            "removed": len(self.removed),
            "withdrawn": sum(len(withdrawal.question_ids) for withdrawal in self.withdrawn),
            "moved": sum(len(moved.question_ids) for moved in self.moved),
            "rescored": len(self.rescored),
            "repaired": len(self.repaired),
        }
        return {name: count for name, count in counted.items() if count}


def make_draft(dataset: Dataset, splits: Mapping[str, Sequence[str]], question_digests: Mapping[str, str]) -> Draft:
    """The draft of a dataset as anyone may see it, hidden answers left out; its withdrawals are in its provenance."""
    questions = {question.question_id: question for question in dataset.questions}
    return Draft(
        splits,
        question_digests,
        {at: digest_scored_fields(questions[at]) for ids in splits.values() for at in ids},
        tuple(name for name, ids in splits.items() if any(questions[at].answers_hidden for at in ids)),
        read_withdrawals(dataset.provenance),
    )


def find_changes(earlier: PublishedVersion | None, draft: Draft, rescored: Iterable[str] = ()) -> EditionChanges:
    """What the draft changes against an earlier version.

    Whether a hidden answer changed cannot be seen in public rows: who holds both answers files names those questions in
    `rescored`.

    Raises:
        UsageError: `rescored` names a question that is not in both versions.
    """
    sizes = {name: len(ids) for name, ids in draft.splits.items()}
    split_of = {question_id: name for name, ids in draft.splits.items() for question_id in ids}
    rescored_ids = set(rescored)
    before = earlier.split_of if earlier is not None else {}
    if unknown := rescored_ids - (split_of.keys() & before.keys()):
        raise UsageError(f"the question {min(unknown)!r} is not in both versions, so its answer cannot have changed")
    if earlier is None:
        return EditionChanges(earlier=None, sizes=sizes, added={name: tuple(ids) for name, ids in draft.splits.items()})
    both = [question_id for question_id in split_of if question_id in before]
    was_hidden = {name for name, split in earlier.splits.items() if split.hidden}
    # hiding or revealing answers changes every row of a split: nothing more is known of those
    known = [at for at in both if (before[at] in was_hidden) == (split_of[at] in draft.hidden)]
    scored_otherwise = rescored_ids | {
        question_id
        for question_id in known
        if earlier.score_digests and earlier.score_digests[question_id] != draft.score_digests[question_id]
    }
    gone = [question_id for question_id in before if question_id not in split_of]
    withdrawn, of_withdrawn = _find_withdrawn(earlier, draft, set(gone))
    return EditionChanges(
        earlier=earlier.version,
        sizes=sizes,
        added={
            name: new
            for name, ids in draft.splits.items()
            if (new := tuple(question_id for question_id in ids if question_id not in before))
        },
        removed=tuple(question_id for question_id in gone if question_id not in of_withdrawn),
        withdrawn=withdrawn,
        restored=tuple(sorted({one.video_id for one in earlier.withdrawn} - {one.video_id for one in draft.withdrawn})),
        moved=_find_moved(both, before, split_of),
        rescored=tuple(question_id for question_id in both if question_id in scored_otherwise),
        repaired=tuple(
            question_id
            for question_id in known
            if question_id not in scored_otherwise
            and earlier.question_digests[question_id] != draft.question_digests[question_id]
        ),
        hidden=tuple(name for name in draft.hidden if name in earlier.splits and name not in was_hidden),
        revealed=tuple(name for name in draft.splits if name in was_hidden and name not in draft.hidden),
    )


def _find_withdrawn(earlier: PublishedVersion, draft: Draft, gone: set[str]) -> tuple[tuple[Withdrawal, ...], set[str]]:
    """Withdrawals that take something out of the earlier version, and the questions that they take."""
    known = {withdrawal.video_id for withdrawal in earlier.withdrawn}
    found, taken = [], set[str]()
    for withdrawal in draft.withdrawn:
        ids = tuple(question_id for question_id in withdrawal.question_ids if question_id in gone)
        if ids and withdrawal.video_id not in known:
            found.append(withdrawal.model_copy(update={"question_ids": ids}))
            taken.update(ids)
    return tuple(found), taken


def _find_moved(
    both: Iterable[str], before: Mapping[str, str], split_of: Mapping[str, str]
) -> tuple[MovedQuestions, ...]:
    moved: dict[tuple[str, str], list[str]] = {}
    for question_id in both:
        if before[question_id] != split_of[question_id]:
            moved.setdefault((before[question_id], split_of[question_id]), []).append(question_id)
    return tuple(
        MovedQuestions(source=source, target=target, question_ids=tuple(ids)) for (source, target), ids in moved.items()
    )


# --- the number -----------------------------------------------------------------------------------------------------


def choose_version(changes: EditionChanges, wanted: str | None = None) -> str:
    """The new version's number.

    `wanted` is `major`, `minor` or `patch`, or a number; without it, the least step that is honest is taken. Where
    nothing changed, the number stays, unless another is wanted. A first version is 1.0.0, unless another is wanted.

    Raises:
        UsageError: `wanted` is none of these, or a smaller step than the changes are.
    """
    if wanted is not None and wanted not in get_args(Bump) and not _VERSION.fullmatch(wanted):
        raise UsageError(f"{wanted!r} is no version: write major, minor or patch, or a number such as 1.2.0")
    if changes.earlier is None:
        return wanted if wanted is not None and _VERSION.fullmatch(wanted) else FIRST_VERSION
    earlier = read_number(changes.earlier)
    needed = changes.bump
    if needed == "major" and earlier[0] == 0:
        needed = "minor"  # SemVer 2.0, 4: before 1.0.0 anything may change
    if wanted is None:
        return changes.earlier if needed is None else _step(earlier, needed)
    chosen = wanted if _VERSION.fullmatch(wanted) else _step(earlier, wanted)
    if read_number(chosen) <= earlier:
        raise UsageError(f"version {chosen} does not come after {changes.earlier}, which was published")
    if needed is not None and read_number(chosen) < read_number(_step(earlier, needed)):
        counts = (
            ", ".join(f"{count:,} {name}" for name, count in changes.count().items()) or "answers hidden or revealed"
        )
        raise UsageError(
            f"version {chosen} is too small a step from {changes.earlier} (questions: {counts}): take at least "
            f"{_step(earlier, needed)}, a {needed} one"
        )
    return chosen


def read_number(version: str) -> tuple[int, int, int]:
    """The three numbers of a version, to compare it by: 1.10.0 comes after 1.9.0."""
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def _step(version: tuple[int, int, int], bump: str) -> str:
    major, minor, patch = version
    stepped = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}[bump]
    return ".".join(map(str, stepped))
