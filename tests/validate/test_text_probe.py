from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.cli import run
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.plotting import save_figure
from ivbench_data.schema import Question
from ivbench_data.sources import import_dataset
from ivbench_data.sources.demo import read as read_demo
from ivbench_data.sources.ivbench import read
from ivbench_data.strict_json import read_jsonl
from ivbench_data.validate.probe.features import CUES, describe_options, measure_option
from ivbench_data.validate.probe.holdout import deal_folds, replace_answers
from ivbench_data.validate.probe.option_table import RATE_NAMES, count_answers, tabulate_options
from ivbench_data.validate.probe.probe_report import HEURISTICS, ProbeOptions, ProbeReport
from ivbench_data.validate.probe.probe_tables import (
    describe_probe,
    find_leaks,
    list_certificate_rows,
    list_task_rows,
    plot_probe,
)
from ivbench_data.validate.probe.text_probe import run_probe

QUICK = ProbeOptions(folds=3, seeds=(0,), null_seeds=(0,), certification_seeds=(101,))
UNCERTIFIED = QUICK.model_copy(update={"certification_families": ()})
# trees are nine tenths of the time: what does not ask for them is tried on the other families
WITHOUT_TREES = QUICK.model_copy(update={"selection_families": ("logistic",), "certification_families": ("network",)})
Write = Callable[[random.Random, int, str], str]


def write_words(dice: random.Random, words: int, task: str) -> str:
    return " ".join("".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(words))


def make_dataset(
    planted: str | None = None, seed: int = 0, videos: int = 60, tasks: tuple[str, ...] = ("A", "B", "C")
) -> Dataset:
    """One question a task and video, six options of random words; in the planted task the answer is the longest."""
    dice = random.Random(seed)
    questions = []
    for video in range(videos):
        for task in tasks:
            sizes = [dice.randint(3, 6) for _ in range(6)]
            answer_index = dice.randrange(6)
            if task == planted:
                sizes[answer_index] = 8
            options = tuple(write_words(dice, size, task) for size in sizes)
            questions.append(make_question(f"v{video}_{task}", f"v{video}", options, answer_index, task))
    return Dataset("made", questions=tuple(questions))


def make_question(
    question_id: str, video_id: str, options: tuple[str, ...], answer_index: int, task: str = "A"
) -> Question:
    return Question(
        question_id=question_id,
        video_id=video_id,
        image_ids=(f"{question_id}.png",),
        question="What is it called?",
        options=options,
        answer_index=answer_index,
        answer=options[answer_index],
        task=task,
        source="made",
    )


@pytest.fixture(scope="module")
def planted() -> ProbeReport:
    return run_probe(make_dataset("B"), UNCERTIFIED)


@pytest.fixture(scope="module")
def certified() -> ProbeReport:
    return run_probe(make_dataset("B"), QUICK)


@pytest.fixture(scope="module")
def clean() -> ProbeReport:
    return run_probe(make_dataset(None, seed=1), UNCERTIFIED)


# --- what it finds ----------------------------------------------------------------------------------------------


@pytest.mark.full
def test_the_hard_subset_is_written_where_it_is_asked_for(
    demo_media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_dataset("demo", demo_media / "demo" / "raw", tmp_path)
    at = ["--root", str(tmp_path), "--dataset", "demo", "--fail-on", "never", "--check", "blank_option"]
    assert run(["validate", *at, "--subset", "hard"]) == 2
    assert run(["validate", *at, "--probe", "--subset", "hard", "--json"]) == 0
    capsys.readouterr()
    reports = tmp_path / "demo" / "reports"
    hard = json.loads((reports / "probe.json").read_text(encoding="utf-8"))["hard"]
    written, bad = read_jsonl(reports / "subset-hard.jsonl", Question, "question_id")
    assert not bad
    assert {question.question_id for question in written} == set(hard["question_ids"])


def test_a_planted_cue_is_found_and_named(planted: ProbeReport) -> None:
    rows = {row.task: row for row in planted.tasks}
    assert rows["B"].leaks
    assert rows["B"].accuracy.value > 0.9
    assert rows["B"].cues[0].cue == "length"
    assert rows["B"].cues[0].is_claimed
    assert not rows["A"].leaks
    assert not rows["C"].leaks
    assert not rows["A"].cues
    claimed = {(row.task, row.heuristic) for row in planted.heuristics if row.is_claimed}
    assert ("B", "longest") in claimed
    assert {task for task, _ in claimed} <= {"B", "Overall"}
    longest = next(row for row in planted.heuristics if (row.task, row.heuristic) == ("B", "longest"))
    assert longest.accuracy.value == 1


@pytest.mark.full
def test_a_cue_planted_in_the_demo_is_found_and_named_and_none_before(demo_media: Path) -> None:
    demo = read_demo(demo_media / "demo" / "raw")
    planted = []
    for question in demo.questions:
        if question.task == "Summary":
            answer = f"{question.answer} and nothing else that could be seen"
            options = tuple(answer if option == question.answer else option for option in question.options)
            question = question.model_copy(update={"options": options, "answer": answer})
        planted.append(question)
    options = QUICK.model_copy(update={"certification_families": ("network",)})
    before, after = (run_probe(Dataset("demo", questions=made), options) for made in (demo.questions, tuple(planted)))
    assert not any(row.leaks for row in before.tasks)
    assert before.overall.null_is_at_chance
    (leaking,) = (row for row in after.tasks if row.leaks)
    assert leaking.task == "Summary"
    assert "length" in leaking.named_cues
    assert leaking.heuristics[0] == "longest"
    assert len(list(find_leaks(after))) == 8


def test_each_planted_question_names_its_cue(planted: ProbeReport) -> None:
    of_task = [question for question in planted.questions if question.task == "B"]
    assert sum(question.cue == "length" for question in of_task) > 0.9 * len(of_task)
    assert all(question.heuristics[:1] == ("longest",) for question in of_task)
    assert all(
        question.cue is None and not question.heuristics for question in planted.questions if question.task != "B"
    )
    findings = list(find_leaks(planted))
    assert {finding.question_id for finding in findings} <= {question.question_id for question in of_task}
    assert len(findings) > 0.9 * len(of_task)
    assert all("how long it is" in finding.message for finding in findings if finding.evidence["cue"] == "length")


def test_nothing_is_claimed_without_cues(clean: ProbeReport) -> None:
    assert not any(row.leaks for row in clean.tasks)
    assert not any(row.is_claimed for row in clean.heuristics)
    assert not any(question.cue or question.heuristics for question in clean.questions)
    assert not list(find_leaks(clean))
    assert clean.overall.accuracy.holds(clean.overall.chance)


def test_the_null_is_at_chance_even_where_answers_leak(planted: ProbeReport) -> None:
    assert planted.overall.null_is_at_chance
    assert all(row.null_is_at_chance for row in planted.tasks)
    assert planted.overall.null_chance == pytest.approx(1 / 6)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 8))
def test_nothing_is_claimed_without_cues_on_other_sets(seed: int) -> None:
    report = run_probe(make_dataset(None, seed=seed), UNCERTIFIED)
    assert not any(row.leaks for row in report.tasks)
    assert not any(row.is_claimed for row in report.heuristics)


@pytest.mark.parametrize(
    ("cue", "heuristic", "write"),
    [
        ("surface", "odd one out in writing", lambda text, is_answer: text + ("." if is_answer else "")),
        (
            "frequency",
            "most frequent answer in its task",
            lambda text, is_answer: "zebra mango" if is_answer else text,
        ),
    ],
)
def test_other_planted_cues_are_named_too(cue: str, heuristic: str, write: Callable[[str, bool], str]) -> None:
    dice = random.Random(3)
    questions = []
    for video in range(80):
        texts = [write_words(dice, 2, "A") for _ in range(6)]
        answer_index = dice.randrange(6)
        options = [write(text, at == answer_index) for at, text in enumerate(texts)]
        if cue == "frequency":  # an option of every question, and the answer of half of them
            right = answer_index if video % 2 else (answer_index + 1) % 6
            questions.append(make_question(f"q{video}", f"v{video}", tuple(options), right))
        else:
            questions.append(make_question(f"q{video}", f"v{video}", tuple(options), answer_index))
    options = WITHOUT_TREES.model_copy(update={"null_seeds": (), "certification_families": ()})
    report = run_probe(Dataset("made", questions=tuple(questions)), options)
    assert report.overall.leaks
    assert report.overall.null is None
    assert cue in {row.cue for row in report.overall.cues if row.is_claimed}
    assert heuristic in {row.heuristic for row in report.heuristics if row.is_claimed}


@pytest.mark.full
def test_the_hard_subset_leaves_out_what_leaks_and_others_certify_it(certified: ProbeReport) -> None:
    hard = set(certified.hard.question_ids)
    leaking = {question.question_id for question in certified.questions if question.task == "B"}
    assert hard
    assert len(hard & leaking) < 0.1 * len(leaking)
    assert len(hard - leaking) > 0.5 * (len(certified.questions) - len(leaking))
    assert {one.family for one in certified.hard.certificates} == {"forest", "network"}
    assert {one.trained_on for one in certified.hard.certificates} == {"all", "subset"}
    assert certified.hard.by_selection is not None
    assert certified.hard.by_selection.family == "boosting + logistic"
    assert certified.hard.status in ("certified", "insufficient_n")
    assert {question.question_id for question in certified.questions if question.is_hard} == hard


# --- what it does not see ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [WITHOUT_TREES, pytest.param(QUICK, marks=pytest.mark.full)])
def test_stored_order_and_raw_records_change_nothing(options: ProbeOptions) -> None:
    dice = random.Random(9)
    dataset = make_dataset("B", videos=20, tasks=("A", "B"))
    options = options.model_copy(update={"null_seeds": (), "folds": 2})
    shuffled = []
    for question in dataset.questions:
        order = dice.sample(range(6), 6)
        moved = tuple(question.options[at] for at in order)
        changed = {"options": moved, "answer_index": order.index(question.answer_index or 0), "raw": {"leak": 1}}
        shuffled.append(question.model_copy(update=changed))
    dice.shuffle(shuffled)
    one, other = (run_probe(Dataset("made", questions=tuple(made)), options) for made in (dataset.questions, shuffled))
    assert one.tasks == other.tasks
    assert one.heuristics == other.heuristics
    assert one.hard == other.hard
    options_of = {question.question_id: question.options for question in dataset.questions}
    shuffled_options_of = {question.question_id: question.options for question in shuffled}
    verdicts = {question.question_id: question for question in other.questions}
    for question in one.questions:
        again = verdicts[question.question_id]
        assert again.probability == question.probability
        picked = options_of[question.question_id][question.picked_index]
        assert shuffled_options_of[question.question_id][again.picked_index] == picked


def test_videos_are_never_split_between_folds() -> None:
    table = tabulate_options(make_dataset(videos=23).questions)
    for learns in deal_folds(table, 5, seed=3):
        assert not set(table.cluster[learns]) & set(table.cluster[~learns])
        assert learns.any()
        assert not learns.all()


def test_answers_are_counted_in_what_is_learnt_from_and_never_in_ones_own_video() -> None:
    questions = [
        make_question("q0", "v0", ("yes", "no"), 0),
        make_question("q1", "v0", ("yes", "no"), 0),
        make_question("q2", "v1", ("yes", "no"), 1),
        make_question("q3", "v2", ("yes", "no"), 0),
    ]
    table = tabulate_options(questions)
    learns = np.asarray([True, True, True, False])
    rates = count_answers(table, table.correct, learns)
    column = rates[:, RATE_NAMES.index("frequency.answers")]

    def rate(answers: int, options: int) -> float:
        return math.log((answers + 2 * 0.5) / (options + 2) / 0.5)

    # rows: "no" before "yes" in each question; the difference within a question is what counts
    gaps = column[1::2] - column[0::2]
    assert gaps[0] == pytest.approx(rate(0, 1) - rate(1, 1))  # q0 sees q2 alone, not its sibling q1
    assert gaps[1] == pytest.approx(gaps[0])
    assert gaps[2] == pytest.approx(rate(2, 2) - rate(0, 2))  # q2 sees q0 and q1
    assert gaps[3] == pytest.approx(rate(2, 3) - rate(1, 3))  # q3 is held out: it sees all three, and not itself
    changed = table.correct.copy()
    changed[6:8] = ~changed[6:8]
    assert np.array_equal(count_answers(table, changed, learns), rates)


def test_every_copy_of_the_answer_counts_as_right() -> None:
    table = tabulate_options([make_question("q", "v", ("x", "y", "x", "z"), 0)])
    assert table.chance.tolist() == [0.5]
    drawn = [replace_answers(table, seed) for seed in range(40)]
    assert {int(correct.sum()) for correct in drawn} == {1, 2}


def test_questions_that_cannot_be_judged_are_counted() -> None:
    dataset = make_dataset(videos=12, tasks=("A",))
    hidden = make_question("h", "v0", ("x", "y"), 0).model_copy(
        update={"answer": None, "answer_index": None, "answers_hidden": True}
    )
    free = Question(question_id="f", question="?", question_type="open", answer="x", task="A", source="made")
    options = WITHOUT_TREES.model_copy(update={"null_seeds": (), "certification_families": ()})
    report = run_probe(Dataset("made", questions=(hidden, *dataset.questions, free)), options)
    assert report.skipped == 2
    assert [question.question_id for question in report.questions] == [q.question_id for q in dataset.questions]
    assert report.hard.status in ("uncertified", "empty")


# --- features ---------------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=30), min_size=2, max_size=10), st.text(max_size=40), st.randoms(use_true_random=False))
def test_features_are_finite_and_follow_their_options(texts: list[str], question: str, shuffler: random.Random) -> None:
    order = list(range(len(texts)))
    shuffler.shuffle(order)
    features = describe_options(question, texts)
    moved = describe_options(question, [texts[at] for at in order])
    for name, column in features.items():
        assert name.split(".")[0] in CUES
        assert np.isfinite(column).all()
        assert moved[name] == pytest.approx(column[order], abs=1e-9)


def test_ranks_of_equal_sums_tie_in_any_order() -> None:
    texts = ["", "", "", "", "", "¼", "¼", "00010¼", "00010¼"]
    for seed in range(50):
        order = random.Random(seed).sample(range(len(texts)), len(texts))
        moved = describe_options("", [texts[at] for at in order])["typicality.letters_rank"]
        assert moved.tolist() == describe_options("", texts)["typicality.letters_rank"][order].tolist()


@given(
    st.lists(
        st.from_regex(r"[0-9]{1,3}:[0-5][0-9](-[0-9]{1,3}:[0-5][0-9])?|[0-9]{1,400}s?", fullmatch=True), min_size=3
    )
)
def test_features_of_numbers_are_finite(texts: list[str]) -> None:
    assert all(np.isfinite(column).all() for column in describe_options("When?", texts).values())


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("05:52-05:55", (352, 355)),
        ("1:24:06", (5046,)),
        ("3s", (3,)),
        ("1min35s", (95,)),
        ("2 h 5 min", (7500,)),
        ("1,200", (1200,)),
        ("from 2:1 to 3:1", (2, 1, 3, 1)),
        ("27-29", (27, 29)),
        ("the 5th to perform", (5,)),
        ("none", ()),
        ("", ()),
    ],
)
def test_numbers_in_options_are_read_by_value(text: str, numbers: tuple[float, ...]) -> None:
    assert measure_option(text) == numbers


def test_a_number_s_place_among_the_others() -> None:
    features = describe_options("How many?", ["1", "2", "3", "4", "9"])
    assert features["value.lowest"].argmax() == 0
    assert features["value.highest"].argmax() == 4
    assert features["value.middle"].argmax() == 2
    features = describe_options("When?", ["0:10-0:20", "0:20-0:30", "0:30-0:40", "2:00-2:05"])
    assert features["value.touching"].tolist() == [1, 2, 1, 0]


def test_every_heuristic_names_a_feature() -> None:
    names = {*describe_options("?", ["a", "b"]), *RATE_NAMES}
    assert {column for column, _ in HEURISTICS.values()} <= names
    assert {name.split(".")[0] for name in names} == set(CUES)


# --- calls and pictures -----------------------------------------------------------------------------------------


def test_calls_that_cannot_be_meant() -> None:
    dataset = make_dataset(videos=12, tasks=("A",))
    with pytest.raises(UsageError, match="at least 2 videos"):
        run_probe(make_dataset(videos=1))
    with pytest.raises(UsageError, match="no probe family 'oracle'"):
        run_probe(dataset, ProbeOptions(selection_families=("oracle",)))
    with pytest.raises(UsageError, match="'forest' cannot both choose"):
        run_probe(dataset, ProbeOptions(selection_families=("forest",)))
    with pytest.raises(UsageError, match="seed 101 cannot both choose"):
        run_probe(dataset, ProbeOptions(seeds=(101,)))


@pytest.mark.full
def test_tables_and_words_call_the_figure_what_it_is(certified: ProbeReport) -> None:
    told = describe_probe(certified)
    assert "trained leakage bound, not a zero-shot score" in told
    assert "within that interval" in told
    rows = list_task_rows(certified)
    assert [row[0] for row in rows] == ["A", "B", "C", "Overall"]
    assert "length" in str(rows[1][8])
    assert rows[1][9] == "longest (100.0)"
    assert rows[0][7:] == ("not shown", "–", "–")
    assert [row[1] for row in list_certificate_rows(certified)] == ["chose it", *["certifies"] * 4]


@pytest.mark.parametrize("videos", [2, 3])
def test_few_videos_make_fewer_folds(videos: int) -> None:
    report = run_probe(make_dataset(videos=videos), WITHOUT_TREES.model_copy(update={"folds": 5}))
    assert report.options.folds == videos
    assert f"({videos} folds)" in describe_probe(report)
    assert not any(row.leaks for row in report.tasks)
    assert len(report.questions) == 3 * videos


def test_questions_that_teach_nothing_leave_all_options_equally_likely() -> None:
    dataset = make_dataset(videos=2, tasks=("A",))
    first, second = dataset.questions
    same = first.model_copy(update={"options": (str(first.answer),) * 6})
    report = run_probe(Dataset("made", questions=(same, second)), WITHOUT_TREES)
    assert report.questions[1].probability == pytest.approx(1 / 6)


@pytest.mark.parametrize("name", ["a task of many words " * 5, "x" * 100])
def test_long_names_leave_room_to_draw_in(planted: ProbeReport, tmp_path: Path, name: str) -> None:
    named = tuple(row.model_copy(update={"task": name + row.task}) for row in planted.tasks)
    save_figure(plot_probe(planted.model_copy(update={"tasks": named})), tmp_path / "plot.svg")  # warnings are errors


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_plot_takes_any_name_and_is_the_same_each_time(planted: ProbeReport, tmp_path: Path, suffix: str) -> None:
    named = [row.model_copy(update={"task": f"$x_{row.task}^$ <b>"}) for row in planted.tasks]
    report = planted.model_copy(update={"tasks": tuple(named)})
    for name in ("one", "two"):
        save_figure(plot_probe(report), tmp_path / (name + suffix))
    content = (tmp_path / f"one{suffix}").read_bytes()
    assert content[:4] in (b"\x89PNG", b"<?xm")
    assert len(content) > 5000
    assert content == (tmp_path / f"two{suffix}").read_bytes()


def test_progress_is_told() -> None:
    told: list[tuple[str, int]] = []
    options = UNCERTIFIED.model_copy(update={"null_seeds": ()})
    run_probe(make_dataset(videos=10, tasks=("A",)), options, on_step=lambda name, done: told.append((name, done)))
    assert told[0] == ("boosting, seed 0", 1)
    assert [done for _, done in told] == list(range(1, len(told) + 1))


# --- the real release -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def release(release_file: Path) -> Dataset:
    return read(release_file)


@pytest.mark.full
def test_features_of_the_real_release(release: Dataset) -> None:
    table = tabulate_options(release.questions)
    assert len(table.questions) == 1686
    assert np.isfinite(table.values).all()
    assert table.chance.mean() == pytest.approx(0.104, abs=0.001)


@pytest.mark.full
def test_the_probe_on_the_real_release(release: Dataset) -> None:
    began = time.process_time()
    report = run_probe(release)
    assert time.process_time() - began < 600  # 150 s where nothing else runs; this is for a probe that never ends
    assert report.overall.null_is_at_chance
    assert report.overall.leaks
    assert report.overall.accuracy.low > 0.2
    rows = {row.task: row for row in report.tasks}
    assert rows["Keyframe Extraction"].accuracy.low > 0.4
    assert report.hard.status == "certified"
    assert len(report.hard.question_ids) > 500
