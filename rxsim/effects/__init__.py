"""The effects of real hardware, one per file; each can be switched off alone.

An effect is data: the settings that switch it off, by dotted name. From these follow whether it is
active, whether a calibration on nominal hardware sees it, and every scenario.
Source: docs/concepts/model.md, section 13.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from rxsim.config import STEPS, Settings, Step, settings_changed
from rxsim.dotted import at
from rxsim.folders import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect of the hardware.

    Attributes:
        order: place in the table of effects, and in the order of accumulation.
        title: its name for readers.
        off: the settings that switch it off, by dotted name.
        step: the step of programming whose law, where a preset names one, belongs to it.
        per_chip: whether it is drawn anew for each chip.
        note: a remark on switching it off; may be empty.
    """

    order: int
    title: str
    off: Mapping[str, Any]
    step: Step | None = None
    per_chip: bool = False
    note: str = ""

    def is_active(self, settings: Settings) -> bool:
        """Tell whether the effect is on in a layer's settings."""
        device = settings.device
        if self.step in device.preset.laws and self.step not in device.without:
            return True
        return any(at(settings, name) != value for name, value in self.off.items())


EFFECTS: Folder[Effect] = Folder("rxsim.effects", "EFFECT")


def effects() -> dict[str, Effect]:
    """Return every effect by name, in the order of the table."""
    return dict(sorted(EFFECTS.all().items(), key=lambda item: item[1].order))


def active_effects(settings: Collection[Settings]) -> tuple[str, ...]:
    """Name the effects that are on in any of some layers' settings, in the order of the table."""
    return tuple(name for name, effect in effects().items() if any(map(effect.is_active, settings)))


def per_chip_effects() -> frozenset[str]:
    """Return the names of the effects that are drawn anew for each chip."""
    return frozenset(name for name, effect in effects().items() if effect.per_chip)


def without(settings: Settings, names: Iterable[str], where: str = "settings") -> Settings:
    """Return settings with some effects switched off.

    Args:
        settings: resolved settings of a layer.
        names: names of the effects.
        where: name of the result in messages.

    Raises:
        SettingError: the remaining settings contradict each other.
        InputError: there is no such effect.
    """
    changes: dict[str, Any] = {}
    steps: set[Step | None] = set()
    for name in names:
        changes |= EFFECTS[name].off
        steps.add(EFFECTS[name].step)
    return settings_changed(settings, {**changes, **_less_laws(settings, steps)}, where)


def _less_laws(settings: Settings, steps: AbstractSet[Step | None]) -> dict[str, Any]:
    """Return the settings that leave out the laws of a preset at some steps.

    A preset of which no law is left is none: the settings hold what it gave besides.
    """
    device = settings.device
    if not any(steps):
        return {}
    left_out = [step for step in STEPS if step in device.without or step in steps]
    if all(step in left_out for step in device.preset.laws):
        return {"device.model": "ideal", "device.without": ()}
    if not any(step in steps for step in device.preset.laws):
        return {}
    return {"device.without": tuple(step for step in left_out if step in device.preset.laws)}
