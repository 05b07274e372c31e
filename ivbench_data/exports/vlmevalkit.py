"""A dataset inside VLMEvalKit: a folder with its rows and media, and a launcher, since VLMEvalKit has no plug-in hook.

```
DIR/README.md            the commands
    run_vlmevalkit.py    what is run instead of VLMEvalKit's run.py
    export.json …        rows and media, as `harness_folder` writes them
    LMUData/             what VLMEvalKit would else keep in the home folder
```

Nothing is read back from a table: the launcher gives VLMEvalKit the rows as they are, and takes from its result files
nothing but an index and the reply beside it. A table's reader takes "None" for nothing and "1e5" for a number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ivbench_data.atomic_files import write_bytes
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.exports.frame_pictures import ExportedClip, encode_picture
from ivbench_data.exports.harness import HarnessOptions, HarnessRow, HarnessSet, UnaskedRow
from ivbench_data.exports.harness_folder import MEDIA, describe_rows, read_harness_folder, write_harness_folder
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image

EXPORT_VARIABLE = "IVBENCH_DATA_EXPORT"
"""Names the export's folder to the dataset's class, also in the processes that VLMEvalKit starts."""

LAUNCHER = "run_vlmevalkit.py"

UPRIGHT = "upright"
"""Below the media: query images as they are meant to be seen, where VLMEvalKit's models would see another picture."""


class Sampling(NamedTuple):
    """How VLMEvalKit tells a model to take frames: so many, or so many a second."""

    nframe: int = 0
    fps: float = -1


FILM_SAMPLINGS: dict[str, Sampling] = {
    "8frame": Sampling(8),
    "16frame": Sampling(16),
    "32frame": Sampling(32),
    "64frame": Sampling(64),
    "1fps": Sampling(fps=1.0),
}
"""How a model may be told to take frames from a film, by the ending of the dataset's name."""

FILM_SUFFIXES = (".mp4", ".webm", ".mov", ".avi")
"""Films that VLMEvalKit knows by their names, whatever the system's table of types holds."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Images that it knows, likewise."""

_ORIENTATION = 0x0112
"""The EXIF tag that says how a picture is turned."""

_LAUNCHER_TEXT = '''\
"""Runs VLMEvalKit with the dataset of this folder among its own; README.md has the commands."""

import sys
from pathlib import Path

from ivbench_data.exports.vlmevalkit_launcher import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent, sys.argv[1:]))
'''

_README = """\
# {name}: a dataset inside VLMEvalKit

{rows}

## Run it

VLMEvalKit and ivbench-data in one environment:

```
git clone https://github.com/open-compass/VLMEvalKit
pip install -e VLMEvalKit ivbench-data
```

Then `{launcher}` here takes the arguments of VLMEvalKit's `run.py`, and `--data` is said already:

```
python {launcher} --model {model} --work-dir outputs
python {launcher} --model {model} --work-dir outputs --mode eval --reuse
```

The second scores again the replies of the first. A checkout that is not installed is named by
`--vlmevalkit /path/to/VLMEvalKit`. Other benchmarks run beside it with `--data {name} Video-MME_64frame`, several GPUs
with `torchrun --nproc-per-node=4 {launcher} …`. The folder can be moved.

## What is shown

{shown} After it come the query images, then the question and its options, worded by the `{profile}` profile.
VLMEvalKit's own prompts take no part, nor does a judge.

## What is scored

`evaluate` reads the replies with our parser and counts as `ivbench-data evaluate` does: the same replies give the same
figures, as shares from 0 to 1.

- `overall`, `group …`, `task …`: over the questions that were asked; one that failed counts as wrong.
- `missing`: questions that could not be asked, since their media were not here when this was written (`unasked.jsonl`
  says which and why); `overall_with_missing_as_wrong` counts them as wrong.
- Beside VLMEvalKit's result file lies `…_ivbench-data.jsonl`: every reply and verdict, for `ivbench-data score FILE`,
  which adds intervals and comparisons.

## What to know

- Replies are kept as `.tsv` here (`PRED_FORMAT=tsv`). VLMEvalKit's own choice is a spreadsheet, whose cells end after
  32,767 characters, and with them a long reasoning's answer.
- VLMEvalKit goes on after an error, and ends with exit code 0: look for `eval_error` in what it prints last.
- Media that were lost since this was written are named before anything is run.
"""


def export_vlmevalkit(
    dataset: Dataset, out: Path | str, options: HarnessOptions, root: Path | str | None = None
) -> Iterator[ExportedClip | HarnessRow | UnaskedRow]:
    """Write the folder; with frames, a row a video first, then a row a question.

    Raises:
        UsageError: the options cannot be used together.
        StorageError: `out` cannot be written.
    """
    yield from write_harness_folder(dataset, out, options, root, FILM_SUFFIXES)
    folder = Path(out).absolute()
    rows = read_harness_folder(folder)
    for path in sorted({path for row in rows.rows for path in row.images}):
        if (picture := _set_upright(Path(path))) is not None:
            write_bytes(_place_upright(folder, path), picture)
    write_bytes(folder / LAUNCHER, _LAUNCHER_TEXT.encode())
    write_bytes(folder / "README.md", _write_readme(rows).encode())


def name_dataset(rows: HarnessSet) -> str:
    """The dataset's name in VLMEvalKit: ours, so that none of its own has it too."""
    shown = rows.options.grid.identity if rows.options.show == "frames" else "videos"
    return "ivbench_data_" + re.sub(r"[^A-Za-z0-9-]+", "_", f"{rows.dataset}_{shown}")


def list_names(rows: HarnessSet) -> dict[str, Sampling]:
    """Every name under which the dataset can be asked for, and how frames are then taken; the first is the usual one.

    Cached frames are taken already. Of films the model takes them, and has to be told how many.
    """
    name = name_dataset(rows)
    if rows.options.show == "frames":
        return {name: Sampling(rows.options.grid.nframes)}
    usual = f"{name}_32frame"
    names = {f"{name}_{ending}": sampling for ending, sampling in FILM_SAMPLINGS.items()}
    return {usual: names[usual], **names, name: names[usual]}


def index_rows(rows: HarnessSet, folder: Path) -> dict[str, HarnessRow]:
    """The rows by what stands in VLMEvalKit's tables for them: a digest of the question and of what is shown with it.

    So a reply that was kept is never taken for one to another question, wording or sampling; and no table's reader can
    make anything else of it. It begins with a letter, since `1e5` and `nan` are digests, too.

    Raises:
        DatasetError: a row's media are no longer there.
    """
    sizes: dict[str, int] = {}
    index: dict[str, HarnessRow] = {}
    for row in rows.rows:
        shown: list[object] = [row.question.question_id, row.text]
        for path in (*((row.video,) if row.video else ()), *row.frames, *row.images):
            if path not in sizes:
                try:
                    sizes[path] = Path(path).stat().st_size
                except OSError as error:
                    raise DatasetError(
                        f"{path} is not there any more ({error.strerror}), and {row.question.question_id} shows it. "
                        "Export the dataset again: a question that is not asked would not be missed"
                    ) from None
            shown.append([Path(path).relative_to(folder).as_posix(), sizes[path]])
        digest = hashlib.sha256(json.dumps(shown).encode()).hexdigest()
        index[f"q{digest[:24]}"] = row
    return index


def tabulate_row(row: HarnessRow) -> dict[str, str]:
    """A line of VLMEvalKit's tables: for people to look at, never read back. Options stand in one column, as JSON."""
    question = row.question
    return {
        "question_id": question.question_id,
        "video": question.video_id or "",
        "task": question.task,
        "question": question.question,
        "candidates": json.dumps(question.options, ensure_ascii=False),
    }


def write_message(row: HarnessRow, folder: Path, takes_films: bool) -> list[dict[str, Any]]:
    """What VLMEvalKit hands to a model: the visuals by path, in order, then the words.

    Raises:
        UsageError: the row shows a film, and the model takes none.
    """
    if row.video is not None and not takes_films:
        raise UsageError(
            "this model takes no films, and this export shows them. Make one of frames: "
            "ivbench-data export vlmevalkit DIR --as frames --grid 32x240"
        )
    message = [{"type": "video", "value": row.video}] if row.video is not None else []
    message += [{"type": "image", "value": path} for path in row.frames]
    for path in row.images:
        upright = _place_upright(folder, path)
        message.append({"type": "image", "value": str(upright) if upright.is_file() else path})
    return [*message, {"type": "text", "value": _keep_words(row.text)}]


def _keep_words(text: str) -> str:
    """The text, so that VLMEvalKit takes it for words.

    It takes a text that is an address for a file to download, and one that is a path for that file. The questions
    that could be either are of one line, without options; an empty line before them makes them words again.
    """
    is_one_word = not any(character.isspace() for character in text)
    return f"\n{text}" if is_one_word or text.startswith("data:image/") or _is_path(text) else text


def _is_path(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False  # too long for one, or with characters that none has


def _place_upright(folder: Path, path: str) -> Path:
    return folder / MEDIA / UPRIGHT / f"{Path(path).name}.png"


def _set_upright(path: Path) -> bytes | None:
    """The image as PNG in RGB and upright, or None where its file is that, or a plain JPEG, already.

    Models open it with Pillow and look at neither EXIF, palettes nor transparency.
    """
    from PIL import ImageOps

    try:
        with open_image(path) as image:
            is_plain = image.mode == "RGB" and image.format in ("PNG", "JPEG") and path.suffix in IMAGE_SUFFIXES
            if is_plain and image.getexif().get(_ORIENTATION, 1) == 1:
                return None
            upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (ImageProblemError, *IMAGE_ERRORS):
        return None  # its header could be read, or it would not be asked; the model will say what is wrong with it
    return encode_picture(upright.transpose(2, 0, 1))


def _write_readme(rows: HarnessSet) -> str:
    if rows.options.show == "frames":
        shown = (
            f"The frames of the {rows.options.grid.identity} cache, PNG and so the cache's own bytes, as images in "
            "their order: to every model, also to those that take films, so that all see the same frames."
        )
    else:
        shown = (
            "The film, by its path: the model takes frames from it as it likes, as many as the dataset's name says "
            f"({', '.join(f'`…_{ending}`' for ending in FILM_SAMPLINGS)}). Models that take no films are refused."
        )
    return _README.format(
        name=next(iter(list_names(rows))),
        rows=describe_rows(rows),
        launcher=LAUNCHER,
        model="Qwen2.5-VL-7B-Instruct",
        shown=shown,
        profile=rows.options.profile,
    )
