"""Dictionary attack on hashes: digests of each option, and of each record that differs in the answer alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from pydantic import JsonValue

from ivbench_data.publish.publication_record import digest_public_question, digest_scored_fields
from ivbench_data.publish.selfcheck.attack_input import AttackInput, Guess
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import Question

MIN_DIGITS: Final = 16
"""A shorter piece of a digest matches others by chance."""

ALGORITHMS: Final = ("md5", "sha1", "sha256", "sha512", "blake2b")

_HEX: Final = re.compile(rf"(?<![0-9A-Fa-f])[0-9A-Fa-f]{{{MIN_DIGITS},128}}(?![0-9A-Fa-f])")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{22,88}(?![A-Za-z0-9+/_-])")

_FORMS: Final = (
    "{option}", "{id}\0{option}", "{id}{option}", "{id}_{option}", "{id}:{option}", "{id}|{option}", "{id} {option}",
    "{option}{id}", "{question}{option}", "{question}\0{option}", "{question} {option}", "{question}\n{option}",
    "{id}{index}", "{id}\0{index}", "{id}:{index}", "{id}_{index}", "{id}{letter}", "{id}\0{letter}", "{id}:{letter}",
    "{id}_{letter}",
)  # fmt: skip


def guess_by_digests(attack_input: AttackInput) -> Iterator[Guess]:
    """The option of which a digest is published: by itself, with its question, or as the answer in a whole record."""
    published = _collect_unexplained(attack_input)
    slots: dict[int, int] = {}
    for number, question in enumerate(attack_input.questions if published else ()):
        images = attack_input.evidence.image_digests.get(question.question_id, [])
        options = question.options or (str(question.answer),)

        def is_listed(option: str, question: Question = question, images: list[str] = images) -> bool:
            return any(_is_published(digest, published) for digest in write_digests(question, option, images))

        # the other options matter only where the answer is published: they show whether it is the only one
        if is_listed(str(question.answer)):
            rivals = [option for option in dict.fromkeys(options) if option != question.answer]
            if not rivals or not all(is_listed(option) for option in rivals):
                slots[number] = options.index(str(question.answer))
    yield Guess(
        "digests of options, or of records with each option as the answer",
        len(slots),
        tuple(1 / max(2, len(set(attack_input.questions[number].options))) for number in slots),
    )


def _collect_unexplained(attack_input: AttackInput) -> Mapping[int, Counter[str]]:
    """What may be a digest, but for those of what is scored of the public questions.

    Questions without options can be alike in all that is scored, such as two counts with the same answer; the digest of
    a public one says nothing of a hidden one, unless it stands there once more.
    """
    public = {question.question_id: question for question in attack_input.evidence.public}
    explained = Counter(map(digest_scored_fields, public.values()))
    published = collect_digests(
        chain.from_iterable(texts.values() for texts in attack_input.evidence.question_texts.values())
    )
    for text in attack_input.evidence.file_texts.values():
        for digits, found in collect_digests([text]).items():
            published[digits].update(found - explained)
    return published


def collect_digests(texts: Iterable[str]) -> defaultdict[int, Counter[str]]:
    """How often each that may be a digest or a piece of one is in the texts: by digits, and as hexadecimal ones."""
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for match in _HEX.finditer(text):
            found[len(match[0])][match[0].lower()] += 1
        for match in _BASE64.finditer(text):
            padded = match[0] + "=" * (-len(match[0]) % 4)
            try:
                digest = base64.b64decode(padded, altchars=b"-_" if {"-", "_"} & set(padded) else None).hex()
            except binascii.Error:
                continue
            found[len(digest)][digest] += 1
    return found


def write_digests(question: Question, option: str, images: list[str]) -> Iterator[str]:
    """Every digest by which an option of a question may be recognised, as hexadecimal digits."""
    slot = question.options.index(option) if question.options else None
    named = {"id": question.question_id, "question": question.question, "option": option, "index": slot,
             "letter": "" if slot is None else LETTERS[slot]}  # fmt: skip
    # without options there is neither position nor letter, and those forms would say nothing of the answer
    forms = _FORMS if slot is not None else [form for form in _FORMS if "{option}" in form]
    for message in (*(form.format(**named) for form in forms), option.strip().casefold()):
        yield from _hash(message)
    for record in _write_records(question, option, slot):
        yield digest_public_question(record, images)
        yield digest_public_question(record, [])
        yield digest_scored_fields(record)
        values = record.model_dump(mode="json")
        short = record.model_dump(mode="json", exclude_defaults=True)
        for text in (record.model_dump_json(), record.model_dump_json(exclude_defaults=True),
                     *_write_json(values), *_write_json(short)):  # fmt: skip
            yield from _hash(text)
    if question.raw is not None and option == question.answer:
        for text in _write_json(question.raw):
            yield from _hash(text)


def _write_records(question: Question, option: str, slot: int | None) -> Iterator[Question]:
    """The question with that option as its answer: as it is kept, and as it would stand in public."""
    changed = {"answer": option, "answer_index": slot}
    yield question.model_copy(update=changed)
    yield question.model_copy(update={**changed, "raw": None})
    yield question.model_copy(
        update={**changed, "raw": None, "evidence": (), "metadata": {}, "group_id": None, "category": None}
    )


def _write_json(value: Mapping[str, JsonValue]) -> Iterator[str]:
    for ascii_only in (False, True):
        yield json.dumps(value, ensure_ascii=ascii_only)
        yield json.dumps(value, ensure_ascii=ascii_only, sort_keys=True)
        yield json.dumps(value, ensure_ascii=ascii_only, sort_keys=True, separators=(",", ":"))


def _hash(text: str) -> Iterator[str]:
    content = text.encode()
    for algorithm in ALGORITHMS:
        yield hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def _is_published(digest: str, published: Mapping[int, Counter[str]]) -> bool:
    return any(digest[:digits] in found for digits, found in published.items() if digits <= len(digest))
