"""The chips of a scenario: nominal hardware is calibrated once, each chip programmed and patched."""

from __future__ import annotations

from dataclasses import dataclass

from rxsim.config import Settings
from rxsim.converters import Adc, has_random_errors
from rxsim.devices import Chip, has_random_effects
from rxsim.encodings import ENCODINGS
from rxsim.patch import LayerHardware, PatchedNetwork, patch_network
from rxsim.pipeline.chip.converter_errors import chips_adcs
from rxsim.pipeline.chip.equip import calibrate_adcs, equip
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.chip.solved import SolvedArrays
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import Scenario, nominal, perfect
from rxsim.tiles import LayerTransfer


@dataclass(frozen=True, slots=True, eq=False)
class MadeChip:
    """One chip.

    Attributes:
        network: the patched network.
        layers: its layers' hardware, ADCs still open.
        transfers: what its layers' arrays compute.
    """

    network: PatchedNetwork
    layers: tuple[LayerHardware, ...]
    transfers: tuple[LayerTransfer, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Foundry:
    """Makes the chips of a scenario: what all of them share is measured once on nominal devices.

    Attributes:
        study: the study.
        scenario: which effects are on.
        mapped: the study's layers on their arrays.
        solved: arrays of nominal devices, shared with the other scenarios.
        perfect: transfer matrices with levels only: no wires, no random draws.
        adcs: converters calibrated on nominal devices.
    """

    study: Study
    scenario: Scenario
    mapped: Mapped
    solved: SolvedArrays
    perfect: list[LayerTransfer]
    adcs: list[Adc | None]

    @property
    def random(self) -> bool:
        """Whether chips differ."""
        return any(is_random(settings) for settings in self.mapped.settings.values())

    def make(self, trial: int) -> MadeChip:
        """Program, solve and patch one chip."""
        mapped, chip = self.mapped, Chip(self.study.settings.seed, trial)
        if any(has_random_effects(settings.device) for settings in mapped.settings.values()):
            transfers = self.solved.drawn(mapped, chip)
        else:
            transfers = self.solved.nominal(mapped.under(nominal))
        layers = equip(mapped, transfers, self.perfect, chip)
        adcs = chips_adcs(layers, self.adcs, mapped.settings, chip)
        network = patch_study(self.study, layers, adcs)
        return MadeChip(network, tuple(layers), tuple(transfers))


def open_foundry(study: Study, scenario: Scenario, mapped: Mapped, solved: SolvedArrays) -> Foundry:
    """Solve the nominal arrays of a scenario and calibrate the converters that all its chips reuse.

    Args:
        study: the study.
        scenario: which effects are on.
        mapped: the study's layers under it.
        solved: takes the arrays, and gives those that another scenario had solved.

    Raises:
        RxsimError: something in the study can't be used.
    """
    open_layers = nominal_layers(study, mapped, solved)
    return Foundry(
        study=study,
        scenario=scenario,
        mapped=mapped,
        solved=solved,
        perfect=solved.nominal(mapped.under(perfect)),
        adcs=calibrate_adcs(study, mapped, open_layers, scenario),
    )


def nominal_layers(study: Study, mapped: Mapped, solved: SolvedArrays) -> list[LayerHardware]:
    """Return a scenario's hardware of nominal devices, ADCs open: what their ranges are taken from."""
    plain = mapped.under(nominal)
    levels = solved.nominal(mapped.under(perfect))
    return equip(plain, solved.nominal(plain), levels, Chip(study.settings.seed, 0))


def is_random(settings: Settings) -> bool:
    """Tell whether two chips can differ at all, by a layer's settings."""
    if has_random_effects(settings.device) or has_random_errors(settings):
        return True
    return ENCODINGS[settings.input.encoding].is_random


def patch_study(
    study: Study, layers: list[LayerHardware], adcs: list[Adc | None]
) -> PatchedNetwork:
    """Write the patched network of some hardware."""
    with study.stages("patch"):
        return patch_network(
            study.network.model,
            [
                layer if adc is None else layer.with_adc(adc)
                for layer, adc in zip(layers, adcs, strict=True)
            ],
        )
