"""A dataset as other people's harnesses take it: worded questions, paths of media, verdicts on replies, figures.

Every harness differs in its files, and in nothing else. All of them take from here

- `find_rows`: the questions that can be asked, each with its text (options shown, by our wording), and absolute paths
  of its film or its frames and of its query images, in the order in which they are shown; and those that cannot,
  with the reason, so that no denominator shrinks unseen;
- `list_figures`: the figures that a question counts in: overall, its group's, its task's;
- `collect_results`, `keep_reply_score`, `gather_results`: replies as the rows of a results file, which `score_results`
  scores as `ivbench-data score` does.

lmms-eval takes rows as documents, and inspect_ai as samples; both hand over reply by reply, and get their figures from
`harness_figures`, one figure at a time. VLMEvalKit takes rows as its table and hands over all replies at once.
`harness_folder` writes rows and media into a folder that can be moved, and reads them back.
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
from ivbench_data.evaluate.results import Configuration, Header, Results
from ivbench_data.evaluate.scores import Scorecard, is_scorable, score_results
from ivbench_data.exports.frame_pictures import list_frame_paths
from ivbench_data.frames.frame_file import read_frame_file
from ivbench_data.manifests import Manifest, find_manifest
from ivbench_data.query_images import find_image_fault
from ivbench_data.schema import EvaluationResult, FrameGrid, NonEmpty, Question, Record
from ivbench_data.workspace import Workspace

PATTERN = "video_first"
"""The order in which harnesses show visuals: the paper's default."""


class Figure(NamedTuple):
    """A figure of a harness's table."""

    kind: Literal["overall", "group", "task"]
    """What it is the mean of: all questions, a group of tasks, a task."""
    name: str
    """The group's key or the task's name; `overall`."""


OVERALL = Figure("overall", "overall")
"""The figure that every question counts in, if it can be scored."""


NOTHING_FAILED: Mapping[str, str] = MappingProxyType({})


class HarnessOptions(Record):
    """How questions are shown to a harness."""

    show: Literal["videos", "frames"] = "videos"
    """The film, of which the harness or the model takes frames as it likes; or the frames of one of our caches."""
    grid: FrameGrid = FrameGrid(nframes=32, res=240)
    """Which cache, for `frames`."""
    profile: str = "default"
    """How questions are worded and replies read; a name in `PROFILES`, or `paper` for the benchmark's own."""
    revealed_splits: tuple[NonEmpty, ...] = ()
    """Splits whose questions are exported although their answers were hidden when they were published."""

    def check(self, dataset: Dataset) -> None:
        """Refuse what cannot be done.

        Raises:
            UsageError: there is no such profile, or it states how many frames are shown and nobody knows.
        """
        profiles = [resolve_profile(self.profile, source) for source in {item.source for item in dataset.questions}]
        if self.show == "videos" and any(PROFILES[name].states_frames for name in profiles):
            raise UsageError(
                "the paper's wording states how many frames are shown, and of a film nobody knows beforehand: "
                "show frames, or use the default profile"
            )


def show_frames_of(pictures: Path | str, options: HarnessOptions, dataset: str) -> tuple[HarnessOptions, Path]:
    """The options with the frames of a folder that `export frames` wrote, such as `pictures/32x240`; and its parent.

    Raises:
        UsageError: the folder is not there, or its last part is no grid.
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
    """What is asked, options and all: the words that follow the visuals."""
    video: NonEmpty | None = None
    """Path of the film; None with `frames`, and for a question without a video."""
    frames: tuple[NonEmpty, ...] = ()
    """Paths of the frames in their order; a frame that is shown twice is there twice."""
    images: tuple[NonEmpty, ...] = ()
    """Paths of the query images, in their order; shown after the video."""
    figures: tuple[Figure, ...] = ()
    """The figures that the question counts in."""
    position: NonNegativeInt = 0
    """The question's place in the dataset."""


class UnaskedRow(Record):
    """A question that cannot be asked, since its media are not there or damaged."""

    question: Question
    """The question, without its raw record."""
    kind: Literal["missing", "failed"]
    """Media that are not there, or are damaged."""
    reason: NonEmpty
    """Which, and what can be done about it."""
    position: NonNegativeInt = 0
    """The question's place in the dataset."""

    @property
    def question_id(self) -> str:
        """The question's id."""
        return self.question.question_id


def find_rows(
    dataset: Dataset, workspace: Workspace, options: HarnessOptions, frames_folder: Path | None = None
) -> Iterator[HarnessRow | UnaskedRow]:
    """Every question with absolute paths of its media, or why it cannot be asked, in the dataset's order by video.

    `frames_folder` is what `export frames` was given to write PNG into; what it should hold is not looked for.

    Raises:
        UsageError: the options cannot be used together, or frames are to be shown and no folder of them is named.
    """
    options.check(dataset)
    if options.show == "frames" and frames_folder is None:
        raise UsageError("to show frames, name the folder that they were exported to")
    asker = Asker(dataset, workspace, AskOptions(grid=options.grid, pattern=PATTERN, profile=options.profile))
    manifest = find_manifest(dataset)
    position_of = {question.question_id: position for position, question in enumerate(dataset.questions)}
    for question in asker.select_questions():
        if frames_folder is not None and options.show == "frames":
            row = _show_frames(asker, question, frames_folder)
        else:
            row = _show_film(workspace, question, options)
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


def _show_film(workspace: Workspace, question: Question, options: HarnessOptions) -> HarnessRow | UnaskedRow:
    film = None if question.video_id is None else workspace.find_video(question.video_id)
    images = [workspace.image_path(image_id) for image_id in question.image_ids]
    lacking = [f"the image {path.name}" for path in images if not path.is_file()]
    if question.video_id is not None and film is None:
        lacking.insert(0, f"the video {question.video_id}")
    if lacking:
        reason = f"{' and '.join(lacking)} of {workspace.dataset} are not here"
        return UnaskedRow(question=_without_raw(question), kind="missing", reason=reason)
    profile = PROFILES[resolve_profile(options.profile, question.source)]
    if profile.shows_evidence and find_evidence_text(question) is None:
        reason = "no text of its evidence is known"
        return UnaskedRow(question=_without_raw(question), kind="missing", reason=reason)
    parts, _ = compose(question, PATTERNS[PATTERN], profile)
    return HarnessRow(
        question=_without_raw(question),
        text="".join(getattr(part, "text", "") for part in parts),
        video=str(film.absolute()) if film is not None else None,
        images=tuple(str(path.absolute()) for path in images),
    )


def check_film(row: HarnessRow, suffixes: Collection[str]) -> HarnessRow | UnaskedRow:
    """The row, if its film ends as those that a harness takes; else it cannot be asked there, and says so."""
    film = Path(row.video) if row.video is not None else None
    if film is None or film.suffix.lower() in suffixes:
        return row
    reason = (
        f"{film.name} is no film of a kind that it takes ({', '.join(suffixes)}): show the frames of a cache instead"
    )
    return UnaskedRow(question=row.question, kind="missing", reason=reason, position=row.position)


def _check_images(row: HarnessRow) -> HarnessRow | UnaskedRow:
    """The row, if its images can be opened: a harness would end its whole run at one that cannot."""
    for path in map(Path, row.images):
        if fault := find_image_fault(path, decode=True):
            reason = f"the image {path.name} is damaged: {fault}"
            return UnaskedRow(question=row.question, kind="failed", reason=reason)
    return row


def _without_raw(question: Question) -> Question:
    return question.model_copy(update={"raw": None})


@dataclass(frozen=True)
class HarnessSet:
    """All rows of a dataset, and what they are out of."""

    dataset: str
    """Name of the dataset."""
    options: HarnessOptions
    """How they are shown."""
    rows: tuple[HarnessRow, ...]
    """What can be asked."""
    unasked: tuple[UnaskedRow, ...]
    """What cannot."""
    scorable: int
    """Questions of the dataset that can be scored, asked or not: what no missing file makes smaller."""
    figures: tuple[Figure, ...]
    """The dataset's figures, in the order of tables."""
    source: Path
    """Where they were gathered from: the dataset's folder, or an exported one."""

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every question of the dataset, asked or not, in its order."""
        rows: list[HarnessRow | UnaskedRow] = [*self.rows, *self.unasked]
        return tuple(row.question for row in sorted(rows, key=lambda row: row.position))


def gather_rows(
    dataset: Dataset, workspace: Workspace, options: HarnessOptions, frames_folder: Path | None = None
) -> HarnessSet:
    """All rows of `find_rows` together; raises what it does."""
    return make_set(dataset, options, find_rows(dataset, workspace, options, frames_folder), workspace.folder)


def make_set(
    dataset: Dataset, options: HarnessOptions, rows: Iterable[HarnessRow | UnaskedRow], source: Path
) -> HarnessSet:
    """The rows and what they are out of."""
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


# --- from replies to figures ------------------------------------------------------------------------------------


def list_figures(question: Question, manifest: Manifest | None) -> tuple[Figure, ...]:
    """The figures that a question counts in: all, its group's, its task's; none where it cannot be scored."""
    if not is_scorable(question):
        return ()
    tasks = manifest.tasks if manifest is not None else ()
    group = next((task.group for task in tasks if task.name == question.task), None)
    return (OVERALL, *((Figure("group", group),) if group else ()), Figure("task", question.task))


def list_manifest_figures(manifest: Manifest) -> list[Figure]:
    """Every figure that a benchmark's manifest names, in the order of tables."""
    groups = [Figure("group", key) for key in manifest.task_groups]
    return [OVERALL, *groups, *(Figure("task", task.name) for task in manifest.tasks)]


def find_figures(dataset: Dataset) -> list[Figure]:
    """Every figure that a dataset has, in the order of tables: all questions, groups, tasks."""
    manifest = find_manifest(dataset)
    found = dict.fromkeys(figure for question in dataset.questions for figure in list_figures(question, manifest))
    told = list_manifest_figures(manifest) if manifest is not None else [OVERALL]
    return [figure for figure in dict.fromkeys([*told, *found]) if figure in found]


def score_replies(
    dataset: Dataset,
    replies: Mapping[str, str | None],
    options: HarnessOptions | None = None,
    model: str = "model",
    harness: str = "harness",
) -> Scorecard:
    """All figures of the replies (question id → reply): those that `ivbench-data score` gives for them.

    A question without a reply was not asked, and is counted as missing; a reply of None is one that names nothing.

    Raises:
        UsageError: a reply is to no question of the dataset.
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
    """The rows of the replies, as the evaluator would have kept them; a file of them can be scored by `score`.

    `failed` says why there is no reply to a question that was to be asked, which counts as wrong.

    Raises:
        UsageError: a reply is to no question of the dataset.
    """
    asked = options or HarnessOptions()
    questions = {question.question_id: question for question in dataset.questions}
    if strangers := [question_id for question_id in (*replies, *failed) if question_id not in questions]:
        raise UsageError(f"there is a reply to {strangers[0]!r}, which is no question of {dataset.name}")
    rows = [
        keep_reply_score(score_reply(questions[key], reply, asked.profile), key, reply)
        for key, reply in replies.items()
    ]
    rows += [
        EvaluationResult(question_id=question_id, status="failed", error=reason)
        for question_id, reason in failed.items()
    ]
    return gather_results(dataset.name, rows, asked, model, harness)


def keep_reply_score(judgement: ReplyScore, question_id: str, reply: str | None) -> EvaluationResult:
    """The row of a reply, as the evaluator would have kept it."""
    return EvaluationResult(
        question_id=question_id,
        reply=reply,
        answer_index=judgement.answer_index,
        value=judgement.value,
        correct=judgement.correct,
        metadata={"rule": judgement.rule},
    )


def gather_results(
    dataset: str,
    rows: Iterable[EvaluationResult],
    asked: HarnessOptions,
    model: str = "model",
    harness: str = "harness",
) -> Results:
    """The rows as a results file that was never written."""
    configuration = Configuration(
        dataset=dataset,
        model=model,
        model_options={"harness": harness},
        pattern=PATTERN,
        profile=asked.profile,
        grid=asked.grid.identity if asked.show == "frames" else None,
        prompt_version=PROMPT_VERSION,
    )
    header = Header(configuration=configuration, started="1970-01-01T00:00:00Z")
    return Results(Path(harness), (header,), {(row.question_id, row.rotation): row for row in rows})
