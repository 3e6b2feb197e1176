"""A technology with its ADC after a model, at the bits of a design."""

from __future__ import annotations

import math

from rxsim.cost.adc import ADC_MODELS, AdcDesign, conversion
from rxsim.cost.technology import Technology
from rxsim.errors import InputError

TABLE = "table"
"""The ADC model that is the technology's own numbers."""


def adc_design(technology: Technology, bits: int | None = None) -> AdcDesign:
    """Return what a technology asks of its ADC.

    Args:
        technology: the technology.
        bits: bits of the ADC; None: those of the design.

    Raises:
        InputError: the technology does not say how often its ADC converts.
    """
    adc = technology.adc
    if adc.rate_hz is None:
        raise InputError(
            f"components.{technology.adc_name}: found no rate_hz, expected conversions a second, as "
            "models of ADCs need them; add it"
        )
    return AdcDesign(
        bits=bits or technology.adc_bits or adc.bits or 0,
        rate_hz=adc.rate_hz,
        node_nm=technology.node_nm,
        rows=technology.product.rows,
        stated=adc,
        carried_by=technology.carried_by,
    )


def in_turns(time_s: float | None, rate_hz: float) -> int:
    """Return how many ADCs it takes, in turns, for a rate.

    Args:
        time_s: of a conversion of one, s; None: 1 / rate.
        rate_hz: conversions a second of all.
    """
    return 1 if time_s is None else max(math.ceil(time_s * rate_hz - 1e-9), 1)


def with_adc(
    technology: Technology,
    model: str = TABLE,
    design: AdcDesign | None = None,
    *,
    scale_node: bool = False,
) -> Technology:
    """Return a technology whose ADC costs what a model says.

    The rate stays that of the technology: where a model's conversion takes longer, so many ADCs work in
    turns as give the rate, and the area is that of all of them; time_s is of one conversion. An ADC
    whose area lies within another component keeps it there, as that area can't be told apart.

    Args:
        technology: the technology.
        model: name of the model.
        design: what is asked for; None: as the technology is designed.
        scale_node: scale the model's numbers to the design's node as digital circuits scale.

    Raises:
        InputError: there is no such model, or the design lies outside its range.
    """
    adc, name = technology.adc, technology.adc_name
    if model == TABLE and design is None and technology.adc_bits in (None, adc.bits):
        return technology
    design = design or adc_design(technology)
    is_stated = model == TABLE and design.bits == adc.bits
    if is_stated and not (scale_node and adc.node_nm != design.node_nm):
        return technology.model_copy(update={"adc_bits": design.bits})
    cost = conversion(model, design, scale_node=scale_node)
    source = ADC_MODELS[model].source
    if model == TABLE:
        carried = design.bits != adc.bits
        source = (
            f"{adc.source}; carried to {design.bits} bits by {design.carried_by}"
            if carried
            else adc.source
        )
    within = adc.area_within is not None
    turns = 1 if model == TABLE else in_turns(cost.time_s, design.rate_hz)
    changed = {
        "energy_j": cost.energy_j,
        "power_w": None,
        "rate_hz": design.rate_hz,
        "time_s": cost.time_s,
        "area_mm2": None if within or cost.area_mm2 is None else cost.area_mm2 * turns,
        "leakage_w": None if adc.leakage_w is None else adc.leakage_w / adc.together,
        "together": 1,
        "bits": design.bits,
        "node_nm": cost.node_nm,
        "source": source,
        "status": adc.status if adc.status == "R" and model == TABLE else "D",
    }
    components = {**technology.components, name: adc.model_copy(update=changed)}
    return technology.model_copy(update={"components": components, "adc_bits": design.bits})
