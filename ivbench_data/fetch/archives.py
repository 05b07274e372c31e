"""Read wanted files from zip and tar archives safely: only plain members, only by name, within a size limit.

A member's path decides nothing about where it is written, so none can leave its folder. Sizes are counted while they
are unpacked: sizes that an archive states are not trusted.
"""

from __future__ import annotations

import hashlib
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Suffixes of the archives that are searched."""

MAX_MEMBERS = 1_000_000
"""An archive with more is refused."""

READ_ERRORS = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What reading a damaged, encrypted or strange archive raises."""


class ArchiveRefusedError(Exception):
    """An archive, or a member of it, that is not unpacked; the message says why."""


def is_archive(path: str) -> bool:
    """Whether the name ends as an archive's does."""
    return path.lower().endswith(ARCHIVE_SUFFIXES)


def normalise_name(name: str) -> str:
    """The name as it is compared: some systems store `é` as one character, some as two."""
    return unicodedata.normalize("NFC", name)


def iterate_members(archive: Path) -> Iterator[tuple[str, str, Callable[[], IO[bytes]]]]:
    """Path in the archive, name as it is compared, and a way to open it, of each plain file; all in one pass.

    Links, devices and folders are left out. A member must be read before the next one is asked for.

    Raises:
        ArchiveRefusedError: it cannot be read, or has too many members.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                for number, entry in enumerate(opened.infolist()):
                    _check_count(archive, number)
                    if not entry.is_dir() and not _is_link(entry):
                        yield entry.filename, _name_of(entry.filename), partial(opened.open, entry)
        else:
            with tarfile.open(archive) as packed:
                for number, member in enumerate(packed):
                    _check_count(archive, number)
                    if member.isreg():
                        yield member.name, _name_of(member.name), partial(_open_tar_member, packed, member)
    except READ_ERRORS as error:
        raise ArchiveRefusedError(f"{archive.name} cannot be read: {error}") from error


def copy_bounded(open_source: Callable[[], IO[bytes]], target: IO[bytes], max_bytes: int) -> str:
    """SHA-256 of what was copied.

    Raises:
        ArchiveRefusedError: the source cannot be read, or holds more than `max_bytes`; a bomb unpacks to far more than
            it promises.
    """
    digest = hashlib.sha256()
    copied = 0
    for block in _read_blocks(open_source):
        copied += len(block)
        if copied > max_bytes:
            raise ArchiveRefusedError(f"it unpacks to more than {max_bytes} bytes")
        digest.update(block)
        target.write(block)
    return digest.hexdigest()


def _read_blocks(open_source: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    """The source's bytes; read errors become `ArchiveRefusedError`, unlike errors of the caller's writes."""
    try:
        with open_source() as source:
            while block := source.read(1 << 16):
                yield block
    except READ_ERRORS as error:
        raise ArchiveRefusedError(f"it cannot be read: {error}") from error


def _name_of(path: str) -> str:
    return normalise_name(PurePosixPath(path.replace("\\", "/")).name)


def _open_tar_member(packed: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = packed.extractfile(member)
    if content is None:
        raise tarfile.TarError(f"{member.name} is not a plain file")
    return content


def _check_count(archive: Path, number: int) -> None:
    if number >= MAX_MEMBERS:
        raise ArchiveRefusedError(f"{archive.name} has more than {MAX_MEMBERS} members")


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return (entry.external_attr >> 16) & 0o170000 == 0o120000
