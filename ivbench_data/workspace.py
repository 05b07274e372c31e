"""Layout on disk: the folders of a dataset under a root."""

from __future__ import annotations

import fnmatch
import os
import time
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ivbench_data.errors import EnvironmentProblemError, UnsafeNameError
from ivbench_data.schema import FrameGrid, check_safe_name

DEFAULT_DATASET = "ivbench"
"""The dataset that is meant where none is named; nothing else in the package goes by a benchmark's name."""

ID_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".ts")
"""Suffixes that are cut from a release's path to make a video id; never extended, for ids must not change."""

VIDEO_SUFFIXES = (
    *ID_SUFFIXES, ".m2ts", ".mts", ".mpg", ".mpeg", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".ogg", ".3gp",
    ".3g2", ".qt", ".ivf", ".obu", ".h264", ".264", ".h265", ".265", ".hevc",
)  # fmt: skip
"""Suffixes of video files in any case, one at least for each container that is opened; in order of preference when a
video has several files."""


@dataclass(frozen=True)
class Workspace:
    """The folders of one dataset under a root; making one touches nothing on disk.

    Example:
        >>> workspace = iv.Workspace("data", "tiny")
        >>> workspace.cache_path(iv.FrameGrid(nframes=4, res=16), "alpha").as_posix()
        'data/tiny/cache/4x16/alpha.safetensors'
        >>> workspace.find_video("alpha").name
        'alpha.mp4'
    """

    root: Path
    dataset: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))
        self._checked(self.dataset)

    @property
    def folder(self) -> Path:
        """The dataset's folder."""
        return self.root / self.dataset

    @property
    def videos(self) -> Path:
        """The videos' folder."""
        return self.folder / "videos"

    @property
    def images(self) -> Path:
        """The query images' folder."""
        return self.folder / "images"

    @property
    def raw(self) -> Path:
        """The release, as released."""
        return self.folder / "raw"

    @property
    def cache(self) -> Path:
        """The frame caches, one folder a grid."""
        return self.folder / "cache"

    @property
    def ledger(self) -> Path:
        """Append-only records, one file a process: fetch attempts, review decisions."""
        return self.folder / "ledger"

    @property
    def results(self) -> Path:
        """Results files of evaluations, one per configuration."""
        return self.folder / "results"

    @property
    def reports(self) -> Path:
        """Reports: HTML, figures, findings."""
        return self.folder / "reports"

    @property
    def private(self) -> Path:
        """Never published: the secret and the hidden answers."""
        return self.folder / "private"

    def find_video(self, video_id: str) -> Path | None:
        """The video's file, or None when there is none.

        Raises:
            EnvironmentProblemError: no permission to list the folder.
        """
        return find_video_file(self.videos, self._checked(video_id))

    def image_path(self, image_id: str) -> Path:
        """Where the image's file belongs."""
        return self.images / self._checked(image_id)

    def cache_path(self, grid: FrameGrid, video_id: str) -> Path:
        """Where the video's frames in that grid belong."""
        return self.cache / grid.identity / f"{self._checked(video_id)}.safetensors"

    @staticmethod
    def _checked(name: str) -> str:
        try:
            return check_safe_name(name)
        except ValueError as error:
            raise UnsafeNameError(str(error)) from None


def stays_inside(path: str) -> bool:
    """Whether a path with `/`, put under a folder, stays there on every system."""
    return bool(path) and not set(path) & {"\\", ":", "\0"} and not {"", ".", ".."} & set(path.split("/"))


def list_folder(folder: Path, pattern: str) -> list[Path]:
    """Paths in the folder that match the pattern, sorted; empty if there is no such folder.

    Raises:
        EnvironmentProblemError: no permission to list it, which `Path.glob` takes for empty.
    """
    try:
        paths = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        raise EnvironmentProblemError(_describe_refusal(folder)) from None
    return sorted(path for path in paths if fnmatch.fnmatchcase(path.name, pattern))


def _describe_refusal(folder: Path) -> str:
    return f"cannot look into {folder}: permission denied: change its permissions, or choose another folder with --root"


def find_video_file(folder: Path, video_id: str) -> Path | None:
    """The video's file in a folder: its id and a suffix of `VIDEO_SUFFIXES` in any case, compared as Unicode NFC.

    A file of exactly that name is preferred.

    Raises:
        EnvironmentProblemError: no permission to list the folder.
    """
    try:
        exact = (folder / f"{video_id}{suffix}" for suffix in VIDEO_SUFFIXES)
        if (path := next((path for path in exact if path.is_file()), None)) is not None:
            return path
        changed_seconds = folder.stat().st_mtime
    except FileNotFoundError:
        return None
    except PermissionError:
        raise EnvironmentProblemError(_describe_refusal(folder)) from None
    # a folder that has just changed may change again within one tick of its clock
    is_settled = time.time() - changed_seconds > 2
    files = _index_videos(folder, changed_seconds) if is_settled else _index_videos.__wrapped__(folder, 0)
    return files.get(unicodedata.normalize("NFC", video_id))


def split_video_name(name: str) -> tuple[str, str] | None:
    """A file name's video id in Unicode NFC, and its suffix in lower case; None when that is not a video's."""
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending}".lower()
    return (unicodedata.normalize("NFC", stem), suffix) if dot and suffix in VIDEO_SUFFIXES else None


@lru_cache(maxsize=4)
def _index_videos(folder: Path, changed_seconds: float) -> dict[str, Path]:
    """The preferred file of each video id in a folder; `changed_seconds` keeps a changed folder from being reused."""
    ranked: dict[str, tuple[int, Path]] = {}
    for path in list_folder(folder, "*"):
        named = split_video_name(path.name)
        if named is not None and path.is_file():
            rank = VIDEO_SUFFIXES.index(named[1])
            if named[0] not in ranked or rank < ranked[named[0]][0]:
                ranked[named[0]] = rank, path
    return {video_id: path for video_id, (_, path) in ranked.items()}


def default_root() -> Path:
    """`$IVBENCH_ROOT`, or `./data`."""
    return Path(os.environ.get("IVBENCH_ROOT") or "data")
