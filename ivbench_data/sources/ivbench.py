"""IV-Bench (arXiv 2504.15415): the released `test_data.jsonl` as a `Dataset`, and back, byte for byte.

A line is `{video_id: [question, …]}`. Released labels become the paper's task names; locations become seconds; blank
distractors leave the options and stay in the raw record; repeated ones stay, so that validation can report them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from reprlib import repr as shorten
from typing import cast

from pydantic import JsonValue, ValidationError

from ivbench_data.dataset import Dataset
from ivbench_data.manifests import Manifest, load_manifest
from ivbench_data.questions.option_order import order_options
from ivbench_data.schema import BadLine, QueryImage, Question, Video
from ivbench_data.sources.release_files import empty_release_error
from ivbench_data.sources.released_fields import Released
from ivbench_data.strict_json import explain, iterate_jsonl
from ivbench_data.timecodes import parse_location

RELEASE_FILES = ("test_data.jsonl",)

_FIELDS: dict[str, type] = {
    "data_id": int,
    "image_name": str,
    "question": str,
    "question_type": str,
    "granularity": str,
    "answer": str,
    "answer_location": str,
    "distractors": list,
}


def read(raw_dir: Path) -> Dataset:
    """The dataset of a release file, or of the folder that holds it.

    A line with anything wrong in it is left out whole and named in `bad_lines`.

    Raises:
        UsageError: the file cannot be read, or no line of it is a question.
    """
    return read_release(raw_dir / RELEASE_FILES[0] if raw_dir.is_dir() else raw_dir, load_manifest("ivbench"))


def read_release(path: Path, manifest: Manifest) -> Dataset:
    """The dataset of a release file in IV-Bench's form, with the labels, task names and dataset name of a manifest.

    Raises:
        UsageError: the file cannot be read, or no line of it is a question.
    """
    bad: list[BadLine] = []
    videos: dict[str, Video] = {}
    images: dict[str, QueryImage] = {}
    questions: list[Question] = []
    for number, _, value in iterate_jsonl(path):
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        try:
            video_id, made = _read_line(value, manifest)
            if video_id in videos:
                raise ValueError(f"the video {video_id!r} stands in an earlier line already")
        except ValueError as error:
            reason = explain(error) if isinstance(error, ValidationError) else str(error)
            bad.append(BadLine(file=path.name, line=number, reason=reason))
            continue
        videos[video_id] = Video(video_id=video_id)
        for question in made:
            for image_id in question.image_ids:
                images.setdefault(image_id, QueryImage(image_id=image_id))
        questions.extend(made)
    if not questions:
        raise empty_release_error(path, f"{manifest.title} question", bad)
    rebuilt = rebuild_release(questions)
    content = path.read_bytes()
    provenance: dict[str, JsonValue] = {
        "source": manifest.name,
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "rebuilds_byte_for_byte": rebuilt == content,
    }
    return Dataset(
        manifest.name, tuple(videos.values()), tuple(images.values()), tuple(questions), tuple(bad), provenance
    )


def rebuild_release(questions: Iterable[Question]) -> bytes:
    """The release file's bytes, from the raw records that the questions keep.

    Raises:
        ValueError: a question has no raw record (its answers are hidden).
    """
    return b"".join(line + b"\n" for line in _rebuild_lines(questions))


_IMAGE_NAME = re.compile(r"(?P<video_id>[\w-]{11})_(?P<index>-?\d{1,6})[_.].*", re.ASCII | re.DOTALL)


def read_released(question: Question) -> Released | None:
    """The question in the release's own spelling; None when it keeps no raw record (its answer is hidden)."""
    if question.raw is None:
        return None
    raw = question.raw
    named = _IMAGE_NAME.fullmatch(cast("str", raw["image_name"]))
    return Released(
        answer=cast("str", raw["answer"]),
        distractors=tuple(cast("list[str]", raw["distractors"])),
        location=cast("str", raw["answer_location"]),
        labels={name: cast("str", raw[name]) for name in ("question_type", "granularity")},
        index=cast("int", raw["data_id"]),
        image_index=int(named["index"]) if named else None,
        image_video_id=named["video_id"] if named else None,
    )


def _read_line(value: JsonValue, manifest: Manifest) -> tuple[str, list[Question]]:
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("not an object with one key, the video's id")
    ((video_id, records),) = value.items()
    if not isinstance(records, list) or not records:
        raise ValueError(f"the value of {shorten(video_id)} is not a list of questions")
    questions: dict[str, Question] = {}
    for position, record in enumerate(records):
        try:
            question = _read_question(video_id, record, manifest)
        except ValueError as error:
            reason = explain(error) if isinstance(error, ValidationError) else str(error)
            raise ValueError(f"question {position} of {shorten(video_id)}: {reason}") from None
        if question.question_id in questions:
            raise ValueError(f"question {position} of {shorten(video_id)}: data_id {record['data_id']} is given twice")  # type: ignore[index,call-overload]
        questions[question.question_id] = question
    return video_id, list(questions.values())


def _read_question(video_id: str, record: JsonValue, manifest: Manifest) -> Question:
    if not isinstance(record, dict):
        raise ValueError("not an object")
    for name, kind in _FIELDS.items():
        if name not in record:
            raise ValueError(f"the field {name!r} is missing")
        if type(record[name]) is not kind:
            raise ValueError(f"the field {name!r} is {shorten(record[name])}, not of type {kind.__name__}")
    if unknown := record.keys() - _FIELDS.keys():
        raise ValueError(f"the field {shorten(min(unknown))} is not known")
    texts = {name: cast("str", record[name]) for name, kind in _FIELDS.items() if kind is str}
    distractors = cast("list[JsonValue]", record["distractors"])
    if not all(isinstance(option, str) for option in distractors):
        raise ValueError(f"the field 'distractors' holds something that is not text: {shorten(distractors)}")
    task = manifest.task_of_label().get(texts["question_type"])
    if task is None:
        raise ValueError(f"question_type {shorten(texts['question_type'])} is not a task of {manifest.title}")
    question_id = f"{video_id}_{record['data_id']}"
    answer = texts["answer"]
    options = order_options(question_id, [answer, *(text for text in cast("list[str]", distractors) if text.strip())])
    evidence = parse_location(texts["answer_location"])
    return Question(
        question_id=question_id,
        video_id=video_id,
        image_ids=(texts["image_name"],),
        question=texts["question"],
        options=options,
        answer_index=options.index(answer),
        answer=answer,
        task=task,
        granularity=manifest.granularity_of_label().get(texts["granularity"]),
        evidence=() if evidence is None else (evidence,),
        source=manifest.name,
        raw=record,
    )


def _rebuild_lines(questions: Iterable[Question]) -> Iterator[bytes]:
    records: dict[str, list[JsonValue]] = {}
    for question in questions:
        if question.raw is None or question.video_id is None:
            raise ValueError(f"{question.question_id} has no raw record to rebuild the release from")
        records.setdefault(question.video_id, []).append(question.raw)
    for video_id, of_video in records.items():
        yield json.dumps({video_id: of_video}, ensure_ascii=False).encode()
