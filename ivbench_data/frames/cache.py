"""Build frame caches: each video is decoded once for all grids, by many workers, resumable.

`cache/{grid}/{video_id}.safetensors`, one file a video and grid (see `frame_file`; `reader` reads them). A file that
exists, and was built from a video of the same size, is not built again; unless its frames were chosen by times that
are mended now (a clock that is mended is in the file's metadata).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from ivbench_data.atomic_files import delete, digest_stream, sweep_temporaries
from ivbench_data.dataset import Dataset
from ivbench_data.errors import CacheError, UnreadableVideoError, UsageError, VideoError
from ivbench_data.frames.display_digest import PlainVideos, depends_on_clock, digest_display, needs_digest
from ivbench_data.frames.frame_file import Clip, FrameFileWriter, read_frame_file, write_frame_file
from ivbench_data.frames.samplers import digest_moments, find_moments, sample_indices
from ivbench_data.schema import CacheResult, CacheStatus, FrameGrid, Level, Record
from ivbench_data.video.display import HDR_TRANSFERS
from ivbench_data.video.levels import find_level, find_level_of_error, join_oddities
from ivbench_data.withdrawals import find_withdrawal
from ivbench_data.workers import available_cores, run_in_workers
from ivbench_data.workspace import Workspace, default_root, list_folder

if TYPE_CHECKING:
    from ivbench_data.video.decode import FrameRequest, VideoScan


class CacheOptions(Record):
    """How to build caches; the grids are a separate argument.

    Example:
        >>> iv.CacheOptions(workers=2, shard=(1, 4))
        CacheOptions(workers=2, timeout_seconds=3600.0, trust_times=False, shard=(1, 4))
    """

    workers: NonNegativeInt | None = None
    """Worker processes, one decoder thread each; None for as many as the cores this process may use, 0 for none."""
    timeout_seconds: PositiveFloat = 3600.0
    """Time that one video may take, for all its grids together; then its worker is killed and the video has failed."""
    trust_times: bool = False
    """Whether spans and core frames may rest on the guessed times of a file that gives none."""
    shard: tuple[PositiveInt, PositiveInt] = (1, 1)
    """Which part of how many, from 1: part I takes every N-th video, so that N jobs can share the work."""

    def takes(self, position: int) -> bool:
        """Whether the video at that position in the dataset is in this shard."""
        part, parts = self.shard
        return position % parts == part - 1


DEFAULT_OPTIONS = CacheOptions()
DEFAULT_GRIDS = (FrameGrid(nframes=32, res=240),)

MAX_FRAME_PIXELS = 200_000_000
"""Pixels of one cached frame, which a source of an extreme aspect may exceed; swscale ends at 268 million."""


@dataclass(frozen=True)
class CacheTask:
    """The work on one video; picklable, so that any engine can run `cache_video` on it."""

    workspace: Workspace
    video_id: str
    grids: tuple[FrameGrid, ...]
    moments: tuple[float, ...] = ()
    """Times of its questions' core frames, in seconds after the clock's zero; for grids that sample them."""
    trust_times: bool = False
    """Whether spans and core frames may rest on a clock that had to be invented."""


def cache_frames(
    dataset: Dataset,
    root: Path | str | None = None,
    grids: Sequence[FrameGrid] = DEFAULT_GRIDS,
    options: CacheOptions = DEFAULT_OPTIONS,
) -> Iterator[CacheResult]:
    """Build the grids' files of every video on disk; yields a row for each video and grid, as they finish.

    Args:
        dataset: the dataset whose videos are decoded.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        grids: grids to build, all of them in one decoding pass.
        options: workers, time limit, shard.

    Raises:
        UsageError: no grid is given, or there is no such shard.
        StorageError: the root cannot be written.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> rows = iv.cache_frames(dataset, grids=[iv.FrameGrid(nframes=2, res=16)], options=iv.CacheOptions(workers=0))
        >>> sorted((row.video_id, row.status) for row in rows)
        [('-beta', 'done'), ('alpha', 'done')]
    """
    if not grids:
        raise UsageError("no grid is given; say for example FrameGrid(nframes=32, res=240)")
    if options.shard[0] > options.shard[1]:
        raise UsageError(f"there is no shard {options.shard[0]} of {options.shard[1]}; they count from 1")
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    sweep_temporaries(workspace.cache)
    tasks: list[CacheTask] = []
    moments, plain = find_moments(dataset.questions), PlainVideos(workspace)
    for position, video in enumerate(dataset.videos):
        if options.takes(position):
            video_id = video.video_id
            rows, task = find_work(
                CacheTask(
                    workspace,
                    video_id,
                    tuple(dict.fromkeys(grids)),
                    moments.get(video_id, ()),
                    options.trust_times,
                ),
                plain,
            )
            yield from rows
            if task is not None:
                tasks.append(task)
    plain.save()
    try:
        yield from _run(tasks, options)
    finally:
        # a worker that was killed, by its deadline or by the system for its memory, could not clean up after itself
        sweep_temporaries(workspace.cache)


def find_work(task: CacheTask, plain: PlainVideos) -> tuple[list[CacheResult], CacheTask | None]:
    """Rows of what needs no work (no video, or the cache file exists), and the remaining task."""
    source = task.workspace.find_video(task.video_id)
    state = None if source is None else _stat_file(source)
    if source is None or state is None:
        return _list_missing(task), None
    rows: list[CacheResult] = []
    remaining: list[FrameGrid] = []
    for grid in task.grids:
        clip = _find_finished(task, grid, source, state.size_bytes, plain)
        if clip is None:
            remaining.append(grid)
        else:
            frames, upscaled = len(clip.frames), clip.metadata.get("upscaled") == "yes"
            rows.append(_row(task, grid, "skipped", frames=frames, size_bytes=clip.size_bytes, upscaled=upscaled))
    return rows, replace(task, grids=tuple(remaining)) if remaining else None


def _list_missing(task: CacheTask) -> list[CacheResult]:
    reason = f"there is no video file in {task.workspace.videos}"
    return [_row(task, grid, "missing", reason=reason) for grid in task.grids]


class _FileState(NamedTuple):
    """Properties that change when a file is replaced, or written to."""

    size_bytes: int
    modified_ns: int
    device: int
    inode: int


def _stat_file(path: Path) -> _FileState | None:
    """The file's state; None when it has been removed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _FileState(status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)


def _find_finished(
    task: CacheTask, grid: FrameGrid, source: Path, source_size_bytes: int, plain: PlainVideos
) -> Clip | None:
    """The existing cache file; None when there is none, its structure is damaged, or it holds other frames."""
    try:
        clip = read_frame_file(task.workspace.cache_path(grid, task.video_id))
    except CacheError:
        return None
    is_it = (clip.metadata["grid"], clip.metadata.get("source_size_bytes")) == (grid.identity, str(source_size_bytes))
    if not is_it or not shows_moments(clip, grid, task.moments):
        return None
    is_current = "display_digest" in clip.metadata or not plain.needs_digest(task.video_id, source, grid)
    return clip if is_current else None


def shows_moments(clip: Clip, grid: FrameGrid, moments: Sequence[float]) -> bool:
    """Whether the clip holds these core frames; True for grids that do not sample core frames."""
    return grid.sampler != "core_frames" or clip.metadata.get("moments_digest") == digest_moments(moments)


def has_invented_clock(clip: Clip) -> bool:
    """Whether the clip's times are a guess, because its video's file gives none."""
    clock = clip.metadata.get("clock")
    # before 0.2.0, whatever had no timestamps in their order was timed by its frame rate
    return json.loads(clock)["invented"] if clock else clip.metadata.get("timestamps") == "frame rate"


def cache_video(task: CacheTask) -> list[CacheResult]:
    """Build one video's grid files, decoding it once for all of them; a row for each grid.

    Raises:
        StorageError: the root cannot be written.
    """
    source = task.workspace.find_video(task.video_id)
    if source is None:
        return _list_missing(task)
    started, state = time.monotonic(), _stat_file(source)
    try:
        rows = _build(task, source, state)
    except VideoError as error:
        reason = str(error) if _stat_file(source) == state else _describe_change(source)
        level = find_level_of_error(error)
        rows = [_row(task, grid, "failed", reason=reason, level=level) for grid in task.grids]
    withdrawal = find_withdrawal(task.workspace.folder, task.video_id)
    if withdrawal is not None:
        # recorded since the run began: the takedown may have looked for files before these were there
        for grid in task.grids:
            delete(task.workspace.cache_path(grid, task.video_id))
        rows = [_row(task, grid, "missing", reason=f"withdrawn: {withdrawal}") for grid in task.grids]
    used = {"seconds": round(time.monotonic() - started, 3), "peak_memory_bytes": _peak_memory_bytes()}
    return [row.model_copy(update=used) for row in rows]


def check_caches(
    dataset: Dataset, root: Path | str | None = None, grids: Sequence[FrameGrid] | None = None
) -> Iterator[tuple[Path, str | None]]:
    """Every cache file of the dataset, and its fault (None: every byte is as written).

    With `grids`, only theirs; else those of every folder in `cache/`.

    Raises:
        EnvironmentProblemError: a folder cannot be read.
    """
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    folders = [workspace.cache / grid.identity for grid in grids] if grids else list_folder(workspace.cache, "*")
    for folder in folders:
        for path in list_folder(folder, "*.safetensors"):
            yield path, _find_fault(path)


def _find_fault(path: Path) -> str | None:
    try:
        read_frame_file(path, check=True)
    except CacheError as error:
        return str(error)
    return None


def _run(tasks: Sequence[CacheTask], options: CacheOptions) -> Iterator[CacheResult]:
    workers = available_cores() if options.workers is None else options.workers
    if workers == 0:
        for task in tasks:
            yield from cache_video(task)
        return
    for outcome in run_in_workers(cache_video, tasks, min(workers, len(tasks)), options.timeout_seconds):
        if outcome.result is not None:
            yield from outcome.result
        else:
            for grid in outcome.task.grids:
                yield _row(outcome.task, grid, "failed", reason=outcome.failure)


def _peak_memory_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows has no such count
        return 0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _describe_change(source: Path) -> str:
    return f"{source.name}: it was replaced or changed while it was read; run again"


def _build(task: CacheTask, source: Path, state: _FileState | None) -> list[CacheResult]:
    from ivbench_data.video.decode import ExtractionReport, describe_decoder, iterate_frames, scan_video

    scan = scan_video(source)
    if scan.lost is not None:
        raise UnreadableVideoError(f"{source.name}: {scan.lost}")
    rows, requests = _request_frames(task, scan)
    if not requests:
        return rows
    of_source, decoder = _describe_source(scan), json.dumps(describe_decoder(), sort_keys=True)
    pts_seconds, report = scan.pts_seconds, ExtractionReport()
    writers: list[FrameFileWriter] = []
    with ExitStack() as stack:
        for grid, request in requests.items():
            metadata = {
                "grid": grid.identity,
                "video_id": task.video_id,
                "frames": str(len(request.indices)),
                **of_source,
                "upscaled": "yes" if _is_upscaled(grid, scan) else "no",
                "decoder": decoder,
            }
            if grid.sampler == "core_frames":
                metadata["moments_digest"] = digest_moments(task.moments)
            metadata |= _describe_display(scan, grid)
            indices = np.array(request.indices, dtype=np.int64)
            path = task.workspace.cache_path(grid, task.video_id)
            size = (request.width, request.height)
            writers.append(stack.enter_context(write_frame_file(path, size, pts_seconds[indices], indices, metadata)))
        for number, position, frame in iterate_frames(scan, list(requests.values()), report):
            writers[number].put(position, frame)
        if _stat_file(source) != state:
            raise UnreadableVideoError(_describe_change(source))
        if find_withdrawal(task.workspace.folder, task.video_id) is not None:
            raise UnreadableVideoError(f"{task.video_id} was withdrawn")
        is_hdr = scan.display.transfer in HDR_TRANSFERS
        for grid, writer in zip(requests, writers, strict=True):
            writer.late_metadata = {
                "decode_path": report.decode_path,
                "rotation": str(report.rotation.degrees),
                "mirrored": "yes" if report.rotation.is_mirrored else "no",
                "colour_matrix": report.colour_matrix,
                "colour_range": report.colour_range,
                **({"sizes": ", ".join(report.sizes)} if len(report.sizes) > 1 else {}),
                **({"first_field": ", ".join(sorted(report.fields)) or "none"} if grid.deinterlace else {}),
                **({"tones": scan.display.transfer if is_hdr else "sdr"} if grid.tone_map else {}),
            }
    for (grid, request), writer in zip(requests.items(), writers, strict=True):
        oddities = [*_list_oddities(scan, grid), *report.describe()]
        rows.append(
            _row(
                task,
                grid,
                "done",
                reason=join_oddities(oddities),
                level=find_level(oddities),
                frames=len(request.indices),
                size_bytes=writer.size_bytes,
                decode_path=report.decode_path,
                frames_decoded=report.packets_fed,
                upscaled=_is_upscaled(grid, scan),
            )
        )
    return rows


def _request_frames(task: CacheTask, scan: VideoScan) -> tuple[list[CacheResult], dict[FrameGrid, FrameRequest]]:
    """Failed rows of the grids that the video cannot fill, and the frames that the others need."""
    from ivbench_data.video.decode import FrameRequest

    rows: list[CacheResult] = []
    requests: dict[FrameGrid, FrameRequest] = {}
    pts = scan.pts.tolist()
    for grid in task.grids:
        try:
            if scan.clock.invented and rests_on_times(grid) and not task.trust_times:
                raise ValueError(f"{scan.clock.describe()[0]}: to rest {grid.identity} on them, say --trust-times")
            indices = sample_indices(
                grid,
                pts,
                scan.time_base,
                scan.average_rate,
                scan.duration_seconds,
                task.moments,
                scan.clock.zero_pts,
            )
        except ValueError as error:
            rows.append(_row(task, grid, "failed", reason=str(error)))
            continue
        width, height = grid.size_of(*scan.displayed_size)
        if width * height > MAX_FRAME_PIXELS:
            reason = f"frames of {width}×{height} are over the limit of {MAX_FRAME_PIXELS:,} pixels"
            rows.append(_row(task, grid, "failed", reason=reason))
            continue
        requests[grid] = FrameRequest(tuple(indices), width, height, grid.resize, grid.deinterlace, grid.tone_map)
    return rows, requests


def _list_oddities(scan: VideoScan, grid: FrameGrid) -> list[str]:
    instead = {
        "interlaced": "interlaced: each frame is rebuilt from the field that is shown first"
        if grid.deinterlace
        else None,
        "HDR": f"HDR: its transfer is {scan.display.transfer}; its tones are mapped to SDR" if grid.tone_map else None,
    }
    return [instead.get(sentence.partition(":")[0]) or sentence for sentence in scan.oddities]


def rests_on_times(grid: FrameGrid) -> bool:
    """Whether the grid's frames are those of a stretch or of moments that somebody named in seconds."""
    return grid.span is not None or grid.sampler == "core_frames"


def _describe_source(scan: VideoScan) -> dict[str, str]:
    """Metadata of the source video, the same for all grids."""
    return {
        "source_sha256": _digest_video(scan.path),
        "source_size_bytes": str(scan.size_bytes),
        "source_width": str(scan.width),
        "source_height": str(scan.height),
        "source_frames": str(scan.frames),
        "source_duration_seconds": repr(scan.duration_seconds),
        "timestamps": "container" if scan.is_timed else "frame rate",
        "codec": scan.codec,
        **({} if scan.clock.is_plain else {"clock": scan.clock.to_json()}),
    }


def _describe_display(scan: VideoScan, grid: FrameGrid) -> dict[str, str]:
    """Metadata of what a player does with the video, and their digest; none for plain videos."""
    is_by_clock = depends_on_clock(grid)
    digest = digest_display(scan.display, scan.clock if is_by_clock else None)
    if digest is None and is_by_clock and needs_digest(scan.path, grid):
        digest = digest_display(scan.display, scan.clock, always=True)  # its packets alone look worse than its frames
    if digest is None:
        return {}
    return {"display": scan.display.to_json(), "display_digest": digest}


def _is_upscaled(grid: FrameGrid, scan: VideoScan) -> bool:
    return grid.res > min(scan.displayed_size)


def _digest_video(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return digest_stream(file)
    except OSError as error:
        raise UnreadableVideoError(f"{path.name}: cannot be read: {error.strerror or error}") from error


def _row(
    task: CacheTask,
    grid: FrameGrid,
    status: CacheStatus,
    *,
    reason: str | None = None,
    level: Level = "not examined",
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
        level=level,
        frames=frames,
        size_bytes=size_bytes,
        decode_path=decode_path,
        frames_decoded=frames_decoded,
        upscaled=upscaled,
    )
