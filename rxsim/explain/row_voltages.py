"""The mean size of the voltage on each row of a layer over calibration inputs of the float network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.converters import InputVectors, layer_input_plan
from rxsim.encodings import Pass
from rxsim.load import Layer
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline import Foundry
from rxsim.session import Session, over_batches

# Assumption: means over so many inputs and all their positions tell rows apart well enough.
_INPUTS = 32


def row_voltages(foundry: Foundry) -> dict[str, np.ndarray]:
    """Run the float network once, and average what drives each row, DACs nominal.

    The mean is over inputs, positions of windows (places that are padded included) and passes, each
    pass by the size of its weight. Sizes are averaged, so that inputs of both signs do not cancel. The
    units that an input of 0 drives count: circuits meet them.

    Args:
        foundry: knows the study and its layers under a scenario.

    Returns:
        By layer name, volt, float64 (groups * n_inputs,), packed groups apart; 0 where no calibration
        input reaches the layer.

    Raises:
        ModelError: the float network can't be run.
    """
    study, mapped = foundry.study, foundry.mapped
    layers = [item.layer for item in mapped.layers]
    if not layers:
        return {}
    names = list(dict.fromkeys(layer.input for layer in layers))
    model = with_outputs(study.network.model, names)
    session = Session(model, "the float network", study.network.fixed_batch)
    meters = {layer.name: _RowMeter(layer, foundry) for layer in layers}

    def work(start: int, stop: int) -> Mapping[str, np.ndarray]:
        results = session.run_inputs(study.calibration, names, start, stop)
        return dict(zip(names, results, strict=True))

    with study.stages("row voltages") as progress:
        for tensors in over_batches(
            work,
            min(_INPUTS, len(study.calibration)),
            session.fixed_batch or study.batch,
            session.in_flight(study.threads),
            progress,
        ):
            for layer in layers:
                if tensors[layer.input].size:  # not in a branch that this batch does not take
                    meters[layer.name].add(tensors[layer.input])
    return {name: meter.means() for name, meter in meters.items()}


class _RowMeter:
    """Averages what drives the rows of a layer."""

    def __init__(self, layer: Layer, foundry: Foundry) -> None:
        settings = foundry.mapped.settings[layer.name]
        self._layer = layer
        self._plan = layer_input_plan(layer.name, foundry.mapped.input_ranges[layer.name], settings)
        encoding = self._plan.encoding
        pulses = encoding.distinct(self._plan.pulses)
        weights = np.array([abs(pulse.weight) for pulse in pulses])
        self._shares = list(zip(weights / weights.sum(), pulses, strict=True))
        self._sums = np.zeros(layer.groups * layer.n_inputs)
        self._count = 0

    def add(self, values: np.ndarray) -> None:
        """Take in a batch of the layer's input tensor."""
        codes = self._plan.dac.codes(values)
        resting = sum(share * abs(self._volts(pulse, np.array(pulse.rest)))
                      for share, pulse in self._shares)  # fmt: skip
        # Padding of a window holds what an input of 0 drives, so that is left out until the end.
        sizes = -resting * np.ones(codes.shape)
        for share, pulse in self._shares:
            sizes += share * np.abs(self._volts(pulse, pulse.units.of(codes)))
        inputs = 1
        if self._layer.channel_axis == 1:  # windows lie alike on all inputs of a batch
            inputs, sizes = len(sizes), sizes.mean(axis=0, keepdims=True)
        vectors = InputVectors(self._layer, sizes)
        rows = np.arange(len(self._sums))
        size = max(_MOST_VALUES // max(len(rows), 1), 1)
        for start in range(0, vectors.positions, size):
            positions = np.arange(start, min(start + size, vectors.positions))
            part = vectors.at(rows, np.ones(len(rows)), positions) + resting
            self._sums += inputs * part.sum(axis=0)
        self._count += inputs * vectors.positions

    def means(self) -> np.ndarray:
        """Return the mean of each row, volt."""
        return self._sums / max(self._count, 1)

    def _volts(self, pulse: Pass, units: np.ndarray) -> np.ndarray:
        return self._plan.encoding.mean_volts(pulse, units, self._plan.codes)


# Values gathered at once.
_MOST_VALUES = 2**20
