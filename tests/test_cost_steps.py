"""Hardware of compensation, step by step, against sums by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from small_networks import network

from rxsim.cli import root
from rxsim.config import Cost, Settings
from rxsim.cost.price.network import NetworkCost
from rxsim.errors import SettingError
from rxsim.load import load_network
from rxsim.pipeline import network_cost

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
# 36 rows and 5 columns at 16 positions, then 80 rows and 3 columns at one: 3 and 5 row tiles of pairs.
P, K, N, T = 16, 36, 5, 3
ARRAYS = 2 * T
SECOND = {"k": 80, "n": 3, "tiles": 5, "arrays": 10}
BITS, SAMPLES = 7, 11
ADD_J = 0.021e-12  # ISAAC


def cost_of(steps: list[Any], changes: dict[str, Any] | None = None) -> NetworkCost:
    given = {
        "crossbar": {"rows": 16, "cols": 16},
        "compensate": steps,
        "adc": {"n_bits": BITS},
        "calibration": {"samples": SAMPLES},
        "cost": {"technology": "isaac", "array_energy": "technology"},
        **(changes or {}),
    }
    rng = np.random.default_rng(4)
    weights = {"w": rng.standard_normal((N, 4, 3, 3)), "v": rng.standard_normal((80, 3))}
    text = "[c] a = Conv(x, w) [f] b = Flatten(a) [d] y = Gemm(b, v)"
    model = network(text, (4, 6, 6), weights)
    return network_cost(load_network(model), Settings.model_validate(given), {"x": (1, 4, 6, 6)})


def sums(first: int, second: int) -> int:
    """Add up both layers, the first at 16 positions."""
    return P * first + second


STUCK = 0.03
CELLS = (ARRAYS + SECOND["arrays"]) * 256
# Weights with a stuck cell among two: 180 and 240 of them.
BROKEN = [round(count * (1 - (1 - STUCK) ** 2)) for count in (K * N, 80 * 3)]
SPARES = 2 * (ARRAYS + SECOND["arrays"])
LINES = [K + T * N, 80 + 5 * 3]
HAND: dict[str, tuple[list[Any], dict[str, Any], dict[str, int]]] = {
    "columns": (
        ["columns"],
        {},
        {
            **{"multiplications": sums(T * N, 5 * 3), "additions": sums(N, 3)},
            **{"stored_values": T * N + N + 5 * 3 + 3, "test_reads": 2 * SAMPLES},
        },
    ),
    "gains alone, of the design": (
        [{"columns": {"offset": False, "measure": "design"}}],
        {},
        {"multiplications": sums(T * N, 5 * 3), "stored_values": T * N + 5 * 3},
    ),
    "statistics": (
        ["statistics"],
        {},
        {
            **{"multiplications": sums(N, 3), "additions": sums(N, 3)},
            **{"stored_values": 2 * (N + 3), "test_reads": 2 * SAMPLES},
        },
    ),
    "spares": (
        ["spares"],
        {"mapping": {"spare_cols": 2}},
        {"stored_values": SPARES, "spare_columns": SPARES, "test_cell_reads": CELLS},
    ),
    "pairs": (["pairs"], {}, {"test_cell_reads": CELLS}),
    "digital_cells": (
        ["digital_cells"],
        {"device": {"stuck_hrs": STUCK}},
        {
            **{"multiplications": sums(*BROKEN), "additions": sums(*BROKEN)},
            **{"stored_values": sum(BROKEN), "test_cell_reads": CELLS},
        },
    ),
    "predistort": (
        [{"predistort": {"scale": "column"}}],
        {},
        {"multiplications": sums(T * N, 5 * 3), "stored_values": T * N + 5 * 3},
    ),
    "order": ([{"order": {"together": True}}], {}, {"stored_values": sum(LINES)}),
    "ranges": (["ranges"], {}, {}),
}


@pytest.mark.parametrize("name", HAND)
def test_a_step_asks_for_what_sums_by_hand_say(name: str) -> None:
    steps, changes, wanted = HAND[name]
    cost = cost_of(steps, changes)
    (step,) = cost.steps
    told = step.as_json()
    counts = ("multiplications", "additions", "stored_values", "spare_columns")
    for key in (*counts, "test_reads", "test_cell_reads"):
        assert told[key] == wanted.get(key, 0), key
    assert step.stored_bits == BITS * step.stored_values
    energy = ADD_J * (BITS * step.multiplications + step.additions)
    assert step.energy_j == pytest.approx(energy, rel=1e-12)
    whole = [each.energy_j for each in cost.components if each.name == "compensation"]
    assert whole == ([pytest.approx(energy, rel=1e-12)] if energy else [])
    column = 2.5e-5 * 16 / 128**2 + 4e-5 / 1024
    assert step.spare_area_mm2 == pytest.approx(column * step.spare_columns, rel=1e-12)
    assert cost.as_json()["compensation"] == [told]
    assert (cost.writing.test_reads, cost.writing.test_cell_reads) == (
        *(step.test_reads, step.test_cell_reads),
    )


def test_a_product_that_is_read_costs_what_its_acts_cost() -> None:
    """ISAAC: 30 pJ a read of 128 x 128 cells, .4167 pJ a drive, 10 uW of 1,024 at 10 MHz, .021 pJ."""
    cost = cost_of(["columns"], {"adc": {"n_bits": 8}})
    energy = 0.0
    for layer in cost.layers:
        actions = layer.counts.actions
        energy += actions.reads * 30e-12 * 16**2 / 128**2 + actions.drives * 0.4167e-12
        energy += actions.sample_and_holds * 1e-5 / 1024 / 1e7
        energy += actions.conversions * 2e-3 / 1.2e9 + actions.shift_and_adds * 0.021e-12
    assert cost.writing.test_energy_j == pytest.approx(SAMPLES * energy, rel=1e-9)
    assert cost.steps[0].test_energy_j == cost.writing.test_energy_j


def test_steps_add_up_and_cells_are_tested_once() -> None:
    spare = {"mapping": {"spare_cols": 2}, "device": {"stuck_hrs": STUCK}}
    cost = cost_of(["spares", "pairs", "columns", "digital_cells", "columns"], spare)
    names = [step.name for step in cost.steps]
    assert names == ["spares", "pairs", "columns", "digital_cells", "columns (2)"]
    assert [step.test_cell_reads for step in cost.steps] == [CELLS, 0, 0, 0, 0]
    assert cost.writing.test_cell_reads == CELLS
    (part,) = (each for each in cost.components if each.name == "compensation")
    energies = [step.energy_j or 0.0 for step in cost.steps]
    assert part.energy_j == pytest.approx(sum(energies), rel=1e-12)
    assert cost.energy_j == pytest.approx(cost_of([], spare).energy_j + sum(energies), rel=1e-12)


def test_spare_columns_are_counted_with_their_arrays() -> None:
    """Twelve of 16 columns are spares: 5 outputs take two column tiles, 3 take one.

    A multiplexer puts a spare in the place of a column: with the step no read, drive, conversion or
    ADC is added.
    """
    mapping: dict[str, Any] = {"mapping": {"spare_cols": 12}}
    plain, spared, used = cost_of([]), cost_of([], mapping), cost_of(["spares"], mapping)
    assert plain.counts.hardware.arrays == 16
    # Four columns for 5 and 3 outputs: two column tiles and one.
    assert spared.counts.hardware.arrays == 2 * (2 * T + 5)
    assert used.counts.hardware == spared.counts.hardware
    assert used.counts.actions == spared.counts.actions
    hardware = used.counts.hardware
    assert hardware.cells == hardware.cells_written == 22 * 256
    assert hardware.driven_rows == 2 * (2 * K + 80)
    assert hardware.used_columns == 2 * (T * N + 5 * 3)
    assert used.steps[0].spare_columns == 22 * 12


def test_copies_keep_and_test_their_own() -> None:
    """The first layer takes 16 positions, the second one: 3 copies of the first fit into 30 arrays."""
    more = {"cost": {"technology": "isaac", "array_energy": "technology"}}
    more["cost"]["replicate"] = {"balance": 30}  # type: ignore[assignment]
    cost = cost_of(["statistics", "pairs"], more)
    copies = [layer.replicas for layer in cost.layers]
    assert copies == [3, 1]
    statistics, pairs = cost.steps
    assert statistics.stored_values == 3 * 2 * N + 2 * 3
    assert statistics.test_reads == (3 + 1) * SAMPLES
    assert pairs.test_cell_reads == (3 * ARRAYS + 10) * 256
    assert statistics.multiplications == sums(N, 3)  # positions are divided among copies


def test_layers_on_the_same_arrays_are_tested_once() -> None:
    weight = np.random.default_rng(1).standard_normal((6, 6))
    model = network("[a] h = Gemm(x, w) [b] y = Gemm(h, w)", (6,), {"w": weight})
    settings = Settings.model_validate(
        {
            "compensate": ["pairs", "columns"],
            "crossbar": {"rows": 16, "cols": 16},
            "calibration": {"samples": SAMPLES},
        }
    )
    found = network_cost(load_network(model), settings, {"x": (1, 6)}, Cost(technology="isaac"))
    pairs, columns = found.steps
    assert pairs.test_cell_reads == 2 * 256
    assert columns.test_reads == 2 * SAMPLES  # each layer's inputs are its own
    assert columns.stored_values == 2 * 12


def test_the_command_prints_a_row_for_each_step() -> None:
    words = ["cost", str(MODEL), "--xbar=64x64", "--array-energy=technology", "-q"]
    words += ["--set=mapping.spare_cols=4", "--technology=puma"]
    shown = CliRunner().invoke(root, [*words, "--compensate=spares,pairs,columns"])
    assert shown.exit_code == 0, shown.output
    title = shown.output.index("Compensation, step by step")
    rows = shown.output[title:].splitlines()[4:7]
    assert [row.split()[1] for row in rows] == ["spares", "pairs", "columns"]
    without = CliRunner().invoke(root, words)
    assert "step by step" not in without.output
    refused = CliRunner().invoke(root, [*words, "--compensate=auto"])
    assert isinstance(refused.exception, SettingError)
    assert "compensate: found auto" in str(refused.exception)


def test_steps_that_auto_chooses_are_priced() -> None:
    words = [
        "cost",
        str(MODEL),
        "--xbar=64x64",
        "--compensate=auto",
        "--technology=isaac",
        "--json=-",
    ]
    words += ["--set=calibration.samples=24", "--set=trials=1", "--set=crossbar.r_wire_bl=20"]
    shown = CliRunner().invoke(root, words)
    assert shown.exit_code == 0, shown.output
    steps = [step["name"] for step in json.loads(shown.stdout)["compensation"]]
    assert steps
    for step in steps:
        assert step.partition(" ")[0] in shown.stderr.partition("auto chose ")[2]
