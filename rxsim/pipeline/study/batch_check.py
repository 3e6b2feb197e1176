"""Whether the axis that is taken for the batch is one, and which other could be, tried by runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rxsim.data import made_up_inputs
from rxsim.errors import RxsimError
from rxsim.load import InputSpec, Network
from rxsim.load.inputs import named_batch, with_batches
from rxsim.onnx_graph import all_nodes
from rxsim.pipeline.study.make_up import is_text, recipes_of
from rxsim.run import FREE_BATCH, Companions, OutputAxis
from rxsim.session import Inputs, Session

# Assumption: one of so many inputs is another than the first.
_LOOKED_AT = 8
_BY_RANGE = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")
"""Operators whose scale follows from the values of the whole batch."""


def _branches_by_values(network: Network) -> str:
    """Name an If whose condition follows from the values of an input with a batch; empty for none."""
    batched = {spec.name for spec in network.inputs if spec.batch_axis is not None}
    follows = set(batched)
    for node in network.model.graph.node:  # in topological order
        if node.op_type == "If" and node.input[0] in follows:
            return str(node.name)
        if node.op_type not in ("Shape", "Size") and follows.intersection(node.input):
            follows.update(name for name in node.output if name)
    return ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BatchCheck:
    """What it takes to look at a network's batch.

    Attributes:
        network: the network, with what the user states.
        session: of the network.
        output: the tensor that is evaluated.
        main: the input whose batch axis the others follow.
        inputs: the evaluated inputs.
        others: inputs to take a companion from where there is but one.
        stated: the batch axes that the user states, by input name.
    """

    network: Network
    session: Session
    output: str
    main: InputSpec
    inputs: Inputs
    others: Inputs
    stated: Mapping[str, int | None]

    def checked(self, found: OutputAxis) -> OutputAxis:
        """Return how the output follows the batch, where inputs turn out not to be independent.

        A free batch is run one input at a time; a fixed one can't be evaluated, unless the user states
        its axis. Where another axis of the main input can be the batch, it is named and nothing is
        evaluated.
        """
        if found.problem:
            return replace(found, problem=f"{found.problem}; {self._advice(self._candidates())}")
        stated, free = self.main.name in self.stated, self.network.fixed_batch is None
        place = self._place()
        if found.axis is None:
            candidates = self._candidates() if free and not stated else []
            if not candidates:
                return found
            problem = (
                f"model {self.network.path.name}: found no axis of the output {self.output} for "
                f"{place}, which is taken for the batch, expected one; {self._advice(candidates)}"
            )
            return replace(found, problem=f"{problem} ({self._all_the_same()})")
        branching = _branches_by_values(self.network) if free and not found.one_by_one else ""
        if branching:
            note = (
                f"model {self.network.path.name}: its node {branching} (If) decides by the values of "
                "all inputs of a batch: inputs are run one at a time"
            )
            return OutputAxis(None, one_by_one=True, note=note)
        if self._independent(found.axis) is not False:
            return found
        why = (
            f"model {self.network.path.name}: found that an input's output depends on what stands "
            f"beside it along {place}, which is taken for the batch{self._known_reason()}"
        )
        alone = OutputAxis(None, one_by_one=True)
        if stated:
            note = f"warning: {why}; the axis is as you state it"
            return (
                replace(alone, note=f"{note}, and inputs are run one at a time")
                if free
                else replace(found, note=note)
            )
        candidates = self._candidates()
        if free and not candidates:
            note = f"{why}: inputs are run one at a time"
            if not self._known_reason():
                note += (
                    "; if that axis is a sequence or nodes of one input, state --batch-axis "
                    f"{self.main.name}=none"
                )
            return replace(alone, note=note)
        if not free and self._known_reason():
            return replace(found, note=f"warning: {why}; export it with a free batch")
        problem = f"{why}, expected independent inputs; {self._advice(candidates)}"
        return replace(found, problem=f"{problem} ({self._all_the_same()})")

    def _all_the_same(self) -> str:
        return f"--batch-axis {self.main.name}={self.main.batch_axis} takes it all the same"

    def _place(self) -> str:
        axis = self.main.batch_axis or 0
        name = self.main.axis_name(axis)
        return f"axis {axis}{f' ({name})' if name else ''} of {self.main.name}"

    def _known_reason(self) -> str:
        ops = {node.op_type for node in all_nodes(self.network.original.graph)}
        found = [op for op in _BY_RANGE if op in ops]
        return f" ({found[0]} takes its scale from the whole batch)" if found else ""

    def _advice(self, candidates: list[int]) -> str:
        name = self.main.name
        if candidates:
            return f"state --batch-axis {name}={candidates[0]}, along which inputs are independent"
        return f"state --batch-axis {name}=none if all of {name} is one input"

    def _independent(self, axis: int) -> bool | None:
        one = self.inputs.feeds(0, 1)
        other = self._companion(one)
        if other is None:
            return None
        axes = {spec.name: spec.batch_axis for spec in self.network.inputs}
        companions = Companions(
            session=self.session, output=self.output, one=one, other=other, axes=axes
        )
        return companions.independent(axis, self.network.fixed_batch)

    def _companion(self, one: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray] | None:
        """Return an input of the same shape that is not the same; None where none is at hand."""
        for held, first in ((self.inputs, 1), (self.others, 0)):
            for place in range(first, min(len(held), _LOOKED_AT)):
                other = held.feeds(place, place + 1)
                alike = all(other[name].shape == tensor.shape for name, tensor in one.items())
                if alike and any((other[name] != tensor).any() for name, tensor in one.items()):
                    return other
        return None

    def _candidates(self) -> list[int]:
        """Return other axes of the main input along which inputs are independent, tried by runs.

        Beside a free batch axes of length 1 are none: nothing tells them from any other.
        """
        one = self.inputs.feeds(0, 1, self.network.fixed_batch or FREE_BATCH)
        shapes = {name: tensor.shape for name, tensor in one.items()}
        usable = self.main.name in shapes and not any(map(is_text, self.network.inputs))
        axes = range(len(self.main.shape)) if usable else []
        return [a for a in axes if a != self.main.batch_axis and self._could_be(a, shapes)]

    def _could_be(self, axis: int, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Tell whether an axis of the main input could be the batch."""
        size = shapes[self.main.name][axis]
        if size == 1 and self.network.fixed_batch is None:
            return False
        try:
            companions = self._made_up(axis, shapes)
            alike = companions.alike(size)
            places = [at for at, length in enumerate(alike.shape) if length == size]
            if not places or not companions.matters(size):
                return False
            if size == 1:  # one input at a time, which is right for any axis that holds one
                return True
            return any(companions.independent(place, size) for place in places)
        except (RxsimError, ValueError, ArithmeticError):
            return False

    def _made_up(self, axis: int, shapes: Mapping[str, tuple[int, ...]]) -> Companions:
        """Make up two inputs of a network whose batch lies along another axis."""
        sized = [replace(spec, shape=shapes[spec.name]) for spec in self.network.inputs]
        specs = with_batches(sized, self.main.name, {**self.stated, self.main.name: axis})
        main = next(spec for spec in specs if spec.name == self.main.name)
        recipes, _ = recipes_of(self.network, specs, main, {})
        held = made_up_inputs(recipes, 2, calibration=False, seed=0)
        return Companions(
            session=self.session,
            output=self.output,
            one=held.feeds(0, 1),
            other=held.feeds(1, 2),
            axes={spec.name: spec.batch_axis for spec in specs},
        )


def note_on_steps(main: InputSpec, stated: Mapping[str, int | None]) -> str:
    """Say that a batch axis follows from what reads the input; empty where it is stated or named."""
    if not main.stepped_by or main.batch_axis != 1 or main.name in stated:
        return ""
    if named_batch(main) is not None:
        return ""
    return (
        f"{main.stepped_by} goes along axis 0 of {main.name} step by step: axis 1 is taken for the "
        f"batch (--batch-axis {main.name}=K states another)"
    )
