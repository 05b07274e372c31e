"""The options of `evaluate` that say how a question is asked, read from texts or files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ivbench_data.cli.options import NumberRange
from ivbench_data.errors import UsageError

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

ASKING = ("system", "prompt_template", "cot", "limit", "question_ids", "samples")
"""Parameters that belong to `AskOptions`; the others belong to `ModelOptions`."""


def asking_options(command: CommandT) -> CommandT:
    """The options, in the order in which `--help` shows them."""
    options = (
        click.option("--system", metavar="TEXT|@FILE", callback=_read_system, help="System message."),
        click.option(
            "--prompt-template",
            metavar="FILE",
            type=click.Path(path_type=Path),
            callback=_read_template,
            help="Jinja template of the prompt's text; it shows {{ question }} and {{ options }}.",
        ),
        click.option("--cot", is_flag=True, help="Ask for reasoning first, and a last line 'Final answer: …'."),
        click.option(
            "--temperature",
            type=NumberRange(0, 100),
            default=0.0,
            help="Temperature of the draws.  [default: 0, the likeliest token]",
        ),
        click.option(
            "--top-p",
            type=NumberRange(0, 1, min_open=True),
            default=1.0,
            help="Draw from tokens of this share.  [default: 1, all]",
        ),
        click.option(
            "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of the draws."
        ),
        click.option(
            "--samples",
            type=click.IntRange(1, 1024),
            default=1,
            show_default=True,
            help="Ask each question so many times: mean, majority vote and pass@K.",
        ),
        click.option(
            "--extra-body", metavar="JSON|@FILE", callback=_read_object, help="Further fields of requests to a server."
        ),
        click.option(
            "--chat-template-kwargs",
            metavar="JSON|@FILE",
            callback=_read_object,
            help="Variables of the model's chat template, such as '{\"enable_thinking\": false}'.",
        ),
        click.option("--limit", type=click.IntRange(1), help="Ask at most this many questions, the first ones."),
        click.option(
            "--ids",
            "question_ids",
            metavar="A,B|@FILE",
            callback=_read_ids,
            help="Ask only these questions; in a file, an id a line.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _read_file(path: Path, parameter: click.Parameter) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{parameter.opts[0]} cannot read {path}: {reason}") from None


def _read_text(value: str, parameter: click.Parameter) -> str:
    """The text, or that of the file after an @."""
    return _read_file(Path(value[1:]), parameter) if value.startswith("@") else value


def _read_system(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    text = _read_text(value, parameter).rstrip("\n")
    if not text.strip():
        raise UsageError("--system is empty; leave it out to send no system message")
    return text


def _read_template(context: click.Context, parameter: click.Parameter, value: Path | None) -> str | None:
    if value is None:
        return None
    text = _read_file(value, parameter)
    if not text.strip():
        raise UsageError(f"--prompt-template: {value} is empty")
    return text


def _read_object(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any]:
    if value is None:
        return {}
    from ivbench_data.strict_json import parse_json

    try:
        found = parse_json(_read_text(value, parameter).encode())
    except ValueError as error:
        raise UsageError(f"{parameter.opts[0]} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f'{parameter.opts[0]} is a JSON object, such as {{"top_k": 20}}, not {value!r:.60}')
    return found


def _read_ids(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    listed = _read_text(value, parameter).splitlines() if value.startswith("@") else value.split(",")
    ids = tuple(dict.fromkeys(name.strip() for name in listed if name.strip()))
    if not ids:
        raise UsageError("--ids names no question")
    return ids
