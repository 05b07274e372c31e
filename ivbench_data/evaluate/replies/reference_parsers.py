"""The parsers of the benchmarks' reference implementations, kept as they are for comparison with published figures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from ivbench_data.evaluate.replies.parsed import NOTHING, ParsedAnswer
from ivbench_data.questions.option_letters import LETTERS

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
