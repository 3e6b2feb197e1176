"""GRU: h' = (1 - z) n + z h, with an update gate z, a reset gate r and a new state n.

Without `linear_before_reset` the new state's recurrent matrix is driven by r h, not h: it is a product
of its own, `recurrent_h`, beside `recurrent` of the two gates.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.operators import Operator
from rxsim.operators._recurrent import Recurrent
from rxsim.operators._sequence import Direction, Step


class Gru(Recurrent):
    """Gated recurrent units."""

    op_types = (("", "GRU"),)
    gates = 3
    states = 1
    usual = ("Sigmoid", "Tanh")

    def bias_outside(self, direction: Direction, given: Mapping[str, object]) -> np.ndarray:
        """Keep the new state's recurrent bias inside where the reset gate multiplies it."""
        total = super().bias_outside(direction, given)
        if given.get("linear_before_reset", 0):
            total[2 * direction.hidden :] = direction.bias[0, 2 * direction.hidden :]
        return total

    def step(
        self, step: Step, driven: str, states: list[str], given: Mapping[str, object]
    ) -> list[str]:
        """Write update gate, reset gate and new state."""
        direction, hidden = step.direction, states[0]
        matrix, both = direction.recurrent, 2 * direction.hidden
        update_in, reset_in, new_in = step.split(driven, 3)
        if given.get("linear_before_reset", 0):
            product = step.product(hidden, matrix, "recurrent")
            update_by, reset_by, new_by = step.split(product, 3)
            bias = direction.bias[1, both:]
            if bias.any():
                new_by = step.add("Add", [new_by, step.build.constant("bias", bias)], "biased")
            reset = step.activate(0, step.add("Add", [reset_in, reset_by], "sum"), "reset")
            new_by = step.add("Mul", [reset, new_by], "reset_product")
        else:
            product = step.product(hidden, matrix[:, :both], "recurrent")
            update_by, reset_by = step.split(product, 2)
            reset = step.activate(0, step.add("Add", [reset_in, reset_by], "sum"), "reset")
            reset_hidden = step.add("Mul", [reset, hidden], "reset_hidden")
            new_by = step.product(reset_hidden, matrix[:, both:], "recurrent_h")
        new = step.activate(1, step.add("Add", [new_in, new_by], "sum"), "new")
        update = step.activate(0, step.add("Add", [update_in, update_by], "sum"), "update")
        fresh = step.add("Mul", [step.rest(update, "rest"), new], "fresh")
        return [step.add("Add", [fresh, step.add("Mul", [update, hidden], "old")], "hidden")]


OPERATOR: Operator = Gru()
