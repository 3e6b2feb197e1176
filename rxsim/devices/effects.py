"""What goes wrong in programming: each effect takes conductances and returns those it leaves.

All arrays are float64 in siemens, of the physical array's shape; draws always cover the whole array,
so that an effect's draws do not depend on what the array holds. Source: MODEL.md section 4.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import PRESETS, Device


def write_error(g: np.ndarray, device: Device, rng: np.random.Generator) -> np.ndarray:
    """Add a normal error: the preset's measured deviation, else write_sigma of the range or of g."""
    z = rng.standard_normal(g.shape)
    measured = PRESETS[device.model].sigma
    if measured is not None:
        deviation = measured(g)
    else:
        scale = g if device.write_unit == "relative" else device.g_on - device.g_off
        deviation = np.asarray(device.write_sigma * scale)
    return np.asarray(np.maximum(g + z * deviation, 0))


def has_write_error(device: Device) -> bool:
    """Tell whether programming misses its target."""
    return device.write_sigma > 0 or PRESETS[device.model].sigma is not None


def variation(g: np.ndarray, device: Device, rng: np.random.Generator) -> np.ndarray:
    """Multiply by a log-normal factor whose median is 1."""
    return np.asarray(g * np.exp(rng.standard_normal(g.shape) * device.d2d_sigma))


def stuck_cells(g: np.ndarray, device: Device, rng: np.random.Generator) -> np.ndarray:
    """Set a share stuck_lrs of the cells to g_on and a share stuck_hrs to g_off."""
    u = rng.random(g.shape)
    stuck_low = u < device.stuck_lrs
    stuck_high = ~stuck_low & (u < device.stuck_lrs + device.stuck_hrs)
    return np.where(stuck_low, device.g_on, np.where(stuck_high, device.g_off, g))
