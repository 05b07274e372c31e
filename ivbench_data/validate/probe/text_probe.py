"""The text-only probe: can question and options alone give the answer?

Small models are trained on what an option looks like among its rivals, in folds grouped by video, and asked about
questions on videos they have not seen. What they reach above chance is a *trained leakage bound*: what can be learnt
from other questions of the same benchmark without seeing image or video. It is not a zero-shot score of anything.

Three things keep it honest. A null, with answers replaced at random, must come out at chance. A claim is made only for
what stands above chance after Holm's correction over all tasks. And the hard subset is certified by families and seeds
that took no part in choosing it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.significance import adjust_holm, compute_clustered_p_value
from ivbench_data.statistics import Estimate, estimate_mean, estimate_share
from ivbench_data.validate.checks.single_cues import measure_single_cues
from ivbench_data.validate.probe.families import FAMILIES
from ivbench_data.validate.probe.features import CUES
from ivbench_data.validate.probe.hard_subset import find_hard_subset
from ivbench_data.validate.probe.holdout import (
    HeldOut,
    Probing,
    Step,
    Steps,
    average,
    deal_folds,
    find_picks,
    hold_out,
    replace_answers,
    score_picks,
)
from ivbench_data.validate.probe.option_table import (
    RATE_NAMES,
    OptionTable,
    count_answers,
    sum_by_question,
    tabulate_options,
)
from ivbench_data.validate.probe.probe_report import (
    HEURISTICS,
    OVERALL,
    CueEffect,
    HeuristicResult,
    ProbeOptions,
    ProbeReport,
    QuestionLeakage,
    TaskLeakage,
)


def run_probe(dataset: Dataset, options: ProbeOptions | None = None, on_step: Step | None = None) -> ProbeReport:
    """What question and options alone give away in a dataset: per task, per question, and by which cue.

    The same for any stored order of options or questions, and for the same seeds.

    Args:
        dataset: questions without options or with hidden answers are skipped, and counted.
        options: how to run it; on fewer videos than `folds` there are as many folds as videos, and the report says so.
        on_step: called after each family and seed with the step's name and the number of steps so far.

    Raises:
        UsageError: not even two videos to hold one out, or certifying families or seeds that also choose.
        MissingDependencyError: scikit-learn or scipy is not installed.
    """
    options = options or ProbeOptions()
    _check_options(options)
    table = tabulate_options(dataset.questions)
    videos = len(np.unique(table.cluster))
    _check_table(table, dataset.name, videos)
    options = options.model_copy(update={"folds": min(options.folds, videos)})
    steps = Steps(on_step)
    held = {
        key: hold_out(table, table.correct, key, options.folds, steps, with_cues=True)
        for key in (Probing(family, seed) for seed in options.seeds for family in options.families)
    }
    likely = average(held.values())
    view = _View(table, options, _group_tasks(table))
    hits = score_picks(table, likely, table.correct)
    heuristic_hits = _try_heuristics(table, options)
    heuristics = tuple(_summarise_heuristics(view, heuristic_hits))
    tasks = _summarise_tasks(view, hits, held, heuristics, _run_null(table, options, steps))
    effects = _attribute_cues(table, held)
    tasks = _name_cues(view, tasks, effects, held)
    hard = find_hard_subset(table, _of_families(held, options.selection_families), options, steps)
    rows = _describe_questions(view, likely, tasks, effects, heuristic_hits, set(hard.question_ids))
    by_id = {row.question_id: row for row in rows}
    return ProbeReport(
        dataset=dataset.name,
        options=options,
        skipped=len(dataset.questions) - len(table.questions),
        tasks=tuple(tasks),
        questions=tuple(by_id[q.question_id] for q in dataset.questions if q.question_id in by_id),
        heuristics=heuristics,
        hard=hard,
        single_cues=tuple(measure_single_cues(dataset.questions)),
    )


def _check_options(options: ProbeOptions) -> None:
    if unknown := {*options.selection_families, *options.certification_families} - FAMILIES.keys():
        raise UsageError(f"there is no probe family {min(unknown)!r}; there are: {', '.join(FAMILIES)}")
    if both := {*options.selection_families} & {*options.certification_families}:
        raise UsageError(f"the family {min(both)!r} cannot both choose the hard subset and certify it")
    if seeds := {*options.seeds} & {*options.certification_seeds}:
        raise UsageError(f"the seed {min(seeds)} cannot both choose the hard subset and certify it")


def _check_table(table: OptionTable, name: str, videos: int) -> None:
    if videos < 2:
        raise UsageError(
            f"the probe needs questions with options and answers on at least 2 videos, to hold one of them out; "
            f"{name!r} has them on {videos}"
        )
    if table.correct.all():
        raise UsageError(f"every option in {name!r} equals its question's answer: no option differs from the answer")


# --- figures ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _View:
    """The table, cut by task: what every figure is made from."""

    table: OptionTable
    options: ProbeOptions
    groups: dict[str, np.ndarray]
    """bool [questions] for each task, `Overall` last."""

    def share(self, task: str, hits: np.ndarray) -> Estimate:
        """The task's accuracy."""
        return estimate_share(self._of(task, hits), self._clusters(task), self.options.confidence)

    def mean(self, task: str, values: np.ndarray) -> Estimate:
        """The mean of a difference in the task."""
        return estimate_mean(self._of(task, values), self._clusters(task), (-1, 1), self.options.confidence)

    def p_value(self, task: str, hits: np.ndarray) -> float:
        """How often chance alone would put the task's accuracy this far above its chance level."""
        chance = self.table.chance
        lowest = -float(chance[self.groups[task]].mean())
        return compute_clustered_p_value(self._of(task, hits - chance), self._clusters(task), "greater", lowest)

    def p_value_of_effect(self, task: str, effects: np.ndarray) -> float:
        """How often chance alone would put the mean of these effects this far above 0."""
        return compute_clustered_p_value(self._of(task, effects), self._clusters(task), "greater")

    def _of(self, task: str, values: np.ndarray) -> list[float]:
        numbers: list[float] = values[self.groups[task]].tolist()
        return numbers

    def _clusters(self, task: str) -> list[int]:
        numbers: list[int] = self.table.cluster[self.groups[task]].tolist()
        return numbers


def _group_tasks(table: OptionTable) -> dict[str, np.ndarray]:
    task_of = np.asarray([question.task for question in table.questions])
    return {**{str(task): task_of == task for task in np.unique(task_of)}, OVERALL: np.ones(len(task_of), dtype=bool)}


def _of_families(held: Mapping[Probing, HeldOut], families: Sequence[str]) -> np.ndarray:
    return average(result for probing, result in held.items() if probing.family in families)


def _run_null(table: OptionTable, options: ProbeOptions, steps: Steps) -> tuple[np.ndarray, np.ndarray] | None:
    """Accuracy and chance, float64 [questions], with answers drawn at random, averaged over seeds."""
    hits, chance = [], []
    for null_seed in options.null_seeds:
        correct = replace_answers(table, null_seed)
        keys = [Probing(family, options.seeds[0] + null_seed) for family in options.families]
        likely = average(hold_out(table, correct, key, options.folds, steps) for key in keys)
        hits.append(score_picks(table, likely, correct))
        chance.append(sum_by_question(table, correct) / table.sizes)
    return (np.mean(hits, axis=0), np.mean(chance, axis=0)) if hits else None


def _summarise_tasks(
    view: _View,
    hits: np.ndarray,
    held: Mapping[Probing, HeldOut],
    heuristics: Sequence[HeuristicResult],
    null: tuple[np.ndarray, np.ndarray] | None,
) -> list[TaskLeakage]:
    table = view.table
    family_hits = {
        family: score_picks(table, _of_families(held, [family]), table.correct) for family in view.options.families
    }
    excess = hits - table.chance
    adjusted = adjust_holm([view.p_value(task, hits) for task in view.groups])
    return [
        TaskLeakage(
            task=task,
            chance=float(table.chance[of].mean()),
            accuracy=view.share(task, hits),
            excess=view.mean(task, excess),
            null=None if null is None else view.share(task, null[0]),
            null_chance=None if null is None else float(null[1][of].mean()),
            by_family={family: view.share(task, own) for family, own in family_hits.items()},
            p_value=p_value,
            is_claimed=p_value < view.options.significance / 2,
            heuristics=tuple(
                one.heuristic
                for one in sorted(heuristics, key=lambda one: -one.accuracy.value)
                if one.task == task and one.is_claimed
            ),
        )
        for (task, of), p_value in zip(view.groups.items(), adjusted, strict=True)
    ]


# --- single heuristics ------------------------------------------------------------------------------------------


def _try_heuristics(table: OptionTable, options: ProbeOptions) -> dict[str, np.ndarray]:
    """For each heuristic, float64 [questions]: the share of its picks that are right."""
    rates = np.zeros((len(table.correct), len(RATE_NAMES)))
    for learns in deal_folds(table, options.folds, options.seeds[0]):
        held_out = ~learns[table.question_of]
        rates[held_out] = count_answers(table, table.correct, learns)[held_out]
    columns = dict(zip((*table.names, *RATE_NAMES), np.hstack([table.values, rates]).T, strict=True))
    return {
        heuristic: score_picks(table, sign * columns[column], table.correct)
        for heuristic, (column, sign) in HEURISTICS.items()
    }


def _summarise_heuristics(view: _View, heuristic_hits: Mapping[str, np.ndarray]) -> Iterator[HeuristicResult]:
    tried = [(heuristic, task) for heuristic in heuristic_hits for task in view.groups]
    adjusted = adjust_holm([view.p_value(task, heuristic_hits[heuristic]) for heuristic, task in tried])
    for (heuristic, task), p_value in zip(tried, adjusted, strict=True):
        yield HeuristicResult(
            heuristic=heuristic,
            task=task,
            accuracy=view.share(task, heuristic_hits[heuristic]),
            p_value=p_value,
            is_claimed=p_value < view.options.significance / 2,
        )


# --- cues -------------------------------------------------------------------------------------------------------


def _attribute_cues(table: OptionTable, held: Mapping[Probing, HeldOut]) -> dict[str, np.ndarray]:
    """For each cue, float64 [questions]: the probability of the answer that it adds.

    The mean of what it adds to nothing and what it adds to all other cues: first and last terms of its Shapley value.
    """
    full = sum_by_question(table, average(held.values()) * table.correct)
    effects = {}
    for cue in CUES:
        without = np.mean([result.without[cue] for result in held.values()], axis=0)
        alone = np.mean([result.alone[cue] for result in held.values()], axis=0)
        added_last = full - sum_by_question(table, without * table.correct)
        added_first = sum_by_question(table, alone * table.correct) - table.chance
        effects[cue] = (added_last + added_first) / 2
    return effects


def _name_cues(
    view: _View,
    tasks: Sequence[TaskLeakage],
    effects: Mapping[str, np.ndarray],
    held: Mapping[Probing, HeldOut],
) -> list[TaskLeakage]:
    """The tasks, those that leak with what each cue gives away in them."""
    pairs = [(row.task, cue) for row in tasks if row.leaks for cue in CUES]
    adjusted = dict(
        zip(pairs, adjust_holm([view.p_value_of_effect(task, effects[cue]) for task, cue in pairs]), strict=True)
    )
    alone = {
        cue: score_picks(
            view.table, np.mean([result.alone[cue] for result in held.values()], axis=0), view.table.correct
        )
        for cue in CUES
    }
    named = []
    for row in tasks:
        cues = [
            CueEffect(
                cue=cue,
                effect=view.mean(row.task, effects[cue]),
                accuracy_alone=float(alone[cue][view.groups[row.task]].mean()),
                p_value=adjusted[row.task, cue],
                is_claimed=adjusted[row.task, cue] < view.options.significance,
            )
            for cue in (CUES if row.leaks else ())
        ]
        cues.sort(key=lambda cue: -cue.effect.value)
        named.append(row.model_copy(update={"cues": tuple(cues)}))
    return named


def _describe_questions(
    view: _View,
    likely: np.ndarray,
    tasks: Sequence[TaskLeakage],
    effects: Mapping[str, np.ndarray],
    heuristic_hits: Mapping[str, np.ndarray],
    hard: set[str],
) -> Iterator[QuestionLeakage]:
    table = view.table
    hits = score_picks(table, likely, table.correct)
    probability = np.clip(sum_by_question(table, likely * table.correct), 0, 1)
    picks = find_picks(table, likely)
    rows_by_task = {row.task: row for row in tasks}
    for at, question in enumerate(table.questions):
        rows = slice(table.starts[at], table.starts[at + 1])
        row = rows_by_task[question.task]
        alone = tuple(name for name in row.heuristics if heuristic_hits[name][at] == 1)
        cues = [cue.cue for cue in row.cues if cue.is_claimed and hits[at] > table.chance[at]]
        effect, cue = max(((float(effects[cue][at]), cue) for cue in cues), default=(0.0, ""))
        if effect <= 0:
            effect, cue = 0.0, HEURISTICS[alone[0]][0].split(".")[0] if alone else ""
        yield QuestionLeakage(
            question_id=question.question_id,
            task=question.task,
            chance=float(table.chance[at]),
            probability=float(probability[at]),
            picked_index=int(table.option_index[rows][picks[rows]][0]),
            answered=float(hits[at]),
            cue=cue or None,
            cue_effect=effect or None,
            heuristics=alone,
            is_hard=question.question_id in hard,
        )
