"""What checks need, and which of them cannot run on a dataset for want of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ivbench_data.dataset import Dataset
from ivbench_data.frames.cached_grids import list_grids
from ivbench_data.validate.checks.context import CheckContext
from ivbench_data.video.fingerprint import FILE_NAME, read_fingerprints

Count = tuple[int, int]
"""How many of its units a check can look at, and how many there are."""


@dataclass(frozen=True)
class Requirement:
    """What a check needs beside the questions' own texts."""

    units: str
    """What it looks at, in the plural."""
    needs: str
    """What one of them must have, and the command that provides it."""
    count: Callable[[Dataset, CheckContext], Count]
    """Counts the units that have it."""


@dataclass(frozen=True)
class Shortfall:
    """A check that could look at some of its units only, or at none."""

    check: str
    """Name of the check."""
    checked: int
    """Units that it could look at; 0: the check could not run."""
    total: int
    """Units that there are."""
    reason: str
    """What it needs, in a sentence."""


def find_shortfalls(dataset: Dataset, context: CheckContext, names: Iterable[str]) -> Iterator[Shortfall]:
    """The checks among `names` that cannot look at all they are about, and what they need."""
    counts: dict[str, Count] = {}
    for name in names:
        requirement = REQUIREMENTS.get(name)
        if requirement is None:
            continue
        if requirement.needs not in counts:
            counts[requirement.needs] = requirement.count(dataset, context)
        checked, total = counts[requirement.needs]
        if checked < total:
            of_them = f"{checked:,} of {total:,} {requirement.units}"
            yield Shortfall(name, checked, total, f"{of_them} have what it needs: {requirement.needs}")


def _count_durations(dataset: Dataset, context: CheckContext) -> Count:
    videos = {question.video_id for question in dataset.questions} - {None}
    return len(videos & context.find_durations(dataset).keys()), len(videos)


def _count_images(dataset: Dataset, context: CheckContext) -> Count:
    workspace = context.workspace
    names = [image.image_id for image in dataset.images]
    there = [name for name in names if workspace is not None and workspace.image_path(name).is_file()]
    return len(there), len(names)


def _count_fingerprints(dataset: Dataset, context: CheckContext) -> Count:
    """Counts one video as none: it takes two to compare."""
    videos = {video.video_id for video in dataset.videos}
    if context.workspace is None or len(videos) < 2:
        return 0, len(videos) if len(videos) > 1 else 0
    known = len(videos & read_fingerprints(context.workspace.folder / FILE_NAME)[0].keys())
    return known if known > 1 else 0, len(videos)


def _count_frames(dataset: Dataset, context: CheckContext) -> Count:
    videos = {question.video_id for question in dataset.questions if question.image_ids} - {None}
    workspace = context.workspace
    if workspace is None:
        return 0, len(videos)
    grids = list_grids(workspace)
    there = [
        video_id
        for video_id in videos
        if (context.decodes_videos and workspace.find_video(str(video_id)) is not None)
        or any(workspace.cache_path(grid, str(video_id)).is_file() for grid in grids)
    ]
    return len(there), len(videos)


def _count_answers(dataset: Dataset, context: CheckContext) -> Count:
    return sum(question.answer is not None for question in dataset.questions), len(dataset.questions)


_IMAGES = Requirement("query images", "a file (ivbench-data fetch)", _count_images)
_ANSWERS = Requirement("questions", "an answer that is not hidden", _count_answers)

REQUIREMENTS: Final[dict[str, Requirement]] = {
    "beyond_video_end": Requirement(
        "videos", "a length, from a file, cached frames or its source (ivbench-data fetch)", _count_durations
    ),
    "image_unreadable": _IMAGES,
    "image_too_small": _IMAGES,
    "image_too_large": _IMAGES,
    "near_duplicate_images": _IMAGES,
    "near_duplicate_videos": Requirement(
        "videos", "a fingerprint (ivbench-data verify --write-fingerprints)", _count_fingerprints
    ),
    "image_from_own_video": Requirement(
        "videos", "cached frames (ivbench-data cache), or a file and --decode-videos", _count_frames
    ),
    "answer_among_distractors": _ANSWERS,
    "answer_gives_itself_away": _ANSWERS,
    "answer_contradicts_location": _ANSWERS,
    "answer_equals_location": _ANSWERS,
    "distractor_overlaps_answer": _ANSWERS,
    "same_query_different_answer": _ANSWERS,
    "answer_is_sibling_distractor": _ANSWERS,
    "answer_kind_unexpected": _ANSWERS,
    "single_cue": _ANSWERS,
}
"""Checks that need more than the questions' texts. The others look at everything, wherever they run."""
