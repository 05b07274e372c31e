"""How many questions a second a model answers: with the video shared by its questions, without, and the plain way.

    python benchmarks/evaluate.py                                          # a tiny random checkpoint, on the CPU
    python benchmarks/evaluate.py --model Qwen/Qwen2.5-VL-7B-Instruct --device cuda:0 --dtype bfloat16
    python benchmarks/evaluate.py --base-url http://localhost:8000/v1 --model Qwen/Qwen2.5-VL-7B-Instruct --skip-own

Videos are noise of the grid's size, with three questions each; nothing is downloaded but the model that is named. Ways
take turns, round after round, so that a busy machine is as hard on one as on another; figures are medians of
wall-clock seconds, after one video to warm up. The plain way is the model's own processor and `generate`, a question at
a time, and needs torchvision. Replies must be the same whichever way they came (in float32).
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ivbench_data.evaluate.models import ModelOptions, open_model
from ivbench_data.evaluate.prompts.compose import digest_prompt
from ivbench_data.evaluate.prompts.requests import Model, Request, TextPart, VideoPart
from ivbench_data.frames.frame_file import read_frame_file, write_frame_file
from ivbench_data.schema import FrameGrid

LETTERS = tuple("ABCDEFGHIJ")


def make_requests(root: Path, grid: FrameGrid, videos: int, questions: int, question_bytes: int) -> list[Request]:
    """Questions on videos of noise, 16:9, ten minutes long."""
    width, height = grid.size_of(16, 9)
    requests: list[Request] = []
    for number in range(videos):
        path = root / f"{number}.safetensors"
        pts = np.linspace(0.0, 590.0, grid.nframes)
        generator = np.random.default_rng(number)
        metadata = {"grid": grid.identity, "video_id": str(number), "source_sha256": "0" * 64}
        with write_frame_file(path, (width, height), pts, np.arange(grid.nframes), metadata) as writer:
            for at in range(grid.nframes):
                writer.put(at, generator.integers(0, 256, (3, height, width), np.uint8))
        clip = read_frame_file(path)
        video = VideoPart(
            video_id=str(number),
            path=path,
            grid=grid.identity,
            shape=(grid.nframes, 3, height, width),
            pts_seconds=tuple(pts.tolist()),
            positions=None,
            frames_digest=clip.frames_digest,
            duration_seconds=600.0,
        )
        for question in range(questions):
            text = f"Question {question}: which? ".ljust(question_bytes, ".") + "\n" + "\n".join(LETTERS)
            parts = (video, TextPart(text))
            requests.append(Request(f"{number}_{question}", 0, "video_only", parts, LETTERS, digest_prompt(parts)))
    return requests


def measure(ways: dict[str, Model], requests: Sequence[Request], rounds: int) -> dict[str, dict[str, Any]]:
    """By way: seconds of each round, replies of the last, and the visual share of the prompts."""
    first = [request for request in requests if request.video == requests[0].video]
    measured: dict[str, dict[str, Any]] = {name: {"seconds": []} for name in ways}
    for answer in ways.values():
        list(answer(first))
    for _ in range(rounds):
        for name, answer in ways.items():
            began = time.perf_counter()
            replies = sorted(answer(requests), key=lambda reply: reply.key)
            measured[name]["seconds"].append(time.perf_counter() - began)
            if failed := [reply.error for reply in replies if reply.error]:
                raise SystemExit(f"{name}: {failed[0]}")
            measured[name]["replies"] = [
                reply.text if reply.option_logprobs is None else int(np.argmax(reply.option_logprobs))
                for reply in replies
            ]
            measured[name]["prompt_tokens"] = replies[0].metadata.get("prompt_tokens")
            measured[name]["visual_tokens"] = replies[0].visual_tokens
    return measured


def open_ways(model: str, options: ModelOptions) -> dict[str, Model]:
    """The same checkpoint, three ways; the plain one where it can be had."""
    from ivbench_data.evaluate.models.transformers import load_weights, open_qwen

    ways: dict[str, Model] = {
        "fast, video shared": open_qwen(model, options),
        "fast, nothing shared": open_qwen(model, replace_options(options, batch_size=1), share_prefix=False),
    }
    if importlib.util.find_spec("torchvision") is None:
        print("without torchvision there is no plain way to compare with", file=sys.stderr)
        return ways
    from transformers import AutoProcessor

    from ivbench_data.evaluate.models.processor_vl import ProcessorVL

    make_processor: Callable[..., Any] = AutoProcessor.from_pretrained
    ways["plain processor + generate"] = ProcessorVL(
        load_weights(model, options),
        make_processor(model, revision=options.revision),
        likelihood=options.mode == "likelihood",
        max_new_tokens=options.max_new_tokens,
    )
    return ways


def replace_options(options: ModelOptions, **changed: Any) -> ModelOptions:
    """The options with some of them changed."""
    return options.model_copy(update=changed)


def make_tiny_model(folder: Path, family: str) -> str:
    """The tests' random checkpoint, and torchvision made ready for a CPU build of torch."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
    tiny_models: Any = importlib.import_module("tiny_models")
    tiny_models.prepare_torchvision()
    return str(tiny_models.make_qwen(folder / family, family))


def main() -> None:
    """Measure, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a Qwen2.5-VL or Qwen3-VL; a tiny random one when none is named")
    parser.add_argument("--family", choices=("qwen2_5_vl", "qwen3_vl"), default="qwen2_5_vl", help="of the tiny one")
    parser.add_argument("--grid", type=FrameGrid.parse, default="32x140-m28")
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--questions", type=int, default=3, help="a video")
    parser.add_argument("--question-bytes", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mode", choices=("generate", "likelihood"), default="likelihood")
    parser.add_argument("--max-new-tokens", type=int, default=16)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--attn")
    parser.add_argument("--threads", type=int, default=1, help="of torch, on the CPU")
    parser.add_argument("--base-url", help="also measure an OpenAI-compatible server that runs --model")
    parser.add_argument("--skip-own", action="store_true", help="measure the server alone")
    asked = parser.parse_args()
    options = ModelOptions(
        mode=asked.mode, max_new_tokens=asked.max_new_tokens, device=asked.device, dtype=asked.dtype, attn=asked.attn,
        base_url=asked.base_url,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        requests = make_requests(Path(folder), asked.grid, asked.videos, asked.questions, asked.question_bytes)
        ways: dict[str, Model] = {}
        if not asked.skip_own:
            import torch

            torch.set_num_threads(asked.threads)
            ways = open_ways(asked.model or make_tiny_model(Path(folder), asked.family), options)
        if asked.base_url:
            ways["server"] = open_model(f"openai:{asked.model}", replace_options(options, timeout_seconds=600.0))
        measured = measure(ways, requests, asked.rounds)
    report(measured, len(requests), is_exact=asked.dtype == "float32")


def report(measured: dict[str, dict[str, Any]], count: int, is_exact: bool) -> None:
    """Print the table, and the same as one line of JSON."""
    names = list(measured)
    slowest = statistics.median(measured[names[-1]]["seconds"])
    tokens, visual = measured[names[0]]["prompt_tokens"], measured[names[0]]["visual_tokens"]
    if visual is not None:
        print(f"{count} questions; {tokens} tokens a prompt, {100 * visual / tokens:.0f}% of them the video's\n")
    print(f"{'':28}{'questions/s':>12}{'median s':>10}{'faster':>8}   range of rounds, s")
    for name in names:
        seconds = measured[name]["seconds"]
        middle = statistics.median(seconds)
        measured[name]["questions_per_second"] = round(count / middle, 3)
        spread = f"{min(seconds):.3f}–{max(seconds):.3f}"
        print(f"{name:28}{count / middle:12.2f}{middle:10.3f}{slowest / middle:8.2f}   {spread}")
    same = all(measured[name]["replies"] == measured[names[0]]["replies"] for name in names)
    print(f"\nreplies are {'the same' if same else 'NOT the same'} whichever way")
    rows = {name: {key: row[key] for key in ("questions_per_second", "seconds")} for name, row in measured.items()}
    print(json.dumps({"questions": count, "prompt_tokens": tokens, "visual_tokens": visual, "ways": rows}))
    if is_exact and not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
