"""Drivers and senses at either end of a line, at alternating ends, at both: oracles and laws."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from circuits import DRIVE_SIDES, SENSE_SIDES, Circuit, random_conductances, random_ends, random_ohm
from hypothesis import given, settings
from hypothesis import strategies as st
from known import known
from oracles import dense_exact, sparse
from oracles.error import g_eff_error

from rxsim.circuit import solve_array
from rxsim.config import Crossbar

TOLERANCE = 1e-9  # docs/concepts/model.md section 1
SIDES = list(itertools.product(DRIVE_SIDES, SENSE_SIDES))
FAR = list(itertools.product([None, 0.0, 37.0], [None, 0.0, 61.0]))
SHAPES = [(1, 1), (1, 6), (6, 1), (2, 2), (5, 8), (9, 4), (13, 11)]
SERIES = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")

every_side = pytest.mark.parametrize(("drive", "sense"), SIDES)
every_far_end = pytest.mark.parametrize(("driver_far", "sense_far"), FAR)


def drawn(seed: int, shape: tuple[int, int], **ends: object) -> Circuit:
    """Draw devices, and wires and near ends of which some are 0."""
    rng = np.random.default_rng([seed, *shape])
    ohms = {name: random_ohm(rng, 1e-2, 300) for name in SERIES}
    return Circuit(
        random_conductances(rng, shape), Crossbar(**ohms, **{**random_ends(rng), **ends})
    )


def circuits(
    drive: str, sense: str, driver_far: float | None, sense_far: float | None, seed: int
) -> list[Circuit]:
    """Draw a circuit of every shape with the given ends."""
    ends = {
        "drive_side": drive,
        "sense_side": sense,
        "r_driver_far": driver_far,
        "r_sense_far": sense_far,
    }
    return [drawn(seed, shape, **ends) for shape in SHAPES]


def g_eff(circuit: Circuit) -> np.ndarray:
    return solve_array(circuit.g, circuit.bar).g_eff


# The other draws are of the same kind: test_random_circuits.py holds many more, of any ends.
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@every_far_end
@every_side
def test_g_eff_equals_a_sparse_direct_solve(
    drive: str, sense: str, driver_far: float | None, sense_far: float | None, seed: int
) -> None:
    for circuit in circuits(drive, sense, driver_far, sense_far, seed):
        assert g_eff_error(g_eff(circuit), circuit.reference()) <= TOLERANCE, str(circuit)


@every_far_end
@every_side
def test_g_eff_equals_rational_arithmetic(
    drive: str, sense: str, driver_far: float | None, sense_far: float | None
) -> None:
    for seed, shape in enumerate([(2, 3), (3, 2), (1, 4), (3, 1)]):
        circuit = drawn(
            seed,
            shape,
            drive_side=drive,
            sense_side=sense,
            r_driver_far=driver_far,
            r_sense_far=sense_far,
        )
        exact = dense_exact.g_eff(circuit.g, *circuit.wires, ends=circuit.ends)
        assert g_eff_error(g_eff(circuit), exact) <= 1e-12, str(circuit)


@every_far_end
@every_side
def test_node_voltages_and_currents_equal_a_sparse_direct_solve(
    drive: str, sense: str, driver_far: float | None, sense_far: float | None
) -> None:
    for circuit in circuits(drive, sense, driver_far, sense_far, 0):
        v_in = np.random.default_rng(3).uniform(-0.2, 0.2, len(circuit.g))
        solution = solve_array(circuit.g, circuit.bar, v_in)
        v_wl, v_bl, i_out = sparse.node_voltages(
            circuit.g, *circuit.wires, 0, 0, v_in, ends=circuit.ends
        )
        assert np.abs(known(solution.v_wl) - v_wl).max() <= 1e-11, str(circuit)
        assert np.abs(known(solution.v_bl) - v_bl).max() <= 1e-11, str(circuit)
        # Signed inputs cancel in a current: what is left is judged against what flows.
        flows = np.abs(v_in) @ solution.g_eff
        assert (np.abs(known(solution.i_out) - i_out) <= 1e-9 * flows).all(), str(circuit)
        assert (np.abs(known(solution.i_out) - v_in @ solution.g_eff) <= 1e-9 * flows).all()


@every_side
def test_wanted_rows_and_columns_are_those_of_the_whole_matrix(drive: str, sense: str) -> None:
    for shape, seed in itertools.product([(7, 9), (9, 7), (1, 5), (12, 3)], range(4)):
        circuit = drawn(seed, shape, drive_side=drive, sense_side=sense)
        whole = circuit.reference()
        rng = np.random.default_rng(seed)
        rows = rng.permutation(shape[0])[: rng.integers(1, shape[0] + 1)]
        cols = rng.permutation(shape[1])[: rng.integers(1, shape[1] + 1)]
        choices: list[dict[str, Any]] = [
            {"rows": rows},
            {"cols": cols},
            {"rows": rows, "cols": cols},
        ]
        for some in choices:
            part = solve_array(circuit.g, circuit.bar, **some).g_eff
            wanted = whole[some.get("rows", slice(None))][:, some.get("cols", slice(None))]
            assert g_eff_error(part, wanted) <= TOLERANCE, str(circuit)


@every_far_end
@every_side
def test_a_single_cell_has_its_ends_in_parallel(
    drive: str, sense: str, driver_far: float | None, sense_far: float | None
) -> None:
    bar = Crossbar(
        r_driver=100.0,
        r_sense=50.0,
        r_access=20.0,
        drive_side=drive,
        sense_side=sense,
        r_driver_far=driver_far,
        r_sense_far=sense_far,
    )
    driver = 100.0 if driver_far is None else 100.0 * driver_far / (100.0 + driver_far)
    sensed = 50.0 if sense_far is None else 50.0 * sense_far / (50.0 + sense_far)
    found = solve_array(np.array([[1e-3]]), bar, np.array([0.5]))
    expected = 1 / (driver + 20 + 1000 + sensed)
    assert found.g_eff[0, 0] == pytest.approx(expected, rel=1e-14)
    assert known(found.i_out)[0] == pytest.approx(0.5 * expected, rel=1e-13)


def flipped(circuit: Circuit, rows: bool = False, cols: bool = False, **changes: object) -> Circuit:
    """Read the array from the other side."""
    g = circuit.g[:: -1 if rows else 1, :: -1 if cols else 1]
    return Circuit(np.ascontiguousarray(g), circuit.changed(**changes).bar)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", SHAPES)
def test_driving_the_other_side_is_the_mirrored_array(shape: tuple[int, int], seed: int) -> None:
    left = drawn(seed, shape, drive_side="left", sense_side=("bottom", "top")[seed % 2])
    mirrored = flipped(left, cols=True, drive_side="right")
    assert g_eff_error(g_eff(mirrored)[:, ::-1], g_eff(left)) <= TOLERANCE
    bottom = drawn(seed, shape, sense_side="bottom", drive_side=("left", "right")[seed % 2])
    mirrored = flipped(bottom, rows=True, sense_side="top")
    assert g_eff_error(g_eff(mirrored)[::-1], g_eff(bottom)) <= TOLERANCE


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", SHAPES)
def test_alternate_ends_mirrored_are_alternate_ends_with_near_and_far_exchanged(
    shape: tuple[int, int], seed: int
) -> None:
    circuit = drawn(
        seed,
        shape,
        drive_side="alternate",
        sense_side="alternate",
        r_driver_far=7.0 * seed,
        r_sense_far=3.0 * seed,
    )
    bar = circuit.bar
    drivers: dict[str, Any] = {"r_driver": bar.r_driver_far, "r_driver_far": bar.r_driver}
    senses: dict[str, Any] = {"r_sense": bar.r_sense_far, "r_sense_far": bar.r_sense}
    found, expected = g_eff(flipped(circuit, cols=True, **drivers)), g_eff(circuit)
    if shape[1] % 2 == 1:  # columns keep their parity, so that senses stay where they are
        assert g_eff_error(found[:, ::-1], expected) <= TOLERANCE
    found = g_eff(flipped(circuit, rows=True, cols=True, **drivers, **senses))
    if shape[0] % 2 == 1 and shape[1] % 2 == 1:
        assert g_eff_error(found[::-1, ::-1], expected) <= TOLERANCE


@every_far_end
@pytest.mark.parametrize("side", SIDES[1:])
def test_with_equal_ends_the_side_does_not_matter(
    side: tuple[str, str], driver_far: float | None, sense_far: float | None
) -> None:
    for shape in SHAPES:
        near = {"r_driver": driver_far or 0.0, "r_sense": sense_far or 0.0}
        far = {"r_driver_far": driver_far or 0.0, "r_sense_far": sense_far or 0.0}
        ends = {**far, "drive_side": side[0], "sense_side": side[1]}
        circuit = drawn(5, shape, **ends).changed(**near)
        usual = circuit.changed(drive_side="left", sense_side="bottom")
        assert g_eff_error(g_eff(circuit), g_eff(usual)) <= TOLERANCE


@pytest.mark.parametrize("shape", SHAPES)
def test_open_far_ends_are_the_circuit_without_them(shape: tuple[int, int]) -> None:
    for seed in range(4):
        open_ends = {"r_driver_far": None, "r_sense_far": None}
        circuit = drawn(seed, shape, drive_side="left", sense_side="bottom", **open_ends)
        bar = circuit.bar
        plain = sparse.g_eff(circuit.g, *circuit.wires, bar.r_driver, bar.r_sense)
        assert g_eff_error(g_eff(circuit), plain) <= TOLERANCE
        almost_open = circuit.changed(r_driver_far=1e15, r_sense_far=1e15)
        assert g_eff_error(g_eff(almost_open), plain) <= TOLERANCE


@every_far_end
@every_side
def test_perfect_wires_have_their_ends_in_parallel(
    drive: str, sense: str, driver_far: float | None, sense_far: float | None
) -> None:
    for shape in SHAPES:
        circuit = Circuit(
            random_conductances(np.random.default_rng(shape), shape),
            Crossbar(
                r_wire_wl=0,
                r_wire_bl=0,
                r_driver=80.0,
                r_sense=90.0,
                drive_side=drive,
                sense_side=sense,
                r_driver_far=driver_far,
                r_sense_far=sense_far,
            ),
        )
        driver = 80.0 if driver_far is None else 80.0 * driver_far / (80.0 + driver_far)
        sensed = 90.0 if sense_far is None else 90.0 * sense_far / (90.0 + sense_far)
        expected = sparse.g_eff(circuit.g, 0.0, 0.0, driver, sensed)
        assert g_eff_error(g_eff(circuit), expected) <= TOLERANCE


@every_far_end
@every_side
def test_without_resistance_g_eff_is_g_to_the_last_bit(
    drive: str, sense: str, driver_far: float | None, sense_far: float | None
) -> None:
    for circuit in circuits(drive, sense, driver_far, sense_far, 0):
        short = circuit.changed(**dict.fromkeys(SERIES, 0.0))
        assert (g_eff(short) == short.g).all(), str(short)


@st.composite
def any_circuit(draw: st.DrawFn, odd: bool = False) -> Circuit:
    """Draw a circuit of up to 9x9 cells, all its ends included."""
    lines = st.integers(0, 4).map(lambda n: 2 * n + 1) if odd else st.integers(1, 9)
    return drawn(draw(st.integers(0, 2**32 - 1)), (draw(lines), draw(lines)))


OHM = st.just(0.0) | st.floats(1e-3, 1e3)
LAW = settings(max_examples=80, deadline=None)


@given(any_circuit(odd=True))
@LAW
def test_reciprocity_the_turned_circuit_gives_the_transposed_matrix(circuit: Circuit) -> None:
    """Turned by half a turn and transposed, left is bottom and right is top.

    With odd numbers of lines each keeps its parity, so that alternating sides turn into themselves.
    """
    bar = circuit.bar
    drive = {"bottom": "left", "top": "right"}
    turned = Crossbar(
        r_wire_wl=bar.r_wire_bl,
        r_wire_bl=bar.r_wire_wl,
        r_driver=bar.r_sense,
        r_sense=bar.r_driver,
        r_driver_far=bar.r_sense_far,
        r_sense_far=bar.r_driver_far,
        drive_side=drive.get(bar.sense_side, "alternate"),
        sense_side={side: end for end, side in drive.items()}.get(bar.drive_side, "alternate"),
    )
    found = g_eff(Circuit(np.ascontiguousarray(circuit.g[::-1, ::-1].T), turned))[::-1, ::-1].T
    # The floor of a column is another one in the transposed matrix: entries are compared as they are.
    assert found == pytest.approx(g_eff(circuit), rel=1e-9, abs=1e-15 * circuit.g.max() + 1e-300)


ANY_RESISTANCE = st.sampled_from([*SERIES, "r_access", "r_driver_far", "r_sense_far"])


@given(any_circuit(), ANY_RESISTANCE, st.floats(1.01, 1e3))
@LAW
def test_the_sum_of_g_eff_never_rises_when_a_resistance_rises(
    circuit: Circuit, name: str, factor: float
) -> None:
    """Rayleigh's monotonicity law for the conductance from all sources together to ground."""
    present = getattr(circuit.bar, name) or 0.0
    lower = circuit.changed(**{name: present})
    higher = circuit.changed(**{name: present * factor + 1.0})
    assert g_eff(higher).sum() <= g_eff(lower).sum() * (1 + 1e-9)


@given(any_circuit(), st.sampled_from(["r_driver_far", "r_sense_far"]), OHM)
@LAW
def test_closing_a_far_end_never_lowers_the_sum_of_g_eff(
    circuit: Circuit, name: str, ohm: float
) -> None:
    opened, closed = circuit.changed(**{name: None}), circuit.changed(**{name: ohm})
    assert g_eff(closed).sum() >= g_eff(opened).sum() * (1 - 1e-9)


@given(any_circuit())
@LAW
def test_small_resistances_leave_g_almost_as_it_is(circuit: Circuit) -> None:
    ohms = dict.fromkeys((*SERIES, "r_driver_far", "r_sense_far"), 1e-3)
    g = circuit.g
    # Every current passes at most 2 (9 + 9) times 1 mohm, as part of at most 81 cells' currents.
    assert np.abs(g_eff(circuit.changed(**ohms)) - g).max() <= 36e-3 * 81 * g.max() * g.max()


@given(any_circuit(), st.integers(0, 2**32 - 1))
@LAW
def test_currents_are_conserved_from_the_sources_to_the_senses(circuit: Circuit, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Ends of 10 ohm and more: a current is then seen in the voltages on both sides of its end.
    ohms = {"r_driver": rng.uniform(10, 99), "r_sense": rng.uniform(10, 99)}
    circuit = circuit.changed(**ohms, r_driver_far=[None, 20.0][rng.integers(2)], r_sense_far=None)
    v_in = rng.uniform(0, 1, len(circuit.g))
    solution = solve_array(circuit.g, circuit.bar, v_in)
    v_wl, v_bl = known(solution.v_wl), known(solution.v_bl)
    through_cells = circuit.g * (v_wl - v_bl)
    ends = circuit.ends
    from_sources = (v_in - v_wl[:, 0]) / ends.left
    from_sources += (v_in - v_wl[:, -1]) / ends.right
    to_senses = v_bl[0] / ends.top + v_bl[-1] / ends.bottom
    close: dict[str, Any] = {"rel": 1e-6, "abs": 1e-12}
    assert through_cells.sum(axis=0) == pytest.approx(solution.i_out, **close)
    assert from_sources == pytest.approx(through_cells.sum(axis=1), **close)
    assert to_senses == pytest.approx(solution.i_out, **close)
