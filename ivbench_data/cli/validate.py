"""`ivbench-data validate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option
from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ivbench_data.dataset import Dataset
    from ivbench_data.schema import BadLine, Finding, Severity
    from ivbench_data.validate.checks import CheckContext
    from ivbench_data.validate.necessity_report import NecessityReport
    from ivbench_data.validate.probe.probe_report import ProbeReport
    from ivbench_data.validate.report.findings_page import ReportPart
    from ivbench_data.workspace import Workspace

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")
"""From the mildest to the worst."""

LEAK_CHECK = "image_from_own_video"
"""The check that decodes videos."""

PROBE_CHECK = "answered_from_text"
"""The name under which the probe's findings stand."""

NECESSITY_FILE = "necessity.jsonl"
"""What models' answers show of each question, a line each; in `reports/`."""

_WORDY_COLUMNS = ("by which cues", "best single heuristic")
"""Columns of the probe's table that need room; they get a table of their own."""


@click.command(
    "validate",
    epilog="""\b
Examples:
  ivbench-data validate
  ivbench-data validate --check reversed_range --check malformed_time --fail-on warning
  ivbench-data validate --report --dataset demo
  ivbench-data validate --necessity
  ivbench-data validate --necessity 3f2a 91bc 07dd""",
)
@click.argument("results", nargs=-1)
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
@click.option("--probe", "with_probe", is_flag=True, help="Also try to answer from the text alone: a minute or two.")
@click.option(
    "--subset",
    type=click.Choice(["hard"]),
    help="With --probe: write the questions it cannot answer to reports/subset-hard.jsonl.",
)
@click.option(
    "--necessity",
    "with_necessity",
    is_flag=True,
    help="Also find from models' answers which questions need their image: from RESULTS, or all of the dataset's.",
)
@click.option("--report", "with_report", is_flag=True, help="Also write reports/validate.html, to look at.")
@click.option("--hide-answers", is_flag=True, help="Leave out of the report whatever would give an answer away.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table in Markdown.")
@json_option
def command(
    results: tuple[str, ...],
    dataset: str,
    root: Path,
    as_list: bool,
    checks: tuple[str, ...],
    skipped: tuple[str, ...],
    decode_videos: bool,
    fail_on: str,
    with_probe: bool,
    subset: str | None,
    with_necessity: bool,
    with_report: bool,
    hide_answers: bool,
    as_markdown: bool,
    as_json: bool,
) -> int:
    """Find the broken questions: options, times, wording, keys and media.

    All findings go to reports/findings.jsonl, a line each. Exit code 1 with findings at or above --fail-on.

    RESULTS are for --necessity: what `evaluate` wrote under several patterns, by paths or beginnings of their names.
    """
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.dataset import load
    from ivbench_data.strict_json import write_jsonl
    from ivbench_data.validate.checks import CheckContext, count_findings, describe_check, select_checks
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
    if results and not with_necessity:
        raise UsageError(f"{results[0]!r} is a results file's name, which only --necessity takes")
    if subset and not with_probe:
        raise UsageError("--subset is what --probe finds; give both")
    bad_lines = list(loaded.bad_lines)
    needed, no_necessity = None, None
    if with_necessity:
        needed, no_necessity = _assess_necessity(loaded, workspace, results, bad_lines)
    probed, no_probe = _probe(loaded, workspace, quiet=as_json) if with_probe else (None, None)
    findings = list(_find(loaded, CheckContext(workspace, decodes_videos=decode_videos), names, quiet=as_json))
    if probed is not None:
        from ivbench_data.validate.probe.probe_report import find_leaks

        names.append(PROBE_CHECK)
        findings.extend(find_leaks(probed))
        if subset:
            _write_hard_subset(loaded, workspace, probed, quiet=as_json)
    findings_path = workspace.reports / "findings.jsonl"
    write_jsonl(findings_path, findings)
    report_path = None
    if with_report:
        from ivbench_data.validate.report.findings_page import write_report
        from ivbench_data.validate.report.report_parts import show_no_probe

        parts = _gather_parts(loaded, workspace, probed, needed)
        if no_probe is not None:
            parts.insert(0, show_no_probe(no_probe))
        report_path = write_report(loaded, findings, workspace, parts=parts, hide_answers=hide_answers)
    counts = count_findings(findings, names)
    if as_json:
        print_json(
            {
                "dataset": loaded.name,
                "questions": len(loaded.questions),
                "counts": counts,
                "findings": [finding.model_dump() for finding in findings],
                "probe": probed.model_dump(mode="json", exclude={"questions"}) if probed else None,
                "no_probe_because": no_probe,
                "necessity": needed.model_dump(mode="json", exclude={"questions"}) if needed else None,
                "no_necessity_because": no_necessity,
                "necessity_file": str(workspace.reports / NECESSITY_FILE) if needed else None,
                "findings_file": str(findings_path),
                "report_file": str(report_path) if report_path else None,
                "bad_lines": [line.model_dump() for line in bad_lines],
            }
        )
    else:
        _print_counts(loaded, counts, len({finding.question_id for finding in findings} - {None}), as_markdown)
        if probed is not None:
            _print_probe(probed)
        if no_probe is not None:
            say(f"The text-only probe was not run: {no_probe}.", style="yellow")
        if no_necessity is not None:
            say(f"Necessity was not assessed: {no_necessity}.", style="yellow")
        if needed is not None:
            _print_necessity(needed)
            say(f"What was found of each question: {workspace.reports / NECESSITY_FILE}")
        for number, line in enumerate(bad_lines):
            say(f"left out{' at import' if number < len(loaded.bad_lines) else ''}: {line}", style="yellow")
        say(f"What each check finds: ivbench-data validate --list\nAll findings: {findings_path}")
        if report_path is not None:
            say(f"Report: {report_path}")
    bound = len(SEVERITIES) if fail_on == "never" else SEVERITIES.index(fail_on)
    return 1 if any(SEVERITIES.index(finding.severity) >= bound for finding in findings) else 0


def _probe(dataset: Dataset, workspace: Workspace, quiet: bool) -> tuple[ProbeReport | None, str | None]:
    """What the probe found, or why it could not be run: a dataset too small for it has its checks all the same."""
    from ivbench_data.atomic_files import write_json
    from ivbench_data.cli.console import say
    from ivbench_data.validate.probe.text_probe import run_probe

    def report_step(step: str, done: int) -> None:
        if not quiet:
            say(f"probe, step {done}: {step}")

    try:
        report = run_probe(dataset, on_step=report_step)
    except UsageError as error:  # its options are the defaults: it can only be the dataset
        return None, str(error)
    write_json(workspace.reports / "probe.json", report.model_dump(mode="json"))
    return report, None


def _write_hard_subset(dataset: Dataset, workspace: Workspace, probed: ProbeReport, quiet: bool) -> None:
    from ivbench_data.cli.console import say
    from ivbench_data.strict_json import write_jsonl

    path, chosen = workspace.reports / "subset-hard.jsonl", set(probed.hard.question_ids)
    write_jsonl(path, [question for question in dataset.questions if question.question_id in chosen])
    if not quiet:
        say(f"{len(chosen):,} questions that the probe cannot answer ({probed.hard.status}): {path}")


def _assess_necessity(
    dataset: Dataset, workspace: Workspace, names: tuple[str, ...], bad_lines: list[BadLine]
) -> tuple[NecessityReport | None, str | None]:
    """The assessment, or why there is none. Reads the evaluator's files, which `assess_necessity` does not know."""
    from dataclasses import replace

    from ivbench_data.evaluate.conditions import gather_runs
    from ivbench_data.evaluate.results import find_results, read_results
    from ivbench_data.strict_json import write_jsonl
    from ivbench_data.validate.necessity import assess_necessity

    asked = [question for question in dataset.questions if question.video_id is not None and question.image_ids]
    if not asked:
        return None, f"no question of {dataset.name} has an image beside its video"
    folder = workspace.results
    read = [read_results(path) for path in find_results(folder, names)]
    if not read:
        raise UsageError(
            f"there are no results in {folder}. Make some with: ivbench-data evaluate --model … --sweep patterns"
        )
    bad_lines.extend(line for item in read for line in item.bad_lines)
    report = assess_necessity(replace(dataset, questions=tuple(asked)), gather_runs(dataset, read))
    write_jsonl(workspace.reports / NECESSITY_FILE, report.questions)
    return report, None


def _gather_parts(
    dataset: Dataset, workspace: Workspace, probed: ProbeReport | None, needed: NecessityReport | None
) -> list[ReportPart]:
    """What the probe and models' answers gave, where they were asked for, and coverage, where any can be decided."""
    from ivbench_data.schema import FrameGrid
    from ivbench_data.validate.checks.image_leaks import list_grids
    from ivbench_data.validate.coverage.coverage_figure import compute_curve
    from ivbench_data.validate.coverage.coverage_summary import summarise_coverage
    from ivbench_data.validate.coverage.evidence_coverage import cover_questions
    from ivbench_data.validate.report.report_parts import show_coverage, show_necessity, show_probe

    parts = [] if probed is None else [show_probe(probed)]
    if needed is not None:
        parts.extend(show_necessity(needed))
    grids = list_grids(workspace) or [FrameGrid(nframes=32, res=240)]
    summaries = summarise_coverage(cover_questions(dataset, workspace.root, grids))
    if any(row.seen is not None for row in summaries):
        points = list(compute_curve(dataset, workspace.root))
        parts.append(show_coverage(summaries, points, f"{dataset.name}: evidence seen by at least one frame"))
    return parts


def _find(dataset: Dataset, context: CheckContext, names: Iterable[str], quiet: bool) -> Iterator[Finding]:
    """All findings; the one check that may take hours goes video by video, so that its progress shows."""
    from ivbench_data.cli.console import track
    from ivbench_data.validate.checks import CHECKS
    from ivbench_data.validate.checks.context import group_by_video

    quick = [name for name in names if name != LEAK_CHECK]
    for name in track(quick, "Checking", len(quick), quiet=quiet):
        yield from CHECKS[name](dataset, context)
    if LEAK_CHECK not in names:
        return
    groups = list(group_by_video(dataset.questions))
    for group in track(groups, "Looking for query images in their videos", len(groups), quiet=quiet):
        yield from CHECKS[LEAK_CHECK](replace(dataset, questions=tuple(group)), context)


def _print_counts(dataset: Dataset, counts: dict[str, dict[str, Any]], flagged: int, as_markdown: bool) -> None:
    from ivbench_data.cli.console import print_table, say
    from ivbench_data.text.markdown import Code, draw_table

    columns = (*reversed(SEVERITIES), "questions")
    found = {name: row for name, row in counts.items() if any(row[severity] for severity in SEVERITIES)}
    totals = (*(sum(row[severity] for row in found.values()) for severity in reversed(SEVERITIES)), flagged)
    if as_markdown:
        rows = [*((Code(name), *(row[column] for column in columns)) for name, row in found.items()), ("all", *totals)]
        click.echo("\n".join(draw_table(("check", *columns), rows)))
        return
    print_table(
        f"Findings in {dataset.name}: {len(dataset.questions):,} questions {dataset.describe_media()}",
        ("check", *columns),
        [(name, *(row[column] or "–" for column in columns)) for name, row in found.items()],
        ("all", *(f"{total:,}" for total in totals)),
    )
    nothing = [name for name in counts if name not in found]
    if nothing:
        say(f"Nothing found by: {', '.join(nothing)}.")


def _print_probe(probed: ProbeReport) -> None:
    from ivbench_data.cli.console import print_table, say
    from ivbench_data.validate.probe.probe_report import TASK_COLUMNS, describe_probe, list_task_rows

    rows = list_task_rows(probed)
    figures = [at for at, column in enumerate(TASK_COLUMNS) if column not in _WORDY_COLUMNS]
    words = [0, *(at for at, column in enumerate(TASK_COLUMNS) if column in _WORDY_COLUMNS)]
    for title, chosen in (("What the text alone gives away", figures), ("By which cues", words)):
        print_table(title, [TASK_COLUMNS[at] for at in chosen], [[row[at] for at in chosen] for row in rows])
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
