"""Clusters shared out to splits: sizes met, every label in proportion, few of them elsewhere when some are added.

Each cluster has a place, the hash of its key, and the clusters of one kind lie in the order of their places: the first
so many go to the first split, the next to the second. One more cluster moves those near the borders alone. That leaves
sizes and labels off by a few, which moves and exchanges between splits then mend, the best first, until none helps:
steepest descent on the squared deviations, some steps for each label and split, however many clusters there are. All in
integers, so that no two machines round a tie differently.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, permutations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAX_STEPS: Final = 3_000
"""Moves and exchanges at most: 100,000 questions need some hundreds."""

MAX_WEIGHT_OF_SMALL: Final = 16
"""A deviation in a split a hundredth the size is a hundred times the share; it weighs so much more, up to this."""

CANDIDATES: Final = 512
"""Kinds of clusters, the best first, from either split that are tried in exchange for each other."""

_MAX_INT64: Final = 2**62

Label = tuple[str, str]
"""A kind of label, and the label: `("task", "Counting")`."""

LABEL_WEIGHTS: Final[Mapping[str, int]] = {"size": 8, "task": 4, "category": 1, "duration": 1}
"""How much a deviation counts by the kind of label; `size` is every question."""

IntArray = npt.NDArray[Any]
"""Exact integers: int64, or Python's own where they could overflow."""


@dataclass(frozen=True)
class Load:
    """What one cluster adds to a split."""

    key: str
    """Its name, which its place is hashed from."""
    labels: Mapping[Label, int]
    """Questions by label; `("size", "")` counts all of them."""
    pinned_to: int | None = None
    """The split that it is in already."""


def find_place(salt: str, key: str) -> bytes:
    """Where in the order a cluster stands: SHA-256 of `salt NUL key` in UTF-8."""
    return hashlib.sha256(f"{salt}\0{key}".encode()).digest()


def apportion(loads: Sequence[Load], targets: Sequence[int], salt: str) -> list[int]:
    """The split of each load: positions in `targets`, the numbers of questions that the splits are to hold.

    The targets add up to all questions; the same loads in another order get the same splits.
    """
    order = sorted(range(len(loads)), key=lambda at: (find_place(salt, loads[at].key), loads[at].key))
    free = [at for at in order if loads[at].pinned_to is None]
    names = sorted({label for load in loads for label in load.labels})
    pinned = np.zeros((len(targets), len(names)), dtype=np.int64)
    columns = {name: at for at, name in enumerate(names)}
    for load in loads:
        for label, count in load.labels.items() if load.pinned_to is not None else ():
            pinned[load.pinned_to, columns[label]] += count
    kinds = _sort_into_kinds([loads[at] for at in free])
    sizes = pinned[:, columns[("size", "")]] if names else np.zeros(len(targets), np.int64)
    wanted = [max(0, target - int(size)) for target, size in zip(targets, sizes, strict=True)]
    counts = _count_by_place(kinds, free, loads, wanted)
    signatures = np.zeros((len(kinds), len(names)), dtype=np.int64)
    for row, kind in enumerate(kinds):
        for label, count in kind:
            signatures[row, columns[label]] = count
    weights = [LABEL_WEIGHTS[name] for name, _ in names]
    _Descent(signatures, counts, pinned, targets, weights).run()
    split_of = [load.pinned_to if load.pinned_to is not None else -1 for load in loads]
    for row, members in enumerate(kinds.values()):
        # within a kind, places and splits are in the same order: what moves lies at a border
        borders = list(accumulate(int(count) for count in counts[row]))
        for position, at in enumerate(members):
            split_of[free[at]] = bisect_right(borders, position)
    return split_of


Kind = tuple[tuple[Label, int], ...]


def _sort_into_kinds(loads: Sequence[Load]) -> dict[Kind, list[int]]:
    """The positions of loads that add the same, in the loads' own order."""
    kinds: dict[Kind, list[int]] = {}
    for at, load in enumerate(loads):
        kinds.setdefault(tuple(sorted(load.labels.items())), []).append(at)
    return dict(sorted(kinds.items()))


def _count_by_place(
    kinds: Mapping[Kind, Sequence[int]], free: Sequence[int], loads: Sequence[Load], wanted: Sequence[int]
) -> IntArray:
    """How many clusters of each kind each split gets before anything is mended: `[kinds, splits]`.

    Clusters are ranked by place among those with the same first task, so that a new one moves no other task's borders;
    the middle of each cluster's own stretch decides where it falls.
    """
    strata: dict[Label, list[int]] = {}
    for at, position in enumerate(free):
        strata.setdefault(_choose_stratum(loads[position]), []).append(at)
    row_of = {at: row for row, members in enumerate(kinds.values()) for at in members}
    counts = np.zeros((len(kinds), len(wanted)), dtype=np.int64)
    borders = list(accumulate(wanted))
    for members in strata.values():
        sizes = [loads[free[at]].labels[("size", "")] for at in members]
        scaled, before = [2 * sum(sizes) * border for border in borders], 0
        for at, size in zip(members, sizes, strict=True):
            counts[row_of[at], bisect_right(scaled, (2 * before + size) * borders[-1])] += 1
            before += size
    return counts


def _choose_stratum(load: Load) -> Label:
    # by name, not by rarity: a question more must not turn the ranks of two tasks round
    return min((label for label in load.labels if label[0] == "task"), default=("size", ""))


@dataclass
class _Descent:
    """Counts of each kind in each split, mended step by step."""

    signatures: IntArray
    """Questions by label of one cluster of each kind: `[kinds, labels]`."""
    counts: IntArray
    """Clusters of each kind in each split, `[kinds, splits]`; changed in place."""
    pinned: IntArray
    """Questions by label that are in a split for good: `[splits, labels]`."""
    targets: Sequence[int]
    """Questions that each split is to hold."""
    weights: Sequence[int]
    """How much each label counts."""

    def __post_init__(self) -> None:
        held = self.counts.T @ self.signatures + self.pinned
        self._total = int(sum(self.targets))
        largest = max(self.targets, default=1)
        # the share of a label is what matters, so the smaller the split, the more a question too many weighs
        self._factors = [min(MAX_WEIGHT_OF_SMALL, largest // max(1, target)) for target in self.targets]
        highest = int(self.signatures.max(initial=1)) * max(self.weights, default=1) * MAX_WEIGHT_OF_SMALL
        bound = 8 * highest * max(1, self._total) ** 2 * max(1, len(self.weights))
        kind: Any = np.int64 if bound < _MAX_INT64 else object
        self.signatures = self.signatures.astype(kind)
        of_label = held.sum(axis=0).astype(kind)
        shares = np.array([int(target) for target in self.targets], dtype=kind)
        # questions too many, times all questions, so that it is a whole number
        self._off = held.astype(kind) * self._total - shares[:, None] * of_label[None, :]
        self._weights = np.array(self.weights, dtype=kind)
        self._squares = (self.signatures**2 * self._weights).sum(axis=1) * self._total

        self._slopes = [self._measure_slope(split) for split in range(len(self.targets))]

    def run(self) -> None:
        """Take the best move, else the best exchange, until neither is an improvement."""
        for _ in range(MAX_STEPS):
            if not self._total or not (self._move() or self._exchange()):
                return

    def _measure_slope(self, split: int) -> IntArray:
        """How much one cluster of each kind more would cost the split, but for the bend: `[kinds]`."""
        slope: IntArray = self.signatures @ (self._off[split] * self._factors[split] * self._weights)
        return slope

    def _price(self, source: int, target: int) -> IntArray:
        """What moving one cluster of each kind changes, over all questions: below 0 is better; `[kinds]`."""
        bend = self._factors[source] + self._factors[target]
        price: IntArray = 2 * (self._slopes[target] - self._slopes[source]) + bend * self._squares
        return price

    def _move(self) -> bool:
        best: tuple[int, int, int, int] | None = None
        for source, target in permutations(range(len(self.targets)), 2):
            there = np.flatnonzero(self.counts[:, source])
            if not len(there):
                continue
            prices = self._price(source, target)[there]
            at = int(np.argmin(prices))
            found = (int(prices[at]), source, target, int(there[at]))
            best = found if best is None else min(best, found)
        if best is None or best[0] >= 0:
            return False
        self._apply(best[3], best[1], best[2])
        return True

    def _exchange(self) -> bool:
        best: tuple[int, int, int, int, int] | None = None
        for source, target in permutations(range(len(self.targets)), 2):
            if source > target:
                continue
            there, here = self._price(source, target), self._price(target, source)
            outs, backs = self._choose(source, there), self._choose(target, here)
            if not len(outs) or not len(backs):
                continue
            both = (self.signatures[outs] * self._weights) @ self.signatures[backs].T * self._total
            bend = self._factors[source] + self._factors[target]
            prices = there[outs][:, None] + here[backs][None, :] - 2 * bend * both
            row, column = divmod(int(np.argmin(prices)), len(backs))
            found = (int(prices[row, column]), source, target, int(outs[row]), int(backs[column]))
            best = found if best is None else min(best, found)
        if best is None or best[0] >= 0:
            return False
        _, source, target, out, back = best
        self._apply(out, source, target)
        self._apply(back, target, source)
        return True

    def _choose(self, split: int, prices: IntArray) -> IntArray:
        there = np.flatnonzero(self.counts[:, split])
        chosen: IntArray = there[np.argsort(prices[there], kind="stable")[:CANDIDATES]]
        return chosen

    def _apply(self, kind: int, source: int, target: int) -> None:
        self.counts[kind, source] -= 1
        self.counts[kind, target] += 1
        moved = self.signatures[kind] * self._total
        self._off[source] = self._off[source] - moved
        self._off[target] = self._off[target] + moved
        for split in (source, target):
            self._slopes[split] = self._measure_slope(split)
