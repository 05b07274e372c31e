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


def render_image(image: Image) -> Image:
    """The picture that a viewer shows of an opened image: 8-bit sRGB, upright, the first of several, on white.

    Pixels of a plain 8-bit RGB image stay as they are. Whole numbers of more than 8 bits are scaled (Pillow's own
    conversion cut them off at 255 before 12.0), and a colour profile other than sRGB is applied; a broken one is passed
    over, as browsers do.

    Raises:
        ImageProblemError: the image holds fractions or signed numbers, of which nothing says what is white.
        OSError: it is damaged; `IMAGE_ERRORS` are all that Pillow raises then.
    """
    from PIL import Image as Images
    from PIL import ImageOps

    profile = image.info.get("icc_profile")
    upright = _scale_to_8_bits(ImageOps.exif_transpose(image))
    alpha = None
    if upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in upright.info:
        upright = upright.convert("RGBA")
        alpha = upright.getchannel("A")
    if upright.mode not in ("RGB", "L", "CMYK", "LAB"):
        upright = upright.convert("RGB")
    rendered = (_apply_profile(upright, profile) if profile else upright).convert("RGB")
    if alpha is not None:
        rendered = Images.composite(rendered, Images.new("RGB", rendered.size, "white"), alpha)
    return rendered


def _scale_to_8_bits(image: Image) -> Image:
    """Grey of 16 bits in 8: each value by 255/65535, rounded. Pillow reads 16-bit colour as 8 bits already."""
    import numpy as np
    from PIL import Image as Images

    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min(initial=0) < 0 or values.max(initial=0) > 0xFFFF:
        raise ImageProblemError(
            "image_unreadable", f"its pixels are of mode {image.mode}, and nothing says which is white: save 8 bits"
        )
    return Images.fromarray(((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))


def _apply_profile(image: Image, profile: bytes) -> Image:
    """The image's colours in sRGB, as its profile means them."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).casefold():
            return image
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return image if converted is None else converted


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
                render_image(image)
            else:
                image.verify()
    except ImageProblemError as error:
        return f"not a readable image: {error}" if error.kind == "image_unreadable" else str(error)
    except IMAGE_ERRORS as error:
        return f"not a readable image: {error}"
    return None
