"""Building caches: exact frames, resumption, kills, crowds, full disks, and videos that are none."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import pytest
from media import draw_frames, write_video
from numpy.typing import NDArray

from ivbench_data import cli
from ivbench_data.dataset import Dataset
from ivbench_data.errors import StorageError, UsageError
from ivbench_data.frames import cache
from ivbench_data.frames import cache_plan as plan
from ivbench_data.frames.cache import CacheOptions, CacheTask, cache_frames, cache_video, check_caches
from ivbench_data.frames.reader import read_frames
from ivbench_data.frames.samplers import sample_indices
from ivbench_data.schema import FrameGrid, Video
from ivbench_data.workspace import Workspace

HERE = CacheOptions(workers=0)
SMALL = FrameGrid(nframes=6, res=48)


def link_videos(paths: list[Path], root: Path, name: str = "linked") -> Dataset:
    """A dataset under `root` whose videos are links to those files."""
    workspace = Workspace(root, name)
    workspace.videos.mkdir(parents=True)
    for path in paths:
        (workspace.videos / path.name).symlink_to(path)
    dataset = Dataset(name, tuple(Video(video_id=path.stem) for path in paths))
    dataset.save(root)
    return dataset


@pytest.fixture
def linked_demo(demo_media: Path, tmp_path: Path) -> Dataset:
    return link_videos(sorted((demo_media / "demo" / "videos").iterdir()), tmp_path)


@pytest.fixture
def two_videos(demo_media: Path, tmp_path: Path) -> Dataset:
    return link_videos(sorted((demo_media / "demo" / "videos").iterdir())[:2], tmp_path)


def decode_sequentially(path: Path) -> Iterator[av.VideoFrame]:
    """Every frame that a plain decode of the best stream shows: the oracle, with nothing of ours in it."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        assert stream is not None
        yield from container.decode(stream)


def convert_plainly(frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """The frame at that displayed size, by the conversion that the design names."""
    matrix = {1: 1, 5: 5, 6: 5, 9: 9}.get(int(frame.colorspace), 1 if frame.height >= 720 else 5)
    full = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
    turns = round(frame.rotation / 90) % 4
    size = (height, width) if turns % 2 else (width, height)
    # from_ndarray makes a frame without the decoder's side properties
    plain = av.VideoFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name)
    scaled = plain.reformat(
        *size, "gbrp", src_colorspace=matrix, dst_colorspace=1 if matrix == 5 else 5,
        interpolation=4 | 0x40000 | 0x80000, src_color_range=2 if full else 1, dst_color_range=2,
    )  # fmt: skip
    return np.rot90(scaled.to_ndarray(), turns).transpose(2, 0, 1)


def assert_cache_is_exact(root: Path, dataset: Dataset, grid: FrameGrid) -> None:
    workspace = Workspace(root, dataset.name)
    for video in dataset.videos:
        clip = read_frames(dataset.name, video.video_id, grid, root, check=True)
        path = workspace.find_video(video.video_id)
        assert path is not None
        wanted = set(clip.indices.tolist())
        shown: dict[int, NDArray[np.uint8]] = {}
        pts = []
        for index, frame in enumerate(decode_sequentially(path)):
            pts.append(frame.pts)
            time_base = frame.time_base
            if index in wanted:
                shown[index] = convert_plainly(frame, clip.frames.shape[3], clip.frames.shape[2])
        expected = sample_indices(grid, pts, time_base, None, float("inf"))
        assert clip.indices.tolist() == expected, video.video_id
        for position, index in enumerate(clip.indices.tolist()):
            assert np.array_equal(clip.frames[position], shown[index]), (video.video_id, index)
            assert clip.pts_seconds[position] == pytest.approx(float((pts[index] - pts[0]) * time_base), abs=1e-9)


# --- exactness ----------------------------------------------------------------------------------------------------


def test_every_frame_of_the_demo_equals_a_sequential_decode(linked_demo: Dataset, tmp_path: Path) -> None:
    grids = [FrameGrid(nframes=9, res=72), FrameGrid(nframes=4, res=60, multiple_of=28)]
    rows = list(cache_frames(linked_demo, tmp_path, grids, HERE))
    assert {row.status for row in rows} == {"done"}, [row.reason for row in rows]
    for grid in grids:
        assert_cache_is_exact(tmp_path, linked_demo, grid)


@pytest.mark.full
def test_every_frame_of_real_footage_equals_a_sequential_decode(tmp_path: Path) -> None:
    folder = os.environ.get("IVBENCH_TEST_MEDIA")
    if not folder:
        pytest.skip("IVBENCH_TEST_MEDIA names no folder of real footage")
    dataset = link_videos(sorted(Path(folder).glob("*.mp4")), tmp_path)
    grid = FrameGrid(nframes=32, res=120)
    rows = list(cache_frames(dataset, tmp_path, [grid], HERE))
    assert [(row.status, row.decode_path) for row in rows] == [("done", "selective")] * len(dataset.videos)
    assert_cache_is_exact(tmp_path, dataset, grid)


def test_one_pass_for_many_grids_gives_the_files_of_a_pass_each(
    two_videos: Dataset, demo_media: Path, tmp_path: Path
) -> None:
    grids = [FrameGrid.parse(name) for name in ("4x48", "9x24-midpoint", "16x48-area", "5x48-fps0.5", "3x48-span2_9")]
    list(cache_frames(two_videos, tmp_path, grids, HERE))
    alone = link_videos(sorted((demo_media / "demo" / "videos").iterdir())[:2], tmp_path / "alone", "linked")
    for grid in grids:
        list(cache_frames(alone, tmp_path / "alone", [grid], HERE))
    assert read_all(tmp_path / "linked/cache") == read_all(tmp_path / "alone/linked/cache")


def test_more_frames_than_there_are_repeat_in_order(two_videos: Dataset, tmp_path: Path) -> None:
    grid = FrameGrid(nframes=2000, res=16)
    list(cache_frames(two_videos, tmp_path, [grid], HERE))
    clip = read_frames("linked", two_videos.videos[0].video_id, grid, tmp_path, check=True)
    assert clip.frames.shape[0] == 2000
    assert np.all(np.diff(clip.indices) >= 0)
    repeated = np.flatnonzero(np.diff(clip.indices) == 0)[0]
    assert np.array_equal(clip.frames[repeated], clip.frames[repeated + 1])


def test_a_small_source_is_scaled_up_and_said_so(two_videos: Dataset, tmp_path: Path) -> None:
    rows = list(cache_frames(two_videos, tmp_path, [FrameGrid(nframes=1, res=720), SMALL], HERE))
    assert {(row.grid, row.upscaled) for row in rows} == {("1x720", True), ("6x48", False)}
    clip = read_frames("linked", two_videos.videos[0].video_id, "1x720", tmp_path)
    assert min(clip.frames.shape[2:]) == 720
    assert clip.metadata["upscaled"] == "yes"


def test_a_span_beyond_the_end_fails_that_grid_alone(two_videos: Dataset, tmp_path: Path) -> None:
    late = FrameGrid(nframes=2, res=48, span=(900.0, 910.0))
    rows = list(cache_frames(two_videos, tmp_path, [late, SMALL], HERE))
    assert {(row.grid, row.status) for row in rows} == {(late.identity, "failed"), ("6x48", "done")}
    assert all("begins at 900.0 s" in str(row.reason) for row in rows if row.status == "failed")


# --- resuming -----------------------------------------------------------------------------------------------------


def read_all(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_there_is_not_made_again(two_videos: Dataset, tmp_path: Path) -> None:
    list(cache_frames(two_videos, tmp_path, [SMALL], HERE))
    path = Workspace(tmp_path, "linked").cache_path(SMALL, two_videos.videos[0].video_id)
    before = path.stat().st_mtime_ns
    other = FrameGrid(nframes=2, res=48)
    rows = list(cache_frames(two_videos, tmp_path, [SMALL, other], HERE))
    assert {(row.grid, row.status) for row in rows} == {("6x48", "skipped"), ("2x48", "done")}
    assert path.stat().st_mtime_ns == before


def test_a_torn_file_and_another_source_are_made_again(two_videos: Dataset, tmp_path: Path) -> None:
    list(cache_frames(two_videos, tmp_path, [SMALL], HERE))
    workspace = Workspace(tmp_path, "linked")
    first, second = (video.video_id for video in two_videos.videos)
    whole = read_all(workspace.cache)
    torn = workspace.cache_path(SMALL, first)
    torn.write_bytes(torn.read_bytes()[:-1])
    source = workspace.find_video(second)
    assert source is not None
    replaced = source.read_bytes() + b"\0\0\0\x08free"  # a box that means nothing: same frames, another file
    source.unlink()
    source.write_bytes(replaced)
    rows = list(cache_frames(two_videos, tmp_path, [SMALL], HERE))
    assert [row.status for row in rows] == ["done", "done"]
    assert torn.read_bytes() == whole[f"6x48/{torn.name}"]


@pytest.mark.full
def test_a_killed_run_leaves_whole_files_and_is_taken_up(linked_demo: Dataset, tmp_path: Path) -> None:
    grids = ["--grid", "24x96", "--grid", "48x48"]
    command = [sys.executable, "-m", "ivbench_data", "cache", *grids, "--workers", "1"]
    command += ["--root", str(tmp_path), "--dataset", "linked"]
    cache = tmp_path / "linked" / "cache"
    for pause in (0.4, 0.7, 1.0):
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(pause)
        run.send_signal(signal.SIGSTOP)  # so that it starts no worker between the listing and the kill
        for worker in _workers_of(run.pid):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        run.kill()
        run.wait()
        assert [fault for _, fault in check_caches(linked_demo, tmp_path) if fault] == []
    finished = {path: path.stat().st_mtime_ns for path in cache.rglob("*.safetensors")}
    done = subprocess.run([*command, "--json"], capture_output=True, check=True)
    rows = json.loads(done.stdout)["rows"]
    assert sum(row["status"] == "skipped" for row in rows) == len(finished)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in finished.items())
    assert not list(cache.rglob(".tmp-*"))
    sources = sorted(path.resolve() for path in (tmp_path / "linked/videos").iterdir())
    once = link_videos(sources, tmp_path / "once", "linked")
    list(cache_frames(once, tmp_path / "once", [FrameGrid.parse("24x96"), FrameGrid.parse("48x48")], HERE))
    assert read_all(cache) == read_all(tmp_path / "once/linked/cache")


def _workers_of(pid: int) -> list[int]:
    try:
        listed = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for children in listed for child in children]


def test_an_interrupted_run_says_so_and_leaves_no_temporary(linked_demo: Dataset, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ivbench_data", "cache", "--grids", "frames", "--workers", "1"]
    run = subprocess.Popen(
        [*command, "--root", str(tmp_path), "--dataset", "linked"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    while not list((tmp_path / "linked").glob("cache/*/.tmp-*")) and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, messages = run.communicate(timeout=60)
    assert run.returncode == 130
    assert b"Interrupted" in messages
    assert b"Traceback" not in messages
    assert not list(tmp_path.rglob(".tmp-*"))


@pytest.mark.full
def test_four_runs_on_one_root_agree(linked_demo: Dataset, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ivbench_data", "cache", "--grid", "8x64", "--workers", "1", "--json"]
    command += ["--root", str(tmp_path), "--dataset", "linked"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for run in runs:
        out, messages = run.communicate(timeout=300)
        assert run.returncode == 0, messages
        assert {row["status"] for row in json.loads(out)["rows"]} <= {"done", "skipped"}
    faults = list(check_caches(linked_demo, tmp_path))
    assert len(faults) == len(linked_demo.videos)
    assert [fault for _, fault in faults if fault] == []
    assert not list(tmp_path.rglob(".tmp-*"))


def test_shards_share_the_work_without_overlap(linked_demo: Dataset, tmp_path: Path) -> None:
    taken = [
        {row.video_id for row in cache_frames(linked_demo, tmp_path, [SMALL], CacheOptions(workers=0, shard=(part, 3)))}
        for part in (1, 2, 3)
    ]
    assert set().union(*taken) == {video.video_id for video in linked_demo.videos}
    assert sum(map(len, taken)) == len(linked_demo.videos)
    with pytest.raises(UsageError, match="no shard 4 of 3"):
        list(cache_frames(linked_demo, tmp_path, [SMALL], CacheOptions(workers=0, shard=(4, 3))))


# --- trouble ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["write", "truncate", "flush"])
def test_a_full_disk_is_reported_and_leaves_nothing(
    failing: str, two_videos: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    real_open = Path.open

    class Full:
        """A file on a disk that fills up at the n-th call of one method."""

        def __init__(self, file: Any, at: int) -> None:
            self._file, self._at = file, at

        def __getattr__(self, name: str) -> Any:
            if name == failing:
                nonlocal calls
                calls += 1
                if calls == self._at:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return getattr(self._file, name)

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *exception: object) -> None:
            self._file.close()

    task = CacheTask(Workspace(tmp_path, "linked"), two_videos.videos[0].video_id, (SMALL,))
    for at in range(1, 50):
        calls = 0

        def open_full(path: Path, mode: str = "r", *rest: Any, at: int = at) -> Any:
            file = real_open(path, mode, *rest)
            return Full(file, at) if mode == "x+b" else file

        monkeypatch.setattr(Path, "open", open_full)
        if _succeeds(task, monkeypatch):
            break
    else:
        pytest.fail("it never succeeded")
    assert calls == at - 1, "every call was made to fail once"
    assert [fault for _, fault in check_caches(two_videos, tmp_path)] == [None]


def _succeeds(task: CacheTask, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the video was cached; if not, the error must say all, and nothing must be left."""
    try:
        cache_video(task)
    except StorageError as error:
        message = str(error)
    else:
        return True
    finally:
        monkeypatch.undo()
    assert "the disk is full" in message
    assert str(task.workspace.cache_path(SMALL, task.video_id)) in message
    assert not [path for path in task.workspace.cache.rglob("*") if path.is_file()]
    return False


def test_a_small_disk_ends_the_run_with_3(
    two_videos: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "linked" / "cache"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this test may not mount a small disk")
    try:
        code = cli.run(["cache", "--grid", "8x120", "--root", str(tmp_path), "--dataset", "linked"])
        assert code == 3
        messages = capfd.readouterr().err
        assert "the disk is full" in messages
        assert str(small) in messages
        assert not [path for path in small.rglob("*") if path.is_file()]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_video_overwritten_by_another_of_its_length_is_not_taken_for_it(
    two_videos: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Workspace(tmp_path, "linked").find_video(two_videos.videos[0].video_id)
    assert path is not None
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    real_digest = cache.digest_stream

    def overwrite_and_digest(file: BinaryIO) -> str:
        path.write_bytes(content[:-1] + b"?")
        os.utime(path, ns=(0, 0))  # whatever the clock's steps
        return real_digest(file)

    monkeypatch.setattr(cache, "digest_stream", overwrite_and_digest)
    (row,) = cache_video(CacheTask(Workspace(tmp_path, "linked"), two_videos.videos[0].video_id, (SMALL,)))
    assert row.status == "failed"
    assert "changed while it was read" in str(row.reason)
    assert not [path for path in (tmp_path / "linked/cache").rglob("*") if path.is_file()]


def test_a_video_cut_while_it_is_read_is_not_called_damaged(
    two_videos: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Workspace(tmp_path, "linked").find_video(two_videos.videos[0].video_id)
    assert path is not None
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    real_digest = cache.digest_stream

    def digest_and_cut(file: BinaryIO) -> str:
        digest = real_digest(file)
        path.write_bytes(content[:1000])
        return digest

    monkeypatch.setattr(cache, "digest_stream", digest_and_cut)
    (row,) = cache_video(CacheTask(Workspace(tmp_path, "linked"), two_videos.videos[0].video_id, (SMALL,)))
    assert row.status == "failed"
    assert "changed while it was read" in str(row.reason)


def test_a_video_that_is_removed_meanwhile_costs_its_row_alone(
    two_videos: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_find = Workspace.find_video

    def find_and_remove(workspace: Workspace, video_id: str) -> Path | None:
        path = real_find(workspace, video_id)
        if path is not None and video_id == two_videos.videos[0].video_id:
            path.unlink()
        return path

    monkeypatch.setattr(Workspace, "find_video", find_and_remove)
    rows = list(cache_frames(two_videos, tmp_path, [SMALL], HERE))
    assert [row.status for row in rows] == ["missing", "done"]


def test_odd_metadata_in_a_cache_file_end_no_run(two_videos: Dataset, tmp_path: Path) -> None:
    list(cache_frames(two_videos, tmp_path, [SMALL], HERE))
    path = Workspace(tmp_path, "linked").cache_path(SMALL, two_videos.videos[0].video_id)
    path.write_bytes(path.read_bytes().replace(b'"frames":"6"', b'"frames":"?"'))
    rows = list(cache_frames(two_videos, tmp_path, [SMALL], HERE))
    assert [(row.status, row.frames) for row in rows] == [("skipped", 6)] * 2


@pytest.mark.full
def test_what_a_killed_worker_was_writing_is_swept(two_videos: Dataset, tmp_path: Path) -> None:
    grid = FrameGrid(nframes=4096, res=480)  # takes longer than it may
    for row in cache_frames(two_videos, tmp_path, [grid], CacheOptions(workers=1, timeout_seconds=0.4)):
        assert row.status == "failed"
        assert "gave up" in str(row.reason)
    assert not list(tmp_path.rglob(".tmp-*"))


def test_what_no_disk_can_hold_is_refused_before_it_is_begun(two_videos: Dataset, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(StorageError, match=r"MB are needed, and .* MB are free"):
        list(cache_frames(two_videos, tmp_path, [FrameGrid(nframes=65_536, res=8192)], HERE))
    assert time.monotonic() - started < 30
    assert not [path for path in (tmp_path / "linked/cache").rglob("*") if path.is_file()]


def test_a_frame_as_large_as_a_sheet_fails_and_says_so(tmp_path: Path) -> None:
    write_video(tmp_path / "wide.mp4", images=list(draw_frames(3, width=2048, height=16)))
    dataset = link_videos([tmp_path / "wide.mp4"], tmp_path)
    rows = list(cache_frames(dataset, tmp_path, [FrameGrid(nframes=1, res=8192), SMALL], HERE))
    assert [row.status for row in rows] == ["failed", "done"]
    assert "1048576×8192" in str(rows[0].reason)


def test_a_plan_of_more_than_can_be_made_fails_soon(
    two_videos: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "MEASURING_SECONDS", 0.5)
    started = time.monotonic()
    planned = plan.plan_cache(two_videos, tmp_path, [FrameGrid(nframes=512, res=2160)], HERE)
    elapsed = time.monotonic() - started
    assert planned.estimated_seconds is not None
    assert planned.estimated_seconds > 2 * elapsed


def test_bad_videos_fail_with_a_reason_and_the_rest_goes_on(two_videos: Dataset, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "linked")
    good = workspace.find_video(two_videos.videos[0].video_id)
    assert good is not None
    bad = {
        "empty": b"",
        "html": b"<!doctype html><title>Sign in</title>" * 50,
        "noise": bytes(range(256)) * 100,
        "playlist": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
    }
    for name, content in bad.items():
        (workspace.videos / f"{name}.mp4").write_bytes(content)
    dataset = Dataset("linked", (*(Video(video_id=name) for name in (*bad, "absent")), *two_videos.videos))
    rows = {row.video_id: row for row in cache_frames(dataset, tmp_path, [SMALL], CacheOptions(workers=2))}
    assert {name: rows[name].status for name in bad} == dict.fromkeys(bad, "failed")
    assert all(rows[name].reason for name in bad)
    assert rows["absent"].status == "missing"
    assert [rows[video.video_id].status for video in two_videos.videos] == ["done", "done"]


def test_the_command_line_tells_rows_and_exit_codes(
    two_videos: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--root", str(tmp_path), "--dataset", "linked"]
    assert cli.run(["cache", "--grid", "6x48", *at, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["status"] for row in rows] == ["done", "done"]
    assert all(row["seconds"] > 0 and row["peak_memory_bytes"] > 0 for row in rows)
    assert cli.run(["cache", "--nframes", "6", "--res", "48", *at]) == 0
    assert "6x48" in capsys.readouterr().out
    (tmp_path / "linked/videos" / "broken.mp4").write_bytes(b"nothing")
    Dataset("linked", (*two_videos.videos, Video(video_id="broken"))).save(tmp_path)
    assert cli.run(["cache", "--grid", "6x48", *at]) == 1
    assert "broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "32"], "not a grid"),
        (["--grid", "0x240"], "nframes"),
        (["--grids", "all"], "frames, resolution, budget, paper"),
        (["--shard", "0/4"], "--shard"),
        (["--shard", "5/4"], "--shard"),
        (["--shard", f"1/{'9' * 5000}"], "--shard"),
        (["--plan", "--token-budget", "9", "--model", "qwen3-vl", "--aspect", f"{'9' * 5000}:1"], "--aspect"),
        (["--timeout", "nan"], "not a number"),
        (["--fps", "nan"], "not a number"),
        (["--span", "0", "nan"], "finite"),
        (["--span", "9", "2"], "ends before it starts"),
        (["--token-budget", "100"], "go together"),
        (["--sampler", "random"], "random"),
    ],
)
def test_a_grid_that_cannot_be_meant_is_a_usage_error(
    arguments: list[str], message: str, two_videos: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["cache", *arguments, "--root", str(tmp_path), "--dataset", "linked"]) == 2
    assert message in capsys.readouterr().err


def test_a_plan_writes_nothing_and_tells_what_is_written_later(
    two_videos: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--root", str(tmp_path), "--dataset", "linked", "--json"]
    assert cli.run(["cache", "--grids", "frames", "--plan", *at]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert not (tmp_path / "linked/cache").exists()
    assert [grid["videos_to_do"] for grid in plan["grids"]] == [2, 2, 2, 2]
    assert cli.run(["cache", "--grids", "frames", *at]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    for grid in plan["grids"]:
        written = sum(row["size_bytes"] for row in rows if row["grid"] == grid["grid"])
        assert grid["bytes_to_write"] == pytest.approx(written, rel=0.1)
