"""Energy of an inference, J, in the technology of the section `cost`."""

from __future__ import annotations

from rxsim.search.minimised import Hardware, Minimised


def energy(hardware: Hardware) -> float | None:
    """Return the price; None where it is not known."""
    return hardware.prices.get("energy_j")


MINIMISED = Minimised(title="energy", count=energy, place=4, counts_adcs=True, price="energy_j")
