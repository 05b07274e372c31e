"""`ivbench-data demo`."""

from __future__ import annotations

from pathlib import Path

import click

from ivbench_data.cli.options import root_option
from ivbench_data.errors import EnvironmentProblemError

_NEED_EXTRAS = {"validate", "coverage", "evaluate", "publish"}
"""Verbs that a plain installation may not be able to run."""


@click.command(
    "demo",
    epilog="""\b
Example:
  ivbench-data demo --root /tmp/try-it""",
)
@root_option
def command(root: Path) -> int:
    """Make a small benchmark, offline, and run every step from import to publication on it.

    Eight videos, a query image and ten options for each question, all 13 tasks; a few megabytes, some ten seconds.
    """
    from ivbench_data import cli
    from ivbench_data.cli.console import say, track
    from ivbench_data.sources.demo import make_demo
    from ivbench_data.workspace import Workspace

    folder = Workspace(root, "demo").folder
    say(f"1. Make the videos, the query images and the questions in {folder}", style="bold")
    made = found = 0
    for file in track(make_demo(root), "Drawing", total=None):
        made, found = made + file.made, found + (not file.made)
    say(f"   {made} files made, {found} were there already.")
    at = ["--root", str(root), "--dataset", "demo"]
    journey: tuple[tuple[str, list[str]], ...] = (
        ("Import the release", ["import", "demo", str(folder / "raw"), "--root", str(root)]),
        ("Check that the videos are whole", ["verify", *at]),
        ("Extract the frames, once for every model", ["cache", "--nframes", "32", "--res", "240", *at]),
        ("See what there is", ["info", *at]),
        ("Look for broken questions, and make a page of them", ["validate", "--report", *at]),
        ("See whether the frames show the evidence", ["coverage", "--grid", "32x240", *at]),
        ("Ask a model: here one that guesses", ["evaluate", "--model", "baseline:random", *at]),
        ("Make a folder that others load", ["publish", "--to", str(folder / "published"), *at]),
    )
    for number, (purpose, arguments) in enumerate(journey, start=2):
        say(f"\n{number}. {purpose}: ivbench-data {' '.join(arguments)}", style="bold")
        code = cli.run(arguments)
        if code == EnvironmentProblemError.exit_code and arguments[0] in _NEED_EXTRAS:
            say("That step needs more than is installed here, as it says; the journey goes on.", style="yellow")
        elif code:
            say(f"That step ended with exit code {code}; the demo stops here.", style="red")
            return code
    say("\nThat was the whole journey. To look at: the questions' report, the dataset's card, frames", style="bold")
    say(f"   {folder / 'reports' / 'validate.html'}")
    say(f"   {folder / 'published' / 'README.md'}")
    say(f"   ivbench-data export frames frames --grid 32x240 {' '.join(at)}")
    say("Next, the real thing:", style="bold")
    say("   ivbench-data fetch --limit 20")
    say("   ivbench-data cache --nframes 32 --res 240")
    say("   ivbench-data evaluate --model Qwen/Qwen2.5-VL-7B-Instruct --nframes 32 --res 240")
    return 0
