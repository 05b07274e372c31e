"""Attacks on the order: of options within a question, and of questions within a split.

Where options come in the order of a secret, none of these can do better than chance, whatever the texts.
"""

from __future__ import annotations

import hashlib
import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np

from ivbench_data.publish.selfcheck.attack_input import AttackInput, Guess
from ivbench_data.schema import Question
from ivbench_data.text.folds import fold

MAX_SEEDED: Final = 64
"""Questions that seeds are tried on: more would not make a broken shuffle any plainer."""

SEEDS: Final = (
    *range(11), 12, 13, 21, 37, 42, 43, 99, 100, 101, 111, 123, 256, 314, 333, 512, 666, 777, 888, 999, 1000, 1024,
    1111, 1234, 1337, 2000, *range(2018, 2029), 2048, 2333, 3407, 4242, 8888, 9999, 12345, 31415, 65537, 114514, 123456,
    314159, 654321, 1234567, 123456789, 0xDEADBEEF,
)  # fmt: skip
"""Seeds in common use."""

MIN_ORDERED: Final = 5
"""Fewer options are in any order too often by chance."""

MODULI: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16)
"""Periods of row numbers after which a pattern of positions may repeat."""


def guess_by_position(attack_input: AttackInput) -> Iterator[Guess]:
    """Always the same position; the one that half the answers favour; one that follows row numbers or earlier rows."""
    questions, chosen = attack_input.questions, attack_input.chosen
    sizes = {number: len(questions[number].options) for number in chosen}
    most = max(sizes.values(), default=0)
    in_id = {number: _read_number(questions[number].question_id) for number in chosen}
    before = {later: questions[earlier].correct_indices[0] for earlier, later in pairwise(chosen)}
    for slot in range(most):
        yield attack_input.guess_positions(f"the position: always option {slot + 1}", dict.fromkeys(chosen, slot))
        from_end = {number: size - 1 - slot for number, size in sizes.items()}
        yield attack_input.guess_positions(f"the position: always option {slot + 1} from the end", from_end)
    for step in range(most):
        for name, of_row in (
            ("the row's number", {number: number + step for number in sizes}),
            ("the row's number backwards", {number: step - number for number in sizes}),
            ("the number in the question's id", {number: value + step for number, value in in_id.items()}),
            ("the answer's position in the row before", {number: value + step for number, value in before.items()}),
        ):
            slots = {number: at % sizes[number] for number, at in of_row.items()}
            yield attack_input.guess_positions(f"{name}, plus {step}", slots)
    yield from attack_input.guess_learned("the position that is favoured among as many options", sizes)


def guess_by_hash_order(attack_input: AttackInput) -> Iterator[Guess]:
    """The option that is first, second, … in the order of a public digest of id and option."""
    questions = attack_input.questions
    most = max((len(questions[number].options) for number in attack_input.chosen), default=0)
    for algorithm in ("sha256", "sha1", "md5", "blake2b", "crc32"):
        for form in ("{id}\0{option}", "{id}{option}", "{id}_{option}", "{id}:{option}", "{option}{id}"):
            ranked = {number: _rank(questions[number], algorithm, form) for number in attack_input.chosen}
            for place in range(most):
                name = f"{algorithm} of {form!r}: the option that is number {place + 1} in its order"
                slots = {number: order[place] for number, order in ranked.items() if place < len(order)}
                yield attack_input.guess_positions(name, slots)


def guess_by_shuffle(attack_input: AttackInput) -> Iterator[Guess]:
    """What a release's script leaves behind: a shuffle with a known seed, wrong options in order, a pattern of rows."""
    yield from _guess_by_seeds(attack_input)
    yield from _guess_by_broken_orders(attack_input)
    numbers = attack_input.chosen
    patterns = {f"the row's number modulo {modulus}": {at: at % modulus for at in numbers} for modulus in MODULI}
    patterns["the part of the table"] = {at: 10 * at // len(attack_input.questions) for at in numbers}
    for name, keys in patterns.items():
        yield from attack_input.guess_learned(f"positions by {name}", keys)


def _read_number(question_id: str) -> int:
    """The last number in an id; 0 where there is none."""
    found = re.findall(r"\d{1,9}", question_id, re.ASCII)
    return int(found[-1]) if found else 0


def _rank(question: Question, algorithm: str, form: str) -> list[int]:
    messages = [form.format(id=question.question_id, option=option).encode() for option in question.options]
    if algorithm == "crc32":
        return sorted(range(len(messages)), key=lambda at: zlib.crc32(messages[at]))
    return sorted(range(len(messages)), key=lambda at: hashlib.new(algorithm, messages[at]).digest())


# --- seeds --------------------------------------------------------------------------------------------------------


def _shuffle(dice: random.Random, size: int) -> list[int]:
    order = list(range(size))
    dice.shuffle(order)
    return order


def _insert(slot: int, size: int) -> list[int]:
    """The order after the first option was inserted at the slot."""
    return [*range(1, slot + 1), 0, *range(slot + 1, size)]


Draw = Callable[[Any, int], Sequence[int]]

SHUFFLES: Final[Mapping[str, tuple[Callable[[Any], Any], Draw]]] = {
    "random.Random.shuffle": (random.Random, _shuffle),
    "random.Random.sample": (random.Random, lambda dice, size: dice.sample(range(size), size)),
    "random.Random.randrange": (random.Random, lambda dice, size: _insert(dice.randrange(size), size)),
    "numpy.random.RandomState.permutation": (
        lambda seed: np.random.RandomState(seed % 2**32),
        lambda dice, size: dice.permutation(size).tolist(),
    ),
    "numpy.random.RandomState.randint": (
        lambda seed: np.random.RandomState(seed % 2**32),
        lambda dice, size: _insert(int(dice.randint(size)), size),
    ),
    "numpy.random.default_rng.permutation": (
        np.random.default_rng,
        lambda dice, size: dice.permutation(size).tolist(),
    ),
}
"""By name: what makes a generator from a seed, and how an order of so many options is drawn from it."""

Key = Callable[[Question, int], int | str]


def _key_by_digest(algorithm: str, digits: int | None) -> Key:
    def digest(question: Question, row: int) -> int:
        return int(hashlib.new(algorithm, question.question_id.encode()).hexdigest()[:digits], 16)

    return digest


KEYS: Final[Mapping[str, Key]] = {
    "question_id": lambda question, row: question.question_id,
    "video_id": lambda question, row: question.video_id or "",
    "question": lambda question, row: question.question,
    "row": lambda question, row: row,
    "row + 1": lambda question, row: row + 1,
    "row + 42": lambda question, row: row + 42,
    "number in question_id": lambda question, row: _read_number(question.question_id),
    "crc32 of question_id": lambda question, row: zlib.crc32(question.question_id.encode()),
    "sum of characters of question_id": lambda question, row: sum(question.question_id.encode()),
    **{
        f"{algorithm} of question_id, {digits or 'all'} digits": _key_by_digest(algorithm, digits)
        for algorithm in ("sha256", "md5")
        for digits in (None, 8, 16)
    },
}
"""What a question may be shuffled with."""


def _guess_by_seeds(attack_input: AttackInput) -> Iterator[Guess]:
    """Where a shuffle with a common seed would put the answer if it came first or last, or was inserted."""
    questions, numbers = attack_input.questions, attack_input.chosen[:MAX_SEEDED]
    by_id = sorted(attack_input.chosen, key=lambda at: _natural_key(questions[at].question_id))[:MAX_SEEDED]
    sizes = {number: len(questions[number].options) for number in (*numbers, *by_id)}
    for shuffle, (make, _) in SHUFFLES.items():
        for seed in SEEDS:
            once = {size: places for size in set(sizes.values()) for places in _draw_places(shuffle, seed, (size,))}
            yield from _guess_places(attack_input, f"{shuffle}({seed})", {at: once[sizes[at]] for at in numbers})
            for name, rows in (("row by row", numbers), ("in the order of ids", by_id)):
                drawn = _draw_places(shuffle, seed, tuple(sizes[at] for at in rows))
                yield from _guess_places(
                    attack_input, f"{shuffle}({seed}), {name}", dict(zip(rows, drawn, strict=True))
                )
        for key, of_question in KEYS.items():
            seeds = {at: of_question(questions[at], at) for at in numbers}
            if make is random.Random or not any(isinstance(seed, str) for seed in seeds.values()):
                places = {at: _draw_places(shuffle, seed, (sizes[at],))[0] for at, seed in seeds.items()}
                yield from _guess_places(attack_input, f"{shuffle}({key})", places)


@lru_cache(maxsize=1 << 14)
def _draw_places(shuffle: str, seed: int | str, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """Where the option that came first and the one that came last stand, in orders drawn one after another."""
    make, draw = SHUFFLES[shuffle]
    dice = make(seed)
    orders = [draw(dice, size) for size in sizes]
    return [(order.index(0), order.index(len(order) - 1)) for order in orders]


def _guess_places(attack_input: AttackInput, name: str, places: Mapping[int, tuple[int, int]]) -> Iterator[Guess]:
    for at_end, which in enumerate(("first", "last")):
        slots = {at: place[at_end] for at, place in places.items()}
        yield attack_input.guess_positions(f"the seed of a shuffle of options with the answer {which}: {name}", slots)


def _natural_key(text: str) -> list[tuple[int, str]]:
    """Ids in the order that a person would put them: 2 before 10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", text, flags=re.ASCII)]


# --- wrong options left in an order ---------------------------------------------------------------------------------

ORDERS: Final[Mapping[str, Callable[[Question, str], Any]]] = {
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


def _guess_by_broken_orders(attack_input: AttackInput) -> Iterator[Guess]:
    """The one option that breaks an order of the others; the first or last of those that a stable sort leaves alike."""
    chosen = [(number, attack_input.questions[number]) for number in attack_input.chosen]
    for name, key in ORDERS.items():
        odd = {number: _find_odd_one([key(question, option) for option in question.options])
               for number, question in chosen}  # fmt: skip
        slots = {number: slot for number, slot in odd.items() if slot is not None}
        yield attack_input.guess_positions(f"an order: the only option out of that of {name}", slots)
    for name, level in (("case and space aside", fold), ("as letters and digits alone", _fold_to_letters)):
        alike = [found for _, question in chosen if len(found := _find_alike(question, level)) > 1]
        for place, at in (("first", 0), ("last", -1)):
            chances = tuple(1 / len(options) for options in alike)
            guess = f"a stable sort: the {place} of the options that are alike {name}"
            yield Guess(guess, sum(options[at] for options in alike), chances)


def _find_odd_one(keys: Sequence[Any]) -> int | None:
    """The only position without which the keys ascend; None where they do already, or where there is none or two."""
    falls = sum(later < earlier for earlier, later in pairwise(keys))
    if len(keys) < MIN_ORDERED or not 0 < falls <= 2:  # one key out of place makes two at most
        return None
    without = ([*keys[:at], *keys[at + 1 :]] for at in range(len(keys)))
    found = [at for at, rest in enumerate(without) if not any(later < earlier for earlier, later in pairwise(rest))]
    return found[0] if len(found) == 1 else None


def _find_alike(question: Question, level: Callable[[str], str]) -> list[bool]:
    """Of the distinct options that look like the answer, itself among them, in their order: which one it is."""
    folded = level(str(question.answer))
    alike = dict.fromkeys(option for option in question.options if level(option) == folded)
    return [option == question.answer for option in alike]


def _fold_to_letters(text: str) -> str:
    return "".join(char for char in fold(text) if char.isalnum())
