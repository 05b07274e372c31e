"""Walk a video's packets without decoding: timestamps, keyframes, damage."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ivbench_data.video.opening import (
    DEFAULT_LIMITS,
    DecodeLimits,
    check_length,
    codec_name,
    demux,
    last_frame_duration,
    open_video,
    time_base_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENTROPY_CODED = frozenset({"h264", "hevc", "vp8", "vp9", "av1"})
"""Codecs whose packets hold no long zeros: H.264 and HEVC break up every third zero byte (emulation prevention), the
others' arithmetic coders spread them. MPEG-TS may pad with zeros between units."""
_ZEROS = bytes(256)


@dataclass(frozen=True)
class PacketWalk:
    """What the container says of a video's packets; takes milliseconds, whatever the codec."""

    codec: str
    """FFmpeg's name of the codec."""
    width: int
    """Pixels as coded, before rotation."""
    height: int
    """Pixels as coded, before rotation."""
    pts_seconds: NDArray[np.float64]
    """When each packet's frame is shown, ascending, in seconds after the first; float64 `[packets]`."""
    is_keyframe: NDArray[np.bool_]
    """Whether the container calls it a keyframe; bool `[packets]`, in the same order."""
    is_timed: bool
    """Whether the container gives timestamps; if not, `pts_seconds` follow from the order of the packets."""
    duration_seconds: float
    """From the first frame's beginning to the last frame's end."""
    corrupt_packets: int
    """Packets that the demuxer found cut off or damaged."""
    zeroed_packets: int
    """Packets that hold a run of zeros which entropy coding cannot make: bytes that were never written, or lost."""


def walk_packets(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> PacketWalk:
    """Walk the video's packets; nothing is decoded, no bitstream is read.

    Packets that an edit list discards are left out. It may be empty, and damaged packets are counted, not refused.

    Raises:
        UnreadableVideoError: not a video that can be opened, or none in it.
        VideoLimitError: larger or longer than `limits` allow.
    """
    pts: list[int] = []
    keyframes: list[bool] = []
    is_timed = True
    corrupt_packets = zeroed_packets = last_duration = 0
    with open_video(path, limits) as (container, stream):
        time_base = time_base_of(stream)
        has_no_zeros = codec_name(stream) in _ENTROPY_CODED and container.format.name != "mpegts"
        for packet in demux(path, container, stream):
            if packet.is_discard:
                continue
            corrupt_packets += packet.is_corrupt
            zeroed_packets += has_no_zeros and _holds_zeros(bytes(packet))
            is_timed &= packet.pts is not None
            pts.append(len(pts) if packet.pts is None else packet.pts)
            keyframes.append(packet.is_keyframe)
            last_duration = packet.duration or last_duration
            check_length(path, len(pts), pts[-1] - pts[0] if is_timed else 0, time_base, limits)
        if not is_timed:
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            pts, time_base, last_duration = list(range(len(pts))), 1 / Fraction(rate), 1
        times = np.array(pts, dtype=np.int64)
        order = np.argsort(times, kind="stable")
        elapsed = times[order] - (times.min() if pts else 0)
        lasting = last_frame_duration(stream, elapsed, last_duration) if pts else 0
        return PacketWalk(
            codec=codec_name(stream),
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            pts_seconds=np.asarray(elapsed * time_base.numerator / time_base.denominator, dtype=np.float64),
            is_keyframe=np.array(keyframes, dtype=np.bool_)[order],
            is_timed=is_timed,
            duration_seconds=float((int(elapsed[-1]) + lasting) * time_base) if pts else 0.0,
            corrupt_packets=corrupt_packets,
            zeroed_packets=zeroed_packets,
        )


def _holds_zeros(data: bytes) -> bool:
    return _ZEROS in data or not any(data)
