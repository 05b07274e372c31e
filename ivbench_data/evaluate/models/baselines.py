"""Baselines that answer without seeing video or image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.prompts.requests import Model, Reply, Request
from ivbench_data.schema import Question


def open_random(dataset: Dataset | None) -> Model:
    """A model that draws every answer by the SHA-256 of `question_id NUL random`: the same on every machine.

    It draws a letter if options are shown with letters, else an option's text (true and false); for a number, from 1 to
    the number of images. Free text, and a number without two images, give a failed reply. The word after the NUL
    separates this draw from other uses of the question's id; a further sample's number follows another NUL.
    """
    known = {question.question_id: question for question in dataset.questions} if dataset is not None else {}

    def answer(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            further = f"\0{request.sample}" if request.sample else ""
            digest = hashlib.sha256(f"{request.question_id}\0random{further}".encode()).digest()
            choices = request.letters or _list_answers(known.get(request.question_id))
            text = choices[int.from_bytes(digest) % len(choices)] if choices else None
            yield Reply(request.key, text=text, error=None if choices else "no options to draw from")

    return answer


def _list_answers(question: Question | None) -> tuple[str, ...]:
    """The answers to draw from for a question without option letters."""
    if question is None:
        return ()
    if question.question_type == "numeric" and len(question.image_ids) > 1:
        return tuple(map(str, range(1, len(question.image_ids) + 1)))
    return question.options


def open_text(dataset: Dataset | None) -> Model:
    """A model that picks the option which the validation probe finds most likely, from question and options alone.

    The probe answers each question with models trained on the answers to questions on other videos. This is an upper
    bound on what the texts reveal, not a model that has never seen the benchmark (see `validate.probe`).

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
                yield Reply(request.key, error="the probe skips questions without options or with hidden answers")
            elif letters:
                yield Reply(request.key, text=letters[(index - request.rotation) % len(letters)])
            else:
                yield Reply(request.key, text=options_of[request.question_id][index])

    return answer


def _pick_by_probe(dataset: Dataset) -> dict[str, int]:
    """The position of the most likely option, in stored order, by question id; by the mean of the probe's models."""
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

DRAWN_BASELINES = frozenset({"random"})
"""Those that draw, so that samples differ."""


def open_model(name: str, dataset: Dataset | None) -> Model:
    """The baseline of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in BASELINES:
        raise UsageError(f"there is no baseline named {name!r}; there are: {', '.join(BASELINES)}")
    return BASELINES[name](dataset)
