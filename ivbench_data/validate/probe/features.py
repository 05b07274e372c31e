"""What question and options alone show of each option against its rivals: the text-only probe's view.

A row is an option of a question. A feature's name is `{cue}.{what}`; the cue is what a curator would call it, and what
the probe names when it gives an answer away. Nothing here sees the stored order of the options, the image, the video,
or the raw record. Only `count_answers` sees answers, and only those of the rows that it may learn from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from ivbench_data.text.folds import fold
from ivbench_data.timecodes import parse_location

CUES: Final = {
    "length": "how long it is",
    "typicality": "how like its rivals it is",
    "value": "its number, among the others' numbers",
    "surface": "how it is written: case, punctuation, padding",
    "overlap": "words it shares with the question",
    "frequency": "how often it is the answer elsewhere",
    "wording": "its words, and how often they are in answers elsewhere",
}
"""Every cue, in words."""

WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_DURATION = re.compile(
    r"(?:(\d+)\s*h(?:ours?|r)?)?\s*(?:(\d+)\s*m(?:in(?:ute)?s?)?)?\s*(?:(\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?)?",
    re.IGNORECASE,
)

_LARGEST = 1e15
"""Larger numbers count as this one: a thousand digits are finite as text, and infinite as a float."""

_SURFACE: Final[dict[str, Callable[[str], bool]]] = {
    "capital_first": lambda text: text[:1].isupper(),
    "lower_first": lambda text: text[:1].islower(),
    "all_capitals": lambda text: text.isupper(),
    "digit_first": lambda text: text[:1].isdigit(),
    "digits": lambda text: any(char.isdigit() for char in text),
    "padded_time": lambda text: bool(re.search(r"(?<!\d)0\d:", text)),
    "full_stop": lambda text: text.rstrip().endswith((".", "。")),
    "comma": lambda text: "," in text,
    "wide_punctuation": lambda text: any("\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uff65" for char in text),
    "not_ascii": lambda text: not text.isascii(),
    "untrimmed": lambda text: text != text.strip(),
    "double_space": lambda text: "  " in text.strip(),
    "hyphen": lambda text: "-" in text,
    "brackets": lambda text: any(char in "()[]（）【】" for char in text),
    "quotes": lambda text: any(char in "\"'“”‘’" for char in text),
    "article": lambda text: text.casefold().startswith(("a ", "an ", "the ")),
    "negation": lambda text: bool(re.search(r"\b(?:no|not|none|never|neither)\b", text.casefold())),
    "everything": lambda text: bool(re.search(r"\b(?:all|both|every)\b", text.casefold())),
}
"""Properties of an option's writing; what counts is having one that the rivals do not."""


# --- what needs no answers --------------------------------------------------------------------------------------


def describe_options(question: str, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Each feature of the options against their rivals: float64 [options], equal for equal texts."""
    return {
        **_describe_lengths(texts),
        **_describe_typicality(texts),
        **_describe_values(texts),
        **_describe_surface(texts),
        **_describe_overlap(question, texts),
    }


def measure_option(text: str) -> tuple[float, ...]:
    """The numbers in an option: seconds for times, ranges (two) and durations, else every number written in digits."""
    stripped = unicodedata.normalize("NFKC", text).strip()
    evidence = parse_location(stripped)
    if evidence is not None and evidence.start_seconds is not None:
        bounds = (evidence.start_seconds, evidence.end_seconds)
        return tuple(bound for bound in bounds if bound is not None)
    duration = _DURATION.fullmatch(stripped)
    if duration is not None and any(duration.groups()):
        hours, minutes, seconds = (float(part or 0) for part in duration.groups())
        return (min(hours * 3600 + minutes * 60 + seconds, _LARGEST),)
    return tuple(min(float(number.replace(",", "")), _LARGEST) for number in _NUMBER.findall(stripped)[:8])


def _describe_lengths(texts: Sequence[str]) -> dict[str, np.ndarray]:
    characters = np.asarray([len(text.strip()) for text in texts], dtype=np.float64)
    words = np.asarray([len(WORD.findall(text)) for text in texts], dtype=np.float64)
    return {
        "length.characters": _against_mean(np.log1p(characters)),
        "length.words": _against_mean(np.log1p(words)),
        "length.rank": _rank(characters),
        "length.longest": _lead(characters),
        "length.shortest": _lead(-characters),
    }


def _describe_typicality(texts: Sequence[str]) -> dict[str, np.ndarray]:
    folded = [fold(text) for text in texts]
    by_words = _compare_pairwise([set(WORD.findall(text)) for text in folded])
    by_letters = _compare_pairwise([{text[at : at + 3] for at in range(max(1, len(text) - 2))} for text in folded])
    twins = np.asarray([folded.count(text) - 1 for text in folded], dtype=np.float64)
    rivals = max(1, len(texts) - 1)
    return {
        "typicality.words": _against_mean(by_words.sum(axis=1) / rivals),
        "typicality.words_nearest": _against_mean(by_words.max(axis=1, initial=0)),
        "typicality.letters": _against_mean(by_letters.sum(axis=1) / rivals),
        "typicality.letters_nearest": _against_mean(by_letters.max(axis=1, initial=0)),
        "typicality.letters_rank": _rank(by_letters.sum(axis=1).round(9)),  # sums differ in the last bit by their order
        "typicality.twins": twins,
    }


def _describe_values(texts: Sequence[str]) -> dict[str, np.ndarray]:
    measured = [measure_option(text) for text in texts]
    held = np.asarray([bool(numbers) for numbers in measured])
    names = (
        "has", "lowest", "highest", "rank", "middle", "from_mean", "gap_below", "gap_above", "neighbours", "size",
        "round", "span", "touching", "last_rank",
    )  # fmt: skip
    columns = {name: np.zeros(len(texts)) for name in names}
    columns["has"] = _against_mean(held.astype(np.float64))
    if held.sum() >= 3:
        first = np.asarray([numbers[0] for numbers in measured if numbers])
        last = np.asarray([numbers[-1] for numbers in measured if numbers])
        spans = np.asarray([numbers[-1] - numbers[0] for numbers in measured if numbers])
        rank = _rank(first)
        distinct = np.unique(first)
        at = np.searchsorted(distinct, first)
        gaps = np.diff(distinct)
        typical = float(np.median(gaps)) if len(gaps) else 1.0
        of_numbers = {
            "lowest": _lead(-first),
            "highest": _lead(first),
            "rank": rank,
            "middle": -np.abs(rank),
            "from_mean": (first - first.mean()) / (first.std() or 1.0),
            "gap_below": np.where(at > 0, np.log(np.append(gaps, typical)[at - 1] / typical), 2.0),
            "gap_above": np.where(at < len(gaps), np.log(np.append(gaps, typical)[at] / typical), 2.0),
            "neighbours": np.asarray([np.sum(np.abs(distinct - value) == 1) for value in first], dtype=np.float64),
            "size": _against_mean(np.log1p(first)),
            "round": _against_mean(((first % 5) == 0).astype(np.float64)),
            "span": _against_mean(np.sign(spans) * np.log1p(np.abs(spans))),
            "touching": np.asarray(
                [np.sum(last == start) * (span > 0) + np.sum(first == end) * (span > 0)
                 for start, end, span in zip(first, last, spans, strict=True)], dtype=np.float64,
            ),
            "last_rank": _rank(last),
        }  # fmt: skip
        for name, column in of_numbers.items():
            columns[name][held] = column
        columns["middle"][~held] = -0.5  # what is no number is not the middle one
        columns["middle"] = _against_mean(columns["middle"])
    return {f"value.{name}": column for name, column in columns.items()}


def _describe_surface(texts: Sequence[str]) -> dict[str, np.ndarray]:
    columns = {
        f"surface.{name}": _against_rivals(np.asarray([holds(text) for text in texts], dtype=np.float64))
        for name, holds in _SURFACE.items()
    }
    oddness = np.sum([np.abs(column) for column in columns.values()], axis=0)
    return {**columns, "surface.oddness": _against_mean(oddness)}


def _describe_overlap(question: str, texts: Sequence[str]) -> dict[str, np.ndarray]:
    asked_text = fold(question)
    asked = set(WORD.findall(asked_text))
    words = [set(WORD.findall(fold(text))) for text in texts]
    shared = np.asarray([len(own & asked) for own in words], dtype=np.float64)
    share = np.asarray([len(own & asked) / len(own) if own else 0.0 for own in words])
    whole = np.asarray([bool(text) and fold(text) in asked_text for text in texts], dtype=np.float64)
    return {
        "overlap.words": _against_mean(shared),
        "overlap.share": _against_mean(share),
        "overlap.whole": _against_mean(whole),
    }


# --- what is learnt from answers --------------------------------------------------------------------------------


# --- parts ------------------------------------------------------------------------------------------------------


def _against_mean(values: np.ndarray) -> np.ndarray:
    centred: np.ndarray = values - values.mean()
    return centred


def _against_rivals(values: np.ndarray) -> np.ndarray:
    """Each value minus the mean of the others."""
    if len(values) < 2:
        return np.zeros(len(values))
    others: np.ndarray = values - (values.sum() - values) / (len(values) - 1)
    return others


def _rank(values: np.ndarray) -> np.ndarray:
    """Rank among the distinct values, from -0.5 (lowest) to 0.5 (highest); 0 where all are equal."""
    distinct = np.unique(values)
    if len(distinct) < 2:
        return np.zeros(len(values))
    ranks: np.ndarray = np.searchsorted(distinct, values) / (len(distinct) - 1) - 0.5
    return ranks


def _lead(values: np.ndarray) -> np.ndarray:
    """1 for the highest when it is the only one, a share when several are, 0 for the others and where all are equal."""
    highest = values == values.max()
    if highest.all():
        return np.zeros(len(values))
    lead: np.ndarray = highest / highest.sum()
    return lead


def _compare_pairwise(parts: Sequence[set[str]]) -> np.ndarray:
    """float64 [options, options]: Jaccard index of each pair of sets; 0 on the diagonal."""
    index = np.zeros((len(parts), len(parts)))
    for one in range(len(parts)):
        for two in range(one):
            union = len(parts[one] | parts[two])
            index[one, two] = index[two, one] = len(parts[one] & parts[two]) / union if union else 1.0
    return index
