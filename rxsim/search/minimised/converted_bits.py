"""Bits that the ADCs give for one input of the network: each conversion times its resolution."""

from __future__ import annotations

from rxsim.search.minimised import Hardware, Minimised


def converted_bits(hardware: Hardware) -> float | None:
    """Count the bits; None where a shape is unknown."""
    total = 0
    for name, count in hardware.conversions().items():
        n_bits = hardware.plan.layers[name].settings.adc.n_bits
        if count is None or n_bits is None:
            return None
        total += count * n_bits
    return total


MINIMISED = Minimised(title="converted bits", count=converted_bits, place=2, counts_adcs=True)
