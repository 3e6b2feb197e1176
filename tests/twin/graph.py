"""An ONNX graph that runs node by node in float64, with the crossbars' layers put in by the caller."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from twin.arrays import Floats, Tensor

Apply = Callable[[str, Floats], Floats]
"""From a layer's name and its input tensor to its output tensor."""


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
        self.constants: dict[str, Tensor] = {
            tensor.name: as_float64(numpy_helper.to_array(tensor))
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
        """Fold every BatchNormalization that alone reads the output of a convolution or a Gemm."""
        producers = {name: node for node in self.nodes for name in node.output}
        readers = [name for node in self.nodes for name in node.input]
        for norm in [n for n in self.nodes if n.op_type == "BatchNormalization"]:
            before = producers.get(norm.input[0])
            if before is None or before.op_type not in ("Conv", "ConvTranspose", "Gemm"):
                continue
            if before.input[1] not in self.constants or attributes(norm).get("training_mode", 0):
                continue
            if readers.count(norm.input[0]) > 1 or norm.input[0] in self._kept:
                continue
            self._fold(before, norm)
            self.nodes.remove(norm)

    def _fold(self, before: onnx.NodeProto, norm: onnx.NodeProto) -> None:
        """Put scale and shift of a BatchNormalization into a node, which takes over its output."""
        gamma, beta, mean, variance = (self.constants[name] for name in norm.input[1:5])
        scale = gamma / np.sqrt(variance + attributes(norm).get("epsilon", 1e-5))
        weight, given = self.constants[before.input[1]], attributes(before)
        has_bias = len(before.input) > 2 and before.input[2]
        bias = self.constants[before.input[2]] if has_bias else np.zeros(1)
        bias = given.get("beta", 1.0) * bias
        names = f"{before.name}/folded_weight", f"{before.name}/folded_bias"
        if before.op_type == "ConvTranspose":  # inputs first: those of a group meet its outputs
            groups = given.get("group", 1)
            apart = weight.reshape(groups, -1, *weight.shape[1:])
            each = scale.reshape(groups, 1, -1, *(1,) * (weight.ndim - 2))
            self.constants[names[0]] = (apart * each).reshape(weight.shape)
        else:
            shape = [1] * weight.ndim
            shape[0 if before.op_type == "Conv" or given.get("transB", 0) else -1] = -1
            self.constants[names[0]] = weight * scale.reshape(shape)
        self.constants[names[1]] = (bias - mean) * scale + beta
        inputs = [before.input[0], *names]
        del before.input[:]
        before.input.extend(inputs)
        kept = [item for item in before.attribute if item.name != "beta"]
        del before.attribute[:]
        before.attribute.extend(kept)
        before.output[0] = norm.output[0]

    def run(self, x: Tensor, layers: Collection[str], apply: Apply) -> Floats:
        """Run the network with ``apply(name, input)`` in place of each layer's node.

        Args:
            x: Prepared network input, shape (B, ...).
            layers: Names of the layers' nodes.
            apply: Returns a layer's output tensor.

        Returns:
            The network's first output.
        """
        values: dict[str, Tensor] = {**self.constants, self.input: np.asarray(x, np.float64)}
        for node in self.nodes:
            if node.name in layers:
                values[node.output[0]] = apply(node.name, values[node.input[0]])
            else:
                values.update(self._evaluate(node, values))
        return values[self.output]

    def _evaluate(self, node: onnx.NodeProto, values: dict[str, Tensor]) -> dict[str, Tensor]:
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
        return {name: as_float64(np.asarray(y)) for name, y in zip(outputs, results, strict=True)}


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def as_float64(value: Tensor) -> Tensor:
    """Return floats as float64, anything else as it is."""
    return value.astype(np.float64) if np.issubdtype(value.dtype, np.floating) else value
