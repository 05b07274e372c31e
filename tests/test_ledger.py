"""Rows that were written are read again, whoever wrote them and however their writers ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivbench_data.errors import StorageError
from ivbench_data.ledger import LedgerWriter, read_ledger
from ivbench_data.schema import FetchResult, Video
from ivbench_data.workspace import Workspace


def test_all_writers_rows_are_read_together(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "test")
    assert read_ledger(workspace, "fetch", FetchResult) == ([], [])
    writers = [LedgerWriter(workspace, "fetch") for _ in range(3)]
    assert not (tmp_path / "test").exists()
    rows = [FetchResult(video_id=f"v{number}", status="ok") for number in range(9)]
    for number, row in enumerate(rows):
        writers[number % 3].append(row)
    LedgerWriter(workspace, "reviews").append(Video(video_id="other"))
    read = sorted(read_ledger(workspace, "fetch", FetchResult)[0], key=lambda row: row.video_id)
    assert read == rows
    assert len(list(tmp_path.glob("test/ledger/fetch-*.jsonl"))) == 3


def test_torn_and_unknown_lines_are_left_out_and_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "test")
    writer = LedgerWriter(workspace, "fetch")
    for number in range(3):
        writer.append(FetchResult(video_id=f"v{number}", status="ok"))
    content = writer.path.read_bytes()
    for kept in range(len(content)):
        writer.path.write_bytes(content[:kept])
        read = [row.video_id for row in read_ledger(workspace, "fetch", FetchResult)[0]]
        # a line that lacks only its newline is whole
        assert read == ["v0", "v1", "v2"][: content[: kept + 1].count(b"\n")]
    writer.path.write_bytes(b'{"video_id":"x","status":"ok","from_the_future":1}\n' + content)
    rows, bad = read_ledger(workspace, "fetch", FetchResult)
    assert [row.video_id for row in rows] == ["v0", "v1", "v2"]
    assert [(line.file, line.line) for line in bad] == [(writer.path.name, 1)]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test/ledger").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="ledger"):
        LedgerWriter(Workspace(tmp_path, "test"), "fetch").append(Video(video_id="v"))
