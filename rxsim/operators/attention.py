"""Attention as one node: its products of two activations stay digital, and are counted."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from rxsim.onnx_graph import Shape, attributes, n_entries
from rxsim.operators import Operator
from rxsim.operators._unmapped import Unmapped


class Attention(Unmapped):
    """Attention of ONNX (operator set 23) and onnxruntime; some nodes hold constant projections too."""

    op_types = (
        ("", "Attention"),
        *(
            ("com.microsoft", name)
            for name in (
                *("Attention", "QAttention", "PackedAttention", "LongformerAttention"),
                *("MultiHeadAttention", "PackedMultiHeadAttention", "GroupQueryAttention"),
                *("SparseAttention", "PagedAttention", "DecoderMaskedSelfAttention"),
                "DecoderMaskedMultiHeadAttention",
            )
        ),
    )
    reason = "products of two activations"

    def why_not(self, node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> str:
        """Tell whether constant projections lie in the node."""
        if node.domain == "com.microsoft" and node.input[1] in constants:
            return (
                "its constant projections are fused with products of two activations; export with the "
                "optimisation level ORT_ENABLE_BASIC and without onnxruntime's transformer optimiser"
            )
        return self.reason

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count projections, scores and weighted sums; masked entries count like others."""
        if node.domain in ("", "ai.onnx"):
            return _standard(node, shapes)
        if node.op_type in ("Attention", "QAttention"):
            return _projecting(node, shapes)
        if node.op_type in ("MultiHeadAttention", "GroupQueryAttention"):
            return _heads(node, shapes)
        return None


def _shape(
    node: onnx.NodeProto, place: int, shapes: Mapping[str, Shape | None]
) -> tuple[int, ...] | None:
    """Return the shape of an input, where all of it is known."""
    name = node.input[place] if place < len(node.input) else ""
    shape = shapes.get(name) if name else None
    return None if shape is None or n_entries(shape) is None else tuple(map(int, shape))  # type: ignore[arg-type]


def _is_given(node: onnx.NodeProto, place: int) -> bool:
    return place < len(node.input) and bool(node.input[place])


def _standard(node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
    """Count ONNX's Attention: queries of 3 or 4 axes; what is past lies before keys and values.

    Source: ONNX's Attention: Q (batch, heads, queries, length) and V (batch, heads, keys, length), or
    (batch, queries, heads * length) with the numbers of heads as attributes.
    """
    query, key, value = (_shape(node, place, shapes) for place in range(3))
    if query is None or key is None or value is None:
        return None
    past = 0
    if _is_given(node, 4):
        before = _shape(node, 4, shapes)
        if before is None:
            return None
        past = before[-2]
    keys = key[-2] + past
    if len(query) == 4:
        heads, width, out = query[1], query[3], value[3]
    else:
        given = attributes(node)
        heads, width = given["q_num_heads"], query[2] // given["q_num_heads"]
        out = value[2] // given["kv_num_heads"]
    return int(query[0] * heads * query[-2] * keys * (width + out))


def _projecting(node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
    """Count onnxruntime's Attention: input (batch, places, width), weights (width, Q and K and V)."""
    data, weights = _shape(node, 0, shapes), _shape(node, 1, shapes)
    past = 8 if node.op_type == "QAttention" else 4
    if data is None or weights is None or len(data) != 3 or _is_given(node, past):
        return None
    batch, places, width = data
    sizes = attributes(node).get("qkv_hidden_sizes") or [weights[1] // 3] * 3
    return int(batch * places * (width * weights[1] + places * (sizes[0] + sizes[2])))


def _heads(node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
    """Count attention of queries (batch, places, width) on keys and values; None where all is packed.

    Keys are (batch, places, width), or (batch, heads, places, length).
    """
    query, key, value = (_shape(node, place, shapes) for place in range(3))
    past = 6 if node.op_type == "MultiHeadAttention" else 3
    if query is None or key is None or value is None or len(query) != 3 or _is_given(node, past):
        return None
    batch, places, width = query
    keys = key[1] if len(key) == 3 else key[2]
    heads = attributes(node)["num_heads"]
    of_value = attributes(node).get("kv_num_heads", heads)
    out = value[2] // of_value if len(value) == 3 else value[3]
    return int(batch * places * keys * (width + heads * out))


OPERATOR: Operator = Attention()
