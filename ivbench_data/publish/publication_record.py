"""What `publish.json` holds: one published version of a dataset, by ids and digests of what anyone can see.

Nothing in it rests on the answer of a hidden split, so that no dictionary of ten options can reverse its digests.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, NonNegativeInt, StringConstraints, ValidationError, model_validator

from ivbench_data.atomic_files import write_json
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.schema import NonEmpty, Question, Record, SafeName, Sha256
from ivbench_data.strict_json import explain, parse_json
from ivbench_data.withdrawals import Withdrawal

FILE_NAME = "publish.json"

SemanticVersion = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$")
]
"""`MAJOR.MINOR.PATCH`, as of SemVer 2.0, without names of pre-releases."""

SplitName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$", max_length=100)]
"""What the Hub and `datasets` take for a split's name."""


class PublishedSplit(Record):
    """One split of a published version.

    Example:
        >>> split = iv.read_earlier("data/published").record.splits["test"]
        >>> split.questions, split.hidden
        (('alpha_0', 'alpha_1', '-beta_0'), False)
    """

    questions: tuple[NonEmpty, ...]
    """Ids of its questions, in the order of its rows."""
    hidden: bool = False
    """Whether its answers are kept back."""
    answers_sha256: Sha256 | None = None
    """Digest of the private answers file; None where nothing is hidden."""

    @model_validator(mode="after")
    def _only_hidden_answers_are_in_a_file(self) -> Self:
        if self.answers_sha256 is not None and not self.hidden:
            raise ValueError("answers_sha256 is given, yet the split's answers are not hidden")
        return self


class SplitRecipe(Record):
    """How the splits were made, so that the next version can be made alike.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> iv.plan_splits(dataset).recipe.requests
        ('test=rest',)
    """

    salt: str
    """What the order of clusters was hashed with."""
    requests: tuple[NonEmpty, ...]
    """The splits that were asked for, as `test=0.8`, `mini=200q`, `dev=rest`."""
    left_out: NonNegativeInt = 0
    """Questions of the dataset that are in none of them."""


class PublishedVersion(Record):
    """One published version of a dataset; the contents of `publish.json`.

    Example:
        >>> record = iv.read_earlier("data/published").record
        >>> record.dataset, record.version
        ('tiny', '1.0.0')
    """

    format_version: Literal[1] = 1
    """Version of the file's form."""
    dataset: SafeName
    """Name of the dataset."""
    version: SemanticVersion
    """The data's version."""
    canary: NonEmpty
    """The GUID that stands in the data, by which a model that was trained on them can be recognised."""
    created_from: dict[str, JsonValue] = Field(default_factory=dict)
    """Where the data come from: source, file names and digests. Digests of files with hidden answers are left out."""
    splits: dict[SplitName, PublishedSplit]
    """The splits, in the order in which they are shown."""
    question_digests: dict[NonEmpty, Sha256]
    """By question: `digest_public_question` of its public row."""
    score_digests: dict[NonEmpty, Sha256] = Field(default_factory=dict)
    """By question: `digest_scored_fields` of its public row; where it differs, scores cannot be compared."""
    files: dict[str, Sha256] = Field(default_factory=dict)
    """Digest of each published file but this one, by its path in the folder."""
    withdrawn: tuple[Withdrawal, ...] = ()
    """Videos that were taken down, in this version or before."""
    split_recipe: SplitRecipe | None = None
    """How the splits were made."""

    @model_validator(mode="after")
    def _each_question_is_in_one_split(self) -> Self:
        counted = Counter(question_id for split in self.splits.values() for question_id in split.questions)
        repeated = [question_id for question_id, count in counted.items() if count > 1]
        if repeated:
            raise ValueError(f"the question {repeated[0]!r} is in two splits, or twice in one")
        for name in ("question_digests", "score_digests"):
            digests: dict[str, str] = getattr(self, name)
            if (digests or name == "question_digests") and digests.keys() != counted.keys():
                (first, *_) = sorted(digests.keys() ^ counted.keys())
                raise ValueError(f"{name} and splits differ in the question {first!r}")
        return self

    @property
    def split_of(self) -> dict[str, str]:
        """The split of each question."""
        return {question_id: name for name, split in self.splits.items() for question_id in split.questions}


def digest_public_question(question: Question, image_digests: Sequence[str | None] = ()) -> str:
    """SHA-256 of a public row as canonical JSON: sorted keys, no spaces, UTF-8, what has its default left out.

    `image_digests` are those of its query images as published, in their order, so that another picture under the same
    name shows. Give the question as it is published: with a hidden answer, nothing of the answer is in it.
    """
    row = question.model_dump(mode="json", exclude_defaults=True)
    return _digest({"question": row, "images": list(image_digests)})


def digest_scored_fields(question: Question) -> str:
    """SHA-256 of those public fields that decide the score of a reply: its form, options, answer, task and group."""
    fields = {"question_type", "options", "answer_index", "answer", "task", "group_id"}
    return _digest(question.model_dump(mode="json", include=fields))


def _digest(value: Mapping[str, JsonValue]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_published(path: Path) -> PublishedVersion:
    """The record of a published version: `publish.json`, or the folder that holds it.

    Raises:
        UsageError: there is none.
        DatasetError: it cannot be read, or is of another form.
    """
    path = path / FILE_NAME if path.is_dir() else path
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no {path}: give the folder of a published version, or its {FILE_NAME}") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    return parse_published(content, str(path))


def parse_published(content: bytes, name: str) -> PublishedVersion:
    """The record in the bytes of a `publish.json`, which messages call by `name`.

    Raises:
        DatasetError: it cannot be read, or is of another form.
    """
    try:
        parse_json(content)
        return PublishedVersion.model_validate_json(content)
    except ValidationError as error:
        raise DatasetError(f"{name} is no record of a published version: {explain(error)}") from error
    except ValueError as error:
        raise DatasetError(f"{name} cannot be read: {error}") from error


def write_published(path: Path, version: PublishedVersion) -> None:
    """Write the record atomically; equal records are equal bytes."""
    write_json(path, version.model_dump(mode="json"))
