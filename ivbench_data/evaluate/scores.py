"""From rows to figures: accuracy per task, group and slice, with intervals clustered by video and an open denominator.

What a reply earns, and what counts together, is the task's metric (`evaluate.metrics`). Accuracy is over the questions
that were evaluated: answered, or failed, which counts as wrong. Questions that were not asked, since their media are
not here or the pattern makes no sense for them, are no part of it, and are counted beside it: a figure over what
happened to be downloaded must not look like one over the benchmark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from pydantic import JsonValue, NonNegativeInt

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.metrics import find_metric
from ivbench_data.evaluate.metrics.means import (
    MeanOf,
    average,
    combine,
    estimate,
    score_like_benchmark,
    score_with_missing_as_wrong,
)
from ivbench_data.evaluate.metrics.units import JudgeReplies, ScoredRow
from ivbench_data.evaluate.results import Configuration, Results
from ivbench_data.manifests import Manifest, PublishedResult, find_manifest
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.questions.duration_buckets import DURATION_BUCKETS, name_duration
from ivbench_data.schema import NonEmpty, Question, Record, Seconds
from ivbench_data.statistics import Estimate, Probability, estimate_share
from ivbench_data.withdrawals import count_withdrawn
from ivbench_data.workspace import Workspace

NO_VERDICTS: Mapping[str, str] = MappingProxyType({})


class Score(Record):
    """The figure of some questions: a task, a group of tasks, a slice, or all of them."""

    name: NonEmpty
    """What they are."""
    accuracy: Estimate | None
    """The mean of what evaluated questions, or pairs of them, earned, 0 to 1; None where nothing could be scored."""
    as_benchmark: Probability | None = None
    """What the benchmark's own code makes of the same replies; None where its rules are ours."""
    chance: Probability | None
    """What guessing reaches, of the evaluated questions as far as that is known; over options, right ones over all."""
    parse_rate: Probability | None
    """Share of answered questions whose reply names an option or a number, or is to be free text."""
    correct: NonNegativeInt
    """Questions that earned everything."""
    evaluated: NonNegativeInt
    """Answered and failed questions."""
    unscored: NonNegativeInt = 0
    """Of these, without a part in the accuracy: half a pair, or a text that no judge was asked about."""
    failed: NonNegativeInt
    """Of these, asked without getting a reply."""
    missing: NonNegativeInt
    """Not asked, or not yet: their media are not here, or no row speaks of them."""
    inapplicable: NonNegativeInt
    """Not asked: the pattern makes no sense for them."""


class Denominators(Record):
    """Out of how many."""

    published: NonNegativeInt | None
    """Questions in the paper."""
    released: NonNegativeInt | None
    """Questions in the release."""
    in_dataset: NonNegativeInt
    """Questions in the dataset, as it is here, with answers that can be checked."""
    fetched: NonNegativeInt | None
    """Of these, with all their media on this machine."""
    evaluated: NonNegativeInt
    """Of these, answered or failed."""
    unscorable: NonNegativeInt
    """Questions beside these, whose answers are hidden, or that no metric can score."""
    withdrawn: NonNegativeInt = 0
    """Questions beside these, whose videos were taken down."""


class Scorecard(Record):
    """All figures of one results file."""

    name: NonEmpty
    """Model, pattern and grid in a line."""
    file: NonEmpty
    """The results file."""
    configuration: Configuration
    """What decided the answers."""
    versions: dict[str, str]
    """Of the last run's libraries."""
    judge: str | None = None
    """Who judged what no rule can; None where nobody was asked."""
    overall: Score
    """All questions; accuracy is the mean that the manifest names, of all questions alike unless it says tasks."""
    tasks_in_mean: tuple[NonNegativeInt, NonNegativeInt] | None = None
    """How many tasks' figures Overall is the mean of, and of how many; None where it is one of questions."""
    overall_with_missing_as_wrong: Probability | None
    """Right ones over all questions in the dataset that the pattern applies to: what no missing file can improve."""
    groups: dict[str, Score]
    """By key of the manifest's task groups: question-weighted means of their tasks."""
    tasks: dict[str, Score]
    """By task, in the manifest's order."""
    slices: dict[str, dict[str, Score]]
    """By `category`, `duration`, `granularity` and `evidence`: what is known of them."""
    rotations: NonNegativeInt
    """Under how many rotations at most a question was asked."""
    right_in_all: Score | None
    """Questions that were right under every rotation they were asked under; None with a single one."""
    mean_of_rotations: Probability | None
    """Accuracy over all rotations of these questions."""
    visual_tokens: float | None
    """Mean of what the visuals of a question cost; None where no backend says."""
    seconds: Seconds | None
    """Sum of the model's time; None where no backend says."""
    denominators: Denominators
    """Out of how many."""
    bad_lines: NonNegativeInt
    """Lines of the file that could not be used."""


def is_scorable(question: Question) -> bool:
    """Whether the task's metric can score it; not where its answer is hidden, or is nothing to compare with."""
    return not question.answers_hidden and find_metric(question).can_score(question)


def pair_with_rows(
    dataset: Dataset, results: Results, rotation: int = 0, verdicts: Mapping[str, str] = NO_VERDICTS
) -> list[ScoredRow]:
    """Every question of the dataset that can be scored, beside its row under that rotation.

    `verdicts` holds what a judge said, by question, of the tasks whose metric needs one.

    Raises:
        UsageError: the results are of another dataset.
    """
    if results.configuration.dataset != dataset.name:
        raise UsageError(f"{results.path} is about {results.configuration.dataset!r}, not about {dataset.name!r}")
    return [
        ScoredRow(
            question,
            results.rows.get((question.question_id, rotation)),
            find_metric(question),
            verdicts.get(question.question_id),
        )
        for question in dataset.questions
        if is_scorable(question)
    ]


def score_results(
    dataset: Dataset,
    results: Results,
    workspace: Workspace | None = None,
    verdicts: JudgeReplies | None = None,
) -> Scorecard:
    """All figures of a results file, judged by the dataset's answers as they are today.

    With a `workspace`, what is on disk is counted. `verdicts` is what a judge said; where a metric needs it and it is
    not there, the reply stays unscored.

    Raises:
        UsageError: the results are of another dataset.
        MissingDependencyError: scipy is not installed.
    """
    manifest = find_manifest(dataset)
    judged = pair_with_rows(dataset, results, verdicts=verdicts.replies if verdicts else NO_VERDICTS)
    mean_of = manifest.overall if manifest else "questions"
    found = dict.fromkeys(item.question.task for item in judged)
    names = [task.name for task in manifest.tasks if task.name in found] if manifest else []
    names += [task for task in found if task not in names]
    group_of = {task.name: task.group for task in manifest.tasks} if manifest else {}
    groups = manifest.task_groups if manifest else {}
    overall = score("Overall", judged, mean_of)
    tasks = {name: score(name, [item for item in judged if item.question.task == name]) for name in names}
    rows = [item.row for item in judged if item.row is not None]
    tokens = [row.visual_tokens for row in rows if row.visual_tokens is not None]
    rotations, right_in_all, mean_of_rotations = _score_rotations(dataset, results)
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return Scorecard(
        name=results.name,
        file=str(results.path),
        configuration=results.configuration,
        versions=results.headers[-1].versions,
        judge=verdicts.judge if verdicts else None,
        overall=overall,
        tasks_in_mean=None
        if mean_of == "questions"
        else (sum(one.accuracy is not None for one in tasks.values()), len(manifest.tasks if manifest else tasks)),
        overall_with_missing_as_wrong=score_with_missing_as_wrong(judged, mean_of),
        groups={
            key: score(title, [item for item in judged if group_of.get(item.question.task) == key], mean_of)
            for key, title in groups.items()
        },
        tasks=tasks,
        slices=_slice(dataset, judged),
        rotations=rotations,
        right_in_all=right_in_all,
        mean_of_rotations=mean_of_rotations,
        visual_tokens=sum(tokens) / len(tokens) if tokens else None,
        seconds=sum(seconds) if seconds else None,
        denominators=_count(dataset, judged, manifest, workspace),
        bad_lines=len(results.bad_lines),
    )


def score(name: str, judged: Sequence[ScoredRow], mean_of: MeanOf = "questions") -> Score:
    """The figure of some questions: the mean of all alike, or of their tasks' figures alike."""
    evaluated = [item for item in judged if item.is_evaluated]
    statuses = Counter(item.row.status if item.row is not None else "missing" for item in judged)
    answered = [item for item in evaluated if item.row is not None and item.row.status == "ok"]
    units = combine(judged)
    scored = [(task, unit) for task, unit in units if unit.points is not None]
    known = [(task, unit) for task, unit in scored if unit.chance is not None]
    of_units = sum(item.is_evaluated for _, unit in scored for item in unit.questions)
    return Score(
        name=name,
        accuracy=estimate(scored, mean_of),
        as_benchmark=score_like_benchmark(judged, mean_of),
        chance=average(known, [unit.chance or 0.0 for _, unit in known], mean_of),
        parse_rate=sum(item.is_parsed for item in answered) / len(answered) if answered else None,
        correct=sum(item.is_correct for item in evaluated),
        evaluated=len(evaluated),
        unscored=len(evaluated) - of_units,
        failed=statuses["failed"],
        missing=statuses["missing"],
        inapplicable=statuses["inapplicable"],
    )


# --- slices -----------------------------------------------------------------------------------------------------


def _slice(dataset: Dataset, judged: Sequence[ScoredRow]) -> dict[str, dict[str, Score]]:
    videos = {video.video_id: video for video in dataset.videos}

    def category(item: ScoredRow) -> str | None:
        video = videos.get(item.question.video_id or "")
        return item.question.category or (video.category if video else None)

    def duration(item: ScoredRow) -> str | None:
        video = videos.get(item.question.video_id or "")
        known: JsonValue = video.duration_seconds if video else None
        if known is None and item.row is not None:
            known = item.row.metadata.get("duration_seconds")
        return name_duration(float(known)) if isinstance(known, int | float) else None

    def evidence(item: ScoredRow) -> str | None:
        seen = item.row.metadata.get("evidence_seen") if item.row is not None else None
        return {True: "a frame shows it", False: "no frame shows it"}[seen] if isinstance(seen, bool) else None

    kinds: dict[str, Callable[[ScoredRow], str | None]] = {
        "category": category,
        "duration": duration,
        "granularity": lambda item: item.question.granularity,
        "evidence": evidence,
    }
    order = [name for name, _ in DURATION_BUCKETS] + ["frame", "clip", "whole"]
    slices: dict[str, dict[str, Score]] = {}
    for kind, name_of in kinds.items():
        members: dict[str, list[ScoredRow]] = {}
        for item in judged:
            if (name := name_of(item)) is not None:
                members.setdefault(name, []).append(item)
        names = sorted(members, key=lambda name: (order.index(name) if name in order else 0, name))
        if names:
            slices[kind] = {name: score(name, members[name]) for name in names}
    return slices


def _score_rotations(dataset: Dataset, results: Results) -> tuple[int, Score | None, float | None]:
    """Most rotations of a question; the questions right under all of theirs; and the mean over all of these rows."""
    asked = Counter(question_id for (question_id, _), row in results.rows.items() if row.status in ("ok", "failed"))
    rotated: list[list[ScoredRow]] = []
    for question in dataset.questions:
        rows = [results.rows.get((question.question_id, rotation)) for rotation in range(asked[question.question_id])]
        if is_scorable(question) and len(rows) > 1 and None not in rows:
            rotated.append([ScoredRow(question, row, find_metric(question)) for row in rows])
    most = max(asked.values(), default=0)
    if not rotated:
        return most, None, None
    firsts = [items[0] for items in rotated]
    hits = [all(item.is_correct for item in items) for items in rotated]
    right_in_all = score(f"right in all {most} rotations", firsts).model_copy(
        update={
            "accuracy": estimate_share([float(hit) for hit in hits], [cluster_of(item.question) for item in firsts]),
            "as_benchmark": None,
            "correct": sum(hits),
            "chance": sum((items[0].chance or 0.0) ** len(items) for items in rotated) / len(rotated),
        }
    )
    every = [item.is_correct for items in rotated for item in items]
    return most, right_in_all, sum(every) / len(every)


# --- denominators -----------------------------------------------------------------------------------------------


def _count(
    dataset: Dataset, judged: Sequence[ScoredRow], manifest: Manifest | None, workspace: Workspace | None
) -> Denominators:
    fetched: int | None = None
    if workspace is not None:
        videos = {video.video_id: workspace.find_video(video.video_id) is not None for video in dataset.videos}
        images = {image.image_id: workspace.image_path(image.image_id).is_file() for image in dataset.images}
        fetched = sum(
            (item.question.video_id is None or videos.get(item.question.video_id, False))
            and all(images.get(image_id, False) for image_id in item.question.image_ids)
            for item in judged
        )
    return Denominators(
        published=manifest.published.questions if manifest else None,
        released=manifest.released.questions if manifest else None,
        in_dataset=len(judged),
        fetched=fetched,
        evaluated=sum(item.is_evaluated for item in judged),
        unscorable=len(dataset.questions) - len(judged),
        withdrawn=count_withdrawn(dataset.withdrawals),
    )


# --- published figures ------------------------------------------------------------------------------------------


def weigh(values: Mapping[str, float | None], counts: Mapping[str, int | None], names: Iterable[str]) -> float | None:
    """The question-weighted mean `Σ nᵢ·vᵢ / Σ nᵢ` of the named values; None where a value or a count is not known."""
    total = weights = 0.0
    for name in names:
        value, count = values.get(name), counts.get(name)
        if count == 0:
            continue
        if value is None or count is None:
            return None
        total, weights = total + value * count, weights + count
    return total / weights if weights else None


def recompute_published(manifest: Manifest, row: PublishedResult) -> dict[str, float | None]:
    """What a published row's own task columns give for `overall` and each group, in per cent.

    By the paper's counts; or, where the manifest says that Overall is a mean of tasks, by the tasks that have a figure.
    """
    counts = {task.name: task.published for task in manifest.tasks}
    if manifest.overall == "tasks":
        counts = {name: int(row.tasks.get(name) is not None) for name in counts}
    members: dict[str, list[str]] = {"overall": [task.name for task in manifest.tasks]}
    for key in manifest.task_groups:
        members[key] = [task.name for task in manifest.tasks if task.group == key]
    return {key: weigh(row.tasks, counts, names) for key, names in members.items()}
