"""Pass: fold BatchNormalization into the product before it, as a chip would be programmed.

Needs constant weights and statistics, and a producer whose result nothing else reads. The producer
keeps its name and takes over the normalisation's output. Anything else is left as it is (digital).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx

from rxsim.onnx_graph import (
    attributes,
    constants,
    drop_unused_constants,
    fresh_name,
    set_constant,
    taken_names,
    use_counts,
    values_of,
)
from rxsim.operators import Operator, operator_of


def fold_batchnorm(model: onnx.ModelProto) -> None:
    """Fold every BatchNormalization behind an operator that takes it into its weights, in place."""
    producers = {output: node for node in model.graph.node for output in node.output if output}
    known, taken, uses = constants(model), taken_names(model), use_counts(model)
    for norm in [node for node in model.graph.node if node.op_type == "BatchNormalization"]:
        producer = producers.get(norm.input[0])
        operator = None if producer is None else operator_of(producer)
        if producer is None or operator is None:
            continue
        if uses[norm.input[0]] != 1 or attributes(norm).get("training_mode", 0):
            continue
        values = _folded(known, operator, producer, norm)
        if values is None:
            continue
        names = [
            fresh_name(taken, f"{producer.name}.{label}_folded") for label in ("weight", "bias")
        ]
        for name, value in zip(names, values, strict=True):
            set_constant(model, name, value)
        operator.set_affine(producer, *names)
        known.update((tensor.name, tensor) for tensor in model.graph.initializer[-2:])
        producer.output[0] = norm.output[0]
        producers[norm.output[0]] = producer
        model.graph.node.remove(norm)
    drop_unused_constants(model)


def _folded(
    known: Mapping[str, onnx.TensorProto],
    operator: Operator,
    producer: onnx.NodeProto,
    norm: onnx.NodeProto,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return weight and bias with the normalisation folded in; None where it can't be done."""
    if any(name not in known for name in norm.input[1:5]):
        return None
    with np.errstate(all="ignore"):
        affine = operator.affine(producer, known)
        if affine is None or affine.outside:
            return None
        gamma, beta, mean, variance = (
            values_of(known[name]).astype(np.float64) for name in norm.input[1:5]
        )
        stored, columns = affine.weight, (affine.outputs,)
        if stored.dtype.kind != "f" or {part.shape for part in (gamma, beta, mean, variance)} != {
            columns
        }:
            return None
        if affine.bias is not None and not _spreads(affine.bias.shape, columns):
            return None
        factor = gamma / np.sqrt(variance + attributes(norm).get("epsilon", 1e-5))
        weight = np.empty_like(stored)
        # In float64 and rounded once, without a copy of the weights in float64.
        np.multiply(
            stored,
            affine.over_outputs(factor),
            out=weight,
            dtype=np.float64,
            casting="same_kind",
        )
        bias = 0.0 if affine.bias is None else affine.bias
        bias = ((bias - mean) * factor + beta).astype(stored.dtype)
    if not np.isfinite(weight).all() or not np.isfinite(bias).all():
        return None
    return weight, bias


def _spreads(shape: Iterable[int], target: tuple[int, ...]) -> bool:
    """Tell whether a shape broadcasts with another."""
    try:
        np.broadcast_shapes(tuple(shape), target)
    except ValueError:
        return False
    return True
