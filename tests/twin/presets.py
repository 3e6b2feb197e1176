"""Published devices of docs/concepts/model.md, section 10, that the twin knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin.arrays import Floats

Sigma = Callable[[Floats], Floats]
"""From target conductances in S to the standard deviation of programmed ones in S."""


@dataclass(frozen=True)
class Preset:
    """A published device.

    Attributes:
        device: Keys of the section `device` that it gives.
        sigma: Its programming error, which replaces the generic one; None without.
    """

    device: Mapping[str, Any] = field(default_factory=dict)
    sigma: Sigma | None = None


def _measured(low: float, high: float, sigma: Callable[[Floats], Floats]) -> Preset:
    """Return a continuous device from `low` to `high` in uS, its deviation in uS of targets in uS."""
    device = {"g_off": low * 1e-6, "g_on": high * 1e-6, "n_bits": None}
    return Preset(device, lambda g: np.maximum(sigma(g * 1e6), 0) * 1e-6)


PRESETS: dict[str, Preset] = {
    "ideal": Preset(),
    "pcm-nandakumar": _measured(
        0, 25, lambda g: 0.26348 + 1.9650 * (g / 25) - 1.1731 * (g / 25) ** 2
    ),
    "pcm-joshi": _measured(0.25, 25, lambda g: -0.00178767 * g**2 + 0.07585724 * g + 0.28638599),
    "rram-milo": _measured(50, 225, lambda g: -0.009107 * g + 4.7823),
    # Currents at 0.1 V in nA: 100 for each uS.
    "sonos-agrawal": _measured(0, 16, lambda g: 19.887 * (1 - np.exp(-100 * g / 176.31)) / 100),
    "stuck-chen-lrs-1.75": Preset({"stuck_lrs": 0.0175, "stuck_hrs": 0.0904}),
}
