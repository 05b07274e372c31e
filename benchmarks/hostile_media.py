# ruff: noqa: D103  (each maker is named for its kind)
"""Small videos of the odd kinds that people have, each with what a player shows of it.

Every picture has its number in seven blocks beside a white one, and four patches of colour, so that a frame is known
however it is read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

TAGGED = ("libx264", "libx265", "mpeg2video")
Picture = NDArray[np.uint8]
WIDTH, HEIGHT, FPS, FRAMES, BITS = 192, 128, 25, 75, 7
PATCHES = np.array([(200, 40, 40), (40, 180, 60), (50, 60, 200), (190, 190, 190)], np.uint8)


@dataclass(frozen=True)
class Truth:
    """What a player shows of a file."""

    numbers: tuple[int, ...] = tuple(range(FRAMES))
    """The pictures, in the order in which they are shown."""
    seconds: tuple[float, ...] = tuple(at / FPS for at in range(FRAMES))
    """When each is shown."""
    size: tuple[int, int] = (WIDTH, HEIGHT)
    """Width and height, in square pixels."""
    is_from_zero: bool = True
    """Whether seconds count from the first frame; else from the player's zero."""


def draw(number: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """Picture of that number, uint8 `[height, width, 3]`."""
    picture = np.full((height, width, 3), 110, np.uint8)
    for at, colour in enumerate(PATCHES):
        picture[height // 8 : height // 2, at * width // 4 : (at + 1) * width // 4] = colour
    for bit in range(BITS + 1):  # the last is always white
        left, right = bit * width // (BITS + 1), (bit + 1) * width // (BITS + 1)
        is_white = bit == BITS or number >> bit & 1
        picture[height * 5 // 8 : height * 7 // 8, left:right] = 235 if is_white else 20
    return picture


def read_number(picture: Picture) -> int:
    """The number of a picture of any size; -1 when it cannot be read."""
    height, width = picture.shape[:2]
    rows = picture[height * 11 // 16 : height * 13 // 16].mean(axis=-1)
    centres = ((np.arange(BITS + 1) + 0.5) * width / (BITS + 1)).astype(int)
    levels = np.array([rows[:, max(0, at - 1) : at + 2].mean() for at in centres])
    shares = levels[:BITS] / max(levels[BITS], 1.0)
    if levels[BITS] < 90 or np.any((shares > 0.42) & (shares < 0.62)):
        return -1
    return int(sum(1 << bit for bit, share in enumerate(shares) if share > 0.5))


def measure_colour_error(picture: Picture) -> float:
    """Mean difference of the four patches from what was drawn, of 255."""
    height, width = picture.shape[:2]
    middle = picture[height // 4 : height * 3 // 8 + 1]
    found = [
        middle[:, at * width // 4 + width // 12 : (at + 1) * width // 4 - width // 12].mean((0, 1)) for at in range(4)
    ]
    return float(np.abs(np.array(found) - PATCHES).mean())


# --- encoding -----------------------------------------------------------------------------------------------------


def encode(
    path: Path,
    pictures: Iterable[Picture],
    codec: str = "libx264",
    ticks: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    pixels: tuple[str, str] = ("rgb24", "yuv420p"),
    tags: tuple[int, int, int, int] = (1, 1, 1, 1),
    **container_options: Any,
) -> Path:
    """The pictures as a video; ticks are their times in 1/25 s, tags are primaries, transfer, matrix and range."""
    with av.open(str(path), "w", **container_options) as container:
        chosen = {"preset": "fast", "crf": "10"} if codec in ("libx264", "libx265") else {}
        stream: Any = container.add_stream(codec, rate=FPS, options={**chosen, **(options or {})})
        stream.pix_fmt = pixels[1]
        if codec not in ("libx264", "libx265"):
            stream.bit_rate = 2_000_000
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        for at, picture in enumerate(pictures):
            if at == 0:
                shape = picture.shape[-2:] if pixels[0].startswith("yuv444") else picture.shape[:2]
                stream.height, stream.width = shape
                if aspect is not None:
                    context.sample_aspect_ratio = aspect
            if pixels[0] == "rgb24":
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            else:
                frame = _fill_planes(picture, pixels[0])
            if pixels[0] != pixels[1]:
                # a container that says nothing of colours is taken for BT.601 at this size
                frame = frame.reformat(format=pixels[1], dst_colorspace=1 if codec in TAGGED else 5)
            frame.pts, frame.time_base = ticks[at] if ticks else at, Fraction(1, FPS)
            frame.color_range = tags[3]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _fill_planes(planes: NDArray[Any], pixel_format: str) -> av.VideoFrame:
    """A frame of three equal planes, which PyAV makes from no array."""
    frame = av.VideoFrame(planes.shape[2], planes.shape[1], pixel_format)
    for plane, values in zip(frame.planes, planes, strict=True):
        lines = np.zeros((values.shape[0], plane.line_size // values.itemsize), values.dtype)
        lines[:, : values.shape[1]] = values
        plane.update(lines.tobytes())
    return frame


def count(frames: int = FRAMES, first: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Iterable[Picture]:
    return (draw(number, width, height) for number in range(first, first + frames))


def find_boxes(content: bytes | bytearray, start: int, end: int) -> list[tuple[int, int, bytes]]:
    """Start, end and type of each box of a stretch of an MP4 file."""
    boxes = []
    while start + 8 <= end:
        size, name = struct.unpack(">I4s", content[start : start + 8])
        boxes.append((start, start + size, name))
        start += size
    return boxes


def find_path(content: bytes | bytearray, names: Sequence[bytes]) -> list[tuple[int, int]]:
    """Where the boxes lie that are nested so."""
    start, end, found = 0, len(content), []
    for name in names:
        start, end = next((at, to) for at, to, kind in find_boxes(content, start, end) if kind == name)
        found.append((start, end))
        start += 8 + {b"stsd": 8, b"avc1": 78}.get(name, 0)
    return found


def insert_box(path: Path, names: Sequence[bytes], box: bytes) -> None:
    """Append a box to a nested one; the index stands last, so no offset changes."""
    content = bytearray(path.read_bytes())
    found = find_path(content, names)
    content[found[-1][1] : found[-1][1]] = box
    for start, end in found:
        content[start : start + 4] = struct.pack(">I", end - start + len(box))
    path.write_bytes(content)


# --- kinds: each writes a file into the folder and says what a player shows ------------------------------------------


def make_non_square_pixels(folder: Path) -> tuple[Path, Truth]:
    return encode(folder / "sar.mp4", count(width=144), aspect=Fraction(4, 3)), Truth()


def make_container_crop(folder: Path) -> tuple[Path, Truth]:
    padded = (np.pad(picture, ((16, 16), (16, 16), (0, 0))) for picture in count())
    path = encode(folder / "crop.mp4", padded)
    clap = struct.pack(">I4s8I", 40, b"clap", WIDTH, 1, HEIGHT, 1, 0, 1, 0, 1)
    insert_box(path, [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"], clap)
    return path, Truth()


def make_rotation(folder: Path) -> tuple[Path, Truth]:
    path = encode(folder / "rotated.mp4", (np.rot90(picture) for picture in count()))
    content = bytearray(path.read_bytes())
    (start, _) = find_path(content, [b"moov", b"trak", b"tkhd"])[-1]
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, HEIGHT << 16, 0, 1 << 30)
    content[start + 48 : start + 84] = matrix
    path.write_bytes(content)
    return path, Truth()


def make_duplicate_timestamp(folder: Path) -> tuple[Path, Truth]:
    source = encode(folder / "plain.mkv", count(), options={"bf": "0"})
    path = folder / "duplicate.mkv"
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        before = 0
        for at, packet in enumerate(packet for packet in read.demux(video=0) if packet.size):
            pts = packet.pts or 0
            packet.pts = packet.dts = before if at == 30 else pts
            before = pts
            packet.stream = stream
            written.mux_one(packet)
    return path, Truth()


def make_late_start(folder: Path) -> tuple[Path, Truth]:
    path = folder / "late.mp4"
    source = encode(folder / "late-pictures.mp4", count())
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        video = written.add_stream_from_template(read.streams.video[0])
        sound: Any = written.add_stream("aac", rate=48_000)
        for at in range(6 * 48_000 // 1024):
            tone = np.sin(np.arange(at * 1024, (at + 1) * 1024) * 0.05).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, at * 1024
            written.mux(sound.encode(frame))
        written.mux(sound.encode(None))
        for packet in read.demux(video=0):
            if packet.size and packet.pts is not None and packet.dts is not None and packet.time_base:
                shift = int(3 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, video
                written.mux(packet)
    return path, Truth(seconds=tuple(3 + at / FPS for at in range(FRAMES)), is_from_zero=False)


def make_timestamp_jump(folder: Path) -> tuple[Path, Truth]:
    half = FRAMES // 2
    one = encode(folder / "one.ts", count(half))
    ticks = [at + 15_000 for at in range(half, FRAMES)]
    two = encode(folder / "two.ts", count(FRAMES - half, half), ticks=ticks)
    path = folder / "jump.ts"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    return path, Truth()


def make_start_within_group(folder: Path) -> tuple[Path, Truth]:
    source = encode(folder / "groups.ts", count(), options={"g": "25", "sc_threshold": "0", "bf": "0"})
    with av.open(str(source)) as read:
        places = [packet.pos for packet in read.demux(video=0) if packet.size]
    path = folder / "midgroup.ts"
    path.write_bytes(source.read_bytes()[(places[8] or 0) // 188 * 188 :])
    return path, Truth(tuple(range(25, FRAMES)), tuple(at / FPS for at in range(FRAMES - 25)))


def make_trailing_bytes(folder: Path) -> tuple[Path, Truth]:
    path = encode(folder / "trailing.mp4", count())
    path.write_bytes(path.read_bytes() + b"SEFT" * 250)
    return path, Truth()


def make_screen_recording(folder: Path) -> tuple[Path, Truth]:
    ticks = [at + at // 15 * 100 for at in range(FRAMES)]
    path = encode(folder / "screen.mkv", count(), ticks=ticks)
    return path, Truth(seconds=tuple(tick / FPS for tick in ticks))


def make_open_group_cut(folder: Path) -> tuple[Path, Truth]:
    x264 = "keyint=25:min-keyint=25:open-gop=1:bframes=3:b-adapt=0:scenecut=0"
    source = encode(folder / "open.mp4", count(), options={"x264-params": x264})
    path = folder / "opencut.mp4"
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        keys, first_pts = 0, None
        for packet in read.demux(video=0):
            keys += packet.is_keyframe
            if packet.size and keys >= 2:
                first_pts = packet.pts if first_pts is None else first_pts
                packet.stream = stream
                written.mux(packet)
        number = round(float((first_pts or 0) * (read.streams.video[0].time_base or 0) * FPS))
    return path, Truth(tuple(range(number, FRAMES)), tuple(at / FPS for at in range(FRAMES - number)))


def _make_hdr(folder: Path, transfer: int) -> tuple[Path, Truth]:
    def show() -> Iterable[NDArray[np.uint16]]:
        to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
        for picture in count():
            light = (picture / 255.0) ** 2.4 @ to_2020.T * 203  # ITU-R BT.2408's reference white, in cd/m²
            if transfer == 16:
                power = (light / 10_000) ** 0.1593017578125
                signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
            else:
                scene = (light / 1000) / np.maximum(1e-6, (light / 1000) @ (0.2627, 0.678, 0.0593))[..., None] ** (
                    1 / 6
                )
                high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-6)) + 0.55991073
                signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
            luma = signal @ (0.2627, 0.678, 0.0593)
            blue, red = (signal[..., 2] - luma) / 1.8814, (signal[..., 0] - luma) / 1.4746
            planes = [64 + 876 * luma, 512 + 896 * blue, 512 + 896 * red]
            yield np.stack(planes).round().clip(0, 1023).astype(np.uint16)

    name = {16: "pq", 18: "hlg"}[transfer]
    x265 = f"log-level=1:colorprim=9:transfer={transfer}:colormatrix=9"
    pixels, tags = ("yuv444p10le", "yuv444p10le"), (9, transfer, 9, 1)
    pictures: Any = show()
    return encode(
        folder / f"{name}.mp4", pictures, "libx265", options={"x265-params": x265}, pixels=pixels, tags=tags
    ), Truth()


def make_pq(folder: Path) -> tuple[Path, Truth]:
    return _make_hdr(folder, 16)


def make_hlg(folder: Path) -> tuple[Path, Truth]:
    return _make_hdr(folder, 18)


def make_interlaced(folder: Path) -> tuple[Path, Truth]:
    def weave() -> Iterable[Picture]:
        for number in range(FRAMES):
            picture = draw(number + 1)
            picture[1::2] = draw(number)[1::2]
            yield picture

    x264 = "bff=1"  # what frames are marked as that say nothing, whatever the encoder's options
    return encode(folder / "interlaced.mp4", weave(), options={"x264-params": x264, "flags": "+ildct+ilme"}), Truth()


def make_ycgco(folder: Path) -> tuple[Path, Truth]:
    def show() -> Iterable[Picture]:
        for picture in count():
            red, green, blue = (picture[..., at].astype(np.float64) for at in range(3))
            planes = [(red + 2 * green + blue) / 4, (2 * green - red - blue) / 4 + 128, (red - blue) / 2 + 128]
            yield np.stack(planes).round().clip(0, 255).astype(np.uint8)

    pixels = ("yuv444p", "yuv444p")
    x264 = {"x264-params": "colormatrix=YCgCo:fullrange=on"}
    return encode(folder / "ycgco.mp4", show(), options=x264, pixels=pixels, tags=(1, 1, 8, 2)), Truth()


def _make_cover(folder: Path, is_marked: bool) -> tuple[Path, Truth]:
    source = encode(folder / "covered.mp4", count())
    path = folder / ("cover.mp4" if is_marked else "picture-first.mkv")
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        cover: Any = written.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 320, "yuvj420p"
        if is_marked:
            cover.disposition = av.stream.Disposition.attached_pic
        video = written.add_stream_from_template(read.streams.video[0])
        picture = av.VideoFrame.from_ndarray(np.full((320, 320, 3), 90, np.uint8), format="rgb24")
        written.mux(cover.encode(picture.reformat(format="yuvj420p")))
        written.mux(cover.encode(None))
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = video
                written.mux(packet)
    return path, Truth()


def make_attached_picture(folder: Path) -> tuple[Path, Truth]:
    return _make_cover(folder, is_marked=True)


def make_picture_stream_first(folder: Path) -> tuple[Path, Truth]:
    return _make_cover(folder, is_marked=False)


def make_size_change(folder: Path) -> tuple[Path, Truth]:
    half = FRAMES // 2
    one = encode(folder / "large.ts", count(half))
    two = encode(folder / "small.ts", count(FRAMES - half, half, 96, 64), ticks=range(half, FRAMES))
    path = folder / "sizes.ts"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    return path, Truth()


def make_b_frames_in_avi(folder: Path) -> tuple[Path, Truth]:
    return encode(folder / "bframes.avi", count(), "mpeg4", options={"bf": "2"}), Truth()


def _in(name: str, codec: str) -> Callable[[Path], tuple[Path, Truth]]:
    return lambda folder: (encode(folder / name, count(), codec), Truth())


def make_m2ts(folder: Path) -> tuple[Path, Truth]:
    return encode(folder / "blu-ray.m2ts", count(), format="mpegts", options={"mpegts_m2ts_mode": "1"}), Truth()


def make_upper_case(folder: Path) -> tuple[Path, Truth]:
    return encode(folder / "UPPER.MP4", count(), format="mp4"), Truth()


KINDS: dict[str, Callable[[Path], tuple[Path, Truth]]] = {
    "non-square pixels": make_non_square_pixels,
    "crop in the container": make_container_crop,
    "rotation": make_rotation,
    "one timestamp twice": make_duplicate_timestamp,
    "picture 3 s after the sound": make_late_start,
    "joined TS, timestamps jump": make_timestamp_jump,
    "TS that starts within a group": make_start_within_group,
    "bytes behind the MP4": make_trailing_bytes,
    "screen recording, still for 4 s": make_screen_recording,
    "cut at an open group": make_open_group_cut,
    "HDR, PQ": make_pq,
    "HDR, HLG": make_hlg,
    "interlaced": make_interlaced,
    "YCgCo": make_ycgco,
    "attached picture": make_attached_picture,
    "picture stream before the video": make_picture_stream_first,
    "size changes midway": make_size_change,
    "B-frames in AVI": make_b_frames_in_avi,
    "`.MP4`": make_upper_case,
    "FLV": _in("old.flv", "flv"),
    "MPG": _in("old.mpg", "mpeg2video"),
    "WMV": _in("old.wmv", "wmv2"),
    "OGV (VP8)": _in("old.ogv", "libvpx"),
    "M2TS": make_m2ts,
}
