"""Rows and media of an export in a folder that can be moved to another machine.

```
DIR/export.json      dataset, options, counts
    rows.jsonl       questions that can be asked, with paths relative to DIR
    unasked.jsonl    questions that cannot, with reasons
    media/videos|frames|images/…
```

Videos and images are hard links to the workspace's files if the file system allows it, else copies; frames are PNG, as
`export frames` writes them. `export.json` is written last: a folder with one is complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from pydantic import NonNegativeInt, ValidationError

from ivbench_data.atomic_files import link_or_copy, sweep_temporaries, write_json
from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, DatasetNotFoundError
from ivbench_data.exports.frame_pictures import ExportedClip, delete_withdrawn, export_frames
from ivbench_data.exports.harness import (
    Figure,
    HarnessOptions,
    HarnessRow,
    HarnessSet,
    UnaskedRow,
    check_video_suffix,
    find_rows,
    make_set,
)
from ivbench_data.hidden_record import leave_out_hidden
from ivbench_data.schema import Record, SafeName
from ivbench_data.strict_json import explain, read_jsonl, write_jsonl
from ivbench_data.withdrawals import Withdrawal, read_recorded_withdrawals
from ivbench_data.workspace import Workspace, default_root, list_folder

FORMAT_VERSION: Final = 1

MEDIA = "media"


class ExportHeader(Record):
    """The content of `export.json`."""

    format_version: Literal[1]
    """Version of the file format."""
    dataset: SafeName
    """Name of the dataset."""
    options: HarnessOptions
    """How questions are shown."""
    asked: NonNegativeInt
    """Number of lines of `rows.jsonl`."""
    unasked: NonNegativeInt
    """Number of lines of `unasked.jsonl`."""
    scorable: NonNegativeInt
    """Number of questions that can be scored, asked or not."""
    figures: tuple[Figure, ...]
    """The dataset's figures, in table order."""


def write_harness_folder(
    dataset: Dataset,
    out: Path | str,
    options: HarnessOptions,
    root: Path | str | None = None,
    video_suffixes: Collection[str] | None = None,
) -> Iterator[ExportedClip | HarnessRow | UnaskedRow]:
    """Write the folder; yields a row per video first (with frames), then a row per question, as written.

    Questions whose answers were hidden in a publication are left out, unless `options.revealed_splits` names the split.

    `video_suffixes` are the suffixes of video files that the harness supports; None for all.

    Raises:
        UsageError: the options cannot be combined, or nothing is hidden in a split that is to be revealed.
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
        if isinstance(row, HarnessRow) and video_suffixes is not None:
            row = check_video_suffix(row, video_suffixes)
        if isinstance(row, HarnessRow) and (reason := damaged.get(row.question.video_id or "")):
            row = UnaskedRow(question=row.question, kind="failed", reason=reason, position=row.position)
        elif isinstance(row, HarnessRow):
            row = _place(row, folder)
        placed.append(row)
        yield row
    placed = _drop_withdrawn(placed, folder, read_recorded_withdrawals(workspace.folder))
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


def _drop_withdrawn(
    rows: Sequence[HarnessRow | UnaskedRow], folder: Path, withdrawals: Sequence[Withdrawal]
) -> list[HarnessRow | UnaskedRow]:
    """The rows without those of withdrawn videos, whose media are deleted: an earlier export may have left some."""
    gone = {withdrawal.video_id for withdrawal in withdrawals}
    kept = [row for row in rows if row.question.video_id not in gone]
    shown = {Path(path).name for row in kept if isinstance(row, HarnessRow) for path in row.images}
    media = folder / MEDIA
    delete_withdrawn([*list_folder(media, "*"), *list_folder(media / "frames", "*")], withdrawals, shown)
    return kept


def _place(row: HarnessRow, folder: Path) -> HarnessRow:
    """The row with its media in the folder, and their paths relative to it."""

    def place(kind: str, path: str) -> str:
        target = PurePosixPath(MEDIA, kind, Path(path).name)
        link_or_copy(Path(path), folder / target)
        return str(target)

    return row.model_copy(
        update={
            "video": place("videos", row.video) if row.video is not None else None,
            "images": tuple(place("images", path) for path in row.images),
            "frames": tuple(Path(path).relative_to(folder).as_posix() for path in row.frames),
        }
    )


def read_harness_folder(folder: Path | str) -> HarnessSet:
    """The rows of an exported folder, with absolute paths.

    Raises:
        DatasetNotFoundError: the folder holds no finished export.
        DatasetError: a file of it is changed or damaged, or names a path outside of it.
    """
    folder = Path(folder).absolute()
    try:
        header = ExportHeader.model_validate_json((folder / "export.json").read_bytes())
    except FileNotFoundError:
        raise DatasetNotFoundError(
            f"there is no finished export in {folder}. Create it with: ivbench-data export, as its README.md says"
        ) from None
    except ValidationError as error:
        raise DatasetError(f"{folder / 'export.json'}: {explain(error)}") from error
    rows, bad_rows = read_jsonl(folder / "rows.jsonl", HarnessRow, None)
    unasked, bad_unasked = read_jsonl(folder / "unasked.jsonl", UnaskedRow, "question_id")
    if bad_rows or bad_unasked or (len(rows), len(unasked)) != (header.asked, header.unasked):
        details = "; ".join(str(line) for line in (*bad_rows, *bad_unasked)[:3])
        raise DatasetError(
            f"{folder} has changed since the export: {len(rows):,} of {header.asked:,} questions can be read"
            f"{': ' + details if details else ''}. Export it again"
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
    """The questions of an exported folder, asked or not, or of a dataset's folder, in dataset order.

    Raises:
        DatasetNotFoundError: `source` is neither.
    """
    if not (Path(source) / "export.json").is_file():
        return load(source)
    rows = read_harness_folder(source)
    return Dataset(rows.dataset, questions=rows.questions)


def _find_absolute(row: HarnessRow, folder: Path) -> HarnessRow:
    def find(path: str) -> str:
        place = PurePosixPath(path)
        if place.is_absolute() or ".." in place.parts:
            raise DatasetError(f"{folder / 'rows.jsonl'} names {path!r}, which is outside of the folder")
        return str(folder / place)

    return row.model_copy(
        update={
            "video": find(row.video) if row.video is not None else None,
            "images": tuple(map(find, row.images)),
            "frames": tuple(map(find, row.frames)),
        }
    )


def describe_rows(rows: HarnessSet) -> str:
    """The folder's content in a paragraph for its README.md: counts only, no text of the dataset."""
    sentences = [
        f"{len(rows.rows):,} questions, worded by the `{rows.options.profile}` profile, in `rows.jsonl` with the paths "
        "of their media."
    ]
    if rows.unasked:
        missing = sum(row.kind == "missing" for row in rows.unasked)
        sentences.append(
            f"**{len(rows.unasked):,} questions are left out**: the media of {missing:,} are missing, those of "
            f"{len(rows.unasked) - missing:,} are damaged; `unasked.jsonl` lists them with reasons. A figure over the "
            "rest is not one over the benchmark: fetch or cache the missing media, and export again."
        )
    return " ".join(sentences)
