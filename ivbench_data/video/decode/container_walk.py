"""Walk a video's packets without decoding: timestamps, keyframes, damage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ivbench_data.errors import UnreadableVideoError
from ivbench_data.video.decode.clock import Clock, make_clock
from ivbench_data.video.decode.lost_fragments import find_gaps
from ivbench_data.video.decode.packet_log import PacketLog
from ivbench_data.video.decode.stream_times import read_stream_times
from ivbench_data.video.display import read_display
from ivbench_data.video.opening import (
    DEFAULT_LIMITS,
    DecodeLimits,
    check_count,
    check_duration,
    codec_name,
    demux,
    open_video,
)


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
    lost: str | None
    """Why fragments of it are taken for lost; None when none are."""
    oddities: tuple[str, ...]
    """What is odd about the packets, a sentence each that begins with a name and a colon."""


def walk_packets(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> PacketWalk:
    """Walk the video's packets; nothing is decoded, no bitstream is read.

    Packets that an edit list discards are left out, and those before the first keyframe, which show nothing.

    Raises:
        UnreadableVideoError: not a video that can be opened, none in it, or some packets are damaged.
        VideoLimitError: larger or longer than `limits` allow.
    """
    last_duration = 0
    with open_video(path, limits) as (container, stream):
        times = read_stream_times(path, container, stream)
        log = PacketLog(stream, times)
        for packet in log.watch(demux(path, container, stream)):
            last_duration = packet.duration or last_duration
            check_count(path, len(log.pts), limits)
        log.check(path)
        stamps = log.time_frames()
        if not stamps:
            raise UnreadableVideoError(f"{path.name}: holds a video stream without a single frame")
        clock = make_clock(stamps, times, last_duration)
        check_duration(path, clock.duration_seconds, limits)
        gaps = find_gaps(log, clock)
        display = read_display(path, container, stream)
        return PacketWalk(
            codec=codec_name(stream),
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            clock=clock,
            lost=gaps.lost,
            oddities=(*log.describe_packets(), *clock.describe(), *display.describe(), *gaps.oddities),
        )
