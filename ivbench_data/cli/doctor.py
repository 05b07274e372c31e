"""`ivbench-data doctor`."""

from __future__ import annotations

from pathlib import Path

import click

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
    """What this machine has of what the stages need, and what to do about the rest.

    Exit code 3 when nothing works without what is missing; what a single stage would want is advice.
    """
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.doctor import examine_environment
    from ivbench_data.schema import FrameGrid

    try:
        grids = [FrameGrid.parse(identity) for identity in identities or ("32x240",)]
    except ValueError as error:
        raise UsageError(f"--grid: {error}") from None
    found = list(examine_environment(dataset, root, grids))
    faults = [diagnosis for diagnosis in found if diagnosis.status == "fault"]
    if as_json:
        print_json({"faults": len(faults), "diagnoses": [diagnosis.model_dump() for diagnosis in found]})
    else:
        print_table("This machine", ("", "", "found"), [(each.name, each.status, each.message) for each in found])
        for each in found:
            if each.advice:
                say(f"{each.name}: {each.advice}", style="red" if each.status == "fault" else "yellow")
    return EnvironmentProblemError.exit_code if faults else 0
