"""Files are taken as they are named and packed: every container, any case of the suffix, any form of Unicode."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import media
import pytest

from ivbench_data import cli
from ivbench_data.dataset import Dataset
from ivbench_data.fetch import FetchOptions, fetch_videos
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.schema import FrameGrid, Subtitle, Video
from ivbench_data.video.stray_files import find_stray_files
from ivbench_data.video.verify import VerifyOptions, verify_videos
from ivbench_data.video.whole_decode import find_ffmpeg
from ivbench_data.workspace import Workspace

GRID = FrameGrid(nframes=4, res=48)


def write_as(codec: str, container_format: str | None = None, **options: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        media.write_video(
            path,
            codec,
            list(media.draw_frames(30)),
            options={"g": "12"},
            container_format=container_format,
            container_options=options,
        )

    return write


FILES: dict[str, Callable[[Path], None]] = {
    "v.MP4": write_as("libx264", "mp4"),
    "v.Webm": write_as("libvpx-vp9", "webm"),
    "v.m2ts": write_as("libx264", "mpegts", mpegts_m2ts_mode="1"),
    "v.MTS": write_as("libx264", "mpegts", mpegts_m2ts_mode="1"),
    "v.mpg": write_as("mpeg1video", "mpeg"),
    "v.vob": write_as("mpeg2video", "vob"),
    "v.wmv": write_as("wmv2", "asf"),
    "v.flv": write_as("libx264", "flv"),
    "v.ogv": write_as("libvpx", "ogg"),
    "v.3gp": write_as("libx264", "3gp"),
    "v.ivf": write_as("libvpx-vp9", "ivf"),
    "v.obu": write_as("libsvtav1", "obu"),
    "v.h264": write_as("libx264", "h264"),
}


ODD = {"v.obu": "invented clock", "v.h264": "invented clock"}
"""What is odd about some of them: bare streams have no times."""


def names_of(reason: str | None) -> str | None:
    """The names of what is odd."""
    return reason and ", ".join(sentence.partition(":")[0] for sentence in reason.split("; ") if ":" in sentence)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, write in FILES.items():
        write(folder / name)
    return folder


def place(root: Path, file: Path, name: str) -> Dataset:
    dataset = Dataset("set", (Video(video_id="v"),))
    dataset.save(root)
    videos = Workspace(root, "set").videos
    videos.mkdir(parents=True, exist_ok=True)
    (videos / name).write_bytes(file.read_bytes())
    return dataset


@pytest.mark.parametrize("name", FILES)
def test_each_container_is_found_verified_and_cached(tmp_path: Path, files: Path, name: str) -> None:
    dataset = place(tmp_path, files / name, name)
    assert find_ffmpeg() is not None, "the deep check needs the extra `fetch`"
    for depth in ("quick", "default", "deep"):
        (checked,) = verify_videos(dataset, tmp_path, depth, VerifyOptions(workers=0))
        assert (checked.status, names_of(checked.reason)) == ("ok", ODD.get(name)), depth
    (cached,) = cache_frames(dataset, tmp_path, [GRID], CacheOptions(workers=0))
    assert (cached.status, names_of(cached.reason), cached.frames) == ("done", ODD.get(name), 4)


@pytest.mark.parametrize("name", FILES)
def test_each_container_is_fetched_from_a_folder(tmp_path: Path, files: Path, name: str) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / name).write_bytes((files / name).read_bytes())
    dataset = Dataset("set", (Video(video_id="v"),))
    (row,) = fetch_videos(dataset, tmp_path, FetchOptions(sources=(str(folder),)))
    assert (row.status, names_of(row.reason)) == ("ok", ODD.get(name))
    found = Workspace(tmp_path, "set").find_video("v")
    assert found is not None
    assert found.suffix == found.suffix.lower()
    assert found.read_bytes() == (files / name).read_bytes()


@pytest.mark.parametrize("cut_at", [0, 3, 20])
def test_what_only_begins_like_a_container_is_no_video(tmp_path: Path, files: Path, cut_at: int) -> None:
    for name in ("v.mpg", "v.wmv", "v.flv", "v.ogv", "v.ivf", "v.obu", "v.h264"):
        stub = tmp_path / "stub"
        stub.write_bytes((files / name).read_bytes()[:cut_at] + b"no video" * 40)
        dataset = place(tmp_path / name, stub, name)
        (checked,) = verify_videos(dataset, tmp_path / name, "default", VerifyOptions(workers=0))
        assert checked.status == "failed", name


def test_names_are_compared_as_unicode_nfc(tmp_path: Path, files: Path) -> None:
    workspace = Workspace(tmp_path, "set")
    workspace.videos.mkdir(parents=True)
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    for wanted, stored in ((composed, decomposed), (decomposed, composed)):
        file = workspace.videos / f"{stored}.Mp4"
        file.write_bytes((files / "v.MP4").read_bytes())
        assert workspace.find_video(wanted) == file
        file.unlink()
        assert workspace.find_video(wanted) is None


def test_an_exact_name_is_preferred_and_case_of_the_id_counts(tmp_path: Path, files: Path) -> None:
    workspace = Workspace(tmp_path, "set")
    workspace.videos.mkdir(parents=True)
    (workspace.videos / "v.MP4").write_bytes(b"1")
    assert workspace.find_video("v") == workspace.videos / "v.MP4"
    (workspace.videos / "v.flv").write_bytes(b"2")
    assert workspace.find_video("v") == workspace.videos / "v.flv"
    assert workspace.find_video("V") is None


def test_a_new_file_replaces_the_damaged_one_of_another_name(tmp_path: Path, files: Path) -> None:
    dataset = place(tmp_path, files / "v.flv", "v.FLV")
    videos = Workspace(tmp_path, "set").videos
    (videos / "v.FLV").write_bytes(b"FLV\x01 and no more")
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "v.mp4").write_bytes((files / "v.MP4").read_bytes())
    (row,) = fetch_videos(dataset, tmp_path, FetchOptions(sources=(str(folder),)))
    assert row.status == "ok"
    assert [path.name for path in videos.iterdir()] == ["v.mp4"]


def test_files_of_no_video_are_named_with_the_video_they_may_be_meant_for(
    tmp_path: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = [
        Video(video_id="v", subtitles=(Subtitle(language="en", kind="manual", file_name="v.en.vtt"),)),
        Video(video_id="AbC"),
        Video(video_id="long-lecture"),
    ]
    dataset = Dataset("set", tuple(videos))
    dataset.save(tmp_path)
    workspace = Workspace(tmp_path, "set")
    workspace.videos.mkdir(parents=True)
    for name in ("v.MP4", "v.en.vtt", ".hidden", "abc.mp4", "long-lecture (1).mp4", "holiday.mp4", "AbC.txt"):
        (workspace.videos / name).write_bytes((files / "v.MP4").read_bytes())
    near = {stray.file_name: stray.near for stray in find_stray_files(dataset, workspace)}
    assert near == {
        "AbC.txt": "AbC",
        "abc.mp4": "AbC",
        "holiday.mp4": None,
        "long-lecture (1).mp4": "long-lecture",
    }
    at = ["--root", str(tmp_path), "--dataset", "set"]
    for arguments in (["info"], ["cache", "--grid", "4x48", "--workers", "0"]):
        assert cli.run([*arguments, *at]) == 0
        assert '"abc.mp4" (meant for AbC?)' in capsys.readouterr().err
        assert cli.run([*arguments, *at, "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert {stray["file_name"]: stray["near"] for stray in printed["stray_files"]} == near


def test_cache_fails_when_no_video_has_a_file(tmp_path: Path, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = Dataset("set", (Video(video_id="v1"), Video(video_id="v2")))
    dataset.save(tmp_path)
    workspace = Workspace(tmp_path, "set")
    workspace.videos.mkdir(parents=True)
    (workspace.videos / "V1.mp4").write_bytes((files / "v.MP4").read_bytes())
    at = ["cache", "--grid", "4x48", "--workers", "0", "--root", str(tmp_path), "--dataset", "set"]
    assert cli.run(at) == 1
    assert '"V1.mp4" (meant for v1?)' in capsys.readouterr().err
    (workspace.videos / "V1.mp4").rename(workspace.videos / "v1.mp4")
    assert cli.run(at) == 0
