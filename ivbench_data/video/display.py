"""How a player shows a video: read once, applied by whoever decodes it, and kept beside its frames.

Rotation, non-square pixels and the container's crop are applied: without them shapes are wrong. The other properties
are named, and frames are as decoded. Numbers of colours are those of ITU-T H.273.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ivbench_data.video.container_crop import NO_CROP, Crop, read_container_crop
from ivbench_data.video.rotation import NOT_ROTATED, Rotation, read_rotation
from ivbench_data.video.stream_choice import describe_stream, list_videos

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_STRETCH: Final = 16
"""A pixel that is said to be more than this much wider than high, or the reverse, is taken for square."""

MATRIX_NAMES: Final = {
    0: "rgb", 1: "bt709", 2: "unspecified", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 8: "ycgco", 9: "bt2020",
    10: "bt2020-constant-luminance", 11: "smpte2085", 12: "chromaticity-derived",
    13: "chromaticity-derived-constant-luminance", 14: "ictcp", 15: "ipt-c2", 16: "ycgco-re", 17: "ycgco-ro",
}  # fmt: skip
_PRIMARIES = {
    1: "bt709", 2: "unspecified", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "illuminant-c",
    9: "bt2020", 10: "smpte428", 11: "dci-p3", 12: "display-p3", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS = {
    1: "bt709", 2: "unspecified", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "xvycc", 12: "bt1361", 13: "srgb", 14: "bt2020-10", 15: "bt2020-12", 16: "pq", 17: "smpte428",
    18: "hlg",
}  # fmt: skip
HDR_TRANSFERS: Final = ("pq", "hlg")
"""Names of the transfers of HDR."""
_RANGES = {0: "unspecified", 1: "limited", 2: "full"}


@dataclass(frozen=True)
class DisplayProperties:
    """What a player does with a video's pictures, and what it knows of their colours."""

    sample_aspect_ratio: Fraction = Fraction(1)
    """Width of a pixel over its height, before rotation."""
    crop: Crop = NO_CROP
    """Pixels that the container leaves out, before rotation."""
    rotation: Rotation = NOT_ROTATED
    """Mirror and rotation."""
    matrix: str = "unspecified"
    """Matrix coefficients, as the stream states them."""
    primaries: str = "unspecified"
    """Colour primaries."""
    transfer: str = "unspecified"
    """Transfer characteristics; `pq` and `hlg` are HDR."""
    colour_range: str = "unspecified"
    """`limited` or `full`."""
    field_order: str = "progressive"
    """`interlaced` when the first frame says so."""
    has_alpha: bool = False
    """Whether pixels have an opacity, which the frames leave out."""
    stream: str = ""
    """Number, codec and size of the stream."""
    rivals: tuple[str, ...] = ()
    """Those of the file's other video streams; covers are none."""

    @property
    def is_plain(self) -> bool:
        """Whether frames are shown as they are decoded, but for a rotation, and nothing is to be said of them."""
        return not self.describe()

    def displayed_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown, of pictures coded as `width` × `height`; sides are stretched, never shrunk."""
        wide, high = width - self.crop.left - self.crop.right, height - self.crop.top - self.crop.bottom
        ratio = self.sample_aspect_ratio
        if ratio > 1:
            wide = round(wide * ratio)
        elif ratio < 1:
            high = round(high / ratio)
        return self.rotation.swap_sides(wide, high)

    def describe(self) -> list[str]:
        """What is not plain about it, a sentence each that begins with a name and a colon; a rotation is plain."""
        ratio = self.sample_aspect_ratio
        sentences: list[str] = []
        if ratio != 1:
            sentences.append(
                f"non-square pixels: they are shown {ratio.numerator}:{ratio.denominator} wide, as players do"
            )
        if self.crop != NO_CROP:
            sides = ", ".join(f"{name} {count}" for name, count in self.crop._asdict().items() if count)
            sentences.append(f"container crop: pixels left out as players do: {sides}")
        if self.transfer in HDR_TRANSFERS:
            sentences.append(
                f"HDR: its transfer is {self.transfer}; frames are as decoded, and look washed out; try -tm"
            )
        if self.field_order != "progressive":
            sentences.append(
                "interlaced: frames are as decoded, and show both fields, combed where things move; try -deint"
            )
        if self.matrix == "ycgco":
            sentences.append("unusual matrix: ycgco, converted by ITU-T H.273")
        if self.has_alpha:
            sentences.append("alpha: pixels have an opacity, which frames leave out")
        if self.rivals:
            sentences.append(f"several streams: stream {self.stream} is taken, not {', '.join(self.rivals)}")
        return sentences

    def to_json(self) -> str:
        """The record, as one line: the same text for the same properties, on every machine."""
        ratio = self.sample_aspect_ratio
        facts = {
            "sample_aspect_ratio": f"{ratio.numerator}:{ratio.denominator}",
            "crop": self.crop._asdict(),
            "rotation": self.rotation.degrees,
            "mirrored": self.rotation.is_mirrored,
            "matrix": self.matrix,
            "primaries": self.primaries,
            "transfer": self.transfer,
            "range": self.colour_range,
            "field_order": self.field_order,
            "alpha": self.has_alpha,
            "stream": self.stream,
            "rivals": list(self.rivals),
        }
        return json.dumps(facts, sort_keys=True, ensure_ascii=False)


def read_display(
    path: Path, container: InputContainer, stream: VideoStream, frame: VideoFrame | None = None
) -> DisplayProperties:
    """The properties of an open video; without its first frame, rotation, fields and alpha are not known."""
    videos = list_videos(container)
    number = next(at for at, video in enumerate(videos) if video.index == stream.index)
    shown = read_container_crop(path, number)
    context = stream.codec_context
    size = context.width - shown.crop.left - shown.crop.right, context.height - shown.crop.top - shown.crop.bottom
    ratio = shown.sample_aspect_ratio or Fraction(stream.sample_aspect_ratio or 1)
    if not Fraction(1, MAX_STRETCH) <= ratio <= MAX_STRETCH or not _changes_size(ratio, *size):
        ratio = Fraction(1)
    matrix = int(context.colorspace if frame is None else frame.colorspace)
    return DisplayProperties(
        sample_aspect_ratio=ratio,
        crop=shown.crop,
        rotation=NOT_ROTATED if frame is None else read_rotation(frame),
        matrix=MATRIX_NAMES.get(matrix, f"number {matrix}"),
        primaries=_name(_PRIMARIES, int(context.color_primaries)),
        transfer=_name(_TRANSFERS, int(context.color_trc)),
        colour_range=_name(_RANGES, int(context.color_range)),
        field_order="interlaced" if frame is not None and frame.interlaced_frame else "progressive",
        has_alpha=frame is not None and _has_alpha(frame),
        stream=describe_stream(stream),
        rivals=tuple(describe_stream(video) for video in videos if video.index != stream.index),
    )


def _changes_size(ratio: Fraction, width: int, height: int) -> bool:
    """Whether the shape of its pixels changes a picture's size: muxers round square ones to 4096:4095."""
    return min(width, height) > 0 and (round(width * ratio) != width if ratio > 1 else round(height / ratio) != height)


def _name(names: dict[int, str], number: int) -> str:
    return names.get(number, f"number {number}")


def _has_alpha(frame: VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components)
