"""Read what states no answer but names one option alone: by its text, or by a letter that is set off."""

from __future__ import annotations

from collections.abc import Iterator

from ivbench_data.evaluate.replies.lines import find_listed
from ivbench_data.evaluate.replies.mentions import CLOSED, Body, Mention
from ivbench_data.evaluate.replies.mood import MARKS, Lead, find_lead, find_trail, is_stated, offers_another
from ivbench_data.evaluate.replies.phrases import CONTRASTS, JOINERS, NEGATIONS, REFUSALS
from ivbench_data.evaluate.replies.reading import SEVERAL, Reading


def read_contained(body: Body) -> Reading | None:
    """The one option whose text the first sentence holds, else the last, else the whole; no refusal is read."""
    if not body.texts or (body.words.hold(REFUSALS, 0, 400) and not body.options.can_refuse):
        return None
    listed = find_listed(body)
    stated = [mention for mention in body.texts if _is_named(body, mention) and not _is_in_list(body, mention, listed)]
    if not stated:
        return None
    if any(offers_another(body, mention, body.texts) for mention in stated):
        return None
    for chosen in (_in_first_sentence(body, stated), _in_last_sentence(body, stated), stated):
        indices = {mention.option for mention in chosen}
        if len(indices) == 1:
            return Reading(chosen[0].option, "contained", chosen[0].start, chosen[0].end)
    return None


def _is_in_list(body: Body, mention: Mention, listed: frozenset[int]) -> bool:
    line_start = body.text.rfind("\n", 0, mention.start) + 1
    return any(line_start <= at < mention.start for at in listed)


def _is_named(body: Body, mention: Mention) -> bool:
    options = body.options
    if options.are_numbers and body.low[: mention.start].endswith(("option ", "choice ")):
        return False  # a place, or the number: nobody can say
    is_bare = not options.is_distinct[mention.option]
    if is_bare:
        value = options.values[mention.option]
        if value is None or not (":" in options.folded[mention.option] or options.are_numbers):
            text = options.folded[mention.option]
            at_start = not body.text[: mention.start].strip(MARKS)
            return at_start and " " not in text and text in _ANSWERS and bool(CLOSED.match(body.low, mention.end))
        if options.are_numbers and len({other.option for other in body.texts}) > 1:
            return False
    if find_trail(body, mention).is_denied:
        return False
    start = body.find_sentence(mention.start)[0]
    if _is_in_denied_list(body, mention, start):
        return False
    return is_stated(body, mention, Lead("statement", max(start, mention.start)))


def _is_in_denied_list(body: Body, mention: Mention, start: int) -> bool:
    """Whether it is one of several things of which one negation speaks: "no rain, snow, or fog"."""
    comma = body.low.rfind(",", start, mention.start)
    denied = body.words.find_last(NEGATIONS, start, comma) if comma >= 0 else -1
    if denied < 0 or body.words.hold(CONTRASTS, denied, mention.start):
        return False
    after = body.low[mention.end : mention.end + 16].lstrip(MARKS)
    before = body.low[comma + 1 : mention.start].lstrip(MARKS)
    return bool(JOINERS.find_at_start(after) or JOINERS.find_at_start(before))


_ANSWERS = frozenset(("yes", "no", "true", "false", "both", "neither", "never", "always", "none"))


def _in_first_sentence(body: Body, mentions: list[Mention]) -> list[Mention]:
    return [mention for mention in mentions if body.find_sentence(mention.start)[0] == 0]


def _in_last_sentence(body: Body, mentions: list[Mention]) -> list[Mention]:
    last = body.find_sentence(len(body.text.rstrip(" \n.!。")) - 1)[0] if body.text.strip() else 0
    return [mention for mention in mentions if body.find_sentence(mention.start)[0] == last]


def read_only(body: Body) -> Reading | None:
    """The one letter of a text that brackets, the word "option" or its own text set off."""
    found = list(_find_set_off(body))
    if not found or len({mention.option for mention in found}) != 1 or body.words.hold(REFUSALS, 0, 400):
        return None
    mention = found[-1]
    return Reading(mention.option, "only", mention.start, body.find_own_text(mention) or mention.end)


def _find_set_off(body: Body) -> Iterator[Mention]:
    if len(body.letters) > 12:
        return
    for mention in body.letters:
        if not mention.is_upper or body.could_be_a_word(mention):
            continue
        lead = find_lead(body, mention)
        before, after = body.text[mention.start - 1 : mention.start], body.text[mention.end : mention.end + 1]
        is_bracketed = (before, after) in {("(", ")"), ("[", "]"), ('"', '"')}
        if not (is_bracketed or lead.kind in {"option", "noun"} or body.find_own_text(mention) is not None):
            continue
        if find_trail(body, mention).is_denied or not is_stated(body, mention, lead):
            continue
        yield mention._replace(option=SEVERAL) if offers_another(body, mention, body.letters) else mention
