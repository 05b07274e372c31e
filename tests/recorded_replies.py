"""Replies as models give them, one a question, to be scored by us and by others."""

from __future__ import annotations

from collections.abc import Iterable

from ivbench_data.evaluate.answers import LETTERS
from ivbench_data.schema import Question

FORMS = (
    "{right}", "{wrong}", "({right})", "{right}.", "The answer is {right}.", "The answer is {wrong}.", " {right} \n",
    "<think>It could be {wrong}.</think>{right}", "**{right}**", "{right_text}", "{wrong_text}", "",
    "I cannot tell from the video.", "Answer: {right}\n\nBecause it says so.", "{lower}\n", "\\boxed{{{right}}}",
    "A man is seen, so {right} is correct.", "<answer>{wrong}</answer>", "{{{{ 7 * 7 }}}} {right}", "答案是 {right}",
    "Not {right}, but {wrong}.", "{right} or {wrong}", "Option {right}: {right_text}", "\n\n{right}",
    "</think>\n{right}", "{wrong}) {wrong_text}", "It is (b).", "z", "none of them", "{right}\t",
)  # fmt: skip
"""Thirty of them: right, wrong, hidden in reasoning, empty, and such as another parser takes for something else."""


def record_replies(questions: Iterable[Question]) -> dict[str, str]:
    """A reply for each question, its form by turns."""
    replies = {}
    for number, question in enumerate(questions):
        right = question.answer_index or 0
        wrong = (right + 1) % len(question.options)
        replies[question.question_id] = FORMS[number % len(FORMS)].format(
            right=LETTERS[right],
            wrong=LETTERS[wrong],
            lower=LETTERS[right].lower(),
            right_text=question.options[right],
            wrong_text=question.options[wrong],
        )
    return replies
