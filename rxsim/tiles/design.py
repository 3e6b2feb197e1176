"""The design of a layer's arrays: the compensation steps that every chip shares, before programming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rxsim.compensate import DesignStep, Residual, Workshop, chosen_steps
from rxsim.config import Reads, Settings
from rxsim.devices import nominal_deviation
from rxsim.mapping import MappedLayer
from rxsim.parallel import ordered
from rxsim.tiles.effective_matrix import OperatingPoint, array_matrix, has_circuit

DESIGN = Reads(
    (
        *("crossbar", "device.g_on", "device.g_off", "device.levels", "device.iv"),
        *("mapping", "compensate"),
    )
)
"""What a layer's design follows from besides weights, operating point and `deviation_of_design`."""


def deviation_of_design(settings: Settings) -> float:
    """Return the nominal deviation of cells that a layer's design steps count, siemens; else 0."""
    steps = chosen_steps(settings, "design")
    counted = any(
        isinstance(chosen.step, DesignStep) and chosen.step.counts_deviation for chosen in steps
    )
    return nominal_deviation(settings.device) if counted else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class LayerDesign:
    """A layer after all design steps.

    Attributes:
        layer: the layer.
        residuals: by the name of each step that tells some.
    """

    layer: MappedLayer
    residuals: dict[str, Residual]


def design_layer(
    layer: MappedLayer,
    settings: Settings,
    point: OperatingPoint | None = None,
    threads: int = 1,
) -> LayerDesign:
    """Take the design steps of a layer's settings, in order.

    Args:
        layer: the mapped layer.
        settings: the layer's.
        point: where its arrays are made linear, if they are not.
        threads: arrays worked on side by side; the result does not depend on it.

    Raises:
        CircuitError: an array can't be solved.
    """

    def solve(g: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        return array_matrix(g, settings, point, rows, cols)

    def each(work: Callable[[int], Any], numbers: Sequence[int]) -> list[Any]:
        return list(ordered(work, numbers, threads))

    residuals = {}
    deviation = deviation_of_design(settings)
    workshop = Workshop(
        settings=settings,
        solve=solve,
        deviation=deviation,
        has_circuit=has_circuit(settings, point) or settings.crossbar.r_access > 0,
        each=each,
    )
    for chosen in chosen_steps(settings, "design"):
        designed = chosen.step.design(layer, workshop, chosen.options)
        layer = designed.layer
        if designed.residual is not None:
            residuals[chosen.name] = designed.residual
    return LayerDesign(replace(layer, counted_deviation=deviation), residuals)
