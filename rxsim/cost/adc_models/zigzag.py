"""ZigZag's ADC for in-memory computing at 28 nm, and its DAC."""

from __future__ import annotations

from rxsim.cost.adc import AdcDesign, Conversion, check_bits

# Source: ZigZag (KU Leuven), cost model of analog in-memory computing, 28 nm.
K1_FJ_PER_BIT_V2 = 100.0
K2_FJ_PER_STEP_V2 = 0.001
SUPPLY_V = 0.9
NODE_NM = 28.0
DAC_F_PER_BIT = 50e-15
LEAST_BITS, MOST_BITS = 4, 11  # its area holds below 12 bits


def dac_energy_j(bits: int, supply_v: float = SUPPLY_V) -> float:
    """Return the energy of a DAC's drive, J: 50 fF x bits x V^2."""
    return DAC_F_PER_BIT * bits * supply_v**2


class _ZigZag:
    source = "ZigZag (KU Leuven), 28 nm"

    def conversion(self, design: AdcDesign) -> Conversion:
        """Return energy and area, and the time if the design says its rows."""
        bits, rows = design.bits, design.rows
        check_bits("zigzag", bits, LEAST_BITS, MOST_BITS)
        # Source: as above.
        energy_fj = (K1_FJ_PER_BIT_V2 * bits + K2_FJ_PER_STEP_V2 * 4**bits) * SUPPLY_V**2
        area_um2 = 2**bits * 10 ** (1.206 - 0.0369 * bits)
        time_ns = None if rows is None else bits * (0.00653 * rows + 0.640)
        return Conversion(
            energy_j=energy_fj * 1e-15,
            area_mm2=area_um2 * 1e-6,
            time_s=None if time_ns is None else time_ns * 1e-9,
            node_nm=NODE_NM,
        )


MODEL = _ZigZag()
