"""Rows and media in a folder that can be moved to another machine, and read back there.

```
DIR/export.json      what the rows are of, and out of
    rows.jsonl       what can be asked, paths relative to DIR
    unasked.jsonl    what cannot, and why
    media/videos|frames|images/…
```

Films and images are second names of the workspace's own files where the file system allows it, else copies; frames are
PNG, as `export frames` writes them. `export.json` is written last: a folder with one is complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from pydantic import NonNegativeInt, ValidationError

from ivbench_data.atomic_files import link_or_copy, sweep_temporaries, write_json
from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, DatasetNotFoundError
from ivbench_data.exports.frame_pictures import ExportedClip, export_frames
from ivbench_data.exports.harness import (
    Figure,
    HarnessOptions,
    HarnessRow,
    HarnessSet,
    UnaskedRow,
    check_film,
    find_rows,
    make_set,
)
from ivbench_data.hidden_record import leave_out_hidden
from ivbench_data.schema import Record, SafeName
from ivbench_data.strict_json import explain, read_jsonl, write_jsonl
from ivbench_data.workspace import Workspace, default_root

FORMAT_VERSION: Final = 1

MEDIA = "media"


class ExportHeader(Record):
    """What `export.json` holds."""

    format_version: Literal[1]
    """Version of the files' form."""
    dataset: SafeName
    """Name of the dataset."""
    options: HarnessOptions
    """How questions are shown."""
    asked: NonNegativeInt
    """Lines of `rows.jsonl`."""
    unasked: NonNegativeInt
    """Lines of `unasked.jsonl`."""
    scorable: NonNegativeInt
    """Questions of the dataset that can be scored, whether they can be asked or not."""
    figures: tuple[Figure, ...]
    """The dataset's figures, in the order of tables."""


def write_harness_folder(
    dataset: Dataset,
    out: Path | str,
    options: HarnessOptions,
    root: Path | str | None = None,
    film_suffixes: Collection[str] | None = None,
) -> Iterator[ExportedClip | HarnessRow | UnaskedRow]:
    """Write the folder; with frames, a row a video first, then a row a question, as it stands in the folder.

    Questions whose answers were hidden in a publication are left out, unless `options.revealed_splits` names the split.

    `film_suffixes` are the endings of films that the harness takes, where it does not take all.

    Raises:
        UsageError: the options cannot be used together, or nothing is hidden in a split that is to be revealed.
        DatasetError: the record of hidden answers cannot be read.
        StorageError: `out` cannot be written.
    """
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    # a harness scores by the answers, which are in the folder: those that were hidden once must not leave so
    dataset, _ = leave_out_hidden(dataset, workspace, options.revealed_splits)
    options.check(dataset)
    folder = Path(out).absolute()
    (folder / "export.json").unlink(missing_ok=True)
    sweep_temporaries(folder)
    damaged: dict[str, str] = {}
    if options.show == "frames":
        for clip in export_frames(dataset, folder / MEDIA / "frames", options.grid, workspace.root):
            if clip.status == "failed":
                damaged[clip.video_id] = clip.reason or "its cache is damaged"
            yield clip
    placed: list[HarnessRow | UnaskedRow] = []
    for row in find_rows(dataset, workspace, options, folder / MEDIA / "frames"):
        if isinstance(row, HarnessRow) and film_suffixes is not None:
            row = check_film(row, film_suffixes)
        if isinstance(row, HarnessRow) and (reason := damaged.get(row.question.video_id or "")):
            row = UnaskedRow(question=row.question, kind="failed", reason=reason, position=row.position)
        elif isinstance(row, HarnessRow):
            row = _place(row, folder)
        placed.append(row)
        yield row
    whole = make_set(dataset, options, placed, folder)
    write_jsonl(folder / "rows.jsonl", whole.rows)
    write_jsonl(folder / "unasked.jsonl", whole.unasked)
    header = ExportHeader(
        format_version=FORMAT_VERSION,
        dataset=dataset.name,
        options=options,
        asked=len(whole.rows),
        unasked=len(whole.unasked),
        scorable=whole.scorable,
        figures=whole.figures,
    )
    write_json(folder / "export.json", header.model_dump(mode="json"))


def _place(row: HarnessRow, folder: Path) -> HarnessRow:
    """The row with its media in the folder, and their paths relative to it."""

    def bring(kind: str, path: str) -> str:
        place = PurePosixPath(MEDIA, kind, Path(path).name)
        link_or_copy(Path(path), folder / place)
        return str(place)

    return row.model_copy(
        update={
            "video": bring("videos", row.video) if row.video is not None else None,
            "images": tuple(bring("images", path) for path in row.images),
            "frames": tuple(Path(path).relative_to(folder).as_posix() for path in row.frames),
        }
    )


def read_harness_folder(folder: Path | str) -> HarnessSet:
    """The rows of a folder, with absolute paths.

    Raises:
        DatasetNotFoundError: the folder holds no finished export.
        DatasetError: a file of it is not what was written, or names one outside of it.
    """
    folder = Path(folder).absolute()
    try:
        header = ExportHeader.model_validate_json((folder / "export.json").read_bytes())
    except FileNotFoundError:
        raise DatasetNotFoundError(
            f"there is no finished export in {folder}. Make it with: ivbench-data export, as its README.md says"
        ) from None
    except ValidationError as error:
        raise DatasetError(f"{folder / 'export.json'}: {explain(error)}") from error
    rows, bad_rows = read_jsonl(folder / "rows.jsonl", HarnessRow, None)
    unasked, bad_unasked = read_jsonl(folder / "unasked.jsonl", UnaskedRow, "question_id")
    if bad_rows or bad_unasked or (len(rows), len(unasked)) != (header.asked, header.unasked):
        told = "; ".join(str(line) for line in (*bad_rows, *bad_unasked)[:3])
        raise DatasetError(
            f"{folder} is not as it was written: {len(rows):,} of {header.asked:,} questions can be read"
            f"{': ' + told if told else ''}. Export it again"
        )
    return HarnessSet(
        dataset=header.dataset,
        options=header.options,
        rows=tuple(_find_absolute(row, folder) for row in rows),
        unasked=tuple(unasked),
        scorable=header.scorable,
        figures=header.figures,
        source=folder,
    )


def load_questions(source: Path | str) -> Dataset:
    """The questions of an exported folder, asked or not, or of a dataset's own, in the dataset's order.

    Raises:
        DatasetNotFoundError: it is neither.
    """
    if not (Path(source) / "export.json").is_file():
        return load(source)
    rows = read_harness_folder(source)
    return Dataset(rows.dataset, questions=rows.questions)


def _find_absolute(row: HarnessRow, folder: Path) -> HarnessRow:
    def find(path: str) -> str:
        place = PurePosixPath(path)
        if place.is_absolute() or ".." in place.parts:
            raise DatasetError(f"{folder / 'rows.jsonl'} names {path!r}, which does not lie in the folder")
        return str(folder / place)

    return row.model_copy(
        update={
            "video": find(row.video) if row.video is not None else None,
            "images": tuple(map(find, row.images)),
            "frames": tuple(map(find, row.frames)),
        }
    )


def describe_rows(rows: HarnessSet) -> str:
    """What is in the folder and what is not, for its README.md: counts alone, no text of the dataset."""
    told = [
        f"{len(rows.rows):,} questions, worded by the `{rows.options.profile}` profile, in `rows.jsonl` with the paths "
        "of their media."
    ]
    if rows.unasked:
        missing = sum(row.kind == "missing" for row in rows.unasked)
        told.append(
            f"**{len(rows.unasked):,} questions are not among them**: the media of {missing:,} were not here, those of "
            f"{len(rows.unasked) - missing:,} are damaged; `unasked.jsonl` says which and why. A figure over the rest "
            "is not one over the benchmark: fetch or cache what is missing, and export again."
        )
    return " ".join(told)
