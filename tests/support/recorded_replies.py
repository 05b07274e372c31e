"""Replies as models give them, one a question, and as they come to harm in tables and parsers.

The same replies must come to the same score wherever they are judged: by our evaluator, and in every harness through
our exports. `RECORDED_REPLIES` are thirty, to the demo's first thirty questions; `record_replies` has one for any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ivbench_data.dataset import Dataset
from ivbench_data.evaluate.prompts.requests import Reply, Request
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import Question

LONG_REASONING = f"<think>{'The boat could be it, or B, or none of them. ' * 800}</think>The answer is C."
"""Longer than a spreadsheet's cell (32,767 characters): what cuts it off loses the answer."""

RECORDED_REPLIES: dict[str, tuple[str, str]] = {
    # letters
    "meadow_0": ("G", "G"),
    "meadow_1": ("e", "E"),
    "meadow_2": (" (B) \n", "B"),
    "meadow_3": ("**C.** below the hoop to the left", "C"),
    "meadow_4": ("Ｄ。", "D"),  # full width
    "meadow_5": ("\\boxed{\\text{H}}", "H"),
    # texts of options, and what tables take for numbers, times, formulas and nothing
    "meadow_6": ("moves to the right", "G"),
    "meadow_7": ("2", "B"),
    "meadow_8": ("=C", "C"),
    "-harbour_4": ("00:16", "F"),
    "-harbour_7": ("8.0", ""),
    "quarry_3": ("'C'", "C"),
    "meadow_10": ("NaN", ""),
    "meadow_11": ("None", ""),
    "meadow_12": ("NULL", ""),
    # sentences
    "meadow_9": (LONG_REASONING, "C"),
    "-harbour_0": ("I would say that a red one is to be seen, so the answer is E.", "E"),
    "-harbour_1": ("A car is never shown, hence: Answer: J", "J"),
    "-harbour_2": ("The correct answer is not A. The correct answer is C.", "C"),
    "-harbour_3": ("答案是（E）。", "E"),
    "-harbour_6": ("Die richtige Antwort lautet F", "F"),
    # reasoning, closed and left open
    "-harbour_8": ("<think>Is the answer is A? No.</think>\n\n<answer>C</answer>", "C"),
    "-harbour_9": ("<think>The answer is G, since the tree", ""),
    # several, refusals, nothing
    "-harbour_5": ("H or I", ""),
    "-harbour_10": ("A, B, C, D, E, F, G, H, I, J", ""),
    "-harbour_11": ("I'm sorry, but I cannot watch videos.", ""),
    "-harbour_12": ("", ""),
    "quarry_0": (" \t\r\n ", ""),
    # what has to be escaped somewhere
    "quarry_1": ('(A)\t"\\t"\r\n<b>&amp;</b> https://example.org/?q=\u2028💡', "A"),
    "quarry_2": ("https://example.org/D", ""),
}
"""By question: the reply, and the letter that a careful reader takes it to name, "" where it names none."""

WRITTEN = Path(__file__).parent.parent / "evaluate" / "replies_as_written.jsonl"


def make_bank() -> tuple[Dataset, dict[str, str]]:
    """A dataset that needs no media, with a question for each reply of the bank, and the replies by question."""
    options, *rows = (json.loads(line) for line in WRITTEN.read_text("utf-8").splitlines())
    questions, replies = [], {}
    for number, (style, reply, name, letter) in enumerate(rows):
        at = LETTERS.index(letter) if letter is not None else 0
        texts = tuple(options[name])
        questions.append(
            Question(
                question_id=f"bank_{number}",
                question=f"Which is it, number {number}?",
                options=texts,
                answer=texts[at],
                answer_index=at,
                task=style,
                source="test",
            )
        )
        replies[f"bank_{number}"] = reply
    return Dataset("bank", questions=tuple(questions)), replies


FORMS = (
    "{right}", "{wrong}", "({right})", "{right}.", "The answer is {right}.", "The answer is {wrong}.", " {right} \n",
    "<think>It could be {wrong}.</think>{right}", "**{right}**", "{right_text}", "{wrong_text}", "",
    "I cannot tell from the video.", "Answer: {right}\n\nBecause it says so.", "{lower}\n", "\\boxed{{{right}}}",
    "A man is seen, so {right} is correct.", "<answer>{wrong}</answer>", "{{{{ 7 * 7 }}}} {right}", "答案是 {right}",
    "Not {right}, but {wrong}.", "{right} or {wrong}", "Option {right}: {right_text}", "\n\n{right}",
    "</think>\n{right}", "{wrong}) {wrong_text}", "It is (b).", "z", "none of them", "{right}\t",
)  # fmt: skip
"""Thirty more, for any question: right, wrong, hidden in reasoning, empty, and such as another parser mistakes."""


def record_replies(questions: Iterable[Question]) -> dict[str, str]:
    """A reply for each question: what is recorded for it, else one of the forms, by turns."""
    replies: dict[str, str] = {}
    for number, question in enumerate(questions):
        if question.question_id in RECORDED_REPLIES:
            replies[question.question_id] = RECORDED_REPLIES[question.question_id][0]
            continue
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


def reply_as_recorded(requests: Sequence[Request]) -> Iterator[Reply]:
    """A model over requests that says what is recorded."""
    for request in requests:
        yield Reply(request.key, text=RECORDED_REPLIES[request.question_id][0])


def is_recorded_as_right(question: Question) -> bool:
    """Whether the letter that the reply names is that of the answer."""
    letter = RECORDED_REPLIES[question.question_id][1]
    return letter != "" and LETTERS.index(letter) in question.correct_indices


def find_recorded_reply(prompt: str, questions: Sequence[Question]) -> str:
    """The reply to a prompt in our words, for harnesses that tell their models nothing but the prompt.

    The demo asks the same of every video, so the options' order tells which question it is.
    """
    shown = re.findall(r"^[A-Z]\. (.*)$", prompt, re.MULTILINE)
    (question,) = [
        question
        for question in questions
        if question.question_id in RECORDED_REPLIES and question.question in prompt and list(question.options) == shown
    ]
    return RECORDED_REPLIES[question.question_id][0]
