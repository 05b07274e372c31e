"""CSV in which no cell is a formula, whichever separator a spreadsheet reads it with; every text can be read back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ivbench_data.errors import UsageError

_SEPARATORS: Final = ";,\t"
_BEGINS_A_CELL: Final = r"(?:\A|(?<=[;|\t\r\n]))"
"""Also inside a text: who reads our commas as semicolons takes quotes for text, and cells begin where they like."""

_MAY_ACT: Final = r"(?:(?:[^\S\t\r\n]|\")*[=+\-@|%＝＋－＠]|')"
"""A spreadsheet may take a cell that begins so for a formula, and run it; an apostrophe would be taken for ours."""

_UNSAFE: Final = re.compile(rf"\A(?=[\t\r\n])|{_BEGINS_A_CELL}(?={_MAY_ACT})")
_MADE_SAFE: Final = re.compile(rf"\A'(?=[\t\r\n])|{_BEGINS_A_CELL}'(?={_MAY_ACT})")


def escape_cell(text: str) -> str:
    """The text with an apostrophe before whatever could begin a formula; `unescape_cell` gives the text back."""
    return _UNSAFE.sub("'", text)


def unescape_cell(cell: str) -> str:
    """The text that `escape_cell` made the cell of."""
    return _MADE_SAFE.sub("", cell)


def write_csv(rows: Iterable[Sequence[str | int | float | None]]) -> str:
    """The rows as CSV: every cell quoted, texts escaped, None as an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([escape_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def read_csv(content: bytes, file_name: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and unescaped cells of each row, separated by comma, semicolon or tab, whichever heads the file.

    Raises:
        UsageError: the file is not UTF-8, or not CSV.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file_name} is not UTF-8; save it as “CSV UTF-8”") from None
    header = text.split("\n", 1)[0]
    delimiter = max(_SEPARATORS, key=header.count)  # spreadsheets in half of Europe write semicolons
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, list(map(unescape_cell, cells))
    except csv.Error as error:
        raise UsageError(f"{file_name}:{reader.line_num}: not CSV: {error}") from None
