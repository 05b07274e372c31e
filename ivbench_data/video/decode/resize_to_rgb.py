"""Resize a decoded frame and convert it to RGB, with the same bytes on every machine.

One swscale call goes straight to the size and to planar RGB: bicubic (or as asked), accurate rounding, bit-exact,
with the stream's own matrix and range; where it names none, BT.709 from 720 lines up, else BT.601, and limited range.
Planar because it is what is stored, and because swscale's packed RGB goes through 8-bit tables that make white 253.
The decoder's other properties, such as chroma location and field order, are withheld from swscale:
FFmpeg 7 ignores them and FFmpeg 8 does not, and the same file must give the same bytes with both.
What the container crops is left out of the planes before. YCgCo, which swscale does not know, is scaled by it and
converted here; a matrix that neither knows is refused by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from ivbench_data.errors import VideoError
from ivbench_data.schema import Resize
from ivbench_data.video.container_crop import NO_CROP, Crop
from ivbench_data.video.decode.first_field import rebuild_from_first_field
from ivbench_data.video.decode.tone_map import PRIMARIES, map_tones
from ivbench_data.video.display import HDR_TRANSFERS, MATRIX_NAMES
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
_UNSPECIFIED, _YCGCO = 2, 8
_NATIVE_THREADS = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
"""From 17 on PyAV scales on all cores by default; here a worker uses one core."""


class FrameSize(NamedTuple):
    """What a frame's pixels depend on."""

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


class FrameConverter:
    """Converts the frames of one video; keeps swscale's tables between frames of the same sizes.

    Args:
        rotation: how frames are turned.
        crop: what the container leaves out.
        fields: counts the frames that were rebuilt from their `top` or `bottom` field.
        colours: transfer and primaries, as `DisplayProperties` names them.
    """

    def __init__(
        self,
        rotation: Rotation,
        crop: Crop = NO_CROP,
        fields: Counter[str] | None = None,
        colours: tuple[str, str] = ("unspecified", "unspecified"),
    ) -> None:
        self._rotation = rotation
        self._crop = crop
        self._fields: Counter[str] = Counter() if fields is None else fields
        self._transfer, self._primaries = colours
        self._reformatters: dict[tuple[int, int, Resize, bool], VideoReformatter] = {}

    def convert(self, frame: VideoFrame, sizes: Sequence[FrameSize]) -> list[NDArray[np.uint8]]:
        """The frame at each size: uint8 `[3, H, W]` RGB.

        Raises:
            ValueError: the frame's pixel format cannot be converted.
        """
        try:
            plain = {wanted: self._strip(frame, wanted) for wanted in {size.deinterlace for size in sizes}}
            return [self._scale(plain[size.deinterlace], frame, size) for size in sizes]
        except (av.error.FFmpegError, RuntimeError) as error:
            raise ValueError(f"pixels of the format {frame.format.name} cannot be converted: {error}") from error

    def _strip(self, frame: VideoFrame, deinterlace: bool) -> VideoFrame:
        if deinterlace and frame.interlaced_frame:
            rebuilt, field = rebuild_from_first_field(frame)
            self._fields[field] += 1
            return _strip_properties(rebuilt, self._crop)
        return _strip_properties(frame, self._crop)

    def _scale(self, plain: VideoFrame, frame: VideoFrame, size: FrameSize) -> NDArray[np.uint8]:
        resize = size.resize
        is_mapped = size.tone_map and self._transfer in HDR_TRANSFERS
        reformatter = self._reformatters.setdefault((size.width, size.height, resize, is_mapped), VideoReformatter())
        coded_width, coded_height = self._rotation.swap_sides(size.width, size.height)
        if is_mapped:
            check_tones(frame, self._primaries)
            planes = _scale_planes(reformatter, plain, frame, coded_width, coded_height, resize)
            depth, is_full = frame.format.components[0].bits, _is_full_range(frame)
            matrix_name = _matrix_of(frame)[0]
            return self._display(map_tones(planes, depth, is_full, matrix_name, self._transfer, self._primaries))
        if _is_ycgco(frame):
            return self._display(_scale_ycgco(reformatter, plain, frame, coded_width, coded_height, resize))
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
        green, blue, red = _read_planes(scaled, coded_width, coded_height, np.uint8)
        return self._display((red, green, blue))

    def _display(self, planes: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        return np.stack([self._rotation.apply(plane) for plane in planes])


def check_matrix(path: Path, frame: VideoFrame) -> None:
    """Return when the frame's colours can be converted by the matrix that it states; none stated is the usual one.

    Raises:
        VideoError: the matrix is not known, or not supported.
    """
    number = int(frame.colorspace)
    is_without = frame.format.is_rgb or frame.format.name.startswith(("gray", "mono", "pal"))
    if is_without or number in _MATRICES or number in (_UNSPECIFIED, _YCGCO):
        return
    name = MATRIX_NAMES.get(number, f"number {number} of ITU-T H.273")
    raise VideoError(
        f"{path.name}: unsupported matrix: its colours are stored as {name}, in pixels of the format "
        f"{frame.format.name}: convert the video to BT.709, or state its matrix"
    )


def check_tones(frame: VideoFrame, primaries: str) -> None:
    """Return when the frame's HDR can become SDR.

    Raises:
        ValueError: its pixels are RGB or YCgCo, or its primaries are others than those of BT.2020 and BT.709.
    """
    if frame.format.is_rgb or _is_ycgco(frame):
        raise ValueError(f"-tm maps the tones of YCbCr, not of pixels of the format {frame.format.name}")
    if primaries not in PRIMARIES:
        raise ValueError(f"-tm knows the primaries {', '.join(PRIMARIES)}, not {primaries}")


def describe_colours(frame: VideoFrame) -> tuple[str, str]:
    """The matrix and the range that a frame's conversion uses: `bt709`, `bt601`, …, `rgb`; `limited` or `full`."""
    if frame.format.is_rgb:
        return "rgb", "full"
    name = "ycgco" if _is_ycgco(frame) else _matrix_of(frame)[0]
    return name, "full" if _is_full_range(frame) else "limited"


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


def _is_ycgco(frame: VideoFrame) -> bool:
    return int(frame.colorspace) == _YCGCO and not frame.format.is_rgb


def _scale_ycgco(
    reformatter: VideoReformatter, plain: VideoFrame, frame: VideoFrame, width: int, height: int, resize: Resize
) -> tuple[NDArray[np.uint8], ...]:
    """Red, green and blue `[H, W]`: swscale scales alone, and the matrix is ours (ITU-T H.273, equations 50 to 57)."""
    depth = frame.format.components[0].bits
    luma, green, orange = _scale_planes(reformatter, plain, frame, width, height, resize)
    middle, step = 1 << depth - 1, 1 << depth - 8
    if _is_full_range(frame):
        black, luma_span, chroma_span = 0, (1 << depth) - 1, (1 << depth) - 1
    else:
        black, luma_span, chroma_span = 16 * step, 219 * step, 224 * step
    luma = (luma - black) * chroma_span
    green, orange = (green - middle) * luma_span, (orange - middle) * luma_span
    unit = luma_span * chroma_span
    mixed = (luma - green + orange, luma + green, luma - green - orange)
    return tuple(np.clip((510 * plane + unit) // (2 * unit), 0, 255).astype(np.uint8) for plane in mixed)


def _scale_planes(
    reformatter: VideoReformatter, plain: VideoFrame, frame: VideoFrame, width: int, height: int, resize: Resize
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The three components at one size, int64 `[H, W]`, in the frame's own bits: swscale scales alone."""
    depth = frame.format.components[0].bits
    scaled = reformatter.reformat(
        plain,
        width=width,
        height=height,
        format="yuv444p" if depth == 8 else f"yuv444p{depth}le",
        src_colorspace=_BT601,
        dst_colorspace=_BT601,
        interpolation=_FILTERS[resize] | _ACCURATE | _BITEXACT,
        src_color_range=int(ColorRange.MPEG),
        dst_color_range=int(ColorRange.MPEG),
        **_NATIVE_THREADS,
    )
    kind = np.uint8 if depth == 8 else np.uint16
    first, second, third = (plane.astype(np.int64) for plane in _read_planes(scaled, width, height, kind)[:3])
    return first, second, third


def _read_planes(frame: VideoFrame, width: int, height: int, kind: type[np.generic]) -> list[NDArray[Any]]:
    item = np.dtype(kind).itemsize
    return [
        np.frombuffer(memoryview(plane), kind).reshape(-1, plane.line_size // item)[:height, :width]
        for plane in frame.planes
    ]


def _strip_properties(frame: VideoFrame, crop: Crop = NO_CROP) -> VideoFrame:
    """The picture alone, of which the crop is left out."""
    if any(plane.line_size < 0 for plane in frame.planes):
        if crop != NO_CROP:
            raise ValueError("the container crops pictures that are stored bottom up")
        return frame  # stored bottom up, which planes of our own cannot be
    name = frame.format.name
    width, height = frame.width - crop.left - crop.right, frame.height - crop.top - crop.bottom
    if min(width, height) < 1:  # a size that changed on the way, which the crop is not meant for
        width, height, crop = frame.width, frame.height, NO_CROP
    if name.startswith("gray"):
        # of grey frames FFmpeg 7 heeds the range, and FFmpeg 8 takes all for full; with colour planes both heed it
        plain = av.VideoFrame(width, height, name.replace("gray", "yuv420p"))
        _copy_plane(frame.planes[0], plain.planes[0], *_find_corner(frame, 0, crop))
        depth = frame.format.components[0].bits
        for plane in plain.planes[1:]:
            kind = np.dtype(np.uint8 if depth == 8 else np.uint16)
            plane.update(np.full(plane.buffer_size // kind.itemsize, 1 << depth - 1, kind).tobytes())
        return plain
    plain = av.VideoFrame(width, height, name.replace("yuvj", "yuv"))
    for number, (source, target) in enumerate(zip(frame.planes, plain.planes, strict=True)):
        _copy_plane(source, target, *_find_corner(frame, number, crop))
    return plain


def _find_corner(frame: VideoFrame, number: int, crop: Crop) -> tuple[int, int]:
    """Row and byte of a plane at which the shown part begins; chroma between two samples begins at the first."""
    if crop == NO_CROP:
        return 0, 0
    components = [part for part in frame.format.components if part.plane == number]
    if len(frame.planes) == 1:
        left = crop.left - crop.left % (16 // frame.format.chroma_width(16))  # packed 4:2:2 goes in pairs
        return crop.top, left * frame.format.padded_bits_per_pixel // 8
    is_chroma = not any(part.is_luma or part.is_alpha for part in components) and not frame.format.is_rgb
    wide, high = (16 // frame.format.chroma_width(16), 16 // frame.format.chroma_height(16)) if is_chroma else (1, 1)
    return crop.top // high, crop.left // wide * sum(-(-part.bits // 8) for part in components)


def _copy_plane(source: VideoPlane, target: VideoPlane, top: int = 0, left_bytes: int = 0) -> None:
    is_same = source.line_size == target.line_size and source.buffer_size == target.buffer_size
    if is_same and not top and not left_bytes:
        target.update(cast("bytes", source))  # any buffer will do; the stub says less
        return
    rows = min(source.buffer_size // source.line_size - top, target.buffer_size // target.line_size)
    width = min(source.line_size - left_bytes, target.line_size)
    lines = np.frombuffer(memoryview(source), np.uint8)
    lines = lines[: (top + rows) * source.line_size].reshape(top + rows, -1)[top:, left_bytes:]
    copied = np.zeros((target.buffer_size // target.line_size, target.line_size), np.uint8)
    copied[:rows, :width] = lines[:, :width]
    target.update(copied.tobytes())
