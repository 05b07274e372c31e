from __future__ import annotations

from pathlib import Path

import pytest
from made_releases import NINE, find, make_dataset, make_record


@pytest.mark.parametrize(
    ("question", "severity"),
    [
        ("How many types of vehicles appear in the video?", "warning"),
        ("What is the segment in the video where the object first appears?", "info"),
        ("How many of the pictured objects appear in the video?", None),
        ("Which scene in the image matches the style of a scene in the video?", None),
        ("What is the text above the content shown in the figure?", None),
        ("视频中图片里的物体是什么颜色？", None),
        ("видео", None),
    ],
)
def test_questions_that_do_not_speak_of_their_image(tmp_path: Path, question: str, severity: str | None) -> None:
    found = find(make_dataset(tmp_path, make_record(question=question)), "no_image_reference")
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_without_an_image_none_needs_to_be_spoken_of(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, make_record(question="How many cars are in the video?"))
    (question,) = dataset.questions
    plain = question.model_copy(update={"image_ids": ()})
    assert find(type(dataset)("own", questions=(plain,)), "no_image_reference") == []


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Which one in the picture is this issue's sponsor?", True),
        ("How long did it take to make the item in the picture?", True),
        ("What color is the item of the picture on the screen?", False),
        ("What is the first frame that shows the picture?", False),
    ],
)
def test_questions_that_do_not_speak_of_their_video(tmp_path: Path, question: str, found: bool) -> None:
    assert bool(find(make_dataset(tmp_path, make_record(question=question)), "no_video_reference")) == found


def test_repeated_questions_by_what_they_share(tmp_path: Path) -> None:
    other = [f"colour {number}" for number in range(9)]
    same_all = make_dataset(tmp_path, make_record(0), make_record(1, distractors=[*reversed(NINE)]))
    same_options = make_dataset(
        tmp_path, make_record(0), make_record(1, answer="red", distractors=["purple", *NINE[1:]])
    )
    text_only = make_dataset(tmp_path, make_record(0), make_record(1, distractors=other))
    severities = []
    for dataset in (same_all, same_options, text_only):
        (found,) = find(dataset, "repeated_question")
        assert found.evidence["question_ids"] == [question.question_id for question in dataset.questions]
        severities.append((found.severity, "same options" in found.message))
    assert severities == [("warning", True), ("info", True), ("info", False)]
    assert (
        find(make_dataset(tmp_path, make_record(0), make_record(1, question="And the video?")), "repeated_question")
        == []
    )


def test_repeated_questions_of_other_videos_are_templates(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, **{name: [make_record(video_id=name)] for name in ("AAAAAAAAAAA", "BBBBBBBBBBB")})
    assert find(dataset, "repeated_question") == []


def test_one_image_with_two_answers(tmp_path: Path) -> None:
    image = "aB3-_xYz012_0_image.png"
    twice = make_dataset(tmp_path, make_record(0), make_record(1, image_name=image, answer="teal"))
    found = find(twice, "same_query_different_answer")
    assert [(finding.severity, finding.question_id) for finding in found] == [
        ("error", question.question_id) for question in twice.questions
    ]
    agreed = make_dataset(tmp_path, make_record(0), make_record(1, image_name=image, answer="Purple"))
    assert find(agreed, "same_query_different_answer") == []
    other_image = make_dataset(tmp_path, make_record(0), make_record(1, answer="teal"))
    assert find(other_image, "same_query_different_answer") == []
