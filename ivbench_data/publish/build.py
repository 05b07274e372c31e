"""The published folder: Parquet, a card, schemas, digests; whole, or not at all.

`publish_folder` fills a new folder beside the old one, has it inspected, and puts it in the old one's place. It
replaces nothing but an earlier publication of the same dataset with no other file in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import JsonValue

from ivbench_data.atomic_files import digest_file, sweep_temporaries, write_bytes, write_folder_atomically, write_json
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError, UsageError
from ivbench_data.manifests import load_manifest, manifest_names
from ivbench_data.publish.card.card_facts import CardFacts
from ivbench_data.publish.card.dataset_card import write_card
from ivbench_data.publish.card.hub_settings import write_eval_yaml
from ivbench_data.publish.edition import CHANGELOG, Edition
from ivbench_data.publish.publication_record import (
    FILE_NAME,
    PublishedSplit,
    PublishedVersion,
    digest_public_question,
    digest_scored_fields,
    read_published,
    write_published,
)
from ivbench_data.publish.published_damage import list_files
from ivbench_data.publish.tables.parquet_columns import make_row, make_video_row, question_features, video_features
from ivbench_data.publish.tables.parquet_files import MAX_SHARD_BYTES, RowSource, write_shards
from ivbench_data.publish.tables.published_media import GatheredImages, copy_media, gather_images
from ivbench_data.schema import FrameGrid, Question, Record, json_schemas
from ivbench_data.validate.checks import CheckContext, count_findings, select_checks, validate_questions
from ivbench_data.video.fingerprint import FILE_NAME as FINGERPRINTS
from ivbench_data.video.fingerprint import read_fingerprints
from ivbench_data.withdrawals import WITHDRAWING, WITHDRAWN, read_recorded_withdrawals, read_withdrawals
from ivbench_data.workspace import Workspace

NOT_CHECKED: Final = ("image_from_own_video",)
"""Checks that a publication does not wait for: they decode videos, or read all caches."""

PUBLIC_PROVENANCE: Final = ("source", "file", "rebuilds_byte_for_byte", "versions", "review")
"""What is published of the provenance where answers are hidden; of `versions` their numbers and sizes."""

_ROW_BYTES: Final = 2_000
"""About what a row takes beside its images."""


class PublishOptions(Record):
    """How a folder is to be published.

    Example:
        >>> iv.PublishOptions(license="cc0-1.0", hidden=("test",)).hidden
        ('test',)
    """

    license: str | None = None
    """Licence of the annotations; None for the one that the benchmark's manifest names, if any."""
    allow_missing_images: bool = False
    """Whether rows may hold null where a query image is not on this machine, or cannot be read."""
    frame_grids: tuple[FrameGrid, ...] = ()
    """Caches whose frames become part of the publication."""
    include_videos: bool = False
    """Whether the video files become part of it."""
    max_shard_bytes: int = MAX_SHARD_BYTES
    """Size of a Parquet file, about."""
    repo_id: str | None = None
    """Where it will be on the Hub, for the card's instructions."""
    hidden: tuple[str, ...] = ()
    """Splits whose answers are kept back, beside those that were hidden before; see `plan_hidden`."""
    revealed: tuple[str, ...] = ()
    """Splits whose answers were hidden before, and become public now."""
    secret_file: Path | None = None
    """File of the secret that orders hidden options; None for the one in the dataset's `private/`."""
    version: str | None = None
    """`major`, `minor`, `patch`, or a number; None for what the changes call for."""


def find_place(folder: Path, workspace: Workspace) -> Path:
    """Where the folder really is, links followed: not among what belongs to the dataset, but for its `published/`.

    Raises:
        UsageError: it is, and would be taken for videos, frames or private files; or there can be no such folder.
    """
    try:
        place, home = folder.resolve(), workspace.folder.resolve()
        place.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, links in a circle, a NUL
        raise UsageError(f"{str(folder)[:80]!r} cannot be a folder: {error}") from None
    if place != home and place.is_relative_to(home) and place != home / "published":
        raise UsageError(f"{folder} is within the dataset's own folder {workspace.folder}: name another, outside of it")
    return place


def check_replaceable(folder: Path, dataset: str) -> None:
    """Raise unless the folder may be replaced: there is none, it is empty, or it is an earlier publication.

    Raises:
        UsageError: the folder holds something else, which must not be deleted.
        DatasetError: its `publish.json` is damaged.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder")
    found = list_files(folder).keys()
    if not found:
        return
    if FILE_NAME not in found:
        raise UsageError(
            f"{folder} holds {_quote(found)}, and is no earlier publication: name a new or an empty folder"
        )
    earlier = read_published(folder)
    if earlier.dataset != dataset:
        raise UsageError(
            f"{folder} holds a publication of {earlier.dataset!r}, not of {dataset!r}: name another folder"
        )
    unknown = sorted(found - earlier.files.keys() - {FILE_NAME})
    if unknown:
        raise UsageError(
            f"{folder} holds {_quote(unknown)} beside what publish wrote, and would be replaced whole: move that away"
        )


def publish_folder(
    dataset: Dataset,
    edition: Edition,
    folder: Path | str,
    workspace: Workspace,
    options: PublishOptions | None = None,
    images: GatheredImages | None = None,
    inspect: Callable[[Path], None] | None = None,
    on_step: Callable[[str], None] | None = None,
) -> PublishedVersion:
    """Write the dataset as a folder that `datasets.load_dataset` reads, and what its `publish.json` says.

    `dataset` is what anyone may see: the answers of hidden splits are out of it already. `images` are those that the
    caller has gathered already. `inspect` is given the finished folder before it is in place; when it raises, nothing
    is published. `on_step` is called with each step.

    Raises:
        UsageError: the folder holds something else; a split names a question that is not there, or that another split
            has; a cache that is to be included does not exist.
        DatasetError: query images are missing and may not be, a file changes while it is read, or a video is withdrawn
            meanwhile.
        CacheCorruptError: a cache that is to be included is damaged.
        StorageError: the folder cannot be written.
        MissingDependencyError: `datasets` is not installed.
    """
    options, on_step = options or PublishOptions(), on_step or (lambda step: None)
    folder = find_place(Path(folder), workspace)
    check_replaceable(folder, dataset.name)
    question_features()  # so that a missing package is known before anything is read
    splits = _select_questions(dataset, edition)
    shown = _restrict(dataset, [question for questions in splits.values() for question in questions])
    if images is None:
        on_step("looking at the query images")
        images = gather_images(dataset, shown.questions, workspace)
    if images.faults and not options.allow_missing_images:
        raise DatasetError(images.describe_faults(dataset.name))
    on_step("validating")
    checks = select_checks(skipped=NOT_CHECKED)
    facts = CardFacts(
        version=_make_record(dataset, edition, splits, images),
        splits=splits,
        manifest=load_manifest(dataset.name) if dataset.name in manifest_names() else None,
        license=options.license,
        videos=len(shown.videos),
        images=len(images.files),
        absent_images=len(images.faults),
        findings=count_findings(validate_questions(shown, CheckContext(workspace), checks), checks),
        not_checked=NOT_CHECKED,
        bad_lines=len(dataset.bad_lines),
        repo_id=options.repo_id,
    )
    sweep_temporaries(folder.parent, below=False)
    with write_folder_atomically(folder) as unfinished:
        _write_tables(unfinished, facts, images, shown, workspace, options, on_step)
        included = copy_media(shown, workspace, unfinished, options.frame_grids, options.include_videos, on_step)
        _write_documents(unfinished, replace(facts, included=included), edition)
        on_step("digesting")
        files = {name: digest_file(path) for name, path in list_files(unfinished).items()}
        version = facts.version.model_copy(update={"files": files})
        write_published(unfinished / FILE_NAME, version)
        if inspect is not None:
            inspect(unfinished)
        _check_not_withdrawn(shown, workspace)
        check_replaceable(folder, dataset.name)  # it may have been filled since
    return version


# --- parts ----------------------------------------------------------------------------------------------------------


def _check_not_withdrawn(shown: Dataset, workspace: Workspace) -> None:
    """Raise if a video was withdrawn since the dataset was read.

    Raises:
        DatasetError: it was.
    """
    videos = {question.video_id for question in shown.questions}
    for withdrawal in read_recorded_withdrawals(workspace.folder):
        if withdrawal.video_id in videos:
            raise DatasetError(f"nothing was published, since a video was withdrawn: {withdrawal}. Run it again")


def _make_record(
    dataset: Dataset, edition: Edition, splits: Mapping[str, Sequence[Question]], images: GatheredImages
) -> PublishedVersion:
    """What `publish.json` will say, without the digests of files."""
    published = [question for questions in splits.values() for question in questions]
    return PublishedVersion(
        dataset=dataset.name,
        version=edition.version,
        canary=edition.canary,
        created_from=_describe_source(dataset, any(question.answers_hidden for question in published)),
        splits={
            name: PublishedSplit(
                questions=tuple(question.question_id for question in questions),
                hidden=any(question.answers_hidden for question in questions),
                answers_sha256=edition.answers_sha256.get(name),
            )
            for name, questions in splits.items()
        },
        question_digests={
            each.question_id: digest_public_question(each, images.digests_of(each)) for each in published
        },
        score_digests={question.question_id: digest_scored_fields(question) for question in published},
        withdrawn=read_withdrawals(dataset.provenance),
        split_recipe=edition.recipe,
    )


def _write_tables(
    unfinished: Path,
    facts: CardFacts,
    images: GatheredImages,
    shown: Dataset,
    workspace: Workspace,
    options: PublishOptions,
    on_step: Callable[[str], None],
) -> None:
    features, canary = question_features(), facts.version.canary
    for name, questions in facts.splits.items():
        on_step(f"writing the split {name}")
        sources = [_source_of(question, images, canary) for question in questions]
        for _ in write_shards(unfinished / "data", name, sources, features, options.max_shard_bytes):
            pass
    on_step("writing the videos")
    list(write_shards(unfinished / "videos", "videos", _video_rows(shown, workspace, canary), video_features()))


def _write_documents(unfinished: Path, facts: CardFacts, edition: Edition) -> None:
    for name, schema in json_schemas():
        write_json(unfinished / "schemas" / name, schema)
    write_bytes(unfinished / "README.md", write_card(facts).encode())
    if (evaluation := write_eval_yaml(facts)) is not None:
        write_bytes(unfinished / "eval.yaml", evaluation.encode())
    write_bytes(unfinished / CHANGELOG, (edition.changelog or _begin_changelog(edition.version)).encode())


def _select_questions(dataset: Dataset, edition: Edition) -> dict[str, list[Question]]:
    by_id = {question.question_id: question for question in dataset.questions}
    splits: dict[str, list[Question]] = {}
    split_of: dict[str, str] = {}
    for name, question_ids in edition.splits.items():
        for question_id in question_ids:
            if question_id not in by_id:
                raise UsageError(f"the split {name!r} names the question {question_id!r}, and there is none")
            if question_id in split_of:
                raise UsageError(
                    f"the question {question_id!r} is in the splits {split_of[question_id]!r} and {name!r}"
                )
            split_of[question_id] = name
        splits[name] = [by_id[question_id] for question_id in question_ids]
        if name in edition.answers_sha256 and not all(question.answers_hidden for question in splits[name]):
            raise UsageError(f"the answers of the split {name!r} are to be hidden, and the dataset holds some of them")
    if not split_of:
        raise UsageError("there is no question to publish")
    return splits


def _restrict(dataset: Dataset, questions: Sequence[Question]) -> Dataset:
    """The dataset with these questions alone, and the videos and images that they show."""
    videos = {question.video_id for question in questions}
    images = {image_id for question in questions for image_id in question.image_ids}
    return Dataset(
        dataset.name,
        tuple(video for video in dataset.videos if video.video_id in videos),
        tuple(image for image in dataset.images if image.image_id in images),
        tuple(questions),
    )


def _source_of(question: Question, images: GatheredImages, canary: str) -> RowSource:
    files = [images.files.get(image_id) for image_id in question.image_ids]
    size_bytes = _ROW_BYTES + sum(file.size_bytes for file in files if file is not None)
    return RowSource(
        size_bytes, lambda: make_row(question, [None if file is None else file.read() for file in files], canary)
    )


def _video_rows(dataset: Dataset, workspace: Workspace, canary: str) -> list[RowSource]:
    path = workspace.folder / FINGERPRINTS
    fingerprints = read_fingerprints(path)[0] if path.is_file() else {}
    template = load_manifest(dataset.name).video_url_template if dataset.name in manifest_names() else None

    def source_of(row: dict[str, Any]) -> RowSource:
        return RowSource(_ROW_BYTES, lambda: row)

    return [
        source_of(make_video_row(video, template, fingerprints.get(video.video_id), canary)) for video in dataset.videos
    ]


def _describe_source(dataset: Dataset, hidden: bool) -> dict[str, JsonValue]:
    """The provenance, without what has a place of its own; with hidden answers, nothing that rests on them.

    Of a provenance that others wrote nobody knows what it holds, and a digest of a file with few unknown answers can be
    reversed by trying them all: so it is an allow-list, as for questions.
    """
    if not hidden:
        return {name: value for name, value in dataset.provenance.items() if name not in (WITHDRAWN, WITHDRAWING)}
    shown: dict[str, JsonValue] = {
        name: dataset.provenance[name] for name in PUBLIC_PROVENANCE if name in dataset.provenance
    }
    versions = shown.get("versions")
    if isinstance(versions, list):
        shown["versions"] = [
            {name: row[name] for name in ("version", "changes", "dropped") if name in row}
            for row in versions
            if isinstance(row, dict)
        ]
    return shown


def _begin_changelog(version: str) -> str:
    return f"# Changelog of the data\n\n## {version}\n\nThe first version.\n"


def _quote(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
