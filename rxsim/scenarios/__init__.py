"""Scenarios: a scenario is a name and the set of hardware effects that are on.

It turns settings into settings. The rungs of an evaluation are scenarios, one per file. The ADCs are
calibrated for each scenario. Source: docs/concepts/model.md, section 13.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rxsim.config import Settings, step_name
from rxsim.effects import EFFECTS, effects, per_chip_effects, without
from rxsim.folders import Folder


@dataclass(frozen=True, slots=True)
class Scenario:
    """A set of effects that are on; all other effects are off.

    Attributes:
        name: name of its rung.
        on: names of the effects that are on where the settings have them.
        steps: how many of the steps of compensation are taken; None for all.
    """

    name: str
    on: AbstractSet[str]
    steps: int | None = None

    def __post_init__(self) -> None:
        """Refuse the name of an unknown effect.

        Raises:
            InputError: there is no such effect.
        """
        object.__setattr__(self, "on", frozenset(self.on))
        for effect in self.on:
            EFFECTS.check(effect)

    @property
    def per_chip(self) -> bool:
        """Whether results differ from chip to chip: an effect that is drawn for each chip is on."""
        return bool(self.on & per_chip_effects())

    def settings(self, settings: Settings) -> Settings:
        """Return a layer's settings with the other effects switched off.

        Raises:
            SettingError: the remaining settings contradict each other; the message names the scenario.
        """
        off = [name for name in effects() if name not in self.on]
        left = without(settings, off, f"scenario {self.name}")
        if self.steps is None or len(left.compensate) <= self.steps:
            return left
        return left.model_copy(update={"compensate": left.compensate[: self.steps]})


SCENARIOS: Folder[Scenario] = Folder("rxsim.scenarios", "SCENARIO")


def all_but(*names: str) -> frozenset[str]:
    """Return the names of all effects but the given ones.

    Raises:
        InputError: there is no effect of a name.
    """
    for name in names:
        EFFECTS.check(name)
    return frozenset(effects()) - frozenset(names)


def alone(effect: str) -> Scenario:
    """Return the scenario in which a single effect is on."""
    return Scenario(f"only {effect}", frozenset([effect]))


def left_out(effect: str) -> Scenario:
    """Return the scenario in which an effect and compensation are off."""
    return Scenario(f"without {effect}", all_but("compensation", effect))


def chosen(wanted: Iterable[str | Scenario]) -> tuple[Scenario, ...]:
    """Look up scenarios that are given by name.

    Args:
        wanted: scenarios, or their names: of a file, or `only EFFECT`, or `without EFFECT`.

    Raises:
        InputError: there is no scenario of a name.
    """
    return tuple(_named(item) if isinstance(item, str) else item for item in wanted)


def _named(name: str) -> Scenario:
    for word, scenario_of in (("only ", alone), ("without ", left_out)):
        if name.startswith(word):
            return scenario_of(name.removeprefix(word))
    return SCENARIOS[name]


def step_by_step(settings: Settings) -> tuple[Scenario, ...]:
    """Return the built chip after each step of compensation; the last one is `compensated`."""
    names = [step_name(entry) for entry in settings.compensate]
    titles = [
        f"+ {name} ({number})" if name in names[:number] else f"+ {name}"
        for number, name in enumerate(names)
    ]
    scenarios = [
        Scenario(title, all_but(), number) for number, title in enumerate(titles[:-1], start=1)
    ]
    return (*scenarios, SCENARIOS["compensated"]) if names else ()


def as_built(settings: Settings) -> Scenario:
    """Return the scenario of the built chip: with compensation where the settings have steps."""
    return SCENARIOS["compensated" if settings.compensate else "nonideal"]


def nominal(settings: Settings) -> Settings:
    """Switch off the effects that are drawn for each chip; ADCs are calibrated with the rest."""
    return without(settings, per_chip_effects())


def perfect(settings: Settings) -> Settings:
    """Keep only levels and encodings; digitally removed offsets are computed with these."""
    return without(settings, per_chip_effects() | {"wires", "nonlinearity", "compensation"})


def only_design(settings: Settings) -> Settings:
    """Keep levels, encodings and compensation: what the arrays of the design hold, without wires."""
    return without(settings, per_chip_effects() | {"wires", "nonlinearity"})


def only_writing(settings: Settings) -> Settings:
    """Keep write errors and device variation: what separates a programmed chip from its targets."""
    return without(settings, frozenset(effects()) - {"write_error", "variation"})


def only_faults(settings: Settings) -> Settings:
    """Keep this besides stuck cells and dead lines: what these change in the weights of a chip."""
    return without(settings, (per_chip_effects() - {"faults"}) | {"wires", "nonlinearity"})
