"""Which questions must stay on one side of a split, because one may give away the answer of another.

Questions of one video hang together, and so do those of one group and those that show the same image; then those whose
videos or images are nearly the same, as far as this machine knows. Clusters are what is connected so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.schema import Question
from ivbench_data.validate.checks.context import CheckContext
from ivbench_data.validate.checks.media_files import check_near_duplicate_images, check_near_duplicate_videos
from ivbench_data.video.fingerprint import FILE_NAME as FINGERPRINTS
from ivbench_data.video.fingerprint import read_fingerprints
from ivbench_data.workspace import Workspace


@dataclass(frozen=True)
class Link:
    """Two videos or two images that show the same, under different names."""

    kind: str
    """`video` or `image`."""
    first: str
    """Id of the one."""
    second: str
    """Id of the other."""
    reason: str
    """How it is known."""


@dataclass(frozen=True)
class Cluster:
    """Questions that stay together; the same whatever the order of the dataset's lines."""

    key: str
    """The least of the names of its videos, else of its images, groups or questions: what its place is hashed from."""
    questions: tuple[Question, ...]
    """Its questions, by id."""


@dataclass(frozen=True)
class Clustering:
    """All clusters of a dataset, and how they were found."""

    clusters: tuple[Cluster, ...]
    """By key."""
    links: tuple[Link, ...]
    """What held together that has different names."""
    unknown: tuple[str, ...]
    """What could not be looked for on this machine, in sentences."""


def find_clusters(dataset: Dataset, workspace: Workspace | None = None) -> Clustering:
    """The clusters of a dataset's questions; near-duplicates are found by what of the dataset is in the workspace.

    Raises:
        EnvironmentProblemError: the workspace is not ours to look into.
    """
    links = tuple(sorted(set(_find_links(dataset, workspace)), key=lambda link: (link.kind, link.first, link.second)))
    sets = _DisjointSets()
    for question in dataset.questions:
        sets.join([f"question {question.question_id}", *_names_of(question)])
    for link in links:
        sets.join([f"{link.kind} {link.first}", f"{link.kind} {link.second}"])
    members: dict[str, list[Question]] = {}
    for question in dataset.questions:
        members.setdefault(sets.find(f"question {question.question_id}"), []).append(question)
    clusters = [
        Cluster(_choose_key(questions), tuple(sorted(questions, key=lambda question: question.question_id)))
        for questions in members.values()
    ]
    clusters.sort(key=lambda cluster: cluster.key)
    return Clustering(tuple(clusters), links, tuple(_describe_unknown(dataset, workspace)))


def _names_of(question: Question) -> list[str]:
    """What a question shares with others, each in a name that no other kind of thing has."""
    names = [f"video {question.video_id}"] if question.video_id is not None else []
    names += [f"image {image_id}" for image_id in question.image_ids]
    return names + ([f"group {question.group_id}"] if question.group_id is not None else [])


def _choose_key(questions: list[Question]) -> str:
    # a video's name stays when questions are added to it, so its place does
    by_kind: dict[str, list[str]] = {}
    for question in questions:
        for name in (*_names_of(question), f"question {question.question_id}"):
            by_kind.setdefault(name.split(" ", 1)[0], []).append(name)
    return next(min(by_kind[kind]) for kind in ("video", "image", "group", "question") if kind in by_kind)


class _DisjointSets:
    """Names that were joined, directly or through others (union–find, with path halving)."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def find(self, name: str) -> str:
        parents = self._parents
        while (parent := parents.setdefault(name, name)) != name:
            parents[name] = name = parents[parent]
        return name

    def join(self, names: list[str]) -> None:
        first = self.find(names[0])
        for name in names[1:]:
            self._parents[self.find(name)] = first


# --- what is the same under different names -------------------------------------------------------------------------


def _find_links(dataset: Dataset, workspace: Workspace | None) -> Iterator[Link]:
    yield from _find_equal_images(dataset, workspace)
    if workspace is None:
        return
    context = CheckContext(workspace)
    for finding in check_near_duplicate_images(dataset, context):
        image_ids = [str(image_id) for image_id in _as_list(finding.evidence["image_ids"])]
        for image_id in image_ids[1:]:
            yield _link("image", image_ids[0], image_id, "they look the same")
    yield from _find_equal_videos(dataset, workspace)
    for finding in check_near_duplicate_videos(dataset, context):
        if finding.video_id is not None:
            yield _link("video", finding.video_id, str(finding.evidence["other_video_id"]), finding.message)


def _find_equal_images(dataset: Dataset, workspace: Workspace | None) -> Iterator[Link]:
    """Images of the same bytes, by the digests that the dataset knows, else by those of the files that are here."""
    first_of: dict[str, str] = {}
    for image in sorted(dataset.images, key=lambda image: image.image_id):
        digest = image.sha256
        if digest is None and workspace is not None and (path := workspace.image_path(image.image_id)).is_file():
            digest = digest_file(path)
        if digest is not None and (first := first_of.setdefault(digest, image.image_id)) != image.image_id:
            yield _link("image", first, image.image_id, "they are the same bytes")


def _find_equal_videos(dataset: Dataset, workspace: Workspace) -> Iterator[Link]:
    """Videos of the same bytes or the same frames: however many copies there are, each is linked with the first."""
    known = {video.video_id for video in dataset.videos}
    first_of: dict[object, str] = {}
    fingerprints, _ = read_fingerprints(workspace.folder / FINGERPRINTS)
    for video_id in sorted(fingerprints.keys() & known):
        fingerprint = fingerprints[video_id]
        seen = {fingerprint.sha256, fingerprint.hashes if any(fingerprint.hashes) else None} - {None}
        for content in seen:
            if (first := first_of.setdefault(content, video_id)) != video_id:
                yield _link("video", first, video_id, "they are the same file, or show the same frames")


def _link(kind: str, one: str, other: str, reason: str) -> Link:
    first, second = sorted((one, other))
    return Link(kind, first, second, reason)


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _describe_unknown(dataset: Dataset, workspace: Workspace | None) -> Iterator[str]:
    if workspace is None:
        yield "Near-duplicates among videos and images were not looked for."
        return
    with_fingerprint = read_fingerprints(workspace.folder / FINGERPRINTS)[0].keys()
    videos = sum(video.video_id not in with_fingerprint for video in dataset.videos)
    if videos:
        yield (
            f"{videos:,} of {len(dataset.videos):,} videos have no fingerprint, so no near-duplicate of theirs was "
            "found. Where their files are here: ivbench-data verify --write-fingerprints"
        )
    images = sum(not workspace.image_path(image.image_id).is_file() for image in dataset.images)
    if images:
        yield f"{images:,} of {len(dataset.images):,} images are not here, so no near-duplicate of theirs was found."
