"""The ADCs of a layer.

Source: docs/concepts/model.md, section 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twin import errors, places
from twin import settings as plain
from twin.arrays import Bools, Floats, Ints, Tensor
from twin.currents import Currents, each
from twin.inputs import near_threshold
from twin.steps import listed

if TYPE_CHECKING:
    from twin.layer import Layer

_BULK_EPS = 4e-7  # of all current that was added and subtracted: what float32 may be off by


class Readers:
    """What turns a layer's currents into read values."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def steps(self, main: bool, signed: bool) -> tuple[int, int]:
        """Return the lowest and the highest code of a readout."""
        n_bits = self._layer.settings["adc"]["n_bits"]
        if signed or (main and self._layer.analog_difference):
            return -(2 ** (n_bits - 1) - 1), 2 ** (n_bits - 1) - 1
        return 0, 2**n_bits - 1

    def read(
        self,
        current: Currents,
        bulk: Currents,
        ranges: Currents,
        signed: bool,
        tables: Currents | None = None,
    ) -> tuple[Currents, Currents]:
        """Return what the codes of currents stand for, in A, and where a current is risky.

        Args:
            current: In A.
            bulk: The same with every subtraction turned into an addition.
            ranges: In A, with M = 1.
            signed: Whether currents of single columns have both signs.
            tables: Which of the layer's given steps hold, with M = 1.
        """
        if tables is None:
            tables = ranges.map(lambda part: np.zeros(part.shape, np.int64))

        def read_part(*parts: Any) -> Tensor:
            c, b, limit, table, p, main = parts
            return self._read(c, b, limit, table, self.steps(main, signed), p, main)[0]

        def near_part(*parts: Any) -> Tensor:
            c, b, limit, table, p, main = parts
            return self._read(c, b, limit, table, self.steps(main, signed), p, main)[1]

        given = current, bulk, ranges, tables
        return each(read_part, *given), each(near_part, *given)

    def _read(
        self,
        current: Floats,
        bulk: Floats,
        limit: Floats,
        table: Ints,
        codes: tuple[int, int],
        p: int,
        main: bool,
    ) -> tuple[Floats, Bools]:
        low, high = codes
        code, eps = current / limit * high, _BULK_EPS * bulk / limit * high
        drawn = self._layer.adc_errors
        if drawn is None:
            return self._decided(code, eps, table, codes, limit)
        number = self._numbers(drawn, p, main)
        straight = (1 + drawn.gain[number]) * code + drawn.offset[number]
        eps = np.abs(1 + drawn.gain[number]) * eps
        at = np.rint(np.clip(straight, low, high)).astype(np.int64)
        bent = straight + drawn.curves[np.broadcast_to(number, at.shape), at - low]
        read, near = self._decided(bent, eps, table, codes, limit)
        if np.any(drawn.curves):
            near |= self._near(straight, eps, codes)
        return read, near

    def _decided(
        self, code: Floats, eps: Floats, table: Ints, codes: tuple[int, int], limit: Floats
    ) -> tuple[Floats, Bools]:
        """Return what currents in LSB are read as, in A, and where they are near a threshold."""
        low, high = codes
        chosen = self._layer.settings["adc"]["thresholds"]
        if chosen is None:
            return np.clip(np.rint(code), low, high) * limit / high, self._near(code, eps, codes)
        steps = self._layer.adc_steps or [listed(chosen, low, high)]
        table = np.broadcast_to(table, code.shape)
        value, near = np.zeros(code.shape), np.zeros(code.shape, dtype=bool)
        for number in np.unique(table):
            at = table == number
            value[at] = steps[number].read(code[at])
            far = np.maximum(self._layer.eps, 4e-6 * np.abs(code[at]))
            near[at] = steps[number].near(code[at], np.maximum(eps[at], far))
        return value * limit / high, near

    @staticmethod
    def _numbers(drawn: errors.AdcErrors, p: int, main: bool) -> Ints:
        """Return the converters' numbers as the currents are shaped, with M = 1."""
        part = drawn.of_output[p] if main else drawn.of_reference[p]
        return np.expand_dims(part, -2)

    def _near(self, code: Floats, eps: Floats, codes: tuple[int, int]) -> Bools:
        low, high = codes
        threshold = np.clip(np.floor(code) + 0.5, low + 0.5, high - 0.5)
        close = np.abs(code - threshold) <= eps
        return np.asarray(close | near_threshold(code, low, high, self._layer.eps))

    def draw(self, trial: int) -> errors.AdcErrors | None:
        """Draw the errors of the ADCs of a chip."""
        layer, settings = self._layer, self._layer.settings
        if settings["adc"]["n_bits"] is None:
            return None
        slices = plain.slices(settings["mapping"])
        apart = settings["mapping"]["subtract"] == "digital"
        n_sides = places.sides(settings) if apart else 1
        positions = {}
        for q, tile in enumerate(layer.outputs):
            for at, n in enumerate(tile):
                for s in range(slices):
                    for r in range(n_sides):
                        positions[q, s, r, int(n)] = (at * slices + s) * n_sides + r
            if apart and places.has_reference(settings):
                for s in range(slices):
                    positions[q, s, 0, -1] = tile.size * slices * n_sides + s
        tiles = 1 if settings["adc"]["where"] == "per_layer" else len(layer.rows)
        groups, _, outputs = layer.packed.weights.shape
        shape = (tiles, slices, n_sides, groups, outputs, len(layer.outputs))
        numbers = errors.converter_numbers(positions, settings["adc"]["share"], shape)
        codes = self.steps(True, layer.drive.both_signs)
        return errors.adc_errors(settings, trial, layer.product.index, numbers, codes)
