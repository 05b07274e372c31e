"""A question as a row of a table with typed columns, and back, with nothing lost.

Every field of `Question` is a column of its own; `metadata` and `raw` are JSON, since their keys are the benchmark's.
Beside them stand `images`, the query images' files unchanged, and `canary`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue, ValidationError

from ivbench_data.errors import MissingDependencyError, UsageError
from ivbench_data.schema import Question, Video
from ivbench_data.strict_json import explain, parse_json
from ivbench_data.video.fingerprint import Fingerprint

if TYPE_CHECKING:
    from datasets import Features

JSON_FIELDS = ("metadata", "raw")
"""Fields of a question that are columns of JSON."""

BESIDE_THE_FIELDS = ("images", "canary")
"""Columns that are no field of a question."""


def question_features() -> Features:
    """The columns of the config `questions`, as `datasets` types them.

    Raises:
        MissingDependencyError: `datasets` is not installed.
    """
    features = _import_features()
    text, seconds, share = features.Value("string"), features.Value("float64"), features.Value("float64")
    box = {
        **dict.fromkeys(("x0", "y0", "x1", "y1"), share),
        "time_seconds": seconds,
        "image_id": text,
        "label": text,
    }
    evidence = {
        "kind": text,
        "start_seconds": seconds,
        "end_seconds": seconds,
        "text": text,
        "boxes": features.List(box),
    }
    columns = {
        "question_id": text,
        "video_id": text,
        "image_ids": features.List(text),
        "images": features.List(features.Image()),
        "question": text,
        "question_type": text,
        "options": features.List(text),
        "answer_index": features.Value("int32"),
        "answer": text,
        "answers_hidden": features.Value("bool"),
        "task": text,
        "group_id": text,
        "category": text,
        "granularity": text,
        "evidence": features.List(evidence),
        "ask_time_seconds": seconds,
        "source": text,
        "metadata": text,
        "raw": text,
        "canary": text,
    }
    return features.Features(columns)


def video_features() -> Features:
    """The columns of the config `videos`, as `datasets` types them.

    Raises:
        MissingDependencyError: `datasets` is not installed.
    """
    features = _import_features()
    text, seconds = features.Value("string"), features.Value("float64")
    fingerprint = {
        "method": text,
        "duration_seconds": seconds,
        "times_seconds": features.List(seconds),
        "hashes": features.List(text),
        "details": features.List(text),
        "bars": features.List(features.Value("float64")),
        "sha256": text,
    }
    columns = {
        **dict.fromkeys(("video_id", "url"), text),
        "duration_seconds": seconds,
        **dict.fromkeys(("license", "language", "category", "sha256"), text),
        "fingerprint": fingerprint,
        "canary": text,
    }
    return features.Features(columns)


def make_row(question: Question, images: Sequence[bytes | None], canary: str) -> dict[str, Any]:
    """The question's row; `images` are the files of its `image_ids`, None where one is absent."""
    row = _dump_fields(question)
    row["images"] = [
        None if content is None else {"bytes": content, "path": image_id}
        for image_id, content in zip(question.image_ids, images, strict=True)
    ]
    row["canary"] = canary
    return row


def read_row(row: Mapping[str, Any]) -> Question:
    """The question of a row of the config `questions`, as `datasets`, pyarrow or pandas give it.

    Args:
        row: values by column.

    Raises:
        UsageError: the row lacks a column, or holds no question.

    Example:
        >>> import pyarrow.parquet
        >>> rows = pyarrow.parquet.read_table("data/published/data/test-00000-of-00001.parquet").to_pylist()
        >>> iv.read_row(rows[0]).answer
        'right'
    """
    absent = [name for name in Question.model_fields if name not in row]
    if absent:
        raise UsageError(f"the row holds no question: there is no column {absent[0]!r}")
    record = {name: _as_plain(row[name]) for name in Question.model_fields}
    message = f"the row of {str(record['question_id'])[:80]!r} holds no question"
    try:
        for name in JSON_FIELDS:
            if record[name] is not None:
                record[name] = parse_json(record[name].encode())
        return Question.model_validate(record)
    except ValidationError as error:
        raise UsageError(f"{message}: {explain(error)}") from error
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{message}: its JSON cannot be read: {error}") from error


def make_video_row(
    video: Video, url_template: str | None, fingerprint: Fingerprint | None, canary: str
) -> dict[str, Any]:
    """The video's row; an address that only the manifest's template knows is filled in."""
    url = video.url
    if url is None and url_template is not None:
        url = url_template.format(video_id=video.video_id)
    duration_seconds = video.duration_seconds
    if duration_seconds is None and fingerprint is not None:
        duration_seconds = fingerprint.duration_seconds
    return {
        "video_id": video.video_id,
        "url": url,
        "duration_seconds": duration_seconds,
        "license": video.license,
        "language": video.language,
        "category": video.category,
        "sha256": fingerprint.sha256 if fingerprint is not None else None,
        "fingerprint": fingerprint.model_dump(mode="json", exclude={"video_id"}) if fingerprint is not None else None,
        "canary": canary,
    }


def _dump_fields(question: Question) -> dict[str, Any]:
    row: dict[str, Any] = question.model_dump(mode="json")
    for name in JSON_FIELDS:
        row[name] = None if row[name] is None else _write_json(row[name])
    return row


def _write_json(value: JsonValue) -> str:
    """One line of JSON, keys in the order given: the release can be rebuilt from it, byte for byte."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _as_plain(value: Any) -> Any:
    """Lists and numbers as Python has them: pandas gives arrays, and its own numbers."""
    return value.tolist() if hasattr(value, "tolist") else value


def _import_features() -> Any:
    try:
        import datasets
    except ImportError:
        raise MissingDependencyError("datasets", "publish") from None
    return datasets
