"""Test files for the benchmarks: nine minutes each, with the frame's number drawn into every frame.

At least two minutes of different footage (a folder of your own videos, or the demo's) are encoded once and looped by
copying packets. Each frame carries its number in the loop as sixteen black or white blocks along its lower edge, so
that a peer's frame can be recognised however it was scaled or converted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SECONDS = 540
LOOP_SECONDS = 135
RATE = 30
BITS = 16


@dataclass(frozen=True)
class Recipe:
    """How one file is encoded."""

    name: str
    container: str
    codec: str
    height: int
    bit_rate: int
    options: dict[str, str]
    is_variable_rate: bool = False


_X264 = {"preset": "medium", "g": "150", "bf": "3", "refs": "3", "threads": "2"}
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("h264-720p", "mp4", "libx264", 720, 2_000_000, _X264),
        Recipe("h264-360p", "mp4", "libx264", 360, 700_000, _X264),
        Recipe("h264-vfr-360p", "mp4", "libx264", 360, 700_000, _X264, is_variable_rate=True),
        Recipe(
            "hevc-360p", "mp4", "libx265", 360, 500_000, {"preset": "fast", "x265-params": "keyint=150:log-level=1"}
        ),
        Recipe("vp9-360p", "webm", "libvpx-vp9", 360, 500_000, {"deadline": "realtime", "cpu-used": "6", "g": "150"}),
        Recipe("av1-360p", "mp4", "libsvtav1", 360, 500_000, {"preset": "10", "g": "150"}),
    )
}


def make_footage(recipe: Recipe, sources: list[Path], folder: Path) -> Path:
    """The file of that recipe in the folder; made when it is not there yet."""
    path = folder / f"{recipe.name}.{recipe.container}"
    if path.exists():
        return path
    print(f"making {path.name} from {len(sources)} videos …", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    loop = folder / f"loop-{path.name}"
    _encode_loop(recipe, sources, loop)
    temporary = folder / f"unfinished-{path.name}"
    _repeat(loop, temporary)
    temporary.rename(path)
    loop.unlink()
    return path


def read_frame_number(frame: NDArray[np.uint8]) -> int:
    """The number drawn into a frame, uint8 `[H, W, 3]` of any size; -1 when it cannot be read."""
    height, width = frame.shape[:2]
    row = frame[-max(1, height // 40)].mean(axis=-1)
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    levels = row[centres]
    if np.any((levels > 90) & (levels < 165)):
        return -1
    return int(sum(1 << bit for bit, level in enumerate(levels) if level > 127))


def _encode_loop(recipe: Recipe, sources: list[Path], path: Path) -> None:
    width = round(recipe.height * 16 / 9 / 2) * 2
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(recipe.codec, rate=RATE, options=recipe.options)
        stream.width, stream.height, stream.pix_fmt = width, recipe.height, "yuv420p"
        stream.bit_rate = recipe.bit_rate
        stream.time_base = Fraction(1, 90_000)
        stream.codec_context.time_base = Fraction(1, 90_000)
        for number, picture in enumerate(_read_pictures(sources, width, recipe.height)):
            frame = av.VideoFrame.from_ndarray(_stamp(picture, number), format="rgb24").reformat(format="yuv420p")
            jitter = (number * 7919 % 5 - 2) * 500 if recipe.is_variable_rate else 0
            frame.pts, frame.time_base = max(0, number * 3000 + jitter), Fraction(1, 90_000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _read_pictures(sources: list[Path], width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """uint8 `[H, W, 3]` frames, LOOP_SECONDS of them, from one source after the other."""
    wanted = LOOP_SECONDS * RATE
    while wanted > 0:
        for source in sources:
            with av.open(str(source)) as container:
                for frame in container.decode(video=0):
                    yield frame.reformat(width, height, "rgb24").to_ndarray().astype(np.uint8, copy=False)
                    wanted -= 1
                    if wanted <= 0:
                        return


def _stamp(picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    stamped = picture.copy()
    edges = [round(bit * width / BITS) for bit in range(BITS + 1)]
    for bit in range(BITS):
        stamped[-height // 15 :, edges[bit] : edges[bit + 1]] = 235 if number >> bit & 1 else 20
    return stamped


def _repeat(loop: Path, path: Path) -> None:
    """Copy the loop's packets one pass after another, until SECONDS are full."""
    with av.open(str(path), "w") as output:
        stream = None
        for turn in range(SECONDS // LOOP_SECONDS):
            with av.open(str(loop)) as source:
                if stream is None:
                    stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
                shift = int(turn * LOOP_SECONDS / (source.streams.video[0].time_base or Fraction(1)))
                for packet in source.demux(source.streams.video[0]):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    output.mux(packet)
