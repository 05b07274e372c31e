"""Frame caches: every video decoded once for all grids, resumable, and read back memory-mapped.

`cache/{grid}/{video_id}.safetensors`, one file a video and grid (see `framefile`). A file that is there, and was made
from a video of the same size, is not made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError, VideoError
from ivbench_data.framefile import Clip, FrameFileWriter, read_frame_file, read_metadata, write_frame_file
from ivbench_data.sample import sample_indices
from ivbench_data.schema import CacheResult, FrameGrid
from ivbench_data.workspace import Workspace, default_root, digest_file, sweep_temporaries


@dataclass(frozen=True)
class CacheTask:
    """The work on one video; picklable, so that any engine can run `cache_video` on it."""

    workspace: Workspace
    video_id: str
    grids: tuple[FrameGrid, ...]


def cache_frames(
    dataset: Dataset, root: Path | str | None = None, grids: Sequence[FrameGrid] = (FrameGrid(nframes=32, res=240),)
) -> Iterator[CacheResult]:
    """Build the grids' files for every video that is there; a row for each video and grid, as they are finished.

    Raises:
        UsageError: no grid is given.
        StorageError: the root cannot be written.
    """
    if not grids:
        raise UsageError("no grid is given; say for example FrameGrid(nframes=32, res=240)")
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    sweep_temporaries(workspace.cache)
    for video in dataset.videos:
        yield from cache_video(CacheTask(workspace, video.video_id, tuple(dict.fromkeys(grids))))


def cache_video(task: CacheTask) -> list[CacheResult]:
    """Build what is missing of one video's grid files, decoding it once for all of them.

    Raises:
        StorageError: the root cannot be written.
    """
    source = task.workspace.find_video(task.video_id)
    if source is None:
        reason = f"there is no video file in {task.workspace.videos}"
        return [_row(task, grid, "missing", reason=reason) for grid in task.grids]
    size = str(source.stat().st_size)
    rows: dict[FrameGrid, CacheResult] = {}
    for grid in task.grids:
        path = task.workspace.cache_path(grid, task.video_id)
        metadata = read_metadata(path)
        if metadata is not None and metadata["grid"] == grid.identity and metadata.get("source_size_bytes") == size:
            rows[grid] = _row(task, grid, "skipped", size_bytes=path.stat().st_size)
    missing = [grid for grid in task.grids if grid not in rows]
    if missing:
        try:
            rows.update(_build(task, source, missing))
        except VideoError as error:
            rows.update({grid: _row(task, grid, "failed", reason=str(error)) for grid in missing})
    return [rows[grid] for grid in task.grids]


def read_frames(
    root: Path | str, video_id: str, grid: FrameGrid | str, *, dataset: str = "ivbench", check: bool = False
) -> Clip:
    """The frames of one video in one grid: uint8 `[T, 3, H, W]` memory-mapped, with timestamps and indices.

    `grid` may be written as its identity, `32x240`. With `check`, every byte is compared with the file's digests.

    Raises:
        CacheNotFoundError: there is no such cache file.
        CacheCorruptError: the file is damaged.
        UsageError: the grid or the id is none.
    """
    if isinstance(grid, str):
        try:
            grid = FrameGrid.parse(grid)
        except ValueError as error:
            raise UsageError(str(error)) from None
    return read_frame_file(Workspace(Path(root), dataset).cache_path(grid, video_id), check)


def _build(task: CacheTask, source: Path, grids: Sequence[FrameGrid]) -> dict[FrameGrid, CacheResult]:
    from ivbench_data.decode import ExtractionReport, FrameRequest, describe_decoder, iterate_frames, scan_video

    scan = scan_video(source)
    pts, pts_seconds = scan.pts.tolist(), scan.pts_seconds
    rows: dict[FrameGrid, CacheResult] = {}
    wanted: list[FrameGrid] = []
    requests: list[FrameRequest] = []
    for grid in grids:
        try:
            indices = sample_indices(grid, pts, scan.time_base, scan.average_rate, scan.duration_seconds)
        except ValueError as error:
            rows[grid] = _row(task, grid, "failed", reason=str(error))
            continue
        width, height = grid.size_of(*scan.displayed_size)
        wanted.append(grid)
        requests.append(FrameRequest(tuple(indices), width, height, grid.resize))
    if not wanted:
        return rows
    source_sha256, decoder = digest_file(source), json.dumps(describe_decoder(), sort_keys=True)
    report = ExtractionReport()
    short_side = min(scan.displayed_size)
    with ExitStack() as stack:
        writers: list[FrameFileWriter] = []
        for grid, request in zip(wanted, requests, strict=True):
            metadata = {
                "grid": grid.identity,
                "video_id": task.video_id,
                "source_sha256": source_sha256,
                "source_size_bytes": str(scan.size_bytes),
                "source_width": str(scan.width),
                "source_height": str(scan.height),
                "source_frames": str(scan.frames),
                "source_duration_seconds": repr(scan.duration_seconds),
                "timestamps": "container" if scan.is_timed else "frame rate",
                "codec": scan.codec,
                "upscaled": "yes" if grid.res > short_side else "no",
                "decoder": decoder,
            }
            indices_array = np.array(request.indices, dtype=np.int64)
            path = task.workspace.cache_path(grid, task.video_id)
            size = (request.width, request.height)
            writers.append(
                stack.enter_context(write_frame_file(path, size, pts_seconds[indices_array], indices_array, metadata))
            )
        for number, position, frame in iterate_frames(scan, requests, report):
            writers[number].put(position, frame)
        for writer in writers:
            writer.late_metadata = {
                "decode_path": report.decode_path,
                "rotation": str(report.rotation),
                "colour_matrix": report.colour_matrix,
                "colour_range": report.colour_range,
            }
    for grid, request in zip(wanted, requests, strict=True):
        rows[grid] = _row(
            task,
            grid,
            "done",
            frames=len(request.indices),
            size_bytes=task.workspace.cache_path(grid, task.video_id).stat().st_size,
            decode_path=report.decode_path,
            frames_decoded=report.packets_fed,
            upscaled=grid.res > short_side,
        )
    return rows


def _row(
    task: CacheTask,
    grid: FrameGrid,
    status: str,
    *,
    reason: str | None = None,
    frames: int = 0,
    size_bytes: int = 0,
    decode_path: str | None = None,
    frames_decoded: int = 0,
    upscaled: bool = False,
) -> CacheResult:
    return CacheResult(
        video_id=task.video_id,
        grid=grid.identity,
        status=status,
        reason=reason,
        frames=frames,
        size_bytes=size_bytes,
        decode_path=decode_path,
        frames_decoded=frames_decoded,
        upscaled=upscaled,
    )
