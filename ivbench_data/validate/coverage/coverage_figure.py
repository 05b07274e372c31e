"""The curve of evidence seen over frame counts and samplers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import PositiveInt

from ivbench_data.dataset import Dataset
from ivbench_data.frames.samplers import CONSTANT_SAMPLERS
from ivbench_data.plotting import make_figure
from ivbench_data.schema import FrameGrid, NonEmpty, Record, Sampler
from ivbench_data.statistics import Estimate
from ivbench_data.validate.coverage.coverage_summary import OVERALL, summarise_coverage
from ivbench_data.validate.coverage.evidence_coverage import CoverageOptions, cover_questions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAME_COUNTS: Final = (8, 16, 32, 64, 128, 256, 512)
"""Frame counts of the curve: those of the paper's ablations."""


class CurvePoint(Record):
    """Evidence seen with one frame count and sampler, over all tasks."""

    sampler: NonEmpty
    """Sampling convention."""
    nframes: PositiveInt
    """Frames a video."""
    seen: Estimate
    """Share of decided questions whose evidence is seen."""


def compute_curve(
    dataset: Dataset,
    root: Path,
    options: CoverageOptions | None = None,
    frame_counts: Sequence[int] = FRAME_COUNTS,
    samplers: Sequence[Sampler] = CONSTANT_SAMPLERS,
) -> Iterator[CurvePoint]:
    """A point for each sampler and frame count; none where no question could be decided."""
    grids = {
        grid.identity: grid
        for sampler, nframes in product(samplers, frame_counts)
        for grid in [FrameGrid(nframes=nframes, res=240, sampler=sampler)]
    }
    for summary in summarise_coverage(cover_questions(dataset, root, list(grids.values()), options)):
        if summary.task == OVERALL and summary.seen is not None:
            grid = grids[summary.frames_of]
            yield CurvePoint(sampler=grid.sampler, nframes=grid.nframes, seen=summary.seen)


def plot_curve(points: Sequence[CurvePoint], title: str) -> Figure:
    """The curve of each sampler over frame counts.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    figure, axes = make_figure(8, 5)
    for number, sampler in enumerate(dict.fromkeys(point.sampler for point in points)):
        own = [point for point in points if point.sampler == sampler]
        counts = [point.nframes for point in own]
        axes.plot(counts, [point.seen.value * 100 for point in own], marker="osD^vPX"[number % 7], label=sampler)
        if number == 0:
            low, high = ([getattr(point.seen, end) * 100 for point in own] for end in ("low", "high"))
            axes.fill_between(counts, low, high, alpha=0.15, linewidth=0, label="its 95% interval, by video")
    axes.set_xscale("log", base=2)
    counts = sorted({point.nframes for point in points})
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_ylim(0, 100)
    axes.set_xlabel("frames a video")
    axes.set_ylabel("questions whose evidence is seen, %")
    axes.set_title(title, parse_math=False, loc="left", fontsize=11)  # a `$` in a name begins no formula
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return figure
