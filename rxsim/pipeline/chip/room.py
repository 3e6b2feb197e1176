"""Whether a study's arrays fit into memory, how many at once, and how long they will take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rxsim.config import Settings
from rxsim.mapping import MappedLayer
from rxsim.memory import LITTLE, available_bytes, require
from rxsim.pipeline.study.study import Study
from rxsim.tiles import array_bytes, layer_seconds

LONG_SECONDS = 60.0
"""A solution that is expected to take longer is announced."""


def check_room(study: Study) -> None:
    """Refuse a study one of whose arrays takes more memory than there is.

    Raises:
        InputError: naming the layer, the array's size and the bytes.
    """
    needs = [
        (array_bytes(plan.tiling, plan.settings), name, plan.settings.crossbar)
        for name, plan in study.plan.layers.items()
    ]
    if needs:
        most, name, bar = max(needs, key=lambda need: need[0])
        require(most, f"an array of {bar.rows}x{bar.cols} (layer {name})")


def threads_that_fit(threads: int, layer: MappedLayer, settings: Settings) -> int:
    """Return how many arrays of a layer are worked on at once: no result depends on it."""
    each = array_bytes(layer.tiling, settings)
    left = available_bytes() if each * threads > LITTLE else None
    return threads if left is None else max(1, min(threads, left // each))


def announcement(
    layers: Iterable[MappedLayer], settings: Mapping[str, Settings], threads: int
) -> str | None:
    """Return what a user should know before a long solution; None where it is expected to be short."""
    layers = list(layers)
    seconds = sum(layer_seconds(layer.tiling, settings[layer.layer.name]) for layer in layers)
    if seconds <= LONG_SECONDS * threads:
        return None
    arrays = sum(layer.n_arrays for layer in layers)
    largest = max((layer.tiling.crossbar for layer in layers), key=lambda bar: bar.rows * bar.cols)
    size = f"{largest.rows}x{largest.cols}"
    noun = f"array of {size}" if arrays == 1 else f"arrays of up to {size}"
    return f"solve: about {duration(seconds / threads)} for {arrays:,} {noun}, by a rough estimate"


def duration(seconds: float) -> str:
    """Write a rough time in the unit that suits it."""
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
