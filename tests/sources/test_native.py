"""A curator's own JSONL as a dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome

from ivbench_data import import_dataset
from ivbench_data.dataset import load
from ivbench_data.errors import UnsafeNameError, UsageError
from ivbench_data.sources.native import read


def make_question(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "question_id": f"q{number}",
        "video_id": f"v{number}",
        "image_ids": [f"i{number}.png"],
        "question": "?",
        "options": ["a", "b"],
        "answer_index": 0,
        "answer": "a",
        "task": "Counting",
        "source": "mine",
        **changes,
    }


def write_lines(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_a_folder_of_our_own_form(tmp_path: Path) -> None:
    folder = tmp_path / "my-bench"
    write_lines(folder / "questions.jsonl", make_question(1), make_question(2, image_ids=["i1.png", "extra.png"]))
    write_lines(folder / "videos.jsonl", {"video_id": "v2", "license": "CC0-1.0"}, {"video_id": "unasked"})
    write_lines(folder / "images.jsonl", {"image_id": "i1.png", "width": 3})
    dataset = read(folder)
    assert dataset.name == "my-bench"
    assert [(video.video_id, video.license) for video in dataset.videos] == [
        ("v2", "CC0-1.0"), ("unasked", None), ("v1", None),
    ]  # fmt: skip
    assert [(image.image_id, image.width) for image in dataset.images] == [("i1.png", 3), ("extra.png", None)]
    assert [question.question_id for question in dataset.questions] == ["q1", "q2"]
    assert dataset.bad_lines == ()


def test_a_single_file_needs_nothing_beside_it(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "bench" / "drafts.jsonl", make_question(1), make_question(2, video_id=None))
    write_lines(tmp_path / "bench" / "videos.jsonl", {"video_id": "not-asked-for"})
    dataset = read(path)
    assert dataset.name == "bench"
    assert [video.video_id for video in dataset.videos] == ["v1"]


def test_bad_lines_of_every_file_are_named(tmp_path: Path) -> None:
    write_lines(tmp_path / "questions.jsonl", make_question(1), make_question(2, answer="c"), make_question(1))
    write_lines(tmp_path / "videos.jsonl", {"video_id": "../v"}, {"video_id": "v1"})
    write_lines(tmp_path / "images.jsonl", {"image_id": "i1.png", "width": 0})
    dataset = read(tmp_path)
    assert [(line.file, line.line) for line in dataset.bad_lines] == [
        ("questions.jsonl", 2), ("questions.jsonl", 3), ("videos.jsonl", 1), ("images.jsonl", 1),
    ]  # fmt: skip
    assert [question.question_id for question in dataset.questions] == ["q1"]


@pytest.mark.parametrize(
    ("content", "told"),
    [("", "holds no question"), ("[]\n", "the first bad line is questions.jsonl:1"), ("{\n", "not JSON")],
)
def test_a_file_without_a_question_is_a_bad_call(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "questions.jsonl").write_text(content)
    with pytest.raises(UsageError, match=told):
        read(tmp_path)


def test_an_exported_dataset_comes_back_under_its_own_name(tmp_path: Path) -> None:
    first = import_dataset("native", write_lines(tmp_path / "bench" / "q.jsonl", make_question(1)), tmp_path / "a")
    again = import_dataset("native", tmp_path / "a" / "bench", tmp_path / "b", None)
    assert again.name == "bench"
    assert again.questions == first.questions
    assert load(tmp_path / "b" / "bench") == again


def test_a_dataset_may_be_imported_over_itself(tmp_path: Path) -> None:
    first = import_dataset("native", write_lines(tmp_path / "bench" / "q.jsonl", make_question(1)), tmp_path)
    again = import_dataset("native", tmp_path / "bench", tmp_path)
    assert (again.videos, again.images, again.questions) == (first.videos, first.images, first.questions)
    assert load(tmp_path / "bench") == again
    raw = tmp_path / "bench" / "raw"
    assert import_dataset("native", raw, tmp_path).questions == first.questions


def test_the_raw_files_are_kept_as_they_came(tmp_path: Path) -> None:
    folder = tmp_path / "came"
    files = [
        write_lines(folder / "questions.jsonl", make_question(1)),
        write_lines(folder / "videos.jsonl", {"video_id": "v1"}),
    ]
    import_dataset("native", folder, tmp_path / "root", "mine")
    for file in files:
        assert (tmp_path / "root" / "mine" / "raw" / file.name).read_bytes() == file.read_bytes()


def test_a_name_that_cannot_be_a_folder_asks_for_another(tmp_path: Path) -> None:
    write_lines(tmp_path / "questions.jsonl", make_question(1))
    (tmp_path / "dataset.json").write_text('{"name": "../up"}')
    with pytest.raises(UsageError, match="give one with --dataset"):
        import_dataset("native", tmp_path, tmp_path / "root")
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(UsageError, match=r"dataset\.json cannot be read"):
        import_dataset("native", tmp_path, tmp_path / "root")
    (tmp_path / "dataset.json").unlink()
    with pytest.raises(UnsafeNameError):
        import_dataset("native", tmp_path, tmp_path / "root", "a/b")
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(("source", "path", "told"), [
    ("natvie", ".", "no source named 'natvie'; there are: .*native"),
    ("native", "absent", "there is no .*absent to import"),
    ("native", ".", r"holds no questions\.jsonl"),
])  # fmt: skip
def test_a_call_that_cannot_be_meant(tmp_path: Path, source: str, path: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        import_dataset(source, tmp_path / path, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_an_import_says_where_its_media_go(run_cli: Callable[..., Outcome], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_lines(folder / "questions.jsonl", make_question(1), make_question(2))
    told = run_cli("import", "native", folder, "--root", tmp_path / "root")
    assert "Not on disk yet: 2 images and 2 videos." in told.err
    assert f"in {tmp_path / 'root' / 'mine' / 'images'}" in told.err
    for path in ("images/i1.png", "images/i2.png", "videos/v1.mp4", "videos/v2.mkv"):
        target = tmp_path / "root" / "mine" / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(b"a file")
    again = run_cli("import", "native", folder, "--root", tmp_path / "root")
    assert "Not on disk yet" not in again.err


def test_an_empty_plan_says_so_below_a_title_in_one_line(run_cli: Callable[..., Outcome], tmp_path: Path) -> None:
    at = ("--root", tmp_path / "root", "--dataset", "mine")
    run_cli("import", "native", write_lines(tmp_path / "questions.jsonl", make_question(1)), *at)
    told = run_cli("repair", "--plan", "--check", "duplicate_option", *at)
    assert told.code == 0
    assert "Planned changes: 0 questions\n" in told.out  # wider than the table below it
    assert "Apply it" not in told.err
    assert "the patch is empty" in told.err
