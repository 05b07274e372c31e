"""Scores: against hand-computed ones and the paper's own; comparisons, signatures, tables, figures, the page."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation_dataset import make_dataset, make_media
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ivbench_data.cli import run
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.compare import compare_results, diagnose
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.evaluate.results import Results, ResultsFile, ResultsHeader, RunConfiguration
from ivbench_data.evaluate.score_figures import draw_sweep, draw_tasks
from ivbench_data.evaluate.score_tables import Table, make_detail_table, make_paper_table
from ivbench_data.evaluate.scores import recompute_published, score_results, weigh
from ivbench_data.evaluate.wrong_answers_page import make_error_report
from ivbench_data.manifests import load_manifest
from ivbench_data.plotting import save_figure
from ivbench_data.questions.duration_buckets import name_duration
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import EvaluationResult, Question
from ivbench_data.statistics import estimate_share
from ivbench_data.workspace import Workspace

CONFIGURATION = RunConfiguration(
    dataset="tiny", model="m", pattern="video_first", profile="default", grid="8x16", prompt_version=1
)


def _results(rows: Sequence[EvaluationResult], **changes: object) -> Results:
    header = ResultsHeader(configuration=CONFIGURATION.model_copy(update=changes), started="2026-01-01T00:00:00Z")
    return Results(Path("results/x.jsonl"), (header,), {(row.question_id, row.rotation): row for row in rows})


def _row(question: Question, right: bool = True, **values: object) -> EvaluationResult:
    assert question.answer_index is not None
    index = question.answer_index if right else (question.answer_index + 1) % len(question.options)
    return EvaluationResult.model_validate(
        {"question_id": question.question_id, "reply": "x", "answer_index": index, "correct": right, **values}
    )


def _many(tasks: Sequence[str] = ("Existence", "Reverse Existence"), videos: int = 20, each: int = 3) -> Dataset:
    """A dataset large enough for intervals to say something."""
    questions = [
        Question(
            question_id=f"v{video}_{task}_{number}",
            video_id=f"v{video}",
            image_ids=(f"v{video}_{task}_{number}.png",),
            question="?",
            options=tuple("0123456789"),
            answer_index=(video + number) % 10,
            answer=str((video + number) % 10),
            task=task,
            source="test",
        )
        for video in range(videos)
        for task in tasks
        for number in range(each)
    ]
    return Dataset(name="tiny", questions=tuple(questions))


# --- the paper's own figures ------------------------------------------------------------------------------------

DISAGREE_WITH_THEMSELVES = {"InternVL2.5-8B", "Gemini-2-Pro", "Gemini-2-Flash", "Qwen2.5-VL-72B"}


@pytest.mark.parametrize("row", load_manifest("ivbench").published_results, ids=lambda row: row.model)
def test_the_papers_means_follow_from_its_tasks_and_counts(row) -> None:  # type: ignore[no-untyped-def]  # ids' lambda
    recomputed = recompute_published(load_manifest("ivbench"), row)
    printed = {"overall": row.overall, **row.groups}
    assert recomputed.keys() == printed.keys() == {"overall", "perception", "reasoning"}
    tolerance = 0.5 if row.model in DISAGREE_WITH_THEMSELVES else 0.2
    for key, value in recomputed.items():
        assert value == pytest.approx(printed[key], abs=tolerance)


def test_there_are_26_rows_and_four_disagree_with_themselves() -> None:
    rows = {row.model for row in load_manifest("ivbench").published_results}
    assert len(rows) == 26
    assert rows >= DISAGREE_WITH_THEMSELVES


def test_our_weighting_is_the_papers() -> None:
    """Answers with the paper's counts and a row's task accuracies give that row's Overall, P-Avg and R-Avg."""
    manifest = load_manifest("ivbench")
    row = next(row for row in manifest.published_results if row.model == "InternVL2.5-78B")
    questions, rows = [], []
    for task in manifest.tasks:
        right = round(float(row.tasks[task.name] or 0) / 100 * (task.published or 0))
        for number in range(task.published or 0):
            question = Question(
                question_id=f"{task.name}_{number}", video_id=f"v{number % 60}", question="?",
                options=tuple("0123456789"), answer_index=0, answer="0", task=task.name, source="test",
            )  # fmt: skip
            questions.append(question)
            rows.append(_row(question, number < right))
    dataset = Dataset(name="ivbench", questions=tuple(questions))
    card = score_results(dataset, _results(rows, dataset="ivbench"))
    assert list(card.tasks) == [task.name for task in manifest.tasks]
    assert card.overall.evaluated == 2585
    assert card.overall.accuracy is not None
    assert 100 * card.overall.accuracy.value == pytest.approx(row.overall, abs=0.2)
    for key, printed in row.groups.items():
        accuracy = card.groups[key].accuracy
        assert accuracy is not None
        assert 100 * accuracy.value == pytest.approx(printed, abs=0.2)
    assert card.groups["perception"].evaluated == 1511
    assert card.groups["reasoning"].evaluated == 1074


@given(st.lists(st.booleans(), min_size=24, max_size=24))
def test_overall_is_the_question_weighted_mean_of_the_tasks(right: list[bool]) -> None:
    dataset = make_dataset()
    card = score_results(dataset, _results([_row(q, hit) for q, hit in zip(dataset.questions, right, strict=False)]))
    counts = {name: one.evaluated for name, one in card.tasks.items()}
    values = {name: one.accuracy.value for name, one in card.tasks.items() if one.accuracy}
    assert card.overall.accuracy is not None
    assert card.overall.accuracy.value == pytest.approx(weigh(values, counts, counts))


# --- counting ---------------------------------------------------------------------------------------------------


def test_what_counts_and_what_does_not() -> None:
    dataset = make_dataset()
    q = dataset.questions
    rows = [
        _row(q[0]),
        _row(q[1], right=False),
        _row(q[2], answer_index=None, correct=False, reply="no idea"),
        _row(q[3], status="failed", reply=None, answer_index=None, correct=False, error="out of memory"),
        _row(q[4]),
        _row(q[5], status="missing", reply=None, answer_index=None, correct=False, error="no cache"),
        _row(q[6], status="inapplicable", reply=None, answer_index=None, correct=False, error="whole video"),
    ]  # q[7] has no row
    card = score_results(dataset, _results(rows))
    one = card.overall
    assert (one.evaluated, one.correct, one.failed, one.missing, one.inapplicable) == (5, 2, 1, 2, 1)
    assert one.accuracy == estimate_share([1, 0, 0, 0, 1], ["a", "a", "a", "b", "b"])
    assert one.chance == pytest.approx((4 * 0.1 + 0.25) / 5)
    assert one.parse_rate == pytest.approx(3 / 4)
    assert card.overall_with_missing_as_wrong == pytest.approx(2 / 7)
    assert (card.denominators.in_dataset, card.denominators.evaluated, card.denominators.fetched) == (8, 5, None)
    counting, summary = card.tasks["Counting"], card.tasks["Summary"]
    assert (counting.evaluated, counting.correct) == (2, 1)
    assert (summary.accuracy, summary.chance, summary.parse_rate, summary.evaluated) == (None, None, None, 0)


def test_a_letter_drawn_by_lot_may_be_right_and_is_not_parsed() -> None:
    dataset = make_dataset()
    row = _row(dataset.questions[0], metadata={"rule": "drawn"})
    one = score_results(dataset, _results([row])).overall
    assert (one.correct, one.parse_rate) == (1, 0.0)


def test_equal_options_are_all_right_and_count_for_chance() -> None:
    dataset = make_dataset()
    options = ("a", "b", "a", "c")
    doubled = dataset.questions[0].model_copy(update={"options": options, "answer": "a", "answer_index": 0})
    dataset = replace(dataset, questions=(doubled,))
    row = EvaluationResult(question_id=doubled.question_id, reply="C", answer_index=2)
    one = score_results(dataset, _results([row])).overall
    assert (one.correct, one.chance) == (1, 0.5)


def test_hidden_and_open_answers_are_counted_apart() -> None:
    dataset = make_dataset()
    hidden = dataset.questions[0].model_copy(update={"answer": None, "answer_index": None, "answers_hidden": True})
    free = dataset.questions[1].model_copy(
        update={"options": (), "answer_index": None, "answer": "3", "question_type": "numeric"}
    )
    card = score_results(replace(dataset, questions=(hidden, free, *dataset.questions[2:])), _results([]))
    assert (card.denominators.unscorable, card.denominators.in_dataset) == (2, 6)


def test_what_is_on_disk_is_counted(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    workspace = Workspace(tmp_path, "tiny")
    workspace.videos.mkdir()
    (workspace.videos / "alpha.mp4").touch()
    workspace.image_path("alpha_1.png").unlink()
    assert score_results(dataset, _results([]), workspace).denominators.fetched == 2


def test_results_of_another_dataset_are_refused() -> None:
    with pytest.raises(UsageError, match="'other'"):
        score_results(make_dataset(), _results([], dataset="other"))


def test_slices_by_what_is_known() -> None:
    dataset = make_dataset()
    seen = {"duration_seconds": 80.0, "evidence_seen": True}
    rows = [
        _row(dataset.questions[1], metadata=seen),
        _row(dataset.questions[2], right=False, metadata=seen),
        _row(dataset.questions[3], metadata={"duration_seconds": 700.0, "evidence_seen": False}),
        _row(dataset.questions[0], metadata={"duration_seconds": 80.0, "evidence_seen": None}),
    ]
    slices = score_results(dataset, _results(rows)).slices
    output = {kind: {name: (s.correct, s.evaluated) for name, s in parts.items()} for kind, parts in slices.items()}
    assert output == {
        "duration": {"1 to 3 min": (2, 3), "10 to 30 min": (1, 1)},
        "granularity": {"frame": (2, 2), "clip": (0, 1), "whole": (1, 1)},
        "evidence": {"a frame shows it": (1, 2), "no frame shows it": (1, 1)},
    }
    assert [name_duration(s) for s in (0, 59.9, 60, 3600)] == [
        "under 1 min", "under 1 min", "1 to 3 min", "30 min and over",
    ]  # fmt: skip


def test_right_in_all_rotations_beside_plain_accuracy() -> None:
    dataset = make_dataset()
    first, second, third = dataset.questions[:3]
    rows = [
        *(_row(first, rotation=rotation) for rotation in range(3)),
        *(_row(second, right=rotation != 1, rotation=rotation) for rotation in range(3)),
        _row(third),
    ]
    card = score_results(dataset, _results(rows))
    assert (card.overall.correct, card.overall.evaluated) == (3, 3)
    assert card.rotations == 3
    assert card.right_in_all is not None
    assert card.right_in_all.accuracy == estimate_share([1, 0], ["a", "a"])
    assert card.right_in_all.chance == pytest.approx(0.1**3)
    assert card.mean_of_rotations == pytest.approx(5 / 6)


# --- comparison and signatures ----------------------------------------------------------------------------------


def test_two_files_are_compared_on_what_both_evaluated() -> None:
    dataset = make_dataset()
    q = dataset.questions
    first = _results([_row(q[0]), _row(q[1]), _row(q[2]), _row(q[3], right=False), _row(q[5])])
    second = _results([_row(q[0]), _row(q[1], right=False), _row(q[2], right=False), _row(q[3]), _row(q[6])], model="n")
    compared = compare_results(dataset, first, second)
    one = compared.overall
    assert (one.questions, one.first, one.second) == (4, 0.75, 0.5)
    assert (one.paired.mcnemar.only_first, one.paired.mcnemar.only_second) == (2, 1)
    assert one.paired.mcnemar.p_value == 1.0
    assert one.paired.difference.value == pytest.approx(0.25)
    assert (compared.only_first, compared.only_second) == (1, 1)
    assert {task.name: task.questions for task in compared.tasks} == {
        "Existence": 2,
        "Reverse Existence": 1,
        "Counting": 1,
    }
    with pytest.raises(UsageError, match="no evaluated question in common"):
        compare_results(dataset, first, _results([_row(q[7])]))


def _signs(dataset: Dataset, results: Sequence[Results]) -> dict[str, bool | None]:
    return {one.name: one.found for one in diagnose(dataset, results)}


def test_signatures_are_found_where_they_are() -> None:
    dataset = _many()
    blind = _results([_row(q, n % 2 == 0) for n, q in enumerate(dataset.questions)], pattern="video_only")
    full = _results(
        [_row(q, q.task == "Existence") for q in dataset.questions],
    )
    first = _results(
        [_row(q, q.task == "Existence" and n % 5 > 0) for n, q in enumerate(dataset.questions)], pattern="image_first"
    )
    assert _signs(dataset, [blind, full, first]) == {
        "right without the image": True,
        "worse with the image first": True,
        "high Existence beside low Reverse Existence": True,
        "one letter preferred": False,
    }
    only_c = _results(
        [
            EvaluationResult(question_id=q.question_id, reply="C", answer_index=2, correct=q.answer_index == 2)
            for q in dataset.questions
        ]
    )
    (letter,) = [one for one in diagnose(dataset, [only_c]) if one.name == "one letter preferred"]
    assert letter.found
    assert letter.statement.startswith("C is picked in 100.0 % of 120 replies, 90.0 points")


def test_signatures_are_not_found_where_they_are_not() -> None:
    dataset = _many()
    by_chance = _results([_row(q, n % 10 == 0) for n, q in enumerate(dataset.questions)], pattern="video_only")
    full = _results([_row(q, n % 3 > 0) for n, q in enumerate(dataset.questions)])
    first = _results([_row(q, n % 3 > 0) for n, q in enumerate(dataset.questions)], pattern="image_first")
    assert not any(_signs(dataset, [by_chance, full, first]).values())


def test_a_preferred_letter_is_found_in_the_order_that_was_shown() -> None:
    """Under rotations the preferred letter is another stored option each time."""
    dataset = _many()
    rows = [
        EvaluationResult(question_id=q.question_id, rotation=rotation, reply="D", answer_index=(3 + rotation) % 10)
        for q in dataset.questions
        for rotation in range(10)
    ]
    (letter,) = [one for one in diagnose(dataset, [_results(rows)]) if one.name == "one letter preferred"]
    assert letter.found
    assert letter.statement.startswith("D is picked in 100.0 % of 1,200 replies")


def test_a_signature_without_its_results_says_what_it_needs() -> None:
    dataset = _many(("Counting",))
    found = list(diagnose(dataset, [_results([_row(q) for q in dataset.questions])]))
    assert [one.found for one in found] == [None, None, None, False]
    assert "it needs results of video_first and image_first" in found[1].statement


# --- tables -----------------------------------------------------------------------------------------------------


def _ivbench_card() -> tuple[Dataset, Results]:
    dataset = replace(make_dataset(), name="ivbench")
    return dataset, _results([_row(q, n != 1) for n, q in enumerate(dataset.questions)], dataset="ivbench")


def test_the_table_has_the_papers_columns_and_rows() -> None:
    dataset, results = _ivbench_card()
    manifest = load_manifest("ivbench")
    table = make_paper_table([score_results(dataset, results)], manifest)
    perception = [task.name for task in manifest.tasks if task.group == "perception"]
    reasoning = [task.name for task in manifest.tasks if task.group == "reasoning"]
    assert table.columns == ("model", "questions", "Overall", *perception, "P-Avg", *reasoning, "R-Avg")
    assert len(table.rows) == 1 + 26
    assert table.rows[0][:3] == ("m · video_first · 8x16", "8 of 1,686", 87.5)
    assert table.rows[1][:3] == ("Llama-vid", "paper: 2,585", 10.5)
    assert dict(zip(table.columns, table.rows[0], strict=True))["Reverse Existence"] == 0.0
    assert dict(zip(table.columns, table.rows[0], strict=True))["NLI"] is None
    assert len(make_paper_table([score_results(dataset, results)], manifest, with_paper=False).rows) == 1


def test_markdown_csv_and_json_say_the_same() -> None:
    dataset, results = _ivbench_card()
    table = make_paper_table([score_results(dataset, results)], load_manifest("ivbench"))
    lines = table.to_markdown().splitlines()
    assert len(lines) == 2 + 27
    assert {line.count(" | ") + 2 for line in lines[2:]} == {len(table.columns) + 1}
    read = list(csv.reader(io.StringIO(table.to_csv())))
    assert read[0] == list(table.columns)
    assert read[1][2] == "87.5"
    assert json.loads(json.dumps(table.to_records()))[1]["Overall"] == 10.5


def test_hostile_names_stay_text() -> None:
    table = Table(("model", "questions"), (("=cmd|'/c calc'!A0", "a|b\n<script>`x`[y](z)"),))
    assert table.to_csv().splitlines()[1].startswith("\"'=cmd")
    row = table.to_markdown().splitlines()[2]
    assert "\\|" in row
    assert "<script>" not in row.replace("\\<", "")
    assert len(table.to_markdown().splitlines()) == 3


def test_details_hold_every_figure() -> None:
    dataset, results = _ivbench_card()
    table = make_detail_table(score_results(dataset, results))
    kinds = {str(row[1]) for row in table.rows}
    assert kinds == {"all", "group", "task", "granularity"}
    assert table.rows[0][:4] == ("Overall", "all", 8, 87.5)


# --- figures and the page ---------------------------------------------------------------------------------------


def test_figures_are_drawn_and_are_the_same_again(tmp_path: Path) -> None:
    dataset, results = _ivbench_card()
    card = score_results(dataset, results)
    for name in ("tasks.png", "tasks.svg"):
        contents = []
        for _ in range(2):
            save_figure(draw_tasks([card, card]), tmp_path / name)
            contents.append((tmp_path / name).read_bytes())
        assert contents[0] == contents[1]
    with Image.open(tmp_path / "tasks.png") as image:
        assert image.width > 800
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 10
    assert b"<svg" in contents[0]
    save_figure(
        draw_sweep([("m", [("8x240", card.overall), ("16x240", card.overall)])], "frames"), tmp_path / "sweep.png"
    )
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        save_figure(draw_tasks([card]), tmp_path / "tasks.exe")
    with pytest.raises(UsageError, match="nothing was evaluated"):
        draw_tasks([score_results(dataset, _results([], dataset="ivbench"))])


def test_the_page_shows_what_was_wrong_and_nothing_acts(tmp_path: Path) -> None:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    workspace = Workspace(tmp_path, "tiny")
    hostile = '<img src=x onerror=alert(1)></script><script>alert("&\x1b")</script>'
    asked = dataset.questions[0].model_copy(update={"question": hostile, "task": hostile})
    dataset = replace(dataset, questions=(asked, *dataset.questions[1:]))
    workspace.image_path("alpha_1.png").write_bytes(b"not an image")
    rows = [_row(q, right=False, reply=hostile) for q in dataset.questions[:2]] + [
        _row(q) for q in dataset.questions[2:]
    ]
    results = _results(rows, model=hostile)
    made = make_error_report(dataset, results, score_results(dataset, results), workspace)
    assert made.count("<article") == 2
    assert made.count("<img ") == 1
    assert "data:image/jpeg;base64," in made
    assert len(re.findall(r"<script", made)) == 1
    assert "onerror=alert" not in re.sub(r"&lt;img src=x onerror=alert", "", made)
    assert "default-src 'none'" in made
    assert "Which thing is it, number 1?" in made
    assert "Which thing is it, number 2?" not in made


def test_the_page_marks_what_a_reading_rests_on_and_names_its_rule() -> None:
    dataset = make_dataset()
    wrong = [(question, (question.answer_index or 0) + 1) for question in dataset.questions[:4]]
    letters = [LETTERS[at % len(question.options)] for question, at in wrong]
    replies = [
        f"<think>Is it <b>{letters[0]}</b>?</think>\nThe answer is **{letters[0]}**, I think.",
        f"{'It is dark. ' * 1000}So the answer is {letters[1]}.",
        f"I would rather not say {letters[2]}",
        f"The answer is {letters[3]}.",
    ]
    rows = []
    for (question, at), reply in zip(wrong, replies, strict=True):
        score = score_reply(question, reply)
        assert score.answer_index in {at % len(question.options), None}
        facts: dict[str, Any] = {"rule": score.rule}
        index = score.answer_index
        if question is dataset.questions[3]:  # an earlier reader of ours read it otherwise
            facts, index = {"rule": "model", "read_with": "openai:m", "reader_word": "<D>"}, (at + 1) % 4
        rows.append(EvaluationResult(question_id=question.question_id, reply=reply, answer_index=index, metadata=facts))
    results = _results(rows)
    made = make_error_report(dataset, results, score_results(dataset, results))
    quotes = re.findall(
        r"<blockquote>(.*?)</blockquote>(?:\s*<p class=\"caption reading\">([^<]*)</p>)?", made, re.DOTALL
    )
    assert [re.findall(r"<mark>(.*?)</mark>", quote) for quote, _ in quotes] == [[letters[0]], [letters[1]], [], []]
    assert [caption for _, caption in quotes] == [
        "rule: phrase", "rule: phrase", "not read", "read by openai:m: &lt;D&gt;"
    ]  # fmt: skip
    (first, second, *_) = (re.sub("</?mark>", "", quote) for quote, _ in quotes)
    assert html.unescape(first) == replies[0]
    assert second.endswith(f"So the answer is {letters[1]}.")
    assert "characters more" in second


# --- the release ------------------------------------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.skipif("IVBENCH_TEST_RELEASE" not in os.environ, reason="IVBENCH_TEST_RELEASE is not set")
def test_random_answers_to_the_release_are_at_chance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--root", str(tmp_path)]
    assert run(["import", "ivbench", os.environ["IVBENCH_TEST_RELEASE"], *at]) == 0
    capsys.readouterr()
    assert run(["evaluate", "--model", "baseline:random", "--pattern", "text_only", *at, "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)["scores"]
    overall = card["overall"]
    assert overall["evaluated"] == card["denominators"]["released"] == 1686
    assert card["denominators"]["fetched"] == 0
    assert overall["accuracy"]["low"] < overall["chance"] < overall["accuracy"]["high"]
    assert overall["chance"] > 0.1  # some questions have fewer than ten options
    assert card["groups"]["perception"]["evaluated"] + card["groups"]["reasoning"]["evaluated"] == 1686
    assert run(["score", *at, "--markdown", str(tmp_path / "table.md")]) == 0
    assert "1,686 of 1,686" in (tmp_path / "table.md").read_text()


# --- the verb ---------------------------------------------------------------------------------------------------


@pytest.fixture
def scored_root(tmp_path: Path) -> Path:
    dataset = make_dataset()
    make_media(tmp_path, dataset)
    for pattern in ("video_first", "image_first"):
        configuration = CONFIGURATION.model_copy(update={"pattern": pattern})
        with ResultsFile(tmp_path / "tiny" / "results", configuration, {}) as file:
            for number, question in enumerate(dataset.questions):
                file.append(_row(question, number % (2 if pattern == "video_first" else 3) == 0))
    return tmp_path


def _score(root: Path, *arguments: str) -> int:
    return run(["score", *arguments, "--dataset", "tiny", "--root", str(root)])


def test_the_verb_scores_all_results_of_a_dataset(scored_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _score(scored_root, "--diagnose") == 0
    output = capsys.readouterr()
    assert "Overall" in output.out
    assert "worse with the image first" in output.out
    assert "1. m · video_first · 8x16: 8 of 8 questions evaluated" in output.err


def test_the_verb_compares_two(scored_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = sorted((scored_root / "tiny" / "results").glob("*.jsonl"))
    assert _score(scored_root, paths[0].stem, str(paths[1]), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["comparison"]["overall"]["questions"] == 8
    assert len(document["scores"]) == 2
    assert _score(scored_root, *map(str, paths)) == 0
    assert "The same questions in both" in capsys.readouterr().out


def test_the_verb_writes_files(scored_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next((scored_root / "tiny" / "results").glob("*.jsonl"))
    wanted = {name: tmp_path / f"out.{name}" for name in ("md", "csv", "svg", "html")}
    code = _score(
        scored_root, str(path), "--markdown", str(wanted["md"]), "--csv", str(wanted["csv"]),
        "--figure", str(wanted["svg"]), "--report", str(wanted["html"]),
    )  # fmt: skip
    assert code == 0
    assert all(path.stat().st_size for path in wanted.values())
    assert "accuracy in %, with 95 % intervals" in " ".join(capsys.readouterr().out.split())


def test_the_verb_without_results_says_how_to_get_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset().save(tmp_path)
    assert _score(tmp_path) == 2
    assert "ivbench-data evaluate --model" in capsys.readouterr().err
    assert _score(tmp_path, "nothing") == 2
