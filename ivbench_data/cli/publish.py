"""`ivbench-data publish`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option
from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.publish.build import PublishOptions
    from ivbench_data.publish.edition import EarlierEdition
    from ivbench_data.publish.hidden.hidden_plan import HiddenPlan
    from ivbench_data.publish.publishing import Publication
    from ivbench_data.publish.splits.split_plan import SplitPlan
    from ivbench_data.workspace import Workspace


@dataclass(frozen=True)
class Target:
    """Where a publication goes."""

    folder: Path
    """The folder that is written."""
    repo_id: str | None = None
    """The repository that it is pushed to."""


@click.command(
    "publish",
    epilog="""\b
Examples:
  ivbench-data publish --plan --split test=0.8,mini=200q
  ivbench-data publish --to published/ivbench --allow-missing-images
  ivbench-data publish --to published/mine --split dev=0.2,test=rest --hide-answers test --dataset mine
  ivbench-data publish --to hf://my-lab/mine --dataset mine                what a push would change
  ivbench-data publish --to hf://my-lab/mine --dataset mine --yes          push it""",
)
@click.option("--to", metavar="DIR|hf://ORG/NAME", help="A folder, or a repository on the Hub.")
@click.option(
    "--split", metavar="NAME=SIZE,…", help="Splits by video: `test=0.8,mini=200q,dev=rest`.  [default: test=rest]"
)
@click.option("--plan", "only_plan", is_flag=True, help="Show the splits, and write nothing.")
@click.option(
    "--only",
    type=click.Choice(["accepted", "reviewed"]),
    help="Only what reviewers accepted, or reviewed and did not reject.",
)
@click.option("--include-rejected", is_flag=True, help="Publish what reviewers rejected, too.")
@click.option("--hide-answers", "hidden", multiple=True, metavar="SPLIT", help="Keep its answers back; repeatable.")
@click.option(
    "--reveal-answers",
    "revealed",
    multiple=True,
    metavar="SPLIT",
    help="Publish answers that were hidden, with --yes; repeatable.",
)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The secret that orders hidden options.  [default: the one in private/, made when there is none]",
)
@click.option("--version", "version", metavar="X.Y.Z", help="Version of the data.")
@click.option("--bump", type=click.Choice(["major", "minor", "patch"]), help="Raise the earlier version by this.")
@click.option(
    "--include",
    multiple=True,
    type=click.Choice(["frames", "videos"]),
    help="Media you hold the rights of; repeatable.",
)
@click.option("--grid", "grids", multiple=True, metavar="GRID", help="Caches for --include frames.  [default: 32x240]")
@click.option("--allow-missing-images", is_flag=True, help="Publish null where a query image is not here.")
@click.option("--license", "license_name", metavar="NAME", help="Licence of the annotations, such as cc-by-4.0.")
@click.option(
    "--yes/--dry-run",
    "really",
    default=False,
    help="Push, and reveal; or show what that would do.  [default: --dry-run]",
)
@click.option("--pr", "as_pull_request", is_flag=True, help="Open a pull request instead of writing to main.")
@click.option(
    "--public/--private", default=None, help="Who sees the repository.  [default: as it is; a new one is private]"
)
@dataset_option
@root_option
@json_option
def command(
    to: str | None,
    split: str | None,
    only_plan: bool,
    only: Literal["accepted", "reviewed"] | None,
    include_rejected: bool,
    hidden: tuple[str, ...],
    revealed: tuple[str, ...],
    secret_file: Path | None,
    version: str | None,
    bump: str | None,
    include: tuple[str, ...],
    grids: tuple[str, ...],
    allow_missing_images: bool,
    license_name: str | None,
    really: bool,
    as_pull_request: bool,
    public: bool | None,
    dataset: str,
    root: Path,
    as_json: bool,
) -> int:
    """Write a dataset as a folder that `datasets` loads, and push it to the Hub.

    DIR is built beside an earlier version and takes its place whole; what is no earlier version is never replaced.
    Videos and frames stay here unless they are included. Nothing is pushed without --yes. Answers that were hidden once
    stay hidden, whatever is published where, unless --reveal-answers names their split and --yes confirms it.
    """
    from ivbench_data.cli.console import print_json, say
    from ivbench_data.dataset import load
    from ivbench_data.publish.hidden.hidden_plan import plan_hidden
    from ivbench_data.publish.publishing import publish_dataset
    from ivbench_data.workspace import Workspace

    workspace = Workspace(root, dataset)
    target = _find_target(to, workspace, only_plan)
    if target.repo_id is None and ((really and not revealed) or as_pull_request or public is not None):
        raise UsageError("--yes, --pr, --public and --private are for a push: give --to hf://organisation/name")
    if only_plan and hidden:
        raise UsageError("--plan writes nothing, so there is nothing to hide: give one of them")
    if version is not None and bump is not None:
        raise UsageError("--version and --bump say the same; give one of them")
    if grids and "frames" not in include:
        raise UsageError("--grid belongs to --include frames")
    loaded = _select(load(workspace.folder), workspace, only, include_rejected, as_json)
    earlier = _find_earlier(target, loaded.name, as_json)
    plan = _plan(loaded, split, workspace, earlier)
    record = earlier.record if earlier is not None else None
    hiding = plan_hidden(loaded, plan.splits, workspace, record, hidden, revealed)
    if not as_json:
        for line in (*hiding.describe_revealed(), *hiding.describe_remembered()):
            say(line, style="bold red")
    if only_plan:
        _show_plan(loaded, plan, hiding, as_json)
        return 0
    if revealed and not really:
        raise UsageError(f"{'; '.join(hiding.describe_revealed())}: nothing was published. To do so, add --yes")
    options = _read_options(include, grids, allow_missing_images, license_name, target)
    if secret_file is not None and not hiding.names:
        raise UsageError("--secret-file belongs to --hide-answers")
    options = options.model_copy(
        update={"hidden": hidden, "revealed": revealed, "secret_file": secret_file, "version": version or bump}
    )
    published = publish_dataset(
        loaded, root, target.folder, plan, options, earlier=earlier, on_step=None if as_json else say
    )
    document = _describe(published, plan, target.folder)
    if not as_json:
        _show(published, target.folder)
    if target.repo_id is not None:
        document["push"] = _push(target, really, as_pull_request, public, as_json)
    if as_json:
        print_json(document)
    elif target.repo_id is None:
        say(f"Load it with: datasets.load_dataset({str(target.folder)!r})")
    return 0


def _select(
    dataset: Dataset,
    workspace: Workspace,
    only: Literal["accepted", "reviewed"] | None,
    include_rejected: bool,
    quiet: bool,
) -> Dataset:
    """The questions to publish, by people's review decisions."""
    from ivbench_data.cli.console import say
    from ivbench_data.validate.review import read_reviews, select_by_review

    if only == "accepted" and include_rejected:
        raise UsageError("--only accepted and --include-rejected contradict each other; give one of them")
    reviews, bad = read_reviews(workspace)
    selected = select_by_review(dataset, reviews, only, include_rejected)
    if not quiet:
        if left_out := len(dataset.questions) - len(selected.questions):
            say(f"{left_out:,} of {len(dataset.questions):,} questions are left out by --only {only}.")
        for line in bad:
            say(f"left out: {line}", style="yellow")
    return selected


def _find_target(to: str | None, workspace: Workspace, only_plan: bool) -> Target:
    from ivbench_data.publish.build import find_place

    kept_here = workspace.folder / "published"
    if to is None:
        if not only_plan:
            raise UsageError("say where to: --to DIR, or --to hf://organisation/name; or see the splits with --plan")
        return Target(kept_here)
    if to.startswith("hf://"):
        return Target(kept_here, to.removeprefix("hf://").removeprefix("datasets/").removesuffix("/"))
    find_place(Path(to), workspace)
    return Target(Path(to))


def _find_earlier(target: Target, dataset: str, quiet: bool) -> EarlierEdition | None:
    """The version that the new one follows: the Hub's, where it goes there, else the folder's."""
    from ivbench_data.cli.console import say
    from ivbench_data.publish.build import check_replaceable
    from ivbench_data.publish.edition import fetch_earlier, read_earlier

    check_replaceable(target.folder, dataset)
    found = fetch_earlier(target.repo_id) if target.repo_id is not None else read_earlier(target.folder)
    if found is not None and not quiet:
        say(f"{target.repo_id or target.folder} holds version {found.record.version}.")
    return found


def _plan(dataset: Dataset, split: str | None, workspace: Workspace, earlier: EarlierEdition | None) -> SplitPlan:
    from ivbench_data.publish.publishing import read_last_published
    from ivbench_data.publish.splits.split_plan import parse_splits, plan_splits

    requests = parse_splits(split) if split is not None else ()
    previous = earlier.record if earlier is not None else None
    if previous is None and not requests:
        # elsewhere the same splits were published, some of them hidden: other splits would hide more than these
        previous = read_last_published(workspace)
    return plan_splits(dataset, requests, workspace=workspace, previous=previous)


def _show_plan(dataset: Dataset, plan: SplitPlan, hiding: HiddenPlan, as_json: bool) -> None:
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.evaluate.score_tables import write_cell
    from ivbench_data.publish.splits.split_table import describe_splits, make_split_table

    rows = describe_splits(dataset, plan)
    if as_json:
        print_json(
            {
                "plan": plan.model_dump(mode="json"),
                "rows": [row.model_dump(mode="json") for row in rows],
                "hidden": list(hiding.names),
                "revealed": hiding.revealed,
            }
        )
        return
    table = make_split_table(rows)
    cells = [tuple(map(write_cell, row)) for row in table.rows]
    print_table(f"Splits of {dataset.name}: {plan.clusters:,} clusters that stay together", table.columns, cells)
    for line in plan.links[:10]:
        say(f"kept together: {line}")
    if len(plan.links) > 10:
        say(f"… and {len(plan.links) - 10:,} more, which --json lists")
    for warning in plan.warnings:
        say(warning, style="yellow")


def _read_options(
    include: tuple[str, ...],
    grids: tuple[str, ...],
    allow_missing_images: bool,
    license_name: str | None,
    target: Target,
) -> PublishOptions:
    from ivbench_data.publish.build import PublishOptions
    from ivbench_data.schema import FrameGrid

    try:
        wanted = tuple(FrameGrid.parse(identity) for identity in dict.fromkeys(grids or ("32x240",)))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return PublishOptions(
        license=license_name,
        allow_missing_images=allow_missing_images,
        frame_grids=wanted if "frames" in include else (),
        include_videos="videos" in include,
        repo_id=target.repo_id,
    )


def _describe(published: Publication, plan: SplitPlan, folder: Path) -> dict[str, Any]:
    """The document of `--json`."""
    version, images = published.version, published.images
    return {
        "dataset": version.dataset,
        "version": version.version,
        "folder": str(folder),
        "splits": {
            name: {"questions": len(split.questions), "answers_hidden": split.hidden}
            for name, split in version.splits.items()
        },
        "left_out": len(plan.left_out),
        "changes": published.changes.model_dump(mode="json"),
        "images": len(images.files),
        "absent_images": len(images.faults),
        "files": len(version.files) + 1,
        "answers_files": {name: str(path) for name, path in published.answers.items()},
        "self_check": published.self_check.model_dump(mode="json") if published.self_check else None,
        "warnings": list(published.warnings),
    }


def _show(published: Publication, folder: Path) -> None:
    from ivbench_data.cli.console import print_table, say

    version, images, changes = published.version, published.images, published.changes
    rows = [
        (name, len(split.questions), "hidden" if split.hidden else "public") for name, split in version.splits.items()
    ]
    print_table(f"{version.dataset} {version.version}", ("split", "questions", "answers"), rows)
    say(f"Written: {folder}")
    if changes.earlier is not None:
        counts = ", ".join(f"{count:,} {name}" for name, count in changes.count().items()) or "no question changed"
        say(f"Against version {changes.earlier}: {counts}.")
    if images.faults:
        total = len(images.files) + len(images.faults)
        say(f"{len(images.faults):,} of {total:,} query images are null.", style="yellow")
    for name, path in published.answers.items():
        say(f"The answers of {name}, to keep to yourself: {path}")
    if published.self_check is not None:
        say(f"Self-check: {published.self_check.describe()}.")
    if published.secret is not None and published.secret.is_new:
        say(f"A secret was made, which later versions need: {published.secret.path}")
    for warning in published.warnings:
        say(warning, style="yellow")


def _push(target: Target, really: bool, as_pull_request: bool, public: bool | None, quiet: bool) -> dict[str, Any]:
    """Show what the push would change, and do it when asked to."""
    from ivbench_data.cli.console import format_bytes, print_table, say
    from ivbench_data.publish.hub.push import PLAN_COLUMNS, describe_plan, plan_push, plan_rows, push_folder

    assert target.repo_id is not None
    plan = plan_push(target.folder, target.repo_id, private=None if public is None else not public)
    if not quiet:
        print_table(f"What the push would change at {target.repo_id}", PLAN_COLUMNS, plan_rows(plan))
        for line in describe_plan(plan):
            say(line)
        say(f"To upload: at most {format_bytes(plan.upload_bytes)}.")
    document: dict[str, Any] = {
        "repo_id": plan.repo_id,
        "parent_commit": plan.parent_commit,
        "files": [{"path": file.path, "change": file.change, "size_bytes": file.size_bytes} for file in plan.files],
        "status": "planned",
    }
    if not really:
        if not quiet:
            say("Nothing was pushed. Push it with the same command and --yes.")
        return document
    result = push_folder(plan, create_pr=as_pull_request)
    if not quiet:
        say(f"{result.status}: {result.url}", style="green")
        for warning in result.warnings:
            say(warning, style="yellow")
    return {
        **document,
        "status": result.status,
        "commit": result.commit,
        "url": result.url,
        "is_private": result.is_private,
        "warnings": result.warnings,
    }
