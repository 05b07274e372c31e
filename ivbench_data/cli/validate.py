"""`ivbench-data validate`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option
from ivbench_data.cli.validate_output import NECESSITY_FILE, SEVERITIES, ValidationRun, describe_run, show_run
from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ivbench_data.dataset import Dataset
    from ivbench_data.schema import BadLine, Finding
    from ivbench_data.validate.checks.context import CheckContext
    from ivbench_data.validate.necessity_report import NecessityReport
    from ivbench_data.validate.probe.probe_report import ProbeReport
    from ivbench_data.validate.report.findings_page import ReportPart
    from ivbench_data.workspace import Workspace


LEAK_CHECK = "image_from_own_video"
"""The check that decodes videos."""

DURATION_CHECK = "beyond_video_end"
"""The check that needs the videos' lengths, for which files may have to be read."""

PROBE_CHECK = "answered_from_text"
"""The name under which the probe's findings stand."""


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

    All findings go to reports/findings.jsonl, a line each; those of checks that did not run stay. Exit code 1 with
    findings at or above --fail-on.

    RESULTS are for --necessity: what `evaluate` wrote under several patterns, by paths or beginnings of their names.
    """
    from ivbench_data.cli.console import print_json
    from ivbench_data.dataset import load
    from ivbench_data.validate.checks import select_checks
    from ivbench_data.workspace import Workspace

    names = select_checks(checks, skipped)
    if as_list:
        return _list_checks(names, as_json)
    if results and not with_necessity:
        raise UsageError(f"{results[0]!r} is a results file's name, which only --necessity takes")
    if subset and not with_probe:
        raise UsageError("--subset is what --probe finds; give both")
    workspace = Workspace(root, dataset)
    loaded = load(workspace.folder)
    run = ValidationRun(loaded, workspace, names, list(loaded.bad_lines))
    if with_necessity:
        run.needed, run.no_necessity = _assess_necessity(loaded, workspace, results, run.bad_lines)
    if with_probe:
        run.probed, run.no_probe = _probe(loaded, workspace, quiet=as_json)
    _run_checks(run, decode_videos, quiet=as_json)
    if subset and run.probed is not None:
        _write_hard_subset(loaded, workspace, run.probed, quiet=as_json)
    if with_report:
        run.report_path = _write_report(run, hide_answers)
    if as_json:
        print_json(describe_run(run))
    else:
        show_run(run, as_markdown)
    bound = len(SEVERITIES) if fail_on == "never" else SEVERITIES.index(fail_on)
    return 1 if any(SEVERITIES.index(finding.severity) >= bound for finding in run.findings) else 0


def _list_checks(names: list[str], as_json: bool) -> int:
    from ivbench_data.cli.console import print_json, print_table
    from ivbench_data.validate.checks import describe_check

    if as_json:
        print_json([{"check": name, "finds": describe_check(name)} for name in names])
    else:
        print_table("Checks", ("check", "finds"), [(name, describe_check(name)) for name in names])
    return 0


def _run_checks(run: ValidationRun, decode_videos: bool, quiet: bool) -> None:
    """Run the checks and write all findings, with those of earlier runs that no check has looked at again."""
    from ivbench_data.durations import find_durations
    from ivbench_data.validate.checks import CheckContext
    from ivbench_data.validate.checks.requirements import find_shortfalls
    from ivbench_data.validate.findings_file import choose_kept, date_findings, read_findings, write_findings

    durations = find_durations(run.dataset, run.workspace) if DURATION_CHECK in run.names else {}
    seconds = {video_id: found.seconds for video_id, found in durations.items()}
    context = CheckContext(run.workspace, decodes_videos=decode_videos, durations_seconds=seconds)
    run.shortfalls = list(find_shortfalls(run.dataset, context, run.names))
    run.findings = list(_find(run.dataset, context, run.names, quiet))
    if run.probed is not None:
        from ivbench_data.validate.probe.probe_tables import find_leaks

        run.names.append(PROBE_CHECK)
        run.findings.extend(find_leaks(run.probed))
    earlier, bad = read_findings(run.workspace)
    run.bad_lines.extend(bad)
    run.kept = choose_kept(run.dataset, earlier, set(run.names) - run.not_run.keys())
    run.findings_path = write_findings(run.workspace, date_findings(run.findings, datetime.now(UTC)), run.kept)


def _write_report(run: ValidationRun, hide_answers: bool) -> Path:
    from ivbench_data.validate.report.findings_page import write_report
    from ivbench_data.validate.report.report_parts import show_kept, show_no_probe, show_shortfalls

    parts = _gather_parts(run.dataset, run.workspace, run.probed, run.needed)
    if run.no_probe is not None:
        parts.insert(0, show_no_probe(run.no_probe))
    if run.shortfalls:
        parts.append(show_shortfalls(run.shortfalls))
    if run.kept:
        parts.append(show_kept(run.kept_by_check))
    found = [*run.findings, *run.kept]
    return write_report(run.dataset, found, run.workspace, parts=parts, hide_answers=hide_answers)


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
    from ivbench_data.frames.cached_grids import list_grids
    from ivbench_data.schema import FrameGrid
    from ivbench_data.validate.coverage.coverage_figure import compute_curve
    from ivbench_data.validate.coverage.coverage_summary import summarise_coverage
    from ivbench_data.validate.coverage.evidence_coverage import cover_questions
    from ivbench_data.validate.report.report_parts import show_coverage, show_necessity, show_probe, show_single_cues

    parts = [] if probed is None else [show_probe(probed), show_single_cues(probed)]
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
