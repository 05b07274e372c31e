"""Metrics against hand-computed cases: pairs, counts, groups, judged descriptions; and what invariants hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from hypothesis import given
from hypothesis import strategies as st
from vlm2bench_release import make_records, write_release

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.llm_judge import JudgeReply, ask_judge, open_judge
from ivbench_data.evaluate.metrics import METRICS, find_metric
from ivbench_data.evaluate.metrics.units import JudgeReplies
from ivbench_data.evaluate.metrics.vlm2bench_metrics import read_count_like_benchmark, score_count
from ivbench_data.evaluate.models import DEFAULT_MODEL_OPTIONS
from ivbench_data.evaluate.prompts.requests import Reply, Request
from ivbench_data.evaluate.replies.parse import parse_true_false
from ivbench_data.evaluate.replies.parse_numbers import parse_number
from ivbench_data.evaluate.replies.reference_parsers import parse_before_bracket
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.evaluate.results import Results, ResultsHeader, RunConfiguration
from ivbench_data.evaluate.score_tables import make_paper_table
from ivbench_data.evaluate.scores import Scorecard, score_results
from ivbench_data.manifests import load_manifest, manifest_names
from ivbench_data.schema import EvaluationResult, Question
from ivbench_data.sources.vlm2bench import read
from ivbench_data.statistics import estimate_mean_of_strata, estimate_share
from ivbench_data.text.number_words import find_numbers


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four pairs, counts, groups and videos of each subtask."""
    return read(write_release(tmp_path_factory.mktemp("release"), make_records(4)))


def questions_of(dataset: Dataset, task: str) -> list[Question]:
    return [question for question in dataset.questions if question.task == task]


def make_results(dataset: Dataset, replies: dict[str, str | None]) -> Results:
    """Results of these replies, by question; None for one that failed."""
    rows = {}
    for question in dataset.questions:
        if question.question_id in replies:
            reply = replies[question.question_id]
            scored = score_reply(question, reply)
            row = EvaluationResult(
                question_id=question.question_id,
                status="failed" if reply is None else "ok",
                reply=reply,
                answer_index=scored.answer_index,
                value=scored.value,
                correct=scored.correct,
                error="out of memory" if reply is None else None,
                metadata={"rule": scored.rule},
            )
            rows[question.question_id, 0] = row
    configuration = RunConfiguration(
        dataset=dataset.name, model="m", pattern="video_first", profile="default", grid=None, prompt_version=1
    )
    header = ResultsHeader(configuration=configuration, started="2026-01-01T00:00:00Z")
    return Results(Path("results/x.jsonl"), (header,), rows)


def score_replies(dataset: Dataset, replies: dict[str, str | None], **more: Any) -> Scorecard:
    return score_results(dataset, make_results(dataset, replies), **more)


def answer_all(dataset: Dataset) -> dict[str, str | None]:
    """The right reply to every question, as the release spells it."""
    return {
        question.question_id: f"({'ABC'[question.answer_index or 0]})"
        if question.question_type == "mcq"
        else question.answer
        for question in dataset.questions
    }


# --- pairs --------------------------------------------------------------------------------------------------------


def test_a_pair_counts_when_both_halves_are_right(dataset: Dataset) -> None:
    first, second, third, fourth = range(4)
    replies: dict[str, str | None] = {
        f"oc_cpr_{first}_p": "F", f"oc_cpr_{first}_n": "True",  # both right
        f"oc_cpr_{second}_p": "F", f"oc_cpr_{second}_n": "F",  # one wrong
        f"oc_cpr_{third}_p": "F", f"oc_cpr_{third}_n": None,  # one failed, which is wrong
        f"oc_cpr_{fourth}_p": "F",  # the other not asked
    }  # fmt: skip
    one = score_replies(dataset, replies).tasks["OC Cpr"]
    assert one.accuracy is not None
    assert (one.accuracy.value, one.accuracy.n) == (pytest.approx(1 / 3), 3)
    assert (one.correct, one.evaluated, one.failed, one.missing, one.unscored) == (5, 7, 1, 1, 1)
    assert one.chance == pytest.approx(0.25)
    assert one.as_benchmark == pytest.approx(1 / 3)  # the reference passes over the incomplete one as well


def test_half_a_pair_in_the_release_cannot_be_scored_and_is_counted(tmp_path: Path) -> None:
    records = make_records(2)
    comparisons = records["oc/vanilla/oc_cpr"][:3]
    matches = records["gc/vanilla/gc_mat"][:3]
    alone = read(write_release(tmp_path, {"oc/vanilla/oc_cpr": comparisons, "gc/vanilla/gc_mat": matches}))
    card = score_replies(alone, answer_all(alone))
    oc, gc = card.tasks["OC Cpr"], card.tasks["GC Mat"]
    assert (oc.accuracy and oc.accuracy.n, oc.unscored, oc.evaluated) == (1, 1, 3)
    assert (gc.accuracy and gc.accuracy.n, gc.unscored, gc.evaluated) == (1, 1, 3)
    # the reference leaves half a pair out of its comparisons, and calls it wrong among its matches
    assert (oc.as_benchmark, gc.as_benchmark) == (1.0, 0.5)
    assert card.overall_with_missing_as_wrong == 1.0  # no file that could be fetched would complete it
    none = score_replies(alone, {})
    assert none.overall_with_missing_as_wrong == 0.0
    assert none.overall.accuracy is None


@pytest.mark.parametrize(
    ("positive", "negative", "ours", "theirs"),
    [
        ("T", "F", 1.0, 1.0),
        ("True", "False", 1.0, 0.0),  # to the letter
        ("T.", "F", 1.0, 0.0),
        (" T ", "F\n", 1.0, 1.0),
        ("<answer>T</answer>", "The answer is F.", 1.0, 0.0),
        ("T", "T", 0.0, 0.0),
        ("T or F", "F", 0.0, 0.0),
        ("", "F", 0.0, 0.0),
    ],
)
def test_the_benchmark_reads_matches_to_the_letter(
    dataset: Dataset, positive: str, negative: str, ours: float, theirs: float
) -> None:
    one = score_replies(dataset, {"gc_mat_0_p": positive, "gc_mat_0_n": negative}).tasks["GC Mat"]
    assert (one.accuracy and one.accuracy.value, one.as_benchmark) == (ours, theirs)


@pytest.mark.parametrize(
    ("reply", "ours", "theirs"),
    [
        ("F", 1.0, 1.0),
        ("The statement is false.", 0.0, 1.0),  # one word for it, anywhere
        ("False, since it would be true of others", 1.0, 0.0),  # two words
        ("don't know", 0.0, 0.0),
    ],
)
def test_the_benchmark_reads_comparisons_by_a_single_word(
    dataset: Dataset, reply: str, ours: float, theirs: float
) -> None:
    one = score_replies(dataset, {"oc_cpr_0_p": reply, "oc_cpr_0_n": "T"}).tasks["OC Cpr"]
    assert (one.accuracy and one.accuracy.value, one.as_benchmark) == (ours, theirs)


@pytest.mark.parametrize(
    ("reply", "index"), [("t", 0), ("True.", 0), ("**F**", 1), ("It is false", None), ("yes", None)]
)
def test_true_and_false_are_read_long_or_short(reply: str, index: int | None) -> None:
    assert parse_true_false(reply, ("T", "F")).index == index
    assert parse_true_false(reply, ("True", "False")).index == index
    assert parse_true_false(reply, ("F", "T")).index == (None if index is None else 1 - index)


# --- counts -------------------------------------------------------------------------------------------------------


def test_a_count_that_is_near_earns_a_part() -> None:
    # L = 4, right 2: the worst error is max(1, 2) = 2, w = 4/4 = 1
    assert score_count(2, 2, 4) == 1.0
    assert score_count(3, 2, 4) == pytest.approx(1 - 0.5**0.1)
    assert score_count(4, 2, 4) == 0.0
    # L = 8, right 4: the worst error is max(3, 4) = 4, w = 4/8
    assert score_count(5, 4, 8) == pytest.approx(1 - 0.5 * 0.25**0.1)
    assert score_count(8, 4, 8) == 0.5
    # L = 3, right 1: w = 4/3, and what would be below nothing is nothing
    assert score_count(2, 1, 3) == 0.0
    # L = 2: w = 2, so any error costs everything
    assert score_count(1, 2, 2) == 0.0


@pytest.mark.parametrize(("counted", "right", "images"), [(None, 2, 4), (0, 2, 4), (5, 2, 4), (0, 0, 4), (2, 0, 1)])
def test_no_count_and_one_out_of_range_earn_nothing(counted: float | None, right: float, images: int) -> None:
    assert score_count(counted, right, images) == 0.0


@given(st.integers(1, 12), st.integers(0, 12), st.integers(1, 12))
def test_a_count_earns_between_nothing_and_everything_and_never_more_by_being_farther(
    counted: int, right: int, images: int
) -> None:
    score = score_count(counted, right, images)
    assert 0 <= score <= 1
    assert (score == 1.0) == (counted == right and counted <= images)
    away = 1 if counted >= right else -1
    if 1 <= counted + away <= images and counted <= images:
        assert score_count(counted + away, right, images) <= score


def test_the_benchmark_averages_valid_counts_and_we_all_of_them(dataset: Dataset) -> None:
    # three images; right: 1, 2, 3, 1
    replies: dict[str, str | None] = {
        "oc_cnt_cnt_0": "One.", "oc_cnt_cnt_1": "There are 3 of them.", "oc_cnt_cnt_2": "7", "oc_cnt_cnt_3": "1 or 2",
    }  # fmt: skip
    one = score_replies(dataset, replies).tasks["OC Cnt"]
    near = 1 - 4 / 3 * (1 / 1) ** 0.1  # right 2 of 3: the worst error is 1
    assert near < 0
    assert one.accuracy is not None
    assert one.accuracy.value == pytest.approx((1 + 0 + 0 + 0) / 4)
    assert one.as_benchmark == pytest.approx((1 + 0) / 2)  # 7 and "1 or 2" leave its denominator
    assert (one.correct, one.parse_rate) == (1, 0.75)
    assert one.chance == pytest.approx(
        sum(sum(score_count(n, right, 3) for n in (1, 2, 3)) / 3 for right in (1, 2, 3, 1)) / 4
    )


def test_a_record_that_states_no_number_of_images_counts_what_it_shows(tmp_path: Path) -> None:
    records = make_records(1)["oc/vanilla/oc_cnt"]
    del records[0]["image_seq_len"]
    records[0]["gt_answer"] = 3
    bare = read(write_release(tmp_path, {"oc/vanilla/oc_cnt": records}))
    one = score_replies(bare, {"oc_cnt_cnt_0": "3"}).tasks["OC Cnt"]
    assert (one.accuracy and one.accuracy.value, one.as_benchmark) == (1.0, None)  # to the reference it has two images
    assert score_reply(bare.questions[0], "3").points == 1.0


@pytest.mark.parametrize(
    ("reply", "value", "theirs"),
    [
        ("3", 3, 3),
        ("Three.", 3, 3),
        ("**2**", 2, 2),
        ("twenty-one", 21, 21),
        ("one hundred and five", 105, 105),
        ("2 or 3", None, None),
        ("3-4", None, None),
        ("3 (three)", 3, None),  # one number said twice
        ("The answer is 2, of 4 images", None, None),
        ("There are 4 images. Answer: 2", 2, None),
        ("<think>1, 2, 3</think>3", 3, None),
        ("\\boxed{2} of 4", 2, None),
        ("the 2nd one", 1, None),
        ("3.0", 3, None),
        ("zero", 0, None),
        ("0", 0, 0),
        ("none", None, None),
        ("", None, None),
    ],
)
def test_numbers_are_read_in_digits_and_in_words(reply: str, value: float | None, theirs: int | None) -> None:
    assert parse_number(reply).value == value
    assert read_count_like_benchmark(reply) == theirs


WORDS = st.sampled_from(["one", "two", "three", "seven", "eleven", "twenty-two", "ninety", "a hundred", "zero"])


@given(st.integers(0, 999_999))
def test_every_number_is_read_from_its_digits(number: int) -> None:
    assert find_numbers(str(number)) == find_numbers(f"there are {number:,} of them") == {number}


@given(WORDS, WORDS)
def test_two_numbers_are_no_answer_unless_they_are_one(first: str, second: str) -> None:
    output = parse_number(f"{first} cups, {second} bags")
    assert (output.value is None) == (first != second)


def test_no_reply_names_no_number() -> None:
    assert parse_number(None).value is None


# --- groups -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "ours", "theirs"),
    [
        ("(B)", 1.0, 1.0),
        ("(B) None", 1.0, 1.0),
        ("B", 1.0, 0.0),  # the released answer has its bracket, and the reference compares it, too
        ("B) None", 1.0, 0.0),
        ("B: None", 1.0, 0.0),
        ("The answer is (B).", 1.0, 0.0),
        ("(B) and (C)", 0.0, 0.0),
        ("(A)", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_groups_are_read_by_our_parser_and_as_the_benchmark_reads_them(
    dataset: Dataset, reply: str, ours: float, theirs: float
) -> None:
    one = score_replies(dataset, {"oc_grp_grp_0": reply}).tasks["OC Grp"]
    assert (one.accuracy and one.accuracy.value, one.as_benchmark, one.chance) == (ours, theirs, pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("reply", "index"),
    [("(B)", 1), ("B) x", 1), ("B", 1), ("(A) or (B)", None), ("(D)", None), ("x (B)", None), (None, None)],
)
def test_the_benchmark_s_parser_takes_what_stands_before_the_first_bracket(
    reply: str | None, index: int | None
) -> None:
    assert parse_before_bracket(reply, ("1", "2", "3"), "q").index == index


def test_the_letter_is_the_one_among_the_options_as_they_stand(dataset: Dataset) -> None:
    """A hidden split orders options anew: the letter of the release is then another option's."""
    (question, *_) = questions_of(dataset, "OC Grp")
    moved = question.model_copy(update={"options": ("None", "1 and 2", "1, 2 and 3"), "answer_index": 0})
    alone = replace(dataset, questions=(moved,))
    one = score_replies(alone, {moved.question_id: "(A) None"}).tasks["OC Grp"]
    assert (one.accuracy and one.accuracy.value, one.as_benchmark) == (1.0, 1.0)


# --- descriptions and their judge ---------------------------------------------------------------------------------


class Judge:
    """A judge with given replies, which remembers what it was asked."""

    def __init__(self, said: Callable[[str], str | None]) -> None:
        self.said = said
        self.asked: list[str] = []

    def __call__(self, requests: Sequence[Request]) -> Iterator[Reply]:
        for request in reversed(requests):
            self.asked.append(request.text)
            text = self.said(request.text)
            yield Reply(request.key, text=text, error=None if text is not None else "the line is dead")


def judge_all(dataset: Dataset, results: Results, root: Path, judge: Judge, name: str = "j") -> list[JudgeReply]:
    return list(ask_judge(dataset, root, results, judge, name))


def describe(dataset: Dataset) -> dict[str, str | None]:
    return {question.question_id: f"story {question.question_id}" for question in questions_of(dataset, "PC VID")}


def test_descriptions_are_averaged_over_both_kinds_of_videos(dataset: Dataset) -> None:
    said = {
        "pc_vid_AB_0": "Score: 1",
        "pc_vid_AB_2": "score = 0",
        "pc_vid_ABA_1": "Score: 2",
        "pc_vid_ABA_3": "Score: **1**",
    }
    one = score_replies(dataset, describe(dataset), judge_replies=JudgeReplies("j", said)).tasks["PC VID"]
    assert one.accuracy is not None
    assert one.accuracy.value == pytest.approx(((1 + 0) / 2 + (2 + 1) / 2 / 2) / 2)
    assert (one.unscored, one.evaluated, one.chance) == (0, 4, None)
    # one of the AB videos without a judge_reply: the mean of the two kinds, not of the videos
    del said["pc_vid_AB_2"]
    one = score_replies(dataset, describe(dataset), judge_replies=JudgeReplies("j", said)).tasks["PC VID"]
    assert one.accuracy is not None
    assert (one.accuracy.value, one.unscored) == (pytest.approx((1 + 0.75) / 2), 1)


@pytest.mark.parametrize("said", ["", "yes", "Score:", "Score: 2", "Score: -1", "1"])
def test_a_judge_score_off_the_scale_is_none(dataset: Dataset, said: str) -> None:
    one = score_replies(dataset, describe(dataset), judge_replies=JudgeReplies("j", {"pc_vid_AB_0": said})).tasks[
        "PC VID"
    ]
    assert (one.accuracy, one.unscored) == (None, 4)


def test_without_a_judge_nothing_is_scored_and_that_is_said(dataset: Dataset) -> None:
    card = score_replies(dataset, {**answer_all(dataset), **describe(dataset)})
    video, overall = card.tasks["PC VID"], card.overall
    assert (video.accuracy, video.unscored, video.evaluated) == (None, 4, 4)
    assert (card.judge, card.tasks_in_mean) == (None, (8, 9))
    assert overall.accuracy is not None
    assert (overall.accuracy.value, overall.unscored) == (pytest.approx(1.0), 4)
    assert score_reply(questions_of(dataset, "PC VID")[0], "a story").points is None


def test_a_judge_is_asked_once_and_sees_the_description_alone(dataset: Dataset, tmp_path: Path) -> None:
    results = make_results(dataset, describe(dataset))
    judge = Judge(lambda prompt: "Score: 1")
    rows = judge_all(dataset, results, tmp_path, judge)
    assert {row.question_id for row in rows} == set(describe(dataset))
    assert all(f"story {row.question_id}" in text for row, text in zip(rows, judge.asked, strict=True))
    assert sum("the first person again" in text for text in judge.asked) == 2
    again = judge_all(dataset, results, tmp_path, judge)
    assert (len(judge.asked), {row.reply for row in again}) == (4, {"Score: 1"})
    judge_all(dataset, results, tmp_path, judge, name="another")
    assert len(judge.asked) == 8
    changed = make_results(dataset, {**describe(dataset), "pc_vid_AB_0": "another story"})
    judge_all(dataset, changed, tmp_path, judge)
    assert len(judge.asked) == 9


def test_what_a_judge_fails_to_say_is_asked_again(dataset: Dataset, tmp_path: Path) -> None:
    results = make_results(dataset, describe(dataset))
    broken = Judge(lambda prompt: None if "AB_0" in prompt else "Score: 0")
    rows = judge_all(dataset, results, tmp_path, broken)
    assert [row.question_id for row in rows if row.error] == ["pc_vid_AB_0"]
    whole = Judge(lambda prompt: "Score: 1")
    judge_all(dataset, results, tmp_path, whole)
    assert len(whole.asked) == 1


@pytest.mark.parametrize("name", ["gpt-4o", "baseline:random", "transformers:x", ""])
def test_a_judge_is_named_in_full_and_never_a_default(name: str) -> None:
    with pytest.raises(UsageError, match="openai:NAME or python:module:function"):
        open_judge(name, DEFAULT_MODEL_OPTIONS)


# --- all together -------------------------------------------------------------------------------------------------


def test_overall_is_the_mean_of_the_subtasks_however_many_questions_each_has(dataset: Dataset) -> None:
    replies = answer_all(dataset)
    replies |= {question.question_id: "(A)" for question in questions_of(dataset, "OC Grp")}
    said = {question.question_id: "Score: 1" for question in questions_of(dataset, "PC VID")}
    card = score_replies(dataset, {**replies, **describe(dataset)}, judge_replies=JudgeReplies("j", said))
    assert card.overall.accuracy is not None
    # all right, but for the groups of objects; and for the ABA half of the videos, which earns a half
    assert card.overall.accuracy.value == pytest.approx((7 + 0 + 0.75) / 9)
    assert card.groups["oc"].accuracy is not None
    assert card.groups["oc"].accuracy.value == pytest.approx(2 / 3)
    assert (card.judge, card.tasks_in_mean) == ("j", (9, 9))
    assert card.overall.as_benchmark == pytest.approx((7 + 0 + 0.75) / 9)


def test_the_table_shows_the_benchmark_s_figures_below_ours_and_the_papers_below_them(dataset: Dataset) -> None:
    card = score_replies(dataset, {"oc_grp_grp_0": "B", "oc_cnt_cnt_0": "1"})
    table = make_paper_table([card], load_manifest("vlm2bench"))
    assert table.columns[:6] == ("model", "questions", "Overall", "GC Mat", "GC Trk", "G-Avg")
    ours, theirs, *paper = table.to_records()
    assert ours["questions"] == theirs["questions"] == "2 of 3,060, 2 of 9 tasks"
    assert (ours["Overall"], ours["OC Grp"], ours["OC Cnt"]) == (100.0, 100.0, 100.0)
    assert theirs["model"] == "m · video_first, as the benchmark counts"
    assert (theirs["Overall"], theirs["OC Grp"], theirs["OC Cnt"]) == (50.0, 0.0, 100.0)
    assert paper[0]["model"] == "Chance-Level"
    assert len(paper) == 11


def test_every_manifest_names_metrics_that_are_there() -> None:
    for name in manifest_names():
        for task in load_manifest(name).tasks:
            assert task.metric is None or task.metric in METRICS


def test_a_task_without_a_metric_is_scored_over_options() -> None:
    question = Question(
        question_id="q", question="?", options=("a", "b"), answer="a", answer_index=0, task="Counting", source="ivbench"
    )
    assert find_metric(question) is find_metric(question.model_copy(update={"source": "mine"})) is METRICS["options"]


def test_a_number_without_a_metric_is_right_or_wrong() -> None:
    question = Question(
        question_id="q", question="?", question_type="numeric", answer="12", task="Counting", source="mine"
    )
    assert [score_reply(question, reply).correct for reply in ("12", "a dozen", "twelve", "13", None)] == [
        True, False, True, False, False,
    ]  # fmt: skip
    assert score_reply(question, "12.0").value == 12


# --- the mean of strata -------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=2, max_size=30))
def test_one_stratum_is_a_share(rows: list[tuple[float, int]]) -> None:
    hits, clusters = [hit for hit, _ in rows], [cluster for _, cluster in rows]
    assert estimate_mean_of_strata(hits, ["a"] * len(rows), {"a": 1.0}, clusters) == estimate_share(hits, clusters)


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from("abc"), st.integers(0, 9)), min_size=3, max_size=40))
def test_the_mean_of_strata_is_theirs_and_within_its_interval(rows: list[tuple[int, str, int]]) -> None:
    strata = [stratum for _, stratum, _ in rows]
    present = sorted(set(strata))
    weights = {stratum: 1 / len(present) for stratum in present}
    estimate = estimate_mean_of_strata([hit for hit, *_ in rows], strata, weights, [cluster for *_, cluster in rows])
    means = [sum(hit for hit, one, _ in rows if one == name) / strata.count(name) for name in present]
    assert estimate.value == pytest.approx(sum(means) / len(means))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.n == len(rows)


def test_a_stratum_without_a_weight_is_a_bad_call() -> None:
    with pytest.raises(UsageError, match="every stratum has a weight"):
        estimate_mean_of_strata([1, 0], ["a", "b"], {"a": 1.0}, [1, 2])


# --- the command line ---------------------------------------------------------------------------------------------


def test_score_asks_the_judge_that_is_named_and_nobody_else(
    run_cli: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_judge.py").write_text(
        "def judge(request):\n    return 'Score: 1'\n\ndef tell(request):\n    return 'A'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    release = write_release(tmp_path / "release", {"pc/vanilla/pc_vid": make_records(2)["pc/vanilla/pc_vid"]})
    at = ("--root", tmp_path / "root", "--dataset", "vlm2bench")
    assert run_cli("import", "vlm2bench", release, "--root", tmp_path / "root").code == 0
    asked = run_cli("evaluate", "--model", "python:my_judge:tell", "--pattern", "text_only", *at)
    assert asked.code == 0
    silent = json.loads(run_cli("score", *at, "--json").out)
    assert silent["scores"][0]["overall"]["accuracy"] is None
    assert silent["scores"][0]["overall"]["unscored"] == 2
    assert not list((tmp_path / "root" / "vlm2bench" / "ledger").glob("judge-*"))
    output = run_cli("score", *at, "--judge", "python:my_judge:judge")
    assert output.code == 0
    assert "judged by python:my_judge:judge" in output.err
    judged = json.loads(run_cli("score", *at, "--judge", "python:my_judge:judge", "--json").out)
    assert judged["scores"][0]["tasks"]["PC VID"]["accuracy"]["value"] == pytest.approx((1 + 0.5) / 2)
    assert run_cli("score", *at, "--judge-url", "http://localhost:1/v1").code == 2
    # an edited judge is another one: what it said before is not taken for its own
    (tmp_path / "my_judge.py").write_text("def judge(request):\n    return 'Score: 0'\n")
    edited = json.loads(run_cli("score", *at, "--judge", "python:my_judge:judge", "--json").out)
    assert edited["scores"][0]["tasks"]["PC VID"]["accuracy"]["value"] < (1 + 0.5) / 2
