"""Every fault is found at the depth that promises it, and nothing whole is refused."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path

import av
import pytest
from faulty_media import (
    FAULTS_OF_A_FILE,
    FPS,
    cut,
    draw_scenes,
    drop_fragment,
    remux,
    write_audio,
    write_video,
)
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.boxes import check_structure
from ivbench_data.errors import UnreadableVideoError
from ivbench_data.verify import check_file_quick

FRAGMENTED = "+frag_keyframe+empty_moov+default_base_moof"
SECONDS = 20


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same 20 s as files of every container that downloads come in."""
    folder = tmp_path_factory.mktemp("media")
    front = write_video(folder / "front.mp4", draw_scenes(SECONDS))
    return {
        "index in front": front,
        "index at the end": remux(front, folder / "end.mp4", movflags="-faststart"),
        "fragmented": remux(front, folder / "fragmented.mp4", movflags=FRAGMENTED),
        "mkv": remux(front, folder / "h264.mkv"),
        "webm": write_video(folder / "vp9.webm", draw_scenes(SECONDS), codec="libvpx-vp9"),
        "ts": write_video(folder / "h264.ts", draw_scenes(SECONDS)),
    }


def write_fault(source: Path, folder: Path, fault: str) -> Path:
    path = folder / f"broken{source.suffix}"
    path.write_bytes(FAULTS_OF_A_FILE[fault][1](source.read_bytes()))
    return path


# --- quick ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["index in front", "index at the end", "fragmented", "mkv", "webm", "ts"])
def test_quick_tells_what_a_whole_file_holds(media: dict[str, Path], kind: str) -> None:
    facts = check_file_quick(media[kind], expected_seconds=SECONDS)
    assert (facts.width, facts.height, facts.frames) == (320, 180, SECONDS * FPS)
    assert facts.duration_seconds == pytest.approx(SECONDS, abs=0.01)
    assert facts.codec == ("vp9" if kind == "webm" else "h264")
    assert facts.size_bytes == media[kind].stat().st_size


@pytest.mark.parametrize("fault", [name for name, (depth, _) in FAULTS_OF_A_FILE.items() if depth == "quick"])
@pytest.mark.parametrize("kind", ["index in front", "index at the end", "fragmented", "mkv", "webm"])
def test_quick_finds(media: dict[str, Path], tmp_path: Path, kind: str, fault: str) -> None:
    broken = write_fault(media[kind], tmp_path, fault)
    with pytest.raises(UnreadableVideoError, match=broken.name):
        check_file_quick(broken)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_quick_finds_a_missing_fragment_and_says_where(media: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    skipped = tmp_path / "skipped.mp4"
    skipped.write_bytes(drop_fragment(media["fragmented"].read_bytes(), which=4))
    remuxed = remux(skipped, tmp_path / f"remuxed{suffix}")  # as downloaders do: the boxes are whole again
    for path in (skipped, remuxed):
        with pytest.raises(UnreadableVideoError, match=r"gaps? of 2\.0 s at 8\.0 s"):
            check_file_quick(path)


def test_quick_takes_a_variable_frame_rate_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "slides.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 320, 180, "yuv420p", Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        for at, picture in enumerate(draw_scenes(2)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = at * 40 + (at // 8) * 4_000  # a slide stands for 4 s, then a short animation
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert check_file_quick(path).frames == 2 * FPS


def test_quick_finds_a_file_without_video(tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideoError, match="no video"):
        check_file_quick(write_audio(tmp_path / "audio.mp4"))


def test_quick_finds_a_video_shorter_than_its_source_says(media: dict[str, Path]) -> None:
    with pytest.raises(UnreadableVideoError, match=r"20\.0 s where the source says 25\.0 s"):
        check_file_quick(media["fragmented"], expected_seconds=25)
    check_file_quick(media["fragmented"], expected_seconds=21)


def test_quick_does_not_care_what_the_file_is_called(media: dict[str, Path], tmp_path: Path) -> None:
    odd = tmp_path / "-x %d.part"
    odd.write_bytes(media["index in front"].read_bytes())
    assert check_file_quick(odd).frames == SECONDS * FPS


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile {target}\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:20\n#EXTINF:20,\n{target}\n#EXT-X-ENDLIST\n",
        "<?xml version='1.0'?><MPD><BaseURL>{target}</BaseURL></MPD>",
    ],
)
def test_a_playlist_in_a_videos_clothes_leads_nowhere(media: dict[str, Path], tmp_path: Path, text: str) -> None:
    hostile = tmp_path / "hostile.mp4"
    hostile.write_text(text.format(target=media["index in front"]))
    with pytest.raises(UnreadableVideoError):
        check_file_quick(hostile)


def test_a_missing_file_and_a_folder_are_told_as_such(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.mp4", tmp_path):
        with pytest.raises(UnreadableVideoError, match="cannot be read"):
            check_file_quick(path)


@given(st.binary(max_size=64), st.sampled_from([b"", b"\0\0\0\x08ftyp", b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI "]))
def test_no_bytes_can_do_more_than_be_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(start + content)
    with contextlib.suppress(UnreadableVideoError):
        check_structure(path)


@given(share=st.floats(1e-5, 0.999))
def test_every_cut_breaks_the_row_of_boxes(media: dict[str, Path], share: float) -> None:
    # WebM, MP4 with its index in front: nothing but their structure tells that the end is gone
    for kind in ("index in front", "webm", "mkv"):
        content = media[kind].read_bytes()
        shorter = cut(content, share)
        path = media[kind].with_name(f"cut{os.getpid()}")
        path.write_bytes(shorter)
        if len(shorter) < len(content):
            with pytest.raises(UnreadableVideoError):
                check_structure(path)
        path.unlink()
