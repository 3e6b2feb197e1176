"""The share of a network's work on crossbars, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

# Assumption: what a tenth of the work or less does digitally hides little of what hardware does.
_MUCH_UNMAPPED = 0.1
_ALL = 0.9995  # is told as 100 %


def work_share(shares: Mapping[str, float | None]) -> str:
    """Tell the mapped share of multiply-accumulates in words."""
    exact = shares["macs_mapped"]
    if exact is not None:
        return percent(exact)
    if shares.get("macs_mapped_at_least") == 1:  # what is not known is on crossbars too
        return percent(1)
    for bound in ("at_least", "at_most"):
        value = shares.get(f"macs_mapped_{bound}")
        if value is not None and not (bound == "at_most" and value >= _ALL):
            return f"{bound.replace('_', ' ')} {percent(value)}"
    return "an unknown share"


def unmapped_warning(
    shares: Mapping[str, float | None], digital: Sequence[Mapping[str, Any]]
) -> str:
    """Say that much of the work is not on crossbars, and what does it; empty where little is not."""
    share = shares["macs_mapped"]
    if share is None:
        share = shares.get("macs_mapped_at_most")
    rows = sorted(digital, key=most_work_first)
    work = [row for row in rows if row["macs"] is None or row["macs"] > 0]
    names = ", ".join(f"{row['op']} ({row['reason']})" for row in work[:3])
    if work and work[0]["macs"] is None:
        return f"An unknown share of multiply-accumulates stays digital: {names}"
    if share is None or 1 - share <= _MUCH_UNMAPPED:
        return ""
    left = percent(1 - share)
    return f"{left} of multiply-accumulates stay digital, untouched by the hardware: {names}"


def most_work_first(row: Mapping[str, Any]) -> tuple[float, int, str]:
    """Sort what stays digital: unknown work first, then the most."""
    return (-math.inf if row["macs"] is None else -row["macs"], -row["nodes"], row["op"])


def percent(share: float) -> str:
    """Write a share in percent with three significant digits."""
    value = 100 * share
    return "<0.01 %" if 0 < value < 0.01 else f"{value:.3g} %"
