"""A Python function as a model: `python:module:function`.

It takes one request, or, where its first parameter is called `requests`, several at once. For each request it returns a
text, a letter, the index of an option as shown, a `Reply`, or None for no reply. What it prints goes to stderr, since
stdout belongs to our own output.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import JsonValue

from ivbench_data.errors import CacheError, UsageError
from ivbench_data.evaluate.models.code_digest import digest_code, list_code
from ivbench_data.evaluate.prompts.requests import Reply, Request, read_identity

Answer = Callable[[Any], Any]

PASSING_ERRORS = (CacheError, ArithmeticError, LookupError, OSError, RuntimeError, ValueError)
"""Errors that fail one request; any other exception is a bug in the function, and ends the run."""

_DIGEST_ATTRIBUTE = "__ivbench_data_code__"
"""On an imported module: the digest of the code that was imported."""


@dataclass(frozen=True)
class FunctionModel:
    """A model that calls a function for each request, or for all of them if its first parameter is `requests`.

    One of `PASSING_ERRORS` becomes a failed reply to what was asked.
    """

    answer: Answer
    """The function."""
    identity: dict[str, JsonValue] = field(default_factory=dict)
    """What determines its answers besides its name."""

    def __call__(self, requests: Sequence[Request]) -> Iterator[Reply]:
        """A reply to every request, in their order.

        Raises:
            UsageError: the function returned something else than described above, or another number of replies.
        """
        if not _takes_several(self.answer):
            for request in requests:
                yield from self._ask([request], lambda asked: [self.answer(asked[0])])
        elif requests:
            yield from self._ask(requests, self.answer)

    def _ask(self, requests: Sequence[Request], answer: Callable[[Sequence[Request]], Any]) -> Iterator[Reply]:
        started = time.perf_counter()
        try:
            with redirect_stdout(sys.stderr):
                replies = answer(requests)
                if isinstance(replies, Iterator):
                    replies = list(replies)
        except PASSING_ERRORS as error:
            for request in requests:
                yield Reply(request.key, error=f"{type(error).__name__}: {error}")
            return
        seconds = (time.perf_counter() - started) / len(requests)
        if not isinstance(replies, Sequence) or isinstance(replies, str | bytes) or len(replies) != len(requests):
            count = f"{len(replies)} replies" if isinstance(replies, list | tuple) else _show(replies)
            raise UsageError(
                f"{_name_callable(self.answer)} returned {count} to {len(requests)} requests: a function of `requests` "
                "returns a list with one reply for each, in their order"
            )
        for request, reply in zip(requests, replies, strict=True):
            if isinstance(reply, Reply):
                yield replace(reply, key=request.key)
            else:
                yield Reply(request.key, text=self._read_reply(request, reply), seconds=seconds)

    def _read_reply(self, request: Request, reply: object) -> str | None:
        """The reply as a text: an index becomes the letter of the option shown there, or a number's digits."""
        if reply is None or isinstance(reply, str):
            return reply
        if isinstance(reply, int) and not isinstance(reply, bool):
            if not request.letters:
                return str(reply)
            if 0 <= reply < len(request.letters):
                return request.letters[reply]
            expected = f"the question shows {len(request.letters)} options, counted from 0"
        else:
            expected = "a Python model returns a text, a letter, the index of an option, or None"
        raise UsageError(f"{_name_callable(self.answer)} returned {_show(reply)} for {request.question_id}: {expected}")


def _takes_several(answer: Answer) -> bool:
    try:
        parameters = inspect.signature(answer).parameters
    except (TypeError, ValueError):
        return False  # of some functions in C nothing is known
    return next(iter(parameters), None) == "requests"


def _show(value: object) -> str:
    return f"{value!r:.40} ({type(value).__name__})"


def _name_callable(answer: Answer) -> str:
    return f"{getattr(answer, '__module__', '?')}.{getattr(answer, '__qualname__', type(answer).__name__)}"


def open_model(name: str) -> FunctionModel:
    """The model of a name `module:function`; the module is searched in the current folder, too.

    Its identity holds the `version` that the function or the module declares (a text or a number), or else the digest
    of its code: the module's file, and what it imports from its own folder. Edited code is another model.

    Raises:
        UsageError: there is no such module or function.
    """
    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise UsageError(f"a Python model is written python:module:function, not {name!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    module, digest = _import_module(module_name)
    found: Any = module
    for part in function_name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module_name!r} has no {function_name!r}")
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{name!r} is not a function")
    version = next((value for value in map(_read_version, (found, module)) if value is not None), None)
    code: dict[str, JsonValue] = {"code": digest} if version is None else {"version": version}
    return FunctionModel(found, {**read_identity(found), **code})


def _import_module(name: str) -> tuple[ModuleType, str]:
    """The module and the digest of its code; imported anew where the code changed since this process imported it."""
    importlib.invalidate_caches()
    try:
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise UsageError(f"cannot import {name!r}: there is no module of that name")
        digest, known = digest_code(name, spec.origin), sys.modules.get(name)
        if known is not None and getattr(known, _DIGEST_ATTRIBUTE, digest) != digest:
            for imported in list_code(name, spec.origin):
                sys.modules.pop(imported, None)
        if name not in sys.modules:
            _forget_compiled(list_code(name, spec.origin).values())
        with redirect_stdout(sys.stderr):
            module = importlib.import_module(name)
    except (ImportError, ValueError) as error:
        raise UsageError(f"cannot import {name!r}: {error}") from error
    setattr(module, _DIGEST_ATTRIBUTE, digest)
    return module, digest


def _forget_compiled(files: Iterable[Path]) -> None:
    # Python takes a compiled file for current where size and second agree; the code that answers is that of the digest
    for file in files:
        with suppress(PermissionError):
            Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


def _read_version(holder: object) -> str | int | float | None:
    version = getattr(holder, "version", None)
    return version if isinstance(version, str | int | float) else None
