"""Time from one inference to the next, s, where layers work at the same time."""

from __future__ import annotations

from rxsim.search.minimised import Hardware, Minimised


def interval(hardware: Hardware) -> float | None:
    """Return the price; None where it is not known."""
    return hardware.prices.get("interval_s")


MINIMISED = Minimised(
    title="time between inferences", count=interval, place=7, counts_adcs=True, price="interval_s"
)
