"""Open a video: validates the file before decoding (regular file, known container, limits on size and length)."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.stream import Disposition
from av.video.stream import VideoStream
from pydantic import PositiveFloat, PositiveInt

from ivbench_data.errors import UnreadableVideoError, VideoLimitError
from ivbench_data.schema import Record
from ivbench_data.video.mp4_boxes import check_structure
from ivbench_data.video.mp4_sample_tables import check_sample_tables

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray


class DecodeLimits(Record):
    """How large and how long a video may be."""

    max_pixels: PositiveInt = 36_000_000
    """Pixels of one frame; 8K UHD has 33 million."""
    max_duration_seconds: PositiveFloat = 12 * 3600
    """Length."""
    max_packets: PositiveInt = 5_000_000
    """Packets: 12 hours at 115 frames a second."""


DEFAULT_LIMITS = DecodeLimits()

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,h264,hevc,ogg,asf,ivf,obu"
"""Containers that hold their own bytes. A playlist (hls, dash, concat) would open other files and addresses."""


@contextmanager
def open_video(path: Path, limits: DecodeLimits) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its best video stream, which covers of audio files are not; one decoder thread.

    Raises:
        UnreadableVideoError: not a video that can be opened.
        VideoLimitError: larger or longer than `limits` allow.
    """
    max_pixels = str(limits.max_pixels)
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableVideoError(f"{path.name}: not a file")
        if status.st_size == 0:
            raise UnreadableVideoError(f"{path.name}: the file is empty")
        check_sample_tables(path, limits.max_packets)
        # "file:" keeps FFmpeg from reading anything else into the name
        container = av.open(f"file:{path.absolute()}", container_options=options, metadata_errors="replace")
    except FileNotFoundError:
        raise UnreadableVideoError(f"{path.name}: there is no such file in {path.parent}") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        check_structure(path)  # its reasons are more precise
        raise UnreadableVideoError(f"{path.name}: not a video that can be opened: {words_of(error)}") from error
    with container:
        stream = _choose_stream(path, container)
        context = stream.codec_context
        if context.width * context.height > limits.max_pixels:
            raise VideoLimitError(
                f"{path.name}: {context.width}×{context.height} is over the limit of {limits.max_pixels:,} pixels"
            )
        if container.duration:
            check_duration(path, Fraction(container.duration, 1_000_000), limits)
        context.thread_count = 1
        context.options = {
            "max_pixels": max_pixels,
            # some old codecs are decoded in ways that differ between machines and FFmpeg's versions, without this flag
            "flags": "+bitexact",
            # an error is better than a damaged frame that the decoder conceals
            "err_detect": "explode",
        }
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


def codec_name(stream: VideoStream) -> str:
    """FFmpeg's name of the codec, whichever decoder it chose."""
    return stream.codec_context.codec.canonical_name


def demux(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """The stream's packets; empty ones, which stand for a frame that was left out, would end the decoding."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except av.error.FFmpegError as error:
        raise UnreadableVideoError(f"{path.name}: its packets cannot be read: {words_of(error)}") from error


def time_base_of(stream: VideoStream) -> Fraction:
    """Seconds a timestamp unit."""
    return stream.time_base or Fraction(1, 1_000_000)


def last_frame_duration(stream: VideoStream, pts: NDArray[np.int64], stated: int) -> int:
    """Duration of the last frame in timestamp units: as stated, else its predecessor's, else by the frame rate."""
    if stated:
        return stated
    if len(pts) > 1:
        return int(pts[-1] - pts[-2])
    rate = stream.average_rate
    return int(1 / (rate * time_base_of(stream))) if rate else 0


def check_length(path: Path, packets: int, elapsed: int, time_base: Fraction, limits: DecodeLimits) -> None:
    """Raise while reading if the video is too long: headers may state less.

    Raises:
        VideoLimitError: there are too many packets, or, looked at now and then, they last too long.
    """
    if packets > limits.max_packets:
        raise VideoLimitError(f"{path.name}: it has more than {limits.max_packets:,} packets")
    if packets % 1000 == 0:
        check_duration(path, elapsed * time_base, limits)


def check_duration(path: Path, seconds: Fraction, limits: DecodeLimits) -> float:
    """The seconds as a float.

    Raises:
        VideoLimitError: they are over the limit.
    """
    if seconds > limits.max_duration_seconds:
        raise VideoLimitError(
            f"{path.name}: {float(seconds) / 3600:.1f} h is over the limit of {limits.max_duration_seconds / 3600:g} h"
        )
    return float(seconds)


def words_of(error: Exception) -> str:
    """Message of an error, without the name of FFmpeg's function."""
    return getattr(error, "strerror", None) or str(error)


def decode_all(path: Path, stream: VideoStream, packets: Iterable[av.Packet[VideoStream]]) -> Iterator[VideoFrame]:
    """The frames that the decoder shows of all the packets.

    Raises:
        UnreadableVideoError: it cannot decode one.
    """
    try:
        for packet in packets:
            yield from stream.codec_context.decode(packet)
        yield from stream.codec_context.decode(None)
    except av.error.FFmpegError as error:
        raise UnreadableVideoError(f"{path.name}: it cannot be decoded: {words_of(error)}") from error
