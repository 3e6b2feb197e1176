"""Planted faults: an explanation names the layer and the effect in at least 19 of 20 drawn cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from rxsim.config import load_settings
from rxsim.explain import Asked, explain
from rxsim.pipeline import DataOptions, open_study

MODELS = Path(__file__).parents[1] / "models"
NETWORKS = ("digits_cnn", "digits_mlp", "digits_resnet", "digits_dsconv")
FAULTS = {
    "levels": {"device": {"n_bits": 3}},
    "dac": {"input": {"percentile": 60}},
    "faults": {"device": {"dead_cols": 0.15}},
}
"""The effect that a fault belongs to, and the settings of the layer that has it."""
CASES = 20


def planted(case: int) -> tuple[str, str, str]:
    """Draw a network, a layer of it, and a fault."""
    rng = np.random.default_rng([14, case])
    network = NETWORKS[rng.integers(len(NETWORKS))]
    study = open_study(
        MODELS / f"{network}.onnx", load_settings(None, xbar=None, assignments=(), overrides={})
    )
    names = [layer.name for layer in study.network.layers]
    return network, names[rng.integers(len(names))], list(FAULTS)[rng.integers(len(FAULTS))]


@pytest.mark.slow
def test_planted_faults_are_found(tmp_path: Path) -> None:
    missed, file = [], tmp_path / "planted.yaml"
    for case in range(CASES):
        network, layer, effect = planted(case)
        file.write_text(yaml.safe_dump({"seed": case, "layers": {layer: FAULTS[effect]}}))
        settings = load_settings(file, xbar=None, assignments=(), overrides={})
        study = open_study(MODELS / f"{network}.onnx", settings, DataOptions(limit=200))
        layers = explain(study, Asked(by="layers", remedies=False)).layers
        assert layers is not None
        worst = layers.worst_first[0]
        [row] = [row for row in layers.rows if row.name == worst]
        print(case, network, (layer, effect), (worst, row.dominant), row.all_but, row.output_noise)
        if (worst, row.dominant) != (layer, effect):
            missed.append((case, network, layer, effect, worst, row.dominant))
    assert len(missed) <= 1, missed
