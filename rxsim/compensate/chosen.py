"""The steps that settings name, each with its checked options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.compensate.step import Place, Step
from rxsim.config import AUTO, Settings, StepEntry, step_name, step_options
from rxsim.errors import SettingError
from rxsim.folders import Folder
from rxsim.schema import Section, validated

STEPS: Folder[Step[Any]] = Folder("rxsim.compensate.steps", "STEP")


@dataclass(frozen=True, slots=True)
class ChosenStep:
    """A step of the list.

    Attributes:
        name: its name.
        step: the step.
        options: its options, checked.
    """

    name: str
    step: Any
    options: Section


def chosen_steps(settings: Settings, place: Place | None = None) -> tuple[ChosenStep, ...]:
    """Return the steps of settings, or those that act at a place, in their order.

    Raises:
        SettingError: an option is unknown or impossible.
    """
    if settings.compensate == AUTO:
        raise SettingError(
            "compensate: found auto, expected steps, for 'rxsim eval' chooses them; let it write the "
            "settings with -o FILE, and take that file"
        )
    found = []
    for number, entry in enumerate(settings.compensate):
        name = step_name(entry)
        step = STEPS[name]
        if place in (None, step.place):
            where = f"compensate.{number}.{name}"
            found.append(
                ChosenStep(name, step, validated(step.options, step_options(entry), where))
            )
    return tuple(found)


def entries_at(settings: Settings, *places: Place) -> tuple[StepEntry, ...]:
    """Return the entries of the list whose steps act at some places, in their order."""
    return tuple(entry for entry in settings.compensate if STEPS[step_name(entry)].place in places)


def acting_on_arrays(settings: Settings) -> tuple[StepEntry, ...]:
    """Return the steps of settings that change arrays: those of the design and of a chip's targets."""
    return entries_at(settings, "design", "tile")


def sees_float_inputs(settings: Settings) -> bool:
    """Tell whether a step leaves layers that see about what the float network brings to them."""
    return any(chosen.step.on_float_inputs for chosen in chosen_steps(settings))


def check_steps(settings: Mapping[str, Settings]) -> None:
    """Refuse steps with impossible options, and steps that can't work with a layer's settings.

    Args:
        settings: by layer name.

    Raises:
        SettingError: naming the step, and the layer.
    """
    known: set[int] = set()
    for layer, of_layer in settings.items():
        if id(of_layer) in known:
            continue
        known.add(id(of_layer))
        if of_layer.compensate == AUTO:
            continue
        for chosen in chosen_steps(of_layer):
            reason = chosen.step.check(of_layer, chosen.options)
            if reason is not None:
                raise SettingError(f"compensate: {chosen.name}: layer {layer}: {reason}")
