"""Public names: everything that a signature mentions is one, each is documented, and the examples run."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import inspect
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ivbench_data as iv

MADE = Path(__file__).parent / "made_by_0_1_0"
PUBLIC = {name: getattr(iv, name) for name in iv.__all__ if name != "__version__"}
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(inspect.unwrap(thing))}
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}


# --- what signatures mention ------------------------------------------------------------------------------------


@cache
def names_of_ours(module: str) -> set[str]:
    """Names in a module that it defines at its top, or imports from another module of the package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ivbench_data"):
            found |= {alias.asname or alias.name for alias in node.names}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def names_in(annotation: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value


def callables_of(thing: Any) -> Iterator[Callable[..., Any]]:
    """The function itself; of a class its public methods and properties, and what it is made with."""
    if not inspect.isclass(thing):
        yield inspect.unwrap(thing)
        return
    for name, member in vars(thing).items():
        if isinstance(member, (staticmethod, classmethod)):
            member = member.__func__
        if isinstance(member, property):
            member = member.fget
        is_public = not name.startswith("_") or (name == "__init__" and not dataclasses.is_dataclass(thing))
        if is_public and inspect.isfunction(member) and member.__module__.startswith("ivbench_data"):
            yield member


def mentioned_by(thing: Any) -> set[str]:
    """Names of ours in the annotations of a public thing: parameters, what is returned, fields."""
    found: set[str] = set()
    for function in filter(inspect.isfunction, callables_of(thing)):
        for annotation in function.__annotations__.values():
            found |= set(names_in(str(annotation))) & names_of_ours(function.__module__)
    if inspect.isclass(thing) and thing.__module__.startswith("ivbench_data"):
        fields = {name: text for name, text in inspect.get_annotations(thing).items() if not name.startswith("_")}
        ours = names_of_ours(thing.__module__)
        for annotation in fields.values():
            # a record's field may be of a constrained text or number, which needs no name to be given
            names = set(names_in(str(annotation))) & ours
            found |= {name for name in names if inspect.isclass(getattr(sys.modules[thing.__module__], name, None))}
    return found


def test_all_that_a_signature_mentions_is_public() -> None:
    missing = {
        f"{name} mentions {other}" for name, thing in PUBLIC.items() for other in mentioned_by(thing) - PUBLIC.keys()
    }
    assert sorted(missing) == []


def test_signatures_are_looked_into() -> None:
    """So that the test above can fail."""
    assert mentioned_by(iv.cache_frames) >= {"Dataset", "FrameGrid", "CacheOptions", "CacheResult"}
    assert mentioned_by(iv.CacheReader) >= {"Clip", "CacheError", "FrameGrid"}
    assert mentioned_by(iv.Question) == {"Evidence"}


def test_every_error_is_public() -> None:
    errors = {name for name, thing in vars(sys.modules["ivbench_data.errors"]).items() if inspect.isclass(thing)}
    assert {name for name in errors if name.endswith("Error")} <= PUBLIC.keys()


def test_arguments_stand_in_one_order() -> None:
    """The dataset first; the root before what is optional, and a folder or a name of it wherever a path is taken."""
    for name, function in FUNCTIONS.items():
        parameters = inspect.signature(function).parameters
        names = list(parameters)
        if "dataset" in names:
            assert names[0] == "dataset", name
        if "root" in names:
            assert parameters["root"].annotation == "Path | str | None", name
            before = [parameters[each] for each in names[: names.index("root")]]
            assert all(each.default is each.empty or each.name == "name" for each in before), name
        for each in names:
            assert parameters[each].annotation != "Path", f"{name} takes {each} as a Path, and not as a text"


def test_names_in_dir_are_public_alone() -> None:
    assert dir(iv) == sorted(iv.__all__)


@pytest.mark.parametrize(("old", "new"), [("judge_reply", "score_reply"), ("Verdicts", "JudgeReplies")])
def test_old_names_work_and_name_the_new_ones(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"ivbench_data.{old} is deprecated: use {new}"):
        assert getattr(iv, old) is PUBLIC[new]
    assert old not in dir(iv)


def test_the_old_load_takes_a_folder() -> None:
    with pytest.warns(DeprecationWarning, match=r"use load_dataset\(name, root\)"):
        load = iv.load
    assert load(MADE / "tiny") == iv.load_dataset("tiny", MADE)


def test_a_dataset_is_shown_in_a_line() -> None:
    dataset = iv.load_dataset("tiny", MADE)
    assert repr(dataset) == "Dataset('tiny': 2 videos, 2 images, 3 questions)"
    bad = dataclasses.replace(dataset, bad_lines=(iv.BadLine(file="a", line=1, reason="?"),))
    assert repr(bad) == "Dataset('tiny': 2 videos, 2 images, 3 questions, 1 bad lines)"


# --- docstrings -------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the small dataset `tiny` under `data/`, as the examples take for granted."""
    shutil.copytree(MADE, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IVBENCH_ROOT", raising=False)


NEEDS_TORCH = {"TensorClip", "open_torch_dataset"}
NEEDS_THE_NET = {"fetch_earlier"}
"""Names whose example is shown and not run; tests of their own call them."""


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
@pytest.mark.usefixtures("tiny")
def test_the_example_runs(name: str) -> None:
    if name in NEEDS_TORCH:
        pytest.importorskip("torch", reason="torch is not installed")
    thing = inspect.unwrap(PUBLIC[name])
    finder = doctest.DocTestFinder(recurse=False)
    tests = [test for test in finder.find(thing, name, globs={"iv": iv, "Path": Path}) if test.examples]
    assert tests, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    printed: list[str] = []
    for test in tests:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            runner.run(test, out=printed.append)
    assert not runner.failures, "".join(printed)
    skipped = [each for test in tests for each in test.examples if each.options.get(doctest.SKIP)]
    assert bool(skipped) == (name in NEEDS_THE_NET)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_described(name: str) -> None:
    function = inspect.unwrap(FUNCTIONS[name])
    text = inspect.getdoc(function) or ""
    _, _, rest = text.partition("\nArgs:\n")
    described = [line.strip().partition(":")[0] for line in rest.splitlines() if line.startswith("    ")]
    for parameter in inspect.signature(function).parameters:
        assert parameter in described, f"{name} does not say what {parameter} is"
