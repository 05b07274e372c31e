"""`ivbench-data import`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivbench_data.cli.options import json_option, root_option
from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.evaluate.import_results import ImportedRun
    from ivbench_data.schema import VerifyResult
    from ivbench_data.workspace import Workspace


@click.command(
    "import",
    epilog="""\b
Examples:
  ivbench-data import ivbench path/to/test_data.jsonl
  ivbench-data import vlm2bench path/to/unpacked-release
  ivbench-data import videoespresso path/to/bench_hard.json
  ivbench-data import native path/to/my-benchmark --dataset my-benchmark
  ivbench-data import native path/to/a-published-folder
  ivbench-data import results lmms-eval logs/…_samples_ivbench.jsonl --dataset ivbench
  ivbench-data import results inspect logs/….eval --dataset ivbench
  ivbench-data import results vlmevalkit MODEL_DATASET.xlsx --model MODEL
  ivbench-data import results jsonl replies.jsonl --model MODEL""",
)
@click.argument("source")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--dataset", default=None, help="Name of the dataset's folder.  [default: the source's own name]")
@click.option("--model", metavar="NAME", help="With results: the model's name.  [default: what the file says]")
@click.option("--pattern", help="With results: which visuals the run showed, a pattern of `evaluate`.")
@click.option("--profile", help="With results: whose parser reads the replies.  [default: default]")
@click.option(
    "--restore-withdrawn", is_flag=True, help="Restore withdrawn videos, and delete the records of their withdrawals."
)
@root_option
@json_option
def command(
    source: str,
    path: Path,
    file: Path | None,
    dataset: str | None,
    model: str | None,
    pattern: str | None,
    profile: str | None,
    restore_withdrawn: bool,
    root: Path,
    as_json: bool,
) -> int:
    """Import a local release: SOURCE is a benchmark, or `native` for our own JSONL; PATH its file or folder.

    `import results FORMAT FILE` imports the replies of a stored run instead, from lmms-eval, VLMEvalKit, inspect_ai, or
    JSONL with question_id and reply, so that they are scored by our reader. Rows that fit no question are named.

    `import native` also takes a folder that `publish` wrote, as a participant gets it.

    The release is copied unchanged into raw/; its videos and images stay where they are, and videos that are in the
    dataset's folder already and are damaged, or none, are named. A malformed line is named, the
    others are imported, and the exit code is 1. Videos withdrawn from the existing dataset stay withdrawn.
    """
    from ivbench_data.cli.console import print_json, say
    from ivbench_data.workspace import Workspace

    if source == "results":
        return _import_results(str(path), file, dataset, model, pattern, profile, root, as_json)
    if file is not None or any(value is not None for value in (model, pattern, profile)):
        raise UsageError("a second path, --model, --pattern and --profile belong to: import results FORMAT FILE")
    dataset_made = _import_release(source, path, root, dataset, restore_withdrawn)
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


def _import_release(source: str, path: Path, root: Path, name: str | None, restore_withdrawn: bool) -> Dataset:
    """The dataset of a release, or of a published folder."""
    from ivbench_data.publish.published_dataset import import_published, is_published
    from ivbench_data.sources import import_dataset

    if source == "native" and is_published(path):
        return import_published(path, root, name, restore_withdrawn)
    return import_dataset(source, path, root, name, restore_withdrawn)


def _import_results(
    harness: str,
    file: Path | None,
    dataset: str | None,
    model: str | None,
    pattern: str | None,
    profile: str | None,
    root: Path,
    as_json: bool,
) -> int:
    from ivbench_data.cli.console import print_json
    from ivbench_data.dataset import load
    from ivbench_data.evaluate.import_results import IMPORTED, import_results
    from ivbench_data.workspace import DEFAULT_DATASET

    if file is None:
        raise UsageError("write: ivbench-data import results FORMAT FILE, such as: import results jsonl replies.jsonl")
    loaded = load(root / (dataset or DEFAULT_DATASET))
    run = import_results(
        loaded, harness, file, root, model=model, pattern=pattern or IMPORTED, profile=profile or "default"
    )
    if as_json:
        facts = ("imported", "failed", "reordered", "without_options", "identical")
        lists = ("unknown", "mismatched", "repeated")
        print_json(
            {
                "path": str(run.path),
                **{name: getattr(run, name) for name in facts},
                **{name: list(getattr(run, name)) for name in lists},
                "bad_lines": [line.model_dump() for line in run.bad_lines],
            }
        )
    else:
        _describe_run(run, loaded)
    return 1 if run.left_out else 0


ROWS_SHOWN = 20
"""Most rows of a kind that are named; `--json` names all."""


def _describe_run(run: ImportedRun, dataset: Dataset) -> None:
    from ivbench_data.cli.console import say

    say(f"Imported replies to {run.imported:,} of {len(dataset.questions):,} questions into {run.path}.")
    notes = (
        (run.failed, "of these hold no reply, and count as wrong"),
        (run.reordered, "showed the options in another order than ours; matched by their texts"),
        (run.without_options, "do not say which options they showed; taken to be in our order"),
        (run.identical, "further rows repeat the reply of an earlier one"),
    )
    for count, text in notes:
        if count:
            say(f"{count:,} {text}.")
    left_out = (
        (run.unknown, f"of no question of {dataset.name}"),
        (run.mismatched, "with other options than the question's"),
        (run.repeated, "further replies to a question that has one; the first counts"),
        (tuple(map(str, run.bad_lines)), "not readable"),
    )
    for rows, text in left_out:
        if rows:
            more = f", and {len(rows) - ROWS_SHOWN:,} more" if len(rows) > ROWS_SHOWN else ""
            say(f"Left out, {len(rows):,} {text}: {', '.join(rows[:ROWS_SHOWN])}{more}", style="yellow")
    say(f"Score them with: ivbench-data score {run.path.stem} --dataset {dataset.name}")


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
