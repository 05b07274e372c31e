"""`ivbench-data repair`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option


@click.command(
    "repair",
    epilog="""\b
Examples:
  ivbench-data repair --plan
  ivbench-data repair --apply data/ivbench/reports/repairs.jsonl
  ivbench-data repair --undo""",
)
@dataset_option
@root_option
@click.option("--plan", is_flag=True, help="Write the safe repairs of what validate finds into a patch file.")
@click.option("--check", "checks", multiple=True, metavar="NAME", help="Plan for this check only; may be given again.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="The patch.  [default: reports/repairs.jsonl]"
)
@click.option("--apply", "patch", type=click.Path(path_type=Path, dir_okay=False), help="Apply this patch file.")
@click.option("--undo", is_flag=True, help="Undo the last patch, to the byte.")
@json_option
def command(
    dataset: str, root: Path, plan: bool, checks: tuple[str, ...], out: Path | None, patch: Path | None, undo: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Mend questions by a patch: plan it, read it, edit it, apply it as a new version, undo it.

    Nothing is mended otherwise. A patch has a JSON line a change: question, field, before, after, check.
    """
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.dataset import load
    from ivbench_data.errors import UsageError
    from ivbench_data.validate.repair import apply_patch, plan_repairs, read_versions, undo_patch, write_patch
    from ivbench_data.workspace import Workspace

    if plan + (patch is not None) + undo > 1:
        raise UsageError("--plan, --apply and --undo are three steps; give one of them")
    if (checks or out) and not plan:
        raise UsageError("--check and --out belong to --plan")
    workspace = Workspace(root, dataset)
    if plan:
        changes = plan_repairs(load(workspace.folder), checks=checks or None)
        path = out or workspace.reports / "repairs.jsonl"
        write_patch(path, changes)
        counted = Counter(change.check for change in changes)
        if as_json:
            print_json({"patch_file": str(path), "changes": len(changes), "by_check": dict(counted)})
            return 0
        print_table(
            f"Planned changes: {len({change.question_id for change in changes})} questions",
            ("check", "changes"),
            list(counted.items()),
        )
        say(f"The patch, to read and to edit: {path}")
        say(f"Apply it with: ivbench-data repair --apply {path} --dataset {dataset}")
        return 0
    if patch is not None:
        version = apply_patch(workspace, patch)
        told = f"Applied {version.changes} changes: this is version {version.version}."
    elif undo:
        version = undo_patch(workspace)
        told = f"Undid version {version.version}: this is version {version.version - 1} again."
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
        say(told)
    return 0
