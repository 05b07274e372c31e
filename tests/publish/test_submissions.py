"""Submissions for hidden splits: read strictly, refused line by line, scored like any results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from evaluation_dataset import make_dataset
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.hidden.hidden_answers import AnswersFile, hide_answers, read_answers, write_answers
from ivbench_data.publish.hidden.submissions import read_submission, score_submission
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import Question
from ivbench_data.statistics import estimate_share

SECRET = b"sixteen and more bytes of a secret"
Run = Callable[..., Outcome]


def hide(folder: Path, dataset: Dataset | None = None) -> AnswersFile:
    dataset = dataset or make_dataset()
    hidden = hide_answers(dataset, [question.question_id for question in dataset.questions], SECRET)
    write_answers(folder / "private" / "answers-test.jsonl", hidden, "1.0.0", "test")
    return read_answers(folder / "private" / "answers-test.jsonl")


def submit(folder: Path, lines: Iterable[dict[str, Any] | str | bytes], name: str = "submission.jsonl") -> Path:
    path = folder / name
    encoded = [line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
               for line in lines]  # fmt: skip
    path.write_bytes(b"".join(line + b"\n" for line in encoded))
    return path


def reply_right(question: Question) -> str:
    return f"The answer is {LETTERS[question.options.index(str(question.answer))]}."


def answer_wrong(question: Question) -> int:
    return next(at for at in range(len(question.options)) if at not in question.correct_indices)


# --- scoring ----------------------------------------------------------------------------------------------------


def test_replies_and_positions_are_scored_alike(tmp_path: Path) -> None:
    answers = hide(tmp_path)
    by_reply = [{"question_id": q.question_id, "reply": reply_right(q)} for q in answers.questions]
    by_index = [{"question_id": q.question_id, "answer_index": q.answer_index} for q in answers.questions]
    for lines in (by_reply, by_index, [*by_reply[:4], *by_index[4:]], by_reply[::-1]):
        submission = read_submission(submit(tmp_path, lines), answers)
        assert (submission.problems, submission.left_out) == ((), ())
        card = score_submission(submission, answers)
        assert (card.overall.correct, card.overall.evaluated, card.overall.parse_rate) == (8, 8, 1.0)


def test_the_figures_are_over_all_questions_with_intervals_by_video(tmp_path: Path) -> None:
    answers = hide(tmp_path)
    first, second, third, *_ = answers.questions
    lines = [
        {"question_id": first.question_id, "reply": reply_right(first)},
        {"question_id": second.question_id, "answer_index": answer_wrong(second)},
        {"question_id": third.question_id, "reply": "no idea"},
    ]
    submission = read_submission(submit(tmp_path, lines), answers)
    assert len(submission.left_out) == 5
    card = score_submission(submission, answers)
    one = card.overall
    assert (one.correct, one.evaluated, one.failed, one.missing) == (1, 8, 5, 0)
    assert one.accuracy == estimate_share([1, *[0] * 7], [str(question.video_id) for question in answers.questions])
    assert one.chance == pytest.approx((7 * 0.1 + 0.25) / 8)
    assert one.parse_rate == pytest.approx(2 / 3)
    assert set(card.tasks) == {"Existence", "Reverse Existence", "Counting", "Summary"}
    assert card.slices["granularity"].keys() == {"whole", "frame", "clip"}


def test_every_option_that_equals_the_answer_is_right(tmp_path: Path) -> None:
    question = Question(question_id="q", question="?", options=("a", "b", "a"), answer_index=0, answer="a", task="t",
                        source="s")  # fmt: skip
    answers = hide(tmp_path, Dataset("tiny", questions=(question,)))
    (hidden,) = answers.questions
    for index in range(3):
        card = score_submission(
            read_submission(submit(tmp_path, [{"question_id": "q", "answer_index": index}]), answers), answers
        )
        assert card.overall.correct == (hidden.options[index] == "a")


@given(st.data())
def test_a_submission_scores_what_it_gets_right(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("s")
    answers = hide(folder)
    right = 0
    lines: list[dict[str, Any]] = []
    for question in data.draw(st.permutations(answers.questions)):
        kind = data.draw(st.sampled_from(["reply", "index", "wrong", "absent", "empty"]))
        right += kind in ("reply", "index")
        said: dict[str, Any] | None = {
            "reply": {"reply": reply_right(question)},
            "index": {"answer_index": question.answer_index},
            "wrong": {"answer_index": answer_wrong(question)},
            "empty": {"reply": ""},
            "absent": None,
        }[kind]
        if said is not None:
            lines.append({"question_id": question.question_id, **said})
    card = score_submission(read_submission(submit(folder, lines), answers), answers)
    assert (card.overall.correct, card.overall.evaluated) == (right, 8)


# --- refusing ---------------------------------------------------------------------------------------------------

GOOD = {"question_id": "alpha_0", "reply": "A"}
BAD: list[tuple[dict[str, Any] | str | bytes, str]] = [
    ("not JSON", "not JSON"),
    (b"\xff\xfe", "not UTF-8"),
    ("[]", "not an object"),
    ('"alpha_0"', "not an object"),
    ('{"question_id": "alpha_1", "question_id": "alpha_1", "reply": "A"}', "given twice"),
    ('{"question_id": "alpha_1", "answer_index": NaN}', "NaN"),
    ("[" * 100_000, "nested"),
    ({"reply": "A"}, "'question_id' is missing"),
    ({"question_id": 7, "reply": "A"}, "'question_id' is 7, not text"),
    ({"question_id": "nobody_1", "reply": "A"}, "no question 'nobody_1'"),
    ({"question_id": "alpha_0", "reply": "B"}, "stands in line 1 already"),
    ({"question_id": "alpha_1"}, "neither 'reply' nor 'answer_index'"),
    ({"question_id": "alpha_1", "reply": "A", "answer_index": 0}, "both 'reply' and 'answer_index'"),
    ({"question_id": "alpha_1", "reply": None}, "the reply is None, not text"),
    ({"question_id": "alpha_1", "reply": 3}, "the reply is 3, not text"),
    ({"question_id": "alpha_1", "answer_index": "3"}, "not a whole number"),
    ({"question_id": "alpha_1", "answer_index": 3.0}, "not a whole number"),
    ({"question_id": "alpha_1", "answer_index": True}, "not a whole number"),
    ({"question_id": "alpha_1", "answer_index": -1}, "not a position in 10 options, 0 to 9"),
    ({"question_id": "alpha_1", "answer_index": 10}, "not a position in 10 options"),
    ({"question_id": "alpha_1", "repyl": "A"}, "'repyl' is not known"),
]


def test_every_wrong_line_is_named_in_one_run(tmp_path: Path) -> None:
    answers = hide(tmp_path)
    path = submit(tmp_path, [GOOD, *(line for line, _ in BAD)])
    submission = read_submission(path, answers)
    assert [problem.line for problem in submission.problems] == list(range(2, len(BAD) + 2))
    for problem, (_, told) in zip(submission.problems, BAD, strict=True):
        assert told in problem.reason
    with pytest.raises(DatasetError, match=rf"submission.jsonl:2: not JSON.*and {len(BAD) - 1} more"):
        score_submission(submission, answers)


def test_a_question_without_options_takes_no_position(tmp_path: Path) -> None:
    question = Question(question_id="q", question="?", question_type="open", answer="a", task="t", source="s")
    answers = hide(tmp_path, Dataset("tiny", questions=(question,)))
    submission = read_submission(submit(tmp_path, [{"question_id": "q", "answer_index": 0}]), answers)
    assert "has no options" in submission.problems[0].reason


@pytest.mark.full
def test_a_hundred_thousand_lines_take_seconds(tmp_path: Path) -> None:
    few = make_dataset().questions
    many = tuple(
        few[n % 8].model_copy(update={"question_id": f"q{n}", "video_id": f"v{n % 500}"}) for n in range(2_000)
    )
    answers = hide(tmp_path, Dataset("tiny", questions=many))
    lines = [{"question_id": q.question_id, "reply": reply_right(q)} for q in answers.questions]
    path = submit(tmp_path, [*lines, *({"question_id": f"unknown{n}", "reply": "A" * 100} for n in range(98_000))])
    began = time.process_time()
    assert len(read_submission(path, answers).problems) == 98_000
    card = score_submission(read_submission(submit(tmp_path, lines), answers), answers)
    assert card.overall.correct == 2_000
    assert time.process_time() - began < 30


# --- the command line -------------------------------------------------------------------------------------------


def test_a_host_scores_a_submission_with_the_answers_file_alone(tmp_path: Path, run_cli: Run) -> None:
    answers = hide(tmp_path)
    lines = [{"question_id": q.question_id, "reply": reply_right(q)} for q in answers.questions[:6]]
    path = submit(tmp_path, lines, "their model.jsonl")
    done = run_cli("score", "--answers", answers.path, path)
    assert done.code == 0
    assert "75.0" in done.out
    assert "their model.jsonl" in done.out
    assert "2 of 8 questions are left out of it, and count as wrong" in done.err
    document = json.loads(run_cli("score", "--answers", answers.path, path, "--json").out)
    assert document["scores"][0]["overall"]["accuracy"]["value"] == 0.75
    assert document["submission"]["left_out"] == [q.question_id for q in answers.questions[6:]]
    assert document["submission"]["answered"] == 6


def test_a_wrong_submission_is_refused_with_line_numbers(tmp_path: Path, run_cli: Run) -> None:
    answers = hide(tmp_path)
    path = submit(tmp_path, [GOOD, "\x1b[2J", {"question_id": "nobody\x1b[2J", "reply": "A"}])
    done = run_cli("score", "--answers", answers.path, path)
    assert (done.code, done.out) == (1, "")
    assert "submission.jsonl:2: not JSON" in done.err
    assert "submission.jsonl:3: there is no question" in done.err
    assert "2 lines" in done.err
    assert "\x1b" not in done.err
    refused = run_cli("score", "--answers", answers.path, path, "--json")
    document = json.loads(refused.out)
    assert refused.code == 1
    assert [problem["line"] for problem in document["submission"]["problems"]] == [2, 3]
    assert document["scores"] == []


def test_the_example_in_the_help_is_a_submission(tmp_path: Path, run_cli: Run) -> None:
    told = run_cli("score", "--help").out
    lines = [line.strip() for line in told.splitlines() if line.strip().startswith('{"question_id"')]
    assert len(lines) == 2
    few = make_dataset()
    named = replace(few, questions=tuple(
        question.model_copy(update={"question_id": json.loads(line)["question_id"]})
        for question, line in zip(few.questions, lines, strict=False)
    ))  # fmt: skip
    answers = hide(tmp_path, named)
    assert read_submission(submit(tmp_path, lines), answers).problems == ()


def test_what_cannot_be_meant_is_a_usage_error(tmp_path: Path, run_cli: Run) -> None:
    answers = hide(tmp_path)
    assert run_cli("score", "--answers", tmp_path / "absent", "x.jsonl").code == 2
    assert run_cli("score", "--answers", answers.path).code == 2
    assert run_cli("score", "--answers", answers.path, tmp_path / "absent.jsonl").code == 2
    with pytest.raises(UsageError, match="cannot read"):
        read_submission(tmp_path / "absent.jsonl", answers)
    path = submit(tmp_path, [GOOD])
    assert run_cli("score", "--answers", path, path).code == 1  # not an answers file
