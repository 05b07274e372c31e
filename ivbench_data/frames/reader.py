"""Read cached frames at memory speed: one clip, many clips with prefetching, or a torch dataset.

Frames are memory-mapped: no byte is copied until it is used. On a CUDA device they go through two reused pinned
buffers, so that the copy of one clip overlaps with the reading of the next.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

import numpy as np
from numpy.typing import NDArray

from ivbench_data.dataset import Dataset
from ivbench_data.errors import CacheError, MissingDependencyError, UsageError
from ivbench_data.frames.frame_file import Clip, read_frame_file
from ivbench_data.schema import FrameGrid, FrameSelection
from ivbench_data.workspace import Workspace, default_root

if TYPE_CHECKING:
    import torch

Framework = Literal["np", "pt"]


@overload
def read_frames(
    dataset: Dataset | str,
    video_id: str,
    grid: FrameGrid | str,
    root: Path | str | None = ...,
    *,
    check: bool = ...,
    selection: FrameSelection | None = ...,
    framework: Literal["np"] = ...,
    device: None = ...,
) -> Clip: ...


@overload
def read_frames(
    dataset: Dataset | str,
    video_id: str,
    grid: FrameGrid | str,
    root: Path | str | None = ...,
    *,
    check: bool = ...,
    selection: FrameSelection | None = ...,
    framework: Literal["pt"],
    device: str | None = ...,
) -> TensorClip: ...


def read_frames(
    dataset: Dataset | str,
    video_id: str,
    grid: FrameGrid | str,
    root: Path | str | None = None,
    *,
    check: bool = False,
    selection: FrameSelection | None = None,
    framework: Framework = "np",
    device: str | None = None,
) -> Clip | TensorClip:
    """Frames of one video in one grid, memory-mapped, with timestamps and indices.

    Args:
        dataset: the dataset, or its name.
        video_id: the video.
        grid: the grid, or its name, such as `32x240`.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        check: compare every byte with the file's digests.
        selection: read these frames only, in this order; they are copied.
        framework: `np` for arrays, `pt` for tensors; for many clips, `CacheReader` reuses its buffers and reads ahead.
        device: device of the tensors, such as `cuda:0`; the CPU by default.

    Raises:
        CacheNotFoundError: there is no such cache file.
        CacheCorruptError: the file is damaged.
        MissingDependencyError: tensors are requested, and torch is not installed.
        UsageError: the name of the grid, the dataset or the video is malformed, or the selection names frames that the
            cache does not hold.

    Example:
        >>> clip = iv.read_frames("tiny", "alpha", "4x16")
        >>> clip.frames.shape
        (4, 3, 16, 24)
        >>> clip.pts_seconds.tolist()
        [0.0, 1.0, 2.5, 3.5]
    """
    _check_framework(framework, device)
    clip = read_frame_file(_find_workspace(dataset, root).cache_path(_to_grid(grid), video_id), check)
    clip = clip if selection is None else select_frames(clip, selection)
    return clip if framework == "np" else _make_tensors(FrameStager(device), video_id, clip)


def _check_framework(framework: str, device: str | None) -> None:
    if framework not in get_args(Framework):
        raise UsageError(f"framework is {framework!r}; it can be 'np' or 'pt'")
    if device is not None and framework != "pt":
        raise UsageError("device needs framework='pt'")


def select_frames(clip: Clip, selection: FrameSelection) -> Clip:
    """The selected frames of a dense clip, copied, in the selection's order.

    Raises:
        UsageError: the selection is of another video or other frames than the clip holds.
    """
    if selection.video_id != clip.metadata.get("video_id"):
        raise UsageError(
            f"the selection of {selection.question_id} is of video {selection.video_id!r}, the cache holds "
            f"{clip.metadata.get('video_id')!r}"
        )
    if selection.frames_digest not in (None, clip.frames_digest):
        raise UsageError(f"the selection of {selection.question_id} was made on other frames than {clip.path} holds")
    position_of = {int(index): position for position, index in enumerate(clip.indices)}
    absent = [index for index in selection.frame_indices if index not in position_of]
    if absent:
        raise UsageError(f"{clip.path} does not hold frame {absent[0]}, which {selection.question_id} selects")
    positions = np.array([position_of[index] for index in selection.frame_indices], dtype=np.int64)
    return replace(
        clip,
        frames=clip.frames[positions],
        pts_seconds=clip.pts_seconds[positions],
        indices=clip.indices[positions],
        frames_at=None,
        file_id=None,
    )


@dataclass(frozen=True)
class TensorClip:
    """A clip as torch tensors.

    Example:
        >>> clip = iv.read_frames("tiny", "alpha", "4x16", framework="pt")
        >>> clip.frames.shape
        torch.Size([4, 3, 16, 24])
    """

    video_id: str
    """The video."""
    frames: torch.Tensor
    """uint8 `[T, 3, H, W]` RGB, on the requested device."""
    pts_seconds: torch.Tensor
    """float64 `[T]`, on the CPU."""
    indices: torch.Tensor
    """int64 `[T]`, on the CPU."""
    metadata: dict[str, str]
    """How the frames were extracted."""


class CacheReader:
    """Reads many clips of one grid, in any order, with prefetching.

    Args:
        dataset: the dataset, or its name.
        grid: the grid, or its name, such as `32x240`.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        framework: `np` for arrays, `pt` for tensors.
        device: device of the tensors, such as `cuda:0`; the CPU by default.
        check: compare every byte with the files' digests.
        prefetch: clips that are read ahead.

    Raises:
        MissingDependencyError: tensors are requested, and torch is not installed.
        UsageError: the name of the grid or of the dataset is malformed.

    Example:
        >>> with iv.CacheReader("tiny", "4x16") as reader:
        ...     for video_id, clip in reader.iterate(["alpha", "-beta"]):
        ...         print(video_id, clip.frames.shape)
        alpha (4, 3, 16, 24)
        -beta (4, 3, 16, 24)
    """

    def __init__(
        self,
        dataset: Dataset | str,
        grid: FrameGrid | str,
        root: Path | str | None = None,
        *,
        framework: Framework = "np",
        device: str | None = None,
        check: bool = False,
        prefetch: int = 2,
    ) -> None:
        _check_framework(framework, device)
        self._workspace = _find_workspace(dataset, root)
        self._grid = _to_grid(grid)
        self._check = check
        self._prefetch = max(0, prefetch)
        self._stager = FrameStager(device) if framework == "pt" else None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")

    def __enter__(self) -> CacheReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading ahead."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def read(self, video_id: str) -> Clip | TensorClip:
        """One clip.

        Raises: as `read_frames`.
        """
        clip = read_frame_file(self._workspace.cache_path(self._grid, video_id), self._check)
        return clip if self._stager is None else _make_tensors(self._stager, video_id, clip)

    def iterate(self, video_ids: Sequence[str]) -> Iterator[tuple[str, Clip | TensorClip | CacheError]]:
        """The clips in that order; for an absent or damaged one its error is yielded, and iteration continues."""
        waiting: deque[tuple[str, Future[Clip | CacheError]]] = deque()
        for video_id in video_ids:
            waiting.append((video_id, self._pool.submit(self._read_ahead, video_id)))
            if len(waiting) > self._prefetch:
                yield self._finish(*waiting.popleft())
        while waiting:
            yield self._finish(*waiting.popleft())

    def _read_ahead(self, video_id: str) -> Clip | CacheError:
        try:
            clip = read_frame_file(self._workspace.cache_path(self._grid, video_id), self._check)
        except CacheError as error:
            return error
        # touch every page, so that the caller's thread waits for no disk
        clip.frames.reshape(-1)[::4096].max(initial=0)
        return clip

    def _finish(self, video_id: str, future: Future[Clip | CacheError]) -> tuple[str, Clip | TensorClip | CacheError]:
        clip = future.result()
        if isinstance(clip, CacheError) or self._stager is None:
            return video_id, clip
        return video_id, _make_tensors(self._stager, video_id, clip)


class FrameStager:
    """Copies frames to a device; to a CUDA device through two alternating pinned buffers, asynchronously.

    Not for several threads at once.
    """

    def __init__(self, device: str | torch.device | None) -> None:
        self.torch = import_torch()
        self.device = self.torch.device(device or "cpu")
        self._buffers: list[Any] = [None, None]
        self._events: list[Any] = [None, None]
        self._turn = 0

    def stage(self, shape: tuple[int, ...], copy_into: Callable[[NDArray[np.uint8]], None]) -> torch.Tensor:
        """A uint8 tensor of that shape on the device, of the bytes that `copy_into` fills an array with.

        The array is contiguous, holds as many bytes, and is not to be kept; see `Clip.copy_frames`.
        """
        staged: torch.Tensor
        if self.device.type == "cuda":
            return self._stage_on_cuda(shape, copy_into)
        staged = self.torch.empty(shape, dtype=self.torch.uint8)
        copy_into(staged.numpy())
        return staged.to(self.device)

    def _stage_on_cuda(self, shape: tuple[int, ...], copy_into: Callable[[NDArray[np.uint8]], None]) -> torch.Tensor:
        turn = self._turn
        self._turn = 1 - turn
        if self._events[turn] is not None:
            self._events[turn].synchronize()  # the buffer's last copy must have left before it is filled again
        size = math.prod(shape)
        if self._buffers[turn] is None or self._buffers[turn].numel() < size:
            self._buffers[turn] = self.torch.empty(size, dtype=self.torch.uint8, pin_memory=True)
        pinned = self._buffers[turn][:size]
        copy_into(pinned.numpy())
        staged: torch.Tensor = pinned.to(self.device, non_blocking=True).view(shape)
        # an event is recorded on the stream of the current device, so the copy's own device is made current
        with self.torch.cuda.device(self.device):
            self._events[turn] = self.torch.cuda.Event()
            self._events[turn].record()
        return staged


def _make_tensors(stager: FrameStager, video_id: str, clip: Clip) -> TensorClip:
    from_numpy = stager.torch.from_numpy
    return TensorClip(
        video_id=video_id,
        frames=stager.stage(clip.frames.shape, clip.copy_frames),
        pts_seconds=from_numpy(clip.pts_seconds.copy()),
        indices=from_numpy(clip.indices.copy()),
        metadata=dict(clip.metadata),
    )


def open_torch_dataset(
    dataset: Dataset | str,
    video_ids: Sequence[str],
    grid: FrameGrid | str,
    root: Path | str | None = None,
    *,
    check: bool = False,
) -> torch.utils.data.Dataset[dict[str, Any]]:
    """A `torch.utils.data.Dataset` of clips: items are dicts with `video_id`, `frames`, `pts_seconds`, `indices`.

    Args:
        dataset: the dataset, or its name.
        video_ids: the videos, in the order of the items.
        grid: the grid, or its name, such as `32x240`.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        check: compare every byte with the files' digests.

    Raises:
        MissingDependencyError: torch is not installed.
        UsageError: the name of the grid or of the dataset is malformed.

    Example:
        >>> clips = iv.open_torch_dataset("tiny", ["alpha", "-beta"], "4x16")
        >>> len(clips), clips[0]["frames"].shape
        (2, torch.Size([4, 3, 16, 24]))
    """
    import_torch()
    from ivbench_data.frames.torch_dataset import ClipDataset

    return ClipDataset(_find_workspace(dataset, root), _to_grid(grid), tuple(video_ids), check)


def import_torch() -> Any:
    """The torch module.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingDependencyError("torch", "eval") from None
    return torch


def _find_workspace(dataset: Dataset | str, root: Path | str | None) -> Workspace:
    name = dataset if isinstance(dataset, str) else dataset.name
    return Workspace(Path(root) if root is not None else default_root(), name)


def _to_grid(grid: FrameGrid | str) -> FrameGrid:
    if isinstance(grid, FrameGrid):
        return grid
    try:
        return FrameGrid.parse(grid)
    except ValueError as error:
        raise UsageError(str(error)) from None
