"""A slow, plain numpy twin of the crossbar model, written from MODEL.md alone.

It covers differential one-sided pairs subtracted before one conversion, amplitude-encoded bipolar
inputs and ideal converters, on networks of 2-D Conv, Gemm and MatMul layers with constant weights;
every other node runs digitally in ``onnx.reference``. All arithmetic is float64. Axes are named
B (batch), M (input vectors: batch times output positions), G (groups), K (matrix rows),
N (outputs of one group), P (row tiles), Q (column tiles).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Settings = dict[str, dict]
Programmed = Callable[[int, int], Floats]
Wires = Callable[[Floats, float, float, float, float], Floats]
Apply = Callable[["TwinLayer", Floats], Floats]

_RELATIVE_EPS = 4e-6  # of a code: what float32 arithmetic may be off by
_SUPPORTED = {
    ("mapping", "scheme"): ("differential",),
    ("mapping", "balance"): ("one_sided",),
    ("mapping", "subtract"): ("analog",),
    ("mapping", "w_max_scope"): ("layer", "tile", "column"),
    ("mapping", "row_order"): ("channel_major", "kernel_major"),
    ("mapping", "split"): ("fill",),
    ("mapping", "unused_cells"): ("g_off", "open"),
    ("mapping", "weight_bits"): (None,),
    ("mapping", "bits_per_cell"): (None,),
    ("input", "encoding"): ("amplitude",),
    ("input", "signed_input"): ("bipolar",),
    ("adc", "where"): ("per_tile", "per_layer"),
    ("adc", "range"): ("calibrated", "full_scale"),
    ("adc", "scope"): ("layer", "tile", "column"),
    **{(s, k): (0,) for s in ("dac", "adc") for k in ("gain_sigma", "offset_sigma", "inl", "dnl")},
}


@dataclass(frozen=True)
class Geometry:
    """How a layer's input tensor becomes input vectors and its results an output tensor.

    Attributes:
        is_conv: 2-D convolution, else the last axis is the input vector.
        groups: Number of groups G; 1 for Gemm and MatMul.
        kernel: Kernel height and width.
        strides: Strides of the two axes.
        dilations: Dilations of the two axes.
        pads: Padding (top, left, bottom, right), used where auto_pad is NOTSET.
        auto_pad: NOTSET, VALID, SAME_UPPER or SAME_LOWER.
    """

    is_conv: bool
    groups: int = 1
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    auto_pad: str = "NOTSET"

    def vectors(self, x: NDArray) -> tuple[NDArray, tuple[int, ...]]:
        """Return the input vectors of a tensor; padding is 0 (or False).

        Args:
            x: Layer input, shape (B, C, H, W) for a convolution, else (..., K).

        Returns:
            vectors: Shape (M, G, K), rows in channel-major order.
            lead: Shape of the M axis, (B, out_h, out_w) or (...).
        """
        if not self.is_conv:
            return x.reshape(-1, 1, x.shape[-1]), x.shape[:-1]
        batch, channels, height, width = x.shape
        top, bottom, out_h = self._axis(0, height)
        left, right, out_w = self._axis(1, width)
        padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
        patches = np.zeros((batch, out_h, out_w, channels, *self.kernel), dtype=x.dtype)
        for a in range(self.kernel[0]):
            for b in range(self.kernel[1]):
                first_h, first_w = a * self.dilations[0], b * self.dilations[1]
                seen = padded[:, :, first_h :: self.strides[0], first_w :: self.strides[1]]
                patches[..., a, b] = seen[:, :, :out_h, :out_w].transpose(0, 2, 3, 1)
        lead = (batch, out_h, out_w)
        rows = channels // self.groups * self.kernel[0] * self.kernel[1]
        return patches.reshape(batch * out_h * out_w, self.groups, rows), lead

    def tensor(self, y: NDArray, lead: tuple[int, ...]) -> NDArray:
        """Return the output tensor of per-vector results.

        Args:
            y: Results, shape (M, G, N).
            lead: Shape of the M axis.

        Returns:
            Shape (B, G*N, out_h, out_w) for a convolution, else (..., N).
        """
        joined = y.reshape(*lead, y.shape[1] * y.shape[2])
        return joined.transpose(0, 3, 1, 2) if self.is_conv else joined

    def _axis(self, axis: int, size: int) -> tuple[int, int, int]:
        """Return the padding before and after one axis and its output length."""
        stride = self.strides[axis]
        extent = (self.kernel[axis] - 1) * self.dilations[axis] + 1
        before, after = self.pads[axis], self.pads[axis + 2]
        if self.auto_pad == "VALID":
            before = after = 0
        elif self.auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            total = max((ceil(size / stride) - 1) * stride + extent - size, 0)
            small, large = total // 2, total - total // 2
            before, after = (small, large) if self.auto_pad == "SAME_UPPER" else (large, small)
        return before, after, (size + before + after - extent) // stride + 1


@dataclass
class TwinLayer:
    """One layer on crossbars.

    Attributes:
        name: The layer's name.
        index: Number of the layer among the mappable ones, in topological order.
        geometry: How tensors become input vectors and back.
        weights: Weights of each group, shape (G, K, N), rows in channel-major order.
        bias: Digital bias, broadcastable to the output tensor.
        settings: The settings.
        x_max: Largest input, in input units.
        signed: True where inputs span [-x_max, x_max], else [0, x_max].
        row_indices: Per row tile, the channel-major row k that each array row holds, shape (K_p,).
        conductances: Programmed arrays in S by array number, each (n_rows, n_cols).
        matrices: Per row tile, plus minus minus of g_eff in S, shape (G, K_p, N).
        decode: Per row tile, weight x input units per ampere, shape (G, N).
        adc_range: Per row tile, largest current in A, shape (G, N); None without a calibrated or
            computed range. With ``per_layer`` all row tiles hold the same range, of their sum.
        eps: Distance to a rounding threshold, in LSB, below which a conversion is risky.
        ties_risky: Whether a DAC input exactly on a threshold (in float64) counts as risky too.
    """

    name: str
    index: int
    geometry: Geometry
    weights: Floats
    bias: Floats
    settings: Settings
    x_max: float = 1.0
    signed: bool = False
    row_indices: list[Ints] = field(default_factory=list)
    conductances: list[Floats] = field(default_factory=list)
    matrices: list[Floats] = field(default_factory=list)
    decode: list[Floats] = field(default_factory=list)
    adc_range: list[Floats] | None = None
    eps: float = 1e-4
    ties_risky: bool = True

    def forward(self, x: NDArray) -> tuple[Floats, Bools]:
        """Return the layer's output for any input tensor.

        Args:
            x: Layer input, shape (B, C, H, W) or (..., K).

        Returns:
            y: Output with bias, before activation, shape as the layer's output.
            risky: True where a DAC input or an ADC conversion behind y came within ``eps`` of a
                rounding threshold, shape as y.
        """
        volts, near = self._dac(np.asarray(x, dtype=np.float64))
        vectors, lead = self.geometry.vectors(volts)
        near_vectors, _ = self.geometry.vectors(near)
        currents = self.currents(vectors, self.matrices)
        read, near_adc = self._adc(currents)
        risky = near_adc | near_vectors.any(axis=2)[:, :, None]
        return self.output(read, lead), self.geometry.tensor(risky, lead)

    def open_adc(self, x: Floats, matrices: list[Floats]) -> tuple[list[Floats], Floats]:
        """Return the currents behind every ADC and the output without ADCs.

        Args:
            x: Layer input, shape (B, C, H, W) or (..., K).
            matrices: Per row tile, conductances in S, shape (G, K_p, N).

        Returns:
            currents: Per row tile, currents in A, shape (M, G, N).
            y: Output with bias, before activation.
        """
        vectors, lead = self.geometry.vectors(self._dac(x)[0])
        currents = self.currents(vectors, matrices)
        return currents, self.output(currents, lead)

    def exact(self, x: Floats) -> Floats:
        """Return the layer's float64 output for an input tensor, without any crossbar."""
        vectors, lead = self.geometry.vectors(x)
        return self.geometry.tensor(_grouped_product(vectors, self.weights), lead) + self.bias

    def currents(self, volts: Floats, matrices: list[Floats]) -> list[Floats]:
        """Return the differential bitline currents of every row tile.

        Args:
            volts: Input voltages in V, shape (M, G, K), rows in channel-major order.
            matrices: Per row tile, conductances in S, shape (G, K_p, N).

        Returns:
            Per row tile, currents in A, shape (M, G, N).
        """
        tiles = zip(self.row_indices, matrices, strict=True)
        return [_grouped_product(volts[:, :, k], matrix) for k, matrix in tiles]

    def output(self, currents: list[Floats], lead: tuple[int, ...]) -> Floats:
        """Decode and add the currents (A, each (M, G, N)) of the row tiles, then the bias."""
        parts = [i * factor for i, factor in zip(currents, self.decode, strict=True)]
        return self.geometry.tensor(np.sum(parts, axis=0), lead) + self.bias

    def _dac(self, x: Floats) -> tuple[Floats, Bools]:
        """Return the voltages in V of inputs and where they lie near a threshold, shape as x."""
        v_read, n_bits = self.settings["input"]["v_read"], self.settings["dac"]["n_bits"]
        if n_bits is None:
            return v_read * x / self.x_max, np.zeros(x.shape, dtype=bool)
        steps = _steps(n_bits, self.signed)
        lowest = -steps if self.signed else 0
        code = x / self.x_max * steps
        near = near_threshold(code, lowest, steps, self.eps, self.ties_risky)
        return v_read * np.clip(np.rint(code), lowest, steps) / steps, near

    def _adc(self, currents: list[Floats]) -> tuple[list[Floats], Bools]:
        """Return the converted currents, and where any conversion behind an output was risky.

        ``per_layer`` adds the row tiles first and returns the one conversion as the first row
        tile's, with zeros for the others: their decoding factors are equal.
        """
        near = np.zeros(currents[0].shape, dtype=bool)
        if self.adc_range is None:
            return currents, near
        if self.settings["adc"]["where"] == "per_layer":
            zeros = [np.zeros_like(i) for i in currents[1:]]
            read, near = self._convert(np.sum(currents, axis=0), self.adc_range[0])
            return [read, *zeros], near
        read_all = []
        for current, limit in zip(currents, self.adc_range, strict=True):
            read, near_tile = self._convert(current, limit)
            read_all.append(read)
            near = near | near_tile
        return read_all, near

    def _convert(self, current: Floats, limit: Floats) -> tuple[Floats, Bools]:
        """Return the read values in A of currents (M, G, N) for ranges (G, N), and the risk."""
        steps = _steps(self.settings["adc"]["n_bits"], signed=True)
        lsb = limit / steps
        code = current / lsb
        near = near_threshold(code, -steps, steps, self.eps, ties_risky=True)
        return np.clip(np.rint(code), -steps, steps) * lsb, near


@dataclass
class Twin:
    """A network with its crossbar layers.

    Attributes:
        graph: The network with BatchNormalization folded.
        layers: The crossbar layers by name, in topological order.
    """

    graph: "Graph"
    layers: dict[str, TwinLayer]

    def run(self, x: NDArray) -> Floats:
        """Return the first output of the network for prepared inputs, shape (B, ...)."""
        return self.graph.run(x, self.layers, lambda layer, value: layer.forward(value)[0])

    def run_float(self, x: NDArray) -> Floats:
        """Return the first output of the float64 network without crossbars, shape (B, ...)."""
        return self.graph.run(x, self.layers, TwinLayer.exact)


class Graph:
    """An ONNX graph as nodes and constants, all floats in float64.

    Attributes:
        nodes: Nodes in topological order, each with a name; Constant nodes left out.
        constants: Initializers and Constant nodes by name.
        input: Name of the network's input.
        output: Name of the network's first output.
        opsets: The model's operator sets.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.opsets = list(model.opset_import)
        self.constants: dict[str, NDArray] = {
            tensor.name: _as_float64(numpy_helper.to_array(tensor))
            for tensor in model.graph.initializer
        }
        self.nodes: list[onnx.NodeProto] = []
        for original in model.graph.node:
            node = onnx.NodeProto()
            node.CopyFrom(original)
            node.name = node.name or node.output[0]
            if node.op_type == "Constant":
                self.constants.update(self._evaluate(node, {}))
            else:
                self.nodes.append(node)
        (self.input,) = (i.name for i in model.graph.input if i.name not in self.constants)
        self.output = model.graph.output[0].name
        self._kept = {o.name for o in model.graph.output}

    def fold_batch_norms(self) -> None:
        """Fold every BatchNormalization that alone reads a Conv's output into that Conv."""
        producers = {name: node for node in self.nodes for name in node.output}
        readers = [name for node in self.nodes for name in node.input]
        for norm in [n for n in self.nodes if n.op_type == "BatchNormalization"]:
            conv = producers.get(norm.input[0])
            if conv is None or conv.op_type != "Conv" or conv.input[1] not in self.constants:
                continue
            if _attributes(norm).get("training_mode", 0):
                continue
            if readers.count(norm.input[0]) > 1 or norm.input[0] in self._kept:
                continue
            self._fold(conv, norm)
            self.nodes.remove(norm)

    def _fold(self, conv: onnx.NodeProto, norm: onnx.NodeProto) -> None:
        """Put scale and shift of a BatchNormalization into a Conv, which takes over its output."""
        gamma, beta, mean, variance = (self.constants[name] for name in norm.input[1:5])
        scale = gamma / np.sqrt(variance + _attributes(norm).get("epsilon", 1e-5))
        weight = self.constants[conv.input[1]]
        bias = self.constants[conv.input[2]] if len(conv.input) > 2 and conv.input[2] else 0.0
        weight_name, bias_name = f"{conv.name}/folded_weight", f"{conv.name}/folded_bias"
        self.constants[weight_name] = weight * scale[:, None, None, None]
        self.constants[bias_name] = (bias - mean) * scale + beta
        inputs = [conv.input[0], weight_name, bias_name]
        del conv.input[:]
        conv.input.extend(inputs)
        conv.output[0] = norm.output[0]

    def run(self, x: NDArray, layers: dict[str, TwinLayer], apply: Apply) -> Floats:
        """Run the network with ``apply(layer, input)`` in place of each layer's node.

        Args:
            x: Prepared network input, shape (B, ...).
            layers: The layers by node name.
            apply: Returns a layer's output tensor from its input tensor.

        Returns:
            The network's first output.
        """
        values: dict[str, NDArray] = {**self.constants, self.input: np.asarray(x, np.float64)}
        for node in self.nodes:
            if node.name in layers:
                values[node.output[0]] = apply(layers[node.name], values[node.input[0]])
            else:
                values.update(self._evaluate(node, values))
        return values[self.output]

    def _evaluate(self, node: onnx.NodeProto, values: dict[str, NDArray]) -> dict[str, NDArray]:
        """Return the outputs of one node, evaluated by ``onnx.reference``."""
        names = [name for name in dict.fromkeys(node.input) if name]
        outputs = [name for name in node.output if name]
        graph = helper.make_graph(
            [node],
            "one_node",
            [helper.make_tensor_value_info(name, 0, None) for name in names],
            [helper.make_tensor_value_info(name, 0, None) for name in outputs],
        )
        evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=self.opsets))
        results = evaluator.run(None, {name: values[name] for name in names})
        return {name: _as_float64(np.asarray(y)) for name, y in zip(outputs, results, strict=True)}


def build(
    model: onnx.ModelProto,
    settings: Settings,
    calibration: NDArray,
    programmed: Programmed | None = None,
    g_eff: Wires | None = None,
) -> Twin:
    """Map a network onto crossbars and calibrate its converters.

    Args:
        model: The network, with one input.
        settings: Complete settings with the keys of MODEL.md section 9, devices in S.
        calibration: Prepared network inputs, shape (B, ...).
        programmed: Returns the programmed conductances in S, (n_rows, n_cols), of (layer index,
            array index); None for the nominal levels.
        g_eff: Returns the effective conductances of (g, r_wire_wl, r_wire_bl, r_driver, r_sense);
            None for ideal wires.

    Returns:
        The network on crossbars.
    """
    _check(settings)
    graph = Graph(model)
    graph.fold_batch_norms()
    layers = find_layers(graph, settings)
    measure_inputs(graph, layers, calibration)
    nominal: dict[str, list[Floats]] = {}
    for layer in layers.values():
        layer.row_indices = row_tiles(layer)
        w_max = weight_ranges(layer)
        layer.decode = decode_factors(layer, w_max)
        layer.conductances = nominal_arrays(layer, w_max)
        if programmed is None or needs_calibration(settings):
            nominal[layer.name] = effective_matrices(layer, layer.conductances, g_eff)
    calibrate_adcs(graph, layers, nominal, calibration)
    for layer in layers.values():
        if programmed is None:
            layer.matrices = nominal[layer.name]
        else:
            count = len(layer.conductances)
            layer.conductances = [programmed(layer.index, array) for array in range(count)]
            layer.matrices = effective_matrices(layer, layer.conductances, g_eff)
    return Twin(graph, layers)


def find_layers(graph: Graph, settings: Settings) -> dict[str, TwinLayer]:
    """Return the mappable layers of a graph by name, in topological order."""
    layers: dict[str, TwinLayer] = {}
    for node in graph.nodes:
        if node.op_type in ("ConvTranspose", "LSTM", "GRU", "RNN"):
            raise ValueError(f"{node.op_type} is outside of the twin's subset")
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in graph.constants:
            continue
        if node.op_type == "MatMul" and graph.constants[node.input[1]].ndim != 2:
            continue
        if node.name in layers:
            raise ValueError(f"two layers are named {node.name!r}")
        make = _conv_layer if node.op_type == "Conv" else _dense_layer
        layers[node.name] = make(node, graph.constants, len(layers), settings)
    return layers


def _conv_layer(
    node: onnx.NodeProto, constants: dict[str, NDArray], index: int, settings: Settings
) -> TwinLayer:
    """Return the layer of a 2-D Conv node."""
    weight = constants[node.input[1]]
    if weight.ndim != 4:
        raise ValueError("only 2-D convolutions are in the twin's subset")
    given = _attributes(node)
    groups = given.get("group", 1)
    outputs = weight.shape[0] // groups
    geometry = Geometry(
        is_conv=True,
        groups=groups,
        kernel=weight.shape[2:],
        strides=tuple(given.get("strides", (1, 1))),
        dilations=tuple(given.get("dilations", (1, 1))),
        pads=tuple(given.get("pads", (0, 0, 0, 0))),
        auto_pad=given.get("auto_pad", b"NOTSET").decode(),
    )
    matrices = [weight[g * outputs : (g + 1) * outputs] for g in range(groups)]
    weights = np.stack([w.reshape(outputs, -1).T for w in matrices])
    bias = np.zeros(weight.shape[0])
    if len(node.input) > 2 and node.input[2]:
        bias = constants[node.input[2]]
    return TwinLayer(node.name, index, geometry, weights, bias[:, None, None], settings)


def _dense_layer(
    node: onnx.NodeProto, constants: dict[str, NDArray], index: int, settings: Settings
) -> TwinLayer:
    """Return the layer of a Gemm node or of a MatMul node with a constant right operand."""
    weight = constants[node.input[1]]
    given = _attributes(node)
    if given.get("transA", 0) or any(name not in constants for name in node.input[2:] if name):
        raise ValueError("Gemm with transA or a computed bias is outside of the twin's subset")
    if given.get("transB", 0):
        weight = weight.T
    bias = np.zeros(1)
    if len(node.input) > 2 and node.input[2]:
        bias = given.get("beta", 1.0) * constants[node.input[2]]
    weights = (given.get("alpha", 1.0) * weight)[None]
    return TwinLayer(node.name, index, Geometry(is_conv=False), weights, bias, settings)


def measure_inputs(graph: Graph, layers: dict[str, TwinLayer], calibration: NDArray) -> None:
    """Set every layer's x_max and signedness from the float network's layer inputs."""

    def measure(layer: TwinLayer, x: Floats) -> Floats:
        percentile = layer.settings["input"]["percentile"]
        layer.x_max = float(np.percentile(np.abs(x), percentile)) or 1.0
        layer.signed = bool(x.min() < 0)
        return layer.exact(x)

    graph.run(calibration, layers, measure)


def row_tiles(layer: TwinLayer) -> list[Ints]:
    """Return the channel-major rows k that each row tile holds, in the order of its array rows."""
    rows, n_rows = layer.weights.shape[1], layer.settings["crossbar"]["rows"]
    order = np.arange(rows)
    if layer.settings["mapping"]["row_order"] == "kernel_major":
        positions = layer.geometry.kernel[0] * layer.geometry.kernel[1]
        order = order.reshape(rows // positions, positions).T.reshape(rows)
    return [order[first : first + n_rows] for first in range(0, rows, n_rows)]


def weight_ranges(layer: TwinLayer) -> list[Floats]:
    """Return w_max of each weight's scope, per row tile, shape (G, N)."""
    mapping, n_cols = layer.settings["mapping"], layer.settings["crossbar"]["cols"]
    size, (groups, _, outputs) = np.abs(layer.weights), layer.weights.shape
    ranges = []
    for rows in layer.row_indices:
        w_max = np.zeros((groups, outputs))
        for g in range(groups):
            for n in range(outputs):
                scope = size
                if mapping["w_max_scope"] == "column":
                    scope = size[g, :, n]
                elif mapping["w_max_scope"] == "tile":
                    first = n // n_cols * n_cols
                    scope = size[g, rows, first : first + n_cols]
                w_max[g, n] = np.percentile(scope, mapping["w_percentile"]) or 1.0
        ranges.append(w_max)
    return ranges


def decode_factors(layer: TwinLayer, w_max: list[Floats]) -> list[Floats]:
    """Return weight x input units per ampere, per row tile, shape (G, N)."""
    device = layer.settings["device"]
    span = layer.settings["input"]["v_read"] * (device["g_on"] - device["g_off"])
    return [w * layer.x_max / span for w in w_max]


def nominal_arrays(layer: TwinLayer, w_max: list[Floats]) -> list[Floats]:
    """Return the nominal arrays in S, (n_rows, n_cols) each, in the order of array numbers."""
    crossbar, device = layer.settings["crossbar"], layer.settings["device"]
    shape = (crossbar["rows"], crossbar["cols"])
    resting = 0.0 if layer.settings["mapping"]["unused_cells"] == "open" else device["g_off"]
    arrays = []
    for g in range(layer.weights.shape[0]):
        for rows, ranges in zip(layer.row_indices, w_max, strict=True):
            share = np.clip(layer.weights[g][rows] / ranges[g], -1.0, 1.0)
            for first in range(0, share.shape[1], shape[1]):
                tile = share[:, first : first + shape[1]]
                for part in (np.maximum(tile, 0.0), np.maximum(-tile, 0.0)):
                    array = np.full(shape, resting)
                    array[: tile.shape[0], : tile.shape[1]] = nominal_level(part, device)
                    arrays.append(array)
    return arrays


def nominal_level(share: Floats, device: dict) -> Floats:
    """Return the nearest level in S of shares 0..1 of the range from g_off to g_on."""
    levels = device.get("n_levels")
    if levels is None and device.get("n_bits") is not None:
        levels = 2 ** device["n_bits"]
    if levels is not None:
        share = np.rint(share * (levels - 1)) / (levels - 1)
    return device["g_off"] + share * (device["g_on"] - device["g_off"])


def effective_matrices(layer: TwinLayer, arrays: list[Floats], g_eff: Wires | None) -> list[Floats]:
    """Return plus minus minus of the effective conductances of a layer's arrays.

    Args:
        layer: The layer.
        arrays: Conductances in S by array number, (n_rows, n_cols) each.
        g_eff: Effective conductances of an array and its wires; None for ideal wires.

    Returns:
        Per row tile, conductances in S, shape (G, K_p, N).
    """
    crossbar = layer.settings["crossbar"]
    groups, _, outputs = layer.weights.shape
    n_cols, p_count = crossbar["cols"], len(layer.row_indices)
    q_count = ceil(outputs / n_cols)
    matrices = [np.zeros((groups, rows.size, outputs)) for rows in layer.row_indices]
    for g in range(groups):
        for p in range(p_count):
            for q in range(q_count):
                number = ((g * p_count + p) * q_count + q) * 2
                plus = effective_array(arrays[number], crossbar, g_eff)
                minus = effective_array(arrays[number + 1], crossbar, g_eff)
                columns = slice(q * n_cols, min((q + 1) * n_cols, outputs))
                rows, used = layer.row_indices[p].size, columns.stop - columns.start
                matrices[p][g, :, columns] = (plus - minus)[:rows, :used]
    return matrices


def effective_array(g: Floats, crossbar: dict, g_eff: Wires | None) -> Floats:
    """Return the effective conductances in S of one array, shape (n_rows, n_cols)."""
    cells = g / (1.0 + g * crossbar["r_access"])
    if g_eff is None:
        return cells
    wires = (crossbar[key] for key in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"))
    return g_eff(cells, *wires)


def needs_calibration(settings: Settings) -> bool:
    """Return whether the ADCs' ranges come from calibration currents."""
    return settings["adc"]["n_bits"] is not None and settings["adc"]["range"] == "calibrated"


def calibrate_adcs(
    graph: Graph,
    layers: dict[str, TwinLayer],
    nominal: dict[str, list[Floats]],
    calibration: NDArray,
) -> None:
    """Set every layer's ADC ranges, with nominal arrays, DACs on and every ADC open."""

    def measure(layer: TwinLayer, x: Floats) -> Floats:
        currents, y = layer.open_adc(x, nominal[layer.name])
        layer.adc_range = calibrated_ranges(layer, currents)
        return y

    for layer in layers.values():
        if layer.settings["adc"]["n_bits"] is not None:
            layer.adc_range = full_scale_ranges(layer)
    if any(needs_calibration(layer.settings) for layer in layers.values()):
        graph.run(calibration, layers, measure)


def full_scale_ranges(layer: TwinLayer) -> list[Floats]:
    """Return the full-scale ADC ranges in A, per row tile, shape (G, N)."""
    crossbar, device = layer.settings["crossbar"], layer.settings["device"]
    groups, _, outputs = layer.weights.shape
    volts = crossbar["rows"] * layer.settings["input"]["v_read"]
    if layer.settings["adc"]["where"] == "per_layer":
        volts *= len(layer.row_indices)
    limit = volts * (device["g_on"] - device["g_off"])
    return [np.full((groups, outputs), limit) for _ in layer.row_indices]


def calibrated_ranges(layer: TwinLayer, currents: list[Floats]) -> list[Floats]:
    """Return ADC ranges from the calibration currents.

    Args:
        layer: The layer.
        currents: Per row tile, currents in A, shape (M, G, N).

    Returns:
        Per row tile, ranges in A, shape (G, N); with ``per_layer`` the same for all row tiles.
    """
    adc, n_cols = layer.settings["adc"], layer.settings["crossbar"]["cols"]
    size = np.abs(np.stack(currents))
    if adc["where"] == "per_layer":
        size = np.abs(np.sum(currents, axis=0))[None]
    parts, _, groups, outputs = size.shape
    ranges = np.zeros((parts, groups, outputs))
    if adc["scope"] == "layer":
        ranges[:] = np.percentile(size, adc["percentile"])
    else:
        width = n_cols if adc["scope"] == "tile" else 1
        for p in range(parts):
            for g in range(groups):
                for first in range(0, outputs, width):
                    scope = size[p, :, g, first : first + width]
                    ranges[p, g, first : first + width] = np.percentile(scope, adc["percentile"])
    ranges[ranges == 0] = 1.0
    return [ranges[p % parts] for p in range(len(currents))]


def near_threshold(code: Floats, lowest: int, highest: int, eps: float, ties_risky: bool) -> Bools:
    """Return where unrounded codes lie near a rounding threshold of a saturating converter.

    Args:
        code: Unrounded codes in LSB.
        lowest: Lowest code; there is no threshold below lowest + 1/2.
        highest: Highest code; there is no threshold above highest - 1/2.
        eps: Smallest distance in LSB that is near; 4e-6 of the code where that is more.
        ties_risky: Whether codes exactly on a threshold count.

    Returns:
        Shape as code.
    """
    threshold = np.clip(np.floor(code) + 0.5, lowest + 0.5, highest - 0.5)
    distance = np.abs(code - threshold)
    near = distance <= np.maximum(eps, _RELATIVE_EPS * np.abs(code))
    return near if ties_risky else near & (distance > 0)


def _steps(n_bits: int, signed: bool) -> int:
    """Return the number of steps (a side, where signed) of a converter."""
    steps = 2 ** (n_bits - 1) - 1 if signed else 2**n_bits - 1
    if steps < 1:
        raise ValueError(f"a signed converter of {n_bits} bit has no steps")
    return steps


def _grouped_product(vectors: Floats, matrices: Floats) -> Floats:
    """Return vectors (M, G, K) times matrices (G, K, N), shape (M, G, N)."""
    groups = range(matrices.shape[0])
    return np.stack([vectors[:, g] @ matrices[g] for g in groups], axis=1)


def _attributes(node: onnx.NodeProto) -> dict:
    """Return the attributes of a node."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _as_float64(value: NDArray) -> NDArray:
    """Return floats as float64, anything else as it is."""
    return value.astype(np.float64) if np.issubdtype(value.dtype, np.floating) else value


def _check(settings: Settings) -> None:
    """Refuse settings outside of the twin's subset."""
    for (section, key), allowed in _SUPPORTED.items():
        value = settings[section].get(key, allowed[0])
        if value not in allowed:
            raise ValueError(f"{section}.{key} = {value!r} is outside of the twin's subset")
    if settings.get("layers"):
        raise ValueError("settings for single layers are outside of the twin's subset")
    scopes = (settings["mapping"]["w_max_scope"], settings["adc"]["scope"])
    if settings["adc"]["where"] == "per_layer" and "tile" in scopes:
        raise ValueError("adc.where per_layer has no scope 'tile'")
