"""`-deint`: interlaced frames are rebuilt from the field that is shown first, and frame i stays frame i."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest
from conftest import Outcome
from numpy.typing import NDArray

from ivbench_data.dataset import Dataset
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.frames.frame_file import Clip, read_frame_file
from ivbench_data.schema import CacheResult, FrameGrid, Video
from ivbench_data.video.decode.first_field import find_first_field, rebuild_from_first_field
from ivbench_data.workspace import Workspace

WIDTH, HEIGHT, COUNT = 128, 96, 12
PLAIN, REBUILT = FrameGrid(nframes=COUNT, res=HEIGHT), FrameGrid(nframes=COUNT, res=HEIGHT, deinterlace=True)


def draw_moments() -> list[NDArray[np.uint8]]:
    """What was before the camera at each field's moment: uint8 `[HEIGHT, WIDTH, 3]`, a soft bar that runs."""
    across = np.arange(WIDTH)[None, :, None]
    moments = []
    for at in range(2 * COUNT):
        bar = np.clip(255 - 12 * abs((across - 5 * at) % WIDTH - WIDTH // 2), 0, 255)
        moments.append(np.broadcast_to(bar, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    return moments


def weave(moments: list[NDArray[np.uint8]], first: int) -> list[NDArray[np.uint8]]:
    """Frames of two fields each; the lines from `first` on, every second one, are those of the earlier moment."""
    frames = []
    for earlier, later in zip(moments[::2], moments[1::2], strict=True):
        frame = later.copy()
        frame[first::2] = earlier[first::2]
        frames.append(frame)
    return frames


def write(path: Path, field: str, pix_fmt: str = "yuv420p") -> Path:
    """H.264 of both fields (`tff`, `bff`), or progressive (`prog`)."""
    frames = draw_moments()[::2] if field == "prog" else weave(draw_moments(), 0 if field == "tff" else 1)
    params = "threads=1" if field == "prog" else f"{field}=1:threads=1"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1", "x264-params": params})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(mark(frame, field)))
        container.mux(stream.encode(None))
    return path


def mark(frame: av.VideoFrame, field: str) -> av.VideoFrame:
    """The frame, marked with its first field: the encoder follows that, whatever its parameters say."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=WIDTH, height=HEIGHT, format=frame.format, time_base=frame.time_base)
    marker, sink = graph.add("setfield", f"mode={field}"), graph.add("buffersink")
    source.link_to(marker)
    marker.link_to(sink)
    graph.configure()
    source.push(frame)
    marked = sink.pull()
    assert isinstance(marked, av.VideoFrame)
    return marked


def cache_once(root: Path, path: Path, grid: FrameGrid) -> tuple[CacheResult, Clip]:
    dataset, workspace = Dataset("set", (Video(video_id="v"),)), Workspace(root, "set")
    workspace.videos.mkdir(parents=True, exist_ok=True)
    (workspace.videos / f"v{path.suffix}").write_bytes(path.read_bytes())
    dataset.save(root)
    (row,) = cache_frames(dataset, root, [grid], CacheOptions(workers=0))
    return row, read_frame_file(workspace.cache_path(grid, "v"))


def measure_error(clip: Clip, moments: list[NDArray[np.uint8]]) -> float:
    shown = np.stack([moment.transpose(2, 0, 1) for moment in moments]).astype(int)
    return float(np.abs(clip.frames.astype(int) - shown).mean())


@pytest.mark.parametrize(("field", "name"), [("tff", "top"), ("bff", "bottom")])
def test_frames_show_the_moment_of_their_first_field(tmp_path: Path, field: str, name: str) -> None:
    path = write(tmp_path / "a.mp4", field)
    combed, rebuilt = (cache_once(tmp_path, path, grid) for grid in (PLAIN, REBUILT))
    moments = draw_moments()[::2]
    assert measure_error(rebuilt[1], moments) < 3 < 7 < measure_error(combed[1], moments)
    assert rebuilt[1].indices.tolist() == combed[1].indices.tolist() == list(range(COUNT))
    assert rebuilt[1].metadata["first_field"] == name
    assert "first_field" not in combed[1].metadata
    assert "rebuilt from the field" in str(rebuilt[0].reason)
    assert "as decoded" in str(combed[0].reason)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("field", ["tff", "bff"])
def test_kept_lines_stay_and_others_are_means(tmp_path: Path, field: str, pix_fmt: str) -> None:
    with av.open(str(write(tmp_path / "a.mp4", field, pix_fmt))) as container:
        for frame in container.decode(video=0):
            rebuilt, found = rebuild_from_first_field(frame)
            assert found == find_first_field(frame) == {"tff": "top", "bff": "bottom"}[field]
            assert (rebuilt.format.name, rebuilt.width, rebuilt.height) == (pix_fmt, WIDTH, HEIGHT)
            for was, made in zip(read_planes(frame), read_planes(rebuilt), strict=True):
                kept = 0 if field == "tff" else 1
                np.testing.assert_array_equal(made[kept::2], was[kept::2])
                padded = np.pad(was.astype(int), ((1, 1), (0, 0)), mode="reflect")
                means = (padded[:-2] + padded[2:] + 1) // 2
                np.testing.assert_array_equal(made[1 - kept :: 2], means[1 - kept :: 2])


def read_planes(frame: av.VideoFrame) -> list[NDArray[np.uint16]]:
    kind = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    lines = [np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1) for plane in frame.planes]
    return [line[:, : plane.width].astype(np.uint16) for line, plane in zip(lines, frame.planes, strict=True)]


def test_fields_that_begin_midway_are_named(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{field}.ts", field).read_bytes() for field in ("prog", "tff")]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    (combed, plain), (_, rebuilt) = (cache_once(tmp_path, tmp_path / "joined.ts", grid) for grid in (PLAIN, REBUILT))
    assert combed.level == "odd"
    assert "of the frames that were taken, though the first is not" in str(combed.reason)
    assert rebuilt.metadata["first_field"] == "top"
    changed = [at for at in range(COUNT) if not np.array_equal(plain.frames[at], rebuilt.frames[at])]
    assert changed
    assert min(changed) >= COUNT // 2 - 1


def test_progressive_frames_stay_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", "prog")
    (_, plain), (row, rebuilt) = (cache_once(tmp_path, path, grid) for grid in (PLAIN, REBUILT))
    np.testing.assert_array_equal(plain.frames, rebuilt.frames)
    assert (row.reason, rebuilt.metadata["first_field"]) == (None, "none")


def test_the_grid_has_a_name_and_is_cached_by_it(tmp_path: Path, run_cli: Callable[..., Outcome]) -> None:
    assert REBUILT.identity == "12x96-deint"
    assert FrameGrid.parse("8x96-m28-area-deint-fps2") == FrameGrid(
        nframes=8, res=96, multiple_of=28, resize="area", deinterlace=True, fps=2
    )
    cache_once(tmp_path, write(tmp_path / "a.mp4", "tff"), PLAIN)
    done = run_cli("cache", "--grid", "4x48-deint", "--dataset", "set", "--root", tmp_path)
    assert done.code == 0
    assert Workspace(tmp_path, "set").cache_path(FrameGrid.parse("4x48-deint"), "v").is_file()
