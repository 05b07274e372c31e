"""The functions of a task of lmms-eval, named in its YAML: documents, prompts, scores, figures.

Documents are `harness.HarnessRow`s, from an exported folder or from `$IVBENCH_ROOT`. Simple models get paths and Pillow
images, chat models messages. `score_reply` parses and scores each reply unchanged; it counts in the overall figure, its
group's and its task's, each a metric of its own, clustered by video.

Nothing here imports lmms-eval; `datasets` and Pillow are imported where they are used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ivbench_data.dataset import load
from ivbench_data.errors import DatasetError
from ivbench_data.evaluate.prompts.requests import ImagePart
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.evaluate.scores import Scorecard
from ivbench_data.exports.harness import (
    Figure,
    HarnessOptions,
    HarnessRow,
    HarnessSet,
    gather_rows,
    list_manifest_figures,
    make_result_row,
    show_frames_of,
)
from ivbench_data.exports.harness_figures import (
    AS_WRONG,
    COUNTS,
    HIGH,
    LOW,
    MISSING,
    find_counts,
    find_value,
    name_metrics,
    score_rows,
)
from ivbench_data.manifests import load_manifest
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import EvaluationResult, Question
from ivbench_data.workspace import Workspace, default_root

# --- documents --------------------------------------------------------------------------------------------------


def find_documents(documents: Any) -> Any:
    """The documents of the dataset that the packaged task names, under `$IVBENCH_ROOT`.

    `$IVBENCH_FRAMES`, a folder written by `export frames` such as `pictures/32x240`, shows its frames instead of video
    files; `$IVBENCH_PROFILE` selects another profile.

    Raises:
        DatasetNotFoundError: there is no such dataset.
        UsageError: a variable has an invalid value.
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
    # a packaged YAML lists exactly the metrics of the manifest
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
    plain = ("question_id", "video_id", "task", "text", "target", "video", "record", "profile", "source")
    lists = ("frames", "images", "counts_in", "figures")
    features = datasets.Features({**dict.fromkeys(plain, text), **dict.fromkeys(lists, texts)})
    documents = [_make_document(row, rows, name_of) for row in rows.rows]
    return datasets.Dataset.from_list(documents, features=features)


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
        "figures": [json.dumps(figure) for figure in row.figures if figure in name_of],
        "source": str(rows.source),
    }


# --- prompts ----------------------------------------------------------------------------------------------------


def show_visuals(document: Mapping[str, Any]) -> list[Any]:
    """For simple models: the video's path or the frames, then the query images, all but the path as RGB images."""
    video = [document["video"]] if document["video"] else []
    return [*video, *(_open(path) for path in (*document["frames"], *document["images"]))]


def write_messages(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For chat models: one user message, with the video's path or the list of its frames' paths as its video."""
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


# --- scores -----------------------------------------------------------------------------------------------------


class WholeReply:
    """A filter of lmms-eval: the first reply as JSON, so that lmms-eval does not strip the white space around it."""

    def apply(self, replies: Sequence[Sequence[str | None]], documents: Any) -> list[str]:
        """One for each document."""
        return [json.dumps(each[0] if each else None, ensure_ascii=False) for each in replies]


def score_document(document: Mapping[str, Any], replies: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The scored reply for each metric that the question counts in; empty if it cannot be scored."""
    question = Question.model_validate_json(document["record"])
    reply_score = score_reply(question, json.loads(replies[0]), document["profile"])
    if not document["counts_in"]:
        return {}
    row = make_result_row(reply_score, question.question_id, None)
    item = {"row": row.model_dump(mode="json", exclude_defaults=True), "source": document["source"]}
    # the input of lmms-eval's standard errors; counts have none, and a text that needs an LLM judge has no score
    scored = {"score": reply_score.points, "cluster": cluster_of(question)} if reply_score.points is not None else {}
    figures = zip(document["counts_in"], document["figures"], strict=True)
    return {
        **{name: {**item, **scored, "figure": json.loads(figure)} for name, figure in figures},
        **dict.fromkeys(COUNTS, item),
    }


# --- figures ----------------------------------------------------------------------------------------------------


def report_figure(items: Sequence[Mapping[str, Any]]) -> float | None:
    """The figure that these questions count in; None if nothing could be scored."""
    return find_value(_score(items), Figure(*items[0]["figure"]))


def report_missing(items: Sequence[Mapping[str, Any]]) -> float | None:
    """Number of questions that can be scored but were not asked: media missing, or the run was limited."""
    return find_counts(_score(items))[MISSING]


def report_with_missing_as_wrong(items: Sequence[Mapping[str, Any]]) -> float | None:
    """The overall figure with unasked questions counted as wrong."""
    return find_counts(_score(items))[AS_WRONG]


def report_low(items: Sequence[Mapping[str, Any]]) -> float | None:
    """The lower end of the overall figure's 95 % interval, clustered by video."""
    return find_counts(_score(items))[LOW]


def report_high(items: Sequence[Mapping[str, Any]]) -> float | None:
    """The upper end of the overall figure's 95 % interval, clustered by video."""
    return find_counts(_score(items))[HIGH]


def _score(items: Sequence[Mapping[str, Any]]) -> Scorecard:
    return score_rows(items[0]["source"], [EvaluationResult.model_validate(item["row"]) for item in items])
