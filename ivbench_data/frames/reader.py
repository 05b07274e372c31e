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

from ivbench_data.errors import CacheError, MissingDependencyError, UsageError
from ivbench_data.frames.frame_file import Clip, read_frame_file
from ivbench_data.schema import FrameGrid, FrameSelection
from ivbench_data.workspace import DEFAULT_DATASET, Workspace

if TYPE_CHECKING:
    import torch

Framework = Literal["np", "pt"]


@overload
def read_frames(
    root: Path | str,
    video_id: str,
    grid: FrameGrid | str,
    *,
    dataset: str = ...,
    check: bool = ...,
    selection: FrameSelection | None = ...,
    framework: Literal["np"] = ...,
    device: None = ...,
) -> Clip: ...


@overload
def read_frames(
    root: Path | str,
    video_id: str,
    grid: FrameGrid | str,
    *,
    dataset: str = ...,
    check: bool = ...,
    selection: FrameSelection | None = ...,
    framework: Literal["pt"],
    device: str | None = ...,
) -> TensorClip: ...


def read_frames(
    root: Path | str,
    video_id: str,
    grid: FrameGrid | str,
    *,
    dataset: str = DEFAULT_DATASET,
    check: bool = False,
    selection: FrameSelection | None = None,
    framework: Framework = "np",
    device: str | None = None,
) -> Clip | TensorClip:
    """The frames of one video in one grid: uint8 `[T, 3, H, W]` memory-mapped, with timestamps and indices.

    `grid` may be written as its identity, `32x240`. With `check`, every byte is compared with the file's digests. With
    a `selection`, only its frames (which are then copied), in its order. With `framework="pt"`, tensors on `device`
    (for many clips, a `CacheReader` reuses its buffers and reads ahead).

    Raises:
        CacheNotFoundError: there is no such cache file.
        CacheCorruptError: the file is damaged.
        MissingDependencyError: tensors are requested, and torch is not installed.
        UsageError: the grid or the id is invalid, or the selection names other frames than the cache holds.
    """
    _check_framework(framework, device)
    path = Workspace(Path(root), dataset).cache_path(_to_grid(grid), video_id)
    clip = read_frame_file(path, check)
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
    """A clip as torch tensors."""

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

    ```python
    with CacheReader("data", FrameGrid(nframes=32, res=240), dataset="ivbench") as reader:
        for video_id, clip in reader.iterate(video_ids):
            ...
    ```
    """

    def __init__(
        self,
        root: Path | str,
        grid: FrameGrid | str,
        *,
        dataset: str = DEFAULT_DATASET,
        framework: Framework = "np",
        device: str | None = None,
        check: bool = False,
        prefetch: int = 2,
    ) -> None:
        _check_framework(framework, device)
        self._workspace = Workspace(Path(root), dataset)
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
    root: Path | str,
    grid: FrameGrid | str,
    video_ids: Sequence[str],
    *,
    dataset: str = DEFAULT_DATASET,
    check: bool = False,
) -> torch.utils.data.Dataset[dict[str, Any]]:
    """A `torch.utils.data.Dataset` of clips: items are dicts with `video_id`, `frames`, `pts_seconds`, `indices`.

    Raises:
        MissingDependencyError: torch is not installed.
        UsageError: there is no such grid.
    """
    import_torch()
    from ivbench_data.frames.torch_dataset import ClipDataset

    return ClipDataset(Workspace(Path(root), dataset), _to_grid(grid), tuple(video_ids), check)


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


def _to_grid(grid: FrameGrid | str) -> FrameGrid:
    if isinstance(grid, FrameGrid):
        return grid
    try:
        return FrameGrid.parse(grid)
    except ValueError as error:
        raise UsageError(str(error)) from None
