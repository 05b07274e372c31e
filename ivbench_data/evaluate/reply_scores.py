"""Score of a reply: the option or number that it names, and its points by the metric of its task.

Our own evaluation, submissions, and the harnesses that we export to all score replies here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ivbench_data.evaluate.metrics import find_metric
from ivbench_data.evaluate.metrics.accuracy import NUMBER
from ivbench_data.evaluate.metrics.units import Answer
from ivbench_data.evaluate.prompts.compose import PROFILES, resolve_profile, rotate, shows_letters
from ivbench_data.evaluate.replies.parse import PARSERS, parse_true_false
from ivbench_data.evaluate.replies.parse_numbers import parse_number
from ivbench_data.evaluate.replies.parsed import Rule
from ivbench_data.schema import Question


@dataclass(frozen=True)
class ReplyScore:
    """The parsed answer of a reply, and its score.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> score = iv.score_reply(dataset.questions[0], "The answer is B.")
        >>> score.correct
        True
    """

    answer_index: int | None
    """Position among the question's options, in stored order; None if the reply names none of them."""
    rule: Rule
    """The parser rule that found it."""
    correct: bool
    """Whether it gets all points: a right option, the right number; False with a hidden answer."""
    value: float | None = None
    """The number that the reply names; None if it names none or several, or the question asks for none."""
    points: float | None = field(default=None, compare=False)
    """Points by the task's metric, 0 to 1; None with a hidden answer, or where an LLM judge is needed.

    For questions that count in pairs, the points of this question alone. A number whose task names no metric gets 0 or
    1 here, and is not part of scorecards.
    """
    span: tuple[int, int] | None = field(default=None, compare=False)
    """Start and end of the characters of the reply that the choice of an option rests on; None where none decided."""


def score_reply(question: Question, reply: str | None, profile: str = "default", rotation: int = 0) -> ReplyScore:
    """Score of a reply to a question.

    Args:
        question: the question, with its options in stored order.
        reply: the model's text; None for no text.
        profile: profile by which the question was worded; its parser is used.
        rotation: number of places by which the shown options were rotated to the left.

    Raises:
        UsageError: there is no such profile.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> question = dataset.questions[0]
        >>> question.options
        ('left', 'right', 'up', 'down')
        >>> iv.score_reply(question, "The answer is B.").correct
        True
    """
    name = resolve_profile(profile, question.source)
    if question.question_type == "numeric":
        parsed_number = parse_number(reply)
        return _score_answer(question, Answer(value=parsed_number.value), parsed_number.rule)
    if not question.options:
        return _score_answer(question, Answer(), "none")
    shown = rotate(question.options, rotation)
    if shows_letters(question, PROFILES[name]):
        parsed = PARSERS[name](reply, shown, question.question_id)
    else:
        parsed = parse_true_false(reply, shown)
    return replace(score_choice(question, parsed.index, parsed.rule, rotation), span=parsed.span)


def score_choice(question: Question, shown_index: int | None, rule: Rule, rotation: int = 0) -> ReplyScore:
    """Score of choosing the option that was shown at a position; None for no option."""
    index = None if shown_index is None else (shown_index + rotation) % len(question.options)
    return _score_answer(question, Answer(index), rule)


def _score_answer(question: Question, answer: Answer, rule: Rule) -> ReplyScore:
    metric = find_metric(question)
    if question.question_type == "numeric" and not metric.can_score(question):
        metric = NUMBER
    points = (
        None if question.answers_hidden or not metric.can_score(question) else metric.score_answer(question, answer)
    )
    return ReplyScore(answer.index, rule, points == 1.0, answer.value, points)
