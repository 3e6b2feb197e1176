"""Explanations made by hand, with round numbers that add up."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rxsim.config import settings_with
from rxsim.estimate import Estimate
from rxsim.explain.quantity import Quantity
from rxsim.explain.result import (
    ArrayMap,
    Attempt,
    EffectRow,
    EffectsTable,
    Explanation,
    LayerRow,
    LayersTable,
    Trap,
)

FLOATING, NONE, ALL = 0.917, 0.915, 0.624
# name, title, alone, left out, added, Shapley; the last two columns add up to ALL - NONE = -0.291
EFFECTS = (
    ("levels", "conductance levels", -0.004, -0.010, -0.004, -0.007),
    ("wires", "wires", -0.190, -0.236, -0.196, -0.213),
    ("variation", "device variation", -0.020, -0.036, -0.041, -0.028),
    ("adc", "ADC", -0.030, -0.055, -0.060, -0.046),
    ("compensation", "compensation", 0.0, 0.005, 0.010, 0.003),
)


def made_estimate(mean: float, error: float | None = 0.012) -> Estimate:
    """Return an estimate whose interval is two standard errors wide on each side."""
    if error is None:
        return Estimate(mean=mean, standard_error=None, low=None, high=None)
    return Estimate(mean=mean, standard_error=error, low=mean - 2 * error, high=mean + 2 * error)


def made_effects(*, shapley: bool = True, sampled: bool = False) -> EffectsTable:
    """Return a table of effects that adds up."""
    return EffectsTable(
        rows=tuple(
            EffectRow(
                name=name,
                title=title,
                alone=made_estimate(alone),
                left_out=made_estimate(left_out),
                added=made_estimate(added),
                shapley=made_estimate(value) if shapley else None,
                sampling_error=0.005 if sampled else 0.0,
            )
            for name, title, alone, left_out, added, value in EFFECTS
        ),
        method=("sampled" if sampled else "exact") if shapley else "none",
        orders=16 if sampled else 0,
        coalitions=32,
        notes={"adc": "its range is calibrated anew."},
        sets={(): NONE, ("wires",): NONE - 0.19, tuple(name for name, *_ in EFFECTS): ALL},
    )


def made_layers(names: Sequence[str]) -> LayersTable:
    """Return layers of which the middle one costs most."""
    rng = np.random.default_rng(7)
    worst = len(names) // 2
    rows = []
    for at, name in enumerate(names):
        cost = 0.081 if at == worst else 0.001 * (at % 9)
        clean = 12.0 if at == worst else 24.0 + at % 5
        noise = {effect: float(rng.uniform(1e-4, 1e-2)) for effect, *_ in EFFECTS[:4]}
        noise["compensation"] = 0.0
        if at == worst:
            noise["wires"] = 0.05
        rows.append(
            LayerRow(
                name=name,
                op="Conv",
                only=made_estimate(-cost / 2),
                all_but=made_estimate(-cost, 0.009),
                output_noise=0.4 if at == worst else 0.6 / len(names),
                snr_clean_db=clean,
                snr_db=clean - 0.15 * at,
                dac_clipping=0.001,
                adc_clipping=0.02 if at == worst else 0.00005,
                noise_alone=noise,
                noise_left_out={effect: value / 2 for effect, value in noise.items()},
                dominant=max(noise, key=lambda effect: noise[effect]),
            )
        )
    costs = {row.name: row.all_but.mean for row in rows if row.all_but is not None}
    i, j = np.mgrid[0:64, 0:64]
    ratio = 1 - 0.004 * (64 - i) * j / 64 - 0.001 * j
    ratio[3, 5] = np.nan
    array = ArrayMap(
        layer=names[worst], array=2, loss=0.23, ratio=ratio, error=-1e-9 * (1 - ratio) * (1 + i % 7)
    )
    return LayersTable(
        rows=tuple(rows),
        worst_first=tuple(sorted(costs, key=lambda name: costs[name])),
        arrays=(array,),
        inputs=64,
    )


def made_attempts() -> tuple[Attempt, ...]:
    """Return remedies: one that brings much, one that brings something, one that harms."""
    given: tuple[tuple[str, str, dict[str, Any], float, float, int, int], ...] = (
        (
            *("both", "arrays of 32x32 and an ADC of 7 bits in layer4/conv7"),
            {"crossbar.rows": 32, "crossbar.cols": 32, "layers.conv7": {"adc.n_bits": 7}},
            *(0.894, 0.270, 4_812, 1_203_000),
        ),
        *(("smaller", "arrays of 32x32", {"crossbar.rows": 32}, 0.850, 0.226, 4_812, 1_203_000),),
        *(("bits", "ADC of 7 bits", {"adc.n_bits": 7}, 0.640, 0.016, 1_240, 610_000),),
        *(("range", "wider ADC range", {"adc.percentile": 100.0}, 0.604, -0.020, 1_240, 610_000),),
    )
    return tuple(
        Attempt(
            remedy=remedy,
            title=title,
            changes=changes,
            value=value,
            gain=made_estimate(gain, 0.011),
            confirmed=made_estimate(0.261, 0.014) if remedy == "both" else None,
            arrays=arrays,
            conversions=conversions,
            combined=("smaller", "bits") if remedy == "both" else (remedy,),
        )
        for remedy, title, changes, value, gain, arrays, conversions in given
    )


def made_explanation(
    names: Sequence[str] = ("conv1", "conv7", "fc"), *, quantity: str = "accuracy", **changed: Any
) -> Explanation:
    """Return an explanation; `changed` replaces what it holds."""
    whole = Explanation(
        quantity=Quantity(quantity),
        floating=FLOATING,
        none=NONE,
        all=ALL,
        interval=(0.598, 0.650),
        chips=5,
        images=500,
        effects=made_effects(),
        layers=made_layers(names),
        attempts=made_attempts(),
        traps=(
            Trap(
                name="one_range",
                sentence="Columns of conv7 differ in size by 40 times and share one ADC range; "
                "try adc.scope: column.",
            ),
        ),
        left_out=("Remedies against drift were not tried.",),
        settings={
            "seed": 1,
            "crossbar": {"rows": 64, "cols": 64},
            "adc": {"n_bits": 6, "percentile": 99.9},
        },
        better=settings_with({}, {"crossbar.rows": 32, "crossbar.cols": 32}, "the test"),
        provenance={
            "model": {"name": "resnet20", "sha256": "ab" * 32},
            "data": {"name": "cifar10", "sha256": "cd" * 32},
            "rxsim": "0.1.0",
        },
        runs=71,
        seconds={"load": 0.4, "effects": 61.0, "layers": 40.2},
    )
    return replace(whole, **changed)


def mobile_names() -> list[str]:
    """Return 53 names as long as those that PyTorch exports for MobileNetV2."""
    return [
        f"/features/features.{at // 3}/conv/conv.{at % 3}/conv.{at % 3}.0/Conv" for at in range(52)
    ] + ["/classifier/classifier.1/Gemm"]
