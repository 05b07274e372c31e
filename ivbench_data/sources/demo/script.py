"""Script of each demo video, which both the pictures and the answers follow.

A video has ten scenes of three seconds. Each scene has a *host* at the side (ten pictured things, each in one scene)
and an *act* with three *guests* (geometric shapes), of which the act tells something each: the word on its banner, how
often it stands there, what colour it turns into. Along one edge three *faces* walk between zones through the whole
video. Every value is drawn independently and uniformly: a set that were balanced exactly would tell its last answer to
whoever counts the others.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from ivbench_data.sources.demo.dice import Dice

SCENES = 10
SCENE_SECONDS = 3
VIDEO_SECONDS = SCENES * SCENE_SECONDS

COLORS = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "brown", "white")
HOSTS = ("fish", "house", "tree", "car", "boat", "flower", "cup", "umbrella", "mushroom", "rocket")
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "hexagon", "crescent", "cross", "arrow")
STYLES = ("hills", "waves", "bricks", "rays", "ripples", "dots", "checks", "stripes", "chevrons", "terraces")

WORDS = ("NOVA", "LIME", "OPAL", "ECHO", "KIWI", "RUBY", "JADE", "PLUM", "ONYX", "FERN")
MOVES = (
    "moves to the left", "moves to the right", "moves upwards", "moves downwards", "turns clockwise",
    "turns anticlockwise", "grows larger", "gets smaller", "blinks on and off", "shakes in place",
)  # fmt: skip
RELATIONS = (
    "above the hoop", "below the hoop", "left of the hoop", "right of the hoop", "above the hoop to the left",
    "above the hoop to the right", "below the hoop to the left", "below the hoop to the right", "inside the hoop",
    "circling around the hoop",
)  # fmt: skip
COUNTS = tuple(range(1, 11))
MARKS = tuple(range(1, 11))
RACE_SECONDS = 2
STEPS = ("fold", "bake", "glue", "trim", "sand")
RECIPES = tuple(itertools.permutations(STEPS, 3))
ZONES = ("left", "middle", "right")
PATHS = tuple(path for path in itertools.product(ZONES, repeat=4) if all(a != b for a, b in itertools.pairwise(path)))

Act = Literal["signs", "moves", "hoop", "crowd", "change", "race", "recipe"]
ACTS: tuple[Act, ...] = ("signs", "moves", "hoop", "crowd", "change", "race", "recipe", "signs", "moves", "change")
"""The acts of a video's ten scenes, before they are shuffled."""


@dataclass(frozen=True)
class Figure:
    """A pictured thing in a colour."""

    name: str
    color: str


@dataclass(frozen=True)
class Guest:
    """A figure in an act, and what the act tells of it; which of the fields is set, the act says."""

    figure: Figure
    word: str = ""
    move: str = ""
    relation: str = ""
    count: int = 0
    new_color: str = ""
    marks: int = 0
    recipe: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """Three seconds of a video."""

    index: int
    host: Figure
    host_on_left: bool
    act: Act
    guests: tuple[Guest, ...]

    @property
    def start_seconds(self) -> int:
        """When it begins."""
        return self.index * SCENE_SECONDS

    @property
    def middle_seconds(self) -> int:
        """A whole second in the midst of it."""
        return self.start_seconds + SCENE_SECONDS // 2

    @property
    def last_second(self) -> int:
        """The last whole second that it shows."""
        return self.start_seconds + SCENE_SECONDS - 1


@dataclass(frozen=True)
class Face:
    """A face that walks along the edge, and its zone in each quarter of the video."""

    color: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Footage:
    """How a video is shot and stored; everything else about it is drawn by dice."""

    video_id: str
    title: str
    category: str
    style: str
    width: int
    height: int
    fps: int
    codec: Literal["libx264", "libvpx-vp9"] = "libx264"
    suffix: Literal[".mp4", ".webm", ".mkv"] = ".mp4"
    rotation: Literal[0, 90] = 0
    """Degrees that a player has to turn the stored picture by, anticlockwise."""
    variable_rate: bool = False

    @property
    def file_name(self) -> str:
        """Name of the video's file."""
        return f"{self.video_id}{self.suffix}"


@dataclass(frozen=True)
class Script:
    """All that happens in one video."""

    footage: Footage
    scenes: tuple[Scene, ...]
    faces: tuple[Face, ...]
    faces_on_top: bool

    @property
    def video_id(self) -> str:
        """The video's id."""
        return self.footage.video_id

    def scene_at(self, seconds: float) -> Scene:
        """The scene that is on at that time."""
        return self.scenes[min(int(seconds // SCENE_SECONDS), SCENES - 1)]


FOOTAGE: tuple[Footage, ...] = (
    Footage("meadow", "A day on the meadow", "Life Record", "hills", 320, 240, 12),
    Footage("-harbour", "Ships and signals", "Knowledge", "waves", 320, 240, 10, "libvpx-vp9", ".webm"),
    Footage("quarry", "The quarry run", "Sports Competition", "bricks", 384, 216, 12, "libx264", ".mkv"),
    Footage("carousel", "Round and round", "Artistic Performance", "rays", 320, 240, 12, rotation=90),
    Footage("tide", "High water", "Film & Television", "ripples", 352, 240, 12, variable_rate=True),
    Footage("observatory", "Night shift", "Knowledge", "dots", 426, 240, 10, "libvpx-vp9", ".webm"),
    Footage("market", "Market morning", "Life Record", "checks", 400, 240, 15, "libx264", ".mkv"),
    Footage("theatre", "The last curtain", "Film & Television", "stripes", 320, 240, 15),
)
"""The videos: three containers, two codecs, one to be turned, one of variable rate, one id that begins with `-`."""


def write_scripts() -> tuple[Script, ...]:
    """The script of every demo video, always the same."""
    return tuple(_write_script(footage) for footage in FOOTAGE)


def _write_script(footage: Footage) -> Script:
    dice = Dice("ivbench-data demo", "script", footage.video_id)
    hosts = [Figure(name, dice.choose(COLORS)) for name in dice.shuffle(HOSTS)]
    # an act that comes twice never shows the same shape twice, so that "the object in the image" is one object
    shapes = {act: iter(dice.shuffle(SHAPES)) for act in dict.fromkeys(ACTS)}
    scenes = []
    for index, act in enumerate(dice.shuffle(ACTS)):
        guests = _invite(act, [next(shapes[act]) for _ in range(3)], dice)
        scenes.append(Scene(index, hosts[index], bool(dice.below(2)), act, guests))
    colors = dice.sample(COLORS, 3)
    faces = tuple(Face(color, path) for color, path in zip(colors, dice.sample(PATHS, 3), strict=True))
    return Script(footage, tuple(scenes), faces, bool(dice.below(2)))


def _invite(act: Act, shapes: list[str], dice: Dice) -> tuple[Guest, ...]:
    """Three guests whose values differ, so that the act alone, without the image, names no answer."""
    colors = dice.sample(COLORS, 3)
    figures = [Figure(shape, color) for shape, color in zip(shapes, colors, strict=True)]
    match act:
        case "signs":
            return tuple(Guest(f, word=v) for f, v in zip(figures, dice.sample(WORDS, 3), strict=True))
        case "moves":
            return tuple(Guest(f, move=v) for f, v in zip(figures, dice.sample(MOVES, 3), strict=True))
        case "hoop":
            return tuple(Guest(f, relation=v) for f, v in zip(figures, dice.sample(RELATIONS, 3), strict=True))
        case "crowd":
            return tuple(Guest(f, count=v) for f, v in zip(figures, dice.sample(COUNTS, 3), strict=True))
        case "race":
            return tuple(Guest(f, marks=v) for f, v in zip(figures, dice.sample(MARKS, 3), strict=True))
        case "recipe":
            return tuple(Guest(f, recipe=v) for f, v in zip(figures, dice.sample(RECIPES, 3), strict=True))
        case "change":
            # the new colours first, uniform; then old ones that are none of the new, so that a change is a change
            old = dice.sample([color for color in COLORS if color not in colors], 3)
            return tuple(
                Guest(Figure(shape, before), new_color=after)
                for shape, before, after in zip(shapes, old, colors, strict=True)
            )
