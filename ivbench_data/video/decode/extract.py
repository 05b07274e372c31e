"""Wanted frames of a video, many sizes in one pass, by the fewest packets that show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.stream import VideoStream

from ivbench_data.errors import UnreadableVideoError
from ivbench_data.schema import Resize
from ivbench_data.video.bitstream import PacketIndex
from ivbench_data.video.decode.packet_scan import VideoScan
from ivbench_data.video.decode.resize_to_rgb import (
    FrameConverter,
    FrameSize,
    check_matrix,
    describe_colours,
)
from ivbench_data.video.decode.strict_decode import decode_all
from ivbench_data.video.opening import DEFAULT_LIMITS, DecodeLimits, demux, open_video, words_of
from ivbench_data.video.rotation import NOT_ROTATED, Rotation

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray


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
    deinterlace: bool = False
    """Whether interlaced frames are rebuilt from the field that is shown first."""
    tone_map: bool = False
    """Whether HDR becomes SDR."""

    @property
    def size(self) -> FrameSize:
        """Width, height, filter and fields: what a frame's pixels depend on."""
        return FrameSize(self.width, self.height, self.resize, self.deinterlace, self.tone_map)


@dataclass
class ExtractionReport:
    """How frames were decoded; filled while they are."""

    decode_path: str = "selective"
    """`selective`, or `sequential` with the reason after a colon."""
    packets_fed: int = 0
    """Packets that were given to the decoder."""
    rotation: Rotation = NOT_ROTATED
    """Rotation that was applied."""
    colour_matrix: str = ""
    """Matrix that was used: `bt709`, `bt601`, …"""
    colour_range: str = ""
    """Range that was used: `limited` or `full`."""
    sizes: list[str] = field(default_factory=list)
    """Sizes of the frames that were taken, as coded, in the order in which they were met."""

    begins_interlaced: bool = False
    """Whether the video's first frame is interlaced, as its display properties say."""
    interlaced: int = 0
    """How many of the frames that were taken are interlaced."""
    fields: Counter[str] = field(default_factory=Counter)
    """Of the frames that were rebuilt from one field: how many from the top one, and how many from the bottom one."""

    def describe(self) -> list[str]:
        """What is odd about the frames that were taken, a sentence each that begins with a name and a colon."""
        sentences: list[str] = []
        if len(self.sizes) > 1:
            sentences.append(
                f"changing size: frames are {', then '.join(self.sizes)}; each is scaled to the grid's size"
            )
        if self.interlaced and not self.begins_interlaced:
            sentences.append(f"interlaced: {self.interlaced:,} of the frames that were taken, though the first is not")
        return sentences


class _SelectiveError(Exception):
    """The selective path did not show the frames that the packets announced; cache files store the message, too."""


def describe_decoder() -> dict[str, str]:
    """Versions of PyAV and FFmpeg, which the frames' bytes may depend on."""
    versions = av.library_versions
    named = {name: ".".join(map(str, versions[name])) for name in ("libavcodec", "libavformat", "libswscale")}
    return {"pyav": av.__version__, "ffmpeg": av.ffmpeg_version_info, **named}


def iterate_frames(
    scan: VideoScan,
    requests: Sequence[FrameRequest],
    report: ExtractionReport | None = None,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The frames of all requests, from one pass over the file: request number, position in its `indices`, frame.

    A frame is uint8 `[3, H, W]` RGB. If the selective path fails half-way, all frames are yielded again, from the
    sequential path.

    Raises:
        UnreadableVideoError: the file does not hold the frames that its packets announced.
        VideoError: its colours are by a matrix that is not known, or not supported.
        IndexError: an index is out of range.
    """
    report = ExtractionReport() if report is None else report
    wanted = _plan(scan, requests)
    if not wanted:
        return
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
    """The frames of all requests in memory: for each one uint8 `[T, 3, H, W]` RGB; and how they were decoded.

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
    index_of_pts = {scan._stamps[index]: index for index in indices}
    with open_video(scan.path, limits) as (container, stream):
        reader = _PacketReader(container, stream, packets)
        for start, holders in packets.group(indices):
            missing = len(holders)
            for frame in _decode_group(reader, stream, packets, start, holders, report):
                index = None if frame.pts is None else index_of_pts.get(frame.pts)
                if frame.is_corrupt:
                    damaged = "a frame that others build on" if index is None else f"frame {index}"
                    raise UnreadableVideoError(f"{scan.path.name}: {damaged} is damaged")
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
        raise _SelectiveError(f"the decoder stumbled: {words_of(error)}") from error


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
    with open_video(scan.path, limits) as (container, stream):
        index = -1
        packets = _count_packets(demux(scan.path, container, stream), report)
        for index, frame in enumerate(decode_all(scan.path, stream, packets, scan.may_pass_over())):
            if frame.is_corrupt:
                raise UnreadableVideoError(f"{scan.path.name}: frame {index} is damaged")
            if index >= scan.frames or frame.pts != scan._stamps[index]:
                raise UnreadableVideoError(
                    f"{scan.path.name}: frame {index} is shown at another time than its packet says; it is damaged"
                )
            yield index, frame
            if index == last:
                return
        raise UnreadableVideoError(
            f"{scan.path.name}: only {index + 1} of its {scan.frames} frames can be decoded; the file is damaged"
        )


def _count_packets(
    packets: Iterator[av.Packet[VideoStream]], report: ExtractionReport
) -> Iterator[av.Packet[VideoStream]]:
    for packet in packets:
        report.packets_fed += 1
        yield packet


def _convert(
    scan: VideoScan,
    requests: Sequence[FrameRequest],
    wanted: dict[int, list[tuple[int, int]]],
    decoded: Iterator[tuple[int, VideoFrame]],
    report: ExtractionReport,
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The wanted frames among those decoded, at their requests' sizes; each size of a frame is converted once."""
    colours = scan.display.transfer, scan.display.primaries
    converter = FrameConverter(scan.rotation, scan.display.crop, report.fields, colours)
    report.rotation, report.begins_interlaced = scan.rotation, scan.display.field_order != "progressive"
    for index, frame in decoded:
        if index not in wanted:
            continue
        check_matrix(scan.path, frame)
        report.interlaced += frame.interlaced_frame
        if (size := f"{frame.width}×{frame.height}") not in report.sizes:
            report.sizes.append(size)
        report.colour_matrix, report.colour_range = describe_colours(frame)
        sizes = list(dict.fromkeys(requests[number].size for number, _ in wanted[index]))
        try:
            converted = dict(zip(sizes, converter.convert(frame, sizes), strict=True))
        except ValueError as error:
            raise UnreadableVideoError(f"{scan.path.name}: {error}") from error
        for number, position in wanted[index]:
            yield number, position, converted[requests[number].size]
