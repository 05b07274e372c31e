"""Whether a mention of an option is a statement: what leads up to it, what follows it, and in which mood it stands."""

from __future__ import annotations

import bisect
import re
from typing import Literal, NamedTuple

from ivbench_data.evaluate.replies.mentions import CLOSED, Body, Mention
from ivbench_data.evaluate.replies.phrases import (
    AFFIRMATIONS,
    ASIDES,
    CONCLUSIONS,
    CONDITIONS,
    CONFIRMATIONS,
    CONTRASTS,
    COPULAS,
    CORRECTIONS,
    DENIALS,
    ENGLISH_CONFIRMATIONS,
    ENGLISH_LEADS,
    FOLLOWERS,
    JOINERS,
    LEAD_ENDS,
    NEGATIONS,
    NOUNS,
    OPTION_WORDS,
    QUESTIONS,
    RESTRICTIONS,
    STATEMENTS,
    TRAIL_STARTS,
    VIEWS,
    Phrases,
    find_first_word,
    find_last_word,
)

MARKS = " \n\t\"'*_`“”«»([{<（【「『】:：=-–—→>#|~,✅✔☑👉➡✓️、，"
_LABELS = frozenset("】:：=-–—→>\n|")
_REACH = 240
"""Characters before a letter that may belong to its sentence's lead."""
_LISTING = frozenset(("each", "every", "all", "which", "any", "both", "either", "other", "following"))
_VERBS = frozenset(
    (
        "is",
        "isn't",
        "seems",
        "appears",
        "should",
        "must",
        "would",
        "was",
        "will",
        "matches",
        "fits",
        "corresponds",
        "aligns",
    )
)
"""Followers that carry on the sentence with the letter as its subject."""
_AFTER_CONFIRMATION = re.compile(
    r"\s*(?:(?:answer|option|choice|one|match|description|statement|candidate|fit|correct|right|best|suited|appropriate"
    r"|accurate|likely|plausible|suitable|logical|reasonable|possible)\s*)*"
    r"(?:[^\s\w]|$|\n|because|since|as\b|here|for\b|given|based|according|in this|in my"
    r"|and\b|but\b|so\b|to\b|with\b|when|than\b|that\b|of\b|among)"
)
_NO_TRAIL = frozenset(("is right", "was right", "would be right", "seems right", "looks right"))
_CLAUSE_MARKS = ",;:(，；：、—（"


_LEADS: tuple[tuple[Phrases, Literal["statement", "correction", "conclusion", "contrast"]], ...] = (
    (STATEMENTS, "statement"),
    (CORRECTIONS, "correction"),
    (CONCLUSIONS, "conclusion"),
    (CONTRASTS, "contrast"),
)


class Lead(NamedTuple):
    """What stands before a mention."""

    kind: Literal["phrase", "statement", "conclusion", "correction", "contrast", "noun", "label", "option", "none"]
    start: int
    """Where it starts in the text."""
    could_be_followed_by_word: bool = True
    """Whether an article or a pronoun could stand after it."""


class Trail(NamedTuple):
    """What stands after a mention."""

    is_closed: bool
    """Whether its clause ends there, or its own text follows."""
    is_carried_on: bool
    """Whether a reason or a circumstance follows."""
    is_confirmed: bool
    """Whether it is called the answer."""
    is_denied: bool
    """Whether it is called wrong."""


def find_lead(body: Body, mention: Mention) -> Lead:
    """What leads up to a mention, in its sentence or in the heading above it."""
    start = max(body.find_sentence(mention.start)[0], mention.start - _REACH)
    before = body.low[start : mention.start]
    text = before.rstrip(MARKS)
    is_label = not _LABELS.isdisjoint(before[len(text) :])
    if not text:
        start, text = _find_heading(body, start)
        is_label = True
        if not text:
            return Lead("none", mention.start)
    has_option_word = False
    for _ in range(6):
        last = find_last_word(text)
        if not text or (text.isascii() and last not in LEAD_ENDS) or _ends_with_joined_letter(text):
            break
        noun = NOUNS.find_at_end(text, last)
        if noun and is_label:
            if _is_listing(text, noun):
                break
            is_english = not has_option_word and bool(ENGLISH_LEADS[0].find_at_end(text))
            return Lead("phrase", start + len(text) - len(noun), is_english)
        if copula := COPULAS.find_at_end(text, last):
            rest = text[: -len(copula)].rstrip(MARKS)
            subject = NOUNS.find_at_end(rest)
            if subject or body.words.hold(NOUNS, max(start, start + len(rest) - 120), start + len(rest)):
                is_english = not has_option_word and bool(ENGLISH_LEADS[1].find_at_end(text))
                return Lead("phrase", start + len(rest) - len(subject), is_english)
        for phrases, kind in _LEADS:
            if phrase := phrases.find_at_end(text, last):
                rest = text[: -len(phrase)].rstrip(MARKS)
                if kind == "conclusion" and phrase == OPTION_WORDS.find_at_end(text) and COPULAS.find_at_end(rest):
                    break
                is_english = phrases is not STATEMENTS or bool(ENGLISH_LEADS[2].find_at_end(text))
                is_english = is_english and not has_option_word
                return Lead(kind, start + len(text) - len(phrase), is_english)
        word = OPTION_WORDS.find_at_end(text, last)
        if noun and len(noun) > len(word):
            break
        if not word or (len(word) == 1 and body.text[start + len(text) - 1].isupper()):
            break
        has_option_word = has_option_word or bool(noun)
        shorter = text[: -len(word)]
        text = shorter.rstrip(MARKS)
        is_label = not _LABELS.isdisjoint(shorter[len(text) :])
    noun = NOUNS.find_at_end(text)
    if noun and len(text[: -len(noun)].split()) <= 2:
        return Lead("noun", start + len(text) - len(noun), bool(ENGLISH_LEADS[0].find_at_end(text)))
    if has_option_word:
        return Lead("option", mention.start, False)
    if _DENIED_LETTER.search(before) and NEGATIONS.find_at_end(_DENIED_LETTER.sub("", before).rstrip(MARKS)):
        return Lead("contrast", mention.start)
    return Lead("label" if is_label and text else "none", mention.start)


_DENIED_LETTER = re.compile(r"(?<![a-z])[a-z][\"')\]]*(?:[,，、] ?是?|[,，] (?:it's|it is) )[\"'(\[]*$")
_JOINED_LETTER = re.compile(r"(?<![a-z])[a-z][\"')\]]*\s*$")


def _ends_with_joined_letter(text: str) -> bool:
    joiner = JOINERS.find_at_end(text)
    return bool(joiner) and bool(_JOINED_LETTER.search(text[: -len(joiner)]))


def _find_heading(body: Body, line_start: int) -> tuple[int, str]:
    """The last sentence of the line above, where it could lead up to the line."""
    if not line_start:
        return 0, ""
    above = body.low[max(0, line_start - _REACH) : line_start].rstrip()
    start = above.rfind("\n") + 1
    is_ended = above[-1:] in {".", "!", "。", "；", ";"}
    text = above.rstrip(MARKS + "?？.!。；;")
    start = max([start, *(text.rfind(end) + len(end) for end in (". ", "! ", "? ", "。") if end in text)])
    text = text[start:]
    if is_ended and text not in {CONCLUSIONS.find_at_end(text), NOUNS.find_at_end(text)}:
        return line_start, ""
    return max(0, line_start - _REACH) + start, text


def _is_listing(text: str, noun: str) -> bool:
    words = text[: -len(noun)].split()
    return bool(words) and words[-1] in _LISTING


def find_trail(body: Body, mention: Mention) -> Trail:
    """What follows a mention in its clause."""
    at = body.skip_closers(mention.end)
    after = body.low[at : at + 60]
    word = after.lstrip(" *_-–—:,'")
    if not word or (word[0] < "\u0250" and find_first_word(word) not in TRAIL_STARTS):
        is_closed = CLOSED.match(after) is not None or body.find_own_text(mention) is not None
        return Trail(is_closed, False, False, False)
    confirmation = CONFIRMATIONS.find_at_start(word)
    if not confirmation and (option_word := OPTION_WORDS.find_at_start(word)):
        confirmation = CONFIRMATIONS.find_at_start(word[len(option_word) :].lstrip())
        word = word[len(option_word) :].lstrip() if confirmation else word
    rest = word[len(confirmation) :]
    is_confirmed = bool(confirmation) and (
        ENGLISH_CONFIRMATIONS.find_at_start(word) != confirmation
        or bool(_AFTER_CONFIRMATION.match(rest))
        or confirmation.split()[-1] in _OPEN_ENDED
    )
    if confirmation in _NO_TRAIL and not CLOSED.match(rest) and not rest.startswith((" because", " since", " as ")):
        is_confirmed = False
    denial = DENIALS.find_at_start(word)
    is_closed = bool(CLOSED.match(after)) or body.find_own_text(mention) is not None
    follower = FOLLOWERS.find_at_start(after.lstrip())
    is_carried_on = bool(follower) and follower not in _VERBS
    return Trail(is_closed, is_carried_on, is_confirmed, bool(denial) and len(denial) >= len(confirmation))


_OPEN_ENDED = frozenset(("matches", "fits", "describes", "accurately", "aligns", "corresponds", "correctly", "what"))


def is_stated(body: Body, mention: Mention, lead: Lead) -> bool:
    """Whether a mention is asserted: no question, condition, negation or view of others."""
    sentence_start, sentence_end, closer = body.find_sentence(mention.start)
    if closer[:1] in {"?", "？", "؟"} and not _is_answered(body, mention, sentence_end + len(closer), lead):
        return False
    begin = min(sentence_start, lead.start)
    clause_end = min(sentence_end, mention.end + 120)
    if sentence_start == mention.start == lead.start:
        return not body.words.hold(RESTRICTIONS, mention.end, clause_end)
    start = max(begin, mention.start - 2 * _REACH)
    stop = max(lead.start, start)
    is_new_clause = lead.kind in {"correction", "conclusion", "contrast"}
    contrast = max(start, body.words.find_last(CONTRASTS, start, stop))
    cut = stop
    if not is_new_clause:
        mark = max([body.low.rfind(mark, start, stop) for mark in _CLAUSE_MARKS])
        cut = max(contrast, body.words.find_last(CONCLUSIONS, start, stop), mark + 1)
        stop = mention.start
    hold = body.words.hold
    if (
        hold(NEGATIONS, cut, stop, asides=ASIDES)
        or hold(VIEWS, cut, stop, asides=ASIDES)
        or hold(CONDITIONS, contrast, stop, asides=ASIDES)
    ):
        return False
    if " would " in body.low[lead.start : stop] and body.words.hold(CONDITIONS, mention.end, clause_end):
        return False
    return not body.words.hold(RESTRICTIONS, mention.end, clause_end)


_TAG_QUESTION = re.compile(r", (?:isn't it|is it not|right|correct|no|yes|doesn't it|wouldn't it)\s*")


def _is_answered(body: Body, mention: Mention, at: int, lead: Lead) -> bool:
    """Whether the question that ends at a position counts: it is affirmed, or a statement that ends the reply."""
    rest = body.low[at : at + 40].lstrip(" \n")
    if AFFIRMATIONS.find_at_start(rest):
        return True
    start, end, _ = body.find_sentence(mention.start)
    if _TAG_QUESTION.fullmatch(body.low, body.skip_closers(mention.end), end):
        return True
    is_asked = bool(QUESTIONS.find_at_start(body.low[start : mention.start].lstrip(MARKS)))
    return not rest and not is_asked and lead.kind in {"phrase", "statement", "conclusion", "none"}


def offers_another(body: Body, mention: Mention, others: list[Mention]) -> bool:
    """Whether a second option is offered beside the first: `B or C`, `A, B`, `(A)/(B)`."""
    at = body.skip_closers(mention.end)
    own = body.find_own_text(mention)
    for begin in (at, body.skip_closers(own)) if own is not None else (at,):
        joint = _JOINT.match(body.low, begin)
        if joint is None:
            after = body.low[begin : begin + 24]
            joined = after.lstrip(" (\n")
            word = JOINERS.find_at_start(joined)
            if not word:
                continue
            end = begin + len(after) - len(joined) + len(word)
        else:
            end = joint.end()
        number = bisect.bisect_left(others, (end,))
        second = others[number] if number < len(others) else None
        if second is None or second.start - end > 12 or second.option == mention.option:
            continue
        between = body.low[end : second.start].strip(MARKS + ".)")
        between = "" if len(between) == 1 and second.kind == "text" else between
        if between and not (OPTION_WORDS.find_at_end(between) == between or JOINERS.find_at_end(between) == between):
            continue
        if second.option >= len(body.options) or body.could_be_a_word(second):
            continue
        trail = find_trail(body, second)
        if not second.is_upper and not trail.is_closed:
            continue
        is_joined = joint is not None and joint[0].strip() not in {",", "、", "，", ";", "；"}
        if trail.is_denied and (joint is not None):
            continue
        after = body.low[body.skip_closers(second.end) :][:12].lstrip()
        if is_joined or joint is None or trail.is_closed or JOINERS.find_at_start(after) or after[:1] in ",/":
            return True
    return False


_JOINT = re.compile(r"\s*(?:[,/&+、，;；]|-(?=[a-z]))\s*")
