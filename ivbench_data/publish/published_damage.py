"""Whether a published folder is what was published: every file by its digest, and the rows against the record."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivbench_data.atomic_files import digest_file
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.publication_record import FILE_NAME, PublishedVersion, digest_public_question, read_published
from ivbench_data.publish.tables.parquet_columns import read_row
from ivbench_data.publish.tables.parquet_files import iterate_rows


@dataclass(frozen=True)
class PublishedDamage:
    """One file of a published folder that is not what was published.

    Example:
        >>> _ = Path("data/published/README.md").write_text("changed")
        >>> [str(damage) for damage in iv.verify_published("data/published")]
        ['README.md: its digest is not the published one']
    """

    path: str
    """The file, relative to the folder, with `/`."""
    reason: str
    """What is wrong with it."""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def verify_published(folder: Path | str) -> Iterator[PublishedDamage]:
    """Every file of the folder that is missing, changed, or not of the publication; nothing when all is whole.

    The files are compared with the digests in `publish.json`, and `publish.json` with the rows: their questions, their
    order, their digests and the canary. What begins with a dot is passed over: git and the Hub's client leave some.

    Args:
        folder: the published folder.

    Raises:
        UsageError: there is no `publish.json`.
        DatasetError: it is damaged itself.
        MissingDependencyError: `datasets` is not installed.

    Example:
        >>> list(iv.verify_published("data/published"))
        []
    """
    folder = Path(folder)
    version = read_published(folder)
    damaged = set()
    for name, sha256 in version.files.items():
        path = folder / name
        if not path.is_file():
            damaged.add(name)
            yield PublishedDamage(name, "it is missing")
        elif digest_file(path) != sha256:
            damaged.add(name)
            yield PublishedDamage(name, "its digest is not the published one")
    for name in list_unknown_files(folder, version):
        yield PublishedDamage(name, "it is not part of the publication")
    for split, published in version.splits.items():
        paths = [name for name in version.files if name.startswith(f"data/{split}-")]
        if damaged.isdisjoint(paths):
            found = list(_digest_rows(folder, paths, version.canary))
            if found != [(question_id, version.question_digests[question_id]) for question_id in published.questions]:
                yield PublishedDamage(FILE_NAME, f"it says of the split {split!r} what its rows do not")


def list_unknown_files(folder: Path, version: PublishedVersion) -> list[str]:
    """Files in the folder that the publication does not name, except those that begin with a dot."""
    known = {FILE_NAME, *version.files}
    return [name for name in list_files(folder) if name not in known and not any(map(_is_dotted, name.split("/")))]


def list_files(folder: Path) -> dict[str, Path]:
    """Every file and link in the folder and below, by its path in it with `/`, sorted; empty folders are left out.

    Raises:
        DatasetError: a folder cannot be opened.
    """

    def refuse(error: OSError) -> None:
        raise DatasetError(f"cannot look into {error.filename}: {error.strerror or error}") from None

    paths = (
        Path(parent, name)
        for parent, folders, files in os.walk(folder, onerror=refuse)
        for name in (*files, *(name for name in folders if Path(parent, name).is_symlink()))
    )
    return dict(sorted((path.relative_to(folder).as_posix(), path) for path in paths))


def _is_dotted(name: str) -> bool:
    return name.startswith(".")


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
