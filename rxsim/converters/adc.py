"""The ADC of a layer's bitline pairs: current -> code (MODEL.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.config import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Adc:
    """A layer's ADCs: `code = clip(round(i / lsb), -steps, steps)`, ties to even.

    Attributes:
        steps: codes a side.
        lsb: ampere per code, float64 (conversions, groups, N).
    """

    steps: int
    lsb: np.ndarray


def ranged_adc(n_bits: int, ranges: np.ndarray) -> Adc:
    """Set up ADCs from their ranges.

    Args:
        n_bits: resolution, at least 2.
        ranges: ampere a side, float64 (conversions, groups, N); a range of 0 counts as 1.
    """
    steps = 2 ** (n_bits - 1) - 1
    return Adc(steps, np.where(ranges > 0, ranges, 1.0) / steps)


def full_scale_adc(
    settings: Settings, n_bits: int, n_row_tiles: int, groups: int, n_outputs: int
) -> Adc:
    """Set up ADCs that span what an array of pairs can carry at most.

    The range is n_rows v_read (g_on - g_off) a side, n_rows being the array's; times the number of row
    tiles where one converter takes the whole layer's sum.
    """
    device = settings.device
    span = settings.crossbar.rows * settings.input.v_read * (device.g_on - device.g_off)
    per_layer = settings.adc.where == "per_layer"
    conversions = 1 if per_layer else n_row_tiles
    ranges = np.full((conversions, groups, n_outputs), span * (n_row_tiles if per_layer else 1))
    return ranged_adc(n_bits, ranges)
