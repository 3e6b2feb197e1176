"""Short ways to a study's arrays and chips, for tests that look inside."""

from __future__ import annotations

from rxsim.devices import Chip
from rxsim.patch import LayerHardware
from rxsim.pipeline.chip.equip import equip
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import Foundry, nominal_layers
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import SCENARIOS, perfect


def mapped_of(study: Study) -> Mapped:
    """Map a study's layers with all effects."""
    return Foundries(study).map(SCENARIOS["nonideal"])


def foundry_of(study: Study) -> Foundry:
    """Open the foundry of chips with all effects."""
    return Foundries(study).open(SCENARIOS["nonideal"])


def nominal_hardware(foundry: Foundry) -> list[LayerHardware]:
    """Return hardware of nominal devices, ADCs open."""
    return nominal_layers(foundry.study, foundry.mapped, foundry.solved)


def perfect_hardware(foundry: Foundry) -> list[LayerHardware]:
    """Return hardware with levels and encodings only, ADCs open."""
    under = foundry.mapped.under(perfect)
    return equip(under, foundry.perfect, foundry.perfect, Chip(0, 0))
