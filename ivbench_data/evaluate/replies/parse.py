"""Which option a reply names: pure functions of texts. `parse_numbers` reads numbers by the same rules.

`parse_answer` strips a reply of what is not its answer (`strip`), finds the part that answers (`region`), and reads it
(`read`) with the phrases of every language in the table (`languages`). It says which rule decided and on which
characters of the reply that rests. It would rather name nothing than guess: what it cannot read counts as wrong and
shows in the parse rate. It returns only letters that the question has, and treats all letters alike: the article "a"
and the pronoun "I" are distinguished from letters by what follows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ivbench_data.evaluate.replies.mentions import Body, Mention
from ivbench_data.evaluate.replies.mood import MARKS, find_lead, is_stated, offers_another
from ivbench_data.evaluate.replies.options import prepare_options
from ivbench_data.evaluate.replies.parsed import NOTHING, ParsedAnswer
from ivbench_data.evaluate.replies.read import read
from ivbench_data.evaluate.replies.reference_parsers import (
    parse_before_bracket,
    parse_first_capital,
    parse_like_paper,
)
from ivbench_data.evaluate.replies.region import cut_run_on, find_answer


def parse_answer(reply: str | None, options: Sequence[str]) -> ParsedAnswer:
    """The option that the reply names, with `options` as they were shown (A, B, …).

    Explicit answers come first; what they hold is read by the rules below. The first rule that finds an option decides,
    also when the letter is none of this question's or several are offered:

    1. `tag`, `field`: the last answer tag or box; the answer field of a JSON or Python literal.
    2. `letter`, `text`: the whole reply is one letter, or the text of one option.
    3. `phrase`, `conclusion`: the last statement: "the answer is B", "B is correct"; "so B", "wait, B".
       `option_number` where it states a number, and no option begins with one: 1 is A.
    4. `last_line`: a last line that is a letter, or begins with one before its option's text.
    5. `leading`: a letter at the beginning, set off from the text.
    6. `contained`: the text of exactly one option, in the first sentence, else the last, else the whole.
    7. `only`: the one letter that brackets or the word "option" set off.

    Questions, conditions, negations, views of others and lists of options are no statements.
    """
    if reply is None or not options:
        return NOTHING
    prepared = prepare_options(tuple(options))
    text, explicit = find_answer(reply)
    for part in cut_run_on(text):
        reading = read(Body(part.text, prepared))
        if reading is not None:
            index = reading.option if reading.option < len(options) else None
            return ParsedAnswer(index, explicit or reading.rule, part.span(reading.start, reading.end))
    return NOTHING if explicit is None else ParsedAnswer(None, explicit, text.span(0, len(text.text)))


_TRUTHS = ({"t", "true"}, {"f", "false"})


def parse_true_false(reply: str | None, options: Sequence[str]) -> ParsedAnswer:
    """The option that the reply names where options are shown without letters: its text alone, in a tag, or leading.

    Where the options are true and false, long or short, either form counts. The last statement decides ("the answer is
    true"), else the text's first word, unless another option is offered beside it.
    """
    if reply is None or not options:
        return NOTHING
    text, explicit = find_answer(reply)
    for part in cut_run_on(text):
        mention = _find_truth(Body(part.text, prepare_options(tuple(options))))
        if mention is not None:
            return ParsedAnswer(mention.option, explicit or "text", part.span(mention.start, mention.end))
    return NOTHING


def _find_truth(body: Body) -> Mention | None:
    text = body.text.strip()
    start = body.text.find(text)
    exact = body.options.find_exact(text)
    if exact is not None:
        return Mention(start, start + len(text), exact, "text", True)
    mentions = _find_truth_mentions(body)
    for mention in reversed(mentions):
        lead = find_lead(body, mention)
        if lead.kind == "phrase" and is_stated(body, mention, lead):
            return mention
    if not mentions or body.text[: mentions[0].start].strip(MARKS):
        return None
    return None if offers_another(body, mentions[0], mentions) else mentions[0]


def _find_truth_mentions(body: Body) -> list[Mention]:
    """Every place that holds an option's text, or the other form of it where it is true or false."""
    forms: dict[str, int] = {}
    for index, option in enumerate(body.options.folded):
        for form in next((truth for truth in _TRUTHS if option in truth), {option}):
            forms[form] = -1 if form in forms else index
    pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True) if form)
    return [
        Mention(found.start(), found.end(), forms[found[0]], "text", True)
        for found in re.finditer(rf"(?<!\w)(?:{pattern or '(?!)'})(?!\w)", body.low)
        if forms[found[0]] >= 0
    ]


PARSERS: dict[str, Callable[[str | None, Sequence[str], str], ParsedAnswer]] = {
    "default": lambda reply, options, question_id: parse_answer(reply, options),
    "default_evidence": lambda reply, options, question_id: parse_answer(reply, options),
    "paper": parse_like_paper,
    "videoespresso": parse_first_capital,
    "videoespresso_evidence": parse_first_capital,
    "vlm2bench": parse_before_bracket,
}
"""Every parser, by the name of the prompt profile that it belongs to."""
