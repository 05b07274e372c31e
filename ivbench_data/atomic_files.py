"""The one atomic write: files and folders appear whole or not at all; links, deletion, sweeping, digests.

Nothing half-written is ever visible: each file is made under a temporary name of its own in the folder it belongs to,
synced, and renamed into place. A fixed temporary name would let two writers mix their bytes, and file locks silently
do nothing on some cluster file systems, so correctness rests on the rename alone.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from ivbench_data.errors import StorageError, UsageError

TEMPORARY_MAX_AGE_SECONDS = 24 * 3600
"""A temporary is stale after a day, whoever wrote it: another machine cannot be asked whether its writer lives."""

_TEMPORARY = re.compile(r"\.tmp-(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{12}")

_SCRATCH = re.compile(r"(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{12}")


@contextmanager
def write_atomically(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A binary file to write `path` with, and read back: it appears whole when the block ends, or not at all.

    `mode` is what the file may be used for before the umask takes its part; 0o600 is for the owner alone, from the
    first moment on.

    Raises:
        StorageError: the disk is full, read-only, or not ours to write.
    """
    temporary = path.parent / _temporary_name()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # made with its mode: a file that is closed to others afterwards was open to them at first
            temporary.touch(mode, exist_ok=False)
            with temporary.open("r+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(path.parent)
    except OSError as error:
        raise StorageError.from_os_error(error, path) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write the whole file atomically."""
    with write_atomically(path) as file:
        file.write(content)


@contextmanager
def write_folder_atomically(folder: Path) -> Iterator[Path]:
    """An empty folder to fill: it takes the place of `folder` when the block ends, or never appears.

    Raises:
        UsageError: something else of that name is there, which no folder may take the place of.
        StorageError: the disk is full, read-only, or not ours to write.
    """
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
        raise UsageError(f"{folder} is no folder, and is left as it is: choose another name")
    unfinished = folder.parent / _temporary_name()
    try:
        unfinished.mkdir(parents=True)
        try:
            yield unfinished
            for path in unfinished.rglob("*"):
                _sync(path)
            while not _takes_place(unfinished, folder):
                pass
            _sync(folder.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise StorageError.from_os_error(error, folder) from error


def _takes_place(unfinished: Path, folder: Path) -> bool:
    """Whether the finished folder took the other's place; not when another writer was between our two renames."""
    if _exchange(unfinished, folder):
        return True
    replaced = folder.parent / _temporary_name()
    try:
        with suppress(FileNotFoundError):  # there was none, or another writer has just moved it away
            folder.rename(replaced)
        unfinished.rename(folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    finally:
        shutil.rmtree(replaced, ignore_errors=True)
    return True


def _exchange(unfinished: Path, folder: Path) -> bool:
    """Whether the two folders changed places, in one step of the system (Linux, on most file systems).

    With two renames instead, a kill between them would leave neither the old folder nor the new one in its place.
    """
    import ctypes

    at_working_directory, rename_exchange = -100, 2  # AT_FDCWD of fcntl.h, RENAME_EXCHANGE of linux/fs.h
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if renameat2 is None:
        return False
    first, second = os.fsencode(unfinished.absolute()), os.fsencode(folder.absolute())
    return bool(renameat2(at_working_directory, first, at_working_directory, second, rename_exchange) == 0)


def write_json(path: Path, value: object) -> None:
    """Write one JSON document atomically: indented, keys in the order given, ending in a newline."""
    write_bytes(path, (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode())


def move_into_place(file: Path, target: Path) -> None:
    """Let a finished file of the same file system appear as `target`, synced first, replacing what was there.

    Raises:
        StorageError: the disk is full, read-only, or not ours to write.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as content:
            os.fsync(content.fileno())
        file.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise StorageError.from_os_error(error, target) from error


def delete(path: Path) -> None:
    """Delete a file, a link or a folder with all in it, for good: not even a power cut restores it.

    Raises:
        StorageError: it is not ours to delete.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        _sync(path.parent)
    except FileNotFoundError:
        return  # another process was faster
    except OSError as error:
        raise StorageError.from_os_error(error, path) from error


def link_or_copy(source: Path, target: Path) -> None:
    """Let `target` appear as a second name of the file, or as a copy of it on another file system.

    Raises:
        StorageError: the disk is full, read-only, or not ours to write, or the source cannot be read.
    """
    temporary = target.parent / _temporary_name()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(source):
            return  # renaming one name of a file onto another would leave both
        try:
            os.link(source.resolve(), temporary)
        except OSError:
            with source.open("rb") as content, write_atomically(target) as copy:
                shutil.copyfileobj(content, copy, 1 << 20)
        else:
            temporary.replace(target)
            _sync(target.parent)
    except OSError as error:
        raise StorageError.from_os_error(error, target) from error


def claim_scratch_folder(parent: Path) -> Path:
    """A folder under `parent` that is this process's alone: what an ended run left, with all in it, or a new one.

    Taking over is one rename, so that of two processes only one succeeds; what a living process uses is left alone.

    Raises:
        StorageError: the disk is full, read-only, or not ours to write.
    """
    own = parent / f"{_machine()}-{os.getpid()}-{secrets.token_hex(6)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in sorted(parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True):
            match = _SCRATCH.fullmatch(left.name)
            if match and (
                (match["machine"] == _machine() and int(match["pid"]) == os.getpid())
                or _is_stale(left, match["machine"], int(match["pid"]))
            ):
                try:
                    left.rename(own)
                except FileNotFoundError:
                    continue  # another process was faster
                return own
        own.mkdir()
    except OSError as error:
        raise StorageError.from_os_error(error, parent) from error
    return own


def sweep_temporaries(folder: Path, below: bool = True) -> int:
    """How many temporaries of killed runs were deleted, here and below; what living runs are writing stays.

    Without `below` only the folder's own entries are looked at: for a folder that is not ours alone.
    """
    swept = 0
    # os.walk passes over what others delete while we look, unlike rglob
    for parent, folders, files in islice(os.walk(folder), None if below else 1):
        for name in (*folders, *files):
            match = _TEMPORARY.fullmatch(name)
            path = Path(parent, name)
            if match and _is_stale(path, match["machine"], int(match["pid"])):
                with suppress(OSError):  # another's, in a shared folder: it stays, and does no harm
                    if path.is_dir():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
                    swept += 1
    return swept


def _temporary_name() -> str:
    return f".tmp-{_machine()}-{os.getpid()}-{secrets.token_hex(6)}"


def _machine() -> str:
    """Eight digits for this machine and process-id space: outside of it (containers, hosts) a pid means nothing."""
    try:
        pid_space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        pid_space = ""
    return hashlib.sha256(f"{socket.gethostname()}\0{pid_space}".encode()).hexdigest()[:8]


def _is_stale(path: Path, machine: str, pid: int) -> bool:
    if machine == _machine() and not _is_running(pid):
        return True
    try:
        return time.time() - path.stat().st_mtime > TEMPORARY_MAX_AGE_SECONDS
    except OSError:
        return False


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    try:
        # a killed process that nobody has waited for (containers without an init) answers, but writes no more
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return True


def _sync(path: Path) -> None:
    """Put a file, or a folder's own entries (renames), onto the disk, where the system lets folders be synced."""
    if path.is_dir() and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():
            raise
        # some network file systems refuse to sync folders; the files themselves are safe
    finally:
        os.close(descriptor)


def digest_stream(file: BinaryIO) -> str:
    """SHA-256 of the rest of an open file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of the file's bytes, as 64 hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return digest_stream(file)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
