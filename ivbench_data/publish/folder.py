"""A published folder before it leaves this machine: whether it is whole, and holds nothing that should stay here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivbench_data.dataset import parse_json
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.schema import check_safe_name
from ivbench_data.workspace import digest_file

RECORD_NAME = "publish.json"

_MAX_NAMED = 5
"""How many of the troubles a message names."""


@dataclass(frozen=True)
class PublishedRecord:
    """What a `publish.json` says that a push has to know."""

    dataset: str
    version: str
    files: Mapping[str, str]
    """SHA-256 of each published file, by its path in the folder; the record itself is not among them."""
    answers: frozenset[str]
    """SHA-256 of each private answers file."""
    content: Mapping[str, object]
    """What tells one set of questions from another."""


@dataclass(frozen=True)
class LocalFile:
    """One file of a folder that is to be pushed."""

    path: Path
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class PublishedFolder:
    """A folder that is whole, and all of it public."""

    folder: Path
    record: PublishedRecord
    files: Mapping[str, LocalFile]
    """By path in the folder, `/` between its parts; the record among them."""


def inspect_folder(folder: Path) -> PublishedFolder:
    """The folder's files, each of the digest that its `publish.json` names, and none besides.

    Raises:
        UsageError: there is no such folder, or no `publish.json` in it.
        DatasetError: a file is missing, damaged, not of the publication, or no plain file; or is a private one.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: write one with `ivbench-data publish --to {folder}`")
    try:
        content = (folder / RECORD_NAME).read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"{folder} holds no {RECORD_NAME}: it is not a folder that `ivbench-data publish` wrote"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {folder / RECORD_NAME}: {error.strerror or error}") from None
    record = read_record(content, str(folder / RECORD_NAME))
    found = {path.relative_to(folder).as_posix(): path for path in _iterate_files(folder)}
    files = {
        name: LocalFile(path, path.stat().st_size, digest_file(path)) for name, path in sorted(found.items())
    }  # fmt: skip
    troubles = list(_find_troubles(record, files))
    if troubles:
        more = f"; and {len(troubles) - _MAX_NAMED} more" if len(troubles) > _MAX_NAMED else ""
        raise DatasetError(
            f"{folder} is not pushed: {'; '.join(troubles[:_MAX_NAMED])}{more}. Publish into a new folder"
        )
    return PublishedFolder(folder, record, files)


def read_record(content: bytes, told: str) -> PublishedRecord:
    """What the bytes of a `publish.json` say; `told` is what messages call it.

    Raises:
        DatasetError: they are none.
    """
    try:
        record = parse_json(content)
        if not isinstance(record, dict):
            raise ValueError("not a JSON object")
        dataset, version, files = record["dataset"], record["version"], record["files"]
        splits = record.get("splits", {})
        if not (isinstance(dataset, str) and isinstance(version, str) and isinstance(files, dict)):
            raise ValueError("dataset, version and files are not a name, a version and a mapping")
        if not isinstance(splits, dict) or not all(isinstance(digest, str) for digest in files.values()):
            raise ValueError("splits and files are not mappings to what they should be")
        read_version(version)
    except KeyError as error:
        raise DatasetError(f"{told} is no record of a publication: it has no {error.args[0]!r}") from None
    except ValueError as error:
        raise DatasetError(f"{told} is no record of a publication: {error}") from None
    answers = {split.get("answers_sha256") for split in splits.values() if isinstance(split, dict)}
    return PublishedRecord(
        dataset=dataset,
        version=version,
        files={name: str(digest) for name, digest in files.items()},
        answers=frozenset(digest for digest in answers if isinstance(digest, str)),
        content={key: record.get(key) for key in ("splits", "question_digests", "withdrawn")},
    )


def read_version(text: str) -> tuple[int, int, int]:
    """The three numbers of a version, which are compared as numbers: 1.10.0 is newer than 1.9.0.

    Raises:
        ValueError: it is not three numbers between dots.
    """
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise ValueError(f"the version {text!r} is not MAJOR.MINOR.PATCH")
    major, minor, patch = map(int, parts)
    return major, minor, patch


def _iterate_files(folder: Path) -> Iterator[Path]:
    """Every file in the folder and below.

    Raises:
        DatasetError: something there is a link, hidden, no plain file, cannot be looked into, or has an unsafe name.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DatasetError(f"cannot look into {folder}: {error.strerror or error}") from None
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            raise DatasetError(
                f"{path} is hidden, so nobody would see that it is published: delete it, or move it away"
            )
        try:
            check_safe_name(entry.name)
        except ValueError as error:
            raise DatasetError(f"a name in {folder} cannot be published: {error}") from None
        if entry.is_symlink():
            raise DatasetError(f"{path} is a link; what it leads to may not be meant for others: put a copy there")
        if entry.is_dir():
            yield from _iterate_files(path)
        elif entry.is_file():
            yield path
        else:
            raise DatasetError(f"{path} is no plain file: delete it")


def _find_troubles(record: PublishedRecord, files: Mapping[str, LocalFile]) -> Iterator[str]:
    for name in sorted(record.files.keys() - files.keys()):
        yield f"{name} is missing"
    for name, file in files.items():
        if file.sha256 in record.answers:
            yield f"{name} is a private answers file: move it away"
        elif name != RECORD_NAME and name not in record.files:
            yield f"{name} is not part of the publication, and may not be meant for others"
        elif name != RECORD_NAME and record.files[name] != file.sha256:
            yield f"{name} has another digest than {RECORD_NAME} says"
