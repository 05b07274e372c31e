"""Sources of videos: their origin, a mirror's addresses, a folder, a repository on the Hub.

A source downloads one video into a scratch folder, or raises the reason why not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies

from ivbench_data.dataset import Dataset
from ivbench_data.errors import MissingDependencyError, StorageError, UsageError
from ivbench_data.fetch.allowed_addresses import AddressGuard, endpoint_of, is_local_endpoint
from ivbench_data.fetch.fetch_options import FetchOptions
from ivbench_data.fetch.outcomes import AttemptFailedError, Download
from ivbench_data.fetch.redaction import Redactor, secrets_of_address, secrets_of_cookies
from ivbench_data.fetch.source_metadata import find_released_path
from ivbench_data.manifests import find_manifest
from ivbench_data.schema import Video
from ivbench_data.workspace import VIDEO_SUFFIXES, Workspace, find_video_file

ID_FIELD = "{video_id}"


class Source(Protocol):
    """A source of videos."""

    @property
    def label(self) -> str:
        """Its name in the ledger, without secrets."""
        ...

    @property
    def is_polite(self) -> bool:
        """Whether to pause between two videos: it belongs to others."""
        ...

    @property
    def yt_dlp_version(self) -> str | None:
        """Version of yt-dlp, when it is used."""
        ...

    def download(self, video: Video, folder: Path) -> Download:
        """Download the video into the folder.

        Raises:
            AttemptFailedError: the attempt failed.
            StorageError: the disk is full, or not ours to write.
        """
        ...


@dataclass(frozen=True)
class AddressSource:
    """Addresses, fetched with yt-dlp: pages that its extractors read, or video files."""

    label: str
    template: str | None = field(repr=False)  # it may hold a password
    is_origin: bool
    is_polite: bool
    options: FetchOptions
    guard: AddressGuard
    redact: Redactor
    extractors: Sequence[type] | None
    yt_dlp_version: str | None

    def download(self, video: Video, folder: Path) -> Download:
        """Download the video into the folder, resuming what is there."""
        from ivbench_data.fetch.ytdlp import Attempt

        template = video.url if self.is_origin and video.url else self.template
        if template is None:
            raise AttemptFailedError("no address is known for the video")
        # an id may begin with a dash or hold a slash: it is only ever a part of an address, never of a command line
        url = template.replace(ID_FIELD, quote(video.video_id, safe=""))
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise AttemptFailedError(self.redact.shorten(f"unsupported url scheme: {parts.scheme or url}"))
        is_file = PurePosixPath(unquote(parts.path)).suffix.lower() in VIDEO_SUFFIXES
        attempt = Attempt(video.video_id, folder, self.options, self.guard, self.redact, self.extractors)
        return attempt.run(url, is_file)


@dataclass(frozen=True)
class FolderSource:
    """A folder with files named after the videos, or at the paths that the release gives them.

    Each is linked, or copied where linking is not possible.
    """

    folder: Path
    max_bytes: int
    label: str
    is_polite: bool = False
    yt_dlp_version: str | None = None

    def download(self, video: Video, folder: Path) -> Download:
        """Link or copy the video's file into the folder."""
        original = find_video_file(self.folder, video.video_id)
        if original is None and (released := find_released_path(video)):
            original = self.folder / released
        if original is None or not original.is_file():
            raise AttemptFailedError(f"not in the folder {self.folder}")
        size = original.stat().st_size
        if size > self.max_bytes:
            raise AttemptFailedError(f"{size} bytes are over the limit of {self.max_bytes}")
        target = folder / f"{video.video_id}{original.suffix.lower()}"
        target.unlink(missing_ok=True)
        try:
            os.link(original.resolve(), target)
        except OSError:  # another file system, or one that has no links, or somebody else's file
            try:
                shutil.copyfile(original, target)
            except OSError as error:
                raise StorageError.from_os_error(error, target) from error
        return Download(file=target)


def open_sources(
    dataset: Dataset, workspace: Workspace, options: FetchOptions, extractors: Sequence[type] | None = None
) -> list[Source]:
    """The sources that the options name, in their order.

    Raises:
        UsageError: one of them is not a source.
        MissingDependencyError: yt-dlp is needed and not installed.
    """
    redact = make_redactor(options)
    return [
        _open_source(text, dataset, workspace, options, redact, extractors) for text in dict.fromkeys(options.sources)
    ]


def list_folders(sources: Sequence[str]) -> list[Path]:
    """The sources that are folders, in their order; images are searched for in them, too."""
    named = [Path(text).expanduser() for text in sources if text != "origin" and "://" not in text]
    return [folder.resolve() for folder in named if folder.is_dir()]


def uses_yt_dlp(dataset: Dataset, options: FetchOptions) -> bool:
    """Whether any of the sources is asked with yt-dlp."""
    return any(
        source.startswith("http") or (source == "origin" and not _comes_with_release(dataset))
        for source in options.sources
    )


def _comes_with_release(dataset: Dataset) -> bool:
    """Whether the benchmark keeps its videos in its own repository: it has one, and no video has an address."""
    manifest = find_manifest(dataset)
    is_there = manifest is not None and manifest.hub is not None and manifest.video_url_template is None
    return is_there and not any(video.url for video in dataset.videos)


def make_redactor(options: FetchOptions) -> Redactor:
    """A redactor that knows the options' secrets, and the Hub's token."""
    from huggingface_hub import get_token

    proxies = [options.proxy.get_secret_value()] if options.proxy else list(getproxies().values())
    addresses = [*options.sources, *proxies]
    return Redactor(
        [
            *(secret for address in addresses for secret in secrets_of_address(address)),
            *secrets_of_cookies(options.cookies),
            *filter(None, [get_token()]),
        ]
    )


def _open_source(
    text: str,
    dataset: Dataset,
    workspace: Workspace,
    options: FetchOptions,
    redact: Redactor,
    extractors: Sequence[type] | None,
) -> Source:
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if text == "origin" and _comes_with_release(dataset):
        from ivbench_data.fetch.benchmark_repository import ReleaseSource

        return ReleaseSource(dataset, workspace, options.limits.max_bytes, redact)
    if scheme == "hf":
        from ivbench_data.fetch.hub import HubSource

        return HubSource.open(text, options, redact)
    if text == "origin" or scheme in ("http", "https"):
        return _open_addresses(text, dataset, options, redact, extractors)
    if scheme:
        raise UsageError(f"--source {redact(text)}: only origin, http(s)://, hf:// and folders can be fetched from")
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise UsageError(f"--source {text}: there is no such folder; an address begins with https:// or hf://")
    return FolderSource(folder.resolve(), options.limits.max_bytes, label=str(folder.resolve()))


def _open_addresses(
    text: str, dataset: Dataset, options: FetchOptions, redact: Redactor, extractors: Sequence[type] | None
) -> AddressSource:
    is_origin = text == "origin"
    if not is_origin and ID_FIELD not in text:
        raise UsageError(f"--source {redact(text)}: the address needs {ID_FIELD} where the video's id belongs")
    local = [] if is_origin else [endpoint for endpoint in [endpoint_of(text)] if is_local_endpoint(*endpoint)]
    proxies = [options.proxy.get_secret_value()] if options.proxy else getproxies().values()
    return AddressSource(
        label="origin" if is_origin else redact(text),
        template=_find_template(dataset) if is_origin else text,
        is_origin=is_origin,
        is_polite=not local,
        options=options,
        guard=AddressGuard([*local, *map(endpoint_of, proxies)]),
        redact=redact,
        extractors=extractors,
        yt_dlp_version=find_yt_dlp_version(),
    )


def find_yt_dlp_version() -> str:
    """Version of the yt-dlp that is installed.

    Raises:
        MissingDependencyError: none is.
    """
    try:
        from yt_dlp.version import __version__ as version
    except ImportError:
        raise MissingDependencyError("yt-dlp", "fetch") from None
    return str(version)


def _find_template(dataset: Dataset) -> str | None:
    manifest = find_manifest(dataset)
    return manifest.video_url_template if manifest is not None else None
