"""Does a frame grid, or a selection of frames, show the evidence at all? No model, and no frames where times are known.

Evidence is *seen* when a frame that is shown begins within it; a core frame shows its moment, whenever it began. A
moment stands for the second that begins with it, as locations are written in whole seconds. What cannot be decided is
counted by its reason, never guessed: the whole video as evidence (any frame is inside it), none, a range that ends
before it starts, one that begins after the video ends, a video of unknown length.

When each frame is shown comes from, in this order: the grid's own cache file; the video file's packets; the length that
is known without the file (`ivbench_data.durations`); a length that the caller assumes. For
the last two a constant frame rate is assumed, and said.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, FiniteFloat, PositiveInt

from ivbench_data.dataset import Dataset
from ivbench_data.durations import VideoDuration, find_durations
from ivbench_data.errors import CacheError, UsageError, VideoError
from ivbench_data.frames.cache import has_invented_clock, shows_moments
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.frames.samplers import find_moments, moments_of, sample_indices
from ivbench_data.schema import FrameGrid, FrameSelection, NonEmpty, Question, Record, Seconds, Video
from ivbench_data.statistics import Probability
from ivbench_data.video.decode import VideoScan, scan_video
from ivbench_data.workspace import Workspace

TimeSource = Literal["cache", "file", "metadata", "assumed"]
Reason = Literal[
    "no_evidence",
    "whole_video",
    "reversed_range",
    "beyond_video_end",
    "unknown_duration",
    "no_frames",
    "invented_clock",
]

REASONS: Final[dict[Reason, str]] = {
    "no_evidence": "no location that can be read",
    "whole_video": "the whole video is the evidence: any frame is inside it",
    "reversed_range": "the range ends before it starts",
    "beyond_video_end": "the location begins after the video ends",
    "unknown_duration": "nobody knows how long the video is",
    "no_frames": "the grid takes no frame of this video",
    "invented_clock": "the video's file does not say when its frames are shown (--trust-times rests on a guess)",
}
"""Why a question cannot be decided."""


class CoverageOptions(Record):
    """How seen is decided."""

    tolerance_seconds: Seconds = 0.0
    """How far outside the evidence a frame may be and still show it."""
    assume_duration_seconds: Annotated[float, Field(gt=0)] | None = None
    """Length of videos of which none is known; None leaves them out."""
    assumed_rate: PositiveInt = 30
    """Frames a second where only the length is known."""
    trust_times: bool = False
    """Whether to rest on the guessed times of files that give none."""


class EvidenceCoverage(Record):
    """What one grid or selection shows of one question's evidence."""

    question_id: NonEmpty
    """The question."""
    video_id: str
    """Its video."""
    task: NonEmpty
    """Its task."""
    frames_of: NonEmpty
    """Identity of the grid, or name of the selector."""
    is_seen: bool | None = None
    """Whether a frame shows some of the evidence; None where that cannot be decided."""
    reason: Reason | None = None
    """Why not."""
    recall: Probability | None = None
    """Share of the question's evidence spans that a frame shows."""
    precision: Probability | None = None
    """Share of the frames that show evidence."""
    nearest_seconds: FiniteFloat | None = None
    """From the evidence to the nearest frame; 0 where one is inside it."""
    time_source: TimeSource | None = None
    """Where the frames' times come from."""


@dataclass(frozen=True)
class VideoTiming:
    """When each frame of one video is shown."""

    pts: Sequence[int]
    """Ascending, in units of `time_base`."""
    time_base: Fraction
    """Seconds a unit."""
    average_rate: Fraction | None
    """Frames a second."""
    duration_seconds: float
    """From the first frame's beginning to the last one's end."""
    source: TimeSource
    """Where it comes from."""
    zero_pts: int = 0
    """Timestamp of second 0."""
    invented: bool = False
    """Whether the file gives no times, so that these are a guess."""

    def seconds_of(self, indices: Iterable[int]) -> list[float]:
        """When the frames with those presentation indices are shown, on the video's clock."""
        return [float((self.pts[index] - self.zero_pts) * self.time_base) for index in indices]


# --- covering ---------------------------------------------------------------------------------------------------


def cover_questions(
    dataset: Dataset, root: Path, grids: Sequence[FrameGrid], options: CoverageOptions | None = None
) -> Iterator[EvidenceCoverage]:
    """What each grid shows of each question's evidence: a row a question about a video and a grid, video by video.

    Raises:
        UsageError: no grid.
    """
    if not grids:
        raise UsageError("coverage needs a grid, such as 32x240, or a selection")
    options = options or CoverageOptions()
    workspace = Workspace(root, dataset.name)
    known = find_durations(dataset, workspace, scans_files=False)
    for video, questions in _group_by_video(dataset):
        timing: VideoTiming | None = None
        has_timing = False
        moments = find_moments(questions).get(video.video_id, ())
        for grid in grids:
            shown, is_invented = _read_cached_times(workspace, grid, video.video_id, moments)
            source: TimeSource = "cache"
            if not has_timing and any(_spans_of(question) for question in questions):
                timing, has_timing = find_timing(workspace, video, known, options), True
            if shown is None and timing is not None:
                shown, source, is_invented = _sample_times(timing, grid, moments), timing.source, timing.invented
            # cached frames say more of the length than an assumption
            is_guess = timing is None or (source == "cache" and timing.source == "assumed")
            duration = None if is_guess or timing is None else timing.duration_seconds
            for question in questions:
                own = _show_core_frames(question, shown, duration) if grid.sampler == "core_frames" else shown
                yield _cover_question(question, grid.identity, own, source, duration, options, is_invented)


def cover_selections(
    dataset: Dataset, root: Path, selections: Iterable[FrameSelection], options: CoverageOptions | None = None
) -> Iterator[EvidenceCoverage]:
    """What each selection shows of its question's evidence: a row a selection, in their order.

    Raises:
        UsageError: a selection is for a question that the dataset does not have, or for another video than its own, or
            selects a frame that the video does not have.
    """
    options = options or CoverageOptions()
    workspace = Workspace(root, dataset.name)
    questions = {question.question_id: question for question in dataset.questions}
    videos = {video.video_id: video for video in dataset.videos}
    known = find_durations(dataset, workspace, scans_files=False)
    timings: dict[str, VideoTiming | None] = {}
    for selection in selections:
        question = questions.get(selection.question_id)
        if question is None or question.video_id != selection.video_id:
            raise UsageError(
                f"the selection for {selection.question_id!r} in {selection.video_id!r} fits no question of "
                f"{dataset.name!r}"
            )
        if selection.video_id not in timings:
            video = videos.get(selection.video_id, Video(video_id=selection.video_id))
            timings[selection.video_id] = find_timing(workspace, video, known, options)
        timing = timings[selection.video_id]
        shown: list[float] | None = None
        if timing is not None:
            last = max(selection.frame_indices, default=0)
            if last >= len(timing.pts) and timing.source == "file":
                raise UsageError(
                    f"the selection for {selection.question_id!r} takes frame {last}; {selection.video_id!r} has "
                    f"{len(timing.pts)}"
                )
            shown = timing.seconds_of(sorted(min(index, len(timing.pts) - 1) for index in selection.frame_indices))
        yield _cover_question(
            question,
            selection.selector,
            shown,
            timing.source if timing else "file",
            timing.duration_seconds if timing else None,
            options,
            timing is not None and timing.invented,
        )


def find_timing(
    workspace: Workspace, video: Video, known: Mapping[str, VideoDuration], options: CoverageOptions
) -> VideoTiming | None:
    """When the video's frames are shown: from its file, else from the length known or assumed; None without any."""
    path = workspace.find_video(video.video_id)
    if path is not None:
        try:
            return _time_by_scan(scan_video(path))
        except VideoError:
            pass  # `verify` reports it; the length may still be known
    if video.video_id in known:
        return _time_by_rate(known[video.video_id].seconds, options.assumed_rate, "metadata")
    if options.assume_duration_seconds is not None:
        return _time_by_rate(options.assume_duration_seconds, options.assumed_rate, "assumed")
    return None


def _time_by_scan(scan: VideoScan) -> VideoTiming:
    clock = scan.clock
    return VideoTiming(
        clock.pts.tolist(),
        clock.time_base,
        scan.average_rate,
        clock.duration_seconds,
        "file",
        clock.zero_pts,
        clock.invented,
    )


def _time_by_rate(duration_seconds: float, rate: int, source: TimeSource) -> VideoTiming:
    frames = max(1, round(duration_seconds * rate))
    return VideoTiming(range(frames), Fraction(1, rate), Fraction(rate), duration_seconds, source)


def _group_by_video(dataset: Dataset) -> Iterator[tuple[Video, list[Question]]]:
    questions: dict[str, list[Question]] = {}
    for question in dataset.questions:
        if question.video_id is not None:
            questions.setdefault(question.video_id, []).append(question)
    videos = {video.video_id: video for video in dataset.videos}
    for video_id, of_video in questions.items():
        yield videos.get(video_id, Video(video_id=video_id)), of_video


def _read_cached_times(
    workspace: Workspace, grid: FrameGrid, video_id: str, moments: Sequence[float]
) -> tuple[list[float] | None, bool]:
    """When the cached frames are shown, None without any; and whether these times are a guess."""
    try:
        clip = read_frame_file(workspace.cache_path(grid, video_id))
    except CacheError:
        return None, False
    times: list[float] = clip.pts_seconds.tolist()
    return (sorted(times), has_invented_clock(clip)) if shows_moments(clip, grid, moments) else (None, False)


def _show_core_frames(
    question: Question, shown: Sequence[float] | None, duration_seconds: float | None
) -> list[float] | None:
    """When the question's own core frames are on screen; the frames themselves may have begun before."""
    if not shown:
        return None if shown is None else []
    return [moment for moment in moments_of(question) if duration_seconds is None or moment <= duration_seconds]


def _sample_times(timing: VideoTiming, grid: FrameGrid, moments: Sequence[float]) -> list[float]:
    try:
        indices = sample_indices(
            grid,
            timing.pts,
            timing.time_base,
            timing.average_rate,
            timing.duration_seconds,
            moments,
            timing.zero_pts,
        )
    except ValueError:
        return []
    return timing.seconds_of(indices)


@dataclass(frozen=True)
class _Span:
    """A stretch of evidence, in seconds; a moment's second ends before the next begins."""

    start: float
    end: float
    is_closed: bool

    def widen(self, seconds: float) -> _Span:
        return _Span(self.start - seconds, self.end + seconds, self.is_closed)

    def find_frames(self, shown: Sequence[float]) -> range:
        """Positions of the frames inside, among ascending times."""
        last = bisect_right(shown, self.end) if self.is_closed else bisect_left(shown, self.end)
        return range(bisect_left(shown, self.start), last)

    def distance_to(self, shown: Sequence[float]) -> float:
        """Seconds to the nearest frame; 0 when one is inside."""
        if self.find_frames(shown):
            return 0.0
        after = bisect_left(shown, self.start)
        return min(
            shown[after] - self.end if after < len(shown) else inf, self.start - shown[after - 1] if after else inf
        )


def _spans_of(question: Question) -> list[_Span]:
    """The question's stretches of evidence that can be: not the whole video, and none that ends before it starts."""
    spans = []
    for evidence in question.evidence:
        start, end = evidence.start_seconds, evidence.end_seconds
        if start is None or (end is not None and end < start):
            continue
        spans.append(_Span(start, start + 1, False) if end is None or end == start else _Span(start, end, True))
    return spans


def _cover_question(
    question: Question,
    frames_of: str,
    shown: Sequence[float] | None,
    source: TimeSource,
    duration_seconds: float | None,
    options: CoverageOptions,
    is_invented: bool = False,
) -> EvidenceCoverage:
    """The row of a question; `shown` are the frames' times, ascending."""
    reason = _find_reason(question, shown, duration_seconds)
    if is_invented and not options.trust_times and reason in (None, "beyond_video_end"):
        reason = "invented_clock"
    base = EvidenceCoverage(
        question_id=question.question_id,
        video_id=question.video_id or "",
        task=question.task,
        frames_of=frames_of,
        reason=reason,
    )
    if reason is not None or shown is None:
        return base
    exact = _spans_of(question)
    inside = [span.widen(options.tolerance_seconds).find_frames(shown) for span in exact]
    hits = [bool(frames) for frames in inside]
    return base.model_copy(
        update={
            "is_seen": any(hits),
            "recall": sum(hits) / len(hits),
            "precision": len({position for frames in inside for position in frames}) / len(shown),
            "nearest_seconds": min(span.distance_to(shown) for span in exact),
            "time_source": source,
        }
    )


def _find_reason(question: Question, shown: Sequence[float] | None, duration_seconds: float | None) -> Reason | None:
    spans = _spans_of(question)
    if not spans:
        kinds = {evidence.kind for evidence in question.evidence}
        return "no_evidence" if not kinds else "whole_video" if kinds == {"whole"} else "reversed_range"
    if shown is None:
        return "unknown_duration"
    if not shown:
        return "no_frames"
    if duration_seconds is not None and all(span.start > duration_seconds for span in spans):
        return "beyond_video_end"
    return None


# --- summing up -------------------------------------------------------------------------------------------------
