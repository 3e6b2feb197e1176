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
    DRIFT = 6
    READ_NOISE = 7
    VERIFY = 8
    ARRAY = 9
    CHIP = 10
    GRADIENT = 11
    FAULT_MAP = 12
    DEAD_ROWS = 13
    DEAD_COLS = 14
    # Drawn by the graph itself, for every conversion and every driven value anew.
    ADC_NOISE = 40
    DAC_NOISE = 41
    FRESH_READ_NOISE = 42


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
    ORDERS_OF_EFFECTS = 8
    CHOOSING_IMAGES = 9
    CHOOSING_STEPS = 10
    ARRAY_ENERGY = 11
    WRITE_PULSES = 12
    TRAINING = 13


def device_generator(
    seed: int, trial: int, layer: int, effect: int, array: int, refresh: int = 0
) -> np.random.Generator:
    """Return the generator of an effect on a physical array of a chip.

    Args:
        seed: of all draws.
        trial: number of the chip.
        layer: index of the layer.
        effect: number of the effect.
        array: index of the array in the layer.
        refresh: how often the array was programmed anew.
    """
    key = (trial, layer, int(effect), array, *((refresh,) if refresh else ()))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def graph_seed(seed: int, trial: int, layer: int, effect: int, number: int) -> int:
    """Return the seed of a random node of a chip's graph: whole, from 1 up to 2^24 - 1.

    ONNX holds seeds in float32, in which all of these are exact. Seeds of 0 and 1 would give the same
    numbers in onnxruntime. Two of n nodes get equal seeds, hence equal numbers, with a chance of about
    n^2 / 2^25.

    Args:
        seed: of the run.
        trial: the chip.
        layer: index of the layer.
        effect: what is drawn.
        number: of the node in the layer, such as its conversion.
    """
    return int(device_generator(seed, trial, layer, effect, number).integers(1, 2**24))


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


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """Return the generator of the order of an epoch's inputs while a network is trained."""
    entropy = [seed, int(Sample.TRAINING), epoch]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def design_generator(seed: int) -> np.random.Generator:
    """Return the generator of a sweep's random points."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
