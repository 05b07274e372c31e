"""Open query images, with the same limits for fetching, validation and evaluation."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_IMAGE_BYTES: Final = 64 * 2**20
"""Size limit of an image's file."""

MAX_IMAGE_PIXELS: Final = 50_000_000
"""A larger image is refused before decoding: a few kilobytes may fill all memory."""

IMAGE_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "MPO")
"""Accepted formats; those that run programs (EPS) or hold pages are not among them."""

IMAGE_ERRORS: Final = (OSError, SyntaxError, ValueError, KeyError, IndexError, struct.error, zlib.error, OverflowError)
"""What Pillow raises on damaged files of all sorts, when they are opened and when they are decoded."""


class ImageProblemError(Exception):
    """An image's file cannot be used."""

    def __init__(self, kind: Literal["image_unreadable", "image_too_large"], reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def put_on_white(image: Image, mode: Literal["L", "RGB"]) -> Image:
    """The image in grey or RGB; what is transparent becomes white."""
    from PIL import Image as Images

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Images.alpha_composite(Images.new("RGBA", rgba.size, "white"), rgba).convert(mode)
    return image.convert(mode)


def open_image(source: Path | bytes) -> Image:
    """The image in a file, or in its bytes, with its header read and nothing decoded; close it.

    Raises:
        FileNotFoundError: there is no such file.
        ImageProblemError: it is no image of an accepted format, or over a limit.
    """
    from PIL import Image

    size_bytes = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size_bytes > MAX_IMAGE_BYTES:
        raise ImageProblemError("image_too_large", f"{size_bytes:,} bytes are over {MAX_IMAGE_BYTES:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images from 89 megapixels on; ours is an error
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=IMAGE_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageProblemError("image_too_large", str(error)) from error
    except IMAGE_ERRORS as error:
        raise ImageProblemError("image_unreadable", str(error)) from error
    if image.width * image.height > MAX_IMAGE_PIXELS:
        image.close()
        reason = f"{image.width}×{image.height} pixels are over {MAX_IMAGE_PIXELS:,} in all"
        raise ImageProblemError("image_too_large", reason)
    return image


def find_image_fault(path: Path, decode: bool = False) -> str | None:
    """Fault of an image's file, or None when its header and structure are sound.

    With `decode`, its pixels are checked too: a truncated JPEG has a sound header.
    """
    try:
        with open_image(path) as image:
            if decode:
                image.load()
            else:
                image.verify()
    except ImageProblemError as error:
        return f"not a readable image: {error}" if error.kind == "image_unreadable" else str(error)
    except IMAGE_ERRORS as error:
        return f"not a readable image: {error}"
    return None
