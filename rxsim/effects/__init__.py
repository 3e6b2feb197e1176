"""What can be wrong with the hardware, one effect a file; each can be switched off alone.

An effect is data: the settings that switch it off, by dotted name. Everything else follows from them:
whether it is active, what a calibration on nominal hardware does not see, and each scenario.
Source: docs/concepts/model.md, section 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.config import Settings, settings_changed
from rxsim.dotted import at
from rxsim.folders import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect of the hardware.

    Attributes:
        order: place in the table of effects, in which they are accumulated.
        title: in words.
        off: the settings that switch it off, by dotted name.
        per_chip: whether it is drawn anew for each chip.
        note: what a reader must know of switching it off; empty where nothing.
    """

    order: int
    title: str
    off: Mapping[str, Any]
    per_chip: bool = False
    note: str = ""

    def is_active(self, settings: Settings) -> bool:
        """Tell whether it is on in some settings."""
        return any(at(settings, name) != value for name, value in self.off.items())


EFFECTS: Folder[Effect] = Folder("rxsim.effects", "EFFECT")


def effects() -> dict[str, Effect]:
    """Return every effect by name, in the order of the table."""
    return dict(sorted(EFFECTS.all().items(), key=lambda item: item[1].order))


def per_chip_effects() -> frozenset[str]:
    """Return the names of the effects that are drawn anew for each chip."""
    return frozenset(name for name, effect in effects().items() if effect.per_chip)


def without(settings: Settings, names: Iterable[str], where: str = "settings") -> Settings:
    """Switch some effects off.

    Args:
        settings: of a layer, resolved.
        names: of the effects.
        where: what messages call the result.

    Raises:
        SettingError: what is left contradicts itself.
        InputError: there is no such effect.
    """
    changes: dict[str, Any] = {}
    for name in names:
        changes |= EFFECTS[name].off
    return settings_changed(settings, changes, where)
