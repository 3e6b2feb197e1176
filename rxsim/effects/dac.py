"""Resolution and saturation of the DACs: off, a wordline's voltage is the activation itself.

A setting of the input's range has no meaning without a converter: `input.percentile` is left as it is.
"""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=3,
    title="DAC",
    off={
        "dac.n_bits": None,
        "dac.gain_sigma": 0.0,
        "dac.offset_sigma": 0.0,
        "dac.inl": 0.0,
        "dac.dnl": 0.0,
        "input.encoding": "amplitude",
        "input.signed_input": "bipolar",
    },
    note="an encoding that counts bits or pulses goes with it: amplitudes are left",
)
