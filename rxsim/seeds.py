"""All random generators: each comes from the seed and a key that names the draw.

The same key gives the same draws for any number of workers, in any order, with any other effect on
or off (a trial is one chip).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Effect(IntEnum):
    """The purpose of a device draw; its number is part of a result's identity and never changes.

    A device law states its number itself (see `rxsim.devices.law`); these are the first numbers.
    """

    WRITE = 0
    VARIATION = 1
    STUCK = 2
    DAC = 3
    ADC = 4
    PULSES = 5


class Sample(IntEnum):
    """The purpose of a draw that does not depend on the chip."""

    EVALUATION = 0
    CALIBRATION = 1
    MADE_UP_EVALUATION = 2
    MADE_UP_CALIBRATION = 3
    DIAGNOSIS = 4
    VERIFICATION = 5
    TRANSFORMATION = 6
    MADE_UP_SHARED = 7


def device_generator(
    seed: int, trial: int, layer: int, effect: int, array: int
) -> np.random.Generator:
    """Return the generator of an effect on a physical array of a chip."""
    key = (trial, layer, int(effect), array)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def chip_generator(seed: int, trial: int, effect: int) -> np.random.Generator:
    """Return the generator of an effect's draws that all arrays of a chip share."""
    key = (trial, int(effect), 0)  # of a length that no other key has
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def layout_generator(layer: int, tile: int) -> np.random.Generator:
    """Return the generator of a tile's layout, which belongs to the design and ignores the seed."""
    key = (layer, tile)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(0, spawn_key=key)))


def sample_generator(seed: int, sample: Sample) -> np.random.Generator:
    """Return the generator of a choice of inputs, which depends on the seed alone."""
    key = (int(sample),)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def design_generator(seed: int) -> np.random.Generator:
    """Return the generator of a sweep's random points."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
