"""What a fetch may be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, SecretStr

from ivbench_data.fetch.download_limits import FetchLimits
from ivbench_data.schema import Record

Retry = Literal["missing", "failed", "all"]


class FetchOptions(Record):
    """What to fetch, from where, how politely, and at what cost; the defaults are polite."""

    sources: tuple[str, ...] = Field(default=("origin",), min_length=1, repr=False)
    """Where from, in order of preference: `origin`, a folder, `hf://org/name`, or `https://…/{video_id}.mp4`."""
    retry: Retry = "missing"
    """Which of the videos that are not here: `missing` all but those lost for good; `failed` those asked for before and
    not lost; `all` every one."""
    max_height: PositiveInt = 720
    """The tallest format that is chosen, in pixels."""
    with_audio: bool = False
    """Also the sound: frames need none, and it costs bytes and ffmpeg."""
    with_subtitles: bool = False
    """Also caption tracks, beside the videos."""
    cookies: Path | None = None
    """Cookie file in Netscape's form; read, never written."""
    proxy: SecretStr | None = None
    """Address of a proxy; it may hold a password."""
    rate_limit: PositiveInt | None = None
    """Bytes a second at most."""
    sleep_seconds: float = Field(default=5, ge=0)
    """Pause between two videos of a public source, give or take a half."""
    attempts: PositiveInt = 4
    """How often a source is asked for one video in one run, when what fails may pass."""
    backoff_seconds: float = Field(default=5, ge=0)
    """The first pause after a failure that may pass; each next one is twice as long. A random part of it is waited."""
    max_backoff_seconds: float = Field(default=600, ge=0)
    """The longest pause; a source that asks for more ends the queue instead."""
    max_network_failures: PositiveInt = 8
    """After so many videos in a row that failed for the network's sake, the source is given up for this run."""
    limits: FetchLimits = FetchLimits()
    """What one video may cost."""

    @property
    def format_selector(self) -> str:
        """yt-dlp's words for the formats wanted: H.264 first, which every decoder reads fast; no sound to be merged."""
        video = f"[height<={self.max_height}]"
        if self.with_audio:
            return f"bv{video}[vcodec^=avc1]+ba[ext=m4a]/bv{video}+ba/b{video}/b[height<=?{self.max_height}]"
        return f"bv{video}[vcodec^=avc1]/bv{video}/b{video}/bv*[height<=?{self.max_height}]"

    @property
    def request_pause_seconds(self) -> float:
        """Pause between the requests for one video's page."""
        return min(0.75, self.sleep_seconds)
