"""`ivbench-data verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option
from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.schema import VerifyResult
    from ivbench_data.video.fingerprint import Fingerprint
    from ivbench_data.video.verify import Depth


@click.command(
    "verify",
    epilog="""\b
Examples:
  ivbench-data verify
  ivbench-data verify --quick
  ivbench-data verify --deep
  ivbench-data verify --cache
  ivbench-data verify --write-fingerprints
  ivbench-data verify --against their-fingerprints.jsonl""",
)
@click.option("--quick", is_flag=True, help="Only boxes, packets, timestamps: a few milliseconds a video.")
@click.option("--deep", is_flag=True, help="Decode every frame, and keep the digest: later runs compare that.")
@click.option("--cache", "caches", is_flag=True, help="Check the frame caches instead, every byte of every file.")
@click.option("--recheck", is_flag=True, help="Ignore the digests of earlier --deep runs.")
@click.option("--write-fingerprints", is_flag=True, help="Write fingerprints.jsonl, from files that you trust.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Compare with another lab's fingerprints.jsonl instead of one's own.",
)
@click.option("--workers", type=click.IntRange(0), help="Worker processes.  [default: the cores there are]")
@click.option("--strict", is_flag=True, help="Exit with 1 when videos are missing, too.")
@dataset_option
@root_option
@json_option
def command(
    quick: bool,
    deep: bool,
    caches: bool,
    recheck: bool,
    write_fingerprints: bool,
    against: Path | None,
    workers: int | None,
    strict: bool,
    dataset: str,
    root: Path,
    as_json: bool,
) -> int:
    """Check that the videos are whole, and show the expected content.

    Without an option: structure, packets, 16 decoded frames, and the content where fingerprints.jsonl knows the video.
    Exit code 1 when a file failed.
    """
    from ivbench_data.cli.console import say_without_videos
    from ivbench_data.dataset import load

    if sum((quick, deep, caches, write_fingerprints)) > 1:
        raise UsageError("--quick, --deep, --cache and --write-fingerprints exclude each other")
    if against is not None and (quick or caches or write_fingerprints):
        raise UsageError("--against compares decoded frames: it goes with --deep or alone")
    loaded = load(root / dataset)
    if say_without_videos(loaded, "verify", as_json) and not as_json:
        return 0
    if caches:
        return _check_caches(loaded, root, as_json)
    if write_fingerprints:
        from ivbench_data.video.fingerprint import write_fingerprints as write

        return _report(loaded, root, write(loaded, root, workers), "Fingerprinting", strict, as_json, writes=True)
    from ivbench_data.video.verify import VerifyOptions, verify_videos

    depth: Depth = "quick" if quick else "deep" if deep else "default"
    fingerprints = None if against is None else _read_theirs(against, loaded, as_json)
    options = VerifyOptions(workers=workers, recheck=recheck)
    rows = verify_videos(loaded, root, depth, options, fingerprints)
    return _report(loaded, root, rows, "Verifying", strict, as_json)


def _check_caches(dataset: Dataset, root: Path, as_json: bool) -> int:
    from ivbench_data.cli.console import print_json, say, track
    from ivbench_data.frames.cache import check_caches
    from ivbench_data.workspace import Workspace

    folder = Workspace(root, dataset.name).cache
    faults: dict[str, str] = {}
    checked = 0
    for path, fault in track(
        check_caches(dataset, root), "Checking", len(list(folder.glob("*/*.safetensors"))), as_json
    ):
        checked += 1
        if fault is not None:
            faults[str(path)] = fault
            if not as_json:
                say(f"failed: {fault}", style="red")
    if as_json:
        print_json({"folder": str(folder), "checked": checked, "faults": faults})
    elif faults:
        say(f"{len(faults):,} of {checked:,} cache files are damaged. Delete them, and run ivbench-data cache again.")
    else:
        say(f"{checked:,} cache files in {folder}: every byte is as written.")
    return 1 if faults else 0


def _read_theirs(path: Path, dataset: Dataset, as_json: bool) -> dict[str, Fingerprint]:
    from ivbench_data.cli.console import say
    from ivbench_data.video.fingerprint import read_fingerprints

    if not path.is_file():
        raise UsageError(f"--against: there is no file {path}")
    theirs, bad = read_fingerprints(path)
    ours = {video.video_id for video in dataset.videos}
    if not theirs.keys() & ours:
        raise UsageError(f"--against: {path} has no fingerprint of any video of {dataset.name}")
    if not as_json:
        for line in bad:
            say(f"left out: {line}", style="yellow")
        say(f"{path} has fingerprints of {len(theirs.keys() & ours):,} of {len(ours):,} videos.")
    return theirs


def _report(
    dataset: Dataset,
    root: Path,
    rows_coming: Iterator[VerifyResult],
    description: str,
    strict: bool,
    as_json: bool,
    writes: bool = False,
) -> int:
    from ivbench_data.cli.console import print_json, say, track

    rows: list[VerifyResult] = []
    for row in track(rows_coming, description, len(dataset.videos), as_json):
        rows.append(row)
        if row.status == "failed" and not as_json:
            say(f"failed: {row.video_id}: {row.reason}", style="red")
        elif row.status == "ok" and row.reason and not as_json:
            say(f"odd: {row.video_id}: {row.reason}", style="yellow")
    count: Counter[str] = Counter(row.status for row in rows)
    if as_json:
        counts = {status: count[status] for status in ("ok", "failed", "missing")}
        print_json({"counts": counts, "rows": [row.model_dump() for row in rows]})
    else:
        _show_counts(dataset, root, rows)
        if writes and count["ok"]:
            say(
                f"The fingerprints are in {root / dataset.name / 'fingerprints.jsonl'}. They describe your "
                "files, and nobody else has confirmed them: compare with another lab's by verify --against FILE.",
                style="bold",
            )
    return 1 if count["failed"] or (strict and count["missing"]) else 0


def _show_counts(dataset: Dataset, root: Path, rows: list[VerifyResult]) -> None:
    from ivbench_data.cli.console import print_table, say

    count = Counter(row.status for row in rows)
    same = sum(row.content == "same" for row in rows)
    print_table(
        f"Videos of {dataset.name} in {root / dataset.name / 'videos'}",
        ("videos", "whole", "content compared and the same", "failed", "missing"),
        [(len(rows), count["ok"], same, count["failed"], count["missing"])],
    )
    if count["missing"]:
        say(
            f"{count['missing']:,} of {len(rows):,} videos have no file here. "
            f"Get them with: ivbench-data fetch --dataset {dataset.name}",
            style="yellow",
        )
