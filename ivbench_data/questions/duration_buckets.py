"""Buckets of video durations, by name."""

from __future__ import annotations

DURATION_BUCKETS: tuple[tuple[str, float], ...] = (
    ("under 1 min", 60),
    ("1 to 3 min", 180),
    ("3 to 10 min", 600),
    ("10 to 30 min", 1800),
    ("30 min and over", float("inf")),
)
"""Names of durations, and where each ends, in seconds."""


def name_duration(seconds: float) -> str:
    """The bucket that a duration falls into."""
    return next(name for name, end in DURATION_BUCKETS if seconds < end)
