"""Random circuits of every kind against the refined sparse oracle, and some against ngspice.

The refined oracle (tests/oracles/sparse.py) is checked against rational arithmetic and ngspice itself.
A test takes a chunk of seeds; a failure names each seed that failed: `random_circuit(seed, shape)` of
tests/circuits.py draws that circuit again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from circuits import Circuit, random_circuit, random_ends, random_shape
from oracles import ngspice
from oracles.error import g_eff_error

from rxsim.circuit import solve_array
from rxsim.config import Crossbar

TOLERANCE = 1e-9  # docs/concepts/model.md section 1
CHUNK = 20
SMALL = range(0, 200)
MEDIUM = range(10_000, 12_000)


def drawn(seed: int, largest: int) -> Circuit:
    return random_circuit(seed, random_shape(np.random.default_rng([seed, 1]), largest))


def worst_error(circuit: Circuit) -> float:
    return g_eff_error(solve_array(circuit.g, circuit.bar).g_eff, circuit.reference())


def failures(seeds: range, largest: int) -> list[str]:
    """Describe every circuit of a chunk whose g_eff is not within the tolerance."""
    found = []
    for seed in seeds:
        circuit = drawn(seed, largest)
        error = worst_error(circuit)
        if not error <= TOLERANCE:
            found.append(f"seed {seed}: error {error:.1e} of {circuit}")
    return found


def chunks(seeds: range) -> list[range]:
    return [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]


def name(seeds: range) -> str:
    return f"seeds-{seeds[0]}-{seeds[-1]}"


@pytest.mark.parametrize("seeds", chunks(SMALL), ids=name)
def test_small_circuits(seeds: Any) -> None:
    assert failures(seeds, 24) == []


@pytest.mark.slow
@pytest.mark.parametrize("seeds", chunks(MEDIUM), ids=name)
def test_medium_circuits(seeds: Any) -> None:
    assert failures(seeds, 128) == []


@pytest.mark.skipif(not ngspice.available(), reason="ngspice is not installed")
@pytest.mark.parametrize("seed", range(3000, 3040))
def test_small_circuits_against_ngspice(seed: int) -> None:
    """Resistances of one magnitude: beside 1 kohm ngspice itself loses digits on 1 mohm."""
    rng = np.random.default_rng(seed)
    g = 10 ** rng.uniform(-7, -4, random_shape(rng, 12))
    g[rng.random(g.shape) < 0.1] = 0.0
    names = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense", "r_driver_far", "r_sense_far")
    ohms = {name: 0.0 if rng.random() < 0.2 else rng.uniform(1, 100) for name in names}
    ends = random_ends(rng)
    for far in ("r_driver_far", "r_sense_far"):
        ends[far] = None if ends[far] is None else ohms[far]
    circuit = Circuit(g, Crossbar(**{**ohms, **ends, "r_access": 1000 * (rng.random() < 0.3)}))
    expected = ngspice.g_eff(circuit.cells, *circuit.wires, ends=circuit.ends)
    assert g_eff_error(solve_array(g, circuit.bar).g_eff, expected) <= TOLERANCE


LONG = [(1, 256), (256, 1), (1, 1152), (1152, 1), (2, 700), (700, 2), (1152, 16), (16, 1152)]
LARGE = [(128, 128), (256, 64), (64, 256), (200, 100), (576, 64), (64, 576), (256, 256)]
LARGEST = [(1152, 256), (256, 1152)]
DEVICES = ["on/off 1e7", "all on at 1 kohm"]
EXTREME = [(1, 1), (1, 256), (256, 1), (200, 150), (150, 200), (256, 256)]


def wrong_parts(circuit: Circuit, rng: np.random.Generator) -> list[str]:
    """Judge some rows and some columns of g_eff: of the whole matrix, and solved by themselves."""
    n_rows, n_cols = circuit.g.shape
    rows = np.unique([0, n_rows - 1, *rng.integers(0, n_rows, 2)])
    cols = np.unique([0, n_cols - 1, *rng.integers(0, n_cols, 2)])
    of_rows, of_cols = circuit.reference(rows), circuit.reference_columns(cols)
    whole = solve_array(circuit.g, circuit.bar).g_eff
    largest = whole.max(axis=0)  # judged itself wherever a column is
    errors = {
        "rows of the whole": g_eff_error(whole[rows], of_rows, largest),
        "columns of the whole": g_eff_error(whole[:, cols], of_cols),
        "rows alone": g_eff_error(solve_array(circuit.g, circuit.bar, rows=rows).g_eff, of_rows),
        "columns alone": g_eff_error(solve_array(circuit.g, circuit.bar, cols=cols).g_eff, of_cols),
        "a corner": g_eff_error(
            solve_array(circuit.g, circuit.bar, rows=rows, cols=cols).g_eff, of_cols[rows]
        ),
    }
    return [
        f"{part}: error {error:.1e}" for part, error in errors.items() if not error <= TOLERANCE
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4000, 4004))
@pytest.mark.parametrize("shape", [*LONG, *LARGE], ids=str)
def test_large_circuits(shape: Any, seed: Any) -> None:
    circuit = random_circuit(seed, shape)
    assert wrong_parts(circuit, np.random.default_rng(seed)) == [], str(circuit)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "seed"),
    # Seeds without many open devices: SuperLU takes many minutes to factor a large sparse network.
    [(LARGEST[0], 4103), (LARGEST[0], 4109), (LARGEST[1], 4104), (LARGEST[1], 4110)],
    ids=str,
)
def test_the_largest_circuits(shape: Any, seed: Any) -> None:
    """About a minute each: the factors of 590,000 nodes."""
    circuit = random_circuit(seed, shape)
    assert wrong_parts(circuit, np.random.default_rng(seed)) == [], str(circuit)


def extreme(shape: tuple[int, int], devices: str, wire: float, far: float | None) -> Circuit:
    """Resistances at the ends of their range, with conductances 1e7 apart or all at 1 kohm."""
    rng = np.random.default_rng(shape)
    on = rng.random(shape) < 0.3 if devices == "on/off 1e7" else np.ones(shape, bool)
    bar = Crossbar(
        r_wire_wl=wire,
        r_wire_bl=wire,
        r_driver=1e3 if wire < 1 else 1e-3,
        r_sense=100.0,
        drive_side="alternate",
        r_driver_far=far,
        r_sense_far=far,
    )
    return Circuit(np.where(on, 1e-3, 1e-10), bar)


def extremes(shapes: list[tuple[int, int]], fars: list[float | None]) -> list[object]:
    wanted = [(s, d, w, f) for s in shapes for d in DEVICES for w in (1e-3, 1e3) for f in fars]
    return [pytest.param(*each, id="-".join(map(str, each))) for each in wanted]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "devices", "wire", "far"),
    # At 1152x256 with both ends 1 mohm near 1 kohm wires entries fall below what float64 can hold.
    extremes(EXTREME, [None, 0.0, 1e-3, 1e3]) + extremes(LARGEST[:1], [None]),
)
def test_extreme_circuits(shape: Any, devices: Any, wire: Any, far: Any) -> None:
    circuit = extreme(shape, devices, wire, far)
    assert wrong_parts(circuit, np.random.default_rng(7)) == [], str(circuit)
