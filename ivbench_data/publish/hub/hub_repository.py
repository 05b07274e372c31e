"""One repository on the Hub, to be looked at and written to; what its library raises becomes ours.

Read for this: `HfApi` of huggingface_hub 0.34.0, 1.0.0 and 2.4.0. `upload_folder` is not used: the newest makes as many
commits of it as it likes, and a reader between two of them would see half a version.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from ivbench_data.errors import EnvironmentProblemError, PublicationConflictError, RepositoryNotFoundError, UsageError
from ivbench_data.fetch.hub import HubListing, call_hub, hub_endpoint, list_repository
from ivbench_data.fetch.redaction import Redactor
from ivbench_data.publish.publication_record import FILE_NAME, PublishedVersion, parse_published

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, HfApi

ResultT = TypeVar("ResultT")

HUB_OWN_FILES = frozenset({".gitattributes"})
"""Files that the Hub itself puts there and keeps up to date."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Commit:
    """What the Hub said of a commit that it made."""

    commit: str
    url: str
    pull_request_url: str | None
    warnings: tuple[str, ...]
    """What the Hub has to say about the card's metadata."""


@dataclass(frozen=True)
class HubRepositoryClient:
    """A repository, whether it exists or not, and what to log in with."""

    repo_id: str
    repo_type: str
    api: HfApi = field(repr=False)
    redact: Redactor = field(repr=False)
    token: str | None = field(repr=False)

    @classmethod
    def open(cls, name: str, repo_type: str, token: str | None) -> HubRepositoryClient:
        """The repository of that name, `organisation/name` with or without `hf://`; nothing is asked of the Hub yet.

        Raises:
            UsageError: it cannot be a repository's name.
        """
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # as its documentation says

        repo_id = name.removeprefix("hf://").removeprefix("datasets/").removesuffix("/")
        token = token or get_token()
        redact = Redactor([token] if token else [])
        if repo_id.count("/") != 1:
            raise UsageError(f"{redact(name)!r} is no repository's name: give organisation/name")
        call_hub(lambda: validate_repo_id(repo_id), repo_id, redact)
        return cls(repo_id, repo_type, HfApi(endpoint=hub_endpoint(), token=token), redact, token)

    @property
    def url(self) -> str:
        """The repository's page."""
        folder = "" if self.repo_type == "model" else f"{self.repo_type}s/"
        return f"{self.api.endpoint}/{folder}{self.repo_id}"

    def look(self, revision: str | None = None) -> HubListing | None:
        """The files at the revision, or at the head of `main`; None when there is no such repository for us.

        Raises:
            UsageError: there is no such revision, or no commit at all.
            EnvironmentProblemError: the Hub cannot be reached, or refuses.
        """
        try:
            listing = list_repository(self.repo_id, self.repo_type, revision, self.redact, self.token)
        except RepositoryNotFoundError:
            return None
        if not _COMMIT.fullmatch(listing.revision):
            raise UsageError(f"{self.repo_id} has no commit yet to build on: write a README.md on its page first")
        return listing

    def read_published(self, listing: HubListing) -> PublishedVersion | None:
        """What the `publish.json` there says; None when there is none.

        Raises:
            DatasetError: it is no record of a publication.
            EnvironmentProblemError: the Hub cannot be reached, or refuses.
        """
        if FILE_NAME not in listing.files:
            return None
        with TemporaryDirectory(prefix="ivbench-data-") as folder:
            content = listing.download(FILE_NAME, Path(folder)).read_bytes()
        return parse_published(content, f"{FILE_NAME} in {self.repo_id}")

    def check_login(self) -> None:
        """Raise if not logged in.

        Raises:
            EnvironmentProblemError: there is none.
        """
        if not self.token:
            raise EnvironmentProblemError(f"to push to {self.repo_id}, log in with `hf auth login`, or set HF_TOKEN")

    def create(self) -> HubListing:
        """The repository, made just now: private, with the one commit that the Hub makes.

        Raises:
            PublicationConflictError: somebody else has made it since.
            EnvironmentProblemError: the Hub cannot be reached, or refuses.
        """
        try:
            self._write(
                lambda: self.api.create_repo(self.repo_id, repo_type=self.repo_type, private=True),
                {409: f"{self.repo_id} exists by now, though perhaps not for us to see: plan again"},
            )
            made = self.look()
        except EnvironmentProblemError as error:
            raise type(error)(f"{error}. If {self.repo_id} was made, it is private and empty: push again") from None
        if made is None:
            raise PublicationConflictError(f"{self.repo_id} was made, and is gone again: plan again")
        if unknown := made.files.keys() - HUB_OWN_FILES:
            raise PublicationConflictError(
                f"{self.repo_id} was made, and {min(unknown)} put there by another: plan again"
            )
        return made

    def commit(
        self, added: Mapping[str, Path], deleted: Iterable[str], parent_commit: str, title: str, description: str,
        create_pr: bool,
    ) -> Commit:  # fmt: skip
        """One commit on `main`, or one pull request, that adds these files and deletes those, or nothing.

        Raises:
            PublicationConflictError: `main` has moved on from the parent; nothing was written.
            EnvironmentProblemError: the Hub cannot be reached, or refuses; then it may have been made nevertheless.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        def make_commit() -> CommitInfo:
            additions = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in added.items()]
            deletions = [CommitOperationDelete(path_in_repo=name, is_folder=False) for name in deleted]
            return self.api.create_commit(
                self.repo_id,
                [*additions, *deletions],
                commit_message=title,
                commit_description=description,
                repo_type=self.repo_type,
                create_pr=create_pr,
                parent_commit=parent_commit,
            )

        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            info = self._write(
                make_commit,
                {412: f"another commit came to {self.repo_id} since the plan was made, and is kept: plan again"},
            )
        # the library deprecates parts of itself in there; what it has to say to us is a plain warning
        messages = tuple(self.redact.shorten(each.message) for each in warned if each.category is UserWarning)
        return Commit(info.oid, info.commit_url, info.pr_url, messages)

    def make_public(self) -> None:
        """Let everybody see the repository.

        Raises:
            EnvironmentProblemError: the Hub cannot be reached, or refuses.
        """
        self._write(lambda: self.api.update_repo_settings(self.repo_id, repo_type=self.repo_type, private=False), {})

    def find_pull_requests(self, title: str) -> list[tuple[str, HubListing]]:
        """Address and files of each open pull request of that title.

        Raises:
            EnvironmentProblemError: the Hub cannot be reached, or refuses.
        """
        discussions = call_hub(
            lambda: [
                (discussion.url, f"refs/pr/{discussion.num}")
                for discussion in self.api.get_repo_discussions(
                    self.repo_id,
                    repo_type=self.repo_type,
                    discussion_type="pull_request",
                    discussion_status="open",
                )
                if discussion.title == title
            ],
            self.repo_id,
            self.redact,
        )
        listings = ((url, self.look(revision)) for url, revision in discussions)
        return [(url, listing) for url, listing in listings if listing is not None]

    def _write(self, call: Callable[[], ResultT], conflicts: Mapping[int, str]) -> ResultT:
        from huggingface_hub.errors import HfHubHTTPError

        def call_or_conflict() -> ResultT:
            try:
                return call()
            except HfHubHTTPError as error:
                if (messages := conflicts.get(error.response.status_code)) is not None:
                    raise PublicationConflictError(messages) from None
                raise

        return call_hub(call_or_conflict, self.repo_id, self.redact, way_out="push again later")
