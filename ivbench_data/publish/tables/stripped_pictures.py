"""Pictures of hidden splits: the pixels and the colour profile, and no byte beside them.

A file may say more than it shows: comments, Exif, thumbnails, further pictures, what stands behind the end. PNG and
JPEG files keep their coded pixels byte by byte; other formats become PNG files of the same pixels.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Final

from ivbench_data.query_images import open_image

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_KEPT_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"sRGB", b"iCCP", b"IEND"})
_PROFILE_NAME: Final = b"ICC profile\0"

_JFIF: Final = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
"""The header of a JFIF file without a thumbnail: it says that colours are YCbCr."""
_ORIENTATION: Final = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\1\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0"
"""Exif that says how to turn the picture, and nothing else."""
_DROPPED_SEGMENTS: Final = frozenset({*range(0xE0, 0xF0), 0xFE})
"""Markers of applications' segments and comments (ITU-T T.81, table B.1)."""


def strip_picture(content: bytes) -> bytes:
    """The picture's file without anything but pixels, colour profile and orientation; the same bytes if it is so.

    Args:
        content: a whole image file of an accepted format.

    Raises:
        ImageProblemError: it is no such image.
        OSError: it is damaged; `IMAGE_ERRORS` are all that Pillow raises then.
    """
    with open_image(content) as image:
        if image.format == "PNG" and (stripped := _strip_png(content)) is not None:
            return stripped
        if image.format in ("JPEG", "MPO"):
            return b"".join(_strip_jpeg(content, image.getexif().get(0x0112, 1)))
        return _write_png(content)


def _write_png(content: bytes) -> bytes:
    """The first picture as a PNG file, upright, with its profile."""
    from PIL import ImageOps

    with open_image(content) as image:
        profile = image.info.get("icc_profile")
        upright = ImageOps.exif_transpose(image)
        if upright.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"):
            upright = upright.convert("RGBA" if upright.mode in ("PA", "La", "RGBa") else "RGB")
        transparency = {"transparency": image.info["transparency"]} if "transparency" in image.info else {}
        upright.info = {}
        file = io.BytesIO()
        upright.save(file, "PNG", icc_profile=profile, **transparency)
    stripped = _strip_png(file.getvalue())
    assert stripped is not None  # Pillow writes no bytes behind the pixels
    return stripped


def _strip_png(content: bytes) -> bytes | None:
    """The PNG with the chunks that hold pixels and profile; None where the pixels' chunks hold more than the pixels."""
    chunks = [(kind, body) for kind, body in _iterate_chunks(content) if kind in _KEPT_CHUNKS]
    unpacking = zlib.decompressobj()
    for kind, body in chunks:
        if kind == b"IDAT":
            unpacking.decompress(body)
    if unpacking.unused_data or not unpacking.eof:
        return None
    return _SIGNATURE + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big") for kind, body in chunks
    )


def _iterate_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each chunk up to the end's; a profile's own name is replaced (PNG specification, 11.3.2.3)."""
    at = len(_SIGNATURE)
    while at + 12 <= len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body = content[at + 8 : at + 8 + size]
        yield kind, _PROFILE_NAME + body.partition(b"\0")[2] if kind == b"iCCP" else body
        if kind == b"IEND":
            return
        at += 12 + size


def _strip_jpeg(content: bytes, orientation: int) -> Iterator[bytes]:
    """The JPEG's parts up to its first end: tables, frames and scans as they are, and of the others what is needed."""
    yield content[:2]
    if orientation != 1:
        yield _ORIENTATION % orientation
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            at += 1  # bytes between segments, which decoders pass over
            continue
        marker = content[at + 1]
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= 0xD7:
            at += 1 if marker == 0xFF else 2  # filling, and markers without a length
            continue
        if marker == 0xD9:
            break
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segment = content[at:end]
        if marker == 0xDA:
            end = _find_scan_end(content, end)
            segment = content[at:end]
        yield _keep_segment(marker, segment)
        at = end
    yield b"\xff\xd9"


def _keep_segment(marker: int, segment: bytes) -> bytes:
    """The segment, or what of it says how colours are meant; empty for everything else."""
    if marker not in _DROPPED_SEGMENTS:
        return segment
    if marker == 0xE0 and segment[4:9] == b"JFIF\0":
        return _JFIF
    if marker == 0xEE and segment[4:9] == b"Adobe":
        return segment[:16] if len(segment) == 16 else b""
    return segment if marker == 0xE2 and segment[4:16] == b"ICC_PROFILE\0" else b""


def _find_scan_end(content: bytes, at: int) -> int:
    """Where the coded data of a scan end: at the next marker that is no stuffing and no restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            return len(content)
        if content[at + 1] == 0 or 0xD0 <= content[at + 1] <= 0xD7:
            at += 2
        elif content[at + 1] == 0xFF:
            at += 1
        else:
            return at
