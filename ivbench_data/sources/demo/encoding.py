"""Encode demo videos: drawn frame by frame, by one thread, so that the bytes are the same on every machine."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from ivbench_data.errors import EnvironmentProblemError
from ivbench_data.sources.demo.dice import Dice
from ivbench_data.sources.demo.scene import draw_frame
from ivbench_data.sources.demo.script import VIDEO_SECONDS, Footage, Script

TICKS = 600
"""Ticks a second of the frames' timestamps: every frame rate of the demo divides it."""

KEYFRAME_SECONDS = 4
"""A GOP's length; more keyframes where the encoder sees a cut."""

_FORMATS = {".mp4": "mp4", ".webm": "webm", ".mkv": "matroska"}

# without mbtree, which reads memory that x264 never wrote: its bit rates hang on what lay there before
_CODEC_OPTIONS = {
    "libx264": {"preset": "veryfast", "crf": "26", "bf": "3", "x264-params": "threads=1:lookahead-threads=1:mbtree=0"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "7", "crf": "36", "row-mt": "0"},
}  # fmt: skip


def encode_video(script: Script) -> bytes:
    """The video's file, container and all; the same bytes each time with the same PyAV and Pillow.

    Raises:
        EnvironmentProblemError: this PyAV was built without the encoder.
    """
    footage = script.footage
    file = io.BytesIO()
    # bitexact: no random identifiers and no muxer version in the file
    with av.open(file, "w", format=_FORMATS[footage.suffix], container_options={"fflags": "+bitexact"}) as container:
        stream = _add_stream(container, footage)
        for seconds, ticks in _show_times(footage):
            frame = _convert(_turn(draw_frame(script, seconds), footage.rotation))
            frame.pts, frame.time_base = ticks, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return _rotate_mp4(file.getvalue(), footage.rotation) if footage.rotation else file.getvalue()


def _add_stream(container: av.container.OutputContainer, footage: Footage) -> av.VideoStream:
    try:
        stream = container.add_stream(footage.codec, rate=footage.fps, options=_CODEC_OPTIONS[footage.codec])
    except (av.FFmpegError, ValueError) as error:
        raise EnvironmentProblemError(
            f"this PyAV cannot encode {footage.codec} ({error}): install its wheel, pip install --force-reinstall av"
        ) from error
    size = footage.width, footage.height
    stream.width, stream.height = size if footage.rotation == 0 else size[::-1]
    stream.pix_fmt = "yuv420p"
    stream.thread_count = 1
    stream.codec_context.gop_size = KEYFRAME_SECONDS * footage.fps
    stream.codec_context.time_base = Fraction(1, TICKS)
    stream.time_base = Fraction(1, TICKS)
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    return stream


def _show_times(footage: Footage) -> Iterator[tuple[float, int]]:
    """When each frame is shown: in seconds, and in ticks."""
    step = TICKS // footage.fps
    dice = Dice("variable rate", footage.video_id)
    ticks = 0
    while ticks < VIDEO_SECONDS * TICKS:
        yield ticks / TICKS, ticks
        # a variable rate holds a frame for half to one and a half of the usual time
        ticks += step + dice.below(step + 1) - step // 2 if footage.variable_rate else step


def _turn(picture: Image.Image, degrees: int) -> Image.Image:
    """The picture as a camera held sideways stores it: turned clockwise, for the player to turn back."""
    return picture.transpose(Image.Transpose.ROTATE_270) if degrees == 90 else picture


_LIMITED_LUMA = np.array([16 + (219 * value + 127) // 255 for value in range(256)], dtype=np.uint8)
_LIMITED_CHROMA = np.array([128 + (224 * (value - 128) + 127) // 255 for value in range(256)], dtype=np.uint8)


def _convert(picture: Image.Image) -> av.VideoFrame:
    """The picture as YUV 4:2:0, BT.601, limited range, in Pillow's integers: the same on every machine."""
    luma, *chroma = picture.convert("YCbCr").split()
    planes = [
        np.take(_LIMITED_LUMA, np.asarray(luma)).ravel(),
        *(np.take(_LIMITED_CHROMA, np.asarray(plane.reduce(2))).ravel() for plane in chroma),
    ]
    stacked = np.concatenate(planes).reshape(picture.height * 3 // 2, picture.width)
    return av.VideoFrame.from_ndarray(stacked, format="yuv420p")


def _rotate_mp4(content: bytes, degrees: int) -> bytes:
    """The same MP4 with a display matrix in its track header that turns the picture anticlockwise.

    Not every supported PyAV can ask the muxer for it. The matrix (ISO/IEC 14496-12, 8.3.2) is nine big-endian
    integers, a b u c d v x y w, in 16.16 fixed point, u v w in 2.30. It stands 44 bytes after the start of the box.

    Raises:
        ValueError: the track header does not hold the upright matrix that muxers write.
    """
    one, unit = 1 << 16, 1 << 30
    upright = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, unit)
    turned = {90: struct.pack(">9i", 0, -one, 0, one, 0, 0, 0, 0, unit)}
    start = content.index(b"tkhd") - 4 + 48
    if content[start : start + len(upright)] != upright:
        raise ValueError("the track header's matrix is not where it was expected")
    return content[:start] + turned[degrees] + content[start + len(upright) :]
