"""A dataset for evaluation harnesses: worded questions, paths of media, and results from replies.

Harnesses differ only in their files. All of them use

- `find_rows`: the questions that can be asked, each with its text (options included, in our wording), and absolute
  paths of its video or frames and of its query images, in the order shown; and the questions that cannot be asked,
  with reasons, so that no denominator shrinks unnoticed;
- `list_figures`: the figures that a question counts in: overall, its group's, its task's;
- `collect_results`, `make_result_row`, `gather_results`: replies as the rows of a results file, which `score_results`
  scores as `ivbench-data score` does.

lmms-eval takes rows as documents, and inspect_ai as samples; both return single replies, and get their figures from
`harness_figures`, one at a time. VLMEvalKit takes rows as its table and returns all replies at once. `harness_folder`
writes rows and media to a folder that can be moved, and reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from pydantic import NonNegativeInt

from ivbench_data.dataset import Dataset
from ivbench_data.errors import UsageError
from ivbench_data.evaluate.prompts.asking import Asker, AskOptions, Unasked
from ivbench_data.evaluate.prompts.compose import PROFILES, PROMPT_VERSION, compose, resolve_profile
from ivbench_data.evaluate.prompts.patterns import PATTERNS
from ivbench_data.evaluate.prompts.wording import find_evidence_text
from ivbench_data.evaluate.reply_scores import ReplyScore, score_reply
from ivbench_data.evaluate.results import Results, ResultsHeader, RunConfiguration
from ivbench_data.evaluate.sampled_rows import is_scorable
from ivbench_data.evaluate.scores import Scorecard, score_results
from ivbench_data.exports.frame_pictures import list_frame_paths
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.manifests import Manifest, find_manifest
from ivbench_data.query_images import find_image_fault
from ivbench_data.schema import EvaluationResult, FrameGrid, NonEmpty, Question, Record
from ivbench_data.workspace import Workspace

PATTERN = "video_first"
"""The order in which harnesses show visuals: the paper's default."""


class Figure(NamedTuple):
    """A figure in a harness's table."""

    kind: Literal["overall", "group", "task"]
    """Whether it covers all questions, a group of tasks, or a task."""
    name: str
    """The group's key or the task's name; `overall`."""


OVERALL = Figure("overall", "overall")
"""The figure over all questions that can be scored."""


NOTHING_FAILED: Mapping[str, str] = MappingProxyType({})


class HarnessOptions(Record):
    """How questions are shown to a harness."""

    show: Literal["videos", "frames"] = "videos"
    """Video files, which the harness or the model samples itself; or the frames of one of our caches."""
    grid: FrameGrid = FrameGrid(nframes=32, res=240)
    """Grid of the frame cache, for `frames`."""
    profile: str = "default"
    """Wording and reply parser; a name in `PROFILES`, or `paper` for the benchmark's own."""
    revealed_splits: tuple[NonEmpty, ...] = ()
    """Splits whose questions are exported although their answers were hidden when they were published."""

    def check(self, dataset: Dataset) -> None:
        """Raise if the options cannot be combined.

        Raises:
            UsageError: there is no such profile, or it states the number of frames, which video files leave open.
        """
        profiles = [resolve_profile(self.profile, source) for source in {item.source for item in dataset.questions}]
        if self.show == "videos" and any(PROFILES[name].states_frames for name in profiles):
            raise UsageError(
                "the paper's wording states the number of frames, which is unknown for video files: "
                "show frames, or use the default profile"
            )


def show_frames_of(pictures: Path | str, options: HarnessOptions, dataset: str) -> tuple[HarnessOptions, Path]:
    """The options for a folder written by `export frames`, such as `pictures/32x240`, and the folder's parent.

    Raises:
        UsageError: the folder does not exist, or its last part is not a grid.
    """
    folder = Path(pictures)
    try:
        grid = FrameGrid.parse(folder.name)
    except ValueError as error:
        raise UsageError(f"{folder} should end in the grid of the frames in it: {error}") from None
    if not folder.is_dir():
        raise UsageError(
            f"there are no frames in {folder}. Write them with: ivbench-data export frames {folder.parent} "
            f"--grid {grid.identity} --dataset {dataset}"
        )
    return options.model_copy(update={"show": "frames", "grid": grid}), folder.parent


class HarnessRow(Record):
    """A question that can be asked."""

    question: Question
    """The question, without its raw record."""
    text: str
    """The text after the visuals, with the options."""
    video: NonEmpty | None = None
    """Path of the video file; None with `frames`, and for a question without a video."""
    frames: tuple[NonEmpty, ...] = ()
    """Paths of the frames in the order shown; a frame that is shown twice is listed twice."""
    images: tuple[NonEmpty, ...] = ()
    """Paths of the query images, in order; shown after the video."""
    figures: tuple[Figure, ...] = ()
    """The figures that the question counts in."""
    position: NonNegativeInt = 0
    """The question's position in the dataset."""


class UnaskedRow(Record):
    """A question that cannot be asked, because its media are missing or damaged."""

    question: Question
    """The question, without its raw record."""
    kind: Literal["missing", "failed"]
    """`missing` media, or damaged ones (`failed`)."""
    reason: NonEmpty
    """Which media, and what to do."""
    position: NonNegativeInt = 0
    """The question's position in the dataset."""

    @property
    def question_id(self) -> str:
        """The question's id."""
        return self.question.question_id


def find_rows(
    dataset: Dataset, workspace: Workspace, options: HarnessOptions, frames_folder: Path | None = None
) -> Iterator[HarnessRow | UnaskedRow]:
    """Every question with absolute paths of its media, or the reason why it cannot be asked, grouped by video.

    `frames_folder` is the output folder of `export frames` with PNG; its files are not checked for existence.

    Raises:
        UsageError: the options cannot be combined, or `frames_folder` is missing for `frames`.
    """
    options.check(dataset)
    if options.show == "frames" and frames_folder is None:
        raise UsageError("to show frames, name the folder to which they were exported")
    asker = Asker(dataset, workspace, AskOptions(grid=options.grid, pattern=PATTERN, profile=options.profile))
    manifest = find_manifest(dataset)
    position_of = {question.question_id: position for position, question in enumerate(dataset.questions)}
    for question in asker.select_questions():
        if frames_folder is not None and options.show == "frames":
            row = _show_frames(asker, question, frames_folder)
        else:
            row = _show_video_file(workspace, question, options)
        if isinstance(row, HarnessRow):
            row = _check_images(row.model_copy(update={"figures": list_figures(question, manifest)}))
        yield row.model_copy(update={"position": position_of[question.question_id]})


def _show_frames(asker: Asker, question: Question, frames_folder: Path) -> HarnessRow | UnaskedRow:
    request = asker.ask(question)
    if isinstance(request, Unasked):
        kind: Literal["missing", "failed"] = "failed" if request.kind == "error" else "missing"
        return UnaskedRow(question=_without_raw(question), kind=kind, reason=request.reason)
    frames: list[Path] = []
    if request.video is not None:
        clip = read_frame_file(request.video.path)
        frames = list_frame_paths(frames_folder, asker.options.grid, clip, request.video.video_id)
        if request.video.positions is not None:  # core frames are a question's own
            frames = [frames[position] for position in request.video.positions]
    return HarnessRow(
        question=_without_raw(question),
        text=request.text,
        frames=tuple(str(path.absolute()) for path in frames),
        images=tuple(str(image.path.absolute()) for image in request.images if image.path is not None),
    )


def _show_video_file(workspace: Workspace, question: Question, options: HarnessOptions) -> HarnessRow | UnaskedRow:
    video = None if question.video_id is None else workspace.find_video(question.video_id)
    images = [workspace.image_path(image_id) for image_id in question.image_ids]
    lacking = [f"the image {path.name}" for path in images if not path.is_file()]
    if question.video_id is not None and video is None:
        lacking.insert(0, f"the video {question.video_id}")
    if lacking:
        reason = f"{' and '.join(lacking)} of {workspace.dataset} are missing"
        return UnaskedRow(question=_without_raw(question), kind="missing", reason=reason)
    profile = PROFILES[resolve_profile(options.profile, question.source)]
    if profile.shows_evidence and find_evidence_text(question) is None:
        reason = "its evidence has no text"
        return UnaskedRow(question=_without_raw(question), kind="missing", reason=reason)
    parts, _ = compose(question, PATTERNS[PATTERN], profile)
    return HarnessRow(
        question=_without_raw(question),
        text="".join(getattr(part, "text", "") for part in parts),
        video=str(video.absolute()) if video is not None else None,
        images=tuple(str(path.absolute()) for path in images),
    )


def check_video_suffix(row: HarnessRow, suffixes: Collection[str]) -> HarnessRow | UnaskedRow:
    """The row if its video file has one of the suffixes; else an unasked row with the reason."""
    video = Path(row.video) if row.video is not None else None
    if video is None or video.suffix.lower() in suffixes:
        return row
    reason = (
        f"{video.name} has a suffix that the harness does not support ({', '.join(suffixes)}): export frames instead"
    )
    return UnaskedRow(question=row.question, kind="missing", reason=reason, position=row.position)


def _check_images(row: HarnessRow) -> HarnessRow | UnaskedRow:
    """The row if its images can be decoded, else an unasked row: a harness would abort its run at a damaged image."""
    for path in map(Path, row.images):
        if fault := find_image_fault(path, decode=True):
            reason = f"the image {path.name} is damaged: {fault}"
            return UnaskedRow(question=row.question, kind="failed", reason=reason)
    return row


def _without_raw(question: Question) -> Question:
    return question.model_copy(update={"raw": None})


@dataclass(frozen=True)
class HarnessSet:
    """All rows of a dataset, with the counts and figures that belong to them."""

    dataset: str
    """Name of the dataset."""
    options: HarnessOptions
    """How questions are shown."""
    rows: tuple[HarnessRow, ...]
    """Questions that can be asked."""
    unasked: tuple[UnaskedRow, ...]
    """Questions that cannot."""
    scorable: int
    """Number of questions that can be scored, asked or not; independent of missing files."""
    figures: tuple[Figure, ...]
    """The dataset's figures, in table order."""
    source: Path
    """The dataset's folder, or an exported one."""

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every question of the dataset, asked or not, in dataset order."""
        rows: list[HarnessRow | UnaskedRow] = [*self.rows, *self.unasked]
        return tuple(row.question for row in sorted(rows, key=lambda row: row.position))


def gather_rows(
    dataset: Dataset, workspace: Workspace, options: HarnessOptions, frames_folder: Path | None = None
) -> HarnessSet:
    """All rows of `find_rows` as a set; raises the same errors."""
    return make_set(dataset, options, find_rows(dataset, workspace, options, frames_folder), workspace.folder)


def make_set(
    dataset: Dataset, options: HarnessOptions, rows: Iterable[HarnessRow | UnaskedRow], source: Path
) -> HarnessSet:
    """The set of the rows, with the dataset's counts and figures."""
    found = list(rows)
    return HarnessSet(
        dataset=dataset.name,
        options=options,
        rows=tuple(row for row in found if isinstance(row, HarnessRow)),
        unasked=tuple(row for row in found if isinstance(row, UnaskedRow)),
        scorable=sum(map(is_scorable, dataset.questions)),
        figures=tuple(find_figures(dataset)),
        source=source.absolute(),
    )


# --- figures and results ----------------------------------------------------------------------------------------


def list_figures(question: Question, manifest: Manifest | None) -> tuple[Figure, ...]:
    """The figures that a question counts in: overall, its group's, its task's; empty if it cannot be scored."""
    if not is_scorable(question):
        return ()
    tasks = manifest.tasks if manifest is not None else ()
    group = next((task.group for task in tasks if task.name == question.task), None)
    return (OVERALL, *((Figure("group", group),) if group else ()), Figure("task", question.task))


def list_manifest_figures(manifest: Manifest) -> list[Figure]:
    """Every figure of a benchmark's manifest, in table order."""
    groups = [Figure("group", key) for key in manifest.task_groups]
    return [OVERALL, *groups, *(Figure("task", task.name) for task in manifest.tasks)]


def find_figures(dataset: Dataset) -> list[Figure]:
    """Every figure of a dataset, in table order: overall, groups, tasks."""
    manifest = find_manifest(dataset)
    found = dict.fromkeys(figure for question in dataset.questions for figure in list_figures(question, manifest))
    ordered = list_manifest_figures(manifest) if manifest is not None else [OVERALL]
    return [figure for figure in dict.fromkeys([*ordered, *found]) if figure in found]


def score_replies(
    dataset: Dataset,
    replies: Mapping[str, str | None],
    options: HarnessOptions | None = None,
    model: str = "model",
    harness: str = "harness",
) -> Scorecard:
    """The scorecard of replies by question id, equal to that of `ivbench-data score`.

    A question without an entry counts as missing; a reply of None as a reply without an answer.

    Raises:
        UsageError: a reply is to an unknown question.
        MissingDependencyError: scipy is not installed.
    """
    return score_results(dataset, collect_results(dataset, replies, options, model, harness))


def collect_results(
    dataset: Dataset,
    replies: Mapping[str, str | None],
    options: HarnessOptions | None = None,
    model: str = "model",
    harness: str = "harness",
    failed: Mapping[str, str] = NOTHING_FAILED,
) -> Results:
    """The replies as the rows of a results file, as the evaluator would store them.

    `failed` is the reason by question id for questions without a reply, which count as wrong.

    Raises:
        UsageError: a reply is to an unknown question.
    """
    asked = options or HarnessOptions()
    questions = {question.question_id: question for question in dataset.questions}
    if unknown := [question_id for question_id in (*replies, *failed) if question_id not in questions]:
        raise UsageError(f"there is a reply to {unknown[0]!r}, which is not a question of {dataset.name}")
    rows = [
        make_result_row(score_reply(questions[key], reply, asked.profile), key, reply) for key, reply in replies.items()
    ]
    rows += [
        EvaluationResult(question_id=question_id, status="failed", error=reason)
        for question_id, reason in failed.items()
    ]
    return gather_results(dataset.name, rows, asked, model, harness)


def make_result_row(reply_score: ReplyScore, question_id: str, reply: str | None) -> EvaluationResult:
    """The result row of a reply, as the evaluator would store it."""
    return EvaluationResult(
        question_id=question_id,
        reply=reply,
        answer_index=reply_score.answer_index,
        value=reply_score.value,
        correct=reply_score.correct,
        metadata={"rule": reply_score.rule},
    )


def gather_results(
    dataset: str,
    rows: Iterable[EvaluationResult],
    asked: HarnessOptions,
    model: str = "model",
    harness: str = "harness",
) -> Results:
    """The rows as `Results` without a file."""
    configuration = RunConfiguration(
        dataset=dataset,
        model=model,
        model_options={"harness": harness},
        pattern=PATTERN,
        profile=asked.profile,
        grid=asked.grid.identity if asked.show == "frames" else None,
        prompt_version=PROMPT_VERSION,
    )
    header = ResultsHeader(configuration=configuration, started="1970-01-01T00:00:00Z")
    return Results(Path(harness), (header,), {row.key: row for row in rows})
