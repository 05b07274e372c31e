"""Small videos with what makes videos hard, made by the encoders that PyAV brings; and ways to break them."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes its settings to stderr otherwise

Image = NDArray[np.uint8]
WIDTH, HEIGHT, RATE = 128, 96, 25


def draw_frames(count: int, width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> Iterator[Image]:
    """Textures that move in different directions, cut to another scene now and then; no two frames are alike."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (4, height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    scenes = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
    for number in range(count):
        image = np.roll(scenes[number // 37 % 4], (number, -2 * number), axis=(0, 1)).copy()
        left = number * 5 % max(1, width - 24)
        image[8:32, left : left + 24] = 255 - number % 64
        image[-6:, : number % width] = (255, number % 256, 0)
        yield image


def write_video(
    path: Path,
    codec: str = "libx264",
    images: Iterable[Image] | None = None,
    *,
    options: Mapping[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    pts: Sequence[int] | None = None,
    rate: int = RATE,
    container_options: Mapping[str, str] | None = None,
    container_format: str | None = None,
    set_up: Callable[[VideoStream], None] | None = None,
    edit_packet: Callable[[av.Packet, int], Sequence[av.Packet]] | None = None,
) -> None:
    """A video of the images, one encoder thread; `pts` in units of 1/`rate`."""
    images = list(draw_frames(60) if images is None else images)
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", format=container_format, container_options=dict(container_options or {})) as container:
        stream = container.add_stream(codec, rate=rate, options=_calm(codec, options))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = Fraction(1, rate)
        stream.codec_context.thread_count = 1
        if set_up:
            set_up(stream)
        numbers = iter(range(1_000_000))
        for packet in encode(stream, images, pts):
            container.mux(edit_packet(packet, next(numbers)) if edit_packet else packet)


def encode(stream: VideoStream, images: Iterable[Image], pts: Sequence[int] | None = None) -> Iterator[av.Packet]:
    context = stream.codec_context
    for number, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=context.pix_fmt)
        frame.pts = number if pts is None else pts[number]
        frame.time_base = context.time_base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _calm(codec: str, options: Mapping[str, str] | None) -> dict[str, str]:
    calm = dict(options or {})
    if codec == "libx265":
        calm["x265-params"] = ":".join(
            filter(None, (calm.get("x265-params"), "log-level=none:pools=1:frame-threads=1"))
        )
    if codec == "libsvtav1":
        calm.setdefault("preset", "10")
        calm["svtav1-params"] = ":".join(filter(None, (calm.get("svtav1-params"), "lp=1")))
    if codec in ("libvpx", "libvpx-vp9"):
        calm.setdefault("cpu-used", "5")
        calm.setdefault("deadline", "good")
    return calm


def splice(path: Path, codec: str, parts: Sequence[Sequence[Image]], options: Mapping[str, str] | None = None) -> None:
    """One stream of several encoders' packets, one after the other: sizes and parameter sets change on the way."""
    with av.open(str(path), "w") as container:
        muxed: VideoStream | None = None
        at = 0
        for images in parts:
            with av.open("unused", "w", format="null") as unused:
                stream = unused.add_stream(codec, rate=RATE, options=_calm(codec, options))
                assert isinstance(stream, VideoStream)
                stream.height, stream.width = images[0].shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, RATE)
                stream.codec_context.thread_count = 1
                if muxed is None:
                    muxed = container.add_stream(codec, rate=RATE)
                    assert isinstance(muxed, VideoStream)
                    muxed.height, muxed.width, muxed.pix_fmt = *images[0].shape[:2], "yuv420p"
                    muxed.codec_context.time_base = Fraction(1, RATE)
                for packet in encode(stream, images, range(at, at + len(images))):
                    packet.stream = muxed
                    container.mux(packet)
            at += len(images)


# --- editing files ----------------------------------------------------------------------------------------------


def patch_rotation(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write the upper left 2×2 of the display matrix into an mp4's first track header."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    at += 4 + (32 if content[at] == 1 else 20) + 16
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


ROTATIONS = {0: (1, 0, 0, 1), 90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), 270: (0, 1, -1, 0)}
"""Degrees counter-clockwise that a player turns the frames, to the matrix that asks for it."""


def patch_edit_start(path: Path, frames: int) -> None:
    """Let an mp4's edit list begin later by some frames: what stands before is decoded and not shown."""
    content = bytearray(path.read_bytes())
    timescale = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)[0]
    at = content.index(b"elst")
    assert content[at + 4] == 0, "a 32-bit edit list"
    entries = struct.unpack_from(">I", content, at + 8)[0]
    last = at + 12 + 12 * (entries - 1)
    start = struct.unpack_from(">i", content, last + 4)[0]
    struct.pack_into(">i", content, last + 4, start + frames * timescale // RATE)
    path.write_bytes(content)


def claim_samples(path: Path, table: bytes, samples: int) -> None:
    """Let an mp4's `stsz` or `trun` claim as many samples, all of one byte."""
    content = bytearray(path.read_bytes())
    at = content.index(table)
    struct.pack_into(">II", content, at + 8, *((1, samples) if table == b"stsz" else (samples, 0)))
    if table == b"trun":
        struct.pack_into(">I", content, at + 4, 0)
    path.write_bytes(content)


def strip_usability(path: Path) -> None:
    """Take the video usability information out of an mp4's H.264 sequence parameter set; zeros fill its place."""
    content = bytearray(path.read_bytes())
    at = content.index(b"avcC") + 4
    size = int.from_bytes(content[at + 6 : at + 8], "big")
    unit = bytes(content[at + 8 : at + 8 + size]).replace(b"\0\0\3", b"\0\0")
    bits = "".join(f"{byte:08b}" for byte in unit)
    place = 32

    def skip(count: int) -> str:
        nonlocal place
        place += count
        return bits[place - count : place]

    def skip_number() -> int:
        zeros = bits.index("1", place) - place
        skip(zeros)
        return int(skip(zeros + 1), 2) - 1

    skip_number()  # seq_parameter_set_id
    assert unit[1] == 100, "the High profile"
    assert [skip_number() for _ in range(3)] == [1, 0, 0], "4:2:0 in 8 bits"
    assert skip(2) == "00"
    skip_number()
    assert skip_number() == 0, "picture order counts of type 0"
    skip_number(), skip_number(), skip(1), skip_number(), skip_number()
    assert skip(1) == "1", "frames only"
    skip(1)
    if skip(1) == "1":
        [skip_number() for _ in range(4)]
    assert bits[place] == "1", "usability information"
    stripped = (bits[:place] + "01").ljust((place + 9) // 8 * 8, "0")
    short = bytes(int(stripped[start : start + 8], 2) for start in range(0, len(stripped), 8))
    assert b"\0\0\1" not in short
    content[at + 8 : at + 8 + size] = short.ljust(size, b"\0")
    path.write_bytes(content)


# --- honest files -----------------------------------------------------------------------------------------------

_X264 = {"preset": "veryfast", "bf": "3", "g": "20"}


def _h264(path: Path) -> None:
    write_video(path, options={**_X264, "x264-params": "b-pyramid=normal:ref=4"})


def _h264_main_long_gop(path: Path) -> None:
    write_video(
        path, images=draw_frames(150), options={"preset": "veryfast", "bf": "2", "g": "600", "sc_threshold": "0"}
    )


def _h264_open_gop(path: Path) -> None:
    write_video(path, options={**_X264, "x264-params": "open-gop=1:b-pyramid=strict"})


def _h264_intra_refresh(path: Path) -> None:
    write_video(path, options={"preset": "veryfast", "bf": "0", "x264-params": "intra-refresh=1:keyint=20"})


def _h264_slices(path: Path) -> None:
    write_video(path, options={**_X264, "x264-params": "slices=4"})


def _h264_baseline(path: Path) -> None:
    write_video(path, options={"preset": "veryfast", "profile": "baseline", "g": "15", "sc_threshold": "0"})


def _h264_one_frame(path: Path) -> None:
    write_video(path, images=draw_frames(1))


def _h264_vfr(path: Path) -> None:
    gaps = np.random.default_rng(3).choice([1, 1, 1, 2, 7, 30], 59)
    write_video(path, options=_X264, pts=[0, *np.cumsum(gaps).tolist()])


def _h264_vfr_mkv(path: Path) -> None:
    _h264_vfr(path)


def _h264_ts(path: Path) -> None:
    write_video(path, images=draw_frames(100), options=_X264, pts=range(90_000, 90_100))


def _h264_avi(path: Path) -> None:
    write_video(path, options={**_X264, "bf": "0"})


def _h264_avi_b(path: Path) -> None:
    write_video(path, options=_X264)


def _h264_edit(path: Path) -> None:
    write_video(path, options=_X264)
    patch_edit_start(path, 27)


def _h264_edit_first(path: Path) -> None:
    write_video(path, options=_X264)
    patch_edit_start(path, 1)


def _h264_fragmented(path: Path) -> None:
    write_video(path, options=_X264, container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})


def _h264_interlaced(path: Path) -> None:
    write_video(path, options={**_X264, "x264-params": "tff=1"})


def _h264_odd(path: Path) -> None:
    write_video(path, images=draw_frames(40, 131, 97), options=_X264, pix_fmt="yuv444p")


def _h264_cropped(path: Path) -> None:
    write_video(path, images=draw_frames(40, 130, 98), options=_X264)


def _h264_10bit(path: Path) -> None:
    write_video(path, images=draw_frames(40), options=_X264, pix_fmt="yuv420p10le")


def _h264_422(path: Path) -> None:
    write_video(path, images=draw_frames(40), options=_X264, pix_fmt="yuv422p")


def _h264_full_range(path: Path) -> None:
    write_video(path, images=draw_frames(40), options=_X264, pix_fmt="yuvj420p")


def _h264_rgb(path: Path) -> None:
    write_video(path, "libx264rgb", images=draw_frames(30), options=_X264, pix_fmt="rgb24")


def _h264_gray(path: Path) -> None:
    write_video(path, images=draw_frames(30), options=_X264, pix_fmt="gray")


def _h264_decoding_times(path: Path) -> None:
    """Decoding times that leap: muxers accept any that ascend."""
    last = [-(1 << 20)]

    def edit(packet: av.Packet, number: int) -> list[av.Packet]:
        packet.dts = max(last[0] + 1, packet.dts - (5 if number % 7 else 0))
        last[0] = packet.dts
        return [packet]

    write_video(path, options=_X264, edit_packet=edit)


def _h264_size_change(path: Path) -> None:
    splice(path, "libx264", [list(draw_frames(30)), list(draw_frames(30, 160, 128, seed=5))], _X264)


def _h264_two_streams(path: Path) -> None:
    with av.open(str(path), "w") as container:
        streams = []
        for width, height in ((64, 48), (128, 96)):
            stream = container.add_stream("libx264", rate=RATE, options=_X264)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = Fraction(1, RATE)
            streams.append((stream, iter(encode(stream, draw_frames(50, width, height, seed=width)))))
        streams[0][0].disposition, streams[1][0].disposition = 0, Disposition.default.value
        packets = [packet for _, iterator in streams for packet in iterator]
        for packet in sorted(packets, key=lambda packet: packet.dts):
            container.mux(packet)


def _h264_with_cover(path: Path) -> None:
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        assert isinstance(cover, VideoStream)
        cover.width, cover.height, cover.pix_fmt = 200, 200, "yuvj420p"
        cover.disposition = Disposition.attached_pic.value
        stream = container.add_stream("libx264", rate=RATE, options=_X264)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        cover.codec_context.time_base = Fraction(1, 1)
        picture = list(encode(cover, [np.full((200, 200, 3), 90, np.uint8)]))
        for packet in [*picture[:1], *encode(stream, draw_frames(50))]:
            container.mux(packet)


def _rotated(degrees: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_video(path, images=draw_frames(30), options=_X264)
        patch_rotation(path, ROTATIONS[degrees])

    return make


def _hevc(path: Path) -> None:
    write_video(path, "libx265", options={"preset": "fast", "x265-params": "keyint=20:bframes=4:open-gop=0"})


def _hevc_open_gop(path: Path) -> None:
    write_video(
        path, "libx265", images=draw_frames(100), options={"preset": "fast", "x265-params": "keyint=20:bframes=4"}
    )


def _hevc_layers(path: Path) -> None:
    write_video(
        path, "libx265", options={"preset": "fast", "x265-params": "keyint=30:bframes=4:temporal-layers=1:open-gop=0"}
    )


def _hevc_10bit_ts(path: Path) -> None:
    write_video(path, "libx265", options={"preset": "fast", "x265-params": "keyint=20"}, pix_fmt="yuv420p10le")


def _hevc_size_change(path: Path) -> None:
    parts = [list(draw_frames(30)), list(draw_frames(30, 160, 128, seed=5))]
    splice(path, "libx265", parts, {"preset": "fast", "x265-params": "keyint=15"})


def _vp8(path: Path) -> None:
    write_video(path, "libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16", "g": "30", "b": "200k"})


_VP9 = {"auto-alt-ref": "1", "lag-in-frames": "25", "deadline": "realtime", "b": "100k", "g": "60"}
"""Of libvpx's one-pass modes, this one makes hidden frames."""


def _vp9(path: Path) -> None:
    write_video(path, "libvpx-vp9", images=draw_frames(90), options=_VP9)


def _vp8_hidden(path: Path) -> None:
    """Frames that only others refer to, as libvpx makes them when it may look ahead twice."""

    def edit(packet: av.Packet, number: int) -> list[av.Packet]:
        content = bytearray(bytes(packet))
        if number % 7 == 3:
            assert content[0] & 1, "no keyframe"
            content[0] &= ~0x10
        return [_repack(packet, bytes(content))]

    write_video(path, "libvpx", options={"g": "30", "b": "200k"}, edit_packet=edit)


def _vp9_repeats(path: Path) -> None:
    """Packets of one byte that show a reference slot again."""

    def edit(packet: av.Packet, number: int) -> list[av.Packet]:
        packet.pts = packet.dts = 2 * number
        if number % 6:
            return [packet]
        repeat = _repack(packet, bytes([0b10001000 | number % 8]))
        repeat.pts = repeat.dts = 2 * number + 1
        repeat.is_keyframe = False
        return [packet, repeat]

    write_video(path, "libvpx-vp9", options={"g": "30", "b": "200k"}, edit_packet=edit)


def _repack(packet: av.Packet, content: bytes) -> av.Packet:
    packed = av.Packet(content)
    packed.stream, packed.time_base = packet.stream, packet.time_base
    packed.pts, packed.dts, packed.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
    return packed


_VP9_LAYERS = {
    "ts-parameters": "ts_number_layers=3:ts_target_bitrate=100,150,200:ts_rate_decimator=4,2,1:ts_periodicity=4:"
    "ts_layer_id=0,2,1,2:ts_layering_mode=3",
    "lag-in-frames": "0",
    "deadline": "realtime",
    "g": "40",
    "b": "200k",
    "cpu-used": "6",
}
"""Every other frame refreshes no reference slot."""


def _vp9_layers(path: Path) -> None:
    write_video(path, "libvpx-vp9", options={**_VP9_LAYERS, "error-resilient": "default"})


def _vp9_layers_adapting(path: Path) -> None:
    """The same, but each frame takes probabilities and motion vectors from the one before."""
    write_video(path, "libvpx-vp9", options=_VP9_LAYERS)


def _vp9_444(path: Path) -> None:
    write_video(
        path,
        "libvpx-vp9",
        images=draw_frames(30),
        options={"g": "15", "b": "200k", "profile": "1"},
        pix_fmt="yuv444p",
    )


def _vp9_size_change(path: Path) -> None:
    parts = [list(draw_frames(30)), list(draw_frames(30, 160, 128, seed=5))]
    splice(path, "libvpx-vp9", parts, {"g": "15", "b": "200k"})


def _av1(path: Path) -> None:
    write_video(path, "libsvtav1", images=draw_frames(80), options={"g": "32"})


def _av1_low_delay(path: Path) -> None:
    options = {"g": "32", "svtav1-params": "pred-struct=1"}
    write_video(path, "libsvtav1", images=draw_frames(80), options=options)


def _av1_grain(path: Path) -> None:
    options = {"g": "32", "svtav1-params": "film-grain=30:film-grain-denoise=0"}
    write_video(path, "libsvtav1", images=draw_frames(64), options=options)


def _h264_no_usability(path: Path) -> None:
    """Without the note of how many pictures to hold back, which some encoders leave out."""
    write_video(path, options={**_X264, "x264-params": "b-pyramid=normal:ref=4"})
    strip_usability(path)


def _h264_no_usability_no_pyramid(path: Path) -> None:
    write_video(path, options={**_X264, "x264-params": "b-pyramid=none"})
    strip_usability(path)


def _h264_no_offsets(path: Path) -> None:
    """Timestamps in decoding order, as muxers write them that know no other."""

    def edit(packet: av.Packet, number: int) -> list[av.Packet]:
        packet.pts = packet.dts = number
        return [packet]

    write_video(path, options=_X264, edit_packet=edit)


def _h264_repeated_times(path: Path) -> None:
    def edit(packet: av.Packet, number: int) -> list[av.Packet]:
        packet.pts, packet.dts = number // 2 * 2, number - 10
        return [packet]

    write_video(path, options={**_X264, "bf": "0"}, edit_packet=edit)


def make_old_444(path: Path) -> None:
    """FFmpeg decodes 4:4:4 of x264 before build 151 in another way, and the encoder's name is in the first packet."""
    write_video(path, options={**_X264, "preset": "medium"}, pix_fmt="yuv444p")
    content = path.read_bytes()
    at = content.index(b"x264 - core ") + len(b"x264 - core ")
    path.write_bytes(content[:at] + b"100" + content[at + 3 :])


def _avi_with_empty_chunks(path: Path) -> None:
    """AVI has no timestamps: chunks without a byte stand for the frames that are not there."""
    write_video(path, "mpeg4", options={"g": "12"}, pts=[number + number // 7 * 3 for number in range(60)])


def _mjpeg_with_empty_chunks(path: Path) -> None:
    write_video(path, "mjpeg", pix_fmt="yuvj420p", pts=[number + number // 7 * 3 for number in range(60)])


def _h264_ts_from_the_middle(path: Path) -> None:
    write_video(path, images=draw_frames(80), options=_X264)
    content = path.read_bytes()
    path.write_bytes(content[: 188 * 3] + content[188 * (len(content) // 188 // 4) :])


def _mirrored(path: Path) -> None:
    write_video(path, images=draw_frames(30), options=_X264)
    patch_rotation(path, (-1, 0, 0, 1))


def _codec(codec: str, pix_fmt: str = "yuv420p", **options: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_video(path, codec, images=draw_frames(40), pix_fmt=pix_fmt, options=options)

    return make


def _dnxhr(path: Path) -> None:
    write_video(path, "dnxhd", images=draw_frames(12, 256, 128), options={"profile": "dnxhr_hq"}, pix_fmt="yuv422p")


SELECTIVE, SEQUENTIAL = "selective", "sequential"

HONEST: dict[str, tuple[Callable[[Path], None], str]] = {
    "h264.mp4": (_h264, SELECTIVE),
    "h264_long_gop.mp4": (_h264_main_long_gop, SELECTIVE),
    "h264_open_gop.mp4": (_h264_open_gop, SELECTIVE),
    "h264_intra_refresh.mp4": (_h264_intra_refresh, SELECTIVE),
    "h264_slices.mkv": (_h264_slices, SELECTIVE),
    "h264_baseline.mp4": (_h264_baseline, SELECTIVE),
    "h264_one_frame.mp4": (_h264_one_frame, SELECTIVE),
    "h264_vfr.mp4": (_h264_vfr, SELECTIVE),
    "h264_vfr.mkv": (_h264_vfr_mkv, SELECTIVE),
    "h264.ts": (_h264_ts, SELECTIVE),
    "h264.flv": (_h264, SEQUENTIAL),
    "h264.avi": (_h264_avi, SELECTIVE),
    "h264_b.avi": (_h264_avi_b, SEQUENTIAL),
    "h264_edit.mp4": (_h264_edit, SELECTIVE),
    "h264_edit_first.mp4": (_h264_edit_first, SELECTIVE),
    "h264_fragmented.mp4": (_h264_fragmented, SELECTIVE),
    "h264_interlaced.mp4": (_h264_interlaced, SEQUENTIAL),
    "h264_odd.mp4": (_h264_odd, SELECTIVE),
    "h264_cropped.mp4": (_h264_cropped, SELECTIVE),
    "h264_10bit.mp4": (_h264_10bit, SELECTIVE),
    "h264_422.mp4": (_h264_422, SELECTIVE),
    "h264_full_range.mp4": (_h264_full_range, SELECTIVE),
    "h264_rgb.mp4": (_h264_rgb, SELECTIVE),
    "h264_gray.mp4": (_h264_gray, SELECTIVE),
    "h264_decoding_times.mp4": (_h264_decoding_times, SELECTIVE),
    "h264_size_change.ts": (_h264_size_change, SELECTIVE),
    "h264_size_change.mp4": (_h264_size_change, SELECTIVE),
    "h264_two_streams.mp4": (_h264_two_streams, SELECTIVE),
    "h264_cover.mp4": (_h264_with_cover, SELECTIVE),
    **{f"h264_rotated_{degrees}.mp4": (_rotated(degrees), SELECTIVE) for degrees in ROTATIONS},
    "h264_mirrored.mp4": (_mirrored, SELECTIVE),
    "h264_no_offsets.mp4": (_h264_no_offsets, SEQUENTIAL),
    "h264_repeated_times.mkv": (_h264_repeated_times, SEQUENTIAL),
    "h264_no_usability.mp4": (_h264_no_usability, SELECTIVE),
    "h264_no_usability_no_pyramid.mp4": (_h264_no_usability_no_pyramid, SELECTIVE),
    "h264_from_the_middle.ts": (_h264_ts_from_the_middle, SEQUENTIAL),
    "h264.h264": (_h264, SEQUENTIAL),
    "hevc.hevc": (_hevc, SEQUENTIAL),
    "av1.ivf": (_av1, SELECTIVE),
    "av1.obu": (_av1, SELECTIVE),
    "hevc.mp4": (_hevc, SELECTIVE),
    "hevc_open_gop.mp4": (_hevc_open_gop, SELECTIVE),
    "hevc_open_gop.mkv": (_hevc_open_gop, SELECTIVE),
    "hevc_layers.mp4": (_hevc_layers, SELECTIVE),
    "hevc_10bit.ts": (_hevc_10bit_ts, SELECTIVE),
    "hevc_size_change.ts": (_hevc_size_change, SELECTIVE),
    "vp8.webm": (_vp8, SELECTIVE),
    "vp8_hidden.webm": (_vp8_hidden, SELECTIVE),
    "vp9.webm": (_vp9, SELECTIVE),
    "vp9_repeats.webm": (_vp9_repeats, SELECTIVE),
    "vp9.mp4": (_vp9, SELECTIVE),
    "vp9.ivf": (_vp9, SELECTIVE),
    "vp9_layers.webm": (_vp9_layers, SELECTIVE),
    "vp9_layers_adapting.webm": (_vp9_layers_adapting, SELECTIVE),
    "vp9_444.webm": (_vp9_444, SELECTIVE),
    "vp9_size_change.webm": (_vp9_size_change, SELECTIVE),
    "av1.mp4": (_av1, SELECTIVE),
    "av1.webm": (_av1, SELECTIVE),
    "av1_low_delay.mp4": (_av1_low_delay, SELECTIVE),
    "av1_grain.mkv": (_av1_grain, SELECTIVE),
    "mjpeg.avi": (_codec("mjpeg", "yuvj422p"), SELECTIVE),
    "mjpeg.mp4": (_codec("mjpeg", "yuvj444p"), SELECTIVE),
    "prores.mov": (_codec("prores_ks", "yuva444p10le", profile="4444"), SELECTIVE),
    "dnxhr.mov": (_dnxhr, SELECTIVE),
    "png.mov": (_codec("png", "rgb24"), SELECTIVE),
    "gray.mov": (_codec("png", "gray"), SELECTIVE),
    "raw_rgb555.avi": (_codec("rawvideo", "rgb555le"), SEQUENTIAL),
    "huffyuv.avi": (_codec("huffyuv", "yuv422p"), SEQUENTIAL),
    "mpeg4_b.avi": (_codec("mpeg4", bf="2", g="12"), SEQUENTIAL),
    "mpeg2_422.ts": (_codec("mpeg2video", "yuv422p", bf="2", g="12"), SEQUENTIAL),
    "mpeg4_gaps.avi": (_avi_with_empty_chunks, SEQUENTIAL),
    "mjpeg_gaps.avi": (_mjpeg_with_empty_chunks, SELECTIVE),
    "mpeg4.mp4": (_codec("mpeg4", bf="2", g="12"), SEQUENTIAL),
    "mpeg4.avi": (_codec("mpeg4", g="12"), SEQUENTIAL),
    "mpeg2.ts": (_codec("mpeg2video", bf="2", g="12"), SEQUENTIAL),
    "mpeg1.mpg": (_codec("mpeg1video", bf="2", g="12"), SEQUENTIAL),
    "ffv1.mkv": (_codec("ffv1"), SEQUENTIAL),
    "raw.avi": (_codec("rawvideo", "bgr24"), SEQUENTIAL),
    "flv1.flv": (_codec("flv"), SEQUENTIAL),
    "wmv2.asf": (_codec("wmv2"), SEQUENTIAL),
}
"""Files that a decoder shows without a complaint: how to make each, and how its frames are to be had."""


def make_honest(folder: Path, name: str) -> Path:
    """The honest file of that name, made once a folder."""
    path = folder / name
    if not path.exists():
        HONEST[name][0](path)
    return path
