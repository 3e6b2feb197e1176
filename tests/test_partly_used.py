"""Arrays of which a part is used: what is solved, cropped or left out is the same as in the whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from circuits import DRIVE_SIDES, SENSE_SIDES, Circuit, random_circuit, random_ends, random_ohm
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import sparse
from oracles.ends import Ends
from oracles.error import COLUMN_FLOOR, g_eff_error

from rxsim.circuit import solve, solve_array
from rxsim.circuit.coarse import coarse_sweeps, lumped, lumping
from rxsim.circuit.lines import lines_of
from rxsim.config import Crossbar
from rxsim.errors import CircuitError

TOLERANCE = 1e-9  # docs/concepts/model.md section 1
SIDES = list(itertools.product(DRIVE_SIDES, SENSE_SIDES))
NAMES = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")


def partly_used(
    seed: int, drive: str, sense: str, *, is_open: bool
) -> tuple[Circuit, slice, slice]:
    """Draw an array whose weights fill a block somewhere; other cells are open or at one value."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(2, 24)), int(rng.integers(2, 24)))
    top, left = (int(rng.integers(0, n)) for n in shape)
    rows = slice(top, int(rng.integers(top + 1, shape[0] + 1)))
    cols = slice(left, int(rng.integers(left + 1, shape[1] + 1)))
    g = np.full(shape, 0.0 if is_open else 1 / 1.4e6)
    block = g[rows, cols]
    block[:] = rng.uniform(1 / 1.4e6, 1 / 20e3, block.shape)
    block[rng.random(block.shape) < 0.1] = 0.0
    ohms = {name: random_ohm(rng, 1e-2, 100) for name in NAMES}
    ends = {**random_ends(rng), "drive_side": drive, "sense_side": sense}
    return Circuit(g, Crossbar(**ohms, **ends)), rows, cols


def wanted_error(circuit: Circuit, rows: np.ndarray, cols: np.ndarray) -> float:
    """Solve for some lines and return the error of their entries, by a sparse solve of the whole."""
    found = solve_array(circuit.g, circuit.bar, rows=rows, cols=cols).g_eff
    return g_eff_error(found, circuit.reference(rows)[:, cols])


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20), st.booleans())
@settings(max_examples=60, deadline=None)
def test_wanted_lines_are_the_part_of_the_whole(
    seed: int, n_rows: int, n_cols: int, crops: bool
) -> None:
    """Of any circuit, with any ends; also where every array counts as large.

    An entry of the whole is judged against the largest of its whole column, which may not be wanted.
    """
    circuit, rng = random_circuit(seed, (n_rows, n_cols)), np.random.default_rng(seed)
    rows = np.sort(rng.choice(n_rows, rng.integers(1, n_rows + 1), replace=False))
    cols = np.sort(rng.choice(n_cols, rng.integers(1, n_cols + 1), replace=False))
    with pytest.MonkeyPatch.context() as patched:
        if crops:
            patched.setattr(solve, "WHOLE_UP_TO", 0)
        assert wanted_error(circuit, rows, cols) <= TOLERANCE
        whole = solve_array(circuit.g, circuit.bar).g_eff[np.ix_(rows, cols)]
    part = solve_array(circuit.g, circuit.bar, rows=rows, cols=cols).g_eff
    exact = circuit.reference()
    scale = np.maximum(exact, COLUMN_FLOOR * exact.max(axis=0))[np.ix_(rows, cols)]
    assert (np.abs(part - whole) <= 2 * TOLERANCE * scale).all()


@pytest.mark.parametrize(
    ("drive", "sense", "is_open"),
    [
        pytest.param(*sides, is_open, marks=pytest.mark.slow if is_open == k % 2 else [])
        for k, sides in enumerate(SIDES)
        for is_open in (True, False)
    ],
)
def test_a_large_array_is_cropped_exactly(
    drive: str, sense: str, is_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its open margins are wires in series with the ends; cells at g_off stay where they are."""
    monkeypatch.setattr(solve, "WHOLE_UP_TO", 0)
    for seed in range(12):
        circuit, rows, cols = partly_used(seed, drive, sense, is_open=is_open)
        lines = [np.arange(n)[part] for n, part in zip(circuit.g.shape, (rows, cols), strict=True)]
        assert wanted_error(circuit, *lines) <= TOLERANCE, str(circuit)
        everything = [np.arange(n) for n in circuit.g.shape]
        assert wanted_error(circuit, *everything) <= TOLERANCE, str(circuit)


def test_cropping_takes_the_time_of_the_used_part() -> None:
    """The reference is a sparse solve of the used block, its ends longer by the margin's wires."""
    rng, n = np.random.default_rng(0), 1500
    g = np.zeros((n, n))
    g[:20, :12] = rng.uniform(1e-6, 1e-4, (20, 12))
    bar = Crossbar(r_wire_wl=2.5, r_wire_bl=1.5, r_driver=80, r_sense=90, r_driver_far=30)
    found = solve_array(g, bar, rows=np.arange(20), cols=np.arange(12)).g_eff
    ends = Ends(
        left=np.full(20, 80.0),
        right=np.full(20, 30.0 + (n - 12) * 2.5),
        top=np.full(12, np.inf),
        bottom=np.full(12, 90.0 + (n - 20) * 1.5),
    )
    assert g_eff_error(found, sparse.g_eff(g[:20, :12], 2.5, 1.5, ends=ends)) <= TOLERANCE


def test_an_array_of_open_cells_only_carries_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve, "WHOLE_UP_TO", 0)
    for rows in (np.arange(1, 4), np.arange(5)):
        g_eff = solve_array(np.zeros((5, 7)), Crossbar(), rows=rows, cols=np.arange(7)).g_eff
        np.testing.assert_array_equal(g_eff, np.zeros((len(rows), 7)))


def test_relaxation_goes_on_where_no_elimination_can_be_certified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long resistive lines take more sweeps than are worth it elsewhere, and are as exact."""
    monkeypatch.setattr(solve, "elimination_bound", lambda *_: 1.0)
    rng = np.random.default_rng(3)
    circuit = Circuit(rng.uniform(1e-5, 1e-4, (40, 60)), Crossbar(r_wire_wl=60, r_wire_bl=60))
    solution = solve_array(circuit.g, circuit.bar)
    assert solution.method == "relaxation"
    assert solution.sweeps > 48
    assert g_eff_error(solution.g_eff, circuit.reference()) <= TOLERANCE
    hopeless = circuit.changed(r_wire_wl=1e4, r_wire_bl=1e4)
    with pytest.raises(CircuitError, match="use smaller arrays"):
        solve_array(hopeless.g, hopeless.bar)


def test_progress_counts_the_driven_lines_of_a_large_array(monkeypatch: pytest.MonkeyPatch) -> None:
    g = np.random.default_rng(1).uniform(1e-6, 1e-5, (40, 50))
    plain = solve_array(g, Crossbar()).g_eff
    monkeypatch.setattr(solve, "WHOLE_UP_TO", 0)
    told: list[tuple[int, int]] = []
    by_blocks = solve_array(g, Crossbar(), progress=lambda *now: told.append(now)).g_eff
    assert told == [(16, 40), (32, 40), (40, 40)]
    np.testing.assert_array_equal(by_blocks, plain)


@pytest.mark.parametrize(("n", "used", "r_wire"), [(600, 64, 2.5), (700, 700, 1.0), (520, 32, 5.0)])
def test_a_lumped_array_takes_nearly_as_many_sweeps(n: int, used: int, r_wire: float) -> None:
    g = np.full((n, n), 1 / 1.4e6)
    g[:used, :used] = np.random.default_rng(n).uniform(1 / 1.4e6, 1 / 200e3, (used, used))
    bar, wanted = Crossbar(r_wire_wl=r_wire, r_wire_bl=r_wire), np.arange(used)
    sweeps = solve_array(g, bar, rows=wanted[:16], cols=wanted).sweeps
    about = coarse_sweeps(
        *(lumped(g), lumping(g.shape), lines_of(bar, n, n), wanted[:16], wanted),
        tolerance=TOLERANCE,
        most=1000,
    )
    assert sweeps > 3
    assert abs(about - sweeps) <= 1 + 0.2 * sweeps


@pytest.mark.slow
def test_a_large_mild_array_is_solved_alike_from_either_side() -> None:
    """No elimination is certified at this size, and 48 sweeps are too few; the sides share no field."""
    n = 1536
    g = np.random.default_rng(5).uniform(1 / 1.4e6, 1 / 200e3, (n, n))
    some = np.sort(np.random.default_rng(6).choice(n, 17, replace=False))
    by_rows = solve_array(g, Crossbar(), rows=some[:16], cols=some)
    by_cols = solve_array(g, Crossbar(), rows=some, cols=some[:16])
    assert by_rows.method == by_cols.method == "relaxation"
    assert by_rows.sweeps > 48
    assert g_eff_error(by_rows.g_eff[:, :16], by_cols.g_eff[:16]) <= 2 * TOLERANCE
