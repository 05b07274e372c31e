from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_releases import NINE, find, make_dataset, make_record

from ivbench_data.dataset import Dataset
from ivbench_data.schema import Question
from ivbench_data.significance import binomial_tail


@pytest.mark.parametrize(
    "check",
    [
        "blank_option",
        "not_ten_options",
        "fewer_than_ten_distinct",
        "duplicate_option",
        "answer_among_distractors",
        "answer_gives_itself_away",
        "option_placeholder",
        "option_with_letter",
        "option_names_others",
    ],
)
def test_an_honest_question_is_let_pass(tmp_path: Path, check: str) -> None:
    assert find(make_dataset(tmp_path, make_record()), check) == []


def test_blank_distractors_are_counted_as_released(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, make_record(distractors=[*NINE[:6], "", " ", "\u200b"]))
    (blank,) = find(dataset, "blank_option")
    # the zero-width one survives import's trimming, so it is still an option, and nobody can read it
    assert (blank.severity, blank.evidence) == ("error", {"indices": [dataset.questions[0].options.index("\u200b")]})
    (blank,) = find(make_dataset(tmp_path, make_record(distractors=[*NINE[:7], "", " "])), "blank_option")
    assert (blank.severity, blank.evidence) == ("warning", {"released_indices": [7, 8]})
    (fewer,) = find(make_dataset(tmp_path, make_record(distractors=[*NINE[:7], "", " "])), "not_ten_options")
    assert fewer.evidence == {"options": 8, "promised": 10}


def test_nothing_is_promised_for_a_benchmark_without_a_manifest() -> None:
    question = Question(
        question_id="q", question="?", options=("a", "b"), answer_index=0, answer="a", task="t", source="elsewhere"
    )
    assert find(Dataset("own", questions=(question,)), "not_ten_options") == []


@pytest.mark.parametrize(
    ("texts", "level", "severity"),
    [
        (["blue", "blue"], "exact", "warning"),
        (["EXIT", "exit"], "folded", "info"),
        (["1:61", "2:01"], "value", "warning"),
        (["12", "Twelve"], "value", "warning"),
        (["twenty-one", "21.0"], "value", "warning"),
        (["ice-cream", "ice cream"], "alnum", "info"),
        (["left, right", "right，left"], "set", "info"),
    ],
)
def test_repeated_distractors_are_found_at_their_level(
    tmp_path: Path, texts: list[str], level: str, severity: str
) -> None:
    dataset = make_dataset(tmp_path, make_record(distractors=[*texts, "a", "b", "c", "d", "e", "f", "g"]))
    (found,) = find(dataset, "duplicate_option")
    assert (found.level, found.severity) == (level, severity)
    assert sorted(found.evidence["texts"]) == sorted(texts)  # type: ignore[arg-type]
    assert (found.repair is not None) == (level == "exact")
    (fewer,) = find(dataset, "fewer_than_ten_distinct")
    assert fewer.level == level


@pytest.mark.parametrize(
    ("answer", "distractor", "level", "severity"),
    [
        ("green", "green", "exact", "error"),
        ("06:06", "6:06", "value", "error"),
        ("DANGER", "danger", "folded", "warning"),
        ("first from the left，first from the right", "first from the right, first from the left", "set", "error"),
    ],
)
def test_the_answer_among_its_distractors(
    tmp_path: Path, answer: str, distractor: str, level: str, severity: str
) -> None:
    dataset = make_dataset(tmp_path, make_record(answer=answer, distractors=[distractor, *"abcdefgh"]))
    (found,) = find(dataset, "answer_among_distractors")
    assert (found.level, found.severity) == (level, severity)
    assert found.evidence["distractor"] == distractor


def test_opposite_numbers_are_not_the_answer(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, make_record(answer="-0.27", distractors=["0.27", "27", "2.7", *"abcdef"]))
    assert find(dataset, "answer_among_distractors") == []


@pytest.mark.parametrize(
    ("answer", "rivals", "cue"),
    [
        ("second from the left，first from the left", "first from the left, {}", "cjk_punctuation"),
        ("Scrape the water off.", "Scrape the {} off", "final_period"),
        ("Scrape the water off", "Scrape the {} off.", "final_period"),
        ("burgundy", "Colour {}", "first_case"),
        ("0:08", "0:1{0}-0:2{0}", "value_kind"),
        ("10+", "{}", "value_kind"),
        ("00:57", "3:0{}", "time_padding"),
        (" 53s and 57s.", "5{0}s and 6{0}s.", "outer_space"),
    ],
)
def test_an_answer_that_looks_different_from_all_rivals(tmp_path: Path, answer: str, rivals: str, cue: str) -> None:
    record = make_record(answer=answer, distractors=[rivals.format(number) for number in range(1, 10)])
    cues = {found.evidence["cue"]: found for found in find(make_dataset(tmp_path, record), "answer_gives_itself_away")}
    assert cue in cues
    if cue == "outer_space":
        assert cues[cue].repair is not None
        assert cues[cue].repair.after == answer.strip()


def test_a_cue_is_worth_a_warning_only_where_it_tells(tmp_path: Path) -> None:
    plain, odd = [f"rival {number}" for number in range(9)], "of its own，kind"
    tells = [make_record(number, answer=odd, distractors=plain) for number in range(4)]
    found = find(make_dataset(tmp_path, *tells), "answer_gives_itself_away")
    assert [finding.severity for finding in found] == ["warning"] * 4
    accident = [make_record(number, answer="the answer", distractors=[odd, *plain[1:]]) for number in range(1, 9)]
    found = find(make_dataset(tmp_path, tells[0], *accident), "answer_gives_itself_away")
    assert [finding.severity for finding in found] == ["info"]
    assert found[0].evidence["odd_ones"] == 9


@pytest.mark.parametrize(("n", "hits", "chance"), [(27, 26, 0.1), (101, 15, 0.105), (5, 0, 0.3), (1, 1, 0.25)])
def test_the_binomial_tail_is_that_of_scipy(n: int, hits: int, chance: float) -> None:
    stats = pytest.importorskip("scipy.stats", reason="the extra `validate` is not installed")
    assert binomial_tail(n, hits, chance) == pytest.approx(stats.binom.sf(hits - 1, n, chance), rel=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": "fix it", "distractors": ["Wash it", "wash that", *(f"Wash {n}" for n in range(7))]},
        {"answer": "burgundy", "distractors": ["Red", "Blue", "Green", "", "", "", "", "", ""]},
        {"answer": "10:57", "distractors": [f"11:0{n}" for n in range(9)]},
    ],
    ids=["one rival is alike", "too few rivals", "no padding to see"],
)
def test_an_answer_that_does_not_stand_out(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert find(make_dataset(tmp_path, make_record(**changes)), "answer_gives_itself_away") == []


def _ask(*options: str, answer: int = 0) -> Dataset:
    question = Question(
        question_id="q", question="Which?", options=options, answer_index=answer, answer=options[answer], task="t",
        source="elsewhere",
    )  # fmt: skip
    return Dataset("own", questions=(question,))


@pytest.mark.parametrize("text", ["nan", "NaN", " null ", "N/A", "#N/A", "<NA>"])
def test_what_programs_write_for_nothing_is_found_and_worst_as_the_answer(text: str) -> None:
    (found,) = find(_ask("a swan", text, "a goose"), "option_placeholder")
    assert (found.severity, found.evidence) == ("warning", {"indices": [1]})
    (found,) = find(_ask("a swan", text, "a goose", answer=1), "option_placeholder")
    assert found.severity == "error"


def test_words_that_only_look_like_nothing_are_let_pass() -> None:
    assert find(_ask("None", "zero", "nothing", "naan", "null and void"), "option_placeholder") == []


def test_options_with_letters_of_their_own_are_found_and_worst_where_they_are_others() -> None:
    (found,) = find(_ask("A. a swan", "B. a goose", "C. a duck"), "option_with_letter")
    assert (found.severity, found.evidence) == ("warning", {"indices": [0, 1, 2], "other_letters": []})
    (found,) = find(_ask("(B) a swan", "(A) a goose", "a duck"), "option_with_letter")
    assert (found.severity, found.evidence["other_letters"]) == ("error", [0, 1])
    assert find(_ask("A. Smith", "a goose", "a duck"), "option_with_letter") == []


@pytest.mark.parametrize(
    "text",
    ["Both A and B", "All of the above", "none of the above.", "Only B", "Neither (A) nor (C)", "Options A, B"],
)
def test_options_that_name_others_are_found(text: str) -> None:
    (found,) = find(_ask("a swan", "a goose", "a duck", text), "option_names_others")
    assert (found.severity, found.evidence) == ("warning", {"indices": [3]})


@pytest.mark.parametrize(
    "text", ["None of these", "both swans", "only a boat", "the sky above", "Team A and team B", "both"]
)
def test_options_that_name_no_others_are_let_pass(text: str) -> None:
    assert find(_ask("a swan", "a goose", "a duck", text), "option_names_others") == []
