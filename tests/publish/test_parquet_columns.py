"""A question as a row and back; rows as Parquet."""

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import CANARY, make_dataset, make_png

from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.tables.parquet_columns import (
    make_row,
    make_video_row,
    question_features,
    read_row,
    video_features,
)
from ivbench_data.publish.tables.parquet_files import RowSource, iterate_rows, write_shards
from ivbench_data.schema import Evidence, EvidenceBox, Question, Video
from ivbench_data.video.fingerprint import Fingerprint

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow.parquet as pq  # noqa: E402  # after it is known to be there

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(string.ascii_letters + string.digits + "_-é", min_size=1, max_size=8).map(
    lambda name: f"x{name}"
)  # no device of Windows begins so
SECONDS = st.floats(0, 1e6, allow_nan=False)
SHARES = st.floats(0, 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.dictionaries(TEXT, JSON, max_size=3)
BOXES = st.builds(
    EvidenceBox, x0=SHARES, y0=SHARES, x1=SHARES, y1=SHARES, time_seconds=st.none() | SECONDS,
    image_id=st.none() | NAMES, label=st.none() | TEXT,
)  # fmt: skip
EVIDENCE = st.one_of(
    st.builds(Evidence, kind=st.just("whole"), text=st.none() | TEXT),
    st.builds(Evidence, kind=st.just("point"), start_seconds=SECONDS, boxes=st.lists(BOXES, max_size=2).map(tuple)),
    st.builds(Evidence, kind=st.just("range"), start_seconds=SECONDS, end_seconds=SECONDS),
)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    kind = draw(st.sampled_from(["mcq", "tf", "numeric", "open"]))
    options = tuple(draw(st.lists(TEXT, min_size=2, max_size=26))) if kind in ("mcq", "tf") else ()
    hidden = draw(st.booleans())
    index = draw(st.integers(0, len(options) - 1)) if options and not hidden else None
    answer = None if hidden else options[index] if index is not None else draw(TEXT)
    return Question(
        question_id=draw(TEXT.filter(bool)),
        video_id=draw(st.none() | NAMES),
        image_ids=tuple(draw(st.lists(NAMES, max_size=3))),
        question=draw(TEXT),
        question_type=kind,  # type: ignore[arg-type]
        options=options,
        answer_index=index,
        answer=answer,
        answers_hidden=hidden,
        task=draw(TEXT.filter(bool)),
        group_id=draw(st.none() | TEXT.filter(bool)),
        category=draw(st.none() | TEXT),
        granularity=draw(st.none() | TEXT),
        evidence=tuple(draw(st.lists(EVIDENCE, max_size=2))),
        ask_time_seconds=draw(st.none() | SECONDS),
        source=draw(TEXT.filter(bool)),
        metadata=draw(RECORDS),
        raw=None if hidden else draw(st.none() | RECORDS),
    )


def write_rows(folder: Path, rows: list[dict[str, Any]], size_bytes: int = 1000, **options: Any) -> list[Path]:
    sources = [RowSource(size_bytes, lambda row=row: row) for row in rows]  # type: ignore[misc]
    return [path for path, _ in write_shards(folder, "test", sources, question_features(), **options)]


def test_every_field_of_a_question_is_a_column() -> None:
    assert set(question_features()) == {*Question.model_fields, "images", "canary"}


@settings(max_examples=150)
@given(st.lists(questions(), min_size=1, max_size=4))
def test_any_question_comes_back_from_a_typed_table(made: list[Question]) -> None:
    rows = [make_row(question, [None] * len(question.image_ids), CANARY) for question in made]
    table = pa.Table.from_pylist(rows, schema=question_features().arrow_schema)
    read = [read_row(row) for row in table.to_pylist()]
    assert read == made
    # key order and the difference between 1 and 1.0 are part of a raw record, and dicts do not compare them
    assert [json.dumps(q.raw) for q in read] == [json.dumps(q.raw) for q in made]


def test_rows_as_pandas_gives_them_are_read() -> None:
    made = list(make_dataset().questions)
    rows = [make_row(question, [None] * len(question.image_ids), CANARY) for question in made]
    frame = pa.Table.from_pylist(rows, schema=question_features().arrow_schema).to_pandas()
    plain = frame.astype(object).where(frame.notna(), None)  # pandas knows a missing number only as NaN
    assert [read_row(row) for row in plain.to_dict("records")] == made


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda row: row.pop("raw"), "there is no column 'raw'"),
        (lambda row: row.update(raw="{"), "'one_0'.*its JSON cannot be read"),
        (lambda row: row.update(metadata="[1]"), "'one_0'.*metadata"),
        (lambda row: row.update(metadata=7), "'one_0'.*its JSON cannot be read"),
        (lambda row: row.update(answer_index=0, answer="right"), "'one_0'.*is not the option at answer_index"),
    ],
)
def test_a_row_that_holds_no_question_is_named(change: Callable[[dict[str, Any]], object], told: str) -> None:
    row = make_row(make_dataset().questions[0], [None, None], CANARY)
    change(row)
    with pytest.raises(UsageError, match=told):
        read_row(row)


def test_image_files_stand_in_the_row_unchanged_under_their_names() -> None:
    content = make_png(3, 2)
    row = make_row(make_dataset().questions[0], [content, None], CANARY)
    assert row["images"] == [{"bytes": content, "path": "a.png"}, None]


def test_a_video_s_row_fills_the_address_in_and_takes_what_the_fingerprint_knows() -> None:
    fingerprint = Fingerprint(
        video_id="v", method="phash64-1", duration_seconds=9.5, times_seconds=(1.0, 2.0), hashes=("0" * 16, None),
        sha256="ab" * 32,
    )  # fmt: skip
    row = make_video_row(Video(video_id="v"), "https://example.org/{video_id}", fingerprint, CANARY)
    assert (row["url"], row["duration_seconds"], row["sha256"]) == ("https://example.org/v", 9.5, "ab" * 32)
    (read,) = pa.Table.from_pylist([row], schema=video_features().arrow_schema).to_pylist()
    assert Fingerprint.model_validate({"video_id": "v", **read["fingerprint"]}) == fingerprint
    kept = make_video_row(Video(video_id="v", url="u", duration_seconds=1.0), "t/{video_id}", fingerprint, CANARY)
    assert (kept["url"], kept["duration_seconds"]) == ("u", 1.0)
    assert make_video_row(Video(video_id="v"), None, None, CANARY)["fingerprint"] is None


def test_rows_are_cut_into_shards_and_row_groups_of_bounded_size(tmp_path: Path) -> None:
    question = make_dataset().questions[1]
    rows = [make_row(question.model_copy(update={"question_id": f"q{n}"}), [None], CANARY) for n in range(250)]
    paths = write_rows(tmp_path, rows, max_shard_bytes=130_000)
    assert [path.name for path in paths] == ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"]
    groups = [pq.ParquetFile(path).metadata for path in paths]
    assert [[meta.row_group(n).num_rows for n in range(meta.num_row_groups)] for meta in groups] == [
        [100, 30], [100, 20],
    ]  # fmt: skip
    assert [row["question_id"] for path in paths for row in iterate_rows(path)] == [f"q{n}" for n in range(250)]


def test_no_more_than_a_row_group_of_images_is_in_memory(tmp_path: Path) -> None:
    alive: list[int] = []
    most = 0
    row = make_row(make_dataset().questions[1], [None], CANARY)

    class Image(bytes):
        def __init__(self, content: bytes) -> None:
            nonlocal most
            alive.append(1)
            most = max(most, len(alive))

        def __del__(self) -> None:
            alive.pop()

    def make() -> dict[str, Any]:
        return {**row, "images": [{"bytes": Image(b"\0" * 1000), "path": "a.png"}]}

    sources = [RowSource(9 * 2**20, make)] * 12  # three of them are a row group
    list(write_shards(tmp_path, "test", sources, question_features()))
    assert most <= 6
    assert not alive


def test_a_split_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    (path,) = write_rows(tmp_path, [])
    assert list(iterate_rows(path)) == []
    assert pq.read_schema(path).names == list(question_features())


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "test-00000-of-00001.parquet"
    path.write_bytes(b"PAR1 not")
    with pytest.raises(DatasetError, match=r"test-00000-of-00001\.parquet cannot be read"):
        list(iterate_rows(path))
