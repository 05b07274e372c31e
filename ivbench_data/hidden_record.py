"""Questions whose answers were hidden once: remembered with the dataset, so that nothing shows them later.

The record is written twice, in `{root}/{dataset}/hidden.json` and in `private/hidden.json`; both are read together, so
losing one of them, the published folder, or importing the release again reveals nothing. It holds ids, and digests of
what is public of each question: neither the answer nor the order of the options is in them. A question is remembered
when its id or its digest is: a repair changes the digest, a new release may change the id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from ivbench_data.atomic_files import write_json
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.schema import NonEmpty, Question, Record, Sha256
from ivbench_data.strict_json import explain, parse_json
from ivbench_data.workspace import Workspace

FILE_NAME: Final = "hidden.json"


class HiddenRecord(Record):
    """The questions of a dataset whose answers were hidden, by the split that they were hidden in."""

    format_version: Literal[1] = 1
    """Version of the file's form."""
    splits: dict[NonEmpty, dict[NonEmpty, Sha256]] = Field(default_factory=dict)
    """By split, and there by question id: `digest_asked_question` of the question."""

    def find(self, questions: Iterable[Question], revealed: Collection[str] = ()) -> dict[str, list[str]]:
        """Ids of those questions whose answers stay hidden, by the split that they were hidden in.

        Args:
            questions: questions, with or without their answers.
            revealed: splits whose questions are not looked for.
        """
        kept = {name: known for name, known in self.splits.items() if name not in revealed}
        by_id = {question_id: name for name, known in kept.items() for question_id in known}
        by_digest = {sha256: name for name, known in kept.items() for sha256 in known.values()}
        found: dict[str, list[str]] = {}
        for question in questions if kept else ():
            name = by_id.get(question.question_id) or by_digest.get(digest_asked_question(question))
            if name is not None:
                found.setdefault(name, []).append(question.question_id)
        return found

    def extend(self, splits: Mapping[str, Mapping[str, str]]) -> HiddenRecord:
        """The record with more questions; of a question that is known by another digest, the new one counts."""
        names = dict.fromkeys((*self.splits, *splits))
        return HiddenRecord(splits={name: {**self.splits.get(name, {}), **splits.get(name, {})} for name in names})


def digest_asked_question(question: Question) -> str:
    """SHA-256 of what is asked, whatever the order of the options: question, options, video and images; no answer."""
    asked = [question.question, sorted(question.options), question.video_id, list(question.image_ids)]
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def read_hidden_record(workspace: Workspace) -> HiddenRecord:
    """What was hidden of the dataset; empty where nothing was.

    Raises:
        DatasetError: a file of the record cannot be read, so that nobody knows what must stay hidden.
    """
    record = HiddenRecord()
    for path in _list_paths(workspace):
        try:
            content = path.read_bytes()
            parse_json(content)
            record = record.extend(HiddenRecord.model_validate_json(content).splits)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            reason = explain(error) if isinstance(error, ValidationError) else str(error)
            raise DatasetError(
                f"{path} cannot be read ({reason}), so it is unknown which answers must stay hidden: restore it"
            ) from error
    return record


def remember_hidden(workspace: Workspace, splits: Mapping[str, Iterable[Question]]) -> None:
    """Add the questions of hidden splits to the record.

    Raises:
        DatasetError: the record that is there cannot be read.
        StorageError: the dataset's folder cannot be written.
    """
    digests = {
        name: {each.question_id: digest_asked_question(each) for each in questions}
        for name, questions in splits.items()
    }
    _write(workspace, read_hidden_record(workspace).extend(digests))


def forget_hidden(workspace: Workspace, names: Collection[str]) -> None:
    """Take splits out of the record, whose answers were revealed.

    Raises:
        DatasetError: the record cannot be read.
        StorageError: the dataset's folder cannot be written.
    """
    record = read_hidden_record(workspace)
    if kept := [name for name in names if name in record.splits]:
        _write(workspace, HiddenRecord(splits={name: ids for name, ids in record.splits.items() if name not in kept}))


def leave_out_hidden(
    dataset: Dataset, workspace: Workspace, revealed: Collection[str] = ()
) -> tuple[Dataset, dict[str, int]]:
    """The dataset without the questions whose answers are hidden, and how many of each hidden split those are.

    Args:
        dataset: the questions, with their answers.
        workspace: where the record is.
        revealed: splits whose questions are kept, although their answers are hidden.

    Raises:
        UsageError: `revealed` names a split in which nothing is hidden.
        DatasetError: the record cannot be read.
    """
    record = read_hidden_record(workspace)
    check_revealed(record, revealed)
    found = record.find(dataset.questions, revealed)
    gone = {question_id for ids in found.values() for question_id in ids}
    kept = tuple(question for question in dataset.questions if question.question_id not in gone)
    return replace(dataset, questions=kept), {name: len(ids) for name, ids in found.items()}


def mark_hidden(dataset: Dataset, workspace: Workspace) -> Dataset:
    """The dataset with `answers_hidden` at every question whose answer is hidden; the answers are still in it.

    Raises:
        DatasetError: the record cannot be read.
    """
    found = {at for ids in read_hidden_record(workspace).find(dataset.questions).values() for at in ids}
    marked = (
        question.model_copy(update={"answers_hidden": True}) if question.question_id in found else question
        for question in dataset.questions
    )
    return replace(dataset, questions=tuple(marked)) if found else dataset


def check_revealed(record: HiddenRecord, names: Collection[str]) -> None:
    """Raise unless something is hidden in each of the splits.

    Raises:
        UsageError: nothing is hidden in one of them.
    """
    for name in names:
        if name not in record.splits:
            known = f"; hidden are those of: {', '.join(record.splits)}" if record.splits else ""
            raise UsageError(f"the answers of {name!r} cannot be revealed: no earlier version hides them{known}")


def _list_paths(workspace: Workspace) -> tuple[Path, Path]:
    return workspace.private / FILE_NAME, workspace.folder / FILE_NAME


def _write(workspace: Workspace, record: HiddenRecord) -> None:
    for path in _list_paths(workspace):
        if path.parent.is_dir():
            write_json(path, record.model_dump(mode="json"))
