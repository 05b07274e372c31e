"""Records: what they accept, what they refuse, what a grid is called and how large its frames are."""

from __future__ import annotations

import json
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from ivbench_data.schema import (
    MAX_NFRAMES,
    MAX_RES,
    MAX_SPAN_SECONDS,
    BadLine,
    Evidence,
    FrameGrid,
    FrameSelection,
    QueryImage,
    Question,
    Resize,
    Sampler,
    Video,
    check_safe_name,
    json_schemas,
)

REPOSITORY = Path(__file__).parent.parent


def make_question(**changes: Any) -> Question:
    """A question that is right, but for the changes."""
    fields: dict[str, Any] = {
        "question_id": "v_0",
        "video_id": "v",
        "image_ids": ("v_0.png",),
        "question": "How many?",
        "options": ("two", "three", "four"),
        "answer_index": 1,
        "answer": "three",
        "task": "Counting",
        "source": "mine",
    }
    return Question(**{**fields, **changes})


# --- schemas/ ---------------------------------------------------------------------------------------------------


def test_schemas_folder_is_what_the_records_say() -> None:
    generated = {
        name: json.dumps(schema, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        for name, schema in json_schemas()
    }
    written = {path.name: path.read_text(encoding="utf-8") for path in (REPOSITORY / "schemas").iterdir()}
    assert written.keys() == generated.keys(), "run: make schemas"
    assert written == generated, "run: make schemas"


def test_schemas_tell_what_each_field_means() -> None:
    for name, schema in json_schemas():
        records = [schema, *schema.get("$defs", {}).values()]
        for record in records:
            for field, content in record.get("properties", {}).items():
                assert content.get("description") or "$ref" in content, f"{name}: {field} has no description"


# --- names ------------------------------------------------------------------------------------------------------

HOSTILE_NAMES = [
    "", " ", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "C:x", "C:", "a\0b", "a\nb", "a\x1b[31mb", "a\x7fb",
    "a\x85b", "a\x9b31mb", " a", "a ", "a\u3000", "a.", ".hidden", ".tmp-x", "~/x/..", "con", "NUL", "Com1.txt",
    "aux.mp4", "a*b", "a?b", 'a"b', "a<b", "a>b", "a|b", "\ud800", "a\udfffb", "x" * 201, "é" * 101,
]  # fmt: skip

HARMLESS_NAMES = [
    "PDV4YauFV5c", "-dashfirst1", "--help", "-", "_", "a b", "a.b", "a..b", "video 1 (2).mp4", "漢字", "é" * 100,
    "x" * 200, "console", "nul1", "com", "$(rm -rf)", "[red]x", "a'b", "%2e%2e", "~", "\u202e",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_could_do_harm_is_refused_everywhere(name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be a file name|bytes long"):
        check_safe_name(name)
    for make in (
        lambda: Video(video_id=name),
        lambda: QueryImage(image_id=name),
        lambda: make_question(video_id=name),
        lambda: make_question(image_ids=("fine.png", name)),
    ):
        with pytest.raises(ValidationError):
            make()


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_is_only_unusual_is_taken_as_it_is(name: str) -> None:
    assert check_safe_name(name) == name
    assert Video(video_id=name).video_id == name


@given(st.text(max_size=80))
def test_a_safe_name_stays_in_its_folder(name: str) -> None:
    try:
        check_safe_name(name)
    except ValueError:
        return
    path = Path("/folder") / name
    assert path.parent == Path("/folder")
    assert path.name == name
    assert len(f"{name}.safetensors".encode()) <= 255


# --- records ----------------------------------------------------------------------------------------------------


def test_records_are_frozen_and_know_their_fields() -> None:
    video = Video(video_id="v")
    with pytest.raises(ValidationError, match="frozen"):
        video.video_id = "w"  # type: ignore[misc]  # that is the point
    with pytest.raises(ValidationError, match="Extra inputs"):
        Video.model_validate({"video_id": "v", "duration": 3})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"answer_index": 3}, "not a position in 3 options"),
        ({"answer_index": None}, "not a position in 3 options"),
        ({"answer": "two"}, "not the option at answer_index"),
        ({"answer": None}, "answer is missing"),
        ({"options": ("three",), "answer_index": 0}, "needs 2 to 26 options, not 1"),
        ({"options": (*map(str, range(26)), "three"), "answer_index": 26}, "needs 2 to 26 options, not 27"),
        ({"options": (), "answer_index": None}, "needs 2 to 26 options, not 0"),
        ({"question_type": "open", "options": ()}, "there are no options"),
        ({"answers_hidden": True}, "answers_hidden is set"),
        ({"answers_hidden": True, "answer": None, "answer_index": None, "raw": {"answer": "x"}}, "answers_hidden"),
        ({"question_id": ""}, "at least 1 character"),
        ({"task": ""}, "at least 1 character"),
        ({"ask_time_seconds": float("nan")}, "finite"),
        ({"ask_time_seconds": -1.0}, "greater than or equal to 0"),
    ],
)
def test_a_question_that_contradicts_itself_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        make_question(**changes)


def test_a_question_may_be_what_releases_hold() -> None:
    assert len(make_question(options=("two", "three")).options) == 2
    assert make_question(video_id=None).video_id is None
    assert make_question(image_ids=()).image_ids == ()
    assert make_question(question_type="open", options=(), answer_index=None, answer="free").correct_indices == ()
    assert make_question(answers_hidden=True, answer=None, answer_index=None).correct_indices == ()


def test_every_option_that_equals_the_answer_is_right() -> None:
    question = make_question(options=("three", "two", "three", "Three"), answer_index=2)
    assert question.correct_indices == (0, 2)


@pytest.mark.parametrize(
    ("fields", "is_right"),
    [
        ({"kind": "point", "start_seconds": 3}, True),
        ({"kind": "range", "start_seconds": 3, "end_seconds": 5}, True),
        ({"kind": "range", "start_seconds": 5, "end_seconds": 3}, True),
        ({"kind": "whole"}, True),
        ({"kind": "whole", "start_seconds": 0}, False),
        ({"kind": "point"}, False),
        ({"kind": "point", "start_seconds": 3, "end_seconds": 3}, False),
        ({"kind": "range", "start_seconds": 3}, False),
        ({"kind": "point", "start_seconds": float("inf")}, False),
    ],
)
def test_evidence_has_the_bounds_of_its_kind(fields: dict[str, Any], is_right: bool) -> None:
    if is_right:
        assert Evidence(**fields).kind == fields["kind"]
        return
    with pytest.raises(ValidationError):
        Evidence(**fields)


def test_a_selection_has_a_score_a_frame() -> None:
    chosen = {"question_id": "v_0", "video_id": "v", "selector": "itg 1", "frame_indices": (3, 1, 2)}
    assert FrameSelection(**chosen).frame_indices == (3, 1, 2)
    assert FrameSelection(**chosen, scores=(0.5, 0.25, 0.125)).scores == (0.5, 0.25, 0.125)
    with pytest.raises(ValidationError, match="2 scores for 3 frames"):
        FrameSelection(**chosen, scores=(0.5, 0.25))


def test_a_bad_line_reads_like_a_compiler_s_message() -> None:
    assert str(BadLine(file="test_data.jsonl", line=7, reason="not JSON")) == "test_data.jsonl:7: not JSON"


# --- grids ------------------------------------------------------------------------------------------------------

SECONDS = st.floats(0, MAX_SPAN_SECONDS, allow_nan=False)
CORE_FRAMES = st.builds(
    FrameGrid, nframes=st.integers(1, MAX_NFRAMES), res=st.integers(1, MAX_RES), sampler=st.just("core_frames")
)
GRIDS = CORE_FRAMES | st.builds(
    FrameGrid,
    nframes=st.integers(1, MAX_NFRAMES),
    res=st.integers(1, MAX_RES),
    multiple_of=st.integers(1, 1024),
    sampler=st.sampled_from([name for name in get_args(Sampler) if name != "core_frames"]),
    resize=st.sampled_from(get_args(Resize)),
    fps=st.none() | st.floats(1e-6, 1000) | st.sampled_from([1.0, 2.0, 0.5, 23.976, 30000 / 1001]),
    span=st.none() | st.tuples(SECONDS, SECONDS).map(lambda bounds: tuple(sorted(bounds))),
)


@given(GRIDS)
@example(FrameGrid(nframes=1, res=1, span=(-0.0, 0.0)))
@example(FrameGrid(nframes=1, res=1, fps=1e-6))
def test_a_grid_s_identity_names_it_and_nothing_else(grid: FrameGrid) -> None:
    assert FrameGrid.parse(grid.identity) == grid
    assert FrameGrid.parse(grid.identity).identity == grid.identity
    assert check_safe_name(grid.identity) == grid.identity
    assert FrameGrid.model_validate_json(grid.model_dump_json()) == grid


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"nframes": 32, "res": 240}, "32x240"),
        ({"nframes": 32, "res": 240, "multiple_of": 28}, "32x240-m28"),
        ({"nframes": 8, "res": 72, "sampler": "interior", "resize": "area"}, "8x72-interior-area"),
        ({"nframes": 64, "res": 360, "fps": 2}, "64x360-fps2"),
        ({"nframes": 64, "res": 360, "fps": 30000 / 1001}, "64x360-fps29.97003"),
        ({"nframes": 64, "res": 360, "span": (10, 20.5)}, "64x360-span10_20.5"),
        (
            {
                "nframes": 1,
                "res": 2,
                "multiple_of": 3,
                "sampler": "midpoint",
                "resize": "lanczos",
                "fps": 0.5,
                "span": (0, 1),
            },
            "1x2-m3-midpoint-lanczos-fps0.5-span0_1",
        ),
    ],
)
def test_identities_that_folders_have(fields: dict[str, Any], identity: str) -> None:
    assert FrameGrid(**fields).identity == identity


@pytest.mark.parametrize(
    "text",
    [
        "", "32", "x240", "32x", "32*240", "0x240", "32x0", "70000x240", "32x9000", "32x240-m0", "32x240-m2000",
        "32x240-", "32x240-m28-m28", "32x240-area-midpoint", "32x240-fps0", "32x240-fps0.0000001", "32x240-fps",
        "32x240-fps1e3", "32x240-span5", "32x240-span5_4", "32x240-span0_99999999999", "32x240-nearest", " 32x240",
        "32x240\n", "３２x240", "32x240/../..",
    ],
)  # fmt: skip
def test_a_text_that_is_no_grid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a grid|FrameGrid"):
        FrameGrid.parse(text)


@pytest.mark.parametrize(
    ("source", "res", "multiple_of", "size"),
    [
        ((854, 480), 240, 2, (428, 240)),
        ((480, 854), 240, 2, (240, 428)),
        ((854, 480), 240, 28, (420, 252)),
        ((1920, 1080), 240, 28, (420, 252)),
        ((1, 1), 240, 28, (252, 252)),
        ((10_000, 1), 1, 1, (10_000, 1)),
        ((100, 100), 3, 28, (28, 28)),
        ((3, 2), 1, 1, (2, 1)),  # 1.5: halves go up
        ((5, 2), 1, 1, (3, 1)),  # 2.5: up again, not to even
    ],
)
def test_sizes_that_are_known(source: tuple[int, int], res: int, multiple_of: int, size: tuple[int, int]) -> None:
    assert FrameGrid(nframes=1, res=res, multiple_of=multiple_of).size_of(*source) == size


@given(
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.integers(1, MAX_RES),
    st.sampled_from([1, 2, 3, 14, 28, 32, 1024]),
)
def test_sizes_are_the_nearest_multiples_in_exact_arithmetic(width: int, height: int, res: int, multiple: int) -> None:
    made = FrameGrid(nframes=1, res=res, multiple_of=multiple).size_of(width, height)
    for side, side_made in zip((width, height), made, strict=True):
        exact = Fraction(side * res, min(width, height)) / multiple
        assert side_made == max(1, floor(exact + Fraction(1, 2))) * multiple
