"""Named sets of grids, and visual tokens of a grid by model: pure arithmetic.

The token rules, of each model's published preprocessing (defaults, no pixel budget in the way):

| model       | tokens of N frames of W×H                       | source                                             |
|-------------|-------------------------------------------------|----------------------------------------------------|
| qwen2.5-vl  | `ceil(N/2) · round(H/28) · round(W/28)`         | patches of 14, merged 2×2, two frames a patch      |
| qwen3-vl    | `ceil(N/2) · round(H/32) · round(W/32)`         | patches of 16, merged 2×2, two frames a patch      |
| internvl2.5 | `N · 256`                                       | a frame is one 448×448 tile of 1,024 patches, ÷ 4  |
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ivbench_data.errors import UsageError
from ivbench_data.schema import MAX_NFRAMES, FrameGrid

_FRAMES = ("8x240", "16x240", "32x240", "64x240")
_RESOLUTION = ("32x72", "32x108", "32x144", "32x240")
_BUDGET = ("8x720", "16x480", "32x360", "64x240", "128x144", "256x108", "512x72")

GRID_SETS: dict[str, tuple[str, ...]] = {
    "frames": _FRAMES,
    "resolution": _RESOLUTION,
    "budget": _BUDGET,
    "paper": tuple(dict.fromkeys((*_FRAMES, *_RESOLUTION, *_BUDGET))),
}
"""The grids of the paper's ablations (IV-Bench, figures 3 and 4), by name; `paper` is all of them."""


def _count_patches(side: int) -> Callable[[int, int, int], int]:
    def count(nframes: int, width: int, height: int) -> int:
        return -(-nframes // 2) * max(1, round(Fraction(height, side))) * max(1, round(Fraction(width, side)))

    return count


TOKEN_RULES: dict[str, Callable[[int, int, int], int]] = {
    "qwen2.5-vl": _count_patches(28),
    "qwen3-vl": _count_patches(32),
    "internvl2.5": lambda nframes, width, height: nframes * 256,
}
"""Visual tokens of (frames, width, height), by model."""

MULTIPLE_OF_MODEL = {"qwen2.5-vl": 28, "qwen3-vl": 32, "internvl2.5": 2}
"""The multiple of each model's sides, so that it need not resize."""


def count_visual_tokens(model: str, grid: FrameGrid, width: int, height: int) -> int:
    """Visual tokens of the grid's frames, for a source of that displayed size.

    Raises:
        UsageError: the model's rule is not known.
    """
    if model not in TOKEN_RULES:
        raise UsageError(f"no token rule for {model!r}; there are: {', '.join(TOKEN_RULES)}")
    return TOKEN_RULES[model](grid.nframes, *grid.size_of(width, height))


def find_grids_of_budget(model: str, token_budget: int, aspect: Fraction = Fraction(16, 9)) -> list[FrameGrid]:
    """For 1, 2, 4, … frames, the largest grid that costs the model no more than the budget, and more than half of it.

    Sides are multiples of the model's own, so that it need not resize.

    Raises:
        UsageError: the model's rule is not known, or no grid fits.
    """
    if model not in TOKEN_RULES:
        raise UsageError(f"no token rule for {model!r}; there are: {', '.join(TOKEN_RULES)}")
    found: list[FrameGrid] = []
    for nframes in (2**power for power in range(MAX_NFRAMES.bit_length())):
        grid = _largest_grid(model, nframes, token_budget, aspect)
        if grid is not None:
            found.append(grid)
    if not found:
        raise UsageError(f"no grid costs {model} about {token_budget} visual tokens")
    return found


def _largest_grid(model: str, nframes: int, token_budget: int, aspect: Fraction) -> FrameGrid | None:
    """The grid of that many frames with the largest short side within the budget; tokens grow with the side."""
    # InternVL makes one tile of 448×448 of every frame, whatever its size
    sides = range(448, 449) if model == "internvl2.5" else range(MULTIPLE_OF_MODEL[model], 2161)
    low, high = 0, len(sides)
    while low < high:
        middle = (low + high) // 2
        cost = count_visual_tokens(model, _grid_for(model, nframes, sides[middle]), *aspect.as_integer_ratio())
        low, high = (middle + 1, high) if cost <= token_budget else (low, middle)
    if not low:
        return None
    grid = _grid_for(model, nframes, sides[low - 1])
    return grid if 2 * count_visual_tokens(model, grid, *aspect.as_integer_ratio()) > token_budget else None


def _grid_for(model: str, nframes: int, res: int) -> FrameGrid:
    return FrameGrid(nframes=nframes, res=res, multiple_of=MULTIPLE_OF_MODEL[model])
