from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ivbench_data.dataset import Dataset, load
from ivbench_data.frames.cache import cache_frames
from ivbench_data.perceptual_hash import (
    HashIndex,
    group_near,
    hash_frames,
    hash_picture,
    is_flat,
    make_crops,
    measure_distances,
)
from ivbench_data.schema import Finding, FrameGrid, QueryImage, Question, Video
from ivbench_data.sources import import_dataset
from ivbench_data.strict_json import write_jsonl
from ivbench_data.validate.checks import CheckContext, validate_questions
from ivbench_data.validate.checks.image_leaks import MAX_DISTANCE, find_in_video, iterate_grey_frames, read_grey_image
from ivbench_data.video.decode import FrameRequest, extract_frames, scan_video
from ivbench_data.video.fingerprint import Fingerprint
from ivbench_data.workspace import Workspace

Change = Callable[[Image.Image], Image.Image]


def paint(seed: int, width: int = 160, height: int = 120) -> Image.Image:
    """A picture with soft random patches, unlike that of any other seed."""
    patches = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)


def make_image_set(root: Path, **images: Image.Image | bytes | None) -> tuple[Dataset, CheckContext]:
    """A dataset with a question an image, and the images' files (None: no file)."""
    workspace = Workspace(root, "made")
    workspace.images.mkdir(parents=True)
    questions = []
    for number, (name, image) in enumerate(images.items()):
        if isinstance(image, bytes):
            (workspace.images / name).write_bytes(image)
        elif image is not None:
            image.save(workspace.images / name, "PNG")
        questions.append(
            Question(
                question_id=f"q{number}", video_id=f"v{number}", image_ids=(name,), question="?",
                options=("a", "b"), answer_index=0, answer="a", task="t", source="made",
            )
        )  # fmt: skip
    listed = tuple(QueryImage(image_id=name) for name in images)
    return Dataset("made", images=listed, questions=tuple(questions)), CheckContext(workspace)


def find(dataset: Dataset, context: CheckContext, *checks: str) -> list[Finding]:
    return list(validate_questions(dataset, context, checks))


IMAGE_CHECKS = ("image_missing", "image_unreadable", "image_too_small", "image_too_large", "near_duplicate_images")


def encode(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def make_bomb() -> bytes:
    """A PNG of a few hundred bytes whose header claims 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    content = zlib.compress(b"\0" * 10_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def test_good_images_are_let_pass(tmp_path: Path) -> None:
    dataset, context = make_image_set(tmp_path, a=paint(1), b=paint(2), c=encode(paint(3), "JPEG"))
    assert find(dataset, context, *IMAGE_CHECKS) == []
    assert find(dataset, CheckContext(), *IMAGE_CHECKS) == []


def test_missing_images_are_named_once_some_are_there(tmp_path: Path) -> None:
    dataset, context = make_image_set(tmp_path / "some", a=paint(1), b=None)
    (missing,) = find(dataset, context, *IMAGE_CHECKS)
    assert (missing.check, missing.severity, missing.image_id) == ("image_missing", "error", "b")
    assert missing.question_id == "q1"
    dataset, context = make_image_set(tmp_path / "none", a=None, b=None)
    (missing,) = find(dataset, context, *IMAGE_CHECKS)
    assert (missing.severity, missing.evidence) == ("info", {"images": 2})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>not found</html>",
        encode(paint(1))[:-400],
        encode(paint(1), "JPEG")[:-900],
        b"%!PS-Adobe-3.0 EPSF-3.0",
    ],
    ids=["empty", "html", "cut png", "cut jpeg", "eps"],
)
def test_unreadable_images(tmp_path: Path, content: bytes) -> None:
    dataset, context = make_image_set(tmp_path, bad=content, good=paint(2))
    (found,) = find(dataset, context, *IMAGE_CHECKS)
    assert (found.check, found.severity, found.image_id) == ("image_unreadable", "error", "bad")


@pytest.mark.parametrize(("size", "is_small"), [((31, 400), True), ((400, 1), True), ((32, 32), False)])
def test_small_images(tmp_path: Path, size: tuple[int, int], is_small: bool) -> None:
    dataset, context = make_image_set(tmp_path, a=paint(1, *size), b=paint(2))
    found = find(dataset, context, "image_too_small")
    assert [finding.severity for finding in found] == (["warning"] if is_small else [])


def test_bombs_are_refused_by_their_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(self: Image.Image) -> None:
        raise AssertionError("a bomb was decoded")

    dataset, context = make_image_set(tmp_path, bomb=make_bomb(), wide=encode(Image.new("L", (60_000, 900))))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    found = find(dataset, context, *IMAGE_CHECKS)
    assert [(finding.check, finding.severity, finding.image_id) for finding in found] == [
        ("image_too_large", "error", "bomb"),
        ("image_too_large", "error", "wide"),
    ]


def test_near_duplicates_under_other_names(tmp_path: Path) -> None:
    copy = paint(1).resize((240, 180))
    dataset, context = make_image_set(
        tmp_path, a=paint(1), b=paint(2), c=encode(copy, "JPEG"), d=Image.new("L", (99, 99)), e=Image.new("L", (80, 80))
    )
    (found,) = find(dataset, context, *IMAGE_CHECKS)
    assert (found.check, found.evidence["image_ids"]) == ("near_duplicate_images", ["a", "c"])


# --- hashes -------------------------------------------------------------------------------------------------------


def test_hashes_agree_with_imagehash() -> None:
    for seed in range(20):
        picture = paint(seed).convert("L")
        ours = int(hash_frames(np.asarray(picture, np.float32)[None])[0])
        assert (ours ^ int(str(imagehash.phash(picture)), 16)).bit_count() <= 6
        assert (ours ^ int(str(imagehash.phash(paint(seed + 100).convert("L"))), 16)).bit_count() >= 14


@pytest.mark.parametrize(
    ("seed", "expected"), [(0, 0x80BF00FF00FFFF00), (1, 0xFE01FE01FE7E0106), (2, 0x83FC03FCFC037C03)]
)
def test_hashes_of_published_fingerprints_never_change(seed: int, expected: int) -> None:
    y, x = np.mgrid[:90, :160]
    picture = ((np.sin(x / (7 + seed)) * np.cos(y / (5 + 2 * seed)) + 1) * 127).astype(np.uint8)
    assert hash_picture(picture) == expected
    assert not is_flat(picture)
    assert is_flat(picture // 64)


def test_the_hash_of_a_crop_is_that_of_the_cropped_picture() -> None:
    frame = np.asarray(paint(5, 200, 100).convert("L"), np.float32)
    for crop in make_crops(0.9):
        left, top = round(crop.left * 200), round(crop.top * 100)
        cut = frame[top : top + 90, left : left + 180]
        assert (int(hash_frames(frame[None], crop)[0]) ^ int(hash_frames(cut[None])[0])).bit_count() <= 1


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6), st.lists(st.integers(0, 63), max_size=8))
def test_the_index_finds_what_comparing_all_finds(values: list[int], flips: list[int]) -> None:
    near = values[0]
    for bit in flips:
        near ^= 1 << bit
    index = HashIndex()
    for value in [*values, near]:
        index.add(value)
    for wanted in (near, values[-1]):
        expected = [(n, (value ^ wanted).bit_count()) for n, value in enumerate([*values, near])]
        assert index.find(wanted) == [(number, distance) for number, distance in expected if distance <= 7]
        distances = measure_distances(np.array([*values, near], np.uint64), np.uint64(wanted))
        assert distances.tolist() == [distance for _, distance in expected]


def test_near_hashes_are_grouped_without_comparing_all() -> None:
    dice = random.Random(1)
    values = [dice.getrandbits(64) for _ in range(20_000)]
    values += [values[7] ^ 0b101, values[7], values[7]]
    assert list(group_near(values, 4)) == [[(7, 0), (20_001, 0), (20_002, 0), (20_000, 2)]]
    with pytest.raises(ValueError, match="at most 7"):
        HashIndex().find(0, 8)


def test_near_duplicate_videos_by_their_fingerprints(tmp_path: Path) -> None:
    dice = random.Random(2)
    film = [dice.getrandbits(64) for _ in range(20)]
    title = dice.getrandbits(64)
    rows = {
        "original": [*film, title],
        "copy": [value ^ (1 << dice.randrange(64)) for value in film[2:]],
        "other": [*(dice.getrandbits(64) for _ in range(20)), title],
        "elsewhere": film,
    }
    dataset = Dataset("made", videos=tuple(Video(video_id=name) for name in ("original", "copy", "other", "without")))
    workspace = Workspace(tmp_path, "made")
    workspace.folder.mkdir()
    assert find(dataset, CheckContext(workspace), "near_duplicate_videos") == []
    fingerprints = [
        Fingerprint(
            video_id=name,
            method="phash64-1",
            duration_seconds=5.0 * len(row),
            times_seconds=tuple(5.0 * number for number in range(len(row) + 1)),
            hashes=(None, *(f"{value:016x}" for value in row)),
        )
        for name, row in rows.items()
    ]
    write_jsonl(workspace.folder / "fingerprints.jsonl", fingerprints)
    (found,) = find(dataset, CheckContext(workspace), "near_duplicate_videos")
    assert (found.video_id, found.evidence) == ("copy", {"other_video_id": "original", "share": 1.0, "frames": 18})


# --- the query image in its own video ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Workspace]:
    """The demo, with links to its media in a root that can be written to."""
    root = tmp_path_factory.mktemp("leaks")
    made = Workspace(demo_media, "demo")
    import_dataset("demo", made.raw, root)
    workspace = Workspace(root, "demo")
    workspace.videos.symlink_to(made.videos)
    workspace.images.symlink_to(made.images)
    return load(workspace.folder), workspace


def compress(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=30)
    return Image.open(file)


def crop(image: Image.Image, left: float, top: float) -> Image.Image:
    width, height = image.size
    return image.crop(
        (round(left * width), round(top * height), round((left + 0.9) * width), round((top + 0.9) * height))
    )


CHANGES: dict[str, Change] = {
    "exact": lambda image: image,
    "resized": lambda image: image.resize((image.width * 2 // 3, image.height * 2 // 3)),
    "re-compressed": compress,
    "90% crop": lambda image: crop(image, 0.05, 0.05),
    "90% crop at a corner": lambda image: crop(image, 0.1, 0.0),
}


@pytest.mark.full
def test_frames_used_as_query_images_are_found_in_the_demo(demo: tuple[Dataset, Workspace], tmp_path: Path) -> None:
    dataset, workspace = demo
    planted = Workspace(tmp_path, "demo")
    planted.images.mkdir(parents=True)
    planted.videos.symlink_to(workspace.videos)
    questions, times = [], {}
    for video in dataset.videos:
        path = workspace.find_video(video.video_id)
        assert path is not None
        scan = scan_video(path)
        for number, (change, (name, alter)) in enumerate(zip(range(len(CHANGES)), CHANGES.items(), strict=True)):
            index = (2 * number + 1) * scan.frames // (2 * len(CHANGES))
            ((frames,), _) = extract_frames(scan, [FrameRequest((index,), *scan.displayed_size)])
            image_id = f"{video.video_id.strip('-')}_{change}.png"
            alter(Image.fromarray(frames[0].transpose(1, 2, 0))).save(planted.images / image_id)
            times[image_id] = (float(scan.pts_seconds[index]), name)
            questions.append(
                dataset.questions[0].model_copy(
                    update={"question_id": image_id, "video_id": video.video_id, "image_ids": (image_id,)}
                )
            )
    leaking = Dataset("demo", videos=dataset.videos, questions=tuple(questions))
    context = CheckContext(planted, decodes_videos=True)
    found = {finding.evidence["image_id"]: finding for finding in find(leaking, context, "image_from_own_video")}
    assert {times[image_id][1] for image_id in times.keys() - found.keys()} == set()
    for finding in found.values():
        assert finding.severity == "warning"
        assert int(str(finding.evidence["distance"])) <= MAX_DISTANCE


def test_no_honest_image_of_the_demo_is_found(demo: tuple[Dataset, Workspace]) -> None:
    dataset, workspace = demo
    assert find(dataset, CheckContext(workspace, decodes_videos=True), "image_from_own_video") == []


def test_cached_frames_are_looked_at_when_videos_are_not_decoded(
    demo: tuple[Dataset, Workspace], tmp_path: Path
) -> None:
    dataset, workspace = demo
    video = dataset.videos[0]
    path = workspace.find_video(video.video_id)
    assert path is not None
    planted = Workspace(tmp_path, "demo")
    planted.images.mkdir(parents=True)
    planted.videos.mkdir()
    (planted.videos / path.name).symlink_to(path)
    scan = scan_video(path)
    ((frames,), _) = extract_frames(scan, [FrameRequest((0,), *scan.displayed_size)])
    Image.fromarray(frames[0].transpose(1, 2, 0)).save(planted.images / "first.png")
    question = dataset.questions[0].model_copy(update={"video_id": video.video_id, "image_ids": ("first.png",)})
    leaking = Dataset("demo", videos=(video,), questions=(question,))
    assert find(leaking, CheckContext(planted), "image_from_own_video") == []
    assert {row.status for row in cache_frames(leaking, tmp_path, [FrameGrid(nframes=4, res=72)])} == {"done"}
    (found,) = find(leaking, CheckContext(planted), "image_from_own_video")
    assert found.evidence["time_seconds"] == 0


def test_pictures_without_contrast_are_in_no_video(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    white = read_grey_image(tmp_path / "white.png")
    assert white is not None
    assert find_in_video({"white": white}, iter([(np.zeros(1), np.full((1, 64, 64), 255, np.float32))])) == {}
    assert read_grey_image(tmp_path / "absent.png") is None


@pytest.mark.full
@pytest.mark.skipif("IVBENCH_TEST_MEDIA" not in os.environ, reason="IVBENCH_TEST_MEDIA names no folder of footage")
def test_frames_of_real_footage_are_found_in_their_own_video_only(tmp_path: Path) -> None:
    scans = {path.stem: scan_video(path) for path in sorted(Path(os.environ["IVBENCH_TEST_MEDIA"]).glob("*.mp4"))}
    images = {}
    for name, scan in scans.items():
        for part in range(1, 7):
            index = part * scan.frames // 7
            ((frames,), _) = extract_frames(scan, [FrameRequest((index,), *scan.displayed_size)])
            for change, alter in CHANGES.items():
                path = tmp_path / f"{name}-{part}-{change}.png"
                alter(Image.fromarray(frames[0].transpose(1, 2, 0))).save(path)
                grey = read_grey_image(path)
                assert grey is not None
                images[name, change, part] = grey
    found = {
        name: find_in_video({str(key): image for key, image in images.items()}, iterate_grey_frames(scan))
        for name, scan in scans.items()
    }
    strangers = [(name, key) for name, matches in found.items() for key in matches if f"'{name}'" not in key]
    assert strangers == []
    for change in CHANGES:
        own = [key for key in images if key[1] == change]
        assert sum(str(key) in found[key[0]] for key in own) >= 0.9 * len(own), change
