"""Formatting of a released JSONL file, where JSON allows several: kept, so that its bytes can be rebuilt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Literal

from pydantic import JsonValue

from ivbench_data.schema import Record


class JsonlStyle(Record):
    """Formatting of one file."""

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
    """The style in which the records give the file's bytes; None where there is none."""
    kept = list(records)
    newline: Literal["\n", "\r\n"] = "\r\n" if b"\r\n" in content else "\n"
    for is_ascii, is_compact in product((False, True), repeat=2):
        style = JsonlStyle(
            ascii=is_ascii, compact=is_compact, newline=newline, ends_with_newline=content.endswith(b"\n")
        )
        if style.write(kept) == content:
            return style
    return None
