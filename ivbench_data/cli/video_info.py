"""What `ivbench-data info --video` shows: one file, as a player would show it and as we read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from ivbench_data.workspace import Workspace


def find_file(named: str, workspace: Workspace) -> Path:
    """The file of that path, or of the dataset's video of that id.

    Raises:
        UsageError: there is neither.
    """
    if Path(named).is_file():
        return Path(named)
    found = None if "/" in named else workspace.find_video(named)
    if found is None:
        raise UsageError(f"{named!r} is neither a file nor a video in {workspace.videos}")
    return found


def describe_video(path: Path) -> dict[str, Any]:
    """Size, times, streams, display properties and oddities of a video file, in the order in which they are shown.

    Raises:
        VideoError: it cannot be read; the message says what it is instead.
    """
    from ivbench_data.video.decode import scan_video
    from ivbench_data.video.levels import find_level

    scan = scan_video(path)
    display, clock = scan.display, scan.clock
    width, height = scan.displayed_size
    crop = {name: pixels for name, pixels in display.crop._asdict().items() if pixels}
    return {
        "path": str(path),
        "level": "damaged" if scan.lost else find_level(scan.oddities),
        "oddities": [*([scan.lost] if scan.lost else ()), *scan.oddities],
        "codec": scan.codec,
        "coded_size": f"{scan.width}x{scan.height}",
        "displayed_size": f"{width}x{height}",
        "sample_aspect_ratio": f"{display.sample_aspect_ratio.numerator}:{display.sample_aspect_ratio.denominator}",
        "crop": crop,
        "rotation_degrees": display.rotation.degrees,
        "is_mirrored": display.rotation.is_mirrored,
        "matrix": display.matrix,
        "primaries": display.primaries,
        "transfer": display.transfer,
        "range": display.colour_range,
        "field_order": display.field_order,
        "has_alpha": display.has_alpha,
        "stream": display.stream,
        "other_streams": list(display.rivals),
        "frames": scan.frames,
        "duration_seconds": round(scan.duration_seconds, 6),
        "frames_per_second": None if scan.average_rate is None else round(float(scan.average_rate), 6),
        "times_count_from": clock.zero,
        "first_frame_seconds": round(clock.offset_seconds, 6),
        "mended_timestamps": dict(clock.repairs),
        "is_clock_invented": clock.invented,
        "decoding_must_begin_at_first_packet": scan.sequential_reason,
    }


def write_value(value: object) -> str:
    """A value of `describe_video` as a cell of a table."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)
