"""VLM2-Bench (arXiv 2502.12084): the released `jsonl/` folder, or one file of it, as a `Dataset`, and back.

Eight tasks show several images and no video; the ninth shows a video and no image. The names of files and fields, and
the folders that images and videos lie in, are those that the benchmark's scripts read (github.com/vlm2-bench/VLM2-Bench
at 7624b777). Fields that are not known here stay in the raw record, and are named in the provenance.

Options keep the order and the letters that the release gives them in the question's text; so they give nothing away
that it does not.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from reprlib import repr as shorten
from typing import Any, cast

from pydantic import JsonValue, ValidationError

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import BadLine, QueryImage, Question, QuestionType, Video, check_safe_name
from ivbench_data.sources.image_names import check_release_path, name_images
from ivbench_data.sources.jsonl_style import JsonlStyle, find_style
from ivbench_data.sources.release_files import find_release_files
from ivbench_data.sources.released_fields import Released
from ivbench_data.strict_json import explain, iterate_jsonl
from ivbench_data.workspace import VIDEO_SUFFIXES

NAME = "vlm2bench"

RELEASE_FILES = (
    "jsonl/gc/vanilla/gc_mat.jsonl",
    "jsonl/gc/vanilla/gc_trk.jsonl",
    "jsonl/oc/vanilla/oc_cpr.jsonl",
    "jsonl/oc/vanilla/oc_cnt.jsonl",
    "jsonl/oc/vanilla/oc_grp.jsonl",
    "jsonl/pc/vanilla/pc_cpr.jsonl",
    "jsonl/pc/vanilla/pc_cnt.jsonl",
    "jsonl/pc/vanilla/pc_grp.jsonl",
    "jsonl/pc/vanilla/pc_vid.jsonl",
    "jsonl/pc/vanilla/pc_v_open-ended.jsonl",
    "jsonl/pc/vallina/pc_v_open-ended.jsonl",  # as the video task's script spells it
)

IMAGE_FOLDERS = {"gc": "data/gc/processed", "oc": "data/oc/original_obj", "pc": "data/pc/image/picks_face"}
"""Where the release keeps the images of each cue."""
VIDEO_FOLDER = "data/pc/video/UNI"

KIND_OF_STEM = {PurePosixPath(path).stem: PurePosixPath(path).stem for path in RELEASE_FILES} | {
    "pc_v_open-ended": "pc_vid"
}
"""Each file's stem, and the subtask that it holds; the video task's file has two names."""

TRUTHS = ("T", "F")
"""True and false as the questions ask for them."""

_KNOWN_FIELDS = {
    "q_id", "question", "edited_prompt", "images", "gt_answer", "type", "task", "image_seq_len", "image_seq", "vid",
}  # fmt: skip


def read(raw_dir: Path) -> Dataset:
    """The dataset of the release's folder, of its `jsonl/`, or of one of its files.

    A record with anything wrong in it is left out and named in `bad_lines`.

    Raises:
        UsageError: there is no file of the release, or no record in it.
    """
    files = find_release_files(RELEASE_FILES, raw_dir)
    release = _Release(load_manifest(NAME).task_of_label())
    for name, path in files.items():
        release.read_file(name, path)
    release.name_unknown_files(files)
    release.read_questions()
    if not release.questions:
        told = f"; the first trouble is {release.bad[0]}" if release.bad else ""
        raise UsageError(f"{raw_dir} holds no VLM2-Bench question{told}")
    return release.finish()


def rebuild_release(dataset: Dataset) -> dict[str, bytes]:
    """Each release file's bytes, by its name, from the raw records that the questions keep.

    Raises:
        ValueError: a question has no raw record (its answers are hidden), or the dataset was not imported from files.
    """
    files = dataset.provenance.get("files")
    if not isinstance(files, dict):
        raise ValueError(f"{dataset.name} does not say which files it was imported from")
    told: dict[str, dict[str, Any]] = {name: cast("dict[str, Any]", about) for name, about in files.items()}
    records: dict[str, list[dict[str, JsonValue]]] = {name: [] for name in told}
    file_of = {about["task"]: name for name, about in told.items()}
    for question in dataset.questions:
        if question.raw is None:
            raise ValueError(f"{question.question_id} has no raw record to rebuild the release from")
        records[file_of[question.task]].append(question.raw)
    return {name: JsonlStyle(**(told[name]["style"] or {})).write(kept) for name, kept in records.items()}


def read_released(question: Question) -> Released | None:
    """The question in the release's own spelling; None when it keeps no raw record (its answer is hidden)."""
    if question.raw is None:
        return None
    return Released(
        answer=str(question.raw.get("gt_answer", "")),
        distractors=tuple(option for at, option in enumerate(question.options) if at != question.answer_index),
        labels={name: label for name in ("type", "task") if isinstance(label := question.raw.get(name), str)},
    )


# --- a release, file by file --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """One record, and where it stands."""

    file: str
    number: int
    kind: str
    """The subtask's short name, as in `gc_mat`: it begins the ids of its questions."""
    record: dict[str, JsonValue]

    @property
    def image_paths(self) -> list[str]:
        """Where the release keeps the record's images."""
        images = self.record.get("images", [])
        if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
            raise ValueError(f"the field 'images' is {shorten(images)}, not a list of paths")
        folder, plain = IMAGE_FOLDERS[self.kind[:2]], [check_release_path(cast("str", image)) for image in images]
        return [path if path.startswith("data/") else f"{folder}/{path}" for path in plain]


@dataclass
class _Release:
    """What has been read so far."""

    task_of_label: Mapping[str, str]
    """The tasks' names, by the subtasks'."""
    lines: list[_Line] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    content_of: dict[str, bytes] = field(default_factory=dict)
    kind_of: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    images: dict[str, QueryImage] = field(default_factory=dict)
    videos: dict[str, Video] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    """How often each id was met: pairs share one, and none says how many pairs may."""

    def read_file(self, name: str, path: Path) -> None:
        """Keep the file's records, as far as its lines are records."""
        kind = KIND_OF_STEM.get(path.stem)
        if kind is None:
            raise UsageError(f"{path.name} is no file of VLM2-Bench; its tasks are in: {', '.join(KIND_OF_STEM)}")
        if kind in self.kind_of.values():
            self.bad.append(BadLine(file=name, line=1, reason=f"an earlier file holds {kind} already"))
            return
        self.content_of[name], self.kind_of[name] = path.read_bytes(), kind
        for number, _, value in iterate_jsonl(path, name):
            if isinstance(value, dict):
                self.lines.append(_Line(name, number, kind, value))
            else:
                told = value if isinstance(value, BadLine) else BadLine(file=name, line=number, reason="not an object")
                self.bad.append(told)

    def name_unknown_files(self, files: Mapping[str, Path]) -> None:
        """Name the other JSONL files in the release's folders: no task is known for them."""
        folders = {PurePosixPath(name).parent: path.parent for name, path in files.items() if path.match(name)}
        for stored, folder in folders.items():
            for path in sorted(folder.glob("*.jsonl")):
                if path.stem not in KIND_OF_STEM:
                    reason = "no task of VLM2-Bench is known to be in a file of this name"
                    self.bad.append(BadLine(file=str(stored / path.name), line=1, reason=reason))

    def read_questions(self) -> None:
        """Make questions of the records; images are named together, since two of them may be called alike."""
        paths = []
        for line in self.lines:
            try:
                paths += line.image_paths
            except ValueError:
                continue  # told below
        image_id_of = name_images(paths)
        for line in self.lines:
            try:
                question = self._read_question(line, image_id_of)
            except ValueError as error:
                reason = explain(error) if isinstance(error, ValidationError) else str(error)
                self.bad.append(BadLine(file=line.file, line=line.number, reason=reason))
                continue
            self.questions.append(question)
            for path, image_id in zip(line.image_paths, question.image_ids, strict=True):
                self.images.setdefault(image_id, QueryImage(image_id=image_id, source_metadata={"path": path}))
            if question.video_id is not None:
                metadata: dict[str, JsonValue] = {"path": f"{VIDEO_FOLDER}/{question.video_id}"}
                self.videos.setdefault(question.video_id, Video(video_id=question.video_id, source_metadata=metadata))

    def _read_question(self, line: _Line, image_id_of: Mapping[str, str]) -> Question:
        record = line.record
        about = _READERS[line.kind[3:]](record)
        image_ids = tuple(image_id_of[path] for path in line.image_paths)
        if about.video_id is None and not image_ids:
            raise ValueError("the record names no image")
        ids = self._number(f"{line.kind}_{about.key}", about.side)
        told = record.get("type", record.get("task"))
        stated = _count_stated_images(record)
        return Question(
            question_id=ids[0],
            video_id=about.video_id,
            image_ids=image_ids,
            question=about.text,
            question_type=about.question_type,
            options=about.options,
            answer_index=about.answer_index,
            answer=about.answer,
            task=self.task_of_label[line.kind],
            group_id=ids[1],
            category=told if isinstance(told, str) and told else None,
            source=NAME,
            metadata={} if stated is None else {"image_seq_len": stated},
            raw=record,
        )

    def _number(self, key: str, side: str | None) -> tuple[str, str | None]:
        """Question id and group id; where an id is used again, the second of each side makes the second pair."""
        met = f"{key}_{side}" if side else key
        self.asked[met] += 1
        times = self.asked[met]
        if side is None:
            return (key if times == 1 else f"{key}_{times}"), None
        group = key if times == 1 else f"{key}_{times}"
        return f"{group}_{side}", group

    def finish(self) -> Dataset:
        """The dataset, and what of the release its records give back."""
        kept: dict[str, list[dict[str, JsonValue]]] = {name: [] for name in self.content_of}
        for question, name in zip(self.questions, self._files_of_questions(), strict=True):
            kept[name].append(cast("dict[str, JsonValue]", question.raw))
        files: dict[str, JsonValue] = {}
        is_lossless = True
        for name, content in self.content_of.items():
            style = find_style(content, kept[name])
            is_lossless &= style is not None
            files[name] = {
                "task": self.task_of_label[self.kind_of[name]],
                "sha256": hashlib.sha256(content).hexdigest(),
                "style": None if style is None else style.model_dump(),
                "rebuilds_byte_for_byte": style is not None,
            }
        strange = sorted({name for question in self.questions for name in question.raw or ()} - _KNOWN_FIELDS)
        provenance: dict[str, JsonValue] = {
            "source": NAME,
            "files": files,
            "rebuilds_byte_for_byte": all(
                cast("dict[str, Any]", told)["rebuilds_byte_for_byte"] for told in files.values()
            ),
        }
        if strange:
            provenance["unknown_fields"] = cast("list[JsonValue]", strange)
        return Dataset(
            NAME,
            tuple(self.videos.values()),
            tuple(self.images.values()),
            tuple(self.questions),
            tuple(self.bad),
            provenance,
        )

    def _files_of_questions(self) -> list[str]:
        name_of = {self.task_of_label[kind]: name for name, kind in self.kind_of.items()}
        return [name_of[question.task] for question in self.questions]


# --- one record ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _About:
    """What a record asks."""

    key: str
    text: str
    question_type: QuestionType
    answer: str
    options: tuple[str, ...] = ()
    answer_index: int | None = None
    side: str | None = None
    """Which of a pair it is: `p` or `n`."""
    video_id: str | None = None


def _read_text(record: Mapping[str, JsonValue]) -> str:
    name = "question" if "question" in record else "edited_prompt"
    text = record.get(name)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the field 'question' is {shorten(text)}, not a text")
    return text


def _read_key(record: Mapping[str, JsonValue], name: str = "q_id") -> str:
    key = record.get(name)
    if isinstance(key, bool) or not isinstance(key, str | int) or not str(key).strip():
        raise ValueError(f"the field {name!r} is {shorten(key)}, not an id")
    return str(key).strip()


def _count_stated_images(record: Mapping[str, JsonValue]) -> int | None:
    """How many images the record says there are, by either of the fields that the reference looks at."""
    stated = record.get("image_seq_len")
    if isinstance(stated, int) and not isinstance(stated, bool) and stated > 0:
        return stated
    sequence = record.get("image_seq")
    return len(sequence) if isinstance(sequence, list) and sequence else None


def _read_pair(record: Mapping[str, JsonValue]) -> _About:
    answer = record.get("gt_answer")
    truth = answer.strip().upper()[:1] if isinstance(answer, str) else ""
    if truth not in TRUTHS or str(answer).strip().casefold() not in ("t", "f", "true", "false"):
        raise ValueError(f"the field 'gt_answer' is {shorten(answer)}, not T or F")
    key = _read_key(record)
    named = re.fullmatch(r"(.+)_([pn])", key)
    base, side = (named[1], named[2]) if named else (key, "p" if truth == TRUTHS[0] else "n")
    return _About(base, _read_text(record), "tf", truth, TRUTHS, TRUTHS.index(truth), side)


def _read_count(record: Mapping[str, JsonValue]) -> _About:
    answer = record.get("gt_answer")
    text = str(answer).strip()
    if isinstance(answer, bool) or not isinstance(answer, str | int) or not re.fullmatch(r"\d{1,6}", text):
        raise ValueError(f"the field 'gt_answer' is {shorten(answer)}, not a whole number")
    return _About(_read_key(record), _read_text(record), "numeric", str(int(text)))


_MARK = re.compile(r"(?<![A-Za-z0-9(])\(?([A-Z])[).:](?=\s)\s*")


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """The question without its options, and the options that stand in it as `(A) …`, `A) …`, `A. …` or `A: …`.

    What follows the last option in a sentence or line of its own belongs to the question.

    Raises:
        ValueError: there are not two options or more, from A on.
    """
    marks = list(_MARK.finditer(text))
    runs = [marks[at:] for at, mark in enumerate(marks) if mark[1] == "A"]
    # a capital that is no mark may come before: the longest run counts, and of two the later one
    run = max((_take_alphabetical(marks) for marks in runs), key=lambda run: (len(run), run[0].start()), default=[])
    if len(run) < 2:
        raise ValueError("the question holds no options from A on, as (A) … (B) …")
    ends = [mark.start() for mark in run[1:]]
    rest = text[run[-1].end() :]
    end = re.search(r"\n|(?<=[^\s.])[.;]\s+(?=[A-Z])", rest)
    options = [text[mark.end() : stop].strip(" \t\n;,") for mark, stop in zip(run, ends, strict=False)]
    options.append((rest[: end.start()] if end else rest).strip(" \t\n;,"))
    tail = rest[end.end() :].strip() if end else ""
    stem = text[: run[0].start()].rstrip()
    return "\n".join(filter(None, (stem, tail))), tuple(options)


def _take_alphabetical(marks: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The marks A, B, C, … in this order, from the first one on."""
    taken: list[re.Match[str]] = []
    for mark in marks:
        if mark[1] == chr(ord("A") + len(taken)):
            taken.append(mark)
    return taken


def _read_grouping(record: Mapping[str, JsonValue]) -> _About:
    text, options = split_options(_read_text(record))
    answer = record.get("gt_answer")
    if not isinstance(answer, str):
        raise ValueError(f"the field 'gt_answer' is {shorten(answer)}, not a text")
    index = find_option(answer, options)
    return _About(_read_key(record), text, "mcq", options[index], options, index)


def find_option(answer: str, options: Sequence[str]) -> int:
    """The option that a `gt_answer` names, by letter (`C`, `(C)`, `C) 1 and 3`) or by its text.

    Raises:
        ValueError: it names none of them, or its text is another option's than its letter.
    """
    folded = [option.strip(" .").casefold() for option in options]
    named = re.fullmatch(r"\s*\(?([A-Z])(?:[).:]\s*(.*?))?\s*", answer, re.DOTALL)
    if named is None:
        at = folded.index(answer.strip(" .").casefold()) if answer.strip(" .").casefold() in folded else None
    else:
        at = ord(named[1]) - ord("A")
        at = at if at < len(options) else None
        if at is not None and named[2] and named[2].strip(" .").casefold() != folded[at]:
            raise ValueError(f"gt_answer is {shorten(answer)}, where option {named[1]} is {shorten(options[at])}")
    if at is None:
        raise ValueError(f"gt_answer {shorten(answer)} is none of the options {shorten(options)}")
    return at


def _read_video(record: Mapping[str, JsonValue]) -> _About:
    vid = _read_key(record, "vid")
    suffix = PurePosixPath(vid).suffix
    video_id = check_safe_name(vid.removesuffix(suffix) if suffix.lower() in VIDEO_SUFFIXES else vid)
    answer = record.get("gt_answer")
    if answer is not None and not isinstance(answer, str):
        raise ValueError(f"the field 'gt_answer' is {shorten(answer)}, not a text")
    return _About(video_id, _read_text(record), "open", answer or "", video_id=video_id)


_READERS: dict[str, Callable[[Mapping[str, JsonValue]], _About]] = {
    "mat": _read_pair,
    "trk": _read_pair,
    "cpr": _read_pair,
    "cnt": _read_count,
    "grp": _read_grouping,
    "vid": _read_video,
}
