"""The digital work of compensation, which no technology lists: priced by shift-and-adds.

Assumption: a multiplication by a number of b bits takes b shift-and-adds, an addition one, and b are
the bits of the layer's ADC (of its DAC without one, 32 without either). A stored value has as many.
"""

from __future__ import annotations

from rxsim.config import Settings
from rxsim.cost.layer_counts import Actions
from rxsim.cost.price.component import ComponentCost
from rxsim.cost.technology import Technology

COMPENSATION = "compensation"
"""Name of the digital work that compensation asks for, beside a technology's components."""


def value_bits(settings: Settings) -> int:
    """Return the bits of a number that compensation multiplies by or keeps."""
    return settings.adc.n_bits or settings.dac.n_bits or 32


def shift_and_adds(multiplications: int, additions: int, settings: Settings) -> int:
    """Count the shift-and-adds that digital work takes."""
    return multiplications * value_bits(settings) + additions


def shift_and_add_j(technology: Technology) -> float | None:
    """Return the energy of a shift-and-add, J; None: the technology states none."""
    parts = technology.components.values()
    adder = next((part for part in parts if part.action == "shift_add"), None)
    return None if adder is None else adder.energy_of_action_j


def compensation_cost(
    actions: Actions, settings: Settings, technology: Technology
) -> ComponentCost | None:
    """Price the digital work of a layer's compensation; None where there is none.

    The area of multipliers, registers and multiplexers is not stated by any technology.
    """
    times, plus = actions.compensation_multiplications, actions.compensation_additions
    if not times + plus:
        return None
    each = shift_and_add_j(technology)
    acts = shift_and_adds(times, plus, settings)
    return ComponentCost(
        name=COMPENSATION,
        level=None,
        action="compensation",
        instances=0.0,
        actions=float(acts),
        energy_j=None if each is None else acts * each,
        basis="unknown" if each is None else "action",
        area_mm2=None,
        status="D",
    )
