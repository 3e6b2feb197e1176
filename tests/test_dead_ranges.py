"""ADCs whose calibration currents are all 0: their static errors are LSB of the layer, not amperes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from beside_twin import beside, calibrated, output, patched
from numpy.typing import NDArray
from small_networks import dense

G_ON, G_OFF, V_READ, ROWS, N_BITS = 5e-5, 1e-6, 0.2, 4, 8
HIGH = 2 ** (N_BITS - 1) - 1
NO_WIRES = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)
# Rows 0 to 3, on the first row tile, carry currents; those of the second are 0 in all inputs.
WEIGHT = np.array([[1, 0.5], [-0.5, 1], [0.25, 0.5], [1, -1], *[[0.5, -0.25]] * 4])
LIVE = np.array([[1, 0.5, 0.25, 0.75], [0.25, 1, 1, 0.5], [0.5, 0.25, 0, 1]])
DEAD_TILE = np.hstack([LIVE, np.zeros((3, ROWS))])


def settings(scope: str, **adc: Any) -> dict[str, Any]:
    """Return settings of arrays without wires and of cells and DACs that are exact."""
    return {
        "crossbar": {"rows": ROWS, "cols": 8, **NO_WIRES},
        "device": {"g_on": G_ON, "g_off": G_OFF, "n_bits": None},
        "input": {"v_read": V_READ},
        "dac": {"n_bits": None},
        "adc": {"n_bits": N_BITS, "scope": scope, **adc},
    }


def ranges(weight: NDArray[Any], given: dict[str, Any], x: NDArray[Any]) -> NDArray[Any]:
    """Return the ranges that `rxsim calibrate` writes."""
    (row,) = calibrated(dense(weight), given, x)["layers"]
    return np.array(row["adc"]["nonideal"])


@pytest.mark.parametrize("scope", ["tile", "column"])
def test_an_offset_behind_a_dead_tile_is_so_many_lsb_of_the_layer(scope: str) -> None:
    """Closed form: y is off by at most (offset + half a code) LSB of each tile, decoded."""
    # A pair carries v_read x / x_max (g_on - g_off) w / w_max; here x_max and w_max are 1.
    unit = V_READ * (G_ON - G_OFF)
    products = np.abs(LIVE @ WEIGHT[:ROWS])
    largest = products.max()
    found = ranges(WEIGHT, settings(scope), DEAD_TILE)
    live = [largest] if scope == "tile" else products.max(axis=0)
    expected = [*live, *np.full(len(live), largest)]
    assert found == pytest.approx(np.array(expected) * unit, rel=1e-6)

    offset = 3.0
    drawn = settings(scope, offset_sigma=offset)
    off = output(patched(dense(WEIGHT), drawn, DEAD_TILE), DEAD_TILE) - DEAD_TILE @ WEIGHT
    # Normal draws of the four converters: five standard deviations.
    lsb = largest / HIGH
    assert np.abs(off).max() <= 2 * (5 * offset + 0.5) * lsb
    assert np.abs(off).max() > lsb  # there are offsets


@pytest.mark.parametrize("scope", ["tile", "column"])
def test_a_current_that_only_later_inputs_have_is_read(scope: str) -> None:
    later = DEAD_TILE.copy()
    later[:, ROWS:] = [0.5, 0.25, 0.25, 0]
    found = output(patched(dense(WEIGHT), settings(scope), DEAD_TILE), later)
    # Two conversions of at most half an LSB each.
    lsb = np.abs(LIVE @ WEIGHT[:ROWS]).max() / HIGH
    assert np.abs(found - later @ WEIGHT).max() <= lsb * (1 + 1e-5)


@pytest.mark.parametrize("scope", ["layer", "tile", "column"])
def test_a_layer_without_any_current_has_full_scale(scope: str) -> None:
    x = np.zeros((3, 2 * ROWS))
    found = ranges(WEIGHT, settings(scope), x)
    assert found == pytest.approx(np.full(len(found), ROWS * V_READ * (G_ON - G_OFF)), rel=1e-12)
    # An offset of three LSB: each tile reads a share of what its rows could carry.
    off = output(patched(dense(WEIGHT), settings(scope, offset_sigma=3), x), x)
    assert 0 < np.abs(off).max() <= 2 * (5 * 3 + 0.5) * ROWS / HIGH


def test_a_layer_without_any_weight_has_full_scale() -> None:
    found = ranges(np.zeros((2 * ROWS, 2)), settings("tile"), DEAD_TILE)
    assert found == pytest.approx(np.full(2, ROWS * V_READ * (G_ON - G_OFF)), rel=1e-12)


def test_what_float32_leaves_of_currents_that_cancel_is_no_range() -> None:
    """A column of a large and a small weight whose inputs all but cancel: 1e-8 of the other's."""
    weight = np.array([[1.0, 1.0], [1.0, -1.0]])
    x = np.array([[1.0, 1 - 2.0**-24], [0.5, 0.5]])
    found = ranges(weight, settings("column"), x)
    assert found[1] == found[0]


@pytest.mark.parametrize("scope", ["layer", "tile", "column"])
@pytest.mark.parametrize("where", ["dead tile", "dead layer"])
def test_static_errors_behind_dead_inputs_are_the_twins(scope: str, where: str) -> None:
    given = settings(scope, offset_sigma=3, gain_sigma=0.1, inl=2, dnl=0.3)
    x = DEAD_TILE if where == "dead tile" else np.zeros((3, 2 * ROWS))
    later = np.random.default_rng(3).uniform(0, 1, (20, 2 * ROWS))
    counts = beside(dense(WEIGHT), given, x, later)
    assert counts is not None
    assert counts.risky < 0.1 * counts.total


@pytest.mark.parametrize("change", [{"criterion": "mse"}, {"percentile": 50}])
def test_every_criterion_of_a_range_fills_dead_tiles(change: dict[str, Any]) -> None:
    found = ranges(WEIGHT, settings("tile", **change), DEAD_TILE)
    assert found[1] == found[0] > 0
