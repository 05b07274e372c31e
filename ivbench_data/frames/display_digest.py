"""Digest of what was done to a video's pictures and times before its frames were cached; a plain video has none.

A grid's name belongs to a folder, not to a file: the `display_digest` says whether a cached file is what we
would make of its video now. Plain videos, rotated ones among them, keep files without any.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import NonNegativeInt

from ivbench_data.errors import VideoError
from ivbench_data.ledger import LedgerWriter, read_ledger
from ivbench_data.schema import FrameGrid, NonEmpty, Record
from ivbench_data.workspace import Workspace

if TYPE_CHECKING:
    from ivbench_data.video.decode import Clock
    from ivbench_data.video.display import DisplayProperties


def depends_on_clock(grid: FrameGrid) -> bool:
    """Whether the grid's frames are chosen by their times."""
    return grid.fps is not None or grid.span is not None or grid.sampler == "core_frames"


def digest_display(display: DisplayProperties, clock: Clock | None = None, always: bool = False) -> str | None:
    """SHA-256 of the properties, and of the clock if given; None when both are plain, unless `always` is true."""
    facts = {
        "display": None if display.is_plain else display.to_json(),
        "clock": None if clock is None or clock.is_plain else clock.to_json(),
    }
    if not always and not any(facts.values()):
        return None
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def needs_digest(source: Path, grid: FrameGrid) -> bool:
    """Whether a file of the grid must have a digest; decodes one frame at most. False for what cannot be read."""
    from ivbench_data.video.decode import read_first_display, walk_packets

    try:
        if not read_first_display(source).is_plain:
            return True
        return depends_on_clock(grid) and not walk_packets(source).clock.is_plain
    except VideoError:
        return False  # the frames that were made of it once are better than none


class PlainVideo(Record):
    """A video file whose cached frames need no digest."""

    video_id: NonEmpty
    size_bytes: NonNegativeInt
    modified_ns: int
    by_clock: bool
    """Whether that holds for frames that are chosen by their times, too."""


class PlainVideos:
    """Videos that need no digest, kept in the ledger: a finished cache is found without opening its videos again."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known = set(read_ledger(workspace, "plain-videos", PlainVideo)[0])
        self._new: set[PlainVideo] = set()

    def needs_digest(self, video_id: str, source: Path, grid: FrameGrid) -> bool:
        """As the function of that name; asked of each file once."""
        state, by_clock = source.stat(), depends_on_clock(grid)
        here = {
            flag: PlainVideo(video_id=video_id, size_bytes=state.st_size, modified_ns=state.st_mtime_ns, by_clock=flag)
            for flag in (False, True)
        }
        if here[True] in self._known or here[by_clock] in self._known:
            return False
        if needs_digest(source, grid):
            return True
        self._known.add(here[by_clock])
        self._new.add(here[by_clock])
        return False

    def save(self) -> None:
        """Append what was found to the ledger.

        Raises:
            StorageError: it cannot be written.
        """
        writer = LedgerWriter(self._workspace, "plain-videos")
        for video in self._new:
            writer.append(video)
        self._new.clear()
