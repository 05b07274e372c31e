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
@click.option("--licences", is_flag=True, help="Show the licences of the packages that are here because of us instead.")
@dataset_option
@root_option
@json_option
def command(identities: tuple[str, ...], licences: bool, dataset: str, root: Path, as_json: bool) -> int:
    """Check what this machine has of what the commands need, and say what to install.

    Exit code 3 when something is missing that every command needs; what single commands need is advice.
    """
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.doctor import examine_environment
    from ivbench_data.schema import FrameGrid

    if licences:
        return _show_licences(as_json)
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


def _show_licences(as_json: bool) -> int:
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.cli.licences import list_licences

    rows = list(list_licences())
    if as_json:
        print_json({"licences": rows})
        return 0
    columns = ("package", "version", "licence", "bundled")
    print_table("Licences, as the packages state them", columns, [[row[name] for name in columns] for row in rows])
    copyleft = [row["package"] for row in rows if "GPL" in row["licence"] + row["bundled"]]
    say("ivbench-data itself is under the Apache-2.0. Whoever passes these packages on keeps their terms.")
    say(f"Under the GPL, or with parts that are: {', '.join(copyleft) or 'none'}.")
    return 0
