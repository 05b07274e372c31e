"""Prompts: every pattern shows what it says, profiles word as they should, digests follow what is shown."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_dataset import GRID, cache_video, make_dataset, make_media
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.errors import CacheCorruptError, UsageError
from ivbench_data.evaluate.prompts.asking import Asker, AskOptions, Unasked
from ivbench_data.evaluate.prompts.compose import (
    PROFILES,
    choose_frames,
    compose,
    digest_prompt,
    find_evidence_frames,
    rotate,
)
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.evaluate.prompts.requests import ImagePart, Request, TextPart
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.schema import Evidence, Question
from ivbench_data.workspace import Workspace


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prompts")
    make_media(root, make_dataset())
    return root


def _asker(root: Path, dataset: Dataset | None = None, **options: object) -> Asker:
    asked = AskOptions.model_validate({"grid": GRID, **options})
    return Asker(dataset or make_dataset(), Workspace(root, "tiny"), asked)


def _ask(root: Path, number: int = 2, **options: object) -> Request:
    asker = _asker(root, **options)
    request = asker.ask(asker.dataset.questions[number])
    assert isinstance(request, Request), request
    return request


def _kinds(request: Request) -> list[str]:
    return [type(part).__name__.removesuffix("Part").lower() for part in request.parts]


@pytest.mark.parametrize(
    ("pattern", "kinds"),
    [
        ("video_first", ["video", "image", "text"]),
        ("image_first", ["image", "video", "text"]),
        ("video_only", ["video", "text"]),
        ("image_only", ["image", "text"]),
        ("text_only", ["text"]),
        ("image_swapped", ["video", "image", "text"]),
        ("image_blank", ["video", "image", "text"]),
        ("single_frame", ["video", "image", "text"]),
        ("shuffled_frames", ["video", "image", "text"]),
        ("evidence_only", ["video", "image", "text"]),
        ("evidence_removed", ["video", "image", "text"]),
    ],
)
def test_a_pattern_shows_its_visuals_in_its_order(root: Path, pattern: str, kinds: list[str]) -> None:
    assert _kinds(_ask(root, pattern=pattern)) == kinds


def test_every_pattern_of_the_issue_is_there() -> None:
    assert list(PATTERNS) == [
        "video_first", "image_first", "video_only", "image_only", "text_only", "image_swapped", "image_blank",
        "single_frame", "shuffled_frames", "evidence_only", "evidence_removed",
    ]  # fmt: skip


def test_the_default_wording(root: Path) -> None:
    request = _ask(root)
    lines = request.text.split("\n")
    assert lines[0] == "Which thing is it, number 2?"
    assert lines[1] == "A. thing 2-0"
    assert lines[10] == "J. thing 2-9"
    assert lines[11] == "Answer with the option's letter from the given choices directly."
    assert request.letters == tuple("ABCDEFGHIJ")


def test_the_papers_wording(root: Path) -> None:
    request = _ask(root, profile="paper")
    assert request.text == (
        "We provide you with a video that has been divided into 8 evenly spaced frames across its 80.0 seconds "
        "duration, followed by an image. Please answer the question based on the content from both the video frames "
        "and the image.Which thing is it, number 2?？\n"
        + "".join(f"{letter}. thing 2-{at}\n" for at, letter in enumerate("abcdefghij"))
        + "Answer with the option's letter from the given choices directly."
    )
    assert request.letters == tuple("abcdefghij")
    assert _ask(root, profile="paper", pattern="image_first").text.startswith("We provide you with an image placed at")
    # the reference has no wording of its own without the image
    assert _ask(root, profile="paper", pattern="video_only").text == request.text
    assert _ask(root, profile="paper", pattern="text_only").text.startswith("Which thing is it")


def test_controls_are_worded_as_the_default(root: Path) -> None:
    text = _ask(root).text
    for pattern in list(PATTERNS)[5:]:
        assert _ask(root, pattern=pattern).text == text


def test_frames_come_from_the_cache_with_their_times(root: Path) -> None:
    request = _ask(root)
    assert request.video is not None
    clip = read_frame_file(Workspace(root, "tiny").cache_path(GRID, "alpha"))
    np.testing.assert_array_equal(request.video.read(), clip.frames)
    assert request.video.pts_seconds == (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0)
    assert request.video.shape == (8, 3, 16, 28)
    assert request.video.frames_digest == clip.frames_digest
    assert request.facts == {"nframes": 8, "duration_seconds": 80.0, "evidence_seen": True}


def test_questions_of_a_video_share_one_part(root: Path) -> None:
    asker = _asker(root)
    requests = [request for _, request in asker.iterate() if isinstance(request, Request)]
    assert [request.question_id for request in requests] == [
        "alpha_0", "alpha_1", "alpha_2", "beta_3", "beta_4", "beta_7", "-gamma_5", "-gamma_6",
    ]  # fmt: skip
    assert requests[0].video is requests[1].video is requests[2].video
    assert requests[3].video is not requests[2].video


def test_the_single_frame_is_the_middle_one(root: Path) -> None:
    video = _ask(root, pattern="single_frame").video
    assert video is not None
    assert (video.positions, video.shape[0], video.pts_seconds) == ((3,), 1, (30.0,))


def test_shuffled_frames_are_a_permutation_by_digest_at_the_old_times(root: Path) -> None:
    video, again = _ask(root, 0, pattern="shuffled_frames").video, _ask(root, 1, pattern="shuffled_frames").video
    assert video is not None
    assert again is not None
    by_digest = sorted(range(8), key=lambda at: hashlib.sha256(f"alpha\0{at}".encode()).hexdigest())
    assert video.positions == again.positions == tuple(by_digest)
    assert video.pts_seconds == tuple(float(at * 10) for at in range(8))
    clip = read_frame_file(video.path)
    np.testing.assert_array_equal(video.read(), clip.frames[list(by_digest)])
    assert video.frames_digest != clip.frames_digest


def test_evidence_frames_are_shown_or_removed(root: Path) -> None:
    only, removed = _ask(root, pattern="evidence_only"), _ask(root, pattern="evidence_removed")
    assert only.video is not None
    assert removed.video is not None
    assert only.video.positions == (2, 3, 4)  # 20 s to 45 s
    assert removed.video.positions == (0, 1, 5, 6, 7)
    assert removed.video.pts_seconds == (0.0, 10.0, 50.0, 60.0, 70.0)
    assert (only.facts["evidence_seen"], removed.facts["evidence_seen"]) == (True, False)
    # a moment between two frames: the nearest one stands for it; written backwards, a range is read forwards
    nearest, backwards = _ask(root, 1, pattern="evidence_only").video, _ask(root, 4, pattern="evidence_only").video
    assert nearest is not None
    assert backwards is not None
    assert nearest.positions == (1,)
    assert backwards.positions == (2, 3, 4, 5)


@pytest.mark.parametrize(("number", "why"), [(0, "the whole video"), (5, "every frame shows the evidence")])
def test_what_makes_no_sense_is_not_asked(root: Path, number: int, why: str) -> None:
    asker = _asker(root, pattern="evidence_removed")
    unasked = asker.ask(asker.dataset.questions[number])
    assert isinstance(unasked, Unasked)
    assert unasked.kind == "inapplicable"
    assert why in unasked.reason


def test_the_swapped_image_is_of_another_video_and_always_the_same(root: Path) -> None:
    asker = _asker(root, pattern="image_swapped")
    for question in asker.dataset.questions:
        request, again = asker.ask(question), _asker(root, pattern="image_swapped").ask(question)
        assert isinstance(request, Request)
        assert isinstance(again, Request)
        (image,) = request.images
        assert not image.image_id.startswith(f"{question.video_id}_")
        assert again.images == request.images
        assert image.sha256 == digest_file(Workspace(root, "tiny").image_path(image.image_id))


def test_the_blank_image_has_the_size_of_the_query_image(root: Path) -> None:
    own, blank = _ask(root).images[0].open(), _ask(root, pattern="image_blank").images[0].open()
    assert blank.size == own.size == (14, 9)
    assert blank.mode == "RGB"
    assert blank.getcolors() == [(14 * 9, (128, 128, 128))]


def test_missing_media_are_named_with_the_way_to_get_them(root: Path, tmp_path: Path) -> None:
    dataset = make_dataset()
    unasked = _asker(tmp_path).ask(dataset.questions[0])
    assert isinstance(unasked, Unasked)
    assert unasked.kind == "missing"
    assert "alpha is not in" in unasked.reason
    (tmp_path / "tiny" / "videos").mkdir(parents=True)
    (tmp_path / "tiny" / "videos" / "alpha.mp4").touch()
    unasked = _asker(
        tmp_path,
    ).ask(dataset.questions[0])
    assert isinstance(unasked, Unasked)
    assert "ivbench-data cache --dataset tiny --nframes 8 --res 16" in unasked.reason
    cache_video(tmp_path, "alpha")
    unasked = _asker(tmp_path).ask(dataset.questions[0])
    assert isinstance(unasked, Unasked)
    assert unasked.kind == "missing"
    assert "alpha_0.png" in unasked.reason


def test_a_damaged_cache_file_is_named(tmp_path: Path) -> None:
    make_media(tmp_path, make_dataset())
    path = Workspace(tmp_path, "tiny").cache_path(GRID, "alpha")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    request = _ask(tmp_path)
    assert request.video is not None
    with pytest.raises(CacheCorruptError, match=r"alpha\.safetensors is damaged"):
        request.video.read()
    path.write_bytes(content[:-1])
    unasked = _asker(tmp_path).ask(make_dataset().questions[0])
    assert isinstance(unasked, Unasked)
    assert unasked.kind == "error"
    assert "alpha.safetensors" in unasked.reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "sideways"}, "there is no pattern named 'sideways'; there are: video_first"),
        ({"profile": "mine"}, "there is no profile named 'mine'"),
        ({"tasks": ["Existence", "Cooking"]}, "there is no task named 'Cooking'; there are: Existence"),
        ({"question_ids": ["x"]}, "there is no question named 'x'"),
    ],
)
def test_unknown_names_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        AskOptions.model_validate(options).check(make_dataset())


def test_an_image_only_question_is_asked_without_a_video(root: Path) -> None:
    dataset = make_dataset()
    alone = dataset.questions[2].model_copy(update={"video_id": None, "evidence": ()})
    asker = _asker(root, replace(dataset, questions=(alone,)))
    request = asker.ask(alone)
    assert isinstance(request, Request)
    assert _kinds(request) == ["image", "text"]
    several = alone.model_copy(update={"image_ids": ("alpha_0.png", "beta_3.png")})
    request = asker.ask(several)
    assert isinstance(request, Request)
    assert [image.image_id for image in request.images] == ["alpha_0.png", "beta_3.png"]
    assert isinstance(_asker(root, pattern="video_only").ask(alone), Unasked)


@pytest.mark.parametrize(
    ("kind", "options", "instruction"),
    [
        ("tf", ("True", "False"), "Answer with one of: True, False."),
        ("numeric", (), "Answer with a number."),
        ("open", (), "How many?"),
    ],
)
def test_questions_of_other_types(kind: str, options: tuple[str, ...], instruction: str) -> None:
    answer = options[0] if options else "3"
    question = Question.model_validate(
        {
            "question_id": "q", "question": "How many?", "question_type": kind, "options": options, "answer": answer,
            "answer_index": 0 if options else None, "task": "t", "source": "test",
        }
    )  # fmt: skip
    parts, letters = compose(question, PATTERNS["video_first"], PROFILES["default"])
    assert isinstance(parts[-1], TextPart)
    assert parts[-1].text.split("\n")[-1] == instruction
    assert letters == ()


# --- digests ----------------------------------------------------------------------------------------------------


def test_the_digest_is_that_of_the_canonical_form(root: Path) -> None:
    image = ImagePart("i.png", None, b"x", hashlib.sha256(b"x").hexdigest())
    video = _ask(root).video
    assert video is not None
    canonical = f'[1,[["video",8,null],["image","{image.sha256}"],["text","a “b” \\n c"]]]'
    parts = (video, image, TextPart("a “b” \n c"))
    assert digest_prompt(parts) == hashlib.sha256(canonical.encode()).hexdigest()


def test_whatever_changes_the_prompt_changes_its_digest(root: Path) -> None:
    seen = {
        _ask(root, number, pattern=pattern, profile=profile).prompt_digest
        for number in (2, 4)
        for pattern in PATTERNS
        for profile in PROFILES
    }
    assert len(seen) == 2 * len(PATTERNS) * len(PROFILES)


@given(st.lists(st.text(), max_size=26), st.integers(0, 60))
def test_rotation_moves_options_and_is_undone(options: list[str], rotation: int) -> None:
    shown = rotate(options, rotation)
    assert sorted(shown) == sorted(options)
    for position, option in enumerate(shown):
        assert options[(position + rotation) % len(options)] == option


# --- which frames -----------------------------------------------------------------------------------------------

TIMES = st.lists(st.floats(0, 5000), min_size=1, max_size=40, unique=True).map(sorted)
EVIDENCE = st.lists(
    st.builds(lambda at: Evidence(kind="point", start_seconds=at), st.integers(0, 5000))
    | st.builds(
        lambda start, end: Evidence(kind="range", start_seconds=start, end_seconds=end),
        st.integers(0, 5000),
        st.integers(0, 5000),
    ),
    min_size=1,
    max_size=3,
)


@given(TIMES, EVIDENCE)
def test_evidence_frames_and_the_rest_are_all_frames(pts: list[float], evidence: list[Evidence]) -> None:
    shown = find_evidence_frames(pts, evidence)
    assert shown is not None
    only = choose_frames("evidence", pts, evidence, "v")
    assert only
    assert not shown or list(only) == shown
    if len(shown) < len(pts):
        rest = choose_frames("no_evidence", pts, evidence, "v")
        assert rest is not None
        assert sorted([*rest, *shown]) == list(range(len(pts)))


@given(st.integers(2, 600), st.text(max_size=5))
def test_shuffling_is_a_permutation_and_never_the_same_order(count: int, video_id: str) -> None:
    order = choose_frames("shuffled", [float(at) for at in range(count)], (), video_id)
    assert order is not None
    assert sorted(order) == list(range(count))
    assert list(order) != list(range(count))


def test_all_frames_are_the_file_as_it_is() -> None:
    assert choose_frames("all", [0.0, 1.0], (), "v") is None
