from __future__ import annotations

import gc
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from fetch_media import make_dash, make_hls, make_long_video, make_patterned_video, make_video
from loopback import (
    Fault,
    Loopback,
    answer_html,
    drip,
    drop_after,
    fail_with,
    make_extractor,
    never_end,
    pause_before,
    redirect_to,
    serve,
    stall_after,
    truncate_to,
)
from slow_params import slowly
from test_statuses import MESSAGES

import ivbench_data as iv
from ivbench_data.atomic_files import claim_scratch_folder
from ivbench_data.dataset import Dataset
from ivbench_data.errors import StorageError, UsageError
from ivbench_data.fetch import FetchLimits, FetchOptions, fetch_videos, report_fetch
from ivbench_data.fetch.arrival_check import find_fault
from ivbench_data.fetch.downloads import SCRATCH_FOLDER, FetchClock
from ivbench_data.fetch.fetch_ledger import read_histories
from ivbench_data.schema import FetchResult, Question, Video
from ivbench_data.workspace import Workspace

LIMITS = FetchLimits(
    max_bytes=2_000_000,
    max_seconds=20,
    extraction_seconds=10,
    stall_seconds=8,
    min_bytes_per_stall=500,
    socket_seconds=8,
)
"""Wide enough for a machine that is busy with other things."""
SHORT_LIMITS = LIMITS.model_copy(update={"max_seconds": 60, "stall_seconds": 0.6, "socket_seconds": 0.5})
"""For sources that fall silent, where each attempt lasts as long as `stall_seconds` lets it.

Each of four attempts starts a process, which takes seconds on a busy machine: `max_seconds` leaves them room.
"""
DAY = timedelta(days=1)


@dataclass
class FakeClock:
    """A clock that only sleeping moves."""

    moment: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.moment += timedelta(seconds=seconds)

    def tick(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def clock(self) -> FetchClock:
        return FetchClock(now=self.tick, sleep=self.sleep, chance=random.Random(4).random)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serve() as loopback:
        yield loopback


def fetch(
    root: Path,
    ids: list[str],
    *sources: str,
    clock: FakeClock | None = None,
    site: bool = False,
    videos: list[Video] | None = None,
    **settings: Any,
) -> list[FetchResult]:
    dataset = Dataset("set", tuple(videos or [Video(video_id=video_id) for video_id in ids]))
    options = FetchOptions(sources=sources, limits=settings.pop("limits", LIMITS), **settings)
    extractors = [make_extractor()] if site else None
    return list(fetch_videos(dataset, root, options, extractors=extractors, clock=(clock or FakeClock()).clock()))


def here(root: Path) -> set[str]:
    """Names in the videos' folder; every one of them must be a whole video or a caption file."""
    folder = root / "set" / "videos"
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    assert [name for name in names if not name.endswith(".vtt") and find_fault(folder / name)] == []
    return names


def scratch(root: Path) -> list[Path]:
    return sorted(path for path in (root / "set" / SCRATCH_FOLDER).rglob("*") if path.is_file())


# --- faults -----------------------------------------------------------------------------------------------------


def _answer_nothing(request: Any) -> bool:
    request.send_head(200, {"Content-Length": "0"})
    return True


FAULTS: dict[str, tuple[Fault | None, str, int]] = {
    "well": (None, "ok", 1),
    "429-then-fine": (fail_with(429, 2, "3"), "ok", 3),
    "503-then-fine": (fail_with(503, 2, "1"), "ok", 3),
    "429-for-ever": (fail_with(429), "rate_limited", 4),
    "500-for-ever": (fail_with(500), "network", 4),
    "404": (fail_with(404), "removed", 1),
    "410": (fail_with(410), "removed", 1),
    "403": (fail_with(403), "unknown", 2),
    "dropped-once": (drop_after(2000), "ok", 2),
    "dropped-always-at-the-same-byte": (drop_after(2000, times=99), "network", 4),
    "truncated": (truncate_to(3000), "corrupt", 2),
    "web-page": (answer_html, "corrupt", 2),
    "empty": (_answer_nothing, "corrupt", 2),
    "stall": (stall_after(1000), "network", 4),
    "drip": (drip(0.05), "network", 4),
    "endless": (never_end, "over_limit", 1),
    "to-a-file": (redirect_to("file:///etc/passwd"), "unsupported", 1),
    "to-another-private-address": (redirect_to("http://127.0.0.2:9/x.mp4"), "configuration", 1),
    "to-metadata-service": (redirect_to("http://169.254.169.254/latest/meta-data/"), "configuration", 1),
    "in-a-circle": (lambda request: redirect_to(request.path)(request), "unsupported", 1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_ends_in_its_status_within_the_limits(tmp_path: Path, server: Loopback, name: str) -> None:
    fault, status, attempts = FAULTS[name]
    server.add("/video.mp4", make_video(), fault)
    limits = SHORT_LIMITS if name in ("stall", "drip") else LIMITS
    started = time.monotonic()
    (row,) = fetch(tmp_path, ["video"], server.template, limits=limits)
    assert time.monotonic() - started < limits.max_seconds
    assert (row.status, row.attempts) == (status, attempts), row.reason
    assert here(tmp_path) == ({"video.mp4"} if status == "ok" else set())
    assert row.reason is not None or status == "ok"
    # healed, a re-run brings the video; what may be lost for good only when asked
    server.faults.clear()
    lost = status in ("removed", "unsupported", "over_limit")
    (again,) = fetch(tmp_path, ["video"], server.template)
    assert again.status == (status if lost else "ok")
    (asked,) = fetch(tmp_path, ["video"], server.template, retry="all")
    assert asked.status == "ok"
    assert (tmp_path / "set" / "videos" / "video.mp4").read_bytes() == make_video()
    assert scratch(tmp_path) == []
    assert not (tmp_path / "set" / SCRATCH_FOLDER).exists()


def test_all_faults_at_once_and_a_re_run_completes_exactly_what_is_missing(tmp_path: Path, server: Loopback) -> None:
    names = [name for name in FAULTS if name not in ("429-for-ever", "stall", "drip")]
    for name in names:
        server.add(f"/{name}.mp4", make_video(), FAULTS[name][0])
    rows = fetch(tmp_path, names, server.template)
    assert {row.video_id: row.status for row in rows} == {name: FAULTS[name][1] for name in names}
    good = {name for name in names if FAULTS[name][1] == "ok"}
    assert here(tmp_path) == {f"{name}.mp4" for name in good}
    server.faults.clear()
    server.counts.clear()
    rows = fetch(tmp_path, names, server.template, retry="all")
    assert {row.status for row in rows} == {"ok"}
    assert {path for path, _ in server.counts.items()} == {f"/{name}.mp4" for name in names if name not in good}
    assert len(here(tmp_path)) == len(names)


@pytest.mark.parametrize(("message", "status", "again", "stops"), MESSAGES, ids=[row[0][:40] for row in MESSAGES])
def test_each_message_of_the_site_ends_in_its_status(
    tmp_path: Path, server: Loopback, message: str, status: str, again: str, stops: bool
) -> None:
    server.videos["-captcha123"] = {"error": message}  # the id must not be read as part of the message
    server.videos["after"] = {"error": "Private video"}
    clock = FakeClock()
    rows = fetch(tmp_path, ["-captcha123", "after"], server.site, clock=clock, site=True)
    assert rows[0].status == status
    assert rows[0].attempts == {"this run": 4, "once more": 2}.get(again, 1)
    assert len(rows) == (1 if stops else 2), "the queue stops exactly where the table says"
    assert here(tmp_path) == set()
    # waiting is part of politeness: each pause is longer than the one before may be, and none is skipped
    assert len(clock.pauses) == rows[0].attempts - 1
    asked_before = server.counts["/info/-captcha123"]
    (again_row, *_) = fetch(tmp_path, ["-captcha123"], server.site, clock=clock, site=True)
    asked_again = server.counts["/info/-captcha123"] > asked_before
    assert asked_again == (again != "when asked")
    assert again_row.status == status


# --- formats ----------------------------------------------------------------------------------------------------


def add_parts(server: Loopback, folder: str, parts: dict[str, bytes]) -> str:
    for name, content in parts.items():
        server.add(f"/{folder}/{name}", content)
    (manifest,) = (name for name in parts if name.endswith((".m3u8", ".mpd")))
    return f"{server.url}/{folder}/{manifest}"


def test_ids_with_a_dash_hls_and_dash(tmp_path: Path, server: Loopback) -> None:
    server.add("/file.mp4", make_video())
    plain = {"url": f"{server.url}/file.mp4", "format_id": "18", "ext": "mp4", "width": 64, "height": 48}
    server.videos["-3xJXP4KJJg"] = {"formats": [plain]}
    server.videos["hls-video-1"] = {"m3u8": add_parts(server, "hls", make_hls())}
    server.videos["dash-video1"] = {"mpd": add_parts(server, "dash", make_dash())}
    rows = fetch(tmp_path, list(server.videos), server.site, site=True)
    assert [row.status for row in rows] == ["ok"] * 3, rows
    assert here(tmp_path) == {"-3xJXP4KJJg.mp4", "hls-video-1.mp4", "dash-video1.mp4"}
    assert rows[0].format == "18 64x48"
    assert rows[0].yt_dlp_version
    assert rows[0].size_bytes == len(make_video())
    for name in here(tmp_path):
        with av.open(str(tmp_path / "set" / "videos" / name)) as container:
            assert len(container.streams.video) == 1
            assert len(container.streams.audio) == 0, "frames need no sound"
            assert sum(1 for _ in container.decode(video=0)) == 40


def test_sdr_is_taken_before_hdr_and_the_rendition_is_kept(tmp_path: Path, server: Loopback) -> None:
    server.add("/sdr.mp4", make_video())
    server.add("/hdr.mp4", make_video())
    renditions = [
        {"url": f"{server.url}/{name}.mp4", "format_id": itag, "ext": "mp4", "width": 64, "height": 48, "vcodec": codec,
         "acodec": "none", "dynamic_range": name.upper().replace("HDR", "HDR10")}
        for name, itag, codec in (("sdr", "247", "vp9"), ("hdr", "334", "vp9.2"))
    ]  # fmt: skip
    server.videos["video"] = {"formats": renditions}
    (row,) = fetch(tmp_path, ["video"], server.site, site=True)
    kept = {name: row.source_metadata[name] for name in ("format_id", "dynamic_range")}
    assert kept == {"format_id": "247", "dynamic_range": "SDR"}
    server.videos["other"] = {"formats": renditions[1:]}  # HDR is better than nothing
    (row,) = fetch(tmp_path, ["other"], server.site, site=True)
    assert (row.status, row.source_metadata["dynamic_range"]) == ("ok", "HDR10")


def test_with_audio_joins_both(tmp_path: Path, server: Loopback) -> None:
    server.videos["video"] = {"mpd": add_parts(server, "dash", make_dash())}
    (row,) = fetch(tmp_path, ["video"], server.site, site=True, with_audio=True)
    assert row.status == "ok", row.reason
    with av.open(str(tmp_path / "set" / "videos" / str(row.file_name))) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (1, 1)


@pytest.mark.parametrize("fault", [fail_with(404), truncate_to(100)], ids=["missing", "truncated"])
def test_a_missing_fragment_is_no_success_and_no_removal(tmp_path: Path, server: Loopback, fault: Fault) -> None:
    server.videos["video"] = {"m3u8": add_parts(server, "hls", make_hls())}
    fragment = sorted(path for path in server.files if path.endswith(".ts"))[2]
    server.faults[fragment] = fault
    (row,) = fetch(tmp_path, ["video"], server.site, site=True)
    assert row.status == "corrupt", row.reason
    assert here(tmp_path) == set()
    server.faults.clear()
    (row,) = fetch(tmp_path, ["video"], server.site, site=True)
    assert row.status == "ok"


def test_what_the_source_says_is_kept_with_the_date(tmp_path: Path, server: Loopback) -> None:
    server.add("/file.mp4", make_video())
    server.add("/captions.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n")
    track = [{"url": f"{server.url}/captions.vtt", "ext": "vtt"}]
    server.videos["video"] = {
        "formats": [{"url": f"{server.url}/file.mp4", "format_id": "18", "ext": "mp4", "height": 48}],
        "duration": 4, "license": "Creative Commons", "channel": "A channel", "language": "en", "age_limit": 0,
        "categories": ["Sports"], "subtitles": {"en": track, "live_chat": track},
        "automatic_captions": {"de-orig": track, "fr": track, "it": track}, "description": "x" * 100_000,
    }  # fmt: skip
    dataset = Dataset("set", (Video(video_id="video", category="Sports Competition"), Video(video_id="other")))
    dataset.save(tmp_path)
    (row, _) = fetch(
        tmp_path, [], server.site, site=True, with_subtitles=True, videos=list(dataset.videos), retry="all"
    )
    assert row.status == "ok", row.reason
    assert here(tmp_path) == {"video.mp4", "video.en.vtt", "video.de-orig.vtt"}
    video, other = iv.load_dataset("set", tmp_path).videos
    assert (video.duration_seconds, video.license, video.language) == (4, "Creative Commons", "en")
    assert video.category == "Sports Competition", "what the benchmark says stays"
    assert video.source_metadata["channel"] == "A channel"
    assert video.source_metadata["categories"] == ["Sports"]
    assert str(video.source_metadata["asked"]).startswith("2026-11-01T")
    assert [(track.language, track.kind, track.file_name) for track in video.subtitles] == [
        ("en", "manual", "video.en.vtt"),
        ("de-orig", "automatic", "video.de-orig.vtt"),
    ]
    assert other == Video(video_id="other")


def test_a_shorter_video_than_the_source_promises_is_not_let_in(tmp_path: Path, server: Loopback) -> None:
    server.add("/video.mp4", make_video())
    (row,) = fetch(tmp_path, [], server.template, videos=[Video(video_id="video", duration_seconds=60)])
    assert row.status == "corrupt"
    assert "60" in str(row.reason)
    assert here(tmp_path) == set()


def test_other_content_than_the_fingerprint_tells_is_not_let_in(tmp_path: Path, server: Loopback) -> None:
    from ivbench_data.strict_json import write_jsonl
    from ivbench_data.video.fingerprint import make_fingerprint

    one, other = make_patterned_video(1), make_patterned_video(2)
    (tmp_path / "trusted.mp4").write_bytes(one)
    write_jsonl(tmp_path / "set" / "fingerprints.jsonl", [make_fingerprint(tmp_path / "trusted.mp4", "video")])
    server.add("/video.mp4", other)
    (row,) = fetch(tmp_path, ["video"], server.template)
    assert row.status == "content_mismatch", row.reason
    assert here(tmp_path) == set()
    server.add("/video.mp4", one)
    (row,) = fetch(tmp_path, ["video"], server.template)
    assert row.status == "ok", row.reason


# --- patience ---------------------------------------------------------------------------------------------------


def test_a_bare_unavailable_is_removed_only_when_seen_for_a_day(tmp_path: Path, server: Loopback) -> None:
    server.videos["video"] = {"error": "Video unavailable"}
    clock = FakeClock()

    def ask() -> str:
        return fetch(tmp_path, ["video"], server.site, clock=clock, site=True)[0].status

    assert ask() == "unknown"
    clock.moment += DAY / 2
    assert ask() == "unknown", "twelve hours are no day"
    clock.moment += DAY / 2
    assert ask() == "removed"
    asked = server.counts["/info/video"]
    assert ask() == "removed"
    assert server.counts["/info/video"] == asked, "what is lost is not asked for again"


def test_a_sighting_is_forgotten_when_the_source_says_something_else(tmp_path: Path, server: Loopback) -> None:
    clock = FakeClock()
    for message in ("Video unavailable", "HTTP Error 403: Forbidden", "Video unavailable"):
        server.videos["video"] = {"error": message}
        (row,) = fetch(tmp_path, ["video"], server.site, clock=clock, site=True)
        assert row.status == "unknown"
        clock.moment += DAY


def test_retry_after_is_obeyed_and_too_long_a_one_stops_the_queue(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video(), fail_with(429, 1, "300"))
    server.add("/b.mp4", make_video(), fail_with(429, 1, "86400"))
    server.add("/c.mp4", make_video())
    clock = FakeClock()
    rows = fetch(tmp_path, ["a", "b", "c"], server.template, clock=clock)
    assert clock.pauses == [300]
    assert [(row.video_id, row.status) for row in rows] == [("a", "ok"), ("b", "rate_limited")]
    assert "The queue stops here" in str(rows[1].reason)


def test_retry_after_may_be_a_date(tmp_path: Path, server: Loopback) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=200)
    server.add("/a.mp4", make_video(), fail_with(503, 1, moment.strftime("%a, %d %b %Y %H:%M:%S GMT")))
    clock = FakeClock()
    (row,) = fetch(tmp_path, ["a"], server.template, clock=clock)
    assert row.status == "ok"
    assert 190 < clock.pauses[0] <= 200


def test_pauses_grow_and_are_random_within_bounds(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", b"", fail_with(500))
    clock = FakeClock()
    fetch(tmp_path, ["a"], server.template, clock=clock, attempts=6, backoff_seconds=10, max_backoff_seconds=30)
    assert len(clock.pauses) == 5
    for pause, longest in zip(clock.pauses, (10, 20, 30, 30, 30), strict=True):
        assert 0 <= pause <= longest


def test_a_dead_network_ends_the_queue(tmp_path: Path, server: Loopback) -> None:
    ids = [f"v{number}" for number in range(9)]
    for video_id in ids:
        server.add(f"/{video_id}.mp4", b"", fail_with(502))
    rows = fetch(tmp_path, ids, server.template, attempts=1, max_network_failures=3)
    assert [row.status for row in rows] == ["network"] * 3
    assert "3 videos in a row" in str(rows[-1].reason)


def test_a_bad_line_is_borne_as_long_as_it_gets_further(tmp_path: Path, server: Loopback) -> None:
    content = make_video()
    server.add("/a.mp4", content, lambda request: request.answer_fully(until=(request.range_start or 0) + 700))
    (row,) = fetch(tmp_path, ["a"], server.template)
    assert row.status == "ok", row.reason
    assert row.attempts == -(-len(content) // 700) > 4
    assert (tmp_path / "set" / "videos" / "a.mp4").read_bytes() == content


def test_public_sources_are_asked_slowly_and_local_ones_are_not(tmp_path: Path, server: Loopback) -> None:
    clock = FakeClock()
    videos = [Video(video_id=f"v{number}", url="https://video.invalid/x.mp4") for number in range(3)]
    fetch(tmp_path, [], "origin", videos=videos, clock=clock, attempts=1, sleep_seconds=10)
    assert len(clock.pauses) == 2
    assert all(5 <= pause <= 15 for pause in clock.pauses)
    clock.pauses.clear()
    fetch(tmp_path, ["a", "b"], server.template, clock=clock)
    assert clock.pauses == []


def test_only_what_was_asked_for(tmp_path: Path, server: Loopback) -> None:
    for name in "abcd":
        server.add(f"/{name}.mp4", make_video())
    dataset = Dataset("set", tuple(Video(video_id=name) for name in "abcd"))
    options = FetchOptions(sources=(server.template,))
    assert [row.video_id for row in fetch_videos(dataset, tmp_path, options, limit=1)] == ["a"]
    assert [row.video_id for row in fetch_videos(dataset, tmp_path, options, video_ids=["c"])] == ["c"]
    # those that are here do not count
    rows = list(fetch_videos(dataset, tmp_path, options, limit=1))
    assert [(row.video_id, row.attempts) for row in rows] == [("a", 0), ("b", 1), ("c", 0)]
    with pytest.raises(UsageError, match="no video 'zzz'"):
        fetch_videos(dataset, tmp_path, options, video_ids=["a", "zzz"])


def test_retry_failed_leaves_out_what_was_never_tried(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video(), fail_with(500, 1))
    server.add("/b.mp4", make_video())
    fetch(tmp_path, ["a"], server.template, attempts=1)
    rows = fetch(tmp_path, ["a", "b"], server.template, retry="failed")
    assert [(row.video_id, row.status) for row in rows] == [("a", "ok")]


# --- sources ----------------------------------------------------------------------------------------------------


def test_a_folder_is_linked_or_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in ("-a", "b"):
        (mirror / f"{name}.mp4").write_bytes(make_video())
    (mirror / "broken.mp4").write_bytes(make_video()[:2000])
    (row,) = fetch(tmp_path, ["-a"], str(mirror))
    assert row.status == "ok"
    assert (tmp_path / "set" / "videos" / "-a.mp4").samefile(mirror / "-a.mp4")

    def refuse(*args: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    rows = fetch(tmp_path, ["b", "broken", "absent"], str(mirror))
    assert [row.status for row in rows] == ["ok", "corrupt", "unknown"]
    assert not (tmp_path / "set" / "videos" / "b.mp4").samefile(mirror / "b.mp4")
    assert here(tmp_path) == {"-a.mp4", "b.mp4"}
    assert (mirror / "broken.mp4").read_bytes() == make_video()[:2000], "a mirror is only read"


def test_a_folder_is_searched_at_the_path_that_the_release_gives(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "all" / "X").mkdir(parents=True)
    (mirror / "all" / "X" / "1.MP4").write_bytes(make_video())
    (tmp_path / "outside.mp4").write_bytes(make_video())
    videos = [
        Video(video_id=video_id, source_metadata={"path": path})
        for video_id, path in [
            ("all~X~1", "all/X/1.MP4"),
            ("b", "../outside.mp4"),
            ("c", str(tmp_path / "outside.mp4")),
        ]
    ]
    rows = fetch(tmp_path, [], str(mirror), videos=videos)
    assert [row.status for row in rows] == ["ok", "unknown", "unknown"]
    assert here(tmp_path) == {"all~X~1.mp4"}


def test_sources_are_asked_in_order_until_one_brings_it(tmp_path: Path, server: Loopback) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "a.mp4").write_bytes(make_video(1))
    server.add("/a.mp4", make_video(2))
    server.add("/b.mp4", make_video(2))
    rows = fetch(tmp_path, ["a", "b", "c"], str(mirror), server.template)
    assert [(row.status, row.source) for row in rows] == [
        ("ok", str(mirror)),
        ("ok", server.template),
        ("unknown", str(mirror)),  # of two failures the one that a re-run could mend: a file may be put there
    ]
    assert server.counts["/a.mp4"] == 0
    assert read_histories(Workspace(tmp_path, "set"))["c"].last_by_source[server.template].status == "removed"


def test_what_one_source_began_goes_when_another_brings_it(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video(), drop_after(4000, times=99))
    server.add("/second/a.mp4", make_video())
    (row,) = fetch(tmp_path, ["a"], server.template, attempts=1)
    assert scratch(tmp_path) != []
    (row,) = fetch(tmp_path, ["a"], server.template, server.url + "/second/{video_id}.mp4", attempts=1)
    assert row.status == "ok"
    assert not (tmp_path / "set" / SCRATCH_FOLDER).exists()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("https://a.example/videos", "{video_id}"),
        ("ftp://a.example/{video_id}", "only origin"),
        ("file:///{video_id}.mp4", "only origin"),
        ("/no/such/folder", "no such folder"),
        ("hf://only-one-part", "hf://organisation/name"),
    ],
)
def test_sources_that_cannot_be_meant(tmp_path: Path, source: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        fetch(tmp_path, ["a"], source)


def test_an_address_in_the_dataset_may_not_be_local(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video())
    urls = [f"{server.url}/a.mp4", f"http://localhost:{server.port}/a.mp4", "file:///etc/passwd", "ytsearch:cats"]
    videos = [Video(video_id=f"v{number}", url=url) for number, url in enumerate(urls)]
    rows = fetch(tmp_path, [], "origin", videos=videos)
    assert [row.status for row in rows] == ["configuration"] * 2 + ["unsupported"] * 2, rows
    assert "--source 'http://HOST:PORT/{video_id}.mp4'" in str(rows[0].reason)
    assert server.counts.total() == 0


def test_a_name_is_judged_by_the_address_that_it_leads_to(
    tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("/a.mp4", make_video())
    resolve = socket.getaddrinfo

    def rebind(host: str, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1" if host == "rebound.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    videos = [Video(video_id="v", url=f"http://rebound.example:{server.port}/a.mp4")]
    (row,) = fetch(tmp_path, [], "origin", videos=videos)
    assert row.status == "configuration"
    assert "not a public address" in str(row.reason)
    assert server.counts.total() == 0


def test_nothing_of_yt_dlp_or_the_sockets_stays_changed(tmp_path: Path, server: Loopback) -> None:
    import yt_dlp.networking.common

    before = (dict(yt_dlp.networking.common._REQUEST_HANDLERS), socket.create_connection, socket.socket.connect)
    server.add("/a.mp4", make_video())
    fetch(tmp_path, ["a"], server.template)
    after = (dict(yt_dlp.networking.common._REQUEST_HANDLERS), socket.create_connection, socket.socket.connect)
    assert after == before


def test_a_page_without_end_costs_bounded_memory(
    tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivbench_data.fetch.ytdlp_networking.MAX_PAGE_BYTES", 1_000_000)
    server.faults["/info/video"] = never_end
    (row,) = fetch(tmp_path, ["video"], server.site, site=True)
    assert row.status in ("over_limit", "network", "unknown"), row
    assert here(tmp_path) == set()


def test_a_page_that_drips_is_cut(tmp_path: Path, server: Loopback) -> None:
    server.faults["/info/video"] = drip(0.05)
    started = time.monotonic()
    limits = LIMITS.model_copy(update={"extraction_seconds": 0.5})
    (row,) = fetch(tmp_path, ["video"], server.site, site=True, limits=limits, attempts=1)
    assert (row.status, time.monotonic() - started < 4) == ("network", True), row


def test_an_announced_size_over_the_limit_is_not_downloaded(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video() + b"\0" * 3_000_000)
    (row,) = fetch(tmp_path, ["a"], server.template)
    assert row.status == "over_limit"
    assert "--max-bytes" in str(row.reason)
    assert scratch(tmp_path) == []


# --- nothing half-done ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [0, 5000, -1])
def test_a_part_that_the_source_cannot_continue_is_taken_or_dropped(
    tmp_path: Path, server: Loopback, extra: int
) -> None:
    content = make_video()
    server.add("/video.mp4", content, drop_after(1000, times=99))
    (row,) = fetch(tmp_path, ["video"], server.template, attempts=1)
    assert row.status == "network"
    (part,) = (tmp_path / "set" / SCRATCH_FOLDER).rglob("*.part")
    # the part is as long as the source's file, longer, or the source refuses every range
    part.write_bytes(content if extra == 0 else content + bytes(5000) if extra > 0 else content[:1000])
    server.faults["/video.mp4"] = lambda request: (
        extra < 0 and request.range_start is not None and request.send_head(416, {"Content-Length": "0"}) is None
    )
    server.ranges.clear()
    (again,) = fetch(tmp_path, ["video"], server.template, attempts=1)
    assert (again.status, again.attempts) == ("ok", 1), again.reason
    assert (tmp_path / "set" / "videos" / "video.mp4").read_bytes() == content
    assert scratch(tmp_path) == []
    asked_for_all = any(start is None for _, start in server.ranges)
    assert asked_for_all == (extra != 0)


def test_a_dropped_download_goes_on_by_range(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video(), drop_after(4000))
    (row,) = fetch(tmp_path, ["a"], server.template, attempts=1)
    assert row.status == "network"
    assert [path.stat().st_size for path in scratch(tmp_path) if path.suffix == ".part"] == [4000]
    (row,) = fetch(tmp_path, ["a"], server.template)
    assert row.status == "ok"
    assert server.ranges[-1] == ("/a.mp4", 4000)
    assert (tmp_path / "set" / "videos" / "a.mp4").read_bytes() == make_video()


def test_the_end_of_another_file_is_not_put_behind_a_beginning(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video(), drop_after(4000))
    fetch(tmp_path, ["a"], server.template, attempts=1)
    server.add("/a.mp4", make_video(9, seconds=5))
    (row,) = fetch(tmp_path, ["a"], server.template)
    assert row.status == "ok"
    assert (tmp_path / "set" / "videos" / "a.mp4").read_bytes() == make_video(9, seconds=5)


def test_a_broken_file_is_replaced_only_by_a_whole_one(tmp_path: Path, server: Loopback) -> None:
    videos = tmp_path / "set" / "videos"
    videos.mkdir(parents=True)
    (videos / "a.webm").write_bytes(b"\x1a\x45\xdf\xa3" + b"\0" * 96)  # left by another tool, 100 bytes
    server.add("/a.mp4", make_video(), fail_with(500, 1))
    (row,) = fetch(tmp_path, ["a"], server.template, attempts=1)
    assert row.status == "network"
    assert [path.name for path in videos.iterdir()] == ["a.webm"]
    (row,) = fetch(tmp_path, ["a"], server.template)
    assert row.status == "ok"
    assert here(tmp_path) == {"a.mp4"}


def test_a_file_that_was_put_there_by_hand_counts(tmp_path: Path) -> None:
    videos = tmp_path / "set" / "videos"
    videos.mkdir(parents=True)
    (videos / "a.mp4").write_bytes(make_video())
    (mirror := tmp_path / "empty").mkdir()
    (row,) = fetch(tmp_path, ["a"], str(mirror))
    assert (row.status, row.source, row.attempts) == ("ok", "local", 0)
    assert read_histories(Workspace(tmp_path, "set"))["a"].last is not None


def test_a_torn_line_in_the_ledger_is_passed_over(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video())
    server.add("/b.mp4", make_video(), fail_with(404))
    fetch(tmp_path, ["a", "b"], server.template)
    (ledger,) = (tmp_path / "set" / "ledger").iterdir()
    ledger.write_bytes(ledger.read_bytes()[:-30])
    rows = fetch(tmp_path, ["a", "b"], server.template)
    assert [row.status for row in rows] == ["ok", "removed"]


def test_what_a_living_process_is_at_is_left_alone(tmp_path: Path) -> None:
    own = claim_scratch_folder(tmp_path)
    (own / "part").write_text("mine")
    machine = own.name.split("-")[0]
    living = tmp_path / f"{machine}-{os.getppid()}-{'0' * 12}"
    ended = tmp_path / f"{machine}-{2**22 + 7}-{'1' * 12}"
    own.rename(ended)
    living.mkdir()
    taken = claim_scratch_folder(tmp_path)
    assert (taken / "part").read_text() == "mine"
    assert living.is_dir()
    assert not ended.exists()


SCRIPT = """
import sys
from pathlib import Path
from ivbench_data.cli import run
sys.exit(run(["fetch", "--dataset", "set", "--root", sys.argv[1], "--only", "videos", "--source", sys.argv[2]]))
"""


def start_fetch(root: Path, server: Loopback, *names: str) -> subprocess.Popen[str]:
    questions = tuple(
        Question(question_id=name, video_id=name, question="?", question_type="open", answer="a", task="t", source="s")
        for name in names
    )
    Dataset("set", tuple(Video(video_id=name) for name in names), (), questions).save(root)
    arguments = [sys.executable, "-c", SCRIPT, str(root), server.template]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_part(root: Path) -> None:
    deadline = time.monotonic() + 20
    while not any(path.name == "file.mp4.part" and path.stat().st_size > 100_000 for path in scratch(root)):
        assert time.monotonic() < deadline, "the download never began"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, *slowly((signal.SIGTERM, signal.SIGINT))], ids=lambda number: number.name
)
def test_a_stopped_run_leaves_nothing_half_done_and_goes_on(
    tmp_path: Path, server: Loopback, number: signal.Signals
) -> None:
    server.add("/a.mp4", make_video())
    server.add("/b.mp4", make_long_video(), stall_after(200_000))
    process = start_fetch(tmp_path, server, "a", "b")
    wait_for_part(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), err
    assert "Traceback" not in err
    assert here(tmp_path) == {"a.mp4"}
    server.faults.clear()
    rows = fetch(tmp_path, ["a", "b"], server.template)
    assert [row.status for row in rows] == ["ok", "ok"]
    path, start = server.ranges[-1]
    assert path == "/b.mp4"
    assert start is not None
    assert 100_000 < start <= 200_000, "it goes on where the kill came"
    assert (tmp_path / "set" / "videos" / "b.mp4").read_bytes() == make_long_video()
    assert server.counts["/a.mp4"] == 1
    assert not (tmp_path / "set" / SCRATCH_FOLDER).exists()


@pytest.mark.full
def test_kills_at_any_moment_never_show_and_the_last_run_completes(tmp_path: Path, server: Loopback) -> None:
    names = [f"v{number}" for number in range(12)]
    for name in names:
        server.add(f"/{name}.mp4", make_video(), pause_before(0.05))
    moments = random.Random(7)
    for _ in range(8):
        process = start_fetch(tmp_path, server, *names)
        time.sleep(0.4 + 0.6 * moments.random())
        process.kill()
        process.communicate(timeout=20)
        here(tmp_path)
        if len(here(tmp_path)) == len(names):
            break
    process = start_fetch(tmp_path, server, *names)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert here(tmp_path) == {f"{name}.mp4" for name in names}
    histories = read_histories(Workspace(tmp_path, "set"))
    assert {name for name in names if _last(histories[name]).status == "ok"} == set(names)
    assert not (tmp_path / "set" / SCRATCH_FOLDER).exists()


def test_a_full_disk_is_an_error_of_the_machine(
    tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("/a.mp4", make_video())

    def fill(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("yt_dlp.downloader.common.sanitize_open", fill)
    with pytest.raises(StorageError, match="disk is full"):
        fetch(tmp_path, ["a"], server.template)


# --- many, and the report ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [20, pytest.param(300, marks=pytest.mark.full)])
def test_many_videos_bounded_memory_no_leftovers_ledger_equals_folder(
    tmp_path: Path, server: Loopback, count: int
) -> None:
    ids = [f"video{number:04}" for number in range(count)]
    server.respond = lambda request: (
        request.number > 0 and setattr(request, "content", make_video(int(request.path[6:10]) % 7)) is None
        and request.answer_fully()
    )  # fmt: skip
    for video_id in ids[::20]:
        server.faults[f"/{video_id}.mp4"] = fail_with(404)
    dataset = Dataset("set", tuple(Video(video_id=video_id) for video_id in ids))
    options = FetchOptions(sources=(server.template,), limits=LIMITS)
    threads_before = threading.active_count()
    sizes = []
    tracemalloc.start()
    for number, row in enumerate(fetch_videos(dataset, tmp_path, options)):
        assert row.status == ("removed" if number % 20 == 0 else "ok")
        if number in (count // 2, count - 1):
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # what a run remembers of a video is its row: less than the video itself, however small these are
    assert sizes[1] - sizes[0] < 5_000 * count / 2 + 200_000
    assert threading.active_count() <= threads_before + 1  # the server's own, ending
    good = {
        row.video_id for row in map(_last, read_histories(Workspace(tmp_path, "set")).values()) if row.status == "ok"
    }
    assert {f"{video_id}.mp4" for video_id in good} == here(tmp_path)
    assert len(good) == count - len(ids[::20])
    assert {path.name for path in (tmp_path / "set").iterdir()} == {"videos", "ledger"}
    children = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True, check=False)
    assert len(children.stdout.split()) <= 1  # pgrep itself


def _last(history: Any) -> FetchResult:
    assert history.last is not None
    return history.last


def test_the_report_keeps_the_denominator(tmp_path: Path, server: Loopback) -> None:
    def question(number: int, video_id: str, task: str) -> Question:
        return Question(
            question_id=f"q{number}", video_id=video_id, question="?", question_type="open", answer="a", task=task,
            source="s",
        )  # fmt: skip

    tasks = ["Counting", "Counting", "Summary"]
    dataset = Dataset(
        "set",
        tuple(Video(video_id=name) for name in ("a", "b", "c")),
        (),
        tuple(
            question(number, video_id, task) for number, (video_id, task) in enumerate(zip("abb", tasks, strict=True))
        ),
    )
    server.add("/a.mp4", make_video())
    options = FetchOptions(sources=(server.template,))
    list(fetch_videos(dataset, tmp_path, options, limit=2))
    report = report_fetch(dataset, tmp_path)
    assert report.statuses == {"ok": 1, "removed": 1, "not tried": 1}
    assert (report.answerable, report.questions) == (1, 3)
    assert {row.task: (row.answerable, row.questions) for row in report.tasks} == {
        "Counting": (1, 2),
        "Summary": (0, 1),
    }
    shutil.rmtree(tmp_path / "set" / "videos")
    assert report_fetch(dataset, tmp_path).statuses == {"not tried": 2, "removed": 1}


def test_the_ledger_holds_only_known_fields(tmp_path: Path, server: Loopback) -> None:
    server.add("/a.mp4", make_video())
    fetch(tmp_path, ["a"], server.template)
    (path,) = (tmp_path / "set" / "ledger").glob("fetch-*.jsonl")
    (line,) = path.read_text().splitlines()
    record = json.loads(line)
    assert set(record) >= {"video_id", "status", "source", "attempts", "when", "file_name", "size_bytes", "sha256"}
    FetchResult.model_validate(record)
