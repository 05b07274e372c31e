"""Repair questions by a patch: planned from findings, read by a person, applied as a new version, undone to the byte.

A patch is a JSONL file, a line a change: question, field, before, after, check. The field `*` is the whole question:
its `after` replaces it, or drops it where it is null. Applying a patch keeps the files as they were and the patch in
`versions/{number}/`, and writes the version into `dataset.json` before `questions.jsonl` is replaced: however a run is
killed, no question is ever changed without its patch being on record.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pydantic import JsonValue, NonNegativeInt, ValidationError

from ivbench_data.atomic_files import digest_file, write_bytes, write_json
from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.schema import NonEmpty, Question, Record, Sha256
from ivbench_data.strict_json import explain, parse_json, read_jsonl, write_jsonl
from ivbench_data.validate.checks import validate_questions
from ivbench_data.validate.checks.context import CheckContext
from ivbench_data.withdrawals import check_no_withdrawal_is_unfinished
from ivbench_data.workspace import Workspace

MAX_ROUNDS = 50
"""A question is mended one finding at a time until none is left; no honest one needs so many."""

WHOLE = "*"
"""Field of a change that replaces or drops the whole question."""

REJECTED = "review_rejected"
"""Stands for a check in changes that drop a question because its reviewers rejected it."""

_FIXED_FIELDS = frozenset({"question_id", "source", "raw"})
"""What no patch may change: who the question is, and the record as released."""

_FILES = ("questions.jsonl", "dataset.json")


class Change(Record):
    """One change of one field; a line of a patch."""

    question_id: NonEmpty
    """The question."""
    field: NonEmpty
    """Field of the question; `*` for all of it."""
    before: JsonValue
    """What must be there; else the patch is for another version."""
    after: JsonValue
    """What is put there; null, with the field `*`, drops the question."""
    check: NonEmpty
    """The check whose finding this mends; `review_rejected`, or `manual` for one's own change."""


class Version(Record):
    """One applied patch, as `dataset.json` records it under `provenance.versions`."""

    version: NonNegativeInt
    """Number, from 1; 0 is what was imported."""
    patch_sha256: Sha256
    """Digest of the patch."""
    changes: NonNegativeInt
    """Changes in it."""
    dropped: NonNegativeInt = 0
    """Questions that it drops."""
    before_sha256: Sha256
    """Digest of `questions.jsonl` before."""
    after_sha256: Sha256
    """Digest of `questions.jsonl` after."""


# --- planning -------------------------------------------------------------------------------------------------------


def plan_repairs(
    dataset: Dataset, context: CheckContext | None = None, checks: Iterable[str] | None = None
) -> list[Change]:
    """The changes that mend every finding with a safe repair, in the order in which they are to be made.

    After one finding of a question is mended, the question is checked again, so that the changes fit each other.

    Raises:
        UsageError: there is no check of a given name.
    """
    names = list(checks) if checks is not None else None
    changes: list[Change] = []
    remaining = dataset
    for _ in range(MAX_ROUNDS):
        mended: dict[str, Question] = {}
        by_id = {question.question_id: question for question in remaining.questions}
        for finding in validate_questions(remaining, context, names):
            if finding.repair is None or finding.question_id is None or finding.question_id in mended:
                continue
            question = by_id[finding.question_id]
            made = _expand(question, finding.repair.field, finding.repair.after, finding.check)
            mended[question.question_id] = cast("Question", _change(question, made))  # no repair drops a question
            changes += made
        if not mended:
            return changes
        # only what was mended can need more: the findings of one question on its own
        remaining = replace(dataset, questions=tuple(mended.values()))
    raise DatasetError(f"{len(remaining.questions)} questions are not mended after {MAX_ROUNDS} rounds of repairs")


def plan_drops(dataset: Dataset, question_ids: Collection[str]) -> list[Change]:
    """The changes that drop those questions, as their reviewers rejected them, in the dataset's order."""
    return [
        Change(
            question_id=question.question_id,
            field=WHOLE,
            before=question.model_dump(mode="json"),
            after=None,
            check=REJECTED,
        )
        for question in dataset.questions
        if question.question_id in question_ids
    ]


def write_patch(path: Path, changes: Iterable[Change]) -> None:
    """Write the patch atomically."""
    write_jsonl(path, changes)


def read_patch(path: Path) -> list[Change]:
    """The changes of a patch.

    Raises:
        UsageError: it cannot be read, or a line of it is no change.
    """
    changes, bad = read_jsonl(path, Change, None)
    if bad:
        raise UsageError(f"{path} is no patch: {bad[0]}")
    return changes


def apply_changes(dataset: Dataset, changes: Iterable[Change]) -> Dataset:
    """The dataset with the changes made, in their order.

    Raises:
        UsageError: a change is for a question or a field that is not there or may not be changed, its `before` is not
            what is there, or what it leads to is no question, or no question is left.
    """
    questions: dict[str, Question | None] = {question.question_id: question for question in dataset.questions}
    by_question: dict[str, list[Change]] = {}
    for change in changes:
        if change.question_id not in questions:
            raise UsageError(f"the patch changes {change.question_id!r}, and there is no such question")
        by_question.setdefault(change.question_id, []).append(change)
    for question_id, made in by_question.items():
        questions[question_id] = _change(cast("Question", questions[question_id]), made)
    left = tuple(question for question in questions.values() if question is not None)
    if dataset.questions and not left:
        raise UsageError("the patch drops every question")
    return replace(dataset, questions=left)


# --- versions -------------------------------------------------------------------------------------------------------


def read_versions(dataset: Dataset) -> list[Version]:
    """The patches that were applied to the dataset, first to last.

    Raises:
        DatasetError: `dataset.json` holds something else under `provenance.versions`.
    """
    recorded = dataset.provenance.get("versions", [])
    try:
        return [Version.model_validate(row) for row in cast("list[Any]", recorded)]
    except (ValidationError, TypeError) as error:
        raise DatasetError(f"dataset.json of {dataset.name} holds versions that cannot be read: {error}") from error


def apply_patch(workspace: Workspace, patch: Path) -> Version:
    """Apply a patch: the dataset's next version. Applying again what a killed run began finishes it.

    Raises:
        UsageError: the patch does not fit, or changes nothing.
        DatasetError: lines of `questions.jsonl` cannot be read (they would be lost), or it was changed by hand.
        StorageError: the root cannot be written.
    """
    dataset = _load_whole(workspace)
    versions = read_versions(dataset)
    changes = read_patch(patch)
    if not changes:
        raise UsageError(f"{patch} holds no change")
    questions_path = workspace.folder / _FILES[0]
    before = digest_file(questions_path)
    last = versions[-1] if versions else None
    if last is not None and before == last.before_sha256:
        if digest_file(patch) != last.patch_sha256:
            raise UsageError(
                f"version {last.version} was begun and not finished: first apply "
                f"{_folder(workspace, last.version) / 'patch.jsonl'}, or undo it"
            )
        write_jsonl(questions_path, apply_changes(dataset, changes).questions)
        return last
    _check_unchanged(workspace, last, before)
    folder = _folder(workspace, len(versions) + 1)
    for name in _FILES:
        write_bytes(folder / name, (workspace.folder / name).read_bytes())
    write_bytes(folder / "patch.jsonl", patch.read_bytes())
    mended = apply_changes(dataset, changes)
    write_jsonl(folder / "after.jsonl", mended.questions)
    version = Version(
        version=len(versions) + 1,
        patch_sha256=digest_file(patch),
        changes=len(changes),
        dropped=len(dataset.questions) - len(mended.questions),
        before_sha256=before,
        after_sha256=digest_file(folder / "after.jsonl"),
    )
    recorded = cast("list[JsonValue]", [row.model_dump() for row in (*versions, version)])
    _write_header(workspace, {**dataset.provenance, "versions": recorded}, len(mended.questions))
    (folder / "after.jsonl").replace(questions_path)
    return version


def undo_patch(workspace: Workspace) -> Version:
    """Undo the last patch: `questions.jsonl` and `dataset.json` are again what they were, to the byte.

    Raises:
        UsageError: no patch was applied.
        DatasetError: the files were changed since, or what was kept of them is damaged.
        StorageError: the root cannot be written.
    """
    dataset = load(workspace.folder)
    check_no_withdrawal_is_unfinished(dataset.provenance)
    versions = read_versions(dataset)
    if not versions:
        raise UsageError(f"no patch was applied to {workspace.folder}")
    last = versions[-1]
    folder = _folder(workspace, last.version)
    now = digest_file(workspace.folder / _FILES[0])
    if now not in (last.before_sha256, last.after_sha256):
        raise DatasetError(
            f"{workspace.folder / _FILES[0]} was changed after version {last.version}; it is left as it is"
        )
    if digest_file(folder / _FILES[0]) != last.before_sha256:
        raise DatasetError(f"{folder / _FILES[0]} is not the file that version {last.version} was made from")
    for name in _FILES:  # the header last: until then the version is on record, and undoing again finishes
        write_bytes(workspace.folder / name, (folder / name).read_bytes())
    shutil.rmtree(folder)
    return last


# --- parts ----------------------------------------------------------------------------------------------------------


def _expand(question: Question, field: str, after: JsonValue, check: str) -> list[Change]:
    """The change of a field, and those of the fields that say the same: options, answer and its position."""
    changed: dict[str, JsonValue] = {field: after}
    if field == "answer" and question.answer_index is not None:
        options: list[JsonValue] = list(question.options)
        options[question.answer_index] = after
        changed["options"] = options
    elif field == "options" and question.answer is not None:
        changed["answer_index"] = cast("list[JsonValue]", after).index(question.answer)
    before = question.model_dump(mode="json")
    return [
        Change(question_id=question.question_id, field=name, before=before[name], after=value, check=check)
        for name, value in changed.items()
        if before[name] != value
    ]


def _change(question: Question, changes: Sequence[Change]) -> Question | None:
    """The question with the changes made; None when it is dropped."""
    record: dict[str, JsonValue] = question.model_dump(mode="json")
    for number, change in enumerate(changes, 1):
        what = f"the patch changes {change.field!r} of {question.question_id!r}"
        if change.field == WHOLE:
            if record != change.before:
                raise UsageError(f"{what}, which is another record than it expects: it was made for another version")
            if change.after is None:
                if number < len(changes):
                    raise UsageError(f"the patch changes {question.question_id!r} after it drops it")
                return None
            record = _replace_record(record, change.after, what)
            continue
        if change.field not in record or change.field in _FIXED_FIELDS:
            allowed = ", ".join(name for name in record if name not in _FIXED_FIELDS)
            raise UsageError(f"{what}, which no patch can; it can change {allowed}")
        if record[change.field] != change.before:
            raise UsageError(
                f"{what}, where it expects {change.before!r} and there is {record[change.field]!r}: "
                "the patch was made for another version"
            )
        record[change.field] = change.after
    try:
        return Question.model_validate(record, strict=False)
    except ValidationError as error:
        raise UsageError(f"the patch makes no question of {question.question_id!r}: {explain(error)}") from error


def _replace_record(record: dict[str, JsonValue], after: JsonValue, what: str) -> dict[str, JsonValue]:
    if not isinstance(after, dict):
        raise UsageError(f"{what}: `after` is null or a whole question, not {after!r}")
    changed = sorted(name for name in _FIXED_FIELDS if name in after and after[name] != record[name])
    if changed:
        raise UsageError(f"{what}, and no patch can change {', '.join(changed)}")
    return {**after, **{name: record[name] for name in _FIXED_FIELDS}}


def _load_whole(workspace: Workspace) -> Dataset:
    dataset = load(workspace.folder)
    check_no_withdrawal_is_unfinished(dataset.provenance)
    lost = [line for line in dataset.bad_lines if line.file == _FILES[0]]
    if lost:
        raise DatasetError(f"{lost[0]}; a patch would lose that line, so mend it first")
    return dataset


def _check_unchanged(workspace: Workspace, last: Version | None, now: str) -> None:
    if last is not None and now != last.after_sha256:
        raise DatasetError(
            f"{workspace.folder / _FILES[0]} was changed by hand after version {last.version}; put it back, or import "
            "the release again"
        )


def _write_header(workspace: Workspace, provenance: dict[str, JsonValue], questions: int) -> None:
    """Write `dataset.json` again, with another provenance and number of questions."""
    path = workspace.folder / _FILES[1]
    header = cast("dict[str, JsonValue]", parse_json(path.read_bytes()))
    write_json(path, {**header, "questions": questions, "provenance": provenance})


def _folder(workspace: Workspace, version: int) -> Path:
    return workspace.folder / "versions" / str(version)
