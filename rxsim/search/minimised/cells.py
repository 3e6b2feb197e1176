"""Cells of all arrays, used or unused; layers that share weights share them."""

from __future__ import annotations

from rxsim.search.minimised import Hardware, Minimised


def cells(hardware: Hardware) -> float:
    """Count the cells."""
    layers = hardware.plan.layers.values()
    return sum(layer.cells for layer in layers if layer.shared_with is None)


MINIMISED = Minimised(title="cells", count=cells, place=3)
