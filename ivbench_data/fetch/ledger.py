"""The ledger: one row for each time that a source was asked for a video, kept for good.

Every process appends to a file of its own, `ledger/fetch-{uuid}.jsonl`, and all of them are read together: nothing is
locked, and a kill can at most tear the last line of one file, which is then passed over.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import JsonValue, ValidationError

from ivbench_data.dataset import iterate_jsonl
from ivbench_data.errors import StorageError
from ivbench_data.fetch.statuses import LOST, explain_message, is_bare_unavailable
from ivbench_data.schema import BadLine, FetchResult
from ivbench_data.workspace import Workspace

UNAVAILABLE_APART = timedelta(hours=24)
"""How long a bare "Video unavailable" must stand before the video counts as removed: some come back within hours."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class LedgerWriter:
    """Appends rows to this process's file, each synced before the next video is begun; made with the first row."""

    def __init__(self, workspace: Workspace) -> None:
        self.path = workspace.folder / "ledger" / f"fetch-{uuid.uuid4()}.jsonl"

    def append(self, row: FetchResult) -> None:
        """Write one row.

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


@dataclass
class VideoHistory:
    """What the ledger says of one video."""

    last_by_source: dict[str, FetchResult] = field(default_factory=dict)
    """The last row of each source that was asked, in the order of their times."""
    unavailable_since: dict[str, datetime] = field(default_factory=dict)
    """When each source first said a bare "Video unavailable", unless it has said something else since."""
    source_metadata: dict[str, JsonValue] = field(default_factory=dict)
    """What the source last said of the video."""

    def add(self, row: FetchResult) -> None:
        """Take one more row, later than those before."""
        source = row.source or "origin"
        self.last_by_source.pop(source, None)
        self.last_by_source[source] = row
        if is_bare_unavailable(row.message) and row.status == "unknown":
            self.unavailable_since.setdefault(source, row.when or _LONG_AGO)
        else:
            self.unavailable_since.pop(source, None)
        if row.source_metadata:
            self.source_metadata = {**row.source_metadata, "asked": row.when.isoformat() if row.when else None}

    @property
    def last(self) -> FetchResult | None:
        """The row that says how things stand: the newest when it is `ok`, else what could still be mended, else it."""
        if not self.last_by_source:
            return None
        rows = list(self.last_by_source.values())
        return rows[-1] if rows[-1].status == "ok" else choose_telling(rows)

    def is_lost(self, source: str) -> bool:
        """Whether that source was asked before, and said what no re-run mends."""
        row = self.last_by_source.get(source)
        return row is not None and row.status != "ok" and is_final(row)

    def seen_unavailable_for(self, source: str, now: datetime) -> timedelta | None:
        """How long the source has been saying a bare "Video unavailable"; None when it was not seen before."""
        since = self.unavailable_since.get(source)
        return now - since if since else None


def choose_telling(rows: list[FetchResult]) -> FetchResult:
    """Of the failures of several sources, the one to report: the first that a re-run could mend, else the last."""
    return next((row for row in rows if row.status != "ok" and row.status not in LOST), rows[-1])


def is_final(row: FetchResult) -> bool:
    """Whether the row says what only `--retry all` tries again."""
    return row.status in LOST or explain_message(row.message or "").again == "when asked"


def read_ledger(workspace: Workspace) -> dict[str, VideoHistory]:
    """What the ledger says of each video that was ever asked for."""
    histories: dict[str, VideoHistory] = {}
    for row in sorted(_read_rows(workspace.folder / "ledger"), key=lambda row: row.when or _LONG_AGO):
        histories.setdefault(row.video_id, VideoHistory()).add(row)
    return histories


def _read_rows(folder: Path) -> Iterator[FetchResult]:
    for path in sorted(folder.glob("fetch-*.jsonl")) if folder.is_dir() else ():
        for _, line, value in iterate_jsonl(path):
            if isinstance(value, BadLine):
                continue  # torn by a kill; the row before it, or the folder, tells what is true
            try:
                yield FetchResult.model_validate_json(line)
            except ValidationError:
                continue  # written by a version that knew more; what it fetched is still in the folder
