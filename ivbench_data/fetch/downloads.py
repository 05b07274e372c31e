"""Download videos from each source in turn; retries transient failures and no others.

A video appears in `videos/` whole and checked, or not at all; then its row is written to the ledger. A kill between
the two leaves a file without a row, which the next run finds and records.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from ivbench_data.atomic_files import claim_scratch_folder, delete, digest_file, move_into_place
from ivbench_data.dataset import Dataset
from ivbench_data.errors import StorageError, UsageError
from ivbench_data.fetch.archives import normalise_name
from ivbench_data.fetch.arrival_check import choose_suffix, examine_arrival, find_mismatch
from ivbench_data.fetch.fetch_ledger import (
    LEDGER_KIND,
    UNAVAILABLE_APART,
    VideoHistory,
    choose_decisive,
    read_histories,
)
from ivbench_data.fetch.fetch_options import FetchOptions
from ivbench_data.fetch.outcomes import AttemptFailedError, Download
from ivbench_data.fetch.source_metadata import record_source_metadata
from ivbench_data.fetch.statuses import Meaning, explain_message
from ivbench_data.fetch.video_sources import Source, open_sources
from ivbench_data.ledger import LedgerWriter
from ivbench_data.schema import FetchResult, FetchStatus, Video, check_safe_name
from ivbench_data.video.fingerprint import FILE_NAME as FINGERPRINTS
from ivbench_data.video.fingerprint import Fingerprint, read_fingerprints
from ivbench_data.withdrawals import Withdrawal, find_withdrawal
from ivbench_data.workspace import Workspace, default_root, list_folder, split_video_name

SCRATCH_FOLDER = ".fetching"
"""Unfinished downloads, beside `videos/`: a folder for each video and source, resumed after a kill."""

MAX_ATTEMPTS = 50
"""Most attempts at a download that gets further each time; the next run resumes it."""


@dataclass(frozen=True)
class FetchClock:
    """Time, sleep and randomness; tests pass their own.

    Example:
        >>> iv.FetchClock().now().year >= 2026
        True
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = field(default_factory=lambda: time.sleep)
    chance: Callable[[], float] = random.random
    """A number from 0 to 1."""


def fetch_videos(
    dataset: Dataset,
    root: Path | str | None = None,
    options: FetchOptions | None = None,
    video_ids: Iterable[str] | None = None,
    limit: int | None = None,
    extractors: Sequence[type] | None = None,
    clock: FetchClock | None = None,
) -> Iterator[FetchResult]:
    """Outcomes, one for each video: on disk already, downloaded now, or why not.

    Args:
        dataset: whose videos.
        root: the folder that holds the datasets.
        options: sources, pauses, limits.
        video_ids: only these; by default all.
        limit: how many videos to ask for at most; those on disk do not count.
        extractors: yt-dlp extractor classes to use instead of all of yt-dlp's.
        clock: time, sleep and randomness.

    The rows end early when every source must be left alone for a while (a rate limit, a bot check, no network): the
    last row then says so, and the videos after it were not asked for.

    Raises:
        UsageError: an id or a source is unknown.
        MissingDependencyError: yt-dlp is needed and not installed.
        StorageError: the disk is full, or not ours to write.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> [(row.video_id, row.status) for row in iv.fetch_videos(dataset)]
        [('alpha', 'ok'), ('-beta', 'ok')]
    """
    options = options or FetchOptions()
    videos = _select_videos(dataset, video_ids)
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    sources = open_sources(dataset, workspace, options, extractors)
    fingerprints, _ = read_fingerprints(workspace.folder / FINGERPRINTS)
    return _Run(workspace, options, sources, clock or FetchClock(), fingerprints).fetch(videos, limit)


def _select_videos(dataset: Dataset, video_ids: Iterable[str] | None) -> list[Video]:
    if video_ids is None:
        return list(dataset.videos)
    wanted = dict.fromkeys(video_ids)
    known = {video.video_id for video in dataset.videos}
    for withdrawal in dataset.withdrawals:
        if withdrawal.video_id in wanted and withdrawal.video_id not in known:
            raise UsageError(f"{dataset.name} holds a video no longer that was withdrawn: {withdrawal}")
    if unknown := [video_id for video_id in wanted if video_id not in known]:
        raise UsageError(f"{dataset.name} has no video {unknown[0]!r}, and {len(unknown) - 1} more of the ids given")
    return [video for video in dataset.videos if video.video_id in wanted]


@dataclass
class _Run:
    """One run over the videos, and the state of its sources."""

    workspace: Workspace
    options: FetchOptions
    sources: list[Source]
    clock: FetchClock
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    """Content of trusted copies; a file with other content is refused."""
    closed: dict[str, str] = field(default_factory=dict)
    """Sources not to be asked for the rest of the run, and why."""
    network_failures: dict[str, int] = field(default_factory=dict)
    """Consecutive videos that failed due to network errors, by source."""
    asked_politely: bool = False

    def fetch(self, videos: list[Video], limit: int | None) -> Iterator[FetchResult]:
        histories = read_histories(self.workspace)
        ledger = LedgerWriter(self.workspace, LEDGER_KIND)
        asked = 0
        try:
            for video in videos:
                history = histories.setdefault(video.video_id, VideoHistory())
                if (here := self._find_here(video, history)) is not None:
                    if here.source == "local" and here != history.last:
                        ledger.append(here)
                        history.add(here)
                    yield here
                    continue
                if not self._is_wanted(history):
                    if history.last is not None:
                        yield history.last.model_copy(update={"attempts": 0})
                    continue
                if limit is not None and asked >= limit:
                    continue
                if (withdrawal := find_withdrawal(self.workspace.folder, video.video_id)) is not None:
                    yield self._describe_withdrawal(withdrawal)
                    continue
                asked += 1
                rows = []
                try:
                    for row in self._ask_sources(video, history):
                        ledger.append(row)
                        history.add(row)
                        rows.append(row)
                except (AttemptFailedError, OSError, StorageError):
                    # a takedown deletes unfinished downloads, too
                    if (withdrawal := find_withdrawal(self.workspace.folder, video.video_id)) is None:
                        raise
                    self._drop_parts(video)
                    yield self._describe_withdrawal(withdrawal)
                    continue
                yield rows[-1] if rows[-1].status == "ok" else choose_decisive(rows)
                if len(self.closed) == len(self.sources):
                    return
        finally:
            record_source_metadata(self.workspace, histories)
            with suppress(OSError):  # it holds what another run uses, or what a re-run resumes
                (self.workspace.folder / SCRATCH_FOLDER).rmdir()

    def _find_here(self, video: Video, history: VideoHistory) -> FetchResult | None:
        """The row of a video whose file is on disk and whole; a damaged file stays until its successor is here."""
        path = self.workspace.find_video(video.video_id)
        if path is None:
            return None
        last = history.last
        known = (last.status, last.file_name, last.size_bytes) if last is not None else None
        if last is not None and known == ("ok", path.name, path.stat().st_size):
            # checked when it was downloaded; `verify` checks whether its bytes have changed since
            return last.model_copy(update={"attempts": 0})
        arrival = examine_arrival(path)
        if arrival.fault is not None:
            return None
        return FetchResult(
            video_id=video.video_id,
            status="ok",
            reason=arrival.oddities,
            level=arrival.level,
            source="local",
            when=self.clock.now(),
            file_name=path.name,
            size_bytes=path.stat().st_size,
            sha256=digest_file(path),
        )

    def _describe_withdrawal(self, withdrawal: Withdrawal) -> FetchResult:
        """The row of a video that was withdrawn since the run began; it is in no dataset, so no ledger has it."""
        return FetchResult(
            video_id=withdrawal.video_id,
            status="removed",
            reason=f"withdrawn from the dataset: {withdrawal}",
            when=self.clock.now(),
        )

    def _is_wanted(self, history: VideoHistory) -> bool:
        if self.options.retry == "all":
            return True
        if self.options.retry == "failed" and history.last is None:
            return False
        return any(not history.is_lost(source.label) for source in self.sources)

    def _ask_sources(self, video: Video, history: VideoHistory) -> Iterator[FetchResult]:
        """A row for each source that is asked, until one has the video."""
        for source in self.sources:
            if source.label in self.closed:
                continue
            if self.options.retry != "all" and history.is_lost(source.label):
                continue
            if source.is_polite:
                self._pause_politely()
            row, meaning = self._ask(source, video, history)
            self._learn(source, row, meaning)
            if source.label in self.closed:
                row = row.model_copy(update={"reason": f"{row.reason}. {self.closed[source.label]}"})
            yield row
            if row.status == "ok":
                self._drop_parts(video)
                return

    def _scratch_of(self, video: Video, source: Source) -> Path:
        digest = hashlib.sha256(source.label.encode()).hexdigest()[:8]
        return self.workspace.folder / SCRATCH_FOLDER / f"{video.video_id}.{digest}"

    def _drop_parts(self, video: Video) -> None:
        """Delete unfinished downloads from other sources of a video that is on disk now."""
        for folder in [self._scratch_of(video, source) for source in self.sources]:
            if folder.is_dir():
                shutil.rmtree(claim_scratch_folder(folder))
                with suppress(OSError):  # another process uses it
                    folder.rmdir()

    def _pause_politely(self) -> None:
        if self.asked_politely and self.options.sleep_seconds:
            self.clock.sleep(self.options.sleep_seconds * (0.5 + self.clock.chance()))
        self.asked_politely = True

    def _ask(self, source: Source, video: Video, history: VideoHistory) -> tuple[FetchResult, Meaning | None]:
        """Ask one source until it has the video, or fails for a reason that waiting does not mend."""
        of_video = self._scratch_of(video, source)
        scratch = claim_scratch_folder(of_video)
        keep = True
        in_vain, farthest = 0, _size_of(scratch)
        try:
            for attempt in range(1, MAX_ATTEMPTS + 1):
                try:
                    row = self._accept(source.download(video, scratch), video)
                    keep = False
                    return self._sign(row, source, attempt), None
                except AttemptFailedError as failure:
                    if find_withdrawal(self.workspace.folder, video.video_id) is not None:
                        keep = False
                        raise
                    message, failed = str(failure), failure
                meaning = explain_message(message)
                keep = meaning.status in ("network", "rate_limited", "unknown", "needs_cookies", "configuration")
                # a long download over a bad line completes, as long as each attempt gets further than any before
                size = _size_of(scratch)
                went_on = meaning.again == "this run" and size - farthest >= self.options.limits.min_bytes_per_stall
                farthest = max(farthest, size)
                in_vain = 1 if went_on else in_vain + 1
                if message.startswith("not whole:"):
                    _empty(scratch)  # a damaged file would be taken for finished again
                pause = self._choose_pause(meaning, in_vain, failed.retry_after_seconds)
                if pause is None:
                    break
                self.clock.sleep(pause)
            row = self._describe_failure(video, source, history, message, meaning, failed)
            return self._sign(row, source, attempt), meaning
        finally:
            if not keep or not any(scratch.iterdir()):
                shutil.rmtree(scratch, ignore_errors=True)
                with suppress(OSError):
                    of_video.rmdir()

    def _accept(self, download: Download, video: Video) -> FetchResult:
        """Check the file, and move it into `videos/`."""
        file = download.file
        metadata: dict[str, JsonValue] = dict(download.source_metadata)
        stated = metadata.get("duration")
        expected_seconds = float(stated) if isinstance(stated, int | float) else video.duration_seconds
        arrival = examine_arrival(file, expected_seconds)
        fault = arrival.fault or find_mismatch(file, self.fingerprints.get(video.video_id))
        if fault is not None:
            raise AttemptFailedError(fault, source_metadata=metadata, level=arrival.level)
        suffix = choose_suffix(file)
        size_bytes, digest = file.stat().st_size, digest_file(file)
        self._check_not_withdrawn(video)
        placed: list[Path] = []
        names: dict[str, JsonValue] = {}
        for language, track in download.subtitles.items():
            name = f"{video.video_id}.{language}{track.suffix}"
            try:
                check_safe_name(name)
            except ValueError:
                continue
            if track.is_file():
                move_into_place(track, self.workspace.videos / name)
                placed.append(self.workspace.videos / name)
                names[language] = name
        if names:
            metadata["subtitle_files"] = names
        target = self.workspace.videos / f"{video.video_id}{suffix}"
        move_into_place(file, target)
        try:
            self._check_not_withdrawn(video)
        except AttemptFailedError:
            # recorded since: the takedown may have looked for files before these were there
            for path in (target, *placed):
                delete(path)
            raise
        # the former file was damaged, or it would not have been downloaded; left, it might be read instead
        video_id = normalise_name(video.video_id)
        for other in list_folder(self.workspace.videos, "*"):
            if other != target and (named := split_video_name(other.name)) is not None and named[0] == video_id:
                other.unlink()
        return FetchResult(
            video_id=video.video_id,
            status="ok",
            reason=arrival.oddities,
            level=arrival.level,
            file_name=target.name,
            format=download.format or None,
            size_bytes=size_bytes,
            sha256=digest,
            source_metadata=metadata,
        )

    def _check_not_withdrawn(self, video: Video) -> None:
        if (withdrawal := find_withdrawal(self.workspace.folder, video.video_id)) is not None:
            raise AttemptFailedError(f"withdrawn: {withdrawal}")

    def _choose_pause(self, meaning: Meaning, in_vain: int, retry_after: float | None) -> float | None:
        """Seconds to wait before the next attempt; None for no further attempt in this run."""
        most = {"this run": self.options.attempts, "once more": min(2, self.options.attempts)}.get(meaning.again, 1)
        if in_vain >= most:
            return None
        longest = min(self.options.max_backoff_seconds, self.options.backoff_seconds * 2 ** (in_vain - 1))
        pause = max(longest * self.clock.chance(), retry_after or 0)
        return pause if pause <= self.options.max_backoff_seconds else None

    def _describe_failure(
        self,
        video: Video,
        source: Source,
        history: VideoHistory,
        message: str,
        meaning: Meaning,
        failed: AttemptFailedError,
    ) -> FetchResult:
        status: FetchStatus = meaning.status
        reason = message
        if meaning.again == "after a day":
            seen_for = history.seen_unavailable_for(source.label, self.clock.now())
            if seen_for is not None and seen_for >= UNAVAILABLE_APART:
                status = "removed"
                reason = f"{message}: said again after {seen_for.total_seconds() / 3600:.0f} hours, so taken as removed"
            else:
                reason = f"{message}: it may come back; a run at least 24 hours after the first sighting decides"
        elif meaning.advice:
            reason = f"{message}: {meaning.advice}"
        return FetchResult(
            video_id=video.video_id,
            status=status,
            reason=reason,
            level=failed.level,
            message=message,
            source_metadata=dict(failed.source_metadata),
        )

    def _sign(self, row: FetchResult, source: Source, attempts: int) -> FetchResult:
        return row.model_copy(
            update={
                "source": source.label,
                "attempts": attempts,
                "when": self.clock.now(),
                "yt_dlp_version": source.yt_dlp_version,
            }
        )

    def _learn(self, source: Source, row: FetchResult, meaning: Meaning | None) -> None:
        """Close a source that must not be asked again in this run."""
        failures = self.network_failures.get(source.label, 0) + 1 if row.status == "network" else 0
        self.network_failures[source.label] = failures
        if meaning is not None and meaning.stops_queue:
            self.closed[source.label] = "The queue stops here"
        elif failures >= self.options.max_network_failures:
            self.closed[source.label] = f"The queue stops here: {failures} videos in a row failed due to network errors"


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
