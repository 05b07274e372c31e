"""A dataset as a task of lmms-eval: a folder with its rows and media, or the packaged tasks for `--include_path`.

```
DIR/README.md            the commands
    tasks/               what --include_path takes: {task}.yaml, functions.py, task.jsonl
    export.json …        rows and media, as `harness_folder` writes them
```

Tasks have a folder of their own, since lmms-eval reads every `.yaml` below what it is given, and a query image may be
called so. No text of the dataset stands in the YAML, and none is rendered by Jinja.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ivbench_data.atomic_files import write_bytes
from ivbench_data.dataset import Dataset
from ivbench_data.evaluate.prompts.compose import PROMPT_VERSION
from ivbench_data.exports.frame_pictures import ExportedClip
from ivbench_data.exports.harness import (
    Figure,
    HarnessOptions,
    HarnessRow,
    HarnessSet,
    UnaskedRow,
    list_manifest_figures,
)
from ivbench_data.exports.harness_figures import AS_WRONG, HIGH, LOW, MISSING, name_metrics
from ivbench_data.exports.harness_folder import describe_rows, read_harness_folder, write_harness_folder
from ivbench_data.manifests import Manifest

FUNCTIONS = "ivbench_data.exports.lmms_eval_task"

TASK = """\
# A task of lmms-eval, written by ivbench-data; its functions stand in {functions}.
task: {task}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {stub}
test_split: test
process_docs: !function {read}
output_type: generate_until
doc_to_text: text
doc_to_target: target
doc_to_visual: !function {functions}.show_visuals
doc_to_messages: !function {functions}.write_messages
process_results: !function {functions}.score_document
generation_kwargs:
  max_new_tokens: 1024
  temperature: 0
  do_sample: false
  until: []
reasoning_tags: none
filter_list:
  - name: none
    filter:
      - function: !function {functions}.WholeReply
cluster_key: cluster
metric_list:
{metrics}
metadata:
  version: {version}
"""

METRIC = """\
  - metric: {name}
    aggregation: !function {functions}.{function}
    higher_is_better: {higher}"""

READER = '''\
"""Where the task beside this file finds its documents: in the folder above."""

from pathlib import Path

from ivbench_data.exports.harness_folder import read_harness_folder
from ivbench_data.exports.lmms_eval_task import make_documents


def read_documents(_):
    """The rows of the exported folder."""
    return make_documents(read_harness_folder(Path(__file__).parent.parent))
'''

README = """\
# {task}: a task of lmms-eval

{rows}

## Run it

In this folder, with lmms-eval 0.7 and ivbench-data in one environment (`pip install lmms-eval ivbench-data`):

```
python -m lmms_eval --model dummy --model_args response=A,read_bytes=1 --tasks {task} --include_path tasks \\
    --output_path results --log_samples
python -m lmms_eval --model qwen2_5_vl --model_args pretrained=Qwen/Qwen2.5-VL-7B-Instruct{frames} \\
    --tasks {task} --include_path tasks --output_path results --log_samples
```

The first asks no model, answers A, and opens all media: it says whether all is in place. The folder can be moved.

## What is shown

{shown} After it come the query images, then the question and its options. Simple models are given the visuals as
a list, chat models (and those that lmms-eval has in both kinds) one message.

## What is printed

- `overall`, `group …`, `task …`: accuracy by the benchmark's own metrics, as `ivbench-data score` has it: the same
  replies give the same figures. `Stderr_Clustered` is lmms-eval's own, of what single questions earned, clustered by
  video and without a correction for few videos.
- `{low}`, `{high}`: the 95 % interval that `ivbench-data score` prints.
- `{missing}`: questions that can be scored and were not asked, since their media were not here when this was written
  (`unasked.jsonl` says which and why) or `--limit` left them out. They are no part of the figures above.
- `{as_wrong}`: the same over all of these questions, so that no missing file makes a figure larger.

lmms-eval cannot show what failed: a model that raises ends its run. `ivbench-data evaluate` counts failed questions as
wrong. Nor does it strip reasoning here (`reasoning_tags: none`): our parser does, and sees the reply as it came.
"""


def packaged_tasks() -> Path:
    """The folder of the packaged tasks, for `--include_path`: one for each benchmark that has a manifest."""
    return Path(__file__).resolve().parent / "lmms_eval_tasks"


def name_task(dataset: str) -> str:
    """The task's name: ours, so that no built-in task, which would win, has it too."""
    return "ivbench_data_" + re.sub(r"[^A-Za-z0-9.-]+", "_", dataset)


def export_lmms_eval(
    dataset: Dataset, out: Path | str, options: HarnessOptions, root: Path | str | None = None
) -> Iterator[ExportedClip | HarnessRow | UnaskedRow]:
    """Write the folder; with frames, a row a video first, then a row a question.

    Raises:
        UsageError: the options cannot be used together.
        StorageError: `out` cannot be written.
    """
    yield from write_harness_folder(dataset, out, options, root)
    folder, task = Path(out), name_task(dataset.name)
    rows = read_harness_folder(folder)
    files = {
        f"tasks/{task}.yaml": write_task(task, rows.figures, "task.jsonl", "functions.read_documents"),
        "tasks/task.jsonl": write_stub(dataset.name),
        "tasks/functions.py": READER,
        "README.md": _write_readme(task, rows),
    }
    for name, text in files.items():
        write_bytes(folder / name, text.encode())


def write_task(task: str, figures: Iterable[Figure], stub: str, read: str) -> str:
    """The YAML of a task; `stub` is what lmms-eval loads, `read` the function that puts the documents in its place."""
    metrics = [(name, "report_figure", True) for name in name_metrics(figures).values()]
    metrics += [
        (MISSING, "report_missing", False),
        (AS_WRONG, "report_with_missing_as_wrong", True),
        (LOW, "report_low", True),
        (HIGH, "report_high", True),
    ]
    told = [
        METRIC.format(name=_quote(name), functions=FUNCTIONS, function=function, higher=_quote(higher))
        for name, function, higher in metrics
    ]
    return TASK.format(
        task=_quote(task),
        stub=_quote(stub),
        read=read,
        functions=FUNCTIONS,
        metrics="\n".join(told),
        version=PROMPT_VERSION,
    )


def write_stub(dataset: str) -> str:
    """What lmms-eval loads before it asks for the documents: a line that names the dataset."""
    return json.dumps({"dataset": dataset}, ensure_ascii=False) + "\n"


def write_packaged_task(manifest: Manifest) -> dict[str, str]:
    """Name and text of the packaged files of one benchmark."""
    task, stub = name_task(manifest.name), f"{manifest.name}.jsonl"
    return {
        f"{task}.yaml": write_task(task, list_manifest_figures(manifest), stub, f"{FUNCTIONS}.find_documents"),
        stub: write_stub(manifest.name),
    }


def _quote(value: object) -> str:
    """The value in YAML: JSON is a part of it, for the plain names that come here."""
    return json.dumps(value, ensure_ascii=False)


def _write_readme(task: str, rows: HarnessSet) -> str:
    grid = rows.options.grid
    if rows.options.show == "videos":
        shown = "The film is named by its path: lmms-eval or the model takes frames from it as it likes."
    else:
        shown = (
            f"The {grid.identity} cache's frames, PNG and so the cache's own bytes: a simple model is given them as "
            "images, a chat model a video that is a list of paths, without times."
        )
    return README.format(
        task=task,
        rows=describe_rows(rows),
        frames=",max_num_frames=32" if rows.options.show == "videos" else f",max_num_frames={grid.nframes}",
        shown=shown,
        missing=MISSING,
        as_wrong=AS_WRONG,
        low=LOW,
        high=HIGH,
    )
