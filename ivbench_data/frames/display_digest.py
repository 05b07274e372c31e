"""Digest of what was done to a video's pictures and times before its frames were cached; a plain video has none.

A grid's name belongs to a folder, not to a file: the `display_digest` says whether a cached file is what we
would make of its video now. Plain videos, rotated ones among them, keep files without any.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ivbench_data.errors import VideoError
from ivbench_data.schema import FrameGrid

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
