"""`ivbench-data publish`: what it writes, refuses, keeps back, and says."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from loopback_hub import TOKEN, LoopbackHub, serve_hub
from published import as_bytes, load_offline, make_dataset, write_images

import ivbench_data as iv
from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.publish.hidden.hidden_answers import read_answers
from ivbench_data.publish.publication_record import read_published
from ivbench_data.publish.published_damage import verify_published
from ivbench_data.schema import Question
from ivbench_data.workspace import Workspace

pytest.importorskip("datasets", reason="datasets is not installed")

RunCli = Callable[..., Outcome]
ANSWERED = ["one_0", "one_1", "two_1", "picture_0"]
SPLITS = "test=4q,dev=rest"


@pytest.fixture
def run_publish(tmp_path: Path, run_cli: RunCli) -> RunCli:
    """Runs `publish` on the small dataset, whose images are here."""
    make_dataset().save(tmp_path / "root")
    write_images(Workspace(tmp_path / "root", "mine"))

    def run(*arguments: str | Path) -> Outcome:
        return run_cli("publish", *arguments, "--dataset", "mine", "--root", tmp_path / "root")

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def save(tmp_path: Path, change: Callable[[Question], Question], **more: Any) -> Dataset:
    dataset = make_dataset()
    changed = replace(dataset, questions=tuple(change(question) for question in dataset.questions), **more)
    changed.save(tmp_path / "root")
    return changed


def test_a_folder_is_written_and_told(run_publish: RunCli, tmp_path: Path) -> None:
    done = run_publish("--to", tmp_path / "out", "--license", "cc-by-4.0")
    assert done.code == 0, done.err
    assert re.search(r"test\s+6\s+public", done.out)
    assert "Load it with: datasets.load_dataset" in done.err
    assert list(verify_published(tmp_path / "out")) == []
    rows = load_offline(tmp_path / "out", tmp_path / "cache", split="test")
    assert [iv.read_row(row) for row in as_bytes(rows)] == list(make_dataset().questions)
    assert "license: cc-by-4.0" in (tmp_path / "out" / "README.md").read_text()


def test_one_document_tells_a_program(run_publish: RunCli, tmp_path: Path) -> None:
    done = run_publish("--to", tmp_path / "out", "--json")
    document = json.loads(done.out)
    assert done.err == ""
    assert document["splits"] == {"test": {"questions": 6, "answers_hidden": False}}
    assert (document["version"], document["images"], document["absent_images"]) == ("1.0.0", 3, 0)
    assert document["files"] == len(contents(tmp_path / "out"))
    assert document["changes"]["added"] == {"test": [question.question_id for question in make_dataset().questions]}


def test_a_plan_is_shown_and_nothing_is_written(run_publish: RunCli, tmp_path: Path) -> None:
    before = contents(tmp_path)
    shown = run_publish("--plan", "--split", SPLITS, "--to", tmp_path / "out")
    assert shown.code == 0
    assert re.search(r"questions\s+4\s+2\s+6", shown.out)
    assert sorted(json.loads(run_publish("--plan", "--split", SPLITS, "--json").out)["plan"]["splits"]) == [
        "dev",
        "test",
    ]
    assert contents(tmp_path) == before


def test_the_plan_is_what_is_published(run_publish: RunCli, tmp_path: Path) -> None:
    plan = json.loads(run_publish("--plan", "--split", SPLITS, "--json").out)["plan"]["splits"]
    assert run_publish("--to", tmp_path / "out", "--split", SPLITS).code == 0
    published = read_published(tmp_path / "out").splits
    assert {name: list(split.questions) for name, split in published.items()} == plan


def test_absent_images_are_told_and_refused(run_publish: RunCli, tmp_path: Path) -> None:
    (tmp_path / "root" / "mine" / "images" / "a.png").unlink()
    refused = run_publish("--to", tmp_path / "out")
    assert refused.code == 1
    assert "1 of 3 query images are not here" in refused.err
    assert "--allow-missing-images" in refused.err
    assert not (tmp_path / "out").exists()
    done = run_publish("--to", tmp_path / "out", "--allow-missing-images")
    assert done.code == 0
    assert "1 of 3 query images are null." in done.err


def test_a_home_folder_is_never_replaced(run_publish: RunCli, tmp_path: Path) -> None:
    before = contents(tmp_path / "root")
    refused = run_publish("--to", tmp_path / "root")
    assert refused.code == 2
    assert "is no earlier publication" in refused.err
    assert contents(tmp_path / "root") == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "say where to"),
        (["--to", "hf://nobody"], "give organisation/name"),
        (["--to", "out", "--yes"], "are for a push"),
        (["--to", "out", "--pr"], "are for a push"),
        (["--to", "out", "--public"], "are for a push"),
        (["--to", "out", "--secret-file", "secret"], "belongs to --hide-answers"),
        (["--to", "out", "--grid", "8x72"], "belongs to --include frames"),
        (["--to", "out", "--include", "frames", "--grid", "8by72"], "8by72"),
        (["--to", "out", "--include", "frames"], "there is nothing for frames/32x240"),
        (["--to", "out", "--include", "videos"], "there is nothing for media"),
        (["--to", "out", "--version", "1.2.0", "--bump", "minor"], "say the same"),
        (["--to", "out", "--version", "latest"], "is no version"),
        (["--to", "out", "--hide-answers", "dev"], "there is no split 'dev'"),
        (["--to", "out", "--reveal-answers", "test"], "cannot be revealed"),
        (["--plan", "--hide-answers", "test"], "--plan writes nothing"),
        (["--to", "out", "--split", "test=2.0"], "test"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    arguments: list[str], told: str, run_publish: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = run_publish(*arguments)
    assert refused.code == 2, refused.err
    assert told in refused.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["private", "private/x", "videos", "cache/8x16", "images/new", "published/x"])
def test_the_datasets_own_folders_are_no_place_for_it(run_publish: RunCli, tmp_path: Path, place: str) -> None:
    home = tmp_path / "root" / "mine"
    (tmp_path / "link").symlink_to(home)
    before = sorted(tmp_path.rglob("*"))
    for folder in (home, tmp_path / "link"):
        refused = run_publish("--to", folder / place, "--hide-answers", "test")
        assert (refused.code, sorted(tmp_path.rglob("*"))) == (2, before)
        assert "within the dataset's own folder" in refused.err


def test_what_can_be_no_folder_is_a_usage_error(run_publish: RunCli, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for place in (tmp_path / "circle" / "x", tmp_path / ("x" * 300), "a\0b"):
        refused = run_publish("--to", place)
        assert (refused.code, "cannot be a folder" in refused.err) == (2, True), refused.err


def test_a_line_of_ours_that_cannot_be_read_stops_it(run_publish: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "root" / "mine" / "questions.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"one_1"', b'"one_1', 1))
    refused = run_publish("--to", tmp_path / "out")
    assert refused.code == 1
    assert "questions.jsonl:2" in refused.err
    assert not (tmp_path / "out").exists()


# --- versions ---------------------------------------------------------------------------------------------------------


def test_a_second_run_on_the_same_data_changes_nothing(run_publish: RunCli, tmp_path: Path) -> None:
    assert run_publish("--to", tmp_path / "out", "--split", SPLITS).code == 0
    before = contents(tmp_path / "out")
    again = run_publish("--to", tmp_path / "out")
    assert again.code == 0
    assert "no question changed" in again.err
    assert contents(tmp_path / "out") == before


def test_a_new_version_keeps_canary_and_splits_and_tells_what_changed(run_publish: RunCli, tmp_path: Path) -> None:
    assert run_publish("--to", tmp_path / "out", "--split", "test=4q,dev=rest").code == 0
    first = read_published(tmp_path / "out")
    new = make_dataset().questions[3].model_copy(update={"question_id": "two_2", "question": "Another?"})
    reworded = {"one_1": "Is it there?"}
    dataset = save(
        tmp_path,
        lambda question: question.model_copy(
            update={"question": reworded.get(question.question_id, question.question)}
        ),
    )
    replace(dataset, questions=(*dataset.questions, new)).save(tmp_path / "root")
    done = run_publish("--to", tmp_path / "out")
    assert done.code == 0, done.err
    second = read_published(tmp_path / "out")
    assert (second.version, second.canary) == ("1.1.0", first.canary)
    assert {at: name for at, name in second.split_of.items() if at != "two_2"} == first.split_of
    assert "Against version 1.0.0: 1 added, 1 repaired." in done.err
    changelog = (tmp_path / "out" / "CHANGELOG.md").read_text()
    assert changelog.index("## [1.1.0]") < changelog.index("`two_2`") < changelog.index("## [1.0.0]")
    small = run_publish("--to", tmp_path / "out", "--version", "1.1.0")
    assert (small.code, "does not come after 1.1.0" in small.err) == (2, True)
    assert run_publish("--to", tmp_path / "out", "--bump", "major").code == 0
    assert read_published(tmp_path / "out").version == "2.0.0"


def test_two_first_versions_have_canaries_of_their_own(run_publish: RunCli, tmp_path: Path) -> None:
    canaries = set()
    for name in ("first", "second"):
        assert run_publish("--to", tmp_path / name).code == 0
        canaries.add(read_published(tmp_path / name).canary)
    assert len(canaries) == 2


# --- hidden answers ---------------------------------------------------------------------------------------------------


def test_hidden_answers_are_in_the_private_file_and_nowhere_else(run_publish: RunCli, tmp_path: Path) -> None:
    done = run_publish("--to", tmp_path / "out", "--split", SPLITS, "--hide-answers", "test")
    assert done.code == 0, done.err
    record = read_published(tmp_path / "out")
    path = Workspace(tmp_path / "root", "mine").private / "answers-test-1.0.0.jsonl"
    assert record.splits["test"].answers_sha256 == digest_file(path)
    assert str(path) in done.err
    assert path.stat().st_mode & 0o077 == 0
    loaded = load_offline(tmp_path / "out", tmp_path / "cache")
    answers = {question.question_id: question for question in read_answers(path).questions}
    originals = {question.question_id: question for question in make_dataset().questions}
    public = [iv.read_row(row) for row in as_bytes(loaded["test"])]
    assert [question.question_id for question in public] == list(answers)
    for question in public:
        original = originals[question.question_id]
        assert (question.answers_hidden, question.answer, question.raw, question.evidence) == (True, None, None, ())
        assert question.options == answers[question.question_id].options
        assert sorted(question.options) == sorted(original.options)
        assert answers[question.question_id].answer == original.answer
    assert all(iv.read_row(row) == originals[row["question_id"]] for row in as_bytes(loaded["dev"]))
    secret = (path.parent / "secret").read_bytes().strip()
    assert not [name for name, content in contents(tmp_path / "out").items() if secret in content]


def test_hidden_answers_stay_hidden_until_they_are_revealed(run_publish: RunCli, tmp_path: Path) -> None:
    assert run_publish("--to", tmp_path / "out", "--split", SPLITS, "--hide-answers", "test").code == 0
    before = contents(tmp_path / "out")
    assert run_publish("--to", tmp_path / "out").code == 0
    assert contents(tmp_path / "out") == before
    refused = run_publish("--to", tmp_path / "out", "--reveal-answers", "test")
    assert refused.code == 2
    assert "The answers of test become public" in refused.err
    assert contents(tmp_path / "out") == before
    assert run_publish("--to", tmp_path / "out", "--reveal-answers", "test", "--yes").code == 0
    record = read_published(tmp_path / "out")
    assert (record.version, record.splits["test"].hidden) == ("2.0.0", False)


def test_hiding_answers_that_were_public_is_said_to_be_in_vain(run_publish: RunCli, tmp_path: Path) -> None:
    assert run_publish("--to", tmp_path / "out").code == 0
    done = run_publish("--to", tmp_path / "out", "--hide-answers", "test")
    assert done.code == 0, done.err
    assert "the answers of test are public in version 1.0.0" in done.err
    assert "public in version" not in run_publish("--to", tmp_path / "out").err


def test_another_machine_without_the_secret_is_refused(run_publish: RunCli, tmp_path: Path) -> None:
    assert run_publish("--to", tmp_path / "out", "--hide-answers", "test").code == 0
    secret = Workspace(tmp_path / "root", "mine").private / "secret"
    secret.rename(tmp_path / "carried")
    before = contents(tmp_path / "out")
    refused = run_publish("--to", tmp_path / "out")
    assert refused.code == 2
    assert "give it with --secret-file" in refused.err
    assert not secret.exists()
    assert run_publish("--to", tmp_path / "out", "--secret-file", tmp_path / "carried").code == 0
    assert contents(tmp_path / "out") == before


def test_another_hidden_answer_is_told_as_a_major_version(run_publish: RunCli, tmp_path: Path) -> None:
    assert run_publish("--to", tmp_path / "out", "--hide-answers", "test").code == 0
    save(
        tmp_path,
        lambda question: (
            question.model_copy(update={"answer": "q", "answer_index": 1})
            if question.question_id == "picture_0"
            else question
        ),
    )
    done = run_publish("--to", tmp_path / "out", "--json")
    document = json.loads(done.out)
    assert (document["version"], document["changes"]["rescored"]) == ("2.0.0", ["picture_0"])
    private = Workspace(tmp_path / "root", "mine").private
    assert (private / "answers-test-1.0.0.jsonl").exists()
    (private / "answers-test-2.0.0.jsonl").unlink()
    doubtful = json.loads(run_publish("--to", tmp_path / "out", "--json").out)
    assert any("is unknown whether answers of test changed" in warning for warning in doubtful["warnings"])


def test_when_answers_can_be_found_nothing_is_published(run_publish: RunCli, tmp_path: Path) -> None:
    question = make_dataset().questions[-1]
    telling = [
        question.model_copy(update={"question_id": f"q{n}_{'pq'[n % 2]}", "answer": "pq"[n % 2], "answer_index": n % 2})
        for n in range(40)
    ]
    replace(make_dataset(), questions=tuple(telling)).save(tmp_path / "root")
    refused = run_publish("--to", tmp_path / "out", "--hide-answers", "test")
    assert refused.code == 1
    assert "nothing was published: answers can be read from" in refused.err
    assert not (tmp_path / "out").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    silent = [at.model_copy(update={"question_id": f"q{n}"}) for n, at in enumerate(telling)]
    replace(make_dataset(), questions=tuple(silent)).save(tmp_path / "root")
    done = run_publish("--to", tmp_path / "out", "--hide-answers", "test")
    assert done.code == 0, done.err
    assert "Self-check: no hidden answer was found" in done.err


# --- to the Hub -------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LoopbackHub]:
    from huggingface_hub import constants

    with serve_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.loopback.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf_home"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # which is read when the library is loaded
        yield hub


def test_a_push_is_shown_and_not_done_without_yes(run_publish: RunCli, tmp_path: Path, hub: LoopbackHub) -> None:
    repository = hub.make_repository("lab/mine", {"LICENSE": b"terms"})
    before = dict(repository.head.files)
    shown = run_publish("--to", "hf://lab/mine")
    assert shown.code == 0, shown.err
    assert repository.head.files == before
    assert "Nothing was pushed." in shown.err
    assert re.search(r"added\s+data/test-00000-of-00001\.parquet", shown.out)
    folder = tmp_path / "root" / "mine" / "published"
    assert list(verify_published(folder)) == []
    assert 'load_dataset("lab/mine", split="test")' in (folder / "README.md").read_text()


def test_a_push_makes_the_repository_what_the_folder_is(run_publish: RunCli, tmp_path: Path, hub: LoopbackHub) -> None:
    hub.make_repository("lab/mine", {})
    pushed = run_publish("--to", "hf://lab/mine", "--yes", "--json")
    assert pushed.code == 0, pushed.err
    document = json.loads(pushed.out)
    assert document["push"]["status"] == "pushed"
    assert hub.published_files("lab/mine") == contents(tmp_path / "root" / "mine" / "published")


def test_a_new_repository_is_private_until_it_is_made_public(run_publish: RunCli, hub: LoopbackHub) -> None:
    first = run_publish("--to", "hf://lab/mine", "--yes", "--json")
    assert first.code == 0, first.err
    assert json.loads(first.out)["push"]["is_private"]
    assert hub.published_files("lab/mine") is None
    public = run_publish("--to", "hf://lab/mine", "--yes", "--public", "--json")
    assert public.code == 0, public.err
    assert not json.loads(public.out)["push"]["is_private"]
    assert "publish.json" in (hub.published_files("lab/mine") or {})


def test_the_version_on_the_hub_is_the_one_before(run_publish: RunCli, tmp_path: Path, hub: LoopbackHub) -> None:
    repository = hub.make_repository("lab/mine", {})
    assert run_publish("--to", "hf://lab/mine", "--split", SPLITS, "--yes").code == 0
    first = parse_record(repository.head.files)
    shutil.rmtree(tmp_path / "root" / "mine" / "published")  # as on another machine
    save(tmp_path, lambda question: question.model_copy(update={"question": f"{question.question}!"}))
    again = run_publish("--to", "hf://lab/mine", "--yes")
    assert again.code == 0, again.err
    assert "lab/mine holds version 1.0.0." in again.err
    second = parse_record(repository.head.files)
    assert (second["version"], second["canary"], list(second["splits"])) == ("1.0.1", first["canary"], ["test", "dev"])
    assert b"## [1.0.0]" in repository.head.files["CHANGELOG.md"]


def test_a_pull_request_leaves_main_as_it_is(run_publish: RunCli, hub: LoopbackHub) -> None:
    repository = hub.make_repository("lab/mine", {"LICENSE": b"terms"})
    before = dict(repository.head.files)
    proposed = run_publish("--to", "hf://lab/mine", "--yes", "--pr", "--json")
    assert proposed.code == 0, proposed.err
    assert json.loads(proposed.out)["push"]["status"] == "proposed"
    assert repository.head.files == before
    assert len(repository.titles) == 1


def test_a_hub_that_refuses_leaves_a_plan_that_can_be_run_again(run_publish: RunCli, hub: LoopbackHub) -> None:
    repository = hub.make_repository("lab/mine", {})
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patched:
        patched.delenv("HF_TOKEN")
        refused = run_publish("--to", "hf://lab/mine", "--yes")
    assert refused.code == 3
    assert "log in" in refused.err
    assert "publish.json" not in repository.head.files
    assert run_publish("--to", "hf://lab/mine", "--yes").code == 0
    assert "publish.json" in repository.head.files


def parse_record(files: dict[str, bytes]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(files["publish.json"])
    return record
