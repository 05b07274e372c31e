"""Rows that are only ever added: what was tried, found and decided, kept for good.

Every process appends to a file of its own, `ledger/{kind}-{uuid}.jsonl`, and all files of a kind are read together:
nothing is locked, and a kill can at most tear the last line of one file, which is then passed over.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from ivbench_data.dataset import iterate_jsonl
from ivbench_data.errors import StorageError
from ivbench_data.schema import BadLine, Record
from ivbench_data.workspace import Workspace

RecordT = TypeVar("RecordT", bound=Record)


class LedgerWriter:
    """Appends rows of one kind to this process's own file, each synced before the call returns."""

    def __init__(self, workspace: Workspace, kind: str) -> None:
        self.path = _ledger_folder(workspace) / f"{kind}-{uuid.uuid4()}.jsonl"

    def append(self, row: Record) -> None:
        """Write one row; the first one makes the file.

        Raises:
            StorageError: the disk is full, read-only, or not ours to write.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(row.model_dump_json(exclude_defaults=True).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError.from_os_error(error, self.path) from error


def read_ledger(workspace: Workspace, kind: str, record: type[RecordT]) -> Iterator[RecordT]:
    """All rows of a kind, file by file, in no order of time; torn lines and those of an unknown form are left out."""
    folder = _ledger_folder(workspace)
    for path in sorted(folder.glob(f"{kind}-*.jsonl")) if folder.is_dir() else ():
        for _, line, value in iterate_jsonl(path):
            if isinstance(value, BadLine):
                continue
            try:
                yield record.model_validate_json(line)
            except ValidationError:
                continue


def _ledger_folder(workspace: Workspace) -> Path:
    return workspace.folder / "ledger"
