"""The mean size of the voltage on each row of a layer over calibration inputs of the float network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.converters import InputVectors, layer_input_plan
from rxsim.encodings import Cells
from rxsim.load import Layer
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline import Foundry
from rxsim.session import Session, over_batches

# Assumption: means over so many inputs and all their positions tell rows apart well enough.
_INPUTS = 32
# Values gathered at once.
_MOST_VALUES = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class RowVoltages:
    """The mean size of what drives each row of a layer: of an input of each group, packed groups apart.

    Attributes:
        applied: the voltage, volt, float64 (groups * n_inputs,).
        counted: what it counts as with the layer's cells, volt, likewise: the same where these are
            linear.
    """

    applied: np.ndarray
    counted: np.ndarray


def row_voltages(foundry: Foundry) -> dict[str, RowVoltages]:
    """Run the float network once, and average what drives each row, DACs nominal.

    The mean is over inputs, positions of windows (places that are padded included) and passes, each
    pass by the size of its weight. Sizes are averaged, so that inputs of both signs do not cancel. The
    units that an input of 0 drives count: circuits meet them.

    Args:
        foundry: knows the study and its layers under a scenario.

    Returns:
        By layer name; 0 where no calibration input reaches the layer.

    Raises:
        ModelError: the float network can't be run.
    """
    study, mapped = foundry.study, foundry.mapped
    layers = [item.layer for item in mapped.layers]
    names = list(dict.fromkeys(layer.input for layer in layers))
    model = with_outputs(study.network.model, names)
    session = Session(model, "the float network", study.network.fixed_batch)
    meters = {layer.name: _RowMeter(layer, foundry) for layer in layers}

    def work(start: int, stop: int) -> dict[str, np.ndarray]:
        results = session.run_inputs(study.calibration, names, start, stop)
        return dict(zip(names, results, strict=True))

    total = min(_INPUTS, len(study.calibration))
    size, threads = session.fixed_batch or study.batch, session.in_flight(study.threads)
    with study.stages("row voltages") as progress:
        for tensors in over_batches(work, total, size, threads, progress):
            for layer in layers:
                if tensors[layer.input].size:  # not in a branch that this batch does not take
                    meters[layer.name].add(tensors[layer.input])
    return {name: meter.means() for name, meter in meters.items()}


def _as_they_are(volts: np.ndarray) -> np.ndarray:
    return volts


class _RowMeter:
    """Averages what drives the rows of a layer."""

    def __init__(self, layer: Layer, foundry: Foundry) -> None:
        mapped = foundry.mapped
        settings = mapped.settings[layer.name]
        self._layer = layer
        self._plan = layer_input_plan(layer.name, mapped.input_ranges[layer.name], settings)
        self._cells: list[Cells] = [_as_they_are]
        if layer.name in mapped.points:
            self._cells.append(mapped.points[layer.name].linear_volts)
        self._sums = np.zeros((len(self._cells), layer.groups * layer.n_inputs))
        self._count = 0

    def add(self, values: np.ndarray) -> None:
        """Take in a batch of the layer's input tensor."""
        codes = self._plan.dac.codes(values)
        inputs = 1
        for cells, sums in zip(self._cells, self._sums, strict=True):
            sizes = self._sizes(codes, cells)
            if self._layer.channel_axis == 1:  # windows lie alike on all inputs of a batch
                inputs, sizes = len(sizes), sizes.mean(axis=0, keepdims=True)
            # A place that a window pads is driven as an input of 0 is.
            resting = float(self._sizes(np.zeros(1), cells)[0])
            vectors = InputVectors(self._layer, sizes - resting)
            sums += inputs * (_sum_of(vectors, len(sums)) + vectors.positions * resting)
        self._count += inputs * vectors.positions

    def means(self) -> RowVoltages:
        """Return the mean of each row."""
        means = self._sums / max(self._count, 1)
        return RowVoltages(means[0], means[-1])

    def _sizes(self, codes: np.ndarray, cells: Cells) -> np.ndarray:
        """Return the mean size of what codes drive over all passes, volt, of their shape."""
        encoding, given = self._plan.encoding, self._plan.codes
        pulses = encoding.distinct(self._plan.pulses)
        total = np.zeros(codes.shape)
        for pulse in pulses:
            volts = encoding.mean_volts(pulse, pulse.units.of(codes), given, cells)
            total += abs(pulse.weight) * np.abs(volts)
        return total / sum(abs(pulse.weight) for pulse in pulses)


def _sum_of(vectors: InputVectors, count: int) -> np.ndarray:
    """Add up all vectors, float64 (count,)."""
    rows, signs, total = np.arange(count), np.ones(count), np.zeros(count)
    size = max(_MOST_VALUES // max(count, 1), 1)
    for start in range(0, vectors.positions, size):
        positions = np.arange(start, min(start + size, vectors.positions))
        total += vectors.at(rows, signs, positions).sum(axis=0)
    return total
