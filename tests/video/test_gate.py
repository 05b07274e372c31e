"""One gate: `fetch`, `verify`, `cache` and `import` say the same of a file, and what is only odd passes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import av
import media
import numpy as np
import pytest
from faulty_media import FAULTS_OF_A_FILE, list_boxes, write_audio

from ivbench_data import cli
from ivbench_data.dataset import Dataset
from ivbench_data.errors import NotAVideoError, UnreadableVideoError
from ivbench_data.fetch import FetchOptions, fetch_videos
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.schema import FrameGrid, Level, Question, Video
from ivbench_data.video.decode import FrameRequest, extract_frames, scan_video
from ivbench_data.video.mp4_boxes import examine_structure
from ivbench_data.video.verify import VerifyOptions, verify_videos
from ivbench_data.video.whole_decode import find_ffmpeg
from ivbench_data.workspace import Workspace

needs_ffmpeg = pytest.mark.skipif(find_ffmpeg() is None, reason="no ffmpeg: the extra `fetch` is not installed")
OPEN_GOP = {"preset": "veryfast", "bf": "3", "g": "12", "x264-params": "open-gop=1:b-pyramid=normal:ref=4:scenecut=0"}


def examine(root: Path, path: Path) -> dict[str, tuple[Level, str | None]]:
    """Level and reason by each who examines the file: all its frames, but for `quick` and `fetch`."""
    dataset = Dataset("set", (Video(video_id="v"),))
    dataset.save(root)
    videos = Workspace(root, "set").videos
    videos.mkdir(parents=True, exist_ok=True)
    for old in videos.iterdir():
        old.unlink()
    file = videos / f"v{path.suffix}"
    file.write_bytes(path.read_bytes())
    seen: dict[str, tuple[Level, str | None]] = {}
    for depth in ("quick", "default", "deep") if find_ffmpeg() else ("quick", "default"):
        (row,) = verify_videos(dataset, root, depth, VerifyOptions(workers=0))
        assert (row.status == "ok") == (row.level not in ("damaged", "not a video")), row
        seen[depth] = row.level, row.reason
    grid = FrameGrid(nframes=1024, res=16)
    Workspace(root, "set").cache_path(grid, "v").unlink(missing_ok=True)
    (cached,) = cache_frames(dataset, root, [grid], CacheOptions(workers=0))
    assert (cached.status == "done") == (cached.level in ("sound", "odd")), cached
    seen["cache"] = cached.level, cached.reason
    theirs = root / "theirs"
    theirs.mkdir(exist_ok=True)
    (theirs / f"v{path.suffix}").write_bytes(path.read_bytes())
    file.unlink()
    (fetched,) = fetch_videos(dataset, root, FetchOptions(sources=(str(theirs),), retry="all", attempts=1))
    assert (fetched.status == "ok") == (fetched.level == "not examined"), fetched
    seen["fetch"] = fetched.level, fetched.reason
    (theirs / f"v{path.suffix}").unlink()
    return seen


def agree(root: Path, path: Path) -> tuple[Level, str]:
    """The level and the names of what is odd, once it is sure that nobody says otherwise."""
    seen = examine(root, path)
    level = seen["cache"][0]
    assert seen.get("deep", seen["cache"])[0] == level  # both looked at every frame
    assert all(other in (level, "not examined") for who, (other, _) in seen.items() if who in ("quick", "fetch"))
    if level == "damaged" and seen["default"][0] != "damaged":
        return level, seen["cache"][1] or ""  # none of the 16 frames that it looked at
    assert seen["default"][0] == level
    if level in ("damaged", "not a video"):
        return level, seen["default"][1] or ""
    assert seen["quick"][0] == seen["fetch"][0] == "not examined"  # they decode nothing
    names = {
        who: [sentence.partition(":")[0] for sentence in (reason or "").split("; ")]
        for who, (_, reason) in seen.items()
    }
    assert names["cache"] == names["default"]
    assert set(names["quick"]) <= {*names["default"], ""}
    assert names["fetch"] == names["quick"]
    assert [name for name in names.get("deep", names["cache"]) if name != "ffmpeg complains"] == names["cache"]
    return level, ", ".join(names["cache"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    media.write_video(path, images=media.draw_frames(50), options={"preset": "veryfast", "bf": "2", "g": "20"})
    return path


# --- bytes behind the end ---------------------------------------------------------------------------------------

TAILS: dict[str, bytes] = {
    "a phone's notes": b"\0\0\x0b\x0cImage_UTC_Data1734567890123SEFHk\0\0\0\x01\0\0\0\0\0\x0b\x0c#\0\0\0SEFT",
    "noise": np.random.default_rng(0).bytes(700),
    "text": b"\r\n--boundary--\r\nthe end of an upload\r\n",
    "zeros": bytes(4096),
    "seven bytes": b"1234567",
    "a box of nobody's, and more": struct.pack(">I4s", 16, b"abcd") + b"12345678" + b"not a box",
    "a tag": b"TAG" + b"A title".ljust(125),
}


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("container", ["mp4", "mp4, index at the end", "mkv", "avi"])
def test_bytes_behind_the_end_are_odd(tmp_path: Path, plain: Path, container: str, tail: str) -> None:
    path = tmp_path / f"v.{container[:3]}"
    options = {"movflags": "+faststart"} if container == "mp4" else {}
    media.write_video(path, "mpeg4", images=media.draw_frames(12), container_options=options)
    path.write_bytes(path.read_bytes() + TAILS[tail])
    scan = scan_video(path)
    assert [sentence.partition(":")[0] for sentence in scan.oddities] == ["trailing bytes"]
    extract_frames(scan, [FrameRequest(tuple(range(scan.frames)), 16, 16)])


def test_all_agree_on_bytes_behind_the_end(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(plain.read_bytes() + TAILS["noise"])
    assert agree(tmp_path, path) == ("odd", "trailing bytes")


@pytest.mark.parametrize("fragmented", [False, True])
def test_lost_media_is_no_tail(tmp_path: Path, fragmented: bool) -> None:
    path = tmp_path / "v.mp4"
    movflags = "+frag_keyframe+empty_moov" if fragmented else "+faststart"
    media.write_video(path, images=media.draw_frames(60), options={"g": "10"}, container_options={"movflags": movflags})
    content = path.read_bytes()
    boxes = list_boxes(content)
    start, end, _ = next(box for box in boxes[4:] if box[2] == b"moof") if fragmented else boxes[-1]
    broken = {
        "another name": content[: start + 4] + b"ab\0d" + content[start + 8 :],
        "cut in a header": content[: start + 5],
        "cut in a box": content[: (start + end) // 2],
        "too long": content[:start] + struct.pack(">I", 1 << 30) + content[start + 4 :],
    }
    for damaged in broken.values():
        path.write_bytes(damaged)
        with pytest.raises(UnreadableVideoError):
            examine_structure(path)


# --- recordings that begin in the middle ------------------------------------------------------------------------


def frames_of(path: Path) -> list[bytes]:
    scan = scan_video(path)
    (frames,), _ = extract_frames(scan, [FrameRequest(tuple(range(scan.frames)), 64, 48)])
    return [frame.tobytes() for frame in frames]


@pytest.mark.parametrize("cut_at", [188 * 20, 188 * 20 + 100, 188 * 33 + 7])
@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_recording_of_a_stream_begins_at_its_first_keyframe(tmp_path: Path, codec: str, cut_at: int) -> None:
    whole, cut = tmp_path / "whole.ts", tmp_path / "cut.ts"
    media.write_video(whole, codec, images=media.draw_frames(75), options={"bf": "2", "g": "25", "b": "300k"})
    cut.write_bytes(whole.read_bytes()[cut_at:])
    expected = frames_of(whole)
    with av.open(str(cut)) as container:
        shown = sum(1 for _ in container.decode(video=0))
    assert agree(tmp_path, cut)[0] == "odd"
    assert "starts in the middle" in "; ".join(scan_video(cut).oddities)
    frames = frames_of(cut)
    assert len(frames) == shown
    assert frames == expected[-len(frames) :]


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_segments_of_a_stream_one_behind_the_other_are_whole(tmp_path: Path, codec: str) -> None:
    path, content = tmp_path / "v.ts", []
    for part in range(4):
        images = list(media.draw_frames(100, 64, 48))[25 * part : 25 * part + 25]
        options = {"bf": "0", "g": "25", "b": "300k"}
        media.write_video(path, codec, images, options=options, pts=range(25 * part + 50, 25 * part + 75))
        content.append(path.read_bytes())
    path.write_bytes(b"".join(content))
    assert agree(tmp_path, path) == ("odd", "joined")
    assert scan_video(path).frames == 100
    path.write_bytes(b"".join([*content[:2], content[3]]))  # one was never downloaded
    level, reason = agree(tmp_path, path)
    assert level == "damaged"
    assert "fragments are missing" in reason
    whole = content[0]
    path.write_bytes(whole[: 188 * 12] + whole[188 * 14 :] + content[1])  # bytes of one are lost
    assert agree(tmp_path, path)[0] == "damaged"


def cut_at_keyframe(source: Path, target: Path, which: int) -> None:
    """The packets from a keyframe on, as `ffmpeg -c copy` leaves them."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        seen = 0
        for packet in read.demux(video=0):
            seen += packet.is_keyframe
            if packet.size and seen > which:
                packet.stream = stream
                written.mux(packet)


@pytest.mark.parametrize(("suffix", "which"), [(".mp4", 1), (".mp4", 2), (".mp4", 3), (".mkv", 2), (".mkv", 4)])
def test_a_copy_cut_inside_open_groups_shows_the_frames_of_the_whole(tmp_path: Path, suffix: str, which: int) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / f"cut{suffix}"
    media.write_video(whole, images=media.draw_frames(80), options=OPEN_GOP)
    expected = frames_of(whole)
    cut_at_keyframe(whole, cut, which)
    frames = frames_of(cut)
    assert frames == expected[-len(frames) :]
    with av.open(str(cut)) as container:
        assert len(frames) == sum(1 for frame in container.decode(video=0) if not frame.is_corrupt)
    assert agree(tmp_path, cut)[0] in ("odd", "sound")


def test_an_open_group_of_several_slices_is_a_beginning_too(tmp_path: Path) -> None:
    # of several slices, a decoder that may not guess calls every frame corrupt, in the whole file as in the cut
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    params = "keyint=25:min-keyint=25:open-gop=1:bframes=3:b-adapt=0:scenecut=0:slices=2"
    options = {"preset": "fast", "crf": "10", "x264-params": params}
    media.write_video(whole, images=media.draw_frames(75), options=options)
    cut_at_keyframe(whole, cut, 1)
    assert frames_of(cut) == frames_of(whole)[-len(frames_of(cut)) :]
    assert agree(tmp_path, cut)[0] == "odd"


def test_a_first_keyframe_that_is_damaged_is_no_beginning_in_the_middle(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "v.mp4"
    content = bytearray(plain.read_bytes())
    start = next(start for start, _, name in list_boxes(bytes(content)) if name == b"mdat")
    content[start + 800 : start + 1000] = np.random.default_rng(0).bytes(200)
    path.write_bytes(content)
    assert agree(tmp_path, path)[0] == "damaged"


# --- what is no video -------------------------------------------------------------------------------------------

NO_VIDEOS: dict[str, tuple[bytes, str]] = {
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n", "git lfs pull"),
    "annex": (b"/annex/objects/SHA256E-s1--0.mp4\n", "git annex get"),
    "page": (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
    "error": (b'{"error": "not found"}', "JSON"),
    "text": (b"Not Found", "text"),
    "list": (b"#EXTM3U\n#EXTINF:5,\nother.ts\n", "a playlist"),
    "DASH": (b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash"></MPD>', "a playlist"),
    "picture": (b"\xff\xd8\xff\xe0" + bytes(100), "a JPEG picture"),
    "archive": (b"PK\x03\x04" + bytes(100), "unpack it"),
    "music": (b"ID3\x04" + bytes(100), "sound alone"),
}


@pytest.mark.parametrize("name", NO_VIDEOS)
def test_what_is_no_video_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / "v.mp4"
    content, words = NO_VIDEOS[name]
    path.write_bytes(content)
    level, reason = agree(tmp_path, path)
    assert level == "not a video"
    assert words in reason
    assert reason.startswith("v.mp4: ")


def encrypt(path: Path) -> None:
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "00112233445566778899aabbccddeeff",
        "encryption_kid": "112233445566778899aabbccddeeff00",
    }
    media.write_video(path, images=media.draw_frames(12), container_options=options)


def scramble(path: Path) -> None:
    media.write_video(path, images=media.draw_frames(40))
    content = bytearray(path.read_bytes())
    for at in range(0, len(content), 188):
        if (content[at + 1] & 0x1F) << 8 | content[at + 2] == 0x100:
            content[at + 3] |= 0x80
    path.write_bytes(content)


def element(name: str, data: bytes) -> bytes:
    return bytes.fromhex(name) + (1 << 56 | len(data)).to_bytes(8, "big") + data


def lock(path: Path) -> None:
    """Matroska whose one track says that it is encrypted."""
    encodings = element("6d80", element("6240", element("5035", b"")))
    tracks = element("1654ae6b", element("ae", element("d7", b"\1") + encodings))
    path.write_bytes(element("1a45dfa3", b"") + element("18538067", tracks + element("1f43b675", bytes(100))))


@pytest.mark.parametrize(("suffix", "make"), [(".mp4", encrypt), (".ts", scramble), (".mkv", lock)])
def test_encrypted_video_is_called_so(tmp_path: Path, suffix: str, make: Callable[[Path], None]) -> None:
    path = tmp_path / f"v{suffix}"
    make(path)
    level, reason = agree(tmp_path, path)
    assert level == "not a video"
    assert "encrypted" in reason
    assert "DRM" in reason


def test_sound_alone_is_called_so(tmp_path: Path) -> None:
    level, reason = agree(tmp_path, write_audio(tmp_path / "v.mp4"))
    assert level == "not a video"
    assert "no video stream" in reason
    with pytest.raises(NotAVideoError):
        scan_video(tmp_path / "v.mp4")


# --- agreement --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "container", "suffix"),
    [
        ("flv", "flv", ".mp4"),
        ("mpeg2video", "mpeg", ".mp4"),
        ("wmv2", "asf", ".avi"),
        ("libx264", "mpegts", ".mp4"),
        ("libvpx", "ogg", ".webm"),
    ],
)
def test_a_container_under_another_name_passes_everywhere(
    tmp_path: Path, codec: str, container: str, suffix: str
) -> None:
    path = tmp_path / f"v{suffix}"
    media.write_video(path, codec, images=media.draw_frames(30), container_format=container)
    assert agree(tmp_path, path) == ("sound", "")


@needs_ffmpeg
@pytest.mark.full
@pytest.mark.parametrize("name", media.HONEST)
def test_all_agree_on_every_honest_file(tmp_path: Path, name: str) -> None:
    level, names = agree(tmp_path, media.make_honest(tmp_path, name))
    assert level in ("sound", "odd"), names


@needs_ffmpeg
@pytest.mark.full
@pytest.mark.parametrize("fault", FAULTS_OF_A_FILE)
@pytest.mark.parametrize("name", ["h264.mp4", "h264_fragmented.mp4", "vp9.webm", "h264_vfr.mkv"])
def test_all_agree_on_every_fault(tmp_path: Path, name: str, fault: str) -> None:
    source = media.make_honest(tmp_path, name)
    broken = tmp_path / f"broken{source.suffix}"
    try:
        broken.write_bytes(FAULTS_OF_A_FILE[fault][1](source.read_bytes()))
    except ValueError:
        pytest.skip("the file is too small for this fault")
    agree(tmp_path, broken)


def test_the_command_line_names_what_is_odd_and_what_is_no_video(
    tmp_path: Path, plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = Dataset("set", (Video(video_id="odd"), Video(video_id="page"), Video(video_id="whole")))
    dataset.save(tmp_path)
    videos = Workspace(tmp_path, "set").videos
    videos.mkdir(parents=True)
    (videos / "odd.mp4").write_bytes(plain.read_bytes() + bytes(20))
    (videos / "page.mp4").write_bytes(b"<html></html>")
    (videos / "whole.mp4").write_bytes(plain.read_bytes())
    at = ["--root", str(tmp_path), "--dataset", "set"]
    assert cli.run(["verify", *at, "--json"]) == 1
    rows = {row["video_id"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert {name: row["level"] for name, row in rows.items()} == {
        "odd": "odd", "page": "not a video", "whole": "sound"
    }  # fmt: skip
    assert cli.run(["cache", "--grid", "4x16", "--workers", "0", *at]) == 1
    printed = " ".join(capsys.readouterr().err.split())
    assert "odd: odd 4x16: trailing bytes: 20" in printed
    assert "page.mp4: a web page, not a video" in printed
    question = Question(
        question_id="q", video_id="page", question="?", question_type="mcq", options=("a", "b"), answer_index=0,
        answer="a", task="A", source="own",
    )  # fmt: skip
    release = Dataset("release", dataset.videos, questions=(question,)).save(tmp_path / "release").folder
    assert cli.run(["import", "native", str(release), "--dataset", "set", "--root", str(tmp_path)]) == 0
    assert "not a video: videos/page.mp4" in " ".join(capsys.readouterr().err.split())
