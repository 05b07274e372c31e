"""The order of a question's options: fixed once, at import, by a digest of their texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def order_options(question_id: str, options: Iterable[str]) -> tuple[str, ...]:
    """The options in the order of SHA-256 of `question_id NUL option` (UTF-8), ascending.

    The order rests on the texts alone: it gives no answer away, and is the same on every machine.
    """
    return tuple(sorted(options, key=lambda option: hashlib.sha256(f"{question_id}\0{option}".encode()).digest()))
