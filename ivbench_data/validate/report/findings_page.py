"""`reports/validate.html`: all findings in one file, to read and to judge, without a network.

A summary by check and task, a part for each other result (probe, coverage), then a card a flagged question: frames of
the video with the evidence marked, query image, options, findings. Texts from the dataset are data, never markup (see
`ivbench_data.html.page`); pictures are bounded, and what is left out is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ivbench_data.atomic_files import delete, write_bytes
from ivbench_data.dataset import Dataset
from ivbench_data.errors import DatasetError
from ivbench_data.hidden_record import mark_hidden
from ivbench_data.html.page import embed_image, embed_json, find_figures, render_page
from ivbench_data.schema import Finding, Question, Repair, Severity
from ivbench_data.validate.checks import CHECKS, describe_check
from ivbench_data.validate.checks.context import quote
from ivbench_data.validate.report.report_pictures import Pictures
from ivbench_data.withdrawals import read_recorded_withdrawals
from ivbench_data.workspace import Workspace

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
"""From the worst to the mildest."""

MAX_PICTURE_BYTES: Final = 40_000_000
"""All pictures together; the questions with the worst findings come first."""

REPAIR_CHARS: Final = 200

SAFE_WITHOUT_ANSWERS: Final = frozenset(
    {
        "blank_option", "not_ten_options", "fewer_than_ten_distinct", "label_variant", "no_image_reference",
        "no_video_reference", "image_reused", "image_index_mismatch", "non_contiguous_ids", "image_missing",
        "image_unreadable", "image_too_small", "image_too_large", "near_duplicate_images", "near_duplicate_videos",
    }
)  # fmt: skip
"""Checks whose findings say nothing of an answer: not which option it is, not which it is not, not when it is seen."""


@dataclass(frozen=True)
class ReportPart:
    """Another result's place in the report: a heading, words, a table and a figure, each where there is one."""

    title: str
    """Its heading."""
    text: str = ""
    """A paragraph."""
    columns: tuple[str, ...] = ()
    """The table's heads."""
    rows: tuple[tuple[object, ...], ...] = ()
    """The table's rows; columns of figures are set flush right."""
    figure: bytes | None = None
    """A figure's file."""
    figure_type: Literal["image/svg+xml", "image/png"] = "image/svg+xml"
    """Its kind."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Question ids, and what the result says of each; shown on the cards, unless answers are hidden."""
    checks: Mapping[str, str] = field(default_factory=dict)
    """Checks whose findings come from this result, and what they find."""


def write_report(
    dataset: Dataset,
    findings: Sequence[Finding],
    workspace: Workspace,
    *,
    parts: Sequence[ReportPart] = (),
    hide_answers: bool = False,
    max_picture_bytes: int = MAX_PICTURE_BYTES,
) -> Path:
    """Write `reports/validate.html`; its path.

    With `hide_answers`, or for questions whose answers are hidden here or in a publication, whatever would give an
    answer away is left out: the answer's mark, the evidence, and every finding but those of `SAFE_WITHOUT_ANSWERS`.

    Raises:
        DatasetError: a video was withdrawn while its pictures were read; then there is no page.
        StorageError: the root cannot be written.
    """
    path = workspace.reports / "validate.html"
    pictures = Pictures(workspace, max_picture_bytes)
    dataset = mark_hidden(dataset, workspace)
    write_bytes(path, build_report(dataset, findings, pictures, parts, hide_answers).encode())
    shown = {video.video_id for video in dataset.videos}
    for withdrawal in read_recorded_withdrawals(workspace.folder):
        if withdrawal.video_id in shown:
            delete(path)
            raise DatasetError(f"there is no report, since a video was withdrawn: {withdrawal}. Run it again")
    return path


def build_report(
    dataset: Dataset,
    findings: Sequence[Finding],
    pictures: Pictures,
    parts: Sequence[ReportPart] = (),
    hide_answers: bool = False,
) -> str:
    """The report's HTML."""
    by_id = {question.question_id: question for question in dataset.questions}
    hidden = {question.question_id for question in dataset.questions if hide_answers or question.answers_hidden}
    shown = [
        finding
        for finding in findings
        if finding.check in SAFE_WITHOUT_ANSWERS
        or (finding.question_id not in hidden if finding.question_id is not None else not hide_answers)
    ]
    notes = [part.notes for part in parts]
    finds = {name: describe_check(name) for name in CHECKS}
    for part in parts:
        finds.update(part.checks)
    finds.update({finding.check: "" for finding in shown if finding.check not in finds})
    cards = [
        _make_card(by_id[question_id], of_question, notes, pictures, question_id in hidden)
        for question_id, of_question in _group(shown, by_id)
    ]
    document = {"videos": pictures.videos, "cards": cards}
    flagged = [finding for finding in shown if finding.question_id in by_id]
    is_grave = any(finding.severity != "info" for finding in flagged)
    context = {
        "name": dataset.name,
        "hides_answers": bool(hidden) or hide_answers,
        "severities": SEVERITIES,
        "tiles": _count_questions(dataset, shown),
        "by_check": _count_by_check(shown, finds),
        "totals": Counter(question.task for question in dataset.questions),
        "by_task": _count_by_task(flagged, by_id, finds),
        "others": [finding for finding in shown if finding.question_id not in by_id],
        "parts": [_draw_part(part) for part in parts],
        "checks": [name for name in finds if any(finding.check == name for finding in flagged)],
        "tasks": sorted({by_id[str(finding.question_id)].task for finding in flagged}),
        "checked": SEVERITIES[:2] if is_grave else SEVERITIES,
        "pictures": pictures,
        "blocks": [*pictures.blocks(), embed_json("data", document)],
    }
    return render_page("findings", f"Findings in {dataset.name}", context)


# --- cards: data for the script -------------------------------------------------------------------------------------


def _group(findings: Iterable[Finding], by_id: Mapping[str, Question]) -> Iterator[tuple[str, list[Finding]]]:
    """The findings of each question, the question with the worst ones first."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.question_id in by_id:
            groups.setdefault(str(finding.question_id), []).append(finding)
    for of_question in groups.values():
        of_question.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    yield from sorted(groups.items(), key=lambda item: [SEVERITIES.index(finding.severity) for finding in item[1]])


def _make_card(
    question: Question,
    findings: Iterable[Finding],
    notes: Iterable[Mapping[str, str]],
    pictures: Pictures,
    is_hidden: bool,
) -> dict[str, Any]:
    spans = [] if is_hidden else [evidence for evidence in question.evidence if evidence.start_seconds is not None]
    pictures.add_video(question.video_id)
    return {
        "id": question.question_id,
        "video": question.video_id,
        "task": question.task,
        "granularity": question.granularity,
        "location": None if is_hidden else "; ".join(filter(None, (item.text for item in question.evidence))) or None,
        "spans": [
            [item.start_seconds, item.start_seconds if item.end_seconds is None else item.end_seconds] for item in spans
        ],
        "question": question.question,
        "options": list(question.options),
        "right": [] if is_hidden else list(question.correct_indices),
        "images": [{"name": name, "picture": pictures.add_image(name)} for name in question.image_ids],
        "findings": [_make_finding(finding, pictures) for finding in findings],
        "notes": []
        if is_hidden
        else [of_part[question.question_id] for of_part in notes if question.question_id in of_part],
    }


def _make_finding(finding: Finding, pictures: Pictures) -> dict[str, Any]:
    made: dict[str, Any] = {"check": finding.check, "severity": finding.severity, "message": finding.message}
    if finding.level is not None:
        made["level"] = finding.level
    if finding.repair is not None:
        fix = _describe_repair(finding.repair)
        made["fix"] = fix if len(fix) <= REPAIR_CHARS else f"{fix[: REPAIR_CHARS - 1]}…"
    time = finding.evidence.get("time_seconds")
    if finding.check == "image_from_own_video" and isinstance(time, int | float):
        made["picture"] = pictures.add_frame(finding.video_id, float(time))
    return made


def _describe_repair(repair: Repair) -> str:
    before, after = repair.before, repair.after
    if isinstance(before, list) and isinstance(after, list):
        left_out = list((Counter(map(str, before)) - Counter(map(str, after))).elements())
        return f"leave out of the {repair.field} {', '.join(map(quote, left_out))}"
    return f"{repair.field} {quote(str(before))} becomes {quote(str(after))}"


# --- what the template shows ----------------------------------------------------------------------------------------


def _count_questions(dataset: Dataset, findings: Sequence[Finding]) -> list[tuple[str, int, str]]:
    """Tiles: the severity that one counts, questions whose worst finding has it, and what they are."""
    worst: dict[str, int] = {}
    for finding in findings:
        if finding.question_id is not None:
            rank = SEVERITIES.index(finding.severity)
            worst[finding.question_id] = min(rank, worst.get(finding.question_id, rank))
    counted = Counter(worst.values())
    return [
        ("", len(dataset.questions), f"questions {dataset.describe_media()}"),
        ("error", counted[0], "questions with errors"),
        ("warning", counted[1], "more with warnings"),
        ("info", counted[2], "more with remarks only"),
        ("", len(dataset.questions) - len(worst), "questions without a finding"),
    ]


def _count_by_check(findings: Iterable[Finding], finds: Mapping[str, str]) -> Iterator[tuple[str, list[int], str]]:
    """Each check that found something: findings of each severity, and what it looks for."""
    counted = Counter((finding.check, finding.severity) for finding in findings)
    for name, text in finds.items():
        counts = [counted[name, severity] for severity in SEVERITIES]
        if any(counts):
            yield name, counts, text


def _count_by_task(
    flagged: Iterable[Finding], by_id: Mapping[str, Question], finds: Iterable[str]
) -> list[tuple[str, list[tuple[int, int]]]]:
    """Each check that flagged questions: how many in each task, and a shade for their share of the task, 0 to 4."""
    totals = Counter(question.task for question in by_id.values())
    ids = {(finding.check, str(finding.question_id)) for finding in flagged}
    counted = Counter((check, by_id[question_id].task) for check, question_id in ids)
    return [
        (
            name,
            [
                (counted[name, task], sum(counted[name, task] / total > bound for bound in (0, 0.05, 0.15, 0.4)))
                for task, total in totals.items()
            ],
        )
        for name in finds
        if any((name, task) in counted for task in totals)
    ]


def _draw_part(part: ReportPart) -> tuple[ReportPart, str | None, list[tuple[str, bool]]]:
    figure = None if part.figure is None else embed_image(part.figure, part.figure_type)
    return part, figure, find_figures(part.columns, part.rows)
