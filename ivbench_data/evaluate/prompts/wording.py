"""Wordings of questions: our own, and those of the benchmarks' reference implementations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ivbench_data.evaluate.prompts.patterns import Pattern
from ivbench_data.evaluate.prompts.requests import VideoPart
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import Question

Wording = Callable[[Question, Sequence[str], Pattern, VideoPart | None], str]
"""Writes the text of a question from the question, the options in shown order, the pattern, and the video."""


def word_by_default(question: Question, options: Sequence[str], pattern: Pattern, video: VideoPart | None) -> str:
    """Our wording: question, options with capital letters, and an answer instruction."""
    lines = [question.question.strip()]
    if question.question_type != "tf":
        lines += [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    instruction = _ask_for_answer(question, options)
    return "\n".join([*lines, instruction] if instruction else lines)


def _ask_for_answer(question: Question, options: Sequence[str]) -> str:
    """The answer instruction of our wording; empty for free text."""
    if question.question_type == "tf" and options:
        return f"Answer with one of: {', '.join(options)}."
    if options:
        return "Answer with the option's letter from the given choices directly."
    return {"tf": "Answer with True or False.", "numeric": "Answer with a number."}.get(question.question_type, "")


def reason_first(word: Wording) -> Wording:
    """One of our wordings, with an instruction to think step by step and to end with a line `Final answer: …`."""

    def word_step_by_step(question: Question, options: Sequence[str], pattern: Pattern, video: VideoPart | None) -> str:
        text = word(question, options, pattern, video).removesuffix(_ask_for_answer(question, options)).rstrip("\n")
        if question.question_type == "tf":
            answer = f"one of: {', '.join(options or ('True', 'False'))}"
        elif options:
            answer = "the option's letter"
        else:
            answer = "a number" if question.question_type == "numeric" else "your answer"
        return f'{text}\nThink step by step. Then end with one more line: "Final answer:", followed by {answer}.'

    return word_step_by_step


def word_like_paper(question: Question, options: Sequence[str], pattern: Pattern, video: VideoPart | None) -> str:
    """IV-Bench's reference wording: a preamble directly before the question, a full-width mark, small letters.

    The preamble is the same without the image, as in the reference. Without a video, which the reference does not
    support, there is no preamble.
    """
    preamble = ""
    if video is not None:
        frames, duration = video.shape[0], video.duration_seconds
        if pattern.visuals[0] == "image":
            preamble = (
                "We provide you with an image placed at the very beginning, followed by a video that has been divided "
                f"into {frames} evenly spaced frames across its {duration} seconds duration. Please answer the "
                "question based on the content from both the image and the extracted video frames."
            )
        else:
            preamble = (
                f"We provide you with a video that has been divided into {frames} evenly spaced frames across its "
                f"{duration} seconds duration, followed by an image. Please answer the question based on the content "
                "from both the video frames and the image."
            )
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS.lower(), options, strict=False))
    instruction = "Answer with the option's letter from the given choices directly."
    return f"{preamble}{question.question}？\n{listed}\n{instruction}"


def word_with_evidence(question: Question, options: Sequence[str], pattern: Pattern, video: VideoPart | None) -> str:
    """The default wording, with the text of the evidence between the question and its options."""
    asked, text = question.question.strip(), word_by_default(question, options, pattern, video)
    return f"{asked}\nEvidence: {find_evidence_text(question)}{text.removeprefix(asked)}"


def word_like_videoespresso(
    question: Question, options: Sequence[str], pattern: Pattern, video: VideoPart | None
) -> str:
    """VideoEspresso's wording: the task as the release labels it, the question, the options with letters in brackets.

    Spaces, line ends and the single full stop are the reference's (eval/close_ended.py of github.com/hshjerry/
    VideoEspresso at c865570f).
    """
    return _word_like_videoespresso(question, options, "")


def word_like_videoespresso_with_evidence(
    question: Question, options: Sequence[str], pattern: Pattern, video: VideoPart | None
) -> str:
    """VideoEspresso's wording with its evidence, as the reference's `--with_evidence`."""
    return _word_like_videoespresso(question, options, f" Your inference evidence is {find_evidence_text(question)}.")


def _word_like_videoespresso(question: Question, options: Sequence[str], evidence: str) -> str:
    task = question.metadata.get("task_label", question.task)
    listed = "\n" + "".join(f"({letter}) {option}\n" for letter, option in zip(LETTERS, options, strict=False))
    return (
        f"Please finish the {task} task. Question: {question.question}.{evidence} You have the following options: "
        f"{listed}. Select the answer and only give the option letters."
    )


def word_like_vlm2bench(question: Question, options: Sequence[str], pattern: Pattern, video: VideoPart | None) -> str:
    """VLM2-Bench's wording: a line end and the released question, which includes the answer instruction.

    Options are part of the released text. If they are shown in another order than stored, or the released text is
    unknown, they are written below the question (code/*/test of github.com/vlm2-bench/VLM2-Bench at 7624b777).
    """
    released = question.raw.get("question") if question.raw is not None else None
    if question.question_type != "mcq":
        return f"\n{question.question}"
    if isinstance(released, str) and _holds_in_order(released, options):
        return f"\n{released}"
    listed = "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
    return f"\n{question.question}\n{listed}"


def _holds_in_order(text: str, options: Sequence[str]) -> bool:
    """Whether the text contains the options, one after another."""
    at = 0
    for option in options:
        found = text.find(option, at)
        if found < 0:
            return False
        at = found + len(option)
    return True


def find_evidence_text(question: Question) -> str | None:
    """The text of the question's evidence; None if its benchmark has none."""
    text = question.metadata.get("evidence_text")
    return text if isinstance(text, str) and text.strip() else None
