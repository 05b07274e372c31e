"""Checks of the options: too few, blank, repeated, the answer among its rivals, answers that give themselves away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ivbench_data.dataset import Dataset
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import Finding, Question, Repair, Severity
from ivbench_data.significance import binomial_tail
from ivbench_data.sources import read_released
from ivbench_data.text.folds import LEVELS, Level, compare, find_matches, fold, read_value
from ivbench_data.validate.checks.context import CheckContext, distractors_of, find_on, load_manifests, quote

MIN_RIVALS = 4
"""An answer stands out among so many rivals that all agree, or more; among fewer, chance is too good an explanation."""

SIGNIFICANCE = 0.01
"""A cue counts when chance alone would do as well less often than this."""

# as it stands the question marks a right reply wrong, or is a matter of taste
_ANSWER_REPEATED: dict[Level, Severity] = {
    "exact": "error",
    "folded": "warning",  # where the question is what a sign says, another case may be the point
    "value": "error",
    "alnum": "warning",
    "set": "error",
}
_DISTRACTOR_REPEATED: dict[Level, Severity] = {
    "exact": "warning",
    "folded": "info",
    "value": "warning",
    "alnum": "info",
    "set": "info",
}


def check_blank_option(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Options that hold nothing to read, as released or still."""
    for question in dataset.questions:
        kept = [index for index, option in enumerate(question.options) if not fold(option)]
        if kept:
            yield find_on(
                question,
                "blank_option",
                "error",
                f"{len(kept)} of {len(question.options)} options are blank",
                {"indices": list(kept)},
            )
            continue
        distractors = read_released(question).distractors
        blank = [index for index, text in enumerate(distractors) if not fold(text)]
        if blank:
            yield find_on(
                question,
                "blank_option",
                "warning",
                f"{len(blank)} of the {len(distractors)} released distractors are blank; import left them out",
                {"released_indices": list(blank)},
            )


def check_not_ten_options(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Multiple-choice questions without as many options as the benchmark promises (IV-Bench: ten)."""
    for question, promised in _promised(dataset):
        if len(question.options) != promised:
            yield find_on(
                question,
                "not_ten_options",
                "warning",
                f"{len(question.options)} options, not {promised}: guessing is right one time in "
                f"{len(question.options)}",
                {"options": len(question.options), "promised": promised},
            )


def check_fewer_than_ten_distinct(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Questions with enough options that are not all different, so that they are fewer than promised."""
    for question, promised in _promised(dataset):
        if len(question.options) < promised:
            continue  # `not_ten_options` says so already
        distinct: dict[str, int] = {}
        matches = find_matches(question.options)
        for position, level in enumerate(LEVELS):
            repeated = sum(LEVELS.index(match.level) <= position for match in matches)
            distinct[level] = len(question.options) - repeated
        short = [level for level in LEVELS if distinct[level] < promised]
        if short:
            level = short[0]
            yield find_on(
                question,
                "fewer_than_ten_distinct",
                "warning" if level in ("exact", "value") else "info",
                f"{len(question.options)} options, of which {distinct[level]} are different ({level}), not {promised}",
                {"distinct": dict(distinct), "promised": promised},
                level=level,
            )


def check_duplicate_option(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Distractors that are the same as another distractor."""
    for question in dataset.questions:
        distractors = distractors_of(question) or list(enumerate(question.options))
        for match in find_matches([text for _, text in distractors]):
            (first, first_text), (second, second_text) = distractors[match.first], distractors[match.second]
            yield find_on(
                question,
                "duplicate_option",
                _DISTRACTOR_REPEATED[match.level],
                f"two distractors are the same ({match.level}): {quote(first_text)} and {quote(second_text)}",
                {"indices": [first, second], "texts": [first_text, second_text]},
                level=match.level,
                repair=_drop_options(question, {second}) if match.level == "exact" else None,
            )


def check_answer_among_distractors(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Distractors that are the same as the answer: a right reply may be scored as wrong."""
    for question in dataset.questions:
        if question.answer is None:
            continue
        for index, text in distractors_of(question):
            level = compare(question.answer, text)
            if level is None:
                continue
            yield find_on(
                question,
                "answer_among_distractors",
                _ANSWER_REPEATED[level],
                f"a distractor is the same as the answer {quote(question.answer)} ({level}): {quote(text)}",
                {"index": index, "answer": question.answer, "distractor": text},
                level=level,
                repair=_drop_options(question, {index}) if level == "exact" else None,
            )


def check_answer_gives_itself_away(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Answers that alone look different from all their rivals: punctuation, case, kind of value, padding, space.

    Some option is the odd one out by accident, and one time in ten it is the answer. So a cue is worth a warning only
    where it works in this dataset: where the odd one out is the answer more often than chance would make it (one-sided
    binomial test at 1%).
    """
    odd_ones: dict[str, list[tuple[Question, int]]] = {cue: [] for cue in SURFACE_CUES}
    for question in dataset.questions:
        if question.answer_index is not None and len(question.options) > MIN_RIVALS:
            for cue, read_cue in SURFACE_CUES.items():
                odd = _find_odd_one([read_cue(option) for option in question.options])
                if odd is not None:
                    odd_ones[cue].append((question, odd))
    for cue, cases in odd_ones.items():
        given_away = [question for question, odd in cases if odd == question.answer_index]
        if not given_away:
            continue
        expected = sum(1 / len(question.options) for question, _ in cases)
        works = binomial_tail(len(cases), len(given_away), expected / len(cases)) < SIGNIFICANCE
        read_cue = SURFACE_CUES[cue]
        for question in given_away:
            answer = question.answer or ""
            rival = next(read_cue(text) for _, text in distractors_of(question) if read_cue(text) is not None)
            repair = None
            if cue == "outer_space" and answer.strip():
                repair = Repair(field="answer", before=answer, after=answer.strip())
            yield find_on(
                question,
                "answer_gives_itself_away",
                "warning" if works else "info",
                f"the answer alone has {read_cue(answer)}, its rivals have {rival}: {quote(answer)}; of {len(cases)} "
                f"options that stand out so, {len(given_away)} are answers",
                {
                    "cue": cue,
                    "answer": read_cue(answer),
                    "rivals": rival,
                    "odd_ones": len(cases),
                    "odd_ones_right": len(given_away),
                    "odd_ones_right_by_chance": round(expected, 2),
                },
                repair=repair,
            )


def _find_odd_one(looks: Sequence[str | None]) -> int | None:
    """The position of the one option that looks different from all others that show the cue, if they are enough."""
    shown = [look for look in looks if look is not None]
    if len(shown) <= MIN_RIVALS or len(set(shown)) != 2:
        return None
    lone = [look for look in set(shown) if shown.count(look) == 1]
    return looks.index(lone[0]) if len(lone) == 1 else None


# --- options that mean something else in another order, or nothing at all ------------------------------------------

_PLACEHOLDERS = frozenset(("nan", "null", "n/a", "#n/a", "<na>", "nat", "undefined"))
_LETTERED = re.compile(r"\s*\(?([A-Z])[.):]\s+\S")
_LETTER = r"\(?[A-J]\)?"
_NAMES_OTHERS = re.compile(
    rf"^(?i:both|either|neither|only|all of|none of|options?|answers?)(?: of)?(?: options?)? {_LETTER}(?![\w'])"
    rf"(?:(?:,| and| or| nor| &)+ {_LETTER}(?![\w']))*\W*$"
)
_OF_THE = re.compile(r"\b(?:all|none|any|both|neither|either|some|two|one) of the (?:above|below)\b")


def check_option_placeholder(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Options that programs write where they have nothing: "nan", "null", "n/a"."""
    for question in dataset.questions:
        empty = [index for index, option in enumerate(question.options) if fold(option) in _PLACEHOLDERS]
        if empty:
            is_answer = question.answer_index in empty
            texts = ", ".join(quote(question.options[index]) for index in empty)
            yield find_on(
                question,
                "option_placeholder",
                "error" if is_answer else "warning",
                f"{'the answer is' if is_answer else 'among the options is'} what programs write for nothing: {texts}",
                {"indices": list(empty)},
            )


def check_option_with_letter(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Options that begin with a letter of their own, so that a reply's letter may mean either."""
    for question in dataset.questions:
        found = {index: _LETTERED.match(option) for index, option in enumerate(question.options)}
        letters = {index: match[1] for index, match in found.items() if match is not None}
        if len(set(letters.values())) < 2:
            continue
        others = [index for index, letter in letters.items() if letter != LETTERS[index]]
        yield find_on(
            question,
            "option_with_letter",
            "error" if others else "warning",
            f"{len(letters)} options begin with a letter"
            + (f", {len(others)} with another than they are shown with" if others else ", each with its own"),
            {"indices": list(letters), "other_letters": list(others)},
        )


def check_option_names_others(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Options that name others by letter or place ("Both A and B", "All of the above"): true in one order alone."""
    for question in dataset.questions:
        named = [
            index
            for index, option in enumerate(question.options)
            if _NAMES_OTHERS.search(option.strip()) or _OF_THE.search(fold(option))
        ]
        if named:
            texts = ", ".join(quote(question.options[index]) for index in named)
            yield find_on(
                question,
                "option_names_others",
                "warning",
                f"in another order of the options it means something else: {texts}",
                {"indices": list(named)},
            )


# --- surface cues: what a reader sees of an option without reading it ---------------------------------------------

_CJK_PUNCTUATION = re.compile("[\u3001\u3002\u3008-\u3011\u3014-\u301b\uff01-\uff0f\uff1a-\uff1f\uff5b-\uff65]")
_FIRST_TWO_DIGITS = re.compile(r"\s*0\d:\d\d")
_FIRST_ONE_DIGIT = re.compile(r"\s*\d:\d\d")


def _read_cjk_punctuation(text: str) -> str | None:
    return "CJK punctuation" if _CJK_PUNCTUATION.search(text) else "no CJK punctuation"


def _read_final_period(text: str) -> str | None:
    stripped = text.rstrip()
    if not any(map(str.isalpha, stripped)) or stripped.endswith("..."):
        return None
    return "a final period" if stripped.endswith((".", "。")) else "no final period"


def _read_first_case(text: str) -> str | None:
    first = text.strip()[:1]
    if not first.isalpha() or first.upper() == first.lower():
        return None
    return "a capital first" if first.isupper() else "a small letter first"


def _read_value_kind(text: str) -> str | None:
    value = read_value(text)
    return "text" if value is None else f"a {value.kind}"


def _read_padding(text: str) -> str | None:
    if _FIRST_TWO_DIGITS.match(text):
        return "padded minutes"
    return "unpadded minutes" if _FIRST_ONE_DIGIT.match(text) else None


def _read_outer_space(text: str) -> str | None:
    return "space around it" if text != text.strip() else "no space around it"


SURFACE_CUES: dict[str, Callable[[str], str | None]] = {
    "cjk_punctuation": _read_cjk_punctuation,
    "final_period": _read_final_period,
    "first_case": _read_first_case,
    "value_kind": _read_value_kind,
    "time_padding": _read_padding,
    "outer_space": _read_outer_space,
}
"""Each cue by name: a function that names what an option looks like, or None when it does not show."""


# --- parts --------------------------------------------------------------------------------------------------------


def _promised(dataset: Dataset) -> Iterator[tuple[Question, int]]:
    """The multiple-choice questions of a benchmark that promises a number of options, with the number."""
    manifests = load_manifests(dataset)
    for question in dataset.questions:
        manifest = manifests.get(question.source)
        if question.question_type == "mcq" and manifest is not None and manifest.options_per_question is not None:
            yield question, manifest.options_per_question


def _drop_options(question: Question, dropped: set[int]) -> Repair | None:
    """The repair that leaves out options which say what another one says; None when too few would be left."""
    kept = [option for index, option in enumerate(question.options) if index not in dropped]
    if len(kept) < 2:
        return None
    return Repair(field="options", before=list(question.options), after=list(kept))
