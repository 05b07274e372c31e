"""Find the part of a reply that answers: an explicit tag, box or field, else the text up to where it runs on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivbench_data.evaluate.replies.parsed import Rule
from ivbench_data.evaluate.replies.phrases import NOUNS
from ivbench_data.evaluate.replies.strip import (
    Stripped,
    lower,
    make_plain,
    strip_markup,
    strip_reasoning,
    strip_special_tokens,
)

_NAMES = (
    "answer|final_answer|finalanswer|final|conclusion|solution|choice|option|response|output|result|selection|letter"
)
_TAG = re.compile(
    r"<(?P<open>answer|final_answer|conclusion)\b[^<>]*>\s*:?(?P<a>.*?)(?:</(?P=open)\s*>|$)"
    rf"|<(?P<closed>{_NAMES})\b[^<>]*>(?P<b>[^<]{{0,2000}})</(?P=closed)\s*>"
    r"|<\|begin_of_(?P<token>box|solution|answer)\|>(?P<c>.*?)(?:<\|end_of_(?P=token)\|>|$)"
    r"|<\|START_(?P<part>RESPONSE|ANSWER)\|>(?P<d>.*?)(?:<\|END_(?P=part)\|>|$)"
    r"|\[(?P<bracket>ANSWER|FINAL_ANSWER)\](?P<e>.*?)(?:\[/(?P=bracket)\]|$)",
    re.IGNORECASE | re.DOTALL,
)
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
_BRACE = re.compile(r"[{}]")
_FIELD = re.compile(
    r"""(?:["'](?P<quoted>[^"'\n{}]{1,40})["']|(?P<bare>\b[A-Za-z]\w{0,30}))\s*[:=]\s*\[?\s*
        (?:(?P<list>(?<=\[)[^\[\]{}\n]{0,300}(?=\]))|"(?P<double>[^"\\\n]*(?:\\.[^"\\\n]*)*)"|'(?P<single>[^'\\\n]*(?:\\.[^'\\\n]*)*)'|(?P<word>[^\s,{}\[\]\n"'][^,{}\[\]\n"']{0,200}))""",
    re.VERBOSE,
)
_FIELD_WORDS = frozenset({
    "answer", "ans", "choice", "option", "letter", "prediction", "response", "output", "result", "label", "final",
    "correct", "best", "selected", "chosen", "predicted", "my", "the", "model", "your", "text", "value",
    "selection", "pick", "key", "right", "conclusion", "solution", "predict",
})  # fmt: skip
_FIELD_NAMES = frozenset({
    "answer", "ans", "choice", "option", "letter", "prediction", "response", "output", "result", "label",
    "selection", "pick",
})  # fmt: skip
_INDEXES = frozenset(("index", "idx"))
_TRUTH = re.compile(
    r"""["']([A-J])["']\s*:\s*["']?(true|yes|right|correct|false|no|wrong|incorrect)\b""", re.IGNORECASE
)
_TRUE = frozenset(("true", "yes", "right", "correct"))
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\-\s]+")

_RUN_ON = re.compile(
    r"\n\s*(?:#+ ?|\*\*)?(?:next |follow-up |new )?(?:question|q|user|human|problem|instruction|input|example"
    r"|题目|问题|用户|質問"
    r"|question|pregunta|frage|вопрос)\b(?: ?\d+)?(?:\*\*)? ?[:：]"
    r"|\n\s*#{1,6} *(?:next |new )?(?:question|problem|user|instruction)\b|\n\s*(?:next |new )?question(?: ?\d+)?\s*\n"
    r"|\n\s*(?:please )?answer the (?:following |next )?question\b"
    r"|\s(?:USER|HUMAN|Human|User):|\n(?:###|---) ?(?:human|user|instruction|question)|<\|?(?:user|human)\|?>",
    re.IGNORECASE,
)


_LONGEST = 16_000
"""Characters that are read at each end of a text; an answer does not stand in the middle of a longer one."""


def find_answer(reply: str) -> tuple[Stripped, Rule | None]:
    """The explicit answer of a reply and the rule that found it, else all that is left of it and None."""
    text = strip_special_reasoning(reply)
    if any(map(text.text.__contains__, "<{[")):
        found = max(_find_explicit(text.text), default=None)
        if found is not None:
            _, start, end, rule = found
            return _clean(text.cut(start, end)), rule
    return _clean(text), None


def strip_special_reasoning(reply: str) -> Stripped:
    """The reply in plain characters without its reasoning; special tokens that set off the answer are still there."""
    return strip_reasoning(make_plain(reply))


def _clean(text: Stripped) -> Stripped:
    return strip_markup(strip_special_tokens(text))


def _find_explicit(text: str) -> Iterator[tuple[tuple[bool, int], int, int, Rule]]:
    """Every explicit answer: whether it says something and where, its start and end, and the rule."""
    for tag in _TAG.finditer(text):
        start, end = next(tag.span(name) for name in "abcde" if tag[name] is not None)
        yield (bool(text[start:end].strip()), start), start, end, "tag"
    for start, opened, end in _find_boxes(text):
        yield (end > opened, start), opened, end, "tag"
    if "{" in text and ("answer" in text or ":" in text):
        yield from _find_fields(text, text.index("{") + 1)


def _find_fields(text: str, begin: int) -> Iterator[tuple[tuple[bool, int], int, int, Rule]]:
    """The answer fields of a literal, and the one letter that is true where others are false."""
    is_ranking = text.count('"label"', begin) > 1
    for field in _FIELD.finditer(text, begin):
        words = _split_key(field["quoted"] or field["bare"])
        if is_ranking and words == ["label"]:
            continue
        start, end = next(field.span(name) for name in ("list", "double", "single", "word") if field[name] is not None)
        if _names_an_answer(words):
            yield (bool(text[start:end].strip()), start), start, end, "field"
        elif not _INDEXES.isdisjoint(words) and _names_an_answer([word for word in words if word not in _INDEXES]):
            yield (False, start), start, start, "field"  # nobody says whether it counts from 0 or from 1
    truths = [(found.start(1), found[2].lower() in _TRUE) for found in _TRUTH.finditer(text, begin)]
    true = [start for start, is_true in truths if is_true]
    if len(true) == 1 < len(truths):
        yield (True, true[0]), true[0], true[0] + 1, "field"


def _find_boxes(text: str) -> Iterator[tuple[int, int, int]]:
    """Start of each closed box, start of what it holds, and its closing brace."""
    boxes = {box.end(): box.start() for box in _BOX.finditer(text)} if "box" in text else {}
    if not boxes:
        return
    opened: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.end())
        elif opened and (inner := opened.pop()) in boxes:
            yield boxes[inner], inner, brace.start()


def _split_key(key: str) -> list[str]:
    return lower(_CAMEL.sub(" ", key)).split()


def _names_an_answer(words: list[str]) -> bool:
    if not words:
        return False
    if any(not word.isascii() for word in words):
        return bool(NOUNS.find_at_end(" ".join(words)))
    return _FIELD_WORDS.issuperset(words) and not _FIELD_NAMES.isdisjoint(words)


def cut_run_on(text: Stripped) -> Iterator[Stripped]:
    """What stands before the text runs on to another question or speaker, if anything; then the whole."""
    low = text.text.lower()
    is_possible = "\n" in low or "user" in low or "human" in low
    for found in _RUN_ON.finditer(text.text) if is_possible else ():
        if text.text[: found.start()].strip():
            yield from _cut_ends(text.cut(0, found.start()))
            break
    yield from _cut_ends(text)


def _cut_ends(text: Stripped) -> Iterator[Stripped]:
    """The text; of one that is very long, its end and its beginning."""
    length = len(text.text)
    if length <= _LONGEST:
        yield text
    else:
        yield text.cut(length - _LONGEST, length)
        yield text.cut(0, _LONGEST)
