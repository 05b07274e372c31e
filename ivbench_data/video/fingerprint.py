"""Whether two video files show the same content, whatever their encodings, sizes, frame rates and black bars.

A fingerprint is a 64-bit perceptual hash (pHash: Zauner, "Implementation and benchmarking of perceptual image hash
functions", 2010, as `imagehash.phash` does it) of the frame on screen at fixed times, at least every 5 s and at least
16 of them, with the black bars that all of those frames share trimmed. Up to 32 of the frames have a second hash, of
their detail: two lectures on one slide template look the same to pHash, whatever their words. It is small enough to
publish; another lab compares its own file with it, at the same times.

| method | hashes |
|---|---|
| `phash64-1` | pHash alone; still read and compared |
| `phash64-2` | with details, and with bars found that hold a logo |
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field, StringConstraints, model_validator

from ivbench_data.atomic_files import digest_file, write_atomically
from ivbench_data.dataset import Dataset
from ivbench_data.errors import VideoError
from ivbench_data.perceptual_hash import DETAIL_BITS, Detail, hash_detail, hash_picture, is_flat
from ivbench_data.schema import BadLine, Record, SafeName, Seconds, Sha256, VerifyResult
from ivbench_data.strict_json import encode_lines, iterate_jsonl, read_jsonl
from ivbench_data.video.decode import FrameRequest, VideoScan, find_indices_at, iterate_frames, scan_video
from ivbench_data.workers import available_cores, run_in_workers
from ivbench_data.workspace import Workspace, default_root

MAX_STEP_SECONDS: Final = 5.0
MIN_FRAMES: Final = 16
MIN_STEP_SECONDS: Final = 5 / 128
"""About one frame; a video so short that this is reached has fewer than `MIN_FRAMES`."""

MAX_DETAILS: Final = 32
"""Frames with a second hash, spread evenly: an hour of slides needs no more bytes for them than a minute."""
MIN_DETAIL_STEPS: Final = 14
"""A picture with fewer steps has next to no detail: a street from above, a sky, a title of one word."""

FILE_NAME: Final = "fingerprints.jsonl"
SAVED_EVERY: Final = 16
"""Videos between two writes of the file: a killed run loses at most these."""
TIMEOUT_SECONDS: Final = 3600.0
"""Time that one video may take."""

_SHORT_SIDE = 160
"""Pixels that frames are reduced to before bars are found; pHash itself sees 32×32."""
BAR_LUMA: Final = 32
_BAR_QUANTILE = 0.98
"""Of 255: a row or column in which 98% of the pixels never exceed this is a bar."""
_STILL_LUMA, _UNEQUAL_LINES = 40, 3
"""Of 255: as much as a still logo ever changes; and the lines by which two equal bars may differ."""
_MAX_TRIM = 0.4
"""Share of a side that bars may take at one edge; a dark video is not all bars."""

Bars = tuple[float, float, float, float]
"""Share of height or width that bars take at the top, bottom, left and right."""
_Share = Annotated[float, Field(ge=0, lt=0.5)]


class Fingerprint(Record):
    """Perceptual fingerprint of one video, a few hundred bytes; a line of `fingerprints.jsonl`.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> _ = list(iv.write_fingerprints(dataset, workers=0))
        >>> Path("data/tiny/fingerprints.jsonl").is_file()
        True
    """

    video_id: SafeName
    """The video."""
    method: Literal["phash64-1", "phash64-2"]
    """Method and its version: files are compared by either, and lines of methods that are not known here are kept."""
    duration_seconds: Seconds
    """Length of the source file, first frame's beginning to last frame's end."""
    times_seconds: tuple[Seconds, ...]
    """When each frame is on screen, in seconds after the first frame."""
    hashes: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None, ...]
    """The frames' hashes; None where a frame has next to no contrast."""
    details: tuple[Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_-]{22})?$")], ...] = ()
    """Hashes of the detail of every frame, or of every second, third …, so that there are at most 32; in base64 for
    URLs, empty text where a frame has next to no detail."""
    bars: tuple[_Share, _Share, _Share, _Share] = (0.0, 0.0, 0.0, 0.0)
    """Share of height or width that was trimmed at the top, bottom, left and right."""
    sha256: Sha256 | None = None
    """Digest of the source file; a file with the same digest needs no comparison."""

    @model_validator(mode="after")
    def _a_hash_a_time(self) -> Self:
        if not self.times_seconds or len(self.hashes) != len(self.times_seconds):
            raise ValueError(f"{len(self.hashes)} hashes for {len(self.times_seconds)} times")
        if any(later <= earlier for earlier, later in pairwise(self.times_seconds)):
            raise ValueError("the times do not ascend")
        expected = len(_with_detail(len(self.hashes))) if self.method != "phash64-1" else 0
        if len(self.details) != expected:
            raise ValueError(f"{len(self.details)} details where {self.method} has {expected}")
        return self

    def find_detail(self, number: int) -> int | Literal[""] | None:
        """The detail's hash of a frame; empty text where it has next to none, None where none was taken."""
        numbers = _with_detail(len(self.hashes))
        if not self.details or number not in numbers:
            return None
        text = self.details[numbers.index(number)]
        return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big") if text else ""


def _with_detail(frames: int) -> range:
    """The frames whose detail is hashed."""
    return range(0, frames, -(-frames // MAX_DETAILS))


# --- computing -----------------------------------------------------------------------------------------------------


def sample_times(duration_seconds: float) -> list[float]:
    """The times of a fingerprint: the middles of equal steps, of 5 s or 5 s halved until there are at least 16.

    Halving keeps the times of videos of nearly the same length the same.
    """
    step = MAX_STEP_SECONDS
    while int(duration_seconds / step + 0.5) < MIN_FRAMES and step > MIN_STEP_SECONDS:
        step /= 2
    return [(number + 0.5) * step for number in range(max(1, int(duration_seconds / step + 0.5)))]


def make_fingerprint(path: Path, video_id: str) -> Fingerprint:
    """The fingerprint of a file.

    Raises:
        UnreadableVideoError: the file is damaged, or no video.
        VideoLimitError: it is larger or longer than the limits allow.
    """
    scan = scan_video(path)
    times = sample_times(scan.duration_seconds)
    views = view_frames(scan, times)
    bars = find_bars(views)
    pictures = [trim_bars(view, bars) for view in views]
    details = [hash_detail(pictures[number]) for number in _with_detail(len(pictures))]
    return Fingerprint(
        video_id=video_id,
        method="phash64-2",
        duration_seconds=round(scan.duration_seconds, 6),
        times_seconds=tuple(times),
        hashes=tuple(None if is_flat(picture) else f"{hash_picture(picture):016x}" for picture in pictures),
        details=tuple(map(_write_detail, details)),
        bars=bars,
        sha256=digest_file(path),
    )


def _write_detail(detail: Detail) -> str:
    if detail.steps < MIN_DETAIL_STEPS:
        return ""
    return base64.urlsafe_b64encode(detail.hash.to_bytes(DETAIL_BITS // 8, "big")).decode().rstrip("=")


def view_frames(scan: VideoScan, times_seconds: Sequence[float]) -> list[npt.NDArray[np.uint8]]:
    """The frames on screen at those times, small and grey: uint8 `[H, W]`."""
    from PIL import Image

    width, height = scan.displayed_size
    scale = min(1.0, _SHORT_SIDE / min(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    indices = find_indices_at(scan, times_seconds)
    distinct = sorted(set(indices))
    grey: dict[int, npt.NDArray[np.uint8]] = {}
    for _, position, frame in iterate_frames(scan, [FrameRequest(tuple(distinct), *size, "area")]):
        grey[distinct[position]] = np.asarray(Image.fromarray(frame.transpose(1, 2, 0)).convert("L"))
    return [grey[index] for index in indices]


def find_bars(views: Sequence[npt.NDArray[np.uint8]], luma: int = BAR_LUMA) -> Bars:
    """Shares of height and width that are black in all frames, at the top, bottom, left and right.

    A pair of equal bars, opposite each other, may hold a logo: something that never changes, on less than half of it.

    Args:
        views: grey frames of one size, uint8 `[H, W]`.
        luma: of 255, as bright as black may be. Little finds the edges of a dark slide, whose background is not black.
    """
    brightest, darkest = np.max(views, axis=0), np.min(views, axis=0)
    bars = _find_bars(views, lambda parts, axis: _measure_brightness(parts, axis) <= luma)
    with_logo = _find_bars(
        [brightest, darkest], lambda parts, axis: _is_black_but_for_a_logo(parts[0], parts[1], axis, luma)
    )
    height, width = brightest.shape
    top, bottom = _choose_pair(bars[:2], with_logo[:2], height)
    left, right = _choose_pair(bars[2:], with_logo[2:], width)
    return (top, bottom, left, right)


def _choose_pair(plain: tuple[float, float], with_logo: tuple[float, float], lines: int) -> tuple[float, float]:
    """The bars with a logo where they are a pair of equal ones, else the plain ones."""
    is_pair = min(with_logo) > 0 and abs(with_logo[0] - with_logo[1]) * lines <= _UNEQUAL_LINES
    return with_logo if is_pair else plain


def _find_bars(
    views: Sequence[npt.NDArray[np.uint8]],
    find_dark: Callable[[list[npt.NDArray[np.uint8]], int], npt.NDArray[np.bool_]],
) -> Bars:
    height, width = views[0].shape
    top, bottom, left, right = 0, 0, 0, 0
    for _ in range(2):  # bars at one pair of sides darken the lines of the other pair, until they are left out
        rows = find_dark([view[:, left : width - right] for view in views], 1)
        top, bottom = _count_dark(rows), _count_dark(rows[::-1])
        columns = find_dark([view[top : height - bottom] for view in views], 0)
        left, right = _count_dark(columns), _count_dark(columns[::-1])
    return (top / height, bottom / height, left / width, right / width)


def _measure_brightness(views: Sequence[npt.NDArray[np.uint8]], axis: int) -> npt.NDArray[np.uint8]:
    """How bright each row or column ever becomes, its brightest fiftieth (specks, noise) left aside."""
    place = round(_BAR_QUANTILE * (views[0].shape[axis] - 1))
    brightest: npt.NDArray[np.uint8] = np.max(
        [np.partition(view, place, axis=axis).take(place, axis=axis) for view in views], axis=0
    )
    return brightest


def _is_black_but_for_a_logo(
    brightest: npt.NDArray[np.uint8], darkest: npt.NDArray[np.uint8], axis: int, luma: int
) -> npt.NDArray[np.bool_]:
    """Which rows or columns are black in their greater part, and never change in the rest."""
    is_black = brightest <= luma
    is_still = is_black | (brightest - darkest <= _STILL_LUMA)
    return np.asarray((is_black.mean(axis=axis) > 0.5) & (is_still.mean(axis=axis) >= _BAR_QUANTILE))


def _count_dark(is_dark: npt.NDArray[np.bool_]) -> int:
    lit = np.flatnonzero(~is_dark)
    dark = int(lit[0]) if len(lit) else len(is_dark)
    if dark == 0 or dark > _MAX_TRIM * len(is_dark):
        return 0
    return dark + 1  # and the line where bar and picture mix


def trim_bars(view: npt.NDArray[np.uint8], bars: Sequence[float]) -> npt.NDArray[np.uint8]:
    """The view without its bars; a view of a few pixels is returned whole."""
    height, width = view.shape
    top, bottom, left, right = bars
    rows = slice(round(top * height), height - round(bottom * height))
    columns = slice(round(left * width), width - round(right * width))
    trimmed = view[rows, columns]
    return trimmed if trimmed.size else view


# --- of a dataset -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FingerprintTask:
    """The work on one video; picklable, so that any engine can run `fingerprint_video` on it."""

    workspace: Workspace
    video_id: str
    there: Fingerprint | None = None
    """Its fingerprint so far; kept when it was made from the same bytes."""


def fingerprint_video(task: FingerprintTask) -> tuple[VerifyResult, Fingerprint | None]:
    """Check result of one video, and its fingerprint; None when there is no file, or it is damaged."""
    path = task.workspace.find_video(task.video_id)
    if path is None:
        reason = f"there is no video file in {task.workspace.videos}"
        return VerifyResult(video_id=task.video_id, status="missing", depth="fingerprint", reason=reason), task.there
    made: Fingerprint | None = None
    fault: str | None = None
    try:
        there = task.there
        is_made = there is not None and there.method == "phash64-2" and there.sha256 == digest_file(path)
        made = task.there if is_made else make_fingerprint(path, task.video_id)
    except VideoError as error:
        fault = str(error)
    row = VerifyResult(
        video_id=task.video_id,
        status="failed" if made is None else "ok",
        depth="fingerprint",
        reason=fault,
        file_name=path.relative_to(task.workspace.folder).as_posix(),
        duration_seconds=made.duration_seconds if made else None,
        sha256=made.sha256 if made else None,
    )
    return row, made


def write_fingerprints(
    dataset: Dataset, root: Path | str | None = None, workers: int | None = None
) -> Iterator[VerifyResult]:
    """Compute fingerprints into the dataset's `fingerprints.jsonl`; yields a check result for each video.

    The fingerprint of a file that has not changed is kept, unless its method is older than this release's, and so is
    that of a video whose file is not here. Lines of methods that this release does not know are kept, whatever happens.
    The file is written every few videos and when the generator ends, however it ends.

    Args:
        dataset: whose videos.
        root: the folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        workers: worker processes; None for as many as the cores this process may use, 0 for none.

    Raises:
        StorageError: the file cannot be written.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> rows = iv.write_fingerprints(dataset, workers=0)
        >>> sorted((row.video_id, row.status) for row in rows)
        [('-beta', 'ok'), ('alpha', 'ok')]
    """
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    path = workspace.folder / FILE_NAME
    there, _ = read_fingerprints(path)
    unknown = _read_unknown_methods(path)
    made = dict(there)
    tasks = [FingerprintTask(workspace, video.video_id, there.get(video.video_id)) for video in dataset.videos]

    def save() -> None:
        in_order = [made[video.video_id] for video in dataset.videos if video.video_id in made]
        with write_atomically(path) as file:
            file.writelines(encode_lines(in_order))
            file.writelines(unknown)

    unsaved = 0
    try:
        for row, fingerprint in _run(tasks, workers):
            if fingerprint is not None and made.get(row.video_id) != fingerprint:
                made[row.video_id] = fingerprint
                unsaved += 1
            if unsaved >= SAVED_EVERY:
                save()
                unsaved = 0
            yield row
    finally:
        if unsaved:
            save()


def _run(tasks: list[FingerprintTask], workers: int | None) -> Iterator[tuple[VerifyResult, Fingerprint | None]]:
    workers = min(available_cores(), len(tasks)) if workers is None else workers
    if workers == 0:
        yield from map(fingerprint_video, tasks)
        return
    for outcome in run_in_workers(fingerprint_video, tasks, workers, TIMEOUT_SECONDS):
        if outcome.result is not None:
            yield outcome.result
        else:
            video_id = outcome.task.video_id
            yield VerifyResult(video_id=video_id, status="failed", depth="fingerprint", reason=outcome.failure), None


def read_fingerprints(path: Path) -> tuple[dict[str, Fingerprint], list[BadLine]]:
    """Fingerprints of a file by video, and its unreadable lines; both are empty when there is no file.

    Raises:
        UsageError: the file cannot be read.
    """
    if not path.exists():
        return {}, []
    fingerprints, bad = read_jsonl(path, Fingerprint, "video_id")
    return {fingerprint.video_id: fingerprint for fingerprint in fingerprints}, bad


def _read_unknown_methods(path: Path) -> list[bytes]:
    """The lines whose method another release knows, as they stand."""
    known = get_args(Fingerprint.model_fields["method"].annotation)
    lines = iterate_jsonl(path) if path.exists() else ()
    return [
        line.rstrip(b"\n") + b"\n"
        for _, line, value in lines
        if isinstance(value, dict) and isinstance(value.get("method"), str) and value["method"] not in known
    ]
