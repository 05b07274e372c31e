"""Query images: drawn apart from the videos, in another manner, so that none of them is a frame of its video."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

from ivbench_data.sources.demo.backdrops import paint_backdrop, paint_studio
from ivbench_data.sources.demo.dice import Dice
from ivbench_data.sources.demo.question_writing import Picture
from ivbench_data.sources.demo.script import Figure
from ivbench_data.sources.demo.shapes import draw_illustration

WIDTH, HEIGHT = 320, 256
"""Size of every query image, in pixels."""

ROWS, COLUMNS = 2, 5
"""How ten things are laid out."""


def draw_picture(picture: Picture, name: str) -> bytes:
    """The query image as PNG; the name decides on backdrop, place and tilt."""
    dice = Dice("picture", name)
    canvas = paint_studio(WIDTH, HEIGHT, dice)
    if picture.styles:
        _draw_panels(canvas, picture.styles, dice)
    elif len(picture.figures) > 1:
        _draw_lineup(canvas, picture.figures, dice)
    else:
        figure = picture.figures[0] if picture.figures else Figure("face", picture.face_color)
        _draw_portrait(canvas, figure, dice)
    file = io.BytesIO()
    canvas.save(file, "PNG", compress_level=6)
    return file.getvalue()


def _draw_portrait(canvas: Image.Image, figure: Figure, dice: Dice) -> None:
    size = 100 + dice.below(50)
    drawn = draw_illustration(figure, size, dice.between(-18, 18))
    x, y = size // 2 + dice.below(WIDTH - size), size // 2 + dice.below(HEIGHT - size)
    canvas.paste(drawn, (x - size // 2, y - size // 2), drawn)


def _draw_lineup(canvas: Image.Image, figures: tuple[Figure, ...], dice: Dice) -> None:
    for index, figure in enumerate(figures):
        x, y, width, height = _cell(index)
        drawn = draw_illustration(figure, width - 4, dice.between(-12, 12))
        canvas.paste(drawn, (x + 2, y + (height - width) // 2 + dice.below(21) - 10), drawn)


def _draw_panels(canvas: Image.Image, styles: tuple[str, ...], dice: Dice) -> None:
    draw = ImageDraw.Draw(canvas)
    for index, style in enumerate(styles):
        x, y, width, height = _cell(index)
        draw.rectangle((x + 3, y + 5, x + width - 4, y + height - 6), fill=(250, 250, 250))
        canvas.paste(paint_backdrop(style, width - 12, height - 16, dice, zoom=1.5), (x + 6, y + 8))


def _cell(index: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of one of ten cells."""
    row, column = divmod(index, COLUMNS)
    width, height = WIDTH // COLUMNS, HEIGHT // ROWS
    return column * width, row * height, width, height
