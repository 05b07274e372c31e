"""VideoEspresso (arXiv 2411.14794): its closed-ended test file, and its training files, as a `Dataset`, and back.

A file is one JSON list of records. Those of the test hold `video_path, question, options, correct_answer, evidence,
task` (eval/README.md of github.com/hshjerry/VideoEspresso at c865570f), and beside them core frames with captions and a
free answer (issues 11 and 21 there). The training's have no options: their questions are open. The frames' names hold
numbers that nobody documents, so they are no times; only `core_frames_timestamps`, in seconds of the video, are.

Options keep the order of the release. It gives nothing away that the release does not, for the letter of the right one
stands beside them; it is the order under which the published figures came about. A hidden split orders them anew.

The evidence is a text that leads to the answer, not a place in the video: it is kept as `metadata["evidence_text"]`,
and shown by the profiles that are made for it alone.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from reprlib import repr as shorten
from typing import Final, cast

from pydantic import JsonValue, ValidationError

from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import BadLine, Evidence, EvidenceBox, Question, Video, check_safe_name
from ivbench_data.sources.json_list import ListForm, detect_form, iterate_json_list, write_json_list
from ivbench_data.sources.release_files import empty_release_error
from ivbench_data.sources.released_fields import Released
from ivbench_data.strict_json import explain, parse_json
from ivbench_data.workspace import ID_SUFFIXES, stays_inside

RELEASE_FILES = ("bench_hard.json", "bench_final.json", "videoespresso_train_video.json", "videoespresso_train.json")
"""The closed-ended test first, then the open-ended one, then the training files; a folder's first one is read."""

_TEXTS = ("video_path", "question", "evidence", "task")
_OTHER_NAMES: Final = {
    "frames": ("core_frames_paths", "core_frame_path", "keyframes_path", "keyframe_path", "path"),
    "captions": ("core_frames_captions", "core_frame_captions", "keyframes_caption", "keyframes_captions", "caption"),
    "times": ("core_frames_timestamps",),
    "others": ("answer", "options", "correct_answer", "key_item", "key_items", "duration"),
}
"""Fields that some of the files have, by what they hold: each file names its frames in its own way."""
_KNOWN = frozenset((*_TEXTS, *(name for names in _OTHER_NAMES.values() for name in names)))

MAX_ID_BYTES = 160


def read(raw_dir: Path) -> Dataset:
    """The dataset of a file of the release, or of the folder that holds it.

    A record with anything wrong in it is left out and named in `bad_lines`, by the line on which it begins.

    Raises:
        UsageError: the file cannot be read, or no record of it is a question.
    """
    path = _find_file(raw_dir) if raw_dir.is_dir() else raw_dir
    manifest = load_manifest("videoespresso")
    task_of_label = manifest.task_of_label()
    bad: list[BadLine] = []
    videos: dict[str, Video] = {}
    questions: list[Question] = []
    other_tasks: Counter[str] = Counter()
    for position, (line, value) in enumerate(iterate_json_list(path)):
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        try:
            question, video = _read_record(value, position, task_of_label)
            first = videos.setdefault(video.video_id, video)
            if _path_of(first) != _path_of(video):
                raise ValueError(f"video_path {_path_of(video)!r} would be named as {_path_of(first)!r} is: rename one")
        except ValueError as error:
            reason = explain(error) if isinstance(error, ValidationError) else str(error)
            bad.append(BadLine(file=path.name, line=line, reason=reason))
            continue
        questions.append(question)
        if question.task not in task_of_label.values():
            other_tasks[question.task] += 1
    if not questions:
        raise empty_release_error(path, f"{manifest.title} question", bad)
    form, digest = detect_form(path), digest_file(path)
    provenance: dict[str, JsonValue] = {
        "source": manifest.name,
        "file": path.name,
        "sha256": digest,
        "form": form.model_dump(),
        "rebuilds_byte_for_byte": _digest(rebuild_release(questions, form)) == digest,
    }
    if other_tasks:
        provenance["tasks_without_a_column"] = dict(other_tasks.most_common())
    return Dataset(manifest.name, tuple(videos.values()), (), tuple(questions), tuple(bad), provenance)


def rebuild_release(questions: Iterable[Question], form: ListForm) -> Iterator[bytes]:
    """The release file's bytes, a piece a record, from the raw records that the questions keep.

    `form` is `ListForm.model_validate(dataset.provenance["form"])`. Bytes are the file's own where
    `rebuilds_byte_for_byte` says so: records left out and numbers written in another way are not in the records.

    Raises:
        ValueError: a question has no raw record (its answer is hidden).
    """
    return write_json_list(map(_raw_of, questions), form)


def read_released(question: Question) -> Released | None:
    """The question in the release's own spelling; None when it keeps no raw record (its answer is hidden)."""
    if question.raw is None:
        return None
    options = cast("list[str]", question.raw.get("options") or [])
    texts = [text for _, text in map(_split_option, options)]
    return Released(
        answer=question.answer,
        distractors=tuple(text for index, text in enumerate(texts) if index != question.answer_index),
        labels={"task": cast("str", question.raw["task"])},
    )


def name_video(path: str) -> str:
    """The id of the video at a path of the release: the path with `~` for `/`, without its suffix, where that can be.

    A name that could be another path's, or cannot be a file name, ends in a digest of the path.

    Raises:
        ValueError: the path leads out of its folder, or is none.
    """
    if not stays_inside(path):
        raise ValueError(f"video_path {shorten(path)} does not stay inside the folder of the videos")
    pure = PurePosixPath(path)
    stem = path.removesuffix(pure.suffix) if pure.suffix.lower() in ID_SUFFIXES else path
    name = stem.replace("/", "~")
    try:
        if "~" not in path and len(name.encode(errors="surrogatepass")) <= MAX_ID_BYTES:
            return check_safe_name(name)
    except ValueError:
        pass
    readable = re.sub(r"[^A-Za-z0-9_~-]+", "_", name)[-MAX_ID_BYTES // 2 :].strip("_~")
    digest = hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest()[:16]
    return check_safe_name(f"{readable}~{digest}".lstrip("~"))


# --- one record -------------------------------------------------------------------------------------------------


def _find_file(folder: Path) -> Path:
    found = [folder / name for name in RELEASE_FILES if (folder / name).is_file()]
    if not found:
        raise UsageError(f"{folder} holds no {' or '.join(RELEASE_FILES)}")
    return found[0]


def _read_record(record: JsonValue, position: int, task_of_label: dict[str, str]) -> tuple[Question, Video]:
    if not isinstance(record, dict):
        raise ValueError(f"not an object, but {shorten(record)}")
    if unknown := record.keys() - _KNOWN:
        raise ValueError(f"the field {shorten(min(unknown))} is not known")
    texts: dict[str, str] = {}
    for name in _TEXTS:
        value = record.get(name)
        if value is None and name == "evidence":
            continue
        if name not in record:
            raise ValueError(f"the field {name!r} is missing")
        if not isinstance(value, str):
            raise ValueError(f"the field {name!r} is {shorten(value)}, not text")
        texts[name] = value
    if not texts["task"].strip():
        raise ValueError("the field 'task' is blank")
    video = Video(
        video_id=name_video(texts["video_path"]),
        duration_seconds=_read_duration(record),
        source_metadata={"path": texts["video_path"]},
    )
    evidence, metadata = _read_frames(record, texts.get("evidence", ""))
    if texts.get("evidence", "").strip():
        metadata = {"evidence_text": texts["evidence"], **metadata}
    task = task_of_label.get(texts["task"].strip(), texts["task"].strip())
    if task != texts["task"]:
        metadata["task_label"] = texts["task"]
    options, answer_index, answer = _read_answer(record)
    question = Question(
        question_id=f"{video.video_id}_{position}",
        video_id=video.video_id,
        question=texts["question"],
        question_type="mcq" if options else "open",
        options=options,
        answer_index=answer_index,
        answer=answer,
        task=task,
        evidence=evidence,
        source="videoespresso",
        metadata=metadata,
        raw=record,
    )
    return question, video


_LETTER = re.compile(r"\s*(?:\(\s*(?P<bracketed>[A-Z])\s*\)\s*[:.]?|(?P<bare>[A-Z])\s*[.:)])\s*", re.ASCII)
_ANSWER = re.compile(r"\s*\(?\s*(?P<letter>[A-Z])\s*\)?\s*[.:]?\s*", re.ASCII)


def _split_option(option: str) -> tuple[str | None, str]:
    """The letter before an option, and its text: `(A): x`, `(A) : x`, `(A) x`, `A. x`, `A) x`, `A: x`."""
    found = _LETTER.match(option)
    if found is None:
        return None, option.strip()
    return found["bracketed"] or found["bare"], option[found.end() :].strip()


def _read_answer(record: dict[str, JsonValue]) -> tuple[tuple[str, ...], int | None, str]:
    """The options without their letters, the position of the right one, and its text; without options the answer's."""
    options = record.get("options")
    if options is None:
        if "correct_answer" in record:
            raise ValueError("the field 'correct_answer' is given, and there are no options")
        answer = record.get("answer")
        if not isinstance(answer, str):
            raise ValueError(f"the field 'answer' is {shorten(answer)}, and there are no options")
        return (), None, answer
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise ValueError(f"the field 'options' is {shorten(options)}, not a list of texts")
    named = [_split_option(option) for option in cast("list[str]", options)]
    letters = [letter for letter, _ in named]
    expected = [chr(ord("A") + at) for at in range(len(named))]
    if letters == [None] * len(named):
        letters = list(expected)
    for at, (letter, due) in enumerate(zip(letters, expected, strict=True)):
        if letter != due:
            raise ValueError(f"option {at + 1} begins with {letter or 'no letter'}, where {due} is due")
    given = record.get("correct_answer")
    if not isinstance(given, str):
        raise ValueError(f"the field 'correct_answer' is {shorten(given)}, not a letter in brackets")
    found = _ANSWER.fullmatch(given)
    right = found["letter"] if found else None
    if right is None and given in cast("list[str]", options):
        right = expected[cast("list[str]", options).index(given)]
    if right not in expected:
        raise ValueError(f"correct_answer {shorten(given)} is not one of the letters {', '.join(expected)}")
    index = expected.index(right)
    texts = tuple(text for _, text in named)
    return texts, index, texts[index]


# --- core frames ------------------------------------------------------------------------------------------------


def _read_frames(record: dict[str, JsonValue], text: str) -> tuple[tuple[Evidence, ...], dict[str, JsonValue]]:
    """Moments of the core frames, where the record gives times; boxes that belong to none of them, as metadata.

    Frames without a time stay in the raw record. Boxes stand in the evidence's text, which does not say on which
    frame: they are tied to one where there is one.
    """
    paths, captions = _read_strings(record, "frames"), _read_strings(record, "captions")
    times = _read_times(record)
    if paths and captions and len(paths) != len(captions):
        raise ValueError(f"there are {len(captions)} captions for {len(paths)} core frames")
    if times and paths and len(times) != len(paths):
        raise ValueError(f"there are {len(times)} times for {len(paths)} core frames")
    metadata: dict[str, JsonValue] = {}
    boxes, unread = _read_boxes(text)
    if len(times) == 1:
        boxes = [box.model_copy(update={"time_seconds": times[0]}) for box in boxes]
    elif boxes:
        metadata["boxes"] = [box.model_dump(exclude_defaults=True) for box in boxes]
    if unread:
        metadata["boxes_not_read"] = unread
    evidence = tuple(
        Evidence(
            kind="point",
            start_seconds=seconds,
            text=captions[at] if len(captions) == len(times) else None,
            boxes=tuple(boxes) if len(times) == 1 else (),
        )
        for at, seconds in enumerate(times)
    )
    return evidence, metadata


def _read_strings(record: dict[str, JsonValue], kind: str) -> list[str]:
    """The texts of the one field of that kind that the record has."""
    names = [name for name in _OTHER_NAMES[kind] if name in record]
    if len(names) > 1:
        raise ValueError(f"the fields {names[0]!r} and {names[1]!r} are both given")
    value = record[names[0]] if names else []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"the field {names[0]!r} is {shorten(value)}, not a list of texts")
    return cast("list[str]", value)


def _read_times(record: dict[str, JsonValue]) -> list[float]:
    (name,) = _OTHER_NAMES["times"]
    value = record.get(name, [])
    # bool is an int to isinstance, and no time
    if not isinstance(value, list) or not all(
        isinstance(time, int | float) and not isinstance(time, bool) and time >= 0 for time in value
    ):
        raise ValueError(f"the field {name!r} is {shorten(value)}, not a list of seconds")
    return [float(cast("float", time)) for time in value]


def _read_duration(record: dict[str, JsonValue]) -> float | None:
    value = record.get("duration")
    if value is None:
        return None
    if type(value) not in (int, float) or cast("float", value) < 0:
        raise ValueError(f"the field 'duration' is {shorten(value)}, not a number of seconds")
    return float(cast("float", value))


_MARKED = re.compile(r"(?:<obj_start>(?P<label>[^<]*)<obj_end>\s*)?<box_start>(?P<box>[^<]*)<box_end>")


def _read_boxes(text: str) -> tuple[list[EvidenceBox], list[JsonValue]]:
    """The boxes in an evidence's text, in fractions, and the words of those that are none.

    They are centre and size, in hundredths of the frame: GroundingDINO's own form, times 100 (issue 15 of
    github.com/hshjerry/VideoEspresso). Empty ones are passed over: many are.
    """
    boxes: list[EvidenceBox] = []
    unread: list[JsonValue] = []
    for found in _MARKED.finditer(text):
        for numbers in _read_numbers(found["box"]):
            box = None if numbers is None else _make_box(numbers, found["label"])
            if box is not None:
                boxes.append(box)
            elif found["box"] not in unread:
                unread.append(found["box"])
    return boxes, unread


def _read_numbers(text: str) -> list[list[float] | None]:
    """The fours of numbers that are written in a box: one, or a list of them; None where it is something else."""
    try:
        value = parse_json(text.encode()) if text.strip() else []
    except ValueError:
        return [None]
    several = value if isinstance(value, list) and all(isinstance(item, list) for item in value) else [value]
    return [
        cast("list[float]", item)
        if isinstance(item, list) and len(item) == 4 and all(type(number) in (int, float) for number in item)
        else None
        for item in several
        if item != []
    ]


_SLACK = 0.02
"""Rounded centres and sizes may reach over the frame's edge by this much of it."""


def _make_box(numbers: Sequence[float], label: str | None) -> EvidenceBox | None:
    """The box of a centre and a size in hundredths; None where it does not lie in the frame, and so means another."""
    x, y, width, height = (number / 100 for number in numbers)
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if min(width, height) < 0 or not all(-_SLACK <= edge <= 1 + _SLACK for edge in edges):
        return None
    x0, y0, x1, y1 = (min(1.0, max(0.0, edge)) for edge in edges)
    return EvidenceBox(x0=x0, y0=y0, x1=x1, y1=y1, label=label.strip() if label and label.strip() else None)


# --- and back ---------------------------------------------------------------------------------------------------


def _raw_of(question: Question) -> dict[str, JsonValue]:
    if question.raw is None:
        raise ValueError(f"{question.question_id} has no raw record to rebuild the release from")
    return question.raw


def _path_of(video: Video) -> JsonValue:
    return video.source_metadata["path"]


def _digest(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
