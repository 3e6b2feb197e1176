"""The voltages that a layer's inputs put on its wordlines, at each position of its windows."""

from __future__ import annotations

import numpy as np

from rxsim.converters.input_plan import InputPlan
from rxsim.encodings import Pass
from rxsim.load import Layer

# Values gathered at once: wide rows at many positions are looked through part by part.
_MOST_VALUES = 2**22


class InputVectors:
    """A layer's input tensor as the vectors that reach its arrays.

    A position is one vector of the layer's K (times groups) inputs: for a Conv one place of its
    kernel, numbered along the output's spatial axes (row-major, inputs of the batch first); for a
    product one row of its activations. Places that a Conv pads hold 0.

    Attributes:
        layer: the layer.
        positions: how many there are.
    """

    def __init__(self, layer: Layer, values: np.ndarray) -> None:
        """Lay out a tensor.

        Args:
            layer: the layer.
            values: codes, units or volts at the layer's input: (n, channels, *spatial) of a Conv, else
                (..., K).
        """
        self.layer = layer
        self._windows = layer.operator.windows(layer, values)
        self.positions = len(self._windows.starts)

    def at(self, rows: np.ndarray, row_signs: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return what reaches the rows of an array.

        Args:
            rows: input `group * K + k` of each physical row, -1 for an idle row, (n_rows,).
            row_signs: +1 or -1, (n_rows,).
            positions: int64 (n,).

        Returns:
            The tensor's values, 0 in idle rows, float64 (n, n_rows).
        """
        used = rows >= 0
        windows = self._windows
        places = windows.starts[positions, None] + windows.distances[rows[used]][None, :]
        values = np.zeros((len(positions), len(rows)))
        values[:, used] = windows.values[places] * row_signs[used]
        return values


class WordlineVoltages:
    """The voltages that one pass of a layer's encoding puts on its wordlines, for one network input.

    These are the voltages of the circuit: a digit's share of the read voltage, one half of a signed
    input, a random pulse. Where the width of pulses carries the value, they are those that are on at an
    instant. A place that a Conv pads is driven as an input of 0 is. Static errors of converters are
    left out.

    Attributes:
        layer: the layer.
        name: the pass, in words; empty where there is a single pass.
        positions: how many vectors there are (see `InputVectors`).
    """

    def __init__(
        self, layer: Layer, codes: np.ndarray, pulse: Pass, plan: InputPlan, name: str = ""
    ) -> None:
        """Drive one pass.

        Args:
            layer: the layer.
            codes: of its input tensor, of the tensor's shape.
            pulse: the pass, with a chip's random numbers where there are any.
            plan: the layer's inputs.
            name: the pass, in words.
        """
        self.layer, self.name = layer, name
        self._pulse, self._plan = pulse, plan
        units = pulse.units.of(codes)
        self._vectors = InputVectors(layer, units - pulse.rest if pulse.rest else units)
        self.positions = self._vectors.positions

    def volts(
        self,
        rows: np.ndarray,
        row_signs: np.ndarray,
        positions: np.ndarray,
        level: float = 0.0,
    ) -> np.ndarray:
        """Return the source voltages of an array.

        Args:
            rows: input `group * K + k` of each physical row, -1 for a row at 0 V, (n_rows,).
            row_signs: +1 or -1, (n_rows,).
            positions: int64 (n,).
            level: for pulses whose width carries the value, the share of a full pulse that is over;
                rows are on whose pulses last longer.

        Returns:
            Volt, float64 (n, n_rows).
        """
        encoding, codes = self._plan.encoding, self._plan.codes
        volts = encoding.volts(self._pulse, self._units(rows, positions), codes, level)
        return np.asarray(volts * row_signs)

    def widths(self, rows: np.ndarray, positions: np.ndarray) -> np.ndarray | None:
        """Return the share of a full pulse that each row's pulse lasts, (n, n_rows).

        Returns:
            None where rows are on for all of the pass.
        """
        encoding, codes = self._plan.encoding, self._plan.codes
        return encoding.widths(self._pulse, self._units(rows, positions), codes)

    def activity(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of |voltage| over an array's rows for every position, (positions,)."""
        size = max(_MOST_VALUES // max(len(rows), 1), 1)
        signs = np.ones(len(rows))
        parts = [
            np.abs(
                self.volts(rows, signs, np.arange(start, min(start + size, self.positions)))
            ).sum(axis=1)
            for start in range(0, self.positions, size)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def _units(self, rows: np.ndarray, positions: np.ndarray) -> np.ndarray:
        units = self._vectors.at(rows, np.ones(len(rows)), positions)
        return units + np.where(rows >= 0, self._pulse.rest, 0) if self._pulse.rest else units
