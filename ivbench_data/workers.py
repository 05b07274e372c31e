"""Run tasks in child processes that may die, hang or be killed without ending the run.

One task at a time in each of a few children; each child is a fresh interpreter that reads by pipe which function to
call. A child that dies or exceeds its deadline fails that one task and is replaced. A pool from the standard library
would be broken by a dying worker, and would import the caller's main module in each child.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from ivbench_data.errors import EnvironmentProblemError

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

_POLL_SECONDS = 0.2
_START_SECONDS = 120.0
"""Time that a child may take to start and to import its function; it is not part of the task's time."""
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Outcome(Generic[TaskT, ResultT]):
    """Outcome of one task: its result, or why it failed."""

    task: TaskT
    result: ResultT | None = None
    failure: str | None = None


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_workers(
    function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], workers: int, timeout_seconds: float
) -> Iterator[Outcome[TaskT, ResultT]]:
    """Outcomes of `function` on each task, as they finish, from `workers` child processes.

    `function` must be importable by name; tasks and results must pickle. Leaving the generator early, by an exception
    or by closing it, ends the children.

    Raises:
        EnvironmentProblemError: raised in a child, for example for a full disk; it ends the run.
    """
    pending = iter(tasks)
    lock = threading.Lock()
    outcomes: queue.SimpleQueue[Outcome[TaskT, ResultT] | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    def serve() -> None:
        child: _Child[TaskT, ResultT] | None = None
        try:
            while not stop.is_set():
                with lock:
                    try:
                        task = next(pending)
                    except StopIteration:
                        return
                if child is None or not child.is_alive():
                    child = _Child(function)
                outcomes.put(child.run(task, timeout_seconds, stop))
        except BaseException as error:  # noqa: BLE001  (whatever ends a thread is raised again in the caller's)
            outcomes.put(error)
        finally:
            if child is not None:
                child.end()
            outcomes.put(None)

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(max(1, workers))]
    for thread in threads:
        thread.start()
    try:
        running = len(threads)
        while running:
            outcome = outcomes.get()
            if outcome is None:
                running -= 1
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                yield outcome
    finally:
        stop.set()
        for thread in threads:
            thread.join(2 * _GRACE_SECONDS)


class _Child(Generic[TaskT, ResultT]):
    """One child process and the pipe to it."""

    def __init__(self, function: Callable[[TaskT], ResultT]) -> None:
        our_read, their_write = os.pipe()
        their_read, our_write = os.pipe()
        command = [sys.executable, "-m", "ivbench_data.workers", str(their_read), str(their_write)]
        # its own session: Ctrl-C reaches us alone, and we end the children
        self._process = subprocess.Popen(
            command, pass_fds=(their_read, their_write), stdin=subprocess.DEVNULL, start_new_session=True
        )
        os.close(their_read)
        os.close(their_write)
        self._replies = Connection(our_read, writable=False)
        self._requests = Connection(our_write, readable=False)
        self._requests.send((function.__module__, function.__qualname__))
        self._is_ready = False

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def run(self, task: TaskT, timeout_seconds: float, stop: threading.Event) -> Outcome[TaskT, ResultT]:
        try:
            if not self._replies_ready():
                return Outcome(task, failure=f"its worker did not start within {_START_SECONDS:g} s")
            self._requests.send(task)
            waited = 0.0
            while not self._replies.poll(_POLL_SECONDS):
                waited += _POLL_SECONDS
                if stop.is_set():
                    self._process.terminate()
                    return Outcome(task, failure="the run was stopped")
                if waited >= timeout_seconds:
                    self._process.kill()
                    self._process.wait()
                    return Outcome(task, failure=f"gave up after {timeout_seconds:g} s")
            is_done, reply = self._replies.recv()
        except (EOFError, OSError):
            return Outcome(task, failure=f"its worker {self._describe_exit()}")
        if is_done:
            return Outcome(task, result=reply)
        if isinstance(reply, EnvironmentProblemError):
            raise reply
        return Outcome(task, failure=reply)

    def _replies_ready(self) -> bool:
        """Whether the child has reported that it has imported its function."""
        if not self._is_ready:
            if not self._replies.poll(_START_SECONDS):
                self._process.kill()
                return False
            self._replies.recv()
            self._is_ready = True
        return True

    def end(self) -> None:
        """End the child: it exits when its pipe closes, or, once terminated, after removing what it was writing."""
        self._requests.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._replies.close()

    def _describe_exit(self) -> str:
        code = self._process.wait()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _leave_with_parent(requests: Connection) -> None:
    """End this process soon after its parent, even if a task hangs."""
    closing = select.poll()
    closing.register(requests.fileno(), 0)  # only its closing, which is always reported
    closing.poll()
    time.sleep(_GRACE_SECONDS)  # an idle child has gone by now, and one that is about to finish has finished
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


def _serve_tasks(requests: Connection, replies: Connection) -> None:
    """The child's loop: a function's name first, then tasks, until the pipe closes."""
    from importlib import import_module

    threading.Thread(target=_leave_with_parent, args=(requests,), daemon=True).start()
    module, name = requests.recv()
    function = getattr(import_module(module), name)
    replies.send("ready")
    while True:
        try:
            task = requests.recv()
        except EOFError:
            return
        try:
            reply = True, function(task)
        except EnvironmentProblemError as error:
            reply = False, error
        except Exception as error:  # noqa: BLE001  (reported to the parent, which names the task and goes on)
            reply = False, f"{type(error).__name__}: {error}"  # as words: not every error can be pickled
        try:
            replies.send(reply)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with suppress(EOFError, BrokenPipeError):  # the parent has gone before we began
        _serve_tasks(Connection(int(sys.argv[1]), writable=False), Connection(int(sys.argv[2]), readable=False))
