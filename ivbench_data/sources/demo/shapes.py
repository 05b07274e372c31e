"""Figures as pictures with transparency: ten pictured things, ten geometric shapes and a face, in ten colours.

A figure is a list of parts, drawn one over the other in a square from -1 to 1 (y downwards), then scaled.
In videos figures are stickers with a white rim; in query images they are drawn otherwise, with a dark rim and a shine.
"""

from __future__ import annotations

import math
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from ivbench_data.sources.demo.script import Figure

MASTER = 192
"""Side of the square that figures are drawn in, in pixels, rim included."""

_REACH = 0.80
"""Share of the half side that the unit square takes; the rest is for the rim."""

COLOR_VALUES: dict[str, tuple[int, int, int]] = {
    "red": (218, 38, 44),
    "orange": (247, 141, 24),
    "yellow": (252, 222, 48),
    "green": (42, 152, 62),
    "turquoise": (58, 210, 200),
    "blue": (38, 84, 214),
    "purple": (132, 58, 188),
    "pink": (255, 138, 192),
    "brown": (128, 78, 40),
    "white": (246, 246, 246),
}

_INK = (34, 34, 46)
_Points = tuple[tuple[float, float], ...]
_Part = tuple[str, str, _Points]
"""Kind (`polygon`, `ellipse`), tone (`main`, `dark`, `light`, `white`, `ink`, `hole`) and points; ellipses have two."""


def _regular(corners: int, turn: float = 0.0, inner: float | None = None, radius: float = 1.0) -> _Points:
    """A regular polygon from the top on, or a star when `inner` gives the radius of its notches."""
    count = corners if inner is None else 2 * corners
    radii = [radius if inner is None or index % 2 == 0 else inner for index in range(count)]
    angles = [math.radians(turn) + 2 * math.pi * index / count for index in range(count)]
    return tuple((r * math.sin(angle), -r * math.cos(angle)) for r, angle in zip(radii, angles, strict=True))


def _arc(x: float, y: float, radius_x: float, radius_y: float, start: float, end: float) -> _Points:
    """Points on an ellipse from one angle to another, in degrees clockwise from the right."""
    angles = [math.radians(start + (end - start) * step / 24) for step in range(25)]
    return tuple((x + radius_x * math.cos(angle), y + radius_y * math.sin(angle)) for angle in angles)


_HEART = (*_arc(-0.47, -0.32, 0.5, 0.5, 140, 330), *_arc(0.47, -0.32, 0.5, 0.5, 210, 400), (0.0, 0.95))
_CRESCENT = (*_arc(0.1, 0, 0.98, 0.98, 50, 310), *_arc(0.55, 0, 0.55, 0.794, 289.1, 70.9))

_PARTS: dict[str, tuple[_Part, ...]] = {
    "circle": (("ellipse", "main", ((-0.95, -0.95), (0.95, 0.95))),),
    "square": (("polygon", "main", ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85))),),
    "triangle": (("polygon", "main", ((0.0, -0.95), (0.98, 0.8), (-0.98, 0.8))),),
    "star": (("polygon", "main", _regular(5, inner=0.42)),),
    "heart": (("polygon", "main", _HEART),),
    "diamond": (("polygon", "main", ((0.0, -1.0), (0.66, 0.0), (0.0, 1.0), (-0.66, 0.0))),),
    "hexagon": (("polygon", "main", _regular(6, turn=30)),),
    "crescent": (("polygon", "main", _CRESCENT),),
    "cross": (("polygon", "main", (
        (-0.32, -0.95), (0.32, -0.95), (0.32, -0.32), (0.95, -0.32), (0.95, 0.32), (0.32, 0.32), (0.32, 0.95),
        (-0.32, 0.95), (-0.32, 0.32), (-0.95, 0.32), (-0.95, -0.32), (-0.32, -0.32),
    )),),
    "arrow": (("polygon", "main", (
        (0.0, -1.0), (0.85, -0.1), (0.36, -0.1), (0.36, 0.95), (-0.36, 0.95), (-0.36, -0.1), (-0.85, -0.1),
    )),),
    "fish": (
        ("polygon", "dark", ((0.4, 0.0), (1.0, -0.55), (0.88, 0.0), (1.0, 0.55))),
        ("polygon", "dark", ((-0.3, -0.4), (0.25, -0.8), (0.35, -0.3))),
        ("ellipse", "main", ((-1.0, -0.55), (0.6, 0.55))),
        ("polygon", "light", ((-0.1, 0.05), (0.25, -0.15), (0.25, 0.3))),
        ("ellipse", "white", ((-0.78, -0.3), (-0.46, 0.02))),
        ("ellipse", "ink", ((-0.72, -0.22), (-0.56, -0.06))),
    ),
    "house": (
        ("polygon", "dark", ((0.4, -0.85), (0.65, -0.85), (0.65, -0.2), (0.4, -0.2))),
        ("polygon", "light", ((-0.75, -0.15), (0.75, -0.15), (0.75, 0.92), (-0.75, 0.92))),
        ("polygon", "main", ((0.0, -1.0), (1.0, -0.08), (-1.0, -0.08))),
        ("polygon", "main", ((-0.2, 0.3), (0.2, 0.3), (0.2, 0.92), (-0.2, 0.92))),
        ("polygon", "ink", ((-0.6, 0.12), (-0.32, 0.12), (-0.32, 0.42), (-0.6, 0.42))),
        ("polygon", "ink", ((0.32, 0.12), (0.6, 0.12), (0.6, 0.42), (0.32, 0.42))),
    ),
    "tree": (
        ("polygon", "ink", ((-0.14, 0.4), (0.14, 0.4), (0.2, 1.0), (-0.2, 1.0))),
        ("polygon", "dark", ((0.0, -0.35), (0.85, 0.62), (-0.85, 0.62))),
        ("polygon", "main", ((0.0, -0.7), (0.7, 0.22), (-0.7, 0.22))),
        ("polygon", "light", ((0.0, -1.0), (0.5, -0.2), (-0.5, -0.2))),
    ),
    "car": (
        ("polygon", "light", ((-0.5, -0.1), (-0.3, -0.58), (0.4, -0.58), (0.68, -0.1))),
        ("polygon", "ink", ((-0.36, -0.12), (-0.22, -0.46), (0.04, -0.46), (0.04, -0.12))),
        ("polygon", "ink", ((0.14, -0.12), (0.14, -0.46), (0.34, -0.46), (0.52, -0.12))),
        ("polygon", "main", ((-1.0, -0.02), (-0.88, -0.14), (0.86, -0.14), (1.0, 0.06), (1.0, 0.42), (-1.0, 0.42))),
        ("ellipse", "ink", ((-0.76, 0.12), (-0.24, 0.64))),
        ("ellipse", "ink", ((0.26, 0.12), (0.78, 0.64))),
        ("ellipse", "white", ((-0.6, 0.28), (-0.4, 0.48))),
        ("ellipse", "white", ((0.42, 0.28), (0.62, 0.48))),
    ),
    "boat": (
        ("polygon", "ink", ((-0.07, -1.0), (0.07, -1.0), (0.07, 0.5), (-0.07, 0.5))),
        ("polygon", "main", ((0.14, -0.9), (0.9, 0.3), (0.14, 0.3))),
        ("polygon", "light", ((-0.14, -0.6), (-0.14, 0.3), (-0.72, 0.3))),
        ("polygon", "dark", ((-1.0, 0.42), (1.0, 0.42), (0.62, 0.95), (-0.62, 0.95))),
    ),
    "flower": (
        ("polygon", "ink", ((-0.07, 0.1), (0.07, 0.1), (0.07, 1.0), (-0.07, 1.0))),
        ("ellipse", "ink", ((0.02, 0.5), (0.6, 0.8))),
        *(("ellipse", "main", ((x - 0.3, y - 0.6), (x + 0.3, y))) for x, y in _regular(6, radius=0.42)),
        ("ellipse", "white", ((-0.26, -0.56), (0.26, -0.04))),
    ),
    "cup": (
        ("ellipse", "dark", ((0.25, -0.35), (1.0, 0.45))),
        ("ellipse", "hole", ((0.45, -0.15), (0.8, 0.25))),
        ("polygon", "main", ((-0.8, -0.5), (0.55, -0.5), (0.38, 0.75), (-0.62, 0.75))),
        ("ellipse", "light", ((-0.8, -0.68), (0.55, -0.32))),
        ("polygon", "dark", ((-0.95, 0.75), (0.72, 0.75), (0.55, 0.95), (-0.78, 0.95))),
    ),
    "umbrella": (
        ("polygon", "ink", (
            (-0.06, -1.0), (0.06, -1.0), (0.06, 0.85), (0.3, 0.72), (0.36, 0.82), (0.05, 1.0), (-0.06, 0.9),
        )),
        ("polygon", "main", _arc(0, 0.1, 1.0, 0.95, 180, 360)),
        ("polygon", "light", _arc(0, 0.1, 0.36, 0.95, 180, 360)),
    ),
    "mushroom": (
        ("polygon", "white", ((-0.28, 0.0), (0.28, 0.0), (0.4, 0.95), (-0.4, 0.95))),
        ("polygon", "main", _arc(0, 0.15, 1.0, 1.05, 180, 360)),
        ("ellipse", "light", ((-0.62, -0.42), (-0.28, -0.1))),
        ("ellipse", "light", ((-0.1, -0.76), (0.28, -0.4))),
        ("ellipse", "light", ((0.36, -0.34), (0.66, -0.04))),
    ),
    "rocket": (
        ("polygon", "dark", ((-0.3, 0.25), (-0.75, 0.85), (-0.25, 0.7))),
        ("polygon", "dark", ((0.3, 0.25), (0.75, 0.85), (0.25, 0.7))),
        ("polygon", "ink", ((-0.22, 0.7), (0.22, 0.7), (0.0, 1.0))),
        ("polygon", "main", (
            (0.0, -1.0), (0.26, -0.65), (0.38, -0.1), (0.3, 0.72), (-0.3, 0.72), (-0.38, -0.1), (-0.26, -0.65),
        )),
        ("ellipse", "white", ((-0.2, -0.38), (0.2, 0.02))),
        ("ellipse", "ink", ((-0.12, -0.3), (0.12, -0.06))),
    ),
    "bead": (("ellipse", "main", ((-0.16, -1.0), (0.16, -0.68))),),
    "face": (
        ("ellipse", "main", ((-0.95, -0.95), (0.95, 0.95))),
        ("ellipse", "ink", ((-0.5, -0.45), (-0.22, -0.05))),
        ("ellipse", "ink", ((0.22, -0.45), (0.5, -0.05))),
        ("polygon", "ink", (*_arc(0, 0.2, 0.55, 0.5, 0, 180),)),
    ),
}  # fmt: skip


@lru_cache(maxsize=256)
def draw_sticker(figure: Figure, size: int) -> Image.Image:
    """The figure as it looks in videos: RGBA, a white rim, `size` pixels high and wide."""
    return _sticker(figure).resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)


def turn_sticker(figure: Figure, size: int, degrees: float) -> Image.Image:
    """The same, turned clockwise."""
    small = draw_sticker(figure, size)
    return small.rotate(-degrees, Image.Resampling.BICUBIC)


@lru_cache(maxsize=64)
def draw_illustration(figure: Figure, size: int, degrees: float) -> Image.Image:
    """The figure as it looks in query images: RGBA, a dark rim and a shine, turned clockwise."""
    body, shape = _body(figure)
    shine = Image.linear_gradient("L").resize((MASTER, MASTER)).rotate(35).point([value // 3 for value in range(256)])
    body = Image.composite(Image.new("RGB", body.size, _INK), body, shine)
    picture = Image.new("RGBA", body.size, (*_INK, 0))
    picture.putalpha(_widen(shape, 5))
    picture.paste(body, (0, 0), shape)
    return picture.rotate(-degrees, Image.Resampling.BICUBIC).resize((size, size), Image.Resampling.LANCZOS)


@lru_cache(maxsize=256)
def _sticker(figure: Figure) -> Image.Image:
    body, shape = _body(figure)
    edge = _widen(shape, 4)
    rim = Image.composite(Image.new("RGB", body.size, _INK), Image.new("RGB", body.size, (255, 255, 255)), edge)
    rim.paste(body, (0, 0), shape)
    picture = rim.convert("RGBA")
    picture.putalpha(_widen(shape, 13))
    return picture


def _body(figure: Figure) -> tuple[Image.Image, Image.Image]:
    """The figure's colours, and where it is."""
    main = COLOR_VALUES[figure.color]
    tones = {
        "main": main,
        "dark": tuple(value * 7 // 10 for value in main),
        "light": tuple(value + (255 - value) // 2 for value in main),
        "white": (255, 255, 255),
        "ink": _INK,
    }
    large = 2 * MASTER
    body, shape = Image.new("RGB", (large, large), main), Image.new("L", (large, large), 0)
    on_body, on_shape = ImageDraw.Draw(body), ImageDraw.Draw(shape)
    for kind, tone, points in _PARTS[figure.name]:
        placed = [(large / 2 * (1 + _REACH * x), large / 2 * (1 + _REACH * y)) for x, y in points]
        draw_on_body, draw_on_shape = (
            (on_body.ellipse, on_shape.ellipse) if kind == "ellipse" else (on_body.polygon, on_shape.polygon)
        )
        if tone != "hole":
            draw_on_body(placed, fill=tones[tone])
        draw_on_shape(placed, fill=0 if tone == "hole" else 255)
    return body.reduce(2), shape.reduce(2)


def _widen(shape: Image.Image, pixels: int) -> Image.Image:
    """The shape grown by about that many pixels, its edge soft."""
    blurred = shape.filter(ImageFilter.GaussianBlur(pixels))
    return ImageChops.lighter(blurred.point([min(255, max(0, (value - 24) * 8)) for value in range(256)]), shape)
