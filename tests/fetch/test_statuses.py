from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.fetch import statuses
from ivbench_data.fetch.statuses import LOST, MEANINGS, UNKNOWN, explain_message, is_bare_unavailable, write_table
from ivbench_data.schema import FetchStatus

MESSAGES = [
    ("Sign in to confirm you’re not a bot. Use --cookies-from-browser", "needs_cookies", "next run", True),
    ("Sign in to confirm you're not a bot", "needs_cookies", "next run", True),
    ("Something. YouTube is requiring a captcha challenge before playback", "needs_cookies", "next run", True),
    ("Sign in to confirm your age. This video may be inappropriate", "age_restricted", "next run", False),
    ("Private video. Sign in if you've been granted access to this video", "private", "when asked", False),
    ("Video unavailable. This video is private", "private", "when asked", False),
    ("Join this channel to get access to members-only content", "members_only", "when asked", False),
    ("This video is available to this channel's members on level: Gold", "members_only", "when asked", False),
    ("This video requires payment to watch", "members_only", "when asked", False),
    ("This content isn't available, try again later. The current session has been rate-limited by YouTube for up to an "
     "hour", "rate_limited", "next run", True),
    ("The uploader has not made this video available in your country", "geo_blocked", "when asked", False),
    ("Video unavailable. The uploader has not made this video available in your country", "geo_blocked", "when asked",
     False),
    ("Video unavailable. This video contains content from X, who has blocked it in your country on copyright grounds",
     "geo_blocked", "when asked", False),
    ("Video unavailable. This video is no longer available due to a copyright claim by X", "removed", "when asked",
     False),
    ("This video is no longer available because the YouTube account associated with this video has been terminated.",
     "removed", "when asked", False),
    ("Video unavailable. This video has been removed by the uploader", "removed", "when asked", False),
    ("This video has been removed for violating YouTube's policy", "removed", "when asked", False),
    ("Premieres in 3 days", "not_yet", "next run", False),
    ("This live event will begin in 2 hours.", "not_yet", "next run", False),
    ("Requested format is not available. Use --list-formats", "configuration", "next run", False),
    ("You have requested merging of multiple formats but ffmpeg is not installed. Aborting", "configuration",
     "next run", True),
    ("HTTP Error 429: Too Many Requests", "rate_limited", "this run", True),
    ("HTTP Error 403: Forbidden", "unknown", "once more", False),
    ("The downloaded file is empty", "corrupt", "once more", False),
    ("HTTP Error 404: Not Found", "removed", "when asked", False),
    ("HTTP Error 410: Gone", "removed", "when asked", False),
    ("HTTP Error 500: Internal Server Error", "network", "this run", False),
    ("HTTP Error 503: Service Unavailable", "network", "this run", False),
    ("timed out", "network", "this run", False),
    ("[Errno 104] Connection reset by peer", "network", "this run", False),
    ("<urlopen error [Errno -3] Temporary failure in name resolution>", "network", "this run", False),
    ("1000 bytes read, 5604 more expected", "network", "this run", False),
    ("Video unavailable", "unknown", "after a day", False),
    ("Video unavailable. This video isn’t available anymore", "unknown", "after a day", False),
    ("a message that nobody has seen before", "unknown", "next run", False),
]  # fmt: skip


@pytest.mark.parametrize(("message", "status", "again", "stops"), MESSAGES, ids=[row[0][:50] for row in MESSAGES])
def test_each_message_means_what_the_notes_say(message: str, status: str, again: str, stops: bool) -> None:
    for spelling in (message, message.upper(), message.replace(" ", "\n")):
        meaning = explain_message(spelling)
        assert (meaning.status, meaning.again, meaning.stops_queue) == (status, again, stops)


def test_the_documented_table_is_the_codes_table() -> None:
    assert statuses.__doc__ is not None
    assert statuses.__doc__.endswith(f"\n\n{write_table()}\n")


def test_the_table_knows_only_statuses_that_a_row_can_have() -> None:
    known = set(FetchStatus.__args__)
    assert {meaning.status for meaning in (*MEANINGS, UNKNOWN)} <= known
    assert known >= LOST
    assert {meaning.status for meaning in MEANINGS if meaning.again == "when asked"} <= LOST | {"over_limit"}


def test_every_row_that_stops_the_queue_says_what_to_do() -> None:
    assert [meaning.words for meaning in MEANINGS if meaning.stops_queue and not meaning.advice] == []


@given(st.text())
def test_any_message_has_a_meaning(message: str) -> None:
    assert explain_message(message).status in FetchStatus.__args__


def test_only_a_bare_message_is_ambiguous() -> None:
    assert is_bare_unavailable("Video unavailable")
    assert not is_bare_unavailable("Video unavailable. This video is private")
    assert not is_bare_unavailable(None)
