"""The command line: exit codes, what goes to stdout and what to stderr, and text that is not to be trusted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivbench_data import Dataset, Question, Video, __version__
from ivbench_data.cli import VERBS

if sys.platform != "win32":
    import pty

RunCli = Callable[..., Any]

COMMAND = [sys.executable, "-m", "ivbench_data"]
RECORD = {
    "data_id": 0, "image_name": "v_0.png", "question": "?", "question_type": "Counting", "granularity": "Video Clip",
    "answer": "3", "answer_location": "00:05", "distractors": ["1", "2"],
}  # fmt: skip


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release of two videos in IV-Bench's form."""
    path = tmp_path / "test_data.jsonl"
    path.write_text("".join(json.dumps({video_id: [RECORD]}) + "\n" for video_id in ("v", "-dash")))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that is not there yet."""
    return tmp_path / "root"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- the journey ------------------------------------------------------------------------------------------------


def test_import_and_info(run_cli: RunCli, release: Path, root: Path) -> None:
    done = run_cli("import", "ivbench", release, "--root", root)
    assert done.code == 0
    assert done.out == ""
    assert f"Imported 2 questions on 2 videos and 1 images into {root / 'ivbench'}" in done.err
    told = run_cli("info", "--root", root)
    assert told.code == 0
    assert "IV-Bench" in told.out
    counting = next(line for line in told.out.splitlines() if "Counting" in line)
    assert counting.split() == ["Counting", "Reasoning", "2", "221", "267"]
    assert next(line for line in told.out.splitlines() if line.split()[:1] == ["videos"]).split() == [
        "videos", "2", "0", "747", "967",
    ]  # fmt: skip
    assert "ivbench-data cache" in told.err


def test_import_twice_is_the_same_as_once(run_cli: RunCli, release: Path, root: Path) -> None:
    run_cli("import", "ivbench", release, "--root", root)
    once = contents(root)
    assert {"ivbench/dataset.json", "ivbench/raw/test_data.jsonl"} <= once.keys()
    assert run_cli("import", "ivbench", release, "--root", root).code == 0
    assert contents(root) == once
    assert run_cli("import", "ivbench", root / "ivbench" / "raw", "--root", root).code == 0
    assert contents(root) == once


def test_the_root_comes_from_the_environment(
    run_cli: RunCli, release: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVBENCH_ROOT", str(root))
    assert run_cli("import", "ivbench", release).code == 0
    assert run_cli("info").code == 0
    assert (root / "ivbench" / "dataset.json").is_file()


def test_a_dataset_may_have_another_name(run_cli: RunCli, release: Path, root: Path) -> None:
    assert run_cli("import", "ivbench", release, "--root", root, "--dataset", "mine").code == 0
    told = run_cli("info", "--root", root, "--dataset", "mine")
    assert told.code == 0
    assert "Counting" in told.out
    # no manifest speaks of it: what nobody knows is a dash, also when it is added up
    assert next(line for line in told.out.splitlines() if line.split()[:1] == ["all"]).split() == ["all", "2", "–", "–"]


def test_info_counts_what_is_on_disk(run_cli: RunCli, release: Path, root: Path) -> None:
    run_cli("import", "ivbench", release, "--root", root)
    for name in ("videos/-dash.mp4", "images/v_0.png", "cache/32x240/v.safetensors"):
        path = root / "ivbench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    told = json.loads(run_cli("info", "--root", root, "--json").out)
    assert told["parts"]["videos"] == {"imported": 2, "on_disk": 1, "released": 747, "published": 967}
    assert told["parts"]["images"]["on_disk"] == 1
    assert told["grids"] == {"32x240": 1}
    assert "32x240" in run_cli("info", "--root", root).out


def test_the_real_release(run_cli: RunCli, release_file: Path, root: Path) -> None:
    assert run_cli("import", "ivbench", release_file, "--root", root).code == 0
    told = json.loads(run_cli("info", "--root", root, "--json").out)
    assert {name: part["imported"] for name, part in told["parts"].items()} == {
        "videos": 747, "images": 1680, "questions": 1686,
    }  # fmt: skip
    assert len(told["tasks"]) == 13
    assert all(task["imported"] == task["released"] for task in told["tasks"])


# --- --json -----------------------------------------------------------------------------------------------------


def test_json_is_one_document_and_nothing_else(run_cli: RunCli, release: Path, root: Path) -> None:
    done = run_cli("import", "ivbench", release, "--root", root, "--json")
    document = json.loads(done.out)
    assert (document["questions"], document["bad_lines"]) == (2, [])
    assert done.err == ""
    told = run_cli("info", "--root", root, "--json")
    assert json.loads(told.out)["dataset"] == "ivbench"
    assert told.err == ""


def test_an_error_with_json_leaves_stdout_empty(run_cli: RunCli, root: Path) -> None:
    done = run_cli("info", "--root", root, "--json")
    assert (done.code, done.out) == (2, "")
    assert "there is no dataset" in done.err


# --- exit codes -------------------------------------------------------------------------------------------------


def test_bad_lines_exit_with_1_and_are_named(run_cli: RunCli, release: Path, root: Path) -> None:
    with release.open("a") as file:
        file.write('{"x": [}\n{"y": []}\n')
    done = run_cli("import", "ivbench", release, "--root", root)
    assert done.code == 1
    assert "test_data.jsonl:3: not JSON" in done.err
    assert "test_data.jsonl:4:" in done.err
    assert "2 lines could not be used" in done.err
    document = json.loads(run_cli("import", "ivbench", release, "--root", root, "--json").out)
    assert [line["line"] for line in document["bad_lines"]] == [3, 4]
    told = run_cli("info", "--root", root)
    assert told.code == 0
    assert "left out at import: test_data.jsonl:3" in told.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["imprt"], "Did you mean 'import'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["info", "--datset", "x"], "'--dataset'"),
        (["info", "--dataset", "../x"], "--dataset: '../x' cannot be a file name"),
        (["info", "--dataset", "absent"], "there is no dataset in"),
        (["import"], "Missing argument 'SOURCE'"),
        (["import", "ivbnech", "x"], "there is no source named 'ivbnech'; there are: "),
        (["import", "ivbench", "absent.jsonl"], "there is no absent.jsonl to import"),
        (["import", "ivbench", "."], "holds no test_data.jsonl"),
        (["import", "ivbench", __file__], "holds no IV-Bench question"),
        (["import", "ivbench", __file__, "--root", __file__], "is a file"),
    ],
)
def test_what_cannot_be_meant_exits_with_2(
    run_cli: RunCli, arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_cli(*arguments)
    assert done.code == 2
    assert told in done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_dataset_exits_with_1(run_cli: RunCli, root: Path) -> None:
    (root / "ivbench").mkdir(parents=True)
    (root / "ivbench" / "dataset.json").write_text("{")
    done = run_cli("info", "--root", root)
    assert done.code == 1
    assert "dataset.json cannot be read: not JSON" in done.err


def test_a_root_that_cannot_be_written_exits_with_3(run_cli: RunCli, release: Path) -> None:
    done = run_cli("import", "ivbench", release, "--root", release / "below")
    assert done.code == 3
    assert "cannot write" in done.err
    assert "--root" in done.err


def test_debug_shows_where_an_error_came_from(root: Path) -> None:
    done = subprocess.run([*COMMAND, "--debug", "info", "--root", root], capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr
    assert "DatasetNotFoundError" in done.stderr


def test_help_and_version(run_cli: RunCli) -> None:
    assert run_cli("--version").out == f"ivbench-data, version {__version__}\n"
    for arguments in (["--help"], ["-h"]):
        told = run_cli(*arguments)
        assert told.code == 0
        for verb, purpose in VERBS.items():
            assert verb in told.out
            assert purpose in told.out
    assert "$IVBENCH_ROOT or ./data" in run_cli("info", "-h").out


SLOW_IMPORT = """
import sys, time
from ivbench_data import cli, sources
def wait(*arguments):
    print("started", flush=True)
    time.sleep(120)
sources.import_dataset = wait
sys.exit(cli.run(["import", "ivbench", "x"]))
"""


def test_an_interrupt_exits_with_130_and_says_how_to_go_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_IMPORT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run the same command again" in told
    assert "Traceback" not in told


def test_the_shell_completes_verbs() -> None:
    asked = {
        **os.environ,
        "_IVBENCH_DATA_COMPLETE": "bash_complete",
        "COMP_WORDS": "ivbench-data imp",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(COMMAND, capture_output=True, text=True, env=asked, check=True)
    assert done.stdout == "plain,import\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise on Windows")
def test_a_reader_who_has_had_enough_is_no_error(run_cli: RunCli, release: Path, root: Path) -> None:
    run_cli("import", "ivbench", release, "--root", root)
    reading, writing = os.pipe()
    os.close(reading)
    for arguments in (["info", "--root", root], ["info", "--root", root, "--json"], ["--help"]):
        done = subprocess.run([*COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr
    os.close(writing)


# --- text that is not to be trusted -----------------------------------------------------------------------------

HOSTILE = "[bold red]x[/]\x1b]0;owned\x07\x1b[2J\x9b31m\r\b\x7f\u202eevil :smiley:"


def is_harmless(text: str) -> bool:
    """Whether a terminal only shows the text: no control character but the newline, nothing that turns direction."""
    return all(char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs") for char in text)


@pytest.fixture
def hostile_root(root: Path) -> Path:
    """A dataset whose texts would like to speak to the terminal."""
    question = Question(
        question_id=HOSTILE, video_id="v", question="?", options=("a", "b"), answer="a", answer_index=0, task=HOSTILE,
        source="mine",
    )  # fmt: skip
    folder = Dataset("mine", (Video(video_id="v"),), (), (question,)).save(root).folder
    with (folder / "questions.jsonl").open("a") as file:
        file.write(json.dumps({HOSTILE: 1}) + "\n")
    (folder / "cache" / "[bold]\x1b[2J\u202e").mkdir(parents=True)
    return root


def test_hostile_texts_are_shown_and_not_obeyed(run_cli: RunCli, hostile_root: Path) -> None:
    told = run_cli("info", "--root", hostile_root, "--dataset", "mine")
    assert told.code == 0
    assert is_harmless(told.out)
    assert is_harmless(told.err)
    assert "[bold red]x[/]\\x1b]0;owned\\x07" in told.out
    assert ":smiley:" in told.out
    assert "[bold]\\x1b[2J\\u202e" in told.out


def test_hostile_texts_in_json_are_escaped_and_read_back(run_cli: RunCli, hostile_root: Path) -> None:
    told = run_cli("info", "--root", hostile_root, "--dataset", "mine", "--json")
    assert is_harmless(told.out)
    assert HOSTILE in [task["task"] for task in json.loads(told.out)["tasks"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "ivbench", HOSTILE],
        ["import", HOSTILE, "x"],
        ["info", "--dataset", HOSTILE],
        ["info", "--root", HOSTILE],
        [HOSTILE],
        ["info", f"--{HOSTILE}"],
        ["info", HOSTILE],
    ],
)
def test_hostile_arguments_are_shown_and_not_obeyed(run_cli: RunCli, arguments: list[str]) -> None:
    done = run_cli(*arguments)
    assert done.code == 2
    assert is_harmless(done.err)
    assert "owned" in done.err


def test_a_path_that_is_not_unicode_can_be_told(run_cli: RunCli, release: Path, tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    try:
        root.mkdir()
    except OSError:
        pytest.skip("this file system holds only Unicode names")
    assert "\\udcff" in run_cli("import", "ivbench", release, "--root", root).err
    misnamed = release.rename(root / "release.jsonl").rename(Path(f"{release}\udcff"))
    told = run_cli("import", "ivbench", misnamed, "--root", root)
    assert (told.code, "is not Unicode" in told.err) == (2, True)
    misnamed.rename(release)
    done = run_cli("import", "ivbench", release, "--root", root, "--json")
    assert json.loads(done.out)["folder"] == str(root / "ivbench")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_on_a_terminal_too(hostile_root: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "300"}
    for arguments in (["info", "--root", str(hostile_root), "--dataset", "mine"], ["info", "--dataset", HOSTILE]):
        subprocess.run([*COMMAND, *arguments], stdout=theirs, stderr=theirs, env=environment, check=False)
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 1 << 16):
            shown += block
    except OSError:
        pass  # that is how the end of a pseudo-terminal looks
    os.close(ours)
    text = shown.decode()
    assert "owned" in text
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert not {"\x07", "\x08", "\x7f", "\x9b", "\u202e"} & set(text)
    assert "\x1b[1m" in text  # the title is bold: it is a terminal
