"""Figures: accuracy per task with intervals, and accuracy over a sweep, to be saved by `plotting`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ivbench_data.errors import UsageError
from ivbench_data.evaluate.scores import GroupScore, Scorecard
from ivbench_data.plotting import make_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
"""Okabe and Ito's colour-blind safe palette."""

INK, DASHES = "#222222", (0, (3, 2))


def draw_tasks(cards: Sequence[Scorecard]) -> Figure:
    """Bar plot of accuracy by task with intervals, one bar per results file; chance as a dashed line.

    Raises:
        UsageError: nothing was evaluated.
        MissingDependencyError: matplotlib is not installed.
    """
    names = list(dict.fromkeys(name for card in cards for name in card.tasks))
    columns: list[tuple[str, list[GroupScore | None]]] = [("Overall", [card.overall for card in cards])]
    columns += [(name, [card.tasks.get(name) for card in cards]) for name in names]
    columns = [(name, ones) for name, ones in columns if any(one and one.accuracy for one in ones)]
    if not columns:
        raise UsageError("nothing was evaluated, so there is no figure to draw")
    width_inches = max(7.0, min(15.0, 1.2 + len(columns) * (0.35 + 0.3 * len(cards))))
    figure, axes = make_figure(width_inches, 4.6 + 0.2 * len(cards))
    width = 0.8 / len(cards)
    for at, card in enumerate(cards):
        places, values, below, above = [], [], [], []
        for column, (_, ones) in enumerate(columns):
            one = ones[at]
            if one is not None and one.accuracy is not None:
                places.append(column - 0.4 + width * (at + 0.5))
                values.append(100 * one.accuracy.value)
                below.append(100 * (one.accuracy.value - one.accuracy.low))
                above.append(100 * (one.accuracy.high - one.accuracy.value))
        label = f"{_shorten(card.name)} ({card.denominators.evaluated:,} questions)"
        axes.bar(places, values, width * 0.92, color=COLOURS[at % len(COLOURS)], label=label, zorder=2)
        axes.errorbar(places, values, yerr=[below, above], fmt="none", ecolor=INK, elinewidth=1, capsize=2.5, zorder=3)
    for column, (_, ones) in enumerate(columns):
        chances = [one.chance for one in ones if one is not None and one.chance is not None]
        if chances:
            level = 100 * sum(chances) / len(chances)
            ends = [column - 0.44, column + 0.44]
            axes.plot(ends, [level, level], color=INK, linewidth=1, linestyle=DASHES, zorder=4)
    axes.plot([], [], color=INK, linewidth=1, linestyle=DASHES, label="chance; bars: 95 % intervals by video")
    axes.set_xticks(range(len(columns)), [name for name, _ in columns], rotation=35, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(columns) - 0.4)
    axes.set_ylim(0, 100)
    axes.set_ylabel("accuracy in %")
    _finish(figure, axes)
    return figure


def draw_sweep(series: Sequence[tuple[str, Sequence[tuple[str, GroupScore]]]], axis: str) -> Figure:
    """Line plot of accuracy with intervals over the points of a sweep, one line per named series.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    labels = list(dict.fromkeys(label for _, points in series for label, _ in points))
    figure, axes = make_figure(min(40.0, max(5.5, 1.6 + 0.9 * len(labels))), 4.2)
    for at, (name, points) in enumerate(series):
        drawn = [(labels.index(label), one.accuracy) for label, one in points if one.accuracy is not None]
        shift = 0.06 * (at - (len(series) - 1) / 2)
        places = [place + shift for place, _ in drawn]
        values = [100 * estimate.value for _, estimate in drawn]
        spread = [
            [100 * (estimate.value - estimate.low) for _, estimate in drawn],
            [100 * (estimate.high - estimate.value) for _, estimate in drawn],
        ]
        colour = COLOURS[at % len(COLOURS)]
        axes.errorbar(
            places, values, yerr=spread, color=colour, marker="o", markersize=5, capsize=3, label=_shorten(name)
        )
    axes.set_xticks(range(len(labels)), labels, rotation=20, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.4, len(labels) - 0.6)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{axis}; bars: 95 % intervals by video")
    axes.set_ylabel("accuracy in %")
    _finish(figure, axes)
    return figure


def _finish(figure: Figure, axes: Axes) -> None:
    axes.grid(axis="y", color="#dddddd", linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper left", frameon=False, fontsize="small", ncols=1)


def _shorten(name: str) -> str:
    """The name as plain text (no `$` formulas), not wider than the figure."""
    plain = "".join(char if char.isprintable() else "?" for char in name).replace("$", r"\$")
    return plain if len(plain) <= 90 else f"{plain[:60]}…{plain[-29:]}"
