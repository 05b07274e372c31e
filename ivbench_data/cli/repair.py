"""`ivbench-data repair`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option

if TYPE_CHECKING:
    from ivbench_data.workspace import Workspace


@click.command(
    "repair",
    epilog="""\b
Examples:
  ivbench-data repair --plan
  ivbench-data repair --apply data/ivbench/reports/repairs.jsonl
  ivbench-data repair --undo
  ivbench-data repair --withdraw dQw4w9WgXcQ --why "taken down at its owner's request" --yes""",
)
@dataset_option
@root_option
@click.option("--plan", is_flag=True, help="Write a patch of safe repairs, with rejected questions dropped.")
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="NAME",
    help="Plan for this check only, or review_rejected; repeatable.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="The patch.  [default: reports/repairs.jsonl]"
)
@click.option("--apply", "patch", type=click.Path(path_type=Path, dir_okay=False), help="Apply this patch file.")
@click.option("--undo", is_flag=True, help="Undo the last patch, to the byte.")
@click.option(
    "--withdraw", metavar="VIDEO", help="Show what taking this video down deletes: file, frames, questions, images."
)
@click.option("--why", metavar="TEXT", help="The withdrawal's reason, which stays on record and is published.")
@click.option("--yes", is_flag=True, help="Withdraw it; the files cannot be restored.")
@click.option(
    "--verify", is_flag=True, help="Show what is left of a video that was withdrawn; exit code 1 if anything is."
)
@json_option
def command(
    dataset: str, root: Path, plan: bool, checks: tuple[str, ...], out: Path | None, patch: Path | None, undo: bool,
    withdraw: str | None, why: str | None, yes: bool, verify: bool, as_json: bool,
) -> int:  # fmt: skip
    """Repair questions by a patch: plan it, read it, edit it, apply it as a new version, undo it.

    Questions are changed in no other way. A patch has a JSON line a change: question_id, field, before, after, check.
    With the field `*` it replaces the whole question by `after`, or drops it where `after` is null.

    A video that must go is withdrawn: out of the dataset and its caches, and on record, so that no import adds it
    again.
    """
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.dataset import load
    from ivbench_data.errors import UsageError
    from ivbench_data.validate.repair import apply_patch, read_versions, undo_patch
    from ivbench_data.workspace import Workspace

    if plan + (patch is not None) + undo + (withdraw is not None) > 1:
        raise UsageError("--plan, --apply, --undo and --withdraw are four things to do; give one of them")
    if (checks or out) and not plan:
        raise UsageError("--check and --out belong to --plan")
    if (why is not None or yes or verify) and withdraw is None:
        raise UsageError("--why, --yes and --verify belong to --withdraw")
    if verify and (why is not None or yes):
        raise UsageError("--verify changes nothing: give it without --why and --yes")
    workspace = Workspace(root, dataset)
    if withdraw is not None:
        return _verify(workspace, withdraw, as_json) if verify else _withdraw(workspace, withdraw, why, yes, as_json)
    if plan:
        return _plan(workspace, checks, out or workspace.reports / "repairs.jsonl", as_json)
    if patch is not None:
        version = apply_patch(workspace, patch)
        message = f"Applied {version.changes} changes: this is version {version.version}."
    elif undo:
        version = undo_patch(workspace)
        message = f"Undid version {version.version}: this is version {version.version - 1} again."
    else:
        versions = read_versions(load(workspace.folder))
        if as_json:
            print_json([version.model_dump() for version in versions])
        elif versions:
            rows = [(version.version, version.changes, version.patch_sha256[:12]) for version in versions]
            print_table("Applied patches", ("version", "changes", "patch"), rows)
        else:
            say("No patch was applied. Plan one with: ivbench-data repair --plan")
        return 0
    if as_json:
        print_json(version.model_dump())
    else:
        say(message)
    return 0


def _plan(workspace: Workspace, checks: tuple[str, ...], path: Path, as_json: bool) -> int:
    """Write the patch: safe repairs of findings, and rejected questions dropped."""
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.dataset import load
    from ivbench_data.validate.repair import REJECTED, plan_drops, plan_repairs, write_patch
    from ivbench_data.validate.review import decide_outcomes, list_by_status, read_reviews

    loaded = load(workspace.folder)
    rejected = list_by_status(decide_outcomes(loaded, read_reviews(workspace)[0]))["rejected"]
    drops = plan_drops(loaded, rejected) if not checks or REJECTED in checks else []
    dropped = {change.question_id for change in drops}
    wanted = [name for name in checks if name != REJECTED]
    repairs = plan_repairs(loaded, checks=wanted or None) if wanted or not checks else []
    changes = [*(change for change in repairs if change.question_id not in dropped), *drops]
    write_patch(path, changes)
    counted = Counter(change.check for change in changes)
    if as_json:
        print_json({"patch_file": str(path), "changes": len(changes), "by_check": dict(counted), "drops": len(drops)})
        return 0
    print_table(
        f"Planned changes: {len({change.question_id for change in changes})} questions",
        ("check", "changes"),
        list(counted.items()),
    )
    if not changes:
        say(f"Nothing that validate finds has a safe repair, no question is rejected; the patch is empty: {path}")
        return 0
    if drops:
        say(f"It drops {len(drops):,} questions that reviewers rejected: {', '.join(sorted(dropped))}.")
    say(f"The patch, to read and to edit: {path}")
    say(f"Apply it with: ivbench-data repair --apply {path} --dataset {workspace.dataset}")
    return 0


def _withdraw(workspace: Workspace, video_id: str, why: str | None, is_meant: bool, as_json: bool) -> int:
    from ivbench_data.cli.console import format_bytes, print_json, print_table, say
    from ivbench_data.takedown import plan_withdrawal, withdraw_video

    if is_meant and as_json:
        plan = withdraw_video(workspace, video_id, why)
        print_json({"plan": plan.model_dump(mode="json"), "done": not plan.left})
        return 1 if plan.left else 0
    plan = plan_withdrawal(workspace, video_id, why)
    if as_json:
        print_json({"plan": plan.model_dump(mode="json"), "done": plan.is_done})
        return 0
    if plan.is_done:
        say(f"Withdrawn already, and nothing of it is left: {plan.withdrawal}")
        return 0
    rows = [("delete", path) for path in plan.deleted] + [("take lines out of", path) for path in plan.rewritten]
    print_table(f"Withdrawing {plan.withdrawal}", ("", f"in {workspace.folder}"), rows)
    for kept in plan.kept:
        say(f"Stays: {kept}")
    if not is_meant:
        size = format_bytes(plan.deleted_bytes)
        say(f"Nothing was changed. To do it, for good ({size} of files): the same with --yes")
        return 0
    left = withdraw_video(workspace, video_id, why).left
    say(f"Withdrawn: {plan.withdrawal}")
    say("A version that was published holds it still: publish the next one, which leaves it out and says so.")
    for line in left:
        say(f"Not removed: {line}", style="bold red")
    if left:
        say("It is on record, and left out of everything; remove what is named here, then run the same with --verify")
    return 1 if left else 0


def _verify(workspace: Workspace, video_id: str, as_json: bool) -> int:
    from ivbench_data.cli.console import print_json, say
    from ivbench_data.takedown import verify_withdrawal

    plan = verify_withdrawal(workspace, video_id)
    if as_json:
        print_json({"plan": plan.model_dump(mode="json"), "done": plan.is_done})
        return 0 if plan.is_done else 1
    for path in (*plan.deleted, *plan.rewritten, *plan.left):
        say(f"Not removed: {path}", style="bold red")
    for kept in plan.kept:
        say(f"Stays: {kept}")
    if plan.is_done:
        say(f"Withdrawn, and all of it that can be removed is gone: {plan.withdrawal}")
    else:
        say(f"Finish it with: ivbench-data repair --withdraw={video_id} --yes")
    return 0 if plan.is_done else 1
