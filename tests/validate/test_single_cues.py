from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivbench_data.questions.option_order import order_options
from ivbench_data.schema import Question
from ivbench_data.significance import compute_poisson_binomial_tail
from ivbench_data.validate.checks.single_cues import (
    KEY_POSITION,
    RULES,
    SingleCue,
    has_own_order,
    measure_single_cues,
    pick_middle_number,
    pick_most_specific,
)

WORDS = ("amber", "basin", "cedar", "delta", "ember", "flint", "grove", "haven")


def ask(number: int, options: tuple[str, ...], answer: str, video: str | None = None) -> Question:
    return Question(
        question_id=f"q{number}",
        video_id=video or f"v{number}",
        question=f"Which is it, number {number}?",
        options=options,
        answer=answer,
        answer_index=options.index(answer),
        task="T",
        source="native",
    )


def make_longest(count: int, video: str | None = None) -> list[Question]:
    """Questions whose longest option is the answer, options in the order that import can give them."""
    questions = []
    for number in range(count):
        answer = f"the {WORDS[number % 8]} one"
        options = (answer, *(f"{word[:2]}{number}" for word in WORDS[:3]))
        questions.append(ask(number, order_options(f"q{number}", options), answer, video))
    return questions


def measure(questions: list[Question]) -> dict[str, SingleCue]:
    return {cue.cue: cue for cue in measure_single_cues(questions)}


def test_always_the_longest_is_named_with_its_accuracy_and_chance() -> None:
    found = measure(make_longest(12))
    assert found["longest"].is_claimed
    assert (found["longest"].accuracy, found["longest"].chance, found["longest"].questions) == (1, 0.25, 12)
    assert not found["shortest"].is_claimed
    assert not any(name.startswith(KEY_POSITION) for name in found)


def test_ties_score_their_share_and_their_tail_is_exact() -> None:
    questions = [ask(n, ("aaaa", "bbbb", "c", "d"), "aaaa" if n < 6 else "d") for n in range(8)]
    longest = measure(questions)["longest"]
    assert longest.accuracy == pytest.approx(6 / 8 / 2)
    assert longest.chance == pytest.approx(1 / 4)
    # the answer is one of the two longest in 6 of 8 questions, each with a probability of one half
    assert compute_poisson_binomial_tail(6, [0.5] * 8) == pytest.approx((28 + 8 + 1) / 256)
    assert longest.p_value >= (28 + 8 + 1) / 256


@pytest.mark.parametrize(
    "questions",
    [
        pytest.param(make_longest(2), id="two questions"),
        pytest.param(make_longest(40, video="v"), id="all on one video"),
        pytest.param(
            [one.model_copy(update={"question_id": f"r{at}"}) for at in range(40) for one in make_longest(1)],
            id="copies of one question",
        ),
        pytest.param([ask(n, ("left", "same", "open", "shut"), "left") for n in range(30)], id="equal lengths"),
    ],
)
def test_little_evidence_claims_nothing_of_the_length(questions: list[Question]) -> None:
    found = measure(questions)
    assert not found or not any(found[name].is_claimed for name in ("longest", "shortest") if name in found)


def test_random_answers_are_claimed_no_more_often_than_the_level_allows() -> None:
    claimed = 0
    for seed in range(60):
        chance = random.Random(seed)
        questions = []
        for number in range(30):
            options = tuple({word[: chance.randint(2, 5)] + str(at) for at, word in enumerate(WORDS)})[:4]
            ordered = tuple(chance.sample(sorted(options), len(options)))
            questions.append(ask(number, ordered, chance.choice(ordered), f"v{number // 3}"))
        claimed += any(cue.is_claimed for cue in measure_single_cues(questions))
    assert claimed <= 4  # of 60 at 1%: 4 or fewer with a probability of 99.9%


def test_positions_count_where_the_release_has_an_order_of_its_own() -> None:
    own = [ask(n, ("this", "that", "such", "very"), "that") for n in range(20)]
    assert has_own_order(own)
    assert measure(own)[f"{KEY_POSITION} B"].is_claimed
    digested = [ask(n, order_options(f"q{n}", ("this", "that", "such", "very")), "that") for n in range(20)]
    assert not has_own_order(digested)
    assert not any(name.startswith(KEY_POSITION) for name in measure(digested))


@pytest.mark.parametrize(
    ("options", "picked"),
    [
        (("1", "7", "3"), {"3"}),
        (("1", "7", "3", "9"), {"3", "7"}),
        (("0:10", "0:30", "0:20"), {"0:20"}),
        (("1", "2"), set()),
        (("1", "2", "three"), set()),
        (("1", "2", "3%"), set()),
        ((), set()),
    ],
)
def test_the_number_in_the_middle(options: tuple[str, ...], picked: set[str]) -> None:
    assert pick_middle_number(options) == picked


def test_the_most_specific_option_says_the_most_details() -> None:
    assert pick_most_specific(("a red car", "a crimson convertible with 2 doors", "car car car car")) == {
        "a crimson convertible with 2 doors"
    }


def test_no_rule_minds_odd_options() -> None:
    for pick in RULES.values():
        assert pick(()) == frozenset()
        assert pick(("",)) <= {""}
    assert measure_single_cues([]) == []


def import_questions(run_cli: Callable[..., Any], root: Path, questions: list[Question]) -> None:
    path = root / "questions.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(question.model_dump_json(exclude_defaults=True) + "\n" for question in questions))
    done = run_cli("import", "native", path, "--dataset", "mine", "--root", root)
    assert done.code == 0, done.err


def test_validate_fails_on_a_dataset_that_a_rule_answers(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    import_questions(run_cli, tmp_path, make_longest(12))
    done = run_cli("validate", "--dataset", "mine", "--root", tmp_path, "--json")
    assert done.code == 1
    (finding,) = [one for one in json.loads(done.out)["findings"] if one["evidence"].get("cue") == "longest"]
    assert (finding["check"], finding["severity"]) == ("single_cue", "error")
    assert finding["message"] == "always choosing the longest option answers 100% of 12 questions; chance is 25%"
