"""Numbers in a text, in digits or in English words."""

from __future__ import annotations

import re

NUMBER_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
"""English numbers of one word."""
NUMBER_SCALES = {"hundred": 100, "thousand": 1000}


def _spell_numbers() -> str:
    """A pattern of English numbers below a million: `twenty-one`, `one hundred and five`, `two thousand`."""
    units, teens, tens = (
        "|".join(word for word, number in NUMBER_WORDS.items() if low <= number < high)
        for low, high in ((1, 10), (10, 20), (20, 100))
    )
    small = rf"(?:(?:{tens})(?:[\s-]+(?:{units}))?|{teens}|{units})"
    below_thousand = rf"(?:(?:{small}|a)\s+hundred(?:\s+(?:and\s+)?{small})?|{small})"
    return rf"(?:(?:{below_thousand}|a)\s+thousand(?:,?\s+(?:and\s+)?{below_thousand})?|{below_thousand}|zero)"


NUMBER = re.compile(
    rf"(?<![\w.,])(?P<digits>[-+−]?(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,15}})(?:\.\d{{1,15}})?)(?![\w]|\.\d|,\d)"
    rf"|\b(?P<words>{_spell_numbers()})\b",
    re.IGNORECASE,
)
"""A number in digits that belongs to no word (`2nd` and `image1` do not count), or in words."""


def find_numbers(text: str) -> set[float]:
    """Every number in the text, in digits or in English words."""
    return {
        float(match["digits"].replace(",", "").replace("−", "-"))
        if match["digits"]
        else float(_read_number_words(match["words"]))
        for match in NUMBER.finditer(text)
    }


def _read_number_words(words: str) -> int:
    total = current = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word in NUMBER_SCALES:
            current = max(current, 1) * NUMBER_SCALES[word]
            total, current = (total + current, 0) if word == "thousand" else (total, current)
        else:
            current += NUMBER_WORDS.get(word, 0)
    return total + current


def read_number_words(words: str) -> int | None:
    """The number that lower-case English words spell, "twenty-one"; None where they are anything else."""
    found = NUMBER.fullmatch(words)
    return _read_number_words(words) if found is not None and found["words"] else None
