"""One set-up of matplotlib for all figures: no display, no global state, the same bytes for the same figure."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ivbench_data.atomic_files import write_bytes
from ivbench_data.errors import MissingDependencyError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Final = (".png", ".svg")
PIXELS_PER_INCH: Final = 160


def make_figure(width_inches: float, height_inches: float) -> tuple[Figure, Axes]:
    """An empty figure and its axes, drawn by the Agg backend.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependencyError("matplotlib", "score") from None
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def encode_figure(figure: Figure, suffix: str) -> bytes:
    """The figure's file, PNG or SVG; without a date or random ids, so that the same figure gives the same bytes."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if suffix == ".svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "ivbench-data", "svg.fonttype": "path"}):
        figure.savefig(buffer, format=suffix[1:], dpi=PIXELS_PER_INCH, metadata=metadata)
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG or SVG, atomically.

    Raises:
        UsageError: the name ends in neither `.png` nor `.svg`.
        StorageError: it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"a figure is written to a name that ends in {' or '.join(FORMATS)}, not to {path.name!r}")
    write_bytes(path, encode_figure(figure, suffix))
