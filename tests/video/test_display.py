"""What a player shows: shapes, the shown part, colours, the right stream; and what is said where frames differ."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np
import pytest
from av.stream import Disposition
from av.video.stream import VideoStream
from conftest import Outcome
from numpy.typing import NDArray

from ivbench_data.dataset import Dataset
from ivbench_data.errors import VideoError
from ivbench_data.frames import display_digest
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.frames.display_digest import needs_digest
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.schema import CacheResult, FrameGrid, Video
from ivbench_data.video.container_crop import Crop
from ivbench_data.video.decode import FrameRequest, extract_frames, scan_video, walk_packets
from ivbench_data.video.decode.resize_to_rgb import FrameConverter, FrameSize, check_matrix, describe_colours
from ivbench_data.video.mp4_boxes import read_element
from ivbench_data.video.rotation import NOT_ROTATED
from ivbench_data.video.verify import VerifyOptions, verify_videos
from ivbench_data.workspace import Workspace

HERE = CacheOptions(workers=0)
GRID = FrameGrid(nframes=4, res=48)
X264 = {"preset": "veryfast", "crf": "1"}


def write(path: Path, set_up: Callable[[VideoStream], None] | None = None, **options: str) -> Path:
    media.write_video(path, images=media.draw_frames(8), options={**X264, **options}, set_up=set_up)
    return path


def cache_one(root: Path, path: Path, grid: FrameGrid = GRID) -> CacheResult:
    """Cache a file as the one video of a dataset."""
    dataset = Dataset("set", (Video(video_id="v"),))
    videos = Workspace(root, "set").videos
    if not videos.exists():
        videos.mkdir(parents=True)
        dataset.save(root)
        (videos / f"v{path.suffix}").write_bytes(path.read_bytes())
    (row,) = cache_frames(dataset, root, [grid], HERE)
    return row


def names_of(oddities: tuple[str, ...]) -> list[str]:
    return [sentence.partition(":")[0] for sentence in oddities]


def add_clap(path: Path, width: int, height: int, right: int = 0, down: int = 0) -> None:
    """Write a clean aperture into an MP4's sample entry; offsets in half pixels from the middle."""
    box = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, right & 0xFFFFFFFF, 2, down & 0xFFFFFFFF, 2)
    content = bytearray(path.read_bytes())
    at = content.index(b"avcC") - 4
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        start = content.index(name, content.index(b"moov")) - 4
        struct.pack_into(">I", content, start, struct.unpack_from(">I", content, start)[0] + len(box))
    assert content.index(b"mdat") < content.index(b"moov"), "offsets of samples stay"
    content[at:at] = box
    path.write_bytes(content)


def find_element(content: bytes, parent: int, name: bytes) -> int:
    """Where the first element of that name within another begins."""
    at = parent + read_element(content[parent : parent + 12], parent)[2]
    while True:
        found, size, header = read_element(content[at : at + 12], at)
        if found == name:
            return at
        at += header + (size or 0)


def add_pixel_crop(path: Path, crop: Crop) -> None:
    """Write PixelCrop elements in the place of an MKV's Video element's padding: the element grows, and its parents."""
    content = path.read_bytes()
    added = b"".join(
        name + bytes([0x81, count])
        for name, count in zip((b"\x54\xcc", b"\x54\xbb", b"\x54\xdd", b"\x54\xaa"), crop, strict=True)
    )
    segment = content.index(b"\x18\x53\x80\x67")
    tracks = find_element(content, segment, b"\x16\x54\xae\x6b")
    track = find_element(content, tracks, b"\xae")
    video = find_element(content, track, b"\xe0")
    grown = bytearray(content)
    for at in (tracks + 4, track + 1, video + 1):
        length = 9 - content[at].bit_length()
        value = int.from_bytes(content[at : at + length], "big") + len(added)
        grown[at : at + length] = value.to_bytes(length, "big")
    end = video + 1 + (9 - content[video + 1].bit_length())
    grown[end:end] = added
    grown[segment + 4 : segment + 12] = b"\x01" + b"\xff" * 7  # of unknown size, as in a live recording
    path.write_bytes(grown)


# --- shapes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "turn", "shown", "size"),
    [
        (Fraction(64, 45), 0, (182, 96), (92, 48)),
        (Fraction(2), 0, (256, 96), (128, 48)),
        (Fraction(1, 2), 0, (128, 192), (48, 72)),
        (Fraction(2), 90, (96, 256), (48, 128)),
        (Fraction(1), 0, (128, 96), (64, 48)),
        (Fraction(4096, 4095), 0, (128, 96), (64, 48)),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pixels_that_are_not_square_keep_their_shape(
    tmp_path: Path, suffix: str, ratio: Fraction, turn: int, shown: tuple[int, int], size: tuple[int, int]
) -> None:
    if turn and suffix != ".mp4":
        pytest.skip("only an MP4's rotation is written here")
    path = write(tmp_path / f"a{suffix}", lambda stream: setattr(stream.codec_context, "sample_aspect_ratio", ratio))
    if turn:
        media.patch_rotation(path, media.ROTATIONS[turn])
    assert scan_video(path).displayed_size == shown
    row = cache_one(tmp_path, path)
    clip = read_frame_file(Workspace(tmp_path, "set").cache_path(GRID, "v"))
    assert clip.frames.shape == (4, 3, size[1], size[0])
    if shown in ((128, 96), (96, 128)):
        assert row.reason is None
        assert "display_digest" not in clip.metadata
    else:
        assert row.reason is not None
        assert row.reason.startswith("non-square pixels:")
        assert json.loads(clip.metadata["display"])["sample_aspect_ratio"] == f"{ratio.numerator}:{ratio.denominator}"


# --- the shown part -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv422p10le", "gray"])
@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_what_the_container_crops_is_not_shown(tmp_path: Path, kind: str, pix_fmt: str) -> None:
    path = tmp_path / f"a.{kind}"
    images = [np.full((96, 128, 3), 20, np.uint8) for _ in range(3)]
    for image in images:
        image[16:64, 32:112] = media.draw_frames(1, 80, 48).__next__()
    media.write_video(path, images=images, options=X264, pix_fmt=pix_fmt)
    (whole,), _ = extract_frames(scan_video(path), [FrameRequest((1,), 128, 96)])
    crop = Crop(32, 16, 16, 32)
    if kind == "mp4":
        add_clap(path, 80, 48, right=2 * 8, down=2 * -8)
    else:
        add_pixel_crop(path, crop)
    scan = scan_video(path)
    assert (scan.display.crop, scan.displayed_size) == (crop, (80, 48))
    assert "container crop" in names_of(scan.oddities)
    assert "container crop" in names_of(walk_packets(path).oddities)
    (frames,), _ = extract_frames(scan, [FrameRequest((1,), 80, 48)])
    inner = (slice(4, -4), slice(4, -4))  # swscale looks beyond the edge for chroma, and there is nothing now
    expected = whole[0][:, 16:64, 32:112]
    assert np.abs(frames[0][:, *inner].astype(int) - expected[:, *inner]).max() <= 2


def test_a_crop_that_leaves_nothing_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4")
    add_clap(path, 80, 48, right=2 * 100)
    assert scan_video(path).displayed_size == (128, 96)


# --- colours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv420p", "yuv444p10le"])
def test_ycgco_is_converted(pix_fmt: str, is_full: bool) -> None:
    """ITU-T H.273, equations 50 to 57, of one colour a frame."""
    depth = 10 if "10" in pix_fmt else 8
    for rgb in ((250, 10, 30), (0, 255, 0), (20, 60, 200), (128, 128, 128), (255, 255, 255)):
        red, green, blue = (value / 255 for value in rgb)
        luma, cg, co = (red + 2 * green + blue) / 4, (2 * green - red - blue) / 4, (red - blue) / 2
        if is_full:
            top = (1 << depth) - 1
            values = (luma * top, cg * top + (1 << depth - 1), co * top + (1 << depth - 1))
        else:
            step = 1 << depth - 8
            values = ((219 * luma + 16) * step, (224 * cg + 128) * step, (224 * co + 128) * step)
        frame = av.VideoFrame(64, 48, pix_fmt)
        for plane, value in zip(frame.planes, values, strict=True):
            kind = np.uint16 if depth > 8 else np.uint8
            number = min(round(value), (1 << depth) - 1)
            plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, number, kind).tobytes())
        frame.colorspace, frame.color_range = 8, 2 if is_full else 1
        (shown,) = FrameConverter(NOT_ROTATED).convert(frame, [FrameSize(32, 24)])
        assert np.abs(shown.reshape(3, -1).T.astype(int) - rgb).max() <= 2
        assert describe_colours(frame) == ("ycgco", "full" if is_full else "limited")


@pytest.mark.parametrize(
    ("matrix", "name"),
    [(0, "rgb"), (3, "number 3"), (10, "bt2020-constant-luminance"), (14, "ictcp"), (16, "ycgco-re")],
)
def test_a_matrix_that_is_not_supported_is_refused_by_name(matrix: int, name: str) -> None:
    frame = av.VideoFrame(64, 48, "yuv444p")
    frame.colorspace = matrix
    with pytest.raises(VideoError, match=f"x.mp4: unsupported matrix: .* {name}"):
        check_matrix(Path("x.mp4"), frame)
    grey = av.VideoFrame(64, 48, "gray")
    grey.colorspace = matrix
    check_matrix(Path("x.mp4"), grey)


def test_a_file_with_such_a_matrix_is_no_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", lambda stream: setattr(stream.codec_context, "colorspace", 10))
    row = cache_one(tmp_path, path)
    assert (row.status, row.level) == ("failed", "not examined")
    assert "bt2020-constant-luminance" in str(row.reason)


@pytest.mark.parametrize(("transfer", "name"), [(16, "pq"), (18, "hlg")])
def test_hdr_is_said_and_kept_beside_the_frames(tmp_path: Path, transfer: int, name: str) -> None:
    def tag(stream: VideoStream) -> None:
        stream.codec_context.color_trc, stream.codec_context.color_primaries = transfer, 9
        stream.codec_context.colorspace = 9

    path = write(tmp_path / "a.mp4", tag)
    row = cache_one(tmp_path, path)
    assert (row.status, row.level) == ("done", "odd")
    assert f"HDR: its transfer is {name}" in str(row.reason)
    metadata = read_frame_file(Workspace(tmp_path, "set").cache_path(GRID, "v")).metadata
    display = json.loads(metadata["display"])
    assert (display["transfer"], display["primaries"], display["matrix"]) == (name, "bt2020", "bt2020")
    for depth in ("quick", "default"):
        (checked,) = verify_videos(Dataset("set", (Video(video_id="v"),)), tmp_path, depth, VerifyOptions(workers=0))
        assert "HDR" in str(checked.reason)


@pytest.mark.parametrize(
    ("codec", "options"), [("libx264", {"x264-params": "tff=1"}), ("mpeg2video", {"flags": "+ildct"})]
)
def test_interlaced_material_is_named(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    path = tmp_path / "a.mp4"
    media.write_video(path, codec, images=media.draw_frames(8), options=options)
    assert names_of(scan_video(path).oddities) == ["interlaced"]


# --- the right stream -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_picture_is_no_video_and_rivals_are_named(tmp_path: Path, suffix: str) -> None:
    """A thumbnail that is not marked as a cover, larger, and first, with the default flag."""
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mjpeg", rate=1)
        assert isinstance(picture, VideoStream)
        picture.width, picture.height, picture.pix_fmt = 320, 240, "yuvj420p"
        picture.disposition = Disposition.default.value
        stream = container.add_stream("libx264", rate=media.RATE, options=X264)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = media.WIDTH, media.HEIGHT, "yuv420p"
        stream.codec_context.time_base, picture.codec_context.time_base = Fraction(1, media.RATE), Fraction(1, 1)
        stream.disposition = 0
        drawn: list[NDArray[np.uint8]] = [np.full((240, 320, 3), 90, np.uint8)]
        for packet in [*list(media.encode(picture, drawn))[:1], *media.encode(stream, media.draw_frames(20))]:
            container.mux(packet)
    scan = scan_video(path)
    assert (scan.codec, scan.frames) == ("h264", 20)
    assert names_of(scan.oddities) == ["several streams"]
    assert "mjpeg 320×240" in scan.display.rivals[0]


@pytest.mark.parametrize("name", ["h264_size_change.ts", "h264_size_change.mp4", "vp9_size_change.webm"])
def test_a_size_that_changes_midway_is_named(tmp_path: Path, name: str) -> None:
    row = cache_one(tmp_path, media.make_honest(tmp_path, name))
    assert (row.status, row.level) == ("done", "odd")
    assert "changing size: frames are " in str(row.reason)
    clip = read_frame_file(Workspace(tmp_path, "set").cache_path(GRID, "v"))
    assert len(clip.metadata["sizes"].split(", ")) == 2


# --- on the command line --------------------------------------------------------------------------------------------


def test_info_shows_one_video(tmp_path: Path, run_cli: Callable[..., Outcome]) -> None:
    path = write(tmp_path / "a.mp4", lambda stream: setattr(stream.codec_context, "sample_aspect_ratio", Fraction(2)))
    cache_one(tmp_path, path)
    shown = run_cli("info", "--video", "v", "--dataset", "set", "--root", tmp_path)
    assert shown.code == 0
    for words in ("displayed size", "256x96", "non-square pixels: they are shown 2:1 wide"):
        assert words in shown.out
    facts = json.loads(run_cli("info", "--video", path, "--json", "--root", tmp_path).out)
    assert (facts["level"], facts["sample_aspect_ratio"], facts["frames"]) == ("odd", "2:1", scan_video(path).frames)
    assert facts["times_count_from"] == "first frame"


@pytest.mark.parametrize(
    ("content", "words"), [(b"<html>no</html>", "a web page, not a video"), (None, "is neither a file nor a video")]
)
def test_info_says_what_is_no_video(
    tmp_path: Path, run_cli: Callable[..., Outcome], content: bytes | None, words: str
) -> None:
    path = tmp_path / "page.mp4"
    if content is not None:
        path.write_bytes(content)
    shown = run_cli("info", "--video", path, "--root", tmp_path)
    assert shown.code != 0
    assert words in shown.err
    assert "Traceback" not in shown.err


# --- digests --------------------------------------------------------------------------------------------------------


def test_plain_and_rotated_videos_keep_files_without_a_digest(tmp_path: Path) -> None:
    for turn in (0, 90):
        path = write(tmp_path / f"{turn}.mp4")
        media.patch_rotation(path, media.ROTATIONS[turn])
        root = tmp_path / str(turn)
        assert cache_one(root, path).status == "done"
        assert (
            not {"display", "display_digest"}
            & read_frame_file(Workspace(root, "set").cache_path(GRID, "v")).metadata.keys()
        )
        assert cache_one(root, path).status == "skipped"


@pytest.mark.parametrize("grid", [GRID, FrameGrid(nframes=4, res=48, fps=5)], ids=["by number", "by time"])
def test_a_finished_cache_opens_each_plain_video_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grid: FrameGrid
) -> None:
    path, opened = write(tmp_path / "a.mp4"), []
    monkeypatch.setattr(display_digest, "needs_digest", lambda *given: opened.append(given) or needs_digest(*given))
    statuses = [cache_one(tmp_path, path, grid).status for _ in range(4)]
    assert (statuses, len(opened)) == (["done", *["skipped"] * 3], 1)
    os.utime(Workspace(tmp_path, "set").videos / "v.mp4", ns=(0, 0))  # what was changed is looked at again
    assert cache_one(tmp_path, path, grid).status == "skipped"
    assert len(opened) == 2


@pytest.mark.parametrize("name", ["sar", "times"])
def test_a_file_of_such_a_video_without_a_digest_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    grid = GRID if name == "sar" else FrameGrid(nframes=4, res=48, fps=5)
    if name == "sar":
        path = write(tmp_path / "a.mp4", lambda s: setattr(s.codec_context, "sample_aspect_ratio", Fraction(2)))
    else:
        path = media.make_honest(tmp_path, "h264_repeated_times.mkv")
    with monkeypatch.context() as patch:
        patch.setattr("ivbench_data.frames.cache._describe_display", lambda scan, grid: {})
        assert cache_one(tmp_path, path, grid).status == "done"
    assert "display_digest" not in read_frame_file(Workspace(tmp_path, "set").cache_path(grid, "v")).metadata
    assert cache_one(tmp_path, path, grid).status == "done"
    assert len(read_frame_file(Workspace(tmp_path, "set").cache_path(grid, "v")).metadata["display_digest"]) == 64
    assert cache_one(tmp_path, path, grid).status == "skipped"
