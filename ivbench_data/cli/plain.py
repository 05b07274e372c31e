"""Text that comes from outside, made harmless for a terminal."""

from __future__ import annotations


def show_plain(text: object) -> str:
    """The text with every character that a terminal would act on written out (`\\x1b`), so that it can only be read."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in str(text))
