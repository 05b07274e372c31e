"""Replies that the rules cannot read: counted beside the score, bounded, and read by a model where one is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from ivbench_data.dataset import Dataset
from ivbench_data.evaluate.import_results import import_results
from ivbench_data.evaluate.model_reader import read_word
from ivbench_data.schema import Question

OPTIONS = ("a red boat", "a blue boat", "a green boat")
REPLIES: tuple[tuple[str | None, str | None], ...] = (
    ("The answer is B.", None), ("It must have been the sky-coloured one.", None), ("Hard to say.", None), ("", None),
    (None, None), ("Looking at each of the boats in turn, the first", "length"), ("", "content_filter"),
    ("A", None),
)  # fmt: skip
READER = """
ASKED = []

def read(request):
    ASKED.append(request.text)
    return {word!r} if "sky-coloured" in request.text else "NONE"
"""


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str | Path, ...]:
    """A dataset with stored replies, two of which no rule reads; the right option is always B."""
    questions = tuple(
        Question(
            question_id=f"q{number}", question="Which boat?", options=OPTIONS, answer_index=1, answer=OPTIONS[1],
            task="Boats", source="test",
        )
        for number in range(len(REPLIES))
    )  # fmt: skip
    dataset = Dataset("boats", questions=questions)
    dataset.save(tmp_path)
    lines = [
        json.dumps(
            {"question_id": f"q{number}", "reply": reply if finish != "content_filter" else "", "finish_reason": finish}
        )
        for number, (reply, finish) in enumerate(REPLIES)
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(lines))
    import_results(dataset, "jsonl", log, tmp_path, model="m")
    monkeypatch.chdir(tmp_path)
    return "--dataset", "boats", "--root", tmp_path


def test_the_scorecard_counts_every_reply_once_and_bounds_the_accuracy(
    at: tuple[str | Path, ...], tmp_path: Path, run_cli: Callable[..., Outcome]
) -> None:
    card = json.loads(run_cli("score", *at, "--json").out)["scores"][0]
    readings = card["readings"]
    assert {name: readings[name] for name in ("by_rules", "by_model", "unread", "truncated", "filtered")} == {
        "by_rules": 2, "by_model": 0, "unread": 2, "truncated": 1, "filtered": 1
    }  # fmt: skip
    assert (readings["refused"], readings["empty"], readings["failed"]) == (0, 1, 1)
    assert (readings["lowest"], card["overall"]["accuracy"]["value"], readings["highest"]) == (1 / 8, 1 / 8, 4 / 8)
    done = run_cli("score", *at, "--markdown", "table.md", "--report", "page.html")
    line = "not read 2, truncated 1, filtered 1, refused 0, empty 1, failed 1"
    assert line in done.err
    assert "Warning: 37.5 % of the replies" in done.err
    assert "read by a model" in Path("table.md").read_text()
    assert line in Path("page.html").read_text()


def test_a_model_reads_what_the_rules_cannot_and_is_asked_once(
    at: tuple[str | Path, ...], tmp_path: Path, run_cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    Path("my_reader.py").write_text(READER.format(word="B"))
    asked = ("score", *at, "--read-with", "python:my_reader:read", "--json")
    card = json.loads(run_cli(*asked).out)["scores"][0]
    assert (card["readings"]["by_model"], card["readings"]["unread"]) == (1, 1)
    assert (card["overall"]["correct"], card["reader"]) == (2, "python:my_reader:read")
    texts = importlib.import_module("my_reader").ASKED
    assert len(texts) == 2
    assert all("B. a blue boat" in text and "right." in text for text in texts)
    assert json.loads(run_cli(*asked).out)["scores"][0] == card
    assert len(texts) == 2  # kept in the ledger
    Path("my_reader.py").write_text(READER.format(word="C"))  # an edited reader is another one
    card = json.loads(run_cli(*asked).out)["scores"][0]
    assert (card["readings"]["by_model"], card["overall"]["correct"]) == (1, 1)
    rows = [
        json.loads(line)
        for path in (tmp_path / "boats/ledger").glob("reader-*")
        for line in path.read_text().splitlines()
    ]
    assert len({json.dumps(row["identity"]) for row in rows}) == 2
    stored = (tmp_path / "boats/results").glob("*.jsonl")
    assert not any("read_with" in path.read_text() for path in stored)


def test_a_reader_is_named_in_full_and_an_address_needs_one(
    at: tuple[str | Path, ...], run_cli: Callable[..., Outcome]
) -> None:
    assert "openai:NAME" in run_cli("score", *at, "--read-with", "gpt").err
    assert "--read-with" in run_cli("score", *at, "--read-url", "http://localhost:1/v1").err


@pytest.mark.parametrize(
    ("word", "option"),
    [("B", 1), (" (c). ", 2), ("**A**", 0), ("The answer is B.", 1), ("NONE", None), ("D", None),
     ("NONE, maybe A", None), ("I cannot say", None), (None, None)],
)  # fmt: skip
def test_the_readers_words_are_a_letter_or_nothing(word: str | None, option: int | None) -> None:
    assert read_word(word, OPTIONS) == option
