"""The demo, cached small, evaluated by the command line in processes of their own that can be killed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ivbench_data import cli
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.schema import FrameGrid
from ivbench_data.sources import import_dataset

GRID = FrameGrid(nframes=8, res=56, multiple_of=28)
QUESTIONS = 104


def make_root(demo_media: Path, root: Path) -> Path:
    """A root of one's own, with the demo imported and its frames cached."""
    shutil.copytree(demo_media, root)
    dataset = import_dataset("demo", root / "demo" / "raw", root)
    rows = list(cache_frames(dataset, root, [GRID], CacheOptions(workers=0)))
    assert {row.status for row in rows} == {"done"}
    return root


def start(root: Path, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """`ivbench-data evaluate` on the demo."""
    grid = ("--grid", GRID.identity)
    return subprocess.Popen(
        [sys.executable, "-m", "ivbench_data", "evaluate", "--dataset", "demo", "--root", str(root), *grid, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes], codes: tuple[int, ...] = (0,)) -> None:
    """Wait until it is done, with one of these exit codes."""
    _, told = process.communicate(timeout=300)
    assert process.returncode in codes, told.decode()


def kill_after(process: subprocess.Popen[bytes], root: Path, rows: int) -> int:
    """Kill it, without warning, once it has kept so many rows; how many there were."""
    deadline = time.monotonic() + 120
    while count_rows(root) < rows:
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return count_rows(root)


def find_results(root: Path) -> list[Path]:
    return sorted((root / "demo" / "results").glob("*.jsonl"))


def count_rows(root: Path) -> int:
    return sum(path.read_bytes().count(b'"question_id"') for path in find_results(root))


def score(root: Path) -> dict[str, Any]:
    """The scores of the one results file, as `ivbench-data score --json` tells them, but for its path and the time."""
    (path,) = find_results(root)
    asked = ["score", str(path), "--root", str(root), "--dataset", "demo", "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert cli.run(asked) == 0
    (card,) = json.loads(printed.getvalue())["scores"]
    assert card["overall"]["evaluated"] == QUESTIONS
    assert card["overall"]["parse_rate"] > 0.5
    return {name: value for name, value in card.items() if name not in ("file", "seconds")}
