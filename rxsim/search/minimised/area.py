"""Area in use, mm2, in the technology of the section `cost`."""

from __future__ import annotations

from rxsim.search.minimised import Hardware, Minimised


def area(hardware: Hardware) -> float | None:
    """Return the price; None where it is not known."""
    return hardware.prices.get("area_mm2")


MINIMISED = Minimised(title="area", count=area, place=5, counts_adcs=True, price="area_mm2")
