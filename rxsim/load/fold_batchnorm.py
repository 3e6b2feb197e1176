"""Pass: fold BatchNormalization into the Conv or Gemm before it, as a chip would be programmed.

Needs constant weights and statistics, and a producer whose result nothing else reads. The producer
keeps its name and takes over the normalisation's output. Anything else is left as it is (digital).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from rxsim.load.graph import (
    attributes,
    constants,
    drop_unused_constants,
    fresh_name,
    set_constant,
    taken_names,
    use_counts,
)


def fold_batchnorm(model: onnx.ModelProto) -> None:
    """Fold every BatchNormalization that follows a Conv or Gemm with constant weights, in place."""
    producers = {output: node for node in model.graph.node for output in node.output if output}
    known, taken, uses = constants(model), taken_names(model), use_counts(model)
    for norm in [node for node in model.graph.node if node.op_type == "BatchNormalization"]:
        producer = producers.get(norm.input[0])
        if producer is None or producer.op_type not in ("Conv", "Gemm"):
            continue
        if uses[norm.input[0]] != 1 or attributes(norm).get("training_mode", 0):
            continue
        values = _folded(known, producer, norm)
        if values is None:
            continue
        _replace_constants(model, producer, values, taken)
        known.update((tensor.name, tensor) for tensor in model.graph.initializer[-2:])
        producer.output[0] = norm.output[0]
        producers[norm.output[0]] = producer
        model.graph.node.remove(norm)
    drop_unused_constants(model)


def _folded(
    known: Mapping[str, onnx.TensorProto], producer: onnx.NodeProto, norm: onnx.NodeProto
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the folded weight and bias of one pair; None where it can't be done."""
    bias_name = producer.input[2] if len(producer.input) > 2 else ""
    needed = [producer.input[1], *norm.input[1:5], *([bias_name] if bias_name else [])]
    if any(name not in known for name in needed):
        return None
    gamma, beta, mean, variance = (
        numpy_helper.to_array(known[name]).astype(np.float64) for name in norm.input[1:5]
    )
    stored = numpy_helper.to_array(known[producer.input[1]])
    given = attributes(producer)
    column_axis = 0 if producer.op_type == "Conv" or given.get("transB", 0) else 1
    columns = (stored.shape[column_axis],)
    if stored.dtype.kind != "f" or {part.shape for part in (gamma, beta, mean, variance)} != {
        columns
    }:
        return None
    if bias_name and not _spreads(known[bias_name].dims, columns):
        return None
    with np.errstate(all="ignore"):
        factor = gamma / np.sqrt(variance + attributes(norm).get("epsilon", 1e-5))
        bias = numpy_helper.to_array(known[bias_name]).astype(np.float64) if bias_name else 0.0
        if producer.op_type == "Gemm":
            bias = given.get("beta", 1.0) * bias
        shape = [1] * stored.ndim
        shape[column_axis] = -1
        weight = np.empty_like(stored)
        # In float64 and rounded once, without a copy of the weights in float64.
        np.multiply(
            stored, factor.reshape(shape), out=weight, dtype=np.float64, casting="same_kind"
        )
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


def _replace_constants(
    model: onnx.ModelProto,
    producer: onnx.NodeProto,
    values: tuple[np.ndarray, np.ndarray],
    taken: set[str],
) -> None:
    """Give a producer its folded weight and bias; a Gemm's `beta` is in the bias by now."""
    for item in [item for item in producer.attribute if item.name == "beta"]:
        producer.attribute.remove(item)
    for position, (value, label) in enumerate(zip(values, ("weight", "bias"), strict=True), 1):
        name = fresh_name(taken, f"{producer.name}.{label}_folded")
        set_constant(model, name, value)
        if position < len(producer.input):
            producer.input[position] = name
        else:
            producer.input.append(name)
