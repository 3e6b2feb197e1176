"""Rows and columns with the largest total conductance lie next to senses and drivers.

Rows lie along bitlines: what a row feeds into them loses least next to the senses. Columns lie along
wordlines, and lose least next to the drivers. The places are ranked by the drop of an even load (see
`_places`), so that any ends of lines count: also both ends, and alternating sides. Lines without a
weight get the places that are left. A tile whose g_eff would come out further from its targets stays as
it was.

Source: Agrawal, Lee and Roy, X-CHANGR, 2019 (columns); Farias, Martins and Kung, MDM, arXiv 2511.04798,
2025 (rows).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from rxsim.circuit.lines import lines_of
from rxsim.compensate.step import Designed, DesignStep, Needs, Residual, Workshop
from rxsim.compensate.steps._places import col_drops, row_drops
from rxsim.config import Settings, step_name
from rxsim.mapping import MappedLayer, PhysicalArray
from rxsim.schema import Section


class OrderOptions(Section):
    """Options of `order`."""

    rows: bool = Field(True, description="move rows")
    cols: bool = Field(True, description="move columns")
    together: bool = Field(
        True,
        description="all arrays of a tile have one order; cells of an output stay side by side",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.rows or self.cols):
            raise ValueError("found rows: false and cols: false, expected one of them true")
        return self


class Order(DesignStep[OrderOptions]):
    """Moves rows and columns of every array."""

    title = "rows and columns in order of conductance"
    source = "X-CHANGR 2019; MDM, arXiv 2511.04798, 2025"
    options = OrderOptions
    mends = "wires"

    def check(self, settings: Settings, options: OrderOptions) -> str | None:
        """Refuse an order after targets were fitted to places, and columns that would not add up."""
        names = [step_name(entry) for entry in settings.compensate]
        if "predistort" in names and "order" in names[names.index("predistort") :]:
            return (
                "found order behind predistort, whose targets hold for the places that cells had; put "
                "order first"
            )
        if options.cols and settings.adc.where == "per_layer":
            return (
                "found adc.where: per_layer, where the columns of all row tiles are joined before they "
                "are converted, expected per_tile; use {order: {cols: false}}"
            )
        mapping = settings.mapping
        joined = mapping.scheme == "differential" or mapping.offset_removal == "reference_column"
        if options.cols and not options.together and joined and mapping.subtract == "analog":
            return (
                "found together: false with mapping.subtract: analog, where the columns of a pair (or "
                "of a weight and its reference) lead to one converter, expected digital; use {order: "
                "{cols: false, together: false}}"
            )
        return None

    def needs(self, layer: MappedLayer, options: OrderOptions) -> Needs:
        """Ask for the addresses of inputs and outputs, one for each line of a tile."""
        tiling = layer.tiling
        _, p, q = tiling.places.T
        rows = np.array([len(part) for part in tiling.row_tiles])[p].sum() * options.rows
        cols = np.array([stop - start for start, stop in tiling.col_tiles])[q].sum() * options.cols
        orders = 1 if options.together else tiling.arrays_per_tile
        return Needs(stored_values=int(rows + cols) * orders)

    def design(self, layer: MappedLayer, workshop: Workshop, options: OrderOptions) -> Designed:
        """Move the rows and columns of every array."""
        size = layer.tiling.arrays_per_tile

        def moved(tile: int) -> tuple[list[PhysicalArray], np.ndarray]:
            arrays = [layer.array(tile * size + a) for a in range(size)]
            ordered = ordered_tile(arrays, layer, workshop.settings, options)
            if not workshop.has_circuit:
                return ordered, np.zeros(3)
            before, after = (_square_error(each, workshop) for each in (arrays, ordered))
            if after[0] < before[0]:
                return ordered, np.array([before[0], *after])
            return arrays, np.array([before[0], *before])

        found = workshop.each(moved, range(layer.tiling.n_tiles))
        before, after, count = sum((errors for _, errors in found), np.zeros(3))
        span = layer.device.g_on - layer.device.g_off
        rms = [float(np.sqrt(each / max(count, 1)) / span) for each in (before, after)]
        residual = Residual(rms[0], rms[1], "of the conductance range, rms")
        return Designed(layer.with_arrays([each for tile, _ in found for each in tile]), residual)


STEP = Order()


def ordered_tile(
    arrays: list[PhysicalArray], layer: MappedLayer, settings: Settings, options: OrderOptions
) -> list[PhysicalArray]:
    """Move the rows and columns of a tile's arrays.

    Args:
        arrays: of one tile.
        layer: the layer.
        settings: the layer's.
        options: the step's.
    """
    lines = lines_of(settings.crossbar, *arrays[0].target.shape)
    rows, cols = row_drops(lines), col_drops(lines)
    groups = [arrays] if options.together else [[array] for array in arrays]
    moved = []
    for group in groups:
        row_load, col_load = _loads(group, layer, options)
        for array in group:
            row_order, col_order = np.arange(len(rows)), np.arange(len(cols))
            if options.rows and rows.any():
                row_order = _places(rows, array.rows, row_load)
            if options.cols and cols.any():
                col_order = _places(cols, _columns(array, layer, options), col_load)
            moved.append(array.moved(row_order, col_order))
    return moved


def _loads(
    arrays: list[PhysicalArray], layer: MappedLayer, options: OrderOptions
) -> tuple[dict[int, float], dict[int, float]]:
    """Sum the conductances of each row, and of each group of columns that stays together, siemens."""
    rows: dict[int, float] = {}
    cols: dict[int, float] = {}
    for array in arrays:
        ids = _columns(array, layer, options)
        used = np.ix_(array.rows >= 0, ids >= 0)
        cells = array.target[used]
        for loads, names, sums in (
            (rows, array.rows[array.rows >= 0], cells.sum(axis=1)),
            (cols, ids[ids >= 0], cells.sum(axis=0)),
        ):
            for name, load in zip(names.tolist(), sums.tolist(), strict=True):
                loads[name] = loads.get(name, 0.0) + load
    return rows, cols


def _columns(array: PhysicalArray, layer: MappedLayer, options: OrderOptions) -> np.ndarray:
    """Number the outputs that columns belong to, int64 (n_cols,): equal ones stay side by side.

    -1: neither read nor a reference. A reference column has a number of its own.
    """
    cols, per_output = array.cols, layer.cells.readouts
    readout, outputs = cols % layer.readouts.count, len(layer.tiling.outputs)
    number = readout // per_output if options.together else np.arange(len(cols))
    number = np.where(cols >= 0, number, -1)
    is_reference = (cols >= 0) & (readout >= outputs * per_output)
    is_reference[array.references[array.references >= 0]] = True
    number[is_reference] = max(outputs, len(cols)) + np.arange(np.count_nonzero(is_reference))
    return np.asarray(number)


def _places(drops: np.ndarray, names: np.ndarray, loads: Mapping[int, float]) -> np.ndarray:
    """Return the line that goes to each place.

    Args:
        drops: of each place; the least is the nearest.
        names: of each line; -1: it carries nothing. Lines of one name stay side by side.
        loads: by name.
    """
    known, first = np.unique(names[names >= 0], return_index=True)
    first = np.flatnonzero(names >= 0)[first]
    ranked = sorted(zip(known.tolist(), first.tolist(), strict=True), key=lambda each: each[1])
    ranked.sort(key=lambda each: -loads[each[0]])
    blocks = [np.flatnonzero(names == name) for name, _ in ranked]
    order = np.full(len(drops), -1)
    size = max((len(block) for block in blocks), default=1)
    whole = [block for block in blocks if len(block) == size]
    rest = [block for block in blocks if len(block) < size]
    starts = np.arange(0, len(drops) - len(drops) % size, size)
    nearness = drops[starts[:, None] + np.arange(size)].mean(axis=1)
    for start, block in zip(starts[np.argsort(nearness, kind="stable")], whole, strict=False):
        order[start : start + size] = block
    singles = [*(line for block in rest for line in block), *np.flatnonzero(names < 0)]
    free = np.flatnonzero(order < 0)
    order[free[np.argsort(drops[free], kind="stable")]] = singles
    return order


def _square_error(arrays: list[PhysicalArray], workshop: Workshop) -> tuple[float, int]:
    """Sum the squares of g_eff - target over the used cells of arrays, siemens^2; count these cells."""
    total, count = 0.0, 0
    for array in arrays:
        rows, read = np.flatnonzero(array.rows >= 0), array.cols >= 0
        read[array.references[array.references >= 0]] = True
        cols = np.flatnonzero(read)
        error = workshop.solve(array.target, rows, cols) - array.target[np.ix_(rows, cols)]
        total, count = total + float(np.square(error).sum()), count + error.size
    return total, count
