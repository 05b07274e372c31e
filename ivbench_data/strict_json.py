"""JSON read strictly, and JSONL: a line that cannot be used is named by file and line, and the others stay usable."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from reprlib import repr as shorten
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

from ivbench_data.atomic_files import write_atomically
from ivbench_data.errors import UsageError
from ivbench_data.schema import BadLine, Record

MAX_NESTING = 32
"""Deeper JSON than this is refused: nothing honest needs it, and it exhausts the stack of whoever reads it."""

MAX_LINE_BYTES = 16 * 2**20

RecordT = TypeVar("RecordT", bound=Record)


def parse_json(content: bytes) -> JsonValue:
    """The JSON value of some bytes, strictly.

    Raises:
        ValueError: not UTF-8, not JSON, a byte-order mark, NaN or Infinity, a number too large for a float, a key given
            twice in one object, a lone surrogate, or nesting deeper than `MAX_NESTING`.
    """
    if len(content) > MAX_LINE_BYTES * 64:
        raise ValueError(f"{len(content)} bytes are too many")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte {error.start} is 0x{content[error.start]:02x}") from None
    if text.startswith("\ufeff"):
        raise ValueError("begins with a byte-order mark; save it as plain UTF-8")
    try:
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_finite_float,
            parse_int=_bounded_int,
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    _check_depth(value)
    if "\\u" in text or "\\U" in text:
        _check_surrogates(value)
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {shorten(key)} is given twice")
            seen.add(key)
    return record


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _bounded_int(text: str) -> int:
    if len(text) > sys.float_info.max_10_exp:
        raise ValueError(f"the number {text[:20]}… of {len(text)} digits is too large")
    return int(text)


def _check_depth(value: JsonValue) -> None:
    level: list[JsonValue] = [value]
    for _ in range(MAX_NESTING):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_NESTING} levels")


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_surrogates(value: JsonValue) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds a lone surrogate, which is not text") from None


def explain(error: ValidationError) -> str:
    """A validation error in one line: which field, what is wrong with it, and the value."""
    messages = []
    for item in error.errors(include_url=False):
        place = ".".join(map(str, item["loc"]))[:100]
        message = item["msg"].removeprefix("Value error, ")
        messages.append(f"{place}: {message}" if place else message)
    return "; ".join(messages[:5]) + (f"; and {len(messages) - 5} more" if len(messages) > 5 else "")


def iterate_jsonl(path: Path, name: str | None = None) -> Iterator[tuple[int, bytes, JsonValue | BadLine]]:
    """Line number, its bytes, and its value or what is wrong with it; blank lines are passed over.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        for number, line in enumerate(_bounded_lines(file), start=1):
            if not line.strip():
                continue
            if len(line) > MAX_LINE_BYTES:
                yield number, b"", BadLine(file=name or path.name, line=number, reason=f"over {MAX_LINE_BYTES} bytes")
                continue
            try:
                yield number, line, parse_json(line.rstrip(b"\n"))
            except ValueError as error:
                yield number, line, BadLine(file=name or path.name, line=number, reason=str(error))


def _bounded_lines(file: Any) -> Iterator[bytes]:
    """The file's lines, each cut after `MAX_LINE_BYTES`, so that a file without newlines costs no more memory."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + 1)
            if not line:
                return


def read_jsonl(path: Path, record: type[RecordT], key: str | None) -> tuple[list[RecordT], list[BadLine]]:
    """The records of a JSONL file, and the lines that hold none; `key` names their unique field, if any.

    Raises:
        UsageError: the file cannot be read.
    """
    records: list[RecordT] = []
    bad: list[BadLine] = []
    line_of: dict[str, int] = {}
    for number, line, value in iterate_jsonl(path):
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        try:
            # JSON mode, on the line's own bytes: tuples come as arrays, and nothing is coerced that JSON has a type for
            made = record.model_validate_json(line)
        except ValidationError as error:
            bad.append(BadLine(file=path.name, line=number, reason=explain(error)))
            continue
        first = number if key is None else line_of.setdefault(getattr(made, key), number)
        if key is not None and first != number:
            reason = f"{key} {getattr(made, key)!r} stands in line {first} already"
            bad.append(BadLine(file=path.name, line=number, reason=reason))
            continue
        records.append(made)
    return records, bad


def write_jsonl(path: Path, records: Iterable[Record]) -> None:
    """Write the records atomically, a line each: UTF-8, keys in the schema's order, defaults left out."""
    with write_atomically(path) as file:
        file.writelines(encode_lines(records))


def encode_lines(records: Iterable[Record]) -> Iterator[bytes]:
    """The lines of a JSONL file: UTF-8, keys in the schema's order, defaults left out."""
    return (record.model_dump_json(exclude_defaults=True).encode() + b"\n" for record in records)
