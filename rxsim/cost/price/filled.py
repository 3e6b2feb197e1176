"""How much of a technology's hierarchy a network fills: units, cores, tiles, chips."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rxsim.cost.technology import LevelName, Technology
from rxsim.cost.totals import instances, totals, weights_in
from rxsim.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledLevel:
    """A level of the hierarchy.

    Attributes:
        name: the level.
        needed: how many, the last one in part.
        holds_units: units of each.
        area_mm2: of all of them, whole, mm2; None: not known.
    """

    name: LevelName
    needed: int
    holds_units: float
    area_mm2: float | None


def filled_levels(
    technology: Technology, unit: LevelName, units: int, whole: Technology | None = None
) -> tuple[FilledLevel, ...]:
    """Count the levels from the unit outwards that a number of units fills, whole ones.

    Units follow each other without gaps.

    Args:
        technology: with its hierarchy.
        unit: the level that the units are of.
        units: how many are in use.
        whole: the technology that areas of whole levels hold for; None: they are not known.
    """
    names = technology.level_names
    filled = []
    for name in names[names.index(unit) :]:
        each = instances(technology, unit, name)
        needed = math.ceil(units / each)
        filled.append(
            FilledLevel(
                name=name,
                needed=needed,
                holds_units=each,
                area_mm2=None if whole is None else _area(whole, name, needed),
            )
        )
    return tuple(filled)


def weight_bytes(technology: Technology, level: LevelName) -> float:
    """Return how many bytes of weights one of a level holds, at the technology's bits of a weight."""
    return weights_in(technology, level) * technology.product.weight_bits / 8


def _area(technology: Technology, name: LevelName, count: int) -> float | None:
    try:
        area = totals(technology, name).area_mm2
    except InputError:  # the ADC can't be carried to the design's bits
        return None
    return None if area is None else area * count
