from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data import significance
from ivbench_data import statistics as stat
from ivbench_data.errors import UsageError
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import Question
from ivbench_data.validate import agreement

hits_in_clusters = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=60)


def test_clustered_mean_by_hand() -> None:
    # clusters a: 1, 1; b: 0, 0; c: 1, 0. mean 1/2; residual sums 1, -1, 0; v = 3/2 * 2 / 36 = 1/12
    estimate = stat.estimate_mean([1, 1, 0, 0, 1, 0], list("aabbcc"), bounds=(-9, 9))
    assert estimate.value == pytest.approx(0.5)
    half = 4.302652729911275 * math.sqrt(1 / 12)  # t of 2 degrees of freedom, 97.5%
    assert (estimate.low, estimate.high) == pytest.approx((0.5 - half, 0.5 + half))
    assert (estimate.n, estimate.clusters) == (6, 3)
    # independent: sum of squared residuals 1.5 / 36
    assert estimate.design_effect == pytest.approx((1 / 12) / (1.5 / 36))


def test_clustered_mean_equals_statsmodels_cluster_robust_regression() -> None:
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(5)
    clusters = rng.integers(0, 12, 90)
    values = rng.random(90) + 0.1 * clusters
    fit = sm.OLS(values, np.ones(90)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False, "df_correction": True}, use_t=True
    )
    se = fit.bse[0] * math.sqrt(12 / 11)
    estimate = stat.estimate_mean(values.tolist(), clusters.tolist(), bounds=(-99, 99))
    assert estimate.value == pytest.approx(fit.params[0])
    assert estimate.high - estimate.value == pytest.approx(2.200985160082949 * se)  # t of 11 degrees of freedom


def test_ratio_is_the_ratio_of_sums_not_the_mean_of_ratios() -> None:
    estimate = stat.estimate_ratio([1, 30], [10, 40], ["a", "b"])
    assert estimate.value == pytest.approx(31 / 50)


def test_one_question_a_cluster_equals_wilson_with_t() -> None:
    hits = [1] * 30 + [0] * 70
    estimate = stat.estimate_share(hits, range(100))
    # CR1 gives v = 100/99 * p(1-p)/100, so the effective size is 99
    plain = stat.estimate_unclustered_share(30, 100)
    assert estimate.low == pytest.approx(plain.low, abs=0.003)
    assert estimate.high == pytest.approx(plain.high, abs=0.003)
    assert estimate.design_effect == pytest.approx(100 / 99)


def test_unclustered_shares_by_known_values() -> None:
    wilson = stat.estimate_unclustered_share(8, 10)
    assert (wilson.low, wilson.high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    exact = stat.estimate_unclustered_share(8, 10, "clopper_pearson")
    assert (exact.low, exact.high) == pytest.approx((0.4439045, 0.9747893), abs=1e-6)
    assert stat.estimate_unclustered_share(0, 20, "clopper_pearson").high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_copies_of_a_question_in_its_cluster_add_no_certainty() -> None:
    hits, clusters = [1, 0, 0, 1, 0, 0, 1, 0], list(range(8))
    once = stat.estimate_share(hits, clusters)
    five_times = stat.estimate_share(hits * 5, clusters * 5)
    assert (five_times.low, five_times.high) == pytest.approx((once.low, once.high))
    assert five_times.design_effect == pytest.approx(5 * once.design_effect)


@given(hits_in_clusters)
def test_a_share_lies_within_its_interval_and_that_within_0_and_1(rows: list[tuple[bool, int]]) -> None:
    estimate = stat.estimate_share([hit for hit, _ in rows], [cluster for _, cluster in rows])
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high
    assert estimate.holds(estimate.value)


@given(hits_in_clusters, st.randoms(use_true_random=False))
def test_order_and_names_of_clusters_do_not_matter(rows: list[tuple[bool, int]], shuffler: random.Random) -> None:
    shuffled = [*rows]
    shuffler.shuffle(shuffled)
    one = stat.estimate_share([hit for hit, _ in rows], [cluster for _, cluster in rows])
    other = stat.estimate_share([hit for hit, _ in shuffled], [f"video {cluster}" for _, cluster in shuffled])
    assert one.model_dump() == pytest.approx(other.model_dump())


@given(hits_in_clusters)
def test_right_and_wrong_mirror_each_other(rows: list[tuple[bool, int]]) -> None:
    clusters = [cluster for _, cluster in rows]
    right = stat.estimate_share([hit for hit, _ in rows], clusters)
    wrong = stat.estimate_share([not hit for hit, _ in rows], clusters)
    assert (right.low, right.high) == pytest.approx((1 - wrong.high, 1 - wrong.low))


def test_one_cluster_says_nothing() -> None:
    estimate = stat.estimate_share([1, 1, 0], ["a"] * 3)
    assert (estimate.low, estimate.high) == (0, 1)
    estimate = stat.estimate_mean([1, -1], ["a"] * 2, (-1, 1))
    assert (estimate.low, estimate.high) == (-1, 1)


def test_no_hits_at_all_still_leave_room() -> None:
    estimate = stat.estimate_share([0] * 40, [at // 4 for at in range(40)])
    assert estimate.low == 0
    assert 0.2 < estimate.high < 0.4  # ten videos, not forty questions: 0.28 by Wilson with z


@pytest.mark.parametrize(
    # the first is extreme: videos that are nearly all right or all wrong, and three of thirty right
    ("share", "spread", "coverage"),
    [(0.1, 0.5, 0.87), (0.1, 8.0, 0.925), (0.5, 1.0, 0.925)],
)
def test_intervals_cover_what_they_claim(share: float, spread: float, coverage: float) -> None:
    # 30 videos of 1-6 questions whose difficulty varies by video (beta-binomial)
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(300):
        sizes = rng.integers(1, 7, 30)
        clusters = np.repeat(np.arange(30), sizes)
        chance = rng.beta(share * spread, (1 - share) * spread, 30)[clusters]
        hits = rng.random(len(clusters)) < chance
        covered += stat.estimate_share(hits.astype(float).tolist(), clusters.tolist()).holds(share)
    assert covered / 300 > coverage


def test_a_sample_of_that_size_keeps_the_bound_as_often_as_asked() -> None:
    size = stat.find_sample_size(0.1, 0.05)
    rng = np.random.default_rng(2)

    def kept(n: int) -> float:
        bounds = [stat.estimate_share((rng.random(n) < 0.1).astype(float).tolist(), range(n)).high for _ in range(400)]
        return float(np.mean(np.asarray(bounds) <= 0.15))

    assert 0.74 < kept(size) < 0.88
    assert kept(size // 2) < 0.65


def test_sample_size_grows_with_what_makes_it_harder() -> None:
    size = stat.find_sample_size(0.1, 0.05)
    assert stat.find_sample_size(0.1, 0.05, power=0.5) < size < stat.find_sample_size(0.1, 0.05, power=0.95)
    assert stat.find_sample_size(0.1, 0.05, design_effect=2.0) == pytest.approx(2 * size, rel=0.02)
    assert stat.find_sample_size(0.1, 0.05, cluster_size=8.0) > size
    assert stat.find_sample_size(0.1, 0.02) > 4 * size
    with pytest.raises(UsageError):
        stat.find_sample_size(0.98, 0.05)


def test_mcnemar_by_hand() -> None:
    assert significance.compute_mcnemar(1, 9).p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert significance.compute_mcnemar(1, 9, "mid_p").p_value == pytest.approx(2 * (1 + 10) / 2**10 - 10 / 2**10)
    assert significance.compute_mcnemar(5, 5).p_value == 1
    assert significance.compute_mcnemar(0, 0).p_value == 1
    chi_square = significance.compute_mcnemar(600, 500)
    assert chi_square.method == "chi_square"
    assert chi_square.p_value == pytest.approx(significance.compute_mcnemar(600, 500, "exact").p_value, rel=0.05)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_symmetric_and_mid_p_is_the_less_timid(one: int, other: int) -> None:
    exact = significance.compute_mcnemar(one, other)
    assert exact.p_value == pytest.approx(significance.compute_mcnemar(other, one).p_value)
    assert 0 <= significance.compute_mcnemar(one, other, "mid_p").p_value <= exact.p_value + 1e-12


def test_paired_comparison_by_hand() -> None:
    first = [True] * 6 + [False] * 4
    second = [True] * 3 + [False] * 6 + [True]
    comparison = significance.compare_pairs(first, second, range(10))
    assert (comparison.mcnemar.only_first, comparison.mcnemar.only_second) == (3, 1)
    assert comparison.difference.value == pytest.approx(0.2)
    se = math.sqrt(10 / 9 * (10 * 0.36) / 100)  # three of +1, one of -1: sum of squares 4 - 10 * 0.04
    assert comparison.difference.high == pytest.approx(0.2 + 2.2621571627409915 * se)
    assert 0.2 < comparison.clustered_p_value < 0.5


def test_equal_answers_are_no_proof_of_equality() -> None:
    comparison = significance.compare_pairs([True, False] * 3, [True, False] * 3, range(6))
    assert comparison.mcnemar.p_value == comparison.clustered_p_value == 1
    assert comparison.difference.low < -0.3
    assert comparison.difference.high > 0.3


def test_clustered_p_value_by_hand() -> None:
    # four videos, one question each: mean 0.25, variance 4/3 * (3 * 0.0625 + 0.5625) / 16, t = 1 with 3 degrees
    assert significance.compute_clustered_p_value([0, 0, 0, 1], "abcd") == pytest.approx(0.3910022189557707)
    assert significance.compute_clustered_p_value([0, 0, 0, 1], "abcd", "greater") == pytest.approx(
        0.3910022189557707 / 2
    )
    assert significance.compute_clustered_p_value([0, 0, 0, -1], "abcd", "greater") == pytest.approx(
        1 - 0.3910022189557707 / 2
    )
    assert significance.compute_clustered_p_value([1, 1, 1], "abc") == pytest.approx(0.25)
    # three right of three at a chance level of 0.1, and the same with levels that differ a little: never below 0.1 ** 3
    assert significance.compute_clustered_p_value([0.9] * 3, "abc", "greater", lowest=-0.1) == pytest.approx(0.001)
    nearly = significance.compute_clustered_p_value([0.9, 0.9, 0.89], "abc", "greater", lowest=-0.1)
    assert nearly == pytest.approx(0.001, rel=0.05)
    assert significance.compute_clustered_p_value([1, 1, 1], "aaa") == 1


def test_questions_cluster_by_video_else_group_else_image() -> None:
    base = {"question_id": "q", "question": "?", "question_type": "open", "answer": "x", "task": "t", "source": "s"}
    assert cluster_of(Question(**base, video_id="v", group_id="g")) == "video v"
    assert cluster_of(Question(**base, image_ids=("i",), group_id="g")) == "group g"
    assert cluster_of(Question(**base, image_ids=("i", "j"))) == "image i"
    assert cluster_of(Question(**base)) == "question q"


def test_holm_by_hand() -> None:
    assert significance.adjust_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert significance.adjust_holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value_keeps_their_order_and_is_never_above_bonferroni(p_values: list[float]) -> None:
    adjusted = significance.adjust_holm(p_values)
    for before, after in zip(p_values, adjusted, strict=True):
        assert before <= after + 1e-12
        assert after <= min(1, before * len(p_values)) + 1e-12
    pairs = sorted(zip(p_values, adjusted, strict=True))
    assert all(one[1] <= two[1] + 1e-12 for one, two in pairwise(pairs))


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_equals_statsmodels(one: int, other: int) -> None:
    reference = pytest.importorskip("statsmodels.stats.contingency_tables").mcnemar
    for method, exact in (("exact", True), ("chi_square", False)) if one + other else ():
        expected = float(reference([[0, one], [other, 0]], exact=exact).pvalue)
        assert significance.compute_mcnemar(one, other, method).p_value == pytest.approx(expected, rel=1e-9)


def test_holm_equals_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = np.random.default_rng(4).random(50) ** 3
    expected = multitest.multipletests(p_values, method="holm")[1]
    assert significance.adjust_holm(p_values.tolist()) == pytest.approx(expected)


def test_cohen_kappa_by_hand() -> None:
    # observed agreement 3/4; by chance 1/2 * 1/4 + 1/2 * 3/4 = 1/2
    first = {"1": "yes", "2": "yes", "3": "no", "4": "no", "5": "yes"}
    second = {"1": "yes", "2": "no", "3": "no", "4": "no", "9": "no"}
    assert agreement.compute_cohen_kappa(first, second) == pytest.approx(0.5)
    assert agreement.compute_cohen_kappa({"1": "yes"}, {"1": "yes"}) is None
    assert agreement.compute_cohen_kappa({"1": "yes"}, {"2": "no"}) is None


def test_krippendorff_alpha_by_hand() -> None:
    # items 1: aa, 2: ab, 3: bb; item 4 has one verdict only. Coincidences: Do = 2/6, De = 2*3*3/(6*5)
    reviews = [{"1": "a", "2": "a", "3": "b", "4": "b"}, {"1": "a", "2": "b"}, {"3": "b"}]
    assert agreement.compute_krippendorff_alpha(reviews) == pytest.approx(1 - (2 / 6) / (18 / 30))
    assert agreement.compute_krippendorff_alpha([{"1": "a"}, {"1": "a"}]) is None
    assert agreement.compute_krippendorff_alpha([]) is None


def test_krippendorff_alpha_of_the_paper_s_example() -> None:
    """Twelve items, four reviewers, some items missing: 0.743 in Krippendorff (2011), part C."""
    rows = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    reviews = [{str(at): value for at, value in enumerate(row) if value != "."} for row in rows]
    assert agreement.compute_krippendorff_alpha(reviews) == pytest.approx(0.743, abs=5e-4)


def test_calls_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError):
        stat.estimate_share([], [])
    with pytest.raises(UsageError):
        stat.estimate_share([1, 0], ["a"])
    with pytest.raises(UsageError):
        stat.estimate_share([2.0], ["a"])
    with pytest.raises(UsageError):
        stat.estimate_ratio([1], [0], ["a"])
    with pytest.raises(UsageError):
        stat.estimate_unclustered_share(3, 2)
    with pytest.raises(UsageError):
        significance.compute_mcnemar(-1, 2)
    with pytest.raises(UsageError):
        significance.adjust_holm([1.5])
