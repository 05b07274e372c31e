"""Checks of the query images' files, and of images and videos that are nearly the same.

Without a workspace these checks find nothing. Of a file that is not on this machine they say only that it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import JsonValue

from ivbench_data.dataset import Dataset
from ivbench_data.perceptual_hash import HashIndex, group_near, hash_picture, is_flat
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image, render_image
from ivbench_data.schema import Finding, Question, Severity
from ivbench_data.validate.checks.context import CheckContext, quote
from ivbench_data.video.fingerprint import read_fingerprints

MIN_IMAGE_SIDE: Final = 32
"""Pixels; the vision encoders in use take patches of 14 to 32."""

NEAR_IMAGE_DISTANCE: Final = 4
"""Bits, of 64, in which the hashes of two near-duplicates differ at most."""

MIN_SHARED_FRAMES: Final = 0.6
"""Share of the shorter video's frames that another must show, to be its near-duplicate."""

MAX_VIDEOS_A_FRAME: Final = 50
"""A frame that more videos show (a channel's title card) says nothing about any two of them."""


def check_image_missing(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Query images whose files are not there, where some are; one finding when none is there."""
    if context.workspace is None:
        return
    paths = {image.image_id: context.workspace.image_path(image.image_id) for image in dataset.images}
    missing = [image_id for image_id, path in paths.items() if not path.is_file()]
    if missing and len(missing) == len(paths):
        yield Finding(
            check="image_missing",
            severity="info",
            message=f"none of the {len(paths)} query images is on this machine, so none was checked",
            evidence={"images": len(paths)},
        )
        return
    users = _users_of_images(dataset)
    for image_id in missing:
        yield _find_on_image("image_missing", "error", f"the image {quote(image_id)} is not there", image_id, users)


def check_image_unreadable(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Query images whose files are damaged, cut short, or no images; each is decoded whole."""
    users = _users_of_images(dataset)
    for image_id, path in _image_files(dataset, context):
        try:
            with open_image(path) as image:
                render_image(image)
        except ImageProblemError as error:
            if error.kind == "image_unreadable":
                message = f"the image {quote(image_id)} cannot be read: {error}"
                yield _find_on_image("image_unreadable", "error", message, image_id, users)
        except IMAGE_ERRORS as error:
            message = f"the image {quote(image_id)} is damaged: {error}"
            yield _find_on_image("image_unreadable", "error", message, image_id, users)


def check_image_too_small(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Query images with a side of less than 32 pixels, in which a model sees next to nothing."""
    users = _users_of_images(dataset)
    for image_id, path in _image_files(dataset, context):
        size = _read_size(path)
        if size is not None and min(size) < MIN_IMAGE_SIDE:
            message = f"the image {quote(image_id)} is {size[0]}×{size[1]} pixels"
            yield _find_on_image("image_too_small", "warning", message, image_id, users)


def check_image_too_large(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Query images so large that decoding them could exhaust the memory; only their headers are read."""
    users = _users_of_images(dataset)
    for image_id, path in _image_files(dataset, context):
        try:
            with open_image(path):
                pass
        except ImageProblemError as error:
            if error.kind == "image_too_large":
                message = f"the image {quote(image_id)} was not decoded: {error}"
                yield _find_on_image("image_too_large", "error", message, image_id, users)


def check_near_duplicate_images(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Query images that look the same under different names: one finding a group."""
    names: list[str] = []
    hashes: list[int] = []
    for image_id, path in _image_files(dataset, context):
        try:
            with open_image(path) as image:
                image.draft(image.mode, (64, 64))  # lets JPEG decode an eighth of each side, where that is enough
                grey = np.asarray(render_image(image).convert("L"))
        except (ImageProblemError, *IMAGE_ERRORS):
            continue  # the checks above say so
        if not is_flat(grey):
            names.append(image_id)
            hashes.append(hash_picture(grey))
    users = _users_of_images(dataset)
    for group in group_near(hashes, NEAR_IMAGE_DISTANCE):
        image_ids = [names[position] for position, _ in group]
        videos = {question.video_id for image_id in image_ids for question in users.get(image_id, [])}
        message = f"{len(group)} images look the same: {', '.join(map(quote, image_ids[:4]))}"
        yield _find_on_image(
            "near_duplicate_images",
            "warning" if len(videos) > 1 else "info",
            message + (f" and {len(group) - 4} more" if len(group) > 4 else ""),
            image_ids[-1],
            users,
            {"image_ids": list(image_ids), "distances": [distance for _, distance in group]},
        )


def check_near_duplicate_videos(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Videos that show mostly the same frames, by their fingerprints: an answer to one may give away the other's."""
    index = HashIndex()
    owner: list[str] = []
    lengths: dict[str, int] = {}
    for video_id, hashes in _read_video_hashes(dataset, context):
        distinct = dict.fromkeys(hashes)
        lengths[video_id] = len(distinct)
        shared: dict[str, int] = {}
        for value in distinct:
            videos = {owner[number] for number, _ in index.find(value)}
            for other in videos if len(videos) <= MAX_VIDEOS_A_FRAME else ():
                shared[other] = shared.get(other, 0) + 1
        for other, count in shared.items():
            share = count / min(lengths[video_id], lengths[other])
            if share >= MIN_SHARED_FRAMES:
                yield Finding(
                    check="near_duplicate_videos",
                    severity="warning",
                    message=f"shows {min(1.0, share):.0%} of the frames of video {other}",
                    video_id=video_id,
                    evidence={"other_video_id": other, "share": round(min(1.0, share), 4), "frames": count},
                )
        for value in distinct:
            index.add(value)
            owner.append(video_id)


# --- parts --------------------------------------------------------------------------------------------------------


def _image_files(dataset: Dataset, context: CheckContext) -> Iterator[tuple[str, Path]]:
    if context.workspace is None:
        return
    for image in dataset.images:
        path = context.workspace.image_path(image.image_id)
        if path.is_file():
            yield image.image_id, path


def _read_size(path: Path) -> tuple[int, int] | None:
    try:
        with open_image(path) as image:
            return image.size
    except ImageProblemError:
        return None


def _users_of_images(dataset: Dataset) -> dict[str, list[Question]]:
    users: dict[str, list[Question]] = {}
    for question in dataset.questions:
        for image_id in question.image_ids:
            users.setdefault(image_id, []).append(question)
    return users


def _find_on_image(
    check: str,
    severity: Severity,
    message: str,
    image_id: str,
    users: dict[str, list[Question]],
    evidence: dict[str, JsonValue] | None = None,
) -> Finding:
    """A finding on the first question that shows the image; its evidence names the others."""
    questions = users.get(image_id, [])
    return Finding(
        check=check,
        severity=severity,
        message=message,
        question_id=questions[0].question_id if questions else None,
        video_id=questions[0].video_id if questions else None,
        image_id=image_id,
        evidence={**(evidence or {}), "question_ids": [question.question_id for question in questions]},
    )


def _read_video_hashes(dataset: Dataset, context: CheckContext) -> Iterator[tuple[str, list[int]]]:
    """The frame hashes of each video that has a fingerprint; frames without contrast have none."""
    if context.workspace is None:
        return
    known = {video.video_id for video in dataset.videos}
    fingerprints, _ = read_fingerprints(context.workspace.folder / "fingerprints.jsonl")
    for video_id, fingerprint in fingerprints.items():
        hashes = [int(value, 16) for value in fingerprint.hashes if value is not None]
        if hashes and video_id in known:
            yield video_id, hashes
