"""A takedown while other commands run, into folders that are there already, and past folders that cannot be opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from evaluation_dataset import GRID, make_dataset, make_media
from fetch_media import make_video
from slow_params import slowly
from unprivileged import run_without_privileges

from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.exports import frame_pictures
from ivbench_data.exports.frame_pictures import export_frames
from ivbench_data.exports.harness import HarnessOptions
from ivbench_data.exports.harness_folder import read_harness_folder, write_harness_folder
from ivbench_data.fetch import downloads
from ivbench_data.fetch.downloads import fetch_videos
from ivbench_data.fetch.fetch_options import FetchOptions
from ivbench_data.frames import cache
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.publish.publishing import publish_dataset
from ivbench_data.publish.splits.split_plan import plan_splits
from ivbench_data.schema import FrameGrid, Video
from ivbench_data.takedown import verify_withdrawal, withdraw_video
from ivbench_data.validate.report import findings_page
from ivbench_data.validate.report.findings_page import write_report
from ivbench_data.workspace import Workspace

RunCli = Callable[..., Outcome]
WHY = "the owner's request"
FRAMES = HarnessOptions(show="frames", grid=GRID)


def take_down(workspace: Workspace, video_id: str) -> None:
    """The takedown, by another process."""
    command = [sys.executable, "-m", "ivbench_data", "repair", f"--withdraw={video_id}", "--why", WHY, "--yes"]
    at = ["--dataset", workspace.dataset, "--root", str(workspace.root)]
    done = subprocess.run([*command, *at], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def take_down_after_check(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, number: int, workspace: Workspace, video_id: str
) -> list[int]:
    """Let the video be taken down when a stage has just made its check of that number; how many it makes is counted."""
    check, counted = getattr(module, name), [0]

    def check_and_take_down(*arguments: Any) -> Any:
        found = check(*arguments)
        counted[0] += 1
        if counted[0] == number:
            take_down(workspace, video_id)
        return found

    monkeypatch.setattr(module, name, check_and_take_down)
    return counted


def find_names(folder: Path, video_id: str) -> list[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return [path for path in paths if any(part.startswith(video_id) for part in path.split("/"))]


# --- fetch and cache --------------------------------------------------------------------------------------------------


@pytest.fixture
def to_fetch(tmp_path: Path) -> Workspace:
    """A dataset of two videos, and a folder `mirror` that has both."""
    (tmp_path / "mirror").mkdir()
    for shade, name in enumerate(("gone", "stays")):
        (tmp_path / "mirror" / f"{name}.mp4").write_bytes(make_video(shade))
    Dataset("made", (Video(video_id="gone"), Video(video_id="stays"))).save(tmp_path / "root")
    return Workspace(tmp_path / "root", "made")


@pytest.mark.parametrize("number", [0, *slowly((1, 2, 3))])
def test_a_fetch_that_is_under_way_does_not_restore_the_video(
    to_fetch: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Taken down before the run's first check, or right after its first, second or third: that is the last one."""
    dataset = load(to_fetch.folder)
    counted = take_down_after_check(monkeypatch, downloads, "find_withdrawal", number, to_fetch, "gone")
    if number == 0:
        take_down(to_fetch, "gone")
    rows = list(fetch_videos(dataset, to_fetch.root, FetchOptions(sources=(str(tmp_path / "mirror"),))))
    assert rows[1].status == "ok"
    if number < 3:
        assert (rows[0].video_id, rows[0].status) == ("gone", "removed")
        assert WHY in (rows[0].reason or "")
    else:
        assert counted[0] == 6, "a check was added: try it, too"
    assert find_names(to_fetch.folder, "gone") == []
    assert find_names(to_fetch.folder, "stays") == ["videos/stays.mp4"]


@pytest.mark.parametrize("number", [0, *slowly((1, 2))])
def test_a_cache_run_that_is_under_way_writes_no_frame_of_it(
    to_fetch: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    shutil.copytree(tmp_path / "mirror", to_fetch.videos)
    dataset, grids = load(to_fetch.folder), [FrameGrid(nframes=2, res=16), FrameGrid(nframes=4, res=16)]
    rows = cache_frames(dataset, to_fetch.root, grids=grids, options=CacheOptions(workers=0))
    counted = take_down_after_check(monkeypatch, cache, "find_withdrawal", number, to_fetch, "gone")
    if number == 0:
        take_down(to_fetch, "gone")
        shutil.copy(tmp_path / "mirror" / "gone.mp4", to_fetch.videos)  # as if somebody had put it back
    found = {(row.video_id, row.status) for row in rows}
    assert ("stays", "done") in found
    if number < 2:
        assert ("gone", "missing") in found
    else:
        assert counted[0] == 4, "a check was added: try it, too"
    assert find_names(to_fetch.cache, "gone") == []
    assert len(find_names(to_fetch.cache, "stays")) == 2


# --- exports ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The small dataset for evaluation, with its images and cached frames, on the videos alpha, beta and -gamma."""
    make_media(tmp_path / "root", make_dataset())
    return Workspace(tmp_path / "root", "tiny")


def read_all_text(folder: Path) -> str:
    return "\n".join(path.read_text() for path in folder.rglob("*.json*") if path.is_file())


@pytest.mark.parametrize("when", ["before", "during"])
def test_an_export_into_a_folder_that_is_there_drops_what_was_withdrawn(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    out = tmp_path / "out"
    list(write_harness_folder(load(workspace.folder), out, FRAMES, workspace.root))
    assert find_names(out, "alpha")
    dataset = load(workspace.folder)
    if when == "before":
        withdraw_video(workspace, "alpha", WHY)
        dataset = load(workspace.folder)
    else:  # when all rows are there, and the list of withdrawals was not read yet
        exported = write_harness_folder(dataset, out, FRAMES, workspace.root)
        rows = [next(exported) for _ in range(len(dataset.videos) + len(dataset.questions))]
        assert len(rows) == 11
        take_down(workspace, "alpha")
        assert list(exported) == []
        assert read_harness_folder(out).rows
    if when == "before":
        list(write_harness_folder(dataset, out, FRAMES, workspace.root))
    assert find_names(out, "alpha") == []
    assert "alpha" not in read_all_text(out)
    assert {row.question.video_id for row in read_harness_folder(out).rows} == {"beta", "-gamma"}
    assert len(find_names(out / "media" / "images", "beta")) == 3


@pytest.mark.parametrize("frame_format", ["png", "mp4"])
def test_pictures_of_a_withdrawn_video_go_with_the_next_export(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame_format: Any
) -> None:
    out, dataset = tmp_path / "out", load(workspace.folder)
    list(export_frames(dataset, out, GRID, workspace.root, frame_format))
    assert find_names(out, "alpha")
    take_down_after_check(monkeypatch, frame_pictures, "find_withdrawal", 1, workspace, "alpha")
    list(export_frames(dataset, out, GRID, workspace.root, frame_format))
    assert find_names(out, "alpha") == []
    assert find_names(out, "beta")


# --- publications and reports -----------------------------------------------------------------------------------------


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_publication_that_is_under_way_is_not_published(workspace: Workspace, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    dataset, out = load(workspace.folder), tmp_path / "out"
    plan = plan_splits(dataset, workspace=workspace)
    publish_dataset(dataset, workspace.root, out, plan)
    before = read_files(out)

    def take_down_at(step: str) -> None:
        if step == "digesting":
            take_down(workspace, "alpha")

    with pytest.raises(DatasetError, match=f"nothing was published, since a video was withdrawn: alpha.*{WHY}"):
        publish_dataset(dataset, workspace.root, out, plan, on_step=take_down_at)
    assert read_files(out) == before
    dataset = load(workspace.folder)
    published = publish_dataset(dataset, workspace.root, out, plan_splits(dataset, workspace=workspace))
    assert {question_id.partition("_")[0] for question_id in published.version.split_of} == {"beta", "-gamma"}


def test_a_report_that_is_under_way_is_not_written(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    build = findings_page.build_report

    def build_and_take_down(*arguments: Any) -> str:
        page = build(*arguments)
        take_down(workspace, "alpha")
        return page

    monkeypatch.setattr(findings_page, "build_report", build_and_take_down)
    with pytest.raises(DatasetError, match="there is no report, since a video was withdrawn"):
        write_report(load(workspace.folder), [], workspace)
    assert not list(workspace.reports.glob("*.html"))


# --- what cannot be removed -------------------------------------------------------------------------------------------


@pytest.fixture
def closing() -> Iterator[Callable[[Path, int], None]]:
    """Changes a folder's mode, until the test is over."""
    closed: list[Path] = []

    def close(folder: Path, mode: int) -> None:
        closed.append(folder)
        folder.chmod(mode)

    yield close
    for folder in closed:
        folder.chmod(0o755)


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        pytest.param("cache", 0o000, marks=pytest.mark.full),
        ("cache/8x16", 0o444),
        pytest.param("images", 0o555, marks=pytest.mark.full),
        pytest.param("cache/8x16", 0o000, marks=pytest.mark.full),
        pytest.param("images", 0o000, marks=pytest.mark.full),
        pytest.param("videos", 0o444, marks=pytest.mark.full),
    ],
)
def test_a_folder_that_cannot_be_opened_is_named_and_exits_1(
    workspace: Workspace, closing: Callable[[Path, int], None], place: str, mode: int
) -> None:
    workspace.videos.mkdir()
    (workspace.videos / "alpha.mp4").write_bytes(b"a video")
    at = ("--dataset", "tiny", "--root", workspace.root)
    closing(workspace.folder / place, mode)
    done = run_without_privileges("repair", "--withdraw=alpha", "--why", WHY, "--yes", *at)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "Withdrawn: alpha" in done.stderr
    assert f"Not removed: {place}" in done.stderr
    assert [one.video_id for one in load(workspace.folder).withdrawals] == ["alpha"]
    verified = run_without_privileges("repair", "--withdraw=alpha", "--verify", *at)
    assert verified.returncode == 1, verified.stderr
    assert f"Not removed: {place}" in verified.stderr
    # another takedown need not wait for this one's leftovers
    assert run_without_privileges("repair", "--withdraw=beta", "--why", WHY, "--yes", *at).returncode in (0, 1)
    assert [one.video_id for one in load(workspace.folder).withdrawals] == ["alpha", "beta"]
    (workspace.folder / place).chmod(0o755)
    assert run_without_privileges("repair", "--withdraw=alpha", "--yes", *at).returncode == 0
    assert find_names(workspace.folder, "alpha") == []
    assert verify_withdrawal(workspace, "alpha").is_done


def test_verify_lists_what_is_left_and_changes_nothing(workspace: Workspace, run_cli: RunCli) -> None:
    at = ("--dataset", "tiny", "--root", workspace.root)
    command = ("repair", "--withdraw=alpha", "--verify", *at)
    assert "is not withdrawn" in run_cli(*command).err
    withdraw_video(workspace, "alpha", WHY)
    sheet = workspace.reports / "review-1-x.csv"
    sheet.parent.mkdir(exist_ok=True)
    sheet.write_text("question_id\nalpha_0\n")
    clean = run_cli(*command)
    assert "Stays: reports/review-1-x.csv" in clean.err
    assert (clean.code, "all of it that can be removed is gone" in clean.err) == (0, True)
    back = workspace.cache / "8x16" / "alpha.safetensors"
    back.write_bytes(b"put back by hand")
    found = run_cli(*command)
    assert (found.code, "Not removed: cache/8x16/alpha.safetensors" in found.err) == (1, True)
    document = json.loads(run_cli(*command, "--json").out)
    assert (document["done"], document["plan"]["deleted"]) == (False, ["cache/8x16/alpha.safetensors"])
    assert back.exists()
    assert run_cli(*command, "--yes").code == 2
    assert run_cli("repair", "--verify", *at).code == 2
    with pytest.raises(UsageError, match="not withdrawn"):
        verify_withdrawal(workspace, "beta")
