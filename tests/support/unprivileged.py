"""A run of the command line in a process that permissions hold for, root or not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def run_without_privileges(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in a process that permissions hold for: root may open everything."""
    command = [sys.executable, "-m", "ivbench_data", *map(str, arguments)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may open everything, and there is no setpriv to run without its privileges")
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "300"})
