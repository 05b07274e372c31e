"""LLM judge: a text model that scores replies which no rule can score.

A judge is used only when named. Its replies are kept in the ledger, by judge and prompt, and are not asked for again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.metrics import find_metric
from ivbench_data.evaluate.models import ModelOptions, open_model
from ivbench_data.evaluate.prompts.requests import Model, Request, TextPart
from ivbench_data.evaluate.results import Results
from ivbench_data.ledger import LedgerWriter, read_ledger
from ivbench_data.schema import NonEmpty, Record, Sha256
from ivbench_data.workspace import Workspace, default_root

LEDGER_KIND = "judge"

BACKENDS = ("openai", "python")
"""Backends of a judge: an OpenAI-compatible server, or a Python function of one request."""


class JudgeReply(Record):
    """The judge's reply about one answer.

    Example:
        >>> iv.JudgeReply(judge="openai:gpt-4o", question_id="q1", prompt_sha256="0" * 64, reply="yes").reply
        'yes'
    """

    judge: NonEmpty
    """The judge, as named by the user."""
    question_id: NonEmpty
    """The question."""
    prompt_sha256: Sha256
    """Digest of the judge's prompt."""
    reply: str | None = None
    """The judge's text."""
    error: str | None = None
    """Why there is no reply; such a row is not stored, so that the next run asks again."""


def open_judge(name: str, options: ModelOptions) -> Model:
    """The judge of that name: `openai:NAME` or `python:module:function`.

    Args:
        name: `openai:NAME` or `python:module:function`.
        options: address of its server, retries, time limit.

    Raises:
        UsageError: it is neither.

    Example:
        >>> judge = iv.open_judge("openai:gpt-4o", iv.ModelOptions(base_url="http://localhost:8000/v1"))
        >>> callable(judge)
        True
    """
    if name.partition(":")[0] not in BACKENDS:
        raise UsageError(f"a judge is written openai:NAME or python:module:function, not {name!r}")
    return open_model(name, options)


def needs_judge(dataset: Dataset) -> bool:
    """Whether any of the dataset's tasks is scored by a judge."""
    return any(find_metric(question).write_judge_prompt is not None for question in dataset.questions)


def ask_judge(
    dataset: Dataset, root: Path | str | None, results: Results, judge: Model, name: str
) -> Iterator[JudgeReply]:
    """A row for each answer that needs a judge: the stored judge reply to the same prompt, or a new one.

    Args:
        dataset: the dataset of the results.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        results: replies to score.
        judge: the judge's model, from `open_judge` or of your own.
        name: name of the judge, under which its replies are kept in the ledger.

    Raises:
        StorageError: the ledger cannot be written.

    Example:
        >>> def judge(requests):
        ...     for request in requests:
        ...         yield iv.Reply(request.key, text="yes")
        >>> dataset = iv.load_dataset("tiny")
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> list(iv.ask_judge(dataset, "data", results, judge, "mine"))
        []
    """
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    kept, _ = read_ledger(workspace, LEDGER_KIND, JudgeReply)
    said = {row.prompt_sha256: row for row in kept if row.judge == name}
    asked: dict[str, Request] = {}
    for question_id, prompt in write_prompts(dataset, results).items():
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        if digest in said:
            yield said[digest].model_copy(update={"question_id": question_id})
        else:
            asked[question_id] = Request(question_id, 0, LEDGER_KIND, (TextPart(prompt),), (), digest)
    if not asked:
        return
    ledger = LedgerWriter(workspace, LEDGER_KIND)
    for reply in judge(list(asked.values())):
        question_id, _ = reply.key
        if question_id not in asked:
            raise UsageError(f"the judge replied to {question_id!r}, which is unknown or has a reply already")
        row = JudgeReply(
            judge=name,
            question_id=question_id,
            prompt_sha256=asked.pop(question_id).prompt_digest,
            reply=reply.text,
            error=reply.error or (None if reply.text is not None else "the judge gave an empty reply"),
        )
        if row.error is None:
            ledger.append(row)
        yield row
    for question_id, request in asked.items():
        yield JudgeReply(
            judge=name, question_id=question_id, prompt_sha256=request.prompt_digest, error="the judge gave no reply"
        )


def write_prompts(dataset: Dataset, results: Results) -> dict[str, str]:
    """The judge's prompt for each answered question whose metric needs a judge, by question id."""
    prompts = {}
    for question in dataset.questions:
        row, write = results.rows.get((question.question_id, 0)), find_metric(question).write_judge_prompt
        if write is not None and row is not None and row.status == "ok":
            prompts[question.question_id] = write(question, row.reply or "")
    return prompts
