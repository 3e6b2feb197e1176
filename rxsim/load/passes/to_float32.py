"""Pass: let float32 stand for a type in which onnxruntime's CPU can't compute.

It has no Conv, MatMul or Add of bfloat16, and no Conv of float64. Every bfloat16 is a float32, so
weights stay what they are and results are no longer rounded to 8 bits in between; a float64 is rounded
once, to the largest float32 where it lies beyond. Constants, types of values, and what nodes say about
types change, those of inner graphs and of functions too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from rxsim.load.tensors import stored_tensors
from rxsim.onnx_graph import all_graphs, all_nodes, inner_graphs, values_of

WITHOUT_KERNELS = {"bfloat16": TensorProto.BFLOAT16, "float64": TensorProto.DOUBLE}
"""The types by name, those first that lose nothing."""

# Source: ONNX's operators: attributes that hold a type of tensors.
_TYPE_ATTRIBUTES = {"to", "dtype", "output_dtype", "stash_type", "precision", "softmax_precision"}


def types_without_kernels(model: onnx.ModelProto) -> list[str]:
    """Return which of these types a model holds or states."""
    present = {tensor.data_type for tensor in stored_tensors(model)}
    present.update(kind.elem_type for kind in _stated_types(model))
    present.update(attribute.i for attribute in _type_attributes(model))
    return [name for name, kind in WITHOUT_KERNELS.items() if kind in present]


def to_float32(model: onnx.ModelProto, names: Collection[str]) -> None:
    """Replace types by float32, in place."""
    kinds = {int(WITHOUT_KERNELS[name]) for name in names}
    for tensor in stored_tensors(model):
        if tensor.data_type in kinds:
            _replace_values(tensor)
    for stated in _stated_types(model):
        if stated.elem_type in kinds:
            stated.elem_type = TensorProto.FLOAT
    for attribute in _type_attributes(model):
        if attribute.i in kinds:
            attribute.i = TensorProto.FLOAT


def _replace_values(tensor: onnx.TensorProto) -> None:
    values = values_of(tensor)
    if values.dtype == np.float64:
        largest = np.finfo(np.float32).max
        values = np.where(np.isfinite(values), np.clip(values, -largest, largest), values)
    new = numpy_helper.from_array(np.asarray(values.astype(np.float32)), tensor.name)
    new.metadata_props.extend(tensor.metadata_props)
    tensor.CopyFrom(new)


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield every node of a model, those inside nodes and functions too."""
    yield from all_nodes(model.graph)
    for node in chain.from_iterable(item.node for item in model.functions):
        yield node
        for inner in inner_graphs(node):
            yield from all_nodes(inner)


def _type_attributes(model: onnx.ModelProto) -> Iterator[onnx.AttributeProto]:
    for node in _nodes(model):
        for attribute in node.attribute:
            if attribute.name in _TYPE_ATTRIBUTES and attribute.type == onnx.AttributeProto.INT:
                yield attribute


def _stated_types(model: onnx.ModelProto) -> Iterator[onnx.TypeProto.Tensor]:
    """Yield every tensor type that is stated for a value, those of elements of sequences too."""
    graphs = list(all_graphs(model.graph))
    values = chain.from_iterable((*g.input, *g.output, *g.value_info) for g in graphs)
    inside = chain.from_iterable(item.value_info for item in model.functions)
    for value in chain(values, inside):
        kind = value.type
        while kind.WhichOneof("value") in ("sequence_type", "optional_type"):
            kind = getattr(kind, kind.WhichOneof("value")).elem_type
        if kind.HasField("tensor_type"):
            yield kind.tensor_type
