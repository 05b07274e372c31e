"""The report's pictures, small and few: frames of videos in a strip, query images, single frames; within a budget."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ivbench_data.errors import CacheError, UsageError, VideoError
from ivbench_data.frames.cached_grids import find_grids
from ivbench_data.html.page import embed_image, embed_json
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image, render_image
from ivbench_data.video.decode import FrameRequest, find_indices_at, iterate_frames, scan_video
from ivbench_data.workspace import Workspace

if TYPE_CHECKING:
    from markupsafe import Markup
    from PIL import Image

    from ivbench_data.frames.frame_file import Clip

STRIP_FRAMES: Final = 8
STRIP_WIDTH: Final = 1120
"""Pixels of all frames side by side."""

IMAGE_SIDE: Final = 240
"""Pixels of an image's longer side."""

_QUALITY: Final = 72


class Pictures:
    """Pictures as they are asked for, each once, until the budget is spent; what came after it is counted."""

    def __init__(self, workspace: Workspace, max_bytes: int) -> None:
        self.videos: dict[str, dict[str, Any]] = {}
        """For each video with a strip: the strip's key, the times of its frames, and its length in seconds."""
        self.size_bytes = 0
        """Bytes of all pictures together, as written."""
        self.left_out = 0
        """Pictures that did not fit."""
        self._workspace = workspace
        self._max_bytes = max_bytes
        self._blocks: list[Markup] = []
        self._keys: dict[tuple[str, str], str | None] = {}

    def blocks(self) -> Iterator[Markup]:
        """The data blocks of all pictures."""
        yield from self._blocks

    def add_video(self, video_id: str | None) -> None:
        """See that the video's strip is there, if it has cached frames."""
        if video_id is None or ("strip", video_id) in self._keys:
            return
        clip = self._read_clip(video_id)
        if clip is None or not len(clip.frames):
            self._keys["strip", video_id] = None
            return
        count = min(STRIP_FRAMES, len(clip.frames))
        chosen = [round(number) for number in np.linspace(0, len(clip.frames) - 1, count)]
        key = self._add("strip", video_id, _join(clip.frames[chosen]))
        if key is not None:
            times = clip.pts_seconds
            step = float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
            self.videos[video_id] = {
                "picture": key,
                "times": [round(float(times[index]), 3) for index in chosen],
                "duration": round(self._find_duration(clip, float(times[-1]) + step), 3),
            }

    def add_image(self, image_id: str) -> str | None:
        """The key of the image's picture; None when there is no file, or no room."""
        if ("image", image_id) in self._keys:
            return self._keys["image", image_id]
        path = self._workspace.image_path(image_id)
        try:
            with open_image(path) as image:
                image.draft(image.mode, (IMAGE_SIDE, IMAGE_SIDE))
                picture = render_image(image)
                picture.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
        except (FileNotFoundError, ImageProblemError, *IMAGE_ERRORS):
            self._keys["image", image_id] = None
            return None
        return self._add("image", image_id, picture)

    def add_frame(self, video_id: str | None, time_seconds: float) -> str | None:
        """The key of the frame on screen at that time, from the file or else the nearest cached one."""
        if video_id is None:
            return None
        name = f"{video_id}@{time_seconds:.3f}"
        if ("frame", name) in self._keys:
            return self._keys["frame", name]
        frame = self._read_frame(video_id, time_seconds)
        return None if frame is None else self._add("frame", name, _to_image(frame))

    def _add(self, kind: str, name: str, picture: Image.Image) -> str | None:
        key = f"{kind}-{len(self._keys)}"
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=_QUALITY, optimize=True)
        block = embed_json(key, embed_image(file.getvalue(), "image/jpeg"))
        if self.size_bytes + len(block) > self._max_bytes:
            self.left_out += 1
            self._keys[kind, name] = None
            return None
        self.size_bytes += len(block)
        self._blocks.append(block)
        self._keys[kind, name] = key
        return key

    def _read_clip(self, video_id: str) -> Clip | None:
        from ivbench_data.frames.reader import read_frames

        workspace = self._workspace
        for grid in find_grids(workspace, video_id):
            try:
                return read_frames(workspace.dataset, video_id, grid, workspace.root)
            except (CacheError, UsageError):
                continue
        return None

    def _read_frame(self, video_id: str, time_seconds: float) -> npt.NDArray[np.uint8] | None:
        path = self._workspace.find_video(video_id)
        if path is not None:
            try:
                scan = scan_video(path)
                width, height = scan.displayed_size
                scale = min(1.0, IMAGE_SIDE / max(width, height))
                size = (max(1, round(width * scale)), max(1, round(height * scale)))
                request = FrameRequest(tuple(find_indices_at(scan, [time_seconds])), *size, "area")
                return next(frame for _, _, frame in iterate_frames(scan, [request]))
            except VideoError:
                pass  # the cache may still have it
        clip = self._read_clip(video_id)
        if clip is None:
            return None
        nearest: npt.NDArray[np.uint8] = clip.frames[int(np.abs(clip.pts_seconds - time_seconds).argmin())]
        return nearest

    @staticmethod
    def _find_duration(clip: Clip, estimate: float) -> float:
        seconds = clip.metadata.get("source_duration_seconds", "")
        try:
            return float(seconds)
        except ValueError:
            return estimate


def _join(frames: npt.NDArray[np.uint8]) -> Image.Image:
    """The frames side by side: one RGB picture from uint8 `[T, 3, H, W]`."""
    side_by_side = _to_image(np.concatenate(list(frames), axis=2))
    scale = min(1.0, STRIP_WIDTH / side_by_side.width)
    return side_by_side.resize((round(side_by_side.width * scale), max(1, round(side_by_side.height * scale))))


def _to_image(frame: npt.NDArray[np.uint8]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0)))
