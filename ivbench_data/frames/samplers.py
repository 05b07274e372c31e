"""Samplers: which frames a grid takes, by named convention, in exact integers.

Each convention is a function of integers: `frames` in the video, `nframes` wanted. Where a formula rounds, halves go
to even, as numpy and torch do; nothing is computed in floating point, which picks other frames in some long videos.
With more frames wanted than there are, each formula repeats frames by itself, in order; no formula leaves the range
`0 … frames - 1`.

| name              | formula                                                 | used by                              |
|-------------------|---------------------------------------------------------|--------------------------------------|
| linspace_floor    | `floor(linspace(0, n-1, N))`                            | LLaVA-OneVision, LLaVA-Video, LongVA |
| linspace_round    | `round(linspace(0, n-1, N))`                            | Qwen2-VL, Qwen2.5-VL, IV-Bench       |
| segment_midpoint  | `int(seg/2 + round(seg*i))`, `seg = (n-1)/N`            | InternVL2, InternVL2.5               |
| midpoint          | `int(n/N*(i+0.5))`                                      | Aria                                 |
| left_edge         | `int(i*n/N)`                                            | LLaMA-VID, LongVU                    |
| interior          | `int(i*n/(N+1))`, `i = 1 … N`                           | VLMEvalKit                           |
| fps_then_midpoint | `L[int(i*g + g/2)]`, `g = len(L)/N`, L: one frame a sec | MiniCPM-V, MiniCPM-o                 |

Two take as many frames as they need, and N at most:

| name                 | formula                                                               | used by             |
|----------------------|-----------------------------------------------------------------------|---------------------|
| linspace_floor_24fps | `floor(linspace(0, n-1, min(N, int(24*n/rate)+1)))`; below 0.5 s: 24  | VideoEspresso, code |
| core_frames          | the frame on screen at each moment that the questions name            | VideoEspresso       |

`linspace_floor_24fps` is `linspace_floor` from `(N-1)/24` seconds on, and repeats frames of videos slower than 24 a
second (eval/close_ended.py of github.com/hshjerry/VideoEspresso at c865570f, where N is 128).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from math import ceil
from typing import get_args

from ivbench_data.schema import FrameGrid, Question, Sampler


def linspace_floor(frames: int, nframes: int) -> list[int]:
    """`floor(linspace(0, n-1, N))`; the first frame when N is 1."""
    return [index * (frames - 1) // (nframes - 1) for index in range(nframes)] if nframes > 1 else [0]


def linspace_round(frames: int, nframes: int) -> list[int]:
    """`round(linspace(0, n-1, N))`, halves to even; the first frame when N is 1."""
    return [_round_half_even(index * (frames - 1), nframes - 1) for index in range(nframes)] if nframes > 1 else [0]


def segment_midpoint(frames: int, nframes: int) -> list[int]:
    """`int(seg/2 + round(seg*i))` with `seg = (n-1)/N`, halves to even."""
    half_segment = (frames - 1) // (2 * nframes)
    return [half_segment + _round_half_even(index * (frames - 1), nframes) for index in range(nframes)]


def midpoint(frames: int, nframes: int) -> list[int]:
    """`int(n/N*(i+0.5))`."""
    return [frames * (2 * index + 1) // (2 * nframes) for index in range(nframes)]


def left_edge(frames: int, nframes: int) -> list[int]:
    """`int(i*n/N)`."""
    return [index * frames // nframes for index in range(nframes)]


def interior(frames: int, nframes: int) -> list[int]:
    """`int(i*n/(N+1))` for i from 1 to N."""
    return [index * frames // (nframes + 1) for index in range(1, nframes + 1)]


SAMPLERS: dict[str, Callable[[int, int], list[int]]] = {
    "linspace_floor": linspace_floor,
    "linspace_round": linspace_round,
    "segment_midpoint": segment_midpoint,
    "midpoint": midpoint,
    "left_edge": left_edge,
    "interior": interior,
}
"""The conventions that need nothing but the two numbers; the others need the frame rate, or moments, too."""


def fps_then_midpoint(frames: int, nframes: int, average_rate: Fraction) -> list[int]:
    """Midpoints of N equal parts of the list of every k-th frame; k is the rounded frame rate, at least 1."""
    step = max(1, round(average_rate))
    listed = range(0, frames, step)
    return [listed[index] for index in midpoint(len(listed), nframes)]


def linspace_floor_24fps(frames: int, nframes: int, average_rate: Fraction) -> list[int]:
    """`floor(linspace(0, n-1, K))` with `K = min(N, int(24·n/rate) + 1)`, and 24 for less than half a second."""
    duration_seconds = frames / average_rate
    count = min(nframes, int(24 * duration_seconds) + 1) if duration_seconds >= Fraction(1, 2) else 24
    return linspace_floor(frames, min(nframes, count))


def sample_indices(
    grid: FrameGrid,
    pts: Sequence[int],
    time_base: Fraction,
    average_rate: Fraction | None,
    duration_seconds: float,
    moments: Sequence[float] = (),
    zero_pts: int | None = None,
) -> list[int]:
    """The presentation indices that a grid takes of a video, in ascending order.

    `pts` are the timestamps of all frames shown, ascending, in units of `time_base` seconds. Times are counted from
    `zero_pts`, the clock's zero, by default the first frame shown. With `fps`, the frame on screen at each multiple of
    1/fps is taken, and when these are more than `nframes`, the sampler picks among them. `core_frames` takes the frame
    on screen at each of the `moments`, in seconds after that zero, each frame once.

    Raises:
        ValueError: there is no frame, the span begins after the video ends, or a frame rate is needed and missing; no
            moment is known, one is after the video's end, or they are more frames than the grid holds.
    """
    if not pts:
        raise ValueError("the video shows no frame")
    zero = pts[0] if zero_pts is None else zero_pts
    if grid.sampler == "core_frames":
        return _find_frames_at(moments, pts, time_base, duration_seconds, grid.nframes, zero)
    first, last = 0, len(pts) - 1
    if grid.span is not None:
        start, end = (Fraction(str(bound)) for bound in grid.span)
        if start > duration_seconds:
            raise ValueError(f"the span begins at {float(start)} s, and the video ends at {duration_seconds:.3f} s")
        first, last = (_index_at(pts, time_base, bound, zero) for bound in (start, end))
    if grid.fps is not None:
        start = Fraction(str(grid.span[0])) if grid.span else Fraction(0)
        rate = Fraction(str(grid.fps))
        # before the first frame, nothing is on screen
        start += max(0, ceil(((pts[0] - zero) * time_base - start) * rate)) / rate
        end = (pts[-1] - zero) * time_base
        end = min(Fraction(str(grid.span[1])), end) if grid.span else end
        count = max(0, int((end - start) * rate)) + 1
        if count <= grid.nframes:
            return [_index_at(pts, time_base, start + index / rate, zero) for index in range(count)]
        chosen = _apply(grid, count, rate)  # it is moments that are picked from, and these come at `fps`
        return [_index_at(pts, time_base, start + index / rate, zero) for index in chosen]
    return [first + index for index in _apply(grid, last - first + 1, average_rate)]


def _find_frames_at(
    moments: Sequence[float], pts: Sequence[int], time_base: Fraction, duration_seconds: float, most: int, zero: int
) -> list[int]:
    if not moments:
        raise ValueError("no question on this video says when its core frames are shown")
    if max(moments) > duration_seconds:
        raise ValueError(f"a core frame is at {max(moments)} s, and the video ends at {duration_seconds:.3f} s")
    found = sorted({_index_at(pts, time_base, Fraction(str(moment)), zero) for moment in moments})
    if len(found) > most:
        raise ValueError(f"its questions name {len(found)} core frames, and the grid holds {most}")
    return found


def find_moments(questions: Iterable[Question]) -> dict[str, tuple[float, ...]]:
    """By video, when the core frames of its questions are shown: the moments of their evidence, ascending, each once.

    Times are in seconds on the video's clock. Ranges are no frames, and are passed over.
    """
    moments: dict[str, set[float]] = {}
    for question in questions:
        if question.video_id is not None and (own := moments_of(question)):
            moments.setdefault(question.video_id, set()).update(own)
    return {video_id: tuple(sorted(times)) for video_id, times in moments.items()}


def moments_of(question: Question) -> tuple[float, ...]:
    """When the question's core frames are shown, ascending, each moment once."""
    times = {item.start_seconds for item in question.evidence if item.kind == "point"}
    return tuple(sorted(time for time in times if time is not None))


def digest_moments(moments: Sequence[float]) -> str:
    """SHA-256 of the moments: what beside its grid decides which frames a cache of core frames holds."""
    return hashlib.sha256(",".join(map(repr, moments)).encode()).hexdigest()


RATED_SAMPLERS = {"fps_then_midpoint": fps_then_midpoint, "linspace_floor_24fps": linspace_floor_24fps}
"""The conventions that need the frame rate too."""

CONSTANT_SAMPLERS: tuple[Sampler, ...] = tuple(
    name for name in get_args(Sampler) if name not in ("linspace_floor_24fps", "core_frames")
)
"""The conventions that take N frames of any video."""


def _apply(grid: FrameGrid, frames: int, average_rate: Fraction | None) -> list[int]:
    if grid.sampler in RATED_SAMPLERS:
        if not average_rate:
            raise ValueError(f"the sampler {grid.sampler} needs a frame rate, and the file gives none")
        return RATED_SAMPLERS[grid.sampler](frames, grid.nframes, average_rate)
    return SAMPLERS[grid.sampler](frames, grid.nframes)


def _index_at(pts: Sequence[int], time_base: Fraction, seconds: Fraction, zero: int) -> int:
    """The frame on screen at a time after zero: the last one that has begun, or the first one."""
    return max(0, bisect_right(pts, zero + seconds / time_base) - 1)


def _round_half_even(numerator: int, denominator: int) -> int:
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))
