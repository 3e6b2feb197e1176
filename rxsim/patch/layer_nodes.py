"""The nodes of a layer's product on its arrays: voltages of each pass, currents, ADCs, decoding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import helper

from rxsim.encodings import UnitCurve
from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.adc_curves import AdcCurves
from rxsim.patch.adc_steps import AdcSteps
from rxsim.patch.corrections import add_corrections
from rxsim.patch.decode import add_decoding, add_exact_decoding, cut_surplus
from rxsim.patch.fresh_noise import add_fresh_noise
from rxsim.patch.hardware import LayerHardware
from rxsim.patch.input_nodes import InputNodes
from rxsim.patch.read_noise import add_read_noise

_FLOAT_BYTES = 4
# Assumption: copies of a row tile's matrix, one a pass, that are worth the time that they save (a
# tenth); those of all layers of MobileNetV2 on configs/puma.yaml take some gigabytes.
_COPIED_BYTES = 8 * 2**20


def add_layer(
    build: GraphBuilder, hardware: LayerHardware, source: str, inputs: InputNodes, *, split: bool
) -> tuple[str, tuple[str, ...]]:
    """Write the product of a tensor and a layer's matrices.

    Args:
        build: takes the nodes.
        hardware: the layer's analog form.
        source: name of the tensor.
        inputs: tensors of codes and units that the graph has already; extended.
        split: keep the conversions apart (and in ampere) even without ADCs, to measure them.

    Returns:
        The name of the float32 product, and those of the currents before each conversion; none where
        they are not kept apart.
    """
    dtype = int(helper.np_dtype_to_tensor_dtype(hardware.layer.dtype))
    # Curved or noisy passes do not add up to one: their currents stay apart.
    measurable = hardware.adc is not None or split or not hardware.input_plan.adds_up
    measurable = measurable or hardware.noise is not None
    if not measurable:
        hardware = hardware.summed.driven_by_activations
    dac = hardware.input_plan.dac
    driven = [inputs.units(build, source, dac, step, dtype) for step in hardware.input_plan.passes]
    noisy = _add_dac_noise(build, hardware, source, inputs, driven)
    currents = [
        _add_current(build, hardware, number, p, tensor, measurable)
        for number, tensor in enumerate(noisy)
        for p in range(len(hardware.rows))
    ]
    if hardware.noise is not None:
        currents = add_read_noise(build, hardware, hardware.noise, driven, currents)
    codes = currents if hardware.adc is None else _add_adcs(build, hardware, currents)
    if not measurable:
        total = _less_constant(build, hardware, currents[0])
    elif hardware.is_plain:
        total = add_decoding(build, hardware, codes)
    else:
        nominal = driven
        if hardware.removed and hardware.input_plan.is_curved:
            straight = [replace(step, curve=None) for step in hardware.input_plan.passes]
            nominal = [inputs.units(build, source, dac, step, dtype) for step in straight]
        total = add_exact_decoding(build, hardware, codes, nominal)
    total = cut_surplus(build, hardware, total)
    total = add_corrections(build, hardware, source, inputs, total)
    return total, tuple(currents) if measurable else ()


def _add_dac_noise(
    build: GraphBuilder,
    hardware: LayerHardware,
    source: str,
    inputs: InputNodes,
    driven: list[str],
) -> list[str]:
    """Add the noise of the DACs to the units of each pass: what is removed digitally has none."""
    plan = hardware.input_plan
    if not plan.noise:
        return driven
    dtype = int(helper.np_dtype_to_tensor_dtype(hardware.layer.dtype))
    noisy = []
    for number, (tensor, each) in enumerate(zip(driven, plan.noise, strict=True)):
        deviation: float | str = each.drawn.deviation
        if each.slopes is not None:
            table = UnitCurve(each.slopes.lowest, each.slopes.values * each.drawn.deviation)
            deviation = inputs.looked_up(
                build, source, plan.dac, plan.passes[number], dtype, table, f"dac_noise_{number}"
            )
        part = f"noisy_{number}"
        noisy.append(add_fresh_noise(build, tensor, deviation, each.drawn.seed, part))
    return noisy


def _add_current(
    build: GraphBuilder,
    hardware: LayerHardware,
    number: int,
    p: int,
    driven: str,
    measurable: bool,
) -> str:
    """Add the readouts of one pass on one row tile: in LSB, or ampere where there is no converter."""
    step = hardware.input_plan.passes[number]
    k = number * len(hardware.rows) + p
    matrix = hardware.matrices[p] * (step.volt * step.gain)
    added = matrix.sum(axis=1) * step.counted_rest if step.counted_rest else None
    if hardware.offsets is not None:
        offsets = hardware.offsets[p] * (step.volt * step.gain * step.offsets)
        added = offsets if added is None else added + offsets
    part, rows = (f"current_{k}" if measurable else "product"), hardware.rows[p]
    if hardware.adc is None:
        return hardware.add_product(build, driven, rows, matrix, part, added)
    first = hardware.input_plan.passes[0]
    if number and step.volt * step.gain == first.volt * first.gain:
        ratio = hardware.adc.per_ampere(k) / hardware.adc.per_ampere(p)
        if (ratio != 1).any():
            # One matrix for all passes, in the first one's LSB: networks may not exceed 2 GiB.
            shared, _ = hardware.adc.in_lsb(p, matrix, None)
            _, added = hardware.adc.in_lsb(k, matrix, added)
            product = hardware.add_product(build, driven, rows, shared, f"driven_{k}")
            size = matrix.size * _FLOAT_BYTES * len(hardware.input_plan.passes)
            return _add_ratio(build, hardware, product, ratio, added, part, size)
    matrix, added = hardware.adc.in_lsb(k, matrix, added)
    return hardware.add_product(build, driven, rows, matrix, part, added)


def _add_ratio(
    build: GraphBuilder,
    hardware: LayerHardware,
    product: str,
    ratio: np.ndarray,
    added: np.ndarray | None,
    part: str,
    size: int,
) -> str:
    """Bring a product from the first pass's LSB to that of another pass, and add constants.

    Args:
        build: takes the nodes.
        hardware: the layer's analog form.
        product: name of the product in the first pass's LSB.
        ratio: of the LSBs, (groups, readouts).
        added: LSB on top, (groups, readouts), or None.
        part: name of the current.
        size: bytes of the matrix, once for each pass.
    """
    layer = hardware.layer
    scale = build.constant(f"ratio_{part}", layer.along_channels(ratio.astype(np.float32)))
    # onnxruntime multiplies a second factor into a copy of the matrix for each pass, no first factor.
    factors = [scale, product] if size > _COPIED_BYTES else [product, scale]
    if added is None:
        return build.add("Mul", factors, part)
    scaled = build.add("Mul", factors, f"scaled_{part}")
    constant = build.constant(f"added_{part}", layer.along_channels(added.astype(np.float32)))
    return build.add("Add", [scaled, constant], part)


def _add_adcs(build: GraphBuilder, hardware: LayerHardware, currents: list[str]) -> list[str]:
    """Convert every current: add noise, saturate, and round, ties to even, or compare thresholds."""
    adc = hardware.adc
    assert adc is not None
    bounds: dict[int, str] = {}
    for side in (*adc.low, *adc.high):
        if int(side) not in bounds:
            bounds[int(side)] = build.scalar(f"adc_bound_{len(bounds)}", int(side))
    curves = AdcCurves.of(build, hardware)
    steps = AdcSteps.of(build, hardware)
    codes = []
    for k, current in enumerate(currents):
        low, high = bounds[int(adc.low[k])], bounds[int(adc.high[k])]
        if curves is not None:
            current = curves.bent(k, current, low, high)
        if adc.noise:
            noise = adc.noise[k]
            current = add_fresh_noise(
                build, current, noise.deviation, noise.seed, f"noisy_current_{k}"
            )
        if steps is not None:
            codes.append(steps.taken(k, current))
            continue
        clipped = build.add("Clip", [current, low, high], f"clipped_{k}")
        codes.append(build.add("Round", [clipped], f"codes_{k}"))
    return codes


def _less_constant(build: GraphBuilder, hardware: LayerHardware, total: str) -> str:
    """Subtract the current of inputs of 0 on perfect hardware, where there are no converters."""
    if hardware.constant is None:
        return total
    values = hardware.layer.along_channels(hardware.constant[0]).astype(np.float32)
    return build.add("Sub", [total, build.constant("constant", values)], "less_constant")
