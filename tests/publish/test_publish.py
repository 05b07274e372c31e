"""The published folder: what it holds, that `datasets` reads it, that it is whole, that it replaces nothing else."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from published import CANARY, as_bytes, load_offline, make_dataset, make_png, publish, write_images

import ivbench_data as iv
from ivbench_data.atomic_files import digest_file, sweep_temporaries
from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import CacheCorruptError, DatasetError, UsageError
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.publish.edition import Edition
from ivbench_data.publish.publication_record import PublishedVersion, digest_public_question, read_published
from ivbench_data.publish.published_damage import verify_published
from ivbench_data.schema import FrameGrid, QueryImage, Video
from ivbench_data.sources import import_dataset
from ivbench_data.sources.ivbench import rebuild_release
from ivbench_data.video.fingerprint import write_fingerprints
from ivbench_data.workspace import Workspace

pytest.importorskip("datasets", reason="datasets is not installed")

GRID = FrameGrid(nframes=2, res=16)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with the small dataset's images."""
    write_images(Workspace(tmp_path / "root", "mine"))
    return tmp_path / "root"


@pytest.fixture(scope="module")
def demo(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path, Path]:
    """The demo as it was imported, its root, and its publication; to be read only."""
    root = tmp_path_factory.mktemp("published_demo")
    dataset = import_dataset("demo", demo_media / "demo" / "raw", root)
    for part in ("videos", "images"):
        (root / "demo" / part).symlink_to(demo_media / "demo" / part)
    publish(dataset, root, root / "out")
    return dataset, root, root / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what comes back ------------------------------------------------------------------------------------------------


def test_a_published_folder_gives_back_every_question_and_every_image(
    demo: tuple[Dataset, Path, Path], tmp_path: Path
) -> None:
    dataset, root, folder = demo
    loaded = load_offline(folder, tmp_path)
    assert list(loaded) == ["test"]
    rows = as_bytes(loaded["test"])
    assert [iv.read_row(row) for row in rows] == list(dataset.questions)
    for row in rows:
        assert [image["path"] for image in row["images"]] == row["image_ids"]
        for image in row["images"]:
            assert image["bytes"] == (root / "demo" / "images" / image["path"]).read_bytes()
    assert loaded["test"][0]["images"][0].size == loaded["test"][0]["images"][0].convert("RGB").size
    assert {row["canary"] for row in rows} == {CANARY}


def test_the_explicit_features_come_back(demo: tuple[Dataset, Path, Path], tmp_path: Path) -> None:
    from ivbench_data.publish.tables.parquet_columns import question_features, video_features

    assert load_offline(demo[2], tmp_path)["test"].features == question_features()
    assert load_offline(demo[2], tmp_path, "videos")["videos"].features == video_features()


def test_questions_of_every_form_come_back(root: Path, tmp_path: Path) -> None:
    dataset = make_dataset()
    splits = {"test": ["one_0", "one_1", "picture_0"], "dev": ["two_1", "two_0"], "open": ["three_0"]}
    publish(dataset, root, tmp_path / "out", Edition(splits))
    loaded = load_offline(tmp_path / "out", tmp_path / "cache")
    by_id = {question.question_id: question for question in dataset.questions}
    read = {name: [iv.read_row(row) for row in loaded[name]] for name in loaded}
    assert read == {name: [by_id[question_id] for question_id in ids] for name, ids in splits.items()}


@pytest.mark.full
def test_the_real_release_comes_back_and_rebuilds_byte_for_byte(release_file: Path, tmp_path: Path) -> None:
    dataset = import_dataset("ivbench", release_file, tmp_path)
    publish(dataset, tmp_path, tmp_path / "out", allow_missing_images=True)
    loaded = load_offline(tmp_path / "out", tmp_path / "cache")
    read = [iv.read_row(row) for row in loaded["test"]]
    assert read == list(dataset.questions)
    assert len(read) == 1686
    assert rebuild_release(read) == release_file.read_bytes()
    assert set(loaded["test"]["answers_hidden"]) == {False}
    assert all(row == [None] * len(row) for row in loaded["test"]["images"])
    videos = load_offline(tmp_path / "out", tmp_path / "cache", "videos", split="videos")
    assert videos[0]["url"] == f"https://www.youtube.com/watch?v={videos[0]['video_id']}"
    assert videos["video_id"][:] == [video.video_id for video in dataset.videos]


def test_videos_are_told_and_not_held(demo: tuple[Dataset, Path, Path], tmp_path: Path) -> None:
    dataset, _, folder = demo
    rows = load_offline(folder, tmp_path, "videos", split="videos")
    for video, row in zip(dataset.videos, rows, strict=True):
        told = {name: row[name] for name in ("video_id", "url", "duration_seconds", "license", "language", "category")}
        assert told == video.model_dump(include=set(told))
    assert {path.split("/")[0] for path in contents(folder)} == {
        "README.md", "CHANGELOG.md", "publish.json", "eval.yaml", "schemas", "data", "videos",
    }  # fmt: skip


def test_fingerprints_are_published_where_they_are_known(demo_media: Path, tmp_path: Path) -> None:
    dataset = import_dataset("demo", demo_media / "demo" / "raw", tmp_path)
    (tmp_path / "demo" / "videos").symlink_to(demo_media / "demo" / "videos")
    (tmp_path / "demo" / "images").symlink_to(demo_media / "demo" / "images")
    few = replace(dataset, videos=dataset.videos[:1])
    list(write_fingerprints(few, tmp_path))
    publish(dataset, tmp_path, tmp_path / "out")
    first, second, *_ = load_offline(tmp_path / "out", tmp_path / "cache", "videos", split="videos")
    video = Workspace(tmp_path, "demo").find_video(dataset.videos[0].video_id)
    assert video is not None
    assert first["sha256"] == digest_file(video)
    assert len(first["fingerprint"]["hashes"]) == len(first["fingerprint"]["times_seconds"]) >= 16
    assert (second["sha256"], second["fingerprint"]) == (None, None)


@pytest.mark.full
def test_frames_and_videos_are_part_of_it_on_request(demo_media: Path, tmp_path: Path) -> None:
    dataset = import_dataset("demo", demo_media / "demo" / "raw", tmp_path)
    for part in ("videos", "images"):
        (tmp_path / "demo" / part).symlink_to(demo_media / "demo" / part)
    list(cache_frames(replace(dataset, videos=dataset.videos[:2]), tmp_path, [GRID], CacheOptions(workers=0)))
    folder = tmp_path / "out"
    publish(dataset, tmp_path, folder, frame_grids=(GRID,), include_videos=True)
    workspace = Workspace(tmp_path, "demo")
    for video in dataset.videos[:2]:
        path = folder / "frames" / GRID.identity / f"{video.video_id}.safetensors"
        assert path.read_bytes() == workspace.cache_path(GRID, video.video_id).read_bytes()
    assert len(list((folder / "frames" / GRID.identity).iterdir())) == 2
    for video in dataset.videos:
        found = workspace.find_video(video.video_id)
        assert found is not None
        assert (folder / "media" / found.name).read_bytes() == found.read_bytes()
    card = (folder / "README.md").read_text()
    assert f"`frames/{GRID.identity}/` holds 2 files, of 8 videos" in card
    assert "`media/` holds 8 files, of 8 videos" in card
    assert len(load_offline(folder, tmp_path / "cache")["test"]) == len(dataset.questions)
    with pytest.raises(UsageError, match=r"nothing for frames/3x16.* none of the 8 videos"):
        publish(dataset, tmp_path, tmp_path / "other", frame_grids=(FrameGrid(nframes=3, res=16),))
    cached = workspace.cache_path(GRID, dataset.videos[0].video_id)
    damaged = bytearray(cached.read_bytes())
    damaged[-1] ^= 1
    cached.write_bytes(damaged)
    with pytest.raises(CacheCorruptError):
        publish(dataset, tmp_path, tmp_path / "other", frame_grids=(GRID,))
    assert not (tmp_path / "other").exists()


# --- what is refused ------------------------------------------------------------------------------------------------


def test_absent_images_are_counted_and_refused_and_null_when_allowed(root: Path, tmp_path: Path) -> None:
    dataset = make_dataset()
    (root / "mine" / "images" / "a.png").unlink()
    (root / "mine" / "images" / "b.png").write_bytes(b"<html>")
    with pytest.raises(DatasetError, match=r"1 of 3 query images are not here; 1 of 3 cannot be used \(b.png: not a"):
        publish(dataset, root, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    version = publish(dataset, root, tmp_path / "out", allow_missing_images=True)
    rows = {row["question_id"]: row for row in as_bytes(load_offline(tmp_path / "out", tmp_path / "cache")["test"])}
    assert rows["one_0"]["images"] == [None, None]
    assert rows["picture_0"]["images"][0]["bytes"] == make_png(64, 33, 1)
    assert version.question_digests["one_0"] == digest_public_question(dataset.questions[0], [None, None])
    assert "**2 of 3 query images are not in the rows**" in (tmp_path / "out" / "README.md").read_text()


def test_an_image_that_is_not_the_one_that_the_dataset_names_is_refused(root: Path, tmp_path: Path) -> None:
    images = (QueryImage(image_id="a.png", sha256=hashlib.sha256(make_png(40, 40, 1)).hexdigest()),)
    with pytest.raises(DatasetError, match=r"a\.png: another file than the dataset names"):
        publish(replace(make_dataset(), images=images), root, tmp_path / "out")


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        ({"test": ["one_0", "nine_9"]}, "names the question 'nine_9', and there is none"),
        ({"test": ["one_0"], "mini": ["one_0"]}, "'one_0' is in the splits 'test' and 'mini'"),
        ({"test": ["one_0", "one_0"]}, "'one_0' is in the splits 'test' and 'test'"),
        ({"test": []}, "there is no question to publish"),
        ({}, "there is no question to publish"),
    ],
)
def test_splits_that_do_not_fit_the_dataset_are_refused(
    splits: dict[str, list[str]], told: str, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=told):
        publish(make_dataset(), root, tmp_path / "out", Edition(splits))
    assert not (tmp_path / "out").exists()


def test_a_split_to_be_hidden_must_be_hidden_in_the_dataset(root: Path, tmp_path: Path) -> None:
    edition = Edition({"test": ["one_0"]}, answers_sha256={"test": "0" * 64})
    with pytest.raises(UsageError, match="'test' are to be hidden, and the dataset holds some of them"):
        publish(make_dataset(), root, tmp_path / "out", edition)


def fill_with_strangers(folder: Path) -> None:
    (folder / "thesis.tex").write_text("my only copy")


def fill_with_a_repository(folder: Path, root: Path) -> None:
    publish(make_dataset(), root, folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("[core]")


def fill_with_one_more_file(folder: Path, root: Path) -> None:
    publish(make_dataset(), root, folder)
    (folder / "data" / "notes.txt").write_text("mine")


def fill_with_a_link(folder: Path, root: Path) -> None:
    publish(make_dataset(), root, folder)
    (folder / "all").symlink_to(root)


def fill_with_another_dataset(folder: Path, root: Path) -> None:
    write_images(Workspace(root, "theirs"))
    publish(make_dataset("theirs"), root, folder)


def fill_with_a_record_of_something_else(folder: Path) -> None:
    (folder / "publish.json").write_text('{"name": "my-package"}')


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (lambda folder, root: fill_with_strangers(folder), "holds thesis.tex, and is no earlier publication"),
        (lambda folder, root: fill_with_a_record_of_something_else(folder), "is no record of a published version"),
        (fill_with_a_repository, "holds .git/config beside what publish wrote"),
        (fill_with_one_more_file, "holds data/notes.txt beside what publish wrote"),
        (fill_with_a_link, "holds all beside what publish wrote"),
        (fill_with_another_dataset, "holds a publication of 'theirs', not of 'mine'"),
    ],
)
def test_what_is_no_earlier_publication_is_never_replaced(
    fill: Callable[[Path, Path], None], told: str, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "precious"
    folder.mkdir()
    fill(folder, root)
    before = contents(folder)
    with pytest.raises((UsageError, DatasetError), match=told):
        publish(make_dataset(), root, folder)
    assert contents(folder) == before


def test_what_comes_into_the_folder_meanwhile_is_not_replaced(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    publish(make_dataset(), root, folder)
    before = contents(folder)

    def add_a_file(unfinished: Path) -> None:
        (folder / "notes.txt").write_text("just now")

    from ivbench_data.publish.build import publish_folder

    with pytest.raises(UsageError, match=r"notes\.txt"):
        publish_folder(
            make_dataset(), Edition({"test": ["one_0"]}), folder, Workspace(root, "mine"), inspect=add_a_file
        )
    assert contents(folder) == {**before, "notes.txt": b"just now"}


def test_a_file_is_no_folder_and_a_link_to_one_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        publish(make_dataset(), root, tmp_path / "file")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    publish(make_dataset(), root, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "publish.json").is_file()


# --- the same bytes, all or nothing -----------------------------------------------------------------------------------


def test_the_same_dataset_gives_the_same_bytes_wherever_it_lies(root: Path, tmp_path: Path) -> None:
    publish(make_dataset(), root, tmp_path / "first")
    elsewhere = tmp_path / "elsewhere" / "deeper"
    write_images(Workspace(elsewhere, "mine"))
    publish(make_dataset(), elsewhere, tmp_path / "second" / "out")
    first = contents(tmp_path / "first")
    assert contents(tmp_path / "second" / "out") == first
    everything = b"".join(first.values())
    assert str(tmp_path).encode() not in everything
    assert b"/tmp" not in everything


def test_a_version_replaces_the_one_before_whole(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    publish(make_dataset(), root, folder, Edition({"test": ["one_0"], "dev": ["two_0"]}))
    publish(make_dataset(), root, folder, Edition({"test": ["one_0"]}, version="1.1.0"))
    assert [path.name for path in (folder / "data").iterdir()] == ["test-00000-of-00001.parquet"]
    assert read_published(folder).version == "1.1.0"
    assert list(verify_published(folder)) == []
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_when_the_inspection_refuses_nothing_is_published(root: Path, tmp_path: Path) -> None:
    from ivbench_data.publish.build import publish_folder

    seen: list[PublishedVersion] = []

    def refuse(unfinished: Path) -> None:
        assert list(verify_published(unfinished)) == []
        seen.append(read_published(unfinished))
        raise DatasetError("an answer can be found")

    with pytest.raises(DatasetError, match="an answer can be found"):
        publish_folder(
            make_dataset(), Edition({"test": ["one_0"]}), tmp_path / "out", Workspace(root, "mine"), inspect=refuse
        )
    assert len(seen) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from published import make_dataset
from ivbench_data.publish.build import publish_folder
from ivbench_data.publish.edition import Edition
from ivbench_data.workspace import Workspace

def die(step):
    if step.startswith(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

publish_folder(make_dataset(), Edition({"test": ["one_0", "two_0"]}, version="2.0.0"), sys.argv[2],
               Workspace(Path(sys.argv[1]), "mine"), on_step=die, inspect=lambda folder: die("trying"))
"""


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("writing the split", marks=pytest.mark.full),
        pytest.param("writing the videos", marks=pytest.mark.full),
        pytest.param("digesting", marks=pytest.mark.full),
        pytest.param("trying", marks=pytest.mark.full),
    ],
)
def test_a_killed_publication_leaves_the_old_folder_and_its_own_leavings_are_swept(
    step: str, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    publish(make_dataset(), root, folder)
    before = contents(folder)
    support = Path(__file__).parent.parent / "support"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, root, folder, step, support], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert contents(folder) == before
    assert list(verify_published(folder)) == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".tmp-")]
    publish(make_dataset(), root, folder, Edition({"test": ["one_0"]}, version="1.0.1"))
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_only_our_own_leavings_beside_the_folder_are_swept(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    from ivbench_data.atomic_files import _machine

    left = f".tmp-{_machine()}-{int(gone.stdout)}-{'0' * 12}"
    (tmp_path / left).mkdir()
    (tmp_path / "home" / left).mkdir(parents=True)
    assert sweep_temporaries(tmp_path, below=False) == 1
    assert (tmp_path / "home" / left).exists()
    assert sweep_temporaries(tmp_path) == 1


def test_an_image_that_changes_while_it_is_published_stops_it(root: Path, tmp_path: Path) -> None:
    from ivbench_data.publish.build import publish_folder

    def change(step: str) -> None:
        if step.startswith("writing the split"):
            (root / "mine" / "images" / "a.png").write_bytes(make_png(41, 41))

    with pytest.raises(DatasetError, match=r"a\.png was changed while it was published"):
        publish_folder(
            make_dataset(), Edition({"test": ["one_0"]}), tmp_path / "out", Workspace(root, "mine"), on_step=change
        )
    assert not (tmp_path / "out").exists()


# --- damage -----------------------------------------------------------------------------------------------------------


def test_the_record_holds_the_digest_of_every_file_and_row(root: Path, tmp_path: Path) -> None:
    folder, dataset = tmp_path / "out", make_dataset()
    version = publish(dataset, root, folder)
    assert read_published(folder) == version
    found = {name: hashlib.sha256(content).hexdigest() for name, content in contents(folder).items()}
    assert {**version.files, "publish.json": found["publish.json"]} == found
    images = write_images(Workspace(tmp_path / "again", "mine"))
    for question in dataset.questions:
        digests = [hashlib.sha256(images[image_id]).hexdigest() for image_id in question.image_ids]
        assert version.question_digests[question.question_id] == digest_public_question(question, digests)
    assert {f"schemas/{name}.schema.json" for name in ("Question", "Video", "QueryImage")} <= version.files.keys()
    for path in (folder / "schemas").iterdir():
        assert path.read_bytes() == (Path(__file__).parent.parent.parent / "schemas" / path.name).read_bytes()


def test_any_flipped_byte_of_any_file_is_found(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    version = publish(make_dataset(), root, folder)
    for name in version.files:
        path = folder / name
        whole = path.read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert name in [damage.path for damage in verify_published(folder)]
        path.unlink()
        assert [str(damage) for damage in verify_published(folder)] == [f"{name}: it is missing"]
        path.write_bytes(whole)
    assert list(verify_published(folder)) == []
    (folder / "data" / "extra.txt").write_text("")
    (folder / ".gitattributes").write_text("")
    assert [str(damage) for damage in verify_published(folder)] == ["data/extra.txt: it is not part of the publication"]


def change_a_digest(record: dict[str, Any]) -> None:
    record["question_digests"]["one_0"] = "0" * 64


def change_the_order(record: dict[str, Any]) -> None:
    record["splits"]["test"]["questions"].reverse()


def change_the_canary(record: dict[str, Any]) -> None:
    record["canary"] = CANARY.replace("0", "1")


@pytest.mark.parametrize("change", [change_a_digest, change_the_order, change_the_canary])
def test_a_record_that_does_not_fit_its_rows_is_found(
    change: Callable[[dict[str, Any]], None], root: Path, tmp_path: Path
) -> None:
    publish(make_dataset(), root, tmp_path / "out")
    path = tmp_path / "out" / "publish.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    assert [damage.path for damage in verify_published(tmp_path / "out")] == ["publish.json"]


def test_a_folder_without_a_record_is_none_of_ours(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"publish\.json"):
        list(verify_published(tmp_path))


# --- what the record tells --------------------------------------------------------------------------------------------


def test_with_hidden_answers_nothing_is_told_of_the_release_that_rests_on_them(root: Path, tmp_path: Path) -> None:
    dataset = make_dataset()
    versions = [{"version": 1, "changes": 2, "patch_sha256": "1" * 64}]
    provenance = {
        **dataset.provenance, "sha256": "2" * 64, "md5": "4" * 32, "size_bytes": 123_456, "note": "one_0: left",
        "rebuilds_byte_for_byte": True, "versions": versions,
    }  # fmt: skip
    hidden = dataset.questions[0].model_copy(
        update={"answer": None, "answer_index": None, "answers_hidden": True, "raw": None, "evidence": ()}
    )
    told = replace(dataset, questions=(hidden, *dataset.questions[1:]), provenance=provenance)  # type: ignore[arg-type]
    splits = {"test": ["one_0"], "dev": ["two_0", "two_1"]}
    version = publish(told, root, tmp_path / "out", Edition(splits, answers_sha256={"test": "3" * 64}))
    assert version.created_from == {
        "source": "native", "file": "questions.jsonl", "rebuilds_byte_for_byte": True,
        "versions": [{"version": 1, "changes": 2}],
    }  # fmt: skip
    assert (version.splits["test"].hidden, version.splits["test"].answers_sha256) == (True, "3" * 64)
    assert (version.splits["dev"].hidden, version.splits["dev"].answers_sha256) == (False, None)
    open_version = publish(replace(told, questions=dataset.questions), root, tmp_path / "open")
    assert open_version.created_from == provenance


def test_only_videos_and_images_of_published_questions_are_told(root: Path, tmp_path: Path) -> None:
    (root / "mine" / "images" / "b.png").unlink()  # which no question of the split shows
    dataset = replace(make_dataset(), videos=(*make_dataset().videos, Video(video_id="unused")))
    publish(dataset, root, tmp_path / "out", Edition({"test": ["one_1", "three_0"]}))
    videos = load_offline(tmp_path / "out", tmp_path / "cache", "videos", split="videos")
    assert videos["video_id"][:] == ["one", "three"]


def test_publishing_changes_nothing_of_the_dataset(demo: tuple[Dataset, Path, Path], tmp_path: Path) -> None:
    dataset, root, _ = demo
    before = {path: path.stat().st_mtime_ns for path in (root / "demo").iterdir()}
    publish(dataset, root, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in (root / "demo").iterdir()} == before
    assert load(root / "demo") == dataset
