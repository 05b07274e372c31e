"""What all tests share: the demo's media, the real release and footage where they are at hand, a run of the CLI."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from shared_media import make_once

from ivbench_data.cli import run
from ivbench_data.sources.demo import make_demo

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # started in the background, where Ctrl-C is ignored, by us and by every child; tests interrupt children
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A deadline measures the machine, and this one may be busy.
settings.register_profile("ivbench-data", deadline=None)
settings.load_profile("ivbench-data")


@pytest.fixture(scope="session")
def demo_media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the demo's own files under `demo/`, made once a session. To be read, never written to."""

    def make(root: Path) -> None:
        for _ in make_demo(root):
            pass

    return make_once(tmp_path_factory, "demo_root", make)


@pytest.fixture(scope="session")
def release_file() -> Path:
    """IV-Bench's real `test_data.jsonl`."""
    return _from_environment("IVBENCH_TEST_RELEASE")


@pytest.fixture(scope="session")
def media_folder() -> Path:
    """A folder of real footage."""
    return _from_environment("IVBENCH_TEST_MEDIA")


def _from_environment(name: str) -> Path:
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"${name} is not set")
    path = Path(value)
    assert path.exists(), f"${name} names {path}, which is not there"
    return path


@dataclass(frozen=True)
class Outcome:
    """What a run of the command line left."""

    code: int
    out: str
    err: str


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """A run of `ivbench-data` in this process: exit code, stdout and stderr, on a wide screen without colour."""
    monkeypatch.delenv("IVBENCH_ROOT", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run_once(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run_once
