"""`ivbench-data export`: one subcommand a target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ivbench_data.cli.options import dataset_option, json_option, root_option
from ivbench_data.errors import UsageError

if TYPE_CHECKING:
    from ivbench_data.exports.frames import FrameFormat


@click.group(
    "export",
    epilog="""\b
Example:
  ivbench-data export frames out --grid 32x240""",
)
def command() -> None:
    """Write what people and other programs read."""


@command.command(
    "frames",
    epilog="""\b
Examples:
  ivbench-data export frames out --grid 32x240
  ivbench-data export frames out --grid 32x240 --format mp4""",
)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--grid", "identity", default="32x240", show_default=True, help="Which cache.")
@click.option("--format", "frame_format", type=click.Choice(["png", "jpeg", "mp4"]), default="png", show_default=True)
@click.option("--quality", type=click.IntRange(1, 100), default=92, show_default=True, help="Of JPEG.")
@dataset_option
@root_option
@json_option
def export_frames_command(
    out: Path, identity: str, frame_format: FrameFormat, quality: int, dataset: str, root: Path, as_json: bool
) -> int:
    """Cached frames as pictures or a film, in OUT: a folder a video, a picture a frame, named by its index."""
    from ivbench_data.cli.console import print_json, say, say_without_videos, track
    from ivbench_data.dataset import load
    from ivbench_data.exports.frames import export_frames
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
