"""A run that another program stored, as a results file of ours: its replies, scored by our reader, without its model.

Each row is matched with a question of the dataset: by an id that it names, else by the question's text in its prompt.
The options that it showed are matched by their texts, so that a letter means the option that the model saw under it.
Nothing is guessed: what cannot be matched is named, and left out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from ivbench_data.atomic_files import digest_file, write_atomically
from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.evaluation import find_versions
from ivbench_data.evaluate.prompts.compose import PROMPT_VERSION
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.evaluate.results import ResultsHeader, RunConfiguration
from ivbench_data.evaluate.stored_replies import StoredReply, read_stored_run
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import BadLine, EvaluationResult, Question
from ivbench_data.strict_json import encode_lines
from ivbench_data.workspace import Workspace, default_root

IMPORTED: Final = "imported"
"""Pattern of a run of which nobody said what it showed."""


@dataclass(frozen=True)
class ImportedRun:
    """A stored run, imported: counts, and what was left out.

    Example:
        >>> _ = Path("log.jsonl").write_text('{"question_id": "alpha_0", "reply": "B"}')
        >>> run = iv.import_results(iv.load_dataset("tiny"), "jsonl", "log.jsonl", model="mine")
        >>> run.imported, run.unknown
        (1, ())
    """

    path: Path
    """The results file."""
    imported: int
    """Questions with a row in it."""
    failed: int
    """Of these, without a reply."""
    reordered: int
    """Of these, shown with the options in another order than ours."""
    without_options: int
    """Of these with options, rows that do not say which they showed: taken as in our order."""
    unknown: tuple[str, ...]
    """Rows of no question of the dataset: their places and ids."""
    mismatched: tuple[str, ...]
    """Rows that showed other options than the question has."""
    repeated: tuple[str, ...]
    """Questions with further rows of another reply; the first row counts."""
    identical: int
    """Further rows that say the same as the first of their question."""
    bad_lines: tuple[BadLine, ...]
    """Rows that hold no reply, or are not of the format."""

    @property
    def left_out(self) -> int:
        """Rows that could not be used."""
        return len(self.unknown) + len(self.mismatched) + len(self.repeated) + len(self.bad_lines)


def import_results(
    dataset: Dataset,
    harness: str,
    path: Path | str,
    root: Path | str | None = None,
    *,
    model: str | None = None,
    pattern: str = IMPORTED,
    profile: str = "default",
) -> ImportedRun:
    """Write the replies that another program stored as a results file of ours.

    The file's identity names the program, the model and the SHA-256 of the file, so that another log is another result,
    and the same log the same one.

    Args:
        dataset: the questions that were asked.
        harness: `lmms-eval`, `vlmevalkit`, `inspect` or `jsonl`.
        path: its file.
        root: folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        model: the model's name; by default what the file says.
        pattern: what was shown, a name in `PATTERNS`, where it is known.
        profile: profile whose parser reads the replies.

    Raises:
        UsageError: there is no such reader or pattern, the file is not of that format, none of its rows is of the
            dataset, or nobody says the model's name.
        StorageError: the root cannot be written.

    Example:
        >>> _ = Path("log.jsonl").write_text('{"question_id": "alpha_0", "reply": "The answer is B."}')
        >>> run = iv.import_results(iv.load_dataset("tiny"), "jsonl", "log.jsonl", model="mine")
        >>> iv.read_results(run.path).rows["alpha_0", 0].correct
        True
    """
    path = Path(path)
    if pattern != IMPORTED and pattern not in PATTERNS:
        raise UsageError(f"there is no pattern {pattern!r}; there are: {', '.join(PATTERNS)}")
    stored = read_stored_run(harness, path)
    name = model or stored.model
    if name is None:
        raise UsageError(f"{path} does not say which model replied; name it with --model")
    matcher = _Matcher(dataset.questions)
    sorted_out = _sort_out(matcher, stored.rows, profile)
    if not sorted_out.rows:
        example = f", such as {sorted_out.unknown[0]}" if sorted_out.unknown else ""
        raise UsageError(f"none of the {len(stored.rows):,} rows of {path} is of a question of {dataset.name}{example}")
    identity: dict[str, JsonValue] = {"imported_from": harness, "file": path.name, "sha256": digest_file(path)}
    configuration = RunConfiguration(
        dataset=dataset.name, model=name, model_identity=identity, pattern=pattern, profile=profile, grid=None,
        prompt_version=PROMPT_VERSION,
    )  # fmt: skip
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    target = workspace.results / f"{configuration.digest}.jsonl"
    with write_atomically(target) as file:
        header = ResultsHeader(configuration=configuration, versions=find_versions(), started=started)
        file.write(header.model_dump_json().encode() + b"\n")
        file.writelines(encode_lines(sorted_out.rows.values()))
    return ImportedRun(
        path=target,
        imported=len(sorted_out.rows),
        failed=sum(row.status == "failed" for row in sorted_out.rows.values()),
        reordered=sorted_out.reordered,
        without_options=sorted_out.without_options,
        unknown=tuple(sorted_out.unknown),
        mismatched=tuple(sorted_out.mismatched),
        repeated=tuple(sorted_out.repeated),
        identical=sorted_out.identical,
        bad_lines=stored.bad_lines,
    )


# --- rows and their questions -----------------------------------------------------------------------------------


@dataclass
class _SortedOut:
    rows: dict[str, EvaluationResult]
    unknown: list[str]
    mismatched: list[str]
    repeated: list[str]
    reordered: int = 0
    without_options: int = 0
    identical: int = 0


def _sort_out(matcher: _Matcher, stored: Iterable[StoredReply], profile: str) -> _SortedOut:
    result = _SortedOut({}, [], [], [])
    for item in stored:
        question = matcher.find(item)
        if question is None:
            result.unknown.append(f"row {item.place}" + (f" ({item.ids[0]})" if item.ids else ""))
            continue
        key = question.question_id
        shown = item.options or find_shown_options(item.prompt, question)
        order = match_options(shown, question.options) if shown else tuple(range(len(question.options)))
        if order is None:
            result.mismatched.append(f"row {item.place} ({key})")
            continue
        row = _make_row(question, item, order, profile)
        if key in result.rows:
            first = result.rows[key]
            if (first.reply, first.answer_index) == (row.reply, row.answer_index):
                result.identical += 1
            else:
                result.repeated.append(f"row {item.place} ({key})")
            continue
        result.rows[key] = row
        result.reordered += order != tuple(range(len(order)))
        result.without_options += bool(question.options) and not shown
    return result


def _make_row(question: Question, item: StoredReply, order: Sequence[int], profile: str) -> EvaluationResult:
    """The row of a stored reply, read with the options as they were shown."""
    if item.reply is None:
        return EvaluationResult(question_id=question.question_id, status="failed", error=item.error or "no reply")
    position = {index: at for at, index in enumerate(order)}
    shown = question.model_copy(
        update={
            "options": tuple(question.options[index] for index in order),
            "answer_index": None if question.answer_index is None else position[question.answer_index],
        }
    )
    reply_score = score_reply(shown, item.reply, profile)
    facts: dict[str, JsonValue] = {"rule": reply_score.rule}
    if list(order) != list(range(len(order))):
        facts["shown_order"] = list(order)
    if item.finish_reason is not None:
        facts["finish_reason"] = item.finish_reason
    return EvaluationResult(
        question_id=question.question_id,
        reply=item.reply,
        answer_index=None if reply_score.answer_index is None else order[reply_score.answer_index],
        value=reply_score.value,
        correct=reply_score.correct,
        metadata=facts,
    )


class _Matcher:
    """Finds the question that a row is about."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._by_id = {question.question_id: question for question in questions}
        self._by_words: dict[str, list[Question]] = {}
        for question in questions:
            self._by_words.setdefault(_fold(question.question), []).append(question)

    def find(self, item: StoredReply) -> Question | None:
        """The question that an id of the row names; else the only one whose text and options the prompt holds."""
        for name in item.ids:
            if name in self._by_id:
                return self._by_id[name]
        if not item.prompt:
            return None
        prompt = _fold(item.prompt)
        candidates = [
            question
            for words, questions in self._by_words.items()
            if words in prompt
            for question in questions
            if match_options(item.options or find_shown_options(item.prompt, question), question.options) is not None
        ]
        longest = max((len(question.question) for question in candidates), default=0)
        fitting = [question for question in candidates if len(question.question) == longest]
        return fitting[0] if len(fitting) == 1 else None


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold()


def find_shown_options(prompt: str | None, question: Question) -> tuple[str, ...]:
    """The options as a prompt lists them, a line each behind its letter; empty where it lists none, or not as many."""
    if not prompt or not question.options:
        return ()
    lines = re.findall(r"^[ \t]*\(?([A-Z])[.):][ \t]+(.+?)[ \t]*$", prompt, re.MULTILINE)
    count = len(question.options)
    for at in range(len(lines) - count, -1, -1):  # the last list that begins with A: examples stand before it
        listed = lines[at : at + count]
        if [letter for letter, _ in listed] == list(LETTERS[:count]):
            return tuple(text for _, text in listed)
    return ()


def match_options(shown: Sequence[str], options: Sequence[str]) -> tuple[int, ...] | None:
    """The position in `options` of each shown option, by text; None where the texts are not the same.

    Letters before every option ("A. a dog") are no part of the texts. Equal texts are matched in their order.
    """
    if len(shown) != len(options):
        return None
    lettered = [
        re.match(rf"\(?{letter}[.):]\s+(.+)", text, re.DOTALL) for letter, text in zip(LETTERS, shown, strict=False)
    ]
    for texts in (shown, [found[1] for found in lettered if found is not None]):
        free: dict[str, list[int]] = {}
        for index, option in enumerate(options):
            free.setdefault(_fold(option), []).append(index)
        order = [free[key].pop(0) for text in texts if free.get(key := _fold(text))]
        if len(order) == len(options):
            return tuple(order)
    return None
