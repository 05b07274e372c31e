"""Many texts looked for in many bytes at once, in every way that a text is commonly written."""

from __future__ import annotations

import base64
import html
import json
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import Final, Generic, TypeVar
from urllib.parse import quote

import numpy as np

KeyT = TypeVar("KeyT", bound=Hashable)

MIN_BYTES: Final = 6
"""Shorter patterns are not looked for: in a gigabyte of compressed pictures, five given bytes turn up by chance."""

MIN_CHARACTERS: Final = 4

_BLOCK_BYTES: Final = 1 << 20
_TABLE_BITS: Final = 22


class TextFinder(Generic[KeyT]):
    """Finds texts in bytes, each under the key that it was given with; several keys may share a text.

    With `only_as_is` they are looked for in UTF-8 alone, and must have `MIN_BYTES`.
    """

    def __init__(self, texts: Iterable[tuple[KeyT, str]], only_as_is: bool = False) -> None:
        self._keys: dict[bytes, list[KeyT]] = {}
        for key, text in texts:
            for pattern in write_variants(text) if not only_as_is else {text.encode()}:
                self._keys.setdefault(pattern, []).append(key)
        self._by_start: dict[bytes, list[bytes]] = {}
        for pattern in self._keys:
            self._by_start.setdefault(pattern[:MIN_BYTES], []).append(pattern)
        self._longest = max(map(len, self._keys), default=0)
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        if self._by_start:
            self._table[_hash_windows(b"".join(self._by_start))[::MIN_BYTES]] = True

    def count(self, content: bytes) -> Counter[KeyT]:
        """How often each key's text stands in the bytes, in any way of writing it."""
        counted: Counter[KeyT] = Counter()
        for pattern in self._find(content):
            counted.update(self._keys[pattern])
        return counted

    def _find(self, content: bytes) -> Iterator[bytes]:
        # a table of the hashes of all first bytes rules out nearly every place where nothing begins
        for start in range(0, len(content) if self._keys else 0, _BLOCK_BYTES):
            windows = _hash_windows(content[start : start + _BLOCK_BYTES + MIN_BYTES - 1])
            for offset in np.flatnonzero(self._table[windows]).tolist():
                at = start + offset
                for pattern in self._by_start.get(content[at : at + MIN_BYTES], ()):
                    if content.startswith(pattern, at):
                        yield pattern


def write_variants(text: str) -> set[bytes]:
    """The text as bytes in common encodings and escapes, and backwards; none where it is too short to be recognised."""
    if len(text) < MIN_CHARACTERS:
        return set()
    plain = text.encode()
    written = {
        plain,
        text[::-1].encode(),
        text.casefold().encode(),
        text.upper().encode(),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        plain.hex().encode(),
        base64.b64encode(plain).rstrip(b"="),
        json.dumps(text)[1:-1].encode(),
        html.escape(text).encode(),
        quote(text).encode(),
    }
    return {pattern for pattern in written if len(pattern) >= MIN_BYTES}


def _hash_windows(content: bytes) -> np.ndarray:
    """A hash of the `MIN_BYTES` bytes from each place on."""
    values = np.frombuffer(content, dtype=np.uint8).astype(np.uint32)
    count = len(values) - MIN_BYTES + 1
    if count < 1:
        return np.zeros(0, dtype=np.uint32)
    mixed = np.zeros(count, dtype=np.uint32)
    for offset in range(MIN_BYTES):
        mixed = mixed * np.uint32(0x01000193) ^ values[offset : offset + count]
    return (mixed * np.uint32(2_654_435_761)) >> np.uint32(32 - _TABLE_BITS)
