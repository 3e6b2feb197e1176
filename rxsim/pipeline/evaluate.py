"""The ladder: float32 -> weights -> ideal -> nonideal, and the reasons layer by layer."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx

import rxsim
from rxsim.config import as_plain, settings_hash
from rxsim.data import choose_positions
from rxsim.errors import DataError
from rxsim.patch import PatchedNetwork
from rxsim.pipeline.hardware import (
    Mapped,
    calibrate_adcs,
    equip,
    map_study,
    open_foundry,
    patch_study,
    solve_chip,
)
from rxsim.pipeline.inventory import Inventory, take_inventory
from rxsim.pipeline.result import Evaluation, LayerReport, Rung
from rxsim.pipeline.study import Study
from rxsim.pipeline.transformation import Transformation, measure_transformation
from rxsim.run import LayerHealth, Scores, diagnose_layers, predict, score

DIAGNOSED_INPUTS = 500
"""Layers are compared on at most this many of the evaluated inputs: enough for 0.1 dB."""


def evaluate(study: Study) -> Evaluation:
    """Climb the ladder of MODEL.md section 7.

    Raises:
        RxsimError: something in the study can't be used.
    """
    runner = _Runner(study)
    ladder = [Rung("float32", (runner.score_float(),))]
    mapped = map_study(study)
    levels = solve_chip(study, mapped, None, wires=False)
    bare = equip(study, mapped, levels, converters=False)
    weights = patch_study(study, bare, [None] * len(bare))
    ladder.append(Rung("weights", (runner.score(weights, "weights"),)))

    with_dacs = equip(study, mapped, levels)
    ideal_adcs = calibrate_adcs(study, mapped, with_dacs, "ideal")
    ideal = patch_study(study, with_dacs, ideal_adcs)
    ladder.append(Rung("ideal", (runner.score(ideal, "ideal"),)))

    foundry = open_foundry(study, mapped, levels)
    first = foundry.chip(0)
    runs = [runner.score(first, "nonideal")]
    for trial in range(1, study.settings.trials):
        runs.append(runner.score(foundry.chip(trial), "nonideal") if foundry.random else runs[0])
    ladder.append(Rung("nonideal", tuple(runs)))

    healthy = runner.diagnose(ideal)
    health = runner.diagnose(first)
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
        first,
    )


class _Runner:
    """Runs networks over the evaluated inputs and scores them against the float network."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._reference: np.ndarray | None = None
        self.diagnosed = choose_positions(
            study.labels, len(study.inputs), DIAGNOSED_INPUTS, study.settings.seed
        )

    def _predict(self, model: onnx.ModelProto, stage: str, what: str) -> np.ndarray:
        study = self._study
        with study.stages(stage) as progress:
            return predict(
                model,
                study.output,
                study.inputs,
                what=what,
                batch=study.batch,
                threads=study.threads,
                fixed_batch=study.network.fixed_batch,
                progress=progress,
            )

    def score_float(self) -> Scores:
        """Run the user's own model and keep its output as the reference."""
        name = self._study.network.path.name
        self._reference = self._predict(self._study.network.original, "float32", f"model {name}")
        self._check_labels()
        return self._score(self._reference)

    def _check_labels(self) -> None:
        labels, classes = self._study.labels, self._outputs.shape[1]
        if labels is not None and int(labels.max()) >= classes:
            raise DataError(
                f"data: found the label {int(labels.max())}, expected labels below {classes}, the "
                f"number of outputs of {self._study.network.path.name}; check the data or the model"
            )

    @property
    def _outputs(self) -> np.ndarray:
        assert self._reference is not None
        return self._reference

    def score(self, patched: PatchedNetwork, rung: str) -> Scores:
        """Run a patched network."""
        outputs = self._predict(patched.model, rung, f"the patched network ({rung})")
        return self._score(outputs)

    def _score(self, outputs: np.ndarray) -> Scores:
        return score(outputs, self._outputs, self._study.labels, self._study.metric)

    def diagnose(self, patched: PatchedNetwork) -> dict[str, LayerHealth]:
        """Compare every layer with its float twin."""
        study = self._study
        with study.stages("diagnose") as progress:
            return diagnose_layers(
                study.network.model,
                patched,
                study.network.layers,
                study.inputs.subset(self.diagnosed),
                batch=study.batch,
                threads=study.threads,
                fixed_batch=study.network.fixed_batch,
                progress=progress,
            )


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
            "rxsim": rxsim.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "numba", "onnx", "onnxruntime")},
        },
        "machine": {"processor": platform.machine(), "system": platform.system()},
    }
