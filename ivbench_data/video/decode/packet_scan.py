"""Read a video's packets: its frames, when they are shown, and which packets show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.stream import VideoStream

from ivbench_data.errors import UnreadableVideoError
from ivbench_data.video.bitstream import PacketColumns, PacketIndex, UnsafeStreamError, index_packets, open_reader
from ivbench_data.video.decode.clock import Clock, make_clock
from ivbench_data.video.decode.lost_fragments import find_gaps
from ivbench_data.video.decode.packet_log import PacketLog
from ivbench_data.video.decode.stream_times import read_stream_times
from ivbench_data.video.decode.strict_decode import decode_all
from ivbench_data.video.display import DisplayProperties, read_display
from ivbench_data.video.mp4_boxes import examine_structure
from ivbench_data.video.mp4_sample_tables import count_sample_descriptions
from ivbench_data.video.opening import (
    DEFAULT_LIMITS,
    DecodeLimits,
    check_count,
    check_duration,
    codec_name,
    demux,
    open_video,
    words_of,
)
from ivbench_data.video.rotation import Rotation

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray


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
    display: DisplayProperties
    """How a player shows its pictures."""
    clock: Clock
    """When each frame is shown, and what was mended to say so."""
    average_rate: Fraction | None
    """Frames a second, as the container says."""
    sequential_reason: str | None
    """Why decoding must begin at the first packet; None when packets can be picked."""
    size_bytes: int
    """Size of the file."""
    lost: str | None = None
    """Why fragments of the video are taken for lost; None when none are. Those that are there decode all the same."""
    oddities: tuple[str, ...] = ()
    """What is odd about the file, a sentence each that begins with a name and a colon; every frame decodes."""
    _stamps: tuple[int | None, ...] | NDArray[np.int64] = ()
    """Each frame's timestamp as the decoder gives it."""
    _packets: PacketIndex | None = field(default=None, repr=False)

    @property
    def frames(self) -> int:
        """How many frames a decode of the whole file shows."""
        return len(self.clock.pts)

    @property
    def pts(self) -> NDArray[np.int64]:
        """Timestamps of all frames shown, ascending in presentation order, in units of `time_base`."""
        return self.clock.pts

    @property
    def time_base(self) -> Fraction:
        """Seconds a timestamp unit."""
        return self.clock.time_base

    @property
    def pts_seconds(self) -> NDArray[np.float64]:
        """When each frame is shown, in seconds after the clock's zero; float64 `[frames]`."""
        return self.clock.pts_seconds

    @property
    def duration_seconds(self) -> float:
        """From the clock's zero to the last frame's end."""
        return self.clock.duration_seconds

    @property
    def is_timed(self) -> bool:
        """Whether the file gives timestamps; if not, `pts` follow from the frame rate."""
        return self.clock.is_timed

    def may_pass_over(self) -> list[str] | None:
        """For `decode_all`: what it may pass over, since that was checked; None when it may pass over nothing."""
        return [] if self._packets is None else None

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height as shown: after the container's crop, with square pixels, and rotated."""
        return self.display.displayed_size(self.width, self.height)

    @property
    def rotation(self) -> Rotation:
        """Rotation for display."""
        return self.display.rotation


def scan_video(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> VideoScan:
    """Scan the video's packets.

    The stream is the one that a player shows; covers of audio files are not videos.

    Raises:
        UnreadableVideoError: not a video, damaged, or empty.
        VideoLimitError: larger or longer than `limits` allow.
    """
    with open_video(path, limits) as (container, stream):
        structure = examine_structure(path)
        try:
            scan = _scan(path, container, stream, limits)
            return replace(scan, oddities=(*structure.oddities, *scan.oddities))
        except UnsafeStreamError as error:
            reason = str(error)
    scan = _scan_by_decoding(path, limits, reason)
    return replace(scan, oddities=(*structure.oddities, *scan.oddities))


def _scan(path: Path, container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> VideoScan:
    if container.format.name == "flv" or count_sample_descriptions(path) > 1:
        raise UnsafeStreamError("the container may change the decoder's set-up on the way")
    context = stream.codec_context
    held_back: int = getattr(context, "reorder_depth", int(context.has_b_frames))  # PyAV before 18 knows only 0 or some
    reader = open_reader(codec_name(stream), context.extradata or b"", held_back)
    columns = PacketColumns()
    first: VideoFrame | None = None
    times, last_duration = read_stream_times(path, container, stream), 0
    log = PacketLog(stream, times)
    for packet in demux(path, container, stream):
        log.see(packet)
        pts = packet.pts
        if pts is None:
            raise UnsafeStreamError("frames have no timestamps")
        traits = reader.read(memoryview(packet), packet.is_keyframe)
        columns.append(pts, packet.dts, traits, traits.is_shown and not packet.is_discard)
        last_duration = packet.duration or last_duration
        check_count(path, len(columns.pts), limits)
        if first is None:
            first = _try_first_frame(stream, packet)
    log.check(path)
    if not any(columns.is_shown):
        raise UnreadableVideoError(f"{path.name}: none of its packets shows a frame")
    packets = index_packets(columns)
    first = first or _try_first_frame(stream, None)
    if first is None:
        raise UnsafeStreamError("no frame is shown by the packets that should show it")
    in_order = packets.pts[packets.of_frame]
    clock = make_clock(log.time_frames(in_order.tolist()), times, last_duration)
    gaps = find_gaps(log, clock)
    check_duration(path, clock.duration_seconds, limits)
    display = read_display(path, container, stream, first)
    return VideoScan(
        path=path,
        codec=codec_name(stream),
        width=context.width,
        height=context.height,
        display=display,
        clock=clock,
        average_rate=stream.average_rate,
        sequential_reason=None,
        size_bytes=path.stat().st_size,
        lost=gaps.lost,
        oddities=(*log.describe_packets(), *clock.describe(), *display.describe(), *gaps.oddities),
        _stamps=in_order,
        _packets=packets,
    )


def _try_first_frame(stream: VideoStream, packet: av.Packet[VideoStream] | None) -> VideoFrame | None:
    """The first frame, if the decoder shows the first frame now; without a packet, it has seen all."""
    try:
        frames = stream.codec_context.decode(packet)
    except av.error.FFmpegError as error:
        raise UnsafeStreamError(f"the decoder stumbles at the first frames: {words_of(error)}") from error
    return frames[0] if frames else None


def _scan_by_decoding(path: Path, limits: DecodeLimits, reason: str) -> VideoScan:
    """Scan a file whose packets say too little: decode every frame once, to count and time it."""
    stamps: list[int | None] = []
    passed_over: list[str] = []
    with open_video(path, limits) as (container, stream):
        display = DisplayProperties()
        times = read_stream_times(path, container, stream)
        log = PacketLog(stream, times)
        packets = log.watch(demux(path, container, stream))
        for frame in decode_all(path, stream, packets, passed_over):
            if not stamps:
                display = read_display(path, container, stream, frame)
            stamps.append(frame.pts)
            check_count(path, len(stamps), limits)
        log.check(path)
        if not stamps:
            raise UnreadableVideoError(f"{path.name}: none of its frames can be decoded")
        if passed_over:
            _check_nothing_is_concealed(path, limits, passed_over[0])
        clock = make_clock(log.time_frames(stamps), times)
        gaps = find_gaps(log, clock)
        check_duration(path, clock.duration_seconds, limits)
        context = stream.codec_context
        return VideoScan(
            path=path,
            codec=codec_name(stream),
            width=context.width,
            height=context.height,
            display=display,
            clock=clock,
            average_rate=stream.average_rate,
            sequential_reason=reason,
            size_bytes=path.stat().st_size,
            lost=gaps.lost,
            oddities=(*log.describe_packets(len(passed_over)), *clock.describe(), *display.describe(), *gaps.oddities),
            _stamps=tuple(stamps),
        )


def read_first_display(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> DisplayProperties:
    """How a player shows the video, by its first frame alone.

    Raises: as `scan_video`.
    """
    with open_video(path, limits) as (container, stream):
        first = next(decode_all(path, stream, demux(path, container, stream), []), None)
        return read_display(path, container, stream, first)


def check_every_frame(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
    """Return when every frame of the video can be decoded, and is shown when its packet says.

    Raises:
        UnreadableVideoError: one cannot, or the packets are damaged.
        VideoLimitError: larger or longer than `limits` allow.
    """
    scan = scan_video(path, limits)
    shown = 0
    with open_video(path, limits) as (container, stream):
        for frame in decode_all(path, stream, demux(path, container, stream), scan.may_pass_over()):
            if frame.is_corrupt or shown >= scan.frames or frame.pts != scan._stamps[shown]:
                raise UnreadableVideoError(f"{path.name}: frame {shown} is damaged")
            shown += 1
    if shown < scan.frames:
        raise UnreadableVideoError(f"{path.name}: only {shown} of its {scan.frames} frames can be decoded")


_COMPARED_FRAMES = 300
"""Frames from the beginning that could still refer to something before it."""


def _check_nothing_is_concealed(path: Path, limits: DecodeLimits, words: str) -> None:
    """Return when what the decoder stumbles at in the beginning has no bearing on the frames shown.

    A decoder that may guess what is lost, one that may not, and one that stops at errors then show the same bytes.

    Raises:
        UnreadableVideoError: they do not.
    """
    with ExitStack() as stack:
        decoders: list[Iterator[VideoFrame]] = []
        for change in ({"err_detect": "explode"}, {"err_detect": "0"}, {"err_detect": "0", "ec": "0"}):
            container, stream = stack.enter_context(open_video(path, limits))
            stream.codec_context.options = {**stream.codec_context.options, **change}
            decoders.append(_decode_what_can_be(stream, demux(path, container, stream)))
        for frames in islice(zip_longest(*decoders), _COMPARED_FRAMES):
            if None in frames:
                raise UnreadableVideoError(f"{path.name}: it cannot be decoded: {words}")
            shown = [(frame.pts, [bytes(plane) for plane in frame.planes]) for frame in frames]
            # a decoder that may not guess calls frames of whole files corrupt, too: it is its bytes that count
            if shown[0] != shown[1] or shown[0] != shown[2] or frames[0].is_corrupt or frames[1].is_corrupt:
                raise UnreadableVideoError(f"{path.name}: it cannot be decoded: {words}")


def _decode_what_can_be(stream: VideoStream, packets: Iterator[av.Packet[VideoStream]]) -> Iterator[VideoFrame]:
    for packet in chain(packets, (None,)):
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.FFmpegError:
            continue


def find_indices_at(scan: VideoScan, times_seconds: Sequence[float]) -> list[int]:
    """Presentation index on screen at each time, in seconds after the clock's zero; clamped to the first and last."""
    wanted = np.asarray(times_seconds, dtype=np.float64)
    found = np.searchsorted(scan.pts_seconds, wanted + 1e-9, side="right") - 1
    return [int(index) for index in np.clip(found, 0, scan.frames - 1)]
