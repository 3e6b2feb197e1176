"""Pass: fold constant scales behind a product into its weights, and shifts beside them into its bias.

What `fold_batchnorm` leaves: Mul, Div, and BatchNormalization behind an addition, behind a product
without a bias of its own (MatMul), or behind nodes that pass values on (Identity, Dropout, Transpose,
Cast to the same type).
Each must be read by the next alone. An addition by itself stays where it is: it is digital either way.
The product keeps its name.
"""

from __future__ import annotations

import numpy as np
import onnx

from rxsim.load.passes.channelwise import Step, passed_on, step_of
from rxsim.load.passes.folding import Folding, rounded
from rxsim.operators import Affine


def fold_scale(model: onnx.ModelProto) -> None:
    """Fold what follows every product, in place."""
    folding = Folding(model)
    for node, operator, affine in folding.products(folding.scales_behind):
        chain = _behind(node, affine, folding)
        steps = [item for item in chain if isinstance(item, Step)]
        values = _folded(affine, steps)
        if values is None:
            continue
        maker = node
        for item in chain:
            if isinstance(item, Step):
                maker.output[0] = item.node.output[0]
            else:
                maker = item
        folding.replace(node, operator, affine, values, steps)
    folding.finish()


def _behind(node: onnx.NodeProto, affine: Affine, folding: Folding) -> list[Step | onnx.NodeProto]:
    """Return the steps behind a product, and the nodes between them that pass values on."""
    channels, tensor = folding.outputs_of(node, affine), node.output[0]
    known = folding.graph.constants
    chain: list[Step | onnx.NodeProto] = []
    while folding.read_once(tensor) and tensor in folding.readers:
        reader = folding.readers[tensor]
        step = step_of(reader, tensor, known, channels)
        if step is None:
            passed = passed_on(reader, folding.graph, channels, back=False)
            if passed is None:
                break
            channels = passed
        chain.append(reader if step is None else step)
        tensor = reader.output[0]
    return chain


def _folded(affine: Affine, steps: list[Step]) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Return weights and bias with the steps in them; None where nothing is or can be folded."""
    if not any(step.scales for step in steps):
        return None
    factor = np.ones(affine.outputs)
    bias = np.zeros(1) if affine.bias is None else affine.bias
    try:
        np.broadcast_shapes(bias.shape, factor.shape)
    except ValueError:
        return None
    for step in steps:
        factor, bias = factor * step.factor, bias * step.factor + step.shift
    return rounded(affine.weight, affine.over_outputs(factor), bias)
