"""From weights to target conductances, and what a sensed current is worth.

Source: docs/concepts/model.md, section 3.
"""

from __future__ import annotations

import numpy as np

from twin import settings as plain
from twin.arrays import Bools, Floats, Ints
from twin.settings import Settings


def weight_ranges(
    weights: Floats, present: Bools, rows: list[Ints], outputs: list[Ints], settings: Settings
) -> Floats:
    """Return w_max of every output in every row tile, shape (P, G, N).

    Args:
        weights: Shape (G, K, N).
        present: Where there is a weight, shape (G, K, N).
        rows: Rows of each row tile.
        outputs: Outputs of each column tile.
        settings: The layer's settings.
    """
    size, mapping = np.abs(weights), settings["mapping"]
    w_max = np.zeros((len(rows), weights.shape[0], weights.shape[2]))
    whole = np.percentile(size[present], mapping["w_percentile"])
    for p, g in np.ndindex(w_max.shape[:2]):
        for tile in outputs:
            scope = size[g][np.ix_(rows[p], tile)][present[g][np.ix_(rows[p], tile)]]
            for n in tile:
                if mapping["w_max_scope"] == "layer":
                    w_max[p, g, n] = whole
                    continue
                if mapping["w_max_scope"] == "column":
                    scope = size[g, present[g, :, n], n]
                if scope.size:
                    w_max[p, g, n] = np.percentile(scope, mapping["w_percentile"])
    w_max[w_max == 0] = 1.0
    return w_max


def level(share: Floats, levels: int | None) -> Floats:
    """Return the nearest level of shares 0..1, ties to even."""
    return share if levels is None else np.rint(share * (levels - 1)) / (levels - 1)


def unsliced_levels(settings: Settings) -> int | None:
    """Return the number of levels of a cell that holds a whole weight."""
    device = settings["device"]
    if settings["mapping"]["scheme"] == "offset" and device["n_bits"] is not None:
        return int(2 ** device["n_bits"] - 1)
    return plain.levels(device)


def digits(number: Floats, bits: int, count: int) -> Floats:
    """Return ``count`` digits of ``bits`` bits of integers, least first, on a new first axis."""
    left, parts = number.astype(np.int64), []
    for _ in range(count):
        parts.append(left % 2**bits)
        left //= 2**bits
    assert not left.any()
    return np.stack(parts).astype(np.float64)


def integers(weights: Floats, w_max: Floats, settings: Settings) -> Floats:
    """Return weights as integers of ``weight_bits``."""
    largest = 2 ** (settings["mapping"]["weight_bits"] - 1) - 1
    return np.asarray(np.clip(np.rint(weights / w_max * largest), -largest, largest))


def conductances(weights: Floats, w_max: Floats, settings: Settings) -> Floats:
    """Return the target conductances in S of weights (K, N), levels included, shape (S, R, K, N).

    Args:
        weights: Shape (K, N).
        w_max: Shape (N,).
        settings: The layer's settings.
    """
    mapping, device = settings["mapping"], settings["device"]
    if mapping["weight_bits"] is not None:
        whole = integers(weights, w_max, settings)
        sides = [np.maximum(whole, 0), np.maximum(-whole, 0)]
        if mapping["scheme"] == "offset":
            sides = [whole + 2 ** (mapping["weight_bits"] - 1)]
        count = plain.slices(mapping)
        by_side = [digits(side, mapping["bits_per_cell"], count) for side in sides]
        share = np.stack(by_side, axis=1) / (2 ** mapping["bits_per_cell"] - 1)
        share = level(share, plain.levels(device))
    else:
        part = np.clip(weights / w_max, -1, 1)
        if mapping["scheme"] == "offset":
            pair = [0.5 + part / 2]
        elif mapping["balance"] == "two_sided":
            pair = [0.5 + part / 2, 0.5 - part / 2]
        else:
            pair = [np.maximum(part, 0), np.maximum(-part, 0)]
        share = level(np.stack(pair)[None], unsliced_levels(settings))
    result: Floats = device["g_off"] + share * (device["g_on"] - device["g_off"])
    return result


def zero_conductances(settings: Settings) -> Floats:
    """Return the conductance in S that stands for a weight of zero in offset scheme, shape (S,)."""
    return conductances(np.zeros((1, 1)), np.ones(1), settings)[:, 0, 0, 0]


def weight_per_conductance(settings: Settings) -> Floats:
    """Return what one siemens of the difference is worth in units of w_max, shape (S,)."""
    mapping, device = settings["mapping"], settings["device"]
    span = device["g_on"] - device["g_off"]
    if mapping["weight_bits"] is None:
        return np.array([(2 if mapping["scheme"] == "offset" else 1) / span])
    largest = 2 ** (mapping["weight_bits"] - 1) - 1
    shift = 2.0 ** (mapping["bits_per_cell"] * np.arange(plain.slices(mapping)))
    each: Floats = shift * (2 ** mapping["bits_per_cell"] - 1) / span / largest
    return each


def conductance_step(settings: Settings) -> float:
    """Return the smallest step in S of a weight's cell."""
    span = float(settings["device"]["g_on"] - settings["device"]["g_off"])
    if settings["mapping"]["bits_per_cell"] is not None:
        return span / float(2 ** settings["mapping"]["bits_per_cell"] - 1)
    count = unsliced_levels(settings)
    assert count is not None
    return span / (count - 1)
