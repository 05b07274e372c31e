"""What a Parquet file holds beside its rows: settings, statistics, dictionaries' unused words, bytes of no column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ivbench_data.publish.tables.parquet_files import open_parquet

if TYPE_CHECKING:
    import pyarrow.parquet as pq

SHOWN_COLUMNS: Final = ("options", "question")
"""Their statistics and dictionaries hold what rows show anyway."""


def read_beside_rows(path: Path) -> tuple[dict[str, str], bytes]:
    """The texts by place, and the bytes that belong to no column and are not the footer.

    Raises:
        DatasetError: it is no Parquet file.
        MissingDependencyError: pyarrow is not installed.
    """
    with open_parquet(path) as file:
        texts = {
            "settings": "\n".join(_read_settings(file)),
            "statistics": "\n".join(_read_statistics(file)),
            "dictionaries": "\n".join(_read_unused_words(path, file.schema_arrow)),
        }
        return {place: text for place, text in texts.items() if text}, _read_gaps(path, file)


def _read_settings(file: pq.ParquetFile) -> Iterator[str]:
    schema = file.schema_arrow
    for pairs in (file.metadata.metadata, schema.metadata, *(column.metadata for column in schema)):
        for key, value in (pairs or {}).items():
            if key != b"ARROW:schema":  # the schema that stands there in base64 is the one that was just read
                yield f"{key.decode('utf-8', 'replace')}: {value.decode('utf-8', 'replace')}"


def _read_statistics(file: pq.ParquetFile) -> Iterator[str]:
    for group in range(file.metadata.num_row_groups):
        row_group = file.metadata.row_group(group)
        for number in range(row_group.num_columns):
            column = row_group.column(number)
            statistics = column.statistics
            name = column.path_in_schema.partition(".")[0]
            if statistics is not None and statistics.has_min_max and name not in SHOWN_COLUMNS:
                yield from (f"{name}: {_as_text(value)}" for value in (statistics.min, statistics.max))


def _read_unused_words(path: Path, schema: Any) -> Iterator[str]:
    """Words of a column's dictionary that no row uses: they stay when a column's values are blanked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [
        column.name
        for column in schema
        if (pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)) and column.name not in SHOWN_COLUMNS
    ]
    with pq.ParquetFile(path, read_dictionary=columns) as file:
        for group in range(file.num_row_groups if columns else 0):
            table = file.read_row_group(group, columns=columns)
            for name in columns:
                for chunk in table.column(name).chunks:
                    if isinstance(chunk, pa.DictionaryArray):
                        words, used = chunk.dictionary.to_pylist(), set(chunk.indices.to_pylist())
                        yield from (f"{name}: {word}" for at, word in enumerate(words) if at not in used)


def _read_gaps(path: Path, file: pq.ParquetFile) -> bytes:
    """The bytes outside of all columns and of the footer: page indexes, and whatever was put in between."""
    content = path.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    parts = []
    for group in range(file.metadata.num_row_groups):
        row_group = file.metadata.row_group(group)
        for number in range(row_group.num_columns):
            column = row_group.column(number)
            start = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset is not None:
                start = min(start, column.dictionary_page_offset)
            parts.append((start, start + column.total_compressed_size))
    gaps, at = [], 4
    for start, stop in sorted(parts):
        gaps.append(content[at:start])
        at = max(at, stop)
    gaps.append(content[at:end])
    return b"\n".join(gap for gap in gaps if gap)


def _as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
