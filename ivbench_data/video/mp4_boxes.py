"""Whether a video file's outermost structure is whole, from its boxes' own sizes: no decoder, under a millisecond.

MP4 and MOV are a row of boxes, Matroska and WebM a row of EBML elements, AVI a RIFF chunk; each says how long it is.
A file cut short anywhere breaks that row, even where a decoder opens and plays it without a word.

Sources: ISO/IEC 14496-12 section 4.2 (boxes), RFC 8794 sections 5–6 (EBML element IDs and data sizes).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

from ivbench_data.errors import UnreadableVideoError

Container = Literal["mp4", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "ivf", "obu", "h26x"]

MAX_ELEMENTS: Final = 500_000
"""Boxes or elements in a row: half-second fragments of a day need fewer; a file made to be walked forever has more."""

_EBML, _SEGMENT, _CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
_MP4_FIRST = frozenset(
    (
        b"ftyp",
        b"styp",
        b"moov",
        b"moof",
        b"mdat",
        b"free",
        b"skip",
        b"wide",
        b"pnot",
        b"uuid",
        b"sidx",
        b"emsg",
        b"prft",
    )
)
_MPEGTS_PACKETS = ((0, 188), (4, 192))
"""Place of the first sync byte, and distance of the next: plain MPEG-TS, and with time codes (M2TS, of cameras)."""
_UNCHECKED: dict[bytes, Container] = {
    b"\x00\x00\x01\xba": "mpeg",
    b"FLV\x01": "flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"OggS": "ogg",
    b"DKIF": "ivf",
    b"\x12\x00": "obu",
    b"\x00\x00\x00\x01": "h26x",
    b"\x00\x00\x01": "h26x",
}
"""First bytes of containers that do not say how long they are: a cut one is found by decoding, not by its structure."""
_SNIFFED_BYTES = 512


def check_structure(path: Path) -> Container:
    """The container's kind, when the file's boxes fill it exactly and an index and media are among them.

    Raises:
        UnreadableVideoError: the file is empty, is no video container, was cut short, or holds bytes that are no box.
    """
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            return _check_open_file(file, size_bytes)
    except OSError as error:
        raise UnreadableVideoError(f"{path.name}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UnreadableVideoError(f"{path.name}: {error}") from None


def _check_open_file(file: BinaryIO, size_bytes: int) -> Container:
    head = file.read(_SNIFFED_BYTES)
    if not head:
        raise ValueError("empty, 0 bytes")
    if head.startswith(_EBML):
        _walk_matroska(file, size_bytes)
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        _check_avi(head, size_bytes)
        return "avi"
    if any(len(head) > at + size and head[at] == head[at + size] == 0x47 for at, size in _MPEGTS_PACKETS):
        return "mpegts"
    if head[4:8] in _MP4_FIRST:
        _walk_mp4(file, size_bytes)
        return "mp4"
    for start, container in _UNCHECKED.items():
        if head.startswith(start):
            return container
    raise ValueError(_name_what_it_is(head))


def _name_what_it_is(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--", b"<body", b"<script")):
        return "a web page, not a video"
    if start.startswith((b"#extm3u", b"ffconcat", b"[playlist]")):
        return "a playlist, not a video"
    if start.startswith((b"{", b"[")):
        return "JSON, not a video"
    if not head.strip(b"\0"):
        return "begins with zeros: its bytes were never written, or were lost"
    return "not a video of a known container (MP4, Matroska, WebM, AVI, MPEG-TS, MPEG-PS, FLV, ASF, Ogg, IVF)"


# --- MP4 and MOV ------------------------------------------------------------------------------------------------


class Box(NamedTuple):
    """An MP4 box by its own header, of which nothing has been checked."""

    name: bytes
    """Its type, four bytes."""
    contents_at: int
    """Byte of the file where its contents begin."""
    end: int
    """Byte after its last one; before `contents_at` when the header contradicts itself."""
    beginning: bytes
    """First bytes of its contents, 16 at least where the file has them."""


def read_box(file: BinaryIO, at: int, last: int) -> Box:
    """The box that begins at byte `at`, of which there are eight at least; `last` is where one of no size ends."""
    file.seek(at)
    header = file.read(32)
    box_bytes, header_bytes = int.from_bytes(header[:4]), 8
    if box_bytes == 1:  # the size stands after the type, in 64 bits
        box_bytes, header_bytes = int.from_bytes(header[8:16]), 16
    elif box_bytes == 0:  # the last box, as long as what it is in
        box_bytes = last - at
    return Box(header[4:8], at + header_bytes, at + box_bytes, header[header_bytes:])


def _is_box_type(name: bytes) -> bool:
    """Whether four bytes can be a box's type: printable characters (0xA9 is QuickTime's ©)."""
    return len(name) == 4 and all(0x20 <= byte <= 0x7E or byte == 0xA9 for byte in name)


def _walk_mp4(file: BinaryIO, size_bytes: int) -> None:
    found: set[bytes] = set()
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at == size_bytes:
            break
        if size_bytes - at < 8:
            raise ValueError(f"cut short: {size_bytes - at} bytes of a box at byte {at}")
        box = read_box(file, at, size_bytes)
        if not _is_box_type(box.name):
            raise ValueError(f"damaged: no box begins at byte {at} of {size_bytes}, where one should")
        if box.end < box.contents_at:
            raise ValueError(f"damaged: a box of {box.end - at} bytes at byte {at}, shorter than its own header")
        if box.end > size_bytes:
            raise ValueError(_describe_cut(box.end, size_bytes, box.name.decode("latin-1")))
        found.add(box.name)
        at = box.end
    else:
        raise ValueError(f"more than {MAX_ELEMENTS} boxes")
    if b"moov" not in found:
        raise ValueError("no index (moov box): it was cut short, or its end was lost")
    if not found & {b"mdat", b"moof"}:
        raise ValueError("an index without media (no mdat or moof box)")


def _describe_cut(end: int, size_bytes: int, name: str) -> str:
    missing = end - size_bytes
    return f"cut short: {missing} bytes are missing at the end ({missing / end:.1%}; the last is {name!r})"


# --- Matroska and WebM ------------------------------------------------------------------------------------------


def _walk_matroska(file: BinaryIO, size_bytes: int) -> None:
    at, has_clusters = 0, False
    for _ in range(MAX_ELEMENTS):
        if at >= size_bytes:
            break
        file.seek(at)
        element_id, data_bytes, header_bytes = _read_element(file.read(12), at)
        if element_id == _SEGMENT:
            if data_bytes is not None and at + header_bytes + data_bytes > size_bytes:
                raise ValueError(_describe_cut(at + header_bytes + data_bytes, size_bytes, "Segment"))
            at += header_bytes  # into it: its clusters are in the same row
            continue
        has_clusters |= element_id == _CLUSTER
        if data_bytes is None:
            if element_id != _CLUSTER:
                raise ValueError(f"damaged: an element of unknown size at byte {at} that must have one")
            return  # a live recording: its clusters do not say how long they are
        end = at + header_bytes + data_bytes
        if end > size_bytes:
            raise ValueError(_describe_cut(end, size_bytes, "Cluster" if element_id == _CLUSTER else element_id.hex()))
        at = end
    else:
        raise ValueError(f"more than {MAX_ELEMENTS} elements")
    if not has_clusters:
        raise ValueError("no media (no Cluster): it was cut short, or its end was lost")


def _read_element(header: bytes, at: int) -> tuple[bytes, int | None, int]:
    """An element's ID, the length of its data (None when unknown), and the length of its header."""
    id_bytes = _vint_bytes(header, 0)
    if id_bytes is None or id_bytes > 4:
        raise ValueError(f"damaged: no element begins at byte {at}, where one should")
    size_bytes = _vint_bytes(header, id_bytes)
    if size_bytes is None or len(header) < id_bytes + size_bytes:
        raise ValueError(f"damaged: an element without a size at byte {at}")
    value_bits = 7 * size_bytes
    value = int.from_bytes(header[id_bytes : id_bytes + size_bytes]) & ((1 << value_bits) - 1)
    is_unknown = value == (1 << value_bits) - 1
    return header[:id_bytes], None if is_unknown else value, id_bytes + size_bytes


def _vint_bytes(header: bytes, at: int) -> int | None:
    """How many bytes the variable-size integer takes: one more than its leading zero bits; None when it is none."""
    if at >= len(header) or header[at] == 0:
        return None
    return 9 - header[at].bit_length()


# --- AVI --------------------------------------------------------------------------------------------------------


def _check_avi(head: bytes, size_bytes: int) -> None:
    end = 8 + int.from_bytes(head[4:8], "little")
    if end > size_bytes:
        raise ValueError(_describe_cut(end, size_bytes, "RIFF"))
