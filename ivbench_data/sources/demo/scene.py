"""The picture of a demo video at any time: backdrop, host, act, and the faces along the edge."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from ivbench_data.sources.demo.backdrops import PALETTES, paint_backdrop
from ivbench_data.sources.demo.dice import Dice
from ivbench_data.sources.demo.script import (
    MARKS,
    RACE_SECONDS,
    SCENE_SECONDS,
    VIDEO_SECONDS,
    ZONES,
    Act,
    Figure,
    Guest,
    Scene,
    Script,
)
from ivbench_data.sources.demo.shapes import draw_sticker, turn_sticker

EDGE_HEIGHT = 36
"""Height of the faces' strip, in pixels."""

HOST_WIDTH = 86
"""Width of the host's side, in pixels."""

_INK, _PAPER = (34, 34, 46), (252, 250, 244)


class Box(NamedTuple):
    """A part of the picture, in pixels."""

    left: float
    top: float
    width: float
    height: float

    def column(self, index: int, columns: int) -> Box:
        """One of that many equal columns."""
        return Box(self.left + self.width * index / columns, self.top, self.width / columns, self.height)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The point at these shares of width and height."""
        return self.left + x * self.width, self.top + y * self.height


def draw_frame(script: Script, seconds: float) -> Image.Image:
    """What the video shows at that time: RGB, upright, of the footage's width and height."""
    scene = script.scene_at(seconds)
    width, height = script.footage.width, script.footage.height
    frame = _backdrop(script.footage.style, width, height, script.video_id, scene.index).copy()
    into = seconds - scene.start_seconds
    floor = Box(0, EDGE_HEIGHT if script.faces_on_top else 0, width, height - EDGE_HEIGHT)
    beside = HOST_WIDTH if scene.host_on_left else 0
    stage = Box(beside, floor.top, width - HOST_WIDTH, floor.height)
    host = Box(0 if scene.host_on_left else width - HOST_WIDTH, floor.top, HOST_WIDTH, floor.height)
    _paste(frame, draw_sticker(scene.host, 82), *host.at(0.5, 0.5 + 0.22 * (_swing(into / SCENE_SECONDS) - 0.5)))
    _DRAW_ACT[scene.act](frame, stage, scene, into)
    _draw_edge(frame, script, seconds)
    return frame


@lru_cache(maxsize=2)
def _backdrop(style: str, width: int, height: int, video_id: str, scene: int) -> Image.Image:
    return paint_backdrop(style, width, height, Dice("backdrop", video_id, scene))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


# --- acts -----------------------------------------------------------------------------------------------------------


def _draw_signs(frame: Image.Image, stage: Box, scene: Scene, into: float) -> None:
    for index, guest in enumerate(scene.guests):
        column = stage.column(index, 3)
        sway = 0.05 * (_swing(into / 1.5 + index / 3) - 0.5)
        _paste(frame, draw_sticker(guest.figure, 56), *column.at(0.5 + sway, 0.34))
        _write(frame, guest.word, column.at(0.5 + sway, 0.64), 19, column.width - 8)


def _draw_moves(frame: Image.Image, stage: Box, scene: Scene, into: float) -> None:
    done = _smooth((into - 0.3) / 2.4)
    for index, guest in enumerate(scene.guests):
        column = stage.column(index, 3)
        _draw_lamp(frame, column)
        _draw_dancer(frame, column, guest, done, into)


def _draw_dancer(frame: Image.Image, column: Box, guest: Guest, done: float, into: float) -> None:
    size, degrees, x, y = 46, 0.0, 0.5, 0.55
    match guest.move:
        case "moves to the left":
            x += 0.27 - 0.54 * done
        case "moves to the right":
            x += 0.54 * done - 0.27
        case "moves upwards":
            y += 0.27 - 0.54 * done
        case "moves downwards":
            y += 0.54 * done - 0.27
        case "turns clockwise":
            degrees = 360 * done
        case "turns anticlockwise":
            degrees = -360 * done
        case "grows larger":
            size = round(26 + 42 * done)
        case "gets smaller":
            size = round(68 - 42 * done)
        case "shakes in place":
            x += 0.12 * (_swing(into / 0.3) - 0.5)
        case "blinks on and off":
            if int(into / 0.4) % 2:
                return
    sticker = turn_sticker(guest.figure, size, degrees) if degrees else draw_sticker(guest.figure, size)
    _paste(frame, sticker, *column.at(x, y))
    if guest.move.startswith("turns"):
        # a shape may look the same after a turn: the bead that it carries along does not
        bead = turn_sticker(Figure("bead", "white"), 84, degrees)
        _paste(frame, bead, *column.at(x, y))


def _draw_hoop(frame: Image.Image, stage: Box, scene: Scene, into: float) -> None:
    x, y = stage.at(0.5, 0.5)
    draw = ImageDraw.Draw(frame)
    draw.ellipse((x - 33, y - 33, x + 33, y + 33), outline=_INK, width=9)
    draw.ellipse((x - 31, y - 31, x + 31, y + 31), outline=_PAPER, width=5)
    for guest in scene.guests:
        size, (offset_x, offset_y) = 36, _OFFSETS.get(guest.relation, (0.0, 0.0))
        if guest.relation == "inside the hoop":
            size = 32
        elif guest.relation == "circling around the hoop":
            size, (offset_x, offset_y) = 24, _on_circle(into / SCENE_SECONDS)
        _paste(frame, draw_sticker(guest.figure, size), *stage.at(0.5 + offset_x, 0.5 + offset_y))


def _draw_crowd(frame: Image.Image, stage: Box, scene: Scene, into: float) -> None:
    columns, rows = int(stage.width // 33), int(stage.height // 32)
    places = Dice("crowd", *(guest.figure.name for guest in scene.guests)).shuffle(range(columns * rows))
    members = [guest.figure for guest in scene.guests for _ in range(guest.count)]
    for number, (figure, place) in enumerate(zip(members, places, strict=False)):
        row, column = divmod(place, columns)
        hop = 4 * _swing(into / 0.9 + number / 7)
        x, y = stage.at((column + 0.5) / columns, (row + 0.5) / rows)
        _paste(frame, draw_sticker(figure, 29), x, y + hop - 2)


def _draw_change(frame: Image.Image, stage: Box, scene: Scene, into: float) -> None:
    done = _smooth((into - 1.2) / 0.6)
    for index, guest in enumerate(scene.guests):
        x, y = stage.column(index, 3).at(0.5, 0.5)
        before = draw_sticker(guest.figure, 58)
        after = draw_sticker(Figure(guest.figure.name, guest.new_color), 58)
        ImageDraw.Draw(frame).ellipse((x - 30, y + 24, x + 30, y + 40), fill=_INK)
        _paste(frame, Image.blend(before, after, done), x, y + 4 * (_swing(into + index / 3) - 0.5))


def _draw_race(frame: Image.Image, stage: Box, scene: Scene, into: float) -> None:
    draw = ImageDraw.Draw(frame)
    running = min(max(into - 0.5, 0.0), RACE_SECONDS)
    _write(frame, f"{running:.1f} s", stage.at(0.5, 0.09), 16, 60)
    first, last = stage.left + 20, stage.left + stage.width - 20
    for index, guest in enumerate(scene.guests):
        y = stage.top + stage.height * (0.37 + 0.26 * index)
        draw.rectangle((first - 12, y, last + 12, y + 13), fill=_INK)
        for mark in (0, *MARKS):
            x = first + (last - first) * mark / len(MARKS)
            draw.text((x, y + 7), str(mark), _PAPER, _font(10), anchor="mm")
        at = first + (last - first) * guest.marks * running / RACE_SECONDS / len(MARKS)
        _paste(frame, draw_sticker(guest.figure, 36), at, y - 16)


def _draw_recipe(frame: Image.Image, stage: Box, scene: Scene, into: float) -> None:
    for index, guest in enumerate(scene.guests):
        column = stage.column(index, 3)
        _paste(frame, draw_sticker(guest.figure, 46), *column.at(0.5, 0.18))
        for number, step in enumerate(guest.recipe):
            if into >= 0.2 + 0.7 * number:
                _write(
                    frame, f"{number + 1} {step.upper()}", column.at(0.5, 0.44 + 0.19 * number), 15, column.width - 6
                )


_DRAW_ACT: dict[Act, Callable[[Image.Image, Box, Scene, float], None]] = {
    "signs": _draw_signs,
    "moves": _draw_moves,
    "hoop": _draw_hoop,
    "crowd": _draw_crowd,
    "change": _draw_change,
    "race": _draw_race,
    "recipe": _draw_recipe,
}

_OFFSETS = {
    "above the hoop": (0.0, -0.40),
    "below the hoop": (0.0, 0.40),
    "left of the hoop": (-0.40, 0.0),
    "right of the hoop": (0.40, 0.0),
    "above the hoop to the left": (-0.36, -0.37),
    "above the hoop to the right": (0.36, -0.37),
    "below the hoop to the left": (-0.36, 0.37),
    "below the hoop to the right": (0.36, 0.37),
}
"""From the stage's middle, in shares of its width and height."""


# --- the faces along the edge ---------------------------------------------------------------------------------------


def _draw_edge(frame: Image.Image, script: Script, seconds: float) -> None:
    width, height = frame.size
    top = 0 if script.faces_on_top else height - EDGE_HEIGHT
    edge = Box(0, top, width, EDGE_HEIGHT)
    draw = ImageDraw.Draw(frame)
    for index in range(len(ZONES)):
        zone = edge.column(index, len(ZONES))
        tone = PALETTES[script.footage.style][index]
        draw.rectangle((zone.left, zone.top, zone.left + zone.width - 1, zone.top + zone.height - 1), fill=tone)
    inner = top + EDGE_HEIGHT - 2 if script.faces_on_top else top
    draw.rectangle((0, inner, width, inner + 1), fill=_INK)
    quarter = VIDEO_SECONDS / 4
    now = min(int(seconds // quarter), 3)
    arrived = _smooth((seconds - now * quarter) / 2.0)
    for index, face in enumerate(script.faces):
        here = ZONES.index(face.path[now])
        before = ZONES.index(face.path[max(now - 1, 0)])
        place = before + (here - before) * arrived
        x = (place + 0.22 + 0.28 * index) / len(ZONES)
        _paste(frame, draw_sticker(Figure("face", face.color), 32), *edge.at(x, 0.5))


# --- strokes --------------------------------------------------------------------------------------------------------


def _paste(frame: Image.Image, sticker: Image.Image, x: float, y: float) -> None:
    """Put the sticker's middle there."""
    frame.paste(sticker, (round(x - sticker.width / 2), round(y - sticker.height / 2)), sticker)


def _write(frame: Image.Image, text: str, middle: tuple[float, float], size: int, width: float) -> None:
    """A dark word on a light banner."""
    draw, (x, y) = ImageDraw.Draw(frame), middle
    box = (x - width / 2, y - size * 0.75, x + width / 2, y + size * 0.75)
    draw.rounded_rectangle(box, radius=5, fill=_PAPER, outline=_INK, width=2)
    draw.text((x, y), text, _INK, _font(size), anchor="mm")


def _draw_lamp(frame: Image.Image, column: Box) -> None:
    draw = ImageDraw.Draw(frame)
    x, y = column.at(0.5, 0.02)
    draw.polygon([(x - 12, y + 16), (x + 12, y + 16), (x + 6, y), (x - 6, y)], fill=_INK)
    draw.ellipse((x - 8, y + 11, x + 8, y + 21), fill=(255, 240, 170))


def _swing(turns: float) -> float:
    """From 0 to 1 and back once a turn, softly."""
    part = 2 * (turns % 1.0)
    return _smooth(part if part <= 1 else 2 - part)


def _smooth(share: float) -> float:
    """0 up to 0, 1 from 1 on, and a soft way between them."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _on_circle(turns: float) -> tuple[float, float]:
    """A point on the way around the hoop, in shares of the stage's width and height."""
    return 0.225 * (2 * _swing(turns) - 1), 0.25 * (2 * _swing(turns + 0.25) - 1)
