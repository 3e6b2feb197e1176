"""From codes to outputs: readouts weighted and summed, offsets of inputs and cells removed.

A layer whose output is a single readout of a single pass is decoded in float32; where row tiles share
a factor, codes are summed first. Everything else adds up in float64. Where all factors are whole
multiples of the smallest, the sum is in whole LSBs, which is exact up to 2^53; as far as it is exact up
to 2^24, passes add up in float32, which takes half the memory and time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from rxsim.onnx_graph import GraphBuilder, take_range
from rxsim.operators import Layer
from rxsim.patch.hardware import LayerHardware

_EXACT = 2.0**24  # float32 holds every whole number up to here
_WHOLE_TO = 2.0**53  # and float64 up to here
_WHOLE = 1e-9  # factors this near to whole multiples of the smallest factor are made whole


def add_decoding(build: GraphBuilder, hardware: LayerHardware, codes: list[str]) -> str:
    """Decode a plain layer, whose outputs are a readout of a pass each.

    Args:
        build: takes the nodes.
        hardware: the layer; without ADCs the codes are ampere.
        codes: a tensor for each row tile.
    """
    factors = hardware.scale * hardware.input_plan.passes[0].weight
    if hardware.adc is not None:
        factors = factors * hardware.adc.lsb
    layer = hardware.layer
    if (factors == factors[0]).all():
        total = _sum_of_products(build, hardware, codes, "sum")
        return build.add("Mul", [total, _factor(build, layer, factors[0], "decode")], "decoded")
    decoded = [
        build.add("Mul", [code, _factor(build, layer, factors[p], f"decode_{p}")], f"decoded_{p}")
        for p, code in enumerate(codes)
    ]
    return _sum_of_products(build, hardware, decoded, "sum")


def add_exact_decoding(
    build: GraphBuilder, hardware: LayerHardware, codes: list[str], driven: list[str]
) -> str:
    """Decode passes, slices and what is removed digitally, in float64.

    Args:
        build: takes the nodes.
        hardware: the layer; without ADCs the codes are ampere.
        codes: a tensor for each conversion, pass by pass.
        driven: the tensor of units that each pass drives.
    """
    return _ExactDecoding(build, hardware).add(codes, driven)


@dataclass(frozen=True, slots=True, eq=False)
class _Term:
    """The codes of a pass on row tiles that share its factors.

    Attributes:
        part: name of the pass.
        numbers: of the conversions.
        values: factors, float64 (groups, readouts).
        largest: what the sum of the codes can't exceed, either side.
    """

    part: str
    numbers: list[int]
    values: np.ndarray
    largest: float

    @property
    def is_whole(self) -> bool:
        """Whether all factors are whole numbers that float64 tells from their neighbours."""
        return bool(
            (self.values == np.rint(self.values)).all() and np.abs(self.values).max() < _WHOLE_TO
        )


class _ExactDecoding:
    def __init__(self, build: GraphBuilder, hardware: LayerHardware) -> None:
        self._build = build
        self._hardware = hardware
        self._tiles = len(hardware.rows)
        weights = np.repeat([step.weight for step in hardware.input_plan.passes], self._tiles)
        shape = (len(weights), hardware.tiling.groups, hardware.readouts.count)
        lsb = np.ones(shape) if hardware.adc is None else hardware.adc.lsb
        self._unit = float(lsb.min())
        values = weights[:, None, None] * lsb / self._unit
        whole = np.rint(values)
        near = np.abs(values - whole) <= _WHOLE * np.maximum(np.abs(values), 1)
        self._values = np.where(near, whole, values).reshape(-1, self._tiles, *shape[1:])

    def add(self, codes: list[str], driven: list[str]) -> str:
        """Add the nodes; return the name of the float32 output."""
        scale, constant = self._hardware.scale, self._hardware.constant
        together = bool((scale == scale[0]).all())
        groups = [list(range(self._tiles))] if together else [[p] for p in range(self._tiles)]
        parts = []
        for tiles in groups:
            name = "" if together else f"_{tiles[0]}"
            total = self._outputs(self._readouts(codes, tiles, name), name)
            if self._hardware.removed:
                total = self._build.add(
                    "Sub", [total, self._removed(driven, tiles, name)], f"net{name}"
                )
            factor = self._vector(scale[tiles[0]] * self._unit, f"scale{name}")
            parts.append(self._build.add("Mul", [total, factor], f"scaled{name}"))
        result = self._build.add_in_turn(parts, "scaled_sum")
        if constant is not None:
            known = self._vector((constant * scale).sum(axis=0), "constant")
            result = self._build.add("Sub", [result, known], "less_constant")
        return self._build.add("Cast", [result], "exact_sum", to=TensorProto.FLOAT)

    def _readouts(self, codes: list[str], tiles: list[int], name: str) -> str:
        """Sum passes and row tiles into readouts, float64, in units."""
        terms: list[_Term] = []
        for number, values in enumerate(self._values):
            same = (values[tiles] == values[tiles[0]]).all()
            for summed in [tiles] if same else [[p] for p in tiles]:
                numbers = [number * self._tiles + p for p in summed]
                part = f"pass_{number}_{summed[0]}"
                terms.append(_Term(part, numbers, values[summed[0]], self._largest(numbers)))
        runs = [self._run(codes, run) for run in _exact_runs(terms)]
        return self._build.add_in_turn(runs, f"readouts{name}")

    def _largest(self, numbers: list[int]) -> float:
        """Return what a sum of codes can't exceed; infinite where codes are not whole."""
        adc = self._hardware.adc
        if adc is None or adc.levels is not None:
            return np.inf
        return float(np.maximum(-adc.low[numbers], adc.high[numbers]).sum())

    def _run(self, codes: list[str], run: list[_Term]) -> str:
        """Sum terms, exactly in float32 where there are several, into a float64 tensor."""
        build, step, summed = self._build, _step_of(run), []
        for term in run:
            names = [codes[number] for number in term.numbers]
            # Codes are whole and of few bits: their sum over tiles is exact in float32.
            total = _sum_of_products(build, self._hardware, names, f"{term.part}_sum")
            values = term.values / step
            if len(run) > 1 and (values != 1).any():
                factor = _factor(build, self._hardware.layer, values, f"{term.part}_factor")
                total = build.add("Mul", [total, factor], f"{term.part}_weighted")
            summed.append(total)
        first = run[0].part
        total = build.add_in_turn(summed, f"{first}_exact")
        wide = build.add("Cast", [total], f"{first}_wide", to=TensorProto.DOUBLE)
        if len(run) > 1:
            if step == 1:
                return wide
            return build.add("Mul", [wide, self._number(step, f"{first}_step")], f"{first}_total")
        factor = self._vector(run[0].values, f"{first}_factor")
        return build.add("Mul", [wide, factor], f"{first}_weighted")

    def _outputs(self, total: str, name: str) -> str:
        """Sum the terms of each output."""
        readouts, groups = self._hardware.readouts, self._hardware.tiling.groups
        axis = self._hardware.layer.channel_axis
        terms = []
        for t, (place, weight) in enumerate(zip(readouts.places, readouts.weights, strict=True)):
            index = (np.arange(groups)[:, None] * readouts.count + place).ravel()
            term = total
            if not (len(index) == groups * readouts.count and (np.diff(index) == 1).all()):
                where = self._build.constant(f"term_{t}_index{name}", index)
                term = self._build.add("Gather", [total, where], f"term_{t}{name}", axis=axis)
            if weight != 1:
                factor = self._number(float(weight), f"term_{t}_weight{name}")
                term = self._build.add("Mul", [term, factor], f"term_{t}_weighted{name}")
            terms.append(term)
        return self._build.add_in_turn(terms, f"outputs{name}")

    def _removed(self, driven: list[str], tiles: list[int], name: str) -> str:
        """Compute what an offset of the cells adds: a conductance times the sum of the voltages."""
        hardware, groups = self._hardware, self._hardware.tiling.groups
        rows = np.concatenate([hardware.rows[p] for p in tiles])
        columns = 1 if groups == 1 else hardware.tiling.n_outputs
        ones = np.ones((groups, len(rows), columns))
        terms = []
        for number, (step, tensor) in enumerate(
            zip(hardware.input_plan.passes, driven, strict=True)
        ):
            part = f"sum_{number}{name}"
            total = hardware.add_product(self._build, tensor, rows, ones, part)
            wide = self._build.add("Cast", [total], f"{part}_wide", to=TensorProto.DOUBLE)
            siemens = step.weight * step.volt * hardware.removed / self._unit
            factor = self._number(siemens, f"{part}_factor")
            terms.append(self._build.add("Mul", [wide, factor], f"{part}_current"))
        return self._build.add_in_turn(terms, f"removed{name}")

    def _number(self, value: float, part: str) -> str:
        return self._build.constant(part, np.asarray(value, dtype=np.float64))

    def _vector(self, values: np.ndarray, part: str) -> str:
        """Add float64 factors, (groups, columns), or one number where all are equal."""
        if (values == values.flat[0]).all():
            return self._number(float(values.flat[0]), part)
        shaped = self._hardware.layer.along_channels(values)
        return self._build.constant(part, shaped.astype(np.float64))


def _exact_runs(terms: list[_Term]) -> list[list[_Term]]:
    """Deal terms out into runs of neighbours; the sum of several is exact in float32."""
    runs: list[list[_Term]] = []
    for term in terms:
        if runs and _is_exact([*runs[-1], term]):
            runs[-1].append(term)
        else:
            runs.append([term])
    return runs


def _is_exact(run: list[_Term]) -> bool:
    """Tell whether float32 holds every sum of some terms, in multiples of their step."""
    if not all(term.is_whole for term in run):
        return False
    largest = sum(float(np.abs(term.values).max()) * term.largest for term in run)
    return largest / _step_of(run) <= _EXACT


def _step_of(run: list[_Term]) -> float:
    """Return the largest power of two that divides all factors of several terms; 1 for a single one."""
    if len(run) == 1:
        return 1.0
    common = int(
        np.gcd.reduce([np.gcd.reduce(term.values.astype(np.int64).ravel()) for term in run])
    )
    return float(common & -common)


def _sum_of_products(
    build: GraphBuilder, hardware: LayerHardware, products: list[str], part: str
) -> str:
    """Sum float32 products of row tiles.

    Codes are added one after the other. Currents stay in a node Sum: a runtime may join an Add to the
    product before it, which rounds otherwise.
    """
    if hardware.adc is not None or len(products) == 1:
        return build.add_in_turn(products, part)
    return build.add("Sum", products, part)


def cut_surplus(build: GraphBuilder, hardware: LayerHardware, result: str) -> str:
    """Cut off the outputs of a block's empty places, which no group of the layer fills."""
    wanted = hardware.layer.n_channels
    if hardware.tiling.groups * hardware.tiling.n_outputs == wanted:
        return result
    return take_range(build, result, 0, wanted, hardware.layer.channel_axis, "outputs")


def _factor(build: GraphBuilder, layer: Layer, factors: np.ndarray, part: str) -> str:
    """Add float32 factors of a conversion: a scalar, or one for each channel."""
    if (factors == factors.flat[0]).all():
        return build.scalar(part, factors.flat[0])
    return build.constant(part, layer.along_channels(factors).astype(np.float32))
