"""Float tensors of the user's file, and which of them products multiply by or add.

The walk goes through the main graph, bodies of If, Loop and Scan, and calls of the model's functions.
It says which tensors may hold a layer's weights; `probes` measures how.
"""

from __future__ import annotations

import contextlib
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import inliner, numpy_helper

from rxsim.onnx_graph import RANDOM, has_subgraph, use_counts, without_large_constants

_FLOATS = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
    onnx.TensorProto.DOUBLE,
}
# By operator: the inputs that may be weights, and the one that is the bias.
_PLACES: dict[str, tuple[tuple[int, ...], int | None]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "FusedConv"), ((1,), 2)),
    **dict.fromkeys(("Gemm", "FusedGemm"), ((0, 1), 2)),
    **dict.fromkeys(("MatMul", "FusedMatMul"), ((0, 1), None)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), ((1, 2), 3)),
    "Einsum": (tuple(range(8)), None),
}
FLOAT_PRODUCTS = frozenset(_PLACES)
"""Operators whose weights are float tensors."""
_RECURRENT = ("LSTM", "GRU", "RNN")
_PASSED = {
    *("Identity", "Dropout", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"),
    *("Mul", "Div"),
}
_QUANTISING = ("DequantizeLinear", "QuantizeLinear")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a product of the file reads.

    Attributes:
        node: the product's name; its first output where it has none.
        weights: tensors that may hold its weights.
        bias: tensors that may hold what is added: beta of a folded BatchNormalization, else the
            product's bias, else what an Add behind it adds.
        half: whether only the first half of the bias' last axis is to be trained: a recurrent node
            has two biases that are summed.
        norm: whether a BatchNormalization behind it was folded into its weights.
        quantised: whether its weights come out of a quantisation.
    """

    node: str
    weights: tuple[str, ...]
    bias: tuple[str, ...]
    half: bool
    norm: bool
    quantised: bool


def tensors_of(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Return the float initialisers and constants of all graphs by a key: the tensor's name.

    The key of a tensor inside a body begins with the node that holds the body. The tensors are those
    of the model, not copies.
    """
    return dict(_tensors(model.graph, ""))


def _tensors(graph: onnx.GraphProto, prefix: str) -> Iterator[tuple[str, onnx.TensorProto]]:
    for tensor in graph.initializer:
        if tensor.data_type in _FLOATS:
            yield prefix + tensor.name, tensor
    for node in graph.node:
        held = _constant_of(node)
        if held is not None and held.data_type in _FLOATS:
            yield prefix + node.output[0], held
        for place, inner in _inner(node, prefix):
            yield from _tensors(inner, place)


def _inner(node: onnx.NodeProto, prefix: str) -> Iterator[tuple[str, onnx.GraphProto]]:
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
        for number, graph in enumerate(graphs):
            holder = next((output for output in node.output if output), node.name)
            yield f"{prefix}{holder}/{attribute.name}{number or ''}/", graph


def _constant_of(node: onnx.NodeProto) -> onnx.TensorProto | None:
    if node.op_type != "Constant":
        return None
    return next((item.t for item in node.attribute if item.name == "value"), None)


def values_of(tensor: onnx.TensorProto) -> np.ndarray:
    """Return a tensor's values in its type."""
    return np.asarray(numpy_helper.to_array(tensor))


def put_values(tensor: onnx.TensorProto, values: np.ndarray) -> None:
    """Replace a tensor's values in place: name, type, shape and remarks stay.

    Args:
        tensor: the tensor.
        values: of its type and shape.
    """
    for field in ("float_data", "int32_data", "double_data"):
        tensor.ClearField(field)
    tensor.raw_data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def feeds_of(model: onnx.ModelProto, kept_norms: Collection[str]) -> list[Feed]:
    """List what every product with constant float weights reads.

    Args:
        model: the user's model.
        kept_norms: outputs of the BatchNormalizations that were not folded.
    """
    tensors = tensors_of(model)
    walked = model
    if model.functions:
        # Where onnx can't inline (it raises many types), the loader leaves calls as they are too.
        with contextlib.suppress(Exception):
            walked = inliner.inline_local_functions(without_large_constants(model))
    walk = _Walk(tensors, kept_norms, use_counts(walked))
    initialisers = {tensor.name for tensor in model.graph.initializer}
    walk.graph(walked.graph, "", ChainMap(), initialisers)
    return walk.feeds


class _Walk:
    """A walk through the graphs of a model.

    Attributes:
        feeds: the products met.
    """

    def __init__(
        self,
        tensors: Mapping[str, onnx.TensorProto],
        kept_norms: Collection[str],
        uses: Mapping[str, int],
    ) -> None:
        self.feeds: list[Feed] = []
        self._sizes = {key: int(np.prod(held.dims)) for key, held in tensors.items()}
        self._kept_norms = kept_norms
        self._uses = uses
        self._quantised: set[str] = set()

    def graph(
        self,
        graph: onnx.GraphProto,
        prefix: str,
        outer: ChainMap[str, tuple[str, ...] | None],
        initialisers: Collection[str],
    ) -> None:
        """Walk through a graph.

        Args:
            graph: the graph; its nodes are in topological order.
            prefix: of its tensors' keys.
            outer: by tensor around it, the float tensors of the file that it depends on; None where
                it depends on activations.
            initialisers: names of its initialisers.
        """
        known = outer.new_child()
        known.update({value.name: None for value in graph.input})
        known.update({name: self._held(prefix + name) for name in initialisers})
        readers = {name: node for node in graph.node for name in node.input if name}
        products = []
        for node in graph.node:
            for place, inner in _inner(node, prefix):
                self.graph(inner, place, known, {held.name for held in inner.initializer})
            if node.op_type in _PLACES:
                products.append(node)
            sources = self._sources(node, known)
            if _constant_of(node) is not None:
                sources = self._held(prefix + node.output[0])
            if sources is not None and node.op_type in _QUANTISING:
                self._quantised.update(node.output)
            if any(name in self._quantised for name in node.input) and sources is not None:
                self._quantised.update(node.output)
            known.update(dict.fromkeys(node.output, sources))
        for node in products:
            self._take(node, known, readers)

    def _held(self, key: str) -> tuple[str, ...]:
        return (key,) if key in self._sizes else ()

    def _sources(
        self, node: onnx.NodeProto, known: Mapping[str, tuple[str, ...] | None]
    ) -> tuple[str, ...] | None:
        """Return the tensors that a node's result takes its values from; None for activations.

        Of operands that meet element by element, the largest counts: the others scale or shift it.
        """
        if has_subgraph(node) or node.op_type in RANDOM:
            return None
        parts = [known.get(name) for name in node.input if name]
        given = [part for part in parts if part is not None]
        if len(given) < len(parts):
            return None
        if node.op_type in _QUANTISING:
            return given[0]
        if node.op_type == "Concat":
            return tuple(key for part in given for key in part)
        return max(given, key=self._largest, default=())

    def _largest(self, keys: Sequence[str]) -> int:
        return max((self._sizes[key] for key in keys), default=-1)

    def _take(
        self,
        node: onnx.NodeProto,
        known: Mapping[str, tuple[str, ...] | None],
        readers: Mapping[str, onnx.NodeProto],
    ) -> None:
        """Note a product, if it has activations and float weights."""
        places, bias_place = _PLACES[node.op_type]
        operands = [node.input[p] for p in places if p < len(node.input)]
        if all(known.get(name) is not None for name in node.input if name):
            return
        weights = tuple(key for name in operands for key in known.get(name) or ())
        own: tuple[str, ...] = ()
        if bias_place is not None and bias_place < len(node.input):
            own = known.get(node.input[bias_place]) or ()
        beta, added = self._behind(node, known, readers)
        self.feeds.append(
            Feed(
                node=node.name or next((name for name in node.output if name), ""),
                weights=weights,
                bias=beta or own or added,
                half=node.op_type in _RECURRENT and not beta,
                norm=bool(beta),
                quantised=any(name in self._quantised for name in operands),
            )
        )

    def _behind(
        self,
        node: onnx.NodeProto,
        known: Mapping[str, tuple[str, ...] | None],
        readers: Mapping[str, onnx.NodeProto],
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return beta of the first folded normalisation behind a product, and what is added before."""
        added: tuple[str, ...] = ()
        tensor = next((name for name in node.output if name), "")
        while self._uses[tensor] == 1 and tensor in readers:
            reader = readers[tensor]
            if reader.op_type == "BatchNormalization":
                folded = reader.input[0] == tensor and reader.output[0] not in self._kept_norms
                return (known.get(reader.input[2]) or ()) if folded else (), added
            if reader.op_type in ("Add", "Sub"):
                others = [name for name in reader.input if name != tensor]
                constant = known.get(others[0]) if others else None
                if constant is None:
                    break
                added = added or constant
            elif reader.op_type not in _PASSED:
                break
            tensor = reader.output[0]
        return (), added
