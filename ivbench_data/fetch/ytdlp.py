"""One attempt at one video with yt-dlp, through its Python API.

Beyond what yt-dlp does by itself: limits on bytes and time while it runs, no fragment silently left out, no resuming
of a file that has changed, the user's cookie file read and never written, and every message redacted. Connections are
made by `ytdlp_networking`.
"""

from __future__ import annotations

import errno
import http.client
import io
import logging
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from pydantic import JsonValue
from yt_dlp.utils import DownloadCancelled, YoutubeDLError  # noqa: TID253  (imported only to fetch with yt-dlp)

from ivbench_data.errors import StorageError, UsageError
from ivbench_data.fetch.allowed_addresses import AddressGuard
from ivbench_data.fetch.download_limits import Watchdog
from ivbench_data.fetch.fetch_options import FetchOptions
from ivbench_data.fetch.outcomes import AttemptFailedError, Download
from ivbench_data.fetch.redaction import Redactor
from ivbench_data.fetch.ytdlp_networking import GuardedYoutubeDL
from ivbench_data.retry_after import read_retry_after
from ivbench_data.video.whole_decode import find_ffmpeg

FOLLOWED_PROTOCOLS = frozenset(
    {"http", "https", "m3u8", "m3u8_native", "http_dash_segments", "http_dash_segments_generator"}
)
"""How yt-dlp may get the parts: the ways that go through our own connections."""

_LOG = logging.getLogger(__name__)


class AttemptCutError(DownloadCancelled):  # type: ignore[misc]  # yt-dlp has no types
    """The watchdog's reason, raised through yt-dlp, which swallows every other kind of error."""


class Attempt:
    """One attempt at one video, in a scratch folder of its own."""

    def __init__(
        self,
        video_id: str,
        folder: Path,
        options: FetchOptions,
        guard: AddressGuard,
        redact: Redactor,
        extractors: Sequence[type] | None = None,
    ) -> None:
        self._video_id = video_id
        self._folder = folder
        self._options = options
        self._guard = guard
        self._redact = redact
        self._extractors = extractors
        self._metadata: dict[str, JsonValue] = {}
        self._announced: dict[str, int] = {}
        self._is_fragmented = False

    def run(self, url: str, is_file: bool) -> Download:
        """Download the URL: a page that an extractor reads, or, when `is_file`, the video file itself.

        Raises:
            AttemptFailedError: the attempt failed.
            StorageError: the disk is full, or not ours to write.
        """
        with Watchdog(self._options.limits, self._folder) as watchdog:
            self._watchdog = watchdog
            try:
                try:
                    return self._run(url, is_file)
                except YoutubeDLError as error:
                    if "HTTP Error 416" not in str(error) or not self._settle_parts():
                        raise
                    return self._run(url, is_file)
            except (YoutubeDLError, http.client.HTTPException, OSError, *_EXTRACTOR_BUGS) as error:
                raise self._explain(error) from None  # what yt-dlp raised may quote secrets

    def _run(self, url: str, is_file: bool) -> Download:
        params = self._params("b/bv" if is_file else self._options.format_selector)
        with GuardedYoutubeDL(params, self._guard, self._watchdog, not is_file and self._extractors is None) as ydl:
            for extractor in self._extractors or ():
                ydl.add_info_extractor(extractor(ydl))
            if is_file:
                info = ydl.process_ie_result(_describe_file(self._video_id, url), download=True)
            else:
                info = ydl.extract_info(url, download=True)
        files = [download.get("filepath") for download in (info or {}).get("requested_downloads") or ()]
        if not files or not Path(files[-1]).is_file():
            raise YoutubeDLError("Unsupported URL: no video file came of it")
        subtitles = (info.get("requested_subtitles") or {}).items()
        return Download(
            file=Path(files[-1]),
            format=_describe_format(info["requested_downloads"][-1]),
            source_metadata=self._metadata,
            subtitles={tag: Path(track["filepath"]) for tag, track in subtitles if "filepath" in track},
        )

    def _params(self, format_selector: str) -> dict[str, Any]:
        options = self._options
        return {
            "logger": _RedactingLogger(self._redact),
            "verbose": _LOG.isEnabledFor(logging.DEBUG),
            "quiet": True,
            "noprogress": True,
            "color": "no_color",
            "paths": {"home": str(self._folder)},
            "outtmpl": {"default": "%(format_id).60B.%(ext)s"},
            "format": format_selector,
            # SDR before HDR, which yt-dlp prefers: most loaders would take its colours for washed-out SDR
            "format_sort": ["+hdr"],
            "noplaylist": True,
            "updatetime": False,
            "socket_timeout": options.limits.socket_seconds,
            # the caller retries, waits as long as the server asks, and resumes by Range
            "retries": 0,
            "fragment_retries": 0,
            # by default a missing fragment is left out, and the video called complete
            "skip_unavailable_fragments": False,
            "sleep_interval_requests": options.request_pause_seconds,
            "ratelimit": options.rate_limit,
            "proxy": options.proxy.get_secret_value() if options.proxy else None,
            # a copy in memory: yt-dlp writes its cookies back to the file it was given
            "cookiefile": io.StringIO(_read_cookies(options.cookies)) if options.cookies else None,
            # yt-dlp runs ffmpeg itself, so not by ffmpeg-python: to merge downloads, and never to connect anywhere
            "external_downloader": {"default": "native"},
            "external_downloader_args": {"ffmpeg_i": ["-protocol_whitelist", "file,crypto,data"]},
            "hls_prefer_native": True,
            # without one, the ffmpeg on the path is taken
            "ffmpeg_location": str(ffmpeg) if (ffmpeg := find_ffmpeg()) else None,
            "writesubtitles": options.with_subtitles,
            "writeautomaticsub": options.with_subtitles,
            "subtitleslangs": ["all"],
            "match_filter": self._inspect,
            "progress_hooks": [self._watch_progress],
            "postprocessor_hooks": [lambda status: self._watchdog.end_download()],
        }

    def _inspect(self, info: dict[str, Any], *, incomplete: bool) -> None:
        """Check the formats that the source offers, just before the download; raise if they cannot be downloaded."""
        if incomplete:
            return
        self._metadata = _keep_metadata(info)
        if info.get("is_live") or info.get("live_status") == "is_live":
            self._cut("the video is live now; it can be fetched when it is over")
        for chosen in info.get("requested_formats") or [info]:
            protocol = str(chosen.get("protocol") or chosen.get("url", "").partition(":")[0])
            if not set(protocol.split("+")) <= FOLLOWED_PROTOCOLS:
                self._cut(f"refused protocol: {protocol}")
            self._is_fragmented |= not set(protocol.split("+")) <= {"http", "https"}
        self._watchdog.begin_download()

    def _watch_progress(self, status: dict[str, Any]) -> None:
        if status["status"] != "downloading":
            return
        announced = status.get("total_bytes")
        if self._watchdog.check(announced) is not None:
            raise AttemptCutError(self._watchdog.reason)
        if announced and self._announced.setdefault(status["filename"], announced) == announced:
            self._compare_with_earlier_part(Path(status["filename"]).name, announced)

    def _compare_with_earlier_part(self, name: str, announced: int) -> None:
        """Raise if the source's file has changed since the part on disk was downloaded."""
        note = self._folder / f"{name}.announced"
        try:
            earlier = int(note.read_text())
        except (FileNotFoundError, ValueError):
            note.write_text(str(announced))
            return
        if earlier != announced:
            for path in self._folder.iterdir():
                path.unlink()
            self._cut(f"content too short: the source's file had {earlier} bytes and has {announced} now; begun anew")

    def _settle_parts(self) -> bool:
        """After a 416: take a part that is as long as the source's file, delete any other; whether there was one.

        yt-dlp asks for the same range again, in every later run, too.
        """
        parts = list(self._folder.glob("*.part"))
        size = re.fullmatch(r"bytes \*/(\d+)", self._watchdog.content_range or "")
        for part in parts:
            if size is not None and part.stat().st_size == int(size[1]):
                part.replace(part.with_suffix(""))  # where yt-dlp finds it finished
            else:
                part.unlink()
        for note in self._folder.glob("*.announced"):
            note.unlink()
        return bool(parts)

    def _cut(self, reason: str) -> NoReturn:
        self._watchdog.reason = self._watchdog.reason or reason
        raise AttemptCutError(reason)

    def _explain(self, error: BaseException) -> AttemptFailedError | StorageError:
        message = self._watchdog.reason or _clean_message(str(error), self._video_id) or type(error).__name__
        if self._is_fragmented and re.search(r"HTTP Error 4(04|10)", message):
            message = f"a fragment is not found: {message}"  # the video is there: this is no "removed"
        if "did not get any data blocks" in message.lower() and (came := _size_of_parts(self._folder)):
            message = f"content too short: {came} bytes are here, and no more came"
        if isinstance(error, _EXTRACTOR_BUGS) and self._watchdog.reason is None:
            message = f"yt-dlp raised {type(error).__name__}: {message}"
        found = re.search(r"\[Errno (\d+)\]", message)
        if found and int(found[1]) in _DISK_ERRNOS:
            return StorageError.from_os_error(OSError(int(found[1]), os.strerror(int(found[1]))), self._folder)
        return AttemptFailedError(
            self._redact.shorten(message), read_retry_after(self._watchdog.retry_after), self._metadata
        )


class _RedactingLogger:
    """Passes yt-dlp's messages, without secrets, to Python's logging at level DEBUG."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def debug(self, message: str) -> None:
        _LOG.debug("%s", self._redact(message))

    info = warning = error = debug


def _size_of_parts(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.part"))


def _read_cookies(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the cookie file {path}: {type(error).__name__}") from None


def _describe_file(video_id: str, url: str) -> dict[str, Any]:
    """The info dict that yt-dlp needs of a plain file."""
    parts = urlsplit(url)
    return {
        "id": video_id,
        "title": video_id,
        "url": url,
        "ext": PurePosixPath(unquote(parts.path)).suffix.lower().lstrip("."),
        "format_id": "file",
        "protocol": parts.scheme,
        "extractor": "mirror",
        "extractor_key": "Mirror",
        "webpage_url": url,
    }


def _describe_format(info: dict[str, Any]) -> str:
    size = f"{info['width']}x{info['height']}" if info.get("width") and info.get("height") else None
    codecs = "+".join(str(info[key]) for key in ("vcodec", "acodec") if info.get(key) not in (None, "none"))
    return " ".join(part for part in (str(info.get("format_id") or ""), size, codecs) if part)[:100]


def _keep_metadata(info: dict[str, Any]) -> dict[str, JsonValue]:
    """Metadata of the video by its source, as plain short values."""
    kept: dict[str, JsonValue] = {}
    for key in _KEPT_TEXTS:
        if isinstance(value := info.get(key), str):
            kept[key] = value[:300]
    for key in _KEPT_NUMBERS:
        if isinstance(value := info.get(key), int | float) and math.isfinite(value):
            kept[key] = value
    lists = {
        "categories": info.get("categories") or [],
        "subtitles": sorted(tag for tag in info.get("subtitles") or {} if tag != "live_chat"),
        "automatic_captions": sorted(tag for tag in info.get("automatic_captions") or {} if tag.endswith("-orig")),
    }
    kept.update({key: [str(value)[:100] for value in values[:200]] for key, values in lists.items() if values})
    return kept


def _clean_message(message: str, video_id: str) -> str:
    """The message without yt-dlp's prefixes and suffixes, and without the id, which could spell words of the table."""
    text = message.replace(video_id, "…") if len(video_id) > 5 else message
    text = re.sub(r"^\s*ERROR:\s*", "", text)
    text = re.sub(r"^\[[\w:.+-]+\]\s*(\S+:\s+)?", "", text)
    text = re.sub(r"^(\[download\] )?(Got error|unable to download video data):\s*", "", text)
    return re.split(r"[;.] please report this issue on", text)[0].strip()


_EXTRACTOR_BUGS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Errors of an extractor on an unexpected page; one page must not end the run."""

_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

_KEPT_TEXTS = ("title", "license", "language", "channel", "channel_id", "uploader", "upload_date", "availability",
               "live_status", "format_id", "dynamic_range")  # fmt: skip
_KEPT_NUMBERS = ("duration", "age_limit", "width", "height", "fps")
