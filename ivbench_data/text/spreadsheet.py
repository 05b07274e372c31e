"""Rows of the first sheet of an `.xlsx` file, as texts, read with the standard library.

An `.xlsx` is a ZIP of XML parts (ECMA-376). Only what a table of texts and numbers needs is read: cell references,
shared and inline strings, plain values. Formulas are not computed; their stored values are read.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from ivbench_data.errors import UsageError
from ivbench_data.text.zip_members import read_member

_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read_spreadsheet(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Row number and cells of each row of the first sheet; an empty cell is an empty text.

    Raises:
        UsageError: the file cannot be read, or is no spreadsheet.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            strings = _read_strings(archive)
            sheet = min(
                (name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)),
                key=lambda name: (len(name), name),
                default=None,
            )
            if sheet is None:
                raise UsageError(f"{path} holds no sheet")
            for number, row in enumerate(_parse(archive, sheet).iter(f"{_MAIN}row"), start=1):
                yield int(row.get("r") or number), _read_row(row, strings)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ElementTree.ParseError, ValueError, IndexError) as error:
        raise UsageError(f"{path} is no spreadsheet (.xlsx) that can be read: {error}") from error


def _parse(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    content = read_member(archive, name)
    if b"<!DOCTYPE" in content[:4096] or b"<!ENTITY" in content:  # no spreadsheet has one; entities can grow endlessly
        raise ValueError(f"its part {name} declares a document type")
    return ElementTree.fromstring(content)


def _read_strings(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_join_texts(item) for item in _parse(archive, "xl/sharedStrings.xml").iter(f"{_MAIN}si")]


def _join_texts(item: ElementTree.Element) -> str:
    """The text of a string, without its phonetic guides; `_x000D_` stands for a control character."""
    parts = [part.text or "" for part in (*item.findall(f"{_MAIN}t"), *item.findall(f"{_MAIN}r/{_MAIN}t"))]
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), "".join(parts))


def _read_row(row: ElementTree.Element, strings: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{_MAIN}c"):
        column = _read_column(cell.get("r") or "", len(cells))
        cells.extend([""] * (column - len(cells)))
        cells.append(_read_cell(cell, strings))
    return cells


def _read_column(reference: str, following: int) -> int:
    """The column, from 0, that a reference such as `AB12` names; the following one without a reference."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        return following
    column = 0
    for letter in letters[0]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return max(following, column - 1)


def _read_cell(cell: ElementTree.Element, strings: list[str]) -> str:
    kind, inline = cell.get("t"), cell.find(f"{_MAIN}is")
    if inline is not None:
        return _join_texts(inline)
    value = cell.findtext(f"{_MAIN}v") or ""
    return strings[int(value)] if kind == "s" and value else value
