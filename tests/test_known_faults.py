"""What steps know of stuck cells is what programming gives, and threads change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cell_arrays import CellArray, read
from known_tiles import SCHEMES, SINGLE
from small_networks import conv, dense

from rxsim.config import Device, Settings, load_settings
from rxsim.devices import Chip, stuck_at
from rxsim.load import load_network
from rxsim.mapping import MappedLayer, map_layer
from rxsim.tiles import program_array, transfer_matrices

STUCK = {"stuck_lrs": 0.1, "stuck_hrs": 0.1}
LINES = {"dead_rows": 0.1, "dead_cols": 0.1}
ERRORS = {
    "write_sigma": 0.1,
    "d2d_sigma": 0.2,
    "array_sigma": 0.1,
    "gradient": 0.2,
    "read_sigma": 0.05,
}
TARGET = np.random.default_rng(0).uniform(1 / 1.4e6, 1 / 200e3, (20, 16))
FAULTS = ("device.stuck_lrs=0.06", "device.stuck_hrs=0.09", "device.dead_cols=0.03")
STEPS = ("compensate=[spares, pairs]", "mapping.spare_cols=2")


def known(
    device: Device,
    blank: np.ndarray | None = None,
    *,
    layer: int = 4,
    array: int = 2,
    trial: int = 3,
) -> np.ndarray:
    """Return what is known of an array's stuck cells before it is programmed."""
    cells = CellArray(TARGET, np.zeros(TARGET.shape, bool) if blank is None else blank, array)
    return stuck_at(cells, layer, device, Chip(0, trial), layer_name=f"layer{layer}")


@pytest.mark.parametrize(
    "faults",
    [STUCK, LINES, {**STUCK, **LINES}, {"model": "stuck-chen-lrs-9.04"}, {"faults": True}, {}],
    ids=["cells", "lines", "both", "preset", "map", "none"],
)
def test_stuck_cells_are_known_as_they_are_programmed(
    faults: dict[str, Any], tmp_path: Path
) -> None:
    """Beside every other error: none moves a stuck cell, all move the others."""
    if faults.get("faults"):
        codes = np.random.default_rng(1).integers(0, 4, TARGET.shape)
        np.savez(tmp_path / "map.npz", layer4=codes)
        faults = {**STUCK, "faults": str(tmp_path / "map.npz")}
    device = Device.model_validate({**ERRORS, **faults})
    whole = 0
    for layer, array, trial in ((4, 2, 3), (1, 0, 7)):
        cells = known(device, layer=layer, array=array, trial=trial)
        g = read(device, TARGET, layer=layer, array=array, trial=trial).g
        is_stuck = ~np.isnan(cells)
        assert np.array_equal(g[is_stuck], cells[is_stuck])
        plain = Device.model_validate(ERRORS)
        without = read(plain, TARGET, layer=layer, array=array, trial=trial).g
        assert np.array_equal(g[~is_stuck], without[~is_stuck])
        whole += int(is_stuck.sum())
    assert (whole > 0) == bool(faults)


def test_cells_that_are_left_open_are_not_known_as_stuck() -> None:
    blank = np.random.default_rng(2).random(TARGET.shape) < 0.5
    device = Device.model_validate(STUCK)
    cells = known(device, blank)
    assert np.isnan(cells[blank]).all()
    assert (read(device, TARGET, blank=blank, layer=4, array=2, trial=3).g[blank] == 0).all()
    assert np.array_equal(cells[~blank], known(device)[~blank], equal_nan=True)


def mapped(*assignments: str) -> tuple[MappedLayer, Settings]:
    """Map a layer on several tiles of several arrays."""
    rng = np.random.default_rng(0)
    if "mapping.pack_groups=true" in assignments:
        model = conv(rng.standard_normal((12, 1, 2, 2)), (6, 4, 4), groups=6)
    else:
        model = dense(rng.standard_normal((50, 30)))
    settings = load_settings(xbar="16x24", assignments=assignments)
    (layer,) = load_network(model).layers
    return map_layer(layer, settings.crossbar, settings.device, settings.mapping), settings


@pytest.mark.parametrize("scheme", ["one_sided", "adjacent", "slices", "packed", "open"])
def test_threads_change_nothing(scheme: str) -> None:
    layer, settings = mapped(*SCHEMES[scheme], *FAULTS, *STEPS)
    one, many = (
        transfer_matrices(layer, settings, Chip(0, 2), threads=threads).matrices
        for threads in (1, 4)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))
    plain, without = mapped(*SCHEMES[scheme], *FAULTS, "mapping.spare_cols=2")
    other = transfer_matrices(plain, without, Chip(0, 2)).matrices
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("scheme", [*SCHEMES, *SINGLE])
def test_a_step_sees_the_faults_of_its_own_chip_and_arrays(scheme: str) -> None:
    """Each array of a layer is the chip's: with its targets, its faults where they were."""
    given = (SCHEMES | SINGLE)[scheme]
    steps = "compensate=[spares, pairs]" if scheme in SCHEMES else "compensate=[spares]"
    layer, settings = mapped(*given, *FAULTS, steps, "mapping.spare_cols=2")
    plain, without = mapped(*given, "mapping.spare_cols=2")
    changed = 0
    for index in range(layer.n_arrays):
        chip = Chip(0, 5)
        programmed = program_array(layer, index, settings, chip)
        array, g = programmed.array, programmed.g
        stuck = stuck_at(array, 0, layer.device, chip)
        is_stuck = ~np.isnan(stuck)
        assert np.array_equal(g[is_stuck], stuck[is_stuck])
        before = program_array(plain, index, without, chip).array
        assert array.index == before.index == index
        assert sorted(array.cols) == sorted(before.cols)
        changed += int((array.cols != before.cols).sum())
    assert changed > 0


def test_write_errors_stay_with_their_cells() -> None:
    """A target that a step moves changes no draw of any cell."""
    given = (*FAULTS, "device.write_sigma=0.05", "device.n_bits=null")
    chip, (layer, plain) = Chip(0, 1), mapped(*given)
    _, settings = mapped(*given, "compensate=[pairs]")
    moved = 0
    for index in range(layer.n_arrays):
        before = program_array(layer, index, plain, chip)
        after = program_array(layer, index, settings, chip)
        works = np.isnan(stuck_at(after.array, 0, layer.device, chip))
        errors = [(each.g - each.array.target)[works] for each in (before, after)]
        above = (before.g[works] > 0) & (after.g[works] > 0)
        assert errors[1][above] == pytest.approx(errors[0][above], abs=1e-19)
        moved += int((before.array.target != after.array.target).sum())
    assert moved > 0
