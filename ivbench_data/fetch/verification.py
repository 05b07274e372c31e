"""The look at a file before it is let into `videos/`: the one place that decides what counts as whole."""

from __future__ import annotations

from pathlib import Path

_EBML, _MPEG_TS_SYNC, _MPEG_TS_PACKET_BYTES = b"\x1a\x45\xdf\xa3", 0x47, 188


def find_suffix(path: Path) -> str | None:
    """The ending that fits what the file holds, whatever it is called; None when it is no video file that we know."""
    with path.open("rb") as file:
        head = file.read(4 * _MPEG_TS_PACKET_BYTES)
    if head[4:8] in (b"ftyp", b"moov", b"moof", b"styp", b"mdat", b"wide", b"free"):
        return ".mov" if head[4:12] == b"ftypqt  " else ".mp4"
    if head.startswith(_EBML):
        return ".webm" if b"webm" in head[:64] else ".mkv"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return ".avi"
    if len(head) == 4 * _MPEG_TS_PACKET_BYTES and set(head[::_MPEG_TS_PACKET_BYTES]) == {_MPEG_TS_SYNC}:
        return ".ts"
    return None


def find_fault(path: Path) -> str | None:
    """What is wrong with the file, or None when it is a whole video as far as a quick check tells."""
    if path.stat().st_size == 0:
        return "the file is empty"
    if find_suffix(path) is None:
        return "it is not a video file (a web page with an error, perhaps)"
    return None
