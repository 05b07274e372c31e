"""What every harness takes from us: rows, judge_replies, figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation_dataset import GRID, make_dataset, make_media
from PIL import Image
from recorded_replies import make_bank

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.evaluation import evaluate_questions
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.evaluate.prompts.requests import Reply
from ivbench_data.evaluate.replies.parse import parse_answer
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.evaluate.results import find_results, read_results
from ivbench_data.evaluate.scores import score_results
from ivbench_data.exports.frame_pictures import export_frames
from ivbench_data.exports.harness import (
    OVERALL,
    Figure,
    HarnessOptions,
    HarnessRow,
    UnaskedRow,
    collect_results,
    find_figures,
    find_rows,
    gather_rows,
    score_replies,
)
from ivbench_data.exports.harness_figures import name_metrics
from ivbench_data.exports.lmms_eval_task import WholeReply, score_document
from ivbench_data.schema import Question
from ivbench_data.workspace import Workspace

FRAMES = HarnessOptions(show="frames", grid=GRID)


def _answer(question_id: str) -> str:
    """A reply that names now this option, now that one, now none."""
    number = sum(question_id.encode())
    return ["B", "(A)", "The answer is C.", "thing", "D.", "I cannot tell."][number % 6]


def test_rows_show_what_the_evaluator_shows(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    list(export_frames(dataset, tmp_path / "pictures", GRID, tmp_path))
    seen: dict[str, tuple[str, int, int]] = {}

    def model(requests):  # type: ignore[no-untyped-def]
        for request in requests:
            seen[request.question_id] = (request.text, request.video.shape[0], len(request.images))
            yield Reply(request.key, "A")

    list(evaluate_questions(dataset, tmp_path, model=model, options=AskOptions(grid=GRID)))
    rows = list(find_rows(dataset, Workspace(tmp_path, "tiny"), FRAMES, tmp_path / "pictures"))
    assert len(rows) == len(seen) == 8
    for row in rows:
        assert isinstance(row, HarnessRow)
        assert (row.text, len(row.frames), len(row.images)) == seen[row.question.question_id]
        assert all(Path(path).is_file() for path in (*row.frames, *row.images))


def test_the_same_replies_give_the_same_scorecard(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)

    def model(requests):  # type: ignore[no-untyped-def]
        return (Reply(request.key, _answer(request.question_id)) for request in requests)

    list(evaluate_questions(dataset, tmp_path, model=model, options=AskOptions(grid=GRID)))
    (path,) = find_results(tmp_path / "tiny" / "results")
    ours = score_results(dataset, read_results(path))
    theirs = score_replies(
        dataset, {question.question_id: _answer(question.question_id) for question in dataset.questions}, FRAMES
    )
    assert 0 < ours.overall.correct < 8
    for part in ("overall", "groups", "tasks", "overall_with_missing_as_wrong"):
        assert getattr(theirs, part) == getattr(ours, part)


def test_the_bank_of_replies_is_read_alike_wherever_it_is_scored(tmp_path: Path) -> None:
    dataset, replies = make_bank()
    dataset.save(tmp_path)
    ours = {
        question.question_id: parse_answer(replies[question.question_id], question.options).index
        for question in dataset.questions
    }
    assert len(ours) > 900
    rows = gather_rows(dataset, Workspace(tmp_path, "bank"), HarnessOptions())
    results = collect_results(dataset, replies)
    assert {key: row.answer_index for (key, _), row in results.rows.items()} == ours
    # as lmms-eval calls its task: the filter writes JSON, the document holds the question as text
    name_of = name_metrics(rows.figures)
    for row in rows.rows:
        key = row.question.question_id
        document = {
            "record": row.question.model_dump_json(exclude_defaults=True), "profile": "default", "source": "",
            "counts_in": [name_of[OVERALL]], "figures": [json.dumps(OVERALL)],
        }  # fmt: skip
        scored = score_document(document, WholeReply().apply([[replies[key]]], None))
        assert scored[name_of[OVERALL]]["row"].get("answer_index") == ours[key], replies[key]


def test_questions_without_media_are_rows_that_say_so(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    workspace = Workspace(tmp_path, "tiny")
    workspace.cache_path(GRID, "beta").unlink()
    workspace.image_path("alpha_0.png").unlink()
    damaged = workspace.cache_path(GRID, "-gamma")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    rows = list(find_rows(dataset, workspace, FRAMES, tmp_path / "pictures"))
    output = {row.question_id: row.kind for row in rows if isinstance(row, UnaskedRow)}
    assert output == {
        "alpha_0": "missing", "beta_3": "missing", "beta_4": "missing", "beta_7": "missing",
        "-gamma_5": "failed", "-gamma_6": "failed",
    }  # fmt: skip
    videos = list(find_rows(dataset, workspace, HarnessOptions()))
    assert all(isinstance(row, UnaskedRow) and "the video" in row.reason for row in videos)
    assert len(videos) == len(rows) == 8


def test_a_picture_that_breaks_off_is_not_shown_to_a_harness(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    path = Workspace(tmp_path, "tiny").image_path("alpha_0.png")
    Image.effect_noise((64, 64), 50).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:-200])
    (row,) = [
        row
        for row in find_rows(dataset, Workspace(tmp_path, "tiny"), FRAMES, tmp_path / "pictures")
        if isinstance(row, UnaskedRow)
    ]
    assert (row.question_id, row.kind) == ("alpha_0", "failed")
    assert "alpha_0.png is damaged" in row.reason


def test_a_videos_is_named_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    videos = tmp_path / "tiny" / "videos"
    videos.mkdir()
    (videos / "-gamma.mp4").write_bytes(b"a video")
    monkeypatch.chdir(tmp_path)
    rows = [
        row for row in find_rows(dataset, Workspace(Path(), "tiny"), HarnessOptions()) if isinstance(row, HarnessRow)
    ]
    assert [row.video for row in rows] == [str(videos / "-gamma.mp4")] * 2
    assert all(Path(path).is_absolute() for row in rows for path in row.images)


def test_the_figures_are_all_questions_groups_and_tasks() -> None:
    dataset = make_dataset()
    assert find_figures(dataset) == [
        OVERALL, *(Figure("task", name) for name in ("Existence", "Reverse Existence", "Counting", "Summary"))
    ]  # fmt: skip
    figures = find_figures(replace(dataset, name="ivbench"))
    assert figures[:3] == [OVERALL, Figure("group", "perception"), Figure("group", "reasoning")]
    assert {figure.name for figure in figures[3:]} == {"Existence", "Reverse Existence", "Counting", "Summary"}


def test_a_hidden_answer_counts_in_no_figure_and_is_never_right() -> None:
    question = Question(
        question_id="q", question="?", options=("a", "b"), answers_hidden=True, task="overall", source="test"
    )
    assert find_figures(replace(make_dataset(), questions=(question,))) == []
    assert not score_reply(question, "A").correct


def test_what_cannot_be_worded_or_scored_is_refused() -> None:
    dataset, workspace = make_dataset(), Workspace(Path(), "tiny")
    with pytest.raises(UsageError, match="states the number of frames"):
        list(find_rows(dataset, workspace, HarnessOptions(profile="paper")))
    with pytest.raises(UsageError, match="no profile named"):
        list(find_rows(dataset, workspace, HarnessOptions(profile="ours")))
    with pytest.raises(UsageError, match="folder to which they were exported"):
        list(find_rows(dataset, workspace, FRAMES))
    with pytest.raises(UsageError, match="not a question of tiny"):
        score_replies(dataset, {"nobody": "A"})
