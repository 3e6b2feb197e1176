"""Physical arrays; layers that share weights share them."""

from __future__ import annotations

from rxsim.search.minimised import Hardware, Minimised


def arrays(hardware: Hardware) -> float:
    """Count the arrays."""
    layers = hardware.plan.layers.values()
    return sum(layer.arrays for layer in layers if layer.shared_with is None)


MINIMISED = Minimised(title="arrays", count=arrays, place=0)
