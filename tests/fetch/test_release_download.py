from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome
from fetch_media import make_video
from hub_standin import OTHER_REVISION, REPOSITORY, REVISION, HubStandIn, hub
from loopback import fail_with
from PIL import Image

import ivbench_data as iv
from ivbench_data.dataset import Dataset
from ivbench_data.errors import EnvironmentProblemError, UsageError
from ivbench_data.fetch import FetchOptions, fetch_annotations, fetch_images, fetch_videos
from ivbench_data.fetch import release_download as release_module
from ivbench_data.fetch.archives import ArchiveRefusedError, copy_bounded, iterate_members
from ivbench_data.manifests import HubRepository, Manifest, ReleaseFile
from ivbench_data.schema import QueryImage, Video

__all__ = ["hub"]  # a fixture


@pytest.fixture
def manifest(monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """IV-Bench's manifest, pointed at the stand-in."""
    real = iv.load_manifest("ivbench")
    pointed = real.model_copy(
        update={"hub": HubRepository(repo_id=REPOSITORY), "release": ReleaseFile(file_name="test_data.jsonl")}
    )
    monkeypatch.setattr(release_module, "load_manifest", lambda name: pointed)
    return pointed


def make_image(shade: int, side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (shade % 256, shade // 256, 77)).save(buffer, "PNG")
    return buffer.getvalue()


def make_zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_tar(members: dict[str, bytes], links: dict[str, str] | None = None, mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]  # the mode is one of tarfile's
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def dataset_of(*images: str) -> Dataset:
    return Dataset("ivbench", (), tuple(QueryImage(image_id=name) for name in images))


def statuses(dataset: Dataset, root: Path) -> dict[str, str]:
    return {row.image_id: row.status for row in fetch_images(dataset, root)}


RELEASE = json.dumps(
    {
        "-3xJXP4KJJg": [
            {
                "data_id": 0,
                "image_name": "a.png",
                "question": "How many?",
                "question_type": "Counting",
                "granularity": "Clip-level Understanding",
                "answer": "two",
                "answer_location": "00:01-00:02",
                "distractors": ["one", "three", "", "", "", "", "", "", ""],
            }
        ]
    }
)


@pytest.fixture
def release() -> bytes:
    return RELEASE.encode() + b"\n"


# --- annotations ------------------------------------------------------------------------------------------------


def test_annotations_are_found_checked_imported_and_pinned(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest, release: bytes
) -> None:
    hub.files = {"README.md": b"card", "data/test/test_data.jsonl": release, "x/y/test_data.jsonl.bak": b"old"}
    result = fetch_annotations("ivbench", tmp_path)
    assert (result.was_here, result.revision) == (False, REVISION)
    assert result.file.read_bytes() == release
    assert [question.question_id for question in iv.load_dataset("ivbench", tmp_path).questions] == ["-3xJXP4KJJg_0"]
    record = json.loads((tmp_path / "ivbench" / "raw" / "hub.json").read_bytes())
    assert record["revision"] == REVISION
    assert record["files"] == {"data/test/test_data.jsonl": hashlib.sha256(release).hexdigest()}
    assert not (tmp_path / "ivbench" / ".fetching").exists()
    # what is here is not fetched again
    hub.served.clear()
    assert fetch_annotations("ivbench", tmp_path).was_here
    assert hub.served == []


def test_another_release_than_the_manifests_is_said(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest, release: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised = manifest.model_copy(update={"release": ReleaseFile(file_name="test_data.jsonl", sha256="0" * 64)})
    monkeypatch.setattr(release_module, "load_manifest", lambda name: promised)
    hub.files = {"test_data.jsonl": release}
    assert fetch_annotations("ivbench", tmp_path).matches_manifest is False


def test_a_repository_without_annotations_says_what_it_holds(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest
) -> None:
    hub.files = {"README.md": b"card", "images.zip": b""}
    with pytest.raises(EnvironmentProblemError, match=r"holds no test_data.jsonl; it holds: README.md, images.zip"):
        fetch_annotations("ivbench", tmp_path)


@pytest.mark.parametrize("large", [False, True])
def test_bytes_of_another_digest_than_listed_are_refused(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest, release: bytes, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files = {"test_data.jsonl": release}
    hub.large = {"test_data.jsonl"} if large else set()
    honest = hub.listing()
    monkeypatch.setattr(hub, "listing", lambda: honest)
    hub.files["test_data.jsonl"] = release.replace(b"two", b"six")
    with pytest.raises(EnvironmentProblemError, match="another digest"):
        fetch_annotations("ivbench", tmp_path)
    assert not (tmp_path / "ivbench" / "raw" / "test_data.jsonl").exists()


def test_the_pinned_revision_is_fetched_since(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest, release: bytes
) -> None:
    hub.files = {"test_data.jsonl": release, "a.png": make_image(1)}
    fetch_annotations("ivbench", tmp_path)
    hub.revision = OTHER_REVISION
    with pytest.raises(UsageError, match="no such revision"):
        list(fetch_images(dataset_of("a.png"), tmp_path))


@pytest.mark.parametrize(
    ("status", "error"), [(500, EnvironmentProblemError), (404, UsageError), (403, EnvironmentProblemError)]
)
def test_a_hub_that_refuses_is_an_error_with_advice(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest, status: int, error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.refuse_with = status
    hub.error_code = {403: "GatedRepo", 404: "RepoNotFound"}.get(status, "")
    with pytest.raises(error, match=REPOSITORY):
        fetch_annotations("ivbench", tmp_path)


def test_an_unreachable_hub_is_an_error_with_advice(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EnvironmentProblemError, match="cannot be reached"):
        fetch_annotations("ivbench", tmp_path)


# --- images -----------------------------------------------------------------------------------------------------


def test_images_loose_in_folders_and_in_archives(tmp_path: Path, hub: HubStandIn, manifest: Manifest) -> None:
    hub.files = {
        "a.png": make_image(1),
        "deep/er/-b.png": make_image(2),
        "images.zip": make_zip({"IV/images/c.png": make_image(3), "__MACOSX/._c.png": b"junk"}),
        "more/rest.tar.gz": make_tar({"./d.png": make_image(4), "notes.txt": b"x"}),
        "plain.tar": make_tar({"e.png": make_image(5)}, mode="w"),
    }
    hub.large = {"images.zip", "more/rest.tar.gz"}
    dataset = dataset_of("a.png", "-b.png", "c.png", "d.png", "e.png", "f.png")
    dataset.save(tmp_path)
    rows = {row.image_id: row for row in fetch_images(dataset, tmp_path)}
    assert {name: row.status for name, row in rows.items()} == {
        "a.png": "ok", "-b.png": "ok", "c.png": "ok", "d.png": "ok", "e.png": "ok", "f.png": "missing",
    }  # fmt: skip
    assert rows["c.png"].origin == "images.zip!/IV/images/c.png"
    assert f"no file of this name in {REPOSITORY}" in str(rows["f.png"].reason)
    folder = tmp_path / "ivbench" / "images"
    assert {path.name for path in folder.iterdir()} == {"a.png", "-b.png", "c.png", "d.png", "e.png"}
    assert (folder / "d.png").read_bytes() == make_image(4)
    assert not (tmp_path / "ivbench" / ".fetching").exists()
    saved = {image.image_id: image for image in iv.load_dataset("ivbench", tmp_path).images}
    assert saved["c.png"].sha256 == hashlib.sha256(make_image(3)).hexdigest()
    assert (saved["c.png"].width, saved["c.png"].height) == (8, 8)
    assert saved["f.png"].sha256 is None
    # a re-run fetches what is missing, and nothing else
    (folder / "d.png").unlink()
    (folder / "a.png").write_bytes(b"broken")
    hub.served.clear()
    hub.files["late/f.png"] = make_image(6)
    assert set(statuses(iv.load_dataset("ivbench", tmp_path), tmp_path).values()) == {"ok"}
    assert "deep/er/-b.png" not in hub.served


def test_different_images_of_one_name_are_not_chosen_between(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest
) -> None:
    hub.files = {
        "one/a.png": make_image(1),
        "two/a.png": make_image(2),
        "x.zip": make_zip({"1/b.png": make_image(3), "2/b.png": make_image(4), "1/c.png": make_image(5),
                           "2/c.png": make_image(5)}),
    }  # fmt: skip
    rows = {row.image_id: row for row in fetch_images(dataset_of("a.png", "b.png", "c.png"), tmp_path)}
    assert {name: row.status for name, row in rows.items()} == {"a.png": "failed", "b.png": "failed", "c.png": "ok"}
    assert "1/b.png" in str(rows["b.png"].reason)
    assert [path.name for path in (tmp_path / "ivbench" / "images").iterdir()] == ["c.png"]


def test_images_in_a_folder_are_taken_from_there_and_the_hub_is_asked_for_the_rest(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest
) -> None:
    folder = tmp_path / "mirror"
    (folder / "images").mkdir(parents=True)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.png").write_bytes(make_image(1))
    (folder / "images" / "b.png").write_bytes(make_image(2))
    (folder / "deep" / "er" / "1.png").write_bytes(make_image(3))
    (folder / "page.png").write_bytes(b"<html>not an image</html>")
    (folder / "other.png").write_bytes(make_image(4))
    (tmp_path / "outside.png").write_bytes(make_image(5))
    hub.files = {"page.png": make_image(6), "other.png": make_image(7), "lost/outside.png": make_image(8)}
    images = (
        QueryImage(image_id="a.png"),
        QueryImage(image_id="b.png"),
        QueryImage(image_id="c.png", source_metadata={"path": "deep/er/1.png"}),
        QueryImage(image_id="page.png"),
        QueryImage(image_id="other.png", sha256=hashlib.sha256(make_image(7)).hexdigest()),
        QueryImage(image_id="d.png", source_metadata={"path": "../outside.png"}),
    )
    rows = {row.image_id: row for row in fetch_images(Dataset("ivbench", (), images), tmp_path, folders=[folder])}
    assert {name: row.status for name, row in rows.items() if row.status != "ok"} == {"d.png": "missing"}
    there = {path.name: path.read_bytes() for path in (tmp_path / "ivbench" / "images").iterdir()}
    shades = {"a.png": 1, "b.png": 2, "c.png": 3, "page.png": 6, "other.png": 7}
    assert there == {name: make_image(shade) for name, shade in shades.items()}


def test_no_hub_is_asked_where_a_folder_has_all_images(
    tmp_path: Path, hub: HubStandIn, run_cli: Callable[..., Outcome]
) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a.png").write_bytes(make_image(1))
    dataset_of("a.png").save(tmp_path)
    fetched = run_cli("fetch", "--only", "images", "--source", tmp_path / "mirror", "--root", tmp_path)
    assert fetched.code == 0, fetched.err
    assert (tmp_path / "ivbench" / "images" / "a.png").read_bytes() == make_image(1)
    assert hub.tokens == []


def test_hostile_archives(tmp_path: Path, hub: HubStandIn, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_module, "MAX_IMAGE_BYTES", 1_000_000)
    secret = tmp_path / "secret.png"
    secret.write_bytes(make_image(9))
    hub.files = {
        "1.zip": make_zip({"../../../escaped.png": make_image(1), "/absolute.png": make_image(2)}),
        "2.tar.gz": make_tar({}, links={"linked.png": str(secret)}),
        "3.zip": make_zip({"bomb.png": b"\0" * 50_000_000}),
        "4.zip": make_zip({"page.png": b"<html>not an image</html>"}),
        "5.zip": make_zip({"cut.png": make_image(3)})[:-40],
        "6.tar.gz": make_tar({"cut.png": make_image(3, side=64)})[:60],
        "7.zip": _lying_zip("liar.png", make_image(4)),
        "../outside.zip": make_zip({"x.png": make_image(5)}),
    }
    names = ("escaped.png", "absolute.png", "linked.png", "bomb.png", "page.png", "cut.png", "liar.png", "x.png")
    rows = {row.image_id: row for row in fetch_images(dataset_of(*names), tmp_path)}
    assert {name: row.status for name, row in rows.items()} == {
        "escaped.png": "ok", "absolute.png": "ok",  # by name alone, into our own folder
        "linked.png": "missing", "bomb.png": "failed", "page.png": "failed", "cut.png": "missing",
        "liar.png": "failed", "x.png": "missing",
    }  # fmt: skip
    assert "unpacks to more than" in str(rows["bomb.png"].reason)
    assert {path.name for path in (tmp_path / "ivbench" / "images").iterdir()} == {"escaped.png", "absolute.png"}
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {"escaped.png", "absolute.png", "secret.png", "hub.json"} | {
        path.name for path in (tmp_path / "hf_home").rglob("*")
    }


def _lying_zip(name: str, content: bytes) -> bytes:
    """A zip whose checksum of the member is another than its bytes have."""
    archive = bytearray(make_zip({name: content}))
    at = archive.index(b"PK\x01\x02")
    archive[at + 16 : at + 20] = struct.pack("<I", 12345)
    return bytes(archive)


def test_members_are_listed_only_when_they_are_plain_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(make_tar({"d/a.png": b"1"}, links={"b.png": "/etc/passwd"}, mode="w"))
    assert [(member, name) for member, name, _ in iterate_members(path)] == [("d/a.png", "a.png")]
    (tmp_path / "no.zip").write_bytes(b"nothing of the kind")
    with pytest.raises(ArchiveRefusedError, match="cannot be read"):
        list(iterate_members(tmp_path / "no.zip"))


def test_copies_are_bounded() -> None:
    target = io.BytesIO()
    digest = copy_bounded(lambda: io.BytesIO(b"abc"), target, 3)
    assert (target.getvalue(), digest) == (b"abc", hashlib.sha256(b"abc").hexdigest())
    with pytest.raises(ArchiveRefusedError, match="more than 2 bytes"):
        copy_bounded(lambda: io.BytesIO(b"abc"), io.BytesIO(), 2)


def test_a_dataset_without_a_repository_says_so(tmp_path: Path) -> None:
    (row,) = fetch_images(Dataset("mine", (), (QueryImage(image_id="a.png"),)), tmp_path)
    folder = tmp_path / "mine" / "images"
    assert (row.status, row.reason) == ("missing", f"no repository is known to hold it: put its file in {folder}")


def test_videoespressos_annotations_are_found_by_name(
    tmp_path: Path, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = iv.load_manifest("videoespresso")
    assert real.hub is not None
    assert real.hub.repo_id == "hshjerry0315/VideoEspresso-Test"
    pointed = real.model_copy(update={"hub": HubRepository(repo_id=REPOSITORY)})
    monkeypatch.setattr(release_module, "load_manifest", lambda name: pointed)
    options, path = ["(A): x", "(B): y"], "all_video/X/1.mp4"
    record = {
        "video_path": path,
        "question": "?",
        "options": options,
        "correct_answer": "(B)",
        "task": "Theme Analysis",
    }
    hub.files = {"README.md": b"", "all_video.zip": b"0", "bench_hard.json": json.dumps([record]).encode()}
    result = fetch_annotations("videoespresso", tmp_path)
    assert (result.file.name, result.was_here, result.matches_manifest) == ("bench_hard.json", False, None)
    assert iv.load_dataset("videoespresso", tmp_path).questions[0].answer == "y"
    assert fetch_annotations("videoespresso", tmp_path).was_here


# --- videos on the Hub ------------------------------------------------------------------------------------------


def test_videos_from_a_repository(tmp_path: Path, hub: HubStandIn) -> None:
    hub.files = {"videos/-a.mp4": make_video(), "b.mp4": make_video()[:3000], "c.mp4": b"\0" * 2000}
    dataset = Dataset("set", tuple(Video(video_id=name) for name in ("-a", "b", "absent")))
    rows = list(fetch_videos(dataset, tmp_path, FetchOptions(sources=(f"hf://{REPOSITORY}",), backoff_seconds=0)))
    assert [row.status for row in rows] == ["ok", "corrupt", "unknown"]
    assert REVISION in str(rows[0].format)
    assert {path.name for path in (tmp_path / "set" / "videos").iterdir()} == {"-a.mp4"}
    assert not (tmp_path / "set" / ".fetching").exists()
    with pytest.raises(UsageError, match="no such revision"):
        fetch_videos(dataset, tmp_path, FetchOptions(sources=(f"hf://{REPOSITORY}@{OTHER_REVISION}",)))


def test_videos_at_the_paths_that_the_release_gives(tmp_path: Path, hub: HubStandIn) -> None:
    hub.files = {"all/X/1.mp4": make_video(), "all/Y/1.mp4": make_video()[:3000]}
    video = Video(video_id="all~X~1", source_metadata={"path": "all/X/1.mp4"})
    (row,) = fetch_videos(Dataset("set", (video,)), tmp_path, FetchOptions(sources=(f"hf://{REPOSITORY}",)))
    assert row.status == "ok"
    assert {path.name for path in (tmp_path / "set" / "videos").iterdir()} == {"all~X~1.mp4"}


def test_the_token_is_sent_and_never_told(
    tmp_path: Path, hub: HubStandIn, manifest: Manifest, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level("DEBUG")
    monkeypatch.setenv("HF_TOKEN", "hf_canarycanarycanary")
    hub.files = {"test_data.jsonl": RELEASE.encode() + b"\n", "a.png": make_image(1)}
    fetch_annotations("ivbench", tmp_path)
    list(fetch_images(iv.load_dataset("ivbench", tmp_path), tmp_path))
    assert "Bearer hf_canarycanarycanary" in hub.tokens
    out, err = capsys.readouterr()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "canary" not in out + err + caplog.text
    assert b"canary" not in written


# --- what the Hub refuses, and what it holds twice ----------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub's library waits between its own attempts."""
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)


@pytest.mark.parametrize(("code", "status", "asked"), [(429, "rate_limited", 1), (401, "configuration", 1)])
def test_a_refusal_of_the_hub_keeps_its_own_status_and_stops_the_queue(
    tmp_path: Path, hub: HubStandIn, impatient: None, code: int, status: str, asked: int
) -> None:
    hub.files = {f"v{number}.mp4": make_video() for number in range(3)}
    for name in hub.files:
        hub.loopback.faults[f"/datasets/{REPOSITORY}/resolve/{REVISION}/{name}"] = fail_with(code)
    dataset = Dataset("set", tuple(Video(video_id=f"v{number}") for number in range(3)))
    rows = list(fetch_videos(dataset, tmp_path, FetchOptions(sources=(f"hf://{REPOSITORY}",), backoff_seconds=0)))
    assert [(row.status, row.attempts) for row in rows] == [(status, 1)] * asked
    assert f"HTTP Error {code}" in str(rows[0].message)
    assert "connection" not in str(rows[0].message).partition(".")[0]
    assert "The queue stops here" in str(rows[0].reason)


def test_one_name_in_two_folders_is_not_taken_silently(tmp_path: Path, hub: HubStandIn) -> None:
    one, other = make_video(), make_video(3)
    hub.files = {
        "preview/ambiguous.mp4": one,
        "full/ambiguous.mp4": other,
        "preview/inside.mp4": one,
        "videos/inside.mp4": other,
        "a/same.mp4": one,
        "b/same.mp4": one,
        "c/Case.MP4": other,
    }
    hub.large = set(hub.files)
    dataset = Dataset("set", tuple(Video(video_id=name) for name in ("ambiguous", "inside", "same", "Case")))
    rows = {row.video_id: row for row in fetch_videos(dataset, tmp_path, FetchOptions(sources=(f"hf://{REPOSITORY}",)))}
    assert rows["ambiguous"].status == "configuration"
    assert "full/ambiguous.mp4, preview/ambiguous.mp4" in str(rows["ambiguous"].reason)
    assert {name: row.status for name, row in rows.items() if name != "ambiguous"} == dict.fromkeys(
        ("inside", "same", "Case"), "ok"
    )
    videos = tmp_path / "set" / "videos"
    assert (videos / "inside.mp4").read_bytes() == other
    assert (videos / "same.mp4").read_bytes() == one
    assert (videos / "Case.mp4").read_bytes() == other
