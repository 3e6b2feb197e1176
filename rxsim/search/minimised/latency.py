"""Time of an inference, s: layers one after the other."""

from __future__ import annotations

from rxsim.search.minimised import Hardware, Minimised


def latency(hardware: Hardware) -> float | None:
    """Return the price; None where it is not known."""
    return hardware.prices.get("latency_s")


MINIMISED = Minimised(
    title="time of an inference", count=latency, place=6, counts_adcs=True, price="latency_s"
)
