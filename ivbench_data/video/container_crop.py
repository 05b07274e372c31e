"""The part of a video's pictures that its container wants shown: `clap` of MP4, PixelCrop of Matroska.

FFmpeg's decoders heed the codec's own cropping alone. Sources: ISO/IEC 14496-12, 12.1.4 (`clap`); RFC 9559, 5.1.4.1.28
(PixelCrop, DisplayWidth). A `clap` between two pixels is cut off as FFmpeg does, towards the picture's upper left.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ivbench_data.video.mp4_boxes import MAX_ELEMENTS, read_box, read_element

_SEGMENT, _TRACKS, _CLUSTER = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"
_TRACK, _TRACK_TYPE, _VIDEO = b"\xae", b"\x83", b"\xe0"
_WIDTH, _HEIGHT = b"\xb0", b"\xba"
_CROPS = (b"\x54\xcc", b"\x54\xbb", b"\x54\xdd", b"\x54\xaa")
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_SAMPLE_ENTRY_BYTES = 78
_MAX_TABLE_BYTES = 1 << 16
_MAX_ELEMENTS = 1000


class Crop(NamedTuple):
    """Pixels to leave out at each side of the picture as coded."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


NO_CROP = Crop()


class ContainerCrop(NamedTuple):
    """What a container says of the shown part of its pictures."""

    crop: Crop
    """What to leave out."""
    sample_aspect_ratio: Fraction | None = None
    """Shape of a pixel, where that depends on the crop; None where FFmpeg's word holds."""


_NONE = ContainerCrop(NO_CROP)


def read_container_crop(path: Path, number: int) -> ContainerCrop:
    """The crop of the file's video track of that number, from 0; none where it says none, or an impossible one."""
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, 2)
            file.seek(0)
            head = file.read(12)
            if head.startswith(b"\x1a\x45\xdf\xa3"):
                found = _read_matroska(file, size_bytes, number)
            elif head[4:8] in (b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip", b"styp", b"pnot"):
                found = _read_mp4(file, size_bytes, number)
            else:
                return _NONE
    except (OSError, ValueError, struct.error, ZeroDivisionError):
        return _NONE
    return found


def _check(crop: Crop, width: int, height: int) -> Crop:
    is_possible = min(crop) >= 0 and crop.left + crop.right < width and crop.top + crop.bottom < height
    return crop if is_possible else NO_CROP


# --- MP4 ------------------------------------------------------------------------------------------------------------


def _read_mp4(file: BinaryIO, size_bytes: int, number: int) -> ContainerCrop:
    for name, start, end in _iterate_boxes(file, 0, size_bytes):
        if name != b"moov":
            continue
        tracks = (
            _find_sample_entry(file, *place) for kind, *place in _iterate_boxes(file, start, end) if kind == b"trak"
        )
        entries = [entry for entry in tracks if entry is not None]
        return ContainerCrop(_read_clap(entries[number])) if number < len(entries) else _NONE
    return _NONE


def _iterate_boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name and place of the contents of each box between two places."""
    at = start
    for _ in range(MAX_ELEMENTS):
        if at + 8 > end:
            return
        box = read_box(file, at, end)
        if box.end < box.contents_at:
            return
        yield box.name, box.contents_at, min(box.end, end)
        at = box.end


def _find_sample_entry(file: BinaryIO, start: int, end: int) -> bytes | None:
    """The first sample entry of a track, from its box on; None when the track is no video."""
    is_video, entry = False, b""
    places = [(start, end)]
    while places:
        for name, inside, last in _iterate_boxes(file, *places.pop()):
            if name in (b"mdia", b"minf", b"stbl"):
                places.append((inside, last))
            elif name in (b"hdlr", b"stsd"):
                file.seek(inside)
                table = file.read(min(last - inside, _MAX_TABLE_BYTES))
                if name == b"stsd":
                    entry = table[8:]
                elif table[8:12] != b"alis" and table[8:12] != b"url ":  # QuickTime's second handler, of the data
                    is_video |= table[8:12] == b"vide"
    return entry if is_video else None


def _read_clap(entry: bytes) -> Crop:
    size = min(len(entry), int.from_bytes(entry[:4], "big"))
    width, height = struct.unpack_from(">HH", entry, 8 + 24)
    at = 8 + _SAMPLE_ENTRY_BYTES
    while at + 8 <= size:
        box_bytes = int.from_bytes(entry[at : at + 4], "big")
        if box_bytes < 8:
            break
        if entry[at + 4 : at + 8] == b"clap" and box_bytes >= 40:
            numbers = struct.unpack_from(">IIIIiIiI", entry, at + 8)
            wide, high, right, down = (Fraction(numbers[n], numbers[n + 1]) for n in (0, 2, 4, 6))
            left = (width - wide) / 2 + right
            top = (height - high) / 2 + down
            crop = Crop(int(left), int(top), int(width - wide - left), int(height - high - top))
            return _check(crop, width, height) if min(left, top) >= 0 else NO_CROP
        at += box_bytes
    return NO_CROP


# --- Matroska -------------------------------------------------------------------------------------------------------


def _read_matroska(file: BinaryIO, size_bytes: int, number: int) -> ContainerCrop:
    for name, start, end in _iterate_elements(file, 0, size_bytes):
        if name != _SEGMENT:
            continue
        for inner, first, last in _iterate_elements(file, start, end):
            if inner == _CLUSTER:
                return _NONE
            if inner == _TRACKS:
                tracks = [
                    _read_video(file, *place) for kind, *place in _iterate_elements(file, first, last) if kind == _TRACK
                ]
                videos = [track for track in tracks if track is not None]
                return _interpret(videos[number]) if number < len(videos) else _NONE
    return _NONE


def _iterate_elements(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    at = start
    for _ in range(_MAX_ELEMENTS):
        if at >= end:
            return
        file.seek(at)
        name, data_bytes, header_bytes = read_element(file.read(12), at)
        inside = at + header_bytes
        at = end if data_bytes is None else inside + data_bytes
        yield name, inside, min(at, end)


def _read_video(file: BinaryIO, start: int, end: int) -> dict[bytes, int] | None:
    """The numbers in a track's Video element; None when it is no video."""
    numbers: dict[bytes, int] = {}
    kind = 0
    for name, inside, last in _iterate_elements(file, start, end):
        if name == _TRACK_TYPE:
            kind = _read_number(file, inside, last)
        elif name == _VIDEO:
            for inner, first, final in _iterate_elements(file, inside, last):
                if final - first <= 8:
                    numbers[inner] = _read_number(file, first, final)
    return numbers if kind == 1 else None


def _read_number(file: BinaryIO, start: int, end: int) -> int:
    file.seek(start)
    return int.from_bytes(file.read(min(8, end - start)), "big")


def _interpret(numbers: dict[bytes, int]) -> ContainerCrop:
    width, height = numbers.get(_WIDTH, 0), numbers.get(_HEIGHT, 0)
    crop = _check(Crop(*(numbers.get(name, 0) for name in _CROPS)), width, height)
    if crop == NO_CROP:
        return _NONE
    shown_width, shown_height = width - crop.left - crop.right, height - crop.top - crop.bottom
    wide, high = numbers.get(_DISPLAY_WIDTH, shown_width), numbers.get(_DISPLAY_HEIGHT, shown_height)
    if numbers.get(_DISPLAY_UNIT, 0) > 3 or not wide or not high:
        return ContainerCrop(crop, Fraction(1))
    return ContainerCrop(crop, Fraction(wide * shown_height, high * shown_width))
