"""The look at a file before it is let into `videos/`: the one place that decides what counts as whole, and as right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ivbench_data.errors import UnreadableVideoError, VideoLimitError

if TYPE_CHECKING:
    from ivbench_data.video.fingerprint import Fingerprint

SHARE_OF_LENGTH = 0.95
"""A file that shows less of the length that its source tells is cut short. Sources count the sound, which may outlast
the picture by seconds, and that alone must not lose a video."""

_SUFFIXES = {"mp4": ".mp4", "avi": ".avi", "mpegts": ".ts"}


def find_fault(path: Path, expected_seconds: float | None = None) -> str | None:
    """What is wrong with the file, in the words of the table of messages; None when it is whole, as packets tell.

    Decodes nothing: a few milliseconds. `expected_seconds` is the length that the source names.
    """
    from ivbench_data.video.verify import check_file_quick

    try:
        facts = check_file_quick(path)
    except VideoLimitError as error:
        return f"over the limit of what is decoded: {error}"
    except UnreadableVideoError as error:
        return f"not whole: {error}"
    if expected_seconds is not None and facts.duration_seconds < expected_seconds * SHARE_OF_LENGTH:
        return f"not whole: it shows {facts.duration_seconds:.1f} s where the source says {expected_seconds:.1f} s"
    return None


def find_mismatch(path: Path, fingerprint: Fingerprint | None) -> str | None:
    """How the file's content differs from its fingerprint's, in the words of the table; None when it does not."""
    from ivbench_data.video.content_match import compare_content

    if fingerprint is None:
        return None
    comparison = compare_content(path, fingerprint)
    return None if comparison.result == "same" else f"content mismatch: {comparison.result}: {comparison.reason}"


def choose_suffix(path: Path) -> str:
    """The ending that fits what the file holds, whatever it is called: sites name MPEG-TS `.mp4`, mirrors anything."""
    from ivbench_data.video.mp4_boxes import check_structure

    container = check_structure(path)
    if container == "matroska":
        with path.open("rb") as file:
            return ".webm" if b"webm" in file.read(64) else ".mkv"
    return _SUFFIXES[container]
