"""Our own JSONL: `questions.jsonl`, and `videos.jsonl`, `images.jsonl` beside it where there are any.

For a curator's new benchmark. Videos and images that only questions name are added; withdrawals recorded in a folder's
`dataset.json` are kept, so that `import_dataset` leaves those videos out.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.schema import QueryImage, Question, Video, check_safe_name
from ivbench_data.sources.release_files import empty_release_error
from ivbench_data.strict_json import parse_json, read_jsonl
from ivbench_data.withdrawals import read_withdrawals, record_withdrawals

RELEASE_FILES = ("questions.jsonl", "videos.jsonl", "images.jsonl", "dataset.json")


def read(raw_dir: Path) -> Dataset:
    """The dataset of a folder in our form, or of a single `questions.jsonl`.

    It is named by its `dataset.json`, else by its folder.

    Raises:
        UsageError: a file cannot be read, or holds no question.
    """
    folder, file = (raw_dir, raw_dir / RELEASE_FILES[0]) if raw_dir.is_dir() else (raw_dir.parent, raw_dir)
    questions, bad = read_jsonl(file, Question, "question_id")
    videos: list[Video] = []
    images: list[QueryImage] = []
    if raw_dir.is_dir() and (folder / "videos.jsonl").is_file():
        videos, bad_videos = read_jsonl(folder / "videos.jsonl", Video, "video_id")
        bad += bad_videos
    if raw_dir.is_dir() and (folder / "images.jsonl").is_file():
        images, bad_images = read_jsonl(folder / "images.jsonl", QueryImage, "image_id")
        bad += bad_images
    if not questions:
        raise empty_release_error(file, "question", bad)
    header = _read_header(folder)
    of_folder = header.get("provenance") if raw_dir.is_dir() else None
    provenance: dict[str, JsonValue] = {"source": "native", "file": file.name, "sha256": digest_file(file)}
    if isinstance(of_folder, dict):
        provenance = record_withdrawals(provenance, read_withdrawals(of_folder))
    known_videos = {video.video_id for video in videos}
    known_images = {image.image_id for image in images}
    named_videos = dict.fromkeys(q.video_id for q in questions if q.video_id is not None)
    named_images = dict.fromkeys(image_id for q in questions for image_id in q.image_ids)
    videos += [Video(video_id=video_id) for video_id in named_videos if video_id not in known_videos]
    images += [QueryImage(image_id=image_id) for image_id in named_images if image_id not in known_images]
    return Dataset(
        _name_of(folder, header),
        tuple(videos),
        tuple(images),
        tuple(questions),
        tuple(bad),
        provenance,
    )


def _read_header(folder: Path) -> dict[str, JsonValue]:
    marker = folder / "dataset.json"
    try:
        header = parse_json(marker.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{marker} cannot be read: {error}") from error
    return header if isinstance(header, dict) else {}


def _name_of(folder: Path, header: dict[str, JsonValue]) -> str:
    try:
        return check_safe_name(str(header.get("name") or folder.resolve().name))
    except ValueError as error:
        raise UsageError(f"the dataset's name: {error}; give one with --dataset") from None
