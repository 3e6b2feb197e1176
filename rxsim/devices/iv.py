"""Current-voltage curves of a memory cell: current and slope at any conductance and voltage.

A curve is defined on [v_low, v_high]; beyond it goes on along its tangent, so that an iteration which
overshoots stays well-defined. Whoever solves a circuit must refuse a SOLUTION beyond it
(`rxsim.circuit.newton` does). Source of the forms: MODEL.md sections 1 and 10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import numpy as np

from rxsim.config import IV
from rxsim.errors import SettingError

# Source: MODEL.md section 10, `g (v - 0.25 v^3)`. Assumption: no measured device stands behind it.
CUBIC = 0.25
# Source: MODEL.md section 10, Milo et al., IRPS 2021, CrossSim's fit: fitted for 62.5 to 110 uS and up
# to 0.5 V.
MILO_G_LOW, MILO_G_HIGH, MILO_V = 62.5e-6, 110e-6, 0.5
# Source: the same; polynomials in L = log10(G in S), highest power first; A/V^2 and A/V^3.
_MILO_N2 = (1.388e-4, 1.541e-3, 5.711e-3, 7.063e-3)
_MILO_N3 = (8.871e-5, 6.7919e-4, 1.2968e-3)
_SLACK = 1 + 1e-9

_Function = Callable[[np.ndarray], np.ndarray]


class IVCurve(Protocol):
    """What a cell of conductance g carries at a voltage v; never falling in v, and 0 at 0 V."""

    @property
    def separable(self) -> bool:
        """Whether the current is g f(v); the curve is a `SeparableCurve` then."""

    @property
    def v_low(self) -> float:
        """Volt; below it the curve goes on along its tangent, and a solution is refused."""

    @property
    def v_high(self) -> float:
        """Volt; above it likewise."""

    def current(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the current in ampere.

        Args:
            g: conductances, siemens; 0 is an open cell, which carries nothing.
            v: voltages across the cells, volt, of a shape that broadcasts with g.

        Raises:
            SettingError: a conductance is outside the range that the curve is known for.
        """

    def slope(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return dI/dv in siemens; arguments and errors are those of `current`."""


@dataclass(frozen=True, slots=True, eq=False)
class SeparableCurve:
    """A current g f(v), with f(v_read) = v_read.

    Attributes:
        form: volt -> the unscaled f, volt.
        form_slope: volt -> its derivative.
        scale: factor that makes f(v_read) = v_read.
        v_low: volt; smallest valid voltage.
        v_high: volt; largest valid voltage.
        separable: always true.
    """

    form: _Function
    form_slope: _Function
    scale: float = 1.0
    v_low: float = -np.inf
    v_high: float = np.inf
    separable: Literal[True] = True

    def f(self, v: np.ndarray) -> np.ndarray:
        """Return the scaled form in volt for voltages in volt of any shape."""
        inside = self._inside(v)
        value = self.scale * self.form(inside)
        return np.asarray(value if inside is v else value + self.f_slope(v) * (v - inside))

    def f_slope(self, v: np.ndarray) -> np.ndarray:
        """Return df/dv, without unit, for voltages in volt of any shape."""
        return np.asarray(self.scale * self.form_slope(self._inside(v)))

    def current(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return g f(v) in ampere (see `IVCurve.current`)."""
        return np.asarray(g * self.f(v))

    def slope(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return g df/dv in siemens."""
        return np.asarray(g * self.f_slope(v))

    def _inside(self, v: np.ndarray) -> np.ndarray:
        if np.min(v) >= self.v_low and np.max(v) <= self.v_high:
            return v
        return np.asarray(np.clip(v, self.v_low, self.v_high))


@dataclass(frozen=True, slots=True)
class MiloCurve:
    """Milo's measured RRAM: I = G V + N2(G) V^2 + N3(G) V^3, not separable.

    It was measured at positive voltages only. Assumption: a cell that a sneak path drives backwards
    carries the same current backwards (the odd extension, whose slope at 0 V is G from both sides).

    Attributes:
        v_low: volt; the measurement's range, mirrored.
        v_high: volt; the measurement's range.
        separable: always false.
    """

    v_low: float = -MILO_V
    v_high: float = MILO_V
    separable: Literal[False] = False

    def current(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the current in ampere (see `IVCurve.current`)."""
        n2, n3 = _milo_terms(g)
        inside = np.clip(v, self.v_low, self.v_high)
        size = np.abs(inside)
        beyond = (g + (2 * n2 + 3 * n3 * size) * size) * (v - inside)
        return np.asarray(inside * (g + (n2 + n3 * size) * size) + beyond)

    def slope(self, g: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return dI/dv in siemens."""
        n2, n3 = _milo_terms(g)
        size = np.abs(np.clip(v, self.v_low, self.v_high))
        return np.asarray(g + (2 * n2 + 3 * n3 * size) * size)


def curve_of(iv: IV, v_read: float) -> IVCurve:
    """Make the curve that settings describe.

    A separable one is scaled so that f(v_read) = v_read: a cell read at v_read carries what its
    programmed conductance says.

    Args:
        iv: the settings.
        v_read: largest voltage that a source drives, volt, above 0.

    Raises:
        SettingError: the curve does not rise, or is not known, up to v_read.
    """
    if iv.form == "milo":
        _reach(MILO_V, v_read, "form: milo, which was measured up to that")
        return MiloCurve()
    if iv.form == "sinh":
        v0 = iv.v0 if iv.v0 is not None else 1.0
        return _scaled(partial(_sinh, v0), partial(_sinh_slope, v0), v_read)
    if iv.form == "cubic":
        return _cubic_curve(CUBIC if iv.cubic is None else iv.cubic, v_read)
    if iv.form == "table" and iv.v is not None and iv.f is not None:
        return _table_curve(iv.v, iv.f, v_read)
    return SeparableCurve(np.asarray, np.ones_like)


def _scaled(
    form: _Function,
    form_slope: _Function,
    v_read: float,
    low: float = -np.inf,
    high: float = np.inf,
) -> SeparableCurve:
    """Scale a form so that f(v_read) = v_read."""
    with np.errstate(over="ignore"):
        at_v_read = float(form(np.array(v_read)))
    if not 0 < at_v_read < np.inf:
        raise SettingError(
            f"device.iv: found a current of {at_v_read:g} (relative) at v_read {v_read:g} V, expected "
            "a finite one above 0; choose device.iv for voltages of the order of input.v_read"
        )
    return SeparableCurve(form, form_slope, v_read / at_v_read, low, high)


def _reach(v_high: float, v_read: float, why: str) -> None:
    """Refuse a curve that ends before v_read."""
    if v_read > v_high * _SLACK:
        raise SettingError(
            f"device.iv: found v_read {v_read:g} V, expected at most {v_high:g} V with {why}; lower "
            "input.v_read or change device.iv"
        )


def _cubic_curve(cubic: float, v_read: float) -> SeparableCurve:
    top = 1 / np.sqrt(3 * cubic) if cubic > 0 else np.inf
    _reach(top, v_read, f"cubic: {cubic:g}, whose current falls beyond that")
    return _scaled(partial(_cubic, cubic), partial(_cubic_slope, cubic), v_read, -top, top)


def _table_curve(v: tuple[float, ...], f: tuple[float, ...], v_read: float) -> SeparableCurve:
    """Interpolate a table by a cubic that keeps its shape and has a continuous derivative.

    Source: Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980 (PCHIP): it rises wherever the points do.
    """
    _reach(v[-1], v_read, "a table that ends there")
    points = dict(zip((*v, 0.0), (*f, 0.0), strict=True))
    if v[0] >= 0:
        # Assumption: a table of positive voltages stands for a symmetric cell (the odd extension).
        points |= {-volt: -value for volt, value in points.items() if volt > 0}
    volts, values = np.array(sorted(points.items())).T
    if not (np.diff(values) > 0).all():
        raise SettingError(
            "device.iv.f: found a current that does not have its voltage's sign, expected f to rise "
            "through 0 at 0 V; mend the table"
        )
    from scipy.interpolate import PchipInterpolator  # takes a second to import: for tables alone

    spline = PchipInterpolator(volts, values)
    return _scaled(spline, spline.derivative(), v_read, float(volts[0]), float(volts[-1]))


def _sinh(v0: float, v: np.ndarray) -> np.ndarray:
    # numpy's exp costs a quarter of its sinh; what small v loses is rounding of v0, not of v_read.
    growth = np.exp(v / v0)
    return np.asarray((0.5 * v0) * (growth - 1 / growth))


def _sinh_slope(v0: float, v: np.ndarray) -> np.ndarray:
    growth = np.exp(v / v0)
    return np.asarray(0.5 * (growth + 1 / growth))


def _cubic(cubic: float, v: np.ndarray) -> np.ndarray:
    return np.asarray(v - cubic * v * v * v)


def _cubic_slope(cubic: float, v: np.ndarray) -> np.ndarray:
    return np.asarray(1 - 3 * cubic * v * v)


def _milo_terms(g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return N2 in A/V^2 and N3 in A/V^3; open cells have none."""
    closed = np.asarray(g) != 0
    wrong = closed & ~((g >= MILO_G_LOW / _SLACK) & (g <= MILO_G_HIGH * _SLACK))
    if wrong.any():
        found = np.asarray(g)[wrong].flat[0] * 1e6
        raise SettingError(
            f"device.iv: found a cell of {found:g} uS with form: milo, expected {MILO_G_LOW * 1e6:g} "
            f"to {MILO_G_HIGH * 1e6:g} uS, where it was measured, or 0 (open); bring device.g_off and "
            "g_on, with the spread of programming, inside that range"
        )
    level = np.log10(np.where(closed, g, 1.0))
    n2, n3 = np.polyval(_MILO_N2, level), np.polyval(_MILO_N3, level)
    return np.where(closed, n2, 0.0), np.where(closed, n3, 0.0)
