"""`reports/findings.jsonl`: findings with the date of the run that found them, kept until their check runs again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from ivbench_data.dataset import Dataset
from ivbench_data.schema import BadLine, Finding
from ivbench_data.strict_json import read_jsonl, write_jsonl
from ivbench_data.workspace import Workspace


def findings_path(workspace: Workspace) -> Path:
    """Where the findings of a dataset are."""
    return workspace.reports / "findings.jsonl"


def read_findings(workspace: Workspace) -> tuple[list[Finding], list[BadLine]]:
    """The findings of all runs, and the lines that hold none; nothing of either when there is no file.

    Raises:
        UsageError: the file cannot be read.
    """
    path = findings_path(workspace)
    return read_jsonl(path, Finding, None) if path.is_file() else ([], [])


def choose_kept(dataset: Dataset, earlier: Iterable[Finding], ran: Collection[str]) -> list[Finding]:
    """The earlier findings that stay: of checks that did not run now, on questions and videos that are still there."""
    questions = {question.question_id for question in dataset.questions}
    videos = {video.video_id for video in dataset.videos} | {question.video_id for question in dataset.questions}
    return [
        finding
        for finding in earlier
        if finding.check not in ran
        and (finding.question_id is None or finding.question_id in questions)
        and (finding.video_id is None or finding.video_id in videos)
    ]


def date_findings(findings: Iterable[Finding], found_at: datetime) -> list[Finding]:
    """The findings with the time at which they were found."""
    return [finding.model_copy(update={"found_at": found_at}) for finding in findings]


def write_findings(workspace: Workspace, found: Sequence[Finding], kept: Sequence[Finding]) -> Path:
    """Write the findings of this run and those kept from earlier ones; the file's path.

    Raises:
        StorageError: the root cannot be written.
    """
    path = findings_path(workspace)
    write_jsonl(path, [*found, *kept])
    return path
