"""One clock for everybody: what timestamps come to, and what is said of them, in files as people have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import media
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data import cli
from ivbench_data.dataset import Dataset
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.frames.frame_file import read_frame_file, write_frame_file
from ivbench_data.frames.reader import read_frames
from ivbench_data.schema import CacheResult, Evidence, FrameGrid, Question, Video
from ivbench_data.validate.coverage.evidence_coverage import CoverageOptions, cover_questions
from ivbench_data.video.decode import FrameRequest, extract_frames, scan_video, walk_packets
from ivbench_data.video.decode.clock import Clock, make_clock
from ivbench_data.video.decode.stream_times import StreamTimes
from ivbench_data.video.fingerprint import make_fingerprint
from ivbench_data.video.verify import VerifyOptions, verify_videos
from ivbench_data.workspace import Workspace

MILLISECONDS = StreamTimes(Fraction(1, 1000), Fraction(25))
JOINABLE = StreamTimes(Fraction(1, 1000), Fraction(25), may_jump=True)
NO_B = {"bf": "0", "g": "25", "preset": "ultrafast"}


def ticks(shown: Sequence[int | None], times: StreamTimes = MILLISECONDS) -> list[float]:
    """Mended times in milliseconds after zero."""
    return (make_clock(shown, times).pts_seconds * 1000).round(3).tolist()


# --- timestamps alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "mended", "repairs"),
    [
        ([0, 40, 80, 120], [0, 40, 80, 120], {}),
        ([7, 40, 80, 5000], [0, 33, 73, 4993], {}),
        ([0, 40, 80, 80, 160, 200], [0, 40, 80, 120, 160, 200], {"duplicate": 1}),
        ([0, 40, 120, 120, 160, 200], [0, 40, 80, 120, 160, 200], {"duplicate": 1}),
        ([0, 40, 80, 80, 4000, 4040], [0, 40, 80, 120, 4000, 4040], {"duplicate": 1}),
        ([0, 40, 80, 120, 120], [0, 40, 80, 120, 160], {"duplicate": 1}),
        ([0, 0, 80, 120], [0, 40, 80, 120], {"duplicate": 1}),
        ([0, 40, None, 120, 160], [0, 40, 80, 120, 160], {"missing": 1}),
        ([None, 40, 80, 120], [0, 40, 80, 120], {"missing": 1}),
        ([0, 40, 80, None, None], [0, 40, 80, 120, 160], {"missing": 2}),
        ([0, 1, 2, None, 3, 4], [0, 1, 2, 2.5, 3, 4], {"missing": 1}),
        ([0, 40, 900, 120, 160, 200], [0, 40, 80, 120, 160, 200], {"misplaced": 1}),
        ([0, 40, 80, 5, 160, 200, 240], [0, 40, 80, 120, 160, 200, 240], {"misplaced": 1}),
        ([0, 40, 80, 0, 40, 80], [0, 40, 80, 120, 160, 200], {"jump": 1}),
        ([9000, 9040, 9080, 40, 80, 120], [0, 40, 80, 120, 160, 200], {"jump": 1}),
        ([0, 160, 80, 40, 120, 320, 240, 200, 280], [0, 40, 80, 120, 160, 200, 240, 280, 320], {}),
    ],
)
def test_timestamps_are_mended_from_their_neighbours(
    shown: list[int | None], mended: list[float], repairs: dict[str, int]
) -> None:
    clock = make_clock(shown, MILLISECONDS)
    assert (clock.pts_seconds * 1000).round(3).tolist() == mended
    assert clock.repairs == repairs
    assert clock.is_plain == (not repairs)
    assert all(name in clock.describe()[0] for name in repairs)


def test_a_leap_is_a_jump_where_files_are_joined_and_no_sound_goes_on() -> None:
    shown = [0, 40, 80, 600_000, 600_040, 600_080]
    assert ticks(shown) == shown  # a pause
    assert ticks(shown, JOINABLE) == [0, 40, 80, 120, 160, 200]
    assert ticks([0, 40, 80, 9_000], JOINABLE) == [0, 40, 80, 9_000]  # a lost part, or a still one
    with_sound = StreamTimes(JOINABLE.time_base, JOINABLE.rate, True, has_sound=lambda start, end: True)
    assert ticks(shown, with_sound) == shown
    assert ticks([0, 40, 80, 200_000_000, 200_000_040]) == [0, 40, 80, 120, 160]  # no pause lasts two days
    assert ticks([0, 40, 80, 200_000_000, 160, 200]) == [0, 40, 80, 120, 160, 200]
    assert make_clock([0, 40, 80, 200_000_000, 160, 200], MILLISECONDS).repairs == {"misplaced": 1}


def test_sound_in_the_pause_is_looked_for_on_the_containers_clock() -> None:
    asked: list[tuple[Fraction, Fraction]] = []

    def has_sound(start: Fraction, end: Fraction) -> bool:
        asked.append((start, end))
        return False

    times = StreamTimes(Fraction(1, 1000), Fraction(25), True, has_sound=has_sound)
    make_clock([0, 40, 100_040, 100_080, 300_080], times)
    assert asked == [(Fraction(104, 100), Fraction(9904, 100)), (Fraction(10108, 100), Fraction(29908, 100))]


def test_a_file_without_times_has_an_invented_clock() -> None:
    clock = make_clock([None] * 5, StreamTimes(Fraction(1, 90000), Fraction(30)))
    assert clock.pts_seconds.tolist() == [0, 1 / 30, 2 / 30, 3 / 30, 4 / 30]
    assert (clock.invented, clock.is_timed, clock.repairs) == (True, False, {"missing": 5})
    assert clock.duration_seconds == pytest.approx(5 / 30)
    assert make_clock([None] * 3, StreamTimes(Fraction(1), None)).pts_seconds.tolist() == [0, 0.04, 0.08]
    assert make_clock([0, 40], StreamTimes(Fraction(1, 1000), None, keeps_times=False)).invented
    assert not make_clock([0, 0, 80, 80], MILLISECONDS).invented
    assert make_clock([0, None, None, None, 160], MILLISECONDS).invented


def test_zero_is_the_players_where_the_picture_comes_late() -> None:
    late = StreamTimes(Fraction(1, 1000), Fraction(25), sound_start_seconds=Fraction(1, 10))
    clock = make_clock([3100, 3140, 3180], late, last_duration=40)
    assert (clock.zero, clock.offset_seconds, clock.duration_seconds) == ("player", 3.0, 3.12)
    assert clock.pts_seconds.tolist() == [3.0, 3.04, 3.08]
    assert "3.000 s after the sound" in clock.describe()[0]
    soon = make_clock([590, 630], late)
    assert (soon.zero, soon.pts_seconds.tolist(), soon.is_plain) == ("first frame", [0, 0.04], True)


@given(
    st.lists(st.integers(1, 200), min_size=2, max_size=60),
    st.data(),
    st.booleans(),
)
def test_any_timestamps_come_to_a_clock_that_ascends(steps: list[int], data: st.DataObject, joinable: bool) -> None:
    shown: list[int | None] = [sum(steps[:at]) for at in range(len(steps))]
    for at in data.draw(st.lists(st.integers(0, len(shown) - 1), max_size=12)):
        shown[at] = data.draw(st.one_of(st.none(), st.integers(-(10**9), 10**9)))
    clock = make_clock(shown, JOINABLE if joinable else MILLISECONDS)
    assert len(clock.pts) == len(shown)
    assert all(a < b for a, b in pairwise(clock.pts.tolist()))
    assert clock.duration_seconds > 0 or len(shown) == 1
    assert clock.is_plain or clock.describe()
    assert json.loads(clock.to_json())["repairs"] == clock.repairs


@given(st.lists(st.integers(33, 42), min_size=8, max_size=60), st.data())
def test_one_wrong_timestamp_moves_no_other_frame(steps: list[int], data: st.DataObject) -> None:
    shown: list[int | None] = [sum(steps[:at]) for at in range(len(steps))]
    at = data.draw(st.integers(2, len(shown) - 3))
    wrong = data.draw(st.sampled_from([None, shown[at - 1], shown[at + 1]]))
    clock = make_clock([*shown[:at], wrong, *shown[at + 1 :]], MILLISECONDS)
    pts = (clock.pts_seconds * 1000).round(6).tolist()
    kept = [place for place in range(len(shown)) if pts[place] == shown[place]]
    assert len(kept) >= len(shown) - 1
    assert sum(clock.repairs.values()) == 1


# --- files ------------------------------------------------------------------------------------------------------


def stamp(pts: Sequence[int]) -> dict[str, object]:
    """Those timestamps for the packets of a stream without B-frames; decoding times that no muxer refuses."""

    def edit(packet: av.Packet, number: int) -> list[av.Packet]:
        packet.pts, packet.dts = pts[number], number - 1000
        return [packet]

    return {"edit_packet": edit}


def place(root: Path, path: Path, *evidence: Evidence) -> Dataset:
    video = Video(video_id="v")
    question = Question(
        question_id="q", video_id="v", question="?", question_type="mcq", options=("a", "b"), answer_index=0,
        answer="a", task="A", source="own", evidence=evidence,
    )  # fmt: skip
    dataset = Dataset("set", (video,), questions=(question,) if evidence else ())
    dataset.save(root)
    videos = Workspace(root, "set").videos
    videos.mkdir(parents=True, exist_ok=True)
    (videos / f"v{path.suffix}").write_bytes(path.read_bytes())
    return dataset


def cache(dataset: Dataset, root: Path, *grids: str, trust_times: bool = False) -> list[CacheResult]:
    options = CacheOptions(workers=0, trust_times=trust_times)
    return list(cache_frames(dataset, root, [FrameGrid.parse(grid) for grid in grids], options))


def write_with_sound(path: Path, picture_at: float, sound: Sequence[tuple[float, float]], pts: Sequence[int]) -> None:
    """A video at 25 frames a second that begins so many seconds in, and sound from one time to another."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=media.RATE, options=NO_B)
        audio = container.add_stream("aac", rate=16_000, layout="mono")
        stream.width, stream.height, stream.pix_fmt = media.WIDTH, media.HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, media.RATE)
        first = round(picture_at * media.RATE)
        packets = list(media.encode(stream, media.draw_frames(len(pts)), [first + at for at in pts]))
        for start, end in sound:
            for at in range(round(start * 16_000) // 1024, round(end * 16_000) // 1024):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                frame.sample_rate, frame.pts, frame.time_base = 16_000, at * 1024, Fraction(1, 16_000)
                packets += audio.encode(frame)
        packets += audio.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)


def check_the_same_for_all(path: Path) -> Clock:
    """What the scan says, once it is sure that packets, fingerprint and verify say the same."""
    scan, walk = scan_video(path), walk_packets(path)
    assert np.allclose(scan.pts_seconds, walk.clock.pts_seconds)
    assert scan.clock.to_json() == walk.clock.to_json()
    assert make_fingerprint(path, "v").duration_seconds == pytest.approx(scan.duration_seconds, abs=1e-6)
    (frames,), _ = extract_frames(scan, [FrameRequest(tuple(range(scan.frames)), 64, 48)])
    with av.open(str(path)) as container:
        assert len(frames) == sum(1 for _ in container.decode(video=0))
    return scan.clock


def test_one_duplicate_leaves_all_other_times(tmp_path: Path) -> None:
    pts = [0, *(700 + 100 * at for at in range(160)), *(20_000 + 100 * at for at in range(40))]
    doubled = [*pts[:90], pts[89], *pts[91:]]
    for name, stamps in (("n.mkv", pts), ("d.mkv", doubled)):
        images = media.draw_frames(len(pts), 64, 48)
        media.write_video(tmp_path / name, "libvpx", images=images, rate=1000, **stamp(stamps))
    path = tmp_path / "d.mkv"
    clock = check_the_same_for_all(path)
    plain = check_the_same_for_all(tmp_path / "n.mkv")
    assert plain.is_plain
    assert clock.repairs == {"duplicate": 1}
    assert clock.pts_seconds.tolist() == plain.pts_seconds.tolist()

    dataset = place(tmp_path, path)
    few, span = cache(dataset, tmp_path, "64x48-fps1", "4x48-span15_16")
    assert few.frames == 24
    assert span.status == "done"
    assert (few.reason or "").startswith("mended clock: 1 duplicate, of 201 timestamps; still stretches: ")
    clip = read_frames("set", "v", "4x48-span15_16", tmp_path)
    assert clip.pts_seconds.min() >= 14.9
    assert clip.pts_seconds.max() <= 16
    assert json.loads(clip.metadata["clock"])["repairs"] == {"duplicate": 1}
    for depth in ("quick", "default"):
        (row,) = verify_videos(dataset, tmp_path, depth, VerifyOptions(workers=0))
        assert (row.status, row.reason) == ("ok", few.reason)
        assert row.duration_seconds == pytest.approx(23.9, abs=0.11)


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "2"}), ("libx264", NO_B), ("mpeg4", {"bf": "0"})])
def test_an_avi_with_frames_left_out_keeps_its_length(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    path = tmp_path / "drop.avi"
    media.write_video(path, codec, media.draw_frames(50), options=options, pts=[2 * at for at in range(50)])
    clock = check_the_same_for_all(path)
    assert clock.pts_seconds == pytest.approx(np.arange(50) * 0.08)
    assert not clock.invented


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_picture_that_comes_late_is_on_the_players_clock(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"late{suffix}"
    write_with_sound(path, 3.0, [(0, 7)], range(100))
    clock = check_the_same_for_all(path)
    assert clock.zero == "player"
    assert clock.offset_seconds == pytest.approx(3.0, abs=0.08)  # sound begins with some silence of the encoder's
    dataset = place(tmp_path, path, Evidence(kind="point", start_seconds=5.2))
    rows = cache(dataset, tmp_path, "1x48-span5.2_9", "64x48-fps1", "4x48-core_frames")
    assert [row.status for row in rows] == ["done"] * 3
    shown = {row.grid: read_frames("set", "v", row.grid, tmp_path) for row in rows}
    assert shown["1x48-span5.2_9"].indices[0] == pytest.approx(55, abs=2)
    assert shown["4x48-core_frames"].indices.tolist() == shown["1x48-span5.2_9"].indices.tolist()
    each_second = shown["64x48-fps1"].pts_seconds
    assert 2.9 <= each_second[0] <= 4
    assert np.diff(each_second) == pytest.approx(1.0, abs=0.05)
    assert all(row.reason is not None and row.reason.startswith("late picture") for row in rows)
    assert json.loads(shown["64x48-fps1"].metadata["clock"])["zero"] == "player"
    (covered,) = cover_questions(dataset, tmp_path, [FrameGrid.parse("100x48")])
    assert covered.is_seen


def test_frames_chosen_by_times_that_are_mended_now_are_chosen_anew(tmp_path: Path) -> None:
    late, plain = tmp_path / "late.mp4", tmp_path / "plain.mp4"
    write_with_sound(late, 3.0, [(0, 7)], range(100))
    media.write_video(plain, images=media.draw_frames(50))
    by_time, by_place = ("8x48-fps1", "2x48-span4_6"), "4x48"
    for path, rebuilt in ((late, set(by_time)), (plain, set())):
        dataset = place(tmp_path, path)
        grids = (*by_time[: 2 if path == late else 1], by_place)
        cache(dataset, tmp_path, *grids)
        assert {row.status for row in cache(dataset, tmp_path, *grids)} == {"skipped"}
        files = {name: Workspace(tmp_path, "set").cache_path(FrameGrid.parse(name), "v") for name in grids}
        for file in files.values():  # as they were written before clocks were mended
            clip, later = read_frame_file(file), {"clock", "display", "display_digest"}
            frames, metadata = clip.frames.copy(), {k: v for k, v in clip.metadata.items() if k not in later}
            size = (frames.shape[3], frames.shape[2])
            with write_frame_file(file, size, clip.pts_seconds.copy(), clip.indices.copy(), metadata) as writer:
                for position, frame in enumerate(frames):
                    writer.put(position, frame)
        before = {
            name: Workspace(tmp_path, "set").cache_path(FrameGrid.parse(name), "v").read_bytes() for name in grids
        }
        rows = cache(dataset, tmp_path, *grids)
        assert {row.grid for row in rows if row.status == "done"} == rebuilt
        for name in set(grids) - rebuilt:
            assert files[name].read_bytes() == before[name]
        assert {row.status for row in cache(dataset, tmp_path, *grids)} == {"skipped"}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".flv"])
def test_wrong_timestamps_among_reordered_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"

    def edit(packet: av.Packet, number: int) -> list[av.Packet]:
        if number in (10, 25, 40):
            packet.pts -= 1  # another frame's
        return [packet]

    media.write_video(path, images=media.draw_frames(60, 64, 48), options={"bf": "2", "g": "20"}, edit_packet=edit)
    clock = check_the_same_for_all(path)
    assert clock.repairs == {"duplicate": 3}
    assert clock.pts_seconds == pytest.approx(np.arange(60) * 0.04, abs=0.041)
    assert np.diff(clock.pts_seconds).min() > 0.01


def join(path: Path, *starts: int, frames: int = 50) -> None:
    """MPEG-TS files, each beginning at that frame's time, one behind the other."""
    content = b""
    for part, start in enumerate(starts):
        images = media.draw_frames(frames, seed=part)
        media.write_video(path, images=images, options={"bf": "2", "g": "25"}, pts=range(start, start + frames))
        content += path.read_bytes()
    path.write_bytes(content)


@pytest.mark.parametrize(
    "starts",
    [(100, 15_100), (100, 100), (5_000, 100), (100, 4_000, 100), (2_000_000, 100), (100, 60)],
    ids=["ahead", "again", "back", "there and back", "back over the wrap-around", "back a little"],
)
def test_joined_recordings_go_on_where_the_former_ended(tmp_path: Path, starts: tuple[int, ...]) -> None:
    path = tmp_path / "joined.ts"
    join(path, *starts)
    clock = check_the_same_for_all(path)
    assert clock.pts_seconds == pytest.approx(np.arange(50 * len(starts)) * 0.04)
    assert clock.repairs == {"jump": len(starts) - 1}
    (row,) = verify_videos(place(tmp_path, path), tmp_path, "quick", VerifyOptions(workers=0))
    assert (row.status, row.duration_seconds) == ("ok", pytest.approx(2.0 * len(starts)))
    assert f"mended clock: {len(starts) - 1} jump, of {len(clock.pts)} timestamps" in (row.reason or "")


def test_a_pause_with_sound_is_no_jump(tmp_path: Path) -> None:
    path, pts = tmp_path / "pause.ts", [*range(50), *range(500, 550)]
    write_with_sound(path, 0, [(0, 22)], pts)
    assert check_the_same_for_all(path).is_plain
    write_with_sound(path, 0, [(0, 2), (20, 22)], pts)
    assert check_the_same_for_all(path).repairs == {"jump": 1}


# --- invented clocks --------------------------------------------------------------------------------------------


def test_spans_and_coverage_rest_on_guessed_times_only_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bare.h264"
    media.write_video(path, options={"g": "10"})
    dataset = place(tmp_path, path, Evidence(kind="point", start_seconds=1.0))
    rows = {row.grid: row for row in cache(dataset, tmp_path, "4x48", "2x48-span0_1", "4x48-core_frames")}
    assert {row.grid for row in rows.values() if row.status == "failed"} == {"2x48-span0_1", "4x48-core_frames"}
    assert (rows["4x48"].reason or "").startswith("invented clock")
    assert all("--trust-times" in (row.reason or "") for row in rows.values() if row.status == "failed")
    for grid in ("4x48", "16x48"):  # by the cached frames, and by the file
        (row,) = cover_questions(dataset, tmp_path, [FrameGrid.parse(grid)])
        assert (row.is_seen, row.reason) == (None, "invented_clock")
        (row,) = cover_questions(dataset, tmp_path, [FrameGrid.parse(grid)], CoverageOptions(trust_times=True))
        assert row.is_seen is not None
    trusting = cache(dataset, tmp_path, "2x48-span0_1", "4x48-core_frames", trust_times=True)
    assert [row.status for row in trusting] == ["done", "done"]

    at = ["--root", str(tmp_path), "--dataset", "set"]
    assert cli.run(["coverage", "--grid", "4x48", "--no-figure", *at]) == 0
    assert "does not say when its frames are shown" in capsys.readouterr().err
    assert cli.run(["coverage", "--grid", "4x48", "--no-figure", "--trust-times", *at]) == 0
    assert "does not say" not in capsys.readouterr().err
    assert cli.run(["cache", "--grid", "3x48-span0_1", "--workers", "0", *at]) == 1
    assert cli.run(["cache", "--grid", "3x48-span0_1", "--workers", "0", "--trust-times", *at]) == 0
    assert "odd: v 3x48-span0_1: invented clock" in capsys.readouterr().err
    assert cli.run(["verify", "--quick", *at]) == 0
    assert "odd: v: invented clock" in capsys.readouterr().err
