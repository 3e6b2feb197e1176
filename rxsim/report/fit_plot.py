"""A fitted device as a figure: what was measured, and the curves that were fitted to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import special

from rxsim.fitting import DeviceFit
from rxsim.fitting.fitted_curve import FittedCurve
from rxsim.report.style import MUTED, SERIES, figure_bytes, figure_style, legend

_PANEL_MM, _INCH_MM = 60.0, 25.4
_POINTS = 8.0
_MOST_DOTS = 3000  # of single cells in a panel; more hide each other
_MOST_LEVELS = 5  # whose drift is drawn
_GRID = 201
_TWO = 1.96  # standard errors of a band of 95 %
_AGES = {
    **{"1 us": 1e-6, "1 ms": 1e-3, "1 s": 1.0, "1 min": 60.0, "1 h": 3600.0, "1 d": 86400.0},
    **{"30 d": 2.592e6, "1 y": 3.1536e7, "10 y": 3.1536e8},
}
_BINS = 12  # of readings, for points of the read noise


def draw_fit(fit: DeviceFit, form: str) -> bytes:
    """Draw a fit.

    Args:
        fit: the fit.
        form: pdf, svg or png.

    Returns:
        The file's bytes, the same for the same fit.
    """
    panels: list[Callable[[Axes, DeviceFit], None]] = [_mean, _sigma, _residuals]
    if fit.drift is not None:
        panels += [_exponents, _spread_of_exponents, _conductance_over_time]
    if fit.relaxation is not None:
        panels += [_shift]
    if fit.read_noise is not None:
        panels += [_noise]
    columns = {4: 2, 7: 4}.get(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = columns * _PANEL_MM / _INCH_MM, rows * _PANEL_MM / _INCH_MM
    with figure_style(
        _POINTS, figure__facecolor="white", svg__fonttype="path", lines__markersize=2.5
    ):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        places = list(np.ravel(figure.subplots(rows, columns)))
        for place, panel in zip(places, panels, strict=False):
            panel(place, fit)
        for place in places[len(panels) :]:
            place.set_axis_off()
        return figure_bytes(figure, form, dpi=300)


def _curve(
    axes: Axes, fit: DeviceFit, curve: FittedCurve, ends: tuple[float, float] | None = None
) -> None:
    """Draw a curve over the range with its band of 95 %."""
    g = np.linspace(*(ends or fit.ends), _GRID)
    x = g / fit.scale
    value, error = curve.at(x), curve.error_at(x)
    g = g / fit.siemens
    axes.fill_between(
        g, value - _TWO * error, value + _TWO * error, color=SERIES[1], alpha=0.25, lw=0
    )
    axes.plot(g, value, color=SERIES[1])


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Draw single cells, of many every so many-th."""
    step = -(-len(x) // _MOST_DOTS)
    axes.plot(x[::step], y[::step], ".", color=MUTED, alpha=0.3, mew=0, zorder=1)


def _by_level(
    fit: DeviceFit, y: np.ndarray, of_row: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return levels, means, deviations and numbers of values, of levels with two at least."""
    counts = np.bincount(of_row, minlength=len(fit.blocks))
    sums = np.bincount(of_row, y, len(fit.blocks))
    means = sums / np.maximum(counts, 1)
    squares = np.bincount(of_row, np.square(y - means[of_row]), len(fit.blocks))
    kept = counts > 1
    deviations = np.sqrt(squares[kept] / (counts[kept] - 1))
    return fit.blocks.target[kept] / fit.siemens, means[kept], deviations, counts[kept]


def _named(axes: Axes, fit: DeviceFit, label: str) -> None:
    axes.set_xlabel(f"target, {fit.short_unit}")
    axes.set_ylabel(label)


def _mean(axes: Axes, fit: DeviceFit) -> None:
    y = (fit.cells.achieved - fit.cells.target) / fit.siemens
    _dots(axes, fit.cells.target / fit.siemens, y)
    levels, means, deviations, counts = _by_level(fit, y, fit.blocks.of_row)
    axes.errorbar(levels, means, deviations / np.sqrt(counts), fmt="o", color=SERIES[0], lw=1)
    _curve(axes, fit, fit.write_error.mean)
    _named(axes, fit, f"achieved - target, {fit.short_unit}")


def _sigma(axes: Axes, fit: DeviceFit) -> None:
    # Levels whose values a floor hides in part: what is seen of them is no deviation.
    y = (fit.cells.achieved - fit.cells.target) / fit.siemens
    hidden = np.bincount(fit.blocks.of_row, fit.cells.achieved == 0, len(fit.blocks)) > 0
    seen = ~hidden[fit.blocks.of_row]
    levels, _, deviations, counts = _by_level(fit, y[seen], fit.blocks.of_row[seen])
    error = deviations / np.sqrt(2 * (counts - 1))
    axes.errorbar(levels, deviations, error, fmt="o", color=SERIES[0], lw=1)
    _curve(axes, fit, fit.write_error.sigma)
    axes.set_ylim(bottom=0)
    _named(axes, fit, f"sigma of the write error, {fit.short_unit}")


def _residuals(axes: Axes, fit: DeviceFit) -> None:
    hidden = np.bincount(fit.blocks.of_row, fit.cells.achieved == 0, len(fit.blocks)) > 0
    values = fit.write_error.residuals[~hidden[fit.blocks.of_row]]
    values = np.sort(values[np.isfinite(values)])
    wanted = special.ndtri((np.arange(len(values)) + 0.5) / max(len(values), 1))
    ends = [-4.0, 4.0]
    axes.plot(ends, ends, color=SERIES[1])
    # The tails are where a sample shows what it is: every value there, every so many-th inside.
    step = -(-len(values) // _MOST_DOTS)
    kept = (np.arange(len(values)) % step == 0) | (np.abs(wanted) > 2)
    axes.plot(wanted[kept], values[kept], ".", color=SERIES[0], mew=0)
    axes.set_xlabel("normal quantile")
    axes.set_ylabel("residual / sigma")


def _exponents(axes: Axes, fit: DeviceFit) -> None:
    drift = fit.drift
    assert drift is not None
    if drift.cells:
        _dots(axes, drift.nu_target / fit.siemens, drift.nu)
    if drift.cells and fit.blocks.levels:
        of_row = np.searchsorted(fit.blocks.target, drift.nu_target)
        levels, means, deviations, counts = _by_level(fit, drift.nu, of_row)
        axes.errorbar(levels, means, deviations / np.sqrt(counts), fmt="o", color=SERIES[0], lw=1)
    _curve(axes, fit, drift.mean)
    _named(axes, fit, "drift exponent nu")


def _spread_of_exponents(axes: Axes, fit: DeviceFit) -> None:
    drift = fit.drift
    assert drift is not None
    if drift.cells and fit.blocks.levels:
        of_row = np.searchsorted(fit.blocks.target, drift.nu_target)
        levels, _, deviations, counts = _by_level(fit, drift.nu, of_row)
        noise = _by_level(fit, np.square(drift.nu_error), of_row)[1]
        own = np.sqrt(np.maximum(deviations**2 - noise, 0))
        error = deviations / np.sqrt(2 * (counts - 1))
        axes.errorbar(levels, own, error, fmt="o", color=SERIES[0], lw=1)
    _curve(axes, fit, drift.sd)
    axes.set_ylim(bottom=0)
    _named(axes, fit, "sd of nu")


def _conductance_over_time(axes: Axes, fit: DeviceFit) -> None:
    drift, readings = fit.drift, fit.cells.readings
    assert drift is not None
    levels = fit.blocks.target[fit.blocks.target > 0]
    chosen = levels[np.unique(np.linspace(0, len(levels) - 1, _MOST_LEVELS).astype(int))]
    handles, labels = [], []
    for color, level in zip(SERIES, chosen, strict=False):
        near = np.abs(fit.blocks.target[fit.blocks.of_row] - level) < 1e-9 * level
        start = float(np.mean(fit.cells.achieved[near]))
        rows = np.isclose(readings.target, level, rtol=1e-9) & (readings.time > 0)
        times = np.unique(readings.time[rows])
        means = [float(np.mean(readings.g[rows & (readings.time == t)])) for t in times]
        if len(times) == 0 or start == 0:
            continue
        (dots,) = axes.plot(times + drift.t0.seconds, np.array(means) / start, "o", color=color)
        ages = np.geomspace(drift.t0.seconds, times[-1] + drift.t0.seconds, _GRID)
        length = np.log(ages / drift.t0.seconds)
        x = np.array([level / fit.scale])
        nu, sd = drift.mean.at(x)[0], drift.sd.at(x)[0]
        # The mean of exp(-nu L) over normal exponents.
        axes.plot(ages, np.exp(-nu * length + (sd * length) ** 2 / 2), color=color)
        handles.append(dots)
        labels.append(f"{fit.plain(level):.3g}")
    _ages(axes, "time since programming")
    axes.set_ylabel("mean G(t) / mean G")
    if handles:
        legend(axes, handles, labels, f"G, {fit.short_unit}", loc="best", ncols=2)


def _ages(axes: Axes, label: str) -> None:
    """Make the horizontal axis one of times, in their own units."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    shown = {name: age for name, age in _AGES.items() if low <= age <= high}
    axes.set_xticks(list(shown.values()), list(shown))
    axes.minorticks_off()
    axes.set_xlabel(label)


def _shift(axes: Axes, fit: DeviceFit) -> None:
    """Draw mean and spread of all cells' shifts over time."""
    relaxation, readings = fit.relaxation, fit.cells.readings
    assert relaxation is not None
    times = np.unique(readings.time[readings.time > 0])
    shift = (readings.g - fit.cells.achieved[readings.cell]) / fit.siemens
    moments = [(shift[readings.time == t].mean(), shift[readings.time == t].std()) for t in times]
    folds = np.log(np.geomspace(times[0], times[-1], _GRID))
    a, b = relaxation.sd
    curves = ("mean", relaxation.mean * folds), ("spread", np.maximum(a * folds + b, 0))
    handles = []
    for place, (_, values) in enumerate(curves):
        axes.plot(np.exp(folds), values, color=SERIES[place])
        handles += axes.plot(times, [each[place] for each in moments], "o", color=SERIES[place])
    _ages(axes, "time since achieved")
    axes.set_ylabel(f"G(t) - G, {fit.short_unit}")
    legend(axes, handles, [name for name, _ in curves], "", loc="best")


def _noise(axes: Axes, fit: DeviceFit) -> None:
    noise = fit.read_noise
    assert noise is not None
    white = noise.law == "white"
    g = noise.x * fit.scale
    _dots(axes, g / fit.siemens, np.abs(noise.deviation))
    edges = np.quantile(g, np.linspace(0, 1, _BINS + 1))
    of_row = np.clip(np.searchsorted(edges, g, side="right") - 1, 0, _BINS - 1)
    counts = np.bincount(of_row, noise.weight, _BINS)
    kept = counts > 1
    square = np.bincount(of_row, noise.weight * np.square(noise.deviation), _BINS)[kept]
    centre = np.bincount(of_row, noise.weight * g, _BINS)[kept] / counts[kept] / fit.siemens
    sigma = np.sqrt(square / counts[kept])
    axes.errorbar(centre, sigma, sigma / np.sqrt(2 * counts[kept]), fmt="o", color=SERIES[0], lw=1)
    _curve(axes, fit, noise.curve, (float(g.min()), float(g.max())))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{'conductance' if white else 'programmed'}, {fit.short_unit}")
    axes.set_ylabel(f"read noise, {fit.short_unit}" if white else "read noise: Q")
