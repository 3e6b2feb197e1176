"""Published devices by name: what `device.model` may say, and where each number is from.

A preset gives the conductance range and the standard deviation of a programmed conductance as a
function of its target. That sigma is what was measured on many devices: it REPLACES the generic write
error and already holds the variation between devices. A key that the user gives wins over the preset's;
a range beyond what was measured is refused, for nothing is extrapolated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Sigma:
    """Standard deviation of a programmed conductance, as its source states it.

    Attributes:
        coefficients: of a polynomial, constant first; its value is in microsiemens.
        unit: siemens that stand for 1 of the polynomial's variable (1e-6, or G_max where the source
            writes g = G/G_max).
        saturating: (A, B) in microsiemens in place of a polynomial: A (1 - exp(-G/B)).
    """

    coefficients: tuple[float, ...] = ()
    unit: float = MICRO
    saturating: tuple[float, float] | None = None

    def __call__(self, target: np.ndarray) -> np.ndarray:
        """Return the deviation in siemens for target conductances in siemens."""
        if self.saturating is not None:
            height, scale = self.saturating
            return np.asarray(height * -np.expm1(-target / (scale * MICRO)) * MICRO)
        value = np.polynomial.polynomial.polyval(target / self.unit, self.coefficients)
        return np.asarray(np.maximum(value, 0) * MICRO)


@dataclass(frozen=True, slots=True)
class Preset:
    """A published device.

    Attributes:
        about: what it is, in one line.
        source: paper, figure, and whose fit.
        device: settings of the section `device` that it gives.
        sigma: its programming error; None where it has none of its own.
        low: smallest measured conductance, siemens.
        high: largest measured conductance, siemens.
    """

    about: str
    source: str
    device: Mapping[str, Any] = field(default_factory=dict)
    sigma: Sigma | None = None
    low: float = 0.0
    high: float = float("inf")


def _analog(about: str, source: str, low: float, high: float, sigma: Sigma) -> Preset:
    """A device with continuous levels between two measured conductances in microsiemens."""
    device = {"g_on": high * MICRO, "g_off": low * MICRO, "n_bits": None}
    return Preset(about, source, device, sigma, low * MICRO, high * MICRO)


_WAN = "Wan et al., Nature 608, 2022, Extended Data Fig. 3"
_FALCONE = "Falcone et al., arXiv 2502.04524, 2025"
_CHEN = "Chen et al., 2015: 1.75 % and 9.04 % stuck cells; papers disagree on which is which"

PRESETS: dict[str, Preset] = {
    "ideal": Preset("levels only, and the generic errors that the settings state", "-"),
    "pcm-nandakumar": _analog(
        "phase-change memory, G_max 25 uS, at programming (no drift)",
        "Nandakumar et al., ICECS 2019; the fit that aihwkit uses by default",
        0.0,
        25.0,
        Sigma((0.26348, 1.9650, -1.1731), unit=25 * MICRO),
    ),
    "pcm-joshi": _analog(
        "phase-change memory, 0.25 to 25 uS, 27.36 s after programming",
        "Joshi et al., Nat. Commun. 11, 2020, Fig. 3b; CrossSim's fit",
        0.25,
        25.0,
        Sigma((0.28638599, 0.07585724, -0.00178767)),
    ),
    "pcm-hermes": _analog(
        "phase-change memory, two devices a cell, G_max 20.7 uS, at programming (no drift)",
        "Le Gallo et al., 2023 (HERMES)",
        0.0,
        20.7,
        Sigma((0.16603222, 4.71806468, -8.48101252, 4.68961419), unit=20.7 * MICRO),
    ),
    "rram-wan-1s": _analog(
        "RRAM, G_max 40 uS, 1 second after programming",
        f"{_WAN}; aihwkit's fit",
        0.0,
        40.0,
        Sigma((0.348, 16.03, -43.853, 45.393, -16.815), unit=40 * MICRO),
    ),
    "rram-wan-1day": _analog(
        "RRAM, G_max 40 uS, 1 day after programming",
        f"{_WAN}; aihwkit's fit",
        0.0,
        40.0,
        Sigma((0.701, 22.086, -50.773, 47.095, -16.458), unit=40 * MICRO),
    ),
    "rram-wan-2days": _analog(
        "RRAM, G_max 40 uS, 2 days after programming",
        f"{_WAN}; aihwkit's fit",
        0.0,
        40.0,
        Sigma((0.782, 20.274, -43.507, 37.062, -11.934), unit=40 * MICRO),
    ),
    "rram-wan-crosssim": _analog(
        "RRAM, up to 39.26 uS: another fit of the same figure, and a different one",
        f"{_WAN}; CrossSim's fit",
        0.0,
        39.26,
        Sigma((1.053, 0.2374, -1.167e-2, 1.536e-4)),
    ),
    "rram-milo": _analog(
        "RRAM, 50 to 225 uS, programmed with IGVVA-100",
        "Milo et al., IRPS 2021, Fig. 4; CrossSim's fit",
        50.0,
        225.0,
        Sigma((4.7823, -0.009107)),
    ),
    "rram-falcone-2pct": _analog(
        "CMO/HfOx RRAM, 9 to 88.2 uS, 2 % acceptance range",
        _FALCONE,
        9.0,
        88.2,
        Sigma((0.01122, 0.01129)),
    ),
    "rram-falcone-0.2pct": _analog(
        "CMO/HfOx RRAM, 9 to 88.2 uS, 0.2 % acceptance range",
        _FALCONE,
        9.0,
        88.2,
        Sigma((0.000811, 0.001069)),
    ),
    "sonos-agrawal": _analog(
        "SONOS 40 nm, 0 to 16 uS (read at 0.1 V), fresh",
        # Currents A 19.887 nA and B 176.31 nA, over 0.1 V.
        "Agrawal et al., IEDM 2022: sigma_I = A (1 - exp(-I/B))",
        0.0,
        16.0,
        Sigma(saturating=(0.19887, 1.7631)),
    ),
    "stuck-chen-lrs-1.75": Preset(
        "1.75 % of the cells stuck at g_on, 9.04 % at g_off",
        _CHEN,
        {"stuck_lrs": 0.0175, "stuck_hrs": 0.0904},
    ),
    "stuck-chen-lrs-9.04": Preset(
        "9.04 % of the cells stuck at g_on, 1.75 % at g_off",
        _CHEN,
        {"stuck_lrs": 0.0904, "stuck_hrs": 0.0175},
    ),
}
