"""The facts that a dataset card states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ivbench_data.manifests import Manifest
from ivbench_data.publish.publication_record import PublishedVersion
from ivbench_data.schema import Question


@dataclass(frozen=True)
class CardFacts:
    """Facts of one published version."""

    version: PublishedVersion
    """The version's record; its digests of files are not needed yet."""
    splits: Mapping[str, Sequence[Question]]
    """The questions, as anyone may see them."""
    manifest: Manifest | None = None
    """The benchmark's manifest, where there is one."""
    license: str | None = None
    """Licence of the annotations, as the curator names it."""
    videos: int = 0
    """Videos that the questions are about."""
    images: int = 0
    """Query images in the rows."""
    absent_images: int = 0
    """Query images that are null in the rows."""
    findings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """For each check: findings of each severity, and how many questions they are about."""
    not_checked: Sequence[str] = ()
    """Checks that were not run."""
    bad_lines: int = 0
    """Lines of the release that could not be used."""
    included: Mapping[str, int] = field(default_factory=dict)
    """Folders of media, and the files in each."""
    repo_id: str | None = None
    """Where it will be on the Hub."""

    @property
    def title(self) -> str:
        """The name people use."""
        return self.manifest.title if self.manifest is not None else self.version.dataset

    @property
    def questions(self) -> list[Question]:
        """The questions of all splits."""
        return [question for questions in self.splits.values() for question in questions]

    @property
    def hidden_splits(self) -> list[str]:
        """The splits whose answers are kept back."""
        return [name for name, split in self.version.splits.items() if split.hidden]

    @property
    def stated_license(self) -> str | None:
        """The licence that the curator names, else the benchmark's authors; None when neither does."""
        return self.license or (self.manifest.license if self.manifest is not None else None)
