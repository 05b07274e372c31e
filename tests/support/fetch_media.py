"""Small videos of a few kilobytes, as one file, as HLS and as DASH, for the loopback server."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

RATE, SIDE_RATE = 10, 16_000


@cache
def make_video(shade: int = 0, seconds: int = 4) -> bytes:
    """An H.264 MP4, index in front; another shade is another video."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        _encode(path, None, {"movflags": "faststart"}, shade, seconds, with_audio=False)
        return path.read_bytes()


@cache
def make_long_video() -> bytes:
    """A video of 400 kB: longer than what is held back before it is written to disk."""
    filling = 400_000
    return make_video() + filling.to_bytes(4, "big") + b"free" + b"\0" * (filling - 8)


@cache
def make_patterned_video(seed: int) -> bytes:
    """Four seconds of patches that change: as different from another seed's as two videos are."""
    random = np.random.default_rng(seed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
            video = out.add_stream("libx264", rate=RATE)
            video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
            for second in range(4):
                pixels = random.integers(0, 256, (6, 8, 3), np.uint8).repeat(16, 0).repeat(16, 1)
                for index in range(RATE):
                    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                    frame.pts, frame.time_base = second * RATE + index, Fraction(1, RATE)
                    out.mux(video.encode(frame))
            out.mux(video.encode())
        return path.read_bytes()


@cache
def make_hls() -> dict[str, bytes]:
    """A playlist and its fragments of one second, by file name."""
    return _make_parts("video.m3u8", "hls", {"hls_time": "1", "hls_list_size": "0"}, with_audio=False)


@cache
def make_dash() -> dict[str, bytes]:
    """A manifest and its fragments of one second, video and audio apart, by file name."""
    return _make_parts("video.mpd", "dash", {"seg_duration": "1"}, with_audio=True)


def _make_parts(name: str, container: str, options: dict[str, str], with_audio: bool) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        _encode(Path(folder) / name, container, options, 0, 4, with_audio)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _encode(
    path: Path, container: str | None, options: dict[str, str], shade: int, seconds: int, with_audio: bool
) -> None:
    with av.open(str(path), "w", format=container, options=options) as out:
        video = out.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.options = {"g": str(RATE), "preset": "ultrafast", "sc_threshold": "0"}
        audio = out.add_stream("aac", rate=SIDE_RATE, layout="mono") if with_audio else None
        for index in range(seconds * RATE):
            pixels = np.full((48, 64, 3), (index * 7 + shade) % 256, np.uint8)
            pixels[: 8 + index % 30, :16] = (shade * 31) % 256
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            out.mux(video.encode(frame))
            if audio is not None:
                samples = SIDE_RATE // RATE
                sound = av.AudioFrame.from_ndarray(np.zeros((1, samples), np.float32), format="fltp", layout="mono")
                sound.sample_rate, sound.pts, sound.time_base = SIDE_RATE, index * samples, Fraction(1, SIDE_RATE)
                out.mux(audio.encode(sound))
        out.mux(video.encode())
        if audio is not None:
            out.mux(audio.encode())
