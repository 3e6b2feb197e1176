"""The file of a fitted preset: its numbers, with errors and goodness of fit in comments beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import yaml

from rxsim.config import Preset
from rxsim.counted import counted
from rxsim.devices.law import check_preset
from rxsim.durations import written
from rxsim.fitting.bases import Logarithm, Points
from rxsim.fitting.device_fit import DeviceFit
from rxsim.fitting.drift import Drift
from rxsim.fitting.fitted_curve import FittedCurve
from rxsim.fitting.goodness import Goodness
from rxsim.fitting.read_noise import ReadNoise
from rxsim.fitting.relaxation import Relaxation
from rxsim.schema import validated


def preset_text(fit: DeviceFit) -> str:
    """Write a preset, and check that it is one.

    Returns:
        YAML; the same for the same table and options.
    """
    text = "\n".join(_lines(fit)) + "\n"
    preset = validated(Preset, yaml.safe_load(text), "the fitted preset")
    check_preset(preset, "the fitted preset")
    return text


def _lines(fit: DeviceFit) -> Iterator[str]:
    low, high = (fit.plain(end) for end in fit.ends)
    rows = fit.rows
    kept = f"{counted(len(fit.cells.target), 'programmed cell')} of {counted(len(rows), 'row')}"
    yield "# Written by 'rxsim fit'. Behind +- stand standard errors, those of the forms chosen here."
    yield from (f"# Warning: {warning}." for warning in fit.warnings)
    yield "schema_version: 1"
    span = f"{_number(low)} to {_number(high)} {fit.short_unit}"
    yield f"about: {_text(f'fitted to {rows.name}, {span}')}"
    yield f"source: {_text(f'{rows.name}, sha256 {rows.sha256}, {kept}')}"
    yield "status: measured"
    yield f"unit: {rows.unit}"
    yield f"range: {{low: {_number(low)}, high: {_number(high)}}}"
    if fit.times is not None:
        first, last = fit.times
        told = f"{written(first)} to {written(last)} after the programmed state"
        yield f"times: {{low: {_number(first)}, high: {_number(last)}}}  # seconds: {told}"
    yield from _device(fit)
    yield "laws:"
    yield from _write_error(fit)
    if fit.drift is not None:
        yield from _drift(fit, fit.drift)
    if fit.relaxation is not None:
        yield from _relaxation(fit, fit.relaxation)
    if fit.read_noise is not None:
        yield from _read_noise(fit, fit.read_noise)


def _device(fit: DeviceFit) -> Iterator[str]:
    shares = [f"{name}: {_number(share)}" for name, share, _ in fit.outliers.stuck if share > 0]
    means = [
        f"{name} {_number(fit.plain(g), 4)} {fit.short_unit}"
        for name, _, g in fit.outliers.stuck
        if g is not None
    ]
    if shares and not fit.dropped:
        yield f"# Outliers look like stuck cells ({', '.join(shares)}), and are part of the deviations."
        yield "# 'rxsim fit --outliers drop' takes them out and states them here."
    if means:
        yield f"# measured on average: {', '.join(means)}; draws lie at the ends of the range"
    yield f"device: {{{', '.join(['n_bits: null', *(shares if fit.dropped else [])])}}}"


def _write_error(fit: DeviceFit) -> Iterator[str]:
    error, unit = fit.write_error, fit.short_unit
    scale = fit.plain(fit.scale)
    yield "  write_error:"
    if error.is_table:
        curve = error.sigma if error.sigma.is_points else error.mean
        assert isinstance(curve.basis, Points)
        x = np.asarray(curve.basis.x)
        yield "    law: table"
        yield f"    # conductances, deviations and means in {unit}, linear between them"
        yield f"    conductances: {_list([fit.plain(v * fit.scale) for v in x])}"
        yield f"    sigma: {_list(error.sigma.at(x))}"
        yield f"    # +- {_list(error.sigma.error_at(x), 2)}"
        if not error.mean.is_none:
            yield f"    mean: {_list(error.mean.at(x))}"
            yield f"    # +- {_list(error.mean.error_at(x), 2)}"
    else:
        yield "    law: polynomial"
        yield f"    scale: {_number(scale)}"
        yield f"    # sigma in {unit} = c0 + c1 x + c2 x^2 + .., with x = G / {_number(scale)} {unit}"
        yield f"    coefficients: {_list(error.sigma.values)}"
        yield f"    # +- {_list(error.sigma.errors, 2)}"
        if not error.mean.is_none:
            yield f"    # mean of achieved - target in {unit}, likewise"
            yield f"    mean: {_list(error.mean.values)}"
            yield f"    # +- {_list(error.mean.errors, 2)}"
    if error.bounds is not None:
        most, level = (_number(v, 2) for v in (error.bounds.of_all, error.bounds.of_a_level))
        yield f"    # no mean needed: its magnitude in {unit}, at 2 standard errors, is below {most}"
        yield f"    # over all rows, below {level} at any level"
    yield from _goodness(error.goodness)


def _goodness(goodness: Goodness, groups: str = "levels") -> Iterator[str]:
    parts = [
        f"of the {groups}' {name} {value:.3g}"
        for name, value in (("means", goodness.chi2_mean), ("variances", goodness.chi2_sigma))
        if value is not None
    ]
    chi2 = f"reduced chi2 {', '.join(parts)}; " if parts else ""
    yield f"    # {chi2}normal residuals: p = {goodness.normal_p:.3g} (Anderson-Darling)"


def _drift(fit: DeviceFit, drift: Drift) -> Iterator[str]:
    scale = fit.plain(fit.scale)
    start = drift.t0
    error = "" if start.error is None else f" +- {start.error:.2g}"
    yield "  drift:"
    yield "    law: power_drift"
    yield f"    t0: {_number(start.seconds, 7)}  # seconds{error}: {start.how}"
    yield f"    scale: {_number(scale)}"
    yield f"    # exponents over x = G / {_number(scale)} {fit.short_unit}, G the target"
    yield from _pieces("nu_mean", drift.mean, fit)
    yield from _pieces("nu_sd", drift.sd, fit, low=True)
    yield "    absolute: false"
    cells = f" of {counted(drift.cells, 'cell')}" if drift.cells else ""
    if drift.goodness is not None:
        yield from _goodness(drift.goodness)
    if drift.r2 is not None:
        yield f"    # R2 of ln(G(t) / G) over ln((t + t0) / t0){cells}: {drift.r2:.4g}"


def _relaxation(fit: DeviceFit, relaxation: Relaxation) -> Iterator[str]:
    yield "  drift:"
    yield "    law: relaxation"
    yield f"    # shift in {fit.short_unit}: mean m ln t, spread a ln t + b, with t in seconds"
    yield f"    mean: {_number(relaxation.mean, 8)}  # +- {_number(relaxation.mean_error, 2)}"
    yield f"    sd: {_list(relaxation.sd)}  # +- {_list(relaxation.sd_errors, 2)}"
    if relaxation.gained is not None:
        told = f"{relaxation.gained:.4g}"
        yield f"    # log-likelihood of a time's readings less that of a power of time: {told}"
    yield from _goodness(relaxation.goodness, "times")


def _read_noise(fit: DeviceFit, noise: ReadNoise) -> Iterator[str]:
    scale = fit.plain(fit.scale)
    yield "  read_noise:"
    yield f"    law: {noise.law}"
    if noise.t0 is not None and noise.t_r is not None:
        yield f"    t0: {_number(noise.t0, 7)}"
        yield f"    t_r: {_number(noise.t_r)}  # seconds that a reading lasts; not fitted"
    yield f"    scale: {_number(scale)}"
    yield from _pieces("sigma" if noise.law == "white" else "q", noise.curve, fit, low=True)
    if noise.gained is not None:
        yield f"    # log-likelihood of 1/f noise less that of white noise: {noise.gained:.4g}"
    yield from _goodness(noise.goodness)


def _pieces(name: str, curve: FittedCurve, fit: DeviceFit, *, low: bool = False) -> Iterator[str]:
    """Write a curve of one piece."""
    floor = ", low: 0" if low else ""
    yield f"    {name}:"
    if isinstance(curve.basis, Points):
        x = curve.basis.x
        yield f"      - {{x: {_list(x)}, y: {_list(curve.values)}{floor}}}"
    elif isinstance(curve.basis, Logarithm):
        # Beyond the range a logarithm would run away.
        ends = np.sort(curve.at(np.array(fit.ends) / fit.scale))
        least, most = max(ends[0], 0.0) if low else ends[0], ends[1]
        bounds = f"low: {_number(least, 8)}, high: {_number(most, 8)}"
        yield f"      - {{logarithm: {_list(curve.values)}, {bounds}}}"
    else:
        yield f"      - {{polynomial: {_list(curve.values)}{floor}}}"
    yield f"    # +- {_list(curve.errors, 2)}"


def _list(values: Sequence[float] | np.ndarray, digits: int = 8) -> str:
    return f"[{', '.join(_number(float(v), digits) for v in values)}]"


def _number(value: float, digits: int = 10) -> str:
    """Write a number so that YAML reads it as one: a point or no exponent."""
    text = f"{value:.{digits}g}"
    mantissa, letter, exponent = text.partition("e")
    return text if not letter or "." in mantissa else f"{mantissa}.0e{exponent}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
