"""A task of inspect_ai: samples, solver, scorer and metrics; its entry point `ivbench_data/ivbench` stands here.

Every question is a sample. One whose media are not here, or that inspect_ai has no format for, is not sent to the
model, and stays unscored with the reason, so that it shows beside the figures. A reply is read by `score_reply`.

Importing this module imports inspect_ai, which alone does so, by the entry-point group `inspect_ai`.
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
    check_film,
    gather_rows,
    keep_reply_score,
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
    """The questions of a dataset under a root, as films or as the frames of a folder that `export frames` wrote.

    Args:
        dataset: its name.
        root: the folder that holds the datasets; `$IVBENCH_ROOT` or `./data` unless named.
        frames: the folder of a grid's exported frames, such as `pictures/32x240`; without it, films are shown.
        profile: how questions are worded and replies read.
    """
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset)
    options, pictures = HarnessOptions(profile=profile), None
    if frames is not None:
        options, pictures = show_frames_of(frames, options, dataset)
    return make_task(gather_rows(load(workspace.folder), workspace, options, pictures))


def make_task(rows: HarnessSet) -> Task:
    """The task of an exported folder's rows, or of those that were just gathered."""
    name_of = name_metrics(rows.figures)
    samples = [_make_sample(row, rows, name_of) for row in rows.rows]
    samples += [_make_unasked(row) for row in rows.unasked]
    return Task(
        dataset=MemoryDataset(samples, name=rows.dataset),
        solver=ask(),
        scorer=judge(),
        config=GenerateConfig(temperature=0, max_tokens=1024),
        metadata={"dataset": rows.dataset, "options": rows.options.model_dump(mode="json")},
    )


# --- samples ----------------------------------------------------------------------------------------------------


def _make_sample(row: HarnessRow, rows: HarnessSet, name_of: dict[Figure, str]) -> Sample:
    checked = check_film(row, FORMATS)
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
    """A sample that nothing is asked of: it says why."""
    return Sample(
        id=row.question_id,
        input=f"Not asked: {row.reason}",
        metadata={"unasked": row.reason},
    )


@solver
def ask() -> Solver:
    """Ask the model, unless there is nothing to show."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return state if "unasked" in state.metadata else await generate(state)

    return solve


# --- verdicts and figures ---------------------------------------------------------------------------------------


@metric
def figures() -> Metric:
    """The benchmark's figures from a scorecard of what was scored, and inspect_ai's standard errors by video."""
    measure_error = cast("MetricProtocol", stderr(cluster="cluster"))

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        about = [score.sample_metadata or {} for score in scores]
        rows = [EvaluationResult.model_validate((score.score.metadata or {})["row"]) for score in scores]
        card = score_rows(about[0]["source"], rows)
        named = {name: Figure(*figure) for each in about for name, figure in each["figures"].items()}
        told: dict[str, float | None] = {}
        for name in sorted(named):
            counted = [score for score, each in zip(scores, about, strict=True) if name in each["figures"]]
            told[name] = find_value(card, named[name])
            told[f"stderr of {name}"] = float(measure_error(counted))
        return {name: value for name, value in {**told, **find_counts(card)}.items() if value is not None}

    return compute


@scorer(metrics=[figures()])
def judge() -> Scorer:
    """Read the reply by our rules; what was not asked or has a hidden answer stays unscored."""

    async def score(state: TaskState, target: Target) -> Score:
        if "unasked" in state.metadata:
            return Score.unscored(reason="not_asked", explanation=state.metadata["unasked"])
        question = Question.model_validate_json(state.metadata["record"])
        reply = state.output.completion
        judgement = score_reply(question, reply, state.metadata["profile"])
        row = keep_reply_score(judgement, question.question_id, None).model_dump(mode="json", exclude_defaults=True)
        answer = None if judgement.answer_index is None else question.options[judgement.answer_index]
        if judgement.points is None or not state.metadata["figures"]:
            reason = "its answer is hidden, or takes a judge, or nothing can score it"
            return Score.unscored(reason="not_scorable", answer=answer, explanation=reason, metadata={"row": row})
        return Score(value=judgement.points, answer=answer, explanation=reply, metadata={"row": row})

    return score
