from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data import cli
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.results import ResultsFile, RunConfiguration
from ivbench_data.frames.cache import CacheOptions, cache_frames
from ivbench_data.frames.samplers import sample_indices
from ivbench_data.plotting import save_figure
from ivbench_data.schema import EvaluationResult, Evidence, FrameGrid, FrameSelection, Question, Video
from ivbench_data.validate.coverage.coverage_figure import compute_curve, plot_curve
from ivbench_data.validate.coverage.coverage_summary import compare_answers, summarise_coverage
from ivbench_data.validate.coverage.evidence_coverage import (
    CoverageOptions,
    EvidenceCoverage,
    cover_questions,
    cover_selections,
)

NOWHERE = Path("no-such-root")


def make_question(question_id: str, *evidence: Evidence, video_id: str = "v", task: str = "A") -> Question:
    return Question(
        question_id=question_id,
        video_id=video_id,
        question="?",
        options=("x", "y"),
        answer_index=0,
        answer="x",
        task=task,
        evidence=evidence,
        source="made",
    )


def point(seconds: float) -> Evidence:
    return Evidence(kind="point", start_seconds=seconds)


def stretch(start: float, end: float) -> Evidence:
    return Evidence(kind="range", start_seconds=start, end_seconds=end)


def judge(*evidence: Evidence, shown: tuple[float, ...], tolerance: float = 0.0) -> EvidenceCoverage:
    """The row of one question on a video of 100 s whose frames are shown at these whole seconds."""
    selection = FrameSelection(
        question_id="q", video_id="v", selector="chosen", frame_indices=tuple(round(time * 10) for time in shown)
    )
    dataset = Dataset("made", (Video(video_id="v", duration_seconds=100),), (), (make_question("q", *evidence),))
    options = CoverageOptions(tolerance_seconds=tolerance, assumed_rate=10)
    (row,) = cover_selections(dataset, NOWHERE, [selection], options)
    return row


# --- seen or not ------------------------------------------------------------------------------------------------


def test_a_range_is_closed_and_a_moment_is_its_second() -> None:
    assert judge(stretch(10, 20), shown=(0, 10, 90)).is_seen
    assert judge(stretch(10, 20), shown=(0, 20, 90)).is_seen
    assert judge(stretch(10, 20), shown=(0, 9.9, 20.1)).is_seen is False
    assert judge(point(52), shown=(52,)).is_seen
    assert judge(point(52), shown=(52.9,)).is_seen
    assert judge(point(52), shown=(51.9, 53)).is_seen is False
    assert judge(stretch(52, 52), shown=(52.5,)).is_seen  # a range of no length is a moment


def test_tolerance_widens_both_sides() -> None:
    assert judge(stretch(10, 20), shown=(8,), tolerance=2).is_seen
    assert judge(stretch(10, 20), shown=(22,), tolerance=2).is_seen
    assert judge(stretch(10, 20), shown=(7.9, 22.1), tolerance=2).is_seen is False


def test_recall_and_precision_by_hand() -> None:
    row = judge(stretch(10, 20), stretch(40, 50), point(70), shown=(5, 12, 15, 45, 90))
    assert row.recall == pytest.approx(2 / 3)
    assert row.precision == pytest.approx(3 / 5)
    assert row.is_seen
    assert row.nearest_seconds == 0


def test_overlapping_spans_count_a_frame_once() -> None:
    assert judge(stretch(10, 20), stretch(15, 25), shown=(16, 90)).precision == pytest.approx(1 / 2)


def test_the_nearest_frame_is_told() -> None:
    row = judge(stretch(10, 20), shown=(4, 28))
    assert row.nearest_seconds == pytest.approx(6)
    assert row.is_seen is False
    assert judge(stretch(10, 20), shown=(28,)).nearest_seconds == pytest.approx(8)


@given(
    st.lists(st.integers(0, 99), min_size=1, max_size=20),
    st.integers(0, 99),
    st.integers(0, 30),
    st.integers(0, 10),
)
def test_seen_is_what_looking_at_each_frame_says(shown: list[int], start: int, length: int, tolerance: int) -> None:
    row = judge(stretch(start, start + length), shown=tuple(sorted(shown)), tolerance=tolerance)
    end = start + length + tolerance
    inside = [start - tolerance <= time and (time <= end if length else time < end + 1) for time in shown]
    assert row.is_seen == any(inside)
    assert row.precision == pytest.approx(sum(inside) / len(shown))


def test_what_cannot_be_judged_is_counted_by_its_reason() -> None:
    questions = (
        make_question("reversed", stretch(20, 10)),
        make_question("whole", Evidence(kind="whole")),
        make_question("none"),
        make_question("late", point(500)),
        make_question("unknown", point(5), video_id="w"),
        make_question("fine", stretch(0, 10)),
        make_question("one of two", stretch(20, 10), stretch(0, 10)),
    )
    dataset = Dataset("made", (Video(video_id="v", duration_seconds=100),), (), questions)
    rows = {row.question_id: row for row in cover_questions(dataset, NOWHERE, [FrameGrid(nframes=8, res=240)])}
    reasons = {name: row.reason for name, row in rows.items()}
    assert reasons == {
        "reversed": "reversed_range",
        "whole": "whole_video",
        "none": "no_evidence",
        "late": "beyond_video_end",
        "unknown": "unknown_duration",
        "fine": None,
        "one of two": None,
    }
    assert all((row.is_seen is None) == (row.reason is not None) for row in rows.values())
    overall = summarise_coverage(rows.values())[-1]
    assert overall.seen is not None
    assert (overall.questions, overall.seen.n) == (7, 2)
    assert overall.excluded["reversed_range"] == 1


def test_an_assumption_is_used_only_where_nothing_is_known_and_is_told() -> None:
    questions = (make_question("known", point(5)), make_question("guessed", point(5), video_id="w"))
    dataset = Dataset("made", (Video(video_id="v", duration_seconds=100), Video(video_id="w")), (), questions)
    options = CoverageOptions(assume_duration_seconds=60)
    rows = {row.question_id: row for row in cover_questions(dataset, NOWHERE, [FrameGrid(nframes=8, res=240)], options)}
    assert rows["known"].time_source == "metadata"
    assert rows["guessed"].time_source == "assumed"


@pytest.mark.parametrize("identity", ["8x240", "32x240-midpoint", "16x240-fps1", "4x240-span10_20", "9x240-interior"])
def test_a_grid_shows_what_its_sampler_takes(identity: str) -> None:
    grid = FrameGrid.parse(identity)
    pts = range(3000)
    times = [index / 30 for index in sample_indices(grid, pts, Fraction(1, 30), Fraction(30), 100.0)]
    for second in range(0, 100, 3):
        dataset = Dataset(
            "made", (Video(video_id="v", duration_seconds=100),), (), (make_question("q", point(second)),)
        )
        (row,) = cover_questions(dataset, NOWHERE, [grid])
        assert row.is_seen == any(second <= time < second + 1 for time in times)


def test_more_frames_of_a_nested_grid_never_see_less() -> None:
    questions = tuple(make_question(f"q{second}", point(second)) for second in range(100))
    dataset = Dataset("made", (Video(video_id="v", duration_seconds=100),), (), questions)
    grids = [FrameGrid(nframes=count, res=240, sampler="left_edge") for count in (10, 20, 40, 80, 160)]
    shares = [row.seen.value for row in summarise_coverage(cover_questions(dataset, NOWHERE, grids))[1::2] if row.seen]
    assert len(shares) == 5
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.10)
    assert shares[-1] == 1


# --- from files and caches --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo_root(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as a dataset, with its own videos."""
    root = tmp_path_factory.mktemp("coverage")
    assert cli.run(["import", "demo", str(demo_media / "demo" / "raw"), "--root", str(root)]) == 0
    for folder in ("videos", "images"):
        if not (root / "demo" / folder).exists():
            (root / "demo" / folder).symlink_to(demo_media / "demo" / folder)
    return root


def test_caches_and_files_agree(demo_root: Path) -> None:
    from ivbench_data.dataset import load

    dataset = load(demo_root / "demo")
    grid = FrameGrid(nframes=8, res=64)
    from_files = list(cover_questions(dataset, demo_root, [grid]))
    assert {row.time_source for row in from_files if row.is_seen is not None} == {"file"}
    assert all(row.status == "done" for row in cache_frames(dataset, demo_root, [grid], CacheOptions(workers=0)))
    from_caches = list(cover_questions(dataset, demo_root, [grid]))
    assert {row.time_source for row in from_caches if row.is_seen is not None} == {"cache"}
    plain = [row.model_copy(update={"time_source": None}) for row in from_files]
    assert [row.model_copy(update={"time_source": None}) for row in from_caches] == plain


# --- selections and answers -------------------------------------------------------------------------------------


def test_selections_that_fit_nothing_are_refused() -> None:
    dataset = Dataset("made", (Video(video_id="v", duration_seconds=100),), (), (make_question("q", point(5)),))
    for question_id, video_id in (("other", "v"), ("q", "w")):
        selection = FrameSelection(question_id=question_id, video_id=video_id, selector="s", frame_indices=(1,))
        with pytest.raises(UsageError, match="fits no question"):
            list(cover_selections(dataset, NOWHERE, [selection]))
    with pytest.raises(UsageError, match="needs a grid"):
        list(cover_questions(dataset, NOWHERE, []))


def test_an_empty_selection_shows_nothing() -> None:
    assert judge(point(5), shown=()).reason == "no_frames"


def make_rows(seen: list[bool]) -> list[EvidenceCoverage]:
    return [
        EvidenceCoverage(
            question_id=f"q{at}", video_id=f"v{at // 2}", task="A", frames_of="8x240", is_seen=is_seen, recall=0
        )
        for at, is_seen in enumerate(seen)
    ]


def test_answers_on_seen_and_unseen_evidence() -> None:
    rows = make_rows([True] * 20 + [False] * 20)
    answers = {f"q{at}": at < 15 or at in (30, 35) for at in range(39)}  # q39 was not asked
    (compared,) = compare_answers(rows, answers, "run.jsonl")
    assert compared.seen is not None
    assert compared.unseen is not None
    assert compared.seen.value == pytest.approx(15 / 20)
    assert compared.unseen.value == pytest.approx(2 / 19)
    assert compared.difference == pytest.approx(15 / 20 - 2 / 19)
    assert compared.p_value is not None
    assert compared.p_value < 0.001
    assert compared.right_unseen == ("q30", "q35")


def test_equal_accuracy_is_no_difference() -> None:
    rows = make_rows([True, False] * 20)
    (compared,) = compare_answers(rows, {f"q{at}": at % 4 < 2 for at in range(40)})
    assert compared.difference == pytest.approx(0)
    assert compared.p_value == 1
    (compared,) = compare_answers(make_rows([True] * 4), {"q1": True})
    assert compared.unseen is None
    assert compared.p_value is None


# --- the verb ---------------------------------------------------------------------------------------------------


def run_json(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    assert cli.run(["coverage", *args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_verb_on_the_demo(demo_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ivbench_data.dataset import load

    at = ("--root", str(demo_root), "--dataset", "demo")
    document = run_json(capsys, "--grid", "16x64", "--grid", "2x64", *at)
    overall = {row["frames_of"]: row for row in document["summaries"] if row["task"] == "Overall"}
    assert overall["16x64"]["seen"]["value"] > overall["2x64"]["seen"]["value"]
    assert Path(document["figure"]).read_bytes().startswith(b"<?xml")

    questions = load(demo_root / "demo").questions
    selection = tmp_path / "selection.jsonl"
    selection.write_text(
        "".join(
            FrameSelection(
                question_id=q.question_id, video_id=q.video_id or "", selector="first", frame_indices=(0,)
            ).model_dump_json()
            + "\n"
            for q in questions
            if q.video_id
        )
    )
    configuration = RunConfiguration(
        dataset="demo", model="oracle", pattern="video_first", profile="default", grid="8x240", prompt_version=1
    )
    with ResultsFile(tmp_path, configuration, {}) as file:
        for q in questions:
            file.append(EvaluationResult(question_id=q.question_id, answer_index=q.answer_index, correct=True))
    document = run_json(capsys, "--selection", str(selection), "--answers", str(file.path), "--no-figure", *at)
    assert document["figure"] is None
    (compared,) = document["answers"]
    assert compared["frames_of"] == "first"
    assert len(compared["right_unseen"]) == sum(row["is_seen"] is False for row in document["questions"]) > 0


def test_the_verb_says_what_it_rests_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = (make_question("q", point(5)), make_question("r", stretch(9, 3)), make_question("s", point(700)))
    Dataset("made", (Video(video_id="v"),), (), questions).save(tmp_path)
    at = ["--root", str(tmp_path), "--dataset", "made", "--no-figure"]
    assert cli.run(["coverage", *at]) == 0
    assert "--assume-duration" in capsys.readouterr().err
    assert cli.run(["coverage", *at, "--assume-duration", "600"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "ASSUMED length of 600 s" in told
    assert "ends before it starts" in told
    assert "begins after the video ends" in told


def test_bad_lines_are_named_and_the_rest_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = Dataset("made", (Video(video_id="v", duration_seconds=9),), (), (make_question("q", point(5)),))
    dataset.save(tmp_path)
    chosen = tmp_path / "chosen.jsonl"
    good = FrameSelection(question_id="q", video_id="v", selector="s", frame_indices=(150,)).model_dump_json()
    chosen.write_text(good + '\n{"question_id": "q", "vid\n{"question_id": 3}\n')
    at = ["--root", str(tmp_path), "--dataset", "made", "--no-figure", "--selection", str(chosen)]
    assert cli.run(["coverage", *at]) == 1
    told = capsys.readouterr()
    assert "chosen.jsonl:2" in told.err
    assert "chosen.jsonl:3" in told.err
    assert "100.0" in told.out
    assert cli.run(["coverage", *at, "--grid", "lots"]) == 2


def test_the_curve_has_a_point_for_each_sampler_and_count(tmp_path: Path) -> None:
    questions = tuple(make_question(f"q{second}", point(second)) for second in range(0, 100, 7))
    dataset = Dataset("$made$", (Video(video_id="v", duration_seconds=100),), (), questions)
    points = list(compute_curve(dataset, NOWHERE, frame_counts=(4, 16, 128)))
    assert len(points) == 7 * 3
    assert {row.seen.value for row in points if row.nframes == 128} == {1.0}
    save_figure(plot_curve(points, dataset.name), tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
