"""A network whose layers are on crossbars of any vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from twin import Graph, TwinLayer, Wires, find_layers, measure_inputs

from rxsim.config import Settings, as_plain
from vocabulary import cells, places
from vocabulary.layer import Layer
from vocabulary.places import Floats
from vocabulary.ranges import ranges

Programmed = Callable[[int, int], Floats]
"""The programmed conductances in S, (n_rows, n_cols), of (layer index, array number)."""


@dataclass
class Network:
    """A network with its crossbar layers.

    Attributes:
        graph: The network with BatchNormalization folded.
        layers: The crossbar layers by name, in topological order.
    """

    graph: Graph
    layers: dict[str, Layer]

    def run(self, x: NDArray, *, open_adc: bool = False) -> Floats:
        """Return the first output of the network for prepared inputs, shape (B, ...)."""

        def apply(base: TwinLayer, value: Floats) -> Floats:
            return self.layers[base.name].forward(value, open_adc=open_adc)[0]

        return self.graph.run(x, {name: each.base for name, each in self.layers.items()}, apply)


def build(
    model: onnx.ModelProto,
    settings: Settings,
    calibration: NDArray,
    programmed: Programmed | None = None,
    g_eff: Wires | None = None,
) -> Network:
    """Map a network onto crossbars and calibrate its converters.

    Args:
        model: The network, with one input.
        settings: All settings; those of single layers are left out of account.
        calibration: Prepared network inputs, shape (B, ...).
        programmed: The chip; None for the nominal levels.
        g_eff: Returns the effective conductances of (g, r_wire_wl, r_wire_bl, r_driver, r_sense);
            None for ideal wires.
    """
    graph = Graph(model)
    graph.fold_batch_norms()
    bases = find_layers(graph, as_plain(settings))
    measure_inputs(graph, bases, calibration)
    network = Network(graph, {name: _layer(base, settings) for name, base in bases.items()})

    def solve(array: Floats) -> Floats:
        bar = settings.crossbar
        linear = array / (1.0 + array * bar.r_access)
        if g_eff is None:
            return linear
        return g_eff(linear, bar.r_wire_wl, bar.r_wire_bl, bar.r_driver, bar.r_sense)

    for layer in network.layers.values():
        layer.place()
        layer.install(layer.arrays, solve)
    if settings.adc.n_bits is not None:
        _calibrate(network, calibration)
    if programmed is not None:
        for layer in network.layers.values():
            count = len(layer.arrays)
            arrays = [programmed(layer.base.index, number) for number in range(count)]
            layer.install(arrays, solve)
    return network


def _layer(base: TwinLayer, settings: Settings) -> Layer:
    """Return a layer with its weights in place and nothing on its arrays yet."""
    order = np.arange(base.weights.shape[1])
    if settings.mapping.row_order == "kernel_major":
        positions = base.geometry.kernel[0] * base.geometry.kernel[1]
        order = order.reshape(-1, positions).T.ravel()
    packed = places.pack(base.weights[:, order], settings)
    split = settings.mapping.split
    rows = places.parts(packed.weights.shape[1], settings.crossbar.rows, split)
    outputs = places.parts(packed.weights.shape[2], places.capacity(settings), split)
    w_max = cells.weight_ranges(packed.weights, packed.present, rows, outputs, settings)
    return Layer(base, settings, packed, order, rows, outputs, w_max)


def _calibrate(network: Network, calibration: NDArray) -> None:
    """Set the ranges of every layer's ADCs, with every ADC open."""

    def measure(base: TwinLayer, x: Floats) -> Floats:
        layer = network.layers[base.name]
        conversions, near, _ = layer.conversions(x)
        layer.calibration_risk = int(near.sum())
        measured = [layer.currents(conversion) for conversion in conversions]
        layer.ranges = ranges(layer, conversions, measured)
        return layer.forward(x, open_adc=True)[0]

    bases = {name: layer.base for name, layer in network.layers.items()}
    network.graph.run(calibration, bases, measure)
