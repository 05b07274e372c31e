"""Frame times in the form that processors and servers take: frames per second, and the number of each frame.

A frame number and a constant rate cannot express a variable frame rate. So every clip is described as 1,000 frames per
second, where frame 1,250 is shown at 1.25 s: exact to half a millisecond for any source.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivbench_data.evaluate.prompts.requests import VideoPart
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.schema import FrameGrid

TICKS_PER_SECOND = 1000


@dataclass(frozen=True)
class Timing:
    """Times of the shown frames, in ticks of 1 ms."""

    fps: int
    """Ticks per second."""
    total_num_frames: int
    """Ticks that the shown frames cover: the whole video, or, for a part of it, the mean distance of two frames times
    the number of frames."""
    frames_indices: tuple[int, ...]
    """Tick at which each frame is shown."""

    @property
    def sampled_fps(self) -> float:
        """Shown frames per second, as `VideoMetadata.sampled_fps` of transformers computes it."""
        return len(self.frames_indices) / self.total_num_frames * self.fps

    def average_seconds(self, size: int) -> list[float]:
        """For every `size` frames, the middle between the first and the last, in seconds; padded with the last frame.

        As `Qwen3VLProcessor._calculate_timestamps` of transformers does.
        """
        ticks = list(self.frames_indices)
        ticks += ticks[-1:] * (-len(ticks) % size)
        return [(ticks[at] / self.fps + ticks[at + size - 1] / self.fps) / 2 for at in range(0, len(ticks), size)]


def describe_timing(video: VideoPart) -> Timing:
    """The times of a video's frames.

    All frames together cover the whole duration, as the processors assume; selected ones (those of the evidence or of a
    span) cover the time between them.

    Raises:
        CacheError: the cache file is missing or damaged.
    """
    ticks = tuple(round(pts * TICKS_PER_SECOND) for pts in video.pts_seconds)
    if _shows_whole_video(video):
        total = round(video.duration_seconds * TICKS_PER_SECOND)
    elif len(ticks) > 1:
        total = round((ticks[-1] - ticks[0]) * len(ticks) / (len(ticks) - 1))
    else:
        total = TICKS_PER_SECOND
    return Timing(TICKS_PER_SECOND, max(1, total), ticks)


def _shows_whole_video(video: VideoPart) -> bool:
    if FrameGrid.parse(video.grid).span is not None:
        return False
    return video.positions is None or len(video.positions) == len(read_frame_file(video.path).indices)
