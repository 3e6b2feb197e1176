"""Current-voltage curves of a memory cell: current and slope at any conductance and voltage.

A curve is defined on [v_low, v_high]. Beyond, it goes on along its tangent, so that an iteration may
overshoot. A solution beyond that range is refused by the solver (`rxsim.circuit.newton`).
Source of the forms: docs/concepts/model.md sections 1 and 10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from rxsim.config import IV
from rxsim.errors import SettingError
from rxsim.folders import Folder

SLACK = 1 + 1e-9
"""Ends of ranges are met but for rounding."""

Function = Callable[[np.ndarray], np.ndarray]


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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
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

    form: Function
    form_slope: Function
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


FORMS: Folder[Callable[[IV, float], IVCurve]] = Folder("rxsim.devices.iv", "curve")
"""All forms by name: settings and read voltage (volt) -> curve."""


def curve_of(iv: IV, v_read: float) -> IVCurve:
    """Make the curve that settings describe.

    A separable curve is scaled so that f(v_read) = v_read: a cell read at v_read carries what its
    programmed conductance says.

    Args:
        iv: the settings.
        v_read: largest voltage that a source drives, volt, above 0.

    Raises:
        SettingError: the curve does not rise, or is not known, up to v_read.
    """
    return FORMS[iv.form](iv, v_read)


def scaled_curve(
    form: Function,
    form_slope: Function,
    v_read: float,
    v_low: float = -np.inf,
    v_high: float = np.inf,
) -> SeparableCurve:
    """Scale a form so that f(v_read) = v_read.

    Args:
        form: volt -> the unscaled f, volt.
        form_slope: volt -> its derivative.
        v_read: volt.
        v_low: volt; smallest valid voltage.
        v_high: volt; largest valid voltage.

    Raises:
        SettingError: the form has no finite value above 0 at v_read.
    """
    with np.errstate(over="ignore"):
        at_v_read = float(form(np.array(v_read)))
    if not 0 < at_v_read < np.inf:
        raise SettingError(
            f"device.iv: found a current of {at_v_read:g} (relative) at v_read {v_read:g} V, expected "
            "a finite one above 0; choose device.iv for voltages of the order of input.v_read"
        )
    return SeparableCurve(
        form=form, form_slope=form_slope, scale=v_read / at_v_read, v_low=v_low, v_high=v_high
    )


def refuse_short_curve(v_high: float, v_read: float, why: str) -> None:
    """Refuse a curve that ends before v_read.

    Args:
        v_high: volt; where the curve ends.
        v_read: volt.
        why: why it ends there, for the message.

    Raises:
        SettingError: it ends before.
    """
    if v_read > v_high * SLACK:
        raise SettingError(
            f"device.iv: found v_read {v_read:g} V, expected at most {v_high:g} V with {why}; lower "
            "input.v_read or change device.iv"
        )
