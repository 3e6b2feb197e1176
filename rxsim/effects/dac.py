"""Resolution and saturation of the DACs. Switched off, wordline voltages are exact activations.

`input.percentile` stays as it is: without a converter it has no meaning.
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
        "dac.noise": 0.0,
        "input.encoding": "amplitude",
        "input.signed_input": "bipolar",
    },
    note="an encoding that counts bits or pulses goes with it: amplitudes are left",
)
