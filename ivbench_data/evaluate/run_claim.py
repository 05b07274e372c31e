"""Claim on a results file, so that two processes never ask the same questions at once.

A claim is a file `ledger/claim-{digest}.{number}.json` that its owner touches every few seconds. It is created
exclusively; no file locks are used, as some cluster file systems ignore them. A claim whose owner is dead, or has not
touched it for a while, is taken over under the next number, which only one process can create.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ivbench_data.errors import EnvironmentProblemError, StorageError

BEAT_SECONDS = 2.0
"""Time between two touches of a claim."""

SILENT_SECONDS = 20.0
"""A claim of an owner on another machine is stale if it is not touched for so long."""

_NUMBER = re.compile(r"\.(\d+)\.json$")


@dataclass(frozen=True)
class ClaimOwner:
    """The process that holds a claim."""

    host: str
    """Name of its machine."""
    pid: int
    """Its process id."""
    since: str
    """When it made the claim, UTC."""
    token: str
    """Unique to the claim."""
    machine: str
    """Machine, boot and process namespace in which the process id is valid."""
    started: str
    """When the process started, in the system's ticks; empty if unknown."""


class RunClaim:
    """A context in which this process alone may evaluate into a results file.

    Args:
        folder: the dataset's ledger.
        path: the results file.
        silent_seconds: a claim from another machine is stale if it is not touched for so long.

    Raises:
        EnvironmentProblemError: another process holds the claim; the message names it.
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path, path: Path, silent_seconds: float = SILENT_SECONDS) -> None:
        self._results = path
        self._folder = folder
        self._silent_seconds = silent_seconds
        self._owner = ClaimOwner(
            host=socket.gethostname(),
            pid=os.getpid(),
            since=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            token=str(uuid.uuid4()),
            machine=_describe_machine(),
            started=_read_process(os.getpid())[1],
        )
        self._stopping = threading.Event()
        self._is_lost = False

    def __enter__(self) -> Self:
        while True:
            held = self._list()
            if held:
                self._refuse_unless_stale(held[-1])
            number = _read_number(held[-1]) + 1 if held else 0
            claim = self._folder / f"claim-{self._results.stem}.{number}.json"
            if not self._create(claim):
                continue
            # another process may have judged an older claim, and made one since: then both try again
            if set(self._list()) <= {*held, claim}:
                break
            claim.unlink(missing_ok=True)
            time.sleep(0.05 + int(self._owner.token[:2], 16) / 1000)
        self._claim = claim
        for path in held:
            path.unlink(missing_ok=True)
        self._thread = threading.Thread(target=self._beat, name="claim", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        if not self._is_lost:
            self._claim.unlink(missing_ok=True)

    def check(self) -> None:
        """Raise if another process has taken the claim over, as after a long standstill of this one.

        Raises:
            EnvironmentProblemError: the claim is lost.
        """
        if self._is_lost:
            raise EnvironmentProblemError(
                f"another process took over the evaluation into {self._results}, as this one was silent for more than "
                f"{self._silent_seconds:.0f} s. Run the same command again when that one has ended"
            )

    def _list(self) -> list[Path]:
        paths = self._folder.glob(f"claim-{self._results.stem}.*.json")
        return sorted((path for path in paths if _NUMBER.search(path.name)), key=_read_number)

    def _create(self, claim: Path) -> bool:
        """Whether the claim is ours: False where it exists already."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(self._owner.__dict__).encode())
        except FileExistsError:
            return False
        except OSError as error:
            raise StorageError.from_os_error(error, claim) from error
        return True

    def _refuse_unless_stale(self, claim: Path) -> None:
        """Return if the claim's owner is dead or silent, or the claim is gone.

        Raises:
            EnvironmentProblemError: its owner is alive.
        """
        owner = _read_owner(claim)
        is_running = _is_running(owner) if owner is not None and owner.machine == self._owner.machine else None
        if is_running is None:
            is_running = self._is_touched(claim)
        if is_running:
            owner = _read_owner(claim)
            who = f"process {owner.pid} on {owner.host}, since {owner.since}" if owner else f"the owner of {claim}"
            raise EnvironmentProblemError(
                f"another evaluation writes to {self._results}: {who}. Wait until it has ended, or stop it; its "
                "answers are kept, and the same command resumes from there"
            )

    def _is_touched(self, claim: Path) -> bool:
        """Whether the claim's owner touches it while we watch: no clock of another machine is trusted."""
        first, deadline = _read_touch(claim), time.monotonic() + self._silent_seconds
        while time.monotonic() < deadline:
            time.sleep(min(0.5, self._silent_seconds / 4))
            latest = _read_touch(claim)
            if latest is None:
                return False
            if latest != first:
                return True
        return False

    def _beat(self) -> None:
        while not self._stopping.wait(BEAT_SECONDS):
            owner = _read_owner(self._claim)
            if owner is None or owner.token != self._owner.token or self._list()[-1:] != [self._claim]:
                self._is_lost = True
                return
            with suppress(OSError):
                os.utime(self._claim)


def _read_number(claim: Path) -> int:
    found = _NUMBER.search(claim.name)
    assert found is not None
    return int(found[1])


def _read_owner(claim: Path) -> ClaimOwner | None:
    """The owner; None where the claim is gone, or not yet written."""
    try:
        return ClaimOwner(**json.loads(claim.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _read_touch(claim: Path) -> int | None:
    """When the claim was touched, in nanoseconds of its file system; None where it is gone."""
    try:
        with claim.open("rb") as file:  # opening it makes network file systems look again
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def _describe_machine() -> str:
    """What tells machines, boots and process namespaces apart."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _is_running(owner: ClaimOwner) -> bool | None:
    """Whether a process of this machine runs; None where the system does not say."""
    state, started = _read_process(owner.pid)
    if state:
        return state not in "ZX" and started == owner.started
    if Path("/proc/self/stat").exists():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return None
    return None


def _read_process(pid: int) -> tuple[str, str]:
    """State and start of a process, as Linux has them; two empty texts elsewhere, or without such a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()
    except OSError:
        return "", ""
    return fields[0], fields[19]
