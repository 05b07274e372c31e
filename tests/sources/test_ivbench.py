"""IV-Bench's release as a dataset, and back."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data import import_dataset
from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import UsageError
from ivbench_data.manifests import load_manifest
from ivbench_data.questions.option_order import order_options
from ivbench_data.schema import Question
from ivbench_data.sources.ivbench import read, rebuild_release

# SHA-256 over every question's id and options, in order, of the real release: the same on every machine and Python.
OPTION_ORDER_DIGEST = "0c1a09ff6c172ee325657a27da640bab77173223ca6d52b30a1f0c353dca74ae"


def digest_of_options(questions: tuple[Question, ...]) -> str:
    """SHA-256 of `question_id NUL option NUL option … newline` for each question."""
    digest = hashlib.sha256()
    for question in questions:
        digest.update("\0".join((question.question_id, *question.options)).encode() + b"\n")
    return digest.hexdigest()


def make_record(**changes: Any) -> dict[str, Any]:
    """A question as the release holds it, but for the changes; a change to None leaves the field out."""
    record: dict[str, Any] = {
        "data_id": 0,
        "image_name": "v_0.png",
        "question": "How many of these pass by?",
        "question_type": "Counting",
        "granularity": "Video Clip",
        "answer": "3",
        "answer_location": "00:05-00:09",
        "distractors": [str(number) for number in range(4, 13)],
    }
    return {key: value for key, value in {**record, **changes}.items() if value is not None}


def write_release(path: Path, *lines: Any) -> Path:
    """A release file of these lines: bytes as they are, anything else as the release writes JSON."""
    path.write_bytes(
        b"".join(
            (line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()) + b"\n"
            for line in lines
        )
    )
    return path


def read_record(tmp_path: Path, **changes: Any) -> Question:
    dataset = read(write_release(tmp_path / "test_data.jsonl", {"v": [make_record(**changes)]}))
    assert dataset.bad_lines == ()
    (question,) = dataset.questions
    return question


# --- one question -----------------------------------------------------------------------------------------------


def test_a_question_in_our_terms(tmp_path: Path) -> None:
    question = read_record(tmp_path, data_id=2)
    assert question.question_id == "v_2"
    assert question.video_id == "v"
    assert question.image_ids == ("v_0.png",)
    assert sorted(question.options, key=int) == [str(number) for number in range(3, 13)]
    assert question.answer == "3" == question.options[question.answer_index or 0]
    assert question.task == "Counting"
    assert question.granularity == "clip"
    assert [(e.kind, e.start_seconds, e.end_seconds) for e in question.evidence] == [("range", 5, 9)]
    assert question.raw == make_record(data_id=2)
    assert question.source == "ivbench"


@pytest.mark.parametrize(
    ("label", "task"),
    [(label, task.name) for task in load_manifest("ivbench").tasks for label in task.labels],
)
def test_labels_become_the_paper_s_task_names(tmp_path: Path, label: str, task: str) -> None:
    assert read_record(tmp_path, question_type=label).task == task


@pytest.mark.parametrize(
    ("label", "word"),
    [("Video Frame", "frame"), ("Video Clip", "clip"), ("Whole Video", "whole"), ("Whole video", "whole"), ("?", None)],
)
def test_granularities(tmp_path: Path, label: str, word: str | None) -> None:
    assert read_record(tmp_path, granularity=label).granularity == word


def test_a_location_that_cannot_be_read_is_kept_raw_and_not_guessed(tmp_path: Path) -> None:
    question = read_record(tmp_path, answer_location="somewhere ٠٥:٥٢")
    assert question.evidence == ()
    assert question.raw is not None
    assert question.raw["answer_location"] == "somewhere ٠٥:٥٢"


def test_blank_distractors_leave_the_options_and_repeated_ones_stay(tmp_path: Path) -> None:
    distractors = ["", " ", "\u3000", "5", "5", "3", "3 ", "6", "7"]
    question = read_record(tmp_path, distractors=distractors)
    assert Counter(question.options) == Counter(["3", "5", "5", "3", "3 ", "6", "7"])
    assert len(question.correct_indices) == 2
    assert all(question.options[index] == "3" for index in question.correct_indices)
    assert question.raw is not None
    assert question.raw["distractors"] == distractors


# --- the order of options ---------------------------------------------------------------------------------------


def test_options_are_ordered_by_the_digest_of_id_and_text() -> None:
    options = ["one", "two", "three", "été", "", "漢字"]
    expected = sorted(options, key=lambda option: hashlib.sha256(b"v_0\0" + option.encode("utf-8")).hexdigest())
    assert list(order_options("v_0", options)) == expected


@given(st.text(st.characters(exclude_categories=["Cs"])), st.permutations(["a", "b", "c", "d", "a", "B"]))
def test_the_order_rests_on_the_texts_alone(question_id: str, options: list[str]) -> None:
    assert order_options(question_id, options) == order_options(question_id, sorted(options))


def test_the_order_differs_between_questions() -> None:
    options = [str(number) for number in range(10)]
    orders = {order_options(f"v_{number}", options) for number in range(50)}
    assert len(orders) == 50


# --- bad lines --------------------------------------------------------------------------------------------------

GOOD = {"good": [make_record(), make_record(data_id=1)]}

MALFORMED: dict[str, tuple[Any, str]] = {
    "not JSON": (b'{"v": [', "not JSON"),
    "NaN": (b'{"v": [{"data_id": NaN}]}', "NaN is not JSON"),
    "duplicate keys": (b'{"v": [], "v": []}', "the key 'v' is given twice"),
    "duplicate inner keys": (b'{"v": [{"data_id": 0, "data_id": 1}]}', "the key 'data_id' is given twice"),
    "deep nesting": (b'{"v": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper"),
    "lone surrogate": (b'{"v": [{"question": "\\ud800"}]}', "lone surrogate"),
    "not UTF-8": (b'{"v": "\xff"}', "not UTF-8"),
    "byte-order mark": (b'\xef\xbb\xbf{"v": []}', "byte-order mark"),
    "a list": ([], "not an object with one key"),
    "two videos": ({"v": [make_record()], "w": [make_record()]}, "not an object with one key"),
    "no video": ({}, "not an object with one key"),
    "no questions": ({"v": []}, "not a list of questions"),
    "questions as an object": ({"v": {"0": make_record()}}, "not a list of questions"),
    "question as a text": ({"v": ["?"]}, "question 0 of 'v': not an object"),
    "missing field": ({"v": [make_record(), make_record(data_id=1, answer=None)]}, "the field 'answer' is missing"),
    "unknown field": ({"v": [make_record(anwser="3")]}, "the field 'anwser' is not known"),
    "number as text": ({"v": [make_record(data_id="0")]}, "the field 'data_id' is '0', not of type int"),
    "true as a number": ({"v": [make_record(data_id=True)]}, "the field 'data_id' is True"),
    "a text without end": ({"v": [make_record(question_type="x" * 10**6)]}, "is not a task"),
    "a name without end": ({"v": [make_record(image_name="/" * 10**6)]}, "image_ids"),
    "a list without end": ({"v": [make_record(distractors=[1] * 10**6)]}, "something that is not text"),
    "an id without end": ({"v" * 10**6: ["?"]}, "question 0 of 'v"),
    "text as a number": ({"v": [make_record(answer=3)]}, "the field 'answer' is 3"),
    "distractors as text": ({"v": [make_record(distractors="4")]}, "the field 'distractors' is '4'"),
    "a distractor as a number": ({"v": [make_record(distractors=["4", 5])]}, "something that is not text"),
    "no other option": ({"v": [make_record(distractors=["", " "])]}, "needs 2 to 26 options, not 1"),
    "too many options": ({"v": [make_record(distractors=[str(n) for n in range(26)])]}, "not 27"),
    "unknown task": ({"v": [make_record(question_type="Count")]}, "question_type 'Count' is not a task"),
    "repeated data_id": ({"v": [make_record(), make_record()]}, "question 1 of 'v': data_id 0 is given twice"),
    "id that leaves the root": ({"../v": [make_record()]}, "cannot be a file name"),
    "image that leaves the root": ({"v": [make_record(image_name="../../x.png")]}, "cannot be a file name"),
    "image with a drive": ({"v": [make_record(image_name="C:x.png")]}, "cannot be a file name"),
    "image with NUL": ({"v": [make_record(image_name="a\0.png")]}, "cannot be a file name"),
    "repeated video": (GOOD, "the video 'good' stands in an earlier line already"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "told"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_is_named_and_the_good_ones_stay(tmp_path: Path, line: Any, told: str) -> None:
    path = write_release(tmp_path / "release.jsonl", GOOD, line, {"last": [make_record()]})
    dataset = read(path)
    (bad,) = dataset.bad_lines
    assert (bad.file, bad.line) == ("release.jsonl", 2)
    assert told in bad.reason
    assert len(bad.reason) < 300
    assert [question.question_id for question in dataset.questions] == ["good_0", "good_1", "last_0"]
    assert [video.video_id for video in dataset.videos] == ["good", "last"]
    assert dataset.provenance["rebuilds_byte_for_byte"] is False


def test_all_malformed_lines_are_named_in_one_run(tmp_path: Path) -> None:
    lines = [line for line, _ in MALFORMED.values()]
    dataset = read(write_release(tmp_path / "release.jsonl", GOOD, *lines, {"last": [make_record()]}))
    assert [bad.line for bad in dataset.bad_lines] == list(range(2, len(lines) + 2))
    assert len(dataset.questions) == 3


def test_a_file_without_a_single_question_is_a_bad_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no IV-Bench question; the first bad line is release\.jsonl:1: not JSON"):
        read(write_release(tmp_path / "release.jsonl", b"<html>"))
    with pytest.raises(UsageError, match=r"no IV-Bench question$"):
        read(write_release(tmp_path / "release.jsonl"))
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path)


# --- round trip -------------------------------------------------------------------------------------------------


def test_what_was_read_rebuilds_byte_for_byte(tmp_path: Path) -> None:
    path = write_release(
        tmp_path / "test_data.jsonl", GOOD, {"-dash": [make_record(question="¿Qué？ \u2028 😀 \\ud800")]}
    )
    dataset = read(path)
    assert rebuild_release(dataset.questions) == path.read_bytes()
    assert dataset.provenance["rebuilds_byte_for_byte"] is True
    assert dataset.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("change", [lambda text: text.replace(b", ", b","), lambda text: text.rstrip(b"\n")])
def test_a_file_written_otherwise_is_not_called_the_same(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = write_release(tmp_path / "test_data.jsonl", GOOD)
    path.write_bytes(change(path.read_bytes()))
    dataset = read(path)
    assert len(dataset.questions) == 2
    assert dataset.provenance["rebuilds_byte_for_byte"] is False


def test_hidden_questions_cannot_rebuild_a_release(tmp_path: Path) -> None:
    question = read_record(tmp_path)
    hidden = Question.model_validate(
        {**question.model_dump(), "answers_hidden": True, "answer": None, "answer_index": None, "raw": None}
    )
    with pytest.raises(ValueError, match="v_0 has no raw record"):
        rebuild_release([hidden])


# --- the real release -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(release_file: Path) -> Dataset:
    return read(release_file)


def test_the_release_is_read_whole(real: Dataset) -> None:
    assert real.bad_lines == ()
    assert (len(real.videos), len(real.images), len(real.questions)) == (747, 1680, 1686)
    assert len({question.question_id for question in real.questions}) == 1686
    counted = Counter(question.task for question in real.questions)
    assert counted == {task.name: task.released for task in load_manifest("ivbench").tasks}
    assert len(counted) == 13
    assert all(question.granularity in ("frame", "clip", "whole") for question in real.questions)


def test_the_release_rebuilds_byte_for_byte(real: Dataset, release_file: Path, tmp_path: Path) -> None:
    content = release_file.read_bytes()
    assert rebuild_release(real.questions) == content
    assert real.provenance["rebuilds_byte_for_byte"] is True
    saved = import_dataset("ivbench", release_file, tmp_path)
    loaded = load(tmp_path / "ivbench")
    assert loaded == saved == real
    assert rebuild_release(loaded.questions) == content
    assert (tmp_path / "ivbench" / "raw" / "test_data.jsonl").read_bytes() == content


def test_option_order_is_the_same_everywhere(real: Dataset) -> None:
    assert digest_of_options(real.questions) == OPTION_ORDER_DIGEST


def test_every_answer_is_an_option_and_no_option_is_blank(real: Dataset) -> None:
    for question in real.questions:
        assert question.raw is not None
        assert question.answer == question.raw["answer"]
        assert question.correct_indices
        assert all(option.strip() for option in question.options if option != question.answer)
        given_options = [question.raw["answer"], *(text for text in question.raw["distractors"] if text.strip())]
        assert Counter(question.options) == Counter(given_options)


def test_ids_that_begin_with_a_dash_are_like_any_other(real: Dataset) -> None:
    dashed = [video.video_id for video in real.videos if video.video_id.startswith("-")]
    assert len(dashed) == 13
    assert {question.video_id for question in real.questions} >= set(dashed)


def test_positions_of_the_answer_give_nothing_away(real: Dataset) -> None:
    # Ten equally likely positions: chi-squared with 9 degrees of freedom is below 27.9 in 999 of 1,000 such releases.
    whole = [question for question in real.questions if len(question.options) == 10]
    alone = [question for question in whole if len(question.correct_indices) == 1]
    counted = Counter(question.answer_index for question in alone)
    expected = len(alone) / 10
    assert sum((counted[index] - expected) ** 2 / expected for index in range(10)) < 27.9
