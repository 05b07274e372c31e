"""Read a video's packets: its frames, when they are shown, and which packets show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.stream import VideoStream

from ivbench_data.errors import UnreadableVideoError
from ivbench_data.video.bitstream import PacketColumns, PacketIndex, UnsafeStreamError, index_packets, open_reader
from ivbench_data.video.mp4_boxes import check_structure
from ivbench_data.video.mp4_sample_tables import count_sample_descriptions
from ivbench_data.video.opening import (
    DEFAULT_LIMITS,
    DecodeLimits,
    check_duration,
    check_length,
    codec_name,
    decode_all,
    demux,
    last_frame_duration,
    open_video,
    time_base_of,
    words_of,
)
from ivbench_data.video.rotation import NOT_ROTATED, Rotation, read_rotation

if TYPE_CHECKING:
    from av.container import InputContainer
    from numpy.typing import NDArray

_CHECKED_FORMATS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"})
"""Containers that state their length; FFmpeg shows what is left of a cut one without a warning."""


@dataclass(frozen=True)
class VideoScan:
    """A video's frames, read from its packets; decoded only where packets say too little (see `sequential_reason`)."""

    path: Path
    codec: str
    """FFmpeg's name of the codec."""
    width: int
    """Pixels as coded, before rotation."""
    height: int
    """Pixels as coded, before rotation."""
    rotation: Rotation
    """Rotation for display."""
    time_base: Fraction
    """Seconds a timestamp unit."""
    pts: NDArray[np.int64]
    """Timestamps of all frames shown, in presentation order, in units of `time_base`."""
    average_rate: Fraction | None
    """Frames a second, as the container says."""
    duration_seconds: float
    """From the first frame's beginning to the last frame's end."""
    is_timed: bool
    """Whether the file gives timestamps; if not, `pts` follow from the frame rate."""
    sequential_reason: str | None
    """Why decoding must begin at the first packet; None when packets can be picked."""
    size_bytes: int
    """Size of the file."""
    _packets: PacketIndex | None = field(default=None, repr=False)

    @property
    def frames(self) -> int:
        """How many frames a decode of the whole file shows."""
        return len(self.pts)

    @property
    def pts_seconds(self) -> NDArray[np.float64]:
        """When each frame is shown, in seconds after the first one; float64 `[frames]`."""
        elapsed = self.pts - self.pts[0]
        return np.asarray(elapsed * self.time_base.numerator / self.time_base.denominator, dtype=np.float64)

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height after rotation."""
        return self.rotation.swap_sides(self.width, self.height)


def scan_video(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> VideoScan:
    """Scan the video's packets.

    The stream is the one that FFmpeg finds best; covers of audio files are not videos.

    Raises:
        UnreadableVideoError: not a video, damaged, or empty.
        VideoLimitError: larger or longer than `limits` allow.
    """
    with open_video(path, limits) as (container, stream):
        if container.format.name in _CHECKED_FORMATS:
            check_structure(path)
        try:
            return _scan(path, container, stream, limits)
        except UnsafeStreamError as error:
            reason = str(error)
    return _scan_by_decoding(path, limits, reason)


def _scan(path: Path, container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> VideoScan:
    if container.format.name == "flv" or count_sample_descriptions(path) > 1:
        raise UnsafeStreamError("the container may change the decoder's set-up on the way")
    context = stream.codec_context
    held_back: int = getattr(context, "reorder_depth", int(context.has_b_frames))  # PyAV before 18 knows only 0 or some
    reader = open_reader(codec_name(stream), context.extradata or b"", held_back)
    columns = PacketColumns()
    rotation: Rotation | None = None
    time_base, last_duration = time_base_of(stream), 0
    for packet in demux(path, container, stream):
        if packet.is_corrupt:
            raise UnreadableVideoError(f"{path.name}: packet {len(columns.pts)} is cut off or damaged")
        pts = packet.pts
        if pts is None:
            raise UnsafeStreamError("frames have no timestamps")
        traits = reader.read(memoryview(packet), packet.is_keyframe)
        columns.append(pts, packet.dts, traits, traits.is_shown and not packet.is_discard)
        last_duration = packet.duration or last_duration
        check_length(path, len(columns.pts), pts - columns.pts[0], time_base, limits)
        if rotation is None:
            rotation = _try_rotation(stream, packet)
    if not any(columns.is_shown):
        raise UnreadableVideoError(f"{path.name}: none of its packets shows a frame")
    packets = index_packets(columns)
    rotation = rotation or _try_rotation(stream, None)
    if rotation is None:
        raise UnsafeStreamError("no frame is shown by the packets that should show it")
    in_order = packets.pts[packets.of_frame]
    end = int(in_order[-1]) + last_frame_duration(stream, in_order, last_duration)
    return VideoScan(
        path=path,
        codec=codec_name(stream),
        width=context.width,
        height=context.height,
        rotation=rotation,
        time_base=time_base,
        pts=in_order,
        average_rate=stream.average_rate,
        duration_seconds=check_duration(path, (end - int(in_order[0])) * time_base, limits),
        is_timed=True,
        sequential_reason=None,
        size_bytes=path.stat().st_size,
        _packets=packets,
    )


def _try_rotation(stream: VideoStream, packet: av.Packet[VideoStream] | None) -> Rotation | None:
    """The rotation, if the decoder shows the first frame now; without a packet, it has seen all."""
    try:
        frames = stream.codec_context.decode(packet)
    except av.error.FFmpegError as error:
        raise UnsafeStreamError(f"the decoder stumbles at the first frames: {words_of(error)}") from error
    return read_rotation(frames[0]) if frames else None


def _scan_by_decoding(path: Path, limits: DecodeLimits, reason: str) -> VideoScan:
    """Scan a file whose packets say too little: decode every frame once, to count and time it."""
    pts: list[int | None] = []
    with open_video(path, limits) as (container, stream):
        rotation = NOT_ROTATED
        for frame in decode_all(path, stream, demux(path, container, stream)):
            if not pts:
                rotation = read_rotation(frame)
            pts.append(frame.pts)
            check_length(path, len(pts), (frame.pts or 0) - (pts[0] or 0), time_base_of(stream), limits)
        if not pts:
            raise UnreadableVideoError(f"{path.name}: none of its frames can be decoded")
        known = [value for value in pts if value is not None]
        is_timed = len(known) == len(pts) and all(a < b for a, b in pairwise(known))
        if is_timed:
            times, time_base = np.array(known, dtype=np.int64), time_base_of(stream)
        else:
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            times, time_base = np.arange(len(pts), dtype=np.int64), 1 / Fraction(rate)
        end = int(times[-1]) + (last_frame_duration(stream, times, 0) if is_timed else 1)
        context = stream.codec_context
        return VideoScan(
            path=path,
            codec=codec_name(stream),
            width=context.width,
            height=context.height,
            rotation=rotation,
            time_base=time_base,
            pts=times,
            average_rate=stream.average_rate,
            duration_seconds=check_duration(path, (end - int(times[0])) * time_base, limits),
            is_timed=is_timed,
            sequential_reason=reason,
            size_bytes=path.stat().st_size,
        )


def find_indices_at(scan: VideoScan, times_seconds: Sequence[float]) -> list[int]:
    """Presentation index on screen at each time, in seconds after the first frame; clamped to the first and last."""
    wanted = np.asarray(times_seconds, dtype=np.float64)
    found = np.searchsorted(scan.pts_seconds, wanted + 1e-9, side="right") - 1
    return [int(index) for index in np.clip(found, 0, scan.frames - 1)]
