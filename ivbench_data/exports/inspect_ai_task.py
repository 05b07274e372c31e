"""A task of inspect_ai: samples, solver, scorer and metrics; its entry point `ivbench_data/ivbench` stands here.

Every question is a sample. One whose media are not here, or that inspect_ai has no format for, is not sent to the
model, and stays unscored with the reason, so that it shows beside the figures. A reply is read by `judge_reply`.

Importing this module imports inspect_ai, which alone does so, by the entry-point group `inspect_ai`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, Content, ContentImage, ContentText, ContentVideo, GenerateConfig
from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    accuracy,
    metric,
    scorer,
    stderr,
    value_to_float,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from ivbench_data.dataset import load
from ivbench_data.evaluate.judging import judge_reply
from ivbench_data.exports.harness import (
    OVERALL,
    Figure,
    HarnessOptions,
    HarnessRow,
    HarnessSet,
    UnaskedRow,
    gather_rows,
    show_frames_of,
)
from ivbench_data.exports.lmms_eval_task import name_metrics
from ivbench_data.schema import Question
from ivbench_data.statistics import cluster_of, estimate_share
from ivbench_data.workspace import DEFAULT_DATASET, Workspace, default_root

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}
"""Endings of films, and what inspect_ai calls their format; it has no word for others."""


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
    samples += [_make_unasked(row, rows) for row in rows.unasked]
    return Task(
        dataset=MemoryDataset(samples, name=rows.dataset),
        solver=ask(),
        scorer=judge(),
        config=GenerateConfig(temperature=0, max_tokens=1024),
        metadata={"dataset": rows.dataset, "options": rows.options.model_dump(mode="json")},
    )


# --- samples ----------------------------------------------------------------------------------------------------


def _make_sample(row: HarnessRow, rows: HarnessSet, name_of: dict[Figure, str]) -> Sample:
    question = row.question
    suffix = Path(row.video).suffix.lower() if row.video is not None else None
    if suffix is not None and suffix not in FORMATS:
        reason = f"inspect_ai takes films in mp4 and mov, and this one is {suffix}: show frames instead"
        return _make_unasked(UnaskedRow(question=question, kind="missing", reason=reason), rows)
    content: list[Content] = []
    if row.video is not None and suffix is not None:
        content.append(ContentVideo(video=row.video, format=FORMATS[suffix]))
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
            "figures": [name_of[figure] for figure in row.figures if figure != OVERALL],
            "is_scorable": bool(row.figures),
            "scorable": rows.scorable,
        },
    )


def _make_unasked(row: UnaskedRow, rows: HarnessSet) -> Sample:
    """A sample that nothing is asked of: it says why."""
    return Sample(
        id=row.question_id,
        input=f"Not asked: {row.reason}",
        metadata={"unasked": row.reason, "cluster": "", "figures": [], "scorable": rows.scorable},
    )


@solver
def ask() -> Solver:
    """Ask the model, unless there is nothing to show."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return state if "unasked" in state.metadata else await generate(state)

    return solve


# --- verdicts and figures ---------------------------------------------------------------------------------------


def _select(scores: list[SampleScore], name: str) -> list[SampleScore]:
    return [score for score in scores if name in (score.sample_metadata or {})["figures"]]


@metric
def figures() -> Metric:
    """Accuracy of each group and task, and its standard error clustered by video, by inspect_ai's own metrics."""
    measure: dict[str, Callable[[list[SampleScore]], Any]] = {"": accuracy(), "stderr of ": stderr(cluster="cluster")}

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        names = dict.fromkeys(name for score in scores for name in (score.sample_metadata or {})["figures"])
        return {
            f"{prefix}{name}": float(compute_one(_select(scores, name)))
            for name in sorted(names)
            for prefix, compute_one in measure.items()
        }

    return compute


@metric
def denominators() -> Metric:
    """What was not scored, accuracy with it as wrong, and the 95 % interval that `ivbench-data score` prints."""
    to_float = value_to_float()

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        hits = [to_float(score.score.value) for score in scores]
        scorable = int((scores[0].sample_metadata or {})["scorable"])
        interval = estimate_share(hits, [(score.sample_metadata or {})["cluster"] for score in scores])
        return {
            "missing": scorable - len(scores),
            "accuracy with missing as wrong": sum(hits) / scorable,
            "accuracy interval from": interval.low,
            "accuracy interval to": interval.high,
        }

    return compute


@scorer(metrics=[accuracy(), stderr(cluster="cluster"), figures(), denominators()])
def judge() -> Scorer:
    """Read the reply by our rules; what was not asked or has a hidden answer stays unscored."""

    async def score(state: TaskState, target: Target) -> Score:
        if "unasked" in state.metadata:
            return Score.unscored(reason="not_asked", explanation=state.metadata["unasked"])
        question = Question.model_validate_json(state.metadata["record"])
        reply = state.output.completion
        judgement = judge_reply(question, reply, state.metadata["profile"])
        answer = None if judgement.answer_index is None else question.options[judgement.answer_index]
        told = {"answer_index": judgement.answer_index, "rule": judgement.rule}
        if not state.metadata["is_scorable"]:
            return Score.unscored(
                reason="not_scorable", answer=answer, explanation="its answer is hidden, or no option", metadata=told
            )
        value = CORRECT if judgement.correct else INCORRECT
        return Score(value=value, answer=answer, explanation=reply, metadata=told)

    return score
