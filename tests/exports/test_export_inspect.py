"""The task of inspect_ai: the folder, the entry point, and inspect_ai itself, installed, on both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from evaluation_dataset import GRID, make_dataset, make_media
from harness_environment import (
    DEMO_GRID,
    describe_distribution,
    find_python,
    make_cue_media,
    make_demo_root,
    make_hostile_media,
    run_offline,
    score_ourselves,
)
from recorded_replies import make_bank, record_replies

from ivbench_data.dataset import load
from ivbench_data.evaluate.import_results import import_results
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.evaluate.replies.parse import parse_answer
from ivbench_data.evaluate.results import read_results
from ivbench_data.evaluate.scores import Scorecard, score_results
from ivbench_data.exports.frame_pictures import export_frames
from ivbench_data.exports.harness import Figure, HarnessOptions
from ivbench_data.exports.harness_figures import name_metrics
from ivbench_data.exports.harness_folder import read_harness_folder
from ivbench_data.exports.inspect_ai import export_inspect
from ivbench_data.workspace import Workspace

MODEL = Path(__file__).parent.parent / "support" / "inspect_ai_recorded.py"
SHOWN = 30


# --- the folder -------------------------------------------------------------------------------------------------


def test_the_folder_holds_the_task_and_the_same_text_everywhere(
    tmp_path: Path, run_cli: Callable[..., Outcome]
) -> None:
    texts = []
    for name in ("here", "there"):
        root, out = tmp_path / name, tmp_path / name / "out"
        make_media(root, make_dataset())
        asked = ("--as", "frames", "--grid", GRID.identity, "--dataset", "tiny", "--root", root)
        outcome = run_cli("export", "inspect", out, *asked)
        assert (outcome.code, "8 questions of tiny are in" in outcome.err) == (0, True)
        texts.append({str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert texts[0] == texts[1]
    assert {"README.md", "ivbench_task.py", "rows.jsonl", "unasked.jsonl", "export.json"} <= texts[0].keys()
    assert not [name for name, text in texts[0].items() if str(tmp_path).encode() in text]


# --- inspect_ai itself ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the demo imported and cached; to be read, and to have results written to."""
    return make_demo_root(demo_media, tmp_path_factory.mktemp("inspect") / "root")


def assert_the_same_figures(figures: dict[str, float], card: Scorecard, metrics: dict[Figure, str]) -> None:
    """Every figure that inspect_ai tells is ours, to the last bit, and it tells all of ours."""
    ours = {"overall": card.overall}
    ours |= {metrics[Figure("group", key)]: score for key, score in card.groups.items() if score.evaluated}
    ours |= {metrics[Figure("task", key)]: score for key, score in card.tasks.items()}
    assert card.overall.accuracy is not None
    expected = {name: score.accuracy.value for name, score in ours.items() if score.accuracy is not None}
    errors = {f"stderr of {name}" for name in ours if name in expected}
    assert {name for name in figures if name.startswith("stderr")} == errors
    expected |= {
        "overall interval from": card.overall.accuracy.low,
        "overall interval to": card.overall.accuracy.high,
        "missing": card.overall.missing,
        "overall with missing as wrong": card.overall_with_missing_as_wrong,
    }
    assert {name: value for name, value in figures.items() if not name.startswith("stderr")} == expected


def run_recorded(python: Path, spec: list[dict[str, Any]], home: Path, **environment: str) -> list[dict[str, Any]]:
    """What inspect_ai makes of each task and its replies."""
    home.mkdir(exist_ok=True)
    (home / "spec.json").write_text(json.dumps(spec))
    run_offline(python, MODEL, home / "spec.json", home / "out.json", home=home, cwd=home, **environment)
    output: list[dict[str, Any]] = json.loads((home / "out.json").read_text())
    return output


@pytest.mark.full
def test_thirty_recorded_replies_score_the_same_by_the_installed_task(demo: Path, tmp_path: Path) -> None:
    python = find_python("inspect_ai")
    dataset = load(demo / "demo")
    list(export_frames(dataset, tmp_path / "pictures", DEMO_GRID, demo))
    shown = dataset.questions[:SHOWN]
    replies = record_replies(shown)
    arguments = {"dataset": "demo", "frames": str(tmp_path / "pictures" / DEMO_GRID.identity)}
    spec = [{"task": "ivbench_data/ivbench", "task_args": arguments, "replies": [*replies.values()], "limit": SHOWN}]
    (output,) = run_recorded(python, spec, tmp_path / "home", IVBENCH_ROOT=str(demo))
    options = AskOptions(grid=DEMO_GRID, question_ids=tuple(replies))
    card = score_ourselves(dataset, demo, options, replies)
    assert (output["scored"], card.overall.evaluated) == (SHOWN, SHOWN)
    assert 8 <= card.overall.correct <= 22
    figures = [Figure("group", key) for key in card.groups] + [Figure("task", key) for key in card.tasks]
    assert_the_same_figures(output["figures"], card, name_metrics(figures))
    assert {sample["id"] for sample in output["samples"]} == replies.keys()
    assert all(sample["kinds"] == ["image"] * 5 + ["text"] for sample in output["samples"])
    # the stored log, scored here, gives what inspect_ai gave when it ran
    (log,) = (tmp_path / "home" / "logs").glob("*.eval")
    run = import_results(dataset, "inspect", log, demo)
    assert (run.imported, run.unknown, run.mismatched, run.bad_lines) == (SHOWN, (), (), ())
    stored = score_results(dataset, read_results(run.path), Workspace(demo, "demo"))
    for part in ("overall", "groups", "tasks", "overall_with_missing_as_wrong"):
        assert getattr(stored, part) == getattr(card, part)


@pytest.mark.full
def test_the_bank_of_replies_is_read_in_inspect_ai_as_by_us(tmp_path: Path) -> None:
    python = find_python("inspect_ai")
    dataset, replies = make_bank()
    dataset.save(tmp_path / "root")
    arguments = {"dataset": "bank"}
    spec = [{"task": "ivbench_data/ivbench", "task_args": arguments, "replies": [*replies.values()]}]
    (output,) = run_recorded(python, spec, tmp_path / "home", IVBENCH_ROOT=str(tmp_path / "root"))
    read = {sample["id"]: sample["answer"] for sample in output["samples"]}
    for question in dataset.questions:
        index = parse_answer(replies[question.question_id], question.options).index
        assert read[question.question_id] == (None if index is None else question.options[index])


@pytest.mark.full
def test_the_exported_videos_run_by_the_command_and_what_cannot_be_shown_says_so(demo: Path, tmp_path: Path) -> None:
    python = find_python("inspect_ai")
    out, dataset = tmp_path / "out", load(demo / "demo")
    list(export_inspect(dataset, out, HarnessOptions(), demo))
    describe_distribution(tmp_path / "constant", "[inspect_ai]\nconstant = inspect_ai_recorded\n")
    (command,) = re.findall(r"^inspect (eval .* --model) mockllm/model$", (out / "README.md").read_text(), re.M)
    run_offline(
        python, "-m", "inspect_ai", *command.split(), "constant/model", "--display", "plain", "--log-format", "json",
        home=tmp_path, cwd=out, PYTHONPATH=f"{MODEL.parent.parent.parent}:{MODEL.parent}:{tmp_path / 'constant'}",
    )  # fmt: skip
    (path,) = (out / "logs").glob("*.json")
    log = json.loads(path.read_text())
    (score,) = log["results"]["scores"]
    of_mp4 = {video.video_id for video in dataset.videos if (out / f"media/videos/{video.video_id}.mp4").is_file()}
    asked = [question for question in dataset.questions if question.video_id in of_mp4]
    assert (score["scored_samples"], score["unscored_samples"]) == (len(asked), len(dataset.questions) - len(asked))
    assert 0 < len(asked) < len(dataset.questions)
    options = AskOptions(grid=DEMO_GRID, question_ids=tuple(question.question_id for question in asked))
    card = score_ourselves(dataset, demo, options, dict.fromkeys(options.question_ids, "A"))
    figures = {metric["name"]: metric["value"] for metric in score["metrics"].values()}
    assert_the_same_figures(figures, card, name_metrics(read_harness_folder(out).figures))
    silent = [sample for sample in log["samples"] if sample["metadata"].get("unasked")]
    assert len(silent) == score["unscored_samples"]
    assert all("export frames instead" in sample["input"] for sample in silent)


@pytest.mark.full
def test_hostile_texts_are_shown_and_scored_as_they_are(tmp_path: Path) -> None:
    python = find_python("inspect_ai")
    root = tmp_path / "root"
    dataset = make_hostile_media(root)
    replies = record_replies(dataset.questions)
    spec, cards, folders = [], [], []
    for profile in ("default", "paper"):
        folder = tmp_path / profile
        list(export_inspect(dataset, folder, HarnessOptions(show="frames", grid=GRID, profile=profile), root))
        folders.append(read_harness_folder(folder))
        cards.append(score_ourselves(dataset, root, AskOptions(grid=GRID, profile=profile), replies))
        ordered = [replies[row.question.question_id] for row in folders[-1].rows]
        spec.append({"folder": str(folder), "task": "ivbench_task.py", "task_args": {}, "replies": ordered})
    cues, cue_replies = make_cue_media(tmp_path / "cues")
    list(export_inspect(cues, tmp_path / "cue_task", HarnessOptions(), tmp_path / "cues"))
    ordered = [cue_replies[row.question.question_id] for row in read_harness_folder(tmp_path / "cue_task").rows]
    spec.append({"folder": str(tmp_path / "cue_task"), "task": "ivbench_task.py", "task_args": {}, "replies": ordered})
    *output, of_cues = run_recorded(python, spec, tmp_path / "home")
    card = score_ourselves(cues, tmp_path / "cues", AskOptions(), cue_replies)
    assert (card.overall.evaluated, card.overall.missing) == (9, 3)
    assert_the_same_figures(of_cues["figures"], card, name_metrics(read_harness_folder(tmp_path / "cue_task").figures))
    for run, card, folder in zip(output, cards, folders, strict=True):
        assert_the_same_figures(run["figures"], card, name_metrics(folder.figures))
        assert (run["scored"], run["unscored"]) == (8, 1)  # one has a hidden answer
        texts = {row.question.question_id: row.text for row in folder.rows}
        assert {sample["id"]: sample["text"] for sample in run["samples"]} == texts
        assert all(sample["was_asked"] for sample in run["samples"])
    assert cards[0].overall.correct != cards[1].overall.correct


@pytest.mark.full
def test_missing_media_are_samples_that_stay_unscored(tmp_path: Path) -> None:
    python = find_python("inspect_ai")
    root, dataset = tmp_path / "root", make_dataset()
    make_media(root, dataset)
    for path in (root / "tiny" / "images").iterdir():
        if path.name != "alpha_0.png":
            path.unlink()
    folder = tmp_path / "out"
    list(export_inspect(dataset, folder, HarnessOptions(show="frames", grid=GRID), root))
    spec = [{"folder": str(folder), "task": "ivbench_task.py", "task_args": {}, "replies": ["A"]}]
    (run,) = run_recorded(python, spec, tmp_path / "home")
    assert (run["scored"], run["unscored"], run["figures"]["missing"]) == (1, 7, 7)
    assert run["figures"]["overall with missing as wrong"] == 1 / 8
    assert [sample["id"] for sample in run["samples"] if sample["was_asked"]] == ["alpha_0"]
    silent = [sample for sample in run["samples"] if not sample["was_asked"]]
    assert all("there is no image" in sample["explanation"] for sample in silent)


def test_the_entry_point_is_in_the_package_s_metadata() -> None:
    from importlib.metadata import entry_points

    found = [point.value for point in entry_points(group="inspect_ai") if point.name == "ivbench_data"]
    if not found:
        pytest.skip("ivbench-data was installed before it had this entry point: install it again")
    assert found == ["ivbench_data.exports.inspect_ai_task"]
