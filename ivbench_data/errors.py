"""Every exception that ivbench-data raises on purpose.

A bad *row* (a removed video, a truncated file, a malformed line) is never raised: it is returned as a result with a
reason. A bad call or a bad environment raises, and the message says which file, which value, and what to do::

    IvbenchError                    catch this one to catch them all
    ├── UsageError                  an invalid value (exit code 2)
    │   ├── UnsafeNameError         an id or a file name that could leave its folder
    │   └── RepositoryNotFoundError the Hub has no such repository, or not for us
    ├── EnvironmentProblemError     the machine lacks something (exit code 3)
    │   ├── MissingDependencyError  an optional extra is not installed
    │   └── StorageError            the disk is full, read-only, or not permitted to us
    ├── DatasetError                a dataset is absent, or its files are malformed (exit code 1)
    │   └── DatasetNotFoundError
    ├── PublicationConflictError    the published version changed since the plan (exit code 1)
    ├── VideoError                  one video cannot be read; in batches this becomes a failed row
    │   ├── UnreadableVideoError    damaged, empty, or not a video
    │   └── VideoLimitError         larger or longer than the limits allow
    └── CacheError                  one cache file cannot be used
        ├── CacheNotFoundError
        └── CacheCorruptError
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import ClassVar


class IvbenchError(Exception):
    """The root of all errors raised on purpose; `exit_code` is what the command line exits with."""

    exit_code: ClassVar[int] = 1


class UsageError(IvbenchError):
    """An invalid value: an unknown name, a size of zero, a path that does not exist."""

    exit_code: ClassVar[int] = 2


class UnsafeNameError(UsageError):
    """An id or a file name that could leave its folder, or that some file system cannot hold."""


class RepositoryNotFoundError(UsageError):
    """The Hub has no repository of that name, or none that we may see."""


class EnvironmentProblemError(IvbenchError):
    """The machine lacks something that the call needs."""

    exit_code: ClassVar[int] = 3


def write_install_command(extras: str = "") -> str:
    """The `pip install` command for extras of the checkout that this package runs from, else of the released package.

    Args:
        extras: names of extras with commas between them, such as `fetch,score`; none by default.
    """
    checkout = Path(__file__).resolve().parent.parent
    wanted = f"[{extras}]" if extras else ""
    if (checkout / "pyproject.toml").is_file():
        return f"pip install -e '{checkout}{wanted}'"
    return f"pip install 'ivbench-data{wanted}'"


class MissingDependencyError(EnvironmentProblemError):
    """An optional extra is not installed; the message holds the `pip install` line."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed. Install it with: {write_install_command(extra)}")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingDependencyError], tuple[str, str]]:
        return type(self), (self.package, self.extra)  # so that it travels between processes


class StorageError(EnvironmentProblemError):
    """The disk is full or read-only, or writing to it is not permitted."""

    @classmethod
    def from_os_error(cls, error: OSError, path: Path) -> StorageError:
        """The error that names the path and what to do about it.

        Args:
            error: the system's error.
            path: the file that could not be written.
        """
        advice = {
            errno.ENOSPC: "the disk is full: free some space, or choose another folder with --root",
            errno.EDQUOT: "your disk quota is used up: free some space, or choose another folder with --root",
            errno.ENOENT: "its folder was removed while it was written: run the same command again",
            errno.EROFS: "the file system is read-only: choose another folder with --root",
            errno.EACCES: "permission denied: choose another folder with --root, or change its permissions",
            errno.EPERM: "permission denied: choose another folder with --root, or change its permissions",
        }
        reason = advice.get(error.errno or 0, f"{error.strerror or error}: choose another folder with --root")
        return cls(f"cannot write {path}: {reason}")


class DatasetError(IvbenchError):
    """A dataset's files are malformed or damaged."""


class DatasetNotFoundError(DatasetError):
    """There is no dataset in that folder yet."""

    exit_code: ClassVar[int] = 2


class PublicationConflictError(IvbenchError):
    """The published version has changed since the plan was made; nothing was overwritten."""


class VideoError(IvbenchError):
    """One video cannot be read."""


class UnreadableVideoError(VideoError):
    """The file is damaged, empty, or not a video."""


class VideoLimitError(VideoError):
    """The video is larger or longer than the limits allow."""


class CacheError(IvbenchError):
    """One cache file cannot be used."""


class CacheNotFoundError(CacheError):
    """There is no cache file for that video and grid."""


class CacheCorruptError(CacheError):
    """A cache file is damaged: its digest or its structure does not match."""
