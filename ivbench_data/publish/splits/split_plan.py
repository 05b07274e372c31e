"""Splits by video: planned, shown, and made again alike.

What may give an answer away stays on one side (`clusters`), sizes and tasks are met as closely as that allows
(`apportionment`), and what was published before stays where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from pydantic import NonNegativeInt

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.publish.publication_record import PublishedVersion, SplitRecipe
from ivbench_data.publish.splits.apportionment import Label, Load, apportion
from ivbench_data.publish.splits.split_clusters import Cluster, find_clusters
from ivbench_data.publish.splits.split_requests import SplitRequest as SplitRequest
from ivbench_data.publish.splits.split_requests import check_requests, set_targets
from ivbench_data.publish.splits.split_requests import parse_splits as parse_splits
from ivbench_data.questions.duration_buckets import name_duration
from ivbench_data.schema import NonEmpty, Question, Record
from ivbench_data.video.fingerprint import FILE_NAME as FINGERPRINTS
from ivbench_data.video.fingerprint import read_fingerprints
from ivbench_data.workspace import Workspace

DEFAULT_SALT: Final = "ivbench-data splits 1"
"""Another salt gives other splits of the same sizes."""

LARGE_CLUSTER: Final = Fraction(1, 10)
"""Share of all questions that hang together from which on it is worth a warning."""

EVERYTHING: Final = (SplitRequest(name="test"),)
"""What is planned where nothing is asked for."""


class SplitPlan(Record):
    """Which question is in which split, and how that came.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> iv.plan_splits(dataset).splits
        {'test': ('alpha_0', 'alpha_1', '-beta_0')}
    """

    dataset: NonEmpty
    """Name of the dataset."""
    salt: str
    """What the order of clusters was hashed with."""
    requests: tuple[SplitRequest, ...]
    """What was asked for."""
    targets: dict[str, NonNegativeInt]
    """Questions that each split should hold."""
    splits: dict[str, tuple[str, ...]]
    """Ids of each split's questions, in the dataset's order."""
    left_out: tuple[str, ...]
    """Ids of the questions that are in no split."""
    clusters: NonNegativeInt
    """Sets of questions that stay together."""
    largest_cluster: NonNegativeInt
    """Questions in the largest of them."""
    links: tuple[str, ...]
    """What was kept together although its names differ, in sentences."""
    warnings: tuple[str, ...]
    """What is not as it should be, in sentences."""

    @property
    def recipe(self) -> SplitRecipe:
        """How to make the next version's splits alike, for `publish.json`."""
        return SplitRecipe(salt=self.salt, requests=tuple(map(str, self.requests)), left_out=len(self.left_out))


def plan_splits(
    dataset: Dataset,
    requests: Sequence[SplitRequest] = (),
    *,
    workspace: Workspace | None = None,
    previous: PublishedVersion | None = None,
    salt: str | None = None,
) -> SplitPlan:
    """Which question goes into which split: the same on every machine, whatever the order of the lines.

    Args:
        dataset: the questions.
        requests: names and sizes; by default those of `previous`, as far as they still fit, else one split `test` with
            everything.
        workspace: where fingerprints and images lie, by which near-duplicates are found.
        previous: an earlier version, whose questions stay in their splits.
        salt: what the order is hashed with; by default that of `previous`, else a fixed one.

    Raises:
        UsageError: the requests cannot be met, or leave out a split that was published.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> plan = iv.plan_splits(dataset, iv.parse_splits("test=1.0"))
        >>> len(plan.splits["test"]), plan.clusters
        (3, 1)
    """
    is_repeated = previous is not None and not requests
    requests = tuple(requests) or _repeat_requests(previous)
    check_requests(requests)
    names = [request.name for request in requests]
    published = _check_previous(dataset, names, previous)
    if salt is None:
        salt = previous.split_recipe.salt if previous and previous.split_recipe else DEFAULT_SALT
    warnings: list[str] = []
    try:
        targets = set_targets(requests, len(dataset.questions))
    except UsageError as error:
        if not is_repeated:
            raise
        # questions were removed, which must not keep anybody from publishing what is left
        warnings.append(f"The earlier version's sizes no longer fit, and each split keeps what it holds: {error}.")
        held = Counter(published.values())
        targets = [*(held[name] for name in names), len(dataset.questions) - held.total()]
    clustering = find_clusters(dataset, workspace)
    warnings += clustering.unknown
    parts: list[tuple[Load, tuple[Question, ...]]] = []
    labels = _label_questions(dataset, workspace)
    for cluster in clustering.clusters:
        sides = Counter(published[q.question_id] for q in cluster.questions if q.question_id in published)
        if len(sides) > 1:
            warnings.append(_describe_joined(cluster, sides))
        for questions, side in _divide(cluster, published, sides, names):
            pinned_to = None if side is None else names.index(side)
            parts.append((_make_load(cluster.key, questions, labels, pinned_to), questions))
    split_numbers = apportion([load for load, _ in parts], targets, salt)
    split_of = {q.question_id: at for at, (_, own) in zip(split_numbers, parts, strict=True) for q in own}
    ids: list[list[str]] = [[] for _ in targets]
    for question in dataset.questions:
        ids[split_of[question.question_id]].append(question.question_id)
    warnings += [f"The split {name} holds no question." for name, own in zip(names, ids, strict=False) if not own]
    warnings += _warn_of_large_clusters(clustering.clusters, len(dataset.questions))
    return SplitPlan(
        dataset=dataset.name,
        salt=salt,
        requests=requests,
        targets=dict(zip(names, targets, strict=False)),
        splits={name: tuple(own) for name, own in zip(names, ids, strict=False)},
        left_out=tuple(ids[-1]),
        clusters=len(clustering.clusters),
        largest_cluster=max((len(cluster.questions) for cluster in clustering.clusters), default=0),
        links=tuple(f"{link.kind} {link.first} and {link.second}: {link.reason}" for link in clustering.links),
        warnings=tuple(warnings),
    )


def _warn_of_large_clusters(clusters: Sequence[Cluster], total: int) -> Iterator[str]:
    for cluster in clusters:
        videos = {question.video_id for question in cluster.questions} - {None}
        if len(cluster.questions) > LARGE_CLUSTER * total and len(videos) != 1:
            about = f"of {len(videos):,} videos" if videos else "without a video"
            yield f"{len(cluster.questions):,} questions {about} hang together, and no split can part them."


def _repeat_requests(previous: PublishedVersion | None) -> tuple[SplitRequest, ...]:
    if previous is None:
        return EVERYTHING
    if previous.split_recipe is None:
        raise UsageError(f"version {previous.version} does not say how its splits were made: name them and their sizes")
    return parse_splits(",".join(previous.split_recipe.requests))


def _check_previous(dataset: Dataset, names: Sequence[str], previous: PublishedVersion | None) -> dict[str, str]:
    """The split of each question that was published before."""
    if previous is None:
        return {}
    if previous.dataset != dataset.name:
        raise UsageError(f"the earlier version is of {previous.dataset!r}, not of {dataset.name!r}")
    here = {question.question_id for question in dataset.questions}
    for name, split in previous.splits.items():
        if name not in names and (kept := here.intersection(split.questions)):
            raise UsageError(
                f"version {previous.version} has a split {name} with {len(kept):,} of these questions, which stay in "
                f"it: ask for it too, as {name}={len(kept)}q"
            )
    return {question_id: name for question_id, name in previous.split_of.items() if question_id in here}


def _divide(
    cluster: Cluster, published: dict[str, str], sides: Counter[str], names: Sequence[str]
) -> Iterator[tuple[tuple[Question, ...], str | None]]:
    """The cluster's questions by the side on which they must be: all on one, but where they were published apart."""
    if len(sides) <= 1:
        yield cluster.questions, next(iter(sides), None)
        return
    by_video: dict[str | None, Counter[str]] = {}
    for question in cluster.questions:
        if (side := published.get(question.question_id)) is not None and question.video_id is not None:
            by_video.setdefault(question.video_id, Counter())[side] += 1
    by_side: dict[str, list[Question]] = {}
    for question in cluster.questions:
        nearest = by_video.get(question.video_id) or sides
        side = published.get(question.question_id) or max(names, key=lambda name: (nearest[name], -names.index(name)))
        by_side.setdefault(side, []).append(question)
    for side, questions in by_side.items():
        yield tuple(questions), side


def _describe_joined(cluster: Cluster, sides: Counter[str]) -> str:
    counts = ", ".join(f"{count} in {name}" for name, count in sorted(sides.items()))
    some = ", ".join(question.question_id for question in cluster.questions[:6])
    return (
        f"{len(cluster.questions)} questions hang together and were published apart ({counts}); they stay where they "
        f"were: {some}{', …' if len(cluster.questions) > 6 else ''}"
    )


def _make_load(
    key: str, questions: Sequence[Question], labels: dict[str, tuple[Label, ...]], pinned_to: int | None
) -> Load:
    counted = Counter(label for question in questions for label in labels[question.question_id])
    return Load(key, dict(counted), pinned_to)


def _label_questions(dataset: Dataset, workspace: Workspace | None) -> dict[str, tuple[Label, ...]]:
    """What is to be in proportion: all questions, their tasks, and categories and durations where they are known."""
    videos = {video.video_id: video for video in dataset.videos}
    measured = read_fingerprints(workspace.folder / FINGERPRINTS)[0] if workspace is not None else {}
    labels: dict[str, tuple[Label, ...]] = {}
    for question in dataset.questions:
        made: list[Label] = [("size", ""), ("task", question.task)]
        video = videos.get(question.video_id) if question.video_id is not None else None
        category = question.category or (video.category if video else None)
        if category is not None:
            made.append(("category", category))
        seconds = video.duration_seconds if video else None
        if seconds is None and video is not None and video.video_id in measured:
            seconds = measured[video.video_id].duration_seconds
        if seconds is not None:
            made.append(("duration", name_duration(seconds)))
        labels[question.question_id] = tuple(made)
    return labels
