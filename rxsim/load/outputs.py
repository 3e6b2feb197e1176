"""The tensor that is evaluated: an output, the tensor behind it, or any other of the main graph."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from rxsim.errors import InputError, ModelError
from rxsim.onnx_graph import constants, inferred_values

_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}
_NOT_NUMBERS = {TensorProto.STRING, TensorProto.COMPLEX64, TensorProto.COMPLEX128}
# Operators that hand a tensor on, in another shape or type: which of their inputs it is.
_HANDED_ON = {
    **dict.fromkeys(("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten"), 0),
    **dict.fromkeys(("Transpose", "ZipMap", "SplitToSequence"), 0),
    "ArrayFeatureExtractor": 1,  # scikit-learn's: the class names at the indices
}
_OF_ONE = {"ZipMap", "SplitToSequence", "SequenceConstruct"}
"""Operators that make a sequence or a map of one tensor."""
_PICKS = {"ArgMax": 0, "TopK": 1}
"""Operators that say where the largest values stand: which of their outputs does."""


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """A tensor that is evaluated.

    Attributes:
        name: the tensor.
        output: the output that was asked for, which need not be it.
        note: in one line why it is not that output; empty where it is.
        picked: whether the output only says where its largest values stand.
        problem: why no output can be evaluated; empty where one can.
    """

    name: str
    output: str
    note: str = ""
    picked: bool = False
    problem: str = ""


def default_output(original: onnx.ModelProto) -> str:
    """Return the tensor that is evaluated where nobody names one; the first output for want of any."""
    found = _default(_Graph(original))
    return original.graph.output[0].name if found is None else found.name


def output_tensor(
    original: onnx.ModelProto, model: onnx.ModelProto, asked: str | None, model_name: str
) -> OutputTensor:
    """Choose the tensor that is evaluated.

    Args:
        original: the user's model.
        model: its normalised graph.
        asked: the output, or the inner tensor, that the user names; None: the first output of real
            numbers or that leads to such a tensor, else the first of whole numbers.
        model_name: the model's file name, for messages.

    Raises:
        InputError: there is none of the name, or it is no tensor of numbers.
        ModelError: the normalised graph does without it.
    """
    graph = _Graph(original)
    if asked is None:
        found = _default(graph)
        if found is None:
            first = original.graph.output[0].name
            raise InputError(
                f"model {model_name}: its output {first} is {graph.described(first)}, expected a "
                f"tensor of numbers; {_advice(graph, first)}"
            )
    else:
        _check_known(graph, asked, model_name)
        found = graph.evaluated(asked)
        if found is None:
            raise InputError(
                f"model {model_name}: {asked} is {graph.described(asked)}, expected a tensor of "
                f"numbers; {_advice(graph, asked)}"
            )
    made = {name for node in model.graph.node for name in node.output}
    if found.name not in made:
        raise ModelError(
            f"model {model_name}: the tensor {found.name} is folded into its neighbours before layers "
            "are mapped (as BatchNormalization and constants are), expected one that remains; name "
            "the tensor after it with --output"
        )
    return found


class _Graph:
    """The main graph of a model: who makes which tensor, and of what type each is."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.outputs = [value.name for value in model.graph.output]
        self.makers = {name: node for node in model.graph.node for name in node.output if name}
        self.given = {value.name for value in model.graph.input} | set(constants(model))
        self._model = model
        self._types: Mapping[str, onnx.TypeProto] = {
            value.name: value.type for value in model.graph.output
        }
        self._inferred = False

    def kind(self, name: str) -> str:
        """Tell what a tensor is: float, whole, other (no tensor of numbers), or unknown."""
        stated = self._types.get(name)
        if (stated is None or stated.WhichOneof("value") is None) and not self._inferred:
            self._inferred = True
            inferred = {value.name: value.type for value in inferred_values(self._model)}
            self._types = {**inferred, **{k: v for k, v in self._types.items() if v.ByteSize()}}
            stated = self._types.get(name)
        if stated is None or stated.WhichOneof("value") is None:
            return "unknown"
        if not stated.HasField("tensor_type"):
            return "other"
        element = stated.tensor_type.elem_type
        if element in _FLOATS:
            return "float"
        return "other" if element in _NOT_NUMBERS else "whole"

    def described(self, name: str) -> str:
        """Say what something is that is no tensor of numbers."""
        stated = self._types.get(name)
        kind = None if stated is None else stated.WhichOneof("value")
        if kind == "tensor_type":
            return "a tensor of text or complex numbers"
        return f"a {(kind or 'value').removesuffix('_type').replace('_', ' ')}"

    def evaluated(self, output: str) -> OutputTensor | None:
        """Return the tensor that is evaluated for an output; None where it has no numbers."""
        kind = self.kind(output)
        if kind == "float":
            return OutputTensor(output, output)
        name = output
        while name in self.makers:
            node = self.makers[name]
            if _PICKS.get(node.op_type) == list(node.output).index(name):
                note = _note(output, node.input[0], node.op_type)
                return OutputTensor(node.input[0], output, note, picked=True)
            if node.op_type == "SequenceConstruct" and len(set(node.input)) == 1:
                name = node.input[0]
            elif node.op_type in _HANDED_ON:
                name = node.input[_HANDED_ON[node.op_type]]
            else:
                break
            if kind == "other" and node.op_type in _OF_ONE and self.kind(name) != "other":
                return OutputTensor(name, output, _note(output, name, ""))
            if self.kind(name) == "float":  # whole numbers made of it are taken as they are
                break
        return None if kind == "other" else OutputTensor(output, output)


def _note(output: str, name: str, picked: str) -> str:
    if picked:
        return (
            f"output {output} holds places found by {picked}: {name}, where it looks, is evaluated "
            "instead"
        )
    return f"output {output} is no tensor: {name}, of which it is made, is evaluated instead"


def _default(graph: _Graph) -> OutputTensor | None:
    """Choose an output: one of real numbers first, then one that picks from such, then any."""
    found = [graph.evaluated(name) for name in graph.outputs]
    usable = [item for item in found if item is not None]
    real = [item for item in usable if graph.kind(item.name) in ("float", "unknown")]
    return min([*real, *usable], key=lambda item: (item not in real, item.picked), default=None)


def _check_known(graph: _Graph, asked: str, model_name: str) -> None:
    if asked in graph.makers:
        return
    if asked in graph.given:
        raise InputError(
            f"model {model_name}: {asked} is an input or a constant, expected a tensor that a node "
            "computes; name another with --output"
        )
    near = difflib.get_close_matches(asked, graph.outputs, n=1, cutoff=0.6)
    near = near or difflib.get_close_matches(asked, graph.makers, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else "choose one with --output"
    raise InputError(
        f"model {model_name} has no output {asked}, expected one of {', '.join(graph.outputs)}, or an "
        f"inner tensor by its name; {hint}"
    )


def _advice(graph: _Graph, name: str) -> str:
    """Say what to name in the place of an output without numbers."""
    node = graph.makers.get(name)
    parts = [] if node is None else [i for i in node.input if graph.kind(i) in ("float", "whole")]
    if not parts or node is None:
        return "name a tensor with --output"
    return f"name a tensor with --output, such as --output {parts[0]} ({node.op_type} takes it)"
