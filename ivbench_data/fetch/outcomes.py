"""What one attempt at one video brings: a file in the scratch folder, or a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue


@dataclass(frozen=True)
class Download:
    """A finished file, not yet looked at, in the scratch folder."""

    file: Path
    format: str = ""
    """Format id, size in pixels, codecs; or which revision of a repository."""
    source_metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    """What the source says of the video."""
    subtitles: Mapping[str, Path] = field(default_factory=dict)
    """File of each caption track, by language."""


class AttemptFailedError(Exception):
    """An attempt brought nothing; the message is the source's, without secrets. It never leaves this package."""

    def __init__(
        self,
        message: str,
        retry_after_seconds: float | None = None,
        source_metadata: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.source_metadata = source_metadata or {}
