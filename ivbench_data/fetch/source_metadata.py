"""What the sources say of the videos, brought from the ledger into `videos.jsonl` with the date when they said it."""

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
    """Write what the ledger knows of the videos into the dataset's `videos.jsonl`, when there is one.

    What the release itself says of a video's length, licence or language stays.
    """
    path = workspace.folder / "videos.jsonl"
    if not path.is_file():
        return
    videos, bad = read_jsonl(path, Video, "video_id")
    if bad:
        return  # writing the file anew would lose the lines that cannot be read
    told = [_tell(video, histories[video.video_id]) if video.video_id in histories else video for video in videos]
    if told != videos:
        write_jsonl(path, told)


def _tell(video: Video, history: VideoHistory) -> Video:
    said = history.source_metadata
    if not said:
        return video
    files: Any = said.get("subtitle_files") or {}
    tracks = [(tag, "manual") for tag in _list(said.get("subtitles"))]
    tracks += [(tag, "automatic") for tag in _list(said.get("automatic_captions"))]
    return Video.model_validate(
        {
            **video.model_dump(),
            "duration_seconds": video.duration_seconds if video.duration_seconds is not None else said.get("duration"),
            "license": video.license or said.get("license"),
            "language": video.language or said.get("language"),
            "subtitles": [Subtitle(language=tag, kind=kind, file_name=files.get(tag)) for tag, kind in tracks]
            or video.subtitles,
            "source_metadata": {
                **video.source_metadata,
                **{key: value for key, value in said.items() if key not in _FIELDS_OF_THEIR_OWN},
            },
        }
    )


def _list(value: JsonValue) -> list[str]:
    return [tag for tag in value if isinstance(tag, str) and tag] if isinstance(value, list) else []


def find_released_path(video: Video) -> str | None:
    """Where the release puts the video's file, as its source recorded it; None where it says nothing, or leads out."""
    path = video.source_metadata.get("path")
    return path if isinstance(path, str) and stays_inside(path) else None
