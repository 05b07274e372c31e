"""One record of VLM2-Bench, by subtask: its id, text, type, options and answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from reprlib import repr as shorten

from pydantic import JsonValue

from ivbench_data.schema import QuestionType, check_safe_name
from ivbench_data.workspace import ID_SUFFIXES

TRUTHS = ("T", "F")
"""True and false as the questions ask for them."""


@dataclass(frozen=True)
class RecordFields:
    """Fields of one record, as a question needs them."""

    key: str
    text: str
    question_type: QuestionType
    answer: str
    options: tuple[str, ...] = ()
    answer_index: int | None = None
    side: str | None = None
    """Which of a pair it is: `p` or `n`."""
    video_id: str | None = None


def _read_text(record: Mapping[str, JsonValue]) -> str:
    name = "question" if "question" in record else "edited_prompt"
    text = record.get(name)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the field 'question' is {shorten(text)}, not a text")
    return text


def _read_key(record: Mapping[str, JsonValue], name: str = "q_id") -> str:
    key = record.get(name)
    if isinstance(key, bool) or not isinstance(key, str | int) or not str(key).strip():
        raise ValueError(f"the field {name!r} is {shorten(key)}, not an id")
    return str(key).strip()


def count_stated_images(record: Mapping[str, JsonValue]) -> int | None:
    """How many images the record says there are, by either of the fields that the reference looks at."""
    stated = record.get("image_seq_len")
    if isinstance(stated, int) and not isinstance(stated, bool) and stated > 0:
        return stated
    sequence = record.get("image_seq")
    return len(sequence) if isinstance(sequence, list) and sequence else None


def _read_pair(record: Mapping[str, JsonValue]) -> RecordFields:
    answer = record.get("gt_answer")
    truth = answer.strip().upper()[:1] if isinstance(answer, str) else ""
    if truth not in TRUTHS or str(answer).strip().casefold() not in ("t", "f", "true", "false"):
        raise ValueError(f"the field 'gt_answer' is {shorten(answer)}, not T or F")
    key = _read_key(record)
    named = re.fullmatch(r"(.+)_([pn])", key)
    base, side = (named[1], named[2]) if named else (key, "p" if truth == TRUTHS[0] else "n")
    return RecordFields(base, _read_text(record), "tf", truth, TRUTHS, TRUTHS.index(truth), side)


def _read_count(record: Mapping[str, JsonValue]) -> RecordFields:
    answer = record.get("gt_answer")
    text = str(answer).strip()
    if isinstance(answer, bool) or not isinstance(answer, str | int) or not re.fullmatch(r"\d{1,6}", text):
        raise ValueError(f"the field 'gt_answer' is {shorten(answer)}, not a whole number")
    return RecordFields(_read_key(record), _read_text(record), "numeric", str(int(text)))


_MARK = re.compile(r"(?<![A-Za-z0-9(])\(?([A-Z])[).:](?=\s)\s*")


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """The question without its options, and the options that stand in it as `(A) …`, `A) …`, `A. …` or `A: …`.

    What follows the last option in a sentence or line of its own belongs to the question.

    Raises:
        ValueError: there are not two options or more, from A on.
    """
    marks = list(_MARK.finditer(text))
    runs = [marks[at:] for at, mark in enumerate(marks) if mark[1] == "A"]
    # a capital that is no mark may come before: the longest run counts, and of two the later one
    run = max((_take_alphabetical(marks) for marks in runs), key=lambda run: (len(run), run[0].start()), default=[])
    if len(run) < 2:
        raise ValueError("the question holds no options from A on, as (A) … (B) …")
    ends = [mark.start() for mark in run[1:]]
    rest = text[run[-1].end() :]
    end = re.search(r"\n|(?<=[^\s.])[.;]\s+(?=[A-Z])", rest)
    options = [text[mark.end() : stop].strip(" \t\n;,") for mark, stop in zip(run, ends, strict=False)]
    options.append((rest[: end.start()] if end else rest).strip(" \t\n;,"))
    tail = rest[end.end() :].strip() if end else ""
    stem = text[: run[0].start()].rstrip()
    return "\n".join(filter(None, (stem, tail))), tuple(options)


def _take_alphabetical(marks: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The marks A, B, C, … in this order, from the first one on."""
    taken: list[re.Match[str]] = []
    for mark in marks:
        if mark[1] == chr(ord("A") + len(taken)):
            taken.append(mark)
    return taken


def _read_grouping(record: Mapping[str, JsonValue]) -> RecordFields:
    text, options = split_options(_read_text(record))
    answer = record.get("gt_answer")
    if not isinstance(answer, str):
        raise ValueError(f"the field 'gt_answer' is {shorten(answer)}, not a text")
    index = find_option(answer, options)
    return RecordFields(_read_key(record), text, "mcq", options[index], options, index)


def find_option(answer: str, options: Sequence[str]) -> int:
    """The option that a `gt_answer` names, by letter (`C`, `(C)`, `C) 1 and 3`) or by its text.

    Raises:
        ValueError: it names none of them, or its text is another option's than its letter.
    """
    folded = [_fold(option) for option in options]
    named = re.fullmatch(r"\s*\(?([A-Z])(?:[).:]\s*(.*?))?\s*", answer, re.DOTALL)
    if named is None:
        at = folded.index(_fold(answer)) if _fold(answer) in folded else None
    else:
        at = ord(named[1]) - ord("A")
        at = at if at < len(options) else None
        if at is not None and named[2] and _fold(named[2]) != folded[at]:
            raise ValueError(f"gt_answer is {shorten(answer)}, where option {named[1]} is {shorten(options[at])}")
    if at is None:
        raise ValueError(f"gt_answer {shorten(answer)} is none of the options {shorten(options)}")
    return at


def _fold(text: str) -> str:
    # not text.folds: answer_index is stored at import, and must not move with what the checks call the same
    return text.strip(" .").casefold()


def _read_video(record: Mapping[str, JsonValue]) -> RecordFields:
    vid = _read_key(record, "vid")
    suffix = PurePosixPath(vid).suffix
    video_id = check_safe_name(vid.removesuffix(suffix) if suffix.lower() in ID_SUFFIXES else vid)
    answer = record.get("gt_answer")
    if answer is not None and not isinstance(answer, str):
        raise ValueError(f"the field 'gt_answer' is {shorten(answer)}, not a text")
    return RecordFields(video_id, _read_text(record), "open", answer or "", video_id=video_id)


READERS: dict[str, Callable[[Mapping[str, JsonValue]], RecordFields]] = {
    "mat": _read_pair,
    "trk": _read_pair,
    "cpr": _read_pair,
    "cnt": _read_count,
    "grp": _read_grouping,
    "vid": _read_video,
}
"""Parser of each subtask's records, by the last part of the subtask's name."""
