"""Small videos made for the tests, and every way a file is broken in the wild."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

FPS = 12
WIDTH, HEIGHT = 320, 180


def draw_scenes(seconds: float, seed: int = 0, scene_seconds: float = 3.0) -> Iterator[np.ndarray]:
    """Frames uint8 [HEIGHT, WIDTH, 3]: textures that drift, another one every few seconds, with a little grain."""
    rng = np.random.default_rng(seed)
    frames_a_scene = round(scene_seconds * FPS)
    texture = np.empty(0)
    for at in range(round(seconds * FPS)):
        if at % frames_a_scene == 0:
            coarse = rng.integers(0, 256, (10, 18, 3), np.uint8)
            size = (WIDTH + frames_a_scene, HEIGHT)
            texture = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
        drift = at % frames_a_scene
        grain = rng.integers(0, 12, (HEIGHT, WIDTH, 1), np.uint8)
        yield np.clip(texture[:, drift : drift + WIDTH].astype(np.int16) + grain, 0, 255).astype(np.uint8)


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str = "libx264",
    fps: float = FPS,
    gop: int = 2 * FPS,
    movflags: str = "+faststart",
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """The frames as a video; an encoder's fastest setting."""
    fastest = {
        "libx264": {"preset": "ultrafast", "x264-params": "cabac=1"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    }[codec]
    options = {"movflags": movflags} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options={**options, **(container_options or {})}) as container:
        stream = container.add_stream(
            codec, rate=Fraction(fps).limit_denominator(1001), options={**fastest, **(codec_options or {})}
        )
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        for at, picture in enumerate(frames):
            if at == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = at, 1 / Fraction(fps).limit_denominator(1001)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_audio(path: Path, seconds: float = 2.0) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        for at in range(int(seconds * 48_000) // 1024):
            tone = np.sin(np.arange(at * 1024, (at + 1) * 1024) * 0.05).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, at * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, movflags: str = "+faststart") -> Path:
    """The same packets in another container."""
    options = {"movflags": movflags} if target.suffix == ".mp4" else {}
    with av.open(str(source)) as read, av.open(str(target), "w", options=options) as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = stream
                written.mux(packet)
    return target


def show_at_rate(source: Path, fps: float, height: int) -> Iterator[np.ndarray]:
    """What the video shows at every 1/fps of a second: uint8 `[height, W, 3]`, the aspect kept."""
    with av.open(str(source)) as container:
        stream = container.streams.best("video")
        assert isinstance(stream, av.VideoStream)
        start: float | None = None
        shown, count = None, 0
        for frame in container.decode(stream):
            start = frame.time if start is None else start
            while shown is not None and count / fps < frame.time - start - 1e-6:
                yield shown
                count += 1
            turns = round(frame.rotation / 90) % 4
            wide, high = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
            size = (round(wide * height / high / 2) * 2, height)
            width, height_coded = size[::-1] if turns % 2 else size
            scaled = frame.reformat(width=width, height=height_coded, format="rgb24", interpolation="AREA")
            shown = np.rot90(scaled.to_ndarray(), turns)
        assert shown is not None
        yield shown


def letterbox(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The pictures with black bars above and below, a third of their height each."""
    for picture in frames:
        bar = picture.shape[0] // 6 * 2
        yield np.pad(picture, ((bar, bar), (0, 0), (0, 0)))


# --- faults -----------------------------------------------------------------------------------------------------


def list_boxes(content: bytes) -> list[tuple[int, int, bytes]]:
    """Start, end and type of each top-level box of an MP4 file."""
    boxes, at = [], 0
    while at < len(content):
        size, name = struct.unpack(">I4s", content[at : at + 8])
        boxes.append((at, at + size, name))
        at += size
    return boxes


def find_media(content: bytes) -> tuple[int, int]:
    """Where the media's bytes lie: the `mdat` box of an MP4; all but the first and last kilobytes of another file."""
    if content[4:8] != b"ftyp":
        return 4_096, len(content) - 4_096
    return next((start + 8, end) for start, end, name in list_boxes(content) if name == b"mdat")


def cut(content: bytes, share: float) -> bytes:
    return content[: round(len(content) * (1 - share))]


def flip_bits(content: bytes, count: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    start, end = find_media(content)
    broken = bytearray(content)
    for at in rng.choice(np.arange(start + 64, end), count, replace=False):
        broken[at] ^= 1 << int(rng.integers(8))
    return bytes(broken)


def punch_hole(content: bytes, size_bytes: int, at_share: float = 0.5) -> bytes:
    start, end = find_media(content)
    at = start + round((end - start) * at_share)
    return content[:at] + bytes(size_bytes) + content[at + size_bytes :]


def overwrite(content: bytes, size_bytes: int, at_share: float = 0.5) -> bytes:
    """Other bytes where there was data, and nothing about them that stands out."""
    start, end = find_media(content)
    at = start + round((end - start) * at_share)
    return content[:at] + np.random.default_rng(0).bytes(size_bytes) + content[at + size_bytes :]


def zero_tail(content: bytes, share: float = 0.2) -> bytes:
    kept = round(len(content) * (1 - share))
    return content[:kept] + bytes(len(content) - kept)


def drop_fragment(content: bytes, which: int = 4) -> bytes:
    """A fragmented MP4 without one of its `moof` + `mdat` pairs, as a downloader leaves it that skips a failed one."""
    boxes = list_boxes(content)
    moof = [at for at, (_, _, name) in enumerate(boxes) if name == b"moof"][which]
    return content[: boxes[moof][0]] + content[boxes[moof + 1][1] :]


FAULTS_OF_A_FILE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "cut by 0.1%": ("quick", lambda content: cut(content, 0.001)),
    "cut by 10%": ("quick", lambda content: cut(content, 0.1)),
    "cut by 50%": ("quick", lambda content: cut(content, 0.5)),
    "0 bytes": ("quick", lambda content: b""),
    "all zeros": ("quick", lambda content: bytes(len(content))),
    "a web page": ("quick", lambda content: b"<!DOCTYPE html><html><body>Sign in</body></html>" * 200),
    "a playlist": ("quick", lambda content: b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/hostname\n"),
    "last 20% zeroed": ("quick", zero_tail),
    "a hole of a fifth": ("quick", lambda content: punch_hole(content, len(content) // 5)),
    "a 64 kB hole": ("quick", lambda content: punch_hole(content, 65_536)),
    "a 4 kB hole": ("quick", lambda content: punch_hole(content, 4_096)),
    "a fifth overwritten": ("default", lambda content: overwrite(content, len(content) // 5)),
    "64 kB overwritten": ("deep", lambda content: overwrite(content, 65_536)),
    "20 bits flipped": ("deep", lambda content: flip_bits(content, 20)),
    "1 bit flipped": ("deep", lambda content: flip_bits(content, 1)),
}
"""Every fault that bytes alone can make, and the depth that is promised to find it in H.264."""
