from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fetch_media import make_video
from loopback import Loopback, fail_with, make_extractor, redirect_to, serve
from test_release_download import RELEASE

from ivbench_data.cli import run
from ivbench_data.dataset import Dataset
from ivbench_data.errors import IvbenchError, write_install_command
from ivbench_data.fetch import FetchOptions, fetch_videos
from ivbench_data.schema import Question, Video

CANARIES = ("canary-cookie-value", "canary-proxy-password", "canary-url-token", "hf_canaryhubtoken")


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serve() as loopback:
        yield loopback


def save_dataset(root: Path, *names: str) -> Dataset:
    questions = tuple(
        Question(question_id=name, video_id=name, question="?", question_type="open", answer="a", task="t", source="s")
        for name in names
    )
    dataset = Dataset("set", tuple(Video(video_id=name) for name in names), (), questions)
    dataset.save(root)
    return dataset


def fetch_json(capsys: pytest.CaptureFixture[str], root: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run(["fetch", "--dataset", "set", "--root", str(root), "--only", "videos", "--json", *arguments])
    out, _ = capsys.readouterr()
    return code, json.loads(out)


def test_one_document_with_statuses_tasks_and_the_denominator(
    tmp_path: Path, server: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    save_dataset(tmp_path, "-a", "b")
    server.add("/-a.mp4", make_video())
    code, document = fetch_json(capsys, tmp_path, "--source", server.template)
    assert code == 0, "what is lost at its source is reported, and no failure"
    assert document["report"]["statuses"] == {"ok": 1, "removed": 1}
    assert document["report"]["tasks"] == [{"task": "t", "answerable": 1, "questions": 2}]
    assert [row["status"] for row in document["videos_asked"]] == ["ok", "removed"]
    code, _ = fetch_json(capsys, tmp_path, "--source", server.template, "--strict")
    assert code == 1


def test_what_a_re_run_could_mend_exits_with_1(
    tmp_path: Path, server: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    save_dataset(tmp_path, "a")
    server.add("/a.mp4", make_video(), fail_with(403, 2))
    (tmp_path / "ids.txt").write_text("a\n\n")
    arguments = ("--source", server.template, "--ids", str(tmp_path / "ids.txt"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("time.sleep", lambda seconds: None)
        code, document = fetch_json(capsys, tmp_path, *arguments)
    assert (code, document["report"]["statuses"]) == (1, {"unknown": 1})
    code, document = fetch_json(capsys, tmp_path, *arguments, "--retry", "failed")
    assert (code, document["report"]["statuses"]) == (0, {"ok": 1})


def test_the_tables_tell_people_the_same(tmp_path: Path, server: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    save_dataset(tmp_path, "a", "b")
    server.add("/a.mp4", make_video())
    assert run(["fetch", "--dataset", "set", "--root", str(tmp_path), "--source", server.template]) == 0
    out, err = capsys.readouterr()
    assert "removed" in out
    assert "answerable" in out
    assert "b: removed: HTTP Error 404" in err


def test_ids_that_begin_with_a_dash_can_be_named(
    tmp_path: Path, server: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    save_dataset(tmp_path, "-3xJXP4KJJg", "b")
    server.add("/-3xJXP4KJJg.mp4", make_video())
    code, document = fetch_json(capsys, tmp_path, "--source", server.template, "--ids", "-3xJXP4KJJg")
    assert (code, document["report"]["statuses"]) == (0, {"ok": 1, "not tried": 1})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--source", "https://a.example/no-field"], "{video_id}"),
        (["--ids", "nobody"], "no video 'nobody'"),
        (["--rate-limit", "fast"], "not a size"),
        (["--retry", "never"], "retry"),
    ],
)
def test_usage_errors_exit_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    save_dataset(tmp_path, "a")
    assert run(["fetch", "--dataset", "set", "--root", str(tmp_path), "--only", "videos", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_without_a_dataset_the_way_in_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fetch", "--dataset", "nothing", "--root", str(tmp_path)]) == 2
    assert "ivbench-data import" in capsys.readouterr().err


def test_videos_are_fetched_even_when_the_hub_cannot_be_reached(
    tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server.add("/a.mp4", make_video())
    (tmp_path / "release.jsonl").write_text(RELEASE + "\n")
    assert run(["import", "ivbench", str(tmp_path / "release.jsonl"), "--root", str(tmp_path)]) == 0
    server.add("/-3xJXP4KJJg.mp4", make_video())
    capsys.readouterr()
    assert run(["fetch", "--root", str(tmp_path), "--source", server.template, "--json"]) == 3
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["report"]["statuses"] == {"ok": 1}
    assert document["report"]["answerable"] == 0
    assert "cannot be reached" in document["hub_error"]
    assert "is not the release that the manifest was written for" in err


def test_help_is_light_and_shows_examples() -> None:
    code = (
        "import sys\n"
        "from ivbench_data.cli import run\n"
        "run(['fetch', '--help'])\n"
        "heavy = {'yt_dlp', 'av', 'huggingface_hub', 'numpy', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ivbench-data fetch --only videos --limit 20" in done.stdout


def test_the_package_offers_fetching_without_loading_it() -> None:
    code = (
        "import sys, ivbench_data as iv\n"
        "assert 'ivbench_data.fetch' not in sys.modules\n"
        "assert iv.fetch_videos.__name__ == 'fetch_videos' and iv.FetchOptions().max_height == 720\n"
        "assert not {'yt_dlp', 'huggingface_hub'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_yt_dlp_missing_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_dataset(tmp_path, "a")
    monkeypatch.setitem(sys.modules, "yt_dlp.version", None)
    assert run(["fetch", "--dataset", "set", "--root", str(tmp_path), "--only", "videos"]) == 3
    assert write_install_command("fetch") in capsys.readouterr().err


def test_no_secret_is_told_or_kept(
    tmp_path: Path,
    server: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Canaries in every secret that a fetch is given, everything logged, and each kind of failure provoked."""
    cookie, password, token, hub_token = CANARIES
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HF_TOKEN", hub_token)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    cookies = tmp_path / "cookies.txt"
    cookie_file = f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t2147483647\tSID\t{cookie}\n"
    cookies.write_text(cookie_file)
    root = tmp_path / "root"
    server.add("/good.mp4", make_video())
    server.add("/leak.mp4", b"", redirect_to(f"http://user:{password}@127.0.0.2/?sig={token}"))
    server.add("/fail.mp4", b"", fail_with(500))
    dataset = save_dataset(root, "good", "leak", "fail", "echo")
    source = f"http://user:{token}@127.0.0.1:{server.port}/{{video_id}}.mp4?key={token}"
    arguments = ["fetch", "--dataset", "set", "--root", str(root), "--only", "videos", "--cookies", str(cookies)]
    # straight, with a token in the address and a cookie
    run([*arguments, "--source", source])
    assert any(cookie in headers for headers in server.headers_seen), "the cookie is used"
    assert any("Authorization: Basic" in headers for headers in server.headers_seen), "the address's password is used"
    # through a proxy that refuses, and one that is not there
    for port in (server.port, 9):
        run([*arguments, "--source", source, "--proxy", f"http://user:{password}@127.0.0.1:{port}", "--json"])
    # a usage error that quotes the address, with the traceback that --debug shows
    with pytest.raises(IvbenchError) as raised:
        run(["--debug", *arguments, "--source", f"https://user:{token}@a.example/?token={token}"])
    # a site that sends back in its message what it was given
    server.videos["echo"] = {"error": f"Bad cookie {cookie}, try https://x.example/?t={token}"}
    options = FetchOptions(sources=(server.site, source), cookies=cookies, attempts=1)
    rows = list(fetch_videos(dataset, root, options, extractors=[make_extractor()]))
    out, err = capsys.readouterr()
    told = "\n".join(
        [out, err, caplog.text, repr(rows), repr(options), str(raised.value), *traceback.format_exception(raised.value)]
    )
    kept = "\n".join(path.read_text() for path in root.rglob("*.jsonl"))
    for canary in CANARIES:
        assert canary not in told
        assert canary not in kept
    assert "***" in kept
    assert cookies.read_text() == cookie_file, "the user's cookie file is never written"
    assert len(caplog.records) > 20, "yt-dlp's own words were logged, or the test shows nothing"
