"""Pictures of hidden splits hold pixels and a colour profile, and no byte that could bear an answer."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from ivbench_data.evaluate.prompts.requests import ImagePart
from ivbench_data.publish.tables.stripped_pictures import strip_picture

SECRET = b"the answer is the third"
RAMP = np.arange(64 * 48, dtype=np.uint32).reshape(48, 64)
COLORS = np.stack([RAMP % 256, RAMP // 13 % 256, RAMP // 7 % 256], axis=-1).astype(np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def make_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRET.decode()
    return exif


def write_text_png() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_text("Packed", SECRET.decode(), zip=True)
    info.add(b"paRt", SECRET)
    return encode(Image.fromarray(COLORS), "PNG", pnginfo=info, icc_profile=PROFILE, exif=make_exif())


def write_crammed_png() -> bytes:
    """Bytes behind the packed pixels, within their chunk."""
    plain = encode(Image.fromarray(COLORS), "PNG")
    at = plain.index(b"IDAT") - 4
    size = int.from_bytes(plain[at : at + 4], "big")
    body = plain[at + 8 : at + 8 + size] + SECRET
    chunk = len(body).to_bytes(4, "big") + b"IDAT" + body + zlib.crc32(b"IDAT" + body).to_bytes(4, "big")
    return plain[:at] + chunk + plain[at + 12 + size :]


PHOTO = Image.fromarray(COLORS)
TELLING: dict[str, Callable[[], bytes]] = {
    "texts, a chunk of its own, Exif": write_text_png,
    "behind the end": lambda: encode(PHOTO, "PNG") + SECRET,
    "within the pixels' chunk": write_crammed_png,
    "16 bits": lambda: encode(Image.fromarray((RAMP % 65521).astype(np.uint16)), "PNG") + SECRET,
    "second picture": lambda: (
        encode(PHOTO, "PNG", save_all=True, append_images=[Image.new("RGB", PHOTO.size)]) + SECRET
    ),
    "JPEG's comment, Exif, end": lambda: (
        encode(PHOTO, "JPEG", comment=SECRET, exif=make_exif(), icc_profile=PROFILE) + SECRET
    ),
    "progressive JPEG, turned": lambda: encode(PHOTO, "JPEG", progressive=True, exif=make_exif(6)) + SECRET,
    "grey JPEG": lambda: encode(PHOTO.convert("L"), "JPEG", comment=SECRET),
    "CMYK JPEG": lambda: encode(PHOTO.convert("CMYK"), "JPEG", comment=SECRET),
    "two pictures in a JPEG": lambda: (
        encode(PHOTO, "MPO", save_all=True, append_images=[Image.new("RGB", PHOTO.size)], exif=make_exif()) + SECRET
    ),
    "GIF's comment": lambda: encode(PHOTO.quantize(32), "GIF", comment=SECRET, transparency=3),
    "WebP's Exif": lambda: encode(PHOTO, "WEBP", lossless=True, exif=make_exif(8), icc_profile=PROFILE),
    "TIFF's tags": lambda: encode(PHOTO, "TIFF", description=SECRET.decode(), exif=make_exif(3)),
}


@pytest.mark.parametrize("write", TELLING.values(), ids=TELLING.keys())
def test_nothing_is_left_but_the_picture(write: Callable[[], bytes]) -> None:
    content = write()
    assert SECRET in content
    stripped = strip_picture(content)
    assert SECRET not in stripped
    one, other = (ImagePart("one", None, each, "").open() for each in (content, stripped))
    assert (np.asarray(one) == np.asarray(other)).all()
    assert strip_picture(stripped) == stripped


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_a_picture_that_holds_nothing_else_keeps_its_bytes(file_format: str) -> None:
    for options in ({}, {"icc_profile": PROFILE}):
        content = encode(PHOTO, file_format, **options)
        once = strip_picture(content)
        assert strip_picture(once) == once
        with Image.open(io.BytesIO(once)) as opened:
            assert opened.info.get("icc_profile") == options.get("icc_profile")
        assert len(once) <= len(content) + 4
