"""NeuroSim's SAR ADC: its power depends on the column that it reads; bits + 1 cycles of 1 ns."""

from __future__ import annotations

import math

from rxsim.cost.adc import AdcDesign, Conversion, check_bits
from rxsim.errors import InputError

# Source: published fit of NeuroSim's SAR ADC; by node in nm: a and c in uW, d in W, e.
COEFFICIENTS = {
    130: (8.4483, 65.243, 0.16938, 2.303),
    32: (1.1294, 8.8998, 0.079449, 2.297),
}
CYCLE_S = 1e-9
LEAST_BITS, MOST_BITS = 4, 12  # Assumption: the range in which models are compared


class _NeuroSim:
    source = "NeuroSim's SAR ADC (published fit)"

    def conversion(self, design: AdcDesign) -> Conversion:
        """Return energy and time; the fit gives no area."""
        check_bits("neurosim", design.bits, LEAST_BITS, MOST_BITS)
        if design.node_nm not in COEFFICIENTS:
            raise InputError(
                f"ADC model neurosim: found a node of {design.node_nm:g} nm, expected one of "
                f"{', '.join(map(str, sorted(COEFFICIENTS)))} nm; choose another model"
            )
        if not design.column_ohm or not design.v_read:
            raise InputError(
                "ADC model neurosim: found no column resistance and read voltage, expected both, as "
                "its power depends on them; choose another model"
            )
        if min(design.column_ohm, design.v_read) < 0:
            raise InputError(
                f"ADC model neurosim: found a column of {design.column_ohm:g} ohm read at "
                f"{design.v_read:g} V, expected both above 0; correct them"
            )
        a, c, d, e = COEFFICIENTS[int(design.node_nm)]
        # Source: as above.
        column = math.log10(design.column_ohm / 2 / design.v_read)
        power_w = (a * design.bits + c) * 1e-6 + d * math.exp(-e * column)
        time_s = (design.bits + 1) * CYCLE_S
        return Conversion(
            energy_j=power_w * time_s, area_mm2=None, time_s=time_s, node_nm=design.node_nm
        )


MODEL = _NeuroSim()
