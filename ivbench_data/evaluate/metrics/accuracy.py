"""Right or wrong: over options, which is how every question is scored whose task names no metric; and over numbers."""

from __future__ import annotations

import math

from ivbench_data.evaluate.metrics.units import Answer, Metric, count_each_question
from ivbench_data.schema import Question


def read_number(question: Question) -> float | None:
    """The right number; None where the answer is none."""
    try:
        number = float(question.answer or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def has_options(question: Question) -> bool:
    """Whether an option can be right."""
    return bool(question.options)


def earn_for_option(question: Question, answer: Answer) -> float:
    """1 for a right option, else 0."""
    return float(answer.index in question.correct_indices)


def guess_option(question: Question) -> float:
    """The share of right options."""
    return len(question.correct_indices) / len(question.options)


OPTIONS = Metric(
    "questions whose reply names a right option", has_options, earn_for_option, guess_option, count_each_question
)

NUMBER = Metric(
    "questions whose reply names the right number",
    lambda question: read_number(question) is not None,
    lambda question, answer: float(answer.value is not None and answer.value == read_number(question)),
    lambda question: None,
    count_each_question,
)
