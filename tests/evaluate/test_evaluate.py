"""The evaluation: rows as they come, resumed, re-read, never mixed; models that fail; the command line."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation_dataset import GRID, cache_video, make_dataset, make_media

from ivbench_data.cli import run
from ivbench_data.dataset import Dataset
from ivbench_data.errors import EnvironmentProblemError, UsageError
from ivbench_data.evaluate.evaluation import RunPlan, evaluate_questions
from ivbench_data.evaluate.models import ModelOptions, open_model
from ivbench_data.evaluate.models.function import FunctionModel
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.evaluate.prompts.requests import Reply, Request
from ivbench_data.evaluate.reply_scores import ReplyScore, score_reply
from ivbench_data.evaluate.results import read_results
from ivbench_data.evaluate.run_claim import RunClaim
from ivbench_data.evaluate.sweeps import name_token_rule, plan_sweep
from ivbench_data.frames.grids import count_visual_tokens
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import EvaluationResult, FrameGrid, Question
from ivbench_data.workspace import Workspace

OPTIONS = AskOptions(grid=GRID)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_media(tmp_path, make_dataset())
    return tmp_path


class Oracle:
    """Answers right, counts what it is asked, and stops after `stop_after` requests."""

    def __init__(self, stop_after: int | None = None, revision: str = "1") -> None:
        self.asked: list[Request] = []
        self.stop_after = stop_after
        self.identity = {"revision": revision}

    def __call__(self, requests: Sequence[Request]) -> Iterator[Reply]:
        right = {question.question_id: question for question in make_dataset().questions}
        for request in requests:
            if self.stop_after is not None and len(self.asked) >= self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(request)
            question = right[request.question_id]
            shown = (question.answer_index - request.rotation) % len(question.options)
            yield Reply(request.key, text=f"The answer is {request.letters[shown]}.", visual_tokens=7, seconds=0.5)


def _run(root: Path, model: object, options: AskOptions = OPTIONS, **more: object) -> list[EvaluationResult]:
    return list(evaluate_questions(make_dataset(), root, model=model, options=options, model_name="m", **more))


def test_a_row_for_every_question_with_all_that_made_it(root: Path) -> None:
    oracle = Oracle()
    rows = _run(root, oracle)
    assert {row.question_id for row in rows} == {question.question_id for question in make_dataset().questions}
    assert all(row.correct for row in rows)
    by_id = {row.question_id: row for row in rows}
    row = by_id["alpha_2"]
    assert (row.answer_index, row.grid, row.visual_tokens, row.seconds, row.status) == (2, "8x16", 7, 0.5, "ok")
    assert row.prompt_digest == next(r.prompt_digest for r in oracle.asked if r.question_id == "alpha_2")
    assert row.frames_digest is not None
    assert row.metadata == {"nframes": 8, "duration_seconds": 80.0, "evidence_seen": True, "rule": "phrase"}
    (path,) = (root / "tiny" / "results").glob("*.jsonl")
    assert read_results(path).rows == {(row.question_id, row.rotation): row for row in rows}


def test_interrupted_and_gone_on_with_is_the_same_as_in_one_go(root: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _run(root, Oracle(stop_after=3))
    rest = Oracle()
    resumed = _run(root, rest)
    assert len(rest.asked) == 5
    again = Oracle()
    assert {row.question_id: row for row in _run(root, again)} == {row.question_id: row for row in resumed}
    assert again.asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"options": AskOptions(grid=GRID, pattern="image_first")},
        {"options": AskOptions(grid=GRID, profile="paper")},
        {"model_options": ModelOptions(dtype="float16")},
    ],
)
def test_what_changes_the_answers_is_asked_again(root: Path, change: dict[str, object]) -> None:
    _run(root, Oracle())
    again = Oracle()
    _run(root, again, **change)
    assert len(again.asked) == 8
    assert len(list((root / "tiny" / "results").glob("*.jsonl"))) == 2


def test_another_revision_is_another_file_and_more_speed_is_not(root: Path) -> None:
    _run(root, Oracle())
    again = Oracle(revision="2")
    _run(root, again)
    assert len(again.asked) == 8
    faster = Oracle()
    _run(root, faster, model_options=ModelOptions(device="cuda:1", batch_size=4))
    assert faster.asked == []


def test_narrowing_and_rotations_share_the_file(root: Path) -> None:
    _run(root, Oracle(), AskOptions(grid=GRID, tasks=("Counting",)))
    some = Oracle()
    _run(root, some, AskOptions(grid=GRID, rotations=2))
    assert len(some.asked) == 14
    every = Oracle()
    rows = _run(root, every, AskOptions(grid=GRID, rotations=0))
    assert len(rows) == 7 * 10 + 4
    assert len(every.asked) == 74 - 16
    assert all(row.correct for row in rows)
    assert len(list((root / "tiny" / "results").glob("*.jsonl"))) == 1


def test_new_frames_or_another_image_are_asked_again(root: Path) -> None:
    _run(root, Oracle())
    cache_video(root, "beta", seed=1)
    workspace = Workspace(root, "tiny")
    workspace.image_path("alpha_0.png").write_bytes(workspace.image_path("alpha_1.png").read_bytes())
    again = Oracle()
    _run(root, again)
    assert sorted(request.question_id for request in again.asked) == ["alpha_0", "beta_3", "beta_4", "beta_7"]


def test_a_repaired_answer_is_scored_again_without_asking(root: Path) -> None:
    _run(root, Oracle())
    dataset = make_dataset()
    repaired = dataset.questions[2].model_copy(update={"answer_index": 5, "answer": "thing 2-5"})
    changed = replace(dataset, questions=(*dataset.questions[:2], repaired, *dataset.questions[3:]))
    again = Oracle()
    rows = list(evaluate_questions(changed, root, model=again, options=OPTIONS, model_name="m"))
    assert again.asked == []
    assert [row.question_id for row in rows if not row.correct] == ["alpha_2"]
    (path,) = (root / "tiny" / "results").glob("*.jsonl")
    assert not read_results(path).rows["alpha_2", 0].correct


def test_missing_media_are_rows_said_once_and_asked_when_they_are_there(root: Path) -> None:
    path = Workspace(root, "tiny").cache_path(GRID, "beta")
    path.unlink()
    for _ in range(2):
        rows = {row.question_id: row for row in _run(root, Oracle())}
        assert rows["beta_3"].status == "missing"
        assert "beta is not in" in str(rows["beta_3"].error)
        assert rows["alpha_0"].status == "ok"
    (results,) = (root / "tiny" / "results").glob("*.jsonl")
    assert results.read_bytes().count(b"beta_3") == 1 + results.read_bytes().count(b"beta_3.png")
    cache_video(root, "beta")
    later = Oracle()
    assert all(row.status == "ok" for row in _run(root, later))
    assert len(later.asked) == 3


def test_a_failed_question_is_a_row_that_counts_as_wrong_and_is_asked_again(root: Path) -> None:
    def fail_once(request: Request) -> str:
        if request.question_id == "alpha_1" and not (root / "tried").exists():
            (root / "tried").touch()
            raise RuntimeError("out of memory")
        return "A"

    rows = {row.question_id: row for row in _run(root, FunctionModel(fail_once))}
    assert rows["alpha_1"].status == "failed"
    assert rows["alpha_1"].error == "RuntimeError: out of memory"
    assert not rows["alpha_1"].correct
    assert rows["alpha_2"].status == "ok"
    assert all(row.status == "ok" for row in _run(root, FunctionModel(fail_once)))


def test_a_damaged_frame_fails_its_question_and_names_the_file(root: Path) -> None:
    path = Workspace(root, "tiny").cache_path(GRID, "alpha")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    def look(request: Request) -> str:
        assert request.video is not None
        return LETTERS[int(request.video.read()[0, 0, 0, 0]) % 4]

    rows = {row.question_id: row for row in _run(root, FunctionModel(look))}
    assert rows["alpha_0"].status == "failed"
    assert "alpha.safetensors is damaged" in str(rows["alpha_0"].error)
    assert rows["beta_3"].status == "ok"


def test_a_mistake_in_the_function_ends_the_run(root: Path) -> None:
    def wrong(request: Request) -> str:
        return request.no_such_thing

    with pytest.raises(AttributeError):
        _run(root, FunctionModel(wrong))


@pytest.mark.parametrize("returned", [99, -1, True, 0.5, ["A"], {"answer": "A"}, b"A"])
def test_a_function_that_returns_no_text_is_named(root: Path, returned: Any) -> None:
    def wrong(request: Request) -> Any:
        return returned

    with pytest.raises(UsageError, match=rf"wrong returned .* \({type(returned).__name__}\) for alpha_0"):
        _run(root, FunctionModel(wrong))


def test_a_letter_an_index_and_a_text_name_the_same_option(root: Path) -> None:
    def by_index(request: Request) -> int:
        return len(request.letters) - 1

    def by_letter(request: Request) -> str:
        return request.letters[-1]

    def by_text(request: Request) -> str:
        return f"It must be {request.letters[-1]}."

    def several(requests: Sequence[Request]) -> list[int | str | None]:
        return [by_index(request) if number % 2 else by_letter(request) for number, request in enumerate(requests)]

    def one_by_one(requests: Sequence[Request]) -> Iterator[int]:
        yield from map(by_index, requests)

    answers = [
        [(row.question_id, row.rotation, row.answer_index) for row in _run(root, FunctionModel(function))]
        for function in (by_index, by_letter, by_text, several, one_by_one)
    ]
    assert answers[0]
    assert all(found == answers[0] for found in answers)


def test_no_reply_is_no_answer(root: Path) -> None:
    assert {row.answer_index for row in _run(root, FunctionModel(lambda request: None))} == {None}


@pytest.mark.parametrize("returned", [["A"], "ABCDEFGH", None, 3])
def test_a_function_of_several_requests_answers_each(root: Path, returned: Any) -> None:
    def wrong(requests: Sequence[Request]) -> Any:
        return returned

    with pytest.raises(UsageError, match=r"wrong returned .* to \d+ requests"):
        _run(root, FunctionModel(wrong))


def test_a_failure_on_several_requests_is_one_of_each(root: Path) -> None:
    def broken(requests: Sequence[Request]) -> Any:
        raise ValueError("out of memory")

    rows = _run(root, FunctionModel(broken))
    assert {(row.status, row.error) for row in rows} == {("failed", "ValueError: out of memory")}


def test_replies_may_come_in_any_order_and_may_be_missing(root: Path) -> None:
    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in list(reversed(requests))[:-1]:
            yield Reply(request.key, text="A")

    rows = _run(root, answer)
    assert rows[-1].error == "the model gave no reply"
    assert sum(row.status == "ok" for row in rows) == 7


def test_a_reply_to_nothing_ends_the_run(root: Path) -> None:
    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        yield Reply(("elsewhere", 0), text="A")

    with pytest.raises(UsageError, match="elsewhere"):
        _run(root, answer)


def test_the_likeliest_letter_counts_where_no_text_is_written(root: Path) -> None:
    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            yield Reply(request.key, option_logprobs=tuple(-abs(at - 2.0) for at in range(len(request.letters))))

    rows = {row.question_id: row for row in _run(root, answer, AskOptions(grid=GRID, rotations=2))}
    assert {row.metadata["rule"] for row in rows.values()} == {"likelihood"}
    assert rows["alpha_2"].answer_index == 3  # the last row is the rotated one: C is the fourth option
    again: list[str] = []
    _run(root, FunctionModel(lambda request: again.append("x") or "A"), AskOptions(grid=GRID, rotations=2))
    assert again == []


def test_random_answers_follow_from_the_question_ids(root: Path) -> None:
    rows = _run(root, open_model("baseline:random"))
    for row in rows:
        count = 4 if row.question_id == "beta_4" else 10
        drawn = int.from_bytes(hashlib.sha256(f"{row.question_id}\0random".encode()).digest()) % count
        assert row.answer_index == drawn
    assert _run(root, open_model("baseline:random"), AskOptions(grid=GRID, profile="paper"))[0].reply in "abcdefghij"


def test_random_answers_are_even(root: Path) -> None:
    requests = [Request(f"question {n}", 0, "text_only", (), tuple("ABCDEFGHIJ"), "") for n in range(5000)]
    counts = [0] * 10
    for reply in open_model("baseline:random")(requests):
        counts[LETTERS.index(str(reply.text))] += 1
    assert min(counts) > 430


def test_the_text_baseline_finds_what_the_texts_give_away() -> None:
    """The answer is the one option that stands in no other question: learnt from the other videos' questions."""
    questions = [
        Question(
            question_id=f"v{video}_{number}", video_id=f"v{video}", question="?", task="Counting", source="test",
            options=(*(f"it is thing {at}" for at in range(3)), "an answer much longer than all of the others"),
            answer_index=3, answer="an answer much longer than all of the others",
        )
        for video in range(5)
        for number in range(3)
    ]  # fmt: skip
    requests = [Request(q.question_id, turn, "text_only", (), tuple("ABCD"), "") for q in questions for turn in (0, 1)]
    replies = list(open_model("baseline:text", dataset=Dataset(name="tiny", questions=tuple(questions)))(requests))
    assert {(reply.key[1], reply.text) for reply in replies} == {(0, "D"), (1, "C")}
    with pytest.raises(UsageError, match="too few videos"):
        open_model("baseline:text", dataset=make_dataset())
    with pytest.raises(UsageError, match="needs the dataset"):
        open_model("baseline:text")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("baseline:clever", "no baseline named 'clever'; there are: random, text"),
        ("python:json", "python:module:function"),
        ("python:no_such_module:f", "cannot import 'no_such_module'"),
        ("python:json:no_such", "has no 'no_such'"),
        ("python:json:__name__", "is not a function"),
    ],
)
def test_models_that_are_not_there(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_model(name)


def test_a_function_by_its_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "my_model.py").write_text("def answer(request):\n    return f'The answer is {request.letters[0]}.'\n")
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.path", ["/usr/lib/nowhere", *__import__("sys").path])
    rows = _run(root, open_model("python:my_model:answer"))
    assert {row.answer_index for row in rows} == {0}


def test_what_a_model_prints_stays_out_of_the_document(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "loud_model.py").write_text(
        "print('loading')\n\n\ndef answer(request):\n    print('thinking')\n    return 0\n"
    )
    monkeypatch.chdir(root)
    dataset = make_dataset()
    dataset.save(root)
    at = ["--root", str(root), "--dataset", dataset.name, "--nframes", "8", "--res", "16", "--json"]
    assert run(["evaluate", "--model", "python:loud_model:answer", *at]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["results"]
    assert "loading" in captured.err
    assert "thinking" in captured.err


def test_hidden_answers_are_parsed_and_not_scored(root: Path) -> None:
    dataset = make_dataset()
    hidden = tuple(
        question.model_copy(update={"answer": None, "answer_index": None, "answers_hidden": True})
        for question in dataset.questions
    )
    rows = list(evaluate_questions(replace(dataset, questions=hidden), root, model="baseline:random", options=OPTIONS))
    assert not any(row.correct for row in rows)
    assert all(row.answer_index is not None for row in rows)


def test_rows_are_on_disk_when_they_are_given(root: Path) -> None:
    rows = evaluate_questions(make_dataset(), root, model="baseline:random", options=OPTIONS)
    for row in itertools.islice(rows, 3):
        (path,) = (root / "tiny" / "results").glob("*.jsonl")
        assert json.loads(path.read_bytes().splitlines()[-1])["question_id"] == row.question_id
    rows.close()


# --- sweeps -----------------------------------------------------------------------------------------------------


def test_sweeps_are_the_papers_and_one_of_equal_tokens() -> None:
    def labels(name: str) -> list[str]:
        return [point.label.split("\n")[0] for point in plan_sweep(name, AskOptions(), "qwen2.5-vl", 2304)]

    assert labels("patterns")[:3] == ["video_first", "image_first", "video_only"]
    assert set(labels("patterns")) == set(PATTERNS)
    assert labels("frames") == ["8x240", "16x240", "32x240", "64x240"]
    assert labels("resolution") == ["32x72", "32x108", "32x144", "32x240"]
    assert labels("budget") == ["8x720", "16x480", "32x360", "64x240", "128x144", "256x108", "512x72"]
    tokens = plan_sweep("tokens", AskOptions(), "qwen2.5-vl", 2304)
    costs = [count_visual_tokens("qwen2.5-vl", point.options.grid, 16, 9) for point in tokens]
    assert len(costs) >= 4
    assert all(1152 < cost <= 2304 for cost in costs)
    asked = AskOptions(grid=FrameGrid(nframes=9, res=9, multiple_of=28, sampler="midpoint"), profile="paper")
    assert {p.options.grid.identity for p in plan_sweep("frames", asked, "qwen2.5-vl", 1)} == {
        f"{nframes}x240-m28-midpoint" for nframes in (8, 16, 32, 64)
    }
    assert name_token_rule("Qwen/Qwen3-VL-8B-Instruct") == "qwen3-vl"
    assert name_token_rule("OpenGVLab/InternVL2_5-8B") == "internvl2.5"


# --- the verb ---------------------------------------------------------------------------------------------------


def _evaluate(root: Path, *arguments: str) -> int:
    return run(["evaluate", "--dataset", "tiny", "--root", str(root), "--nframes", "8", "--res", "16", *arguments])


def test_the_verb_evaluates_and_shows_figures(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _evaluate(root, "--model", "baseline:random", "--rotations", "all") == 0
    output = capsys.readouterr()
    assert "Overall" in output.out
    assert "8 of 8 questions evaluated" in output.err
    assert "right in all of 10 rotations" in output.err
    assert _evaluate(root, "--model", "baseline:random", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["statuses"] == {"ok": 8}
    assert document["scores"][0]["overall"]["evaluated"] == 8


def test_the_verb_says_how_to_make_what_is_missing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = Workspace(root, "tiny")
    workspace.cache_path(GRID, "beta").unlink()
    assert _evaluate(root, "--model", "baseline:random") == 0  # the video is gone for good: nothing to mend here
    workspace.videos.mkdir()
    (workspace.videos / "beta.mp4").touch()
    capsys.readouterr()
    assert _evaluate(root, "--model", "baseline:random") == 1
    output = capsys.readouterr().err
    assert "ivbench-data cache --dataset tiny --nframes 8 --res 16" in output
    assert "3 missing" in output


def test_the_verb_sweeps_and_draws(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = root / "sweep.svg"
    assert _evaluate(root, "--model", "baseline:random", "--sweep", "patterns", "--figure", str(figure), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["scores"]) == len(set(document["results"])) == len(PATTERNS)
    assert b"<svg" in figure.read_bytes()
    assert _evaluate(root, "--model", "baseline:random", "--sweep", "frames", "--pattern", "text_only") == 0
    assert b"<svg" in (root / "tiny" / "reports" / "sweep-frames-baseline-random.svg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "baseline:random", "--sweep", "everything"], "no sweep named 'everything'; there are: patterns"),
        (["--model", "baseline:random", "--rotations", "none"], "--rotations is a number"),
        (["--model", "baseline:random", "--grid", "8x16"], "leave --nframes and --res out"),
        (["--model", "baseline:random", "--pattern", "upside_down"], "no pattern named 'upside_down'"),
        (["--model", "baseline:clever"], "no baseline named 'clever'"),
    ],
)
def test_the_verb_refuses_what_cannot_be_meant(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert _evaluate(root, *arguments) == 2
    assert message in capsys.readouterr().err


SLOW_MODEL = """
import time
def answer(request):
    time.sleep(0.02)
    return request.letters[len(request.question_id) % len(request.letters)]
"""


@pytest.mark.full
def test_killed_and_gone_on_with_gives_the_same_scores(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (root / "slow_model.py").write_text(SLOW_MODEL)
    arguments = ["evaluate", "--dataset", "tiny", "--root", str(root), "--nframes", "8", "--res", "16", "--json"]
    arguments += ["--model", "python:slow_model:answer", "--rotations", "all"]
    command = [sys.executable, "-m", "ivbench_data", *arguments]
    results = root / "tiny" / "results"
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not any(path.read_bytes().count(b"\n") > 8 for path in results.glob("*.jsonl")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    (path,) = results.glob("*.jsonl")
    answered = len(read_results(path).rows)
    assert 0 < answered < 74
    assert run(arguments) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert len(read_results(path).rows) == 74
    path.unlink()
    assert run(arguments) == 0
    whole = json.loads(capsys.readouterr().out)
    assert (resumed.pop("kept"), resumed.pop("asked")) == (answered, 74 - answered)
    assert (whole.pop("kept"), whole.pop("asked")) == (0, 74)
    for document in (resumed, whole):
        for score in document["scores"]:
            score["seconds"] = None
    assert resumed == whole


def test_the_demo_end_to_end(demo_media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo").mkdir()
    for folder in ("videos", "images", "raw"):
        (tmp_path / "demo" / folder).symlink_to(demo_media / "demo" / folder)
    at = ["--root", str(tmp_path)]
    assert run(["import", "demo", str(demo_media / "demo" / "raw"), *at]) == 0
    assert run(["cache", "--dataset", "demo", "--nframes", "4", "--res", "36", "--workers", "0", *at]) == 0
    capsys.readouterr()
    code = run(
        ["evaluate", "--dataset", "demo", *at, "--nframes", "4", "--res", "36", "--model", "baseline:random", "--json"]
    )
    assert code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["statuses"] == {"ok": 104}
    (card,) = document["scores"]
    assert card["overall"]["evaluated"] == card["denominators"]["fetched"] == 104
    assert card["overall"]["accuracy"]["low"] < 0.1 < card["overall"]["accuracy"]["high"]


def test_an_image_too_large_to_decode_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    from ivbench_data.evaluate.prompts.requests import ImagePart

    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(OSError, match=r"huge\.png cannot be shown: .*exceeds limit"):
        ImagePart("huge.png", None, buffer.getvalue(), "0" * 64).open()


# --- scores of replies ------------------------------------------------------------------------------------------


def test_a_reply_is_scored_in_stored_order() -> None:
    question = Question(
        question_id="v_0", video_id="v", question="?", options=("red", "green", "blue"), answer="green", answer_index=1,
        task="Counting", source="mine",
    )  # fmt: skip
    assert score_reply(question, "The answer is B.") == ReplyScore(1, "phrase", True)
    assert score_reply(question, "A", rotation=1) == ReplyScore(1, "letter", True)
    assert score_reply(question, "C", rotation=1) == ReplyScore(0, "letter", False)
    assert score_reply(question, None) == ReplyScore(None, "none", False)
    with pytest.raises(UsageError, match="no profile named 'papre'"):
        score_reply(question, "B", "papre")


# --- edited models ------------------------------------------------------------------------------------------------

VARYING_MODEL = """
from parts.choose import choose
def answer(request):
    return choose(request)
"""


def _write_model(folder: Path, letter: int) -> None:
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts" / "__init__.py").write_text("")
    (folder / "parts" / "choose.py").write_text(
        f"from . import letters\ndef choose(request):\n    return letters.pick(request, {letter})\n"
    )
    (folder / "parts" / "letters.py").write_text("def pick(request, at):\n    return request.letters[at]\n")
    (folder / "varying_model.py").write_text(VARYING_MODEL)


def _run_model(root: Path, name: str, *more: str) -> dict[str, object]:
    """One run of the verb in a process of its own."""
    command = [sys.executable, "-m", "ivbench_data", "evaluate", "--dataset", "tiny", "--root", str(root)]
    command += ["--nframes", "8", "--res", "16", "--json", "--model", name, *more]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert f"{document['kept']} answers kept, {document['asked']} questions asked" in done.stderr
    return document


@pytest.mark.full
def test_an_edited_model_is_asked_again(root: Path) -> None:
    _write_model(root, 0)
    first = _run_model(root, "python:varying_model:answer")
    assert (first["kept"], first["asked"]) == (0, 8)
    again = _run_model(root, "python:varying_model:answer")
    assert (again["kept"], again["asked"], again["results"]) == (8, 0, first["results"])
    _write_model(root, 1)  # in a file that the model's package imports
    edited = _run_model(root, "python:varying_model:answer")
    assert (edited["kept"], edited["asked"]) == (0, 8)
    assert edited["results"] != first["results"]
    rows = [read_results(Path(str(document["results"][0]))).rows["alpha_2", 0] for document in (first, edited)]  # type: ignore[index]
    assert [row.answer_index for row in rows] == [0, 1]


def test_a_declared_version_stands_for_the_code(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = "{version}\ndef answer(request):\n    return request.letters[{letter}]\n"
    for version, letter, asked in (("version = '1'", 0, 8), ("version = '1'", 3, 0), ("version = '2'", 3, 8)):
        (root / "declared_model.py").write_text(text.format(version=version, letter=letter) + "#" * letter)
        plans: list[RunPlan] = []
        model = open_model("python:declared_model:answer")
        list(
            evaluate_questions(make_dataset(), root, model=model, options=OPTIONS, model_name="m", on_plan=plans.append)
        )
        assert [plan.asked for plan in plans] == [asked]
    (root / "declared_model.py").write_text("def answer(request):\n    return 'A'\nanswer.version = 7\n")
    assert open_model("python:declared_model:answer").identity == {"version": 7}  # type: ignore[attr-defined]


def test_code_edited_while_a_process_runs_is_imported_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [*sys.path])
    _write_model(root, 0)
    assert {row.answer_index for row in _run(root, open_model("python:varying_model:answer"))} == {0}
    _write_model(root, 2)
    (root / "parts" / "choose.py").write_text((root / "parts" / "choose.py").read_text() + "# edited\n")
    assert {row.answer_index for row in _run(root, open_model("python:varying_model:answer"))} == {2}


def test_fresh_asks_again_and_keeps_the_earlier_file(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _evaluate(root, "--model", "baseline:random", "--json") == 0
    (path,) = (root / "tiny" / "results").glob("*.jsonl")
    before = path.read_bytes()
    capsys.readouterr()
    assert _evaluate(root, "--model", "baseline:random", "--fresh", "--json") == 0
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert (document["kept"], document["asked"]) == (0, 8)
    (replaced,) = (root / "tiny" / "results" / "replaced").glob("*.jsonl")
    assert replaced.read_bytes() == before
    assert document["replaced"] == [str(replaced)]
    assert f"moved to {replaced}" in output.err
    assert run(["score", str(replaced), "--dataset", "tiny", "--root", str(root)]) == 0


# --- two processes ------------------------------------------------------------------------------------------------

COUNTING_MODEL = """
import time
def answer(request):
    with open("asked.txt", "a") as file:
        file.write(request.question_id + "\\n")
    time.sleep(0.2)
    return "A"
"""


def _start_counting(root: Path) -> subprocess.Popen[str]:
    (root / "counting_model.py").write_text(COUNTING_MODEL)
    command = [sys.executable, "-m", "ivbench_data", "evaluate", "--dataset", "tiny", "--root", str(root)]
    command += ["--nframes", "8", "--res", "16", "--model", "python:counting_model:answer"]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_until_asked(root: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not (root / "asked.txt").exists() or len((root / "asked.txt").read_text().splitlines()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.full
def test_two_processes_ask_every_question_once(root: Path) -> None:
    with _start_counting(root) as one, _start_counting(root) as other:
        outcomes = [(process.pid, *process.communicate(timeout=120), process.returncode) for process in (one, other)]
    asked = (root / "asked.txt").read_text().splitlines()
    assert sorted(asked) == sorted(question.question_id for question in make_dataset().questions)
    refused = [outcome for outcome in outcomes if outcome[3] != 0]
    for pid, _, err, code in refused:
        (holder,) = {one.pid, other.pid} - {pid}
        assert code == 3, err
        assert f"process {holder} on {socket.gethostname()}, since 20" in err
    assert not list((root / "tiny" / "ledger").glob("claim-*"))


@pytest.mark.full
def test_a_killed_process_blocks_nobody(root: Path) -> None:
    with _start_counting(root) as killed:
        _wait_until_asked(root, 2)
        os.kill(killed.pid, signal.SIGKILL)
        # not waited for: it is a zombie while the next one starts
        with _start_counting(root) as heir:
            _, err = heir.communicate(timeout=120)
    assert heir.returncode == 0, err
    rows = [read_results(path).rows for path in (root / "tiny" / "results").glob("*.jsonl")]
    assert [len(each) for each in rows] == [8]
    assert not list((root / "tiny" / "ledger").glob("claim-*"))


@pytest.mark.full
def test_a_silent_claim_of_another_machine_is_taken_over_and_its_owner_stops(tmp_path: Path) -> None:
    results = tmp_path / "results" / "abc.jsonl"
    with RunClaim(tmp_path, results) as first:
        (claim,) = tmp_path.glob("claim-abc.*.json")
        elsewhere = json.loads(claim.read_bytes()) | {"machine": "elsewhere", "host": "elsewhere", "pid": 1}
        with pytest.raises(EnvironmentProblemError, match=f"process {os.getpid()} on .*, since 20"):
            RunClaim(tmp_path, results, silent_seconds=1).__enter__()
        claim.write_text(json.dumps(elsewhere))
        with pytest.raises(EnvironmentProblemError, match="process 1 on elsewhere"):
            RunClaim(tmp_path, results, silent_seconds=10).__enter__()  # the first one touches it still
        deadline = time.monotonic() + 30
        claim.write_text(json.dumps(elsewhere | {"token": "another"}))
        while time.monotonic() < deadline:
            try:
                first.check()
            except EnvironmentProblemError:
                break
            time.sleep(0.1)
        with pytest.raises(EnvironmentProblemError, match="another process took over"):
            first.check()
        with RunClaim(tmp_path, results, silent_seconds=0.5):
            assert [path.name for path in tmp_path.glob("claim-*")] == ["claim-abc.1.json"]
    assert not list(tmp_path.glob("claim-*"))
