"""Resize a decoded frame and convert it to RGB, with the same bytes on every machine.

One swscale call goes straight to the size and to planar RGB: bicubic (or as asked), accurate rounding, bit-exact,
with the stream's own matrix and range; where it names none, BT.709 from 720 lines up, else BT.601, and limited range.
Planar because it is what is stored, and because swscale's packed RGB goes through 8-bit tables that make white 253.
The decoder's other properties, such as chroma location and field order, are withheld from swscale:
FFmpeg 7 ignores them and FFmpeg 8 does not, and the same file must give the same bytes with both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from ivbench_data.schema import Resize
from ivbench_data.video.rotation import Rotation

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

_ACCURATE, _BITEXACT = 0x40000, 0x80000  # SWS_ACCURATE_RND, SWS_BITEXACT; PyAV names them from 16 on
_FULL_CHROMA_INPUT = 0x4000  # SWS_FULL_CHR_H_INP
_FILTERS: dict[Resize, int] = {
    "bicubic": int(Interpolation.BICUBIC),
    "area": int(Interpolation.AREA),
    "lanczos": int(Interpolation.LANCZOS),
    "bilinear": int(Interpolation.BILINEAR),
}
_BT601, _BT709 = int(Colorspace.ITU601), int(Colorspace.ITU709)
_MATRICES = {1: ("bt709", 1), 4: ("fcc", 4), 5: ("bt601", 5), 6: ("bt601", 5), 7: ("smpte240m", 7), 9: ("bt2020", 9)}
"""AVColorSpace of a frame, to our name and swscale's number."""
_NATIVE_THREADS = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
"""From 17 on PyAV scales on all cores by default; here a worker uses one core."""


class FrameConverter:
    """Converts the frames of one video; keeps swscale's tables between frames of the same sizes."""

    def __init__(self, rotation: Rotation) -> None:
        self._rotation = rotation
        self._reformatters: dict[tuple[int, int, Resize], VideoReformatter] = {}

    def convert(self, frame: VideoFrame, sizes: list[tuple[int, int, Resize]]) -> list[NDArray[np.uint8]]:
        """The frame at each size (width, height after rotation, and filter): uint8 `[3, H, W]` RGB.

        Raises:
            ValueError: the frame's pixel format cannot be converted.
        """
        try:
            plain = _strip_properties(frame)
            return [self._scale(plain, frame, *size) for size in sizes]
        except (av.error.FFmpegError, RuntimeError) as error:
            raise ValueError(f"pixels of the format {frame.format.name} cannot be converted: {error}") from error

    def _scale(
        self, plain: VideoFrame, frame: VideoFrame, width: int, height: int, resize: Resize
    ) -> NDArray[np.uint8]:
        reformatter = self._reformatters.setdefault((width, height, resize), VideoReformatter())
        coded_width, coded_height = self._rotation.swap_sides(width, height)
        _, matrix = _matrix_of(frame)
        scaled = reformatter.reformat(
            plain,
            width=coded_width,
            height=coded_height,
            format="gbrp",
            src_colorspace=matrix,
            dst_colorspace=_other_than(matrix) if not frame.format.is_rgb else matrix,
            interpolation=_FILTERS[resize] | _ACCURATE | _BITEXACT | (_FULL_CHROMA_INPUT if frame.format.is_rgb else 0),
            src_color_range=int(ColorRange.JPEG if _is_full_range(frame) else ColorRange.MPEG),
            dst_color_range=int(ColorRange.JPEG),
            **_NATIVE_THREADS,
        )
        green, blue, red = (
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:coded_height, :coded_width]
            for plane in scaled.planes
        )
        displayed = np.empty((3, height, width), np.uint8)
        for channel, plane in enumerate((red, green, blue)):
            displayed[channel] = self._rotation.apply(plane)
        return displayed


def describe_colours(frame: VideoFrame) -> tuple[str, str]:
    """The matrix and the range that a frame's conversion uses: `bt709`, `bt601`, …, `rgb`; `limited` or `full`."""
    if frame.format.is_rgb:
        return "rgb", "full"
    return _matrix_of(frame)[0], "full" if _is_full_range(frame) else "limited"


def _matrix_of(frame: VideoFrame) -> tuple[str, int]:
    known = _MATRICES.get(int(frame.colorspace))
    if known:
        return known
    return ("bt709", _BT709) if frame.height >= 720 else ("bt601", _BT601)


def _other_than(matrix: int) -> int:
    """A matrix for RGB, which has none; but PyAV before 17 sets none at all when both sides name the same one.

    From RGB to RGB, swscale goes by way of YUV: there both sides must agree.
    """
    return _BT709 if matrix == _BT601 else _BT601


def _is_full_range(frame: VideoFrame) -> bool:
    return int(frame.color_range) == int(ColorRange.JPEG) or frame.format.name.startswith("yuvj")


def _strip_properties(frame: VideoFrame) -> VideoFrame:
    """The picture alone."""
    if any(plane.line_size < 0 for plane in frame.planes):
        return frame  # stored bottom up, which planes of our own cannot be
    name = frame.format.name
    if name.startswith("gray"):
        # of grey frames FFmpeg 7 heeds the range, and FFmpeg 8 takes all for full; with colour planes both heed it
        plain = av.VideoFrame(frame.width, frame.height, name.replace("gray", "yuv420p"))
        _copy_plane(frame.planes[0], plain.planes[0])
        depth = frame.format.components[0].bits
        for plane in plain.planes[1:]:
            kind = np.dtype(np.uint8 if depth == 8 else np.uint16)
            plane.update(np.full(plane.buffer_size // kind.itemsize, 1 << depth - 1, kind).tobytes())
        return plain
    plain = av.VideoFrame(frame.width, frame.height, name.replace("yuvj", "yuv"))
    for source, target in zip(frame.planes, plain.planes, strict=True):
        _copy_plane(source, target)
    return plain


def _copy_plane(source: VideoPlane, target: VideoPlane) -> None:
    if source.line_size == target.line_size and source.buffer_size == target.buffer_size:
        target.update(cast("bytes", source))  # any buffer will do; the stub says less
        return
    rows = min(source.buffer_size // source.line_size, target.buffer_size // target.line_size)
    width = min(source.line_size, target.line_size)
    lines = np.frombuffer(memoryview(source), np.uint8)[: rows * source.line_size].reshape(rows, -1)
    copied = np.zeros((target.buffer_size // target.line_size, target.line_size), np.uint8)
    copied[:rows, :width] = lines[:, :width]
    target.update(copied.tobytes())
