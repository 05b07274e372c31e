"""What a reply is worth: the option or the number it names, and what that earns by the metric of its task.

The one way from a reply to a verdict, for our own evaluation, for submissions, and for the harnesses that we export to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ivbench_data.evaluate.metrics import find_metric
from ivbench_data.evaluate.metrics.accuracy import NUMBER
from ivbench_data.evaluate.metrics.units import Answer
from ivbench_data.evaluate.prompts.compose import PROFILES, resolve_profile, rotate, shows_letters
from ivbench_data.evaluate.replies.parse import PARSERS, Rule, parse_true_false
from ivbench_data.evaluate.replies.parse_numbers import parse_number
from ivbench_data.schema import Question


@dataclass(frozen=True)
class ReplyScore:
    """What a reply names, and whether that is right."""

    answer_index: int | None
    """Position among the question's options, in stored order; None when the reply names none of them."""
    rule: Rule
    """The rule that found it."""
    correct: bool
    """Whether that earns everything: a right option, the right number; False with a hidden answer."""
    value: float | None = None
    """The number that the reply names; None when it names none, or several, or the question asks for none."""
    points: float | None = field(default=None, compare=False)
    """What it earns by the task's metric, 0 to 1; None with a hidden answer, or where a judge must be asked.

    Where questions count in pairs, these are the points of this one alone. A number whose task names no metric earns
    all or nothing here, and stays out of scorecards.
    """


def score_reply(question: Question, reply: str | None, profile: str = "default", rotation: int = 0) -> ReplyScore:
    """What the reply to a question is worth, asked in the words of a profile with its options rotated to the left.

    Raises:
        UsageError: there is no such profile.
    """
    name = resolve_profile(profile, question.source)
    if question.question_type == "numeric":
        parsed_number = parse_number(reply)
        return _judge(question, Answer(value=parsed_number.value), parsed_number.rule)
    if not question.options:
        return _judge(question, Answer(), "none")
    shown = rotate(question.options, rotation)
    if shows_letters(question, PROFILES[name]):
        parsed = PARSERS[name](reply, shown, question.question_id)
    else:
        parsed = parse_true_false(reply, shown)
    return score_choice(question, parsed.index, parsed.rule, rotation)


def score_choice(question: Question, shown_index: int | None, rule: Rule, rotation: int = 0) -> ReplyScore:
    """What choosing the option that was shown at a position is worth."""
    index = None if shown_index is None else (shown_index + rotation) % len(question.options)
    return _judge(question, Answer(index), rule)


def _judge(question: Question, answer: Answer, rule: Rule) -> ReplyScore:
    metric = find_metric(question)
    if question.question_type == "numeric" and not metric.can_score(question):
        metric = NUMBER
    points = None if question.answers_hidden or not metric.can_score(question) else metric.earn(question, answer)
    return ReplyScore(answer.index, rule, points == 1.0, answer.value, points)
