"""Which option a reply names: pure functions of texts. `numbers` reads numbers by the same rules.

`parse_answer` reads a reply by rules in a fixed order, and says which one decided. It would rather name nothing than
guess: what it cannot read counts as wrong and shows in the parse rate. It returns only letters that the question has,
and never takes the article "a" or the pronoun "I" for one.

`parse_like_paper` and `parse_first_capital` are the reference implementations' parsers, of IV-Bench and VideoEspresso,
for comparison with published figures: one takes the alphabetically first hit, articles included, and draws a letter
where it finds none; the other takes the first capital.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ivbench_data.questions.option_letters import LETTERS

Rule = Literal["tag", "phrase", "letter", "leading", "text", "number", "first_hit", "drawn", "likelihood", "none"]


@dataclass(frozen=True)
class ParsedAnswer:
    """What a reply names."""

    index: int | None
    """Position among the options as they were shown; None when the reply names none of them."""
    rule: Rule
    """The rule that decided; `drawn` is a letter drawn by lot, as the reference does where it finds none, and
    `likelihood` the likeliest letter, where no text was written."""

    @property
    def is_parsed(self) -> bool:
        """Whether the reply itself names an option of the question."""
        return self.index is not None and self.rule != "drawn"


NOTHING = ParsedAnswer(None, "none")

# --- the parts of a reply ---------------------------------------------------------------------------------------

_REASONING_TAG = re.compile(
    r"<(?P<closing>/?)(?:think|thinking|thought|reasoning|reflection|analysis|scratchpad)\b[^<>]*>|◁(?P<ends>/?)think▷",
    re.IGNORECASE,
)

_HALF_WIDTH = str.maketrans(
    {chr(0xFF21 + at): letter for at, letter in enumerate(LETTERS)}
    | {chr(0xFF41 + at): letter.lower() for at, letter in enumerate(LETTERS)}
    | {"（": "(", "）": ")", "：": ":", "．": ".", "。": ".", "，": ",", "、": ",", "；": ";", "’": "'", "‘": "'"}
)

_TAG = re.compile(r"<(answer|final_answer|choice)\b[^<>]*>(.*?)(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_LATEX = re.compile(r"\\(?:text|mathrm|mathbf|textbf|rm|bf)\s*\{([^{}]*)\}|\$")

_OPEN, _CLOSE = r"[*_`\"“'(\[{]{0,6}", r"[*_`\"”')\]}]{0,6}"
_TOKEN = re.compile(
    rf"\s*({_OPEN})((?:option|choice|letter)[\s:]+{_OPEN})?([A-Za-z])(?![\w'])({_CLOSE})", re.IGNORECASE
)
"""A letter that does not belong to a word, with what sets it off: `B`, `(B)`, `**B**`, `option B`."""

_END = re.compile(
    r"""\s*$ | \s*\n | \s*[.,;:!?)|](?=[\s*_"”')\]]|$)      # the text, the line or the clause ends
      | \s+[-–—]+\s | \s*\(                                 # an aside begins
      | \s+(?:because|since|as|due|given|which|based|for|considering|with|while|but|so)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""What may follow a letter that could also be a word."""

_LEAD = re.compile(
    r"""(?<!\w)(?:
          (?:answer|option|choice)(?:\s+(?:letter|option|choice|here|to\s+(?:this|the)\s+question))?
          (?: \s*["*_]*\s*[:=]["*_]*
            | \s+(?:is|was|would\s+be|should\s+be|must\s+be|has\s+to\s+be|seems\s+to\s+be|appears\s+to\s+be)\b\s*:? )
        | answer\s+(?=[*_]*\([A-Za-z]\))
        | (?:choose|chose|select|pick|going\s+with|go\s+with|opt\s+for)\b\s*:? )
      | (?:答案|选项)\s*(?:应该是|应为|是|为)?\s*:? | 选(?:择)?\s*:?""",
    re.VERBOSE | re.IGNORECASE,
)
"""What leads up to an answer: `the answer is …`. "Could be" and "might be" do not."""

_ADVERB = re.compile(
    r"\s*(?:(?:(?:most\s+)?likely|probably|clearly|definitely|indeed|therefore|still)\b[\s:,]*)+", re.I
)

_FOLLOW = re.compile(
    rf"""(?<![\w'])(option\s+|choice\s+|answer\s+)?({_OPEN})([A-Za-z])(?![\w']){_CLOSE}
         \s+(?:is|seems|would\s+be|must\s+be|appears\s+to\s+be)
         \s+(?:(?:the|most|likely|clearly|probably)\s+)*
         (?:(?:correct|right|best|final)\s+)?(?:answer|option|choice|correct|right|best)\b(?!\s+(?!because|since|as\b)\w)""",
    re.VERBOSE | re.IGNORECASE,
)
"""What an answer leads: `B is the correct answer`."""

_NEGATION = re.compile(r"\b(?:not|never|no|cannot|neither|nor|incorrect|wrong|\w+n't)\b", re.IGNORECASE)
_DENIAL = re.compile(r"\s{0,3}[*_]{0,3}(?:not|never|neither)\b", re.IGNORECASE)
_CLAUSE_START = re.compile(r"[.;,!?\n]|\b(?:but|however|so|therefore|thus|hence|although)\b", re.IGNORECASE)

_LEADING = re.compile(
    r"""[\s>\#]*(?:option\s+|choice\s+)?(?:
          [*_`]*\(([A-Za-z])\)[*_`:.]*          # (B)   **(B)**
        | \*\*([A-Za-z])\*\*[:.]?               # **B**
        | [*_`]*([A-Za-z])[.):](?=[\s*_`]|$)    # B.    B)   B:   **B. …**
        | ([A-Za-z])(?=\s*\n)                   # B on a line of its own
        | ([A-Za-z])(?=[\s,–—-]+\S) )           # B …, which counts before its own option's text only
     """,
    re.VERBOSE,
)
_LABEL = re.compile(r"^[\s*_(>-]*([A-Za-z])[.):]", re.MULTILINE)

_SEVERAL = len(LETTERS)
"""Stands for a letter that no question has: what several letters at once come to."""


def strip_reasoning(reply: str) -> str:
    """The reply without its reasoning: closed blocks, what stands before a lone closing tag, what an open one holds."""
    kept: list[str] = []
    start: int | None = 0
    for tag in _REASONING_TAG.finditer(reply):
        if tag["closing"] or tag["ends"]:
            kept = [] if start is not None else kept
            start = tag.end()
        elif start is not None:
            kept.append(reply[start : tag.start()])
            start = None
    if start is not None:
        kept.append(reply[start:])
    return " ".join(kept)


# --- our parser -------------------------------------------------------------------------------------------------


def parse_answer(reply: str | None, options: Sequence[str]) -> ParsedAnswer:
    """The option that the reply names, with `options` as they were shown (A, B, …).

    The rules, in order; the first that finds a letter decides, also when it is no letter of this question:

    1. `tag`: the last `<answer>…</answer>` or `\\boxed{…}`, its content read by the rules below.
    2. `phrase`: the last answer-anchored phrase that is not negated: "the answer is B", "B is correct".
    3. `letter`: a whole reply that is one letter, in any case.
    4. `leading`: `X.` `X)` `X:` `(X)` `**X**` at the beginning, or a letter before the line's end or its own text.
    5. `text`: the whole reply, or its last line, is the text of one option.
    """
    if reply is None or not options:
        return NOTHING
    text, is_tagged = find_answer_text(reply)
    parsed = _parse_untagged(text, options)
    return ParsedAnswer(parsed.index, "tag") if is_tagged else parsed


def parse_true_false(reply: str | None, options: Sequence[str]) -> ParsedAnswer:
    """The option that the reply names where options are shown without letters: its text alone, in a tag, or leading."""
    if reply is None:
        return NOTHING
    text, is_tagged = find_answer_text(reply)
    for candidate in (*reversed(find_clauses_after_leads(text)), text):
        number = _read_truth(first_clause(candidate), options)
        first_word = re.match(rf"{_OPEN}\s*(\w+)(?:{_CLOSE}\s*(?:/|\bor\b|\band\b)\s*{_OPEN}(\w+))?", candidate.strip())
        if number is None and first_word:
            number = _read_truth(first_word[1], options)
            if first_word[2] and _read_truth(first_word[2], options) not in (None, number):
                return NOTHING  # both are offered
        if number is not None:
            return ParsedAnswer(number, "tag" if is_tagged else "text")
    return NOTHING


_TRUTHS = ({"t", "true"}, {"f", "false"})


def _read_truth(text: str, options: Sequence[str]) -> int | None:
    """The option that this is the text of; where the options are true and false, long or short, either form of it."""
    number = _read_option_text(text, options)
    if number is not None:
        return number
    named = [next((truth for truth in _TRUTHS if _fold(option) in truth), set()) for option in options]
    found = [at for at, forms in enumerate(named) if _fold(text) in forms]
    return found[0] if len(found) == 1 else None


# --- reading a part of a reply ----------------------------------------------------------------------------------


def find_answer_text(reply: str) -> tuple[str, bool]:
    """What of the reply is to be read, its reasoning left out; and whether it stood in a tag or a box."""
    text = strip_reasoning(reply).translate(_HALF_WIDTH).strip()
    explicit = [(match.start(), match[2]) for match in _TAG.finditer(text)]
    explicit += [(match.start(), match[1]) for match in _BOX.finditer(text)]
    if not explicit:
        return text, False
    return _LATEX.sub(lambda match: match[1] or "", max(explicit)[1]).strip(" \t\n:"), True


def find_clauses_after_leads(text: str) -> list[str]:
    """What follows each phrase that leads up to an answer and is not negated."""
    return [text[lead.end() :] for lead in _LEAD.finditer(text) if not _is_negated(text, lead.start(), lead.end())]


def _parse_untagged(text: str, options: Sequence[str]) -> ParsedAnswer:
    readers: tuple[tuple[Rule, Callable[[str, Sequence[str]], int | None]], ...] = (
        ("phrase", _read_last_phrase),
        ("letter", _read_lone_letter),
        ("leading", _read_leading_letter),
        ("text", _read_option_text),
    )
    for rule, read in readers:
        number = read(text, options)
        if number is not None:
            return ParsedAnswer(number if number < len(options) else None, rule)
    return NOTHING


def _read_last_phrase(text: str, options: Sequence[str]) -> int | None:
    return max(_find_phrases(text, options), default=(0, None))[1]


def _find_phrases(text: str, options: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where each answer-anchored phrase that is not negated has its letter, and the letter's number."""
    reach = 200 + max(map(len, options))
    for lead in _LEAD.finditer(text):
        adverb = _ADVERB.match(text, lead.end(), lead.end() + 200)
        at = adverb.end() if adverb else lead.end()
        rest = text[at : at + reach]
        number = _read_option_text(first_clause(rest), options)
        if number is None:
            number = _read_token(rest, options)
        if number is not None and not _is_negated(text, lead.start(), at):
            yield at, number
    for follow in _FOLLOW.finditer(text):
        could_be_a_word = follow[3].islower() and not follow[1] and "(" not in follow[2]
        if not could_be_a_word and not _is_negated(text, follow.start(), follow.end()):
            yield follow.start(3), LETTERS.index(follow[3].upper())


def _read_token(text: str, options: Sequence[str]) -> int | None:
    """The number of the letter that the text begins with, where it stands for an option; `_SEVERAL` for `B or C`.

    A capital other than A and I stands for an option. A, I and small letters could be words: they need an end after
    them, or their own option's text, or the word "option" before them.
    """
    token = _TOKEN.match(text)
    if token is None or text[token.end(3) :].startswith("-"):
        return None
    number, after = LETTERS.index(token[3].upper()), text[token.end() :]
    if token[3].islower() or token[3] in "AI":
        is_set_off = token[2] or ")" in token[4] or _END.match(after)
        if not is_set_off and not _begins_with_option(after, number, options):
            return None
    return _SEVERAL if _offers_another(after, number, options) else number


def _offers_another(after: str, number: int, options: Sequence[str]) -> bool:
    """Whether a second option is offered beside the first: `B or C`, `A, B`, `(A)/(B)`."""
    joint = re.match(r"\s*(?:[,/&+]|and/or\b|and\b|or\b|或)\s*(?:(?:and|or)\s+)?", after, re.IGNORECASE)
    token = _TOKEN.match(after, joint.end()) if joint else None
    if token is None or (token[3].islower() and "(" not in token[1]):
        return False
    other, rest = LETTERS.index(token[3].upper()), after[token.end() :]
    ends = ")" in token[4] or _END.match(rest) or re.match(r"\s*(?:[,/]|and\b|or\b)", rest)
    return other != number and other < len(options) and bool(ends)


def _is_negated(text: str, start: int, end: int) -> bool:
    """Whether a negation stands between the beginning of the clause that holds `start` and `end`."""
    window = max(0, start - 80)
    clause = max((match.end() for match in _CLAUSE_START.finditer(text, window, start)), default=window)
    return _NEGATION.search(text, clause, end) is not None or _DENIAL.match(text, end) is not None


def _read_lone_letter(text: str, options: Sequence[str]) -> int | None:
    if len(text) > 40:
        return None
    match = re.fullmatch(r"(?:(?:option|choice|answer)\b)?[\s:]*[^\w\s]*\s*([A-Za-z])\s*[^\w\s]*", text, re.IGNORECASE)
    return LETTERS.index(match[1].upper()) if match else None


def _read_leading_letter(text: str, options: Sequence[str]) -> int | None:
    match = _LEADING.match(text)
    if match is None:
        return None
    letter = next(group for group in match.groups() if group)
    number, after = LETTERS.index(letter.upper()), text[match.end() :]
    followed_by_own_text = _begins_with_option(after, number, options)
    if match[5] and not followed_by_own_text:
        return None
    if letter in "AI" and (match[1] or match[2]) and re.match(r"\s+[a-z]", after) and not followed_by_own_text:
        return None  # **A** man, **I** think
    labels = {label[1].upper() for label in _LABEL.finditer(text)} | {letter.upper()}
    if sum(LETTERS.index(label) < len(options) for label in labels) > 1:
        return _SEVERAL  # the options said over again
    return _SEVERAL if _offers_another(after, number, options) else number


def _read_option_text(text: str, options: Sequence[str]) -> int | None:
    """The number of the one option whose text this is, or its last line is: to the character, else case aside."""
    last_line = text.rstrip().rpartition("\n")[2]
    for candidate in (text, last_line):
        for form in (str.strip, _fold):
            wanted = form(candidate)
            found = [number for number, option in enumerate(options) if wanted and form(option) == wanted]
            if found and len({options[number] for number in found}) == 1:
                return found[0]
    return None


def _begins_with_option(text: str, number: int, options: Sequence[str]) -> bool:
    return number < len(options) and bool(_fold(options[number])) and _fold(text).startswith(_fold(options[number]))


def first_clause(text: str) -> str:
    """The text up to the end of its first line or sentence."""
    return re.split(r"\n|(?<=\w)[.;!?](?=\s|$)", text.lstrip(), maxsplit=1)[0]


def _fold(text: str) -> str:
    return " ".join(text.split()).strip(" .,;:!?*_`\"'“”()[]–—-").casefold()


# --- the references' parsers ------------------------------------------------------------------------------------

PAPER_LETTERS = "abcdefghij"


def parse_like_paper(reply: str | None, options: Sequence[str], question_id: str) -> ParsedAnswer:
    """What the reference implementation takes a reply to name; where it draws by lot, the lot is the question's digest.

    It looks for `<answer>: x`, then for ` x `, `(x)` or `x.` with x from a to j, and takes the alphabetically first:
    an article "a" is an answer, and so is the end of "banana.". Without a hit it draws one of ten letters, also for a
    question with two options (inference.py of github.com/dma2077/IV-Bench at 43a55199).
    """
    if reply is not None:
        text = reply.strip(" ,.!?;:'").lower()
        if match := re.search(r"<answer>: (\w)", text):
            letter = match[1]
            known = letter in LETTERS.lower() and LETTERS.lower().index(letter) < len(options)
            return ParsedAnswer(LETTERS.lower().index(letter) if known else None, "tag")
        padded = f" {text} "
        for number, letter in enumerate(PAPER_LETTERS):
            if f"({letter})" in padded or f" {letter} " in padded or f"{letter}." in padded:
                return ParsedAnswer(number if number < len(options) else None, "first_hit")
    drawn = int.from_bytes(hashlib.sha256(f"{question_id}\0paper".encode()).digest()) % len(PAPER_LETTERS)
    return ParsedAnswer(drawn if drawn < len(options) else None, "drawn")


def parse_first_capital(reply: str | None, options: Sequence[str], question_id: str) -> ParsedAnswer:
    """What VideoEspresso's reference takes a reply to name: the first capital from A to D, wherever it stands.

    So "Answer: C" names A, and a letter after D is never named (eval/score.py of github.com/hshjerry/VideoEspresso at
    c865570f).
    """
    found = re.search("[A-D]", reply or "")
    if found is None:
        return NOTHING
    number = LETTERS.index(found[0])
    return ParsedAnswer(number if number < len(options) else None, "first_hit")


_BRACKETED = re.compile(r"\([A-Z]\)")


def parse_before_bracket(reply: str | None, options: Sequence[str], question_id: str) -> ParsedAnswer:
    """What VLM2-Bench's grouping evaluator takes a reply to name: the letter before the first closing bracket.

    More than one letter in brackets is no answer; an opening bracket before the letter is passed over, which the
    evaluator does only where the released answer has one, too (code/oc/eval/eval_grp of
    github.com/vlm2-bench/VLM2-Bench at 7624b777).
    """
    if reply is None or len(_BRACKETED.findall(reply)) > 1:
        return NOTHING
    letter = reply.partition(")")[0].strip().removeprefix("(")
    if len(letter) == 1 and letter in LETTERS[: len(options)]:
        return ParsedAnswer(LETTERS.index(letter), "leading")
    return NOTHING


PARSERS: dict[str, Callable[[str | None, Sequence[str], str], ParsedAnswer]] = {
    "default": lambda reply, options, question_id: parse_answer(reply, options),
    "default_evidence": lambda reply, options, question_id: parse_answer(reply, options),
    "paper": parse_like_paper,
    "videoespresso": parse_first_capital,
    "videoespresso_evidence": parse_first_capital,
    "vlm2bench": parse_before_bracket,
}
"""Every parser, by the name of the prompt profile that it belongs to."""
