"""Analog to digital conversions for one input of the network."""

from __future__ import annotations

from rxsim.search.minimised import Hardware, Minimised


def conversions(hardware: Hardware) -> float | None:
    """Count the conversions; None where a shape is unknown."""
    counts = list(hardware.conversions().values())
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


MINIMISED = Minimised(title="conversions", count=conversions, place=1, counts_adcs=True)
