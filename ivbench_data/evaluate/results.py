"""Results files: `results/{digest}.jsonl`, a row per answer, append-only.

The file's name is the digest of the configuration: dataset, model, prompt and grid. Another prompt, grid or model is
another file, so answers never mix. Each run appends a header with the configuration and its library versions, then its
rows; the last row of a question counts. A line that a killed run left unfinished is closed with a newline by the next
run, and skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import Field, JsonValue, ValidationError

from ivbench_data.errors import DatasetError, StorageError, UsageError
from ivbench_data.schema import BadLine, EvaluationResult, Key, NonEmpty, Record
from ivbench_data.strict_json import explain, iterate_jsonl
from ivbench_data.workspace import list_folder

SYNC_EVERY_SECONDS = 5.0
"""A killed run loses no appended row; a power cut loses at most the rows after the last sync."""


class RunConfiguration(Record):
    """Everything that determines the answers, apart from the questions themselves.

    Example:
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> results.configuration.model, results.configuration.grid
        ('baseline:random', '4x16')
    """

    format_version: Literal[1] = 1
    """Version of the file format."""
    dataset: NonEmpty
    """Name of the dataset."""
    model: NonEmpty
    """The model, as named by the user."""
    model_options: dict[str, JsonValue] = Field(default_factory=dict)
    """Options that change its answers."""
    model_identity: dict[str, JsonValue] = Field(default_factory=dict)
    """Reported by the opened model: resolved revision, versions that change its answers."""
    pattern: NonEmpty
    """Which visuals were shown, in which order."""
    profile: NonEmpty
    """How questions were worded and replies parsed."""
    grid: str | None
    """Identity of the frame cache; None where no video is shown."""
    prompt_version: int
    """Version of the wordings."""

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the configuration as sorted JSON: the file's stem."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class ResultsHeader(Record):
    """The first line of a results file, and of each later run's rows in it.

    Example:
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> results.headers[0].versions["ivbench-data"]
        '0.1.0'
    """

    configuration: RunConfiguration
    """The same in every header of a file."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of Python and the installed libraries."""
    started: str
    """Start of the run, UTC."""


@dataclass(frozen=True)
class Results:
    """The content of a results file.

    Example:
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> results.name, len(results.rows)
        ('baseline:random · video_first · 4x16', 3)
    """

    path: Path
    """The file."""
    headers: tuple[ResultsHeader, ...]
    """One per run, in order."""
    rows: Mapping[Key, EvaluationResult]
    """The last row of each question, rotation and sample; the key of a first sample is the id and the rotation."""
    bad_lines: tuple[BadLine, ...] = field(default=())
    """Invalid lines; their questions are asked again."""

    @property
    def configuration(self) -> RunConfiguration:
        """The configuration that all headers share."""
        return self.headers[0].configuration

    @property
    def samples(self) -> int:
        """How many times each question was to be asked."""
        samples = self.configuration.model_options.get("samples", 1)
        return samples if isinstance(samples, int) else 1

    @property
    def name(self) -> str:
        """Model, pattern and grid in a line, and how it was asked where that is not the usual way."""
        about = self.configuration
        parts = [about.model, about.pattern, about.grid or "", about.profile if about.profile != "default" else ""]
        asked = {name: about.model_options[name] for name in NAMED_OPTIONS if name in about.model_options}
        parts += [_name_option(name, value) for name, value in asked.items()]
        return " · ".join(part for part in parts if part)


NAMED_OPTIONS = (
    "system", "prompt_template", "cot", "temperature", "top_p", "seed", "extra_body", "chat_template_kwargs", "samples",
)  # fmt: skip
"""Options that are part of a run's name."""


def _name_option(name: str, value: JsonValue) -> str:
    if name == "samples":
        return f"mean@{value}"
    if value is True:
        return name
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    short = " ".join(text.split())
    return f"{name.replace('_', ' ')} {short if len(short) <= 40 else f'{short[:39]}…'}"


def read_results(path: Path | str) -> Results:
    """The headers and rows of a results file.

    Args:
        path: the file.

    Raises:
        UsageError: the file cannot be read.
        DatasetError: it has no header, or headers of different configurations.

    Example:
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> results.name
        'baseline:random · video_first · 4x16'
    """
    path = Path(path)
    headers: list[ResultsHeader] = []
    rows: dict[Key, EvaluationResult] = {}
    bad: list[BadLine] = []
    for number, line, value in iterate_jsonl(path):
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        try:
            if isinstance(value, dict) and "configuration" in value:
                headers.append(ResultsHeader.model_validate_json(line))
            else:
                row = EvaluationResult.model_validate_json(line)
                rows[row.key] = row
        except ValidationError as error:
            bad.append(BadLine(file=path.name, line=number, reason=explain(error)))
    if not headers:
        raise DatasetError(f"{path} has no header: it is not a results file of `ivbench-data evaluate`")
    if len({header.configuration.digest for header in headers}) > 1:
        raise DatasetError(f"{path} holds runs of different configurations; it was not written by one evaluation")
    return Results(path, tuple(headers), rows, tuple(bad))


class ResultsFile:
    """A results file open for appending; each row has been written when `append` returns.

    Raises:
        StorageError: the folder cannot be written.
        DatasetError: there is a file of that name with another configuration.
    """

    def __init__(self, folder: Path, configuration: RunConfiguration, versions: Mapping[str, str]) -> None:
        self.path = folder / f"{configuration.digest}.jsonl"
        self.rows: dict[Key, EvaluationResult] = {}
        if self.path.exists() and self.path.stat().st_size:
            try:
                known = read_results(self.path)
            except DatasetError:
                if _has_whole_line(self.path):
                    raise
            else:
                if known.configuration != configuration:
                    raise DatasetError(
                        f"{self.path} does not hold the configuration that its name stands for; move it away"
                    )
                self.rows = dict(known.rows)
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        header = ResultsHeader(configuration=configuration, versions=dict(versions), started=started)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_torn = _is_torn(self.path)
            self._file = self.path.open("ab", buffering=0)
            self._synced = 0.0
            self._write(b"\n" * is_torn + header.model_dump_json().encode() + b"\n")
        except OSError as error:
            raise StorageError.from_os_error(error, self.path) from error

    def append(self, row: EvaluationResult) -> None:
        """Append a row; the last row of a question counts.

        Raises:
            StorageError: the disk is full.
        """
        self._write(row.model_dump_json(exclude_defaults=True).encode() + b"\n")
        self.rows[row.key] = row

    def _write(self, line: bytes) -> None:
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(28, "No space left on device")
            if time.monotonic() - self._synced > SYNC_EVERY_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise StorageError.from_os_error(error, self.path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._file:
            os.fsync(self._file.fileno())


def set_aside(path: Path) -> Path | None:
    """Move a results file to `replaced/` beside it, named by the time; returns its new path, None without a file.

    Raises:
        StorageError: it cannot be moved.
    """
    if not path.exists():
        return None
    stamp = f"{path.stem}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    target = path.parent / "replaced" / f"{stamp}.jsonl"
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{stamp}-{number}.jsonl")
    try:
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    except OSError as error:
        raise StorageError.from_os_error(error, target) from error
    return target


def find_results(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """The named results files, by path or by prefix of the digest; without names, all in the folder.

    Raises:
        UsageError: a name matches no file, or several.
    """
    there = list_folder(folder, "*.jsonl")
    if not names:
        return there
    found = []
    for name in names:
        if Path(name).is_file():
            found.append(Path(name))
            continue
        fitting = [path for path in there if path.stem.startswith(name)]
        if len(fitting) != 1:
            count = f"{len(fitting) or 'none'} of the results files in {folder} begin with it"
            raise UsageError(f"{name!r} names no results file: there is no such path, and {count}")
        found.extend(fitting)
    return found


def _is_torn(path: Path) -> bool:
    """Whether the file ends in the middle of a line."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _has_whole_line(path: Path) -> bool:
    """Whether the file holds more than an unfinished header."""
    with path.open("rb") as file:
        return file.readline().endswith(b"\n")
