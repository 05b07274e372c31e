"""Models behind an OpenAI-compatible server: vLLM, and any other that takes images.

vLLM receives a video as the cached frames, losslessly: `video_url` with `data:video/jpeg;base64,f1,f2,…`, each a PNG,
and `media_io_kwargs` with the time of each frame, set so that none is dropped. Servers that take no list of frames
receive single images without times (`video_as="images"`).

A thread per request. The key is read from `OPENAI_API_KEY` only, and never appears in a message, result or log.
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import threading
import time
import urllib.parse
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import JsonValue

from ivbench_data.errors import CacheError, EnvironmentProblemError, UsageError
from ivbench_data.evaluate.models.server_replies import ErrorReplyError, find_choice, read_likelihoods, read_reply
from ivbench_data.evaluate.models.server_requests import (
    ParameterError,
    PermanentError,
    Server,
    TransientError,
    leave_out,
)
from ivbench_data.evaluate.models.timing import describe_timing
from ivbench_data.evaluate.prompts.requests import ImagePart, Reply, Request, TextPart, VideoPart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ivbench_data.evaluate.models import ModelOptions

TOP_LOGPROBS = 20
"""The most that servers return; ten options need at least ten."""

MAX_WAIT_SECONDS = 300.0
"""Longest wait between two attempts, whatever the server's Retry-After."""


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
        url = base_url.rstrip("/") + "/chat/completions"
        self._server = Server(url, name, api_key, options.timeout_seconds, options.concurrency)
        self._backoff_seconds = backoff_seconds
        self._stopping = threading.Event()
        self._encoded: tuple[VideoPart, list[str]] | None = None
        self.identity: dict[str, JsonValue] = {"video_as": options.video_as}

    def __call__(self, requests: Sequence[Request]) -> Iterator[Reply]:
        """A reply to every request, in the order of arrival; `concurrency` requests run at once, in the given order.

        Raises:
            MissingDependencyError: httpx2 is not installed.
            EnvironmentProblemError: the server refuses the key, does not know the model, has nothing left of the quota,
                cannot be reached, or refused the first requests whatever they held.
        """
        self._stopping.clear()
        concurrency = self._options.concurrency
        with self._server, ThreadPoolExecutor(concurrency, thread_name_prefix="ask") as pool:
            under_way: set[Future[Reply]] = set()
            try:
                for request in requests:
                    try:
                        asked = _Asked(request, self._write_body(request))
                    except (CacheError, OSError, ValueError) as error:
                        yield Reply(request.key, error=str(error))
                        continue
                    while len(under_way) >= concurrency:
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
        server, began = self._server, time.perf_counter()
        attempt = 0
        while True:
            try:
                left_out = server.learnt
                reply = self._read(asked.request, server.post(leave_out(asked.body, left_out)))
                break
            except ParameterError as error:
                if new := [name for name in error.names if name not in left_out]:
                    if said := server.learn(new[0], str(error)):
                        warnings.warn(said, UserWarning, stacklevel=2)
                    continue
                reply = self._give_up(asked, error)
                break
            except PermanentError as error:
                reply = self._give_up(asked, error)
                break
            except TransientError as error:
                if attempt >= self._options.retries:
                    if not server.was_reached:
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

    def _give_up(self, asked: _Asked, error: Exception) -> Reply:
        self._server.count_refusal(str(error))
        return Reply(asked.request.key, error=str(error))

    def _read(self, request: Request, content: Any) -> Reply:
        try:
            choice = find_choice(content)
            metadata = {
                # some servers name the model by the path of its file on their machine
                "server_model": str(content["model"]).rpartition("/")[2] if content.get("model") else None,
                "prompt_tokens": (content.get("usage") or {}).get("prompt_tokens"),
            }
            facts: dict[str, JsonValue] = {name: value for name, value in metadata.items() if value is not None}
            if self._server.learnt:
                facts["left_out"] = [*sorted(self._server.learnt)]
            read = read_likelihoods if self._options.mode == "likelihood" else read_reply
            reply = read(request, choice, facts)
        except ErrorReplyError as error:
            self._server.refuse(error.status, error.message)
            raise PermanentError(f"the server's reply is an error: {error.message}") from None
        except (LookupError, TypeError, AttributeError, ValueError):
            raise PermanentError("the server's reply is not a chat completion, or lacks the requested fields") from None
        self._server.has_answered = True
        return reply


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


def _encode_png(pixels: NDArray[np.uint8]) -> str:
    """The pixels, uint8 `[H, W, 3]`, as PNG in base64."""
    from PIL import Image

    buffer = io.BytesIO()
    # low compression: sending is faster than compressing
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
    return base64.b64encode(buffer.getvalue()).decode()


def _show_image(png: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}}
