"""The records: videos, query images, questions, frame grids, and the rows that each stage returns.

Importable with pydantic alone, so that any harness can use the same records. Everything here is frozen, and
refuses fields it does not know: a misspelt key in a JSONL file is an error, not a silent loss.

Each field is documented by the string below it; the JSON Schemas in `schemas/` carry the same texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)

MAX_NAME_BYTES = 200
"""Most file systems hold names of 255 bytes; the rest is left for suffixes and temporary names."""

MIN_OPTIONS, MAX_OPTIONS = 2, 26
"""A multiple-choice question has two options at least, and no more than there are letters."""

_FORBIDDEN_IN_NAMES = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\ud800-\udfff]')
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_safe_name(name: str) -> str:
    """The name itself, when it can be a file's name on every system and cannot leave its folder.

    Raises:
        ValueError: it is empty, too long, `.` or `..`, holds a separator, a drive letter's colon, a control character,
            NUL, a lone surrogate or a wildcard, ends in a dot or a space, or is a device's name on Windows.
    """
    size = len(name.encode(errors="surrogatepass"))
    if size > MAX_NAME_BYTES:
        raise ValueError(f"{name[:40]!r}… is {size} bytes long; at most {MAX_NAME_BYTES} are allowed")
    if not name or name != name.strip() or name.endswith("."):
        raise ValueError(f"{name!r} cannot be a file name: empty, padded with space, or ending in a dot")
    if _FORBIDDEN_IN_NAMES.search(name) or _WINDOWS_DEVICE.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a file name that stays in its folder on every system")
    if name.startswith("."):
        raise ValueError(f"{name!r} cannot be a file name here: names that begin with a dot are kept for temporaries")
    return name


SafeName = Annotated[str, AfterValidator(check_safe_name)]
NonEmpty = Annotated[str, StringConstraints(min_length=1)]
Seconds = Annotated[FiniteFloat, Field(ge=0)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _leave_out_example(schema: dict[str, Any]) -> None:
    """A record's example is for Python; its JSON Schema describes the record in any language."""
    if "description" in schema:
        schema["description"] = schema["description"].partition("\n\nExample:")[0]


class Record(BaseModel):
    """What all records share: frozen, no unknown fields, documented by the strings below their fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, json_schema_extra=_leave_out_example
    )


# --- what a benchmark holds -------------------------------------------------------------------------------------


class Subtitle(Record):
    """One caption track that the source offers, or that was fetched.

    Example:
        >>> iv.Subtitle(language="en", kind="automatic").kind
        'automatic'
    """

    language: NonEmpty
    """BCP 47 tag, as the source reports it."""
    kind: Literal["manual", "automatic"] = "manual"
    """Whether a person or a machine wrote it."""
    file_name: SafeName | None = None
    """Name of the file beside the video, when it was fetched."""


class Video(Record):
    """One video of a benchmark, whether or not it is on this machine.

    Example:
        >>> iv.Video(video_id="dQw4w9WgXcQ", duration_seconds=212).url is None
        True
    """

    video_id: SafeName
    """Unique in the dataset, and the stem of the video's file. YouTube ids may begin with `-`."""
    url: NonEmpty | None = None
    """Where it can be fetched; None when the manifest's template says so, or when it is local."""
    duration_seconds: Seconds | None = None
    """Duration as reported by the source or the file; None when unknown."""
    license: str | None = None
    """Licence as the source reports it."""
    language: str | None = None
    """BCP 47 tag of what is spoken."""
    category: str | None = None
    """The benchmark's category of the video, such as `Sports Competition`."""
    subtitles: tuple[Subtitle, ...] = ()
    """Caption tracks known to exist."""
    source_metadata: dict[str, JsonValue] = Field(default_factory=dict)
    """Further metadata (channel, age limit, upload date, when it was asked; `path`: the release's file)."""


class QueryImage(Record):
    """One image that questions show beside the video.

    Example:
        >>> iv.QueryImage(image_id="red.png", width=16, height=12).image_id
        'red.png'
    """

    image_id: SafeName
    """Unique in the dataset, and the image's file name in `images/`."""
    url: NonEmpty | None = None
    """Where it can be fetched, when it has an address of its own."""
    sha256: Sha256 | None = None
    """Digest of the file, once known."""
    width: PositiveInt | None = None
    """Pixels, once known."""
    height: PositiveInt | None = None
    """Pixels, once known."""
    source_metadata: dict[str, JsonValue] = Field(default_factory=dict)
    """Further metadata of the source."""


class EvidenceBox(Record):
    """A bounding box of evidence in one frame or image, in fractions of its width and height.

    Example:
        >>> iv.EvidenceBox(x0=0.25, y0=0, x1=0.5, y1=1, time_seconds=3).x1
        0.5
    """

    x0: Annotated[float, Field(ge=0, le=1)]
    """Left edge."""
    y0: Annotated[float, Field(ge=0, le=1)]
    """Top edge."""
    x1: Annotated[float, Field(ge=0, le=1)]
    """Right edge."""
    y1: Annotated[float, Field(ge=0, le=1)]
    """Bottom edge."""
    time_seconds: Seconds | None = None
    """When, for a box in the video."""
    image_id: SafeName | None = None
    """Which query image, for a box in an image."""
    label: str | None = None
    """What is in it."""


class Evidence(Record):
    """Evidence for the answer: a moment, a time range, or the whole video.

    `start_seconds` may be after `end_seconds`: releases hold such mistakes, import keeps them, `validate` reports them.

    Example:
        >>> iv.Evidence(kind="range", start_seconds=5, end_seconds=8.5).end_seconds
        8.5
    """

    kind: Literal["point", "range", "whole"]
    """A moment, a time range, or the whole video."""
    start_seconds: Seconds | None = None
    """The moment, or the start of the range; None for the whole video."""
    end_seconds: Seconds | None = None
    """End of the range; None for a moment and for the whole video."""
    text: str | None = None
    """The location as the annotator wrote it."""
    boxes: tuple[EvidenceBox, ...] = ()
    """Where in the frames."""

    @model_validator(mode="after")
    def _bounds_fit_the_kind(self) -> Self:
        bounds = {"point": (True, False), "range": (True, True), "whole": (False, False)}[self.kind]
        if (self.start_seconds is not None, self.end_seconds is not None) != bounds:
            raise ValueError(f"evidence of kind {self.kind!r} takes start_seconds, end_seconds = {bounds}")
        return self


QuestionType = Literal["mcq", "tf", "numeric", "open"]


class Question(Record):
    """One question about a video, query images, or both.

    The model accepts what releases hold, not only what benchmarks promise: an IV-Bench question should have ten
    options, and some of the released ones have two. `ivbench-data validate` tells the difference.

    Example:
        >>> question = iv.Question(
        ...     question_id="v_0", video_id="v", image_ids=("cat.png",), question="Where does it appear?",
        ...     options=("left", "right"), answer_index=1, answer="right", task="Spatial Relationship", source="mine",
        ... )
        >>> question.correct_indices
        (1,)
    """

    question_id: NonEmpty
    """Unique in the dataset; for IV-Bench `{video_id}_{data_id}`."""
    video_id: SafeName | None = None
    """The video it is about; None for image-only questions."""
    image_ids: tuple[SafeName, ...] = ()
    """The query images, in the order in which they are shown."""
    question: str
    """The question's text, without options."""
    question_type: QuestionType = "mcq"
    """Multiple choice, true/false, a number, or free text."""
    options: tuple[str, ...] = ()
    """The options in stored order, without letters; empty for `numeric` and `open`."""
    answer_index: NonNegativeInt | None = None
    """Position of the answer in `options`; None without options or with hidden answers."""
    answer: str | None = None
    """The answer's text; None with hidden answers."""
    answers_hidden: bool = False
    """Whether the answer was left out on purpose."""
    task: NonEmpty
    """The task's name; the manifest lists a benchmark's names and groups."""
    group_id: NonEmpty | None = None
    """Shared by questions that are scored together: true/false pairs, rotations of one question."""
    category: str | None = None
    """A finer label of the benchmark's own."""
    granularity: str | None = None
    """How much of the video the question is about; for IV-Bench `frame`, `clip` or `whole`."""
    evidence: tuple[Evidence, ...] = ()
    """Evidence for the answer."""
    ask_time_seconds: Seconds | None = None
    """When the question is asked, for streaming benchmarks: only what came before may be used."""
    source: NonEmpty
    """The source that it was imported from."""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    """Further fields of the benchmark."""
    raw: dict[str, JsonValue] | None = None
    """The record as released, from which the release can be rebuilt; None with hidden answers."""

    @model_validator(mode="after")
    def _answer_is_one_of_the_options(self) -> Self:
        if self.question_type == "mcq" and not MIN_OPTIONS <= len(self.options) <= MAX_OPTIONS:
            raise ValueError(
                f"a multiple-choice question needs {MIN_OPTIONS} to {MAX_OPTIONS} options, not {len(self.options)}"
            )
        if self.answers_hidden:
            if self.answer is not None or self.answer_index is not None or self.raw is not None:
                raise ValueError("answers_hidden is set, yet answer, answer_index or raw is given")
            return self
        if self.answer is None:
            raise ValueError("answer is missing; set answers_hidden to leave it out on purpose")
        if not self.options:
            if self.answer_index is not None:
                raise ValueError("answer_index is given, yet there are no options")
            return self
        if self.answer_index is None or self.answer_index >= len(self.options):
            raise ValueError(f"answer_index {self.answer_index} is not a position in {len(self.options)} options")
        if self.options[self.answer_index] != self.answer:
            raise ValueError(
                f"answer {self.answer!r} is not the option at answer_index, {self.options[self.answer_index]!r}"
            )
        return self

    @property
    def correct_indices(self) -> tuple[int, ...]:
        """Positions of every option that equals the answer, in code points: all of them count as right."""
        if self.answer_index is None:
            return ()
        return tuple(index for index, option in enumerate(self.options) if option == self.answer)


# --- frames -----------------------------------------------------------------------------------------------------

Sampler = Literal[
    "linspace_floor", "linspace_round", "segment_midpoint", "midpoint", "left_edge", "interior", "fps_then_midpoint",
    "linspace_floor_24fps", "core_frames",
]  # fmt: skip
Resize = Literal["bicubic", "area", "lanczos", "bilinear"]

MAX_NFRAMES, MAX_RES = 65_536, 8_192

MAX_SPAN_SECONDS = 10_000_000
"""Longer than any video, and short enough for a folder's name."""

SpanBound = Annotated[FiniteFloat, Field(ge=0, le=MAX_SPAN_SECONDS)]

_GRID = re.compile(
    r"(?P<nframes>\d{1,6})x(?P<res>\d{1,6})"
    r"(?:-m(?P<multiple_of>\d{1,4}))?"
    rf"(?:-(?P<sampler>{'|'.join(sorted(get_args(Sampler), key=len, reverse=True))}))?"
    r"(?:-(?P<resize>bicubic|area|lanczos|bilinear))?"
    r"(?:-(?P<deinterlace>deint))?"
    r"(?:-(?P<tone_map>tm))?"
    r"(?:-fps(?P<fps>\d+(?:\.\d+)?))?"
    r"(?:-span(?P<start>\d+(?:\.\d+)?)_(?P<end>\d+(?:\.\d+)?))?"
)


def _decimal_text(value: Fraction | float | int | str) -> str:
    """The shortest decimal writing of a number: `2`, `0.5`, `23.976`. Exact for what people type."""
    text = f"{float(value):.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class FrameGrid(Record):
    """Which frames of a video, and how large: the identity of a frame cache.

    Two caches with the same identity hold the same frames of the same file, bit for bit.

    Example:
        >>> grid = iv.FrameGrid(nframes=32, res=240, multiple_of=28)
        >>> grid.identity, grid.size_of(854, 480)
        ('32x240-m28', (420, 252))
        >>> iv.FrameGrid.parse("32x240-m28") == grid
        True
    """

    nframes: Annotated[int, Field(ge=1, le=MAX_NFRAMES)]
    """Frames a video; with `fps`, and with a sampler that takes as many as it needs, the most there may be."""
    res: Annotated[int, Field(ge=1, le=MAX_RES)]
    """Short side in pixels, after rotation; the aspect is kept."""
    multiple_of: Annotated[int, Field(ge=1, le=1024)] = 2
    """Each side is the nearest multiple of this: 28 for Qwen2.5-VL, 32 for Qwen3-VL, so that no model resizes again."""
    sampler: Sampler = "linspace_round"
    """Sampling convention; see `ivbench_data.frames.samplers`."""
    resize: Resize = "bicubic"
    """swscale's filter."""
    deinterlace: bool = False
    """Whether an interlaced frame is rebuilt from the field that is shown first; other frames stay as they are."""
    tone_map: bool = False
    """Whether HDR (PQ, HLG) becomes SDR, by ITU-R BT.2390; SDR stays as it is."""
    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Frames a second to take instead of a fixed number; `nframes` is then the cap."""
    span: tuple[SpanBound, SpanBound] | None = None
    """Only frames shown from the first to the second of these times, in seconds."""

    @field_validator("fps")
    @classmethod
    def _fps_has_six_decimals(cls, fps: float | None) -> float | None:
        if fps is None:
            return None
        rounded = float(_decimal_text(fps))
        if rounded == 0:
            raise ValueError(f"{fps} frames a second are too few; at least 0.000001")
        return rounded

    @field_validator("span")
    @classmethod
    def _span_is_forward(cls, span: tuple[float, float] | None) -> tuple[float, float] | None:
        if span is None:
            return None
        start, end = (float(_decimal_text(bound)) for bound in span)
        if start > end:
            raise ValueError(f"the span {start}–{end} ends before it starts")
        return start, end

    @model_validator(mode="after")
    def _core_frames_have_their_own_times(self) -> Self:
        if self.sampler == "core_frames" and (self.fps is not None or self.span is not None):
            raise ValueError("core_frames takes the frames that the questions name, at no rate and in no span")
        return self

    @property
    def identity(self) -> str:
        """The grid's name, and its folder's: `{N}x{res}`, then only what differs from the defaults."""
        parts = [f"{self.nframes}x{self.res}"]
        if self.multiple_of != 2:
            parts.append(f"m{self.multiple_of}")
        if self.sampler != "linspace_round":
            parts.append(self.sampler)
        if self.resize != "bicubic":
            parts.append(self.resize)
        if self.deinterlace:
            parts.append("deint")
        if self.tone_map:
            parts.append("tm")
        if self.fps is not None:
            parts.append(f"fps{_decimal_text(self.fps)}")
        if self.span is not None:
            parts.append("span" + "_".join(map(_decimal_text, self.span)))
        return "-".join(parts)

    @classmethod
    def parse(cls, identity: str) -> FrameGrid:
        """The grid that an identity names: `32x240`, `32x240-m28-linspace_floor-fps2-span10_20`.

        Raises:
            ValueError: it is not such a name, or a value is out of range.
        """
        match = _GRID.fullmatch(identity)
        if match is None:
            raise ValueError(f"{identity!r} is not a grid; write frames x short side, such as 32x240 or 32x240-m28")
        values: dict[str, Any] = {name: text for name, text in match.groupdict().items() if text is not None}
        values |= {name: name in values for name in ("deinterlace", "tone_map")}
        if "start" in values:
            values["span"] = (values.pop("start"), values.pop("end"))
        return cls.model_validate(values)

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the frames, for a source of that width and height as displayed (after rotation).

        The short side becomes `res`, the other keeps the aspect; each is then rounded to the nearest multiple of
        `multiple_of`, halves up, at least one: 854×480 at 240 becomes 428×240; in multiples of 28, 420×252.
        """
        short = min(width, height)
        return self._side(width, short), self._side(height, short)

    def _side(self, side: int, short: int) -> int:
        # nearest multiple of m to side*res/short, halves up, in integers: floor((2*side*res + short*m) / (2*short*m))
        multiple = self.multiple_of
        return max(1, (2 * side * self.res + short * multiple) // (2 * short * multiple)) * multiple


class FrameSelection(Record):
    """The frames that a selector chose for one question, out of one dense cache (VideoITG, TSPO, core frames, …).

    Example:
        >>> selection = iv.FrameSelection(
        ...     question_id="alpha_0", video_id="alpha", selector="mine", frame_indices=(2, 7)
        ... )
        >>> iv.read_frames("tiny", "alpha", "4x16", selection=selection).indices.tolist()
        [2, 7]
    """

    question_id: NonEmpty
    """The question they were chosen for."""
    video_id: SafeName
    """Its video."""
    selector: NonEmpty
    """Name and version of what chose them."""
    frame_indices: tuple[NonNegativeInt, ...]
    """Presentation indices in the video, each of them present in the dense cache."""
    scores: tuple[FiniteFloat, ...] | None = None
    """The selector's score of each frame, if it has one."""
    frames_digest: Sha256 | None = None
    """Digest of the dense cache's frames they were chosen from; reading checks it when given."""

    @model_validator(mode="after")
    def _a_score_a_frame(self) -> Self:
        if self.scores is not None and len(self.scores) != len(self.frame_indices):
            raise ValueError(f"{len(self.scores)} scores for {len(self.frame_indices)} frames")
        return self


# --- what stages return -----------------------------------------------------------------------------------------

Severity = Literal["info", "warning", "error"]


class Repair(Record):
    """One change that would mend a finding.

    Example:
        >>> iv.Repair(field="answer", before="left", after="right").after
        'right'
    """

    field: NonEmpty
    """Field of the question, or of its raw record as `raw.distractors`."""
    before: JsonValue
    """What is there."""
    after: JsonValue
    """What would be there."""


class Finding(Record):
    """One thing that a check found.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> finding = next(iv.validate_questions(dataset))
        >>> finding.check, finding.severity, finding.question_id
        ('granularity_mismatch', 'info', '-beta_0')
    """

    check: NonEmpty
    """The check's name."""
    severity: Severity
    """How bad it is."""
    message: NonEmpty
    """What was seen, in a sentence."""
    question_id: str | None = None
    """The question, when it is about one."""
    video_id: str | None = None
    """The video, when it is about one."""
    image_id: str | None = None
    """The image, when it is about one."""
    level: str | None = None
    """The level at which texts were compared (`exact`, `folded`, `value`, `alnum`, `set`)."""
    evidence: dict[str, JsonValue] = Field(default_factory=dict)
    """Evidence: texts, numbers, timestamps."""
    repair: Repair | None = None
    """A change that would mend it, where one is safe."""
    found_at: AwareDatetime | None = None
    """When `validate` found it; None until it is written to a file, and in files of version 0.1."""


class BadLine(Record):
    """One line of a JSONL file that could not be used; the others stay usable.

    Example:
        >>> print(iv.BadLine(file="videos.jsonl", line=3, reason="not JSON"))
        videos.jsonl:3: not JSON
    """

    file: str
    """The file, as it was named."""
    line: PositiveInt
    """Line number, from 1."""
    reason: NonEmpty
    """What is wrong with it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


FetchStatus = Literal[
    "ok", "removed", "private", "age_restricted", "geo_blocked", "members_only", "needs_cookies", "rate_limited",
    "not_yet", "network", "corrupt", "content_mismatch", "unsupported", "unknown", "configuration", "over_limit",
]  # fmt: skip


Level = Literal["sound", "odd", "damaged", "not a video", "not examined"]
"""What a video file is worth, by what was examined of it; `ivbench_data.video.levels` says what each means."""


class FetchResult(Record):
    """Outcome of fetching one video.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> [(row.video_id, row.status) for row in iv.fetch_videos(dataset)]
        [('alpha', 'ok'), ('-beta', 'ok')]
    """

    video_id: SafeName
    """The video."""
    status: FetchStatus
    """Outcome of the attempt."""
    reason: str | None = None
    """Why, when it is not `ok`, and what can be done about it; what is odd about the file, when it is."""
    level: Level = "not examined"
    """What the file is worth, by what was examined of it."""
    message: str | None = None
    """The source's message, verbatim, without secrets and without the query parts of addresses."""
    source: str | None = None
    """Where it was asked for: `origin`, or a mirror as named, without secrets; `local` when it was there already."""
    attempts: NonNegativeInt = 0
    """How often the source was asked in this run."""
    when: AwareDatetime | None = None
    """When it was decided."""
    file_name: SafeName | None = None
    """Name of the file in `videos/`, when it is there."""
    format: str | None = None
    """What was chosen of what the source offers: format id, size in pixels, codec."""
    size_bytes: NonNegativeInt | None = None
    """Size of the file."""
    sha256: Sha256 | None = None
    """Digest of the file."""
    yt_dlp_version: str | None = None
    """Version of yt-dlp, when it was used."""
    source_metadata: dict[str, JsonValue] = Field(default_factory=dict)
    """What the source says of the video: duration, licence, channel, language, age limit, categories, captions; and of
    the rendition that was taken: its format id (YouTube's itag) and dynamic range."""


CacheStatus = Literal["done", "skipped", "missing", "failed"]


class CacheResult(Record):
    """Outcome of caching one video in one grid.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> for row in iv.cache_frames(dataset, grids=[iv.FrameGrid.parse("4x16")]):
        ...     print(row.video_id, row.status)
        alpha skipped
        -beta skipped
    """

    video_id: SafeName
    """The video."""
    grid: NonEmpty
    """The grid's identity."""
    status: CacheStatus
    """Written now, there already, no video file, or not possible."""
    reason: str | None = None
    """Why, when it is `missing` or `failed`; what is odd about the video, when it is `done`."""
    level: Level = "not examined"
    """What the file is worth, by what was examined of it."""
    frames: NonNegativeInt = 0
    """Frames in the file."""
    size_bytes: NonNegativeInt = 0
    """Size of the file."""
    decode_path: str | None = None
    """How the frames were decoded: `selective` or `sequential`."""
    frames_decoded: NonNegativeInt = 0
    """Packets that were given to the decoder, for all grids of the video together."""
    upscaled: bool = False
    """Whether the source is smaller than the grid."""
    seconds: Seconds = 0.0
    """Time that the video took, for all its grids together."""
    peak_memory_bytes: NonNegativeInt = 0
    """Most memory that the worker has held so far."""


class VerifyResult(Record):
    """Check result of one file.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> rows = iv.verify_videos(dataset, options=iv.VerifyOptions(workers=0))
        >>> sorted((row.video_id, row.status, row.frames) for row in rows)
        [('-beta', 'ok', 8), ('alpha', 'ok', 8)]
    """

    video_id: SafeName
    """The video."""
    status: Literal["ok", "missing", "failed"]
    """Check result: whole, absent, or failed."""
    depth: NonEmpty
    """How far the check went."""
    reason: str | None = None
    """Why, when it failed; what is odd about the file, when it is `ok`."""
    level: Level = "not examined"
    """What the file is worth, by what was examined of it."""
    file_name: str | None = None
    """The file that was checked, relative to the dataset's folder."""
    frames: NonNegativeInt | None = None
    """Frames that a full decode shows, when they were counted."""
    duration_seconds: Seconds | None = None
    """Length of what the file shows, when it was measured."""
    content: Literal["same", "trimmed", "replaced", "different"] | None = None
    """How its content compares with the video's fingerprint; None when there is none, or the file is damaged."""
    sha256: Sha256 | None = None
    """Digest of the file, when it was made."""


Key = tuple[str, int] | tuple[str, int, int]
"""A question's id, the rotation of its options, and the number of the sample where it is not the first."""


def make_key(question_id: str, rotation: int = 0, sample: int = 0) -> Key:
    """The key of a request, of its reply and of its row."""
    return (question_id, rotation, sample) if sample else (question_id, rotation)


class EvaluationResult(Record):
    """One question asked of one model, and the outcome.

    Example:
        >>> results = iv.read_results("data/tiny/results/c73fd3dd901a7ce2.jsonl")
        >>> row = results.rows["alpha_0", 0]
        >>> row.reply, row.correct
        ('D', False)
    """

    question_id: NonEmpty
    """The question."""
    rotation: NonNegativeInt = 0
    """By how many places its options were rotated to the left when it was asked."""
    sample: NonNegativeInt = 0
    """Number of the sample, from 0, where the question was asked several times in the same words."""
    status: Literal["ok", "empty", "truncated", "filtered", "refused", "failed", "missing", "inapplicable"] = "ok"
    """Answered; replied without a text; cut off at the limit of tokens; withheld by a content filter; refused, as the
    server says; failed, which like these counts as wrong; not asked, since its media are not here; not asked, since the
    way of asking makes no sense for it (as evidence removed from a question on the whole video)."""
    reply: str | None = None
    """The model's reply; None if there is none."""
    answer_index: NonNegativeInt | None = None
    """The option that the reply names, in stored order; None when it names none, which counts as wrong."""
    value: FiniteFloat | None = None
    """The number that the reply names, where one is asked for; None when it names none, or several."""
    correct: bool = False
    """Whether that option or number is right."""
    error: str | None = None
    """Why there is no whole reply, when the status is not `ok`."""
    finish_reason: str | None = None
    """Why the model stopped writing, in its server's word: `stop`, `length`, `content_filter`; None if it says none."""
    reasoning: str | None = None
    """What the model wrote before its reply and its server keeps apart from it; no part of what is parsed."""
    prompt_digest: Sha256 | None = None
    """Digest of the prompt, visuals aside."""
    frames_digest: Sha256 | None = None
    """Digest of the frames that were shown."""
    grid: str | None = None
    """Identity of the cache's grid."""
    visual_tokens: NonNegativeInt | None = None
    """Tokens that frames and images cost."""
    seconds: Seconds | None = None
    """Time the model took."""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    """Model, revision, versions and whatever else a backend reports."""

    @property
    def key(self) -> tuple[str, int] | tuple[str, int, int]:
        """Unique key of the row in its results."""
        return make_key(self.question_id, self.rotation, self.sample)


RECORDS: tuple[type[Record], ...] = (
    Video, QueryImage, Question, FrameGrid, FrameSelection, Finding, BadLine, FetchResult, CacheResult, VerifyResult,
    EvaluationResult,
)  # fmt: skip
"""The records that have a JSON Schema in `schemas/`."""


def json_schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """File name and JSON Schema (draft 2020-12) of every public record."""
    for record in RECORDS:
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **record.model_json_schema()}
        yield f"{record.__name__}.schema.json", schema
