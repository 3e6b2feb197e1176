"""Programming: from target conductances to those of one chip.

Source: docs/concepts/model.md, section 4: target -> level -> write error -> variation; stuck cells
override last; g is clamped at 0 after each step. Draws come from
``SeedSequence(seed, spawn_key=(trial, layer index, effect, array index))``. Conventions: the effects
are numbered write error 0, variation 1, stuck cells 2, DACs 3, ADCs 4, random pulses 5; each draws one
number for every cell of the physical array (write error and variation standard normal ones, stuck
cells uniform ones: below stuck_lrs the cell is stuck at g_on, within the next stuck_hrs at g_off).
Cells that are left open stay open.
"""

from __future__ import annotations

import numpy as np

from twin.arrays import Bools, Floats
from twin.presets import PRESETS
from twin.settings import Settings

WRITE, VARIATION, STUCK, DAC, ADC, PULSES = range(6)


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of a spawn key."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def programmed(
    array: Floats, blank: Bools, settings: Settings, trial: int, layer: int, number: int
) -> Floats:
    """Return what an array is left with on one chip, S.

    Args:
        array: Its levels in S, shape (n_rows, n_cols), lines at their physical places.
        blank: Where it is open, likewise.
        settings: The layer's settings.
        trial: Number of the chip.
        layer: Index of the layer.
        number: Number of the array in its layer.
    """
    device, seed = settings["device"], settings["seed"]
    low, high = device["g_off"], device["g_on"]
    g = array
    measured = PRESETS[device["model"]].sigma
    if measured is not None or device["write_sigma"]:
        z = stream(seed, trial, layer, WRITE, number).standard_normal(g.shape)
        if measured is not None:
            sigma = measured(g)
        else:
            sigma = device["write_sigma"] * (
                g if device["write_unit"] == "relative" else np.full(g.shape, high - low)
            )
        g = np.maximum(g + z * sigma, 0)
    if device["d2d_sigma"]:
        z = stream(seed, trial, layer, VARIATION, number).standard_normal(g.shape)
        g = np.maximum(g * np.exp(z * device["d2d_sigma"]), 0)
    if device["stuck_lrs"] or device["stuck_hrs"]:
        u = stream(seed, trial, layer, STUCK, number).random(g.shape)
        g = np.where(u < device["stuck_lrs"] + device["stuck_hrs"], low, g)
        g = np.where(u < device["stuck_lrs"], high, g)
    return np.where(blank, 0.0, g)
