"""What starting costs, in seconds of CPU (user and system): the bare import, `--help`, and importing the real release.

    python benchmarks/startup.py

The release is read from `$IVBENCH_TEST_RELEASE`, the path of IV-Bench's `test_data.jsonl`; without it that row is left
out. Each row is the median of seven runs, beside the limit that the project sets itself.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RUNS = 7


def measure_process(*arguments: str) -> float:
    """CPU seconds of one fresh Python process, with what its start costs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_import(release: Path) -> float:
    """CPU seconds of importing the release in this process, once everything it needs is loaded."""
    from ivbench_data import import_dataset

    with tempfile.TemporaryDirectory() as root:
        start = time.process_time()
        import_dataset("ivbench", release, Path(root))
        return time.process_time() - start


def main() -> None:
    """Print the table."""
    rows: list[tuple[str, Callable[[], float], float | None]] = [
        ("python -c pass", lambda: measure_process("-c", "pass"), None),
        ("import ivbench_data", lambda: measure_process("-c", "import ivbench_data"), None),
        ("ivbench-data --help", lambda: measure_process("-m", "ivbench_data", "--help"), 0.3),
    ]
    release = os.environ.get("IVBENCH_TEST_RELEASE")
    if release:
        rows.append(("import of the release", lambda: measure_import(Path(release)), 1.0))
    for name, measure, limit in rows:
        median = statistics.median(measure() for _ in range(RUNS))
        print(f"{name:<24}{median:>8.3f} s" + (f"   (limit {limit} s)" if limit else ""))


if __name__ == "__main__":
    main()
