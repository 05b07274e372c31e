"""What a file is that is no video, by its first bytes; and what to do about it."""

from __future__ import annotations

from typing import Final

from ivbench_data.errors import NotAVideoError, UnreadableVideoError

_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--", b"<body", b"<script")
_PLAYLISTS = (b"#extm3u", b"ffconcat", b"[playlist]", b"<mpd", b"<smil", b"#ramba")
_KINDS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the video: run git lfs pull where it came from"),
    (b"version https://hawser", "a Git LFS pointer, not the video: run git lfs pull where it came from"),
    (b"/annex/objects/", "a git-annex pointer, not the video: run git annex get where it came from"),
    (b"d8:announce", "a torrent, not the video: download what it names"),
    (b"PK\x03\x04", "a ZIP archive, not a video: unpack it"),
    (b"Rar!\x1a\x07", "a RAR archive, not a video: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, not a video: unpack it"),
    (b"\x1f\x8b", "a gzip archive, not a video: unpack it"),
    (b"%PDF-", "a PDF, not a video: fetch the video it belongs to"),
    (b"\xff\xd8\xff", "a JPEG picture, not a video: fetch the video it belongs to"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture, not a video: fetch the video it belongs to"),
    (b"GIF8", "a GIF, not a video: convert it, for example to MP4"),
    (b"ID3", "sound alone, not a video: fetch it with its pictures"),
    (b"fLaC", "sound alone, not a video: fetch it with its pictures"),
    (b"bplist", "a placeholder of a cloud drive, not the video: let the drive download it"),
)
"""First bytes, and what a file is that has them."""
_PEOPLE_FETCH = "fetch it again, signed in if the site asks for it"

_TS_SYNC, _TS_STRIDES, _TS_PACKETS = 0x47, (188, 192, 204), 5
"""MPEG-TS: its packets' first byte; their length, plain, with time codes (M2TS, of cameras), with error correction."""


def find_other_kind(head: bytes) -> UnreadableVideoError | None:
    """The error that says what a file is which begins like that; None when that is not known. Without the file's name.

    Args:
        head: first bytes of the file, some hundred at least where it has them.
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = start[:64].lower()
    for beginning, kind in _KINDS:
        if start.startswith(beginning):
            return NotAVideoError(kind)
    if start.startswith(b"RIFF") and start[8:12] == b"WAVE":
        return NotAVideoError("sound alone, not a video: fetch it with its pictures")
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return NotAVideoError("a WebP picture, not a video: fetch the video it belongs to")
    if lower.startswith(_PLAYLISTS) or b"<mpd" in head[:512].lower():
        return NotAVideoError("a playlist, not a video: download what it lists, for example with yt-dlp")
    if lower.startswith(_PAGES):
        return NotAVideoError(f"a web page, not a video: {_PEOPLE_FETCH}")
    if lower.startswith((b"{", b"[")):
        return NotAVideoError(f"JSON, not a video: {_PEOPLE_FETCH}")
    if not head.strip(b"\0"):
        return UnreadableVideoError("begins with zeros: its bytes were never written, or were lost")
    if _is_text(head):
        return NotAVideoError(f"text, not a video: {_PEOPLE_FETCH}")
    return None


def _is_text(head: bytes) -> bool:
    try:
        text = head[:512].decode("ascii")
    except UnicodeDecodeError:
        return False
    return len(text) > 3 and all(character.isprintable() or character in "\t\r\n" for character in text)


def find_transport_stream(head: bytes) -> tuple[int, int] | None:
    """Where the first packet of MPEG-TS begins, and how long packets are; None when there are none."""
    for stride in _TS_STRIDES:
        for at in range(min(stride, len(head))):
            marks = head[at::stride][: 4 * _TS_PACKETS]
            if len(marks) >= min(_TS_PACKETS, len(head) // stride) and marks.count(_TS_SYNC) == len(marks) > 1:
                return at, stride
    return None


def is_scrambled(head: bytes, at: int, stride: int) -> bool:
    """Whether most packets of an MPEG-TS that carry something are encrypted (transport_scrambling_control)."""
    flags = [
        head[start + 3] & 0xC0 != 0
        for start in range(at, len(head) - 3, stride)
        if 0x20 <= (head[start + 1] & 0x1F) << 8 | head[start + 2] < 0x1FFF and head[start + 3] & 0x10
    ]
    return sum(flags) > len(flags) / 2
