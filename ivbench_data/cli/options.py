"""Options that several verbs share, said once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ivbench_data.errors import UsageError
from ivbench_data.schema import check_safe_name
from ivbench_data.workspace import DEFAULT_DATASET, default_root

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class NumberRange(click.FloatRange):
    """A range of numbers; refuses `nan`, which comparisons do not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def root_option(command: CommandT) -> CommandT:
    """`--root`: the folder that holds the datasets."""
    return click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="IVBENCH_ROOT",
        default=default_root,
        help="Folder that holds the datasets.  [default: $IVBENCH_ROOT or ./data]",
    )(command)


def dataset_option(command: CommandT) -> CommandT:
    """`--dataset`: name of the dataset."""
    return click.option(
        "--dataset", default=DEFAULT_DATASET, show_default=True, callback=_check_dataset, help="Name of the dataset."
    )(command)


def trust_times_option(command: CommandT) -> CommandT:
    """`--trust-times`: rest on guessed times."""
    return click.option(
        "--trust-times", is_flag=True, help="Rest on guessed times where a file does not say when frames are shown."
    )(command)


def json_option(command: CommandT) -> CommandT:
    """`--json`: one document on stdout, and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else.")(
        command
    )


def _check_dataset(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return check_safe_name(value)
    except ValueError as error:
        raise UsageError(f"--dataset: {error}") from None
