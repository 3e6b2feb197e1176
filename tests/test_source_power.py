"""What sources deliver: ngspice, dissipation node by node, closed forms, both ways to solve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from circuits import Circuit, random_circuit
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import ngspice, nonlinear
from test_newton import CURVES, ENDS, LINEAR, random_case, spice_law

from rxsim.circuit import source_currents, source_network, source_power
from rxsim.circuit.source_power import _one_by_one
from rxsim.config import Crossbar
from rxsim.devices import IVCurve
from rxsim.errors import CircuitError

WIRES: dict[str, Any] = {"r_wire_wl": 7.0, "r_wire_bl": 4.0, "r_driver": 90.0, "r_sense": 60.0}
NO_WIRES = Crossbar(r_wire_wl=0, r_wire_bl=0, r_driver=0, r_sense=0)
needs_ngspice = pytest.mark.skipif(not ngspice.available(), reason="ngspice is not installed")


def case_of(
    seed: int, shape: tuple[int, int], curve: IVCurve, ends: int
) -> tuple[np.ndarray, Crossbar, np.ndarray]:
    """Draw an array; lines that are shorted at one end are not at the other, which no oracle takes."""
    g, bar, v_in = random_case(seed + ends, *shape, curve, **ENDS[ends])
    if bar.r_sense_far is None:
        return g, bar, v_in
    least = {name: max(getattr(bar, name), 0.1) for name in ("r_driver", "r_sense")}
    return g, bar.model_copy(update=least), v_in


def dissipated(g: np.ndarray, curve: IVCurve, bar: Crossbar, v_in: np.ndarray) -> float:
    """Power of every wire, end, access resistance and cell, from the voltages of a plain Newton."""
    _, v_wl, v_bl, i_cell = nonlinear.solve(g, curve.current, curve.slope, bar, v_in)
    total = float((i_cell * (v_wl - v_bl)).sum())  # across a cell and its access resistance
    ends = Circuit(g, bar).ends
    branches = [
        (np.diff(v_wl, axis=1), bar.r_wire_wl),
        (np.diff(v_bl, axis=0), bar.r_wire_bl),
        (v_in - v_wl[:, 0], ends.left),
        (v_in - v_wl[:, -1], ends.right),
        (v_bl[0], ends.top),
        (v_bl[-1], ends.bottom),
    ]
    for volts, ohms in branches:
        ohm = np.broadcast_to(np.asarray(ohms, np.float64), volts.shape)
        total += float((volts[ohm > 0] ** 2 / ohm[ohm > 0]).sum())
    return total


@pytest.mark.parametrize("name", ["linear", "sinh", "cubic", "milo"])
@pytest.mark.parametrize("ends", range(len(ENDS)))
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (6, 9)])
def test_sources_deliver_what_wires_and_cells_dissipate(
    name: str, ends: int, shape: tuple[int, int]
) -> None:
    curve = CURVES[name]
    g, bar, v_in = case_of(30, shape, curve, ends)
    power = source_power(g, bar, v_in[None], None if curve is LINEAR else curve)
    assert power[0] >= 0
    assert power[0] == pytest.approx(dissipated(g, curve, bar, v_in), rel=1e-7, abs=1e-22)


@needs_ngspice
@pytest.mark.parametrize("ends", range(len(ENDS)))
def test_linear_arrays_deliver_what_ngspice_says(ends: int) -> None:
    for shape in [(1, 1), (7, 4), (6, 11)]:
        g, bar, v_in = case_of(70, shape, LINEAR, ends)
        case = Circuit(g, bar)
        deck = ngspice.netlist(case.cells, *case.wires, 0.0, 0.0, v_in, ends=case.ends)
        wanted = ngspice.source_currents(deck, len(g))
        scale = np.abs(wanted).max()
        assert source_currents(g, bar, v_in[None])[0] == pytest.approx(wanted, abs=1e-8 * scale)
        assert source_power(g, bar, v_in[None])[0] == pytest.approx(v_in @ wanted, rel=1e-8)


@needs_ngspice
@pytest.mark.parametrize("name", ["sinh", "cubic", "milo"])
@pytest.mark.parametrize("ends", range(len(ENDS)))
def test_arrays_of_cells_with_a_curve_deliver_what_ngspice_says(name: str, ends: int) -> None:
    curve = CURVES[name]
    g, bar, v_in = case_of(90, (5, 7), curve, ends)
    deck = nonlinear.spice_deck(g, spice_law(name), bar, v_in)
    wanted = v_in @ ngspice.source_currents(deck, len(g))
    assert source_power(g, bar, v_in[None], curve)[0] == pytest.approx(wanted, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_the_network_of_sources_is_as_good_as_solving_each_input(
    seed: int, n_rows: int, n_cols: int
) -> None:
    """Any ends, resistances of 0, open cells and lines: conductances are positive, currents agree."""
    case = random_circuit(seed, (n_rows, n_cols))
    network = source_network(case.g, case.bar)
    assert (network.between >= 0).all()
    assert (network.between == network.between.T).all()
    assert (network.to_ground >= 0).all()
    # Whatever leaves a source for ground is sensed: the sums of the rows of g_eff, by the oracle.
    sensed = case.reference().sum(axis=1)
    np.testing.assert_allclose(network.to_ground, sensed, rtol=1e-9, atol=1e-9 * sensed.max())
    v_in = np.random.default_rng(seed).uniform(-0.2, 0.2, (3, n_rows))
    one_by_one = _one_by_one(case.g, case.bar, v_in, None)
    scale = np.abs(one_by_one).max() or 1.0
    np.testing.assert_allclose(network.currents(v_in), one_by_one, rtol=0, atol=1e-8 * scale)
    power = (v_in * one_by_one).sum(axis=1)
    np.testing.assert_allclose(network.power(v_in), power, rtol=1e-7, atol=1e-9 * scale)


def test_without_wires_it_is_the_sum_of_v_squared_g() -> None:
    rng = np.random.default_rng(0)
    g, v = rng.uniform(1e-7, 1e-5, (40, 30)), rng.uniform(-0.2, 0.2, (5, 40))
    by_hand = [sum(v_k[i] ** 2 * g[i, j] for i in range(40) for j in range(30)) for v_k in v]
    assert source_power(g, NO_WIRES, v) == pytest.approx(by_hand, rel=1e-12)
    in_series = [
        sum(v_k[i] ** 2 / (1 / g[i, j] + 9e3) for i in range(40) for j in range(30)) for v_k in v
    ]
    assert source_power(g, NO_WIRES.model_copy(update={"r_access": 9e3}), v) == pytest.approx(
        in_series, rel=1e-12
    )
    gated = NO_WIRES.model_copy(update={"topology": "input_gated"})
    assert source_power(g, gated, v) == pytest.approx(by_hand, rel=1e-12)
    sinh = CURVES["sinh"]
    curved = [sum((v_k[i] * sinh.current(g[i], np.full(30, v_k[i]))).sum() for i in range(40))
              for v_k in v]  # fmt: skip
    assert source_power(g, NO_WIRES, v, sinh) == pytest.approx(curved, rel=1e-8)


@pytest.mark.parametrize("name", ["linear", "sinh"])
def test_rows_at_0_volt_have_no_cells_where_inputs_gate_them(name: str) -> None:
    curve = CURVES[name]
    g = np.random.default_rng(4).uniform(1e-6, 1e-4, (9, 7))
    on = np.array([1, 0, 0, 1, 1, 0, 1, 0, 1], bool)
    v_in = np.where(on, 0.2, 0.0)
    bar = Crossbar(**{**WIRES, "r_sense": 2e3})
    gated = bar.model_copy(update={"topology": "input_gated"})
    wanted = dissipated(np.where(on[:, None], g, 0), curve, bar, v_in)
    given_curve = None if curve is LINEAR else curve
    many = np.tile(v_in, (50, 1))
    assert source_power(g, gated, many, given_curve) == pytest.approx(wanted, rel=1e-7)
    assert source_power(g, bar, v_in[None], given_curve)[0] != pytest.approx(wanted, rel=1e-3)


def test_one_input_or_many_give_the_same() -> None:
    """A few inputs are solved one by one, many by elimination."""
    g = np.random.default_rng(5).uniform(1e-6, 1e-4, (60, 20))
    v = np.random.default_rng(6).uniform(-0.2, 0.2, (40, 60))
    bar = Crossbar(**WIRES)
    alone = np.concatenate([source_power(g, bar, each[None]) for each in v])
    assert source_power(g, bar, v) == pytest.approx(alone, rel=1e-8)


def test_nothing_driven_and_nothing_connected_deliver_nothing() -> None:
    g, bar = np.full((4, 3), 1e-5), Crossbar(**WIRES)
    assert (source_power(g, bar, np.zeros((2, 4))) == 0).all()
    assert (source_power(g, bar, np.zeros((2, 4)), CURVES["sinh"]) == 0).all()
    assert (source_power(np.zeros((4, 3)), bar, np.ones((2, 4))) == 0).all()
    assert source_power(g, bar, np.zeros((0, 4))).shape == (0,)
    assert source_currents(g, bar, np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("bad", [np.nan, -1e-6, np.inf])
@pytest.mark.parametrize("ohm", [0.0, 5.0])
def test_an_impossible_conductance_is_an_error(bad: float, ohm: float) -> None:
    g = np.full((4, 3), 1e-5)
    g[1, 2] = bad
    with pytest.raises(CircuitError, match="conductance"):
        source_power(g, Crossbar(r_wire_wl=ohm), np.ones((1, 4)))


def test_a_network_that_is_too_large_to_certify_is_an_error() -> None:
    with pytest.raises(CircuitError, match="one by one"):
        source_network(np.full((4000, 2000), 1e-6), Crossbar(**WIRES))
