"""Which number a reply names: in digits or in English words, and none where it names several."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ivbench_data.evaluate.replies.mentions import Body, Mention
from ivbench_data.evaluate.replies.mood import find_lead, is_stated
from ivbench_data.evaluate.replies.options import prepare_options
from ivbench_data.evaluate.replies.parsed import Rule
from ivbench_data.evaluate.replies.region import cut_run_on, find_answer
from ivbench_data.text.number_words import NUMBER, find_numbers


@dataclass(frozen=True)
class ParsedNumber:
    """The number that a reply names."""

    value: float | None
    """The number; None when the reply names none, or several."""
    rule: Rule
    """The rule that decided."""


def parse_number(reply: str | None) -> ParsedNumber:
    """The one number that the reply names, in digits or in English words; nothing where it names several.

    The rules, in order: `tag` or `field`, the last explicit answer; `phrase`, the clause after the last
    answer-anchored phrase that is not negated ("the answer is 3"), when it holds one number; `number`, the whole reply.
    A number said twice is one number.
    """
    if reply is None:
        return ParsedNumber(None, "none")
    text, explicit = find_answer(reply)
    for part in cut_run_on(text):
        if explicit is None:
            value = _find_stated(Body(part.text, prepare_options(())))
            if value is not None:
                return ParsedNumber(value, "phrase")
        found = find_numbers(part.text)
        if len(found) == 1:
            return ParsedNumber(found.pop(), explicit or "number")
    return ParsedNumber(None, "none")


def _find_stated(body: Body) -> float | None:
    """The number in the clause after the last phrase that leads up to an answer, when that clause holds one number."""
    for found in reversed(list(NUMBER.finditer(body.text))):
        mention = Mention(found.start(), found.end(), 0, "number", True)
        lead = find_lead(body, mention)
        if lead.kind == "phrase" and is_stated(body, mention, lead):
            numbers = find_numbers(_CLAUSE_END.split(body.text[found.start() :], maxsplit=1)[0])
            if len(numbers) == 1:
                return numbers.pop()
    return None


_CLAUSE_END = re.compile(r"\n|(?<=\w)[.;!?](?=\s|$)")
