"""An ONNX graph as a torch Module: a small interpreter of the operators of classifiers.

`OnnxModule` runs the normalised graph of a loaded network (`Network.model`), or a graph that rxsim
has patched, node by node in the graph's order. Nodes are read once, when the module is built: each
becomes a kernel, a function of tensors with its attributes, shapes, axes and bounds bound to it; what
can't be computed is told then, of all nodes at once. The files of `onnx_operators` make the kernels.

Initialisers keep their names and their types. Floats that are trained are Parameters, all others are
buffers. Shapes, axes and indices, and the bounds of Clip and exponents of Pow that nobody trains, are
read once: to change these buffers later has no effect. An inner tensor goes after its last use.
The values of Pad's fill and of Resize's scales get no gradient.

Gradients are straight-through where wanted (`straight_through.py`): with them a patched network, whose
converters round, can be trained.

    module = OnnxModule(network.model, trainable=lambda name: name.endswith("weight"))
    scores = module({"input": images}, ["logits"])["logits"]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import numpy as np
import onnx

from rxsim.errors import InputError, ModelError
from rxsim.folders import Folder
from rxsim.onnx_graph import attributes, values_of
from rxsim.retrain.initialisers import Trained, held_as, stored_values, trained_names
from rxsim.retrain.node import Kernel, Node, UnsupportedError
from rxsim.retrain.onnx_operators.conversions import TYPES
from rxsim.retrain.straight_through import Wiring, floats_of, straightened
from rxsim.retrain.torch_library import Tensor, torch

Hook = Callable[[onnx.NodeProto, Sequence[Tensor | None]], Tensor | Sequence[Tensor]]
"""`hook(node, inputs)`: the outputs of a node, in place of the node's own kernel."""

_KINDS: Folder[Mapping[str, Callable[[Node], Kernel]]] = Folder(
    "rxsim.retrain.onnx_operators", "OPERATORS"
)


@cache
def operators() -> Mapping[str, Callable[[Node], Kernel]]:
    """Return the makers of kernels by the name of their operator."""
    return {name: make for kind in _KINDS.all().values() for name, make in kind.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A node, ready to run.

    Attributes:
        node: the node.
        wiring: its kernel, with the tensors that it reads and writes.
    """

    node: onnx.NodeProto
    wiring: Wiring


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is to be run for some outputs.

    Attributes:
        steps: in order, each with the names that nobody reads after it.
        constants: names of the initialisers that are read.
    """

    steps: Sequence[tuple[_Step, tuple[str, ...]]]
    constants: tuple[str, ...]


class OnnxModule(torch.nn.Module):
    """A graph whose initialisers are the module's parameters and buffers.

    Attributes:
        inputs: names of the graph's inputs.
        outputs: names of the graph's outputs.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        trainable: Trained = (),
        *,
        straight_through: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        """Read a graph.

        Args:
            model: the model, left as it is; its nodes in topological order and without inner graphs.
            trainable: which float initialisers are Parameters: their names, or what tells for a name.
            straight_through: let gradients pass through rounding and integers as identity; else they
                are 0 there.
            generator: of the numbers that random operators draw; without it such operators are refused.

        Raises:
            ModelError: it holds what can't be computed; all such nodes are named.
            InputError: `trainable` names what is no float initialiser.
        """
        super().__init__()
        stored = dict(stored_values(model))
        trained = trained_names(stored, trainable)
        self.inputs = tuple(v.name for v in model.graph.input if v.name not in stored)
        self.outputs = tuple(value.name for value in model.graph.output)
        fixed = {}
        for name, tensor in stored.items():
            values = np.array(values_of(tensor))
            held = torch.from_numpy(values).to(TYPES[tensor.data_type])
            if name in trained:
                self.register_parameter(held_as(name), torch.nn.Parameter(held))
            else:
                self.register_buffer(held_as(name), held)
                fixed[name] = values
        self._held = {name: held_as(name) for name in stored}
        self._beside = set[str]()
        beside = self._beside if straight_through else None
        self._steps = _steps(model, fixed, stored, generator=generator, beside=beside)
        self._nodes = {step.node.name for step in self._steps}
        self._plans: dict[tuple[tuple[str, ...], frozenset[str]], _Plan] = {}

    def forward(
        self,
        feeds: Mapping[str, Tensor],
        outputs: Sequence[str] | None = None,
        hooks: Mapping[str, Hook] | None = None,
    ) -> dict[str, Tensor]:
        """Run the graph.

        Args:
            feeds: the graph's inputs by name; an inner tensor that is given is not computed.
            outputs: names of the wanted tensors, inner ones too; None: the graph's outputs.
            hooks: by name of the node what computes its outputs in place of its kernel.

        Returns:
            The wanted tensors by name.

        Raises:
            InputError: an input is missing, or a tensor or node of that name does not exist.
            ModelError: a node can't compute with the tensors that it gets.
        """
        wanted, hooks = self.outputs if outputs is None else tuple(outputs), hooks or {}
        unknown = sorted(set(hooks) - self._nodes)
        if unknown:
            raise InputError(
                f"found no node {unknown[0]!r} to hook, expected a node of the network"
            )
        for name, given in feeds.items():
            if not isinstance(given, torch.Tensor):
                raise InputError(
                    f"found a {type(given).__name__} for {name}, expected a torch.Tensor"
                )
        known: dict[str, Tensor | None] = dict(feeds)
        known.update(dict.fromkeys(floats_of(name) for name in feeds if name in self._beside))
        plan = self._plan(wanted, frozenset(known))
        known.update((name, self.value(name)) for name in plan.constants)
        for step, done in plan.steps:
            _run(step, known, hooks.get(step.node.name) if hooks else None)
            for name in done:
                del known[name]
        return {name: cast(Tensor, known[name]) for name in wanted}

    def value(self, name: str) -> Tensor:
        """Return the Parameter or buffer of an initialiser.

        Raises:
            InputError: there is no initialiser of this name.
        """
        held = self._held.get(name, "")
        found = self._parameters.get(held)
        found = self._buffers.get(held) if found is None else found
        if found is None:
            raise InputError(
                f"found no initialiser {name!r}, expected one of the {len(self._held)} of the network"
            )
        return found

    def trained(self) -> dict[str, torch.nn.Parameter]:
        """Return the Parameters by the names of their initialisers, in the file's order."""
        held = ((name, self._parameters.get(held)) for name, held in self._held.items())
        return {name: parameter for name, parameter in held if parameter is not None}

    def _plan(self, wanted: tuple[str, ...], fed: frozenset[str]) -> _Plan:
        """Return the steps that lead from what is fed to what is wanted."""
        key = (wanted, fed)
        if key not in self._plans:
            self._plans[key] = _planned(self._steps, wanted, fed, self._held)
        return self._plans[key]


def _steps(
    model: onnx.ModelProto,
    fixed: Mapping[str, np.ndarray],
    stored: Mapping[str, onnx.TensorProto],
    *,
    generator: torch.Generator | None,
    beside: set[str] | None,
) -> list[_Step]:
    """Make the kernel of every node.

    Args:
        model: the model.
        fixed: values of the constants that nobody trains.
        stored: all constants.
        generator: of random numbers.
        beside: takes the names of the integers that floats accompany; None where gradients are not
            straight-through.

    Raises:
        ModelError: naming all nodes for which there is none.
    """
    versions = {item.domain: item.version for item in model.opset_import}
    opset = versions.get("", versions.get("ai.onnx", 1))
    types = {name: tensor.data_type for name, tensor in stored.items()}
    steps, refused = [], []
    for proto in model.graph.node:
        if proto.op_type == "Constant":
            continue
        node = Node(
            proto=proto,
            opset=opset,
            attributes=_plain(proto),
            fixed=fixed,
            types=types,
            generator=generator,
        )
        try:
            plain = Wiring(
                _kernel(node), tuple(proto.input), tuple(proto.output[: node.outputs or 1])
            )
            wiring = plain if beside is None else straightened(node, plain, beside)
        except UnsupportedError as reason:
            name = proto.name or next(iter(proto.output), "")
            refused.append(f"{name} ({proto.op_type}: {reason})")
        else:
            steps.append(_Step(proto, wiring))
    if refused:
        nodes = "1 node" if len(refused) == 1 else f"{len(refused)} nodes"
        raise ModelError(
            f"found {nodes} that can't be trained through: {', '.join(refused)}, expected operators "
            "of feed-forward classifiers; export the network with others in their place"
        )
    return steps


def _kernel(node: Node) -> Kernel:
    if node.proto.domain not in ("", "ai.onnx"):
        raise UnsupportedError(f"an operator of {node.proto.domain}")
    make = operators().get(node.proto.op_type)
    if make is None:
        raise UnsupportedError("an operator that is not known")
    return make(node)


def _plain(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes, texts as str."""
    given = attributes(node).items()
    return {name: item.decode() if isinstance(item, bytes) else item for name, item in given}


def _planned(
    steps: Sequence[_Step], wanted: tuple[str, ...], fed: frozenset[str], held: Collection[str]
) -> _Plan:
    """Choose the steps that some outputs need, and note after which each tensor can go.

    Raises:
        InputError: something is needed that is neither given nor computed.
    """
    needed, chosen = {name for name in wanted if name not in fed}, []
    kept = set(wanted)
    for step in reversed(steps):
        writes = [name for name in step.wiring.writes if name and name not in fed]
        if not needed.intersection(writes):
            continue
        needed.difference_update(writes)
        reads = {name for name in step.wiring.reads if name}
        done = (reads | {name for name in step.wiring.writes if name}) - kept
        kept |= done
        needed |= reads - fed
        if fed.intersection(step.wiring.writes):
            writes = ["" if name in fed else name for name in step.wiring.writes]
            step = _Step(step.node, replace(step.wiring, writes=tuple(writes)))
            done -= fed - reads
        chosen.append((step, tuple(sorted(done))))
    missing = sorted(name for name in needed if name not in held)
    if missing:
        raise InputError(
            f"found no tensor {missing[0]!r}, expected an input that is fed or a tensor of the "
            "network; check its name"
        )
    return _Plan(chosen[::-1], tuple(sorted(needed)))


def _run(step: _Step, known: dict[str, Tensor | None], hook: Hook | None) -> None:
    """Run a step, and add what it gives to the known tensors."""
    wiring = step.wiring
    inputs = [known[name] if name else None for name in wiring.reads]
    if hook is not None:
        given = hook(step.node, inputs[: len(step.node.input)])
        values = (given,) if isinstance(given, torch.Tensor) else tuple(given)
        known.update(dict.fromkeys(wiring.writes))
        known.update(zip(wiring.writes, values, strict=False))
        return
    try:
        result = wiring.kernel(*inputs)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        shapes = ", ".join("none" if x is None else str(list(x.shape)) for x in inputs)
        reason = str(error).strip().split("\n")[0]
        raise ModelError(
            f"node {step.node.name or step.node.output[0]} ({step.node.op_type}) can't compute with "
            f"tensors of the shapes {shapes}: {reason}; check the inputs"
        ) from error
    if len(wiring.writes) == 1:
        known[wiring.writes[0]] = result
    else:
        known.update(zip(wiring.writes, result, strict=True))
