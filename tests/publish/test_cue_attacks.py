from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

from ivbench_data.schema import Question

pytest.importorskip("datasets", reason="datasets is not installed")

RunCli = Callable[..., Outcome]
WORDS = ("amber", "basin", "cedar", "delta", "ember", "flint", "grove", "haven")


def ask(number: int, is_longest: bool) -> Question:
    """A question whose answer is the longest option, or the one at a place that its number says."""
    options = [f"{WORDS[(number + at) % 8]}{number:02}" for at in range(4)]
    longest = number % 4 if is_longest else (number * 7 // 3) % 4
    options[longest] += " and more"
    answer = options[number % 4]
    return Question(
        question_id=f"q{number:02}",
        video_id=f"v{number:02}",
        question=f"Which is it, number {number}?",
        options=tuple(options),
        answer=answer,
        answer_index=number % 4,
        task="T",
        source="native",
    )


@pytest.fixture
def publish(run_cli: RunCli, tmp_path: Path) -> Callable[[bool, str], Outcome]:
    """Publishes forty questions, with or without the cue, under these splits; the answers of `test` are hidden."""

    def publish_split(is_longest: bool, splits: str) -> Outcome:
        path = tmp_path / "questions.jsonl"
        questions = [ask(number, is_longest) for number in range(40)]
        path.write_text("".join(one.model_dump_json(exclude_defaults=True) + "\n" for one in questions))
        at = ("--dataset", "mine", "--root", tmp_path / "root")
        assert run_cli("import", "native", path, *at).code == 0
        hide = ("--hide-answers", "test", "--license", "cc0-1.0", "--json")
        return run_cli("publish", "--to", tmp_path / "published", "--split", splits, *hide, *at)

    return publish_split


@pytest.mark.parametrize("splits", ["dev=0.5,test=rest", "test=rest"])
def test_a_hidden_split_that_a_rule_answers_is_not_published(
    publish: Callable[[bool, str], Outcome], splits: str, tmp_path: Path
) -> None:
    done = publish(True, splits)
    assert done.code != 0
    assert "always choosing the longest option" in done.err
    assert "rewrite them" in done.err
    assert ("which answers 100% of 20 public questions" in done.err) == ("dev" in splits)
    assert not (tmp_path / "published").exists()


def test_a_hidden_split_without_the_cue_is_published(publish: Callable[[bool, str], Outcome]) -> None:
    done = publish(False, "dev=0.5,test=rest")
    assert done.code == 0, done.err
    (attack,) = [one for one in json.loads(done.out)["self_check"]["attacks"] if one["attack"] == "cues"]
    assert not attack["succeeded"]
    assert attack["tries"] == 4
