"""Remove secrets from messages of sources, libraries and errors before they are shown or stored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

MAX_MESSAGE_CHARS = 600
"""Longer messages are cut: a whole web page in a ledger helps nobody."""

_MIN_SECRET_CHARS = 4
"""Shorter values (a cookie's `1`) are no secrets, and hiding them would garble every message."""

_URL = re.compile(
    r"\b([a-zA-Z][a-zA-Z0-9+.-]*)://([^\s/?#\"'<>@]*@)?([^\s/?#\"'<>]*)([^\s?#\"'<>]*)(\?[^\s#\"'<>]*)?(#\S*)?"
)
_BARE_USER = re.compile(r"\b[^\s:/@\"']+:[^\s/@\"']+@(?=[\w.-]+(?::\d+)?\b)")
_KEPT_QUERY = re.compile(r"[?&](v=[\w{}-]+)")


class Redactor:
    """Removes secrets from texts: the values given, and the user and query parts of addresses."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = {value for secret in secrets for value in (secret, unquote(secret))}
        # the longest first, so that no secret survives as the rest of a shorter one
        self._secrets = sorted((value for value in values if len(value) >= _MIN_SECRET_CHARS), key=len, reverse=True)

    def __call__(self, text: object) -> str:
        """The text with `***` for each secret."""
        redacted = str(text)
        for secret in self._secrets:
            redacted = redacted.replace(secret, "***")
        return _BARE_USER.sub("***@", _URL.sub(_plain_address, redacted))

    def shorten(self, text: object) -> str:
        """The text with `***` for each secret, in one line of at most `MAX_MESSAGE_CHARS`."""
        line = " ".join(self(text).split())
        return line if len(line) <= MAX_MESSAGE_CHARS else line[: MAX_MESSAGE_CHARS - 1] + "…"


def secrets_of_address(address: str | None) -> list[str]:
    """Secrets in an address: its user part, password, and the values of its query."""
    if not address or "://" not in address:
        return []
    parts = urlsplit(address)
    found = [parts.netloc.rpartition("@")[0], parts.password or ""]
    found += [pair.partition("=")[2] for pair in parts.query.split("&") if "{" not in pair]
    return [value for value in found if value]


def secrets_of_cookies(path: Path | None) -> list[str]:
    """The values in a Netscape cookie file; none when it cannot be read."""
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    fields = (line.removeprefix("#HttpOnly_").split("\t") for line in lines)
    return [parts[6].strip() for parts in fields if len(parts) >= 7]


def _plain_address(match: re.Match[str]) -> str:
    scheme, user, host, path, query, _ = match.groups()
    kept = _KEPT_QUERY.search(query or "")
    shown = f"?{kept[1]}" if kept else "?***" if query else ""
    return f"{scheme}://{'***@' if user else ''}{host}{path}{shown}"
