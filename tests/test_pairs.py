"""`pairs`: the other cell of a pair keeps the difference, as far as its range goes."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from known_tiles import SCHEMES, SINGLE, Bench, bench, columns_of, levels_of, on_levels, sums_of

from rxsim.compensate import STEPS, check_steps
from rxsim.config import load_settings
from rxsim.errors import SettingError

PAIRS = STEPS["pairs"]
CONTINUOUS = ("device.n_bits=null",)


def least_errors(made: Bench) -> np.ndarray:
    """The least error of each pair, of all targets that its working cells can take, cell by cell."""
    arrays, stuck, layer = made.tile.arrays, made.tile.stuck, made.layer
    device, continuous = layer.device, layer.device.levels is None
    free = np.array([device.g_off, device.g_on]) if continuous else levels_of(layer)
    cells: dict[tuple[int, int], list[tuple[float, float, np.ndarray]]] = defaultdict(list)
    value_of = {}
    for (number, col), ((total, sign, value),) in columns_of(arrays, layer).items():
        array, value_of[total] = arrays[number], value
        level = on_levels(array.target[:, col], layer)
        for row in np.flatnonzero(array.rows >= 0).tolist():
            fixed = stuck[number][row, col]
            reach = free if np.isnan(fixed) else np.array([fixed])
            if array.blank[row, col]:
                level[row], reach = 0.0, np.zeros(1)
            cells[int(array.rows[row]) % layer.tiling.n_inputs, total].append(
                (sign, level[row], reach)
            )
    least = np.zeros((layer.tiling.n_inputs, layer.tiling.n_outputs * layer.cells.slices))
    for (row, total), ((s1, g1, reach1), (s2, g2, reach2)) in cells.items():
        if len(reach1) > 1 and len(reach2) > 1:
            continue  # no fault, no change
        reached = (s1 * reach1[:, None] + s2 * reach2).ravel() - (s1 * g1 + s2 * g2)
        inside = continuous and reached.min() <= 0 <= reached.max()
        least[row, total] = 0.0 if inside else np.abs(reached).min() * value_of[total]
    return least


@pytest.mark.parametrize(
    ("scheme", "levels"),
    [
        *((scheme, ()) for scheme in SCHEMES),
        *((scheme, CONTINUOUS) for scheme in SCHEMES if "slices" not in scheme),
    ],
)
def test_no_target_of_a_working_cell_is_better(scheme: str, levels: tuple[str, ...]) -> None:
    for seed in range(3):
        made = bench((*SCHEMES[scheme], *levels), seed=seed)
        after = np.abs(made.errors(made.taken(PAIRS)))
        before = np.abs(made.errors(made.tile.arrays))
        slack = 1e-9 * made.layer.device.g_on
        assert after == pytest.approx(least_errors(made), abs=slack)
        assert (after <= before + slack).all()
        assert after.sum() < 0.8 * before.sum()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_targets_keep_their_differences_wherever_they_lie(scheme: str) -> None:
    """So spare columns may take over what pairs have mended."""
    made = bench(SCHEMES[scheme], share=0.1)
    for cells in made.tile.stuck:  # open cells are below any target
        cells[cells == 0] = np.nan
    moved = sums_of(made.taken(PAIRS), None, made.layer)
    assert moved == pytest.approx(sums_of(made.tile.arrays, None, made.layer), abs=1e-16)


def test_only_the_pairs_with_a_stuck_cell_change() -> None:
    made = bench(share=0.1)
    struck = np.zeros((8, 24), bool)
    for cells in made.tile.stuck:
        struck |= ~np.isnan(cells)
    for array, after in zip(made.tile.arrays, made.taken(PAIRS), strict=True):
        same = (array.target == after.target) | struck
        assert same.all()
        assert np.array_equal(array.cols, after.cols)


def test_both_cells_stuck_stay_as_they_are() -> None:
    made = bench(share=1.0)
    for array, after in zip(made.tile.arrays, made.taken(PAIRS), strict=True):
        assert np.array_equal(array.target, after.target)


@pytest.mark.parametrize("scheme", SINGLE)
def test_single_cells_are_refused(scheme: str) -> None:
    settings = load_settings(assignments=[*SINGLE[scheme], "compensate=[pairs]"])
    with pytest.raises(
        SettingError, match=r"pairs: layer fc: found mapping.scheme: offset.*set it"
    ):
        check_steps({"fc": settings})


def test_every_cell_is_tested_once() -> None:
    made = bench(SCHEMES["slices"])
    assert PAIRS.needs(made.layer, PAIRS.options()).cell_reads == 4 * 8 * 24
