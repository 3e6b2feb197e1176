"""The ladder: float32 -> weights -> ideal -> nonideal, and the reasons layer by layer."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from rxsim.config import as_plain, settings_hash
from rxsim.patch import LayerHardware
from rxsim.pipeline.chip.foundry import (
    Foundry,
    Mapped,
    calibrate_adcs,
    equip,
    map_study,
    open_foundry,
    patch_study,
    solve_chip,
)
from rxsim.pipeline.inspect.transformation import Transformation, measure_transformation
from rxsim.pipeline.ladder.inventory import Inventory, take_inventory
from rxsim.pipeline.ladder.result import ArrayLoss, Evaluation, LayerReport, Rung
from rxsim.pipeline.ladder.runner import Runner
from rxsim.pipeline.study.study import Study
from rxsim.run import LayerHealth, Scores
from rxsim.tiles import LayerTransfer
from rxsim.version import __version__

WORST_ARRAYS = 20
"""So many of the arrays that lose most current to their wires are named."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What all chips of a study share.

    Attributes:
        study: the study.
        runner: has scored the float network.
        floating: these scores.
        mapped: the layers on their arrays.
        levels: transfer matrices with levels only.
        foundry: makes chips.
    """

    study: Study
    runner: Runner
    floating: Scores
    mapped: Mapped
    levels: list[LayerTransfer]
    foundry: Foundry

    def nonideal(self, trial: int) -> Scores:
        """Make a chip and score it.

        Raises:
            RxsimError: its arrays can't be solved, or it yields NaN.
        """
        return self.runner.score(self.foundry.chip(trial), "nonideal")


def prepare(study: Study) -> Prepared:
    """Run the float network, map the layers, and calibrate what every chip reuses.

    Raises:
        RxsimError: something in the study can't be used.
    """
    runner = Runner(study)
    floating = runner.score_float()
    mapped = map_study(study)
    levels = solve_chip(study, mapped, None, wires=False)
    return Prepared(study, runner, floating, mapped, levels, open_foundry(study, mapped, levels))


def evaluate(study: Study) -> Evaluation:
    """Climb the ladder of MODEL.md section 7.

    Raises:
        RxsimError: something in the study can't be used.
    """
    return climb(prepare(study))


def climb(prepared: Prepared) -> Evaluation:
    """Climb the ladder of a prepared study and look at every layer.

    Raises:
        RxsimError: something in the study can't be used.
    """
    study, runner, mapped = prepared.study, prepared.runner, prepared.mapped
    ladder = [Rung("float32", (prepared.floating,))]
    bare = equip(study, mapped, prepared.levels, converters=False)
    weights = patch_study(study, bare, [None] * len(bare))
    ladder.append(Rung("weights", (runner.score(weights, "weights", keep=True),)))

    with_dacs = equip(study, mapped, prepared.levels)
    ideal_adcs = calibrate_adcs(study, mapped, with_dacs, "ideal")
    ideal = patch_study(study, with_dacs, ideal_adcs)
    ladder.append(Rung("ideal", (runner.score(ideal, "ideal", keep=True),)))

    foundry = prepared.foundry
    first = foundry.make(0)
    runs = [runner.score(first.network, "nonideal")]
    for trial in range(1, study.settings.trials):
        runs.append(prepared.nonideal(trial) if foundry.random else runs[0])
    ladder.append(Rung("nonideal", tuple(runs)))

    healthy = runner.diagnose(ideal)
    health = runner.diagnose(first.network)
    shapes = {name: tensor.shape for name, tensor in study.inputs.feeds(0, 1).items()}
    inventory = take_inventory(study.network, study.settings, shapes)
    return Evaluation(
        tuple(ladder),
        _layer_reports(inventory, mapped, healthy, health, measure_transformation(foundry)),
        inventory,
        as_plain(study.settings),
        _provenance(study),
        study.labels,
        study.indices,
        len(runner.diagnosed),
        study.metric,
        not foundry.random,
        study.stages.seconds,
        first.network,
        _totals(inventory, mapped, with_dacs),
        _worst_arrays(first.transfers),
    )


def _totals(
    inventory: Inventory, mapped: Mapped, equipped: Sequence[LayerHardware]
) -> dict[str, int | None]:
    """Count arrays, their cells, and conversions for one input (None where a shape is unknown)."""
    arrays = cells = 0
    conversions: int | None = 0
    for place, item in zip(inventory.layers, equipped, strict=True):
        own = mapped.settings[place.name]
        arrays += place.arrays
        cells += place.arrays * own.crossbar.rows * own.crossbar.cols
        if own.adc.n_bits is not None and conversions is not None:
            each = len(item.both_sides) * int(item.readouts.present.sum())
            positions = None if place.macs is None else place.macs // place.parameters
            conversions = None if positions is None else conversions + positions * each
    return {"arrays": arrays, "cells": cells, "conversions": conversions}


def _worst_arrays(transfers: Sequence[LayerTransfer]) -> tuple[ArrayLoss, ...]:
    """List the arrays that lose most of their current to their wires, worst first."""
    found = [
        ArrayLoss(transfer.mapped.layer.name, int(index), float(transfer.losses[index]))
        for transfer in transfers
        for index in np.argsort(-transfer.losses, kind="stable")[:WORST_ARRAYS]
    ]
    return tuple(sorted(found, key=lambda one: -one.loss)[:WORST_ARRAYS])


def _layer_reports(
    inventory: Inventory,
    mapped: Mapped,
    healthy: Mapping[str, LayerHealth],
    health: Mapping[str, LayerHealth],
    transformations: Mapping[str, Transformation],
) -> tuple[LayerReport, ...]:
    return tuple(
        LayerReport(
            place,
            mapped.input_ranges[place.name].x_max,
            mapped.input_ranges[place.name].signed,
            healthy[place.name].snr_db,
            health[place.name].snr_db,
            health[place.name].dac_clipping,
            health[place.name].adc_clipping,
            transformations.get(place.name),
        )
        for place in inventory.layers
    )


def _provenance(study: Study) -> dict[str, Any]:
    return {
        "model": {"name": study.network.path.name, "sha256": study.network.identity},
        **study.provenance,
        "settings_sha256": settings_hash(study.settings),
        "seed": study.settings.seed,
        "versions": {
            "rxsim": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "numba", "onnx", "onnxruntime")},
        },
        "machine": {"processor": platform.machine(), "system": platform.system()},
    }
