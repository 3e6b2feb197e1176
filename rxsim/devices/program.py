"""Program one array: target -> level -> write error -> variation -> stuck cells, in this order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.config import Device
from rxsim.devices.effects import has_write_error, stuck_cells, variation, write_error
from rxsim.mapping import PhysicalArray, to_levels
from rxsim.seeds import Effect, device_generator


@dataclass(frozen=True, slots=True)
class Chip:
    """One trial: the draws of all its devices follow from these two numbers."""

    seed: int
    trial: int


def has_random_effects(device: Device) -> bool:
    """Tell whether two chips can differ at all."""
    generic = (device.d2d_sigma, device.stuck_lrs, device.stuck_hrs)
    return has_write_error(device) or any(generic)


def program(
    array: PhysicalArray, layer_index: int, device: Device, chip: Chip | None
) -> np.ndarray:
    """Return the conductances that an array is left with.

    Args:
        array: the array with its targets.
        layer_index: its layer's index, part of the key of its draws.
        device: the device settings.
        chip: the chip, or None for nominal devices: levels only, nothing random.

    Returns:
        Conductances, siemens, float64 (n_rows, n_cols); open cells stay at 0.
    """
    g = to_levels(array.target, device)
    if chip is not None:
        for effect, applies, change in (
            (Effect.WRITE, has_write_error(device), write_error),
            (Effect.VARIATION, device.d2d_sigma > 0, variation),
            (Effect.STUCK, device.stuck_lrs + device.stuck_hrs > 0, stuck_cells),
        ):
            if applies:
                rng = device_generator(chip.seed, chip.trial, layer_index, effect, array.index)
                g = change(g, device, rng)
    return np.where(array.blank, 0.0, g) if array.blank.any() else g
