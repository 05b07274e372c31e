"""Files in a dataset's `videos/` that belong to none of its videos: wrong names, other suffixes, leftovers."""

from __future__ import annotations

import unicodedata
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Final

from ivbench_data.dataset import Dataset
from ivbench_data.schema import Record
from ivbench_data.workspace import Workspace, list_folder, split_video_name

COMPARED_FILES: Final = 50
"""Stray files whose names are compared with all missing videos' ids, which takes long; the others by spelling alone."""


class StrayFile(Record):
    """A file in `videos/` that belongs to no video."""

    file_name: str
    """Its name."""
    near: str | None = None
    """The video without a file that it may be meant for."""

    def __str__(self) -> str:
        return f'"{self.file_name}"' + (f" (meant for {self.near}?)" if self.near else "")


def find_stray_files(dataset: Dataset, workspace: Workspace) -> list[StrayFile]:
    """Files in `videos/` that are no video of the dataset, nor its captions; hidden ones are left out.

    Raises:
        EnvironmentProblemError: the folder cannot be read.
    """
    ids = {_normalise(video.video_id): video.video_id for video in dataset.videos}
    captions = {_normalise(track.file_name) for video in dataset.videos for track in video.subtitles if track.file_name}
    strays = [
        path
        for path in list_folder(workspace.videos, "*")
        if not path.name.startswith(".") and _normalise(path.name) not in captions and not _belongs(path, ids)
    ]
    if not strays:
        return []
    missing = [key for key, video_id in ids.items() if workspace.find_video(video_id) is None]
    folded = {_fold(key): key for key in missing}
    near = {path: folded.get(_fold(_stem(path))) for path in strays}
    for path in islice((path for path in strays if near[path] is None), COMPARED_FILES):
        close = get_close_matches(_fold(_stem(path)), folded, 1, 0.8)
        near[path] = folded[close[0]] if close else None
    return [StrayFile(file_name=path.name, near=ids.get(near[path] or "")) for path in strays]


def _belongs(path: Path, ids: dict[str, str]) -> bool:
    named = split_video_name(path.name)
    return named is not None and named[0] in ids and path.is_file()


def _stem(path: Path) -> str:
    named = split_video_name(path.name)
    return named[0] if named else path.stem


def _normalise(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()
