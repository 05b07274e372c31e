"""Replies in other programs' files: a `StoredReply` a row of a log of lmms-eval, VLMEvalKit, inspect_ai, or of JSONL.

A reader says what the row holds, and nothing of what it is worth: the question it names, the options it showed, and the
model's text as it came. `import_results` finds the question and scores the reply.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from ivbench_data.errors import UsageError
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import BadLine
from ivbench_data.strict_json import MAX_LINE_BYTES, iterate_jsonl, parse_json
from ivbench_data.text.spreadsheet import read_spreadsheet
from ivbench_data.text.zip_members import read_member

FAILED_PREFIX: Final = "Failed to obtain answer"
"""What VLMEvalKit stores instead of a missing reply begins so."""

OPTION_FIELDS: Final = ("options", "choices", "candidates")
ID_FIELDS: Final = ("question_id", "id", "index", "doc_id", "sample_id")


@dataclass(frozen=True)
class StoredReply:
    """A row of someone's log."""

    place: int
    """Number of its line, row or sample, from 1."""
    ids: tuple[str, ...]
    """What may be the question's id, the surest first."""
    reply: str | None
    """The model's text; None if there is none."""
    options: tuple[str, ...] = ()
    """The options in the order shown; empty where the row does not say."""
    prompt: str | None = None
    """The question, or the whole prompt."""
    error: str | None = None
    """Why there is no reply."""
    finish_reason: str | None = None
    """Why the model stopped: `length` at the limit of tokens, `content_filter`, or another word."""
    repeat: int = 0
    """Which repetition of the question it is, from 0; only the first is imported."""


@dataclass(frozen=True)
class StoredRun:
    """A log that was read."""

    model: str | None
    """The model's name, where the log says it."""
    rows: tuple[StoredReply, ...]
    """Its replies, in order."""
    bad_lines: tuple[BadLine, ...] = ()
    """Rows that hold no reply."""


def read_stored_run(harness: str, path: Path) -> StoredRun:
    """The replies in a file.

    Args:
        harness: whose file it is, a name in `READERS`.
        path: the file.

    Raises:
        UsageError: there is no such reader, or the file is not one of that program.
    """
    if harness not in READERS:
        raise UsageError(f"there is no reader of {harness!r}; there are: {', '.join(READERS)}")
    return READERS[harness](path)


def _collect(
    path: Path,
    values: Iterator[tuple[int, JsonValue | BadLine]],
    read: Callable[[int, dict[str, JsonValue]], StoredReply],
) -> tuple[tuple[StoredReply, ...], tuple[BadLine, ...]]:
    rows: list[StoredReply] = []
    bad: list[BadLine] = []
    for place, value in values:
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        try:
            if not isinstance(value, dict):
                raise ValueError("not an object")
            rows.append(read(place, value))
        except ValueError as error:
            bad.append(BadLine(file=path.name, line=place, reason=str(error)))
    return tuple(rows), tuple(bad)


# --- our own two columns ----------------------------------------------------------------------------------------


def read_plain(path: Path) -> StoredRun:
    """JSONL with `question_id` and `reply` a line, and `options` as shown, `finish_reason`, where they are known."""
    return StoredRun(None, *_collect(path, ((number, value) for number, _, value in iterate_jsonl(path)), _read_plain))


def _read_plain(place: int, value: dict[str, JsonValue]) -> StoredReply:
    question_id = value.get("question_id")
    if not isinstance(question_id, str):
        raise ValueError("it has no question_id")
    if "reply" not in value:
        raise ValueError(f"{question_id} has no reply; write null where the model gave none")
    reply = value["reply"]
    if reply is not None and not isinstance(reply, str):
        raise ValueError(f"the reply to {question_id} is {reply!r:.40}, not text")
    finish = value.get("finish_reason")
    return StoredReply(
        place,
        (question_id,),
        reply,
        _read_options(value),
        error=None if reply is not None else "the file holds no reply",
        finish_reason=finish if isinstance(finish, str) else None,
    )


# --- lmms-eval --------------------------------------------------------------------------------------------------


def read_lmms_eval(path: Path) -> StoredRun:
    """A `…_samples_TASK.jsonl` that lmms-eval writes with `--log_samples`; its folder is named by the model."""
    values = ((number, value) for number, _, value in iterate_jsonl(path))
    rows, bad = _collect(path, values, _read_lmms_eval)
    folder = path.resolve().parent.name
    return StoredRun(folder if "_samples_" in path.name and folder else None, rows, bad)


def _read_lmms_eval(place: int, value: dict[str, JsonValue]) -> StoredReply:
    if "filtered_resps" not in value and "resps" not in value:
        raise ValueError("it has neither resps nor filtered_resps: it is no sample of lmms-eval")
    metrics = [item for item in value.values() if isinstance(item, dict)]
    filtered = _first_text(value.get("filtered_resps"))
    said = _first_text(value["resps"]) if "resps" in value else filtered
    if filtered is not None and any(isinstance(item.get("row"), dict) and "source" in item for item in metrics):
        said = _first_text(
            parse_json(filtered.encode())
        )  # our task's filter writes JSON, so that no white space is lost
    document = value.get("doc")
    holders = [value, *metrics, *(item["row"] for item in metrics if isinstance(item.get("row"), dict))]
    holders = [*([document] if isinstance(document, dict) else []), *holders]
    prompt = value.get("input")
    return StoredReply(
        place,
        _find_ids(holders),
        said,
        next(filter(None, map(_read_options, holders)), ()),
        prompt=_first_text(prompt),
        error=None if said is not None else "the log holds no reply",
    )


def _first_text(value: JsonValue) -> str | None:
    while isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) else None


def _find_ids(holders: Sequence[object]) -> tuple[str, ...]:
    """Values of the fields that name questions, field by field: `question_id` is surer than `id`."""
    found: dict[str, None] = {}
    for field in ID_FIELDS:
        for holder in holders:
            value = holder.get(field) if isinstance(holder, Mapping) else None
            if isinstance(value, str | int) and not isinstance(value, bool):
                found[str(value)] = None
    return tuple(found)


def _read_options(holder: object) -> tuple[str, ...]:
    if not isinstance(holder, Mapping):
        return ()
    for field in OPTION_FIELDS:
        value = holder.get(field)
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return tuple(str(item) for item in value)
    return ()


# --- VLMEvalKit -------------------------------------------------------------------------------------------------


def read_vlmevalkit(path: Path) -> StoredRun:
    """A result file of VLMEvalKit, `MODEL_DATASET.xlsx` or `.tsv`: columns index, prediction, and A, B and so on."""
    if path.suffix == ".xlsx":
        table = list(read_spreadsheet(path))
    elif path.suffix == ".tsv":
        table = _read_tsv(path)
    else:
        raise UsageError(f"{path} is not a result file of VLMEvalKit: those are .xlsx or .tsv")
    header = table[0][1] if table else []
    if "prediction" not in header:
        raise UsageError(f"{path} is not a result file of VLMEvalKit: it lacks the column prediction")
    rows = [_read_vlmevalkit(place, dict(zip(header, cells, strict=False))) for place, cells in table[1:] if any(cells)]
    return StoredRun(path.stem.partition("_")[0] or None, tuple(rows))


def _read_tsv(path: Path) -> list[tuple[int, list[str]]]:
    limit = csv.field_size_limit(MAX_LINE_BYTES)  # long reasoning is longer than the default
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return list(enumerate(csv.reader(io.StringIO(text, newline=""), delimiter="\t"), start=1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is no table with tabs that can be read: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _read_vlmevalkit(place: int, cells: dict[str, str]) -> StoredReply:
    reply = cells.get("prediction", "")
    options = []
    for letter in LETTERS:
        if letter not in cells or not cells[letter]:
            break
        options.append(cells[letter])
    is_failed = reply.startswith(FAILED_PREFIX)
    return StoredReply(
        place,
        _find_ids([cells]),
        None if is_failed else reply,
        tuple(options),
        prompt=cells.get("question"),
        error=reply if is_failed else None,
    )


# --- inspect_ai -------------------------------------------------------------------------------------------------

_FINISH_REASONS: Final = {"max_tokens": "length", "model_length": "length"}


def read_inspect(path: Path) -> StoredRun:
    """A log of inspect_ai: `.eval` (a ZIP), or `.json`."""
    if zipfile.is_zipfile(path):
        header, samples = _read_eval(path)
    else:
        header, samples = _read_json_log(path)
    about = header.get("eval")
    model = about.get("model") if isinstance(about, dict) else None
    if not isinstance(about, dict):
        raise UsageError(f"{path} is no log of inspect_ai: it lacks `eval`")
    rows, bad = _collect(path, iter(samples), _read_sample)
    return StoredRun(model if isinstance(model, str) else None, rows, bad)


def _read_json_log(path: Path) -> tuple[dict[str, JsonValue], list[tuple[int, JsonValue | BadLine]]]:
    try:
        value = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no log of inspect_ai: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("samples"), list):
        raise UsageError(f"{path} is no log of inspect_ai with samples")
    samples = value["samples"]
    assert isinstance(samples, list)
    return value, list(enumerate(samples, start=1))


def _read_eval(path: Path) -> tuple[dict[str, JsonValue], list[tuple[int, JsonValue | BadLine]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            heads = [name for name in ("header.json", "_journal/start.json") if name in names]
            if not heads:
                raise UsageError(f"{path} is no log of inspect_ai: it lacks header.json")
            header = parse_json(read_member(archive, heads[0]))
            samples: list[tuple[int, JsonValue | BadLine]] = []
            members = [name for name in names if re.fullmatch(r"samples/.+\.json", name)]
            for place, name in enumerate(dict.fromkeys(members), start=1):
                try:
                    samples.append((place, parse_json(read_member(archive, name))))
                except ValueError as error:
                    samples.append((place, BadLine(file=path.name, line=place, reason=f"{name}: {error}")))
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise UsageError(f"{path} is no log of inspect_ai that can be read: {error}") from error
    return header if isinstance(header, dict) else {}, samples


def _read_sample(place: int, sample: dict[str, JsonValue]) -> StoredReply:
    attachments = sample.get("attachments")
    held = attachments if isinstance(attachments, dict) else {}
    output, epoch = sample.get("output"), sample.get("epoch")
    choices = output.get("choices") if isinstance(output, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    reply = _join_content(message.get("content"), held) if isinstance(message, dict) else None
    stop = choice.get("stop_reason") if isinstance(choice, dict) else None
    metadata = sample.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    unasked = metadata.get("unasked")
    error = sample.get("error")
    said = error.get("message") if isinstance(error, dict) else None
    why = unasked if isinstance(unasked, str) else said if isinstance(said, str) else "the log holds no reply"
    return StoredReply(
        place,
        _find_ids([sample, metadata]),
        reply,
        _read_options(sample),
        prompt=_find_prompt(sample.get("input"), held),
        error=None if reply is not None else why,
        finish_reason=_FINISH_REASONS.get(stop, stop) if isinstance(stop, str) else None,
        repeat=max(0, epoch - 1) if isinstance(epoch, int) else 0,
    )


def _join_content(content: JsonValue, attachments: Mapping[str, JsonValue]) -> str | None:
    """The texts of a message, as inspect_ai joins them; its reasoning is not part of them."""
    if isinstance(content, str):
        return _resolve(content, attachments)
    if not isinstance(content, list):
        return None
    parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return "\n".join(_resolve(part, attachments) for part in parts if isinstance(part, str))


def _resolve(text: str, attachments: Mapping[str, JsonValue]) -> str:
    """The text, or what it refers to: inspect_ai keeps long texts apart."""
    held = attachments.get(text.removeprefix("attachment://")) if text.startswith("attachment://") else None
    return held if isinstance(held, str) else text


def _find_prompt(value: JsonValue, attachments: Mapping[str, JsonValue]) -> str | None:
    if not isinstance(value, list):
        return _resolve(value, attachments) if isinstance(value, str) else None
    messages = [item for item in value if isinstance(item, dict) and item.get("role") == "user"]
    return "\n".join(filter(None, (_join_content(item.get("content"), attachments) for item in messages))) or None


READERS: dict[str, Callable[[Path], StoredRun]] = {
    "lmms-eval": read_lmms_eval,
    "vlmevalkit": read_vlmevalkit,
    "inspect": read_inspect,
    "jsonl": read_plain,
}
"""Every program whose files are read, by name."""
