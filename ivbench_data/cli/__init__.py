"""The command line: one file a verb, each loaded only when it is called, so that `--help` stays light.

A verb parses, calls the library, and draws; it returns its exit code: 0 done, 1 finished with failed rows that a re-run
or a repair could mend, 2 usage, 3 environment, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from io import StringIO
from keyword import iskeyword
from typing import TextIO

import click

from ivbench_data import __version__
from ivbench_data.cli.plain import show_plain
from ivbench_data.errors import IvbenchError, StorageError

VERBS = {
    "fetch": "Download annotations, images and videos.",
    "import": "Import a local release.",
    "info": "Compare what a dataset holds with what its benchmark promises.",
    "verify": "Check that the videos are whole, and are the right ones.",
    "cache": "Extract frames once, for every model.",
    "validate": "Find the broken questions.",
    "coverage": "Check whether a frame grid shows the evidence.",
    "review": "Collect people's review decisions on questions, and measure their agreement.",
    "repair": "Repair questions by a patch that can be read, and undone.",
    "evaluate": "Ask a model the questions, and keep every reply.",
    "score": "Score replies: tables, intervals, comparisons.",
    "publish": "Write a version for others, and push it to the Hub.",
    "export": "Export to harnesses and other programs.",
    "demo": "Make a small benchmark and run the whole journey on it.",
    "doctor": "Check what this machine lacks.",
}
"""Every verb and its line in `--help`; the verb `x` lives in `cli/x.py` (`cli/import_.py`) as `command`."""


def module_of(verb: str) -> str:
    """Name of the module that holds a verb's `command`; Python's own words get an underscore, `import` → `import_`."""
    return f"ivbench_data.cli.{verb}_" if iskeyword(verb) else f"ivbench_data.cli.{verb}"


class VerbGroup(click.Group):
    """A group whose verbs are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of the journey."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None when there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command = import_module(module_of(cmd_name)).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb, or an error that names the nearest one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if nearest := get_close_matches(args[0], VERBS, n=1):
                raise click.UsageError(f"{error.message} Did you mean {nearest[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with: ivbench-data demo",
)
@click.version_option(__version__, prog_name="ivbench-data")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def group(debug: bool) -> None:
    """Image-grounded video benchmarks, from a list of ids to numbers that anyone can reproduce."""


def run(args: list[str] | None = None) -> int:
    """The exit code of a run on `args`, those of the process by default: the one place that turns errors into words."""
    args = sys.argv[1:] if args is None else args
    try:
        if "_IVBENCH_DATA_COMPLETE" in os.environ:  # the shell asks for completions: click answers, and leaves
            group.main(args, prog_name="ivbench-data")
        # `group.main` would leave with 1 when a pipe is closed, which is not an error here
        with warnings.catch_warnings(), group.make_context("ivbench-data", list(args)) as context:
            warnings.showwarning = _show_warning
            code = group.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        message = StringIO()
        error.show(message)
        click.echo(show_plain(message.getvalue()), err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted. What was finished is kept; run the same command again to go on.", err=True)
        return 130
    except IvbenchError as error:
        if "--debug" in args:
            raise
        click.echo(f"Error: {show_plain(error)}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # whoever read our output has had enough (`| head`): not an error, but Python would complain again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # a folder that cannot be opened, or a disk that fails: wherever it was met, the path is what helps
        if "--debug" in args or error.filename is None:
            raise
        reason = f"cannot open {error.filename}: {error.strerror}: change its permissions, or name another with --root"
        click.echo(f"Error: {show_plain(reason)}", err=True)
        return StorageError.exit_code
    return code if isinstance(code, int) else 0


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    """A warning in one line, without the place in the code that only its developers would look up."""
    where = "" if issubclass(category, UserWarning) else f" ({category.__name__}, {filename}:{lineno})"
    click.echo(f"Warning: {show_plain(str(message))}{where}", err=True)


def main() -> None:
    """The console script."""
    sys.exit(run())
