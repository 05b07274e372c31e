"""Every code block of README and docs is run, on the demo under the benchmark's name.

The Hub is a stand-in on loopback. What no machine can run offline is parsed, named and counted in `PARSED`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_standin import REPOSITORY, HubStandIn
from loopback import serve

import ivbench_data
from ivbench_data import cli
from ivbench_data.cli import group
from ivbench_data.dataset import load
from ivbench_data.fetch import benchmark_repository, release_download
from ivbench_data.manifests import HubRepository, ReleaseFile, load_manifest
from ivbench_data.schema import Question
from ivbench_data.sources import import_dataset

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

PARSED = {
    "ivbench-data fetch --limit 20": "asks the videos' source for those that are not here",
    "ivbench-data evaluate --model Qwen/Qwen2.5-VL-7B-Instruct --nframes 32 --res 240": "needs weights; "
    "tests/evaluate/test_models_transformers.py runs it on a checkpoint made on the spot",
    "ivbench-data publish --to hf://my-lab/my-benchmark": "needs a token; "
    "tests/publish/test_publish_cli.py pushes to a stand-in",
    "ivbench-data demo": "tests/sources/test_demo.py runs it",
}
"""Commands that are parsed here and not run, and why."""

INSTALLS = {"make", "pip"}
"""Programs of the set-up, which have been run when a test runs."""


def find_blocks(page: Path, language: str) -> list[str]:
    """The page's code blocks in a language, in order."""
    text = page.read_text(encoding="utf-8")
    return [block for found, block in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL) if found == language]


def find_commands(page: Path) -> list[str]:
    """Every line of the page's shell blocks, without its comment."""
    lines = [line for block in find_blocks(page, "sh") for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


@pytest.fixture
def workplace(demo_media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a reader has it: `data/ivbench` and `data/demo` (both the demo), and a benchmark of one's own."""
    folder = tmp_path
    import_dataset("demo", demo_media / "demo" / "raw", folder / "data", "ivbench")
    for part in ("videos", "images"):
        (folder / "data" / "ivbench" / part).symlink_to(demo_media / "demo" / part)
    mine = folder / "my-benchmark"
    mine.mkdir()
    for name in ("questions.jsonl", "videos.jsonl", "images.jsonl"):
        (mine / name).write_bytes((folder / "data" / "ivbench" / name).read_bytes())
    (folder / "data" / "demo").symlink_to(folder / "data" / "ivbench")
    questions = load(folder / "data" / "ivbench").questions
    rows = [{"question_id": question.question_id, "reply": "The answer is B."} for question in questions]
    (folder / "replies.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("IVBENCH_ROOT", raising=False)
    return folder


@pytest.fixture
def hub(demo_media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """The Hub, holding the demo in the place of IV-Bench."""
    pointed = load_manifest("ivbench").model_copy(
        update={"hub": HubRepository(repo_id=REPOSITORY), "release": ReleaseFile(file_name="test_data.jsonl")}
    )
    monkeypatch.setattr(release_download, "load_manifest", lambda name: pointed)
    monkeypatch.setattr(benchmark_repository, "find_manifest", lambda dataset: pointed)
    with serve() as loopback:
        stand_in = HubStandIn(loopback)
        stand_in.files["test_data.jsonl"] = (demo_media / "demo" / "raw" / "demo.jsonl").read_bytes()
        loopback.respond = stand_in.respond
        monkeypatch.setenv("HF_ENDPOINT", loopback.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf_home"))
        yield stand_in


def test_the_first_screen_holds_the_commands_that_people_look_for() -> None:
    first_screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:25])
    for command in ("make demo", "make test", "ivbench-data fetch", "ivbench-data cache", "ivbench-data evaluate"):
        assert command in first_screen


def test_every_command_is_known() -> None:
    commands = [command for page in PAGES for command in find_commands(page)]
    assert {shlex.split(command)[0] for command in commands} == {"ivbench-data", *INSTALLS}
    assert set(PARSED) <= set(commands), "PARSED names a command that stands nowhere"


@pytest.mark.full
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_runs_in_the_order_of_the_page(page: Path, workplace: Path, hub: HubStandIn) -> None:
    for command in find_commands(page):
        program, *arguments = shlex.split(command)
        if program in INSTALLS or arguments == ["doctor"]:  # which says what this machine happens to have
            continue
        if command in PARSED:
            parse(arguments)
            continue
        code = cli.run([*arguments, "--fail-on", "never"] if arguments[0] == "validate" else arguments)
        assert code == 0, f"{page.name}: {command}: exit code {code}"


def parse(arguments: list[str]) -> None:
    """Parse a command without running it; click raises when an option or a value is none."""
    command = group.get_command(group.make_context("ivbench-data", [], resilient_parsing=True), arguments[0])
    assert command is not None, arguments
    command.make_context(arguments[0], arguments[1:])


@pytest.mark.parametrize("page", [page for page in PAGES if find_blocks(page, "python")], ids=lambda page: page.name)
def test_python_blocks_run(page: Path, workplace: Path) -> None:
    names: dict[str, object] = {}
    for block in find_blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


def test_the_loop_over_the_cache_prints_a_row_a_video(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for block in find_blocks(README, "python"):
        exec(compile(block, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == len(load("data/ivbench").videos)


def test_json_blocks_are_questions() -> None:
    lines = [line for page in PAGES for block in find_blocks(page, "json") for line in block.splitlines()]
    assert lines
    for line in lines:
        assert Question.model_validate_json(line).question_id


def test_the_reference_lists_every_public_name() -> None:
    listed = re.findall(r"^::: ivbench_data\.(\S+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    homes = [
        f"{home}.{name}" for name, home in ivbench_data._HOME_OF.items()
    ]  # the table is private; its names are not
    assert sorted(listed) == sorted(homes)


def test_no_block_is_in_a_language_that_nobody_runs() -> None:
    for page in PAGES:
        languages = set(re.findall(r"^```(\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert languages <= {"sh", "python", "json", "text"}, page.name


@pytest.mark.full
def test_the_table_of_the_release_is_the_command_s(
    release_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = README.read_text(encoding="utf-8").partition("## What the released IV-Bench holds")[2]
    (command,) = re.findall(r"```sh\nivbench-data (.*?)(?:  #.*)?\n```", section.partition("\n## ")[0])
    dataset = import_dataset("ivbench", release_file, tmp_path)
    assert cli.run([*command.split(), "--root", str(tmp_path), "--fail-on", "never"]) == 0
    table = capsys.readouterr().out.partition("\n\n")[0] + "\n"  # what could not run depends on the media here
    assert table.count("\n") > 20
    assert f"\n\n{table}\n" in section
    assert f"{len(dataset.questions):,} released questions" in section


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0]).is_file(), target
