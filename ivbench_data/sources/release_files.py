"""Find a release's files in a path that the user names, and their names in `raw/`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ivbench_data.errors import UsageError
from ivbench_data.schema import BadLine

MAX_LISTED = 4


def find_release_files(names: Sequence[str], path: Path) -> dict[str, Path]:
    """The release's files by their names in `raw/`, which may lie in folders (`jsonl/gc/vanilla/gc_mat.jsonl`).

    `path` is the folder that holds them, one of the folders on the way to them, or a single file. A file is taken for
    the name that ends as it is called, and else for the first name.

    Raises:
        UsageError: the path does not exist, or holds none of these files.
    """
    if path.is_file():
        try:
            path.name.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the name of {path} is not Unicode, and cannot be recorded: rename the file") from None
        return {next((name for name in names if PurePosixPath(name).name == path.name), names[0]): path}
    if not path.is_dir():
        raise UsageError(f"there is no {path} to import")
    for base, inside in _list_bases(path, max(name.count("/") for name in names)):
        found = {name: base / name for name in names if name.startswith(inside) and (base / name).is_file()}
        if found:
            return found
    listed = " or ".join(names) if len(names) <= MAX_LISTED else f"{', '.join(names[:MAX_LISTED])}, …"
    raise UsageError(f"{path} holds no {listed}")


def empty_release_error(path: Path, item: str, bad: Sequence[BadLine]) -> UsageError:
    """The error for a release without a usable question; names the first bad line."""
    first = f"; the first bad line is {bad[0]}" if bad else ""
    return UsageError(f"{path} holds no {item}{first}")


def _list_bases(path: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """The folder and those above it, each with what of a name leads from it into the folder."""
    yield path, ""
    resolved = path.resolve()
    for base in resolved.parents[:depth]:
        yield base, f"{resolved.relative_to(base).as_posix()}/"
