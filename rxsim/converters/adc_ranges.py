"""ADC ranges from the currents of an open-ADC run over the calibration inputs."""

from __future__ import annotations

import numpy as np

from rxsim.calibrate import UpperQuantile


class RangeMeter:
    """The largest |current| (or its percentile) of a layer, by layer, tile or column.

    A tile is one row tile, group and column tile; a column is one output of one row tile.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_cols: int,
        scope: str,
        percentile: float,
        counts: list[int] | None,
    ) -> None:
        """Prepare to measure.

        Args:
            shape: conversions, groups, N.
            n_cols: columns of a tile.
            scope: layer, tile or column.
            percentile: of |current|; 100 is the maximum.
            counts: how many values of each conversion will arrive; None for the maximum.
        """
        self._shape = shape
        self._scope = scope
        self._percentile = percentile
        self._blocks = self._make_blocks(n_cols)
        self._quantiles = [] if counts is None else self._make_quantiles(counts)
        self._maxima = np.zeros(shape)

    def _make_blocks(self, n_cols: int) -> list[tuple[int, slice]]:
        """List the (conversion, flat outputs) that share a range; of a layer: each conversion."""
        conversions, groups, outputs = self._shape
        if self._scope == "layer":
            return [(p, slice(0, groups * outputs)) for p in range(conversions)]
        width = 1 if self._scope == "column" else n_cols
        return [
            (p, slice(g * outputs + start, g * outputs + min(start + width, outputs)))
            for p in range(conversions)
            for g in range(groups)
            for start in range(0, outputs, width)
        ]

    def add(self, currents: list[np.ndarray], channel_axis: int) -> None:
        """Take in the currents of a batch.

        Args:
            currents: ampere, for each conversion an array with outputs along `channel_axis`.
            channel_axis: 1 for a Conv, -1 for a matrix product.
        """
        if self._percentile == 100:
            for p, values in enumerate(currents):
                axes = tuple(
                    axis for axis in range(values.ndim) if axis != channel_axis % values.ndim
                )
                peak = np.maximum(values.max(axis=axes), -values.min(axis=axes))
                self._maxima[p] = np.maximum(self._maxima[p], peak.reshape(self._shape[1:]))
            return
        for number, (p, outputs) in enumerate(self._blocks):
            magnitudes = np.abs(np.moveaxis(currents[p], channel_axis, 0)[outputs])
            self._quantiles[0 if self._scope == "layer" else number].add(magnitudes)

    def _make_quantiles(self, counts: list[int]) -> list[UpperQuantile]:
        outputs = self._shape[1] * self._shape[2]
        totals = [counts[p] // outputs * (part.stop - part.start) for p, part in self._blocks]
        if self._scope == "layer":
            totals = [sum(totals)]
        return [UpperQuantile(self._percentile, total) for total in totals]

    def ranges(self) -> np.ndarray:
        """Return the range a side in ampere, float64 (conversions, groups, N)."""
        flat = self._maxima.reshape(self._shape[0], -1)
        result = np.empty_like(flat)
        if self._scope == "layer":
            result[:] = flat.max() if self._percentile == 100 else self._quantiles[0].value()
            return result.reshape(self._shape)
        for number, (p, outputs) in enumerate(self._blocks):
            exact = self._percentile == 100
            result[p, outputs] = (
                flat[p, outputs].max() if exact else self._quantiles[number].value()
            )
        return result.reshape(self._shape)
