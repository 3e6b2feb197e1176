"""Current-voltage curves of a cell.

Source: docs/concepts/model.md, sections 1 and 10. A separable current is g f(v) with
f(v_read) = v_read. A table is interpolated by a cubic that keeps its shape (Fritsch and Carlson 1980);
one of positive voltages stands for a symmetric cell. Milo's cell (not separable) carries the same
current backwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from twin.arrays import Floats
from twin.settings import Settings

Function = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Curve:
    """A cell's current and its slope.

    Attributes:
        current: From conductances in S and voltages in V to A.
        slope: Likewise, to S.
        f: Of a separable curve f in V; None of others.
    """

    current: Callable[[Floats, Floats], Floats]
    slope: Callable[[Floats, Floats], Floats]
    f: Function | None


def curve_of(settings: Settings) -> Curve:
    """Return the curve of a layer's cells."""
    iv, v_read = settings["device"]["iv"], settings["input"]["v_read"]
    if iv["form"] == "milo":
        return Curve(_milo, _milo_slope, None)
    form, slope = _separable(iv)
    scale = v_read / float(form(np.array(v_read)))
    return Curve(
        lambda g, v: g * scale * form(v),
        lambda g, v: g * scale * slope(v),
        lambda v: scale * form(v),
    )


def _separable(iv: dict[str, Any]) -> tuple[Function, Function]:
    """Return the unscaled f in V and its slope."""
    if iv["form"] == "linear":
        return (lambda v: v), np.ones_like
    if iv["form"] == "sinh":
        v0 = iv["v0"]
        return (lambda v: v0 * np.sinh(v / v0)), (lambda v: np.cosh(v / v0))
    if iv["form"] == "cubic":
        a = iv.get("cubic", 0.25)
        return (lambda v: v - a * v**3), (lambda v: 1 - 3 * a * v**2)
    points = {0.0: 0.0, **dict(zip(iv["v"], iv["f"], strict=True))}
    if min(iv["v"]) >= 0:
        points.update({-v: -f for v, f in points.items()})
    volts = np.array(sorted(points))
    spline = PchipInterpolator(volts, np.array([points[v] for v in volts]))
    return spline, spline.derivative()


def _milo(g: Floats, v: Floats) -> Floats:
    n2, n3 = _milo_terms(g)
    return np.asarray(g * v + n2 * v * np.abs(v) + n3 * v**3)


def _milo_slope(g: Floats, v: Floats) -> Floats:
    n2, n3 = _milo_terms(g)
    return np.asarray(g + 2 * n2 * np.abs(v) + 3 * n3 * v**2)


def _milo_terms(g: Floats) -> tuple[Floats, Floats]:
    """Return N2 in A/V^2 and N3 in A/V^3; open cells have none."""
    log = np.log10(np.where(g > 0, g, 1.0))
    n2 = 1.388e-4 * log**3 + 1.541e-3 * log**2 + 5.711e-3 * log + 7.063e-3
    n3 = 8.871e-5 * log**2 + 6.7919e-4 * log + 1.2968e-3
    return np.where(g > 0, n2, 0), np.where(g > 0, n3, 0)
