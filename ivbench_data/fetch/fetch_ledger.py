"""What the ledger says of each video: every row of kind `fetch` is one source that was asked for one video."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from ivbench_data.fetch.statuses import LOST, explain_message, is_bare_unavailable
from ivbench_data.ledger import read_ledger
from ivbench_data.schema import FetchResult
from ivbench_data.workspace import Workspace

LEDGER_KIND = "fetch"

UNAVAILABLE_APART = timedelta(hours=24)
"""How long a bare "Video unavailable" must stand before the video counts as removed: some come back within hours."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


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
        return rows[-1] if rows[-1].status == "ok" else choose_decisive(rows)

    def is_lost(self, source: str) -> bool:
        """Whether that source was asked before, and said what no re-run mends."""
        row = self.last_by_source.get(source)
        return row is not None and row.status != "ok" and is_final(row)

    def seen_unavailable_for(self, source: str, now: datetime) -> timedelta | None:
        """How long the source has been saying a bare "Video unavailable"; None when it was not seen before."""
        since = self.unavailable_since.get(source)
        return now - since if since else None


def choose_decisive(rows: list[FetchResult]) -> FetchResult:
    """Of the failures of several sources, the one to report: the first that a re-run could mend, else the last."""
    return next((row for row in rows if row.status != "ok" and row.status not in LOST), rows[-1])


def is_final(row: FetchResult) -> bool:
    """Whether the row says what only `--retry all` tries again."""
    return row.status in LOST or explain_message(row.message or "").again == "when asked"


def read_histories(workspace: Workspace) -> dict[str, VideoHistory]:
    """What the ledger says of each video that was ever asked for."""
    histories: dict[str, VideoHistory] = {}
    for row in sorted(read_ledger(workspace, LEDGER_KIND, FetchResult)[0], key=lambda row: row.when or _LONG_AGO):
        histories.setdefault(row.video_id, VideoHistory()).add(row)
    return histories
