"""One file a benchmark: the raw release in, our `Dataset` out.

A source is `read(raw_dir) -> Dataset`, where `raw_dir` holds the release's files as they came.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.schema import Question
from ivbench_data.sources import demo, ivbench, native, videoespresso
from ivbench_data.sources.released import Released, read_fields
from ivbench_data.workspace import Workspace, default_root, sweep_temporaries, write_atomically

SOURCES: dict[str, Callable[[Path], Dataset]] = {
    "demo": demo.read,
    "ivbench": ivbench.read,
    "native": native.read,
    "videoespresso": videoespresso.read,
}
"""Every benchmark that can be imported, by name."""

RELEASE_FILES: dict[str, tuple[str, ...]] = {
    "demo": demo.RELEASE_FILES,
    "ivbench": ivbench.RELEASE_FILES,
    "native": native.RELEASE_FILES,
    "videoespresso": videoespresso.RELEASE_FILES,
}
"""The names that a source's files have in `raw/`; a single file of another name is stored under the first of them."""

RELEASED_READERS: dict[str, Callable[[Question], Released | None]] = {
    "demo": ivbench.read_released,
    "ivbench": ivbench.read_released,
    "videoespresso": videoespresso.read_released,
}
"""How to read the raw record that a source keeps in its questions, by the questions' `source`."""


def read_released(question: Question) -> Released:
    """What the release says of the question, in its own spelling."""
    reader = RELEASED_READERS.get(question.source)
    released = reader(question) if reader is not None else None
    return read_fields(question) if released is None else released


def import_dataset(source: str, path: Path | str, root: Path | None = None, name: str | None = None) -> Dataset:
    """Bring a local release in: keep its files untouched in `raw/`, and write the dataset beside them.

    `path` is the release's file, or the folder that holds its files. `name` is the dataset's folder; by default a
    benchmark's own name, and the name that a native dataset gives itself.

    Raises:
        UsageError: no such source, or nothing to import at `path`.
        StorageError: the root cannot be written.
    """
    path = Path(path)
    if source not in SOURCES:
        raise UsageError(f"there is no source named {source!r}; there are: {', '.join(SOURCES)}")
    files = _release_files(source, path)
    dataset = SOURCES[source](path)
    if name is not None:
        dataset = replace(dataset, name=name)
    workspace = Workspace(root or default_root(), dataset.name)
    sweep_temporaries(workspace.folder)
    for stored_name, file in files.items():
        _copy(file, workspace.raw / stored_name)
    dataset.save(workspace.root)
    return dataset


def _release_files(source: str, path: Path) -> dict[str, Path]:
    """The release's files, by the names they get in `raw/`."""
    expected = RELEASE_FILES[source]
    if path.is_file():
        try:
            path.name.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the name of {path} is not Unicode, and cannot be recorded: rename the file") from None
        return {path.name if path.name in expected else expected[0]: path}
    if path.is_dir():
        found = {name: path / name for name in expected if (path / name).is_file()}
        if found:
            return found
        raise UsageError(f"{path} holds no {' or '.join(expected)}")
    raise UsageError(f"there is no {path} to import")


def _copy(file: Path, target: Path) -> None:
    if target.exists() and target.samefile(file):
        return
    with file.open("rb") as original, write_atomically(target) as copy:
        shutil.copyfileobj(original, copy, 1 << 20)
