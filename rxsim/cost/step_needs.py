"""What each step of compensation asks of a layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from rxsim.compensate import Needs, chosen_steps, tested_once
from rxsim.mapping import LayerPlan, map_layer


@dataclass(frozen=True, slots=True)
class StepNeeds:
    """A step of the list, and what it asks of a layer beyond what the steps before it bring.

    Attributes:
        name: its name, with its number behind where the list holds it before.
        needs: what it asks for. Cells that a step before has tested are not tested again.
    """

    name: str
    needs: Needs


def step_needs(plan: LayerPlan) -> tuple[StepNeeds, ...]:
    """List what the steps of a layer's settings ask for, in their order.

    A test of cells tells all steps which are stuck. Layers on the same arrays have one test of cells
    and one set of spare columns. Products are read anew for each step: `columns` puts the float
    network's inputs on a layer, `statistics` those that come behind corrected layers.

    Args:
        plan: of the layer.

    Raises:
        SettingError: `compensate` is auto.
    """
    settings = plan.settings
    steps = chosen_steps(settings)
    if not steps:
        return ()
    mapped = map_layer(plan.layer, settings.crossbar, settings.device, settings.mapping)
    asked: list[StepNeeds] = []
    needs = tested_once([each.step.needs(mapped, each.options) for each in steps])
    for number, (chosen, of_step) in enumerate(zip(steps, needs, strict=True)):
        if plan.shared_with is not None:
            of_step = replace(of_step, spare_columns=0, cell_reads=0)
        before = sum(each.name == chosen.name for each in steps[:number])
        name = f"{chosen.name} ({before + 1})" if before else chosen.name
        asked.append(StepNeeds(name, of_step))
    return tuple(asked)


def all_needs(steps: Iterable[StepNeeds]) -> Needs:
    """Add up what steps ask for."""
    return reduce(add, (each.needs for each in steps), Needs())
