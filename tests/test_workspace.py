"""Where things lie, and the one atomic write under faults: exceptions, kills, full disks, concurrent writers."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import ivbench_data.atomic_files as atomic_files_module
from ivbench_data.atomic_files import (
    TEMPORARY_MAX_AGE_SECONDS,
    digest_file,
    sweep_temporaries,
    write_atomically,
    write_bytes,
    write_folder_atomically,
    write_json,
)
from ivbench_data.errors import EnvironmentProblemError, StorageError, UnsafeNameError, UsageError
from ivbench_data.schema import FrameGrid
from ivbench_data.workspace import Workspace, default_root, list_folder

# --- where things lie -------------------------------------------------------------------------------------------


def test_where_things_lie(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "ivbench")
    grid = FrameGrid(nframes=32, res=240)
    assert workspace.videos == tmp_path / "ivbench" / "videos"
    assert workspace.raw == tmp_path / "ivbench" / "raw"
    assert workspace.image_path("a.png") == tmp_path / "ivbench" / "images" / "a.png"
    assert workspace.cache_path(grid, "-x") == tmp_path / "ivbench" / "cache" / "32x240" / "-x.safetensors"
    assert list(tmp_path.iterdir()) == []  # looking makes nothing


def test_the_root_is_the_environment_s_or_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("IVBENCH_ROOT", raising=False)
    assert default_root() == Path("data")
    monkeypatch.setenv("IVBENCH_ROOT", "")
    assert default_root() == Path("data")
    monkeypatch.setenv("IVBENCH_ROOT", str(tmp_path))
    assert default_root() == tmp_path


def test_a_video_is_found_by_its_id_in_order_of_preference(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "x")
    assert workspace.find_video("-abc") is None
    write_bytes(workspace.videos / "-abc.mkv", b"")
    write_bytes(workspace.videos / "-abc.txt", b"")
    assert workspace.find_video("-abc") == workspace.videos / "-abc.mkv"
    write_bytes(workspace.videos / "-abc.mp4", b"")
    assert workspace.find_video("-abc") == workspace.videos / "-abc.mp4"
    assert workspace.find_video("abc") is None


@pytest.mark.parametrize("name", ["..", "../x", "/etc/passwd", "a/b", "a\\b", "C:x", "a\0", ""])
def test_a_name_that_could_leave_the_root_is_refused(tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path, "x")
    calls: tuple[Callable[[], Any], ...] = (
        lambda: Workspace(tmp_path, name),
        lambda: workspace.find_video(name),
        lambda: workspace.image_path(name),
        lambda: workspace.cache_path(FrameGrid(nframes=1, res=1), name),
    )
    for call in calls:
        with pytest.raises(UnsafeNameError):
            call()


# --- the atomic write -------------------------------------------------------------------------------------------


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    with write_atomically(path) as file:
        file.write(b"abcdef")
        file.seek(2)
        file.write(b"X")
        file.seek(0)
        assert file.read() == b"abXdef"
        assert not path.exists()
    assert path.read_bytes() == b"abXdef"
    assert names_in(path.parent) == {"file"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def write_half() -> None:
        with write_atomically(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"before"
    assert names_in(tmp_path) == {"file"}


def test_json_is_written_for_people_and_machines(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": ["é"], "a": None})
    assert (tmp_path / "x.json").read_bytes() == '{\n  "b": [\n    "é"\n  ],\n  "a": null\n}\n'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", float("nan"))
    assert (tmp_path / "x.json").stat().st_size > 0


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_bytes(tmp_path / "atomic", b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


class FullDiskFile:
    """A file on a disk that is full from the first write on."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> FullDiskFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, content: bytes) -> int:
        self._file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["mkdir", "open", "write", "fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission denied"),
     (errno.EDQUOT, "quota"), (errno.EIO, "Input/output error")],
)  # fmt: skip
def test_a_failing_system_call_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, told: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        if step == "write":
            number, told = errno.ENOSPC, "the disk is full"
            really_open = Path.open
            patch.setattr(Path, "open", lambda self, mode: FullDiskFile(really_open(self, mode)))
        elif step == "fsync":
            patch.setattr(os, "fsync", fail)
        else:
            patch.setattr(Path, step, fail)
        with pytest.raises(StorageError, match=told) as caught:
            write_bytes(path, b"after" * 1000)
    assert str(path) in str(caught.value)
    assert "--root" in str(caught.value)
    assert path.read_bytes() == b"before"
    assert names_in(tmp_path) == {"file"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_really_full_device_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: really_open(Path("/dev/full"), "wb"))
    with pytest.raises(StorageError, match="the disk is full"):
        write_bytes(tmp_path / "file", b"x")
    assert names_in(tmp_path) == set()


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"Not a directory|File exists"):
        write_bytes(tmp_path / "file" / "below", b"x")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours_to_write_is_a_storage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="permission denied"):
            write_bytes(tmp_path / "file", b"x")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_is_not_ours_to_look_into_is_not_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    assert list_folder(tmp_path / "absent", "*") == []
    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(EnvironmentProblemError, match="cannot look into"):
        Workspace(tmp_path, "some").find_video("x")
    monkeypatch.undo()
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(EnvironmentProblemError, match="cannot look into"):
        list_folder(tmp_path, "*")


def test_folders_written_by_many_at_once_are_whole_and_one_of_theirs(tmp_path: Path) -> None:
    def write(text: str) -> None:
        for _ in range(40):
            with write_folder_atomically(tmp_path / "folder") as unfinished:
                for number in range(3):
                    (unfinished / f"{number}").write_text(text)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert len({path.read_text() for path in (tmp_path / "folder").iterdir()}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets two folders change places in one step")
def test_a_folder_that_is_replaced_is_there_all_the_while(tmp_path: Path) -> None:
    folder, done = tmp_path / "folder", threading.Event()

    def replace_often() -> None:
        try:
            for number in range(200):
                with write_folder_atomically(folder) as unfinished:
                    (unfinished / "number").write_text(str(number))
        finally:
            done.set()

    with write_folder_atomically(folder) as unfinished:
        (unfinished / "number").write_text("first")
    with ThreadPoolExecutor(1) as pool:
        replacing = pool.submit(replace_often)
        seen = []
        while not done.is_set():
            seen.append(folder.is_dir())
        replacing.result()
    assert all(seen)
    assert (folder / "number").read_text() == "199"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_takes_no_other_thing_s_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "nowhere").symlink_to("missing")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(path.name for path in tmp_path.iterdir())
    for name in ("file", "link", "nowhere", "pipe"):
        with pytest.raises(UsageError, match="is no folder"), write_folder_atomically(tmp_path / name) as unfinished:
            (unfinished / "x").write_text("")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_that_refuses_to_be_synced_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_sync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        really_sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write_bytes(tmp_path / "file", b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


# --- kills and company ------------------------------------------------------------------------------------------

HALF_WRITE = """
import sys, time
from pathlib import Path
from ivbench_data.atomic_files import write_atomically
with write_atomically(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("written", flush=True)
    time.sleep(120)
"""


def start_half_write(path: Path) -> subprocess.Popen[str]:
    writer = subprocess.Popen([sys.executable, "-c", HALF_WRITE, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    return writer


def test_a_killed_writer_leaves_nothing_in_sight_and_is_swept_while_living_ones_stay(tmp_path: Path) -> None:
    killed, living = start_half_write(tmp_path / "killed"), start_half_write(tmp_path / "deep" / "living")
    with killed, living:
        try:
            killed.send_signal(signal.SIGKILL)
            killed.wait(30)
            assert not (tmp_path / "killed").exists()
            (left,) = tmp_path.glob(".tmp-*")
            (in_use,) = tmp_path.glob("deep/.tmp-*")
            assert sweep_temporaries(tmp_path) == 1
            assert not left.exists()
            assert in_use.exists()
        finally:
            living.kill()
        living.wait(30)
    assert sweep_temporaries(tmp_path) == 1
    assert names_in(tmp_path) == {"deep"}
    assert names_in(tmp_path / "deep") == set()


def test_an_interrupted_writer_cleans_up_after_itself(tmp_path: Path) -> None:
    with start_half_write(tmp_path / "file") as writer:
        writer.send_signal(signal.SIGINT)
        writer.wait(30)
    assert names_in(tmp_path) == set()


def test_another_machine_s_temporary_is_swept_after_a_day(tmp_path: Path) -> None:
    fresh, old = (tmp_path / f".tmp-{machine}-1-{'a' * 12}" for machine in ("0" * 8, "1" * 8))
    fresh.touch()
    old.touch()
    then = time.time() - TEMPORARY_MAX_AGE_SECONDS - 60
    os.utime(old, (then, then))
    assert sweep_temporaries(tmp_path) == 1
    assert names_in(tmp_path) == {fresh.name}


def test_only_our_own_temporaries_are_swept(tmp_path: Path) -> None:
    names = {
        ".tmp-",
        ".tmp-1",
        ".tmp-zzzzzzzz-1-aaaaaaaaaaaa",
        ".tmpfile",
        "x.tmp-00000000-1-aaaaaaaaaaaa",
        "video.mp4",
    }
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    assert sweep_temporaries(tmp_path) == 0
    assert names_in(tmp_path) == names
    assert sweep_temporaries(tmp_path / "absent") == 0


def test_a_temporary_that_is_not_ours_to_delete_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / f".tmp-{'0' * 8}-1-{'b' * 12}"
    left.touch()
    os.utime(left, (0, 0))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert sweep_temporaries(tmp_path) == 0
    assert sweep_temporaries(tmp_path) == 1


def test_folders_that_vanish_while_we_look_stop_no_sweep(tmp_path: Path) -> None:
    is_done = threading.Event()

    def make_and_remove() -> None:
        while not is_done.is_set():
            for number in range(20):
                (tmp_path / f"{number}/x").mkdir(parents=True)
            for number in range(20):
                shutil.rmtree(tmp_path / f"{number}")

    other = threading.Thread(target=make_and_remove)
    other.start()
    try:
        for _ in range(500):
            sweep_temporaries(tmp_path)
    finally:
        is_done.set()
        other.join()


def test_a_process_id_beyond_any_system_s_is_left_alone(tmp_path: Path) -> None:
    machine = atomic_files_module._machine()  # the name of a temporary of this very machine
    left = tmp_path / f".tmp-{machine}-{'9' * 30}-{'a' * 12}"
    left.touch()
    assert sweep_temporaries(tmp_path) == 0
    assert left.exists()


WRITE_MANY = """
import sys
import threading
from pathlib import Path
from ivbench_data.atomic_files import write_bytes
for turn in range(40):
    write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 50_000)
"""


def test_concurrent_writers_never_mix_and_readers_always_see_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"0" * 50_000)
    writers = [subprocess.Popen([sys.executable, "-c", WRITE_MANY, str(path), letter]) for letter in "abcd"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert len(content) == 50_000
        assert len(set(content)) == 1
        seen.add(content[:1])
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    assert len(seen) > 1
    assert names_in(tmp_path) == {"file"}


# --- digests ----------------------------------------------------------------------------------------------------


def test_digest_of_a_file(tmp_path: Path) -> None:
    content = os.urandom((2 << 20) + 17)
    (tmp_path / "file").write_bytes(content)
    assert digest_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    with pytest.raises(UsageError, match="cannot read"):
        digest_file(tmp_path / "absent")
