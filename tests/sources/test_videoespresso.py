"""VideoEspresso's release as a dataset, and back. The records are written for these tests, in the release's shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data import import_dataset
from ivbench_data.dataset import load
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.scores import recompute_published
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import Question, check_safe_name
from ivbench_data.sources import read_released
from ivbench_data.sources.json_list import ListForm
from ivbench_data.sources.videoespresso import name_video, read, rebuild_release


def make_record(**changes: Any) -> dict[str, Any]:
    """A record of the closed-ended test, but for the changes; a change to None leaves the field out."""
    record: dict[str, Any] = {
        "core_frames_paths": ["Shore/3_image/boat/480.jpg", "Shore/3_image/boat/528.jpg"],
        "core_frames_captions": ["A man at an oar.", "Three men ashore."],
        "question": "Why does the boat turn?",
        "answer": "Since a wave comes, it turns.",
        "key_items": {"480": ["oar"]},
        "evidence": "A wave is coming from the left.",
        "task": "Causal Analysis",
        "correct_answer": "(B)",
        "video_path": "all_video/Shore/boat.mp4",
        "options": ["(A): To fish", "(B): To meet a wave", "(C): To land", "(D): To race"],
    }
    return {key: value for key, value in {**record, **changes}.items() if value is not None}


def write_release(path: Path, *records: Any, **form: Any) -> Path:
    """A file of these records, as the reference writes its own."""
    path.write_text(json.dumps(list(records), **{"ensure_ascii": False, "indent": 4, **form}), encoding="utf-8")
    return path


@pytest.fixture
def read_one(tmp_path: Path) -> Callable[..., Question]:
    """The question of a record with changes."""
    return lambda **changes: read(write_release(tmp_path / "bench_hard.json", make_record(**changes))).questions[0]


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[..., str]:
    """Why a record with changes is left out, beside one that is kept."""

    def why(**changes: Any) -> str:
        dataset = read(write_release(tmp_path / "bench_hard.json", make_record(), make_record(**changes)))
        assert len(dataset.questions) == 1
        (bad,) = dataset.bad_lines
        assert (bad.file, bad.line) == ("bench_hard.json", 29)
        return bad.reason

    return why


# --- a record ---------------------------------------------------------------------------------------------------


def test_a_record_becomes_a_question(read_one: Callable[..., Question]) -> None:
    question = read_one()
    assert question.question_id == "all_video~Shore~boat_0"
    assert question.video_id == "all_video~Shore~boat"
    assert question.question == "Why does the boat turn?"
    assert question.options == ("To fish", "To meet a wave", "To land", "To race")
    assert (question.answer_index, question.answer) == (1, "To meet a wave")
    assert question.task == "Causal Analysis"
    assert question.metadata == {"evidence_text": "A wave is coming from the left."}
    assert question.evidence == ()
    assert question.raw == make_record()


def test_the_six_fields_that_the_reference_documents_are_enough(read_one: Callable[..., Question]) -> None:
    question = read_one(core_frames_paths=None, core_frames_captions=None, answer=None, key_items=None)
    assert question.answer == "To meet a wave"
    assert read_one(evidence=None).metadata == {}


@pytest.mark.parametrize(
    "prefix", ["({}): ", "({}) : ", "({}) ", "({}):", "{}. ", "{}) ", "{}: ", " ({}):  ", "( {} ): ", "({}). "]
)
def test_letters_come_off_the_options(read_one: Callable[..., Question], prefix: str) -> None:
    texts = ("A man", "(B) is a shop", "C. elegans", "Dogs")
    options = [prefix.format(letter) + text for letter, text in zip("ABCD", texts, strict=True)]
    assert read_one(options=options).options == texts


def test_options_without_letters_stay_as_they_are(read_one: Callable[..., Question]) -> None:
    assert read_one(options=["A man", "Boats", "Cats ", "Dogs"]).options == ("A man", "Boats", "Cats", "Dogs")


@pytest.mark.parametrize("given", ["(B)", "B", "(B):", "B.", " (B) ", "(B): To meet a wave"])
def test_the_answer_is_a_letter_however_it_is_written(read_one: Callable[..., Question], given: str) -> None:
    assert read_one(correct_answer=given).answer_index == 1


def test_options_keep_the_order_of_the_release(read_one: Callable[..., Question]) -> None:
    options = ["(A): d", "(B): b", "(C): a", "(D): c"]
    assert read_one(options=options).options == ("d", "b", "a", "c")


def test_two_or_five_options_are_read_as_they_are(read_one: Callable[..., Question]) -> None:
    assert len(read_one(options=["(A): x", "(B): y"]).options) == 2
    assert len(read_one(options=[f"({letter}): {letter}x" for letter in "ABCDE"], correct_answer="(E)").options) == 5


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"options": ["(A): x", "(C): y", "(B): z", "(D): w"]}, "option 2 begins with C, where B is due"),
        ({"options": ["(A): x", "y", "(C): z", "(D): w"]}, "option 2 begins with no letter, where B is due"),
        ({"options": ["(A): x", "(A): y"]}, "option 2 begins with A, where B is due"),
        ({"options": ["(A): x"], "correct_answer": "(A)"}, "needs 2 to 26 options, not 1"),
        ({"options": "(A): x"}, "the field 'options' is '(A): x', not a list of texts"),
        ({"options": ["(A): x", 2]}, "the field 'options' is"),
        ({"correct_answer": "(E)"}, "correct_answer '(E)' is not one of the letters A, B, C, D"),
        ({"correct_answer": "a wave"}, "correct_answer 'a wave' is not one of the letters"),
        ({"correct_answer": 1}, "the field 'correct_answer' is 1, not a letter"),
        ({"correct_answer": None}, "the field 'correct_answer' is None, not a letter"),
        ({"video_path": None}, "the field 'video_path' is missing"),
        ({"question": ["x"]}, "the field 'question' is ['x'], not text"),
        ({"task": " "}, "the field 'task' is blank"),
        ({"model_output": "(A)"}, "the field 'model_output' is not known"),
        ({"core_frames_captions": ["one"]}, "there are 1 captions for 2 core frames"),
        ({"core_frames_timestamps": [1.0]}, "there are 1 times for 2 core frames"),
        ({"core_frames_timestamps": [1.0, -2.0]}, "not a list of seconds"),
        ({"core_frames_timestamps": [True, 2.0]}, "not a list of seconds"),
        ({"keyframes_path": []}, "the fields 'core_frames_paths' and 'keyframes_path' are both given"),
        ({"duration": "long"}, "the field 'duration' is 'long', not a number of seconds"),
    ],
)
def test_a_malformed_record_is_named_and_the_others_are_kept(
    refuse: Callable[..., str], changes: dict[str, Any], told: str
) -> None:
    assert told in refuse(**changes)


def test_a_record_that_is_no_object_is_named(tmp_path: Path) -> None:
    dataset = read(write_release(tmp_path / "r.json", "x", make_record(), None))
    assert [bad.line for bad in dataset.bad_lines] == [2, 30]
    assert dataset.questions[0].question_id == "all_video~Shore~boat_1"


def test_broken_json_is_named_by_the_line_where_its_record_begins(tmp_path: Path) -> None:
    path = write_release(tmp_path / "bench_hard.json", *(make_record(question=f"{number}?") for number in range(3)))
    path.write_bytes(path.read_bytes().replace(b'"1?",', b'"1?'))
    dataset = read(path)
    assert [question.question for question in dataset.questions] == ["0?", "2?"]
    assert [(bad.file, bad.line) for bad in dataset.bad_lines] == [("bench_hard.json", 29)]
    assert dataset.provenance["rebuilds_byte_for_byte"] is False


def test_a_file_without_a_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no VideoEspresso question; the first bad line is r\.json:2"):
        read(write_release(tmp_path / "r.json", {"question": "x"}))
    with pytest.raises(UsageError, match=r"holds no bench_hard\.json or"):
        read(tmp_path / "..")


# --- tasks ------------------------------------------------------------------------------------------------------


def test_a_label_becomes_the_leaderboards_name(read_one: Callable[..., Question]) -> None:
    question = read_one(task="Event Dynamic Analysis ")
    assert question.task == "Event Dynamic"
    assert question.metadata["task_label"] == "Event Dynamic Analysis "


def test_a_task_without_a_column_is_kept_and_told(tmp_path: Path) -> None:
    dataset = read(write_release(tmp_path / "r.json", make_record(), make_record(task="Weather Analysis")))
    assert [question.task for question in dataset.questions] == ["Causal Analysis", "Weather Analysis"]
    assert dataset.provenance["tasks_without_a_column"] == {"Weather Analysis": 1}


# --- videos -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "video_id"),
    [
        ("a.mp4", "a"),
        ("all_video/X/Film.2005__#00-05-30_label_A.mp4", "all_video~X~Film.2005__#00-05-30_label_A"),
        ("a/b.MKV", "a~b"),
        ("a/b", "a~b"),
        ("-dash.mp4", "-dash"),
    ],
)
def test_a_path_becomes_a_name(path: str, video_id: str) -> None:
    assert name_video(path) == video_id


@pytest.mark.parametrize(
    "path", ["", "/etc/x.mp4", "../x.mp4", "a/../x.mp4", "a//b.mp4", "./a.mp4", "a\\b.mp4", "C:/x.mp4", "a/", "a:b.mp4"]
)
def test_a_path_that_leaves_its_folder_is_refused(path: str, refuse: Callable[..., str]) -> None:
    assert "does not stay inside the folder" in refuse(video_path=path)


PATHS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=4)


@given(st.lists(PATHS.map("/".join), min_size=2, max_size=2, unique=True))
def test_names_are_safe_and_tell_paths_apart(paths: list[str]) -> None:
    names = []
    for path in paths:
        try:
            names.append(name_video(f"{path}.mp4"))
        except ValueError:
            continue
        check_safe_name(names[-1])
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", ["a~b.mp4", "con.mp4", "é" * 100 + ".mp4", "?.mp4", " .mp4"])
def test_what_cannot_be_a_name_ends_in_a_digest(path: str) -> None:
    assert len(check_safe_name(name_video(path)).rpartition("~")[2]) == 16


def test_two_paths_of_one_name_are_told_apart_at_the_door(refuse: Callable[..., str]) -> None:
    told = refuse(video_path="all_video/Shore/boat.webm")
    assert told == (
        "video_path 'all_video/Shore/boat.webm' would be named as 'all_video/Shore/boat.mp4' is: rename one"
    )


def test_questions_of_one_video_share_it(tmp_path: Path) -> None:
    dataset = read(write_release(tmp_path / "r.json", make_record(), make_record(question="And then?")))
    (video,) = dataset.videos
    assert video.source_metadata == {"path": "all_video/Shore/boat.mp4"}
    assert [question.question_id for question in dataset.questions] == [f"{video.video_id}_{at}" for at in (0, 1)]


# --- core frames and boxes --------------------------------------------------------------------------------------


def test_times_of_core_frames_become_moments(read_one: Callable[..., Question]) -> None:
    question = read_one(core_frames_timestamps=[20, 22.5])
    assert [(item.kind, item.start_seconds, item.text) for item in question.evidence] == [
        ("point", 20.0, "A man at an oar."),
        ("point", 22.5, "Three men ashore."),
    ]


def test_numbers_in_frame_names_are_no_times(read_one: Callable[..., Question]) -> None:
    assert read_one(core_frames_paths=["x/480.jpg", "x/000027_keyframe_1-38-11-958.jpg"]).evidence == ()


def test_boxes_are_centre_and_size_in_hundredths(read_one: Callable[..., Question]) -> None:
    text = "a <obj_start>person<obj_end><box_start>[50.0, 40.0, 20.0, 30.0]<box_end> and <box_start>[]<box_end>"
    (box,) = read_one(evidence=text).metadata["boxes"]  # type: ignore[misc]
    assert box == {"x0": 0.4, "y0": 0.25, "x1": 0.6, "y1": 0.55, "label": "person"}
    assert read_one(evidence=text).metadata["evidence_text"] == text


def test_boxes_belong_to_a_moment_where_there_is_one_alone(read_one: Callable[..., Question]) -> None:
    text = "<obj_start>a<obj_end><box_start>[[50, 50, 100, 100], [1, 1, 4, 2]]<box_end>"
    question = read_one(
        evidence=text, core_frames_paths=["x.jpg"], core_frames_captions=["x"], core_frames_timestamps=[7]
    )
    (moment,) = question.evidence
    assert [(box.x0, box.y0, box.x1, box.y1) for box in moment.boxes] == [(0, 0, 1, 1), (0, 0, 0.03, 0.02)]
    assert {box.time_seconds for box in moment.boxes} == {7}
    assert "boxes" not in question.metadata


@pytest.mark.parametrize(
    "written", ["[480, 200, 600, 300]", "[1, 2, 3]", "left", "[1, 2, 3, true]", "[1, 2, -3, 4]", "[1e999, 1, 1, 1]"]
)
def test_a_box_that_is_none_is_kept_as_it_is_written(read_one: Callable[..., Question], written: str) -> None:
    metadata = read_one(evidence=f"<box_start>{written}<box_end>").metadata
    assert metadata["boxes_not_read"] == [written]
    assert "boxes" not in metadata


def test_a_training_record_is_an_open_question(tmp_path: Path) -> None:
    record = {
        "video_path": "Shore/boat.mp4",
        "keyframes_path": ["Shore/480.jpg"],
        "caption": ["A man."],
        "question": "Why?",
        "answer": "A wave.",
        "evidence": "A wave is coming.",
        "task": "Causal Analysis",
    }
    dataset = read(write_release(tmp_path / "videoespresso_train_video.json", record))
    (question,) = dataset.questions
    assert (question.question_type, question.options, question.answer) == ("open", (), "A wave.")
    assert question.raw == record
    assert dataset.provenance["rebuilds_byte_for_byte"] is True


# --- and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [{}, {"indent": 2}, {"indent": None}, {"indent": None, "separators": (",", ":")}, {"ensure_ascii": True}],
)
def test_the_release_is_rebuilt_byte_for_byte(tmp_path: Path, form: dict[str, Any]) -> None:
    records = [make_record(), make_record(question="Où est-il ?", duration=12.5)]
    path = write_release(tmp_path / "bench_hard.json", *records, **form)
    dataset = read(path)
    assert dataset.provenance["rebuilds_byte_for_byte"] is True
    told = ListForm.model_validate(dataset.provenance["form"])
    assert b"".join(rebuild_release(dataset.questions, told)) == path.read_bytes()


def test_a_form_of_ones_own_is_told_not_hidden(tmp_path: Path) -> None:
    path = write_release(tmp_path / "bench_hard.json", make_record(duration=12.5))
    path.write_bytes(path.read_bytes().replace(b"12.5", b"12.50"))
    dataset = read(path)
    assert dataset.provenance["rebuilds_byte_for_byte"] is False
    assert dataset.videos[0].duration_seconds == 12.5


def test_import_keeps_the_release_and_loads_again(tmp_path: Path) -> None:
    path = write_release(tmp_path / "somewhere.json", make_record(core_frames_timestamps=[1.5, 2]))
    made = import_dataset("videoespresso", path, tmp_path / "root")
    raw = tmp_path / "root" / "videoespresso" / "raw"
    assert (raw / "bench_hard.json").read_bytes() == path.read_bytes()
    assert load(tmp_path / "root" / "videoespresso") == made
    training = write_release(tmp_path / "videoespresso_train_video.json", make_record())
    import_dataset("videoespresso", training, tmp_path / "root", "training")
    assert (tmp_path / "root" / "training" / "raw" / "videoespresso_train_video.json").is_file()


def test_what_the_release_says_is_read_from_the_raw_record(read_one: Callable[..., Question]) -> None:
    released = read_released(read_one())
    assert (released.answer, released.distractors) == ("To meet a wave", ("To fish", "To land", "To race"))
    assert released.labels == {"task": "Causal Analysis"}


@pytest.mark.full
def test_a_large_training_file_is_read_in_proportion(tmp_path: Path) -> None:
    import time

    def seconds(count: int) -> float:
        path = write_release(tmp_path / "train.json", *(make_record(question=f"{at}?") for at in range(count)))
        started = time.process_time()
        assert len(read(path).questions) == count
        return time.process_time() - started

    assert seconds(30_000) < 30 * max(0.1, seconds(3_000))


# --- the manifest -----------------------------------------------------------------------------------------------


def test_the_leaderboard_gives_its_own_overall_figures() -> None:
    manifest = load_manifest("videoespresso")
    assert len(manifest.tasks) == 14
    assert len(manifest.published_results) == 15
    for row in manifest.published_results:
        overall = recompute_published(manifest, row)["overall"]
        assert overall is not None
        assert overall == pytest.approx(row.overall, abs=0.06)


def test_the_counts_are_the_smallest_that_the_leaderboards_figures_can_be_shares_of() -> None:
    manifest = load_manifest("videoespresso")
    for task in manifest.tasks:
        figures = [row.tasks[task.name] for row in manifest.published_results]

        def has_all(count: int, figures: list[float | None] = figures) -> bool:
            # printed from two decimals, so a half may have been rounded twice
            return all(
                figure is not None and any(abs(100 * hits / count - figure) < 0.0551 for hits in range(count + 1))
                for figure in figures
            )

        assert task.published == next(count for count in range(10, 1000) if has_all(count)), task.name
