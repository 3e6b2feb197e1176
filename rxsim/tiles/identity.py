"""What a layer's arrays follow from."""

from __future__ import annotations

from typing import Any

from rxsim.compensate import acting_on_arrays
from rxsim.config import Reads, Settings

TILES = Reads(("crossbar", "device", "mapping", "compensate"))
"""What a layer's transfer matrices follow from, besides its weights and the chip."""


def identity_of_arrays(settings: Settings, counted_deviation: float = 0.0) -> dict[str, Any]:
    """Return the values that a layer's transfer matrices follow from, plain, by dotted name.

    Compensation steps behind the converters are no part of it.

    Args:
        settings: the layer's, perhaps with errors of cells switched off.
        counted_deviation: that of the mapped layer, by which its design differs nevertheless.
    """
    if settings.compensate:
        settings = settings.model_copy(update={"compensate": acting_on_arrays(settings)})
    counted = {"counted_deviation": counted_deviation} if counted_deviation else {}
    return TILES.of(settings) | counted
