"""Times as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.timecodes import format_clock, parse_clock, parse_location


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:00", 0), ("5:30", 330), ("05:30", 330), ("0:75", 75), ("90:00", 5400), ("1:24:06", 5046), ("999:59", 59_999)],
)
def test_clock_texts_are_read_by_value(text: str, seconds: int) -> None:
    assert parse_clock(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "5:", ":5", "5:3:", "1:2:3:4", "-5:30", "5:-30", "5.30", "5:30.5", "1000:00", "5:300", "a:bc", " 5:30",
     "5:30\n", "٥:٣٠", "５:30", "5：30"],
)  # fmt: skip
def test_what_is_no_clock_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time like 5:30"):
        parse_clock(text)


@given(st.integers(0, 999 * 3600 + 59 * 60 + 59))
def test_what_is_formatted_reads_back(seconds: int) -> None:
    assert parse_clock(format_clock(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (59.999, "00:59"), (60, "01:00"), (3599.5, "59:59"), (3600, "1:00:00")]
)
def test_clock_texts_that_are_written(seconds: float, text: str) -> None:
    assert format_clock(seconds) == text


@pytest.mark.parametrize(
    ("text", "kind", "start", "end"),
    [
        ("Whole video", "whole", None, None),
        ("  whole VIDEO ", "whole", None, None),
        ("05:52", "point", 352, None),
        (" 1:24:06 ", "point", 5046, None),
        ("05:52-05:55", "range", 352, 355),
        ("05:52 - 05:55", "range", 352, 355),
        ("05:52–05:55", "range", 352, 355),  # an en dash, as annotators type it
        ("05:52—05:55", "range", 352, 355),
        ("05:52~05:55", "range", 352, 355),
        ("59:50-1:00:10", "range", 3590, 3610),
        ("05:55-05:52", "range", 355, 352),  # reversed ones stay as they are written
    ],
)
def test_locations(text: str, kind: str, start: int | None, end: int | None) -> None:
    evidence = parse_location(text)
    assert evidence is not None
    assert (evidence.kind, evidence.start_seconds, evidence.end_seconds) == (kind, start, end)
    assert evidence.text == text


@pytest.mark.parametrize(
    "text",
    ["", "whole", "the end", "05:52-", "-05:52", "05:52-05:55-05:58", "05:52 05:55", "05:52,05:55", "352", "05.52",
     "٠٥:٥٢", "٠٥:٥٢-٠٥:٥٥", "５:52-5:55", "05：52"],
)  # fmt: skip
def test_nothing_is_guessed(text: str) -> None:
    assert parse_location(text) is None


@given(st.text(max_size=30) | st.from_regex(r"\s*\d{1,4}:\d{1,3}(:\d{1,2})?([-–—~ ]+\d{1,3}:\d\d)?\s*"))
def test_any_text_is_read_or_passed_over(text: str) -> None:
    evidence = parse_location(text)
    assert evidence is None or evidence.text == text
