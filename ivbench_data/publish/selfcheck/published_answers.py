"""Answers that were published with their questions, in any version and to any target, kept as digests alone.

The dataset keeps them in `published.json` beside `dataset.json`, so that the self-check finds a hidden question whose
twin was public in another publication.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from pydantic import Field, ValidationError

from ivbench_data.atomic_files import write_json
from ivbench_data.errors import DatasetError
from ivbench_data.hidden_record import digest_asked_question
from ivbench_data.schema import NonEmpty, Question, Record
from ivbench_data.strict_json import explain
from ivbench_data.text.folds import fold
from ivbench_data.workspace import Workspace

FILE_NAME: Final = "published.json"

KINDS: Final = ("the same picture", "the same words and picture", "the same words and video")
"""What two questions may share, from which one's answer may be the other's."""

_DIGITS: Final = 32
"""Hexadecimal digits that are kept of a digest."""


class PublishedAnswers(Record):
    """Answers that were published with their questions, as digests.

    Example:
        >>> questions = iv.load_dataset("tiny").questions
        >>> published = iv.PublishedAnswers().extend(questions[:1], {})
        >>> published.has(questions[0])
        True
    """

    format_version: Literal[1] = 1
    """Version of the file's form."""
    answers: dict[NonEmpty, dict[NonEmpty, NonEmpty]] = Field(default_factory=dict)
    """By digest of what may be shared (see `KINDS`), and there by digest of the question: digest of its answer."""

    def extend(
        self, questions: Iterable[Question], image_digests: Mapping[str, Sequence[str | None]]
    ) -> PublishedAnswers:
        """These answers and those of more questions; `image_digests` are of the published pictures, by question id."""
        answers = {shared: dict(known) for shared, known in self.answers.items()}
        for question in questions:
            own = digest_asked_question(question)[:_DIGITS]
            for shared in list_shared(question, image_digests.get(question.question_id, ())):
                answers.setdefault(digest_text(*shared), {})[own] = digest_text("answer", str(question.answer))
        return PublishedAnswers(answers=answers)

    def count(self, shared: tuple[str, str]) -> Counter[str]:
        """How many questions with that gave each answer, by the answer's digest."""
        return Counter(self.answers.get(digest_text(*shared), {}).values())

    def has(self, question: Question) -> bool:
        """Whether the question itself was published with its answer."""
        own = digest_asked_question(question)[:_DIGITS]
        return any(own in self.answers.get(digest_text(*shared), {}) for shared in list_shared(question, ()))


def list_shared(question: Question, image_digests: Iterable[str | None]) -> Iterator[tuple[str, str]]:
    """What the question may share with another: a kind of `KINDS`, and the text that is compared."""
    words = fold(question.question)
    for image in {*question.image_ids, *image_digests} - {None}:
        yield "the same picture", str(image)
        yield "the same words and picture", f"{words}\0{image}"
    if question.video_id is not None:
        yield "the same words and video", f"{words}\0{question.video_id}"


def digest_text(kind: str, text: str) -> str:
    """The digest by which a text of that kind is kept."""
    return hashlib.sha256(f"{kind}\0{text}".encode()).hexdigest()[:_DIGITS]


def read_published_answers(workspace: Workspace) -> PublishedAnswers:
    """What was published of the dataset with answers; empty where nothing was.

    Raises:
        DatasetError: the file cannot be read.
    """
    path = workspace.folder / FILE_NAME
    try:
        return PublishedAnswers.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return PublishedAnswers()
    except (OSError, ValueError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else str(error)
        raise DatasetError(
            f"{path} cannot be read ({reason}): restore it, or delete it to forget what it records"
        ) from error


def write_published_answers(workspace: Workspace, answers: PublishedAnswers) -> None:
    """Write the record atomically.

    Raises:
        StorageError: the dataset's folder cannot be written.
    """
    write_json(workspace.folder / FILE_NAME, answers.model_dump(mode="json"))
