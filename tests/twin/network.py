"""A network whose layers are on crossbars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from twin import cells, errors, places
from twin.arrays import Bools, Floats, Tensor
from twin.chip import programmed
from twin.circuit import effective
from twin.graph import Graph
from twin.layer import Layer, Solve
from twin.products import Product, find_products
from twin.ranges import ranges
from twin.readers import Readers
from twin.settings import Settings, complete, of_layer


@dataclass
class Network:
    """A network with its crossbar layers, as one chip computes it.

    Attributes:
        graph: The network with BatchNormalization folded.
        products: All mappable layers by name, digital ones included.
        layers: The layers on crossbars by name, in topological order.
    """

    graph: Graph
    products: dict[str, Product]
    layers: dict[str, Layer]

    @property
    def calibration_risk(self) -> int:
        """How many values of the calibration came near a threshold."""
        return sum(layer.calibration_risk for layer in self.layers.values())

    def run(self, x: Tensor, *, open_adc: bool = False) -> Floats:
        """Return the first output of the network for prepared inputs, shape (B, ...)."""

        def apply(name: str, value: Floats) -> Floats:
            layer = self.layers.get(name)
            if layer is None:
                return self.products[name].exact(value)
            return layer.forward(value, open_adc=open_adc)[0]

        return self.graph.run(x, self.products, apply)

    def run_float(self, x: Tensor) -> Floats:
        """Return the first output of the float64 network without crossbars, shape (B, ...)."""
        return self.graph.run(
            x, self.products, lambda name, value: self.products[name].exact(value)
        )


def build(
    model: onnx.ModelProto,
    given: Mapping[str, Any],
    calibration: Tensor,
    trial: int | None = None,
    *,
    on_float_inputs: bool = False,
) -> Network:
    """Map a network onto crossbars, calibrate its converters and make one chip.

    Args:
        model: The network, with one input.
        given: Settings, nested; what is left out has its default.
        calibration: Prepared network inputs, shape (B, ...).
        trial: Number of the chip; None for nominal devices and converters (with chip 0's pulses).
        on_float_inputs: ADCs are calibrated on what the float network brings to each layer, as where
            compensation brings outputs back to it.
    """
    settings = complete(given)
    graph = Graph(model)
    graph.fold_batch_norms()
    products = find_products(graph)
    layers = {}
    for name, product in products.items():
        layer_settings = of_layer(settings, name)
        if layer_settings is not None:
            layers[name] = _layer(product, layer_settings)
    network = Network(graph, products, layers)
    _measure_inputs(network, calibration)
    for layer in layers.values():
        layer.place()
        layer.install(layer.arrays, _solver(layer))
    if any(layer.settings["adc"]["n_bits"] is not None for layer in layers.values()):
        _calibrate(network, calibration, on_float_inputs=on_float_inputs)
    if trial is not None:
        for layer in layers.values():
            _make(layer, trial)
    return network


def _layer(product: Product, settings: Settings) -> Layer:
    """Return a layer with its weights in place and nothing on its arrays yet."""
    order = np.arange(product.weights.shape[1])
    if settings["mapping"]["row_order"] == "kernel_major":
        order = order.reshape(-1, product.geometry.positions).T.ravel()
    packed = places.pack(product.weights[:, order], settings)
    split = settings["mapping"]["split"]
    rows = places.parts(packed.weights.shape[1], settings["crossbar"]["rows"], split)
    outputs = places.parts(packed.weights.shape[2], places.capacity(settings), split)
    w_max = cells.weight_ranges(packed.weights, packed.present, rows, outputs, settings)
    return Layer(product, settings, packed, order, rows, outputs, w_max)


def _solver(layer: Layer) -> Solve:
    def solve(array: Floats, driven: Bools) -> Floats:
        return effective(array, layer.settings, driven, layer.point)

    return solve


def _measure_inputs(network: Network, calibration: Tensor) -> None:
    """Set every layer's x_max, signedness and operating point from the float network's inputs."""

    def measure(name: str, x: Floats) -> Floats:
        layer = network.layers.get(name)
        if layer is not None:
            percentile = layer.settings["input"]["percentile"]
            layer.x_max = float(np.percentile(np.abs(x), percentile)) or 1.0
            layer.signed = bool(x.min() < 0)
            layer.point = layer.operating_point(x)
        return network.products[name].exact(x)

    network.graph.run(calibration, network.products, measure)


def _calibrate(network: Network, calibration: Tensor, *, on_float_inputs: bool) -> None:
    """Set the ranges of every layer's ADCs, with nominal devices and converters, every ADC open."""

    def measure(name: str, x: Floats) -> Floats:
        layer = network.layers.get(name)
        if layer is None:
            return network.products[name].exact(x)
        if layer.settings["adc"]["n_bits"] is not None:
            conversions, near, _ = layer.conversions(x)
            layer.calibration_risk += int(near.sum())
            measured = [layer.currents(conversion) for conversion in conversions]
            bulk = [layer.bulk_currents(conversion) for conversion in conversions]
            layer.ranges = ranges(layer, conversions, measured, bulk)
        if on_float_inputs:
            return network.products[name].exact(x)
        return layer.forward(x, open_adc=True)[0]

    network.graph.run(calibration, network.products, measure)


def _make(layer: Layer, trial: int) -> None:
    """Program a chip's arrays and draw its converters' errors and pulses."""
    index, settings = layer.product.index, layer.settings
    arrays = [
        programmed(array, blank, settings, trial, (index, layer.product.name), number)
        for number, (array, blank) in enumerate(zip(layer.arrays, layer.blank, strict=True))
    ]
    if any(np.any(a != b) for a, b in zip(arrays, layer.arrays, strict=True)):
        layer.arrays = arrays
        layer.install(arrays, _solver(layer))
    layer.trial = trial
    shape = (layer.packed.weights.shape[0], len(layer.outputs))
    rows = [part.size for part in layer.rows]
    layer.dac_errors = errors.dac_errors(
        settings, trial, index, shape, rows, layer.drive.curve_codes
    )
    layer.adc_errors = Readers(layer).draw(trial)
