"""Histograms of the currents that share an ADC range, and the Lloyd-Max steps that they give.

The histogram of a few inputs has gaps where other inputs' currents may lie. So one more value for
each code is counted, spread evenly over all codes. Evenly spaced codes are the best for these, so
that the steps' error on the currents themselves still is no more than that of evenly spaced codes.
"""

from __future__ import annotations

import numpy as np

from rxsim.converters.adc_levels import AdcLevels, levels_of
from rxsim.converters.lloyd_max import lloyd_max

MOST_BINS = 2**24
"""Bins of a layer's histograms: 256 MiB of counts and sums."""
# Assumption: bins of an eighth of a code, 1,000 at least, raise the least error by less than 1 %.
_PER_LSB, _LEAST = 3, 10  # as powers of two
_VALUES = 2**20  # values looked at together


class CurrentHistograms:
    """Counts and sums of currents in bins of a part of an LSB, for all conversions that share a range.

    Bins begin half an LSB below the lowest code and end half an LSB above the highest: evenly spaced
    thresholds lie between bins. The outermost ones hold what lies beyond too.
    """

    def __init__(self, blocks: np.ndarray, ranges: np.ndarray, low: int, high: int) -> None:
        """Prepare to count.

        Args:
            blocks: which range each conversion uses, int64 (conversions, groups, readouts).
            ranges: ampere (a side), of the same shape; a range of 0 counts as 1.
            low: smallest code of the layer's ADCs.
            high: largest code.
        """
        self._blocks, self._low, self._high = blocks, low, high
        self._bits = bits_per_lsb(high - low + 1)
        self._size = (high - low + 1) << self._bits
        count = int(blocks.max()) + 1
        lsb = np.ones(count)
        here = blocks >= 0
        lsb[blocks[here]] = np.where(ranges > 0, ranges, 1.0)[here] / high
        self._lsb = lsb
        self._counts = np.zeros((count, self._size), dtype=np.int64)
        self._sums = np.zeros((count, self._size))

    def add(self, currents: list[np.ndarray], channel_axis: int) -> None:
        """Take in the currents of a batch (see `RangeMeter.add`)."""
        for blocks, values in zip(self._blocks.reshape(len(currents), -1), currents, strict=True):
            channels = np.moveaxis(values, channel_axis, 0).reshape(len(blocks), -1)
            each = max(_VALUES // max(int(channels.shape[1]), 1), 1)
            for start in range(0, len(blocks), each):
                part = slice(start, start + each)
                here = blocks[part] >= 0
                if here.any():
                    self._add(blocks[part][here], channels[part][here])

    def _add(self, blocks: np.ndarray, channels: np.ndarray) -> None:
        """Take in some channels of a conversion, ampere (channels, values), with their ranges."""
        used, slots = np.unique(blocks, return_inverse=True)
        codes = channels.astype(np.float64) / self._lsb[blocks][:, None]
        bins = np.floor((codes - self._low + 0.5) * 2**self._bits)
        bins = np.clip(bins, 0, self._size - 1).astype(np.int64) + slots[:, None] * self._size
        shape, size = (len(used), self._size), len(used) * self._size
        self._counts[used] += np.bincount(bins.ravel(), minlength=size).reshape(shape)
        self._sums[used] += np.bincount(bins.ravel(), codes.ravel(), size).reshape(shape)

    def levels(self) -> AdcLevels:
        """Return the steps of least mean square error, a table for each range."""
        begins = self._low - 0.5 + np.arange(self._size) / 2**self._bits
        uniform = np.arange(self._low, self._high) + 0.5
        even = 1 / 2**self._bits
        middles = begins + even / 2
        counts, sums = self._counts + even, self._sums + even * middles
        return levels_of(lloyd_max(counts, sums, begins[1:], uniform), self._blocks)


def bits_per_lsb(codes: int) -> int:
    """Return into how many bins an LSB is cut, as a power of two, for so many codes of an ADC."""
    return max(_PER_LSB, _LEAST - codes.bit_length() + 1)
