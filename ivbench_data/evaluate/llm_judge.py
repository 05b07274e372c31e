"""A judge: a model that reads texts alone, asked what a reply is worth where no rule can say.

Nobody is asked unless somebody names a judge, and what it said is kept in the ledger, by judge and by prompt: the same
reply is never asked about twice.
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
"""What a judge can be: a model behind an OpenAI-compatible server, or a Python function of one request."""


class JudgeReply(Record):
    """What a judge said of one reply."""

    judge: NonEmpty
    """The judge, as it was asked for."""
    question_id: NonEmpty
    """The question that was replied to."""
    prompt_sha256: Sha256
    """Digest of what the judge was shown."""
    reply: str | None = None
    """What it said."""
    error: str | None = None
    """Why it said nothing; such a row is not kept, so that the next run asks again."""


def open_judge(name: str, options: ModelOptions) -> Model:
    """The judge of that name: `openai:NAME` or `python:module:function`.

    Raises:
        UsageError: it is neither.
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
    """A row for each reply that needs a judge: what it said before of the same prompt, or says now.

    Raises:
        StorageError: the ledger cannot be written.
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
            raise UsageError(f"the judge replied to {question_id!r}, which it was not asked, or replied to it twice")
        row = JudgeReply(
            judge=name,
            question_id=question_id,
            prompt_sha256=asked.pop(question_id).prompt_digest,
            reply=reply.text,
            error=reply.error or (None if reply.text is not None else "it said nothing"),
        )
        if row.error is None:
            ledger.append(row)
        yield row
    for question_id, request in asked.items():
        yield JudgeReply(
            judge=name, question_id=question_id, prompt_sha256=request.prompt_digest, error="the judge gave no reply"
        )


def write_prompts(dataset: Dataset, results: Results) -> dict[str, str]:
    """What a judge is to be shown of each answered question whose metric needs one, by question."""
    prompts = {}
    for question in dataset.questions:
        row, write = results.rows.get((question.question_id, 0)), find_metric(question).write_judge_prompt
        if write is not None and row is not None and row.status == "ok":
            prompts[question.question_id] = write(question, row.reply or "")
    return prompts
