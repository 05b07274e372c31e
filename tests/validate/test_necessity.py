from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Outcome
from demo_evaluation import GRID, QUESTIONS, find_results, make_root
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.cli import run
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.conditions import gather_runs
from ivbench_data.evaluate.results import Results, ResultsFile, RunConfiguration, read_results
from ivbench_data.schema import EvaluationResult, Question
from ivbench_data.sources import import_dataset
from ivbench_data.statistics import find_sample_size
from ivbench_data.validate.necessity import ABLATIONS, CONTROLS, AnswerRun, assess_necessity
from ivbench_data.validate.necessity_report import (
    COMPARISON_COLUMNS,
    TASK_COLUMNS,
    NecessityReport,
    QuestionNecessity,
    describe_necessity,
    list_comparison_rows,
    list_task_rows,
)


def make_dataset(sizes: Mapping[str, int]) -> Dataset:
    """Ten options a question, two questions of a task on each of its videos."""
    return Dataset(
        "made",
        questions=tuple(
            Question(
                question_id=f"{task}{at}",
                video_id=f"{task}_{at // 2}",
                image_ids=(f"{task}{at}.png",),
                question="?",
                options=tuple("abcdefghij"),
                answer_index=0,
                answer="a",
                task=task,
                source="made",
            )
            for task, size in sizes.items()
            for at in range(size)
        ),
    )


def answer(dataset: Dataset, accuracy: float, seed: int = 0, tasks: str = "") -> dict[str, bool]:
    dice = random.Random(seed)
    return {q.question_id: dice.random() < accuracy for q in dataset.questions if not tasks or q.task in tasks}


def make_runs(dataset: Dataset, accuracies: Mapping[str, float], model: str = "m", seed: int = 0) -> list[AnswerRun]:
    return [
        AnswerRun(condition, answer(dataset, accuracy, seed * 100 + at), model, seed)
        for at, (condition, accuracy) in enumerate(accuracies.items())
    ]


CLEAR = {"video_first": 0.7, "video_only": 0.2, "image_only": 0.15, "text_only": 0.08}


def verdicts(report: NecessityReport) -> dict[str, str]:
    return {row.task: row.status for row in report.tasks}


# --- the claim --------------------------------------------------------------------------------------------------


def test_the_claim_is_made_where_the_image_is_needed() -> None:
    report = assess_necessity(dataset := make_dataset({"A": 500}), make_runs(dataset, CLEAR))
    assert verdicts(report) == {"A": "needs_image", "Overall": "needs_image"}
    row = report.tasks[-1]
    assert row.text_only is not None
    assert row.text_only.high <= row.chance + 0.05
    assert row.questions_needed is None
    assert {comparison.condition for comparison in report.comparisons} == {"video_only", "image_only", "text_only"}
    assert all(comparison.p_value < 0.001 for comparison in report.comparisons)
    assert all(comparison.difference.low > 0.3 for comparison in report.comparisons)


@pytest.mark.parametrize("condition", ABLATIONS)
def test_one_ablation_as_good_as_the_full_condition_is_enough_to_make_no_claim(condition: str) -> None:
    accuracies = {**dict.fromkeys(ABLATIONS, 0.08), "video_first": 0.7, condition: 0.7}
    report = assess_necessity(dataset := make_dataset({"A": 500}), make_runs(dataset, accuracies))
    row = report.tasks[-1]
    assert row.status == "not_shown"
    assert condition in row.reason or "text-only upper bound" in row.reason


def test_text_above_chance_is_enough_to_make_no_claim() -> None:
    accuracies = {**CLEAR, "text_only": 0.25}
    report = assess_necessity(dataset := make_dataset({"A": 500}), make_runs(dataset, accuracies))
    assert verdicts(report)["A"] == "not_shown"
    assert "text-only upper bound" in report.tasks[0].reason


def test_a_small_task_is_told_how_many_would_do() -> None:
    dataset = make_dataset({"A": 500, "B": 16})
    runs = make_runs(dataset, CLEAR)
    report = assess_necessity(dataset, runs)
    rows = {row.task: row for row in report.tasks}
    assert rows["A"].status == "needs_image"
    assert rows["B"].status == "insufficient_n"
    needed = rows["B"].questions_needed
    assert needed is not None
    assert needed >= find_sample_size(0.1, 0.05)
    assert f"about {needed} would do" in rows["B"].reason


def test_as_many_as_it_asks_for_would_do_at_chance() -> None:
    needed = find_sample_size(0.1, 0.05, cluster_size=2.0)
    dataset = make_dataset({"A": needed + needed % 2})
    at_chance = {q.question_id: at % 10 == 0 for at, q in enumerate(dataset.questions)}
    runs = [run for run in make_runs(dataset, CLEAR) if run.condition != "text_only"]
    report = assess_necessity(dataset, [*runs, AnswerRun("text_only", at_chance, "m", 0)])
    assert verdicts(report)["A"] == "needs_image"


@pytest.mark.parametrize("absent", ["video_first", "video_only", "text_only"])
def test_without_a_deciding_condition_nothing_is_claimed(absent: str) -> None:
    dataset = make_dataset({"A": 100})
    report = assess_necessity(dataset, [run for run in make_runs(dataset, CLEAR) if run.condition != absent])
    assert report.tasks[-1].status == "missing_condition"
    if absent != "video_first":
        assert absent in report.tasks[-1].reason
        assert not any(question.label == "image_needed" for question in report.questions)


def test_the_strongest_text_only_model_decides() -> None:
    dataset = make_dataset({"A": 500})
    weak = make_runs(dataset, CLEAR, "weak")
    strong = make_runs(dataset, {**CLEAR, "text_only": 0.3}, "strong")
    report = assess_necessity(dataset, [*weak, *strong])
    assert report.models == ("strong", "weak")
    assert report.tasks[-1].status == "not_shown"
    assert report.tasks[-1].text_only is not None
    assert report.tasks[-1].text_only.value == pytest.approx(0.3, abs=0.05)


def test_chance_alone_makes_no_claims() -> None:
    claimed = 0
    for seed in range(20):
        dataset = make_dataset({"A": 120, "B": 120, "C": 120})
        runs = make_runs(dataset, dict.fromkeys(CLEAR, 0.1), seed=seed)
        claimed += sum(status == "needs_image" for status in verdicts(assess_necessity(dataset, runs)).values())
    assert claimed == 0


def test_controls_are_shown_and_decide_nothing() -> None:
    dataset = make_dataset({"A": 500})
    runs = make_runs(dataset, {**CLEAR, "single_frame": 0.7, "evidence_only": 0.9})
    report = assess_necessity(dataset, runs)
    assert report.tasks[-1].status == "needs_image"
    assert {"single_frame", "evidence_only"} <= {comparison.condition for comparison in report.comparisons}
    evidence_only = next(row for row in report.comparisons if row.condition == "evidence_only")
    assert evidence_only.difference.high < 0


def test_running_controls_besides_unmakes_no_claim() -> None:
    dataset = make_dataset(dict.fromkeys("ABCDEF", 40))
    alone = assess_necessity(dataset, make_runs(dataset, CLEAR))
    beside = assess_necessity(
        dataset, make_runs(dataset, {**CLEAR, **dict.fromkeys(CONTROLS, 0.7), "image_first": 0.7})
    )
    p_values = {(row.task, row.condition): row.p_value for row in beside.comparisons}
    assert all(p_values[row.task, row.condition] == row.p_value for row in alone.comparisons)
    assert verdicts(alone) == verdicts(beside)


def gather_on_videos(dataset: Dataset, count: int) -> Dataset:
    """The same questions, dealt to so many videos."""
    dealt = (q.model_copy(update={"video_id": f"v{at % count}"}) for at, q in enumerate(dataset.questions))
    return Dataset("made", questions=tuple(dealt))


def test_videos_too_few_for_any_test_are_told_how_many_would_do() -> None:
    many = make_dataset({"A": 800})
    clear = make_runs(many, {"video_first": 1.0, "video_only": 0.0, "text_only": 0.04})
    (row, _) = assess_necessity(gather_on_videos(many, 5), clear).tasks
    assert row.status == "insufficient_n"
    # two tasks (A, Overall) of two ablations: 4 · 2 · 2^-G < 0.05 from 8 videos on, with 160 questions each
    assert row.questions_needed == 8 * 160
    assert "5 videos are too few for any test, 8 would do" in row.reason
    assert verdicts(assess_necessity(gather_on_videos(many, 8), clear)) == {
        "A": "needs_image",
        "Overall": "needs_image",
    }
    worse = make_runs(many, {"video_first": 0.0, "video_only": 1.0, "text_only": 0.04})
    assert verdicts(assess_necessity(gather_on_videos(many, 5), worse))["A"] == "not_shown"


# --- pairing ----------------------------------------------------------------------------------------------------


def test_pairs_by_hand() -> None:
    dataset = make_dataset({"A": 8})
    full = dict(zip([q.question_id for q in dataset.questions], [1, 1, 1, 1, 1, 0, 0, 1], strict=True))
    other = dict(zip([q.question_id for q in dataset.questions], [1, 0, 0, 0, 0, 1, 0], strict=False))
    runs = [AnswerRun("video_first", {k: bool(v) for k, v in full.items()}),
            AnswerRun("video_only", {k: bool(v) for k, v in other.items()})]  # fmt: skip
    row = next(row for row in assess_necessity(dataset, runs).comparisons if row.task == "A")
    assert row.difference.n == 7  # the last was asked under the full condition alone
    assert (row.full, row.other) == (pytest.approx(5 / 7), pytest.approx(2 / 7))
    assert (row.mcnemar.only_first, row.mcnemar.only_second) == (4, 1)
    assert row.mcnemar.method == "exact"
    assert row.mcnemar.p_value == pytest.approx(2 * (1 + 5) / 2**5)
    # two rows of the same figures, A and Overall: Holm doubles the larger of the two p-values
    assert row.p_value == pytest.approx(min(1, 2 * max(row.mcnemar.p_value, row.clustered_p_value)))


def test_runs_are_paired_by_model_and_seed() -> None:
    dataset = make_dataset({"A": 40})
    runs = [
        AnswerRun("video_first", answer(dataset, 1.0), "m", 0),
        AnswerRun("video_first", answer(dataset, 0.0), "m", 1),
        AnswerRun("video_only", answer(dataset, 0.0), "m", 1),
    ]
    row = assess_necessity(dataset, runs).comparisons[0]
    assert row.full == 0  # seed 0 has no partner


# --- labels -----------------------------------------------------------------------------------------------------


def label_of(right: Mapping[str, list[bool]]) -> str:
    dataset = make_dataset({"A": 1})
    runs = [
        AnswerRun(condition, {"A0": hit}, f"m{at}") for condition, hits in right.items() for at, hit in enumerate(hits)
    ]
    (question,) = assess_necessity(dataset, runs).questions
    assert question.runs == {condition: len(hits) for condition, hits in right.items()}
    assert question.models == len(right["video_first"])
    return question.label


T, F = True, False


@pytest.mark.parametrize(
    ("right", "label"),
    [
        ({"video_first": [T], "video_only": [F], "text_only": [F]}, "image_needed"),
        ({"video_first": [T, T, F], "video_only": [F, T, F], "text_only": [F, F, T]}, "image_needed"),
        ({"video_first": [F], "video_only": [F], "text_only": [F]}, "image_not_shown_needed"),
        ({"video_first": [T, F], "video_only": [F, F], "text_only": [F, F]}, "image_not_shown_needed"),
        ({"video_first": [T], "video_only": [T], "text_only": [F]}, "answerable_without_image"),
        ({"video_first": [F], "video_only": [T], "text_only": [F]}, "answerable_without_image"),
        ({"video_first": [T], "video_only": [F], "text_only": [F], "image_swapped": [T]}, "answerable_without_image"),
        ({"video_first": [T], "video_only": [F], "text_only": [F], "image_only": [T]}, "image_not_shown_needed"),
        ({"video_first": [T], "video_only": [T], "text_only": [T]}, "answerable_from_text"),
        ({"video_first": [T], "video_only": [F]}, "image_not_shown_needed"),
        ({"video_first": [T], "text_only": [F]}, "image_not_shown_needed"),
    ],
)
def test_labels(right: dict[str, list[bool]], label: str) -> None:
    assert label_of(right) == label


@given(st.fixed_dictionaries({name: st.lists(st.booleans(), min_size=3, max_size=3) for name in CLEAR}))
def test_a_question_that_text_answers_never_needs_its_image(right: dict[str, list[bool]]) -> None:
    label = label_of(right)
    assert (label == "answerable_from_text") == (sum(right["text_only"]) >= 2)
    if label == "image_needed":
        assert sum(right["video_first"]) >= 2
        assert sum(right["video_only"]) < 2


def test_questions_without_an_image_and_unknown_ids_are_left_out() -> None:
    dataset = make_dataset({"A": 4})
    plain = dataset.questions[0].model_copy(update={"question_id": "plain", "image_ids": ()})
    dataset = Dataset("made", questions=(*dataset.questions, plain))
    runs = [AnswerRun(condition, {**answer(dataset, 1.0), "stranger": True}) for condition in CLEAR]
    report = assess_necessity(dataset, runs)
    assert {question.question_id for question in report.questions} == {"A0", "A1", "A2", "A3"}
    assert report.tasks[-1].questions == 4
    assert report.tasks[-1].labels == {"answerable_from_text": 4}


# --- from results files -----------------------------------------------------------------------------------------


def write_results(folder: Path, dataset: Dataset, pattern: str, right: bool, grid: str | None = "32x240") -> Results:
    configuration = RunConfiguration(
        dataset="made", model="m", pattern=pattern, profile="default", grid=grid, prompt_version=1
    )
    with ResultsFile(folder, configuration, {}) as file:
        for question in dataset.questions[:3]:
            index = question.answer_index if right else 1
            file.append(EvaluationResult(question_id=question.question_id, answer_index=index))
    return read_results(file.path)


def test_results_files_become_runs(tmp_path: Path) -> None:
    dataset = make_dataset({"A": 4})
    results = [
        write_results(tmp_path, dataset, "video_first", right=True),
        write_results(tmp_path, dataset, "video_only", right=False),
        write_results(tmp_path, dataset, "text_only", right=False, grid=None),
    ]
    report = assess_necessity(dataset, gather_runs(dataset, results))
    assert [question.label for question in report.questions] == ["image_needed"] * 3
    assert {row.condition: row.difference.value for row in report.comparisons} == {"video_only": 1.0, "text_only": 1.0}
    with pytest.raises(UsageError, match="is of the dataset 'made', not of 'another'"):
        gather_runs(replace(dataset, name="another"), results)
    other_grid = write_results(tmp_path, dataset, "video_first", right=True, grid="64x240")
    with pytest.raises(UsageError, match="32x240 and 64x240"):
        gather_runs(dataset, [*results, other_grid])


# --- calls and tables -------------------------------------------------------------------------------------------


def test_calls_that_cannot_be_meant() -> None:
    dataset = make_dataset({"A": 4})
    with pytest.raises(UsageError, match="needs answers"):
        assess_necessity(dataset, [])
    with pytest.raises(UsageError, match="no condition 'blindfold'"):
        assess_necessity(dataset, [AnswerRun("blindfold", {})])
    with pytest.raises(UsageError, match="given twice"):
        assess_necessity(dataset, [AnswerRun("text_only", {}), AnswerRun("text_only", {})])


def test_tables_have_a_cell_a_column() -> None:
    dataset = make_dataset({"A": 60, "B": 10})
    report = assess_necessity(dataset, make_runs(dataset, CLEAR))
    assert all(len(row) == len(TASK_COLUMNS) for row in list_task_rows(report))
    assert all(len(row) == len(COMPARISON_COLUMNS) for row in list_comparison_rows(report))
    assert [row[0] for row in list_task_rows(report)] == ["A", "B", "Overall"]
    assert len(list_comparison_rows(report)) == 3 * 3
    nothing = assess_necessity(dataset, [AnswerRun("text_only", {})])
    assert list_task_rows(nothing)[-1][2] == "missing_condition"
    assert "no full condition" in describe_necessity(nothing)


# --- the command ------------------------------------------------------------------------------------------------

LOOKING = '''
import hashlib, json, os
from pathlib import Path

FOLDER = Path(os.environ["DEMO_FOLDER"])
ANSWERS = {row["question_id"]: row for row in map(json.loads, (FOLDER / "questions.jsonl").read_text().splitlines())}


def tell(request):
    lines = [line.partition(". ") for line in request.text.splitlines()]
    return next(letter for letter, _, text in lines if text == ANSWERS[request.question_id]["answer"])


def with_the_image(request):
    """Right when video and its own image are shown, else silent."""
    own = {(FOLDER / "images" / name).read_bytes() for name in ANSWERS[request.question_id]["image_ids"]}
    sees = request.video is not None and {image.read_bytes() for image in request.images} == own
    return tell(request) if sees else "I cannot say."


def without_looking(request):
    """Right on half of the questions, whatever is shown."""
    knows = hashlib.sha256(request.question_id.encode()).digest()[0] % 2
    return tell(request) if knows else "I cannot say."
'''
CONDITIONS = ("video_first", "video_only", "text_only", "image_blank")


@pytest.fixture(scope="module")
def answered(demo_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, asked under some conditions of a model that needs the image and of one that does not look."""
    folder = tmp_path_factory.mktemp("answered")
    root = make_root(demo_media, folder / "data")
    (folder / "necessity_models.py").write_text(LOOKING)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("DEMO_FOLDER", str(root / "demo"))
        for model in ("with_the_image", "without_looking"):
            for pattern in CONDITIONS:
                asked = ["--model", f"python:necessity_models:{model}", "--pattern", pattern, "--grid", GRID.identity]
                assert run(["evaluate", *asked, "--dataset", "demo", "--root", str(root)]) == 0
    return root


def results_of(root: Path, model: str) -> list[str]:
    return [str(path) for path in find_results(root) if model in path.read_text().splitlines()[0]]


Run = Callable[..., Outcome]
VALIDATE = ("validate", "--check", "blank_option", "--fail-on", "never", "--dataset", "demo")


def test_a_model_that_needs_the_image_says_so(answered: Path, run_cli: Run) -> None:
    files = results_of(answered, "with_the_image")
    assert len(files) == len(CONDITIONS)
    told = run_cli(*VALIDATE, "--root", answered, "--necessity", *files, "--json")
    assert (told.code, told.err) == (0, "")
    document = json.loads(told.out)
    tasks = {row["task"]: row for row in document["necessity"]["tasks"]}
    # no answer by text is right, and still: 8 videos show nothing for sure in 14 rows of 3 ablations
    assert {row["status"] for row in tasks.values()} == {"insufficient_n"}
    assert tasks["Overall"]["labels"] == {"image_needed": QUESTIONS}
    assert tasks["Overall"]["questions_needed"] >= 11 * 13
    assert "8 videos are too few for any test, 11 would do" in tasks["Overall"]["reason"]
    lines = Path(document["necessity_file"]).read_text().splitlines()
    assert {QuestionNecessity.model_validate_json(line).label for line in lines} == {"image_needed"}
    assert len(lines) == QUESTIONS
    overall = [row for row in document["necessity"]["comparisons"] if row["task"] == "Overall"]
    assert [row["condition"] for row in overall] == ["video_only", "text_only", "image_blank"]
    assert {(row["mcnemar"]["only_first"], row["mcnemar"]["method"]) for row in overall} == {(QUESTIONS, "exact")}


def test_a_model_that_does_not_look_shows_no_need(answered: Path, run_cli: Run) -> None:
    files = results_of(answered, "without_looking")
    told = run_cli(*VALIDATE, "--root", answered, "--necessity", *files, "--report")
    assert told.code == 0
    assert "not_shown" in next(line for line in told.out.splitlines() if line.lstrip().startswith("Overall"))
    assert "video_first against every other condition" in told.out
    assert "is made for no single task" in told.err
    page = (answered / "demo" / "reports" / "validate.html").read_text(encoding="utf-8")
    assert "Which questions need their image" in page
    assert "The full condition against every other" in page
    labels = {
        json.loads(line)["label"] for line in (answered / "demo/reports/necessity.jsonl").read_text().splitlines()
    }
    assert labels == {"answerable_from_text", "image_not_shown_needed"}


def test_without_names_all_of_the_dataset_s_results_are_meant(answered: Path, run_cli: Run) -> None:
    document = json.loads(run_cli(*VALIDATE, "--root", answered, "--necessity", "--json").out)
    assert [name.rpartition(":")[2] for name in document["necessity"]["models"]] == [
        "with_the_image",
        "without_looking",
    ]
    assert {row["difference"]["n"] for row in document["necessity"]["comparisons"] if row["task"] == "Overall"} == {104}


def test_calls_of_the_command_that_cannot_be_meant(answered: Path, run_cli: Run, tmp_path: Path) -> None:
    named = run_cli(*VALIDATE, "--root", answered, "0000")
    assert (named.code, "only --necessity takes" in named.err) == (2, True)
    unknown = run_cli(*VALIDATE, "--root", answered, "--necessity", "no_such_file")
    assert (unknown.code, "names no results file" in unknown.err) == (2, True)
    import_dataset("demo", answered / "demo" / "raw", tmp_path)
    none = run_cli(*VALIDATE, "--root", tmp_path, "--necessity")
    assert (none.code, "evaluate --model" in none.err) == (2, True)
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(Path(find_results(answered)[0]).read_bytes() + b'{"question_id"')
    told = run_cli(*VALIDATE, "--root", answered, "--necessity", torn)
    assert (told.code, "left out: torn.jsonl:" in told.err) == (0, True)
