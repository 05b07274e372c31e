"""The paper's table, with our rows above the paper's: for the terminal, Markdown, CSV and JSON.

Our rows and the paper's cover different questions: the paper's its whole benchmark, ours the evaluated part of the
release. Each row states how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ivbench_data.evaluate.scores import GroupScore, Scorecard
from ivbench_data.manifests import Manifest
from ivbench_data.text.csv import write_csv
from ivbench_data.text.markdown import draw_table

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A table; figures are in per cent, rounded to one decimal."""

    columns: tuple[str, ...]
    """Headings."""
    rows: tuple[tuple[Cell, ...], ...]
    """One cell per column; None for unknown."""

    def to_markdown(self) -> str:
        """The table in Markdown."""
        return "\n".join(draw_table(self.columns, self.rows)) + "\n"

    def to_csv(self) -> str:
        """The table as CSV; text that a spreadsheet would run as a formula is prefixed with a quote."""
        return write_csv((self.columns, *self.rows))

    def to_records(self) -> list[dict[str, Cell]]:
        """The table as JSON: one object per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def write_cell(cell: Cell) -> str:
    """The cell as text: one decimal, thousands separators, a dash for None."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.1f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def percent(share: float | None) -> float | None:
    """The share (0 to 1) in per cent, rounded to one decimal."""
    return None if share is None else round(100 * share, 1)


def make_paper_table(cards: Sequence[Scorecard], manifest: Manifest | None, with_paper: bool = True) -> Table:
    """Our rows in the paper's columns: Overall, then the tasks of each group, and their mean.

    If the benchmark's own code scores the same replies differently, those figures follow as rows of their own. With
    `with_paper`, the paper's rows come last; they cover another set of questions.
    """
    alone = [task.name for task in manifest.tasks if task.group is None] if manifest else []
    tasks = list(dict.fromkeys((*alone, *(name for card in cards for name in card.tasks))))
    layout: list[tuple[str, str]] = []
    if manifest:
        for key in manifest.task_groups:
            members = [task.name for task in manifest.tasks if task.group == key]
            layout += [("task", name) for name in members]
            layout.append(("group", key))
            tasks = [name for name in tasks if name not in members]
    layout += [("task", name) for name in tasks]
    titles = {key: f"{title[0]}-Avg" for key, title in manifest.task_groups.items()} if manifest else {}
    headings = [titles[name] if kind == "group" else name for kind, name in layout]
    rows: list[tuple[Cell, ...]] = []
    for card in cards:
        figures = [(card.groups if kind == "group" else card.tasks).get(name) for kind, name in layout]
        rows.append((card.name, describe_questions(card), _figure(card.overall), *map(_figure, figures)))
    for card in cards:
        if card.overall.as_benchmark is not None:
            figures = [(card.groups if kind == "group" else card.tasks).get(name) for kind, name in layout]
            theirs = [_figure_like_benchmark(one) for one in (card.overall, *figures)]
            rows.append((f"{card.name}, as the benchmark counts", describe_questions(card), *theirs))
    if manifest and with_paper:
        asked = f"paper: {manifest.published.questions:,}" if manifest.published.questions else "paper"
        for row in manifest.published_results:
            published = [(row.groups if kind == "group" else row.tasks).get(name) for kind, name in layout]
            rows.append((row.model, asked, row.overall, *published))
    return Table(("model", "questions", "Overall", *headings), tuple(rows))


def make_readings_table(cards: Sequence[Scorecard]) -> Table:
    """What the replies of each results file are, and between which figures the unread ones leave Overall."""
    columns = (
        "model", "read by rules", "read by a model", "not read", "truncated", "filtered", "refused", "empty", "failed",
        "if unread are wrong", "if unread are right",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for card in cards:
        one = card.readings
        counts = (one.by_rules, one.by_model, one.unread, one.truncated, one.filtered, one.refused, one.empty)
        rows.append((card.name, *counts, one.failed, percent(one.lowest), percent(one.highest)))
    return Table(columns, tuple(rows))


def describe_readings(card: Scorecard) -> str:
    """The same of one results file, in a line."""
    one = card.readings
    by_model = f" by {card.reader}" if card.reader else " by a model"
    bounds = f"{write_cell(percent(one.lowest))} to {write_cell(percent(one.highest))} %"
    return (
        f"read by rules {one.by_rules:,},{by_model} {one.by_model:,}; not read {one.unread:,}, truncated "
        f"{one.truncated:,}, filtered {one.filtered:,}, refused {one.refused:,}, empty {one.empty:,}, failed "
        f"{one.failed:,}; {bounds}, from all unread wrong to all right"
    )


def warn_of_unread(card: Scorecard) -> str | None:
    """A warning where more than 2 % of the replies are unread or truncated; None elsewhere."""
    if not card.readings.is_doubtful:
        return None
    unread, truncated = card.readings.unread, card.readings.truncated
    return (
        f"{100 * card.readings.doubtful_share:.1f} % of the replies of {card.name} are not read ({unread:,}) or "
        f"truncated ({truncated:,}): the accuracy lies between {write_cell(percent(card.readings.lowest))} and "
        f"{write_cell(percent(card.readings.highest))} %. Raise --max-new-tokens for cut-off replies, or let a model "
        "read: --read-with"
    )


def make_detail_table(card: Scorecard) -> Table:
    """Every figure of one results file: tasks, groups, slices, with intervals and counts."""
    columns = (
        "", "kind", "questions", "accuracy", "95 % from", "to", "chance", "parsed", "failed", "missing", "n/a",
        "unscored", "as the benchmark",
    )  # fmt: skip
    parts = [("all", card.overall), *(("group", one) for one in card.groups.values())]
    parts += [("task", one) for one in card.tasks.values()]
    parts += [(kind, one) for kind, members in card.slices.items() for one in members.values()]
    if card.right_in_all is not None:
        parts.append(("all", card.right_in_all))
    rows = [_detail(kind, one) for kind, one in parts]
    figures = {"majority vote": card.overall.majority, **{f"pass@{k}": one for k, one in card.overall.pass_at.items()}}
    for name, figure in figures.items():
        if figure is not None:
            update = {"name": f"Overall, {name}", "accuracy": figure.accuracy, "chance": figure.chance}
            rows.append(_detail("all", card.overall.model_copy(update={**update, "as_benchmark": None})))
    return Table(columns, tuple(rows))


def _detail(kind: str, one: GroupScore) -> tuple[Cell, ...]:
    accuracy = one.accuracy
    return (
        one.name,
        kind,
        one.evaluated,
        percent(accuracy.value if accuracy else None),
        percent(accuracy.low if accuracy else None),
        percent(accuracy.high if accuracy else None),
        percent(one.chance),
        percent(one.parse_rate),
        one.failed,
        one.missing,
        one.inapplicable,
        one.unscored,
        percent(one.as_benchmark),
    )


def _figure(one: GroupScore | None) -> float | None:
    return percent(one.accuracy.value) if one is not None and one.accuracy is not None else None


def _figure_like_benchmark(one: GroupScore | None) -> float | None:
    return percent(one.as_benchmark) if one is not None and one.as_benchmark is not None else _figure(one)


def describe_questions(card: Scorecard) -> str:
    """Evaluated questions out of how many; for a mean over tasks with missing ones, the tasks, too."""
    counts, mean = card.denominators, card.tasks_in_mean
    total = counts.released if counts.released is not None else counts.in_dataset
    text = f"{counts.evaluated:,} of {total:,}"
    return text if mean is None or mean[0] == mean[1] else f"{text}, {mean[0]} of {mean[1]} tasks"
