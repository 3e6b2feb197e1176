"""Short ways to a study's arrays and chips, for tests that look inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from rxsim.config import Settings
from rxsim.devices import Chip
from rxsim.load import Network
from rxsim.mapping import plan_network
from rxsim.patch import LayerHardware
from rxsim.pipeline.chip.equip import equip
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import Foundry, nominal_layers, with_adcs
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.chip.output_bench import ChipBench
from rxsim.pipeline.study.digital import settings_by_layer
from rxsim.pipeline.study.provenance import CalibrationData, Provenance
from rxsim.pipeline.study.study import Study
from rxsim.pipeline.study.work import work_of
from rxsim.run import predict
from rxsim.scenarios import SCENARIOS, perfect
from rxsim.stages import Stages


def bare_study(network: Network, settings: Settings, inputs: Any, batch: int) -> Study:
    """Ask for a network on some inputs, which it is calibrated on too; nothing is known of the data."""
    work = work_of(network, inputs.feeds(0, len(inputs)))
    return Study(
        network=network,
        settings=settings,
        plan=plan_network(network, settings_by_layer(network, settings), work),
        inputs=inputs,
        labels=None,
        indices=None,
        calibration=inputs,
        provenance=Provenance(
            data=None,
            calibration=CalibrationData("given", None, len(inputs), 0),
            labels=None,
            input=None,
            preprocess=None,
            evaluated=len(inputs),
        ),
        batch=batch,
        threads=1,
        stages=Stages(),
        metric="none",
        output=network.output,
    )


def mapped_of(study: Study) -> Mapped:
    """Map a study's layers with all effects."""
    return Foundries(study).map(SCENARIOS["nonideal"])


def foundry_of(study: Study) -> Foundry:
    """Open the foundry of chips with all effects."""
    return Foundries(study).open(SCENARIOS["nonideal"])


def bench_of(foundry: Foundry, trial: int = 0) -> ChipBench:
    """Put a chip on the bench before any digital step."""
    chip = Chip(foundry.study.settings.seed, trial)
    _, layers, adcs = foundry.hardware(foundry.mapped, chip)
    return ChipBench(
        study=foundry.study,
        layers=foundry.mapped.layers,
        hardware=tuple(with_adcs(layers, adcs)),
        nominal=lambda: tuple(with_adcs(nominal_hardware(foundry), foundry.adcs)),
        stuck=dict,
    )


def nominal_hardware(foundry: Foundry) -> list[LayerHardware]:
    """Return hardware of nominal devices, ADCs open."""
    return nominal_layers(foundry.study, foundry.mapped, foundry.solved)


def perfect_hardware(foundry: Foundry) -> list[LayerHardware]:
    """Return hardware with levels and encodings only, ADCs open."""
    under = foundry.mapped.under(perfect)
    return equip(under, foundry.perfect, lambda: foundry.perfect, Chip(0, 0))


def found(study: Study, model: onnx.ModelProto | None = None) -> np.ndarray:
    """The values of every input as rxsim scores them."""
    return predict(
        study.network.original if model is None else model,
        study.output,
        study.inputs,
        what="it",
        batch=study.batch,
        threads=1,
        fixed_batch=study.network.fixed_batch,
        axis=study.output_axis,
    )
