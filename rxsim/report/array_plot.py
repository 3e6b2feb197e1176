"""One solved array as heat maps: what the wires take along wordlines and bitlines, and in g_eff."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rxsim.circuit import ArraySolution


def plot_array(
    g: np.ndarray, v_in: np.ndarray, solution: ArraySolution, kind: str = "png"
) -> bytes:
    """Draw a solved array.

    Args:
        g: device conductances, siemens, (n_rows, n_cols).
        v_in: source voltages, volt, (n_rows,).
        solution: solved for these, node voltages included.
        kind: png, pdf or svg.
    """
    assert solution.v_wl is not None
    assert solution.v_bl is not None
    ratio = np.divide(solution.g_eff, g, out=np.full(g.shape, np.nan), where=g > 0)
    panels = (
        ("wordline IR drop, mV", (v_in[:, None] - solution.v_wl) * 1e3),
        ("bitline voltage, mV", solution.v_bl * 1e3),
        ("g_eff / g", ratio),
    )
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, values) in zip(figure.subplots(1, 3), panels, strict=True):
        image = axes.imshow(values, aspect="auto", interpolation="nearest", cmap="viridis")
        axes.set_title(title)
        axes.set_xlabel("bitline (sensed at the bottom)")
        axes.set_ylabel("wordline (driven from the left)")
        figure.colorbar(image, ax=axes)
    buffer = io.BytesIO()
    # Nothing in the file tells when it was made.
    undated = {"png": "Software", "pdf": "CreationDate", "svg": "Date"}[kind]
    figure.savefig(buffer, format=kind, dpi=120, metadata={undated: None})
    return buffer.getvalue()
