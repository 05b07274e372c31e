"""The demo: a small image-grounded video benchmark that is made on the spot, offline, the same everywhere.

Eight videos, 104 query images and as many ten-option questions in IV-Bench's form. One script (`script.py`) drives both
what is drawn and what is right, so every answer follows from the pictures, and no answer was typed by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

from ivbench_data.atomic_files import sweep_temporaries, write_bytes
from ivbench_data.dataset import Dataset
from ivbench_data.errors import EnvironmentProblemError, StorageError
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import Video
from ivbench_data.sources.ivbench import read_release
from ivbench_data.strict_json import read_jsonl
from ivbench_data.workers import available_cores, run_in_workers
from ivbench_data.workspace import Workspace, default_root

RELEASE_FILES = ("demo.jsonl", "videos.jsonl")

_MAX_SECONDS_A_FILE = 300.0


@dataclass(frozen=True)
class MadeFile:
    """One file of the demo, made now or found from an earlier run."""

    path: Path
    made: bool
    """False when it was there already."""
    position: int
    """Place in the order of making, from 1."""
    total: int
    """Files that there will be."""


def read(raw_dir: Path) -> Dataset:
    """The dataset of the demo's release file, or of the folder that holds it.

    Raises:
        UsageError: the file cannot be read, or no line of it is a question.
    """
    dataset = read_release(raw_dir / RELEASE_FILES[0] if raw_dir.is_dir() else raw_dir, load_manifest("demo"))
    list_of_videos = raw_dir / RELEASE_FILES[1]
    if not list_of_videos.is_file():
        return dataset
    listed, bad = read_jsonl(list_of_videos, Video, "video_id")
    known = {video.video_id: video for video in listed}
    videos = tuple(known.get(video.video_id, video) for video in dataset.videos)
    return replace(dataset, videos=videos, bad_lines=(*dataset.bad_lines, *bad))


def make_demo(root: Path | None = None) -> Iterator[MadeFile]:
    """Make the demo's files under a root: annotations in `raw/`, then videos and query images; a row a file.

    Files appear whole or not at all, and what is there already is not made again, unless another version made it.
    `import_dataset("demo", Workspace(root, "demo").raw, root)` then makes a dataset of them.

    Raises:
        EnvironmentProblemError: an encoder is missing from PyAV, or the root cannot be written.
    """
    # numpy, pillow and av are loaded by the one who draws, not by the one who reads
    from ivbench_data.sources.demo.encoding import encode_video
    from ivbench_data.sources.demo.image_drawing import draw_picture
    from ivbench_data.sources.demo.question_writing import draft_questions, image_name, write_release, write_video_list
    from ivbench_data.sources.demo.script import write_scripts

    workspace = Workspace(root or default_root(), "demo")
    sweep_temporaries(workspace.folder)
    scripts = write_scripts()
    release = {
        workspace.raw / RELEASE_FILES[0]: write_release(scripts),
        workspace.raw / RELEASE_FILES[1]: write_video_list(scripts),
    }
    media: dict[Path, partial[bytes]] = {}
    for script in scripts:
        media[workspace.videos / script.footage.file_name] = partial(encode_video, script)
        for data_id, draft in enumerate(draft_questions(script)):
            name = image_name(script.video_id, data_id)
            media[workspace.image_path(name)] = partial(draw_picture, draft.picture, name)
    # The annotations come first: where they are another version's, so may be the media beside them, and a run that is
    # killed in between finds the same state again.
    written = {path: not (path.is_file() and path.read_bytes() == content) for path, content in release.items()}
    if any(written[path] and path.is_file() for path in release):
        _delete(media)
    for path, content in release.items():
        if written[path]:
            write_bytes(path, content)
    total = len(release) + len(media)
    for position, path in enumerate(release, 1):
        yield MadeFile(path, written[path], position, total)
    found = [path for path in media if path.is_file()]
    positions = count(len(release) + 1)
    yield from (MadeFile(path, False, next(positions), total) for path in found)
    tasks = [(path, make) for path, make in media.items() if path not in found]
    for outcome in run_in_workers(_write_file, tasks, min(available_cores(), len(tasks)), _MAX_SECONDS_A_FILE):
        path, _ = outcome.task
        if outcome.failure is not None:
            raise EnvironmentProblemError(f"{path} could not be made: {outcome.failure}")
        yield MadeFile(path, True, next(positions), total)


def _write_file(task: tuple[Path, partial[bytes]]) -> None:
    path, make = task
    write_bytes(path, make())


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError.from_os_error(error, path) from error
