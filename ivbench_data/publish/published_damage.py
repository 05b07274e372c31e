"""Whether a published folder is what was published: every file by its digest, and the rows against the record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivbench_data.atomic_files import digest_file
from ivbench_data.errors import UsageError
from ivbench_data.publish.publication_record import FILE_NAME, PublishedVersion, digest_public_question, read_published
from ivbench_data.publish.tables.parquet_columns import read_row
from ivbench_data.publish.tables.parquet_files import iterate_rows


@dataclass(frozen=True)
class Damage:
    """One file of a published folder that is not what was published."""

    path: str
    """The file, relative to the folder, with `/`."""
    reason: str
    """What is wrong with it."""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def verify_published(folder: Path | str) -> Iterator[Damage]:
    """Every file of the folder that is missing, changed, or not of the publication; nothing when all is whole.

    The files are compared with the digests in `publish.json`, and `publish.json` with the rows: their questions, their
    order, their digests and the canary. What begins with a dot is passed over: git and the Hub's client leave some.

    Raises:
        UsageError: there is no `publish.json`.
        DatasetError: it is damaged itself.
        MissingDependencyError: `datasets` is not installed.
    """
    folder = Path(folder)
    version = read_published(folder)
    damaged = set()
    for name, sha256 in version.files.items():
        path = folder / name
        if not path.is_file():
            damaged.add(name)
            yield Damage(name, "it is missing")
        elif digest_file(path) != sha256:
            damaged.add(name)
            yield Damage(name, "its digest is not the published one")
    for name in list_strangers(folder, version):
        yield Damage(name, "it is not part of the publication")
    for split, published in version.splits.items():
        paths = [name for name in version.files if name.startswith(f"data/{split}-")]
        if damaged.isdisjoint(paths):
            found = list(_digest_rows(folder, paths, version.canary))
            if found != [(question_id, version.question_digests[question_id]) for question_id in published.questions]:
                yield Damage(FILE_NAME, f"it says of the split {split!r} what its rows do not")


def list_strangers(folder: Path, version: PublishedVersion) -> list[str]:
    """Files in the folder that the publication does not name, but for those that begin with a dot."""
    known = {FILE_NAME, *version.files}
    return [name for name in list_files(folder) if name not in known]


def list_files(folder: Path) -> list[str]:
    """Every file in the folder and below, by its path in it with `/`, sorted; what begins with a dot is passed over."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def _digest_rows(folder: Path, paths: list[str], canary: str) -> Iterator[tuple[str, str]]:
    """Id and digest of each row; a row with another canary, or that holds no question, has none."""
    for path in paths:
        for row in iterate_rows(folder / path):
            try:
                question = read_row(row)
            except UsageError:
                yield "", ""
                continue
            sha256 = digest_public_question(question, [_digest_image(image) for image in row["images"]])
            yield question.question_id, sha256 if row["canary"] == canary else ""


def _digest_image(image: dict[str, Any] | None) -> str | None:
    return None if image is None else hashlib.sha256(image["bytes"]).hexdigest()
