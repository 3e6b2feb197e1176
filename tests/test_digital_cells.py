"""`digital_cells`: what known stuck cells still change in weights is computed digitally."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from chips import bare_study
from known_tiles import SCHEMES, SINGLE
from onnx import numpy_helper, parser
from quantised_networks import random, run
from small_networks import dense

from rxsim.compensate import STEPS
from rxsim.config import Settings, load_settings
from rxsim.data import MadeUpInputs
from rxsim.load import load_network
from rxsim.mapping import map_layer
from rxsim.pipeline import Foundries, MadeChip
from rxsim.scenarios import SCENARIOS

WIRES = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")
EXACT = ("dac.n_bits=null", "adc.n_bits=null", *(f"crossbar.{wire}=0" for wire in WIRES))
FAULTS = (
    *("device.stuck_lrs=0.05", "device.stuck_hrs=0.08", "device.dead_rows=0.02"),
    "device.dead_cols=0.02",
)
EVERY = SCHEMES | SINGLE
INPUTS = {
    "two_phase": ("input.signed_input=two_phase",),
    "offset": ("input.signed_input=offset", "dac.n_bits=6"),
    "coarse": ("dac.n_bits=3", "input.percentile=95"),
    "twos_complement": (
        *("input.encoding=bit_serial", "dac.n_bits=5", "input.signed_input=twos_complement"),
        "input.bits_per_pulse=1",
    ),
    "pulse_width": ("input.encoding=pulse_width", "dac.n_bits=4", "mapping.pack_groups=true"),
    "per_layer": ("adc.where=per_layer",),
    "kernel_major": ("mapping.row_order=kernel_major", "mapping.w_max_scope=column"),
    "tile": ("mapping.w_max_scope=tile", "mapping.split=equal"),
}
TEXT = """
<ir_version: 8, opset_import: ["": 17]> g (float[B, 6, 5, 5] x) => (float[B, U] y)
{
  c = Conv<group=3>(x, w1)
  r = Relu(c)
  f = Flatten(r)
  y = Gemm(f, w2, b)
}
"""


def two_layers() -> onnx.ModelProto:
    """A grouped Conv, whose last block is not full when two groups are packed, and a Gemm."""
    model = parser.parse_model(TEXT)
    for name, shape in (("w1", (6, 2, 2, 2)), ("w2", (96, 5)), ("b", (5,))):
        model.graph.initializer.append(numpy_helper.from_array(random(len(name), *shape), name))
    return model


@cache
def made(*assignments: str, trial: int = 1) -> tuple[MadeChip, np.ndarray]:
    """Make a chip, and return its outputs for some inputs."""
    feeds = {"x": random(0, 7, 6, 5, 5)}
    settings = load_settings(xbar="16x22", assignments=[*EXACT, *assignments])
    inputs: Any = MadeUpInputs(feeds)
    study = bare_study(load_network(two_layers()), settings, inputs, 7)
    chip = Foundries(study).open(SCENARIOS["compensated"]).make(trial)
    return chip, run(chip.network.model, feeds)[0]


def compensated(*steps: str) -> str:
    return f"compensate=[{', '.join(steps)}]"


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max() / np.abs(other).max())


@pytest.mark.parametrize("scheme", EVERY)
def test_outputs_are_those_of_a_chip_without_faults(scheme: str) -> None:
    _, faultless = made(*EVERY[scheme])
    _, faulty = made(*EVERY[scheme], *FAULTS)
    chip, corrected = made(*EVERY[scheme], *FAULTS, compensated("digital_cells"))
    assert apart(faulty, faultless) > 0.1
    assert apart(corrected, faultless) < 1e-6
    assert all(step["digital_cells"].after < 1e-9 for step in chip.residuals.values())


@pytest.mark.parametrize("inputs", INPUTS)
def test_whatever_the_inputs_and_scales(inputs: str) -> None:
    _, faultless = made(*INPUTS[inputs])
    _, corrected = made(*INPUTS[inputs], *FAULTS, compensated("digital_cells"))
    assert apart(corrected, faultless) < 2e-6


@pytest.mark.parametrize(
    "scheme", ["one_sided", "two_sided", "adjacent digital", "slices", "packed", "reference"]
)
def test_behind_spares_and_pairs_fewer_weights_are_left(scheme: str) -> None:
    steps = ("spares", "pairs") if scheme in SCHEMES else ("spares",)
    given = (*EVERY[scheme], *FAULTS, "mapping.spare_cols=2")
    _, faultless = made(*EVERY[scheme], "mapping.spare_cols=2")
    alone, _ = made(*given, compensated("digital_cells"))
    chip, corrected = made(*given, compensated(*steps, "digital_cells"))
    assert apart(corrected, faultless) < 2e-6
    assert digital(chip) < digital(alone)


def test_both_orders_of_spares_and_pairs() -> None:
    given = (*FAULTS, "mapping.spare_cols=2")
    errors = {
        steps: np.mean(
            [
                made(*given, compensated(*steps), trial=t)[0].residuals["y"][steps[-1]].after
                for t in range(3)
            ]
        )
        for steps in (("pairs",), ("pairs", "spares"), ("spares", "pairs"))
    }
    assert errors["spares", "pairs"] < errors["pairs",]
    assert errors["pairs", "spares"] < errors["pairs",]


def test_small_errors_are_left() -> None:
    given = (*FAULTS, "device.n_bits=null")
    every, _ = made(*given, compensated("digital_cells"))
    chip, _ = made(*given, compensated("{digital_cells: {least_error: 30%}}"))
    for one, other in zip(every.layers, chip.layers, strict=True):
        assert one.digital is not None
        assert other.digital is not None
        share = np.abs(one.digital) / np.abs(one.layer.matrices).max()
        assert np.array_equal(other.digital, np.where(share < 0.3, 0.0, one.digital))
    assert 0 < digital(chip) < digital(every)
    assert all(0 < step["digital_cells"].after < 0.3 for step in chip.residuals.values())


def test_without_faults_nothing_is_computed() -> None:
    chip, _ = made(compensated("spares", "pairs", "digital_cells"), "mapping.spare_cols=1")
    assert digital(chip) == 0
    assert not chip.residuals


@pytest.mark.parametrize("scheme", ["one_sided", "slices", "offset"])
def test_needs_count_the_weights_with_a_stuck_cell(scheme: str) -> None:
    """An upper bound: a weight may be stuck at its value; otherwise the mean, within 5 errors."""
    settings = load_settings(xbar="64x64", assignments=[*EVERY[scheme], *FAULTS[:2]])
    needs, cells = expected(settings, (100, 90))
    p = 1 - 0.87**cells
    assert needs.multipliers == needs.adders == needs.stored_values == round(9000 * p)
    chip, _ = made(*EVERY[scheme], *FAULTS[:2], compensated("digital_cells"))
    weights = sum(layer.layer.matrices.size for layer in chip.layers)
    assert digital(chip) <= weights * p + 5 * np.sqrt(weights * p * (1 - p))


def expected(settings: Settings, shape: tuple[int, int]) -> tuple[Any, int]:
    """Return what the step asks for in a dense layer, and the cells of a weight."""
    (layer,) = load_network(dense(random(1, *shape))).layers
    mapped = map_layer(layer, settings.crossbar, settings.device, settings.mapping)
    step = STEPS["digital_cells"]
    return step.needs(mapped, step.options()), mapped.cells.polarities * mapped.cells.slices


def digital(chip: MadeChip) -> int:
    """Count the weights that are computed digitally."""
    return sum(
        int(np.count_nonzero(layer.digital)) for layer in chip.layers if layer.digital is not None
    )
