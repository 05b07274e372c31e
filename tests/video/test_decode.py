"""Frames against an independent sequential decode: every kind of honest file, and what broken ones come to."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import media
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivbench_data.errors import UnreadableVideoError, VideoError, VideoLimitError
from ivbench_data.video.bitstream import PacketIndex
from ivbench_data.video.decode import (
    DecodeLimits,
    FrameRequest,
    VideoScan,
    extract_frames,
    find_indices_at,
    iterate_frames,
    scan_video,
)
from ivbench_data.video.decode.resize_to_rgb import FrameConverter, FrameSize, describe_colours
from ivbench_data.video.rotation import NOT_ROTATED, read_rotation

HAS_REORDER_DEPTH = hasattr(av.VideoCodecContext, "reorder_depth")
"""PyAV before 18 tells only whether the decoder holds back pictures, not how many."""
SIZE = (64, 48)


@dataclass(frozen=True)
class Decoded:
    """What a decode of the whole file shows."""

    pts: list[int | None]
    frames: list[NDArray[np.uint8]]


def decode_plainly(path: Path) -> Decoded:
    """Every frame, by nothing but PyAV; pixels by the converter, which has tests of its own."""
    decoded = Decoded([], [])
    with av.open(str(path)) as container:
        videos = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
        best = container.streams.best("video")
        stream = next((video for video in videos if best and video.index == best.index), videos[0])
        stream.codec_context.thread_count = 1
        if stream.codec_context.name == "wmv2":
            stream.codec_context.options = {"flags": "+bitexact"}  # not so exact by itself
        packets = [packet for packet in container.demux(stream) if packet.size]
        for packet in [*packets, None]:
            for frame in stream.codec_context.decode(packet):
                decoded.pts.append(frame.pts)
                decoded.frames.extend(FrameConverter(read_rotation(frame)).convert(frame, [FrameSize(*SIZE)]))
    return decoded


@dataclass(frozen=True)
class Sample:
    path: Path
    scan: VideoScan
    plain: Decoded
    decode_path: str


_SAMPLES: dict[Path, Sample] = {}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("honest")


@pytest.fixture(params=media.HONEST)
def sample(request: pytest.FixtureRequest, folder: Path) -> Sample:
    return make_sample(folder, request.param)


def make_sample(folder: Path, name: str) -> Sample:
    path = media.make_honest(folder, name)
    if path not in _SAMPLES:
        _SAMPLES[path] = Sample(path, scan_video(path), decode_plainly(path), media.HONEST[name][1])
    return _SAMPLES[path]


def extract(scan: VideoScan, indices: list[int] | range) -> tuple[NDArray[np.uint8], str, int]:
    (frames,), report = extract_frames(scan, [FrameRequest(tuple(indices), *SIZE)])
    return frames, report.decode_path, report.packets_fed


def needed_packets(index: PacketIndex, indices: list[int]) -> set[int]:
    """By the definition, slowly: what each wanted frame alone needs."""
    needed: set[int] = set()
    for holder in index.of_frame[indices].tolist():
        starts = index.starts.tolist()
        start = max(s for s in starts if s <= holder and index.pts[s] <= index.pts[holder])
        led = max(s for s in starts if s <= holder)
        for number in range(start, holder):
            refers = not index.is_droppable[number] if index.layer[number] == index.layer[holder] else True
            leads_another = index.is_leading[number] and not (
                index.is_leading[holder] and max(s for s in starts if s <= number) == led
            )
            if index.layer[number] <= index.layer[holder] and refers and not leads_another:
                needed.add(number)
        needed.add(holder)
    return needed


# --- honest files -----------------------------------------------------------------------------------------------


IN_DECODING_ORDER = {"h264_b.avi", "h264_no_offsets.mp4"}
"""Files whose timestamps ascend with the packets, not with the frames."""


def test_scan_tells_what_a_whole_decode_shows(sample: Sample) -> None:
    assert sample.scan.frames == len(sample.plain.frames)
    assert (np.diff(sample.scan.pts) > 0).all()
    if not sample.scan.clock.repairs:
        shown = np.array([pts for pts in sample.plain.pts if pts is not None])
        shown = np.sort(shown) if sample.path.name in IN_DECODING_ORDER else shown
        zero = (
            shown[0] - sample.scan.pts[0] if sample.path.suffix == ".avi" else 0
        )  # FFmpeg adds a frame to AVI's times
        assert (sample.scan.pts == shown - zero).all()
    reason = sample.scan.sequential_reason
    if sample.path.name == "h264_no_usability.mp4" and not HAS_REORDER_DEPTH:
        assert reason == "a decoder may hold back too few pictures to show all"
    else:
        assert (media.SELECTIVE if reason is None else media.SEQUENTIAL) == sample.decode_path, reason


def test_every_frame_is_that_of_a_sequential_decode(sample: Sample) -> None:
    frames, decode_path, _ = extract(sample.scan, range(sample.scan.frames))
    assert decode_path.partition(":")[0] == ("sequential" if sample.scan.sequential_reason else "selective")
    wrong = [i for i, frame in enumerate(sample.plain.frames) if not np.array_equal(frames[i], frame)]
    assert wrong == []


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_frames_in_any_order_by_the_fewest_packets(sample: Sample, data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(0, sample.scan.frames - 1), min_size=1, max_size=6))
    frames, decode_path, packets_fed = extract(sample.scan, indices)
    assert all(np.array_equal(frame, sample.plain.frames[index]) for frame, index in zip(frames, indices, strict=True))
    if sample.scan.sequential_reason is None:
        assert decode_path == "selective"
        assert sample.scan._packets is not None
        assert packets_fed == len(needed_packets(sample.scan._packets, indices))


@pytest.mark.parametrize("name", ["h264.mp4", "hevc_open_gop.mp4", "vp9_layers.webm", "av1.mp4", "h264_edit.mp4"])
def test_every_frame_alone(folder: Path, name: str) -> None:
    sample = make_sample(folder, name)
    for index, expected in enumerate(sample.plain.frames):
        frames, decode_path, _ = extract(sample.scan, [index])
        assert decode_path == "selective"
        assert np.array_equal(frames[0], expected)


NOTHING_DROPPABLE = {
    "h264_intra_refresh.mp4", "h264_baseline.mp4", "h264_one_frame.mp4", "h264.avi", "vp8.webm", "vp8_hidden.webm",
    "vp9.webm", "vp9.mp4", "vp9.ivf", "vp9_444.webm", "vp9_size_change.webm", "vp9_layers_adapting.webm", "mjpeg.avi",
    "mjpeg.mp4", "mjpeg_gaps.avi", "prores.mov", "dnxhr.mov", "png.mov", "gray.mov",
}  # fmt: skip
"""Every frame refers to the one before, or none to any."""


@pytest.mark.parametrize(
    "name", [name for name, (_, path) in media.HONEST.items() if path == "selective" and name not in NOTHING_DROPPABLE]
)
def test_droppable_packets_are_needed_by_no_other_frame(folder: Path, name: str) -> None:
    if name == "h264_no_usability.mp4" and not HAS_REORDER_DEPTH:
        pytest.skip("this PyAV does not tell how many pictures are held back")
    sample = make_sample(folder, name)
    packets = sample.scan._packets
    assert packets is not None
    assert packets.is_droppable.any()
    dropped = packets.is_droppable & (packets.layer == packets.layer.max())
    shown: dict[int | None, NDArray[np.uint8]] = {}
    with av.open(str(sample.path)) as container:
        videos = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
        stream = next(video for video in videos if video.codec_context.width == sample.scan.width)
        stream.codec_context.thread_count = 1
        held = [packet for packet in container.demux(stream) if packet.size]
        kept = [packet for packet, is_dropped in zip(held, dropped, strict=True) if not is_dropped]
        for packet in [*kept, None]:
            for frame in stream.codec_context.decode(packet):
                converter = FrameConverter(read_rotation(frame))
                shown[frame.pts] = converter.convert(frame, [FrameSize(*SIZE)])[0]
    visible = set(packets.of_frame.tolist())
    expected = dict(zip(sample.plain.pts, sample.plain.frames, strict=True))
    assert set(shown) == {int(packets.pts[number]) for number in visible if not dropped[number]}
    assert all(np.array_equal(frame, expected[pts]) for pts, frame in shown.items())


@pytest.mark.parametrize(
    ("name", "share"),
    [("h264.mp4", 0.4), ("hevc.mp4", 0.5), ("av1.mp4", 0.5), ("vp9_layers.webm", 0.49), ("hevc_layers.mp4", 0.5)],
)
def test_a_good_share_is_droppable(folder: Path, name: str, share: float) -> None:
    packets = scan_video(media.make_honest(folder, name))._packets
    assert packets is not None
    assert packets.is_droppable.mean() > share


def test_only_groups_with_wanted_frames_are_decoded(folder: Path) -> None:
    scan = scan_video(media.make_honest(folder, "h264_baseline.mp4"))  # a keyframe every 15 frames, nothing droppable
    assert [extract(scan, [index])[2] for index in (0, 14, 15, 37, 59)] == [1, 15, 1, 8, 15]
    assert extract(scan, [59, 1, 2, 31])[2] == 3 + 2 + 15


def test_temporal_layers_above_the_wanted_ones_are_not_decoded(folder: Path) -> None:
    scan = scan_video(media.make_honest(folder, "hevc_layers.mp4"))
    packets = scan._packets
    assert packets is not None
    base = [index for index in range(scan.frames) if packets.layer[packets.of_frame[index]] == 0]
    assert extract(scan, base)[2] == len(base)


def test_digests_are_the_same_with_every_version_of_the_decoder(folder: Path) -> None:
    """Of frames that no encoder changes, so that only decoding and scaling can differ."""
    path = folder / "digest.avi"
    media.write_video(path, "ffv1", images=media.draw_frames(5))
    frames, _, _ = extract(scan_video(path), range(5))
    assert hashlib.sha256(frames.tobytes()).hexdigest() == DIGEST


DIGEST = "c451d4fd1544f4e54c4940ec098892cd4fd3684bd6f02f83a57477642756fa33"


# --- orientation, streams, sizes --------------------------------------------------------------------------------


def draw_corner(width: int = 128, height: int = 96) -> list[NDArray[np.uint8]]:
    """Red in the upper left quarter, green in the upper right, blue below."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :] = (0, 0, 250)
    image[: height // 2, : width // 2] = (250, 0, 0)
    image[: height // 2, width // 2 :] = (0, 250, 0)
    return [image] * 5


def name_corners(frame: NDArray[np.uint8]) -> str:
    """The strongest channel in the four corners: upper left, upper right, lower left, lower right."""
    _, height, width = frame.shape
    return "".join("rgb"[int(frame[:, y, x].argmax())] for y in (4, height - 5) for x in (4, width - 5))


@pytest.mark.parametrize(
    ("matrix", "corners", "size"),
    [
        (media.ROTATIONS[0], "rgbb", (128, 96)),
        (media.ROTATIONS[90], "gbrb", (96, 128)),
        (media.ROTATIONS[180], "bbgr", (128, 96)),
        (media.ROTATIONS[270], "brbg", (96, 128)),
        ((-1, 0, 0, 1), "grbb", (128, 96)),
        ((1, 0, 0, -1), "bbrg", (128, 96)),
        ((0, 1, 1, 0), "rbgb", (96, 128)),
    ],
)
def test_frames_are_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], corners: str, size: tuple[int, int]
) -> None:
    path = tmp_path / "turned.mp4"
    media.write_video(path, images=draw_corner(), options={"crf": "1"})
    media.patch_rotation(path, matrix)
    scan = scan_video(path)
    assert scan.displayed_size == size
    (frames,), report = extract_frames(scan, [FrameRequest((0, 3), *size)])
    assert frames.shape == (2, 3, size[1], size[0])
    assert [name_corners(frame) for frame in frames] == [corners, corners]
    assert report.rotation == scan.rotation


def test_the_best_stream_is_taken_and_covers_are_not(folder: Path) -> None:
    assert scan_video(media.make_honest(folder, "h264_two_streams.mp4")).width == 128
    assert scan_video(media.make_honest(folder, "h264_cover.mp4")).width == media.WIDTH


def test_times_are_counted_from_the_first_frame(folder: Path) -> None:
    scan = scan_video(media.make_honest(folder, "h264.ts"))
    assert scan.pts[0] >= 90_000 * 3600
    assert scan.pts_seconds[:3].tolist() == [0, 0.04, 0.08]
    assert scan.duration_seconds == pytest.approx(4.0)


def test_frames_that_an_edit_list_discards_are_not_counted(folder: Path) -> None:
    assert scan_video(media.make_honest(folder, "h264_edit.mp4")).frames == 60 - 27


def test_indices_at_times(folder: Path) -> None:
    scan = scan_video(media.make_honest(folder, "h264_vfr.mp4"))
    times = scan.pts_seconds
    assert find_indices_at(scan, times.tolist()) == list(range(60))
    assert find_indices_at(scan, [float(times[7]) - 0.001, -5.0, 1e9]) == [6, 0, 59]


def test_many_sizes_in_one_pass_are_those_of_single_passes(folder: Path) -> None:
    scan = scan_video(media.make_honest(folder, "h264.mp4"))
    requests = [
        FrameRequest((3, 3, 50, 0), 64, 48),
        FrameRequest((50, 7), 112, 84, "lanczos"),
        FrameRequest((7,), 64, 48, "area"),
        FrameRequest((59, 3), 64, 48),
    ]
    together, _ = extract_frames(scan, requests)
    for frames, request in zip(together, requests, strict=True):
        (alone,), _ = extract_frames(scan, [request])
        assert np.array_equal(frames, alone)
    assert np.array_equal(together[0][0], together[0][1])
    assert len({np.array2string(together[n][at]) for n, at in ((0, 0), (1, 1), (2, 0))}) == 3


def test_an_index_out_of_range_is_a_mistake_of_the_caller(folder: Path) -> None:
    scan = scan_video(media.make_honest(folder, "h264.mp4"))
    for index in (-1, 60):
        with pytest.raises(IndexError, match=f"no frame {index}"):
            extract(scan, [index])


# --- colours ----------------------------------------------------------------------------------------------------

WEIGHTS = {
    1: (0.2126, 0.0722),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    9: (0.2627, 0.0593),
    4: (0.30, 0.11),
    7: (0.212, 0.087),
}
"""Luma weights of red and blue for each AVColorSpace (ITU-T H.273, table 4)."""


def to_rgb(y: float, u: float, v: float, matrix: int, is_full: bool, depth: int = 8) -> NDArray[np.float64]:
    """ITU-T H.273, 8.3: in floating point."""
    scale = 1 << depth - 8
    if is_full:
        top = (1 << depth) - 1
        luma, blue, red = y / top, (u - 128 * scale) / top, (v - 128 * scale) / top
    else:
        luma, blue, red = (y / scale - 16) / 219, (u / scale - 128) / 224, (v / scale - 128) / 224
    weight_red, weight_blue = WEIGHTS[matrix]
    r, b = luma + 2 * (1 - weight_red) * red, luma + 2 * (1 - weight_blue) * blue
    g = (luma - weight_red * r - weight_blue * b) / (1 - weight_red - weight_blue)
    return np.clip(np.array([r, g, b]), 0, 1) * 255


def flat_frame(pix_fmt: str, width: int, height: int, values: tuple[int, ...]) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, value in zip(frame.planes, values, strict=True):
        kind = np.uint16 if "10le" in pix_fmt else np.uint8
        plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, value, kind).tobytes())
    return frame


YUV = st.tuples(st.integers(30, 220), st.integers(60, 200), st.integers(60, 200))


@settings(max_examples=40, deadline=None)
@given(values=YUV, matrix=st.sampled_from([1, 4, 5, 6, 7, 9]), is_full=st.booleans(), depth=st.sampled_from([8, 10]))
def test_colours_are_those_of_the_streams_matrix_and_range(
    values: tuple[int, int, int], matrix: int, is_full: bool, depth: int
) -> None:
    scaled = tuple(value << depth - 8 for value in values)
    frame = flat_frame("yuv420p" if depth == 8 else "yuv420p10le", 64, 48, scaled)
    frame.colorspace, frame.color_range = matrix, 2 if is_full else 1
    (rgb,) = FrameConverter(NOT_ROTATED).convert(frame, [FrameSize(32, 24)])
    assert np.ptp(rgb, axis=(1, 2)).max() == 0
    assert np.abs(rgb[:, 0, 0] - to_rgb(*map(float, scaled), matrix, is_full, depth)).max() <= 1.5
    assert describe_colours(frame)[1] == ("full" if is_full else "limited")


@pytest.mark.parametrize(
    ("height", "matrix", "name"), [(718, 5, "bt601"), (719, 5, "bt601"), (720, 1, "bt709"), (1080, 1, "bt709")]
)
def test_without_a_matrix_the_number_of_lines_decides(height: int, matrix: int, name: str) -> None:
    frame = flat_frame("yuv444p", 64, height, (120, 90, 180))
    (rgb,) = FrameConverter(NOT_ROTATED).convert(frame, [FrameSize(32, 24)])
    assert np.abs(rgb[:, 0, 0] - to_rgb(120, 90, 180, matrix, is_full=False)).max() <= 1.5
    assert describe_colours(frame) == (name, "limited")


def test_white_is_white_and_black_is_black() -> None:
    for luma, expected in ((235, 255), (16, 0), (255, 255), (0, 0)):
        (rgb,) = FrameConverter(NOT_ROTATED).convert(
            flat_frame("yuv420p", 64, 48, (luma, 128, 128)), [FrameSize(32, 24)]
        )
        assert rgb.min() == rgb.max() == expected


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le"])
def test_grey_frames_have_a_range_too(pix_fmt: str) -> None:
    depth = 10 if "10" in pix_fmt else 8
    for value, color_range, expected in ((235, 0, 255), (16, 1, 0), (235, 2, 235), (16, 2, 16)):
        frame = flat_frame(pix_fmt, 64, 48, (value << depth - 8,))
        frame.color_range = color_range
        (rgb,) = FrameConverter(NOT_ROTATED).convert(frame, [FrameSize(32, 24)])
        assert rgb.min() == rgb.max() == expected


def test_pixels_are_the_same_with_every_version_of_swscale() -> None:
    random, digest = np.random.default_rng(0), hashlib.sha256()
    for width in (128, 131, 427):
        for pix_fmt, bytes_a_pixel in (("yuv420p", 1), ("yuv444p", 1), ("yuv422p10le", 2), ("gray", 1), ("rgb24", 3)):
            frame = av.VideoFrame(width, 97, pix_fmt)
            for plane in frame.planes:
                row_bytes = plane.width * bytes_a_pixel
                rows = np.zeros((plane.buffer_size // plane.line_size, plane.line_size), np.uint8)
                rows[:, :row_bytes] = random.integers(0, 256, (len(rows), row_bytes))
                if "10le" in pix_fmt:
                    rows[:, 1::2] &= 3
                plane.update(rows.tobytes())
            for resize in ("bicubic", "area", "lanczos", "bilinear"):
                for rgb in FrameConverter(NOT_ROTATED).convert(
                    frame, [FrameSize(64, 48, resize), FrameSize(131, 77, resize)]
                ):
                    digest.update(rgb.tobytes())
    assert digest.hexdigest() == "61910fc588a16c5a70d5708e7fdfc15da16c2a2423138c3187f365937b227253"


@pytest.mark.parametrize("pix_fmt", ["rgb24", "bgr24", "gbrp", "rgba"])
def test_rgb_stays_as_it_is(pix_fmt: str) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (200, 30, 90), np.uint8), "rgb24").reformat(format=pix_fmt)
    (rgb,) = FrameConverter(NOT_ROTATED).convert(frame, [FrameSize(32, 24)])
    assert np.abs(rgb.reshape(3, -1).T - np.array((200.0, 30.0, 90.0))).max() <= 1
    assert describe_colours(frame) == ("rgb", "full")


@pytest.mark.parametrize(
    ("colorspace", "color_range", "expected"),
    [(1, 1, ("bt709", "limited")), (5, 2, ("bt601", "full")), (9, 1, ("bt2020", "limited"))],
)
def test_tags_of_a_file_are_followed(
    tmp_path: Path, colorspace: int, color_range: int, expected: tuple[str, str]
) -> None:
    path = tmp_path / "tagged.mp4"

    def tag(stream: av.video.stream.VideoStream) -> None:
        stream.codec_context.colorspace, stream.codec_context.color_range = colorspace, color_range

    media.write_video(path, images=list(media.draw_frames(3)), options={"qp": "0"}, set_up=tag)
    _, report = extract_frames(scan_video(path), [FrameRequest((1,), *SIZE)])
    assert (report.colour_matrix, report.colour_range) == expected


# --- broken and hostile files -----------------------------------------------------------------------------------


def outcome_of(path: Path) -> str:
    """`error`, or `frames` where some came; in bounded time, and nothing else."""
    began = time.monotonic()
    try:
        scan = scan_video(path)
        frames, _, _ = extract(scan, sorted({0, scan.frames // 3, scan.frames // 2, scan.frames - 1}))
    except VideoError:
        return "error"
    finally:
        assert time.monotonic() - began < 10
    assert frames.shape[1:] == (3, 48, 64)
    return "frames"


BREAKABLE = [
    "h264.mp4",
    "h264.ts",
    "h264_vfr.mkv",
    "h264_fragmented.mp4",
    "hevc_open_gop.mp4",
    "vp9.webm",
    "av1.mp4",
    "mpeg4.avi",
    "h264.flv",
]


@pytest.mark.parametrize(
    "name", ["h264.mp4", "h264_fragmented.mp4", "h264_vfr.mkv", "vp9.webm", "av1.mp4", "mjpeg.avi", "hevc.mp4"]
)
def test_a_file_that_was_cut_short_fails(folder: Path, tmp_path: Path, name: str) -> None:
    content = media.make_honest(folder, name).read_bytes()
    path = tmp_path / name
    for share in (0.001, 0.1, 0.3, 0.5, 0.8, 0.95, 0.999):
        path.write_bytes(content[: max(1, int(len(content) * share))])
        with pytest.raises(UnreadableVideoError, match=name):
            scan_video(path)
    path.write_bytes(content[:-1])
    with pytest.raises(UnreadableVideoError, match="cut short"):
        scan_video(path)


@pytest.mark.parametrize("name", BREAKABLE)
def test_damage_comes_to_a_reason_or_to_right_frames(folder: Path, tmp_path: Path, name: str) -> None:
    content = media.make_honest(folder, name).read_bytes()
    random = np.random.default_rng(len(name))
    path = tmp_path / name
    outcomes = []
    for number in range(24):
        damaged = bytearray(content)
        at = int(random.integers(len(content)))
        if number % 4 == 0:
            damaged[at : at + 512] = bytes(len(damaged[at : at + 512]))
        elif number % 4 == 1:
            damaged[at] ^= 1 << int(random.integers(8))
        elif number % 4 == 2:
            damaged[at : at + 40] = random.bytes(len(damaged[at : at + 40]))
        else:
            damaged[at:at] = damaged[at : at + 700]
        path.write_bytes(damaged)
        outcomes.append(outcome_of(path))
    assert "error" in outcomes


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html><html><body>Sorry</body></html>" * 20,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile other.mp4\n",
        b'<?xml version="1.0"?><MPD><Period><BaseURL>other.mp4</BaseURL></Period></MPD>',
        b"file 'other.mp4'\n",
        bytes(100_000),
        b"\x89PNG\r\n\x1a\n" + bytes(200),
    ],
    ids=["empty", "html", "m3u8", "ffconcat", "dash", "list", "zeros", "png"],
)
def test_what_is_no_video_fails_and_opens_nothing_else(folder: Path, tmp_path: Path, content: bytes) -> None:
    for other in ("other.ts", "other.mp4"):
        (tmp_path / other).write_bytes(
            media.make_honest(folder, "h264.ts" if other.endswith("ts") else "h264.mp4").read_bytes()
        )
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableVideoError, match=r"video\.mp4"):
        scan_video(path)


def test_a_name_is_a_name(folder: Path, tmp_path: Path) -> None:
    content = media.make_honest(folder, "h264.mp4").read_bytes()
    for name in ("-i.mp4", "a%03d.mp4", "concat:a.mp4", "http:__x.mp4", "café\n.mp4", "a|b.mp4", "pipe:0"):
        (tmp_path / name).write_bytes(content)
        assert scan_video(tmp_path / name).frames == 60


def test_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "absent.mp4", tmp_path, tmp_path / "pipe.mp4"):
        with pytest.raises(UnreadableVideoError, match=path.name):
            scan_video(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), "fltp", "mono")
        frame.sample_rate = 16_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(UnreadableVideoError, match="no video stream"):
        scan_video(path)


@pytest.mark.full
def test_giants_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "giant.mov"
    media.write_video(path, "png", images=[np.zeros((64, 64, 3), np.uint8)], pix_fmt="gray")
    with pytest.raises(VideoLimitError, match="64×64 is over the limit of 4,000 pixels"):
        scan_video(path, DecodeLimits(max_pixels=4_000))
    media.write_video(path, "png", images=[np.zeros((8192, 8192, 3), np.uint8)], pix_fmt="gray")
    with pytest.raises(VideoLimitError, match="8192×8192 is over the limit of 36,000,000 pixels"):
        scan_video(path)


def test_a_size_that_grows_on_the_way_is_refused(folder: Path) -> None:
    limits = DecodeLimits(max_pixels=media.WIDTH * media.HEIGHT)
    scan = scan_video(media.make_honest(folder, "h264_size_change.ts"), limits)
    extract_frames(scan, [FrameRequest((0,), *SIZE)], limits)
    with pytest.raises(VideoError):
        extract_frames(scan, [FrameRequest((0, 59), *SIZE)], limits)


def test_a_day_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.mp4"
    minutes = range(24 * 60 + 1)
    images = [np.zeros((16, 16, 3), np.uint8)] * len(minutes)
    media.write_video(path, images=images, pts=[minute * 60 * media.RATE for minute in minutes])
    began = time.monotonic()
    with pytest.raises(VideoLimitError, match=r"24\.0 h is over the limit of 12 h"):
        scan_video(path)
    assert time.monotonic() - began < 5
    assert scan_video(path, DecodeLimits(max_duration_seconds=25 * 3600)).frames == len(minutes)


def test_a_day_between_two_frames_is_refused_unless_the_clock_jumped(tmp_path: Path) -> None:
    for name in ("pause.mkv", "pause.ts"):
        media.write_video(
            tmp_path / name,
            images=media.draw_frames(4),
            options={"bf": "0", "tune": "zerolatency"},
            pts=[0, 1, 2, 25 * 60 * 60 * 25],
        )
    with pytest.raises(VideoLimitError, match="over the limit of 12 h"):
        scan_video(tmp_path / "pause.mkv")
    scan = scan_video(tmp_path / "pause.ts")  # made for joining: its clock was set anew
    assert scan.clock.repairs == {"jump": 1}
    assert scan.duration_seconds == pytest.approx(0.16)


@pytest.mark.parametrize(("name", "table"), [("h264_baseline.mp4", b"stsz"), ("h264_fragmented.mp4", b"trun")])
def test_claims_of_millions_of_samples_are_refused_before_room_is_made_for_them(
    folder: Path, tmp_path: Path, name: str, table: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(media.make_honest(folder, name).read_bytes())
    media.claim_samples(path, table, 50_000_000)
    began = time.monotonic()
    with pytest.raises(UnreadableVideoError, match="claims 50,000,000 samples"):
        scan_video(path)
    assert time.monotonic() - began < 1


def test_a_track_with_two_set_ups_is_decoded_from_its_beginning(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.mp4"
    content = bytearray(media.make_honest(folder, "h264.mp4").read_bytes())
    at = content.index(b"stsd")
    content[at + 11] = 2  # FFmpeg reads as many as there are
    path.write_bytes(content)
    scan = scan_video(path)
    assert scan.sequential_reason == "the container may change the decoder's set-up on the way"
    assert scan.frames == 60


def test_too_many_packets_are_refused(folder: Path) -> None:
    with pytest.raises(VideoLimitError, match="more than 59 packets"):
        scan_video(media.make_honest(folder, "h264.mp4"), DecodeLimits(max_packets=59))


def test_a_file_that_changes_after_its_scan_is_not_mistaken(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(media.make_honest(folder, "h264.mp4").read_bytes())
    scan = scan_video(path)
    path.write_bytes(media.make_honest(folder, "h264_vfr.mp4").read_bytes())
    with pytest.raises(UnreadableVideoError):
        extract(scan, [0, 40, 59])


def test_frames_come_one_by_one_in_little_memory(folder: Path) -> None:
    """512 frames of 640×480 are 470 MB; they pass through a process that may have 300 MB more than it began with."""
    path = folder / "many.mp4"
    media.write_video(path, images=media.draw_frames(60, 320, 240), options={"preset": "ultrafast", "bf": "0"})
    code = """
import resource, sys
from pathlib import Path
from ivbench_data.video.decode import FrameRequest, iterate_frames, scan_video
scan = scan_video(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
indices = tuple(index * 59 // 511 for index in range(512))
total = sum(frame.nbytes for _, _, frame in iterate_frames(scan, [FrameRequest(indices, 640, 480)]))
assert total == 512 * 640 * 480 * 3
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100


@pytest.mark.parametrize("name", ["h264.mp4", "mpeg4.mp4"])
def test_no_frames_are_no_work(folder: Path, name: str) -> None:
    scan = scan_video(media.make_honest(folder, name))
    assert extract(scan, [])[0].shape == (0, 3, 48, 64)
    assert extract_frames(scan, [])[0] == []


def test_iteration_can_stop_early(folder: Path) -> None:
    scan = scan_video(media.make_honest(folder, "h264.mp4"))
    frames: Iterator[tuple[int, int, NDArray[np.uint8]]] = iterate_frames(scan, [FrameRequest(tuple(range(60)), *SIZE)])
    number, position, frame = next(frames)
    assert (number, position, frame.shape) == (0, 0, (3, 48, 64))


# --- real footage -----------------------------------------------------------------------------------------------

FOOTAGE = os.environ.get("IVBENCH_TEST_MEDIA")


@pytest.mark.full
@pytest.mark.skipif(not FOOTAGE, reason="IVBENCH_TEST_MEDIA is not set: the folder of real footage")
def test_real_footage_is_exact() -> None:
    paths = sorted(path for path in Path(FOOTAGE or "").iterdir() if path.suffix in {".mp4", ".mkv", ".webm", ".mov"})
    assert paths
    for path in paths:
        scan, plain = scan_video(path), decode_plainly(path)
        assert scan.frames == len(plain.frames), path.name
        frames, decode_path, _ = extract(scan, range(scan.frames))
        assert decode_path == "selective", path.name
        assert all(np.array_equal(a, b) for a, b in zip(frames, plain.frames, strict=True)), path.name
        some = np.random.default_rng(1).choice(scan.frames, 12).tolist()
        again, _, packets_fed = extract(scan, some)
        assert all(np.array_equal(a, plain.frames[i]) for a, i in zip(again, some, strict=True)), path.name
        assert scan._packets is not None
        assert packets_fed == len(needed_packets(scan._packets, some)), path.name
