"""From a dataset and an earlier version to what is published next: splits, hidden answers, number, canary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

from ivbench_data.atomic_files import delete, digest_file, link_or_copy
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.card.changelog import write_changelog
from ivbench_data.publish.changes import FIRST_VERSION, EditionChanges, choose_version, find_changes, make_draft
from ivbench_data.publish.hidden.hidden_answers import HiddenAnswers, hide_answers, read_answers, write_answers
from ivbench_data.publish.hidden.secret import HidingSecret, keep_secret, make_private_folder
from ivbench_data.publish.hub.hub_repository import HubRepositoryClient
from ivbench_data.publish.publication_record import (
    FILE_NAME,
    PublishedVersion,
    SplitRecipe,
    digest_public_question,
    read_published,
)
from ivbench_data.publish.tables.published_media import GatheredImages
from ivbench_data.schema import QueryImage, Question, Video
from ivbench_data.workspace import Workspace

CHANGELOG: Final = "CHANGELOG.md"

_OUR_FILES: Final = ("questions.jsonl", "videos.jsonl", "images.jsonl")


@dataclass(frozen=True)
class Edition:
    """What one version says that no other does: its number, its splits, what is hidden, what changed."""

    splits: Mapping[str, Sequence[str]]
    """Ids of each split's questions, in the order of its rows."""
    version: str = FIRST_VERSION
    """Version of the data."""
    canary: str = field(default_factory=lambda: str(uuid4()))
    """The GUID in its rows; an earlier version's is kept, so that the data can be recognised in all of them."""
    answers_sha256: Mapping[str, str] = field(default_factory=dict)
    """Digest of the private answers file of each split whose answers are hidden."""
    changelog: str = ""
    """Text of `CHANGELOG.md`."""
    recipe: SplitRecipe | None = None
    """How the splits were made."""


@dataclass(frozen=True)
class EarlierEdition:
    """The version that stands where the next one goes.

    Example:
        >>> iv.read_earlier("data/published").record.version
        '1.0.0'
    """

    record: PublishedVersion
    """Its `publish.json`."""
    changelog: str | None = None
    """Its `CHANGELOG.md`; None when there is none."""


@dataclass(frozen=True)
class PublicSplits:
    """The splits as anyone may see them, and what is kept back."""

    dataset: Dataset
    """The questions of all splits, those of hidden ones without their answers."""
    splits: Mapping[str, tuple[str, ...]]
    """Ids of each split's questions; rows of hidden splits are in an order of their own."""
    hidden: Mapping[str, HiddenAnswers]
    """The hidden splits, and their answers."""

    @property
    def warnings(self) -> list[str]:
        """What hiding does not achieve, in sentences."""
        return list(dict.fromkeys(warning for hidden in self.hidden.values() for warning in hidden.warnings))


def read_earlier(folder: Path | str) -> EarlierEdition | None:
    """The version that a folder holds; None when it holds none.

    Args:
        folder: the published folder.

    Raises:
        DatasetError: its `publish.json` is none.

    Example:
        >>> iv.read_earlier("data/published").record.version
        '1.0.0'
    """
    folder = Path(folder)
    if not (folder / FILE_NAME).is_file():
        return None
    changelog = folder / CHANGELOG
    return EarlierEdition(
        read_published(folder), changelog.read_text(encoding="utf-8") if changelog.is_file() else None
    )


def fetch_earlier(repo_id: str) -> EarlierEdition | None:
    """The version that a repository of the Hub holds; None when it holds none, or does not exist.

    Args:
        repo_id: the repository, as `organisation/name`.

    Raises:
        UsageError: it cannot be a repository's name.
        DatasetError: its `publish.json` is none.
        EnvironmentProblemError: the Hub cannot be reached, or refuses.

    Example:
        >>> earlier = iv.fetch_earlier("my-lab/my-benchmark")  # doctest: +SKIP
    """
    listing = HubRepositoryClient.open(repo_id, "dataset", None).look()
    if listing is None or FILE_NAME not in listing.files:
        return None
    with TemporaryDirectory(prefix="ivbench-data-") as folder:
        for name in {FILE_NAME, CHANGELOG} & listing.files.keys():
            listing.download(name, Path(folder))
        return read_earlier(Path(folder))


def check_whole(dataset: Dataset) -> None:
    """Raise if a line of our own files could not be read: it would be left out silently.

    Raises:
        DatasetError: a line could not.
    """
    lost = [line for line in dataset.bad_lines if line.file in _OUR_FILES]
    if lost:
        raise DatasetError(f"{lost[0]}; the publication would lack that line, so mend it, or import the release again")


def find_secret(earlier: EarlierEdition | None, workspace: Workspace, given: Path | None) -> HidingSecret:
    """The secret that orders hidden options: the given one, else the kept one, else a new one for a first version.

    Raises:
        UsageError: an earlier version was made with a secret that is not here; or the given file holds none.
        StorageError: the private folder cannot be written.
    """
    is_kept = given is not None or (workspace.private / "secret").exists()
    if earlier is not None and not is_kept and any(split.hidden for split in earlier.record.splits.values()):
        raise UsageError(
            f"version {earlier.record.version} hides answers, and the secret it was made with is not in "
            f"{workspace.private}: give it with --secret-file, or hidden options would change their order"
        )
    return keep_secret(workspace, given)


def hide_splits(
    dataset: Dataset, splits: Mapping[str, Sequence[str]], names: Sequence[str], secret: bytes
) -> PublicSplits:
    """The splits, those of the names without their answers.

    Raises:
        UsageError: there is no split of a name, or it holds no question.
    """
    for name in names:
        if name not in splits:
            raise UsageError(f"there is no split {name!r} to hide the answers of; there are: {', '.join(splits)}")
        if not splits[name]:
            raise UsageError(f"the split {name!r} holds no question to hide the answer of: ask for more")
    hidden = {name: hide_answers(dataset, splits[name], secret) for name in dict.fromkeys(names)}
    questions: dict[str, Question] = {question.question_id: question for question in dataset.questions}
    videos: dict[str, Video] = {video.video_id: video for video in dataset.videos}
    images: dict[str, QueryImage] = {image.image_id: image for image in dataset.images}
    ordered = {name: tuple(ids) for name, ids in splits.items()}
    for name, part in hidden.items():
        ordered[name] = tuple(question.question_id for question in part.dataset.questions)
        questions.update((question.question_id, question) for question in part.dataset.questions)
        videos.update((video.video_id, video) for video in part.dataset.videos)
        images.update((image.image_id, image) for image in part.dataset.images)
    public = replace(
        dataset,
        videos=tuple(videos.values()),
        images=tuple(images.values()),
        questions=tuple(questions[question_id] for ids in ordered.values() for question_id in ids),
    )
    return PublicSplits(public, ordered, hidden)


def compare_with_earlier(
    public: PublicSplits, images: GatheredImages, earlier: EarlierEdition | None, workspace: Workspace
) -> tuple[EditionChanges, list[str]]:
    """What changes against the earlier version, and warnings where that is unknown.

    Hidden answers are compared with the earlier version's private files, where they are still here.
    """
    digests = {
        question.question_id: digest_public_question(question, images.digests_of(question))
        for question in public.dataset.questions
    }
    draft = make_draft(public.dataset, public.splits, digests)
    if earlier is None:
        return find_changes(None, draft), []
    rescored: set[str] = set()
    warnings = []
    for name, hidden in public.hidden.items():
        split = earlier.record.splits.get(name)
        if split is None or split.answers_sha256 is None:
            continue
        path = answers_path(workspace, name, earlier.record.version)
        places = (path, _aside_path(path, split.answers_sha256))
        kept = next((at for at in places if at.is_file() and digest_file(at) == split.answers_sha256), None)
        if kept is None:
            warnings.append(f"{path} is not here, so it is unknown whether answers of {name} changed since")
            continue
        before = {question.question_id: question.answer for question in read_answers(kept).questions}
        rescored.update(at.question_id for at in hidden.answers if before.get(at.question_id, at.answer) != at.answer)
    return find_changes(earlier.record, draft, rescored), warnings


def make_edition(
    public: PublicSplits,
    changes: EditionChanges,
    earlier: EarlierEdition | None,
    workspace: Workspace,
    wanted: str | None = None,
    recipe: SplitRecipe | None = None,
    when: date | None = None,
) -> Edition:
    """The next version, with its hidden answers written to the private folder.

    `wanted` is `major`, `minor`, `patch`, or a number; `when` stands in the changelog, by default today (UTC).

    Raises:
        UsageError: the number that is wanted is none, or too small a step for the changes.
        StorageError: the private folder cannot be written.
    """
    version = choose_version(changes, wanted)
    when = when or datetime.now(UTC).date()
    answers = {}
    for name, hidden in public.hidden.items():
        make_private_folder(workspace)
        path = answers_path(workspace, name, version)
        aside = _keep_aside(path)
        answers[name] = write_answers(path, hidden, version, name)
        if aside == _aside_path(path, answers[name]):
            delete(aside)  # the same again
    return Edition(
        splits=public.splits,
        version=version,
        canary=earlier.record.canary if earlier is not None else str(uuid4()),
        answers_sha256=answers,
        changelog=write_changelog(earlier.changelog if earlier is not None else None, version, changes, when),
        recipe=recipe,
    )


def _keep_aside(path: Path) -> Path | None:
    """Keep answers that another publication of the same number has: without them nobody can score what it is sent."""
    if not path.is_file():
        return None
    aside = _aside_path(path, digest_file(path))
    link_or_copy(path, aside)
    return aside


def _aside_path(path: Path, sha256: str) -> Path:
    return path.with_name(f"{path.stem}-{sha256[:12]}.jsonl")


def answers_path(workspace: Workspace, split: str, version: str) -> Path:
    """The private file with a split's answers; those of another publication of the same number lie beside it."""
    return workspace.private / f"answers-{split}-{version}.jsonl"
