"""When two texts are the same: five named levels, from code points to sets, and the values that texts stand for.

| level | equal when |
|---|---|
| `exact` | the code points are |
| `folded` | they are after NFKC, without zero-width characters, case-folded, with white space collapsed |
| `value` | both are times, ranges, lengths of time, percentages or numbers (also spelled), of the same kind and value |
| `alnum` | their folded letters, marks and numbers are |
| `set` | they list the same things, in any order (`,` `，` `、` `;` `；`) |

Numbers and times compare by value only: signs, points, colons, percent and currency signs are never stripped from them,
so `-0.27` is not `0.27`, `12%` is not `12`, and `6.5` is not `65`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from ivbench_data.text.number_words import read_number_words
from ivbench_data.timecodes import parse_duration, parse_location

Level = Literal["exact", "folded", "value", "alnum", "set"]
LEVELS: tuple[Level, ...] = ("exact", "folded", "value", "alnum", "set")
"""From the strictest to the loosest."""

ValueKind = Literal["number", "percent", "time", "range", "ranges", "duration"]

REMEMBERED_TEXTS = 1 << 15
"""Options repeat a great deal within a benchmark; so many of the last texts are remembered."""

_ZERO_WIDTH = dict.fromkeys(map(ord, "\u00ad\u180e\u200b\u200c\u200d\u2060\ufeff"))
_DASHES = dict.fromkeys(map(ord, "–—−‐‑~"), "-")  # one of them means a range or a sign, never nothing
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,30})(?:\.\d{1,30})?")
_ASCII_OTHERS = re.compile(r"[^a-z0-9]+")
_SEPARATORS = re.compile(r"[,，、;；]")
_RANGES = re.compile(r"\s+and\s+|\s*[,&]\s*")
# a number with all that its value may hang on: sign (not a hyphen inside a word), currency, points, ratio, unit signs
_NUMBER_TOKEN = re.compile(r"(?:(?<!\w)[-+])?[$€£¥]?\d(?:[\d.,:/×%‰°+]*[\d%‰°+])?")
_ONE_DIGIT_SECONDS = re.compile(r"(?<!\d)\d{1,3}:\d(?!\d)(?!:)")


class TextValue(NamedTuple):
    """What a text stands for; two of them are equal when kind and amounts are."""

    kind: ValueKind
    """What sort of value."""
    amounts: tuple[Fraction, ...]
    """The number; seconds for times and lengths of time; first and last second, alternating, for ranges."""


class Match(NamedTuple):
    """Two texts of a list that are the same."""

    first: int
    """Position of the earlier one."""
    second: int
    """Position of the later one."""
    level: Level
    """The strictest level at which they are."""


@lru_cache(maxsize=REMEMBERED_TEXTS)
def fold(text: str) -> str:
    """The text in NFKC, without zero-width characters, case-folded, trimmed, each run of white space one space."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_ZERO_WIDTH))
    folded = text.casefold()
    if not folded.isascii():  # case folding can undo the normal form
        folded = unicodedata.normalize("NFKC", folded)
    return " ".join(folded.split())


@lru_cache(maxsize=REMEMBERED_TEXTS)
def read_value(text: str) -> TextValue | None:
    """The value that the whole text stands for, or None: `6:06` and `06:06` are the time 366 s, `28.00` the number 28.

    A time with one digit of seconds (`5:2`) is no time: it may be a score.
    """
    folded = fold(text).translate(_DASHES)
    if not folded.isascii() or not any(map(str.isdigit, folded)):
        return None
    if _NUMBER.fullmatch(folded):
        return TextValue("number", (Fraction(folded.replace(",", "")),))
    if folded.endswith("%") and _NUMBER.fullmatch(folded[:-1].rstrip()):
        return TextValue("percent", (Fraction(folded[:-1].rstrip().replace(",", "")),))
    if ":" in folded:
        return _read_clock_value(folded)
    try:
        return TextValue("duration", (parse_duration(folded),))
    except ValueError:
        return None


def _read_clock_value(folded: str) -> TextValue | None:
    if _ONE_DIGIT_SECONDS.search(folded):
        return None
    bounds: list[Fraction] = []
    parts = _RANGES.split(folded)
    for part in parts:
        evidence = parse_location(part)
        if evidence is None or evidence.start_seconds is None or (len(parts) > 1 and evidence.end_seconds is None):
            return None
        if evidence.end_seconds is None:
            return TextValue("time", (Fraction(evidence.start_seconds),))
        bounds += [Fraction(evidence.start_seconds), Fraction(evidence.end_seconds)]
    return TextValue("range" if len(parts) == 1 else "ranges", tuple(bounds))


def compare(first: str, second: str) -> Level | None:
    """The strictest level at which two texts are the same, or None."""
    return next((level for level in LEVELS if _same(_key(first, level), _key(second, level))), None)


def find_matches(texts: Sequence[str]) -> list[Match]:
    """Every text that is the same as an earlier one, once, by its strictest level: in time linear in the texts."""
    matched: dict[int, Match] = {}
    for level in LEVELS:
        first_of: dict[Hashable, int] = {}
        for index, text in enumerate(texts):
            key = _key(text, level)
            if key is None:
                continue
            first = first_of.setdefault(key, index)
            if first != index and index not in matched:
                matched[index] = Match(first, index, level)
    return [matched[index] for index in sorted(matched)]


def _same(first: Hashable, second: Hashable) -> bool:
    return first is not None and first == second


def _key(text: str, level: Level) -> Hashable:
    """What two texts share at that level; None when the level says nothing of the text."""
    if level == "exact":
        return text
    folded = fold(text)
    if level == "folded":
        return folded or None
    value = read_value(text)
    if level == "value":
        return value or _read_spelled_number(folded)
    if value is not None:
        return None
    return _alnum_key(folded) if level == "alnum" else _set_key(folded)


def _read_spelled_number(folded: str) -> TextValue | None:
    spelled = read_number_words(folded)
    return None if spelled is None else TextValue("number", (Fraction(spelled),))


@lru_cache(maxsize=REMEMBERED_TEXTS)
def _alnum_key(folded: str) -> Hashable:
    if folded.isascii():
        letters = _ASCII_OTHERS.sub("", folded)
    else:
        letters = "".join(char for char in folded if unicodedata.category(char)[0] in "LNM")
    if not letters:
        return None
    return letters, tuple(_NUMBER_TOKEN.findall(folded))


@lru_cache(maxsize=REMEMBERED_TEXTS)
def _set_key(folded: str) -> Hashable:
    parts = frozenset(part for part in (piece.strip() for piece in _SEPARATORS.split(folded)) if part)
    return parts or None
