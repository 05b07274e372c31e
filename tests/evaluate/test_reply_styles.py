"""Replies in the styles of models and languages: each template under every letter, and what must not change a reading.

`reply_templates.jsonl` has one template a line: its style (for languages the code), the reply with `{0}` for the letter
that it names, `{1}` and `{2}` for other letters, `{l}` for the letter in lower case, `{t}` `{u}` `{v}` for the options'
texts, and whether it names its option or none.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import string
import time
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_params import slowly

from ivbench_data.evaluate.replies.languages import LANGUAGES
from ivbench_data.evaluate.replies.parse import parse_answer, parse_true_false
from ivbench_data.evaluate.replies.parse_numbers import parse_number

LETTERS = string.ascii_uppercase[:10]
OPTIONS = [
    "A boat crosses the lake", "The girl waters the plants", "He repairs the bicycle", "Two birds land on the roof",
    "The waiter drops a tray", "Someone switches off the light", "The train leaves the station",
    "A child blows out candles", "The chef slices an onion", "Nobody enters the shop",
]  # fmt: skip
TEMPLATES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "reply_templates.jsonl").read_text("utf-8").splitlines()
]
STYLES = sorted({row["style"] for row in TEMPLATES})


def fill(template: str, right: int, wrong: int, other: int, options: list[str]) -> str:
    """The template for the option at `right`, with two others."""
    text = options[right]
    return template.format(
        LETTERS[right], LETTERS[wrong], LETTERS[other], l=LETTERS[right].lower(), t=text, u=options[wrong],
        v=options[other], t_low=text[0].lower() + text[1:], T=text.upper(),
    )  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_every_template_is_read_alike_for_every_letter(style: str) -> None:
    misread = []
    for row in TEMPLATES:
        if row["style"] != style:
            continue
        for count in (4, 10):
            for right in range(count):
                reply = fill(row["template"], right, (right + 3) % count, (right + 1) % count, OPTIONS[:count])
                read = parse_answer(reply, OPTIONS[:count]).index
                if read != (right if row["is_named"] else None):
                    misread.append((reply, read))
    assert not misread


def test_every_language_of_the_table_has_cases() -> None:
    assert {language.code for language in LANGUAGES} <= {"en", *STYLES}
    assert len({language.code for language in LANGUAGES}) == len(LANGUAGES)


@given(st.sampled_from(TEMPLATES), st.permutations(range(10)), st.permutations(range(10)))
def test_renaming_letters_and_permuting_options_renames_the_reading(
    row: dict[str, Any], letters: list[int], texts: list[int]
) -> None:
    options = [OPTIONS[at] for at in texts]
    reply = fill(row["template"], *letters[:3], options)
    assert parse_answer(reply, options).index == (letters[0] if row["is_named"] else None)


DECORATIONS = (
    "{}<|im_end|>", "{}</s>", "{}<|eot_id|>", "{}<end_of_turn>\n", "{}<|endoftext|>", "  {}", "\n\n{}\n", "{} \t\n",
    "<think>It is B, or J? So the answer is A.</think>{}", "<think>\n\n</think>\n\n{}", "maybe A</think>\n{}",
    "[THINK]The answer is D.[/THINK]{}", "◁think▷C◁/think▷{}", "<seed:think>Answer: C</seed:think>\n{}",
    "<|channel|>analysis<|message|>The answer is B.<|end|><|start|>assistant<|channel|>final<|message|>{}",
    "<thinking>Answer: E</thinking>{}", "<reasoning>A</reasoning>\n\n{}", "\ufeff{}", "<p>{}</p>",
)  # fmt: skip
"""What stands around a reply and is no part of its answer."""
PLAIN = [row for row in TEMPLATES if row["style"] not in {"reasoning", "json", "tag", "html", "writing", "runs on"}]


@given(st.sampled_from(PLAIN), st.permutations(range(10)), st.lists(st.sampled_from(DECORATIONS), max_size=2))
def test_what_is_no_part_of_the_answer_changes_nothing(
    row: dict[str, Any], letters: list[int], decorations: list[str]
) -> None:
    reply = fill(row["template"], *letters[:3], OPTIONS)
    bare = parse_answer(reply, OPTIONS)
    for decoration in decorations:
        reply = decoration.replace("{}", reply)
    assert parse_answer(reply, OPTIONS).index == bare.index


@given(
    st.sampled_from([row for row in PLAIN if not set(row["template"]) & set("*_`~$\\<\"'[|#=>&-")]),
    st.permutations(range(10)),
    st.sampled_from(["**{}**", "__{}__", "*{}*", "`{}`", "<b>{}</b>"]),
)
def test_emphasis_on_letters_changes_nothing(row: dict[str, Any], letters: list[int], emphasis: str) -> None:
    marked = row["template"]
    for place in ("{0}", "{1}", "{2}"):
        marked = marked.replace(place, emphasis.format(place))
    expected = parse_answer(fill(row["template"], *letters[:3], OPTIONS), OPTIONS).index
    assert parse_answer(fill(marked, *letters[:3], OPTIONS), OPTIONS).index == expected


@given(st.sampled_from(TEMPLATES), st.permutations(range(10)))
def test_a_reading_names_the_characters_that_it_rests_on(row: dict[str, Any], letters: list[int]) -> None:
    reply = fill(row["template"], *letters[:3], OPTIONS)
    parsed = parse_answer(reply, OPTIONS)
    if parsed.index is not None:
        assert parsed.span is not None
        start, end = parsed.span
        assert parse_answer(reply[start:end], OPTIONS).index == parsed.index


def test_the_span_lies_in_the_reply_as_it_came() -> None:
    reply = "<think>Answer: A</think>\r\nThe answer is &nbsp;**Ｃ**.<|im_end|>"
    parsed = parse_answer(reply, OPTIONS)
    assert parsed.index == 2
    assert parsed.span == (reply.index("Ｃ"), reply.index("Ｃ") + 1)


# --- options that are numbers, times, colours, places and words ---------------------------------------------------

CLIPS = OPTIONS[:4]
TIMES = ["00:05-00:09", "00:31-00:40", "02:10-02:25", "03:00-03:08"]
COLOURS = ["pink", "cyan", "beige", "navy", "gold"]
PLACES = ["below", "above", "far above", "beside", "not in view"]
COUNTS = ["4", "6", "2", "12", "3"]
TRUTHS = ["Yes", "No"]
PETS = ["A cat", "A dog", "A bird"]
REST = ["Some of them", "None of the above", "All of the above"]


@pytest.mark.parametrize(
    ("options", "reply", "index"),
    [
        (CLIPS, "Option 3", 2),
        (CLIPS, "3", 2),
        (CLIPS, "(3)", 2),
        (CLIPS, "The answer is 3.", 2),
        (CLIPS, "2. The girl waters the plants", 1),
        (CLIPS, "5", None),
        (CLIPS, "Answer: 7", None),
        (CLIPS, '{"answer": 3}', 2),
        (CLIPS, "The girl waters them 3 times", None),
        (CLIPS, "E", None),
        (CLIPS, "Answer: G", None),
        (CLIPS, "waters the plants", None),
        (CLIPS, "THE GIRL WATERS THE PLANTS", 1),
        (CLIPS, "The girl waters the plants and leaves.", 1),
        (CLIPS, "The girl waters the plants, then he repairs the bicycle.", None),
        (CLIPS, "C. The girl waters the plants", 2),
        (TIMES, "2:10-2:25", 2),
        (TIMES, "02:10 to 02:25", 2),
        (TIMES, "02:10 – 02:25", 2),
        (TIMES, "[02:10-02:25]", 2),
        (TIMES, "It happens between 02:10 and 02:25.", 2),
        (TIMES, "00:02:10-00:02:25", 2),
        (TIMES, "02:10", None),
        (TIMES, "02:10-02:26", None),
        (TIMES, "00:05-00:09 or 02:10-02:25", None),
        (COLOURS, "The car is cyan.", 1),
        (COLOURS, "cyan or gold", None),
        (COLOURS, "It is not pink.", None),
        (COLOURS, "It's beige, not navy.", 2),
        (COLOURS, "I'm sorry, but I cannot see the gold ring.", None),
        (PLACES, "far above", 2),
        (PLACES, "It is far above.", 2),
        (PLACES, "It is seen above.", None),  # the option "far above" holds the word, too
        (PLACES, "The answer is above.", 1),
        (PLACES, "not in view", 4),
        (COUNTS, "4", 0),
        (COUNTS, "four", 0),
        (COUNTS, "The answer is 12", 3),
        (COUNTS, "There are 6 cups.", 1),
        (COUNTS, "4 or 6", None),
        (COUNTS, "9", None),
        (COUNTS, "B", 1),
        (TRUTHS, "Yes, he does.", 0),
        (TRUTHS, "No. He stays.", 1),
        (TRUTHS, "The answer is no.", 1),
        (TRUTHS, "There is no boat.", None),
        (TRUTHS, "Yes or no", None),
        (PETS, "A dog", 1),
        (PETS, "A", 0),
        (PETS, "The answer is a dog.", 1),
        (PETS, "Answer: A bird", 2),
        (PETS, "A. A cat", 0),
        (REST, "None of the above", 1),
        (REST, "The answer is all of the above.", 2),
        (CLIPS, "Ⓒ", 2),
        (CLIPS, "Ответ: С", 2),  # a Cyrillic letter that looks like C
    ],
)
def test_options_are_read_by_text_number_and_value(options: list[str], reply: str, index: int | None) -> None:
    assert parse_answer(reply, options).index == index


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("<answer>C</answer>", "tag"),
        ('{"answer": "C"}', "field"),
        ("C", "letter"),
        ("The answer is C.", "phrase"),
        ("So C.", "conclusion"),
        ("He stays.\n\nC", "last_line"),
        ("C. He repairs it.", "leading"),
        ("He repairs the bicycle", "text"),
        ("In it, he repairs the bicycle.", "contained"),
        ("It shows (C) again.", "only"),
        ("3", "option_number"),
    ],
)
def test_a_reading_says_its_rule(reply: str, rule: str) -> None:
    parsed = parse_answer(reply, CLIPS)
    assert (parsed.index, parsed.rule) == (2, rule)


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        ("The answer is true.", 0),
        ("<think>False?</think>True", 0),
        ("False, because it moved.", 1),
        ("True or false", None),
        ("The answer is not true.", None),
        ("**True**<|im_end|>", 0),
        ('{"answer": "false"}', 1),
        ("", None),
        (None, None),
    ],
)
def test_true_and_false_are_read_by_the_same_steps(reply: str | None, index: int | None) -> None:
    assert parse_true_false(reply, ("True", "False")).index == index


# --- replies in today's models' words ---------------------------------------------------------------------------

WRITTEN = Path(__file__).parent / "replies_as_written.jsonl"
UNREAD = {
    "| Question | Answer |\n|---|---|\n| What does she do? | B |",
    "C is not the answer. D is.",
    "选第三个。",
    "There are 4 kites in the sky.",
    "The statement is false.",
    "Unless the frames are mirrored, D.",
    "Assuming the video is played at normal speed, the answer is A.",
    "Option 4",  # of options that are numbers of times
    "#3",
    "I count 5 boats: three on the left and two on the right.",
    "Only B is not contradicted by the video.",
    "If he waved, D. He doesn't; he falls, B.",
    "return 'B'",
    "The description in C agrees with the video.",
    "Only option C is shown.",
    "It's clearly D, isn't it?",
    "Correct answer is option no. 2",
    "A, B: not shown. C: shown. D: not shown.",
    "C — not entirely certain",
    "(ⅽ)",  # a Roman numeral
    "\\begin{answer}D\\end{answer}",
}
"""What the rules do not read yet; they may not read it wrong."""


def test_replies_as_models_write_them_are_read_right_or_not_at_all() -> None:
    """The first line has the options; each other line has class, reply, name of its options, letter that is named."""
    options, *rows = (json.loads(line) for line in WRITTEN.read_text("utf-8").splitlines())
    misread = []
    for style, reply, name, expected in rows:
        index = parse_answer(reply, options[name]).index
        letter = None if index is None else LETTERS[index]
        if letter != (None if reply in UNREAD else expected):
            misread.append((style, reply, expected, letter))
    assert not misread


# --- cost ---------------------------------------------------------------------------------------------------------


def _measure_seconds(replies: list[str]) -> float:
    started = time.process_time()
    for reply in replies:
        parse_answer(reply, CLIPS)
    return time.process_time() - started


def test_a_hundred_thousand_worded_replies_take_seconds() -> None:
    replies = [f"The correct answer is {letter}. The others are not seen in the video." for letter in "ABCD" * 250]
    best = min(_measure_seconds(replies) for _ in range(3))
    assert best * 100_000 / len(replies) < 30  # 10 on an idle machine, 15 asked for; twice that where others work


HOSTILE = [
    "(", "A ", "A, ", "**", "<", "{", '{"answer":', "\\boxed{", "so A. ", "\n", "the answer is ", "A.\n", "is it A? ",
    "<think>", "</think>", "<answer>", "'a':'", "not A, ", "1 ", '"', "[", "- A: no\n", "A -> ", "wait ", "&amp;", "$",
    "x", "<|im_end|>", "答案是", "A或", "~~", "\\text{", "if A, ", "<A>", "he repairs the bicycle ", "\t", "'",
]  # fmt: skip


@pytest.mark.parametrize("piece", [*HOSTILE[::3], *slowly(piece for piece in HOSTILE if piece not in HOSTILE[::3])])
def test_a_long_text_of_anything_is_read_in_time_that_grows_with_its_length(piece: str) -> None:
    def measure(characters: int) -> float:
        return _measure_seconds([(piece * characters)[:characters]])

    short, long = measure(60_000), measure(240_000)
    assert long < max(1, 8 * short)
    parse_number((piece * 60_000)[:60_000])
    parse_true_false((piece * 60_000)[:60_000], ("True", "False"))


@pytest.mark.parametrize("piece", ["(", "A ", "{"])
def test_a_megabyte_is_read_in_seconds(piece: str) -> None:
    assert _measure_seconds([(piece * 1_000_000)[:1_000_000]]) < 6


# --- banks --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bank() -> Path:
    folder = os.environ.get("IVBENCH_TEST_REPLIES")
    if not folder:
        pytest.skip("IVBENCH_TEST_REPLIES names no folder of replies")
    return Path(folder)


def _read_bank(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_made_replies_are_read_right(bank: Path) -> None:
    rows = _read_bank(bank / "made.jsonl")
    outcome = Counter[str]()
    for row in rows:
        index = parse_answer(row["reply"], row["options"]).index
        expected = None if row["expected"] is None else LETTERS.index(row["expected"])
        outcome["right" if index == expected else "unread" if index is None else "wrong letter"] += 1
    assert outcome["right"] >= 0.97 * len(rows)
    assert outcome["wrong letter"] <= 0.01 * len(rows)


_LETTER = re.compile(
    r"(?<![A-Za-z0-9\\])(?<![a-z]')(?:[B-J]|[b-dfj]|A(?! (?!when|in |and|is )[a-z])|a(?=\W*$|\. ))(?![A-Za-z0-9])"
    r"(?!'[a-z])|A(?=B\b)"
)
"""A letter in a reply that stands for an option."""


def test_made_replies_are_read_right_under_every_renaming_of_their_letters(bank: Path) -> None:
    outcome = Counter[str]()
    for row in _read_bank(bank / "made.jsonl"):
        options, reply = row["options"], unicodedata.normalize("NFKC", row["reply"] or "")
        if row["cls"] in {"number", "range"}:  # an option's place and a letter beyond them stay what they are
            continue
        expected = None if row["expected"] is None else LETTERS.index(row["expected"])
        for names in (list(range(len(options))), *_rename(len(options))):
            renamed = _LETTER.sub(functools.partial(_rename_letter, names), reply)
            index = parse_answer(renamed, [options[names.index(at)] for at in range(len(options))]).index
            wanted = None if expected is None else names[expected]
            outcome["right" if index == wanted else "unread" if index is None else "wrong letter"] += 1
    assert outcome.total() > 5000
    assert outcome["right"] >= 0.97 * outcome.total()
    assert outcome["wrong letter"] <= 0.01 * outcome.total()


def _rename(count: int) -> list[list[int]]:
    """Every order of four options; of more, each one in every place."""
    if count <= 4:
        return [list(names) for names in itertools.permutations(range(count))]
    return [[(at * step + shift) % count for at in range(count)] for step in (1, 3, 7) for shift in range(count)]


def _rename_letter(names: list[int], found: re.Match[str]) -> str:
    letter = found[0]
    at = LETTERS.index(letter.upper())
    new = LETTERS[names[at]] if at < len(names) else letter
    return new if letter.isupper() else new.lower()


@pytest.mark.full
@pytest.mark.skipif("IVBENCH_TEST_RELEASE" not in os.environ, reason="IVBENCH_TEST_RELEASE is not set")
@pytest.mark.parametrize("style", [style for style in STYLES if style != "option text"])
def test_every_style_is_read_for_every_letter_on_the_released_options(style: str, released: list[list[str]]) -> None:
    templates = [row for row in TEMPLATES if row["style"] == style]
    for right in range(10):
        read = 0
        for number in range(100):
            row, options = templates[number % len(templates)], released[(97 * number + 11 * right) % len(released)]
            reply = fill(row["template"], right, (right + 3) % 10, (right + 1) % 10, options)
            read += parse_answer(reply, options).index == (right if row["is_named"] else None)
        assert read >= 99, LETTERS[right]


@pytest.fixture(scope="module")
def released() -> list[list[str]]:
    """Options of the release's questions, where ten texts differ: its own order of them is as good as another."""
    videos = (json.loads(line) for line in Path(os.environ["IVBENCH_TEST_RELEASE"]).read_text("utf-8").splitlines())
    options = [
        [str(text).strip() for text in (row["answer"], *row["distractors"])]
        for video in videos
        for rows in video.values()
        for row in rows
    ]
    return [texts for texts in options if all(texts) and len({text.lower() for text in texts}) == 10]


@pytest.mark.parametrize(("model", "least"), [("gemini", 0.98), ("video-llava", 0.98), ("reka-core-20240501", 0.97)])
def test_real_replies_are_scored_as_their_benchmark_does(bank: Path, model: str, least: float) -> None:
    rows = [row for row in _read_bank(bank / "real.jsonl") if row["model"] == model]
    agreed = 0
    for row in rows:
        index = parse_answer(row["reply"], row["options"]).index
        agreed += (index is not None and LETTERS[index] == row["key"]) == row["right"]
    assert rows
    assert agreed >= least * len(rows)
