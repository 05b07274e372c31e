"""Draws that are the same on every machine, in every Python, and independent of each other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Value = TypeVar("Value")


class Dice:
    """Draws that depend on a key alone: SHA-256 of the key and a counter.

    Not numpy's generators: their streams may change with numpy's version.
    """

    def __init__(self, *key: str | int) -> None:
        self._key = "\0".join(map(str, key))
        self._draws = 0

    def below(self, bound: int) -> int:
        """An integer from 0 to `bound` - 1, uniform but for a bias under 2⁻⁵⁰."""
        self._draws += 1
        return int.from_bytes(hashlib.sha256(f"{self._key}\0{self._draws}".encode()).digest()[:8]) % bound

    def between(self, low: float, high: float) -> float:
        """A number from `low` to `high`, in steps of a millionth of their distance."""
        return low + (high - low) * self.below(1_000_001) / 1_000_000

    def choose(self, values: Sequence[Value]) -> Value:
        """One of the values."""
        return values[self.below(len(values))]

    def sample(self, values: Sequence[Value], count: int) -> tuple[Value, ...]:
        """That many different positions' values, in random order."""
        pool = list(values)
        for position in range(count):
            other = position + self.below(len(pool) - position)
            pool[position], pool[other] = pool[other], pool[position]
        return tuple(pool[:count])

    def shuffle(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """All the values in random order."""
        return self.sample(values, len(values))
