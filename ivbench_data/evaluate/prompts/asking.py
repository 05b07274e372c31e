"""Requests from questions: the selected questions, their frames and images, and the questions that cannot be asked."""

from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, PositiveInt

from ivbench_data.atomic_files import digest_file
from ivbench_data.dataset import Dataset
from ivbench_data.errors import CacheCorruptError, CacheNotFoundError, UsageError
from ivbench_data.evaluate.prompts.compose import (
    OWN_PROFILES,
    PROFILES,
    InapplicableError,
    Profile,
    choose_core_frames,
    choose_frames,
    compose,
    digest_prompt,
    find_core_frames,
    find_evidence_frames,
    resolve_profile,
)
from ivbench_data.evaluate.prompts.patterns import PATTERNS, Pattern
from ivbench_data.evaluate.prompts.prompt_template import check_template, digest_template, word_by_template
from ivbench_data.evaluate.prompts.requests import ImagePart, Request, VideoPart
from ivbench_data.evaluate.prompts.wording import find_evidence_text, reason_first
from ivbench_data.frames.cache import shows_moments
from ivbench_data.frames.frame_file import Clip, read_frame_file
from ivbench_data.frames.samplers import find_moments, moments_of
from ivbench_data.query_images import ImageProblemError, open_image
from ivbench_data.questions.clusters import cluster_of
from ivbench_data.schema import FrameGrid, Key, NonEmpty, Question, Record, make_key
from ivbench_data.workspace import Workspace

MAX_ROTATIONS = 26
MAX_SAMPLES = 1024


class AskOptions(Record):
    """How the questions of a dataset are asked.

    Example:
        >>> iv.AskOptions(grid=iv.FrameGrid(nframes=8, res=64), rotations=2).grid.identity
        '8x64'
    """

    grid: FrameGrid = FrameGrid(nframes=32, res=240)
    """The grid of the frame cache."""
    pattern: str = "video_first"
    """Which visuals are shown, in which order; a name in `PATTERNS`."""
    profile: str = "default"
    """Wording and reply parser; a name in `PROFILES`, or `paper` for the benchmark's own."""
    rotations: int = Field(default=1, ge=0, le=MAX_ROTATIONS)
    """Number of option rotations under which each question is asked; 0 for all."""
    tasks: tuple[str, ...] = ()
    """Only questions of these tasks; empty for all."""
    question_ids: tuple[str, ...] = ()
    """Only these questions; empty for all."""
    limit: PositiveInt | None = None
    """At most this many of these questions, the first of the dataset; None for all."""
    system: NonEmpty | None = None
    """A system message before each prompt."""
    prompt_template: NonEmpty | None = None
    """A Jinja template of the prompt's text, in place of the profile's wording; see `prompt_template`."""
    cot: bool = False
    """Ask for reasoning first, and for the answer in a last line `Final answer: …`; in our own wordings."""
    samples: int = Field(default=1, ge=1, le=MAX_SAMPLES)
    """How many times each question is asked under each of its rotations."""

    def describe_asking(self) -> dict[str, JsonValue]:
        """What changes answers and has no name of its own in the configuration, without defaults; a template's digest.

        Which questions are asked changes no answer, and is left out.
        """
        template = {} if self.prompt_template is None else {"prompt_template": digest_template(self.prompt_template)}
        return {**self.model_dump(mode="json", include=ASKING, exclude_defaults=True), **template}

    def select(self, questions: Sequence[Question]) -> list[Question]:
        """The questions to ask, in their order."""
        selected = [
            question
            for question in questions
            if (not self.tasks or question.task in self.tasks)
            and (not self.question_ids or question.question_id in self.question_ids)
        ]
        return selected[: self.limit]

    def check(self, dataset: Dataset) -> None:
        """Raise if a name does not exist, or a prompt cannot be written as asked for.

        Raises:
            UsageError: there is no such pattern, profile, task or question; the template fails on a question, or shows
                its text or its options not; or a chain of thought is asked for in a wording that is not ours.
        """
        known: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
            ("pattern", (self.pattern,), tuple(PATTERNS)),
            ("task", self.tasks, tuple(dict.fromkeys(question.task for question in dataset.questions))),
            ("question", self.question_ids, tuple(question.question_id for question in dataset.questions)),
        )
        for kind, wanted, there in known:
            if missing := [name for name in wanted if name not in there]:
                listed = f"; there are: {', '.join(there)}" if len(there) <= 30 else ""
                raise UsageError(f"there is no {kind} named {missing[0]!r}{listed}")
        for source in sorted({question.source for question in dataset.questions}):
            name = resolve_profile(self.profile, source)
            if self.cot and (name not in OWN_PROFILES or self.prompt_template is not None):
                other = "a template" if self.prompt_template is not None else f"the profile {name}"
                raise UsageError(
                    f"a chain of thought (--cot) is an instruction of our own wordings, {' and '.join(OWN_PROFILES)}; "
                    f"{other} has a wording of its own: write the instruction in a template (--prompt-template)"
                )
        if self.prompt_template is not None:
            of_source = {question.source: choose_profile(self, question.source) for question in dataset.questions}
            for question in self.select(dataset.questions):
                word = of_source[question.source].word
                check_template(word, question, PATTERNS[self.pattern], self.grid.nframes)


ASKING = {"system", "cot", "samples"}

DEFAULT_ASK_OPTIONS = AskOptions()


def choose_profile(options: AskOptions, source: str) -> Profile:
    """The profile of the questions of a source, with the wording that a template or a chain of thought gives it."""
    profile = PROFILES[resolve_profile(options.profile, source)]
    if options.prompt_template is not None:
        return replace(profile, word=word_by_template(options.prompt_template, profile))
    return replace(profile, word=reason_first(profile.word)) if options.cot else profile


@dataclass(frozen=True)
class Unasked:
    """A question that cannot be asked, with the reason."""

    key: Key
    """The question, its rotation and sample."""
    kind: Literal["missing", "inapplicable", "error"]
    """Media missing; pattern not applicable; or media damaged, which counts as wrong."""
    reason: str
    """The reason."""


class Asker:
    """Builds the requests of one dataset; each video is opened once for all its questions."""

    def __init__(self, dataset: Dataset, workspace: Workspace, options: AskOptions) -> None:
        self.dataset = dataset
        self.workspace = workspace
        self.options = options
        self.pattern = PATTERNS[options.pattern]
        self._clip: Clip | None = None
        self._parts: dict[tuple[int, ...] | None, VideoPart] = {}
        self._digest_of: dict[Path, str] = {}
        self._profiles: dict[str, Profile] = {}

    def select_questions(self) -> list[Question]:
        """The selected questions, grouped by video, videos in the order of their first question."""
        wanted = self.options.select(self.dataset.questions)
        rank: dict[str | None, int] = {}
        for question in wanted:
            rank.setdefault(question.video_id, len(rank))
        return sorted(wanted, key=lambda question: rank[question.video_id])

    def count_rotations(self, question: Question) -> int:
        """Number of rotations under which the question is asked."""
        return max(1, min(len(question.options), self.options.rotations or MAX_ROTATIONS))

    def count_requests(self) -> int:
        """Number of rows: every selected question under each of its rotations, as many times as there are samples."""
        return self.options.samples * sum(self.count_rotations(question) for question in self.select_questions())

    def iterate(self) -> Iterator[tuple[Question, Request | Unasked]]:
        """Every selected question under every rotation, with its request or the reason why there is none.

        The samples of a question follow one another.
        """
        for question in self.select_questions():
            for rotation in range(self.count_rotations(question)):
                asked = self.ask(question, rotation)
                for sample in range(self.options.samples):
                    if isinstance(asked, Request):
                        yield question, replace(asked, sample=sample)
                    else:
                        yield question, replace(asked, key=make_key(question.question_id, rotation, sample))

    def ask(self, question: Question, rotation: int = 0) -> Request | Unasked:
        """The request for a question under a rotation, or the reason why there is none."""
        key, pattern = make_key(question.question_id, rotation), self.pattern
        profile = self._find_profile(question.source)
        if reason := _find_mismatch(question, pattern, profile):
            return Unasked(key, "inapplicable", reason)
        video: VideoPart | None = None
        images: list[ImagePart] = []
        facts: dict[str, JsonValue] = {}
        try:
            if "video" in pattern.visuals and question.video_id is not None:
                video, facts = self._show_video(question, question.video_id)
            if "image" in pattern.visuals:
                images = [self._show_image(question, at) for at in range(len(question.image_ids))]
        except CacheNotFoundError:
            return Unasked(key, "missing", self._explain_missing_cache(question))
        except FileNotFoundError as error:
            return Unasked(key, "missing", f"there is no image {error.filename}")
        except (CacheCorruptError, OSError) as error:
            return Unasked(key, "error", str(error))
        except InapplicableError as error:
            return Unasked(key, "inapplicable", str(error))
        parts, letters = compose(question, pattern, profile, rotation, video, images)
        system = self.options.system
        digest = digest_prompt(parts, system)
        return Request(question.question_id, rotation, self.options.pattern, parts, letters, digest, facts, system)

    def _find_profile(self, source: str) -> Profile:
        """The profile of a source's questions, made once."""
        if source not in self._profiles:
            self._profiles[source] = choose_profile(self.options, source)
        return self._profiles[source]

    def _show_video(self, question: Question, video_id: str) -> tuple[VideoPart, dict[str, JsonValue]]:
        """The video as the pattern shows it, and the facts for the result row."""
        grid = self.options.grid
        takes_core_frames = grid.sampler == "core_frames"
        if takes_core_frames and not moments_of(question):
            raise InapplicableError("the question has no times of core frames")
        path = self.workspace.cache_path(grid, video_id)
        if self._clip is None or self._clip.path != path:
            self._clip, self._parts = read_frame_file(path), {}
        if not shows_moments(self._clip, grid, self._moments.get(video_id, ())):
            raise CacheNotFoundError(f"{path} holds the core frames of other questions")
        pts = self._clip.pts_seconds.tolist()
        positions: tuple[int, ...] | None
        if takes_core_frames:
            own = find_core_frames(pts, moments_of(question))
            positions = choose_core_frames(self.pattern.frames, own, video_id)
        else:
            positions = choose_frames(self.pattern.frames, pts, question.evidence, video_id)
        if positions not in self._parts:
            # one part for all questions that show the same frames
            self._parts[positions] = _make_part(self._clip, positions, video_id, self.options.grid)
        part = self._parts[positions]
        shown = range(len(pts)) if positions is None else positions
        # a core frame shows its moment, though it may have begun before
        evidence = list(shown) if takes_core_frames else find_evidence_frames(pts, question.evidence)
        return part, {
            "nframes": len(shown),
            "duration_seconds": part.duration_seconds,
            "evidence_seen": None if evidence is None else not set(evidence).isdisjoint(shown),
        }

    @cached_property
    def _moments(self) -> dict[str, tuple[float, ...]]:
        """Times in seconds of the core frames of each video's questions."""
        return find_moments(self.dataset.questions)

    def _explain_missing_cache(self, question: Question) -> str:
        grid = self.options.grid
        if question.video_id is not None and self.workspace.find_video(question.video_id) is None:
            return f"the video {question.video_id} is not in {self.workspace.videos}"
        command = f"ivbench-data cache --dataset {self.dataset.name} {write_grid_options(grid)}"
        lacks = "is not in the cache"
        if grid.sampler == "core_frames":
            lacks = "is not, or only with other core frames, in the cache"
        return f"the video {question.video_id} {lacks} {grid.identity}; create it with: {command}"

    def _show_image(self, question: Question, at: int) -> ImagePart:
        image_id = question.image_ids[at]
        if self.pattern.image == "swapped":
            image_id = self._find_other_image(question, at)
        path = self.workspace.image_path(image_id)
        if self.pattern.image == "blank":
            content = _paint_blank(path)
            return ImagePart(image_id, None, content, hashlib.sha256(content).hexdigest())
        if path not in self._digest_of:
            if not path.is_file():
                raise FileNotFoundError(errno.ENOENT, "no such image", str(path))
            self._digest_of[path] = digest_file(path)
        return ImagePart(image_id, path, None, self._digest_of[path])

    @cached_property
    def _clusters_of_images(self) -> dict[str, set[str]]:
        """The query images, ordered by digest of their ids, with the videos (or pairs) whose questions show them."""
        clusters_of: dict[str, set[str]] = {}
        for question in self.dataset.questions:
            for image_id in question.image_ids:
                clusters_of.setdefault(image_id, set()).add(cluster_of(question))
        return dict(sorted(clusters_of.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest()))

    def _find_other_image(self, question: Question, at: int) -> str:
        """An image that no question on this video, or of this pair, shows; chosen by a digest of the question's id."""
        images = list(self._clusters_of_images)
        first = int.from_bytes(hashlib.sha256(f"{question.question_id}\0{at}".encode()).digest())
        for step in range(len(images)):
            image_id = images[(first + step) % len(images)]
            if cluster_of(question) not in self._clusters_of_images[image_id] and image_id not in question.image_ids:
                return image_id
        raise InapplicableError("there is no image of another video's question, or pair's")


def _find_mismatch(question: Question, pattern: Pattern, profile: Profile) -> str | None:
    """Why the pattern or the profile does not apply to the question; None if it does."""
    of_video = pattern.visuals == ("video",) or pattern.frames != "all"
    of_image = pattern.visuals == ("image",) or pattern.image != "own"
    if of_video and question.video_id is None:
        return "it has no video"
    if of_image and not question.image_ids:
        return "it has no query image"
    if profile.shows_evidence and find_evidence_text(question) is None:
        return "no text of its evidence is known"
    return None


def write_grid_options(grid: FrameGrid) -> str:
    """The options of `ivbench-data cache` for this grid."""
    plain = f"--nframes {grid.nframes} --res {grid.res}"
    return plain if grid.identity == f"{grid.nframes}x{grid.res}" else f"--grid {grid.identity}"


def _make_part(clip: Clip, positions: tuple[int, ...] | None, video_id: str, grid: FrameGrid) -> VideoPart:
    pts, digest = clip.pts_seconds.tolist(), clip.frames_digest
    if positions is not None:
        digest = hashlib.sha256(f"{digest}\0{','.join(map(str, positions))}".encode()).hexdigest()
        pts = sorted(pts[position] for position in positions)
    count, height, width = len(pts), clip.frames.shape[2], clip.frames.shape[3]
    return VideoPart(
        video_id=video_id,
        path=clip.path,
        grid=grid.identity,
        shape=(count, 3, height, width),
        pts_seconds=tuple(pts),
        positions=positions,
        frames_digest=digest,
        duration_seconds=float(clip.metadata.get("source_duration_seconds", pts[-1])),
    )


def _paint_blank(path: Path) -> bytes:
    """A PNG of the image's size in middle grey: the same bytes for the same size."""
    from PIL import Image

    try:
        with open_image(path) as image:
            size = image.size
    except ImageProblemError as error:
        raise OSError(f"the image {path.name} cannot be shown: {error}") from error
    buffer = io.BytesIO()
    Image.new("RGB", size, (128, 128, 128)).save(buffer, "PNG")
    return buffer.getvalue()
