"""One JSON list of records, read record by record: a broken one is named by its line, and the others stay usable.

`json.load` gives all or nothing, and holds the whole file as text and as objects at once. Here the file is mapped, its
elements are separated by their brackets, and each is parsed by itself; memory grows with the largest record alone.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import JsonValue

from ivbench_data.errors import UsageError
from ivbench_data.schema import BadLine, Record
from ivbench_data.strict_json import MAX_LINE_BYTES, parse_json

MAX_RECORD_BYTES = MAX_LINE_BYTES

# A string ends with its line at the latest, for JSON strings hold no line ends: an unclosed one spoils its own record.
_TOKEN = re.compile(rb'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+(?:"|\\?(?=\n)|\\?\Z)|[\[\]{},\n]')
_SPACE = b" \t\r\n"


def iterate_json_list(path: Path, name: str | None = None) -> Iterator[tuple[int, JsonValue | BadLine]]:
    """The line on which each element begins, and its value or what is wrong with it.

    Where records begin on lines of their own, all indented alike, a record that is never closed ends where the next
    one begins. In a file of a single line it takes the rest with it, and is named.

    Raises:
        UsageError: the file cannot be read, or holds no JSON list.
    """
    content = _map_file(path)
    opening = re.match(rb"[ \t\r\n]*+\[", content)
    if opening is None:
        advice = "; it begins with a byte-order mark: save it as plain UTF-8" if content[:3] == b"\xef\xbb\xbf" else ""
        raise UsageError(f"{path} is not a JSON list of records{advice}")
    yield from _iterate(content, opening.end(), name or path.name)


def _map_file(path: Path) -> mmap.mmap | bytes:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def _iterate(content: mmap.mmap | bytes, at: int, name: str) -> Iterator[tuple[int, JsonValue | BadLine]]:
    margin = _find_margin(content, at)
    depth, line = 1, 1 + content[:at].count(b"\n")
    start, start_line = at, line
    for token in _TOKEN.finditer(content, at):
        at = token.start()
        match content[at]:
            case 0x0A:
                line += 1
                if margin is not None and depth > 1 and content[at : at + len(margin)] == margin:
                    # the record before was never closed; what is left of it ends here
                    yield from _read_element(content, start, at, start_line, name)
                    depth, start, start_line = 1, at, line - 1
            case 0x5B | 0x7B:
                depth += 1
            case 0x5D | 0x7D if depth > 1:
                depth -= 1
            case 0x5D if margin is None or content.find(margin, at) < 0:
                if not _is_blank(content, start, at):
                    yield from _read_element(content, start, at, start_line, name)
                if not _is_blank(content, token.end(), len(content)):
                    yield line, BadLine(file=name, line=line, reason="something stands after the end of the list")
                return
            case 0x2C if depth == 1:
                yield from _read_element(content, start, at, start_line, name)
                start, start_line = token.end(), line
            # a string; a comma inside a record; a surplus bracket, which spoils its record
    if not _is_blank(content, start, len(content)):
        yield from _read_element(content, start, len(content), start_line, name)
    yield line, BadLine(file=name, line=line, reason="the file ends before its list does")


def _find_margin(content: mmap.mmap | bytes, at: int) -> bytes | None:
    """The line end, indentation and brace that every record begins with; None where they share a line."""
    found = re.compile(rb"[ \t]*+\r?(\n[ \t]*+\{)").match(content, at)
    return found[1] if found else None


def _read_element(
    content: mmap.mmap | bytes, start: int, end: int, line: int, name: str
) -> Iterator[tuple[int, JsonValue | BadLine]]:
    begin = _skip_space(content, start, end)
    line += content[start:begin].count(b"\n")
    if begin == end:
        yield line, BadLine(file=name, line=line, reason="there is no record between two commas")
    elif end - begin > MAX_RECORD_BYTES:
        yield line, BadLine(file=name, line=line, reason=f"over {MAX_RECORD_BYTES} bytes")
    else:
        try:
            yield line, parse_json(content[begin:end].rstrip(_SPACE))
        except ValueError as error:
            yield line, BadLine(file=name, line=line, reason=f"the record that begins here: {error}")


def _is_blank(content: mmap.mmap | bytes, start: int, end: int) -> bool:
    return _skip_space(content, start, end) == end


def _skip_space(content: mmap.mmap | bytes, start: int, end: int) -> int:
    """Where the next thing begins that is not space."""
    space = re.compile(rb"[ \t\r\n]*+").match(content, start, end)
    return space.end() if space else start


# --- and back ---------------------------------------------------------------------------------------------------


class ListForm(Record):
    """Formatting of a JSON list: what its values do not determine of its bytes."""

    indent: int | Literal["\t"] | None = None
    """Spaces a level, a tab, or None for a single line."""
    is_ascii: bool = True
    """Whether other letters stand as escapes."""
    is_compact: bool = False
    """Whether no space follows commas and colons."""
    ends_with_newline: bool = False
    """Whether a line end follows the list."""


_HEAD_BYTES: Final = 1 << 16


def detect_form(path: Path) -> ListForm:
    """Formatting of the list in a file, from its first bytes and its last one."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        is_ascii = head.isascii()
        while is_ascii and (block := file.read(1 << 20)):
            is_ascii = block.isascii()
        file.seek(-1, 2)
        last = file.read(1)
    margin = re.match(rb"\[\n([ \t]*)", head)
    spaces = margin[1].decode() if margin else ""
    indent: int | Literal["\t"] | None = None
    if margin:
        indent = "\t" if spaces == "\t" else len(spaces)
    return ListForm(
        indent=indent,
        is_ascii=is_ascii,
        is_compact=re.search(rb'":(?=\S)', head) is not None and re.search(rb'": ', head) is None,
        ends_with_newline=last == b"\n",
    )


def write_json_list(records: Iterable[Mapping[str, JsonValue]], form: ListForm) -> Iterator[bytes]:
    """The bytes of a list of records, a piece a record, as Python's `json` writes them in that form."""
    import json

    separators = (",", ":") if form.is_compact else (("," if form.indent is not None else ", "), ": ")
    step = form.indent if form.indent is None or isinstance(form.indent, str) else " " * form.indent
    inner = "" if step is None else f"\n{step}"
    outer = "" if step is None else "\n"
    before, is_empty = "[" + inner, True
    for record in records:
        text = json.dumps(record, ensure_ascii=form.is_ascii, indent=form.indent, separators=separators)
        # a level deeper; a line end in the text is one of the layout, for strings hold them as escapes
        yield (before + (text if step is None else text.replace("\n", inner))).encode()
        before, is_empty = separators[0] + inner, False
    yield (("[]" if is_empty else f"{outer}]") + ("\n" if form.ends_with_newline else "")).encode()
