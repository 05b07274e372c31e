"""What question and options alone show of each option against its rivals: the text-only probe's view.

A row is an option of a question. A feature's name is `{cue}.{what}`; the cue is what a curator would call it, and what
the probe names when it gives an answer away. Nothing here sees the stored order of the options, the image, the video,
or the raw record. Only `count_answers` sees answers, and only those of the rows it is told to learn from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import Question
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

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_DURATION = re.compile(
    r"(?:(\d+)\s*h(?:ours?|r)?)?\s*(?:(\d+)\s*m(?:in(?:ute)?s?)?)?\s*(?:(\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?)?",
    re.IGNORECASE,
)
_SMOOTHING = 2.0
"""Rows' worth of doubt in an answer rate: with fewer than this, the rate stays near chance."""

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

_QUESTION_WORDS: Final = ("first", "last", "how many", "how long", "when", "where", "color", "not")
"""Words of a question that may change which option is likely, such as the earliest time after "first"."""


@dataclass(frozen=True)
class OptionTable:
    """One row an option, questions in the order of their ids and options in that of their texts.

    So the table, and all that is trained on it, is the same whatever the stored order.
    """

    questions: tuple[Question, ...]
    starts: np.ndarray
    """int64 [questions + 1]: a question's rows are `starts[i]:starts[i + 1]`."""
    question_of: np.ndarray
    """int64 [rows]: the row's question."""
    option_index: np.ndarray
    """int64 [rows]: the row's position among the stored options."""
    correct: np.ndarray
    """bool [rows]: whether the option is the answer, or equal to it."""
    cluster: np.ndarray
    """int64 [questions]: number of the question's video."""
    names: tuple[str, ...]
    """Names of the columns."""
    values: np.ndarray
    """float64 [rows, columns]: what needs no answers to compute."""
    keys: dict[str, tuple[np.ndarray, np.ndarray]]
    """For each rate of `count_answers`, row and key (int64) of every occurrence, such as the words of an option."""

    @property
    def sizes(self) -> np.ndarray:
        """int64 [questions]: options of each."""
        return np.diff(self.starts)

    @property
    def chance(self) -> np.ndarray:
        """float64 [questions]: right options over options."""
        chance: np.ndarray = sum_by_question(self, self.correct) / self.sizes
        return chance


def tabulate_options(questions: Sequence[Question]) -> OptionTable:
    """The table of questions that have options and an answer to learn from; the others are left out."""
    usable = sorted((q for q in questions if q.options and q.answer_index is not None), key=lambda q: q.question_id)
    clusters: dict[str, int] = {}
    option_index: list[int] = []
    correct: list[bool] = []
    columns: dict[str, list[np.ndarray]] = {}
    keys: dict[str, list[list[str]]] = {name: [] for name in ("option", "task", "question", "length_task", "words")}
    for question in usable:
        clusters.setdefault(cluster_of(question), len(clusters))
        order = sorted(range(len(question.options)), key=lambda at: question.options[at])
        texts = [question.options[at] for at in order]
        option_index.extend(order)
        right = set(question.correct_indices)
        correct.extend(at in right for at in order)
        for name, column in describe_options(question.question, texts).items():
            columns.setdefault(name, []).append(column)
        asked = _fold(question.question)
        for text in texts:
            folded = _fold(text)
            words = _WORD.findall(folded)
            keys["option"].append([folded])
            keys["task"].append([f"{question.task}\0{folded}"])
            keys["question"].append([f"{asked}\0{folded}"])
            keys["length_task"].append([f"{question.task}\0{len(words)}"])
            pairs = [f"{one} {two}" for one, two in pairwise(words)]
            keys["words"].append(sorted({*words, *pairs}))
    sizes = [len(question.options) for question in usable]
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
    return OptionTable(
        questions=tuple(usable),
        starts=starts,
        question_of=np.repeat(np.arange(len(usable)), sizes),
        option_index=np.asarray(option_index, dtype=np.int64),
        correct=np.asarray(correct, dtype=bool),
        cluster=np.asarray([clusters[cluster_of(question)] for question in usable], dtype=np.int64),
        names=tuple(columns),
        values=np.stack([np.concatenate(column) for column in columns.values()], axis=1)
        if columns
        else np.zeros((0, 0)),
        keys={name: _number_keys(of_rows) for name, of_rows in keys.items()},
    )


def sum_by_question(table: OptionTable, values: np.ndarray) -> np.ndarray:
    """float64 [questions]: the sum of each question's rows."""
    return np.bincount(table.question_of, weights=values, minlength=len(table.questions))


def describe_context(table: OptionTable) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and float64 [rows, columns] of what a question's rows share: it changes what the other features mean."""
    tasks = {name: at for at, name in enumerate(sorted({question.task for question in table.questions}))}
    rows = [
        [
            tasks[question.task],
            len(question.options),
            len(question.question),
            *(word in question.question.casefold() for word in _QUESTION_WORDS),
        ]
        for question in table.questions
    ]
    names = ("task", "options", "question_length", *(f"asks_{word.replace(' ', '_')}" for word in _QUESTION_WORDS))
    return names, np.asarray(rows, dtype=np.float64).reshape(-1, len(names))[table.question_of]


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
    words = np.asarray([len(_WORD.findall(text)) for text in texts], dtype=np.float64)
    return {
        "length.characters": _against_mean(np.log1p(characters)),
        "length.words": _against_mean(np.log1p(words)),
        "length.rank": _rank(characters),
        "length.longest": _lead(characters),
        "length.shortest": _lead(-characters),
    }


def _describe_typicality(texts: Sequence[str]) -> dict[str, np.ndarray]:
    folded = [_fold(text) for text in texts]
    by_words = _pairwise_likeness([set(_WORD.findall(text)) for text in folded])
    by_letters = _pairwise_likeness([{text[at : at + 3] for at in range(max(1, len(text) - 2))} for text in folded])
    twins = np.asarray([folded.count(text) - 1 for text in folded], dtype=np.float64)
    rivals = max(1, len(texts) - 1)
    return {
        "typicality.words": _against_mean(by_words.sum(axis=1) / rivals),
        "typicality.words_nearest": _against_mean(by_words.max(axis=1, initial=0)),
        "typicality.letters": _against_mean(by_letters.sum(axis=1) / rivals),
        "typicality.letters_nearest": _against_mean(by_letters.max(axis=1, initial=0)),
        "typicality.letters_rank": _rank(by_letters.sum(axis=1)),
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
    asked_text = _fold(question)
    asked = set(_WORD.findall(asked_text))
    words = [set(_WORD.findall(_fold(text))) for text in texts]
    shared = np.asarray([len(own & asked) for own in words], dtype=np.float64)
    share = np.asarray([len(own & asked) / len(own) if own else 0.0 for own in words])
    whole = np.asarray([bool(text) and _fold(text) in asked_text for text in texts], dtype=np.float64)
    return {
        "overlap.words": _against_mean(shared),
        "overlap.share": _against_mean(share),
        "overlap.whole": _against_mean(whole),
    }


# --- what is learnt from answers --------------------------------------------------------------------------------

RATES: Final = {
    "option": "frequency.answers",
    "task": "frequency.answers_in_task",
    "question": "frequency.answers_to_same_question",
    "length_task": "length.usual_in_task",
    "words": "wording.answers",
}
"""Keys of the table, and the columns that their answer rates become."""

RATE_NAMES: Final = (*RATES.values(), "frequency.options", "frequency.options_in_task", "wording.best", "wording.worst")
"""Columns of `count_answers`."""


def count_answers(table: OptionTable, correct: np.ndarray, learns: np.ndarray) -> np.ndarray:
    """float64 [rows, len(RATE_NAMES)]: how often what a row holds was the answer, in the questions that `learns` marks.

    The rate of a key is `log((answers + m·p) / (options + m) / p)` over the rows that hold it, with `p` the share of
    answers among all rows and `m` = 2. A row that is learnt from does not see its own video: what it sees is then
    like what a held-out row sees.

    Args:
        table: the options.
        correct: bool [rows], the answers, which need not be the true ones.
        learns: bool [questions].
    """
    rows_learn = learns[table.question_of]
    prior = float(correct[rows_learn].mean()) if rows_learn.any() else 0.1
    columns: dict[str, np.ndarray] = {}
    for name, column in RATES.items():
        row, key = table.keys[name]
        answers, options = _count_elsewhere(table, row, key, correct, learns)
        rate = np.log((answers + _SMOOTHING * prior) / (options + _SMOOTHING) / prior)
        occurrences = np.bincount(row, minlength=len(correct))
        columns[column] = np.bincount(row, weights=rate, minlength=len(correct)) / np.maximum(occurrences, 1)
        if name in ("option", "task"):
            seen = np.zeros(len(correct))
            seen[row] = np.log1p(options)
            columns["frequency.options" if name == "option" else "frequency.options_in_task"] = seen
        if name == "words":
            best, worst = np.zeros(len(correct)), np.zeros(len(correct))
            np.maximum.at(best, row, rate)
            np.minimum.at(worst, row, rate)
            columns["wording.best"], columns["wording.worst"] = best, worst
    stacked = np.stack([columns[name] for name in RATE_NAMES], axis=1)
    return centre_by_question(table, stacked)


def centre_by_question(table: OptionTable, values: np.ndarray) -> np.ndarray:
    """float64 [rows, columns]: each value minus the mean of its question's rows."""
    if not len(values):
        return values
    means = np.add.reduceat(values, table.starts[:-1], axis=0) / table.sizes[:, None]
    centred: np.ndarray = values - means[table.question_of]
    return centred


def _count_elsewhere(
    table: OptionTable, row: np.ndarray, key: np.ndarray, correct: np.ndarray, learns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Answers and options that hold each occurrence's key in what is learnt from, less those of the row's own video."""
    counted = learns[table.question_of[row]].astype(np.float64)
    answered = counted * correct[row]
    keys = int(key.max()) + 1 if len(key) else 0
    _, in_video = np.unique(table.cluster[table.question_of[row]] * max(keys, 1) + key, return_inverse=True)
    answers, options = (
        np.bincount(key, weights=weight)[key] - np.bincount(in_video, weights=weight)[in_video]
        for weight in (answered, counted)
    )
    return answers, options


# --- parts ------------------------------------------------------------------------------------------------------


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


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


def _pairwise_likeness(parts: Sequence[set[str]]) -> np.ndarray:
    """float64 [options, options]: Jaccard index of each pair of sets; 0 on the diagonal."""
    likeness = np.zeros((len(parts), len(parts)))
    for one in range(len(parts)):
        for two in range(one):
            union = len(parts[one] | parts[two])
            likeness[one, two] = likeness[two, one] = len(parts[one] & parts[two]) / union if union else 1.0
    return likeness


def _number_keys(of_rows: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    number_of: dict[str, int] = {}
    row = [at for at, keys in enumerate(of_rows) for _ in keys]
    key = [number_of.setdefault(key, len(number_of)) for keys in of_rows for key in keys]
    return np.asarray(row, dtype=np.int64), np.asarray(key, dtype=np.int64)
