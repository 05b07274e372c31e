"""What an MP4's sample tables claim, looked at before FFmpeg believes it; and whether its video is encrypted.

A table may say in twelve bytes that a thousand million samples follow, and FFmpeg makes room for them. And a track
may switch between set-ups of its decoder on the way.

Source: ISO/IEC 14496-12, 8.5.2 (`stsd`), 8.7.3 (`stsz`), 8.4.3 (`hdlr`), 8.8.8 (`trun`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ivbench_data.errors import NotAVideoError, UnreadableVideoError, VideoLimitError
from ivbench_data.video.mp4_boxes import MAX_ELEMENTS, read_box

_ENCRYPTED = frozenset({b"encv", b"drmi"})
"""Sample entries of encrypted video: Common Encryption (ISO/IEC 14496-12, 8.12), and iTunes'."""
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})


def check_sample_tables(path: Path, max_samples: int) -> None:
    """Return when no track claims more samples than the file can hold, and the video no more than `max_samples`.

    Raises:
        NotAVideoError: the video is encrypted.
        UnreadableVideoError: one cannot hold them.
        VideoLimitError: the video has more.
    """
    is_video = True
    for name, table, size_bytes in _read_tables(path):
        first, second = int.from_bytes(table[4:8], "big"), int.from_bytes(table[8:12], "big")
        if name == b"hdlr":
            is_video = table[8:12] == b"vide"
            continue
        if name == b"stsd" and is_video and table[12:16] in _ENCRYPTED:
            raise NotAVideoError(
                f"{path.name}: encrypted ({table[12:16].decode('latin-1')}): it cannot be decoded without its key; "
                "fetch it from a source without DRM"
            )
        if name == b"stsz":
            samples, claimed_bytes = second, second * first
        elif name == b"trun":
            samples, claimed_bytes = first, first
        else:
            continue
        if claimed_bytes > size_bytes:
            raise UnreadableVideoError(f"{path.name}: a table claims {samples:,} samples, more than the file has bytes")
        if is_video and samples > max_samples:
            raise VideoLimitError(f"{path.name}: it has more than {max_samples:,} packets")


def count_sample_descriptions(path: Path) -> int:
    """The most set-ups that a decoder of an MP4's tracks has; 0 in other containers."""
    counts = (int.from_bytes(table[4:8], "big") for name, table, _ in _read_tables(path) if name == b"stsd")
    return max(counts, default=0)


def _read_tables(path: Path) -> Iterator[tuple[bytes, bytes, int]]:
    """Type and first bytes of the contents of every box that holds no others, and the file's size."""
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        for name, contents in _walk(file, 0, size_bytes, [MAX_ELEMENTS]):
            yield name, contents, size_bytes


def _walk(file: BinaryIO, start: int, end: int, left: list[int]) -> Iterator[tuple[bytes, bytes]]:
    """The boxes between two places and those within them; no more than are left."""
    at = start
    while at + 8 <= end and left[0]:
        left[0] -= 1
        box = read_box(file, at, end)
        if box.end < box.contents_at:
            return
        if box.name in _CONTAINERS:
            yield from _walk(file, box.contents_at, min(end, box.end), left)
        else:
            yield box.name, box.beginning
        at = box.end
