"""Sampling conventions against their formulas, in exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from ivbench_data.frames.samplers import (
    RATED_SAMPLERS,
    SAMPLERS,
    find_moments,
    fps_then_midpoint,
    linspace_floor,
    linspace_floor_24fps,
    sample_indices,
)
from ivbench_data.schema import Evidence, FrameGrid, Question, Sampler

FRAMES = st.integers(1, 2_000_000)
NFRAMES = st.integers(1, 600)
RATES = st.sampled_from(
    [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(1, 2), Fraction(5, 2)]
)
MILLISECOND = Fraction(1, 1000)


def linspace(frames: int, nframes: int) -> list[Fraction]:
    """`linspace(0, n-1, N)`; its first point when N is 1, as numpy has it."""
    return [Fraction(index * (frames - 1), max(1, nframes - 1)) for index in range(nframes)]


# Python rounds fractions exactly, halves to even; that is what numpy and torch do with floats.
FORMULAS: dict[str, Callable[[int, int], list[int]]] = {
    "linspace_floor": lambda n, wanted: [floor(point) for point in linspace(n, wanted)],
    "linspace_round": lambda n, wanted: [round(point) for point in linspace(n, wanted)],
    "segment_midpoint": lambda n, wanted: [
        floor(Fraction(n - 1, wanted) / 2 + round(Fraction(n - 1, wanted) * index)) for index in range(wanted)
    ],
    "midpoint": lambda n, wanted: [floor(Fraction(n, wanted) * (index + Fraction(1, 2))) for index in range(wanted)],
    "left_edge": lambda n, wanted: [floor(Fraction(index * n, wanted)) for index in range(wanted)],
    "interior": lambda n, wanted: [floor(Fraction(index * n, wanted + 1)) for index in range(1, wanted + 1)],
}


def test_every_convention_has_a_formula_here() -> None:
    assert set(SAMPLERS) == set(FORMULAS) == set(get_args(Sampler)) - set(RATED_SAMPLERS) - {"core_frames"}


@pytest.mark.parametrize("name", SAMPLERS)
@given(frames=FRAMES, nframes=NFRAMES)
@example(frames=1, nframes=600)
@example(frames=2, nframes=1)
@example(frames=7, nframes=7)
@example(frames=5, nframes=9)  # every other point of linspace_round is a half
def test_conventions_are_their_formulas(name: str, frames: int, nframes: int) -> None:
    indices = SAMPLERS[name](frames, nframes)
    assert indices == FORMULAS[name](frames, nframes)
    assert len(indices) == nframes
    assert all(earlier <= later for earlier, later in pairwise(indices))
    assert indices[0] >= 0
    assert indices[-1] < frames


@given(frames=st.integers(1, 100_000), nframes=NFRAMES)
def test_numpy_agrees_where_its_floats_are_exact(frames: int, nframes: int) -> None:
    # With N - 1 a power of two every point of linspace is a float64.
    nframes = 2 ** (nframes % 9) + 1
    points = np.linspace(0, frames - 1, nframes)
    assert SAMPLERS["linspace_round"](frames, nframes) == np.round(points).astype(int).tolist()
    assert SAMPLERS["linspace_floor"](frames, nframes) == np.floor(points).astype(int).tolist()


@pytest.mark.parametrize(
    ("name", "frames", "nframes", "indices"),
    [
        ("linspace_round", 100, 1, [0]),
        ("linspace_round", 10, 4, [0, 3, 6, 9]),
        ("linspace_round", 2, 5, [0, 0, 0, 1, 1]),  # 0.25, 0.5, 0.75: the half goes to the even 0
        ("linspace_round", 4, 3, [0, 2, 3]),  # 1.5 goes to the even 2
        ("linspace_floor", 4, 3, [0, 1, 3]),
        ("segment_midpoint", 9, 4, [1, 3, 5, 7]),
        ("midpoint", 10, 2, [2, 7]),
        ("left_edge", 10, 4, [0, 2, 5, 7]),
        ("interior", 10, 4, [2, 4, 6, 8]),
        ("interior", 1, 3, [0, 0, 0]),
    ],
)
def test_choices_that_are_known(name: str, frames: int, nframes: int, indices: list[int]) -> None:
    assert SAMPLERS[name](frames, nframes) == indices


@given(FRAMES, NFRAMES, RATES)
def test_fps_then_midpoint_picks_from_one_frame_a_second(frames: int, nframes: int, rate: Fraction) -> None:
    listed = list(range(0, frames, max(1, round(rate))))
    gap = Fraction(len(listed), nframes)
    assert fps_then_midpoint(frames, nframes, rate) == [listed[floor(i * gap + gap / 2)] for i in range(nframes)]


# --- grids on videos --------------------------------------------------------------------------------------------


def sample(pts: list[int], time_base: Fraction = MILLISECOND, rate: Fraction | None = None, **grid: Any) -> list[int]:
    duration = float((pts[-1] - pts[0]) * time_base) if pts else 0.0
    return sample_indices(FrameGrid(**{"nframes": 4, "res": 240, **grid}), pts, time_base, rate, duration)


TEN_FPS = list(range(0, 10_000, 100))
"""100 frames, in milliseconds: 0.0 s to 9.9 s."""


def test_a_grid_samples_all_frames_by_its_convention() -> None:
    assert sample(TEN_FPS) == [0, 33, 66, 99]
    assert sample(TEN_FPS, sampler="interior") == [20, 40, 60, 80]
    assert sample([0, 100], nframes=5) == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("start", [0, 40, -12_345, 10**12])
def test_times_are_counted_from_the_first_frame(start: int) -> None:
    pts = [start + time for time in TEN_FPS]
    assert sample(pts, fps=1, nframes=64) == list(range(0, 100, 10))
    assert sample(pts, span=(2, 3)) == [20, 23, 27, 30]


@pytest.mark.parametrize(
    ("span", "indices"),
    [
        ((0, 0), [0, 0, 0, 0]),
        ((2, 2), [20, 20, 20, 20]),
        ((2.05, 2.35), [20, 21, 22, 23]),  # the frame on screen when the span begins is its first
        ((9.9, 9.9), [99, 99, 99, 99]),
        ((0, 1000), [0, 33, 66, 99]),
        ((0.1, 0.4), [1, 2, 3, 4]),
    ],
)
def test_a_span_takes_the_frames_on_screen_in_it(span: tuple[float, float], indices: list[int]) -> None:
    assert sample(TEN_FPS, span=span) == indices


@pytest.mark.parametrize(
    ("fps", "nframes", "indices"),
    [
        (1, 64, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        (1, 10, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        (1, 4, [0, 30, 60, 90]),  # ten are too many: the convention picks among them
        (0.5, 64, [0, 20, 40, 60, 80]),
        (0.001, 64, [0]),
        (3, 4, [0, 33, 63, 96]),  # 30 moments, of which 0, 10, 19, 29: 3 1/3 s, 6 1/3 s, 9 2/3 s
    ],
)
def test_fps_takes_the_frame_on_screen_at_each_moment(fps: float, nframes: int, indices: list[int]) -> None:
    assert sample(TEN_FPS, fps=fps, nframes=nframes) == indices


def test_more_moments_than_frames_repeat_the_frame_on_screen() -> None:
    assert sample([0, 1000, 1500], fps=4, nframes=64) == [0, 0, 0, 0, 1, 1, 2]


def test_fps_within_a_span() -> None:
    assert sample(TEN_FPS, fps=2, nframes=64, span=(2, 3.9)) == [20, 25, 30, 35]
    assert sample(TEN_FPS, fps=2, nframes=64, span=(9, 100)) == [90, 95]


def test_decimal_rates_are_meant_as_they_are_written() -> None:
    # 0.1 is no float64; the seventh moment is 0.7 s, and in floats 0.7000000000000001 or 0.6999999999999999
    assert sample(TEN_FPS, fps=10, nframes=100) == list(range(100))


def test_fps_then_midpoint_counts_seconds_of_what_it_picks_from() -> None:
    assert sample(TEN_FPS, sampler="fps_then_midpoint", rate=Fraction(10), nframes=5) == [10, 30, 50, 70, 90]
    # with fps, it picks among moments: two a second, of which every second one is listed
    assert sample(TEN_FPS, sampler="fps_then_midpoint", rate=None, fps=2, nframes=5) == [10, 30, 50, 70, 90]


@given(
    st.lists(st.integers(1, 400), max_size=200),
    st.integers(1, 64),
    st.none() | st.sampled_from([0.25, 1.0, 2.0, 23.976, 60.0]),
    st.none() | st.tuples(st.integers(0, 5), st.integers(5, 60)),
    st.sampled_from([name for name in get_args(Sampler) if name != "core_frames"]),
)
def test_every_choice_is_in_the_video_and_in_order(
    gaps: list[int], nframes: int, fps: float | None, span: tuple[int, int] | None, sampler: Sampler
) -> None:
    pts = [0]
    for gap in gaps:
        pts.append(pts[-1] + gap)
    if span is not None and span[0] > pts[-1] / 1000:
        span = None
    indices = sample(pts, rate=Fraction(30), nframes=nframes, fps=fps, span=span, sampler=sampler)
    assert all(earlier <= later for earlier, later in pairwise(indices))
    assert 0 <= indices[0] <= indices[-1] < len(pts)
    takes_all = fps is None and sampler != "linspace_floor_24fps"
    assert len(indices) == nframes if takes_all else 1 <= len(indices) <= nframes
    if span is not None:
        assert pts[indices[-1]] <= span[1] * 1000


@pytest.mark.parametrize(
    ("pts", "grid", "message"),
    [
        ([], {}, "shows no frame"),
        (TEN_FPS, {"span": (10, 11)}, r"begins at 10\.0 s, and the video ends at 9\.900 s"),
        (TEN_FPS, {"sampler": "fps_then_midpoint"}, "needs a frame rate"),
        (TEN_FPS, {"sampler": "linspace_floor_24fps"}, "needs a frame rate"),
        (TEN_FPS, {"sampler": "core_frames"}, "no question on this video says when its core frames are shown"),
    ],
)
def test_what_cannot_be_sampled_says_why(pts: list[int], grid: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(pts, **grid)


# --- samplers that take as many frames as they need -------------------------------------------------------------


def take_like_videoespresso(frames: int, rate: Fraction) -> list[int]:
    """The reference's own lines, with fractions for floats."""
    duration = frames / rate
    count = min(128, int(24 * duration) + 1) if duration >= Fraction(1, 2) else 24
    return [floor(point) for point in linspace(frames, count)]


@given(st.integers(1, 20_000), RATES)
@example(frames=11, rate=Fraction(24))
@example(frames=12, rate=Fraction(24))
@example(frames=127, rate=Fraction(24))
@example(frames=128, rate=Fraction(24))
def test_videoespressos_frames_are_the_references(frames: int, rate: Fraction) -> None:
    indices = linspace_floor_24fps(frames, 128, rate)
    assert indices == take_like_videoespresso(frames, rate)
    if 24 * frames / rate >= 127:
        assert indices == linspace_floor(frames, 128)
    assert linspace_floor_24fps(frames, 4, rate) == linspace_floor(frames, min(4, len(indices)))


def test_videoespressos_frames_as_a_grid() -> None:
    assert sample(TEN_FPS[:4], sampler="linspace_floor_24fps", rate=Fraction(8), nframes=128) == [
        0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3,
    ]  # fmt: skip
    assert sample(TEN_FPS, sampler="linspace_floor_24fps", rate=Fraction(10), nframes=4) == [0, 33, 66, 99]


def take_core_frames(moments: list[float], pts: list[int] = TEN_FPS, nframes: int = 4) -> list[int]:
    grid = FrameGrid(nframes=nframes, res=240, sampler="core_frames")
    return sample_indices(grid, pts, MILLISECOND, None, (pts[-1] - pts[0]) / 1000 + 0.1, moments)


@pytest.mark.parametrize(
    ("moments", "indices"),
    [
        ([0.0], [0]),
        ([0.1, 0.2], [1, 2]),
        ([0.3, 0.7], [3, 7]),  # neither is a float64
        ([0.19999, 0.2, 0.25], [1, 2]),  # one frame, once
        ([9.95, 1], [10, 99]),
        ([10.0], [99]),
    ],
)
def test_core_frames_are_those_on_screen_at_their_moments(moments: list[float], indices: list[int]) -> None:
    assert take_core_frames(moments) == indices
    assert take_core_frames(moments, [pts - 12_345 for pts in TEN_FPS]) == indices


def test_core_frames_that_cannot_be_taken_say_why() -> None:
    with pytest.raises(ValueError, match=r"a core frame is at 10\.1 s, and the video ends at 10\.000 s"):
        take_core_frames([1, 10.1])
    with pytest.raises(ValueError, match="its questions name 5 core frames, and the grid holds 4"):
        take_core_frames([1, 2, 3, 4, 5])


@pytest.mark.parametrize("changes", [{"fps": 2}, {"span": (1, 2)}])
def test_core_frames_have_no_rate_and_no_span(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="takes the frames that the questions name"):
        FrameGrid(nframes=4, res=240, sampler="core_frames", **changes)


def test_moments_are_gathered_by_video() -> None:
    def ask(name: str, video_id: str | None, *evidence: Evidence) -> Question:
        return Question(
            question_id=name, video_id=video_id, question="?", question_type="open", answer="", task="t", source="s",
            evidence=evidence,
        )  # fmt: skip

    def at(seconds: float) -> Evidence:
        return Evidence(kind="point", start_seconds=seconds)

    stretch = Evidence(kind="range", start_seconds=1, end_seconds=2)
    questions = [ask("a", "v", at(3), at(1)), ask("b", "v", at(1), stretch), ask("c", "w", stretch), ask("d", None)]
    assert find_moments(questions) == {"v": (1, 3)}
