"""Andrulis' regression over published ADCs: energy and area by bits, rate and node."""

from __future__ import annotations

import math

from rxsim.cost.adc import AdcDesign, Conversion, check_bits
from rxsim.errors import InputError

# Assumption: held to the bits and nodes around which its printed table was compared.
LEAST_BITS, MOST_BITS = 4, 12
LEAST_NM, MOST_NM = 7.0, 130.0


def figure_of_merit_db(bits: float, rate_hz: float) -> float:
    """Return the Schreier figure of merit that ADCs reach, dB."""
    # Source: Andrulis et al., "Modeling analog-digital-converter energy and area for compute-in-memory
    # accelerator design", 2024: the smaller of a bound by rate and a bound by bits.
    return min(
        213.7806687 - 2.8719030 * math.log(rate_hz), 128.3068287 + 3.2205115 * math.ceil(bits)
    )


def energy_pj(bits: float, rate_hz: float, node_nm: float) -> float:
    """Return the energy of a conversion, pJ, of an ADC of `bits` at `rate_hz` and `node_nm`."""
    # Source: as above.
    sndr_db = 20 * math.log10(2) * bits + 10 * math.log10(1.5)
    exponent = 26.0496216 + 1.8800369 * math.log(node_nm) - 2.8291256 * math.log(bits) - 1.4702022
    margin_db = figure_of_merit_db(bits, rate_hz) - sndr_db
    return math.exp(exponent) / (2 * 10 ** (margin_db / 10))


def area_um2(rate_hz: float, node_nm: float, energy_pj: float) -> float:
    """Return the area, um2, of an ADC of `energy_pj` a conversion at `rate_hz` and `node_nm`."""
    # Source: as above.
    return math.exp(
        1.3461916
        + 0.9932795 * math.log(node_nm)
        + 0.1807154 * math.log(rate_hz)
        + 0.2991243 * math.log(energy_pj)
    )


class _Andrulis:
    source = "Andrulis et al., 2024: regression over published ADCs"

    def conversion(self, design: AdcDesign) -> Conversion:
        """Return energy and area; the time is the rate's."""
        check_bits("andrulis", design.bits, LEAST_BITS, MOST_BITS)
        if not LEAST_NM <= design.node_nm <= MOST_NM:
            raise InputError(
                f"ADC model andrulis: found a node of {design.node_nm:g} nm, expected {LEAST_NM:g} to "
                f"{MOST_NM:g} nm; choose another model"
            )
        if not 0 < design.rate_hz < math.inf:
            raise InputError(
                f"ADC model andrulis: found {design.rate_hz:g} conversions a second, expected a number "
                "above 0; correct it"
            )
        energy = energy_pj(design.bits, design.rate_hz, design.node_nm)
        return Conversion(
            energy_j=energy * 1e-12,
            area_mm2=area_um2(design.rate_hz, design.node_nm, energy) * 1e-6,
            time_s=1 / design.rate_hz,
            node_nm=design.node_nm,
        )


MODEL = _Andrulis()
