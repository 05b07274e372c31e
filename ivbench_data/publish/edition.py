"""From a dataset and an earlier version to what is published next: splits, hidden answers, number, canary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.publish.hidden import HiddenAnswers, hide_answers, write_answers
from ivbench_data.publish.record import FILE_NAME, PublishedVersion, SplitRecipe, read_published
from ivbench_data.publish.repository import Repository
from ivbench_data.publish.secret import make_private_folder
from ivbench_data.schema import QueryImage, Question, Video
from ivbench_data.workspace import Workspace

FIRST_VERSION: Final = "1.0.0"
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
    """The GUID in its rows; an earlier version's is kept, so that the data can be told in all of them."""
    answers_sha256: Mapping[str, str] = field(default_factory=dict)
    """Digest of the private answers file of each split whose answers are hidden."""
    changelog: str = ""
    """Text of `CHANGELOG.md`."""
    recipe: SplitRecipe | None = None
    """How the splits were made."""


@dataclass(frozen=True)
class Earlier:
    """The version that stands where the next one goes."""

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


def read_earlier(folder: Path) -> Earlier | None:
    """The version that a folder holds; None when it holds none.

    Raises:
        DatasetError: its `publish.json` is none.
    """
    if not (folder / FILE_NAME).is_file():
        return None
    changelog = folder / CHANGELOG
    return Earlier(read_published(folder), changelog.read_text(encoding="utf-8") if changelog.is_file() else None)


def fetch_earlier(repo_id: str) -> Earlier | None:
    """The version that a repository of the Hub holds; None when it holds none, or does not exist.

    Raises:
        UsageError: it cannot be a repository's name.
        DatasetError: its `publish.json` is none.
        EnvironmentProblemError: the Hub cannot be reached, or refuses.
    """
    listing = Repository.open(repo_id, "dataset", None).look()
    if listing is None or FILE_NAME not in listing.files:
        return None
    with TemporaryDirectory(prefix="ivbench-data-") as folder:
        for name in {FILE_NAME, CHANGELOG} & listing.files.keys():
            listing.download(name, Path(folder))
        return read_earlier(Path(folder))


def check_whole(dataset: Dataset) -> None:
    """Nothing, when every line of our own files could be read: what cannot be read would be left out in silence.

    Raises:
        DatasetError: a line could not.
    """
    lost = [line for line in dataset.bad_lines if line.file in _OUR_FILES]
    if lost:
        raise DatasetError(f"{lost[0]}; the publication would lack that line, so mend it, or import the release again")


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


def keep_answers(public: PublicSplits, workspace: Workspace, version: str) -> dict[str, tuple[Path, str]]:
    """Write the hidden answers to the private folder: by split, the file and its digest.

    Raises:
        StorageError: the folder cannot be written.
    """
    kept: dict[str, tuple[Path, str]] = {}
    for name, hidden in public.hidden.items():
        path = make_private_folder(workspace) / f"answers-{name}-{version}.jsonl"
        kept[name] = (path, write_answers(path, hidden, version, name))
    return kept
