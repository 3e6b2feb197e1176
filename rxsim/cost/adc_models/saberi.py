"""Saberi's capacitive ADC, carried over bits from ISAAC's ADC of 8 bits at 32 nm."""

from __future__ import annotations

from rxsim.cost.adc import AdcDesign, Conversion, check_bits

# Source: Saberi et al., IEEE TCAS-I 58(8), 2011, applied to ISAAC's ADC (Shafiee et al., ISCA 2016):
# energy of a conversion in pJ and area in um2, by bits.
ENERGY_PJ = {4: 0.79, 5: 0.99, 6: 1.20, 7: 1.42, 8: 1.67, 9: 1.969, 10: 2.379}
AREA_UM2 = {4: 361, 5: 477, 6: 627, 7: 845, 8: 1200, 9: 1828, 10: 3002}
# Source: Shafiee et al., ISCA 2016.
RATE_HZ = 1.2e9
NODE_NM = 32.0


class _Saberi:
    source = "Saberi et al., TCAS-I 58(8), 2011, on ISAAC's ADC (Shafiee et al., ISCA 2016)"

    def conversion(self, design: AdcDesign) -> Conversion:
        """Return the table's row; it has one rate and one node."""
        check_bits("saberi", design.bits, min(ENERGY_PJ), max(ENERGY_PJ))
        return Conversion(
            energy_j=ENERGY_PJ[design.bits] * 1e-12,
            area_mm2=AREA_UM2[design.bits] * 1e-6,
            time_s=1 / RATE_HZ,
            node_nm=NODE_NM,
        )


MODEL = _Saberi()
