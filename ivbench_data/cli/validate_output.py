"""What `ivbench-data validate` prints: tables for people, Markdown, and the document of `--json`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.schema import BadLine, Finding, Severity
    from ivbench_data.validate.checks.requirements import Shortfall
    from ivbench_data.validate.necessity_report import NecessityReport
    from ivbench_data.validate.probe.probe_report import ProbeReport
    from ivbench_data.workspace import Workspace

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")
"""From the mildest to the worst."""


NECESSITY_FILE = "necessity.jsonl"
"""What models' answers show of each question, a line each; in `reports/`."""


_WORDY_COLUMNS = ("by which cues", "best single heuristic")
"""Columns of the probe's table that need room; they get a table of their own."""


@dataclass
class ValidationRun:
    """What one run of the command found."""

    dataset: Dataset
    workspace: Workspace
    names: list[str]
    """Checks that were asked for."""
    bad_lines: list[BadLine]
    """Lines that were left out, those at import first."""
    findings: list[Finding] = field(default_factory=list)
    """What was found now."""
    kept: list[Finding] = field(default_factory=list)
    """Earlier findings of checks that did not run now."""
    shortfalls: list[Shortfall] = field(default_factory=list)
    """Checks that could not look at everything, and what they need."""
    probed: ProbeReport | None = None
    no_probe: str | None = None
    """Why the probe was not run."""
    needed: NecessityReport | None = None
    no_necessity: str | None = None
    """Why necessity was not assessed."""
    findings_path: Path | None = None
    report_path: Path | None = None

    @property
    def not_run(self) -> dict[str, Shortfall]:
        """The checks that could look at nothing."""
        return {shortfall.check: shortfall for shortfall in self.shortfalls if not shortfall.checked}

    @property
    def kept_by_check(self) -> list[tuple[str, int, str]]:
        """Check, number and date of the findings that were kept."""
        counted = Counter(
            (finding.check, "unknown" if finding.found_at is None else f"{finding.found_at:%Y-%m-%d}")
            for finding in self.kept
        )
        return [(check, count, date) for (check, date), count in counted.items()]


def describe_run(run: ValidationRun) -> dict[str, Any]:
    """The document of `--json`."""
    from ivbench_data.validate.checks import count_findings

    return {
        "dataset": run.dataset.name,
        "questions": len(run.dataset.questions),
        "counts": count_findings(run.findings, run.names),
        "findings": [finding.model_dump(mode="json", exclude={"found_at"}) for finding in run.findings],
        "not_run": {name: shortfall.reason for name, shortfall in run.not_run.items()},
        "partly_run": {one.check: one.reason for one in run.shortfalls if one.checked},
        "kept": [{"check": check, "findings": count, "found_on": date} for check, count, date in run.kept_by_check],
        "probe": run.probed.model_dump(mode="json", exclude={"questions"}) if run.probed else None,
        "no_probe_because": run.no_probe,
        "necessity": run.needed.model_dump(mode="json", exclude={"questions"}) if run.needed else None,
        "no_necessity_because": run.no_necessity,
        "necessity_file": str(run.workspace.reports / NECESSITY_FILE) if run.needed else None,
        "findings_file": str(run.findings_path),
        "report_file": str(run.report_path) if run.report_path else None,
        "bad_lines": [line.model_dump() for line in run.bad_lines],
    }


def show_run(run: ValidationRun, as_markdown: bool) -> None:
    """Print the tables, and what was left out."""
    from ivbench_data.cli.console import say

    _print_counts(run, as_markdown)
    if run.probed is not None:
        _print_probe(run.probed)
    if run.no_probe is not None:
        say(f"The text-only probe was not run: {run.no_probe}.", style="yellow")
    if run.no_necessity is not None:
        say(f"Necessity was not assessed: {run.no_necessity}.", style="yellow")
    if run.needed is not None:
        _print_necessity(run.needed)
        say(f"What was found of each question: {run.workspace.reports / NECESSITY_FILE}")
    for number, line in enumerate(run.bad_lines):
        say(f"left out{' at import' if number < len(run.dataset.bad_lines) else ''}: {line}", style="yellow")
    if run.kept:
        kept = ", ".join(f"{count:,} by {check} ({date})" for check, count, date in run.kept_by_check)
        say(f"Findings kept from earlier runs, of checks that did not run now: {kept}.")
    say(f"What each check finds: ivbench-data validate --list\nAll findings: {run.findings_path}")
    if run.report_path is not None:
        say(f"Report: {run.report_path}")


def _print_counts(run: ValidationRun, as_markdown: bool) -> None:
    from ivbench_data.cli.console import print_table, say
    from ivbench_data.text.markdown import Code, draw_table
    from ivbench_data.validate.checks import count_findings

    counts = count_findings(run.findings, run.names)
    flagged = len({finding.question_id for finding in run.findings} - {None})
    columns = (*reversed(SEVERITIES), "questions")
    found = {name: row for name, row in counts.items() if any(row[severity] for severity in SEVERITIES)}
    totals = (*(sum(row[severity] for row in found.values()) for severity in reversed(SEVERITIES)), flagged)
    needs = [(name, shortfall.reason) for name, shortfall in run.not_run.items()]
    if as_markdown:
        rows = [*((Code(name), *(row[column] for column in columns)) for name, row in found.items()), ("all", *totals)]
        click.echo("\n".join(draw_table(("check", *columns), rows)))
        if needs:
            rows = [(Code(name), reason) for name, reason in needs]
            click.echo("\n" + "\n".join(draw_table(("could not run", "why"), rows)))
        return
    dataset = run.dataset
    print_table(
        f"Findings in {dataset.name}: {len(dataset.questions):,} questions {dataset.describe_media()}",
        ("check", *columns),
        [(name, *(row[column] or "–" for column in columns)) for name, row in found.items()],
        ("all", *(f"{total:,}" for total in totals)),
    )
    if needs:
        print_table("Could not run", ("check", "why"), needs)
    nothing = [name for name in counts if name not in found and name not in run.not_run]
    if nothing:
        say(f"Nothing found by: {', '.join(nothing)}.")
    for shortfall in run.shortfalls:
        if shortfall.checked:
            say(f"Ran in part: {shortfall.check}. {shortfall.reason[0].upper()}{shortfall.reason[1:]}.")


def _print_probe(probed: ProbeReport) -> None:
    from ivbench_data.cli.console import print_table, say
    from ivbench_data.validate.probe.probe_tables import (
        CUE_COLUMNS,
        TASK_COLUMNS,
        describe_probe,
        list_cue_rows,
        list_task_rows,
    )

    rows = list_task_rows(probed)
    figures = [at for at, column in enumerate(TASK_COLUMNS) if column not in _WORDY_COLUMNS]
    words = [0, *(at for at, column in enumerate(TASK_COLUMNS) if column in _WORDY_COLUMNS)]
    for title, chosen in (("What the text alone gives away", figures), ("By which cues", words)):
        print_table(title, [TASK_COLUMNS[at] for at in chosen], [[row[at] for at in chosen] for row in rows])
    print_table("Single rules", CUE_COLUMNS, list_cue_rows(probed))
    say(describe_probe(probed))


def _print_necessity(report: NecessityReport) -> None:
    from ivbench_data.cli.console import print_table, say
    from ivbench_data.validate.necessity_report import (
        COMPARISON_COLUMNS,
        TASK_COLUMNS,
        describe_necessity,
        list_comparison_rows,
        list_task_rows,
    )

    rows = list_task_rows(report)
    print_table("Which tasks need their images", TASK_COLUMNS[:-1], [row[:-1] for row in rows])
    print_table("Why", (TASK_COLUMNS[0], TASK_COLUMNS[-1]), [(row[0], row[-1]) for row in rows])
    if report.comparisons:
        print_table(
            f"{report.full_condition} against every other condition", COMPARISON_COLUMNS, list_comparison_rows(report)
        )
    say(describe_necessity(report))
