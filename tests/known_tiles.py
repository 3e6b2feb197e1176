"""Tiles whose stuck cells are known, and what their cells add up to, in plain numpy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from small_networks import conv, dense

from rxsim.compensate import KnownTile
from rxsim.config import Settings, load_settings
from rxsim.load import load_network
from rxsim.mapping import MappedLayer, PhysicalArray, map_layer

SCHEMES: dict[str, tuple[str, ...]] = {
    "one_sided": (),
    "two_sided": ("mapping.balance=two_sided",),
    "digital": ("mapping.subtract=digital",),
    "adjacent": ("mapping.layout=adjacent",),
    "adjacent digital": ("mapping.layout=adjacent", "mapping.subtract=digital"),
    "slices": ("mapping.weight_bits=5", "mapping.bits_per_cell=2", "device.n_bits=3"),
    "adjacent slices": (
        *("mapping.weight_bits=4", "mapping.bits_per_cell=2", "device.n_bits=3"),
        "mapping.layout=adjacent",
    ),
    "open": ("mapping.unused_cells=open",),
    "permuted": ("mapping.row_permutation=random", "mapping.col_permutation=random"),
    "packed": ("mapping.pack_groups=true",),
}
SINGLE: dict[str, tuple[str, ...]] = {
    "offset": ("mapping.scheme=offset",),
    "reference": ("mapping.scheme=offset", "mapping.offset_removal=reference_column"),
    "digital reference": (
        *("mapping.scheme=offset", "mapping.offset_removal=reference_column"),
        "mapping.subtract=digital",
    ),
    "offset slices": (
        *("mapping.scheme=offset", "mapping.weight_bits=4", "mapping.bits_per_cell=2"),
        *("device.n_bits=2", "mapping.layout=adjacent", "mapping.offset_removal=reference_column"),
    ),
}


@dataclass(frozen=True, eq=False)
class Bench:
    """A tile with faults, and where it comes from."""

    tile: KnownTile
    layer: MappedLayer
    settings: Settings

    def taken(self, step: Any, arrays: Sequence[PhysicalArray] | None = None) -> Any:
        """Return the arrays after a step."""
        tile = self.tile if arrays is None else KnownTile(tuple(arrays), self.tile.stuck)
        return step.retarget(tile, self.layer, self.settings, step.options())

    def errors(self, arrays: Sequence[PhysicalArray]) -> np.ndarray:
        """What faults leave in each sum, siemens times place value, (inputs, sums)."""
        faulty = sums_of(arrays, self.tile.stuck, self.layer)
        faultless = sums_of(self.tile.arrays, None, self.layer)
        return np.asarray(faulty - faultless)


def bench(
    scheme: Sequence[str] = (),
    *,
    seed: int = 0,
    shape: tuple[int, int] = (6, 4),
    share: float = 0.2,
) -> Bench:
    """Draw a layer in a single tile, of cells of which a share is stuck at some conductance or open."""
    rng = np.random.default_rng(seed)
    if "mapping.pack_groups=true" in scheme:
        model = conv(rng.standard_normal((4, 1, 1, 3)), (2, 4, 4), groups=2)
    else:
        model = dense(rng.standard_normal(shape))
    given = ["crossbar.rows=8", "crossbar.cols=24", "device.n_bits=4", *scheme]
    settings = load_settings(assignments=given)
    (layer,) = load_network(model).layers
    mapped = map_layer(layer, settings.crossbar, settings.device, settings.mapping)
    arrays = tuple(mapped.array(index) for index in range(mapped.tiling.arrays_per_tile))
    return Bench(KnownTile(arrays, faults_like(arrays, mapped, share, rng)), mapped, settings)


def faults_like(
    arrays: Sequence[PhysicalArray], layer: MappedLayer, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Draw stuck cells: at g_on, at g_off, open, or anywhere."""
    device, found = layer.device, []
    for array in arrays:
        shape = array.target.shape
        anywhere = rng.uniform(device.g_off, device.g_on, shape)
        kinds = np.stack([np.full(shape, g) for g in (device.g_on, device.g_off, 0.0)] + [anywhere])
        values = np.take_along_axis(kinds, rng.integers(0, 4, shape)[None], 0)[0]
        found.append(np.where(rng.random(shape) < share, values, np.nan))
    return tuple(found)


def levels_of(layer: MappedLayer) -> np.ndarray:
    """All levels of a cell, siemens."""
    device = layer.device
    assert device.levels is not None
    return np.linspace(device.g_off, device.g_on, device.levels)


def on_levels(target: np.ndarray, layer: MappedLayer) -> np.ndarray:
    """The nearest level of each target, siemens; continuous cells keep theirs."""
    if layer.device.levels is None:
        return target
    levels = levels_of(layer)
    return np.asarray(levels[np.abs(target[..., None] - levels).argmin(axis=-1)])


def columns_of(
    arrays: Sequence[PhysicalArray], layer: MappedLayer
) -> dict[tuple[int, int], list[tuple[int, float, float]]]:
    """List the sums (number, sign, place value) of each used column, by array and place."""
    mapping, cells = layer.cells.mapping, layer.cells
    apart = cells.polarities if mapping.subtract == "digital" else 1
    per_output, outputs = cells.slices * apart, layer.tiling.n_outputs
    found: dict[tuple[int, int], list[tuple[int, float, float]]] = {}
    for number, array in enumerate(arrays):
        for col in np.flatnonzero(array.cols >= 0):
            readout = int(array.cols[col]) % layer.readouts.count
            if readout >= outputs * per_output:  # a reference that is converted by itself
                place = (readout - outputs * per_output) % cells.slices
                terms = [(n * cells.slices + place, -1.0) for n in range(outputs)]
            else:
                total, side = divmod(readout, apart)
                terms = [(total, float(array.col_signs[col]) * (-1.0 if side else 1.0))]
            found.setdefault((number, int(col)), []).extend(_valued(terms, layer))
            reference = int(array.references[col])
            if reference >= 0:
                minus = [(total, -sign) for total, sign in terms]
                found.setdefault((number, reference), []).extend(_valued(minus, layer))
    return found


def _valued(terms: list[tuple[int, float]], layer: MappedLayer) -> list[tuple[int, float, float]]:
    base = 2.0 ** (layer.cells.mapping.bits_per_cell or 0)
    return [(total, sign, base ** (total % layer.cells.slices)) for total, sign in terms]


def sums_of(
    arrays: Sequence[PhysicalArray], stuck: Sequence[np.ndarray] | None, layer: MappedLayer
) -> np.ndarray:
    """Add up the cells of a tile: siemens times place value, (inputs, sums)."""
    sums = np.zeros((layer.tiling.n_inputs, layer.tiling.n_outputs * layer.cells.slices))
    for (number, col), terms in columns_of(arrays, layer).items():
        array = arrays[number]
        g = on_levels(array.target[:, col], layer)
        if stuck is not None:
            g = np.where(np.isnan(stuck[number][:, col]), g, stuck[number][:, col])
        g = np.where(array.blank[:, col], 0.0, g)
        for row, total in itertools.product(np.flatnonzero(array.rows >= 0), range(len(terms))):
            where, sign, value = terms[total]
            sums[int(array.rows[row]) % layer.tiling.n_inputs, where] += sign * value * g[row]
    return sums
