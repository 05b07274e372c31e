"""HTML page of the questions that a model got wrong: question, options, reply, right answer."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ivbench_data.dataset import Dataset
from ivbench_data.evaluate.metrics.units import ScoredRow
from ivbench_data.evaluate.model_reader import BY_MODEL, find_shown_order
from ivbench_data.evaluate.reply_scores import score_reply
from ivbench_data.evaluate.results import Results
from ivbench_data.evaluate.sampled_rows import pair_with_rows
from ivbench_data.evaluate.score_tables import describe_readings, make_detail_table, percent, write_cell
from ivbench_data.evaluate.scores import Scorecard
from ivbench_data.hidden_record import leave_out_hidden
from ivbench_data.html.page import embed_image, find_figures, render_page
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image, render_image
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.schema import EvaluationResult, Question
from ivbench_data.timecodes import format_clock
from ivbench_data.workspace import Workspace

THUMBNAIL_PIXELS = 160

LONG_OPTION_CHARS = 44
"""Options longer than this are not set in two columns."""

MAX_REPLY_CHARS = 2000


def make_error_report(dataset: Dataset, results: Results, card: Scorecard, workspace: Workspace | None = None) -> str:
    """The HTML page: scores, then every evaluated question that was not right, with a filter.

    With a `workspace`, thumbnails of the query images are shown (an image that cannot be read is left out), and
    questions whose answers were hidden in a publication are left out and counted.
    """
    hidden: dict[str, int] = {}
    if workspace is not None:
        dataset, hidden = leave_out_hidden(dataset, workspace)
    wrong = [item for item in pair_with_rows(dataset, results) if item.points is not None and not item.is_correct]
    tasks = list(dict.fromkeys(item.question.task for item in wrong))
    table = make_detail_table(card)
    rows = [[write_cell(cell) for cell in row] for row in table.rows]
    context = {
        "name": card.name,
        "summary": _summarise(card),
        "columns": find_figures(table.columns, rows),
        "rows": rows,
        "tasks": tasks,
        "hidden": hidden,
        "questions": [_describe_question(item, results.configuration.profile, workspace) for item in wrong],
    }
    return render_page("wrong_answers", f"Errors of {card.name}", context)


def _summarise(card: Scorecard) -> str:
    counts, overall = card.denominators, card.overall
    parts = [
        f"{counts.evaluated:,} questions evaluated",
        f"{counts.in_dataset:,} in the dataset",
        f"{counts.fetched:,} with their media on disk" if counts.fetched is not None else "",
        f"{counts.released:,} released" if counts.released is not None else "",
        f"{counts.published:,} in the paper" if counts.published is not None else "",
        f"replies are the first of {card.samples}" if card.samples > 1 else "",
        f"{overall.missing:,} missing, {overall.failed:,} failed",
        f"parse rate {write_cell(percent(overall.parse_rate))} %",
        describe_readings(card),
        f"results {card.configuration.digest}",
    ]
    return "; ".join(part for part in parts if part)


def _describe_question(item: ScoredRow, profile: str, workspace: Workspace | None) -> dict[str, object]:
    question, row = item.question, item.row
    assert row is not None
    return {
        "id": question.question_id,
        "task": question.task,
        "kind": "failed" if row.status == "failed" else "wrong" if item.is_parsed else "unparsed",
        "chips": [*([question.granularity] if question.granularity else []), *_name_evidence(item)],
        "question": question.question,
        "options": [
            (option, "right" if index in question.correct_indices else "picked" if index == row.answer_index else "")
            for index, option in enumerate(question.options)
        ],
        "is_long": any(len(option) > LONG_OPTION_CHARS for option in question.options),
        "images": [] if workspace is None else list(_read_thumbnails(question.image_ids, workspace)),
        "reply": _mark_reply(question, row, profile),
        "reading": _name_reading(row),
    }


def _mark_reply(question: Question, row: EvaluationResult, profile: str) -> list[tuple[str, bool]]:
    """The reply in parts, and whether the reading that counts rests on each; it is read again to say so."""
    if row.error is not None or row.reply is None:
        by_likelihood = "" if row.answer_index is None else f"(by likelihood) {LETTERS[row.answer_index]}"
        return [(_cut(row.error or by_likelihood or "(no reply)"), False)]
    order = find_shown_order(question, row)
    shown = question.model_copy(update={"options": tuple(question.options[index] for index in order)})
    read = score_reply(shown, row.reply, profile)
    index = None if read.answer_index is None else order[read.answer_index]
    if read.span is None or index != row.answer_index or row.metadata.get("rule") == BY_MODEL:
        return [(_cut(row.reply or "(no reply)"), False)]
    start, end = read.span
    before, after = row.reply[:start], row.reply[end:]
    return [(_cut_middle(before), False), (_cut(row.reply[start:end]), True), (_cut(after), False)]


def _name_reading(row: EvaluationResult) -> str:
    """By which rule, or by whom, the reply was read."""
    rule = row.metadata.get("rule")
    if rule == BY_MODEL:
        return f"read by {row.metadata.get('read_with')}: {row.metadata.get('reader_word')}"
    if row.error is not None or rule is None:
        return ""
    return "not read" if rule == "none" else f"rule: {rule}"


def _name_evidence(item: ScoredRow) -> Iterator[str]:
    for evidence in item.question.evidence:
        if evidence.kind == "whole":
            yield "whole video"
        elif evidence.start_seconds is not None:
            end = "" if evidence.end_seconds is None else f"–{format_clock(evidence.end_seconds)}"
            yield f"{format_clock(evidence.start_seconds)}{end}"
    seen = item.row.metadata.get("evidence_seen") if item.row is not None else None
    if isinstance(seen, bool):
        yield "a shown frame holds it" if seen else "no shown frame holds it"


def _read_thumbnails(image_ids: Sequence[str], workspace: Workspace) -> Iterator[str]:
    for image_id in image_ids:
        content = _shrink(workspace.image_path(image_id))
        if content is not None:
            yield embed_image(content, "image/jpeg")


def _shrink(path: Path) -> bytes | None:
    """The image as a small JPEG; None if it is missing or cannot be decoded safely."""
    try:
        with open_image(path) as image:
            image.draft(image.mode, (2 * THUMBNAIL_PIXELS, 2 * THUMBNAIL_PIXELS))
            small = render_image(image)
            small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    except (ImageProblemError, *IMAGE_ERRORS):
        return None
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def _cut_middle(text: str) -> str:
    """The text without its middle, where it is long: a reading often rests on what its end leads up to."""
    left_out = len(text) - MAX_REPLY_CHARS
    half = MAX_REPLY_CHARS // 2
    return text if left_out <= 0 else f"{text[:half]}… ({left_out:,} characters more) …{text[-half:]}"


def _cut(text: str) -> str:
    left_out = len(text) - MAX_REPLY_CHARS
    return text if left_out <= 0 else f"{text[:MAX_REPLY_CHARS]}… ({left_out:,} characters more)"
