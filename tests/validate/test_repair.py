from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made_releases import NINE, VIDEO, make_dataset, make_record

from ivbench_data import validate_questions
from ivbench_data.cli import run
from ivbench_data.dataset import load
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.publication_record import read_published
from ivbench_data.sources import import_dataset
from ivbench_data.sources.ivbench import rebuild_release
from ivbench_data.text.csv import write_csv
from ivbench_data.validate.repair import (
    Change,
    apply_changes,
    apply_patch,
    plan_drops,
    plan_repairs,
    read_patch,
    read_versions,
    undo_patch,
    write_patch,
)
from ivbench_data.validate.review import add_reviews, digest_for_review, import_sheet
from ivbench_data.workspace import Workspace

RECORDS = (
    make_record(0),
    make_record(1, distractors=["red", "red", "red", *NINE[3:]]),
    make_record(2, answer=" 53s", distractors=["53s", "53s", *(f"{number}s" for number in range(7))]),
    make_record(3, answer="red"),
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    make_dataset(tmp_path, *RECORDS)
    import_dataset("ivbench", tmp_path / "test_data.jsonl", tmp_path / "data")
    return Workspace(tmp_path / "data", "ivbench")


def read_files(workspace: Workspace) -> dict[str, bytes]:
    return {name: (workspace.folder / name).read_bytes() for name in ("questions.jsonl", "dataset.json")}


def plan(workspace: Workspace, path: Path) -> list[Change]:
    changes = plan_repairs(load(workspace.folder))
    write_patch(path, changes)
    return changes


def test_a_plan_mends_all_that_has_a_safe_repair_and_nothing_else(workspace: Workspace) -> None:
    dataset = load(workspace.folder)
    changes = plan_repairs(dataset)
    assert {change.question_id for change in changes} == {f"{VIDEO}_{number}" for number in (1, 2, 3)}
    mended = apply_changes(dataset, changes)
    assert not [finding for finding in validate_questions(mended) if finding.repair is not None]
    assert mended.questions[0] == dataset.questions[0]
    assert sorted(mended.questions[1].options) == sorted({"purple", *NINE, "red"} - {"green", "blue"})
    assert mended.questions[2].answer == "53s"
    assert mended.questions[2].options.count("53s") == 1
    for question in mended.questions:
        assert question.answer_index is not None
        assert question.options[question.answer_index] == question.answer
    assert [question.raw for question in mended.questions] == [question.raw for question in dataset.questions]


def test_every_line_says_before_and_after(workspace: Workspace, tmp_path: Path) -> None:
    changes = plan(workspace, tmp_path / "patch.jsonl")
    assert read_patch(tmp_path / "patch.jsonl") == changes
    for line in (tmp_path / "patch.jsonl").read_text().splitlines():
        assert set(json.loads(line)) == {"question_id", "field", "before", "after", "check"}


def test_undo_gives_the_original_bytes(workspace: Workspace, tmp_path: Path) -> None:
    original = read_files(workspace)
    plan(workspace, tmp_path / "patch.jsonl")
    first = apply_patch(workspace, tmp_path / "patch.jsonl")
    after_first = read_files(workspace)
    assert (first.version, first.changes) == (1, len(read_patch(tmp_path / "patch.jsonl")))
    assert read_versions(load(workspace.folder)) == [first]
    manual = Change(
        question_id=f"{VIDEO}_0", field="question", before=RECORDS[0]["question"], after="?", check="manual"
    )
    write_patch(tmp_path / "manual.jsonl", [manual])
    assert apply_patch(workspace, tmp_path / "manual.jsonl").version == 2
    assert load(workspace.folder).questions[0].question == "?"
    assert rebuild_release(load(workspace.folder).questions) == (workspace.raw / "test_data.jsonl").read_bytes()
    assert undo_patch(workspace).version == 2
    assert read_files(workspace) == after_first
    assert undo_patch(workspace).version == 1
    assert read_files(workspace) == original
    with pytest.raises(UsageError, match="no patch"):
        undo_patch(workspace)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"question_id": "elsewhere"}, "no such question"),
        ({"before": "What else?"}, "another version"),
        ({"field": "raw"}, "no patch can"),
        ({"field": "question_id"}, "no patch can"),
        ({"field": "misspelt"}, "no patch can"),
        ({"field": "answer_index", "before": None, "after": 40}, "expects None"),
    ],
)
def test_patches_that_do_not_fit_change_nothing(
    workspace: Workspace, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    original = read_files(workspace)
    before = RECORDS[0]["question"]
    honest = {"question_id": f"{VIDEO}_0", "field": "question", "before": before, "after": "?", "check": "manual"}
    (tmp_path / "patch.jsonl").write_text(json.dumps({**honest, **change}) + "\n")
    with pytest.raises(UsageError, match=told):
        apply_patch(workspace, tmp_path / "patch.jsonl")
    assert read_files(workspace) == original
    assert read_versions(load(workspace.folder)) == []


def test_a_patch_that_makes_no_question_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    index = load(workspace.folder).questions[0].answer_index
    change = Change(question_id=f"{VIDEO}_0", field="answer_index", before=index, after=40, check="manual")
    write_patch(tmp_path / "patch.jsonl", [change])
    with pytest.raises(UsageError, match="makes no question"):
        apply_patch(workspace, tmp_path / "patch.jsonl")
    (tmp_path / "patch.jsonl").write_text('{"question_id": "a"}\n')
    with pytest.raises(UsageError, match="no patch"):
        apply_patch(workspace, tmp_path / "patch.jsonl")
    (tmp_path / "patch.jsonl").write_text("")
    with pytest.raises(UsageError, match="no change"):
        apply_patch(workspace, tmp_path / "patch.jsonl")


def test_lines_that_cannot_be_read_are_not_lost(workspace: Workspace, tmp_path: Path) -> None:
    plan(workspace, tmp_path / "patch.jsonl")
    with (workspace.folder / "questions.jsonl").open("ab") as file:
        file.write(b'{"question_id": "torn\n')
    with pytest.raises(DatasetError, match="would lose that line"):
        apply_patch(workspace, tmp_path / "patch.jsonl")


def test_files_changed_by_hand_are_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    plan(workspace, tmp_path / "patch.jsonl")
    apply_patch(workspace, tmp_path / "patch.jsonl")
    with (workspace.folder / "questions.jsonl").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(DatasetError, match="changed after version 1"):
        undo_patch(workspace)
    with pytest.raises(DatasetError, match="changed by hand"):
        apply_patch(workspace, tmp_path / "patch.jsonl")


KILL = """
import os, signal, sys
from pathlib import Path
from ivbench_data.validate import repair
from ivbench_data.workspace import Workspace

root, patch, verb, steps = sys.argv[1:]
left = int(steps)

def counting(function):
    def call(*args, **kwargs):
        global left
        result = function(*args, **kwargs)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

for name in ("write_bytes", "write_jsonl", "write_json"):
    setattr(repair, name, counting(getattr(repair, name)))
workspace = Workspace(Path(root), "ivbench")
repair.apply_patch(workspace, Path(patch)) if verb == "apply" else repair.undo_patch(workspace)
"""


@pytest.mark.parametrize(
    ("verb", "steps"),
    [
        ("apply", 3),
        ("undo", 1),
        *(pytest.param("apply", number, marks=pytest.mark.full) for number in (1, 2, 4, 5)),
        pytest.param("undo", 2, marks=pytest.mark.full),
    ],
)
def test_a_killed_run_leaves_no_silent_repair_and_can_be_finished(
    workspace: Workspace, tmp_path: Path, verb: str, steps: int
) -> None:
    patch = tmp_path / "patch.jsonl"
    plan(workspace, patch)
    original = read_files(workspace)
    if verb == "undo":
        apply_patch(workspace, patch)
    command = [sys.executable, "-c", KILL, str(workspace.root), str(patch), verb, str(steps)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    dataset = load(workspace.folder)
    if read_files(workspace)["questions.jsonl"] != original["questions.jsonl"]:
        assert read_versions(dataset)
    if verb == "apply":
        assert apply_patch(workspace, patch).version == 1
        assert not plan_repairs(load(workspace.folder))
    if read_versions(load(workspace.folder)):
        undo_patch(workspace)
    assert read_files(workspace) == original


def test_the_journey_on_the_command_line(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--root", str(workspace.root)]
    original = read_files(workspace)
    assert run(["repair", *at]) == 0
    assert run(["repair", *at, "--plan", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["changes"] == sum(planned["by_check"].values()) > 0
    assert read_files(workspace) == original
    assert (
        run(["repair", *at, "--plan", "--check", "duplicate_option", "--out", str(workspace.reports / "few.jsonl")])
        == 0
    )
    assert run(["repair", *at, "--apply", planned["patch_file"]]) == 0
    assert run(["validate", *at, "--check", "answer_among_distractors"]) == 0
    assert run(["repair", *at]) == 0
    assert run(["repair", *at, "--undo"]) == 0
    assert read_files(workspace) == original
    assert run(["repair", *at, "--undo"]) == 2
    assert run(["repair", *at, "--undo", "--plan"]) == 2
    assert run(["repair", *at, "--check", "duplicate_option"]) == 2


def reject(workspace: Workspace, *numbers: int, decision: str = "reject") -> None:
    """Two reviewers decide on these questions."""
    dataset = load(workspace.folder)
    for reviewer in ("ana", "ben"):
        rows = [
            {"question_id": question.question_id, "question_digest": digest_for_review(question), "verdict": decision}
            for question in dataset.questions
            if int(question.question_id.rpartition("_")[2]) in numbers
        ]
        content = write_csv([tuple(rows[0]), *(tuple(row.values()) for row in rows)]).encode()
        reviews, bad = import_sheet(dataset, content, datetime.now(UTC), "sheet.csv", reviewer)
        assert (len(reviews), bad) == (len(numbers), [])
        add_reviews(workspace, reviews)


def test_rejected_questions_are_dropped_by_a_patch_and_come_back(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reject(workspace, 0, 2)
    at = ["--root", str(workspace.root)]
    before = read_files(workspace)
    path = workspace.reports / "repairs.jsonl"
    assert run(["repair", "--plan", "--check", "review_rejected", *at]) == 0
    assert f"{VIDEO}_0, {VIDEO}_2" in capsys.readouterr().err
    changes = read_patch(path)
    assert [(one.question_id, one.field, one.after, one.check) for one in changes] == [
        (f"{VIDEO}_{number}", "*", None, "review_rejected") for number in (0, 2)
    ]
    assert read_files(workspace) == before
    assert run(["repair", "--apply", str(path), *at]) == 0
    dataset = load(workspace.folder)
    assert [question.question_id for question in dataset.questions] == [f"{VIDEO}_1", f"{VIDEO}_3"]
    assert dataset.bad_lines == ()
    assert [version.dropped for version in read_versions(dataset)] == [2]
    assert run(["repair", "--undo", *at]) == 0
    assert read_files(workspace) == before


def test_a_plan_repairs_no_question_that_it_drops(workspace: Workspace) -> None:
    reject(workspace, 1)
    assert run(["repair", "--plan", "--root", str(workspace.root)]) == 0
    changes = read_patch(workspace.reports / "repairs.jsonl")
    assert [one.field for one in changes if one.question_id == f"{VIDEO}_1"] == ["*"]
    assert {one.question_id for one in changes} == {f"{VIDEO}_{number}" for number in (1, 2, 3)}
    apply_patch(workspace, workspace.reports / "repairs.jsonl")
    assert len(load(workspace.folder).questions) == 3


def test_a_patch_replaces_a_whole_question(workspace: Workspace, tmp_path: Path) -> None:
    question = load(workspace.folder).questions[0]
    record = question.model_dump(mode="json")
    after = {**record, "question": "What is it?", "task": "Another"}
    change = Change(question_id=question.question_id, field="*", before=record, after=after, check="manual")
    write_patch(tmp_path / "patch.jsonl", [change])
    assert run(["repair", "--apply", str(tmp_path / "patch.jsonl"), "--root", str(workspace.root)]) == 0
    changed = load(workspace.folder).questions[0]
    assert (changed.question, changed.task, changed.raw) == ("What is it?", "Another", question.raw)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({}, None, "another version"),
        (None, 3, "null or a whole question"),
        (None, {"question_id": "other"}, "no patch can change question_id"),
        (None, {"options": []}, "makes no question"),
    ],
)
def test_whole_changes_that_do_not_fit_change_nothing(
    workspace: Workspace, before: Any, after: Any, message: str
) -> None:
    dataset = load(workspace.folder)
    question = dataset.questions[0]
    record = question.model_dump(mode="json") if before is None else before
    change = Change(question_id=question.question_id, field="*", before=record, after=after, check="manual")
    with pytest.raises(UsageError, match=message):
        apply_changes(dataset, [change])


def test_a_patch_leaves_some_question(workspace: Workspace) -> None:
    dataset = load(workspace.folder)
    with pytest.raises(UsageError, match="drops every question"):
        apply_changes(dataset, plan_drops(dataset, [question.question_id for question in dataset.questions]))


# --- review decisions -----------------------------------------------------------------------------------------------


def test_review_status_names_the_questions(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    reject(workspace, 0, 2)
    reject(workspace, 3, decision="accept")
    at = ["--root", str(workspace.root)]
    assert run(["review", "status", *at]) == 0
    assert f"{VIDEO}_0, {VIDEO}_2" in " ".join(capsys.readouterr().out.split())
    assert run(["review", "status", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["question_ids"] == {
        "accepted": [f"{VIDEO}_3"],
        "rejected": [f"{VIDEO}_0", f"{VIDEO}_2"],
        "disputed": [],
    }


@pytest.mark.parametrize(
    ("options", "published", "card"),
    [
        ([], None, ""),
        (["--include-rejected"], [0, 1, 2, 3], "2 questions are published that reviewers rejected"),
        (["--only", "accepted"], [3], "only questions that reviewers accepted; 3 others are left out"),
        (["--only", "reviewed"], [1, 3], "reviewed and did not reject; 2 others are left out"),
        (["--only", "reviewed", "--include-rejected"], [0, 1, 2, 3], "2 questions are published"),
    ],
)
def test_publish_follows_the_review(
    workspace: Workspace,
    tmp_path: Path,
    options: list[str],
    published: list[int] | None,
    card: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    reject(workspace, 0, 2)
    reject(workspace, 3, decision="accept")
    reject(workspace, 1, decision="unsure")
    folder = tmp_path / "published"
    code = run(
        ["publish", "--to", str(folder), "--allow-missing-images", *options, "--json", "--root", str(workspace.root)]
    )
    captured = capsys.readouterr()
    if published is None:
        assert code == 2
        assert f"{VIDEO}_0, {VIDEO}_2" in captured.err
        assert "--include-rejected" in captured.err
        assert not folder.exists()
        return
    assert code == 0, captured.err
    splits = read_published(folder).splits
    assert sorted(name for split in splits.values() for name in split.questions) == [
        f"{VIDEO}_{number}" for number in published
    ]
    assert card in (folder / "README.md").read_text(encoding="utf-8")


def test_publishing_what_nobody_accepted_is_refused(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ["publish", "--to", str(tmp_path / "published"), "--root", str(workspace.root)]
    assert run([*to, "--only", "accepted"]) == 2
    assert "review status" in capsys.readouterr().err
    assert run([*to, "--only", "accepted", "--include-rejected"]) == 2
