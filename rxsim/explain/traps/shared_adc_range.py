"""An ADC range that columns of very different size share: the small ones are left with a few codes."""

from __future__ import annotations

from rxsim.explain.evidence import Evidence
from rxsim.explain.traps._calibration_runs import range_use
from rxsim.explain.traps._fallen import has_fallen
from rxsim.explain.traps._sight import Sight
from rxsim.explain.traps._small_columns import small_quarter

# Assumption: three bits less than the largest column has ..
RATIO = 8.0
# .. and fewer than four codes left. With 6 bits and a range a layer ResNet-20 has 3.1 codes in its
# worst layer: a range a column brings its output from 12.6 to 15.4 dB.
CODES = 4.0


def look(evidence: Evidence) -> Sight | None:
    """Name the layer whose smallest columns use least of their calibrated ADC range."""
    settings, study = evidence.foundry.mapped.settings, evidence.study
    wanted = [
        layer.name
        for layer in study.network.layers
        if settings[layer.name].adc.n_bits is not None
        and settings[layer.name].adc.range == "calibrated"
        and settings[layer.name].adc.scope != "column"
    ]
    if not wanted or not has_fallen(evidence):
        return None
    adcs = {
        mapped.layer.name: adc
        for mapped, adc in zip(evidence.foundry.mapped.layers, evidence.foundry.adcs, strict=True)
        if adc is not None
    }
    quarters = {}
    for name, use in range_use(evidence, wanted).items():
        share = small_quarter(use.peaks)
        if share is not None and share * RATIO < 1 and share * adcs[name].high.max() < CODES:
            quarters[name] = share
    if not quarters:
        return None
    worst = min(quarters, key=lambda name: quarters[name])
    adc, of_worst = adcs[worst], settings[worst].adc
    codes = int(adc.high.max())
    by_tile = of_worst.scope == "layer" and of_worst.where == "per_tile"
    others = f" ({len(quarters)} layers are so)" if len(quarters) > 1 else ""
    return Sight(
        f"one ADC range for each {of_worst.scope} over columns of different size: in layer {worst} the "
        f"smallest quarter of the columns reach at most 1/{1 / quarters[worst]:.0f} of the range, "
        f"{_codes(quarters[worst] * codes)} of {codes} codes{' a side' if adc.low.min() < 0 else ''}"
        f"{others}; set adc.scope: column{' (or tile)' if by_tile else ''}",
        ({"adc.scope": "column"},),
    )


def _codes(count: float) -> str:
    return "less than 1" if count < 1 else f"{count:.1f}"


LOOK = look
