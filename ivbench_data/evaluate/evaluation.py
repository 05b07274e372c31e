"""Evaluate a model: ask the questions, store a row per reply, and reuse the rows of earlier runs that still apply."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pydantic import JsonValue

from ivbench_data import __version__
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.models import DEFAULT_MODEL_OPTIONS, ModelOptions, open_model
from ivbench_data.evaluate.prompts.asking import DEFAULT_ASK_OPTIONS, Asker, AskOptions, Unasked
from ivbench_data.evaluate.prompts.compose import PROMPT_VERSION
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.evaluate.prompts.requests import Model, Reply, Request, read_identity
from ivbench_data.evaluate.reply_outcomes import HOLDS_WHEN_TRUNCATED, RETRIED, Outcome, find_outcome
from ivbench_data.evaluate.reply_scores import ReplyScore, score_choice, score_reply
from ivbench_data.evaluate.results import ResultsFile, RunConfiguration, set_aside
from ivbench_data.evaluate.run_claim import RunClaim
from ivbench_data.schema import EvaluationResult, Key, Question
from ivbench_data.workspace import Workspace, default_root

LIBRARIES = ("numpy", "pillow", "torch", "torchvision", "transformers", "accelerate", "flash-attn")


@dataclass(frozen=True)
class RunPlan:
    """What a run reuses and what it asks.

    Example:
        >>> plans = []
        >>> options = iv.AskOptions(grid=iv.FrameGrid(nframes=4, res=16))
        >>> rows = iv.evaluate_questions(
        ...     iv.load_dataset("tiny"), model="baseline:random", options=options, fresh=True, on_plan=plans.append
        ... )
        >>> len(list(rows)), plans[0].kept, plans[0].asked
        (3, 0, 3)
    """

    path: Path
    """The results file."""
    kept: int
    """Number of answers of earlier runs that are reused."""
    asked: int
    """Number of requests to the model."""
    replaced: Path | None = None
    """Where the earlier results file was moved to, with `fresh`."""


def evaluate_questions(
    dataset: Dataset,
    root: Path | str | None = None,
    *,
    model: str | Model,
    options: AskOptions = DEFAULT_ASK_OPTIONS,
    model_options: ModelOptions = DEFAULT_MODEL_OPTIONS,
    model_name: str | None = None,
    retry: Collection[Outcome] = RETRIED,
    fresh: bool = False,
    on_plan: Callable[[RunPlan], None] | None = None,
) -> Iterator[EvaluationResult]:
    """Rows of a model's answers to the dataset's questions, each stored in `results/` before it is yielded.

    Rows of an earlier run are reused, and yielded first, if their prompt and frames are unchanged.

    Args:
        dataset: the questions.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        model: a name (`Qwen/Qwen2.5-VL-7B-Instruct`, `baseline:random`, `python:module:function`), or a callable over
            requests.
        options: how questions are asked.
        model_options: how a named model is loaded and asked.
        model_name: name of a callable in the results, which must differ from that of every other model.
        retry: outcomes of earlier runs that are asked again: `failed` by default; `empty`, `truncated`, `filtered` and
            `refused` are kept unless they are named.
        fresh: ask every question again; the earlier results file is moved to `results/replaced/`.
        on_plan: called once, after the reused rows and before the model is asked.

    Raises:
        UsageError: there is no such model, pattern, profile, task or question; or the model cannot be asked like that.
        EnvironmentProblemError: another process evaluates the same configuration.
        StorageError: the root cannot be written.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> options = iv.AskOptions(grid=iv.FrameGrid(nframes=4, res=16))
        >>> rows = iv.evaluate_questions(dataset, model="baseline:random", options=options)
        >>> [(row.question_id, row.reply) for row in rows]
        [('alpha_0', 'D'), ('alpha_1', 'A'), ('-beta_0', 'C')]
    """
    options.check(dataset)
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    if isinstance(model, str):
        name, answer = model_name or model, open_model(model, model_options, dataset, options)
    else:
        name, answer = model_name or _name_of(model), model
    configuration = RunConfiguration(
        dataset=dataset.name,
        model=name,
        model_options={**model_options.describe_answering(), **options.describe_asking()},
        model_identity=read_identity(answer),
        pattern=options.pattern,
        profile=options.profile,
        grid=options.grid.identity if _shows_video(dataset, options.pattern) else None,
        prompt_version=PROMPT_VERSION,
    )
    yield from _run(Asker(dataset, workspace, options), answer, configuration, frozenset(retry), fresh, on_plan)


def _run(
    asker: Asker,
    answer: Model,
    configuration: RunConfiguration,
    retry: Collection[str],
    fresh: bool,
    on_plan: Callable[[RunPlan], None] | None,
) -> Iterator[EvaluationResult]:
    """Rows of one configuration: the reused ones, then those of the model's replies."""
    workspace, profile = asker.workspace, asker.options.profile
    path = workspace.results / f"{configuration.digest}.jsonl"
    with RunClaim(workspace.ledger, path) as claim:
        replaced = set_aside(path) if fresh else None
        with ResultsFile(workspace.results, configuration, find_versions()) as file:
            kept = 0
            pending: dict[Key, tuple[Question, Request]] = {}
            for question, request in asker.iterate():
                row = _reuse_row(file, question, request, profile, retry)
                if row is None:
                    assert isinstance(request, Request)
                    pending[request.key] = (question, request)
                else:
                    kept += row.reply is not None or row.status == "ok"
                    yield row
            if on_plan is not None:
                on_plan(RunPlan(path, kept, len(pending), replaced))
            for row in _ask(file, answer, pending, profile):
                claim.check()
                yield row


def _shows_video(dataset: Dataset, pattern: str) -> bool:
    shows = "video" in PATTERNS[pattern].visuals
    return shows and any(question.video_id is not None for question in dataset.questions)


def _reuse_row(
    file: ResultsFile, question: Question, request: Request | Unasked, profile: str, retry: Collection[str]
) -> EvaluationResult | None:
    """An earlier row that still applies, or a row with the reason why it cannot be asked; None if it must be asked."""
    stored = file.rows.get(request.key)
    if isinstance(request, Unasked):
        kind = "failed" if request.kind == "error" else request.kind
        question_id, rotation, *sample = request.key
        row = EvaluationResult(
            question_id=question_id, rotation=rotation, sample=sum(sample), status=kind, error=request.reason
        )
    elif stored is None or not _was_shown_the_same(stored, request):
        return None
    else:
        row = _make_row(question, request, _restore_reply(stored), profile)
        if row.status in retry:
            return None
        if _list_scored(row) == _list_scored(stored):
            return stored
    if row != stored:
        file.append(row)
    return row


def _list_scored(row: EvaluationResult) -> tuple[object, ...]:
    """What today's rules and answers make of a reply."""
    return row.status, row.answer_index, row.value, row.correct


def _was_shown_the_same(row: EvaluationResult, request: Request) -> bool:
    """Whether the row is of a reply to the same prompt; one that was not asked is not."""
    frames_digest = request.video.frames_digest if request.video else None
    return row.prompt_digest == request.prompt_digest and row.frames_digest == frames_digest


def _restore_reply(row: EvaluationResult) -> Reply:
    """The reply that a stored row was made from, to parse and score it by today's rules and answers."""
    facts = {key: value for key, value in row.metadata.items() if key not in ("rule", "option_logprobs")}
    finish_reason = facts.pop("finish_reason", None)  # where 0.1.0 kept it
    logprobs = row.metadata.get("option_logprobs")
    return Reply(
        row.key,
        text=None if row.status == "refused" else row.reply,
        error=row.error if row.status in ("failed", "filtered") else None,
        option_logprobs=tuple(float(str(value)) for value in logprobs) if isinstance(logprobs, list) else None,
        visual_tokens=row.visual_tokens,
        seconds=row.seconds,
        metadata=facts,
        finish_reason=row.finish_reason or (finish_reason if isinstance(finish_reason, str) else None),
        reasoning=row.reasoning,
        refusal=row.reply if row.status == "refused" else None,
    )


def _ask(
    file: ResultsFile, answer: Model, pending: dict[Key, tuple[Question, Request]], profile: str
) -> Iterator[EvaluationResult]:
    """Rows of the model's replies in the order of arrival, then failed rows for requests without a reply."""
    waiting = dict(pending)
    if waiting:
        for reply in answer([request for _, request in pending.values()]):
            if reply.key not in waiting:
                raise UsageError(f"the model replied to {reply.key}, which is unknown or has a reply already")
            row = _make_row(*waiting.pop(reply.key), reply, profile)
            file.append(row)
            yield row
    for question, request in waiting.values():
        row = _make_row(question, request, Reply(request.key, error="the model gave no reply"), profile)
        file.append(row)
        yield row


def _make_row(question: Question, request: Request, reply: Reply, profile: str) -> EvaluationResult:
    """The row of a reply: the parsed answer, as a position in stored order, and whether it is right."""
    status, error = find_outcome(reply)
    reply_score = _score(question, request, reply, profile, status)
    facts: dict[str, JsonValue] = {**request.facts, **reply.metadata}
    if reply_score is not None:
        facts["rule"] = reply_score.rule
    if reply.option_logprobs is not None:
        facts["option_logprobs"] = list(reply.option_logprobs)
    return EvaluationResult(
        question_id=question.question_id,
        rotation=request.rotation,
        sample=request.sample,
        status=status,
        reply=reply.refusal if status == "refused" else reply.text,
        answer_index=reply_score.answer_index if reply_score is not None else None,
        value=reply_score.value if reply_score is not None else None,
        correct=reply_score is not None and reply_score.correct,
        error=error,
        finish_reason=reply.finish_reason,
        reasoning=reply.reasoning,
        prompt_digest=request.prompt_digest,
        frames_digest=request.video.frames_digest if request.video else None,
        grid=request.video.grid if request.video else None,
        visual_tokens=reply.visual_tokens,
        seconds=reply.seconds,
        metadata=facts,
    )


def _score(question: Question, request: Request, reply: Reply, profile: str, status: Outcome) -> ReplyScore | None:
    """Score of the reply; None for free text, or without an answer."""
    if status in ("failed", "filtered", "refused") or not (question.options or question.question_type == "numeric"):
        return None
    if reply.text is None and reply.option_logprobs is not None:
        best = max(range(len(reply.option_logprobs)), key=reply.option_logprobs.__getitem__)
        chosen = None if "undecided" in reply.metadata else best
        return score_choice(question, chosen, "likelihood", request.rotation)
    reply_score = score_reply(question, reply.text, profile, request.rotation)
    if status == "truncated" and reply_score.rule not in HOLDS_WHEN_TRUNCATED:
        # the rest could have taken back whatever but its first sentence, which begins with the answer
        first = re.split(r"(?<=[.!?。！？\n])", (reply.text or "").lstrip(), maxsplit=1)[0]
        return score_reply(question, first, profile, request.rotation)
    return reply_score


def find_versions() -> dict[str, str]:
    """Versions of Python, of this package and of the installed libraries among `LIBRARIES`."""
    versions = {"python": platform.python_version(), "ivbench-data": __version__}
    for library in LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _name_of(model: Model) -> str:
    name = getattr(model, "__qualname__", None) or type(model).__qualname__
    return f"{getattr(model, '__module__', None) or type(model).__module__}:{name}"
