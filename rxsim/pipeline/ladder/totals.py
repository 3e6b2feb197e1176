"""What hardware a network takes, in numbers."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.mapping import NetworkPlan
from rxsim.patch import LayerHardware


def totals(plan: NetworkPlan, equipped: Sequence[LayerHardware]) -> dict[str, int | None]:
    """Count arrays, their cells, and conversions for one input (None where a shape is unknown).

    Args:
        plan: of the network.
        equipped: hardware of its layers, in the same order.
    """
    layers = list(plan.layers.values())
    converted = [
        layer.conversions(len(hardware.input_plan.passes))
        for layer, hardware in zip(layers, equipped, strict=True)
        if layer.settings.adc.n_bits is not None
    ]
    known = [count for count in converted if count is not None]
    return {
        "arrays": sum(layer.arrays for layer in layers if layer.shared_with is None),
        "cells": sum(layer.cells for layer in layers if layer.shared_with is None),
        "conversions": sum(known) if len(known) == len(converted) else None,
    }
