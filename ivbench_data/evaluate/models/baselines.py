"""Baselines: what is reached without looking."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.requests import Model, Reply, Request


def open_random(dataset: Dataset | None) -> Model:
    """A letter for every question, drawn by the SHA-256 of `question_id NUL random`: the same everywhere, in any order.

    The word after the NUL keeps this draw apart from every other that rests on the question's id.
    """

    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            digest = hashlib.sha256(f"{request.question_id}\0random".encode()).digest()
            letters = request.letters
            text = letters[int.from_bytes(digest) % len(letters)] if letters else None
            yield Reply(request.key, text=text, error=None if letters else "it has no letters to draw from")

    return answer


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

    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            index, letters = picked.get(request.question_id), request.letters
            if index is None or not letters:
                yield Reply(request.key, error="the probe passes over questions without options or with hidden answers")
            else:
                yield Reply(request.key, text=letters[(index - request.rotation) % len(letters)])

    return answer


def _pick_by_probe(dataset: Dataset) -> dict[str, int]:
    """The position of the likeliest option, in stored order, by question; the mean over the probe's choosing models."""
    from ivbench_data.validate.features import tabulate_options
    from ivbench_data.validate.holdout import Probing, Steps, average, find_picks, hold_out
    from ivbench_data.validate.probe_report import ProbeOptions

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
