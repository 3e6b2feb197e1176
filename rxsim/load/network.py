"""The loaded network: the user's model, its normalised graph, its layers, and the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from rxsim.errors import ModelError
from rxsim.load.checks import check_layers, check_names, check_nodes, check_sizes
from rxsim.load.digital import reason_for
from rxsim.load.inputs import InputSpec, input_specs
from rxsim.load.layers import find_layers
from rxsim.load.onnx_file import IN_MEMORY, Original, name_nodes, read_onnx, take_onnx
from rxsim.load.outputs import default_output
from rxsim.load.passes.bodies import lift_constants, name_inner_nodes, nodes_looked_at
from rxsim.load.passes.carried import take_out_carried
from rxsim.load.passes.fold_batchnorm import fold_batchnorm
from rxsim.load.passes.fold_before import fold_before
from rxsim.load.passes.fold_constants import fold_constants
from rxsim.load.passes.fold_scale import fold_scale
from rxsim.load.passes.inline_if import inline_ifs
from rxsim.load.passes.orient import orient
from rxsim.load.passes.unsaturated import unsaturate
from rxsim.load.passes.upgrade import upgrade
from rxsim.onnx_graph import all_nodes, has_files, large_bytes
from rxsim.operators import Layer, mappable_types, user_op
from rxsim.spilled import Spill, constants_aside

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class DigitalNode:
    """A node that stays digital, and why."""

    name: str
    op: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Network:
    """A network ready to be mapped.

    Attributes:
        path: the user's file; its name alone stands for a model in memory.
        identity: SHA-256 of the file, or of the bytes of a model in memory.
        original: the user's model as read (nodes named): what `float32` runs.
        model: the normalised graph that layers refer to and that is patched.
        layers: the mappable layers in topological order.
        digital: every other node, with its reason.
        inputs: the input tensors that need data.
        output: the tensor that is evaluated where nobody names one.
        as_float32: types of the file for which float32 stands, because onnxruntime can't compute in
            them.
        held: the file that constants of the graphs lie in; None for none.
    """

    path: Path
    identity: str
    original: onnx.ModelProto
    model: onnx.ModelProto
    layers: tuple[Layer, ...]
    digital: tuple[DigitalNode, ...]
    inputs: tuple[InputSpec, ...]
    output: str
    as_float32: tuple[str, ...] = ()
    held: Spill | None = None

    @property
    def fixed_batch(self) -> int | None:
        """The batch size that the file prescribes, or None where it is free; 1 where there is none."""
        batches = [spec.batch for spec in self.inputs if spec.batch_axis is not None]
        return next((size for size in batches if size is not None), None) if batches else 1


def left_digital(network: Network, nodes: Collection[str], reason: str) -> Network:
    """Leave the layers of some nodes digital.

    Args:
        network: the network.
        nodes: their names.
        reason: why, in words for the report.

    Raises:
        ModelError: no layer is left.
    """
    if not nodes:
        return network
    gone = [layer for layer in network.layers if layer.node.name in nodes]
    kept = [layer for layer in network.layers if layer.node.name not in nodes]
    if not kept:
        raise ModelError(
            f"model {network.path} has no layer that a crossbar can hold ({gone[0].name} "
            f"({gone[0].op}): {reason}), expected one at least"
        )
    indices = {layer.index for layer in kept}
    return replace(
        network,
        layers=tuple(
            layer if layer.arrays_of in indices else replace(layer, arrays_of=layer.index)
            for layer in kept
        ),
        digital=(
            *network.digital,
            *(DigitalNode(layer.node.name, layer.op, reason) for layer in gone),
        ),
    )


def load_network(source: Path | onnx.ModelProto, fold: str = "exact") -> Network:
    """Read and normalise an ONNX file, or a model that is in memory.

    Args:
        source: the file, or the model.
        fold: the setting `mapping.fold`: what becomes part of the weights.

    Raises:
        ModelError: not ONNX, damaged, can't be normalised, or without a mappable layer.
    """
    path = source if isinstance(source, Path) else IN_MEMORY
    read = read_onnx(source) if isinstance(source, Path) else take_onnx(source)
    original = read.model
    check_names(original, path)
    check_sizes(original, path)
    # What passes make of weights that lie in files lies in a file too.
    values = large_bytes(original) // _FLOAT_BYTES if has_files(original) else 0
    with constants_aside(values) as held:
        return _network(read, path, fold, held)


def _network(read: Original, path: Path, fold: str, held: Spill | None) -> Network:
    original = read.model
    model = onnx.ModelProto()
    model.CopyFrom(original)
    unsaturate(original)
    model = upgrade(model, path.name)
    name_nodes(model)
    take_out_carried(model)
    lift_constants(model)
    fold_constants(model)
    while inline_ifs(model):
        name_nodes(model)
        fold_constants(model)
    reasons = _fold_into_weights(model, fold)
    name_inner_nodes(model)
    # What `orient` adds is ours, not the user's.
    users = {node.name for node in nodes_looked_at(model)}
    orient(model)
    name_nodes(model)
    name_inner_nodes(model)
    check_nodes(model, path)
    layers, declined = find_layers(model)
    if not layers:
        raise ModelError(
            f"model {path} has no layer that a crossbar can hold {_in_the_way(model, declined)}"
        )
    check_layers(model, layers, path)
    reasons.update(declined)
    mapped = {layer.node.name for layer in layers}
    digital = tuple(
        DigitalNode(
            node.name,
            user_op(node),
            reasons.get(node.name) or reason_for(node.op_type, node.domain),
        )
        for node in nodes_looked_at(model)
        if node.name in (users | declined.keys()) - mapped
    )
    return Network(
        path=path,
        identity=read.identity,
        original=original,
        model=model,
        layers=tuple(layers),
        digital=digital,
        inputs=input_specs(model, path, original),
        output=default_output(original),
        as_float32=read.as_float32,
        held=held,
    )


def _in_the_way(model: onnx.ModelProto, declined: Mapping[str, str]) -> str:
    """Name the operators that stand in the way of mapping, and what could be mapped."""
    ops = {node.name: user_op(node) for node in all_nodes(model.graph)}
    reasons = [f"{name} ({ops[name]}): {reason}" for name, reason in declined.items()]
    if not reasons:
        kinds = Counter(node.op_type for node in all_nodes(model.graph))
        reasons = [f"it is made of {', '.join(kind for kind, _ in kinds.most_common(5))}"]
    *others, last = mappable_types()
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    frozen = any("activations" in reason or "not constant" in reason for reason in reasons)
    advice = "; if these are weights, freeze them and export the model again" if frozen else ""
    return (
        f"({'; '.join(reasons[:3])}{more}), expected a {', '.join(others)} or {last} with constant "
        f"weights{advice}"
    )


def _fold_into_weights(model: onnx.ModelProto, fold: str) -> dict[str, str]:
    """Fold constants around products into their weights; say of some that stay why."""
    if fold == "none":
        norms = (node.name for node in model.graph.node if node.op_type == "BatchNormalization")
        return dict.fromkeys(norms, "normalisation (mapping.fold is none)")
    fold_batchnorm(model)
    if fold == "batchnorm":
        return {}
    fold_scale(model)
    return fold_before(model)
