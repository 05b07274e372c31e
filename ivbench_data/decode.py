"""The only place that opens a video to read it: exact frames, as few packets as possible, many sizes in one pass.

The frame at presentation index *i* is the *i*-th frame that a sequential decode of the whole file shows, always. To
get it, the packets are first walked without decoding (`scan_video`): timestamps, places where decoding may start, and
packets that no other frame needs. Then only the groups of pictures that hold wanted frames are decoded, each up to
its last wanted frame, without the packets that nothing wanted needs (the `selective` path). Where the packets do not
tell enough, or the decoder does not show what they promised, the file is decoded from its first packet on (the
`sequential` path). What a packet tells is read in `bitstream`; pixels are made in `convert`.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.stream import Disposition
from av.video.stream import VideoStream
from pydantic import PositiveFloat, PositiveInt

from ivbench_data.bitstream import PacketColumns, PacketIndex, UnsafeStreamError, index_packets, open_reader
from ivbench_data.convert import FrameConverter, describe_colours, read_orientation
from ivbench_data.errors import UnreadableVideoError, VideoLimitError
from ivbench_data.schema import Record, Resize

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray


class DecodeLimits(Record):
    """How large and how long a video may be; hostile and mistaken files go beyond."""

    max_pixels: PositiveInt = 36_000_000
    """Pixels of one frame; 8K UHD has 33 million."""
    max_duration_seconds: PositiveFloat = 12 * 3600
    """Length."""
    max_packets: PositiveInt = 5_000_000
    """Packets: 12 hours at 115 frames a second."""


DEFAULT_LIMITS = DecodeLimits()

_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,h264,hevc,ogg,asf,ivf,obu"
"""Containers that hold their own bytes. A playlist (hls, dash, concat) would open other files and addresses."""


@dataclass(frozen=True)
class VideoScan:
    """What a video's packets tell; frames are decoded only where they tell too little (see `sequential_reason`)."""

    path: Path
    codec: str
    """FFmpeg's name of the codec."""
    width: int
    """Pixels as coded, before rotation."""
    height: int
    """Pixels as coded, before rotation."""
    rotation: int
    """Degrees to turn frames counter-clockwise for display: 0, 90, 180 or 270."""
    is_mirrored: bool
    """Whether frames are to be mirrored left to right, before they are turned."""
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
    """Why frames can only be had by decoding from the first packet on; None when packets can be picked."""
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
        return (self.height, self.width) if self.rotation % 180 else (self.width, self.height)


@dataclass(frozen=True)
class FrameRequest:
    """Some frames of a video, at one size."""

    indices: tuple[int, ...]
    """Presentation indices; may repeat."""
    width: int
    """Pixels, after rotation."""
    height: int
    """Pixels, after rotation."""
    resize: Resize = "bicubic"
    """swscale's filter."""

    @property
    def size(self) -> tuple[int, int, Resize]:
        """All that decides on a frame's pixels."""
        return self.width, self.height, self.resize


@dataclass
class ExtractionReport:
    """How frames were had; filled while they come."""

    decode_path: str = "selective"
    """`selective`, or `sequential` with the reason after a colon."""
    packets_fed: int = 0
    """Packets that were given to the decoder."""
    rotation: int = 0
    """Degrees that frames were turned counter-clockwise."""
    is_mirrored: bool = False
    """Whether frames were mirrored left to right, before they were turned."""
    colour_matrix: str = ""
    """Matrix that was used: `bt709`, `bt601`, …"""
    colour_range: str = ""
    """Range that was used: `limited` or `full`."""


class _SelectiveError(Exception):
    """The selective path did not show what the packets promised."""


def describe_decoder() -> dict[str, str]:
    """Versions that the frames' bytes may depend on."""
    versions = av.library_versions
    named = {name: ".".join(map(str, versions[name])) for name in ("libavcodec", "libavformat", "libswscale")}
    return {"pyav": av.__version__, "ffmpeg": av.ffmpeg_version_info, **named}


# --- scanning ---------------------------------------------------------------------------------------------------


def scan_video(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> VideoScan:
    """What the video's packets tell.

    The stream is the one that FFmpeg finds best; covers of audio files are not videos.

    Raises:
        UnreadableVideoError: not a video, damaged, or empty.
        VideoLimitError: larger or longer than `limits` allow.
    """
    with _open(path, limits) as (container, stream):
        try:
            return _scan(path, container, stream, limits)
        except UnsafeStreamError as error:
            reason = str(error)
    return _scan_by_decoding(path, limits, reason)


def _scan(path: Path, container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> VideoScan:
    context = stream.codec_context
    held_back: int = getattr(context, "reorder_depth", int(context.has_b_frames))  # PyAV before 18 tells 0 or some
    reader = open_reader(_codec_name(stream), context.extradata or b"", held_back)
    columns = PacketColumns()
    orientation: tuple[int, bool] | None = None
    time_base, last_duration = _time_base(stream), 0
    for packet in _demux(path, container, stream):
        if packet.is_corrupt:
            raise UnreadableVideoError(f"{path.name}: packet {len(columns.pts)} is cut off or damaged")
        pts = packet.pts
        if pts is None:
            raise UnsafeStreamError("frames have no timestamps")
        traits = reader.read(memoryview(packet), packet.is_keyframe)
        columns.append(pts, packet.dts, traits, traits.is_shown and not packet.is_discard)
        last_duration = packet.duration or last_duration
        _check_length(path, len(columns.pts), pts - columns.pts[0], time_base, limits)
        if orientation is None:
            orientation = _try_orientation(stream, packet)
    if not any(columns.is_shown):
        raise UnreadableVideoError(f"{path.name}: no packet of it shows a frame")
    packets = index_packets(columns)
    orientation = orientation or _try_orientation(stream, None)
    if orientation is None:
        raise UnsafeStreamError("no frame is shown by the packets that should show it")
    in_order = packets.pts[packets.of_frame]
    end = int(in_order[-1]) + _frame_duration(stream, in_order, last_duration)
    return VideoScan(
        path=path,
        codec=_codec_name(stream),
        width=context.width,
        height=context.height,
        rotation=orientation[0],
        is_mirrored=orientation[1],
        time_base=time_base,
        pts=in_order,
        average_rate=stream.average_rate,
        duration_seconds=_check_duration(path, (end - int(in_order[0])) * time_base, limits),
        is_timed=True,
        sequential_reason=None,
        size_bytes=path.stat().st_size,
        _packets=packets,
    )


def _try_orientation(stream: VideoStream, packet: av.Packet[VideoStream] | None) -> tuple[int, bool] | None:
    """How the frames are to be turned, if the decoder shows the first one now; without a packet, it has seen all."""
    try:
        frames = stream.codec_context.decode(packet)
    except av.error.FFmpegError as error:
        raise UnsafeStreamError(f"the decoder stumbles at the first frames: {_words(error)}") from error
    return read_orientation(frames[0]) if frames else None


def _scan_by_decoding(path: Path, limits: DecodeLimits, reason: str) -> VideoScan:
    """The scan of a file whose packets tell too little: every frame is decoded once, to be counted and timed."""
    pts: list[int | None] = []
    with _open(path, limits) as (container, stream):
        rotation, is_mirrored = 0, False
        for frame in _decode_all(path, container, stream):
            if not pts:
                rotation, is_mirrored = read_orientation(frame)
            pts.append(frame.pts)
            _check_length(path, len(pts), (frame.pts or 0) - (pts[0] or 0), _time_base(stream), limits)
        if not pts:
            raise UnreadableVideoError(f"{path.name}: no frame of it can be decoded")
        known = [value for value in pts if value is not None]
        is_timed = len(known) == len(pts) and all(a < b for a, b in pairwise(known))
        if is_timed:
            times, time_base = np.array(known, dtype=np.int64), _time_base(stream)
        else:
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            times, time_base = np.arange(len(pts), dtype=np.int64), 1 / Fraction(rate)
        end = int(times[-1]) + (_frame_duration(stream, times, 0) if is_timed else 1)
        context = stream.codec_context
        return VideoScan(
            path=path,
            codec=_codec_name(stream),
            width=context.width,
            height=context.height,
            rotation=rotation,
            is_mirrored=is_mirrored,
            time_base=time_base,
            pts=times,
            average_rate=stream.average_rate,
            duration_seconds=_check_duration(path, (end - int(times[0])) * time_base, limits),
            is_timed=is_timed,
            sequential_reason=reason,
            size_bytes=path.stat().st_size,
        )


def find_indices_at(scan: VideoScan, times_seconds: Sequence[float]) -> list[int]:
    """The presentation index on screen at each time, counted from the first frame; clamped to the frames there are."""
    wanted = np.asarray(times_seconds, dtype=np.float64)
    found = np.searchsorted(scan.pts_seconds, wanted + 1e-9, side="right") - 1
    return [int(index) for index in np.clip(found, 0, scan.frames - 1)]


# --- extracting -------------------------------------------------------------------------------------------------


def iterate_frames(
    scan: VideoScan,
    requests: Sequence[FrameRequest],
    report: ExtractionReport | None = None,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The frames of all requests, from one pass over the file: request number, position in its `indices`, frame.

    A frame is uint8 `[3, H, W]` RGB. Should the selective path fail half-way, all frames come once more, from the
    sequential one.

    Raises:
        UnreadableVideoError: the file does not hold the frames that it promised.
        IndexError: an index is out of range.
    """
    report = ExtractionReport() if report is None else report
    wanted = _plan(scan, requests)
    if scan.sequential_reason is None:
        try:
            yield from _convert(
                scan, requests, wanted, _decode_selectively(scan, sorted(wanted), report, limits), report
            )
            return
        except _SelectiveError as error:
            reason = str(error)
    else:
        reason = scan.sequential_reason
    report.decode_path, report.packets_fed = f"sequential: {reason}", 0
    yield from _convert(scan, requests, wanted, _decode_sequentially(scan, max(wanted), report, limits), report)


def extract_frames(
    scan: VideoScan, requests: Sequence[FrameRequest], limits: DecodeLimits = DEFAULT_LIMITS
) -> tuple[list[NDArray[np.uint8]], ExtractionReport]:
    """The frames of all requests in memory: for each one uint8 `[T, 3, H, W]` RGB; and how they were had.

    Raises: as `iterate_frames`.
    """
    report = ExtractionReport()
    arrays = [np.empty((len(r.indices), 3, r.height, r.width), np.uint8) for r in requests]
    for number, position, frame in iterate_frames(scan, requests, report, limits):
        arrays[number][position] = frame
    return arrays, report


def _plan(scan: VideoScan, requests: Sequence[FrameRequest]) -> dict[int, list[tuple[int, int]]]:
    """For each wanted index, the requests and positions that want it."""
    wanted: dict[int, list[tuple[int, int]]] = {}
    for number, request in enumerate(requests):
        for position, index in enumerate(request.indices):
            if not 0 <= index < scan.frames:
                raise IndexError(f"{scan.path.name} has no frame {index}; it shows {scan.frames}")
            wanted.setdefault(index, []).append((number, position))
    return wanted


def _decode_selectively(
    scan: VideoScan, indices: Sequence[int], report: ExtractionReport, limits: DecodeLimits
) -> Iterator[tuple[int, VideoFrame]]:
    packets = scan._packets
    assert packets is not None
    index_of_pts = {int(scan.pts[index]): index for index in indices}
    with _open(scan.path, limits) as (container, stream):
        reader = _PacketReader(container, stream, packets)
        for start, holders in packets.group(indices):
            missing = len(holders)
            for frame in _decode_group(reader, stream, packets, start, holders, report):
                if frame.is_corrupt:
                    raise UnreadableVideoError(f"{scan.path.name}: a frame at {frame.time} s is damaged")
                index = None if frame.pts is None else index_of_pts.get(frame.pts)
                if index is not None:
                    missing -= 1
                    yield index, frame
            if missing:
                raise _SelectiveError(f"the decoder did not show {missing} of the frames its packets promised")


def _decode_group(
    reader: _PacketReader,
    stream: VideoStream,
    packets: PacketIndex,
    start: int,
    holders: Sequence[int],
    report: ExtractionReport,
) -> Iterator[VideoFrame]:
    context = stream.codec_context
    is_needed = packets.select(start, holders)
    try:
        for packet, needed in zip(reader.read(start, holders[-1]), is_needed.tolist(), strict=True):
            if needed:
                report.packets_fed += 1
                yield from context.decode(packet)
        yield from context.decode(None)
        context.flush_buffers()
    except av.error.FFmpegError as error:
        raise _SelectiveError(f"the decoder stumbled: {_words(error)}") from error


class _PacketReader:
    """Packets by their number in decoding order, seeking only when that saves reading."""

    _NEAR = 50
    """Packets that are read over sooner than a seek, which in MPEG-TS reads much of the file."""

    def __init__(self, container: InputContainer, stream: VideoStream, packets: PacketIndex) -> None:
        self._container = container
        self._stream = stream
        self._packets = packets
        self._by_pts = np.argsort(packets.pts)
        self._next = 0
        self._demuxer = self._demux()

    def read(self, first: int, last: int) -> Iterator[av.Packet[VideoStream]]:
        """Packets `first` to `last`."""
        if not 0 <= first - self._next <= self._NEAR:
            self._seek(first)
        for packet in self._demuxer:
            if packet.pts != self._packets.pts[self._next]:
                raise _SelectiveError("packets come in another order after a seek")
            self._next += 1
            if self._next > first:
                yield packet
            if self._next > last:
                return
        raise _SelectiveError("the file ends before its last packet")

    def _seek(self, first: int) -> None:
        """Go to packet `first` or a little before; containers keep their index by either timestamp."""
        targets = [int(self._packets.dts[first]), int(self._packets.pts[first]), int(self._packets.dts[0])]
        for target in dict.fromkeys(targets):
            try:
                self._container.seek(target, stream=self._stream, backward=True, any_frame=False)
            except av.error.FFmpegError:
                continue
            demuxer = self._demux()
            peeked = next(demuxer, None)
            number = None if peeked is None else self._find(peeked)
            if peeked is not None and number is not None and number <= first:
                self._next = number
                self._demuxer = chain((peeked,), demuxer)
                return
        raise _SelectiveError("seeking does not reach a keyframe")

    def _demux(self) -> Iterator[av.Packet[VideoStream]]:
        return (packet for packet in self._container.demux(self._stream) if packet.size)

    def _find(self, packet: av.Packet[VideoStream]) -> int | None:
        pts = self._packets.pts
        if packet.pts is None:
            return None
        at = int(np.searchsorted(pts, packet.pts, sorter=self._by_pts))
        return int(self._by_pts[at]) if at < len(pts) and pts[self._by_pts[at]] == packet.pts else None


def _decode_sequentially(
    scan: VideoScan, last: int, report: ExtractionReport, limits: DecodeLimits
) -> Iterator[tuple[int, VideoFrame]]:
    with _open(scan.path, limits) as (container, stream):
        index = -1
        for index, frame in enumerate(_decode_all(scan.path, container, stream, report)):
            if frame.is_corrupt:
                raise UnreadableVideoError(f"{scan.path.name}: frame {index} is damaged")
            if scan.is_timed and frame.pts != scan.pts[index]:
                raise UnreadableVideoError(
                    f"{scan.path.name}: frame {index} is shown at another time than its packet says; it is damaged"
                )
            yield index, frame
            if index == last:
                return
        raise UnreadableVideoError(
            f"{scan.path.name}: only {index + 1} of its {scan.frames} frames can be decoded; the file is damaged"
        )


def _decode_all(
    path: Path, container: InputContainer, stream: VideoStream, report: ExtractionReport | None = None
) -> Iterator[VideoFrame]:
    try:
        for packet in _demux(path, container, stream):
            if report is not None:
                report.packets_fed += 1
            yield from stream.codec_context.decode(packet)
        yield from stream.codec_context.decode(None)
    except av.error.FFmpegError as error:
        raise UnreadableVideoError(f"{path.name}: it cannot be decoded: {_words(error)}") from error


def _convert(
    scan: VideoScan,
    requests: Sequence[FrameRequest],
    wanted: dict[int, list[tuple[int, int]]],
    decoded: Iterator[tuple[int, VideoFrame]],
    report: ExtractionReport,
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The wanted frames among those decoded, at their requests' sizes; each size of a frame is made once."""
    converter = FrameConverter(scan.rotation, scan.is_mirrored)
    report.rotation, report.is_mirrored = scan.rotation, scan.is_mirrored
    for index, frame in decoded:
        if index not in wanted:
            continue
        report.colour_matrix, report.colour_range = describe_colours(frame)
        sizes = list(dict.fromkeys(requests[number].size for number, _ in wanted[index]))
        try:
            made = dict(zip(sizes, converter.convert(frame, sizes), strict=True))
        except ValueError as error:
            raise UnreadableVideoError(f"{scan.path.name}: {error}") from error
        for number, position in wanted[index]:
            yield number, position, made[requests[number].size]


# --- opening ----------------------------------------------------------------------------------------------------


@contextmanager
def _open(path: Path, limits: DecodeLimits) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its best video stream, one decoder thread."""
    max_pixels = str(limits.max_pixels)
    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableVideoError(f"{path.name}: not a file")
        if status.st_size == 0:
            raise UnreadableVideoError(f"{path.name}: the file is empty")
        # "file:" keeps FFmpeg from reading anything else into the name
        container = av.open(f"file:{path.absolute()}", container_options=options, metadata_errors="replace")
    except FileNotFoundError:
        raise UnreadableVideoError(f"{path.name}: there is no such file in {path.parent}") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UnreadableVideoError(f"{path.name}: not a video that can be opened: {_words(error)}") from error
    with container:
        stream = _choose_stream(path, container)
        context = stream.codec_context
        if context.width * context.height > limits.max_pixels:
            raise VideoLimitError(
                f"{path.name}: {context.width}×{context.height} is over the limit of {limits.max_pixels:,} pixels"
            )
        if container.duration:
            _check_duration(path, Fraction(container.duration, 1_000_000), limits)
        context.thread_count = 1
        # some old codecs are decoded in ways that differ between machines and FFmpeg's versions, unless told so
        context.options = {"max_pixels": max_pixels, "flags": "+bitexact"}
        yield container, stream


def _choose_stream(path: Path, container: InputContainer) -> VideoStream:
    """The video stream that FFmpeg finds best, or the first that is no cover."""
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        raise UnreadableVideoError(f"{path.name}: it has no video stream")
    best = container.streams.best("video")
    stream = next((video for video in videos if best is not None and video.index == best.index), videos[0])
    # PyAV has no context where FFmpeg has no decoder; its stubs do not say so
    if getattr(stream, "codec_context", None) is None:
        raise UnreadableVideoError(f"{path.name}: there is no decoder for its video stream")
    if not stream.codec_context.width or not stream.codec_context.height:
        raise UnreadableVideoError(f"{path.name}: its video stream has no size")
    return stream


def _codec_name(stream: VideoStream) -> str:
    return stream.codec_context.codec.canonical_name


def _demux(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """The stream's packets; empty ones, which stand for a frame that was left out, would end the decoding."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except av.error.FFmpegError as error:
        raise UnreadableVideoError(f"{path.name}: its packets cannot be read: {_words(error)}") from error


def _time_base(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 1_000_000)


def _frame_duration(stream: VideoStream, pts: NDArray[np.int64], told: int) -> int:
    """Units that the last frame lasts: as told, else as its predecessor did, else as the frame rate says."""
    if told:
        return told
    if len(pts) > 1:
        return int(pts[-1] - pts[-2])
    rate = stream.average_rate
    return int(1 / (rate * _time_base(stream))) if rate else 0


def _check_length(path: Path, packets: int, elapsed: int, time_base: Fraction, limits: DecodeLimits) -> None:
    if packets > limits.max_packets:
        raise VideoLimitError(f"{path.name}: it has more than {limits.max_packets:,} packets")
    if packets % 1000 == 0:
        _check_duration(path, elapsed * time_base, limits)


def _check_duration(path: Path, seconds: Fraction, limits: DecodeLimits) -> float:
    if seconds > limits.max_duration_seconds:
        raise VideoLimitError(
            f"{path.name}: {float(seconds) / 3600:.1f} h is over the limit of {limits.max_duration_seconds / 3600:g} h"
        )
    return float(seconds)


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
