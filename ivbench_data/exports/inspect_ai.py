"""Export of a dataset as a task of inspect_ai: a folder with rows, media, a task file and the commands.

```
DIR/README.md            the commands
    ivbench_task.py      the task
    export.json …        rows and media, as `harness_folder` writes them
```
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from ivbench_data.atomic_files import write_bytes
from ivbench_data.dataset import Dataset
from ivbench_data.exports.frame_pictures import ExportedClip
from ivbench_data.exports.harness import HarnessOptions, HarnessRow, HarnessSet, UnaskedRow
from ivbench_data.exports.harness_figures import AS_WRONG, HIGH, LOW, MISSING
from ivbench_data.exports.harness_folder import describe_rows, read_harness_folder, write_harness_folder

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}
"""Suffixes of video files, and inspect_ai's names of their formats; it supports no others."""

TASK_FILE = "ivbench_task.py"

TASK = '''\
"""The questions of this folder, as a task of inspect_ai; its parts are in ivbench_data.exports.inspect_ai_task."""

from pathlib import Path

from inspect_ai import Task, task

from ivbench_data.exports.harness_figures import AS_WRONG, HIGH, LOW, MISSING
from ivbench_data.exports.harness_folder import read_harness_folder
from ivbench_data.exports.inspect_ai_task import make_task


@task
def exported() -> Task:
    """Every question, worded and shown as described in README.md."""
    return make_task(read_harness_folder(Path(__file__).parent))
'''

README = """\
# A task of inspect_ai

{rows}

## Run it

In this folder, with inspect_ai and ivbench-data in one environment (`pip install inspect_ai 'ivbench-data[score]'`):

```
inspect eval {file} --model mockllm/model
inspect eval {file} --model vllm/Qwen/Qwen2.5-VL-7B-Instruct
inspect view
```

The first asks no model: it checks that everything is in place (inspect_ai downloads a vocabulary once, to count
tokens). The folder can be moved. Without a folder, from an installed package and a dataset under `$IVBENCH_ROOT`:

```
inspect eval ivbench_data/ivbench --model … -T dataset={dataset}
ivbench-data export frames pictures --grid 32x240 --dataset {dataset}
inspect eval ivbench_data/ivbench --model … -T dataset={dataset} -T frames=pictures/32x240
```

## What is shown

{shown}
The query images follow, then the question with its options.

## What is printed

- `overall`, `group …`, `task …`: accuracy by the benchmark's own metrics, equal to that of `ivbench-data score` for the
  same replies. `stderr of …` is inspect_ai's own standard error over the points of questions, clustered by video.
- `{low}`, `{high}`: the 95 % interval that `ivbench-data score` prints.
- `{missing}`: questions that can be scored but were not, because their media are missing, `--limit` left them out, the
  model failed on them, or the reply needs an LLM judge. They are not part of the figures above; those without media are
  samples that stay unscored, with the reason.
- `{as_wrong}`: `overall` with these questions counted as wrong, so that missing files and failed requests cannot raise
  it. `ivbench-data evaluate` counts failed questions as wrong in `overall` itself.

With `--epochs`, the figures are the first epoch's.
"""

VIDEOS = """\
The video file, by its path; inspect_ai supports mp4 and mov, and questions on other video files are not asked. Not
every provider supports video: if yours does not, export frames."""

FRAMES = """\
The frames of the {grid} cache as PNG images, pixel for pixel."""


def export_inspect(
    dataset: Dataset, out: Path | str, options: HarnessOptions, root: Path | str | None = None
) -> Iterator[ExportedClip | HarnessRow | UnaskedRow]:
    """Write the folder; yields a row per video first (with frames), then a row per question.

    Raises:
        UsageError: the options cannot be combined.
        StorageError: `out` cannot be written.
    """
    yield from write_harness_folder(dataset, out, options, root, FORMATS)
    folder = Path(out)
    write_bytes(folder / TASK_FILE, TASK.encode())
    write_bytes(folder / "README.md", _write_readme(read_harness_folder(folder)).encode())


def _write_readme(rows: HarnessSet) -> str:
    shown = VIDEOS if rows.options.show == "videos" else FRAMES.format(grid=rows.options.grid.identity)
    return README.format(
        rows=describe_rows(rows),
        file=TASK_FILE,
        dataset=shlex.quote(rows.dataset),
        shown=shown,
        low=LOW,
        high=HIGH,
        missing=MISSING,
        as_wrong=AS_WRONG,
    )
