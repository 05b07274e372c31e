"""Times as people write them, and as seconds: the one place that reads `05:52-05:55`."""

from __future__ import annotations

import re
from fractions import Fraction

from ivbench_data.schema import Evidence

_CLOCK = r"[0-9]{1,3}:[0-9]{1,2}(?::[0-9]{1,2})?"
_POINT = re.compile(_CLOCK)
_RANGE = re.compile(rf"({_CLOCK})\s*[-–—~]\s*({_CLOCK})")
_WHOLE = "whole video"

_AMOUNT = r"(\d{1,6}(?:\.\d{1,6})?)"
_SECOND_UNIT = r"(?:s|secs?|seconds?)"
_DURATION = re.compile(
    rf"(?:{_AMOUNT}\s*(?:h|hrs?|hours?))?(?:\s*(?:,|and)?\s*{_AMOUNT}\s*(?:mins?|minutes?|m(?=\s*\d)))?"
    rf"(?:\s*(?:,|and)?\s*{_AMOUNT}\s*{_SECOND_UNIT}|(?<=min)(\d{{1,2}}))?",
    re.IGNORECASE,
)


def parse_clock(text: str) -> int:
    """Seconds that `M:SS` or `H:MM:SS` stands for, by value: `0:75` is 75.

    Raises:
        ValueError: the text is not such a time.
    """
    if not _POINT.fullmatch(text):
        raise ValueError(f"{text!r} is not a time like 5:30 or 1:24:06")
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds


def parse_duration(text: str) -> Fraction:
    """Seconds, exactly, that a length of time stands for: `10s`, `1min28s`, `0.5min`, `4 minutes and 18 seconds`.

    `3min14` is 194 seconds. A bare `5m` is refused: it may be metres.

    Raises:
        ValueError: the text is not such a length.
    """
    stripped = text.strip()
    match = _DURATION.fullmatch(stripped) if stripped.isascii() and stripped[:1].isdigit() else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a length of time like 10s or 1min28s")
    hours, minutes, seconds, bare_seconds = (Fraction(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + bare_seconds


def format_clock(seconds: float) -> str:
    """The time as `MM:SS`, or `H:MM:SS` from an hour up; fractions of a second are cut."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def parse_location(text: str) -> Evidence | None:
    """The evidence that a location names: a moment, a range (reversed ones as written), or the whole video.

    None when the text is none of these; nothing is guessed.
    """
    stripped = text.strip()
    if stripped.casefold() == _WHOLE:
        return Evidence(kind="whole", text=text)
    if _POINT.fullmatch(stripped):
        return Evidence(kind="point", start_seconds=parse_clock(stripped), text=text)
    if match := _RANGE.fullmatch(stripped):
        start, end = (parse_clock(part) for part in match.groups())
        return Evidence(kind="range", start_seconds=start, end_seconds=end, text=text)
    return None
