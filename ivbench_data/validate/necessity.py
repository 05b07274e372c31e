"""Which questions need their image, shown by models that answered with it and without it.

Takes answers as they were scored, whatever file they came from: an `AnswerRun` is one model and seed under one
condition. A label on a question says what those runs show, with how many they were; a claim on a task is made only when
the full condition beats every ablation and the text-only upper bound stays near chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import Question, Record
from ivbench_data.significance import adjust_holm, compute_clustered_p_value, compute_mcnemar
from ivbench_data.statistics import CONFIDENCE, Estimate, estimate_mean, estimate_share, find_sample_size
from ivbench_data.validate.necessity_report import (
    FULL,
    OVERALL,
    ConditionComparison,
    Label,
    NecessityReport,
    QuestionNecessity,
    Status,
    TaskNecessity,
)

ABLATIONS: Final = ("video_only", "image_only", "text_only", "image_swapped", "image_blank")
"""Conditions that withhold the image or the video, or put another image in its place: the full one must beat them."""

WITHOUT_IMAGE: Final = ("video_only", "image_swapped", "image_blank")
"""Those that show the video without its image."""

CONTROLS: Final = ("single_frame", "shuffled_frames", "evidence_only", "evidence_removed")
"""Conditions about the video's part in it; compared and shown, and no part of the claim."""


@dataclass(frozen=True)
class AnswerRun:
    """What one model, with one seed, got right under one condition."""

    condition: str
    """Name of the prompt's pattern: one of `FULL`, `ABLATIONS` or `CONTROLS`."""
    correct: Mapping[str, bool]
    """Question id, and whether it was answered right; an unparsed reply is wrong."""
    model: str = "model"
    """The model, with what else identifies it (revision, grid)."""
    seed: int = 0
    """Its seed, or the number of the run."""


class NecessityOptions(Record):
    """What it takes to claim."""

    significance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Level of the Holm-adjusted tests."""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """How far above chance the text-only upper bound may lie."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    """Coverage of the intervals."""


def assess_necessity(
    dataset: Dataset, runs: Sequence[AnswerRun], options: NecessityOptions | None = None
) -> NecessityReport:
    """Which questions and tasks need their image, from answers under several conditions.

    Runs are paired by model and seed. Questions without an image, and ids that the dataset does not have, are left out.

    Raises:
        UsageError: no run, an unknown condition, or two runs of one condition, model and seed.
        MissingDependencyError: scipy is not installed.
    """
    options = options or NecessityOptions()
    table = _arrange(runs)
    full = next((condition for condition in FULL if condition in table), None)
    questions = [question for question in dataset.questions if question.image_ids]
    answered = [question for question in questions if full and _shares(table[full], question.question_id)]
    groups = _group_tasks(answered)
    comparisons = _compare_conditions(table, full, groups, options) if full else []
    labelled = [_label(question, table, full) for question in answered] if full else []
    return NecessityReport(
        full_condition=full,
        models=tuple(sorted({run.model for run in runs})),
        tasks=tuple(_decide(task, of_task, table, comparisons, labelled, options) for task, of_task in groups.items()),
        comparisons=tuple(comparisons),
        questions=tuple(labelled),
    )


# --- arranging --------------------------------------------------------------------------------------------------

_Runs = dict[tuple[str, int], Mapping[str, bool]]
"""Answers by model and seed."""


def _arrange(runs: Sequence[AnswerRun]) -> dict[str, _Runs]:
    if not runs:
        raise UsageError("necessity needs answers under at least the full, the video-only and the text-only condition")
    known = (*FULL, *ABLATIONS, *CONTROLS)
    table: dict[str, _Runs] = {}
    for run in runs:
        if run.condition not in known:
            raise UsageError(f"there is no condition {run.condition!r}; there are: {', '.join(known)}")
        of_condition = table.setdefault(run.condition, {})
        if (run.model, run.seed) in of_condition:
            raise UsageError(f"{run.model}, seed {run.seed} was given twice under {run.condition}")
        of_condition[run.model, run.seed] = run.correct
    return {condition: table[condition] for condition in known if condition in table}


def _group_tasks(questions: Sequence[Question]) -> dict[str, list[Question]]:
    groups: dict[str, list[Question]] = {task: [] for task in sorted({question.task for question in questions})}
    for question in questions:
        groups[question.task].append(question)
    return {**groups, OVERALL: list(questions)}


def _shares(runs: _Runs, question_id: str) -> list[bool]:
    return [correct[question_id] for correct in runs.values() if question_id in correct]


def _is_mostly_right(answers: Sequence[bool]) -> bool:
    return 2 * sum(answers) > len(answers)


def _label(question: Question, table: Mapping[str, _Runs], full: str) -> QuestionNecessity:
    answers = {condition: _shares(runs, question.question_id) for condition, runs in table.items()}
    answers = {condition: given for condition, given in answers.items() if given}
    mostly = {condition: _is_mostly_right(given) for condition, given in answers.items()}
    label: Label = "image_not_shown_needed"
    if mostly.get("text_only"):
        label = "answerable_from_text"
    elif any(mostly.get(condition) for condition in WITHOUT_IMAGE):
        label = "answerable_without_image"
    elif (
        mostly[full]
        and {"text_only", "video_only"} <= mostly.keys()
        and not any(mostly.get(condition) for condition in ABLATIONS)
    ):
        label = "image_needed"
    return QuestionNecessity(
        question_id=question.question_id,
        task=question.task,
        label=label,
        right={condition: sum(given) / len(given) for condition, given in answers.items()},
        runs={condition: len(given) for condition, given in answers.items()},
        models=len({model for (model, _), correct in table[full].items() if question.question_id in correct}),
    )


# --- comparing --------------------------------------------------------------------------------------------------


def _compare_conditions(
    table: Mapping[str, _Runs], full: str, groups: Mapping[str, Sequence[Question]], options: NecessityOptions
) -> list[ConditionComparison]:
    made = [
        row
        for task, questions in groups.items()
        for condition, runs in table.items()
        if condition != full
        for row in _compare(task, condition, table[full], runs, questions, options)
    ]
    adjusted: dict[tuple[str, str], float] = {}
    for decides in (True, False):
        of_kind = [row for row in made if (row.condition in ABLATIONS) == decides]
        p_values = adjust_holm([row.p_value for row in of_kind])
        adjusted |= {(row.task, row.condition): p for row, p in zip(of_kind, p_values, strict=True)}
    return [row.model_copy(update={"p_value": adjusted[row.task, row.condition]}) for row in made]


def _compare(
    task: str, condition: str, full: _Runs, other: _Runs, questions: Iterable[Question], options: NecessityOptions
) -> list[ConditionComparison]:
    """The comparison, its p not yet adjusted; none without a question that both answered in a common run."""
    common = full.keys() & other.keys()
    pairs: list[tuple[float, float]] = []
    clusters: list[str] = []
    only_full = only_other = 0
    for question in questions:
        both = [key for key in common if question.question_id in full[key] and question.question_id in other[key]]
        if not both:
            continue
        with_all = [full[key][question.question_id] for key in both]
        without = [other[key][question.question_id] for key in both]
        pairs.append((sum(with_all) / len(both), sum(without) / len(both)))
        clusters.append(cluster_of(question))
        only_full += _is_mostly_right(with_all) and not _is_mostly_right(without)
        only_other += _is_mostly_right(without) and not _is_mostly_right(with_all)
    if not pairs:
        return []
    differences = [one - two for one, two in pairs]
    mcnemar = compute_mcnemar(only_full, only_other)
    clustered = compute_clustered_p_value(differences, clusters)
    return [
        ConditionComparison(
            task=task,
            condition=condition,
            full=sum(one for one, _ in pairs) / len(pairs),
            other=sum(two for _, two in pairs) / len(pairs),
            difference=estimate_mean(differences, clusters, (-1, 1), options.confidence),
            mcnemar=mcnemar,
            clustered_p_value=clustered,
            p_value=max(mcnemar.p_value, clustered),
        )
    ]


# --- deciding ---------------------------------------------------------------------------------------------------


def _decide(
    task: str,
    questions: Sequence[Question],
    table: Mapping[str, _Runs],
    comparisons: Sequence[ConditionComparison],
    labelled: Sequence[QuestionNecessity],
    options: NecessityOptions,
) -> TaskNecessity:
    chance = _mean_chance(questions)
    text_only = _bound_text_only(questions, table.get("text_only", {}), options)
    needed = None
    if text_only is not None and chance + options.margin < 1:
        needed = find_sample_size(
            chance,
            options.margin,
            design_effect=text_only.design_effect,
            cluster_size=text_only.n / text_only.clusters,
            confidence=options.confidence,
        )
    decisive = [row for row in comparisons if row.condition in ABLATIONS]
    videos_needed = _count_videos_needed(len(decisive), options)
    status, reason, needed = _find_status(
        chance, text_only, needed, videos_needed, [row for row in decisive if row.task == task], options
    )
    own = [row.label for row in labelled if task in (OVERALL, row.task)]
    return TaskNecessity(
        task=task,
        status=status,
        reason=reason,
        questions=len(questions),
        chance=chance,
        text_only=text_only,
        questions_needed=needed,
        labels={label: own.count(label) for label in dict.fromkeys(own)},
    )


def _count_videos_needed(tests: int, options: NecessityOptions) -> int:
    """Videos from which on so many tests, with videos as units, can come out significant at all.

    A difference on every question of G videos has a p of `2 · 2^-G` (the sign test), times the tests by Holm.
    """
    return math.floor(math.log2(2 * max(1, tests) / options.significance)) + 1


def _find_status(
    chance: float,
    text_only: Estimate | None,
    needed: int | None,
    videos_needed: int,
    decisive: Sequence[ConditionComparison],
    options: NecessityOptions,
) -> tuple[Status, str, int | None]:
    """The status, why, and with `insufficient_n` how many questions would do."""
    missing = [name for name in ("video_only", "text_only") if name not in {row.condition for row in decisive}]
    if missing or text_only is None:
        reason = f"the full condition cannot be compared with {' and '.join(missing)}: answers are missing"
        return "missing_condition", reason, None
    limit = chance + options.margin
    bound = f"the text-only upper bound is {text_only.high:.1%}, {limit:.1%} at most are allowed (chance {chance:.1%})"
    unbeaten = [row for row in decisive if not (row.difference.value > 0 and row.p_value < options.significance)]
    names = ", ".join(row.condition for row in unbeaten)
    short = [row.difference for row in unbeaten if row.difference.value > 0 and row.difference.clusters < videos_needed]
    on_videos = max((math.ceil(videos_needed * one.n / one.clusters) for one in short), default=0)
    too_few = (
        f"{min((one.clusters for one in short), default=0)} videos are too few for any test, {videos_needed} would do"
    )
    if text_only.high > limit:
        if text_only.low > limit or needed is None or text_only.n >= needed:
            return "not_shown", bound, None
        reason = f"{bound}; {text_only.n} questions are too few for it, about {needed} would do"
        return "insufficient_n", f"{reason}; {too_few}" if short else reason, max(needed, on_videos)
    if unbeaten and len(short) == len(unbeaten):
        return "insufficient_n", f"{bound}; against {names} {too_few}, some {on_videos} questions", on_videos
    if unbeaten:
        return "not_shown", f"the full condition does not beat {names}; {bound}", None
    return "needs_image", f"the full condition beats {', '.join(row.condition for row in decisive)}; {bound}", None


def _mean_chance(questions: Sequence[Question]) -> float:
    """Chance level: open questions and hidden answers count as one right option of those there are, or none."""
    shares = [
        (len(question.correct_indices) or 1) / len(question.options) if question.options else 0.0
        for question in questions
    ]
    return sum(shares) / len(shares) if shares else 0.0


def _bound_text_only(questions: Sequence[Question], runs: _Runs, options: NecessityOptions) -> Estimate | None:
    """Text-only accuracy of the model with the highest upper bound: the claim must stand against each of them."""
    bounds = []
    for model in sorted({model for model, _ in runs}):
        own = {key: correct for key, correct in runs.items() if key[0] == model}
        answered = [(question, _shares(own, question.question_id)) for question in questions]
        given = [(sum(answers) / len(answers), cluster_of(question)) for question, answers in answered if answers]
        if given:
            bounds.append(
                estimate_share([share for share, _ in given], [cluster for _, cluster in given], options.confidence)
            )
    return max(bounds, key=lambda bound: bound.high, default=None)


# --- showing it -------------------------------------------------------------------------------------------------
