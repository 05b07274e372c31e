"""Cached frames as pictures and videos."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from ivbench_data import cli
from ivbench_data.atomic_files import _machine
from ivbench_data.dataset import Dataset, load
from ivbench_data.exports.frame_pictures import FrameFormat, draw_filmstrip, export_frames, list_frame_paths
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.frames.frame_file import write_frame_file
from ivbench_data.frames.reader import read_frames
from ivbench_data.schema import FrameGrid, Video
from ivbench_data.sources import import_dataset
from ivbench_data.workspace import Workspace

GRID = FrameGrid(nframes=5, res=33, multiple_of=1)


@pytest.fixture(scope="module")
def cached(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the demo cached at 5x33; to be read only."""
    root = tmp_path_factory.mktemp("cached")
    dataset = import_dataset("demo", demo_media / "demo" / "raw", root)
    (root / "demo" / "videos").symlink_to(demo_media / "demo" / "videos")
    list(cache_frames(dataset, root, [GRID], CacheOptions(workers=0)))
    return root


def test_png_gives_every_byte_back(cached: Path, tmp_path: Path) -> None:
    dataset = load(cached / "demo")
    rows = list(export_frames(dataset, tmp_path, GRID, cached))
    assert [(row.status, row.frames) for row in rows] == [("done", 5)] * len(dataset.videos)
    for video in dataset.videos:
        clip = read_frames("demo", video.video_id, GRID, cached)
        paths = list_frame_paths(tmp_path, GRID, clip, video.video_id)
        assert sorted(paths) == sorted((tmp_path / GRID.identity / video.video_id).iterdir())
        for path, frame in zip(paths, clip.frames, strict=True):
            assert np.array_equal(np.asarray(Image.open(path)).transpose(2, 0, 1), frame)


def test_frames_of_another_cache_do_not_stay(cached: Path, tmp_path: Path) -> None:
    dataset = load(cached / "demo")
    folder = tmp_path / GRID.identity / dataset.videos[0].video_id
    folder.mkdir(parents=True)
    (folder / "999999.png").write_bytes(b"old")
    list(export_frames(dataset, tmp_path, GRID, cached))
    assert len(list(folder.iterdir())) == 5
    assert not list(tmp_path.rglob(".*"))


def test_a_videos_shows_each_frame(cached: Path, tmp_path: Path) -> None:
    dataset = load(cached / "demo")
    for row in export_frames(dataset, tmp_path, GRID, cached, frame_format="mp4"):
        clip = read_frames("demo", row.video_id, GRID, cached)
        assert row.path is not None
        with av.open(str(row.path)) as video:
            shown = [frame.to_ndarray(format="rgb24").transpose(2, 0, 1) for frame in video.decode(video=0)]
        assert len(shown) == 5
        for frame, original in zip(shown, clip.frames, strict=True):
            height, width = frame.shape[1:]
            assert np.abs(frame.astype(int) - original[:, :height, :width]).mean() < 12


def test_missing_and_damaged_caches_are_rows(cached: Path, tmp_path: Path) -> None:
    whole = load(cached / "demo").videos[0].video_id
    cache = tmp_path / "some" / "cache" / GRID.identity
    cache.mkdir(parents=True)
    content = bytearray((cached / "demo/cache" / GRID.identity / f"{whole}.safetensors").read_bytes())
    content[-1] ^= 1
    (cache / "damaged.safetensors").write_bytes(content)
    dataset = Dataset("some", (Video(video_id="damaged"), Video(video_id="absent")))
    rows = list(export_frames(dataset, tmp_path / "out", GRID, tmp_path))
    assert [row.status for row in rows] == ["failed", "missing"]
    assert "damaged" in str(rows[0].reason)
    assert not (tmp_path / "out").exists()


def test_what_a_killed_export_left_is_swept(cached: Path, tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / GRID.identity / f".tmp-{_machine()}-{int(gone.stdout)}-{'0' * 12}"
    left.mkdir(parents=True)
    (left / "000000.png").write_bytes(b"half")
    list(export_frames(load(cached / "demo"), tmp_path, GRID, cached))
    assert not left.exists()


@pytest.mark.parametrize(
    ("size", "frame_format", "status"),
    [
        ((1, 1), "png", "done"),
        ((1, 1), "jpeg", "done"),
        ((1, 1), "mp4", "failed"),
        ((70_000, 1), "png", "done"),
        ((70_000, 1), "jpeg", "failed"),
        ((16_386, 2), "mp4", "failed"),
    ],
)
def test_sides_that_a_format_does_not_take_fail_that_video(
    size: tuple[int, int], frame_format: FrameFormat, status: str, tmp_path: Path
) -> None:
    grid = FrameGrid(nframes=2, res=1, multiple_of=1)
    path = Workspace(tmp_path, "some").cache_path(grid, "line")
    metadata = {"grid": grid.identity, "video_id": "line", "source_sha256": "0" * 64}
    with write_frame_file(path, size, np.zeros(2), np.arange(2), metadata) as writer:
        for position in range(2):
            writer.put(position, np.full((3, size[1], size[0]), 255, np.uint8))
    dataset = Dataset("some", (Video(video_id="line"),))
    (row,) = export_frames(dataset, tmp_path / "out", grid, tmp_path, frame_format)
    assert row.status == status
    assert (row.reason is None) == (status == "done")


def test_the_command_line_tells_damage_from_absence(
    cached: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load(cached / "demo").videos[0].video_id
    path = Workspace(tmp_path, "some").cache_path(GRID, whole)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    Dataset("some", (Video(video_id=whole),)).save(tmp_path)
    arguments = ["export", "frames", str(tmp_path / "out"), "--grid", GRID.identity]
    assert cli.run([*arguments, "--root", str(tmp_path), "--dataset", "some"]) == 1
    assert "there is no cache" not in capsys.readouterr().err


def test_the_command_line_exports_and_says_what_is_missing(
    cached: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--root", str(cached), "--dataset", "demo"]
    arguments = ["export", "frames", str(tmp_path / "out"), "--grid", GRID.identity, *at]
    assert cli.run([*arguments, "--format", "jpeg", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(len(list(Path(row["path"]).glob("*.jpg"))) == 5 for row in rows)
    assert cli.run(["export", "frames", str(tmp_path / "out"), "--grid", "7x7", *at]) == 2
    assert "no cache of 7x7" in capsys.readouterr().err


def test_a_filmstrip_holds_the_frames_in_order(cached: Path) -> None:
    clip = read_frames("demo", load(cached / "demo").videos[0].video_id, GRID, cached)
    sheet = np.asarray(Image.open(BytesIO(draw_filmstrip(clip, columns=3, gap=2)))).transpose(2, 0, 1)
    height, width = clip.frames.shape[2:]
    assert sheet.shape == (3, 2 * (height + 2) + 2, 3 * (width + 2) + 2)
    for position, frame in enumerate(clip.frames):
        top, left = 2 + position // 3 * (height + 2), 2 + position % 3 * (width + 2)
        assert np.array_equal(sheet[:, top : top + height, left : left + width], frame)
