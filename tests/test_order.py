"""The step `order`: large rows lie next to senses, large columns next to drivers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from circuits import Circuit
from small_networks import conv, dense

from rxsim.compensate import check_steps
from rxsim.compensate.steps._places import drop_along
from rxsim.config import Settings, settings_changed
from rxsim.devices import Chip
from rxsim.errors import SettingError
from rxsim.load import load_network
from rxsim.mapping import MappedLayer, PhysicalArray, map_layer
from rxsim.tiles import design_layer, transfer_matrices

RNG = np.random.default_rng(5)
UNEVEN = RNG.standard_normal((20, 9)) * RNG.exponential(1, (20, 1)) * RNG.exponential(1, 9)
HARSH: dict[str, Any] = {
    "crossbar": {"rows": 12, "cols": 24, "r_wire_wl": 20, "r_wire_bl": 20},
    "device": {"r_on": 1e4, "r_off": 1e5},
    "compensate": ["order"],
}
WIRES = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")
SCHEMES: dict[str, dict[str, Any]] = {
    "pairs": {},
    "two-sided": {"balance": "two_sided"},
    "digital": {"subtract": "digital"},
    "offset": {"scheme": "offset"},
    "reference": {"scheme": "offset", "offset_removal": "reference_column"},
    "digital reference": {
        "scheme": "offset",
        "offset_removal": "reference_column",
        "subtract": "digital",
    },
    "slices": {"weight_bits": 5, "bits_per_cell": 2},
    "adjacent slices": {"weight_bits": 5, "bits_per_cell": 2, "layout": "adjacent"},
    "adjacent": {"layout": "adjacent"},
    "adjacent reference": {
        "scheme": "offset",
        "offset_removal": "reference_column",
        "layout": "adjacent",
        "weight_bits": 4,
        "bits_per_cell": 2,
    },
    "permuted": {"row_permutation": "random", "col_permutation": "random"},
    "spare": {"spare_cols": 5},
    "open": {"unused_cells": "open"},
}


def settings_of(mapping: dict[str, Any] | None = None, **more: Any) -> Settings:
    values = {**HARSH, "mapping": mapping or {}, **more}
    return Settings(**{**values, "crossbar": {**HARSH["crossbar"], **more.get("crossbar", {})}})


def mapped(settings: Settings, model: Any = None) -> MappedLayer:
    (layer,) = load_network(dense(UNEVEN) if model is None else model).layers
    return map_layer(layer, settings.crossbar, settings.device, settings.mapping)


def both(settings: Settings, model: Any = None) -> tuple[MappedLayer, MappedLayer]:
    before = mapped(settings, model)
    return before, design_layer(before, settings).layer


def arrays(layer: MappedLayer) -> list[PhysicalArray]:
    return [layer.array(index) for index in range(layer.n_arrays)]


def without_wires(settings: Settings) -> Settings:
    return settings_changed(settings, {f"crossbar.{name}": 0.0 for name in WIRES}, "no wires")


def matrices(layer: MappedLayer, settings: Settings) -> np.ndarray:
    return np.concatenate(transfer_matrices(layer, settings, Chip(0, 0)).matrices, axis=1)


@pytest.mark.parametrize(
    ("first", "last"), [(3.0, np.inf), (np.inf, 3.0), (2.0, 5.0), (0.1, 0.1), (40.0, 0.5)]
)
def test_the_drop_of_an_even_load_is_that_of_nodal_analysis(first: float, last: float) -> None:
    count, wire = 7, 0.7
    nodes = np.zeros((count, count))
    for j in range(count - 1):
        nodes[j : j + 2, j : j + 2] += np.array([[1, -1], [-1, 1]]) / wire
    nodes[0, 0] += 1 / first
    nodes[-1, -1] += 1 / last
    expected = np.linalg.solve(nodes, np.ones(count))
    np.testing.assert_allclose(drop_along(first, last, wire, count), expected, rtol=1e-12)


def test_a_line_without_resistance_drops_nothing() -> None:
    assert (drop_along(0.0, 0.0, 0.0, 3) == 0).all()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("options", [{}, {"cols": False, "together": False}, {"rows": False}])
def test_without_wires_nothing_changes(scheme: str, options: dict[str, bool]) -> None:
    settings = settings_of(SCHEMES[scheme], compensate=[{"order": options} if options else "order"])
    before, after = both(settings)
    perfect = without_wires(settings)
    np.testing.assert_array_equal(matrices(after, perfect), matrices(before, perfect))
    moved = [
        not np.array_equal(a.target, b.target)
        for a, b in zip(arrays(before), arrays(after), strict=True)
    ]
    assert any(moved)


def test_without_wires_packed_groups_stay_what_they_were() -> None:
    weight = RNG.standard_normal((9, 2, 2, 2)) * RNG.exponential(1, (9, 1, 1, 1))
    settings = settings_of({"pack_groups": True}, crossbar={"rows": 20, "cols": 12})
    before, after = both(settings, conv(weight, (6, 4, 4), groups=3))
    perfect = without_wires(settings)
    np.testing.assert_array_equal(matrices(after, perfect), matrices(before, perfect))


def test_without_wires_nothing_is_moved() -> None:
    settings = without_wires(settings_of())
    before, after = both(settings)
    for a, b in zip(arrays(before), arrays(after), strict=True):
        np.testing.assert_array_equal(a.rows, b.rows)
        np.testing.assert_array_equal(a.cols, b.cols)


NEAREST: dict[str, Any] = {
    # From the nearest place to the farthest: rows by the senses, columns by the drivers.
    "left bottom": ({}, range(11, -1, -1), range(24)),
    "right top": (
        {"drive_side": "right", "sense_side": "top"},
        range(12),
        range(23, -1, -1),
    ),
    "both ends": (
        {"r_driver_far": 100, "r_sense_far": 100},
        [0, 11, 1, 10, 2, 9, 3, 8, 4, 7, 5, 6],
        [each for pair in zip(range(12), range(23, 11, -1), strict=True) for each in pair],
    ),
    "far ends": (
        {"r_driver": 1e5, "r_driver_far": 0, "r_sense": 1e5, "r_sense_far": 0},
        range(12),
        range(23, -1, -1),
    ),
}


@pytest.mark.parametrize("ends", NEAREST)
def test_the_largest_sums_of_a_tile_get_the_nearest_places(ends: str) -> None:
    more, near_rows, near_cols = NEAREST[ends]
    settings = settings_of(crossbar=more)
    before, after = both(settings)
    for tile in range(before.tiling.n_tiles):
        pair = arrays(after)[2 * tile : 2 * tile + 2]
        np.testing.assert_array_equal(pair[0].rows, pair[1].rows)
        np.testing.assert_array_equal(pair[0].cols, pair[1].cols)
        total = pair[0].target + pair[1].target
        used_rows, used_cols = pair[0].rows >= 0, pair[0].cols >= 0
        sums = np.where(used_rows, total[:, used_cols].sum(axis=1), -1)[list(near_rows)]
        assert (np.diff(sums) <= 1e-15).all()
        sums = np.where(used_cols, total[used_rows].sum(axis=0), -1)[list(near_cols)]
        assert (np.diff(sums) <= 1e-15).all()


def test_arrays_apart_have_their_own_order() -> None:
    options = {"order": {"together": False}}
    settings = settings_of({"subtract": "digital"}, compensate=[options])
    _, after = both(settings)
    for array in arrays(after):
        rows, cols = array.rows >= 0, array.cols >= 0
        sums = np.where(rows, array.target[:, cols].sum(axis=1), -1)
        assert (np.diff(sums) >= -1e-15).all()  # the sense is at the bottom
        sums = np.where(cols, array.target[rows].sum(axis=0), -1)
        assert (np.diff(sums) <= 1e-15).all()
    first, second = arrays(after)[:2]
    assert (first.rows != second.rows).any()


@pytest.mark.parametrize("scheme", ["adjacent", "adjacent slices", "adjacent reference"])
@pytest.mark.parametrize("far", [None, 100])
def test_cells_of_an_output_stay_side_by_side(scheme: str, far: float | None) -> None:
    settings = settings_of(SCHEMES[scheme], crossbar={"r_driver_far": far})
    before, after = both(settings)
    size = before.cells.slices * before.cells.polarities
    for array in arrays(after):
        output = np.where(array.cols >= 0, array.cols // before.cells.readouts, -1)
        for number in np.unique(output[output >= 0]):
            places = np.flatnonzero(output == number)
            assert len(places) == size
            assert places[-1] - places[0] == size - 1


def test_a_reference_column_moves_with_what_refers_to_it() -> None:
    before, after = both(settings_of(SCHEMES["reference"]))
    for old, new in zip(arrays(before), arrays(after), strict=True):
        (was,), (now,) = (np.unique(each.references[each.references >= 0]) for each in (old, new))
        assert sorted(new.target[:, now]) == pytest.approx(sorted(old.target[:, was]), abs=0)
        np.testing.assert_array_equal(new.references >= 0, new.cols >= 0)


def root_mean_square(layer: MappedLayer, settings: Settings) -> float:
    """Of g_eff - target over used cells and the range, by a sparse direct solution."""
    errors = []
    for array in arrays(layer):
        exact = Circuit(array.target, settings.crossbar).reference()
        used = np.ix_(array.rows >= 0, array.cols >= 0)
        errors.append((exact - array.target)[used].ravel())
    span = settings.device.g_on - settings.device.g_off
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)) / span)


@pytest.mark.parametrize("ends", NEAREST)
def test_the_residual_is_the_error_by_a_direct_solution_and_falls(ends: str) -> None:
    settings = settings_of(crossbar=NEAREST[ends][0])
    before = mapped(settings)
    design = design_layer(before, settings)
    told = design.residuals["order"]
    assert told.before == pytest.approx(root_mean_square(before, settings), rel=1e-7)
    assert told.after == pytest.approx(root_mean_square(design.layer, settings), rel=1e-7)
    assert told.after < 0.95 * told.before


@pytest.mark.parametrize("drive", ["left", "alternate"])
def test_no_tile_comes_out_worse(drive: str) -> None:
    even = np.random.default_rng(1).uniform(0.9, 1, (12, 24))
    ends = {"drive_side": drive, "sense_side": "alternate" if drive == "alternate" else "bottom"}
    settings = settings_of(crossbar=ends)
    design = design_layer(mapped(settings, dense(even)), settings)
    assert design.residuals["order"].after <= design.residuals["order"].before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"adc": {"where": "per_layer"}}, "found adc.where: per_layer"),
        ({"compensate": [{"order": {"together": False}}]}, "found together: false with"),
        (
            {"compensate": [{"order": {"rows": False, "cols": False}}]},
            "found rows: false and cols: false, expected one of them true",
        ),
        ({"compensate": [{"order": {"weigh": 1}}]}, "weigh is not a setting"),
    ],
)
def test_what_can_not_be_ordered_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_steps({"fc": settings_of(**more)})


def test_columns_that_are_converted_alone_may_have_their_own_order() -> None:
    options = {"compensate": [{"order": {"together": False}}]}
    check_steps({"fc": settings_of({"scheme": "offset"}, **options)})
    check_steps({"fc": settings_of({"subtract": "digital"}, **options)})
