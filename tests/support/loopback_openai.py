"""A server on this machine that speaks OpenAI's chat completions, and checks what it is sent as vLLM would read it.

Its answer depends on what it is shown, to the pixel: other frames, times or words, another letter.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

MODEL = "loopback-vl"


@dataclass
class Seen:
    """One request, read."""

    texts: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    images: list[np.ndarray[Any, Any]] = field(default_factory=list)
    videos: list[np.ndarray[Any, Any]] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)
    system: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def letter(self) -> str:
        """The letter that this request is answered with: one of those in its text."""
        digest = hashlib.sha256("\0".join(self.texts).encode())
        for array in (*self.videos, *self.images):
            digest.update(repr(array.shape).encode() + array.tobytes())
        digest.update(json.dumps(self.body.get("media_io_kwargs")).encode())
        letters = [line[0] for line in "".join(self.texts).splitlines() if line[1:3] == ". "]
        return letters[int.from_bytes(digest.digest()) % len(letters)] if letters else "A"


@dataclass
class Scripted:
    """What the server says instead of an answer, once."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    hang_up: bool = False


class Loopback(ThreadingHTTPServer):
    """The server; `seen` holds what it was asked, `script` what it says first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Seen] = []
        self.script: deque[Scripted] = deque()
        self.attempts = 0
        self.most_at_once = 0
        self.at_once = 0
        self.lock = threading.Lock()
        self.spoken = "{letter}"
        self.closed = threading.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serve() -> Iterator[Loopback]:
    server = Loopback()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Loopback
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.attempts += 1
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
            scripted = self.server.script.popleft() if self.server.script else None
        try:
            self._answer(body, scripted)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has given up
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def _answer(self, body: bytes, scripted: Scripted | None) -> None:
        if scripted is not None:
            self.server.closed.wait(scripted.delay_seconds)
            if scripted.hang_up:
                self.close_connection = True
                return
            if scripted.status != 200 or scripted.body:
                self._send(scripted.status, scripted.body, scripted.headers)
                return
        try:
            seen = _read(self.path, json.loads(body))
        except (AssertionError, KeyError, ValueError) as error:
            self._send(400, json.dumps({"error": {"message": f"bad request: {error!r}"}}).encode())
            return
        seen.headers = dict(self.headers.items())
        with self.server.lock:
            self.server.seen.append(seen)
        self._send(200, json.dumps(_complete(seen, self.server.spoken)).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _read(path: str, body: dict[str, Any]) -> Seen:
    assert path == "/v1/chat/completions", path
    assert body["model"] == MODEL, body["model"]
    assert body.get("temperature", 0) >= 0
    assert body.get("max_tokens", body.get("max_completion_tokens")) >= 1
    *system, message = body["messages"]
    assert message["role"] == "user"
    assert [one["role"] for one in system] in ([], ["system"])
    seen = Seen(body=body, system=system[0]["content"] if system else None)
    for part in message["content"]:
        seen.order.append(part["type"])
        if part["type"] == "text":
            seen.texts.append(part["text"])
        elif part["type"] == "image_url":
            seen.images.append(_decode(part["image_url"]["url"], "data:image/png;base64,")[0])
        else:
            assert part["type"] == "video_url", part["type"]
            frames = _decode(part["video_url"]["url"], "data:video/jpeg;base64,")
            seen.videos.append(np.stack(frames))
            if "media_io_kwargs" not in body:  # a server that knows no such field
                continue
            told = body["media_io_kwargs"]["video"]
            assert told["num_frames"] == -1, "vLLM would take 32 frames"
            assert len(told["frames_indices"]) == len(frames)
            assert all(type(index) is int for index in told["frames_indices"])
            assert type(told["total_num_frames"]) is int
            assert told["total_num_frames"] > 0
            assert told["fps"] > 0
    return seen


def _decode(url: str, prefix: str) -> list[np.ndarray[Any, Any]]:
    assert url.startswith(prefix), url[:40]
    frames = []
    for encoded in url.removeprefix(prefix).split(","):
        with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
            assert image.format == "PNG", image.format
            assert image.mode == "RGB", image.mode
            frames.append(np.asarray(image))
    return frames


def _complete(seen: Seen, spoken: str) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": spoken.format(letter=seen.letter)},
    }
    if seen.body.get("logprobs"):
        others = [letter for letter in "ABCDEFGHIJ" if letter != seen.letter]
        tokens = [seen.letter, *others][: seen.body["top_logprobs"]]
        top = [{"token": token, "logprob": -0.5 - at, "bytes": None} for at, token in enumerate(tokens)]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return {"id": "1", "object": "chat.completion", "model": MODEL, "choices": [choice], "usage": {"prompt_tokens": 7}}
