"""RNN: h' = f(x W + h R + b)."""

from __future__ import annotations

from collections.abc import Mapping

from rxsim.operators import Operator
from rxsim.operators._recurrent import Recurrent
from rxsim.operators._sequence import Step


class Rnn(Recurrent):
    """Plain recurrent layers."""

    op_types = (("", "RNN"),)
    gates = 1
    states = 1
    usual = ("Tanh",)

    def step(
        self, step: Step, driven: str, states: list[str], given: Mapping[str, object]
    ) -> list[str]:
        """Write the only gate."""
        product = step.product(states[0], step.direction.recurrent, "recurrent")
        return [step.activate(0, step.add("Add", [driven, product], "sum"), "hidden")]


OPERATOR: Operator = Rnn()
