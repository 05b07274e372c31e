"""From a dataset to a published version, all steps in their order: hide, compare, number, build, attack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError
from ivbench_data.hidden_record import forget_hidden, remember_hidden
from ivbench_data.publish.build import PublishOptions, publish_folder
from ivbench_data.publish.changes import EditionChanges
from ivbench_data.publish.edition import (
    EarlierEdition,
    PublicSplits,
    answers_path,
    check_whole,
    compare_with_earlier,
    find_secret,
    hide_splits,
    make_edition,
)
from ivbench_data.publish.hidden.hidden_answers import read_answers
from ivbench_data.publish.hidden.hidden_plan import plan_hidden
from ivbench_data.publish.hidden.secret import HidingSecret
from ivbench_data.publish.publication_record import PublishedVersion, read_published, write_published
from ivbench_data.publish.selfcheck.published_answers import (
    PublishedAnswers,
    read_published_answers,
    write_published_answers,
)
from ivbench_data.publish.selfcheck.selfcheck import SelfCheckReport, check_published
from ivbench_data.publish.splits.split_plan import SplitPlan
from ivbench_data.publish.tables.published_media import GatheredImages, gather_images
from ivbench_data.workspace import Workspace, default_root

LAST_PUBLISHED: Final = "last-published.json"
"""In `private/`: the record of the last version with hidden answers, even if its folder is lost."""


@dataclass(frozen=True)
class Publication:
    """A version that was written, and what to report of it.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> plan = iv.plan_splits(dataset)
        >>> published = iv.publish_dataset(dataset, None, "out", plan)
        >>> published.version.version, published.self_check
        ('1.0.0', None)
    """

    version: PublishedVersion
    """What its `publish.json` says."""
    changes: EditionChanges
    """What it changes against the version before."""
    images: GatheredImages
    """Its query images, and those that are absent."""
    answers: Mapping[str, Path]
    """The private answers file of each hidden split."""
    self_check: SelfCheckReport | None
    """What attacks on it came to; None where nothing is hidden."""
    secret: HidingSecret | None
    """The secret that orders its hidden options; None where nothing is hidden."""
    warnings: tuple[str, ...]
    """What is not as it could be, in sentences."""


def publish_dataset(
    dataset: Dataset,
    root: Path | str | None,
    folder: Path | str,
    plan: SplitPlan,
    options: PublishOptions | None = None,
    *,
    earlier: EarlierEdition | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Publication:
    """Publish the splits of a plan as a folder.

    Args:
        dataset: the questions, with their answers.
        root: folder that holds the datasets, with their images, media, secret and hidden answers; `$IVBENCH_ROOT` or
            `./data` by default.
        folder: folder to write; an earlier version of the same dataset there is replaced whole.
        plan: which question is in which split.
        options: what is published, under which version, and which splits' answers are hidden.
        earlier: the version that this one follows, from `read_earlier` or `fetch_earlier`.
        on_step: called with the name of each step when it begins.

    Raises:
        UsageError: the folder holds something else, a split or a version cannot be, or the secret is missing.
        DatasetError: lines of the dataset cannot be read, query images are absent and may not be, or a hidden answer
            can be found; then nothing is published.
        StorageError: the folder cannot be written.
        MissingDependencyError: `datasets` is not installed.

    Example:
        >>> dataset = iv.load_dataset("tiny")
        >>> plan = iv.plan_splits(dataset)
        >>> published = iv.publish_dataset(dataset, "data", "out", plan, iv.PublishOptions(license="cc0-1.0"))
        >>> published.version.version, list(published.version.splits)
        ('1.0.0', ['test'])
    """
    options, on_step = options or PublishOptions(), on_step or (lambda step: None)
    workspace = Workspace(Path(root) if root is not None else default_root(), dataset.name)
    check_whole(dataset)
    record = earlier.record if earlier is not None else None
    hiding = plan_hidden(dataset, plan.splits, workspace, record, options.hidden, options.revealed)
    secret = find_secret(earlier, workspace, options.secret_file) if hiding.names else None
    public = hide_splits(dataset, plan.splits, hiding.names, secret.value if secret is not None else b"")
    on_step("looking at the query images")
    images = gather_images(public.dataset, public.dataset.questions, workspace)
    if images.faults and not options.allow_missing_images:
        raise DatasetError(images.describe_faults(dataset.name))
    changes, doubts = compare_with_earlier(public, images, earlier, workspace)
    edition = make_edition(public, changes, earlier, workspace, options.version, plan.recipe)
    answers = {name: answers_path(workspace, name, edition.version) for name in public.hidden}
    published_before = read_published_answers(workspace)
    checked: list[SelfCheckReport] = []

    def attack_answers(unfinished: Path) -> None:
        on_step("attacking the hidden answers")
        files = map(read_answers, answers.values())
        checked.append(check_published(unfinished, *files, published_before=published_before))
        if not checked[0].passed:
            raise DatasetError(f"nothing was published: {checked[0].describe()}")
        # remembered before anybody can see them: from here on no other publication may show the answers
        remember_hidden(workspace, {name: hidden_split.answers for name, hidden_split in public.hidden.items()})

    inspect = attack_answers if answers else None
    version = publish_folder(
        public.dataset, edition, folder, workspace, options, images=images, inspect=inspect, on_step=on_step
    )
    forget_hidden(workspace, options.revealed)
    _remember_published(public, images, workspace, published_before)
    if answers:
        write_published(workspace.private / LAST_PUBLISHED, version)
    warnings = (
        *plan.warnings,
        *public.warnings,
        *_warn_of_known_answers(public, changes, published_before),
        *doubts,
        *(secret.warnings if secret is not None else ()),
    )
    return Publication(version, changes, images, answers, checked[0] if checked else None, secret, warnings)


def _remember_published(
    public: PublicSplits, images: GatheredImages, workspace: Workspace, published_before: PublishedAnswers
) -> None:
    """Add the answers that are public now to those that the self-check of later publications looks at."""
    shown = [question for question in public.dataset.questions if not question.answers_hidden]
    digests = {
        question.question_id: [*images.digests_of(question), *images.pixel_digests_of(question)] for question in shown
    }
    write_published_answers(workspace, published_before.extend(shown, digests))


def _warn_of_known_answers(
    public: PublicSplits, changes: EditionChanges, published_before: PublishedAnswers
) -> Iterator[str]:
    """A sentence for each hidden split of which answers are public already."""
    for name, hidden in public.hidden.items():
        count = sum(map(published_before.has, hidden.answers))
        if name in changes.hidden:
            yield (
                f"the answers of {name} are public in version {changes.earlier}: hiding them keeps them from nobody "
                "who has it"
            )
        elif count:
            yield (
                f"the answers of {count:,} questions of {name} were public in another publication: hiding them keeps "
                "them from nobody who has it"
            )


def read_last_published(workspace: Workspace) -> PublishedVersion | None:
    """The last version of the dataset with hidden answers that was published from here, wherever it went.

    Raises:
        DatasetError: its record cannot be read.
    """
    path = workspace.private / LAST_PUBLISHED
    return read_published(path) if path.is_file() else None
