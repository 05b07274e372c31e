"""Metadata of the videos by their sources, copied from the ledger into `videos.jsonl` with the date of the reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from ivbench_data.fetch.fetch_ledger import VideoHistory
from ivbench_data.schema import Subtitle, Video
from ivbench_data.strict_json import read_jsonl, write_jsonl
from ivbench_data.workspace import Workspace, stays_inside

_FIELDS_OF_THEIR_OWN = frozenset(
    {"duration", "license", "language", "subtitles", "automatic_captions", "subtitle_files"}
)


def record_source_metadata(workspace: Workspace, histories: Mapping[str, VideoHistory]) -> None:
    """Write the ledger's source metadata into the dataset's `videos.jsonl`, if that exists.

    Length, licence and language stay where the release states them.
    """
    path = workspace.folder / "videos.jsonl"
    if not path.is_file():
        return
    videos, bad = read_jsonl(path, Video, "video_id")
    if bad:
        return  # writing the file anew would lose the lines that cannot be read
    updated = [_update(video, histories[video.video_id]) if video.video_id in histories else video for video in videos]
    if updated != videos:
        write_jsonl(path, updated)


def _update(video: Video, history: VideoHistory) -> Video:
    stated = history.source_metadata
    if not stated:
        return video
    files: Any = stated.get("subtitle_files") or {}
    tracks = [(tag, "manual") for tag in _list(stated.get("subtitles"))]
    tracks += [(tag, "automatic") for tag in _list(stated.get("automatic_captions"))]
    return Video.model_validate(
        {
            **video.model_dump(),
            "duration_seconds": video.duration_seconds
            if video.duration_seconds is not None
            else stated.get("duration"),
            "license": video.license or stated.get("license"),
            "language": video.language or stated.get("language"),
            "subtitles": [Subtitle(language=tag, kind=kind, file_name=files.get(tag)) for tag, kind in tracks]
            or video.subtitles,
            "source_metadata": {
                **video.source_metadata,
                **{key: value for key, value in stated.items() if key not in _FIELDS_OF_THEIR_OWN},
            },
        }
    )


def _list(value: JsonValue) -> list[str]:
    return [tag for tag in value if isinstance(tag, str) and tag] if isinstance(value, list) else []


def find_released_path(video: Video) -> str | None:
    """Path of the video's file in the release; None where it is not stated, or leads out of the folder."""
    path = video.source_metadata.get("path")
    return path if isinstance(path, str) and stays_inside(path) else None
