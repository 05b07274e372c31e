"""Datasets that the stages were not made for, through all of them: several images and no video, a video and no image.

The demo's own media stand in VLM2-Bench's layout; what does not apply is said, and is no failure.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import loopback_openai
import numpy as np
import pytest
from conftest import Outcome
from hub_standin import REPOSITORY, HubStandIn, hub
from loopback_openai import MODEL
from vlm2bench_release import bring_media, make_records, write_release

from ivbench_data import import_dataset
from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import EnvironmentProblemError
from ivbench_data.evaluate.models import ModelOptions
from ivbench_data.evaluate.models.openai import OpenAIModel
from ivbench_data.evaluate.prompts.asking import Asker, AskOptions
from ivbench_data.evaluate.prompts.requests import ImagePart, Request, TextPart
from ivbench_data.fetch import FetchOptions, fetch_annotations, fetch_images, fetch_videos
from ivbench_data.manifests import HubRepository, load_manifest
from ivbench_data.schema import FrameGrid
from ivbench_data.workspace import Workspace

__all__ = ["hub"]  # a fixture

RunCli = Callable[..., Outcome]

GRID = FrameGrid(nframes=4, res=56, multiple_of=28)

IMAGES_ALONE = ("gc/vanilla/gc_mat", "oc/vanilla/oc_cpr", "oc/vanilla/oc_cnt", "oc/vanilla/oc_grp")


def make_root(folder: Path, demo_media: Path, *files: str, count: int = 2) -> tuple[Path, Dataset]:
    """A root with VLM2-Bench's layout imported, all of it or some files, and media for it."""
    records = {name: lines for name, lines in make_records(count).items() if not files or name in files}
    dataset = import_dataset("vlm2bench", write_release(folder / "release", records), folder / "root")
    bring_media(dataset, folder / "root", demo_media)
    return folder / "root", dataset


@pytest.fixture
def run_on(run_cli: RunCli) -> Callable[..., Outcome]:
    """A run of the command line on the dataset under a root."""

    def run(root: Path, *arguments: str | Path, code: int = 0) -> Outcome:
        told = run_cli(*arguments, "--root", root, "--dataset", "vlm2bench")
        assert told.code == code, told.err + told.out
        return told

    return run


# --- the whole journey --------------------------------------------------------------------------------------------


def test_images_and_videos_travel_from_import_to_publication(
    run_on: Callable[..., Outcome], tmp_path: Path, demo_media: Path
) -> None:
    root, dataset = make_root(tmp_path, demo_media)
    shown = ("--grid", GRID.identity)
    assert "2 images" not in run_on(root, "info").out
    run_on(root, "verify")
    run_on(root, "cache", *shown)
    found = json.loads(run_on(root, "validate", "--json").out)
    assert {name for name, count in found["counts"].items() if count["error"]} == set()
    asked = json.loads(run_on(root, "evaluate", "--model", "baseline:random", *shown, "--json", code=1).out)
    assert asked["statuses"] == {"ok": len(dataset.questions) - 2, "failed": 2}  # nothing to draw a description from
    card = json.loads(run_on(root, "score", "--json").out)["scores"][0]
    assert {name for name, one in card["tasks"].items() if one["accuracy"] is None} == set()
    assert card["tasks"]["OC Cnt"]["parse_rate"] == card["tasks"]["GC Mat"]["parse_rate"] == 1.0
    assert card["tasks_in_mean"] == [9, 9]
    told = run_on(root, "publish", "--to", tmp_path / "published")
    assert (tmp_path / "published" / "publish.json").is_file(), told.err
    again = load(root / "vlm2bench")
    assert again == dataset


@pytest.mark.full
def test_a_checkpoint_answers_every_kind_of_question(
    run_on: Callable[..., Outcome], tmp_path: Path, demo_media: Path
) -> None:
    tiny_models = pytest.importorskip("tiny_models")
    pytest.importorskip("transformers")
    tiny_models.prepare_torchvision()
    root, dataset = make_root(tmp_path, demo_media, count=1)
    checkpoint = tiny_models.make_qwen(tmp_path / "tiny", "qwen2_5_vl")
    run_on(root, "cache", "--grid", GRID.identity)
    plainly = ("--dtype", "float32", "--device", "cpu", "--max-new-tokens", "4", "--json")
    # random weights do not end a sentence within four tokens: replies are cut off or empty, and none is an answer
    asked = json.loads(run_on(root, "evaluate", "--model", checkpoint, "--grid", GRID.identity, *plainly, code=1).out)
    assert asked["statuses"].keys() == {"truncated", "empty"}
    assert sum(asked["statuses"].values()) == len(dataset.questions)
    tokens = {}
    for line in Path(asked["results"][0]).read_text().splitlines()[1:]:
        row = json.loads(line)
        tokens[row["question_id"]] = row["visual_tokens"]
    assert tokens["oc_cnt_cnt_0"] > tokens["gc_mat_0_p"] > 0  # three images, and two


# --- several images, and no video ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        (("verify",), "Nothing to verify: no question of vlm2bench has a video."),
        (("cache", "--nframes", "4"), "Nothing to cache: no question of vlm2bench has a video."),
        (("cache", "--plan"), "Nothing to cache: no question of vlm2bench has a video."),
        (("coverage",), "Nothing to cover: no question of vlm2bench has a video."),
        (("export", "frames", "OUT", "--grid", "4x56"), "Nothing to export: no question of vlm2bench has a video."),
        (("fetch", "--only", "videos"), "no question of vlm2bench has a video."),
        (("validate", "--necessity"), "no question of vlm2bench has an image beside its video"),
    ],
)
def test_what_needs_a_video_says_that_there_is_none(
    run_on: Callable[..., Outcome], tmp_path: Path, demo_media: Path, verb: tuple[str, ...], told: str
) -> None:
    root, _ = make_root(tmp_path, demo_media, *IMAGES_ALONE, count=1)
    arguments = [str(tmp_path / "out") if word == "OUT" else word for word in verb]
    assert told in run_on(root, *arguments).err
    assert not (tmp_path / "out").exists()
    if verb[0] != "export":
        json.loads(run_on(root, *arguments, "--json").out)


def test_questions_about_images_alone_are_validated_as_such(
    run_on: Callable[..., Outcome], tmp_path: Path, demo_media: Path
) -> None:
    root, dataset = make_root(tmp_path, demo_media, *IMAGES_ALONE)
    told = run_on(root, "validate", "--report")
    assert f"{len(dataset.questions)} questions on {len(dataset.images)} images" in " ".join(told.out.split())
    # an image that a pair shows twice is no mistake, nor is a question that does not say that it has images
    assert not {"image_reused", "no_image_reference", "no_video_reference", "not_ten_options"} & {
        line.split()[0] for line in told.out.splitlines() if line.split()
    }
    assert "No frame cache" not in run_on(root, "info").err


def test_the_grid_is_no_part_of_answers_that_no_video_was_shown_for(
    run_on: Callable[..., Outcome], tmp_path: Path, demo_media: Path
) -> None:
    root, _ = make_root(tmp_path, demo_media, *IMAGES_ALONE)
    first = json.loads(run_on(root, "evaluate", "--model", "baseline:random", "--nframes", "4", "--json").out)
    second = json.loads(run_on(root, "evaluate", "--model", "baseline:random", "--nframes", "8", "--json").out)
    assert first["results"] == second["results"]
    assert first["scores"][0]["configuration"]["grid"] is None
    assert "with 95 % intervals by image or pair" in " ".join(run_on(root, "score").out.split())


def test_images_are_asked_in_the_released_order_before_the_question(tmp_path: Path, demo_media: Path) -> None:
    root, dataset = make_root(tmp_path, demo_media, *IMAGES_ALONE)
    asker = Asker(dataset, Workspace(root, "vlm2bench"), AskOptions())
    for question, request in asker.iterate():
        assert isinstance(request, Request)
        assert [type(part) for part in request.parts] == [ImagePart] * len(question.image_ids) + [TextPart]
        assert tuple(image.image_id for image in request.images) == question.image_ids


def test_a_stranger_s_image_is_not_of_the_same_pair(tmp_path: Path, demo_media: Path) -> None:
    root, dataset = make_root(tmp_path, demo_media, "gc/vanilla/gc_mat")
    asker = Asker(dataset, Workspace(root, "vlm2bench"), AskOptions(pattern="image_swapped"))
    for question, request in asker.iterate():
        assert isinstance(request, Request)
        assert not {image.image_id for image in request.images} & set(question.image_ids)


def test_a_server_is_sent_every_image_in_order(tmp_path: Path, demo_media: Path) -> None:
    root, dataset = make_root(tmp_path, demo_media, *IMAGES_ALONE, count=1)
    asker = Asker(dataset, Workspace(root, "vlm2bench"), AskOptions())
    requests = [request for _, request in asker.iterate() if isinstance(request, Request)]
    with loopback_openai.serve() as server:
        model = OpenAIModel(MODEL, ModelOptions(concurrency=1, retries=0), server.base_url, None)
        replies = list(model(requests))
        seen = list(server.seen)
    assert len(replies) == len(requests) == len(seen)
    for request, asked in zip(requests, seen, strict=True):
        assert asked.order == ["image_url"] * len(request.images) + ["text"]
        for image, shown in zip(request.images, asked.images, strict=True):
            np.testing.assert_array_equal(shown, np.asarray(image.open()))


# --- a video, and no image ----------------------------------------------------------------------------------------


def test_a_video_without_an_image_is_asked_and_compared_as_such(
    run_on: Callable[..., Outcome], tmp_path: Path, demo_media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "teller.py").write_text("def tell(request):\n    return 'A story.'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    root, _ = make_root(tmp_path, demo_media, "pc/vanilla/pc_vid")
    shown = ("--model", "python:teller:tell", "--grid", GRID.identity)
    run_on(root, "cache", "--grid", GRID.identity)
    assert "No question of vlm2bench has an image." in run_on(root, "fetch", "--only", "images").err
    asked = json.loads(run_on(root, "evaluate", *shown, "--json").out)
    assert (asked["statuses"], asked["scores"][0]["overall"]["unscored"]) == ({"ok": 2}, 2)
    blind = json.loads(run_on(root, "evaluate", *shown, "--pattern", "image_only", "--json", code=1).out)
    assert blind["statuses"] == {"inapplicable": 2}
    signatures = run_on(root, "score", "--diagnose").out
    assert "worse with the image first: cannot be determined" in " ".join(signatures.split())
    assert json.loads(run_on(root, "validate", "--json").out)["findings"] == []


# --- from the Hub -------------------------------------------------------------------------------------------------


@pytest.fixture
def release_archive(monkeypatch: pytest.MonkeyPatch, demo_media: Path, tmp_path: Path) -> bytes:
    """The release as its one zip, with the demo's media where the benchmark keeps its own; the manifest names it."""
    import ivbench_data.fetch.benchmark_repository
    import ivbench_data.fetch.release_download

    pointed = load_manifest("vlm2bench").model_copy(update={"hub": HubRepository(repo_id=REPOSITORY)})
    monkeypatch.setattr(ivbench_data.fetch.release_download, "load_manifest", lambda name: pointed)
    monkeypatch.setattr(ivbench_data.fetch.benchmark_repository, "find_manifest", lambda dataset: pointed)
    folder = write_release(tmp_path / "release", make_records(2))
    dataset = import_dataset("vlm2bench", folder, tmp_path / "elsewhere")
    demo = Workspace(demo_media, "demo")
    pictures, films = sorted(demo.images.iterdir()), sorted(demo.videos.glob("*.mp4"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*.jsonl")):
            archive.write(path, f"vlm2-bench/{path.relative_to(folder).as_posix()}")
        for image, picture in zip(dataset.images, pictures, strict=False):
            archive.write(picture, f"vlm2-bench/{image.source_metadata['path']}")
        for video, film in zip(dataset.videos, films, strict=False):
            archive.write(film, f"vlm2-bench/{video.source_metadata['path']}.mp4")
    return buffer.getvalue()


def test_one_archive_gives_annotations_images_and_videos_and_comes_once(
    tmp_path: Path, hub: HubStandIn, release_archive: bytes
) -> None:
    hub.files = {"vlm2-bench_dataset.zip": release_archive, "README.md": b"# x"}
    root = tmp_path / "root"
    fetched = fetch_annotations("vlm2bench", root)
    assert (fetched.was_here, fetched.matches_manifest) == (False, None)
    dataset = load(root / "vlm2bench")
    assert len(dataset.questions) == 26
    rows = list(fetch_images(dataset, root))
    assert {row.status for row in rows} == {"ok"}
    assert len(rows) == len(dataset.images)
    # images of one name in several folders are each other's, and none is taken for another
    digests = {image.image_id: image.sha256 for image in load(root / "vlm2bench").images}
    assert len(set(digests.values())) > 6
    videos = list(fetch_videos(dataset, root, FetchOptions()))
    assert [(row.status, row.source) for row in videos] == [("ok", "origin")] * 2
    assert hub.served == ["vlm2-bench_dataset.zip"]
    assert (root / "vlm2bench" / "raw" / "vlm2-bench_dataset.zip").read_bytes() == release_archive
    assert fetch_annotations("vlm2bench", root).was_here


def test_an_archive_without_annotations_says_what_it_lacks(
    tmp_path: Path, hub: HubStandIn, release_archive: bytes
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    hub.files = {"vlm2-bench_dataset.zip": buffer.getvalue()}
    with pytest.raises(EnvironmentProblemError, match=r"holds no file of: jsonl/gc/vanilla/gc_mat\.jsonl"):
        fetch_annotations("vlm2bench", tmp_path)
