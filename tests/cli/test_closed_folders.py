"""A folder that cannot be opened is an error that names it, whichever command meets it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from unprivileged import run_without_privileges

MADE = Path(__file__).parent.parent / "made_by_0_1_0"


@pytest.mark.parametrize(
    ("closed", "command"),
    [
        ("images", "info"),
        ("cache/4x16", "coverage --grid 4x16"),
        ("results", "evaluate --model baseline:random --nframes 4 --res 16"),
        pytest.param("images", "score", marks=pytest.mark.full),
        pytest.param("images", "publish --plan", marks=pytest.mark.full),
        pytest.param("private", "publish --plan", marks=pytest.mark.full),
        pytest.param("reports", "review export --out sheet.csv", marks=pytest.mark.full),
        pytest.param("ledger", "review status", marks=pytest.mark.full),
    ],
)
def test_it_is_named_and_there_is_no_traceback(tmp_path: Path, closed: str, command: str) -> None:
    shutil.copytree(MADE / "tiny", tmp_path / "tiny")
    folder = tmp_path / "tiny" / closed
    folder.mkdir(exist_ok=True)
    folder.chmod(0)
    try:
        done = run_without_privileges(*command.split(), "--root", tmp_path, "--dataset", "tiny")
    finally:
        folder.chmod(0o755)
    assert done.returncode in (1, 2, 3), done
    assert "Traceback" not in done.stderr
    assert str(folder) in done.stderr
