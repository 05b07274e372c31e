"""The places of probe, necessity and coverage in the report: tables, figures, what they say of single questions."""

from __future__ import annotations

from collections.abc import Sequence

from ivbench_data.plotting import encode_figure
from ivbench_data.validate.checks.requirements import Shortfall
from ivbench_data.validate.coverage.coverage_figure import CurvePoint, plot_curve
from ivbench_data.validate.coverage.coverage_summary import CoverageSummary
from ivbench_data.validate.necessity_report import (
    COMPARISON_COLUMNS,
    NecessityReport,
    QuestionNecessity,
    describe_necessity,
    list_comparison_rows,
)
from ivbench_data.validate.necessity_report import TASK_COLUMNS as NECESSITY_COLUMNS
from ivbench_data.validate.necessity_report import list_task_rows as list_necessity_rows
from ivbench_data.validate.probe.probe_report import ProbeReport
from ivbench_data.validate.probe.probe_tables import (
    CUE_COLUMNS,
    TASK_COLUMNS,
    describe_probe,
    list_cue_rows,
    list_task_rows,
    plot_probe,
)
from ivbench_data.validate.report.findings_page import ReportPart

PROBE_TITLE = "What the text alone gives away"
COVERAGE_COLUMNS = ("grid", "task", "questions", "judged", "seen %", "95% interval", "recall %", "precision %")


def show_probe(report: ProbeReport) -> ReportPart:
    """What the text-only probe found: its figure, a row a task, and on each card how far the text alone goes.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    notes = {
        row.question_id: f"Text-only probe: probability {row.probability:.0%} of the answer, chance {row.chance:.0%}"
        + ("; in the hard subset" if row.is_hard else "")
        for row in report.questions
    }
    return ReportPart(
        title=PROBE_TITLE,
        text=describe_probe(report),
        columns=TASK_COLUMNS,
        rows=tuple(list_task_rows(report)),
        figure=encode_figure(plot_probe(report), ".svg"),
        notes=notes,
        checks={"answered_from_text": "Questions whose answer the text-only probe finds without video and image."},
    )


def show_single_cues(report: ProbeReport) -> ReportPart:
    """How far each single rule goes, such as "always the longest option"."""
    return ReportPart(
        title="Single rules",
        text="Rules that pick an option by its look, without training; a tie of k options that holds the answer counts "
        "1/k. Exact one-sided tests, no smaller than one with videos as units, adjusted by Holm.",
        columns=CUE_COLUMNS,
        rows=tuple(list_cue_rows(report)),
    )


def show_no_probe(reason: str) -> ReportPart:
    """The probe's place where it could not be run, and why."""
    return ReportPart(title=PROBE_TITLE, text=f"The text-only probe was not run: {reason}.")


def show_shortfalls(shortfalls: Sequence[Shortfall]) -> ReportPart:
    """The checks that could not look at everything, and what they need."""
    return ReportPart(
        title="Checks that could not run, or not on everything",
        text="That these found nothing does not say that there is nothing to find.",
        columns=("check", "looked at", "of", "why"),
        rows=tuple((one.check, one.checked, one.total, one.reason) for one in shortfalls),
    )


def show_kept(rows: Sequence[tuple[str, int, str]]) -> ReportPart:
    """The findings of checks that did not run this time: check, number and date."""
    return ReportPart(
        title="Findings kept from earlier runs",
        text="Their checks did not run this time.",
        columns=("check", "findings", "found on"),
        rows=tuple(rows),
    )


def show_necessity(report: NecessityReport) -> tuple[ReportPart, ReportPart]:
    """What models needed the image for: the claim on each task, and the comparisons that it rests on."""
    claims = ReportPart(
        title="Which questions need their image",
        text=describe_necessity(report),
        columns=NECESSITY_COLUMNS,
        rows=tuple(list_necessity_rows(report)),
        notes={row.question_id: _describe_runs(row) for row in report.questions},
    )
    comparisons = ReportPart(
        title="The full condition against every other",
        text="Differences in percentage points, with intervals clustered by video. McNemar's test is exact when small; "
        "p is the larger of it and a test with videos as units, adjusted by Holm over all rows.",
        columns=COMPARISON_COLUMNS,
        rows=tuple(list_comparison_rows(report)),
    )
    return claims, comparisons


def show_coverage(summaries: Sequence[CoverageSummary], points: Sequence[CurvePoint], title: str) -> ReportPart:
    """What frame grids show of the evidence: the curve, where there is one, and a row a grid and task.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    rows: list[tuple[object, ...]] = []
    for row in summaries:
        seen: tuple[object, ...] = (0, "–", "–")
        if row.seen is not None:
            interval = f"{100 * row.seen.low:.1f}–{100 * row.seen.high:.1f}"
            seen = (row.seen.n, round(100 * row.seen.value, 1), interval)
        rows.append((row.frames_of, row.task, row.questions, *seen, _percent(row.recall), _percent(row.precision)))
    return ReportPart(
        title="What frames show of the evidence",
        text="Share of questions for which a frame lies inside the evidence, of those whose evidence and video length "
        "are known. Intervals are clustered by video.",
        columns=COVERAGE_COLUMNS,
        rows=tuple(rows),
        figure=encode_figure(plot_curve(points, title), ".svg") if points else None,
    )


def _describe_runs(row: QuestionNecessity) -> str:
    shares = (f"{condition} {row.right[condition]:.0%} of {runs}" for condition, runs in row.runs.items())
    return f"Answers of models: {row.label}; right in {', '.join(shares)}"


def _percent(value: float | None) -> object:
    return "–" if value is None else round(100 * value, 1)
