"""Read noise of which every reading is independent, and whose deviation saturates with the current.

sigma_I = A (1 - exp(-I / B)), I = G v_read; all of it is quicker than a run

Source of the form, whose numbers stand in the presets:
[1] Agrawal et al., IEDM 2022, Fig. 11b (SONOS 40 nm; CrossSim's fit: A 12.58 nA, B 215.37 nA at 0.1 V).
"""

from __future__ import annotations

import numpy as np

from rxsim.devices.law import Cells, Law, MeasuredLaw
from rxsim.devices.laws.saturating import Numbers, saturating_sigma
from rxsim.devices.read_noise import ReadNoise


class SaturatingNoise(ReadNoise, MeasuredLaw[Numbers]):
    """Saturating white noise with the numbers of a preset."""

    numbers = Numbers
    formula = (
        "sigma_I = A (1 - exp(-I / B)), I = G v_read; A = a and B = b in nanoampere; all fresh"
    )

    def sigma(self, g: np.ndarray, cells: Cells) -> np.ndarray:
        """Return the deviation of a reading, siemens."""
        numbers = self.numbers_of(cells.device.preset)
        # Nanoampere over volt are nanosiemens.
        height, scale = (current / numbers.v_read / 1e3 for current in (numbers.a, numbers.b))
        return saturating_sigma(g, height, scale)

    def quick_share(self, cells: Cells) -> float:
        """Return 1: white noise has no slow part."""
        return 1.0


LAW: Law = SaturatingNoise()
