"""The DAC of a layer's wordlines: activation -> code -> voltage (docs/concepts/model.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.config import Settings
from rxsim.errors import SettingError


@dataclass(frozen=True, slots=True)
class Dac:
    """A layer's DACs: `code = clip(round(x * code_per_x), low, high)`, `v_in = code * volt_per_code`.

    Attributes:
        code_per_x: codes per unit of activation (1/x_max of a converter that is not there).
        volt_per_code: volt.
        low: smallest code, or None where there is no converter: neither rounding nor saturation.
        high: largest code, or None.
    """

    code_per_x: float
    volt_per_code: float
    low: int | None
    high: int | None

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Convert activations as the patched network does: in float32, ties to even.

        Args:
            values: activations, of any shape.

        Returns:
            Codes (shares of x_max where there is no converter), float64.
        """
        codes = values.astype(np.float32) * np.float32(self.code_per_x)
        if self.low is not None and self.high is not None:
            codes = np.rint(np.clip(codes, np.float32(self.low), np.float32(self.high)))
        return codes.astype(np.float64)


def layer_dac(name: str, measured: InputRange, settings: Settings) -> Dac:
    """Set up a layer's DACs from its measured input range.

    Raises:
        SettingError: a one-bit DAC would have to carry signed inputs.
    """
    v_read, n_bits = settings.input.v_read, settings.dac.n_bits
    if n_bits is None:
        return Dac(1 / measured.x_max, v_read, None, None)
    if measured.signed and n_bits < 2:
        raise SettingError(
            f"dac.n_bits: found 1, but layer {name} has inputs of both signs, expected at least 2 "
            "bits for them"
        )
    steps = 2 ** (n_bits - 1) - 1 if measured.signed else 2**n_bits - 1
    return Dac(steps / measured.x_max, v_read / steps, -steps if measured.signed else 0, steps)
