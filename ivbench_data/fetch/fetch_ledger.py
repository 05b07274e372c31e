"""History of each video in the ledger: a row of kind `fetch` is one attempt at one video at one source."""

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
    """Attempts at one video, from the ledger."""

    last_by_source: dict[str, FetchResult] = field(default_factory=dict)
    """The last row of each source that was asked, in the order of their times."""
    unavailable_since: dict[str, datetime] = field(default_factory=dict)
    """When each source first reported a bare "Video unavailable", unless it has reported something else since."""
    source_metadata: dict[str, JsonValue] = field(default_factory=dict)
    """Latest metadata of the video by its source."""

    def add(self, row: FetchResult) -> None:
        """Add one more row, later than those before."""
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
        """The row that decides the status: the newest if `ok`, else one that a re-run could mend, else the newest."""
        if not self.last_by_source:
            return None
        rows = list(self.last_by_source.values())
        return rows[-1] if rows[-1].status == "ok" else choose_decisive(rows)

    def is_lost(self, source: str) -> bool:
        """Whether that source's last row is a failure that no re-run mends."""
        row = self.last_by_source.get(source)
        return row is not None and row.status != "ok" and is_final(row)

    def seen_unavailable_for(self, source: str, now: datetime) -> timedelta | None:
        """How long the source has reported a bare "Video unavailable"; None when it did not before."""
        since = self.unavailable_since.get(source)
        return now - since if since else None


def choose_decisive(rows: list[FetchResult]) -> FetchResult:
    """Of the failures of several sources, the one to report: the first that a re-run could mend, else the last."""
    return next((row for row in rows if row.status != "ok" and row.status not in LOST), rows[-1])


def is_final(row: FetchResult) -> bool:
    """Whether only `--retry all` tries this row's video again."""
    return row.status in LOST or explain_message(row.message or "").again == "when asked"


def read_histories(workspace: Workspace) -> dict[str, VideoHistory]:
    """History of each video that was ever asked for."""
    histories: dict[str, VideoHistory] = {}
    for row in sorted(read_ledger(workspace, LEDGER_KIND, FetchResult)[0], key=lambda row: row.when or _LONG_AGO):
        histories.setdefault(row.video_id, VideoHistory()).add(row)
    return histories
