"""Markdown in which no text from outside can act: escaped words, and tables of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ivbench_data.html.page import escape

_PUNCTUATION: Final = re.compile(
    r"(?<=[^\W_])[-_](?=[^\W_])"  # within a word they are literal
    r"|(?<=[^\W_])(?<!www)\.(?=[^\W_])"  # and so is a dot, but for that of an address
    r"|(?P<acts>[!#$%()*+\-./:;=?@\[\\\]^_`{|}~])",
    re.IGNORECASE,
)
"""The punctuation that acts, or could, in GitHub's Markdown; a backslash makes it literal."""


class Code(str):
    """A cell of a table that is set as code; a name of our own, without a backtick or a bar."""


def flatten(text: object) -> str:
    """The text in one line."""
    return " ".join(str(text).split())


def escape_markdown(text: object) -> str:
    """The text in one line, as it is shown literally, in a cell of a table too: no markup, HTML or link."""
    # an apostrophe acts in an attribute of HTML alone, and this text is never in one
    safe = escape(flatten(text)).replace("&#x27;", "'")
    return "".join(
        part if part.startswith("&") else _PUNCTUATION.sub(_make_literal, part)
        for part in re.split(r"(&(?:amp|lt|gt|quot);)", safe)
    )


def _make_literal(match: re.Match[str]) -> str:
    return f"\\{match[0]}" if match["acts"] else match[0]


def draw_table(columns: Iterable[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of a table; columns of numbers are set flush right, no count is left blank, None is a dash."""
    columns, body = list(columns), [list(row) for row in rows]
    numeric = [all(isinstance(row[at], int | float | None) for row in body) for at in range(len(columns))]
    yield f"| {' | '.join(map(escape_markdown, columns))} |"
    yield "|" + "|".join("---:" if right else "---" for right in numeric) + "|"
    for row in body:
        yield f"| {' | '.join(map(_write_cell, row))} |"


def _write_cell(value: object) -> str:
    if isinstance(value, Code):
        return f"`{value}`"
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, int):
        return f"{value:,}" if value else ""
    return escape_markdown(value)
