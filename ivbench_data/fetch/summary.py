"""Summary after a fetch: a status for every video, and answerable questions out of all questions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pydantic import NonNegativeInt

from ivbench_data.dataset import Dataset
from ivbench_data.fetch.fetch_ledger import read_histories
from ivbench_data.schema import Record
from ivbench_data.workspace import Workspace

NOT_TRIED = "not tried"


class TaskCoverage(Record):
    """Answerable questions of one task."""

    task: str
    """The task."""
    answerable: NonNegativeInt
    """Questions whose video and images are on disk."""
    questions: NonNegativeInt
    """All its questions: the denominator."""


class FetchReport(Record):
    """The state of a dataset's folder."""

    videos: NonNegativeInt
    """All videos of the dataset."""
    statuses: dict[str, NonNegativeInt]
    """Videos by status: `ok` when the file is on disk, else the ledger's status, else `not tried`."""
    images: NonNegativeInt
    """All query images of the dataset."""
    images_here: NonNegativeInt
    """Those on disk."""
    answerable: NonNegativeInt
    """Questions whose video and images are on disk."""
    questions: NonNegativeInt
    """All questions of the dataset: the denominator."""
    tasks: tuple[TaskCoverage, ...]
    """The same for each task."""


def report_fetch(dataset: Dataset, root: Path) -> FetchReport:
    """Count what of the dataset is on disk under the root, and why the rest is not."""
    workspace = Workspace(root, dataset.name)
    histories = read_histories(workspace)
    statuses: Counter[str] = Counter()
    here: set[str] = set()
    for video in dataset.videos:
        if workspace.find_video(video.video_id) is not None:
            here.add(video.video_id)
            statuses["ok"] += 1
            continue
        history = histories.get(video.video_id)
        last = history.last if history else None
        # the ledger may say `ok` of a file that was deleted since
        statuses[NOT_TRIED if last is None or last.status == "ok" else last.status] += 1
    images = {image.image_id for image in dataset.images if workspace.image_path(image.image_id).is_file()}
    answerable: Counter[str] = Counter()
    questions: Counter[str] = Counter()
    for question in dataset.questions:
        questions[question.task] += 1
        has_video = question.video_id is None or question.video_id in here
        answerable[question.task] += has_video and images.issuperset(question.image_ids)
    return FetchReport(
        videos=len(dataset.videos),
        statuses=dict(statuses.most_common()),
        images=len(dataset.images),
        images_here=len(images),
        answerable=answerable.total(),
        questions=questions.total(),
        tasks=tuple(
            TaskCoverage(task=task, answerable=answerable[task], questions=questions[task]) for task in questions
        ),
    )
