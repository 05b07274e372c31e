"""Append-only rows: attempts, findings and review decisions.

Every process appends to a file of its own, `ledger/{kind}-{uuid}.jsonl`, and all files of a kind are read together:
nothing is locked, and a killed process can at most truncate the last line of one file, which is then skipped.
"""

from __future__ import annotations

import os
import uuid
from typing import TypeVar

from ivbench_data.errors import StorageError
from ivbench_data.schema import BadLine, Record
from ivbench_data.strict_json import read_jsonl
from ivbench_data.workspace import Workspace, list_folder

RecordT = TypeVar("RecordT", bound=Record)


class LedgerWriter:
    """Appends rows of one kind to this process's own file, each synced before the call returns."""

    def __init__(self, workspace: Workspace, kind: str) -> None:
        self.path = workspace.ledger / f"{kind}-{uuid.uuid4()}.jsonl"

    def append(self, row: Record) -> None:
        """Append one row; the first one creates the file.

        Raises:
            StorageError: the disk is full or read-only, or writing is not permitted.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(row.model_dump_json(exclude_defaults=True).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError.from_os_error(error, self.path) from error


def read_ledger(workspace: Workspace, kind: str, record: type[RecordT]) -> tuple[list[RecordT], list[BadLine]]:
    """All rows of a kind, file by file, in no order of time, and the lines that hold none: torn, or of another form.

    Raises:
        EnvironmentProblemError: the ledger's folder cannot be looked into.
    """
    rows: list[RecordT] = []
    bad: list[BadLine] = []
    for path in list_folder(workspace.ledger, f"{kind}-*.jsonl"):
        read, unreadable = read_jsonl(path, record, None)
        rows += read
        bad += unreadable
    return rows, bad
