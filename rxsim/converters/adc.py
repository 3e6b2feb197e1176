"""The ADC of a layer's readouts: current -> code (docs/concepts/model.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rxsim.converters.adc_levels import AdcLevels
from rxsim.converters.static_errors import AdcErrors
from rxsim.converters.thermal_noise import ThermalNoise


@dataclass(frozen=True, slots=True, eq=False)
class Adc:
    """A layer's ADCs: `code = clip(round(i / lsb), low, high)`, ties to even, but for their errors.

    Conversions are numbered pass by pass: pass * row tiles + row tile.

    Attributes:
        lsb: ampere per code, float64 (conversions, groups, readouts).
        low: smallest code of each conversion, int64 (conversions,).
        high: largest code of each conversion, int64 (conversions,).
        levels: thresholds and what codes stand for, where these are not evenly spaced; None where they
            are.
        errors: static errors of a chip's converters; None where there are none.
        noise: of each conversion; empty where there is none.
    """

    lsb: np.ndarray
    low: np.ndarray
    high: np.ndarray
    levels: AdcLevels | None = None
    errors: AdcErrors | None = None
    noise: tuple[ThermalNoise, ...] = ()

    def in_lsb(
        self, k: int, matrix: np.ndarray, added: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Express currents in LSB, gain and offset of the converters included.

        Args:
            k: conversion.
            matrix: ampere per unit, float64 (groups, rows, readouts).
            added: ampere on top, float64 (groups, readouts), or None.
        """
        if self.errors is None:
            lsb = self.lsb[k]
            return matrix / lsb[:, None, :], None if added is None else added / lsb
        per_ampere = self.per_ampere(k)
        offset = self.errors.offset[k % len(self.errors.gain)]
        total = offset if added is None else added * per_ampere + offset
        return matrix * per_ampere[:, None, :], total if total.any() else None

    def tile(self, p: int, tiles: int) -> Adc:
        """Return the converters of one of so many row tiles alone."""
        levels, errors = self.levels, self.errors
        if levels is not None:
            levels = replace(levels, tables=levels.tables[p::tiles])
        if errors is not None:
            errors = errors.tile(p)
        part = slice(p, None, tiles)
        noise = self.noise[part]
        return Adc(self.lsb[part], self.low[part], self.high[part], levels, errors, noise)

    def per_ampere(self, k: int) -> np.ndarray:
        """Return LSB per ampere of a conversion, gain included, float64 (groups, readouts)."""
        if self.errors is None:
            return np.asarray(1 / self.lsb[k])
        return np.asarray((1 + self.errors.gain[k % len(self.errors.gain)]) / self.lsb[k])


def adc_codes(n_bits: int, both_sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest code of each conversion.

    Args:
        n_bits: resolution.
        both_sides: bool (conversions,), whether currents of both signs occur.
    """
    side = 2 ** (n_bits - 1) - 1
    return np.where(both_sides, -side, 0), np.where(both_sides, side, 2**n_bits - 1)


def ranged_adc(
    n_bits: int, ranges: np.ndarray, both_sides: np.ndarray, levels: AdcLevels | None = None
) -> Adc:
    """Set up ADCs from their ranges.

    Args:
        n_bits: resolution, at least 2.
        ranges: ampere (a side, where both occur), float64 (conversions, groups, readouts); 0
            (nothing is carried) counts as 1.
        both_sides: bool (conversions,).
        levels: thresholds and values that are not evenly spaced.
    """
    low, high = adc_codes(n_bits, both_sides)
    return Adc(np.where(ranges > 0, ranges, 1.0) / high[:, None, None], low, high, levels)
