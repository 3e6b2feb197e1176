"""Kull's ADC as measured: 8 bits, 1.2 GS/s, 32 nm."""

from __future__ import annotations

from rxsim.cost.adc import AdcDesign, Conversion, check_bits

# Source: Kull et al., IEEE JSSC 48(12), 2013: 3.1 mW at 1.2 GS/s, .0015 mm2.
BITS = 8
POWER_W = 3.1e-3
RATE_HZ = 1.2e9
AREA_MM2 = 0.0015
NODE_NM = 32.0


class _Kull:
    source = "Kull et al., JSSC 48(12), 2013: one ADC, measured"

    def conversion(self, design: AdcDesign) -> Conversion:
        """Return what was measured; a chip that was built has one number of bits."""
        check_bits("kull", design.bits, BITS, BITS)
        return Conversion(
            energy_j=POWER_W / RATE_HZ, area_mm2=AREA_MM2, time_s=1 / RATE_HZ, node_nm=NODE_NM
        )


MODEL = _Kull()
