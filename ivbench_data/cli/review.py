"""`ivbench-data review`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.schema import Question
    from ivbench_data.workspace import Workspace


@click.group(
    "review",
    epilog="""\b
Examples:
  ivbench-data review export --reviewer ana --only flagged
  ivbench-data review import data/ivbench/reports/review-1-ana.csv
  ivbench-data review status""",
)
def command() -> None:
    """Collect people's review decisions in spreadsheets, and measure how well they agree."""


@command.command("export")
@dataset_option
@root_option
@click.option("--reviewer", default="", help="Who will fill the sheet in: any label.")
@click.option(
    "--round", "review_round", type=click.IntRange(1), default=1, show_default=True, help="Round of reviewing."
)
@click.option(
    "--only",
    type=click.Choice(["flagged", "unreviewed", "disputed"]),
    default=None,
    help="Questions with warnings or errors in reports/findings.jsonl; not reviewed; or in dispute.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The sheet.  [default: in reports/]")
@click.option("--force", is_flag=True, help="Write over a sheet that is there.")
def export(
    dataset: str, root: Path, reviewer: str, review_round: int, only: str | None, out: Path | None, force: bool
) -> int:
    """Write a CSV sheet: people fill in `verdict` (accept, reject, unsure) and `reason`."""
    from ivbench_data.atomic_files import write_bytes
    from ivbench_data.cli.console import say
    from ivbench_data.dataset import load
    from ivbench_data.errors import UsageError
    from ivbench_data.schema import check_safe_name
    from ivbench_data.validate.findings_file import findings_path, read_findings
    from ivbench_data.validate.review import export_sheet
    from ivbench_data.workspace import Workspace

    workspace = Workspace(root, dataset)
    loaded = load(workspace.folder)
    findings, _ = read_findings(workspace)
    if only == "flagged" and not findings_path(workspace).is_file():
        raise UsageError(f"there is no {findings_path(workspace)}; make it with: ivbench-data validate")
    flagged = {finding.question_id for finding in findings if finding.severity != "info"}
    questions = _select(loaded, workspace, only, flagged)
    path = out
    if path is None:
        try:
            path = workspace.reports / check_safe_name(
                "-".join(filter(None, (f"review-{review_round}", reviewer))) + ".csv"
            )
        except ValueError as error:
            raise UsageError(f"--reviewer: {error}; name the sheet with --out") from None
    if path.exists() and not force:
        raise UsageError(f"{path} is there already, maybe filled in; choose another with --out, or say --force")
    write_bytes(path, export_sheet(questions, findings, reviewer, review_round))
    say(f"{len(questions):,} questions to review: {path}")
    return 0


@command.command("import")
@dataset_option
@root_option
@click.argument("sheet", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--reviewer", default=None, help="Who filled it in, where the sheet does not say.")
@json_option
def import_(dataset: str, root: Path, sheet: Path, reviewer: str | None, as_json: bool) -> int:
    """Add a filled-in sheet's decisions to the ledger; what is there is not changed."""
    from ivbench_data.cli.console import print_json, say
    from ivbench_data.dataset import load
    from ivbench_data.errors import UsageError
    from ivbench_data.validate.review import add_reviews, import_sheet
    from ivbench_data.workspace import Workspace

    workspace = Workspace(root, dataset)
    loaded = load(workspace.folder)
    try:
        content = sheet.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {sheet}: {error.strerror or error}") from None
    reviews, bad = import_sheet(loaded, content, datetime.now(UTC), sheet.name, reviewer)
    path = add_reviews(workspace, reviews) if reviews else None
    if as_json:
        print_json(
            {
                "reviews": len(reviews),
                "ledger_file": str(path) if path else None,
                "bad_lines": [line.model_dump() for line in bad],
            }
        )
        return 1 if bad else 0
    say(f"{len(reviews):,} decisions" + (f" kept in {path}" if path else " found"))
    for line in bad:
        say(f"  left out: {line}", style="yellow")
    return 1 if bad else 0


@command.command("status")
@dataset_option
@root_option
@json_option
def status(dataset: str, root: Path, as_json: bool) -> int:
    """What is accepted, rejected, disputed and unreviewed, and how well the reviewers agree."""
    from collections import Counter

    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.dataset import load
    from ivbench_data.validate.review import STATUSES, decide_outcomes, list_by_status, measure_agreement, read_reviews
    from ivbench_data.workspace import Workspace

    workspace = Workspace(root, dataset)
    loaded = load(workspace.folder)
    reviews, bad = read_reviews(workspace)
    decisions = decide_outcomes(loaded, reviews)
    agreements = measure_agreement(loaded, reviews)
    counted = Counter(decision.status for decision in decisions)
    by_status = list_by_status(decisions)
    stale = sum(decision.stale for decision in decisions)
    if as_json:
        print_json(
            {
                "counts": {name: counted[name] for name in STATUSES},
                "question_ids": {name: ids for name, ids in by_status.items() if name != "unreviewed"},
                "stale_verdicts": stale,
                "agreement": [asdict(agreement) for agreement in agreements],
                "decisions": [asdict(decision) for decision in decisions if decision.status != "unreviewed"],
                "bad_lines": [line.model_dump() for line in bad],
            }
        )
        return 0
    print_table("Questions", ("status", "questions"), [(name, counted[name]) for name in STATUSES])
    listed = [(name, ", ".join(ids)) for name, ids in by_status.items() if ids and name != "unreviewed"]
    if listed:
        print_table("Reviewed", ("status", "question ids"), listed)
    if agreements:
        print_table(
            "Agreement",
            ("round", "reviewers", "questions of two or more", "Cohen's κ", "Krippendorff's α"),
            [
                (
                    agreed.round,
                    ", ".join(agreed.reviewers),
                    agreed.questions,
                    *map(_figure, (agreed.cohen_kappa, agreed.krippendorff_alpha)),
                )
                for agreed in agreements
            ],
        )
    if stale:
        say(f"{stale} decisions are on earlier wordings and do not count.", style="yellow")
    for line in bad:
        say(f"left out: {line}", style="yellow")
    return 0


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _select(dataset: Dataset, workspace: Workspace, only: str | None, flagged: set[str | None]) -> list[Question]:
    from ivbench_data.validate.review import decide_outcomes, read_reviews

    if only is None:
        return list(dataset.questions)
    if only == "flagged":
        return [question for question in dataset.questions if question.question_id in flagged]
    status_of = {found.question_id: found.status for found in decide_outcomes(dataset, read_reviews(workspace)[0])}
    return [question for question in dataset.questions if status_of[question.question_id] == only]
