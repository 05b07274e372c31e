"""The push: a plan of what would change on the Hub, and one commit, or one pull request, that does it or does nothing.

Large files are uploaded first, where nobody sees them; then one commit on the head that the plan was made against makes
all of them visible at once. Whatever breaks in between leaves the version that was there, and a second run of plan and
push goes on from what is uploaded. A repository that does not exist yet is made private, so that no one finds it empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ivbench_data.atomic_files import digest_file
from ivbench_data.errors import EnvironmentProblemError, IvbenchError, PublicationConflictError, UsageError
from ivbench_data.publish.hub.hub_repository import Commit, HubRepositoryClient
from ivbench_data.publish.hub.push_plan import PLAN_COLUMNS as PLAN_COLUMNS
from ivbench_data.publish.hub.push_plan import WRITTEN, PushPlan, find_difference
from ivbench_data.publish.hub.push_plan import describe_plan as describe_plan
from ivbench_data.publish.hub.push_plan import fetch_published_version as fetch_published_version
from ivbench_data.publish.hub.push_plan import plan_push as plan_push
from ivbench_data.publish.hub.push_plan import plan_rows as plan_rows


@dataclass(frozen=True)
class PushResult:
    """What a push did."""

    status: Literal["pushed", "proposed", "unchanged"]
    """A commit on `main`; a pull request; or nothing, since all was there."""
    commit: str
    """The commit that holds the folder."""
    url: str
    """The page to look at: of the commit, the pull request or the repository."""
    is_private: bool
    is_checked: bool
    """Whether the Hub's listing of that commit was compared with the folder; if not, the Hub did not return it."""
    warnings: tuple[str, ...] = ()
    """What the Hub has to say about the card's metadata."""


def push_folder(
    plan: PushPlan, *, create_pr: bool = False, message: str | None = None, token: str | None = None
) -> PushResult:
    """What the push did: all of the plan, or nothing of it that anybody could see.

    Args:
        plan: what `plan_push` gave.
        create_pr: open a pull request instead of writing to `main`; needs a repository that exists.
        message: title of the commit or the pull request; None for one with the dataset's name and version.
        token: what to log in with; None for what this machine is logged in with.

    Raises:
        PublicationConflictError: another commit came between plan and push, and is kept; or a file of the folder has
            changed. Nothing was written.
        UsageError: a pull request to a repository that does not exist; a file of the folder cannot be read.
        EnvironmentProblemError: the Hub cannot be reached, or refuses; the message says what is there now.
    """
    repository = HubRepositoryClient.open(plan.repo_id, plan.repo_type, token)
    repository.check_login()
    if create_pr and plan.creates_repository:
        raise UsageError(
            f"a pull request needs a repository, and {plan.repo_id} does not exist: push without one first"
        )
    for name, file in plan.folder.files.items():
        if digest_file(file.path) != file.sha256:
            raise PublicationConflictError(f"{name} in {plan.folder.folder} has changed since the plan: plan again")
    if create_pr:
        return _propose(plan, repository, message)
    result = _push(plan, repository, message)
    if plan.makes_public:
        try:
            repository.make_public()
        except EnvironmentProblemError as error:
            raise type(error)(f"{error}. The version is there, and the repository still private: push again") from None
    return result


def _push(plan: PushPlan, repository: HubRepositoryClient, message: str | None) -> PushResult:
    if plan.parent_commit is not None and not any(file.change in WRITTEN for file in plan.files):
        return PushResult("unchanged", plan.parent_commit, plan.url, plan.is_private, is_checked=True)
    parent = plan.parent_commit or repository.create().revision
    try:
        made = _commit(plan, repository, parent, message, create_pr=False)
    except EnvironmentProblemError as error:
        commit = _settle(plan, repository, parent, error)
        return PushResult("pushed", commit, f"{plan.url}/commit/{commit}", plan.is_private, is_checked=True)
    is_checked = _check_commit(plan, repository, made.commit)
    return PushResult("pushed", made.commit, made.url, plan.is_private, is_checked, made.warnings)


def _propose(plan: PushPlan, repository: HubRepositoryClient, message: str | None) -> PushResult:
    """One pull request, or the one that an earlier run has opened for the same files."""
    if plan.parent_commit is None or not any(file.change in WRITTEN for file in plan.files):
        return PushResult("unchanged", plan.parent_commit or "", plan.url, plan.is_private, is_checked=True)
    for url, listing in repository.find_pull_requests(message or _title(plan)):
        if find_difference(listing, plan) is None:
            return PushResult("unchanged", listing.revision, url, plan.is_private, is_checked=True)
    try:
        made = _commit(plan, repository, plan.parent_commit, message, create_pr=True)
    except EnvironmentProblemError as error:
        raise type(error)(
            f"{error}. Nothing on main has changed; a pull request may have been opened, which the next run will find"
        ) from None
    is_checked = _check_commit(plan, repository, made.commit)
    url = made.pull_request_url or made.url
    return PushResult("proposed", made.commit, url, plan.is_private, is_checked, made.warnings)


def _commit(
    plan: PushPlan, repository: HubRepositoryClient, parent: str, message: str | None, create_pr: bool
) -> Commit:
    added = {name: plan.folder.files[name].path for name in plan.paths("added", "changed")}
    deleted = plan.paths("deleted")
    description = f"{len(added)} files added or changed, {len(deleted)} deleted."
    return repository.commit(added, deleted, parent, message or _title(plan), description, create_pr)


def _title(plan: PushPlan) -> str:
    return f"Publish {plan.folder.version.dataset} {plan.folder.version.version}"


def _settle(plan: PushPlan, repository: HubRepositoryClient, parent: str, error: EnvironmentProblemError) -> str:
    """The commit, when it was made though its answer was lost; otherwise the error, with what is there now.

    Raises:
        PublicationConflictError: the head is neither what it was nor what we wanted.
        EnvironmentProblemError: the commit was not made, or it cannot be seen whether it was.
    """
    try:
        head = repository.look()
    except IvbenchError:
        head = None
    if head is None:
        raise type(error)(
            f"{error}. {plan.repo_id} cannot be looked at: it holds the version that was there, or the whole new one; "
            "push again to see which"
        ) from None
    if head.revision == parent:
        raise type(error)(f"{error}. {plan.repo_id} is as it was: push again") from None
    if find_difference(head, plan) is None:
        return head.revision
    raise PublicationConflictError(
        f"another commit came to {plan.repo_id} since the plan was made, and is kept: plan again"
    ) from None


def _check_commit(plan: PushPlan, repository: HubRepositoryClient, commit: str) -> bool:
    """Whether the commit could be looked at; then it holds what the folder holds.

    Raises:
        PublicationConflictError: it does not.
    """
    try:
        listing = repository.look(commit)
    except IvbenchError:
        return False
    if listing is None:
        return False
    if (name := find_difference(listing, plan)) is not None:
        raise PublicationConflictError(
            f"commit {commit} of {plan.repo_id} differs from the folder in {name}: look at it, and plan again"
        )
    return True
