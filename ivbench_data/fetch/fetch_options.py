"""Options of a fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, SecretStr

from ivbench_data.fetch.download_limits import FetchLimits
from ivbench_data.schema import Record

Retry = Literal["missing", "failed", "all"]


class FetchOptions(Record):
    """What to fetch, from which sources, with which pauses and limits; the defaults are polite.

    Example:
        >>> iv.FetchOptions(sources=("/mnt/videos", "origin"), max_height=480).max_height
        480
    """

    sources: tuple[str, ...] = Field(default=("origin",), min_length=1, repr=False)
    """Where from, in order of preference: `origin`, a folder, `hf://org/name`, or `https://…/{video_id}.mp4`."""
    retry: Retry = "missing"
    """Which of the videos that are not on disk: `missing` all but those permanently lost; `failed` those tried before
    and not lost; `all` every one."""
    max_height: PositiveInt = 720
    """The tallest format that is chosen, in pixels."""
    with_audio: bool = False
    """Whether to download audio too: frames need none, and it costs bytes and ffmpeg."""
    with_subtitles: bool = False
    """Whether to download caption tracks too, into the videos' folder."""
    cookies: Path | None = None
    """Cookie file in Netscape's form; read, never written."""
    proxy: SecretStr | None = None
    """Address of a proxy; it may hold a password."""
    rate_limit: PositiveInt | None = None
    """Bytes a second at most."""
    sleep_seconds: float = Field(default=5, ge=0)
    """Pause between two videos of a public source, give or take a half."""
    attempts: PositiveInt = 4
    """Attempts at one video at one source in one run, for transient failures."""
    backoff_seconds: float = Field(default=5, ge=0)
    """First pause after a transient failure; each next one is twice as long. A random part of it is waited."""
    max_backoff_seconds: float = Field(default=600, ge=0)
    """The longest pause; a source that asks for more ends the queue instead."""
    max_network_failures: PositiveInt = 8
    """Consecutive videos that failed due to network errors after which the source is skipped for this run."""
    limits: FetchLimits = FetchLimits()
    """Limits on one video."""

    @property
    def format_selector(self) -> str:
        """yt-dlp's format selector: H.264 first, which every decoder reads fast; no audio to merge."""
        video = f"[height<={self.max_height}]"
        if self.with_audio:
            return f"bv{video}[vcodec^=avc1]+ba[ext=m4a]/bv{video}+ba/b{video}/b[height<=?{self.max_height}]"
        return f"bv{video}[vcodec^=avc1]/bv{video}/b{video}/bv*[height<=?{self.max_height}]"

    @property
    def request_pause_seconds(self) -> float:
        """Pause between the requests for one video's page."""
        return min(0.75, self.sleep_seconds)
