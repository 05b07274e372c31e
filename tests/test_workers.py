"""Children that die, hang or meet a full disk; functions of the standard library stand for the work."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ivbench_data.errors import MissingDependencyError, StorageError, write_install_command
from ivbench_data.timecodes import parse_clock
from ivbench_data.workers import Outcome, run_in_workers

ME = Path(__file__).parent


def kill_own_process(number: int) -> int:
    os.kill(os.getpid(), number)
    return number


def sleep_then_say(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def meet_full_disk(task: int) -> int:
    raise StorageError(f"cannot write {task}")


class PickyError(Exception):
    """An error that cannot be rebuilt from its message, as those of some libraries."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"{name} {number}")


def be_picky(number: int) -> int:
    raise PickyError("number", number)


def miss_a_dependency(task: int) -> int:
    raise MissingDependencyError("ffmpeg-python", "fetch")


@pytest.fixture(autouse=True)
def importable_in_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children import this file by name."""
    monkeypatch.setenv("PYTHONPATH", str(ME))


def test_each_task_has_one_outcome_and_a_raised_error_is_its_reason() -> None:
    outcomes = {outcome.task: outcome for outcome in run_in_workers(parse_clock, ["1:02", "never", "3:04"], 2, 30)}
    assert outcomes["1:02"] == Outcome("1:02", result=62)
    assert outcomes["3:04"] == Outcome("3:04", result=184)
    assert outcomes["never"].result is None
    assert "ValueError" in str(outcomes["never"].failure)


def test_a_killed_child_costs_its_task_alone() -> None:
    tasks = [0, signal.SIGKILL, 0, signal.SIGSEGV, 0]
    outcomes = list(run_in_workers(kill_own_process, tasks, 1, 30))
    assert [outcome.task for outcome in outcomes] == tasks
    assert [outcome.failure for outcome in outcomes] == [
        None, "its worker was killed by SIGKILL", None, "its worker was killed by SIGSEGV", None,
    ]  # fmt: skip


def test_a_task_beyond_its_deadline_is_given_up() -> None:
    started = time.monotonic()
    outcomes = {outcome.task: outcome.failure for outcome in run_in_workers(sleep_then_say, [60.0, 0.0], 1, 1)}
    assert outcomes == {60.0: "gave up after 1 s", 0.0: None}
    assert time.monotonic() - started < 30


def test_a_full_disk_ends_the_run() -> None:
    with pytest.raises(StorageError, match="cannot write 1"):
        list(run_in_workers(meet_full_disk, [1, 2, 3], 1, 30))


def test_an_error_that_does_not_travel_costs_its_task_alone() -> None:
    outcomes = list(run_in_workers(be_picky, [1, 2], 1, 30))
    assert [outcome.failure for outcome in outcomes] == ["PickyError: number 1", "PickyError: number 2"]


def test_a_missing_dependency_is_told_by_its_own_name() -> None:
    with pytest.raises(MissingDependencyError, match=re.escape(write_install_command("fetch"))):
        list(run_in_workers(miss_a_dependency, [1], 1, 30))


def test_leaving_early_leaves_no_child() -> None:
    rows = run_in_workers(sleep_then_say, [0.0, *[30.0] * 8], 2, 60)
    next(rows)
    rows.close()
    assert not _children(os.getpid())


@pytest.mark.parametrize("seconds", [1.0, pytest.param(600.0, marks=pytest.mark.full)], ids=["working", "hanging"])
def test_children_end_with_a_killed_parent(seconds: float) -> None:
    code = (
        "from test_workers import sleep_then_say; from ivbench_data.workers import run_in_workers\n"
        f"for row in run_in_workers(sleep_then_say, [0.0] + [{seconds}] * 20, 2, 60): print('up', flush=True)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    children = _children(parent.pid)
    assert children
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while any(_is_running(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in children if _is_running(pid)]


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for path in listed for child in path.read_text().split()]
    return [child for child in found if b"ivbench_data.workers" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _is_running(pid: int) -> bool:
    try:
        return b"ivbench_data.workers" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
