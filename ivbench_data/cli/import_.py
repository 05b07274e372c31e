"""`ivbench-data import`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivbench_data.cli.options import json_option, root_option

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.schema import VerifyResult
    from ivbench_data.workspace import Workspace


@click.command(
    "import",
    epilog="""\b
Examples:
  ivbench-data import ivbench path/to/test_data.jsonl
  ivbench-data import vlm2bench path/to/unpacked-release
  ivbench-data import videoespresso path/to/bench_hard.json
  ivbench-data import native path/to/my-benchmark --dataset my-benchmark""",
)
@click.argument("source")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dataset", default=None, help="Name of the dataset's folder.  [default: the source's own name]")
@click.option(
    "--restore-withdrawn", is_flag=True, help="Restore withdrawn videos, and delete the records of their withdrawals."
)
@root_option
@json_option
def command(source: str, path: Path, dataset: str | None, restore_withdrawn: bool, root: Path, as_json: bool) -> int:
    """Import a local release: SOURCE is a benchmark, or `native` for our own JSONL; PATH its file or folder.

    The release is copied unchanged into raw/; its videos and images stay where they are, and videos that are in the
    dataset's folder already and are damaged, or none, are named. A malformed line is named, the
    others are imported, and the exit code is 1. Videos withdrawn from the existing dataset stay withdrawn.
    """
    from ivbench_data.cli.console import print_json, say
    from ivbench_data.sources import import_dataset
    from ivbench_data.workspace import Workspace

    dataset_made = import_dataset(source, path, root, dataset, restore_withdrawn)
    folder = Workspace(root, dataset_made.name).folder
    bad_videos = [row for row in _check_videos(dataset_made, root) if row.status == "failed"]
    if as_json:
        print_json(
            {
                "dataset": dataset_made.name,
                "folder": str(folder),
                "videos": len(dataset_made.videos),
                "images": len(dataset_made.images),
                "questions": len(dataset_made.questions),
                "bad_lines": [line.model_dump() for line in dataset_made.bad_lines],
                "bad_videos": [row.model_dump() for row in bad_videos],
                "provenance": dataset_made.provenance,
            }
        )
        return 1 if dataset_made.bad_lines else 0
    say(
        f"Imported {len(dataset_made.questions):,} questions on {len(dataset_made.videos):,} videos and "
        f"{len(dataset_made.images):,} images into {folder}."
    )
    _say_where_media_go(dataset_made, Workspace(root, dataset_made.name))
    for row in bad_videos:
        say(f"  {row.level}: {row.file_name}: {row.reason}", style="yellow")
    for withdrawal in dataset_made.withdrawals:
        say(f"Still withdrawn: {withdrawal}")
    for line in dataset_made.bad_lines:
        say(f"  left out: {line}", style="yellow")
    if dataset_made.bad_lines:
        say(f"{len(dataset_made.bad_lines)} lines could not be used; the others were imported.", style="yellow")
    return 1 if dataset_made.bad_lines else 0


def _check_videos(dataset: Dataset, root: Path) -> Iterator[VerifyResult]:
    """Check results of the videos that are here already, by what takes milliseconds."""
    from ivbench_data.video.verify import verify_videos
    from ivbench_data.workspace import Workspace

    if Workspace(root, dataset.name).videos.is_dir():
        yield from verify_videos(dataset, root, "quick")


def _say_where_media_go(dataset: Dataset, workspace: Workspace) -> None:
    from ivbench_data.cli.console import say
    from ivbench_data.manifests import find_manifest_name

    images = sum(not workspace.image_path(image.image_id).is_file() for image in dataset.images)
    videos = sum(workspace.find_video(video.video_id) is None for video in dataset.videos)
    if not images and not videos:
        return
    missing = " and ".join(f"{count:,} {kind}" for count, kind in ((images, "images"), (videos, "videos")) if count)
    say(f"Not on disk yet: {missing}.")
    if find_manifest_name(dataset) is not None:
        say(f"Get them with: ivbench-data fetch --dataset {dataset.name}")
    elif images:
        say(f"Put the images, each named by its id, in {workspace.images}")
    say(f"Link or copy them from a folder: ivbench-data fetch --source FOLDER --dataset {dataset.name}")
