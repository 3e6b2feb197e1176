"""The steps that `compensate: auto` may choose from: those that can work here, against what is here."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.compensate import PLACES, STEPS
from rxsim.config import Settings, StepEntry
from rxsim.effects import active_effects
from rxsim.schema import validated


def candidates(settings: Sequence[Settings]) -> list[StepEntry]:
    """List steps with each of their variants, in the order of the path of a layer.

    Args:
        settings: of every layer on crossbars.
    """
    steps = sorted(STEPS.all().items(), key=lambda item: (PLACES.index(item[1].place), item[0]))
    found: list[StepEntry] = []
    present = active_effects(settings)
    for name, step in steps:
        if step.mends is not None and step.mends not in present:
            continue
        for variant in step.variants:
            options = validated(step.options, variant, f"compensate: {name}")
            entry: StepEntry = {name: dict(variant)} if variant else name
            alone = [each.model_copy(update={"compensate": (entry,)}) for each in settings]
            if all(step.check(each, options) is None for each in alone):
                found.append(entry)
    return found
