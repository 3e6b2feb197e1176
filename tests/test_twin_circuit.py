"""The twin's own circuits and curves, against oracles of another method and against closed forms."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from oracles import nonlinear, sparse
from oracles.ends import placed
from scipy.optimize import brentq
from twin import complete
from twin.circuit import Point, cell_currents, effective, linear
from twin.curves import curve_of

TESTS = Path(__file__).parent
CURVES: dict[str, dict[str, Any]] = {
    "linear": {"form": "linear"},
    "sinh": {"form": "sinh", "v0": 0.05},
    "cubic": {"form": "cubic", "cubic": 1.5},
    "table": {"form": "table", "v": [0.05, 0.1, 0.2, 0.41], "f": [0.04, 0.1, 0.3, 0.9]},
    "two-sided table": {"form": "table", "v": [-0.5, -0.1, 0.2, 0.5], "f": [-0.3, -0.05, 0.2, 0.9]},
    "milo": {"form": "milo"},
}
ENDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "turned": {"drive_side": "right", "sense_side": "top"},
    "alternate": {"drive_side": "alternate", "sense_side": "alternate", "r_access": 700},
    "far": {"r_driver_far": 30, "r_sense_far": 200, "sense_side": "alternate"},
    "no resistance": dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0),
    "one wire": {"r_wire_wl": 0, "r_driver": 0, "r_driver_far": 50, "r_sense": 0},
}


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (5, 6)])
def test_cell_currents_are_those_of_another_newton(
    name: str, ends: str, shape: tuple[int, int]
) -> None:
    wires = {"r_wire_wl": 12, "r_wire_bl": 35, "r_driver": 90, "r_sense": 40}
    settings = complete({"crossbar": {**wires, **ENDS[ends]}, "device": {"iv": CURVES[name]}})
    rng = np.random.default_rng(len(name) + 10 * shape[1])
    g = rng.uniform(63e-6, 109e-6, shape)
    v_in = rng.uniform(-0.2, 0.2, shape[0])
    curve, bar = curve_of(settings), settings["crossbar"]
    current, volt = cell_currents(g, curve, bar, v_in)
    _, v_wl, v_bl, expected = nonlinear.solve(
        g, curve.current, curve.slope, SimpleNamespace(**bar), v_in, 2
    )
    assert current == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert volt == pytest.approx(v_wl - v_bl, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (7, 6)])
def test_matrices_are_those_of_the_refined_sparse_solver(ends: str, shape: tuple[int, int]) -> None:
    wires = {"r_wire_wl": 12, "r_wire_bl": 35, "r_driver": 90, "r_sense": 40}
    bar = complete({"crossbar": {**wires, **ENDS[ends]}})["crossbar"]
    g = 10 ** np.random.default_rng(shape[1]).uniform(-7, -3.5, shape)
    g[0, -1] = 0
    names = ("drive_side", "sense_side", "r_driver_far", "r_sense_far")
    both = placed(shape, bar["r_driver"], bar["r_sense"], **{name: bar[name] for name in names})
    expected = sparse.g_eff(g, bar["r_wire_wl"], bar["r_wire_bl"], ends=both)
    assert linear(g, bar) == pytest.approx(expected, rel=1e-11, abs=1e-20)


@pytest.mark.parametrize("name", CURVES)
def test_curves_by_hand(name: str) -> None:
    """Scaled to f(v_read) = v_read; slopes are derivatives; Milo's numbers at 100 uS."""
    settings = complete({"device": {"iv": CURVES[name]}})
    curve, g, v = curve_of(settings), np.array(100e-6), np.linspace(-0.2, 0.2, 9)
    step = 1e-6
    slope = (curve.current(g, v + step) - curve.current(g, v - step)) / (2 * step)
    assert curve.slope(g, v) == pytest.approx(slope, rel=1e-5)
    if curve.f is not None:
        assert float(curve.f(np.array(0.2))) == pytest.approx(0.2, rel=1e-12)
    else:  # L = -4: N2 = 1.388e-4 (-64) + 1.541e-3 (16) + 5.711e-3 (-4) + 7.063e-3
        n2, n3 = -8.8832e-3 + 24.656e-3 - 22.844e-3 + 7.063e-3, 1.41936e-3 - 2.71676e-3 + 1.2968e-3
        expected = 100e-6 * 0.2 + n2 * 0.04 + n3 * 0.008
        assert float(curve.current(g, np.array(0.2))) == pytest.approx(expected, rel=1e-9)


def test_a_chord_is_the_root_of_one_equation() -> None:
    """One cell with its driver, sense and access resistance."""
    bar = {"rows": 1, "cols": 1, "r_driver": 300, "r_sense": 200, "r_access": 100}
    settings = complete({"crossbar": bar, "device": {"iv": {"form": "sinh", "v0": 0.08}}})

    def surplus(current: float) -> float:
        inside = 0.12 - 600 * current
        return float(2e-4 * 0.2 * np.sinh(inside / 0.08) / np.sinh(0.2 / 0.08) - current)

    current = brentq(surplus, 0, 0.12 / 600, xtol=1e-18, rtol=1e-14)
    found = effective(np.array([[2e-4]]), settings, np.ones(1, dtype=bool), Point(0.12))
    assert found[0, 0] == pytest.approx(current / 0.12, rel=1e-9)


def test_rows_that_the_inputs_gate_by_hand() -> None:
    """One column of two driven rows and one at 0 V, behind driver and sense resistances.

    Cells count p of themselves and a wordline carries its current in full: of row i
    g_i / (1 + g_i r_driver) (1 - v_sense / v) per active input, v_sense the mean one.
    """
    bar = {"rows": 3, "cols": 1, "topology": "input_gated", "r_driver": 400, "r_sense": 250}
    settings = complete({"crossbar": {**bar, "r_wire_wl": 0, "r_wire_bl": 0}})
    g, p, v = np.array([[1e-4], [5e-5], [8e-5]]), 0.3, 0.2
    driven = np.array([True, True, False])
    through = g[:2, 0] / (1 + 400 * g[:2, 0])
    mean = p * through.sum()
    sense = v * mean * 250 / (1 + 250 * mean)
    found = effective(g, settings, driven, Point(v, p))
    assert found[:, 0] == pytest.approx([*(through * (1 - sense / v)), 0], rel=1e-12)


def imported(path: Path) -> set[str]:
    """Return the first names of all modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("oracles" if node.level else (node.module or "").split(".")[0])
    return found


def test_the_twin_shares_nothing_with_the_package() -> None:
    """Neither the twin nor the solvers that it takes import the package."""
    allowed = {*("__future__", "ast", "collections", "dataclasses", "fnmatch", "functools"),
               "fractions",
               *("itertools", "math", "typing", "re", "shutil", "subprocess", "tempfile", "pathlib"),
               *("numpy", "onnx", "scipy", "twin", "oracles")}  # fmt: skip
    solvers = [
        path for path in (TESTS / "oracles").glob("*.py") if not path.name.startswith("test")
    ]
    twin = list((TESTS / "twin").rglob("*.py"))
    assert len(twin) > 15
    for path in [*twin, *solvers]:
        assert imported(path) <= allowed, path.name
    for path in twin:
        assert imported(path) <= allowed - {"subprocess", "tempfile", "pathlib", "shutil"}
        assert "rxsim" not in path.read_text(), path.name
