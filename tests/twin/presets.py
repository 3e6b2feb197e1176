"""Published devices of docs/concepts/model.md, section 10, that the twin knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin.arrays import Floats

OfCells = Callable[[Floats], Floats]
"""From conductances in S to a number for each cell."""


@dataclass(frozen=True)
class Drift:
    """Loss of conductance by a power of time.

    Attributes:
        t0: When the programmed state was read, s.
        mean: Of the exponent, from levels in S.
        sd: Of the exponent, likewise.
    """

    t0: float
    mean: OfCells
    sd: OfCells


@dataclass(frozen=True)
class Noise:
    """Deviation of a reading.

    Attributes:
        sigma: From conductances in S before the reading, programmed ones, and seconds, to S.
        slow: Share of the variance that is slower than a run, from seconds since programming and the
            length of the run in s.
    """

    sigma: Callable[[Floats, Floats, float], Floats]
    slow: Callable[[float, float], float]


@dataclass(frozen=True)
class Preset:
    """A published device.

    Attributes:
        device: Keys of the section `device` that it gives.
        sigma: Its programming error in S of levels in S, which replaces the generic one; None without.
        mean: Its mean error in S of levels in S; None without.
        drift: What time does; None without.
        noise: Its read noise, which replaces the generic one; None without.
    """

    device: Mapping[str, Any] = field(default_factory=dict)
    sigma: OfCells | None = None
    mean: OfCells | None = None
    drift: Drift | None = None
    noise: Noise | None = None


def _measured(
    low: float,
    high: float,
    sigma: OfCells,
    drift: Drift | None = None,
    noise: Noise | None = None,
    mean: OfCells | None = None,
) -> Preset:
    """Return a continuous device from `low` to `high` in uS, its deviation in uS of targets in uS."""
    device = {"g_off": low * 1e-6, "g_on": high * 1e-6, "n_bits": None}
    return Preset(
        device,
        lambda g: np.maximum(sigma(g * 1e6), 0) * 1e-6,
        None if mean is None else lambda g: mean(g * 1e6) * 1e-6,
        drift,
        noise,
    )


def one_over_f(g_max: float, t0: float, t_r: float, q: OfCells) -> Noise:
    """Return 1/f noise: Q of g = G/G_max as programmed, G_max in uS; times in s."""

    def sigma(drifted: Floats, programmed: Floats, t: float) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            each = drifted * q(programmed / (g_max * 1e-6))
        log = np.log((t + t0 + t_r) / (2 * t_r))
        return np.where(drifted == 0, 0.0, each * np.sqrt(max(log, 0.0)))

    def slow(t: float, run: float) -> float:
        quick = max(np.log((run + t_r) / (2 * t_r)), 0.0)
        return float(max(0.0, 1 - quick / np.log((t + t0 + t_r) / (2 * t_r))))

    return Noise(sigma, slow)


def white(sigma: OfCells) -> Noise:
    """Return noise of a deviation in uS of conductances in uS, all of it quick."""
    return Noise(lambda g, _, __: np.maximum(sigma(g * 1e6), 0) * 1e-6, lambda _, __: 0.0)


def _log(slope: float, constant: float, low: float, high: float) -> OfCells:
    """Return clip(slope ln g + constant, low, high)."""

    def curve(g: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.clip(slope * np.log(g) + constant, low, high)

    return curve


def _below(end: float, under: OfCells, over: OfCells) -> OfCells:
    """Return one curve below an end and another from it on."""
    return lambda g: np.where(g < end, under(g), over(g))


def _of_share(g_max: float, curve: OfCells) -> OfCells:
    """Return a curve of g = G/G_max (G_max in uS) for conductances in S."""
    return lambda siemens: curve(siemens / (g_max * 1e-6))


_NANDAKUMAR = Drift(
    20,
    _of_share(25, _log(-0.0155, 0.0244, 0.049, 0.1)),
    _of_share(25, _log(-0.0125, -0.0059, 0.008, 0.045)),
)
_HERMES = Drift(
    300,
    _of_share(
        20.7,
        _below(
            0.0945,
            _log(-0.0387, -0.0182, 0.072, 0.13),
            lambda g: -0.0436 * g**2 - 0.0126 * g + 0.0736,
        ),
    ),
    _of_share(
        20.7,
        _below(
            0.3055,
            _log(-0.0117, -0.0057, 0.0091, 0.04),
            lambda g: -0.0118 * g**2 + 0.0093 * g + 0.0073,
        ),
    ),
)

MADE_UP = "a device of all laws"
"""What a preset in settings says that it is, of which the twin knows `made-up` (drawn_settings)."""

PRESETS: dict[str, Preset] = {
    "ideal": Preset(),
    "pcm-nandakumar": _measured(
        0,
        25,
        lambda g: 0.26348 + 1.9650 * (g / 25) - 1.1731 * (g / 25) ** 2,
        _NANDAKUMAR,
        one_over_f(25, 20, 250e-9, lambda g: np.minimum(0.0088 / np.maximum(g**0.65, 1e-3), 0.2)),
    ),
    "pcm-hermes": _measured(
        0,
        20.7,
        lambda g: (
            0.16603222
            + 4.71806468 * (g / 20.7)
            - 8.48101252 * (g / 20.7) ** 2
            + 4.68961419 * (g / 20.7) ** 3
        ),
        _HERMES,
        one_over_f(
            20.7,
            300,
            512e-9,
            _below(
                0.16,
                _log(-0.0117, -0.0069, 0.015, 0.04),
                lambda g: 0.0069 * g**3 - 0.0280 * g**2 + 0.0211 * g + 0.0123,
            ),
        ),
    ),
    "pcm-joshi": _measured(0.25, 25, lambda g: -0.00178767 * g**2 + 0.07585724 * g + 0.28638599),
    "rram-milo": _measured(50, 225, lambda g: -0.009107 * g + 4.7823),
    # Currents at 0.1 V in nA: 100 for each uS.
    "sonos-agrawal": _measured(0, 16, lambda g: 19.887 * (1 - np.exp(-100 * g / 176.31)) / 100),
    "stuck-chen-lrs-1.75": Preset({"stuck_lrs": 0.0175, "stuck_hrs": 0.0904}),
    # Deviations 0.5, 1 and 0.3 and means -0.4, 0 and 0.2 at 2, 10 and 30 uS; exponents of both signs.
    MADE_UP: _measured(
        2,
        30,
        lambda g: np.where(g < 10, 0.5 + (g - 2) / 16, 1 - 0.7 * (g - 10) / 20),
        Drift(10, lambda g: 0.01 + 0 * g, lambda g: 0.02 + 0.001 * (g / 3e-5)),
        white(lambda g: np.where(g < 12, 0.1 + 0.02 * g, 1.2 / np.maximum(g, 1e-9) ** 0.5)),
        lambda g: np.where(g < 10, -0.4 + (g - 2) / 20, (g - 10) / 100),
    ),
}
SIGNED = {MADE_UP}
"""Devices whose exponents of drift may be negative: elsewhere a magnitude counts."""


def preset_of(model: str | Mapping[str, Any]) -> Preset:
    """Return a preset by its name, or by what a preset in settings says that it is."""
    return PRESETS[name_of(model)]


def name_of(model: str | Mapping[str, Any]) -> str:
    """Return the twin's name of a model."""
    return model if isinstance(model, str) else str(model["about"])
