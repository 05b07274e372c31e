"""Profiles by benchmark: `paper` is each benchmark's own wording and its own parser, wherever a reply is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.prompts.asking import Asker, AskOptions, Unasked
from ivbench_data.evaluate.prompts.compose import OWN_WORDINGS, PROFILES, compose, resolve_profile
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.evaluate.prompts.requests import TextPart
from ivbench_data.evaluate.replies.parse import PARSERS
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.manifests import load_manifest, manifest_names
from ivbench_data.schema import Question
from ivbench_data.workspace import Workspace


def make_question(**changes: Any) -> Question:
    """A question of VideoEspresso, but for the changes."""
    fields: dict[str, Any] = {
        "question_id": "boat_0",
        "video_id": "boat",
        "question": "Why does the boat turn?",
        "options": ("To fish", "To meet a wave", "To land", "To race"),
        "answer_index": 2,
        "answer": "To land",
        "task": "Event Dynamic",
        "source": "videoespresso",
        "metadata": {"task_label": "Event Dynamic Analysis", "evidence_text": "A pier comes near."},
    }
    return Question.model_validate({**fields, **changes})


def write_prompt(question: Question, profile: str) -> str:
    """The text of the question's prompt."""
    parts, _ = compose(question, PATTERNS["text_only"], PROFILES[resolve_profile(profile, question.source)])
    (part,) = parts
    assert isinstance(part, TextPart)
    return part.text


def test_every_profile_has_a_parser_and_every_manifest_names_profiles_that_are_there() -> None:
    assert PROFILES.keys() == PARSERS.keys()
    for name in manifest_names():
        assert set(load_manifest(name).profiles.values()) <= PROFILES.keys()
        assert set(load_manifest(name).profiles) <= set(OWN_WORDINGS)


@pytest.mark.parametrize(
    ("word", "source", "name"),
    [
        ("default", "ivbench", "default"),
        ("default", "videoespresso", "default"),
        ("paper", "ivbench", "paper"),
        ("paper", "demo", "paper"),
        ("paper", "a benchmark of one's own", "paper"),
        ("paper", "videoespresso", "videoespresso"),
        ("paper_evidence", "videoespresso", "videoespresso_evidence"),
        ("videoespresso", "videoespresso", "videoespresso"),
        ("videoespresso", "ivbench", "videoespresso"),
    ],
)
def test_a_word_means_the_benchmarks_own(word: str, source: str, name: str) -> None:
    assert resolve_profile(word, source) == name


@pytest.mark.parametrize(("word", "source"), [("paper_evidence", "ivbench"), ("ours", "videoespresso"), ("ours", "x")])
def test_a_profile_that_is_not_there_is_refused(word: str, source: str) -> None:
    with pytest.raises(UsageError, match=rf"no profile named '{word}'.*; there are: default, default_evidence, "):
        resolve_profile(word, source)


def test_videoespressos_wording_is_the_references() -> None:
    assert write_prompt(make_question(), "paper") == (
        "Please finish the Event Dynamic Analysis task. Question: Why does the boat turn?. You have the following "
        "options: \n(A) To fish\n(B) To meet a wave\n(C) To land\n(D) To race\n. Select the answer and only give the "
        "option letters."
    )
    assert write_prompt(make_question(), "paper_evidence") == (
        "Please finish the Event Dynamic Analysis task. Question: Why does the boat turn?. Your inference evidence is "
        "A pier comes near.. You have the following options: \n(A) To fish\n(B) To meet a wave\n(C) To land\n"
        "(D) To race\n. Select the answer and only give the option letters."
    )
    assert "finish the Event Dynamic task" in write_prompt(make_question(metadata={}), "paper")


def test_our_wording_with_evidence_adds_a_line() -> None:
    question = make_question(question="Why does\nthe boat turn?\n")
    plain, hinted = write_prompt(question, "default"), write_prompt(question, "default_evidence")
    assert hinted == plain.replace("turn?\n", "turn?\nEvidence: A pier comes near.\n")


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        ("(C)", 2),
        ("C", 2),
        ("Answer: C", 0),
        ("The answer is C.", 2),
        ("Because of the pier", 1),
        ("c", None),
        ("", None),
        (None, None),
        ("E", None),
    ],
)
def test_videoespressos_scorer_takes_the_first_capital(reply: str | None, index: int | None) -> None:
    reply_score = score_reply(make_question(), reply, "paper")
    assert reply_score.answer_index == index
    assert reply_score.correct == (index == 2)


def test_only_its_own_profile_reads_so() -> None:
    assert score_reply(make_question(), "Answer: C").answer_index == 2
    assert score_reply(make_question(source="ivbench"), "answer: c.", "paper").answer_index == 2
    with pytest.raises(UsageError, match="no profile named 'paper_evidence' for IV-Bench"):
        score_reply(make_question(source="ivbench"), "C", "paper_evidence")


def test_a_letter_that_the_question_lacks_names_nothing() -> None:
    question = make_question(options=("x", "To land"), answer_index=1)
    assert score_reply(question, "D", "paper").answer_index is None
    assert score_reply(question, "A", "paper", rotation=1).answer_index == 1


@pytest.mark.parametrize("profile", ["paper_evidence", "default_evidence"])
def test_without_evidence_a_question_cannot_be_asked_with_it(tmp_path: Path, profile: str) -> None:
    from ivbench_data.dataset import Dataset

    dataset = Dataset("videoespresso", questions=(make_question(metadata={"evidence_text": " "}), make_question()))
    asker = Asker(dataset, Workspace(tmp_path, "x"), AskOptions(pattern="text_only", profile=profile))
    bare, output = (asker.ask(question) for question in dataset.questions)
    assert isinstance(bare, Unasked)
    assert (bare.kind, bare.reason) == ("inapplicable", "no text of its evidence is known")
    assert not isinstance(output, Unasked)
    AskOptions(profile=profile).check(dataset)


def test_vlm2bench_is_asked_in_its_own_words() -> None:
    shared: dict[str, Any] = {"source": "vlm2bench", "video_id": None, "image_ids": ("a.png", "b.png"), "metadata": {}}
    pair = make_question(
        **shared, question="Is it? T or F", question_type="tf", options=("T", "F"), answer_index=0, answer="T"
    )
    assert write_prompt(pair, "paper") == "\nIs it? T or F"
    released = "Which? (A) 1 and 2 (B) None (C) 3. One letter."
    group = make_question(
        **shared, question="Which?\nOne letter.", options=("1 and 2", "None", "3"), answer_index=1, answer="None",
        raw={"question": released, "gt_answer": "(B)"},
    )  # fmt: skip
    assert write_prompt(group, "paper") == f"\n{released}"
    moved = group.model_copy(update={"options": ("None", "3", "1 and 2"), "answer_index": 0})
    assert write_prompt(moved, "paper") == "\nWhich?\nOne letter.\n(A) None\n(B) 3\n(C) 1 and 2"
    assert score_reply(group, "(B) None", "paper").correct
    assert score_reply(group, "The answer is (B).", "paper").answer_index is None  # as the benchmark reads it
    assert score_reply(pair, "True", "paper").correct
