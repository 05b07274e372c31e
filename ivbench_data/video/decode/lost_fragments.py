"""Tell DASH or HLS fragments that were never downloaded from a picture that stood still, by packets alone.

Both leave a gap between timestamps. A lost fragment takes whole groups of pictures with it: what follows the gap begins
with a keyframe, and what stands before it ended where a group ends. A screen recorder that writes a frame only when the
picture changes leaves gaps of any length, of which some are followed by no keyframe, or a group that was cut short by
the pause; and an encoder that puts pictures into another order knows of the pause, and shows that in decoding times.
So a gap, longer than `MIN_GAP_SECONDS` and `MIN_GAP_INTERVALS`, is a loss when all of these hold:

1. every such gap is followed by a keyframe, in decoding order;
2. frames come at a steady rate otherwise (no more than `MAX_UNSTEADY` of the intervals are three times the usual one);
3. where pictures are reordered, decoding times leap with the timestamps;
4. groups are of one length, and the one before each gap is; or they vary, and gaps are rarer than other keyframes; or,
   with nothing to compare, the gap is as long as one or more groups like the one before it.

Streams of keyframes only say nothing of losses. `tests/video/test_fragments.py` measures both error rates.
"""

from __future__ import annotations

from collections import Counter
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
"""Share of the groups of pictures that have the same length when the encoder keeps to one."""


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
    seconds = make_clock([log.pts[at] for at in order], log.times).pts_seconds
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
    firsts = [min(order[at + 1 :][:_LEADING]) for at in gaps]
    if not all(log.is_keyframe[first] for first in firsts) or _knows_of_pauses(log, firsts, gaps, seconds):
        return False
    return _end_with_whole_groups(log, order, seconds, firsts, usual)


_LEADING = 32
"""Frames behind a gap among which the first in decoding order is looked for."""


def _knows_of_pauses(log: PacketLog, firsts: Sequence[int], gaps: Sequence[int], seconds: NDArray[np.float64]) -> bool:
    """Whether a frame behind a gap was to be decoded long before it is shown, as encoders plan that saw the pause."""
    time_base = float(log.times.time_base)
    for first, at in zip(firsts, gaps, strict=True):
        pts, dts = log.pts[first], log.dts[first]
        if pts is not None and dts is not None and (pts - dts) * time_base > (seconds[at + 1] - seconds[at]) / 2:
            return True
    return False


def _end_with_whole_groups(
    log: PacketLog, order: Sequence[int], seconds: NDArray[np.float64], firsts: Sequence[int], usual: float
) -> bool:
    """Whether what stands before each gap ended where a group of pictures ends."""
    starts = [number for number, is_keyframe in enumerate(log.is_keyframe) if is_keyframe]
    lengths = {end: end - start for start, end in pairwise(starts)}
    others = [length for end, length in lengths.items() if end not in firsts]
    before = [lengths[first] for first in firsts if first in lengths]
    if len(others) > 1:
        length, count = Counter(others).most_common(1)[0]
        if count >= SAME_LENGTH_SHARE * len(others):
            return all(own == length for own in before)
        return 2 * len(before) <= len(others)
    shown = dict(zip(order, seconds.tolist(), strict=True))
    for first in firsts:
        start = max((start for start in starts if start < first), default=None)
        if start is None or start not in shown:
            return False
        group = (first - start) * usual
        groups = (shown[first] - shown[start]) / group
        if abs(groups - round(groups)) * group > 1.5 * usual:
            return False
    return True
