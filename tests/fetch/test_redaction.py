from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.fetch.redaction import MAX_MESSAGE_CHARS, Redactor, secrets_of_address, secrets_of_cookies


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://user:hunter2@a.example/x.mp4", "at https://***@a.example/x.mp4"),
        ("at https://a.example/x.mp4?token=hunter2&e=1", "at https://a.example/x.mp4?***"),
        ("at https://www.youtube.com/watch?v=-3xJXP4KJJg&t=9", "at https://www.youtube.com/watch?v=-3xJXP4KJJg"),
        ("proxy http://user:hunter2@10.0.0.1:3128 refused", "proxy http://***@10.0.0.1:3128 refused"),
        ("socks5://u:hunter2@p.example", "socks5://***@p.example"),
        ("nothing to hide: HTTP Error 404", "nothing to hide: HTTP Error 404"),
    ],
)
def test_addresses_lose_their_secrets(text: str, shown: str) -> None:
    assert Redactor()(text) == shown


@given(st.text(), st.text(min_size=4).filter(lambda secret: secret not in "***@?***"), st.text())
def test_a_known_secret_never_survives(before: str, secret: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + "\n" + secret + "\n" + after) or secret in "\n***@?"


def test_percent_encoded_secrets_are_hidden_in_both_spellings() -> None:
    redact = Redactor(secrets_of_address("http://user:p%40ssword@proxy.example:1"))
    assert "ssword" not in redact("p%40ssword and p@ssword")


def test_messages_are_one_line_and_bounded() -> None:
    shortened = Redactor().shorten("a\nb  " + "c" * 10_000)
    assert shortened.startswith("a b c")
    assert len(shortened) == MAX_MESSAGE_CHARS


def test_cookie_values_are_secrets(tmp_path: Path) -> None:
    path = tmp_path / "cookies.txt"
    path.write_text(
        "# Netscape HTTP Cookie File\n"
        ".youtube.com\tTRUE\t/\tTRUE\t2147483647\tSID\tcanary-one\n"
        "#HttpOnly_.youtube.com\tTRUE\t/\tTRUE\t2147483647\tHSID\tcanary-two\n"
    )
    assert secrets_of_cookies(path) == ["canary-one", "canary-two"]
    assert secrets_of_cookies(tmp_path / "absent") == []
