"""Open a video: validates the file before decoding (regular file, known container, limits on size and length)."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.format import Flags
from av.video.stream import VideoStream
from pydantic import PositiveFloat, PositiveInt

from ivbench_data.errors import NotAVideoError, UnreadableVideoError, VideoLimitError
from ivbench_data.schema import Record
from ivbench_data.video.mp4_boxes import examine_structure
from ivbench_data.video.mp4_sample_tables import check_sample_tables
from ivbench_data.video.stream_choice import choose_stream

if TYPE_CHECKING:
    from av.container import InputContainer


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

OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
"""What a container is opened with."""


@contextmanager
def open_video(path: Path, limits: DecodeLimits) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and the video stream that a player shows, see `stream_choice`; one decoder thread.

    Raises:
        NotAVideoError: something else, or encrypted.
        UnreadableVideoError: not a video that can be opened.
        VideoLimitError: larger or longer than `limits` allow.
    """
    max_pixels = str(limits.max_pixels)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableVideoError(f"{path.name}: not a file")
        if status.st_size == 0:
            raise UnreadableVideoError(f"{path.name}: the file is empty")
        check_sample_tables(path, limits.max_packets)
        # "file:" keeps FFmpeg from reading anything else into the name
        container = av.open(f"file:{path.absolute()}", container_options=OPTIONS, metadata_errors="replace")
    except FileNotFoundError:
        raise UnreadableVideoError(f"{path.name}: there is no such file in {path.parent}") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if examine_structure(path).container == "unknown":  # its own reasons are more precise
            raise NotAVideoError(
                f"{path.name}: not a video of a known container (MP4, Matroska, WebM, AVI, MPEG-TS, MPEG-PS, FLV, ASF, "
                "Ogg, IVF, OBU)"
            ) from error
        raise UnreadableVideoError(f"{path.name}: not a video that can be opened: {words_of(error)}") from error
    with container:
        stream = choose_stream(path, container, OPTIONS)
        context = stream.codec_context
        if context.width * context.height > limits.max_pixels:
            raise VideoLimitError(
                f"{path.name}: {context.width}×{context.height} is over the limit of {limits.max_pixels:,} pixels"
            )
        # where timestamps may jump, their last one says nothing of the length; see `decode.clock`
        if container.duration and not has_flag(container, Flags.ts_discont):
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


def has_flag(container: InputContainer, flag: Flags) -> bool:
    """Whether the container's format has the flag."""
    return bool(container.format.flags & cast("int", flag.value))


def time_base_of(stream: VideoStream) -> Fraction:
    """Seconds a timestamp unit."""
    return stream.time_base or Fraction(1, 1_000_000)


def check_count(path: Path, packets: int, limits: DecodeLimits) -> None:
    """Raise while reading if the video has too many packets: headers may state fewer.

    Raises:
        VideoLimitError: there are more.
    """
    if packets > limits.max_packets:
        raise VideoLimitError(f"{path.name}: it has more than {limits.max_packets:,} packets")


def check_duration(path: Path, seconds: Fraction | float, limits: DecodeLimits) -> None:
    """Raise if the video is too long.

    Raises:
        VideoLimitError: its seconds are over the limit.
    """
    if seconds > limits.max_duration_seconds:
        raise VideoLimitError(
            f"{path.name}: {float(seconds) / 3600:.1f} h is over the limit of {limits.max_duration_seconds / 3600:g} h"
        )


def words_of(error: Exception) -> str:
    """Message of an error, without the name of FFmpeg's function."""
    return getattr(error, "strerror", None) or str(error)
