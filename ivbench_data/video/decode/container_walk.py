"""Walk a video's packets without decoding: timestamps, keyframes, damage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ivbench_data.errors import UnreadableVideoError
from ivbench_data.video.decode.clock import Clock, make_clock, order_packets
from ivbench_data.video.decode.packet_faults import PacketFaults
from ivbench_data.video.decode.stream_times import read_stream_times
from ivbench_data.video.opening import (
    DEFAULT_LIMITS,
    DecodeLimits,
    check_count,
    check_duration,
    codec_name,
    demux,
    open_video,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_REORDERED = 32
"""Packets behind a keyframe among which some may be shown before it: twice the most that H.264 and HEVC allow."""


@dataclass(frozen=True)
class PacketWalk:
    """What the container says of a video's packets; takes milliseconds, whatever the codec."""

    codec: str
    """FFmpeg's name of the codec."""
    width: int
    """Pixels as coded, before rotation."""
    height: int
    """Pixels as coded, before rotation."""
    clock: Clock
    """When each packet's frame is shown."""
    is_keyframe: NDArray[np.bool_]
    """Whether the container calls it a keyframe; bool `[packets]`, in the clock's order."""


def walk_packets(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> PacketWalk:
    """Walk the video's packets; nothing is decoded, no bitstream is read.

    Packets that an edit list discards are left out, and those before the first keyframe, which show nothing.

    Raises:
        UnreadableVideoError: not a video that can be opened, none in it, or some packets are damaged.
        VideoLimitError: larger or longer than `limits` allow.
    """
    pts: list[int | None] = []
    dts: list[int | None] = []
    keyframes: list[bool] = []
    last_duration, first_is_keyframe = 0, None
    with open_video(path, limits) as (container, stream):
        times = read_stream_times(path, container, stream)
        faults = PacketFaults(stream, times)
        for packet in faults.watch(demux(path, container, stream)):
            first_is_keyframe = packet.is_keyframe if first_is_keyframe is None else first_is_keyframe
            if packet.is_discard:
                continue
            pts.append(packet.pts)
            dts.append(packet.dts)
            keyframes.append(packet.is_keyframe)
            last_duration = packet.duration or last_duration
            check_count(path, len(pts), limits)
        faults.check(path)
        if not pts:
            raise UnreadableVideoError(f"{path.name}: holds a video stream without a single frame")
        order = order_packets(pts, dts, times)
        if not first_is_keyframe and True in keyframes:
            order = [at for at in order if not _comes_too_early(at, pts, keyframes.index(True))]
        clock = make_clock([pts[at] for at in order], times, last_duration)
        check_duration(path, clock.duration_seconds, limits)
        return PacketWalk(
            codec=codec_name(stream),
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            clock=clock,
            is_keyframe=np.array(keyframes, dtype=np.bool_)[order],
        )


def _comes_too_early(at: int, pts: list[int | None], first: int) -> bool:
    """Whether the packet stands, or is shown, before the first keyframe, of a recording that begins in the middle."""
    stamp, start = pts[at], pts[first]
    return at < first or (stamp is not None and start is not None and at < first + MAX_REORDERED and stamp < start)
