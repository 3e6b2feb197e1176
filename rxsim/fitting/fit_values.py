"""The numbers of a fit as plain values, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from rxsim.fitting.device_fit import DeviceFit
from rxsim.fitting.drift import Drift
from rxsim.fitting.fitted_curve import FittedCurve
from rxsim.fitting.outliers import Outliers
from rxsim.fitting.read_noise import ReadNoise


def fit_values(fit: DeviceFit) -> dict[str, Any]:
    """Return all numbers; conductances in the fit's unit, x relative to `scale`, times in seconds."""
    low, high = (fit.plain(end) for end in fit.ends)
    times = None if fit.times is None else dict(zip(("low", "high"), fit.times, strict=True))
    return {
        "schema_version": 1,
        "source": {"name": fit.rows.name, "sha256": fit.rows.sha256, "rows": len(fit.rows)},
        "unit": fit.rows.unit,
        "scale": fit.plain(fit.scale),
        "range": {"low": low, "high": high},
        "times": times,
        "cells": len(fit.cells.target),
        "levels": len(fit.blocks) if fit.blocks.levels else None,
        "write_error": {
            "law": "table" if fit.write_error.is_table else "polynomial",
            "mean": fit.write_error.mean.as_json(),
            "sigma": fit.write_error.sigma.as_json(),
            "goodness": fit.write_error.goodness.as_json(),
            "mean_bounds": None
            if fit.write_error.bounds is None
            else asdict(fit.write_error.bounds),
        },
        "drift": _over_time(fit),
        "read_noise": None if fit.read_noise is None else _read_noise(fit.read_noise),
        "curves": _curves(fit),
        "outliers": _outliers(fit, fit.outliers),
        "bad_readings": {
            "dropped": fit.dropped_readings,
            "lines": np.sort(fit.bad_readings.line).tolist(),
        },
        "warnings": list(fit.warnings),
        "notes": list(fit.notes),
    }


def curves_of(fit: DeviceFit) -> dict[str, FittedCurve]:
    """Return all curves by name, but those that are 0 everywhere."""
    curves = {"mean": fit.write_error.mean, "sigma": fit.write_error.sigma}
    if fit.drift is not None:
        curves |= {"nu_mean": fit.drift.mean, "nu_sd": fit.drift.sd}
    if fit.read_noise is not None:
        name = "read_sigma" if fit.read_noise.law == "white" else "q"
        curves[name] = fit.read_noise.curve
    return {name: curve for name, curve in curves.items() if not curve.is_none}


def _curves(fit: DeviceFit) -> dict[str, Any]:
    levels = fit.levels()
    x = levels / fit.scale
    return {
        "conductances": [fit.plain(g) for g in levels],
        **{
            name: {"values": curve.at(x).tolist(), "errors": curve.error_at(x).tolist()}
            for name, curve in curves_of(fit).items()
        },
    }


def _over_time(fit: DeviceFit) -> dict[str, Any] | None:
    if fit.drift is not None:
        return _drift(fit.drift)
    return None if fit.relaxation is None else {"law": "relaxation", **asdict(fit.relaxation)}


def _drift(drift: Drift) -> dict[str, Any]:
    error = drift.t0.error
    return {
        "law": "power_drift",
        "t0": drift.t0.seconds,
        "t0_error": error if error is not None and np.isfinite(error) else None,
        "t0_from": drift.t0.how,
        "nu_mean": drift.mean.as_json(),
        "nu_sd": drift.sd.as_json(),
        "cells": drift.cells,
        "goodness": None if drift.goodness is None else drift.goodness.as_json(),
        "r2": drift.r2,
    }


def _read_noise(noise: ReadNoise) -> dict[str, Any]:
    return {
        "law": noise.law,
        "t0": noise.t0,
        "t_r": noise.t_r,
        "curve": noise.curve.as_json(),
        "groups": noise.groups,
        "one_over_f_gain": noise.gained,
        "goodness": noise.goodness.as_json(),
    }


def _outliers(fit: DeviceFit, outliers: Outliers) -> dict[str, Any]:
    return {
        "bound": outliers.bound,
        "dropped": fit.dropped,
        "stuck_lrs": outliers.stuck_lrs,
        "stuck_hrs": outliers.stuck_hrs,
        "stuck_conductances": {
            name: None if g is None else fit.plain(g)
            for name, g in (("lrs", outliers.stuck_lrs_g), ("hrs", outliers.stuck_hrs_g))
        },
        "rows": [
            {
                "line": row.line,
                "target": fit.plain(row.target),
                "achieved": fit.plain(row.achieved),
                "distance": row.distance,
                "stuck": row.stuck or None,
            }
            for row in outliers.rows
        ],
    }
