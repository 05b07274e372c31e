"""`ivbench-data fetch`."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from ivbench_data.cli.options import NumberRange, dataset_option, json_option, root_option

if TYPE_CHECKING:
    from ivbench_data.dataset import Dataset
    from ivbench_data.fetch.fetch_options import FetchOptions
    from ivbench_data.fetch.redaction import Redactor
    from ivbench_data.fetch.release_download import AnnotationsResult, ImageResult
    from ivbench_data.fetch.summary import FetchReport
    from ivbench_data.schema import FetchResult

PARTS = ("annotations", "images", "videos")
OLD_AFTER_DAYS = 60
"""Sites change, and a yt-dlp of two months ago often fails at them."""
SHOWN_ROWS = 30


def _read_size(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Bytes of `2M`, `500k`, `1.5G`, or a plain number."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", value.strip(), re.IGNORECASE)
    size = int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " ")) if match else 0
    if size < 1:
        raise click.BadParameter(f"{value!r} is not a size; write 500k, 2M or 4G", ctx, parameter)
    return size


@click.command(
    "fetch",
    epilog="""\b
Examples:
  ivbench-data fetch                                      all of IV-Bench: annotations, images, videos
  ivbench-data fetch --only videos --limit 20             try it with twenty videos
  ivbench-data fetch --retry failed --cookies FILE        what failed before, with a browser's cookies
  ivbench-data fetch --source /mnt/videos --source origin link what a folder has, fetch the rest
  ivbench-data fetch --source 'https://mirror.example/{video_id}.mp4'""",
)
@dataset_option
@root_option
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="Only this part; may be given several times.")
@click.option("--ids", multiple=True, metavar="FILE|ID", help="Only these videos: an id, or a file with one a line.")
@click.option("--limit", type=click.IntRange(1), help="Ask for at most so many videos; those on disk do not count.")
@click.option(
    "--retry",
    type=click.Choice(("missing", "failed", "all")),
    default="missing",
    show_default=True,
    help="Which videos that are not on disk: all but permanently lost ones, those that failed before, or every one.",
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="Where from, in order of preference: origin, a folder (of images, too), hf://ORG/REPO[@REVISION], or an "
    "address with {video_id} in it.  [default: origin]",
)
@click.option("--max-height", type=click.IntRange(1), default=720, show_default=True, help="Tallest format, in pixels.")
@click.option("--with-audio", is_flag=True, help="Also the sound; needs ffmpeg.")
@click.option("--with-subtitles", is_flag=True, help="Also caption tracks.")
@click.option(
    "--cookies",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Cookie file of a browser (Netscape form). The account may be banned for it.",
)
@click.option("--proxy", metavar="URL", help="Proxy to go through.")
@click.option("--rate-limit", metavar="SIZE", callback=_read_size, help="Bytes a second at most, such as 2M.")
@click.option("--sleep", type=NumberRange(0), default=5.0, show_default=True, help="Seconds between two videos.")
@click.option("--max-bytes", metavar="SIZE", callback=_read_size, help="Bytes of one video at most.  [default: 4G]")
@click.option("--max-seconds", type=NumberRange(1), help="Seconds for one video at most.  [default: 3600]")
@click.option("--strict", is_flag=True, help="Exit with 1 also for videos lost at their source.")
@json_option
def command(
    dataset: str,
    root: Path,
    only: tuple[str, ...],
    ids: tuple[str, ...],
    limit: int | None,
    strict: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Download annotations and images from the Hub, and videos from their source.

    Files on disk are not downloaded again. A failed video has a status and a reason; run the same command again to
    retry transient failures. Permanently lost videos are tried again only with --retry all.
    """
    from ivbench_data.cli.console import print_json, say
    from ivbench_data.dataset import load
    from ivbench_data.fetch.summary import report_fetch
    from ivbench_data.fetch.video_sources import list_folders, make_redactor
    from ivbench_data.workspace import Workspace

    parts = only or PARTS
    options = _make_options(**settings)
    redact = make_redactor(options)
    with _terminated_like_interrupted():
        annotations = _fetch_annotations(dataset, root, redact) if "annotations" in parts else None
        loaded = load(Workspace(root, dataset).folder)
        folders = list_folders(options.sources)
        images, hub_error = _fetch_images(loaded, root, redact, folders) if "images" in parts else ([], None)
        videos = list(_fetch_videos(loaded, root, options, _read_ids(ids), limit)) if "videos" in parts else []
    report = report_fetch(loaded, root)
    if as_json:
        print_json(
            {
                "dataset": loaded.name,
                "folder": str(Workspace(root, dataset).folder),
                "annotations": _describe_annotations(annotations),
                "hub_error": hub_error,
                "images_not_fetched": [row.model_dump(mode="json") for row in images if row.status != "ok"],
                "videos_asked": [row.model_dump(mode="json", exclude_defaults=True) for row in videos],
                "report": report.model_dump(mode="json"),
            }
        )
    else:
        _show(loaded, report, images, videos)
        say("The denominator stays all questions, whatever could be fetched.")
    return 3 if hub_error else _choose_exit_code(images, videos, strict)


def _make_options(
    sources: tuple[str, ...],
    proxy: str | None,
    sleep: float,
    max_bytes: int | None,
    max_seconds: float | None,
    **settings: Any,
) -> FetchOptions:
    from pydantic import SecretStr

    from ivbench_data.fetch.download_limits import FetchLimits
    from ivbench_data.fetch.fetch_options import FetchOptions

    caps = {"max_bytes": max_bytes, "max_seconds": max_seconds}
    return FetchOptions(
        sources=sources or ("origin",),
        proxy=SecretStr(proxy) if proxy else None,
        sleep_seconds=sleep,
        limits=FetchLimits.model_validate({key: value for key, value in caps.items() if value is not None}),
        **settings,
    )


def _read_ids(values: tuple[str, ...]) -> list[str] | None:
    from ivbench_data.errors import UsageError

    if not values:
        return None
    ids: list[str] = []
    for value in values:
        path = Path(value)
        if not path.is_file():
            ids.append(value)
            continue
        try:
            ids.extend(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read ids from {path}: {error}") from None
    return ids


def _fetch_annotations(name: str, root: Path, redact: Redactor) -> AnnotationsResult | None:
    from ivbench_data.cli.console import say
    from ivbench_data.fetch.release_download import fetch_annotations
    from ivbench_data.manifests import load_manifest, manifest_names
    from ivbench_data.workspace import Workspace

    has_repository = name in manifest_names() and load_manifest(name).hub is not None
    if not has_repository and (Workspace(root, name).folder / "dataset.json").is_file():
        return None  # imported from a local release, and nowhere to be fetched from
    if not has_repository:
        return None
    result = fetch_annotations(name, root, redact)
    if not result.was_here:
        say(f"Fetched the annotations into {result.file.parent}.")
    if result.matches_manifest is False:
        say(
            f"{result.file} is not the release that the manifest was written for (sha256 {result.sha256}): counts may "
            "differ.",
            style="yellow",
        )
    return result


def _fetch_images(
    dataset: Dataset, root: Path, redact: Redactor, folders: list[Path]
) -> tuple[list[ImageResult], str | None]:
    """Outcomes, and why the Hub could not be asked, if so: videos have other sources, and are still tried."""
    from ivbench_data.cli.console import say, track
    from ivbench_data.errors import EnvironmentProblemError, StorageError
    from ivbench_data.fetch.release_download import fetch_images

    rows = []
    try:
        found = fetch_images(dataset, root, redact, notify=say, folders=folders)
        for row in track(found, "images", len(dataset.images)):
            rows.append(row)
    except StorageError:
        raise
    except EnvironmentProblemError as error:
        say(f"No images: {error}", style="red")
        return rows, str(error)
    return rows, None


def _fetch_videos(
    dataset: Dataset, root: Path, options: FetchOptions, ids: list[str] | None, limit: int | None
) -> Iterator[FetchResult]:
    from ivbench_data.cli.console import say, say_without_videos, track
    from ivbench_data.fetch.downloads import fetch_videos
    from ivbench_data.fetch.video_sources import uses_yt_dlp

    if ids is None and say_without_videos(dataset, "fetch from video sites"):
        return
    rows = fetch_videos(dataset, root, options, video_ids=ids, limit=limit)
    if uses_yt_dlp(dataset, options):
        _warn_of_old_yt_dlp()
    total = len(dataset.videos) if ids is None else len(set(ids))
    for row in track(rows, "videos", total if limit is None else min(limit, total)):
        if row.status != "ok" and row.attempts:
            say(f"{row.video_id}: {row.status}: {row.reason}", style="yellow")
        elif row.reason and row.attempts:
            say(f"{row.video_id}: odd: {row.reason}", style="yellow")
        yield row


def _warn_of_old_yt_dlp() -> None:
    from ivbench_data.cli.console import say
    from ivbench_data.fetch.video_sources import find_yt_dlp_version

    version = find_yt_dlp_version()
    match = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", version)
    age_days = (date.today() - date(*map(int, match.groups()))).days if match else 0
    if age_days > OLD_AFTER_DAYS:
        say(
            f"yt-dlp {version} is {age_days} days old; sites change, so update it when videos fail: "
            "pip install --upgrade 'yt-dlp[default]'",
            style="yellow",
        )


def _show(dataset: Dataset, report: FetchReport, images: list[ImageResult], videos: list[FetchResult]) -> None:
    from ivbench_data.cli.console import print_table, say

    if lost := [row for row in images if row.status != "ok"]:
        print_table(
            f"Images not fetched: {len(lost)}",
            ("image", "status", "why"),
            [(row.image_id, row.status, row.reason or "") for row in lost[:SHOWN_ROWS]],
        )
        if len(lost) > SHOWN_ROWS:
            say(f"and {len(lost) - SHOWN_ROWS} more; --json lists all.")
    if dataset.videos:
        print_table("Videos", ("status", "videos"), list(report.statuses.items()), ("all", f"{report.videos:,}"))
    print_table(
        f"Questions of {dataset.name} that can be asked",
        ("task", "answerable", "questions"),
        [(row.task, row.answerable, row.questions) for row in report.tasks],
        ("all", f"{report.answerable:,}", f"{report.questions:,}"),
    )
    if dataset.images:
        say(f"Images: {report.images_here:,} of {report.images:,} are on disk.")
    else:
        say(f"No question of {dataset.name} has an image.")


def _describe_annotations(result: AnnotationsResult | None) -> dict[str, object] | None:
    if result is None:
        return None
    return {
        "file": str(result.file),
        "sha256": result.sha256,
        "was_here": result.was_here,
        "revision": result.revision,
        "matches_manifest": result.matches_manifest,
    }


def _choose_exit_code(images: list[ImageResult], videos: list[FetchResult], strict: bool) -> int:
    from ivbench_data.fetch.statuses import LOST

    failed = [row for row in videos if row.status != "ok" and (strict or row.status not in LOST)]
    refused = [row for row in images if row.status == "failed" or (strict and row.status == "missing")]
    return 1 if failed or refused else 0


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM, as batch systems send it, does what Ctrl-C does: finished files stay, the others can be resumed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread, which alone may set handlers: the caller decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
