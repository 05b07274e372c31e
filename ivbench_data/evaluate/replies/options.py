"""Options as the reader looks for them: folded texts, and values where options are numbers or times."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ivbench_data.evaluate.replies.phrases import REFUSALS, Words, split_words
from ivbench_data.evaluate.replies.strip import lower, make_plain, strip_markup
from ivbench_data.text.number_words import NUMBER, NUMBER_WORDS, find_numbers

_EDGES = " .,;:!?*_`\"'“”()[]«»「」–—-\n。、，！？；："
_TIME = r"\d{1,2}(?::\d{2}){1,2}(?:\.\d{1,3})?"
TIMES = re.compile(
    rf"(?<![\d:.])({_TIME})(?:\s*(?:-|–|—|~|→|to\b|until\b|and\b|至|到|から|bis\b|a\b|à\b|,(?=\s*[\d:.]+(?:[\])]|$)))\s*"
    rf"({_TIME}))?(?![\d:])"
)
"""A time or a range of times."""
_UNIT = r"(?:s|secs?|seconds?|m|mins?|minutes?)"
SECONDS = re.compile(
    rf"(?<![\w.,:])(\d{{1,5}}(?:\.\d{{1,3}})?)\s?({_UNIT})?(?:(?:st|nd|rd|th)?\s*(?:-|–|—|~|→|to(?: the)?|until|and)\s*"
    rf"(\d{{1,5}}(?:\.\d{{1,3}})?))?(?:(?:st|nd|rd|th)|\s?)\s?({_UNIT})?(?![\w:])"
)
"""Seconds or minutes, or a range of them, where a unit stands with the last."""
_BARE = frozenset(
    ["yes", "no", "none", "true", "false", "not", "t", "f", "y", "n", "all", "both", "neither", "never", "always"]
)

ARTICLES = frozenset(("a", "an", "the"))
OPPOSITES = ("not ", "non-", "non ", "counter ", "counter-", "anti-", "anti ")
"""What turns a text after it into its opposite."""
_IT_IS = re.compile(r"^(?:it|he|she|they) (?:is|are|was|were) ")

Value = tuple[float, ...]


@dataclass(frozen=True)
class Options:
    """Options of a question, prepared."""

    texts: tuple[str, ...]
    """As they were shown, edges trimmed."""
    folded: tuple[str, ...]
    """In lower case, without markup and outer punctuation."""
    has_twin: tuple[bool, ...]
    """Whether another option differs by case alone."""
    values: tuple[Value | None, ...]
    """Seconds of a time or a range, or a number; None for other texts."""
    are_numbered: bool
    """Whether a number can stand for the position of an option: none of them begins with a number."""
    is_distinct: tuple[bool, ...]
    """Whether a sentence may be searched for an option's text: it is no common word, and in no other option unless as
    its opposite."""
    are_times: bool
    """Whether an option is a time."""
    are_numbers: bool
    """Whether every option is a number or a percentage, or all but one of several."""
    longest: int
    """Characters of the longest option."""

    def __len__(self) -> int:
        return len(self.texts)

    @functools.cached_property
    def loose(self) -> dict[str, int]:
        """Their words without articles and without "it is" in front, where no other option has them; the position."""
        return _loosen_all(self.folded)

    @functools.cached_property
    def loose_ends(self) -> frozenset[str]:
        """The last words of these."""
        return frozenset(text.split()[-1] for text in self.loose)

    @functools.cached_property
    def can_refuse(self) -> bool:
        """Whether an option says that nobody can say: "cannot be determined"."""
        return any(Words(text).find(REFUSALS) for text in self.folded)

    def find_exact(self, text: str) -> int | None:
        """The one option that this is the text of: to the character, else case aside, else by value."""
        if len(text) > self.longest + 20:
            return None
        stripped, folded = text.strip(), fold(text)
        for candidates, wanted in ((self.texts, stripped), (self.texts, stripped.rstrip(".。")), (self.folded, folded)):
            found = [at for at, candidate in enumerate(candidates) if wanted and candidate == wanted]
            if found and len({self.texts[at] for at in found}) == 1:
                return found[0]
        if any(value is not None for value in self.values) and (value := read_value(folded)) is not None:
            same = [at for at, candidate in enumerate(self.values) if candidate == value]
            return same[0] if len(same) == 1 else None
        return None


def fold(text: str) -> str:
    """The text in lower case, spaces collapsed, without the punctuation around it."""
    return " ".join(lower(text).split()).strip(_EDGES)


def read_value(text: str) -> Value | None:
    """Seconds of a time or a range of times, or a number, where the text is nothing else."""
    time = TIMES.fullmatch(text.removeprefix("between ").removeprefix("from "))
    if time is not None:
        return tuple(_read_seconds(part) for part in time.groups() if part)
    if _is_number(text):
        return tuple(find_numbers(text))
    seconds = SECONDS.fullmatch(text)
    if seconds is None or not (last_unit := seconds[4] or (seconds[2] if not seconds[3] else "")):
        return None
    units = ((seconds[1], seconds[2] or last_unit), (seconds[3], last_unit))
    return tuple(float(number) * (60 if unit[0] == "m" else 1) for number, unit in units if number)


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text.removesuffix("%").rstrip()) is not None


def _read_seconds(time: str) -> float:
    seconds = 0.0
    for part in time.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _is_in(text: str, padded: str) -> bool:
    at = padded.find(f" {text} ")
    while at >= 0 and padded[: at + 1].endswith(OPPOSITES):
        at = padded.find(f" {text} ", at + 1)
    return at >= 0


def loosen(words: Iterable[str]) -> str:
    """The words without articles, a space around each."""
    return f" {' '.join(word for word in words if word not in ARTICLES)} "


def _loosen_all(folded: tuple[str, ...]) -> dict[str, int]:
    loose = [loosen(split_words(_IT_IS.sub("", text, 1))) for text in folded]
    return {
        text: at
        for at, text in enumerate(loose)
        if not _BARE.issuperset(text.split()) and not any(text in other for other in (*loose[:at], *loose[at + 1 :]))
    }


@functools.lru_cache(maxsize=1024)
def prepare_options(options: tuple[str, ...]) -> Options:
    """The options, prepared for reading."""
    folded = tuple(fold(strip_markup(make_plain(option)).text) for option in options)
    values = tuple(read_value(text) for text in folded)
    padded = [f" {text} " for text in folded]
    distinct = tuple(
        bool(text)
        and any(character.isalpha() for character in text)
        and not set(text.split()) <= _BARE
        and len(text) > 1
        and not any(at != other and _is_in(text, padded[other]) for other in range(len(folded)))
        for at, text in enumerate(folded)
    )
    starts = [text.split()[0] for text in folded if text]
    return Options(
        tuple(option.strip() for option in options),
        folded,
        tuple(
            any(other == text and options[at].strip() != options[number].strip() for at, other in enumerate(folded))
            for number, text in enumerate(folded)
        ),
        values,
        not any(start[0].isdigit() for start in starts)
        and 2 * sum(start in NUMBER_WORDS for start in starts) < len(starts),
        distinct,
        any(value is not None and not _is_number(text) for text, value in zip(folded, values, strict=True)),
        len(folded) < 2 * sum(map(_is_number, folded)) and sum(map(_is_number, folded)) >= len(folded) - 1,
        max(map(len, options), default=0),
    )
