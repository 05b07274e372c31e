"""What a push would change on the Hub, file by file; the Hub is asked, and nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ivbench_data.errors import UsageError
from ivbench_data.fetch.hub import HubFile, HubListing
from ivbench_data.publish.changes import read_number
from ivbench_data.publish.hub.hub_repository import HUB_OWN_FILES, HubRepositoryClient
from ivbench_data.publish.hub.outgoing_folder import LocalFile, PublishedFolder, inspect_folder
from ivbench_data.publish.publication_record import PublishedVersion

Change = Literal["added", "changed", "deleted", "kept", "unchanged"]

MAX_FILES_A_COMMIT = 25_000
"""The Hub's limit for large files in one commit."""

WRITTEN: tuple[Change, ...] = ("added", "changed", "deleted")
"""Changes that a commit is needed for."""

PLAN_COLUMNS = ("change", "file", "bytes")


@dataclass(frozen=True)
class PlannedFile:
    """What a push does to one file of the repository."""

    path: str
    change: Change
    """`kept` is what stands there and was never part of a publication of ours; all else is about ours."""
    size_bytes: int


@dataclass(frozen=True)
class PushPlan:
    """What a push would do; nothing has been done."""

    folder: PublishedFolder
    repo_id: str
    repo_type: str
    url: str
    parent_commit: str | None
    """The head it was planned against; None when the repository would be created."""
    earlier: PublishedVersion | None
    """The version that is there."""
    files: tuple[PlannedFile, ...]
    """By path."""
    is_private: bool
    """Whether the repository is private in the end."""
    makes_public: bool
    """Whether it is made public in the end, and was not before."""

    @property
    def creates_repository(self) -> bool:
        """Whether there is no such repository yet."""
        return self.parent_commit is None

    @property
    def changes_nothing(self) -> bool:
        """Whether the repository already holds all this."""
        return not (self.creates_repository or self.makes_public or any(file.change in WRITTEN for file in self.files))

    @property
    def upload_bytes(self) -> int:
        """Bytes of the files that are added or changed; the Hub may have some of them already."""
        return sum(file.size_bytes for file in self.files if file.change in ("added", "changed"))

    def paths(self, *changes: Change) -> list[str]:
        """The files of these changes."""
        return [file.path for file in self.files if file.change in changes]


def fetch_published_version(
    repo_id: str, *, repo_type: str = "dataset", revision: str | None = None, token: str | None = None
) -> PublishedVersion | None:
    """What the version that is published there says of itself; None when there is none, or no such repository.

    Raises:
        UsageError: it cannot be a repository's name, or there is no such revision.
        DatasetError: its `publish.json` is none.
        EnvironmentProblemError: the Hub cannot be reached, or refuses.
    """
    repository = HubRepositoryClient.open(repo_id, repo_type, token)
    listing = repository.look(revision)
    return None if listing is None else repository.read_published(listing)


def plan_push(
    folder: Path | str,
    repo_id: str,
    *,
    repo_type: str = "dataset",
    private: bool | None = None,
    token: str | None = None,
) -> PushPlan:
    """What `push_folder` would do with a published folder; the Hub is asked, and nothing is written.

    Args:
        folder: what `publish --to DIR` wrote.
        repo_id: `organisation/name`, with or without `hf://`.
        repo_type: the Hub's kind of repository.
        private: False makes it public once the version is there. None leaves it as it is, and a new one private.
        token: what to log in with; None for what this machine is logged in with.

    Raises:
        UsageError: there is no such folder, the name cannot be a repository's, or what is published there is of another
            dataset, newer, or of this version with other questions.
        DatasetError: the folder is damaged, or holds what is not for others.
        EnvironmentProblemError: the Hub cannot be reached, or refuses.
    """
    repository = HubRepositoryClient.open(repo_id, repo_type, token)
    local = inspect_folder(Path(folder))
    if len(local.files) > MAX_FILES_A_COMMIT:
        raise UsageError(
            f"{folder} has {len(local.files):,} files, and the Hub takes {MAX_FILES_A_COMMIT:,} in one commit: publish "
            "with less media"
        )
    head = repository.look()
    earlier = None if head is None else repository.read_published(head)
    if earlier is not None:
        _check_follows(local.version, earlier, repository.repo_id)
    was_private = head is None or head.is_private
    if private and not was_private:
        raise UsageError(
            f"{repository.repo_id} is public: make it private on its settings page ({repository.url}/settings)"
        )
    plan = PushPlan(
        folder=local,
        repo_id=repository.repo_id,
        repo_type=repo_type,
        url=repository.url,
        parent_commit=None if head is None else head.revision,
        earlier=earlier,
        files=tuple(_plan_files(local, head, earlier)),
        is_private=was_private and private is not False,
        makes_public=was_private and private is False,
    )
    _check_unknown_files(plan)
    return plan


def plan_rows(plan: PushPlan) -> list[tuple[str, str, int]]:
    """The plan as rows under `PLAN_COLUMNS`: what is written first, then what stays."""
    order: tuple[Change, ...] = (*WRITTEN, "kept", "unchanged")
    return [
        (file.change, file.path, file.size_bytes)
        for file in sorted(plan.files, key=lambda file: (order.index(file.change), file.path))
    ]


def describe_plan(plan: PushPlan) -> list[str]:
    """The plan in a few sentences, to stand around its rows."""
    counts = Counter(file.change for file in plan.files)
    version = f"{plan.folder.version.dataset} {plan.folder.version.version}"
    over = f"over {plan.earlier.version}" if plan.earlier else "where no version of ours is yet"
    lines = [f"{version} to {plan.url}, {over}"]
    if plan.creates_repository:
        lines.append("the repository does not exist, or not for this login: it would be created, private")
    if plan.makes_public:
        lines.append("the repository would be made public at the end")
    elif plan.is_private:
        lines.append("it stays private: look at it, then make it public on its settings page")
    if plan.changes_nothing:
        lines.append("nothing to do: all of it is there already")
    else:
        one = f"one commit on {plan.parent_commit[:12]}" if plan.parent_commit else "one commit"
        lines.append(f"{one}: " + ", ".join(f"{counts[change]} {change}" for change in (*WRITTEN, "unchanged")))
    if counts["kept"]:
        lines.append(f"{counts['kept']} files there were never ours and stay as they are")
    return lines


def find_difference(listing: HubListing, plan: PushPlan) -> str | None:
    """The first file in which a listing differs from what the plan wants; None when it is all there, and no more."""
    wanted = set(plan.paths("added", "changed", "unchanged", "kept"))
    there = listing.files.keys() - HUB_OWN_FILES
    differing = (wanted ^ there) | {
        name for name, file in plan.folder.files.items() if name in there and not _is_same(listing.files[name], file)
    }
    return min(differing, default=None)


def _check_follows(ours: PublishedVersion, earlier: PublishedVersion, repo_id: str) -> None:
    if earlier.dataset != ours.dataset:
        raise UsageError(
            f"{repo_id} holds the dataset {earlier.dataset!r}, and the folder {ours.dataset!r}: give another repository"
        )
    if read_number(earlier.version) > read_number(ours.version):
        raise UsageError(
            f"{repo_id} holds version {earlier.version} already, which is newer than the folder's {ours.version}: "
            "publish a newer one"
        )
    if earlier.version == ours.version and not _is_same_data(earlier, ours):
        raise UsageError(
            f"{repo_id} holds other questions under the same version, {ours.version}: publish them as a newer one"
        )


def _is_same_data(one: PublishedVersion, other: PublishedVersion) -> bool:
    """Whether two records are about the same questions; the card and the schemas may differ."""
    kept = {"splits", "question_digests", "withdrawn"}
    return one.model_dump(include=kept) == other.model_dump(include=kept)


def _plan_files(
    local: PublishedFolder, head: HubListing | None, earlier: PublishedVersion | None
) -> Iterator[PlannedFile]:
    there = {} if head is None else {name: file for name, file in head.files.items() if name not in HUB_OWN_FILES}
    was_ours = set() if earlier is None else set(earlier.files)
    for name in sorted(local.files.keys() | there.keys()):
        mine, theirs = local.files.get(name), there.get(name)
        if mine is not None and theirs is not None:
            yield PlannedFile(name, "unchanged" if _is_same(theirs, mine) else "changed", mine.size_bytes)
        elif mine is not None:
            yield PlannedFile(name, "added", mine.size_bytes)
        elif theirs is not None:
            yield PlannedFile(name, "deleted" if name in was_ours else "kept", theirs.size_bytes)


def _check_unknown_files(plan: PushPlan) -> None:
    """Refuse what was never ours and would be read as ours, or would keep ours from being committed."""
    folders = {name.split("/")[0] for name in plan.folder.files if "/" in name}
    for name in plan.paths("kept"):
        if "/" in name and name.split("/")[0] in folders:
            raise UsageError(
                f"{plan.repo_id} holds {name}, which no publish.json there names, in a folder that ours needs for "
                "itself: delete it on the repository's page, or give another repository"
            )
        if name.rpartition("/")[2] == ".gitignore":
            raise UsageError(
                f"{plan.repo_id} holds {name}, and the Hub leaves out of a commit what it names: delete it on the "
                "repository's page"
            )


def _is_same(theirs: HubFile, mine: LocalFile) -> bool:
    return theirs.size_bytes == mine.size_bytes and theirs.holds(mine.path)
