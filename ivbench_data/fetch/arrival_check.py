"""Check a downloaded file before it is moved into `videos/`: whole, long enough, and of the expected content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ivbench_data.errors import UnreadableVideoError, VideoLimitError
from ivbench_data.schema import Level

if TYPE_CHECKING:
    from ivbench_data.video.fingerprint import Fingerprint

SHARE_OF_LENGTH = 0.95
"""A file with a smaller share of the length that its source states is cut short. Sources count audio, which may be
seconds longer than the video."""

_SUFFIXES = {
    "mp4": (".mp4",),
    "avi": (".avi",),
    "mpegts": (".ts", ".m2ts", ".mts"),
    "mpeg": (".mpg", ".mpeg", ".vob"),
    "flv": (".flv",),
    "asf": (".wmv", ".asf"),
    "ogg": (".ogv", ".ogg"),
    "ivf": (".ivf",),
    "obu": (".obu",),
    "h26x": (".h264", ".264", ".h265", ".265", ".hevc"),
}
"""Suffixes of each container, the usual one first."""


class Arrival(NamedTuple):
    """What a file is worth, before anything of it is decoded."""

    fault: str | None
    """Its fault, in the words of the table in `statuses`; None when its packets are complete."""
    level: Level = "not examined"
    """As in `ivbench_data.video.levels`."""
    oddities: str | None = None
    """What is odd about it."""


def examine_arrival(path: Path, expected_seconds: float | None = None) -> Arrival:
    """What the file is worth; a few milliseconds. `expected_seconds` is the length that the source states."""
    from ivbench_data.video.levels import find_level_of_error, join_oddities
    from ivbench_data.video.verify import check_file_quick

    try:
        facts = check_file_quick(path)
    except VideoLimitError as error:
        return Arrival(f"over the limit of what is decoded: {error}")
    except UnreadableVideoError as error:
        return Arrival(f"not whole: {error}", find_level_of_error(error))
    seconds = facts.duration_seconds
    if expected_seconds is not None and seconds < expected_seconds * SHARE_OF_LENGTH:
        fault = f"not whole: it shows {seconds:.1f} s where the source says {expected_seconds:.1f} s"
        return Arrival(fault, "damaged")
    return Arrival(None, oddities=join_oddities(facts.oddities))


def find_fault(path: Path) -> str | None:
    """Fault of the file, in the words of the table in `statuses`; None when its packets are complete."""
    return examine_arrival(path).fault


def find_mismatch(path: Path, fingerprint: Fingerprint | None) -> str | None:
    """How the content differs from the fingerprint, in the words of the table in `statuses`; None when it does not."""
    from ivbench_data.video.content_match import compare_content

    if fingerprint is None:
        return None
    comparison = compare_content(path, fingerprint)
    return None if comparison.result == "same" else f"content mismatch: {comparison.result}: {comparison.reason}"


def choose_suffix(path: Path) -> str:
    """Suffix of the file's container, whatever the file is called: sites name MPEG-TS `.mp4`."""
    from ivbench_data.video.mp4_boxes import check_structure

    container = check_structure(path)
    if container == "matroska":
        with path.open("rb") as file:
            return ".webm" if b"webm" in file.read(64) else ".mkv"
    own = path.suffix.lower()
    known = _SUFFIXES.get(container, (own or ".mp4",))  # of a container that only the decoder knows, its own
    return own if own in known else known[0]
