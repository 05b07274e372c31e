"""Input of the checks beside the dataset, and functions that several checks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ivbench_data.dataset import Dataset
from ivbench_data.durations import find_durations
from ivbench_data.manifests import Manifest, load_manifest, manifest_names
from ivbench_data.schema import Finding, Question, Repair, Severity
from ivbench_data.workspace import Workspace

QUOTED_CHARS = 90
"""Longer texts are cut in messages; the finding's evidence holds them whole."""


@dataclass(frozen=True)
class CheckContext:
    """Input of the checks beside the dataset.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> context = iv.CheckContext(workspace=iv.Workspace("data", "tiny"))
        >>> [finding.check for finding in iv.validate_questions(dataset, context, ["image_too_small"])]
        ['image_too_small', 'image_too_small']
    """

    workspace: Workspace | None = None
    """Folder of images, videos and caches; None: no file is looked for."""
    decodes_videos: bool = False
    """Whether `image_from_own_video` may decode videos, at two frames a second; else only cached frames are read."""
    durations_seconds: Mapping[str, float] | None = None
    """Length of each video; None: `find_durations` reads it from files, caches, ledger and dataset when needed."""

    def find_durations(self, dataset: Dataset) -> Mapping[str, float]:
        """Length in seconds of every video of the dataset of which it is known, by id."""
        if self.durations_seconds is not None:
            return self.durations_seconds
        return {video_id: found.seconds for video_id, found in find_durations(dataset, self.workspace).items()}


def find_on(
    question: Question,
    check: str,
    severity: Severity,
    message: str,
    evidence: dict[str, JsonValue] | None = None,
    *,
    level: str | None = None,
    repair: Repair | None = None,
) -> Finding:
    """A finding on that question."""
    return Finding(
        check=check,
        severity=severity,
        message=message,
        question_id=question.question_id,
        video_id=question.video_id,
        level=level,
        evidence=evidence or {},
        repair=repair,
    )


def quote(text: str) -> str:
    """The text between quotation marks, for a message: in one line, cut when it is long."""
    line = text.encode("unicode_escape").decode() if not text.isprintable() and text.isascii() else text
    return f"“{line}”" if len(line) <= QUOTED_CHARS else f"“{line[: QUOTED_CHARS - 1]}…”"


def distractors_of(question: Question) -> list[tuple[int, str]]:
    """Position and text of each option but the answer; none when the answer is hidden."""
    if question.answer_index is None:
        return []
    return [(index, option) for index, option in enumerate(question.options) if index != question.answer_index]


def group_by_video(questions: Iterable[Question]) -> Iterator[list[Question]]:
    """The questions of each video, in the dataset's order; questions without a video are skipped."""
    groups: dict[str, list[Question]] = {}
    for question in questions:
        if question.video_id is not None:
            groups.setdefault(question.video_id, []).append(question)
    yield from groups.values()


def load_manifests(dataset: Dataset) -> dict[str, Manifest]:
    """The manifest of each source that the dataset's questions come from, where there is one."""
    sources = {question.source for question in dataset.questions}
    return {source: load_manifest(source) for source in sorted(sources & set(manifest_names()))}
