"""The export for VLMEvalKit: the folder, its tables, the launcher with a stand-in, and VLMEvalKit itself."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from evaluation_dataset import GRID, make_dataset, make_media
from harness_environment import DEMO_GRID, make_demo_root, run_offline
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from recorded_replies import RECORDED_REPLIES, is_recorded_as_right, make_bank, reply_as_recorded
from vlmevalkit_standin import make_standin

from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.evaluate.evaluation import evaluate_questions
from ivbench_data.evaluate.import_results import import_results
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.evaluate.prompts.requests import Reply, Request
from ivbench_data.evaluate.replies.parse import parse_answer
from ivbench_data.evaluate.results import find_results, read_results
from ivbench_data.evaluate.scores import Scorecard, score_results
from ivbench_data.exports.harness import HarnessOptions, HarnessRow, HarnessSet
from ivbench_data.exports.harness_folder import read_harness_folder
from ivbench_data.exports.vlmevalkit import (
    LAUNCHER,
    export_vlmevalkit,
    index_rows,
    list_names,
    tabulate_row,
    write_message,
)
from ivbench_data.exports.vlmevalkit_tables import find_cut_replies, read_table
from ivbench_data.schema import Question
from ivbench_data.workspace import Workspace

REPOSITORY = Path(__file__).parent.parent.parent
FRAMES = HarnessOptions(show="frames", grid=GRID)
HOSTILE_TEXTS = (
    "None", "NaN", "", "1e5", "007", "=1+1", "-", "#N/A", "@x", "'", '"', "\t", "a\r\nb", "\x00", "\ufeff", "TRUE",
    "https://example.org/x.png", "data:image/png;base64,AAAA", "\x1b[31m", "_x000D_", "\u2028",
)  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Dataset, Path]:
    """A dataset of eight questions with its media, and its root."""
    dataset, root = make_dataset(), tmp_path / "root"
    make_media(root, dataset)
    return dataset, root


def export_tiny(tiny: tuple[Dataset, Path], out: Path, options: HarnessOptions = FRAMES) -> HarnessSet:
    dataset, root = tiny
    list(export_vlmevalkit(dataset, out, options, root))
    return read_harness_folder(out)


def make_videos(tiny: tuple[Dataset, Path], suffix: str = ".mp4") -> None:
    dataset, root = tiny
    for video in dataset.videos:
        path = Workspace(root, dataset.name).videos / f"{video.video_id}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"a video")


# --- the folder -------------------------------------------------------------------------------------------------


def test_a_model_is_shown_frames_then_images_then_the_words(tiny: tuple[Dataset, Path], tmp_path: Path) -> None:
    rows = export_tiny(tiny, tmp_path / "out")
    for row in rows.rows:
        *visuals, text = write_message(row, tmp_path / "out", takes_videos=True)
        assert [part["type"] for part in visuals] == ["image"] * 9
        assert [part["value"] for part in visuals] == [*row.frames, *row.images]
        assert all(Path(part["value"]).is_file() for part in visuals)
        assert text == {"type": "text", "value": row.text}


def test_a_videos_is_shown_to_models_that_take_videos_alone(tiny: tuple[Dataset, Path], tmp_path: Path) -> None:
    make_videos(tiny)
    rows = export_tiny(tiny, tmp_path / "out", HarnessOptions())
    video, image, text = write_message(rows.rows[0], tmp_path / "out", takes_videos=True)
    assert (video["type"], image["type"], text["type"]) == ("video", "image", "text")
    assert Path(video["value"]).read_bytes() == b"a video"
    with pytest.raises(UsageError, match="--as frames"):
        write_message(rows.rows[0], tmp_path / "out", takes_videos=False)


def test_videos_that_vlmevalkit_does_not_know_are_named_and_not_asked(
    tiny: tuple[Dataset, Path], tmp_path: Path
) -> None:
    make_videos(tiny, ".mkv")
    rows = export_tiny(tiny, tmp_path / "out", HarnessOptions())
    of_videos = [question for question in tiny[0].questions if question.video_id is not None]
    assert {row.question_id for row in rows.unasked} == {question.question_id for question in of_videos}
    assert {row.kind for row in rows.unasked} == {"missing"}
    assert any("alpha.mkv has a suffix that the harness does not support" in row.reason for row in rows.unasked)


def test_pictures_are_seen_upright_and_in_rgb_by_whoever_opens_them(tiny: tuple[Dataset, Path], tmp_path: Path) -> None:
    dataset, root = tiny
    images = Workspace(root, dataset.name).images
    turned = Image.new("RGB", (6, 4), "red")
    turned.paste("blue", (0, 0, 3, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn to the right
    turned.save(images / "alpha_0.png", exif=exif)
    Image.new("RGBA", (5, 5), (255, 0, 0, 0)).save(images / "alpha_1.png")
    Image.new("P", (5, 5)).save(images / "beta_3.png", "GIF")
    rows = export_tiny(tiny, tmp_path / "out")
    seen: dict[str, Image.Image] = {}
    for row in rows.rows:
        *_, part, _ = write_message(row, tmp_path / "out", takes_videos=False)
        with Image.open(part["value"]) as image:
            assert (image.format, image.mode) == ("PNG", "RGB")
            seen[row.question.question_id] = image.copy()
    assert seen["alpha_0"].size == (4, 6)
    assert seen["alpha_0"].getpixel((0, 0)) == (0, 0, 255)
    assert seen["alpha_0"].getpixel((0, 5)) == (255, 0, 0)
    assert len(list((tmp_path / "out" / "media" / "upright").iterdir())) == 3


@pytest.mark.parametrize("text", ["https://example.org/x.png", "data:image/png;base64,AA AA", "README.md", "a b"])
def test_words_are_never_taken_for_files_or_addresses(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").write_bytes(b"")
    question = Question(question_id="q", question=text, question_type="open", answer="x", task="t", source="test")
    (part,) = write_message(HarnessRow(question=question, text=text), tmp_path, takes_videos=False)
    assert part == {"type": "text", "value": f"\n{text}"}
    (part,) = write_message(HarnessRow(question=question, text="Which is it?"), tmp_path, takes_videos=False)
    assert part == {"type": "text", "value": "Which is it?"}


def test_an_index_stands_for_the_question_and_what_is_shown_with_it(tiny: tuple[Dataset, Path], tmp_path: Path) -> None:
    dataset, root = tiny
    first = index_rows(export_tiny(tiny, tmp_path / "one"), tmp_path / "one")
    assert first.keys() == index_rows(export_tiny(tiny, tmp_path / "two"), tmp_path / "two").keys()
    assert len(first) == 8
    assert all(index.startswith("q") and index.isalnum() for index in first)
    reworded = dataset.questions[0].model_copy(update={"question": "Which thing is it now?"})
    Image.new("RGB", (40, 40)).save(Workspace(root, dataset.name).image_path("alpha_1.png"))
    changed = replace(dataset, questions=(reworded, *dataset.questions[1:]))
    second = index_rows(export_tiny((changed, root), tmp_path / "three"), tmp_path / "three")
    left = {first[index].question.question_id for index in first.keys() - second.keys()}
    assert left == {"alpha_0", "alpha_1"}


def test_options_stand_in_one_column_as_json() -> None:
    question = Question(
        question_id="1e5", question="=A1", options=("None", "NaN", "1"), answer="None", answer_index=0, task="t",
        source="test",
    )  # fmt: skip
    line = tabulate_row(HarnessRow(question=question, text="?"))
    assert json.loads(line["candidates"]) == ["None", "NaN", "1"]
    assert line.keys() == {"question_id", "video", "task", "question", "candidates"}
    assert all(isinstance(value, str) for value in line.values())


def test_the_command_line_writes_the_folder_and_counts_what_is_not_in_it(
    tiny: tuple[Dataset, Path], tmp_path: Path, run_cli: Callable[..., Outcome]
) -> None:
    dataset, root = tiny
    at = ("--root", root, "--dataset", dataset.name, "--as", "frames", "--grid", GRID.identity)
    assert run_cli("export", "vlmevalkit", tmp_path / "out", *at).code == 0
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"python {LAUNCHER} --model" in readme
    assert "8 questions" in readme
    assert "left out" not in readme
    Workspace(root, dataset.name).cache_path(GRID, "beta").unlink()
    output = run_cli("export", "vlmevalkit", tmp_path / "out", *at, "--json")
    assert (output.code, output.err) == (0, "")
    document = json.loads(output.out)
    assert document["asked"] == 5
    assert {(row["question_id"], row["kind"]) for row in document["unasked"]} == {
        ("beta_3", "missing"), ("beta_4", "missing"), ("beta_7", "missing")
    }  # fmt: skip
    assert "3 questions are left out" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


# --- result files -----------------------------------------------------------------------------------------------


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(HOSTILE_TEXTS), min_size=1))
def test_replies_come_back_from_a_table_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, replies: list[str]
) -> None:
    pd = pytest.importorskip("pandas")
    path = tmp_path_factory.getbasetemp() / "replies.tsv"
    columns = {"index": [f"q{number}" for number in range(len(replies))], "question": replies, "prediction": replies}
    pd.DataFrame(columns, dtype=object).to_csv(path, sep="\t", index=False, quoting=csv.QUOTE_ALL)
    table = read_table(path)
    assert list(table["index"]) == columns["index"]
    assert list(table["prediction"]) == replies
    assert find_cut_replies(path, table) == 0


def test_a_spreadsheet_gives_back_what_it_can_and_tells_what_it_cut(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    for library in ("xlsxwriter", "openpyxl"):
        pytest.importorskip(
            library, reason=f"{library} is not installed; the test in VLMEvalKit writes spreadsheets, too"
        )
    replies = [text for text in HOSTILE_TEXTS if text != "_x000D_"] + ["x" * 40_000]
    path = tmp_path / "replies.xlsx"
    with (
        pytest.warns(UserWarning, match="truncated"),
        pd.ExcelWriter(path, engine="xlsxwriter", engine_kwargs={"options": {"strings_to_formulas": False}}) as writer,
    ):
        pd.DataFrame({"index": range(len(replies)), "prediction": replies}).to_excel(writer, index=False)
    table = read_table(path)
    assert list(table["prediction"])[:-1] == replies[:-1]
    assert find_cut_replies(path, table) == 1


def test_what_is_no_result_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    for name, text in (("a.csv", ""), ("a.tsv", "question\tanswer\n1\t2\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(DatasetError, match="not a result file of VLMEvalKit"):
            read_table(tmp_path / name)


# --- the launcher, with a stand-in ------------------------------------------------------------------------------


@pytest.fixture
def standin(tmp_path: Path) -> Path:
    return make_standin(tmp_path / "checkout")


def launch(out: Path, *arguments: str | Path, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run of an export's launcher in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("LMUData", "PRED_FORMAT", "PYTHONPATH")}
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, out / LAUNCHER, *arguments],
        env={**kept, "HOME": str(home), "PYTHONPATH": str(REPOSITORY), **environment},
        cwd=home, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


REPLIES = ("(A)", "The answer is C.", "None", "D\r\nsince it is so", "", "1e5", "g", "Failed to obtain answer via API.")


@pytest.mark.full
def test_the_launcher_asks_and_scores_as_the_evaluator_does(
    tiny: tuple[Dataset, Path], tmp_path: Path, standin: Path
) -> None:
    pytest.importorskip("pandas")
    dataset, _ = tiny
    out = tmp_path / "out"
    rows = export_tiny(tiny, out)
    replies = {question.question_id: reply for question, reply in zip(dataset.questions, REPLIES, strict=True)}
    (tmp_path / "replies.json").write_text(json.dumps(replies))
    at = ("--vlmevalkit", standin, "--model", "m", "--replies", tmp_path / "replies.json", "--out", tmp_path / "m_r")
    done = launch(out, *at, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    output = json.loads((tmp_path / "m_r.json").read_text())
    (name,) = list_names(rows)
    assert name == "ivbench_data_tiny_8x16"
    assert output["argv"][-2:] == ["--data", name]
    assert (output["nframe"], output["fps"], output["type"]) == (8, -1, "Video-MCQ")
    assert sorted(output["kept"]) == sorted(replies.values())
    assert output["LMUData"] == str(out / "LMUData")
    assert not list((tmp_path / "home").iterdir())
    for shown, row in zip(output["shown"], rows.rows, strict=True):
        assert shown == write_message(row, out, takes_videos=False)
    assert output["figures"]["failed"] == 1
    assert output["figures"]["evaluated"] == 8

    ours = score_ourselves(tiny, replies)
    assert ours.overall.correct == 3
    assert output["figures"] == name_figures(ours)
    assert score_results(dataset, read_results(tmp_path / "m_r_ivbench-data.jsonl")).overall == ours.overall


@pytest.mark.full
def test_the_launcher_reads_the_bank_of_replies_as_we_do(tmp_path: Path, standin: Path) -> None:
    pytest.importorskip("pandas")
    dataset, replies = make_bank()
    dataset.save(tmp_path / "root")
    out = tmp_path / "out"
    list(export_vlmevalkit(dataset, out, HarnessOptions(), tmp_path / "root"))
    (tmp_path / "replies.json").write_text(json.dumps(replies))
    at = ("--vlmevalkit", standin, "--replies", tmp_path / "replies.json", "--out", tmp_path / "m_r")
    done = launch(out, *at, "--takes-videos", "yes", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    stored = read_results(tmp_path / "m_r_ivbench-data.jsonl").rows
    for question in dataset.questions:
        row, reply = stored[question.question_id, 0], replies[question.question_id]
        assert (row.reply, row.answer_index) == (reply, parse_answer(reply, question.options).index)
    # its table, imported, scores the same
    run = import_results(dataset, "vlmevalkit", tmp_path / "m_r.tsv", tmp_path / "root", model="m")
    assert (run.imported, run.left_out) == (len(dataset.questions), 0)
    imported, own = (
        score_results(dataset, read_results(path)) for path in (run.path, tmp_path / "m_r_ivbench-data.jsonl")
    )
    for part in ("overall", "groups", "tasks", "overall_with_missing_as_wrong"):
        assert getattr(imported, part) == getattr(own, part)


def score_ourselves(tiny: tuple[Dataset, Path], replies: dict[str, str]) -> Scorecard:
    """What our own evaluation makes of the replies."""
    dataset, root = tiny

    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            reply = replies[request.question_id]
            yield Reply(request.key, error=reply) if reply.startswith("Failed") else Reply(request.key, reply)

    list(evaluate_questions(dataset, root, model=answer, model_name="m", options=AskOptions(grid=GRID)))
    (path,) = find_results(root / dataset.name / "results")
    return score_results(dataset, read_results(path))


def name_figures(card: Scorecard) -> dict[str, Any]:
    """A scorecard as VLMEvalKit is output it."""
    scores = {"overall": card.overall}
    scores |= {f"group {key}": score for key, score in card.groups.items() if score.evaluated}
    scores |= {f"task {key}": score for key, score in card.tasks.items() if score.evaluated}
    return {
        **{name: score.accuracy.value if score.accuracy else None for name, score in scores.items()},
        "overall_with_missing_as_wrong": card.overall_with_missing_as_wrong,
        "parse_rate": card.overall.parse_rate,
        "evaluated": card.overall.evaluated,
        "failed": card.overall.failed,
        "missing": card.overall.missing,
        "unscorable": card.denominators.unscorable,
    }


@pytest.mark.full
def test_questions_without_media_are_counted_and_not_forgotten(
    tiny: tuple[Dataset, Path], tmp_path: Path, standin: Path
) -> None:
    pytest.importorskip("pandas")
    dataset, root = tiny
    workspace = Workspace(root, dataset.name)
    workspace.cache_path(GRID, "beta").unlink()  # three questions
    damaged = workspace.cache_path(GRID, "-gamma")  # two questions
    damaged.write_bytes(damaged.read_bytes()[:-1])
    out = tmp_path / "out"
    export_tiny(tiny, out)
    right = {question.question_id: question.answer or "" for question in dataset.questions}
    (tmp_path / "replies.json").write_text(json.dumps(right))
    at = ("--vlmevalkit", standin, "--replies", tmp_path / "replies.json", "--out", tmp_path / "m_r")
    done = launch(out, *at, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "m_r.json").read_text())["figures"]
    assert (figures["evaluated"], figures["failed"], figures["missing"]) == (5, 2, 3)
    assert figures["overall"] == 3 / 5
    assert figures["overall_with_missing_as_wrong"] == 3 / 8

    assert figures == name_figures(score_ourselves(tiny, right))
    assert "5 questions" in (out / "README.md").read_text(encoding="utf-8")


@pytest.mark.full
def test_videos_have_a_name_for_each_way_to_take_frames(
    tiny: tuple[Dataset, Path], tmp_path: Path, standin: Path
) -> None:
    pytest.importorskip("pandas")
    make_videos(tiny)
    out = tmp_path / "out"
    names = list_names(export_tiny(tiny, out, HarnessOptions()))
    assert next(iter(names)) == "ivbench_data_tiny_videos_32frame"
    (tmp_path / "replies.json").write_text(json.dumps({question.question_id: "A" for question in tiny[0].questions}))
    at = ("--vlmevalkit", standin, "--replies", tmp_path / "replies.json", "--out", tmp_path / "m_r")
    for name in ("ivbench_data_tiny_videos", "ivbench_data_tiny_videos_1fps"):
        sampling = names[name]
        done = launch(out, *at, "--data", name, "--takes-videos", "yes", home=tmp_path / "home")
        assert done.returncode == 0, done.stderr
        output = json.loads((tmp_path / "m_r.json").read_text())
        assert (output["nframe"], output["fps"]) == (sampling.nframe, sampling.fps)
        assert output["shown"][0][0]["type"] == "video"


@pytest.mark.full
def test_vlmevalkit_s_own_folder_is_made_wherever_it_is_said_to_be(
    tiny: tuple[Dataset, Path], tmp_path: Path, standin: Path
) -> None:
    pytest.importorskip("pandas")
    export_tiny(tiny, tmp_path / "out")
    (tmp_path / "replies.json").write_text(json.dumps({question.question_id: "A" for question in tiny[0].questions}))
    at = ("--vlmevalkit", standin, "--replies", tmp_path / "replies.json", "--out", tmp_path / "m_r")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".env").write_text(str(tmp_path / "by_env_file"))
    done = launch(tmp_path / "out", *at, home=tmp_path / "home", LMUData=str(tmp_path / "by_environment"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "by_environment").is_dir()
    assert (tmp_path / "by_env_file").is_dir()
    assert not (tmp_path / "out" / "LMUData").exists()


@pytest.mark.full
def test_the_launcher_says_what_is_wrong_before_anything_is_run(
    tiny: tuple[Dataset, Path], tmp_path: Path, standin: Path
) -> None:
    rows = export_tiny(tiny, tmp_path / "out")
    home = tmp_path / "home"
    done = launch(tmp_path / "out", "--model", "m", home=home)
    assert (done.returncode, "VLMEvalKit is not installed" in done.stderr) == (3, True), done.stderr
    done = launch(tmp_path / "out", "--vlmevalkit", home, home=home)
    assert (done.returncode, "not a checkout of VLMEvalKit" in done.stderr) == (2, True), done.stderr
    (standin / "vlmeval" / "dataset" / "__init__.py").write_text("import nothing_of_that_name")
    done = launch(tmp_path / "out", "--vlmevalkit", standin, home=home)
    assert (done.returncode, "cannot be imported: No module named" in done.stderr) == (3, True), done.stderr
    Path(rows.rows[0].frames[3]).unlink()
    done = launch(tmp_path / "out", "--vlmevalkit", standin, home=home)
    assert (done.returncode, "000003.png of alpha_0 is missing" in done.stderr) == (1, True), done.stderr


@pytest.mark.full
def test_an_installed_vlmevalkit_needs_no_name(tiny: tuple[Dataset, Path], tmp_path: Path, standin: Path) -> None:
    pytest.importorskip("pandas")
    export_tiny(tiny, tmp_path / "out")
    (tmp_path / "replies.json").write_text(json.dumps({question.question_id: "A" for question in tiny[0].questions}))
    at = ("--replies", tmp_path / "replies.json", "--out", tmp_path / "m_r")
    path = f"{REPOSITORY}{os.pathsep}{standin}"
    done = launch(tmp_path / "out", *at, home=tmp_path / "home", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "m_r.json").read_text())["argv"][0] == str(standin / "run.py")
    (standin / "run.py").unlink()
    done = launch(tmp_path / "out", *at, home=tmp_path / "home", PYTHONPATH=path)
    assert (done.returncode, "installed without its run.py" in done.stderr) == (3, True)


# --- VLMEvalKit itself ------------------------------------------------------------------------------------------


def find_vlmevalkit() -> tuple[Path, Path]:
    """A checkout of VLMEvalKit and a Python that has what it needs; else the test is skipped."""
    output = [os.environ.get(f"IVBENCH_TEST_VLMEVALKIT{ending}") for ending in ("", "_PYTHON")]
    if not all(output):
        pytest.skip("$IVBENCH_TEST_VLMEVALKIT names no checkout, or $IVBENCH_TEST_VLMEVALKIT_PYTHON no Python for it")
    checkout, python = (Path(place or "").absolute() for place in output)
    return checkout, python


@pytest.mark.full
def test_recorded_replies_have_the_same_score_in_vlmevalkit(demo_media: Path, tmp_path: Path) -> None:
    checkout, python = find_vlmevalkit()
    root, out, work, home = (tmp_path / name for name in ("root", "out", "work", "home"))
    whole = load(make_demo_root(demo_media, root) / "demo")
    dataset = replace(whole, questions=whole.questions[:30])
    options = AskOptions(grid=DEMO_GRID)
    rows = list(evaluate_questions(dataset, root, model=reply_as_recorded, model_name="recorded", options=options))
    (path,) = find_results(root / "demo" / "results")
    ours = score_results(dataset, read_results(path))
    assert ours.overall.evaluated == len(RECORDED_REPLIES) == 30
    assert ours.overall.correct == sum(map(is_recorded_as_right, dataset.questions))
    list(export_vlmevalkit(dataset, out, HarnessOptions(show="frames", grid=DEMO_GRID), root))
    (name,) = list_names(read_harness_folder(out))
    home.mkdir()

    def run_vlmevalkit(*arguments: str, **environment: str) -> tuple[Path, dict[str, Any]]:
        """The folder of a run, and what VLMEvalKit's status file says of it."""
        at = ("--model", "recorded", "--data", name, "--work-dir", work)
        script = Path(__file__).parent.parent / "support" / "vlmevalkit_recorded.py"
        run_offline(python, script, out, checkout, *at, *arguments, home=home, cwd=home, **environment)
        folder = max((work / "recorded").glob("T*"))
        return folder, json.loads((folder / "status.json").read_text())["datasets"][name]

    for arguments in ((), ("--mode", "eval", "--reuse"), ("--api-mode", "--api-nproc", "2")):
        folder, status = run_vlmevalkit(*arguments)
        assert status["metrics"] == name_figures(ours)
        assert status["primary_metric"] == "overall"
        theirs = read_results(folder / f"recorded_{name}_ivbench-data.jsonl")
        assert {key: (row.reply, row.answer_index, row.correct) for key, row in theirs.rows.items()} == {
            (row.question_id, row.rotation): (row.reply, row.answer_index, row.correct) for row in rows
        }
        assert score_results(dataset, theirs).overall == ours.overall
    # a spreadsheet: right as long as the replies are at hand, and refused where it is all that is left of them
    assert run_vlmevalkit(PRED_FORMAT="xlsx")[1]["metrics"] == name_figures(ours)
    _, status = run_vlmevalkit("--mode", "eval", "--reuse", PRED_FORMAT="xlsx")
    assert "a spreadsheet cut off 1 of the replies" in status["error_message"]
    assert "metrics" not in status
    assert not list(home.iterdir())
