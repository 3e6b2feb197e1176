"""The exact circuit against ngspice, a refined sparse solve, rational arithmetic, and its laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known import known
from oracles import dense_exact, ngspice, sparse
from oracles.error import g_eff_error

from rxsim.circuit import solve_array
from rxsim.circuit.elimination import eliminate
from rxsim.circuit.factors import line_factors
from rxsim.circuit.lanes import LANES
from rxsim.circuit.lines import lines_of
from rxsim.circuit.relaxation import relax
from rxsim.circuit.sweep_count import plan_sweeps
from rxsim.config import Crossbar
from rxsim.errors import CircuitError

TOLERANCE = 1e-9  # docs/concepts/model.md section 1


def crossbar(
    r_wire_wl: float = 0.0,
    r_wire_bl: float = 0.0,
    r_driver: float = 0.0,
    r_sense: float = 0.0,
    r_access: float = 0.0,
) -> Crossbar:
    return Crossbar(
        r_wire_wl=r_wire_wl,
        r_wire_bl=r_wire_bl,
        r_driver=r_driver,
        r_sense=r_sense,
        r_access=r_access,
    )


def resistances(bar: Crossbar) -> tuple[float, float, float, float]:
    return bar.r_wire_wl, bar.r_wire_bl, bar.r_driver, bar.r_sense


def random_case(seed: int, n_rows: int, n_cols: int) -> tuple[np.ndarray, Crossbar]:
    """Draw an array with unequal resistances, some of them 0, and some open devices."""
    rng = np.random.default_rng(seed)
    g = 10 ** rng.uniform(-8, -3, (n_rows, n_cols))
    g[rng.random(g.shape) < 0.15] = 0.0
    ohms = 10 ** rng.uniform(-2, 2.5, 4)
    ohms[rng.random(4) < 0.25] = 0.0
    return g, crossbar(*ohms)


SHAPES = [(1, 1), (1, 9), (9, 1), (2, 7), (7, 2), (5, 5), (12, 8), (8, 12), (24, 17)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_g_eff_equals_a_sparse_direct_solve(shape: tuple[int, int], seed: int) -> None:
    g, bar = random_case(seed, *shape)
    assert g_eff_error(solve_array(g, bar).g_eff, sparse.g_eff(g, *resistances(bar))) < TOLERANCE


@pytest.mark.parametrize("seed", range(12))
def test_g_eff_equals_rational_arithmetic(seed: int) -> None:
    g, bar = random_case(100 + seed, *((3, 3), (1, 4), (4, 1), (2, 5))[seed % 4])
    exact = dense_exact.g_eff(g, *resistances(bar))
    assert g_eff_error(solve_array(g, bar).g_eff, exact) < 1e-13


@pytest.mark.skipif(not ngspice.available(), reason="ngspice is not installed")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(6, 9), (11, 4), (1, 5), (5, 1)])
def test_g_eff_equals_ngspice(shape: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    g = 10 ** rng.uniform(-7, -4, shape)
    g[rng.random(shape) < 0.1] = 0.0
    # Resistances of one magnitude: beside 1 kohm ngspice itself loses 1e-9 on 1 mohm (its own error).
    ohms = rng.uniform(1, 100, 4)
    ohms[rng.random(4) < 0.25] = 0.0
    bar = crossbar(*ohms)
    assert g_eff_error(solve_array(g, bar).g_eff, ngspice.g_eff(g, *resistances(bar))) < TOLERANCE


@pytest.mark.parametrize(
    ("low", "high", "wire", "end"),
    [
        (1 / 1.4e6, 1 / 200e3, 2.5, 100.0),  # mild
        (1e-5, 1e-4, 10.0, 100.0),  # harsh
        (1e-10, 1e-3, 1000.0, 1000.0),  # on/off 1e7, 1 kohm a cell
        (1e-10, 1e-3, 1e-3, 1000.0),  # 1 mohm wires: SuperLU alone loses 1e-9 here
        (1e-3, 1e-3, 100.0, 0.0),  # all on at 1 kohm
    ],
)
def test_g_eff_of_a_large_array_equals_a_sparse_direct_solve(
    low: float, high: float, wire: float, end: float
) -> None:
    rng = np.random.default_rng(5)
    g = np.exp(rng.uniform(np.log(low), np.log(high), (48, 40)))
    bar = crossbar(wire, wire, end, end)
    assert g_eff_error(solve_array(g, bar).g_eff, sparse.g_eff(g, *resistances(bar))) < TOLERANCE


def test_a_single_cell_is_resistors_in_series() -> None:
    bar = crossbar(7.0, 11.0, 100.0, 50.0, 20.0)
    g_eff = solve_array(np.array([[1e-3]]), bar).g_eff
    assert g_eff[0, 0] == pytest.approx(1 / (100 + 20 + 1000 + 50), rel=1e-14)


def test_a_short_circuit_everywhere_gives_g_to_the_last_bit() -> None:
    g, _ = random_case(3, 7, 5)
    assert (solve_array(g, crossbar()).g_eff == g).all()


def test_an_open_column_and_an_open_row_are_exactly_zero() -> None:
    g, _ = random_case(4, 6, 6)
    g[:, 2] = 0
    g[3, :] = 0
    g_eff = solve_array(g, crossbar(1.0, 2.0, 30.0, 40.0)).g_eff
    assert (g_eff[:, 2] == 0).all()
    assert (g_eff[3, :] == 0).all()
    assert (np.delete(np.delete(g_eff, 3, 0), 2, 1) > 0).all()  # sneak paths reach open cells


def test_access_resistance_is_in_series_with_every_cell() -> None:
    g, _ = random_case(6, 5, 6)
    with_access = solve_array(g, crossbar(2.0, 3.0, 10.0, 20.0, 500.0)).g_eff
    by_hand = np.array([[0 if v == 0 else 1 / (1 / v + 500) for v in row] for row in g])
    assert g_eff_error(with_access, sparse.g_eff(by_hand, 2.0, 3.0, 10.0, 20.0)) < TOLERANCE


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (1, 6), (6, 1)])
@pytest.mark.parametrize("seed", range(4))
def test_node_voltages_and_currents_equal_a_sparse_direct_solve(
    shape: tuple[int, int], seed: int
) -> None:
    g, bar = random_case(40 + seed, *shape)
    v_in = np.random.default_rng(seed).uniform(-0.2, 0.2, shape[0])
    solution = solve_array(g, bar, v_in)
    v_wl, v_bl, i_out = sparse.node_voltages(g, *resistances(bar), v_in)
    scale = np.abs(v_in).max()
    assert np.abs(known(solution.v_wl) - v_wl).max() < 1e-11 * scale
    assert np.abs(known(solution.v_bl) - v_bl).max() < 1e-11 * scale
    assert solution.i_out == pytest.approx(i_out, rel=1e-9, abs=1e-12 * scale * g.sum())
    assert solution.i_out == pytest.approx(v_in @ solution.g_eff, rel=1e-9, abs=1e-18)


def test_wanted_rows_and_columns_are_those_of_the_whole_matrix() -> None:
    for shape in ((7, 9), (9, 7)):
        g, bar = random_case(9, *shape)
        rows, cols = np.array([1, 4, 6]), np.array([0, 5])
        whole = solve_array(g, bar).g_eff
        part = solve_array(g, bar, rows=rows, cols=cols).g_eff
        assert part == pytest.approx(whole[np.ix_(rows, cols)], rel=1e-9)


@pytest.mark.parametrize("bad", [-1e-9, np.nan, np.inf])
def test_an_impossible_conductance_is_refused(bad: float) -> None:
    g = np.full((3, 3), 1e-5)
    g[1, 1] = bad
    with pytest.raises(CircuitError, match="negative, NaN or infinite"):
        solve_array(g, crossbar(1.0, 1.0, 1.0, 1.0))


ARRAYS = st.builds(random_case, st.integers(0, 2**32 - 1), st.integers(1, 10), st.integers(1, 10))
LAW = settings(max_examples=60, deadline=None)


@given(ARRAYS)
@LAW
def test_reciprocity_the_turned_circuit_gives_the_transposed_matrix(
    case: tuple[np.ndarray, Crossbar],
) -> None:
    """Drive the bitlines at their sense ends and sense the wordlines at their driver ends."""
    g, bar = case
    turned = crossbar(bar.r_wire_bl, bar.r_wire_wl, bar.r_sense, bar.r_driver)
    other = solve_array(np.ascontiguousarray(g[::-1, ::-1].T), turned).g_eff
    assert other == pytest.approx(solve_array(g, bar).g_eff[::-1, ::-1].T, rel=1e-11)


@given(ARRAYS, st.integers(0, 2**32 - 1))
@LAW
def test_superposition_currents_are_linear_in_the_sources(
    case: tuple[np.ndarray, Crossbar], seed: int
) -> None:
    g, bar = case
    a, b = np.random.default_rng(seed).uniform(-1, 1, (2, len(g)))
    one, two, both = (known(solve_array(g, bar, v).i_out) for v in (a, b, 2 * a - 3 * b))
    assert both == pytest.approx(2 * one - 3 * two, rel=1e-9, abs=1e-12 * g.sum() + 1e-300)


@given(ARRAYS, st.integers(0, 2**32 - 1))
@LAW
def test_current_conservation_what_enters_at_the_drivers_leaves_through_the_senses(
    case: tuple[np.ndarray, Crossbar], seed: int
) -> None:
    g, bar = case
    v_in = np.random.default_rng(seed).uniform(0, 1, len(g))
    s = solve_array(g, bar, v_in)
    through_cells = g * (known(s.v_wl) - known(s.v_bl))
    assert through_cells.sum() == pytest.approx(known(s.i_out).sum(), rel=1e-6, abs=1e-12 * g.sum())
    assert through_cells.sum(axis=0) == pytest.approx(s.i_out, rel=1e-6, abs=1e-12 * g.sum())


@given(ARRAYS, st.sampled_from(["r_wire_wl", "r_wire_bl", "r_driver", "r_sense"]))
@LAW
def test_the_sum_of_g_eff_never_rises_when_a_resistance_rises(
    case: tuple[np.ndarray, Crossbar], name: str
) -> None:
    """Rayleigh's monotonicity law for the conductance from all sources together to ground."""
    g, bar = case
    more = bar.model_copy(update={name: 2 * getattr(bar, name) + 1.0})
    before, after = (solve_array(g, each).g_eff.sum() for each in (bar, more))
    assert after <= before * (1 + 1e-12)


@given(ARRAYS)
@LAW
def test_g_eff_tends_to_g_as_all_resistances_tend_to_zero(
    case: tuple[np.ndarray, Crossbar],
) -> None:
    g, bar = case
    names = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")
    tiny = bar.model_copy(update={name: getattr(bar, name) * 1e-9 for name in names})
    worst = g.sum() * sum(resistances(bar)) * 1e-9 * max(g.shape)
    rounding = 1e-12 * g.max()
    assert np.abs(solve_array(g, tiny).g_eff - g).max() <= worst * g.max() + rounding


# --- the two methods and the bound that each solution carries ---------------------------------------

REGIMES = [
    ((64, 64), 1 / 1.4e6, 1 / 200e3, 2.5, 100.0, "relaxation"),
    ((40, 64), 1 / 1.4e6, 1 / 200e3, 2.5, 0.0, "relaxation"),
    ((64, 64), 1e-5, 1e-4, 30.0, 300.0, "elimination"),
    ((64, 40), 1e-10, 1e-3, 10.0, 100.0, "elimination"),
]


@pytest.mark.parametrize(("shape", "low", "high", "wire", "end", "method"), REGIMES)
def test_each_regime_takes_its_method_and_keeps_its_bound(
    shape: tuple[int, int], low: float, high: float, wire: float, end: float, method: str
) -> None:
    g = np.exp(np.random.default_rng(8).uniform(np.log(low), np.log(high), shape))
    bar = crossbar(wire, wire, end, end)
    solution = solve_array(g, bar)
    error = g_eff_error(solution.g_eff, sparse.g_eff(g, *resistances(bar)))
    assert solution.method == method
    assert error <= solution.bound <= TOLERANCE


@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 40),
    st.integers(2, 40),
    st.floats(-7, -4),
    st.floats(0, 4),
    st.floats(0, 1),
)
@settings(max_examples=40, deadline=None)
def test_relaxation_never_exceeds_its_bound(
    seed: int, n_rows: int, n_cols: int, level: float, spread: float, open_share: float
) -> None:
    """The plan's promise, wherever it gives one, against the elimination; wires may be 0."""
    rng = np.random.default_rng(seed)
    g = 10 ** rng.uniform(level - spread, level, (n_rows, n_cols))
    g[rng.random(g.shape) < open_share / 2] = 0.0
    ohms = tuple(float(v) for v in 10 ** rng.uniform(-1, 2, 4) * (rng.random(4) < 0.8))
    lines = lines_of(crossbar(*ohms), n_rows, n_cols)
    factors = line_factors(g, lines)
    rows = np.sort(rng.choice(n_rows, rng.integers(1, n_rows + 1), replace=False))
    cols = np.sort(rng.choice(n_cols, rng.integers(1, n_cols + 1), replace=False))
    sweeps, bound = plan_sweeps(
        g, factors, rows, cols, False, 1e-9, 40, False, np.empty((3, *g.shape))
    )
    if sweeps < 0:
        assert bound == np.inf
        return
    assert bound <= 1e-9
    exact = eliminate(g, factors, ohms[0], lines.left, lines.right, rows, cols)
    assert (
        g_eff_error(relax(g, factors, rows, cols, sweeps, np.empty(g.size * LANES)), exact)
        <= bound + 1e-12
    )


@pytest.mark.parametrize("n_wanted", [1, 3])
def test_few_wanted_columns_are_judged_against_their_own_largest_entry(n_wanted: int) -> None:
    """The circuit is turned then: a column of the user's matrix is a row of the turned one."""
    rng = np.random.default_rng(2)
    g = 10 ** rng.uniform(-9, -5, (64, 64))
    bar = crossbar(1.0, 1.0, 50.0, 50.0)
    cols = np.arange(n_wanted)
    solution = solve_array(g, bar, cols=cols)
    whole = sparse.g_eff(g, *resistances(bar))
    assert solution.method == "relaxation"
    assert g_eff_error(solution.g_eff, whole[:, cols]) <= TOLERANCE
