"""Variation of cells, arrays and chips, planes across arrays, and dead lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from cell_arrays import read
from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.config import Device

TARGET = np.full((8, 8), 5e-5)
RANGE: dict[str, Any] = {"g_on": 1e-4, "g_off": 1e-6, "n_bits": None}


def logs(device: Device, chips: int, arrays: int, target: np.ndarray = TARGET) -> np.ndarray:
    """Return ln(g / target) of many chips' arrays, (chips, arrays, rows, cols)."""
    return np.array(
        [
            [np.log(read(device, target, trial=t, layer=n % 2, array=n // 2).g / target)
             for n in range(arrays)]
            for t in range(chips)
        ]
    )  # fmt: skip


def test_variances_of_the_three_scales_add_up() -> None:
    """Cells in an array, arrays on a chip, chips: a nested analysis of variance."""
    cell, array, chip = 0.1, 0.2, 0.3
    n_chips, n_arrays, n_cells = 300, 6, TARGET.size
    device = Device(**RANGE, d2d_sigma=cell, array_sigma=array, chip_sigma=chip)
    log = logs(device, n_chips, n_arrays).reshape(n_chips, n_arrays, n_cells)
    of_arrays, of_chips = log.mean(axis=2), log.mean(axis=(1, 2))
    within = log.var(axis=2, ddof=1).mean()
    between = of_arrays.var(axis=1, ddof=1).mean()
    over = of_chips.var(ddof=1)
    array_mean = array**2 + cell**2 / n_cells
    expected = [cell**2, array_mean, chip**2 + array_mean / n_arrays]
    freedom = [n_chips * n_arrays * (n_cells - 1), n_chips * (n_arrays - 1), n_chips - 1]
    # A variance of f degrees of freedom is off by a relative sqrt(2/f): four of them.
    for found, true, f in zip((within, between, over), expected, freedom, strict=True):
        assert abs(found / true - 1) < 4 * math.sqrt(2 / f)
    assert abs(of_chips.mean()) < 4 * math.sqrt(expected[2] / n_chips)  # the median is kept


@pytest.mark.parametrize("scale", ["array_sigma", "chip_sigma"])
def test_a_scale_alone_is_one_factor_of_all_its_cells(scale: str) -> None:
    log = logs(Device(**RANGE, **{scale: 0.2}), 20, 6)
    assert np.ptp(log, axis=(2, 3)).max() < 1e-12
    factors = log[:, :, 0, 0]
    alike = np.ptp(factors, axis=1).max() < 1e-12
    assert alike == (scale == "chip_sigma")  # a chip's factor is that of all layers and arrays
    assert len(np.unique(factors.round(9))) == (20 if alike else 120)


def test_a_gradient_is_a_plane_around_0() -> None:
    """ln g rises by `gradient` times a normal number along rows, and by another along columns."""
    target = np.full((5, 7), 5e-5)
    log = logs(Device(**RANGE, gradient=0.2), 250, 4, target).reshape(-1, 5, 7)
    rows, cols = np.meshgrid(np.linspace(-0.5, 0.5, 5), np.linspace(-0.5, 0.5, 7), indexing="ij")
    basis = np.stack([rows.ravel(), cols.ravel(), np.ones(35)], axis=1)
    fitted, _, _, _ = np.linalg.lstsq(basis, log.reshape(-1, 35).T, rcond=None)
    assert np.abs(basis @ fitted - log.reshape(-1, 35).T).max() < 1e-12
    assert np.abs(fitted[2]).max() < 1e-12
    n = len(log)
    for slopes in fitted[:2]:
        assert abs(slopes.std() / 0.2 - 1) < 4 / math.sqrt(2 * n)
        assert abs(slopes.mean()) < 4 * 0.2 / math.sqrt(n)
    assert abs(np.corrcoef(fitted[:2])[0, 1]) < 4 / math.sqrt(n)


def test_a_single_line_has_no_slope_along_it() -> None:
    row = read(Device(**RANGE, gradient=0.5), np.full((1, 9), 5e-5)).g
    assert row[0, 4] == pytest.approx(5e-5, rel=1e-12)
    assert len(np.unique(row)) == 9
    assert read(Device(**RANGE, gradient=0.5), np.full((1, 1), 5e-5)).g == pytest.approx(5e-5)


@given(st.permutations(range(6)))
@settings(max_examples=20, deadline=None)
def test_a_chip_is_the_same_in_any_order(order: list[int]) -> None:
    keys = ("d2d_sigma", "array_sigma", "chip_sigma", "gradient", "dead_rows", "dead_cols")
    device = Device(**RANGE, **dict.fromkeys(keys, 0.2))
    one = {n: read(device, TARGET, trial=1, array=n).g for n in range(6)}
    assert all((read(device, TARGET, trial=1, array=n).g == one[n]).all() for n in order)
    without = Device(**RANGE, **dict.fromkeys(keys[:4], 0.2))
    alive = one[0] > 0
    assert (read(without, TARGET, trial=1, array=0).g[alive] == one[0][alive]).all()


@pytest.mark.parametrize(("key", "axis"), [("dead_rows", 1), ("dead_cols", 0)])
def test_a_share_of_the_lines_is_dead_and_all_their_cells_open(key: str, axis: int) -> None:
    share, shape = 0.15, (20, 30)
    device = Device(**RANGE, **{key: share})
    reads = [read(device, np.full(shape, 5e-5), array=n, trial=n % 7).g for n in range(300)]
    dead = np.array([(g == 0).all(axis=axis) for g in reads])
    partly = np.array([(g == 0).any(axis=axis) for g in reads])
    assert (dead == partly).all()
    assert abs(dead.mean() - share) < 4 * math.sqrt(share * (1 - share) / dead.size)
    # Lines die one by one, not a whole array's together: their number is binomial.
    spread = dead.shape[1] * share * (1 - share)
    assert abs(dead.sum(axis=1).var() / spread - 1) < 4 * math.sqrt(2 / 300)
    all_dead = Device(**RANGE, **{key: 1})
    assert not read(all_dead, np.full(shape, 5e-5)).g.any()


def test_dead_lines_override_stuck_cells() -> None:
    """A broken line carries no current, whatever its cells are."""
    keys: dict[str, Any] = {"stuck_lrs": 0.5, "stuck_hrs": 0.5}
    stuck = read(Device(**RANGE, **keys), np.full((40, 30), 5e-5)).g
    both = read(Device(**RANGE, **keys, dead_rows=0.2, dead_cols=0.3), np.full((40, 30), 5e-5)).g
    rows, cols = (both == 0).all(axis=1), (both == 0).all(axis=0)
    assert 0 < rows.sum() < 40
    assert 0 < cols.sum() < 30
    dead = rows[:, None] | cols
    assert (both == np.where(dead, 0, stuck)).all()


def test_scales_stand_beside_a_preset() -> None:
    """A published deviation holds the variation of cells, not that of arrays or chips."""
    alone = Device(model="rram-milo")
    target = np.full((8, 8), 1e-4)
    together = Device(model="rram-milo", array_sigma=0.1, chip_sigma=0.1, gradient=0.1)
    log = np.log(read(together, target).g / read(alone, target).g)
    assert np.abs(log - log.mean()).max() < 0.1 * 8  # a plane and factors: no draw of a cell
    curved = log[2:] - 2 * log[1:-1] + log[:-2]
    assert np.abs(curved).max() < 1e-12
