"""The voltages that a layer's inputs put on its wordlines: DAC, encoding, the rows of each position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rxsim.converters import Dac, Pass, full_units
from rxsim.load import Layer

# Values gathered at once: wide rows at many positions are looked through part by part.
_MOST_VALUES = 2**22


class LayerDrive:
    """What drives a layer's arrays for one network input.

    A position is one vector of the layer's K (times groups) inputs: for a Conv one place of its
    kernel, numbered along the output's spatial axes (row-major, inputs of the batch first); for a
    product one row of its activations.

    Attributes:
        layer: the layer.
        positions: how many there are.
    """

    def __init__(self, layer: Layer, dac: Dac, values: np.ndarray) -> None:
        """Convert the values of a layer's input tensor.

        Args:
            layer: the layer.
            dac: its DACs.
            values: the tensor: (n, channels, *spatial) of a Conv, else (..., K).
        """
        self.layer = layer
        volts = dac.codes(values) * dac.volt_per_code
        self._windows = layer.operator.windows(layer, volts)
        self.positions = len(self._windows.starts)

    def volts(self, rows: np.ndarray, row_signs: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the source voltages of an array.

        Args:
            rows: input `group * K + k` of each physical row, -1 for a row at 0 V, (n_rows,).
            row_signs: +1 or -1, (n_rows,).
            positions: int64 (n,).

        Returns:
            Volt, float64 (n, n_rows).
        """
        used = rows >= 0
        windows = self._windows
        places = windows.starts[positions, None] + windows.distances[rows[used]][None, :]
        found = np.zeros((len(positions), len(rows)))
        found[:, used] = windows.values[places] * row_signs[used]
        return found

    def activity(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of |voltage| over an array's rows for every position, (positions,)."""
        return _activity(self, rows)


class PassDrive:
    """What drives a layer's arrays in one pass of its encoding, for one network input.

    These are the voltages of the circuit: a digit's share of the read voltage, one half of a signed
    input, a random pulse, and of pulses of some width those that are on at one instant. A place that a
    Conv pads is driven as an input of 0 is. Static errors of converters are left out.

    Attributes:
        layer: the layer.
        name: the pass, in words; empty where it is the only one.
        positions: how many vectors there are (see `LayerDrive`).
        share: of a pulse's full width, how much is over: rows are on whose pulses last longer.
    """

    def __init__(
        self,
        codes: LayerDrive,
        one: Pass,
        v_read: float,
        *,
        name: str = "",
        pulse_width: bool = False,
        dac: Dac | None = None,
    ) -> None:
        """Drive one pass.

        Args:
            codes: the layer's codes at every position; the voltages themselves of a random pulse.
            one: the pass.
            v_read: volt.
            name: the pass, in words.
            pulse_width: whether its units are the width of pulses.
            dac: the layer's converter, of pulses of some width.
        """
        self.layer, self.name, self.positions = codes.layer, name, codes.positions
        self.share = 0.0
        self._codes, self._one, self._v_read = codes, one, v_read
        self._full = full_units(one, dac, v_read) if pulse_width and dac is not None else None

    @property
    def is_pulse(self) -> bool:
        """Whether rows are on for a time of their own."""
        return self._full is not None

    def volts(self, rows: np.ndarray, row_signs: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the source voltages of an array, volt, float64 (n, n_rows) (see `LayerDrive`)."""
        if self._one.pulse is not None:
            return self._codes.volts(rows, row_signs, positions)
        found = self._units(rows, positions)
        if self._full is None:
            return np.asarray(found * self._one.volt * row_signs)
        on = np.abs(found) > self.share * self._full
        return np.asarray(np.where(on, np.sign(found) * self._v_read, 0.0) * row_signs)

    def shares(self, rows: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return how long each row's pulse lasts, of a full one, (n, n_rows)."""
        return np.asarray(np.abs(self._units(rows, positions)) / (self._full or 1.0))

    def activity(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of |voltage| over an array's rows for every position, (positions,)."""
        return _activity(self, rows)

    def _units(self, rows: np.ndarray, positions: np.ndarray) -> np.ndarray:
        codes = self._codes.volts(rows, np.ones(len(rows)), positions)
        return np.where(rows >= 0, self._one.units(codes), 0.0)


def pass_names(passes: Sequence[Pass], encoding: str) -> list[str]:
    """Say in words which pass each is; nothing of a single one."""
    if len(passes) == 1:
        return ["pulses of the input's width" if encoding == "pulse_width" else ""]
    parts = {
        "positive": "positive inputs",
        "negative": "negative inputs",
        "sign": "sign bit",
        "low": "two's complement",
        "shifted": "input with its offset",
        "whole": "",
    }
    names = []
    for number, one in enumerate(passes):
        what = [parts[one.part]] if parts[one.part] else []
        if one.digit is not None:
            first, bits = one.digit
            what.append(f"bit {first}" if bits == 1 else f"bits {first} to {first + bits - 1}")
        if one.pulse is not None:
            what.append(f"random pulse {one.pulse}")
        if encoding == "pulse_width":
            what.append("pulses of the input's width")
        names.append(f"pass {number} of {len(passes)} ({', '.join(what)})")
    return names


def _activity(drive: LayerDrive | PassDrive, rows: np.ndarray) -> np.ndarray:
    size = max(_MOST_VALUES // max(len(rows), 1), 1)
    signs = np.ones(len(rows))
    parts = [
        np.abs(drive.volts(rows, signs, np.arange(start, min(start + size, drive.positions)))).sum(
            axis=1
        )
        for start in range(0, drive.positions, size)
    ]
    return np.concatenate(parts) if parts else np.empty(0)
