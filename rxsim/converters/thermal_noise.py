"""Thermal noise of converters: normal numbers that the graph draws anew for each conversion.

An ADC's noise is added to the current in LSB, behind gain, offset and the curve of INL and DNL, in
front of the decision. A DAC's is added to the units that a wordline is driven at, in LSB of the pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.encodings import Cells, Pass, UnitCurve

_STEP = 1e-3  # of a unit: half of what a slope is taken over


@dataclass(frozen=True, slots=True)
class ThermalNoise:
    """Noise that is drawn by one node of a graph.

    Attributes:
        deviation: standard deviation, LSB.
        seed: of the node.
    """

    deviation: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class PassNoise:
    """Noise of the DACs of one pass.

    Attributes:
        drawn: the noise in units of the pass.
        slopes: what a small change of each unit counts as, where cells are not linear and units have a
            curve; None where it counts as itself.
    """

    drawn: ThermalNoise
    slopes: UnitCurve | None = None


def pass_noise(each: Pass, lsb: float, cells: Cells | None, seed: int) -> PassNoise:
    """Return the noise of a pass.

    Where pulses are summed in analog, or their mean is taken, each has its own noise.

    Args:
        each: the pass.
        lsb: standard deviation of each set of voltages, LSB.
        cells: volt -> volt that it counts as; None where cells are linear, or see no voltages.
        seed: of the random numbers.
    """
    deviation = lsb * float(np.sqrt(sum(share**2 for share, _ in each.parts) / each.steps))
    slopes = None
    if cells is not None and each.curve is not None:
        first = each.curve.lowest
        units = np.arange(first, first + len(each.curve.values), dtype=np.float64)
        # Curves are known between the voltages that are driven.
        ends = [np.clip(units + step, units[0], units[-1]) for step in (-_STEP, _STEP)]
        below, above = (cells(end * each.volt) / each.volt for end in ends)
        slopes = UnitCurve(first, np.asarray((above - below) / (ends[1] - ends[0])))
    return PassNoise(ThermalNoise(deviation, seed), slopes)
