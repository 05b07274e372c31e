"""Fingerprints of slides: other words on one template are other content; encodings, bars and logos make no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from faulty_media import draw_scenes, letterbox, show_at_rate, write_video
from slides import FPS, SECONDS_A_SLIDE, Template, add_logo, draw_deck, show_deck
from slow_params import slowly

from ivbench_data.dataset import Dataset
from ivbench_data.schema import Video
from ivbench_data.strict_json import write_jsonl
from ivbench_data.video.content_match import compare_content
from ivbench_data.video.fingerprint import (
    MAX_DETAILS,
    Fingerprint,
    make_fingerprint,
    read_fingerprints,
    write_fingerprints,
)
from ivbench_data.video.verify import verify_videos

SLIDES = 8
CHANGED = 3


def write_deck(path: Path, slides: list[np.ndarray], **options: object) -> Path:
    return write_video(path, show_deck(slides), fps=FPS, gop=10 * FPS, **options)  # type: ignore[arg-type]


def show_again(source: Path, how: str) -> Iterator[np.ndarray]:
    return {
        "a third of the size": lambda: show_at_rate(source, FPS, 120),
        "a low bitrate": lambda: show_at_rate(source, FPS, 180),
        "bars": lambda: letterbox(show_at_rate(source, FPS, 180)),
        "a logo in a bar": lambda: add_logo(letterbox(show_at_rate(source, FPS, 180)), "top right"),
        "a logo in a corner": lambda: add_logo(show_at_rate(source, FPS, 180), "bottom right"),
        "a logo in another corner": lambda: add_logo(show_at_rate(source, FPS, 180), "top left"),
    }[how]()


HOW = (
    "a third of the size",
    "a low bitrate",
    "bars",
    "a logo in a bar",
    "a logo in a corner",
    "a logo in another corner",
)


def check_pair(folder: Path, seed: int, hows: tuple[str, ...]) -> list[str]:
    """What is wrong with the comparisons of two decks of one template, and of one with its encodings."""
    template = Template(seed)
    slides, others = draw_deck(template, 2 * seed), draw_deck(template, 2 * seed + 1)
    source, other = (write_deck(folder / f"{name}{seed}.mp4", deck) for name, deck in (("a", slides), ("b", others)))
    changed = write_deck(
        folder / f"c{seed}.mp4",
        [*slides[:CHANGED], others[CHANGED], *slides[CHANGED + 1 :]],
        codec_options={"b": "60000"},
    )
    fingerprint = make_fingerprint(source, "a")
    wrong = []
    for how in hows:
        options = {"b": "30000"} if how == "a low bitrate" else {}
        again = write_video(folder / "again.mp4", show_again(source, how), fps=FPS, codec_options=options)
        found = compare_content(again, fingerprint)
        if found.result != "same":
            wrong.append(f"template {seed}, {how}: {found}")
    found = compare_content(other, fingerprint)
    if found.result != "different":
        wrong.append(f"template {seed}, other words: {found}")
    found = compare_content(changed, fingerprint)
    starts = [start for start, _ in found.replaced_seconds]
    if found.result != "replaced" or starts != pytest.approx([CHANGED * SECONDS_A_SLIDE], abs=SECONDS_A_SLIDE / 2):
        wrong.append(f"template {seed}, one slide changed: {found}")
    return wrong


@pytest.mark.parametrize("seed", [100, *slowly((101,))])
def test_other_words_on_one_template_are_other_content(seed: int, tmp_path: Path) -> None:
    assert not check_pair(tmp_path, seed, ("a third of the size", "a logo in a bar", "a logo in a corner"))


@pytest.mark.full
@pytest.mark.parametrize("seeds", [range(200, 206), pytest.param(range(36), marks=pytest.mark.proof)])
def test_slides_are_told_apart_on_every_template_and_known_in_every_encoding(tmp_path: Path, seeds: range) -> None:
    wrong = [fault for seed in seeds for fault in check_pair(tmp_path, seed, HOW)]
    assert not wrong, "\n".join(wrong)


def test_a_logo_in_a_bar_of_the_source_makes_no_other_content(tmp_path: Path) -> None:
    path = write_video(tmp_path / "plain.mp4", draw_scenes(12, 5))
    barred = write_video(tmp_path / "barred.mp4", add_logo(letterbox(draw_scenes(12, 5)), "bottom left"))
    for one, other in ((path, barred), (barred, path)):
        found = compare_content(one, make_fingerprint(other, "x"))
        assert found.result == "same", found


def test_details_stay_few_however_long_the_video_is() -> None:
    frames = 720
    details = ("A" * 22,) * len(range(0, frames, 23))
    made = Fingerprint(
        video_id="hour", method="phash64-2", duration_seconds=3600,
        times_seconds=tuple(2.5 + 5.0 * at for at in range(frames)),
        hashes=("0" * 16,) * frames, details=details,
    )  # fmt: skip
    assert len(details) <= MAX_DETAILS
    assert (made.find_detail(0), made.find_detail(1), made.find_detail(23)) == (0, None, 0)
    with pytest.raises(ValueError, match="details where phash64-2 has 32"):
        Fingerprint.model_validate({**made.model_dump(), "details": details[:-1]})


# --- methods ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("scenes") / "scenes.mp4", draw_scenes(8, 3))


def test_a_fingerprint_of_the_first_method_is_compared_and_renewed(scenes: Path, tmp_path: Path) -> None:
    dataset = Dataset("set", videos=(Video(video_id="here"), Video(video_id="absent")))
    videos = dataset.save(tmp_path).videos
    videos.mkdir()
    (videos / "here.mp4").write_bytes(scenes.read_bytes())
    made = make_fingerprint(scenes, "here")
    first = made.model_copy(update={"method": "phash64-1", "details": ()})
    path = tmp_path / "set/fingerprints.jsonl"
    write_jsonl(path, [first, first.model_copy(update={"video_id": "absent"})])
    assert compare_content(scenes, first).result == "same"
    assert verify_videos(dataset, tmp_path)
    list(write_fingerprints(dataset, tmp_path, workers=0))
    now, _ = read_fingerprints(path)
    assert (now["here"], now["absent"].method) == (made, "phash64-1")


def test_lines_of_methods_that_are_not_known_are_kept(scenes: Path, tmp_path: Path) -> None:
    dataset = Dataset("set", videos=(Video(video_id="here"), Video(video_id="absent")))
    videos = dataset.save(tmp_path).videos
    videos.mkdir()
    (videos / "here.mp4").write_bytes(scenes.read_bytes())
    path = tmp_path / "set/fingerprints.jsonl"
    newer = [b'{"video_id":"%s","method":"phash64-9","waves":[1,2]}' % name for name in (b"here", b"absent", b"other")]
    path.write_bytes(b"\n".join(newer) + b"\nnot JSON")
    for _ in range(2):
        list(write_fingerprints(dataset, tmp_path, workers=0))
        lines = path.read_bytes().splitlines()
        assert lines[1:] == newer
        assert set(read_fingerprints(path)[0]) == {"here"}
