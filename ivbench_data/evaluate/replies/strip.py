"""Take away from a reply what is not the answer: reasoning, special tokens, markup. Every step keeps the map back."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Stripped(NamedTuple):
    """Text that is left of a reply, and where in it its pieces stood."""

    text: str
    source: Stripped | None = None
    """The text that it is made of; None for the reply itself."""
    starts: Sequence[int] = ()
    """Where each of its pieces starts."""
    origins: Sequence[int] = ()
    """Where each piece starts in the source."""

    def cut(self, start: int, end: int) -> Stripped:
        """The part from `start` to `end`."""
        return Stripped(self.text[start:end], self, (0,), (start,))

    def replace(self, edits: Iterable[tuple[int, int, str]]) -> Stripped:
        """The text with each (start, end, replacement) applied; they are in order and do not overlap."""
        parts: list[str] = []
        starts: list[int] = []
        origins: list[int] = []
        at = length = 0
        for start, end, new in edits:
            parts += (self.text[at:start], new)
            starts += (length, length + start - at)
            origins += (at, start)
            length += start - at + len(new)
            at = end
        if not parts:
            return self
        parts.append(self.text[at:])
        return Stripped("".join(parts), self, [*starts, length], [*origins, at])

    def sub(self, pattern: re.Pattern[str], new: str) -> Stripped:
        """The text with every match replaced."""
        return self.replace((*match.span(), new) for match in pattern.finditer(self.text))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the reply that the part from `start` to `end` comes from."""
        first = self._find_origin(start)
        return first, self._find_origin(end - 1) + 1 if end > start else first

    def _find_origin(self, at: int) -> int:
        text = self
        while text.source is not None:
            piece = bisect_right(text.starts, at) - 1
            at += text.origins[piece] - text.starts[piece]
            text = text.source
        return at


# --- characters -------------------------------------------------------------------------------------------------

_LETTER_FORMS = {
    chr(code): folded
    for start, stop in ((0xFF01, 0xFF5F), (0x24B6, 0x24EA), (0x1D400, 0x1D7FF), (0x1F110, 0x1F12A))
    for code in range(start, stop)
    if len(folded := unicodedata.normalize("NFKC", chr(code)).strip("()")) == 1 and folded.isalnum()
}
_PLAIN = str.maketrans(
    _LETTER_FORMS
    | {chr(0x1F170 + at): chr(65 + at) for at in range(26)}
    | {chr(start + at): chr(49 + at) for start in (0x2460, 0x2776, 0x2780, 0x278A) for at in range(9)}
    | dict.fromkeys("\ufeff\u200b\u200c\u200e\u200f\u2060\xad\ufe0f\xa0\u3000\u202f\u2009", " ")
    | {"．": ".", "｜": "|"}
    | {"’": "'", "‘": "'", "“": '"', "”": '"', "\u2028": "\n", "\r": "\n", "−": "-", "‑": "-", "‐": "-"}
)  # fmt: skip


_LATIN = dict(zip("АВСЕНАΒΕΗΙ", "ABCEHABEHI", strict=True)) | {"Α": "A"}
_LOOKALIKE = re.compile(r"(?<!\w)[АВСЕНΑΒΕΗΙ](?=[\s.,;:!?)»\"'*]*(?:$|\n))")
"""A Cyrillic or Greek capital alone at the end of a line, written for the Latin one that it looks like."""


def make_plain(reply: str) -> Stripped:
    """The reply with full-width, circled and bold letters, quotes and spaces in their plain forms, one for one."""
    text = reply if reply.isascii() and "\r" not in reply else reply.translate(_PLAIN)
    if not text.isascii():
        text = _LOOKALIKE.sub(lambda found: _LATIN[found[0]], text)
    return Stripped(text)


# --- reasoning --------------------------------------------------------------------------------------------------

_NAMES = (
    "think|thinking|thoughts?|reasoning|reason|reflection|analysis|scratchpad|rationale|caption|summary|monologue"
    "|inner_monologue|explanation|deliberation|observations?|planning|cot|thought_process|thinking_process"
)
_REASONING = re.compile(
    rf"""(?:<\|?(?P<close>/|end_(?:of_)?)?(?:begin_(?:of_)?|start_(?:of_)?)?(?:[a-z_]+:)?(?:{_NAMES})(?:_content|_text)?(?:\s[^<>]{{0,80}})?\|?>)
       | <\|im_start\|>(?:think|reasoning|analysis)\b | (?P<close6><\|im_start\|>(?:answer|final)\b)
       | ◁(?P<close2>/)?think▷ | \[(?P<close3>/)?think(?:ing)?\]
       | <\|channel>\w* | (?P<close4><channel\|>) | <unused94>(?:thought)? | (?P<close5><unused95>)""",
    re.IGNORECASE | re.VERBOSE,
)
_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\s*(?:<\|constrain\|>\w*\s*)?<\|message\|>(.*?)(?=<\||$)", re.DOTALL)
_ANY_CHANNEL = re.compile(r"<\|channel\|>\s*(?:analysis|commentary)[^<]{0,80}<\|message\|>", re.IGNORECASE)
_LOST_CHANNELS = re.compile(r"\s*analysis(?=[A-Z]).{0,200000}?assistantfinal", re.DOTALL)
_RESPONSE_LINE = re.compile(r"^\W*here(?:'s| is) my response:?\W*", re.IGNORECASE | re.MULTILINE)
_CLOSED_ANSWER = re.compile(r"<(answer|final_answer)>[^<>]{1,400}</\1>", re.IGNORECASE)


def strip_reasoning(reply: Stripped) -> Stripped:
    """The reply without its reasoning: closed blocks, what stands before a lone closing tag, what an open one holds.

    An open block that ends in a closed answer tag is left at that tag: its closing tag was forgotten.
    """
    text = reply.text
    if not any(map(text.__contains__, "<[◁")):
        return _strip_worded_reasoning(reply)
    if "<|channel|>" in text:
        finals = list(_FINAL_CHANNEL.finditer(text))
        if finals:
            reply = reply.cut(*finals[-1].span(1))
        elif opened := _ANY_CHANNEL.search(text):
            reply = reply.cut(0, opened.start())
        text = reply.text
    cuts: list[tuple[int, int, str]] = []
    start = 0
    is_open = False
    for tag in _REASONING.finditer(text):
        if tag.lastgroup is not None:
            if not is_open:
                cuts, start = [], 0
            cuts.append((start, tag.end(), " "))
            start, is_open = tag.end(), False
        elif not is_open:
            start, is_open = tag.start(), True
    if is_open:
        answers = list(_CLOSED_ANSWER.finditer(text, start))
        cuts.append((start, answers[-1].start() if answers else len(text), " "))
    return _strip_worded_reasoning(reply.replace(cuts))


def _strip_worded_reasoning(reply: Stripped) -> Stripped:
    text = reply.text
    if "assistantfinal" in text and (lost := _LOST_CHANNELS.match(text)):
        return reply.cut(lost.end(), len(text))
    if "my response" in text and (line := _RESPONSE_LINE.search(text)):
        return reply.cut(line.end(), len(text))
    return reply


# --- special tokens ---------------------------------------------------------------------------------------------

_TURN_END = re.compile(
    r"<\|(?:im_end|eot_id|end|endoftext|end_of_text|eom_id|return|end_of_turn|end_of_turn_token|eot|end▁of▁sentence)\|>"
    r"|</s>|<eos>|<end_of_turn>|<end_of_utterance>|<eot>|<end>|<EOT>|<\|END_OF_TURN_TOKEN\|>|<turn\|>",
    re.IGNORECASE,
)
_ROLE = re.compile(r"<\|start_header_id\|>\w+<\|end_header_id\|>|<\|(?:im_start|start)\|>\w*|<start_of_turn>\w*")
_SPECIAL = re.compile(
    r"<\|[^<>|\n]{1,60}\|>|<\|[\w:]{1,40}>|<[\w:]{1,40}\|>|</?s>|<(?:eos|bos|pad|unk|end|eot)>|<end_of_(?:turn|utterance)>"
    r"|\[/?INST\]|<0x[0-9A-Fa-f]{2}>",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]")


def strip_special_tokens(reply: Stripped) -> Stripped:
    """The reply up to the token that ends the model's turn, without special tokens."""
    if "<" not in reply.text and "[" not in reply.text:
        return reply
    reply = reply.sub(_ROLE, " ")
    at = 0
    for end in _TURN_END.finditer(reply.text):
        if _WORD.search(_SPECIAL.sub("", reply.text[at : end.start()])):
            reply = reply.cut(0, end.start())
            break
        at = end.end()
    return reply.sub(_SPECIAL, " ")


# --- markup -----------------------------------------------------------------------------------------------------

_MARKUP = ("*", "`", "~~", "$", "\\", "<", "&", "\t", "#", "{", "}", "__", "  ", "\n ", " \n", ">", "•", "·", "+", "- ")
_ENTITY = re.compile(r"&(?:#\d{1,6}|#x[0-9a-f]{1,5}|[a-z]{2,8});", re.IGNORECASE)
_LETTER_TAG = re.compile(r"<([A-Z])>")
_CLOSED_TAG = re.compile(r"</([A-Z])>")
_LINE_BREAK = re.compile(r"<br\s*/?>|</?(?:p|div|li|ul|ol|tr|h[1-6])\b[^<>]{0,80}>|\\n|\\\\", re.IGNORECASE)
_INLINE_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|span|code|mark|small|font|sub|sup)(?:\s[^<>\n]{0,120})?>", re.IGNORECASE
)
_HTML_TAG = re.compile(r"</?[A-Za-z!][^<>\n]{0,120}>")
_LATEX = re.compile(
    r"\\(?:text|mathrm|mathbf|textbf|textit|textrm|texttt|mathit|mathsf|rm|bf|boxed|fbox|displaystyle|underline|emph"
    r"|bold|boldsymbol|bm|left|right|quad|qquad|Large|large|Huge|huge|textsf|mathbb|mathcal)(?![A-Za-z])\s*"
    r"|\\[()\[\],;:! ]|\$+"
)
_STRUCK = re.compile(r"~~[^~\n]{1,300}~~")
_EMPHASIS = re.compile(r"\*\**|`(?:``[a-z]{0,10}\n|`*)|~~|__|\{|\}")
_LINE_MARKS = re.compile(r"^[ ]*(?:(?:#+|>+|[•·+]|-(?=\s))[ ]*)+", re.MULTILINE)
_SPACES = re.compile(r"\s(?:\s+|(?<![ \n])|(?![\s\S])|(?<![\s\S].))", re.DOTALL)
"""A run of spaces, an unusual one, or one at either end."""


def strip_markup(part: Stripped) -> Stripped:
    """The part without HTML, LaTeX and Markdown, its runs of spaces collapsed."""
    text = part.text
    if not any(map(text.__contains__, _MARKUP)) and text[:1].strip() and text[-1:].strip():
        return part
    if "&" in part.text:
        part = part.replace(
            (found.start(), found.end(), html.unescape(found[0])[:1] or " ") for found in _ENTITY.finditer(part.text)
        )
    if "<" in part.text or "\\" in part.text:
        closed = frozenset(_CLOSED_TAG.findall(part.text))
        part = part.replace(
            (at, at + 1, " ")
            for found in _LETTER_TAG.finditer(part.text)
            if found[1] not in closed
            for at in (found.start(), found.end() - 1)
        )
        part = part.sub(_LINE_BREAK, "\n").sub(_INLINE_TAG, "").sub(_HTML_TAG, " ")
    if "\\" in part.text or "$" in part.text:
        part = part.sub(_LATEX, "")
    if "~~" in part.text:
        part = part.sub(_STRUCK, "")
    part = part.sub(_EMPHASIS, "").sub(_LINE_MARKS, "")
    length = len(part.text)
    return part.replace(
        (*found.span(), _join_spaces(found[0], found.start() == 0 or found.end() == length))
        for found in _SPACES.finditer(part.text)
    )


def _join_spaces(spaces: str, is_at_edge: bool) -> str:
    if "\n" in spaces and not is_at_edge:
        return "\n" * spaces.count("\n")
    return "" if is_at_edge else "\t" if "\t" in spaces else " "


def lower(text: str) -> str:
    """The text in lower case, character for character."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(folded if len(folded := character.lower()) == 1 else character for character in text)
    return lowered
