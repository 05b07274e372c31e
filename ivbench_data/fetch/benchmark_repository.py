"""A benchmark's own repository on the Hub: its files at the pinned revision, and its videos.

Paths, revision and digests are recorded in `raw/hub.json`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pydantic import Field, ValidationError

from ivbench_data.atomic_files import claim_scratch_folder, digest_file, move_into_place, write_atomically, write_json
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, EnvironmentProblemError, StorageError, UsageError
from ivbench_data.fetch.archives import ArchiveRefusedError, copy_bounded, is_archive, iterate_members, normalise_name
from ivbench_data.fetch.hub import HubListing, HubSource, list_repository
from ivbench_data.fetch.outcomes import AttemptFailedError, Download
from ivbench_data.fetch.redaction import Redactor
from ivbench_data.fetch.source_metadata import find_released_path
from ivbench_data.manifests import Manifest, find_manifest
from ivbench_data.schema import Record, SafeName, Sha256, Video
from ivbench_data.strict_json import explain
from ivbench_data.workspace import Workspace, split_video_name


class HubRecord(Record):
    """Contents of `raw/hub.json`."""

    repo_id: str
    """The repository."""
    revision: str
    """The pinned commit: the one that was downloaded first."""
    files: dict[str, Sha256] = Field(default_factory=dict)
    """Digest of each downloaded file."""
    images: dict[SafeName, str] = Field(default_factory=dict)
    """Where each image was found: a path in the repository, and after `!/` the path in the archive."""


@dataclass
class Repository:
    """The benchmark's repository at its pinned revision, and the digests of downloaded files."""

    workspace: Workspace
    listing: HubListing
    files: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    archive: str | None = None
    """Path of the release, where it is one archive of annotations and media."""

    @classmethod
    def open(cls, manifest: Manifest, workspace: Workspace, redact: Redactor) -> Repository:
        """The repository that the manifest names, listed at the pinned revision.

        Raises:
            UsageError: the manifest names none, or there is none of that name.
            EnvironmentProblemError: the Hub cannot be reached, or refuses.
        """
        if manifest.hub is None:
            raise UsageError(f"the manifest of {manifest.name} names no repository on the Hub")
        record = _read_record(workspace)
        if record is not None and record.repo_id != manifest.hub.repo_id:
            record = None
        revision = record.revision if record else manifest.hub.revision
        listing = list_repository(manifest.hub.repo_id, manifest.hub.repo_type, revision, redact)
        digests = {**manifest.hub.files, **(record.files if record else {})}
        named = manifest.release.file_name if manifest.release else ""
        archive = next((path for path in listing.files if is_archive(path) and PurePosixPath(path).name == named), None)
        return cls(workspace, listing, digests, dict(record.images) if record else {}, archive)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for unfinished downloads; it survives a kill, and is deleted on success."""
        parent = self.workspace.folder / ".fetching" / "hub"
        folder = claim_scratch_folder(parent)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
        for empty in (parent, parent.parent):
            with suppress(OSError):  # another run's
                empty.rmdir()

    def fetch(self, path: str, folder: Path) -> Path:
        """Download the file, and check its digest with that of the first download; returns its path.

        The archive that is the release stays in `raw/`, since it holds annotations and media.
        """
        kept = self.workspace.raw / PurePosixPath(path).name if path == self.archive else None
        if kept is not None and kept.is_file() and digest_file(kept) == self.files.get(path):
            return kept
        file = self.listing.download(path, folder)
        digest = digest_file(file)
        if self.files.setdefault(path, digest) != digest:
            raise EnvironmentProblemError(
                f"{self.listing.repo_id}: {path} has the digest {digest}, where {self.files[path]} was recorded for "
                f"revision {self.listing.revision}. If that is meant, delete {self.workspace.raw / 'hub.json'}"
            )
        if kept is None:
            return file
        move_into_place(file, kept)
        self.save()
        return kept

    def save(self) -> None:
        """Write `raw/hub.json`, for the next run."""
        record = HubRecord(
            repo_id=self.listing.repo_id, revision=self.listing.revision, files=self.files, images=self.images
        )
        write_json(self.workspace.raw / "hub.json", record.model_dump())


def _read_record(workspace: Workspace) -> HubRecord | None:
    path = workspace.raw / "hub.json"
    try:
        return HubRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise DatasetError(f"{path}: {explain(error)}. Delete it to pin the repository anew") from error


# --- videos in the release ----------------------------------------------------------------------------


@dataclass
class ReleaseSource:
    """The benchmark's own repository, with videos as loose files or in the archive that is the release."""

    dataset: Dataset
    workspace: Workspace
    max_bytes: int
    redact: Redactor
    label: str = "origin"
    is_polite: bool = False
    yt_dlp_version: str | None = None
    _archive: Path | HubListing | None = None

    def download(self, video: Video, folder: Path) -> Download:
        """Extract the video's file from the archive, which is downloaded once and kept in `raw/`."""
        archive = self._find_archive(folder)
        if isinstance(archive, HubListing):
            return HubSource(self.label, archive, self.max_bytes).download(video, folder)
        released = f"/{normalise_name(find_released_path(video) or video.video_id)}"
        try:
            for member, _, open_member in iterate_members(archive):
                path = f"/{normalise_name(member)}"
                named = split_video_name(path)
                if named is not None and (path.endswith(released) or named[0].endswith(released)):
                    target = folder / f"{video.video_id}{named[1]}"
                    with write_atomically(target) as file:
                        copy_bounded(open_member, file, self.max_bytes)
                    return Download(file=target, format=f"{archive.name}!/{member}"[:200])
        except ArchiveRefusedError as error:
            raise AttemptFailedError(f"{archive.name}: {error}") from None
        raise AttemptFailedError(f"not in {archive.name}")

    def _find_archive(self, folder: Path) -> Path | HubListing:
        """The archive; or the repository's files, where none of them is one."""
        if self._archive is None:
            manifest = find_manifest(self.dataset)
            try:
                if manifest is None:
                    raise UsageError(f"no repository is known to hold the videos of {self.dataset.name}")
                repository = Repository.open(manifest, self.workspace, self.redact)
                named = repository.archive
                self._archive = repository.listing if named is None else repository.fetch(named, folder / "hub")
            except StorageError:
                raise
            except (EnvironmentProblemError, UsageError) as error:
                raise AttemptFailedError(str(error)) from None
        return self._archive
