"""Every command in the README is run, on the demo under the benchmark's name, so that none needs another argument."""

import re
import shlex
from pathlib import Path

import pytest

from ivbench_data import cli
from ivbench_data.cli import group
from ivbench_data.dataset import load
from ivbench_data.sources import import_dataset

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].strip()
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
    if line.strip()
]
NEEDS_THE_WORLD = {"fetch": "the Hub and YouTube", "doctor": "what this machine happens to have"}
"""Verbs whose commands are parsed here and not run; tests of their own run them against stand-ins."""


@pytest.fixture(scope="module")
def workplace(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README's reader has it: `data/ivbench` (here the demo) and a benchmark of one's own."""
    folder = tmp_path_factory.mktemp("readme")
    import_dataset("demo", demo_media / "demo" / "raw", folder / "data", "ivbench")
    for part in ("videos", "images"):
        (folder / "data" / "ivbench" / part).symlink_to(demo_media / "demo" / part)
    mine = folder / "my-benchmark"
    mine.mkdir()
    for name in ("questions.jsonl", "videos.jsonl", "images.jsonl"):
        (mine / name).write_bytes((folder / "data" / "ivbench" / name).read_bytes())
    return folder


def test_the_first_screen_holds_the_commands_that_people_look_for() -> None:
    first_screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:25])
    for command in ("make demo", "make test", "ivbench-data fetch", "ivbench-data cache", "ivbench-data evaluate"):
        assert command in first_screen


def test_every_command_runs_in_the_order_of_the_page(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.delenv("IVBENCH_ROOT", raising=False)
    ran = 0
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        if program != "ivbench-data":
            assert program in {"make", "pip"}, f"no test knows how to run {command!r}"
            continue
        if arguments[0] in NEEDS_THE_WORLD or "Qwen/" in command or "hf://" in command:
            parse(arguments)
            continue
        code = cli.run([*arguments, "--fail-on", "never"] if arguments[0] == "validate" else arguments)
        assert code == 0, f"{command}: exit code {code}"
        ran += 1
    assert ran >= 10


def parse(arguments: list[str]) -> None:
    """Parse a command without running it; click raises when an option or a value is none."""
    command = group.get_command(group.make_context("ivbench-data", [], resilient_parsing=True), arguments[0])
    assert command is not None, arguments
    command.make_context(arguments[0], arguments[1:])


def test_python_blocks_run(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    blocks = [block for language, block in BLOCKS if language == "python"]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == len(load("data/ivbench").videos)


def test_the_table_of_the_release_is_the_command_s(
    release_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = README.read_text(encoding="utf-8").partition("## What the released IV-Bench holds")[2]
    (command,) = re.findall(r"```sh\nivbench-data (.*?)(?:  #.*)?\n```", section.partition("\n## ")[0])
    dataset = import_dataset("ivbench", release_file, tmp_path)
    assert cli.run([*command.split(), "--root", str(tmp_path), "--fail-on", "never"]) == 0
    table = capsys.readouterr().out
    assert table.count("\n") > 20
    assert f"\n\n{table}\n" in section
    assert f"{len(dataset.questions):,} released questions" in section


def test_links_and_pictures_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (README.parent / target).is_file(), target
