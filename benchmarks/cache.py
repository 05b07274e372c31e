"""How fast frames are extracted and read back, beside other tools and beside the limit.

    python benchmarks/cache.py --folder /tmp/footage --footage DIR        # make test files, measure, print tables

Every tool runs once a round, in a process of its own, rounds interleaved; figures are medians of CPU seconds (user
and system) of the work alone, imports and start-up left out, and ratios to ours. Frames are recognised by the number
drawn into them. The limit knows beforehand which packets FFmpeg itself needs (found with its own `skip_frame`, not
with our scanner), holds them in memory, and does nothing but decode and convert them.

Peers are measured when they are installed: torchcodec, decord, opencv-python-headless; and `ffmpeg` when it is on the
path.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grid = tuple[int, int]
Frames = list[NDArray[np.uint8]]
"""One uint8 `[T, H, W, 3]` a grid."""

ONE_GRID = "32x240"
EQUAL_BUDGET = "8x720,16x480,32x360,64x240,128x144,256x108,512x72"


def cpu_seconds() -> float:
    """User and system time of this process and the children it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def plan_indices(frames: int, nframes: int) -> list[int]:
    """`round(linspace(0, n-1, N))`, as every tool is asked for."""
    return [int(index) for index in np.linspace(0, frames - 1, nframes).round()]


# --- tools: (path, frames in the file, grids as (nframes, height)) -> frames and what else there is to tell -------


def run_ours(path: Path, frames: int, grids: list[Grid]) -> tuple[Frames, dict[str, Any]]:
    """One pass of our engine for all grids, scan included."""
    from ivbench_data.schema import FrameGrid
    from ivbench_data.video.decode import FrameRequest, extract_frames, scan_video

    scan = scan_video(path)
    requests = [
        FrameRequest(tuple(plan_indices(scan.frames, n)), *FrameGrid(nframes=n, res=res).size_of(*scan.displayed_size))
        for n, res in grids
    ]
    arrays, report = extract_frames(scan, requests)
    details = {"packets": report.packets_fed, "path": report.decode_path, "frames": scan.frames}
    return [array.transpose(0, 2, 3, 1) for array in arrays], details


def run_ours_per_grid(path: Path, frames: int, grids: list[Grid]) -> tuple[Frames, dict[str, Any]]:
    """Our engine, a pass a grid."""
    made = [run_ours(path, frames, [grid]) for grid in grids]
    return [arrays[0] for arrays, _ in made], {"packets": sum(details["packets"] for _, details in made)}


def run_ours_to_disk(path: Path, frames: int, grids: list[Grid]) -> tuple[Frames, dict[str, Any]]:
    """Our engine with all that `ivbench-data cache` does: the source's digest, the files written and synced."""
    import tempfile

    from ivbench_data.frames.cache import CacheTask, cache_video
    from ivbench_data.frames.reader import read_frames
    from ivbench_data.schema import FrameGrid
    from ivbench_data.workspace import Workspace

    with tempfile.TemporaryDirectory(dir=path.parent) as root:
        workspace = Workspace(Path(root), "benchmark")
        workspace.videos.mkdir(parents=True)
        (workspace.videos / path.name).symlink_to(path)
        wanted = tuple(FrameGrid(nframes=n, res=res) for n, res in grids)
        rows = cache_video(CacheTask(workspace, path.stem, wanted))
        clips = [read_frames("benchmark", path.stem, grid, root).frames for grid in wanted]
        return [clip.transpose(0, 2, 3, 1) for clip in clips], {"packets": rows[0].frames_decoded}


def run_torchcodec(path: Path, frames: int, grids: list[Grid]) -> tuple[Frames, dict[str, Any]]:
    """torchcodec, exact seeking, one thread, resizing in the decoder where the release can."""
    import torch
    from torchcodec.decoders import VideoDecoder

    torch.set_num_threads(1)
    made: Frames = []
    for n, res in grids:
        options: dict[str, Any] = {"seek_mode": "exact", "num_ffmpeg_threads": 1, "dimension_order": "NHWC"}
        if importlib.util.find_spec("torchcodec.transforms"):
            from torchcodec.transforms import Resize

            options["transforms"] = [Resize((res, _width(res)))]
        decoder = VideoDecoder(str(path), **options)
        made.append(decoder.get_frames_at(plan_indices(len(decoder), n)).data.numpy())
    return made, {}


def run_decord(path: Path, frames: int, grids: list[Grid]) -> tuple[Frames, dict[str, Any]]:
    """decord, one thread, resizing in the decoder."""
    import decord

    made: Frames = []
    for n, res in grids:
        reader = decord.VideoReader(str(path), num_threads=1, width=_width(res), height=res)
        made.append(reader.get_batch(plan_indices(len(reader), n)).asnumpy())
    return made, {}


def run_opencv(path: Path, frames: int, grids: list[Grid]) -> tuple[Frames, dict[str, Any]]:
    """OpenCV, a seek a frame, one thread."""
    import cv2

    cv2.setNumThreads(1)
    made: Frames = []
    for n, res in grids:
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        taken = []
        for index in plan_indices(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), n):
            capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            _, picture = capture.read()
            taken.append(cv2.resize(picture, (_width(res), res), interpolation=cv2.INTER_CUBIC)[..., ::-1])
        made.append(np.stack(taken))
    return made, {}


def run_pyav(path: Path, frames: int, grids: list[Grid]) -> tuple[Frames, dict[str, Any]]:
    """PyAV as people write it: seek to the keyframe before each frame's time, decode forward."""
    import av

    made: Frames = []
    for n, res in grids:
        taken = []
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            seconds_a_frame = 1 / float(stream.average_rate or 1)
            base = float(stream.time_base or 1)
            last_pts = -1
            for index in plan_indices(frames, n):
                target = round(index * seconds_a_frame / base)
                decoder = container.decode(stream)
                if target > last_pts:
                    container.seek(target, stream=stream)
                    decoder = container.decode(stream)
                for frame in decoder:
                    last_pts = frame.pts or 0
                    if last_pts >= target:
                        break
                taken.append(frame.reformat(_width(res), res, "rgb24", interpolation="BICUBIC").to_ndarray())
        made.append(np.stack(taken))
    return made, {}


def run_ffmpeg(path: Path, frames: int, grids: list[Grid]) -> tuple[Frames, dict[str, Any]]:
    """The ffmpeg program, selecting frames by number, one thread."""
    made: Frames = []
    for n, res in grids:
        choice = "+".join(f"eq(n\\,{index})" for index in plan_indices(frames, n))
        command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(path), "-filter_threads", "1"]
        command += ["-vf", f"select={choice},scale={_width(res)}:{res}:flags=bicubic", "-fps_mode", "passthrough"]
        output = subprocess.run(
            [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], stdout=subprocess.PIPE, check=True
        )
        made.append(np.frombuffer(output.stdout, np.uint8).reshape(-1, res, _width(res), 3))
    return made, {}


TOOLS: dict[str, Callable[[Path, int, list[Grid]], tuple[Frames, dict[str, Any]]]] = {
    "ours": run_ours,
    "ours, to disk": run_ours_to_disk,
    "ours, grid by grid": run_ours_per_grid,
    "torchcodec": run_torchcodec,
    "decord": run_decord,
    "opencv": run_opencv,
    "pyav": run_pyav,
    "ffmpeg": run_ffmpeg,
}


def _width(res: int) -> int:
    return round(res * 16 / 9 / 2) * 2


def is_installed(tool: str) -> bool:
    """Whether the tool can be measured here."""
    module = {"torchcodec": "torchcodec", "decord": "decord", "opencv": "cv2"}.get(tool)
    if tool == "ffmpeg":
        return shutil.which("ffmpeg") is not None
    return module is None or importlib.util.find_spec(module) is not None


# --- the limit ----------------------------------------------------------------------------------------------------


def run_limit(path: Path, grids: list[Grid]) -> dict[str, Any]:
    """Decode and convert the packets that FFmpeg needs for the wanted frames, from memory; nothing else is timed."""
    import av
    from av.video.reformatter import VideoReformatter

    with av.open(str(path)) as container:
        packets: list[Any] = [packet for packet in container.demux(video=0) if packet.size]
        context = container.streams.video[0].codec_context
        context.thread_count = 1
        context.skip_frame = "NONREF"
        referred = {frame.pts for packet in packets for frame in context.decode(packet)}
        referred |= {frame.pts for frame in context.decode(None)}
    order = sorted(packet.pts for packet in packets)
    places: dict[int, list[int]] = {}
    for number, (n, _) in enumerate(grids):
        for index in plan_indices(len(order), n):
            places.setdefault(order[index], []).append(number)
    groups: list[list[Any]] = []
    for packet in packets:
        if packet.is_keyframe:
            groups.append([])
        groups[-1].append(packet)
    needed = []
    for group in groups:
        last = max((number for number, packet in enumerate(group) if packet.pts in places), default=-1)
        kept = [packet for packet in group[: last + 1] if packet.pts in referred or packet.pts in places]
        if kept:
            needed.append(kept)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        context.thread_count = 1
        flags = 4 | 0x40000 | 0x80000
        reformatters = [VideoReformatter() for _ in grids]
        extra = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
        before, started = cpu_seconds(), time.perf_counter()
        for group in needed:
            for packet in (*group, None):
                for frame in context.decode(packet):
                    for number in places.get(frame.pts or 0, ()):
                        res = grids[number][1]
                        reformatters[number].reformat(frame, _width(res), res, "gbrp", interpolation=flags, **extra)
            context.flush_buffers()
        used = cpu_seconds() - before
    packets_needed = sum(map(len, needed))
    return {"cpu": used, "wall": time.perf_counter() - started, "packets": packets_needed, "exact": "–"}


# --- one run ------------------------------------------------------------------------------------------------------


def run_once(tool: str, path: Path, frames: int, grids: list[Grid]) -> dict[str, Any]:
    """CPU and wall seconds of one tool's work in this process, and how many of its frames are the right ones."""
    if tool == "limit":
        return run_limit(path, grids)
    from footage import LOOP_SECONDS, RATE, read_frame_number

    work = TOOLS[tool]
    ours = ("ivbench_data.video.decode", "ivbench_data.frames.cache")
    for module in (*ours, "torchcodec.decoders", "decord", "cv2", "av"):
        if tool.split(",")[0] in ("ours", "pyav") and module.startswith(("torch", "decord", "cv2")):
            continue
        if tool in ("torchcodec", "decord", "opencv", "ffmpeg") and module.startswith(("ivbench", "av")):
            continue
        if importlib.util.find_spec(module.split(".")[0]):
            importlib.import_module(module)
    before, started = cpu_seconds(), time.perf_counter()
    made, details = work(path, frames, grids)
    used = {"cpu": cpu_seconds() - before, "wall": time.perf_counter() - started}
    right = wanted = 0
    for (n, res), pictures in zip(grids, made, strict=True):
        if res < 144:
            continue  # the numbers cannot be read at that size
        for index, picture in zip(plan_indices(frames, n), pictures, strict=True):
            wanted += 1
            right += read_frame_number(picture) == index % (LOOP_SECONDS * RATE)
    return {**used, **details, "exact": f"{right}/{wanted}"}


def check_identity(path: Path, grids: list[Grid]) -> str:
    """Whether our frames equal, bit for bit, those of a plain sequential decode."""
    from dataclasses import replace

    from ivbench_data.schema import FrameGrid
    from ivbench_data.video.decode import FrameRequest, extract_frames, scan_video

    scan = scan_video(path)
    requests = [
        FrameRequest(tuple(plan_indices(scan.frames, n)), *FrameGrid(nframes=n, res=res).size_of(*scan.displayed_size))
        for n, res in grids
    ]
    ours, report = extract_frames(scan, requests)
    plain, _ = extract_frames(replace(scan, sequential_reason="asked for"), requests)
    same = all(np.array_equal(one, other) for one, other in zip(ours, plain, strict=True))
    return f"{report.decode_path}: {'bit-identical to' if same else 'NOT EQUAL TO'} a sequential decode"


# --- many runs ----------------------------------------------------------------------------------------------------


def measure(path: Path, grid_names: str, tools: list[str], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Every tool once a round, each in a process of its own."""
    import av

    with av.open(str(path)) as container:
        frames = sum(1 for packet in container.demux(video=0) if packet.size)
    runs: dict[str, list[dict[str, Any]]] = {tool: [] for tool in tools}
    for number in range(rounds):
        for tool in tools:
            command = [sys.executable, __file__, "--once", tool, str(path), str(frames), grid_names]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
            if done.returncode:
                runs[tool].append({"error": done.returncode})
                continue
            runs[tool].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"  round {number + 1}: {tool}: {runs[tool][-1]['cpu']:.2f} s of CPU", file=sys.stderr)
    return runs


def print_table(title: str, runs: dict[str, list[dict[str, Any]]]) -> None:
    """A Markdown table of medians and of the ratios to ours, pair by pair."""
    print(f"\n### {title}\n\n| tool | CPU s | wall s | ours ÷ it (CPU) | packets fed | right frames |")
    print("|---|---|---|---|---|---|")
    ours = [run["cpu"] for run in runs["ours"]]
    for tool, of_tool in runs.items():
        if any("error" in run for run in of_tool):
            print(f"| {tool} | failed | | | | |")
            continue
        cpu = statistics.median(run["cpu"] for run in of_tool)
        wall = statistics.median(run["wall"] for run in of_tool)
        ratio = statistics.median(own / run["cpu"] for own, run in zip(ours, of_tool, strict=True))
        last = of_tool[-1]
        print(f"| {tool} | {cpu:.2f} | {wall:.2f} | {ratio:.2f} | {last.get('packets', '')} | {last['exact']} |")


def measure_reading(folder: Path, rounds: int) -> None:
    """Reading one clip of 32×240, every byte, against copying as many bytes from memory."""
    from safetensors.numpy import load_file

    from ivbench_data.frames.frame_file import read_frame_file, write_frame_file

    frames = np.random.default_rng(0).integers(0, 256, (32, 3, 240, 426), np.uint8)
    path = folder / "reading.safetensors"
    metadata = {"grid": "32x240", "video_id": "reading", "source_sha256": "0" * 64}
    with write_frame_file(path, (426, 240), np.arange(32.0), np.arange(32), metadata) as writer:
        for position, frame in enumerate(frames):
            writer.put(position, frame)
    target = np.empty_like(frames)

    def copy_from_memory() -> None:
        np.copyto(target, frames)

    def read_mapped() -> None:
        np.copyto(target, read_frame_file(path).frames)

    def read_into_buffer() -> None:
        read_frame_file(path).copy_frames(target)

    def read_by_safetensors() -> None:
        load_file(path)

    works = {
        "memcpy": copy_from_memory,
        "ours, into a buffer": read_into_buffer,
        "ours, mapped": read_mapped,
        "safetensors": read_by_safetensors,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(max(30, rounds * 10)):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    print("\n### Reading 32×240 (9.8 MB), every byte, warm\n\n| way | ms | it ÷ memcpy |\n|---|---|---|")
    for name, taken in times.items():
        ratio = statistics.median(one / copy for one, copy in zip(taken, times["memcpy"], strict=True))
        print(f"| {name} | {1000 * statistics.median(taken):.2f} | {ratio:.2f} |")
    path.unlink()


def measure_workers(path: Path, rounds: int) -> None:
    """Videos a second of two workers against one, on eight copies of a video."""
    import tempfile

    from ivbench_data.dataset import Dataset
    from ivbench_data.frames.cache import CacheOptions, cache_frames
    from ivbench_data.schema import FrameGrid, Video

    ratios = []
    for _ in range(rounds):
        taken = {}
        for workers in (1, 2):
            with tempfile.TemporaryDirectory(dir=path.parent) as root:
                videos = Path(root) / "benchmark" / "videos"
                videos.mkdir(parents=True)
                names = [f"copy{number}" for number in range(8)]
                for name in names:
                    (videos / f"{name}{path.suffix}").symlink_to(path)
                dataset = Dataset("benchmark", tuple(Video(video_id=name) for name in names))
                started = time.perf_counter()
                grid = FrameGrid(nframes=32, res=240)
                rows = list(cache_frames(dataset, root, [grid], CacheOptions(workers=workers)))
                assert all(row.status == "done" for row in rows), rows
                taken[workers] = time.perf_counter() - started
        ratios.append(taken[1] / taken[2])
    print(f"\n### Workers\n\nTwo workers are {statistics.median(ratios):.2f}× as fast as one (wall, eight videos).")


def main() -> None:
    """Parse, make the files, measure, print."""
    if sys.argv[1:2] == ["--once"]:
        tool, file, frames, grid_names = sys.argv[2:6]
        grids = [(int(n), int(res)) for n, res in (name.split("x") for name in grid_names.split(","))]
        print(json.dumps(run_once(tool, Path(file), int(frames), grids)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where test files are made, and kept")
    parser.add_argument(
        "--footage", type=Path, help="folder of your own videos, two minutes or more; default: the demo's"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", default="h264-720p,h264-360p,h264-vfr-360p,hevc-360p,vp9-360p,av1-360p")
    parser.add_argument("--tools", default=",".join(tool for tool in TOOLS if "," not in tool))
    parser.add_argument("--skip", default="", help="parts to leave out: extract, grids, workers, reading")
    options = parser.parse_args()
    from footage import RECIPES, make_footage

    sources = sorted(options.footage.glob("*.mp4")) if options.footage else _demo_videos(options.folder)
    files = {name: make_footage(RECIPES[name], sources, options.folder) for name in options.files.split(",")}
    tools = [tool for tool in options.tools.split(",") if is_installed(tool)]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if "extract" not in options.skip:
        for name, path in files.items():
            print(f"\n{name}: {check_identity(path, [(32, 240)])}")
            measured = ["ours", "limit", "ours, to disk", *tools[1:]]
            print_table(f"32×240 of nine minutes, {name}", measure(path, ONE_GRID, measured, options.rounds))
    if "grids" not in options.skip and "h264-360p" in files:
        measured = [
            "ours",
            "limit",
            "ours, grid by grid",
            *(tool for tool in tools if tool in ("torchcodec", "decord")),
        ]
        runs = measure(files["h264-360p"], EQUAL_BUDGET, measured, options.rounds)
        print_table("The seven equal-budget grids of nine minutes, h264-360p", runs)
    if "workers" not in options.skip:
        measure_workers(next(iter(files.values())), options.rounds)
    if "reading" not in options.skip:
        measure_reading(options.folder, options.rounds)


def _demo_videos(folder: Path) -> list[Path]:
    from ivbench_data.sources.demo import make_demo

    return sorted(file.path for file in make_demo(folder / "demo") if file.path.parent.name == "videos")


if __name__ == "__main__":
    main()
