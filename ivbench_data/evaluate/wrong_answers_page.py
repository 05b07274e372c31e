"""One page of the questions that a model got wrong: what was asked, what it said, what would have been right."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ivbench_data.dataset import Dataset
from ivbench_data.evaluate.metrics.units import ScoredRow
from ivbench_data.evaluate.results import Results
from ivbench_data.evaluate.score_tables import Table, make_detail_table, percent, write_cell
from ivbench_data.evaluate.scores import Scorecard, pair_with_rows
from ivbench_data.html.page import embed_image, escape, page
from ivbench_data.query_images import IMAGE_ERRORS, ImageProblemError, open_image
from ivbench_data.questions.option_letters import LETTERS
from ivbench_data.timecodes import format_clock
from ivbench_data.workspace import Workspace

THUMBNAIL_PIXELS = 160

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--right:#2a8a43;--wrong:#c0392b}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;font-size:.85rem}
td,th{padding:.15rem .6rem;border-bottom:1px solid var(--line);text-align:right}
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
.scroll{overflow-x:auto}
.controls{position:sticky;top:0;background:Canvas;padding:.6rem 0;border-bottom:1px solid var(--line)}
.controls{display:flex;gap:.6rem;flex-wrap:wrap;align-items:center}
.controls input{flex:1;min-width:12rem}.controls input,.controls select{font:inherit;padding:.25rem .5rem}
article{display:flex;gap:1rem;padding:1rem 0;border-bottom:1px solid var(--line)}article[hidden]{display:none}
article img{max-width:160px;height:auto;align-self:flex-start}
article div{min-width:0;overflow-wrap:anywhere}
.about{font-size:.8rem;opacity:.75}.question{margin:.2rem 0;font-weight:600}
ol{list-style:upper-alpha;margin:.3rem 0;padding-left:2rem}
.right{color:var(--right);font-weight:600}.picked{color:var(--wrong);text-decoration:line-through}
blockquote{margin:.4rem 0;padding:.2rem .7rem;border-left:3px solid var(--line);background:var(--soft)}
blockquote{white-space:pre-wrap}
"""

_SCRIPT = """
const search = document.getElementById("search"), task = document.getElementById("task");
const kind = document.getElementById("kind"), shown = document.getElementById("shown");
const articles = Array.from(document.querySelectorAll("article"));
function filter() {
  const words = search.value.toLowerCase();
  let count = 0;
  for (const article of articles) {
    const fits = (!task.value || article.dataset.task === task.value)
      && (!kind.value || article.dataset.kind === kind.value)
      && article.textContent.toLowerCase().includes(words);
    article.hidden = !fits;
    count += fits;
  }
  shown.textContent = count + " of " + articles.length;
}
for (const control of [search, task, kind]) control.addEventListener("input", filter);
filter();
"""


def make_error_report(dataset: Dataset, results: Results, card: Scorecard, workspace: Workspace | None = None) -> str:
    """The HTML page: the figures, then every evaluated question that was not right, with a filter.

    With a `workspace`, query images that are there are shown small; one that cannot be read is passed over.
    """
    wrong = [item for item in pair_with_rows(dataset, results) if item.points is not None and not item.is_correct]
    tasks = list(dict.fromkeys(item.question.task for item in wrong))
    body = [
        f"<h1>{escape(card.name)}</h1>",
        f"<p>{_summarise(card)}</p>",
        f"<div class=scroll>{_draw_table(make_detail_table(card))}</div>",
        f"<h2>{len(wrong):,} questions that were not right</h2>",
        '<div class="controls"><input id="search" type="search" placeholder="words" aria-label="words">',
        _draw_select("task", "every task", tasks),
        _draw_select("kind", "wrong, unparsed or failed", ["wrong", "unparsed", "failed"]),
        '<span id="shown"></span></div>',
        *(_draw_question(item, workspace) for item in wrong),
    ]
    return page(f"Errors of {card.name}", "\n".join(body), style=_STYLE, script=_SCRIPT)


def _summarise(card: Scorecard) -> str:
    counts, overall = card.denominators, card.overall
    parts = [
        f"{counts.evaluated:,} questions evaluated",
        f"{counts.in_dataset:,} in the dataset",
        f"{counts.fetched:,} with their media here" if counts.fetched is not None else "",
        f"{counts.released:,} released" if counts.released is not None else "",
        f"{counts.published:,} in the paper" if counts.published is not None else "",
        f"{overall.missing:,} missing, {overall.failed:,} failed",
        f"parse rate {write_cell(percent(overall.parse_rate))} %",
        f"results {card.configuration.digest}",
    ]
    return escape("; ".join(part for part in parts if part))


def _draw_table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = (f"<tr>{''.join(f'<td>{escape(write_cell(cell))}</td>' for cell in row)}</tr>" for row in table.rows)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _draw_select(name: str, everything: str, values: Sequence[str]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(value)}</option>' for value in values)
    return f'<select id="{name}" aria-label="{name}"><option value="">{escape(everything)}</option>{options}</select>'


def _draw_question(item: ScoredRow, workspace: Workspace | None) -> str:
    question, row = item.question, item.row
    assert row is not None
    kind = "failed" if row.status == "failed" else "wrong" if item.is_parsed else "unparsed"
    parts = [f'<article data-task="{escape(question.task)}" data-kind="{kind}">']
    if workspace is not None:
        parts += [
            f'<img src="{source}" alt="query image">' for source in _read_thumbnails(question.image_ids, workspace)
        ]
    about = [question.question_id, question.task, question.granularity or "", *_name_evidence(item), kind]
    parts.append(f'<div><div class="about">{escape(" · ".join(part for part in about if part))}</div>')
    parts.append(f'<p class="question">{escape(question.question)}</p><ol>')
    for index, option in enumerate(question.options):
        marks = ["right"] if index in question.correct_indices else []
        marks += ["picked"] if index == row.answer_index else []
        attribute = f' class="{" ".join(marks)}"' if marks else ""
        parts.append(f"<li{attribute}>{escape(option)}</li>")
    said = row.error if row.error is not None else row.reply
    if said is None and row.answer_index is not None:
        said = f"(by likelihood) {LETTERS[row.answer_index]}"
    parts.append(f"</ol><blockquote>{escape(_cut(said or '(no reply)'))}</blockquote></div></article>")
    return "".join(parts)


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
    """The image as a small JPEG; None when it is not there, or is no image that can be read safely."""
    try:
        with open_image(path) as image:
            image.draft("RGB", (2 * THUMBNAIL_PIXELS, 2 * THUMBNAIL_PIXELS))
            small = image.convert("RGB")
            small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    except (ImageProblemError, *IMAGE_ERRORS):
        return None
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def _cut(text: str, limit: int = 2000) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} characters more)"
