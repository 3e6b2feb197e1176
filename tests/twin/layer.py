"""One layer on its arrays: what is driven, read out, converted and decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from twin import cells, errors, places
from twin import settings as plain
from twin.arrays import Bools, Floats, Ints, Tensor
from twin.circuit import Point
from twin.currents import Currents, each
from twin.curves import curve_of
from twin.inputs import Conversion, Drive, Pass
from twin.places import Packed
from twin.products import Product
from twin.pulses import thresholds
from twin.readers import Readers
from twin.settings import Settings
from twin.steps import Steps

Solve = Callable[[Floats, Bools], Floats]
"""From an array's cells in S and the rows that carry inputs to effective conductances in S."""


@dataclass
class Layer:
    """A layer on crossbars.

    Attributes:
        product: Geometry, weights and bias.
        settings: The layer's settings.
        packed: The matrices, in the order of the arrays' rows.
        order: Channel-major row of each row of an original group.
        rows: Rows of each row tile.
        outputs: Outputs of each column tile.
        w_max: Weight scale, shape (P, G, N).
        x_max: Largest input, in input units.
        signed: True where inputs span [-x_max, x_max], else [0, x_max].
        point: Where arrays that are not linear are made so; None of linear ones.
        cells: Target conductances in S, per row tile shape (S, R, G, K, N); only its rows count.
        arrays: Nominal arrays in S by number.
        blank: Where they are open.
        matrices: Effective conductances in S of every readout, per row tile: (S, R, G, K_p, N) and
            (S, G, K_p, Q).
        bulk: As matrices, but what is subtracted in analog is added: what rounding errors go by.
        ranges: Per conversion, ranges in A with M = 1; None without ADCs.
        adc_steps: Of each range in the order of `listed_ranges`; empty where they follow from the
            settings.
        dac_errors: Of a chip's DACs; None where there are none.
        adc_errors: Of a chip's ADCs; None where there are none.
        trial: Whose random pulses come.
        eps: Distance to a rounding threshold, in LSB, below which a conversion is risky.
        largest_bulk: A, the largest current of the calibration with subtractions turned into additions.
        calibration_risk: How many values of the calibration came near a threshold.
    """

    product: Product
    settings: Settings
    packed: Packed
    order: Ints
    rows: list[Ints]
    outputs: list[Ints]
    w_max: Floats
    x_max: float = 1.0
    signed: bool = False
    point: Point | None = None
    cells: list[Floats] = field(default_factory=list)
    arrays: list[Floats] = field(default_factory=list)
    blank: list[Bools] = field(default_factory=list)
    matrices: Currents = field(default_factory=lambda: Currents([]))
    bulk: Currents = field(default_factory=lambda: Currents([]))
    ranges: list[Currents] | None = None
    adc_steps: list[Steps] = field(default_factory=list)
    dac_errors: errors.DacErrors | None = None
    adc_errors: errors.AdcErrors | None = None
    trial: int = 0
    eps: float = 1e-4
    largest_bulk: float = 0.0
    calibration_risk: int = 0

    @property
    def drive(self) -> Drive:
        """How inputs become voltages."""
        return Drive(self.settings, self.x_max, self.signed)

    @property
    def analog_difference(self) -> bool:
        """Whether every readout is a difference of two currents."""
        mapping = self.settings["mapping"]
        pair = mapping["scheme"] == "differential" or places.has_reference(self.settings)
        return bool(pair and mapping["subtract"] == "analog")

    @property
    def zero(self) -> Floats:
        """Conductance in S of a weight of zero (offset scheme), else 0; shape (S,)."""
        if self.settings["mapping"]["scheme"] == "offset":
            return cells.zero_conductances(self.settings)
        return np.zeros(plain.slices(self.settings["mapping"]))

    @property
    def column_tiles(self) -> Ints:
        """The column tile of each output, shape (N,)."""
        return np.repeat(np.arange(len(self.outputs)), [n.size for n in self.outputs])

    # --- arrays

    def place(self) -> None:
        """Set target conductances and nominal arrays."""
        self.cells, self.arrays, self.blank = [], [], []
        for p in range(len(self.rows)):
            targets = [
                cells.conductances(weights, w_max, self.settings)
                for weights, w_max in zip(self.packed.weights, self.w_max[p], strict=True)
            ]
            self.cells.append(np.stack(targets, axis=2))
        for number, (g, p, q) in enumerate(self._tiles()):
            tile = np.ix_(self.rows[p], self.outputs[q])
            arrays, blank = places.tile_arrays(
                self.settings,
                self.cells[p][:, :, g][:, :, tile[0], tile[1]],
                self.packed.present[g][tile],
                self.zero,
                places.columns(self.settings, self.outputs[q].size),
            )
            order = places.order_of(self.settings, self.product.index, number)
            self.arrays += [order.placed(array) for array in arrays]
            self.blank += [order.placed(array) for array in blank]

    def _tiles(self) -> Iterator[tuple[int, int, int]]:
        """Yield group, row tile and column tile of each tile, in their order."""
        for g in range(self.packed.weights.shape[0]):
            for p in range(len(self.rows)):
                for q in range(len(self.outputs)):
                    yield g, p, q

    def install(self, arrays: list[Floats], solve: Solve) -> None:
        """Set the effective conductances of every readout from some arrays."""
        slices, sides = plain.slices(self.settings["mapping"]), places.sides(self.settings)
        groups, _, outputs = self.packed.weights.shape
        main = [np.zeros((slices, sides, groups, k.size, outputs)) for k in self.rows]
        reference = [np.zeros((slices, groups, k.size, len(self.outputs))) for k in self.rows]
        first = 0
        for number, (g, p, q) in enumerate(self._tiles()):
            held = places.columns(self.settings, self.outputs[q].size)
            count = 1 + max(column.array for column in held)
            order = places.order_of(self.settings, self.product.index, number)
            # Rows without a weight are at 0 V, those of a missing group too: no DAC drives them.
            here = self._present_rows(g, self.rows[p])
            used = np.zeros(self.settings["crossbar"]["rows"], dtype=bool)
            used[: here.size] = here
            tile = arrays[first : first + count]
            solved = [order.back(solve(array, used[order.rows])) for array in tile]
            for column in held:
                values = here * solved[column.array][: here.size, column.position]
                if column.output < 0:
                    reference[p][column.digit, g, :, q] = values
                else:
                    n = self.outputs[q][column.output]
                    main[p][column.digit, column.side, g, :, n] = values
            first += count
        assert first == len(arrays)
        self.matrices = self._read(main, reference, -1)
        self.bulk = self._read(main, reference, 1)

    def _present_rows(self, g: int, rows: Ints) -> Bools:
        """Return which rows of a packed group belong to a group that exists."""
        group = rows // self.product.weights.shape[1]
        return np.asarray(g * self.packed.size + group < self.packed.original)

    def _read(self, main: list[Floats], reference: list[Floats], sign: int) -> Currents:
        """Subtract in analog (sign -1, or add) what is subtracted before a conversion."""
        if not places.has_reference(self.settings):
            if self.analog_difference:
                main = [pair[:, :1] + sign * pair[:, 1:] for pair in main]
            return Currents(list(main))
        if self.settings["mapping"]["subtract"] == "digital":
            return Currents(list(main), list(reference))
        pairs = zip(main, reference, strict=True)
        return Currents([a + sign * b[:, None][..., self.column_tiles] for a, b in pairs])

    # --- what is driven

    def conversions(self, x: Tensor) -> tuple[list[Conversion], Bools, tuple[int, ...]]:
        """Return what is driven for an input tensor.

        Returns:
            conversions: With units of shape (M, G, K).
            near: Inputs near a threshold of a DAC or of a pulse, shape (M, original groups, K).
            lead: Shape of the M axis.
        """
        geometry = self.product.geometry
        x = geometry.before(np.asarray(x, np.float64))
        codes, near = self.drive.codes(x, self.eps)
        vectors, lead = geometry.vectors(codes)
        levels = None
        if self.drive.encoding == "stochastic":
            where = self.trial, self.product.index, x.shape[1:], geometry.is_conv
            tensors = thresholds(self.settings, *where)
            levels = np.stack(
                [geometry.vectors(np.broadcast_to(level, x.shape))[0] for level in tensors]
            )[..., self.order]
        driven, close = self.drive.conversions(vectors[..., self.order], levels)
        near_vectors = geometry.vectors(near)[0][..., self.order] | close
        packed = [conversion.map(self.packed.pack_vectors) for conversion in driven]
        return packed, near_vectors, lead

    def counted(self, volts: Floats) -> Floats:
        """Return what voltages count as on arrays that were made linear, in V."""
        if self.point is None:
            return volts
        f = curve_of(self.settings).f
        if f is None:
            return volts
        at = float(f(np.array(self.point.volt)))
        return np.asarray(self.point.volt * f(volts) / at)

    def driven(self, sent: Pass, p: int, q: int) -> Floats:
        """Return what the rows of a tile are driven at in a pass, as it counts, in V, (G, M, K_p)."""
        units = sent.units.transpose(1, 0, 2)[:, :, self.rows[p]]
        wrong = units
        if self.dac_errors is not None:
            gain = self.dac_errors.gain[p][:, q, None, :]
            offset = self.dac_errors.offset[p][:, q, None, :]
            wrong = (1 + gain) * self.dac_errors.wrong(units) + offset
        if self.drive.encoding == "pulse_width":  # lengths of pulses, all of them at v_read
            v_read = np.array(self.settings["input"]["v_read"])
            ahead, back = self.counted(v_read) / v_read, self.counted(-v_read) / -v_read
            return np.asarray(np.where(units < 0, back, ahead) * sent.volt * wrong)
        if self.settings["crossbar"]["topology"] == "input_gated":
            wrong = np.where(units == 0, 0.0, wrong)
        return self.counted(sent.volt * wrong)

    def operating_point(self, x: Floats) -> Point | None:
        """Find where the arrays are made linear, from the layer's inputs in the float network."""
        gated = self.settings["crossbar"]["topology"] == "input_gated"
        if self.settings["device"]["iv"]["form"] == "linear" and not gated:
            return None
        v_read = float(self.settings["input"]["v_read"])
        codes, near = self.drive.codes(x, self.eps)
        self.calibration_risk += int(near.sum())
        if self.drive.encoding == "stochastic":
            amplitude = {**self.settings["input"], "encoding": "amplitude"}
            amplitude = {**self.settings, "input": amplitude}
            drive = replace(self.drive, settings=amplitude)
        else:
            drive = self.drive
        volts = [sent.volt * sent.units for c in drive.conversions(codes)[0] for sent in c.passes]
        if self.drive.encoding in ("stochastic", "pulse_width"):  # the share of the time at v_read
            shares = np.abs(volts) / v_read
            if self.drive.encoding == "stochastic":  # no value has more than every pulse
                shares = np.minimum(shares, 1.0)
            square, activity = v_read**2 * shares.mean(), float(shares.mean())
        else:
            square, activity = np.square(volts).mean(), float(np.mean(np.array(volts) != 0))
        if gated:
            return Point(v_read, activity or 1.0)
        return Point(float(np.sqrt(square)) or v_read)

    # --- what is read

    def currents(self, conversion: Conversion) -> Currents:
        """Return the analog sum of the currents of a conversion's passes, in A."""
        return self._sum(conversion, self.matrices, lambda v: v)

    def bulk_currents(self, conversion: Conversion) -> Currents:
        """Return the currents with every subtraction turned into an addition."""
        return self._sum(conversion, self.bulk, np.abs)

    def _sum(
        self, conversion: Conversion, matrices: Currents, change: Callable[[Floats], Floats]
    ) -> Currents:
        m = conversion.passes[0].units.shape[0]
        total = matrices.map(lambda a: np.zeros((*a.shape[:-2], m, a.shape[-1])))
        for sent in conversion.passes:
            for p in range(len(self.rows)):
                for q, tile in enumerate(self.outputs):
                    v = change(sent.weight * self.driven(sent, p, q))
                    total.main[p][..., tile] += v @ matrices.main[p][..., tile]
                    for into, g in zip(
                        total.reference[p : p + 1], matrices.reference[p : p + 1], strict=True
                    ):
                        into[..., q : q + 1] += v @ g[..., q : q + 1]
        return total.summed() if self.settings["adc"]["where"] == "per_layer" else total

    def listed_ranges(self) -> list[float]:
        """Return what shares a range once, in A: pass by pass, then as the scope says.

        By slice of a layer; by row tile, group, column tile and slice; or by row tile, group and
        readout (the slices and sides of an output after another, then the reference columns).
        """
        held = [] if self.ranges is None else self.ranges
        return [float(part[at].flat[0]) for (part, at), *_ in self._range_parts(held)]

    def range_numbers(self) -> list[Currents]:
        """Return for every range its place in `listed_ranges`, with M = 1."""
        assert self.ranges is not None
        numbers = [
            limits.map(lambda part: np.zeros(part.shape, np.int64)) for limits in self.ranges
        ]
        for number, shared in enumerate(self._range_parts(numbers)):
            for part, at in shared:
                part[at] = number
        return numbers

    def _range_parts(self, held: list[Currents]) -> Iterator[list[tuple[Tensor, Any]]]:
        """Yield for each range the arrays and the places in them that it stands at."""
        scope = self.settings["adc"]["scope"]
        here: Tensor = np.asarray(self.packed.present.any(axis=1))
        every = slice(None)
        for ranges in held:
            digits, n_sides = range(ranges.main[0].shape[0]), range(ranges.main[0].shape[1])
            if scope == "layer":
                yield from ([(a, (s,)) for a in [*ranges.main, *ranges.reference]] for s in digits)
                continue
            for p, main in enumerate(ranges.main):
                beside = ranges.reference[p : p + 1]
                for g in range(main.shape[2]):
                    if scope == "tile":
                        for q, tile in enumerate(self.outputs):
                            for s in digits if here[g, tile].any() else ():
                                columns = (main, (s, every, g, every, tile))
                                yield [columns, *((a, (s, g, every, q)) for a in beside)]
                        continue
                    for n in np.flatnonzero(here[g]):
                        yield from ([(main, (s, r, g, every, n))] for s in digits for r in n_sides)
                    for reference in beside:
                        for q in range(len(self.outputs)):
                            yield from ([(reference, (s, g, every, q))] for s in digits)

    def forward(self, x: Tensor, *, open_adc: bool = False) -> tuple[Floats, Bools, Floats]:
        """Return the layer's output for an input tensor.

        Returns:
            y: Output with bias, before activation.
            risky: Where a value behind y came within ``eps`` of a threshold.
            size: Sum of the absolute values of what was added up to y.
        """
        conversions, near_input, lead = self.conversions(x)
        groups, _, outputs = self.packed.weights.shape
        shape = (groups, near_input.shape[0], outputs)
        total, risky, size = np.zeros(shape), np.zeros(shape, dtype=bool), np.zeros(shape)
        readers = Readers(self)
        for number, conversion in enumerate(conversions):
            read, bulk = self.currents(conversion), self.bulk_currents(conversion)
            near = read.map(lambda current: np.zeros(current.shape, dtype=bool))
            if self.ranges is not None and not open_adc:
                tables = self.range_numbers()[number] if self.adc_steps else None
                limits, signed = self.ranges[number], conversion.signed
                read, near = readers.read(read, bulk, limits, signed, tables)
            total += conversion.weight * self._value(read, -1)
            largest = each(lambda a, b, *_: np.maximum(np.abs(a), b), read, bulk)
            size += abs(conversion.weight) * self._value(largest, 1)
            risky |= self._value_risk(near)
        removed = self._removed(conversions)
        y = self._tensor(total - removed, lead) + self.product.bias
        near_any = np.asarray(near_input.any(axis=2))[:, :, None]
        unpacked = self.packed.unpack_results(risky.transpose(1, 0, 2)) | near_any
        size = self._tensor(size + np.abs(removed), lead) + np.abs(self.product.bias)
        return y, self.product.geometry.tensor(unpacked, lead), size

    def _tensor(self, results: Floats, lead: tuple[int, ...]) -> Floats:
        """Return the output tensor of results of shape (G, M, N)."""
        unpacked = self.packed.unpack_results(results.transpose(1, 0, 2))
        return self.product.geometry.tensor(unpacked, lead)

    def _decode(self, p: int) -> Floats:
        """Return output units per ampere in row tile p, shape (S, 1, G, 1, N)."""
        factors = cells.weight_per_conductance(self.settings) * self.drive.input_per_volt
        return np.asarray(factors[:, None, None, None, None] * self.w_max[p][:, None, :])

    def _value(self, read: Currents, sign: int) -> Floats:
        """Return what converted currents are worth, minus (sign -1) or plus, shape (G, M, N)."""
        parts = [self._tile_value(read, p, sign) for p in range(len(read.main))]
        return np.asarray(np.sum(parts, axis=0))

    def _tile_value(self, read: Currents, p: int, sign: int) -> Floats:
        """Return what the converted currents of one row tile are worth, shape (G, M, N)."""
        main = read.main[p]
        side = np.array([1, sign])[: main.shape[1], None, None, None]
        value: Floats = (side * main * self._decode(p)).sum(axis=(0, 1))
        if read.reference:
            spread = read.reference[p][..., self.column_tiles][:, None]
            value = value + sign * (spread * self._decode(p)).sum(axis=(0, 1))
        return value

    def _value_risk(self, near: Currents) -> Bools:
        """Return which outputs (G, M, N) rest on a risky conversion."""
        risky: Tensor = np.any([main.any(axis=(0, 1)) for main in near.main], axis=0)
        for reference in near.reference:
            risky = risky | np.asarray(reference.any(axis=0))[..., self.column_tiles]
        return risky

    def _removed(self, conversions: list[Conversion]) -> Floats:
        """Return the digital offsets of weights and inputs in output units, shape (G, M, N).

        Both are computed: of nominal levels without wires, and of the voltages that codes stand for.
        """
        parts = [self._tile_removed(conversions, p) for p in range(len(self.rows))]
        return np.asarray(np.sum(parts, axis=0))

    def _tile_removed(self, conversions: list[Conversion], p: int) -> Floats:
        """Return the digital offsets of one row tile, shape (G, M, N)."""
        volts = np.sum([conversion.volts for conversion in conversions], axis=0)
        offset, rows = self.drive.code_offset * self.drive.volt, self.rows[p]
        target, zero = self.cells[p][..., rows, :], self.zero[:, None, None, None]
        ideal = target[:, 0] - zero
        if target.shape[1] == 2:
            ideal = target[:, 0] - target[:, 1]
        present = self.packed.present[:, rows].astype(np.float64)
        current = offset * (ideal * present).sum(axis=2)[:, :, None, :]
        if self.settings["mapping"]["scheme"] == "offset" and not places.has_reference(
            self.settings
        ):
            if self.settings["mapping"]["unused_cells"] != "open":
                present = np.ones(present.shape)
            driven = volts.transpose(1, 0, 2)[:, :, rows] @ present
            current = current + zero * driven
        return np.asarray((current * self._decode(p)[:, 0]).sum(axis=0))

    def partial_sums(self, x: Tensor) -> tuple[Floats, Bools]:
        """Return what each row tile adds to the products of an input tensor.

        Returns:
            sums: Shape (P, M, original groups, outputs of a group); P is 1 with one conversion a layer.
            risky: Which input vectors have a value near a threshold, shape (M,).
        """
        conversions, near_input, _ = self.conversions(x)
        readers, risky = Readers(self), np.asarray(near_input.any(axis=(1, 2)))
        sums: list[Tensor] = []
        for number, conversion in enumerate(conversions):
            read = self.currents(conversion)
            if self.ranges is not None:
                bulk, limits = self.bulk_currents(conversion), self.ranges[number]
                read, near = readers.read(read, bulk, limits, conversion.signed, None)
                risky |= np.asarray(self._value_risk(near).any(axis=(0, 2)))
            worth = [self._tile_value(read, p, -1) for p in range(len(read.main))]
            sums.append(conversion.weight * np.stack(worth))
        total = np.sum(sums, axis=0)
        removed = np.stack([self._tile_removed(conversions, p) for p in range(len(self.rows))])
        total -= removed if len(total) == len(removed) else removed.sum(axis=0)
        return np.stack([self.packed.unpack_results(t.transpose(1, 0, 2)) for t in total]), risky

    def exact_partial_sums(self, x: Tensor) -> Floats:
        """Return the products of the float weights' rows of each row tile, shaped likewise."""
        geometry = self.product.geometry
        vectors, _ = geometry.vectors(geometry.before(np.asarray(x, np.float64)))
        packed = self.packed.pack_vectors(vectors[..., self.order]).transpose(1, 0, 2)
        sums = [packed[..., k] @ self.packed.weights[:, k] for k in self.rows]
        if self.settings["adc"]["where"] == "per_layer":
            sums = [np.sum(sums, axis=0)]
        return np.stack([self.packed.unpack_results(t.transpose(1, 0, 2)) for t in sums])
