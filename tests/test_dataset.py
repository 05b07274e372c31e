"""A dataset in memory and on disk, and JSON read strictly."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, DatasetNotFoundError, StorageError, UsageError
from ivbench_data.schema import BadLine, Evidence, QueryImage, Question, Video, check_safe_name
from ivbench_data.strict_json import MAX_LINE_BYTES, MAX_NESTING, iterate_jsonl, parse_json, read_jsonl

# --- JSON, strictly ---------------------------------------------------------------------------------------------

REFUSED = {
    b"": "not JSON",
    b"{": "not JSON",
    b"{'a': 1}": "not JSON",
    b'{"a": 1,}': "not JSON",
    b'{"a": 1} {"b": 2}': "not JSON: Extra data",
    b'{"a": 01}': "not JSON",
    b'["\t"]': "not JSON: Invalid control character",
    b"NaN": "NaN is not JSON",
    b'{"a": [Infinity]}': "Infinity is not JSON",
    b"[-Infinity]": "-Infinity is not JSON",
    b"[1e999]": "the number 1e999 is too large",
    b"[" + b"9" * 5000 + b"]": "of 5000 digits is too large",
    b"[-" + b"9" * 400 + b"]": "of 401 digits is too large",
    b'{"a": 1, "a": 1}': "the key 'a' is given twice",
    b'{"x": [{"a": 1, "b": 2, "a": 3}]}': "the key 'a' is given twice",
    b'{"a": 1, "\\u0061": 2}': "the key 'a' is given twice",
    b'\xef\xbb\xbf{"a": 1}': "byte-order mark",
    b'{"a": "\xff"}': "not UTF-8: byte 7 is 0xff",
    '{"a": 1}'.encode("utf-16"): "not UTF-8: byte 0 is 0xff",
    b'{"a": "\xed\xa0\x80"}': "not UTF-8",  # a surrogate, encoded as if it were a character
    b'["\\ud800"]': "lone surrogate",
    b'{"\\udfff": 1}': "lone surrogate",
    b'["\\ude00\\ud83d"]': "lone surrogate",
    b"[" * (MAX_NESTING + 1) + b"]" * (MAX_NESTING + 1): f"deeper than {MAX_NESTING}",
    b'{"a":' * 40 + b"1" + b"}" * 40: f"deeper than {MAX_NESTING}",
    b"[" * 100_000: f"deeper than {MAX_NESTING}",
    b"[" * 100_000 + b"]" * 100_000: f"deeper than {MAX_NESTING}",
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000: f"deeper than {MAX_NESTING}",
}


@pytest.mark.parametrize(("content", "told"), REFUSED.items(), ids=[str(key[:24]) for key in REFUSED])
def test_what_is_not_plainly_json_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_json(content)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_key_given_twice_among_many_is_found_in_time_that_grows_with_the_line_alone() -> None:
    keys = ", ".join(f'"key{number}": 0' for number in range(40_000))
    began = time.process_time()
    with pytest.raises(ValueError, match="'key39999' is given twice"):
        parse_json(f'{{{keys}, "key39999": 1}}'.encode())
    assert time.process_time() - began < 2  # 30 s where each key is compared with all others


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b' {"a": [1, 2.5, null, true, "x"]} ', {"a": [1, 2.5, None, True, "x"]}),
        (b'["\\ud83d\\ude00", "\\u0000"]', ["😀", "\0"]),
        (b"[" * (MAX_NESTING - 1) + b"]" * (MAX_NESTING - 1), None),
        (b"[" + b"9" * 300 + b"]", [int("9" * 300)]),
        (b"[1e308, -0.0, 5e-324]", [1e308, -0.0, 5e-324]),
        (b'["\\\\ud800 \\\\U0001"]', ["\\ud800 \\U0001"]),
    ],
)
def test_what_is_json_is_read(content: bytes, value: Any) -> None:
    assert value is None or parse_json(content) == value


JSON_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | JSON_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(JSON_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES, st.booleans())
def test_json_that_python_writes_reads_back(value: Any, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(ValueError):
        parse_json(content)


# --- JSONL ------------------------------------------------------------------------------------------------------


def test_every_bad_line_is_named_and_the_good_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "videos.jsonl"
    lines = [
        b'{"video_id": "one"}',
        b"not json",
        b"",
        b'{"video_id": "two", "duration_seconds": NaN}',
        b'{"video_id": "two", "video_id": "three"}',
        b'{"url": "https://example.org"}',
        b'{"video_id": "../up"}',
        b'{"video_id": 4}',
        b'{"video_id": "four", "lenght": 3}',
        b'{"video_id": "one"}',
        b"[" * 100_000,
        b'{"video_id": "\xff"}',
        b'["video_id"]',
        b'{"video_id": "last", "license": "\xe2\x80\xa8"}\r',
    ]
    path.write_bytes(b"\n".join(lines))
    videos, bad = read_jsonl(path, Video, "video_id")
    assert [video.video_id for video in videos] == ["one", "last"]
    assert videos[1].license == "\u2028"
    assert [line.line for line in bad] == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert {line.file for line in bad} == {"videos.jsonl"}
    told = {line.line: line.reason for line in bad}
    assert "video_id: Field required" in told[6]
    assert "video_id: '../up' cannot be a file name" in told[7]
    assert "lenght: Extra inputs are not permitted" in told[9]
    assert told[10] == "video_id 'one' stands in line 1 already"
    assert all(line.count("\n") == 0 for line in told.values())


def test_a_line_that_never_ends_costs_its_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b"[1]\n")
        file.write(b'["' + b"x" * (3 * MAX_LINE_BYTES) + b'"]\n')
        file.write(b"[3]\n")
        file.write(b'["' + b"x" * MAX_LINE_BYTES)
    found = [(number, value) for number, _, value in iterate_jsonl(path, "name")]
    told = f"over {MAX_LINE_BYTES} bytes"
    assert found == [
        (1, [1]),
        (2, BadLine(file="name", line=2, reason=told)),
        (3, [3]),
        (4, BadLine(file="name", line=4, reason=told)),
    ]


@pytest.mark.parametrize("name", ["absent.jsonl", "."])
def test_a_file_that_cannot_be_read_is_a_bad_call(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_jsonl(tmp_path / name, Video, "video_id")


# --- the dataset on disk ----------------------------------------------------------------------------------------


def is_safe(name: str) -> bool:
    try:
        return bool(check_safe_name(name))
    except ValueError:
        return False


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(is_safe)
IDS = NAMES | st.from_regex(r"[A-Za-z0-9_-]{11}", fullmatch=True)
SECONDS = st.floats(0, 1e6)
METADATA = st.dictionaries(JSON_TEXT, JSON_VALUES, max_size=3)


VIDEOS = st.builds(
    Video,
    video_id=IDS,
    url=st.none() | JSON_TEXT.filter(bool),
    duration_seconds=st.none() | SECONDS,
    language=st.none() | JSON_TEXT,
    source_metadata=METADATA,
)
IMAGES = st.builds(QueryImage, image_id=IDS, width=st.none() | st.integers(1, 10_000), source_metadata=METADATA)
EVIDENCE = st.one_of(
    st.builds(Evidence, kind=st.just("whole"), text=st.none() | JSON_TEXT),
    st.builds(Evidence, kind=st.just("point"), start_seconds=SECONDS),
    st.builds(Evidence, kind=st.just("range"), start_seconds=SECONDS, end_seconds=SECONDS),
)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Any question that the model accepts."""
    shared: dict[str, Any] = {
        "question_id": draw(JSON_TEXT.filter(bool)),
        "video_id": draw(st.none() | IDS),
        "image_ids": tuple(draw(st.lists(IDS, max_size=3))),
        "question": draw(JSON_TEXT),
        "task": draw(JSON_TEXT.filter(bool)),
        "group_id": draw(st.none() | JSON_TEXT.filter(bool)),
        "evidence": tuple(draw(st.lists(EVIDENCE, max_size=2))),
        "ask_time_seconds": draw(st.none() | SECONDS),
        "source": "mine",
        "metadata": draw(METADATA),
    }
    if draw(st.booleans()):
        return Question(**shared, question_type="open", answer=draw(JSON_TEXT), raw=draw(st.none() | METADATA))
    options = tuple(draw(st.lists(JSON_TEXT, min_size=2, max_size=26)))
    if draw(st.booleans()):
        return Question(**shared, options=options, answers_hidden=True)
    index = draw(st.integers(0, len(options) - 1))
    return Question(
        **shared, options=options, answer_index=index, answer=options[index], raw=draw(st.none() | METADATA)
    )


DATASETS = st.builds(
    Dataset,
    name=NAMES,
    videos=st.lists(VIDEOS, max_size=4, unique_by=lambda video: video.video_id).map(tuple),
    images=st.lists(IMAGES, max_size=4, unique_by=lambda image: image.image_id).map(tuple),
    questions=st.lists(questions(), max_size=4, unique_by=lambda question: question.question_id).map(tuple),
    bad_lines=st.lists(
        st.builds(BadLine, file=JSON_TEXT, line=st.integers(1, 10**9), reason=JSON_TEXT.filter(bool)), max_size=2
    ).map(tuple),
    provenance=METADATA,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(DATASETS)
def test_what_is_saved_loads_the_same(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> None:
    root = tmp_path_factory.mktemp("root")
    workspace = dataset.save(root)
    assert load(workspace.folder) == dataset
    files = {path.name: path.read_bytes() for path in workspace.folder.iterdir()}
    assert set(files) == {"dataset.json", "videos.jsonl", "images.jsonl", "questions.jsonl"}
    load(str(workspace.folder)).save(root)
    assert {path.name: path.read_bytes() for path in workspace.folder.iterdir()} == files
    shutil.rmtree(root)


def make_dataset(count: int, name: str = "mine") -> Dataset:
    return Dataset(
        name,
        tuple(Video(video_id=f"v{number}") for number in range(count)),
        (),
        tuple(
            Question(
                question_id=f"v{number}_0",
                video_id=f"v{number}",
                question="?",
                options=("a", "b"),
                answer_index=0,
                answer="a",
                task="Counting",
                source="mine",
            )
            for number in range(count)
        ),
    )


def test_a_folder_without_a_marker_holds_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="ivbench-data import"):
        load(tmp_path)
    with pytest.raises(DatasetNotFoundError):
        load(tmp_path / "absent")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cannot be read: not JSON"),
        (b"[]", "is not a dataset of format 1"),
        (b"{}", "format_version: Field required"),
        (b'{"format_version": 2, "name": "x", "videos": 0, "images": 0, "questions": 0}', "format_version"),
        (b'{"format_version": 1, "name": "../x", "videos": 0, "images": 0, "questions": 0}', "name"),
        (b'{"format_version": 1, "format_version": 1}', "given twice"),
        (b"[" * 100_000, "nested deeper"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_marker_that_is_none_says_so(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"dataset\.json") as caught:
        load(tmp_path)
    assert told in str(caught.value)


def test_bad_lines_of_saved_files_are_named_and_the_others_loaded(tmp_path: Path) -> None:
    folder = make_dataset(3).save(tmp_path).folder
    lines = (folder / "questions.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "questions.jsonl").write_bytes(lines[0] + b'{"question_id": \n' + lines[2])
    loaded = load(folder)
    assert [question.question_id for question in loaded.questions] == ["v0_0", "v2_0"]
    assert [(line.file, line.line) for line in loaded.bad_lines] == [("questions.jsonl", 2)]


def test_lines_that_are_cut_off_are_missed(tmp_path: Path) -> None:
    folder = make_dataset(3).save(tmp_path).folder
    lines = (folder / "questions.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "questions.jsonl").write_bytes(lines[0])
    (bad,) = load(folder).bad_lines
    assert str(bad).startswith("questions.jsonl:2: the file ends before this line, and dataset.json promises 3 lines")


def test_lines_that_a_curator_adds_are_welcome(tmp_path: Path) -> None:
    folder = make_dataset(3).save(tmp_path).folder
    with (folder / "videos.jsonl").open("ab") as file:
        file.write(b'{"video_id": "added"}\n')
    loaded = load(folder)
    assert [video.video_id for video in loaded.videos] == ["v0", "v1", "v2", "added"]
    assert loaded.bad_lines == ()


def test_a_missing_part_is_a_damaged_dataset(tmp_path: Path) -> None:
    folder = make_dataset(3).save(tmp_path).folder
    (folder / "images.jsonl").unlink()
    with pytest.raises(DatasetError, match=r"images\.jsonl.*import the release again"):
        load(folder)


@pytest.mark.parametrize("files_that_fit", range(4))
def test_a_full_disk_leaves_the_earlier_dataset_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_that_fit: int
) -> None:
    earlier = make_dataset(3)
    folder = earlier.save(tmp_path).folder
    synced = []

    def sync_while_there_is_room(descriptor: int) -> None:
        if len(synced) == files_that_fit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced.append(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync_while_there_is_room)
        with pytest.raises(StorageError, match="the disk is full"):
            make_dataset(500).save(tmp_path)
    assert load(folder) == earlier
    assert len(list(folder.iterdir())) == 4
    make_dataset(500).save(tmp_path)
    assert len(load(folder).questions) == 500
