"""Settings whose good side is known: along them a search needs few points.

Each entry is an assumption about how accuracy follows a setting, others held. It holds on average; on a
few images, neighbouring values may stand the other way round. Settings that are not listed are taken
value by value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from rxsim.config import Settings
from rxsim.dotted import at


@dataclass(frozen=True, slots=True)
class Direction:
    """Which way a setting is good.

    Attributes:
        better: the side on which accuracy is no lower.
        reason: why.
        fails: tells for settings under which that is not so; None: there are none.
    """

    better: Literal["higher", "lower"]
    reason: str
    fails: Callable[[Settings], bool] | None = None


def _has_fixed_steps(settings: Settings) -> bool:
    """Tell whether an ADC's step does not follow from its array's currents.

    More and smaller tiles then add more roundings of the same size.
    """
    return settings.adc.range == "unit_lsb" or not isinstance(settings.adc.range, str)


# Assumption: each direction, for the reason beside it; `--exhaustive` checks them on a network.
_SMALLER_ERROR = Direction("lower", "a smaller error of the hardware")
_FINER = Direction("higher", "finer steps over the same range")
_LESS_RESISTANCE = Direction("lower", "less voltage is lost on the lines")
DIRECTIONS: Mapping[str, Direction] = {
    "crossbar.rows": Direction(
        "lower",
        "shorter bitlines carry less current, and ADC ranges follow the currents",
        _has_fixed_steps,
    ),
    "crossbar.cols": Direction("lower", "shorter wordlines lose less voltage"),
    **dict.fromkeys(
        ("crossbar.r_wire_wl", "crossbar.r_wire_bl", "crossbar.r_driver", "crossbar.r_sense"),
        _LESS_RESISTANCE,
    ),
    **dict.fromkeys(
        ("adc.n_bits", "dac.n_bits", "device.n_bits", "device.n_levels", "mapping.weight_bits"),
        _FINER,
    ),
    **dict.fromkeys(
        (
            *("adc.gain_sigma", "adc.offset_sigma", "adc.noise"),
            *("dac.gain_sigma", "dac.offset_sigma", "dac.noise"),
            *("device.write_sigma", "device.d2d_sigma", "device.array_sigma", "device.chip_sigma"),
            *("device.gradient", "device.read_sigma", "device.stuck_lrs", "device.stuck_hrs"),
            *("device.dead_rows", "device.dead_cols"),
        ),
        _SMALLER_ERROR,
    ),
}


def quality(name: str, settings: Settings) -> float | None:
    """Return a number that rises with the good side of a setting; None where no side is known.

    Args:
        name: dotted name of the setting.
        settings: resolved.
    """
    direction = DIRECTIONS.get(name)
    if direction is None or (direction.fails is not None and direction.fails(settings)):
        return None
    value = at(settings, name)
    if value is None:  # no converter, or no steps
        return math.inf
    if not isinstance(value, int | float):
        return None
    return float(value) if direction.better == "higher" else -float(value)
