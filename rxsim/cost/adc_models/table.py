"""The ADC that the technology states; the model that it names carries it to other bits."""

from __future__ import annotations

from rxsim.cost.adc import ADC_MODELS, AdcDesign, Conversion
from rxsim.cost.technology import Component
from rxsim.errors import InputError


class _Table:
    source = "the technology's own numbers"

    def conversion(self, design: AdcDesign) -> Conversion:
        """Return the stated numbers, times the ratio of the carrying model at other bits."""
        stated = design.stated
        if stated is None or stated.energy_of_action_j is None:
            raise InputError(
                "ADC model table: found no energy of a conversion in the technology, expected "
                "energy_j, or power_w and rate_hz; add it or choose another model"
            )
        energy, area = 1.0, 1.0
        if design.bits != stated.bits:
            energy, area = _carried(design, stated)
        stated_area = stated.area_of_one_mm2
        return Conversion(
            energy_j=stated.energy_of_action_j * energy,
            area_mm2=None if stated_area is None else stated_area * area,
            time_s=stated.time_of_action_s,
            node_nm=stated.node_nm,
        )


def _carried(design: AdcDesign, stated: Component) -> tuple[float, float]:
    """Return energy and area at the design's bits over those at the stated bits, after a model."""
    if design.carried_by in (None, "table"):
        raise InputError(
            f"ADC model table: found {design.bits} bits, expected {stated.bits}, as the technology "
            "states; name a model in carried_by or choose another model"
        )
    try:
        at, base = (
            ADC_MODELS[str(design.carried_by)].conversion(
                AdcDesign(
                    bits=bits,
                    rate_hz=stated.rate_hz or design.rate_hz,
                    node_nm=stated.node_nm,
                    column_ohm=design.column_ohm,
                    v_read=design.v_read,
                )
            )
            for bits in (design.bits, stated.bits or design.bits)
        )
    except InputError as error:
        reason = str(error).removeprefix(f"ADC model {design.carried_by}: ")
        raise InputError(
            f"ADC model table: the technology states an ADC of {stated.bits} bits, which its "
            f"carried_by, {design.carried_by}, carries to others: {reason}"
        ) from None
    if at.area_mm2 is None or base.area_mm2 is None:
        raise InputError(
            f"carried_by: found {design.carried_by!r}, expected a model that gives areas; "
            "choose another"
        )
    return at.energy_j / base.energy_j, at.area_mm2 / base.area_mm2


MODEL = _Table()
