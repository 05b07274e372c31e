"""The same content is recognised in every encoding; other, trimmed and partly replaced content is not taken for it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import cycle, islice, permutations
from pathlib import Path

import numpy as np
import pytest
from faulty_media import FPS, draw_scenes, letterbox, show_at_rate, write_video
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data import cli
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UnreadableVideoError
from ivbench_data.schema import Video
from ivbench_data.video.content_match import Comparison, compare_content
from ivbench_data.video.fingerprint import (
    MAX_STEP_SECONDS,
    Fingerprint,
    make_fingerprint,
    read_fingerprints,
    sample_times,
    write_fingerprints,
)
from ivbench_data.video.verify import verify_videos

SECONDS = 40
ENCODINGS: dict[str, tuple[str, Callable[[Path], tuple[Iterator[np.ndarray], float]], dict[str, str]]] = {
    "scale": (".mp4", lambda source: (show_at_rate(source, FPS, 120), FPS), {}),
    "bitrate": (".mp4", lambda source: (show_at_rate(source, FPS, 180), FPS), {"b": "60000"}),
    "VP9": (".webm", lambda source: (show_at_rate(source, FPS, 180), FPS), {}),
    "10 fps": (".mp4", lambda source: (show_at_rate(source, 10, 180), 10), {}),
    "letterbox": (".mp4", lambda source: (letterbox(show_at_rate(source, FPS, 180)), FPS), {}),
}


def encode(source: Path, folder: Path, encoding: str) -> Path:
    suffix, show, codec_options = ENCODINGS[encoding]
    frames, fps = show(source)
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    path = folder / f"{source.stem}-{encoding.replace(' ', '')}{suffix}"
    return write_video(path, frames, codec=codec, fps=fps, codec_options=codec_options)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Videos of nearly the same length that show nothing in common."""
    folder = tmp_path_factory.mktemp("sources")
    return [
        write_video(folder / f"video{seed}.mp4", draw_scenes(SECONDS - seed / 10, seed, scene_seconds=4.0 + seed))
        for seed in range(3)
    ]


@pytest.fixture(scope="module")
def reference(sources: list[Path]) -> Fingerprint:
    return make_fingerprint(sources[0], "video0")


# --- making -----------------------------------------------------------------------------------------------------


@given(st.floats(0, 20_000))
def test_times_are_fixed_close_and_many(duration: float) -> None:
    times = sample_times(duration)
    steps = np.diff(times)
    assert np.allclose(steps, steps[0] if len(steps) else 0)
    assert all(step <= MAX_STEP_SECONDS for step in steps)
    assert len(times) >= 16 or duration < 1
    if duration > 1:
        assert times[0] >= 0
        assert times[-1] < duration + 1e-6
        # nearly the same length, the same times as far as both go: or one has them twice as close
        other = sample_times(duration + 0.3)
        assert other[: len(times)] == times or other[0] in (times[0] * 2, times[0] / 2)


def test_a_fingerprint_is_small_and_survives_its_file(reference: Fingerprint, tmp_path: Path) -> None:
    line = reference.model_dump_json(exclude_defaults=True)
    assert len(line) < 1000
    assert "phash64-2" in line
    path = tmp_path / "fingerprints.jsonl"
    path.write_text(line + "\n" + line.replace("phash64-2", "phash64-9").replace("video0", "video9") + "\nnot JSON\n")
    fingerprints, bad = read_fingerprints(path)
    assert fingerprints == {"video0": reference}
    assert [line.line for line in bad] == [2, 3]


def test_a_fingerprint_with_a_time_too_many_is_refused(reference: Fingerprint) -> None:
    fields = reference.model_dump()
    with pytest.raises(ValueError, match="hashes for"):
        Fingerprint.model_validate({**fields, "times_seconds": (*reference.times_seconds, 1000.0)})
    with pytest.raises(ValueError, match="ascend"):
        Fingerprint.model_validate({**fields, "times_seconds": reference.times_seconds[::-1]})


# --- comparing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding",
    [name if name in ("scale", "letterbox") else pytest.param(name, marks=pytest.mark.full) for name in ENCODINGS],
)
def test_the_same_content_is_known_in_another_encoding(
    sources: list[Path], reference: Fingerprint, tmp_path: Path, encoding: str
) -> None:
    found = compare_content(encode(sources[0], tmp_path, encoding), reference)
    assert found.result == "same", found
    assert found.median_distance <= 4


@pytest.mark.full
def test_other_content_is_never_taken_for_the_same(sources: list[Path], demo_media: Path) -> None:
    for videos in (sources, sorted((demo_media / "demo/videos").iterdir())[::2]):
        fingerprints = {path: make_fingerprint(path, "x") for path in videos}
        for path, other in permutations(videos, 2):
            assert compare_content(path, fingerprints[other]).result == "different", (path, other)


@pytest.mark.full
def test_the_demos_videos_are_known_in_other_encodings(demo_media: Path, tmp_path: Path) -> None:
    for path, encoding in zip(sorted((demo_media / "demo/videos").iterdir()), cycle(("scale", "letterbox"))):
        fingerprint = make_fingerprint(path, "x")
        assert compare_content(path, fingerprint).median_distance == 0
        found = compare_content(encode(path, tmp_path, encoding), fingerprint)
        assert found.result == "same", (path, encoding, found)


@pytest.mark.parametrize("start", [17.5, *(pytest.param(start, marks=pytest.mark.full) for start in (0, 8, 30))])
def test_ten_seconds_replaced_are_found_within_five(
    sources: list[Path], reference: Fingerprint, tmp_path: Path, start: float
) -> None:
    check_replaced(compare_content(replace_span(sources[0], sources[1], tmp_path, start), reference), start)


@pytest.mark.full
def test_a_replaced_span_without_the_bars_of_the_rest_is_found(sources: list[Path], tmp_path: Path) -> None:
    barred = write_video(tmp_path / "barred.mp4", letterbox(show_at_rate(sources[0], FPS, 180)))
    found = compare_content(replace_span(barred, sources[1], tmp_path, 17.5, height=300), make_fingerprint(barred, "x"))
    check_replaced(found, 17.5)


@pytest.mark.parametrize(
    "where", ["in between", *(pytest.param(end, marks=pytest.mark.full) for end in ("at the beginning", "at the end"))]
)
def test_a_trim_of_a_second_is_found(sources: list[Path], reference: Fingerprint, tmp_path: Path, where: str) -> None:
    found = compare_content(trim(sources[0], tmp_path, where, FPS, 180), reference)
    assert found.result == "trimmed", found
    assert found.duration_difference_seconds == pytest.approx(-1, abs=0.05)
    assert where in found.reason
    offsets = {"at the beginning": (-1, -1), "in between": (0, -1), "at the end": (0, 0)}[where]
    assert found.offset_seconds == pytest.approx(offsets, abs=0.26)


def test_content_that_comes_later_says_by_how_much(sources: list[Path], reference: Fingerprint, tmp_path: Path) -> None:
    def show_later() -> Iterator[np.ndarray]:
        yield from islice(show_at_rate(sources[1], FPS, 180), 3 * FPS // 2)
        yield from islice(show_at_rate(sources[0], FPS, 180), SECONDS * FPS - 3 * FPS // 2)

    found = compare_content(write_video(tmp_path / "later.mp4", show_later()), reference)
    assert found.result == "trimmed", found
    assert found.offset_seconds == pytest.approx((1.5, 1.5), abs=0.13)
    assert "1.5 s later" in found.reason


def test_frames_without_contrast_do_not_decide(tmp_path: Path) -> None:
    def fade(seed: int) -> Iterator[np.ndarray]:
        black = np.zeros((180, 320, 3), np.uint8)
        yield from (black for _ in range(5 * FPS))
        yield from draw_scenes(15, seed)
        yield from (black for _ in range(5 * FPS))

    path = write_video(tmp_path / "fades.mp4", fade(0))
    fingerprint = make_fingerprint(path, "fades")
    assert fingerprint.hashes[0] is None
    assert compare_content(encode(path, tmp_path, "bitrate"), fingerprint).result == "same"
    assert compare_content(write_video(tmp_path / "other.mp4", fade(1)), fingerprint).result != "same"


@pytest.mark.parametrize("size", [(2, 2), (16, 2), (10, 200)])
def test_the_smallest_pictures_have_fingerprints_too(tmp_path: Path, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    pictures = (
        np.pad(rng.integers(0, 255, (1, 1, 3), np.uint8), ((0, size[0] - 1), (0, size[1] - 1), (0, 0)))
        for _ in range(5)
    )
    path = write_video(tmp_path / "tiny.mp4", pictures)
    assert compare_content(path, make_fingerprint(path, "tiny")).result == "same"


def test_black_is_not_taken_for_a_video_that_shows_something(reference: Fingerprint, tmp_path: Path) -> None:
    black = write_video(tmp_path / "black.mp4", (np.zeros((180, 320, 3), np.uint8) for _ in range(SECONDS * FPS)))
    assert compare_content(black, reference).result == "different"
    of_black = make_fingerprint(black, "black")
    assert set(of_black.hashes) == {None}
    assert compare_content(black, of_black).result == "same"


def replace_span(source: Path, other: Path, folder: Path, start: float, fps: float = FPS, height: int = 180) -> Path:
    """The source with ten seconds of the other video in it."""
    first, last = round(start * fps), round((start + 10) * fps)

    def show() -> Iterator[np.ndarray]:
        intruder = show_at_rate(other, fps, height)
        for at, picture in enumerate(show_at_rate(source, fps, height)):
            yield fit(next(intruder), picture) if first <= at < last else picture

    return write_video(folder / f"replaced{start}.mp4", show(), fps=fps)


def fit(picture: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The picture at another one's size."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((like.shape[1], like.shape[0])))


def trim(source: Path, folder: Path, where: str, fps: float, height: int) -> Path:
    """The source without one second."""
    frames = list(show_at_rate(source, fps, height))
    second = round(fps)
    start = {"at the beginning": 0, "in between": len(frames) // 2, "at the end": len(frames) - second}[where]
    return write_video(folder / "trimmed.mp4", frames[:start] + frames[start + second :], fps=fps)


def check_replaced(found: Comparison, start: float) -> None:
    assert found.result == "replaced", found
    assert found.replaced_seconds[0][0] == pytest.approx(start, abs=5)
    assert found.replaced_seconds[-1][1] == pytest.approx(start + 10, abs=5)


# --- real footage -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def footage() -> list[Path]:
    if "IVBENCH_TEST_MEDIA" not in os.environ:
        pytest.skip("IVBENCH_TEST_MEDIA is not set: the folder of real footage")
    return sorted(Path(os.environ["IVBENCH_TEST_MEDIA"]).glob("*.mp4"))


@pytest.mark.full
@pytest.mark.parametrize("with_all_pairs", [False, pytest.param(True, marks=pytest.mark.proof)])
def test_real_footage_is_known_in_every_encoding_and_never_mistaken(
    footage: list[Path], tmp_path: Path, with_all_pairs: bool
) -> None:
    """Each file in each encoding, beside its own fingerprint and another's: with all pairs, beside all others'."""
    fingerprints = {path: make_fingerprint(path, path.stem) for path in footage}
    files = {path: [path, *(encode(path, tmp_path, encoding) for encoding in ENCODINGS)] for path in footage}
    mistakes = []
    for number, (source, encoded) in enumerate(files.items()):
        for shift, path in enumerate(encoded):
            other = footage[(number + 1 + shift % (len(footage) - 1)) % len(footage)]
            for reference_path in footage if with_all_pairs else {source, other}:
                fingerprint = fingerprints[reference_path]
                found = compare_content(path, fingerprint)
                if (found.result == "same") != (source == reference_path):
                    mistakes.append((path.name, reference_path.name, found))
    assert not mistakes


@pytest.mark.full
def test_replaced_and_trimmed_real_footage_is_found(footage: list[Path], tmp_path: Path) -> None:
    for number, path in enumerate(footage):
        fingerprint = make_fingerprint(path, path.stem)
        if fingerprint.duration_seconds >= 28:
            for start in (0, 7.3, fingerprint.duration_seconds - 10):
                other = footage[(number + 1) % len(footage)]
                check_replaced(compare_content(replace_span(path, other, tmp_path, start, 12), fingerprint), start)
        for where in ("at the beginning", "in between", "at the end"):
            found = compare_content(trim(path, tmp_path, where, 12, 120), fingerprint)
            assert found.result == "trimmed", (path, where, found)
            assert found.duration_difference_seconds == pytest.approx(-1, abs=0.2)


# --- datasets and the command line ------------------------------------------------------------------------------


@pytest.fixture
def dataset(sources: list[Path], tmp_path: Path) -> Dataset:
    made = Dataset("test", videos=tuple(Video(video_id=name) for name in ("-a", "b", "absent")))
    folder = made.save(tmp_path).videos
    folder.mkdir()
    shutil.copy(sources[0], folder / "-a.mp4")
    shutil.copy(sources[1], folder / "b.mp4")
    return made


@pytest.mark.full
def test_fingerprints_are_written_kept_and_compared(
    dataset: Dataset, sources: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--dataset", "test", "--root", str(tmp_path)]
    assert cli.run(["verify", "--write-fingerprints", *at]) == 0
    assert "nobody else has confirmed" in " ".join(capsys.readouterr().err.split())
    path = tmp_path / "test/fingerprints.jsonl"
    first = path.read_bytes()
    assert set(read_fingerprints(path)[0]) == {"-a", "b"}
    contents = {row.video_id: row.content for row in verify_videos(dataset, tmp_path)}
    assert contents == {"-a": "same", "b": "same", "absent": None}

    theirs = tmp_path / "theirs.jsonl"
    theirs.write_bytes(first)
    (tmp_path / "test/videos/-a.mp4").unlink()
    encode(sources[0], tmp_path, "VP9").rename(tmp_path / "test/videos/-a.webm")
    shutil.copy(sources[2], tmp_path / "test/videos/b.mp4")
    assert cli.run(["verify", "--against", str(theirs), "--json", *at]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {row["video_id"]: (row["status"], row["content"]) for row in document["rows"]} == {
        "-a": ("ok", "same"), "b": ("failed", "different"), "absent": ("missing", None)
    }  # fmt: skip

    # what is not here keeps its fingerprint; what has changed gets another
    (tmp_path / "test/videos/-a.webm").unlink()
    list(write_fingerprints(dataset, tmp_path, workers=0))
    now = path.read_bytes()
    assert now.splitlines()[0] == first.splitlines()[0]
    assert now.splitlines()[1] != first.splitlines()[1]


@pytest.mark.full
def test_an_interrupted_run_keeps_what_it_made(dataset: Dataset, tmp_path: Path) -> None:
    rows = write_fingerprints(dataset, tmp_path, workers=0)
    next(rows)
    rows.close()  # type: ignore[attr-defined]  # it is a generator, and this is how a caller stops one
    assert set(read_fingerprints(tmp_path / "test/fingerprints.jsonl")[0]) == {"-a"}
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_damaged_file_gets_no_fingerprint(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "test/videos/b.mp4").write_bytes(b"\0" * 5000)
    rows = {row.video_id: row.status for row in write_fingerprints(dataset, tmp_path, workers=0)}
    assert rows == {"-a": "ok", "b": "failed", "absent": "missing"}
    with pytest.raises(UnreadableVideoError):
        make_fingerprint(tmp_path / "test/videos/b.mp4", "b")


def test_fingerprints_of_other_videos_are_refused(dataset: Dataset, reference: Fingerprint, tmp_path: Path) -> None:
    at = ["--dataset", "test", "--root", str(tmp_path)]
    theirs = tmp_path / "theirs.jsonl"
    assert cli.run(["verify", "--against", str(theirs), *at]) == 2
    theirs.write_text(reference.model_dump_json() + "\n")
    assert cli.run(["verify", "--against", str(theirs), *at]) == 2
