"""VLM2-Bench (arXiv 2502.12084): the released `jsonl/` folder, or one file of it, as a `Dataset`, and back.

Eight tasks show several images and no video; the ninth shows a video and no image. The names of files and fields, and
the folders that images and videos lie in, are those that the benchmark's scripts read (github.com/vlm2-bench/VLM2-Bench
at 7624b777). Fields that are not known here stay in the raw record, and are named in the provenance.

Options keep the order and the letters that the release gives them in the question's text; so they give nothing away
that it does not.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from reprlib import repr as shorten
from typing import Any, cast

from pydantic import JsonValue, ValidationError

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import BadLine, QueryImage, Question, Video
from ivbench_data.sources.image_names import check_release_path, name_images
from ivbench_data.sources.jsonl_style import JsonlStyle, find_style
from ivbench_data.sources.release_files import empty_release_error, find_release_files
from ivbench_data.sources.released_fields import Released
from ivbench_data.sources.vlm2bench_records import READERS, count_stated_images
from ivbench_data.strict_json import explain, iterate_jsonl

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
        raise empty_release_error(raw_dir, "VLM2-Bench question", release.bad)
    return release.finish()


def rebuild_release(dataset: Dataset) -> dict[str, bytes]:
    """Each release file's bytes, by its name, from the raw records that the questions keep.

    Raises:
        ValueError: a question has no raw record (its answers are hidden), or the dataset was not imported from files.
    """
    files = dataset.provenance.get("files")
    if not isinstance(files, dict):
        raise ValueError(f"{dataset.name} does not say which files it was imported from")
    headers: dict[str, dict[str, Any]] = {name: cast("dict[str, Any]", about) for name, about in files.items()}
    records: dict[str, list[dict[str, JsonValue]]] = {name: [] for name in headers}
    file_of = {about["task"]: name for name, about in headers.items()}
    for question in dataset.questions:
        if question.raw is None:
            raise ValueError(f"{question.question_id} has no raw record to rebuild the release from")
        records[file_of[question.task]].append(question.raw)
    return {name: JsonlStyle(**(headers[name]["style"] or {})).write(kept) for name, kept in records.items()}


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
    """One record, with its file and line."""

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
    """Records read so far."""

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
    """Number of records with each id; pairs share one."""

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
                bad = value if isinstance(value, BadLine) else BadLine(file=name, line=number, reason="not an object")
                self.bad.append(bad)

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
                continue  # reported below
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
        fields = READERS[line.kind[3:]](record)
        image_ids = tuple(image_id_of[path] for path in line.image_paths)
        if fields.video_id is None and not image_ids:
            raise ValueError("the record names no image")
        ids = self._number(f"{line.kind}_{fields.key}", fields.side)
        category = record.get("type", record.get("task"))
        stated = count_stated_images(record)
        return Question(
            question_id=ids[0],
            video_id=fields.video_id,
            image_ids=image_ids,
            question=fields.text,
            question_type=fields.question_type,
            options=fields.options,
            answer_index=fields.answer_index,
            answer=fields.answer,
            task=self.task_of_label[line.kind],
            group_id=ids[1],
            category=category if isinstance(category, str) and category else None,
            source=NAME,
            metadata={} if stated is None else {"image_seq_len": stated},
            raw=record,
        )

    def _number(self, key: str, side: str | None) -> tuple[str, str | None]:
        """Question id and group id; where an id is used again, the second of each side makes the second pair."""
        used = f"{key}_{side}" if side else key
        self.asked[used] += 1
        times = self.asked[used]
        if side is None:
            return (key if times == 1 else f"{key}_{times}"), None
        group = key if times == 1 else f"{key}_{times}"
        return f"{group}_{side}", group

    def finish(self) -> Dataset:
        """The dataset; its provenance says which files can be rebuilt byte for byte."""
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
                cast("dict[str, Any]", header)["rebuilds_byte_for_byte"] for header in files.values()
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
