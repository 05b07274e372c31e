"""Requests to a server over HTTP: what is sent, what is tried again, and what ends the run.

No redirects are followed, since they could leak the key; a reply's size and duration are limited. Proxies come from the
environment.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ivbench_data.errors import EnvironmentProblemError, MissingDependencyError
from ivbench_data.evaluate.models.server_replies import read_message
from ivbench_data.retry_after import read_retry_after
from ivbench_data.strict_json import parse_json

if TYPE_CHECKING:
    import httpx2

TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Transient HTTP statuses: the same request may succeed later."""

FATAL = frozenset({401, 402, 403, 404, 405})
"""HTTP statuses that every other request would get, too."""

HOPELESS = 3
"""A server that refused so many requests and answered none will refuse the others, too."""

PARAMETERS: dict[str, str | None] = {
    "max_tokens": "max_completion_tokens", "temperature": None, "seed": None, "media_io_kwargs": None,
}  # fmt: skip
"""Parameters that some servers refuse, and what is sent instead."""

MAX_REPLY_BYTES = 32 << 20

_REFUSING_WORDS = (
    "unsupported", "not support", "not permitted", "unrecognized", "unknown", "unexpected", "not allowed",
)  # fmt: skip

_SPENT = re.compile(
    r"insufficient[_ ](?:quota|balance|credit|funds)|credit balance is too low|exceeded your current quota"
    r"|billing (?:hard )?limit|out of credits",
    re.IGNORECASE,
)
"""What servers say when there is nothing left to pay with."""


class TransientError(Exception):
    """A transient failure."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        """What the server asks to wait; None where it does not say."""


class PermanentError(Exception):
    """A permanent failure of one request."""


class ParameterError(Exception):
    """The server refuses parameters by name."""

    def __init__(self, names: Sequence[str], reason: str) -> None:
        super().__init__(reason)
        self.names = names


class Server:
    """A server, and what was learnt of it.

    Args:
        url: where requests go.
        model: the model's name there, for messages.
        api_key: sent as a bearer token, and kept out of all messages; None for servers without keys.
        timeout_seconds: limit of one attempt.
        connections: requests at once.

    Its connections are open within a `with` statement; what was learnt stays.
    """

    def __init__(self, url: str, model: str, api_key: str | None, timeout_seconds: float, connections: int) -> None:
        self._url = url
        self._model = model
        self._api_key = api_key
        self._timeout_seconds = timeout_seconds
        self._connections = connections
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()
        self._refused = 0
        self.has_answered = False
        """Whether any reply could be read."""
        self.was_reached = False
        """Whether the server said anything, be it that it refuses."""
        self.learnt: frozenset[str] = frozenset()
        """Parameters that it refuses."""

    def __enter__(self) -> Server:
        """Open the connections.

        Raises:
            MissingDependencyError: httpx2 is not installed.
            EnvironmentProblemError: the environment's proxy is no address.
        """
        self._client = _open_client(self._api_key, self._timeout_seconds, self._connections)
        return self

    def __exit__(self, *raised: object) -> None:
        """Close them."""
        if self._client is not None:
            self._client.close()

    def post(self, body: bytes) -> Any:
        """The parsed JSON of one attempt.

        Raises:
            TransientError: a retry may succeed.
            PermanentError: a retry would fail, too.
            ParameterError: the server refuses parameters by name.
            EnvironmentProblemError: every other request would fail, too.
        """
        import httpx2

        assert self._client is not None, "a server is used within a `with` statement"
        try:
            with self._client.stream("POST", self._url, content=body) as response:
                self.was_reached = True
                content = _read_all(response, time.monotonic() + self._timeout_seconds)
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            reason = self._conceal(f"{self._url} did not answer: {error or type(error).__name__}")
            raise TransientError(reason) from None
        if not response.is_success:
            self.refuse(response.status_code, _find_message(content), response.headers.get("Retry-After"))
        try:
            return parse_json(content)
        except ValueError as error:
            raise PermanentError(f"the server's reply is not JSON: {error}") from None

    def refuse(self, status: int, message: str, retry_after: str | None = None) -> None:
        """Raise what a status means, by its server's message.

        Raises:
            TransientError, PermanentError, ParameterError, EnvironmentProblemError: as `post`.
        """
        reason = self._conceal(f"the server returned status {status}" + (f": {message}" if message else ""))
        spent = _SPENT.search(message) is not None and retry_after is None and "retry in" not in message.casefold()
        if status in FATAL or spent:
            advice = " (is --base-url right, and the model?)" if status in (404, 405) else ""
            advice = " (is OPENAI_API_KEY set?)" if status in (401, 403) else advice
            raise EnvironmentProblemError(f"{self._url}, asked for {self._model}: {reason}{advice}")
        if status in (400, 422) and (names := _find_refused_parameters(message)):
            raise ParameterError(names, reason)
        if status in TRANSIENT or status >= 500:
            raise TransientError(reason, read_retry_after(retry_after))
        raise PermanentError(reason)

    def learn(self, name: str, reason: str) -> str | None:
        """Remember a parameter that the server refuses; what to say of it, the first time."""
        with self._lock:
            if name in self.learnt:
                return None
            self.learnt |= {name}
        instead = PARAMETERS[name]
        how = f"is sent as {instead}" if instead else "is left out, and the server's own value holds"
        return f"{self._url} refuses {name}, which {how}: {reason}"

    def count_refusal(self, reason: str) -> None:
        """Count a request that was refused for good.

        Raises:
            EnvironmentProblemError: so were all others, and there were enough of them.
        """
        with self._lock:
            self._refused += 1
            if self._refused >= HOPELESS and not self.has_answered:
                raise EnvironmentProblemError(
                    f"{self._url}, asked for {self._model}, refused {self._refused} requests and answered none; "
                    f"the last time: {reason}"
                )

    def _conceal(self, text: str) -> str:
        return text.replace(self._api_key, "…") if self._api_key else text


def leave_out(body: bytes, names: frozenset[str]) -> bytes:
    """The body without the parameters that the server refuses."""
    if not names:
        return body
    document = json.loads(body)
    for name in names & document.keys():
        value, instead = document.pop(name), PARAMETERS[name]
        if instead:
            document[instead] = value
    return json.dumps(document).encode()


def _open_client(api_key: str | None, timeout_seconds: float, connections: int) -> httpx2.Client:
    try:
        import httpx2
    except ImportError:
        raise MissingDependencyError("httpx2", "score") from None
    headers = {"Content-Type": "application/json", "User-Agent": "ivbench-data"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    try:
        return httpx2.Client(headers=headers, timeout=timeout_seconds, limits=limits)
    except (ValueError, httpx2.InvalidURL) as error:
        raise EnvironmentProblemError(f"the proxy that the environment names cannot be used: {error}") from None


def _read_all(response: httpx2.Response, deadline: float) -> bytes:
    """The whole body, limited in size and time.

    Raises:
        TimeoutError: the deadline has passed.
        PermanentError: the body is larger than `MAX_REPLY_BYTES`.
    """
    content = bytearray()
    for block in response.iter_bytes():
        content += block
        if len(content) > MAX_REPLY_BYTES:
            raise PermanentError(f"the server's reply is larger than {MAX_REPLY_BYTES >> 20} MiB")
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
    return bytes(content)


def _find_message(content: bytes) -> str:
    """The server's error message, in one line."""
    try:
        return read_message(parse_json(content))
    except ValueError:
        return read_message(content.decode(errors="replace"))  # not JSON: the text is the message


def _find_refused_parameters(message: str) -> list[str]:
    """The parameters that a refusal names; none where it speaks of something else, such as too long a context."""
    words = message.casefold()
    if not any(word in words for word in _REFUSING_WORDS):
        return []
    return [name for name in PARAMETERS if re.search(rf"(?<!\w){name}(?!\w)", words)]
