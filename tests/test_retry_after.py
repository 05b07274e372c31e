from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ivbench_data.retry_after import read_retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), (" 7 ", 7), ("1.5", 1.5), ("-5", 0), ("0", 0), ("nan", None), ("inf", None), ("soon", None),
     ("", None), (None, None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)  # fmt: skip
def test_seconds_to_wait(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value) == seconds


def test_a_date_to_come_is_counted_from_now() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert read_retry_after(later) == pytest.approx(90, abs=5)
