"""Is the query image a frame of its own video? Then looking for it is enough, and nothing need be understood.

Each image is compared with the frames by a perceptual hash of the frame and of its crops, and what is near by its hash
is confirmed by the correlation of the pixels. Measured on six real videos (72 frames taken as query images, 28 views of
each frame of the video): exact, resized and strongly compressed frames were found in 99%, 90% crops in 97–99%, 80%
crops in 78%, none of 720 images from other videos (their nearest hash was 12 bits away, their best correlation 0.65).
A match is a candidate for a person to review, with the time to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ivbench_data.dataset import Dataset
from ivbench_data.errors import CacheError, VideoError
from ivbench_data.frames.cached_grids import find_grids
from ivbench_data.frames.reader import read_frames
from ivbench_data.perceptual_hash import (
    WHOLE,
    Crop,
    GreyArray,
    correlate,
    hash_frames,
    is_flat,
    make_crops,
    measure_distances,
    reduce_frames,
)
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image, render_image
from ivbench_data.schema import Finding, Question
from ivbench_data.timecodes import format_clock
from ivbench_data.validate.checks.context import CheckContext, find_on, quote
from ivbench_data.video.decode import FrameRequest, VideoScan, find_indices_at, iterate_frames, scan_video

FRAMES_A_SECOND: Final = 2.0
MAX_DISTANCE: Final = 11
"""Bits, of 64: the nearest of other videos was at 12."""

MIN_CORRELATION: Final = 0.75
"""Of the pixels, at 32×32: the best of other videos was 0.65."""

CANDIDATES: Final = 24
"""Views of frames, nearest by hash first, whose pixels are compared."""

_SHORT_SIDE: Final = 96
"""Pixels that frames and images are reduced to first."""

_CHUNK_FRAMES: Final = 256
"""So many frames are held at a time, however long the video."""

VIEWS: Final[tuple[Crop, ...]] = (WHOLE, *make_crops(0.95), *make_crops(0.9), *make_crops(0.85))
"""What is compared of each frame: all of it, and crops of three sizes at nine places."""


@dataclass(frozen=True)
class FrameMatch:
    """The frame that is most like an image."""

    time_seconds: float
    """When it is on screen, after the first frame."""
    distance: int
    """Bits, of 64, in which the hashes differ."""
    correlation: float
    """Of the pixels, 1 for the same."""
    crop: Crop
    """The part of the frame that is like the image."""


def check_image_from_own_video(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Query images that are frames of their own video, or crops of frames; a person decides."""
    workspace = context.workspace
    if workspace is None:
        return
    by_video: dict[str, dict[str, list[Question]]] = {}
    for question in dataset.questions:
        for image_id in question.image_ids if question.video_id is not None else ():
            by_video.setdefault(question.video_id or "", {}).setdefault(image_id, []).append(question)
    for video_id, users in by_video.items():
        images = {image_id: read_grey_image(workspace.image_path(image_id)) for image_id in users}
        found = find_in_video(
            {image_id: image for image_id, image in images.items() if image is not None},
            _choose_grey_frames(context, video_id),
        )
        for image_id, match in found.items():
            crop = match.crop
            part = "" if crop == WHOLE else f"{crop.width:.0%} of "
            for question in users[image_id]:
                yield find_on(
                    question,
                    "image_from_own_video",
                    "warning",
                    f"the image {quote(image_id)} looks like {part}the frame at {format_clock(match.time_seconds)}",
                    {
                        "image_id": image_id,
                        "time_seconds": round(match.time_seconds, 3),
                        "distance": match.distance,
                        "correlation": round(match.correlation, 4),
                        "crop": [crop.left, crop.top, crop.width, crop.height],
                    },
                )


def find_in_video(
    images: dict[str, GreyArray], frames: Iterator[tuple[npt.NDArray[np.float64], GreyArray]]
) -> dict[str, FrameMatch]:
    """For each image that the video shows, the frame most like it; images without contrast are never found.

    `images` are grey `[H, W]`; `frames` come in chunks of times and grey `[T, H, W]`.
    """
    hashes = {name: hash_frames(image[None])[0] for name, image in images.items() if not is_flat(image)}
    reduced = {name: reduce_frames(images[name][None])[0] for name in hashes}
    best: dict[str, FrameMatch] = {}
    for times, chunk in frames if hashes else ():
        of_views = np.stack([hash_frames(chunk, view) for view in VIEWS])
        for name, value in hashes.items():
            distances = measure_distances(of_views, value)
            nearest = np.argsort(distances, axis=None, kind="stable")[:CANDIDATES]
            for place in nearest:
                view, frame = divmod(int(place), len(chunk))
                distance = int(distances[view, frame])
                if distance > MAX_DISTANCE:
                    break
                correlation = correlate(reduced[name], reduce_frames(chunk[frame : frame + 1], VIEWS[view])[0])
                if correlation >= MIN_CORRELATION and (name not in best or correlation > best[name].correlation):
                    best[name] = FrameMatch(float(times[frame]), distance, correlation, VIEWS[view])
    return best


def read_grey_image(path: Path) -> GreyArray | None:
    """The image in grey, its short side 96 pixels: float32 `[H, W]`; None when it is not there or cannot be read."""
    from PIL import Image

    if not path.is_file():
        return None
    try:
        with open_image(path) as image:
            flattened = render_image(image).convert("L")
            scale = _SHORT_SIDE / min(flattened.size)
            size = (max(1, round(flattened.width * scale)), max(1, round(flattened.height * scale)))
            resample = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
            return np.asarray(flattened.resize(size, resample), dtype=np.float32)
    except (ImageProblemError, *IMAGE_ERRORS):
        return None


def _choose_grey_frames(context: CheckContext, video_id: str) -> Iterator[tuple[npt.NDArray[np.float64], GreyArray]]:
    """Chunks of the video's frames: from the file at two a second when asked for, else from its densest cache."""
    if context.workspace is None:
        return
    path = context.workspace.find_video(video_id) if context.decodes_videos else None
    if path is not None:
        try:
            yield from iterate_grey_frames(scan_video(path))
        except VideoError:
            return  # `ivbench-data verify` says what is wrong with it
        return
    for grid in find_grids(context.workspace, video_id):
        try:
            clip = read_frames(context.workspace.dataset, video_id, grid, context.workspace.root)
        except CacheError:
            continue
        for start in range(0, len(clip.frames), _CHUNK_FRAMES):
            part = slice(start, start + _CHUNK_FRAMES)
            yield clip.pts_seconds[part], _to_grey(clip.frames[part])
        return


def iterate_grey_frames(scan: VideoScan) -> Iterator[tuple[npt.NDArray[np.float64], GreyArray]]:
    """Chunks of a video's frames at two a second: their times, and float32 `[T, H, W]`, to be used before the next."""
    width, height = scan.displayed_size
    scale = min(1.0, _SHORT_SIDE / min(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    count = max(1, int(scan.duration_seconds * FRAMES_A_SECOND))
    indices = sorted(set(find_indices_at(scan, [number / FRAMES_A_SECOND for number in range(count)])))
    times = scan.pts_seconds[indices]
    frames = np.empty((min(_CHUNK_FRAMES, len(indices)), size[1], size[0]), np.float32)
    positions: list[int] = []
    for _, position, frame in iterate_frames(scan, [FrameRequest(tuple(indices), *size, "area")]):
        frames[len(positions)] = _to_grey(frame[None])[0]
        positions.append(position)
        if len(positions) == len(frames):
            yield times[positions], frames
            positions = []
    if positions:
        yield times[positions], frames[: len(positions)]


def _to_grey(frames: npt.NDArray[np.uint8]) -> GreyArray:
    """Luma of RGB frames by the weights of BT.601, as Pillow's: float32 `[T, H, W]` from uint8 `[T, 3, H, W]`."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(np.einsum("tchw,c->thw", frames.astype(np.float32), weights), dtype=np.float32)
