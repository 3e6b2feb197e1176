"""One layer on its arrays: readouts, conversions, decoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from twin import TwinLayer, near_threshold

from rxsim.config import Settings
from vocabulary import cells, places
from vocabulary.drive import Conversion, Drive
from vocabulary.places import Bools, Floats, Ints, Packed

_BULK_EPS = 4e-7  # of all current that was added and subtracted: what float32 may be off by

Solve = Callable[[Floats], Floats]
"""Effective conductances of an array's cells; both shape (n_rows, n_cols), in S."""


@dataclass
class Currents:
    """Currents, or anything else that every readout has.

    Attributes:
        main: Of outputs: per row tile, shape (S, R, G, M, N).
        reference: Of reference columns that are converted by themselves: per row tile, shape
            (S, G, M, Q); empty where there are none.
    """

    main: list[Floats]
    reference: list[Floats] = field(default_factory=list)

    def map(self, change: Callable[[Floats], NDArray]) -> Currents:
        """Return what a function makes of each of the arrays."""
        return Currents([change(a) for a in self.main], [change(a) for a in self.reference])

    def summed(self) -> Currents:
        """Return the sum over the row tiles as the only row tile."""
        reference = [np.sum(self.reference, axis=0)] if self.reference else []
        return Currents([np.sum(self.main, axis=0)], reference)


@dataclass
class Layer:
    """A layer on crossbars.

    Attributes:
        base: The layer as the plain twin finds it: geometry, weights, bias.
        settings: The settings.
        packed: The matrices, in the order of the arrays' rows.
        order: Channel-major row of each row of an original group.
        rows: Rows of each row tile.
        outputs: Outputs of each column tile.
        w_max: Weight scale, shape (P, G, N).
        cells: Target conductances in S, shape (P, S, R, G, K, N); only rows of the tile count.
        arrays: Nominal arrays in S by number.
        matrices: Effective conductances in S of every readout, per row tile: (S, R, G, K_p, N) and
            (S, G, K_p, Q).
        bulk: As matrices, but what is subtracted in analog is added: what rounding errors go by.
        ranges: Per conversion, ranges in A as Currents with M = 1; None without ADCs.
        eps: Distance to a rounding threshold, in LSB, below which a conversion is risky.
        calibration_risk: Number of calibration inputs that came near a DAC's threshold.
    """

    base: TwinLayer
    settings: Settings
    packed: Packed
    order: Ints
    rows: list[Ints]
    outputs: list[Ints]
    w_max: Floats
    cells: list[Floats] = field(default_factory=list)
    arrays: list[Floats] = field(default_factory=list)
    matrices: Currents = field(default_factory=lambda: Currents([]))
    bulk: Currents = field(default_factory=lambda: Currents([]))
    ranges: list[Currents] | None = None
    eps: float = 1e-4
    calibration_risk: int = 0

    @property
    def drive(self) -> Drive:
        """How inputs become voltages."""
        return Drive(self.settings, self.base.x_max, self.base.signed)

    @property
    def analog_difference(self) -> bool:
        """Whether every readout is a difference of two currents."""
        mapping = self.settings.mapping
        pair = mapping.scheme == "differential" or places.has_reference(self.settings)
        return pair and mapping.subtract == "analog"

    @property
    def zero(self) -> Floats:
        """Conductance in S of a weight of zero (offset scheme), else 0; shape (S,)."""
        if self.settings.mapping.scheme == "offset":
            return cells.zero_conductances(self.settings)
        return np.zeros(self.settings.mapping.slices)

    def place(self) -> None:
        """Set target conductances and nominal arrays."""
        self.cells, self.arrays = [], []
        for p in range(len(self.rows)):
            found = [
                cells.conductances(weights, w_max, self.settings)
                for weights, w_max in zip(self.packed.weights, self.w_max[p], strict=True)
            ]
            self.cells.append(np.stack(found, axis=2))
        for g, p, q in self._tiles():
            tile = np.ix_(self.rows[p], self.outputs[q])
            self.arrays += places.tile_arrays(
                self.settings,
                self.cells[p][:, :, g][(slice(None), slice(None), *tile)],
                self.packed.present[g][tile],
                self.zero,
                places.columns(self.settings, self.outputs[q].size),
            )

    def _tiles(self) -> list[tuple[int, int, int]]:
        groups = self.packed.weights.shape[0]
        return list(np.ndindex(groups, len(self.rows), len(self.outputs)))

    def install(self, arrays: list[Floats], solve: Solve) -> None:
        """Set the effective conductances of every readout from some arrays."""
        slices, sides = self.settings.mapping.slices, places.sides(self.settings)
        groups, _, outputs = self.packed.weights.shape
        main = [np.zeros((slices, sides, groups, k.size, outputs)) for k in self.rows]
        reference = [np.zeros((slices, groups, k.size, len(self.outputs))) for k in self.rows]
        first = 0
        for g, p, q in self._tiles():
            held = places.columns(self.settings, self.outputs[q].size)
            count = 1 + max(column.array for column in held)
            tile = arrays[first : first + count]
            solved = [places.permuted(solve(array), self.settings) for array in tile]
            for column in held:
                values = solved[column.array][: self.rows[p].size, column.position]
                if column.output < 0:
                    reference[p][column.digit, g, :, q] = values
                else:
                    n = self.outputs[q][column.output]
                    main[p][column.digit, column.side, g, :, n] = values
            first += count
        assert first == len(arrays)
        self.matrices = self._read(main, reference, -1)
        self.bulk = self._read(main, reference, 1)

    def _read(self, main: list[Floats], reference: list[Floats], sign: int) -> Currents:
        """Subtract in analog (sign -1, or add) what is subtracted before a conversion."""
        if not places.has_reference(self.settings):
            if self.analog_difference:
                main = [pair[:, :1] + sign * pair[:, 1:] for pair in main]
            return Currents(main)
        if self.settings.mapping.subtract == "digital":
            return Currents(main, reference)
        tile_of = self._column_tiles()
        pairs = zip(main, reference, strict=True)
        return Currents([a + sign * b[:, None][..., tile_of] for a, b in pairs])

    def _column_tiles(self) -> Ints:
        """Return the column tile of each output."""
        return np.repeat(np.arange(len(self.outputs)), [n.size for n in self.outputs])

    def conversions(self, x: Floats) -> tuple[list[Conversion], Bools, tuple[int, ...]]:
        """Return what is driven for an input tensor.

        Returns:
            conversions: With voltages of shape (M, G, K) in V.
            near: Inputs near a DAC's threshold, shape (M, original groups, K).
            lead: Shape of the M axis.
        """
        codes, near = self.drive.codes(np.asarray(x, np.float64), self.eps)
        vectors, lead = self.base.geometry.vectors(codes)
        near_vectors, _ = self.base.geometry.vectors(near)
        found = [
            Conversion(
                conversion.weight,
                [(w, self.packed.pack_vectors(volts)) for w, volts in conversion.terms],
                conversion.signed,
            )
            for conversion in self.drive.conversions(vectors[:, :, self.order])
        ]
        return found, near_vectors, lead

    def currents(self, conversion: Conversion) -> Currents:
        """Return the analog sum of the currents of a conversion's passes."""
        volts = np.sum([weight * volts for weight, volts in conversion.terms], axis=0)
        return self._driven(volts, self.matrices)

    def bulk_currents(self, conversion: Conversion) -> Currents:
        """Return the currents with every subtraction turned into an addition."""
        volts = np.sum([abs(weight * volts) for weight, volts in conversion.terms], axis=0)
        return self._driven(volts, self.bulk)

    def _driven(self, volts: Floats, matrices: Currents) -> Currents:
        turned = volts.transpose(1, 0, 2)  # (G, M, K)
        driven = [turned[:, :, rows] for rows in self.rows]
        main = [v @ g for v, g in zip(driven, matrices.main, strict=True)]
        reference = zip(driven, matrices.reference, strict=False)
        found = Currents(main, [v @ g for v, g in reference])
        return found.summed() if self.settings.adc.where == "per_layer" else found

    def forward(self, x: Floats, *, open_adc: bool = False) -> tuple[Floats, Bools, Floats]:
        """Return the layer's output for an input tensor.

        Returns:
            y: Output with bias, before activation.
            risky: Where a value behind y came within ``eps`` of a converter's threshold.
            size: Sum of the absolute values of what was added up to y.
        """
        conversions, near_input, lead = self.conversions(x)
        groups, _, outputs = self.packed.weights.shape
        shape = (groups, near_input.shape[0], outputs)
        total, risky, size = np.zeros(shape), np.zeros(shape, dtype=bool), np.zeros(shape)
        for number, conversion in enumerate(conversions):
            read, bulk = self.currents(conversion), self.bulk_currents(conversion)
            near = read.map(lambda current: np.zeros(current.shape, dtype=bool))
            if self.ranges is not None and not open_adc:
                near = self._near(read, bulk, self.ranges[number], conversion.signed)
                read = self._convert(read, self.ranges[number], conversion.signed)
            total += conversion.weight * self._value(read, -1)
            size += abs(conversion.weight) * self._value(bulk, 1)
            risky |= self._value_risk(near)
        removed = self._removed(conversions)
        y = self._tensor(total - removed, lead) + self.base.bias
        near_any = near_input.any(axis=2)[:, :, None]
        unpacked = self.packed.unpack_results(risky.transpose(1, 0, 2)) | near_any
        size = self._tensor(size + np.abs(removed), lead) + np.abs(self.base.bias)
        return y, self.base.geometry.tensor(unpacked, lead), size

    def _tensor(self, results: Floats, lead: tuple[int, ...]) -> Floats:
        """Return the output tensor of results of shape (G, M, N)."""
        unpacked = self.packed.unpack_results(results.transpose(1, 0, 2))
        return self.base.geometry.tensor(unpacked, lead)

    def _decode(self, p: int) -> Floats:
        """Return output units per ampere in row tile p, shape (S, 1, G, 1, N)."""
        each = cells.weight_per_conductance(self.settings) * self.drive.input_per_volt
        return each[:, None, None, None, None] * self.w_max[p][:, None, :]

    def _value(self, read: Currents, sign: int) -> Floats:
        """Return what converted currents are worth, minus (sign -1) or plus, shape (G, M, N)."""
        value = np.zeros(())
        for p, main in enumerate(read.main):
            side = np.array([1, sign])[: main.shape[1], None, None, None]
            value = value + (side * main * self._decode(p)).sum(axis=(0, 1))
            if read.reference:
                spread = read.reference[p][..., self._column_tiles()][:, None]
                value = value + sign * (spread * self._decode(p)).sum(axis=(0, 1))
        return value

    def _value_risk(self, near: Currents) -> Bools:
        """Return which outputs (G, M, N) rest on a risky conversion."""
        risky = np.any([main.any(axis=(0, 1)) for main in near.main], axis=0)
        for reference in near.reference:
            risky = risky | reference.any(axis=0)[..., self._column_tiles()]
        return risky

    def _removed(self, conversions: list[Conversion]) -> Floats:
        """Return the digital offsets of weights and inputs in output units, shape (G, M, N)."""
        volts = np.sum([conversion.volts for conversion in conversions], axis=0)
        offset = self.drive.code_offset * self.drive.volt_per_code if self.drive.code_offset else 0
        total = np.zeros(())
        for p, rows in enumerate(self.rows):
            target, zero = self.cells[p][..., rows, :], self.zero[:, None, None, None]
            ideal = target[:, 0] - zero
            if target.shape[1] == 2:
                ideal = target[:, 0] - target[:, 1]
            present = self.packed.present[:, rows]
            current = offset * (ideal * present).sum(axis=2)[:, :, None, :]
            if self.settings.mapping.scheme == "offset" and not places.has_reference(self.settings):
                if self.settings.mapping.unused_cells != "open":
                    present = np.ones(present.shape)
                driven = volts.transpose(1, 0, 2)[:, :, rows] @ present
                current = current + zero * driven
            total = total + (current * self._decode(p)[:, 0]).sum(axis=0)
        return total

    def steps(self, main: bool, signed: bool) -> tuple[int, int]:
        """Return the lowest and the highest code of a readout."""
        n_bits = self.settings.adc.n_bits
        if signed or (main and self.analog_difference):
            return -(2 ** (n_bits - 1) - 1), 2 ** (n_bits - 1) - 1
        return 0, 2**n_bits - 1

    def _convert(self, read: Currents, ranges: Currents, signed: bool) -> Currents:
        def convert(current: Floats, limit: Floats, main: bool) -> Floats:
            low, high = self.steps(main, signed)
            return np.clip(np.rint(current / limit * high), low, high) * limit / high

        return self._each(convert, read, ranges)

    def _near(self, read: Currents, bulk: Currents, ranges: Currents, signed: bool) -> Currents:
        def near(current: Floats, whole: Floats, limit: Floats, main: bool) -> Bools:
            low, high = self.steps(main, signed)
            code, eps = current / limit * high, _BULK_EPS * whole / limit * high
            threshold = np.clip(np.floor(code) + 0.5, low + 0.5, high - 0.5)
            close = np.abs(code - threshold) <= eps
            return close | near_threshold(code, low, high, self.eps, ties_risky=True)

        return self._each(near, read, bulk, ranges)

    @staticmethod
    def _each(make: Callable[..., NDArray], *given: Currents) -> Currents:
        main = zip(*(each.main for each in given), strict=True)
        reference = zip(*(each.reference for each in given), strict=True)
        return Currents([make(*a, True) for a in main], [make(*a, False) for a in reference])
