"""Many arrays at once give what each gives alone: laid out, programmed, solved, added up.

The slow twin takes array by array and adds cell by cell, as docs/concepts/model.md section 2 says.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from circuits import Circuit, random_circuit
from known_tiles import SCHEMES, SINGLE
from oracles.error import g_eff_error
from small_networks import conv

from rxsim.circuit import solve_array, solve_arrays
from rxsim.circuit.scratch import release, scratch
from rxsim.config import Crossbar, Settings, load_settings
from rxsim.devices import Chip
from rxsim.errors import CircuitError
from rxsim.load import Layer, load_network
from rxsim.mapping import MappedLayer, map_layer
from rxsim.tiles import array_matrix, program_array, transfer_matrices

CHIP = Chip(3, 1)
LAYOUTS = {
    **SCHEMES,
    **SINGLE,
    "wide": ("crossbar.cols=40",),
    "tall": ("crossbar.rows=40", "crossbar.cols=5"),
    "equal": ("mapping.split=equal",),
    "no zeros": ("mapping.skip_zero=true",),
    "spare": ("mapping.spare_cols=2",),
    "column scales": ("mapping.w_max_scope=column",),
}
EFFECTS = {
    "nominal": (),
    "drawn": ("device.write_sigma=0.05", "device.d2d_sigma=0.1", "device.stuck_lrs=0.05"),
    "no wires": tuple(
        f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")
    ),
    "harsh": ("crossbar.r_wire_wl=300", "device.r_on=1e3", "device.r_off=1e5"),
}


@functools.cache
def layers() -> tuple[Layer, ...]:
    """Give layers of one group, of three, and of one group each; some lines are zeros."""
    rng = np.random.default_rng(0)
    made: list[Layer] = []
    with tempfile.TemporaryDirectory() as folder:
        for shape, groups in (((13, 3, 3, 3), 1), ((12, 5, 2, 1), 3), ((6, 1, 3, 3), 6)):
            w = rng.standard_normal(shape)
            w[:, 0, 0] = 0.0
            path = Path(folder) / "n.onnx"
            onnx.save(conv(w, (shape[1] * groups, 5, 5), groups), path)
            made += load_network(path).layers
    return tuple(made)


def settings_of(*assignments: str) -> Settings:
    return load_settings(assignments=["crossbar.rows=10", "crossbar.cols=9", *assignments])


def mapped(layer: Layer, settings: Settings) -> MappedLayer:
    return map_layer(layer, settings.crossbar, settings.device, settings.mapping)


def one_by_one(layer: MappedLayer, settings: Settings) -> list[np.ndarray]:
    """Add the arrays of a layer up, each programmed and solved alone, column by column."""
    count, n_inputs = layer.readouts.count, layer.tiling.n_inputs
    sums = [np.zeros((layer.tiling.groups, len(rows), count)) for rows in layer.row_tiles]
    for index in range(layer.n_arrays):
        programmed = program_array(layer, index, settings, CHIP)
        array, shape = programmed.array, programmed.g.shape
        rows = np.flatnonzero(array.rows >= 0)
        if not len(rows):
            continue
        read = np.flatnonzero(array.cols >= 0)
        wanted = np.union1d(read, array.references[read])
        wanted = wanted[wanted >= 0]
        g_eff = np.zeros(shape)
        g_eff[np.ix_(rows, wanted)] = array_matrix(programmed.g, settings, None, rows, wanted)
        tile = layer.row_tiles[array.conversion].tolist()
        for c in read:
            group, readout = divmod(int(array.cols[c]), count)
            ref = array.references[c]
            current = g_eff[:, c] - (g_eff[:, ref] if ref >= 0 else 0.0)
            for r in rows:
                place = tile.index(array.rows[r] - group * n_inputs)
                signed = array.col_signs[c] * array.row_signs[r] * current[r]
                sums[array.conversion][group, place, readout] += signed
    return sums


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_a_run_are_those_made_alone(layout: str) -> None:
    settings = settings_of(*LAYOUTS[layout])
    for each in layers():
        layer = mapped(each, settings)
        for most in (1, 5, 1000):
            runs = list(layer.runs(most))
            assert [n for run in runs for n in run] == list(range(layer.n_arrays))
            assert all(len(run) <= max(most, 1) for run in runs)
            for run in runs:
                stack = layer.stack(run)
                for at, array in enumerate(stack.arrays):
                    alone = layer.array(run[at])
                    assert (array.index, array.conversion) == (run[at], alone.conversion)
                    np.testing.assert_array_equal(stack.target[at], alone.target)
                    np.testing.assert_array_equal(stack.blank[at], alone.blank)
                    for name in (
                        "target",
                        "blank",
                        "rows",
                        "row_signs",
                        "cols",
                        "col_signs",
                        "references",
                    ):
                        np.testing.assert_array_equal(getattr(array, name), getattr(alone, name))


@pytest.mark.parametrize(
    ("layout", "effect"),
    [(layout, "nominal") for layout in LAYOUTS]
    + [("packed", effect) for effect in EFFECTS]
    + [("digital reference", effect) for effect in EFFECTS],
)
def test_a_layer_is_the_sum_of_its_arrays(layout: str, effect: str) -> None:
    """To rounding of the sums: a readout of one array gets the very same number."""
    settings = settings_of(*LAYOUTS[layout], *EFFECTS[effect])
    for each in layers():
        layer = mapped(each, settings)
        found = transfer_matrices(layer, settings, CHIP, threads=2).matrices
        for matrix, expected in zip(found, one_by_one(layer, settings), strict=True):
            np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12 * settings.device.g_on)


def stack_of(seed: int, shape: tuple[int, int]) -> tuple[np.ndarray, Crossbar]:
    """Draw arrays of many kinds behind the same wires."""
    bar = random_circuit(seed, shape).bar
    return np.array([random_circuit(seed + k, shape).g for k in range(6)]), bar


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_arrays_solved_together_are_right_and_those_solved_alone(seed: int) -> None:
    """Relaxed ones and eliminated ones beside one another, some of their lines, turned or not."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 20)), int(rng.integers(1, 20)))
    g, bar = stack_of(seed, shape)
    rows = np.flatnonzero(rng.random(shape[0]) < 0.7)
    cols = np.flatnonzero(rng.random(shape[1]) < 0.7)
    found = solve_arrays(g, bar, rows=rows, cols=cols)
    assert found.shape == (len(g), len(rows), len(cols))
    for each, g_eff in zip(g, found, strict=True):
        alone = solve_array(each, bar, rows=rows, cols=cols).g_eff
        np.testing.assert_array_equal(g_eff, alone)
        if g_eff.size:
            reference = Circuit(each, bar).reference(rows)[:, cols]
            assert g_eff_error(g_eff, reference) <= 1e-9


@pytest.mark.parametrize("seed", range(0, 100, 10))
def test_arrays_together_are_reciprocal(seed: int) -> None:
    """Turned by a half and transposed, what was driven is sensed, with ends at left and bottom."""
    g, _ = stack_of(seed, (9, 14))
    bar = Crossbar(r_wire_wl=3.0, r_wire_bl=2.0, r_driver=70.0, r_sense=30.0)
    back = Crossbar(r_wire_wl=2.0, r_wire_bl=3.0, r_driver=30.0, r_sense=70.0)
    rows, cols = np.arange(9), np.arange(14)
    found = solve_arrays(g, bar, rows=rows, cols=cols)
    turned = np.ascontiguousarray(g[:, ::-1, ::-1].transpose(0, 2, 1))
    other = solve_arrays(turned, back, rows=cols, cols=rows)[:, ::-1, ::-1].transpose(0, 2, 1)
    for each, same in zip(found, other, strict=True):
        assert g_eff_error(each, same) <= 2e-9


@pytest.mark.parametrize("bad", [-1e-6, np.nan, np.inf])
@pytest.mark.parametrize("cols", [4, 12])
def test_one_impossible_conductance_refuses_the_stack(bad: float, cols: int) -> None:
    g = np.full((3, 8, 12), 1e-6)
    g[1, 2, 3] = bad
    with pytest.raises(CircuitError, match="negative, NaN or infinite"):
        solve_arrays(g, Crossbar(), rows=np.arange(8), cols=np.arange(cols))


def test_no_lines_and_no_arrays_are_ordinary() -> None:
    g, none, some = np.full((2, 4, 3), 1e-6), np.arange(0), np.arange(3)
    assert solve_arrays(g, Crossbar(), rows=none, cols=some).shape == (2, 0, 3)
    assert solve_arrays(g, Crossbar(), rows=some, cols=none).shape == (2, 3, 0)
    assert solve_arrays(g[:0], Crossbar(), rows=some, cols=some).shape == (0, 3, 3)


def test_working_memory_begins_at_a_cache_line_and_is_taken_again() -> None:
    """A vector of 32 bytes then lies in one line; 64 bytes is what x86-64 and ARM processors have."""
    release()
    first = scratch("test", (3, 50))
    assert first.ctypes.data % 64 == 0
    assert scratch("test", (5,)).ctypes.data == first.ctypes.data
    larger = scratch("test", (40, 50))
    assert larger.shape == (40, 50)
    assert larger.ctypes.data % 64 == 0
    assert scratch("other", (1,)).ctypes.data != larger.ctypes.data
    release()
