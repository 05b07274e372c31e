"""Videos that were taken down: what stays on record of them, and what of a dataset goes with them.

A withdrawal is written into `dataset.json` before anything is deleted, and from then on `load` leaves its video out,
whatever is still in the other files. Importing a release again leaves it out too, unless asked otherwise.

A stage that was started before reads `dataset.json` again (`find_withdrawal`) before it writes anything of a video, and
once more afterwards: a takedown that was recorded between the two may have looked for files before this one was there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from pydantic import AwareDatetime, JsonValue, NonNegativeInt, ValidationError

from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.schema import NonEmpty, QueryImage, Question, Record, SafeName, Video
from ivbench_data.strict_json import parse_json

WITHDRAWN = "withdrawn"
"""Where a dataset's provenance keeps its withdrawals."""

WITHDRAWING = "withdrawing"
"""Where it names the video of a withdrawal that was begun and is not finished."""


class Withdrawal(Record):
    """One video that was taken down, and what went with it.

    Example:
        >>> iv.load_dataset("tiny").withdrawals
        ()
    """

    video_id: SafeName
    """The video."""
    why: NonEmpty
    """The reason, as it is published."""
    when: AwareDatetime
    """When it was decided."""
    question_ids: tuple[NonEmpty, ...] = ()
    """Its questions."""
    image_ids: tuple[SafeName, ...] = ()
    """The query images that no other question showed."""

    def __str__(self) -> str:
        count = len(self.question_ids)
        text = f"{self.video_id}, with {count:,} question{'' if count == 1 else 's'}"
        return f"{text}, on {self.when.date().isoformat()}: {self.why}"


class WithdrawalPlan(Record):
    """What taking a video down will do."""

    withdrawal: Withdrawal
    """What is put on record."""
    is_recorded: bool
    """Whether it stands there already: then this finishes, or repeats, what was begun."""
    is_marked_unfinished: bool
    """Whether an earlier run was killed before it was done."""
    rewritten: tuple[str, ...]
    """Files that lose their lines about it, by their path in the dataset's folder."""
    deleted: tuple[str, ...]
    """Files and folders that are deleted, by their path in the dataset's folder."""
    deleted_bytes: NonNegativeInt
    """Size of these."""
    kept: tuple[str, ...]
    """What names it and stays, in sentences."""
    left: tuple[str, ...] = ()
    """Files and folders that could not be deleted, rewritten or looked into, and why."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.is_recorded and not (self.is_marked_unfinished or self.rewritten or self.deleted or self.left)


def read_withdrawals(provenance: Mapping[str, JsonValue]) -> tuple[Withdrawal, ...]:
    """The withdrawals that a dataset's provenance records, first to last.

    Raises:
        DatasetError: it holds something else in their place.
    """
    rows = provenance.get(WITHDRAWN, [])
    try:
        return tuple(Withdrawal.model_validate(row, strict=False) for row in cast("list[Any]", rows))
    except (ValidationError, TypeError) as error:
        raise DatasetError(f"dataset.json holds withdrawals that cannot be read: {error}") from error


def read_recorded_withdrawals(folder: Path) -> tuple[Withdrawal, ...]:
    """The withdrawals that `dataset.json` in a dataset's folder records at this moment; none where there is no file.

    Cheap enough to be asked for each file that is written: the file is parsed again only when it was replaced.

    Raises:
        DatasetError: it cannot be read, so that nobody knows what was withdrawn.
    """
    path = folder / "dataset.json"
    try:
        state = path.stat()
        return _parse_withdrawals(path, (state.st_ino, state.st_size, state.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read, so it is unknown what was withdrawn: {error}") from error


@lru_cache(maxsize=8)
def _parse_withdrawals(path: Path, state: tuple[int, int, int]) -> tuple[Withdrawal, ...]:
    header = parse_json(path.read_bytes())
    provenance = header.get("provenance", {}) if isinstance(header, dict) else {}
    return read_withdrawals(provenance if isinstance(provenance, dict) else {})


def find_withdrawal(folder: Path, video_id: str) -> Withdrawal | None:
    """The video's withdrawal, as the dataset's folder records it at this moment; None when it is not withdrawn.

    Raises:
        DatasetError: `dataset.json` cannot be read.
    """
    return next((each for each in read_recorded_withdrawals(folder) if each.video_id == video_id), None)


def find_image_withdrawal(folder: Path, image_id: str, known: Collection[Withdrawal] = ()) -> Withdrawal | None:
    """The withdrawal that took the query image, as recorded at this moment; those `known` already are passed over.

    Raises:
        DatasetError: `dataset.json` cannot be read.
    """
    new = (each for each in read_recorded_withdrawals(folder) if each not in known)
    return next((each for each in new if image_id in each.image_ids), None)


def record_withdrawals(
    provenance: Mapping[str, JsonValue], withdrawals: Sequence[Withdrawal], unfinished: str | None = None
) -> dict[str, JsonValue]:
    """The provenance with these withdrawals in place of those that it holds, and the video that is still being deleted.

    What is left of a release cannot rebuild it, and then no longer claims to.
    """
    made = {key: value for key, value in provenance.items() if key not in (WITHDRAWN, WITHDRAWING)}
    if any(withdrawal.question_ids for withdrawal in withdrawals) and "rebuilds_byte_for_byte" in made:
        made["rebuilds_byte_for_byte"] = False
    if withdrawals:
        made[WITHDRAWN] = [withdrawal.model_dump(mode="json") for withdrawal in withdrawals]
    return made if unfinished is None else {**made, WITHDRAWING: unfinished}


def check_no_withdrawal_is_unfinished(provenance: Mapping[str, JsonValue]) -> None:
    """Refuse to change a dataset of which a video is half deleted.

    Raises:
        UsageError: a withdrawal was begun and not finished.
    """
    video_id = provenance.get(WITHDRAWING)
    if video_id is not None:
        raise UsageError(
            f"the withdrawal of {video_id} was begun and not finished. Finish it first: ivbench-data repair "
            f"--withdraw={video_id} --yes"
        )


def count_withdrawn(withdrawals: Iterable[Withdrawal]) -> int:
    """How many questions were withdrawn."""
    return sum(len(withdrawal.question_ids) for withdrawal in withdrawals)


def extend_withdrawals(withdrawals: Sequence[Withdrawal], questions: Sequence[Question]) -> tuple[Withdrawal, ...]:
    """The withdrawals with what these questions, of another release perhaps, add to their videos."""
    gone = {withdrawal.video_id for withdrawal in withdrawals}
    shown = {image_id for question in questions if question.video_id not in gone for image_id in question.image_ids}
    extended = []
    for withdrawal in withdrawals:
        own = [question for question in questions if question.video_id == withdrawal.video_id]
        ids = dict.fromkeys([*withdrawal.question_ids, *(question.question_id for question in own)])
        images = dict.fromkeys([*withdrawal.image_ids, *(image_id for one in own for image_id in one.image_ids)])
        kept = tuple(image_id for image_id in images if image_id not in shown)
        extended.append(withdrawal.model_copy(update={"question_ids": tuple(ids), "image_ids": kept}))
    return tuple(extended)


def leave_out_withdrawn(
    withdrawals: Sequence[Withdrawal],
    videos: Sequence[Video],
    images: Sequence[QueryImage],
    questions: Sequence[Question],
) -> tuple[tuple[Video, ...], tuple[QueryImage, ...], tuple[Question, ...]]:
    """What remains: without those videos, their questions, and the images that no other question shows."""
    gone = {withdrawal.video_id for withdrawal in withdrawals}
    kept = tuple(question for question in questions if question.video_id not in gone)
    shown = {image_id for question in kept for image_id in question.image_ids}
    orphaned = {image_id for withdrawal in withdrawals for image_id in withdrawal.image_ids}
    orphaned.update(image_id for question in questions if question.video_id in gone for image_id in question.image_ids)
    return (
        tuple(video for video in videos if video.video_id not in gone),
        tuple(image for image in images if image.image_id in shown or image.image_id not in orphaned),
        kept,
    )
