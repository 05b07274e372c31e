from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.text.folds import LEVELS, compare, find_matches, fold, read_value
from ivbench_data.timecodes import parse_duration


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [
        ("green", "green", "exact"),
        ("DANGER", "danger", "folded"),
        ("first  from the left ", "First from the left", "folded"),
        ("ＡＢＣ", "abc", "folded"),
        ("re\u200bmote", "remote", "folded"),
        ("6:06", "06:06", "value"),
        ("01:42-02:00", "1:42–2:00", "value"),
        ("1:61", "2:01", "value"),
        ("1min28s", "88 seconds", "value"),
        ("3min14", "3min14s", "value"),
        ("0.5min", "30s", "value"),
        ("28.00", "28", "value"),
        ("3,100", "3100", "value"),
        ("51.70%", "51.7 %", "value"),
        ("−5", "-5", "value"),
        ("www.yachtingworld.com", "www.yachting-world.com", "alnum"),
        ("ice-cream", "ice cream", "alnum"),
        ("first from the left、second from the right", "second from the right, first from the left", "set"),
        ("first from the left，first from the left", "first from the left", "set"),
    ],
)
def test_texts_are_the_same_at_the_strictest_level(first: str, second: str, level: str) -> None:
    assert compare(first, second) == level
    assert compare(second, first) == level


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("-0.27", "0.27"),
        ("12%", "12"),
        ("6.5", "65"),
        ("1:23", "12:3"),
        ("1:23", "83"),
        ("10+", "10"),
        ("10s", "10"),
        ("3:18", "3:13"),
        ("0:50-0:52", "0:52-0:50"),
        ("from 5:2 to 5:3", "from 5:3 to 5:2"),
        ("6 to 6.5 points", "6 to 65 points"),
        ("gain of -5 points", "gain of 5 points"),
        ("a price of $10", "a price of 10%"),
        ("1, 2, 3", "3, 2, 1 and 0"),
        ("必勝", "必剩"),
        ("MASTIFF", "MASTIF"),
        ("!!!", "???"),
        ("", " "),
    ],
)
def test_texts_that_differ_in_value_or_letters_are_not_the_same(first: str, second: str) -> None:
    assert compare(first, second) is None or first.strip() == second.strip() == ""


def test_blank_texts_are_the_same_as_nothing_but_themselves() -> None:
    assert compare("", " ") is None
    assert find_matches(["", " ", "\u200b"]) == []


@pytest.mark.parametrize(
    ("text", "kind", "amounts"),
    [
        ("06:06", "time", (366,)),
        ("1:00:00", "time", (3600,)),
        (" 03:52-03:55 ", "range", (232, 235)),
        ("0:00-0:05 and 0:43-1:02", "ranges", (0, 5, 43, 62)),
        ("10-10", None, ()),
        ("5:2", None, ()),
        ("6:20-6:2", None, ()),
        ("62:788", None, ()),
        ("4:08 PM", None, ()),
        ("5m", None, ()),
        ("7 models.", None, ()),
        ("+300", "number", (300,)),
        ("93 seconds", "duration", (93,)),
        ("٣", None, ()),
    ],
)
def test_a_value_is_read_from_the_whole_text_or_not_at_all(text: str, kind: str | None, amounts: tuple[int]) -> None:
    value = read_value(text)
    assert (value.kind if value else None, value.amounts if value else ()) == (kind, tuple(map(Fraction, amounts)))


@pytest.mark.parametrize("text", ["", "5m", "10", "abc", "-3s", "10 sheep", "1:30", ", 5s", "5 and", "1s 2min", "５s"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a length of time"):
        parse_duration(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_lengths_of_time_are_exact(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}min{seconds}s") == hours * 3600 + minutes * 60 + seconds
    assert parse_duration(f"{minutes} minutes and {seconds} seconds") == minutes * 60 + seconds


@given(st.text(max_size=30))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.lists(st.text(alphabet="aAbB1.,:- %，", max_size=6), max_size=8))
def test_matches_agree_with_comparing_every_pair(texts: list[str]) -> None:
    matches = {match.second: match for match in find_matches(texts)}
    for second, text in enumerate(texts):
        levels = [level for other in texts[:second] if (level := compare(other, text)) is not None]
        strictest = min(levels, key=LEVELS.index, default=None)
        assert (matches[second].level if second in matches else None) == strictest
        if second in matches:
            assert compare(texts[matches[second].first], text) == strictest
