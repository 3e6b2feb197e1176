"""Units of arrays, and the partial sums that units send each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rxsim.mapping import LayerPlan, cells_of


def units_of(plan: LayerPlan, arrays_per_unit: int) -> int:
    """Return how many units a layer's arrays take; no other layer's arrays stand in them.

    Args:
        plan: of the layer.
        arrays_per_unit: arrays of a unit.
    """
    return -(-plan.arrays // arrays_per_unit)


def crossing_sums(
    plan: LayerPlan, arrays_per_unit: int, first_unit: int = 0, units_together: float = 1
) -> int:
    """Count the partial sums of a position that are sent from one unit to another.

    Where units stand together, in a tile or a chip, these take the place of units: each adds up what
    its units give and sends one sum.

    Arrays fill units in the order of their numbers: group, row tile, column tile, slice, polarity. A
    unit adds up all that its arrays give for an output, passes and slices included, and sends the sum
    to the unit of the output's first array. A difference that is formed in analog belongs to the array
    of its positive side; currents that are summed before one conversion to their first row tile.

    Args:
        plan: of the layer.
        arrays_per_unit: arrays of a unit.
        first_unit: number of the unit that its first array stands in, among all units.
        units_together: of a tile or a chip.
    """
    tiling = plan.tiling
    each = tiling.arrays_per_tile
    cells = cells_of(plan.settings.device, plan.settings.mapping)
    in_pairs = each > 1 and cells.polarities == 2 and plan.settings.mapping.subtract == "analog"
    converted = np.arange(0, each, 2 if in_pairs else 1)
    places, outputs = tiling.places, tiling.lines(plan.layer.groups)[1]
    columns = places[:, 0] * len(tiling.col_tiles) + places[:, 2]
    order = np.argsort(columns, kind="stable")  # the row tiles of a column tile one after the other
    if plan.settings.adc.where == "per_layer":  # currents belong to the first that there is
        order = order[np.diff(columns[order], prepend=-1) > 0]
    units = (order[:, None] * each + converted) // arrays_per_unit
    units = np.floor_divide(first_unit + units, units_together)
    # Numbers rise along row tiles and arrays of a tile: where a number is new, a unit is.
    within = np.count_nonzero(np.diff(units, axis=1), axis=1)
    follows = np.diff(columns[order], prepend=-1) == 0
    before = np.roll(units[:, -1], 1)
    others = within + (follows & (units[:, 0] != before))
    return int((others * outputs[order]).sum())


def sum_width(plan: LayerPlan, pass_weights: Sequence[float], code_bits: int) -> int:
    """Return the bits of a sum over passes, slices and row tiles that loses nothing.

    A code of b bits times a weight of at most W takes b + ceil(log2 W) bits.

    Args:
        plan: of the layer.
        pass_weights: factors of the passes.
        code_bits: bits of an ADC's code, its sign included.
    """
    weight = round(sum(abs(each) for each in pass_weights))
    weight *= int(np.abs(plan.readouts.weights).sum()) * int(plan.conversions_of_tiles.max())
    return code_bits + (weight - 1).bit_length()
