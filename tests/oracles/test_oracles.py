"""The oracles checked against one another and against closed forms."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from . import dense_exact, ngspice, sparse
from .error import g_eff_error

needs_ngspice = pytest.mark.skipif(not ngspice.available(), reason="ngspice is not installed")

SHAPES = [(1, 1), (1, 5), (5, 1), (2, 3), (3, 3), (4, 3)]
ORDINARY = [
    (1.3, 2.9, 47.0, 11.0),
    (250.0, 31.0, 0.7, 1000.0),
    (0.4, 0.0, 20.0, 5.0),
    (0.0, 0.6, 20.0, 5.0),
    (0.0, 0.0, 20.0, 5.0),
    (1.7, 0.8, 0.0, 5.0),
    (1.7, 0.8, 20.0, 0.0),
    (1.7, 0.8, 0.0, 0.0),
    (1.7, 0.0, 0.0, 0.0),
    (0.0, 0.8, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0),
]


def _conductances(seed: int, shape: tuple[int, int], low: float = 1e-10) -> NDArray[np.float64]:
    """Return log-uniform conductances up to 1 mS, a quarter of them open."""
    rng = np.random.default_rng(seed)
    g = np.exp(rng.uniform(np.log(low), np.log(1e-3), shape))
    g[rng.random(shape) < 0.25] = 0.0
    return g


@pytest.mark.parametrize("resistances", ORDINARY)
@pytest.mark.parametrize("shape", SHAPES)
def test_sparse_matches_rational_arithmetic(
    shape: tuple[int, int], resistances: tuple[float, float, float, float]
) -> None:
    """Unequal resistances, each of them also 0."""
    g = _conductances(sum(shape), shape)
    error = g_eff_error(sparse.g_eff(g, *resistances), dense_exact.g_eff(g, *resistances))
    assert error <= 1e-13


@pytest.mark.parametrize("resistances", list(itertools.product([0.0, 1e-5, 1e3], repeat=4)))
def test_sparse_matches_rational_arithmetic_at_extremes(
    resistances: tuple[float, float, float, float],
) -> None:
    """Resistances eight orders apart and an on/off ratio of 1e7."""
    rng = np.random.default_rng(7)
    g = rng.choice([1e-10, 1e-3], (3, 4)) * rng.uniform(0.9, 1.0, (3, 4))
    error = g_eff_error(sparse.g_eff(g, *resistances), dense_exact.g_eff(g, *resistances))
    assert error <= 1e-13


@pytest.mark.parametrize("solver", [sparse.g_eff, dense_exact.g_eff])
@pytest.mark.parametrize("resistances", ORDINARY)
def test_open_column_and_row_are_exactly_zero(
    solver: Callable[..., Any], resistances: tuple[float, float, float, float]
) -> None:
    """A column or a row without devices takes no part."""
    g = np.full((3, 3), 1e-4)
    g[:, 1] = 0.0
    g[2] = 0.0
    result = solver(g, *resistances)
    assert np.all(result[:, 1] == 0.0)
    assert np.all(result[2] == 0.0)
    assert np.all(result[:2, ::2] > 0.0)


@pytest.mark.parametrize("solver", [sparse.g_eff, dense_exact.g_eff])
@pytest.mark.parametrize("r_driver", [0.0, 1e-3, 1e3])
@pytest.mark.parametrize("r_sense", [0.0, 1e-3, 1e3])
def test_single_device_closed_form(
    solver: Callable[..., Any], r_driver: float, r_sense: float
) -> None:
    """One device is in series with its driver and its sense resistor."""
    for g in (1e-10, 1e-3):
        expected = 1.0 / (r_driver + 1.0 / g + r_sense)
        result = solver([[g]], 3.0, 4.0, r_driver, r_sense)
        assert result.shape == (1, 1)
        assert result[0, 0] == pytest.approx(expected, rel=1e-15)


def test_without_parasitics_g_eff_is_g() -> None:
    """With no resistance but the devices' every device stands alone."""
    g = _conductances(3, (7, 5))
    np.testing.assert_array_equal(sparse.g_eff(g, 0.0, 0.0, 0.0, 0.0), g)


@pytest.mark.parametrize("resistances", ORDINARY)
def test_node_voltages_obey_the_circuit(resistances: tuple[float, float, float, float]) -> None:
    """Device currents follow from the voltages and sum to the sensed ones."""
    g = _conductances(4, (6, 5), low=1e-6)
    v_in = np.random.default_rng(5).uniform(-1.0, 1.0, 6)
    v_wl, v_bl, i_out = sparse.node_voltages(g, *resistances, v_in)
    device = g * (v_wl - v_bl)
    scale = np.abs(device).sum()
    np.testing.assert_allclose(device.sum(axis=0), i_out, rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(v_in @ sparse.g_eff(g, *resistances), i_out, atol=1e-13 * scale)
    r_wire_wl, r_wire_bl, r_driver, r_sense = resistances
    from_driver = device[:, ::-1].cumsum(axis=1)[:, ::-1]
    to_sense = device.cumsum(axis=0)
    np.testing.assert_allclose(v_in - v_wl[:, 0], r_driver * from_driver[:, 0], atol=1e-12)
    np.testing.assert_allclose(-np.diff(v_wl), r_wire_wl * from_driver[:, 1:], atol=1e-12)
    np.testing.assert_allclose(-np.diff(v_bl, axis=0), r_wire_bl * to_sense[:-1], atol=1e-12)
    np.testing.assert_allclose(v_bl[-1], r_sense * i_out, atol=1e-12)


@pytest.mark.parametrize(
    "solver",
    [sparse.g_eff, dense_exact.g_eff, pytest.param(ngspice.g_eff, marks=needs_ngspice)],
)
def test_floating_nodes_carry_no_current(solver: Callable[..., Any]) -> None:
    """With open wires only the device at the driver and the sense resistor is in the circuit."""
    result = solver(np.full((2, 3), 1e-3), np.inf, np.inf, 100.0, 50.0)
    expected = np.zeros((2, 3))
    expected[1, 0] = 1.0 / 1150.0
    assert g_eff_error(result, expected) <= 1e-14


@needs_ngspice
@pytest.mark.parametrize("resistances", ORDINARY)
@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (5, 8), (12, 10)])
def test_sparse_matches_ngspice(
    shape: tuple[int, int], resistances: tuple[float, float, float, float]
) -> None:
    """Non-square arrays with open devices, unequal and zero resistances."""
    g = _conductances(10 + sum(shape), shape)
    error = g_eff_error(ngspice.g_eff(g, *resistances), sparse.g_eff(g, *resistances))
    assert error <= 1e-9


@needs_ngspice
@pytest.mark.parametrize("seed", range(8))
def test_sparse_matches_ngspice_on_random_resistances(seed: int) -> None:
    """Resistances drawn over four decades."""
    rng = np.random.default_rng(100 + seed)
    shape = (int(rng.integers(2, 13)), int(rng.integers(2, 11)))
    resistances = 10.0 ** rng.uniform(-1.0, 3.0, 4)
    g = _conductances(200 + seed, shape)
    g[:, 0] = 0.0
    error = g_eff_error(ngspice.g_eff(g, *resistances), sparse.g_eff(g, *resistances))
    assert error <= 1e-9


@needs_ngspice
def test_netlist_prints_the_currents_at_its_voltages() -> None:
    """The netlist for given voltages is complete by itself."""
    g = _conductances(6, (4, 3), low=1e-6)
    v_in = np.array([0.3, -0.2, 0.0, 1.1])
    deck = ngspice.netlist(g, *ORDINARY[0], v_in)
    currents = ngspice.currents(deck)
    _, _, expected = sparse.node_voltages(g, *ORDINARY[0], v_in)
    np.testing.assert_allclose(currents, expected, rtol=1e-11)


def test_error_measure() -> None:
    """Small entries are compared with a millionth of their column, zeros exactly."""
    b = np.array([[1.0, 0.0, 2.0], [1e-9, 0.0, 0.0]])
    assert g_eff_error(b, b) == 0.0
    assert g_eff_error(b + np.array([[0.0, 0.0, 0.2], [0.0, 0.0, 0.0]]), b) == pytest.approx(0.1)
    assert g_eff_error(b + np.array([[0.0, 0.0, 0.0], [1e-9, 0.0, 0.0]]), b) == pytest.approx(1e-3)
    for i, j in [(0, 1), (1, 2)]:
        a = b.copy()
        a[i, j] = 1e-30
        assert g_eff_error(a, b) == np.inf
    assert g_eff_error(np.full_like(b, np.nan), b) == np.inf
    with pytest.raises(ValueError, match="shape"):
        g_eff_error(b, b.T)
