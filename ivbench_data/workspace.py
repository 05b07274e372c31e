"""Layout on disk: the folders of a dataset under a root."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path

from ivbench_data.errors import EnvironmentProblemError, UnsafeNameError
from ivbench_data.schema import FrameGrid, check_safe_name

DEFAULT_DATASET = "ivbench"
"""The dataset that is meant where none is named; nothing else in the package goes by a benchmark's name."""

VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".ts")
"""Endings a video file may have, in order of preference when there are several."""


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
        name = self._checked(video_id)
        candidates = (self.videos / f"{name}{suffix}" for suffix in VIDEO_SUFFIXES)
        try:
            return next((path for path in candidates if path.is_file()), None)
        except PermissionError:
            raise EnvironmentProblemError(_describe_refusal(self.videos)) from None

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


def default_root() -> Path:
    """`$IVBENCH_ROOT`, or `./data`."""
    return Path(os.environ.get("IVBENCH_ROOT") or "data")
