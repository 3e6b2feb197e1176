"""Milo's measured RRAM, whose current is no product of conductance and a function of voltage.

I = G V + N2(G) V^2 + N3(G) V^3, N2 and N3 polynomials in L = log10(G in S).

Source: docs/concepts/model.md section 10: Milo et al., IRPS 2021, CrossSim's fit, for 62.5 to 110 uS
and up to 0.5 V.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rxsim.config import IV
from rxsim.devices.cell_curve import SLACK, refuse_short_curve
from rxsim.errors import SettingError

MILO_G_LOW, MILO_G_HIGH, MILO_V = 62.5e-6, 110e-6, 0.5
# Source: the same; polynomials in L, highest power first; A/V^2 and A/V^3.
_MILO_N2 = (1.388e-4, 1.541e-3, 5.711e-3, 7.063e-3)
_MILO_N3 = (8.871e-5, 6.7919e-4, 1.2968e-3)


@dataclass(frozen=True, slots=True)
class MiloCurve:
    """I = G V + N2(G) V^2 + N3(G) V^3, not separable.

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


def curve(iv: IV, v_read: float) -> MiloCurve:
    """Return the curve; see `rxsim.devices.cell_curve.curve_of`."""
    refuse_short_curve(MILO_V, v_read, "form: milo, which was measured up to that")
    return MiloCurve()


def _milo_terms(g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return N2 in A/V^2 and N3 in A/V^3; open cells have none."""
    closed = np.asarray(g) != 0
    wrong = closed & ~((g >= MILO_G_LOW / SLACK) & (g <= MILO_G_HIGH * SLACK))
    if wrong.any():
        first = np.asarray(g)[wrong].flat[0] * 1e6
        raise SettingError(
            f"device.iv: found a cell of {first:g} uS with form: milo, expected {MILO_G_LOW * 1e6:g} "
            f"to {MILO_G_HIGH * 1e6:g} uS, where it was measured, or 0 (open); bring device.g_off and "
            "g_on, with the spread of programming, inside that range"
        )
    level = np.log10(np.where(closed, g, 1.0))
    n2, n3 = np.polyval(_MILO_N2, level), np.polyval(_MILO_N3, level)
    return np.where(closed, n2, 0.0), np.where(closed, n3, 0.0)
