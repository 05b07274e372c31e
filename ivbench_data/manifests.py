"""What is known of each benchmark before any of it is here: sources, expected counts, task groups, published figures.

One JSON file a benchmark, in `manifests/`. A null is something that nobody has recorded yet; nothing is invented.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError

from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.schema import NonEmpty, Record, SafeName, Sha256
from ivbench_data.strict_json import explain


class HubRepository(Record):
    """Where the parts come from.

    Example:
        >>> iv.load_manifest("ivbench").hub.repo_id
        'm-a-p/IV-Bench'
    """

    repo_id: NonEmpty
    """`organisation/name` on the Hugging Face Hub."""
    repo_type: NonEmpty = "dataset"
    """Kind of repository."""
    revision: str | None = None
    """Commit that was fetched first and is fetched since; None until then."""
    files: dict[str, Sha256] = Field(default_factory=dict)
    """Digest of each file at that revision, recorded by the first fetch."""


class ReleaseFile(Record):
    """The annotations as released.

    Example:
        >>> iv.load_manifest("ivbench").release.file_name
        'test_data.jsonl'
    """

    file_name: SafeName
    """Name of the file."""
    sha256: Sha256 | None = None
    """Digest of the file that this manifest's counts were taken from."""


class ManifestCounts(Record):
    """How many there should be; None where nobody says.

    Example:
        >>> iv.load_manifest("ivbench").released.questions
        1686
    """

    videos: NonNegativeInt | None = None
    """Videos."""
    images: NonNegativeInt | None = None
    """Query images."""
    questions: NonNegativeInt | None = None
    """Questions."""


class ManifestTask(Record):
    """One task of the benchmark.

    Example:
        >>> [task.name for task in iv.load_manifest("ivbench").tasks][:2]
        ['Existence', 'Reverse Existence']
    """

    name: NonEmpty
    """The paper's name, which `Question.task` holds."""
    group: NonEmpty | None = None
    """Key of its group."""
    labels: tuple[NonEmpty, ...] = ()
    """How the release spells it."""
    metric: NonEmpty | None = None
    """How its figure is made of replies, a name in `evaluate.metrics.METRICS`; None for accuracy over options."""
    released: NonNegativeInt | None = None
    """Questions in the release."""
    published: NonNegativeInt | None = None
    """Questions in the paper."""


class PublishedResult(Record):
    """One row of the paper's main table: accuracy in per cent.

    Example:
        >>> iv.load_manifest("ivbench").published_results[0].model
        'Llama-vid'
    """

    model: NonEmpty
    """The model's name as printed."""
    group: str | None = None
    """The table's heading above it."""
    overall: float | None = None
    """The overall figure as printed."""
    groups: dict[str, float] = Field(default_factory=dict)
    """Figure of each task group."""
    tasks: dict[str, float | None] = Field(default_factory=dict)
    """Figure of each task."""


class Manifest(Record):
    """All that is known of one benchmark beforehand.

    Example:
        >>> manifest = iv.load_manifest("ivbench")
        >>> manifest.name, len(manifest.tasks)
        ('ivbench', 13)
    """

    format_version: PositiveInt
    """Version of this file's form."""
    name: SafeName
    """The dataset's name, and its folder's."""
    title: NonEmpty
    """The name people use."""
    paper: str | None = None
    """Where it was published."""
    homepage: str | None = None
    """Where its authors present it."""
    license: str | None = None
    """Licence of the annotations; None where the authors state none that we know of."""
    hub: HubRepository | None = None
    """Its repository on the Hub."""
    other_hubs: dict[str, HubRepository] = Field(default_factory=dict)
    """Further repositories of its authors, by what they hold; `fetch` does not read them."""
    release: ReleaseFile | None = None
    """Its annotations file."""
    video_url_template: str | None = None
    """Address of a video, with `{video_id}` in it."""
    released: ManifestCounts = ManifestCounts()
    """What the release holds."""
    published: ManifestCounts = ManifestCounts()
    """What the paper says."""
    published_counts_from: str | None = None
    """Where the published counts come from, when the paper does not print them."""
    task_groups: dict[str, NonEmpty] = Field(default_factory=dict)
    """Key and title of each group of tasks."""
    tasks: tuple[ManifestTask, ...] = ()
    """The tasks, in the paper's order."""
    overall: Literal["questions", "tasks"] = "questions"
    """What Overall and the groups' figures are the mean of: all questions alike, or the tasks' figures alike."""
    video_categories: tuple[NonEmpty, ...] = ()
    """Categories of videos."""
    granularities: dict[str, tuple[NonEmpty, ...]] = Field(default_factory=dict)
    """Our word for how much of the video a question is about, and the release's spellings of it."""
    options_per_question: PositiveInt | None = None
    """Options that the benchmark promises."""
    profiles: dict[str, NonEmpty] = Field(default_factory=dict)
    """What the words `paper` and the like mean of this benchmark: a profile in `evaluate.prompts.PROFILES`."""
    published_results: tuple[PublishedResult, ...] = ()
    """The paper's main table."""

    def task_of_label(self) -> dict[str, str]:
        """Every spelling of a task in the release, and the task's name."""
        return {label: task.name for task in self.tasks for label in (task.name, *task.labels)}

    def granularity_of_label(self) -> dict[str, str]:
        """Every spelling of a granularity in the release, and our word for it."""
        return {label: word for word, labels in self.granularities.items() for label in labels}


def packaged_folder(name: str) -> Path:
    """The folder `manifests` or `schemas`: inside the installed package, or at the top of the repository."""
    package = Path(__file__).resolve().parent
    installed = package / "_packaged" / name
    return installed if installed.is_dir() else package.parent / name


def manifest_names() -> list[str]:
    """Names of the benchmarks that have a manifest."""
    return sorted(path.stem for path in packaged_folder("manifests").glob("*.json"))


def find_manifest(dataset: Dataset) -> Manifest | None:
    """The manifest of the dataset's benchmark, or None where there is none."""
    name = find_manifest_name(dataset)
    return load_manifest(name) if name is not None else None


def find_manifest_name(dataset: Dataset) -> str | None:
    """The benchmark's name: the dataset's own, or that of the source it was imported from under another name."""
    names = manifest_names()
    return next((str(name) for name in (dataset.name, dataset.provenance.get("source")) if name in names), None)


@cache
def load_manifest(name: str) -> Manifest:
    """The manifest of a benchmark.

    Args:
        name: name of the benchmark.

    Raises:
        UsageError: there is none of that name.
        DatasetError: the file is not a manifest.

    Example:
        >>> iv.load_manifest("ivbench").released.questions
        1686
    """
    if name not in manifest_names():
        raise UsageError(f"there is no manifest named {name!r}; there are: {', '.join(manifest_names())}")
    path = packaged_folder("manifests") / f"{name}.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DatasetError(f"{path}: {explain(error)}") from error
