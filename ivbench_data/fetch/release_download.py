"""Download annotations and query images from the Hub: found by listing the repository, checked, recorded.

No layout is assumed: the annotations file is found by its name, each image by its name too, loose in any folder or
inside any archive. Paths, revision and digests are recorded in `raw/hub.json`; later runs download that revision.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from ivbench_data.atomic_files import delete, digest_file, link_or_copy, write_atomically
from ivbench_data.dataset import Dataset
from ivbench_data.errors import EnvironmentProblemError, UsageError
from ivbench_data.fetch.archives import (
    ArchiveRefusedError,
    copy_bounded,
    is_archive,
    iterate_members,
    normalise_name,
)
from ivbench_data.fetch.benchmark_repository import Repository
from ivbench_data.fetch.redaction import Redactor
from ivbench_data.manifests import Manifest, find_manifest_name, load_manifest
from ivbench_data.query_images import MAX_IMAGE_BYTES, find_image_fault, open_image
from ivbench_data.schema import QueryImage, Record, SafeName
from ivbench_data.sources import RELEASE_FILES, SOURCES, import_dataset
from ivbench_data.strict_json import read_jsonl, write_jsonl
from ivbench_data.withdrawals import Withdrawal, find_image_withdrawal
from ivbench_data.workspace import Workspace, stays_inside

MAX_ANNOTATION_BYTES = 2**30
"""Size limit of one annotations file in an archive."""
MAX_UNPACKED_BYTES = 64 * 2**30
"""Size limit of all images of one archive together."""


class ImageResult(Record):
    """Outcome of downloading one query image."""

    image_id: SafeName
    """The image."""
    status: Literal["ok", "missing", "failed"]
    """On disk and readable, not found, or found and refused."""
    reason: str | None = None
    """Why, when it is not `ok`."""
    origin: str | None = None
    """Where it was found: a path in the repository, and after `!/` the path in the archive."""


@dataclass(frozen=True)
class AnnotationsResult:
    """Outcome of downloading the annotations."""

    file: Path
    sha256: str
    was_here: bool
    revision: str | None
    matches_manifest: bool | None
    """Whether its digest is the manifest's; None when the manifest has none."""


def fetch_annotations(name: str, root: Path, redact: Redactor | None = None) -> AnnotationsResult:
    """Download the benchmark's annotations into `raw/`, unless they are there, and import them.

    Raises:
        UsageError: there is no manifest of that name, or it names no repository.
        EnvironmentProblemError: the Hub cannot be reached, or the repository does not hold the file.
    """
    manifest = load_manifest(name)
    if manifest.release is None or name not in SOURCES:
        raise UsageError(f"the manifest of {name} names no annotations file to fetch: use `ivbench-data import`")
    workspace = Workspace(root, name)
    here = [workspace.raw / file_name for file_name in RELEASE_FILES[name]]
    file = next((path for path in here if path.is_file()), None)
    if file is not None and (workspace.folder / "dataset.json").is_file():
        return _describe_annotations(manifest, file, was_here=True, revision=None)
    repository = Repository.open(manifest, workspace, redact or Redactor())
    named = [path for path in repository.listing.files if PurePosixPath(path).name == manifest.release.file_name]
    if not named:
        shown = ", ".join(sorted(repository.listing.files)[:20])
        raise EnvironmentProblemError(
            f"{repository.listing.repo_id} at {repository.listing.revision[:12]} holds no "
            f"{manifest.release.file_name}; it holds: {shown}. Get the file elsewhere, and import it: "
            f"ivbench-data import {name} PATH"
        )
    with repository.scratch() as scratch:
        fetched = repository.fetch(min(named, key=lambda path: (path.count("/"), path)), scratch)
        if is_archive(fetched.name):
            fetched = _unpack_annotations(fetched, RELEASE_FILES[name], scratch / "unpacked")
        import_dataset(name, fetched, root)
        repository.save()
    file = next(path for path in here if path.is_file())
    return _describe_annotations(manifest, file, was_here=False, revision=repository.listing.revision)


def _unpack_annotations(archive: Path, names: Sequence[str], folder: Path) -> Path:
    """Unpack the archive's annotation files, from any of its folders; returns the target folder.

    Raises:
        EnvironmentProblemError: the archive cannot be read, or holds none of them.
    """
    found: dict[str, str] = {}
    try:
        for member, _, open_member in iterate_members(archive):
            name = next((name for name in names if f"/{member}".endswith(f"/{name}") and name not in found), None)
            if name is not None:
                found[name] = member
                with write_atomically(folder / name) as file:
                    copy_bounded(open_member, file, MAX_ANNOTATION_BYTES)
    except ArchiveRefusedError as error:
        raise EnvironmentProblemError(f"{archive}: {error}") from error
    if not found:
        raise EnvironmentProblemError(f"{archive} holds no file of: {', '.join(names[:4])}")
    return folder


def _describe_annotations(manifest: Manifest, file: Path, was_here: bool, revision: str | None) -> AnnotationsResult:
    digest = digest_file(file)
    release = manifest.release
    promised = release.sha256 if release is not None and not is_archive(release.file_name) else None
    return AnnotationsResult(file, digest, was_here, revision, None if promised is None else promised == digest)


def fetch_images(
    dataset: Dataset,
    root: Path,
    redact: Redactor | None = None,
    notify: Callable[[str], None] | None = None,
    folders: Sequence[Path] = (),
) -> Iterator[ImageResult]:
    """Outcomes, one for each query image: on disk already, downloaded now, or why not.

    `folders` are searched first; the Hub is asked only for the rest. `notify` is called with a message before each long
    download.

    Raises:
        EnvironmentProblemError: the Hub cannot be reached, or refuses.
        StorageError: the disk is full, or not ours to write.
    """
    workspace = Workspace(root, dataset.name)
    wanted: dict[str, QueryImage] = {}
    for image in dataset.images:
        path = workspace.image_path(image.image_id)
        if find_image_withdrawal(workspace.folder, image.image_id, dataset.withdrawals) is not None:
            continue
        if path.is_file() and find_image_fault(path) is None and image.sha256 in (None, digest_file(path)):
            yield ImageResult(image_id=image.image_id, status="ok")
        elif (original := _take_from_folder(image, folders, path)) is not None:
            yield ImageResult(image_id=image.image_id, status="ok", origin=str(original))
        else:
            wanted[_name_in_release(image)] = image
    if folders:
        _record_images(workspace)
    if not wanted:
        return
    name = find_manifest_name(dataset)
    manifest = load_manifest(name) if name is not None else None
    if manifest is None or manifest.hub is None:
        reason = f"no repository is known to hold it: put its file in {workspace.images}"
        for image in wanted.values():
            yield ImageResult(image_id=image.image_id, status="missing", reason=reason)
        return
    repository = Repository.open(manifest, workspace, redact or Redactor())
    try:
        with repository.scratch() as scratch:
            found = _Images(repository, workspace, wanted, notify or (lambda message: None), dataset.withdrawals)
            yield from found.fetch(scratch)
    finally:
        repository.save()
        _record_images(workspace)


def _take_from_folder(image: QueryImage, folders: Sequence[Path], target: Path) -> Path | None:
    """Link or copy the image's file from one of the folders; returns the original, or None where none has it.

    Searched by its name, in `images/`, and at the release's path.
    """
    released = image.source_metadata.get("path")
    names = [image.image_id, f"images/{image.image_id}"]
    if isinstance(released, str) and stays_inside(released):
        names.append(released)
    for original in (folder / name for folder in folders for name in names):
        if not original.is_file() or find_image_fault(original) is not None:
            continue
        if image.sha256 in (None, digest_file(original)):
            link_or_copy(original, target)
            return original
    return None


@dataclass
class _Images:
    """Searches a repository for images: loose files first, then archives, the smallest first."""

    repository: Repository
    workspace: Workspace
    wanted: dict[str, QueryImage]
    notify: Callable[[str], None]
    withdrawals: Sequence[Withdrawal] = ()
    """Those that were recorded when the run began."""
    refused: dict[str, str] = field(default_factory=dict)
    """Names that were found and refused, and why."""
    taken: dict[str, str] = field(default_factory=dict)
    """Digest of the image taken under each name, to distinguish copies from other images of the same name."""

    def fetch(self, scratch: Path) -> Iterator[ImageResult]:
        files = self.repository.listing.files
        loose: dict[str, list[str]] = {}
        for path in sorted(files):
            name = self._find_wanted(path)
            if name is not None:
                loose.setdefault(name, []).append(path)
        if loose:
            self.notify(f"{len(loose)} images lie loose in {self.repository.listing.repo_id}")
        for name, paths in loose.items():
            yield from self._take_loose(name, paths, scratch)
        for path in sorted(filter(is_archive, files), key=lambda path: (files[path].size_bytes, path)):
            if not self.wanted.keys() - self.taken.keys():
                break
            self.notify(f"downloading {path} ({files[path].size_bytes:,} bytes) to look for images in it")
            archive = self.repository.fetch(path, scratch)
            yield from self._take_members(path, archive)
            if archive.is_relative_to(scratch):
                archive.unlink()
        for name, image in self.wanted.items():
            if name not in self.taken:
                yield self._describe_missing(name, image)

    def _find_wanted(self, path: str) -> str | None:
        """The name of the wanted image that a path ends with, the longest; None where it is none."""
        parts = normalise_name(path.replace("\\", "/")).split("/")
        ends = ("/".join(parts[at:]) for at in range(len(parts)))
        return next((end for end in ends if end in self.wanted), None)

    def _take_loose(self, name: str, paths: list[str], scratch: Path) -> Iterator[ImageResult]:
        files = self.repository.listing.files
        digests = {files[path].sha256 or files[path].git_digest for path in paths}
        if len(digests) > 1:
            self.refused[name] = f"several different files have this name: {', '.join(paths[:5])}"
            return
        if files[paths[0]].size_bytes > MAX_IMAGE_BYTES:
            self.refused[name] = f"{paths[0]} has more than {MAX_IMAGE_BYTES} bytes"
            return
        file = self.repository.fetch(paths[0], scratch)
        if self._take(name, paths[0], lambda: file.open("rb")):
            yield ImageResult(image_id=self.wanted[name].image_id, status="ok", origin=paths[0])
        file.unlink()

    def _take_members(self, archive_path: str, archive: Path) -> Iterator[ImageResult]:
        unpacked = 0
        found: dict[str, str] = {}
        try:
            for member, _, open_member in iterate_members(archive):
                origin, name = f"{archive_path}!/{member}", self._find_wanted(member)
                if name is None:
                    continue
                if name in found:
                    self._compare_with_taken(name, found[name], origin, open_member)
                elif name not in self.taken:
                    found[name] = origin
                    if self._take(name, origin, open_member):
                        unpacked += self.workspace.image_path(self.wanted[name].image_id).stat().st_size
                    if unpacked > MAX_UNPACKED_BYTES:
                        raise ArchiveRefusedError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
        except ArchiveRefusedError as error:
            self.notify(f"{archive_path}: {error}")
        # only now: a later member may show that a name means several images
        for name, origin in found.items():
            if name in self.taken:
                yield ImageResult(image_id=self.wanted[name].image_id, status="ok", origin=origin)

    def _take(self, name: str, origin: str, open_content: Callable[[], IO[bytes]]) -> bool:
        """Write one image into `images/` if it is valid; returns whether it was."""
        image = self.wanted[name]
        try:
            with write_atomically(self.workspace.image_path(image.image_id)) as file:
                digest = copy_bounded(open_content, file, MAX_IMAGE_BYTES)
                file.flush()
                fault = find_image_fault(Path(file.name))
                if fault is None and image.sha256 not in (None, digest):
                    fault = f"its digest is {digest}, not {image.sha256}"
                if fault is not None:
                    raise ArchiveRefusedError(fault)
                self._check_not_withdrawn(image)
            try:
                self._check_not_withdrawn(image)
            except ArchiveRefusedError:
                # recorded since: the takedown may have looked for files before this one was there
                delete(self.workspace.image_path(image.image_id))
                raise
        except ArchiveRefusedError as error:
            self.refused[name] = f"{origin}: {error}"
            return False
        self.taken[name] = digest
        self.repository.images[image.image_id] = origin
        return True

    def _check_not_withdrawn(self, image: QueryImage) -> None:
        withdrawal = find_image_withdrawal(self.workspace.folder, image.image_id, self.withdrawals)
        if withdrawal is not None:
            raise ArchiveRefusedError(f"withdrawn: {withdrawal}")

    def _compare_with_taken(self, name: str, first: str, other: str, open_content: Callable[[], IO[bytes]]) -> None:
        """Remove the image when another one has its name: the right one cannot be known."""
        try:
            digest = copy_bounded(open_content, io.BytesIO(), MAX_IMAGE_BYTES)
        except ArchiveRefusedError:
            return
        if self.taken.get(name) not in (None, digest):
            del self.taken[name]
            image_id = self.wanted[name].image_id
            self.workspace.image_path(image_id).unlink()
            del self.repository.images[image_id]
            self.refused[name] = f"different images have this name: {first} and {other}"

    def _describe_missing(self, name: str, image: QueryImage) -> ImageResult:
        if name in self.refused:
            return ImageResult(image_id=image.image_id, status="failed", reason=self.refused[name])
        listing = self.repository.listing
        return ImageResult(
            image_id=image.image_id,
            status="missing",
            reason=f"no file of this name in {listing.repo_id} at {listing.revision[:12]}, nor in its archives",
        )


def _name_in_release(image: QueryImage) -> str:
    """Name to search for: the image's path in the release where that is stated, else its id."""
    path = image.source_metadata.get("path")
    return normalise_name(path if isinstance(path, str) else image.image_id)


def _record_images(workspace: Workspace) -> None:
    """Write digest and size of each image on disk into `images.jsonl`, where they are not recorded yet."""
    path = workspace.folder / "images.jsonl"
    if not path.is_file():
        return
    images, bad = read_jsonl(path, QueryImage, "image_id")
    if bad:
        return  # writing the file anew would lose the lines that cannot be read
    updated = []
    for image in images:
        file = workspace.image_path(image.image_id)
        if image.sha256 is None and file.is_file():
            with open_image(file) as opened:
                width, height = opened.size
            image = image.model_copy(update={"sha256": digest_file(file), "width": width, "height": height})
        updated.append(image)
    if updated != images:
        write_jsonl(path, updated)
