"""A plain counter of what a layer does on arrays: loops over positions, passes and arrays.

Written from the definitions alone (docs/concepts/cost.md and model.md); nothing of rxsim is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class PlainArray:
    """A physical array, by lists of what lies on it."""

    tile: tuple[int, int, int]  # block, row tile, column tile
    kinds: list[tuple[int, int]]  # slice and side of an output's columns
    rows: list[tuple[int, int]]  # group and row of each driven wordline
    outputs: list[tuple[int, int]]  # group and column of each output
    references: int
    places: int  # rows of the tile, of groups that are not there too
    columns: list[int] = field(default_factory=list)


def conversions_of(settings: dict[str, Any], signed: bool) -> list[list[int]]:
    """List the converted passes, each as the weights of its pulses."""
    given, n_bits = settings["input"], settings["dac"]["n_bits"]
    how = given["signed_input"] if signed else "unsigned"
    if given["encoding"] == "stochastic":
        phases = [[1] * given["pulses"] for _ in range(2 if how == "two_phase" else 1)]
    elif given["encoding"] == "bit_serial":
        m = given["bits_per_pulse"]
        bits = n_bits if how in ("unsigned", "offset") else n_bits - 1
        digits = [2**first for first in range(0, bits, m)]
        phases = [digits, digits] if how == "two_phase" else [digits]
        if how == "twos_complement":
            phases = [[*digits, 2 ** (n_bits - 1)]]
    else:
        phases = [[1], [1]] if how == "two_phase" else [[1]]
    if given["adc_per_pass"] or given["encoding"] in ("amplitude", "pulse_width"):
        return [[weight] for phase in phases for weight in phase]
    return phases


def parts(length: int, size: int, split: str) -> list[range]:
    """Cut a length into tiles."""
    count = math.ceil(length / size)
    if split == "fill":
        return [range(p * size, min((p + 1) * size, length)) for p in range(count)]
    sizes = [length // count + (1 if p < length % count else 0) for p in range(count)]
    return [range(sum(sizes[:p]), sum(sizes[: p + 1])) for p in range(count)]


def arrays_of(weights: np.ndarray, kernel: int, settings: dict[str, Any]) -> Any:
    """Lay the weights of G matrices K x N onto arrays, in the order of their numbers."""
    groups, all_k, all_n = weights.shape
    skips = settings["mapping"]["skip_zero"]
    kept_rows, kept_columns = list(range(all_k)), list(range(all_n))
    if skips:
        kept_rows = [i for i in kept_rows if any(w != 0 for w in weights[:, i].flat)] or [0]
        kept_columns = [j for j in kept_columns if any(w != 0 for w in weights[:, :, j].flat)] or [
            0
        ]
    k, n = len(kept_rows), len(kept_columns)
    bar, mapping = settings["crossbar"], settings["mapping"]
    sides = 2 if mapping["scheme"] == "differential" else 1
    slices = 1
    if mapping["weight_bits"]:
        bits = mapping["weight_bits"] - (1 if sides == 2 else 0)
        slices = math.ceil(bits / mapping["bits_per_cell"])
    kinds = [(s, side) for s in range(slices) for side in range(sides)]
    adjacent = mapping["layout"] == "adjacent"
    on_array = [kinds] if adjacent else [[kind] for kind in kinds]
    has_reference = mapping["offset_removal"] == "reference_column"
    references = len(on_array[0]) if has_reference else 0
    room = (bar["cols"] - mapping["spare_cols"] - references) // len(on_array[0])
    packed = 1
    if mapping["pack_groups"]:
        packed = min(groups, max(1, min(bar["rows"] // k, room // n)))
    order = list(kept_rows)
    if mapping["row_order"] == "kernel_major":
        order.sort(key=lambda row: (row % kernel, row // kernel))
    arrays = []
    for block in range(math.ceil(groups / packed)):
        members = [block * packed + place for place in range(packed)]
        rows = [(group, row) for group in members for row in order]
        outputs = [(group, column) for group in members for column in kept_columns]
        for p, row_part in enumerate(parts(len(rows), bar["rows"], mapping["split"])):
            for q, col_part in enumerate(parts(len(outputs), room, mapping["split"])):
                for each in on_array:
                    arrays.append(
                        PlainArray(
                            tile=(block, p, q),
                            kinds=each,
                            rows=[rows[r] for r in row_part if rows[r][0] < groups],
                            outputs=[outputs[c] for c in col_part if outputs[c][0] < groups],
                            references=references,
                            places=len(row_part),
                        )
                    )
    if skips:
        full = [array for array in arrays if any(w != 0 for w in _held(weights, array))]
        arrays = full or arrays[: len(on_array)]
    return arrays, slices, sides


def _held(weights: np.ndarray, array: PlainArray) -> list[float]:
    """List the weights on an array."""
    return [weights[g, i, j] for g, i in array.rows for group, j in array.outputs if group == g]


def plain_counts(
    weights: np.ndarray,
    kernel: int,
    positions: int,
    settings: dict[str, Any],
    *,
    signed: bool,
    arrays_per_unit: int,
) -> dict[str, Any]:
    """Count by going through positions, passes and arrays.

    Args:
        weights: (groups, K, N).
        kernel: rows of a channel.
        positions: input vectors of an inference.
        settings: all of the layer's, plain.
        signed: whether inputs are below 0.
        arrays_per_unit: arrays of a unit.
    """
    arrays, slices, sides = arrays_of(weights, kernel, settings)
    passes = conversions_of(settings, signed)
    has_adc = settings["adc"]["n_bits"] is not None
    converts = converting(arrays, settings)
    readouts = [
        _readouts(array, settings) if has_adc and array.tile in converts else [] for array in arrays
    ]
    found: dict[str, Any] = dict.fromkeys(
        ("reads", "drives", "sample_and_holds", "conversions", "shift_and_adds", "macs"), 0
    )
    found["macs_of_network"] = 0
    of_tiles = {array.tile: len(_held(weights, array)) for array in arrays}
    for _ in range(positions):
        found["macs"] += sum(of_tiles.values())
        found["macs_of_network"] += sum(len(a.rows) * len(a.outputs) for a in _dense(weights))
        for converted in passes:
            for _pulse in converted:
                for array in arrays:
                    found["reads"] += 1
                    found["drives"] += len(array.rows)
                    used = len(array.outputs) * len(array.kinds) + array.references
                    found["sample_and_holds"] += used
            for of_array in readouts:
                found["conversions"] += len(of_array)
                found["shift_and_adds"] += len(of_array)
    bits = settings["dac"]["n_bits"] or 32
    row_tiles = {array.tile[:2]: array.rows for array in arrays}
    found["buffer_read_bits"] = positions * bits * sum(map(len, row_tiles.values()))
    found["outputs"] = len({(o, a.tile[0]) for a in arrays for o in a.outputs})
    found["pulses"] = sum(len(converted) for converted in passes)
    found["passes"] = len(passes)
    found["crossing"] = positions * _crossing(arrays, settings, arrays_per_unit)
    found["largest_sum"] = _largest_sum(arrays, passes, settings, slices, sides)
    return found | _hardware(weights, arrays, readouts, settings, arrays_per_unit)


def _dense(weights: np.ndarray) -> list[PlainArray]:
    groups, k, n = weights.shape
    return [
        PlainArray((g, 0, 0), [], [(g, i) for i in range(k)], [(g, j) for j in range(n)], 0, k)
        for g in range(groups)
    ]


def converting(arrays: Sequence[PlainArray], settings: dict[str, Any]) -> set[tuple[int, int, int]]:
    """List the tiles where currents are converted: all, or the first of those that are summed."""
    tiles = sorted({array.tile for array in arrays})
    if settings["adc"]["where"] == "per_tile":
        return set(tiles)
    first: dict[tuple[int, int], tuple[int, int, int]] = {}
    for block, p, q in tiles:
        first.setdefault((block, q), (block, p, q))
    return set(first.values())


def _readouts(array: PlainArray, settings: dict[str, Any]) -> list[int]:
    """List the converted columns of an array by their place among those of its tile."""
    mapping = settings["mapping"]
    digital = mapping["subtract"] == "digital"
    kinds = [kind for kind in array.kinds if digital or kind[1] == 0]
    converted = len(array.outputs) * len(kinds)
    return list(range(converted + (array.references if digital else 0)))


def _hardware(
    weights: np.ndarray,
    arrays: Sequence[PlainArray],
    readouts: Sequence[list[int]],
    settings: dict[str, Any],
    arrays_per_unit: int,
) -> dict[str, Any]:
    bar, is_open = settings["crossbar"], settings["mapping"]["unused_cells"] == "open"
    found = dict.fromkeys(
        ("cells", "weight_cells", "cells_written", "driven_rows", "used_columns"), 0
    )
    zeros = dict.fromkeys(("rows", "columns", "arrays"), 0)
    for array in arrays:
        here = _held(weights, array)
        cells = len(here) * len(array.kinds)
        found["cells"] += bar["rows"] * bar["cols"]
        found["weight_cells"] += cells
        devices = cells + array.places * array.references
        found["cells_written"] += devices if is_open else bar["rows"] * bar["cols"]
        found["driven_rows"] += len(array.rows)
        found["used_columns"] += len(array.outputs) * len(array.kinds) + array.references
        for g, i in array.rows:
            zeros["rows"] += all(weights[g, i, j] == 0 for h, j in array.outputs if h == g)
        for g, j in array.outputs:
            empty = all(weights[g, i, j] == 0 for h, i in array.rows if h == g)
            zeros["columns"] += len(array.kinds) * empty
        zeros["arrays"] += all(weight == 0 for weight in here)
    return {
        **found,
        "arrays": len(arrays),
        "units": len({number // arrays_per_unit for number in range(len(arrays))}),
        "zeros": {"weights": int((weights == 0).sum()), **zeros},
        "unshared_converters": sum(map(len, readouts)),
    }


def _crossing(arrays: Sequence[PlainArray], settings: dict[str, Any], arrays_per_unit: int) -> int:
    """Count sums that leave their unit: every unit but one of an output's sends its own."""
    units: dict[tuple[int, int, int], set[int]] = {}
    digital = settings["mapping"]["subtract"] == "digital"
    converts = converting(arrays, settings)
    for number, array in enumerate(arrays):
        if array.tile not in converts:
            continue
        if not digital and all(side == 1 for _, side in array.kinds):
            continue
        for output in array.outputs:
            key = (array.tile[0], *output)
            units.setdefault(key, set()).add(number // arrays_per_unit)
    return sum(len(of_output) - 1 for of_output in units.values())


def _largest_sum(
    arrays: Sequence[PlainArray],
    passes: Sequence[Sequence[int]],
    settings: dict[str, Any],
    slices: int,
    sides: int,
) -> int:
    """Add up all places that a code of 1 can count at in one output."""
    digital = settings["mapping"]["subtract"] == "digital"
    base = 2 ** (settings["mapping"]["bits_per_cell"] or 0)
    total = 0
    above: dict[tuple[int, int], int] = {}
    for block, _p, q in converting(arrays, settings):
        above[block, q] = above.get((block, q), 0) + 1
    for _ in range(max(above.values())):
        for s in range(slices):
            copies = sides if digital else 1
            if digital and arrays[0].references:
                copies += 1
            total += copies * base**s
    if settings["input"]["adc_per_pass"]:
        return total * sum(weight for converted in passes for weight in converted)
    return total * len(passes)
