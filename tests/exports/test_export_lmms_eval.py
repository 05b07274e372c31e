"""The task of lmms-eval: the folder, the packaged tasks, and lmms-eval itself, installed, on both."""

from __future__ import annotations

import json
import re
import shutil
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
from recorded_replies import FORMS, make_bank, record_replies

from ivbench_data.dataset import load
from ivbench_data.errors import DatasetError, DatasetNotFoundError
from ivbench_data.evaluate.import_results import import_results
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.evaluate.replies.parse import parse_answer
from ivbench_data.evaluate.results import read_results
from ivbench_data.evaluate.scores import Scorecard, score_results
from ivbench_data.exports.frame_pictures import export_frames
from ivbench_data.exports.harness import Figure, HarnessOptions, HarnessRow
from ivbench_data.exports.harness_figures import name_metrics
from ivbench_data.exports.harness_folder import read_harness_folder
from ivbench_data.exports.lmms_eval import export_lmms_eval, name_task, packaged_tasks, write_packaged_task
from ivbench_data.exports.lmms_eval_task import find_documents, make_documents
from ivbench_data.manifests import load_manifest, manifest_names
from ivbench_data.workspace import Workspace

FRAMES = HarnessOptions(show="frames", grid=GRID)
MODEL = Path(__file__).parent.parent / "support" / "lmms_eval_recorded.py"
SHOWN = 30


# --- the folder -------------------------------------------------------------------------------------------------


def test_the_folder_holds_every_question_and_can_be_moved(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path / "root", dataset)
    list(export_lmms_eval(dataset, tmp_path / "out", FRAMES, tmp_path / "root"))
    shutil.rmtree(tmp_path / "root")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    rows = read_harness_folder(tmp_path / "elsewhere")
    assert [row.question.question_id for row in rows.rows] == [
        "alpha_0", "alpha_1", "alpha_2", "beta_3", "beta_4", "beta_7", "-gamma_5", "-gamma_6"
    ]  # fmt: skip
    for row in rows.rows:
        assert len(row.frames) == 8
        assert all(Path(path).is_relative_to(tmp_path / "elsewhere") for path in (*row.frames, *row.images))
        assert all(Path(path).is_file() for path in (*row.frames, *row.images))
    assert not list((tmp_path / "elsewhere").rglob(".*"))


def test_the_same_dataset_is_the_same_text_on_every_machine(tmp_path: Path) -> None:
    texts = []
    for name in ("here", "there"):
        make_media(tmp_path / name / "root", make_dataset())
        list(export_lmms_eval(make_dataset(), tmp_path / name / "out", FRAMES, tmp_path / name / "root"))
        out = tmp_path / name / "out"
        texts.append({str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert texts[0] == texts[1]
    assert not [name for name, text in texts[0].items() if str(tmp_path).encode() in text]


def test_a_folder_that_was_not_finished_or_was_changed_is_refused(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path / "root", dataset)
    out = tmp_path / "out"
    rows = export_lmms_eval(dataset, out, HarnessOptions(show="frames", grid=GRID), tmp_path / "root")
    list(rows)
    again = export_lmms_eval(dataset, out, FRAMES, tmp_path / "root")
    next(again)  # begun, and left there
    with pytest.raises(DatasetNotFoundError, match="no finished export"):
        read_harness_folder(out)
    list(again)
    lines = (out / "rows.jsonl").read_text().splitlines(keepends=True)
    (out / "rows.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(DatasetError, match="7 of 8 questions"):
        read_harness_folder(out)
    (out / "rows.jsonl").write_text("".join(lines).replace("media/images/alpha_0", "../../alpha_0"))
    with pytest.raises(DatasetError, match="is outside of the folder"):
        read_harness_folder(out)


def test_what_cannot_be_asked_is_listed_in_the_folder_and_by_the_command(
    tmp_path: Path, run_cli: Callable[..., Outcome]
) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    workspace = Workspace(tmp_path, "tiny")
    workspace.image_path("alpha_0.png").unlink()
    workspace.image_path("alpha_1.png").write_bytes(b"no image")
    damaged = workspace.cache_path(GRID, "-gamma")
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1  # a single bit of the last frame, which only a digest finds
    damaged.write_bytes(content)
    asked = ("export", "lmms-eval", tmp_path / "out", "--as", "frames", "--grid", GRID.identity)
    outcome = run_cli(*asked, "--dataset", "tiny", "--root", tmp_path)
    assert outcome.code == 1
    assert "4 questions of tiny are in" in outcome.err
    output = read_harness_folder(tmp_path / "out")
    assert {row.question_id: row.kind for row in output.unasked} == {
        "alpha_0": "missing", "alpha_1": "failed", "-gamma_5": "failed", "-gamma_6": "failed"
    }  # fmt: skip
    assert (len(output.rows), output.scorable) == (4, 8)
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "**4 questions are left out**: the media of 1 are missing, those of 3 are damaged" in readme
    as_json = run_cli(*asked, "--dataset", "tiny", "--root", tmp_path, "--json")
    assert len(json.loads(as_json.out)["unasked"]) == 4
    nothing = run_cli("export", "lmms-eval", tmp_path / "none", "--dataset", "tiny", "--root", tmp_path)
    assert (nothing.code, "none of the 8 questions" in nothing.err) == (2, True)


def test_the_command_says_what_it_cannot_do(tmp_path: Path, run_cli: Callable[..., Outcome]) -> None:
    make_media(tmp_path, make_dataset())
    where = ("--dataset", "tiny", "--root", tmp_path)
    assert "use --print-path" in run_cli("export", "lmms-eval", *where).err
    for wrong, output in (
        (("--profile", "ours"), "no profile named"),
        (("--profile", "paper"), "show frames"),
        (("--grid", "32"), "not a grid"),
    ):
        outcome = run_cli("export", "lmms-eval", tmp_path / "out", *where, *wrong)
        assert (outcome.code, output in outcome.err) == (2, True)
    assert not (tmp_path / "out").exists()


# --- names ------------------------------------------------------------------------------------------------------


def test_metrics_have_plain_names_of_their_own() -> None:
    figures = [
        Figure("overall", "overall"), Figure("group", "perception"), Figure("task", "perception"),
        Figure("task", "a,b|c_stderr"), Figure("task", "a b c stderr"), Figure("task", "{{x}}"),
        Figure("task", "数える"),
    ]  # fmt: skip
    assert list(name_metrics(figures).values()) == [
        "overall", "group perception", "task perception", "task a b c stderr", "task a b c stderr (2)", "task x",
        "task 数える",
    ]  # fmt: skip
    assert name_task("a b{c}") == "ivbench_data_a_b_c_"


def test_packaged_tasks_are_what_the_manifests_make_them(run_cli: Callable[..., Outcome]) -> None:
    made = {name: text for each in manifest_names() for name, text in write_packaged_task(load_manifest(each)).items()}
    assert {path.name: path.read_text() for path in packaged_tasks().iterdir()} == made
    outcome = run_cli("export", "lmms-eval", "--print-path")
    assert (outcome.code, outcome.out) == (0, f"{packaged_tasks()}\n")


# --- lmms-eval itself -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the demo imported and cached; to be read, and to have results written to."""
    return make_demo_root(demo_media, tmp_path_factory.mktemp("lmms") / "root")


def assert_the_same_figures(figures: dict[str, Any], card: Scorecard, metrics: dict[Figure, str]) -> None:
    """Every figure that lmms-eval tells is ours, to the last bit, and it tells all of ours."""
    scores = {Figure("overall", "overall"): card.overall}
    scores |= {Figure("group", key): score for key, score in card.groups.items()}
    scores |= {Figure("task", key): score for key, score in card.tasks.items()}
    for figure, score in scores.items():
        output = figures.get(f"{metrics.get(figure)},none")
        assert output == (score.accuracy.value if score.accuracy else None), figure
    assert card.overall.accuracy is not None
    assert figures["overall interval from,none"] == card.overall.accuracy.low
    assert figures["overall interval to,none"] == card.overall.accuracy.high
    assert figures["missing,none"] == card.overall.missing
    assert figures["overall with missing as wrong,none"] == card.overall_with_missing_as_wrong


def run_recorded(python: Path, spec: list[dict[str, Any]], home: Path) -> list[dict[str, Any]]:
    """What lmms-eval makes of each task and its replies."""
    home.mkdir(exist_ok=True)
    (home / "spec.json").write_text(json.dumps(spec))
    run_offline(python, MODEL, home / "spec.json", home / "out.json", home=home, cwd=home)
    output: list[dict[str, Any]] = json.loads((home / "out.json").read_text())
    return output


@pytest.mark.full
def test_the_exported_demo_runs_in_lmms_eval_with_its_dummy_model(demo: Path, tmp_path: Path) -> None:
    python = find_python("lmms-eval")
    out = tmp_path / "out"
    list(export_lmms_eval(load(demo / "demo"), out, HarnessOptions(), demo))
    (command,) = re.findall(r"^python (-m lmms_eval --model dummy .*\n.*)$", (out / "README.md").read_text(), re.M)
    run = run_offline(python, *command.replace("\\\n", "").split(), home=tmp_path, cwd=out)
    dataset = load(demo / "demo")
    card = score_ourselves(dataset, demo, AskOptions(grid=DEMO_GRID), {q.question_id: "A" for q in dataset.questions})
    (path,) = out.glob("results/**/*_results.json")
    (figures,) = json.loads(path.read_text())["results"].values()
    assert_the_same_figures(figures, card, name_metrics(read_harness_folder(out).figures))
    assert card.overall.accuracy is not None
    assert re.search(rf"\|overall +\|.*\|{card.overall.accuracy.value:.4f}\|", run.stdout), run.stdout
    (samples,) = out.glob("results/**/*_samples_*.jsonl")
    assert len(samples.read_text().splitlines()) == len(dataset.questions)


@pytest.mark.full
def test_thirty_recorded_replies_score_the_same_by_the_packaged_task(demo: Path, tmp_path: Path) -> None:
    python = find_python("lmms-eval")
    dataset = load(demo / "demo")
    list(export_frames(dataset, tmp_path / "pictures", DEMO_GRID, demo))
    shown = dataset.questions[:SHOWN]
    replies = record_replies(shown)
    (tmp_path / "replies.json").write_text(json.dumps(replies))
    describe_distribution(tmp_path / "recorded", "[lmms_eval.models]\nrecorded = lmms_eval_recorded:MANIFEST\n")
    found = run_offline(
        python, "-m", "ivbench_data", "export", "lmms-eval", "--print-path", home=tmp_path, cwd=tmp_path
    )
    run_offline(
        python, "-m", "lmms_eval", "--model", "recorded", "--model_args", f"replies={tmp_path / 'replies.json'}",
        "--tasks", "ivbench_data_demo", "--include_path", found.stdout.strip(), "--limit", str(SHOWN),
        "--output_path", tmp_path / "results", "--log_samples",
        home=tmp_path, cwd=tmp_path,
        IVBENCH_ROOT=str(demo), IVBENCH_FRAMES=str(tmp_path / "pictures" / DEMO_GRID.identity),
        PYTHONPATH=f"{MODEL.parent.parent.parent}:{MODEL.parent}:{tmp_path / 'recorded'}",
    )  # fmt: skip
    (path,) = tmp_path.glob("results/**/*_results.json")
    (figures,) = json.loads(path.read_text())["results"].values()
    options = AskOptions(grid=DEMO_GRID, question_ids=tuple(question.question_id for question in shown))
    card = score_ourselves(dataset, demo, options, replies)
    assert (len(FORMS), card.overall.evaluated) == (SHOWN, SHOWN)
    assert 8 <= card.overall.correct <= 22
    assert_the_same_figures(figures, card, name_metrics(read_figures("demo")))
    # the stored samples, scored here, give what lmms-eval gave when it ran
    (log,) = tmp_path.glob("results/**/*_samples_*.jsonl")
    run = import_results(dataset, "lmms-eval", log, demo)
    assert (run.imported, run.left_out) == (SHOWN, 0)
    stored = score_results(dataset, read_results(run.path), Workspace(demo, "demo"))
    for part in ("overall", "groups", "tasks", "overall_with_missing_as_wrong"):
        assert getattr(stored, part) == getattr(card, part)


@pytest.mark.full
def test_the_bank_of_replies_is_read_in_lmms_eval_as_by_us(tmp_path: Path) -> None:
    python = find_python("lmms-eval")
    dataset, replies = make_bank()
    dataset.save(tmp_path / "root")
    list(export_lmms_eval(dataset, tmp_path / "out", HarnessOptions(), tmp_path / "root"))
    spec = [{
        "include_path": str(tmp_path / "out" / "tasks"), "task": name_task("bank"), "replies": replies, "chat": False
    }]  # fmt: skip
    (output,) = run_recorded(python, spec, tmp_path / "home")
    read = {row["question_id"]: row.get("answer_index") for row in output["rows"]}
    assert read == {
        question.question_id: parse_answer(replies[question.question_id], question.options).index
        for question in dataset.questions
    }


def read_figures(name: str) -> list[Figure]:
    manifest = load_manifest(name)
    groups = [Figure("group", key) for key in manifest.task_groups]
    return [Figure("overall", "overall"), *groups, *(Figure("task", task.name) for task in manifest.tasks)]


@pytest.mark.full
def test_chat_and_simple_models_see_the_same_and_score_the_same(tmp_path: Path) -> None:
    python = find_python("lmms-eval")
    dataset = make_hostile_media(tmp_path / "root")
    root, replies = tmp_path / "root", record_replies(dataset.questions)
    spec, cards, folders = [], [], []
    for profile in ("default", "paper"):
        folder = tmp_path / profile
        options = HarnessOptions(show="frames", grid=GRID, profile=profile)
        list(export_lmms_eval(dataset, folder, options, root))
        folders.append(read_harness_folder(folder))
        cards.append(score_ourselves(dataset, root, AskOptions(grid=GRID, profile=profile), replies))
        for chat in (False, True):
            common = {"include_path": str(folder / "tasks"), "task": name_task("tiny")}
            spec.append({**common, "replies": replies, "chat": chat})
    cues, cue_replies = make_cue_media(tmp_path / "cues")
    list(export_lmms_eval(cues, tmp_path / "cue_task", HarnessOptions(), tmp_path / "cues"))
    where = {"include_path": str(tmp_path / "cue_task" / "tasks"), "task": name_task("vlm2bench")}
    spec.append({**where, "replies": cue_replies, "chat": False})
    *output, of_cues = run_recorded(python, spec, tmp_path / "home")
    card = score_ourselves(cues, tmp_path / "cues", AskOptions(), cue_replies)
    assert (card.overall.evaluated, card.overall.missing) == (9, 3)
    assert_the_same_figures(of_cues["figures"], card, name_metrics(read_harness_folder(tmp_path / "cue_task").figures))
    metrics = name_metrics(folders[0].figures)
    for number, run in enumerate(output):
        card, folder = cards[number // 2], folders[number // 2]
        assert_the_same_figures(run["figures"], card, metrics)
        rows = {row.question.question_id: row for row in folder.rows}
        assert len(run["asked"]) == len(rows) == 9
        for asked in run["asked"]:
            row = rows[asked["question_id"]]
            assert (asked["text"], asked["until"]) == (row.text, [])
            _assert_shown(row, asked["visuals"], chat=number % 2 == 1)
    assert cards[0].overall.correct != cards[1].overall.correct  # the profiles do differ on these replies


def _assert_shown(row: HarnessRow, visuals: list[Any], chat: bool) -> None:
    frames, images = (visuals[:1], visuals[1:]) if chat else (visuals[:8], visuals[8:])
    if row.frames and chat:
        assert frames == [list(row.frames)]
    elif row.frames:
        assert [each[:2] for each in frames] == [[28, 16]] * 8
        assert len({each[2] for each in frames}) == 8
    assert len(images) == len(row.images)


def test_documents_name_why_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    dataset = make_dataset()
    dataset.save(tmp_path)
    list(export_lmms_eval(dataset, tmp_path / "out", HarnessOptions(), tmp_path))
    with pytest.raises(DatasetError, match="none of the 8 questions of tiny can be asked, such as alpha_0: the video"):
        make_documents(read_harness_folder(tmp_path / "out"))
    monkeypatch.setenv("IVBENCH_ROOT", str(tmp_path))
    with pytest.raises(DatasetNotFoundError):
        find_documents([{"dataset": "ivbench"}])
