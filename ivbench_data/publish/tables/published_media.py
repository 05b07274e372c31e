"""The files that a publication is made of beside its texts: query images, and frames and videos where asked for."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.publish.tables.stripped_pictures import strip_picture
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, find_image_fault
from ivbench_data.schema import FrameGrid, Question
from ivbench_data.workspace import Workspace

_NOT_HERE = "not here"


@dataclass(frozen=True)
class ImageFile:
    """A query image that can be published.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> plan = iv.plan_splits(dataset)
        >>> images = iv.publish_dataset(dataset, None, "out", plan).images
        >>> images.files["red.png"].path.name
        'red.png'
    """

    path: Path
    """The file."""
    size_bytes: int
    """Size of what is published."""
    sha256: str
    """Digest of what is published."""
    pixels_sha256: str
    """Digest of the file without anything but pixels and colour profile."""
    is_stripped: bool = False
    """Whether the file is published so: it belongs to a question with a hidden answer."""

    def read(self) -> bytes:
        """What is published of the file: the same bytes that were digested.

        Raises:
            DatasetError: they are others.
        """
        content = self.path.read_bytes()
        if self.is_stripped:
            content = strip_picture(content)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise DatasetError(f"{self.path} was changed while it was published: run the same command again")
        return content


@dataclass(frozen=True)
class GatheredImages:
    """The query images of some questions.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> plan = iv.plan_splits(dataset)
        >>> images = iv.publish_dataset(dataset, None, "out", plan).images
        >>> len(images.files), len(images.faults)
        (2, 0)
    """

    files: Mapping[str, ImageFile]
    """Those that can be published, by id."""
    faults: Mapping[str, str]
    """What is wrong with the others, by id."""

    def digests_of(self, question: Question) -> list[str | None]:
        """The digests of the question's images in their order; None where one cannot be published."""
        found = (self.files.get(image_id) for image_id in question.image_ids)
        return [None if file is None else file.sha256 for file in found]

    def pixel_digests_of(self, question: Question) -> list[str]:
        """The digests of the question's images that can be published, each without anything but its pixels."""
        found = (self.files.get(image_id) for image_id in question.image_ids)
        return [file.pixels_sha256 for file in found if file is not None]

    def describe_faults(self, dataset_name: str) -> str:
        """What is wrong with images that cannot be published, and what to do about it."""
        total = len(self.files) + len(self.faults)
        absent = [image_id for image_id, fault in self.faults.items() if fault == _NOT_HERE]
        bad = [f"{image_id}: {fault}" for image_id, fault in self.faults.items() if fault != _NOT_HERE]
        parts = [f"{len(absent):,} of {total:,} query images are not here"] if absent else []
        if bad:
            parts.append(
                f"{len(bad):,} of {total:,} cannot be used ({'; '.join(bad[:3])}{'; …' if len(bad) > 3 else ''})"
            )
        return (
            f"{'; '.join(parts)}. Fetch them with: ivbench-data fetch --only images --dataset {dataset_name}; or put "
            "your own in its folder images/; or publish rows without them: --allow-missing-images"
        )


def gather_images(dataset: Dataset, questions: Iterable[Question], workspace: Workspace) -> GatheredImages:
    """The files of the questions' images, each opened and digested.

    Images of questions with hidden answers are published without anything but pixels and colour profile.

    Raises:
        UnsafeNameError: an image's name could leave its folder.
    """
    promised = {image.image_id: image.sha256 for image in dataset.images}
    files: dict[str, ImageFile] = {}
    faults: dict[str, str] = {}
    questions = tuple(questions)
    hidden = {image_id for question in questions if question.answers_hidden for image_id in question.image_ids}
    for image_id in dict.fromkeys(image_id for question in questions for image_id in question.image_ids):
        path = workspace.image_path(image_id)
        if not path.is_file():
            faults[image_id] = _NOT_HERE
        elif (fault := find_image_fault(path)) is not None:
            faults[image_id] = fault
        elif promised.get(image_id) not in (None, digest_file(path)):
            faults[image_id] = "another file than the dataset names: its digest differs"
        else:
            try:
                files[image_id] = _describe_image(path, image_id in hidden)
            except (ImageProblemError, *IMAGE_ERRORS) as error:
                faults[image_id] = f"not a readable image: {error}"
    return GatheredImages(files, faults)


def _describe_image(path: Path, is_stripped: bool) -> ImageFile:
    content = path.read_bytes()
    pixels = strip_picture(content)
    shown = pixels if is_stripped else content
    shown_sha256, pixels_sha256 = (hashlib.sha256(each).hexdigest() for each in (shown, pixels))
    return ImageFile(path, len(shown), shown_sha256, pixels_sha256, is_stripped)


def copy_media(
    dataset: Dataset,
    workspace: Workspace,
    folder: Path,
    grids: Sequence[FrameGrid],
    include_videos: bool,
    on_step: Callable[[str], None],
) -> dict[str, int]:
    """Copy cached frames to `frames/{grid}/` and videos to `media/`; each of these folders, and the files in it.

    Raises:
        UsageError: none of the videos has a cache of one of the grids, or none is here.
        CacheCorruptError: a cache is damaged.
    """
    wanted: dict[str, list[Path]] = {}
    for grid in grids:
        caches = (workspace.cache_path(grid, video.video_id) for video in dataset.videos)
        wanted[f"frames/{grid.identity}"] = [path for path in caches if path.is_file()]
    if include_videos:
        found = (workspace.find_video(video.video_id) for video in dataset.videos)
        wanted["media"] = [path for path in found if path is not None]
    for name, paths in wanted.items():
        if not paths:
            raise UsageError(f"there is nothing for {name}: it is here for none of the {len(dataset.videos):,} videos")
        on_step(f"copying {len(paths):,} files to {name}")
        (folder / name).mkdir(parents=True)
        for path in paths:
            if name != "media":
                read_frame_file(path, check=True)
            shutil.copyfile(path, folder / name / path.name)
    return {name: len(paths) for name, paths in wanted.items()}
