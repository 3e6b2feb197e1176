"""Prune a network by structure: the output filters of smallest norm become zero, the graph stays.

Usage: python scripts/prune_structure.py MODEL.onnx --share 0.5 -o OUT.onnx [--keep PATTERN ..]

In every Conv, ConvTranspose, Gemm and MatMul whose weights are an initializer, that share of the
outputs (rounded down) whose weights have the smallest L2 norm is set to 0. The last of these layers
decides between classes and stays as it is, and so do those that --keep names. Bias and normalisation
stay: a pruned output is a constant. Nothing is trained again, so accuracy falls.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from rxsim.errors import InputError, RxsimError
from rxsim.files import check_destination
from rxsim.load.write import write_onnx

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was done to a layer.

    Attributes:
        name: of its node, else of its output.
        filters: outputs of all groups.
        zeroed: of these.
    """

    name: str
    filters: int
    zeroed: int


def pruned(
    model: onnx.ModelProto, share: float, keep: Sequence[str] = ()
) -> tuple[onnx.ModelProto, list[Pruned]]:
    """Return a copy of a model with filters set to 0, and what was done to each of its layers.

    Args:
        model: the model; left as it is.
        share: of each layer's outputs, in [0, 1).
        keep: names of layers, or patterns, that stay as they are.

    Raises:
        InputError: the share is out of range, or no layer can be pruned.
    """
    if not 0 <= share < 1:
        raise InputError(f"--share: found {share:g}, expected 0 or above and below 1")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in copy.graph.initializer}
    layers = list(_layers(copy.graph, tensors))
    if not layers:
        raise InputError(
            "found no Conv, ConvTranspose, Gemm or MatMul whose weights are an initializer of floats, "
            "expected one at least; prune an unquantised network"
        )
    done: list[Pruned] = []
    last = layers[-1][1]
    kept = {last} | {
        tensor for name, tensor, _ in layers if any(fnmatchcase(name, each) for each in keep)
    }
    seen: set[str] = set()
    for name, tensor, axes in layers:
        if tensor in seen:  # layers that share weights are pruned once
            continue
        seen.add(tensor)
        weights = numpy_helper.to_array(tensors[tensor]).copy()
        chosen = smallest(weights, axes, 0.0 if tensor in kept else share)
        np.moveaxis(weights, axes, range(len(axes)))[chosen] = 0
        tensors[tensor].CopyFrom(numpy_helper.from_array(weights, tensor))
        done.append(Pruned(name, chosen.size, int(chosen.sum())))
    return copy, done


def smallest(weights: np.ndarray, axes: tuple[int, ...], share: float) -> np.ndarray:
    """Choose the outputs of smallest L2 norm.

    Args:
        weights: of a layer.
        axes: along which its outputs lie.
        share: of them, rounded down.

    Returns:
        bool, of the lengths of these axes.
    """
    others = tuple(axis for axis in range(weights.ndim) if axis not in axes)
    norms = np.sqrt(np.square(weights.astype(np.float64)).sum(axis=others))
    lengths = tuple(weights.shape[axis] for axis in sorted(axes))
    chosen = np.zeros(norms.size, dtype=bool)
    # A share such as 0.29 of 100 filters is 28.999.. of them in floats.
    count = int(np.floor(share * norms.size + 1e-9))
    chosen[np.argsort(norms.ravel(), kind="stable")[:count]] = True
    return chosen.reshape(lengths)


def _layers(
    graph: onnx.GraphProto, tensors: dict[str, onnx.TensorProto]
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """List name, weights and the axes of the outputs of what can be pruned, in the graph's order."""
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or len(node.input) < 2:
            continue
        tensor = tensors.get(node.input[1])
        if tensor is None or tensor.data_type not in _FLOATS or len(tensor.dims) < 2:
            continue
        given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        last = len(tensor.dims) - 1
        axes = {
            "Conv": (0,),
            # Weights are (C_in, C_out / groups, *kernel): an output's are those of all inputs.
            "ConvTranspose": (1,),
            "Gemm": (0 if given.get("transB", 0) else 1,),
            "MatMul": (last,),
        }.get(node.op_type)
        if axes is not None:
            yield node.name or node.output[0], node.input[1], axes


def main() -> int:
    """Prune a file; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of each layer's outputs")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--keep", action="append", default=[], metavar="PATTERN")
    given = parser.parse_args()
    try:
        check_destination(given.output, [given.model])
        try:
            model = onnx.load(given.model)
        except (OSError, DecodeError) as error:
            raise InputError(f"{given.model}: found {error}, expected an ONNX file") from error
        copy, done = pruned(model, given.share, given.keep)
        write_onnx(given.output, copy)
    except RxsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for layer in done:
        print(f"{layer.name}: {layer.zeroed} of {layer.filters} outputs set to 0")
    return 0


if __name__ == "__main__":
    sys.exit(main())
