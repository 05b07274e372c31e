"""What was hidden once stays hidden: whatever is published, exported or reported next, and wherever it goes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Outcome
from evaluation_dataset import make_dataset, make_media
from loopback_hub import TOKEN, LoopbackHub, serve_hub

from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.evaluate.evaluation import evaluate_questions
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.hidden_record import HiddenRecord, digest_asked_question, leave_out_hidden, read_hidden_record
from ivbench_data.publish.publication_record import read_published
from ivbench_data.publish.tables.parquet_columns import read_row
from ivbench_data.publish.tables.parquet_files import iterate_rows
from ivbench_data.schema import Question
from ivbench_data.sources import import_dataset
from ivbench_data.workspace import Workspace

pytest.importorskip("datasets", reason="datasets is not installed")

RunCli = Callable[..., Outcome]
SPLITS = "test=5q,dev=rest"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The small dataset for evaluation, with its images and cached frames."""
    dataset = make_dataset()
    make_media(tmp_path / "root", dataset)
    return Workspace(tmp_path / "root", dataset.name)


@pytest.fixture
def run(workspace: Workspace, run_cli: RunCli) -> RunCli:
    """Runs a command on that dataset."""
    return lambda *arguments: run_cli(*arguments, "--dataset", workspace.dataset, "--root", workspace.root)


@pytest.fixture
def hidden(run: RunCli, tmp_path: Path) -> frozenset[str]:
    """Ids of the questions whose answers a first publication hides."""
    done = run("publish", "--to", tmp_path / "first", "--split", SPLITS, "--hide-answers", "test")
    assert done.code == 0, done.err
    return frozenset(read_published(tmp_path / "first").splits["test"].questions)


def find_answered(folder: Path) -> set[str]:
    """Ids of the questions whose rows in a published folder show an answer, evidence or metadata."""
    rows = [read_row(row) for path in sorted((folder / "data").glob("*.parquet")) for row in iterate_rows(path)]
    return {row.question_id for row in rows if row.answer is not None or row.evidence or row.metadata}


def reword(dataset: Dataset, change: Callable[[Question], dict[str, object]]) -> Dataset:
    return replace(dataset, questions=tuple(each.model_copy(update=change(each)) for each in dataset.questions))


# --- publications -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [None, SPLITS, "test=rest", "a=3q,b=rest", "dev=5q,test=rest"])
def test_another_folder_does_not_show_what_the_first_hid(
    run: RunCli, hidden: frozenset[str], tmp_path: Path, split: str | None
) -> None:
    done = run("publish", "--to", tmp_path / "second", *(("--split", split) if split else ()))
    assert done.code == 0, done.err
    record = read_published(tmp_path / "second")
    assert hidden <= record.split_of.keys()
    assert not find_answered(tmp_path / "second") & hidden
    assert not any("It is number" in path.read_text() for path in (tmp_path / "second").glob("*.*"))
    if split is None:  # the same splits as before, so that what was public stays public
        assert record.splits.keys() == {"test", "dev"}
        assert find_answered(tmp_path / "second") == find_answered(tmp_path / "first")
    assert "The answers of" in done.err
    assert "--reveal-answers test --yes" in done.err


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LoopbackHub]:
    from huggingface_hub import constants

    with serve_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.loopback.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf_home"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # which is read when the library is loaded
        yield hub


def test_a_push_does_not_show_what_a_folder_hid(
    run: RunCli, hidden: frozenset[str], workspace: Workspace, tmp_path: Path, hub: LoopbackHub
) -> None:
    """The two commands of README, one after the other."""
    repository = hub.make_repository("lab/tiny", {})
    done = run("publish", "--to", "hf://lab/tiny", "--yes")
    assert done.code == 0, done.err
    pushed = tmp_path / "pushed"
    for name, content in repository.head.files.items():
        (pushed / name).parent.mkdir(parents=True, exist_ok=True)
        (pushed / name).write_bytes(content)
    assert not find_answered(pushed) & hidden
    assert find_answered(pushed) == find_answered(tmp_path / "first")


def lose_folder(workspace: Workspace, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "first")


def lose_private(workspace: Workspace, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "first")
    shutil.rmtree(workspace.private)


def lose_record_beside_dataset(workspace: Workspace, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "first")
    (workspace.folder / "hidden.json").unlink()


def import_again(workspace: Workspace, tmp_path: Path) -> None:
    release = tmp_path / "release"
    release.mkdir()
    lines = [question.model_dump_json(exclude_defaults=True) for question in make_dataset().questions]
    (release / "questions.jsonl").write_text("\n".join(lines))
    import_dataset("native", release, workspace.root, workspace.dataset)


def repair_questions(workspace: Workspace, tmp_path: Path) -> None:
    """Every question in other words, by the same ids."""
    reword(make_dataset(), lambda question: {"question": f"{question.question} Say."}).save(workspace.root)


def rename_questions(workspace: Workspace, tmp_path: Path) -> None:
    """The same questions by other ids, with their options in another order."""

    def rename(question: Question) -> dict[str, object]:
        options = question.options[::-1]
        index = options.index(str(question.answer))
        return {"question_id": f"new-{question.question_id}", "options": options, "answer_index": index}

    reword(make_dataset(), rename).save(workspace.root)


@pytest.mark.parametrize(
    "change",
    [lose_folder, lose_private, lose_record_beside_dataset, import_again, repair_questions, rename_questions],
)
def test_the_record_outlives_what_happens_to_the_dataset(
    run: RunCli, hidden: frozenset[str], workspace: Workspace, tmp_path: Path, change: Callable[[Workspace, Path], None]
) -> None:
    change(workspace, tmp_path)
    done = run("publish", "--to", tmp_path / "second", "--split", "all_of_it=rest")
    assert done.code == 0, done.err
    assert read_published(tmp_path / "second").splits["all_of_it"].hidden
    assert find_answered(tmp_path / "second") == set()


def test_a_record_that_cannot_be_read_stops_every_publication(
    run: RunCli, hidden: frozenset[str], workspace: Workspace, tmp_path: Path
) -> None:
    (workspace.folder / "hidden.json").write_text("{")
    done = run("publish", "--to", tmp_path / "second")
    assert done.code == 1
    assert "it is unknown which answers must stay hidden" in done.err
    assert not (tmp_path / "second").exists()
    with pytest.raises(DatasetError, match="unknown which answers"):
        leave_out_hidden(load(workspace.folder), workspace)


def test_what_was_not_published_is_not_remembered(run: RunCli, workspace: Workspace, tmp_path: Path) -> None:
    refused = run("publish", "--to", tmp_path / "first", "--split", SPLITS, "--hide-answers", "nowhere")
    assert refused.code == 2
    assert read_hidden_record(workspace) == HiddenRecord()


def test_the_record_holds_nothing_of_the_answers(hidden: frozenset[str], workspace: Workspace) -> None:
    dataset = load(workspace.folder)
    other = reword(
        dataset, lambda question: {"answer": question.options[-1], "answer_index": len(question.options) - 1}
    )
    for one, two in zip(dataset.questions, other.questions, strict=True):
        assert digest_asked_question(one) == digest_asked_question(two)
    for path in (workspace.folder / "hidden.json", workspace.private / "hidden.json"):
        record = json.loads(path.read_text())
        assert record["splits"]["test"].keys() == hidden


# --- revealing --------------------------------------------------------------------------------------------------------


def test_answers_are_revealed_by_name_and_only_when_it_is_confirmed(
    run: RunCli, hidden: frozenset[str], workspace: Workspace, tmp_path: Path
) -> None:
    second = ("publish", "--to", tmp_path / "second", "--reveal-answers")
    refused = run(*second, "test")
    assert refused.code == 2
    assert f"The answers of test become public, for good: those of {len(hidden)} questions" in refused.err
    assert not (tmp_path / "second").exists()
    assert run(*second, "dev", "--yes").code == 2
    planned = run("publish", "--plan", "--reveal-answers", "test")
    assert planned.code == 0
    assert "The answers of test become public" in planned.err
    assert read_hidden_record(workspace).splits["test"].keys() == hidden
    done = run(*second, "test", "--yes")
    assert done.code == 0, done.err
    assert find_answered(tmp_path / "second") >= hidden
    assert read_hidden_record(workspace) == HiddenRecord()


def test_the_plan_says_what_stays_hidden(run: RunCli, hidden: frozenset[str]) -> None:
    planned = run("publish", "--plan", "--split", "all_of_it=rest")
    assert "The answers of all_of_it stay hidden: 5 of its questions were hidden before, in test" in planned.err
    document = json.loads(run("publish", "--plan", "--split", "all_of_it=rest", "--json").out)
    assert (document["hidden"], document["revealed"]) == (["all_of_it"], {})


# --- answers that were public elsewhere -------------------------------------------------------------------------------


def test_a_twin_that_was_public_in_another_publication_stops_the_next(
    run: RunCli, workspace: Workspace, tmp_path: Path
) -> None:
    """Nine questions are public under one id; then they are hidden under another, with another wrong option."""
    dataset = make_dataset()
    options = tuple(f"thing {number}" for number in range(10))
    asked = [
        dataset.questions[0].model_copy(
            update={"question_id": f"old_{at}", "question": f"Which {at}?", "options": options, "image_ids": (),
                    "answer": options[at], "answer_index": at}
        )
        for at in range(9)
    ]  # fmt: skip
    replace(dataset, questions=tuple(asked)).save(workspace.root)
    assert run("publish", "--to", tmp_path / "first").code == 0
    changed = [
        question.model_copy(update={"question_id": f"new_{at}", "options": (*question.options[:9], "another thing")})
        for at, question in enumerate(asked)
    ]
    replace(dataset, questions=tuple(changed)).save(workspace.root)
    refused = run("publish", "--to", tmp_path / "second", "--hide-answers", "test")
    assert refused.code == 1
    assert "the answer of a public question with the same words and video (9 of 9 guesses right" in refused.err
    assert not (tmp_path / "second").exists()
    assert read_hidden_record(workspace) == HiddenRecord()
    # the very same questions are known, which hiding cannot undo: a warning says so
    replace(dataset, questions=tuple(asked)).save(workspace.root)
    done = run("publish", "--to", tmp_path / "third", "--hide-answers", "test")
    assert done.code == 0, done.err
    assert "the answers of 9 questions of test were public in another publication" in done.err


def test_what_is_kept_of_published_answers_are_digests(run: RunCli, workspace: Workspace, tmp_path: Path) -> None:
    assert run("publish", "--to", tmp_path / "first", "--split", SPLITS, "--hide-answers", "test").code == 0
    kept = json.loads((workspace.folder / "published.json").read_text())["answers"]
    assert {len(text) for known in kept.values() for pair in known.items() for text in pair} == {32}
    public = read_published(tmp_path / "first").splits["dev"].questions
    assert len({own for known in kept.values() for own in known}) == len(public)


# --- exports and reports ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harness", ["lmms-eval", "inspect", "vlmevalkit"])
def test_a_harness_is_given_no_hidden_answer_unless_its_split_is_named(
    run: RunCli, hidden: frozenset[str], tmp_path: Path, harness: str
) -> None:
    arguments = ("export", harness, tmp_path / "out", "--as", "frames", "--grid", "8x16")
    done = run(*arguments)
    assert done.code == 0, done.err
    assert "5 questions are left out: their answers were hidden in the split test" in " ".join(done.err.split())
    texts = [path.read_text() for path in (tmp_path / "out").rglob("*.jsonl")]
    assert not any(f'"{question_id}"' in text for question_id in hidden for text in texts)
    assert json.loads(run(*arguments, "--json").out)["hidden_left_out"] == {"test": 5}
    assert run(*arguments, "--reveal-answers", "dev").code == 2
    named = run(*arguments, "--reveal-answers", "test")
    assert named.code == 0, named.err
    assert "holds the hidden answers of test" in " ".join(named.err.split())
    text = (tmp_path / "out" / "rows.jsonl").read_text()
    assert all(f'"{question_id}"' in text for question_id in hidden)


def test_a_dataset_that_is_hidden_as_a_whole_is_not_exported(run: RunCli, tmp_path: Path) -> None:
    assert run("publish", "--to", tmp_path / "first", "--hide-answers", "test").code == 0
    refused = run("export", "lmms-eval", tmp_path / "out", "--as", "frames", "--grid", "8x16")
    assert refused.code == 2
    assert "--reveal-answers test" in " ".join(refused.err.split())


def test_reports_leave_hidden_answers_out(run: RunCli, hidden: frozenset[str], workspace: Workspace) -> None:
    dataset = load(workspace.folder)
    options = AskOptions(pattern="text_only")
    assert len(list(evaluate_questions(dataset, workspace.root, model="baseline:random", options=options))) == 8
    page = workspace.root / "errors.html"
    done = run("score", "--report", page)
    assert done.code == 0, done.err
    text = page.read_text()
    assert "5 questions of test are left out: their answers are hidden" in text
    assert not any(question_id in text for question_id in hidden)
    assert run("validate", "--report", "--fail-on", "never").code == 0
    report = (workspace.reports / "validate.html").read_text()
    assert "What would give hidden answers away is left out" in report
    document = json.loads(report.partition('id="data">')[2].partition("</script>")[0])
    shown = {card["id"]: card for card in document["cards"]}
    assert shown.keys() & hidden
    assert any(shown[at]["right"] for at in shown.keys() - hidden)
    assert not [at for at in shown.keys() & hidden if shown[at]["right"] or shown[at]["spans"] or shown[at]["location"]]


def test_a_split_that_was_never_hidden_cannot_be_revealed(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="no earlier version hides them"):
        leave_out_hidden(load(workspace.folder), workspace, ("test",))
