"""LSTM: c' = f c + i g and h' = o tanh(c'), with gates i, o, f and peepholes from c to them."""

from __future__ import annotations

from collections.abc import Mapping

from rxsim.operators import Operator
from rxsim.operators._recurrent import Recurrent
from rxsim.operators._sequence import Step


class Lstm(Recurrent):
    """Long short-term memories; the columns of their matrices are the gates i, o, f and c."""

    op_types = (("", "LSTM"),)
    gates = 4
    states = 2
    usual = ("Sigmoid", "Tanh", "Tanh")

    def step(
        self, step: Step, driven: str, states: list[str], given: Mapping[str, object]
    ) -> list[str]:
        """Write the gates and the two states."""
        hidden, cell = states
        product = step.product(hidden, step.direction.recurrent, "recurrent")
        total = step.add("Add", [driven, product], "sum")
        in_sum, out_sum, forget_sum, new_sum = step.split(total, self.gates)
        taken = step.activate(0, _peep(step, in_sum, cell, 0), "input_gate")
        if given.get("input_forget", 0):
            forget = step.rest(taken, "forget_gate")
        else:
            forget = step.activate(0, _peep(step, forget_sum, cell, 2), "forget_gate")
        new = step.activate(1, new_sum, "cell_gate")
        kept = step.add("Mul", [forget, cell], "kept")
        cell = step.add("Add", [kept, step.add("Mul", [taken, new], "new")], "cell")
        given_out = step.activate(0, _peep(step, out_sum, cell, 1), "output_gate")
        # Source: onnxruntime's LSTM kernel: `clip` bounds what goes into the gates, not the cell.
        bent = step.activate(2, cell, "cell_out", clipped=False)
        return [step.add("Mul", [given_out, bent], "hidden"), cell]


def _peep(step: Step, total: str, cell: str, place: int) -> str:
    """Add what a gate sees of the cell."""
    peepholes = step.direction.peepholes
    if peepholes is None:
        return total
    weight = step.build.constant("peephole", peepholes[place])
    return step.add("Add", [total, step.add("Mul", [weight, cell], "seen")], "peeped")


OPERATOR: Operator = Lstm()
