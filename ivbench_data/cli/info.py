"""`ivbench-data info`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.manifests import Manifest
    from ivbench_data.workspace import Workspace


@click.command(
    "info",
    epilog="""\b
Example:
  ivbench-data info --dataset ivbench
  ivbench-data info --video talk.mkv""",
)
@dataset_option
@root_option
@click.option(
    "--video", metavar="ID|FILE", help="Show one video instead: its streams, how a player shows it, its times."
)
@json_option
def command(dataset: str, root: Path, video: str | None, as_json: bool) -> int:
    """Show what a dataset holds and what of it is on disk, beside the counts that its benchmark states."""
    from ivbench_data.cli.console import print_json, print_table, say, say_strays
    from ivbench_data.dataset import load
    from ivbench_data.manifests import load_manifest, manifest_names
    from ivbench_data.video.stray_files import find_stray_files
    from ivbench_data.withdrawals import WITHDRAWING
    from ivbench_data.workspace import Workspace

    workspace = Workspace(root, dataset)
    if video is not None:
        return _show_video(video, workspace, as_json)
    loaded = load(workspace.folder)
    manifest = load_manifest(loaded.name) if loaded.name in manifest_names() else None
    parts = _count_parts(loaded, workspace, manifest)
    tasks = _count_tasks(loaded, manifest)
    grids = _count_grids(workspace)
    strays = find_stray_files(loaded, workspace)
    if as_json:
        print_json(
            {
                "dataset": loaded.name,
                "folder": str(workspace.folder),
                "parts": parts,
                "tasks": tasks,
                "grids": grids,
                "stray_files": [stray.model_dump() for stray in strays],
                "withdrawn": [withdrawal.model_dump(mode="json") for withdrawal in loaded.withdrawals],
                "bad_lines": [line.model_dump() for line in loaded.bad_lines],
            }
        )
        return 0
    title = manifest.title if manifest else loaded.name
    print_table(
        f"{title} in {workspace.folder}",
        ("", "imported", "on disk", "released", "in the paper"),
        [
            (name, part["imported"], _or_dash(part["on_disk"]), _or_dash(part["released"]), _or_dash(part["published"]))
            for name, part in parts.items()
        ],
    )
    print_table(
        "Questions per task",
        ("task", "group", "imported", "released", "in the paper"),
        [
            (row["task"], row["group"] or "–", row["imported"], _or_dash(row["released"]), _or_dash(row["published"]))
            for row in tasks
        ],
        ("all", "", *(_add_up(row[key] for row in tasks) for key in ("imported", "released", "published"))),
    )
    if grids:
        print_table("Frame caches", ("grid", "videos"), list(grids.items()))
    elif loaded.videos:
        say(f"No frame cache yet. Build one with: ivbench-data cache --nframes 32 --res 240 --dataset {loaded.name}")
    say_strays(strays, workspace)
    for withdrawal in loaded.withdrawals:
        say(f"withdrawn, and not counted: {withdrawal}")
    if WITHDRAWING in loaded.provenance:
        unfinished = str(loaded.provenance[WITHDRAWING])
        say(f"A withdrawal is not finished: ivbench-data repair --withdraw={unfinished} --yes", style="yellow")
    for line in loaded.bad_lines:
        say(f"left out at import: {line}", style="yellow")
    return 0


def _show_video(named: str, workspace: Workspace, as_json: bool) -> int:
    from ivbench_data.cli.console import print_json, print_table
    from ivbench_data.cli.video_info import describe_video, find_file, write_value

    path = find_file(named, workspace)
    facts = describe_video(path)
    if as_json:
        print_json(facts)
    else:
        rows = [(name.replace("_", " "), write_value(value)) for name, value in facts.items() if name != "path"]
        print_table(str(path), ("property", "value"), rows)
    return 0


def _add_up(counts: Iterable[int | None]) -> str:
    """The sum of what is known; a dash where nothing is."""
    known = [count for count in counts if count is not None]
    return f"{sum(known):,}" if known else "–"


def _or_dash(value: object) -> object:
    return "–" if value is None else value


def _count_parts(dataset: Dataset, workspace: Workspace, manifest: Manifest | None) -> dict[str, dict[str, Any]]:
    on_disk = {
        "videos": sum(workspace.find_video(video.video_id) is not None for video in dataset.videos),
        "images": sum(workspace.image_path(image.image_id).is_file() for image in dataset.images),
        "questions": None,
    }
    return {
        name: {
            "imported": len(getattr(dataset, name)),
            "on_disk": on_disk[name],
            "released": getattr(manifest.released, name) if manifest else None,
            "published": getattr(manifest.published, name) if manifest else None,
        }
        for name in ("videos", "images", "questions")
    }


def _count_tasks(dataset: Dataset, manifest: Manifest | None) -> list[dict[str, Any]]:
    from collections import Counter

    found = Counter(question.task for question in dataset.questions)
    known = {task.name: task for task in manifest.tasks} if manifest else {}
    rows = []
    for name in [*known, *sorted(found.keys() - known.keys())]:
        task = known.get(name)
        rows.append(
            {
                "task": name,
                "group": manifest.task_groups.get(task.group or "") if manifest and task else None,
                "imported": found[name],
                "released": task.released if task else None,
                "published": task.published if task else None,
            }
        )
    return rows


def _count_grids(workspace: Workspace) -> dict[str, int]:
    from ivbench_data.workspace import list_folder

    folders = [folder for folder in list_folder(workspace.cache, "*") if folder.is_dir()]
    return {folder.name: len(list_folder(folder, "*.safetensors")) for folder in folders}
