"""Compare a file's content with a fingerprint: same, different, trimmed or partly replaced.

The frames are those on screen at the fingerprint's own times, so only the fingerprint need be published.

The thresholds are measured, over 1,085 pairs of videos and 20 re-encodes (scale, bitrate, codec, frame rate, bars):
the median distance of the same content was at most 2 bits, of different content at least 24.

pHash sees a slide's template and not its words, so frames with a detail hash are decided by that where it is clear.
Measured on 48 slide templates, each in up to eight encodings: at most 39 of 128 bits (41 of both hashes) differ between
encodings of one slide, and 45 to 70 between most slides of other words on one template (at least 49 of both hashes);
pHash alone differs in 6 to 30 of 64. A logo in a corner moves pHash by up to 24 bits and the detail by none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ivbench_data.perceptual_hash import DETAIL_BITS, hash_detail, hash_picture, is_flat
from ivbench_data.video.decode import VideoScan, scan_video
from ivbench_data.video.fingerprint import (
    MIN_DETAIL_STEPS,
    Bars,
    Fingerprint,
    find_bars,
    trim_bars,
    view_frames,
)

SAME_FRAME_DISTANCE: Final = 12
"""Bits; a frame as near as this shows the same."""
SAME_CONTENT_SHARE: Final = 0.75
"""Share of the frames that must show the same."""
OTHER_FRAME_DISTANCE: Final = 16
"""Bits; two frames in a row beyond this are a replaced segment. One alone may be a cut that falls between the times."""
SAME_DETAIL_DISTANCE: Final = 28
"""Bits, of 128; a frame whose detail is as near shows the same, whatever a logo does to its pHash."""
OTHER_DETAIL_DISTANCE, OTHER_SUM_DISTANCE = 36, 45
"""Bits, of 128, and of both hashes' 192; a frame as far by both measures shows something else, though pHash alone sees
no difference."""
BLACK_LUMA: Final = 6
"""Of 255: as bright as black ever becomes, darker than a dark slide's background."""
CUT_SECONDS: Final = 0.15
"""How far frame rates move a cut: a single frame that is other is sought so much earlier and later."""
DURATION_TOLERANCE_SECONDS: Final = 0.5
"""Encoders and frame rates move the end by less; a trim of a second must show."""
OFFSET_SPAN_SECONDS, OFFSET_STEP_SECONDS = 2.0, 0.25
"""Range and step of the search for frames that are not at their times."""
OFFSET_SCAN_FRAMES: Final = 8
"""Frames searched for at either end; of a short video, a third of its frames."""

ContentResult = Literal["same", "trimmed", "replaced", "different"]


@dataclass(frozen=True)
class Comparison:
    """How a file's content differs from a fingerprint's."""

    result: ContentResult
    reason: str
    """The result in a sentence, with its figures."""
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


def compare_content(path: Path, reference: Fingerprint) -> Comparison:
    """How the file's content differs from that of the fingerprint.

    Raises:
        UnreadableVideoError: the file is damaged, or no video.
        VideoLimitError: it is larger or longer than the limits allow.
    """
    return _compare(scan_video(path), reference)


def _compare(scan: VideoScan, reference: Fingerprint) -> Comparison:
    views = view_frames(scan, reference.times_seconds)
    tried = {bars: _measure_distances(views, bars, reference) for bars in _list_bars(views, reference.bars)}
    bars, distances = min(tried.items(), key=lambda item: float(np.nansum(item[1])))
    distances = _look_beside_cuts(scan, reference, bars, distances)
    known = distances[~np.isnan(distances)]
    share = float((known <= SAME_FRAME_DISTANCE).mean()) if len(known) else 1.0
    median = float(np.median(known)) if len(known) else 0.0
    longer = scan.duration_seconds - reference.duration_seconds
    is_as_long = abs(longer) <= DURATION_TOLERANCE_SECONDS
    replaced = _find_replaced(np.array(reference.times_seconds), distances)
    figures = f"median distance {median:g} of 64 bits, {share:.0%} of {len(known)} frames alike"

    def conclude(result: ContentResult, reason: str, offsets: tuple[float, float] = (0.0, 0.0)) -> Comparison:
        spans = replaced if result == "replaced" else ()
        return Comparison(result, f"{reason} ({figures})", median, share, longer, offsets, spans)

    if is_as_long and share >= SAME_CONTENT_SHARE and not replaced:
        return conclude("same", "the same content")
    what_replaced = "shows something else at " + ", ".join(f"{start:.1f}–{end:.1f} s" for start, end in replaced)
    if is_as_long and replaced and median <= SAME_FRAME_DISTANCE:
        return conclude("replaced", what_replaced)
    offsets = _find_offsets(scan, reference, bars, longer)
    if offsets is not None and (offsets != (0.0, 0.0) or not is_as_long):
        return conclude("trimmed", _describe_trim(longer, *offsets), offsets)
    if replaced and median <= SAME_FRAME_DISTANCE:
        return conclude("replaced", f"{what_replaced}, and is {_describe_length(longer)}")
    return conclude("different", "other content")


def _list_bars(views: Sequence[npt.NDArray[np.uint8]], expected: Bars) -> list[Bars]:
    """Bars to try: its own, with and without the mixed lines at their edges; the reference's; within black edges.

    The reference's are right where a replaced segment has none and the rest has some. Within the black edges they are
    right where the reference's "bars" are the background of dark slides.
    """
    height, width = views[0].shape
    own = find_bars(views)
    top, bottom, left, right = (
        max(0.0, share - 1 / lines) for share, lines in zip(own, (height, height, width, width), strict=True)
    )
    edges = find_bars(views, BLACK_LUMA)
    rows, columns = 1 - edges[0] - edges[1], 1 - edges[2] - edges[3]
    within = (
        edges[0] + expected[0] * rows,
        edges[1] + expected[1] * rows,
        edges[2] + expected[2] * columns,
        edges[3] + expected[3] * columns,
    )
    return list(dict.fromkeys((own, (top, bottom, left, right), expected, within)))


def _measure_distances(
    views: Sequence[npt.NDArray[np.uint8]], bars: Bars, reference: Fingerprint, numbers: Sequence[int] | None = None
) -> npt.NDArray[np.float64]:
    """Bits, of 64, in which each view differs from the reference's frame of that number; NaN where it is doubtful."""
    numbers = range(len(reference.hashes)) if numbers is None else numbers
    return np.array(
        [_measure_distance(trim_bars(view, bars), reference, at) for view, at in zip(views, numbers, strict=True)]
    )


def _measure_distance(picture: npt.NDArray[np.uint8], reference: Fingerprint, number: int) -> float:
    """By pHash, unless the detail is clearly the same or clearly other."""
    distance = _measure_hash(picture, reference.hashes[number])
    detail = _measure_detail(picture, reference.find_detail(number))
    if detail >= OTHER_DETAIL_DISTANCE and detail + np.nan_to_num(distance) >= OTHER_SUM_DISTANCE:
        return float(np.fmax(max(detail / 2, OTHER_FRAME_DISTANCE + 1), distance))
    if detail <= SAME_DETAIL_DISTANCE:
        return min(distance, SAME_FRAME_DISTANCE)
    return distance


def _measure_hash(picture: npt.NDArray[np.uint8], expected: str | None) -> float:
    if expected is not None:
        return (hash_picture(picture) ^ int(expected, 16)).bit_count()
    if is_flat(picture):
        return 0
    return float("nan") if is_flat(picture, factor=3) else 64


def _measure_detail(picture: npt.NDArray[np.uint8], expected: int | Literal[""] | None) -> float:
    """Bits, of 128; NaN where neither has detail, or it is doubtful."""
    if expected is None:
        return float("nan")
    detail = hash_detail(picture)
    if expected == "":
        is_other = detail.steps > MIN_DETAIL_STEPS * 2  # detail where there was next to none; or the other way round
    elif detail.steps >= MIN_DETAIL_STEPS / 2:
        return (detail.hash ^ expected).bit_count()
    else:
        is_other = True
    return DETAIL_BITS / 2 if is_other else float("nan")


def _look_beside_cuts(
    scan: VideoScan, reference: Fingerprint, bars: Bars, distances: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The distances, where a single frame between good ones is other: that of the nearest frame beside it."""
    is_other = np.concatenate([[False], distances > OTHER_FRAME_DISTANCE, [False]])
    alone = np.flatnonzero(is_other[1:-1] & ~is_other[:-2] & ~is_other[2:])
    beside = [
        (int(number), reference.times_seconds[number] + shift)
        for number in alone
        for shift in (-CUT_SECONDS, CUT_SECONDS)
        if 0 <= reference.times_seconds[number] + shift < scan.duration_seconds
    ]
    if not beside:
        return distances
    views = view_frames(scan, [time for _, time in beside])
    distances = distances.copy()
    for (number, _), found in zip(
        beside, _measure_distances(views, bars, reference, [number for number, _ in beside]), strict=True
    ):
        distances[number] = np.fmin(distances[number], found)
    return distances


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


def _find_offsets(scan: VideoScan, reference: Fingerprint, bars: Bars, longer: float) -> tuple[float, float] | None:
    """How much later the file shows the reference's beginning and its end; None where either is not found."""
    steps = round(OFFSET_SPAN_SECONDS / OFFSET_STEP_SECONDS)
    # first those that explain themselves, so that among equals they are taken: unmoved, moved by the whole difference
    offsets = [0.0, longer, *(step * OFFSET_STEP_SECONDS for step in range(-steps, steps + 1) if step)]
    with_hash = [number for number, known in enumerate(reference.hashes) if known is not None]
    taken = max(1, min(OFFSET_SCAN_FRAMES, len(with_hash) // 3))
    start = _choose_offset(scan, reference, bars, with_hash[:taken], offsets)
    if start is None:
        return None
    end = _choose_offset(scan, reference, bars, with_hash[-taken:], offsets)
    return None if end is None else (start, end)


def _choose_offset(
    scan: VideoScan, reference: Fingerprint, bars: Bars, numbers: Sequence[int], offsets: Sequence[float]
) -> float | None:
    """The offset at which enough of those frames show the same, and are nearest; earlier ones win by a bit."""
    times = {
        (number, offset): reference.times_seconds[number] + offset
        for offset in offsets
        for number in numbers
        if 0 <= reference.times_seconds[number] + offset < scan.duration_seconds
    }
    if not times:
        return None
    views = view_frames(scan, list(times.values()))
    measured = _measure_distances(views, bars, reference, [number for number, _ in times])
    found = dict(zip(times, measured, strict=True))
    best, best_distance = None, float("inf")
    for offset in offsets:
        distances = np.array([found[number, offset] for number in numbers if (number, offset) in found])
        if len(distances) < max(1, len(numbers) / 2):
            continue
        mean = float(distances.mean())
        if (distances <= SAME_FRAME_DISTANCE).mean() >= SAME_CONTENT_SHARE and mean < best_distance - 1:
            best, best_distance = offset, mean
    return best


def _describe_trim(longer: float, start: float, end: float) -> str:
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
    return f"the same content, but {_describe_length(longer)}: {abs(longer):.1f} s {what} {where}"


def _describe_length(longer: float) -> str:
    return f"{abs(longer):.1f} s {'longer' if longer > 0 else 'shorter'}"
