"""Charts of an explanation's layers and arrays, for pages and for figures of papers alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rxsim.explain.result import ArrayMap, Explanation, LayerRow, LayersTable
from rxsim.report.explanation_words import Wording, effect_titles, title_of_effect
from rxsim.report.labels import shortened
from rxsim.report.layer_names import short_names
from rxsim.report.style import INK, MUTED, SERIES

MOST_LAYERS = 120
"""Layers that a chart shows: of more, the worst."""
_MOST_EFFECTS = 20
_LONGEST, _LONGEST_NARROW = 30, 20
_BAR_INCHES = 0.12
WIDE_INCHES = 5.0
"""Width of a figure from which there is room for long names, and for columns beside bars."""


def shown_layers(layers: LayersTable) -> tuple[LayerRow, ...]:
    """Return the layers that charts show, in the order of the network."""
    if len(layers.rows) <= MOST_LAYERS:
        return layers.rows
    worst = set(layers.worst_first[:MOST_LAYERS])
    return tuple(row for row in layers.rows if row.name in worst)[:MOST_LAYERS]


def draw_layers(figure: Figure, explanation: Explanation, words: Wording) -> None:
    """Draw what each layer gives back where it is digital, and its signal to noise.

    Args:
        figure: to draw on; without layers that were left out it has one panel only.
        explanation: with layers.
        words: how numbers are written.
    """
    assert explanation.layers is not None
    rows = shown_layers(explanation.layers)
    names = short_names(
        [row.name for row in rows], _LONGEST if is_wide(figure) else _LONGEST_NARROW
    )
    if any(row.all_but is not None for row in rows):
        gains, noise = figure.subplots(1, 2, sharey=True, width_ratios=(1.25, 1))
        _draw_gains(gains, rows, explanation, words)
        panels = [gains, noise]
    else:
        noise = figure.subplots()
        panels = [noise]
    _draw_noise(noise, rows, columns=2 if is_wide(figure) else 1)
    panels[0].set_yticks(range(len(rows)), names)
    for axes in panels:
        _rows_from_above(axes, len(rows))


def _draw_gains(
    axes: Axes, rows: Sequence[LayerRow], explanation: Explanation, words: Wording
) -> None:
    """Bars of what comes back where a layer is digital: the other way round than its cost."""
    factor, sign = explanation.quantity.metric.factor, explanation.quantity.sign
    for place, row in enumerate(rows):
        if row.all_but is None:
            continue
        gain = -sign * row.all_but.mean * factor
        axes.barh(place, gain, height=0.65, color=SERIES[1] if gain > 0 else MUTED)
        if row.all_but.low is not None and row.all_but.high is not None:
            low, high = (-sign * bound * factor for bound in (row.all_but.low, row.all_but.high))
            axes.hlines(place, low, high, color=INK, linewidth=0.7)
    axes.axvline(0, color=MUTED, linewidth=0.6)
    unit = f" ({words.unit})" if words.unit else ""
    axes.set_xlabel(f"Given back\nif digital{unit}")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def is_wide(figure: Figure) -> bool:
    """Tell whether there is room for long names, and for columns beside bars."""
    return float(figure.get_size_inches()[0]) >= WIDE_INCHES


def _draw_noise(axes: Axes, rows: Sequence[LayerRow], columns: int) -> None:
    places = np.arange(len(rows))
    clean, real = (
        np.array([np.nan if value is None else value for value in values])
        for values in ([row.snr_clean_db for row in rows], [row.snr_db for row in rows])
    )
    axes.plot(clean, places, "o-", color=SERIES[0], label="clean inputs", markersize=3.5)
    axes.plot(real, places, "s-", color=SERIES[1], label="accumulated", markersize=3.0)
    axes.set_xlabel("SNR (dB)")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, handletextpad=0.2)


def _rows_from_above(axes: Axes, count: int) -> None:
    axes.set_ylim(count - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def noise_table(
    explanation: Explanation, rows: Sequence[LayerRow]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the signal to noise of each layer where a single effect is on.

    Returns:
        Names of the effects that make any, and decibels, float64 (layers, effects); NaN where there is
        no noise, or none that is known.
    """
    order = list(effect_titles(explanation))
    known = dict.fromkeys([*order, *(name for row in rows for name in row.noise_alone)])
    names = tuple(name for name in known if any(row.noise_alone.get(name, 0) > 0 for row in rows))
    noise = np.array([[row.noise_alone.get(name, np.nan) for name in names] for row in rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = -10 * np.log10(noise)
    return names[:_MOST_EFFECTS], np.where(np.isfinite(ratio), ratio, np.nan)[:, :_MOST_EFFECTS]


def draw_noise_map(figure: Figure, explanation: Explanation) -> None:
    """Draw the noise that each effect alone makes in each layer; the dominant one bears a dot."""
    assert explanation.layers is not None
    rows = shown_layers(explanation.layers)
    names, ratio = noise_table(explanation, rows)
    titles = effect_titles(explanation)
    axes = figure.subplots()
    # Little signal to noise is bright: that is where to look.
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(ratio),
        cmap=matplotlib.colormaps["cividis"].reversed(),
        edgecolors="face",
        linewidth=0.4,
    )
    for place, row in enumerate(rows):
        if row.dominant in names:
            x = names.index(row.dominant) + 0.5
            axes.plot(x, place + 0.5, "o", color="#ffffff", markersize=4.5)
            axes.plot(x, place + 0.5, "o", color="#010101", markersize=2.6)
    axes.set_yticks(np.arange(len(rows)) + 0.5, short_names([row.name for row in rows], _LONGEST))
    axes.set_ylim(len(rows), 0)
    texts = [shortened(title_of_effect(name, titles), 26) for name in names]
    axes.set_xticks(np.arange(len(names)) + 0.5, texts)
    for text in axes.get_xticklabels():
        text.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    axes.grid(False)
    for side in axes.spines.values():
        side.set_visible(False)
    _colour_bar(figure, axes, mesh, "SNR (dB)")


def draw_array(figure: Figure, array: ArrayMap) -> None:
    """Draw an array: what is left of its cells' conductance, and the error of their currents."""
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.08})
    error = array.error * 1e9
    reach = float(np.nanmax(np.abs(error), initial=0.0)) or 1.0
    low, high = _ends(array.ratio)
    looks: tuple[dict[str, Any], ...] = (
        {"cmap": "cividis", "vmin": low, "vmax": high},
        {"cmap": "RdBu", "vmin": -reach, "vmax": reach},
    )
    labels = ("g_eff / g", "error of the current (nA)")
    for axes, values, look, label in zip(
        (left, right), (array.ratio, error), looks, labels, strict=True
    ):
        image = axes.imshow(
            np.ma.masked_invalid(values), aspect="auto", interpolation="none", **look
        )
        axes.set_xlabel("bitline")
        axes.grid(False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))
        _colour_bar(figure, axes, image, label)
    left.set_ylabel("wordline")


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the smallest and largest of values, apart even where all are equal or none is known."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _colour_bar(figure: Figure, axes: Axes, drawn: Any, label: str) -> None:
    aspect = float(figure.get_size_inches()[1]) / _BAR_INCHES
    bar = figure.colorbar(drawn, ax=axes, label=label, pad=0.02, aspect=aspect)
    solids: Any = bar.solids
    solids.set(edgecolor="face", linewidth=0.4)
    bar.outline.set_visible(False)
