"""A published folder as a participant's dataset: its questions, hidden answers absent, its query images and videos.

The questions keep the order of options that was published, so that a letter of a reply, and an `answer_index` of a
submission, mean what they mean to the holder of the answers.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ivbench_data.atomic_files import write_atomically, write_bytes
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError
from ivbench_data.publish.publication_record import FILE_NAME, PublishedVersion, read_published
from ivbench_data.publish.published_damage import verify_published
from ivbench_data.publish.tables.parquet_columns import read_row
from ivbench_data.publish.tables.parquet_files import iterate_rows
from ivbench_data.schema import QueryImage, Question, Video
from ivbench_data.sources import import_dataset
from ivbench_data.strict_json import explain, write_jsonl
from ivbench_data.video.fingerprint import FILE_NAME as FINGERPRINTS
from ivbench_data.video.fingerprint import Fingerprint
from ivbench_data.withdrawals import record_withdrawals
from ivbench_data.workspace import Workspace

VIDEO_FIELDS = ("video_id", "url", "duration_seconds", "license", "language", "category")


def is_published(path: Path) -> bool:
    """Whether the path is a folder that `publish` wrote, or its `publish.json`."""
    return (path / FILE_NAME).is_file() if path.is_dir() else path.name == FILE_NAME and path.is_file()


def import_published(path: Path, root: Path, name: str | None = None, restores_withdrawn: bool = False) -> Dataset:
    """Import a published folder: every split's questions, the query images, the videos' rows and fingerprints.

    Args:
        path: the folder, or its `publish.json`.
        root: folder that holds the datasets.
        name: name of the dataset; the published one by default.
        restores_withdrawn: whether videos that were withdrawn are imported again.

    Raises:
        DatasetError: the folder is not what was published.
        StorageError: the root cannot be written.
        MissingDependencyError: `pyarrow` is not installed.
    """
    folder = path if path.is_dir() else path.parent
    version = read_published(folder)
    named = [damage for damage in verify_published(folder) if damage.path in {FILE_NAME, *version.files}]
    if named:
        raise DatasetError(f"{folder} is not what was published: {named[0]}. Get it again")
    dataset, pictures, fingerprints = _read(folder, version)
    with tempfile.TemporaryDirectory() as made:
        dataset.save(Path(made))
        imported = import_dataset("native", Path(made) / dataset.name, root, name, restores_withdrawn)
    workspace = Workspace(root, imported.name)
    for image in imported.images:
        target = workspace.image_path(image.image_id)
        if image.image_id in pictures and not target.exists():
            write_bytes(target, pictures[image.image_id])
    if fingerprints and not (workspace.folder / FINGERPRINTS).exists():
        write_jsonl(workspace.folder / FINGERPRINTS, fingerprints)
    _copy_media(folder, imported, workspace)
    return imported


def _read(folder: Path, version: PublishedVersion) -> tuple[Dataset, dict[str, bytes], list[Fingerprint]]:
    questions: list[Question] = []
    pictures: dict[str, bytes] = {}
    for split in version.splits:
        for row in _iterate_table(folder, version, f"data/{split}-"):
            question = read_row(row)
            questions.append(question)
            shown = zip(question.image_ids, row["images"], strict=True)
            pictures.update({image_id: image["bytes"] for image_id, image in shown if image is not None})
    rows = list(_iterate_table(folder, version, "videos/videos-"))
    try:
        videos = [Video.model_validate({key: row[key] for key in VIDEO_FIELDS if row[key] is not None}) for row in rows]
        fingerprints = [_read_fingerprint(row) for row in rows if row["fingerprint"] is not None]
    except ValidationError as error:
        raise DatasetError(f"the videos of {folder} cannot be read: {explain(error)}") from error
    image_ids = dict.fromkeys(image_id for question in questions for image_id in question.image_ids)
    dataset = Dataset(
        version.dataset,
        videos=tuple(videos),
        images=tuple(QueryImage(image_id=image_id) for image_id in image_ids),
        questions=tuple(questions),
        provenance=record_withdrawals({"published_version": version.version}, version.withdrawn),
    )
    return dataset, pictures, fingerprints


def _iterate_table(folder: Path, version: PublishedVersion, prefix: str) -> list[dict[str, Any]]:
    names = sorted(name for name in version.files if name.startswith(prefix) and name.endswith(".parquet"))
    return [row for name in names for row in iterate_rows(folder / name)]


def _read_fingerprint(row: dict[str, Any]) -> Fingerprint:
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in row["fingerprint"].items()}
    return Fingerprint.model_validate({**fields, "video_id": row["video_id"]})


def _copy_media(folder: Path, dataset: Dataset, workspace: Workspace) -> None:
    """Copy the video files and frame caches that were published with it, where there are none yet."""
    video_ids = {video.video_id for video in dataset.videos}
    copies = [(path, workspace.videos / path.name) for path in sorted((folder / "media").glob("*"))]
    copies += [
        (path, workspace.cache / path.parent.name / path.name) for path in sorted((folder / "frames").glob("*/*"))
    ]
    for path, target in copies:
        if path.is_file() and path.stem in video_ids and not target.exists():
            with path.open("rb") as original, write_atomically(target) as copy:
                shutil.copyfileobj(original, copy, 1 << 20)
