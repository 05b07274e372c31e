from __future__ import annotations

from pathlib import Path

import pytest
from made_releases import NINE, VIDEO, find, make_dataset, make_record

DIGITS = [str(number) for number in range(10)]


def count(data_id: int, answer: str, question: str = "How many such items as in the image are in the video?") -> dict:  # type: ignore[type-arg]
    rivals = [digit for digit in DIGITS if digit != answer][:9]
    return make_record(data_id, question=question, question_type="Counting", answer=answer, distractors=rivals)


def test_answers_of_siblings_among_the_distractors(tmp_path: Path) -> None:
    first, second = make_record(0), make_record(1, answer="red", distractors=["purple", *NINE[1:]])
    (found,) = find(make_dataset(tmp_path, first, second), "answer_is_sibling_distractor")
    assert found.evidence["question_ids"] == [f"{VIDEO}_0", f"{VIDEO}_1"]
    otherwise = {**second, "question": "What color is the other object in the picture, in the video?"}
    assert find(make_dataset(tmp_path, first, otherwise), "answer_is_sibling_distractor") == []


def test_images_that_several_questions_show(tmp_path: Path) -> None:
    image = f"{VIDEO}_0_image.png"
    (found,) = find(make_dataset(tmp_path, make_record(0), make_record(1, image_name=image)), "image_reused")
    assert (found.severity, found.image_id) == ("info", image)
    across = make_dataset(
        tmp_path, AAAAAAAAAAA=[make_record(image_name=image)], BBBBBBBBBBB=[make_record(image_name=image)]
    )
    (found,) = find(across, "image_reused")
    assert found.severity == "warning"
    assert find(make_dataset(tmp_path, make_record(0), make_record(1)), "image_reused") == []


@pytest.mark.parametrize(
    ("image_name", "severity"),
    [
        (f"{VIDEO}_0_image.png", "warning"),
        (f"{VIDEO}_7_image.png", "info"),
        (f"{VIDEO}_-1_image.png", "info"),
        ("ZZZZZZZZZZZ_1_image.png", "error"),
        (f"{VIDEO}_1_2025-01-05_153648.png", None),
        ("a photo of mine.png", None),
    ],
)
def test_images_named_for_another_question(tmp_path: Path, image_name: str, severity: str | None) -> None:
    dataset = make_dataset(tmp_path, make_record(0), make_record(1, image_name=image_name))
    found = find(dataset, "image_index_mismatch")
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_labels_that_differ_in_case_only(tmp_path: Path) -> None:
    whole = {"answer_location": "Whole video"}
    records = [make_record(0, granularity="Whole video", **whole), make_record(1, granularity="Whole Video", **whole)]
    (found,) = find(make_dataset(tmp_path, *records, make_record(2, granularity="Whole Video")), "label_variant")
    assert found.evidence == {
        "field": "granularity",
        "label": "Whole video",
        "usual": "Whole Video",
        "count": 1,
        "usual_count": 2,
    }
    assert find(make_dataset(tmp_path, records[0], make_record(1)), "label_variant") == []


@pytest.mark.parametrize(
    ("question", "answer", "basis"),
    [
        ("When does content similar to that in the image appear in the video?", "9", "wording"),
        ("When does the image appear in the video?", "02min49s", "wording"),
        (
            "How many materials are needed to make the items in the picture?",
            "PVA glue, paint, and other materials",
            "wording",
        ),
        ("How many items as pictured are in the video?", "More than 10", None),
        ("How many items as pictured are in the video?", "one kind", None),
        ("How many seconds does the image appear in the video?", "3s", None),
        ("How long does the content in the picture last?", "93 seconds", None),
        ("How long does the content in the picture last?", "In the water", "wording"),
        ("When the content in the figure appears in the video, what is to its left?", "a cup", None),
        ("What is in the video, as in the image?", "a cup", None),
    ],
)
def test_answers_that_the_question_does_not_ask_for(
    tmp_path: Path, question: str, answer: str, basis: str | None
) -> None:
    found = find(make_dataset(tmp_path, make_record(question=question, answer=answer)), "answer_kind_unexpected")
    assert [finding.evidence["basis"] for finding in found] == ([basis] if basis else [])


def test_the_odd_answer_of_a_task(tmp_path: Path) -> None:
    numbers = [count(number, str(number % 10)) for number in range(11)]
    odd = count(11, "0:30-0:40", "Of the items in the image, count those in the video.")
    (found,) = find(make_dataset(tmp_path, *numbers, odd), "answer_kind_unexpected")
    assert (found.question_id, found.evidence["basis"], found.severity) == (f"{VIDEO}_11", "task", "info")
    assert find(make_dataset(tmp_path, *numbers[:5], odd), "answer_kind_unexpected") == []  # too few to expect anything


def test_numbers_with_gaps(tmp_path: Path) -> None:
    (found,) = find(make_dataset(tmp_path, make_record(1), make_record(3)), "non_contiguous_ids")
    assert (found.video_id, found.evidence) == (VIDEO, {"indices": [1, 3], "missing": [0, 2]})
    assert find(make_dataset(tmp_path, make_record(1), make_record(0)), "non_contiguous_ids") == []
