"""Checks across questions: images, numbers, labels, kinds of answer, and answers of one that another one reveals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ivbench_data.dataset import Dataset
from ivbench_data.schema import Finding, Question, Severity
from ivbench_data.sources import read_released
from ivbench_data.text.folds import fold, read_value
from ivbench_data.validate.checks.context import CheckContext, distractors_of, find_on, group_by_video, quote

MIN_QUESTIONS_FOR_A_KIND = 10
"""A task with fewer questions has no kind of answer that could be expected."""

MIN_SHARE_FOR_A_KIND = 0.9
"""A kind of answer is expected in a task when so many of its answers are of it."""

MAX_WORDS_AROUND_A_NUMBER = 5
"""`More than 10` and `5 times` say how many; a sentence that happens to hold a number does not."""

_NUMBER_WORD = re.compile(
    r"\d|\b(?:no|none|zero|one|once|two|twice|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b", re.IGNORECASE
)
_COMPARABLE_KINDS = {"percent": "number", "range": "time", "ranges": "time"}
_ASKS_FOR: dict[str, tuple[re.Pattern[str], frozenset[str]]] = {
    "a number": (
        re.compile(r"\bhow many\b(?! seconds| minutes| hours)", re.IGNORECASE),
        frozenset({"number", "text with a number"}),
    ),
    "a time": (
        re.compile(r"(?:^|, )(?:at what time|when (?:do|does|did|is|was|were|will))\b", re.IGNORECASE),
        frozenset({"time"}),
    ),
    "a length of time": (
        re.compile(r"\bhow long (?:do|does|did|is|was|were|has|have|will)\b", re.IGNORECASE),
        frozenset({"duration", "number", "time", "text with a number"}),
    ),
}
"""What a question's own words ask for, and the kinds of answer that give it."""


def check_answer_is_sibling_distractor(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Answers that are distractors of the same question about another image: one finding a group of such siblings.

    Usual where several images share one list of options, and a way to the answer by elimination for a model that is
    shown them together.
    """
    for siblings in group_by_video(dataset.questions):
        groups: dict[str, list[Question]] = {}
        for question in siblings:
            if question.answer is not None:
                groups.setdefault(fold(question.question), []).append(question)
        for group in groups.values():
            if len(group) < 2:
                continue
            wrong_in = Counter(
                option for question in group for option in {fold(text) for _, text in distractors_of(question)}
            )
            crossed = [question for question in group if wrong_in[fold(question.answer or "")]]
            if crossed:
                yield find_on(
                    crossed[0],
                    "answer_is_sibling_distractor",
                    "info",
                    f"of {len(group)} questions in the same words, {len(crossed)} have answers that are distractors of "
                    f"another: {quote(group[0].question)}",
                    {"question_ids": [question.question_id for question in crossed]},
                )


def check_image_reused(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Query images that several questions show; a warning when the questions are about different videos.

    Questions without a video share images by design, as the two halves of a pair do: they are not reported.
    """
    users: dict[str, list[Question]] = {}
    for question in dataset.questions:
        if question.video_id is None:
            continue
        for image_id in dict.fromkeys(question.image_ids):
            users.setdefault(image_id, []).append(question)
    for image_id, questions in users.items():
        if len(questions) < 2:
            continue
        videos = {question.video_id for question in questions}
        yield Finding(
            check="image_reused",
            severity="warning" if len(videos) > 1 else "info",
            message=f"the image {image_id} is shown with {len(questions)} questions on {len(videos)} video"
            + ("s" if len(videos) > 1 else ""),
            question_id=questions[1].question_id,
            video_id=questions[1].video_id,
            image_id=image_id,
            evidence={"question_ids": [question.question_id for question in questions]},
        )


def check_image_index_mismatch(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Query images whose name holds another question's number, or another video's id: it may be the wrong image.

    Numbers of questions that were left out of the release are informational: the rest was likely renumbered. A number
    that another question of the video has deserves a look, and another video's id is an error.
    """
    for siblings in group_by_video(dataset.questions):
        released = {question.question_id: read_released(question) for question in siblings}
        indices = {record.index for record in released.values()}
        for question in siblings:
            record = released[question.question_id]
            if record.image_index is None or record.index is None:
                continue
            severity: Severity = "warning" if record.image_index in indices else "info"
            reason = f"question {record.image_index}"
            if record.image_video_id not in (None, question.video_id):
                severity, reason = "error", f"the video {record.image_video_id}"
            elif record.image_index == record.index:
                continue
            yield Finding(
                check="image_index_mismatch",
                severity=severity,
                message=f"the image of question {record.index} is named for {reason}: {quote(question.image_ids[0])}",
                question_id=question.question_id,
                video_id=question.video_id,
                image_id=question.image_ids[0],
                evidence={
                    "index": record.index,
                    "image_index": record.image_index,
                    "image_video_id": record.image_video_id,
                },
            )


def check_label_variant(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Category labels spelled in several ways, apart in case or space only: one finding a rarer spelling."""
    spellings: dict[tuple[str, str], Counter[str]] = {}
    for question in dataset.questions:
        for field, label in read_released(question).labels.items():
            spellings.setdefault((field, fold(label)), Counter())[label] += 1
    for (field, _), counted in spellings.items():
        (usual, usual_count), *rarer = counted.most_common()
        for label, count in rarer:
            yield Finding(
                check="label_variant",
                severity="info",
                message=f"{field} is {quote(label)} in {count} questions and {quote(usual)} in {usual_count}",
                evidence={"field": field, "label": label, "usual": usual, "count": count, "usual_count": usual_count},
            )


def check_answer_kind_unexpected(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Answers that are not of the kind that the question's words, or nearly all answers of its task, let expect."""
    kinds = _kinds_by_task(dataset)
    for question in dataset.questions:
        if question.answer is None:
            continue
        kind = _read_kind(question.answer)
        asked = next(
            (name for name, (words, fits) in _ASKS_FOR.items() if words.search(question.question) and kind not in fits),
            None,
        )
        usual = kinds.get(question.task)
        if asked is not None:
            basis, reason = "wording", f"the question asks for {asked}"
        elif usual is not None and kind != usual:
            basis, reason = "task", f"answers of {question.task} are nearly always of the kind {usual!r}"
        else:
            continue
        yield find_on(
            question,
            "answer_kind_unexpected",
            "warning" if basis == "wording" else "info",
            f"{reason}, and the answer is {quote(question.answer)}",
            {"kind": kind, "asked": asked, "usual": usual, "basis": basis},
        )


def check_non_contiguous_ids(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Videos whose questions' numbers do not run from 0 without gaps: questions were left out of the release."""
    for siblings in group_by_video(dataset.questions):
        indices = [index for index in (read_released(question).index for question in siblings) if index is not None]
        if not indices or sorted(indices) == list(range(len(indices))):
            continue
        missing = sorted(set(range(min(0, *indices), max(indices) + 1)) - set(indices))
        yield Finding(
            check="non_contiguous_ids",
            severity="info",
            message=f"questions of this video are numbered {', '.join(map(str, indices))}",
            video_id=siblings[0].video_id,
            evidence={"indices": list(indices), "missing": list(missing)},
        )


# --- parts --------------------------------------------------------------------------------------------------------


def _read_kind(text: str) -> str:
    value = read_value(text)
    if value is not None:
        return _COMPARABLE_KINDS.get(value.kind, value.kind)
    few_words = len(text.split()) <= MAX_WORDS_AROUND_A_NUMBER
    return "text with a number" if few_words and _NUMBER_WORD.search(text) else "text"


def _kinds_by_task(dataset: Dataset) -> dict[str, str]:
    """The kind of value that nearly all answers of a task are; tasks answered with text or in many kinds have none."""
    counts: dict[str, Counter[str]] = {}
    for question in dataset.questions:
        if question.answer is not None:
            counts.setdefault(question.task, Counter())[_read_kind(question.answer)] += 1
    usual: dict[str, str] = {}
    for task, counted in counts.items():
        kind, count = counted.most_common(1)[0]
        total = counted.total()
        if not kind.startswith("text") and total >= MIN_QUESTIONS_FOR_A_KIND and count >= MIN_SHARE_FOR_A_KIND * total:
            usual[task] = kind
    return usual
