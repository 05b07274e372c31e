"""Sweeps: the paper's ablations (patterns, frames, resolution, budget), and one at equal visual tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ivbench_data.dataset import Dataset
from ivbench_data.errors import CacheError
from ivbench_data.evaluate.prompts.asking import AskOptions, write_grid_options
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.frames.cache import shows_moments
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.frames.grids import GRID_SETS, count_visual_tokens, find_grids_of_budget
from ivbench_data.frames.samplers import find_moments
from ivbench_data.schema import FrameGrid
from ivbench_data.workspace import Workspace

DEFAULT_TOKEN_BUDGET = 2304
"""Visual tokens of 32 frames of 16:9 at 252 pixels in Qwen2.5-VL."""

PAPER_PATTERNS = ("video_first", "image_first", "video_only")
"""The paper's three patterns."""


@dataclass(frozen=True)
class SweepPoint:
    """One point of a sweep."""

    label: str
    """Label on the figure's axis."""
    options: AskOptions
    """How the questions are asked."""


def plan_sweep(name: str, options: AskOptions, token_model: str, token_budget: int) -> list[SweepPoint]:
    """The points of a sweep, in order; everything that it does not vary is taken from `options`.

    Raises:
        UsageError: there is no token rule for that model.
    """
    return SWEEPS[name](options, token_model, token_budget)


def name_token_rule(model: str) -> str:
    """The token rule in `grids.TOKEN_RULES` that fits a model by its name; Qwen2.5-VL's where none does."""
    folded = model.casefold().replace("_", "-")
    if "qwen3" in folded:
        return "qwen3-vl"
    return "internvl2.5" if "internvl" in folded else "qwen2.5-vl"


def _over_grids(grids: Sequence[FrameGrid], options: AskOptions) -> list[SweepPoint]:
    return [SweepPoint(grid.identity, options.model_copy(update={"grid": grid})) for grid in grids]


def _over_patterns(options: AskOptions, token_model: str, token_budget: int) -> list[SweepPoint]:
    controls = [name for name in PATTERNS if name not in PAPER_PATTERNS]
    return [SweepPoint(name, options.model_copy(update={"pattern": name})) for name in (*PAPER_PATTERNS, *controls)]


def _over_named_set(name: str) -> Callable[[AskOptions, str, int], list[SweepPoint]]:
    def plan(options: AskOptions, token_model: str, token_budget: int) -> list[SweepPoint]:
        # the set varies frames and size; multiple, sampler and filter stay as in the options
        kept = options.grid.model_dump(include={"multiple_of", "sampler", "resize"})
        grids = [FrameGrid.parse(identity).model_copy(update=kept) for identity in GRID_SETS[name]]
        return _over_grids(grids, options)

    return plan


def _over_tokens(options: AskOptions, token_model: str, token_budget: int) -> list[SweepPoint]:
    grids = [grid for grid in find_grids_of_budget(token_model, token_budget) if grid.nframes >= 4]
    return [
        SweepPoint(f"{point.label}\n{count_visual_tokens(token_model, grid, 16, 9):,} tokens", point.options)
        for grid, point in zip(grids, _over_grids(grids, options), strict=True)
    ]


SWEEPS: dict[str, Callable[[AskOptions, str, int], list[SweepPoint]]] = {
    "patterns": _over_patterns,
    "frames": _over_named_set("frames"),
    "resolution": _over_named_set("resolution"),
    "budget": _over_named_set("budget"),
    "tokens": _over_tokens,
}
"""Every sweep, by name."""


def find_missing_caches(dataset: Dataset, workspace: Workspace, points: Sequence[SweepPoint]) -> dict[str, int]:
    """The `ivbench-data cache` options for each missing cache, and the number of videos that lack it.

    Only videos on disk count; the others cannot be cached.
    """
    on_disk = [video.video_id for video in dataset.videos if workspace.find_video(video.video_id) is not None]
    lacking: dict[str, int] = {}
    shown = [point.options for point in points if "video" in PATTERNS[point.options.pattern].visuals]
    moments = find_moments(dataset.questions)
    for grid in dict.fromkeys(options.grid for options in shown):
        # a video whose questions name no core frame has no cache of them
        wanted = [video_id for video_id in on_disk if grid.sampler != "core_frames" or video_id in moments]
        missing = sum(not _has_cache(workspace, grid, video_id, moments.get(video_id, ())) for video_id in wanted)
        if missing:
            lacking[write_grid_options(grid)] = missing
    return lacking


def _has_cache(workspace: Workspace, grid: FrameGrid, video_id: str, moments: Sequence[float]) -> bool:
    path = workspace.cache_path(grid, video_id)
    if grid.sampler != "core_frames" or not path.is_file():
        return path.is_file()
    try:
        return shows_moments(read_frame_file(path), grid, moments)
    except CacheError:
        return True  # present but damaged, which the questions' rows report
