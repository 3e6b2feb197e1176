"""A cell's current-voltage curve as the expression of a behavioural source in SPICE."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rxsim.config import IV
from rxsim.errors import SettingError

CellLaw = Callable[[float, str], str]
"""Conductance in siemens and the text of a cell's voltage -> the expression of its current in ampere.

Expressions multiply instead of using `^`, for which ngspice takes the base's absolute value, and
write numbers by `exact`.
"""


def exact(value: float) -> str:
    """Write a number of an expression so that ngspice keeps all its digits.

    ngspice rounds the numbers in a behavioural source to 11 digits. A sum of two numbers of 11 digits
    each keeps all digits of a double.
    """
    high = float(f"{value:.10e}")
    rest = value - high
    return f"({high:.10e}{rest:+.10e})" if rest else f"({high!r})"


def law_of(iv: IV, v_read: float) -> CellLaw | None:
    """Return the law of a cell's settings, or None for a linear cell.

    Separable forms are g f(v), scaled so that f(v_read) = v_read (docs/concepts/model.md section 1).

    Args:
        iv: the curve.
        v_read: volt.

    Raises:
        SettingError: the form has no law here.
    """
    if iv.form == "linear":
        return None
    if iv.form == "milo":
        return _milo
    if iv.form == "table":
        assert iv.v is not None
        assert iv.f is not None
        return _table(iv.v, iv.f, v_read)
    if iv.form == "sinh":
        assert iv.v0 is not None
        return _sinh(iv.v0, v_read)
    if iv.form != "cubic":
        raise SettingError(
            f"device.iv: found form: {iv.form}, which no netlist can say yet, expected linear, sinh, "
            "cubic, table or milo; choose one of these"
        )
    return _cubic(0.25 if iv.cubic is None else iv.cubic, v_read)


def _sinh(v0: float, v_read: float) -> CellLaw:
    """f(v) = v0 sinh(v/v0), scaled."""
    factor = v_read / math.sinh(v_read / v0)
    return lambda g, v: f"{exact(g * factor)}*sinh({v}/{exact(v0)})"


def _cubic(cubic: float, v_read: float) -> CellLaw:
    """f(v) = v - cubic v^3, scaled."""
    factor = 1 / (1 - cubic * v_read * v_read)
    return lambda g, v: f"{exact(g * factor)}*{v}*(1-{exact(cubic)}*{v}*{v})"


def _table(v_points: tuple[float, ...], f_points: tuple[float, ...], v_read: float) -> CellLaw:
    """f(v) is the cubic through the points that keeps their shape (PCHIP), scaled.

    As `rxsim.devices.iv.table` has it: it passes through 0 at 0 V, and points at positive voltages
    only stand for a symmetric cell. Beyond the points it goes on along its tangents.
    """
    from scipy.interpolate import (
        PchipInterpolator,  # takes half a second to import: for tables alone
    )

    points = dict(zip((*v_points, 0.0), (*f_points, 0.0), strict=True))
    if v_points[0] >= 0:
        points |= {-v: -f for v, f in points.items()}
    x, y = np.array(sorted(points.items())).T
    spline = PchipInterpolator(x, y)
    factor = v_read / float(spline(v_read))
    low, high = (float(spline.derivative()(end)) for end in (x[0], x[-1]))
    pieces: list[tuple[float, tuple[float, ...]]] = [(float(x[0]), (low, float(y[0])))]
    pieces += [(float(x[k]), tuple(map(float, spline.c[:, k]))) for k in range(len(x) - 1)]
    pieces.append((float(x[-1]), (high, float(y[-1]))))

    def law(g: float, v: str) -> str:
        text = _polynomial(pieces[-1], g * factor, v)
        # From the right: below the next piece's first point its left neighbour applies.
        for k in range(len(pieces) - 2, -1, -1):
            limit = exact(pieces[k + 1][0])
            text = f"({v} < {limit} ? {_polynomial(pieces[k], g * factor, v)} : {text})"
        return text

    return law


def _polynomial(piece: tuple[float, tuple[float, ...]], factor: float, v: str) -> str:
    """Write a polynomial in v - start, highest power first, by Horner's rule."""
    start, coefficients = piece
    distance = f"({v}-{exact(start)})"
    text = exact(factor * coefficients[0])
    for coefficient in coefficients[1:]:
        text = f"({text}*{distance}+{exact(factor * coefficient)})"
    return text


def _milo(g: float, v: str) -> str:
    """I = G V + N2 V^2 + N3 V^3, the same curve in the reverse direction.

    Source: docs/concepts/model.md section 10 (Milo et al., IRPS 2021; CrossSim's fit of Fig. 4).
    The fit is for forward voltages. Assumption: it is odd, so that sneak currents may flow backwards.
    """
    x = math.log10(g)
    n2 = ((1.388e-4 * x + 1.541e-3) * x + 5.711e-3) * x + 7.063e-3
    n3 = (8.871e-5 * x + 6.7919e-4) * x + 1.2968e-3
    return f"{exact(g)}*{v}+{exact(n2)}*{v}*abs({v})+{exact(n3)}*{v}*{v}*{v}"
