"""What a point costs: arrays, conversions, bits and prices, from what its results hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Any

from rxsim.config import Reads
from rxsim.report.json_values import as_list, as_number, at
from rxsim.store import Point, PointSummary, Results, level_key

_AT_ONCE = 500  # points whose details are in memory together
_ALL_READ = 2000  # points of a file whose details are all read


def costs_by_key(
    results: Results, points: Sequence[PointSummary], quantity: str
) -> dict[str, tuple[dict[str, float], float | None]]:
    """Return what each point costs and its float reference, by key.

    In a large file the details of one point stand for all whose differing settings can't change
    these: to read all of them would take longer than everything else.
    """
    groups: dict[Any, list[PointSummary]] = {}
    for point in points:
        group = point.key if len(points) <= _ALL_READ else _cost_group(point)
        groups.setdefault(group, []).append(point)
    members = {alike[0].key: alike for alike in groups.values()}
    costs_of_points = {}
    rest = iter(members)
    while keys := list(islice(rest, _AT_ONCE)):
        for detailed in results.points(keys, details=True):
            reference = as_number(at(detailed.details, "ladder", "float32", quantity, "mean"))
            shared = costs_of(detailed)
            for point in members[detailed.key]:
                bits = as_number(point.values.get("adc.n_bits"))
                costs = {**shared, **point.costs}
                costs = costs if bits is None else {**costs, "bits": bits}
                costs_of_points[point.key] = costs, reference
    return costs_of_points


@cache
def costed() -> Reads:
    """Return the settings that change arrays and conversions, or which inputs the float network sees.

    Only large files ask for it: what it needs takes longer to load than small reports to make.
    """
    from rxsim.mapping import COUNTS

    return COUNTS | Reads(("seed", "layers"))


def _cost_group(point: PointSummary) -> tuple[Any, ...]:
    """Return what can change a point's costs and its float reference."""
    deciding = [
        level_key(value)
        for name, value in point.values.items()
        if costed().covers(name) and name != "adc.n_bits"
    ]
    return point.model, point.data, point.values.get("adc.n_bits", 0) is None, *deciding


def costs_of(point: Point) -> dict[str, float]:
    """Return what a point's hardware takes: arrays, conversions per input and ADC bits."""
    costs = {
        "arrays": as_number(at(point.details, "totals", "arrays")),
        "conversions": as_number(at(point.details, "totals", "conversions")),
        "bits": as_number(at(point.settings, "adc", "n_bits")),
    }
    if costs["arrays"] is None:
        arrays = [as_number(at(layer, "arrays")) for layer in as_list(at(point.details, "layers"))]
        known = [count for count in arrays if count is not None]
        costs["arrays"] = sum(known) if known and len(known) == len(arrays) else None
    return {name: value for name, value in costs.items() if value is not None}
