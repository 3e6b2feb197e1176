"""One layer's patch: what each pass drives, products, ADCs, decoding, bias."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rxsim.load import Layer
from rxsim.patch.builder import GraphBuilder
from rxsim.patch.curves import AdcCurves
from rxsim.patch.decode import add_decoding, add_exact_decoding, cut_surplus
from rxsim.patch.drive import DriveNodes
from rxsim.patch.hardware import LayerHardware
from rxsim.patch.product import add_product


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
    drives: DriveNodes,
    *,
    split: bool,
) -> LayerPatch:
    """Write the nodes of one layer.

    Args:
        hardware: the layer's analog form.
        known: the graph's constants by name.
        taken: tensor names in use; extended.
        drives: what is in the graph already of what passes drive; extended.
        split: keep the conversions apart (and in ampere) even without ADCs, to measure them.
    """
    layer = hardware.layer
    build = GraphBuilder(layer.name, taken)
    dtype = int(helper.np_dtype_to_tensor_dtype(layer.dtype))
    # The passes of a curved drive do not add up to one: their currents stay apart.
    measurable = hardware.adc is not None or split or hardware.drive.is_curved
    if not measurable:
        hardware = hardware.summed
    driven = [
        drives.passed(build, layer.input, hardware.drive.dac, one, dtype, hardware.pulses)
        for one in hardware.drive.passes
    ]
    raw = [
        _add_current(build, hardware, number, p, drive, measurable)
        for number, drive in enumerate(driven)
        for p in range(len(hardware.rows))
    ]
    codes = raw if hardware.adc is None else _add_adcs(build, hardware, raw)
    if not measurable:
        total = _add_summed_constant(build, hardware, raw[0])
    elif hardware.is_plain:
        total = add_decoding(build, hardware, codes)
    else:
        nominal = driven
        if hardware.removed and hardware.drive.is_curved:
            plain = [replace(one, curve=None) for one in hardware.drive.passes]
            dac = hardware.drive.dac
            nominal = [drives.passed(build, layer.input, dac, one, dtype) for one in plain]
        total = add_exact_decoding(build, hardware, codes, nominal)
    total = cut_surplus(build, hardware, total)
    bias = _add_bias_constant(build, layer, known, dtype)
    if bias:
        total = build.add("Add", [total, bias], "biased")
    if dtype == TensorProto.FLOAT:
        build.nodes[-1].output[0] = layer.output
    else:
        build.add("Cast", [total], "result", layer.output, to=dtype)
    return LayerPatch(build.nodes, build.constants, tuple(raw) if measurable else ())


def _add_current(
    build: GraphBuilder,
    hardware: LayerHardware,
    number: int,
    p: int,
    drive: str,
    measurable: bool,
) -> str:
    """Add the readouts of one pass on one row tile: in LSB, or ampere where there is no converter."""
    one = hardware.drive.passes[number]
    k = number * len(hardware.rows) + p
    matrix = hardware.matrices[p] * (one.volt * one.gain)
    added = matrix.sum(axis=1) * one.counted_rest if one.counted_rest else None
    if hardware.offsets is not None:
        driven = hardware.offsets[p] * (one.volt * one.gain * one.offsets)
        added = driven if added is None else added + driven
    part = f"current_{k}" if measurable else "product"
    place = (build, hardware.layer, hardware.tiling, drive, hardware.rows[p])
    if hardware.adc is None:
        return add_product(*place, matrix, part, added=added)
    first = hardware.drive.passes[0]
    if number and one.volt * one.gain == first.volt * first.gain:
        ratio = hardware.adc.per_ampere(k) / hardware.adc.per_ampere(p)
        if (ratio != 1).any():
            # One matrix for all passes, in the first one's LSB: networks may not exceed 2 GiB.
            shared, _ = hardware.adc.in_lsb(p, matrix, None)
            _, added = hardware.adc.in_lsb(k, matrix, added)
            product = add_product(*place, shared, f"driven_{k}")
            return _add_ratio(build, hardware, product, ratio, added, part)
    matrix, added = hardware.adc.in_lsb(k, matrix, added)
    return add_product(*place, matrix, part, added=added)


def _add_ratio(
    build: GraphBuilder,
    hardware: LayerHardware,
    product: str,
    ratio: np.ndarray,
    added: np.ndarray | None,
    part: str,
) -> str:
    """Bring a product from the first pass's LSB to its own, and add what stands on top."""
    shape = [-1] + [1] * len(hardware.layer.kernel)
    scale = build.constant(f"ratio_{part}", ratio.astype(np.float32).reshape(shape))
    if added is None:
        return build.add("Mul", [product, scale], part)
    scaled = build.add("Mul", [product, scale], f"scaled_{part}")
    constant = build.constant(f"added_{part}", added.astype(np.float32).reshape(shape))
    return build.add("Add", [scaled, constant], part)


def _add_adcs(build: GraphBuilder, hardware: LayerHardware, raw: list[str]) -> list[str]:
    """Convert every current: saturate and round, ties to even."""
    adc = hardware.adc
    assert adc is not None
    bounds: dict[int, str] = {}
    for side in (*adc.low, *adc.high):
        if int(side) not in bounds:
            bounds[int(side)] = build.scalar(f"adc_bound_{len(bounds)}", int(side))
    curves = AdcCurves.of(build, hardware)
    codes = []
    for k, current in enumerate(raw):
        low, high = bounds[int(adc.low[k])], bounds[int(adc.high[k])]
        if curves is not None:
            current = curves.bent(k, current, low, high)
        clipped = build.add("Clip", [current, low, high], f"clipped_{k}")
        codes.append(build.add("Round", [clipped], f"codes_{k}"))
    return codes


def _add_summed_constant(build: GraphBuilder, hardware: LayerHardware, total: str) -> str:
    """Take off what inputs of 0 would drive on perfect hardware, where there are no converters."""
    if hardware.constant is None:
        return total
    shape = [-1] + [1] * len(hardware.layer.kernel)
    values = hardware.constant[0].reshape(shape).astype(np.float32)
    return build.add("Sub", [total, build.constant("constant", values)], "less_constant")


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
