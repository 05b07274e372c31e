from __future__ import annotations

import json
import os
import resource
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from faulty_media import draw_scenes, write_video
from made_releases import make_record

from ivbench_data import validate_questions
from ivbench_data.cli import run
from ivbench_data.dataset import Dataset, load
from ivbench_data.durations import find_durations
from ivbench_data.errors import UsageError
from ivbench_data.ledger import LedgerWriter
from ivbench_data.schema import FetchResult, Finding, Question
from ivbench_data.sources import import_dataset
from ivbench_data.validate.checks import CHECKS, CheckContext, describe_check, select_checks
from ivbench_data.workspace import Workspace

# what the released test_data.jsonl holds, of which samples of up to 40 findings a check were read: (errors, warnings,
# infos)
RELEASE_COUNTS = {
    "blank_option": (0, 89, 0),
    "not_ten_options": (0, 89, 0),
    "duplicate_option": (0, 70, 23),
    "answer_among_distractors": (23, 9, 0),
    "reversed_range": (1, 39, 0),
    "malformed_time": (0, 3, 0),
    "seconds_over_59": (0, 2, 0),
    "location_unparsable": (0, 0, 0),
    "answer_contradicts_location": (4, 0, 0),
    "same_query_different_answer": (2, 0, 0),
    "image_reused": (0, 0, 6),
    "label_variant": (0, 0, 1),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A dataset with one error, one warning and one information in it."""
    records = [
        make_record(0, answer="red"),
        make_record(1, granularity="Video Frame", question="What is the second color of the picture in the video?"),
        make_record(3, question="What is in the picture?"),
    ]
    release = tmp_path / "test_data.jsonl"
    release.write_text(json.dumps({"aB3-_xYz012": records}) + "\n")
    import_dataset("ivbench", release, tmp_path / "data")
    return tmp_path / "data"


def make_many(count: int) -> Dataset:
    """As many questions, four a video, with times, repeated options and words of all kinds."""
    questions = []
    for number in range(count):
        video_id = f"video{number // 4}"
        answer = f"{number % 60}:{number % 50 + 10}"
        options = (answer, *(f"{number % 50}:{second}" for second in range(10, 18)), f"option {number}")
        questions.append(
            Question(
                question_id=f"{video_id}_{number % 4}",
                video_id=video_id,
                image_ids=(f"image{number // 2}.png",),
                question=f"When does item {number % 7} of the picture appear in the video?",
                options=options,
                answer_index=0,
                answer=answer,
                task=f"task {number % 13}",
                granularity="frame",
                source="made",
            )
        )
    return Dataset("made", questions=tuple(questions))


def test_every_check_says_what_it_finds_and_names_itself(root: Path) -> None:
    for name in CHECKS:
        line = describe_check(name)
        assert line.endswith((".", "?"))
        assert len(line) <= 120
    found = list(validate_questions(load(root / "ivbench")))
    assert {finding.check for finding in found} <= set(CHECKS)
    for name in {finding.check for finding in found}:
        assert all(finding.check == name for finding in validate_questions(load(root / "ivbench"), checks=[name]))


def test_findings_come_one_by_one(root: Path) -> None:
    findings = validate_questions(load(root / "ivbench"))
    assert len(list(islice(findings, 1))) == 1


def test_checks_are_chosen_by_name() -> None:
    assert select_checks() == list(CHECKS)
    assert select_checks(["reversed_range", "blank_option"]) == ["blank_option", "reversed_range"]
    assert select_checks(["reversed_range", "blank_option"], ["blank_option"]) == ["reversed_range"]
    with pytest.raises(UsageError, match="did you mean 'reversed_range'"):
        select_checks(["reversd_range"])
    with pytest.raises(UsageError, match="--list"):
        select_checks([], ["zzz"])


def test_hidden_answers_are_no_trouble(root: Path) -> None:
    dataset = load(root / "ivbench")
    hidden = tuple(
        question.model_copy(update={"answer": None, "answer_index": None, "answers_hidden": True, "raw": None})
        for question in dataset.questions
    )
    about_answers = {"answer_among_distractors", "answer_gives_itself_away", "answer_contradicts_location"}
    found = {finding.check for finding in validate_questions(Dataset("hidden", questions=hidden))}
    assert found
    assert not found & about_answers


def test_the_command_draws_a_table_and_keeps_all_findings(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--root", str(root)]) == 1
    captured = capsys.readouterr()
    assert "answer_among_distractors" in captured.out
    lines = (root / "ivbench" / "reports" / "findings.jsonl").read_text().splitlines()
    findings = [Finding.model_validate_json(line) for line in lines]
    assert all(finding.found_at is not None for finding in findings)
    undated = [finding.model_copy(update={"found_at": None}) for finding in findings]
    assert undated == list(validate_questions(load(root / "ivbench"), CheckContext(Workspace(root, "ivbench"))))


VIDEO = "aB3-_xYz012"
LATE = ["--check", "beyond_video_end", "--json"]


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    run(["validate", *arguments])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_a_check_that_could_not_run_is_shown_with_what_it_needs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run_json(capsys, "--root", str(root), "--json")
    assert "0 of 1 videos" in document["not_run"]["beyond_video_end"]
    assert "ivbench-data fetch" in document["not_run"]["beyond_video_end"]
    assert document["not_run"].keys() >= {"image_unreadable", "image_from_own_video", "near_duplicate_images"}
    assert "reversed_range" not in document["not_run"]
    run(["validate", "--root", str(root), "--report"])
    captured = capsys.readouterr()
    assert "beyond_video_end" in captured.out
    nothing = next(line for line in captured.err.replace("\n", " ").split(".") if "Nothing found by" in line)
    assert "reversed_range" in nothing
    assert "beyond_video_end" not in nothing
    run(["validate", "--root", str(root), "--markdown"])
    assert "| `beyond_video_end` | 0 of 1 videos have what it needs" in capsys.readouterr().out
    page = (root / "ivbench" / "reports" / "validate.html").read_text(encoding="utf-8")
    assert "Checks that could not run" in page
    assert "beyond_video_end" in page


@pytest.mark.parametrize("source", ["file", "cache", "ledger", "fingerprint"])
def test_lengths_come_from_files_caches_ledger_and_fingerprints(
    root: Path, tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_json(capsys, "--root", str(root), *LATE)["findings"] == []
    workspace = Workspace(root, "ivbench")
    workspace.videos.mkdir(parents=True)
    path = write_video(workspace.videos / f"{VIDEO}.mp4", draw_scenes(2))
    if source == "cache":
        assert run(["cache", "--nframes", "4", "--res", "240", "--root", str(root)]) == 0
    elif source == "fingerprint":
        assert run(["verify", "--write-fingerprints", "--root", str(root)]) == 0
    elif source == "ledger":
        row = FetchResult(video_id=VIDEO, status="ok", source_metadata={"duration": 2.0})
        LedgerWriter(workspace, "fetch").append(row)
    if source != "file":
        path.unlink()
    capsys.readouterr()
    found = find_durations(load(workspace.folder), workspace)
    assert found[VIDEO].source == source
    assert found[VIDEO].seconds == pytest.approx(2, abs=0.2)
    document = run_json(capsys, "--root", str(root), *LATE)
    assert document["not_run"] == {}
    assert {finding["check"] for finding in document["findings"]} == {"beyond_video_end"}


def test_findings_of_checks_that_did_not_run_stay_with_their_date(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", "--root", str(root)]) == 1
    path = root / "ivbench" / "reports" / "findings.jsonl"
    before = [Finding.model_validate_json(line) for line in path.read_text().splitlines()]
    capsys.readouterr()
    document = run_json(capsys, "--root", str(root), "--check", "granularity_mismatch", "--json")
    after = [Finding.model_validate_json(line) for line in path.read_text().splitlines()]
    kept = [finding for finding in before if finding.check != "granularity_mismatch"]
    assert [finding for finding in after if finding.check != "granularity_mismatch"] == kept
    new, old = ([one for one in group if one.check == "granularity_mismatch"] for group in (after, before))
    assert len(new) == len(old) == 1
    assert str(new[0].found_at) > str(old[0].found_at)
    assert sum(row["findings"] for row in document["kept"]) == len(kept)
    sheet = tmp_path / "sheet.csv"
    assert run(["review", "export", "--only", "flagged", "--out", str(sheet), "--root", str(root)]) == 0
    assert "answer_among_distractors" in sheet.read_text(encoding="utf-8-sig")


def test_findings_on_questions_that_are_gone_do_not_stay(root: Path) -> None:
    run(["validate", "--root", str(root)])
    questions = root / "ivbench" / "questions.jsonl"
    left = [line for line in questions.read_text().splitlines(keepends=True) if f"{VIDEO}_0" not in line]
    questions.write_text("".join(left))
    run(["validate", "--root", str(root), "--check", "reversed_range"])
    lines = (root / "ivbench" / "reports" / "findings.jsonl").read_text().splitlines()
    kept = {Finding.model_validate_json(line).question_id for line in lines}
    assert kept
    assert f"{VIDEO}_0" not in kept


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 1),
        (["--fail-on", "never"], 0),
        (["--check", "granularity_mismatch"], 0),
        (["--check", "granularity_mismatch", "--fail-on", "warning"], 1),
        (["--check", "non_contiguous_ids", "--fail-on", "warning"], 0),
        (["--check", "non_contiguous_ids", "--fail-on", "info"], 1),
        (["--skip", "answer_among_distractors"], 0),
        (["--check", "no_such_check"], 2),
        (["--dataset", "absent"], 2),
    ],
)
def test_exit_codes(root: Path, options: list[str], code: int) -> None:
    assert run(["validate", "--root", str(root), *options]) == code


def test_json_is_one_document(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--root", str(root), "--json"]) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    assert document["questions"] == 3
    assert set(document["counts"]) == set(CHECKS)
    assert document["counts"]["answer_among_distractors"] == {"error": 1, "warning": 0, "info": 0, "questions": 1}
    assert [Finding.model_validate(finding) for finding in document["findings"]]


def test_the_table_in_markdown_holds_the_same_counts(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["validate", "--root", str(root), "--json"])
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert run(["validate", "--root", str(root), "--markdown"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["| check | error | warning | info | questions |", "|---|---:|---:|---:|---:|"]
    row = counts["answer_among_distractors"]
    assert f"| `answer_among_distractors` | {row['error']} |  |  | {row['questions']} |" in lines
    found = [name for name, row in counts.items() if row["error"] or row["warning"] or row["info"]]
    assert len(lines[: lines.index("")]) == 2 + len(found) + 1


def test_a_dataset_too_small_for_the_probe_has_its_checks_all_the_same(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", "--root", str(root), "--probe", "--report"]) == 1
    captured = capsys.readouterr()
    assert "answer_among_distractors" in captured.out
    assert "probe was not run: the probe needs questions with options and answers on at least 2 videos" in captured.err
    page = (root / "ivbench" / "reports" / "validate.html").read_text(encoding="utf-8")
    assert "The text-only probe was not run" in page
    assert run(["validate", "--root", str(root), "--probe", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["probe"] is None
    assert "at least 2 videos" in document["no_probe_because"]


def test_checks_are_listed_without_a_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--list", "--json"]) == 0
    assert [row["check"] for row in json.loads(capsys.readouterr().out)] == list(CHECKS)
    assert run(["validate", "--list", "--skip", "blank_option"]) == 0
    assert "blank_option" not in capsys.readouterr().out


@pytest.mark.full
def test_twice_the_questions_take_twice_the_operations() -> None:
    def count_calls(dataset: Dataset) -> int:
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        previous = sys.getprofile()
        sys.setprofile(count)
        try:
            for _ in validate_questions(dataset):
                pass
        finally:
            sys.setprofile(previous)
        return calls

    small, large = make_many(400), make_many(800)
    count_calls(small)  # fills the memory of texts, for both
    assert count_calls(large) < 2.2 * count_calls(small)


@pytest.mark.full
def test_a_hundred_thousand_questions() -> None:
    seconds = []
    for count in (50_000, 100_000):
        dataset = make_many(count)
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        for _ in validate_questions(dataset):
            pass
        seconds.append(time.process_time() - started)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert seconds[1] < 2.5 * seconds[0]
    assert grown_kib < 400_000


@pytest.mark.skipif("IVBENCH_TEST_RELEASE" not in os.environ, reason="IVBENCH_TEST_RELEASE names no released file")
def test_the_real_release(tmp_path: Path) -> None:
    dataset = import_dataset("ivbench", Path(os.environ["IVBENCH_TEST_RELEASE"]), tmp_path)
    started = time.process_time()
    findings = list(validate_questions(dataset))
    assert time.process_time() - started < 5
    counted = {
        name: tuple(
            sum(finding.check == name and finding.severity == severity for finding in findings)
            for severity in ("error", "warning", "info")
        )
        for name in RELEASE_COUNTS
    }
    assert counted == RELEASE_COUNTS
