"""A published folder goes to the Hub whole or not at all, and nothing goes with it that should stay here."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Request
from loopback_hub import (
    SIGNATURE,
    TOKEN,
    Answer,
    Hang,
    HubFault,
    LoopbackHub,
    Reply,
    break_off_from,
    lose_answer_of,
    refuse_from,
    serve_hub,
)
from published import make_dataset, publish, write_images
from pushing_child import start_pusher
from slow_params import slowly

from ivbench_data.errors import (
    DatasetError,
    EnvironmentProblemError,
    IvbenchError,
    PublicationConflictError,
    UsageError,
)
from ivbench_data.publish.hub.push import (
    PLAN_COLUMNS,
    PushPlan,
    describe_plan,
    fetch_published_version,
    plan_push,
    plan_rows,
    push_folder,
)
from ivbench_data.schema import Question
from ivbench_data.workspace import Workspace

REPOSITORY = "lab/set"
CARD = b"---\nlicense: mit\n---\n# A card\n"
NOISE = hashlib.shake_256(b"rows").digest(1000)
OLD = {"README.md": CARD, "CHANGELOG.md": b"first", "data/test.parquet": b"rows" * 20, "data/mini.parquet": NOISE[-90:]}
NEW = {
    "README.md": CARD + b"of the second version",
    "data/test.parquet": NOISE,  # goes up in parts
    "data/mini.parquet": OLD["data/mini.parquet"],
    "frames/32x240/a.safetensors": NOISE[:100],
    "schemas/question.schema.json": b"{}",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LoopbackHub]:
    from huggingface_hub import constants

    with serve_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.loopback.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf_home"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        # what the library has read when it was loaded
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        yield hub


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library tries again at once."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def make_record(files: dict[str, bytes], version: str, dataset: str = "demo", **fields: Any) -> bytes:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    record = {"dataset": dataset, "version": version, "canary": "canary", "splits": {}, "question_digests": {}}
    return json.dumps({**record, "files": digests, **fields}).encode()


def write_publication(folder: Path, files: dict[str, bytes], version: str = "1.0.0", **fields: Any) -> dict[str, bytes]:
    """What is in the folder then, by path."""
    published = {**files, "publish.json": make_record(files, version, **fields)}
    for name, content in published.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return published


@pytest.fixture
def old(tmp_path: Path) -> dict[str, bytes]:
    return write_publication(tmp_path / "old", OLD)


@pytest.fixture
def new(tmp_path: Path) -> dict[str, bytes]:
    return write_publication(tmp_path / "new", NEW, "1.1.0")


def changes_of(plan: PushPlan) -> dict[str, str]:
    return {file.path: file.change for file in plan.files}


# --- the plan ---------------------------------------------------------------------------------------------------


def test_a_plan_tells_every_file_and_writes_nothing(hub: LoopbackHub, tmp_path: Path, old: Any, new: Any) -> None:
    repository = hub.make_repository(REPOSITORY, {**old, "LICENSE": b"by hand"})
    plan = plan_push(tmp_path / "new", REPOSITORY)
    assert changes_of(plan) == {
        "CHANGELOG.md": "deleted",
        "LICENSE": "kept",
        "README.md": "changed",
        "data/mini.parquet": "unchanged",
        "data/test.parquet": "changed",
        "frames/32x240/a.safetensors": "added",
        "publish.json": "changed",
        "schemas/question.schema.json": "added",
    }
    written = ("README.md", "data/test.parquet", "frames/32x240/a.safetensors", "publish.json",
               "schemas/question.schema.json")  # fmt: skip
    assert plan.upload_bytes == sum(len(new[name]) for name in written)
    assert (plan.parent_commit, plan.creates_repository, plan.changes_nothing) == (repository.head.oid, False, False)
    assert plan.earlier is not None
    assert plan.earlier.version == "1.0.0"
    assert {request.split()[0] for request in hub.asked} == {"GET", "HEAD"}
    rows = plan_rows(plan)
    assert len(rows[0]) == len(PLAN_COLUMNS)
    assert [row[0] for row in rows] == ["added"] * 2 + ["changed"] * 3 + ["deleted", "kept", "unchanged"]
    told = " | ".join(describe_plan(plan))
    assert "demo 1.1.0" in told
    assert "over 1.0.0" in told
    assert f"one commit on {repository.head.oid[:12]}: 2 added, 3 changed, 1 deleted, 1 unchanged" in told
    assert "1 files there were never ours" in told


def test_the_push_does_what_the_plan_tells_in_one_commit_and_a_second_one_nothing(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any
) -> None:
    repository = hub.make_repository(REPOSITORY, {**old, "LICENSE": b"by hand"})
    before = repository.head.oid
    result = push_folder(plan_push(tmp_path / "new", f"hf://datasets/{REPOSITORY}"))
    assert hub.published_files(REPOSITORY) == {**new, "LICENSE": b"by hand"}
    assert repository.head.parent == before
    assert repository.head.title == "Publish demo 1.1.0"
    assert (result.status, result.commit, result.is_checked) == ("pushed", repository.head.oid, True)
    assert result.url.endswith(f"/commit/{result.commit}")
    again = plan_push(tmp_path / "new", REPOSITORY)
    assert again.changes_nothing
    assert "nothing to do: all of it is there already" in describe_plan(again)
    hub.forget()
    assert push_folder(again).status == "unchanged"
    assert not hub.asked
    assert repository.head.oid == result.commit


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_was_there_the_head_is_the_folder_then(
    hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    names = st.sampled_from(["README.md", "a.txt", "data/a.parquet", "data/b.parquet", "data/deep/c.json", "b.bin"])
    contents = st.sampled_from([b"", b"1", b"2", b"3" * 700])
    draw_files = st.dictionaries(names, contents)
    folder = tmp_path_factory.mktemp("publication")
    old = {}
    if data.draw(st.booleans()):
        earlier = data.draw(draw_files)
        old = {**earlier, "publish.json": make_record(earlier, "1.0.0")}
    new = write_publication(folder, data.draw(draw_files), "1.0.1")
    hub.objects.clear()
    hub.make_repository(REPOSITORY, {**old, "by-hand.txt": b"1"})
    push_folder(plan_push(folder, REPOSITORY))
    assert hub.published_files(REPOSITORY) == {**new, "by-hand.txt": b"1"}
    assert plan_push(folder, REPOSITORY).changes_nothing


def test_the_version_there_can_be_asked_for(hub: LoopbackHub, old: Any) -> None:
    assert fetch_published_version(REPOSITORY) is None
    hub.make_repository(REPOSITORY, {"README.md": CARD})
    assert fetch_published_version(REPOSITORY) is None
    repository = hub.make_repository(REPOSITORY, old)
    first = repository.head.oid
    repository.add_commit("newer", {"publish.json": make_record({}, "1.10.0")})
    newest = fetch_published_version(REPOSITORY)
    assert newest is not None
    assert (newest.dataset, newest.version, newest.files) == ("demo", "1.10.0", {})
    older = fetch_published_version(REPOSITORY, revision=first)
    assert older is not None
    assert older.version == "1.0.0"
    with pytest.raises(UsageError, match="no such revision"):
        fetch_published_version(REPOSITORY, revision="f" * 40)
    repository.add_commit("broken", {"publish.json": b"{"})
    with pytest.raises(DatasetError, match=r"publish\.json in lab/set cannot be read"):
        fetch_published_version(REPOSITORY)


# --- a repository that does not exist -----------------------------------------------------------------------------


def test_a_new_repository_is_private_until_its_owner_says_otherwise(hub: LoopbackHub, tmp_path: Path, old: Any) -> None:
    plan = plan_push(tmp_path / "old", REPOSITORY)
    assert plan.creates_repository
    assert any("would be created, private" in line for line in describe_plan(plan))
    assert REPOSITORY not in hub.repositories
    assert push_folder(plan).is_private
    assert hub.published_files(REPOSITORY) is None
    kept = {**old, ".gitattributes": b"*.parquet filter=lfs\n"}
    assert hub.repositories[REPOSITORY].head.files == kept
    assert plan_push(tmp_path / "old", REPOSITORY, private=True).changes_nothing
    public = plan_push(tmp_path / "old", REPOSITORY, private=False)
    assert any("would be made public" in line for line in describe_plan(public))
    assert not push_folder(public).is_private
    assert hub.published_files(REPOSITORY) == old
    with pytest.raises(UsageError, match="is public: make it private on its settings page"):
        plan_push(tmp_path / "old", REPOSITORY, private=True)


def test_a_repository_that_another_makes_meanwhile_is_left_alone(hub: LoopbackHub, tmp_path: Path, old: Any) -> None:
    plan = plan_push(tmp_path / "old", REPOSITORY)
    hub.make_repository(REPOSITORY, {"README.md": b"theirs"})
    with pytest.raises(PublicationConflictError, match="exists by now"):
        push_folder(plan)
    assert hub.published_files(REPOSITORY) == {"README.md": b"theirs"}


# --- pull requests ----------------------------------------------------------------------------------------------


def test_a_pull_request_leaves_main_alone_and_is_opened_once(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any
) -> None:
    repository = hub.make_repository(REPOSITORY, old)
    plan = plan_push(tmp_path / "new", REPOSITORY)
    proposed = push_folder(plan, create_pr=True)
    assert (proposed.status, proposed.is_checked) == ("proposed", True)
    assert proposed.url.endswith("/discussions/1")
    assert hub.published_files(REPOSITORY) == old
    there = {path: content for path, content in repository.commits[proposed.commit].files.items() if path[0] != "."}
    assert there == new
    again = push_folder(plan, create_pr=True)
    assert (again.status, again.url, again.commit) == ("unchanged", proposed.url, proposed.commit)
    assert list(repository.titles) == ["refs/pr/1"]
    (tmp_path / "new" / "README.md").write_bytes(CARD + b"changed since")
    write_publication(tmp_path / "new", {**NEW, "README.md": CARD + b"changed since"}, "1.1.0")
    assert push_folder(plan_push(tmp_path / "new", REPOSITORY), create_pr=True).url.endswith("/discussions/2")


def test_a_pull_request_needs_a_repository(hub: LoopbackHub, tmp_path: Path, old: Any) -> None:
    plan = plan_push(tmp_path / "old", REPOSITORY)
    with pytest.raises(UsageError, match="a pull request needs a repository"):
        push_folder(plan, create_pr=True)
    assert not hub.repositories


def test_a_pull_request_whose_answer_is_lost_is_found_by_the_next_run(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any
) -> None:
    repository = hub.make_repository(REPOSITORY, old)
    plan = plan_push(tmp_path / "new", REPOSITORY)
    hub.forget(lose_answer_of_commit())
    with pytest.raises(EnvironmentProblemError, match="a pull request may have been opened"):
        push_folder(plan, create_pr=True)
    hub.forget()
    assert push_folder(plan, create_pr=True).status == "unchanged"
    assert list(repository.titles) == ["refs/pr/1"]
    assert hub.published_files(REPOSITORY) == old


def is_commit(request: Request) -> bool:
    return "/commit/" in request.path


def lose_answer_of_commit(status: int | None = None) -> HubFault:
    def fault(number: int, request: Request, answer: Answer) -> Reply | None:
        reply = answer()
        if not is_commit(request):
            return reply
        return None if status is None else Reply.error(status, "Internal Server Error")

    return fault


# --- others who push --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theirs", [{"README.md": b"theirs"}, {**NEW, "extra.txt": b"theirs"}], ids=["other", "alike"])
def test_a_commit_between_plan_and_push_is_kept_and_the_push_refused(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any, theirs: dict[str, bytes]
) -> None:
    repository = hub.make_repository(REPOSITORY, old)
    plan = plan_push(tmp_path / "new", REPOSITORY)
    repository.add_commit("theirs", {**old, **theirs})
    with pytest.raises(PublicationConflictError, match=r"another commit came to lab/set .* plan again"):
        push_folder(plan)
    assert hub.published_files(REPOSITORY) == {**old, **theirs}
    push_folder(plan_push(tmp_path / "new", REPOSITORY))
    kept = {name: content for name, content in theirs.items() if name == "extra.txt"}
    assert hub.published_files(REPOSITORY) == {**new, **kept}


def test_a_commit_between_upload_and_commit_is_kept_too(hub: LoopbackHub, tmp_path: Path, old: Any, new: Any) -> None:
    repository = hub.make_repository(REPOSITORY, old)
    plan = plan_push(tmp_path / "new", REPOSITORY)

    def others_are_faster(number: int, request: Request, answer: Answer) -> Reply:
        if is_commit(request):
            repository.add_commit("theirs", {**old, "README.md": b"theirs"})
        return answer()

    hub.forget(others_are_faster)
    with pytest.raises(PublicationConflictError, match="plan again"):
        push_folder(plan)
    assert hub.published_files(REPOSITORY) == {**old, "README.md": b"theirs"}


def test_nothing_new_is_committed_where_another_has_added_to_the_very_same_files(
    hub: LoopbackHub, tmp_path: Path, new: Any
) -> None:
    repository = hub.make_repository(REPOSITORY, {})
    plan = plan_push(tmp_path / "new", REPOSITORY)
    repository.add_commit("theirs", {**new, "extra.txt": b"theirs"})
    with pytest.raises(PublicationConflictError, match=r"differs from the folder in extra\.txt"):
        push_folder(plan)  # the library makes no commit then, and returns the newest


def test_a_commit_that_lands_after_its_error_is_not_made_twice(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any
) -> None:
    repository = hub.make_repository(REPOSITORY, old)
    plan = plan_push(tmp_path / "new", REPOSITORY)
    late: list[bytes] = []

    def hold_back(number: int, request: Request, answer: Answer) -> Reply:
        if not is_commit(request):
            return answer()
        late.append(request.read_body())
        return Reply.error(504, "Gateway Time-out")

    hub.forget(hold_back)
    with pytest.raises(EnvironmentProblemError, match="lab/set is as it was"):
        push_folder(plan)
    second = plan_push(tmp_path / "new", REPOSITORY)
    hub.forget()
    hub.make_commit(repository, "main", [json.loads(line) for line in late[0].splitlines()], create_pr=False)
    with pytest.raises(PublicationConflictError, match="plan again"):
        push_folder(second)
    assert plan_push(tmp_path / "new", REPOSITORY).changes_nothing
    assert hub.published_files(REPOSITORY) == new


# --- what breaks ------------------------------------------------------------------------------------------------

WAYS: dict[str, Callable[[int], HubFault]] = {
    "an outage from there on": refuse_from,
    "connections break from there on": break_off_from,
    "the answer is lost": lose_answer_of,
    "the answer is a 500 though it was done": lambda number: lose_answer_of(number, 500),
    "done, and an outage after that": lambda number: lose_answer_of(number, 500, for_good=True),
    "done, and connections break after that": lambda number: lose_answer_of(number, None, for_good=True),
}


def start_over(hub: LoopbackHub, old: dict[str, bytes] | None) -> dict[str, bytes] | None:
    hub.forget()
    hub.repositories.clear()
    hub.objects.clear()
    hub.parts.clear()  # but not the chunks: hf_xet keeps in mind, on disk, which it has sent
    if old is not None:
        hub.make_repository(REPOSITORY, old)
    return old


def push_once(folder: Path) -> None:
    push_folder(plan_push(folder, REPOSITORY, private=False))


def count_requests(hub: LoopbackHub, folder: Path, old: dict[str, bytes] | None) -> int:
    start_over(hub, old)
    push_once(folder)
    return len(hub.asked)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    "exists", [pytest.param(True, id="update"), pytest.param(False, id="first", marks=pytest.mark.full)]
)
@pytest.mark.parametrize("way", [*list(WAYS)[::3], *slowly(way for way in WAYS if way not in list(WAYS)[::3])])
def test_whatever_request_fails_others_see_the_old_or_the_new_version(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any, way: str, exists: bool
) -> None:
    before = old if exists else None
    total = count_requests(hub, tmp_path / "new", before)
    assert total > 10
    seen = []
    for number in range(total):
        start_over(hub, before)
        hub.forget(WAYS[way](number))
        try:
            push_once(tmp_path / "new")
            failed = None
        except IvbenchError as error:
            failed = error
        there = hub.published_files(REPOSITORY)
        seen.append(there == new)
        assert there in (before, new), f"{way}, at {hub.asked[number]}"
        assert failed or there == new, f"{way}, at {hub.asked[number]}: done, it said"
        assert TOKEN not in str(failed)
        hub.forget()
        push_once(tmp_path / "new")
        assert hub.published_files(REPOSITORY) == new
        # the first commit, and one of ours; none twice
        assert len(hub.repositories[REPOSITORY].commits) == 2, f"{way}, at request {number}"
    if exists:  # the last request only looks: what fails there comes too late to keep the new version back
        assert seen[-1]


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("status", [None, 500, 502, 504])
def test_a_commit_whose_answer_is_lost_counts_as_made(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any, status: int | None
) -> None:
    repository = hub.make_repository(REPOSITORY, old)
    plan = plan_push(tmp_path / "new", REPOSITORY)
    hub.forget(lose_answer_of_commit(status))
    result = push_folder(plan)
    assert (result.status, result.commit, result.is_checked) == ("pushed", repository.head.oid, True)
    assert hub.published_files(REPOSITORY) == new


@pytest.mark.parametrize(
    ("sent", "done_first", "exists", "xet"),
    [
        pytest.param(signal.SIGKILL, True, True, False, id="killed after, update", marks=pytest.mark.full),
        pytest.param(signal.SIGKILL, True, False, False, id="killed after, first", marks=pytest.mark.full),
        pytest.param(signal.SIGKILL, False, True, False, id="killed before, update", marks=pytest.mark.full),
        pytest.param(signal.SIGKILL, False, False, False, id="killed before, first", marks=pytest.mark.full),
        pytest.param(signal.SIGINT, False, True, False, id="interrupted, update", marks=pytest.mark.full),
        pytest.param(signal.SIGINT, False, False, False, id="interrupted, first", marks=pytest.mark.full),
        pytest.param(signal.SIGKILL, True, True, True, id="killed after, update, xet", marks=pytest.mark.full),
        pytest.param(signal.SIGKILL, False, True, True, id="killed before, update, xet", marks=pytest.mark.full),
    ],
)
def test_whenever_the_push_is_killed_others_see_the_old_or_the_new_version(
    hub: LoopbackHub,
    tmp_path: Path,
    old: Any,
    new: Any,
    sent: signal.Signals,
    done_first: bool,
    exists: bool,
    xet: bool,
) -> None:
    if xet:
        pytest.importorskip("hf_xet", reason="the other way to upload")
    before = old if exists else None
    environment = {"HF_HUB_DISABLE_XET": "" if xet else "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    seen = []
    with start_pusher(environment) as pusher:
        for number in itertools.count():
            start_over(hub, before)
            hang = Hang(number, done_first)
            hub.forget(hang)
            pid = pusher.start(folder=str(tmp_path / "new"), repo_id=REPOSITORY, private=False)
            while not (hang.reached.wait(0.02) or pusher.has_ended()):
                pass
            if hang.reached.is_set():
                os.kill(pid, sent)
            hang.let_go.set()  # when interrupted, the library still waits for what it is uploading
            ended = pusher.wait()
            there = hub.published_files(REPOSITORY)
            if not hang.reached.is_set():  # it asked for no more than that
                assert (ended, there) == (0, new)
                break
            assert ended == (130 if sent == signal.SIGINT else -sent), f"at {hub.asked[number]}"
            assert there in (before, new), f"at {hub.asked[number]}"
            seen.append(there == new)
            hub.forget()
            push_once(tmp_path / "new")
            assert hub.published_files(REPOSITORY) == new
            assert len(hub.repositories[REPOSITORY].commits) == 2
    assert len(seen) > 10
    assert not seen[0]


def test_large_files_go_up_through_xet_where_it_is_installed(
    hub: LoopbackHub, tmp_path: Path, new: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    pytest.importorskip("hf_xet", reason="the other way to upload")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    push_once(tmp_path / "new")
    assert hub.published_files(REPOSITORY) == new
    assert any(request.startswith("POST /cas/v1/shards") for request in hub.asked)
    assert not any("/info/lfs/" in request for request in hub.asked)


# --- what does not leave this machine -----------------------------------------------------------------------------


def put(path: str, content: bytes = b"x") -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    return spoil


def spoil_with_link(folder: Path) -> None:
    (folder / "README.md").rename(folder.parent / "outside.md")
    (folder / "README.md").symlink_to(folder.parent / "outside.md")


def spoil_with_linked_folder(folder: Path) -> None:
    (folder / "data").rename(folder.parent / "outside")
    (folder / "data").symlink_to(folder.parent / "outside")


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file more": (put("answers/test.jsonl"), "answers/test.jsonl: it is not part of the publication"),
    "a file less": (lambda folder: (folder / "CHANGELOG.md").unlink(), "CHANGELOG.md: it is missing"),
    "another byte": (put("data/test.parquet", b"raws" * 20), "data/test.parquet: its digest is not the published one"),
    "a hidden file": (put(".env"), "is hidden"),
    "a hidden folder": (put("data/.cache/x"), "is hidden"),
    "a temporary": (put(".tmp-12345678-1-123456789abc"), "is hidden"),
    "a link": (spoil_with_link, r"README.md is a link"),
    "a linked folder": (spoil_with_linked_folder, "data is a link"),
    "an unsafe name": (put("data/a:b.txt"), "cannot be published"),
    "a device's name": (put("con.md"), "cannot be published"),
    "no plain file": (lambda folder: os.mkfifo(folder / "pipe"), "is no plain file"),
    "a broken record": (put("publish.json", b"{"), r"publish.json cannot be read"),
    "many troubles": (lambda folder: [put(f"{at}.txt")(folder) for at in range(8)], "; and 3 more"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_folder_with_anything_else_in_it_stays_here(hub: LoopbackHub, tmp_path: Path, old: Any, what: str) -> None:
    spoil, told = SPOILED[what]
    spoil(tmp_path / "old")
    with pytest.raises(DatasetError, match=told):
        plan_push(tmp_path / "old", REPOSITORY)
    assert not hub.asked


def test_an_answers_file_stays_here_even_when_it_is_listed(hub: LoopbackHub, tmp_path: Path) -> None:
    answers = b'{"question_id": "q"}\n'
    hidden = {"questions": [], "hidden": True, "answers_sha256": hashlib.sha256(answers).hexdigest()}
    write_publication(tmp_path / "with", {**OLD, "data/notes.txt": answers}, splits={"test": hidden})
    with pytest.raises(DatasetError, match=r"notes\.txt is a private answers file"):
        plan_push(tmp_path / "with", REPOSITORY)
    assert not hub.asked


def test_no_folder_and_no_publication_are_named(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        plan_push(tmp_path / "nowhere", REPOSITORY)
    with pytest.raises(UsageError, match=r"there is no .*publish\.json"):
        plan_push(tmp_path, REPOSITORY)


def test_a_file_that_changes_after_the_plan_is_not_pushed(hub: LoopbackHub, tmp_path: Path, old: Any) -> None:
    plan = plan_push(tmp_path / "old", REPOSITORY)
    (tmp_path / "old" / "data" / "mini.parquet").write_bytes(b"another")
    with pytest.raises(PublicationConflictError, match=r"data/mini\.parquet .* has changed since the plan"):
        push_folder(plan)
    assert not hub.repositories


# --- where it does not go -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["set", "a/b/c", "lab/..", "lab/a--b", "-lab/set", "lab/set.git", "lab/a b", "/set", ""]
)
def test_what_cannot_be_a_repositorys_name_is_refused(hub: LoopbackHub, tmp_path: Path, old: Any, name: str) -> None:
    with pytest.raises(UsageError):
        plan_push(tmp_path / "old", name)
    assert not hub.asked


WITHDRAWAL = {"video_id": "v", "why": "asked", "when": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"version": "1.0.0", "dataset": "other"}, "holds the dataset 'other', and the folder 'demo'"),
        ({"version": "1.10.0"}, "holds version 1.10.0 already, which is newer than the folder's 1.9.0"),
        (
            {"version": "1.9.0", "withdrawn": [{"video_id": "v", "why": "asked", "when": "2026-01-01T00:00:00Z"}]},
            "same version",
        ),
    ],
    ids=["other dataset", "newer", "same number"],
)
def test_what_a_version_does_not_follow_is_not_replaced(
    hub: LoopbackHub, tmp_path: Path, record: dict[str, Any], told: str
) -> None:
    write_publication(tmp_path / "ours", OLD, "1.9.0")
    hub.make_repository(REPOSITORY, {"publish.json": make_record({}, **record)})
    with pytest.raises(UsageError, match=told):
        plan_push(tmp_path / "ours", REPOSITORY)


def test_the_card_of_a_version_may_be_written_anew(hub: LoopbackHub, tmp_path: Path, old: Any) -> None:
    hub.make_repository(REPOSITORY, old)
    anew = write_publication(tmp_path / "anew", {**OLD, "README.md": CARD + b"a better one"})
    push_folder(plan_push(tmp_path / "anew", REPOSITORY))
    assert hub.published_files(REPOSITORY) == anew


@pytest.mark.parametrize("name", ["data/test-00001-of-00002.parquet", ".gitignore"])
def test_what_would_be_read_as_ours_or_keep_ours_out_is_named(
    hub: LoopbackHub, tmp_path: Path, old: Any, name: str
) -> None:
    hub.make_repository(REPOSITORY, {"README.md": b"theirs", name: b"*.parquet"})
    with pytest.raises(UsageError, match=name):
        plan_push(tmp_path / "old", REPOSITORY)


# --- errors, and what they do not tell ----------------------------------------------------------------------------


def answer_writes_with(status: int, code: str = "", **headers: str) -> HubFault:
    def fault(number: int, request: Request, answer: Answer) -> Reply:
        if request.handler.command in ("GET", "HEAD"):
            return answer()
        request.read_body()
        reply = Reply.error(status, "told by the Hub", code)
        return Reply(status, reply.content, {**reply.headers, **headers})

    return fault


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (401, "", "log in with `hf auth login`"),
        (403, "", "Forbidden: told by the Hub"),
        (403, "GatedRepo", "is gated: accept its terms"),
        (429, "", "429 Too Many Requests"),
        (500, "", "500 Internal Server Error|500 Server Error"),
        (503, "", "503 Service Unavailable|503 Server Error"),
    ],
)
def test_refusals_are_told_with_what_is_there_now(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any, status: int, code: str, told: str
) -> None:
    hub.make_repository(REPOSITORY, old)
    plan = plan_push(tmp_path / "new", REPOSITORY)
    hub.forget(answer_writes_with(status, code))
    with pytest.raises(EnvironmentProblemError, match=told) as caught:
        push_folder(plan)
    assert "lab/set is as it was: push again" in str(caught.value)
    assert hub.published_files(REPOSITORY) == old


@pytest.mark.usefixtures("no_waiting")
def test_an_unreachable_hub_is_told(
    hub: LoopbackHub, tmp_path: Path, old: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_push(tmp_path / "old", REPOSITORY)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EnvironmentProblemError, match="cannot be reached for lab/set"):
        plan_push(tmp_path / "old", REPOSITORY)
    with pytest.raises(EnvironmentProblemError, match=r"cannot be reached .* push again"):
        push_folder(plan)


def test_without_a_token_nothing_is_tried(
    hub: LoopbackHub, tmp_path: Path, old: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    plan = plan_push(tmp_path / "old", REPOSITORY)
    hub.forget()
    with pytest.raises(EnvironmentProblemError, match="log in with `hf auth login`, or set HF_TOKEN"):
        push_folder(plan)
    assert not hub.asked
    push_folder(plan, token=TOKEN)
    assert REPOSITORY in hub.repositories


@pytest.mark.usefixtures("no_waiting")
def test_tokens_and_signatures_are_never_told(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    monkeypatch.delenv("HF_TOKEN")
    repository = hub.make_repository(REPOSITORY, old, private=True)
    plan = plan_push(tmp_path / "new", REPOSITORY, token=TOKEN)

    def storage_is_down(number: int, request: Request, answer: Answer) -> Reply:
        if not request.path.startswith("/lfs"):
            return answer()
        request.read_body()
        return Reply.error(500, f"{hub.loopback.url}{request.handler.path} for {TOKEN}")

    hub.forget(storage_is_down)
    with pytest.raises(EnvironmentProblemError) as caught:
        push_folder(plan, token=TOKEN)
    hub.forget()
    result = push_folder(plan, token=TOKEN)
    assert result.commit == repository.head.oid
    out, err = capsys.readouterr()
    told = f"{caught.value} {plan!r} {result!r} {describe_plan(plan)} {out} {err} {caplog.text}"
    assert "/lfs/" in told
    assert TOKEN not in told
    assert SIGNATURE not in told


def test_what_the_hub_says_of_the_card_comes_back(hub: LoopbackHub, tmp_path: Path, old: Any) -> None:
    hub.card_warnings = ["empty or missing yaml metadata in repo card"]
    (told,) = push_folder(plan_push(tmp_path / "old", REPOSITORY)).warnings
    assert "empty or missing yaml metadata" in told


def test_a_commit_that_cannot_be_looked_at_is_said_to_be_unchecked(
    hub: LoopbackHub, tmp_path: Path, old: Any, new: Any
) -> None:
    hub.make_repository(REPOSITORY, old)
    plan = plan_push(tmp_path / "new", REPOSITORY)
    hub.forget(lambda number, request, answer: Reply.error(500, "no") if "/revision/" in request.path else answer())
    result = push_folder(plan)
    assert (result.status, result.is_checked) == ("pushed", False)
    assert hub.published_files(REPOSITORY) == new


# --- what others then load ----------------------------------------------------------------------------------------

LOAD = """
import sys, datasets
import ivbench_data as iv
datasets.disable_progress_bars()
rows = datasets.load_dataset(sys.argv[1], split="test")
for row in rows.cast_column("images", datasets.List(datasets.Image(decode=False))):
    print(iv.read_row(row).model_dump_json())
"""


@pytest.mark.full
def test_what_was_pushed_is_what_others_load_by_its_name(hub: LoopbackHub, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    dataset = make_dataset()
    write_images(Workspace(tmp_path / "root", dataset.name))
    version = publish(dataset, tmp_path / "root", tmp_path / "out")
    plan = plan_push(tmp_path / "out", "lab/mine", private=False)
    assert set(plan.paths("added")) == {"publish.json", *version.files}
    push_folder(plan)
    assert fetch_published_version("lab/mine") == version
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, "lab/mine"], env={**os.environ, "HF_HUB_DISABLE_XET": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    assert [Question.model_validate_json(line) for line in loaded.stdout.strip().split("\n")] == list(dataset.questions)
