from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_releases import VIDEO, find, make_dataset, make_record

from ivbench_data.dataset import Dataset
from ivbench_data.schema import Evidence, Video
from ivbench_data.validate.checks import CheckContext

TIMES = [f"0:{second}" for second in range(11, 20)]
RANGES = [f"3:{second}-3:{second + 1}" for second in range(11, 20)]
WHEN = "When does the content in the picture appear in the video?"


def when(**changes: Any) -> dict[str, Any]:
    return make_record(**{"question": WHEN, "answer": "1:20", "distractors": TIMES, **changes})


@pytest.mark.parametrize(
    "check",
    [
        "reversed_range",
        "malformed_time",
        "seconds_over_59",
        "location_unparsable",
        "location_mixed_format",
        "granularity_mismatch",
        "answer_contradicts_location",
        "distractor_overlaps_answer",
        "answer_equals_location",
        "beyond_video_end",
    ],
)
def test_honest_questions_are_let_pass(tmp_path: Path, check: str) -> None:
    dataset = make_dataset(
        tmp_path,
        when(data_id=0),
        when(data_id=1, answer="1:15-1:20", distractors=RANGES, answer_location="9:50-10:10", question="What color?"),
        make_record(data_id=2, answer="from 5:2 to 5:3", distractors=[f"from 5:2 to 6:{n}" for n in range(9)]),
        make_record(data_id=3, granularity="Whole video", answer_location="Whole video"),
        make_record(data_id=4, granularity="Video Frame", answer_location="0:12"),
    )
    context = CheckContext(durations_seconds={VIDEO: 700})
    assert find(dataset, check, context) == []


@pytest.mark.parametrize(
    ("changes", "place", "severity"),
    [
        ({"answer_location": "10:48-10:18"}, "location", "error"),
        ({"answer": "1:20-1:10", "distractors": RANGES}, "answer", "error"),
        ({"answer": "4:35-4:39", "distractors": ["04:39-04:03", *RANGES[1:]]}, "distractor", "warning"),
    ],
)
def test_reversed_ranges(tmp_path: Path, changes: dict[str, Any], place: str, severity: str) -> None:
    (found,) = find(make_dataset(tmp_path, when(**changes)), "reversed_range")
    assert (found.evidence["place"], found.severity) == (place, severity)


@pytest.mark.parametrize("text", ["6:20-6:2", "0:04-0:7 and 1:14-1:18", "62:788", "3:3"])
def test_malformed_times_are_found_among_times(tmp_path: Path, text: str) -> None:
    (found,) = find(make_dataset(tmp_path, when(distractors=[text, *TIMES[1:]])), "malformed_time")
    assert found.evidence["text"] == text
    among_texts = make_record(distractors=[text, *"abcdefgh"])
    assert find(make_dataset(tmp_path, among_texts), "malformed_time") == []


def test_words_beside_a_time_do_not_make_it_malformed(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, when(answer="Appears between 3:00 and 3:21.", distractors=TIMES))
    assert find(dataset, "malformed_time") == []


def test_more_than_59_seconds(tmp_path: Path) -> None:
    (found,) = find(make_dataset(tmp_path, when(distractors=["1:61", *TIMES[1:]])), "seconds_over_59")
    assert (found.severity, found.evidence["text"]) == ("warning", "1:61")
    (found,) = find(make_dataset(tmp_path, when(answer="1:61")), "seconds_over_59")
    assert found.severity == "error"


def test_a_location_that_names_no_place(tmp_path: Path) -> None:
    (found,) = find(make_dataset(tmp_path, make_record(answer_location="near the end")), "location_unparsable")
    assert found.evidence == {"location": "near the end"}


@pytest.mark.parametrize(
    ("location", "mixed"),
    [
        ("0:54-01:08", True),
        ("1:00-2:10 ", True),
        ("0:59:50-61:10", True),
        ("00:54-01:08", False),
        ("9:02-10:48", False),
        ("09:02-10:48", False),
        ("Whole video", False),
    ],
)
def test_locations_written_in_two_ways(tmp_path: Path, location: str, mixed: bool) -> None:
    found = find(make_dataset(tmp_path, make_record(answer_location=location)), "location_mixed_format")
    assert bool(found) == mixed


@pytest.mark.parametrize(
    ("granularity", "location", "severity"),
    [
        ("Video Frame", "0:50-1:10", "warning"),
        ("Video Frame", "04:59-05:00", "info"),
        ("Video Frame", "Whole video", "warning"),
        ("Video Clip", "Whole video", "warning"),
        ("Video Clip", "1:03", "info"),
        ("Whole Video", "2:18", "info"),
        ("Whole video", "0:00-5:06", "info"),
        ("Video Frame", "0:12", None),
        ("Video Clip", "10:48-10:18", None),
    ],
)
def test_granularity_and_location(tmp_path: Path, granularity: str, location: str, severity: str | None) -> None:
    dataset = make_dataset(tmp_path, make_record(granularity=granularity, answer_location=location))
    found = find(dataset, "granularity_mismatch")
    assert [finding.severity for finding in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("answer", "location", "gap"),
    [
        ("6:03", "5:35", 28),
        ("00:38-00:39", "00:28-00:29", 9),
        ("01:20-01:22", "4:22-4:25", 180),
        ("5:36", "5:35", None),
        ("1:41", "0:00-1:45", None),
        ("4:01-5:00", "4:22", None),
        ("red", "4:22", None),
    ],
)
def test_answers_outside_of_the_location(tmp_path: Path, answer: str, location: str, gap: float | None) -> None:
    found = find(make_dataset(tmp_path, when(answer=answer, answer_location=location)), "answer_contradicts_location")
    assert [finding.evidence["gap_seconds"] for finding in found] == ([gap] if gap else [])


def test_a_clock_on_the_screen_is_no_time_in_the_video(tmp_path: Path) -> None:
    record = when(question="What is the first text above the content in the figure?", answer="48:38")
    assert find(make_dataset(tmp_path, record), "answer_contradicts_location") == []


def test_the_answer_that_is_the_location(tmp_path: Path) -> None:
    (found,) = find(make_dataset(tmp_path, when(answer="06:06", answer_location="6:06")), "answer_equals_location")
    assert found.severity == "info"


def test_overlap_is_reported_with_iou(tmp_path: Path) -> None:
    distractors = ["01:25-02:15", "2:04-2:06", "02:05-02:30", "0:30-1:15", "2:00-1:20", *RANGES[:4]]
    record = when(answer="01:15-02:05", distractors=distractors)
    (found,) = find(make_dataset(tmp_path, record), "distractor_overlaps_answer")
    assert found.severity == "warning"
    assert found.evidence["overlaps"] == [
        {"distractor": "01:25-02:15", "iou": 0.6667},
        {"distractor": "2:04-2:06", "iou": 0.0196},
    ]


def test_times_after_the_end(tmp_path: Path) -> None:
    record = when(answer="1:20", answer_location="1:20", distractors=["9:00", *TIMES[1:]])
    dataset = make_dataset(tmp_path, record)
    assert find(dataset, "beyond_video_end") == []  # nothing is known of the video's length
    known = replace(dataset, videos=(Video(video_id=VIDEO, duration_seconds=79.5),))
    assert [finding.severity for finding in find(known, "beyond_video_end")] == ["info"]  # within a second of the end
    short = CheckContext(durations_seconds={VIDEO: 60})
    places = {finding.evidence["place"]: finding.severity for finding in find(known, "beyond_video_end", short)}
    assert places == {"location": "error", "answer": "error", "distractor": "info"}


def test_evidence_without_a_released_text_is_read_too(tmp_path: Path) -> None:
    (question,) = make_dataset(tmp_path, when()).questions
    plain = question.model_copy(
        update={"source": "elsewhere", "raw": None, "evidence": (Evidence(kind="point", start_seconds=500),)}
    )
    (found,) = find(Dataset("own", questions=(plain,)), "answer_contradicts_location")
    assert found.evidence["gap_seconds"] == 420
