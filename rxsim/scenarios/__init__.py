"""Which effects of the hardware are on: a scenario is a name and a set of effects.

It turns settings into settings. The rungs of an evaluation are scenarios, one a file; every scenario
calibrates its own ADCs. Source: docs/concepts/model.md, section 13.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rxsim.config import Settings
from rxsim.effects import EFFECTS, effects, per_chip_effects, without
from rxsim.folders import Folder


@dataclass(frozen=True, slots=True)
class Scenario:
    """Some effects are on, all others are off.

    Attributes:
        name: of the rung that it gives.
        on: names of the effects that are on, as far as the settings have them.
    """

    name: str
    on: frozenset[str]

    def __post_init__(self) -> None:
        """Refuse the name of an effect that there is none of.

        Raises:
            InputError: naming it.
        """
        for effect in self.on:
            EFFECTS.check(effect)

    @property
    def per_chip(self) -> bool:
        """Whether each chip is a run of its own: an effect that is drawn for each is on."""
        return bool(self.on & per_chip_effects())

    def settings(self, settings: Settings) -> Settings:
        """Return a layer's settings with the other effects switched off.

        Raises:
            SettingError: what is left contradicts itself; the message names the scenario.
        """
        off = [name for name in effects() if name not in self.on]
        return without(settings, off, f"scenario {self.name}")


SCENARIOS: Folder[Scenario] = Folder("rxsim.scenarios", "SCENARIO")


def all_but(*names: str) -> frozenset[str]:
    """Return the names of all effects but some."""
    return frozenset(effects()) - frozenset(names)


def alone(effect: str) -> Scenario:
    """Return the scenario in which one effect is on."""
    return Scenario(f"only {effect}", frozenset([effect]))


def left_out(effect: str) -> Scenario:
    """Return the scenario in which one effect, and compensation, is off."""
    return Scenario(f"without {effect}", all_but("compensation", effect))


def chosen(wanted: Iterable[str | Scenario]) -> tuple[Scenario, ...]:
    """Look up scenarios that are given by name.

    Args:
        wanted: scenarios, or their names: of a file, or `only EFFECT`, or `without EFFECT`.

    Raises:
        InputError: there is none of a name.
    """
    return tuple(_named(item) if isinstance(item, str) else item for item in wanted)


def _named(name: str) -> Scenario:
    for word, scenario_of in (("only ", alone), ("without ", left_out)):
        if name.startswith(word):
            return scenario_of(name.removeprefix(word))
    return SCENARIOS[name]


def whole(settings: Settings) -> Scenario:
    """Return the scenario of a chip as it is built: with compensation where the settings have steps."""
    return SCENARIOS["compensated" if settings.compensate else "nonideal"]


def nominal(settings: Settings) -> Settings:
    """Switch off what is drawn for each chip: what a calibration of the ADCs sees."""
    return without(settings, per_chip_effects())


def perfect(settings: Settings) -> Settings:
    """Leave levels and encodings only: what offsets that are removed digitally are computed with."""
    return without(settings, per_chip_effects() | {"wires", "nonlinearity", "compensation"})
