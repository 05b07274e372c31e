"""LLM judge: a text model that scores replies which no rule can score.

A judge is used only when named. Its replies are kept in the ledger, by judge, its code and prompt, and are not asked
for again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, JsonValue

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.asked_once import ask_once, identify_reader_of_text
from ivbench_data.evaluate.metrics import find_metric
from ivbench_data.evaluate.models import ModelOptions, open_model
from ivbench_data.evaluate.prompts.requests import Model
from ivbench_data.evaluate.results import Results
from ivbench_data.ledger import LedgerWriter, read_ledger
from ivbench_data.schema import Key, NonEmpty, Record, Sha256
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
    identity: dict[str, JsonValue] = Field(default_factory=dict)
    """What tells it from others of that name: the digest of a Python function's code; empty for a server's model."""
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
    identity = identify_reader_of_text(judge)
    rows, _ = read_ledger(workspace, LEDGER_KIND, JudgeReply)
    kept = {row.prompt_sha256: row.reply for row in rows if (row.judge, row.identity) == (name, identity)}
    prompts: dict[Key, str] = {(key, 0): prompt for key, prompt in write_prompts(dataset, results).items()}
    ledger: LedgerWriter | None = None
    for asked in ask_once(judge, LEDGER_KIND, prompts, kept):
        row = JudgeReply(
            judge=name,
            identity=identity,
            question_id=asked.key[0],
            prompt_sha256=asked.prompt_sha256,
            reply=asked.text,
            error=asked.error,
        )
        if asked.is_new and row.error is None:
            ledger = ledger or LedgerWriter(workspace, LEDGER_KIND)
            ledger.append(row)
        yield row


def write_prompts(dataset: Dataset, results: Results) -> dict[str, str]:
    """The judge's prompt for each answered question whose metric needs a judge, by question id.

    Raises:
        UsageError: there are questions that need a judge, and several samples of each.
    """
    prompts = {}
    for question in dataset.questions:
        row, write = results.rows.get((question.question_id, 0)), find_metric(question).write_judge_prompt
        if write is not None and row is not None and row.status in ("ok", "truncated"):
            if results.samples > 1:
                raise UsageError(f"{results.path} holds {results.samples} replies a question, and a judge reads one")
            prompts[question.question_id] = write(question, row.reply or "")
    return prompts
