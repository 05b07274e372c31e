"""`ivbench-data validate`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ivbench_data.schema import Finding, Severity

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")
"""From the mildest to the worst."""


@click.command(
    "validate",
    epilog="""\b
Examples:
  ivbench-data validate
  ivbench-data validate --check reversed_range --check malformed_time --fail-on warning
  ivbench-data validate --report --dataset demo""",
)
@dataset_option
@root_option
@click.option("--list", "as_list", is_flag=True, help="List the checks and stop.")
@click.option("--check", "checks", multiple=True, metavar="NAME", help="Run this check only; may be given again.")
@click.option("--skip", "skipped", multiple=True, metavar="NAME", help="Leave this check out; may be given again.")
@click.option(
    "--decode-videos",
    is_flag=True,
    help="Look for query images in their videos at 2 frames a second, not in cached frames only: minutes a hundred.",
)
@click.option(
    "--fail-on",
    type=click.Choice([*SEVERITIES, "never"]),
    default="error",
    show_default=True,
    help="Exit with 1 when something this bad is found, or worse.",
)
@click.option("--report", "with_report", is_flag=True, help="Also write reports/validate.html, to look at.")
@click.option("--hide-answers", is_flag=True, help="Leave out of the report whatever would give an answer away.")
@json_option
def command(
    dataset: str,
    root: Path,
    as_list: bool,
    checks: tuple[str, ...],
    skipped: tuple[str, ...],
    decode_videos: bool,
    fail_on: str,
    with_report: bool,
    hide_answers: bool,
    as_json: bool,
) -> int:
    """Find the broken questions: options, times, wording, keys and media.

    All findings go to reports/findings.jsonl, a line each. Exit code 1 with findings at or above --fail-on.
    """
    from ivbench_data.cli.console import print_json, print_table, say, track
    from ivbench_data.dataset import load, write_jsonl
    from ivbench_data.validate import CHECKS, CheckContext, describe_check, select_checks
    from ivbench_data.workspace import Workspace

    names = select_checks(checks, skipped)
    if as_list:
        if as_json:
            print_json([{"check": name, "finds": describe_check(name)} for name in names])
        else:
            print_table("Checks", ("check", "finds"), [(name, describe_check(name)) for name in names])
        return 0
    workspace = Workspace(root, dataset)
    loaded = load(workspace.folder)
    context = CheckContext(workspace, decodes_videos=decode_videos)
    findings: list[Finding] = []
    for name in track(names, "validating", len(names), quiet=as_json):
        findings.extend(CHECKS[name](loaded, context))
    findings_path = workspace.reports / "findings.jsonl"
    write_jsonl(findings_path, findings)
    counts = count_findings(findings, names)
    worst = [finding for finding in findings if fail_on != "never" and _rank(finding) >= SEVERITIES.index(fail_on)]
    report_path = None
    if with_report:
        from ivbench_data.validate.report import write_report

        report_path = write_report(loaded, findings, workspace, hide_answers=hide_answers)
    if as_json:
        print_json(
            {
                "dataset": loaded.name,
                "questions": len(loaded.questions),
                "counts": counts,
                "findings": [finding.model_dump() for finding in findings],
                "findings_file": str(findings_path),
                "report_file": str(report_path) if report_path else None,
                "bad_lines": [line.model_dump() for line in loaded.bad_lines],
            }
        )
        return 1 if worst else 0
    seen = {finding.question_id for finding in findings} - {None}
    print_table(
        f"Findings in {loaded.name}: {len(loaded.questions):,} questions on {len(loaded.videos):,} videos",
        ("check", "error", "warning", "info", "questions"),
        [
            (name, *(row[severity] or "–" for severity in reversed(SEVERITIES)), row["questions"] or "–")
            for name, row in counts.items()
            if any(row[severity] for severity in SEVERITIES)
        ],
        (
            "all",
            *(f"{sum(row[severity] for row in counts.values()):,}" for severity in reversed(SEVERITIES)),
            len(seen),
        ),
    )
    quiet = [name for name, row in counts.items() if not any(row[severity] for severity in SEVERITIES)]
    if quiet:
        say(f"Nothing found by: {', '.join(quiet)}.")
    for line in loaded.bad_lines:
        say(f"left out at import: {line}", style="yellow")
    say("What each check finds: ivbench-data validate --list")
    say(f"All findings: {findings_path}")
    if report_path is not None:
        say(f"Report: {report_path}")
    return 1 if worst else 0


def count_findings(findings: Iterable[Finding], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each check: findings of each severity, and how many questions they are about."""
    by_severity = Counter((finding.check, finding.severity) for finding in findings)
    questions: dict[str, set[str]] = {}
    for finding in findings:
        if finding.question_id is not None:
            questions.setdefault(finding.check, set()).add(finding.question_id)
    return {
        name: {
            **{severity: by_severity[name, severity] for severity in reversed(SEVERITIES)},
            "questions": len(questions.get(name, ())),
        }
        for name in names
    }


def _rank(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)
