"""Grids in which a dataset's videos are cached."""

from __future__ import annotations

from ivbench_data.schema import FrameGrid
from ivbench_data.workspace import Workspace, list_folder


def list_grids(workspace: Workspace) -> list[FrameGrid]:
    """The grids of whole videos that the dataset is cached in, the one with most frames first."""
    grids = []
    for folder in list_folder(workspace.cache, "*"):
        try:
            grid = FrameGrid.parse(folder.name)
        except ValueError:
            continue
        if grid.span is None:
            grids.append(grid)
    return sorted(grids, key=lambda grid: (-grid.nframes, grid.identity))


def find_grids(workspace: Workspace, video_id: str) -> list[FrameGrid]:
    """The grids of `list_grids` that hold the video."""
    return [grid for grid in list_grids(workspace) if workspace.cache_path(grid, video_id).is_file()]
