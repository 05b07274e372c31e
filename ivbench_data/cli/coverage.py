"""`ivbench-data coverage`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivbench_data.cli.options import NumberRange, dataset_option, json_option, root_option, trust_times_option
from ivbench_data.errors import UsageError
from ivbench_data.schema import BadLine, FrameGrid, FrameSelection

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.statistics import Estimate
    from ivbench_data.validate.coverage.coverage_summary import AnswerCoverage, CoverageSummary
    from ivbench_data.validate.coverage.evidence_coverage import CoverageOptions, EvidenceCoverage


@click.command(
    "coverage",
    epilog="""\b
Examples:
  ivbench-data coverage --grid 32x240 --grid 64x240
  ivbench-data coverage --grid 32x240 --assume-duration 600 --tolerance 1
  ivbench-data coverage --selection selected-frames.jsonl --answers 4f2a""",
)
@click.option("--grid", "identities", multiple=True, metavar="NxRES…", help="A grid by name.  [default: 32x240]")
@click.option(
    "--selection", "selections", multiple=True, type=click.Path(path_type=Path), help="JSONL of FrameSelection."
)
@click.option(
    "--answers", multiple=True, metavar="RESULTS", help="A results file: accuracy on seen and unseen evidence."
)
@click.option(
    "--tolerance",
    type=NumberRange(0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How far outside the evidence a frame may be.",
)
@click.option(
    "--assume-duration",
    type=NumberRange(0, min_open=True),
    metavar="SECONDS",
    help="Length of videos of which none is known.",
)
@trust_times_option
@click.option(
    "--figure/--no-figure", default=True, show_default=True, help="Draw the curve over frame counts and samplers."
)
@dataset_option
@root_option
@json_option
def command(
    identities: tuple[str, ...],
    selections: tuple[Path, ...],
    answers: tuple[str, ...],
    tolerance: float,
    assume_duration: float | None,
    trust_times: bool,
    figure: bool,
    dataset: str,
    root: Path,
    as_json: bool,
) -> int:
    """Does a grid show the evidence? For each question with a location: is a shown frame inside it?

    No model, and no frames where the videos' lengths are known: from the caches, the files, or what their source said.
    """
    from ivbench_data.cli.console import print_json, say, say_without_videos
    from ivbench_data.dataset import load
    from ivbench_data.evaluate.conditions import gather_answers
    from ivbench_data.evaluate.results import find_results, read_results
    from ivbench_data.validate.coverage.coverage_summary import compare_answers, summarise_coverage
    from ivbench_data.validate.coverage.evidence_coverage import CoverageOptions, cover_questions, cover_selections
    from ivbench_data.workspace import Workspace

    workspace = Workspace(root, dataset)
    loaded = load(workspace.folder)
    if say_without_videos(loaded, "cover", as_json) and not as_json:
        return 0
    options = CoverageOptions(
        tolerance_seconds=tolerance, assume_duration_seconds=assume_duration, trust_times=trust_times
    )
    grids = [_parse_grid(identity) for identity in identities or (() if selections else ("32x240",))]
    rows = list(cover_questions(loaded, root, grids, options)) if grids else []
    bad: list[BadLine] = []
    for path in selections:
        rows.extend(cover_selections(loaded, root, _read_selections(path, bad), options))
    summaries = summarise_coverage(rows)
    compared = [
        row
        for path in (find_results(workspace.results, answers) if answers else ())
        for results in [read_results(path)]
        for row in compare_answers(rows, gather_answers(loaded, results), results.name)
    ]
    drawn = _draw(loaded, root, options, workspace.reports / "coverage.svg") if figure else None
    if as_json:
        print_json(_document(loaded, options, rows, summaries, compared, drawn, bad))
    else:
        _print_summaries(summaries)
        _print_answers(compared)
        _say_assumptions(rows, options)
        if drawn is not None:
            say(f"The curve over frame counts and samplers: {drawn}")
    for line in bad:
        say(f"left out: {line}", style="yellow")
    return 1 if bad else 0


def _parse_grid(identity: str) -> FrameGrid:
    try:
        return FrameGrid.parse(identity)
    except ValueError as error:
        raise UsageError(f"--grid: {error}") from None


def _read_selections(path: Path, bad: list[BadLine]) -> list[FrameSelection]:
    from pydantic import ValidationError

    from ivbench_data.strict_json import explain, iterate_jsonl

    selections = []
    for number, line, value in iterate_jsonl(path):
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        try:
            selections.append(FrameSelection.model_validate_json(line))
        except ValidationError as error:
            bad.append(BadLine(file=path.name, line=number, reason=explain(error)))
    return selections


def _draw(dataset: Dataset, root: Path, options: CoverageOptions, path: Path) -> Path | None:
    from ivbench_data.cli.console import say
    from ivbench_data.plotting import save_figure
    from ivbench_data.validate.coverage.coverage_figure import compute_curve, plot_curve

    points = list(compute_curve(dataset, root, options))
    if not points:
        say("No question could be decided, so no curve was drawn.", style="yellow")
        return None
    save_figure(plot_curve(points, f"{dataset.name}: evidence seen by at least one frame"), path)
    return path


def _print_summaries(summaries: list[CoverageSummary]) -> None:
    """One grid in full; several side by side, a column each, and in full with `--json`."""
    from ivbench_data.cli.console import print_table
    from ivbench_data.validate.coverage.coverage_summary import OVERALL

    names = list(dict.fromkeys(row.frames_of for row in summaries))
    if len(names) == 1:
        print_table(
            f"Evidence seen in {names[0]}",
            ("task", "asked", "decided", "seen, %", "precise, %"),
            [
                (
                    row.task,
                    row.questions,
                    row.seen.n if row.seen else 0,
                    _cell(row.seen),
                    _percent(row.precision),
                )
                for row in summaries
            ],
        )
        return
    cells = {(row.task, row.frames_of): row for row in summaries}
    print_table(
        "Evidence seen, %",
        ("task", *names),
        [
            (task, *(_cell(cells[task, name].seen) if (task, name) in cells else "–" for name in names))
            for task in dict.fromkeys(row.task for row in sorted(summaries, key=lambda row: row.task == OVERALL))
        ],
    )


def _print_answers(compared: list[AnswerCoverage]) -> None:
    from ivbench_data.cli.console import print_table

    if compared:
        print_table(
            "Answers, by whether their evidence is seen",
            ("answers", "frames", "seen: right, %", "unseen: right, %", "p", "right, unseen"),
            [
                (
                    row.answers,
                    row.frames_of,
                    _cell(row.seen),
                    _cell(row.unseen),
                    "–" if row.p_value is None else f"{row.p_value:.3f}",
                    len(row.right_unseen),
                )
                for row in compared
            ],
        )


def _say_assumptions(rows: list[EvidenceCoverage], options: CoverageOptions) -> None:
    """What was left out, and what the figures rest on: never silent."""
    from collections import Counter

    from ivbench_data.cli.console import say
    from ivbench_data.validate.coverage.evidence_coverage import REASONS

    first = {row.question_id: row for row in reversed(rows)}
    for reason, count in Counter(row.reason for row in first.values() if row.reason is not None).most_common():
        say(f"Not decided: {count:,}, {REASONS[reason]}.")
    sources = Counter(row.time_source for row in first.values() if row.time_source is not None)
    rate = f"{options.assumed_rate} frames a second"
    sources_in_words = {
        "cache": "frames as cached",
        "file": "exact times from the video files",
        "metadata": f"the known length, assuming {rate}",
        "assumed": f"an ASSUMED length of {options.assume_duration_seconds:g} s and {rate}"
        if options.assume_duration_seconds
        else "",
    }
    for source, count in sources.most_common():
        say(f"Decided: {count:,}, by {sources_in_words[source]}.", style="yellow" if source == "assumed" else "")
    if not sources and any(row.reason == "unknown_duration" for row in first.values()):
        say("No length is known. Fetch the videos, or state one: --assume-duration 600", style="yellow")


def _document(
    dataset: Dataset,
    options: CoverageOptions,
    rows: list[EvidenceCoverage],
    summaries: list[CoverageSummary],
    compared: list[AnswerCoverage],
    drawn: Path | None,
    bad: list[BadLine],
) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "options": options.model_dump(),
        "summaries": [row.model_dump() for row in summaries],
        "answers": [row.model_dump() for row in compared],
        "questions": [row.model_dump() for row in rows],
        "figure": None if drawn is None else str(drawn),
        "bad_lines": [line.model_dump() for line in bad],
    }


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{estimate.value * 100:.1f} ({estimate.low * 100:.1f}–{estimate.high * 100:.1f})"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f}"
