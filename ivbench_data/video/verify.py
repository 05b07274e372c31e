"""Check that video files are whole and show what they should, at three depths; each includes the one before.

| depth   | looks at                                                       | finds                                     |
|---------|----------------------------------------------------------------|-------------------------------------------|
| quick   | size, boxes, every packet; decodes nothing, some milliseconds  | cut and empty files, web pages, no video, |
|         |                                                                | missing fragments, holes of zeros         |
| default | 16 decoded frames, or those of the fingerprint if there is one | larger damage; other, trimmed or partly   |
|         |                                                                | replaced content; changes of known bytes  |
| deep    | every frame, by an ffmpeg that stops at the first error        | flipped bits, as far as the codec shows   |
|         |                                                                | them; and, digest kept, all from then on  |

Each result has a level (`levels`): quick, which decodes nothing, never calls a file sound.

H.264 and VP9 carry no checksums: a flipped bit may decode to a valid, other picture. So what a whole decode has once
passed is known by its digest from then on, and that finds every change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from pydantic import AwareDatetime, NonNegativeInt, PositiveFloat

from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.errors import MissingDependencyError, UnreadableVideoError, UsageError, VideoError
from ivbench_data.ledger import LedgerWriter, read_ledger
from ivbench_data.schema import Level, NonEmpty, Record, SafeName, Sha256, VerifyResult
from ivbench_data.video.content_match import Comparison, compare_content
from ivbench_data.video.decode import (
    DEFAULT_LIMITS,
    DecodeLimits,
    ExtractionReport,
    FrameRequest,
    PacketWalk,
    check_every_frame,
    iterate_frames,
    scan_video,
    walk_packets,
)
from ivbench_data.video.fingerprint import FILE_NAME as FINGERPRINTS
from ivbench_data.video.fingerprint import Fingerprint, read_fingerprints
from ivbench_data.video.levels import find_level, find_level_of_error, join_oddities
from ivbench_data.video.mp4_boxes import Container, examine_structure
from ivbench_data.video.whole_decode import DEFAULT_TIMEOUT_SECONDS, decode_whole_file, describe_ffmpeg, find_ffmpeg
from ivbench_data.workers import available_cores, run_in_workers
from ivbench_data.workspace import Workspace, default_root

Depth = Literal["quick", "default", "deep"]

CHECKED_FRAMES: Final = 16
"""Frames that the default depth decodes, from the first to the last, evenly."""
LEDGER_KIND: Final = "verify"

DURATION_TOLERANCE_SECONDS: Final = 2.0
"""Sources round their durations to seconds, and count the audio, which may be longer than the video."""


@dataclass(frozen=True)
class FileFacts:
    """Properties of a file that passed the quick check."""

    container: Container
    codec: str
    width: int
    """Pixels as coded, before rotation."""
    height: int
    """Pixels as coded, before rotation."""
    frames: int
    """Counted by their packets; as many as a full decode shows, but for the hidden frames of VP8."""
    duration_seconds: float
    """From the first frame's start to the last one's end."""
    size_bytes: int
    oddities: tuple[str, ...] = ()
    """What is odd about it, a sentence each that begins with a name and a colon."""


def check_file_quick(
    path: Path, expected_seconds: float | None = None, limits: DecodeLimits = DEFAULT_LIMITS
) -> FileFacts:
    """Properties of a file whose size, boxes, packets, timestamps and duration are sound.

    Decodes nothing: a few milliseconds. Call it on a download before renaming that into place.

    Args:
        path: the file; its name's ending does not matter.
        expected_seconds: the duration that the source names, when known. A file may be longer, not shorter.
        limits: how large and long a video may be.

    Raises:
        UnreadableVideoError: the file is damaged or no video; the message says what is wrong, and where.
        VideoLimitError: it is larger or longer than the limits allow.
    """
    structure = examine_structure(path)
    walk = walk_packets(path, limits)
    for reason in (walk.lost, _find_shortfall(walk, expected_seconds)):
        if reason is not None:
            raise UnreadableVideoError(f"{path.name}: {reason}")
    return FileFacts(
        container=structure.container,
        codec=walk.codec,
        width=walk.width,
        height=walk.height,
        frames=len(walk.clock.pts),
        duration_seconds=walk.clock.duration_seconds,
        size_bytes=path.stat().st_size,
        oddities=(*structure.oddities, *walk.oddities),
    )


def _find_shortfall(walk: PacketWalk, expected_seconds: float | None) -> str | None:
    if expected_seconds is None or walk.clock.duration_seconds >= expected_seconds - DURATION_TOLERANCE_SECONDS:
        return None
    return f"shows {walk.clock.duration_seconds:.1f} s where the source says {expected_seconds:.1f} s"


def check_frames(path: Path, limits: DecodeLimits = DEFAULT_LIMITS) -> tuple[str, ...]:
    """What is odd about a file of which 16 frames, from the first to the last, can be decoded, none of them damaged.

    Raises:
        UnreadableVideoError: one of them cannot, or is.
        VideoLimitError: the file is larger or longer than the limits allow.
    """
    scan = scan_video(path, limits)
    indices = tuple(dict.fromkeys(round(at) for at in np.linspace(0, scan.frames - 1, CHECKED_FRAMES)))
    report = ExtractionReport()
    for _ in iterate_frames(scan, [FrameRequest(indices, 64, 64, "bilinear")], report, limits):
        pass
    return (*scan.oddities, *report.describe())


# --- one video of a dataset -------------------------------------------------------------------------------------


class WholeDecode(Record):
    """A row of the ledger: a file that was decoded from end to end without an error."""

    video_id: SafeName
    """The video."""
    file_name: NonEmpty
    """The file, relative to the dataset's folder."""
    size_bytes: NonNegativeInt
    """Its size."""
    sha256: Sha256
    """Digest of its bytes."""
    when: AwareDatetime
    """When it was decoded."""
    decoder: str | None = None
    """Version of the ffmpeg that decoded it."""


@dataclass(frozen=True)
class VerifyTask:
    """The work on one video; picklable, so that any engine can run `verify_video` on it."""

    workspace: Workspace
    video_id: str
    depth: Depth = "default"
    expected_seconds: float | None = None
    """Length that the source names."""
    fingerprint: Fingerprint | None = None
    """Expected content."""
    known: WholeDecode | None = None
    """Its last whole decode."""
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS


def verify_video(task: VerifyTask) -> VerifyResult:
    """Check result of one video's file.

    Raises:
        MissingDependencyError: the depth is `deep`, and there is no ffmpeg.
    """
    path = task.workspace.find_video(task.video_id)
    if path is None:
        reason = f"there is no video file in {task.workspace.videos}"
        return VerifyResult(video_id=task.video_id, status="missing", depth=task.depth, reason=reason)
    facts: FileFacts | None = None
    sha256: str | None = None
    content: Comparison | None = None
    fault: str | None = None
    level: Level = "not examined"
    oddities: tuple[str, ...] = ()
    try:
        facts = check_file_quick(path, task.expected_seconds)
        oddities = facts.oddities
        if task.depth != "quick":
            sha256 = _digest_if_needed(path, task)
            is_known = _is_known(path, facts, sha256, task.known)
            if task.fingerprint is not None and task.fingerprint.sha256 != sha256:
                content = compare_content(path, task.fingerprint)
            elif task.fingerprint is None and not is_known:
                oddities = check_frames(path)
            if task.depth == "deep" and not is_known:
                oddities = (*oddities, *_check_every_frame(path, task.timeout_seconds))
            level = find_level(oddities)
        if content is not None and content.result != "same":
            fault = content.reason
    except VideoError as error:
        fault, level = str(error), find_level_of_error(error)
    is_same = content is None and task.fingerprint is not None and sha256 == task.fingerprint.sha256
    return VerifyResult(
        video_id=task.video_id,
        status="ok" if fault is None else "failed",
        depth=task.depth,
        reason=fault or join_oddities(oddities),
        level=level,
        file_name=path.relative_to(task.workspace.folder).as_posix(),
        frames=facts.frames if facts else None,
        duration_seconds=facts.duration_seconds if facts else None,
        content="same" if is_same and fault is None else content.result if content else None,
        sha256=sha256,
    )


def _check_every_frame(path: Path, timeout_seconds: float) -> tuple[str, ...]:
    """What is odd about a file whose every frame decodes, by ffmpeg; or, where that complains, by our own decoder.

    ffmpeg also stops at sound, and at pictures at the beginning that nobody ever sees.

    Raises:
        UnreadableVideoError: a frame that would be shown cannot be decoded.
    """
    try:
        decode_whole_file(path, timeout_seconds)
    except UnreadableVideoError as error:
        try:
            check_every_frame(path)
        except UnreadableVideoError:
            raise error from None
        return (f"ffmpeg complains: every frame decodes, and yet it says: {str(error).rpartition(': ')[2]}",)
    return ()


def _digest_if_needed(path: Path, task: VerifyTask) -> str | None:
    has_reference = task.known is not None or (task.fingerprint is not None and task.fingerprint.sha256 is not None)
    return digest_file(path) if task.depth == "deep" or has_reference else None


def _is_known(path: Path, facts: FileFacts, sha256: str | None, known: WholeDecode | None) -> bool:
    """Whether these very bytes were decoded whole before.

    A file of another size is another file, and is checked like one; bytes that changed under the same size are damage.
    """
    if known is None or facts.size_bytes != known.size_bytes:
        return False
    if sha256 == known.sha256:
        return True
    raise UnreadableVideoError(
        f"{path.name}: its bytes have changed since it was decoded whole on {known.when:%Y-%m-%d}. Fetch it again; if "
        "it was replaced on purpose: ivbench-data verify --deep --recheck"
    )


# --- all of them ------------------------------------------------------------------------------------------------


class VerifyOptions(Record):
    """How to verify; the depth is a separate argument.

    Example:
        >>> iv.VerifyOptions(workers=0, recheck=True)
        VerifyOptions(workers=0, timeout_seconds=3600.0, recheck=True)
    """

    workers: NonNegativeInt | None = None
    """Worker processes; None for as many as the cores this process may use (one at `deep`, where ffmpeg uses them
    all, and none at `quick`), 0 for none."""
    timeout_seconds: PositiveFloat = DEFAULT_TIMEOUT_SECONDS
    """Time that one video may take; then it has failed."""
    recheck: bool = False
    """Whether to ignore the digests of earlier whole decodes."""


DEFAULT_OPTIONS = VerifyOptions()


def verify_videos(
    dataset: Dataset,
    root: Path | str | None = None,
    depth: Depth = "default",
    options: VerifyOptions = DEFAULT_OPTIONS,
    fingerprints: Mapping[str, Fingerprint] | None = None,
) -> Iterator[VerifyResult]:
    """Check results, one for each video of the dataset; absent files have the status `missing`.

    Args:
        dataset: whose videos.
        root: the folder that holds the datasets; `$IVBENCH_ROOT` or `./data` by default.
        depth: how far to go; see the module's table.
        options: workers, time, whether to trust earlier digests.
        fingerprints: what each video should show; the dataset's own `fingerprints.jsonl` by default.

    Raises:
        UsageError: there is no such depth.
        MissingDependencyError: the depth is `deep`, and there is no ffmpeg.
        StorageError: the ledger cannot be written.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> rows = iv.verify_videos(dataset, options=iv.VerifyOptions(workers=0))
        >>> sorted((row.video_id, row.status) for row in rows)
        [('-beta', 'ok'), ('alpha', 'ok')]
    """
    if depth not in get_args(Depth):
        raise UsageError(f"there is no depth {depth!r}; there are: {', '.join(get_args(Depth))}")
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    ffmpeg = find_ffmpeg() if depth == "deep" else None
    if depth == "deep" and ffmpeg is None:
        raise MissingDependencyError("imageio-ffmpeg", "fetch")
    if fingerprints is None:
        fingerprints = read_fingerprints(workspace.folder / FINGERPRINTS)[0] if depth != "quick" else {}
    known = {} if options.recheck or depth == "quick" else _read_known(workspace)
    tasks = [
        VerifyTask(
            workspace,
            video.video_id,
            depth,
            video.duration_seconds,
            fingerprints.get(video.video_id),
            known.get(video.video_id),
            options.timeout_seconds,
        )
        for video in dataset.videos
    ]
    decoder = describe_ffmpeg(ffmpeg) if ffmpeg else None
    ledger = LedgerWriter(workspace, LEDGER_KIND)
    for row in _run(tasks, depth, options):
        known_row = known.get(row.video_id)
        if depth == "deep" and row.sha256 and row.status == "ok" and (not known_row or known_row.sha256 != row.sha256):
            ledger.append(_make_ledger_row(workspace, row, decoder))
        yield row


def _run(tasks: list[VerifyTask], depth: Depth, options: VerifyOptions) -> Iterator[VerifyResult]:
    by_depth = {"quick": 0, "default": min(available_cores(), len(tasks)), "deep": 1}
    workers = by_depth[depth] if options.workers is None else options.workers
    if workers == 0:
        yield from map(verify_video, tasks)
        return
    # a worker's own deadline comes a little later, so that ffmpeg is ended by the one who started it
    for outcome in run_in_workers(verify_video, tasks, workers, options.timeout_seconds + 10):
        if outcome.result is not None:
            yield outcome.result
        else:
            yield VerifyResult(video_id=outcome.task.video_id, status="failed", depth=depth, reason=outcome.failure)


def _read_known(workspace: Workspace) -> dict[str, WholeDecode]:
    rows = sorted(read_ledger(workspace, LEDGER_KIND, WholeDecode)[0], key=lambda row: row.when)
    return {row.video_id: row for row in rows}


def _make_ledger_row(workspace: Workspace, row: VerifyResult, decoder: str | None) -> WholeDecode:
    assert row.file_name is not None
    assert row.sha256 is not None
    return WholeDecode(
        video_id=row.video_id,
        file_name=row.file_name,
        size_bytes=(workspace.folder / row.file_name).stat().st_size,
        sha256=row.sha256,
        when=datetime.now(UTC),
        decoder=decoder,
    )
