"""Baselines: what is reached without looking."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.requests import Model, Reply, Request


def answer_at_random(requests: Sequence[Request]) -> Iterator[Reply]:
    """A letter for every question, drawn by the SHA-256 of its id: the same on every machine, and in any order."""
    for request in requests:
        digest = hashlib.sha256(request.question_id.encode()).digest()
        letters = request.letters
        text = letters[int.from_bytes(digest) % len(letters)] if letters else ""
        yield Reply(request.key, text=text, visual_tokens=0)


BASELINES: dict[str, Model] = {"random": answer_at_random}
"""Every baseline, by name."""


def open_model(name: str) -> Model:
    """The baseline of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in BASELINES:
        raise UsageError(f"there is no baseline named {name!r}; there are: {', '.join(BASELINES)}")
    return BASELINES[name]
