"""Each install that the README names, in a fresh environment: its commands run, with the options that need packages.

Minutes long and with a package index, so that only `make extras` runs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from ivbench_data.doctor import EXTRAS_OF

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif("IVBENCH_TEST_EXTRAS" not in os.environ, reason="`make extras` runs it: it installs packages"),
]

REPOSITORY = Path(__file__).parent.parent
MADE = Path(__file__).parent / "made_by_0_1_0"
PIP = ("-m", "pip", "--disable-pip-version-check", "-q")

HIDDEN = "--answers data/tiny/private/answers-test-1.0.0.jsonl submission.jsonl"
SCORING = [
    "evaluate --model baseline:random --nframes 4 --res 16",
    "evaluate --model baseline:random --nframes 4 --res 16 --sweep patterns --figure sweep.png",
    "score --figure tasks.svg --markdown table.md --csv table.csv --report errors.html",
    "score --diagnose",
    "score one other",
    f"score {HIDDEN}",
    "coverage --grid 4x16 --figure",
]
COMMANDS = {
    "": [
        "info",
        "import native data/tiny --dataset mine",
        "cache --grid 2x16",
        "verify",
        "verify --cache",
        "export frames frames --grid 4x16",
        "repair --plan",
        "doctor",
    ],
    "fetch": ["fetch --only videos --source data/tiny/videos", "verify --deep"],
    "score": SCORING,
    "validate": [
        *SCORING,
        "validate --report --fail-on never",
        "validate --necessity --fail-on never",
        "review export",
    ],
    "publish": ["publish --plan", "publish --to out", "publish --to hidden --hide-answers test"],
    "eval": SCORING,
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, *PIP, "wheel", "--no-deps", "-w", folder, REPOSITORY], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with the small dataset under `data/`, with two results files, and a submission."""
    shutil.copytree(MADE, tmp_path / "data")
    (results,) = (tmp_path / "data/tiny/results").iterdir()
    # both under names of their own, so that what a command here makes of `baseline:random` is a third
    one = results.read_text().replace("baseline:random", "baseline:one")
    other = one.replace('"reply":"D","answer_index":3', '"reply":"B","answer_index":1,"correct":true')
    results.with_name("one.jsonl").write_text(one)
    results.with_name("other.jsonl").write_text(other.replace("baseline:one", "baseline:other"))
    results.unlink()
    (tmp_path / "submission.jsonl").write_text('{"question_id": "alpha_0", "answer_index": 1}\n')
    return tmp_path


@pytest.mark.parametrize("extra", COMMANDS)
def test_what_is_installed_for_a_command_is_enough_for_it(extra: str, wheel: Path, workplace: Path) -> None:
    venv.create(workplace / "venv", with_pip=True)
    binaries = workplace / "venv" / ("Scripts" if os.name == "nt" else "bin")
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    subprocess.run([binaries / "python", *PIP, "install", "-c", REPOSITORY / "constraints.txt", wanted], check=True)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "IVBENCH_ROOT")}

    def run(command: str) -> str:
        at = [] if "--answers" in command or "--dataset" in command else ["--dataset", "tiny"]
        done = subprocess.run(
            [binaries / "ivbench-data", *command.split(), *at],
            capture_output=True, text=True, check=False, cwd=workplace, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    for command in COMMANDS[extra]:
        run(command)
    diagnoses = json.loads(run("doctor --json"))["diagnoses"]
    missing = next(each["facts"] for each in diagnoses if each["name"] == "commands")
    complete = {verb for verb, extras in EXTRAS_OF.items() if set(extras) <= {extra}}
    assert {verb for verb in complete if missing[verb]} == set()
