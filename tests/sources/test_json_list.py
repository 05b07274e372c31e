"""One JSON list, record by record: what is broken is named by its line, and costs no other record."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.errors import UsageError
from ivbench_data.schema import BadLine
from ivbench_data.sources.json_list import detect_form, iterate_json_list, write_json_list

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('abé"\\\n{[,', max_size=4), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(st.text("abé{", min_size=1, max_size=4), JSON, min_size=1, max_size=3), max_size=4)
FORMS = [
    {"indent": 4, "ensure_ascii": False},
    {"indent": 2},
    {"indent": "\t", "ensure_ascii": False},
    {"ensure_ascii": False},
    {"separators": (",", ":")},
    {},
]


def read(path: Path) -> tuple[list[Any], list[tuple[int, str]]]:
    """The values, and line and reason of what is none."""
    found = list(iterate_json_list(path))
    values = [value for _, value in found if not isinstance(value, BadLine)]
    return values, [(value.line, value.reason) for _, value in found if isinstance(value, BadLine)]


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@given(records=RECORDS, form=st.sampled_from(FORMS), end=st.sampled_from(["", "\n"]))
def test_what_python_writes_is_read_and_written_again_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any], form: dict[str, Any], end: str
) -> None:
    path = write(tmp_path_factory.mktemp("list") / "r.json", json.dumps(records, **form) + end)
    assert read(path) == (records, [])
    assert b"".join(write_json_list(records, detect_form(path))) == path.read_bytes()


@given(st.binary(max_size=200))
def test_any_bytes_end_in_values_bad_lines_or_a_usage_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("list") / "r.json"
    path.write_bytes(b"[" + content)
    values, bad = read(path)
    assert bad or values == json.loads(path.read_bytes())


GOOD = [{"a": 1, "b": ["x"]}, {"a": 2, "b": ["y"]}, {"a": 3, "b": ["z"]}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"a": 2,', '"a": 2'),
        ('"a": 2,', '"a: 2,'),
        ('"a": 2,', '"a": NaN,'),
        ('"a": 2,', '"a": 2, "a": 2,'),
        ('"y"\n        ]\n    }', '"y"\n        ]'),
        ('"y"\n        ]\n    }', '"y"\n    }'),
        ('"y"\n        ]\n    }', '"y"\n        ]\n    }}'),
        ('"y"', '"y\\'),
    ],
)
def test_a_broken_record_costs_itself_alone(tmp_path: Path, old: str, new: str) -> None:
    text = json.dumps(GOOD, indent=4)
    assert old in text
    values, bad = read(write(tmp_path / "r.json", text.replace(old, new)))
    assert values == [GOOD[0], GOOD[2]]
    assert [line for line, _ in bad] == [8]
    assert bad[0][1].startswith("the record that begins here: ")


def test_a_bracket_too_many_does_not_end_the_list(tmp_path: Path) -> None:
    text = json.dumps(GOOD, indent=4).replace('"y"\n        ]', '"y"\n        ]]]')
    values, bad = read(write(tmp_path / "r.json", text))
    assert values == [GOOD[0], GOOD[2]]
    assert {line for line, _ in bad} <= {8, 9, 10, 11, 12, 13}


def test_in_a_file_of_one_line_an_open_record_takes_the_rest_with_it(tmp_path: Path) -> None:
    values, bad = read(write(tmp_path / "r.json", '[{"a": 1}, {"a": 2, {"a": 3}]'))
    assert values == [{"a": 1}]
    assert [line for line, _ in bad] == [1, 1]


@pytest.mark.parametrize(
    ("text", "values", "bad"),
    [
        ("[]", [], []),
        ("  [ ]  ", [], []),
        ("[1, null]", [1, None], []),
        ("[1,,2]", [1, 2], [(1, "there is no record between two commas")]),
        ("[1\n,\n2\n]\n]", [1, 2], [(4, "something stands after the end of the list")]),
        ("[1,\n2", [1, 2], [(2, "the file ends before its list does")]),
        ("[1,\n", [1], [(2, "the file ends before its list does")]),
    ],
)
def test_edges_of_the_list(tmp_path: Path, text: str, values: list[Any], bad: list[tuple[int, str]]) -> None:
    assert read(write(tmp_path / "r.json", text)) == (values, bad)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xef\xbb\xbf[]", b"hello"])
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"r\.json is not a JSON list"):
        list(iterate_json_list(path))
    with pytest.raises(UsageError, match="cannot read"):
        list(iterate_json_list(tmp_path / "absent.json"))


@pytest.mark.parametrize("bomb", ["[" * 300_000, '\\"' * 300_000, '"\\"' * 200_000, "{" * 300_000, "," * 20_000])
def test_hostile_files_cost_time_in_proportion(tmp_path: Path, bomb: str) -> None:
    path = write(tmp_path / "r.json", f"[{bomb}")
    started = time.process_time()
    assert read(path)[1]
    assert time.process_time() - started < 10
