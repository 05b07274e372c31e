"""Reading caches back: the files, the selections, many clips, and every flipped bit."""

import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import (
    CacheCorruptError,
    CacheError,
    CacheNotFoundError,
    EnvironmentProblemError,
    UnsafeNameError,
    UsageError,
)
from ivbench_data.frames.cache import CacheOptions, cache_frames, check_caches
from ivbench_data.frames.frame_file import read_frame_file, write_frame_file
from ivbench_data.frames.reader import CacheReader, read_frames
from ivbench_data.schema import FrameGrid, FrameSelection, Video
from ivbench_data.sources import import_dataset
from ivbench_data.workspace import Workspace

GRID = FrameGrid(nframes=8, res=32)


@pytest.fixture(scope="module")
def cached(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the demo cached at 8x32; to be read only."""
    root = tmp_path_factory.mktemp("cached")
    dataset = import_dataset("demo", demo_media / "demo" / "raw", root)
    (root / "demo" / "videos").symlink_to(demo_media / "demo" / "videos")
    rows = list(cache_frames(dataset, root, [GRID], CacheOptions(workers=0)))
    assert {row.status for row in rows} == {"done"}
    return root


def first_id(root: Path) -> str:
    return load(root / "demo").videos[0].video_id


def write_small(path: Path, frames: np.ndarray) -> None:
    metadata = {"grid": path.parent.name, "video_id": path.stem, "source_sha256": "0" * 64}
    size = (frames.shape[3], frames.shape[2])
    pts_seconds, indices = np.arange(len(frames)) / 25, np.arange(len(frames)) * 3
    with write_frame_file(path, size, pts_seconds, indices, metadata) as writer:
        for position in reversed(range(len(frames))):
            writer.put(position, frames[position])


def test_plain_safetensors_reads_the_same(cached: Path) -> None:
    for path in (cached / "demo/cache/8x32").iterdir():
        clip, plain = read_frame_file(path, check=True), load_file(path)
        assert np.array_equal(plain["frames"], clip.frames)
        assert np.array_equal(plain["pts_seconds"], clip.pts_seconds)
        assert np.array_equal(plain["indices"], clip.indices)
        assert (clip.frames.dtype, clip.pts_seconds.dtype, clip.indices.dtype) == (np.uint8, np.float64, np.int64)
        assert clip.frames.ctypes.data % 4096 == 0


def test_frames_can_be_written_to_and_the_file_stays_as_it_is(cached: Path) -> None:
    """Torch warns of arrays that cannot be written to; what is written is seen by this clip alone."""
    clip = read_frames("demo", first_id(cached), GRID, cached)
    before = clip.path.read_bytes()
    clip.frames[:] = 7
    clip.pts_seconds[:] = 7
    assert clip.path.read_bytes() == before
    again = read_frames("demo", first_id(cached), GRID, cached, check=True)
    assert not np.array_equal(again.frames, clip.frames)


@pytest.mark.full
@pytest.mark.filterwarnings("error")
def test_frames_are_handed_to_torch_without_a_warning_and_without_a_copy(cached: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    clip = read_frames("demo", first_id(cached), GRID, cached)
    for array in (clip.frames, clip.pts_seconds, clip.indices):
        tensor = torch.from_numpy(array)
        assert tensor.data_ptr() == array.ctypes.data


def test_frames_are_copied_into_a_buffer_of_ones_own(cached: Path) -> None:
    clip = read_frames("demo", first_id(cached), GRID, cached)
    buffer = np.zeros(clip.frames.shape, np.uint8)
    clip.copy_frames(buffer)
    assert np.array_equal(buffer, clip.frames)
    indices = tuple(int(index) for index in clip.indices[3:5])
    selection = FrameSelection(question_id="q", video_id=first_id(cached), selector="test", frame_indices=indices)
    two = read_frames("demo", first_id(cached), GRID, cached, selection=selection)
    two.copy_frames(buffer[:2])
    assert np.array_equal(buffer[:2], clip.frames[3:5])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(shape=st.tuples(st.integers(1, 5), st.just(3), st.integers(1, 9), st.integers(1, 9)), seed=st.integers(0, 99))
def test_what_is_written_is_read(shape: tuple[int, int, int, int], seed: int, tmp_path: Path) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    path = tmp_path / "8x32" / "small.safetensors"
    write_small(path, frames)
    clip = read_frame_file(path, check=True)
    assert np.array_equal(clip.frames, frames)
    assert np.array_equal(load_file(path)["frames"], frames)


def test_any_flipped_bit_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cache" / "2x4"
    path = folder / "small.safetensors"
    write_small(path, np.random.default_rng(1).integers(0, 256, (2, 3, 4, 6), np.uint8))
    whole = path.read_bytes()
    dataset = Dataset("data", (Video(video_id="small"),))
    assert [fault for _, fault in check_caches(dataset, tmp_path)] == [None]
    header_end = len(whole) - 2 * 3 * 4 * 6 - 32
    # every bit but those of the long run of padding spaces, of which some
    positions = [at for at in range(len(whole)) if whole[at] != 0x20 or at > header_end or at % 97 == 0]
    for at in positions:
        for bit in range(8) if at % 7 == 0 else (at % 8,):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            path.write_bytes(flipped)
            with pytest.raises(CacheCorruptError, match=r"small\.safetensors"):
                read_frame_file(path, check=True)
    path.write_bytes(whole)
    read_frame_file(path, check=True)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 7, b"\xff" * 64, (2).to_bytes(8, "little") + b"{}", (9999).to_bytes(8, "little") + b"{}",
     (40).to_bytes(8, "little") + b"[" * 40, (16).to_bytes(8, "little") + b'{"frames": null}'],
)  # fmt: skip
def test_what_is_no_frame_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CacheCorruptError, match=r"x\.safetensors"):
        read_frame_file(path)


def write_hostile(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """A small frame file whose header was changed, and the length before it with it."""
    write_small(path, np.zeros((2, 3, 4, 6), np.uint8))
    whole = path.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:end])
    change(header)
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + whole[end:])


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["frames"].update(shape=[10**18, 3, 10**9, 10**9]),
        lambda header: header["frames"].update(shape=[99] * 150_000),  # whose product takes ten seconds
        lambda header: header["frames"].update(data_offsets=[-144, 0]),
        lambda header: header["frames"].update(data_offsets=[0, 144]),
        lambda header: header["frames"].update(data_offsets=[32, float("nan")]),
        lambda header: header["__metadata__"].update(frames=[2]),
        lambda header: header["__metadata__"].update(grid=None),
        lambda header: header.update(__metadata__=["format_version"]),
        lambda header: header.update(deep=json.loads("[" * 50 + "]" * 50)),
    ],
)  # fmt: skip
def test_a_hostile_header_is_refused(change: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    path = tmp_path / "data" / "cache" / "2x4" / "x.safetensors"
    write_hostile(path, change)
    started = time.monotonic()
    with pytest.raises(CacheCorruptError, match=r"x\.safetensors"):
        read_frame_file(path)
    assert time.monotonic() - started < 5


def test_nesting_beyond_python_s_stack_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    header = b"[" * 200_000 + b"]" * 200_000
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CacheCorruptError, match=r"x\.safetensors"):
        read_frame_file(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(CacheCorruptError, match=name):
            read_frame_file(tmp_path / f"{name}.safetensors", check=True)


def test_a_file_that_is_gone_is_a_fault_and_the_check_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cache" / "2x4"
    write_small(folder / "b.safetensors", np.zeros((2, 3, 4, 6), np.uint8))
    (folder / "a.safetensors").symlink_to(tmp_path / "gone")
    gone, whole = check_caches(Dataset("data"), tmp_path)
    assert "there is no cache file" in str(gone[1])
    assert whole[1] is None


def test_a_clip_s_frames_are_its_own_when_its_file_is_replaced_or_gone(tmp_path: Path) -> None:
    path = tmp_path / "2x4" / "x.safetensors"
    old = np.random.default_rng(1).integers(0, 256, (2, 3, 4, 6), np.uint8)
    write_small(path, old)
    clip, buffer = read_frame_file(path), np.zeros_like(old)
    write_small(path, 255 - old)
    clip.copy_frames(buffer)
    assert np.array_equal(buffer, old)
    path.unlink()
    buffer[:] = 0
    clip.copy_frames(buffer)
    assert np.array_equal(buffer, old)


def test_too_many_open_files_are_not_called_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "2x4" / "x.safetensors"
    write_small(path, np.zeros((2, 3, 4, 6), np.uint8))

    def open_no_more(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", open_no_more)
    with pytest.raises(EnvironmentProblemError, match="ulimit"):
        read_frame_file(path)


def test_absent_files_and_unsafe_ids_raise_different_errors(cached: Path) -> None:
    with pytest.raises(CacheNotFoundError, match="8x33"):
        read_frames("demo", first_id(cached), "8x33", cached)
    with pytest.raises(UnsafeNameError):
        read_frames("demo", "../../etc/passwd", GRID, cached)
    with pytest.raises(UsageError, match="not a grid"):
        read_frames("demo", first_id(cached), "big", cached)


def test_a_selection_reads_through_a_dense_cache(cached: Path) -> None:
    video_id = first_id(cached)
    dense = read_frames("demo", video_id, GRID, cached)
    chosen = (int(dense.indices[5]), int(dense.indices[2]))
    selection = FrameSelection(
        question_id="q", video_id=video_id, selector="test", frame_indices=chosen, frames_digest=dense.frames_digest
    )
    clip = read_frames("demo", video_id, GRID, cached, selection=selection)
    assert clip.indices.tolist() == list(chosen)
    assert np.array_equal(clip.frames, dense.frames[[5, 2]])
    assert clip.pts_seconds.tolist() == [dense.pts_seconds[5], dense.pts_seconds[2]]
    for wrong in ({"frame_indices": (1,)}, {"frames_digest": "0" * 64}, {"video_id": "another"}):
        with pytest.raises(UsageError):
            read_frames("demo", video_id, GRID, cached, selection=selection.model_copy(update=wrong))


@pytest.mark.parametrize("prefetch", [0, 1, 3, 50])
def test_many_clips_come_in_order_and_a_bad_one_as_its_error(prefetch: int, cached: Path) -> None:
    ids = [video.video_id for video in load(cached / "demo").videos]
    asked = [*ids[:2], "absent", *ids[2:]]
    with CacheReader("demo", GRID, cached, prefetch=prefetch, check=True) as reader:
        read = list(reader.iterate(asked))
        assert [video_id for video_id, _ in read] == asked
        assert [isinstance(clip, CacheError) for _, clip in read] == [video_id == "absent" for video_id in asked]
        one = reader.read(ids[0])
    assert np.array_equal(one.frames, read[0][1].frames)  # type: ignore[union-attr]  # it is no error, as seen above


def test_wrong_frameworks_are_usage_errors(cached: Path) -> None:
    with pytest.raises(UsageError, match="'np' or 'pt'"):
        CacheReader("demo", GRID, cached, framework="tf")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(UsageError, match="device"):
        CacheReader("demo", GRID, cached, device="cuda")
    with pytest.raises(UsageError, match="device"):
        read_frames("demo", first_id(cached), GRID, cached, device="cuda")  # type: ignore[call-overload]  # on purpose


def test_check_caches_names_what_is_in_the_wrong_place(cached: Path, tmp_path: Path) -> None:
    source = next((cached / "demo/cache/8x32").iterdir())
    wrong = Workspace(tmp_path, "demo").cache / "8x32" / "other.safetensors"
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(source.read_bytes())
    ((path, fault),) = check_caches(Dataset("demo"), tmp_path)
    assert path == wrong
    assert "wrong place" in str(fault)
    with pytest.raises(CacheError, match="wrong place"):
        read_frames("demo", "other", GRID, tmp_path)
    wrong.rename(wrong.with_name(source.name))
    assert len(read_frames("demo", source.stem, GRID, tmp_path).frames) == 8
    moved = Workspace(tmp_path, "demo").cache_path(FrameGrid(nframes=9, res=32), source.stem)
    moved.parent.mkdir()
    moved.write_bytes(source.read_bytes())
    with pytest.raises(CacheError, match="wrong place"):
        read_frames("demo", source.stem, "9x32", tmp_path)


@pytest.mark.full
def test_tensors_equal_arrays(cached: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra; make test-full installs it")
    from ivbench_data.frames.reader import open_torch_dataset

    ids = [video.video_id for video in load(cached / "demo").videos]
    with CacheReader("demo", GRID, cached, framework="pt") as reader:
        for video_id, clip in reader.iterate(ids):
            assert not isinstance(clip, CacheError)
            arrays = read_frames("demo", video_id, GRID, cached)
            assert isinstance(clip.frames, torch.Tensor)
            assert np.array_equal(clip.frames.numpy(), arrays.frames)
            assert np.array_equal(clip.pts_seconds.numpy(), arrays.pts_seconds)
    alone = read_frames("demo", ids[0], GRID, cached, framework="pt")
    assert np.array_equal(alone.frames.numpy(), read_frames("demo", ids[0], GRID, cached).frames)
    dataset = open_torch_dataset("demo", ids, GRID, cached)
    loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=2)
    items = list(loader)
    assert [item["video_id"] for item in items] == ids
    assert np.array_equal(items[3]["frames"].numpy(), read_frames("demo", ids[3], GRID, cached).frames)


@pytest.mark.gpu
def test_tensors_arrive_on_the_device(cached: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    ids = [video.video_id for video in load(cached / "demo").videos]
    with CacheReader("demo", GRID, cached, framework="pt", device="cuda") as reader:
        kept = [(video_id, clip) for video_id, clip in reader.iterate(ids * 3)]
    for video_id, clip in kept:
        assert not isinstance(clip, CacheError)
        assert np.array_equal(clip.frames.cpu().numpy(), read_frames("demo", video_id, GRID, cached).frames)  # type: ignore[union-attr]  # torch tensors
