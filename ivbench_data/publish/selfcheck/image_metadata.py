"""The texts that a picture's file carries beside its pixels: chunks, comments, Exif, XMP, profiles."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image

MAX_TEXT_BYTES: Final = 1 << 20
_EXIF_PARTS: Final = (0x8769, 0x8825, 0xA005)
"""Numbers of Exif's sub-directories: camera and user's comment, place, interoperability."""


def read_picture_texts(content: bytes) -> str:
    """Every text in the file's metadata, a line each, decoded as it may be meant; empty where it is no picture."""
    return "\n".join(text for text in (*_read_info(content), *_unpack_chunks(content)) if text.strip())


def _read_info(content: bytes) -> Iterator[str]:
    try:
        with open_image(content) as image:
            for key, value in image.info.items():
                yield from (str(key), *_decode(value))
            exif = image.getexif()
            for values in (exif, *(exif.get_ifd(part) for part in _EXIF_PARTS)):
                for value in values.values():
                    yield from _decode(value)
    except (ImageProblemError, *IMAGE_ERRORS):
        return  # what cannot be read as a picture is still looked through as bytes


def _unpack_chunks(content: bytes) -> Iterator[str]:
    """Packed texts of a PNG, those after its pixels among them, which readers pass over until they decode these."""
    for kind in (b"zTXt", b"iTXt"):
        at = content.find(kind)
        while at >= 0 and content.startswith(b"\x89PNG"):
            size = int.from_bytes(content[at - 4 : at], "big")
            body = content[at + 4 : at + 4 + size]
            for start in [place for place in range(len(body) - 1) if body[place] == 0x78][:8]:
                try:
                    yield zlib.decompressobj().decompress(body[start:], MAX_TEXT_BYTES).decode("utf-8", "replace")
                except zlib.error:
                    continue
            at = content.find(kind, at + 4)


def _decode(value: object) -> Iterator[str]:
    if isinstance(value, bytes):
        content = value[:MAX_TEXT_BYTES]
        yield content.decode("latin-1")
        for encoding in ("utf-16-le", "utf-16-be"):
            # Exif's comments begin with eight bytes that name their encoding
            yield from (content[skip:].decode(encoding, "replace") for skip in (0, 8))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _decode(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _decode(inner)
    else:
        yield str(value)[:MAX_TEXT_BYTES]
