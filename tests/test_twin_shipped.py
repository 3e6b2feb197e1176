"""The patched graphs of the shipped networks against the twin, layer by layer, with everything on.

The twin is made of the same files as the package: the network, calibration images and settings.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from beside_twin import Counts, calibrated, compare, output, patched, tensors
from numpy.typing import NDArray
from twin import Network, build

MODELS = Path(__file__).parents[1] / "models"
N_IMAGES = 12

EVERYTHING: dict[str, Any] = {
    "device": {"write_sigma": 0.05, "d2d_sigma": 0.1, "stuck_lrs": 0.02, "stuck_hrs": 0.03},
    "crossbar": {
        **{"r_access": 1000, "r_wire_wl": 3, "r_wire_bl": 7, "r_driver": 150, "r_sense": 60},
    },
    "seed": 3,
}


def settings(*changes: dict[str, Any]) -> dict[str, Any]:
    """Return everything with changes over it."""
    found = {name: dict(keys) if isinstance(keys, dict) else keys for name, keys in
             EVERYTHING.items()}  # fmt: skip
    for one in changes:
        for section, keys in one.items():
            found[section] = {**found.get(section, {}), **keys}
    return found


def images(which: str, count: int, first: int = 0) -> NDArray[np.float32]:
    """Return prepared images.

    Pixels are k/16 and x_max is 1: pixel 8 would be an exact tie of every DAC. The mean moves it off.
    """
    pixels = np.load(MODELS / f"digits_{which}.npz")["x"][first : first + count]
    return np.asarray(pixels * 0.0625 - 0.013, dtype=np.float32)


def model(name: str) -> onnx.ModelProto:
    return onnx.load(MODELS / f"{name}.onnx")


def both(name: str, given: dict[str, Any], trial: int = 0) -> tuple[onnx.ModelProto, Network]:
    """Make one chip twice; it is read only."""
    return _both(name, json.dumps(given), trial)


@cache
def _both(name: str, given: str, trial: int) -> tuple[onnx.ModelProto, Network]:
    """Make one chip twice, of settings in JSON."""
    values, calibration = json.loads(given), images("train", 20)
    return (
        patched(model(name), values, calibration, trial),
        build(model(name), values, calibration, trial),
    )


def check(name: str, given: dict[str, Any], trial: int = 0, first: int = 24) -> Counts:
    """Compare all layers, for images that put few values near a DAC's threshold."""
    x = images("test", N_IMAGES, first)
    counts = compare(*both(name, given, trial), x, of_peak=2e-5)
    print(f"{name}: {counts}")
    assert counts.risky < 0.01 * counts.total
    assert counts.differing < 0.0005 * counts.total
    return counts


CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "scales by column": {"mapping": {"w_max_scope": "column"}, "adc": {"scope": "column"}},
    "scales by tile": {"mapping": {"w_max_scope": "tile"}, "adc": {"scope": "tile"}},
    "one conversion a layer": {"adc": {"where": "per_layer", "n_bits": 8}},
    "full scale": {"adc": {"range": "full_scale", "n_bits": 10}},
    "percentiles": {
        "adc": {"percentile": 99.5, "scope": "tile"},
        "input": {"percentile": 99},
        "mapping": {"w_percentile": 98},
    },
    "kernel position first": {"mapping": {"row_order": "kernel_major"}},
    "open unused cells": {
        "mapping": {"unused_cells": "open"},
        "device": {"n_bits": None},
        "dac": {"n_bits": 4},
    },
    "no converters": {"dac": {"n_bits": None}, "adc": {"n_bits": None}, "device": {"n_levels": 11}},
}


# test_twin_drawn.py draws settings like these on smaller networks: a third of them here is enough.
LONG = (
    *("scales by column", "percentiles", "kernel position first", "full scale", "no converters"),
    "open unused cells",
)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in LONG else case for case in CASES]
)
def test_every_layer_of_the_cnn_agrees_with_the_twin(case: str) -> None:
    check("digits_cnn", settings({"crossbar": {"rows": 20, "cols": 12}}, CASES[case]), first=48)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (
            "digits_mlp",
            {"crossbar": {"rows": 24, "cols": 24}, "device": {"write_unit": "relative"}},
        ),
        ("digits_resnet", {"crossbar": {"rows": 32, "cols": 16}}),
        (
            "digits_dsconv",
            {"crossbar": {"rows": 16, "cols": 8}, "mapping": {"w_max_scope": "column"}},
        ),
    ],
)
def test_every_layer_of_the_other_shipped_models_agrees_with_the_twin(
    name: str, changes: dict[str, Any]
) -> None:
    check(name, settings(changes), trial=1)


@pytest.mark.parametrize(
    "adc",
    [
        pytest.param({"scope": "layer"}, marks=pytest.mark.slow),  # the last of these is, too
        {"scope": "tile", "percentile": 99.9},
        {"scope": "column", "percentile": 97},
        {"scope": "column", "where": "per_layer"},
        {"scope": "layer", "criterion": "mse"},
    ],
    ids=str,
)
def test_calibrated_ranges_equal_the_twins(adc: dict[str, Any]) -> None:
    """Without DACs nothing is discontinuous before the ADCs, which are open while it is measured."""
    small = {"crossbar": {"rows": 20, "cols": 12}, "dac": {"n_bits": None}, "adc": adc}
    given, calibration = settings(small), images("train", 20)
    twin = build(model("digits_cnn"), given, calibration)
    assert not twin.calibration_risk
    found = calibrated(model("digits_cnn"), given, calibration)
    assert [row["name"] for row in found["layers"]] == list(twin.layers)
    for row, layer in zip(found["layers"], twin.layers.values(), strict=True):
        assert row["x_max"] == pytest.approx(layer.x_max, rel=1e-6)
        assert row["signed"] == layer.signed
        assert row["adc"]["nonideal"] == pytest.approx(layer.listed_ranges(), rel=2e-5)


def test_exact_ties_of_the_dac_go_to_the_even_code() -> None:
    """Undisturbed pixels k/16 with x_max 1: pixel 8 is code 31.5 of 63, which is 32."""
    pixels = np.load(MODELS / "digits_test.npz")["x"] * np.float32(0.0625)
    given = {"crossbar": {"rows": 16, "cols": 16}, "adc": {"n_bits": None}}
    network = patched(model("digits_mlp"), given, pixels[100:164])
    codes = "fc1/dac_codes"
    found = tensors(network, ["flatten.out", codes], pixels[:30])
    ties = found["flatten.out"] == 0.5
    assert ties.sum() > 20
    assert (found[codes][ties] == 32).all()


@pytest.mark.parametrize(
    ("name", "rows", "cols", "trial"), [("digits_cnn", 20, 12, 0), ("digits_resnet", 32, 16, 1)]
)
def test_the_whole_network_agrees_with_the_twin_end_to_end(
    name: str, rows: int, cols: int, trial: int
) -> None:
    """Errors on thresholds travel on, so whole networks agree in what they say, not bit by bit."""
    network, twin = both(name, settings({"crossbar": {"rows": rows, "cols": cols}}), trial)
    x = images("test", 60)
    ours, theirs = output(network, x), twin.run(x)
    error = np.sqrt(np.square(ours - theirs).mean() / np.square(theirs).mean())
    exact = np.abs(ours - theirs).max(axis=1) < 1e-4 * np.abs(theirs).max()
    print(f"{name}: {exact.mean():.3f} of images bit for bit (to 1e-4), rms error {error:.4f}")
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.98
    assert error < 0.02
    assert exact.mean() > 0.9
