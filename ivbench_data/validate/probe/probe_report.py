"""What the text-only probe returns, and how it is shown: records, table rows, findings, and the plot."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, NonNegativeInt

from ivbench_data.plotting import make_figure
from ivbench_data.schema import Finding, NonEmpty, Record
from ivbench_data.statistics import CONFIDENCE, Estimate, Probability
from ivbench_data.validate.checks.single_cues import RULES, SingleCue
from ivbench_data.validate.probe.families import FAMILIES
from ivbench_data.validate.probe.features import CUES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

LABEL_CHARS: Final = 36
"""Characters of a task's name on one line of the plot."""

OVERALL: Final = "Overall"
"""Name of the row over all tasks."""


HEURISTICS: Final[dict[str, tuple[str, int]]] = {
    "longest": ("length.characters", 1),
    "shortest": ("length.characters", -1),
    "most typical": ("typicality.letters", 1),
    "least typical": ("typicality.letters", -1),
    "never repeated": ("typicality.twins", -1),
    "smallest number": ("value.lowest", 1),
    "middle number": ("value.middle", 1),
    "largest number": ("value.highest", 1),
    "round number": ("value.round", 1),
    "range touching others": ("value.touching", 1),
    "range touching no other": ("value.touching", -1),
    "odd one out in writing": ("surface.oddness", 1),
    "shares most words with the question": ("overlap.words", 1),
    "shares fewest words with the question": ("overlap.words", -1),
    "most frequent answer": ("frequency.answers", 1),
    "most frequent answer in its task": ("frequency.answers_in_task", 1),
    "most frequent answer to the same question": ("frequency.answers_to_same_question", 1),
    "most frequent option": ("frequency.options", 1),
    "rarest option": ("frequency.options", -1),
    "words of other answers": ("wording.answers", 1),
}
"""Single heuristics by name: pick the option with the highest (1) or lowest (-1) value of a feature; ties are shared.

The frequencies are counted in the training folds only.
"""


class ProbeOptions(Record):
    """How the probe is run. All of it is fixed beforehand; nothing is tuned on what is held out."""

    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Parts that videos are dealt into; each is held out once."""
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] = (0, 1)
    """Deals of videos into folds, and starts of the models, that the figures are averaged over."""
    null_seeds: tuple[NonNegativeInt, ...] = (0, 1, 2)
    """Times that answers are replaced at random."""
    selection_families: Annotated[tuple[NonEmpty, ...], Field(min_length=1)] = ("boosting", "logistic")
    """Families that choose the hard subset."""
    certification_families: tuple[NonEmpty, ...] = ("forest", "network")
    """Families that certify it; none of them may choose."""
    certification_seeds: tuple[NonNegativeInt, ...] = (101, 102)
    """Seeds that certify; none of them may be among `seeds`."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    """Coverage of the intervals."""
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Chance of any false claim: half of it is spent on the probe's tasks, half on single heuristics."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Accuracy above chance that the choosing families' upper bound may keep on the hard subset."""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Accuracy above chance that the certifying families' upper bounds may reach."""

    @property
    def families(self) -> tuple[str, ...]:
        """Every family, in the order of `FAMILIES`."""
        return tuple(name for name in FAMILIES if name in {*self.selection_families, *self.certification_families})


class CueEffect(Record):
    """What one cue gives away in one task."""

    cue: NonEmpty
    """Key of `CUES`."""
    effect: Estimate
    """Probability of the answer that the cue adds, the mean of adding it to nothing and to all the others."""
    accuracy_alone: Probability
    """Accuracy of the probe when it sees this cue alone."""
    p_value: Probability
    """One-sided, Holm-adjusted over the cues of all leaking tasks."""
    is_claimed: bool
    """Whether the cue is named as giving the task away."""


class HeuristicResult(Record):
    """What one single heuristic reaches in one task, without any training beyond counting answers elsewhere."""

    heuristic: NonEmpty
    """Key of `HEURISTICS`."""
    task: NonEmpty
    """The task."""
    accuracy: Estimate
    """Share of questions it answers; ties count by share."""
    p_value: Probability
    """One-sided against chance, Holm-adjusted over all heuristics and tasks."""
    is_claimed: bool
    """Whether it is named as giving answers away."""


class TaskLeakage(Record):
    """How far question and options alone go in one task, or over all of them."""

    task: NonEmpty
    """The task, or `Overall`."""
    chance: Probability
    """Mean over questions of right options over options."""
    accuracy: Estimate
    """Held-out accuracy of all families together: the trained leakage bound."""
    excess: Estimate
    """Accuracy above each question's own chance level."""
    null: Estimate | None
    """Accuracy when answers are replaced at random, averaged over the null's seeds; None when none was run."""
    null_chance: Probability | None
    """Chance level of the replaced answers."""
    by_family: dict[str, Estimate]
    """Held-out accuracy of each family."""
    p_value: Probability
    """One-sided p of the excess, Holm-adjusted over tasks."""
    is_claimed: bool
    """Whether the probe is above chance for sure."""
    heuristics: tuple[str, ...] = ()
    """Single heuristics that are above chance for sure, the best first."""
    cues: tuple[CueEffect, ...] = ()
    """What gives them away, strongest first; empty where no claim is made."""

    @property
    def leaks(self) -> bool:
        """Whether the claim is made, by the probe or a heuristic, that text alone gives answers away here."""
        return self.is_claimed or bool(self.heuristics)

    @property
    def named_cues(self) -> tuple[str, ...]:
        """What is named as giving it away: single rules, cues of the probe, strongest first, cues of heuristics."""
        rules = [name for name in self.heuristics if name in RULES]
        of_heuristics = (HEURISTICS[name][0].split(".")[0] for name in self.heuristics)
        return tuple(dict.fromkeys([*rules, *(cue.cue for cue in self.cues if cue.is_claimed), *of_heuristics]))

    @property
    def null_is_at_chance(self) -> bool | None:
        """Whether the null's interval holds its chance level."""
        return None if self.null is None or self.null_chance is None else self.null.holds(self.null_chance)


class QuestionLeakage(Record):
    """What the probe found on one question."""

    question_id: NonEmpty
    """The question."""
    task: NonEmpty
    """Its task."""
    chance: Probability
    """Right options over options."""
    probability: Probability
    """Held-out probability that the probe gives to the right options."""
    picked_index: NonNegativeInt
    """Position, among the stored options, of the one that the probe holds likeliest; of several, the first by text."""
    answered: Probability
    """1 when that is right, 0 when not; a share where several are equally likely."""
    cue: str | None = None
    """What gives it away, in a task that leaks: the named cue that adds most, else that of a heuristic that answers."""
    cue_effect: float | None = None
    """Probability that this cue adds; None when a heuristic names it."""
    heuristics: tuple[str, ...] = ()
    """Single heuristics that are claimed in its task and pick its answer alone."""
    is_hard: bool = False
    """Whether it belongs to the hard subset."""


class Certificate(Record):
    """What one family that took no part in choosing reaches on the hard subset."""

    family: NonEmpty
    """The family."""
    trained_on: Literal["all", "subset"]
    """What it learnt from: all other questions, or those of the subset alone, which shows cues that choosing made."""
    accuracy: Estimate
    """Held-out accuracy on the subset."""
    excess: Estimate
    """Accuracy above chance."""


class HardSubset(Record):
    """Questions that the probe cannot answer, and who vouches for it."""

    rule: NonEmpty
    """How they were chosen."""
    question_ids: tuple[str, ...]
    """The questions."""
    chance: Probability
    """Chance level on them."""
    by_selection: Certificate | None
    """Accuracy of the families that chose it: no evidence, shown beside."""
    certificates: tuple[Certificate, ...]
    """Accuracy of families and seeds that did not."""
    status: Literal["certified", "leaks", "insufficient_n", "uncertified", "empty"]
    """`certified`: every upper bound is within the margin of chance. `leaks`: not all are, and some accuracy is above
    chance beyond its interval. `insufficient_n`: too few questions to decide. `uncertified`: no family was left for it.
    `empty`: no question is left."""


class ProbeReport(Record):
    """What the probe found."""

    dataset: NonEmpty
    """Name of the dataset."""
    options: ProbeOptions
    """How it was run."""
    skipped: NonNegativeInt
    """Questions without options or with hidden answers, which it leaves out."""
    tasks: tuple[TaskLeakage, ...]
    """One row a task, `Overall` last."""
    questions: tuple[QuestionLeakage, ...]
    """One row a question, in the dataset's order."""
    heuristics: tuple[HeuristicResult, ...]
    """One row a heuristic and task, `Overall` among them."""
    hard: HardSubset
    """The questions that are left."""
    single_cues: tuple[SingleCue, ...] = ()
    """Accuracy of each single rule on the whole dataset, as the check `single_cue` measures it."""

    @property
    def overall(self) -> TaskLeakage:
        """The row over all tasks."""
        return self.tasks[-1]


# --- showing it -------------------------------------------------------------------------------------------------

TASK_COLUMNS: Final = (
    "task", "questions", "chance %", "probe %", "interval", "null %", "null interval", "leaks", "by which cues",
    "best single heuristic",
)  # fmt: skip
"""Columns of `list_task_rows`."""


def list_task_rows(report: ProbeReport) -> list[tuple[object, ...]]:
    """One row a task for a table, `Overall` last: figures in per cent, cues and heuristics only where claimed."""
    rows: list[tuple[object, ...]] = []
    for row in report.tasks:
        tried = {one.heuristic: one for one in report.heuristics if one.task == row.task}
        best = tried[row.heuristics[0]] if row.heuristics else None
        rows.append(
            (
                row.task,
                row.accuracy.n,
                _percent(row.chance),
                _percent(row.accuracy.value),
                _interval(row.accuracy),
                "–" if row.null is None else _percent(row.null.value),
                "–" if row.null is None else _interval(row.null),
                "yes" if row.leaks else "not shown",
                ", ".join(row.named_cues) or "–",
                "–" if best is None else f"{best.heuristic} ({_percent(best.accuracy.value)})",
            )
        )
    return rows


CUE_COLUMNS: Final = ("rule", "questions", "accuracy %", "chance %", "p (Holm)", "beats chance")
"""Columns of `list_cue_rows`."""


def list_cue_rows(report: ProbeReport) -> list[tuple[object, ...]]:
    """One row a single rule, for a table."""
    return [
        (
            cue.cue,
            cue.questions,
            _percent(cue.accuracy),
            _percent(cue.chance),
            f"{cue.p_value:.2g}",
            "yes" if cue.is_claimed else "not shown",
        )
        for cue in report.single_cues
    ]


CERTIFICATE_COLUMNS: Final = ("family", "role", "trained on", "accuracy %", "interval", "above chance", "interval")
"""Columns of `list_certificate_rows`."""


def list_certificate_rows(report: ProbeReport) -> list[tuple[object, ...]]:
    """One row for each probe asked about the hard subset; the one that chose it comes first, and proves nothing."""
    chose = [("chose it", report.hard.by_selection)] if report.hard.by_selection else []
    return [
        (
            one.family,
            role,
            one.trained_on,
            _percent(one.accuracy.value),
            _interval(one.accuracy),
            f"{one.excess.value * 100:+.1f}",
            f"{one.excess.low * 100:+.1f} to {one.excess.high * 100:+.1f}",
        )
        for role, one in [*chose, *(("certifies", one) for one in report.hard.certificates)]
    ]


def describe_probe(report: ProbeReport) -> str:
    """The report in a few sentences, with what the figure is and is not."""
    row, hard = report.overall, report.hard
    null = ""
    if row.null is not None and row.null_chance is not None:
        position = "within" if row.null_is_at_chance else "OUTSIDE"
        null = (
            f" With answers replaced at random it reaches {_percent(row.null.value)}% ({_interval(row.null)}), its "
            f"chance level of {_percent(row.null_chance)}% {position} that interval."
        )
    rules = "".join(
        f" The rule “{cue.cue}” answers {_percent(cue.accuracy)}% (chance {_percent(cue.chance)}%)."
        for cue in report.single_cues
        if cue.is_claimed
    )
    subset = (
        f"{len(hard.question_ids):,} questions are left in the hard subset ({hard.status})."
        if hard.question_ids
        else "No hard subset could be found."
    )
    return (
        f"From question and options alone, trained on other videos ({report.options.folds} folds), "
        f"{_percent(row.accuracy.value)}% ({_interval(row.accuracy)}) of {row.accuracy.n:,} questions are answered; "
        f"chance is {_percent(row.chance)}%. "
        f"This is a trained leakage bound, not a zero-shot score.{null}{rules} {subset}"
    )


def find_leaks(report: ProbeReport) -> Iterator[Finding]:
    """A finding for each question that text gives away, in the tasks where the claim is made.

    A `warning` where the answer's held-out probability is one half or more, else `info`.
    """
    leaking = {row.task for row in report.tasks if row.leaks}
    for question in report.questions:
        is_answered = question.answered > question.chance
        if question.task not in leaking or not (is_answered or question.heuristics):
            continue
        by = f", most of all by {CUES[question.cue]}" if question.cue else ""
        rule = f"; one rule picks it: {question.heuristics[0]}" if question.heuristics else ""
        yield Finding(
            check="answered_from_text",
            severity="warning" if question.probability >= 0.5 else "info",
            message=(
                f"question and options alone give the answer a probability of {question.probability:.0%} "
                f"(chance {question.chance:.0%}){by}{rule}"
            ),
            question_id=question.question_id,
            evidence={
                "probability": question.probability,
                "chance": question.chance,
                "cue": question.cue,
                "cue_effect": question.cue_effect,
                "heuristics": list(question.heuristics),
            },
        )


def plot_probe(report: ProbeReport) -> Figure:
    """Accuracy, null and chance of each task.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    rows = list(reversed(report.tasks))
    figure, axes = make_figure(9, 1.6 + 0.42 * len(rows))
    for at, row in enumerate(rows):
        axes.plot([row.chance * 100] * 2, [at - 0.3, at + 0.3], color="black", linewidth=1.5)
        if row.null is not None:
            _draw_estimate(axes, row.null, at - 0.16, "0.6", "s")
        _draw_estimate(axes, row.accuracy, at + 0.12, "C3" if row.leaks else "C0", "o")
        if cues := row.named_cues:
            text = ", ".join(cues[:3]) + (" …" if len(cues) > 3 else "")
            axes.text(row.accuracy.high * 100 + 1, at + 0.12, text, va="center", fontsize=8, color="0.3")
    # names come from the data: `$` in them is not the beginning of a formula
    labels = [f"{_break_name(row.task)} ({row.accuracy.n})" for row in rows]
    axes.set_yticks(range(len(rows)), labels, parse_math=False)
    axes.set_xlabel(f"accuracy, %, with {report.options.confidence:.0%} intervals clustered by video")
    axes.set_xlim(0, min(118, max(row.accuracy.high for row in rows) * 100 + 22))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_title(
        f"{report.dataset}: what question and options alone give away (trained leakage bound)",
        parse_math=False, loc="left", fontsize=11,
    )  # fmt: skip
    handles = [
        _legend_line("C3", "o", "leaks: above chance"),
        _legend_line("C0", "o", "not shown to leak"),
        _legend_line("0.6", "s", "null: answers replaced at random"),
        _legend_line("black", "|", "chance"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def _draw_estimate(axes: Axes, estimate: Estimate, at: float, color: str, marker: str) -> None:
    axes.plot([estimate.low * 100, estimate.high * 100], [at, at], color=color, linewidth=1.6)
    axes.plot([estimate.value * 100], [at], color=color, marker=marker, markersize=5)


def _break_name(name: str) -> str:
    """The name on two lines at most: one of a hundred characters would leave no room to draw in."""
    return "\n".join(textwrap.wrap(name, LABEL_CHARS, max_lines=2, placeholder="…"))


def _legend_line(color: str, marker: str, label: str) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, marker=marker, linestyle="none", label=label)


def _percent(value: float) -> str:
    return f"{value * 100:.1f}"


def _interval(estimate: Estimate) -> str:
    return f"{_percent(estimate.low)}–{_percent(estimate.high)}"
