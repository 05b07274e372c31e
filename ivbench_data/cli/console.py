"""Output of the command line: tables on stdout, progress and messages on stderr, one JSON document with `--json`.

Text that comes from outside (ids, titles, messages) is never read as markup, and its control characters are written
out, not sent to the terminal.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ivbench_data.cli.plain import show_plain as show_plain

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.video.stray_files import StrayFile
    from ivbench_data.workspace import Workspace

RowT = TypeVar("RowT")

_NOT_ASCII = re.compile(r"[^\n -~]")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the one place that turns errors into exit codes."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def stdout() -> Console:
    """The console for data."""
    return _Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


@cache
def stderr() -> Console:
    """The console for progress and messages; one only, so that a message does not tear a bar that is being drawn."""
    return _Console(stderr=True, highlight=False, markup=False, emoji=False)


def say_without_videos(dataset: Dataset, work: str, quiet: bool = False) -> bool:
    """Whether no question of the dataset has a video; if so, print that there is nothing to do."""
    if dataset.videos:
        return False
    if not quiet:
        say(f"Nothing to {work}: no question of {dataset.name} has a video.")
    return True


def say_strays(strays: Sequence[StrayFile], workspace: Workspace) -> None:
    """Name the files in `videos/` that belong to no video, ten at most."""
    if strays:
        names = ", ".join(map(str, strays[:10])) + (f" and {len(strays) - 10:,} more" if len(strays) > 10 else "")
        count = f"{len(strays):,} files" if len(strays) > 1 else "1 file"
        say(f"{workspace.videos} holds {count} of no video of the dataset: {names}", style="yellow")


def print_json(document: object) -> None:
    """Print one JSON document on stdout; what a terminal would act on is escaped, and reads back the same."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    click.echo(_NOT_ASCII.sub(lambda match: match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1], text))


def say(message: str, style: str = "") -> None:
    """Print a message on stderr."""
    stderr().print(Text(show_plain(message), style=style), soft_wrap=True)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], footer: Sequence[object] | None = None
) -> None:
    """Print a table on stdout; columns whose every value is a number are set flush right."""
    body = [list(row) for row in rows]
    numeric = [
        bool(body) and all(isinstance(row[at], int | float) or row[at] in ("", "–") for row in body)
        for at in range(len(columns))
    ]
    table = Table(box=SIMPLE_HEAD, show_footer=footer is not None)
    for at, name in enumerate(columns):
        table.add_column(
            Text(name),
            justify="right" if numeric[at] else "left",
            footer=Text(show_plain(footer[at])) if footer is not None else "",
            overflow="fold",
            no_wrap=at == 0,
        )
    for row in body:
        table.add_row(*(Text(show_plain(_written(value))) for value in row))
    console = stdout()
    # not the table's own title, which would be broken at the width of a narrow table
    console.print(Text(show_plain(title), style="bold"))
    console.print(table)


def _written(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def format_bytes(count: float) -> str:
    """A size for people: `9.8 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def track(
    rows: Iterable[RowT],
    description: str,
    total: int | None,
    quiet: bool = False,
    note: Callable[[RowT], str] | None = None,
) -> Iterator[RowT]:
    """The rows as they come, with a bar on stderr: the one progress bar. Without a terminal, or when quiet, no bar.

    `note` is called after each row for the text behind the bar: rates, failures.
    """
    console = stderr()
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task(description, total=total, note="")
        for row in rows:
            progress.update(task, advance=1, note="" if note is None else note(row))
            yield row
