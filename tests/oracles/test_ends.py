"""Line ends in the oracles, checked against one another and against closed forms."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from . import dense_exact, ngspice, sparse
from .ends import Ends, placed
from .error import g_eff_error

needs_ngspice = pytest.mark.skipif(not ngspice.available(), reason="ngspice is not installed")

SIDES = list(itertools.product(["left", "right", "alternate"], ["bottom", "top", "alternate"]))
FAR = list(itertools.product([None, 0.0, 37.0], [None, 0.0, 61.0]))
WIRES = [(1.3, 2.9), (0.0, 2.9), (1.3, 0.0), (0.0, 0.0)]
NEAR = [(47.0, 11.0), (0.0, 11.0), (47.0, 0.0), (0.0, 0.0)]


def _conductances(seed: int, shape: tuple[int, int], low: float = 1e-10) -> NDArray[np.float64]:
    """Return log-uniform conductances up to 1 mS, a fifth of them open."""
    rng = np.random.default_rng(seed)
    g = np.exp(rng.uniform(np.log(low), np.log(1e-3), shape))
    g[rng.random(shape) < 0.2] = 0.0
    return g


def _any_ends(seed: int, shape: tuple[int, int]) -> Ends:
    """Return ends of unequal resistances, a quarter of them 0 and a quarter open."""
    rng = np.random.default_rng(seed)
    ends = []
    for length in (shape[0], shape[0], shape[1], shape[1]):
        ohms = 10 ** rng.uniform(-1, 3, length)
        kind = rng.integers(0, 4, length)
        ends.append(np.select([kind == 0, kind == 1], [0.0, np.inf], ohms))
    return Ends(*ends)


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("sides", SIDES)
def test_sparse_matches_rational_arithmetic(sides: tuple[str, str], far: tuple[Any, ...]) -> None:
    """Every combination of sides and far ends, wires and near ends of 0 ohm among them.

    Of all combinations every second one, so that any three choices still meet.
    """
    case = SIDES.index(sides) + FAR.index(far)
    for k, (wires, near) in enumerate(itertools.product(WIRES, NEAR)):
        if (case + k // len(NEAR) + k) % 2:
            continue
        shape = [(2, 3), (3, 2), (1, 3), (3, 1)][k % 4]
        g = _conductances(k, shape)
        ends = placed(shape, *near, *sides, *far)
        expected = dense_exact.g_eff(g, *wires, ends=ends)
        assert g_eff_error(sparse.g_eff(g, *wires, ends=ends), expected) <= 1e-13


@pytest.mark.parametrize("wires", [*WIRES, (np.inf, 2.0), (1e-5, 1e3)])
@pytest.mark.parametrize("seed", range(10))
def test_sparse_matches_rational_arithmetic_on_unequal_ends(
    seed: int, wires: tuple[float, float]
) -> None:
    """Every line has ends of its own; some lines are open at both and float."""
    shape = [(3, 3), (2, 4), (4, 2)][seed % 3]
    g, ends = _conductances(seed, shape), _any_ends(100 + seed, shape)
    expected = dense_exact.g_eff(g, *wires, ends=ends)
    assert g_eff_error(sparse.g_eff(g, *wires, ends=ends), expected) <= 1e-13


@needs_ngspice
@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("sides", SIDES)
def test_sparse_matches_ngspice(sides: tuple[str, str], far: tuple[Any, ...]) -> None:
    """Larger arrays than rational arithmetic can do."""
    seed = SIDES.index(sides) * len(FAR) + FAR.index(far)
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 10)), int(rng.integers(1, 10)))
    g = _conductances(seed, shape)
    wires, near = WIRES[int(rng.integers(4))], NEAR[int(rng.integers(4))]
    ends = placed(shape, *near, *sides, *far)
    expected = sparse.g_eff(g, *wires, ends=ends)
    assert g_eff_error(ngspice.g_eff(g, *wires, ends=ends), expected) <= 1e-9


@needs_ngspice
@pytest.mark.parametrize("seed", range(8))
def test_sparse_matches_ngspice_on_unequal_ends(seed: int) -> None:
    """Every line has ends of its own; some lines are open at both and float."""
    shape = (7, 5)
    g, ends = _conductances(seed, shape), _any_ends(200 + seed, shape)
    expected = sparse.g_eff(g, 1.3, 2.9, ends=ends)
    assert g_eff_error(ngspice.g_eff(g, 1.3, 2.9, ends=ends), expected) <= 1e-9


@pytest.mark.parametrize("solver", [sparse.g_eff, dense_exact.g_eff])
def test_without_ends_they_are_left_and_bottom(solver: Callable[..., Any]) -> None:
    """The two ways to call an oracle agree to the last bit."""
    g = _conductances(1, (3, 4))
    given = solver(g, 1.3, 2.9, ends=placed((3, 4), 47.0, 11.0))
    np.testing.assert_array_equal(given, solver(g, 1.3, 2.9, 47.0, 11.0))


@pytest.mark.parametrize(
    "solver",
    [sparse.g_eff, dense_exact.g_eff, pytest.param(ngspice.g_eff, marks=needs_ngspice)],
)
def test_a_single_device_between_parallel_ends(solver: Callable[..., Any]) -> None:
    """Two ends of a line are two resistors in parallel where the line has one node."""
    for left, right, top, bottom in itertools.product([0.0, 30.0, np.inf], repeat=4):
        ends = Ends(*(np.array([r]) for r in (left, right, top, bottom)))
        with np.errstate(divide="ignore"):
            driver, sense = (1 / (1 / np.float64(a) + 1 / np.float64(b)) for a, b in
                             ((left, right), (top, bottom)))  # fmt: skip
        result = solver([[1e-3]], 3.0, 4.0, ends=ends)
        assert result[0, 0] == pytest.approx(1 / (driver + 1000 + sense), rel=1e-13)


def test_a_line_of_two_devices_driven_at_both_ends() -> None:
    """One wordline, ideal senses: a ladder with two sources, solved by hand."""
    a, b, left, wire, right = 1e-3, 3e-3, 40.0, 25.0, 70.0
    nodal = np.array([[1 / left + 1 / wire + a, -1 / wire], [-1 / wire, 1 / right + 1 / wire + b]])
    volts = np.linalg.solve(nodal, [1 / left, 1 / right])
    ends = Ends(np.array([left]), np.array([right]), np.full(2, np.inf), np.zeros(2))
    result = sparse.g_eff([[a, b]], wire, 0.0, ends=ends)
    np.testing.assert_allclose(result, [[a * volts[0], b * volts[1]]], rtol=1e-14)


def test_node_voltages_obey_the_circuit() -> None:
    """Device currents and what enters and leaves at the four sides follow from the voltages."""
    g, ends = _conductances(4, (6, 5), low=1e-6), _any_ends(5, (6, 5))
    # No shorts: a current through 0 ohm can't be read off the voltages.
    ends = Ends(*(np.where(r == 0, 5.0, r) for r in (ends.left, ends.right, ends.top, ends.bottom)))
    v_in = np.random.default_rng(5).uniform(-1.0, 1.0, 6)
    v_wl, v_bl, i_out = sparse.node_voltages(g, 1.5, 2.5, 0.0, 0.0, v_in, ends=ends)
    device = g * (v_wl - v_bl)
    wl = np.pad(-np.diff(v_wl) / 1.5, ((0, 0), (1, 1)))
    wl[:, 0], wl[:, -1] = (v_in - v_wl[:, 0]) / ends.left, (v_wl[:, -1] - v_in) / ends.right
    bl = np.pad(-np.diff(v_bl, axis=0) / 2.5, ((1, 1), (0, 0)))
    bl[0], bl[-1] = -v_bl[0] / ends.top, v_bl[-1] / ends.bottom
    np.testing.assert_allclose(-np.diff(wl), device, atol=1e-12)
    np.testing.assert_allclose(np.diff(bl, axis=0), device, atol=1e-12)
    np.testing.assert_allclose(bl[-1] - bl[0], i_out, atol=1e-12)
    np.testing.assert_allclose(v_in @ sparse.g_eff(g, 1.5, 2.5, ends=ends), i_out, atol=1e-15)


def test_transposing_the_array_with_its_ends_transposes_the_result() -> None:
    """Reciprocity."""
    g, ends = _conductances(8, (5, 7)), _any_ends(9, (5, 7))
    turned = sparse.g_eff(g.T, 2.5, 1.5, ends=ends.transposed())
    assert g_eff_error(turned, sparse.g_eff(g, 1.5, 2.5, ends=ends).T) <= 1e-13


def test_placed_puts_odd_lines_on_the_other_side_when_alternate() -> None:
    """The settings, written out for an array of three wordlines and two bitlines."""
    ends = placed((3, 2), 10.0, 20.0, "alternate", "alternate", None, 5.0)
    assert ends.left.tolist() == [10.0, np.inf, 10.0]
    assert ends.right.tolist() == [np.inf, 10.0, np.inf]
    assert ends.bottom.tolist() == [20.0, 5.0]
    assert ends.top.tolist() == [5.0, 20.0]
    ends = placed((2, 1), 10.0, 20.0, "right", "top", 0.0, None)
    assert ends.left.tolist() == [0.0, 0.0]
    assert ends.right.tolist() == [10.0, 10.0]
    assert ends.bottom.tolist() == [np.inf]
    assert ends.top.tolist() == [20.0]


def test_wanted_rows_are_those_of_the_whole_matrix() -> None:
    """The sparse oracle drives the wanted wordlines only."""
    g, ends = _conductances(8, (5, 7)), _any_ends(9, (5, 7))
    whole = sparse.g_eff(g, 1.5, 2.5, ends=ends)
    np.testing.assert_array_equal(sparse.g_eff(g, 1.5, 2.5, ends=ends, rows=[3, 1]), whole[[3, 1]])


def test_ends_of_a_wrong_shape_are_refused() -> None:
    """A transposed set of ends is not taken for another."""
    with pytest.raises(ValueError, match="resistances"):
        sparse.g_eff(np.ones((2, 3)), 1.0, 1.0, ends=placed((3, 2), 1.0, 1.0))
