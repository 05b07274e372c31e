"""A participant's way: a published folder in, an evaluation on its hidden split, a submission out, and its score."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from ivbench_data.dataset import load

MADE = Path(__file__).parent.parent / "made_by_0_1_0"
ANSWERS = MADE / "tiny" / "private" / "answers-test-1.0.0.jsonl"


@pytest.fixture
def at(tmp_path: Path, run_cli: Callable[..., Outcome]) -> tuple[str | Path, ...]:
    """A participant's root, with the published folder imported."""
    folder, at = MADE / "published_hidden", ("--root", tmp_path / "mine", "--dataset", "tiny")
    done = run_cli("import", "native", folder, "--root", tmp_path / "mine")
    assert (done.code, "Imported 3 questions on 2 videos and 2 images" in done.err) == (0, True), done.err
    return at


def test_a_published_folder_is_a_dataset_without_its_hidden_answers(at: tuple[str | Path, ...], tmp_path: Path) -> None:
    dataset = load(tmp_path / "mine" / "tiny")
    assert [question.answers_hidden for question in dataset.questions] == [True] * 3
    assert {question.answer for question in dataset.questions} == {None}
    assert dataset.questions[0].options == ("left", "down", "right", "up")
    assert dataset.videos[0].duration_seconds == 4.0
    assert (tmp_path / "mine/tiny/images/red.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "mine/tiny/fingerprints.jsonl").is_file()


def test_what_was_evaluated_becomes_a_submission_that_is_scored(
    at: tuple[str | Path, ...], tmp_path: Path, run_cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "participant.py").write_text(
        "def answer(request):\n"
        "    return {'alpha_0': 'The answer is C.', 'alpha_1': 'I cannot tell.'}.get(request.question_id)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run_cli("evaluate", "--model", "python:participant:answer", "--pattern", "text_only", *at).code in (0, 1)
    (results,) = (tmp_path / "mine/tiny/results").glob("*.jsonl")
    refused = run_cli("score", "--answers", ANSWERS, results)
    assert (refused.code, "export submission" in refused.err) == (2, True)
    out = tmp_path / "submission.jsonl"
    made = json.loads(run_cli("export", "submission", out, results.stem[:4], *at, "--json").out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert made["answered"] == len(lines)
    assert lines[0] == {"question_id": "alpha_0", "reply": "The answer is C."}
    scored = json.loads(run_cli("score", "--answers", ANSWERS, out, "--json").out)
    assert scored["scores"][0]["overall"]["correct"] == 1


def test_an_empty_submission_is_refused(tmp_path: Path, run_cli: Callable[..., Outcome]) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    done = run_cli("score", "--answers", ANSWERS, tmp_path / "empty.jsonl")
    assert (done.code, "is empty" in done.err) == (2, True)


def test_a_changed_folder_is_not_imported(tmp_path: Path, run_cli: Callable[..., Outcome]) -> None:
    folder = tmp_path / "published"
    shutil.copytree(MADE / "published_hidden", folder)
    (folder / "README.md").write_text("changed")
    done = run_cli("import", "native", folder, "--root", tmp_path / "mine")
    assert (done.code, "README.md: its digest is not the published one" in done.err) == (1, True)
