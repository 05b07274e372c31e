"""Baselines: what is reached without looking."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.prompts.requests import Model, Reply, Request
from ivbench_data.schema import Question


def open_random(dataset: Dataset | None) -> Model:
    """An answer to every question, drawn by the SHA-256 of `question_id NUL random`: the same everywhere, in any order.

    A letter where options stand by letters, an option's text where they do not (true and false), and for a number one
    from 1 to the number of images; there is nothing to draw from for free text, nor for a number without two images.
    The word after the NUL keeps this draw apart from every other that rests on the question's id.
    """
    known = {question.question_id: question for question in dataset.questions} if dataset is not None else {}

    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            digest = hashlib.sha256(f"{request.question_id}\0random".encode()).digest()
            lots = request.letters or _list_answers(known.get(request.question_id))
            text = lots[int.from_bytes(digest) % len(lots)] if lots else None
            yield Reply(request.key, text=text, error=None if lots else "it has nothing to draw from: no options")

    return answer


def _list_answers(question: Question | None) -> tuple[str, ...]:
    """What can be drawn for a question whose options, if any, do not stand by letters."""
    if question is None:
        return ()
    if question.question_type == "numeric" and len(question.image_ids) > 1:
        return tuple(map(str, range(1, len(question.image_ids) + 1)))
    return question.options


def open_text(dataset: Dataset | None) -> Model:
    """The option that the validation probe holds likeliest, from question and options alone.

    The probe answers each question with models that were trained on the answers to questions on other videos: a bound
    on what the texts give away, not a model that was never shown the benchmark (see `validate.probe`).

    Raises:
        UsageError: the dataset is not given, or has too few videos to hold any out.
        MissingDependencyError: scikit-learn is not installed.
    """
    if dataset is None:
        raise UsageError("baseline:text learns from the dataset's other questions, and needs the dataset")
    picked = _pick_by_probe(dataset)
    options_of = {question.question_id: question.options for question in dataset.questions}

    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            index, letters = picked.get(request.question_id), request.letters
            if index is None:
                yield Reply(request.key, error="the probe passes over questions without options or with hidden answers")
            elif letters:
                yield Reply(request.key, text=letters[(index - request.rotation) % len(letters)])
            else:
                yield Reply(request.key, text=options_of[request.question_id][index])

    return answer


def _pick_by_probe(dataset: Dataset) -> dict[str, int]:
    """The position of the likeliest option, in stored order, by question; the mean over the probe's choosing models."""
    from ivbench_data.validate.probe.holdout import Probing, Steps, average, find_picks, hold_out
    from ivbench_data.validate.probe.option_table import tabulate_options
    from ivbench_data.validate.probe.probe_report import ProbeOptions

    options = ProbeOptions()
    table = tabulate_options(dataset.questions)
    if len(set(table.cluster.tolist())) < options.folds:
        raise UsageError(f"{dataset.name} has questions on too few videos: baseline:text needs {options.folds}")
    runs = [Probing(family, seed) for seed in options.seeds for family in options.selection_families]
    likely = average(hold_out(table, table.correct, run, options.folds, Steps()) for run in runs)
    picks = find_picks(table, likely)
    picked: dict[str, int] = {}
    for at, question in enumerate(table.questions):
        rows = range(table.starts[at], table.starts[at + 1])
        picked[question.question_id] = int(table.option_index[next(row for row in rows if picks[row])])
    return picked


BASELINES: dict[str, Callable[[Dataset | None], Model]] = {"random": open_random, "text": open_text}
"""Every baseline, by name."""


def open_model(name: str, dataset: Dataset | None) -> Model:
    """The baseline of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in BASELINES:
        raise UsageError(f"there is no baseline named {name!r}; there are: {', '.join(BASELINES)}")
    return BASELINES[name](dataset)
