"""Export of a dataset for VLMEvalKit: a folder with rows, media, and a launcher (VLMEvalKit has no plug-in hook).

```
DIR/README.md            the commands
    run_vlmevalkit.py    the launcher, run instead of VLMEvalKit's run.py
    export.json …        rows and media, as `harness_folder` writes them
    LMUData/             VLMEvalKit's data folder, which is else in the home folder
```

Questions are never read from a table: the launcher passes the rows to VLMEvalKit directly, and reads only index and
reply from its result files. A table reader would turn "None" into a missing value and "1e5" into a number.
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
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image, render_image

EXPORT_VARIABLE = "IVBENCH_DATA_EXPORT"
"""Environment variable with the export's folder, read by the dataset class, also in VLMEvalKit's child processes."""

LAUNCHER = "run_vlmevalkit.py"

UPRIGHT = "upright"
"""Subfolder of the media: upright RGB copies of query images that VLMEvalKit's models would see otherwise."""


class Sampling(NamedTuple):
    """How VLMEvalKit samples frames: a number of frames, or frames per second."""

    nframe: int = 0
    fps: float = -1


VIDEO_SAMPLINGS: dict[str, Sampling] = {
    "8frame": Sampling(8),
    "16frame": Sampling(16),
    "32frame": Sampling(32),
    "64frame": Sampling(64),
    "1fps": Sampling(fps=1.0),
}
"""How frames are sampled from a video file, by suffix of the dataset's name."""

VIDEO_SUFFIXES = (".mp4", ".webm", ".mov", ".avi")
"""Video suffixes that VLMEvalKit recognises, whatever the system's MIME table."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Image suffixes that it recognises, likewise."""

_ORIENTATION = 0x0112
"""The EXIF tag of the orientation."""

_LAUNCHER_TEXT = '''\
"""Runs VLMEvalKit with the dataset of this folder added; README.md has the commands."""

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
pip install -e VLMEvalKit 'ivbench-data[score]'
```

Then `{launcher}` in this folder takes the arguments of VLMEvalKit's `run.py`; `--data` has a default:

```
python {launcher} --model {model} --work-dir outputs
python {launcher} --model {model} --work-dir outputs --mode eval --reuse
```

The second scores the replies of the first again. A checkout that is not installed is named by
`--vlmevalkit /path/to/VLMEvalKit`. Other benchmarks run beside it with `--data {name} Video-MME_64frame`, several GPUs
with `torchrun --nproc-per-node=4 {launcher} …`. The folder can be moved.

## What is shown

{shown} The query images follow, then the question with its options, worded by the `{profile}` profile.
VLMEvalKit's own prompts and judge are not used.

## What is scored

`evaluate` uses the parser and metrics of `ivbench-data evaluate`: the same replies have the same figures, as shares
from 0 to 1.

- `overall`, `group …`, `task …`: over the questions that were asked; failed ones count as wrong.
- `missing`: questions that could not be asked, because their media were missing at the export (`unasked.jsonl` lists
  them with reasons); `overall_with_missing_as_wrong` counts them as wrong.
- `…_ivbench-data.jsonl`, beside VLMEvalKit's result file: every reply with its score, for `ivbench-data score FILE`,
  which adds intervals and comparisons.

## What to know

- Replies are stored as `.tsv` (`PRED_FORMAT=tsv`). VLMEvalKit's default is a spreadsheet, whose cells are cut after
  32,767 characters; the answer after a long reasoning would be lost.
- VLMEvalKit continues after an error, and exits with code 0: look for `eval_error` in its last output.
- Media that are missing since the export are named before the run starts.
"""


def export_vlmevalkit(
    dataset: Dataset, out: Path | str, options: HarnessOptions, root: Path | str | None = None
) -> Iterator[ExportedClip | HarnessRow | UnaskedRow]:
    """Write the folder; yields a row per video first (with frames), then a row per question.

    Raises:
        UsageError: the options cannot be combined.
        StorageError: `out` cannot be written.
    """
    yield from write_harness_folder(dataset, out, options, root, VIDEO_SUFFIXES)
    folder = Path(out).absolute()
    rows = read_harness_folder(folder)
    for path in sorted({path for row in rows.rows for path in row.images}):
        if (picture := _set_upright(Path(path))) is not None:
            write_bytes(_place_upright(folder, path), picture)
    write_bytes(folder / LAUNCHER, _LAUNCHER_TEXT.encode())
    write_bytes(folder / "README.md", _write_readme(rows).encode())


def name_dataset(rows: HarnessSet) -> str:
    """The dataset's name in VLMEvalKit, prefixed so that it does not collide with a built-in one."""
    shown = rows.options.grid.identity if rows.options.show == "frames" else "videos"
    return "ivbench_data_" + re.sub(r"[^A-Za-z0-9-]+", "_", f"{rows.dataset}_{shown}")


def list_names(rows: HarnessSet) -> dict[str, Sampling]:
    """Every name of the dataset in VLMEvalKit with its sampling; the first is the default.

    Exported frames have one name. For video files the model samples the frames, and the name sets how many.
    """
    name = name_dataset(rows)
    if rows.options.show == "frames":
        return {name: Sampling(rows.options.grid.nframes)}
    usual = f"{name}_32frame"
    names = {f"{name}_{ending}": sampling for ending, sampling in VIDEO_SAMPLINGS.items()}
    return {usual: names[usual], **names, name: names[usual]}


def index_rows(rows: HarnessSet, folder: Path) -> dict[str, HarnessRow]:
    """The rows by their index in VLMEvalKit's tables: a digest of the question and its media.

    So a stored reply is never taken for one to another question, wording or sampling. The index begins with a letter,
    so that no table reader takes it for a number (`1e5`) or a missing value.

    Raises:
        DatasetError: a row's media are missing.
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
                        f"{path} of {row.question.question_id} is missing ({error.strerror}). Export the dataset "
                        "again: a question that is not asked would not be noticed"
                    ) from None
            shown.append([Path(path).relative_to(folder).as_posix(), sizes[path]])
        digest = hashlib.sha256(json.dumps(shown).encode()).hexdigest()
        index[f"q{digest[:24]}"] = row
    return index


def tabulate_row(row: HarnessRow) -> dict[str, str]:
    """A line of VLMEvalKit's tables, for people to look at; it is never read. Options are one column, as JSON."""
    question = row.question
    return {
        "question_id": question.question_id,
        "video": question.video_id or "",
        "task": question.task,
        "question": question.question,
        "candidates": json.dumps(question.options, ensure_ascii=False),
    }


def write_message(row: HarnessRow, folder: Path, takes_videos: bool) -> list[dict[str, Any]]:
    """VLMEvalKit's message to a model: the visuals by path, in order, then the text.

    Raises:
        UsageError: the row has a video file, and the model does not support video.
    """
    if row.video is not None and not takes_videos:
        raise UsageError(
            "this model does not support video, and this export shows video files. Export frames instead: "
            "ivbench-data export vlmevalkit DIR --as frames --grid 32x240"
        )
    message = [{"type": "video", "value": row.video}] if row.video is not None else []
    message += [{"type": "image", "value": path} for path in row.frames]
    for path in row.images:
        upright = _place_upright(folder, path)
        message.append({"type": "image", "value": str(upright) if upright.is_file() else path})
    return [*message, {"type": "text", "value": _protect_text(row.text)}]


def _protect_text(text: str) -> str:
    """The text, protected from being taken for a URL or a path.

    VLMEvalKit downloads a text that is a URL, and opens one that is a path. Only one-line questions without options
    could be either; a leading line break prevents it.
    """
    is_one_word = not any(character.isspace() for character in text)
    return f"\n{text}" if is_one_word or text.startswith("data:image/") or _is_path(text) else text


def _is_path(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False  # too long for a path, or with invalid characters


def _place_upright(folder: Path, path: str) -> Path:
    return folder / MEDIA / UPRIGHT / f"{Path(path).name}.png"


def _set_upright(path: Path) -> bytes | None:
    """The image as a PNG of what a viewer shows; None if its file is an upright RGB PNG or JPEG already.

    VLMEvalKit's models ignore EXIF orientation, palettes, transparency and colour profiles.
    """
    try:
        with open_image(path) as image:
            is_plain = image.mode == "RGB" and image.format in ("PNG", "JPEG") and path.suffix in IMAGE_SUFFIXES
            is_plain = is_plain and not {"icc_profile", "transparency"} & image.info.keys()
            if is_plain and image.getexif().get(_ORIENTATION, 1) == 1:
                return None
            upright = np.asarray(render_image(image))
    except (ImageProblemError, *IMAGE_ERRORS):
        return None  # its header is valid, else it would not be exported; the model will report the error
    return encode_picture(upright.transpose(2, 0, 1))


def _write_readme(rows: HarnessSet) -> str:
    if rows.options.show == "frames":
        shown = (
            f"The frames of the {rows.options.grid.identity} cache as PNG images, pixel for pixel and in order: for "
            "every model, also for those that support video, so that all see the same frames."
        )
    else:
        shown = (
            "The video file, by its path: the model samples as many frames as the dataset's name says "
            f"({', '.join(f'`…_{ending}`' for ending in VIDEO_SAMPLINGS)}). Models without video support are refused."
        )
    return _README.format(
        name=next(iter(list_names(rows))),
        rows=describe_rows(rows),
        launcher=LAUNCHER,
        model="Qwen2.5-VL-7B-Instruct",
        shown=shown,
        profile=rows.options.profile,
    )
