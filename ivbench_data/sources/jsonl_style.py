"""How a released JSONL file writes its lines, where JSON leaves it open: kept, so that its bytes can be made again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Literal

from pydantic import JsonValue

from ivbench_data.schema import Record


class JsonlStyle(Record):
    """The writing of one file."""

    ascii: bool = False
    """Whether other characters are written as `\\u…`."""
    compact: bool = False
    """Whether there is no space after commas and colons."""
    newline: Literal["\n", "\r\n"] = "\n"
    """How a line ends."""
    ends_with_newline: bool = True
    """Whether the last one does."""

    def write(self, records: Iterable[Mapping[str, JsonValue]]) -> bytes:
        """The file's bytes."""
        separators = (",", ":") if self.compact else (", ", ": ")
        lines = [json.dumps(record, ensure_ascii=self.ascii, separators=separators) for record in records]
        return (self.newline.join(lines) + (self.newline if lines and self.ends_with_newline else "")).encode()


def find_style(content: bytes, records: Iterable[Mapping[str, JsonValue]]) -> JsonlStyle | None:
    """The style that makes a file's bytes of its records again; None where none does."""
    kept = list(records)
    newline: Literal["\n", "\r\n"] = "\r\n" if b"\r\n" in content else "\n"
    for is_ascii, is_compact in product((False, True), repeat=2):
        style = JsonlStyle(
            ascii=is_ascii, compact=is_compact, newline=newline, ends_with_newline=content.endswith(b"\n")
        )
        if style.write(kept) == content:
            return style
    return None
