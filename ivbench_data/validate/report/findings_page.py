"""`reports/validate.html`: all findings in one file, to read and to judge, without a network.

A summary by check and task, a part for each other result (probe, coverage), then a card a flagged question: frames of
the video with the evidence marked, query image, options, findings. Texts from the dataset are data, never markup (see
`ivbench_data.html.page`); pictures are bounded, and what is left out is said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ivbench_data.atomic_files import write_bytes
from ivbench_data.dataset import Dataset
from ivbench_data.html.page import embed_image, embed_json, escape, page
from ivbench_data.schema import Finding, Question, Repair, Severity
from ivbench_data.validate.checks import CHECKS, describe_check
from ivbench_data.validate.checks.context import quote
from ivbench_data.validate.report.report_pictures import Pictures
from ivbench_data.workspace import Workspace

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
"""From the worst to the mildest."""

MAX_PICTURE_BYTES: Final = 40_000_000
"""All pictures together; the questions with the worst findings come first."""

REPAIR_CHARS: Final = 200

_FIGURE = re.compile(r"[\d.,%–\- ]+")
"""A number, an interval, or the dash that stands for none."""

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

    With `hide_answers`, or for questions whose answers are hidden, whatever would give an answer away is left out:
    the answer's mark, the evidence, and every finding but those of `SAFE_WITHOUT_ANSWERS`.

    Raises:
        StorageError: the root cannot be written.
    """
    path = workspace.reports / "validate.html"
    pictures = Pictures(workspace, max_picture_bytes)
    write_bytes(path, build_report(dataset, findings, pictures, parts, hide_answers).encode())
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
    told = [
        finding
        for finding in findings
        if finding.check in SAFE_WITHOUT_ANSWERS
        or (finding.question_id not in hidden if finding.question_id is not None else not hide_answers)
    ]
    notes = [part.notes for part in parts]
    finds = {name: describe_check(name) for name in CHECKS}
    for part in parts:
        finds.update(part.checks)
    finds.update({finding.check: "" for finding in told if finding.check not in finds})
    cards = [
        _make_card(by_id[question_id], of_question, notes, pictures, question_id in hidden)
        for question_id, of_question in _group(told, by_id)
    ]
    document = {"videos": pictures.videos, "cards": cards}
    body = "\n".join(
        [
            *_head(dataset, told, hide_answers or bool(hidden)),
            "<main>",
            *_summary(told, finds),
            *_heat(told, by_id, finds),
            *_others(told, by_id),
            *(line for part in parts for line in _part(part)),
            *_filters(told, by_id, finds),
            '<div id="cards"></div><div id="more"></div>',
            "</main>",
            f"<footer>{escape(_tell_pictures(pictures))}</footer>",
            *pictures.blocks(),
            embed_json("data", document),
        ]
    )
    here = Path(__file__)
    style, script = (here.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".css", ".js"))
    return page(f"Findings in {dataset.name}", body, style=style, script=script)


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
        "notes": [] if is_hidden else [told[question.question_id] for told in notes if question.question_id in told],
    }


def _make_finding(finding: Finding, pictures: Pictures) -> dict[str, Any]:
    made: dict[str, Any] = {"check": finding.check, "severity": finding.severity, "message": finding.message}
    if finding.level is not None:
        made["level"] = finding.level
    if finding.repair is not None:
        told = _tell_repair(finding.repair)
        made["fix"] = told if len(told) <= REPAIR_CHARS else f"{told[: REPAIR_CHARS - 1]}…"
    time = finding.evidence.get("time_seconds")
    if finding.check == "image_from_own_video" and isinstance(time, int | float):
        made["picture"] = pictures.add_frame(finding.video_id, float(time))
    return made


def _tell_repair(repair: Repair) -> str:
    before, after = repair.before, repair.after
    if isinstance(before, list) and isinstance(after, list):
        left_out = list((Counter(map(str, before)) - Counter(map(str, after))).elements())
        return f"leave out of the {repair.field} {', '.join(map(quote, left_out))}"
    return f"{repair.field} {quote(str(before))} becomes {quote(str(after))}"


# --- what is written as markup --------------------------------------------------------------------------------------


def _head(dataset: Dataset, findings: Sequence[Finding], hides: bool) -> Iterator[str]:
    worst: dict[str, int] = {}
    for finding in findings:
        if finding.question_id is not None:
            rank = SEVERITIES.index(finding.severity)
            worst[finding.question_id] = min(rank, worst.get(finding.question_id, rank))
    counted = Counter(worst.values())
    tiles = [
        ("", len(dataset.questions), f"questions {dataset.describe_media()}"),
        ("error", counted[0], "questions with errors"),
        ("warning", counted[1], "more with warnings"),
        ("info", counted[2], "more with remarks only"),
        ("", len(dataset.questions) - len(worst), "questions without a finding"),
    ]
    yield f"<header><h1>Findings in {escape(dataset.name)}</h1>"
    yield '<p class="soft">An error cannot be scored fairly as it stands, or is wrong. A warning deserves a look. '
    yield "What would give hidden answers away is left out.</p>" if hides else "A remark is good to know.</p>"
    yield '<div class="tiles">'
    for kind, number, words in tiles:
        yield f'<div class="tile {kind}"><b>{number:,}</b><span>{escape(words)}</span></div>'
    yield "</div></header>"


def _summary(findings: Sequence[Finding], finds: Mapping[str, str]) -> Iterator[str]:
    counted = Counter((finding.check, finding.severity) for finding in findings)
    names = [name for name in finds if any((name, severity) in counted for severity in SEVERITIES)]
    yield '<h2>By check</h2><div class="panel"><table><thead><tr><th>check</th>'
    yield (
        "".join(f'<th class="number">{severity}</th>' for severity in SEVERITIES) + "<th>finds</th></tr></thead><tbody>"
    )
    for name in names:
        cells = "".join(
            f'<td class="number {severity}">{counted[name, severity] or ""}</td>' for severity in SEVERITIES
        )
        button = f'<button type="button" data-check="{escape(name)}">{escape(name)}</button>'
        yield f'<tr><td class="name">{button}</td>{cells}<td class="soft">{escape(finds[name])}</td></tr>'
    yield "</tbody></table></div>"


def _heat(findings: Sequence[Finding], by_id: Mapping[str, Question], finds: Iterable[str]) -> Iterator[str]:
    """Questions flagged by each check in each task; the shade is their share of the task's questions."""
    totals = Counter(question.task for question in by_id.values())
    flagged = {
        (finding.check, by_id[finding.question_id].task, finding.question_id)
        for finding in findings
        if finding.question_id is not None and finding.question_id in by_id
    }
    counted = Counter((check, task) for check, task, _ in flagged)
    names = [name for name in finds if any((name, task) in counted for task in totals)]
    if not names:
        return
    yield '<h2>By check and task</h2><p class="soft">Questions flagged; the shade is their share of the task.</p>'
    yield '<div class="panel heat"><table><thead><tr><th></th>'
    yield "".join(f'<th class="task"><span>{escape(task)}</span></th>' for task in totals) + "</tr></thead><tbody>"
    for name in names:
        yield f'<tr><td class="name">{escape(name)}</td>'
        for task, total in totals.items():
            count = counted[name, task]
            share = count / total
            shade = sum(share > bound for bound in (0, 0.05, 0.15, 0.4))
            yield f'<td class="number heat{shade}">{count or ""}</td>'
        yield "</tr>"
    yield '<tr><td class="name soft">questions</td>'
    yield (
        "".join(f'<td class="number soft">{total:,}</td>' for total in totals.values()) + "</tr></tbody></table></div>"
    )


def _others(findings: Sequence[Finding], by_id: Mapping[str, Question]) -> Iterator[str]:
    """Findings on videos, images and the dataset, which have no card."""
    others = [finding for finding in findings if finding.question_id not in by_id]
    if not others:
        return
    yield f'<details class="panel"><summary>On videos and the dataset: {len(others):,}</summary><ul class="findings">'
    for finding in others:
        about = f"<code>{escape(finding.video_id)}</code> " if finding.video_id is not None else ""
        yield f'<li class="{finding.severity}"><b>{escape(finding.check)}</b> {about}{escape(finding.message)}</li>'
    yield "</ul></details>"


def _part(part: ReportPart) -> Iterator[str]:
    yield f"<h2>{escape(part.title)}</h2>"
    if part.text:
        yield f"<p>{escape(part.text)}</p>"
    if part.figure is not None:
        source = embed_image(part.figure, part.figure_type)
        yield f'<div class="panel"><figure><img src="{source}" alt="{escape(part.title)}"></figure></div>'
    if part.rows:
        columns = zip(*part.rows, strict=True)
        numeric = [all(_FIGURE.fullmatch(str(value)) for value in column) for column in columns]
        kinds = [' class="number"' if is_numeric else "" for is_numeric in numeric]
        heads = (f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, part.columns, strict=True))
        yield f'<div class="panel"><table><thead><tr>{"".join(heads)}</tr></thead><tbody>'
        for row in part.rows:
            cells = (
                f"<td{kind}>{f'{value:,}' if isinstance(value, int | float) else escape(value)}</td>"
                for kind, value in zip(kinds, row, strict=True)
            )
            yield f"<tr>{''.join(cells)}</tr>"
        yield "</tbody></table></div>"


def _filters(findings: Sequence[Finding], by_id: Mapping[str, Question], finds: Iterable[str]) -> Iterator[str]:
    flagged = [finding for finding in findings if finding.question_id in by_id]
    present = {finding.check for finding in flagged}
    tasks = {by_id[str(finding.question_id)].task for finding in flagged}
    has_grave = any(finding.severity != "info" for finding in flagged)
    yield '<h2 id="questions">Questions</h2><div class="filters">'
    yield _select("check", "all checks", [name for name in finds if name in present])
    yield _select("task", "all tasks", sorted(tasks))
    for severity in SEVERITIES:
        checked = " checked" if severity != "info" or not has_grave else ""
        yield f'<label><input type="checkbox" name="severity" value="{severity}"{checked}> {severity}</label>'
    yield '<input type="search" id="search" placeholder="search" aria-label="search"><span id="count"></span></div>'


def _select(name: str, every: str, values: Iterable[str]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(value)}</option>' for value in values)
    return f'<select id="{name}" aria-label="{name}"><option value="">{every}</option>{options}</select>'


def _tell_pictures(pictures: Pictures) -> str:
    left_out = f"; {pictures.left_out:,} left out to keep the file small" if pictures.left_out else ""
    return f"Pictures: {pictures.size_bytes / 1e6:.1f} MB{left_out}. Frames come from the cache, where there is one."
