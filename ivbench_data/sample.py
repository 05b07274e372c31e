"""Which frames to take: sampling conventions by name, in exact integers.

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
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction

from ivbench_data.schema import FrameGrid


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
"""The conventions that need nothing but the two numbers; `fps_then_midpoint` needs the frame rate too."""


def fps_then_midpoint(frames: int, nframes: int, average_rate: Fraction) -> list[int]:
    """Midpoints of N equal parts of the list of every k-th frame; k is the rounded frame rate, at least 1."""
    step = max(1, round(average_rate))
    listed = range(0, frames, step)
    return [listed[index] for index in midpoint(len(listed), nframes)]


def sample_indices(
    grid: FrameGrid, pts: Sequence[int], time_base: Fraction, average_rate: Fraction | None, duration_seconds: float
) -> list[int]:
    """The presentation indices that a grid takes of a video, in ascending order.

    `pts` are the timestamps of all frames shown, ascending, in units of `time_base` seconds. Times are counted from the
    first frame shown. With `fps`, the frame on screen at each multiple of 1/fps is taken, and when these are more than
    `nframes`, the sampler picks among them.

    Raises:
        ValueError: there is no frame, the span begins after the video ends, or a frame rate is needed and missing.
    """
    if not pts:
        raise ValueError("the video shows no frame")
    first, last = 0, len(pts) - 1
    if grid.span is not None:
        start, end = (Fraction(str(bound)) for bound in grid.span)
        if start > duration_seconds:
            raise ValueError(f"the span begins at {float(start)} s, and the video ends at {duration_seconds:.3f} s")
        first, last = (_index_at(pts, time_base, bound) for bound in (start, end))
    if grid.fps is not None:
        start = Fraction(str(grid.span[0])) if grid.span else Fraction(0)
        end = Fraction(str(grid.span[1])) if grid.span else (pts[-1] - pts[0]) * time_base
        end = min(end, (pts[-1] - pts[0]) * time_base)
        rate = Fraction(str(grid.fps))
        count = max(0, int((end - start) * rate)) + 1
        if count <= grid.nframes:
            return [_index_at(pts, time_base, start + index / rate) for index in range(count)]
        chosen = _apply(grid, count, rate)  # it is moments that are picked from, and these come at `fps`
        return [_index_at(pts, time_base, start + index / rate) for index in chosen]
    return [first + index for index in _apply(grid, last - first + 1, average_rate)]


def _apply(grid: FrameGrid, frames: int, average_rate: Fraction | None) -> list[int]:
    if grid.sampler == "fps_then_midpoint":
        if not average_rate:
            raise ValueError("the sampler fps_then_midpoint needs a frame rate, and the file gives none")
        return fps_then_midpoint(frames, grid.nframes, average_rate)
    return SAMPLERS[grid.sampler](frames, grid.nframes)


def _index_at(pts: Sequence[int], time_base: Fraction, seconds: Fraction) -> int:
    """The frame on screen at a time after the first frame: the last one that has begun."""
    return max(0, bisect_right(pts, pts[0] + seconds / time_base) - 1)


def _round_half_even(numerator: int, denominator: int) -> int:
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))
