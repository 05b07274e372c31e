"""Several samples of each question: asked and resumed, and what their mean, their majority vote and pass@k are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import loopback_openai
import numpy as np
import pytest
from evaluation_dataset import GRID, make_dataset, make_media
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.compare import compare_results
from ivbench_data.evaluate.conditions import gather_runs
from ivbench_data.evaluate.evaluation import evaluate_questions
from ivbench_data.evaluate.metrics.accuracy import OPTIONS
from ivbench_data.evaluate.metrics.units import ScoredRow
from ivbench_data.evaluate.metrics.vlm2bench_metrics import PAIRS
from ivbench_data.evaluate.prompts.asking import AskOptions
from ivbench_data.evaluate.prompts.requests import Reply, Request
from ivbench_data.evaluate.results import Results, ResultsHeader, RunConfiguration, read_results
from ivbench_data.evaluate.sample_figures import (
    combine_rounds,
    compute_pass_share,
    estimate_passes,
    find_winners,
    list_passes,
)
from ivbench_data.evaluate.sampled_rows import Samples, pair_with_samples
from ivbench_data.evaluate.scores import score, score_results
from ivbench_data.exports.submission import export_submission
from ivbench_data.schema import EvaluationResult, Question

COUNT = len(make_dataset().questions)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_media(tmp_path, make_dataset())
    return tmp_path


class Fickle:
    """Names option `sample % 3` as shown; stops after `stop_after` requests."""

    identity: dict[str, Any]

    def __init__(self, stop_after: int | None = None) -> None:
        self.asked: list[Request] = []
        self.stop_after = stop_after
        self.identity = {}

    def __call__(self, requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            if len(self.asked) == self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(request)
            yield Reply(request.key, text=request.letters[request.sample % 3])


def _run(root: Path, model: object, **options: Any) -> list[EvaluationResult]:
    asked = AskOptions(grid=GRID, **options)
    return list(evaluate_questions(make_dataset(), root, model=model, options=asked, model_name="m"))


def _read(root: Path) -> list[Results]:
    return [read_results(path) for path in sorted((root / "tiny" / "results").glob("*.jsonl"))]


def _make_results(
    answers: dict[str, Sequence[int | None]], samples: int, pattern: str = "video_first", model: str = "m"
) -> Results:
    """Results of the small dataset: by question id, the option that each sample names; None where it names none."""
    configuration = RunConfiguration(
        dataset="tiny", model=model, model_options={"samples": samples} if samples > 1 else {}, pattern=pattern,
        profile="default", grid="8x16", prompt_version=1,
    )  # fmt: skip
    rows = [
        EvaluationResult(question_id=name, sample=sample, reply="…", answer_index=index, metadata={"rule": "letter"})
        for name, given in answers.items()
        for sample, index in enumerate(given)
    ]
    header = ResultsHeader(configuration=configuration, started="")
    return Results(Path("made.jsonl"), (header,), {row.key: row for row in rows})


# --- asking -----------------------------------------------------------------------------------------------------


def test_each_question_is_asked_as_often_as_said_and_the_file_is_gone_on_with(root: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _run(root, Fickle(stop_after=5), samples=4)
    (partial,) = _read(root)
    assert [key[2:] for key in partial.rows] == [(), (1,), (2,), (3,), ()]
    rest = Fickle()
    rows = _run(root, rest, samples=4)
    assert len(rows) == 4 * COUNT
    assert len(rest.asked) == 4 * COUNT - 5
    again = Fickle()
    assert {row.key: row for row in _run(root, again, samples=4)} == {row.key: row for row in rows}
    assert again.asked == []
    assert len({request.key for request in rest.asked}) == len(rest.asked)
    assert {row.answer_index for row in rows if row.sample == 2} == {2}


def test_one_sample_has_the_file_and_the_bytes_that_it_always_had(root: Path) -> None:
    _run(root, Fickle())
    (path,) = (root / "tiny" / "results").glob("*.jsonl")
    header, *rows = map(json.loads, path.read_text().splitlines())
    assert header["configuration"]["model_options"] == {}
    assert all("sample" not in row for row in rows)
    several = Fickle()
    _run(root, several, samples=2)
    assert len(several.asked) == 2 * COUNT, "the mean of two is another figure, and so another file"
    assert sorted(results.samples for results in _read(root)) == [1, 2]


def test_a_server_gets_a_seed_a_sample(
    root: Path, run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with loopback_openai.serve() as server:
        model = ("--model", f"openai:{loopback_openai.MODEL}", "--base-url", server.base_url)
        where = ("--dataset", "tiny", "--root", root, "--grid", "8x16", "--temperature", "0.7")
        done = run_cli("evaluate", *model, *where, "--samples", "3", "--seed", "5", "--ids", "alpha_0,beta_4")
        assert done.code == 0, done.err
        assert sorted(seen.body["seed"] for seen in server.seen) == [5, 5, 6, 6, 7, 7]
        assert {seen.body["temperature"] for seen in server.seen} == {0.7}
        assert "mean@3" in done.out
        assert "Overall, pass@3" in done.out


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("openai:x", (), "--samples needs a --temperature above 0"),
        ("nowhere/at-all", (), "--samples needs a --temperature above 0"),
        ("baseline:text", (), "baseline:text draws nothing"),
        ("nowhere/at-all", ("--mode", "likelihood"), "--samples means nothing to --mode likelihood"),
    ],
)
def test_samples_that_would_all_be_the_same_are_refused(
    model: str, more: tuple[str, ...], message: str, root: Path, run_cli: Callable[..., Any]
) -> None:
    done = run_cli("evaluate", "--model", model, "--dataset", "tiny", "--root", root, "--samples", "2", *more)
    assert done.code == 2
    assert message in done.err


def test_guesses_of_the_random_baseline_differ_from_sample_to_sample(root: Path, run_cli: Callable[..., Any]) -> None:
    where = ("--dataset", "tiny", "--root", root, "--grid", "8x16", "--json")
    done = run_cli("evaluate", "--model", "baseline:random", *where, "--samples", "8")
    assert done.code == 0, done.err
    (results,) = _read(root)
    drawn = [[results.rows[("alpha_0", 0, at) if at else ("alpha_0", 0)].reply for at in range(8)]]
    assert len(set(drawn[0])) > 2
    (card,) = json.loads(done.out)["scores"]
    assert card["samples"] == 8
    assert list(card["overall"]["pass_at"]) == ["2", "4", "8"]


def test_a_model_reads_each_sample(root: Path, run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "sampled_models.py").write_text(
        "def vague(request):\n    return f'Hm, number {request.sample}'\n\n"
        "def read(request):\n    return 'B' if 'number 1' in request.text else 'NONE'\n"
    )
    monkeypatch.chdir(root)
    monkeypatch.syspath_prepend(str(root))
    where = ("--dataset", "tiny", "--root", root)
    assert (
        run_cli("evaluate", "--model", "python:sampled_models:vague", *where, "--grid", "8x16", "--samples", "3").code
        == 0
    )
    done = run_cli("score", *where, "--json", "--read-with", "python:sampled_models:read")
    (card,) = json.loads(done.out)["scores"]
    # the question's own text may hold "number 1", too: then all its samples are read
    assert card["readings"]["by_model"] == COUNT + 2
    assert card["readings"]["unread"] == 2 * COUNT - 2


# --- the figures, by hand ---------------------------------------------------------------------------------------


def test_mean_vote_and_passes_by_hand() -> None:
    answers: dict[str, Sequence[int | None]] = {
        "alpha_0": (0, 0, 1, 2),  # right is 0: mean 1/2, vote right, pass@2 = 1 - 1/6
        "alpha_1": (1, 1, 3, 3),  # right is 1: mean 1/2, a tie of two, pass@2 = 1 - 1/6
        "beta_3": (None, None, None, 3),  # right is 3: mean 1/4, vote right, pass@2 = 1 - 3/6
        "-gamma_5": (None, None, None, None),  # no vote is wrong
    }
    overall = score_results(make_dataset(), _make_results(answers, 4)).overall
    assert overall.accuracy is not None
    assert overall.accuracy.value == pytest.approx((1 / 2 + 1 / 2 + 1 / 4 + 0) / 4)
    assert (overall.evaluated, overall.correct, overall.parse_rate) == (4, 0, 9 / 16)
    assert overall.majority is not None
    assert overall.majority.accuracy.value == pytest.approx((1 + 1 / 2 + 1 + 0) / 4)
    assert overall.pass_at[2].accuracy.value == pytest.approx((5 / 6 + 5 / 6 + 1 / 2 + 0) / 4)
    assert overall.pass_at[4].accuracy.value == pytest.approx(3 / 4)
    assert overall.chance == overall.majority.chance == pytest.approx(0.1)
    assert overall.pass_at[4].chance == pytest.approx(1 - 0.9**4)
    for figure in (overall.accuracy, overall.majority.accuracy, overall.pass_at[2].accuracy):
        assert (figure.n, figure.clusters) == (4, 3)
        assert figure.low <= figure.value <= figure.high


def test_a_sample_that_is_not_there_counts_as_wrong_and_a_question_that_is_not_there_does_not() -> None:
    results = _make_results({"alpha_0": (0, 0), "beta_3": (3, 3, 3, 3)}, 4)
    card = score_results(make_dataset(), results)
    assert card.overall.accuracy is not None
    assert card.overall.accuracy.value == pytest.approx((1 / 2 + 1) / 2)
    assert (card.overall.evaluated, card.overall.failed, card.overall.missing) == (2, 1, COUNT - 2)
    assert (card.readings.by_rules, card.readings.failed) == (6, 2)
    assert card.overall.pass_at[2].accuracy.value == pytest.approx((1 - 1 / 6 + 1) / 2)


def test_one_sample_has_neither_vote_nor_passes() -> None:
    overall = score_results(make_dataset(), _make_results({"alpha_0": (0,)}, 1)).overall
    assert (overall.majority, overall.pass_at) == (None, {})


def test_a_comparison_takes_the_share_of_right_samples() -> None:
    first = _make_results({"alpha_0": (0, 0, 0, 1), "beta_3": (3, 3, 1, 1), "-gamma_5": (5, 5, 5, 5)}, 4, model="a")
    second = _make_results({"alpha_0": (0,), "beta_3": (1,), "-gamma_5": (5,)}, 1, model="b")
    overall = compare_results(make_dataset(), first, second).overall
    assert (overall.first, overall.second) == (pytest.approx(0.75), pytest.approx(2 / 3))
    assert overall.paired.difference.value == pytest.approx((-1 / 4 + 1 / 2 + 0) / 3)
    assert (overall.paired.mcnemar.only_first, overall.paired.mcnemar.only_second) == (1, 1)


def test_score_says_that_it_compares_shares(root: Path, run_cli: Callable[..., Any]) -> None:
    where = ("--dataset", "tiny", "--root", root)
    for samples in ("3", "1"):
        run_cli("evaluate", "--model", "baseline:random", *where, "--grid", "8x16", "--samples", samples)
    done = run_cli("score", *where, *(results.path for results in _read(root)))
    assert done.code == 0, done.err
    assert "Right more often in the first: " in done.err
    assert "The sign test" in done.err


def test_samples_are_runs_of_their_own_where_conditions_are_compared() -> None:
    runs = gather_runs(make_dataset(), [_make_results({"alpha_0": (0, 1), "beta_3": (1, 3)}, 2)])
    assert [dict(run.correct) for run in runs] == [
        {"alpha_0": True, "beta_3": False},
        {"alpha_0": False, "beta_3": True},
    ]
    assert len({run.seed for run in runs}) == 2


def test_right_in_all_rotations_is_the_share_of_samples_that_are() -> None:
    results = _make_results({"alpha_0": (0, 0, 0, 1)}, 4)
    turned = [row.model_copy(update={"rotation": 1, "answer_index": row.sample % 2}) for row in results.rows.values()]
    both = Results(results.path, results.headers, {**results.rows, **{row.key: row for row in turned}})
    card = score_results(make_dataset(), both)
    # right in rotation 0: samples 0, 1, 2; in rotation 1: samples 0, 2
    assert card.right_in_all is not None
    assert card.right_in_all.accuracy is not None
    assert card.right_in_all.accuracy.value == pytest.approx(2 / 4)
    assert card.mean_of_rotations == pytest.approx(5 / 8)
    assert card.rotations == 2


def test_a_submission_holds_the_first_sample(tmp_path: Path) -> None:
    results = _make_results({"alpha_0": (3, 0, 0, 0)}, 4)
    rows = {key: row.model_copy(update={"reply": f"Option {row.answer_index}"}) for key, row in results.rows.items()}
    out = tmp_path / "submission.jsonl"
    export_submission(make_dataset(), Results(results.path, results.headers, rows), out, hidden_only=False)
    assert json.loads(out.read_text()) == {"question_id": "alpha_0", "reply": "Option 3"}


def test_a_judge_reads_one_reply_and_says_so() -> None:
    with pytest.raises(UsageError, match="holds 4 replies a question, and a judge reads one"):
        pair_with_samples(make_dataset(), _make_results({"alpha_0": (0, 0)}, 4), judge_replies={"alpha_0": "yes"})


# --- the formulas -----------------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.data())
def test_pass_at_k_is_the_share_of_all_choices_of_k_that_hold_a_right_one(
    hits: list[bool], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(hits)))
    chosen = list(itertools.combinations(hits, k))
    assert compute_pass_share(len(hits), sum(hits), k) == pytest.approx(sum(map(any, chosen)) / len(chosen), abs=1e-12)


@given(st.integers(2, 1024))
def test_passes_are_powers_of_two_and_all_samples(samples: int) -> None:
    passes = list_passes(samples)
    assert passes[-1] == samples
    assert passes == sorted(set(passes))
    assert all(k & (k - 1) == 0 for k in passes[:-1])
    assert len(passes) == (samples - 1).bit_length()


def _make_question(name: str, count: int, group_id: str | None = None) -> Question:
    options = tuple(f"option {at}" for at in range(count))
    return Question(
        question_id=name, question="Which?", options=options, answer_index=0, answer=options[0], task="t", source="s",
        video_id=f"video of {name}", group_id=group_id,
    )  # fmt: skip


def _make_samples(question: Question, indices: Sequence[int | None], metric: Any = OPTIONS) -> Samples:
    return tuple(
        ScoredRow(question, EvaluationResult(question_id=question.question_id, sample=at, answer_index=index), metric)
        for at, index in enumerate(indices)
    )


@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=2, max_size=9))
def test_the_vote_is_a_draw_among_the_answers_that_most_name(indices: list[int | None]) -> None:
    question = _make_question("q", 4)
    samples = _make_samples(question, indices)
    figure = score("all", [samples]).majority
    named = [index for index in indices if index is not None]
    most = max(map(named.count, named), default=0)
    winners = {index for index in named if named.count(index) == most}
    expected = (0 in winners) / len(winners) if winners else 0.0
    assert figure is not None
    assert figure.accuracy.value == pytest.approx(expected)
    assert {item.row.answer_index for item in find_winners(samples) if item.row is not None} == (
        winners or {indices[0]}
    )


@pytest.mark.parametrize(("count", "samples"), [(2, 2), (2, 3), (3, 3), (4, 4), (5, 3)])
def test_chance_levels_are_what_all_guesses_give_on_average(count: int, samples: int) -> None:
    question = _make_question("q", count)
    every = [_make_samples(question, indices) for indices in itertools.product(range(count), repeat=samples)]
    one = score("all", [every[0]])
    assert one.majority is not None
    votes = [score("all", [guess]).majority for guess in every]
    assert np.mean([vote.accuracy.value for vote in votes if vote is not None]) == pytest.approx(one.majority.chance)
    for k, figure in one.pass_at.items():
        passed = [estimate_passes(combine_rounds([guess]), "questions")[k].accuracy.value for guess in every]
        assert np.mean(passed) == pytest.approx(figure.chance)


def test_chance_levels_of_pairs_are_those_of_pairs() -> None:
    halves = [_make_question("a", 2, "pair"), _make_question("b", 2, "pair")]
    guesses = list(itertools.product(range(2), repeat=3))
    made = [[_make_samples(half, guess, PAIRS) for guess in guesses] for half in halves]
    every = [list(pair) for pair in itertools.product(*made)]
    one = score("all", every[0])
    assert one.majority is not None
    assert one.majority.chance == 0.25
    scores = [score("all", pair) for pair in every]
    assert np.mean([card.accuracy.value for card in scores if card.accuracy]) == pytest.approx(0.25)
    assert np.mean([card.majority.accuracy.value for card in scores if card.majority]) == pytest.approx(0.25)
    assert one.pass_at[3].chance == pytest.approx(1 - 0.75**3)
    assert np.mean([card.pass_at[3].accuracy.value for card in scores]) == pytest.approx(1 - 0.75**3)


@pytest.mark.parametrize("runs", [80, pytest.param(1000, marks=pytest.mark.full)])
def test_intervals_hold_the_truth_as_often_as_they_say(runs: int) -> None:
    """Videos drawn again, with questions alike within them: the truths are the means over all videos."""
    binom = pytest.importorskip("scipy.stats").binom
    samples, videos = 4, 40
    # how often a model is right on a video's questions; each video has two, with two options
    rates = np.array([0.1, 0.35, 0.6, 0.85, 0.95])
    truths = {
        "mean": rates.mean(),
        "pass@2": (1 - (1 - rates) ** 2).mean(),
        "pass@4": (1 - (1 - rates) ** 4).mean(),
        "vote": (1 - binom.cdf(2, 4, rates) + binom.pmf(2, 4, rates) / 2).mean(),
    }
    questions = [
        _make_question(f"{video}_{at}", 2).model_copy(update={"video_id": str(video)})
        for video in range(videos)
        for at in range(2)
    ]
    answers = [[_make_samples(question, [index])[0] for index in (0, 1)] for question in questions]
    held = dict.fromkeys(truths, 0)
    for seed in range(runs):
        random = np.random.default_rng(seed)
        rate = np.repeat(random.choice(rates, videos), 2)
        wrong = random.random((len(questions), samples)) >= rate[:, None]
        sampled = [tuple(answers[at][int(is_wrong)] for is_wrong in row) for at, row in enumerate(wrong)]
        card = score("all", sampled)
        assert card.accuracy is not None
        assert card.majority is not None
        found = {"mean": card.accuracy, "vote": card.majority.accuracy}
        found |= {f"pass@{k}": figure.accuracy for k, figure in card.pass_at.items()}
        for name, truth in truths.items():
            held[name] += found[name].holds(float(truth))
    low, high = binom.ppf((1e-4, 1 - 1e-4), runs, 0.95)
    assert all(low <= count <= high for count in held.values()), held


def test_samples_make_the_interval_of_a_mean_narrower_than_one_reply_can() -> None:
    """Questions of one rate: only the draws differ, so that four times the replies halve the interval."""
    questions = [_make_question(str(at), 2) for at in range(400)]
    random = np.random.default_rng(1)
    widths = []
    for samples in (1, 4):
        wrong = random.random((400, samples)) >= 0.5
        rows = [
            _make_samples(question, row) for question, row in zip(questions, wrong.astype(int).tolist(), strict=True)
        ]
        figure = score("all", rows).accuracy
        assert figure is not None
        widths.append(figure.high - figure.low)
    assert 1.8 < widths[0] / widths[1] < 2.2


def test_a_dataset_of_another_name_is_refused() -> None:
    with pytest.raises(UsageError, match="of the dataset 'tiny'"):
        pair_with_samples(Dataset("other"), _make_results({}, 2))
