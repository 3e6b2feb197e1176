"""Recurrent models of one node, for every attribute."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
INPUTS, HIDDEN = 3, 4
_NAMES = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def recurrent_model(
    op: str,
    *,
    seed: int = 0,
    optional: tuple[str, ...] = ("B",),
    outputs: tuple[str, ...] = ("Y", "Y_h", "Y_c"),
    data_type: int = TensorProto.FLOAT,
    opset: int = 17,
    inputs: int = INPUTS,
    hidden: int = HIDDEN,
    scale: float = 0.6,
    constants: tuple[str, ...] = ("W", "R", "B", "P"),
    **attributes: Any,
) -> onnx.ModelProto:
    """Make a model of a node named `cell` whose weights are random constants.

    Args:
        op: LSTM, GRU or RNN.
        seed: of the weights.
        optional: the inputs beside X, W and R.
        outputs: those that the node has, others are left out.
        data_type: of all float tensors.
        opset: version of the operator set.
        inputs: length of an input.
        hidden: length of the state.
        scale: standard deviation of the weights.
        constants: which inputs are constants.
        **attributes: of the node.
    """
    rng = np.random.default_rng(seed)
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    columns, batch_first = GATES[op] * hidden, attributes.get("layout", 0)
    lead = ["N", directions] if batch_first else [directions, "N"]
    shapes: dict[str, list[Any]] = {
        "X": ["N", "T", inputs] if batch_first else ["T", "N", inputs],
        "W": [directions, columns, inputs],
        "R": [directions, columns, hidden],
        "B": [directions, 2 * columns],
        "P": [directions, 3 * hidden],
        "sequence_lens": ["N"],
        "initial_h": [*lead, hidden],
        "initial_c": [*lead, hidden],
        "Y": ["N", "T", directions, hidden] if batch_first else ["T", directions, "N", hidden],
        "Y_h": [*lead, hidden],
        "Y_c": [*lead, hidden],
    }
    last = 3 if op == "LSTM" else 2
    names = [name if name in ("X", "W", "R", *optional) else "" for name in _NAMES]
    while not names[-1]:
        names.pop()
    given = [name if name in outputs else "" for name in ("Y", "Y_h", "Y_c")[:last]]
    node = helper.make_node(op, names, given, "cell", hidden_size=hidden, **attributes)
    graph = helper.make_graph(
        [node],
        "recurrent",
        [
            helper.make_tensor_value_info(
                name, TensorProto.INT32 if name == "sequence_lens" else data_type, shapes[name]
            )
            for name in names
            if name and name not in constants
        ],
        [helper.make_tensor_value_info(name, data_type, shapes[name]) for name in given if name],
        [
            numpy_helper.from_array(
                rng.normal(scale=scale, size=shapes[name]).astype(
                    helper.tensor_dtype_to_np_dtype(data_type)
                ),
                name,
            )
            for name in names
            if name in constants
        ],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def feeds_of(
    model: onnx.ModelProto, *, seed: int = 1, steps: int = 5, batch: int = 3
) -> dict[str, np.ndarray]:
    """Draw an input for each input tensor of a model; lengths of sequences between 1 and `steps`."""
    rng = np.random.default_rng(seed)
    free = {"N": batch, "T": steps}
    feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [axis.dim_value or free[axis.dim_param] for axis in tensor.shape.dim]
        if tensor.elem_type == TensorProto.INT32:
            lengths = rng.integers(1, steps + 1, size=shape)
            feeds[value.name] = lengths.astype(np.int32)
        else:
            dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            feeds[value.name] = rng.normal(size=shape).astype(dtype)
    return feeds
