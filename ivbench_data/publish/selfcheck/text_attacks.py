"""Attacks on what stands beside question and options: columns, documents, metadata, bytes, public twins.

What a question must show is left out: `validate --probe` examines what its own words give away. For the rest, an option
that is named beside a question is taken for its answer. Some words are right more often than others (small numbers more
often than large ones), so a guess must do better than the same guess from other questions' material.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ivbench_data.publish.hidden.hidden_answers import PUBLIC_QUESTION_FIELDS
from ivbench_data.publish.selfcheck.attack_input import AttackInput, Guess
from ivbench_data.publish.selfcheck.distinctive_options import Slot
from ivbench_data.publish.selfcheck.published_answers import KINDS, PublishedAnswers, digest_text, list_shared
from ivbench_data.publish.selfcheck.published_evidence import flatten
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import Question
from ivbench_data.text.folds import fold

CONTROLS: Final = 24
"""Other questions whose material a guess is compared with."""

MAX_VALUES: Final = 64
"""A column with more different values is no code of positions."""

MIN_WORD_CHARACTERS: Final = 4
"""Shorter options stand everywhere."""


# --- what belongs to one question -----------------------------------------------------------------------------------


def guess_by_words(attack_input: AttackInput) -> Iterator[Guess]:
    """The option that is named beside the question: in a column, a line, a video's row, a picture's metadata."""
    readers = {number: _OptionReader(attack_input.questions[number].options) for number in attack_input.chosen}
    answers = {number: [fold(str(question.answer))] for number, question in enumerate(attack_input.questions)
               if not question.options}  # fmt: skip
    kept_back = {number: list(_list_kept_back(question)) for number, question in enumerate(attack_input.questions)}
    for place, texts in attack_input.evidence.question_texts.items():
        material = {attack_input.number_of[question_id]: text for question_id, text in texts.items()}

        yield _guess_named(attack_input, f"{place}: the option that is named there", readers, material)
        yield _guess_present(
            attack_input, f"{place}: the answer's words, where there are no options", answers, material
        )
        yield _guess_present(attack_input, f"{place}: words that were kept back", kept_back, material)


def guess_by_codes(attack_input: AttackInput) -> Iterator[Guess]:
    """The option whose number or letter stands beside the question, or whose code can be learnt from other videos."""
    for place, texts in attack_input.evidence.question_texts.items():
        values = {attack_input.number_of[question_id]: text.strip() for question_id, text in texts.items()}
        values = {number: values[number] for number in attack_input.chosen if number in values}
        numbers = {number: int(value) for number, value in values.items() if re.fullmatch(r"-?\d{1,9}", value)}
        letters = {
            number: ord(value.upper()) - 65 for number, value in values.items() if re.fullmatch("[A-Za-z]", value)
        }
        yield attack_input.guess_positions(f"{place}: a number from 0", numbers)
        yield attack_input.guess_positions(
            f"{place}: a number from 1", {number: value - 1 for number, value in numbers.items()}
        )
        yield attack_input.guess_positions(f"{place}: a letter", letters)
        if len(set(values.values())) <= MAX_VALUES:
            yield from attack_input.guess_learned(f"{place}: a code", values)


def guess_by_bytes(attack_input: AttackInput) -> Iterator[Guess]:
    """The option whose text stands in the bytes of the question's picture, video or frames, however it is written."""
    for place, finds in attack_input.evidence.question_matches.items():
        slots = {}
        for question_id, counted in finds.items():
            number = attack_input.number_of[question_id]
            slots[number] = _pick({slot: count for (owner, slot), count in counted.items() if owner == question_id})
        yield attack_input.guess_positions(place, {number: slot for number, slot in slots.items() if slot is not None})


def guess_by_file_words(attack_input: AttackInput) -> Iterator[Guess]:
    """The option that is named somewhere in a file, or more often than its rivals: a list of answers, say.

    Only options count that no other question shares and that no question's words hold: others stand there for reasons
    of their own.
    """
    distinctive = attack_input.evidence.distinctive
    for name, counted in attack_input.evidence.file_matches.items():
        yield _guess_most_named(attack_input, f"bytes of {name}", counted, distinctive)
    words: dict[Slot, str] = {}
    first_words: dict[str, list[Slot]] = defaultdict(list)
    for question_id, at in sorted(distinctive):
        text = fold(attack_input.questions[attack_input.number_of[question_id]].options[at])
        if len(text) >= MIN_WORD_CHARACTERS and not text.replace(" ", "").isdigit():
            words[question_id, at] = text
            first_words[text.split(" ", 1)[0].strip(_AROUND)].append((question_id, at))
    for place, text in attack_input.evidence.file_texts.items():
        prepared = fold(text)
        counted = Counter(
            slot
            for match in re.finditer(r"\S+", prepared)
            for slot in first_words.get(match[0].strip(_AROUND), ())
            if _stands_at(words[slot], prepared, match.start())
        )
        yield _guess_most_named(attack_input, f"words of {place}", counted, distinctive)


_AROUND: Final = "\"'`()[]{}<>,;:.!?*_|"


def _stands_at(text: str, prepared: str, start: int) -> bool:
    at = prepared.find(text, start, start + len(text) + 8)
    return at >= 0 and not prepared[at + len(text) : at + len(text) + 1].isalnum()


def _guess_most_named(
    attack_input: AttackInput, name: str, counted: Mapping[Slot, int], distinctive: frozenset[Slot]
) -> Guess:
    of_question: dict[str, dict[int, int]] = defaultdict(dict)
    for (question_id, at), count in counted.items():
        if (question_id, at) in distinctive:
            of_question[question_id][at] = count
    picked = {attack_input.number_of[question_id]: _pick(counts) for question_id, counts in of_question.items()}
    return attack_input.guess_positions(name, {number: slot for number, slot in picked.items() if slot is not None})


def _pick(counts: Mapping[int, int]) -> int | None:
    """The one that is counted most often; None where several are."""
    most = max(counts.values(), default=0)
    first = [slot for slot, count in counts.items() if count == most]
    return first[0] if most and len(first) == 1 else None


def _guess_named(
    attack_input: AttackInput, name: str, readers: Mapping[int, _OptionReader], material: Mapping[int, str]
) -> Guess:
    """The guess of the option that a question's material names; its chance is that of a guess from others' material."""
    hits, chances, numbers = 0, [], sorted(material)
    for number in sorted(material.keys() & readers.keys()):
        question, read = attack_input.questions[number], readers[number].read
        said = read(material[number])
        if said is None:
            continue
        there = [
            text for other in _draw_others(attack_input, number, numbers) if (text := read(material[other])) is not None
        ]
        by_habit = sum(text == question.answer for text in there) / len(there) if there else 0.0
        hits += said == question.answer
        chances.append(max(by_habit, question.options.count(said) / len(question.options)))
    return Guess(name, hits, tuple(chances))


def _guess_present(
    attack_input: AttackInput, name: str, sought: Mapping[int, Sequence[str]], material: Mapping[int, str]
) -> Guess:
    """The guess that one of some texts stands in a question's material; the chance is that of finding it in others'."""
    hits, chances, numbers = 0, [], sorted(material)
    prepared = {number: f" {fold(text)} " for number, text in material.items()}
    for number in numbers:
        if not sought.get(number):
            continue
        pattern = _write_pattern(sought[number])
        others = _draw_others(attack_input, number, numbers)
        there = sum(pattern.search(prepared[other]) is not None for other in others)
        hits += pattern.search(prepared[number]) is not None
        chances.append((1 + there) / (1 + len(others)))
    return Guess(name, hits, tuple(chances))


def _draw_others(attack_input: AttackInput, number: int, numbers: Sequence[int]) -> list[int]:
    """Some of the questions, on other videos than one of them."""
    drawn = random.Random(number).sample(numbers, min(CONTROLS, len(numbers)))
    return [
        other
        for other in drawn
        if cluster_of(attack_input.questions[other]) != cluster_of(attack_input.questions[number])
    ]


def _write_pattern(texts: Sequence[str]) -> re.Pattern[str]:
    """Any of the texts, as whole words, the longest where several begin at a place."""
    words = "|".join(re.escape(text) for text in sorted(texts, key=lambda text: (-len(text), text)))
    return re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_]|\.\d)")


class _OptionReader:
    """Reads which option a text names: the one it names most, the longest where one is part of another."""

    def __init__(self, options: Sequence[str]) -> None:
        self._option_of = {fold(option): option for option in reversed(options) if option.strip()}
        self._pattern = _write_pattern(list(self._option_of))

    def read(self, text: str) -> str | None:
        """The option; None where the text names none, or several as often."""
        counted = Counter(self._pattern.findall(fold(text)))
        most = max(counted.values(), default=0)
        named = [found for found, count in counted.items() if count == most and found]
        return self._option_of[named[0]] if len(named) == 1 else None


def _list_kept_back(question: Question) -> Iterator[str]:
    """Texts of a question that are not published with it: evidence, groups, its raw record."""
    shown = fold(flatten(question.model_dump(include=set(PUBLIC_QUESTION_FIELDS))))
    texts = [
        *(item.text for item in question.evidence),
        *(box.label for item in question.evidence for box in item.boxes),
        question.group_id,
        question.category,
        *(value for value in (*question.metadata.values(), *(question.raw or {}).values())),
    ]
    for text in texts:
        if isinstance(text, str) and len(fold(text)) >= MIN_WORD_CHARACTERS and fold(text) not in shown:
            yield fold(text)


# --- public twins -------------------------------------------------------------------------------------------------


def guess_by_twins(attack_input: AttackInput) -> Iterator[Guess]:
    """The answer of a public question that shows the same picture, or is the same in words and on the same video.

    Whose own answer was published before is guessed from this folder alone: no split can keep it back any more.
    """
    digests = attack_input.evidence.image_digests
    here = PublishedAnswers().extend(attack_input.evidence.public, digests)
    before = attack_input.published_before
    known = {number for number, question in enumerate(attack_input.questions) if before.has(question)}
    for kind in KINDS:
        slots: dict[int, int] = {}
        for number, question in enumerate(attack_input.questions):
            counts = Counter[str]()
            for shared in list_shared(question, digests.get(question.question_id, ())):
                if shared[0] == kind:
                    counts += here.count(shared) + (Counter() if number in known else before.count(shared))
            digests_of = [digest_text("answer", option) for option in question.options]
            slot = _pick({digests_of.index(answer): count for answer, count in counts.items() if answer in digests_of})
            if slot is not None:
                slots[number] = slot
        yield attack_input.guess_positions(f"the answer of a public question with {kind}", slots)
