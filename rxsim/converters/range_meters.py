"""ADC ranges from the currents of an open-ADC run over the calibration inputs."""

from __future__ import annotations

import numpy as np

from rxsim.calibrate import UpperQuantile

_CANDIDATES = 256
_VALUES = 2**20  # values looked at together


class RangeMeter:
    """The largest |current|, or a percentile, over all conversions that share a range."""

    def __init__(self, blocks: np.ndarray, percentile: float, counts: list[int] | None) -> None:
        """Prepare to measure.

        Args:
            blocks: which range each conversion uses, int64 (conversions, groups, readouts).
            percentile: of |current|; 100 is the maximum.
            counts: how many values of each conversion will arrive; None for the maximum.
        """
        self._blocks = blocks
        self._maxima = np.zeros(blocks.shape)
        self._quantiles: list[UpperQuantile] | None = None
        self._members = _members(blocks)
        if counts is not None:
            per_readout = np.array(counts) // (blocks.shape[1] * blocks.shape[2])
            totals = np.zeros(int(blocks.max()) + 1, dtype=np.int64)
            here = blocks >= 0
            each = np.broadcast_to(per_readout[:, None, None], blocks.shape)
            np.add.at(totals, blocks[here], each[here])
            self._quantiles = [UpperQuantile(percentile, int(total)) for total in totals]

    @property
    def takes_peaks(self) -> bool:
        """Whether the largest |current| of each channel is all that is looked at."""
        return self._quantiles is None

    def add_peaks(self, peaks: list[np.ndarray]) -> None:
        """Take in the largest |current| of each channel of a batch.

        Args:
            peaks: ampere, for each conversion (channels,).
        """
        for k, peak in enumerate(peaks):
            self._maxima[k] = np.maximum(self._maxima[k], peak.reshape(self._maxima[k].shape))

    def add(self, currents: list[np.ndarray], channel_axis: int) -> None:
        """Take in the currents of a batch.

        Args:
            currents: ampere, for each conversion an array with readouts along `channel_axis`.
            channel_axis: 1 for a Conv, -1 for a matrix product.
        """
        if self._quantiles is None:
            self.add_peaks([_by_channel(values, channel_axis) for values in currents])
            return
        for k, values in enumerate(currents):
            channels = np.moveaxis(values, channel_axis, 0)
            for block, members in self._members[k]:
                self._quantiles[block].add(np.abs(channels[members]))

    def ranges(self) -> np.ndarray:
        """Return the range (a side) in ampere, float64 (conversions, groups, readouts)."""
        if self._quantiles is not None:
            ranges = np.array([quantile.value() for quantile in self._quantiles])
        else:
            ranges = np.zeros(int(self._blocks.max()) + 1)
            here = self._blocks >= 0
            np.maximum.at(ranges, self._blocks[here], self._maxima[here])
        return _spread(ranges, self._blocks)


class ErrorMeter:
    """The range of least mean square error, for all conversions that share a range.

    A current within a range r has a mean square error of lsb^2/12, a current beyond r that of its
    distance to r.
    The sums are exact; what is held is 2 KiB for each range, whatever the number of values.
    """

    def __init__(self, blocks: np.ndarray, largest: np.ndarray, high: np.ndarray) -> None:
        """Prepare to measure.

        Args:
            blocks: which range each conversion uses, int64 (conversions, groups, readouts).
            largest: |current| in ampere, of the same shape: no candidate lies above it.
            high: largest code of each conversion, int64 (conversions,).
        """
        self._blocks = blocks
        count = int(blocks.max()) + 1
        self._largest = np.zeros(count)
        here = blocks >= 0
        np.maximum.at(self._largest, blocks[here], largest[here])
        self._steps = np.zeros(count)
        steps = np.broadcast_to(high[:, None, None], blocks.shape)
        np.maximum.at(self._steps, blocks[here], steps[here])
        # What each candidate would cost, in squares of the largest current: sums over the values.
        self._costs = np.zeros((count, _CANDIDATES))
        self._slots = [_slots(row) for row in blocks.reshape(len(blocks), -1)]

    def add(self, currents: list[np.ndarray], channel_axis: int) -> None:
        """Take in the currents of a batch (see `RangeMeter.add`)."""
        for (used, slots), values in zip(self._slots, currents, strict=True):
            if not used.size:
                continue
            channels = np.moveaxis(values, channel_axis, 0).reshape(len(slots), -1)
            for start in range(0, len(slots), self._channels(channels)):
                part = slice(start, start + self._channels(channels))
                self._add(used, slots[part], channels[part])

    @staticmethod
    def _channels(channels: np.ndarray) -> int:
        return max(_VALUES // max(int(channels.shape[1]), 1), 1)

    def _add(self, used: np.ndarray, slots: np.ndarray, channels: np.ndarray) -> None:
        """Take in the currents of some channels of a conversion.

        Args:
            used: numbers of the conversion's ranges.
            slots: which of these each channel uses, -1 for none.
            channels: ampere, (channels, values).
        """
        here = slots >= 0
        slots, sizes = slots[here], np.abs(channels[here], dtype=np.float64)
        largest = self._largest[used[slots]]
        sizes /= np.where(largest > 0, largest, 1.0)[:, None]
        # Bin b holds what candidate b is the smallest to hold.
        bins = np.clip(np.ceil(sizes * _CANDIDATES) - 1, 0, _CANDIDATES - 1).astype(np.int64)
        bins += slots[:, None] * _CANDIDATES
        shape = (len(used), _CANDIDATES)
        moments = [
            np.bincount(bins.ravel(), weights, len(used) * _CANDIDATES).reshape(shape)
            for weights in (None, sizes.ravel(), np.square(sizes).ravel())
        ]
        inside = moments[0].cumsum(axis=1)
        beyond, first, second = (
            moment.sum(axis=1, keepdims=True) - moment.cumsum(axis=1) for moment in moments
        )
        shares = np.arange(1, _CANDIDATES + 1) / _CANDIDATES
        clipping = np.maximum(second - 2 * shares * first + shares**2 * beyond, 0)
        steps = np.maximum(self._steps[used], 1)[:, None]
        self._costs[used] += clipping + inside * (shares / steps) ** 2 / 12

    def ranges(self) -> np.ndarray:
        """Return the range (a side) in ampere, float64 (conversions, groups, readouts)."""
        best = (1 + np.argmin(self._costs, axis=1)) / _CANDIDATES
        return _spread(best * self._largest, self._blocks)


def _slots(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the ranges that a conversion uses, and the place in that list of each channel (-1: none)."""
    used = np.unique(row[row >= 0])
    return used, np.where(row >= 0, np.searchsorted(used, row), -1)


def _members(blocks: np.ndarray) -> list[list[tuple[int, np.ndarray]]]:
    """List for each conversion the ranges it uses, with their channels."""
    flat = blocks.reshape(len(blocks), -1)
    return [[(int(b), np.flatnonzero(row == b)) for b in np.unique(row) if b >= 0] for row in flat]


def _spread(ranges: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Give every conversion its range; 0 where nothing is carried."""
    return np.where(blocks >= 0, ranges[np.maximum(blocks, 0)], 0.0)


def _by_channel(values: np.ndarray, channel_axis: int) -> np.ndarray:
    """Find the largest magnitude of each channel."""
    axes = tuple(axis for axis in range(values.ndim) if axis != channel_axis % values.ndim)
    return np.asarray(np.maximum(values.max(axis=axes), -values.min(axis=axes)))
