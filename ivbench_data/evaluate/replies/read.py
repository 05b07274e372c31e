"""Read which option a text names: statements in the last word's favour, then lines, then the options' own texts."""

from __future__ import annotations

import bisect
import re

from ivbench_data.evaluate.replies.contained import read_contained, read_only
from ivbench_data.evaluate.replies.lines import (
    find_listed,
    read_last_letter,
    read_last_line,
    read_leading,
    read_list,
    read_ranking,
)
from ivbench_data.evaluate.replies.mentions import Body, Mention
from ivbench_data.evaluate.replies.mood import MARKS, Lead, Trail, find_lead, find_trail, is_stated, offers_another
from ivbench_data.evaluate.replies.parsed import Rule
from ivbench_data.evaluate.replies.phrases import (
    ASIDES,
    CHANGES,
    EXCEPTIONS,
    NEGATIONS,
    OPTION_WORDS,
    POSITIONS,
    REFUSALS,
    REPLACERS,
    RETRACTIONS,
)
from ivbench_data.evaluate.replies.reading import SEVERAL, Reading
from ivbench_data.questions.option_letters import LETTERS

_MOST_MENTIONS = 300
"""Only so many of the last mentions are read, so that a text of letters costs no more than its length."""


def read(body: Body) -> Reading | None:
    """The reading of a text by the first rule that decides."""
    return (
        _read_lone(body)
        or _read_statement(body)
        or read_ranking(body)
        or read_last_line(body)
        or read_last_letter(body)
        or read_list(body)
        or read_leading(body)
        or read_contained(body)
        or read_only(body)
    )


# --- the whole text ---------------------------------------------------------------------------------------------

_LONE = re.compile(
    r"[^\w\s]*\s*(?:\d{1,2}[.)]\s*)?(?:(?:option|choice|letter)\b)?\s*[^\w\s]*\s*([A-Za-z])\s*[^\w\s]*", re.IGNORECASE
)


_LONE_NUMBER = re.compile(
    r"(?:(?:(?:option|choice)\s+)?(?:option|choice|number|no)\b\.?)?[^\w]{0,4}(?:第)?([0-9]{1,2})(?:个选项|個選項|番|번)?[^\w]{0,4}",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"[^\w]{0,8}([A-Za-z])(?:[^\w]{1,8}\1){1,20}[^\w]{0,8}")
_LONE_PLACE = re.compile(r"(?:it is |it's )?(?:the )?(\w+)(?: one)?\W{0,3}")
"""An option by its place: "the second one"; within a longer text that may be anything."""
_LETTER_LINES = re.compile(r"(?:[A-Za-z][.) ]{0,3}\n\s*)+[A-Za-z][.) ]{0,3}")
_ANSWER_LINE = re.compile(r"A ?: ?[\"'(]?([B-Z])\W{0,3}")
"""A letter after "A:" for "answer", as a dialogue writes it."""


def _read_lone(body: Body) -> Reading | None:
    """A text that is one letter, or the text of one option."""
    text = body.text.strip()
    start = body.text.find(text)
    if len(text) <= 40 and (found := _LONE.fullmatch(text)):
        index = LETTERS.index(found[1].upper())
        if index < len(body.options) or body.options.find_exact(text) is None:
            return Reading(index, "letter", start + found.start(1), start + found.end(1))
    if len(text) <= 60 and (found := _REPEATED.fullmatch(text)):
        return Reading(LETTERS.index(found[1].upper()), "letter", start + found.start(1), start + found.end(1))
    if len(text) <= 60 and _LETTER_LINES.fullmatch(text):
        return Reading(SEVERAL, "letter", start, start + len(text))
    if len(text) <= 12 and (found := _ANSWER_LINE.fullmatch(text)):
        return Reading(LETTERS.index(found[1]), "letter", start + found.start(1), start + found.end(1))
    if body.options.are_numbered and len(text) <= 20 and (found := _LONE_NUMBER.fullmatch(text)):
        at, stop = found.span(1)
        if 1 <= int(found[1]) <= len(body.options):
            return Reading(int(found[1]) - 1, "option_number", start + at, start + stop)
    if body.options.are_numbered and len(text) <= 30 and (found := _LONE_PLACE.fullmatch(body.low.strip())):
        named = POSITIONS.get(f"{found[1]} option")
        if named is not None and body.options.find_exact(text) is None:
            return Reading(named % len(body.options) if named < 0 else named, "option_number", start, start + len(text))
    for place in body.letters[:1]:
        before, after = body.low[: place.start].strip(MARKS), body.low[place.end :].strip(MARKS + ".!。")
        if place.end > place.start + 1 and not after and before == OPTION_WORDS.find_at_end(before):
            return Reading(place.option, "option_number", place.start, place.end)
    exact = body.options.find_exact(text)
    return None if exact is None else Reading(exact, "text", start, start + len(text))


# --- statements -------------------------------------------------------------------------------------------------


def _read_statement(body: Body) -> Reading | None:
    """The last statement that is not taken back."""
    mentions = [*body.letters[-_MOST_MENTIONS:], *body.texts[-_MOST_MENTIONS:], *body.find_numbers()[-_MOST_MENTIONS:]]
    mentions.sort(key=lambda mention: (mention.start, -mention.end))
    if not mentions:
        return None
    listed = find_listed(body)
    covered = -1
    for number, mention in enumerate(mentions):
        if mention.kind == "text" and mention.end > mention.start + 1:
            covered = max(covered, mention.end)
        elif mention.start < covered:
            mentions[number] = mention._replace(option=-1)
    for mention in reversed(mentions):
        if mention.start in listed or mention.option < 0:
            continue
        reading = _judge(body, mention)
        if reading is not None:
            return None if body.words.hold(RETRACTIONS, mention.end, mention.end + 2000, asides=ASIDES) else reading
    return None


def _judge(body: Body, mention: Mention, arrows: int = 8) -> Reading | None:
    if _is_changed_to(body, mention):
        return Reading(mention.option, "conclusion", mention.start, body.find_own_text(mention) or mention.end)
    corrected = _find_corrected(body, mention) if arrows else None
    if corrected is not None:
        first = _judge(body, corrected, arrows - 1)
        if first is None and not body.text[: corrected.start].strip(MARKS):
            first = Reading(corrected.option, "leading", corrected.start, corrected.end)
        return first and first._replace(option=mention.option, start=mention.start, end=mention.end)
    trail = find_trail(body, mention)
    if trail.is_denied and mention.kind == "letter" and _is_excepted(body, mention):
        return Reading(mention.option, "phrase", mention.start, mention.end)
    is_set_off = trail.is_closed or trail.is_carried_on or trail.is_confirmed
    if (
        trail.is_denied
        or (mention.kind == "text" and not is_set_off)
        or (mention.kind == "number" and not trail.is_closed)
    ):
        return None
    lead = find_lead(body, mention)
    rule = _name_rule(body, mention, lead, trail)
    if rule is None or not is_stated(body, mention, lead):
        return None
    end = body.find_own_text(mention) or mention.end
    several = mention.kind == "letter" and _is_one_of_several(body, mention, lead)
    several = several or (mention.kind == "text" and offers_another(body, mention, body.texts))
    return Reading(SEVERAL if several else mention.option, rule, mention.start, end)


def _is_excepted(body: Body, mention: Mention) -> bool:
    """Whether everything else is called wrong: "all options but C are wrong"."""
    before = body.low[max(0, mention.start - 60) : mention.start].rstrip(MARKS)
    return bool(EXCEPTIONS.find_at_end(before) or EXCEPTIONS.find_at_end(_drop_option_word(before)))


def _drop_option_word(text: str) -> str:
    return text.removesuffix(OPTION_WORDS.find_at_end(text)).rstrip(MARKS)


def _is_one_of_several(body: Body, mention: Mention, lead: Lead) -> bool:
    if offers_another(body, mention, body.letters):
        return True
    if lead.kind in {"contrast", "correction"}:
        return False
    number = bisect.bisect_left(body.letters, mention)
    before = body.letters[number - 1] if number else None
    if before is None or mention.start - before.end > 24 + _own_length(body, before):
        return False
    return before.option != mention.option and offers_another(body, before, body.letters)


def _own_length(body: Body, mention: Mention) -> int:
    return (body.find_own_text(mention) or mention.end) - mention.end


def _name_rule(body: Body, mention: Mention, lead: Lead, trail: Trail) -> Rule | None:
    """The rule by which a mention states an answer; None where it states none."""
    is_word = mention.kind == "letter" and body.could_be_a_word(mention)
    if is_word and lead.could_be_followed_by_word and not trail.is_confirmed:
        return None
    if trail.is_confirmed and mention.kind != "number" and (mention.is_upper or lead.kind != "none"):
        return "phrase"
    is_set_off = trail.is_closed or trail.is_carried_on
    match lead.kind:
        case "phrase":
            return "option_number" if mention.kind == "number" else "phrase"
        case "statement" if is_set_off and (mention.kind == "letter" or trail.is_closed):
            return "phrase" if mention.kind != "number" else None
        case "correction" | "conclusion" if is_set_off and mention.kind == "letter":
            return "conclusion"
        case "conclusion" if trail.is_closed and _is_lone_word(body, mention) and _begins_clause(body, lead.start):
            return "conclusion"
        case "contrast" if is_set_off and mention.kind == "letter" and _follows_denied(body, mention):
            return "conclusion"
        case "noun" if trail.is_closed and mention.kind != "text" and not _is_label(body, mention):
            return "phrase" if mention.kind == "letter" else "option_number"
        case _:
            return None


def _is_lone_word(body: Body, mention: Mention) -> bool:
    """Whether it is the text of an option like "yes", which sentences hold for other reasons, too."""
    return mention.kind == "text" and not body.options.is_distinct[mention.option]


def _begins_clause(body: Body, at: int) -> bool:
    before = body.low[max(0, at - 8) : at].rstrip(" \"'(")
    return not before or before[-1] in ".,;:!?\n—–。，；："


def _is_label(body: Body, mention: Mention) -> bool:
    """Whether a colon, or a full stop before more text in the same line, makes a letter the label of what follows."""
    return body.low[body.skip_closers(mention.end) :][:1] == ":"


def _follows_denied(body: Body, mention: Mention) -> bool:
    start = body.find_sentence(mention.start)[0]
    return any(body.words.hold(phrases, start, mention.start) for phrases in (NEGATIONS, REFUSALS))


_ARROW = re.compile(r"\s*(?:->|→|=>|-->)\s*$")


def _is_changed_to(body: Body, mention: Mention) -> bool:
    """Whether another letter is given up for this one: "switching from A to C"."""
    number = bisect.bisect_left(body.letters, mention)
    other = body.letters[number - 1] if number and mention.kind == "letter" else None
    if other is None or mention.start - other.end > 12:
        return False
    between = body.low[other.end : mention.start].strip(MARKS + ")].")
    is_arrow = _ARROW.search(body.low[other.end : mention.start].rstrip("(\"'[*")) is not None
    if not (is_arrow or (between and REPLACERS.find_at_start(between) == between)):
        return False
    return bool(CHANGES.find_at_end(body.low[max(0, other.start - 60) : other.start].rstrip(MARKS)))


def _find_corrected(body: Body, mention: Mention) -> Mention | None:
    """The letter that an arrow leads away from to this one."""
    before = body.text[max(0, mention.start - 8) : mention.start]
    is_possible = mention.kind == "letter" and (">" in before or "→" in before)
    arrow = _ARROW.search(before.rstrip("(\"'[*")) if is_possible else None
    if arrow is None:
        return None
    end = mention.start - len(before) + arrow.start()
    number = bisect.bisect_left(body.letters, mention)
    other = body.letters[number - 1] if number else None
    return other if other is not None and end in {other.end, body.skip_closers(other.end)} else None
