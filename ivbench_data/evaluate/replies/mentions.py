"""Find where a text names options: by letter, by number or by their own text."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ivbench_data.evaluate.replies.options import ARTICLES, OPPOSITES, SECONDS, TIMES, Options, loosen, read_value
from ivbench_data.evaluate.replies.phrases import ENGLISH_FOLLOWERS, ORDINALS, POSITIONS, SUFFIXES, Words
from ivbench_data.evaluate.replies.strip import lower
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.text.number_words import NUMBER

_W = "A-Za-z0-9\u00aa-\u024f\u0370-\u03ff\u0400-\u04ff\u1e00-\u1eff"
"""Characters that make one word with a letter beside them; other scripts set a letter off by themselves."""
_ENDS = r"[\"')\]}»」』】）*]{0,4}\s*(?:[.,;:!?)\]。、；：！？]|$|\n)"
_ALONE = rf"(?![{_W}]|[-+][A-Za-z0-9]|\.[A-Za-z](?![A-Za-z])|\+)(?<![{_W}].)(?<![A-Za-z]['.\-].)"
_CAPITAL = re.compile(f"[A-Z]{_ALONE}")
_SMALL = re.compile(f"[^{_W}][a-z]{_ALONE}(?={_ENDS})")
_NAMED_SMALL = re.compile(r"(?:option|choice) (?:[b-hj-z]|[ai](?= (?:is|was|matches|fits)\b))(?![\w'-])")
"""A small letter that the word before it shows to be none of the text's."""
_SUFFIX = re.compile(rf"'(?:{'|'.join(SUFFIXES)})(?![a-z])")
_KEY = re.compile(r"[\"']\s*:\s*(?:[\d.]|true|false|null|none)")
_CLOSERS = "\"')]}»」』】）>_"
_BOUNDARY = re.compile(
    r"[.!?…;\n！？；。؟।][.!?…;\n！？；。؟।]*+(?:(?<=[;\n！？；。؟।])|(?![^\W_])(?:(?<=[.!?…;\n！？；。؟।]{2})|(?<!\.)"
    r"|(?=[\"')\]»]*(?:\s|\Z))(?<!e\.g\.)(?<!i\.e\.)(?<!vs\.)(?<!mr\.)(?<!dr\.)))"
)
"""Marks that close a sentence or a line: of full stops the one before a space that ends no abbreviation."""
CLOSED = re.compile(
    r"\s*(?:$|[\n\t]|[.,;:!?)\]|。，；：！？、।…](?!\w)|[.:](?=[A-Z])|[-–—=→/](?=\s|$)|[(（\[<]|[\u0600-\u1dff\u2e80-\uffef])"
)
"""What may follow a letter that closes its clause."""


class Mention(NamedTuple):
    """A place where a text names an option."""

    start: int
    end: int
    option: int
    """The option's position; beyond the options for a letter that the question lacks."""
    kind: Literal["letter", "number", "text"]
    is_upper: bool


class Body:
    """A text to be read, with the options it may name."""

    def __init__(self, text: str, options: Options) -> None:
        self.text = text
        self.options = options
        self.low = lower(text)
        """The text in lower case."""
        self.words = Words(self.low)
        """The words of the text."""
        self.ends = [found.span() for found in _BOUNDARY.finditer(self.low)]
        """Start and end of what closes each sentence or line."""
        self.starts = [0, *(end for _, end in self.ends)]
        """Where sentences and lines start."""
        self.letters = list(self._find_letters())
        """Every letter that stands for itself, or could; "the third option" is one, too."""
        if self.options.are_numbered and (ordinals := list(self._find_ordinals())):
            self.letters = sorted([*self.letters, *ordinals])
        self.texts = self._find_texts()
        """Every place that holds the whole text of an option, the longest where several overlap; then values."""

    def find_sentence(self, at: int) -> tuple[int, int, str]:
        """Start and end of the sentence around a position, and what closes it."""
        number = bisect.bisect_right(self.starts, at) - 1
        if number < len(self.ends):
            start, end = self.ends[number]
            return self.starts[number], start, self.text[start:end]
        return self.starts[number], len(self.text), ""

    def skip_closers(self, at: int) -> int:
        """The position after the quotes and brackets that close at a position."""
        while at < len(self.text) and self.text[at] in _CLOSERS:
            at += 1
        return at

    def find_own_text(self, mention: Mention) -> int | None:
        """The end of the option's own text where it follows its letter or number directly."""
        if mention.option >= len(self.options) or not (own := self.options.folded[mention.option]):
            return None
        at = self.low.find(own, mention.end + 1, mention.end + 8 + len(own))
        if at < 0 or any(character.isalnum() for character in self.text[mention.end : at]):
            return None
        return at + len(own)

    def _find_letters(self) -> Iterator[Mention]:
        text = self.text
        ends = [found.end() for found in _CAPITAL.finditer(text)]
        if small := [found.end() for found in _SMALL.finditer(f"\n{text}")]:
            ends = sorted([*ends, *(end - 1 for end in small)])
        is_named = "option " in self.low or "choice " in self.low
        if is_named and (named := [found.end() for found in _NAMED_SMALL.finditer(self.low)]):
            ends = sorted({*ends, *(end for end in named if text[end - 1].islower())})
        for end in ends:
            if text[end : end + 1] == "'" and text[end + 1 : end + 2].isalpha() and not _SUFFIX.match(self.low, end):
                continue
            if is_key(self.low, end):
                continue
            letter = text[end - 1]
            yield Mention(end - 1, end, LETTERS.index(letter.upper()), "letter", letter.isupper())

    def _find_ordinals(self) -> Iterator[Mention]:
        for phrase in self.words.find(ORDINALS):
            at = self.low.find(phrase)
            option = POSITIONS[phrase] % len(self.options) if POSITIONS[phrase] < 0 else POSITIONS[phrase]
            while at >= 0 and len(self.options):
                end = at + len(phrase)
                if _is_word(self.low, at, end):
                    yield Mention(at, end, option, "letter", True)
                at = self.low.find(phrase, end)

    def could_be_a_word(self, mention: Mention) -> bool:
        """Whether a capital A or I may be an article or a pronoun by what follows it."""
        if not mention.is_upper or self.text[mention.start] not in "AI":
            return False
        at = mention.end
        if self.skip_closers(at) != at:
            return False
        after = self.low[at : at + 40]
        if CLOSED.match(after) or self.find_own_text(mention) is not None:
            return False
        word = after.lstrip()
        if not word or not (word[0].isalpha() and word[0] < "\u0250") or after[0] not in " \t":
            return False
        if self.text[mention.start] == "I" and word.startswith(_PRONOUN_VERBS):
            return True
        return not ENGLISH_FOLLOWERS.find_at_start(word)

    def _find_texts(self) -> list[Mention]:
        found: list[Mention] = []
        low = self.low
        for index, option in enumerate(self.options.folded):
            at = low.find(option) if option else -1
            while at >= 0:
                end = at + len(option)
                is_own = not self.options.has_twin[index] or self.text[at:end] in self.options.texts[index]
                if is_own and _is_word(low, at, end):
                    found.append(Mention(at, end, index, "text", True))
                at = low.find(option, end)
        if self.options.are_times:
            found += [*self._find_values(TIMES), *self._find_values(SECONDS)]
        elif self.options.are_numbers:
            found += self._find_values(NUMBER)
        if not found and not self.options.loose_ends.isdisjoint(self.words.all):
            found = list(self._find_loose())
        if len(found) < 2:
            return found
        found.sort(key=lambda mention: (mention.start, -mention.end))
        kept: list[Mention] = []
        for mention in found:
            if not kept or mention.start >= kept[-1].end:
                kept.append(mention)
        return kept

    def _find_loose(self) -> Iterator[Mention]:
        """The texts of options with other articles: "diving into the water" for "diving into water"."""
        words = loosen(self.words.all)
        for text, index in self.options.loose.items():
            if text in words:
                gap = rf"\W+(?:(?:{'|'.join(ARTICLES)})\W+)*"
                pattern = gap.join(re.escape(word) for word in text.split())
                for found in re.finditer(rf"(?<!\w){pattern}(?!\w)", self.low):
                    if _is_word(self.low, *found.span()):
                        yield Mention(*found.span(), index, "text", True)

    def _find_values(self, pattern: re.Pattern[str]) -> Iterator[Mention]:
        for found in pattern.finditer(self.low):
            if found[0] == "one" and _PRONOUN_ONE.search(self.low, max(0, found.start() - 8), found.end() + 8):
                continue
            value = read_value(found[0])
            for index, own in enumerate(self.options.values):
                if own is not None and own == value:
                    yield Mention(found.start(), found.end(), index, "text", True)
                    break

    def find_numbers(self) -> list[Mention]:
        """Every whole number that can stand for an option's position."""
        if not self.options.are_numbered or not _DIGIT.search(self.text):
            return []
        return [
            Mention(found.start(), found.end(), int(found[0]) - 1, "number", True)
            for found in _POSITION.finditer(self.text)
            if 1 <= int(found[0]) <= len(self.options)
        ]


_DIGIT = re.compile(r"[0-9]")
_POSITION = re.compile(r"(?<![\w.,:/$-])[0-9]{1,2}(?![\w%]|[.,:/]\d|\s*-\s*\d)")
_PRONOUN_ONE = re.compile(
    r"\b(?:the|this|that|no|which|each|every|any|some) one\b"
    r"|\bone (?:of|could|can|might|may|would|should|who|has|sees)\b"
)
"""The word "one" where it counts nothing."""
_PRONOUN_VERBS = (
    "would", "should", "must", "was", "will", "definitely", "probably", "clearly", "certainly", "only ", "again",
)  # fmt: skip


def is_key(low: str, end: int) -> bool:
    """Whether a letter is the key of an object, and a number or a truth its value: no answer."""
    return low[end : end + 1] in {'"', "'"} and _KEY.match(low, end) is not None


def _is_word(text: str, start: int, end: int) -> bool:
    if text[max(0, start - 10) : start].endswith(OPPOSITES):
        return False
    before, after = text[start - 1 : start], text[end : end + 1]
    first, last = text[start], text[end - 1]
    if before and _joins(before, first):
        return False
    if after and _joins(last, after):
        return False
    if last.isdigit() and after in {".", ",", ":", "%"} and text[end + 1 : end + 2].isdigit():
        return False
    return not (first.isdigit() and before in {".", ",", ":"} and text[start - 2 : start - 1].isdigit())


def _joins(left: str, right: str) -> bool:
    """Whether two characters belong to one word: both of scripts that set words apart."""
    return left.isalnum() and right.isalnum() and left < "\u2e80" and right < "\u2e80"
