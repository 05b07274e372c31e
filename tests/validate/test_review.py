from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from made_releases import VIDEO, make_dataset, make_record

from ivbench_data.cli import run
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.sources import import_dataset
from ivbench_data.text.csv import escape_cell, unescape_cell
from ivbench_data.validate.review import (
    Decision,
    Review,
    add_reviews,
    decide_outcomes,
    digest_for_review,
    export_sheet,
    import_sheet,
    measure_agreement,
    read_reviews,
)
from ivbench_data.workspace import Workspace

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path, *(make_record(number) for number in range(4)))


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def write_csv(rows: list[dict[str, str]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def review(
    dataset: Dataset, number: int, reviewer: str, verdict: Decision, review_round: int = 1, minute: int = 0
) -> Review:
    question = dataset.questions[number]
    return Review(
        question_id=question.question_id,
        question_digest=digest_for_review(question),
        reviewer=reviewer,
        round=review_round,
        verdict=verdict,
        reviewed_at=NOON + timedelta(minutes=minute),
    )


@given(st.text())
@example("=HYPERLINK(1)")
@example("-GPkPGZVVDg_1")
@example("'quoted")
@example("\t=1+1")
@example(" @SUM(A1)")
@example("＝1")
@example("fine;=1+1")
@example("fine\n \"=1\t'-1|;'")
def test_no_cell_is_a_formula_and_all_come_back(text: str) -> None:
    cell = escape_cell(text)
    assert unescape_cell(cell) == text
    assert cell.lstrip()[:1] not in set("=+-@|%＝＋－＠")
    assert cell[:1] not in set("\t\r\n")
    # a reader that splits at another separator, with or without quotes, finds no formula in any part either
    for part in re.split(r"[;|\t\r\n]", cell):
        assert part.lstrip().lstrip('"').lstrip()[:1] not in set("=+-@%＝＋－＠")


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1),
    st.sampled_from(["accept", "reject", "unsure"]),
)
@example("=cmd|' /C calc'!A0", "accept")
@example('two\r\nlines, and "quotes"; \0', "reject")
def test_what_is_exported_comes_back_exactly(text: str, verdict: str) -> None:
    base = Dataset("made")
    question = _question(text)
    content = export_sheet([question], reviewer="ana", review_round=2)
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    header, cells = reader
    row = dict(zip(header, map(unescape_cell, cells), strict=True))
    assert (row["question"], row["options"], row["answer"]) == (text, f"{text}\nother", text)
    filled = dict(zip(header, cells, strict=True)) | {"verdict": verdict, "reason": escape_cell(text)}
    reviews, bad = import_sheet(Dataset(base.name, questions=(question,)), write_csv([filled]), NOON, "sheet.csv")
    assert bad == []
    (only,) = reviews
    assert (only.question_id, only.verdict, only.round, only.reviewer) == (question.question_id, verdict, 2, "ana")
    assert only.reason == text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_sheet_holds_no_formula_whichever_separator_it_is_opened_with(delimiter: str) -> None:
    text = '=1;=2\t=3|=4\n=5\r\n =6;"=7"'
    content = export_sheet([_question(text)], reviewer=text).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter) for cell in row]
    assert len(cells) >= 4
    assert not [cell for cell in cells if cell.lstrip(' "')[:1] in set("=+-@")]


def _question(text: str):  # type: ignore[no-untyped-def]
    from ivbench_data.schema import Question

    return Question(
        question_id="-q", question=text, options=(text, "other"), answer_index=0, answer=text, task="t", source="made"
    )


def test_a_sheet_from_a_spreadsheet(dataset: Dataset) -> None:
    rows = read_csv(export_sheet(dataset.questions))
    for row, verdict in zip(rows, [" Accept", "REJECT ", "", "unsure"], strict=True):
        row.update(verdict=verdict, reviewer="", question="mangled 05:52", reason="")
    reviews, bad = import_sheet(dataset, write_csv(rows, ";"), NOON, "sheet.csv", reviewer="ben")
    assert [(found.verdict, found.reviewer) for found in reviews] == [
        ("accept", "ben"),
        ("reject", "ben"),
        ("unsure", "ben"),
    ]
    assert bad == []


def test_rows_that_cannot_be_used_are_named(dataset: Dataset) -> None:
    rows = read_csv(export_sheet([*dataset.questions, dataset.questions[0]], reviewer="ana"))
    for row in rows:
        row["verdict"] = "accept"
    rows[0]["question_id"] = "elsewhere"
    rows[1]["question_digest"] = "sha256:0123456789abcdef"
    rows[2]["verdict"] = "good"
    rows[3]["reviewer"] = " "
    rows[4]["round"] = "first"
    reviews, bad = import_sheet(dataset, write_csv(rows), NOON, "sheet.csv")
    assert reviews == []
    assert [line.file for line in bad] == ["sheet.csv"] * 5
    for line, told in zip(bad, ["no question", "has changed", "'good'", "reviewer", "'first'"], strict=True):
        assert told in line.reason


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no column"),
        (b"a,b\n1,2\n", "no column"),
        (b"\xff\xfe", "UTF-8"),
        (b'question_id,verdict,question_digest\n"open', "not CSV"),
    ],
)
def test_files_that_are_no_sheet(dataset: Dataset, content: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        import_sheet(dataset, content, NOON, "sheet.csv")


def test_a_second_decision_of_a_reviewer_in_one_sheet_is_named(dataset: Dataset) -> None:
    (row, *_) = read_csv(export_sheet(dataset.questions, reviewer="ann"))
    twice = [{**row, "verdict": "accept"}, {**row, "verdict": "reject"}, {**row, "verdict": "reject", "round": "2"}]
    other = {**row, "verdict": "reject", "reviewer": "ben"}
    reviews, bad = import_sheet(dataset, write_csv([*twice, other]), NOON, "sheet.csv")
    assert [(each.reviewer, each.round, each.verdict) for each in reviews] == [
        ("ann", 1, "accept"), ("ann", 2, "reject"), ("ben", 1, "reject")
    ]  # fmt: skip
    (named,) = bad
    assert "already" in named.reason
    assert row["question_id"] in named.reason


def test_the_last_round_decides(dataset: Dataset) -> None:
    reviews = [
        review(dataset, 0, "ana", "accept"),
        review(dataset, 0, "ben", "accept"),
        review(dataset, 1, "ana", "accept"),
        review(dataset, 1, "ben", "reject"),
        review(dataset, 2, "ana", "accept"),
        review(dataset, 2, "ana", "reject", minute=5),
        review(dataset, 3, "ana", "accept"),
    ]
    assert [found.status for found in decide_outcomes(dataset, reviews)] == [
        "accepted",
        "disputed",
        "rejected",
        "accepted",
    ]
    second = [*reviews, review(dataset, 1, "eva", "reject", 2), review(dataset, 3, "eva", "unsure", 2)]
    decided = decide_outcomes(dataset, second)
    assert [found.status for found in decided] == ["accepted", "rejected", "rejected", "disputed"]
    assert (decided[1].round, decided[1].verdicts) == (2, {"eva": "reject"})
    assert [found.status for found in decide_outcomes(dataset, [])] == ["unreviewed"] * 4


def test_verdicts_on_an_earlier_wording_count_for_nothing(dataset: Dataset) -> None:
    reviews = [review(dataset, 0, "ana", "accept")]
    changed = dataset.questions[0].model_copy(update={"question": "What else is in the picture and the video?"})
    decided = decide_outcomes(Dataset("made", questions=(changed,)), reviews)
    assert [(found.status, found.stale) for found in decided] == [("unreviewed", 1)]


def test_agreement_of_two_and_of_three(dataset: Dataset) -> None:
    # Cohen's kappa by hand: observed 3/4; expected (3/4·1/2 + 1/4·1/2) = 1/2; kappa = 1/2
    ana: list[Decision] = ["accept", "accept", "reject", "accept"]
    ben: list[Decision] = ["accept", "accept", "reject", "reject"]
    reviews = [review(dataset, n, "ana", verdict) for n, verdict in enumerate(ana)]
    reviews += [review(dataset, n, "ben", verdict) for n, verdict in enumerate(ben)]
    (agreed,) = measure_agreement(dataset, reviews)
    assert agreed.cohen_kappa == pytest.approx(0.5)
    # Krippendorff's alpha by hand: 1 - (n-1)·(disagreeing pairs)/(pairs of unlike values) = 1 - 7·2/(2·5·3)
    assert agreed.krippendorff_alpha == pytest.approx(1 - 7 * 2 / 30)
    (agreed,) = measure_agreement(dataset, [*reviews, review(dataset, 0, "eva", "accept")])
    assert agreed.cohen_kappa is None
    assert agreed.krippendorff_alpha is not None
    (alone,) = measure_agreement(dataset, reviews[:4])
    assert (alone.cohen_kappa, alone.krippendorff_alpha, alone.questions) == (None, None, 0)


def test_the_ledger_only_grows(dataset: Dataset, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "made")
    first = add_reviews(workspace, [review(dataset, 0, "ana", "accept", minute=9)])
    before = first.read_bytes()
    add_reviews(workspace, [review(dataset, 0, "ana", "reject", minute=3)])
    assert first.read_bytes() == before
    reviews, bad = read_reviews(workspace)
    assert [found.verdict for found in reviews] == ["reject", "accept"]
    assert bad == []
    (workspace.ledger / "review-torn.jsonl").write_bytes(before[:40])
    reviews, bad = read_reviews(workspace)
    assert (len(reviews), [line.file for line in bad]) == (2, ["review-torn.jsonl"])


def test_the_journey_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset(tmp_path, make_record(0, answer="red"), make_record(1))
    import_dataset("ivbench", tmp_path / "test_data.jsonl", tmp_path / "data")
    at = ["--root", str(tmp_path / "data")]
    assert run(["review", "export", *at, "--only", "flagged"]) == 2
    run(["validate", *at])
    assert run(["review", "export", *at, "--only", "flagged", "--reviewer", "ana"]) == 0
    sheet = tmp_path / "data" / "ivbench" / "reports" / "review-1-ana.csv"
    (row,) = read_csv(sheet.read_bytes())
    assert row["question_id"] == f"{VIDEO}_0"
    assert "answer_among_distractors" in row["findings"]
    assert run(["review", "export", *at, "--reviewer", "ana"]) == 2  # it may hold an afternoon's work
    assert run(["review", "export", *at, "--reviewer", "../ana"]) == 2
    row["verdict"] = "reject"
    sheet.write_bytes(write_csv([row]))
    assert run(["review", "import", *at, str(sheet)]) == 0
    assert run(["review", "import", *at, str(tmp_path / "absent.csv")]) == 2
    capsys.readouterr()
    assert run(["review", "status", *at, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"accepted": 0, "rejected": 1, "disputed": 0, "unreviewed": 1}
    assert run(["review", "status", *at]) == 0
    assert run(["review", "export", *at, "--only", "unreviewed", "--out", str(tmp_path / "rest.csv")]) == 0
    assert [row["question_id"] for row in read_csv((tmp_path / "rest.csv").read_bytes())] == [f"{VIDEO}_1"]
