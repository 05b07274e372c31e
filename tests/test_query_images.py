"""A query image is the picture that a viewer shows, whatever its file's mode: 8-bit sRGB, upright, on white."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from ivbench_data.evaluate.prompts.requests import ImagePart
from ivbench_data.query_images import find_image_fault


def encode(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def show(content: bytes) -> np.ndarray:
    """The pixels that a model is shown, uint8 `[H, W, 3]`."""
    return np.asarray(ImagePart("image", None, content, "").open())


RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLORS = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=-1)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_tones(file_format: str) -> None:
    """Each 8-bit tone, written in 16 bits as 257 times itself, is itself again; those between are rounded."""
    tones = np.arange(256, dtype=np.uint16).reshape(16, 16)
    for offset in (-128, 0, 128):
        wide = np.clip(tones.astype(int) * 257 + offset, 0, 0xFFFF).astype(np.uint16)
        assert (show(encode(Image.fromarray(wide), file_format)) == tones[..., None]).all()


@given(st.integers(0, 255), st.integers(0, 255))
def test_16_bit_and_8_bit_grey_look_the_same(dark: int, light: int) -> None:
    narrow = np.array([[dark, light]], dtype=np.uint8)
    wide = narrow.astype(np.uint16) * 257
    assert (show(encode(Image.fromarray(narrow))) == show(encode(Image.fromarray(wide)))).all()


def test_plain_pictures_keep_their_pixels() -> None:
    assert (show(encode(Image.fromarray(COLORS))) == COLORS).all()
    assert (show(encode(Image.fromarray(RAMP))) == RAMP[..., None]).all()
    assert (show(encode(Image.fromarray(RAMP > 100))) == np.where(RAMP > 100, 255, 0)[..., None]).all()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (show(encode(Image.fromarray(COLORS), icc_profile=srgb)) == COLORS).all()


def test_a_palette_shows_its_colors_and_what_is_transparent_is_white() -> None:
    palette = Image.fromarray(RAMP % 3, "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.uint8)
    assert (show(encode(palette)) == colors[RAMP % 3]).all()
    colors[1] = 255
    assert (show(encode(palette, transparency=1)) == colors[RAMP % 3]).all()
    assert (show(encode(palette, "GIF", transparency=1)) == colors[RAMP % 3]).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_lets_white_through(mode: str) -> None:
    color = COLORS if mode == "RGBA" else RAMP[..., None]
    alpha = np.where(np.arange(48).reshape(6, 8, 1) % 2, 255, 51).astype(np.uint8)
    shown = show(encode(Image.fromarray(np.concatenate([color, alpha], axis=-1), mode)))
    expected = color * (alpha / 255.0) + 255 * (1 - alpha / 255.0)
    assert np.abs(shown - expected).max() <= 1


def test_a_photo_held_sideways_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert (show(encode(Image.fromarray(COLORS), exif=exif)) == np.rot90(COLORS, -1)).all()


def test_an_animation_shows_its_first_picture() -> None:
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    for file_format in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if file_format == "WEBP" else {}
        content = encode(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100, **options)
        assert (show(content) == (255, 0, 0)).all()


def test_a_profile_s_colors_are_shown_in_srgb() -> None:
    """A profile with a linear curve: a middle value is far lighter in sRGB (IEC 61966-2-1)."""
    linear = make_linear_profile()
    value = 64
    shown = show(encode(Image.new("RGB", (4, 4), (value,) * 3), icc_profile=linear))
    expected = 255 * (1.055 * (value / 255) ** (1 / 2.4) - 0.055)
    assert np.abs(shown.astype(float) - expected).max() <= 2


def test_a_broken_profile_is_passed_over() -> None:
    assert (show(encode(Image.fromarray(COLORS), icc_profile=b"no profile" * 20)) == COLORS).all()


def test_cmyk_is_shown_in_rgb() -> None:
    content = encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.abs(show(content).astype(int) - (255, 0, 0)).max() <= 6


def test_numbers_without_a_scale_are_refused_by_name(tmp_path: Path) -> None:
    for number, image in enumerate((Image.new("F", (4, 4), 0.5), Image.new("I", (4, 4), -1))):
        path = tmp_path / f"{number}.tiff"
        path.write_bytes(encode(image, "TIFF"))
        assert f"mode {image.mode}" in str(find_image_fault(path, decode=True))
        with pytest.raises(OSError, match="nothing says which is white"):
            show(path.read_bytes())


# --- beside a real viewer -----------------------------------------------------------------------------------------

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIDE = 64


def make_kinds() -> dict[str, bytes]:
    """Files of many kinds, each `SIDE` pixels square."""
    ramp = np.tile(np.arange(SIDE, dtype=np.uint8) * 4, (SIDE, 1))
    color = np.stack([ramp, ramp.T, 255 - ramp], axis=-1)
    exif = Image.Exif()
    exif[0x0112] = 8
    frames = [Image.fromarray(color), Image.new("RGB", (SIDE, SIDE), "blue")]
    return {
        "plain.png": encode(frames[0]),
        "grey16.png": encode(Image.fromarray(ramp.astype(np.uint16) * 257 + 100)),
        "alpha.png": encode(Image.fromarray(np.concatenate([color, ramp.T[..., None]], axis=-1), "RGBA")),
        "palette.gif": encode(Image.fromarray(color).quantize(16), "GIF"),
        "turned.jpg": encode(Image.fromarray(color), "JPEG", quality=95, exif=exif),
        "linear.png": encode(frames[0], icc_profile=make_linear_profile()),
        "cmyk.jpg": encode(Image.fromarray(color).convert("CMYK"), "JPEG", quality=95),
        "animated.webp": encode(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:],
                                duration=[10_000_000, 10_000_000]),
    }  # fmt: skip


@pytest.mark.full
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_shows_the_same_pictures(tmp_path: Path) -> None:
    kinds = make_kinds()
    for name, content in kinds.items():
        (tmp_path / name).write_bytes(content)
    images = "".join(f'<img src="{name}" style="display:block">' for name in kinds)
    page = tmp_path / "page.html"
    page.write_text(f'<body style="margin:0;background:white">{images}')
    shot = tmp_path / "shot.png"
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
        "--disable-background-networking", "--force-color-profile=srgb", "--force-device-scale-factor=1",
        f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={10 * SIDE},{SIDE * (len(kinds) + 4)}",
        f"--screenshot={shot}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    drawn = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    for number, (name, content) in enumerate(kinds.items()):
        theirs = drawn[number * SIDE : (number + 1) * SIDE, :SIDE]
        apart = np.abs(theirs - show(content))
        assert apart.mean() < 1.5, (name, apart.mean())


def make_linear_profile() -> bytes:
    """An RGB profile with sRGB's primaries whose values are light itself: sRGB's own, with its curves replaced."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = int.from_bytes(profile[128:132])
    for at in range(132, 132 + 12 * tags, 12):
        name, offset, size = (
            bytes(profile[at : at + 4]),
            *(int.from_bytes(profile[at + i : at + i + 4]) for i in (4, 8)),
        )
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            profile[offset : offset + 12] = b"curv" + bytes(8)  # no entries: the identity
        if name == b"desc":
            profile[offset : offset + size] = bytes(profile[offset : offset + size]).replace(
                "sRGB".encode("utf-16-be"), "line".encode("utf-16-be")
            )
    return bytes(profile)
