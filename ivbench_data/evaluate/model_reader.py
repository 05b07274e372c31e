"""A model that reads what the rules cannot: which option a reply names, never whether it is right.

It is used only when named. It sees the question, the options as they were shown, and the reply; no media, and not the
answer. Where it cannot tell either, the reply stays unread. Its words are kept in the ledger, by reply and by reader.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import Field, JsonValue, NonNegativeInt

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.asked_once import ask_once, identify_reader_of_text
from ivbench_data.evaluate.models import ModelOptions, open_model
from ivbench_data.evaluate.outcome_counts import name_outcome
from ivbench_data.evaluate.prompts.requests import Model
from ivbench_data.evaluate.replies.parse import parse_answer
from ivbench_data.evaluate.results import Results
from ivbench_data.ledger import LedgerWriter, read_ledger
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import EvaluationResult, Key, NonEmpty, Question, Record, Sha256
from ivbench_data.workspace import Workspace, default_root

LEDGER_KIND: Final = "reader"
BACKENDS: Final = ("openai", "python", "transformers")
BY_MODEL: Final = "model"
"""The rule of a row whose option a model read."""

EXPLICIT_RULES: Final = frozenset({"letter", "tag", "field", "phrase"})
"""Rules by which the reader's own words are read: it was asked for a letter alone."""

PROMPT: Final = """A model was asked a multiple-choice question, and wrote the reply below. Say which option the reply \
names as its answer. Do not answer the question yourself, and do not judge whether the reply is right.

Question:
{question}

Options:
{options}

Reply, between the lines of equals signs:
==========
{reply}
==========

Write the letter of the option that the reply names, and nothing else. Write NONE if it names no option, or several."""


class ReaderReply(Record):
    """What a reading model said of one reply."""

    reader: NonEmpty
    """The model, as named by the user."""
    identity: dict[str, JsonValue] = Field(default_factory=dict)
    """What tells it from others of that name: the digest of a Python function's code, a checkpoint's content."""
    question_id: NonEmpty
    """The question."""
    rotation: NonNegativeInt = 0
    """By how many places its options were rotated."""
    sample: NonNegativeInt = 0
    """Number of the sample."""
    reply_sha256: Sha256
    """Digest of the reply that it read."""
    prompt_sha256: Sha256
    """Digest of what it was asked."""
    word: str | None = None
    """Its words."""
    error: str | None = None
    """Why there are none; such a row is not stored, so that the next run asks again."""


def open_reader(name: str, options: ModelOptions) -> Model:
    """The reading model of that name.

    Raises:
        UsageError: it is none of `openai:NAME`, `python:module:function` and `transformers:NAME`.
    """
    if name.partition(":")[0] not in BACKENDS:
        raise UsageError(
            "a model that reads replies is written openai:NAME, python:module:function or transformers:NAME, "
            f"not {name!r}"
        )
    return open_model(name, options)


def find_unread(dataset: Dataset, results: Results) -> dict[Key, tuple[Question, EvaluationResult]]:
    """Replies to questions with options that the rules could not read; cut-off ones are left alone."""
    questions = {question.question_id: question for question in dataset.questions}
    found = {}
    for key, row in results.rows.items():
        question = questions.get(key[0])
        if question is None or not question.options:
            continue
        if name_outcome(question, row) == "unread" and row.reply and row.answer_index is None:
            found[key] = question, row
    return found


def find_shown_order(question: Question, row: EvaluationResult) -> tuple[int, ...]:
    """The stored position of each option, in the order in which the row's prompt showed them."""
    count = len(question.options)
    order = row.metadata.get("shown_order")
    if isinstance(order, list):
        return tuple(int(str(index)) for index in order)
    return tuple((at + row.rotation) % count for at in range(count))


def list_shown(question: Question, row: EvaluationResult) -> tuple[str, ...]:
    """The options as the row's prompt showed them."""
    return tuple(question.options[index] for index in find_shown_order(question, row))


def write_reader_prompt(question: Question, row: EvaluationResult) -> str:
    """What the reading model is asked of a reply."""
    options = (f"{letter}. {text}" for letter, text in zip(LETTERS, list_shown(question, row), strict=False))
    return PROMPT.format(question=question.question, options="\n".join(options), reply=row.reply or "")


def read_word(word: str | None, options: tuple[str, ...]) -> int | None:
    """The position of the option that the reader's words name; None where they name none."""
    if word is None or re.search(r"\bNONE\b", word):
        return None
    lone = re.fullmatch(r"[\W_]*([A-Za-z])[\W_]*", word)
    if lone is not None:
        at = LETTERS.index(lone[1].upper())
        return at if at < len(options) else None
    parsed = parse_answer(word, options)
    return parsed.index if parsed.rule in EXPLICIT_RULES else None


def ask_reader(
    dataset: Dataset, root: Path | str | None, results: Results, reader: Model, name: str
) -> Iterator[ReaderReply]:
    """A row for each reply that the rules could not read: the kept words of the same reader, or new ones.

    Args:
        dataset: the dataset of the results.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        results: the replies.
        reader: the model, from `open_reader` or of your own.
        name: its name, under which its words are kept in the ledger.

    Raises:
        StorageError: the ledger cannot be written.
    """
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    identity = identify_reader_of_text(reader)
    rows, _ = read_ledger(workspace, LEDGER_KIND, ReaderReply)
    kept = {row.prompt_sha256: row.word for row in rows if (row.reader, row.identity) == (name, identity)}
    unread = find_unread(dataset, results)
    prompts = {key: write_reader_prompt(question, row) for key, (question, row) in unread.items()}
    ledger: LedgerWriter | None = None
    for asked in ask_once(reader, LEDGER_KIND, prompts, kept):
        reply = unread[asked.key][1].reply or ""
        made = ReaderReply(
            reader=name,
            identity=identity,
            question_id=unread[asked.key][1].question_id,
            rotation=unread[asked.key][1].rotation,
            sample=unread[asked.key][1].sample,
            reply_sha256=hashlib.sha256(reply.encode("utf-8", "surrogatepass")).hexdigest(),
            prompt_sha256=asked.prompt_sha256,
            word=asked.text,
            error=asked.error,
        )
        if asked.is_new and asked.error is None:
            ledger = ledger or LedgerWriter(workspace, LEDGER_KIND)
            ledger.append(made)
        yield made


def read_with_model(dataset: Dataset, results: Results, said: Mapping[Key, ReaderReply]) -> Results:
    """The results with the options that a reading model found; replies of which it could not tell stay unread."""
    rows = dict(results.rows)
    for key, (question, row) in find_unread(dataset, results).items():
        if key not in said:
            continue
        at = read_word(said[key].word, list_shown(question, row))
        facts: dict[str, JsonValue] = {**row.metadata, "read_with": said[key].reader, "reader_word": said[key].word}
        if at is not None:
            index = find_shown_order(question, row)[at]
            update = {"answer_index": index, "correct": index in question.correct_indices}
            row = row.model_copy(update={**update, "metadata": {**facts, "rule": BY_MODEL}})
        else:
            row = row.model_copy(update={"metadata": facts})
        rows[key] = row
    return replace(results, rows=rows)
