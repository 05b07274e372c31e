"""Paired comparison of two results files, and known failure signatures across several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import Field, NonNegativeInt, PositiveInt

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.prompts.compose import PROFILES, resolve_profile, shows_letters
from ivbench_data.evaluate.prompts.patterns import PATTERNS, Pattern
from ivbench_data.evaluate.results import Results
from ivbench_data.evaluate.sampled_rows import find_right_share, is_scorable, pair_with_samples
from ivbench_data.evaluate.scores import score
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import NonEmpty, Question, Record
from ivbench_data.significance import PairedComparison, adjust_holm, compare_pairs, compute_clustered_p_value
from ivbench_data.statistics import Estimate, Probability, estimate_mean

SIGNIFICANCE = 0.05


class ComparedTask(Record):
    """The same questions in two results files."""

    name: NonEmpty
    """The task, or `Overall`."""
    questions: NonNegativeInt
    """Questions evaluated in both."""
    first: Probability
    """Accuracy of the first on them."""
    second: Probability
    """Accuracy of the second on them."""
    paired: PairedComparison
    """Difference with its interval, McNemar's test, and the test clustered by video."""
    holm_p_value: Probability
    """The clustered p-value, Holm-adjusted over the tasks; not adjusted for `Overall`."""


class Comparison(Record):
    """A paired comparison of two results files."""

    first: NonEmpty
    """Name of the first."""
    second: NonEmpty
    """Name of the second."""
    overall: ComparedTask
    """All questions evaluated in both."""
    tasks: tuple[ComparedTask, ...]
    """By task."""
    only_first: NonNegativeInt
    """Questions evaluated only in the first, which are left out of the comparison."""
    only_second: NonNegativeInt
    """Questions evaluated only in the second."""
    samples: tuple[PositiveInt, PositiveInt] = (1, 1)
    """Samples of each question in the first and in the second."""


def compare_results(dataset: Dataset, first: Results, second: Results) -> Comparison:
    """The paired comparison of the first with the second, over the questions evaluated in both.

    A question with several samples counts for the share of them that are right; McNemar's test then is the sign test of
    the questions on which one of the two has the larger share.

    Raises:
        UsageError: they have no question in common.
    """
    pairs = [
        _Pair(one[0].question, find_right_share(one), find_right_share(other))
        for one, other in zip(pair_with_samples(dataset, first), pair_with_samples(dataset, second), strict=True)
    ]
    common = [pair for pair in pairs if pair.first is not None and pair.second is not None]
    if not common:
        raise UsageError(f"{first.path} and {second.path} have no evaluated question in common")
    names = list(dict.fromkeys(pair.question.task for pair in common))
    tasks = [_compare(name, [pair for pair in common if pair.question.task == name]) for name in names]
    adjusted = adjust_holm([task.holm_p_value for task in tasks])
    return Comparison(
        first=first.name,
        second=second.name,
        overall=_compare("Overall", common),
        tasks=tuple(task.model_copy(update={"holm_p_value": p}) for task, p in zip(tasks, adjusted, strict=True)),
        only_first=sum(pair.first is not None and pair.second is None for pair in pairs),
        only_second=sum(pair.second is not None and pair.first is None for pair in pairs),
        samples=(first.samples, second.samples),
    )


@dataclass(frozen=True)
class _Pair:
    """A question, and the share of its samples that are right in two results files; None where it was not asked."""

    question: Question
    first: float | None
    second: float | None


def _compare(name: str, pairs: Sequence[_Pair]) -> ComparedTask:
    one, other = [pair.first or 0.0 for pair in pairs], [pair.second or 0.0 for pair in pairs]
    paired = compare_pairs(one, other, [cluster_of(pair.question) for pair in pairs])
    return ComparedTask(
        name=name,
        questions=len(pairs),
        first=sum(one) / len(pairs),
        second=sum(other) / len(pairs),
        paired=paired,
        holm_p_value=paired.clustered_p_value,
    )


# --- failure signatures -----------------------------------------------------------------------------------------


class Signature(Record):
    """One known failure signature, tested in the results of one model."""

    name: NonEmpty
    """Name of the signature."""
    model: NonEmpty
    """The model."""
    statement: NonEmpty
    """The measurement, in a sentence with figures."""
    found: bool | None
    """Whether the interval excludes its absence; None if the results that it needs are missing."""
    estimates: dict[str, Estimate] = Field(default_factory=dict)
    """The estimates behind the statement."""


WITHOUT = {
    "video_only": "the query image",
    "image_only": "the video",
    "text_only": "video and image",
    "image_swapped": "the right image",
    "image_blank": "the query image (a grey one instead)",
}
"""Patterns that withhold a visual which the question should need, and what they withhold."""


def diagnose(dataset: Dataset, results: Sequence[Results]) -> Iterator[Signature]:
    """The known failure signatures, model by model, from the patterns among the results that each needs."""
    for model in dict.fromkeys(item.configuration.model for item in results):
        own = [item for item in results if item.configuration.model == model]
        yield from _find_text_only_bias(dataset, model, own)
        yield _find_recency(dataset, model, own)
        yield from _find_yes_bias(dataset, model, own)
        yield from _find_letter_preference(dataset, model, own)


def _find_text_only_bias(dataset: Dataset, model: str, results: Sequence[Results]) -> Iterator[Signature]:
    name = "right without the image"
    looked = False
    for item in results:
        withheld = WITHOUT.get(item.configuration.pattern)
        if withheld is None:
            continue
        evaluated = [
            (samples[0].question, share, samples[0].chance)
            for samples in pair_with_samples(dataset, item)
            if (share := find_right_share(samples)) is not None
            and samples[0].chance is not None
            and _has_withheld_visual(samples[0].question, PATTERNS[item.configuration.pattern])
        ]
        if not evaluated:
            continue
        looked = True
        above = estimate_mean(
            [share - chance for _, share, chance in evaluated],
            [cluster_of(question) for question, *_ in evaluated],
            (-1.0, 1.0),
        )
        right, chance = (
            sum(map(float, values)) / len(evaluated)
            for values in ([share for _, share, _ in evaluated], [chance for *_, chance in evaluated])
        )
        statement = (
            f"without {withheld} ({_describe(item)}), {_percent(right)} of "
            f"{len(evaluated):,} questions are right; that is {_points(above)} above chance "
            f"({_percent(chance)})"
        )
        yield Signature(name=name, model=model, statement=statement, found=above.low > 0, estimates={"above": above})
    if not looked:
        yield _needs(name, model, "video_only (or another pattern that withholds the image)")


def _has_withheld_visual(question: Question, pattern: Pattern) -> bool:
    """Whether the question has the image or the video that the pattern withholds."""
    no_image = "image" not in pattern.visuals or pattern.image != "own"
    no_video = "video" not in pattern.visuals
    return (no_image and bool(question.image_ids)) or (no_video and question.video_id is not None)


def _find_recency(dataset: Dataset, model: str, results: Sequence[Results]) -> Signature:
    name = "worse with the image first"
    pairs = [
        (last, first)
        for last in results
        for first in results
        if (last.configuration.pattern, first.configuration.pattern) == ("video_first", "image_first")
        and last.configuration.model_copy(update={"pattern": "image_first"}) == first.configuration
    ]
    both = tuple(question for question in dataset.questions if question.video_id is not None and question.image_ids)
    if not pairs or not both:
        return _needs(name, model, "video_first and image_first on the same grid, of questions with video and image")
    last, first = pairs[0]
    dataset = replace(dataset, questions=both)
    overall = compare_results(dataset, last, first).overall
    difference = overall.paired.difference
    statement = (
        f"on {overall.questions:,} questions ({last.configuration.grid}), {_percent(overall.first)} are right with the "
        f"image last and {_percent(overall.second)} with the image first: {_points(difference)} less"
    )
    return Signature(
        name=name, model=model, statement=statement, found=difference.low > 0, estimates={"difference": difference}
    )


def _find_yes_bias(dataset: Dataset, model: str, results: Sequence[Results]) -> Iterator[Signature]:
    name = "high Existence beside low Reverse Existence"
    for item in _complete(results):
        sampled = pair_with_samples(dataset, item)
        pair = [
            score(task, [one for one in sampled if one[0].question.task == task]).accuracy
            for task in ("Existence", "Reverse Existence")
        ]
        if pair[0] is None or pair[1] is None:
            continue
        statement = (
            f"Existence {_interval(pair[0])}, Reverse Existence {_interval(pair[1])} ({_describe(item)}); "
            f"the intervals {'do not overlap' if pair[0].low > pair[1].high else 'overlap or are the other way round'}"
        )
        yield Signature(
            name=name,
            model=model,
            statement=statement,
            found=pair[0].low > pair[1].high,
            estimates={"Existence": pair[0], "Reverse Existence": pair[1]},
        )
        return
    yield _needs(name, model, "a dataset with both tasks, and both evaluated")


def _find_letter_preference(dataset: Dataset, model: str, results: Sequence[Results]) -> Iterator[Signature]:
    name = "one letter preferred"
    for item in _complete(results):
        profile = item.configuration.profile
        questions = {
            question.question_id: question
            for question in dataset.questions
            if question.options
            and is_scorable(question)
            and shows_letters(question, PROFILES[resolve_profile(profile, question.source)])
        }
        chosen: list[tuple[str, int, set[int]]] = []
        for row in item.rows.values():
            question, rotation = questions.get(row.question_id), row.rotation
            if question is not None and row.answer_index is not None and row.metadata.get("rule") != "drawn":
                count = len(question.options)
                right = {(index - rotation) % count for index in question.correct_indices}
                chosen.append((cluster_of(question), (row.answer_index - rotation) % count, right))
        clusters = [cluster for cluster, _, _ in chosen]
        if len(set(clusters)) < 2:
            continue
        numbers = range(max(max(right | {shown}) for _, shown, right in chosen) + 1)
        excess = {
            number: [float(shown == number) - (number in right) / len(right) for _, shown, right in chosen]
            for number in numbers
        }
        p_values = adjust_holm([compute_clustered_p_value(excess[number], clusters, "greater") for number in numbers])
        best = max(numbers, key=lambda number: sum(excess[number]))
        estimate = estimate_mean(excess[best], clusters, (-1.0, 1.0))
        picked = sum(shown == best for _, shown, _ in chosen) / len(chosen)
        statement = (
            f"{LETTERS[best]} is picked in {_percent(picked)} of {len(chosen):,} replies, {_points(estimate)} more "
            f"often than it is right (p = {p_values[best]:.3g}, Holm over {len(numbers)} letters; {_describe(item)})"
        )
        yield Signature(
            name=name,
            model=model,
            statement=statement,
            found=p_values[best] < SIGNIFICANCE and estimate.value > 0,
            estimates={"excess": estimate},
        )
        return
    yield _needs(name, model, "replies to questions on two videos")


def _complete(results: Sequence[Results]) -> list[Results]:
    """The results with all visuals shown, the paper's pattern first."""
    known = [
        item for item in results if item.configuration.pattern in PATTERNS
    ]  # an imported run may have none of them
    shown = [item for item in known if set(PATTERNS[item.configuration.pattern].visuals) == {"video", "image"}]
    return sorted(shown, key=lambda item: list(PATTERNS).index(item.configuration.pattern))


def _needs(name: str, model: str, what: str) -> Signature:
    return Signature(name=name, model=model, statement=f"cannot be determined: it needs results of {what}", found=None)


def _describe(results: Results) -> str:
    return " ".join(filter(None, (results.configuration.pattern, results.configuration.grid)))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(estimate: Estimate) -> str:
    return f"{_percent(estimate.value)} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _points(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} points [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
