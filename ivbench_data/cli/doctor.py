"""`ivbench-data doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from ivbench_data.cli import VERBS
from ivbench_data.cli.options import dataset_option, json_option, root_option
from ivbench_data.errors import EnvironmentProblemError, UsageError


@click.command(
    "doctor",
    epilog="""\b
Examples:
  ivbench-data doctor
  ivbench-data doctor --grid 8x720 --grid 32x240-m28""",
)
@click.option(
    "--grid", "identities", multiple=True, metavar="NxRES…", help="A grid you want to build.  [default: 32x240]"
)
@dataset_option
@root_option
@json_option
def command(identities: tuple[str, ...], dataset: str, root: Path, as_json: bool) -> int:
    """Check what this machine has of what the commands need, and say what to install.

    Exit code 3 when something is missing that every command needs; what single commands need is advice.
    """
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.doctor import examine_environment
    from ivbench_data.schema import FrameGrid

    try:
        grids = [FrameGrid.parse(identity) for identity in identities or ("32x240",)]
    except ValueError as error:
        raise UsageError(f"--grid: {error}") from None
    found = list(examine_environment(dataset, root, grids))
    faults = [each for each in found if each.status == "fault"]
    if as_json:
        print_json({"faults": len(faults), "diagnoses": [each.model_dump() for each in found]})
    else:
        print_table("This machine", ("", "", "found"), [(each.name, each.status, each.message) for each in found])
        commands = next(each.facts for each in found if each.name == "commands")
        missing = {verb: names for verb, names in commands.items() if isinstance(names, list)}
        rows = [(verb, ", ".join(map(str, missing.get(verb, ()))) or "nothing") for verb in VERBS]
        print_table("Commands, with all of their options", ("command", "missing"), rows)
        for each in found:
            if each.advice:
                say(f"{each.name}: {each.advice}", style="red" if each.status == "fault" else "yellow")
    return EnvironmentProblemError.exit_code if faults else 0
