"""Decision thresholds of ADCs that are not evenly spaced, and what their codes stand for.

See docs/concepts/model.md, section 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.config import Settings
from rxsim.errors import SettingError

Steps = tuple[np.ndarray, np.ndarray]
"""Thresholds, LSB, float64 (n,), rising; the values of the codes, LSB, float64 (n + 1,), rising."""


@dataclass(frozen=True, slots=True, eq=False)
class AdcLevels:
    """The steps of a layer's ADCs: a current takes the value above as many thresholds as it reaches.

    Attributes:
        thresholds: LSB, float64 (tables, values - 1), rising; infinite where a table has fewer.
        values: LSB that the codes stand for, float64 (tables, values), rising as far as they are used.
        tables: which table each conversion uses, int64 (conversions, groups, readouts).
    """

    thresholds: np.ndarray
    values: np.ndarray
    tables: np.ndarray

    @property
    def listed(self) -> tuple[Steps, ...]:
        """The thresholds and values of each table, as many as it has."""
        counts = np.isfinite(self.thresholds).sum(axis=1)
        rows = zip(self.thresholds, self.values, counts, strict=True)
        return tuple((between[:count], values[: count + 1]) for between, values, count in rows)


def levels_of(steps: Sequence[Steps], blocks: np.ndarray) -> AdcLevels:
    """Put the steps of some tables beside each other, short ones filled up.

    Args:
        steps: of each range.
        blocks: which range each conversion uses, int64 (conversions, groups, readouts); -1 for none.
    """
    most = max(len(values) for _, values in steps)
    thresholds = np.full((len(steps), most - 1), np.inf)
    stands_for = np.empty((len(steps), most))
    for row, (between, values) in enumerate(steps):
        thresholds[row, : len(between)] = between
        stands_for[row, : len(values)] = values
        stands_for[row, len(values) :] = values[-1]
    return AdcLevels(thresholds, stands_for, np.maximum(blocks, 0))


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredAdc:
    """What calibration inputs tell of a layer's ADCs.

    Attributes:
        ranges: ampere (a side, where both occur), float64 (conversions, groups, readouts).
        levels: where these were measured too.
    """

    ranges: np.ndarray
    levels: AdcLevels | None = None


def check_thresholds(name: str, settings: Settings, low: int, high: int) -> None:
    """Refuse a list of thresholds that does not fit a layer's currents.

    Args:
        name: of the layer.
        settings: the layer's.
        low: its smallest code: 0 where its currents have one sign.
        high: its largest code.

    Raises:
        SettingError: naming the layer.
    """
    thresholds = settings.adc.thresholds
    if thresholds is None or isinstance(thresholds, str):
        return
    what = f"adc.thresholds: layer {name}: found"
    most = high - low
    if len(thresholds) > most:
        sides = "both signs occur" if low else "one sign occurs"
        raise SettingError(
            f"{what} {len(thresholds)} thresholds, expected at most {most}, which is what adc.n_bits: "
            f"{settings.adc.n_bits} has where {sides}; use more bits, or set them under layers:"
        )
    if not low and thresholds[0] < 0:
        raise SettingError(
            f"{what} the threshold {thresholds[0]:g}, but its currents have one sign, expected shares "
            "of the range from 0 to 1; set other ones for this layer under layers:"
        )


def listed_levels(
    thresholds: Sequence[float], low: int, high: int, shape: tuple[int, int, int]
) -> AdcLevels:
    """Set up the steps that a list of thresholds gives, the same for all conversions.

    A code stands for the middle between its thresholds; an outermost one lies as far beyond its
    threshold as half the step next to it (a single threshold: half way to the end of the range). A
    current on a threshold takes the even code, counted from the middle where both signs occur.

    Args:
        thresholds: shares of the range, rising.
        low: smallest code of the layer's ADCs.
        high: largest code.
        shape: conversions, groups, readouts.
    """
    lsb = np.asarray(thresholds, dtype=np.float64) * high
    middles = (lsb[1:] + lsb[:-1]) / 2
    if len(lsb) == 1:
        ends = (lsb[0] + low) / 2, (lsb[0] + high) / 2
    else:
        ends = lsb[0] - (lsb[1] - lsb[0]) / 2, lsb[-1] + (lsb[-1] - lsb[-2]) / 2
    values = np.array([ends[0], *middles, ends[1]])
    first = -(len(values) // 2) if low else 0
    above_is_even = (first + 1 + np.arange(len(lsb))) % 2 == 0
    # Currents are float32: what reaches the number above a threshold leaves out the threshold.
    exact = lsb.astype(np.float32)
    exact = np.where(above_is_even, exact, np.nextafter(exact, np.float32(np.inf)))
    return AdcLevels(exact.astype(np.float64)[None], values[None], np.zeros(shape, dtype=np.int64))
