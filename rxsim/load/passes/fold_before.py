"""Pass: fold constant scales and shifts in front of a product into its weights and bias.

BatchNormalization, Mul and Div, with additions beside them, each read by the next alone; nodes that
pass values on (Identity, Dropout, Transpose, Cast to the same type) may stand between. A shift in
front of a Conv that pads stays: the zeros that it pads are not shifted, so that near the edges no bias
can stand for it. The product keeps its name; the tensor in front drives its wordlines now.
"""

from __future__ import annotations

import numpy as np
import onnx

from rxsim.load.passes.channelwise import Channels, Step, passed_on, step_of
from rxsim.load.passes.folding import Folding, rounded
from rxsim.operators import Affine

_PADDED = "its shift does not reach the zeros that the Conv behind it pads"


def fold_before(model: onnx.ModelProto) -> dict[str, str]:
    """Fold what precedes every product, in place.

    Returns:
        For the names of normalisations that stay for the padding behind them, this reason.
    """
    folding = Folding(model)
    reasons: dict[str, str] = {}
    for node, operator, affine in folding.products(folding.scales_in_front):
        chain = _in_front(node, affine, folding, reasons)
        steps = [item for item in chain if isinstance(item, Step)]
        values = _folded(affine, steps)
        if values is None:
            continue
        reader = node
        for item in chain:
            if isinstance(item, Step):
                reader.input[0] = item.source
            else:
                reader = item
        folding.replace(node, operator, affine, values, steps)
    folding.finish()
    return reasons


def _in_front(
    node: onnx.NodeProto, affine: Affine, folding: Folding, reasons: dict[str, str]
) -> list[Step | onnx.NodeProto]:
    """Return the steps in front of a product, the last one first, and nodes that pass values on."""
    channels, tensor = folding.inputs_of(node, affine), node.input[0]
    known = folding.graph.constants
    chain: list[Step | onnx.NodeProto] = []
    while channels is not None and folding.read_once(tensor) and tensor in folding.makers:
        maker = folding.makers[tensor]
        source = folding.data_of(maker)
        step = step_of(maker, source, known, channels)
        if step is None:
            channels = passed_on(maker, folding.graph, channels, back=True)
            if channels is None:
                break
            chain.append(maker)
        elif not _fits(folding, source, channels):
            break
        elif affine.padded and step.shift.any():
            if maker.op_type == "BatchNormalization":
                reasons[maker.name] = _PADDED
            break
        else:
            chain.append(step)
        tensor = source
    return chain


def _fits(folding: Folding, source: str, channels: Channels) -> bool:
    """Tell whether a tensor has as many channels, so that a constant does not make them more."""
    shape = folding.graph.shape(source)
    return (
        shape is not None and len(shape) == channels.rank and shape[channels.axis] == channels.count
    )


def _folded(affine: Affine, steps: list[Step]) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Return weights and bias with the steps in them; None where nothing is or can be folded."""
    if affine.input_axis is None or not any(step.scales for step in steps):
        return None
    factor, shift = np.ones(1), np.zeros(1)
    for step in steps:
        factor, shift = factor * step.factor, factor * step.shift + shift
    bias = affine.bias
    if shift.any():
        axes = tuple(axis for axis in range(affine.weight.ndim) if axis != affine.channel_axis)
        moved = (affine.weight * affine.over_inputs(shift)).sum(axis=axes, dtype=np.float64)
        bias = (0.0 if bias is None else bias) + affine.alpha * moved
    return rounded(affine.weight, affine.over_inputs(factor), bias)
