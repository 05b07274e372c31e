"""The task of inspect_ai: samples, solver, scorer and metrics; the entry point `ivbench_data/ivbench` is here.

Every question is a sample. A question whose media are missing, or in a format that inspect_ai does not support, is not
sent to the model, and stays unscored with the reason. Replies are parsed and scored by `score_reply`.

Importing this module imports inspect_ai, which finds it by the entry-point group `inspect_ai`.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, Content, ContentImage, ContentText, ContentVideo, GenerateConfig
from inspect_ai.scorer import Metric, MetricProtocol, SampleScore, Score, Scorer, Target, metric, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from ivbench_data.dataset import load
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.exports.harness import (
    Figure,
    HarnessOptions,
    HarnessRow,
    HarnessSet,
    UnaskedRow,
    check_video_suffix,
    gather_rows,
    make_result_row,
    show_frames_of,
)
from ivbench_data.exports.harness_figures import find_counts, find_value, name_metrics, score_rows
from ivbench_data.exports.inspect_ai import FORMATS
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import EvaluationResult, Question
from ivbench_data.workspace import DEFAULT_DATASET, Workspace, default_root


@task
def ivbench(
    dataset: str = DEFAULT_DATASET, root: str | None = None, frames: str | None = None, profile: str = "default"
) -> Task:
    """The questions of a dataset, shown as video files, or as frames that `export frames` wrote.

    Args:
        dataset: name of the dataset.
        root: the folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        frames: the folder of a grid's exported frames, such as `pictures/32x240`; None for video files.
        profile: wording of questions and parser of replies.
    """
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset)
    options, pictures = HarnessOptions(profile=profile), None
    if frames is not None:
        options, pictures = show_frames_of(frames, options, dataset)
    return make_task(gather_rows(load(workspace.folder), workspace, options, pictures))


def make_task(rows: HarnessSet) -> Task:
    """The task of a set of rows, exported or gathered from a dataset."""
    name_of = name_metrics(rows.figures)
    samples = [_make_sample(row, rows, name_of) for row in rows.rows]
    samples += [_make_unasked(row) for row in rows.unasked]
    return Task(
        dataset=MemoryDataset(samples, name=rows.dataset),
        solver=ask(),
        scorer=score_by_metric(),
        config=GenerateConfig(temperature=0, max_tokens=1024),
        metadata={"dataset": rows.dataset, "options": rows.options.model_dump(mode="json")},
    )


# --- samples ----------------------------------------------------------------------------------------------------


def _make_sample(row: HarnessRow, rows: HarnessSet, name_of: dict[Figure, str]) -> Sample:
    checked = check_video_suffix(row, FORMATS)
    if isinstance(checked, UnaskedRow):
        return _make_unasked(checked)
    question = row.question
    content: list[Content] = []
    if row.video is not None:
        content.append(ContentVideo(video=row.video, format=FORMATS[Path(row.video).suffix.lower()]))
    content += [ContentImage(image=path) for path in (*row.frames, *row.images)]
    content.append(ContentText(text=row.text))
    return Sample(
        id=question.question_id,
        input=[ChatMessageUser(content=content)],
        target=question.answer or "",
        metadata={
            "record": question.model_dump_json(exclude_defaults=True),
            "profile": rows.options.profile,
            "cluster": cluster_of(question),
            "figures": {name_of[figure]: figure for figure in row.figures},
            "source": str(rows.source),
        },
    )


def _make_unasked(row: UnaskedRow) -> Sample:
    """A sample that is not sent to the model, with the reason."""
    return Sample(
        id=row.question_id,
        input=f"Not asked: {row.reason}",
        metadata={"unasked": row.reason},
    )


@solver
def ask() -> Solver:
    """A solver that asks the model, except about unasked samples."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return state if "unasked" in state.metadata else await generate(state)

    return solve


# --- scores and figures -----------------------------------------------------------------------------------------


@metric
def figures() -> Metric:
    """The benchmark's figures from a scorecard of the scored samples, and inspect_ai's standard errors by video."""
    measure_error = cast("MetricProtocol", stderr(cluster="cluster"))

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        about = [score.sample_metadata or {} for score in scores]
        rows = [EvaluationResult.model_validate((score.score.metadata or {})["row"]) for score in scores]
        card = score_rows(about[0]["source"], rows)
        named = {name: Figure(*figure) for each in about for name, figure in each["figures"].items()}
        values: dict[str, float | None] = {}
        for name in sorted(named):
            counted = [score for score, each in zip(scores, about, strict=True) if name in each["figures"]]
            values[name] = find_value(card, named[name])
            values[f"stderr of {name}"] = float(measure_error(counted))
        return {name: value for name, value in {**values, **find_counts(card)}.items() if value is not None}

    return compute


@scorer(metrics=[figures()])
def score_by_metric() -> Scorer:
    """A scorer that parses and scores replies by our rules; unasked samples and hidden answers stay unscored."""

    async def score(state: TaskState, target: Target) -> Score:
        if "unasked" in state.metadata:
            return Score.unscored(reason="not_asked", explanation=state.metadata["unasked"])
        question = Question.model_validate_json(state.metadata["record"])
        reply = state.output.completion
        reply_score = score_reply(question, reply, state.metadata["profile"])
        row = make_result_row(reply_score, question.question_id, None).model_dump(mode="json", exclude_defaults=True)
        answer = None if reply_score.answer_index is None else question.options[reply_score.answer_index]
        if reply_score.points is None or not state.metadata["figures"]:
            reason = "its answer is hidden, or it needs an LLM judge, or no metric can score it"
            return Score.unscored(reason="not_scorable", answer=answer, explanation=reason, metadata={"row": row})
        return Score(value=reply_score.points, answer=answer, explanation=reply, metadata={"row": row})

    return score
