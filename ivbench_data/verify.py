"""Whether video files are whole, at three depths; each depth makes the checks of those before it.

| depth   | looks at                                                                   | finds                        |
|---------|----------------------------------------------------------------------------|------------------------------|
| quick   | the boxes, every packet; decodes nothing                                   | cut, empty, web pages,       |
|         |                                                                            | no video, missing fragments  |
| default | 16 frames, decoded, and the content's fingerprint where there is one       | holes and zeros of some size |
| deep    | every frame, by an ffmpeg that stops at the first error; then the digest   | flipped bits, small holes    |

H.264 and VP9 carry no checksums: a flipped bit that still decodes is a valid, other picture. So a file that once
passed the deep check is known by its digest from then on, and that finds every change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ivbench_data.boxes import Container, check_structure
from ivbench_data.decode import DEFAULT_LIMITS, DecodeLimits, PacketWalk, walk_packets
from ivbench_data.errors import UnreadableVideoError

MIN_GAP_SECONDS: Final = 1.0
"""A shorter gap between timestamps is a dropped frame; DASH and HLS fragments are longer than this."""
MIN_GAP_INTERVALS: Final = 8
"""A gap is also longer than this many of the intervals that 95% of the frames keep (variable frame rate)."""
MAX_LEADING_FRAMES: Final = 16
"""A lost fragment's successor begins with a keyframe, before which an open GOP shows a few leading pictures."""
DURATION_TOLERANCE_SECONDS: Final = 2.0
"""Sources round their durations to seconds, and count the audio, which may be longer than the video."""


@dataclass(frozen=True)
class FileFacts:
    """What the quick check saw of a file that passed it."""

    container: Container
    codec: str
    width: int
    """Pixels as coded, before rotation."""
    height: int
    """Pixels as coded, before rotation."""
    frames: int
    """Frames that a full decode shows."""
    duration_seconds: float
    """From the first frame's start to the last one's end."""
    size_bytes: int


def check_file_quick(
    path: Path, expected_seconds: float | None = None, limits: DecodeLimits = DEFAULT_LIMITS
) -> FileFacts:
    """What the file holds, when nothing is wrong with its size, boxes, packets, their timestamps, and its duration.

    Decodes nothing: a few milliseconds. Made to be called on a download before it is renamed into place.

    Args:
        path: the file; its name's ending does not matter.
        expected_seconds: the duration that the source names, when known. A file may be longer, not shorter.
        limits: how large and long a video may be.

    Raises:
        UnreadableVideoError: something is wrong with it; the message says what, and where in the file or video.
        VideoLimitError: it is larger or longer than the limits allow.
    """
    container = check_structure(path)
    walk = walk_packets(path, limits)
    for reason in (_find_bad_packets(walk), _find_gap(walk), _find_shortfall(walk, expected_seconds)):
        if reason is not None:
            raise UnreadableVideoError(f"{path.name}: {reason}")
    return FileFacts(
        container=container,
        codec=walk.codec,
        width=walk.width,
        height=walk.height,
        frames=len(walk.pts_seconds),
        duration_seconds=walk.duration_seconds,
        size_bytes=path.stat().st_size,
    )


def _find_bad_packets(walk: PacketWalk) -> str | None:
    if len(walk.pts_seconds) == 0:
        return "holds a video stream without a single frame"
    if walk.corrupt_packets:
        return f"{walk.corrupt_packets} of {len(walk.pts_seconds)} packets are damaged or cut"
    return None


def _find_gap(walk: PacketWalk) -> str | None:
    """The gaps that lost fragments leave: far longer than the frames' own intervals, and a keyframe comes after.

    Both are needed, for a variable frame rate has long intervals too.
    """
    times = walk.pts_seconds
    intervals = np.diff(times)
    if not len(intervals) or not walk.is_timed:
        return None
    usual = float(np.quantile(intervals, 0.95, method="lower"))
    suspects = np.flatnonzero(intervals > max(MIN_GAP_SECONDS, MIN_GAP_INTERVALS * usual))
    gaps = [at for at in suspects if walk.is_keyframe[at + 1 : at + 1 + MAX_LEADING_FRAMES].any()]
    if not gaps:
        return None
    told = ", ".join(f"{intervals[at]:.1f} s at {times[at]:.1f} s" for at in gaps[:3])
    more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    return f"fragments are missing: gaps of {told}{more}, where frames are {usual:.2g} s apart"


def _find_shortfall(walk: PacketWalk, expected_seconds: float | None) -> str | None:
    if expected_seconds is None or walk.duration_seconds >= expected_seconds - DURATION_TOLERANCE_SECONDS:
        return None
    return f"shows {walk.duration_seconds:.1f} s where the source says {expected_seconds:.1f} s"
