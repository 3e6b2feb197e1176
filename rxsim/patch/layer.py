"""One layer's patch: DAC, the product with each conversion's matrix, ADC, decoding, sum, bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rxsim.converters import Dac
from rxsim.load import Layer
from rxsim.patch.builder import GraphBuilder
from rxsim.patch.hardware import LayerHardware


@dataclass(frozen=True, slots=True, eq=False)
class LayerPatch:
    """What replaces a layer's node.

    Attributes:
        nodes: in order; the last one makes the layer's output.
        constants: what they read.
        currents: name of each conversion's current before its ADC (in LSB; ampere where open);
            empty where the conversions are not kept apart.
    """

    nodes: list[onnx.NodeProto]
    constants: list[onnx.TensorProto]
    currents: tuple[str, ...]


def patch_layer(
    hardware: LayerHardware,
    known: dict[str, onnx.TensorProto],
    taken: set[str],
    codes: dict[tuple[str, Dac], str],
    *,
    split: bool,
) -> LayerPatch:
    """Write the nodes of one layer.

    Args:
        hardware: the layer's analog form.
        known: the graph's constants by name.
        taken: tensor names in use; extended.
        codes: DAC results already in the graph by input and DAC; extended.
        split: keep the conversions apart (and in ampere) even without ADCs, to measure them.
    """
    layer = hardware.layer
    build = GraphBuilder(layer.name, taken)
    dtype = int(helper.np_dtype_to_tensor_dtype(layer.dtype))
    drive = codes.get((layer.input, hardware.dac))
    if drive is None:
        drive = _add_dac(build, layer.input, hardware.dac, dtype)
        codes[(layer.input, hardware.dac)] = drive
    bias = _add_bias_constant(build, layer, known, dtype)
    measurable = hardware.adc is not None or split
    if not measurable:
        hardware = hardware.summed
    raw = [
        _add_product(build, hardware, p, drive, hardware.adc is None and split)
        for p in range(len(hardware.rows))
    ]
    total = _add_conversion(build, hardware, raw, split)
    if bias:
        total = build.add("Add", [total, bias], "biased")
    if dtype == TensorProto.FLOAT:
        build.nodes[-1].output[0] = layer.output
    else:
        build.add("Cast", [total], "result", layer.output, to=dtype)
    return LayerPatch(build.nodes, build.constants, tuple(raw) if measurable else ())


def _add_dac(build: GraphBuilder, source: str, dac: Dac, dtype: int) -> str:
    """Turn activations into codes (or into shares of x_max where there is no converter)."""
    if dtype != TensorProto.FLOAT:
        source = build.add("Cast", [source], "input", to=TensorProto.FLOAT)
    codes = build.add("Mul", [source, build.scalar("dac_scale", dac.code_per_x)], "dac_scaled")
    if dac.low is None or dac.high is None:
        return codes
    bounds = [build.scalar("dac_low", dac.low), build.scalar("dac_high", dac.high)]
    codes = build.add("Clip", [codes, *bounds], "dac_clipped")
    return build.add("Round", [codes], "dac_codes")


def _add_product(
    build: GraphBuilder, hardware: LayerHardware, p: int, drive: str, in_ampere: bool
) -> str:
    """Multiply the codes of one conversion's rows by its matrix; the unit is its LSB or ampere."""
    layer, rows = hardware.layer, hardware.rows[p]
    matrix = hardware.matrices[p] * hardware.dac.volt_per_code
    if hardware.adc is not None:
        matrix = matrix / hardware.adc.lsb[p][:, None, :]
    part = f"current_{p}" if hardware.adc is not None or in_ampere else "product"
    if layer.op == "Conv":
        return _add_conv(build, layer, rows, matrix, drive, part)
    drive = _take(build, drive, rows, layer.n_inputs, -1, f"rows_{p}")
    order = np.argsort(rows, kind="stable")
    weight = build.constant(f"matrix_{p}", matrix[0][order].astype(np.float32))
    return build.add("MatMul", [drive, weight], part)


def _add_conv(
    build: GraphBuilder, layer: Layer, rows: np.ndarray, matrix: np.ndarray, drive: str, part: str
) -> str:
    """A Conv over the channels that the rows touch, its kernel zero where no row lies."""
    positions = int(np.prod(layer.kernel))
    channels = layer.n_inputs // positions
    touched = np.unique(rows // positions)
    place = np.searchsorted(touched, rows // positions) * positions + rows % positions
    kernel = np.zeros((layer.groups, layer.n_outputs, len(touched) * positions), dtype=np.float32)
    kernel[:, :, place] = matrix.transpose(0, 2, 1)
    kernel = kernel.reshape(layer.groups * layer.n_outputs, len(touched), *layer.kernel)
    wanted = (np.arange(layer.groups)[:, None] * channels + touched[None, :]).ravel()
    drive = _take(build, drive, wanted, layer.groups * channels, 1, f"channels_{part}")
    weight = build.constant(f"kernel_{part}", kernel)
    kept = {item.name: helper.get_attribute_value(item) for item in layer.node.attribute}
    return build.add("Conv", [drive, weight], part, **kept)


def _take(
    build: GraphBuilder, source: str, wanted: np.ndarray, total: int, axis: int, part: str
) -> str:
    """Take some indices of an axis in ascending order: nothing for all, a Slice, or a Gather."""
    indices = np.sort(wanted)
    if len(indices) == total:
        return source
    if indices[-1] - indices[0] + 1 == len(indices):
        bounds = [
            build.constant(f"{part}_{name}", np.asarray([value], dtype=np.int64))
            for name, value in (("start", indices[0]), ("end", indices[-1] + 1), ("axis", axis))
        ]
        return build.add("Slice", [source, *bounds], part)
    return build.add("Gather", [source, build.constant(f"{part}_index", indices)], part, axis=axis)


def _add_conversion(
    build: GraphBuilder, hardware: LayerHardware, raw: list[str], split: bool
) -> str:
    """Convert each current, decode and add: decoded after the sum where one factor serves all."""
    if hardware.adc is None and not split:
        return raw[0]
    factors = hardware.decode
    if hardware.adc is not None:
        factors = factors * hardware.adc.lsb
        raw = _add_adcs(build, raw, hardware.adc.steps)
    if (factors == factors[0]).all():
        total = build.add("Sum", raw, "sum") if len(raw) > 1 else raw[0]
        return build.add("Mul", [total, _factor(build, hardware.layer, factors[0], "")], "decoded")
    decoded = [
        build.add(
            "Mul", [codes, _factor(build, hardware.layer, factors[p], f"_{p}")], f"decoded_{p}"
        )
        for p, codes in enumerate(raw)
    ]
    return build.add("Sum", decoded, "sum")


def _add_adcs(build: GraphBuilder, raw: list[str], steps: int) -> list[str]:
    bounds = [build.scalar("adc_low", -steps), build.scalar("adc_high", steps)]
    codes = []
    for p, current in enumerate(raw):
        clipped = build.add("Clip", [current, *bounds], f"clipped_{p}")
        codes.append(build.add("Round", [clipped], f"codes_{p}"))
    return codes


def _factor(build: GraphBuilder, layer: Layer, factors: np.ndarray, suffix: str) -> str:
    """Add the decoding factors of one conversion: a scalar, or one for each output."""
    if (factors == factors.flat[0]).all():
        return build.scalar(f"decode{suffix}", factors.flat[0])
    vector = factors.reshape(-1, *(1 for _ in layer.kernel)).astype(np.float32)
    return build.constant(f"decode{suffix}", vector)


def _add_bias_constant(
    build: GraphBuilder, layer: Layer, known: dict[str, onnx.TensorProto], dtype: int
) -> str:
    """Return the name of what is added to the decoded sum in float32; empty where nothing is."""
    name = layer.node.input[2] if len(layer.node.input) > 2 else ""
    if not name:
        return ""
    beta = next((item.f for item in layer.node.attribute if item.name == "beta"), 1.0)
    if name in known:
        value = numpy_helper.to_array(known[name]).astype(np.float64) * beta
        if layer.op == "Conv":
            value = value.reshape(-1, *(1 for _ in layer.kernel))
        return build.constant("bias", value.astype(np.float32))
    if dtype != TensorProto.FLOAT:
        name = build.add("Cast", [name], "bias_input", to=TensorProto.FLOAT)
    if layer.op == "Conv":
        shape = build.constant("bias_shape", np.asarray([-1] + [1] * len(layer.kernel)))
        return build.add("Reshape", [name, shape], "bias_shaped")
    return (
        build.add("Mul", [name, build.scalar("beta", beta)], "bias_scaled") if beta != 1 else name
    )
