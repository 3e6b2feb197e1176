"""Non-linear arrays against ngspice, a plain full-network Newton, their laws, and the bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import ngspice, nonlinear

from rxsim.circuit import newton
from rxsim.circuit.newton import solve_nonlinear
from rxsim.config import IV, Crossbar
from rxsim.devices import IVCurve, SeparableCurve, curve_of
from rxsim.errors import CircuitError, SettingError

V_READ = 0.2
LINEAR = curve_of(IV(), V_READ)
SINH = curve_of(IV(form="sinh", v0=0.05), V_READ)
# Between +V_READ and -V_READ a sneak path can put up to 0.4 V across a cell: all curves reach that far.
CUBIC = curve_of(IV(form="cubic", cubic=2.0), V_READ)
TABLE = curve_of(IV(form="table", v=(0.05, 0.1, 0.2, 0.41), f=(0.04, 0.1, 0.3, 0.9)), V_READ)
# A threshold: 500 times steeper between 0.09 and 0.1 V than elsewhere.
KNEE = curve_of(IV(form="table", v=(0.09, 0.1, 0.41), f=(0.001, 1, 1.003)), V_READ)
MILO = curve_of(IV(form="milo"), V_READ)
CURVES = {"linear": LINEAR, "sinh": SINH, "cubic": CUBIC, "table": TABLE, "milo": MILO}

ENDS: list[dict[str, Any]] = [
    {},
    {"drive_side": "right", "sense_side": "top"},
    {"drive_side": "alternate", "sense_side": "alternate", "r_access": 700.0},
    {"r_driver_far": 30.0, "r_sense_far": 200.0, "sense_side": "alternate"},
    {"r_driver_far": 0.0, "drive_side": "alternate", "r_sense_far": 0.0},
]


def bar_of(*ohms: float, **others: float | str) -> Crossbar:
    names = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")
    return Crossbar(**dict(zip(names, map(float, ohms), strict=True)), **others)


def random_case(
    seed: int, n_rows: int, n_cols: int, curve: IVCurve = SINH, **others: float | str
) -> tuple[np.ndarray, Crossbar, np.ndarray]:
    """Draw an array with unequal resistances, some of them 0, and some open devices."""
    rng = np.random.default_rng(seed)
    low, high = (np.log10(63e-6), np.log10(109e-6)) if curve is MILO else (-7, -3)
    g = 10 ** rng.uniform(low, high, (n_rows, n_cols))
    g[rng.random(g.shape) < 0.15] = 0.0
    ohms = 10 ** rng.uniform(-1, 3, 4)
    ohms[rng.random(4) < 0.25] = 0.0
    if "r_driver_far" in others:
        ohms[:2] = np.maximum(ohms[:2], 0.1)  # the twins can't share current among shorts
    return g, bar_of(*ohms, **others), rng.uniform(-V_READ, V_READ, n_rows)


def worst(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference relative to the largest value."""
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300))


# --- against independent solvers ---------------------------------------------------------------------

SHAPES = [(1, 1), (1, 6), (6, 1), (3, 5), (9, 8)]


# The plain method takes longest on the largest array: there every curve and every kind of ends once.
PLAIN = [
    pytest.param(i, shape, name, marks=pytest.mark.slow if shape == (9, 8) and i != j else [])
    for i in range(len(ENDS))
    for shape in SHAPES
    for j, name in enumerate(CURVES)
]


@pytest.mark.parametrize(("ends", "shape", "name"), PLAIN)
def test_currents_and_voltages_equal_a_plain_newton(
    name: str, shape: tuple[int, int], ends: int
) -> None:
    curve = CURVES[name]
    g, bar, v_in = random_case(ends + 10 * shape[1], *shape, curve, **ENDS[ends])
    i_out, v_wl, v_bl, i_cell = nonlinear.solve(g, curve.current, curve.slope, bar, v_in)
    found = solve_nonlinear(g, curve, bar, v_in)
    assert found.v_wl is not None
    assert found.v_bl is not None
    assert found.device_currents is not None
    scale = max(np.abs(i_cell).sum(axis=0).max(), 1e-30)
    assert np.abs(found.i_out[0] - i_out).max() <= found.bound[0] + 1e-10 * scale
    assert found.bound[0] <= 1e-8 * scale
    assert np.abs(found.device_currents[0] - i_cell).max() < 1e-9 * scale
    assert np.abs(found.v_wl[0] - v_wl).max() < 1e-9 * V_READ
    assert np.abs(found.v_bl[0] - v_bl).max() < 1e-9 * V_READ


def spice_law(name: str) -> Callable[..., Any]:
    """The text of a cell's current, written down anew from docs/concepts/model.md."""
    if name == "sinh":
        return lambda g, v: f"{g * V_READ / math.sinh(4.0)!r}*sinh({v}/0.05)"
    if name == "cubic":
        a = 2.0
        return lambda g, v: f"{g / (1 - a * V_READ**2)!r}*({v}-{a}*{v}*{v}*{v})"

    def milo(g: float, v: str) -> str:
        level = math.log10(g)
        n2 = 1.388e-4 * level**3 + 1.541e-3 * level**2 + 5.711e-3 * level + 7.063e-3
        n3 = 8.871e-5 * level**2 + 6.7919e-4 * level + 1.2968e-3
        return f"{g!r}*{v}+({n2!r})*{v}*abs({v})+({n3!r})*{v}*{v}*{v}"

    return milo


@pytest.mark.skipif(not ngspice.available(), reason="ngspice is not installed")
@pytest.mark.parametrize("name", ["sinh", "cubic", "milo"])
@pytest.mark.parametrize("ends", range(len(ENDS)))
@pytest.mark.parametrize("shape", [(1, 1), (4, 7), (9, 6)])
def test_currents_equal_ngspice(name: str, ends: int, shape: tuple[int, int]) -> None:
    curve = CURVES[name]
    g, bar, v_in = random_case(50 + ends, *shape, curve, **ENDS[ends])
    found = solve_nonlinear(g, curve, bar, v_in)
    spice = nonlinear.spice_currents(g, spice_law(name), bar, v_in)
    assert found.device_currents is not None
    scale = np.abs(found.device_currents[0]).sum(axis=0).max()
    assert np.abs(found.i_out[0] - spice).max() < 1e-8 * scale


def test_a_linear_curve_gives_the_linear_solution() -> None:
    for ends in ENDS:
        g, bar, v_in = random_case(7, 9, 8, **ENDS[0])
        bar = bar.model_copy(update=ends)
        found = solve_nonlinear(g, LINEAR, bar, np.eye(9))
        assert worst(v_in @ found.i_out, solve_nonlinear(g, LINEAR, bar, v_in).i_out[0]) < 1e-8


EXTREMES = [
    ((64, 64), 1e-10, 1e-3, (1000, 1000, 1000, 1000)),
    ((64, 64), 1e-3, 1e-3, (1e5, 1e5, 1, 1)),
    ((64, 64), 1e-10, 1e-3, (1e-3, 1e-3, 0, 1000)),
    ((64, 64), 1e-6, 1e-4, (0, 1000, 1e4, 0)),
    ((128, 128), 1 / 1.4e6, 1 / 200e3, (2.5, 2.5, 100, 100)),
    ((128, 128), 1e-5, 1e-3, (100, 100, 100, 100)),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", EXTREMES)
@pytest.mark.parametrize("v0", [0.1, 0.01])
def test_large_and_extreme_arrays_equal_a_plain_newton(case: Any, v0: Any) -> None:
    shape, low, high, ohms = case
    rng = np.random.default_rng(3)
    g = np.exp(rng.uniform(np.log(low), np.log(high), shape))
    v_in, bar = rng.uniform(0, V_READ, shape[0]), bar_of(*ohms)
    curve = curve_of(IV(form="sinh", v0=v0), V_READ)
    i_out = nonlinear.solve(g, curve.current, curve.slope, bar, v_in, source_steps=2)[0]
    found = solve_nonlinear(g, curve, bar, v_in)
    assert np.abs(found.i_out[0] - i_out).max() <= found.bound[0] + 1e-9 * np.abs(i_out).max()
    assert found.bound[0] <= 1e-7 * np.abs(i_out).max()


# --- convergence, and the bound that each solution carries ------------------------------------------


@pytest.mark.parametrize("curve", [SINH, TABLE, curve_of(IV(form="sinh", v0=0.1), V_READ)])
def test_convergence_is_quadratic(curve: SeparableCurve) -> None:
    rng = np.random.default_rng(0)
    g = 10 ** rng.uniform(-5, -4, (64, 64))
    found = solve_nonlinear(g, curve, bar_of(10, 10, 100, 100), rng.uniform(0, V_READ, 64))
    assert found.device_currents is not None
    r = found.residuals[0] / found.device_currents.sum()
    assert len(r) == found.iterations[0] + 1 <= 8
    assert (r[1:] <= np.maximum(2 * r[:-1] ** 2, 1e-11)).all()
    last = [k for k in range(2, len(r)) if r[k] > 1e-12][-1]
    order = np.log(r[last] / r[last - 1]) / np.log(r[last - 1] / r[last - 2])
    assert order > 1.7


@pytest.mark.parametrize("v0", [0.01, 0.004, 0.001])
@pytest.mark.parametrize("ohms", [(10, 10, 100, 100), (1e3, 1e3, 1e3, 1e3), (0, 0, 1e5, 1e5)])
def test_a_steep_sinh_converges(v0: float, ohms: tuple[Any, ...]) -> None:
    rng = np.random.default_rng(0)
    g = 10 ** rng.uniform(-7, -3, (24, 20))
    curve = curve_of(IV(form="sinh", v0=v0), V_READ)
    found = solve_nonlinear(g, curve, bar_of(*ohms), rng.uniform(-V_READ, V_READ, 24))
    assert found.iterations[0] <= 20
    assert found.bound[0] < 1e-8 * np.abs(found.i_out).max()


@pytest.mark.parametrize("ohms", [(10, 10, 100, 100), (1e3, 1e3, 1e3, 1e3), (0, 0, 1e5, 1e5)])
def test_a_threshold_needs_damping_and_gets_it(
    ohms: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full steps alone jump to and fro over the knee."""
    rng = np.random.default_rng(0)
    g, v_in = 10 ** rng.uniform(-7, -3, (12, 10)), rng.uniform(-V_READ, V_READ, 12)
    tried = []
    state = newton._state

    def counted(*given: Any) -> newton._State:
        tried.append(0)
        return state(*given)

    monkeypatch.setattr(newton, "_state", counted)
    found = solve_nonlinear(g, KNEE, bar_of(*ohms), v_in)
    assert len(tried) > found.iterations[0] + 1
    i_out = nonlinear.solve(g, KNEE.current, KNEE.slope, bar_of(*ohms), v_in)[0]
    assert worst(found.i_out[0], i_out) < 1e-7


@pytest.mark.parametrize("target", [1.0, 1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_holds_wherever_newton_stops(
    target: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    g, bar, v_in = random_case(300 + seed, 11, 9, **ENDS[seed])
    i_out = nonlinear.solve(g, SINH.current, SINH.slope, bar, v_in)[0]
    monkeypatch.setattr(newton, "TARGET", target)
    monkeypatch.setattr(newton, "REQUIRED", np.inf)
    found = solve_nonlinear(g, SINH, bar, v_in)
    assert np.abs(found.i_out[0] - i_out).max() <= found.bound[0] + 1e-11 * np.abs(i_out).max()


# --- laws ---------------------------------------------------------------------------------------------

CASES = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(1, 10),
    st.integers(1, 10),
    st.sampled_from(sorted(CURVES)),
    st.sampled_from(ENDS),
)
LAW = settings(max_examples=40, deadline=None)


def drawn(case: tuple[Any, ...]) -> tuple[Any, ...]:
    seed, n_rows, n_cols, name, ends = case
    return CURVES[name], *random_case(seed, n_rows, n_cols, CURVES[name], **ends)


@given(CASES)
@LAW
def test_odd_curves_make_an_odd_array(case: tuple[Any, ...]) -> None:
    curve, g, bar, v_in = drawn(case)
    forth, back = solve_nonlinear(g, curve, bar, v_in), solve_nonlinear(g, curve, bar, -v_in)
    assert np.abs(forth.i_out + back.i_out).max() <= forth.bound[0] + back.bound[0]


@given(CASES)
@LAW
def test_current_conservation_a_column_s_devices_carry_what_leaves_it(
    case: tuple[Any, ...],
) -> None:
    curve, g, bar, v_in = drawn(case)
    found = solve_nonlinear(g, curve, bar, v_in)
    assert found.device_currents is not None
    assert np.abs(found.device_currents.sum(axis=1) - found.i_out).max() <= found.bound[0]
    assert (found.device_currents[0][g == 0] == 0).all()


@given(CASES)
@LAW
def test_without_resistance_each_cell_sees_its_source(case: tuple[Any, ...]) -> None:
    curve, g, _, v_in = drawn(case)
    ideal = curve.current(g, np.repeat(v_in[:, None], g.shape[1], axis=1))
    found = solve_nonlinear(g, curve, bar_of(0, 0, 0, 0), v_in)
    assert found.iterations[0] <= 1
    assert np.abs(found.i_out[0] - ideal.sum(axis=0)).max() <= 1e-14 * np.abs(ideal).sum()
    both_ends = bar_of(0, 0, 0, 0, r_driver_far=0.0, r_sense_far=0.0)
    assert (solve_nonlinear(g, curve, both_ends, v_in).i_out == found.i_out).all()
    tiny = solve_nonlinear(g, curve, bar_of(1e-7, 1e-7, 1e-7, 1e-7), v_in)
    assert np.abs(tiny.i_out - found.i_out).max() <= 1e-6 * np.abs(ideal).sum()


@given(CASES, st.integers(0, 9), st.floats(0, 1))
@LAW
def test_raising_an_input_never_lowers_an_output(
    case: tuple[Any, ...], row: int, share: float
) -> None:
    curve, g, bar, v_in = drawn(case)
    more = v_in.copy()
    more[row % len(v_in)] += share * (V_READ - v_in[row % len(v_in)])
    found = solve_nonlinear(g, curve, bar, np.stack([v_in, more]))
    before, after = found.i_out
    assert (after >= before - found.bound.sum()).all()


# --- inputs and refusals ------------------------------------------------------------------------------


def test_many_vectors_are_solved_as_each_alone() -> None:
    g, bar, _ = random_case(1, 8, 6)
    vectors = np.random.default_rng(2).uniform(-V_READ, V_READ, (5, 8))
    together = solve_nonlinear(g, SINH, bar, vectors)
    assert together.v_wl is not None
    assert together.v_wl.shape == (5, 8, 6)
    for k, vector in enumerate(vectors):
        alone = solve_nonlinear(g, SINH, bar, vector)
        assert (alone.i_out[0] == together.i_out[k]).all()
        assert alone.bound[0] == together.bound[k]
        assert (alone.residuals[0] == together.residuals[k]).all()
    lean = solve_nonlinear(g, SINH, bar, vectors, keep_nodes=False)
    assert lean.v_wl is lean.v_bl is lean.device_currents is None
    assert (lean.i_out == together.i_out).all()


def test_nothing_in_gives_nothing_out() -> None:
    g, bar, v_in = random_case(1, 8, 6)
    for found in (
        solve_nonlinear(g, SINH, bar, np.zeros(8)),
        solve_nonlinear(np.zeros((8, 6)), SINH, bar, v_in),
    ):
        assert (found.i_out == 0).all()
        assert found.bound[0] == 0
        assert found.iterations[0] == 0


def test_an_open_row_and_an_open_column_carry_nothing() -> None:
    g, bar, v_in = random_case(2, 8, 6)
    g[3], g[:, 4] = 0, 0
    found = solve_nonlinear(g, SINH, bar, v_in)
    assert found.v_wl is not None
    assert found.i_out[0, 4] == 0
    assert (found.v_wl[0, 3] == v_in[3]).all()


def test_opposite_inputs_that_cancel_are_solved() -> None:
    g = np.full((2, 3), 1e-4)
    found = solve_nonlinear(g, SINH, bar_of(5, 5, 50, 50), np.array([0.1, -0.1]))
    assert found.bound[0] < 1e-12
    assert np.abs(found.i_out).max() < 1e-6


@pytest.mark.parametrize(
    ("g", "v_in", "message"),
    [
        (np.full((2, 2), -1e-6), np.zeros(2), "negative, NaN or infinite"),
        (np.full((2, 2), np.nan), np.zeros(2), "negative, NaN or infinite"),
        (np.zeros((0, 2)), np.zeros(0), "there are none"),
        (np.full((2, 2), 1e-6), np.zeros(3), r"shape \(1, 3\) for 2 wordlines"),
        (np.full((2, 2), 1e-6), np.array([0, np.inf]), "source voltage is NaN or infinite"),
    ],
)
def test_impossible_input_is_refused(g: np.ndarray, v_in: np.ndarray, message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        solve_nonlinear(g, SINH, bar_of(1, 1, 1, 1), v_in)


@pytest.mark.parametrize("curve", [TABLE, CUBIC, MILO])
def test_a_solution_beyond_the_curve_s_range_is_refused(curve: Any) -> None:
    assert not isinstance(curve, SeparableCurve) or np.isfinite(curve.v_high)
    g = np.full((2, 2), 80e-6)
    for sign in (1, -1):
        with pytest.raises(
            CircuitError, match=r"found a cell voltage of .* where device.iv is known"
        ):
            solve_nonlinear(g, curve, bar_of(1, 1, 1, 1), sign * np.array([0.7, 0.1]))


def test_an_iterate_beyond_the_range_is_no_error_if_the_solution_is_inside() -> None:
    """The sources are at 0.7 V, but 10 kohm in front of each cell leave it 0.2 V or so."""
    curve = curve_of(IV(form="cubic", cubic=3.0), V_READ)
    g = np.full((3, 1), 1e-3)
    found = solve_nonlinear(g, curve, bar_of(0, 0, 1e4, 0), np.full(3, 0.7))
    assert found.v_wl is not None
    assert found.v_wl.max() < curve.v_high < 0.7


def test_an_uncertain_solution_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newton, "_MOST_STEPS", 0)
    with pytest.raises(CircuitError, match=r"found an error bound of .* choose a less steep"):
        solve_nonlinear(np.full((4, 4), 1e-3), SINH, bar_of(50, 50, 50, 50), np.full(4, 0.2))


def test_a_conductance_that_was_not_measured_is_refused() -> None:
    with pytest.raises(SettingError, match=r"expected 62.5 to 110 uS"):
        solve_nonlinear(np.full((2, 2), 1e-6), MILO, bar_of(1, 1, 1, 1), np.full(2, 0.1))
