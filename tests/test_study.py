"""Models as exporters leave them: batches that are free in name only, weights beside the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from rxsim.config import load_settings
from rxsim.errors import ModelError
from rxsim.load import load_network
from rxsim.pipeline import DataOptions, evaluate, open_study

SETTINGS = load_settings(None, xbar="8x8", assignments=["calibration.samples=5"])
ONE_BY_ONE = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 2, 3] x) => (float[M, 2] y)
<float[6, 2] w = {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6}, int64[2] shape = {1, 6}>
{ flat = Reshape(x, shape)  y = MatMul(flat, w) }
"""
NEVER = ONE_BY_ONE.replace("{1, 6}", "{1, 7}")


def saved(text: str, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
    return path


def test_a_batch_axis_that_is_free_in_name_only_is_run_one_by_one(tmp_path: Path) -> None:
    study = open_study(saved(ONE_BY_ONE, tmp_path), SETTINGS, DataOptions(limit=7))
    assert study.provenance.one_by_one
    assert study.batch == 1
    assert len(evaluate(study).rung("nonideal").trials[0].predictions) == 7


def test_an_honest_batch_axis_is_run_in_batches(tmp_path: Path) -> None:
    honest = ONE_BY_ONE.replace("{1, 6}", "{-1, 6}")
    study = open_study(saved(honest, tmp_path), SETTINGS, DataOptions(limit=7))
    assert not study.provenance.one_by_one
    assert study.batch > 1


def test_a_model_that_never_runs_is_told_with_its_own_failure(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="onnxruntime can't"):
        open_study(saved(NEVER, tmp_path), SETTINGS, DataOptions(limit=7))


def test_the_identity_of_a_model_covers_the_weights_beside_it(tmp_path: Path) -> None:
    identities = []
    for value in (1.0, 2.0):
        model = onnx.parser.parse_model(ONE_BY_ONE)
        weight = model.graph.initializer[0]
        weight.CopyFrom(onnx.numpy_helper.from_array(np.full((6, 2), value, np.float32), "w"))
        options: dict[str, Any] = {
            **{"save_as_external_data": True, "location": "net.onnx.data", "size_threshold": 0}
        }
        (tmp_path / "net.onnx.data").unlink(missing_ok=True)
        onnx.save(model, tmp_path / "net.onnx", **options)
        identities.append(load_network(tmp_path / "net.onnx").identity)
    assert identities[0] != identities[1]
