"""Textured backgrounds: ten styles of pattern under large soft lights that differ from scene to scene.

Waves are parabolas, not sines: adding and multiplying give the same bits on every machine, a library's sine does not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ivbench_data.sources.demo.dice import Dice

_Field = NDArray[np.float64]

PALETTES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "hills": ((70, 112, 62), (122, 164, 88), (196, 208, 138)),
    "waves": ((22, 56, 92), (44, 112, 142), (150, 200, 200)),
    "bricks": ((92, 74, 66), (150, 116, 92), (206, 180, 150)),
    "rays": ((108, 44, 92), (190, 92, 122), (244, 190, 160)),
    "ripples": ((20, 74, 110), (60, 140, 178), (176, 222, 230)),
    "dots": ((22, 22, 58), (62, 58, 122), (160, 150, 206)),
    "checks": ((150, 70, 40), (214, 138, 80), (246, 214, 160)),
    "stripes": ((84, 18, 34), (152, 44, 50), (222, 170, 100)),
    "chevrons": ((30, 84, 74), (88, 150, 120), (220, 214, 170)),
    "terraces": ((60, 62, 70), (122, 124, 130), (200, 198, 190)),
}
"""Dark, middle and light colour of each style."""


def paint_backdrop(style: str, width: int, height: int, dice: Dice, *, zoom: float = 1.0) -> Image.Image:
    """An RGB picture of the style; its scale, its place and its lights are drawn by the dice."""
    x, y = _plane(2 * width, 2 * height)  # twice as large, then halved: smooth edges
    level = _PATTERNS[style](x / zoom, y / zoom, dice)
    channels = (
        np.where(level < 0.5, dark + (middle - dark) * 2 * level, middle + (light - middle) * (2 * level - 1))
        for dark, middle, light in zip(*PALETTES[style], strict=True)
    )
    color = Image.merge("RGB", [_to_image(channel) for channel in channels])
    return _shade(np.asarray(color.reduce(2)), 0.36 + 0.92 * _lights(*_plane(width, height), dice))


def paint_studio(width: int, height: int, dice: Dice) -> Image.Image:
    """A plain RGB backdrop for query images: soft lights in six even steps of one pale colour."""
    lights = 6 * _lights(*_plane(width, height), dice)
    steps = np.floor(lights)
    soft = (np.minimum(steps, 5) + np.clip(40 * (lights - steps) - 39, 0, 1)) / 6
    tint = np.array([dice.between(150, 235) for _ in range(3)])
    return _shade(np.broadcast_to(tint, (height, width, 3)), 0.46 + 0.62 * soft)


def _plane(width: int, height: int) -> tuple[_Field, _Field]:
    """Places of the pixels: x and y, with y from 0 to 1."""
    y, x = np.mgrid[0:height, 0:width] / float(height)
    return x, y


def _shade(color: NDArray[np.uint8] | _Field, brightness: _Field) -> Image.Image:
    return _to_image(color * brightness[..., None])


def _to_image(color: NDArray[np.uint8] | _Field) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(color), 0, 255).astype(np.uint8))


def _wave(turns: _Field) -> _Field:
    """A smooth wave from 0 to 1 with period 1: two parabolas a turn."""
    part = turns - np.floor(turns)
    late = part >= 0.5
    np.subtract(part, 0.5, out=part, where=late)
    arch = 16 * part * (0.5 - part)
    np.negative(arch, out=arch, where=late)
    arch *= 0.5
    arch += 0.5
    return arch


def _lights(x: _Field, y: _Field, dice: Dice) -> _Field:
    """Large soft patches from 0 to 1, which tell one scene's picture from another's at a glance."""
    total = np.zeros_like(x)
    x = x / x.max()  # as many lights in a wide picture as in a square one
    for _ in range(7):
        along_x, along_y, start = dice.between(-2.6, 2.6), dice.between(-2.6, 2.6), dice.between(0, 1)
        total += dice.between(0.5, 1.0) * _wave(along_x * x + along_y * y + start)
    spread: _Field = (total - total.min()) / (total.max() - total.min())
    return spread


def _step(field: _Field) -> _Field:
    """0 below a half, 1 above."""
    return np.where(field < 0.5, 0.0, 1.0)


def _hills(x: _Field, y: _Field, dice: Dice) -> _Field:
    level = np.full_like(x, 1.0)
    for ridge in range(5):
        line = 0.06 + 0.2 * ridge + 0.09 * _wave(dice.between(1.0, 2.4) * x + dice.between(0, 1))
        level = np.where(y > line, 0.9 - 0.2 * ridge, level)
    return level


def _waves(x: _Field, y: _Field, dice: Dice) -> _Field:
    swell = 0.035 * _wave(dice.between(2.5, 3.5) * x + dice.between(0, 1))
    return np.floor(3.999 * _wave(7 * (y + swell) + dice.between(0, 1))) / 3


def _bricks(x: _Field, y: _Field, dice: Dice) -> _Field:
    row = np.floor(9 * y + dice.between(0, 1))
    column = 5 * x + 0.5 * row + dice.between(0, 1)
    across, down = column - np.floor(column), 9 * y + dice.between(0, 0.001) - np.floor(9 * y)
    tone = 0.3 + 0.4 * _wave(0.37 * np.floor(column) + 0.61 * row)
    return np.where((across < 0.06) | (down < 0.1), 1.0, tone)


def _rays(x: _Field, y: _Field, dice: Dice) -> _Field:
    from_x, from_y = x - dice.between(0.4, 1.0), y - dice.between(0.3, 0.7)
    # the angle on a diamond instead of a circle: division and no arctangent
    slant = from_y / np.maximum(np.abs(from_x) + np.abs(from_y), 1e-9)
    angle = np.where(from_x >= 0, slant, 2 - slant)
    return 0.2 + 0.6 * _step(_wave(4 * angle + dice.between(0, 1)))


def _ripples(x: _Field, y: _Field, dice: Dice) -> _Field:
    from_x, from_y = x - dice.between(0.2, 1.2), y - dice.between(0.1, 0.9)
    return np.floor(3.999 * _wave(8 * np.sqrt(from_x * from_x + from_y * from_y))) / 3


def _dots(x: _Field, y: _Field, dice: Dice) -> _Field:
    column, row = 8 * x + dice.between(0, 1), 8 * y + dice.between(0, 1)
    across, down = column - np.floor(column) - 0.5, row - np.floor(row) - 0.5
    size = 0.08 + 0.10 * _wave(0.43 * np.floor(column) + 0.29 * np.floor(row))
    return np.where(across * across + down * down < size, 0.95, 0.25)


def _checks(x: _Field, y: _Field, dice: Dice) -> _Field:
    columns, rows = _step(_wave(3.5 * x + dice.between(0, 1))), _step(_wave(3.5 * y + dice.between(0, 1)))
    return 0.15 + 0.35 * columns + 0.35 * rows


def _stripes(x: _Field, y: _Field, dice: Dice) -> _Field:
    folds = _wave(6 * x + dice.between(0, 1))
    return 0.1 + 0.5 * folds + 0.4 * _step(_wave(3 * x + dice.between(0, 1)) * 0.8)


def _chevrons(x: _Field, y: _Field, dice: Dice) -> _Field:
    turns = 3 * x + dice.between(0, 1)
    return np.floor(2.999 * _wave(6 * (y + 0.3 * np.abs(turns - np.floor(turns) - 0.5)) + dice.between(0, 1))) / 2


def _terraces(x: _Field, y: _Field, dice: Dice) -> _Field:
    return np.floor(_lights(x, y, dice) * 6.999) / 6


_PATTERNS: dict[str, Callable[[_Field, _Field, Dice], _Field]] = {
    "hills": _hills,
    "waves": _waves,
    "bricks": _bricks,
    "rays": _rays,
    "ripples": _ripples,
    "dots": _dots,
    "checks": _checks,
    "stripes": _stripes,
    "chevrons": _chevrons,
    "terraces": _terraces,
}
