"""Checks of the questions' words: do they speak of the image and the video, and are they asked twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator

from ivbench_data.dataset import Dataset
from ivbench_data.schema import Finding, Question
from ivbench_data.text.folds import fold
from ivbench_data.validate.checks.context import CheckContext, find_on, group_by_video, quote

# the field's benchmarks are in English, with some in Chinese, Japanese, Korean, Spanish, French, German;
# a question in another script is let pass: nothing is claimed about words that cannot be read
_IMAGE_WORDS = re.compile(
    r"\b(images?|pictures?|pictured|figures?|photos?|photographs?|pics?|illustrat(?:ed|ions?)|screenshots?|drawings?|"
    r"diagrams?|portraits?|paintings?|posters?|depicted|imagen|imágenes|foto|fotos|bild|bilder)\b|[图圖]|照片|画像|写真|이미지|사진",
    re.IGNORECASE,
)
# words that point at something without saying that it is an image
_POINTING_WORDS = re.compile(
    r"\b(shown|as illustrated|"
    r"(?:this|these|that|the) (?:item|object|content|person|venue|device|character|hero|brand)s?|"
    r"following|like (?:this|these))\b",
    re.IGNORECASE,
)
_VIDEO_WORDS = re.compile(
    r"\b(videos?|clips?|footage|films?|movies?|scenes?|screens?|frames?|segments?|shots?|episodes?|"
    r"vlog(?:ger)?s?|vídeo|vidéo|película)\b|[视視][频頻]|影片|動画|映像|비디오|영상",
    re.IGNORECASE,
)
_LATIN = re.compile(r"[a-z]", re.IGNORECASE)


def check_no_image_reference(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Questions with an image beside a video that never speak of it: a reader cannot know what the image is for."""
    for question in dataset.questions:
        text = question.question
        if not question.image_ids or question.video_id is None or not _LATIN.search(text) or _IMAGE_WORDS.search(text):
            continue
        pointing = _POINTING_WORDS.search(text)
        way = f"only points at it ({quote(pointing[0])})" if pointing else "does not speak of it"
        yield find_on(
            question,
            "no_image_reference",
            "info" if pointing else "warning",
            f"a query image is shown, and the question {way}: {quote(text)}",
            {"question": text, "pointing_word": pointing[0] if pointing else None},
        )


def check_no_video_reference(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Questions with a video beside an image that never speak of it: it may be enough to look at the image."""
    for question in dataset.questions:
        text = question.question
        if question.video_id is None or not question.image_ids or not _LATIN.search(text) or _VIDEO_WORDS.search(text):
            continue
        yield find_on(
            question,
            "no_video_reference",
            "info",
            f"the question does not speak of the video: {quote(text)}",
            {"question": text},
        )


def check_repeated_question(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """Questions asked several times of one video in the same words: one finding a group, worse with the same answer.

    Asked with another image it is another question, as the benchmark means it; where even options and answer are the
    same, the image makes no difference to the answer, and who knows one knows the other.
    """
    for siblings in group_by_video(dataset.questions):
        for group in _group_by_text(siblings).values():
            if len(group) < 2:
                continue
            by_options = _group_ids(group, lambda question: tuple(sorted(map(fold, question.options))))
            same_options = [ids for ids in by_options if len(ids) > 1]
            by_both = _group_ids(
                group, lambda question: (tuple(sorted(map(fold, question.options))), fold(question.answer or ""))
            )
            same_answer = [ids for ids in by_both if len(ids) > 1 and group[0].answer is not None]
            how = (
                "some with the same options and the same answer"
                if same_answer
                else "some with the same options"
                if same_options
                else "with other options"
            )
            yield find_on(
                group[0],
                "repeated_question",
                "warning" if same_answer else "info",
                f"asked {len(group)} times of this video, {how}: {quote(group[0].question)}",
                {
                    "question_ids": [question.question_id for question in group],
                    "same_options": [list(ids) for ids in same_options],
                    "same_options_and_answer": [list(ids) for ids in same_answer],
                },
            )


def check_same_query_different_answer(dataset: Dataset, context: CheckContext) -> Iterator[Finding]:
    """The same question about the same images and video with two answers: one of them is wrong, or an image is."""
    for siblings in group_by_video(dataset.questions):
        groups: dict[tuple[str, tuple[str, ...]], list[Question]] = {}
        for question in siblings:
            if question.answer is not None:
                groups.setdefault((fold(question.question), question.image_ids), []).append(question)
        for group in groups.values():
            answers = {fold(question.answer or "") for question in group}
            if len(answers) < 2:
                continue
            ids = [question.question_id for question in group]
            for question in group:
                yield find_on(
                    question,
                    "same_query_different_answer",
                    "error",
                    f"asked {len(group)} times with the same image, and answered in {len(answers)} ways, here "
                    f"{quote(question.answer or '')}",
                    {"question_ids": list(ids), "answers": [other.answer for other in group]},
                )


# --- parts --------------------------------------------------------------------------------------------------------


def _group_by_text(questions: list[Question]) -> dict[str, list[Question]]:
    groups: dict[str, list[Question]] = {}
    for question in questions:
        groups.setdefault(fold(question.question), []).append(question)
    return groups


def _group_ids(questions: list[Question], read_key: Callable[[Question], Hashable]) -> list[list[str]]:
    groups: dict[Hashable, list[str]] = {}
    for question in questions:
        groups.setdefault(read_key(question), []).append(question.question_id)
    return list(groups.values())
