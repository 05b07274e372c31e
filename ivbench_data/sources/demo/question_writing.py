"""From the scripts to the release: ten-option questions for the 13 tasks, every answer read off a script.

Each question needs the image, since what it asks differs between the objects of a video, and only the image says which
one is meant. None can be answered from its text: the options are the ten values that the answer was drawn from, or ten
equal draws of which one is right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ivbench_data.schema import Video
from ivbench_data.sources.demo import script
from ivbench_data.sources.demo.dice import Dice
from ivbench_data.sources.demo.script import Act, Figure, Guest, Scene, Script
from ivbench_data.timecodes import format_clock

DEMO_VERSION = 1
"""Raised when anything that is drawn, encoded or asked changes: media of another version are made anew."""

POSITIONS = tuple(
    f"{place} from the left in the {row} row"
    for row in ("top", "bottom")
    for place in ("first", "second", "third", "fourth", "fifth")
)
"""Where things stand in an image of two rows of five."""

WHOLE = "Whole video"


@dataclass(frozen=True)
class Picture:
    """What a query image shows: one or ten figures, ten styles, or a face."""

    figures: tuple[Figure, ...] = ()
    styles: tuple[str, ...] = ()
    face_color: str = ""


@dataclass(frozen=True)
class Draft:
    """One question, its image described but not drawn."""

    task: str
    question: str
    answer: str
    distractors: tuple[str, ...]
    granularity: str
    location: str
    picture: Picture


def draft_questions(of_video: Script) -> Iterator[Draft]:
    """The 13 questions of a video, one a task, in the manifest's order."""
    for task, write in _TASKS.items():
        question, answer, options, granularity, location, picture = write(
            of_video, Dice("choice", task, of_video.video_id)
        )
        distractors = tuple(option for option in options if option != answer)
        yield Draft(task, question, answer, distractors, granularity, location, picture)


def image_name(video_id: str, data_id: int) -> str:
    """The query image's file name, as IV-Bench names its images."""
    return f"{video_id}_{data_id}_image.png"


def write_release(scripts: Sequence[Script]) -> bytes:
    """The annotations in IV-Bench's form: a JSON line a video, `{video_id: [question, …]}`."""
    return b"".join(
        json.dumps(
            {each.video_id: [_record(each, *numbered) for numbered in enumerate(draft_questions(each))]}
        ).encode()
        + b"\n"
        for each in scripts
    )


def write_video_list(scripts: Sequence[Script]) -> bytes:
    """What is known of the videos beside the questions: a `Video` record a line."""
    records = (
        Video(
            video_id=each.video_id,
            duration_seconds=script.VIDEO_SECONDS,
            license="Apache-2.0",
            language="en",
            category=each.footage.category,
            source_metadata={"title": each.footage.title, "demo_version": DEMO_VERSION},
        )
        for each in scripts
    )
    return b"".join(record.model_dump_json(exclude_defaults=True).encode() + b"\n" for record in records)


def _record(of_video: Script, data_id: int, draft: Draft) -> dict[str, object]:
    return {
        "data_id": data_id,
        "image_name": image_name(of_video.video_id, data_id),
        "question": draft.question,
        "question_type": draft.task,
        "granularity": draft.granularity,
        "answer": draft.answer,
        "answer_location": draft.location,
        "distractors": list(draft.distractors),
    }


# --- the 13 tasks: question, answer, ten options, granularity, location, picture ------------------------------------

_Written = tuple[str, str, Sequence[str], str, str, Picture]


def _existence(of_video: Script, dice: Dice) -> _Written:
    scene = dice.choose(of_video.scenes)
    lineup = tuple(Figure(scene.host.name, color) for color in dice.shuffle(script.COLORS))
    return (
        "Ten objects of one kind stand in the image. Which of them appears in the video?",
        f"the {scene.host.color} one",
        [f"the {color} one" for color in script.COLORS],
        *_clip(scene),
        Picture(lineup),
    )


def _reverse_existence(of_video: Script, dice: Dice) -> _Written:
    odd = dice.choose(of_video.scenes).host
    wrong = Figure(odd.name, dice.choose([color for color in script.COLORS if color != odd.color]))
    lineup = tuple(wrong if scene.host == odd else scene.host for scene in of_video.scenes)
    return (
        "Nine of the ten objects in the image appear in the video in the very colour that they have in the image. "
        "Which one never does?",
        odd.name,
        script.HOSTS,
        "Whole Video",
        WHOLE,
        Picture(dice.shuffle(lineup)),
    )


def _nli(of_video: Script, dice: Dice) -> _Written:
    styles = dice.shuffle(script.STYLES)
    return (
        "Which panel of the image matches the pattern of the background in the video?",
        POSITIONS[styles.index(of_video.footage.style)],
        POSITIONS,
        "Whole Video",
        WHOLE,
        Picture(styles=styles),
    )


def _spatial_relationship(of_video: Script, dice: Dice) -> _Written:
    scene, guest = _pick(of_video, "hoop", dice)
    question = "Where is the object of the image to be seen in the scene of the video that shows a hoop?"
    return question, guest.relation, script.RELATIONS, *_clip(scene), Picture((guest.figure,))


def _keyframe_extraction(of_video: Script, dice: Dice) -> _Written:
    scene = dice.choose(of_video.scenes)
    return (
        "At which of these moments does the video show the object of the image?",
        format_clock(scene.middle_seconds),
        [format_clock(each.middle_seconds) for each in of_video.scenes],
        *_clip(scene),
        Picture((scene.host,)),
    )


def _constrained_ocr(of_video: Script, dice: Dice) -> _Written:
    scene, guest = _pick(of_video, "signs", dice)
    question = "Which word stands on the banner below the object of the image in the video?"
    return question, guest.word, script.WORDS, *_frame(scene), Picture((guest.figure,))


def _detailed_events(of_video: Script, dice: Dice) -> _Written:
    scene, guest = _pick(of_video, "moves", dice)
    question = "What does the object of the image do in the scene of the video that shows three dancers under lamps?"
    return question, guest.move, script.MOVES, *_clip(scene), Picture((guest.figure,))


def _counting(of_video: Script, dice: Dice) -> _Written:
    scene, guest = _pick(of_video, "crowd", dice)
    question = "How many objects of the image's kind can be counted in the scene of the video that shows a crowd?"
    return question, str(guest.count), [str(count) for count in script.COUNTS], *_frame(scene), Picture((guest.figure,))


def _attribute_change(of_video: Script, dice: Dice) -> _Written:
    scene, guest = _pick(of_video, "change", dice)
    question = "Which colour does the object of the image take on in the video?"
    return question, guest.new_color, script.COLORS, *_clip(scene), Picture((guest.figure,))


def _temporal_reasoning(of_video: Script, dice: Dice) -> _Written:
    scene = of_video.scenes[dice.below(script.SCENES - 1)]
    following = of_video.scenes[scene.index + 1]
    return (
        "Which large object comes to the side of the video right after that of the image has left?",
        f"the {following.host.name}",
        [f"the {name}" for name in script.HOSTS],
        "Video Clip",
        f"{format_clock(scene.start_seconds)}-{format_clock(following.last_second)}",
        Picture((scene.host,)),
    )


def _space_time_computing(of_video: Script, dice: Dice) -> _Written:
    scene, guest = _pick(of_video, "race", dice)
    question = "Going by the marks and the stopwatch in the video, how fast is the object of the image while it moves?"
    options = [_speed(marks) for marks in script.MARKS]
    return question, _speed(guest.marks), options, *_clip(scene), Picture((guest.figure,))


def _instruction_understanding(of_video: Script, dice: Dice) -> _Written:
    scene, guest = _pick(of_video, "recipe", dice)
    others = [recipe for recipe in script.RECIPES if recipe != guest.recipe]
    question = "Following the step cards in the video, how is the object of the image made?"
    options = [" then ".join(recipe) for recipe in (guest.recipe, *dice.sample(others, 9))]
    return question, options[0], sorted(options), *_clip(scene), Picture((guest.figure,))


def _summary(of_video: Script, dice: Dice) -> _Written:
    face = dice.choose(of_video.faces)
    others = [path for path in script.PATHS if path != face.path]
    question = "Which path does the face of the image take along the edge of the video, from beginning to end?"
    options = [" to ".join(path) for path in (face.path, *dice.sample(others, 9))]
    return question, options[0], sorted(options), "Whole Video", WHOLE, Picture(face_color=face.color)


_TASKS: dict[str, Callable[[Script, Dice], _Written]] = {
    "Existence": _existence,
    "Reverse Existence": _reverse_existence,
    "NLI": _nli,
    "Spatial Relationship": _spatial_relationship,
    "Keyframe Extraction": _keyframe_extraction,
    "Constrained OCR": _constrained_ocr,
    "Detailed Events": _detailed_events,
    "Counting": _counting,
    "Attribute Change": _attribute_change,
    "Temporal Reasoning": _temporal_reasoning,
    "Space-Time Computing": _space_time_computing,
    "Instruction Understanding": _instruction_understanding,
    "Summary": _summary,
}


def _pick(of_video: Script, act: Act, dice: Dice) -> tuple[Scene, Guest]:
    return dice.choose([(scene, guest) for scene in of_video.scenes if scene.act == act for guest in scene.guests])


def _speed(marks: int) -> str:
    return f"{marks / script.RACE_SECONDS:.1f} marks a second"


def _clip(scene: Scene) -> tuple[str, str]:
    return "Video Clip", f"{format_clock(scene.start_seconds)}-{format_clock(scene.last_second)}"


def _frame(scene: Scene) -> tuple[str, str]:
    return "Video Frame", format_clock(scene.middle_seconds)
