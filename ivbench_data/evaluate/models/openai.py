"""Models behind an OpenAI-compatible server: vLLM, and any other that takes images.

vLLM receives a video as the cached frames, losslessly: `video_url` with `data:video/jpeg;base64,f1,f2,…`, each a PNG,
and `media_io_kwargs` with the time of each frame, set so that none is dropped. Servers that take no list of frames
receive single images without times (`video_as="images"`).

HTTP is the standard library's: a thread per request, no redirects (they could leak the key), limits on the size and
duration of a reply. The key is read from `OPENAI_API_KEY` only, and never appears in a message, result or log.
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from email.message import Message
from http.client import HTTPException, HTTPMessage
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from pydantic import JsonValue

from ivbench_data.errors import CacheError, EnvironmentProblemError, UsageError
from ivbench_data.evaluate.models.server_replies import (
    ErrorReplyError,
    find_choice,
    read_likelihoods,
    read_message,
    read_reply,
)
from ivbench_data.evaluate.models.timing import describe_timing
from ivbench_data.evaluate.prompts.requests import ImagePart, Reply, Request, TextPart, VideoPart
from ivbench_data.retry_after import read_retry_after
from ivbench_data.strict_json import parse_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ivbench_data.evaluate.models import ModelOptions

TOP_LOGPROBS = 20
"""The most that servers return; ten options need at least ten."""

TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Transient HTTP statuses: the same request may succeed later."""

FATAL = frozenset({401, 403, 404, 405})
"""HTTP statuses that every other request would get, too."""

PARAMETERS: dict[str, str | None] = {
    "max_tokens": "max_completion_tokens", "temperature": None, "seed": None, "media_io_kwargs": None,
}  # fmt: skip
"""Parameters that some servers refuse, and what is sent instead."""

_REFUSING_WORDS = (
    "unsupported", "not support", "not permitted", "unrecognized", "unknown", "unexpected", "not allowed",
)  # fmt: skip

MAX_REPLY_BYTES = 32 << 20
MAX_WAIT_SECONDS = 300.0
"""Longest wait between two attempts, whatever the server's Retry-After."""


class _TransientError(Exception):
    """A transient failure."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class _PermanentError(Exception):
    """A permanent failure of one request."""


class _ParameterError(Exception):
    """The server refuses parameters by name."""

    def __init__(self, names: Sequence[str], reason: str) -> None:
        super().__init__(reason)
        self.names = names


@dataclass(frozen=True)
class _Asked:
    """A request with its encoded body."""

    request: Request
    body: bytes


class OpenAIModel:
    """A model over requests.

    Args:
        name: the model's name on the server.
        options: mode, tokens, how videos are sent, timeout, retries and concurrency.
        base_url: base URL up to `/v1`.
        api_key: sent as a bearer token; None for servers without keys.
        backoff_seconds: wait before the first retry; doubled for each further one.
    """

    def __init__(
        self, name: str, options: ModelOptions, base_url: str, api_key: str | None = None, backoff_seconds: float = 1.0
    ) -> None:
        self._name = name
        self._options = options
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._api_key = api_key
        self._backoff_seconds = backoff_seconds
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._stopping = threading.Event()
        self._was_reached = False
        self._learnt: set[str] = set()
        self._learning = threading.Lock()
        self._encoded: tuple[VideoPart, list[str]] | None = None
        self.identity: dict[str, JsonValue] = {"video_as": options.video_as}

    def __call__(self, requests: Sequence[Request]) -> Iterator[Reply]:
        """A reply to every request, in the order of arrival; `concurrency` requests run at once, in the given order.

        Raises:
            EnvironmentProblemError: the server refuses the key, does not know the model, or cannot be reached.
        """
        self._stopping.clear()
        with ThreadPoolExecutor(self._options.concurrency, thread_name_prefix="ask") as pool:
            under_way: set[Future[Reply]] = set()
            try:
                for request in requests:
                    try:
                        asked = _Asked(request, self._write_body(request))
                    except (CacheError, OSError, ValueError) as error:
                        yield Reply(request.key, error=str(error))
                        continue
                    while len(under_way) >= self._options.concurrency:
                        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in done)
                    under_way.add(pool.submit(self._ask, asked))
                while under_way:
                    done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            finally:
                # also when the caller stops, or a reply was fatal: end the waits for retries
                self._stopping.set()
                for future in under_way:
                    future.cancel()

    # --- request bodies -----------------------------------------------------------------------------------------

    def _write_body(self, request: Request) -> bytes:
        content: list[dict[str, Any]] = []
        options = self._options
        system = [{"role": "system", "content": request.system}] if request.system is not None else []
        body: dict[str, Any] = {"model": self._name, "messages": [*system, {"role": "user", "content": content}]}
        body |= {"temperature": options.temperature, "seed": options.seed + request.sample, "stream": False}
        body |= {"max_tokens": options.max_new_tokens, **({"top_p": options.top_p} if options.top_p < 1 else {})}
        if options.chat_template_kwargs:
            body["chat_template_kwargs"] = options.chat_template_kwargs
        body |= options.extra_body
        if self._options.mode == "likelihood":
            if not request.letters:
                raise ValueError("likelihoods need options with letters, and this prompt shows none")
            body |= {"max_tokens": 1, "logprobs": True, "top_logprobs": TOP_LOGPROBS}
        for part in request.parts:
            if isinstance(part, TextPart):
                content.append({"type": "text", "text": part.text})
            elif isinstance(part, ImagePart):
                content.append(_show_image(_encode_png(np.asarray(part.open()))))
            elif self._options.video_as == "images":
                content += [_show_image(frame) for frame in self._encode_frames(part)]
            else:
                frames = ",".join(self._encode_frames(part))
                content.append({"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{frames}"}})
                timing = describe_timing(part)
                video = {
                    "num_frames": -1,  # else vLLM samples 32 of them
                    "fps": timing.fps,
                    "total_num_frames": timing.total_num_frames,
                    "frames_indices": list(timing.frames_indices),
                }
                body["media_io_kwargs"] = {"video": video}
        return json.dumps(body).encode()

    def _encode_frames(self, video: VideoPart) -> list[str]:
        """The frames as PNG in base64; those of the last video are cached, as its questions follow one another."""
        if self._encoded is None or self._encoded[0] != video:
            frames = video.read(check=True)
            self._encoded = video, [_encode_png(frame.transpose(1, 2, 0)) for frame in frames]
        return self._encoded[1]

    # --- replies ------------------------------------------------------------------------------------------------

    def _ask(self, asked: _Asked) -> Reply:
        """The reply, after as many retries as needed and allowed."""
        began = time.perf_counter()
        attempt = 0
        while True:
            try:
                left_out = frozenset(self._learnt)
                reply = self._read(asked.request, self._send(_leave_out(asked.body, left_out)))
                break
            except _ParameterError as error:
                if new := [name for name in error.names if name not in left_out]:
                    self._learn(new[0], str(error))
                    continue
                reply = Reply(asked.request.key, error=str(error))
                break
            except _PermanentError as error:
                reply = Reply(asked.request.key, error=str(error))
                break
            except _TransientError as error:
                if attempt >= self._options.retries:
                    if not self._was_reached:
                        # the server never answered: other requests would wait in vain, too
                        raise EnvironmentProblemError(f"cannot reach the server: {error}") from None
                    reply = Reply(asked.request.key, error=f"{error} ({attempt + 1} attempts)")
                    break
                # random jitter, so that requests that failed together are not retried together
                pause = self._backoff_seconds * 2**attempt * random.uniform(0.75, 1.25)
                pause = min(max(pause, error.wait_seconds or 0.0), MAX_WAIT_SECONDS)
            attempt += 1
            if self._stopping.wait(pause):
                reply = Reply(asked.request.key, error="stopped before the server answered")
                break
        seconds = round(time.perf_counter() - began, 6)
        metadata = {**reply.metadata, "attempts": attempt + 1} if attempt else reply.metadata
        return replace(reply, seconds=seconds, metadata=metadata)

    def _send(self, body: bytes) -> Any:
        """The parsed JSON of one attempt.

        Raises:
            _TransientError: a retry may succeed.
            _PermanentError: a retry would fail, too.
            EnvironmentProblemError: every other request would fail, too.
        """
        headers = {"Content-Type": "application/json", "User-Agent": "ivbench-data"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        deadline = time.monotonic() + self._options.timeout_seconds
        try:
            request = urllib.request.Request(self._url, body, headers, method="POST")
            with self._opener.open(request, timeout=self._options.timeout_seconds) as response:
                self._was_reached = True
                content = _read_until(response, deadline)
        except urllib.error.HTTPError as error:
            self._was_reached = True
            with error:
                self._refuse(error.code, error.headers, _read_message(error, deadline))
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise _TransientError(
                self._conceal(f"{self._url} did not answer: {reason or type(error).__name__}")
            ) from None
        try:
            return parse_json(content)
        except ValueError as error:
            raise _PermanentError(f"the server's reply is not JSON: {error}") from None

    def _refuse(self, status: int, headers: Message | dict[str, str], message: str) -> None:
        reason = self._conceal(f"the server returned status {status}" + (f": {message}" if message else ""))
        if status in FATAL:
            advice = " (is OPENAI_API_KEY set?)" if status in (401, 403) else " (is --base-url right, and the model?)"
            raise EnvironmentProblemError(f"{self._url}, asked for {self._name}: {reason}{advice}")
        if status in (400, 422) and (names := _find_refused_parameters(message)):
            raise _ParameterError(names, reason)
        if status in TRANSIENT or status >= 500:
            raise _TransientError(reason, read_retry_after(headers.get("Retry-After")))
        raise _PermanentError(reason)

    def _learn(self, name: str, reason: str) -> None:
        """Remember a parameter that the server refuses, and say so once."""
        with self._learning:
            if name not in self._learnt:
                self._learnt.add(name)
                instead = PARAMETERS[name]
                how = f"is sent as {instead}" if instead else "is left out, and the server's own value holds"
                warnings.warn(f"{self._url} refuses {name}, which {how}: {reason}", UserWarning, stacklevel=2)

    def _conceal(self, text: str) -> str:
        return text.replace(self._api_key, "…") if self._api_key else text

    def _read(self, request: Request, content: Any) -> Reply:
        try:
            choice = find_choice(content)
            metadata = {
                # some servers name the model by the path of its file on their machine
                "server_model": str(content["model"]).rpartition("/")[2] if content.get("model") else None,
                "prompt_tokens": (content.get("usage") or {}).get("prompt_tokens"),
            }
            facts: dict[str, JsonValue] = {name: value for name, value in metadata.items() if value is not None}
            if self._learnt:
                facts["left_out"] = [*sorted(self._learnt)]
            read = read_likelihoods if self._options.mode == "likelihood" else read_reply
            return read(request, choice, facts)
        except ErrorReplyError as error:
            self._refuse(error.status, {}, error.message)
            raise _PermanentError(f"the server's reply is an error: {error.message}") from None
        except ArithmeticError as error:
            raise _PermanentError(str(error)) from None
        except (LookupError, TypeError, AttributeError, ValueError):
            raise _PermanentError(
                "the server's reply is not a chat completion, or lacks the requested fields"
            ) from None


def open_model(name: str, options: ModelOptions) -> OpenAIModel:
    """The model of that name on the server of `base_url`, or of `OPENAI_BASE_URL`; sends no request.

    Raises:
        UsageError: the base URL is missing or invalid, or the key has invalid characters.
    """
    base_url = options.base_url or os.environ.get("OPENAI_BASE_URL")
    if not base_url:
        raise UsageError("no server is named: use --base-url http://localhost:8000/v1, or set OPENAI_BASE_URL")
    address = urllib.parse.urlsplit(base_url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise UsageError(f"{base_url!r} is not the base URL of a server, such as http://localhost:8000/v1")
    if address.username or address.password or address.query:
        raise UsageError("keep secrets out of --base-url: a key belongs in OPENAI_API_KEY")
    api_key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not (api_key.isascii() and api_key.isprintable()):
        raise UsageError("OPENAI_API_KEY has characters that are invalid in a key")
    return OpenAIModel(name, options, base_url, api_key or None)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _encode_png(pixels: NDArray[np.uint8]) -> str:
    """The pixels, uint8 `[H, W, 3]`, as PNG in base64."""
    from PIL import Image

    buffer = io.BytesIO()
    # low compression: sending is faster than compressing
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
    return base64.b64encode(buffer.getvalue()).decode()


def _show_image(png: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}}


def _read_until(response: IO[bytes], deadline: float) -> bytes:
    """The whole body, limited in size and time.

    Raises:
        TimeoutError: the deadline has passed.
        _PermanentError: the body is larger than `MAX_REPLY_BYTES`.
    """
    blocks: list[bytes] = []
    size = 0
    read = getattr(response, "read1", response.read)
    while block := read(1 << 16):
        blocks.append(block)
        size += len(block)
        if size > MAX_REPLY_BYTES:
            raise _PermanentError(f"the server's reply is larger than {MAX_REPLY_BYTES >> 20} MiB")
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
    return b"".join(blocks)


def _leave_out(body: bytes, names: frozenset[str]) -> bytes:
    """The body without the parameters that the server refuses."""
    if not names:
        return body
    document = json.loads(body)
    for name in names & document.keys():
        value, instead = document.pop(name), PARAMETERS[name]
        if instead:
            document[instead] = value
    return json.dumps(document).encode()


def _find_refused_parameters(message: str) -> list[str]:
    """The parameters that a refusal names; none where it speaks of something else, such as too long a context."""
    words = message.casefold()
    if not any(word in words for word in _REFUSING_WORDS):
        return []
    return [name for name in PARAMETERS if re.search(rf"(?<!\w){name}(?!\w)", words)]


def _read_message(error: urllib.error.HTTPError, deadline: float) -> str:
    """The server's error message, in one line."""
    try:
        content = _read_until(error, deadline)
    except (OSError, HTTPException, _PermanentError):
        return ""
    try:
        return read_message(parse_json(content))
    except ValueError:
        return read_message(content.decode(errors="replace"))  # not JSON: the text is the message
