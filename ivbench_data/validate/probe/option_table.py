"""The probe's table: one row an option, its features, and how often what it holds is the answer elsewhere.

Only `count_answers` sees answers, and only those of the questions that it may learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import Question
from ivbench_data.text.folds import fold
from ivbench_data.validate.probe.features import WORD, describe_options

_SMOOTHING = 2.0
"""Rows' worth of doubt in an answer rate: with fewer than this, the rate stays near chance."""


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
        asked = fold(question.question)
        for text in texts:
            folded = fold(text)
            words = WORD.findall(folded)
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


def _number_keys(of_rows: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    number_of: dict[str, int] = {}
    row = [at for at, keys in enumerate(of_rows) for _ in keys]
    key = [number_of.setdefault(key, len(number_of)) for keys in of_rows for key in keys]
    return np.asarray(row, dtype=np.int64), np.asarray(key, dtype=np.int64)
