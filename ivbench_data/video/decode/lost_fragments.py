"""Tell DASH or HLS fragments that were never downloaded from a picture that stood still, by packets alone.

Both leave a gap between timestamps. A lost fragment takes whole groups of pictures with it: what follows the gap begins
with a keyframe, and what stands before it ended where a group ends. A screen recorder that writes a frame only when the
picture changes leaves gaps of any length, of which some are followed by no keyframe, or a group that was cut short by
the pause; and an encoder that puts pictures into another order knows of the pause, and shows that in decoding times.
So a gap, longer than `MIN_GAP_SECONDS` and `MIN_GAP_INTERVALS`, is a loss when all of these hold:

1. every such gap is followed by a keyframe, in decoding order;
2. frames come at a steady rate otherwise (no more than `MAX_UNSTEADY` of the intervals are three times the usual);
3. where the container keeps decoding times, these leap with the timestamps;
4. groups last equally long, and so does the one before each gap; or they vary, and keyframes lie on a grid of equal
   fragments that the gap fits; or, with nothing to compare, the gap is as long as groups like the one before it.

What follows none of these rules is called odd: a lossy file whose fragments vary in length is among that.

Streams of keyframes only say nothing of losses. `tests/video/test_fragments.py` measures both error rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ivbench_data.video.decode.clock import Clock, make_clock
from ivbench_data.video.decode.packet_log import PacketLog

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_GAP_SECONDS: Final = 1.0
"""A shorter gap between timestamps is a dropped frame; DASH and HLS fragments are longer than this."""
MIN_GAP_INTERVALS: Final = 8
"""A gap is also longer than this many of the intervals that 95% of the frames keep (variable frame rate)."""
MAX_UNSTEADY: Final = 0.02
"""Share of intervals, gaps aside, that may be three times the usual one: dropped frames."""
SAME_LENGTH_SHARE: Final = 0.8
"""Share of the groups of pictures that last equally long when the encoder keeps to one length."""
MAX_CHANCE: Final = 1e-3
"""Probability that keyframes lie on a grid by chance, above which they are taken to."""
MIN_FRAGMENT_SECONDS: Final = 1.0
"""Fragments are longer than this."""
MAX_LOST_TOGETHER: Final = 8
"""Fragments lost in a row whose common length is tried."""


class Gaps(NamedTuple):
    """What gaps between a video's timestamps come to."""

    lost: str | None = None
    """The reason, when fragments are missing."""
    oddities: tuple[str, ...] = ()
    """What is odd about it otherwise."""


def find_gaps(log: PacketLog, clock: Clock) -> Gaps:
    """What the gaps between timestamps mean, given all packets."""
    if not clock.is_timed or len(find_long_intervals(clock.pts_seconds)) == 0:
        return Gaps()
    order = log.order_frames()
    seconds = make_clock(log.time_frames(), log.times).pts_seconds
    gaps = find_long_intervals(seconds)
    if len(gaps) == 0:
        return Gaps()
    intervals = np.diff(seconds)
    usual = float(np.median(np.delete(intervals, gaps))) if len(gaps) < len(intervals) else 0.0
    longest = ", ".join(f"{intervals[at]:.1f} s at {seconds[at]:.1f} s" for at in gaps[:3])
    more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    where = f"{longest}{more}, where frames are {usual:.2g} s apart"
    if _are_losses(log, order, seconds, gaps.tolist(), usual):
        return Gaps(lost=f"fragments are missing: gaps of {where}")
    return Gaps(oddities=(f"still stretches: no frame for {where}",))


def find_long_intervals(seconds: NDArray[np.float64]) -> NDArray[np.intp]:
    """Places of frames after which there is a gap."""
    intervals = np.diff(seconds)
    if not len(intervals):
        return np.flatnonzero(intervals)
    usual = float(np.quantile(intervals, 0.95, method="lower"))
    return np.flatnonzero(intervals > max(MIN_GAP_SECONDS, MIN_GAP_INTERVALS * usual))


def _are_losses(
    log: PacketLog, order: Sequence[int], seconds: NDArray[np.float64], gaps: Sequence[int], usual: float
) -> bool:
    keyframes = sum(log.is_keyframe)
    if not usual or not keyframes or keyframes == len(log.pts):
        return False
    between = np.delete(np.diff(seconds), gaps)
    if (between >= 3 * usual).sum() > max(2, MAX_UNSTEADY * len(between)):
        return False
    firsts = [min(order[at + 1 : at + 1 + _NEAR]) for at in gaps]
    if not all(log.is_keyframe[first] for first in firsts) or _knows_of_pauses(log, firsts, gaps, seconds):
        return False
    return _end_with_whole_groups(log, order, seconds, dict(zip(firsts, gaps, strict=True)), usual)


_NEAR = 32
"""Frames within which pictures are reordered: twice the most that H.264 and HEVC allow."""


def _knows_of_pauses(log: PacketLog, firsts: Sequence[int], gaps: Sequence[int], seconds: NDArray[np.float64]) -> bool:
    """Whether a frame behind a gap was to be decoded long before it is shown, as encoders plan that saw the pause."""
    if not log.times.keeps_decoding_times:
        return False
    time_base = float(log.times.time_base)
    for first, at in zip(firsts, gaps, strict=True):
        pts, dts = log.pts[first], log.dts[first]
        if pts is not None and dts is not None and (pts - dts) * time_base > (seconds[at + 1] - seconds[at]) / 2:
            return True
    return False


class _Groups(NamedTuple):
    """The groups of pictures between keyframes, in seconds."""

    keyframes: list[float]
    """When each keyframe is shown."""
    whole: list[float]
    """How long each group lasts that no gap follows."""
    before: list[tuple[float, float, float]]
    """For each gap: when the keyframe before it is shown, when the last frame before it ends, when the next begins."""
    leading_seconds: float
    """How long the pictures last, at most, that stand behind a keyframe and are shown before it."""


def _list_groups(log: PacketLog, order: Sequence[int], seconds: NDArray[np.float64], gaps: dict[int, int]) -> _Groups:
    place = {number: at for at, number in enumerate(order)}
    starts = [number for number, is_keyframe in enumerate(log.is_keyframe) if is_keyframe and number in place]
    shown = {number: float(seconds[place[number]]) for number in starts}
    usual = float(np.median(np.diff(seconds)))
    leading = [sum(other > start for other in order[max(0, place[start] - _NEAR) : place[start]]) for start in starts]
    reorders = any(a > b for a, b in pairwise(order))
    whole = [shown[end] - shown[start] for start, end in pairwise(starts) if end not in gaps]
    before = [
        (shown[start], float(seconds[gaps[end]]) + usual, shown[end]) for start, end in pairwise(starts) if end in gaps
    ]
    most = max(*leading, _LIKELY_LEADING if reorders else 0) if leading else 0
    return _Groups(list(shown.values()), whole, before, most * usual)


_LIKELY_LEADING = 3
"""Pictures that encoders show before an open group's keyframe."""


def _end_with_whole_groups(
    log: PacketLog, order: Sequence[int], seconds: NDArray[np.float64], gaps: dict[int, int], usual: float
) -> bool:
    """Whether what stands before each gap ended where a group of pictures ends; `gaps` by the packet that follows."""
    groups = _list_groups(log, order, seconds, gaps)
    if len(groups.before) < len(gaps):
        return False
    near = 1.5 * usual

    def fits(length: float, began: float, ended: float) -> bool:
        return -groups.leading_seconds - near <= ended - began - length <= near

    if len(groups.whole) > 1:
        length = float(np.median(groups.whole))
        if np.mean([abs(other - length) <= near for other in groups.whole]) >= SAME_LENGTH_SHARE:
            return all(fits(length, began, ended) for began, ended, _ in groups.before)
        return all(_lies_on_grid(groups, ended, after, float(seconds[-1]), near) for _, ended, after in groups.before)
    return all(
        any(fits((after - began) / count, began, ended) for count in range(2, MAX_LOST_TOGETHER + 2))
        for began, ended, after in groups.before
    )


def _lies_on_grid(groups: _Groups, ended: float, after: float, last: float, near: float) -> bool:
    """Whether keyframes are, wherever there are frames, as far apart as the gap is long, or a part of that."""
    keyframes = np.array(groups.keyframes)
    missing = [(end, resumed) for _, end, resumed in groups.before]
    for count in range(1, MAX_LOST_TOGETHER + 1):
        for lead in np.arange(0, groups.leading_seconds + near, near):
            period = (after - ended - lead) / count
            if period < MIN_FRAGMENT_SECONDS:
                break
            points = after + period * np.arange(-int(after / period), int((last - after) / period) + 1)
            points = np.array(
                [at for at in points if at != after and not any(end - near < at < resumed for end, resumed in missing)]
            )
            if not len(points):
                continue
            found = np.abs(points[:, None] - keyframes[None]).min(axis=1) <= near
            chance = min(1.0, len(keyframes) * 2 * near / max(last, near))
            if found.mean() >= 0.9 and chance ** found.sum() * count < MAX_CHANCE:
                return True
    return False
