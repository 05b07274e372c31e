"""A published folder before it leaves this machine: whether it is whole, and holds nothing that should stay here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ivbench_data.atomic_files import digest_file
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.publication_record import PublishedVersion, read_published
from ivbench_data.publish.published_damage import list_files, verify_published
from ivbench_data.schema import check_safe_name

_MAX_NAMED = 5
"""How many of the damages a message names."""


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
    version: PublishedVersion
    """What its `publish.json` says."""
    files: Mapping[str, LocalFile]
    """By path in the folder, `/` between its parts; the record among them."""


def inspect_folder(folder: Path) -> PublishedFolder:
    """The folder's files, when they are what was published, and nothing else.

    Raises:
        UsageError: there is no such folder, or no `publish.json` in it.
        DatasetError: a file is missing, damaged, not of the publication, no plain file, or a private one.
        MissingDependencyError: `datasets` is not installed.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: write one with `ivbench-data publish --to {folder}`")
    found = list_files(folder)
    for name, path in found.items():
        _check_public(path, name)
    version = read_published(folder)
    answers = {split.answers_sha256 for split in version.splits.values()}
    digests = {name: digest_file(path) for name, path in found.items()}
    for name, sha256 in digests.items():
        if sha256 in answers:
            raise DatasetError(f"{found[name]} is a private answers file: move it away, and publish anew")
    if damages := [str(damage) for damage in verify_published(folder)]:
        more = f"; and {len(damages) - _MAX_NAMED} more" if len(damages) > _MAX_NAMED else ""
        raise DatasetError(f"{folder} is not what was published: {'; '.join(damages[:_MAX_NAMED])}{more}. Publish anew")
    files = {name: LocalFile(path, path.stat().st_size, digests[name]) for name, path in found.items()}
    return PublishedFolder(folder, version, files)


def _check_public(path: Path, name: str) -> None:
    """Raise unless the file is a plain one that everybody can see.

    Raises:
        DatasetError: it is a link, hidden, no plain file, or has an unsafe name.
    """
    for part in name.split("/"):
        if part.startswith("."):
            raise DatasetError(
                f"{path} is hidden, so nobody would see that it is published: delete it, or move it away"
            )
        try:
            check_safe_name(part)
        except ValueError as error:
            raise DatasetError(f"a name in {path.parent} cannot be published: {error}") from None
    if path.is_symlink():
        raise DatasetError(f"{path} is a link; what it leads to may not be meant for others: put a copy there")
    if not path.is_file():
        raise DatasetError(f"{path} is no plain file: delete it")
