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
    │   │   └── NotAVideoError      a web page, a pointer, sound alone, encrypted
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
    """The root of all errors raised on purpose; `exit_code` is what the command line exits with.

    Example:
        >>> try:
        ...     iv.load_manifest("unheard-of")
        ... except iv.IvbenchError as error:
        ...     print(type(error).__name__, error.exit_code)
        UsageError 2
    """

    exit_code: ClassVar[int] = 1


class UsageError(IvbenchError):
    """An invalid value: an unknown name, a size of zero, a path that does not exist.

    Example:
        >>> iv.read_frames("tiny", "alpha", "many frames")
        Traceback (most recent call last):
            ...
        ivbench_data.errors.UsageError: 'many frames' is not a grid; ...
    """

    exit_code: ClassVar[int] = 2


class UnsafeNameError(UsageError):
    """An id or a file name that could leave its folder, or that some file system cannot hold.

    Example:
        >>> iv.Workspace("data", "../elsewhere")
        Traceback (most recent call last):
            ...
        ivbench_data.errors.UnsafeNameError: '../elsewhere' cannot be a file name ...
    """


class RepositoryNotFoundError(UsageError):
    """The Hub has no repository of that name, or none that we may see.

    Example:
        >>> try:
        ...     raise iv.RepositoryNotFoundError("there is no dataset my-lab/my-benchmark on the Hub")
        ... except iv.UsageError as error:
        ...     print(error.exit_code)
        2
    """


class EnvironmentProblemError(IvbenchError):
    """The machine lacks something that the call needs.

    Example:
        >>> iv.MissingDependencyError("torch", "eval").exit_code
        3
    """

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
    """An optional extra is not installed; the message holds the `pip install` line.

    Example:
        >>> iv.MissingDependencyError("scipy", "score").extra
        'score'
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed. Install it with: {write_install_command(extra)}")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingDependencyError], tuple[str, str]]:
        return type(self), (self.package, self.extra)  # so that it travels between processes


class StorageError(EnvironmentProblemError):
    """The disk is full or read-only, or writing to it is not permitted.

    Example:
        >>> iv.StorageError.from_os_error(OSError(28, "No space left on device"), Path("data/x"))
        StorageError('cannot write data/x: the disk is full: free some space, or choose another folder with --root')
    """

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
    """A dataset's files are malformed or damaged.

    Example:
        >>> _ = Path("data/tiny/dataset.json").write_text("{}")
        >>> try:
        ...     iv.load_dataset("tiny")
        ... except iv.DatasetError as error:
        ...     print(type(error).__name__)
        DatasetError
    """


class DatasetNotFoundError(DatasetError):
    """There is no dataset in that folder yet.

    Example:
        >>> iv.load_dataset("nowhere")
        Traceback (most recent call last):
            ...
        ivbench_data.errors.DatasetNotFoundError: there is no dataset in data/nowhere. ...
    """

    exit_code: ClassVar[int] = 2


class PublicationConflictError(IvbenchError):
    """The published version has changed since the plan was made; nothing was overwritten.

    Example:
        >>> try:
        ...     raise iv.PublicationConflictError("the Hub's version changed since the plan was made")
        ... except iv.IvbenchError as error:
        ...     print(error.exit_code)
        1
    """


class VideoError(IvbenchError):
    """One video cannot be read.

    Example:
        >>> try:
        ...     raise iv.UnreadableVideoError("alpha.mp4 is empty")
        ... except iv.VideoError as error:
        ...     print(type(error).__name__)
        UnreadableVideoError
    """


class UnreadableVideoError(VideoError):
    """The file is damaged, empty, or not a video.

    Example:
        >>> try:
        ...     raise iv.UnreadableVideoError("alpha.mp4 is empty")
        ... except iv.VideoError as error:
        ...     print(error)
        alpha.mp4 is empty
    """


class NotAVideoError(UnreadableVideoError):
    """The file is something else than a video, or encrypted; the message says what, and what to do.

    Example:
        >>> try:
        ...     raise iv.NotAVideoError("alpha.mp4: a web page, not a video")
        ... except iv.UnreadableVideoError as error:
        ...     print(type(error).__name__)
        NotAVideoError
    """


class VideoLimitError(VideoError):
    """The video is larger or longer than the limits allow.

    Example:
        >>> try:
        ...     raise iv.VideoLimitError("alpha.mp4 is longer than a day")
        ... except iv.VideoError as error:
        ...     print(error)
        alpha.mp4 is longer than a day
    """


class CacheError(IvbenchError):
    """One cache file cannot be used.

    Example:
        >>> try:
        ...     iv.read_frames("tiny", "alpha", "8x720")
        ... except iv.CacheError as error:
        ...     print(type(error).__name__)
        CacheNotFoundError
    """


class CacheNotFoundError(CacheError):
    """There is no cache file for that video and grid.

    Example:
        >>> iv.read_frames("tiny", "gamma", "4x16")
        Traceback (most recent call last):
            ...
        ivbench_data.errors.CacheNotFoundError: there is no cache file data/tiny/cache/4x16/gamma.safetensors
    """


class CacheCorruptError(CacheError):
    """A cache file is damaged: its digest or its structure does not match.

    Example:
        >>> path = Path("data/tiny/cache/4x16/alpha.safetensors")
        >>> _ = path.write_bytes(path.read_bytes()[:5000])
        >>> iv.read_frames("tiny", "alpha", "4x16")
        Traceback (most recent call last):
            ...
        ivbench_data.errors.CacheCorruptError: data/tiny/cache/4x16/alpha.safetensors is not a whole frame file: ...
    """
