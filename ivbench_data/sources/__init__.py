"""One file a benchmark: the raw release in, our `Dataset` out.

A source is `read(raw_dir) -> Dataset`, where `raw_dir` holds the release's files as released.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ivbench_data.atomic_files import sweep_temporaries, write_atomically
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.schema import Question
from ivbench_data.sources import demo, ivbench, native, videoespresso, vlm2bench
from ivbench_data.sources.release_files import find_release_files
from ivbench_data.sources.released_fields import Released, read_fields
from ivbench_data.strict_json import parse_json
from ivbench_data.withdrawals import (
    WITHDRAWING,
    extend_withdrawals,
    leave_out_withdrawn,
    read_withdrawals,
    record_withdrawals,
)
from ivbench_data.workspace import Workspace, default_root

SOURCES: dict[str, Callable[[Path], Dataset]] = {
    "demo": demo.read,
    "ivbench": ivbench.read,
    "native": native.read,
    "videoespresso": videoespresso.read,
    "vlm2bench": vlm2bench.read,
}
"""Every benchmark that can be imported, by name."""

RELEASE_FILES: dict[str, tuple[str, ...]] = {
    "demo": demo.RELEASE_FILES,
    "ivbench": ivbench.RELEASE_FILES,
    "native": native.RELEASE_FILES,
    "videoespresso": videoespresso.RELEASE_FILES,
    "vlm2bench": vlm2bench.RELEASE_FILES,
}
"""The names that a source's files have in `raw/`, with the folders that they lie in, if any; a single file of another
name is stored under the first of them."""

RELEASED_READERS: dict[str, Callable[[Question], Released | None]] = {
    "demo": ivbench.read_released,
    "ivbench": ivbench.read_released,
    "videoespresso": videoespresso.read_released,
    "vlm2bench": vlm2bench.read_released,
}
"""How to read the raw record that a source keeps in its questions, by the questions' `source`."""


def read_released(question: Question) -> Released:
    """The question's fields in the release's own spelling."""
    reader = RELEASED_READERS.get(question.source)
    released = reader(question) if reader is not None else None
    return read_fields(question) if released is None else released


def import_dataset(
    source: str,
    path: Path | str,
    root: Path | str | None = None,
    name: str | None = None,
    restores_withdrawn: bool = False,
) -> Dataset:
    """Import a local release: copy its files unchanged into `raw/`, and write the dataset beside them.

    `path` is the release's file, or the folder that holds its files. `name` is the dataset's folder; by default a
    benchmark's own name, and the name that a native dataset gives itself. Videos that were withdrawn from the dataset
    that is there stay so, and their questions are left out, unless `restores_withdrawn`.

    Args:
        source: name of the source: a benchmark, or `native` for our own JSONL.
        path: file of the release, or the folder that holds its files.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        name: name of the dataset; the benchmark's own by default.
        restores_withdrawn: whether videos that were withdrawn are imported again.

    Raises:
        UsageError: no such source, or nothing to import at `path`.
        DatasetError: the existing dataset cannot be read, so its withdrawals are not known.
        StorageError: the root cannot be written.

    Example:
        >>> iv.import_dataset("native", "data/tiny", "elsewhere", name="mine")
        Dataset('mine': 2 videos, 2 images, 3 questions)
    """
    path = Path(path)
    if source not in SOURCES:
        raise UsageError(f"there is no source named {source!r}; there are: {', '.join(SOURCES)}")
    files = find_release_files(RELEASE_FILES[source], path)
    dataset = SOURCES[source](path)
    if name is not None:
        dataset = replace(dataset, name=name)
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    if restores_withdrawn:
        dataset = replace(dataset, provenance=record_withdrawals(dataset.provenance, ()))
    else:
        dataset = _keep_withdrawn(dataset, workspace)
    sweep_temporaries(workspace.folder)
    for stored_name, file in files.items():
        _copy(file, workspace.raw / stored_name)
    dataset.save(workspace.root)
    return dataset


def _keep_withdrawn(dataset: Dataset, workspace: Workspace) -> Dataset:
    """The dataset without the videos withdrawn from the existing one; the withdrawals stay recorded."""
    marker = workspace.folder / "dataset.json"
    try:
        header = parse_json(marker.read_bytes()) if marker.is_file() else {}
        there = header.get("provenance", {}) if isinstance(header, dict) else None
        if not isinstance(there, dict):
            raise ValueError("it holds no provenance")
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{marker} cannot be read ({error}), so it is not known which videos were withdrawn. Mend it, or import "
            "with --restore-withdrawn to import all of them"
        ) from error
    withdrawals = {one.video_id: one for one in (*dataset.withdrawals, *read_withdrawals(there))}
    if not withdrawals:
        return dataset
    extended = extend_withdrawals(tuple(withdrawals.values()), dataset.questions)
    videos, images, questions = leave_out_withdrawn(extended, dataset.videos, dataset.images, dataset.questions)
    unfinished = there.get(WITHDRAWING)
    provenance = record_withdrawals(dataset.provenance, extended, None if unfinished is None else str(unfinished))
    return replace(dataset, videos=videos, images=images, questions=questions, provenance=provenance)


def _copy(file: Path, target: Path) -> None:
    if target.exists() and target.samefile(file):
        return
    with file.open("rb") as original, write_atomically(target) as copy:
        shutil.copyfileobj(original, copy, 1 << 20)
