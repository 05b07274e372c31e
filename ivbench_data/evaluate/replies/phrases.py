"""Fast look-up of phrases in lower-case text, and the phrases of every language joined by what they do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ivbench_data.evaluate.replies.languages import LANGUAGES

_PUNCTUATION = '.,;:!?()[]{}<>|/"“”«»„…、。，：；！？।؟،؛—–·'
_TO_SPACE = str.maketrans(_PUNCTUATION, " " * len(_PUNCTUATION))


def _by_length(phrases: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(phrases), key=lambda phrase: (-len(phrase), phrase)))


_UNSPACED_FROM = "\u0e00"
"""Scripts that do not set words apart come after this character."""
_FIRST_WORD = re.compile(rf"[^\s{re.escape(_PUNCTUATION)}]*")
_BEFORE_WORD = _PUNCTUATION + "-'\n\t"


def find_last_word(text: str) -> str:
    """The last word of a text, without punctuation before it."""
    return text[text.rfind(" ") + 1 :].lstrip(_BEFORE_WORD)


def find_first_word(text: str) -> str:
    """The first word of a text; "" where a mark or a space comes first."""
    found = _FIRST_WORD.match(text)
    return found[0] if found else ""


class Words:
    """A text as its words, to look for phrases in."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = text.translate(_TO_SPACE)
        self.words = frozenset(self.plain.split())
        self.has_unspaced = not text.isascii()


class Phrases:
    """A set of lower-case phrases, whole words or, for scripts without spaces, any run of characters."""

    def __init__(self, spaced: Iterable[str], unspaced: Iterable[str] = ()) -> None:
        self._unspaced = _by_length(unspaced)
        self._by_first: dict[str, tuple[str, ...]] = {}
        self._by_last: dict[str, tuple[str, ...]] = {}
        for phrase in _by_length(spaced):
            words = phrase.split()
            self._by_first[words[0]] = (*self._by_first.get(words[0], ()), phrase)
            self._by_last[words[-1]] = (*self._by_last.get(words[-1], ()), phrase)
        self._words = frozenset(self._by_first)

    def find_at_end(self, text: str) -> str:
        """The longest phrase that the text ends with; "" where there is none."""
        candidates = self._by_last.get(find_last_word(text))
        if candidates is not None:
            for phrase in candidates:
                if text.endswith(phrase) and not text[-len(phrase) - 1 : -len(phrase)].isalnum():
                    return phrase
        if text[-1:] >= _UNSPACED_FROM and text.endswith(self._unspaced):
            return next(phrase for phrase in self._unspaced if text.endswith(phrase))
        return ""

    def find_at_start(self, text: str) -> str:
        """The longest phrase that the text starts with; "" where there is none."""
        candidates = self._by_first.get(find_first_word(text))
        if candidates is not None:
            for phrase in candidates:
                if text.startswith(phrase) and not text[len(phrase) : len(phrase) + 1].isalnum():
                    return phrase
        if text[:1] >= _UNSPACED_FROM and text.startswith(self._unspaced):
            return next(phrase for phrase in self._unspaced if text.startswith(phrase))
        return ""

    def find_last(self, words: Words) -> int:
        """The end of the last phrase in the text; -1 where it holds none."""
        last = -1
        if not self._words.isdisjoint(words.words):
            padded = f" {words.plain} "
            for word in self._words.intersection(words.words):
                for phrase in self._by_first[word]:
                    at = padded.rfind(f" {phrase} ")
                    if at >= 0:
                        last = max(last, at + len(phrase))
        if words.has_unspaced:
            for phrase in self._unspaced:
                at = words.text.rfind(phrase)
                if at >= 0:
                    last = max(last, at + len(phrase))
        return last

    def blank(self, words: Words) -> Words:
        """The text without the phrases that it holds."""
        if self._words.isdisjoint(words.words):
            return words
        text = words.text
        for word in self._words.intersection(words.words):
            for phrase in self._by_first[word]:
                text = text.replace(phrase, " ")
        return Words(text)

    def is_in(self, words: Words) -> bool:
        """Whether the text holds one of the phrases."""
        return (words.has_unspaced or not self._words.isdisjoint(words.words)) and self.find_last(words) >= 0

    @property
    def first_words(self) -> frozenset[str]:
        """The words that a phrase can start with."""
        return self._words

    @property
    def last_words(self) -> frozenset[str]:
        """The words that a phrase can end with."""
        return frozenset(self._by_last)


def join_phrases(field: str, codes: Iterable[str] = ()) -> Phrases:
    """The phrases of a field of the table, of every language or of those with a code in `codes`."""
    wanted = set(codes) or {language.code for language in LANGUAGES}
    spaced: list[str] = []
    unspaced: list[str] = []
    for language in LANGUAGES:
        if language.code in wanted:
            phrases = [phrase for phrase in getattr(language, field).split("|") if phrase]
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
ASIDES = join_phrases("asides")
RESTRICTIONS = join_phrases("restrictions")
FOLLOWERS = join_phrases("followers")

LEAD_ENDS = frozenset().union(
    *(phrases.last_words for phrases in (NOUNS, COPULAS, STATEMENTS, CORRECTIONS, CONCLUSIONS, CONTRASTS, OPTION_WORDS))
)
"""The words that what leads up to an answer can end with."""

TRAIL_STARTS = frozenset().union(
    *(phrases.first_words for phrases in (CONFIRMATIONS, DENIALS, OPTION_WORDS, FOLLOWERS))
)
"""The words that what follows an answer can start with."""

ENGLISH_LEADS = (join_phrases("nouns", ["en"]), join_phrases("copulas", ["en"]), join_phrases("statements", ["en"]))
"""After what an English speaker may also set the article "a" or the pronoun "I"."""

ENGLISH_CONFIRMATIONS = join_phrases("confirmations", ["en"])

SUFFIXES = _by_length(suffix for language in LANGUAGES for suffix in language.suffixes.split("|") if suffix)
