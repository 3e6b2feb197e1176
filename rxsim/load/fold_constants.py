"""Pass: compute once whatever depends on constants alone, so that weights are initializers.

onnxruntime evaluates the constant part of the graph. Nodes with subgraphs and random operators are
left alone. Names of the remaining nodes and tensors are unchanged.
"""

from __future__ import annotations

import onnx
import onnxruntime as ort
from onnx import helper

from rxsim.errors import ModelError
from rxsim.load.graph import constants, has_subgraph, set_constant, use_counts
from rxsim.load.onnx_file import first_line

_RANDOM = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
}


def fold_constants(model: onnx.ModelProto, name: str) -> None:
    """Replace nodes that depend on constants alone by their values, in place.

    Raises:
        ModelError: onnxruntime can't compute the constant part.
    """
    known = set(constants(model))
    constant_nodes, other_nodes = [], []
    for node in model.graph.node:
        depends_on_constants = all(not item or item in known for item in node.input)
        if depends_on_constants and not has_subgraph(node) and node.op_type not in _RANDOM:
            constant_nodes.append(node)
            known.update(node.output)
        else:
            other_nodes.append(node)
    if not constant_nodes:
        return
    made = {output for node in constant_nodes for output in node.output if output}
    values = _evaluate(model, constant_nodes, name)
    outputs = {value.name for value in model.graph.output}
    del model.graph.node[:]
    model.graph.node.extend(other_nodes)
    used = use_counts(model)
    for tensor, value in values.items():
        if used[tensor] and tensor in made:
            inner = f"{tensor}:constant" if tensor in outputs else tensor
            set_constant(model, inner, value)
            if tensor in outputs:  # a graph output must be made by a node
                model.graph.node.insert(0, helper.make_node("Identity", [inner], [tensor]))


def _evaluate(model: onnx.ModelProto, nodes: list[onnx.NodeProto], name: str) -> dict[str, object]:
    """Run the given nodes alone and return all their outputs by name."""
    wanted = [output for node in nodes for output in node.output if output]
    read = {item for node in nodes for item in node.input}
    graph = helper.make_graph(
        nodes,
        "constants",
        inputs=[],
        outputs=[onnx.ValueInfoProto(name=output) for output in wanted],
        initializer=[tensor for tensor in model.graph.initializer if tensor.name in read],
    )
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(
            part.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return dict(zip(wanted, session.run(wanted, {}), strict=True))
    except Exception as error:  # onnxruntime raises many types
        raise ModelError(
            f"model {name}: its constant part can't be computed by onnxruntime: {first_line(error)}"
        ) from None
