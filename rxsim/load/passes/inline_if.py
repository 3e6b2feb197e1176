"""Pass: put the branch of an If that is always taken into the graph around it.

Exporters leave such Ifs behind, mostly where they ask for the length of an axis that is fixed. A
condition counts as known where it is a constant, or follows from constants and from lengths that the
model states. Nodes keep their names; tensors of the branch get others where theirs are taken.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rxsim.load.runtime import open_session
from rxsim.onnx_graph import (
    RANDOM,
    attributes,
    constants,
    drop_unused_constants,
    fresh_name,
    inferred_values,
    inner_graphs,
    is_large,
    shape_of,
    taken_names,
    values_of,
)

_FREE = -1
# They move lengths without looking at them, so that a free one among them does no harm.
_MOVING = {"Gather", "Slice", "Squeeze", "Unsqueeze", "Identity"}
# Types in which lengths are counted and compared.
_COUNTING = {onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL}


def inline_ifs(model: onnx.ModelProto) -> bool:
    """Replace every If of the main graph whose condition is known, in place.

    Returns:
        Whether there was any: then more may be known now.
    """
    conditions = {node.input[0] for node in model.graph.node if node.op_type == "If"}
    if not conditions:
        return False
    lengths = _Lengths(model, conditions)
    taken = taken_names(model)
    nodes: list[onnx.NodeProto] = []
    changed = False
    for node in model.graph.node:
        taken_branch = lengths.condition(node)
        if taken_branch is None:
            nodes.append(node)
            continue
        changed = True
        branch = attributes(node)["then_branch" if taken_branch else "else_branch"]
        nodes.extend(_inlined(model, node, branch, taken))
    if changed:
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        drop_unused_constants(model)
    return changed


def _inlined(
    model: onnx.ModelProto, node: onnx.NodeProto, branch: onnx.GraphProto, taken: set[str]
) -> list[onnx.NodeProto]:
    """Return the nodes of a branch, which give their results by the names of the If's outputs."""
    results = [name for item in branch.node for name in item.output if name]
    new: dict[str, str] = {}
    for output, given in zip(node.output, branch.output, strict=True):
        if output and given.name in results:
            new.setdefault(given.name, output)
    for name in (*(item.name for item in branch.initializer), *results):
        new.setdefault(name, fresh_name(taken, f"{node.name}/{name}"))
    inner = onnx.GraphProto()
    inner.CopyFrom(branch)
    _rename(inner, new)
    model.graph.initializer.extend(inner.initializer)
    model.graph.value_info.extend(inner.value_info)
    nodes = list(inner.node)
    for output, result in zip(node.output, inner.output, strict=True):
        if output and output != result.name:
            nodes.append(helper.make_node("Identity", [result.name], [output]))
    return nodes


def _rename(graph: onnx.GraphProto, new: Mapping[str, str]) -> None:
    """Rename tensors of a graph, also where inner graphs read them; those that hide them stay."""
    for tensor in graph.initializer:
        tensor.name = new.get(tensor.name, tensor.name)
    values: list[onnx.ValueInfoProto] = [*graph.value_info, *graph.output]
    for value in values:
        value.name = new.get(value.name, value.name)
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = new.get(name, name)
        for inner in inner_graphs(node):
            own = {value.name for value in inner.input} | {held.name for held in inner.initializer}
            own.update(name for item in inner.node for name in item.output)
            _rename(inner, {old: name for old, name in new.items() if old not in own})


class _Lengths:
    """Values of small tensors that follow from constants and from the lengths that a model states.

    Attributes:
        values: by name of the tensor.
        partial: names of those in which a free length stands as -1.
    """

    def __init__(self, model: onnx.ModelProto, wanted: set[str]) -> None:
        self._model = model
        self._shapes = {value.name: shape_of(value) for value in inferred_values(model)}
        self.values = {
            name: values_of(tensor)
            for name, tensor in constants(model).items()
            if not is_large(tensor) and tensor.data_type in _COUNTING
        }
        self.partial: set[str] = set()
        needed, behind = set(wanted), []
        for node in reversed(model.graph.node):
            if needed.intersection(node.output):
                behind.append(node)
                needed.update(node.input)
        for node in reversed(behind):
            value = self._value_of(node)
            if value is not None:
                self.values[node.output[0]] = value

    def condition(self, node: onnx.NodeProto) -> bool | None:
        """Return the condition of an If; None where it is not known, or the node is none."""
        if node.op_type != "If" or node.domain not in ("", "ai.onnx"):
            return None
        value = self.values.get(node.input[0])
        if value is None or value.size != 1 or node.input[0] in self.partial:
            return None
        return bool(value.reshape(()))

    def _value_of(self, node: onnx.NodeProto) -> np.ndarray | None:
        """Return the value of a node's only output; None where it is not known."""
        if node.op_type == "Shape":
            return self._lengths_of(node)
        read = [name for name in node.input if name]
        if len(node.output) != 1 or inner_graphs(node) or node.op_type in RANDOM:
            return None
        if any(name not in self.values for name in read):
            return None
        partial = [name for name in read if name in self.partial]
        if partial and not (node.op_type in _MOVING and partial == [node.input[0]]):
            return None
        value = _evaluated(self._model, node, {name: self.values[name] for name in read})
        if value is not None and partial and (value == _FREE).any():
            self.partial.add(node.output[0])
        return value

    def _lengths_of(self, node: onnx.NodeProto) -> np.ndarray | None:
        shape = self._shapes.get(node.input[0])
        if shape is None:
            return None
        given = attributes(node)
        lengths = np.array([_FREE if axis is None else axis for axis in shape], dtype=np.int64)
        lengths = lengths[given.get("start", 0) : given.get("end", len(shape))]
        if (lengths == _FREE).any():
            self.partial.add(node.output[0])
        return lengths


def _evaluated(
    model: onnx.ModelProto, node: onnx.NodeProto, feeds: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """Run a single node on constants; None where onnxruntime can't."""
    graph = helper.make_graph(
        [node],
        "condition",
        inputs=[],
        outputs=[onnx.ValueInfoProto(name=node.output[0])],
        initializer=[numpy_helper.from_array(value, name) for name, value in feeds.items()],
    )
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        (value,) = open_session(part).run(None, {})
    except Exception:  # onnxruntime raises many types
        return None
    return value if isinstance(value, np.ndarray) else None
