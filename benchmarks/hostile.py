"""What tools make of odd files: the right size, frame, time and colour, or what goes wrong.

    make benchmark-hostile                                  # in an environment of its own
    python benchmarks/hostile.py --folder /tmp/hostile      # make the files, let every installed tool read them, print

Each tool is asked, in a process of its own, for six frames of each file by their numbers. The truth is how the file was
made: which pictures a player shows, when and how large; pictures are recognised by the number drawn into them. PyAV
decodes every file from its beginning, so its frames are also the check of what was made. `-` says that a tool is not
installed. Tools whose own releases come without FFmpeg (torchcodec) use the one inside PyAV's wheel.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hostile_media import KINDS, Picture, Truth, measure_colour_error, read_number

TIME_TOLERANCE, COLOUR_TOLERANCE = 0.021, 8.0
"""Half a frame, in seconds; levels of 255."""
TIMEOUT_SECONDS = 90
TESTED_FRAMES = 6


@dataclass(frozen=True)
class Reading:
    """What a tool gives of one file."""

    frames: int
    """How many frames it says there are."""
    pictures: dict[int, Picture]
    """uint8 `[H, W, 3]` by frame number."""
    seconds: dict[int, float]
    """When it says they are shown."""
    remark: str = ""
    """What it says about the file."""


def choose(frames: int) -> list[int]:
    """The frames that are asked for."""
    return sorted({round(at) for at in np.linspace(0, frames - 1, TESTED_FRAMES)})


# --- tools --------------------------------------------------------------------------------------------------------


def read_by_us(path: Path, truth: Truth, maps_and_rebuilds: bool = False) -> Reading:
    """`ivbench-data cache`, as it is called without options; or with `--deint --tm`."""
    from ivbench_data.dataset import Dataset
    from ivbench_data.frames.cache import CacheOptions, cache_frames
    from ivbench_data.frames.reader import read_frames
    from ivbench_data.schema import FrameGrid, Video

    with tempfile.TemporaryDirectory() as root:
        dataset = Dataset("hostile", videos=(Video(video_id=path.stem),))
        videos = dataset.save(root).videos
        videos.mkdir(parents=True)
        (videos / path.name).write_bytes(path.read_bytes())
        grid = FrameGrid(
            nframes=TESTED_FRAMES, res=min(truth.size), deinterlace=maps_and_rebuilds, tone_map=maps_and_rebuilds
        )
        (row,) = cache_frames(dataset, root, [grid], CacheOptions(workers=0))
        if row.status != "done":
            raise ValueError(row.reason)
        clip = read_frames("hostile", path.stem, grid, root)
        indices = [int(index) for index in clip.indices]
        pictures = dict(zip(indices, clip.frames.transpose(0, 2, 3, 1), strict=True))
        seconds = dict(zip(indices, map(float, clip.pts_seconds), strict=True))
        return Reading(indices[-1] + 1, {at: np.array(one) for at, one in pictures.items()}, seconds, row.reason or "")


def read_by_torchcodec(path: Path, truth: Truth) -> Reading:
    """A `VideoDecoder` of torchcodec, exact seeking, its default."""
    from torchcodec.decoders import VideoDecoder

    decoder: Any = VideoDecoder(str(path), dimension_order="NHWC")
    frames = {at: decoder.get_frame_at(at) for at in choose(len(truth.numbers)) if at < len(decoder)}
    pictures = {at: frame.data.numpy() for at, frame in frames.items()}
    return Reading(len(decoder), pictures, {at: float(frame.pts_seconds) for at, frame in frames.items()})


def read_by_decord(path: Path, truth: Truth) -> Reading:
    """A `VideoReader` of decord."""
    import decord

    reader = decord.VideoReader(str(path))
    numbers = [at for at in choose(len(truth.numbers)) if at < len(reader)]
    pictures = {at: reader[at].asnumpy() for at in numbers}
    return Reading(len(reader), pictures, {at: float(reader.get_frame_timestamp(at)[0]) for at in numbers})


def read_by_opencv(path: Path, truth: Truth) -> Reading:
    """OpenCV's `VideoCapture`, a seek a frame."""
    import cv2

    capture: Any = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if not capture.isOpened():
        raise ValueError("it does not open")
    pictures, seconds = {}, {}
    for at in choose(len(truth.numbers)):
        capture.set(cv2.CAP_PROP_POS_FRAMES, at)
        is_read, picture = capture.read()
        if is_read:
            pictures[at], seconds[at] = picture[..., ::-1], capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    return Reading(frames, pictures, seconds)


def read_by_pyav(path: Path, truth: Truth) -> Reading:
    """PyAV, every frame of the first video stream from the beginning."""
    import av

    pictures: dict[int, Picture] = {}
    seconds: dict[int, float] = {}
    number = -1
    wanted = choose(len(truth.numbers))
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                pictures[number] = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                seconds[number] = float(frame.time or 0)
    return Reading(number + 1, pictures, seconds)


TOOLS: dict[str, tuple[str, Callable[[Path, Truth], Reading]]] = {
    "ours": ("ivbench_data", read_by_us),
    "ours, --deint --tm": ("ivbench_data", partial(read_by_us, maps_and_rebuilds=True)),
    "torchcodec": ("torchcodec", read_by_torchcodec),
    "decord": ("decord", read_by_decord),
    "OpenCV": ("cv2", read_by_opencv),
    "PyAV": ("av", read_by_pyav),
}
"""Each tool's module, and how it reads a file."""
DISTRIBUTIONS = {"ours": "ivbench-data", "OpenCV": "opencv-python-headless", "PyAV": "av"}


# --- the measure --------------------------------------------------------------------------------------------------


def find_faults(reading: Reading, truth: Truth) -> list[str]:
    """What is not as a player shows it, in a few words each."""
    faults = []
    if reading.frames != len(truth.numbers):
        faults.append(f"{reading.frames} frames for {len(truth.numbers)}")
    # where a tool counts other frames, it is asked whether those it gives are the ones of their numbers
    known = {at: picture for at, picture in reading.pictures.items() if at < len(truth.numbers)}
    if not known:
        return [*faults, "gives no frame"]
    sizes = {(picture.shape[1], picture.shape[0]) for picture in known.values()}
    if sizes != {truth.size}:
        faults.append("size " + ", ".join(f"{width}×{height}" for width, height in sorted(sizes, reverse=True)))
    numbers = {at: read_number(_cut_to(picture, truth)) for at, picture in known.items()}
    if any(number == -1 for number in numbers.values()):
        faults.append("picture unreadable")
    elif any(number != truth.numbers[at] for at, number in numbers.items()) or len(known) < TESTED_FRAMES:
        faults.append("other frames")
    shift = reading.seconds[min(known)] - truth.seconds[min(known)] if truth.is_from_zero else 0.0
    late = max(abs(reading.seconds[at] - shift - truth.seconds[at]) for at in known)
    if late > TIME_TOLERANCE:
        faults.append(f"times off by {late:.2f} s" if late < 100 else f"times off by {late:.0f} s")
    error = float(np.median([measure_colour_error(picture) for picture in known.values()]))
    if error > COLOUR_TOLERANCE and "picture unreadable" not in faults:
        faults.append(f"colours off by {error:.0f}")
    return faults


def _cut_to(picture: Picture, truth: Truth) -> Picture:
    """The part that a player shows of a picture with its hidden edges, so that its number can be read."""
    height, width = picture.shape[:2]
    wide, high = truth.size
    down, across = (height - high) // 2, (width - wide) // 2
    is_uncut = down > 0 and across > 0 and down == across
    return picture[down : down + high, across : across + wide] if is_uncut else picture


def describe(reading: Reading, truth: Truth) -> str:
    """The cell of the table."""
    faults = find_faults(reading, truth)
    remark = f" (says: {reading.remark})" if reading.remark else ""
    return ("; ".join(faults) or "right") + remark


def run_tool(tool: str, files: dict[str, tuple[Path, Truth]]) -> dict[str, str]:
    """The tool's cells by kind; a file that ends or stalls its process is named, and the next ones are read."""
    cells: dict[str, str] = {}
    if importlib.util.find_spec(TOOLS[tool][0]) is None:
        return dict.fromkeys(files, "–")
    for kind, (path, made) in files.items():
        truth = json.dumps([made.numbers, made.seconds, made.size, made.is_from_zero])
        command = [sys.executable, __file__, "--once", tool, str(path), truth]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT_SECONDS,
                env=_environment(path.parent),
            )
        except subprocess.TimeoutExpired:
            cells[kind] = f"hangs ({TIMEOUT_SECONDS} s)"
            continue
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"cell"')]
        cells[kind] = json.loads(lines[-1])["cell"] if lines else f"crashes (exit {done.returncode})"
    return cells


def _environment(folder: Path) -> dict[str, str]:
    """This process's, and PyAV's FFmpeg under the names that torchcodec looks for."""
    import av

    libraries = Path(av.__file__).parent.parent / "av.libs"
    links = folder / "ffmpeg"
    if libraries.is_dir() and not links.exists():
        links.mkdir()
        for library in libraries.iterdir():
            (links / library.name).symlink_to(library)
            name, _, version = library.name.partition(".so.")
            if name.startswith(("libav", "libsw")):
                (links / f"{name.split('-')[0]}.so.{version.split('.')[0]}").symlink_to(library)
    return {**os.environ, "LD_LIBRARY_PATH": str(links), "OPENCV_LOG_LEVEL": "OFF"}


def run_once(tool: str, path: Path, truth: Truth) -> None:
    """Read one file with one tool and print its cell."""
    try:
        cell = describe(TOOLS[tool][1](path, truth), truth)
    except Exception as error:  # noqa: BLE001  whatever a tool raises is its answer
        message = " ".join(str(error).split()).replace(path.name, "").strip(": ")
        cell = f"refuses: {message[:90] or type(error).__name__}"
    print(json.dumps({"cell": cell}), flush=True)


def main() -> None:
    """Parse, make the files, read them, print the table."""
    if sys.argv[1:2] == ["--once"]:
        numbers, seconds, (width, height), is_from_zero = json.loads(sys.argv[4])
        run_once(sys.argv[2], Path(sys.argv[3]), Truth(tuple(numbers), tuple(seconds), (width, height), is_from_zero))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where test files are made, and kept")
    parser.add_argument("--kinds", default="", help="kinds to take, with commas between; all by default")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    kinds = [kind for kind in KINDS if not options.kinds or kind in options.kinds.split(",")]
    files = {kind: KINDS[kind](options.folder) for kind in kinds}
    cells = {tool: run_tool(tool, files) for tool in TOOLS}
    names = [f"{tool} {_version(tool)}".strip() for tool in TOOLS]
    print(f"{platform.machine()}, Python {platform.python_version()}\n\n| file | {' | '.join(names)} |")
    print("|---" * (1 + len(names)) + "|")
    for kind in kinds:
        print(f"| {kind} | " + " | ".join(cells[tool][kind].replace("|", "\\|") for tool in TOOLS) + " |")


def _version(tool: str) -> str:
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(tool, tool)) if not tool.startswith("ours") else ""
    except importlib.metadata.PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main()
