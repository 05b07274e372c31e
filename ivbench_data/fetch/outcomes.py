"""Outcome of one attempt at one video: a file in the scratch folder, or an error message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from ivbench_data.schema import Level


@dataclass(frozen=True)
class Download:
    """A finished download in the scratch folder, not yet checked."""

    file: Path
    format: str = ""
    """Format id, size in pixels, codecs; or which revision of a repository."""
    source_metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    """Metadata of the video by its source."""
    subtitles: Mapping[str, Path] = field(default_factory=dict)
    """File of each caption track, by language."""


class AttemptFailedError(Exception):
    """An attempt failed; the message is the source's, without secrets. Callers of this package never see it."""

    def __init__(
        self,
        message: str,
        retry_after_seconds: float | None = None,
        source_metadata: Mapping[str, JsonValue] | None = None,
        level: Level = "not examined",
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.source_metadata = source_metadata or {}
        self.level = level
