"""Stored runs of other programs, as results of ours: matched with questions, read again, scored as if asked here."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.import_results import import_results, match_options
from ivbench_data.evaluate.results import read_results
from ivbench_data.schema import Question

FRUIT = ("apple", "banana", "cherry", "date")
WORDS = ("first", "second", "third", "fourth")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Four questions with four options; the right one is C."""
    questions = tuple(
        Question(
            question_id=f"q{number}", question=f"Which fruit lies in the {word} bowl?", options=FRUIT, answer_index=2,
            answer="cherry", task="Fruit", source="test",
        )
        for number, word in enumerate(WORDS)
    )  # fmt: skip
    made = Dataset("bowls", questions=questions)
    made.save(tmp_path)
    return made


def write_lines(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def read_answers(path: Path) -> dict[str, int | None]:
    return {key: row.answer_index for (key, _), row in read_results(path).rows.items()}


def list_options(options: tuple[str, ...] | list[str]) -> str:
    return "\n".join(f"{letter}. {text}" for letter, text in zip("ABCD", options, strict=True))


def test_plain_lines_are_scored_by_the_command(
    dataset: Dataset, tmp_path: Path, run_cli: Callable[..., Outcome]
) -> None:
    lines = [
        {"question_id": "q0", "reply": "The answer is C."},
        {"question_id": "q1", "reply": "A", "options": list(reversed(FRUIT))},  # a date
        {"question_id": "q2", "reply": None},
        {"question_id": "q9", "reply": "C"},
        {"question_id": "q0", "reply": "The answer is C."},
        {"question_id": "q0", "reply": "D"},
        {"question_id": "q3", "reply": "B", "options": ["apple", "banana", "cherry", "fig"]},
        {"question_id": "q3"},
    ]
    log = write_lines(tmp_path / "log.jsonl", lines)
    asked = ("import", "results", "jsonl", log, "--dataset", "bowls", "--root", tmp_path, "--model", "theirs")
    done = run_cli(*asked, "--json")
    told = json.loads(done.out)
    assert done.code == 1
    assert (told["imported"], told["failed"], told["reordered"], told["identical"]) == (3, 1, 1, 1)
    assert (told["unknown"], told["repeated"], told["mismatched"]) == (["row 4 (q9)"], ["row 6 (q0)"], ["row 7 (q3)"])
    assert [line["line"] for line in told["bad_lines"]] == [8]
    assert read_answers(Path(told["path"])) == {"q0": 2, "q1": 3, "q2": None}
    scored = json.loads(run_cli("score", "--dataset", "bowls", "--root", tmp_path, "--json").out)["scores"][0]
    assert (scored["overall"]["correct"], scored["overall"]["evaluated"]) == (1, 3)
    assert scored["configuration"]["model_identity"]["imported_from"] == "jsonl"
    assert run_cli(*asked).err.count("Left out") == 4
    assert run_cli("score", "--diagnose", "--dataset", "bowls", "--root", tmp_path).code == 0


def test_samples_of_lmms_eval_are_matched_by_id_or_by_their_prompt(dataset: Dataset, tmp_path: Path) -> None:
    shuffled = ["cherry", "apple", "date", "banana"]
    lines = [
        {"doc_id": 0, "input": "…", "filtered_resps": "b", "resps": ["(C) cherry"], "acc": {"question_id": "q0"}},
        {
            "doc_id": 1, "filtered_resps": ["The answer is A."],
            "input": f"Which fruit lies in the second bowl?\n{list_options(shuffled)}\nAnswer with the letter.",
        },
        {"doc_id": 7, "filtered_resps": ["A"], "input": f"Which fruit is red?\n{list_options(FRUIT)}"},
        {"doc_id": 8, "target": "no sample"},
    ]  # fmt: skip
    log = write_lines(tmp_path / "x_samples_bowls.jsonl", lines)
    run = import_results(dataset, "lmms-eval", log, tmp_path)
    assert read_answers(run.path) == {"q0": 2, "q1": 2}
    assert (run.reordered, run.without_options, run.unknown) == (1, 1, ("row 3 (7)",))
    assert [line.line for line in run.bad_lines] == [4]
    assert read_results(run.path).configuration.model == tmp_path.name


def test_samples_of_our_own_task_are_taken_from_its_filter_which_keeps_white_space(
    dataset: Dataset, tmp_path: Path
) -> None:
    said = "\n B\t"
    ours = {"row": {"question_id": "q0", "answer_index": 1}, "source": "data/bowls", "score": 0.0}
    line = {"doc_id": 0, "target": "x", "resps": [said.strip()], "filtered_resps": json.dumps(said), "overall": ours}
    run = import_results(dataset, "lmms-eval", write_lines(tmp_path / "x_samples_bowls.jsonl", [line]), tmp_path)
    assert (run.imported, run.left_out) == (1, 0)
    assert read_results(run.path).rows["q0", 0].reply == said


def write_sheet(path: Path, rows: list[list[str]]) -> Path:
    """A spreadsheet as programs write it: texts shared, numbers in place, empty cells left out."""
    texts = list(dict.fromkeys(cell for row in rows for cell in row))
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = [
            f'<c r="{chr(65 + at)}{number}" t="s"><v>{texts.index(cell)}</v></c>' for at, cell in enumerate(row) if cell
        ]
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    with zipfile.ZipFile(path, "w") as archive:
        shared = "".join(f"<si><t>{text.replace('&', '&amp;')}</t></si>" for text in texts)
        archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{shared}</sst>")
        archive.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData>{''.join(lines)}</sheetData></worksheet>"
        )
    return path


@pytest.mark.parametrize("suffix", [".xlsx", ".tsv"])
def test_tables_of_vlmevalkit_are_matched_by_text_where_their_index_is_their_own(
    dataset: Dataset, tmp_path: Path, suffix: str
) -> None:
    header = ["index", "question", "A", "B", "C", "D", "prediction"]
    rows = [
        ["100", "Which fruit lies in the first bowl?", *FRUIT, "C"],
        ["101", "Which fruit lies in the second bowl?", *reversed(FRUIT), "Answer: B"],
        ["102", "Which fruit lies in the third bowl?", *FRUIT, "Failed to obtain answer via API."],
        ["103", "Which fruit lies in the fourth bowl?", *FRUIT, ""],
        ["104", "Which fruit lies in the fifth bowl?", *FRUIT, "A & B"],
    ]
    path = tmp_path / f"Model_Bowls{suffix}"
    if suffix == ".xlsx":
        write_sheet(path, [header, *rows])
    else:
        path.write_text("\n".join("\t".join(row) for row in [header, *rows]))
    run = import_results(dataset, "vlmevalkit", path, tmp_path)
    assert read_answers(run.path) == {"q0": 2, "q1": 2, "q2": None, "q3": None}
    assert (run.failed, run.unknown) == (1, ("row 6 (104)",))
    assert read_results(run.path).configuration.model == "Model"


def make_sample(number: int, content: Any, stop: str = "stop", epoch: int = 1) -> dict[str, Any]:
    return {
        "id": f"q{number}", "epoch": epoch, "input": "?", "choices": list(FRUIT), "attachments": {"abc": "So it is C."},
        "output": {"choices": [{"message": {"content": content}, "stop_reason": stop}]}, "metadata": {},
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["eval", "json"])
def test_logs_of_inspect_are_read(dataset: Dataset, tmp_path: Path, kind: str) -> None:
    samples = [
        make_sample(0, [{"type": "reasoning", "reasoning": "A?"}, {"type": "text", "text": "C"}]),
        make_sample(1, "attachment://abc"),
        make_sample(2, "C", "max_tokens"),
        {"id": "q3", "epoch": 1, "metadata": {"unasked": "its video is missing"}, "output": {"choices": []}},
        make_sample(0, "B", epoch=2),
    ]
    path = tmp_path / f"log.{kind}"
    header = {"eval": {"model": "mockllm/model"}}
    if kind == "json":
        path.write_text(json.dumps({**header, "samples": samples}))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("header.json", json.dumps(header))
            for number, sample in enumerate(samples):
                archive.writestr(f"samples/{number}_epoch_{sample['epoch']}.json", json.dumps(sample))
    run = import_results(dataset, "inspect", path, tmp_path)
    assert read_answers(run.path) == {"q0": 2, "q1": 2, "q2": 2, "q3": None}
    assert (run.failed, run.repeated) == (1, ("row 5 (q0)",))
    rows = read_results(run.path).rows
    assert rows["q3", 0].error == "its video is missing"
    assert rows["q2", 0].metadata["finish_reason"] == "length"


def test_what_is_no_log_is_refused_with_what_is_wrong(dataset: Dataset, tmp_path: Path) -> None:
    log = write_lines(tmp_path / "log.jsonl", [{"question_id": "q0", "reply": "C"}])
    for harness, message in (
        ("inspect", "no log of inspect_ai"),
        ("vlmevalkit", "xlsx or .tsv"),
        ("other", "there are"),
    ):
        with pytest.raises(UsageError, match=message):
            import_results(dataset, harness, log, tmp_path)
    with pytest.raises(UsageError, match="--model"):
        import_results(dataset, "jsonl", log, tmp_path)
    with pytest.raises(UsageError, match="no pattern"):
        import_results(dataset, "jsonl", log, tmp_path, model="m", pattern="upside_down")
    elsewhere = write_lines(tmp_path / "other.jsonl", [{"question_id": "z", "reply": "C"}])
    with pytest.raises(UsageError, match="none of the 1 rows"):
        import_results(dataset, "jsonl", elsewhere, tmp_path, model="m")
    assert not (tmp_path / "bowls" / "results").exists()


def test_options_are_matched_by_text_and_equal_ones_in_their_order() -> None:
    assert match_options(["b", " A "], ["a", "b"]) == (1, 0)
    assert match_options(["A. b", "B. a"], ["a", "b"]) == (1, 0)
    assert match_options(["x", "y", "x"], ["x", "x", "y"]) == (0, 2, 1)
    assert match_options(["x", "z"], ["x", "y"]) is None
    assert match_options(["x"], ["x", "y"]) is None
