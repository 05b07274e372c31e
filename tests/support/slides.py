"""Slide decks made for the tests: templates that differ in layout, colours, font and number of words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 360
FPS = 4
SECONDS_A_SLIDE = 2.5
SYLLABLES = (
    "ba",
    "ren",
    "to",
    "li",
    "mo",
    "sha",
    "ker",
    "di",
    "pun",
    "el",
    "qua",
    "tor",
    "vi",
    "ne",
    "sul",
    "gra",
    "phi",
)
FONTS = (None, "DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "STIXGeneral.ttf", "DejaVuSans-Bold.ttf")
"""None is Pillow's own; the others are files that matplotlib has."""


class Template:
    """One look of slides, chosen by a seed."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(1000 + seed)
        self.layout, self.font = seed % 6, FONTS[(seed + seed // 6) % len(FONTS)]
        self.size = int(rng.integers(14, 26))
        self.lines = int(rng.integers(2, 8))
        self.words = (int(rng.integers(1, 4)), int(rng.integers(4, 9)))
        is_dark = seed % 3 == 1
        self.paper = _colour(rng, 12, 40) if is_dark else _colour(rng, 215, 256)
        self.ink = (235, 235, 235) if is_dark else (20, 20, 30)
        self.bar = _colour(rng, 10, 140)
        self.left = int(rng.integers(20, 60))

    def draw(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """A slide of random words, uint8 `[HEIGHT, WIDTH, 3]`."""
        image = Image.new("RGB", (WIDTH, HEIGHT), self.paper)
        canvas = ImageDraw.Draw(image)
        self._draw_layout(canvas)
        on_bar = (255, 255, 255) if self.layout in (0, 3) else self.ink
        title = " ".join(_word(rng) for _ in range(int(rng.integers(1, 4)))).title()
        canvas.text((self.left // 2 + 10, 14), title, font=load_font(self.font, int(self.size * 1.4)), fill=on_bar)
        for line in range(self.lines):
            words = " ".join(_word(rng) for _ in range(int(rng.integers(*self.words))))
            y = 86 + line * int(self.size * 1.75)
            if y < HEIGHT * 0.88:
                canvas.text((self.left, y), f"- {words}", font=load_font(self.font, self.size), fill=self.ink)
        canvas.text((WIDTH * 0.88, HEIGHT * 0.93), str(number), font=load_font(self.font, 14), fill=on_bar)
        return np.asarray(image)

    def _draw_layout(self, canvas: ImageDraw.ImageDraw) -> None:
        if self.layout in (0, 3):
            canvas.rectangle((0, 0, WIDTH, 61), fill=self.bar)
            canvas.rectangle((0, HEIGHT * 0.94, WIDTH, HEIGHT), fill=self.bar)
        elif self.layout == 1:
            canvas.rectangle((0, 0, WIDTH // 20, HEIGHT), fill=self.bar)
        elif self.layout == 2:
            canvas.line((self.left, 61, WIDTH - self.left, 61), fill=self.bar, width=3)
        elif self.layout == 4:
            canvas.rectangle((0, HEIGHT * 0.9, WIDTH, HEIGHT), fill=self.bar)
            canvas.ellipse((WIDTH * 0.9, 7, WIDTH * 0.98, 50), fill=self.bar)


def draw_deck(template: Template, seed: int, slides: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [template.draw(rng, number + 1) for number in range(slides)]


def show_deck(slides: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The frames of a video of the slides, FPS of them a second."""
    for slide in slides:
        yield from [slide] * round(SECONDS_A_SLIDE * FPS)


def add_logo(frames: Iterable[np.ndarray], corner: str) -> Iterator[np.ndarray]:
    """The pictures with a channel's logo in a corner, a seventh of their width: `top right` or `bottom left`."""
    for picture in frames:
        height, width = picture.shape[:2]
        high, wide = height // 9, width // 7
        y = height // 40 if "top" in corner else height - high - height // 40
        x = width // 40 if "left" in corner else width - wide - width // 40
        image = Image.fromarray(picture)
        canvas = ImageDraw.Draw(image)
        canvas.ellipse((x, y, x + high, y + high), fill=(220, 30, 30))
        canvas.text((x + high + 2, y), "TV 9", font=load_font(None, high * 2 // 3), fill=(255, 255, 255))
        yield np.asarray(image)


def load_font(name: str | None, size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    if name is None:
        return ImageFont.load_default(size)
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf" / name), size)


def _colour(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _word(rng: np.random.Generator) -> str:
    return "".join(str(rng.choice(SYLLABLES)) for _ in range(int(rng.integers(1, 5))))
