"""A benchmark in memory: videos, images and questions; and its JSONL files on disk.

Every line that cannot be used is reported with its file and number; the other lines are loaded.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, JsonValue, NonNegativeInt, ValidationError

from ivbench_data.atomic_files import write_atomically
from ivbench_data.errors import DatasetError, DatasetNotFoundError, UsageError
from ivbench_data.schema import BadLine, QueryImage, Question, Record, SafeName, Video
from ivbench_data.strict_json import RecordT, encode_lines, explain, parse_json, read_jsonl
from ivbench_data.withdrawals import Withdrawal, leave_out_withdrawn, read_withdrawals
from ivbench_data.workspace import DEFAULT_DATASET, Workspace, default_root

FORMAT_VERSION: Final = 1


class DatasetHeader(Record):
    """Content of `dataset.json`, which is written last: a folder that holds one is complete."""

    format_version: Literal[1]
    """Version of the file format."""
    name: SafeName
    """The dataset's name."""
    videos: NonNegativeInt
    """How many lines `videos.jsonl` was written with."""
    images: NonNegativeInt
    """How many lines `images.jsonl` was written with."""
    questions: NonNegativeInt
    """How many lines `questions.jsonl` was written with."""
    bad_lines: tuple[BadLine, ...] = ()
    """Lines of the release that could not be used."""
    provenance: dict[str, JsonValue] = Field(default_factory=dict)
    """Where the dataset came from."""


@dataclass(frozen=True)
class Dataset:
    """A benchmark: its videos, query images and questions, each in the release's order.

    Example:
        >>> iv.load_dataset("tiny")
        Dataset('tiny': 2 videos, 2 images, 3 questions)
    """

    name: str
    videos: tuple[Video, ...] = ()
    images: tuple[QueryImage, ...] = ()
    questions: tuple[Question, ...] = ()
    bad_lines: tuple[BadLine, ...] = ()
    """Lines of the release, or of our own files, that could not be used."""
    provenance: dict[str, JsonValue] = field(default_factory=dict)
    """Where it came from: source, file names and digests, and whether it rebuilds byte for byte."""

    def __repr__(self) -> str:
        parts = [f"{len(getattr(self, part)):,} {part}" for part in ("videos", "images", "questions")]
        parts += [f"{len(self.bad_lines):,} bad lines"] if self.bad_lines else []
        return f"{type(self).__name__}({self.name!r}: {', '.join(parts)})"

    @property
    def withdrawals(self) -> tuple[Withdrawal, ...]:
        """Videos that were taken down; neither they nor their questions are in the dataset.

        Raises:
            DatasetError: the provenance holds malformed records of them.
        """
        return read_withdrawals(self.provenance)

    def describe_media(self) -> str:
        """Media of the questions, for a title: `on 747 videos`, or `on 2 videos and 40 images`."""
        parts = [(len(self.videos), "videos")] if self.videos else []
        if any(question.video_id is None for question in self.questions):
            parts.append((len(self.images), "images"))
        media = " and ".join(f"{count:,} {name if count != 1 else name[:-1]}" for count, name in parts)
        return f"on {media}" if media else "without media"

    def save(self, root: Path | str | None = None) -> Workspace:
        """Write the dataset's files under `root/name`, the marker `dataset.json` last; `load_dataset` reads them.

        All are written before the first appears, so that a full disk leaves an earlier dataset as it was.

        Args:
            root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.

        Raises:
            StorageError: the root cannot be written.
        """
        workspace = Workspace(Path(root) if root is not None else default_root(), self.name)
        header = DatasetHeader(
            format_version=FORMAT_VERSION,
            name=self.name,
            videos=len(self.videos),
            images=len(self.images),
            questions=len(self.questions),
            bad_lines=self.bad_lines,
            provenance=self.provenance,
        )
        contents = {
            "dataset.json": [header.model_dump_json(indent=2).encode() + b"\n"],
            "questions.jsonl": encode_lines(self.questions),
            "images.jsonl": encode_lines(self.images),
            "videos.jsonl": encode_lines(self.videos),
        }
        with ExitStack() as stack:  # left in reverse, so that the marker is renamed into place last
            files = [stack.enter_context(write_atomically(workspace.folder / name)) for name in contents]
            for file, content in zip(files, contents.values(), strict=True):
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
        return workspace


def load_dataset(name: str = DEFAULT_DATASET, root: Path | str | None = None) -> Dataset:
    """The dataset of that name, as `Dataset.save` or `ivbench-data import` wrote it.

    Lines that cannot be used are in `bad_lines`; the others are loaded. What was withdrawn is left out, even where a
    killed run has not deleted it yet.

    Args:
        name: the dataset's name, which is its folder's under the root.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.

    Raises:
        DatasetNotFoundError: there is no such dataset.
        DatasetError: its `dataset.json` is malformed, or another of its files cannot be read.
        UnsafeNameError: the name cannot be a folder's.

    Example:
        >>> dataset = iv.load_dataset("tiny", "data")
        >>> dataset.questions[0].answer
        'right'
        >>> dataset.save("copies").folder.as_posix()
        'copies/tiny'
    """
    return load(Workspace(Path(root) if root is not None else default_root(), name).folder)


def load(folder: Path | str) -> Dataset:
    """The dataset in a folder, such as `data/ivbench`; see `load_dataset`.

    Raises:
        DatasetNotFoundError: there is no dataset in the folder.
        DatasetError: its `dataset.json` is malformed, or another of its files cannot be read.
    """
    folder = Path(folder)
    marker = folder / "dataset.json"
    try:
        content = marker.read_bytes()
        parse_json(content)
        header = DatasetHeader.model_validate_json(content)
    except FileNotFoundError:
        raise DatasetNotFoundError(
            f"there is no dataset in {folder}. Import one with: ivbench-data import ivbench PATH, or make the demo: "
            "ivbench-data demo"
        ) from None
    except ValidationError as error:
        raise DatasetError(f"{marker} is not a dataset of format {FORMAT_VERSION}: {explain(error)}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{marker} cannot be read: {error}") from error
    videos, bad_videos = _read_part(folder / "videos.jsonl", Video, "video_id", header.videos)
    images, bad_images = _read_part(folder / "images.jsonl", QueryImage, "image_id", header.images)
    questions, bad_questions = _read_part(folder / "questions.jsonl", Question, "question_id", header.questions)
    withdrawals = read_withdrawals(header.provenance)
    kept_videos, kept_images, kept_questions = leave_out_withdrawn(withdrawals, videos, images, questions)
    return Dataset(
        name=header.name,
        videos=kept_videos,
        images=kept_images,
        questions=kept_questions,
        bad_lines=(*header.bad_lines, *bad_videos, *bad_images, *bad_questions),
        provenance=header.provenance,
    )


def _read_part(path: Path, record: type[RecordT], key: str, promised: int) -> tuple[list[RecordT], list[BadLine]]:
    """Records of one of a dataset's files, and its bad lines; a file that ends too early counts as one."""
    try:
        records, bad = read_jsonl(path, record, key)
    except UsageError as error:
        raise DatasetError(f"{error}; import the release again") from error
    lines = len(records) + len(bad)
    if lines < promised:
        reason = f"the file ends before this line, and dataset.json promises {promised} lines; import the release again"
        bad.append(BadLine(file=path.name, line=lines + 1, reason=reason))
    return records, bad
