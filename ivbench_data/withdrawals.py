"""Videos that were taken down: what stays on record of them, and what of a dataset goes with them.

A withdrawal is written into `dataset.json` before anything is deleted, and from then on `load` leaves its video out,
whatever is still in the other files. Importing a release again leaves it out too, unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import AwareDatetime, JsonValue, ValidationError

from ivbench_data.errors import DatasetError
from ivbench_data.schema import NonEmpty, QueryImage, Question, Record, SafeName, Video

WITHDRAWN = "withdrawn"
"""Where a dataset's provenance keeps its withdrawals."""


class Withdrawal(Record):
    """One video that was taken down, and what went with it."""

    video_id: SafeName
    """The video."""
    why: NonEmpty
    """The reason, as it may be told to anyone."""
    when: AwareDatetime
    """When it was decided."""
    question_ids: tuple[NonEmpty, ...] = ()
    """Its questions."""
    image_ids: tuple[SafeName, ...] = ()
    """The query images that no other question showed."""


def read_withdrawals(provenance: Mapping[str, JsonValue]) -> tuple[Withdrawal, ...]:
    """The withdrawals that a dataset's provenance records, first to last.

    Raises:
        DatasetError: it holds something else in their place.
    """
    told = provenance.get(WITHDRAWN, [])
    try:
        return tuple(Withdrawal.model_validate(row, strict=False) for row in cast("list[Any]", told))
    except (ValidationError, TypeError) as error:
        raise DatasetError(f"dataset.json holds withdrawals that cannot be read: {error}") from error


def record_withdrawals(provenance: Mapping[str, JsonValue], withdrawals: Sequence[Withdrawal]) -> dict[str, JsonValue]:
    """The provenance with these withdrawals in place of those that it holds."""
    kept = {key: value for key, value in provenance.items() if key != WITHDRAWN}
    if not withdrawals:
        return kept
    return {**kept, WITHDRAWN: [withdrawal.model_dump(mode="json") for withdrawal in withdrawals]}


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
