"""Questions without their answers, and the answers by themselves.

What becomes public is an allow-list, field by field: what is not known to be harmless is left out. A field is harmless
when it is needed to ask the question, or when it is a word of a short fixed list that says nothing of the options.
So evidence (its words and times often are the answer), `raw`, `metadata`, `group_id` (pairs of which one is true, one
false) and `category` stay behind, and so do what a source says of a video or an image beside their ids, addresses of
images, lines of the release that could not be used (their reasons quote it), and digests of the release, against which
a guess could be checked. The answers file keeps all of it, so scores lose nothing.

The options' order is that of HMAC-SHA256(secret, `question_id NUL option`): it rests on the texts and the secret alone,
so that no earlier order of theirs remains; equal options stay, each counts as right if one does.
Rows come in the order of such digests too, video by video (without one, image by image): the order of a release may
alternate true and false, and rows in the order of their groups would show the group.

Ids, names, questions and options are published as they are: `check_published` looks whether answers can be read there.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import NonNegativeInt, ValidationError

from ivbench_data.atomic_files import digest_stream, write_atomically
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.manifests import load_manifest, manifest_names
from ivbench_data.publish.hidden.secret import check_secret
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import BadLine, NonEmpty, QueryImage, Question, Record, SafeName, Sha256, Video
from ivbench_data.strict_json import explain, iterate_jsonl

PUBLIC_QUESTION_FIELDS: Final = frozenset(
    {"question_id", "video_id", "image_ids", "question", "question_type", "options", "task", "granularity",
     "ask_time_seconds", "source"}
)  # fmt: skip
"""What is published of a question whose answer is hidden; `granularity` only as one of `PUBLIC_GRANULARITIES`."""

PUBLIC_GRANULARITIES: Final = frozenset({"frame", "clip", "whole"})

PUBLIC_VIDEO_FIELDS: Final = frozenset({"video_id", "url", "duration_seconds", "license", "language", "subtitles"})
"""What is published of its video; `category` too, where the manifest lists it: elsewhere it can be what is asked."""

PUBLIC_IMAGE_FIELDS: Final = frozenset({"image_id", "sha256", "width", "height"})
"""What is published of its query images."""


class AnswersHeader(Record):
    """The first line of an answers file.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> answers.header.split, answers.header.questions
        ('test', 3)
    """

    format_version: Literal[1] = 1
    """Version of the file's form."""
    content: Literal["hidden answers"] = "hidden answers"
    """What the file is."""
    dataset: SafeName
    """Name of the dataset."""
    version: NonEmpty
    """Version of the dataset that they were published with."""
    split: NonEmpty
    """The split."""
    questions: NonNegativeInt
    """How many lines follow, a question each."""
    rows_sha256: Sha256
    """Digest of the public questions that they belong to; see `digest_rows`."""
    nonce: Sha256
    """Random to all but the owner, so that nobody can check a guess at the answers by the file's published digest."""


@dataclass(frozen=True)
class HiddenAnswers:
    """Questions in public, and with their answers.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> hidden = iv.hide_answers(dataset, ["alpha_0"], b"32 random bytes, and not these ...")
        >>> len(hidden.dataset.questions), hidden.answers[0].answer
        (1, 'right')
    """

    dataset: Dataset
    """What may be published: the questions with `answers_hidden`, their videos and images."""
    answers: tuple[Question, ...]
    """The same questions in the same order, options ordered alike, with answer and all else. Private."""
    nonce: str = field(repr=False)
    """Of the answers file, from the secret: the same questions give the same file."""
    warnings: tuple[str, ...] = ()
    """What hiding does not achieve here, in sentences."""


@dataclass(frozen=True)
class AnswersFile:
    """An answers file, read.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> [question.answer for question in answers.questions]
        ['right', 'one', 'neither']
    """

    path: Path
    """The file."""
    header: AnswersHeader
    """What it belongs to."""
    questions: tuple[Question, ...]
    """The questions with their answers; the order of options is the public one."""


def hide_answers(dataset: Dataset, question_ids: Iterable[str], secret: bytes) -> HiddenAnswers:
    """Those questions without what could give their answers away, and the answers; the same for any order of the ids.

    The same secret gives the same order in every version of the dataset, whatever else it holds.

    Args:
        dataset: the questions, with their answers.
        question_ids: the questions whose answers are to be hidden.
        secret: the secret that orders the options; keep it for later versions.

    Raises:
        UsageError: no ids, an id that the dataset does not hold, an answer that is hidden already, or a secret too
            short to be one.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> hidden = iv.hide_answers(dataset, ["alpha_0"], b"32 random bytes, and not these ...")
        >>> hidden.dataset.questions[0].answer is None
        True
    """
    check_secret(secret)
    wanted = set(question_ids)
    chosen = [question for question in dataset.questions if question.question_id in wanted]
    if not wanted:
        raise UsageError("there are no questions to hide the answers of")
    if unknown := wanted - {question.question_id for question in chosen}:
        raise UsageError(f"{dataset.name} holds no question {min(unknown)!r}, whose answer is to be hidden")
    if bare := next((question for question in chosen if question.answers_hidden), None):
        raise UsageError(f"the answer of {bare.question_id} is hidden already: the dataset does not hold it")

    def place(question: Question) -> tuple[bytes, bytes]:
        # by what is public of the question: its group is not
        return _digest(secret, "video", cluster_of(_strip(question))), _digest(secret, "row", question.question_id)

    answers = tuple(_reorder(question, secret) for question in sorted(chosen, key=place))
    questions = tuple(_strip(question) for question in answers)
    public = Dataset(
        name=dataset.name,
        videos=_keep_videos(dataset, questions),
        images=_keep_images(dataset, questions),
        questions=questions,
    )
    nonce = _digest(secret, "nonce", digest_rows(questions)).hex()
    return HiddenAnswers(public, answers, nonce, tuple(_warn_of_releases(questions)))


def order_by_secret(question_id: str, options: Iterable[str], secret: bytes) -> tuple[str, ...]:
    """The options in the order of HMAC-SHA256(secret, `question_id NUL option`), in UTF-8, ascending."""
    return tuple(sorted(options, key=lambda option: _digest(secret, question_id, option)))


def digest_rows(questions: Iterable[Question]) -> str:
    """SHA-256 of the questions as our JSON lines, without defaults, in the order of their ids: 64 digits."""
    lines = sorted((question.question_id, question.model_dump_json(exclude_defaults=True)) for question in questions)
    return hashlib.sha256("".join(f"{line}\n" for _, line in lines).encode()).hexdigest()


def _digest(secret: bytes, subject: str, text: str) -> bytes:
    return hmac.digest(secret, f"{subject}\0{text}".encode(), "sha256")


def _reorder(question: Question, secret: bytes) -> Question:
    """The question with its options in the secret's order."""
    options = order_by_secret(question.question_id, question.options, secret)
    index = options.index(question.answer) if question.answer is not None and options else None
    changed = question.model_copy(update={"options": options, "answer_index": index})
    return Question.model_validate(changed.model_dump())


def _strip(question: Question) -> Question:
    values = question.model_dump(include=set(PUBLIC_QUESTION_FIELDS))
    if question.granularity not in PUBLIC_GRANULARITIES:
        values["granularity"] = None
    return Question.model_validate({**values, "answers_hidden": True})


def _keep_videos(dataset: Dataset, questions: Iterable[Question]) -> tuple[Video, ...]:
    known = {video.video_id: video for video in dataset.videos}
    used = dict.fromkeys(question.video_id for question in questions)
    listed = load_manifest(dataset.name).video_categories if dataset.name in manifest_names() else ()
    kept = []
    for video in (known[video_id] for video_id in used if video_id in known):
        category = video.category if video.category in listed else None
        kept.append(Video.model_validate({**video.model_dump(include=set(PUBLIC_VIDEO_FIELDS)), "category": category}))
    return tuple(kept)


def _keep_images(dataset: Dataset, questions: Iterable[Question]) -> tuple[QueryImage, ...]:
    known = {image.image_id: image for image in dataset.images}
    used = dict.fromkeys(image_id for question in questions for image_id in question.image_ids)
    return tuple(
        QueryImage.model_validate(known[image_id].model_dump(include=set(PUBLIC_IMAGE_FIELDS)))
        for image_id in used
        if image_id in known
    )


def _warn_of_releases(questions: Iterable[Question]) -> Iterable[str]:
    for source in dict.fromkeys(question.source for question in questions):
        if source in manifest_names():
            title = load_manifest(source).title
            yield (
                f"{title} is released with its answers: hiding those of questions imported from it keeps them from "
                "nobody who has the release"
            )


# --- the answers file -------------------------------------------------------------------------------------------


def write_answers(path: Path, hidden: HiddenAnswers, version: str, split: str) -> str:
    """Write the answers as JSON lines that only their owner may read, whole or not at all; the file's SHA-256.

    A header, then a `Question` a line. The digest may be published: nothing can be guessed from it, since the header
    holds a nonce.

    Raises:
        StorageError: the file cannot be written.
    """
    header = AnswersHeader(
        dataset=hidden.dataset.name,
        version=version,
        split=split,
        questions=len(hidden.answers),
        rows_sha256=digest_rows(hidden.dataset.questions),
        nonce=hidden.nonce,
    )
    with write_atomically(path, mode=0o600) as file:
        file.write(header.model_dump_json().encode() + b"\n")
        for question in hidden.answers:
            file.write(question.model_dump_json(exclude_defaults=True).encode() + b"\n")
        file.seek(0)
        return digest_stream(file)


def read_answers(path: Path | str) -> AnswersFile:
    """The answers in a file that `write_answers` wrote.

    Args:
        path: the file.

    Raises:
        UsageError: the file cannot be read.
        DatasetError: it is not an answers file, or not a whole one.

    Example:
        >>> answers = iv.read_answers("data/tiny/private/answers-test-1.0.0.jsonl")
        >>> answers.header.dataset, len(answers.questions)
        ('tiny', 3)
    """
    path = Path(path)
    header: AnswersHeader | None = None
    questions: dict[str, Question] = {}
    for number, line, value in iterate_jsonl(path):
        if isinstance(value, BadLine):
            raise DatasetError(f"{path} is not an answers file: {value}")
        try:
            if header is None:
                header = AnswersHeader.model_validate_json(line)
                continue
            question = Question.model_validate_json(line)
        except ValidationError as error:
            raise DatasetError(f"{path}:{number} is not what an answers file holds: {explain(error)}") from None
        if question.answers_hidden or question.question_id in questions:
            fault = "has no answer" if question.answers_hidden else "is given twice"
            raise DatasetError(f"{path}:{number}: the question {question.question_id!r} {fault}")
        questions[question.question_id] = question
    if header is None:
        raise DatasetError(f"{path} is empty: it is not an answers file")
    if len(questions) != header.questions:
        raise DatasetError(f"{path} holds {len(questions)} answers, and its header promises {header.questions}")
    return AnswersFile(path, header, tuple(questions.values()))
