"""Digital corrections of a layer's decoded outputs: constants, and products with few weights."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.decode import cut_surplus
from rxsim.patch.hardware import LayerHardware
from rxsim.patch.input_nodes import InputNodes


def add_corrections(
    build: GraphBuilder, hardware: LayerHardware, source: str, inputs: InputNodes, total: str
) -> str:
    """Add what is computed digitally to a layer's decoded outputs.

    Args:
        build: takes the nodes.
        hardware: the layer.
        source: name of its input.
        inputs: tensors of codes that the graph has already; extended.
        total: name of its float32 outputs.
    """
    layer = hardware.layer
    if hardware.added is not None:
        # The last block of packed groups need not be full.
        values = hardware.added.reshape(-1)[: layer.n_channels]
        constant = build.constant("added", layer.along_channels(values).astype(np.float32))
        total = build.add("Add", [total, constant], "corrected")
    if hardware.digital is not None:
        rows = np.arange(hardware.tiling.n_inputs)
        product = add_digital_product(build, hardware, source, inputs, rows, "digital_part")
        total = build.add("Add", [total, product], "with_digital")
    return total


def add_digital_product(
    build: GraphBuilder,
    hardware: LayerHardware,
    source: str,
    inputs: InputNodes,
    rows: np.ndarray,
    part: str,
) -> str:
    """Write what is computed digitally of some rows.

    Args:
        build: takes the nodes.
        hardware: the layer, of which something is computed digitally.
        source: name of its input.
        inputs: tensors of codes that the graph has already; extended.
        rows: of a block, int64.
        part: name of the result.
    """
    layer, dac, weights = hardware.layer, hardware.input_plan.dac, hardware.digital
    assert weights is not None
    if dac.low is not None:  # what the arrays are given is what is computed with
        dtype = int(helper.np_dtype_to_tensor_dtype(layer.dtype))
        source, weights = inputs.codes(build, source, dac, dtype), weights / dac.code_per_x
    elif layer.dtype != np.float32:
        source = build.add("Cast", [source], "digital_input", to=TensorProto.FLOAT)
    product = hardware.add_product(build, source, rows, weights[:, rows], part)
    return cut_surplus(build, hardware, product)
