"""Whether two video files show the same content, whatever their encodings, sizes, frame rates and black bars.

A fingerprint is a 64-bit perceptual hash (pHash: Zauner, "Implementation and benchmarking of perceptual image hash
functions", 2010, as `imagehash.phash` does it) of the frame on screen at fixed times, at least every 5 s and at least
16 of them, with the black bars trimmed that all of those frames share. It is small enough to publish, and another lab
compares its own file with it: their frames are taken at the same times.

The thresholds are measured, over 1,085 pairs of videos and 20 re-encodes (scale, bitrate, codec, frame rate, bars):
the median distance of the same content was at most 2 bits, of different content at least 24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, StringConstraints

from ivbench_data.decode import FrameRequest, VideoScan, find_indices_at, iterate_frames, scan_video
from ivbench_data.errors import DatasetError
from ivbench_data.schema import Record, SafeName, Seconds, Sha256
from ivbench_data.workspace import digest_file

MAX_STEP_SECONDS: Final = 5.0
MIN_FRAMES: Final = 16
MIN_STEP_SECONDS: Final = 5 / 128
"""About one frame; a video so short that this is reached has fewer than `MIN_FRAMES`."""

SAME_FRAME_DISTANCE: Final = 12
"""Bits; a frame as near as this shows the same."""
SAME_CONTENT_SHARE: Final = 0.75
"""Share of the frames that must show the same."""
OTHER_FRAME_DISTANCE: Final = 16
"""Bits; two frames in a row beyond this are a replaced segment. One alone may be a cut that falls between the times."""
DURATION_TOLERANCE_SECONDS: Final = 0.5
"""Encoders and frame rates move the end by less; a trim of a second must show."""
OFFSET_SPAN_SECONDS, OFFSET_STEP_SECONDS = 2.0, 0.25
"""Where frames are looked for when they are not at their times."""
OFFSET_SCAN_FRAMES: Final = 12
"""Frames at either end that are looked for."""

_SHORT_SIDE = 160
"""Pixels that frames are reduced to before bars are found; pHash itself sees 32×32."""
_BAR_LUMA, _BAR_QUANTILE = 32, 0.98
"""Of 255: a row or column in which 98% of the pixels never exceed this is a bar."""
_MAX_TRIM = 0.45
"""Share of a side that bars may take at one edge; a dark video is not all bars."""
_FLAT_DEVIATION = 4.0
"""Of 255: a frame with less contrast has a hash that is only noise."""


class Fingerprint(Record):
    """What one video shows, in a few hundred bytes; a line of `fingerprints.jsonl`."""

    video_id: SafeName
    """The video."""
    method: Literal["phash64-1"] = "phash64-1"
    """How it was made; another number is not comparable."""
    duration_seconds: Seconds
    """Length of the file it was made from, first frame's beginning to last frame's end."""
    times_seconds: tuple[Seconds, ...]
    """When each frame is on screen, in seconds after the first frame."""
    hashes: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None, ...]
    """The frames' hashes; None where a frame has next to no contrast."""
    bars: tuple[Annotated[float, Field(ge=0, le=0.5)], ...] = (0.0, 0.0, 0.0, 0.0)
    """Share of height or width that was trimmed at the top, bottom, left and right."""
    sha256: Sha256 | None = None
    """Digest of the file it was made from; a file with the same one needs no comparison."""


Verdict = Literal["same", "trimmed", "replaced", "different"]


@dataclass(frozen=True)
class Comparison:
    """How a file's content differs from a fingerprint's."""

    verdict: Verdict
    reason: str
    """The verdict in a sentence, with the figures it rests on."""
    median_distance: float
    """Bits, of 64, at unchanged times; 0 when no frame has contrast."""
    share_same: float
    """Share of frames that show the same at unchanged times."""
    duration_difference_seconds: float
    """How much longer the file is."""
    offset_seconds: tuple[float, float] = (0.0, 0.0)
    """How much later the file shows the content of its beginning, and of its end."""
    replaced_seconds: tuple[tuple[float, float], ...] = ()
    """Spans that show something else, each bound within half a step."""


# --- making -----------------------------------------------------------------------------------------------------


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
    views = _view_frames(scan, times)
    bars = _find_bars(views)
    return Fingerprint(
        video_id=video_id,
        duration_seconds=round(scan.duration_seconds, 6),
        times_seconds=tuple(times),
        hashes=tuple(None if _is_flat(view, bars) else f"{_hash_view(view, bars):016x}" for view in views),
        bars=bars,
        sha256=digest_file(path),
    )


def _view_frames(scan: VideoScan, times_seconds: Sequence[float]) -> list[npt.NDArray[np.uint8]]:
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


def _find_bars(views: Sequence[npt.NDArray[np.uint8]]) -> tuple[float, float, float, float]:
    """Shares of height and width that are black in all frames, at the top, bottom, left and right."""
    height, width = views[0].shape
    top, bottom, left, right = 0, 0, 0, 0
    for _ in range(2):  # bars at one pair of sides darken the lines of the other pair, until they are left out
        rows = _measure_brightness([view[:, left : width - right] for view in views], axis=1)
        top, bottom = _count_dark(rows), _count_dark(rows[::-1])
        columns = _measure_brightness([view[top : height - bottom] for view in views], axis=0)
        left, right = _count_dark(columns), _count_dark(columns[::-1])
    return (top / height, bottom / height, left / width, right / width)


def _measure_brightness(views: Sequence[npt.NDArray[np.uint8]], axis: int) -> npt.NDArray[np.uint8]:
    """How bright each row or column ever becomes, its brightest fiftieth (specks, noise) left aside."""
    place = round(_BAR_QUANTILE * (views[0].shape[axis] - 1))
    return np.max([np.partition(view, place, axis=axis).take(place, axis=axis) for view in views], axis=0)


def _count_dark(brightness: npt.NDArray[np.uint8]) -> int:
    lit = np.flatnonzero(brightness > _BAR_LUMA)
    dark = int(lit[0]) if len(lit) else len(brightness)
    if dark == 0 or dark > _MAX_TRIM * len(brightness):
        return 0
    return dark + 1  # and the line where bar and picture mix


def _trim(view: npt.NDArray[np.uint8], bars: Sequence[float]) -> npt.NDArray[np.uint8]:
    height, width = view.shape
    top, bottom, left, right = bars
    return view[
        round(top * height) : height - round(bottom * height), round(left * width) : width - round(right * width)
    ]


def _is_flat(view: npt.NDArray[np.uint8], bars: Sequence[float], times: float = 1.0) -> bool:
    return float(_trim(view, bars).std()) < _FLAT_DEVIATION * times


def _hash_view(view: npt.NDArray[np.uint8], bars: Sequence[float]) -> int:
    import imagehash
    from PIL import Image

    return int(str(imagehash.phash(Image.fromarray(_trim(view, bars)))), 16)


# --- comparing --------------------------------------------------------------------------------------------------


def compare_content(path: Path, reference: Fingerprint) -> Comparison:
    """How the file's content differs from that of the fingerprint.

    Raises:
        DatasetError: the fingerprint holds no frames, or not a hash for each time.
        UnreadableVideoError: the file is damaged, or no video.
        VideoLimitError: it is larger or longer than the limits allow.
    """
    if not reference.times_seconds or len(reference.times_seconds) != len(reference.hashes):
        raise DatasetError(f"the fingerprint of {reference.video_id} does not hold a hash for each of its times")
    return _compare(scan_video(path), reference)


def _compare(scan: VideoScan, reference: Fingerprint) -> Comparison:
    views = _view_frames(scan, reference.times_seconds)
    bars = _find_bars(views)
    distances = _measure_distances(views, bars, reference.hashes)
    known = distances[~np.isnan(distances)]
    share = float((known <= SAME_FRAME_DISTANCE).mean()) if len(known) else 1.0
    median = float(np.median(known)) if len(known) else 0.0
    longer = scan.duration_seconds - reference.duration_seconds
    is_as_long = abs(longer) <= DURATION_TOLERANCE_SECONDS
    replaced = _find_replaced(np.array(reference.times_seconds), distances)
    figures = f"median distance {median:g} of 64 bits, {share:.0%} of {len(known)} frames alike"

    def judge(verdict: Verdict, reason: str, offsets: tuple[float, float] = (0.0, 0.0)) -> Comparison:
        spans = replaced if verdict == "replaced" else ()
        return Comparison(verdict, f"{reason} ({figures})", median, share, longer, offsets, spans)

    if is_as_long and share >= SAME_CONTENT_SHARE and not replaced:
        return judge("same", "the same content")
    told_replaced = "shows something else at " + ", ".join(f"{start:.1f}–{end:.1f} s" for start, end in replaced)
    if is_as_long and replaced and median <= SAME_FRAME_DISTANCE:
        return judge("replaced", told_replaced)
    offsets = _find_offsets(scan, reference, bars, longer)
    if offsets is not None and (offsets != (0.0, 0.0) or not is_as_long):
        return judge("trimmed", _tell_trim(longer, *offsets), offsets)
    if replaced and median <= SAME_FRAME_DISTANCE:
        return judge("replaced", f"{told_replaced}, and is {_tell_length(longer)}")
    return judge("different", "other content")


def _measure_distances(
    views: Sequence[npt.NDArray[np.uint8]], bars: Sequence[float], hashes: Sequence[str | None]
) -> npt.NDArray[np.float64]:
    """Bits in which each frame differs from its hash, 0 to 64; NaN where neither contrast nor its lack tells."""
    return np.array([_measure_distance(view, bars, told) for view, told in zip(views, hashes, strict=True)])


def _measure_distance(view: npt.NDArray[np.uint8], bars: Sequence[float], told: str | None) -> float:
    if told is not None:
        return (_hash_view(view, bars) ^ int(told, 16)).bit_count()
    if _is_flat(view, bars):
        return 0
    return float("nan") if _is_flat(view, bars, times=3) else 64


def _find_replaced(
    times: npt.NDArray[np.float64], distances: npt.NDArray[np.float64]
) -> tuple[tuple[float, float], ...]:
    """Spans of two or more frames in a row that show something else; a bound lies half-way to the next good frame."""
    half = float(times[1] - times[0]) / 2 if len(times) > 1 else 0.0
    spans: list[tuple[float, float]] = []
    run: list[float] = []
    for time, distance in [*zip(times, distances, strict=True), (0.0, 0.0)]:
        if distance > OTHER_FRAME_DISTANCE:
            run.append(float(time))
            continue
        if len(run) >= 2:
            spans.append((run[0] - half, run[-1] + half))
        run = []
    return tuple(spans)


def _find_offsets(
    scan: VideoScan, reference: Fingerprint, bars: Sequence[float], longer: float
) -> tuple[float, float] | None:
    """How much later the file shows the reference's beginning and its end; None where either is not found."""
    with_hash = [number for number, told in enumerate(reference.hashes) if told is not None]
    ends = with_hash[:OFFSET_SCAN_FRAMES], with_hash[-OFFSET_SCAN_FRAMES:]
    steps = round(OFFSET_SPAN_SECONDS / OFFSET_STEP_SECONDS)
    # first those that explain themselves, so that among equals they are taken: unmoved, moved by the whole difference
    offsets = [0.0, longer, *(step * OFFSET_STEP_SECONDS for step in range(-steps, steps + 1) if step)]
    wanted = {
        (number, offset): reference.times_seconds[number] + offset
        for number in {*ends[0], *ends[1]}
        for offset in offsets
        if 0 <= reference.times_seconds[number] + offset < scan.duration_seconds
    }
    if not wanted:
        return None
    views = _view_frames(scan, list(wanted.values()))
    hashes = [reference.hashes[number] for number, _ in wanted]
    found = dict(zip(wanted, _measure_distances(views, bars, hashes), strict=True))
    start, end = (_choose_offset(found, numbers, offsets) for numbers in ends)
    return None if start is None or end is None else (start, end)


def _choose_offset(
    found: dict[tuple[int, float], float], numbers: Sequence[int], offsets: Sequence[float]
) -> float | None:
    """The offset at which enough of those frames show the same, and are nearest; earlier ones win by a bit."""
    best, best_distance = None, float("inf")
    for offset in offsets:
        distances = np.array([found[number, offset] for number in numbers if (number, offset) in found])
        if len(distances) < max(1, len(numbers) / 2):
            continue
        mean = float(distances.mean())
        if (distances <= SAME_FRAME_DISTANCE).mean() >= SAME_CONTENT_SHARE and mean < best_distance - 1:
            best, best_distance = offset, mean
    return best


def _tell_trim(longer: float, start: float, end: float) -> str:
    if abs(longer) <= DURATION_TOLERANCE_SECONDS:
        return f"the same content, shown {abs(start or end):.1f} s {'later' if (start or end) > 0 else 'earlier'}"
    what = "missing" if longer < 0 else "added"
    if start == end == 0:
        where = "at the end"
    elif abs(start - longer) <= OFFSET_STEP_SECONDS:
        where = "at the beginning"
    elif abs(start) <= OFFSET_STEP_SECONDS:
        where = "in between"
    else:
        where = f"{abs(start):.1f} s of them before what its beginning shows"
    return f"the same content, but {_tell_length(longer)}: {abs(longer):.1f} s {what} {where}"


def _tell_length(longer: float) -> str:
    return f"{abs(longer):.1f} s {'longer' if longer > 0 else 'shorter'}"
