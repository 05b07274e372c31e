"""Scorecards: accuracy per task, group and slice, with intervals clustered by video and stated denominators.

The task's metric (`evaluate.metrics`) scores each reply and groups questions that count together. Accuracy is over the
evaluated questions: answered, or failed, which counts as wrong. Questions that were not asked, because their media are
missing or the pattern does not apply, are counted separately, so that a figure over the downloaded part is not taken
for one over the benchmark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic import Field, JsonValue, NonNegativeInt, PositiveInt

from ivbench_data.dataset import Dataset
from ivbench_data.durations import find_durations
from ivbench_data.evaluate.metrics.means import (
    MeanOf,
    average,
    estimate,
    score_like_benchmark,
    score_with_missing_as_wrong,
)
from ivbench_data.evaluate.metrics.units import EVALUATED, JudgeReplies, ScoredRow
from ivbench_data.evaluate.outcome_counts import Readings, count_readings
from ivbench_data.evaluate.results import Results, RunConfiguration
from ivbench_data.evaluate.sample_figures import (
    SampledFigure,
    average_rounds,
    combine_rounds,
    estimate_majority,
    estimate_passes,
)
from ivbench_data.evaluate.sampled_rows import NO_JUDGE_REPLIES, Samples, pair_with_samples, split_rounds
from ivbench_data.manifests import Manifest, PublishedResult, find_manifest
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.questions.duration_buckets import DURATION_BUCKETS, name_duration
from ivbench_data.schema import NonEmpty, Record, Seconds
from ivbench_data.statistics import Estimate, Probability, estimate_share
from ivbench_data.withdrawals import count_withdrawn
from ivbench_data.workspace import Workspace


class GroupScore(Record):
    """Score of a set of questions: a task, a group of tasks, a slice, or all of them.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> iv.score_results(dataset, results).tasks["Counting"].accuracy.value
        1.0
    """

    name: NonEmpty
    """Name of the set."""
    accuracy: Estimate | None
    """Mean points of the evaluated questions or pairs, 0 to 1, over all samples; None if nothing could be scored."""
    as_benchmark: Probability | None = None
    """Figure of the benchmark's own code for the same replies; None where its rules are ours."""
    chance: Probability | None
    """Chance level of the evaluated questions, where known; with options, the share of right options."""
    parse_rate: Probability | None
    """Share of answered questions whose reply names an option or a number; free text counts as parsed."""
    correct: NonNegativeInt
    """Questions with all points, in each sample."""
    evaluated: NonNegativeInt
    """Answered and failed questions, together."""
    unscored: NonNegativeInt = 0
    """Of these, not part of the accuracy: half a pair, or a text without a judge reply."""
    failed: NonNegativeInt
    """Of these, asked without a reply; with several samples, those that lack one of them."""
    missing: NonNegativeInt
    """Not asked: media missing, or no row yet."""
    inapplicable: NonNegativeInt
    """Not asked: the pattern does not apply."""
    majority: SampledFigure | None = None
    """The majority vote of the samples; None with one sample."""
    pass_at: dict[int, SampledFigure] = Field(default_factory=dict)
    """By k, how likely one of k samples at least is right; empty with one sample."""


class Denominators(Record):
    """The denominators of a scorecard.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> counts = iv.score_results(dataset, results).denominators
        >>> counts.in_dataset, counts.evaluated
        (3, 3)
    """

    published: NonNegativeInt | None
    """Questions in the paper."""
    released: NonNegativeInt | None
    """Questions in the release."""
    in_dataset: NonNegativeInt
    """Questions in the local dataset that can be scored."""
    fetched: NonNegativeInt | None
    """Of these, with all media on this machine."""
    evaluated: NonNegativeInt
    """Of these, answered or failed."""
    unscorable: NonNegativeInt
    """Further questions with hidden answers, or that no metric can score."""
    withdrawn: NonNegativeInt = 0
    """Further questions whose videos were withdrawn."""


class Scorecard(Record):
    """All figures of one results file.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> card = iv.score_results(dataset, results)
        >>> card.overall.name, round(card.overall.accuracy.value, 3)
        ('Overall', 0.667)
    """

    name: NonEmpty
    """Model, pattern and grid in a line."""
    file: NonEmpty
    """The results file."""
    configuration: RunConfiguration
    """The configuration of the run."""
    versions: dict[str, str]
    """Library versions of the last run."""
    judge: str | None = None
    """The LLM judge; None if none was used."""
    reader: str | None = None
    """The model that read what the rules could not; None if none was used."""
    readings: Readings
    """How many replies were read, by whom, and what the others are."""
    overall: GroupScore
    """All questions; accuracy is the mean over questions, or over tasks if the manifest says so."""
    tasks_in_mean: tuple[NonNegativeInt, NonNegativeInt] | None = None
    """Number of scored tasks in Overall, and of all tasks; None where Overall is a mean over questions."""
    overall_with_missing_as_wrong: Probability | None
    """Accuracy over all questions that the pattern applies to, with 0 for missing ones."""
    groups: dict[str, GroupScore]
    """By key of the manifest's task groups."""
    tasks: dict[str, GroupScore]
    """By task, in the manifest's order."""
    slices: dict[str, dict[str, GroupScore]]
    """By `category`, `duration`, `granularity` and `evidence`, where known."""
    samples: PositiveInt = 1
    """How many times each question was to be asked; the accuracy is the mean over them."""
    rotations: NonNegativeInt
    """Highest number of rotations under which a question was asked."""
    right_in_all: GroupScore | None
    """Questions that are right under every rotation; None with a single rotation."""
    mean_of_rotations: Probability | None
    """Accuracy over all rotations of these questions."""
    visual_tokens: float | None
    """Mean visual tokens per question; None where the backend does not report them."""
    seconds: Seconds | None
    """Total model time; None where the backend does not report it."""
    denominators: Denominators
    """The denominators."""
    bad_lines: NonNegativeInt
    """Invalid lines of the file."""


def score_results(
    dataset: Dataset,
    results: Results,
    workspace: Workspace | None = None,
    judge_replies: JudgeReplies | None = None,
) -> Scorecard:
    """The scorecard of a results file, by the dataset's current answers.

    Args:
        dataset: the questions and their answers.
        results: the content of a results file.
        workspace: where to count questions whose media are on disk; None to leave that count out.
        judge_replies: an LLM judge's replies; a reply that needs one and has none stays unscored.

    Raises:
        UsageError: the results are of another dataset.
        MissingDependencyError: scipy is not installed.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> card = iv.score_results(dataset, results)
        >>> round(card.overall.accuracy.value, 3)
        0.667
    """
    manifest = find_manifest(dataset)
    sampled = pair_with_samples(
        dataset, results, judge_replies=judge_replies.replies if judge_replies else NO_JUDGE_REPLIES
    )
    firsts = [samples[0] for samples in sampled]
    mean_of = manifest.overall if manifest else "questions"
    found = dict.fromkeys(item.question.task for item in firsts)
    names = [task.name for task in manifest.tasks if task.name in found] if manifest else []
    names += [task for task in found if task not in names]
    group_of = {task.name: task.group for task in manifest.tasks} if manifest else {}
    groups = manifest.task_groups if manifest else {}
    overall = score("Overall", sampled, mean_of)
    tasks = {name: score(name, [one for one in sampled if one[0].question.task == name]) for name in names}
    rows = [item.row for samples in sampled for item in samples if item.row is not None]
    tokens = [row.visual_tokens for row in rows if row.visual_tokens is not None]
    rotations, right_in_all, mean_of_rotations = _score_rotations(dataset, results)
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return Scorecard(
        name=results.name,
        file=str(results.path),
        configuration=results.configuration,
        versions=results.headers[-1].versions,
        judge=judge_replies.judge if judge_replies else None,
        reader=next((str(row.metadata["read_with"]) for row in rows if "read_with" in row.metadata), None),
        readings=count_readings(sampled, mean_of),
        overall=overall,
        tasks_in_mean=None
        if mean_of == "questions"
        else (sum(one.accuracy is not None for one in tasks.values()), len(manifest.tasks if manifest else tasks)),
        overall_with_missing_as_wrong=score_with_missing_as_wrong(average_rounds(combine_rounds(sampled)), mean_of),
        groups={
            key: score(title, [one for one in sampled if group_of.get(one[0].question.task) == key], mean_of)
            for key, title in groups.items()
        },
        tasks=tasks,
        slices=_slice(dataset, sampled, workspace),
        samples=results.samples,
        rotations=rotations,
        right_in_all=right_in_all,
        mean_of_rotations=mean_of_rotations,
        visual_tokens=sum(tokens) / len(tokens) if tokens else None,
        seconds=sum(seconds) if seconds else None,
        denominators=_count(dataset, firsts, manifest, workspace),
        bad_lines=len(results.bad_lines),
    )


def score(name: str, sampled: Sequence[Samples], mean_of: MeanOf = "questions") -> GroupScore:
    """Score of some questions, as the mean over questions or over their tasks."""
    evaluated = [samples for samples in sampled if samples[0].is_evaluated]
    statuses = Counter(samples[0].row.status if samples[0].row is not None else "missing" for samples in sampled)
    rows = [item for samples in evaluated for item in samples]
    answered = [item for item in rows if item.row is not None and item.row.status != "failed"]
    rounds = combine_rounds(sampled)
    units = average_rounds(rounds)
    scored = [(task, unit) for task, unit in units if unit.points is not None]
    known = [(task, unit) for task, unit in scored if unit.chance is not None]
    of_units = sum(item.is_evaluated for _, unit in scored for item in unit.questions)
    theirs = [score_like_benchmark(items, mean_of) for items in split_rounds(sampled)]
    known_theirs = [figure for figure in theirs if figure is not None]
    return GroupScore(
        name=name,
        accuracy=estimate(scored, mean_of, draws=len(theirs)),
        as_benchmark=sum(known_theirs) / len(theirs) if len(known_theirs) == len(theirs) else None,
        chance=average(known, [unit.chance or 0.0 for _, unit in known], mean_of),
        parse_rate=sum(item.is_parsed for item in answered) / len(answered) if answered else None,
        correct=sum(all(item.is_correct for item in samples) for samples in evaluated),
        evaluated=len(evaluated),
        unscored=len(evaluated) - of_units,
        failed=sum(any(_has_failed(item) for item in samples) for samples in evaluated),
        missing=statuses["missing"],
        inapplicable=statuses["inapplicable"],
        majority=estimate_majority(sampled, rounds, mean_of),
        pass_at=estimate_passes(rounds, mean_of),
    )


def _has_failed(item: ScoredRow) -> bool:
    return item.row is not None and item.row.status == "failed"


# --- slices -----------------------------------------------------------------------------------------------------


def _slice(
    dataset: Dataset, sampled: Sequence[Samples], workspace: Workspace | None
) -> dict[str, dict[str, GroupScore]]:
    durations = find_durations(dataset, workspace, scans_files=False)
    videos = {video.video_id: video for video in dataset.videos}

    def category(item: ScoredRow) -> str | None:
        video = videos.get(item.question.video_id or "")
        return item.question.category or (video.category if video else None)

    def duration(item: ScoredRow) -> str | None:
        found = durations.get(item.question.video_id or "")
        known: JsonValue = found.seconds if found is not None else None
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
    slices: dict[str, dict[str, GroupScore]] = {}
    for kind, name_of in kinds.items():
        members: dict[str, list[Samples]] = {}
        for samples in sampled:
            if (name := next(filter(None, map(name_of, samples)), None)) is not None:
                members.setdefault(name, []).append(samples)
        names = sorted(members, key=lambda name: (order.index(name) if name in order else 0, name))
        if names:
            slices[kind] = {name: score(name, members[name]) for name in names}
    return slices


def _score_rotations(dataset: Dataset, results: Results) -> tuple[int, GroupScore | None, float | None]:
    """Highest number of rotations, score of the questions right under all of them, and mean over all rotations.

    With several samples, a question counts for the share of them that are right under every rotation.
    """
    asked = Counter(row.question_id for row in results.rows.values() if row.sample == 0 and row.status in EVALUATED)
    most = max(asked.values(), default=0)
    turned = [pair_with_samples(dataset, results, rotation) for rotation in range(most)] if most > 1 else []
    rotated: list[tuple[Samples, ...]] = []
    for of_question in zip(*turned, strict=True):
        counted = of_question[: asked[of_question[0][0].question.question_id]]
        if len(counted) > 1 and all(item.row is not None for samples in counted for item in samples):
            rotated.append(counted)
    if not rotated:
        return most, None, None
    firsts = [counted[0] for counted in rotated]
    hits = [
        _mean([all(item.is_correct for item in turns) for turns in zip(*counted, strict=True)]) for counted in rotated
    ]
    clusters = [cluster_of(samples[0].question) for samples in firsts]
    right_in_all = score(f"right in all {most} rotations", firsts).model_copy(
        update={
            "accuracy": estimate_share(hits, clusters, draws=results.samples),
            "as_benchmark": None,
            "majority": None,
            "pass_at": {},
            "correct": sum(hit == 1 for hit in hits),
            "chance": sum((counted[0][0].chance or 0.0) ** len(counted) for counted in rotated) / len(rotated),
        }
    )
    every = [item.is_correct for counted in rotated for samples in counted for item in samples]
    return most, right_in_all, _mean(every)


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values)


# --- denominators -----------------------------------------------------------------------------------------------


def _count(
    dataset: Dataset, scored_rows: Sequence[ScoredRow], manifest: Manifest | None, workspace: Workspace | None
) -> Denominators:
    fetched: int | None = None
    if workspace is not None:
        videos = {video.video_id: workspace.find_video(video.video_id) is not None for video in dataset.videos}
        images = {image.image_id: workspace.image_path(image.image_id).is_file() for image in dataset.images}
        fetched = sum(
            (item.question.video_id is None or videos.get(item.question.video_id, False))
            and all(images.get(image_id, False) for image_id in item.question.image_ids)
            for item in scored_rows
        )
    return Denominators(
        published=manifest.published.questions if manifest else None,
        released=manifest.released.questions if manifest else None,
        in_dataset=len(scored_rows),
        fetched=fetched,
        evaluated=sum(item.is_evaluated for item in scored_rows),
        unscorable=len(dataset.questions) - len(scored_rows),
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
