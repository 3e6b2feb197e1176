"""What `rxsim fit` prints: the curves by level with their errors, how well they fit, and outliers."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from rxsim.counted import counted
from rxsim.durations import written
from rxsim.fitting import DeviceFit
from rxsim.fitting.drift import Drift
from rxsim.fitting.fit_values import curves_of
from rxsim.fitting.goodness import Goodness
from rxsim.fitting.read_noise import ReadNoise
from rxsim.fitting.relaxation import Relaxation

_SHOWN_OUTLIERS = 10
_HEADS = {
    "mean": "achieved - target, {}",
    "sigma": "sigma, {}",
    "nu_mean": "nu",
    "nu_sd": "sd of nu",
    "read_sigma": "read noise, {}",
    "q": "Q",
}


def print_fit(fit: DeviceFit, console: Console) -> None:
    """Print a fit."""
    console.print(fit_title(fit), soft_wrap=True, markup=False)
    for warning in fit.warnings:
        console.print(f"WARNING: {warning}.", soft_wrap=True, markup=False, style="bold")
    console.print(fit_table(fit))
    for line in fit_lines(fit):
        console.print(line, soft_wrap=True, markup=False)


def fit_title(fit: DeviceFit) -> str:
    """Return what was fitted, in one line."""
    low, high = (fit.plain(end) for end in fit.ends)
    rows, cells = counted(len(fit.rows), "row"), counted(len(fit.cells.target), "programmed cell")
    return f"{fit.rows.name}: {rows}, {cells}, {low:.6g} to {high:.6g} {fit.short_unit}"


def fit_table(fit: DeviceFit) -> Table:
    """Return the curves at the levels, each number with its standard error."""
    table = Table(box=None, pad_edge=False)
    table.add_column(f"G, {fit.short_unit}", justify="right")
    curves = curves_of(fit)
    for name in curves:
        table.add_column(_HEADS[name].format(fit.short_unit), justify="right")
    levels = fit.levels()
    x = levels / fit.scale
    columns = [
        [_with_error(*pair) for pair in zip(curve.at(x), curve.error_at(x), strict=True)]
        for curve in curves.values()
    ]
    for level, *values in zip(levels, *columns, strict=True):
        table.add_row(f"{fit.plain(level):.5g}", *values)
    return table


def fit_lines(fit: DeviceFit) -> Iterator[str]:
    """Yield what stands below the table, line by line."""
    error = fit.write_error
    mean = error.mean.basis.name
    if error.mean.is_none:
        mean = "none needed"
    if error.bounds is not None:
        mean += (
            f" (at 2 standard errors below {error.bounds.of_all:.2g} {fit.short_unit} over all rows, "
            f"below {error.bounds.of_a_level:.2g} {fit.short_unit} at any level)"
        )
    yield f"Write error: sigma: {error.sigma.basis.name}; mean: {mean}. {_goodness(error.goodness)}"
    if fit.drift is not None:
        yield _drift(fit, fit.drift)
    if fit.relaxation is not None:
        yield _relaxation(fit, fit.relaxation)
    if fit.read_noise is not None:
        yield _read_noise(fit.read_noise)
    yield from _outliers(fit)
    if len(fit.bad_readings):
        yield _bad_readings(fit)
    if not (fit.blocks.levels and len(fit.blocks) == len(fit.levels())):
        yield "The table's conductances are evenly spaced over the range: its values lie on the curves."
    yield from (f"Note: {note}." for note in fit.notes)


def _with_error(value: float, error: float) -> str:
    """Write a number to two digits of its error."""
    if error <= 0:
        return f"{value:.4g}"
    shown = f"{error:.2g}"
    if "e" in shown:
        return f"{value:.4g} +- {shown}"
    digits = len(f"{error:.1e}".split("e")[0]) - 2
    exponent = int(f"{error:.1e}".split("e")[1])
    places = max(digits - exponent, 0)
    return f"{value:.{places}f} +- {error:.{places}f}"


def _goodness(goodness: Goodness, groups: str = "levels") -> str:
    parts = [
        f"{value:.2f} of the {groups}' {name}"
        for name, value in (("means", goodness.chi2_mean), ("variances", goodness.chi2_sigma))
        if value is not None
    ]
    chi2 = f"Reduced chi2 {', '.join(parts)}; normal" if parts else "Normal"
    return f"{chi2} residuals: p = {goodness.normal_p:.2g}."


def _drift(fit: DeviceFit, drift: Drift) -> str:
    error = "" if drift.t0.error is None else f" +- {drift.t0.error:.2g}"
    of_cells = f" of {counted(drift.cells, 'cell')}" if drift.cells else ""
    first, last = fit.times or (0.0, 0.0)
    r2 = "" if drift.r2 is None else f" R2 {drift.r2:.4f}."
    return (
        f"Drift: exponents{of_cells} from {written(first)} to {written(last)}; t0 = "
        f"{drift.t0.seconds:.6g}{error} s ({drift.t0.how}); nu: {drift.mean.basis.name}; sd: "
        f"{drift.sd.basis.name}.{r2}"
        f"{'' if drift.goodness is None else f' {_goodness(drift.goodness)}'}"
    )


def _relaxation(fit: DeviceFit, relaxation: Relaxation) -> str:
    first, last = fit.times or (0.0, 0.0)
    mean = _with_error(relaxation.mean, relaxation.mean_error)
    a, b = (
        _with_error(value, error)
        for value, error in zip(relaxation.sd, relaxation.sd_errors, strict=True)
    )
    told = ""
    if relaxation.gained is not None:
        told = f" Likelier than a power of time by {relaxation.gained:.3g} in ln of the odds."
    return (
        f"Relaxation: {counted(relaxation.cells, 'cell')} from {written(first)} to {written(last)}; "
        f"shift in {fit.short_unit}: mean ({mean}) ln t, spread ({a}) ln t + ({b}), t in s.{told} "
        f"{_goodness(relaxation.goodness, 'times')}"
    )


def _read_noise(noise: ReadNoise) -> str:
    law = "white" if noise.law == "white" else f"1/f with readings of {written(noise.t_r or 0)}"
    told = "the times do not tell it from 1/f" if noise.law == "white" else ""
    if noise.gained is not None:
        other = "white" if noise.law == "one_over_f" else "1/f"
        told = f"likelier than {other} noise by {abs(noise.gained):.3g} in ln of the odds"
    return (
        f"Read noise: {law} ({told}), from {counted(noise.groups, 'group')} of repeated readings; "
        f"{noise.curve.basis.name}. {_goodness(noise.goodness)}"
    )


def _bad_readings(fit: DeviceFit) -> str:
    bad = fit.bad_readings
    order = bad.line.argsort()[:_SHOWN_OUTLIERS]
    listed = ", ".join(
        f"line {bad.line[row]} ({fit.plain(bad.g[row]):.4g} {fit.short_unit})" for row in order
    )
    more = ", .." if len(bad) > _SHOWN_OUTLIERS else ""
    kept = "left out" if fit.dropped_readings else "kept; --outliers drop leaves them out"
    return (
        f"Later readings far from the others ({kept}): {len(bad)} beyond {fit.outliers.bound:g} robust "
        f"deviations: {listed}{more}."
    )


def _outliers(fit: DeviceFit) -> Iterator[str]:
    outliers = fit.outliers
    if not outliers.rows:
        yield f"Outliers: none beyond {outliers.bound:g} robust deviations."
        return
    rows = sorted(outliers.rows, key=lambda row: -abs(row.distance))
    listed = ", ".join(
        f"line {row.line} ({fit.plain(row.target):.4g} -> {fit.plain(row.achieved):.4g} "
        f"{fit.short_unit}, {row.distance:+.3g})"
        for row in rows[:_SHOWN_OUTLIERS]
    )
    more = ", .." if len(rows) > _SHOWN_OUTLIERS else ""
    kept = "left out" if fit.dropped else "kept; --outliers drop leaves them out"
    yield (
        f"Outliers ({kept}): {len(rows)} beyond {outliers.bound:g} robust deviations: {listed}{more}."
    )
    stuck = ", ".join(
        f"{name}: {share:.3g} (at {fit.plain(g):.4g} {fit.short_unit} on average)"
        for name, share, g in outliers.stuck
        if g is not None
    )
    if stuck:
        where = "stated in the preset" if fit.dropped else "--outliers drop states it in the preset"
        ends = "Some lie at an end of the range whatever their target, like stuck cells"
        yield f"{ends}: {stuck} ({where})."
