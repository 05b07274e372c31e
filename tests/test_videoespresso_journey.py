"""The demo's videos as VideoEspresso would release them: from the file to a published folder, by the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Outcome
from slow_params import slowly

from ivbench_data import import_dataset, read_frames
from ivbench_data.dataset import load
from ivbench_data.evaluate.prompts.asking import Asker, AskOptions, Unasked
from ivbench_data.evaluate.prompts.requests import Request
from ivbench_data.exports.harness import HarnessOptions, HarnessRow, find_rows
from ivbench_data.frames.cache import cache_frames
from ivbench_data.frames.samplers import digest_moments, find_moments
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import FrameGrid
from ivbench_data.workspace import Workspace

UNIFORM, CORE = "128x28-m28-linspace_floor_24fps", "16x56-m28-core_frames"
WITHOUT_TIMES = "tide"
"""The video whose records say nothing of times."""


def write_release(demo: Path, folder: Path) -> Path:
    """The demo's questions that can be asked of a video alone, four options each, and its videos in folders."""
    dataset = import_dataset("demo", demo / "demo" / "raw", folder / "made")
    tasks = [task.name for task in load_manifest("videoespresso").tasks]
    records = []
    for number, question in enumerate(dataset.questions):
        assert question.video_id is not None
        file = Workspace(demo, "demo").find_video(question.video_id)
        assert file is not None
        path = f"all_video/Demo/{question.video_id}/film{file.suffix}"
        target = folder / "mirror" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(file, target)
        wrong = [option for option in question.options if option != question.answer][:3]
        options = [*wrong[: number % 4], question.answer, *wrong[number % 4 :]]
        moments = [item.start_seconds for item in question.evidence if item.start_seconds is not None]
        has_times = moments and question.video_id != WITHOUT_TIMES
        records.append(
            {
                "core_frames_paths": [f"Demo/1_image/{number}/{at}.jpg" for at in range(len(moments))],
                "question": question.question,
                "evidence": f"It is {question.answer}." if number % 8 else "",
                "task": tasks[number % len(tasks)],
                "correct_answer": f"({'ABCD'[number % 4]})",
                "video_path": path,
                "options": [f"({letter}): {option}" for letter, option in zip("ABCD", options, strict=True)],
                **({"core_frames_timestamps": moments} if has_times else {}),
            }
        )
    release = folder / "bench_hard.json"
    release.write_text(json.dumps(records, ensure_ascii=False, indent=4), encoding="utf-8")
    return release


@pytest.fixture(scope="module")
def root(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the release imported, its videos fetched from a folder, and both caches. To be read."""
    from ivbench_data.cli import run

    folder = tmp_path_factory.mktemp("espresso")
    release, root = write_release(demo_media, folder), folder / "root"
    own = ["--dataset", "videoespresso", "--root", str(root)]
    assert run(["import", "videoespresso", str(release), "--root", str(root)]) == 0
    assert run(["fetch", "--only", "videos", "--source", str(folder / "mirror"), *own]) == 0
    assert run(["cache", "--grid", UNIFORM, *own]) == 0
    assert run(["cache", "--grid", CORE, *own]) == 1, "one video has no core frames, which is told"
    return root


@pytest.fixture
def run_own(root: Path, run_cli: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """A run of the command line on the dataset."""
    return lambda verb, *arguments: run_cli(verb, *arguments, "--dataset", "videoespresso", "--root", root)


def test_the_release_is_here_byte_for_byte(root: Path) -> None:
    dataset = load(root / "videoespresso")
    assert dataset.provenance["rebuilds_byte_for_byte"] is True
    assert (len(dataset.questions), len(dataset.videos)) == (104, 8)


def test_videos_were_found_at_the_paths_of_the_release(root: Path) -> None:
    workspace = Workspace(root, "videoespresso")
    for video in load(root / "videoespresso").videos:
        assert workspace.find_video(video.video_id) is not None
        assert video.video_id.startswith("all_video~Demo~")


def test_uniform_frames_are_the_references(root: Path) -> None:
    for video in load(root / "videoespresso").videos:
        clip = read_frames("videoespresso", video.video_id, UNIFORM, root)
        count = int(clip.metadata["source_frames"])
        assert clip.indices.tolist() == [index * (count - 1) // 127 for index in range(128)]


def test_core_frames_are_on_screen_at_their_times(root: Path) -> None:
    dataset = load(root / "videoespresso")
    moments = find_moments(dataset.questions)
    assert len(moments) == 7
    for video_id, times in moments.items():
        clip = read_frames("videoespresso", video_id, CORE, root, check=True)
        dense = read_frames("videoespresso", video_id, UNIFORM, root)
        assert clip.metadata["moments_digest"] == digest_moments(times)
        assert len(clip.indices) <= len(times)
        step = float(dense.metadata["source_duration_seconds"]) / int(dense.metadata["source_frames"])
        for time in times:
            shown = clip.pts_seconds[np.searchsorted(clip.pts_seconds, time, side="right") - 1]
            assert 0 <= time - shown < step + 1e-6


def test_a_question_is_shown_its_own_core_frames_alone(root: Path) -> None:
    dataset = load(root / "videoespresso")
    grid = FrameGrid.parse(CORE)
    asker = Asker(dataset, Workspace(root, "videoespresso"), AskOptions(grid=grid, pattern="video_only"))
    asked = 0
    for question in dataset.questions:
        request = asker.ask(question)
        if not question.evidence:
            assert isinstance(request, Unasked)
            assert (request.kind, request.reason) == ("inapplicable", "the question has no times of core frames")
            continue
        assert isinstance(request, Request)
        assert request.video is not None
        (moment,) = (item.start_seconds for item in question.evidence)
        assert moment is not None
        (shown,) = request.video.pts_seconds
        assert 0 <= moment - shown < 0.2
        assert request.facts["evidence_seen"] is True
        assert request.video.read().shape[0] == 1
        asked += 1
    assert asked > 50


@pytest.mark.parametrize("pattern", ["evidence_only", "single_frame", *slowly(("evidence_removed", "shuffled_frames"))])
def test_controls_choose_among_core_frames(root: Path, pattern: str) -> None:
    dataset = load(root / "videoespresso")
    question = next(question for question in dataset.questions if question.evidence)
    options = AskOptions(grid=FrameGrid.parse(CORE), pattern=pattern)
    request = Asker(dataset, Workspace(root, "videoespresso"), options).ask(question)
    if pattern in ("evidence_only", "single_frame"):
        assert isinstance(request, Request)
        assert request.facts["nframes"] == 1
    else:
        assert isinstance(request, Unasked)
        assert request.kind == "inapplicable"


def test_a_harness_is_shown_a_questions_own_core_frames_too(root: Path, tmp_path: Path) -> None:
    dataset, options = load(root / "videoespresso"), HarnessOptions(show="frames", grid=FrameGrid.parse(CORE))
    rows = list(find_rows(dataset, Workspace(root, "videoespresso"), options, tmp_path))
    asked = [row for row in rows if isinstance(row, HarnessRow)]
    assert len(asked) > 50
    assert {len(row.frames) for row in asked} == {1}


def test_changed_times_are_noticed(demo_media: Path, tmp_path: Path) -> None:
    release, root = write_release(demo_media, tmp_path), tmp_path / "root"
    dataset = import_dataset("videoespresso", release, root)
    first = next(video for video in dataset.videos if "meadow" in video.video_id)
    workspace = Workspace(root, "videoespresso")
    workspace.videos.mkdir(parents=True)
    shutil.copyfile(
        tmp_path / "mirror" / str(first.source_metadata["path"]), workspace.videos / f"{first.video_id}.mp4"
    )
    grid = FrameGrid.parse(CORE)

    def build() -> str:
        rows = cache_frames(load(workspace.folder), root, [grid])
        return next(row.status for row in rows if row.video_id == first.video_id)

    assert [build(), build()] == ["done", "skipped"]
    records = json.loads(release.read_text(encoding="utf-8"))
    changed = next(
        at for at, item in enumerate(records) if "meadow" in item["video_path"] and item.get("core_frames_timestamps")
    )
    records[changed]["core_frames_timestamps"] = [0.5]
    release.write_text(json.dumps(records, ensure_ascii=False, indent=4), encoding="utf-8")
    dataset = import_dataset("videoespresso", release, root)
    asker = Asker(dataset, workspace, AskOptions(grid=grid, pattern="video_only"))
    request = asker.ask(dataset.questions[changed])
    assert isinstance(request, Unasked)
    assert request.kind == "missing"
    assert "other core frames" in request.reason
    assert f"--grid {CORE}" in request.reason
    assert build() == "done"
    assert isinstance(Asker(dataset, workspace, asker.options).ask(dataset.questions[changed]), Request)


def test_planning_core_frames_counts_what_there_is(run_own: Callable[..., Outcome]) -> None:
    told = json.loads(run_own("cache", "--grid", "16x84-core_frames", "--plan", "--json").out)
    assert told["grids"][0]["bytes_to_write"] > 0


def test_coverage_says_that_core_frames_show_the_evidence(run_own: Callable[..., Outcome]) -> None:
    outcome = run_own("coverage", "--grid", CORE, "--grid", UNIFORM, "--json")
    assert outcome.code == 0, outcome.err
    overall = {row["frames_of"]: row for row in json.loads(outcome.out)["summaries"] if row["task"] == "Overall"}
    assert overall[CORE]["seen"]["value"] == 1
    assert overall[CORE]["excluded"]["no_evidence"] > 0


def test_validation_reads_it(run_own: Callable[..., Outcome]) -> None:
    outcome = run_own("validate", "--json")
    assert outcome.code in (0, 1), outcome.err
    assert isinstance(json.loads(outcome.out), dict)


def score(run_own: Callable[..., Outcome], *arguments: str) -> dict[str, Any]:
    outcome = run_own("evaluate", "--pattern", "video_only", "--json", *arguments)
    assert outcome.code == 0, outcome.err
    (card,) = json.loads(outcome.out)["scores"]
    return dict(card)


def test_a_baseline_is_scored_in_the_leaderboards_columns(run_own: Callable[..., Outcome]) -> None:
    card = score(run_own, "--model", "baseline:random", "--grid", UNIFORM, "--profile", "paper")
    assert card["overall"]["evaluated"] == 104
    names = [task.name for task in load_manifest("videoespresso").tasks]
    assert list(card["tasks"]) == names
    assert sum(task["correct"] for task in card["tasks"].values()) == card["overall"]["correct"]
    table = json.loads(run_own("score", Path(card["file"]).stem, "--json").out)["table"]
    assert list(table[0]) == ["model", "questions", "Overall", *names]
    assert [row["model"] for row in table[1:3]] == ["LLaVA-Video", "LLaVA-OneVision"]
    assert len(table) == 16


def test_with_evidence_those_that_have_one_are_asked(run_own: Callable[..., Outcome]) -> None:
    card = score(run_own, "--model", "baseline:random", "--grid", UNIFORM, "--profile", "paper_evidence")
    assert (card["overall"]["evaluated"], card["overall"]["inapplicable"]) == (91, 13)


def test_core_frames_are_asked_where_they_are_known(run_own: Callable[..., Outcome]) -> None:
    card = score(run_own, "--model", "baseline:random", "--grid", CORE)
    assert card["overall"]["missing"] == 0
    assert card["overall"]["evaluated"] + card["overall"]["inapplicable"] == 104


def test_it_is_published_with_hidden_answers(run_own: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = run_own("publish", "--to", tmp_path / "published", "--hide-answers", "test", "--version", "0.1.0")
    assert outcome.code == 0, outcome.err
    written = b"".join(path.read_bytes() for path in (tmp_path / "published").rglob("*") if path.is_file())
    assert b"evidence_text" not in written


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:transformers .* counts positions otherwise:UserWarning")
@pytest.mark.parametrize("grid", [CORE, "16x56-m28-linspace_floor_24fps"])
def test_a_tiny_checkpoint_answers(root: Path, run_own: Callable[..., Outcome], tmp_path: Path, grid: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    import tiny_models

    tiny_models.prepare_torchvision()
    checkpoint = tiny_models.make_qwen(tmp_path / "qwen", "qwen2_5_vl")
    run_own("cache", "--grid", grid)
    arguments = ("--model", str(checkpoint), "--grid", grid, "--mode", "likelihood", "--dtype", "float32")
    card = score(run_own, *arguments, "--device", "cpu", "--profile", "paper")
    assert card["overall"]["failed"] == card["overall"]["missing"] == 0
    assert card["overall"]["evaluated"] > 50
