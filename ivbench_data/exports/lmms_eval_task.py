"""What a task of lmms-eval calls: documents, prompts, verdicts, figures. Its YAML names these functions.

Documents are `harness.HarnessRow`s, from an exported folder or from `$IVBENCH_ROOT`. Simple models are given paths and
Pillow images, chat models messages. A reply is read by `judge_reply`, whole and as it came, and counts in the overall
figure, its group's and its task's, each a metric of its own, clustered by video.

Nothing here imports lmms-eval; `datasets` and Pillow are imported where they are used.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ivbench_data.dataset import load
from ivbench_data.errors import DatasetError
from ivbench_data.evaluate.judging import judge_reply
from ivbench_data.evaluate.requests import ImagePart
from ivbench_data.exports.harness import (
    Figure,
    HarnessOptions,
    HarnessRow,
    HarnessSet,
    gather_rows,
    list_manifest_figures,
    show_frames_of,
)
from ivbench_data.manifests import load_manifest
from ivbench_data.schema import Question
from ivbench_data.statistics import Estimate, cluster_of, estimate_share
from ivbench_data.workspace import Workspace, default_root

MISSING, AS_WRONG = "missing", "overall with missing as wrong"
LOW, HIGH = "overall interval from", "overall interval to"
COUNTS = (MISSING, AS_WRONG, LOW, HIGH)
"""Metrics beside the figures; none of them begins as a figure's name does."""


def name_metrics(figures: Iterable[Figure]) -> dict[Figure, str]:
    """A metric's name for each figure: `overall`, `group perception`, `task Counting`.

    lmms-eval splits names at commas, knows its own by endings after an underline, and draws a Markdown table.
    """
    name_of: dict[Figure, str] = {}
    for figure in figures:
        plain = " ".join(re.sub(r"[^\w.&()+-]|_", " ", figure.name).split())
        name = figure.kind if figure.kind == "overall" else f"{figure.kind} {plain}"
        number = 2
        while name in name_of.values():
            name, number = f"{figure.kind} {plain} ({number})", number + 1
        name_of[figure] = name
    return name_of


# --- documents --------------------------------------------------------------------------------------------------


def find_documents(documents: Any) -> Any:
    """The documents of the dataset that the packaged task names, as it is under `$IVBENCH_ROOT`.

    `$IVBENCH_FRAMES`, a folder that `export frames` wrote, such as `pictures/32x240`, shows its frames instead of
    films; `$IVBENCH_PROFILE` words questions by another profile.

    Raises:
        DatasetNotFoundError: there is no such dataset.
        UsageError: a variable says what cannot be done.
    """
    workspace = Workspace(default_root(), str(documents[0]["dataset"]))
    dataset = load(workspace.folder)
    options = HarnessOptions(profile=os.environ.get("IVBENCH_PROFILE") or "default")
    frames = os.environ.get("IVBENCH_FRAMES")
    folder = None
    if frames:
        options, folder = show_frames_of(frames, options, dataset.name)
    rows = gather_rows(dataset, workspace, options, folder)
    manifest = load_manifest(dataset.name)
    # a packaged YAML names the metrics of the manifest, and no others
    return make_documents(replace(rows, figures=tuple(list_manifest_figures(manifest))))


def make_documents(rows: HarnessSet) -> Any:
    """The rows as a `datasets.Dataset`.

    Raises:
        DatasetError: none of them can be asked.
    """
    import datasets

    if not rows.rows:
        why = f", such as {rows.unasked[0].question_id}: {rows.unasked[0].reason}" if rows.unasked else ""
        raise DatasetError(f"none of the {len(rows.unasked):,} questions of {rows.dataset} can be asked{why}")
    name_of = name_metrics(rows.figures)
    text, texts = datasets.Value("string"), [datasets.Value("string")]
    kinds = dict.fromkeys(("question_id", "video_id", "task", "text", "target", "video", "record", "profile"), text)
    lists = dict.fromkeys(("frames", "images", "counts_in"), texts)
    features = datasets.Features({**kinds, **lists, "scorable": datasets.Value("int64")})
    made = [_make_document(row, rows, name_of) for row in rows.rows]
    return datasets.Dataset.from_list(made, features=features)


def _make_document(row: HarnessRow, rows: HarnessSet, name_of: Mapping[Figure, str]) -> dict[str, Any]:
    question = row.question
    return {
        "question_id": question.question_id,
        "video_id": question.video_id,
        "task": question.task,
        "text": row.text,
        "target": question.answer or "",
        "video": row.video,
        "frames": list(row.frames),
        "images": list(row.images),
        "record": question.model_dump_json(exclude_defaults=True),
        "profile": rows.options.profile,
        "counts_in": [name_of[figure] for figure in row.figures if figure in name_of],
        "scorable": rows.scorable,
    }


# --- prompts ----------------------------------------------------------------------------------------------------


def show_visuals(document: Mapping[str, Any]) -> list[Any]:
    """For simple models: the film's path or the frames, then the query images, all but the path as RGB images."""
    film = [document["video"]] if document["video"] else []
    return [*film, *(_open(path) for path in (*document["frames"], *document["images"]))]


def write_messages(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For chat models: one message of the user, with the film's path or a list of its frames' paths as its video."""
    content: list[dict[str, Any]] = []
    if document["video"]:
        content.append({"type": "video", "url": document["video"]})
    elif document["frames"]:
        content.append({"type": "video", "url": list(document["frames"])})
    content += [{"type": "image", "url": _open(path)} for path in document["images"]]
    content.append({"type": "text", "text": document["text"]})
    return [{"role": "user", "content": content}]


def _open(path: str) -> Any:
    return ImagePart(Path(path).name, Path(path), None, "").open()


# --- verdicts ---------------------------------------------------------------------------------------------------


class WholeReply:
    """A filter of lmms-eval: the first reply as JSON, so that the space around it, which it strips, is kept."""

    def apply(self, replies: Sequence[Sequence[str | None]], documents: Any) -> list[str]:
        """One for each document."""
        return [json.dumps(each[0] if each else None, ensure_ascii=False) for each in replies]


def judge_document(document: Mapping[str, Any], replies: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the reply counts for, in each metric that the question has a part in; none with a hidden answer."""
    question = Question.model_validate_json(document["record"])
    judgement = judge_reply(question, json.loads(replies[0]), document["profile"])
    if not document["counts_in"]:
        return {}
    hit, cluster = float(judgement.correct), cluster_of(question)
    scored = {"score": hit, "cluster": cluster, "answer_index": judgement.answer_index, "rule": judgement.rule}
    # without a `score`, or lmms-eval would print a standard error of what is no mean
    counted = {"hit": hit, "cluster": cluster, "scorable": document["scorable"]}
    return {**dict.fromkeys(document["counts_in"], scored), **dict.fromkeys(COUNTS, counted)}


# --- figures ----------------------------------------------------------------------------------------------------


def average(items: Sequence[Mapping[str, Any]]) -> float:
    """The share of right replies."""
    return float(sum(item["score"] for item in items)) / len(items)


def count_missing(items: Sequence[Mapping[str, Any]]) -> int:
    """How many questions that can be scored were not asked: their media are not here, or the run was limited."""
    return int(items[0]["scorable"]) - len(items)


def average_with_missing_as_wrong(items: Sequence[Mapping[str, Any]]) -> float:
    """Right replies over all questions that can be scored, asked or not."""
    return float(sum(item["hit"] for item in items)) / int(items[0]["scorable"])


def find_low(items: Sequence[Mapping[str, Any]]) -> float:
    """The lower end of the overall figure's 95 % interval, clustered by video."""
    return _estimate(items).low


def find_high(items: Sequence[Mapping[str, Any]]) -> float:
    """The upper end of the overall figure's 95 % interval, clustered by video."""
    return _estimate(items).high


def _estimate(items: Sequence[Mapping[str, Any]]) -> Estimate:
    return estimate_share([item["hit"] for item in items], [item["cluster"] for item in items])
