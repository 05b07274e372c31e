"""A Python function of one request as a model: `python:module:function`."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ivbench_data.errors import CacheError, UsageError
from ivbench_data.evaluate.prompts.requests import Model, Reply, Request

Answer = Callable[[Request], str | Reply | None]

PASSING_ERRORS = (CacheError, ArithmeticError, LookupError, OSError, RuntimeError, ValueError)
"""Errors that fail one request; any other exception is a bug in the function, and ends the run."""


def answer_one_by_one(answer: Answer) -> Model:
    """A model that calls the function for each request; one of `PASSING_ERRORS` becomes a failed reply."""

    def answer_all(requests: Sequence[Request]) -> Iterator[Reply]:
        for request in requests:
            started = time.perf_counter()
            try:
                reply = answer(request)
            except PASSING_ERRORS as error:
                yield Reply(request.key, error=f"{type(error).__name__}: {error}")
                continue
            seconds = time.perf_counter() - started
            if isinstance(reply, Reply):
                yield replace(reply, key=request.key)
            else:
                yield Reply(request.key, text=reply, seconds=seconds)

    return answer_all


def open_model(name: str) -> Model:
    """The model of a name `module:function`; the module is searched in the current folder, too.

    Raises:
        UsageError: there is no such module or function.
    """
    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise UsageError(f"a Python model is written python:module:function, not {name!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(f"cannot import {module_name!r}: {error}") from error
    for part in function_name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module_name!r} has no {function_name!r}")
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{name!r} is not a function")
    return answer_one_by_one(found)
