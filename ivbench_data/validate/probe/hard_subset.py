"""The questions that the probe cannot answer, and the proof by probes that took no part in choosing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Literal

import numpy as np

from ivbench_data.statistics import estimate_mean, estimate_share
from ivbench_data.validate.probe.holdout import Probing, Steps, average, hold_out, score_picks
from ivbench_data.validate.probe.option_table import OptionTable, sum_by_question, tabulate_options
from ivbench_data.validate.probe.probe_report import Certificate, HardSubset, ProbeOptions

_SLICE = 0.06
"""Share of all questions that one round takes out."""


def find_hard_subset(table: OptionTable, likely: np.ndarray, options: ProbeOptions, steps: Steps) -> HardSubset:
    """What is left when the questions that text gives away are taken out, round by round.

    Each round trains the choosing families anew on what is left, and takes out the questions whose answer they hold
    likeliest, half by that and half by `likely`, what they learnt from all questions. It ends when the upper bound of
    their accuracy above chance is within the tolerance (the adversarial filtering of Le Bras et al. 2020, *Adversarial
    Filters of Dataset Biases*, ICML). Training anew matters: taking out whatever one probe got right leaves a set on
    which its cues point away from the answer, which looks hard to that probe and teaches the opposite cue to the next.

    Args:
        table: the options.
        likely: float64 [rows], held-out probabilities by the choosing families.
        options: how the probe is run.
        steps: counts each family and seed.
    """
    size = max(1, int(_SLICE * len(table.questions)))
    seeds = (seed for seed in count(options.seeds[0]) if seed not in options.certification_seeds)
    position = {question.question_id: at for at, question in enumerate(table.questions)}
    from_all = sum_by_question(table, likely * table.correct) - table.chance
    left = table
    while _can_hold_out(left, options):
        seed = next(seeds)
        keys = [Probing(family, seed) for family in options.selection_families]
        again = average(hold_out(left, left.correct, key, options.folds, steps) for key in keys)
        hits = score_picks(left, again, left.correct)
        by_selection = _make_certificate(" + ".join(options.selection_families), "subset", hits, left, options)
        if by_selection.excess.high <= options.tolerance:
            return _certify(table, left, by_selection, options, steps)
        from_left = sum_by_question(left, again * left.correct) - left.chance
        given_away = (from_left + from_all[[position[question.question_id] for question in left.questions]]) / 2
        out = set(np.argsort(-given_away, kind="stable")[:size].tolist())
        left = tabulate_options([question for at, question in enumerate(left.questions) if at not in out])
    return HardSubset(
        rule=_describe_rule(options), question_ids=(), chance=0.0, by_selection=None, certificates=(), status="empty"
    )


def _can_hold_out(table: OptionTable, options: ProbeOptions) -> bool:
    return len(np.unique(table.cluster)) >= options.folds and not table.correct.all()


def _describe_rule(options: ProbeOptions) -> str:
    families = " and ".join(options.selection_families)
    return (
        f"{_SLICE:.0%} of the questions out a round, those most given away first, until {families} trained on the rest "
        f"stay within {options.tolerance:.0%} of chance (upper bound)"
    )


def _certify(
    table: OptionTable, left: OptionTable, by_selection: Certificate, options: ProbeOptions, steps: Steps
) -> HardSubset:
    certificates = tuple(_iterate_certificates(table, left, options, steps))
    return HardSubset(
        rule=_describe_rule(options),
        question_ids=tuple(question.question_id for question in left.questions),
        chance=float(left.chance.mean()),
        by_selection=by_selection,
        certificates=certificates,
        status=_decide_status(certificates, options),
    )


def _iterate_certificates(
    table: OptionTable, left: OptionTable, options: ProbeOptions, steps: Steps
) -> Iterator[Certificate]:
    """What each certifying family reaches on what is left, learning from all questions, and from those left alone."""
    kept = {question.question_id for question in left.questions}
    is_left = np.asarray([question.question_id in kept for question in table.questions])
    for family in options.certification_families:
        keys = [Probing(family, seed) for seed in options.certification_seeds]
        likely = average(hold_out(table, table.correct, key, options.folds, steps) for key in keys)
        yield _make_certificate(family, "all", score_picks(table, likely, table.correct)[is_left], left, options)
        likely = average(hold_out(left, left.correct, key, options.folds, steps) for key in keys)
        yield _make_certificate(family, "subset", score_picks(left, likely, left.correct), left, options)


def _make_certificate(
    family: str, trained_on: Literal["all", "subset"], hits: np.ndarray, left: OptionTable, options: ProbeOptions
) -> Certificate:
    clusters = left.cluster.tolist()
    return Certificate(
        family=family,
        trained_on=trained_on,
        accuracy=estimate_share(hits.tolist(), clusters, options.confidence),
        excess=estimate_mean((hits - left.chance).tolist(), clusters, (-1, 1), options.confidence),
    )


def _decide_status(
    certificates: Sequence[Certificate], options: ProbeOptions
) -> Literal["certified", "leaks", "insufficient_n", "uncertified"]:
    excesses = [certificate.excess for certificate in certificates]
    if not excesses:
        return "uncertified"
    if all(excess.high <= options.margin for excess in excesses):
        return "certified"
    return "leaks" if any(excess.low > 0 for excess in excesses) else "insufficient_n"
