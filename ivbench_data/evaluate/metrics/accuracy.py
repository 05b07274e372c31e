"""Accuracy over options, the default metric, and over numbers."""

from __future__ import annotations

import math

from ivbench_data.evaluate.metrics.units import Answer, Metric, count_each_question
from ivbench_data.schema import Question


def read_number(question: Question) -> float | None:
    """The right number; None if the answer is not a number."""
    try:
        number = float(question.answer or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def has_options(question: Question) -> bool:
    """Whether the question has options."""
    return bool(question.options)


def score_option(question: Question, answer: Answer) -> float:
    """1 for a right option, else 0."""
    return float(answer.index in question.correct_indices)


def find_option_chance(question: Question) -> float:
    """Chance level: the share of right options."""
    return len(question.correct_indices) / len(question.options)


OPTIONS = Metric(
    "questions whose reply names a right option", has_options, score_option, find_option_chance, count_each_question
)

NUMBER = Metric(
    "questions whose reply names the right number",
    lambda question: read_number(question) is not None,
    lambda question, answer: float(answer.value is not None and answer.value == read_number(question)),
    lambda question: None,
    count_each_question,
)
