"""VLM2-Bench's release as a dataset, and back. The records are written for these tests, in the release's shape."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from hypothesis import given
from hypothesis import strategies as st
from vlm2bench_release import IMAGES, make_records, write_release

from ivbench_data import import_dataset
from ivbench_data.dataset import load
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.scores import recompute_published
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import Question, check_safe_name
from ivbench_data.sources import read_released
from ivbench_data.sources.image_names import check_release_path, name_images
from ivbench_data.sources.jsonl_style import JsonlStyle, find_style
from ivbench_data.sources.vlm2bench import read, rebuild_release
from ivbench_data.sources.vlm2bench_records import find_option, split_options


@pytest.fixture
def read_one(tmp_path: Path) -> Callable[..., Question]:
    """The question of one record with changes; a change to None leaves the field out."""

    def make(name: str, **changes: Any) -> Question:
        return _read_changed(tmp_path, name, changes).questions[0]

    return make


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[..., str]:
    """Why a record with changes is left out, beside one that is kept."""

    def why(name: str, **changes: Any) -> str:
        dataset = _read_changed(tmp_path, name, changes, beside=True)
        (bad,) = dataset.bad_lines
        assert (bad.file, bad.line) == (f"jsonl/{name}.jsonl", 2)
        assert len(dataset.questions) == 1
        return bad.reason

    return why


def _read_changed(folder: Path, name: str, changes: dict[str, Any], beside: bool = False) -> Any:
    shutil.rmtree(folder / "jsonl", ignore_errors=True)
    good = make_records(1)[name][0]
    changed = {key: value for key, value in {**good, **changes}.items() if value is not None}
    return read(write_release(folder, {name: [good, changed] if beside else [changed]}))


# --- what the records say ---------------------------------------------------------------------------------------


def test_every_subtask_becomes_its_kind_of_question(tmp_path: Path) -> None:
    dataset = read(write_release(tmp_path, make_records()))
    kinds = {question.task: question.question_type for question in dataset.questions}
    assert kinds == {
        "GC Mat": "tf", "GC Trk": "tf", "OC Cpr": "tf", "OC Cnt": "numeric", "OC Grp": "mcq",
        "PC Cpr": "tf", "PC Cnt": "numeric", "PC Grp": "mcq", "PC VID": "open",
    }  # fmt: skip
    assert list(kinds) == [task.name for task in load_manifest("vlm2bench").tasks]
    assert {question.source for question in dataset.questions} == {"vlm2bench"}
    assert len({question.question_id for question in dataset.questions}) == len(dataset.questions)
    assert (dataset.bad_lines, len(dataset.videos)) == ((), 2)


def test_pairs_share_a_group_whether_an_id_or_a_suffix_ties_them(tmp_path: Path) -> None:
    dataset = read(write_release(tmp_path, make_records()))
    pairs: dict[str, list[Question]] = {}
    for question in dataset.questions:
        if question.question_type == "tf":
            pairs.setdefault(question.group_id or "", []).append(question)
    assert "" not in pairs
    assert len(pairs) == 8
    for pair in pairs.values():
        assert {question.answer for question in pair} == {"T", "F"}
        assert len(pair) == 2
    assert [question.question_id for question in pairs["gc_mat_1"]] == ["gc_mat_1_p", "gc_mat_1_n"]
    assert [question.question_id for question in pairs["pc_cpr_tf_0"]] == ["pc_cpr_tf_0_p", "pc_cpr_tf_0_n"]


def test_an_id_that_several_pairs_use_makes_several_pairs(tmp_path: Path) -> None:
    pair = make_records(1)["gc/vanilla/gc_mat"]
    dataset = read(write_release(tmp_path, {"gc/vanilla/gc_mat": [*pair, *reversed(pair)]}))
    assert [(question.question_id, question.group_id) for question in dataset.questions] == [
        ("gc_mat_0_p", "gc_mat_0"), ("gc_mat_0_n", "gc_mat_0"),
        ("gc_mat_0_2_n", "gc_mat_0_2"), ("gc_mat_0_2_p", "gc_mat_0_2"),
    ]  # fmt: skip
    assert dataset.provenance["rebuilds_byte_for_byte"] is True


def test_images_come_in_the_released_order_with_the_path_they_are_kept_under(tmp_path: Path) -> None:
    dataset = read(write_release(tmp_path, make_records()))
    question = next(question for question in dataset.questions if question.task == "OC Cnt")
    path_of = {image.image_id: image.source_metadata["path"] for image in dataset.images}
    assert [path_of[image_id] for image_id in question.image_ids] == [
        f"data/oc/original_obj/oc/0/{at}.png" for at in range(IMAGES)
    ]
    assert [path_of[image_id] for image_id in dataset.questions[0].image_ids] == [
        "data/gc/processed/gc_mat/0/0.png", "data/gc/processed/gc_mat/0/1.png",
    ]  # fmt: skip
    paths = [video.source_metadata["path"] for video in dataset.videos]
    assert paths == ["data/pc/video/UNI/AB_0", "data/pc/video/UNI/ABA_1"]


def test_a_video_may_be_named_with_its_suffix(read_one: Callable[..., Question]) -> None:
    question = read_one("pc/vanilla/pc_vid", vid="ABA_7.mp4", gt_answer=None)
    assert (question.video_id, question.answer, question.image_ids) == ("ABA_7", "", ())


@pytest.mark.parametrize(
    ("text", "stem", "options"),
    [
        ("Which? (A) 1 and 2 (B) None", "Which?", ("1 and 2", "None")),
        ("Which? A) 1 and 2 B) None", "Which?", ("1 and 2", "None")),
        ("Which?\nA. 1 and 2\nB. None\nC. 1, 2 and 3", "Which?", ("1 and 2", "None", "1, 2 and 3")),
        ("Which?\nA: 1 and 2;\nB: None;", "Which?", ("1 and 2", "None")),
        ("Which? (A) 1 and 2, (B) None\nAnswer briefly.", "Which?\nAnswer briefly.", ("1 and 2", "None")),
        ("Which? (A) 1 and 2 (B) None. Say a letter.", "Which?\nSay a letter.", ("1 and 2", "None")),
        ("Is A. Bell here? (A) yes (B) no", "Is A. Bell here?", ("yes", "no")),
    ],
)
def test_options_are_taken_out_of_the_question_s_text(text: str, stem: str, options: tuple[str, ...]) -> None:
    assert split_options(text) == (stem, options)


@pytest.mark.parametrize("text", ["Which?", "Which? (A) only", "Which? (B) 1 (C) 2"])
def test_a_question_without_options_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no options from A on"):
        split_options(text)


@pytest.mark.parametrize("answer", ["B", "(B)", "B)", "B.", "B:", " (B) None", "B) None.", "None", "none."])
def test_an_answer_is_a_letter_with_or_without_its_text_or_the_text(answer: str) -> None:
    assert find_option(answer, ("1 and 2", "None")) == 1


@pytest.mark.parametrize("answer", ["C", "(E)", "", "both", "B) 1 and 2", "b"])
def test_an_answer_that_is_no_option_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match="gt_answer"):
        find_option(answer, ("1 and 2", "None"))


def test_the_release_s_own_spelling_is_kept(read_one: Callable[..., Question]) -> None:
    question = read_one("oc/vanilla/oc_grp")
    released = read_released(question)
    assert (question.answer, released.answer, released.labels) == ("None", "(B)", {"type": "bag"})
    assert released.distractors == ("1 and 2", "1, 2 and 3")
    assert read_one("gc/vanilla/gc_mat", gt_answer="False").answer == "F"
    assert read_one("gc/vanilla/gc_mat", question=None).question == "put a hat on"
    assert read_one("oc/vanilla/oc_cnt", gt_answer="3").answer == "3"
    assert read_one("oc/vanilla/oc_cnt", image_seq_len=None, image_seq=["1", "2"]).metadata == {"image_seq_len": 2}


# --- what is wrong with them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("gc/vanilla/gc_mat", {"gt_answer": "yes"}, r"'gt_answer' is 'yes', not T or F"),
        ("gc/vanilla/gc_mat", {"gt_answer": True}, r"'gt_answer' is True, not T or F"),
        ("gc/vanilla/gc_mat", {"q_id": None}, r"'q_id' is None, not an id"),
        ("gc/vanilla/gc_mat", {"images": "a.png"}, r"'images' is 'a.png', not a list of paths"),
        ("gc/vanilla/gc_mat", {"images": []}, "names no image"),
        ("gc/vanilla/gc_mat", {"images": ["../../etc/passwd"]}, "no path inside of the release"),
        ("gc/vanilla/gc_mat", {"images": ["/etc/passwd"]}, "no path inside of the release"),
        ("oc/vanilla/oc_cpr", {"question": ""}, r"'question' is '', not a text"),
        ("oc/vanilla/oc_cnt", {"gt_answer": "two"}, r"'gt_answer' is 'two', not a whole number"),
        ("oc/vanilla/oc_cnt", {"gt_answer": 1.5}, r"'gt_answer' is 1.5, not a whole number"),
        ("oc/vanilla/oc_grp", {"gt_answer": "(D)"}, r"none of the options"),
        ("oc/vanilla/oc_grp", {"gt_answer": "(A) None"}, r"where option A is '1 and 2'"),
        ("oc/vanilla/oc_grp", {"question": "Which?"}, "holds no options"),
        ("pc/vanilla/pc_vid", {"vid": "../up"}, "cannot be a file name"),
        ("pc/vanilla/pc_vid", {"vid": None}, r"'vid' is None, not an id"),
        ("pc/vanilla/pc_vid", {"gt_answer": 3}, r"'gt_answer' is 3, not a text"),
    ],
)
def test_a_malformed_record_is_named_and_the_rest_is_kept(
    refuse: Callable[..., str], name: str, changes: dict[str, Any], reason: str
) -> None:
    assert re.search(reason, refuse(name, **changes))


def test_a_file_of_a_strange_name_is_named_and_so_are_strange_fields(tmp_path: Path) -> None:
    records = make_records(1)
    records["gc/vanilla/gc_new"] = records["gc/vanilla/gc_mat"]
    records["gc/vanilla/gc_mat"] = [{**record, "difficulty": 3} for record in records["gc/vanilla/gc_mat"]]
    dataset = read(write_release(tmp_path, records))
    (bad,) = dataset.bad_lines
    assert str(bad) == "jsonl/gc/vanilla/gc_new.jsonl:1: no task of VLM2-Bench is known to be in a file of this name"
    assert dataset.provenance["unknown_fields"] == ["difficulty"]
    assert dataset.questions[0].raw is not None
    assert dataset.questions[0].raw["difficulty"] == 3


def test_a_folder_without_the_release_is_a_bad_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no jsonl/gc/vanilla/gc_mat\.jsonl"):
        read(tmp_path)
    (tmp_path / "other.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match=r"other\.jsonl is no file of VLM2-Bench; its tasks are in: gc_mat"):
        read(tmp_path / "other.jsonl")
    (tmp_path / "gc_mat.jsonl").write_text("[]\n{\n")
    with pytest.raises(
        UsageError, match=r"holds no VLM2-Bench question; the first bad line is .*gc_mat\.jsonl:1: not an"
    ):
        read(tmp_path / "gc_mat.jsonl")


# --- and back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", ["", "jsonl", "jsonl/gc", "jsonl/gc/vanilla", "jsonl/gc/vanilla/gc_mat.jsonl"])
def test_the_release_comes_back_file_by_file_from_wherever_it_was_pointed_at(tmp_path: Path, inner: str) -> None:
    folder = write_release(tmp_path / "release", make_records())
    dataset = import_dataset("vlm2bench", folder / inner, tmp_path / "root")
    kept = tmp_path / "root" / "vlm2bench" / "raw"
    rebuilt = rebuild_release(load(tmp_path / "root" / "vlm2bench"))
    assert dataset.provenance["rebuilds_byte_for_byte"] is True
    assert len(rebuilt) == {"": 9, "jsonl": 9}.get(inner, 2 if inner.endswith(("gc", "vanilla")) else 1)
    for name, content in rebuilt.items():
        assert content == (folder / name).read_bytes() == (kept / name).read_bytes()
    again = import_dataset("vlm2bench", kept, tmp_path / "root")
    assert again == dataset


def test_a_file_with_a_bad_line_is_said_not_to_come_back(tmp_path: Path) -> None:
    folder = write_release(tmp_path, make_records(1))
    with (folder / "jsonl/oc/vanilla/oc_cnt.jsonl").open("a") as file:
        file.write("{torn\n")
    files: Any = read(folder).provenance["files"]
    assert [name for name, told in files.items() if not told["rebuilds_byte_for_byte"]] == [
        "jsonl/oc/vanilla/oc_cnt.jsonl"
    ]


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), min_size=1), min_size=1),
    st.builds(
        JsonlStyle,
        ascii=st.booleans(),
        compact=st.booleans(),
        newline=st.sampled_from(["\n", "\r\n"]),
        ends_with_newline=st.booleans(),
    ),
)
def test_whatever_way_a_file_is_written_its_style_is_found(records: list[dict[str, Any]], style: JsonlStyle) -> None:
    content = style.write(records)
    found = find_style(content, records)
    assert found is not None
    assert found.write(records) == content


def test_a_style_that_is_none_of_ours_is_not_claimed() -> None:
    assert find_style(b'{"a":  1}\n', [{"a": 1}]) is None


# --- names of images ----------------------------------------------------------------------------------------------

PATHS = st.lists(
    st.text(st.sampled_from("aAbé-_. \\:*"), min_size=1, max_size=4), min_size=1, max_size=4
).map("/".join)  # fmt: skip


@given(st.lists(PATHS, max_size=20))
def test_images_get_safe_names_of_their_own_that_depend_on_the_paths_alone(paths: list[str]) -> None:
    def is_path(path: str) -> bool:
        try:
            return check_release_path(path) == path
        except ValueError:
            return False

    usable = [path for path in paths if is_path(path)]
    names = name_images(usable)
    assert set(names) == set(usable)
    assert len({name.casefold() for name in names.values()}) == len(names)
    assert all(check_safe_name(name) for name in names.values())
    assert name_images(sorted(usable)) == names


def test_paths_that_would_be_called_alike_are_told_apart() -> None:
    names = name_images(["a/b.png", "a-b.png", "A/b.png", "c/d.png"])
    assert names["c/d.png"] == "c-d.png"
    assert len(set(names.values())) == 4
    assert all(name.endswith(".png") for name in names.values())


# --- what is known of it beforehand -------------------------------------------------------------------------------


@pytest.mark.parametrize("row", load_manifest("vlm2bench").published_results, ids=lambda row: row.model)
def test_the_papers_overall_is_the_plain_mean_of_its_subtasks(row) -> None:  # type: ignore[no-untyped-def]  # ids' lambda
    # the video subtask is in it, whatever the caption says, but for the chance row, which has no figure for it
    assert recompute_published(load_manifest("vlm2bench"), row)["overall"] == pytest.approx(row.overall, abs=0.011)


def test_counts_and_licence() -> None:
    manifest = load_manifest("vlm2bench")
    assert (manifest.released.questions, len(manifest.tasks), len(manifest.published_results)) == (3060, 9, 11)
    assert manifest.license == "CC BY-NC 4.0"
    assert manifest.hub is not None
    assert (manifest.hub.repo_id, manifest.hub.revision) == ("Sterzhang/vlm2-bench", None)
    assert manifest.release is not None
    assert (manifest.release.file_name, manifest.release.sha256) == ("vlm2-bench_dataset.zip", None)


def test_the_command_line_names_what_it_leaves_out(run_cli: Callable[..., Outcome], tmp_path: Path) -> None:
    folder = write_release(tmp_path, make_records(1))
    path = folder / "jsonl/oc/vanilla/oc_cnt.jsonl"
    path.write_text(path.read_text() + json.dumps({"q_id": "x", "gt_answer": "many"}) + "\n")
    told = run_cli("import", "vlm2bench", folder, "--root", tmp_path / "root")
    assert told.code == 1
    assert "jsonl/oc/vanilla/oc_cnt.jsonl:2: the field 'gt_answer' is 'many', not a whole number" in told.err
