"""The chips of a scenario: nominal hardware is calibrated once, each chip programmed and patched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rxsim.compensate import Residual, acting_on_arrays
from rxsim.config import Settings
from rxsim.converters import Adc, has_random_errors
from rxsim.devices import Chip, has_random_effects
from rxsim.encodings import ENCODINGS
from rxsim.patch import LayerHardware, PatchedNetwork, patch_network
from rxsim.pipeline.chip.converter_errors import chips_adcs
from rxsim.pipeline.chip.corrections import Corrected, corrected_layers, has_corrections
from rxsim.pipeline.chip.drift_compensation import (
    DriftReferences,
    Means,
    factors_of,
    is_compensated,
    just_programmed,
    mean_outputs,
)
from rxsim.pipeline.chip.equip import calibrate_adcs, equip
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.chip.output_bench import ChipBench
from rxsim.pipeline.chip.solved import SolvedArrays
from rxsim.pipeline.chip.stuck_weights import stuck_weights
from rxsim.pipeline.chip.tile_residuals import tile_residuals
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import Scenario, nominal, only_design, only_faults, perfect
from rxsim.tiles import LayerTransfer


@dataclass(frozen=True, slots=True, eq=False)
class MadeChip:
    """One chip.

    Attributes:
        network: the patched network.
        layers: its layers' hardware, ADCs still open.
        converted: the same with their ADCs.
        transfers: what its layers' arrays compute.
        drift_factors: by layer name, where drift is compensated: one, or one for each output channel.
        residuals: what its steps of compensation tell, by layer name and step.
        idle_steps: names of the digital steps that changed nothing.
    """

    network: PatchedNetwork
    layers: tuple[LayerHardware, ...]
    converted: tuple[LayerHardware, ...]
    transfers: tuple[LayerTransfer, ...]
    drift_factors: Mapping[str, np.ndarray]
    residuals: Mapping[str, Mapping[str, Residual]] = field(default_factory=dict)
    idle_steps: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Foundry:
    """Makes the chips of a scenario: what all of them share is measured once on nominal devices.

    Attributes:
        study: the study.
        scenario: which effects are on.
        mapped: the study's layers on their arrays.
        solved: arrays of nominal devices, shared with the other scenarios.
        adcs: converters calibrated on nominal devices.
        references: outputs of chips right after programming, shared with other times.
    """

    study: Study
    scenario: Scenario
    mapped: Mapped
    solved: SolvedArrays
    adcs: list[Adc | None]
    references: DriftReferences

    @property
    def perfect(self) -> list[LayerTransfer]:
        """Transfer matrices with levels only: no wires, no random draws."""
        return self.solved.nominal(self.mapped.under(perfect))

    @property
    def random(self) -> bool:
        """Whether chips differ."""
        return any(is_random(settings) for settings in self.mapped.settings.values())

    @property
    def chips(self) -> int:
        """How many chips are to be made: those of the settings, or one that stands for all."""
        return self.study.settings.trials if self.random else 1

    def make(self, trial: int) -> MadeChip:
        """Program, solve and patch one chip."""
        mapped, chip = self.mapped, Chip(self.study.settings.seed, trial)
        transfers, layers, adcs = self.hardware(mapped, chip)
        factors: Means = {}
        if is_compensated(mapped.settings):
            now = mean_outputs(self.study, with_adcs(layers, adcs))
            factors = factors_of(self._just_programmed(chip), now, mapped.settings)
            layers = [
                layer.scaled(factors[layer.layer.name]) if layer.layer.name in factors else layer
                for layer in layers
            ]
        corrected = self._corrected(chip, layers, adcs)
        layers = corrected.layers
        converted = with_adcs(layers, adcs)
        network = patch_study(self.study, converted)
        return MadeChip(
            network,
            tuple(layers),
            tuple(converted),
            tuple(transfers),
            factors,
            corrected.residuals,
            corrected.idle,
        )

    def _corrected(
        self, chip: Chip, layers: list[LayerHardware], adcs: Sequence[Adc | None]
    ) -> Corrected:
        """Take the digital steps of compensation, and gather what all steps tell."""
        mapped, told = self.mapped, dict(self.mapped.design_residuals)
        known: dict[str, Mapping[str, np.ndarray]] = {}

        def stuck(each: Mapped) -> Mapping[str, np.ndarray]:
            key = str([acting_on_arrays(settings) for settings in each.settings.values()])
            if key not in known:
                known[key] = self._stuck_weights(each, chip)
            return known[key]

        if self._has_faults:
            of_tiles = tile_residuals(mapped, stuck)
            told |= {name: {**told.get(name, {}), **each} for name, each in of_tiles.items()}
        if not has_corrections(mapped.settings):
            return Corrected(layers, told, frozenset())
        bench = ChipBench(
            study=self.study,
            layers=mapped.layers,
            hardware=tuple(with_adcs(layers, adcs)),
            nominal=self._nominal_hardware,
            stuck=lambda: stuck(mapped),
        )
        corrected = corrected_layers(bench, layers, mapped.settings)
        for name, residuals in corrected.residuals.items():
            told[name] = {**told.get(name, {}), **residuals}
        return replace(corrected, residuals=told)

    def _nominal_hardware(self) -> tuple[LayerHardware, ...]:
        """Return the hardware of nominal devices and converters."""
        return tuple(with_adcs(nominal_layers(self.study, self.mapped, self.solved), self.adcs))

    @property
    def _has_faults(self) -> bool:
        """Whether any cell can be stuck."""
        only = (only_faults(settings) for settings in self.mapped.settings.values())
        return any(has_random_effects(settings.device) for settings in only)

    def _stuck_weights(self, mapped: Mapped, chip: Chip) -> Mapping[str, np.ndarray]:
        """Return what a chip's stuck cells change in the weights of layers on their arrays."""
        faulty, faultless = mapped.under(only_faults), mapped.under(only_design)
        return stuck_weights(self.solved.drawn(faulty, chip), self.solved.nominal(faultless))

    def hardware(
        self, mapped: Mapped, chip: Chip
    ) -> tuple[list[LayerTransfer], list[LayerHardware], list[Adc | None]]:
        """Program and solve a chip, and put converters around its arrays, ADCs apart."""
        if any(has_random_effects(settings.device) for settings in mapped.settings.values()):
            transfers = self.solved.drawn(mapped, chip)
        else:
            transfers = self.solved.nominal(mapped.under(nominal))
        layers = equip(mapped, transfers, lambda: self.perfect, chip)
        return transfers, layers, chips_adcs(layers, self.adcs, mapped.settings, chip)

    def _just_programmed(self, chip: Chip) -> Means:
        """Return the mean outputs of a chip right after its last programming."""
        mapped = self.mapped.under(just_programmed)
        key = self.references.key(mapped.settings, chip.trial)
        means = self.references.kept(key)
        if means is None:
            _, layers, adcs = self.hardware(mapped, chip)
            means = mean_outputs(self.study, with_adcs(layers, adcs))
            self.references.keep(key, means)
        return means


def open_foundry(
    study: Study,
    scenario: Scenario,
    mapped: Mapped,
    solved: SolvedArrays,
    references: DriftReferences,
) -> Foundry:
    """Solve the nominal arrays of a scenario and calibrate the converters that all its chips reuse.

    Args:
        study: the study.
        scenario: which effects are on.
        mapped: the study's layers under it.
        solved: takes the arrays, and gives those that another scenario had solved.
        references: takes outputs of chips right after programming, and gives those that are known.

    Raises:
        RxsimError: something in the study can't be used.
    """
    open_layers = nominal_layers(study, mapped, solved)
    return Foundry(
        study=study,
        scenario=scenario,
        mapped=mapped,
        solved=solved,
        adcs=calibrate_adcs(study, mapped, open_layers, scenario),
        references=references,
    )


def nominal_layers(study: Study, mapped: Mapped, solved: SolvedArrays) -> list[LayerHardware]:
    """Return a scenario's hardware of nominal devices, ADCs open: what their ranges are taken from."""
    plain = mapped.under(nominal)
    transfers, levels = solved.nominal(plain), mapped.under(perfect)
    return equip(plain, transfers, lambda: solved.nominal(levels), Chip(study.settings.seed, 0))


def is_random(settings: Settings) -> bool:
    """Tell whether two chips can differ at all, by a layer's settings."""
    if has_random_effects(settings.device) or has_random_errors(settings):
        return True
    return ENCODINGS[settings.input.encoding].is_random


def patch_study(study: Study, layers: Sequence[LayerHardware]) -> PatchedNetwork:
    """Write the patched network of some hardware; layers that are not given stay digital."""
    with study.stages("patch"):
        return patch_network(study.network.model, layers)


def with_adcs(layers: Sequence[LayerHardware], adcs: Sequence[Adc | None]) -> list[LayerHardware]:
    """Put converters behind the arrays of each layer."""
    return [
        layer if adc is None else layer.with_adc(adc)
        for layer, adc in zip(layers, adcs, strict=True)
    ]
