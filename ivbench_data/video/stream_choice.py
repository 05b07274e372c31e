"""Which of a file's video streams is shown: as a player chooses, and who its rivals are.

Covers are no videos. Of the others, one that moves comes before a still picture, then the one with the default flag,
then the one with most pixels, then the first. A stream is a still picture when its flags or its count of frames say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.stream import Disposition

from ivbench_data.errors import NotAVideoError, UnreadableVideoError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PICTURE_CODECS = frozenset({"mjpeg", "png", "bmp", "webp", "gif", "tiff", "jpeg2000", "ljpeg"})
"""Codecs of pictures, which some cameras record with: only their packets tell."""


def choose_stream(path: Path, container: InputContainer, options: Mapping[str, str]) -> VideoStream:
    """The video stream that a player shows; `options` are those the container was opened with.

    Raises:
        NotAVideoError: there is none but a cover.
        UnreadableVideoError: it cannot be decoded.
    """
    videos = list_videos(container)
    if not videos:
        raise NotAVideoError(f"{path.name}: it has no video stream, only sound or a cover: fetch it with its pictures")
    stream = videos[0]
    if len(videos) > 1:
        stream = max(videos, key=lambda video: (*_rank(path, video, options), -video.index))
    # PyAV has no context where FFmpeg has no decoder; its stubs do not say so
    if getattr(stream, "codec_context", None) is None:
        raise UnreadableVideoError(f"{path.name}: there is no decoder for its video stream")
    if not stream.codec_context.width or not stream.codec_context.height:
        raise UnreadableVideoError(f"{path.name}: its video stream has no size")
    return stream


def list_videos(container: InputContainer) -> list[VideoStream]:
    """The video streams that are no covers."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def describe_stream(stream: VideoStream) -> str:
    """Number, codec and size of a stream."""
    context = getattr(stream, "codec_context", None)
    if context is None:
        return f"{stream.index} (no decoder)"
    default = ", default" if stream.disposition & Disposition.default else ""
    return f"{stream.index} ({context.codec.canonical_name} {context.width}×{context.height}{default})"


def _rank(path: Path, stream: VideoStream, options: Mapping[str, str]) -> tuple[bool, bool, bool, int]:
    context = getattr(stream, "codec_context", None)
    if context is None:
        return False, False, False, 0
    is_default = bool(stream.disposition & Disposition.default)
    return True, not _is_still(path, stream, options), is_default, context.width * context.height


def _is_still(path: Path, stream: VideoStream, options: Mapping[str, str]) -> bool:
    if stream.disposition & (Disposition.timed_thumbnails | Disposition.still_image):
        return True
    if stream.frames:
        return stream.frames == 1
    is_picture = stream.codec_context.codec.canonical_name in _PICTURE_CODECS
    return is_picture and not _has_two_packets(path, stream.index, options)


def _has_two_packets(path: Path, index: int, options: Mapping[str, str]) -> bool:
    """Whether a stream whose container does not count its frames has more than one."""
    packets = 0
    try:
        with av.open(
            f"file:{path.absolute()}", container_options=dict(options), metadata_errors="replace"
        ) as container:
            for packet in container.demux(container.streams[index]):
                packets += packet.size > 0
                if packets > 1:
                    break
    except av.error.FFmpegError:
        pass  # what stands behind a fault is nothing that a player would come to
    return packets > 1
