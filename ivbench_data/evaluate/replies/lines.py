"""Read lines: lists of options, a last line that answers, a letter at the beginning."""

from __future__ import annotations

import bisect
import re
from itertools import pairwise

from ivbench_data.evaluate.replies.mentions import Body, Mention, is_key
from ivbench_data.evaluate.replies.mood import (
    MARKS,
    Lead,
    find_trail,
    is_stated,
    offers_another,
)
from ivbench_data.evaluate.replies.parsed import Rule
from ivbench_data.evaluate.replies.phrases import CONCLUSIONS, DENIALS, ENDINGS, FOLLOWERS, NEGATIONS, STATEMENTS
from ivbench_data.evaluate.replies.reading import SEVERAL, Reading
from ivbench_data.questions.option_letters import LETTERS

_LABEL = re.compile(
    r"^[ \t]{0,8}(?:\d[.)] )?(?:(?:option|choice)[ ]+)?[\"'(\[]{0,4}([A-Za-z])(?:[\])][.:]?|[.:、]| [-–—](?= ))"
    r"(?=\s|$|\W|[A-Z])"
    r"|^[ \t]{0,8}(?:option|choice)[ ]+\(?([A-Z])\b",
    re.MULTILINE | re.IGNORECASE,
)


def find_listed(body: Body) -> frozenset[int]:
    """Where the letters stand that label lines of a list of several options."""
    return frozenset(start for start, _ in _find_list(body)) if _has_list(body) else frozenset()


def _has_list(body: Body) -> bool:
    return len({index for _, index in _find_list(body)}) > 1


def _find_list(body: Body) -> list[tuple[int, int]]:
    """Position and option of each letter that labels one of several lines in a row."""
    if "\n" not in body.text:
        return []
    labels: list[tuple[int, int]] = []
    for found in _LABEL.finditer(body.text):
        group = 1 if found[1] else 2
        labels.append((found.start(group), LETTERS.index(found[group].upper())))
    if len(labels) < 2:
        return []
    runs: list[list[tuple[int, int]]] = [[labels[0]]]
    for last, label in pairwise(labels):
        line_end = body.text.find("\n", last[0])
        between = body.text[line_end + 1 : body.text.rfind("\n", 0, label[0]) + 1].strip()
        if between or label[1] == last[1]:
            runs.append([label])
        else:
            runs[-1].append(label)
    return [label for run in runs if len(run) > 1 for label in _drop_answer_before_list(body, run)]


def _drop_answer_before_list(body: Body, run: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The run without its first label where a blank line sets it apart from the others."""
    gaps = ["\n\n" in body.text[first[0] : second[0]] for first, second in pairwise(run)]
    if gaps[0] and not all(gaps) and len(run) > 2:
        return run[1:] if len(run) > 2 else []
    if len(run) == 2 and gaps[0] and _is_denied_line(body, run[1][0]):
        return []
    if all(_is_denied_line(body, at) for at, _ in run[1:]) and not _is_denied_line(body, run[0][0]) and gaps[0]:
        return run[1:]
    return run


def _is_denied_line(body: Body, at: int) -> bool:
    end = body.low.find("\n", at)
    end = end if end >= 0 else len(body.low)
    if any(body.words.hold(phrases, at, end) for phrases in (NEGATIONS, DENIALS)):
        return True
    return any(body.low.find(cross, at, end) >= 0 for cross in "❌✗")


_TICKED = re.compile(
    r"^[ \t|]*(?P<before>[✅✓✔☑❌✗✘✖☐]|\[[ xX]\])?[ |]*(?:option |choice )?[\"'(\[]?(?P<letter>[A-Z])(?![A-Za-z0-9'])"
    r"(?:[^\n]*?(?P<after>[✅✓✔☑❌✗✘✖☐]|\[[ xX]\])[ |]*$)?",
    re.MULTILINE | re.IGNORECASE,
)
_TICKS = frozenset(("✅", "✓", "✔", "☑", "[x]", "[X]"))


def _read_ticked(body: Body) -> Reading | None:
    """The one letter of a list or a table that is ticked where others are crossed or left open."""
    ticks = {
        found.start("letter"): found["before"] or found["after"]
        for found in _TICKED.finditer(body.text)
        if found["before"] or found["after"]
    }
    ticked = [at for at, mark in ticks.items() if mark in _TICKS]
    if len(ticked) != 1 or len({body.text[at].upper() for at in ticks}) < 2:
        return None
    return Reading(LETTERS.index(body.text[ticked[0]].upper()), "leading", ticked[0], ticked[0] + 1)


_JUDGED = re.compile(
    r"(?<![A-Za-z])([A-J])[\"')\]]?\s*[:：=–—-]\s*(true|yes|correct|right|false|no|incorrect|wrong|正确|正確|对|错误|錯誤|错)"
    r"(?=\s*(?:[.,;；，。\n|]|$))",
    re.IGNORECASE,
)


def _read_judged(body: Body) -> Reading | None:
    """The one letter that is called right where others are called wrong: "A: no. B: yes. C: no"."""
    judged = [(found.start(1), found[2].lower() in _AFFIRMED) for found in _JUDGED.finditer(body.text)]
    right = [at for at, is_right in judged if is_right]
    if len(right) != 1 or len({body.text[at].upper() for at, _ in judged}) < 3:
        return None
    return Reading(LETTERS.index(body.text[right[0]].upper()), "leading", right[0], right[0] + 1)


_AFFIRMED = frozenset(("true", "yes", "correct", "right", "正确", "正確", "对"))


def read_list(body: Body) -> Reading | None:
    """The one line of a list of options that is ticked, or that is not denied where every other is."""
    if len(body.letters) > 2 and (judged := _read_judged(body)) is not None:
        return judged
    if "\n" not in body.text:
        return None
    if ("[" in body.text or not body.text.isascii()) and (ticked := _read_ticked(body)) is not None:
        return ticked
    lines = _find_list(body)
    if len({index for _, index in lines}) < 3:
        return None
    kept = [(at, index) for at, index in lines if not _is_denied_line(body, at)]
    if len(kept) != 1 or len(lines) < min(3, len(body.options)):
        return None
    at, index = kept[0]
    return Reading(index, "leading", at, at + 1)


def read_last_line(body: Body) -> Reading | None:
    """A last line that is a letter, ends in one after a colon, or begins with one before its option's text."""
    text = body.text.rstrip()
    start = text.rfind("\n") + 1
    if not start:
        return None
    return _read_line(body, start, len(text), "last_line")


def read_last_letter(body: Body) -> Reading | None:
    """A letter that is the last sentence, or its last clause."""
    found = _LAST_LETTER.search(body.text[-40:])
    if found is None:
        return None
    at = max(0, len(body.text) - 40) + found.start(1)
    mention = next((letter for letter in reversed(body.letters) if letter.start == at), None)
    if mention is None or at in find_listed(body) or not is_stated(body, mention, Lead("conclusion", at)):
        return None
    before = body.text[:at].rstrip(MARKS + ";；")
    number = bisect.bisect_left(body.letters, mention)
    if number and body.skip_closers(body.letters[number - 1].end) >= len(before):
        return None
    return Reading(mention.option, "last_line", at, at + 1)


_LAST_LETTER = re.compile(
    r"(?:[.!?。！？…;；:：][\"')\]]?\s*|[,，]\s*|(?:=>|->|→)\s*)[\"'(\[]{0,3}([A-Z])[\s\"')\].!。]{0,6}$"
)


_RANKED = re.compile(r"(?:\b\d[.)] ?[A-Z][ ,;]+){2,}\d[.)] ?[A-Z]\W*$")
"""Letters in an order: "1. C 2. A 3. D"."""


def read_ranking(body: Body) -> Reading | None:
    """Several letters in an order, which name no one option."""
    found = _RANKED.search(body.text[-200:])
    return (
        None
        if found is None
        else Reading(SEVERAL, "none", max(0, len(body.text) - 200) + found.start(), len(body.text))
    )


def _read_line(body: Body, start: int, end: int, rule: Rule) -> Reading | None:
    line = body.text[start:end]
    found = _LINE_LETTER.fullmatch(line)
    if found is None:
        own = next((mention for mention in body.letters if start <= mention.start < end), None)
        is_named = own is not None and own.is_upper and _NAMED_LINE.match(line) is not None
        if own is None or (body.text[start : own.start].strip(MARKS + ".") and not is_named):
            exact = body.options.find_exact(line)
            return None if exact is None else Reading(exact, "text", start, end)
        stop = body.find_own_text(own)
        if stop is None and is_named:
            stop = own.end
        if stop is None or own.start in find_listed(body) or stop > end:
            return None
        return None if offers_another(body, own, body.letters) else Reading(own.option, rule, own.start, stop)
    at = start + found.start(1)
    if body.words.hold(NEGATIONS, start, at):
        return None
    return Reading(LETTERS.index(found[1].upper()), rule, at, at + 1)


_NAMED_LINE = re.compile(r"\W{0,4}(?:option|choice) \W?[A-Z]\W?\s*:", re.IGNORECASE)
"""A line that names an option and goes on in its own words: "Option C: they fly off"."""
_LINE_LETTER = re.compile(
    r"(?:[^\n?]{0,60}[:：]\s?)?[\s\"'(\[{<（【「『✅✔☑👉➡→>=-]{0,8}(?:(?:option|choice|letter|answer)\s[\"'(\[]{0,3})?"
    r"([A-Za-z])[\s\"')\]}>）】」』.,;:!✅✔☑]{0,12}",
    re.IGNORECASE,
)

_LEADING = re.compile(
    r"[^\w]{0,12}(?:(?:option|choice|answer|选项|選択肢)\s?[\"'(\[{<（【「『]{0,4})?([A-Za-z])(?![A-Za-z0-9'])([\"')\]}>）】」』]{0,6})",
    re.IGNORECASE,
)
_HEDGES = (ENDINGS, CONCLUSIONS, STATEMENTS)
"""What may close a text that begins with its letter: "C, I think"."""
_SET_OFF = re.compile(r"\s*[.:)、。：](?=[\s\W]|[A-Z\u0250-\uffff]|$)|\s*\n|\s*$")


def read_leading(body: Body) -> Reading | None:
    """The letter that a text begins with."""
    found = _LEADING.match(body.text)
    if found is None:
        first = body.text.find("\n")
        return (
            _read_line(body, 0, first, "leading")
            if first > 0
            else _read_line(body, 0, len(body.text.rstrip()), "leading")
        )
    mention = next((letter for letter in body.letters if letter.start == found.start(1)), None)
    if mention is None:
        if is_key(body.low, found.end(1)):
            return None
        if not _SET_OFF.match(body.text, found.end()) or re.match(r"\.[A-Za-z]\b", body.text[found.end() :]):
            return None
        mention = Mention(found.start(1), found.end(1), LETTERS.index(found[1].upper()), "letter", found[1].isupper())
    own = body.find_own_text(mention)
    after = body.low[found.end() : found.end() + 60]
    is_bracketed = bool(found[2]) and found[2][0] in ")]}）】」』>"
    if own is None and not _is_set_off_at_start(body, mention, after, is_bracketed):
        return None
    trail = find_trail(body, mention)
    if trail.is_denied:
        return None
    if mention.start in find_listed(body):
        return Reading(SEVERAL, "leading", mention.start, mention.end)
    if offers_another(body, mention, body.letters):
        return Reading(SEVERAL, "none", mention.start, mention.end)
    if "?" in after[:1] and len(body.text.rstrip()) > found.end() + 1:
        return None
    return Reading(mention.option, "leading", mention.start, own or mention.end)


def _is_set_off_at_start(body: Body, mention: Mention, after: str, is_bracketed: bool) -> bool:
    """Whether what follows the first letter of a text shows that it is an answer and no word."""
    if re.match(r"\s*(?:\.\.\.|…)", after):
        return not after.strip(" .…")
    if is_bracketed or _SET_OFF.match(body.text, body.skip_closers(mention.end)):
        is_word = body.text[mention.start] in "AI" and re.match(
            r"\s+[a-z]", body.text[body.skip_closers(mention.end) :]
        )
        return not (is_word and not is_bracketed)
    rest = after.lstrip()
    if rest[:1] in ",，;" and (mention.is_upper or body.text[mention.start] not in "ai"):
        return not rest[1:].lstrip().startswith(("as ", "personally", "for one", "too"))
    if rest[:1] in "(（[" and mention.is_upper:
        return True
    tail = rest.rstrip(" \n.!。")
    if (
        tail
        and len(after) < 40
        and tail in {ENDINGS.find_at_start(tail), CONCLUSIONS.find_at_start(tail), STATEMENTS.find_at_start(tail)}
    ):
        return True
    word = FOLLOWERS.find_at_start(rest)
    return mention.is_upper and word in {"because", "since", "as", "given", "based", "due", "instead", "rather", "not"}
