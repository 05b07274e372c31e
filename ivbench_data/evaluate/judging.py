"""What a reply is worth: the option it names, in stored order, and whether that is right.

The one way from a reply to a verdict, for our own evaluation, for submissions, and for the harnesses that we export to.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.answers import PARSERS, Rule, parse_true_false
from ivbench_data.evaluate.prompts import PROFILES, rotate, shows_letters
from ivbench_data.schema import Question


@dataclass(frozen=True)
class Judgement:
    """What a reply names, and whether that is right."""

    answer_index: int | None
    """Position among the question's options, in stored order; None when the reply names none of them."""
    rule: Rule
    """The rule that found it."""
    correct: bool
    """Whether that option is right; False with a hidden answer."""


def judge_reply(question: Question, reply: str | None, profile: str = "default", rotation: int = 0) -> Judgement:
    """What the reply to a question is worth, asked in the words of a profile with its options rotated to the left.

    Raises:
        UsageError: there is no such profile.
    """
    if profile not in PROFILES:
        raise UsageError(f"there is no profile named {profile!r}; there are: {', '.join(PROFILES)}")
    if not question.options:
        return Judgement(None, "none", False)
    shown = rotate(question.options, rotation)
    if shows_letters(question, PROFILES[profile]):
        parsed = PARSERS[profile](reply, shown, question.question_id)
    else:
        parsed = parse_true_false(reply, shown)
    return judge_choice(question, parsed.index, parsed.rule, rotation)


def judge_choice(question: Question, shown_index: int | None, rule: Rule, rotation: int = 0) -> Judgement:
    """What choosing the option that was shown at a position is worth."""
    index = None if shown_index is None else (shown_index + rotation) % len(question.options)
    return Judgement(index, rule, index in question.correct_indices)
