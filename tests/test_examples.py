"""The scripts in `examples/`, run as their first lines say."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import demo_evaluation
import loopback_openai
import numpy as np
import pytest
from evaluation_dataset import GRID, make_dataset, make_media

from ivbench_data.dataset import load
from ivbench_data.evaluate.models import ModelOptions
from ivbench_data.evaluate.models.openai import OpenAIModel
from ivbench_data.evaluate.prompts.asking import Asker, AskOptions
from ivbench_data.evaluate.prompts.requests import Request
from ivbench_data.sources import import_dataset
from ivbench_data.workspace import Workspace

EXAMPLES = Path(__file__).parent.parent / "examples"


def run_example(name: str, *arguments: str | Path) -> str:
    """What a script prints."""
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        capture_output=True, text=True, check=False, env=environment | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_script_says_how_it_is_run_and_is_short() -> None:
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert {path.name for path in scripts} == {"read_questions.py", "torch_loop.py", "vllm_client.py"}
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        assert f"\npython examples/{path.name}" in text
        assert len(text.splitlines()) < 80


def test_the_first_question_is_printed_as_it_is_asked(demo_media: Path, tmp_path: Path) -> None:
    dataset = import_dataset("demo", demo_media / "demo" / "raw", tmp_path)
    printed = run_example("read_questions.py", "demo", tmp_path)
    first = dataset.questions[0]
    assert f"{first.question}\n" in printed
    assert printed.endswith(f"right: {'ABCDEFGHIJ'[first.answer_index or 0]}\n")


def test_the_vllm_client_sends_what_the_evaluator_sends(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    with loopback_openai.serve() as server:
        asker = Asker(load(tmp_path / "tiny"), Workspace(tmp_path, "tiny"), AskOptions(grid=GRID))
        requests = [request for _, request in asker.iterate() if isinstance(request, Request)]
        model = OpenAIModel(loopback_openai.MODEL, ModelOptions(concurrency=1), server.base_url)
        replies = {reply.key[0]: reply.text for reply in model(requests)}
        ours = {request.question_id: seen for request, seen in zip(requests, server.seen, strict=True)}
        server.seen.clear()
        at = (loopback_openai.MODEL, server.base_url, tmp_path, "tiny", GRID.identity)
        *printed, total = run_example("vllm_client.py", *at).splitlines()
        theirs = dict(zip((line.split()[0] for line in printed), server.seen, strict=True))
    assert theirs.keys() == ours.keys() == replies.keys()
    for question_id, seen in theirs.items():
        assert (seen.order, seen.texts) == (ours[question_id].order, ours[question_id].texts)
        for kind in ("videos", "images"):
            for array, other in zip(getattr(seen, kind), getattr(ours[question_id], kind), strict=True):
                assert np.array_equal(array, other)
        assert seen.body["media_io_kwargs"] == ours[question_id].body["media_io_kwargs"]
    assert {line.split()[0]: line.split()[2] for line in printed} == {
        question_id: repr(text) for question_id, text in replies.items()
    }
    assert total == f"{sum(' right ' in line for line in printed)} right of 8 in the dataset"


@pytest.mark.full
def test_the_torch_loop_asks_about_every_cached_clip(demo_media: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    root = demo_evaluation.make_root(demo_media, tmp_path / "root")
    at = (root, "demo", demo_evaluation.GRID.identity)
    assert re.fullmatch(r"\d+ right of 104 asked, of 104 in the dataset\n", run_example("torch_loop.py", *at))
    lost, *_ = load(root / "demo").videos
    Workspace(root, "demo").cache_path(demo_evaluation.GRID, lost.video_id).unlink()
    assert " right of 91 asked, of 104 in the dataset" in run_example("torch_loop.py", *at)
