"""Result files: appended to, read back, torn by kills, never mixed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivbench_data.errors import DatasetError, StorageError, UsageError
from ivbench_data.evaluate.results import ResultsFile, RunConfiguration, find_results, read_results
from ivbench_data.schema import EvaluationResult

CONFIGURATION = RunConfiguration(
    dataset="tiny", model="baseline:random", pattern="video_first", profile="default", grid="8x16", prompt_version=1
)


def _row(number: int, **values: object) -> EvaluationResult:
    return EvaluationResult.model_validate({"question_id": f"q{number}", "reply": "A", **values})


def _write(folder: Path, count: int = 3) -> Path:
    with ResultsFile(folder, CONFIGURATION, {"python": "3"}) as file:
        for number in range(count):
            file.append(_row(number))
    return file.path


def test_rows_are_read_back(tmp_path: Path) -> None:
    path = _write(tmp_path)
    assert path.name == f"{CONFIGURATION.digest}.jsonl"
    results = read_results(path)
    assert results.configuration == CONFIGURATION
    assert results.headers[0].versions == {"python": "3"}
    assert results.rows == {(f"q{number}", 0): _row(number) for number in range(3)}
    assert results.bad_lines == ()
    assert results.name == "baseline:random · video_first · 8x16"


def test_the_last_row_of_a_question_stands_and_rotations_are_apart(tmp_path: Path) -> None:
    with ResultsFile(tmp_path, CONFIGURATION, {}) as file:
        file.append(_row(0, status="failed", reply=None, error="out of memory"))
        file.append(_row(0, rotation=1))
        file.append(_row(0, reply="B"))
    rows = read_results(file.path).rows
    assert {key: row.reply for key, row in rows.items()} == {("q0", 0): "B", ("q0", 1): "A"}


def test_a_file_is_gone_on_with(tmp_path: Path) -> None:
    path = _write(tmp_path)
    before = path.read_bytes()
    with ResultsFile(tmp_path, CONFIGURATION, {"torch": "2"}) as file:
        assert set(file.rows) == {("q0", 0), ("q1", 0), ("q2", 0)}
        file.append(_row(3))
    assert path.read_bytes().startswith(before)
    results = read_results(path)
    assert [header.versions for header in results.headers] == [{"python": "3"}, {"torch": "2"}]
    assert len(results.rows) == 4


@given(data=st.data())
@settings(max_examples=40)
def test_a_file_cut_anywhere_is_gone_on_with(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = _write(folder)
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    whole = [line for line in content[:cut].split(b"\n")[1:] if line and content[:cut].find(line + b"\n") >= 0]
    with ResultsFile(folder, CONFIGURATION, {}) as file:
        assert set(file.rows) >= {(f"q{number}", 0) for number in range(len(whole))}
        for number in range(3):
            if (f"q{number}", 0) not in file.rows:
                file.append(_row(number))
    results = read_results(path)
    assert dict(results.rows) == {(f"q{number}", 0): _row(number) for number in range(3)}
    assert len(results.bad_lines) <= 1
    assert path.read_bytes().startswith(content[:cut])


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"grid": "16x16"},
        {"grid": None},
        {"pattern": "image_first"},
        {"profile": "paper"},
        {"prompt_version": 2},
        {"model_options": {"dtype": "float16"}},
        {"model_identity": {"revision": "abc"}},
        {"dataset": "other"},
    ],
)
def test_another_configuration_is_another_file(tmp_path: Path, change: dict[str, object]) -> None:
    path = _write(tmp_path)
    with ResultsFile(tmp_path, CONFIGURATION.model_copy(update=change), {}) as file:
        assert file.rows == {}
        assert file.path != path


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    other = CONFIGURATION.model_copy(update={"model": "other"})
    path = _write(tmp_path)
    path.rename(tmp_path / f"{other.digest}.jsonl")
    with pytest.raises(DatasetError, match="does not hold the configuration"):
        ResultsFile(tmp_path, other, {})
    (tmp_path / f"{CONFIGURATION.digest}.jsonl").write_text("my notes\n")
    with pytest.raises(DatasetError, match="no header"):
        ResultsFile(tmp_path, CONFIGURATION, {})


def test_two_configurations_in_one_file_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path)
    with ResultsFile(tmp_path, CONFIGURATION.model_copy(update={"model": "other"}), {}) as file:
        pass
    path.write_bytes(path.read_bytes() + file.path.read_bytes())
    with pytest.raises(DatasetError, match="different configurations"):
        read_results(path)


def test_bad_lines_are_named_and_the_others_stand(tmp_path: Path) -> None:
    path = _write(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"question_id": "q9", "colour": 3}\n{"question_id"\n')
    results = read_results(path)
    assert [line.line for line in results.bad_lines] == [5, 6]
    assert len(results.rows) == 3


def test_files_are_found_by_path_or_by_the_beginning_of_their_name(tmp_path: Path) -> None:
    path = _write(tmp_path)
    assert find_results(tmp_path) == [path]
    assert find_results(tmp_path, [path.stem[:5], str(path)]) == [path, path]
    with pytest.raises(UsageError, match="none of the results files"):
        find_results(tmp_path, ["zzz"])
    assert find_results(tmp_path / "nowhere") == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(StorageError, match="results"):
        ResultsFile(tmp_path / "results", CONFIGURATION, {})


WRITER = """
import sys
from pathlib import Path
from ivbench_data.evaluate.results import RunConfiguration, ResultsFile
from ivbench_data.schema import EvaluationResult
configuration = RunConfiguration.model_validate_json(sys.argv[2])
with ResultsFile(Path(sys.argv[1]), configuration, {}) as file:
    number = len(file.rows)
    while True:
        file.append(EvaluationResult(question_id=f"q{number}", reply="A" * 5000))
        number += 1
"""


@pytest.mark.full
def test_killed_while_it_writes_nothing_that_was_appended_is_lost(tmp_path: Path) -> None:
    path = tmp_path / f"{CONFIGURATION.digest}.jsonl"
    for _ in range(3):
        size = path.stat().st_size if path.exists() else 0
        arguments = [sys.executable, "-c", WRITER, str(tmp_path), CONFIGURATION.model_dump_json()]
        with subprocess.Popen(arguments) as writer:
            deadline = time.monotonic() + 30
            while not (path.exists() and path.stat().st_size > size + 100_000) and time.monotonic() < deadline:
                time.sleep(0.01)
            os.kill(writer.pid, signal.SIGKILL)
    results = read_results(path)
    assert len(results.headers) == 3
    assert set(results.rows) == {(f"q{number}", 0) for number in range(len(results.rows))}
    assert len(results.bad_lines) <= 3
