"""Taking a video down: out of the dataset, the caches and every later publication, and on record as withdrawn.

The record is written first, into `dataset.json`, and from then on nothing that reads the dataset sees the video; then
its lines and files are deleted, and at last the record is marked as finished. Killed at any moment, the same command
finishes. What is deleted is found by looking at what is there, so it can be run as often as one likes.

- Patches that were applied stay, and can be undone: their questions are taken out of `versions/` as well, as if they
  had never been there, and the recorded digests are computed anew.
- `raw/` stays. It is the annotations as they were released, holds no frame of the video, and is never published; its
  digest says where all else comes from. Importing it again does not restore the video.
- `ledger/` and `results/` stay: what was tried, reviewed and answered. Scores pass over questions that are withdrawn.
- `private/` stays: the answers of versions that were published. The next version has its own.
- Pages in `reports/` that hold pictures are deleted, and made again by the commands that made them.
- What was exported, published or pushed elsewhere is out of reach: the next version leaves it out, and says so.
- A fetch, cache, export or publication that runs meanwhile reads the record before it writes, and leaves the video out.
- What cannot be deleted, or looked into, is named in the result, and by `verify_withdrawal`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from ivbench_data.atomic_files import delete, digest_file, sweep_temporaries, write_bytes, write_json
from ivbench_data.dataset import Dataset, load
from ivbench_data.errors import DatasetError, EnvironmentProblemError, StorageError, UsageError
from ivbench_data.fetch.downloads import SCRATCH_FOLDER
from ivbench_data.schema import BadLine, check_safe_name
from ivbench_data.strict_json import iterate_jsonl, parse_json
from ivbench_data.validate.checks.context import CheckContext
from ivbench_data.validate.checks.media_files import check_near_duplicate_videos
from ivbench_data.validate.repair import read_versions
from ivbench_data.video.fingerprint import FILE_NAME as FINGERPRINTS
from ivbench_data.withdrawals import (
    WITHDRAWING,
    Withdrawal,
    WithdrawalPlan,
    check_no_withdrawal_is_unfinished,
    record_withdrawals,
)
from ivbench_data.workspace import Workspace, list_folder

_MARKER = "dataset.json"
_QUESTIONS, _PATCH, _VERSIONS = "questions.jsonl", "patch.jsonl", "versions"
_PARTS = ("images.jsonl", "videos.jsonl", FINGERPRINTS, _QUESTIONS)
"""The dataset's own files with a line for each thing, in the order in which they are rewritten."""


def plan_withdrawal(workspace: Workspace, video_id: str, why: str | None = None) -> WithdrawalPlan:
    """What taking the video down will do; nothing is touched.

    `why` is needed once: a withdrawal that is on record keeps its own reason and date.

    Raises:
        UsageError: there is no such video, no reason, or another withdrawal or a repair is unfinished.
        DatasetNotFoundError: there is no dataset.
        DatasetError: the dataset cannot be read, or was changed by hand.
    """
    return _Takedown.prepare(workspace, video_id, why).plan()


def withdraw_video(workspace: Workspace, video_id: str, why: str | None = None) -> WithdrawalPlan:
    """Take the video down; the plan of what was done, with what could not be done in `left`.

    It is recorded first. Running it again finishes what a killed run began, or what was left.

    Raises:
        UsageError: as `plan_withdrawal`.
        DatasetError: as `plan_withdrawal`.
        StorageError: the record cannot be written.
    """
    takedown = _Takedown.prepare(workspace, video_id, why)
    plan = takedown.plan()
    return plan if plan.is_done else plan.model_copy(update={"left": takedown.run()})


def verify_withdrawal(workspace: Workspace, video_id: str) -> WithdrawalPlan:
    """What is left of a video that was taken down: in `deleted`, `rewritten` and `left`; nothing is touched.

    Raises:
        UsageError: the video is not withdrawn, or another withdrawal is unfinished.
        DatasetNotFoundError: there is no dataset.
        DatasetError: the dataset cannot be read, or was changed by hand.
    """
    plan = plan_withdrawal(workspace, video_id, "to be verified")
    if not plan.is_recorded:
        raise UsageError(f"{video_id} is not withdrawn, so there is nothing to verify")
    return plan


def _check_reason(why: str | None) -> str:
    if why is None or not why.strip():
        raise UsageError("a withdrawal needs its reason, which stays on record and is published: give --why")
    try:
        why.encode()
    except UnicodeEncodeError:
        raise UsageError("the reason holds bytes that are not text") from None
    return why.strip()


@dataclass(frozen=True)
class _Takedown:
    """One withdrawal, and the folder that it is carried out in."""

    workspace: Workspace
    dataset: Dataset
    """What is there, without what was withdrawn."""
    withdrawals: tuple[Withdrawal, ...]
    """All that will be on record, this one among them."""
    withdrawal: Withdrawal
    is_recorded: bool
    """Whether it is on record already."""
    failures: dict[Path, str] = field(default_factory=dict)
    """Files and folders that could not be deleted, rewritten or looked into, and why."""

    @classmethod
    def prepare(cls, workspace: Workspace, video_id: str, why: str | None) -> _Takedown:
        try:
            check_safe_name(video_id)
        except ValueError as error:
            raise UsageError(f"the video to withdraw: {error}") from None
        dataset = load(workspace.folder)
        if dataset.provenance.get(WITHDRAWING) != video_id:
            check_no_withdrawal_is_unfinished(dataset.provenance)
        recorded = {withdrawal.video_id: withdrawal for withdrawal in dataset.withdrawals}
        is_recorded = video_id in recorded
        if not is_recorded:
            recorded[video_id] = _write_record(dataset, video_id, why)
        takedown = cls(workspace, dataset, tuple(recorded.values()), recorded[video_id], is_recorded)
        takedown.check_patches()
        return takedown

    @cached_property
    def image_ids(self) -> frozenset[str]:
        """Images that go: those of the record that no question shows now."""
        own = self.withdrawal.video_id
        kept = (question for question in self.dataset.questions if question.video_id != own)
        return frozenset(self.withdrawal.image_ids) - {image_id for question in kept for image_id in question.image_ids}

    def plan(self) -> WithdrawalPlan:
        self.failures.clear()
        headers = [path for path in self.find_earlier_headers() if self.change_earlier_header(path) is not None]
        lines = [path for path in self.find_line_files() if self.drop_lines(path) is not None]
        files = list(self.find_files())
        return WithdrawalPlan(
            withdrawal=self.withdrawal,
            is_recorded=self.is_recorded,
            is_marked_unfinished=WITHDRAWING in self.dataset.provenance,
            rewritten=tuple(map(self.name, (*headers, *lines))),
            deleted=tuple(map(self.name, files)),
            deleted_bytes=sum(map(self.measure, files)),
            kept=tuple(self.describe_kept()),
            left=self.list_failures(),
        )

    def run(self) -> tuple[str, ...]:
        """Put it on record, delete, and say on record that it is done; what could not be deleted or looked into."""
        self.failures.clear()
        marker = self.workspace.folder / _MARKER
        write_json(marker, self.change_header(_read_header(marker), self.withdrawal.video_id))
        for path in self.find_earlier_headers():
            # before their questions: a patch cannot be undone into a dataset that knows of no withdrawal
            if (header := self.change_earlier_header(path)) is not None:
                write_json(path, header)
        for path in self.find_line_files():
            if (content := self.drop_lines(path)) is not None:
                write_bytes(path, content)
        for path in self.find_files():
            try:
                delete(path)
            except StorageError as error:
                self.failures[path] = str(error)
        sweep_temporaries(self.workspace.folder)
        write_json(marker, self.change_header(_read_header(marker), None))
        return self.list_failures()

    def name(self, path: Path) -> str:
        """The path in the dataset's folder."""
        return path.relative_to(self.workspace.folder).as_posix()

    def list_failures(self) -> tuple[str, ...]:
        return tuple(f"{self.name(path)}: {reason}" for path, reason in sorted(self.failures.items()))

    # --- files ------------------------------------------------------------------------------------------------------

    def measure(self, path: Path) -> int:
        """Bytes of the file, or of all files in the folder."""
        try:
            if path.is_symlink() or not path.is_dir():
                return path.lstat().st_size
            return sum(below.lstat().st_size for below in path.rglob("*") if not below.is_dir())
        except OSError as error:
            self.failures[path] = str(error)
            return 0

    def list_names(self, folder: Path, is_searched: bool = True) -> list[Path]:
        """What the folder holds, sorted; one that is searched for the video and cannot be opened is a failure."""
        try:
            return list_folder(folder, "*")
        except (OSError, EnvironmentProblemError) as error:
            if is_searched:
                self.failures[folder] = str(error)
            return []

    def find_files(self) -> Iterator[Path]:
        """Files and folders that go: the video and what lies beside it, frames, images, unfinished downloads, pages."""
        workspace, video_id = self.workspace, self.withdrawal.video_id
        start, kept = f"{_normalise(video_id)}.", [f"{_normalise(one.video_id)}." for one in self.dataset.videos]
        longer = tuple(name for name in kept if name.startswith(start) and name != start)
        for path in self.list_names(workspace.videos):  # captions have names that begin with the video's
            if (name := _normalise(path.name)).startswith(start) and not name.startswith(longer):
                yield path
        for grid in self.list_names(workspace.cache):
            yield from (path for path in self.list_names(grid) if path.name == f"{video_id}.safetensors")
        yield from (path for path in self.list_names(workspace.images) if path.name in self.image_ids)
        for path in self.list_names(workspace.folder / SCRATCH_FOLDER):
            if path.name.rpartition(".")[0] == video_id:
                yield path
        yield from (path for path in self.list_names(workspace.reports) if path.suffix == ".html")

    def describe_kept(self) -> Iterator[str]:
        """What names the video, or shows the same, and stays."""
        video_id = self.withdrawal.video_id
        for path in self.list_names(self.workspace.raw, is_searched=False):
            if ".json" in path.name and _mentions(path, video_id):
                yield f"raw/{path.name}, the annotations as released; importing them again does not restore it"
        if self.list_names(self.workspace.results, is_searched=False):
            yield "results/: what was answered to its questions; scores pass over it"
        if any(path.name.startswith("answers-") for path in self.list_names(self.workspace.private, is_searched=False)):
            yield "private/: the hidden answers of versions that were published"
        for path in self.list_names(self.workspace.reports, is_searched=False):
            if path.suffix == ".csv" and _mentions(path, video_id):
                yield f"reports/{path.name}, a sheet that names its questions: import it if need be, and delete it"
        if self.workspace.ledger.is_dir():
            yield "ledger/: what was tried and reviewed"
        for finding in check_near_duplicate_videos(self.dataset, CheckContext(self.workspace)):
            pair = {finding.video_id, str(finding.evidence["other_video_id"])}
            if video_id in pair:
                other = next(iter(pair - {video_id}), None)
                yield f"the video {other}, which shows much the same: withdraw it too if the reason holds for it"

    # --- lines ------------------------------------------------------------------------------------------------------

    def find_line_files(self) -> Iterator[Path]:
        """JSONL files that may hold lines about it; the dataset's own come last, its questions at the end."""
        folder = self.workspace.folder
        for place in (self.workspace.reports, *self.list_names(folder / _VERSIONS)):
            yield from (path for path in self.list_names(place) if path.suffix == ".jsonl")
        yield from (path for name in _PARTS if (path := folder / name).is_file())

    def drop_lines(self, path: Path) -> bytes | None:
        """What the file holds without its lines about the video, byte for byte; None when it has none."""
        kept, is_changed = [], False
        for number, line, value in iterate_jsonl(path):
            if isinstance(value, BadLine):
                if not line:
                    raise DatasetError(f"{path}:{number}: {value.reason}; writing the file anew would lose that line")
                kept.append(line)
            elif self._is_about(value):
                is_changed = True
            else:
                kept.append(line)
        return b"".join(kept) if is_changed else None

    def _is_about(self, value: JsonValue) -> bool:
        if not isinstance(value, dict):
            return False
        if value.get("video_id") is not None:
            return value["video_id"] == self.withdrawal.video_id
        if value.get("question_id") is not None:
            return value["question_id"] in self.withdrawal.question_ids
        return value.get("image_id") in self.image_ids

    def _read_future(self, path: Path) -> bytes:
        """What the file will hold."""
        content = self.drop_lines(path)
        return path.read_bytes() if content is None else content

    # --- headers and patches ----------------------------------------------------------------------------------------

    def check_patches(self) -> None:
        """Refuse where digests could not be made anew: a patch is half applied, or somebody wrote by hand.

        Raises:
            UsageError: the last patch was begun and not finished.
            DatasetError: the questions are not what they were after the last patch.
        """
        versions = read_versions(self.dataset)
        if not versions:
            return
        last, path = versions[-1], self.workspace.folder / _QUESTIONS
        now = {digest_file(path), sha256(self._read_future(path)).hexdigest()}
        if last.after_sha256 in now:
            return
        if last.before_sha256 in now:
            raise UsageError(
                f"version {last.version} was begun and not finished: first apply "
                f"{self.workspace.folder / _VERSIONS / str(last.version) / _PATCH}, or undo it"
            )
        raise DatasetError(
            f"{path} was changed by hand after version {last.version}; put it back, or import the release again"
        )

    def find_earlier_headers(self) -> Iterator[Path]:
        """The `dataset.json` of each earlier version that undoing would restore."""
        for version in self.list_names(self.workspace.folder / _VERSIONS):
            if (path := version / _MARKER).is_file():
                yield path

    def change_earlier_header(self, path: Path) -> dict[str, JsonValue] | None:
        """What that header becomes; None when it is that already."""
        header = _read_header(path)
        changed = self.change_header(header, None, path.parent)
        return changed if changed != header else None

    def change_header(
        self, header: dict[str, JsonValue], unfinished: str | None, version: Path | None = None
    ) -> dict[str, JsonValue]:
        """The header with the withdrawal on record, and with counts and digests of what the files will hold."""
        folder = self.workspace.folder
        counts: dict[str, JsonValue] = {
            part: _count_lines(self._read_future(path))
            for part in ("videos", "images", "questions")
            if (path := (version if version and part == "questions" else folder) / f"{part}.jsonl").is_file()
        }
        provenance = record_withdrawals(
            cast("dict[str, JsonValue]", header.get("provenance", {})), self.withdrawals, unfinished
        )
        if isinstance(rows := provenance.get("versions"), list):
            provenance["versions"] = [self._change_version(cast("dict[str, JsonValue]", row)) for row in rows]
        return {**header, **counts, "provenance": provenance}

    def _change_version(self, row: dict[str, JsonValue]) -> JsonValue:
        folder, number = self.workspace.folder, cast("int", row["version"])
        is_last = number == len(read_versions(self.dataset))
        own = folder / _VERSIONS / str(number)
        after = (folder if is_last else folder / _VERSIONS / str(number + 1)) / _QUESTIONS
        changed = dict(row)
        for key, path in (("patch_sha256", own / _PATCH), ("before_sha256", own / _QUESTIONS), ("after_sha256", after)):
            if path.is_file():
                changed[key] = sha256(self._read_future(path)).hexdigest()
        if (own / _PATCH).is_file():
            changed["changes"] = _count_lines(self._read_future(own / _PATCH))
        return changed


def _write_record(dataset: Dataset, video_id: str, why: str | None) -> Withdrawal:
    of_video = [question for question in dataset.questions if question.video_id == video_id]
    if not of_video and video_id not in {video.video_id for video in dataset.videos}:
        raise UsageError(f"{dataset.name} holds no video {video_id!r}")
    elsewhere = {
        image_id for question in dataset.questions if question.video_id != video_id for image_id in question.image_ids
    }
    shown = dict.fromkeys(image_id for question in of_video for image_id in question.image_ids)
    return Withdrawal(
        video_id=video_id,
        why=_check_reason(why),
        when=datetime.now(UTC).replace(microsecond=0),
        question_ids=tuple(question.question_id for question in of_video),
        image_ids=tuple(image_id for image_id in shown if image_id not in elsewhere),
    )


def _read_header(path: Path) -> dict[str, JsonValue]:
    try:
        header = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise DatasetError(f"{path} is no dataset's header")
    return header


def _normalise(name: str) -> str:
    """The name as it is compared: some systems store `é` as one character, some as two."""
    return unicodedata.normalize("NFC", name)


def _mentions(path: Path, video_id: str) -> bool:
    try:
        return path.is_file() and video_id.encode() in path.read_bytes()
    except OSError:  # it stays whatever is in it
        return False


def _count_lines(content: bytes) -> int:
    return sum(bool(line.strip()) for line in content.split(b"\n"))
