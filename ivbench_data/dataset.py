"""A benchmark in memory: videos, images and questions; and its JSONL files on disk.

A line that cannot be used is named by file and line, all of them in one run, and the good ones stay usable.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as shorten
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, JsonValue, NonNegativeInt, ValidationError

from ivbench_data.errors import DatasetError, DatasetNotFoundError, UsageError
from ivbench_data.schema import BadLine, QueryImage, Question, Record, SafeName, Video
from ivbench_data.withdrawals import Withdrawal, leave_out_withdrawn, read_withdrawals
from ivbench_data.workspace import Workspace, default_root, write_atomically

FORMAT_VERSION: Final = 1
MAX_NESTING = 32
"""Deeper JSON than this is refused: nothing honest needs it, and it exhausts the stack of whoever reads it."""
MAX_LINE_BYTES = 16 * 2**20

RecordT = TypeVar("RecordT", bound=Record)


class DatasetHeader(Record):
    """What `dataset.json` holds; it is written last, so that a folder with one is complete."""

    format_version: Literal[1]
    """Version of the files' form."""
    name: SafeName
    """The dataset's name."""
    videos: NonNegativeInt
    """How many lines `videos.jsonl` was written with."""
    images: NonNegativeInt
    """How many lines `images.jsonl` was written with."""
    questions: NonNegativeInt
    """How many lines `questions.jsonl` was written with."""
    bad_lines: tuple[BadLine, ...] = ()
    """Lines of the release that could not be used."""
    provenance: dict[str, JsonValue] = Field(default_factory=dict)
    """Where it came from."""


@dataclass(frozen=True)
class Dataset:
    """A benchmark: its videos, query images and questions, each in the release's order."""

    name: str
    videos: tuple[Video, ...] = ()
    images: tuple[QueryImage, ...] = ()
    questions: tuple[Question, ...] = ()
    bad_lines: tuple[BadLine, ...] = ()
    """Lines of the release, or of our own files, that could not be used."""
    provenance: dict[str, JsonValue] = field(default_factory=dict)
    """Where it came from: source, file names and digests, and whether it rebuilds byte for byte."""

    @property
    def withdrawals(self) -> tuple[Withdrawal, ...]:
        """Videos that were taken down, which are counted without.

        Raises:
            DatasetError: the provenance holds something else in their place.
        """
        return read_withdrawals(self.provenance)

    def describe_media(self) -> str:
        """What its questions are about, for a title: `on 747 videos`, or `on 2 videos and 40 images`."""
        parts = [(len(self.videos), "videos")] if self.videos else []
        if any(question.video_id is None for question in self.questions):
            parts.append((len(self.images), "images"))
        told = " and ".join(f"{count:,} {name if count != 1 else name[:-1]}" for count, name in parts)
        return f"on {told}" if told else "without media"

    def save(self, root: Path | None = None) -> Workspace:
        """Write the dataset's files under `root/name`, the marker `dataset.json` last.

        All are written before the first appears, so that a full disk leaves an earlier dataset as it was.

        Raises:
            StorageError: the root cannot be written.
        """
        workspace = Workspace(root or default_root(), self.name)
        header = DatasetHeader(
            format_version=FORMAT_VERSION,
            name=self.name,
            videos=len(self.videos),
            images=len(self.images),
            questions=len(self.questions),
            bad_lines=self.bad_lines,
            provenance=self.provenance,
        )
        contents = {
            "dataset.json": [header.model_dump_json(indent=2).encode() + b"\n"],
            "questions.jsonl": _encode_lines(self.questions),
            "images.jsonl": _encode_lines(self.images),
            "videos.jsonl": _encode_lines(self.videos),
        }
        with ExitStack() as stack:  # left in reverse, so that the marker is renamed into place last
            files = [stack.enter_context(write_atomically(workspace.folder / name)) for name in contents]
            for file, content in zip(files, contents.values(), strict=True):
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
        return workspace


def load(folder: Path | str) -> Dataset:
    """The dataset in a folder that `import` made, such as `data/ivbench`.

    Lines that cannot be used are in `bad_lines`; the others are loaded. What was withdrawn is left out, even where a
    killed run has not deleted it yet.

    Raises:
        DatasetNotFoundError: there is no dataset there.
        DatasetError: its `dataset.json` is not one, or another of its files cannot be read.
    """
    folder = Path(folder)
    marker = folder / "dataset.json"
    try:
        content = marker.read_bytes()
        parse_json(content)
        header = DatasetHeader.model_validate_json(content)
    except FileNotFoundError:
        raise DatasetNotFoundError(
            f"there is no dataset in {folder}. Bring one in with: ivbench-data import ivbench PATH, or make the demo: "
            "ivbench-data demo"
        ) from None
    except ValidationError as error:
        raise DatasetError(f"{marker} is not a dataset of format {FORMAT_VERSION}: {explain(error)}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{marker} cannot be read: {error}") from error
    videos, bad_videos = _read_part(folder / "videos.jsonl", Video, "video_id", header.videos)
    images, bad_images = _read_part(folder / "images.jsonl", QueryImage, "image_id", header.images)
    questions, bad_questions = _read_part(folder / "questions.jsonl", Question, "question_id", header.questions)
    withdrawals = read_withdrawals(header.provenance)
    kept_videos, kept_images, kept_questions = leave_out_withdrawn(withdrawals, videos, images, questions)
    return Dataset(
        name=header.name,
        videos=kept_videos,
        images=kept_images,
        questions=kept_questions,
        bad_lines=(*header.bad_lines, *bad_videos, *bad_images, *bad_questions),
        provenance=header.provenance,
    )


def _read_part(path: Path, record: type[RecordT], key: str, promised: int) -> tuple[list[RecordT], list[BadLine]]:
    """The records of one of a dataset's files; lines that were cut off its end are named as well."""
    try:
        records, bad = read_jsonl(path, record, key)
    except UsageError as error:
        raise DatasetError(f"{error}; import the release again") from error
    lines = len(records) + len(bad)
    if lines < promised:
        reason = f"the file ends before this line, and dataset.json promises {promised} lines; import the release again"
        bad.append(BadLine(file=path.name, line=lines + 1, reason=reason))
    return records, bad


# --- JSON, strictly ---------------------------------------------------------------------------------------------


def parse_json(content: bytes) -> JsonValue:
    """The JSON value of some bytes, strictly.

    Raises:
        ValueError: not UTF-8, not JSON, a byte-order mark, NaN or Infinity, a number too large for a float, a key given
            twice in one object, a lone surrogate, or nesting deeper than `MAX_NESTING`.
    """
    if len(content) > MAX_LINE_BYTES * 64:
        raise ValueError(f"{len(content)} bytes are too many")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte {error.start} is 0x{content[error.start]:02x}") from None
    if text.startswith("\ufeff"):
        raise ValueError("begins with a byte-order mark; save it as plain UTF-8")
    try:
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_finite_float,
            parse_int=_bounded_int,
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    _check_depth(value)
    if "\\u" in text or "\\U" in text:
        _check_surrogates(value)
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {shorten(repeated)} is given twice")
    return record


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _bounded_int(text: str) -> int:
    if len(text) > sys.float_info.max_10_exp:
        raise ValueError(f"the number {text[:20]}… of {len(text)} digits is too large")
    return int(text)


def _check_depth(value: JsonValue) -> None:
    level: list[JsonValue] = [value]
    for _ in range(MAX_NESTING):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_NESTING} levels")


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_surrogates(value: JsonValue) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds a lone surrogate, which is not text") from None


def explain(error: ValidationError) -> str:
    """A validation error in one line: which field, what is wrong with it, and the value."""
    told = []
    for item in error.errors(include_url=False):
        place = ".".join(map(str, item["loc"]))[:100]
        message = item["msg"].removeprefix("Value error, ")
        told.append(f"{place}: {message}" if place else message)
    return "; ".join(told[:5]) + (f"; and {len(told) - 5} more" if len(told) > 5 else "")


# --- JSONL ------------------------------------------------------------------------------------------------------


def iterate_jsonl(path: Path, name: str | None = None) -> Iterator[tuple[int, bytes, JsonValue | BadLine]]:
    """Line number, its bytes, and its value or what is wrong with it; blank lines are passed over.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        for number, line in enumerate(_bounded_lines(file), start=1):
            if not line.strip():
                continue
            if len(line) > MAX_LINE_BYTES:
                yield number, b"", BadLine(file=name or path.name, line=number, reason=f"over {MAX_LINE_BYTES} bytes")
                continue
            try:
                yield number, line, parse_json(line.rstrip(b"\n"))
            except ValueError as error:
                yield number, line, BadLine(file=name or path.name, line=number, reason=str(error))


def _bounded_lines(file: Any) -> Iterator[bytes]:
    """The file's lines, each cut after `MAX_LINE_BYTES`, so that a file without newlines costs no more memory."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + 1)
            if not line:
                return


def read_jsonl(path: Path, record: type[RecordT], key: str | None) -> tuple[list[RecordT], list[BadLine]]:
    """The records of a JSONL file, and the lines that hold none; `key` names their unique field, if any.

    Raises:
        UsageError: the file cannot be read.
    """
    records: list[RecordT] = []
    bad: list[BadLine] = []
    line_of: dict[str, int] = {}
    for number, line, value in iterate_jsonl(path):
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        try:
            # JSON mode, on the line's own bytes: tuples come as arrays, and nothing is coerced that JSON has a type for
            made = record.model_validate_json(line)
        except ValidationError as error:
            bad.append(BadLine(file=path.name, line=number, reason=explain(error)))
            continue
        first = number if key is None else line_of.setdefault(getattr(made, key), number)
        if key is not None and first != number:
            reason = f"{key} {getattr(made, key)!r} stands in line {first} already"
            bad.append(BadLine(file=path.name, line=number, reason=reason))
            continue
        records.append(made)
    return records, bad


def write_jsonl(path: Path, records: Iterable[Record]) -> None:
    """Write the records atomically, a line each: UTF-8, keys in the schema's order, defaults left out."""
    with write_atomically(path) as file:
        file.writelines(_encode_lines(records))


def _encode_lines(records: Iterable[Record]) -> Iterator[bytes]:
    return (record.model_dump_json(exclude_defaults=True).encode() + b"\n" for record in records)
