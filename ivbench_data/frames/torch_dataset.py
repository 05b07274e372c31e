"""Cached clips as a `torch.utils.data.Dataset`; the one module here that needs torch to be imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch  # noqa: TID253  (reached only through `reader.open_torch_dataset`, which says what is missing)

from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.schema import FrameGrid
from ivbench_data.workspace import Workspace


@dataclass(frozen=True)
class ClipDataset(torch.utils.data.Dataset[dict[str, Any]]):
    """One item a video; picklable, so that `DataLoader` workers can read it."""

    workspace: Workspace
    grid: FrameGrid
    video_ids: tuple[str, ...]
    check: bool = False

    def __len__(self) -> int:
        return len(self.video_ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        video_id = self.video_ids[index]
        clip = read_frame_file(self.workspace.cache_path(self.grid, video_id), self.check)
        frames = torch.empty(clip.frames.shape, dtype=torch.uint8)
        clip.copy_frames(frames.numpy())
        return {
            "video_id": video_id,
            "frames": frames,
            "pts_seconds": torch.from_numpy(clip.pts_seconds.copy()),
            "indices": torch.from_numpy(clip.indices.copy()),
        }
