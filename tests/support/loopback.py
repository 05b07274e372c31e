"""A web server on this machine that serves files and misbehaves on request; and a site of videos for yt-dlp.

A fault is a function of the request: it answers in its own way, and returns True when it has.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Fault = Callable[["Request"], bool]


@dataclass
class Request:
    """One request for one path, and the means to answer it."""

    handler: BaseHTTPRequestHandler
    path: str
    content: bytes
    number: int
    """How often the path has been asked for, from 1."""
    server: Loopback

    @property
    def range_start(self) -> int | None:
        match = re.fullmatch(r"bytes=(\d+)-\d*", self.handler.headers.get("Range") or "")
        return int(match[1]) if match else None

    def send_head(self, status: int, headers: dict[str, str]) -> None:
        self.handler.send_response(status)
        for name, value in {"Content-Type": "video/mp4", "Connection": "close", **headers}.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def send(self, content: bytes) -> None:
        self.handler.wfile.write(content)
        self.handler.wfile.flush()

    def read_body(self, share: float = 1.0) -> bytes:
        """What the client sends along, or so much of it."""
        announced = self.handler.headers.get("Content-Length")
        if announced is not None:
            return self.handler.rfile.read(int(int(announced) * share))
        body = bytearray()
        if self.handler.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.handler.rfile.readline().split(b";")[0], 16):
                body += self.handler.rfile.read(size)
                self.handler.rfile.readline()
            self.handler.rfile.readline()
        return bytes(body)

    def send_json(self, value: object) -> bool:
        content = json.dumps(value).encode()
        self.send_head(200, {"Content-Type": "application/json", "Content-Length": str(len(content))})
        self.send(content)
        return True

    def reset(self) -> bool:
        """Break the connection off, as a machine does that goes down."""
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return True

    def wait(self, seconds: float) -> bool:
        """Wait, unless the server is being closed; whether it is."""
        return self.server.closing.wait(seconds)

    def answer_fully(self, until: int | None = None) -> bool:
        """The content, or the part that was asked for; cut after `until` bytes of it, whatever was announced."""
        start = self.range_start
        total = len(self.content)
        if start is not None and start >= total:
            self.send_head(416, {"Content-Range": f"bytes */{total}", "Content-Length": "0"})
            return True
        body = self.content[start or 0 :]
        headers = {"Content-Length": str(len(body)), "Accept-Ranges": "bytes"}
        if start is not None:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        self.send_head(200 if start is None else 206, headers)
        self.send(body if until is None else body[: max(until - (start or 0), 0)])
        return True


@dataclass
class Loopback:
    """The server: what it holds, and what it was asked for."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    videos: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the site says of each video: `{"error": message}`, or an info dict."""
    counts: Counter[str] = field(default_factory=Counter)
    ranges: list[tuple[str, int | None]] = field(default_factory=list)
    headers_seen: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    respond: Callable[[Request], bool] | None = None
    """Answers what no file does."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def template(self) -> str:
        """Source of the plain files `{id}.mp4`."""
        return self.url + "/{video_id}.mp4"

    @property
    def site(self) -> str:
        """Source of the site's pages."""
        return self.url + "/watch?v={video_id}"

    def add(self, path: str, content: bytes, fault: Fault | None = None) -> None:
        self.files[path] = content
        if fault is not None:
            self.faults[path] = fault


@contextmanager
def serve() -> Iterator[Loopback]:
    loopback = Loopback()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path = unquote(parts.path)
            loopback.counts[path] += 1
            loopback.headers_seen.append(str(self.headers))
            if path.startswith("/info/"):
                content = json.dumps(loopback.videos.get(path.removeprefix("/info/"), {"error": "no such id"})).encode()
            else:
                content = loopback.files.get(path, b"")
            request = Request(self, path, content, loopback.counts[path], loopback)
            loopback.ranges.append((path, request.range_start))
            self.close_connection = True
            try:
                if (fault := loopback.faults.get(path)) is not None and fault(request):
                    return
                if content or path in loopback.files:
                    request.answer_fully()
                elif loopback.respond is None or not loopback.respond(request):
                    request.send_head(404, {"Content-Length": "0"})
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client has had enough: often what the test is about

        do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815  # the names that the base class looks for

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    loopback.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield loopback
    finally:
        loopback.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


# --- faults -----------------------------------------------------------------------------------------------------


def fail_with(status: int, times: int = 1_000_000, retry_after: str | None = None) -> Fault:
    """Answer with an error the first times, then well."""

    def fault(request: Request) -> bool:
        if request.number > times:
            return False
        request.send_head(status, {"Content-Length": "0", **({"Retry-After": retry_after} if retry_after else {})})
        return True

    return fault


def drop_after(bytes_sent: int, times: int = 1) -> Fault:
    """Announce the whole file, and close the connection in its middle, the first times."""
    return lambda request: request.number <= times and request.answer_fully(until=bytes_sent)


def truncate_to(bytes_sent: int) -> Fault:
    """Send the beginning as if it were all: no length is announced."""

    def fault(request: Request) -> bool:
        request.send_head(200, {})
        request.send(request.content[:bytes_sent])
        return True

    return fault


def stall_after(bytes_sent: int) -> Fault:
    """Announce the whole file, send its beginning, and say nothing more."""

    def fault(request: Request) -> bool:
        request.answer_fully(until=bytes_sent)
        request.wait(60)
        return True

    return fault


def drip(seconds_between_bytes: float) -> Fault:
    """Announce a large file, and send it byte by byte, for ever."""

    def fault(request: Request) -> bool:
        request.send_head(200, {"Content-Length": str(10**9)})
        while not request.wait(seconds_between_bytes):
            request.send(b"\0")
        return True

    return fault


def never_end(request: Request) -> bool:
    """Send bytes for ever, without a length."""
    request.send_head(200, {})
    while not request.server.closing.is_set():
        request.send(b"\0" * 65536)
    return True


def redirect_to(url: str) -> Fault:
    def fault(request: Request) -> bool:
        request.send_head(302, {"Location": url, "Content-Length": "0"})
        return True

    return fault


def answer_html(request: Request) -> bool:
    """A web page that calls itself a video."""
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>" * 40
    request.send_head(200, {"Content-Length": str(len(page))})
    request.send(page)
    return True


def pause_before(seconds: float) -> Fault:
    def fault(request: Request) -> bool:
        time.sleep(seconds)
        return False

    return fault


# --- a site of videos -------------------------------------------------------------------------------------------


def make_extractor() -> type:
    """An extractor that reads the server's pages as yt-dlp's own reads YouTube's, and raises the very messages."""
    from yt_dlp.extractor.common import InfoExtractor
    from yt_dlp.utils import ExtractorError

    class LoopbackSiteIE(InfoExtractor):  # type: ignore[misc]  # yt-dlp has no types
        IE_NAME = "youtube"
        _VALID_URL = r"(?P<site>http://127\.0\.0\.1:\d+)/watch\?v=(?P<id>.+)"

        def _real_extract(self, url: str) -> dict[str, Any]:
            site, video_id = self._match_valid_url(url).group("site", "id")
            info = self._download_json(f"{site}/info/{video_id}", unquote(video_id))
            if "error" in info:
                raise ExtractorError(info["error"], expected=True)
            formats = info.pop("formats", [])
            if "m3u8" in info:
                formats += self._extract_m3u8_formats(info.pop("m3u8"), video_id, "mp4", m3u8_id="hls")
            if "mpd" in info:
                formats += self._extract_mpd_formats(info.pop("mpd"), video_id, mpd_id="dash")
            return {"id": unquote(video_id), "title": "a video", "formats": formats, **info}

    return LoopbackSiteIE
