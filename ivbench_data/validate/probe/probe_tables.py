"""What the text-only probe found, for people: table rows, sentences, findings, and the plot."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ivbench_data.plotting import make_figure
from ivbench_data.schema import Finding
from ivbench_data.statistics import Estimate
from ivbench_data.validate.probe.features import CUES
from ivbench_data.validate.probe.probe_report import ProbeReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

LABEL_CHARS: Final = 36
"""Characters of a task's name on one line of the plot."""


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
