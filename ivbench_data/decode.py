"""The only place that opens a video to read it: exact frames, as few packets as possible, many sizes in one pass.

The frame at presentation index *i* is the *i*-th frame that a sequential decode of the whole file shows, always. To
get it, the packets are first walked without decoding (`scan_video`): timestamps, places where decoding may start, and
packets that no other frame needs. Then only the groups of pictures that hold wanted frames are decoded, each up to
its last wanted frame, without the packets that nothing wanted needs (the `selective` path). Where the packets do not
tell enough, or the decoder does not show what they promised, the file is decoded from its first packet on (the
`sequential` path).

Frames go from the decoder straight to their size and to planar RGB in one swscale call: bicubic (or as asked),
accurate rounding, bit-exact, with the stream's own matrix and range; where it names none, BT.709 from 720 lines up,
else BT.601, and limited range. Planar because it is what is stored, and because swscale's packed RGB goes through
8-bit tables that make white 253. The decoder's note of where chroma samples sit is withheld from swscale: FFmpeg 7
ignores it and FFmpeg 8 does not, and the same file must give the same bytes with both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from pydantic import PositiveFloat, PositiveInt

from ivbench_data.bitstream import UnsafeStreamError, open_reader
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

_ACCURATE, _BITEXACT = 0x40000, 0x80000  # SWS_ACCURATE_RND, SWS_BITEXACT; PyAV names them from 16 on
_FILTERS: dict[Resize, int] = {
    "bicubic": int(Interpolation.BICUBIC),
    "area": int(Interpolation.AREA),
    "lanczos": int(Interpolation.LANCZOS),
    "bilinear": int(Interpolation.BILINEAR),
}
_BT601, _BT709 = int(Colorspace.ITU601), int(Colorspace.ITU709)
_MATRICES = {1: ("bt709", 1), 4: ("fcc", 4), 5: ("bt601", 5), 6: ("bt601", 5), 7: ("smpte240m", 7), 9: ("bt2020", 9)}
"""AVColorSpace of a frame, to our name and swscale's number."""
_ENTROPY_CODED = frozenset({"h264", "hevc", "vp8", "vp9", "av1"})
"""Codecs whose packets hold no long zeros: H.264 and HEVC break up every third zero byte (emulation prevention), the
others' arithmetic coders spread them. MPEG-TS may pad with zeros between units."""
_ZEROS = bytes(256)
_NATIVE_THREADS = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
"""Since 17 PyAV scales on all cores unless told not to; here a worker uses one core."""


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
    _packets: _Packets | None = field(default=None, repr=False)

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
class PacketWalk:
    """What the container alone says of a video's packets: a few milliseconds, whatever the codec."""

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


@dataclass
class ExtractionReport:
    """How frames were had; filled while they come."""

    decode_path: str = "selective"
    """`selective`, or `sequential` with the reason after a colon."""
    packets_fed: int = 0
    """Packets that were given to the decoder."""
    rotation: int = 0
    """Degrees that frames were turned counter-clockwise."""
    colour_matrix: str = ""
    """Matrix that was used: `bt709`, `bt601`, …"""
    colour_range: str = ""
    """Range that was used: `limited` or `full`."""


@dataclass(frozen=True)
class _Packets:
    """The video packets in decoding order."""

    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    is_droppable: NDArray[np.bool_]
    starts: NDArray[np.int64]
    """Where decoding may start, ascending; the first is 0."""
    of_frame: NDArray[np.int64]
    """For each presentation index, the packet that holds it."""


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
        except av.error.FFmpegError as error:
            raise UnreadableVideoError(f"{path.name}: its packets cannot be read: {_words(error)}") from error
    return _scan_by_decoding(path, limits, reason)


def _scan(path: Path, container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> VideoScan:
    context = stream.codec_context
    read_traits = open_reader(context.name, context.extradata or b"")
    pts: list[int] = []
    dts: list[int] = []
    starts: list[bool] = []
    droppable: list[bool] = []
    shown: list[bool] = []
    carries: list[bool] = []
    layers: list[int] = []
    last_duration = 0
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.is_corrupt:
            raise UnreadableVideoError(f"{path.name}: packet {len(pts)} is cut off or damaged")
        if packet.pts is None:
            raise UnsafeStreamError("frames have no timestamps")
        traits = read_traits(memoryview(packet), packet.is_keyframe)
        pts.append(packet.pts)
        dts.append(packet.pts if packet.dts is None else packet.dts)
        starts.append(traits.starts_decoding)
        droppable.append(traits.is_droppable)
        shown.append(traits.is_shown and not packet.is_discard)
        carries.append(traits.carries_parameters)
        layers.append(traits.temporal_layer)
        last_duration = packet.duration or last_duration
        _check_length(path, len(pts), packet.pts - pts[0], packet.time_base, limits)
    if not any(shown):
        raise UnreadableVideoError(f"{path.name}: no packet of it shows a frame")
    packets = _index_packets(pts, dts, starts, droppable, shown, carries, layers)
    in_order = packets.pts[packets.of_frame]
    end = int(in_order[-1]) + _frame_duration(stream, in_order, last_duration)
    return VideoScan(
        path=path,
        codec=context.name,
        width=context.width,
        height=context.height,
        rotation=_read_rotation(path, limits),
        time_base=_time_base(stream),
        pts=in_order,
        average_rate=stream.average_rate,
        duration_seconds=float((end - int(in_order[0])) * _time_base(stream)),
        is_timed=True,
        sequential_reason=None,
        size_bytes=path.stat().st_size,
        _packets=packets,
    )


def _index_packets(
    pts: list[int],
    dts: list[int],
    starts: list[bool],
    droppable: list[bool],
    shown: list[bool],
    carries: list[bool],
    layers: list[int],
) -> _Packets:
    """The packets' order, once it is sure that the lists can be trusted."""
    times = np.array(pts, dtype=np.int64)
    if len(np.unique(times)) != len(times):
        raise UnsafeStreamError("two packets have the same timestamp")
    # A start is clean when all that comes after it is also shown after it: else its leading frames may refer to what
    # came before it (an open group of pictures).
    later = np.minimum.accumulate(times[::-1])[::-1]
    clean = np.array(starts) & (later == times)
    if not clean[0]:
        raise UnsafeStreamError("the first packet is no clean place to start")
    own_parameters = np.array(carries)[clean]
    if own_parameters.any() and not own_parameters.all():
        raise UnsafeStreamError("parameter sets stand at some keyframes only")
    visible = np.flatnonzero(np.array(shown))
    return _Packets(
        pts=times,
        dts=np.array(dts, dtype=np.int64),
        is_droppable=np.array(droppable) & (np.array(layers) == max(layers)),
        starts=np.flatnonzero(clean),
        of_frame=visible[np.argsort(times[visible], kind="stable")],
    )


def _scan_by_decoding(path: Path, limits: DecodeLimits, reason: str) -> VideoScan:
    """The scan of a file whose packets tell too little: every frame is decoded once, to be counted and timed."""
    pts: list[int | None] = []
    with _open(path, limits) as (container, stream):
        for frame in _decode_all(path, container, stream):
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
            codec=context.name,
            width=context.width,
            height=context.height,
            rotation=_read_rotation(path, limits),
            time_base=time_base,
            pts=times,
            average_rate=stream.average_rate,
            duration_seconds=float((end - int(times[0])) * time_base),
            is_timed=is_timed,
            sequential_reason=reason,
            size_bytes=path.stat().st_size,
        )


def walk_packets(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> PacketWalk:
    """What the container says of the video's packets; nothing is decoded, no bitstream is read.

    Packets that an edit list discards are left out. It may be empty, and damaged packets are counted, not refused.

    Raises:
        UnreadableVideoError: not a video that can be opened, or none in it.
        VideoLimitError: larger or longer than `limits` allow.
    """
    pts: list[int] = []
    keyframes: list[bool] = []
    is_timed = True
    corrupt_packets = zeroed_packets = last_duration = 0
    with _open(path, limits) as (container, stream):
        time_base = _time_base(stream)
        has_no_zeros = stream.codec_context.name in _ENTROPY_CODED and container.format.name != "mpegts"
        try:
            for packet in container.demux(stream):
                if not packet.size or packet.is_discard:
                    continue
                corrupt_packets += packet.is_corrupt
                zeroed_packets += has_no_zeros and _holds_zeros(bytes(packet))
                is_timed &= packet.pts is not None
                pts.append(len(pts) if packet.pts is None else packet.pts)
                keyframes.append(packet.is_keyframe)
                last_duration = packet.duration or last_duration
                _check_length(path, len(pts), pts[-1] - pts[0] if is_timed else 0, time_base, limits)
        except av.error.FFmpegError as error:
            raise UnreadableVideoError(f"{path.name}: its packets cannot be read: {_words(error)}") from error
        if not is_timed:
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            pts, time_base, last_duration = list(range(len(pts))), 1 / Fraction(rate), 1
        times = np.array(pts, dtype=np.int64)
        order = np.argsort(times, kind="stable")
        elapsed = times[order] - (times.min() if pts else 0)
        lasting = _frame_duration(stream, elapsed, last_duration) if pts else 0
        return PacketWalk(
            codec=stream.codec_context.name,
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
    holding = packets.of_frame[list(indices)]
    groups: dict[int, set[int]] = {}
    for start, packet in zip(np.searchsorted(packets.starts, holding, side="right") - 1, holding, strict=True):
        groups.setdefault(int(packets.starts[start]), set()).add(int(packet))
    with _open(scan.path, limits) as (container, stream):
        reader = _PacketReader(container, stream, packets)
        context = stream.codec_context
        for start, holders in groups.items():
            missing = len(holders)
            for frame in _decode_group(reader, context, packets, start, holders, report):
                index = index_of_pts.get(-1 if frame.pts is None else frame.pts)
                if index is not None:
                    missing -= 1
                    yield index, frame
            if missing:
                raise _SelectiveError(f"the decoder did not show {missing} of the frames its packets promised")


def _decode_group(
    reader: _PacketReader,
    context: av.VideoCodecContext,
    packets: _Packets,
    start: int,
    holders: set[int],
    report: ExtractionReport,
) -> Iterator[VideoFrame]:
    last = max(holders)
    try:
        for number, packet in reader.read(start, last):
            if number in holders or not packets.is_droppable[number]:
                report.packets_fed += 1
                yield from context.decode(packet)
        yield from context.decode(None)
        context.flush_buffers()
    except av.error.FFmpegError as error:
        raise _SelectiveError(f"the decoder stumbled: {_words(error)}") from error


class _PacketReader:
    """Packets by their number in decoding order, seeking only when that saves reading."""

    def __init__(self, container: InputContainer, stream: VideoStream, packets: _Packets) -> None:
        self._container = container
        self._stream = stream
        self._packets = packets
        self._number_of_pts = {int(value): number for number, value in enumerate(packets.pts)}
        self._next = 0
        self._demuxer = container.demux(stream)

    def read(self, first: int, last: int) -> Iterator[tuple[int, av.Packet[VideoStream]]]:
        """Packets `first` to `last` with their numbers."""
        if first != self._next:
            self._seek(first)
        for packet in self._demuxer:
            if not packet.size:
                break
            number = self._number_of_pts.get(-1 if packet.pts is None else packet.pts)
            if number is None or number > max(self._next, first) or number < self._next:
                raise _SelectiveError("packets come in another order after a seek")
            self._next = number + 1
            if number >= first:
                yield number, packet
            if number == last:
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
            self._demuxer = self._container.demux(self._stream)
            peeked = next(self._demuxer, None)
            number = None if peeked is None or peeked.pts is None else self._number_of_pts.get(peeked.pts)
            if peeked is not None and number is not None and number <= first:
                self._next = number
                self._demuxer = chain((peeked,), self._demuxer)
                return
        raise _SelectiveError("seeking does not reach a keyframe")


def _decode_sequentially(
    scan: VideoScan, last: int, report: ExtractionReport, limits: DecodeLimits
) -> Iterator[tuple[int, VideoFrame]]:
    with _open(scan.path, limits) as (container, stream):
        index = -1
        for index, frame in enumerate(_decode_all(scan.path, container, stream, report)):
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
        for packet in container.demux(stream):
            if report is not None and packet.size:
                report.packets_fed += 1
            yield from stream.codec_context.decode(packet if packet.size else None)
            if not packet.size:
                return
    except av.error.FFmpegError as error:
        raise UnreadableVideoError(f"{path.name}: it cannot be decoded: {_words(error)}") from error


# --- converting -------------------------------------------------------------------------------------------------


def _convert(
    scan: VideoScan,
    requests: Sequence[FrameRequest],
    wanted: Mapping[int, list[tuple[int, int]]],
    decoded: Iterator[tuple[int, VideoFrame]],
    report: ExtractionReport,
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The wanted frames among those decoded, at their requests' sizes; each size of a frame is made once."""
    reformatters = [VideoReformatter() for _ in requests]
    report.rotation = scan.rotation
    for index, frame in decoded:
        if index not in wanted:
            continue
        if frame.is_corrupt:
            raise UnreadableVideoError(f"{scan.path.name}: frame {index} is damaged")
        plain, matrix, is_full_range = _strip_properties(frame, report)
        made: dict[tuple[int, int, Resize], NDArray[np.uint8]] = {}
        for number, position in wanted[index]:
            request = requests[number]
            size = (request.width, request.height, request.resize)
            if size not in made:
                made[size] = _scale(reformatters[number], plain, request, scan.rotation, matrix, is_full_range)
            yield number, position, made[size]


def _strip_properties(frame: VideoFrame, report: ExtractionReport) -> tuple[VideoFrame, int, bool]:
    """The picture alone, swscale's number for its matrix, and whether its range is full."""
    name, matrix = _MATRICES.get(int(frame.colorspace), ("", 0))
    if not name:
        name, matrix = ("bt709", _BT709) if frame.height >= 720 else ("bt601", _BT601)
    is_full_range = int(frame.color_range) == int(ColorRange.JPEG) or frame.format.name.startswith("yuvj")
    if not frame.format.is_rgb:
        report.colour_matrix, report.colour_range = name, "full" if is_full_range else "limited"
    else:
        report.colour_matrix, report.colour_range = "rgb", "full"
    plain = av.VideoFrame(frame.width, frame.height, frame.format.name.replace("yuvj", "yuv"))
    for source, target in zip(frame.planes, plain.planes, strict=True):
        _copy_plane(source, target)
    return plain, matrix, is_full_range


def _copy_plane(source: av.video.plane.VideoPlane, target: av.video.plane.VideoPlane) -> None:
    if source.line_size == target.line_size and source.buffer_size == target.buffer_size:
        target.update(cast("bytes", source))  # any buffer will do; the stub says less
        return
    rows = min(source.buffer_size // abs(source.line_size), target.buffer_size // target.line_size)
    width = min(abs(source.line_size), target.line_size)
    flat = np.frombuffer(memoryview(source), np.uint8)
    lines = flat[: rows * abs(source.line_size)].reshape(rows, -1)
    copied = np.zeros((target.buffer_size // target.line_size, target.line_size), np.uint8)
    copied[:rows, :width] = lines[:, :width]
    target.update(copied.tobytes())


def _scale(
    reformatter: VideoReformatter,
    plain: VideoFrame,
    request: FrameRequest,
    rotation: int,
    matrix: int,
    is_full_range: bool,
) -> NDArray[np.uint8]:
    """uint8 `[3, H, W]` RGB at the request's size, turned for display."""
    width, height = (request.height, request.width) if rotation % 180 else (request.width, request.height)
    scaled = reformatter.reformat(
        plain,
        width=width,
        height=height,
        format="gbrp",
        src_colorspace=matrix,
        # RGB has no matrix; but PyAV before 17 sets none at all when source and destination name the same one
        dst_colorspace=_BT709 if matrix == _BT601 else _BT601,
        interpolation=_FILTERS[request.resize] | _ACCURATE | _BITEXACT,
        src_color_range=int(ColorRange.JPEG if is_full_range else ColorRange.MPEG),
        dst_color_range=int(ColorRange.JPEG),
        **_NATIVE_THREADS,
    )
    green, blue, red = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, :width]
        for plane in scaled.planes
    )
    turned = np.empty((3, request.height, request.width), np.uint8)
    for channel, plane in enumerate((red, green, blue)):
        turned[channel] = np.rot90(plane, rotation // 90) if rotation else plane
    return turned


# --- opening ----------------------------------------------------------------------------------------------------


@contextmanager
def _open(path: Path, limits: DecodeLimits) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its best video stream, one decoder thread."""
    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    try:
        if path.stat().st_size == 0:
            raise UnreadableVideoError(f"{path.name}: the file is empty")
        # "file:" keeps FFmpeg from reading anything else into the name
        container = av.open(f"file:{path.absolute()}", options=options)
    except FileNotFoundError:
        raise UnreadableVideoError(f"{path.name}: there is no such file in {path.parent}") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UnreadableVideoError(f"{path.name}: not a video that can be opened: {_words(error)}") from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            raise UnreadableVideoError(f"{path.name}: it has no video stream")
        context = stream.codec_context
        if not context.width or not context.height:
            raise UnreadableVideoError(f"{path.name}: its video stream has no size")
        if context.width * context.height > limits.max_pixels:
            raise VideoLimitError(
                f"{path.name}: {context.width}×{context.height} is over the limit of {limits.max_pixels:,} pixels"
            )
        if container.duration and container.duration / 1_000_000 > limits.max_duration_seconds:
            raise VideoLimitError(_too_long(path, container.duration / 1_000_000, limits))
        context.thread_count = 1
        context.options = {"max_pixels": str(limits.max_pixels)}
        yield container, stream


def _read_rotation(path: Path, limits: DecodeLimits) -> int:
    """Degrees counter-clockwise, 0 to 270, from the first frame that can be decoded."""
    with _open(path, limits) as (container, stream):
        frame = next(_decode_all(path, container, stream), None)
        return 0 if frame is None else round(frame.rotation / 90) * 90 % 360


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
    if packets % 1000 == 0 and elapsed * time_base > limits.max_duration_seconds:
        raise VideoLimitError(_too_long(path, float(elapsed * time_base), limits))


def _too_long(path: Path, seconds: float, limits: DecodeLimits) -> str:
    return f"{path.name}: {seconds / 3600:.1f} h is over the limit of {limits.max_duration_seconds / 3600:g} h"


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
