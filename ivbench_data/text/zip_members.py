"""Members of a ZIP archive from elsewhere: bounded in size, and also those that Zstandard compressed."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Final

from ivbench_data.errors import MissingDependencyError

ZSTANDARD: Final = 93
"""ZIP's number of the compression Zstandard (APPNOTE 6.3.8), which Python's `zipfile` undoes from 3.14 on."""

MAX_MEMBER_BYTES: Final = 512 * 2**20
"""A larger member is refused: a few kilobytes can unpack to more than the memory."""

_LOCAL_HEADER_BYTES: Final = 30


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a member.

    Raises:
        ValueError: it is larger than `MAX_MEMBER_BYTES`, or damaged.
        MissingDependencyError: it is compressed by Zstandard, and `zstandard` is not installed.
    """
    item = archive.getinfo(name)
    if item.file_size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} is larger than {MAX_MEMBER_BYTES:,} bytes")
    if item.compress_type != ZSTANDARD:
        return archive.read(name)
    content = _decompress(_read_stored(archive, item), item.file_size)
    if len(content) != item.file_size or zlib.crc32(content) != item.CRC:
        raise ValueError(f"{name} is damaged")
    return content


def _read_stored(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> bytes:
    """The member's bytes as they lie in the archive, behind its local header (APPNOTE 4.3.7)."""
    file = archive.fp
    assert file is not None
    file.seek(item.header_offset)
    header = file.read(_LOCAL_HEADER_BYTES)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    file.seek(lengths, io.SEEK_CUR)
    return file.read(item.compress_size)


def _decompress(content: bytes, size_bytes: int) -> bytes:
    try:
        import zstandard
    except ImportError:
        raise MissingDependencyError("zstandard", "score") from None
    reader = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True)
    try:
        return reader.read(size_bytes + 1)
    except zstandard.ZstdError as error:
        raise ValueError(f"Zstandard: {error}") from error
