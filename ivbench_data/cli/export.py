"""`ivbench-data export`: one subcommand a target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ivbench_data.cli.options import CommandT, dataset_option, json_option, root_option
from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.exports.frame_pictures import ExportedClip, FrameFormat
    from ivbench_data.exports.harness import HarnessOptions, HarnessRow, UnaskedRow


@click.group(
    "export",
    epilog="""\b
Example:
  ivbench-data export frames out --grid 32x240
  ivbench-data export lmms-eval out --as frames --grid 32x240""",
)
def command() -> None:
    """Export a dataset: frames as pictures, or a task of an evaluation harness."""


@command.command(
    "frames",
    epilog="""\b
Examples:
  ivbench-data export frames out --grid 32x240
  ivbench-data export frames out --grid 32x240 --format mp4""",
)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--grid", "identity", default="32x240", show_default=True, help="Which frame cache.")
@click.option("--format", "frame_format", type=click.Choice(["png", "jpeg", "mp4"]), default="png", show_default=True)
@click.option("--quality", type=click.IntRange(1, 100), default=92, show_default=True, help="JPEG quality.")
@dataset_option
@root_option
@json_option
def export_frames_command(
    out: Path, identity: str, frame_format: FrameFormat, quality: int, dataset: str, root: Path, as_json: bool
) -> int:
    """Export cached frames to OUT: a folder of pictures per video, named by frame index, or an mp4 per video."""
    from ivbench_data.cli.console import print_json, say, say_without_videos, track
    from ivbench_data.dataset import load
    from ivbench_data.exports.frame_pictures import export_frames
    from ivbench_data.schema import FrameGrid

    try:
        grid = FrameGrid.parse(identity)
    except ValueError as error:
        raise UsageError(str(error)) from None
    loaded = load(root / dataset)
    if say_without_videos(loaded, "export", as_json) and not as_json:
        return 0
    rows = []
    exported = export_frames(loaded, out, grid, root, frame_format, quality)
    for row in track(exported, "Exporting", len(loaded.videos), as_json):
        rows.append(row)
        if row.status == "failed" and not as_json:
            say(f"failed: {row.reason}", style="red")
    done = [row for row in rows if row.status == "done"]
    if as_json:
        print_json(
            [
                {"video_id": row.video_id, "status": row.status, "path": str(row.path) if row.path else None,
                 "frames": row.frames, "reason": row.reason}
                for row in rows
            ]
        )  # fmt: skip
    else:
        say(f"{sum(row.frames for row in done):,} frames of {len(done):,} videos are in {out / grid.identity}.")
        missing = sum(row.status == "missing" for row in rows)
        if missing:
            say(
                f"{missing:,} videos have no cache of {grid.identity}. Make it with: "
                f"ivbench-data cache --grid {grid.identity} --dataset {dataset}",
                style="yellow",
            )
    if rows and all(row.status == "missing" for row in rows):
        raise UsageError(f"there is no cache of {grid.identity} in {root / dataset / 'cache'}")
    return 1 if any(row.status == "failed" for row in rows) else 0


@command.command(
    "submission",
    epilog="""\b
Example:
  ivbench-data export submission submission.jsonl 3f2a --dataset mine""",
)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("results")
@click.option("--all", "all_questions", is_flag=True, help="Also questions whose answers are not hidden.")
@dataset_option
@root_option
@json_option
def export_submission_command(
    out: Path, results: str, all_questions: bool, dataset: str, root: Path, as_json: bool
) -> int:
    """Write RESULTS, a path or a prefix of its file name, to OUT as what `score --answers` takes."""
    from ivbench_data.cli.console import print_json, say
    from ivbench_data.dataset import load
    from ivbench_data.evaluate.results import find_results, read_results
    from ivbench_data.exports.submission import export_submission
    from ivbench_data.workspace import Workspace

    (path,) = find_results(Workspace(root, dataset).results, [results])
    read = read_results(path)
    made = export_submission(load(root / dataset), read, out, not all_questions)
    if as_json:
        print_json({"path": str(out), "answered": made.answered, "left_out": list(made.left_out)})
        return 0
    say(f"{out} answers {made.answered:,} questions.")
    if read.samples > 1:
        say(f"Of the {read.samples:,} samples of each question, it holds the first.", style="yellow")
    if made.left_out:
        say(f"{len(made.left_out):,} without a reply are left out, and count as wrong.", style="yellow")
    return 0


# --- harnesses --------------------------------------------------------------------------------------------------


def harness_options(command: CommandT) -> CommandT:
    """Add the options of every harness export: dataset, visuals, wording."""
    for option in (
        json_option,
        root_option,
        dataset_option,
        click.option(
            "--reveal-answers",
            "revealed",
            multiple=True,
            metavar="SPLIT",
            help="Also export questions whose answers were hidden in SPLIT; repeatable.  [default: left out]",
        ),
        click.option(
            "--profile", default="default", show_default=True, help="How questions are worded and replies parsed."
        ),
        click.option("--grid", "identity", default="32x240", show_default=True, help="Frame cache, with --as frames."),
        click.option(
            "--as",
            "show",
            type=click.Choice(["videos", "frames"]),
            default="videos",
            show_default=True,
            help="Video files, which the harness samples itself, or the frames of a cache.",
        ),
    ):
        command = option(command)
    return command


def parse_harness_options(
    show: Literal["videos", "frames"], identity: str, profile: str, revealed: tuple[str, ...] = ()
) -> HarnessOptions:
    """The options of a harness export.

    Raises:
        UsageError: the grid is invalid.
    """
    from ivbench_data.exports.harness import HarnessOptions
    from ivbench_data.schema import FrameGrid

    try:
        return HarnessOptions(show=show, grid=FrameGrid.parse(identity), profile=profile, revealed_splits=revealed)
    except ValueError as error:
        raise UsageError(str(error)) from None


def run_harness_export(
    dataset: Dataset,
    options: HarnessOptions,
    out: Path,
    rows: Iterator[ExportedClip | HarnessRow | UnaskedRow],
    root: Path,
    as_json: bool,
) -> int:
    """Run a harness export and report what it contains and what it leaves out; returns the exit code."""
    from ivbench_data.cli.console import print_json, say, track
    from ivbench_data.exports.harness import HarnessRow, UnaskedRow
    from ivbench_data.hidden_record import leave_out_hidden
    from ivbench_data.workspace import Workspace

    shown, hidden = leave_out_hidden(dataset, Workspace(root, dataset.name), options.revealed_splits)
    asked, unasked = 0, []
    clips = len(dataset.videos) if options.show == "frames" else 0
    for row in track(rows, "Exporting", clips + len(shown.questions), as_json):
        asked += isinstance(row, HarnessRow)
        if isinstance(row, UnaskedRow):
            unasked.append(row)
    failed = [row for row in unasked if row.kind == "failed"]
    if as_json:
        left_out = [{"question_id": row.question_id, "kind": row.kind, "reason": row.reason} for row in unasked]
        print_json(
            {"path": str(out), "dataset": dataset.name, "asked": asked, "unasked": left_out, "hidden_left_out": hidden}
        )
    else:
        say(f"{asked:,} questions of {dataset.name} are in {out}; {out / 'README.md'} has the commands.")
        for row in unasked[:5]:
            say(f"{row.kind}: {row.question_id}: {row.reason}", style="red" if row.kind == "failed" else "yellow")
        if unasked:
            say(
                f"{len(unasked):,} questions are left out; {out / 'unasked.jsonl'} lists them with reasons. Get "
                "missing media with: ivbench-data fetch, then ivbench-data cache",
                style="yellow",
            )
        for name, count in hidden.items():
            say(
                f"{count:,} questions are left out: their answers were hidden in the split {name}. With "
                f"--reveal-answers {name} they are exported, and whoever has the folder has the answers.",
                style="bold red",
            )
        if options.revealed_splits:
            names = " and ".join(options.revealed_splits)
            say(f"{out} holds the hidden answers of {names}: keep it to yourself.", style="bold red")
    if not asked and hidden and not unasked:
        raise UsageError(f"all answers of {dataset.name} were hidden: name the split with --reveal-answers")
    if not asked:
        raise UsageError(f"none of the {len(unasked):,} questions of {dataset.name} can be asked here")
    return 1 if failed else 0


@command.command(
    "lmms-eval",
    epilog="""\b
Examples:
  ivbench-data export lmms-eval out
  ivbench-data export lmms-eval out --as frames --grid 32x240
  python -m lmms_eval --tasks ivbench_data_ivbench --include_path "$(ivbench-data export lmms-eval --print-path)" …""",
)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--print-path", is_flag=True, help="Print the folder of the packaged tasks, and write nothing.")
@harness_options
def export_lmms_eval_command(
    out: Path | None,
    print_path: bool,
    show: Literal["videos", "frames"],
    identity: str,
    profile: str,
    revealed: tuple[str, ...],
    dataset: str,
    root: Path,
    as_json: bool,
) -> int:
    """Export a task of lmms-eval to OUT: rows, media, YAML and a README.md with the commands.

    With --print-path instead of OUT, print the folder of the packaged tasks, for lmms-eval's --include_path. These
    tasks read the dataset under $IVBENCH_ROOT.
    """
    from ivbench_data.dataset import load
    from ivbench_data.exports.lmms_eval import export_lmms_eval, packaged_tasks

    if print_path:
        click.echo(packaged_tasks())
        return 0
    if out is None:
        raise UsageError("name the folder to write, or use --print-path")
    options, loaded = parse_harness_options(show, identity, profile, revealed), load(root / dataset)
    return run_harness_export(loaded, options, out, export_lmms_eval(loaded, out, options, root), root, as_json)


@command.command(
    "inspect",
    epilog="""\b
Examples:
  ivbench-data export inspect out
  ivbench-data export inspect out --as frames --grid 32x240""",
)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@harness_options
def export_inspect_command(
    out: Path,
    show: Literal["videos", "frames"],
    identity: str,
    profile: str,
    revealed: tuple[str, ...],
    dataset: str,
    root: Path,
    as_json: bool,
) -> int:
    """Export a task of inspect_ai to OUT: rows, media, a task file and a README.md with the commands.

    The installed package also has the task ivbench_data/ivbench, which reads the dataset under $IVBENCH_ROOT.
    """
    from ivbench_data.dataset import load
    from ivbench_data.exports.inspect_ai import export_inspect

    options, loaded = parse_harness_options(show, identity, profile, revealed), load(root / dataset)
    return run_harness_export(loaded, options, out, export_inspect(loaded, out, options, root), root, as_json)


@command.command(
    "vlmevalkit",
    epilog="""\b
Examples:
  ivbench-data export vlmevalkit out --as frames --grid 32x240
  python out/run_vlmevalkit.py --vlmevalkit path/to/VLMEvalKit --model Qwen2.5-VL-7B-Instruct""",
)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@harness_options
def export_vlmevalkit_command(
    out: Path,
    show: Literal["videos", "frames"],
    identity: str,
    profile: str,
    revealed: tuple[str, ...],
    dataset: str,
    root: Path,
    as_json: bool,
) -> int:
    """Export a VLMEvalKit launcher to OUT, with rows, media and a README.md with the commands.

    VLMEvalKit has no plug-in hook for datasets: run_vlmevalkit.py registers this one, then runs VLMEvalKit's run.py.
    """
    from ivbench_data.dataset import load
    from ivbench_data.exports.vlmevalkit import export_vlmevalkit

    options, loaded = parse_harness_options(show, identity, profile, revealed), load(root / dataset)
    return run_harness_export(loaded, options, out, export_vlmevalkit(loaded, out, options, root), root, as_json)
