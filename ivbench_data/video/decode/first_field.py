"""Rebuild an interlaced frame from the field that is shown first, so that one moment is shown and not two.

The lines of that field stay as they are. Each line of the other field becomes the mean of its two neighbours, in
integers, halves up: `(above + below + 1) // 2`; at an edge, its one neighbour. Frame i stays frame i.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import av
import av.filter
import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

Field = Literal["top", "bottom"]


def rebuild_from_first_field(frame: VideoFrame) -> tuple[VideoFrame, Field]:
    """A frame of the same size and format, made of one field, and which one that is.

    Raises:
        ValueError: its pixels are stored bottom up, or are numbers of a palette.
        FFmpegError: its height is odd, so that its fields differ in size.
    """
    if frame.format.name == "pal8" or any(plane.line_size < 0 for plane in frame.planes):
        raise ValueError(f"interlaced pixels of the format {frame.format.name} cannot be taken apart")
    field = find_first_field(frame)
    kind = np.dtype("<u2" if frame.format.components[0].bits > 8 else "u1")
    rebuilt = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for source, target in zip(frame.planes, rebuilt.planes, strict=True):
        lines = _interpolate(_read_lines(source).view(kind), 0 if field == "top" else 1)
        written = np.zeros((target.buffer_size // target.line_size, target.line_size), np.uint8)
        copied = lines.view(np.uint8)[: len(written), : target.line_size]
        written[: len(copied), : copied.shape[1]] = copied
        target.update(written.tobytes())
    return rebuilt, field


def find_first_field(frame: VideoFrame) -> Field:
    """The field that is shown first, by the frame's own flag; `top` where both hold the same.

    Not every supported PyAV shows that flag. FFmpeg's filter `separatefields` follows it, and copies lines as they are:
    the field that it gives first is the one whose lines these are.
    """
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    separate, sink = graph.add("separatefields"), graph.add("buffersink")
    source.link_to(separate)
    separate.link_to(sink)
    graph.configure()
    source.push(frame)
    first: Any = sink.pull()
    for whole, half in zip(frame.planes, first.planes, strict=True):
        lines, field = _read_lines(whole), _read_lines(half)
        width = min(lines.shape[1], field.shape[1], whole.width * -(-frame.format.components[0].bits // 8))
        rows = min(len(field), len(lines) // 2)
        if not np.array_equal(lines[: 2 * rows : 2, :width], field[:rows, :width]):
            return "bottom"
    return "top"


def _read_lines(plane: VideoPlane) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)


def _interpolate(lines: NDArray[Any], kept: int) -> NDArray[Any]:
    """The lines, of which every second one from `kept` on stays, and the others are means of their neighbours."""
    made, height = lines.copy(), len(lines)
    for at in range(1 - kept, height, 2):
        above, below = lines[at - 1 if at > 0 else at + 1], lines[at + 1 if at + 1 < height else at - 1]
        made[at] = (above.astype(np.uint32) + below + 1) // 2
    return made
