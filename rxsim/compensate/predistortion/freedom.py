"""What the options of predistortion leave to the search."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from rxsim.compensate.predistortion.scale import Freedom, Scale

ScaleBy = Literal["none", "layer", "column"]

_NOISE = 1e-3
"""Noise of every cell, of the range. # Assumption: half of the least published write error
(0.2 %, Falcone et al., arXiv 2502.04524)."""


def start_and_freedom(
    scale: ScaleBy,
    headroom: float | None,
    slots: int,
    limits: tuple[float, float],
    step: float,
    *,
    deviation: float,
    shifts_cancel: bool,
) -> tuple[Scale, Freedom]:
    """Return the scale to begin with, and what of it may be chosen.

    Args:
        scale: whether a gain is chosen.
        headroom: share of the range left free at each end; None: chosen, where shifts cancel.
        slots: how many gains there are.
        limits: least and largest conductance of a cell, siemens.
        step: between levels, siemens; 0 for continuous cells.
        deviation: of programmed cells from their levels, siemens.
        shifts_cancel: whether a conductance that all cells hold more drops out of the outputs.
    """
    low, high = limits
    free = headroom or 0.0
    # The middle of the range stays where it is: T = (1 - 2 h) G + 2 h (low + high)/2.
    largest = 1 - 2 * free
    start = Scale(np.full(slots, largest), np.full(slots, free * (low + high)))
    rounding = step / 12**0.5
    noise = math.hypot(_NOISE * (high - low), rounding, deviation)
    chosen = scale != "none"
    shift = chosen and headroom is None and shifts_cancel
    return start, Freedom(gain=chosen, shift=shift, noise=noise, largest=largest)
