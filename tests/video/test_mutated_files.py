"""Three hundred files that something happened to: all who examine them agree, and nobody shows what is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import media
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from ivbench_data.dataset import Dataset
from ivbench_data.errors import VideoError
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.frames.reader import read_frames
from ivbench_data.schema import FrameGrid, Video
from ivbench_data.video.decode import check_every_frame
from ivbench_data.video.decode.resize_to_rgb import FrameConverter, FrameSize
from ivbench_data.video.rotation import read_rotation
from ivbench_data.video.verify import Depth, VerifyOptions, check_file_quick, verify_videos
from ivbench_data.video.whole_decode import find_ffmpeg
from ivbench_data.workspace import Workspace

Mutation = Callable[[bytes, np.random.Generator], bytes]
SOURCES = {
    "h264.mp4": ("libx264", {"bf": "2", "g": "12"}, {}),
    "fragmented.mp4": ("libx264", {"bf": "2", "g": "12"}, {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    "open_gop.mkv": ("libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1:b-pyramid=normal"}, {}),
    "h264.ts": ("libx264", {"bf": "2", "g": "12"}, {}),
    "vp9.webm": ("libvpx-vp9", {"g": "15", "b": "200k"}, {}),
    "mpeg4.avi": ("mpeg4", {"g": "12"}, {}),
    "mpeg2.mpg": ("mpeg2video", {"g": "12", "bf": "2"}, {}),
    "h264.flv": ("libx264", {"bf": "0", "g": "12"}, {}),
}
REMUXED = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".flv", ".mpg", ".wmv", ".3gp")
GRID = FrameGrid(nframes=1024, res=48)
SIZE = FrameSize(64, 48)
FRAMES = 36


def cut(content: bytes, random: np.random.Generator) -> bytes:
    return content[: int(random.integers(1, len(content)))]


def cut_front(content: bytes, random: np.random.Generator) -> bytes:
    return content[int(random.integers(1, len(content) // 2)) :]


def cut_out(content: bytes, random: np.random.Generator) -> bytes:
    at, count = int(random.integers(len(content))), int(random.integers(1, 2000))
    return content[:at] + content[at + count :]


def flip(content: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for at in random.integers(0, len(content), int(random.integers(1, 6))):
        changed[at] ^= 1 << int(random.integers(8))
    return bytes(changed)


def repeat(content: bytes, random: np.random.Generator) -> bytes:
    at, count = int(random.integers(len(content))), int(random.integers(1, 2000))
    return content[: at + count] + content[at:]


def double(content: bytes, random: np.random.Generator) -> bytes:
    return content + content


def append(content: bytes, random: np.random.Generator) -> bytes:
    return content + random.bytes(int(random.integers(1, 3000)))


MUTATIONS: dict[str, tuple[Mutation, int]] = {
    "cut": (cut, 7),
    "cut in front": (cut_front, 4),
    "cut out": (cut_out, 5),
    "flipped": (flip, 12),
    "repeated": (repeat, 3),
    "concatenated": (double, 1),
    "appended to": (append, 2),
}
"""What happens to a file, and how many times to each."""


def remux(source: Path, target: Path) -> bool:
    """The packets in another container; False where that takes none of them."""
    try:
        with av.open(str(source)) as read, av.open(str(target), "w") as written:
            stream = written.add_stream_from_template(read.streams.video[0])
            for packet in read.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    written.mux(packet)
    except (av.error.FFmpegError, ValueError):
        return False
    return target.is_file() and target.stat().st_size > 0


def decode_plainly(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame that a decoder shows which conceals what it can, by nothing of ours but the conversion."""
    frames: list[NDArray[np.uint8]] = []
    with av.open(str(path)) as container:
        best = container.streams.best("video")
        videos = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
        stream = next((video for video in videos if best and video.index == best.index), videos[0])
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"flags": "+bitexact"}
        packets: Iterator[av.Packet | None] = (packet for packet in container.demux(stream) if packet.size)
        for packet in [*packets, None]:
            try:
                shown = stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                continue
            for frame in shown:
                frames += FrameConverter(read_rotation(frame)).convert(frame, [SIZE])
    return frames


class Judges:
    """Everybody who examines a file, in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dataset = Dataset("set", (Video(video_id="v"),))
        self.dataset.save(root)
        self.workspace = Workspace(root, "set")
        self.workspace.videos.mkdir(parents=True)
        self.levels: Counter[str] = Counter()

    def examine(self, content: bytes, suffix: str, is_deep: bool) -> None:
        """Assert that all agree on the file, and that every frame in the cache is one that a plain decode shows."""
        for old in self.workspace.videos.iterdir():
            old.unlink()
        path = self.workspace.videos / f"v{suffix}"
        path.write_bytes(content)
        self.workspace.cache_path(GRID, "v").unlink(missing_ok=True)
        (cached,) = cache_frames(self.dataset, self.root, [GRID], CacheOptions(workers=0))
        depth: Depth = "deep" if is_deep else "default"
        (checked,) = verify_videos(self.dataset, self.root, depth, VerifyOptions(workers=0, recheck=True))
        every = self.judge_every_frame(path)
        self.levels[cached.level] += 1
        assert (cached.status == "done") == (cached.level in ("sound", "odd")) == every, (cached, every)
        assert (checked.status == "ok") == (checked.level in ("sound", "odd")), checked
        if "ffmpeg complains" in (checked.reason or ""):
            assert cached.level in ("sound", "odd"), (checked, cached)  # of what stands beside the frames
        elif is_deep or checked.level not in ("sound", "odd"):
            assert checked.level == cached.level, (checked, cached)
        if cached.level in ("sound", "odd"):
            plain = decode_plainly(path)
            clip = read_frames("set", "v", GRID, self.root)
            shown = dict(zip(clip.indices.tolist(), clip.frames, strict=True))
            assert len(shown) == len(plain), cached
            assert all(np.array_equal(frame, plain[index]) for index, frame in shown.items()), cached
            assert (np.diff(clip.pts_seconds[np.unique(clip.indices, return_index=True)[1]]) > 0).all()

    def judge_every_frame(self, path: Path) -> bool:
        """Whether packets and every frame pass, each by itself."""
        try:
            check_file_quick(path)
            check_every_frame(path)
        except VideoError:
            return False
        return True


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    for name, (codec, options, container_options) in SOURCES.items():
        images = list(media.draw_frames(FRAMES, 64, 48))
        media.write_video(folder / name, codec, images, options=options, container_options=container_options)
    return {name: folder / name for name in SOURCES}


@pytest.mark.full
@pytest.mark.skipif(find_ffmpeg() is None, reason="no ffmpeg: the extra `fetch` is not installed")
def test_all_agree_on_three_hundred_mutated_files(tmp_path: Path, sources: dict[str, Path]) -> None:
    judges, random, count = Judges(tmp_path / "root"), np.random.default_rng(14), 0
    for name, source in sources.items():
        content = source.read_bytes()
        for mutate, times in MUTATIONS.values():
            for _ in range(times):
                count += 1
                judges.examine(mutate(content, random), Path(name).suffix, is_deep=count % 10 == 0)
    other = list(sources.values())
    for first, second in zip(other, [*other[1:], other[0]], strict=True):
        count += 1
        judges.examine(first.read_bytes() + second.read_bytes(), first.suffix, is_deep=True)
    for source in sources.values():
        for suffix in REMUXED:
            target = tmp_path / f"remuxed{suffix}"
            if remux(source, target):
                count += 1
                judges.examine(target.read_bytes(), suffix, is_deep=count % 10 == 0)
            target.unlink(missing_ok=True)
    assert count >= 300
    assert min(judges.levels[level] for level in ("sound", "odd", "damaged")) >= 20, judges.levels


def test_all_agree_on_a_few_mutated_files(tmp_path: Path, sources: dict[str, Path]) -> None:
    judges, random = Judges(tmp_path / "root"), np.random.default_rng(7)
    for name in ("h264.mp4", "h264.ts"):
        content = sources[name].read_bytes()
        for mutate, _ in MUTATIONS.values():
            judges.examine(mutate(content, random), Path(name).suffix, is_deep=False)
    assert judges.levels["damaged"] >= 4
