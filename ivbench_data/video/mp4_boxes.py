"""Whether a video file's outermost structure is whole, from its boxes' own sizes: no decoder, under a millisecond.

MP4 and MOV are a row of boxes, Matroska and WebM a row of EBML elements, AVI a RIFF chunk; each says how long it is.
A file cut short anywhere breaks that row, even where a decoder opens and plays it without a word. Bytes behind a whole
row, as phones and careless copies leave them, are odd and no damage.

Sources: ISO/IEC 14496-12 section 4.2 (boxes), RFC 8794 sections 5–6 (EBML element IDs and data sizes).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

from ivbench_data.errors import NotAVideoError, UnreadableVideoError
from ivbench_data.video.file_kinds import find_other_kind, find_transport_stream, is_scrambled

Container = Literal["mp4", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "ivf", "obu", "h26x", "unknown"]

MAX_ELEMENTS: Final = 500_000
"""Boxes or elements in a row: half-second fragments of a day need fewer; a file made to be walked forever has more."""

_EBML, _SEGMENT, _CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
_TRACKS = b"\x16\x54\xae\x6b"
_ENCRYPTION_PATH = (b"\xae", b"\x6d\x80", b"\x62\x40", b"\x50\x35")
"""In Tracks: TrackEntry, ContentEncodings, ContentEncoding, ContentEncryption (RFC 9559)."""
_MAX_TRACK_ELEMENTS = 1000
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
_MP4_TOP = _MP4_FIRST | {b"meta", b"mfra", b"udta", b"ssix", b"imda", b"pdin", b"bloc", b"mfro", b"sidx"}
"""Boxes that stand in the outermost row: what else comes behind a whole index and its media is no part of the video."""
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
_SNIFFED_BYTES = 1 << 15
_SEARCHED_BYTES = 1 << 26
"""How much of what lies behind the last box is searched for more media."""
_ENCRYPTED = "encrypted: it cannot be decoded without its key; fetch it from a source without DRM"


class Structure(NamedTuple):
    """What a file is, by its outermost structure."""

    container: Container
    """Its kind; `unknown` when only a decoder can tell."""
    oddities: tuple[str, ...] = ()
    """What is odd about it, a sentence each; each begins with a name and a colon."""


def check_structure(path: Path) -> Container:
    """The container's kind, when the file's boxes fill it and an index and media are among them.

    Raises: as `examine_structure`.
    """
    return examine_structure(path).container


def examine_structure(path: Path) -> Structure:
    """The container's kind, and what is odd about it.

    Raises:
        NotAVideoError: the file is something else, or encrypted.
        UnreadableVideoError: it is empty, was cut short, or holds bytes that are no box where there should be one.
    """
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            return _examine_open_file(file, size_bytes)
    except OSError as error:
        raise UnreadableVideoError(f"{path.name}: cannot be read: {error.strerror or error}") from error
    except UnreadableVideoError as error:
        raise type(error)(f"{path.name}: {error}") from None
    except ValueError as error:
        raise UnreadableVideoError(f"{path.name}: {error}") from None


def _examine_open_file(file: BinaryIO, size_bytes: int) -> Structure:
    head = file.read(_SNIFFED_BYTES)
    if not head:
        raise ValueError("empty, 0 bytes")
    if head.startswith(_EBML):
        return Structure("matroska", _walk_matroska(file, size_bytes))
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return Structure("avi", _check_avi(file, head, size_bytes))
    if head[4:8] in _MP4_FIRST:
        return Structure("mp4", _walk_mp4(file, size_bytes))
    stream = find_transport_stream(head)
    if stream is not None:
        if is_scrambled(head, *stream):
            raise NotAVideoError(_ENCRYPTED)
        at, stride = stream
        begins_whole = at == (4 if stride == 192 else 0)
        return Structure("mpegts", () if begins_whole else (f"starts in the middle: the first packet is at byte {at}",))
    for start, container in _UNCHECKED.items():
        if head.startswith(start):
            return Structure(container)
    other = find_other_kind(head)
    if other is not None:
        raise other
    return Structure("unknown", ("unknown container: only the decoder knows what it is",))


def _describe_trailing(size_bytes: int) -> str:
    return f"trailing bytes: {size_bytes:,} behind the end of the video, which are no part of it"


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


def _walk_mp4(file: BinaryIO, size_bytes: int) -> tuple[str, ...]:
    found: set[bytes] = set()
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at == size_bytes:
            break
        fault, box = _read_row_box(file, at, size_bytes)
        if fault is not None:
            if _is_tail(file, at, size_bytes, found, box):
                return (_describe_trailing(size_bytes - at),)
            raise ValueError(fault)
        assert box is not None
        found.add(box.name)
        at = box.end
    else:
        raise ValueError(f"more than {MAX_ELEMENTS} boxes")
    if b"moov" not in found:
        raise ValueError("no index (moov box): it was cut short, or its end was lost")
    if not found & {b"mdat", b"moof"}:
        raise ValueError("an index without media (no mdat or moof box)")
    return ()


def _read_row_box(file: BinaryIO, at: int, size_bytes: int) -> tuple[str | None, Box | None]:
    """What is wrong with the box at byte `at` of the outermost row, and the box, where there is one."""
    if size_bytes - at < 8:
        return f"cut short: {size_bytes - at} bytes of a box at byte {at}", None
    box = read_box(file, at, size_bytes)
    if not _is_box_type(box.name):
        return f"damaged: no box begins at byte {at} of {size_bytes}, where one should", None
    if box.end < box.contents_at:
        return f"damaged: a box of {box.end - at} bytes at byte {at}, shorter than its own header", box
    if box.end > size_bytes:
        return _describe_cut(box.end, size_bytes, box.name.decode("latin-1")), box
    return None, box


def _is_tail(file: BinaryIO, at: int, size_bytes: int, found: set[bytes], box: Box | None) -> bool:
    """Whether what cannot be a box lies behind a whole video, and is no lost part of it."""
    if b"moov" not in found or not found & {b"mdat", b"moof"} or (box is not None and box.name in _MP4_TOP):
        return False
    if b"moof" in found and size_bytes - at < 8:
        return False  # perhaps the header of the next fragment
    file.seek(at)
    tail = file.read(_SEARCHED_BYTES)
    return not any(name in tail for name in (b"moof", b"mdat", b"moov"))


def _describe_cut(end: int, size_bytes: int, name: str) -> str:
    missing = end - size_bytes
    return f"cut short: {missing} bytes are missing at the end ({missing / end:.1%}; the last is {name!r})"


# --- Matroska and WebM ------------------------------------------------------------------------------------------


def _walk_matroska(file: BinaryIO, size_bytes: int) -> tuple[str, ...]:
    at, has_clusters, segment_end = 0, False, size_bytes
    for _ in range(MAX_ELEMENTS):
        if at >= size_bytes:
            break
        if at == segment_end and has_clusters:
            return (_describe_trailing(size_bytes - at),)
        file.seek(at)
        element_id, data_bytes, header_bytes = read_element(file.read(12), at)
        if element_id == _SEGMENT:
            if data_bytes is not None and at + header_bytes + data_bytes > size_bytes:
                raise ValueError(_describe_cut(at + header_bytes + data_bytes, size_bytes, "Segment"))
            at += header_bytes  # into it: its clusters are in the same row
            segment_end = size_bytes if data_bytes is None else at + data_bytes
            continue
        has_clusters |= element_id == _CLUSTER
        if data_bytes is None:
            if element_id != _CLUSTER:
                raise ValueError(f"damaged: an element of unknown size at byte {at} that must have one")
            return ()  # a live recording: its clusters do not say how long they are
        end = at + header_bytes + data_bytes
        if end > size_bytes:
            raise ValueError(_describe_cut(end, size_bytes, "Cluster" if element_id == _CLUSTER else element_id.hex()))
        if element_id == _TRACKS and _has_element(file, at + header_bytes, end, _ENCRYPTION_PATH):
            raise NotAVideoError(_ENCRYPTED)
        at = end
    else:
        raise ValueError(f"more than {MAX_ELEMENTS} elements")
    if not has_clusters:
        raise ValueError("no media (no Cluster): it was cut short, or its end was lost")
    return ()


def _has_element(file: BinaryIO, start: int, end: int, path: tuple[bytes, ...]) -> bool:
    """Whether the elements between two places hold one of the first ID that holds one of the second, and so on."""
    if not path:
        return True
    at = start
    for _ in range(_MAX_TRACK_ELEMENTS):
        if at >= end:
            break
        file.seek(at)
        element_id, data_bytes, header_bytes = read_element(file.read(12), at)
        if data_bytes is None:
            break
        inside = at + header_bytes
        if element_id == path[0] and _has_element(file, inside, min(end, inside + data_bytes), path[1:]):
            return True
        at = inside + data_bytes
    return False


def read_element(header: bytes, at: int) -> tuple[bytes, int | None, int]:
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


def _check_avi(file: BinaryIO, head: bytes, size_bytes: int) -> tuple[str, ...]:
    end = 8 + int.from_bytes(head[4:8], "little")
    if end > size_bytes:
        raise ValueError(_describe_cut(end, size_bytes, "RIFF"))
    file.seek(end)
    following = file.read(12)
    # a row of several (OpenDML); one byte may fill up an odd length
    is_row = following[:4] in (b"RIFF", b"JUNK") or following[1:5] == b"RIFF"
    return () if len(following) <= 1 or is_row else (_describe_trailing(size_bytes - end),)
