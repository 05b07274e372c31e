"""How a video's frames are rotated and mirrored for display: read from a decoded frame, applied to its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rotation:
    """Mirror left to right first, or not; then rotate."""

    degrees: int = 0
    """Counter-clockwise: 0, 90, 180 or 270."""
    is_mirrored: bool = False
    """Whether frames are mirrored left to right before they are rotated."""

    def swap_sides(self, width: int, height: int) -> tuple[int, int]:
        """Displayed width and height of a frame coded as `width` × `height`, or the reverse: it is its own inverse."""
        return (height, width) if self.degrees % 180 else (width, height)

    def apply(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The plane `[H, W]` as displayed; a view, not a copy."""
        return np.rot90(plane[:, ::-1] if self.is_mirrored else plane, self.degrees // 90)


NOT_ROTATED = Rotation()


def read_rotation(frame: VideoFrame) -> Rotation:
    """Rotation that is nearest to the container's display matrix (ISO/IEC 14496-12, 8.3.2); none without a matrix."""
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return NOT_ROTATED
    matrix = np.frombuffer(cast("bytes", side_data), "<i4")  # any buffer will do; the stub says nothing
    a, b, c, d = (int(matrix[at]) for at in (0, 1, 3, 4))
    is_mirrored = a * d < b * c
    angle = -degrees(atan2(-b, -a) if is_mirrored else atan2(b, a))
    return Rotation(round(angle / 90) * 90 % 360, is_mirrored)
