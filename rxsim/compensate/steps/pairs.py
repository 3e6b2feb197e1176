"""Pairs: the other cell of a differential pair keeps the difference where one cell is stuck.

With G+ stuck at s, the other cell's target becomes the level nearest to s - (G+ - G-) within
[g_off, g_on], and likewise with G- stuck. The stuck cell's own target becomes what the pair would need
of it then, so that the difference stays the same wherever a later step puts the column.

Source: docs/concepts/model.md section 14.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rxsim.compensate.step import KnownTile, Needs, NoOptions, TileStep
from rxsim.compensate.steps._lines import Line, lines_of, stuck_cells, used_rows
from rxsim.config import Device, Settings
from rxsim.devices import to_levels
from rxsim.mapping import MappedLayer, PhysicalArray

_ROUNDING = 1e-9
"""Gains below this share of the conductance range are float rounding: a cell keeps its target."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The cells of one polarity.

    Attributes:
        level: the levels they are to be programmed to, siemens.
        stuck: siemens at which they are stuck; NaN where they work.
        movable: bool, cells that work and can be given another target.
    """

    level: np.ndarray
    stuck: np.ndarray
    movable: np.ndarray


class Pairs(TileStep[NoOptions]):
    """See the file's docstring."""

    title = "other cell of a pair"
    source = "docs/concepts/model.md section 14"
    options = NoOptions
    mends = "faults"

    def check(self, settings: Settings, options: NoOptions) -> str | None:
        """Refuse weights without pairs."""
        if settings.mapping.scheme == "differential":
            return None
        return (
            f"found mapping.scheme: {settings.mapping.scheme}, expected pairs of cells, "
            "mapping.scheme: differential; set it, or leave the step out"
        )

    def needs(self, layer: MappedLayer, options: NoOptions) -> Needs:
        """Every cell is tested once."""
        bar = layer.tiling.crossbar
        return Needs(cell_reads=layer.n_arrays * bar.rows * bar.cols)

    def retarget(
        self, tile: KnownTile, layer: MappedLayer, settings: Settings, options: NoOptions
    ) -> tuple[PhysicalArray, ...]:
        """Give the other cell of each pair with one stuck cell another target."""
        arrays, device = tile.arrays, layer.device
        targets = [array.target.copy() for array in arrays]
        levels = [to_levels(array.target, device) for array in arrays]
        stuck = [stuck_cells(*each) for each in zip(arrays, tile.stuck, strict=True)]
        rows = [used_rows(array) for array in arrays]

        def side(a: int, cells: tuple[np.ndarray, ...]) -> Side:
            known = stuck[a][cells]
            return Side(levels[a][cells], known, np.isnan(known) & ~arrays[a].blank[cells])

        for (a, b), cols in _pairs_of(lines_of(arrays, layer)).items():
            of_plus = np.ix_(rows[a], np.array([plus for plus, _ in cols]))
            of_minus = np.ix_(rows[b], np.array([minus for _, minus in cols]))
            plus, minus = side(a, of_plus), side(b, of_minus)
            for one, other, cells, others in (
                (plus, minus, (a, of_plus), (b, of_minus)),
                (minus, plus, (b, of_minus), (a, of_plus)),
            ):
                moved, wanted, needed = mended(one, other, device)
                for (number, place), values in ((others, wanted), (cells, needed)):
                    targets[number][place] = np.where(moved, values, targets[number][place])
        return tuple(
            replace(array, target=target) for array, target in zip(arrays, targets, strict=True)
        )


def mended(one: Side, other: Side, device: Device) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find targets that keep the difference of pairs of which one cell is stuck.

    Args:
        one: the cells that may be stuck.
        other: the other cells of these pairs.
        device: conductance range and levels.

    Returns:
        Which pairs are nearer to their difference with a new target, bool; the targets of the other
        cells, siemens; and those that the pair then needs of the stuck ones.
    """
    difference = one.level - other.level
    target = _reachable(one.stuck - difference, device)
    now, then = (np.abs(one.stuck - g - difference) for g in (other.level, target))
    span = device.g_on - device.g_off
    with np.errstate(invalid="ignore"):
        moved = other.movable & (now - then > _ROUNDING * span)
    return moved, target, _reachable(difference + target, device)


def _reachable(g: np.ndarray, device: Device) -> np.ndarray:
    """Return the levels nearest to some conductances, siemens."""
    return to_levels(np.clip(g, device.g_off, device.g_on), device)


def _pairs_of(lines: Sequence[Line]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """List the columns of pairs, plus and minus, by the arrays that they are on."""
    sides: dict[int, dict[bool, Line]] = defaultdict(dict)
    for line in lines:
        sides[int(line.sums[0])][line.sign > 0] = line
    pairs = defaultdict(list)
    for side in sides.values():
        if len(side) == 2:
            plus, minus = side[True], side[False]
            pairs[plus.array, minus.array].append((plus.col, minus.col))
    return pairs


STEP = Pairs()
