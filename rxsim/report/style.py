"""How figures look: colours that colour-blind readers tell apart, and text that is only text."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Source: Okabe and Ito, "Color Universal Design", 2008, without its yellow, too pale on white.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), "-", (0, (5, 2)))
INK, MUTED, GRID, PAPER = "#1b1c1e", "#66696e", "#d9dbde", "#fefefe"
FONT = "DejaVu Sans"  # it comes with matplotlib: text is measured the same everywhere


@contextlib.contextmanager
def figure_style(points: float, **more: Any) -> Iterator[None]:
    """Set matplotlib up for a figure: font size, thin lines, bytes that repeat.

    Args:
        points: font size.
        more: other settings of matplotlib, dots written as two underscores.
    """
    settings: dict[str, Any] = {
        "font.family": [FONT],
        "font.size": points,
        **dict.fromkeys(("axes.titlesize", "axes.labelsize", "legend.title_fontsize"), points),
        **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), points),
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.6,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        **dict.fromkeys(("xtick.major.width", "ytick.major.width"), 0.6),
        **dict.fromkeys(("xtick.minor.width", "ytick.minor.width"), 0.4),
        **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.3,
        "lines.markersize": 4.0,
        "legend.frameon": False,
        "text.parse_math": False,  # a dollar in a name is a dollar
        "svg.hashsalt": "rxsim",
        "pdf.fonttype": 42,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    # The user's matplotlibrc must not change the figure.
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        matplotlib.rcdefaults()
        parameters: Any = matplotlib.rcParams
        parameters.update(settings)
        yield


def undated_metadata(form: str) -> dict[str, Any]:
    """Return a file's metadata without dates and versions, so that its bytes repeat.

    Args:
        form: pdf, svg or png.
    """
    if form == "pdf":
        return {"Creator": "rxsim", "Producer": None, "CreationDate": None}
    return {"Date": None, "Creator": "rxsim"} if form == "svg" else {"Software": "rxsim"}


def figure_bytes(figure: Figure, form: str, dpi: int = 600) -> bytes:
    """Return a figure as a file, the same bytes for the same figure; inside its style.

    Args:
        figure: on its canvas.
        form: pdf, svg or png.
        dpi: of what is no line.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=dpi, metadata=undated_metadata(form))
    return buffer.getvalue()


def legend(axes: Axes, handles: list[Any], labels: list[str], title: str, **more: Any) -> None:
    """Put a legend; labels that begin with an underscore are shown too.

    Args:
        axes: whose legend it is.
        handles: the handle of each label.
        labels: the entries.
        title: above them.
        more: keywords of `Axes.legend`.
    """
    axes.legend(handles, _shown(labels), title=title or None, alignment="left", **more)


def legend_beneath(axes: Axes, handles: list[Any], labels: list[str], **more: Any) -> None:
    """Put a legend beneath all axes of a figure, which a constrained layout leaves room for.

    Args:
        axes: of the figure.
        handles: the handle of each label.
        labels: the entries.
        more: keywords of `Figure.legend`.
    """
    axes.figure.legend(handles, _shown(labels), loc="outside lower center", **more)


def _shown(labels: list[str]) -> list[str]:
    """Keep labels that begin with an underscore from being left out."""
    return [f"\N{THIN SPACE}{label}" if label.startswith("_") else label for label in labels]
