"""`ivbench-data cache`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ivbench_data.cli.options import NumberRange, dataset_option, json_option, root_option, trust_times_option
from ivbench_data.errors import UsageError
from ivbench_data.schema import FrameGrid, Resize, Sampler

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.frames.cache import CacheOptions
    from ivbench_data.schema import CacheResult


@click.command(
    "cache",
    epilog="""\b
Examples:
  ivbench-data cache --nframes 32 --res 240
  ivbench-data cache --grid 8x720 --grid 32x240-m28
  ivbench-data cache --grids paper --plan
  ivbench-data cache --plan --token-budget 8192 --model qwen2.5-vl
  ivbench-data cache --nframes 64 --res 240 --shard 3/16""",
)
@click.option("--nframes", type=click.IntRange(1, 65_536), help="Frames a video; with --fps, the most there may be.")
@click.option("--res", type=click.IntRange(1, 8192), help="Short side in pixels.")
@click.option("--grid", "identities", multiple=True, metavar="NxRES…", help="A grid by name, such as 8x720-m28.")
@click.option("--grids", "sets", multiple=True, metavar="SET", help="A set: frames, resolution, budget or paper.")
@click.option("--multiple-of", type=click.IntRange(1, 1024), default=2, show_default=True, help="Sides' multiple.")
@click.option("--sampler", type=click.Choice(get_args(Sampler)), default="linspace_round", show_default=True)
@click.option("--resize", type=click.Choice(get_args(Resize)), default="bicubic", show_default=True)
@click.option("--deint", is_flag=True, help="Rebuild interlaced frames from their first field.")
@click.option("--tm", is_flag=True, help="Map the tones of HDR videos to SDR.")
@click.option("--fps", type=NumberRange(0, 1000, min_open=True), help="Frames a second, --nframes at most.")
@click.option("--span", type=(float, float), metavar="START END", help="Only frames shown between these seconds.")
@click.option("--workers", type=click.IntRange(0), help="Worker processes.  [default: the cores there are]")
@click.option("--timeout", type=NumberRange(0, min_open=True), default=3600.0, show_default=True, metavar="SECONDS")
@click.option("--shard", metavar="I/N", help="Take part I of N, counted from 1: for job arrays.")
@trust_times_option
@click.option("--plan", is_flag=True, help="Estimate the cost, and build nothing.")
@click.option("--token-budget", type=click.IntRange(1), help="With --plan: list the grids of that many visual tokens.")
@click.option("--model", help="With --token-budget: qwen2.5-vl, qwen3-vl or internvl2.5.")
@click.option("--aspect", default="16:9", show_default=True, help="With --token-budget: the videos' aspect.")
@dataset_option
@root_option
@json_option
def command(
    nframes: int | None,
    res: int | None,
    identities: tuple[str, ...],
    sets: tuple[str, ...],
    multiple_of: int,
    sampler: Sampler,
    resize: Resize,
    deint: bool,
    tm: bool,
    fps: float | None,
    span: tuple[float, float] | None,
    workers: int | None,
    timeout: float,
    shard: str | None,
    trust_times: bool,
    plan: bool,
    token_budget: int | None,
    model: str | None,
    aspect: str,
    dataset: str,
    root: Path,
    as_json: bool,
) -> int:
    """Extract frames once, for every model: exact frames of every video present, in one decoding pass for all grids.

    Without a grid, 32 frames at 240 pixels. Existing files are not built again. Exit code 1 when a video failed, or
    when no video has a file.
    """
    if token_budget is not None or model is not None:
        return _list_grids_of_budget(token_budget, model, aspect, plan, as_json)
    from ivbench_data.cli.console import say_without_videos
    from ivbench_data.dataset import load
    from ivbench_data.frames.cache import CacheOptions

    variant = {
        "multiple_of": multiple_of,
        "sampler": sampler,
        "resize": resize,
        "deinterlace": deint,
        "tone_map": tm,
        "fps": fps,
        "span": span,
    }
    grids = _collect_grids(nframes, res, identities, sets, variant)
    options = CacheOptions(workers=workers, timeout_seconds=timeout, shard=_parse_shard(shard), trust_times=trust_times)
    loaded = load(root / dataset)
    if say_without_videos(loaded, "cache", as_json) and not as_json:
        return 0
    if plan:
        return _show_plan(loaded, root, grids, options, as_json)
    return _build(loaded, root, grids, options, as_json)


def _collect_grids(
    nframes: int | None, res: int | None, identities: tuple[str, ...], sets: tuple[str, ...], variant: dict[str, Any]
) -> list[FrameGrid]:
    from pydantic import ValidationError

    from ivbench_data.frames.grids import GRID_SETS
    from ivbench_data.strict_json import explain

    names = list(identities)
    for name in sets:
        if name not in GRID_SETS:
            raise UsageError(f"there is no set of grids named {name!r}; there are: {', '.join(GRID_SETS)}")
        names += GRID_SETS[name]
    try:
        # the variant applies to every grid that does not say otherwise itself
        grids = [FrameGrid.parse(name) for name in names]
        changed = {key: value for key, value in variant.items() if value != FrameGrid.model_fields[key].default}
        grids = [
            grid.model_validate({**changed, **grid.model_dump(exclude_defaults=True)}) if changed else grid
            for grid in grids
        ]
        if nframes or res or not grids:
            grids.append(FrameGrid.model_validate({"nframes": nframes or 32, "res": res or 240, **changed}))
    except ValidationError as error:
        raise UsageError(explain(error)) from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    return list(dict.fromkeys(grids))


def _parse_shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    part, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= parts:
        raise UsageError(f"--shard {text!r} is not I/N with I from 1 to N, such as 3/16")
    return part, parts


def _build(dataset: Dataset, root: Path, grids: list[FrameGrid], options: CacheOptions, as_json: bool) -> int:
    import time

    from ivbench_data.cli.console import print_json, say, say_strays, track
    from ivbench_data.frames.cache import cache_frames
    from ivbench_data.video.stray_files import find_stray_files
    from ivbench_data.workspace import Workspace

    started = time.monotonic()
    total = sum(options.takes(position) for position in range(len(dataset.videos))) * len(grids)
    rows: list[CacheResult] = []
    describe_rates = _rates_describer(started)
    for row in track(cache_frames(dataset, root, grids, options), "Caching", total, as_json, describe_rates):
        rows.append(row)
        if row.status == "failed" and not as_json:
            say(f"failed: {row.video_id} {row.grid}: {row.reason}", style="red")
        elif row.status == "done" and row.reason and not as_json:
            say(f"odd: {row.video_id} {row.grid}: {row.reason}", style="yellow")
    seconds = time.monotonic() - started
    workspace = Workspace(root, dataset.name)
    strays = find_stray_files(dataset, workspace)
    if as_json:
        document = {"seconds": round(seconds, 3), "rows": [row.model_dump() for row in rows]}
        print_json({**document, "stray_files": [stray.model_dump() for stray in strays]})
    else:
        _show_result(dataset, root, rows, seconds)
        say_strays(strays, workspace)
    found_none = bool(rows) and all(row.status == "missing" for row in rows)
    return 1 if found_none or any(row.status == "failed" for row in rows) else 0


def _rates_describer(started: float) -> Callable[[CacheResult], str]:
    """Text behind the progress bar: videos and decoded frames a second so far, and failures."""
    import time

    decoded: dict[str, int] = {}
    failed: set[str] = set()

    def describe(row: CacheResult) -> str:
        if row.status == "done":
            decoded[row.video_id] = row.frames_decoded
        elif row.status == "failed":
            failed.add(row.video_id)
        seconds = max(time.monotonic() - started, 1e-9)
        rates = f"{len(decoded) / seconds:.2f} videos/s, {sum(decoded.values()) / seconds:,.0f} frames/s"
        return f"{rates}, {len(failed)} failed" if failed else rates

    return describe


def _show_result(dataset: Dataset, root: Path, rows: list[CacheResult], seconds: float) -> None:
    from ivbench_data.cli.console import format_bytes, print_table, say

    by_grid: dict[str, list[CacheResult]] = {}
    for row in rows:
        by_grid.setdefault(row.grid, []).append(row)
    table = []
    for grid, of_grid in by_grid.items():
        count = Counter(row.status for row in of_grid)
        size = format_bytes(sum(row.size_bytes for row in of_grid))
        upscaled = sum(row.upscaled for row in of_grid)
        table.append((grid, *(count[status] for status in ("done", "skipped", "missing", "failed")), upscaled, size))
    print_table(
        f"Frame caches of {dataset.name} in {root / dataset.name / 'cache'}",
        ("grid", "built", "there already", "video missing", "failed", "scaled up", "size"),
        table,
    )
    fed = {row.video_id: row.frames_decoded for row in rows if row.status == "done"}
    peak = max((row.peak_memory_bytes for row in rows), default=0)
    summary = f"{len(fed)} videos in {seconds:.1f} s"
    if fed:
        summary += f", {sum(fed.values()):,} frames decoded, at most {format_bytes(peak)} of memory a worker"
    say(summary + ".")
    missing = len({row.video_id for row in rows if row.status == "missing"})
    if missing:
        say(
            f"{missing:,} of {len({row.video_id for row in rows}):,} videos have no file here. "
            f"Get them with: ivbench-data fetch --dataset {dataset.name}",
            style="yellow",
        )


def _show_plan(dataset: Dataset, root: Path, grids: list[FrameGrid], options: CacheOptions, as_json: bool) -> int:
    from ivbench_data.cli.console import format_bytes, print_json, print_table, say
    from ivbench_data.frames.cache_plan import plan_cache

    plan = plan_cache(dataset, root, grids, options)
    if as_json:
        print_json(
            {
                "folder": str(plan.folder),
                "videos": plan.videos,
                "videos_missing": plan.videos_missing,
                "videos_measured": plan.videos_measured,
                "estimated_seconds": plan.estimated_seconds,
                "disk_free_bytes": plan.disk_free_bytes,
                "grids": [
                    {
                        "grid": each.grid.identity,
                        "videos_done": each.videos_done,
                        "videos_to_do": each.videos_to_do,
                        "bytes_to_write": each.bytes_to_write,
                        "visual_tokens": each.visual_tokens,
                    }
                    for each in plan.grids
                ],
            }
        )
        return 0
    models = list(plan.grids[0].visual_tokens)
    print_table(
        f"To build in {plan.folder}",
        ("grid", "there already", "to do", "size", *(f"tokens {model}" for model in models)),
        [
            (
                each.grid.identity,
                each.videos_done,
                each.videos_to_do,
                format_bytes(each.bytes_to_write),
                *(each.visual_tokens[model] for model in models),
            )
            for each in plan.grids
        ],
    )
    total = sum(each.bytes_to_write for each in plan.grids)
    say(
        f"{format_bytes(total)} to write, {format_bytes(plan.disk_free_bytes)} free; "
        f"{plan.videos_missing} of {plan.videos} videos have no file here."
    )
    if plan.estimated_seconds is not None:
        say(
            f"About {_format_duration(plan.estimated_seconds)}, going by one video decoded here, and sizes of "
            f"{plan.videos_measured} videos."
        )
    if total > plan.disk_free_bytes:
        say("That is more than the disk has free.", style="red")
    return 0


def _format_duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _list_grids_of_budget(token_budget: int | None, model: str | None, aspect: str, plan: bool, as_json: bool) -> int:
    from ivbench_data.cli.console import print_json, print_table, say
    from ivbench_data.frames.grids import count_visual_tokens, find_grids_of_budget

    if token_budget is None or model is None or not plan:
        raise UsageError("--token-budget and --model go together, with --plan")
    match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", aspect)
    width, height = map(int, match.groups()) if match else (0, 0)
    if not width or not height:
        raise UsageError(f"--aspect {aspect!r} is not WIDTH:HEIGHT, such as 16:9")
    ratio = Fraction(width, height)
    # a source large enough that rounding its own size plays no part
    source = (width * 1000, height * 1000)
    rows = [
        (grid.identity, *grid.size_of(*source), count_visual_tokens(model, grid, *source))
        for grid in find_grids_of_budget(model, token_budget, ratio)
    ]
    if as_json:
        print_json([dict(zip(("grid", "width", "height", "visual_tokens"), row, strict=True)) for row in rows])
        return 0
    print_table(
        f"Grids of about {token_budget:,} visual tokens for {model}, {aspect}",
        ("grid", "width", "height", "visual tokens"),
        rows,
    )
    say(f"Build some of them with: ivbench-data cache --grid {rows[0][0]} --grid {rows[-1][0]}")
    return 0
