"""The Hugging Face Hub: the files of one repository at one revision, each checked against its digest."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from ivbench_data.atomic_files import digest_file
from ivbench_data.errors import EnvironmentProblemError, RepositoryNotFoundError, StorageError, UsageError
from ivbench_data.fetch.archives import normalise_name
from ivbench_data.fetch.fetch_options import FetchOptions
from ivbench_data.fetch.outcomes import AttemptFailedError, Download
from ivbench_data.fetch.redaction import Redactor
from ivbench_data.fetch.source_metadata import find_released_path
from ivbench_data.schema import Video
from ivbench_data.workspace import VIDEO_SUFFIXES, split_video_name, stays_inside

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

ResultT = TypeVar("ResultT")

_LOGS = ("huggingface_hub", "httpx", "httpcore", "urllib3")
"""Loggers that log addresses: the Hub's library, and the HTTP libraries of its versions."""


@dataclass(frozen=True)
class HubFile:
    """One file of a repository, from its listing."""

    path: str
    size_bytes: int
    sha256: str | None
    """Digest of its bytes, for files in large file storage."""
    git_digest: str | None
    """Git's digest of its bytes with a header, for all others."""

    def holds(self, file: Path) -> bool:
        """Whether the bytes of a file on this machine are the ones listed."""
        if self.sha256 is not None:
            return digest_file(file) == self.sha256
        if self.git_digest is None:
            return True
        digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
        return digest.hexdigest() == self.git_digest


@dataclass(frozen=True)
class HubListing:
    """The files of one repository at one revision."""

    repo_id: str
    repo_type: str
    revision: str
    """The commit, in full."""
    files: Mapping[str, HubFile]
    redact: Redactor = field(default_factory=Redactor, repr=False)
    token: str | None = field(default=None, repr=False)
    """Token to use instead of the one that this machine is logged in with."""
    is_private: bool = False

    @cached_property
    def videos(self) -> dict[str, list[str]]:
        """Paths of the video files that are named after each video id, in any folder."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.files):
            if (named := split_video_name(PurePosixPath(path).name)) is not None:
                found.setdefault(named[0], []).append(path)
        return found

    def download(self, path: str, folder: Path) -> Path:
        """Download the file into `folder`, resuming what is there, and check its digest; returns its path.

        Raises:
            EnvironmentProblemError: the Hub cannot be reached, or refuses.
            StorageError: too little space, or the disk is not ours to write.
        """
        from huggingface_hub import hf_hub_download

        wanted = self.files[path]
        _check_space(folder, wanted)
        file = Path(
            call_hub(
                lambda: hf_hub_download(
                    self.repo_id,
                    path,
                    repo_type=self.repo_type,
                    revision=self.revision,
                    local_dir=folder,
                    endpoint=hub_endpoint(),
                    token=self.token,
                ),
                self.repo_id,
                self.redact,
            )
        )
        if not wanted.holds(file):
            file.unlink()
            raise EnvironmentProblemError(
                f"{self.repo_id}: what came as {path} has another digest than the Hub's listing says; fetch again"
            )
        return file


def list_repository(
    repo_id: str, repo_type: str, revision: str | None, redact: Redactor, token: str | None = None
) -> HubListing:
    """The repository's files at the revision, or at the newest one when it is None.

    Raises:
        UsageError: there is no such repository or revision.
        EnvironmentProblemError: the Hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub_endpoint(), token=token)
    info = call_hub(
        lambda: api.repo_info(repo_id, repo_type=repo_type, revision=revision, files_metadata=True), repo_id, redact
    )
    files = {
        sibling.rfilename: HubFile(
            path=sibling.rfilename,
            size_bytes=sibling.size or 0,
            sha256=sibling.lfs.sha256 if sibling.lfs else None,
            git_digest=None if sibling.lfs else sibling.blob_id,
        )
        for sibling in getattr(info, "siblings", None) or ()
        if stays_inside(sibling.rfilename)
    }
    is_private = bool(getattr(info, "private", False))
    return HubListing(repo_id, repo_type, info.sha or revision or "main", files, redact, token, is_private)


@dataclass(frozen=True)
class HubSource:
    """A repository that holds video files named after the videos, in any folder, or at the release's own paths."""

    label: str
    listing: HubListing
    max_bytes: int
    is_polite: bool = False
    yt_dlp_version: str | None = None

    @classmethod
    def open(cls, text: str, options: FetchOptions, redact: Redactor) -> HubSource:
        """The source that `hf://organisation/name[@revision]` names, its files listed.

        Raises:
            UsageError: it is not such a name, or there is no such repository.
            EnvironmentProblemError: the Hub cannot be reached, or refuses.
        """
        repo_id, _, revision = text.removeprefix("hf://").removeprefix("datasets/").partition("@")
        if repo_id.count("/") != 1 or not all(repo_id.split("/")):
            raise UsageError(f"--source {redact(text)}: a repository is named hf://organisation/name[@revision]")
        listing = list_repository(repo_id, "dataset", revision or None, redact)
        return cls(f"hf://{repo_id}", listing, options.limits.max_bytes)

    def download(self, video: Video, folder: Path) -> Download:
        """Download the video's file into the folder, resuming what is there."""
        paths = self.listing.videos.get(normalise_name(video.video_id), [])
        released = find_released_path(video)
        if released is not None and released in self.listing.files:
            paths = [released]
        if not paths:
            raise AttemptFailedError(f"not in {self.label} at {self.listing.revision[:12]}")
        path = self._choose(paths)
        size = self.listing.files[path].size_bytes
        if size > self.max_bytes:
            raise AttemptFailedError(f"{size} bytes are over the limit of {self.max_bytes}")
        try:
            file = self.listing.download(path, folder / "hub")
        except StorageError:
            raise
        except (EnvironmentProblemError, UsageError) as error:
            raise AttemptFailedError(str(error)) from None
        placed = folder / f"{video.video_id}{file.suffix.lower()}"
        file.replace(placed)
        shutil.rmtree(folder / "hub")
        return Download(file=placed, format=f"{path} at {self.listing.revision}"[:200])

    def _choose(self, paths: list[str]) -> str:
        """The path to download: of one content, of `videos/`, or in the only folder, by preference of its suffix."""
        files = self.listing.files
        if len({files[path].sha256 or files[path].git_digest or path for path in paths}) > 1:
            paths = [path for path in paths if PurePosixPath(path).parent.name == "videos"] or paths
            if len({PurePosixPath(path).parent for path in paths}) > 1:
                raise AttemptFailedError(f"different files have this name in {self.label}: {', '.join(paths[:5])}")
        return min(paths, key=lambda path: (VIDEO_SUFFIXES.index(PurePosixPath(path).suffix.lower()), path))


def call_hub(
    call: Callable[[], ResultT],
    repo_id: str,
    redact: Redactor,
    way_out: str = "import a release that you have with `ivbench-data import`",
) -> ResultT:
    """Call the Hub's library; its errors become ours, and its log lines lose their secrets.

    Raises:
        RepositoryNotFoundError: there is no such repository.
        UsageError: there is no such revision, or the name cannot be one.
        EnvironmentProblemError: the Hub cannot be reached, or refuses; `way_out` says what else one could do.
    """
    from huggingface_hub import errors

    try:
        with _without_progress_bars(), _with_redacted_log(redact):
            return call()
    except errors.GatedRepoError:
        raise EnvironmentProblemError(
            f"{repo_id} is gated: accept its terms on the Hub's page, then log in with `hf auth login`"
        ) from None
    except errors.RepositoryNotFoundError:
        raise RepositoryNotFoundError(
            f"the Hub has no repository {repo_id}, or it is private: check the name, or log in with `hf auth login`"
        ) from None
    except errors.RevisionNotFoundError:
        raise UsageError(f"{repo_id} has no such revision") from None
    except errors.HFValidationError as error:
        raise UsageError(redact.shorten(error)) from None
    except errors.LocalEntryNotFoundError as error:
        # what the library raises when it may ask for a file and gets no answer, or not the file
        if isinstance(error.__cause__, errors.HfHubHTTPError):
            raise _explain_refusal(error.__cause__, repo_id, redact) from None
        raise EnvironmentProblemError(f"the Hub cannot be reached for {repo_id}: {redact.shorten(error)}") from None
    except errors.HfHubHTTPError as error:
        raise _explain_refusal(error, repo_id, redact) from None
    except _network_errors() as error:
        raise EnvironmentProblemError(
            f"the Hub cannot be reached for {repo_id}: {type(error).__name__}: {redact.shorten(error)}. Check the "
            f"network (a proxy is named by HTTPS_PROXY), or {way_out}"
        ) from None
    except (ValueError, RuntimeError) as error:  # an invalid response, an upload that was given up
        message = redact.shorten(f"{error} {error.__cause__ or ''}")
        raise EnvironmentProblemError(f"the exchange with the Hub for {repo_id} failed: {message}") from None


def _explain_refusal(error: HfHubHTTPError, repo_id: str, redact: Redactor) -> EnvironmentProblemError:
    status = error.response.status_code
    advice = {401: "log in with `hf auth login`: ", 429: "it limits the rate of requests: wait before a re-run: "}
    return EnvironmentProblemError(
        f"the Hub refuses for {repo_id} with HTTP Error {status}: {advice.get(status, '')}{redact.shorten(error)}"
    )


def _network_errors() -> tuple[type[BaseException], ...]:
    """Errors of the Hub's HTTP library: which library that is has changed, and may again."""
    from huggingface_hub import errors

    return (OSError, getattr(errors, "HTTPError", OSError))


def _check_space(folder: Path, wanted: HubFile) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StorageError.from_os_error(error, folder) from error
    if wanted.size_bytes > free:
        raise StorageError(
            f"{wanted.path} has {wanted.size_bytes:,} bytes, and {folder} has room for {free:,}: free some space, or "
            "choose another folder with --root"
        )


def hub_endpoint() -> str | None:
    """Address of the Hub, if it is not the default one."""
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """The Hub's library draws bars of its own; the command line has one already."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


@contextmanager
def _with_redacted_log(redact: Redactor) -> Iterator[None]:
    """Take secrets out of the Hub library's log: it logs addresses it retries, and upload addresses are signed."""

    def take_out_secrets(record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True

    # a filter sees the records of its own logger, not those that child loggers propagate
    loggers = [logging.getLogger(name) for name in [*logging.root.manager.loggerDict] if name.startswith(_LOGS)]
    for logger in loggers:
        logger.addFilter(take_out_secrets)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(take_out_secrets)
