"""Length of each video, from the best source there is; the same for every stage that asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from ivbench_data.dataset import Dataset
from ivbench_data.errors import CacheError, VideoError
from ivbench_data.fetch.fetch_ledger import VideoHistory, read_histories
from ivbench_data.frames.cached_grids import list_grids
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.schema import FrameGrid, Video
from ivbench_data.video.decode import scan_video
from ivbench_data.video.fingerprint import FILE_NAME, Fingerprint, read_fingerprints
from ivbench_data.workspace import Workspace

DurationSource = Literal["cache", "file", "fingerprint", "dataset", "ledger"]
DURATION_SOURCES: Final[tuple[DurationSource, ...]] = get_args(DurationSource)
"""Where a length can come from, the best first: the cached frames' record of their file, the file's packets, its
fingerprint, the dataset (as released, or as the source said when the video was fetched), the ledger of fetching."""


@dataclass(frozen=True)
class VideoDuration:
    """Length of one video."""

    seconds: float
    """From the first frame's beginning to the last frame's end, or as the source says it."""
    source: DurationSource
    """Where it comes from."""


def find_durations(
    dataset: Dataset, workspace: Workspace | None = None, *, scans_files: bool = True
) -> dict[str, VideoDuration]:
    """Length of every video of the dataset, by id; videos of unknown length are left out.

    Args:
        dataset: whose videos, those that questions name among them.
        workspace: folder of the files, caches, fingerprints and ledger; None for the dataset's own values alone.
        scans_files: whether video files that have no cached frames are read; it takes up to a second for an hour.
    """
    videos = {video.video_id: video for video in dataset.videos}
    named = [question.video_id for question in dataset.questions if question.video_id is not None]
    readers: dict[DurationSource, Callable[[Video], float | None]] = {"dataset": lambda video: video.duration_seconds}
    if workspace is not None:
        readers |= _find_readers(workspace, scans_files)
    durations: dict[str, VideoDuration] = {}
    for video_id in dict.fromkeys((*videos, *named)):
        video = videos.get(video_id) or Video(video_id=video_id)
        found = _read_first(video, readers)
        if found is not None:
            durations[video_id] = found
    return durations


def _read_first(video: Video, readers: dict[DurationSource, Callable[[Video], float | None]]) -> VideoDuration | None:
    for source in DURATION_SOURCES:
        seconds = readers[source](video) if source in readers else None
        if seconds is not None and math.isfinite(seconds) and seconds > 0:
            return VideoDuration(seconds, source)
    return None


def _find_readers(workspace: Workspace, scans_files: bool) -> dict[DurationSource, Callable[[Video], float | None]]:
    grids = list_grids(workspace)
    fingerprints, _ = read_fingerprints(workspace.folder / FILE_NAME)
    histories = read_histories(workspace)
    readers: dict[DurationSource, Callable[[Video], float | None]] = {
        "cache": lambda video: _read_cache(workspace, grids, video.video_id),
        "fingerprint": lambda video: _read_fingerprint(fingerprints, video.video_id),
        "ledger": lambda video: _read_history(histories, video.video_id),
    }
    if scans_files:
        readers["file"] = lambda video: _read_file(workspace, video.video_id)
    return readers


def _read_cache(workspace: Workspace, grids: Sequence[FrameGrid], video_id: str) -> float | None:
    for grid in grids:
        path = workspace.cache_path(grid, video_id)
        try:
            if path.is_file():
                return float(read_frame_file(path).metadata["source_duration_seconds"])
        except (CacheError, KeyError, ValueError):
            continue
    return None


def _read_file(workspace: Workspace, video_id: str) -> float | None:
    path = workspace.find_video(video_id)
    try:
        return None if path is None else scan_video(path).duration_seconds
    except VideoError:
        return None  # `ivbench-data verify` says what is wrong with it


def _read_fingerprint(fingerprints: dict[str, Fingerprint], video_id: str) -> float | None:
    fingerprint = fingerprints.get(video_id)
    return None if fingerprint is None else fingerprint.duration_seconds


def _read_history(histories: dict[str, VideoHistory], video_id: str) -> float | None:
    history = histories.get(video_id)
    seconds = history.source_metadata.get("duration") if history is not None else None
    return float(seconds) if isinstance(seconds, int | float) else None
