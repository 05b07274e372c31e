"""A question's fields in the release's own spelling, for checks of the release itself.

Import cleans a little (blank distractors leave the options, labels become the paper's names); a curator wants to know
what was cleaned. Each source that keeps a raw record has a reader of it; the others are read from our own fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivbench_data.schema import Question


@dataclass(frozen=True)
class Released:
    """One question as released; None and empty where the release says nothing, or hides it."""

    answer: str | None = None
    """The answer's text."""
    distractors: tuple[str, ...] = ()
    """The wrong options, blank and repeated ones included, in the release's order."""
    location: str | None = None
    """Where in the video the answer is shown, as the annotator wrote it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Field and spelling of each category label."""
    index: int | None = None
    """The question's number within its video."""
    image_index: int | None = None
    """The question number that its query image's name holds."""
    image_video_id: str | None = None
    """The video id that its query image's name holds."""


def read_fields(question: Question) -> Released:
    """The question as released, where our own fields are the release."""
    hidden, answer_index = question.answers_hidden, question.answer_index
    texts = [evidence.text for evidence in question.evidence if evidence.text is not None]
    labels = {"task": question.task, "category": question.category, "granularity": question.granularity}
    return Released(
        answer=question.answer,
        distractors=()
        if hidden
        else tuple(option for index, option in enumerate(question.options) if index != answer_index),
        location=texts[0] if len(texts) == 1 else None,
        labels={name: label for name, label in labels.items() if label is not None},
    )
