"""Rows in, Parquet files out: typed columns, small row groups, bounded memory, the same bytes for the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from ivbench_data.atomic_files import write_atomically
from ivbench_data.errors import DatasetError, MissingDependencyError

if TYPE_CHECKING:
    import pyarrow.parquet as pq
    from datasets import Features

MAX_SHARD_BYTES: Final = 500 * 10**6
"""As the Hub's own tools make them: one file is one download."""

MAX_GROUP_BYTES: Final = 32 * 2**20
MAX_GROUP_ROWS: Final = 100
"""A row group is what the Hub's viewer reads to show one page of 100 rows, and what is held in memory here."""


@dataclass(frozen=True)
class RowSource:
    """A row that is made when its turn comes, so that no more than a row group's images are in memory."""

    size_bytes: int
    """About how much it takes."""
    make: Callable[[], dict[str, Any]]
    """Makes it."""


def write_shards(
    folder: Path, name: str, rows: Sequence[RowSource], features: Features, max_shard_bytes: int = MAX_SHARD_BYTES
) -> Iterator[tuple[Path, int]]:
    """Write `{name}-00000-of-00001.parquet` and so on in the folder; each file as it is done, and the rows in it.

    A split without rows is one file without rows, so that its columns are known all the same.

    Raises:
        StorageError: the folder cannot be written.
    """
    shards = list(_cut(rows, max_shard_bytes)) or [[]]
    for number, shard in enumerate(shards):
        path = folder / f"{name}-{number:05}-of-{len(shards):05}.parquet"
        _write_shard(path, shard, features)
        yield path, len(shard)


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """The Parquet file, closed at the end; an error of reading it inside the block is ours, too.

    Raises:
        DatasetError: it is no Parquet file.
        MissingDependencyError: pyarrow is not installed.
    """
    pa, pq = _import_pyarrow()
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def iterate_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file as they are stored, images as their bytes, a row group at a time in memory.

    Raises:
        DatasetError: it is no Parquet file.
        MissingDependencyError: pyarrow is not installed.
    """
    with open_parquet(path) as file:
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group).to_pylist()


def _import_pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingDependencyError("pyarrow", "publish") from None
    return pa, pq


def _write_shard(path: Path, rows: Sequence[RowSource], features: Features) -> None:
    pa, pq = _import_pyarrow()
    schema = features.arrow_schema  # holds the features as metadata, from which `load_dataset` takes them
    leaves = list(_list_leaves(schema))
    with write_atomically(path) as file:
        writer = pq.ParquetWriter(
            file,
            schema,
            # pictures are compressed already, and are read where they lie
            compression={leaf: "none" if leaf.endswith(".bytes") else "snappy" for leaf in leaves},
            use_dictionary=[leaf for leaf in leaves if not leaf.endswith(".bytes")],
            write_page_index=True,
            # pages are cut by what they hold: a new version shares its unchanged parts with the old one on the Hub
            use_content_defined_chunking=True,
        )
        with writer:
            for group in _cut(rows, MAX_GROUP_BYTES, MAX_GROUP_ROWS):
                writer.write_table(pa.Table.from_pylist([row.make() for row in group], schema=schema))


def _cut(rows: Sequence[RowSource], max_bytes: int, max_rows: int | None = None) -> Iterator[list[RowSource]]:
    """The rows in their order, in parts within the bounds; a row over the bound is a part of its own."""
    part: list[RowSource] = []
    part_bytes = 0
    for row in rows:
        if part and (part_bytes + row.size_bytes > max_bytes or len(part) == max_rows):
            yield part
            part, part_bytes = [], 0
        part.append(row)
        part_bytes += row.size_bytes
    if part:
        yield part


def _list_leaves(schema: Any) -> Iterator[str]:
    """Parquet's names of the columns that hold values: `evidence.list.element.kind`."""
    import pyarrow as pa

    def descend(path: str, kind: Any) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for field in kind:
                yield from descend(f"{path}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            yield from descend(f"{path}.list.element", kind.value_type)
        else:
            yield path

    for column in schema:
        yield from descend(column.name, column.type)
