"""Fast look-up of phrases in lower-case text, and the phrases of every language joined by what they do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from ivbench_data.evaluate.replies.languages import LANGUAGES
from ivbench_data.text.number_words import NUMBER_WORDS

_PUNCTUATION = '.,;:!?()[]{}<>|/"“”«»„…、。，：；！？।؟،؛—–·'
_TO_SPACE = str.maketrans(dict.fromkeys(_PUNCTUATION + "\n\t", " "))


def _by_length(phrases: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(phrases), key=lambda phrase: (-len(phrase), phrase)))


_UNSPACED_FROM = "\u0e00"
"""Scripts that do not set words apart come after this character."""
_UNSPACED = re.compile("[\u0e00-\u0eff\u1100-\u11ff\u2e80-\uffef]")
"""Their characters, and the marks that are written with them."""
_FIRST_WORD = re.compile(rf"[^\s{re.escape(_PUNCTUATION)}]*")
_BEFORE_WORD = _PUNCTUATION + "-'\n\t"


def find_last_word(text: str) -> str:
    """The last word of a text, without punctuation before it."""
    return text[text.rfind(" ") + 1 :].lstrip(_BEFORE_WORD)


def find_first_word(text: str) -> str:
    """The first word of a text; "" where a mark or a space comes first."""
    found = _FIRST_WORD.match(text)
    return found[0] if found else ""


class Phrases:
    """A set of lower-case phrases, whole words or, for scripts without spaces, any run of characters."""

    def __init__(self, spaced: Iterable[str], unspaced: Iterable[str] = ()) -> None:
        self.unspaced = _by_length(unspaced)
        self._by_first: dict[str, tuple[str, ...]] = {}
        self._by_last: dict[str, tuple[str, ...]] = {}
        self.spaced = _by_length(spaced)
        for phrase in self.spaced:
            words = phrase.split()
            self._by_first[words[0]] = (*self._by_first.get(words[0], ()), phrase)
            self._by_last[words[-1]] = (*self._by_last.get(words[-1], ()), phrase)

    def find_at_end(self, text: str, last_word: str | None = None) -> str:
        """The longest phrase that the text ends with; "" where there is none."""
        candidates = self._by_last.get(find_last_word(text) if last_word is None else last_word)
        if candidates is not None:
            for phrase in candidates:
                if text.endswith(phrase) and not text[-len(phrase) - 1 : -len(phrase)].isalnum():
                    return phrase
        if text[-1:] >= _UNSPACED_FROM and text.endswith(self.unspaced):
            return next(phrase for phrase in self.unspaced if text.endswith(phrase))
        return ""

    def find_at_start(self, text: str) -> str:
        """The longest phrase that the text starts with; "" where there is none."""
        candidates = self._by_first.get(find_first_word(text))
        if candidates is not None:
            for phrase in candidates:
                if text.startswith(phrase) and not text[len(phrase) : len(phrase) + 1].isalnum():
                    return phrase
        if text[:1] >= _UNSPACED_FROM and text.startswith(self.unspaced):
            return next(phrase for phrase in self.unspaced if text.startswith(phrase))
        return ""

    @property
    def first_words(self) -> frozenset[str]:
        """The words that a phrase can start with."""
        return frozenset(self._by_first)

    @property
    def last_words(self) -> frozenset[str]:
        """The words that a phrase can end with."""
        return frozenset(self._by_last)


def join_phrases(*fields: str, code: str = "") -> Phrases:
    """The phrases of fields of the table, of every language or of the one with a code."""
    spaced: list[str] = []
    unspaced: list[str] = []
    for language in LANGUAGES:
        if code in {"", language.code}:
            phrases = [phrase for field in fields for phrase in getattr(language, field).split("|") if phrase]
            (spaced if language.is_spaced else unspaced).extend(phrases)
    return Phrases(spaced, unspaced)


NOUNS = join_phrases("nouns")
OPTION_WORDS = join_phrases("option_words")
COPULAS = join_phrases("copulas")
STATEMENTS = join_phrases("statements")
CONCLUSIONS = join_phrases("conclusions")
CONFIRMATIONS = join_phrases("confirmations")
DENIALS = join_phrases("denials")
NEGATIONS = join_phrases("negations")
CONTRASTS = join_phrases("contrasts")
CORRECTIONS = join_phrases("corrections")
RETRACTIONS = join_phrases("retractions")
CONDITIONS = join_phrases("conditions")
VIEWS = join_phrases("views")
JOINERS = join_phrases("joiners")
AFFIRMATIONS = join_phrases("affirmations")
QUESTIONS = join_phrases("questions")
ENDINGS = join_phrases("endings")
REFUSALS = join_phrases("refusals")
CHANGES = join_phrases("changes")
REPLACERS = join_phrases("replacers")
ASIDES = join_phrases("asides")
RESTRICTIONS = join_phrases("restrictions")
EXCEPTIONS = join_phrases("exceptions")
FOLLOWERS = join_phrases("followers")


def _find_positions() -> dict[str, int]:
    """Every phrase that names an option by its place, and the place: "third option" is 2, "last option" is -1."""
    return {
        f"{ordinal}{' ' if language.is_spaced else ''}{noun}": -1 if place == 10 else place
        for language in LANGUAGES
        for place, ordinals in enumerate(language.ordinals.split("|"))
        for ordinal in ordinals.split("/")
        for noun in language.ordered.split("|")
        if ordinal
    } | {
        f"{noun} {word}": number - 1
        for noun in ("option", "choice", "option number", "choice number", "answer number")
        for word, number in NUMBER_WORDS.items()
        if 1 <= number <= 10
    }


POSITIONS = _find_positions()
ORDINALS = Phrases(
    [phrase for phrase in POSITIONS if phrase[-1] < _UNSPACED_FROM],
    [phrase for phrase in POSITIONS if phrase[-1] >= _UNSPACED_FROM],
)

LEAD_ENDS = frozenset().union(
    *(phrases.last_words for phrases in (NOUNS, COPULAS, STATEMENTS, CORRECTIONS, CONCLUSIONS, CONTRASTS, OPTION_WORDS))
)
"""The words that what leads up to an answer can end with."""

TRAIL_STARTS = frozenset().union(
    *(phrases.first_words for phrases in (CONFIRMATIONS, DENIALS, OPTION_WORDS, FOLLOWERS))
)
"""The words that what follows an answer can start with."""

ENGLISH_LEADS = tuple(join_phrases(field, code="en") for field in ("nouns", "copulas", "statements"))
"""After what an English speaker may also set the article "a" or the pronoun "I"."""

ENGLISH_FOLLOWERS = join_phrases("followers", code="en")
ENGLISH_CONFIRMATIONS = join_phrases("confirmations", code="en")

SUFFIXES = _by_length(suffix for language in LANGUAGES for suffix in language.suffixes.split("|") if suffix)


# --- phrases anywhere in a text -----------------------------------------------------------------------------------


def _index_phrases(*sets: Phrases) -> dict[str, tuple[tuple[Phrases, str], ...]]:
    """Every phrase, a space around it, and its set, by its first two words, or by the only one."""
    index: dict[str, tuple[tuple[Phrases, str], ...]] = {}
    for phrases in sets:
        for phrase in phrases.spaced:
            start = " ".join(phrase.split()[:2])
            index[start] = (*index.get(start, ()), (phrases, f" {phrase} "))
    return index


_INDEX = _index_phrases(
    ORDINALS,
    NOUNS,
    CONCLUSIONS,
    DENIALS,
    NEGATIONS,
    CONTRASTS,
    RETRACTIONS,
    CONDITIONS,
    VIEWS,
    REFUSALS,
    ASIDES,
    RESTRICTIONS,
)
_INDEXED = frozenset(_INDEX)


def split_words(low: str) -> list[str]:
    """The words of a lower-case text."""
    return low.translate(_TO_SPACE).split()


class Words:
    """A lower-case text as its words, to look in its parts for the phrases that `_INDEX` has."""

    def __init__(self, low: str) -> None:
        self._low = low
        self._plain = low.translate(_TO_SPACE)
        self._has_unspaced = not low.isascii() and _UNSPACED.search(low) is not None
        self._spaced: dict[Phrases, list[str]] = {}
        padded = f" {self._plain} "
        self.all = padded.split()
        """Every word, in order."""
        for start in _INDEXED.intersection([*self.all, *map(" ".join, pairwise(self.all))]):
            for phrases, phrase in _INDEX[start]:
                if phrase in padded:
                    self._spaced.setdefault(phrases, []).append(phrase)

    def find(self, phrases: Phrases) -> list[str]:
        """The phrases that the text holds."""
        unspaced = (phrase for phrase in phrases.unspaced if phrase in self._low) if self._has_unspaced else ()
        return [*(phrase.strip() for phrase in self._spaced.get(phrases, ())), *unspaced]

    def hold(self, phrases: Phrases, start: int, end: int, *, asides: Phrases | None = None) -> bool:
        """Whether the text between two positions holds one of the phrases, where the asides are taken away."""
        if phrases in self._spaced:
            part = f" {self._plain[start:end]} "
            for aside in self._spaced.get(asides, ()) if asides else ():
                part = part.replace(aside, "  ")
            if any(phrase in part for phrase in self._spaced[phrases]):
                return True
        return self._has_unspaced and any(self._low.find(phrase, start, end) >= 0 for phrase in phrases.unspaced)

    def find_last(self, phrases: Phrases, start: int, end: int) -> int:
        """The end of the last phrase between two positions; -1 where there is none."""
        last = -1
        if phrases in self._spaced:
            part = f" {self._plain[start:end]} "
            for phrase in self._spaced[phrases]:
                at = part.rfind(phrase)
                last = max(last, start + at + len(phrase) - 2 if at >= 0 else -1)
        for phrase in phrases.unspaced if self._has_unspaced else ():
            at = self._low.rfind(phrase, start, end)
            last = max(last, at + len(phrase) if at >= 0 else -1)
        return last
