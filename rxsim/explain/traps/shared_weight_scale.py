"""A weight scale that columns of very different size share: the small ones get few levels."""

from __future__ import annotations

import numpy as np

from rxsim.explain.evidence import Evidence
from rxsim.explain.traps._fallen import has_fallen
from rxsim.explain.traps._sight import Sight
from rxsim.explain.traps._small_columns import small_quarter
from rxsim.mapping import MappedLayer

# Assumption: three bits less than the largest column has ..
RATIO = 8.0
# .. and fewer than four steps left. With 6 bits and a scale a layer ResNet-20 has 7 steps, loses
# nothing by it, and a scale a column makes it worse; MobileNetV1 has 0.6 of a step and falls to chance.
STEPS = 4.0


def look(evidence: Evidence) -> Sight | None:
    """Name the layer whose smallest columns have the fewest levels."""
    if not has_fallen(evidence):
        return None
    quarters: dict[str, tuple[float, float]] = {}
    for mapped in evidence.foundry.mapped.layers:
        steps = steps_of(mapped)
        if mapped.mapping.w_max_scope == "column" or steps is None:
            continue
        share = small_quarter(column_shares(mapped))
        if share is not None and share * RATIO < 1 and share * steps < STEPS:
            quarters[mapped.layer.name] = share, steps
    if not quarters:
        return None
    worst = min(quarters, key=lambda name: quarters[name][0])
    share, steps = quarters[worst]
    others = f" ({len(quarters)} layers are so)" if len(quarters) > 1 else ""
    return Sight(
        f"one weight scale for columns of different size: in layer {worst} the largest weight of the "
        f"smallest quarter of the columns is 1/{1 / share:.0f} of the scale, {share * steps:.1f} of "
        f"{steps:.0f} steps of conductance{others}; set mapping.w_max_scope: column, and "
        "adc.scope: column with it",
        ({"mapping.w_max_scope": "column", "adc.scope": "column"},),
    )


def column_shares(mapped: MappedLayer) -> np.ndarray:
    """Return the largest |w| of each column over the scale that it shares, float64 (columns,)."""
    largest = np.abs(mapped.layer.matrices.astype(np.float64))
    if mapped.mapping.w_max_scope == "layer":
        shares = largest.max(axis=1) / mapped.w_max.max()
    elif mapped.tiling.packed > 1:
        scales = np.repeat(mapped.w_max, mapped.tiling.packed, axis=1)[0, : len(largest), :1]
        shares = largest.max(axis=1) / scales
    else:
        parts = [
            largest[:, rows].max(axis=1) / scales
            for rows, scales in zip(mapped.row_tiles, mapped.w_max, strict=True)
        ]
        shares = np.max(parts, axis=0)
    return np.asarray(shares).ravel()


def steps_of(mapped: MappedLayer) -> float | None:
    """Return how many steps lie between a weight of 0 and the scale; None for continuous cells."""
    mapping, cells = mapped.mapping, mapped.cells
    if mapping.weight_bits is not None:
        return float(2 ** (mapping.weight_bits - 1) - 1)
    if cells.device.levels is None:
        return None
    both = cells.polarities == 1 or mapping.balance == "two_sided"
    return (cells.device.levels - 1) / (2 if both else 1)


LOOK = look
