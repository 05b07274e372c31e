"""Estimate a cache's cost before building: bytes, time, disk space, visual tokens.

Sizes are measured on a sample of the videos, spread over the dataset; time on one of them, by decoding it. Videos
without a file are not estimated, but counted separately.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivbench_data.dataset import Dataset
from ivbench_data.errors import VideoError
from ivbench_data.frames.cache import CacheOptions, CacheTask, find_work
from ivbench_data.frames.display_digest import PlainVideos
from ivbench_data.frames.grids import TOKEN_RULES
from ivbench_data.frames.samplers import find_moments, sample_indices
from ivbench_data.schema import FrameGrid
from ivbench_data.video.decode import FrameRequest, VideoScan, iterate_frames, scan_video
from ivbench_data.workers import available_cores
from ivbench_data.workspace import Workspace, default_root

SAMPLE_VIDEOS = 16
"""How many videos are measured."""

MEASURING_SECONDS = 20.0
"""Time limit for decoding one video, to estimate the time for all."""


@dataclass(frozen=True)
class GridPlan:
    """Estimated cost of one grid."""

    grid: FrameGrid
    videos_done: int
    videos_to_do: int
    bytes_to_write: int
    """Estimated from the sample's frame sizes."""
    visual_tokens: dict[str, int]
    """Visual tokens of the sample's median video, by model."""


@dataclass(frozen=True)
class CachePlan:
    """Estimated cost of building the grids."""

    grids: tuple[GridPlan, ...]
    videos: int
    videos_missing: int
    """Videos without a file: reported, at no cost."""
    videos_measured: int
    estimated_seconds: float | None
    """With the requested workers; None when no video could be measured."""
    disk_free_bytes: int
    folder: Path


def plan_cache(
    dataset: Dataset, root: Path | str | None, grids: Sequence[FrameGrid], options: CacheOptions
) -> CachePlan:
    """Estimate the cost of building those grids, measured on some of the videos; writes nothing."""
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    ids = [video.video_id for position, video in enumerate(dataset.videos) if options.takes(position)]
    remaining: dict[str, set[FrameGrid]] = {}
    moments, plain = find_moments(dataset.questions), PlainVideos(workspace)
    missing = 0
    for video_id in ids:
        rows, task = find_work(CacheTask(workspace, video_id, tuple(grids), moments.get(video_id, ())), plain)
        missing += any(row.status == "missing" for row in rows)
        if task is not None:
            remaining[video_id] = set(task.grids)
    present = [video_id for video_id in ids if workspace.find_video(video_id) is not None]
    sample = _measure_sample(workspace, present, moments)
    seconds = _estimate_seconds(sample, grids, remaining, options)
    planned = []
    for grid in dict.fromkeys(grids):
        to_do = sum(grid in wanted for wanted in remaining.values())
        sizes = sorted(one.count_bytes(grid) for one in sample)
        each = sum(sizes) // len(sizes) if sizes else 0
        planned.append(
            GridPlan(
                grid=grid,
                videos_done=len(present) - to_do,
                videos_to_do=to_do,
                bytes_to_write=each * to_do,
                visual_tokens=_median_tokens(sample, grid),
            )
        )
    existing = next(folder for folder in (workspace.cache, *workspace.cache.parents) if folder.exists())
    return CachePlan(
        grids=tuple(planned),
        videos=len(ids),
        videos_missing=missing,
        videos_measured=len(sample),
        estimated_seconds=seconds,
        disk_free_bytes=shutil.disk_usage(existing).free,
        folder=workspace.cache,
    )


@dataclass(frozen=True)
class _Measured:
    """One video of the sample."""

    scan: VideoScan
    moments: tuple[float, ...]

    def find_indices(self, grid: FrameGrid) -> list[int]:
        """Indices of the frames that the grid samples; empty where it cannot."""
        scan = self.scan
        try:
            return sample_indices(
                grid,
                scan.pts.tolist(),
                scan.time_base,
                scan.average_rate,
                scan.duration_seconds,
                self.moments,
                scan.clock.zero_pts,
            )
        except ValueError:
            return []

    def count_bytes(self, grid: FrameGrid) -> int:
        """Bytes of the grid's frames."""
        width, height = grid.size_of(*self.scan.displayed_size)
        return len(self.find_indices(grid)) * 3 * width * height


def _measure_sample(
    workspace: Workspace, video_ids: Sequence[str], moments: Mapping[str, tuple[float, ...]]
) -> list[_Measured]:
    step = max(1, len(video_ids) // SAMPLE_VIDEOS)
    sample = []
    for video_id in video_ids[::step][:SAMPLE_VIDEOS]:
        path = workspace.find_video(video_id)
        try:
            sample.append(_Measured(scan_video(path), moments.get(video_id, ()))) if path else None
        except VideoError:
            continue  # it will be a failed row, and costs next to nothing
    return sample


def _median_tokens(sample: Sequence[_Measured], grid: FrameGrid) -> dict[str, int]:
    counts = {}
    for model, rule in TOKEN_RULES.items():
        costs = sorted(rule(len(one.find_indices(grid)), *grid.size_of(*one.scan.displayed_size)) for one in sample)
        if costs:
            counts[model] = costs[len(costs) // 2]
    return counts


def _estimate_seconds(
    sample: Sequence[_Measured],
    grids: Sequence[FrameGrid],
    remaining: dict[str, set[FrameGrid]],
    options: CacheOptions,
) -> float | None:
    """Seconds for all videos: the median sample video is decoded for all grids, and stands for the others."""
    if not sample:
        return None
    if not remaining:
        return 0.0
    median = sorted(sample, key=lambda one: one.scan.duration_seconds)[len(sample) // 2]
    scan = median.scan
    requests = [
        FrameRequest(tuple(indices), *grid.size_of(*scan.displayed_size), grid.resize, grid.deinterlace, grid.tone_map)
        for grid in grids
        if (indices := median.find_indices(grid))
    ]
    frames = sum(len(request.indices) for request in requests)
    started = time.monotonic()
    each = 0.0
    try:
        for done, _ in enumerate(iterate_frames(scan, requests), 1):
            elapsed = time.monotonic() - started
            each = elapsed * frames / done
            if elapsed > MEASURING_SECONDS:
                break
    except VideoError:
        return None
    workers = available_cores() if options.workers is None else max(1, options.workers)
    return each * len(remaining) / workers
