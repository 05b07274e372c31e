"""Limits on one download, enforced while it runs: bytes, time, and a minimum speed."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import Field, PositiveInt

from ivbench_data.schema import Record


class FetchLimits(Record):
    """Limits on one video.

    Example:
        >>> iv.FetchLimits(max_bytes=1_000_000_000).max_bytes
        1000000000
    """

    max_bytes: PositiveInt = 4 * 2**30
    """Bytes on disk, of all its parts together."""
    max_seconds: float = Field(default=3600, gt=0)
    """Seconds for the whole of one attempt. The part downloaded is kept, and the next attempt resumes it."""
    extraction_seconds: float = Field(default=300, gt=0)
    """Seconds until the source has listed its formats."""
    stall_seconds: float = Field(default=60, gt=0)
    """Seconds within which `min_bytes_per_stall` must arrive, once the download has begun."""
    min_bytes_per_stall: PositiveInt = 64 * 1024
    """A slower download counts as stalled; a byte a second would keep any time-out from ever firing."""
    socket_seconds: float = Field(default=20, gt=0)
    """Seconds without a single byte after which a connection counts as dead."""


class Watchdog:
    """Watches one attempt from a thread of its own; when a limit is passed, it records why and cuts every connection.

    The library that downloads looks at its progress only between reads, and a read can wait for ever; cutting the
    connection ends the read. Use as a context manager; `check` raises nothing, it returns the reason or None.
    """

    def __init__(self, limits: FetchLimits, folder: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._folder = folder
        self._monotonic = monotonic
        self._started = monotonic()
        self._phase: Literal["extraction", "download", "finishing"] = "extraction"
        self._window: tuple[float, int] = (self._started, 0)
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.reason: str | None = None
        """Why the attempt was cut; None while it was not."""
        self.retry_after: str | None = None
        """Retry-After of the last refusal, as the server wrote it."""
        self.content_range: str | None = None
        """Content-Range of the last refusal, which of a 416 states the file's size."""

    def __enter__(self) -> Watchdog:
        poll = max(0.02, min(0.5, self._limits.stall_seconds / 8, self._limits.max_seconds / 8))
        self._thread = threading.Thread(target=self._watch, args=(poll,), name="fetch-watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        for connection in self._open_connections():
            _cut(connection)
            # failed answers are not closed by those who read them, and wait for the garbage collector
            with suppress(OSError):
                os.close(connection.detach())

    def hold(self, connection: socket.socket) -> None:
        """Register a connection, to cut it when a limit is passed."""
        with self._lock:
            self._sockets = [held for held in self._sockets if held.fileno() != -1]
            self._sockets.append(connection)
        if self.reason is not None:
            _cut(connection)

    def begin_download(self) -> None:
        """From now on bytes must arrive."""
        self._window = (self._monotonic(), _size_of(self._folder))
        self._phase = "download"

    def end_download(self) -> None:
        """From now on no bytes need arrive, and merging parts may double those on disk."""
        self._phase = "finishing"

    def check(self, announced_bytes: int | None = None) -> str | None:
        """Why the attempt must end now, or None. `announced_bytes` is the size that the source states."""
        if self.reason is None:
            self.reason = self._find_reason(announced_bytes)
        return self.reason

    def _find_reason(self, announced_bytes: int | None) -> str | None:
        limits, now = self._limits, self._monotonic()
        if announced_bytes is not None and announced_bytes > limits.max_bytes:
            return f"{announced_bytes} bytes are over the limit of {limits.max_bytes}"
        if now - self._started > limits.max_seconds:
            return f"it took longer than {limits.max_seconds:g} s; what came is kept, and a re-run goes on from there"
        if self._phase == "extraction":
            late = now - self._started > limits.extraction_seconds
            return (
                f"the source took longer than {limits.extraction_seconds:g} s to say what it offers" if late else None
            )
        if self._phase == "finishing":
            return None
        size = _size_of(self._folder)
        if size > limits.max_bytes:
            return f"{size} bytes came, over the limit of {limits.max_bytes}"
        since, size_then = self._window
        if size - size_then >= limits.min_bytes_per_stall:
            self._window = (now, size)
        elif now - since > limits.stall_seconds:
            return f"too slow: {max(size - size_then, 0)} bytes in {now - since:.0f} s; what came is kept"
        return None

    def _watch(self, poll: float) -> None:
        while not self._over.wait(poll):
            if self.check() is not None:
                for connection in self._open_connections():
                    _cut(connection)

    def _open_connections(self) -> list[socket.socket]:
        with self._lock:
            return [connection for connection in self._sockets if connection.fileno() != -1]


def _cut(connection: socket.socket) -> None:
    with suppress(OSError, ValueError):  # it may have ended by itself
        connection.shutdown(socket.SHUT_RDWR)


def _size_of(folder: Path) -> int:
    """Bytes of the files in the folder; those that vanish while it is read count for nothing."""
    total = 0
    for path in folder.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total
