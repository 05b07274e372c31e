"""Everything that a published folder holds, by the hidden question that it may belong to.

Read as anyone can read it: decoded rows of every table, what Parquet files hold beside their rows, documents as
values and as lines, pictures' metadata, and the bytes of everything else.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ivbench_data.errors import UsageError
from ivbench_data.publish.published_damage import list_files
from ivbench_data.publish.selfcheck.distinctive_options import Slot, find_distinctive_slots
from ivbench_data.publish.selfcheck.image_metadata import read_picture_texts
from ivbench_data.publish.selfcheck.parquet_footers import read_beside_rows
from ivbench_data.publish.selfcheck.text_finder import TextFinder
from ivbench_data.publish.tables.parquet_columns import read_row
from ivbench_data.publish.tables.parquet_files import iterate_rows
from ivbench_data.publish.tables.stripped_pictures import strip_picture
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError
from ivbench_data.schema import Question
from ivbench_data.strict_json import parse_json

NEEDED_COLUMNS: Final = frozenset({"question", "options"})
"""What a question must show; `validate --probe` examines what these give away by themselves."""

MAX_DIGEST_BYTES: Final = 64
"""Longer bytes in a row are a file, shorter ones are read as a digest."""

MAX_OWNERS_OF_A_LINE: Final = 3

_PACKED: Final = {
    b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd",
    b"7z\xbc\xaf": "7z", b"Rar!": "rar",
}  # fmt: skip
"""First bytes of archives and compressed files, whose content is not searched."""


@dataclass(frozen=True)
class PublishedEvidence:
    """Everything a published folder shows, by the question it belongs to.

    Example:
        >>> def count_rows(given: iv.AttackInput):
        ...     assert len(given.evidence.rows) == len(given.questions)
        ...     return iter(())
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> iv.check_published("data/published_hidden", answers, attacks={"rows": count_rows}).passed
        True
    """

    distinctive: frozenset[Slot]
    """The options that are looked for in bytes."""
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Id and columns of every row of a hidden question, in order; pictures are left out of them."""
    public: list[Question] = field(default_factory=list)
    """Questions whose answers are published."""
    image_digests: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Digests of the pictures in a question's row, hidden or public: of the files, and of their pixels alone."""
    unstripped: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By place: hidden questions whose pictures hold more than pixels and a colour profile."""
    question_texts: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """By place, and there by question: the text that names it."""
    question_matches: dict[str, dict[str, Counter[Slot]]] = field(default_factory=lambda: defaultdict(dict))
    """By place, and there by question: option texts found in bytes that belong to it."""
    file_texts: dict[str, str] = field(default_factory=dict)
    """By place: texts that belong to no single question."""
    file_matches: dict[str, Counter[Slot]] = field(default_factory=dict)
    """By file: option texts found in its bytes."""
    sha256_of: dict[str, str] = field(default_factory=dict)
    """By file: its digest."""
    packed_files: list[str] = field(default_factory=list)
    """Archives and compressed files, whose content is not searched."""


def gather_evidence(folder: Path, questions: Sequence[Question]) -> PublishedEvidence:
    """Read all files of the folder; `questions` are those whose answers are hidden.

    Raises:
        UsageError: it is no folder.
        DatasetError: a Parquet file cannot be read.
        MissingDependencyError: pyarrow is not installed.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    distinctive = find_distinctive_slots(questions)
    options = {question.question_id: question.options for question in questions}
    finder: TextFinder[Slot] = TextFinder(((name, at), options[name][at]) for name, at in sorted(distinctive))
    gatherer = _Gatherer(PublishedEvidence(distinctive), _find_owners(questions), finder)
    for name, path in list_files(folder).items():
        gatherer.read(path, name)
    return gatherer.evidence


def is_empty(value: object) -> bool:
    """Whether a column's value is empty."""
    return value is None or value in ("", "{}", "[]", "null") or (isinstance(value, list | dict) and not value)


def flatten(value: object) -> str:
    """All texts and numbers in a value, keys among them, a line each."""
    return "\n".join(_iterate_texts(value))


def _iterate_texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _iterate_texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _iterate_texts(inner)
    elif isinstance(value, bytes):
        if len(value) <= MAX_DIGEST_BYTES:
            yield value.hex()
    elif value is not None:
        yield str(value)


def _find_owners(questions: Sequence[Question]) -> dict[str, tuple[str, ...]]:
    """The questions that an id belongs to: a question's own, an image's, a video's."""
    owners: dict[str, tuple[str, ...]] = {}
    of_video: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        for name in {question.video_id, *question.image_ids} - {None}:
            of_video[str(name)].append(question.question_id)
    owners.update((name, tuple(ids)) for name, ids in of_video.items())
    owners.update((question.question_id, (question.question_id,)) for question in questions)
    return owners


class _Gatherer:
    def __init__(
        self, evidence: PublishedEvidence, owners: dict[str, tuple[str, ...]], finder: TextFinder[Slot]
    ) -> None:
        self.evidence = evidence
        self._owners = owners
        self._ids = {ids[0] for name, ids in owners.items() if ids == (name,)}
        self._finder = finder

    def read(self, path: Path, name: str) -> None:
        self._attribute_by_name("names of files", name, name)
        if path.suffix == ".parquet":
            self._read_table(path, name)
            return
        content = path.read_bytes()
        self.evidence.sha256_of[name] = hashlib.sha256(content).hexdigest()
        kind = next((kind for start, kind in _PACKED.items() if content.startswith(start)), None)
        if kind is not None:
            self.evidence.packed_files.append(f"{name} ({kind})")
        finds = self._finder.count(content)
        owners = self._owners_of_name(name)
        if owners:
            if _is_unstripped(content):
                self.evidence.unstripped[f"in {name.rpartition('/')[0] or '.'}/"] += owners
            for owner in owners:
                self.evidence.question_matches[f"bytes in {name.rpartition('/')[0] or '.'}/"][owner] = finds
            self._attribute(f"metadata in {name.rpartition('/')[0] or '.'}/", owners, read_picture_texts(content))
        else:
            self.evidence.file_matches[name] = finds
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return
        self.evidence.file_texts[name] = text
        self._read_text(text, name)

    # --- tables

    def _read_table(self, path: Path, name: str) -> None:
        group = name.rpartition("/")[0] or "."
        texts, rest = read_beside_rows(path)
        for place, text in texts.items():
            self.evidence.file_texts[f"{name}, {place}"] = text
        self.evidence.file_matches[f"{name}, between its parts"] = self._finder.count(rest)
        for row in iterate_rows(path):
            question_id = row.get("question_id")
            pictures = list(_take_pictures(row))
            if isinstance(question_id, str) and question_id in self._ids:
                self.evidence.rows.append((question_id, row))
                for column, value in row.items():
                    if column not in NEEDED_COLUMNS:
                        self._attribute(f"column {column} of {group}/", (question_id,), flatten(value))
                self._read_pictures(question_id, pictures, group)
            elif isinstance(question_id, str):
                self.evidence.image_digests[question_id] += [each for one in pictures for each in _digest_picture(one)]
                self._add_public(row)
            else:
                self._walk(row, f"{group}/")

    def _read_pictures(self, question_id: str, pictures: Sequence[bytes], group: str) -> None:
        finds: Counter[Slot] = Counter()
        for content in pictures:
            self.evidence.image_digests[question_id] += _digest_picture(content)
            if _is_unstripped(content):
                self.evidence.unstripped[f"in {group}/"].append(question_id)
            finds += self._finder.count(content)
        self.evidence.question_matches[f"bytes of the pictures in {group}/"][question_id] = finds
        texts = "\n".join(read_picture_texts(content) for content in pictures)
        self._attribute(f"metadata of the pictures in {group}/", (question_id,), texts)

    def _add_public(self, row: Mapping[str, Any]) -> None:
        try:
            question = read_row(row)
        except UsageError:
            return  # another table with a column of that name
        if not question.answers_hidden:
            self.evidence.public.append(question)

    # --- documents

    def _read_text(self, text: str, name: str) -> None:
        if name.endswith((".json", ".jsonl")):
            for part in (text,) if name.endswith(".json") else text.splitlines():
                try:
                    self._walk(parse_json(part.encode()), name)
                except ValueError:
                    continue  # it is read by lines as well
        for line in text.splitlines():
            named = {owner for token in re.findall(r"[\w.-]+", line) for owner in self._owners.get(token, ())}
            if 0 < len(named) <= MAX_OWNERS_OF_A_LINE:
                self._attribute(f"lines of {name}", tuple(named), line)

    def _walk(self, value: object, place: str) -> None:
        """Attribute what stands beside an id, below it, or in a list as long as a list of ids."""
        if isinstance(value, list):
            for inner in value:
                self._walk(inner, place)
        if not isinstance(value, dict):
            return
        named = [self._owners[text] for text in value.values() if isinstance(text, str) and text in self._owners]
        owners = min(named, key=len, default=())
        for key, inner in value.items():
            self._attribute(f"{key} in {place}", owners, flatten(inner))
            self._attribute(f"values by id in {place}", self._owners.get(key, ()), flatten(inner))
            if isinstance(inner, list) and inner and all(isinstance(one, str) and one in self._owners for one in inner):
                for other, beside in value.items():
                    if other != key and isinstance(beside, list) and len(beside) == len(inner):
                        for one, text in zip(inner, beside, strict=True):
                            self._attribute(f"{other} beside {key} in {place}", self._owners[one], flatten(text))
            self._walk(inner, place)

    # --- attribution

    def _attribute(self, place: str, owners: Sequence[str], text: str) -> None:
        for owner in owners if text else ():
            of_place = self.evidence.question_texts[place]
            of_place[owner] = f"{of_place[owner]}\n{text}" if owner in of_place else text

    def _attribute_by_name(self, place: str, name: str, text: str) -> None:
        self._attribute(place, self._owners_of_name(name), text)

    def _owners_of_name(self, name: str) -> tuple[str, ...]:
        file_name = name.rpartition("/")[2]
        return self._owners.get(file_name) or self._owners.get(file_name.rpartition(".")[0]) or ()


def _is_unstripped(content: bytes) -> bool:
    """Whether the bytes are a picture's file that holds more than pixels and a colour profile."""
    return (pixels := _strip(content)) is not None and pixels != content


def _digest_picture(content: bytes) -> list[str]:
    """Digests of a picture's file, and of its pixels alone where these can be read."""
    return [hashlib.sha256(each).hexdigest() for each in (content, _strip(content)) if each is not None]


def _strip(content: bytes) -> bytes | None:
    try:
        return strip_picture(content)
    except (ImageProblemError, *IMAGE_ERRORS):
        return None


def _take_pictures(row: dict[str, Any]) -> Iterator[bytes]:
    """The files within a row, taken out of it."""
    for column, value in row.items():
        taken, row[column] = _split_files(value)
        yield from taken


def _split_files(value: Any) -> tuple[list[bytes], Any]:
    if isinstance(value, bytes) and len(value) > MAX_DIGEST_BYTES:
        return [value], None
    if isinstance(value, list):
        parts = [_split_files(inner) for inner in value]
        return [one for taken, _ in parts for one in taken], [rest for _, rest in parts]
    if isinstance(value, dict):
        named = {key: _split_files(inner) for key, inner in value.items()}
        return [one for taken, _ in named.values() for one in taken], {key: rest for key, (_, rest) in named.items()}
    return [], value
