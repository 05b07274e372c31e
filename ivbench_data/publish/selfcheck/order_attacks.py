"""Attacks on the order: of options within a question, and of questions within a split.

Where options come in the order of a secret, none of these can do better than chance, whatever the texts.
"""

from __future__ import annotations

import hashlib
import random
import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import log
from typing import Final

import numpy as np

from ivbench_data.publish.selfcheck.attack_input import AttackInput, Guess
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import Question

MAX_SEEDED: Final = 300
"""Questions that seeds are tried on: more would not make a broken shuffle any plainer."""

SEEDS: Final = (
    *range(11), 12, 13, 21, 37, 42, 43, 99, 100, 101, 111, 123, 256, 314, 333, 512, 666, 777, 888, 999, 1000, 1024,
    1111, 1234, 1337, 2000, *range(2018, 2029), 2048, 2333, 3407, 4242, 8888, 9999, 12345, 31415, 65537, 114514, 123456,
    314159, 654321, 1234567, 123456789, 0xDEADBEEF,
)  # fmt: skip
"""What people seed with."""

MIN_ORDERED: Final = 5
"""Fewer options are in any order too often by chance."""


# --- positions ----------------------------------------------------------------------------------------------------


def guess_by_position(case: AttackInput) -> Iterator[Guess]:
    """Always the same position; the one that half the answers favour; one that follows row numbers or earlier rows."""
    sizes = {number: len(case.questions[number].options) for number in case.chosen}
    most = max(sizes.values(), default=0)
    in_id = {number: _read_number(case.questions[number].question_id) for number in case.chosen}
    before = {later: case.questions[earlier].correct_indices[0] for earlier, later in pairwise(case.chosen)}
    for slot in range(most):
        yield case.try_slots(f"the position: always option {slot + 1}", dict.fromkeys(case.chosen, slot))
        from_end = {number: size - 1 - slot for number, size in sizes.items()}
        yield case.try_slots(f"the position: always option {slot + 1} from the end", from_end)
    for step in range(most):
        for told, of_row in (
            ("the row's number", {number: number + step for number in sizes}),
            ("the row's number backwards", {number: step - number for number in sizes}),
            ("the number in the question's id", {number: value + step for number, value in in_id.items()}),
            ("the answer's position in the row before", {number: value + step for number, value in before.items()}),
        ):
            yield case.try_slots(f"{told}, plus {step}", {number: at % sizes[number] for number, at in of_row.items()})
    for name, learn, ask in (("first", 0, 1), ("second", 1, 0)):
        favoured: dict[int, Counter[int]] = defaultdict(Counter)
        for number in case.halves[learn]:
            question = case.questions[number]
            favoured[len(question.options)].update(question.correct_indices)
        slots = {
            number: max(favoured[len(case.questions[number].options)].items(), key=lambda item: (item[1], item[0]))[0]
            for number in case.halves[ask]
            if favoured[len(case.questions[number].options)]
        }
        yield case.try_slots(f"the position that is favoured in the {name} half of the videos", slots)


def _read_number(question_id: str) -> int:
    """The last number in an id; 0 where there is none."""
    found = re.findall(r"\d{1,9}", question_id, re.ASCII)
    return int(found[-1]) if found else 0


# --- public orders, turned round ----------------------------------------------------------------------------------


def guess_by_hash_order(case: AttackInput) -> Iterator[Guess]:
    """The option that is first, second, … in the order of a public digest of id and option."""
    most = max((len(case.questions[number].options) for number in case.chosen), default=0)
    for algorithm in ("sha256", "sha1", "md5", "blake2b", "crc32"):
        for form in ("{id}\0{option}", "{id}{option}", "{id}_{option}", "{id}:{option}", "{option}{id}"):
            ranked = {number: _rank(case.questions[number], algorithm, form) for number in case.chosen}
            for place in range(most):
                told = f"{algorithm} of {form!r}: the option that is number {place + 1} in its order"
                slots = {number: order[place] for number, order in ranked.items() if place < len(order)}
                yield case.try_slots(told, slots)


def _rank(question: Question, algorithm: str, form: str) -> list[int]:
    messages = [form.format(id=question.question_id, option=option).encode() for option in question.options]
    if algorithm == "crc32":
        return sorted(range(len(messages)), key=lambda at: zlib.crc32(messages[at]))
    return sorted(range(len(messages)), key=lambda at: hashlib.new(algorithm, messages[at]).digest())


ORDERS: Final[Mapping[str, Callable[[Question, str], object]]] = {
    "the alphabet": lambda question, option: option,
    "the alphabet, case aside": lambda question, option: option.strip().casefold(),
    "the alphabet, backwards": lambda question, option: tuple(-ord(char) for char in option),
    "length": lambda question, option: (len(option), option),
    "SHA-256 of id and option": lambda question, option: hashlib.sha256(
        f"{question.question_id}\0{option}".encode()
    ).digest(),
    "SHA-256 of the option": lambda question, option: hashlib.sha256(option.encode()).digest(),
    "MD5 of the option": lambda question, option: hashlib.md5(option.encode(), usedforsecurity=False).digest(),
}
"""Orders that wrong options may have been left in."""


def guess_by_broken_order(case: AttackInput) -> Iterator[Guess]:
    """The one option that stands where it does not belong in an order, and the first of those that an order ties."""
    for name, key in ORDERS.items():
        slots = {}
        for number in case.chosen:
            question = case.questions[number]
            keys = [key(question, option) for option in question.options]
            odd = _find_odd_one(keys)
            if odd is not None:
                slots[number] = odd
        yield case.try_slots(f"an order: the only option out of that of {name}", slots)
    for name, fold in (("case and space aside", _fold), ("as letters and digits alone", _fold_to_letters)):
        for place, last in (("first", False), ("last", True)):
            tied = [alike for number in case.chosen if len(alike := _find_alike(case.questions[number], fold)) > 1]
            hits = sum(alike[-1 if last else 0] for alike in tied)
            chances = tuple(1 / len(alike) for alike in tied)
            yield Guess(f"a stable sort: the {place} of the options that are alike {name}", hits, chances)


def _find_odd_one(keys: Sequence[object]) -> int | None:
    """The only position without which the keys ascend; None where they do already, or where there is none or two."""
    falls = sum(later < earlier for earlier, later in pairwise(keys))  # type: ignore[operator]  # keys are of one kind
    if len(keys) < MIN_ORDERED or not 0 < falls <= 2:  # one that is out of its place makes two at most
        return None
    found = [at for at in range(len(keys)) if _ascends([*keys[:at], *keys[at + 1 :]])]
    return found[0] if len(found) == 1 else None


def _ascends(keys: Sequence[object]) -> bool:
    return all(not (later < earlier) for earlier, later in pairwise(keys))  # type: ignore[operator]  # keys are of one kind


def _find_alike(question: Question, fold: Callable[[str], str]) -> list[bool]:
    """Of the distinct options that look like the answer, itself among them, in their order: which one it is."""
    folded = fold(str(question.answer))
    alike = dict.fromkeys(option for option in question.options if fold(option) == folded)
    return [option == question.answer for option in alike]


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _fold_to_letters(text: str) -> str:
    return "".join(char for char in _fold(text) if char.isalnum())


# --- seeds --------------------------------------------------------------------------------------------------------


def guess_by_seed(case: AttackInput) -> Iterator[Guess]:
    """Where a shuffle by a seed that people use would put the answer, had it come first or last, or been put in."""
    numbers = case.chosen[:MAX_SEEDED]
    named = sorted(case.chosen, key=lambda number: _natural_key(case.questions[number].question_id))[:MAX_SEEDED]
    sizes = {number: len(case.questions[number].options) for number in (*numbers, *named)}
    for seed in SEEDS:
        for shuffler, make in SHUFFLERS.items():
            once = {size: _place(make(seed), size) for size in set(sizes.values())}
            anew = {number: once[sizes[number]] for number in numbers}
            yield from _try_places(case, f"{shuffler}({seed}) for each question", anew)
            for told, order in (("row by row", numbers), ("in the order of ids", named)):
                running = make(seed)
                placed = {number: _place(running, sizes[number]) for number in order}
                yield from _try_places(case, f"{shuffler}({seed}), {told}", placed)
    for key, of_question in KEYS.items():
        keys = {number: of_question(case.questions[number], number) for number in numbers}
        for shuffler, make in SHUFFLERS.items():
            if shuffler.startswith("random.") or not any(isinstance(one, str) for one in keys.values()):
                placed = {number: _place(make(one), sizes[number]) for number, one in keys.items()}
                yield from _try_places(case, f"{shuffler}({key})", placed)


_Places = tuple[int, int]
"""Where a shuffle puts what came first, and what came last."""

KEYS: Final[Mapping[str, Callable[[Question, int], int | str]]] = {
    "question_id": lambda question, number: question.question_id,
    "video_id": lambda question, number: question.video_id or "",
    "question": lambda question, number: question.question,
    "row": lambda question, number: number,
    "row + 1": lambda question, number: number + 1,
    "row + 42": lambda question, number: number + 42,
    "number in question_id": lambda question, number: _read_number(question.question_id),
    "sha256 of question_id": lambda question, number: _digest_number("sha256", question.question_id, None),
    "sha256 of question_id, 8 digits": lambda question, number: _digest_number("sha256", question.question_id, 8),
    "sha256 of question_id, 16 digits": lambda question, number: _digest_number("sha256", question.question_id, 16),
    "md5 of question_id": lambda question, number: _digest_number("md5", question.question_id, None),
    "md5 of question_id, 8 digits": lambda question, number: _digest_number("md5", question.question_id, 8),
    "md5 of question": lambda question, number: _digest_number("md5", question.question, None),
    "crc32 of question_id": lambda question, number: zlib.crc32(question.question_id.encode()),
    "sum of characters of question_id": lambda question, number: sum(question.question_id.encode()),
}
"""What a question may be shuffled with."""


def _digest_number(algorithm: str, text: str, digits: int | None) -> int:
    return int(hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()[:digits], 16)


class _Shuffle:
    """`random.Random.shuffle`, and where it puts what came first and last."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def order(self, size: int) -> Sequence[int]:
        order = list(range(size))
        self._random.shuffle(order)
        return order


class _Sample(_Shuffle):
    def order(self, size: int) -> Sequence[int]:
        return self._random.sample(range(size), size)


class _Insertion(_Shuffle):
    def order(self, size: int) -> Sequence[int]:
        # what came first is put in at the place drawn; what came last stays last, or first
        slot = self._random.randrange(size)
        return [*range(1, slot + 1), 0, *range(slot + 1, size)]


class _NumpyShuffle:
    def __init__(self, seed: int | str) -> None:
        self._random = np.random.RandomState(int(seed) % 2**32)

    def order(self, size: int) -> Sequence[int]:
        order: list[int] = self._random.permutation(size).tolist()
        return order


class _NumpyInsertion(_NumpyShuffle):
    def order(self, size: int) -> Sequence[int]:
        slot = int(self._random.randint(size))
        return [*range(1, slot + 1), 0, *range(slot + 1, size)]


class _GeneratorShuffle:
    def __init__(self, seed: int | str) -> None:
        self._random = np.random.default_rng(int(seed))

    def order(self, size: int) -> Sequence[int]:
        order: list[int] = self._random.permutation(size).tolist()
        return order


_Shuffler = _Shuffle | _NumpyShuffle | _GeneratorShuffle

SHUFFLERS: Final[Mapping[str, Callable[[int | str], _Shuffler]]] = {
    "random.Random.shuffle": _Shuffle,
    "random.Random.sample": _Sample,
    "random.Random.randrange": _Insertion,
    "numpy.random.RandomState.permutation": _NumpyShuffle,
    "numpy.random.RandomState.randint": _NumpyInsertion,
    "numpy.random.default_rng.permutation": _GeneratorShuffle,
}
"""Ways to draw an order from a seed."""


def _place(shuffler: _Shuffler, size: int) -> _Places:
    order = shuffler.order(size)
    return order.index(0), order.index(size - 1)


def _try_places(case: AttackInput, name: str, placed: Mapping[int, _Places]) -> Iterator[Guess]:
    for which, told in enumerate(("first", "last")):
        slots = {number: places[which] for number, places in placed.items()}
        yield case.try_slots(f"the seed of a shuffle of options with the answer {told}: {name}", slots)


def _natural_key(text: str) -> list[tuple[int, str]]:
    """Ids in the order that a person would put them: 2 before 10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", text, flags=re.ASCII)]


# --- a small model ------------------------------------------------------------------------------------------------

MODULI: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16)


def guess_by_model(case: AttackInput) -> Iterator[Guess]:
    """What a model learns from one half of the videos about positions and rows, asked about the other.

    Each option has a handful of traits (its position; its position beside the row's number, the number within the
    video, the position before, …), and each trait the odds at which it went with the answer: their sum decides, as in
    naive Bayes.
    """
    traits = _list_traits(case)
    for name, learn, ask in (("first", 0, 1), ("second", 1, 0)):
        right: Counter[object] = Counter()
        expected: dict[object, float] = defaultdict(float)
        for number in case.halves[learn]:
            question = case.questions[number]
            for slot, of_option in enumerate(traits[number]):
                for trait in of_option:
                    right[trait] += slot in question.correct_indices
                    expected[trait] += len(question.correct_indices) / len(question.options)
        slots = {}
        for number in case.halves[ask]:
            scores = [
                sum(log((right[trait] + 1) / (expected[trait] + 1)) for trait in of_option)
                for of_option in traits[number]
            ]
            slots[number] = max(range(len(scores)), key=scores.__getitem__)
        yield case.try_slots(f"positions and rows, as a model learns them from the {name} half of the videos", slots)


def _list_traits(case: AttackInput) -> dict[int, list[list[object]]]:
    """For each question, and each of its options, what it shows of position and row."""
    seen: Counter[str] = Counter()
    traits: dict[int, list[list[object]]] = {}
    count = len(case.questions)
    for number, question in enumerate(case.questions):
        within = seen[cluster_of(question)]
        seen[cluster_of(question)] += 1
        size = len(question.options)
        in_id = _read_number(question.question_id)
        traits[number] = [
            [
                ("slot", slot, size),
                *(("row", modulus, number % modulus, slot) for modulus in MODULI),
                ("after the row", (slot - number) % size, size),
                ("within the video", within, slot),
                ("after the number within the video", (slot - within) % size, size),
                ("after the number in the id", (slot - in_id) % size, size),
                ("part of the table", 10 * number // count, slot),
            ]
            for slot in range(size)
        ]
    return traits
